"""YAML text as data that remembers where it was written.

PyYAML scans and parses; its events are put together here, without recursion and without constructing anything but
maps, lists and scalars. Depth and size are bounded before they can hurt. A YAML alias is a copy of what its anchor
names: storage is shared by ``$alias``, never by the way a file was abbreviated.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import yaml

from rpcmemkit.errors import ScenarioError

Path: TypeAlias = "tuple[str | int, ...]"

MAX_DEPTH = 400
MAX_VALUES = 1_000_000
TEXT_KEYS = frozenset({"$hex", "$label", "$alias", "$context"})
"""Keys whose value is text even where it looks like a number."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,99}|0x[0-9a-fA-F]{1,32}|0o[0-7]{1,32})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
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


@dataclass(eq=False, slots=True)
class Node:
    """One value of the text. ``items`` are the elements of a list; of a map, its values in the order of ``keys``.

    ``height`` counts the levels from here down; ``index`` says at which number a map has a key.
    """

    kind: str
    line: int
    column: int
    end_line: int = 0
    end_column: int = 0
    text: str = ""
    style: str | None = None
    items: list[Node] = field(default_factory=list)
    keys: list[Node] = field(default_factory=list)
    index: dict[str, int] = field(default_factory=dict)
    height: int = 1

    def child(self, step: str | int) -> tuple[Node, Node] | None:
        """Return the key's node (for a list, the value's) and the value's node."""
        if self.kind == "map" and step in self.index:
            number = self.index[str(step)]
            return self.keys[number], self.items[number]
        if self.kind == "list" and isinstance(step, int) and step < len(self.items):
            return self.items[step], self.items[step]
        return None


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
        self.root = _Composer(self).compose()

    # --- data ---

    def data(self) -> Any:
        """Return the whole as plain maps, lists and scalars.

        Raises:
            ScenarioError: aliases multiply the text beyond all measure.
        """
        result: dict[str, Any] = {}
        work: list[tuple[Node, Any, Any]] = [(self.root, result, "")]
        for _ in range(MAX_VALUES):
            if not work:
                return result[""]
            node, holder, key = work.pop()
            made, inner = _value(node, key)
            holder[key] = made
            work += inner
        raise self.error(
            self.root, f"the file stands for more than {MAX_VALUES:,} values", remedy="use fewer aliases"
        )

    def raw(self, path: Path) -> str | None:
        """Return the text of a scalar as it was written, or ``None`` if there is none."""
        node = self.find(path)
        return node.text if node is not None and node.kind == "scalar" else None

    # --- places ---

    def find(self, path: Path) -> Node | None:
        """Return the node at a path, or ``None``."""
        node: Node | None = self.root
        for step in path:
            found = node.child(step) if node else None
            node = found[1] if found else None
        return node

    def spot(self, path: Path, *, key: bool = False) -> Spot:
        """Return where a path is written, or as much of it as there is; with ``key``, where its last key is."""
        node = shown = self.root
        for number, step in enumerate(path, 1):
            found = node.child(step)
            if found is None:
                break
            node = found[1]
            shown = found[0] if key and number == len(path) else node
        return self.spot_of(shown)

    def spot_of(self, node: Node) -> Spot:
        one_line = node.kind == "scalar" and node.line == node.end_line
        return self._spot(node.line, node.column, node.end_column - node.column if one_line else 1)

    def _spot(self, line: int, column: int, length: int = 1) -> Spot:
        source = self.lines[line] if line < len(self.lines) else ""
        return Spot(line + 1, column + 1, max(length, 1), source)

    def text_spot(self, path: Path, line: int, column: int, length: int) -> Spot | None:
        """Return where line ``line``, column ``column`` of a text at ``path`` stands in the file, if it can be told."""
        node = self.find(path)
        if node is None or node.kind != "scalar":
            return None
        inner = [*_BREAK.split(node.text), ""][min(line - 1, node.text.count("\n") + 1)]
        for number in self._candidates(node, line):
            at = self.lines[number].find(inner, node.column if number == node.line else 0)
            if at >= 0 and (inner or not self.lines[number]):
                return self._spot(number, at + column - 1, length)
        return None

    def _candidates(self, node: Node, line: int) -> Iterator[int]:
        """Yield the lines that may hold line ``line`` of a scalar's text: of a literal block exactly one."""
        last = min(node.end_line, len(self.lines) - 1)
        header = next(
            (n for n in range(node.line, last + 1) if _BLOCK_HEADER.search(self.lines[n])), node.line
        )
        if node.style == "|":
            yield min(header + line, last)
        else:
            yield from range(node.line, last + 1)

    # --- errors ---

    def error(
        self, at: Node | Path | Spot, message: str, *, key: bool = False, **details: Any
    ) -> ScenarioError:
        """Return an error located at a node, a path or a spot, ready to be raised."""
        path = ""
        if isinstance(at, Node):
            at = self.spot_of(at)
        elif not isinstance(at, Spot):
            path, at = path_string(at), self.spot(at, key=key)
        return ScenarioError(message, file=self.file, path=path, **at._asdict(), **details)


