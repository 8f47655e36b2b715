"""What may be sent: the rules on directions, pointers and arrays, for everything a remote procedure reaches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.dce import check_dce
from rpcmemkit.idl.declared import Declared
from rpcmemkit.idl.extents import LARGEST
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.levels import Level
from rpcmemkit.idl.pipes import misplaced, not_sent
from rpcmemkit.idl.resolve import Resolver
from rpcmemkit.idl.terms import Term, discriminant, names, terms
from rpcmemkit.types import (
    BASES,
    Arm,
    Array,
    Base,
    Const,
    ContextHandle,
    EncapsulatedUnion,
    EnumType,
    Expr,
    Opaque,
    Parameter,
    Pointer,
    PointerKind,
    Ranged,
    Struct,
    Switched,
    Type,
    Union,
)

_NOT_SENT = {
    "void": (Finding.VOID_PARAMETER, Finding.VOID_RESULT, Finding.VOID_MEMBER),
    "function": (Finding.FUNCTION_PARAMETER, Finding.FUNCTION_RESULT, Finding.FUNCTION_MEMBER),
}
_LARGEST_COUNT = 0xFFFFFFFF


class Checker:
    """Checks procedures; a type that several of them reach is checked once."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.osf = resolver.osf
        self.switches = resolver.switches
        self.seen: set[int] = set()
        self.conformant: dict[int, bool] = {}  # what is known of structures, by id
        self.loops = _Loops()
        self.mutable: set[int] = set()  # the types below which nothing is const

    def procedure(
        self, parameters: list[Declared], built: list[Parameter], result: Declared, result_type: Type | None
    ) -> None:
        """Check one procedure: its parameters, its result, and every type behind them."""
        siblings = {declared.name: declared for declared in parameters}
        directions = {parameter.name: parameter for parameter in built}
        for declared, parameter in zip(parameters, built, strict=True):
            self._parameter(declared, parameter)
            if self.osf:
                check_dce(self.resolver, declared, parameter)
            self._array(declared)
            for level in declared.levels:
                self._expressions(declared, level, siblings)
                self._known_on_entry(declared, parameter, level, directions)
            self._discriminant(declared, siblings)
            self._reach(parameter.type, declared, 0)
        self._second_handle(parameters)
        self._pipes(parameters, built)
        self._modes(parameters, result)
        self._result(result, result_type)

    def complain(self, finding: Finding, declared: Declared, /, **details: Any) -> None:
        self.resolver.complain(finding, declared, None, **details)

    # --- parameters ------------------------------------------------------------------------------

    def _parameter(self, declared: Declared, parameter: Parameter) -> None:
        self._direction(declared, parameter)
        self._conformant_structure(declared, parameter)
        self._handle_pointer(declared)
        if any("ignore" in level.flags for level in declared.levels):
            self.complain(Finding.IGNORED_PARAMETER, declared)
        if isinstance(parameter.type, Pointer) and parameter.type.partial_ignore:
            self._partial_ignore(declared, parameter, parameter.type)

    def _partial_ignore(self, declared: Declared, parameter: Parameter, pointer: Pointer) -> None:
        """[in, out, unique] beside it, and room that the server can make (partial-ignore.md)."""
        if not (parameter.is_in and parameter.is_out and pointer.kind is PointerKind.UNIQUE):
            self.complain(Finding.PARTIAL_IGNORE_ALONE, declared)
        target = pointer.target
        unsized = isinstance(target, Array) and target.bound is None and target.size is None
        if unsized or self._is_conformant_structure(target):
            self.complain(Finding.PARTIAL_IGNORE_UNSIZED, declared)

    def _direction(self, declared: Declared, parameter: Parameter) -> None:
        attributes = declared.attributes
        if self.osf and attributes.get("in", "out") is None and not _is_handle(declared.base):
            self.complain(Finding.NO_DIRECTION, declared)
        if not parameter.is_out:
            return
        if isinstance(parameter.type, ContextHandle) or declared.generic:
            self.complain(Finding.OUT_HANDLE, declared)
        elif not isinstance(parameter.type, (Pointer, Opaque)) or _is_opaque(parameter.type, "handle"):
            self.complain(Finding.OUT_NO_POINTER, declared)
        elif _is_opaque(parameter.type, "interface"):
            self.complain(Finding.OUT_INTERFACE, declared)
        elif not parameter.is_in:
            self._out_only(declared, parameter)
        self._const_below(declared, parameter)

    def _const_below(self, declared: Declared, parameter: Parameter) -> None:
        """Data that the server fills in may nowhere be const, neither at the parameter nor below it."""
        if declared.const and declared.levels:
            self.complain(Finding.OUT_CONST, declared, where="")
            return
        waiting, seen = [parameter.type], set[int]()
        while waiting:
            type_ = waiting.pop()
            if id(type_) in seen or id(type_) in self.mutable:
                continue
            seen.add(id(type_))
            for inner, member in self._inside(type_, None):
                if member is not None and member.const:
                    self.complain(Finding.OUT_CONST, declared, where=f", in its member {member.name!r}")
                    return
                waiting.append(inner)
        self.mutable |= seen

    def _out_only(self, declared: Declared, parameter: Parameter) -> None:
        kind, outer = _top_kind(parameter), declared.outer
        if kind in (PointerKind.UNIQUE, PointerKind.FULL):
            self.complain(Finding.OUT_NULLABLE, declared, kind=kind.value)
        if outer is not None and outer.string and outer.bound is None and outer.size is None:
            self.complain(Finding.OUT_STRING_WITHOUT_SIZE, declared)

    def _conformant_structure(self, declared: Declared, parameter: Parameter) -> None:
        if self._is_conformant(parameter.type):
            self.complain(
                Finding.CONFORMANT_BY_VALUE
                if self.switches.has("MIDL2465")
                else Finding.CONFORMANT_BY_VALUE_OLD,
                declared,
            )
        target = parameter.type.target if isinstance(parameter.type, Pointer) else None
        if target is not None and self._is_conformant_structure(target) and not parameter.is_in:
            self.complain(Finding.OUT_CONFORMANT_STRUCTURE, declared)

    def _is_conformant_structure(self, type_: Type) -> bool:
        return isinstance(type_, Struct) and self._is_conformant(type_)

    def _is_conformant(self, type_: Type) -> bool:
        """Whether the size of an array or structure is known at run time only: the last member decides."""
        path: dict[
            int, bool
        ] = {}  # a structure that contains itself is reported elsewhere, and must end here
        while (
            isinstance(type_, Struct)
            and type_.members
            and id(type_) not in self.conformant.keys() | path.keys()
        ):
            path[id(type_)] = True
            type_ = type_.members[-1].type
        open_ = type_.conformant if isinstance(type_, Array) else self.conformant.get(id(type_), False)
        self.conformant.update(dict.fromkeys(path, open_))
        return open_

    def _handle_pointer(self, declared: Declared) -> None:
        outer = declared.outer
        if outer is None or not outer.pointer or not _is_handle(declared.base):
            return
        if outer.kind is not None and outer.kind is not PointerKind.REF:
            self.complain(Finding.NULLABLE_HANDLE, declared, kind=outer.kind.value)
        elif _is_opaque(declared.base, "handle"):
            self.complain(Finding.HANDLE_POINTER, declared)

    def _second_handle(self, parameters: list[Declared]) -> None:
        """The leftmost handle is the binding; another handle_t would have to be sent, and cannot (handle-t.md)."""
        for declared in [each for each in parameters if _is_opaque(each.base, "handle") and not each.levels][
            1:
        ]:
            self.complain(Finding.SECOND_HANDLE, declared)

    def _pipes(self, parameters: list[Declared], built: list[Parameter]) -> None:
        """What has no size of its own does not go well with a pipe (combining-pipe-and-nonpipe-parameters.md)."""
        pipes = {declared.name for declared in parameters if _is_opaque(declared.base, "pipe")}
        for declared, parameter in zip(parameters, built, strict=True) if pipes else ():
            if declared.name in pipes:
                continue
            type_ = parameter.type
            nullable = isinstance(type_, Pointer) and type_.kind is not PointerKind.REF
            target = type_.target if isinstance(type_, Pointer) else type_
            if nullable or self._is_conformant_structure(target) or _counted(declared):
                self.complain(Finding.UNFIXED_BESIDE_PIPE, declared)

    def _pipe(self, pipe: Opaque, member: Declared | None, root: Declared, *, result: bool) -> None:
        if member is not None or any(level.form == "array" for level in root.levels):
            self.complain(Finding.PIPE_INSIDE, member or root)
        elif where := misplaced(root, result=result):
            self.complain(Finding.PIPE_MISPLACED, root, where=where)
        elif held := next(not_sent(pipe, osf=self.osf), ""):
            self.complain(Finding.PIPE_ELEMENTS, root, held=held)

    def _modes(self, parameters: list[Declared], result: Declared) -> None:
        """What the mode of the stubs cannot do: MIDL warns and takes another (-oi.md, -os.md)."""
        mode = self.switches.effective_mode
        if mode in ("Oi", "Oic") and result.both.get("notify", "notify_flag"):
            self.complain(Finding.NOTIFY_MODE, result)
        if mode not in ("Oif", "Oicf"):  # the interpreter with fast format strings
            for declared in parameters:
                if any(_open_grid(outer, inner) for outer, inner in pairwise(declared.levels)):
                    self.complain(Finding.OPEN_GRID_MODE, declared)

    # --- results ---------------------------------------------------------------------------------

    def _result(self, result: Declared, type_: Type | None) -> None:
        if isinstance(type_, Pointer) and type_.kind is PointerKind.REF:
            self.complain(Finding.REF_RESULT, result)
        elif isinstance(type_, (Union, Switched)):
            self.complain(Finding.UNION_RESULT, result)
        elif type_ is not None and self._is_conformant(type_):
            self.complain(Finding.CONFORMANT_RESULT, result)
        elif isinstance(type_, Array):
            self.complain(Finding.ARRAY_RESULT, result)
        elif _is_opaque(result.base, "handle"):
            self.complain(Finding.HANDLE_RESULT, result)
        elif isinstance(result.base, ContextHandle) and result.levels:
            self.complain(Finding.CONTEXT_POINTER_RESULT, result)
        elif isinstance(type_, (Struct, EncapsulatedUnion)) and self.switches.effective_mode != "Os":
            self.complain(Finding.BY_VALUE_MODE, result)
        if result.const and type_ is not None:
            self.complain(Finding.CONST_RESULT, result)
        if way := result.attributes.get("in", "out"):
            self.resolver.complain(Finding.DOES_NOT_APPLY, result, way, attribute=way.name)
        if any("ignore" in level.flags for level in result.levels):
            self.complain(Finding.IGNORED_PARAMETER, result)
        if type_ is not None:
            self._array(result)
            self._reach(type_, result, 1)

    # --- arrays ----------------------------------------------------------------------------------

    def _array(self, declared: Declared, member: bool = False) -> None:
        """Where a dimension may be left open (midl-arrays.md, size-is.md)."""
        before: Level | None = None
        for level in declared.levels:
            if level.form == "array" and level.bound is None:
                if before is not None:
                    self.complain(
                        Finding.POINTER_TO_CONFORMANT if before.pointer else Finding.INNER_DIMENSION_OPEN,
                        declared,
                    )
                    return
                if level.open_array or (level.string and level.size is None and member):
                    self.complain(Finding.UNBOUNDED_ARRAY, declared)
            elif level.pointer and level.size is None and not level.string and (level.length or level.first):
                self.complain(
                    Finding.UNBOUNDED_ARRAY, declared
                )  # how many are sent, but not how many there are
            before = level

    # --- expressions -----------------------------------------------------------------------------

    def _expressions(self, declared: Declared, level: Level, siblings: dict[str, Declared]) -> None:
        for attribute, expression in (
            ("size_is", level.size),
            ("length_is", level.length),
            ("first_is", level.first),
        ):
            if expression is None:
                continue
            self._terms(declared, attribute, expression, siblings)
        self._same_type(declared, level, siblings)

    def _discriminant(self, declared: Declared, siblings: dict[str, Declared]) -> None:
        if declared.switch_is is None:
            return
        self._terms(declared, "switch_is", declared.switch_is, siblings)
        switch = declared.switch or discriminant(declared.switch_is, siblings)
        switched = declared.base
        if isinstance(switched, Switched) and switch and not self.resolver.untyped.typed(switched, switch):
            self.complain(Finding.BAD_SWITCH_TYPE, declared)

    def _terms(
        self, declared: Declared, attribute: str, expression: Expr, siblings: dict[str, Declared]
    ) -> None:
        for term in terms(expression, siblings):
            self._term(declared, attribute, term)
        if isinstance(expression, Const) and expression.value > _LARGEST_COUNT:
            self.complain(Finding.NOT_AN_INTEGER, declared, attribute=attribute)

    def _term(self, declared: Declared, attribute: str, term: Term) -> None:
        """One name in an expression: every star needs a pointer that is not null there (unique.md)."""
        found = term.other.type
        for pointer in term.pointers:
            if not isinstance(found, Pointer):
                self.complain(Finding.NOT_AN_INTEGER, declared, attribute=attribute)
                return
            if found.kind is not PointerKind.REF and pointer not in term.safe:
                self.complain(
                    Finding.SIZE_THROUGH_NULLABLE,
                    declared,
                    attribute=attribute,
                    other=repr(term.other.name),
                    bare=term.other.name,
                )
            found = found.target
        if found is not None and not (term.cast or term.tested) and not _is_small_integer(found):
            self.complain(Finding.NOT_AN_INTEGER, declared, attribute=attribute)

    def _same_type(self, declared: Declared, level: Level, siblings: dict[str, Declared]) -> None:
        bases = []
        for expression in (level.size, level.length):
            read = terms(expression, siblings) if expression is not None else ()
            values = [term.other.base for term in read if not term.tested]
            bases.append(values[0] if len(values) == 1 else None)
        if None not in bases and bases[0] is not bases[1]:
            self.complain(Finding.SIZE_AND_LENGTH_TYPES, declared)

    def _known_on_entry(
        self, declared: Declared, parameter: Parameter, level: Level, directions: dict[str, Parameter]
    ) -> None:
        """Sizes of top-level storage, and lengths of what is sent, must come with the request."""
        if level is declared.outer or parameter.is_in:
            for name in names(level.size):
                if name in directions and not directions[name].is_in:
                    self.complain(Finding.SIZE_FROM_OUT, declared, other=repr(name))
        if parameter.is_in:
            for name in (*names(level.length), *names(level.first)):
                if name in directions and not directions[name].is_in:
                    self.complain(Finding.LENGTH_FROM_OUT, declared, other=repr(name))

    # --- everything behind a parameter -------------------------------------------------------------

    def _reach(self, start: Type, root: Declared, role: int) -> None:
        """Check every type that can be reached from ``start``; ``role`` is 0 for a parameter, 1 for a result."""
        waiting: list[tuple[Type, Declared | None]] = [(start, None)]
        while waiting:
            type_, member = waiting.pop()
            if isinstance(type_, (Struct, Union, EncapsulatedUnion, EnumType)):
                if id(type_) in self.seen:
                    continue
                self.seen.add(id(type_))
            size = self.resolver.extents.of(type_).size
            if size > LARGEST:
                self.complain(Finding.TOO_LARGE, member or root, size=size)
                continue
            if not self.osf and _holds_status(type_, member):
                self.complain(Finding.STATUS_INSIDE, member or root)
            self._one(type_, member, root, role)
            waiting.extend(self._inside(type_, member))

    def _inside(self, type_: Type, member: Declared | None) -> Iterator[tuple[Type, Declared | None]]:
        if isinstance(type_, Pointer):
            if not type_.ignore:  # what lies below such a pointer is not sent, and may be anything
                yield type_.target, member
        elif isinstance(type_, Array):
            if not _is_handle(type_.element):
                yield type_.element, member
        elif isinstance(type_, Switched):
            yield type_.union, member
        elif isinstance(type_, Struct):
            yield from ((each.type, self.resolver.members[id(each)]) for each in type_.members)
        elif isinstance(type_, (Union, EncapsulatedUnion)):
            arms = type_.arms if isinstance(type_, Union) else type_.union.arms
            yield from (
                (arm.member.type, self.resolver.members[id(arm.member)]) for arm in arms if arm.member
            )

    def _one(self, type_: Type, member: Declared | None, root: Declared, role: int) -> None:
        if member is not None:
            member.parameter = root.parameter
        if isinstance(type_, Opaque) and type_.what in _NOT_SENT:
            if not (member is None and role == 1 and type_.what == "void" and not root.levels):
                self.complain(_NOT_SENT[type_.what][2 if member else role], member or root)
        elif isinstance(type_, Opaque) and type_.what == "pipe":
            self._pipe(type_, member, root, result=role == 1)
        elif isinstance(type_, Struct):
            self._structure(type_, root)
        elif isinstance(type_, EncapsulatedUnion):
            self._arms(type_.union.arms, root)
        elif isinstance(type_, Union):
            self._union(type_, member, root, role)
        elif isinstance(type_, Array) and self._is_misplaced(type_.element):
            self.complain(Finding.HANDLE_ELEMENTS, member or root)
        elif isinstance(type_, Array) and self._is_conformant_structure(type_.element):
            self.complain(Finding.POINTER_TO_CONFORMANT, member or root)
        elif isinstance(type_, EnumType):
            self._enumeration(type_)
        elif member is not None and self._is_misplaced(type_):
            self.complain(Finding.HANDLE_INSIDE, member)

    def _enumeration(self, enum: EnumType) -> None:
        """Values that do not fit into the 16 bits of NDR 2.0 raise an exception when they are sent (enum.md)."""
        found = self.resolver.unsent_labels.pop(id(enum), None)
        if found is not None and not enum.v1:
            source, label, value = found
            at = s.start(label)
            self.resolver.report.add(
                Finding.UNSENT_LABEL, source, at, len(label), label=str(label), value=value
            )

    def _is_misplaced(self, type_: Type) -> bool:
        """Whether a type is a handle that may only be a parameter: context handles depend on /target."""
        if isinstance(type_, ContextHandle):
            return not self.switches.has("context handles inside data")
        return _is_handle(type_)

    def _structure(self, struct: Struct, root: Declared) -> None:
        if id(struct) in self.resolver.scope.incomplete:
            self.complain(Finding.NO_MEMBERS, root, name=repr(struct.name))
        siblings = {member.name: self.resolver.members[id(member)] for member in struct.members}
        for member in struct.members:
            declared = self.resolver.members[id(member)]
            declared.parameter = root.parameter
            if member is not struct.members[-1] and self._is_conformant(member.type):
                self.complain(Finding.CONFORMANT_NOT_LAST, declared)
            if declared.bits:
                self.complain(Finding.BIT_FIELD, declared)
            self._array(declared, member=True)
            for level in declared.levels:
                self._expressions(declared, level, siblings)
            self._discriminant(declared, siblings)
        if self.loops.lead_back_to(struct):
            self.complain(Finding.ENDLESS_STRUCTURE, root, name=repr(struct.name))

    def _union(self, union: Union, member: Declared | None, root: Declared, role: int) -> None:
        if id(union) in self.resolver.scope.incomplete:
            self.complain(Finding.NO_MEMBERS, root, name=repr(union.name))
            return
        declared = member or root
        if declared.switch_is is None and (member is not None or role == 0):
            self.complain(Finding.NO_SWITCH_IS, declared, name=repr(declared.name))
        self._arms(union.arms, root)

    def _arms(self, arms: list[Arm], root: Declared) -> None:
        if not arms:
            self.complain(Finding.EMPTY_UNION, root)
        for arm in arms:
            if not arm.labels and not arm.default:
                self.complain(Finding.ARM_WITHOUT_CASE, root)
            if arm.member is None:
                continue
            declared = self.resolver.members[id(arm.member)]
            declared.parameter = root.parameter
            if isinstance(arm.member.type, Pointer) and arm.member.type.kind is PointerKind.REF:
                self.complain(Finding.REF_ARM, declared)
            if _is_open(arm.member.type) or self._is_conformant_structure(arm.member.type):
                self.complain(Finding.CONFORMANT_ARM, declared)


