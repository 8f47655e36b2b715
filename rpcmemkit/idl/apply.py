"""Every attribute of a declaration is given to the level that it governs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.context import Context, VisibleNames
from rpcmemkit.idl.declared import Declared, Place
from rpcmemkit.idl.expressions import ExpressionError, fold, read_expression
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.levels import Level
from rpcmemkit.idl.unions import switch_type
from rpcmemkit.types import (
    Base,
    Conditional,
    Const,
    ContextHandle,
    Converted,
    EnumType,
    Expr,
    Name,
    Opaque,
    PointerKind,
    Ranged,
    Struct,
    Switched,
    Type,
    Unary,
    Union,
)

POINTER_KINDS: Mapping[str, PointerKind] = {kind.value: kind for kind in PointerKind}


class Applier:
    """Applies attributes; findings go where the context says."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.osf = context.osf
        self.complain = context.complain

    def apply(self, declared: Declared, place: Place, parameter: str | None = None) -> None:
        """Give every attribute to the level it governs."""
        declared.parameter = parameter
        self._repeated(declared)
        self._pointer_kind(declared, parameter is not None)
        self._context(declared)
        self._interface_pointer(declared, place)
        self._sizes(declared, place)
        self._string(declared, place)
        self._range(declared, place)
        self._switch_is(declared, place)
        declared.mark(declared.attributes)

    def _repeated(self, declared: Declared) -> None:
        names: set[str] = set()
        for attribute in declared.attributes.items:
            if attribute.name in names and attribute.name not in POINTER_KINDS:
                self.complain(Finding.GIVEN_TWICE, declared, attribute)
            if self.osf and row(attribute.name).only == "MIDL":
                self.complain(Finding.NOT_IN_DCE, declared, attribute)
            names.add(attribute.name)

    def _pointer_kind(self, declared: Declared, parameter: bool) -> None:
        given = [attribute for attribute in declared.attributes.items if attribute.name in POINTER_KINDS]
        for first, second in pairwise(given):
            if first.name != second.name or self.osf:
                self.complain(
                    Finding.SECOND_POINTER_ATTRIBUTE, declared, second, first=first.name, second=second.name
                )
        if given and declared.outer is not None:
            self._set_kind(declared, declared.outer, given[0])
        if given and declared.outer is not None and declared.outer.form == "array" and not parameter:
            self.complain(Finding.EMBEDDED_ARRAY_KIND, declared, given[0])
        if given and declared.outer is None:
            self._kind_of_no_level(declared, given[0])

    def _kind_of_no_level(self, declared: Declared, attribute: s.Attribute) -> None:
        """A pointer attribute on what shows no star: a context handle is a pointer that is never null."""
        if isinstance(declared.base, ContextHandle):
            if attribute.name != PointerKind.REF.value:
                self.complain(Finding.NULLABLE_HANDLE, declared, attribute, kind=attribute.name)
        elif not _is_pointer_inside(declared.base):
            self.complain(Finding.DOES_NOT_APPLY, declared, attribute)

    def _set_kind(self, declared: Declared, level: Level, attribute: s.Attribute) -> None:
        kind = POINTER_KINDS[attribute.name]
        if level.kind not in (None, kind) or (self.osf and level.kind is kind):
            assert level.kind is not None
            self.complain(
                Finding.SECOND_POINTER_ATTRIBUTE,
                declared,
                attribute,
                first=level.kind.value,
                second=attribute.name,
            )
        level.kind = kind

    def _context(self, declared: Declared) -> None:
        """[context_handle]: the innermost pointer and what it points to become the handle."""
        attribute = declared.attributes.get("context_handle")
        if attribute is None or isinstance(declared.base, ContextHandle):
            return
        if isinstance(declared.base, Converted):
            self.complain(Finding.CONTEXT_AND_CONVERSION, declared, attribute, attribute=declared.base.how)
            return
        if not declared.levels or not declared.levels[-1].pointer:
            self.complain(Finding.CONTEXT_NO_POINTER, declared, attribute)
            return
        if self.osf and not _is_void(declared.base):
            self.complain(Finding.DCE_CONTEXT, declared, attribute)
        for each in declared.attributes.items:
            if row(each.name).converts:
                self.complain(Finding.CONTEXT_AND_CONVERSION, declared, attribute, attribute=each.name)
        handle = declared.levels.pop()
        if handle.kind not in (None, PointerKind.REF):
            self.complain(Finding.NULLABLE_HANDLE, declared, attribute, kind=handle.kind.value)
        declared.base = ContextHandle(declared.name, None if _is_void(declared.base) else declared.base)

    def _interface_pointer(self, declared: Declared, place: Place) -> None:
        attribute = declared.attributes.get("iid_is")
        if attribute is None:
            return
        if _is_void(declared.base):
            declared.base = Opaque("interface", "IUnknown")
        if attribute.argument:
            self.expression(attribute.argument, attribute, declared, place)
        else:
            self.context.lacks(attribute, declared.source, declared.parameter)

    def _sizes(self, declared: Declared, place: Place) -> None:
        for attribute in declared.attributes.items:
            if row(attribute.name).counts:
                self._size_attribute(declared, attribute, place)
            elif attribute.name == "min_is":
                self.complain(Finding.NOT_IMPLEMENTED, declared, attribute)
        for level in declared.levels:
            self._last(declared, level)

    def _last(self, declared: Declared, level: Level) -> None:
        """[last_is] waits for [first_is]."""
        if not isinstance(level.length, _Last):
            return
        try:
            level.length = level.length.resolve(level.first)
        except ExpressionError as error:
            level.length = None
            self.complain(error.finding, declared, **error.details)

    def _size_attribute(self, declared: Declared, attribute: s.Attribute, place: Place) -> None:
        """Position i of the attribute belongs to level i, counted from the name outwards (size-is.md)."""
        if not any(attribute.arguments):
            self.context.lacks(attribute, declared.source, declared.parameter)
        for index, run in enumerate(attribute.arguments):
            if run is None:
                continue
            if index >= len(declared.levels) or declared.levels[index].form == "function":
                self.complain(Finding.DOES_NOT_APPLY, declared, attribute)
                return
            expression = self.expression(run, attribute, declared, place)
            if expression is None:
                continue
            if self.osf and place.own and row(attribute.name).sets == "size" and not _plain(expression):
                error = ExpressionError(Finding.DCE_EXPRESSION, None, attribute=attribute.name)
                self.context.complain_at(error, run, place, declared.parameter)
            try:
                self._set_size(declared, declared.levels[index], attribute, expression)
            except ExpressionError as error:
                self.context.complain_at(error, run, place, declared.parameter)

    def _set_size(self, declared: Declared, level: Level, attribute: s.Attribute, value: Expr) -> None:
        kind = row(attribute.name).sets
        if kind == "size":
            if level.bound is not None:
                self.complain(Finding.SIZE_OF_FIXED, declared, attribute)
            level.size = value if attribute.name == "size_is" else fold("+", value, Const(1))
        elif kind == "first":
            level.first = _clamped(value, value, Const(0))
        else:
            level.length = value if attribute.name == "length_is" else _Last(value)  # type: ignore[assignment]

    def expression(self, run: s.Run, attribute: s.Attribute, declared: Declared, place: Place) -> Expr | None:
        """The meaning of an expression in ``attribute``; problems are reported with the parameter's name."""
        names = VisibleNames(self.context, place.siblings, attribute.name)
        try:
            return read_expression(run, names)
        except ExpressionError as error:
            self.context.complain_at(error, run, place, declared.parameter)
            return None

    def _string(self, declared: Declared, place: Place) -> None:
        attribute = declared.attributes.get("string")
        if attribute is None:
            return
        if isinstance(declared.base, Struct):
            letters = all(_is_letter(member.type) for member in declared.base.members)
            self.complain(
                Finding.STRING_ON_STRUCTURE if letters else Finding.STRING_ON_MIXED_STRUCTURE,
                declared,
                attribute,
            )
        elif isinstance(declared.base, (Opaque, Converted)):
            return  # BSTR and its like know what they are; Windows' own files give them the attribute
        elif not declared.levels:
            self.complain(Finding.DOES_NOT_APPLY, declared, attribute, attribute="string")
        elif not _is_letter(declared.base):
            self.complain(Finding.STRING_OF_OTHERS, declared, attribute)
        if declared.levels:
            declared.levels[-1].string = True

    def _range(self, declared: Declared, place: Place) -> None:
        attribute = declared.attributes.get("range")
        if attribute is None:
            return
        runs = attribute.arguments
        if len(runs) != 2 or runs[0] is None or runs[1] is None:
            self.context.lacks(attribute, declared.source, declared.parameter)
            return
        low, high = self.context.constant(runs[0], place), self.context.constant(runs[1], place)
        if high < low:
            self.complain(Finding.EMPTY_RANGE, declared, attribute, low=low, high=high)
        if not self.context.switches.checks:
            self.complain(Finding.RANGE_UNCHECKED, declared, attribute)
            return
        counted = next((level for level in declared.levels if level.counted or level.open_array), None)
        if counted is not None:
            counted.count_range = (low, high)
            if not self.context.switches.has("range on a size"):
                self.complain(
                    Finding.TARGET_TOO_OLD, declared, attribute, feature="[range] on a size", level="NT60"
                )
        elif isinstance(declared.base, (Base, EnumType)):
            declared.base = Ranged(declared.base, low, high)
        else:
            self.complain(Finding.DOES_NOT_APPLY, declared, attribute, attribute="range")

    def _switch_is(self, declared: Declared, place: Place) -> None:
        attribute = declared.attributes.get("switch_is")
        if attribute is None:
            return
        run = attribute.argument
        if not isinstance(declared.base, Union) or not run:
            self.complain(Finding.DOES_NOT_APPLY, declared, attribute, attribute="switch_is")
            return
        declared.switch_is = self.expression(run, attribute, declared, place) or Const(0)
        declared.switch = switch_type(self.context, declared.attributes, place)
        declared.base = Switched(declared.base, declared.switch_is)


