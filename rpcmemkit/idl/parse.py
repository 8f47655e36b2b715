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


def _flat(parts: Sequence[Token | tuple[Token, ...]]) -> s.Run:
    run: list[Token] = []
    for part in parts:
        if isinstance(part, Token):
            run.append(part)
        else:
            run.extend(part)
    return tuple(run)


def _start(attributes: s.Attributes | None, at: int) -> int:
    return attributes.at if attributes else at


def _items(parts: Sequence[Any]) -> list[Any]:
    """The declarations among ``parts``; blocks that only group are opened."""
    items: list[Any] = []
    for part in parts:
        if isinstance(part, list):
            items.extend(part)
        elif part is not None:
            items.append(part)
    return items


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """One method for each rule of the grammar, called with the parts of the rule while the text is parsed.

    lark gives no positions to what is called so early (``meta`` is for finished trees): they come from tokens.
    """

    def idl(self, *items: Any) -> list[s.Item]:
        return _items(items)

    def nothing(self, *_: Any) -> None:
        return None

    # what holds procedures and types

    def interface(
        self, attributes: Any, keyword: Token, name: Token, generic: Any, bases: Any, more: Any, *items: Any
    ) -> Any:
        at = s.start(name)
        return s.InterfaceBody(
            attributes or s.NO_ATTRIBUTES, str(keyword), _new_name(name), bases or (), _items(items), at
        )

    def forward(self, attributes: Any, keyword: Token, name: Token, generic: Any) -> Any:
        return s.Forward(attributes or s.NO_ATTRIBUTES, str(keyword), _new_name(name), s.start(name))

    def block(self, attributes: Any, keyword: Token, name: Token, bases: Any, *items: Any) -> Any:
        return s.Block(
            attributes or s.NO_ATTRIBUTES, str(keyword), _new_name(name), _items(items), s.start(name)
        )

    def declare(self, *items: Any) -> None:
        return None

    def bases(self, *bases: s.NamedSpec) -> tuple[s.NamedSpec, ...]:
        return bases

    def base(self, name: Token, generic: Any) -> s.NamedSpec:
        return s.NamedSpec(str(name), s.start(name), True, generic is not None)

    def generic(self, *arguments: Any) -> bool:
        return True

    def type_argument(self, specifiers: s.Specifiers, stars: Token | None = None) -> s.Specifiers:
        return specifiers

    def imports(self, *names: Token) -> s.Import:
        return s.Import(names)

    # declarations

    def typedef(
        self, before: Any, _: Token, attributes: Any, specifiers: Any, targets: Any, end: Token
    ) -> Any:
        at = _start(before, s.start(_))
        merged = _merged(before, attributes)
        return s.Declaration(merged, specifiers, targets, at, s.start(end), True)

    def declaration(
        self, attributes: Any, specifiers: s.Specifiers, targets: Any, end: Token
    ) -> s.Declaration:
        at = _start(attributes, specifiers.at)
        return s.Declaration(attributes or s.NO_ATTRIBUTES, specifiers, targets, at, s.start(end))

    def tag_declaration(self, attributes: Any, record: Any, end: Token) -> s.Declaration:
        return self._tagged(attributes, record, end)

    def _tagged(self, attributes: Any, record: Any, end: Token) -> s.Declaration:
        specifiers = s.Specifiers(record, record.at)
        at = _start(attributes, record.at)
        return s.Declaration(attributes or s.NO_ATTRIBUTES, specifiers, (), at, s.start(end))

    def delegate(self, *parts: Any) -> s.Forward:
        name = next(part for part in parts if isinstance(part, Token))
        return s.Forward(parts[0] or s.NO_ATTRIBUTES, "delegate", str(name), s.start(name))

    def specifiers(self, *parts: Any) -> s.Specifiers:
        if len(parts) == 1:
            core = _core(parts[0])
            return s.Specifiers(core, core.at)
        qualifiers = tuple(
            str(part) for part in parts if isinstance(part, Token) and part.type == "QUALIFIER"
        )
        core = _core(
            next(part for part in parts if not (isinstance(part, Token) and part.type == "QUALIFIER"))
        )
        first = parts[0]
        at = s.start(first) if isinstance(first, Token) else core.at
        return s.Specifiers(core, at, qualifiers)

    def named(self, name: Token, generic: Any = None) -> s.NamedSpec:
        return s.NamedSpec(str(name), s.start(name), generic is not None, generic is not None)

    def named_interface(self, keyword: Token, name: Token) -> s.NamedSpec:
        return s.NamedSpec(str(name), s.start(name), True)

    def pipe(self, core: Any) -> s.PipeSpec:
        core = _core(core)
        return s.PipeSpec(core, core.at)

    def safearray(self, word: Token, element: s.Specifiers) -> s.SafeArraySpec:
        return s.SafeArraySpec(element, s.start(word))

    # records

    def struct(self, keyword: Token, tag: Token) -> s.RecordSpec:
        return s.RecordSpec(str(keyword), _new_name(tag), s.start(keyword))

    union = struct

    def struct_body(self, keyword: Token, tag: Token | None, *members: s.Field) -> s.RecordSpec:
        return s.RecordSpec(str(keyword), tag and _new_name(tag), s.start(keyword), list(members))

    union_body = struct_body

    def switched_body(
        self,
        keyword: Token,
        tag: Token | None,
        switch: s.Specifiers,
        name: Token,
        union: Token | None,
        *cases: s.Case,
    ) -> s.SwitchedSpec:
        names = [each and _new_name(each) for each in (tag, name, union)]
        return s.SwitchedSpec(names[0], s.start(keyword), switch, str(name), names[2], list(cases))

    def enum(self, keyword: Token, tag: Token) -> s.EnumSpec:
        return s.EnumSpec(_new_name(tag), s.start(keyword))

    def enum_body(self, keyword: Token, tag: Token | None, *labels: Any) -> s.EnumSpec:
        return s.EnumSpec(tag and _new_name(tag), s.start(keyword), list(labels))

    def enumerator(self, attributes: Any, name: Token, value: s.Run | None) -> tuple[Token, s.Run | None]:
        _new_name(name)
        return name, value

    def member(self, attributes: Any, specifiers: s.Specifiers, targets: Any, end: Token) -> s.Field:
        at = _start(attributes, specifiers.at)
        return s.Field(attributes or s.NO_ATTRIBUTES, specifiers, targets, at, s.start(end))

    def anonymous_member(self, attributes: Any, record: Any, end: Token) -> s.Field:
        specifiers = s.Specifiers(record, record.at)
        target = s.Declarator(s.Target("", record.at))
        return s.Field(attributes or s.NO_ATTRIBUTES, specifiers, (target,), record.at, s.start(end))

    def empty_arm(self, attributes: Any, end: Token) -> s.Field:
        at = s.start(end)
        return s.Field(attributes or s.NO_ATTRIBUTES, None, (), _start(attributes, at), at)

    def case(self, *parts: Any) -> s.Case:
        labels = [run for label in parts[:-1] for run in label]
        return s.Case(tuple(run for run in labels if run is not None), None in labels, parts[-1])

    def label(self, *runs: s.Run) -> tuple[s.Run, ...]:
        return runs

    def default_label(self, _: Token) -> tuple[None]:
        return (None,)

    # declarators

    def declarators(self, *targets: s.Declarator) -> tuple[s.Declarator, ...]:
        return targets

    def declarator(self, target: s.Target) -> s.Declarator:
        return s.Declarator(target)

    def initialised(self, target: s.Target, value: s.Run) -> s.Declarator:
        return s.Declarator(target, value)

    def bit_field(self, target: s.Target | None, bits: s.Run) -> s.Declarator:
        return s.Declarator(target or s.Target("", s.start(bits[0])), None, bits)

    def target(self, *parts: Any) -> s.Target:
        first = parts[0]
        pointers: tuple[s.Layer, ...] = ()
        if isinstance(first, Token) and first.type == "STARS":
            pointers = (s.PointerLayer(s.start(first)),) * first.count("*")
            parts = parts[1:]
        name = parts[0]
        layers = parts[1:] + pointers
        if isinstance(name, s.Target):
            return s.Target(name.name, name.at, name.layers + layers)
        return s.Target(_new_name(name), s.start(name), layers)

    def inner(self, *parts: Any) -> s.Target:
        target: s.Target = parts[-1]
        return target

    def array(self, bracket: Token, bound: s.Run | None) -> s.ArrayLayer:
        return s.ArrayLayer(s.start(bracket), bound)

    def function(self, parameters: Any, end: Token) -> s.FunctionLayer:
        parameters = parameters or ()
        at = s.start(end)
        return s.FunctionLayer(at, parameters, at)

    def parameters(self, *parameters: s.Field) -> tuple[s.Field, ...]:
        return parameters

    def parameter(self, attributes: Any, specifiers: s.Specifiers, target: s.Target | None) -> s.Field:
        at = _start(attributes, specifiers.at)
        target = target or s.Target("", specifiers.at)
        return s.Field(attributes or s.NO_ATTRIBUTES, specifiers, (s.Declarator(target),), at)

    def unnamed_parameter(self, attributes: Any, specifiers: s.Specifiers, layers: Any) -> s.Field:
        return self.parameter(attributes, specifiers, s.Target("", specifiers.at, layers))

    def ellipsis(self, dots: Token) -> s.Field:
        return s.Field(s.NO_ATTRIBUTES, None, (), s.start(dots))

    def abstract(self, *parts: Any) -> tuple[s.Layer, ...]:
        first = parts[0]
        if isinstance(first, Token):
            return (*parts[1:], *(s.PointerLayer(s.start(first)),) * first.count("*"))
        return parts

    # attributes and runs

    def attributes(self, *parts: Any) -> s.Attributes:
        return s.Attributes(s.start(parts[0]), tuple(part for part in parts if isinstance(part, s.Attribute)))

    def attribute(self, name: Token, arguments: Any = ()) -> s.Attribute:
        return s.Attribute(str(name), s.start(name), arguments)

    def arguments(self, *runs: s.Run | None) -> tuple[s.Run | None, ...]:
        return () if runs == (None,) else runs

    def run(self, *parts: Any) -> s.Run:
        return _flat(parts)

    parens = run
    choice = run

    # attribute configuration files

    def acf(self, *interfaces: s.AcfInterface) -> list[s.AcfInterface]:
        return list(interfaces)

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


def _core(part: Any) -> Any:
    if isinstance(part, Token):
        return s.BaseSpec(" ".join(part.split()), s.start(part))
    return part


def _merged(first: s.Attributes | None, second: s.Attributes | None) -> s.Attributes:
    if first and second:
        return s.Attributes(first.at, first.items + second.items)
    return first or second or s.NO_ATTRIBUTES
