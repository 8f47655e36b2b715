"""Unmarshalling: from stub data to memory, with every count and id treated as hostile.

Where data goes is the business of a :class:`Storage`, which differs between the two stubs; how it gets there is the
same for both and is written here once. Nothing recurses on data: pointers wait on a stack until their turn. As in
marshalling, what holds for all values of a type is bound into a function when the message brings the first one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from itertools import islice, repeat
from struct import Struct as Codec
from typing import Any, TypeAlias

from rpcmemkit.errors import MemoryFault, RpcError, UsageError, counted
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.ndr.aliases import FullPointers
from rpcmemkit.ndr.cursor import MessageCursor
from rpcmemkit.ndr.handlers import NO_HANDLERS, Handlers
from rpcmemkit.ndr.marshal import ROWS, chosen_arm, element_has_place
from rpcmemkit.ndr.storage import IN_PLACE, NO_SHAPE, Found, Shape, Storage, Waiting
from rpcmemkit.ndr.whole import Moment, receive
from rpcmemkit.paths import c_text
from rpcmemkit.plan import (
    ArrayPlan,
    Body,
    Plan,
    Planner,
    PointerPlan,
    StructPlan,
    UnionPlan,
    names_in,
)
from rpcmemkit.plan.compile import UNSIGNED
from rpcmemkit.plan.generated import Graph, graph_of
from rpcmemkit.status import BAD_STUB_DATA, NULL_REF_POINTER
from rpcmemkit.trace import Path, Span, recording
from rpcmemkit.types import Array, Expr, Switched

Move: TypeAlias = "Callable[[int, int, Path | None, Found, bool], None]"
"""Reads a value to an address, given its scope, its path, where to put the pointers it meets, and if storage is new."""


UNMARSHAL = EventKind.UNMARSHAL
NO_NUMBERS = repeat(0)

Follow: TypeAlias = "Callable[[Waiting, Found], None]"
"""Reads what a pointer names, and appends the pointers it meets to the list."""


class Unmarshaller(MessageCursor):
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
        super().__init__(data, planner)
        self.space = space
        self.aliases = aliases
        self.storage = storage
        self.frame = frame
        self.limits = limits or {}
        self.held_tags = tags or {}
        self.handlers = handlers
        self.buffer = 0
        """Where the message lies in the program's memory, 0 if it does not."""
        self.vacate: Callable[[int], bool] | None = None
        """Frees what the object pointer at an address points to and nulls it, if that has to be: on the client."""
        self.pending: set[str] = set()
        """The parameters that the message has yet to bring: what reads one of them cannot be checked before."""
        self.careful = False
        """Whether plain graphs move value by value, too: since one of them held something odd."""
        self.moment = Moment()
        self._reads: dict[ArrayPlan | UnionPlan, frozenset[str]] = {}
        self._later: Found = []
        self.correlations: list[tuple[ArrayPlan, int, Shape, Path | None, bool]] = []
        self._in_struct: list[tuple[ArrayPlan, int, Shape, Path | None, bool]] = []
        self.tags: list[tuple[UnionPlan, int, int, Path | None]] = []
        self._events = space.trace.raw
        self._flats: dict[Body, Move] = {}
        self._arrays: dict[ArrayPlan, Callable[..., None]] = {}
        self._followers: dict[PointerPlan, Follow] = {}
        self._put_pointer = Codec("<" + UNSIGNED[space.pointer_size]).pack_into
        aliases.new_message()

    # --- parameters ---

    @recording()
    def parameter(self, plan: Plan, address: int, name: str, existing: int, new: bool) -> None:
        """Unmarshal the parameter that lies at ``address`` in the stub's frame.

        Raises:
            RpcError: the bytes do not fit the interface, or storage cannot be had.
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
            self.follow(found)
        except struct.error:
            raise RpcError(
                BAD_STUB_DATA, "the message ends too early", path=c_text(path), rule="bad-data-rejected"
            ) from None
        finally:
            self.moment = self.moment.end(self.space)
            for bound in (self._followers, self._flats, self._arrays):  # they refer to this reader: a circle
                bound.clear()
        self.pending.discard(name)

    def indicator(self, address: int, name: str) -> bool:
        """Read whether a [partial_ignore] pointer is non-null: nothing else of it is in a request."""
        try:
            number = self._id()
        except struct.error:
            raise self.bad_data("the message ends too early", (None, name)) from None
        self.space.set_pointer(address, 0)
        self.pending.discard(name)
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
        """Check what could only be checked when all parameters were there: what travels twice has to agree.

        Raises:
            RpcError: RPC_X_BAD_STUB_DATA.
        """
        for correlation in self.correlations:
            self.correlate(*correlation)
        for union, tag, scope, path in self.tags:
            if discriminant_at(self.space, union, 0, scope) != tag:
                raise self.bad_data("the discriminant differs from the one in switch_is", path)

    def follow(self, stack: Found) -> None:
        """Read what the pointers of a stack lead to, and all below it."""
        waiting, followers = None, self._followers
        try:
            while stack:
                waiting = stack.pop()
                pointer = waiting.plan
                if pointer.is_object and waiting.existing and self.vacate and self.vacate(waiting.slot):
                    waiting = waiting._replace(existing=0, replaced=True)
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

    def _follower(self, pointer: PointerPlan) -> Follow:
        """Return what reads the referents of a pointer."""
        target = pointer.target
        follow: Follow = self._referent
        if target.body is not None:
            follow = self._flat_follower(target, target.body)
        elif isinstance(target, ArrayPlan):
            follow = self._array_follower(target)
        if (graph := graph_of(pointer)) is not None:
            follow = partial(self._follow_whole, graph, follow)
        if pointer.is_full or pointer.governs:
            follow = partial(self._follow_unless_known, follow)
        self._followers[pointer] = follow
        return follow

    def _follow_whole(self, graph: Graph, follow: Follow, waiting: Waiting, found: Found) -> None:
        """Read a plain graph in one go, if it goes to new storage and there is nothing odd in it."""
        if self.careful or waiting.existing or not receive(self, graph, waiting):
            self.careful = self.careful or not waiting.existing
            follow(waiting, found)

    def _follow_unless_known(self, follow: Follow, waiting: Waiting, found: Found) -> None:
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
            self.follow([waiting])
        finally:
            self.storage = outer

    def rehearse(self, waiting: Waiting, space: AddressSpace, storage: Storage) -> None:
        """Follow one pointer in a space that is thrown away; this reader stays where it is."""
        reader = _Rehearsal(space, self.planner, FullPointers(self.aliases), self.data, storage, self.frame)
        reader.position = self.position
        slot = space.add_block(self.space.pointer_size, BlockKind.STACK, fill=0)
        reader.follow_with(storage, waiting._replace(slot=slot, existing=0))

    # --- referents ---

    def _flat_follower(self, plan: Plan, body: Body) -> Follow:
        """Return what reads referents of fixed layout."""
        end, align, size, wire_size = len(self.data), body.wire_align, plan.size, body.wire.size
        move, levels = self._flat(body, plan), isinstance(plan, PointerPlan)
        cleared = bool(body.checks and body.slots)

        def follow(waiting: Waiting, found: Found) -> None:
            self.position += -self.position % align
            if self.position + wire_size > end:
                raise struct.error
            address, new = self._place(waiting, size, NO_SHAPE, cleared)
            scope, path = waiting.scope, waiting.path
            move(address, scope, (path, "*") if levels and path else path, found, new)

        return follow

    def _array_follower(self, plan: ArrayPlan) -> Follow:
        """Return what reads arrays."""
        read_shape = self._size_and_range if plan.conformant and plan.varying else self._shape
        stride, align = plan.stride, plan.wire_align if element_has_place(plan) else 1
        cleared, read = holds_pointers(plan), self._elements(plan)

        def follow(waiting: Waiting, found: Found) -> None:
            shape = read_shape(plan, waiting.path)
            self.position += -self.position % align
            address, new = self._place(waiting, shape[0] * stride, shape, cleared)
            read(address, waiting.scope, waiting.path, found, shape, new)

        return follow

    def _referent(self, waiting: Waiting, found: Found) -> None:
        """Read a referent of any other layout."""
        plan, path = waiting.plan.target, waiting.path
        if waiting.slot == IN_PLACE:
            self._body(plan, waiting.existing, waiting.scope, path, [], NO_SHAPE, False)
            return
        shape = self._shape(plan, path)
        self._align_referent(plan)
        address, new = self._place(waiting, self._memory_size(plan, shape), shape, holds_pointers(plan))
        self._body(plan, address, waiting.scope, path, found, shape, new)

    def _place(self, waiting: Waiting, size: int, shape: Shape, cleared: bool) -> tuple[int, bool]:
        """Have the storage find a place for a referent, and let the pointer name it."""
        space, pointer = self.space, waiting.plan
        address, new = self.storage.place(waiting, size, self.position, shape)
        if new and cleared:
            space.clear(address, size)  # a failure half-way must leave no pointer to nowhere in it
        at = space.check(waiting.slot, space.pointer_size, "write of a pointer")
        if at < space.shown:
            space.keep(at, space.pointer_size)
        self._put_pointer(space.data, at, address)
        if pointer.is_full:
            self.aliases.arrived(waiting.number, address)
        return address, new

    def _align_referent(self, plan: Plan) -> None:
        """Go to where the referent's body starts, if that is known yet: a union aligns its own parts."""
        if isinstance(plan, ArrayPlan):
            if element_has_place(plan):
                self.align(plan.wire_align)
        elif not isinstance(plan, UnionPlan):
            self.align(plan.wire_align)

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
            self._elements(plan)(address, scope, path, found, shape, new)
        elif isinstance(plan, UnionPlan):
            self._union(plan, address, scope, path, found, new)
        else:
            handler = self.handlers.get(type(plan))
            if handler is None:
                raise UsageError(f"{c_text(path)}: {plan.type!r} is not marshalled by this kit")
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
        data, check, note, side, limit = space.data, space.check, self._events.append, space.side, self._limit
        wire_size, unpack, pack_into = body.wire.size, body.wire.unpack_from, body.memory.pack_into
        unpack_ids, unpack_held = body.wire_ids.unpack_from, body.memory_pointers.unpack_from
        checked, have_ids = bool(body.checks), any(slot.has_id for slot in body.slots)
        slots = [(slot.name, slot.offset, slot.scope, slot.plan) for slot in body.slots]

        def move(address: int, scope: int, path: Path | None, found: Found, new: bool) -> None:
            start = self.position + -self.position % align
            values = unpack(message, start)
            self.position = start + wire_size
            if checked:
                self._check(body, values, path)
            offset, storage = check(address, size, "write by the stub"), self.storage
            if slots:  # what they held is read before it is overwritten
                keeps, honoured = storage.keeps_pointers, not new and (storage.keeps_pointers or self.vacate)
                numbers = unpack_ids(message, start) if have_ids else NO_NUMBERS
                held = unpack_held(data, offset) if honoured else NO_NUMBERS
                for (name, at, within, pointer), number, existing in zip(slots, numbers, held):  # noqa: B905 (hot)
                    if not (keeps or pointer.is_object):
                        existing = 0  # only what has to be freed counts
                    if (number or pointer.is_ref or (existing and pointer.is_object)) and pointer.travels:
                        inner = scope if within is None else address + within
                        room = limit(pointer, inner) if existing else None
                        where = (path, name) if name else path
                        found.append(Waiting(address + at, number, existing, pointer, inner, where, room))
            if offset < space.shown:
                space.keep(offset, size)
            if dense:
                data[offset : offset + size] = message[start : start + size]
            else:
                pack_into(data, offset, *values)
            span = Span(start, wire_size, "body", plan, path, 1)
            note((UNMARSHAL, side, "stub", address, size, storage.rules[new], span))

        return move

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
                        path=c_text(path),
                        rule="range-checked" if not check.both_ways else "enum-fits-16-bits",
                    )

    def _struct(
        self, plan: StructPlan, address: int, path: Path | None, found: Found, shape: Shape, new: bool
    ) -> None:
        self.align(plan.wire_align)
        outer = len(self._in_struct)
        unions = self._held_unions(plan, address) if self.storage.keeps_pointers and not new else []
        padded = self.planner.syntax.padded
        for offset, body, piece, name in plan.pieces:
            if body is not None:
                self._flat(body, plan)(address + offset, address, path, found, new)
                for union, at in unions:
                    if at > address + offset:  # it has yet to be read
                        now = discriminant_at(self.space, union, at, address)
                        self._clear_other_arm(union, at, self.held_tags[at], now)
            else:
                assert piece is not None
                if padded and plan.tail is not None and piece is plan.tail:
                    self.align(plan.wire_align)
                self._body(piece, address + offset, address, (path, name), found, shape, new)
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
            held = self._held_tag(plan, address, scope)
            new = held != tag
            self._clear_other_arm(plan, address, held, tag)
        if plan.tag_of is None:
            self.space.write(address, tag.to_bytes(plan.tag.size, "little", signed=tag < 0))
        elif (
            self._comes_later(plan, scope)
            or (held := discriminant_at(self.space, plan, address, scope)) is None
        ):
            self.tags.append((plan, tag, scope, path))  # what switch_is names has yet to come
        elif held != tag:
            raise self.bad_data("the discriminant differs from the one in switch_is", path)
        self.align(plan.aligns_arms)
        if arm.plan is not None:
            at = address + plan.arms_offset
            self._body(arm.plan, at, scope, (path, arm.step), found, NO_SHAPE, new)

    def _held_unions(self, plan: StructPlan, address: int) -> list[tuple[UnionPlan, int]]:
        """Note the discriminants of a structure's unions before the message overwrites them."""
        unions = [
            (piece, address + offset)
            for offset, _, piece, _ in plan.pieces
            if isinstance(piece, UnionPlan) and piece.tag_of is not None
        ]
        for union, at in unions:
            self.held_tags[at] = discriminant_at(self.space, union, at, address)
        return unions

    def _clear_other_arm(self, union: UnionPlan, address: int, held: int | None, tag: int | None) -> None:
        """Zero a union of the client that is to have another arm: the bytes of the old one are no pointers.

        It must not look as if they were when the rest of the message is bad.
        """
        if held is not None and tag is not None and held != tag:
            self.space.write(address, bytes(union.size))

    def _held_tag(self, plan: UnionPlan, address: int, scope: int) -> int | None:
        """Return the discriminant of the union that the client's memory held before the message came."""
        if plan.tag_of is None:
            return discriminant_at(self.space, plan, address, scope)
        return self.held_tags.get(id(plan) if scope == self.frame else address)

    # --- arrays ---

    def _elements(self, plan: ArrayPlan) -> Callable[..., None]:
        """Return what reads the elements of an array whose counts are known."""
        read = self._arrays.get(plan)
        if read is None:
            read = self._arrays[plan] = self._array_reader(plan)
        return read

    def _array_reader(self, plan: ArrayPlan) -> Callable[..., None]:
        space, stride, align = self.space, plan.stride, plan.wire_align if element_has_place(plan) else 1
        correlated, is_string = plan.size_of or (plan.varying and not plan.is_string), plan.is_string
        read_elements = self._elements_reader(plan)

        def read(address: int, scope: int, path: Path | None, found: Found, shape: Shape, new: bool) -> None:
            size, first, length = shape
            if correlated:
                self.note_correlation(plan, scope, shape, path, new)
            if new and length < size:
                space.check(address, size * stride, "write by the stub")
                space.clear(address, size * stride)
            self.position += -self.position % align
            if length:
                address += first * stride
                read_elements(address, scope, path, found, first, length, new)
                if is_string:
                    self._check_terminator(plan, address, length, path)

        return read

    def _elements_reader(self, plan: ArrayPlan) -> Callable[..., None]:
        element, stride = plan.element, plan.stride
        body = element.body
        if body is not None and not body.slots:
            return self._run(plan, body)
        flat = None if body is None else self._flat(body, element)

        def one_by_one(
            address: int, scope: int, path: Path | None, found: Found, first: int, length: int, new: bool
        ) -> None:
            for index in range(first, first + length):
                name = (path, f"[{index}]")
                if flat is not None:
                    flat(address, scope, name, found, new)
                else:
                    self._body(element, address, scope, name, found, NO_SHAPE, new)
                address += stride

        return one_by_one

    def _run(self, plan: ArrayPlan, body: Body) -> Callable[..., None]:
        """Return what moves elements without pointers: as one block, or by one conversion each."""
        space, message, stride, end = self.space, self.data, plan.stride, len(self.data)
        data, check, note, side = space.data, space.check, self._events.append, space.side
        wire_stride, wire_last = plan.wire_stride, plan.wire_last
        as_block = body.dense and stride == wire_stride

        def move(
            address: int, scope: int, path: Path | None, found: Found, first: int, length: int, new: bool
        ) -> None:
            start, size = self.position, length * stride
            wire_size = (length - 1) * wire_stride + wire_last
            if start + wire_size > end:
                raise struct.error
            self.position = start + wire_size
            octets = message[start : start + wire_size]
            offset = check(address, size, "write by the stub")
            if offset < space.shown:
                space.keep(offset, size)
            data[offset : offset + size] = octets if as_block else self._converted(plan, body, octets, path)
            span = Span(start, wire_size, "elements", plan, path, length)
            note((UNMARSHAL, side, "stub", address, size, self.storage.rules[new], span))

        return move

    def _converted(self, plan: ArrayPlan, body: Body, octets: bytes, path: Path | None) -> bytearray:
        """Return received elements as they lie in memory."""
        values = plan.wire_element.iter_unpack(octets + bytes(plan.wire_stride - plan.wire_last))
        pack, converted = body.memory.pack, bytearray()
        while rows := list(islice(values, ROWS)):
            if body.checks:
                for row in rows:
                    self._check(body, row, path)
            converted += b"".join([pack(*row) for row in rows])
        return converted

    def _check_terminator(self, plan: ArrayPlan, address: int, length: int, path: Path | None) -> None:
        last = address + (length - 1) * plan.stride - self.space.base
        if any(self.space.data[last : last + plan.stride]):
            raise RpcError(
                BAD_STUB_DATA, "the string is not terminated", path=c_text(path), rule="string-terminated"
            )

    def note_correlation(
        self, plan: ArrayPlan, scope: int, shape: Shape, path: Path | None, new: bool
    ) -> None:
        """Compare what was received with the attributes when these are there: at once, or when more has arrived.

        An early correlation, whose size comes before the array, is checked right away (correlation-descriptors-tfs.md).
        """
        if self._comes_later(plan, scope):
            self.correlations.append((plan, scope, shape, path, new))
        elif plan.slots_have_ids:
            self._in_struct.append((plan, scope, shape, path, new))
        else:
            self._correlate_now_or_later(plan, scope, shape, path, new)

    def _comes_later(self, plan: ArrayPlan | UnionPlan, scope: int) -> bool:
        """Whether the attributes of an array or a union read a parameter that the message has yet to bring."""
        if scope != self.frame:
            return False
        if plan not in self._reads:
            self._reads[plan] = frozenset().union(*map(names_in, attributes_of(plan)))
        return not self._reads[plan].isdisjoint(self.pending)

    def _correlate_now_or_later(
        self, plan: ArrayPlan, scope: int, shape: Shape, path: Path | None, new: bool
    ) -> None:
        """Compare a structure's sizes, at the end of the message if they lie behind pointers yet to be followed."""
        try:
            self.correlate(plan, scope, shape, path, new)
        except RpcError as error:
            if error.code != NULL_REF_POINTER:
                raise
            self.correlations.append((plan, scope, shape, path, new))

    def correlate(self, plan: ArrayPlan, scope: int, shape: Shape, path: Path | None, new: bool) -> None:
        """Sizes and lengths travel twice, as value and as count: a receiver that trusts the value needs both to agree.

        A client that had the storage before may get fewer elements than its own variable says.
        """
        receives_request = not self.storage.keeps_pointers
        if plan.size_of is None or not (receives_request or new):
            count = shape.size
        else:
            count = plan.count(self.space, scope)
        if count != shape.size:
            raise self.bad_data(
                f"{counted(shape.size, 'element')}, but the size attribute says {count}", path
            )
        if receives_request and plan.varying and not plan.is_string:
            first, length = plan.range(self.space, scope, count)
            if (first, length) != (shape.first, shape.length):
                raise self.bad_data(
                    f"{counted(shape.length, 'element')}, but the length attribute says {length}", path
                )

    # --- for handlers ---

    def value(self, plan: Plan, path: Path | None, provide: Callable[[int], int]) -> int:
        """Read a value without pointers, counts first, into the storage that ``provide`` gives; return its address."""
        shape = self._shape(plan, path)
        self._align_referent(plan)
        size = plan.size if plan.body is not None else self._memory_size(plan, shape)
        address = provide(size)
        self.space.clear(address, size)
        if isinstance(plan, ArrayPlan) and plan.body is None:
            self._elements(plan)(address, address, path, [], shape, True)
        else:
            self._body(plan, address, address, path, [], shape, True)
        return address

    def elements(self, plan: ArrayPlan, address: int, count: int, path: Path | None) -> None:
        """Read elements without pointers into existing storage."""
        self.align(plan.element.wire_align)
        self._elements_reader(plan)(address, address, path, [], 0, count, False)

    def defer(self, pointer: PointerPlan, address: int, scope: int, path: Path | None) -> None:
        """Have what ``pointer`` means read into ``address`` later, where a referent that is met here has its place."""
        self._later.append(Waiting(IN_PLACE, 0, address, pointer, scope, path, None))


class _Rehearsal(Unmarshaller):
    """Reads a graph to see how large it is; the reading that counts comes afterwards and checks."""

    def check_known(self, waiting: Waiting, address: int) -> None:
        pass

    def correlate(self, plan: ArrayPlan, scope: int, shape: Shape, path: Path | None, new: bool) -> None:
        pass


def attributes_of(plan: ArrayPlan | UnionPlan) -> tuple[Expr | None, ...]:
    """Return the expressions that say how much of an array there is, or which arm a union has."""
    type_ = plan.type
    if isinstance(type_, Array):
        return type_.size, type_.length, type_.first
    return (type_.switch_is,) if isinstance(type_, Switched) else ()


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
