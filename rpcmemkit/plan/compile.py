"""Compiling types to plans: C layout in memory, NDR layout on the wire, fused where both are fixed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from struct import Struct as Codec
from typing import TypeAlias

from rpcmemkit import types
from rpcmemkit.errors import UsageError
from rpcmemkit.plan.expressions import compile_expression
from rpcmemkit.plan.levels import (
    ArmPlan,
    ArrayPlan,
    BasePlan,
    Body,
    Check,
    ContextPlan,
    ConvertedPlan,
    Evaluate,
    Field,
    MemberPlan,
    OpaquePlan,
    PipePlan,
    Plan,
    PointerPlan,
    Slot,
    StructPlan,
    UnionPlan,
)
from rpcmemkit.status import ENUM_OUT_OF_RANGE, INVALID_BOUND
from rpcmemkit.trace import Part

_Key: TypeAlias = "tuple[int, int, bool, bool]"
MAX_FUSED = 4096  # values in one fused conversion; what has more moves in parts
SIGNED = {1: "b", 2: "h", 4: "i", 8: "q"}
UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}
PLAIN = {"?": "B", "f": "I", "d": "Q"}  # moved as bytes: no boolean or NaN is rewritten on its way


@dataclass(frozen=True, slots=True)
class Syntax:
    """A transfer syntax: the sizes of pointers, counts and plain enumerations, and whether structures are padded."""

    name: str
    pointer: int
    count: int
    enum: int
    padded: bool


NDR20 = Syntax("ndr20", pointer=4, count=4, enum=2, padded=False)
NDR64 = Syntax("ndr64", pointer=8, count=8, enum=4, padded=True)
SYNTAXES = {syntax.name: syntax for syntax in (NDR20, NDR64)}


def align_up(offset: int, alignment: int) -> int:
    """Return the first multiple of ``alignment`` at or after ``offset``."""
    return -(-offset // alignment) * alignment


class Planner:
    """Compiles and remembers plans for one pointer size, transfer syntax and byte order of the data."""

    def __init__(
        self,
        pointer_size: int = 8,
        syntax: Syntax = NDR20,
        big_endian: bool = False,
        *,
        opens_contexts: bool = False,
        objects: bool = False,
        reading: str = "midl",
    ) -> None:
        self.opens_contexts = opens_contexts
        self.objects = objects
        self.reading = reading
        self.pointer_size = pointer_size
        self.syntax = syntax
        self.big_endian = big_endian
        self.order = ">" if big_endian else "<"
        self._plans: dict[_Key, Plan] = {}
        self._presenting = False
        """Whether a type is laid out that programs only see: what cannot be sent is bytes and addresses there."""

    def plan(self, type_: types.Type, scope: StructPlan | None = None, in_struct: bool = False) -> Plan:
        """Return the plan of a type; ``scope`` is where its attribute expressions find their names.

        Raises:
            UsageError: the type cannot be marshalled by this kit.
        """
        scoped = isinstance(type_, types.Pointer | types.Array | types.Switched)
        key = (id(type_), id(scope) if scoped else 0, scoped and in_struct, self._presenting)
        found = self._plans.get(key)
        if found is None:
            found = self._compile(type_, scope, key, in_struct)
            self._plans[key] = found
        return found

    def _compile(self, type_: types.Type, scope: StructPlan | None, key: _Key, in_struct: bool) -> Plan:
        match type_:
            case types.Base() | types.EnumType() | types.Ranged():
                return self._finish(self._scalar(type_))
            case types.Pointer(target=types.Opaque(what="void"), ignore=False):
                return self._address()
            case types.Pointer():
                return self._pointer(type_, scope)
            case types.Array():
                return self._array(type_, scope, in_struct)
            case types.Struct():
                return self._struct(type_, key)
            case types.Switched():
                return self._union(UnionPlan(type_, self._tag(type_.union)), type_.union, scope)
            case types.EncapsulatedUnion():
                return self._encapsulated(type_)
            case types.Converted():
                return self._converted(type_)
            case types.ContextHandle():
                return self._open(type_) if self.opens_contexts else ContextPlan(type_, self.pointer_size)
            case types.Opaque():
                return self._opaque(type_)
            case types.Union():
                return self._plain_union(type_)

    def _plain_union(self, union: types.Union) -> Plan:
        """A union whose arm nothing selects: bytes, for whoever knows more of them."""
        if not self._presenting:
            raise UsageError(
                f"union {union.name or 'without a name'} has no switch_is: nothing selects its arm"
            )
        arms = [self.plan(arm.member.type, in_struct=True) for arm in union.arms if arm.member]
        align = max((arm.align for arm in arms), default=1)
        size = align_up(max((arm.size for arm in arms), default=0), align)
        plan = self._array(types.Array(types.BASES["byte"], bound=size), None, True)
        plan.align = align
        return plan

    def _as_seen(self, type_: types.Type, presenting: bool, scope: StructPlan | None = None) -> Plan:
        """Return the plan of a type as programs see it, or as it is sent."""
        before, self._presenting = self._presenting, presenting
        try:
            return self.plan(type_, scope)
        finally:
            self._presenting = before

    def _opaque(self, type_: types.Opaque) -> Plan:
        if self._presenting and type_.what == "interface":
            return self._address()
        if type_.what == "handle":
            return OpaquePlan(type_, self.pointer_size)
        if type_.what == "pipe" and type_.element is not None:
            return self._pipe(type_, type_.element)
        if type_.what == "local":
            raise UsageError(
                f"the layout of {type_.name} is not known: declare it in the IDL text, beside the type that is sent"
            )
        raise UsageError(f"{type_.what} type {type_.name} cannot be marshalled by this kit")

    def _struct(self, type_: types.Struct, key: _Key) -> StructPlan:
        struct = StructPlan(type_)
        self._plans[key] = struct  # before its members: they may point back to it
        try:
            self.lay_out(struct, [(member.name, member.type) for member in type_.members])
        except UsageError:
            del self._plans[key]  # who asks again is told again
            raise
        return struct

    def _address(self) -> Plan:
        """A ``void *`` inside a presented type: to the stub a number."""
        code, size = UNSIGNED[self.pointer_size], self.pointer_size
        return self._finish(BasePlan(types.Base("void *", code, size), code, code, size, size))

    def _pointer(self, type_: types.Pointer, scope: StructPlan | None) -> PointerPlan:
        target = type_.target
        if type_.ignore and isinstance(target, types.Opaque):  # bytes of the program's, unknown to the stubs
            target = types.Array(types.BASES["byte"])
        seen = self._presenting
        plan = PointerPlan(
            type_,
            self.pointer_size,
            self.syntax.pointer,
            lambda: self._as_seen(target, seen, scope),
            is_object=self.objects and type_.kind is types.PointerKind.UNIQUE and not type_.all_nodes,
        )
        self._finish(plan)
        return plan

    def _finish(self, plan: BasePlan | PointerPlan) -> Plan:
        plan.body = self._fuse(list(_atoms("", plan, 0, 0)), plan.wire_align, plan.size)
        return plan

    # --- context handles ---

    def for_routines(self) -> Planner:
        """Return a planner of the same layouts to which a context handle is a pointer to the routines' own state."""
        return self._like(opens_contexts=True)

    @cached_property
    def for_objects(self) -> Planner:
        """A planner of the same layouts to which unique pointers are object pointers (pointers-tfs.md, FC_OP)."""
        return self._like(objects=True)

    def _like(self, **changed: bool) -> Planner:
        modes = {"opens_contexts": self.opens_contexts, "objects": self.objects, **changed}
        return Planner(self.pointer_size, self.syntax, self.big_endian, reading=self.reading, **modes)

    def _open(self, handle: types.ContextHandle) -> Plan:
        """State that is no plain IDL data is shown as bytes: there is nothing to say which arm of its union is there."""
        switches = (types.Switched, types.EncapsulatedUnion)
        parts = list(types.made_of(handle.pointer))
        inner = (part for t in parts if not isinstance(t, switches) for part in types.parts_of(t))
        plain = not any(isinstance(part, types.Union) for part in inner) and not any(
            isinstance(t, types.Opaque | types.ContextHandle)
            or (isinstance(t, types.Struct) and not t.members)
            for t in parts
        )
        return self.plan(handle.pointer if plain else types.ContextHandle(handle.name).pointer)

    # --- base types ---

    def _scalar(self, type_: types.Base | types.EnumType | types.Ranged) -> BasePlan:
        if isinstance(type_, types.Base):
            return self._base(type_)
        return self._enum(type_) if isinstance(type_, types.EnumType) else self._ranged(type_)

    def _base(self, base: types.Base) -> BasePlan:
        code = PLAIN.get(base.code, base.code)
        if not base.pointer_sized:
            return BasePlan(base, code, code, base.size, base.size)
        wire = self.syntax.pointer
        letters = SIGNED if code == "i" else UNSIGNED
        return BasePlan(base, letters[self.pointer_size], letters[wire], self.pointer_size, wire)

    def _enum(self, enum: types.EnumType) -> BasePlan:
        wire = 4 if enum.v1 else self.syntax.enum
        if wire == 4:
            return BasePlan(enum, "i", "i", 4, 4)
        return BasePlan(enum, "i", "H", 4, 2, (0, 0x7FFF, ENUM_OUT_OF_RANGE, True))

    def _ranged(self, ranged: types.Ranged) -> BasePlan:
        plan = (
            self._base(ranged.target) if isinstance(ranged.target, types.Base) else self._enum(ranged.target)
        )
        low, high, status, both = ranged.low, ranged.high, INVALID_BOUND, False
        if plan.limits:
            low, high, both = max(low, 0), min(high, 0x7FFF), True
        plan.limits, plan.reusable = (low, high, status, both), False
        return plan

    def _tag(self, union: types.Union) -> BasePlan:
        tag = self.plan(union.switch)
        assert isinstance(tag, BasePlan)
        return tag

    # --- arrays ---

    def _array(self, array: types.Array, scope: StructPlan | None, in_struct: bool) -> ArrayPlan:
        element = self.plan(array.element, scope, in_struct)
        plan = ArrayPlan(
            array,
            element,
            array.bound,
            _expression(array.size, scope),
            _expression(array.length, scope),
            _expression(array.first, scope),
            array.string,
            order=self.order,
            slots_have_ids=in_struct,
        )
        plan.wire_align = element.wire_align
        if element.body is not None:
            plan.wire_last = element.body.wire.size
            plan.wire_stride = align_up(plan.wire_last, element.wire_align)
        plan.reusable = self._array_reusable(plan)
        fixed = plan.bound is not None and not plan.varying and element.body is not None
        plan.plain = element.plain
        plan.width = 1 if isinstance(element, BasePlan) else (plan.bound or 0) * element.width
        if fixed and plan.width <= MAX_FUSED:
            slotless = not in_struct and isinstance(element, PointerPlan) and element.is_ref
            wire_size = 0 if slotless else max(plan.wire_stride * ((plan.bound or 0) - 1) + plan.wire_last, 0)
            atoms = list(_atoms("", plan, 0, 0))
            plan.body = self._fuse(atoms, plan.wire_align, plan.size, wire_size=wire_size)
        return plan

    def _array_reusable(self, plan: ArrayPlan) -> bool:
        """Whether a server may leave such an array in the receive buffer (server-stub-memory-management.md)."""
        element = plan.element
        if plan.is_string:
            return plan.measures_itself and element.reusable
        if plan.varying:
            return False
        if isinstance(element, PointerPlan) and element.is_ref:
            return False
        if plan.conformant and (isinstance(element, ArrayPlan) or self._complex_of(element)):
            return False
        return element.reusable

    def _complex_of(self, element: Plan) -> bool:
        """Whether MIDL describes every conformant array of such elements as complex (FC_BOGUS_ARRAY).

        It does so for structures, flat ones too, in the NDR 2.0 stubs of 64-bit programs; no page says why. Wine's
        compiler does not, and in NDR64 it is a plain FC64_CONF_ARRAY.
        """
        narrow = self.pointer_size > self.syntax.pointer
        return narrow and self.reading != "wine" and isinstance(element, StructPlan)

    # --- structures ---

    def lay_out(
        self, struct: StructPlan, members: list[tuple[str, types.Type]], objects: Collection[str] = ()
    ) -> None:
        """Give the members of a structure or frame their offsets, then fuse what is fixed.

        In the trees of the members ``objects`` unique pointers are object pointers.
        """
        offset = struct.width = 0
        pack = struct.type.pack
        for name, type_ in members:
            planner = self.for_objects if name in objects else self
            plan = planner.plan(type_, struct, in_struct=True)
            align = min(plan.align, pack) if pack else plan.align
            offset = align_up(offset, align)
            struct.members.append(MemberPlan(Part(name, plan), offset, plan, Part("." + name, plan)))
            struct.align = max(struct.align, align)
            struct.wire_align = max(struct.wire_align, plan.wire_align)
            struct.width += plan.width
            offset += plan.size
        struct.size = align_up(offset, struct.align)
        struct.plain = all(member.plan.plain for member in struct.members)
        self._cut(struct)
        struct.reusable = _struct_reusable(struct, self.syntax.padded)

    def _cut(self, struct: StructPlan) -> None:
        """Cut a structure into runs of fixed layout and members that move by themselves."""
        run: list[_Atom] = []
        start = wire = width = 0
        run_align = struct.wire_align

        def close() -> None:
            nonlocal run
            if run:
                body = self._fuse(run, run_align, None, base=start, wire_size=wire)
                struct.pieces.append((start, body, None, ""))
            run = []

        after_variable = False
        for member in struct.members:
            plan = member.plan
            if plan.body is None:
                close()
                struct.pieces.append((member.offset, None, plan, member.step))
                after_variable = True
                if isinstance(plan, ArrayPlan | StructPlan):
                    self._note_tail(struct, member)
                continue
            if run and width + plan.width > MAX_FUSED:
                close()
                after_variable = True
            if run and after_variable and plan.wire_align > run_align:
                close()
            if not run:
                start, wire, width = member.offset, 0, 0
                run_align = plan.wire_align if after_variable else struct.wire_align
            wire = align_up(wire, plan.wire_align)
            width += plan.width
            run += _atoms("." + member.name, plan, member.offset, wire, scope=0)
            wire += plan.body.wire.size
        trailing = align_up(wire, struct.wire_align) if self.syntax.padded else wire
        if len(struct.pieces) == 0 and run:
            struct.body = self._fuse(run, struct.wire_align, struct.size, wire_size=trailing)
            struct.wire_size = trailing
        close()
        if not struct.members:
            struct.body = self._fuse([], 1, 0)
            struct.wire_size = 0

    def _note_tail(self, struct: StructPlan, member: MemberPlan) -> None:
        plan = member.plan
        if isinstance(plan, ArrayPlan) and plan.conformant:
            struct.tail, struct.tail_offset, struct.tail_scope = plan, member.offset, 0
        elif isinstance(plan, StructPlan) and plan.tail is not None:
            struct.tail, struct.tail_offset = plan.tail, member.offset + plan.tail_offset
            struct.tail_scope = member.offset + plan.tail_scope

    # --- unions ---

    def _union(self, plan: UnionPlan, union: types.Union, scope: StructPlan | None) -> UnionPlan:
        if isinstance(plan.type, types.Switched):
            if scope is None:
                raise UsageError(f"union {union.name}: its switch_is has no scope")
            plan.tag_of = compile_lazily(plan.type.switch_is, scope)
        for arm in union.arms:
            compiled = self._arm(arm, scope)
            plan.arms.update(dict.fromkeys(arm.labels, compiled))
            if arm.default:
                plan.default = compiled
        widest = [arm.plan for arm in (*plan.arms.values(), plan.default) if arm and arm.plan]
        plan.plain = all(arm.plain for arm in widest)
        align = max((arm.align for arm in widest), default=1)
        size = max((arm.size for arm in widest), default=0)
        wire = max((arm.wire_align for arm in widest), default=1)
        plan.arms_offset = align_up(plan.tag.size, align) if plan.tag_of is None else 0
        plan.align = max(align, plan.tag.align) if plan.tag_of is None else align
        plan.size = align_up(plan.arms_offset + size, plan.align)
        plan.wire_align = max(wire, plan.tag.wire_align)
        plan.aligns_arms = wire if self.syntax.padded else 1
        return plan

    def _arm(self, arm: types.Arm, scope: StructPlan | None) -> ArmPlan:
        if arm.member is None:
            return ArmPlan("", None)
        plan = self.plan(arm.member.type, scope, in_struct=True)
        return ArmPlan(arm.member.name, plan, Part("." + arm.member.name, plan))

    def _encapsulated(self, type_: types.EncapsulatedUnion) -> UnionPlan:
        plan = UnionPlan(type_, self._tag(type_.union), tag_name=type_.tag, union_name=type_.union_name)
        return self._union(plan, type_.union, None)

    # --- pipes and conversions ---

    def _pipe(self, type_: types.Opaque, element: types.Type) -> PipePlan:
        elements = self.plan(types.Array(element))
        assert isinstance(elements, ArrayPlan)
        if elements.element.body is None or elements.element.body.slots:
            raise UsageError("an element of a pipe has a fixed size and no pointers")
        return PipePlan(type_, 4 * self.pointer_size, self.pointer_size, elements)

    def _converted(self, type_: types.Converted) -> ConvertedPlan:
        presented, sent = self._as_seen(type_.presented, True), self._as_seen(type_.sent, False)
        form = types.Pointer(type_.sent, types.PointerKind.REF)
        result = types.Pointer(form, types.PointerKind.REF)
        argument = self._pointer_to(type_.presented)
        argument.compile_target = lambda: presented
        open_ = (isinstance(sent, ArrayPlan) and sent.conformant) or (
            isinstance(sent, StructPlan) and sent.tail is not None
        )
        align = max(sent.wire_align, self.syntax.count if open_ else 1)
        plans = argument, self._pointer(form, None), self._pointer(result, None)
        plan = ConvertedPlan(type_, presented, sent, *plans, align)
        if plan.by_bytes and isinstance(sent, PointerPlan):
            follows = ConvertedPlan(type_, presented, sent, *plans, 8)
            plan.deferred = self._pointer_to(type_)
            plan.deferred.compile_target = lambda: follows
        return plan

    def _pointer_to(self, type_: types.Type) -> PointerPlan:
        return self._pointer(types.Pointer(type_, types.PointerKind.REF), None)

    # --- fusing ---

    def _fuse(
        self,
        atoms: list[_Atom],
        wire_align: int,
        size: int | None,
        *,
        base: int = 0,
        wire_size: int | None = None,
    ) -> Body:
        raw = not self.big_endian
        values = [atom for atom in atoms if isinstance(atom.plan, BasePlan)]
        slots = tuple(_slot(atom, base) for atom in atoms if isinstance(atom.plan, PointerPlan))
        end = max((atom.wire_offset + atom.wire_size for atom in atoms if atom.wire_size), default=0)
        end = end if wire_size is None else wire_size
        extent = max((atom.offset + atom.memory_size - base for atom in atoms), default=0)
        extent = extent if size is None else size - base
        same = all(a.offset - base == a.wire_offset and a.memory_size == a.wire_size for a in atoms)
        gaps = sum(atom.wire_size for atom in atoms) != extent
        checks, narrow = _checks(values, raw)
        letter, id_letter = UNSIGNED[self.pointer_size], UNSIGNED[self.syntax.pointer]
        return Body(
            memory=_codec("<", [(a.offset - base, a.memory_code(raw)) for a in values], extent),
            wire=_codec(self.order, [(a.wire_offset, a.wire_code(raw)) for a in values], end),
            wire_align=wire_align,
            slots=slots,
            memory_pointers=_codec("<", [(s.offset, letter) for s in slots], extent),
            wire_ids=_codec(self.order, [(s.wire_offset, id_letter) for s in slots if s.has_id], end),
            checks=checks,
            narrow=narrow,
            dense=same and not gaps and not checks and not slots and raw and end == extent,
            same=same,
            fields=tuple(
                Field(a.name, a.wire_offset, a.wire_size, a.offset - base, a.plan, a.count)
                for a in atoms
                if a.wire_size
            ),
        )