class _Composer:
    """Puts the parser's events together to nodes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: list[Node] = []
        self.waiting: list[Node | None] = []  # of each open map, the key whose value comes next
        self.anchors: dict[str, Node] = {}
        self.root: Node | None = None

    def compose(self) -> Node:
        try:
            for event in yaml.parse(self.document.text, Loader=yaml.SafeLoader):
                self._event(event)
        except yaml.reader.ReaderError as error:
            raise self._unreadable(error) from None
        except yaml.MarkedYAMLError as error:
            raise self._malformed(error) from None
        if self.root is None or (self.root.kind == "scalar" and not self.root.text):
            spot = self.document._spot(0, 0)
            raise self.document.error(spot, "the file is empty", remedy="begin with `scenario:` and `idl:`")
        return self.root

    def _event(self, event: Any) -> None:
        match event:
            case yaml.DocumentStartEvent() if self.root is not None:
                node = self._node("document", event)
                raise self.document.error(
                    node, "a second document begins here", remedy="write one scenario per file"
                )
            case yaml.AliasEvent():
                self._add(self._target(event))
            case yaml.ScalarEvent():
                node = self._node("scalar", event)
                node.text, node.style = event.value, event.style
                if _SURROGATE.search(node.text):
                    raise self.document.error(
                        node,
                        "half of a surrogate pair is no character",
                        remedy="write the elements of the array as numbers",
                    )
                if event.style is None and event.tag is not None:
                    node.style = "'"  # a tag makes it text
                self._add(node)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin(self._node("map" if isinstance(event, yaml.MappingStartEvent) else "list", event))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._end()

    def _node(self, kind: str, event: Any) -> Node:
        start, end = event.start_mark, event.end_mark
        node = Node(kind, start.line, start.column, end.line, end.column)
        if getattr(event, "tag", None) not in _TAGS:
            raise self.document.error(
                node,
                f"the tag {event.tag} is not allowed",
                remedy="leave the tag out: a scenario holds plain data",
            )
        if getattr(event, "anchor", None):
            self.anchors[event.anchor] = node
        return node

    def _target(self, event: Any) -> Node:
        here = Node(
            "scalar",
            event.start_mark.line,
            event.start_mark.column,
            event.end_mark.line,
            event.end_mark.column,
        )
        target = self.anchors.get(event.anchor)
        if target is None:
            raise self.document.error(
                here, f"no anchor &{event.anchor} stands before this alias", remedy=_STAR
            )
        if target in self.open:
            raise self.document.error(
                here,
                f"*{event.anchor} contains itself",
                remedy="tell a cycle of storage with $label and $alias",
            )
        return target

    def _begin(self, node: Node) -> None:
        self._add(node)
        self.open.append(node)
        self.waiting.append(None)

    def _end(self) -> None:
        done = self.open.pop()
        self.waiting.pop()
        if self.open:
            self.open[-1].height = max(self.open[-1].height, done.height + 1)

    def _add(self, node: Node) -> None:
        if len(self.open) + node.height > MAX_DEPTH:
            raise self.document.error(
                node,
                f"nested more than {MAX_DEPTH} deep",
                remedy="give inner storage a $label and name it by $alias",
            )
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        parent.height = max(parent.height, node.height + 1)
        if parent.kind == "map" and self.waiting[-1] is None:
            self._key(parent, node)
        else:
            parent.items.append(node)
            self.waiting[-1] = None

    def _key(self, parent: Node, node: Node) -> None:
        if node.kind != "scalar":
            raise self.document.error(
                node, "a key is a single word", remedy="put quotes around a text in braces"
            )
        number = parent.index.setdefault(node.text, len(parent.keys))
        if number < len(parent.keys):
            first = parent.keys[number].line + 1
            raise self.document.error(node, f"the key `{node.text}` stands here twice, first in line {first}")
        parent.keys.append(node)
        self.waiting[-1] = node

    def _unreadable(self, error: yaml.reader.ReaderError) -> ScenarioError:
        before = _BREAK.split(self.document.text[: error.position])
        spot = self.document._spot(len(before) - 1, len(before[-1]))
        spot = spot._replace(source="".join(c if c.isprintable() else "\ufffd" for c in spot.source))
        code = error.character if isinstance(error.character, int) else ord(error.character)
        return self.document.error(spot, f"the character U+{code:04X} is not allowed in YAML")

    def _malformed(self, error: yaml.MarkedYAMLError) -> ScenarioError:
        at_end = error.problem_mark is not None and error.problem_mark.line >= len(self.document.lines) - 1
        mark = (error.context_mark if at_end else None) or error.problem_mark or error.context_mark
        spot = self.document._spot(mark.line, mark.column) if mark else self.document._spot(0, 0)
        problem = " ".join(part for part in (error.context, error.problem) if part)
        remedy = next((help_ for words, help_ in _REMEDIES if words in problem), "")
        return self.document.error(spot, f"this is not YAML: {problem}", remedy=remedy)


def _value(node: Node, key: Any) -> tuple[Any, list[tuple[Node, Any, Any]]]:
    """Return a node's value, and what has still to be filled in."""
    if node.kind == "scalar":
        plain = node.style is None and key not in TEXT_KEYS
        return (scalar(node.text) if plain else node.text), []
    if node.kind == "list":
        made: Any = [None] * len(node.items)
        return made, [(item, made, index) for index, item in enumerate(node.items)]
    made = dict.fromkeys(key.text for key in node.keys)
    return made, [(item, made, name.text) for name, item in zip(node.keys, node.items, strict=True)]


def scalar(text: str) -> Any:
    """Return what an unquoted text means: null, a boolean, a number; else it is text.

    Numbers are written as in YAML 1.2 with a digit in front and no leading zero, fractions with a point: ``007``,
    ``1e10``, ``yes`` and dates stay text.
    """
    word = text.lower() if len(text) <= 5 else text
    if word in _WORDS:
        return _WORDS[word]
    if word in _SPECIAL:
        return _SPECIAL[word]
    if _INTEGER.fullmatch(text):
        return int(text, 0)
    return float(text) if _FLOAT.fullmatch(text) else text
