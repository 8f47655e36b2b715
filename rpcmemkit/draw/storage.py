"""The blocks of one side over a whole call: in which order they are shown, whose they are, and what became of them.

A side has one order of blocks for all its moments, so that the same storage is found at the same place in every
picture: first the variables, then what they reach depth first, then what is new, then what nothing reaches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rpcmemkit.audit import Audit
from rpcmemkit.call import Call
from rpcmemkit.frame import Frame
from rpcmemkit.memory import AddressSpace, Block
from rpcmemkit.trace import Event
from rpcmemkit.walk import Place, reach

NEW, ORPHANED, LEAKED, FREED, DANGLING, KEPT, GOING = (
    "NEW",
    "ORPHANED",
    "LEAKED",
    "FREED",
    "DANGLING",
    "KEPT",
    "freed later",
)

MEANINGS = {
    NEW: "allocated by the client stub; now the application's to free",
    ORPHANED: "still allocated, but no pointer of the application's leads to it any more",
    LEAKED: "still allocated when the call is over, and nobody will free it",
    FREED: "no longer allocated; its octets are DD",
    DANGLING: "a pointer to memory that is not allocated",
    KEPT: "still allocated on purpose: the server application holds it",
    GOING: "the server stub frees it once the response is marshalled",
}
"""The words a picture puts on memory, and what they say."""

OWNERS = {
    "variable": "variables of the application",
    "application": "allocated by the application",
    "stub": "midl_user_allocate, called by the stub",
    "routine": "midl_user_allocate, called by the routine",
    "buffer": "the receive buffer",
    "frame": "the stub's own memory",
    "rpcss": "RpcSsAllocate (the call's environment)",
    "private": "the routine's private allocator",
    "global": "a global variable of the server",
}
"""Who allocated a block, by the key that pictures colour it by."""

_BY_KIND = {
    "application": "application",
    "receive buffer": "buffer",
    "RpcSs": "rpcss",
    "private": "private",
    "global": "global",
}


@dataclass(slots=True)
class Storage:
    """One block and the typed places in it, by address."""

    block: Block
    places: dict[int, Place] = field(default_factory=dict)


class Side:
    """What both sides have: memory at several moments, and the events that made and freed it."""

    side = ""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.audit = Audit(call)
        snapshots = [name for name in call.trace.snapshots if name.startswith(self.side)]
        self.spaces: dict[str, AddressSpace] = {name: call.space(name) for name in snapshots}
        self.made = _by_address(call.trace.select("allocate", side=self.side))
        self.freed = _by_address(call.trace.select("free", side=self.side))
        self.rules = {e.address: e.rule for e in call.trace.select("allocate", "reuse", side=self.side)}
        self.storages: dict[int, Storage] = {}

    def _collect(self, places: Iterable[tuple[int, Place | None]]) -> None:
        """Add blocks in the order in which they are met. A type that was seen first stays."""
        ledger = list(self.spaces.values())[-1].ledger
        for address, place in places:
            block = ledger.find(address)
            if block is None:
                continue
            storage = self.storages.setdefault(block.address, Storage(block))
            if place is not None:
                storage.places.setdefault(address, place)

    def exists(self, storage: Storage, moment: str) -> bool:
        """Whether the block had been allocated by then."""
        space = self.spaces[moment]
        return storage.block.address < space.base + len(space.data)

    def live(self, storage: Storage, moment: str) -> bool:
        """Whether the block was allocated and not yet freed."""
        block = self.spaces[moment].block(storage.block.address)
        return block is not None and block.live

    def owner(self, block: Block) -> str:
        """Return the key of :data:`OWNERS` that says who allocated a block."""
        if block.kind == "stack":
            return "variable" if self.side == "client" else "frame"
        if block.kind in _BY_KIND:
            return _BY_KIND[block.kind]
        event = self.made.get(block.address)
        return "routine" if event and event.actor == "routine" else "stub"

    def words(self, storage: Storage, moment: str) -> tuple[str, ...]:
        """Return the words that a picture of ``moment`` puts on a block."""
        raise NotImplementedError

    def duty(self, storage: Storage, moment: str) -> str:
        """Say in a few words who has to free the block."""
        raise NotImplementedError


class Client(Side):
    """The client's memory, ``client before`` and ``client after``."""

    side = "client"

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        before, after = self.spaces["client before"], self.spaces["client after"]
        roots = list(call.roots.values())
        self._collect(_variables(call.client_frame, call.frame_address, roots))
        self._collect(reach(before, roots).items())
        self.reached = reach(after, roots)
        self._collect(self.reached.items())
        self.stub_made = [e.address for e in call.trace.select("allocate", side="client", actor="stub") if e.address]
        self._collect((address, None) for address in self.stub_made)
        self.found = {self._start(address) for address in self.reached}
        self.orphaned = {self._start(place.address) for place in self.audit.orphaned_places}
        self.ours = set(self.stub_made)

    def _start(self, address: int) -> int:
        block = self.spaces["client after"].block(address)
        return block.address if block else address

    def words(self, storage: Storage, moment: str) -> tuple[str, ...]:
        address = storage.block.address
        if moment == "client before":
            return () if self.live(storage, moment) else (FREED,)
        if not self.live(storage, moment):
            return (FREED,)
        if address in self.ours:
            return (NEW,) if address in self.found else (NEW, LEAKED)
        return (ORPHANED,) if address in self.orphaned and address not in self.found else ()

    def duty(self, storage: Storage, moment: str) -> str:
        words = self.words(storage, moment)
        if FREED in words:
            event = self.freed.get(storage.block.address)
            return f"the {event.actor} freed it" if event else "freed before the call"
        if LEAKED in words:
            return "nobody can free it: no pointer leads here"
        if ORPHANED in words:
            return "out of reach"
        if storage.block.kind == "stack":
            return "the application's own"
        return "the application must free it" if NEW in words else "freed by it"