@dataclass(frozen=True, slots=True)
class _Atom:
    """One base value, a run of equal base values, or a pointer, on its way into a fused body."""

    name: str
    plan: BasePlan | PointerPlan
    offset: int
    wire_offset: int
    count: int = 1
    has_id: bool = True
    scope: int | None = None

    @property
    def memory_size(self) -> int:
        return self.plan.size * self.count

    @property
    def wire_size(self) -> int:
        return self.plan.wire_size * self.count if self.has_id else 0

    def as_bytes(self, raw: bool) -> bool:
        """Whether the run moves as bytes: many values, the same on both sides, nothing to check."""
        plan = self.plan
        same = isinstance(plan, BasePlan) and plan.code == plan.wire_code and plan.limits is None
        return raw and same and self.count > 1

    def memory_code(self, raw: bool) -> str:
        assert isinstance(self.plan, BasePlan)
        return f"{self.memory_size}s" if self.as_bytes(raw) else f"{self.count}{self.plan.code}"

    def wire_code(self, raw: bool) -> str:
        assert isinstance(self.plan, BasePlan)
        return f"{self.wire_size}s" if self.as_bytes(raw) else f"{self.count}{self.plan.wire_code}"


def _atoms(
    name: str, plan: Plan, offset: int, wire: int, has_id: bool = True, scope: int | None = None
) -> Iterator[_Atom]:
    """Yield the base values and pointers of a flat plan."""
    match plan:
        case BasePlan() | PointerPlan():
            yield _Atom(name, plan, offset, wire, has_id=has_id, scope=scope)
        case ArrayPlan(element=BasePlan() as element, bound=int(bound)):
            if bound:
                yield _Atom(name, element, offset, wire, bound)
        case ArrayPlan(element=element, bound=int(bound)):
            ids = plan.slots_have_ids or not (isinstance(element, PointerPlan) and element.is_ref)
            for index in range(bound):
                at, on = offset + index * plan.stride, wire + index * plan.wire_stride
                yield from _atoms(f"{name}[{index}]", element, at, on, ids, scope)
        case StructPlan(members=members):
            start = offset
            for member in members:
                assert member.plan.body is not None
                wire = align_up(wire, member.plan.wire_align)
                at = start + member.offset
                yield from _atoms(f"{name}.{member.name}", member.plan, at, wire, scope=start)
                wire += member.plan.body.wire.size