# --- questions about types -------------------------------------------------------------------------


class _Loops:
    """The structures to which nothing but [ref] pointers leads back. Each structure is looked at once."""

    def __init__(self) -> None:
        self.done: set[int] = set()
        self.ends: set[int] = set()

    def lead_back_to(self, struct: Struct) -> bool:
        """Return whether [ref] pointers lead from a structure back to itself, with no null that could end it."""
        if id(struct) not in self.done:
            self._follow(struct)
        return id(struct) in self.ends

    def _follow(self, struct: Struct) -> None:
        above = {id(struct): _by_ref(struct)}
        while above:
            at = next(reversed(above))
            inner = next(above[at], None)
            if inner is None:
                above.popitem()
                self.done.add(at)
            elif id(inner) in above:
                self.ends.add(id(inner))
            elif id(inner) not in self.done:
                above[id(inner)] = _by_ref(inner)


def _by_ref(struct: Struct) -> Iterator[Struct]:
    """Yield the structures in the members of a structure and behind their [ref] pointers."""
    for member in struct.members:
        type_ = member.type
        while isinstance(type_, Array) or (isinstance(type_, Pointer) and type_.kind is PointerKind.REF):
            type_ = type_.element if isinstance(type_, Array) else type_.target
        if isinstance(type_, Struct):
            yield type_


