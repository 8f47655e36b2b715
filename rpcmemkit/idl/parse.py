"""From source text to the syntax tree: the grammar, its callbacks, and errors that say what was expected."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

from rpcmemkit.idl import grammar
from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.dialects import dialect_of_syntax
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.source import Source
from rpcmemkit.idl.vocabulary import check_names

NESTING_LIMIT = 64
_MOST_ERRORS = 10

_RESERVED_WORD = re.compile(rf"(?:{grammar.RESERVED})\b")


class _ReservedName(Exception):
    """The name of a type that MIDL reserves stands where something is declared."""

    def __init__(self, name: Token) -> None:
        self.name = name


def _new_name(name: Token) -> str:
    if name in grammar.RESERVED_TYPES:
        raise _ReservedName(name)
    return str(name)


# What people call the terminals of the grammar.
_HUMAN = {
    "NAME": "a name",
    "TYPE_WORDS": "a type",
    "WORD": "a type",
    "QUALIFIER": "a word like const",
    "STARS": "'*'",
    "NUMBER": "a number",
    "STRING": "a quoted text",
    "CHARACTER": "a character",
    "UUID": "a UUID",
    "OPERATOR": "an operator",
    "INTERFACE": "'interface'",
    "DISPINTERFACE": "'dispinterface'",
    "BLOCK": "'library', 'coclass' …",
    "TYPEDEF": "'typedef'",
    "STRUCT": "'struct'",
    "UNION": "'union'",
    "ENUM": "'enum'",
    "DEFAULT": "'default'",
    "LABEL": "'methods:'",
    "SAFEARRAY": "SAFEARRAY(…)",
    "$END": "the end of the text",
}
_RARE = {
    "LABEL",
    "SAFEARRAY",
    "BLOCK",
    "DISPINTERFACE",
    "UUID",
    "WORD",
}  # true, but noise in a list of expected words
_START_OF_TYPE = {"NAME", "TYPE_WORDS", "STRUCT", "UNION", "ENUM"}


def parse_idl(source: Source, report: Report, *, osf: bool = False) -> list[s.Item]:
    """The declarations of an IDL text. Syntax errors and unknown attributes go to ``report``; what spoils the syntax is left out."""
    items: list[s.Item] = _parse(source, report, "idl")
    check_names(items, source, report, osf=osf)
    return items


def parse_acf(source: Source, report: Report, *, osf: bool = False) -> list[s.AcfInterface]:
    """The interfaces of an ACF text."""
    interfaces: list[s.AcfInterface] = _parse(source, report, "acf")
    check_names(interfaces, source, report, osf=osf)
    return interfaces


# --- driving lark ------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _lark() -> Lark:
    """The parser, made once per process."""
    return grammar.parser(_Builder())


def _parse(source: Source, report: Report, start: str) -> Any:
    """Parse; after an error, blank out the declaration it is in and try again, so that all errors are found."""
    if _too_deep(source, report):
        return []
    text = source.text
    for _ in range(_MOST_ERRORS):
        try:
            return _lark().parse(text, start=start)
        except UnexpectedInput as error:
            at = _place(error, text)
            reserved = _report(error, at, source, report)
            shorter = _renamed(text, at, reserved) if reserved else _without_declaration(text, at)
        except _ReservedName as error:
            at, word = s.start(error.name), str(error.name)
            _report_reserved(at, word, ("a name",), source, report)
            shorter = _renamed(text, at, word)
        if shorter == text:
            break
        text = shorter
    return []


_BRACKETS = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[({]|[\])}]')


def _too_deep(source: Source, report: Report) -> bool:
    depth = 0
    for match in _BRACKETS.finditer(source.text):
        if match.group() in "([{":
            depth += 1
            if depth > NESTING_LIMIT:
                report.add(Finding.TOO_DEEP, source, match.start(), limit=NESTING_LIMIT)
                return True
        elif match.group() in ")]}":
            depth -= 1
    return False


def _place(error: UnexpectedInput, text: str) -> int:
    at = error.pos_in_stream
    if at is None or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        return len(text.rstrip())
    return at


def _report(error: UnexpectedInput, at: int, source: Source, report: Report) -> str:
    """Report a syntax error; return the reserved word that stands where a name should, if it is that."""
    expected = _expected(error)
    remedy = dialect_of_syntax(source.text, *_declaration_at(source.text, at))
    word = _RESERVED_WORD.match(source.text, at)
    if next_word := _unfinished(source.text, at):
        at, found = next_word
        remedy, expected = "a ; is missing before it", ("';'",)
    elif word and "a name" in expected:
        _report_reserved(at, word.group(), expected, source, report)
        return word.group()
    elif isinstance(error, UnexpectedCharacters):
        report.add(
            Finding.BAD_CHARACTER, source, at, expected=expected, found=repr(error.char), remedy=remedy
        )
        return ""
    elif not isinstance(error, UnexpectedToken) or error.token.type == "$END":
        report.add(Finding.TEXT_ENDS, source, max(at - 1, 0), expected=expected)
        return ""
    else:
        found = str(error.token)
        if found == ";" and "a name" in expected:
            remedy = remedy or "a declaration needs a name before its ';'"
        elif "';'" in expected and re.match(r"\w|[}\[]", found):
            remedy = remedy or "a ; is missing before it"
    report.add(
        Finding.UNEXPECTED, source, at, len(found), expected=expected, found=repr(found), remedy=remedy
    )
    return ""


# The value of a constant is over, and another declaration begins, before the ; that ends the first.
_NEXT_DECLARATION = re.compile(
    r"""\s*const\b[^;=]*=[^;=]*?(?:(?:\b\d\w*|"|')\s+|\w[^\S\n]*\n\s*)(?=([A-Za-z_]\w*))"""
)


def _unfinished(text: str, at: int) -> tuple[int, str] | None:
    """Return the word after a constant that lacks its ``;``, and where it stands, if the error at ``at`` comes from that."""
    match = _NEXT_DECLARATION.match(text, _declaration_at(text, at)[0])
    return (match.start(1), match[1]) if match and match.start(1) <= at else None


def _renamed(text: str, at: int, word: str) -> str:
    return text[:at] + "_" * len(word) + text[at + len(word) :]


def _report_reserved(at: int, word: str, expected: tuple[str, ...], source: Source, report: Report) -> None:
    remedy = f"{word!r} is a reserved word: choose another name"
    report.add(Finding.UNEXPECTED, source, at, len(word), expected=expected, found=repr(word), remedy=remedy)


def _expected(error: UnexpectedInput) -> tuple[str, ...]:
    """What could have stood here, in words."""
    names = set(getattr(error, "accepts", None) or getattr(error, "allowed", None) or ()) - _RARE
    words = []
    if names >= _START_OF_TYPE:
        names -= _START_OF_TYPE | {"INTERFACE", "QUALIFIER"} if "TYPEDEF" not in names else _START_OF_TYPE
        words.append("a type name")
    symbols = {terminal.name: terminal.pattern.value for terminal in _lark().terminals}
    return tuple(words + sorted(_HUMAN.get(name) or f"'{symbols.get(name, name)}'" for name in names))


def _without_declaration(text: str, at: int) -> str:
    """Blank out from the ``;`` or brace before ``at`` to the ``;`` (or before the brace) after it."""
    start, end = _declaration_at(text, at)
    if text[end : end + 1] == ";":
        end += 1
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def _declaration_at(text: str, at: int) -> tuple[int, int]:
    start = max(text.rfind(mark, 0, at) for mark in ";{}") + 1
    return start, min((found for mark in ";{}" if (found := text.find(mark, at)) >= 0), default=len(text))


# --- building the tree ---------------------------------------------------------------------------


def _run(*parts: Token | s.Run) -> s.Run:
    """Return the tokens of an expression in one row; what stands in parentheses is one already."""
    run: list[Token] = []
    for part in parts:
        if isinstance(part, Token):
            run.append(part)
        else:
            run.extend(part)
    return tuple(run)


def _together(*parts: Any) -> tuple[Any, ...]:
    return parts


def _items(parts: Sequence[Any]) -> list[Any]:
    """The declarations among ``parts``; what says nothing is left out, and what only groups is opened."""
    items: list[Any] = []
    for part in parts:
        if isinstance(part, list):
            items.extend(part)
        elif part is not None:
            items.append(part)
    return items


def _core(part: Any) -> Any:
    return s.BaseSpec(" ".join(part.split()), s.start(part)) if isinstance(part, Token) else part


def _stars(stars: Token) -> tuple[s.Layer, ...]:
    return (s.PointerLayer(s.start(stars)),) * stars.count("*")


def _declaration(
    attributes: s.Attributes | None, specifiers: s.Specifiers, targets: tuple[s.Target, ...], end: int = -1
) -> s.Declaration:
    at = attributes.at if attributes else specifiers.at
    return s.Declaration(attributes or s.NO_ATTRIBUTES, specifiers, targets, at, end)


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """One method for each rule of the grammar, called with the parts of the rule while the text is parsed.

    lark gives no positions to what is called so early (``meta`` is for finished trees): they come from tokens.
    """

    bases = declarators = parameters = label = staticmethod(_together)
    run = parens = choice = staticmethod(_run)

    def idl(self, *items: Any) -> list[s.Item]:
        return _items(items)

    acf = idl

    def nothing(self, *_: Any) -> None:
        return None

    declare = nothing

    # what holds procedures and types

    def interface(
        self, attributes: Any, keyword: Token, name: Token, _: Any, bases: Any, more: Any, *items: Any
    ) -> s.Block:
        return self.block(attributes, keyword, name, bases, *items)

    def block(self, attributes: Any, keyword: Token, name: Token, bases: Any, *items: Any) -> s.Block:
        items_ = _items(items)
        at = s.start(name)
        return s.Block(attributes or s.NO_ATTRIBUTES, str(keyword), _new_name(name), at, items_, bases or ())

    def forward(self, attributes: Any, keyword: str, name: Token, _: Any = None) -> s.Block:
        return s.Block(attributes or s.NO_ATTRIBUTES, str(keyword), _new_name(name), s.start(name))

    def delegate(self, attributes: Any, _: Any, name: Token, *rest: Any) -> s.Block:
        return self.forward(attributes, "delegate", name)

    def base(self, name: Token, generic: Any) -> s.NamedSpec:
        return s.NamedSpec(str(name), s.start(name), True)

    def generic(self, *arguments: Any) -> bool:
        return True

    def type_argument(self, specifiers: s.Specifiers, stars: Token | None = None) -> s.Specifiers:
        return specifiers

    def imports(self, *names: Token) -> s.Import:
        return s.Import(names)

    # declarations

    def typedef(self, before: Any, word: Token, attributes: Any, specifiers: Any, *rest: Any) -> Any:
        made = self.declaration(attributes, specifiers, *rest)
        if before:
            made.attributes = before + made.attributes
        made.at, made.typedef = before.at if before else s.start(word), True
        return made

    def declaration(
        self, attributes: Any, specifiers: s.Specifiers, targets: Any, end: Token
    ) -> s.Declaration:
        return _declaration(attributes, specifiers, targets, s.start(end))

    member = declaration

    def tag_declaration(self, attributes: Any, record: Any, end: Token) -> s.Declaration:
        return _declaration(attributes, s.Specifiers(record, record.at), (), s.start(end))

    def anonymous_member(self, attributes: Any, record: Any, end: Token) -> s.Declaration:
        targets = (s.Target("", record.at),)
        return _declaration(attributes, s.Specifiers(record, record.at), targets, s.start(end))

    def empty_arm(self, attributes: Any, end: Token) -> s.Declaration:
        return _declaration(attributes, s.Specifiers(s.BaseSpec("", s.start(end)), s.start(end)), ())

    def ellipsis(self, dots: Token) -> s.Declaration:
        return self.empty_arm(None, dots)

    def parameter(self, attributes: Any, specifiers: s.Specifiers, target: s.Target | None) -> s.Declaration:
        return _declaration(attributes, specifiers, (target or s.Target("", specifiers.at),))

    def unnamed_parameter(self, attributes: Any, specifiers: s.Specifiers, layers: Any) -> s.Declaration:
        return _declaration(attributes, specifiers, (s.Target("", specifiers.at, layers),))

    def specifiers(self, *parts: Any) -> s.Specifiers:
        words = [part for part in parts if isinstance(part, Token) and part.type == "QUALIFIER"]
        core = _core(next(part for part in parts if part not in words))
        at = s.start(words[0]) if words and parts[0] is words[0] else core.at
        return s.Specifiers(core, at, tuple(map(str, words)))

    def named(self, name: Token, generic: Any = None) -> s.NamedSpec:
        return s.NamedSpec(str(name), s.start(name), generic is not None)

    def named_interface(self, _: Token, name: Token) -> s.NamedSpec:
        return self.named(name, True)

    def pipe(self, core: Any) -> s.HolderSpec:
        core = _core(core)
        return s.HolderSpec("pipe", core, core.at)

    def safearray(self, word: Token, element: s.Specifiers) -> s.HolderSpec:
        return s.HolderSpec("safearray", element.core, s.start(word))

    # records

    def struct(self, keyword: Token, tag: Token) -> s.RecordSpec:
        return s.RecordSpec(str(keyword), _new_name(tag), s.start(keyword))

    def struct_body(self, keyword: Token, tag: Token | None, *members: s.Declaration) -> s.RecordSpec:
        return s.RecordSpec(str(keyword), tag and _new_name(tag), s.start(keyword), list(members))

    union, union_body = struct, struct_body

    def switched_body(
        self, keyword: Token, tag: Any, switch: s.Specifiers, name: Token, union: Any, *cases: s.Declaration
    ) -> s.RecordSpec:
        tag, _, union = (each and _new_name(each) for each in (tag, name, union))
        return s.RecordSpec("union", tag, s.start(keyword), list(cases), switch, str(name), union)

    def case(self, *parts: Any) -> s.Declaration:
        *labels, arm = parts
        runs = [run for label in labels for run in label]
        values = tuple(run for run in runs if run is not None)
        said = [s.Attribute("case", arm.at, values)] if values else []
        said += [s.Attribute("default", arm.at)] if None in runs else []
        arm.attributes = s.Attributes(arm.at, (*said, *arm.attributes.items))
        return arm  # type: ignore[no-any-return]

    def default_label(self, _: Token) -> tuple[None]:
        return (None,)

    def enum(self, keyword: Token, tag: Token) -> s.EnumSpec:
        return s.EnumSpec(_new_name(tag), s.start(keyword))

    def enum_body(self, keyword: Token, tag: Token | None, *labels: Any) -> s.EnumSpec:
        return s.EnumSpec(tag and _new_name(tag), s.start(keyword), list(labels))

    def enumerator(self, attributes: Any, name: Token, value: s.Run | None) -> tuple[Token, s.Run | None]:
        _new_name(name)
        return name, value

    # declarators

    def declarator(self, target: s.Target) -> s.Target:
        return target

    inner = staticmethod(lambda *parts: parts[-1])

    def initialised(self, target: s.Target, value: s.Run) -> s.Target:
        return target._replace(value=value)

    def bit_field(self, target: s.Target | None, bits: s.Run) -> s.Target:
        return (target or s.Target("", s.start(bits[0])))._replace(bits=bits)

    def target(self, *parts: Any) -> s.Target:
        stars: tuple[s.Layer, ...] = ()
        if isinstance(parts[0], Token) and parts[0].type == "STARS":
            stars, parts = _stars(parts[0]), parts[1:]
        name, *layers = parts
        if isinstance(name, s.Target):
            return name._replace(layers=(*name.layers, *layers, *stars))
        return s.Target(_new_name(name), s.start(name), (*layers, *stars))

    def array(self, bracket: Token, bound: s.Run | None) -> s.ArrayLayer:
        return s.ArrayLayer(s.start(bracket), bound)

    def function(self, parameters: Any, end: Token) -> s.FunctionLayer:
        return s.FunctionLayer(s.start(end), parameters or ())

    def abstract(self, *parts: Any) -> tuple[s.Layer, ...]:
        first, *rest = parts
        return (*rest, *_stars(first)) if isinstance(first, Token) else parts

    # attributes

    def attributes(self, *parts: Any) -> s.Attributes:
        return s.Attributes(s.start(parts[0]), tuple(part for part in parts if isinstance(part, s.Attribute)))

    def attribute(self, name: Token, arguments: Any = ()) -> s.Attribute:
        return s.Attribute(str(name), s.start(name), arguments)

    def arguments(self, *runs: s.Run | None) -> tuple[s.Run | None, ...]:
        return () if runs == (None,) else runs

    # attribute configuration files

    def acf_interface(self, attributes: Any, _: Token, name: Token, *items: Any) -> s.AcfInterface:
        return s.AcfInterface(attributes or s.NO_ATTRIBUTES, name, _items(items))

    def acf_types(self, attributes: s.Attributes, *names: Token) -> s.AcfTypes:
        return s.AcfTypes(attributes, names)

    def acf_procedures(self, attributes: Any, *procedures: Any) -> list[s.AcfProcedure]:
        return [s.AcfProcedure(attributes or s.NO_ATTRIBUTES, name, rest) for name, rest in procedures]

    def acf_procedure(self, name: Token, *parameters: Any) -> Any:
        return name, tuple(parameter for parameter in parameters if parameter)

    def acf_parameter(self, attributes: Any, name: Token) -> Any:
        return attributes or s.NO_ATTRIBUTES, name