def _codec(order: str, pieces: list[tuple[int, str]], size: int) -> Codec:
    form, at = [order], 0
    for offset, code in pieces:
        form.append(f"{offset - at}x" if offset > at else "")
        form.append(code)
        at = offset + Codec(order + code).size
    form.append(f"{size - at}x" if size > at else "")
    return Codec("".join(form))


def _slot(atom: _Atom, base: int) -> Slot:
    assert isinstance(atom.plan, PointerPlan)
    scope = None if atom.scope is None else atom.scope - base
    return Slot(
        Part(atom.name, atom.plan), atom.offset - base, atom.wire_offset, atom.plan, atom.has_id, scope
    )


def _checks(values: list[_Atom], raw: bool) -> tuple[tuple[Check, ...], tuple[tuple[int, int], ...]]:
    """Return the limits to check, and the indexes and biases of the values that are narrower on the wire."""
    checks: list[Check] = []
    narrow: list[tuple[int, int]] = []
    index = 0
    for atom in values:
        plan = atom.plan
        assert isinstance(plan, BasePlan)
        stop = index + (1 if atom.as_bytes(raw) else atom.count)
        if plan.limits:
            checks.append(Check(index, stop, *plan.limits))
        elif plan.size > plan.wire_size:
            bias = 0x80000000 if plan.wire_code == "i" else 0
            narrow += [(number, bias) for number in range(index, stop)]
        index = stop
    return tuple(checks), tuple(narrow)


