"""The C preprocessor's part that IDL files use: #define, #if and its kin, #include (preprocessor directives of MIDL).

Written here, not taken from a library, because positions must survive: a line without macros passes unchanged, so that
a diagnostic can point at its column, and interfaces are read at megabytes per second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lark import Token

from rpcmemkit.idl.expressions import ExpressionError, read_constant
from rpcmemkit.types import Const, Expr

_WORD = re.compile(r"""L?"(?:[^"\\\n]|\\.)*"|[A-Za-z_]\w*""")
_DEFINE = re.compile(r"([A-Za-z_]\w*)(\(([^()]*)\))?\s*(.*)", re.DOTALL)
_INCLUDE = re.compile(r'"([^"]+)"|<([^>]+)>')
_DIRECTIVE = re.compile(r"[ \t]*#[ \t]*(\w*)[ \t]*(.*)", re.DOTALL)
_LINE = re.compile(r'(\d+)(?:\s+"((?:[^"\\]|\\.)*)")?')
_DEFINED = re.compile(r"\bdefined\s*(?:\(\s*(\w+)\s*\)|(\w+))")
_TOKEN = re.compile(
    r"""(?P<NUMBER>\d\w*)|(?P<NAME>[A-Za-z_]\w*)|(?P<CHARACTER>'(?:[^'\\]|\\.)+')"""
    r"""|(?P<OPERATOR><<|>>|<=|>=|==|!=|&&|\|\||[^\s\w])"""
)
_PASTE = re.compile(r"\s*##\s*")
_STRINGIZE = re.compile(r"(?<!#)#\s*(\w+)")
_INCLUDE_DEPTH = 32
_EXPANSION_DEPTH = 64
_MOST_INCLUDED = 1 << 24  # characters that includes may bring
_MOST_EXPANDED = 1 << 23  # characters that macros may bring

Complain = Callable[..., None]  # (code, file, line, **details)


@dataclass(frozen=True, slots=True)
class Macro:
    """``parameters`` is ``None`` for a macro without parentheses."""

    body: str
    parameters: tuple[str, ...] | None = None


@dataclass(slots=True)
class _Condition:
    """One open #if: whether its text counts, whether a branch was taken, whether the surroundings count."""

    active: bool
    taken: bool
    outer: bool


@dataclass(eq=False, slots=True)
class Output:
    """The expanded text, in pieces, and where they come from: (offset, file, line)."""

    pieces: list[str] = field(default_factory=list)
    marks: list[tuple[int, str, int]] = field(default_factory=list)
    pragmas: list[tuple[int, str]] = field(default_factory=list)
    originals: dict[str, list[str]] = field(default_factory=dict)
    size: int = 0

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.size += len(text)


class _TooMuch(Exception):
    """Macros grew the text beyond all measure."""


