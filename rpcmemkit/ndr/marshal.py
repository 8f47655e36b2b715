"""Marshalling: from memory to stub data (C706 chapter 14; midl data representation pages).

Nothing here recurses on data. The body of a referent is written, the pointers met in it are collected, and a stack
holds what has still to follow: depth first, as the deferral rule of NDR wants it. A message has few types and many
values: what holds for all values of a type is bound into a function, a :data:`Move`, when the first one is met.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from itertools import islice
from struct import Struct as Codec
from typing import Any, TypeAlias

from rpcmemkit.errors import RpcError, UsageError, counted
from rpcmemkit.kinds import EventKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.ndr.aliases import FullPointers
from rpcmemkit.ndr.handlers import NO_HANDLERS, Handler, Handlers
from rpcmemkit.ndr.strings import string_length
from rpcmemkit.ndr.whole import Moment, send
from rpcmemkit.paths import c_text
from rpcmemkit.plan import (
    ArrayPlan,
    BasePlan,
    Body,
    Plan,
    Planner,
    PointerPlan,
    StructPlan,
    UnionPlan,
)
from rpcmemkit.plan.compile import UNSIGNED
from rpcmemkit.plan.generated import ID_STEP, Graph, graph_of
from rpcmemkit.plan.levels import ArmPlan
from rpcmemkit.status import INTERNAL_ERROR, INVALID_BOUND, INVALID_TAG, NULL_REF_POINTER
from rpcmemkit.trace import Path, Run, Span, recording

FIRST_ID = 0x00020000
ZEROS = bytes(8)
ROWS = 4096  # elements that are converted at once: as Python objects they take fifty times their room
NULLS = 64  # so many elements in a row whose pointers are all null are written together
MARSHAL = EventKind.MARSHAL

Found: TypeAlias = "list[tuple[int, int, PointerPlan, int, Path | None]]"
"""Pointers met in a body: place of the id (or -1), address, plan, scope, path."""

Move: TypeAlias = "Callable[[int, int, Path | None, Found], None]"
"""Writes a value, given its address, scope and path, and appends the pointers it meets to the list."""


class located:  # noqa: N801 (a function to who uses it; a generator would cost more than the work inside)
    """Give what is raised inside the path of the data concerned."""

    __slots__ = ("path",)

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, RpcError) and not error.path:
            raise RpcError(error.code, error.message, path=c_text(self.path), rule=error.rule) from None


class Marshaller:
    """Writes the stub data of one message from one address space."""

    def __init__(
        self,
        space: AddressSpace,
        planner: Planner,
        aliases: FullPointers,
        rule: str,
        handlers: Handlers = NO_HANDLERS,
    ) -> None:
        self.space = space
        self.planner = planner
        self.aliases = aliases
        self.rule = rule
        self.handlers = handlers
        self.out = bytearray()
        self.spans: list[Span | Run] = []
        self._later: Found = []
        self.number = FIRST_ID
        """The next referent id."""
        self.careful = False
        """Whether plain graphs move value by value, too: since one of them held something odd."""
        self.moment = Moment()
        self._moves: dict[PointerPlan, Move] = {}
        self._flats: dict[Body, Move] = {}
        self._arrays: dict[tuple[ArrayPlan, bool], Move] = {}
        self._order = "big" if planner.big_endian else "little"
        self._count_size = planner.syntax.count
        self._id_size = planner.syntax.pointer
        self._put_id = Codec(planner.order + UNSIGNED[self._id_size]).pack_into
        self._events = space.trace.raw
        # a cycle of unique pointers would be written for ever; no honest message is this large
        self.budget = 8 * len(space.data) + (1 << 20)
        aliases.new_message()

    # --- parameters ---

    @recording()
    def parameter(self, plan: Plan, address: int, frame: int, name: str) -> None:
        """Marshal the parameter that lies at ``address`` in the stub's frame.

        Raises:
            RpcError: a null reference pointer, bounds or discriminants that contradict each other, a value out of range.
            MemoryFault: a pointer does not lead to live memory.
        """
        path: Path = (None, name)
        found: Found = []
        try:
            if isinstance(plan, PointerPlan) and plan.is_ref:
                found.append((-1, self.space.pointer_at(address), plan, frame, path))
            else:
                self._body(plan, address, frame, path, found)
                found.reverse()
            self.follow(found)
        finally:
            self.moment = self.moment.end(self.space)
            for bound in (self._moves, self._flats, self._arrays):  # they refer to this writer: a circle
                bound.clear()

    def indicator(self, address: int) -> None:
        """Write whether a [partial_ignore] pointer is non-null: its referent does not travel in a request."""
        self.align(self._id_size)
        number = self._next_id() if self.space.pointer_at(address) else 0
        self.out += number.to_bytes(self._id_size, self._order)  # type: ignore[arg-type]

    def deletions(self, numbers: list[int]) -> None:
        """Write the referent ids of what the routine freed, behind the parameters ([reflect_deletions])."""
        for number, size in ((len(numbers), self._count_size), *((each, self._id_size) for each in numbers)):
            self.align(size)
            self.out += number.to_bytes(size, self._order)  # type: ignore[arg-type]

    def _next_id(self) -> int:
        number = self.number
        self.number += ID_STEP
        return number

    def follow(self, stack: Found) -> None:
        """Write what the pointers of a stack lead to, and all below it."""
        out, moves = self.out, self._moves
        while stack:
            slot, address, pointer, scope, path = stack.pop()
            if not address:
                self._null(pointer, path)
                continue
            if slot >= 0 and not self._identify(slot, address, pointer):
                continue
            met = len(stack)
            move = moves.get(pointer) or self._mover(pointer)
            move(address, scope, path, stack)
            if len(stack) > met + 1:  # the one met first is followed first
                stack[met:] = reversed(stack[met:])
            if len(out) > self.budget:
                raise RpcError(
                    INTERNAL_ERROR,
                    "the message grows without end: unique pointers form a cycle; [ptr] pointers may",
                    path=c_text(path)[:200],
                    rule="unique-no-cycle",
                )

    def _null(self, plan: PointerPlan, path: Path | None) -> None:
        if plan.is_ref:
            raise RpcError(NULL_REF_POINTER, path=c_text(path), rule="ref-never-null")

    def _identify(self, slot: int, address: int, plan: PointerPlan) -> bool:
        """Write a referent id and return whether the referent follows."""
        number, follows = self.aliases.send(address) if plan.is_full else (self._next_id(), True)
        self._put_id(self.out, slot, number)
        return follows

    # --- bodies ---

    def _mover(self, pointer: PointerPlan) -> Move:
        """Return what writes the referents of a pointer."""
        target = pointer.target
        if target.body is not None:
            move = self._flat(target.body, target)
            if isinstance(target, PointerPlan):
                move = _one_level_deeper(move)
        elif isinstance(target, ArrayPlan):
            move = self._array(target, target.conformant)
        else:
            move = partial(self._referent, target)
        if (graph := graph_of(pointer)) is not None:
            move = partial(self._whole, graph, pointer, move)
        self._moves[pointer] = move
        return move

    def _whole(
        self,
        graph: Graph,
        pointer: PointerPlan,
        move: Move,
        address: int,
        scope: int,
        path: Path | None,
        found: Found,
    ) -> None:
        """Write a plain graph in one go, if there is nothing odd in it."""
        if self.careful or not send(self, graph, pointer, address, scope, path):
            self.careful = True  # what was odd once is not tried again from each referent
            move(address, scope, path, found)

    def _referent(self, plan: Plan, address: int, scope: int, path: Path | None, found: Found) -> None:
        """Write what a pointer names if it is not flat: conformance first, then the body."""
        if isinstance(plan, ArrayPlan):
            self._array(plan, plan.conformant)(address, scope, path, found)
        elif isinstance(plan, StructPlan) and plan.tail is not None:
            tail = plan.tail
            at = address + plan.tail_offset
            size = self._size(tail, at, address + plan.tail_scope)
            self._counts(tail, True, False)((size,), path)
            self._struct(plan, address, path, found)
        else:
            self._body(plan, address, scope, path, found)

    def _body(self, plan: Plan, address: int, scope: int, path: Path | None, found: Found) -> None:
        if plan.body is not None:
            self._flat(plan.body, plan)(address, scope, path, found)
        elif isinstance(plan, StructPlan):
            self._struct(plan, address, path, found)
        elif isinstance(plan, ArrayPlan):
            self._array(plan, False)(address, scope, path, found)
        elif isinstance(plan, UnionPlan):
            self._union(plan, address, scope, path, found)
        else:
            self._handler(plan, path).marshal(self, plan, address, scope, path)
            found += self._later
            self._later.clear()

    def _handler(self, plan: Plan, path: Path | None) -> Handler:
        handler = self.handlers.get(type(plan))
        if handler is None:
            raise UsageError(f"{c_text(path)}: {plan.type!r} is not marshalled by this kit")
        return handler

    def _flat(self, body: Body, plan: Plan) -> Move:
        """Return what moves a body of fixed layout by its fused conversion."""
        move = self._flats.get(body)
        if move is None:
            move = self._flats[body] = self._flat_mover(body, plan)
        return move

    def _flat_mover(self, body: Body, plan: Plan) -> Move:
        space, rule, size, align, dense = self.space, self.rule, body.size, body.wire_align, body.dense
        out, data, check, note, side = self.out, space.data, space.check, self._events.append, space.side
        wire_size, unpack, pack = body.wire.size, body.memory.unpack_from, body.wire.pack
        checked = self._checked if body.checks or body.narrow else None
        pointers, slots = body.memory_pointers.unpack_from, _sending(body)

        def move(address: int, scope: int, path: Path | None, found: Found) -> None:
            offset = check(address, size, "read by the stub")
            if pad := -len(out) % align:
                out.extend(ZEROS[:pad])
            start = len(out)
            if dense:
                out.extend(data[offset : offset + size])
            else:
                values = unpack(data, offset)
                out.extend(pack(*(values if checked is None else checked(body, values, path))))
            span = Span(start, wire_size, "body", plan, path, 1)
            note((MARSHAL, side, "stub", address, size, rule, span))
            if slots:
                for (name, at, pointer, within), target in zip(slots, pointers(data, offset)):  # noqa: B905 (hot)
                    if (target or pointer.is_ref) and pointer.travels:
                        place = -1 if at is None else start + at
                        inner = scope if within is None else address + within
                        found.append((place, target, pointer, inner, (path, name) if name else path))

        return move

    def _checked(self, body: Body, values: tuple[Any, ...], path: Path | None) -> tuple[Any, ...]:
        for check in body.checks:
            if not check.both_ways:
                continue
            for value in values[check.first : check.stop]:
                if not check.low <= value <= check.high:
                    raise RpcError(
                        check.status,
                        f"{value} is not in {check.low} … {check.high}",
                        path=c_text(path),
                        rule="enum-fits-16-bits",
                    )
        if not body.narrow:
            return values
        narrowed = list(values)
        for index, bias in body.narrow:
            narrowed[index] = (values[index] + bias) % 0x100000000 - bias
        return tuple(narrowed)

    def _struct(self, plan: StructPlan, address: int, path: Path | None, found: Found) -> None:
        """Write a structure that is not flat; its conformance has been written before.

        NDR64 fills the gap behind the last member that is not conformant (MS-RPCE 2.2.5.3.4.1).
        """
        self.align(plan.wire_align)
        padded = self.planner.syntax.padded
        for offset, body, piece, name in plan.pieces:
            if body is not None:
                self._flat(body, plan)(address + offset, address, path, found)
            else:
                assert piece is not None
                if padded and plan.tail is not None and piece is plan.tail:
                    self.align(plan.wire_align)
                self._body(piece, address + offset, address, (path, name), found)
        if padded and plan.tail is None:
            self.align(plan.wire_align)

    def _union(self, plan: UnionPlan, address: int, scope: int, path: Path | None, found: Found) -> None:
        tag = plan.discriminant(self.space, address, scope)
        arm = chosen_arm(plan, tag, path)
        if plan.aligns_arms > 1:
            self.align(plan.wire_align)
        self.align(plan.tag.wire_size)
        start = len(self.out)
        self.out += tag_bytes(plan.tag, tag, self._order, path)
        self._span("tag", start, plan, path)
        self.align(plan.aligns_arms)
        if arm.plan is not None:
            self._body(arm.plan, address + plan.arms_offset, scope, (path, arm.step), found)

    # --- arrays ---

    def _size(self, plan: ArrayPlan, address: int, scope: int) -> int:
        if plan.measures_itself:
            return string_length(self.space, plan, address)
        return plan.count(self.space, scope)

    def _range(self, plan: ArrayPlan, address: int, scope: int, path: Path | None) -> tuple[int, int, int]:
        """Return the size, and first and number of the elements to send, checked against it."""
        with located(path):
            size = self._size(plan, address, scope)
            if plan.measures_itself:
                return size, 0, size
            if not plan.is_string:
                return size, *plan.range(self.space, scope, size)
            length = string_length(self.space, plan, address)
            if length > size:
                raise RpcError(
                    INVALID_BOUND, f"a string of {length} in room for {size}", rule="length-within-size"
                )
            return size, 0, length

    def _array(self, plan: ArrayPlan, sized: bool) -> Move:
        """Return what writes an array: its maximum count if ``sized``, its variance and its elements."""
        move = self._arrays.get((plan, sized))
        if move is None:
            move = self._arrays[plan, sized] = self._array_mover(plan, sized)
        return move

    def _array_mover(self, plan: ArrayPlan, sized: bool) -> Move:
        out, check, measured, stride = self.out, self.space.check, self._range, plan.stride
        has_counts, lower, upper = sized or plan.varying, 0 if sized else 1, 3 if plan.varying else 1
        counts, elements = self._counts(plan, sized, plan.varying), self._elements(plan)
        align = plan.wire_align if element_has_place(plan) else 1
        measures_itself = plan.measures_itself  # then its elements have been seen already

        def move(address: int, scope: int, path: Path | None, found: Found) -> None:
            shape = measured(plan, address, scope, path)
            if has_counts:
                counts(shape[lower:upper], path)
            if pad := -len(out) % align:
                out.extend(ZEROS[:pad])
            _, first, length = shape
            if length:
                address += first * stride
                if not measures_itself:
                    check(address, length * stride, f"read of {counted(length, 'element')} by the stub", path)
                elements(address, scope, path, found, first, length)

        return move

    def _counts(
        self, plan: ArrayPlan, sized: bool, varying: bool
    ) -> Callable[[tuple[int, ...], Path | None], None]:
        """Return what writes the counts in front of an array: bytes that have no memory behind them."""
        out, step, note = self.out, self._count_size, self.spans.append
        pack = Codec(self.planner.order + UNSIGNED[step] * (sized + 2 * varying)).pack

        def write(numbers: tuple[int, ...], path: Path | None) -> None:
            if pad := -len(out) % step:
                out.extend(ZEROS[:pad])
            start = len(out)
            try:
                out.extend(pack(*numbers))
            except struct.error:
                raise RpcError(INVALID_BOUND, f"{numbers} do not fit", path=c_text(path)) from None
            if sized:
                note(Span(start, step, "size", plan, path, 1))
            if varying:
                note(Span(start + sized * step, 2 * step, "range", plan, path, 1))

        return write

    def _elements(self, plan: ArrayPlan) -> Callable[[int, int, Path | None, Found, int, int], None]:
        """Return what writes the elements of an array, given where the first one lies, its index, and their number."""
        element, stride = plan.element, plan.stride
        body = element.body
        if body is not None and not body.slots:
            return self._run(plan, body)
        write = partial(self._body, element) if body is None else self._flat(body, element)
        many = None if body is None else self._many(plan, body, self._flat(body, element))

        def one_by_one(
            address: int, scope: int, path: Path | None, found: Found, first: int, length: int
        ) -> None:
            if many is not None and length >= NULLS:
                many(address, scope, path, found, first, length)
                return
            for index in range(first, first + length):
                write(address, scope, (path, f"[{index}]"), found)
                address += stride

        return one_by_one

    def _many(
        self, plan: ArrayPlan, body: Body, write: Move
    ) -> Callable[[int, int, Path | None, Found, int, int], None] | None:
        """Return what writes many elements, with one event for those in a row whose pointers are all null."""
        if any(slot.plan.is_ref for slot in body.slots):
            return None
        out, data, base, stride, align = (
            self.out,
            self.space.data,
            self.space.base,
            plan.stride,
            body.wire_align,
        )
        note, side, rule = self._events.append, self.space.side, self.rule
        pointers = Codec(f"{body.memory_pointers.format}{stride - body.memory_pointers.size}x")

        def move(address: int, scope: int, path: Path | None, found: Found, first: int, length: int) -> None:
            start = address - base
            leads = bytes(map(any, pointers.iter_unpack(data[start : start + length * stride])))
            index = 0
            while index < length:
                at, end = address + index * stride, leads.find(1, index)
                end = length if end < 0 else end
                where, size = (path, f"[{first + index}]"), (end - index) * stride
                if end - index < NULLS:
                    write(at, scope, where, found)
                    index += 1
                    continue
                if pad := -len(out) % align:
                    out.extend(ZEROS[:pad])
                before = len(out)
                out.extend(self._converted(plan, body, data[at - base : at - base + size], path))
                span = Span(before, len(out) - before, "nulls", plan, where, end - index)
                note((MARSHAL, side, "stub", at, size, rule, span))
                index = end

        return move

    def _run(self, plan: ArrayPlan, body: Body) -> Callable[[int, int, Path | None, Found, int, int], None]:
        """Return what moves elements without pointers: as one block, or by one conversion each."""
        out, data, base, stride = self.out, self.space.data, self.space.base, plan.stride
        note, side, rule = self._events.append, self.space.side, self.rule
        as_block = body.dense and stride == plan.wire_stride

        def move(address: int, scope: int, path: Path | None, found: Found, first: int, length: int) -> None:
            start, size = len(out), length * stride
            view = data[address - base : address - base + size]
            out.extend(view if as_block else self._converted(plan, body, view, path))
            span = Span(start, len(out) - start, "elements", plan, path, length)
            note((MARSHAL, side, "stub", address, size, rule, span))

        return move

    def _converted(self, plan: ArrayPlan, body: Body, view: bytearray, path: Path | None) -> bytearray:
        """Return elements as they are sent, without the gap behind the last one."""
        pack, values, octets = plan.wire_element.pack, body.memory.iter_unpack(view), bytearray()
        checked = body.checks or body.narrow
        while rows := list(islice(values, ROWS)):
            if checked:
                rows = [self._checked(body, each, path) for each in rows]
            octets += b"".join([pack(*each) for each in rows])
        del octets[len(octets) - (plan.wire_stride - plan.wire_last) :]
        return octets

    # --- for handlers ---

    def value(self, plan: Plan, address: int, path: Path | None) -> None:
        """Write a value without pointers as if it were a parameter of its own: its counts come first."""
        self._referent(plan, address, address, path, [])

    def elements(self, plan: ArrayPlan, address: int, count: int, path: Path | None) -> None:
        """Write elements without pointers, and without any count."""
        self.space.check(address, count * plan.stride, f"read of {counted(count, 'element')} by the stub")
        self.align(plan.element.wire_align)
        self._elements(plan)(address, address, path, [], 0, count)

    def defer(self, pointer: PointerPlan, address: int, scope: int, path: Path | None) -> None:
        """Have what ``pointer`` means written at ``address`` later, where a referent that is met here has its place."""
        self._later.append((-1, address, pointer, scope, path))

    # --- small things ---

    def align(self, alignment: int) -> None:
        """Write zeros up to the next multiple of ``alignment``."""
        if pad := -len(self.out) % alignment:
            self.out += ZEROS[:pad]

    def _span(self, part: str, start: int, plan: Plan, path: Path | None) -> None:
        """Note bytes of the message that have no memory behind them."""
        self.spans.append(Span(start, len(self.out) - start, part, plan, path, 1))


def _one_level_deeper(move: Move) -> Move:
    """Return ``move`` for the cell of a pointer to a pointer, whose path is that of the outer pointer with a star."""
    return lambda address, scope, path, found: move(address, scope, (path, "*"), found)


def _sending(body: Body) -> list[tuple[str, int | None, PointerPlan, int | None]]:
    """Return of each slot what a sender needs: its name, the place of its id, its plan, its scope."""
    return [
        (slot.name, slot.wire_offset if slot.has_id else None, slot.plan, slot.scope) for slot in body.slots
    ]


def element_has_place(plan: ArrayPlan) -> bool:
    """False for an array parameter of reference pointers: only its referents are on the wire."""
    element = plan.element
    return plan.slots_have_ids or not (isinstance(element, PointerPlan) and element.is_ref)


def chosen_arm(plan: UnionPlan, tag: int, path: Path | None) -> ArmPlan:
    """Return the arm for a discriminant.

    Raises:
        RpcError: RPC_X_INVALID_TAG, there is none.
    """
    arm = plan.arm(tag)
    if arm is None:
        raise RpcError(INVALID_TAG, f"no arm for {tag}", path=c_text(path), rule="union-needs-an-arm")
    return arm


def tag_bytes(plan: BasePlan, tag: int, order: str, path: Path | None) -> bytes:
    """Return the discriminant's bytes.

    Raises:
        RpcError: RPC_X_INVALID_TAG, the value does not fit its type.
    """
    try:
        return tag.to_bytes(plan.wire_size, order, signed=tag < 0)  # type: ignore[arg-type]
    except OverflowError:
        raise RpcError(INVALID_TAG, f"{tag} does not fit", path=c_text(path)) from None