def _expression(expr: types.Expr | None, scope: StructPlan | None) -> Evaluate | None:
    if expr is None or scope is None:
        return None
    return compile_lazily(expr, scope)


def compile_lazily(expr: types.Expr, scope: StructPlan) -> Evaluate:
    """Compile ``expr`` when it is first evaluated: by then the scope has all its members."""
    compiled: list[Evaluate] = []

    def evaluate(space: object, base: int) -> int:
        if not compiled:
            compiled.append(compile_expression(expr, scope))
        return compiled[0](space, base)  # type: ignore[arg-type]

    return evaluate


def _struct_reusable(struct: StructPlan, padded: bool) -> bool:
    """Whether memory and wire layout agree throughout (server-stub-memory-management.md)."""
    if struct.align < struct.wire_align:
        return False
    if struct.body is not None:
        trailing = struct.size != (struct.wire_size or 0)
        filled = any(not slot.has_id or not slot.plan.travels for slot in struct.body.slots)
        return struct.body.same and not trailing and not struct.body.checks and not filled
    tail = struct.pieces[-1][2] if struct.pieces else None
    if len(struct.pieces) > 2 or not isinstance(tail, ArrayPlan) or not tail.conformant:
        return False
    if not tail.reusable or tail.is_string:
        return False
    if len(struct.pieces) == 1:
        return True
    offset, body = struct.pieces[0][0], struct.pieces[0][1]
    assert body is not None
    gap_up_to = struct.wire_align if padded else tail.wire_align
    fits = align_up(body.wire.size, gap_up_to) == struct.tail_offset
    filled = any(not slot.plan.travels for slot in body.slots)
    return offset == 0 and body.same and not body.checks and fits and not filled