class Server(Side):
    """The server's memory, ``server entry`` and ``server exit`` where the routine ran, and ``server after``."""

    side = "server"

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        frame = call.server_frame
        for moment in ("server entry", "server exit"):
            if moment in self.spaces:
                address = call.trace.snapshots[moment].frame
                arguments = [frame.place(name, address) for name, _, _ in frame.all]
                self._collect(_variables(frame, address, arguments))
                self._collect(reach(self.spaces[moment], arguments).items())
        if self.spaces:
            events = call.trace.select("reuse", "allocate", side="server")
            self._collect((event.address, None) for event in events if event.address)
        self.leaked = {block.address for block in self.audit.leaked}
        self.kept = {event.address for event in call.trace.select("keep", side="server")}

    def words(self, storage: Storage, moment: str) -> tuple[str, ...]:
        address = storage.block.address
        if not self.live(storage, moment):
            return (FREED,)
        if moment == "server entry" or address not in self.made or "server after" not in self.spaces:
            return ()
        if not self.live(storage, "server after"):
            return (GOING,)
        return (KEPT,) if address in self.kept else (LEAKED,) if address in self.leaked else ()

    def duty(self, storage: Storage, moment: str) -> str:
        words = self.words(storage, moment)
        block = storage.block
        if KEPT in words:
            return "the server application must free it"
        if LEAKED in words:
            return "nobody frees it"
        event = self.freed.get(block.address)
        if FREED in words:
            return f"the {event.actor} freed it" if event else "gone with the call"
        if block.kind == "receive buffer":
            return "goes with the request"
        return {"frame": "goes with the call", "private": "its owner must free it", "global": "stays"}.get(
            self.owner(block), "the stub frees it after the reply" if event is None or event.actor == "stub" else ""
        ) or "the routine will free it"


def _by_address(events: Iterable[Event]) -> dict[int, Event]:
    return {event.address: event for event in events if event.address}


def _variables(frame: Frame, address: int, roots: list[Place]) -> list[tuple[int, Place]]:
    """Return the argument frame, and the variables that lie elsewhere."""
    inside = range(address, address + max(frame.plan.size, 1))
    others = [(place.address, place) for place in roots if place.address not in inside]
    return [(address, Place(frame.plan, address, address, None)), *others]
