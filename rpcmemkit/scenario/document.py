"""YAML text as data that remembers where it was written.

PyYAML scans and parses; what its events tell is put together here: to nodes, which know where they are written, and
these to maps, lists and scalars. Nothing recurses; depth and size are bounded before they can hurt. A YAML alias is a
copy of what its anchor names: storage is shared by ``$alias``, never by the way a file was abbreviated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

import yaml

from rpcmemkit.errors import ScenarioError

Path: TypeAlias = "tuple[str | int, ...]"
Written: TypeAlias = "yaml.Node | yaml.Event"
"""Something with marks: where it begins and ends."""

MAX_DEPTH = 400
MAX_VALUES = 1_000_000
TEXT_KEYS = frozenset({"$hex", "$label", "$alias", "$context"})
"""Keys whose value is text even where it looks like a number."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,99}|0x[0-9a-fA-F]{1,32}|0o[0-7]{1,32})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_WORDS |= {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
_TAGS = {None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq"))}
_BLOCK_HEADER = re.compile(r"[|>][-+0-9]*\s*(#.*)?$")

_STAR = 'in YAML put a path with a star in quotes: "*t"'
_REMEDIES = (
    ("while scanning an alias", _STAR),
    ("'\\t'", "indent with spaces: YAML does not take tabs"),
    ("mapping values are not allowed", "quote a text that holds ': ', or look at the indentation"),
    ("could not find expected ':'", "put ': ' between a key and its value"),
    ("expected <block end>", "let what belongs together begin in the same column"),
    ("expected ',' or", "close the bracket or the brace, or put a comma between two entries"),
    ("while scanning a quoted scalar", "close the quotation mark"),
    ("found undefined tag", "leave the tag out: a scenario holds plain data"),
)


class Spot(NamedTuple):
    """A place as people know it: line and column start at 1."""

    line: int
    column: int
    length: int
    source: str


def path_string(path: Path) -> str:
    """Return a path as it is shown: ``steps[2].server[0].set``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")


class Document:
    """One YAML document: its data, and where each part of it is written.

    Raises:
        ScenarioError: the text is not YAML, not one document, too deep, too large, or uses a key twice.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.text = text.removeprefix("\ufeff")
        self.lines = _BREAK.split(self.text)
        self.root = self._composed()
        self.data = self._built()
        """The whole as plain maps, lists and scalars."""

    def raw(self, path: Path) -> str | None:
        """Return the text of a scalar as it was written, or ``None`` if there is none."""
        node = self.find(path)
        return node.value if isinstance(node, yaml.ScalarNode) else None

    # --- reading ---

    def _composed(self) -> yaml.Node:
        try:
            roots = self._nodes(yaml.parse(self.text, yaml.SafeLoader))
        except yaml.reader.ReaderError as error:
            raise self._unreadable(error) from None
        except yaml.MarkedYAMLError as error:
            raise self._malformed(error) from None
        if not roots or roots[0].value == "":
            raise self.error(
                self._spot(0, 0), "the file is empty", remedy="begin with `scenario:` and `idl:`"
            )
        return roots[0]

    def _nodes(self, events: Iterable[Any]) -> list[yaml.Node]:
        """Return the root of the document, if it has one."""
        open_: list[Any] = [yaml.SequenceNode("", [])]
        anchors: dict[str | None, yaml.Node] = {}
        for event in events:
            if isinstance(event, yaml.CollectionEndEvent):
                done = open_.pop()
                done.end_mark = event.end_mark
                if isinstance(done, yaml.MappingNode):
                    done.value = list(zip(done.value[::2], done.value[1::2], strict=True))
            elif isinstance(event, yaml.AliasEvent):
                open_[-1].value.append(self._target(event, anchors.get(event.anchor)))
            elif isinstance(event, yaml.NodeEvent):
                node = anchors[event.anchor] = self._node(event, len(open_))
                open_[-1].value.append(node)
                if not isinstance(node, yaml.ScalarNode):
                    open_.append(node)
            elif isinstance(event, yaml.DocumentStartEvent) and open_[0].value:
                raise self.error(event, "a second document begins here", remedy="write one scenario per file")
        roots: list[yaml.Node] = open_[0].value
        return roots

    def _node(self, event: Any, depth: int) -> yaml.Node:
        """Return a scalar, or a collection that nothing is in yet."""
        if event.tag not in _TAGS:
            remedy = "leave the tag out: a scenario holds plain data"
            raise self.error(event, f"the tag {event.tag} is not allowed", remedy=remedy)
        if depth > MAX_DEPTH:
            raise self._too_deep(event)
        is_scalar = isinstance(event, yaml.ScalarEvent)
        if is_scalar:
            style = event.style or (event.tag and "'")  # a tag makes it text
            return yaml.ScalarNode(event.tag, event.value, event.start_mark, event.end_mark, style)
        kind = yaml.SequenceNode if isinstance(event, yaml.SequenceStartEvent) else yaml.MappingNode
        return kind(event.tag, [], event.start_mark)

    def _target(self, alias: yaml.AliasEvent, target: yaml.Node | None) -> yaml.Node:
        if target is None:
            message = f"no anchor &{alias.anchor} stands before this alias"
            raise self.error(alias, message, remedy=_STAR)
        if target.end_mark is None:  # what it stands for has not ended yet
            remedy = "tell a cycle of storage with $label and $alias"
            raise self.error(alias, f"*{alias.anchor} contains itself", remedy=remedy)
        return target

    def _built(self) -> Any:
        """Return the data. What an alias stands for is built again at each place, so that copies are bounded too."""
        result: dict[str, Any] = {}
        work: list[tuple[yaml.Node, Any, Any, int]] = [(self.root, result, "", 1)]
        for _ in range(MAX_VALUES):
            if not work:
                return result[""]
            node, holder, key, depth = work.pop()
            if depth > MAX_DEPTH:
                raise self._too_deep(node)
            if isinstance(node, yaml.ScalarNode):
                plain = node.style is None and key not in TEXT_KEYS
                holder[key] = scalar(node.value) if plain else self._text(node)
            elif isinstance(node, yaml.SequenceNode):
                holder[key] = [None] * len(node.value)
                work += [(item, holder[key], index, depth + 1) for index, item in enumerate(node.value)]
            else:
                names = self._keys(node)
                holder[key] = dict.fromkeys(names)
                work += [(item, holder[key], name, depth + 1) for name, (_, item) in names.items()]
        raise self.error(
            self.root, f"the file stands for more than {MAX_VALUES:,} values", remedy="use fewer aliases"
        )

    def _keys(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the keys of a map with their nodes and those of their values."""
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.error(key, "a key is a single word", remedy="put quotes around a text in braces")
            if key.value in found:
                first = found[key.value][0].start_mark.line + 1
                raise self.error(key, f"the key `{key.value}` stands here twice, first in line {first}")
            found[self._text(key)] = key, value
        return found

    def _text(self, node: yaml.ScalarNode) -> str:
        if _SURROGATE.search(node.value):
            raise self.error(
                node,
                "half of a surrogate pair is no character",
                remedy="write the elements of the array as numbers",
            )
        return str(node.value)

    # --- places ---

    def find(self, path: Path) -> yaml.Node | None:
        """Return the node at a path, or ``None``."""
        found = self._along(path)
        return found[-1][1] if len(found) == len(path) + 1 else None

    def _along(self, path: Path) -> list[tuple[yaml.Node, yaml.Node]]:
        """Return the key's node (for an element, its own) and the node of each value on the way, as far as there are any."""
        found = [(self.root, self.root)]
        for step in path:
            node = found[-1][1]
            if isinstance(node, yaml.MappingNode):
                found += [pair for pair in node.value if pair[0].value == step][:1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
                found += [(item, item) for item in node.value[step : step + 1]]
            if node is found[-1][1]:
                break
        return found

    def spot(self, path: Path, *, key: bool = False) -> Spot:
        """Return where a path is written, or as much of it as there is; with ``key``, where its last key is."""
        found = self._along(path)
        return self.spot_of(found[-1][0 if key and len(found) == len(path) + 1 else 1])

    def spot_of(self, written: Written) -> Spot:
        """Return where something begins, as long as it is if it is a word in one line."""
        start: Any = written.start_mark
        end: Any = written.end_mark
        word = isinstance(written, yaml.ScalarNode | yaml.ScalarEvent | yaml.AliasEvent)
        length = end.column - start.column if word and start.line == end.line else 1
        return self._spot(start.line, start.column, length)

    def _spot(self, line: int, column: int, length: int = 1) -> Spot:
        source = self.lines[line] if line < len(self.lines) else ""
        return Spot(line + 1, column + 1, max(length, 1), source)

    def text_spot(self, path: Path, line: int, column: int, length: int) -> Spot | None:
        """Return where line ``line``, column ``column`` of a text at ``path`` stands in the file, if it can be told."""
        node = self.find(path)
        if not isinstance(node, yaml.ScalarNode):
            return None
        inner = [*_BREAK.split(node.value), ""][min(line - 1, node.value.count("\n") + 1)]
        start = node.start_mark
        for number in self._candidates(node, line):
            at = self.lines[number].find(inner, start.column if number == start.line else 0)
            if at >= 0 and (inner or not self.lines[number]):
                return self._spot(number, at + column - 1, length)
        return None

    def _candidates(self, node: yaml.ScalarNode, line: int) -> Iterator[int]:
        """Yield the lines that may hold line ``line`` of a scalar's text: of a literal block exactly one."""
        first, last = node.start_mark.line, min(node.end_mark.line, len(self.lines) - 1)
        if node.style == "|":
            header = next((n for n in range(first, last + 1) if _BLOCK_HEADER.search(self.lines[n])), first)
            yield min(header + line, last)
        else:
            yield from range(first, last + 1)

    # --- errors ---

    def error(
        self, at: Written | Path | Spot, message: str, *, key: bool = False, **details: Any
    ) -> ScenarioError:
        """Return an error located at something written, a path or a spot, ready to be raised."""
        path = ""
        if isinstance(at, yaml.Node | yaml.Event):
            at = self.spot_of(at)
        elif not isinstance(at, Spot):
            path, at = path_string(at), self.spot(at, key=key)
        return ScenarioError(message, file=self.file, path=path, **at._asdict(), **details)

    def _too_deep(self, at: Written) -> ScenarioError:
        remedy = "give inner storage a $label and name it by $alias"
        return self.error(at, f"nested more than {MAX_DEPTH} deep", remedy=remedy)

    def _unreadable(self, error: yaml.reader.ReaderError) -> ScenarioError:
        before = _BREAK.split(self.text[: error.position])
        spot = self._spot(len(before) - 1, len(before[-1]))
        spot = spot._replace(source="".join(c if c.isprintable() else "\ufffd" for c in spot.source))
        code = error.character if isinstance(error.character, int) else ord(error.character)
        return self.error(spot, f"the character U+{code:04X} is not allowed in YAML")

    def _malformed(self, error: yaml.MarkedYAMLError) -> ScenarioError:
        at_end = error.problem_mark is not None and error.problem_mark.line >= len(self.lines) - 1
        mark = (error.context_mark if at_end else None) or error.problem_mark or error.context_mark
        spot = self._spot(mark.line, mark.column) if mark else self._spot(0, 0)
        problem = " ".join(part for part in (error.context, error.problem) if part)
        remedy = next((help_ for words, help_ in _REMEDIES if words in problem), "")
        return self.error(spot, f"this is not YAML: {problem}", remedy=remedy)


def scalar(text: str) -> Any:
    """Return what an unquoted text means: null, a boolean, a number; else it is text.

    Numbers are written as in YAML 1.2 with a digit in front and no leading zero, fractions with a point: ``007``,
    ``1e10``, ``yes`` and dates stay text.
    """
    word = text.lower()
    if word in _WORDS:
        return _WORDS[word]
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text
