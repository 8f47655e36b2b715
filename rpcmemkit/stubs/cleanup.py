"""What stubs free by themselves: the pointers of every parameter are visited, and what each leads to is freed.

A pointer's referent is looked into first and freed afterwards, parameter by parameter. Only full pointers are looked up
in a table of what was freed. Storage that two unique or reference pointers lead to is freed twice: a fault of the
server program, which has made them share it. A proxy frees in the same way what object pointers led to before the call.

Sources: server-stub-memory-management.md; Wine's PointerFree and NdrFullPointerFree, observed on Wine 8.0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import TypeAlias

from rpcmemkit.errors import MemoryFault, counted
from rpcmemkit.kinds import BlockKind, EventKind, FaultKind
from rpcmemkit.ledger import KINDS
from rpcmemkit.memory import AddressSpace
from rpcmemkit.paths import c_text
from rpcmemkit.plan import PointerPlan
from rpcmemkit.program import Program
from rpcmemkit.trace import Path, recording
from rpcmemkit.walk import Hop, Place, all_pointers, found_whole, hops, reach

STUB_MEMORY = frozenset(
    {BlockKind.RECEIVE_BUFFER, BlockKind.STACK}
)  # the stub's own: no allocator gave it out
REVISITS = 10_000
"""So often storage that is never freed is looked into again: where pointers share it, the ways multiply."""

_WHO = {"stub": "the stub", "routine": "the routine", "conversion": "a conversion routine"}

_Node: TypeAlias = "tuple[int, int]"
"""A referent on the walk: its address, and the identity of its plan."""


class CleanUp:
    """One walk over the pointers of a call. ``graphs`` are the blocks that hold several referents: one call frees each.

    ``rule`` is why it frees; ``own`` are the kinds of memory that are the stub's and go by themselves.
    """

    def __init__(
        self,
        program: Program,
        graphs: Collection[int] = (),
        rule: str = "server-frees-after-reply",
        own: Collection[BlockKind] = STUB_MEMORY,
    ) -> None:
        self.program = program
        self.space = program.space
        self.graphs = graphs
        self.rule = rule
        self.own = own
        self._visited: set[int] = set()
        self._spared: list[Place] = []
        self._told = {event.address for event in self.space.trace.select(EventKind.FAULT)}
        self._open: dict[_Node, bool] = {}
        self._tracked: set[int] = set()
        self._found: list[tuple[int, Path | None]] = []
        self._freed: dict[int, Path | None] = {}
        self._revisits = REVISITS

    def free(self, parameters: Sequence[Place]) -> None:
        """Free what the parameters lead to. A fault stays in the trace, and the work goes on."""
        if self._free_rows(parameters):
            return
        for parameter in parameters:
            self._walk(parameter)
        self._note_kept()
        for address, path in self._found:
            self._free(address, path, parameters)

    def _free_rows(self, parameters: Sequence[Place]) -> bool:
        """Free what is a plain graph throughout, and in order; return ``False``, with nothing freed, if something is odd."""
        kind = None if self.graphs else self.program.row_kind(freeing=True)
        if kind is None:
            return False
        rows: list[list[int]] = []
        met: list[int] = []
        for place in parameters:
            unlooked: list[Place] = []
            for pointer, address, scope, _ in hops(self.space, place, unlooked):
                found = found_whole(self.space, pointer, address, scope)
                if found is None:
                    return False
                found.reverse()
                met += found
                rows.append(found)
            if unlooked:
                return False
        if len(set(met)) != len(met):
            return False
        rows = [row if self.space.row_of(row, kind) else self._not_own(row) for row in rows]
        rows = [row for row in rows if row]
        if not all(self.space.row_of(row, kind) for row in rows):
            return False
        for row in rows:
            self.program.free_row(row, "stub", self.rule)
        return True

    def _not_own(self, addresses: list[int]) -> list[int]:
        """Return the addresses that are not in the stub's own memory."""
        kinds, starts = self.space.ledger.kinds, self.space.ledger.starts
        own = {number for number, kind in enumerate(KINDS) if kind in self.own}
        return [address for address in addresses if kinds[bisect_right(starts, address) - 1] not in own]

    def find(self, place: Place) -> list[tuple[int, Path | None]]:
        """Return what would be freed for a value, in order: addresses, and the paths of the pointers that lead there."""
        before = len(self._found)
        self._walk(place)
        return self._found[before:]

    @recording()
    def _walk(self, parameter: Place) -> None:
        """Find what is to be freed, in order. Nothing is freed before: sizes lie in what other parameters lead to."""
        space, found, visit, closed = self.space, self._found, self._visit, self._open
        stack: list[Hop | tuple[_Node, bool, Path | None]] = [*reversed(hops(space, parameter, []))]
        while stack:
            item = stack.pop()
            if len(item) == 3:
                node, frees, path = item
                closed[node] = False
                if frees:
                    found.append((node[0], path))
            elif (own := visit(*item)) is not None:
                pointer, address, scope, path = item
                target = pointer.target
                below = (path, "*") if isinstance(target, PointerPlan) and path else path
                stack.append(((address, id(target)), own, path))
                inner = hops(space, Place(target, address, scope, below), [])
                inner.reverse()
                stack += inner

    def _note_kept(self) -> None:
        """Say of what lies below dont_free pointers, and nowhere else, that it is kept on purpose."""
        kept = {place.address: place for place in self._spared}
        for address, place in {**kept, **reach(self.space, self._spared, converted=[])}.items():
            if address not in self._visited:
                self.space.trace.add(
                    EventKind.KEEP, "server", "stub", address, place.plan.size, "dont-free-keeps"
                )

    def _visit(self, pointer: PointerPlan, address: int, scope: int, path: Path | None) -> bool | None:
        """Return whether a pointer's referent is to be freed once it has been looked into; ``None``: not looked into."""
        if not pointer.travels:
            return None
        if pointer.type.dont_free:
            self._spared.append(Place(pointer.target, address, scope, path))
            return None
        if pointer.is_full:
            if address in self._tracked:
                return None
            self._tracked.add(address)
        block = self.space.block(address)
        self._visited.add(address)
        if block is None:
            if address not in self._told:
                self._found.append((address, path))
            return None
        node = address, id(pointer.target)
        state = self._open.get(node)
        if state:
            self._endless(address, path)
            return None
        own = block.kind in self.own
        frees = not own and block.address not in self.graphs
        if state is False and own and self._revisits > 0:
            self._revisits -= 1  # nobody freed it: the stub finds there what it found before
        elif state is False or not block.live:
            if frees:
                self._found.append((address, path))
            return None
        self._open[node] = True
        return frees

    def release(self, address: int, path: Path | None) -> None:
        """Free what a pointer leads to.

        Raises:
            MemoryFault: it was freed before, or does not come from the allocator in force.
        """
        try:
            self.program.free(address, "stub", self.rule)
        except MemoryFault as fault:
            if fault.kind is FaultKind.DOUBLE_FREE:
                self.space.trace.retell(self._twice(address, path))
            raise
        self._freed[address] = path

    def _free(self, address: int, path: Path | None, parameters: Sequence[Place]) -> None:
        try:
            self.release(address, path)
        except MemoryFault as fault:
            if fault.kind is FaultKind.NOT_ALLOCATED:
                leads = who_leads_to(self.space, parameters, address) or c_text(path)
                self.space.trace.retell(f"{self.program.pair.free_name} for {leads}")

    def _twice(self, address: int, path: Path | None) -> str:
        function, name = self.program.pair.free_name, c_text(path)
        attempt = f"the stub calls {function} for {name}"
        if address in self._freed:
            first = c_text(self._freed[address])
            kept = ", or keep what is shared with [allocate(dont_free)]" * (self.space.side == "server")
            return (
                f"{attempt}, which leads to the block that it freed for {first}, at {address:#x}; only full pointers "
                f"([ptr]) may share storage: use them, or give each pointer a copy of its own{kept}"
            )
        return f"{attempt}, which leads to the block at {address:#x}: {self._who_freed(address)}"

    def _who_freed(self, address: int) -> str:
        if self.space.side == "client":
            return "the application has freed that before"
        block = self.space.block(address)
        start = block.address if block else address
        freed = self.space.trace.select(EventKind.FREE, EventKind.MARK, side="server")
        actor = next((event.actor for event in freed if event.address == start), "")
        if actor:
            return f"{_WHO[actor]} has freed that before"
        if self.program.freed_by_routine(start):
            return "a routine freed that in an earlier call"
        return "the stub freed that at the end of an earlier call"

    def _endless(self, address: int, path: Path | None) -> None:
        why = f"{c_text(path)} leads back to {address:#x}, which the stub has begun to free: it follows the pointers in it again, and again"
        self.space.fault(FaultKind.STACK_OVERFLOW, address, why, "stub")


def who_leads_to(space: AddressSpace, roots: Sequence[Place], address: int) -> str:
    """Tell which pointer first leads to an address in no block, and why: nobody wrote it, or not with a live address."""
    for place in all_pointers(space, roots):
        if space.pointer_at(place.address) != address:
            continue
        name, holder = c_text(place.path), space.block(place.address)
        made = space.trace.select(EventKind.ALLOCATE, side=space.side)
        allocator = next((e.of(str) for e in made if holder and e.address == holder.address), "")
        if space.is_unwritten(address) and holder and allocator:
            return (
                f"{name}, which was never written: {allocator} gave the block at {holder.address:#x} "
                f"({counted(holder.size, 'byte')}) that it lies in, and zeroes nothing"
            )
        return f"{name}, which holds {space.nowhere(address)}"
    return ""
