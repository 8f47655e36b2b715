"""The server stub's clean-up: it visits the pointers of every parameter, and frees what each leads to.

A pointer's referent is looked into first and freed afterwards, parameter by parameter. Only full pointers are looked up
in a table of what was freed. Storage that two unique or reference pointers lead to is freed twice: a fault of the
server program, which has made them share it.

Sources: server-stub-memory-management.md; Wine's PointerFree and NdrFullPointerFree, observed on Wine 8.0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeAlias

from rpcmemkit.errors import MemoryFault
from rpcmemkit.paths import c_text
from rpcmemkit.plan import Plan, PointerPlan
from rpcmemkit.program import Program
from rpcmemkit.trace import Path, recording
from rpcmemkit.walk import Hop, Place, hops, reach

STUB_MEMORY = frozenset({"receive buffer", "stack"})  # the stub's own: no allocator gave it out
REVISITS = 10_000
"""So often storage that is never freed is looked into again: where pointers share it, the ways multiply."""

_Node: TypeAlias = "tuple[int, int]"
"""A referent on the walk: its address, and the identity of its plan."""


class CleanUp:
    """One walk over the pointers of a call. ``graphs`` are the blocks that hold several referents: one call frees each."""

    def __init__(self, program: Program, graphs: Collection[int]) -> None:
        self.program = program
        self.space = program.space
        self.graphs = graphs
        self._visited: set[int] = set()
        self._spared: list[Place] = []
        self._told = {event.address for event in self.space.trace.select("fault")}
        self._met: set[_Node] = set()
        self._open: set[_Node] = set()
        self._tracked: set[int] = set()
        self._freed: dict[int, Path | None] = {}
        self._revisits = REVISITS

    @recording()
    def free(self, parameters: Iterable[Place]) -> None:
        """Free what the parameters lead to. A fault stays in the trace, and the walk goes on."""
        for parameter in parameters:
            stack: list[Hop | tuple[_Node, Path | None]] = [*reversed(hops(self.space, parameter, []))]
            while stack:
                item = stack.pop()
                if len(item) == 2:
                    self._leave(*item)
                elif target := self._visit(*item):
                    node = target.address, id(target.plan)
                    self._open.add(node)
                    stack.append((node, item[3]))
                    stack += reversed(hops(self.space, target, []))
        self._note_kept()

    def _note_kept(self) -> None:
        """Say of what lies below dont_free pointers, and nowhere else, that it is kept on purpose."""
        kept = {place.address: place for place in self._spared}
        for address, place in {**kept, **reach(self.space, self._spared, converted=[])}.items():
            if address not in self._visited:
                self.space.trace.add("keep", "server", "stub", address, place.plan.size, "dont-free-keeps")

    def _visit(self, pointer: PointerPlan, address: int, scope: int, path: Path | None) -> Place | None:
        """Return the referent of a pointer if it is to be looked into and freed."""
        if pointer.type.dont_free:
            self._spared.append(Place(pointer.target, address, scope, _below(pointer, path)))
            return None
        if pointer.is_full:
            if address in self._tracked:
                return None
            self._tracked.add(address)
        block = self.space.block(address)
        if block is None:
            if address not in self._told:
                self._lost(pointer.target, address, path)
            return None
        self._visited.add(address)
        if not block.live:
            self._free(address, path)
            return None
        node = address, id(pointer.target)
        if node in self._open:
            self._endless(address, path)
            return None
        if node in self._met:
            self._revisits -= 1
            if block.address in self.graphs or self._revisits < 0:
                return None
        self._met.add(node)
        return Place(pointer.target, address, scope, _below(pointer, path))

    def _leave(self, node: _Node, path: Path | None) -> None:
        """Free a referent that has been looked into, if an allocator gave it out."""
        self._open.discard(node)
        address = node[0]
        block = self.space.block(address)
        if block and block.kind not in STUB_MEMORY and block.address not in self.graphs:
            self._free(address, path)

    def _free(self, address: int, path: Path | None) -> None:
        try:
            self.program.free(address, "stub", "server-frees-after-reply")
        except MemoryFault as fault:
            if fault.kind == "double free":
                self.space.trace.retell(self._twice(address, path))
        else:
            self._freed[address] = path

    def _twice(self, address: int, path: Path | None) -> str:
        function, name = self.program.pair.free_name, c_text(path)
        attempt = f"the stub calls {function} for {name}"
        if address in self._freed:
            first = c_text(self._freed[address])
            return (
                f"{attempt}, which leads to the block that it freed for {first}, at {address:#x}; only full pointers "
                "([ptr]) may share storage"
            )
        return f"{attempt}, which leads to the block at {address:#x}: the routine has freed that before"

    def _lost(self, target: Plan, address: int, path: Path | None) -> None:
        """The stub follows a pointer that leads to no block: it reads there, or frees what it finds."""
        try:
            if target.body is None or target.body.slots:
                self.space.check(address, 1, f"read by the stub through {c_text(path)}")
            else:
                self.program.free(address, "stub", "server-frees-after-reply")
        except MemoryFault:
            return

    def _endless(self, address: int, path: Path | None) -> None:
        why = f"{c_text(path)} leads back to {address:#x}, which the stub has begun to free: it follows the pointers in it again, and again"
        self.space.fault("stack overflow", address, why, "stub")


def _below(pointer: PointerPlan, path: Path | None) -> Path | None:
    """Return the path of what a pointer leads to."""
    return (path, "*") if isinstance(pointer.target, PointerPlan) and path else path
