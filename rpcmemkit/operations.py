"""What application code does to memory: set, allocate, point, free. Used by routines, views and scenario files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from rpcmemkit.errors import MemoryFault, RpcError, UsageError
from rpcmemkit.kinds import EventKind
from rpcmemkit.ledger import Row
from rpcmemkit.memory import NEW
from rpcmemkit.paths import c_text, value_place
from rpcmemkit.plan import ArrayPlan, Plan, PointerPlan
from rpcmemkit.program import ALLOCATORS as PAIRS
from rpcmemkit.program import DEALLOCATORS, LARGEST_BLOCK, Pair, Program
from rpcmemkit.status import OUT_OF_MEMORY
from rpcmemkit.stubs.frame import Frame
from rpcmemkit.trace import Path, Run
from rpcmemkit.values import UNWRITTEN, Labels, Rows, Writer, elements_of, is_unwritten, storage_size
from rpcmemkit.walk import Place, reach

ALLOCATORS = (*PAIRS, "private")
IN_FORCE = ""
"""Stands for the pair in force, :attr:`rpcmemkit.program.Program.pair`."""


class Operations:
    """Memory operations of one actor: ``routine`` on the server, ``application`` on the client, ``conversion`` on both.

    Without ``zeroes`` the members of new storage that a value leaves out stay as the allocator gave them.
    """

    def __init__(
        self, program: Program, actor: str, labels: Labels | None = None, *, zeroes: bool = True
    ) -> None:
        self.program = program
        self.actor = actor
        self.labels = labels
        self.zeroes = zeroes

    def set(self, place: Place, value: Any) -> None:
        """Write a value in place: through pointers, except that ``None`` makes the pointer itself null.

        Raises:
            UsageError: the value does not fit the type.
            MemoryFault: the place may not be written.
        """
        path = c_text(place.path)
        if is_unwritten(value):
            raise UsageError(f"{path}: only new storage can be left unwritten: use allocate")
        if value is not None:
            place = value_place(self.program.space, place, path, ": use allocate")
        elif not isinstance(place.plan, PointerPlan):
            raise UsageError(f"{path}: only a pointer can be null")
        if isinstance(place.plan, ArrayPlan):
            self._check_room(place, place.plan, value)
        self._write(place, value, IN_FORCE)

    def allocate(self, place: Place, value: Any = UNWRITTEN, allocator: str = IN_FORCE) -> int:
        """Allocate new storage for a value, write it there, and make the pointer at ``place`` point to it.

        With ``UNWRITTEN`` nothing is written. ``None`` is the null that a new pointer holds. ``allocator`` is one of ``ALLOCATORS``; without one it is the allocator in force.

        Raises:
            UsageError: the place holds no pointer, or the allocator needs an environment that nobody set up.
            RpcError: RPC_S_OUT_OF_MEMORY, as a careful routine would raise it.
        """
        if not isinstance(place.plan, PointerPlan):
            raise UsageError(f"{c_text(place.path)}: only a pointer can name new storage")
        target = place.plan.target
        if value is None and not isinstance(target, PointerPlan):
            raise UsageError(f"{c_text(place.path)}: what it points to is no pointer, so it cannot be null")
        path = (place.path, "*") if isinstance(target, PointerPlan) and place.path else place.path
        if allocator == IN_FORCE and self._allocate_whole(place, value):
            self._note(
                EventKind.WRITE,
                address := self.program.space.pointer_at(place.address),
                max(target.size, 1),
                path,
            )
            return address
        address = self._allocate(storage_size(target, value, place.path), allocator)
        self.program.space.set_pointer(place.address, address)
        self._note(EventKind.WRITE, place.address, place.plan.size, place.path)
        self._clear(target, address)
        self._write(Place(target, address, place.scope, path), value, allocator, address)
        return address

    def point(self, place: Place, other: Place) -> None:
        """Make the pointer at ``place`` equal to the one at ``other``."""
        if not isinstance(place.plan, PointerPlan) or not isinstance(other.plan, PointerPlan):
            where = place if not isinstance(place.plan, PointerPlan) else other
            raise UsageError(f"{c_text(where.path)}: there is no pointer")
        self.assign(place, self.program.space.pointer_at(other.address))

    def assign(self, place: Place, address: int) -> None:
        """Store an address in the pointer at ``place``."""
        self.program.space.set_pointer(place.address, address)
        self._note(EventKind.WRITE, place.address, place.plan.size, place.path)

    def free(self, place: Place, deallocator: str = IN_FORCE) -> int:
        """Free the storage that the pointer at ``place`` names, and return its address. The pointer keeps its value.

        Raises:
            MemoryFault: the storage may not be freed.
        """
        if not isinstance(place.plan, PointerPlan):
            raise UsageError(f"{c_text(place.path)}: only what a pointer names can be freed")
        return self.free_at(self.program.space.pointer_at(place.address), deallocator)

    def free_at(self, address: int, deallocator: str = IN_FORCE) -> int:
        """Free the storage at ``address``, and return it.

        Without a deallocator it is the one in force; what the application allocated for itself goes back by ``free``.

        Raises:
            MemoryFault: the storage may not be freed.
            UsageError: there is no such deallocator.
        """
        rule = f"{self.actor}-frees" if self.actor in {"routine", "conversion"} else "client-owns"
        if deallocator == IN_FORCE:
            self.program.release(address, self.actor, rule)
        else:
            self.program.free(address, self.actor, rule, self._pair_of(deallocator))
        return address

    def _pair_of(self, deallocator: str) -> Pair:
        if deallocator not in [*DEALLOCATORS]:
            known = ", ".join(DEALLOCATORS)
            raise UsageError(f"no deallocator is called {deallocator!r}; there are: {known}")
        return self.program.pairs[DEALLOCATORS[deallocator]]

    def result_storage(self, place: Place, value: Any, allocator: str = IN_FORCE) -> None:
        """Write a function's result: a structure behind a pointer is new storage from the routine's allocator.

        A routine that fails on the way returns nothing: what it has allocated by then is lost.
        """
        try:
            if isinstance(place.plan, PointerPlan) and value is not None:
                self.allocate(place, value, allocator)
            else:
                self._write(place, value, allocator)
        except (RpcError, MemoryFault):
            # when an asynchronous call is over, its result's place is gone
            if self.program.space.capacity(place.address):
                self.program.space.write(place.address, bytes(place.plan.size))
            raise

    # --- helpers ---

    def _allocate(self, size: int, allocator: str) -> int:
        if allocator == "private":
            return self.program.allocate_private(size, self.actor)
        if allocator not in (IN_FORCE, *ALLOCATORS):
            raise UsageError(f"no allocator is called {allocator!r}; there are: {', '.join(ALLOCATORS)}")
        pair = self.program.pairs.get(allocator)
        address = self.program.try_allocate(size, self.actor, f"{self.actor}-allocates", pair)
        if not address:
            raise RpcError(
                OUT_OF_MEMORY, "the allocator returned a null pointer", rule="allocator-null-raises"
            )
        return address

    def _allocate_new(self, size: int, allocator: str = IN_FORCE) -> int:
        """Return a new block of zeros."""
        address = self._allocate(size, allocator)
        self.program.space.clear(address, size)
        return address

    def _allocate_whole(self, place: Place, value: Any) -> bool:
        """Allocate in one go what a value and all below it take; return ``False``, with nothing done, if that cannot be."""
        space = self.program.space
        if self.labels is not None or is_unwritten(value) or space.capacity(place.address) < place.plan.size:
            return False

        def allocate(data: bytearray, sizes: Sequence[int]) -> Row | None:
            return self._allocate_row(data, sizes, place)

        writer = Writer(space, self._allocate_new, zeroes=self.zeroes, rows=Rows(NEW, allocate))
        return writer.whole(place, value)

    def _allocate_row(self, data: bytearray, sizes: Sequence[int], root: Place | None = None) -> Row | None:
        """As :meth:`_allocate` with the pair in force, for many blocks; ``root`` is a pointer that is set to the first."""
        program = self.program
        if not program.row_kind() or max(sizes) > LARGEST_BLOCK:
            return None
        addresses = program.allocate_row(data, sizes)
        program.calls += len(sizes)
        like = (
            EventKind.ALLOCATE,
            program.side,
            self.actor,
            0,
            0,
            f"{self.actor}-allocates",
            program.pair.name,
        )
        if root is not None:
            program.trace.raw.append((*like[:3], addresses[0], sizes[0], *like[5:]))
            self._note(EventKind.WRITE, root.address, root.plan.size, root.path)
        if len(sizes) > (alone := root is not None):
            program.trace.raw.append(Run.of_blocks(like, addresses[alone:], addresses[alone:].sizes))
        return addresses

    def _clear(self, plan: Plan, address: int) -> None:
        size = self.program.space.capacity(address)
        self.program.space.write(address, bytes(size))

    def _check_room(self, place: Place, plan: ArrayPlan, value: Any) -> None:
        items = elements_of(plan, value, place.path)
        needed = len(items) if isinstance(items, bytes) else len(items) * plan.stride
        self.program.space.check(place.address, needed, "write", place.path)

    def _write(self, place: Place, value: Any, allocator: str, fresh: int = 0) -> None:
        """Write a value. What lies at ``fresh`` is new storage."""
        new = partial(self._allocate_new, allocator=allocator)
        rows = Rows(NEW, self._allocate_row) if allocator == IN_FORCE else None
        writer = Writer(self.program.space, new, self.labels, fresh=fresh, zeroes=self.zeroes, rows=rows)
        writer.write(place, value)
        writer.finish()
        if not is_unwritten(value):
            self._note(EventKind.WRITE, place.address, max(place.plan.size, 1), place.path)

    def _note(self, kind: EventKind, address: int, size: int, path: Path | None = None) -> None:
        self.program.trace.raw.append((kind, self.program.side, self.actor, address, size, "", path))


def clear_out_parameters(program: Program, frame: Frame, address: int) -> None:
    """Free what the proxy has allocated below [out] parameters, and zero them (nf-rpcndr-ndrclearoutparameters.md)."""
    space, rule = program.space, "proxy-clears-out"
    made = {
        event.address for event in program.trace.select(EventKind.ALLOCATE, side=program.side, actor="stub")
    }
    for place in _out_storage(program, frame, address):
        for inner in reversed(reach(space, [place])):
            if inner in made:
                program.guarded_free(inner, "stub", rule)
        _zero(program, place, rule)


def zero_out_parameters(program: Program, frame: Frame, address: int) -> None:
    """Zero the storage of [out]-only parameters, as a proxy does before a call (multiple-levels-of-pointers.md).

    Raises:
        MemoryFault: the application passed a pointer that leads nowhere.
    """
    for place in _out_storage(program, frame, address):
        _zero(program, place, "proxy-zeroes-out")


def _out_storage(program: Program, frame: Frame, address: int) -> Iterator[Place]:
    """Yield what the [out]-only parameters of a frame name, null pointers aside."""
    for name, plan, offset in frame.pure_outputs:
        if isinstance(plan, PointerPlan) and (storage := program.space.pointer_at(address + offset)):
            yield Place(plan.target, storage, address, (None, name))


def _zero(program: Program, place: Place, rule: str) -> None:
    plan, size = place.plan, place.plan.size
    if isinstance(plan, ArrayPlan) and plan.size_of is not None:
        size = plan.count(program.space, place.scope) * plan.stride
    elif isinstance(plan, ArrayPlan) and plan.bound is None:
        size = program.space.capacity(place.address)
    program.space.write(place.address, bytes(size))
    program.trace.add(EventKind.WRITE, program.side, "stub", place.address, size, rule)