@dataclass(frozen=True, slots=True)
class _Last:
    """[last_is] until [first_is] is known: the length is last - first + 1, or 0 (first-is.md)."""

    last: Expr

    def resolve(self, first: Expr | None) -> Expr:
        """A range that ends before it begins is empty (last-is.md)."""
        length = self.last if first is None else fold("-", self.last, first)
        return _clamped(fold("+", length, Const(1)), self.last, first or Const(0))


def _clamped(value: Expr, left: Expr, right: Expr) -> Expr:
    """``left < right ? 0 : value``."""
    test = fold("<", left, right)
    if isinstance(test, Const):
        return Const(0) if test.value else value
    return Conditional(test, Const(0), value)


def _plain(expression: Expr) -> bool:
    """A variable, or one dereferenced: all that DCE takes."""
    if isinstance(expression, Unary) and expression.op == "*":
        expression = expression.operand
    return isinstance(expression, Name)


def _is_pointer_inside(base: Type) -> bool:
    """Whether a type without levels may be a pointer all the same: interfaces and converted types, but no handles."""
    return isinstance(base, Converted) or (isinstance(base, Opaque) and base.what != "handle")


def _is_letter(found: Type) -> bool:
    return isinstance(found, Base) and (found.text or found.name == "byte")


def _is_void(found: Type) -> bool:
    return isinstance(found, Opaque) and found.what == "void"