def _open_grid(outer: Level, inner: Level) -> bool:
    """Whether two neighbouring levels are dimensions, not both of fixed size."""
    dimensions = all(level.form == "array" or level.size is not None for level in (outer, inner))
    return dimensions and any(level.counted and not level.string for level in (outer, inner))


def _top_kind(parameter: Parameter) -> PointerKind | None:
    return parameter.type.kind if isinstance(parameter.type, Pointer) else None


def _is_opaque(type_: Type, *whats: str) -> bool:
    return isinstance(type_, Opaque) and type_.what in whats


def _is_open(type_: Type) -> bool:
    """Whether a type is a conformant or varying array, or the pointer that stands for one; strings measure themselves."""
    array = type_.target if isinstance(type_, Pointer) else type_
    return isinstance(array, Array) and not array.string and (array.conformant or array.varying)


def _counted(declared: Declared) -> bool:
    return any(level.counted for level in declared.levels)


def _holds_status(type_: Type, member: Declared | None) -> bool:
    """Whether a type is an error_status_t within a structure or union, or an array of them (compiler-errors.md)."""
    inner = type_.element if isinstance(type_, Array) and member is None else type_
    return inner is BASES["error_status_t"] and (member is not None or inner is not type_)


def _is_handle(type_: Type) -> bool:
    return isinstance(type_, ContextHandle) or _is_opaque(type_, "handle")


def _is_small_integer(type_: Type) -> bool:
    """An integer of at most 32 bits; what is unknown has been reported already."""
    if isinstance(type_, Ranged):
        type_ = type_.target
    if isinstance(type_, Base):
        return type_.code not in "fd" and type_.size <= 4
    return isinstance(type_, EnumType) or _is_opaque(type_, "unknown")
