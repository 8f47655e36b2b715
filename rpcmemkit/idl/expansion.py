"""Directives and macros, obeyed by the library ``pcpp``; here, every piece of text keeps the place it came from.

Only what has to be is cut into tokens, which is slow: directives, and the text between two of them if a macro is named
there. All other text passes in one piece.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from pcpp import Action, OutputDirective, Preprocessor

from rpcmemkit.errors import UsageError
from rpcmemkit.files import read_text, reason
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.source import OUTSIDE, Folders, Mark, in_any_case, where_to_get

_DIRECTIVE = re.compile(r"^(?<!\\\n)([ \t]*#(?:\\[ \t]*\n|[^\n])*\n)", re.MULTILINE)
_CONTINUED = re.compile(r"\\[ \t]*\n")
_WORD = re.compile(r"[A-Za-z_]\w*")
_LINE = re.compile(r'(\d+)(?:\s+"((?:[^"\\]|\\.)*)")?')
_ALWAYS = ("__LINE__", "__COUNTER__")  # replaced without being macros
_APART = frozenset("(),")
_IGNORED = ("warning", "ident")
_INCLUDE_DEPTH = 32
_EXPANSION_DEPTH = 64
_MOST_INCLUDED = 1 << 23  # characters that includes may bring
_FOR_A_FILE = 1 << 12  # what opening a file counts, in characters
_MOST_EXPANDED = 1 << 20  # characters and tokens that macros may bring to any text …
_EXPANDED_SHARE = 8  # … and to every character of a long one
_MOST_COMPLAINTS = 100
_LONGEST_DIRECTIVE = 1 << 18
_LONGEST_CONDITION = 1 << 10  # tokens
_LONGEST_NUMBER = 64  # characters
_MOST_PARAMETERS = 127
_PART = 500  # tokens that are searched for macros at a time

Complain = Callable[..., None]  # (finding, file, line, **details)


class Origin(NamedTuple):
    """Where a token stands. pcpp copies it from a macro's call to all that the call expands to."""

    file: str
    line: int
    column: int
    at: int  # offset in the text of the file


@dataclass(slots=True)
class _Reading:
    """The file being read, as #line may have renamed it."""

    file: str
    shift: int = 0


class _Plain:
    """A macro without parameters, as pcpp wants it; running text gets it expanded already, in few tokens."""

    arglist = None

    def __init__(self, owner: Expansion, name: str, tokens: list[Any]) -> None:
        self.owner, self.name, self.tokens = owner, name, tokens
        self.version, self.short = -1, tokens

    @property
    def value(self) -> list[Any]:
        if not self.owner.in_text:
            return self.tokens
        if self.version != self.owner.version:
            self.version = self.owner.version
            self.short = self.tokens  # for a macro that leads back to itself
            self.short = self.owner.ahead(self.name, self.tokens)
        return self.short


def _merged(tokens: list[Any]) -> list[Any]:
    """The same text in fewer tokens; apart stays what may belong to a macro's call around it."""
    levels = [*accumulate((token.value == "(") - (token.value == ")") for token in tokens)]
    first = next((token.value for token in tokens if token.value.strip()), "(")
    closed = first != "(" and min(levels) == levels[-1] == 0

    def apart(each: tuple[Any, int]) -> bool:
        token, level = each
        return token.value == "," and level == 0 if closed else token.value in _APART

    merged: list[Any] = []
    for stays, group in groupby(zip(tokens, levels, strict=True), apart):
        found = [token for token, _ in group]
        if not stays:
            text = "".join(token.value for token in found)
            found = [SimpleNamespace(type="TEXT", value=text, lineno=0, source=None)]
        merged += found
    return merged


class _Stop(Exception):
    """The text is beyond help."""


