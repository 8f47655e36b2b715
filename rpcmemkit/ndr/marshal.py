"""Marshalling: from memory to stub data (C706 chapter 14; midl data representation pages).

Nothing here recurses on data. The body of a referent is written, the pointers met in it are collected, and a stack
holds what has still to follow: depth first, as the deferral rule of NDR wants it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from rpcmemkit.errors import RpcError, UsageError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.ndr.aliases import FullPointers
from rpcmemkit.ndr.handlers import NO_HANDLERS, Handler, Handlers
from rpcmemkit.ndr.strings import string_length
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
from rpcmemkit.plan.levels import ArmPlan
from rpcmemkit.trace import Path, Span, path_text

NULL_REF_POINTER, INVALID_TAG, INVALID_BOUND, INTERNAL_ERROR, BAD_STUB_DATA = 1780, 1733, 1734, 1766, 1783
FIRST_ID, ID_STEP = 0x00020000, 4
ZEROS = bytes(8)

Found: TypeAlias = "list[tuple[int, int, PointerPlan, int, Path | None]]"
"""Pointers met in a body: place of the id (or -1), address, plan, scope, path."""


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
        self.spans: list[Span] = []
        self._later: Found = []
        self._next_id = FIRST_ID
        self._order = "big" if planner.big_endian else "little"
        self._count_size = planner.syntax.count
        self._id_size = planner.syntax.pointer
        self._events = space.trace.raw
        # a cycle of unique pointers would be written for ever; no honest message is this large
        self._budget = 8 * len(space.data) + (1 << 20)
        aliases.new_message()

    # --- parameters ---

    def parameter(self, plan: Plan, address: int, frame: int, name: str) -> None:
        """Marshal the parameter that lies at ``address`` in the stub's frame.

        Raises:
            RpcError: a null reference pointer, bounds or discriminants that contradict each other, a value out of range.
            MemoryFault: a pointer does not lead to live memory.
        """
        path: Path = (None, name)
        found: Found = []
        if isinstance(plan, PointerPlan) and plan.is_ref:
            found.append((-1, self.space.pointer_at(address), plan, frame, path))
        else:
            self._body(plan, address, frame, path, found)
            found.reverse()
        self._follow(found)

    def indicator(self, address: int) -> None:
        """Write whether a [partial_ignore] pointer is non-null: its referent does not travel in a request."""
        self.align(self._id_size)
        number = self._next_id if self.space.pointer_at(address) else 0
        self._next_id += ID_STEP if number else 0
        self.out += number.to_bytes(self._id_size, self._order)  # type: ignore[arg-type]

    def deletions(self, numbers: list[int]) -> None:
        """Write the referent ids of what the routine freed, behind the parameters ([reflect_deletions])."""
        for number, size in ((len(numbers), self._count_size), *((each, self._id_size) for each in numbers)):
            self.align(size)
            self.out += number.to_bytes(size, self._order)  # type: ignore[arg-type]

    def _follow(self, stack: Found) -> None:
        while stack:
            slot, address, plan, scope, path = stack.pop()
            if not address:
                self._null(plan, path)
                continue
            if slot >= 0 and not self._identify(slot, address, plan):
                continue
            found: Found = []
            target = plan.target
            if target.body is not None:
                deeper = (path, "*") if isinstance(target, PointerPlan) else path
                self._flat(target.body, target, address, scope, deeper, found)
            else:
                self._referent(target, address, scope, path, found)
            if found:
                found.reverse()
                stack += found
            if len(self.out) > self._budget:
                raise RpcError(
                    INTERNAL_ERROR,
                    "the message grows without end: unique pointers form a cycle; [ptr] pointers may",
                    path=path_text(path)[:200],
                    rule="unique-no-cycle",
                )

    def _null(self, plan: PointerPlan, path: Path | None) -> None:
        if plan.is_ref:
            raise RpcError(NULL_REF_POINTER, path=path_text(path), rule="ref-never-null")

    def _identify(self, slot: int, address: int, plan: PointerPlan) -> bool:
        """Write a referent id and return whether the referent follows."""
        if plan.is_full:
            number, follows = self.aliases.send(address)
        else:
            number, follows = self._next_id, True
            self._next_id += ID_STEP
        self.out[slot : slot + self._id_size] = number.to_bytes(self._id_size, self._order)  # type: ignore[arg-type]
        return follows

    # --- bodies ---

    def _referent(self, plan: Plan, address: int, scope: int, path: Path | None, found: Found) -> None:
        """Write what a pointer names if it is not flat: conformance first, then the body."""
        if isinstance(plan, ArrayPlan):
            self._array(plan, address, scope, path, found)
        elif isinstance(plan, StructPlan) and plan.tail is not None:
            tail = plan.tail
            at = address + plan.tail_offset
            self._count(self._size(tail, at, address + plan.tail_scope), tail, path)
            self._struct(plan, address, path, found)
        else:
            self._body(plan, address, scope, path, found)

    def _body(self, plan: Plan, address: int, scope: int, path: Path | None, found: Found) -> None:
        if plan.body is not None:
            self._flat(plan.body, plan, address, scope, path, found)
        elif isinstance(plan, StructPlan):
            self._struct(plan, address, path, found)
        elif isinstance(plan, ArrayPlan):
            self._elements(plan, address, scope, path, found)
        elif isinstance(plan, UnionPlan):
            self._union(plan, address, scope, path, found)
        else:
            self._handler(plan, path).marshal(self, plan, address, scope, path)
            found += self._later
            self._later.clear()

    def _handler(self, plan: Plan, path: Path | None) -> Handler:
        handler = self.handlers.get(type(plan))
        if handler is None:
            raise UsageError(f"{path_text(path)}: {plan.type!r} is not marshalled by this kit")
        return handler

    def _flat(
        self, body: Body, plan: Plan, address: int, scope: int, path: Path | None, found: Found
    ) -> None:
        """Move a body of fixed layout by its fused conversion."""
        space, out, size = self.space, self.out, body.size
        offset = space.check(address, size, "read by the stub")
        if pad := -len(out) % body.wire_align:
            out += ZEROS[:pad]
        start = len(out)
        if body.dense:
            out += space.data[offset : offset + size]
        else:
            values = body.memory.unpack_from(space.data, offset)
            if body.checks or body.narrow:
                values = self._checked(body, values, path)
            out += body.wire.pack(*values)
        self._events.append(
            (
                "marshal",
                space.side,
                "stub",
                address,
                size,
                self.rule,
                (start, len(out) - start, "body", plan, path, 1),
            )
        )
        if body.slots:
            targets = body.memory_pointers.unpack_from(space.data, offset)
            for slot, target in zip(body.slots, targets):  # noqa: B905 (same length by construction, hot)
                if (target or slot.plan.is_ref) and slot.plan.travels:
                    place = start + slot.wire_offset if slot.has_id else -1
                    within = scope if slot.scope is None else address + slot.scope
                    found.append((place, target, slot.plan, within, (path, slot.name) if slot.name else path))

    def _checked(self, body: Body, values: tuple[Any, ...], path: Path | None) -> tuple[Any, ...]:
        for check in body.checks:
            if not check.both_ways:
                continue
            for value in values[check.first : check.stop]:
                if not check.low <= value <= check.high:
                    raise RpcError(
                        check.status,
                        f"{value} is not in {check.low} … {check.high}",
                        path=path_text(path),
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
                self._flat(body, plan, address + offset, address, path, found)
            else:
                assert piece is not None
                if padded and plan.tail is not None and piece is plan.tail:
                    self.align(plan.wire_align)
                self._body(piece, address + offset, address, (path, "." + name), found)
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
            self._body(arm.plan, address + plan.arms_offset, scope, (path, "." + arm.name), found)

    # --- arrays ---

    def _size(self, plan: ArrayPlan, address: int, scope: int) -> int:
        if plan.measures_itself:
            return string_length(self.space, plan, address)
        return plan.count(self.space, scope)

    def _array(self, plan: ArrayPlan, address: int, scope: int, path: Path | None, found: Found) -> None:
        if plan.conformant:
            self._count(self._size(plan, address, scope), plan, path)
        self._elements(plan, address, scope, path, found)

    def _range(self, plan: ArrayPlan, address: int, scope: int, path: Path | None) -> tuple[int, int]:
        """Return first and number of the elements to send, checked against the size."""
        try:
            size = self._size(plan, address, scope)
            if not plan.is_string:
                return plan.range(self.space, scope, size)
            length = string_length(self.space, plan, address)
            if length > size:
                raise RpcError(
                    INVALID_BOUND, f"a string of {length} in room for {size}", rule="length-within-size"
                )
            return 0, length
        except RpcError as error:
            raise (
                error
                if error.path
                else RpcError(error.code, error.message, path=path_text(path), rule=error.rule)
            ) from None

    def _elements(self, plan: ArrayPlan, address: int, scope: int, path: Path | None, found: Found) -> None:
        """Write variance and elements; the maximum count has been written before."""
        first, length = self._range(plan, address, scope, path)
        if plan.varying:
            self.align(self._count_size)
            start = len(self.out)
            for number in (first, length):
                self.out += number.to_bytes(self._count_size, self._order)  # type: ignore[arg-type]
            self._span("range", start, plan, path)
        if element_has_place(plan):
            self.align(plan.wire_align)
        if not length:
            return
        address += first * plan.stride
        self.space.check(address, length * plan.stride, f"read of {length} elements by the stub")
        element = plan.element
        if isinstance(element, BasePlan) or (element.body is not None and not element.body.slots):
            self._run(plan, address, length, path)
        else:
            for index in range(length):
                at = address + index * plan.stride
                self._body(element, at, scope, (path, f"[{first + index}]"), found)

    def _run(self, plan: ArrayPlan, address: int, length: int, path: Path | None) -> None:
        """Move elements without pointers: as one block, or by one conversion each."""
        body = plan.element.body
        assert body is not None
        self.align(body.wire_align)
        start, offset = len(self.out), address - self.space.base
        size = length * plan.stride
        view = self.space.data[offset : offset + size]
        if body.dense and plan.stride == plan.wire_stride:
            self.out += view
        else:
            pack, values = plan.wire_element.pack, body.memory.iter_unpack(view)
            if body.checks or body.narrow:
                self.out += b"".join([pack(*self._checked(body, v, path)) for v in values])
            else:
                self.out += b"".join([pack(*v) for v in values])
            gap = plan.wire_stride - plan.wire_last
            del self.out[len(self.out) - gap :]
        self._events.append(
            (
                "marshal",
                self.space.side,
                "stub",
                address,
                size,
                self.rule,
                (start, len(self.out) - start, "elements", plan, path, length),
            )
        )

    # --- for handlers ---

    def value(self, plan: Plan, address: int, path: Path | None) -> None:
        """Write a value without pointers as if it were a parameter of its own: its counts come first."""
        self._referent(plan, address, address, path, [])

    def elements(self, plan: ArrayPlan, address: int, count: int, path: Path | None) -> None:
        """Write elements without pointers, and without any count."""
        self.space.check(address, count * plan.stride, f"read of {count} elements by the stub")
        self._run(plan, address, count, path)

    def defer(self, pointer: PointerPlan, address: int, scope: int, path: Path | None) -> None:
        """Have what ``pointer`` means written at ``address`` later, where a referent that is met here has its place."""
        self._later.append((-1, address, pointer, scope, path))

    # --- small things ---

    def align(self, alignment: int) -> None:
        """Write zeros up to the next multiple of ``alignment``."""
        if pad := -len(self.out) % alignment:
            self.out += ZEROS[:pad]

    def _count(self, count: int, plan: Plan, path: Path | None) -> None:
        self.align(self._count_size)
        start = len(self.out)
        self.out += count.to_bytes(self._count_size, self._order)  # type: ignore[arg-type]
        self._span("size", start, plan, path)

    def _span(self, part: str, start: int, plan: Plan, path: Path | None) -> None:
        """Note octets of the message that have no memory behind them."""
        self.spans.append(Span(start, len(self.out) - start, part, plan, path))


def element_has_place(plan: ArrayPlan) -> bool:
    """False for an array parameter of reference pointers: only its referents are on the wire (claims-notes K25)."""
    element = plan.element
    return plan.slots_have_ids or not (isinstance(element, PointerPlan) and element.is_ref)


def chosen_arm(plan: UnionPlan, tag: int, path: Path | None) -> ArmPlan:
    """Return the arm for a discriminant.

    Raises:
        RpcError: RPC_X_INVALID_TAG, there is none.
    """
    arm = plan.arm(tag)
    if arm is None:
        raise RpcError(INVALID_TAG, f"no arm for {tag}", path=path_text(path), rule="union-needs-an-arm")
    return arm


def tag_bytes(plan: BasePlan, tag: int, order: str, path: Path | None) -> bytes:
    """Return the discriminant's octets.

    Raises:
        RpcError: RPC_X_INVALID_TAG, the value does not fit its type.
    """
    try:
        return tag.to_bytes(plan.wire_size, order, signed=tag < 0)  # type: ignore[arg-type]
    except OverflowError:
        raise RpcError(INVALID_TAG, f"{tag} does not fit", path=path_text(path)) from None