class Preprocessor:
    """Expands one file and what it includes."""

    def __init__(
        self,
        strip: Callable[[str, str], str],
        complain: Complain,
        include_dirs: Sequence[Path],
        defines: Mapping[str, str],
    ) -> None:
        self.strip = strip  # takes the comments out of a file's text
        self.complain = complain
        self.include_dirs = include_dirs
        self.macros = {name: Macro(body) for name, body in defines.items()}
        self.output = Output()
        self.once: set[Path] = set()
        self.depth = 0
        self.included = 0
        self.grown = 0

    def run(self, text: str, file: str) -> Output:
        try:
            self._file(text, file)
        except _TooMuch:
            self.complain("IDL107", file, 1, reason="macros and includes make the text too long")
        return self.output

    # --- lines ---------------------------------------------------------------------------------

    def _file(self, text: str, file: str) -> None:
        self.output.originals[file] = text.split("\n")
        lines = self.strip(text, file).split("\n")
        self.output.marks.append((self.output.size, file, 1))
        self.conditions: list[_Condition] = []
        number = 0
        while number < len(lines):
            end = self._chunk_end(lines, number)
            if lines[number].lstrip().startswith("#"):
                self._directive(" ".join(line.rstrip("\\") for line in lines[number:end]), file, number + 1)
                self.output.write("\n" * (end - number))
            else:
                self._plain("\n".join(lines[number:end]) + "\n", file, number + 1)
            number = end
        if self.conditions:
            self.complain("IDL107", file, len(lines), reason="an #if is never closed")

    def _chunk_end(self, lines: list[str], start: int) -> int:
        """The end of a directive with its continuations, or of a stretch of lines without directives."""
        end = start + 1
        if lines[start].lstrip().startswith("#"):
            while end < len(lines) and lines[end - 1].endswith("\\"):
                end += 1
            return end
        while end < len(lines) and not lines[end].lstrip().startswith("#"):
            end += 1
        return end

    @property
    def active(self) -> bool:
        return not self.conditions or self.conditions[-1].active

    def _plain(self, text: str, file: str, line: int) -> None:
        if not self.active:
            self.output.write("\n" * text.count("\n"))
        else:
            text = text.replace("\\\n", " \n")
            self.output.write(self.expand(text, frozenset()) if self.macros else text)

    # --- directives ----------------------------------------------------------------------------

    def _directive(self, text: str, file: str, line: int) -> None:
        match = _DIRECTIVE.fullmatch(text)
        assert match is not None
        name, rest = match[1], match[2].strip()
        if name in ("if", "ifdef", "ifndef", "elif", "else", "endif"):
            self._conditional(name, rest, file, line)
        elif not self.active:
            return
        elif name == "include":
            self._include(rest, file, line)
        elif name == "line" or name.isdigit():
            self._line(f"{name} {rest}".removeprefix("line "), file)
        else:
            self._simple(name, rest, file, line)

    def _simple(self, name: str, rest: str, file: str, line: int) -> None:
        if name == "define" and (match := _DEFINE.fullmatch(rest)):
            parameters = (
                tuple(part.strip() for part in match[3].split(",") if part.strip()) if match[2] else None
            )
            self.macros[match[1]] = Macro(match[4], parameters)
        elif name == "undef":
            self.macros.pop(rest, None)
        elif name == "pragma":
            self._pragma(rest, file)
        elif name == "error":
            self.complain("IDL107", file, line, reason=f"#error {rest}")
        elif name not in ("", "warning", "ident"):
            self.complain("IDL107", file, line, reason=f"#{name} is not understood")

    def _pragma(self, rest: str, file: str) -> None:
        if rest == "once":
            self.once.add(Path(file))
        self.output.pragmas.append((self.output.size, rest))

    def _line(self, rest: str, file: str) -> None:
        match = _LINE.match(rest)
        if match:
            name = match[2].replace("\\\\", "\\") if match[2] else file
            self.output.marks.append((self.output.size + 1, name, int(match[1][:9])))

    def _include(self, rest: str, file: str, line: int) -> None:
        match = _INCLUDE.match(self.expand(rest, frozenset()))
        name = (match[1] or match[2]) if match else rest
        path = self._find(name, file)
        if path is None:
            self.complain("IDL108", file, line, name=repr(name))
        elif self.depth >= _INCLUDE_DEPTH:
            self.complain("IDL109", file, line, name=repr(name), chain="#include")
        elif path not in self.once:
            self._included(path)
            self.output.marks.append((self.output.size, file, line))

    def _included(self, path: Path) -> None:
        conditions, self.depth = self.conditions, self.depth + 1
        text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
        self.included += len(text)
        if self.included > _MOST_INCLUDED:
            raise _TooMuch
        self._file(text, str(path))
        self.conditions, self.depth = conditions, self.depth - 1

    def _find(self, name: str, file: str) -> Path | None:
        for folder in (Path(file).parent, *self.include_dirs):
            if (path := folder / name).is_file():
                return path
        return None

    # --- conditions ----------------------------------------------------------------------------

    def _conditional(self, name: str, rest: str, file: str, line: int) -> None:
        if name.startswith("if"):
            value = self.active and self._test(name, rest, file, line)
            self.conditions.append(_Condition(value, value, self.active))
        elif not self.conditions:
            self.complain("IDL107", file, line, reason=f"#{name} without #if")
        elif name == "endif":
            self.conditions.pop()
        else:
            top = self.conditions[-1]
            open_ = top.outer and not top.taken
            top.active = open_ and (name == "else" or self._test("if", rest, file, line))
            top.taken = top.taken or top.active

    def _test(self, name: str, rest: str, file: str, line: int) -> bool:
        if name != "if":
            return (rest.partition(" ")[0] in self.macros) is (name == "ifdef")
        text = _DEFINED.sub(lambda match: str(int((match[1] or match[2]) in self.macros)), rest)
        try:
            return read_constant(_tokens(self.expand(text, frozenset())), _Zero()) != 0
        except ExpressionError:
            self.complain("IDL107", file, line, reason=f"#if {rest} cannot be decided")
            return False

    # --- expansion -----------------------------------------------------------------------------

    def expand(self, text: str, hidden: frozenset[str]) -> str:
        """``text`` with its macros replaced; those in ``hidden`` are being replaced already."""
        out, position = [], 0
        while match := _WORD.search(text, position):
            word = match.group()
            macro = None if word in hidden else self.macros.get(word)
            out.append(text[position : match.start()])
            position = match.end()
            if macro is None:
                out.append(word)
                continue
            replaced, position = self._replace(macro, word, text, position, hidden)
            out.append(replaced)
        out.append(text[position:])
        return "".join(out)

    def _replace(
        self, macro: Macro, word: str, text: str, end: int, hidden: frozenset[str]
    ) -> tuple[str, int]:
        body, lost = macro.body, 0
        if macro.parameters is not None:
            found = _arguments(text, end)
            if found is None:
                return word, end
            arguments, after = found
            lost = text.count("\n", end, after)
            end = after
            body = self._substitute(macro, [self.expand(argument, hidden) for argument in arguments])
        self.grown += len(body) + 1
        if self.grown > _MOST_EXPANDED or len(hidden) >= _EXPANSION_DEPTH:
            raise _TooMuch
        return self.expand(_PASTE.sub("", body), hidden | {word}) + "\n" * lost, end

    def _substitute(self, macro: Macro, arguments: list[str]) -> str:
        assert macro.parameters is not None
        values = dict(
            zip(macro.parameters, (" ".join(argument.split()) for argument in arguments), strict=False)
        )
        body = _STRINGIZE.sub(lambda match: f'"{values.get(match[1], match[1])}"', macro.body)
        return _WORD.sub(lambda match: values.get(match.group(), match.group()), body)


def _arguments(text: str, start: int) -> tuple[list[str], int] | None:
    """The arguments of a macro call, and where it ends; ``None`` if no parenthesis follows."""
    while start < len(text) and text[start].isspace():
        start += 1
    if text[start : start + 1] != "(":
        return None
    arguments, depth, begin = [], 0, start + 1
    for match in re.compile(r'"(?:[^"\\\n]|\\.)*"|[(),]').finditer(text, start):
        mark = match.group()
        depth += (mark == "(") - (mark == ")")
        if depth == 0 or (depth == 1 and mark == ","):
            arguments.append(text[begin : match.start()])
            begin = match.end()
        if depth == 0:
            return arguments, match.end()
    return None


def _tokens(text: str) -> tuple[Token, ...]:
    found = tuple(Token(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(text))
    return found or (Token("OPERATOR", "#if"),)


class _Zero:
    """In an #if every name that is no macro counts as 0."""

    def value(self, name: Token) -> Expr:
        return Const(0)

    def is_type(self, words: str) -> bool:
        return False

    def size_of(self, words: str) -> int | None:
        return None