class Expansion(Preprocessor):  # type: ignore[misc]  # pcpp has no types
    """Expands one file and what it includes. The result is ``text``, ``marks``, ``originals`` and ``pragmas``."""

    def __init__(
        self,
        prepare: Callable[[str, str], str],
        complain: Complain,
        folders: Folders,
        defines: Mapping[str, str],
    ) -> None:
        self.version = 0  # counts the changes of macros
        self.in_text = False  # what is expanded is not part of a directive
        super().__init__()
        self.prepare = prepare  # takes the comments out of a file's text
        self.complain_at = complain
        self.folders = folders
        self.refusal = ""  # why the file of an #include is not read
        self.defines = defines
        self.auto_pragma_once_enabled = False  # an include guard may be undefined again
        self.rewrite_paths: list[Any] = []
        self.expand_linemacro = self.expand_countermacro = True
        self.undef("__PCPP__")
        self.evaluator, self.evaluate = self._evaluate, self.evaluator
        self.files: dict[str, tuple[str, str]] = {}  # name and text by absolute path
        self.pieces: list[str] = []
        self.size = 0
        self.marks: list[Mark] = []
        self.originals: dict[str, list[str]] = {}
        self.pragmas: list[tuple[int, str]] = []
        self.included = self.grown = self.depth = self.complaints = 0
        self.most = _MOST_EXPANDED
        self.around: list[Any] = []  # the list of tokens in which an expansion takes place
        self.last: Origin | None = None  # the macro call that is being written
        self.next: tuple[str, int] | None = None  # where the text that has been written went on

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def run(self, text: str, file: str) -> None:
        self.root = Origin(file, 1, 1, 0)
        try:
            self._run(text, file)
        except _Stop:
            pass

    def _run(self, text: str, file: str) -> None:
        path = os.path.abspath(file)  # noqa: PTH100  # pcpp's own way to name a file
        self.path += [str(folder) for folder in (Path(path).parent, *self.folders.search)]
        self._add_file(path, file, text)
        for name, body in self.defines.items():
            self.define(f"{name} {body}")
        self.parse(text, path)
        try:
            for token in self.parser:
                self._write(token)
        except LookupError:  # pcpp takes for granted that a directive has operands
            self.complain(
                Finding.PREPROCESSOR, self.here, reason=f"#{self.lastdirective.value} is not complete"
            )

    # --- complaints ----------------------------------------------------------------------------

    @property
    def here(self) -> Origin:
        return self.lastdirective.source if self.lastdirective else self.root

    def complain(self, finding: Finding, origin: Origin, /, **details: Any) -> None:
        self.complain_at(finding, origin.file, origin.line, **details)
        self.complaints += 1
        if self.complaints >= _MOST_COMPLAINTS:
            raise _Stop

    def on_error(self, file: object, line: int, msg: str) -> None:
        origin = file if isinstance(file, Origin) else self.here
        self.complain(
            Finding.PREPROCESSOR, origin, reason=msg[:1].lower() + msg[1:].partition(" due to ")[0].strip()
        )

    def _too_much(self, origin: Origin) -> None:
        self.complain(Finding.PREPROCESSOR, origin, reason="macros and includes make the text too long")
        raise _Stop

    # --- files ---------------------------------------------------------------------------------

    def _add_file(self, path: str, name: str, text: str) -> str:
        self.originals[name] = text.split("\n")
        self.most += len(text) * _EXPANDED_SHARE
        text = self.prepare(text, name) + "\n"
        self.files[path] = (name, text)
        return text

    def on_file_open(self, is_system_include: bool, includepath: str) -> io.StringIO:
        path = Path(includepath)
        if "\0" in includepath:
            raise FileNotFoundError(includepath)
        if not self.folders.admits(path):
            self.refusal = OUTSIDE
            raise FileNotFoundError(includepath)
        found = in_any_case(path)
        if found is None or not self.folders.admits(found):
            raise FileNotFoundError(includepath)
        if found.name != path.name:
            self.complain(Finding.OTHER_CASE_OF_FILE, self.here, name=repr(path.name), found=repr(found.name))
            path = found
        if self.include_depth > _INCLUDE_DEPTH:
            self.complain(Finding.IMPORTS_ITSELF, self.here, name=repr(path.name), chain="#include")
            raise OutputDirective(Action.IgnoreAndRemove)
        if includepath in self.files:
            text = self.files[includepath][1]
        else:
            text = self._read(path)
            below = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
            text = self._add_file(includepath, str(below), text)
        self.included += len(text) + _FOR_A_FILE
        if self.included > _MOST_INCLUDED:
            self._too_much(self.here)
        return io.StringIO(text)

    def _read(self, path: Path) -> str:
        try:
            return read_text(path)
        except (UsageError, OSError) as error:
            self.refusal = reason(error)
            raise FileNotFoundError(path) from None

    def include(self, tokens: list[Any], original_line: list[Any]) -> Iterator[Any]:
        if not tokens:
            self.complain(Finding.PREPROCESSOR, self.here, reason="#include is not complete")
        self.refusal = ""
        found: Iterator[Any] = super().include(tokens, original_line)
        return found

    def on_include_not_found(
        self, is_malformed: bool, is_system_include: bool, curdir: str, includepath: str
    ) -> None:
        if self.refusal:
            self.complain(Finding.FILE_NOT_READ, self.here, name=repr(includepath), why=self.refusal)
        else:
            self.complain(
                Finding.NO_SUCH_FILE, self.here, name=repr(includepath), remedy=where_to_get(includepath)
            )
        raise OutputDirective(Action.IgnoreAndRemove)

    # --- lines ---------------------------------------------------------------------------------

    def group_lines(self, input: str, abssource: str) -> Iterator[list[Any]]:  # noqa: A002  # pcpp's name
        """The lines of a file as tokens; text that needs no expansion comes as one token."""
        file, text = self.files[abssource]
        reading = _Reading(file)
        line, at = 1, 0
        for index, piece in enumerate(_DIRECTIVE.split(text)):
            self.reading = reading
            origin = Origin(reading.file, line + reading.shift, 1, at)
            if index % 2 == 0 and not self._needs_tokens(piece):
                if piece.strip():
                    yield [SimpleNamespace(type="TEXT", value=piece, lineno=origin.line, source=origin)]
            elif index % 2 and len(piece) > _LONGEST_DIRECTIVE:
                self.complain(Finding.PREPROCESSOR, origin, reason="the directive is too long")
            else:
                yield from self._lexed(piece, origin)
            line += piece.count("\n")
            at += len(piece)

    def _needs_tokens(self, text: str) -> bool:
        if _CONTINUED.search(text) or any(word in text for word in _ALWAYS):
            return True
        return not self.macros.keys().isdisjoint(_WORD.findall(text))

    def _lexed(self, text: str, origin: Origin) -> Iterator[list[Any]]:
        lexer = self.lexer.clone()
        lexer.input(text)
        lexer.lineno = origin.line
        begin = before = 0
        tokens = []
        while token := lexer.token():
            begin = text.rfind("\n", before, token.lexpos) + 1 or begin
            before = token.lexpos
            token.source = Origin(origin.file, token.lineno, before - begin + 1, origin.at + before)
            tokens.append(token)
            if token.value == "\n":
                yield tokens
                tokens = []
        if tokens:
            yield tokens

    # --- directives ----------------------------------------------------------------------------

    def on_directive_handle(self, directive: Any, toks: list[Any], *context: Any) -> bool:
        handled: bool = super().on_directive_handle(directive, toks, *context)
        name = directive.value
        if name in ("if", "elif") and len(toks) > _LONGEST_CONDITION:
            self.complain(Finding.PREPROCESSOR, directive.source, reason=f"the #{name} is too long")
            del toks[1:]
        if name == "pragma" and not toks:
            raise OutputDirective(Action.IgnoreAndRemove)
        return handled

    def on_directive_unknown(
        self, directive: Any, toks: list[Any], ifpassthru: bool, precedingtoks: list[Any]
    ) -> bool | None:
        name, rest = directive.value, "".join(token.value for token in toks)
        if name == "pragma":
            for token in (*precedingtoks, directive, *toks):
                token.value = ""
            precedingtoks[0].pragma = rest
            return None  # the empty tokens pass, in their order
        if name == "line" or name.isdigit():
            self._line(rest if name == "line" else f"{name} {rest}", directive.source)
        elif name == "error":
            self.complain(Finding.PREPROCESSOR, directive.source, reason=f"#error {rest}")
        elif name not in _IGNORED:
            self.complain(Finding.PREPROCESSOR, directive.source, reason=f"#{name} is not understood")
        return True

    def _line(self, rest: str, origin: Origin) -> None:
        match = _LINE.match(rest)
        if match:
            self.reading.shift += int(match[1][:9]) - origin.line - 1
            if match[2]:
                self.reading.file = match[2].replace("\\\\", "\\")

    def define(self, tokens: Any) -> None:
        """White space of any length counts as one blank, which makes long macros shorter."""
        if isinstance(tokens, str):
            tokens = self.tokenize(tokens)
        kept: list[Any] = []
        for token in tokens:
            if token.type in self.t_WS:
                token.type, token.value = self.t_SPACE, " "
            if not (kept and token.type == kept[-1].type == self.t_SPACE):
                kept.append(token)
        super().define(kept)
        self.version += 1
        macro = self.macros.get(kept[0].value)
        if macro is None or isinstance(macro, _Plain):
            return  # pcpp has complained
        if macro.arglist is None:
            self.macros[macro.name] = _Plain(self, macro.name, macro.value)
        elif len(macro.arglist) > _MOST_PARAMETERS:
            self.complain(Finding.PREPROCESSOR, self.here, reason=f"{macro.name} has too many parameters")

    def undef(self, tokens: Any) -> None:
        super().undef(tokens)
        self.version += 1

    def _evaluate(self, tokens: list[Any], **names: Any) -> Any:
        """What an #if says. Refused is what would keep pcpp busy: endless numbers, shifts by an expression."""
        seen = [token for token in tokens if token.type not in self.t_WS]
        if any(len(token.value) > _LONGEST_NUMBER for token in seen):
            raise ValueError("a number without end")
        for index, token in enumerate(seen):
            if token.value == "<<":
                amount, after = [*(each.value for each in seen[index + 1 : index + 3]), "", ""][:2]
                if not amount.isdigit() or len(amount) > 2 or (after and after in "+-*/%"):
                    raise ValueError("a shift by an expression")
        return self.evaluate(tokens, **names)

    # --- expansion -----------------------------------------------------------------------------

    def expand_macros(self, tokens: list[Any], expanding_from: Sequence[str] = ()) -> list[Any]:
        if self.depth == 0:
            self.in_text = bool(tokens) and tokens[-1].value.endswith("\n")  # and not in a directive
            return [token for part in self._parts(tokens) for token in self._expand(part, expanding_from)]
        self.grown += sum(len(token.value) + 1 for token in tokens) + len(self.around) // 128
        if self.grown > self.most or self.depth > _EXPANSION_DEPTH:
            self._too_much(self.call._replace(line=self.linemacro))
        return self._expand(tokens, expanding_from)

    def _expand(self, tokens: list[Any], expanding_from: Sequence[str]) -> list[Any]:
        if self.depth == 0:
            self.call = tokens[0].source
        around, self.around = self.around, tokens
        self.depth += 1
        expanded: list[Any] = super().expand_macros(tokens, list(expanding_from))
        self.depth -= 1
        self.around = around
        return expanded

    def ahead(self, name: str, tokens: list[Any]) -> list[Any]:
        """What a macro expands to wherever it is called; its own tokens if that cannot be said here."""
        before = self.expand_linemacro, self.expand_countermacro
        self.expand_linemacro = self.expand_countermacro = False
        expanded = self.expand_macros([copy(token) for token in tokens], (name,))
        self.expand_linemacro, self.expand_countermacro = before
        if any(token.value in self.macros or token.value in _ALWAYS for token in expanded):
            return tokens
        return _merged(expanded)

    def _parts(self, tokens: list[Any]) -> Iterator[list[Any]]:
        """Shorter lists, for pcpp cuts macros out of a list; none ends within a macro's call."""
        start = depth = 0
        for index, (before, token) in enumerate(pairwise(tokens), 1):
            depth += (before.value == "(") - (before.value == ")")
            if index - start < _PART or depth > 0 or token.value == "(":
                continue
            if before.type in self.t_WS and token.type not in self.t_WS:
                yield tokens[start:index]
                start, depth = index, 0
        if tokens:
            yield tokens[start:]

    # --- output --------------------------------------------------------------------------------

    def _write(self, token: Any) -> None:
        if (pragma := getattr(token, "pragma", None)) is not None:
            self.pragmas.append((self.size, pragma))
        if not token.value:
            return
        origin: Origin = token.source
        if getattr(token, "expanded_from", None):
            if origin is not self.last:
                self.marks.append(Mark(self.size, origin.file, origin.line, origin.column, True))
            self.last, self.next = origin, None
        else:
            if (origin.file, origin.at) != self.next:
                self.marks.append(Mark(self.size, origin.file, origin.line, origin.column))
            self.last, self.next = None, (origin.file, origin.at + len(token.value))
        self.pieces.append(token.value)
        self.size += len(token.value)
