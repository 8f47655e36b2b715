"""Unmarshalling: from stub data to memory, with every count and id treated as hostile.

Where data goes is the business of a :class:`Storage`, which differs between the two stubs; how it gets there is the
same for both and is written here once. Nothing recurses on data: pointers wait on a stack until their turn. As in
marshalling, what holds for all values of a type is bound into a function when the message brings the first one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from itertools import repeat
from struct import Struct as Codec
from typing import Any, TypeAlias

from rpcmemkit.errors import MemoryFault, RpcError, UsageError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.ndr.aliases import FullPointers
from rpcmemkit.ndr.handlers import NO_HANDLERS, Handlers
from rpcmemkit.ndr.marshal import (
    BAD_STUB_DATA,
    INVALID_BOUND,
    NULL_REF_POINTER,
    RECORD,
    chosen_arm,
    element_has_place,
)
from rpcmemkit.ndr.storage import IN_PLACE, NO_SHAPE, Found, Shape, Storage, Waiting
from rpcmemkit.ndr.strings import string_length
from rpcmemkit.plan import (
    ArrayPlan,
    Body,
    Plan,
    Planner,
    PointerPlan,
    StructPlan,
    UnionPlan,
)
from rpcmemkit.plan.compile import UNSIGNED
from rpcmemkit.trace import Path, Span, path_text

Move: TypeAlias = "Callable[[int, int, Path | None, Found, bool], None]"
"""Reads a value to an address, given its scope, its path, where to put the pointers it meets, and if storage is new."""


NO_NUMBERS = repeat(0)


class Unmarshaller:
    """Reads the stub data of one message into one address space."""

    def __init__(
        self,
        space: AddressSpace,
        planner: Planner,
        aliases: FullPointers,
        data: bytes,
        storage: Storage,
        frame: int,
        limits: dict[int, int] | None = None,
        tags: dict[int, int | None] | None = None,
        handlers: Handlers = NO_HANDLERS,
    ) -> None:
        self.space = space
        self.planner = planner
        self.aliases = aliases
        self.data = data
        self.storage = storage
        self.frame = frame
        self.limits = limits or {}
        self.held_tags = tags or {}
        self.handlers = handlers
        self.position = 0
        self.buffer = 0
        """Where the message lies in the program's memory, 0 if it does not."""
        self.spans: list[Span] = []
        self._later: Found = []
        self.correlations: list[tuple[ArrayPlan, int, Shape, Path | None, bool]] = []
        self._in_struct: list[tuple[ArrayPlan, int, Shape, Path | None, bool]] = []
        self.tags: list[tuple[UnionPlan, int, int, Path | None]] = []
        self._order = "big" if planner.big_endian else "little"
        self._count_size = planner.syntax.count
        self._id_size = planner.syntax.pointer
        self._events = space.trace.raw
        self._flats: dict[Body, Move] = {}
        self._followers: dict[PointerPlan, Callable[[Waiting, Found], None]] = {}
        code, counted = planner.order, UNSIGNED[self._count_size]
        self._one_count, self._two_counts = Codec(code + counted), Codec(code + counted * 2)
        self._put_pointer = Codec("<" + UNSIGNED[space.pointer_size]).pack_into
        aliases.new_message()

    # --- parameters ---

    def parameter(self, plan: Plan, address: int, name: str, existing: int, new: bool) -> None:
        """Unmarshal the parameter that lies at ``address`` in the stub's frame.

        Raises:
            RpcError: the octets do not fit the interface, or storage cannot be had.
        """
        path: Path = (None, name)
        found: Found = []
        try:
            if isinstance(plan, PointerPlan) and plan.is_ref:
                found.append(
                    Waiting(address, 0, existing, plan, self.frame, path, self._limit(plan, self.frame))
                )
            elif isinstance(plan, PointerPlan):
                number = self._id()
                self.space.set_pointer(address, 0 if not number else existing)
                limit = self._limit(plan, self.frame)
                found.append(Waiting(address, number, existing, plan, self.frame, path, limit))
            else:
                self._body(plan, address, self.frame, path, found, NO_SHAPE, new)
                found.reverse()
            self._follow(found)
        except struct.error:
            raise RpcError(
                BAD_STUB_DATA, "the message ends too early", path=path_text(path), rule="bad-data-rejected"
            ) from None

    def indicator(self, address: int, name: str) -> bool:
        """Read whether a [partial_ignore] pointer is non-null: nothing else of it is in a request."""
        try:
            number = self._id()
        except struct.error:
            raise self.bad_data("the message ends too early", (None, name)) from None
        self.space.set_pointer(address, 0)
        return number != 0

    def deletions(self) -> list[int]:
        """Read the referent ids of what the routine freed, behind the parameters ([reflect_deletions])."""
        try:
            self.align(self._count_size)
            count = self._number(self._count_size)
            if count * self._id_size > len(self.data) - self.position:
                raise struct.error
            return [self._id() for _ in range(count)]
        except struct.error:
            raise self.bad_data("the list of deletions ends too early", None) from None

    def finish(self) -> None:
        """Check what could only be checked when all parameters were there: sizes sent twice have to agree.

        Raises:
            RpcError: RPC_X_BAD_STUB_DATA.
        """
        for correlation in self.correlations:
            self._correlate(*correlation)
        for union, tag, scope, path in self.tags:
            if discriminant_at(self.space, union, 0, scope) != tag:
                raise self.bad_data("the discriminant differs from the one in switch_is", path)

    def _follow(self, stack: Found) -> None:
        waiting, followers = None, self._followers
        try:
            while stack:
                waiting = stack.pop()
                pointer = waiting.plan
                if not waiting.number and not pointer.is_ref:
                    continue
                met = len(stack)
                follow = followers.get(pointer) or self._follower(pointer)
                follow(waiting, stack)
                if len(stack) > met + 1:  # the one met first is followed first
                    stack[met:] = reversed(stack[met:])
        except (RpcError, MemoryFault, struct.error):
            self._put_back([*([waiting] if waiting else []), *stack])
            raise

    def _follower(self, pointer: PointerPlan) -> Callable[[Waiting, Found], None]:
        """Return what reads the referents of a pointer."""
        body = pointer.target.body
        follow = self._referent if body is None else self._flat_follower(pointer.target, body)
        if pointer.is_full or pointer.governs:
            follow = partial(self._follow_unless_known, follow)
        self._followers[pointer] = follow
        return follow

    def _follow_unless_known(
        self, follow: Callable[[Waiting, Found], None], waiting: Waiting, found: Found
    ) -> None:
        """Follow a pointer whose referent may be there already, or may be the business of another memory model."""
        plan = waiting.plan
        if plan.is_full:
            known = self.aliases.receive(waiting.number)
            if known is not None:
                self.check_known(waiting, known)
                self.space.set_pointer(waiting.slot, known)
                return
        if plan.governs and (model := self.storage.below(waiting, self)) is not self.storage:
            self.follow_with(model, waiting)
            return
        follow(waiting, found)

    def _put_back(self, unfollowed: Found) -> None:
        """Let pointers that will not be followed any more keep what they named before the call."""
        for waiting in unfollowed:
            if waiting.existing and waiting.slot != IN_PLACE:
                self.space.set_pointer(waiting.slot, waiting.existing)

    def check_known(self, waiting: Waiting, address: int) -> None:
        """Refuse a full pointer to storage that is too small for what the pointer means."""
        if self.space.capacity(address) < waiting.plan.target.size:
            raise self.bad_data("a full pointer names storage too small for its type", waiting.path)

    def follow_with(self, storage: Storage, waiting: Waiting) -> None:
        """Follow one pointer, and everything below it, under another memory model."""
        outer, self.storage = self.storage, storage
        try:
            self._follow([waiting])
        finally:
            self.storage = outer

    def rehearse(self, waiting: Waiting, space: AddressSpace, storage: Storage) -> None:
        """Follow one pointer in a space that is thrown away; this reader stays where it is."""
        reader = _Rehearsal(space, self.planner, FullPointers(self.aliases), self.data, storage, self.frame)
        reader.position = self.position
        slot = space.add_block(self.space.pointer_size, "stack", fill=0)
        reader.follow_with(storage, waiting._replace(slot=slot, existing=0))

    # --- referents ---

    def _flat_follower(self, plan: Plan, body: Body) -> Callable[[Waiting, Found], None]:
        """Return what reads referents of fixed layout."""
        space, put, length, end = self.space, self._put_pointer, self.space.pointer_size, len(self.data)
        check, data, align, size, wire_size = (
            space.check,
            space.data,
            body.wire_align,
            plan.size,
            body.wire.size,
        )
        move, levels = self._flat(body, plan), isinstance(plan, PointerPlan)
        cleared = bool(body.checks and body.slots)

        def follow(waiting: Waiting, found: Found) -> None:
            slot, number, _, pointer, scope, path, _ = waiting
            position = self.position
            self.position = position = position + -position % align
            if position + wire_size > end:
                raise struct.error
            address, new = self.storage.place(waiting, size, position, NO_SHAPE)
            if new and cleared:
                space.clear(address, size)  # a failure half-way must leave no pointer to nowhere in it
            put(data, check(slot, length, "write of a pointer"), address)
            if pointer.is_full:
                self.aliases.arrived(number, address)
            move(address, scope, (path, "*") if levels and path else path, found, new)

        return follow

    def _referent(self, waiting: Waiting, found: Found) -> None:
        """Read a referent whose layout is not fixed."""
        slot, number, existing, pointer, scope, path, _ = waiting
        plan = pointer.target
        if slot == IN_PLACE:
            self._body(plan, existing, scope, path, [], NO_SHAPE, False)
            return
        shape = self._shape(plan, path)
        size = self._memory_size(plan, shape)
        self._align_referent(plan)
        address, new = self.storage.place(waiting, size, self.position, shape)
        if new and holds_pointers(plan):
            self.space.clear(address, size)  # a failure half-way must leave no pointer to nowhere in it
        self.space.set_pointer(slot, address)
        if pointer.is_full:
            self.aliases.arrived(number, address)
        if isinstance(plan, ArrayPlan):
            self._elements(plan, address, scope, path, found, shape, new)
        else:
            self._body(plan, address, scope, path, found, shape, new)

    def _align_referent(self, plan: Plan) -> None:
        """Go to where the referent's body starts, if that is known yet: a union aligns its own parts."""
        if isinstance(plan, ArrayPlan):
            if element_has_place(plan):
                self.align(plan.wire_align)
        elif not isinstance(plan, UnionPlan):
            self.align(plan.wire_align)

    def _shape(self, plan: Plan, path: Path | None) -> Shape:
        """Read the counts in front of a referent."""
        array = plan.tail if isinstance(plan, StructPlan) else plan
        if not isinstance(array, ArrayPlan) or array.body is not None:
            return NO_SHAPE
        count = self._count(array, path) if array.conformant else array.bound or 0
        if isinstance(plan, ArrayPlan):
            return self._range(array, count, path)
        self._justify(array, count if not array.varying else 0, path)
        return Shape(count, 0, count)

    def _range(self, plan: ArrayPlan, count: int, path: Path | None) -> Shape:
        """Read the variance of an array whose size is known and check it against that size."""
        first, length = 0, count
        if plan.varying:
            first, length = self._counts(self._two_counts, "range", plan, path)
        if first + length > count:
            raise RpcError(
                INVALID_BOUND,
                f"elements {first} to {first + length - 1} of an array of {count}",
                path=path_text(path),
                rule="length-within-size",
            )
        self._justify(plan, length, path)
        if plan.is_string and (first or not length):
            raise self.bad_data("a string starts at its first character and has a terminator", path)
        return RECORD(Shape, (length if plan.measures_itself else count, first, length))

    def _justify(self, plan: ArrayPlan, length: int, path: Path | None) -> None:
        """Refuse elements that the rest of the message cannot hold, before room is made for them."""
        if length * max(plan.wire_last, 1) > len(self.data) - self.position:
            raise self.bad_data(f"{length} elements announced, fewer follow", path)

    def _memory_size(self, plan: Plan, shape: Shape) -> int:
        if isinstance(plan, ArrayPlan):
            return shape.size * plan.stride
        if isinstance(plan, StructPlan) and plan.tail is not None:
            return max(plan.size, plan.tail_offset + shape.size * plan.tail.stride)
        return plan.size

    # --- bodies ---

    def _body(
        self, plan: Plan, address: int, scope: int, path: Path | None, found: Found, shape: Shape, new: bool
    ) -> None:
        if plan.body is not None:
            self._flat(plan.body, plan)(address, scope, path, found, new)
        elif isinstance(plan, StructPlan):
            self._struct(plan, address, path, found, shape, new)
        elif isinstance(plan, ArrayPlan):
            if not plan.conformant:
                shape = self._range(plan, plan.bound or 0, path)
            elif plan.varying:
                shape = self._range(plan, shape.size, path)
            self._elements(plan, address, scope, path, found, shape, new)
        elif isinstance(plan, UnionPlan):
            self._union(plan, address, scope, path, found, new)
        else:
            handler = self.handlers.get(type(plan))
            if handler is None:
                raise UsageError(f"{path_text(path)}: {plan.type!r} is not marshalled by this kit")
            handler.unmarshal(self, plan, address, scope, path, new)
            found += self._later
            self._later.clear()

    def _flat(self, body: Body, plan: Plan) -> Move:
        """Return what moves a body of fixed layout by its fused conversion."""
        move = self._flats.get(body)
        if move is None:
            move = self._flats[body] = self._flat_mover(body, plan)
        return move

    def _flat_mover(self, body: Body, plan: Plan) -> Move:
        space, message, size, align, dense = self.space, self.data, body.size, body.wire_align, body.dense
        data, check, note, side = space.data, space.check, self._events.append, space.side
        wire_size, unpack, pack_into = body.wire.size, body.wire.unpack_from, body.memory.pack_into
        checked, slots = bool(body.checks), bool(body.slots)
        pointers = self._pointers(body)

        def move(address: int, scope: int, path: Path | None, found: Found, new: bool) -> None:
            start = self.position + -self.position % align
            values = unpack(message, start)
            self.position = start + wire_size
            if checked:
                self._check(body, values, path)
            offset = check(address, size, "written by the stub")
            waiting = pointers(address, offset, scope, path, start, new) if slots else None
            if dense:
                data[offset : offset + size] = message[start : start + size]
            else:
                pack_into(data, offset, *values)
            span = (start, wire_size, "body", plan, path, 1)
            note(("unmarshal", side, "stub", address, size, self.storage.rules[new], span))
            if waiting:
                found += waiting

        return move

    def _pointers(self, body: Body) -> Callable[[int, int, int, Path | None, int, bool], Found]:
        """Return what reads the ids of a body, and what its pointers held before it is overwritten."""
        message, data, fresh, limit = self.data, self.space.data, RECORD, self._limit
        unpack_ids, unpack_held = body.wire_ids.unpack_from, body.memory_pointers.unpack_from
        slots = [(slot.name, slot.offset, slot.scope, slot.plan) for slot in body.slots]
        have_ids = any(slot.has_id for slot in body.slots)  # all have, or none has

        def read(address: int, offset: int, scope: int, path: Path | None, start: int, new: bool) -> Found:
            honoured = self.storage.keeps_pointers and not new
            numbers = unpack_ids(message, start) if have_ids else NO_NUMBERS
            held = unpack_held(data, offset) if honoured else NO_NUMBERS
            found: Found = []
            for (name, at, within, plan), number, existing in zip(slots, numbers, held):  # noqa: B905 (hot)
                if (number or plan.is_ref) and plan.travels:
                    inner = scope if within is None else address + within
                    room = limit(plan, inner) if existing else None
                    where = (path, name) if name else path
                    found.append(fresh(Waiting, (address + at, number, existing, plan, inner, where, room)))
            return found

        return read

    def _limit(self, plan: PointerPlan, scope: int) -> int | None:
        """Return how many elements the existing storage of a sized pointer has room for, from the old size."""
        target = plan.target
        if not isinstance(target, ArrayPlan) or target.size_of is None:
            return None
        if scope == self.frame:
            return self.limits.get(id(target))
        try:
            return target.count(self.space, scope)
        except (RpcError, MemoryFault):
            return None

    def _check(self, body: Body, values: tuple[Any, ...], path: Path | None) -> None:
        for check in body.checks:
            for value in values[check.first : check.stop]:
                if not check.low <= value <= check.high:
                    raise RpcError(
                        check.status,
                        f"{value} is not in {check.low} … {check.high}",
                        path=path_text(path),
                        rule="range-checked" if not check.both_ways else "enum-fits-16-bits",
                    )

    def _struct(
        self, plan: StructPlan, address: int, path: Path | None, found: Found, shape: Shape, new: bool
    ) -> None:
        self.align(plan.wire_align)
        outer = len(self._in_struct)
        if self.storage.keeps_pointers and not new:
            for offset, _, piece, _ in plan.pieces:
                if isinstance(piece, UnionPlan) and piece.tag_of is not None:
                    self.held_tags[address + offset] = discriminant_at(
                        self.space, piece, address + offset, address
                    )
        padded = self.planner.syntax.padded
        for offset, body, piece, name in plan.pieces:
            if body is not None:
                self._flat(body, plan)(address + offset, address, path, found, new)
            else:
                assert piece is not None
                if padded and plan.tail is not None and piece is plan.tail:
                    self.align(plan.wire_align)
                self._body(piece, address + offset, address, (path, "." + name), found, shape, new)
        if padded and plan.tail is None:
            self.align(plan.wire_align)
        for correlation in self._in_struct[outer:]:
            self._correlate_now_or_later(*correlation)
        del self._in_struct[outer:]

    def _union(
        self, plan: UnionPlan, address: int, scope: int, path: Path | None, found: Found, new: bool
    ) -> None:
        if plan.aligns_arms > 1:
            self.align(plan.wire_align)
        self.align(plan.tag.wire_size)
        start = self.position
        raw = self.take(plan.tag.wire_size)
        tag = int.from_bytes(raw, self._order, signed=plan.tag.wire_code in "bhiq")  # type: ignore[arg-type]
        self.spans.append(Span(start, plan.tag.wire_size, "tag", plan, path))
        arm = chosen_arm(plan, tag, path)
        if self.storage.keeps_pointers and not new:
            new = self._held_tag(plan, address, scope) != tag  # another arm's octets are no pointers
        if plan.tag_of is None:
            self.space.write(address, tag.to_bytes(plan.tag.size, "little", signed=tag < 0))
        elif scope == self.frame or (held := discriminant_at(self.space, plan, address, scope)) is None:
            self.tags.append((plan, tag, scope, path))  # what switch_is names has yet to come
        elif held != tag:
            raise self.bad_data("the discriminant differs from the one in switch_is", path)
        self.align(plan.aligns_arms)
        if arm.plan is not None:
            at = address + plan.arms_offset
            self._body(arm.plan, at, scope, (path, "." + arm.name), found, NO_SHAPE, new)

    def _held_tag(self, plan: UnionPlan, address: int, scope: int) -> int | None:
        """Return the discriminant of the union that the client's memory held before the message came."""
        if plan.tag_of is None:
            return discriminant_at(self.space, plan, address, scope)
        return self.held_tags.get(id(plan) if scope == self.frame else address)

    # --- arrays ---

    def _elements(
        self,
        plan: ArrayPlan,
        address: int,
        scope: int,
        path: Path | None,
        found: Found,
        shape: Shape,
        new: bool,
    ) -> None:
        if plan.size_of or (plan.varying and not plan.is_string):
            self._note_correlation(plan, scope, shape, path, new)
        if new and shape.length < shape.size:
            size = shape.size * plan.stride
            start = self.space.check(address, size, "written by the stub")
            self.space.data[start : start + size] = bytes(size)
        if element_has_place(plan):
            self.align(plan.wire_align)
        _, first, length = shape
        if not length:
            return
        at = address + first * plan.stride
        element, stride = plan.element, plan.stride
        if element.body is None:
            for index in range(length):
                name = (path, f"[{first + index}]")
                self._body(element, at + index * stride, scope, name, found, NO_SHAPE, new)
        elif element.body.slots:
            move = self._flat(element.body, element)
            for index in range(length):
                move(at + index * stride, scope, (path, f"[{first + index}]"), found, new)
        else:
            self._run(plan, element.body, at, length, path, new)
        if plan.is_string:
            self._check_terminator(plan, at, length, path)

    def _run(
        self, plan: ArrayPlan, body: Body, address: int, length: int, path: Path | None, new: bool
    ) -> None:
        """Move elements without pointers: as one block, or by one conversion each."""
        self.align(body.wire_align)
        start, size = self.position, length * plan.stride
        wire_size = (length - 1) * plan.wire_stride + plan.wire_last
        raw = self.take(wire_size)
        offset = self.space.check(address, size, "written by the stub")
        if body.dense and plan.stride == plan.wire_stride:
            self.space.data[offset : offset + size] = raw
        else:
            padded = raw + bytes(plan.wire_stride - plan.wire_last)
            rows = list(plan.wire_element.iter_unpack(padded))
            if body.checks:
                for row in rows:
                    self._check(body, row, path)
            pack = body.memory.pack
            self.space.data[offset : offset + size] = b"".join([pack(*row) for row in rows])
        self._events.append(
            (
                "unmarshal",
                self.space.side,
                "stub",
                address,
                size,
                self.storage.rules[new],
                (start, wire_size, "elements", plan, path, length),
            )
        )

    def _check_terminator(self, plan: ArrayPlan, address: int, length: int, path: Path | None) -> None:
        last = address + (length - 1) * plan.stride - self.space.base
        if any(self.space.data[last : last + plan.stride]):
            raise RpcError(
                BAD_STUB_DATA, "the string is not terminated", path=path_text(path), rule="string-terminated"
            )

    def _note_correlation(
        self, plan: ArrayPlan, scope: int, shape: Shape, path: Path | None, new: bool
    ) -> None:
        """Compare what was received with the attributes when these are there: at once, or when more has arrived."""
        if scope == self.frame:
            self.correlations.append((plan, scope, shape, path, new))
        elif plan.slots_have_ids:
            self._in_struct.append((plan, scope, shape, path, new))
        else:
            self._correlate_now_or_later(plan, scope, shape, path, new)

    def _correlate_now_or_later(
        self, plan: ArrayPlan, scope: int, shape: Shape, path: Path | None, new: bool
    ) -> None:
        """Compare a structure's sizes, at the end of the message if they lie behind pointers yet to be followed."""
        try:
            self._correlate(plan, scope, shape, path, new)
        except RpcError as error:
            if error.code != NULL_REF_POINTER:
                raise
            self.correlations.append((plan, scope, shape, path, new))

    def _correlate(self, plan: ArrayPlan, scope: int, shape: Shape, path: Path | None, new: bool) -> None:
        """Sizes and lengths travel twice, as value and as count: a receiver that trusts the value needs both to agree.

        A client that had the storage before may get fewer elements than its own variable says.
        """
        receives_request = not self.storage.keeps_pointers
        if plan.size_of is None or not (receives_request or new):
            count = shape.size
        else:
            count = plan.count(self.space, scope)
        if count != shape.size:
            raise self.bad_data(f"{shape.size} elements, but the size attribute says {count}", path)
        if receives_request and plan.varying and not plan.is_string:
            first, length = plan.range(self.space, scope, count)
            if (first, length) != (shape.first, shape.length):
                raise self.bad_data(f"{shape.length} elements, but the length attribute says {length}", path)

    # --- for handlers ---

    def value(self, plan: Plan, path: Path | None, provide: Callable[[int], int]) -> int:
        """Read a value without pointers, counts first, into the storage that ``provide`` gives; return its address."""
        shape = self._shape(plan, path)
        self._align_referent(plan)
        size = plan.size if plan.body is not None else self._memory_size(plan, shape)
        address = provide(size)
        self.space.clear(address, size)
        if isinstance(plan, ArrayPlan) and plan.body is None:
            self._elements(plan, address, address, path, [], shape, True)
        else:
            self._body(plan, address, address, path, [], shape, True)
        return address

    def elements(self, plan: ArrayPlan, address: int, count: int, path: Path | None) -> None:
        """Read elements without pointers into existing storage."""
        body = plan.element.body
        assert body is not None
        self._run(plan, body, address, count, path, False)

    def defer(self, pointer: PointerPlan, address: int, scope: int, path: Path | None) -> None:
        """Have what ``pointer`` means read into ``address`` later, where a referent that is met here has its place."""
        self._later.append(Waiting(IN_PLACE, 0, address, pointer, scope, path, None))

    # --- small things ---

    def align(self, alignment: int) -> None:
        """Go to the next multiple of ``alignment``."""
        self.position += -self.position % alignment

    def take(self, size: int) -> bytes:
        """Return the next ``size`` octets. Raises :class:`struct.error` when fewer are left: the message ends too early."""
        data = self.data[self.position : self.position + size]
        if len(data) != size:
            raise struct.error
        self.position += size
        return data

    def _number(self, size: int) -> int:
        return int.from_bytes(self.take(size), self._order)  # type: ignore[arg-type]

    def _id(self) -> int:
        self.align(self._id_size)
        start = self.position
        number = self._number(self._id_size)
        self.spans.append(Span(start, self._id_size, "id", None, None))
        return number

    def _counts(self, codec: Codec, part: str, plan: ArrayPlan, path: Path | None) -> tuple[int, ...]:
        """Read counts that have no memory behind them."""
        start = self.position + -self.position % self._count_size
        counts = codec.unpack_from(self.data, start)
        self.position = start + codec.size
        self.spans.append(RECORD(Span, (start, codec.size, part, plan, path, 1)))
        return counts

    def _count(self, plan: ArrayPlan, path: Path | None) -> int:
        (count,) = self._counts(self._one_count, "size", plan, path)
        if plan.type.count_range and not plan.type.count_range[0] <= count <= plan.type.count_range[1]:
            low, high = plan.type.count_range
            raise RpcError(
                INVALID_BOUND, f"{count} is not in {low} … {high}", path=path_text(path), rule="range-checked"
            )
        return count

    def bad_data(self, why: str, path: Path | None) -> RpcError:
        """Return the exception for octets that do not fit the interface."""
        return RpcError(BAD_STUB_DATA, why, path=path_text(path), rule="bad-data-rejected")


class _Rehearsal(Unmarshaller):
    """Reads a graph to see how large it is; the reading that counts comes afterwards and checks."""

    def check_known(self, waiting: Waiting, address: int) -> None:
        pass

    def _correlate(self, plan: ArrayPlan, scope: int, shape: Shape, path: Path | None, new: bool) -> None:
        pass


def holds_pointers(plan: Plan) -> bool:
    """Return whether the fixed part or the elements of a referent may hold pointers."""
    while isinstance(plan, ArrayPlan):
        plan = plan.element
    return plan.body is None or bool(plan.body.slots)


def discriminant_at(space: AddressSpace, plan: UnionPlan, address: int, scope: int) -> int | None:
    """Return the discriminant in memory, or ``None`` when it cannot be read."""
    try:
        return plan.discriminant(space, address, scope)
    except (RpcError, MemoryFault):
        return None


def existing_string_length(space: AddressSpace, plan: ArrayPlan, address: int) -> int | None:
    """Return the room that a string takes now, or ``None`` when nothing is terminated there."""
    try:
        return string_length(space, plan, address)
    except (RpcError, MemoryFault):
        return None
