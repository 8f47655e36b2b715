"""The blocks of one side over a whole call: in which order they are shown, whose they are, and what became of them.

A side has one order of blocks for all its moments, so that the same storage is found at the same place in every
picture: first the variables, then what they reach depth first, then what is new, then what nothing reaches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from rpcmemkit.audit import Audit
from rpcmemkit.call import Call
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.ledger import Block
from rpcmemkit.memory import AddressSpace
from rpcmemkit.stubs.frame import Frame
from rpcmemkit.trace import Event
from rpcmemkit.walk import Place, reach

NEW, ORPHANED, LEAKED, FREED, DANGLING, KEPT, FAULT, GOING = (
    "NEW",
    "ORPHANED",
    "LEAKED",
    "FREED",
    "DANGLING",
    "KEPT",
    "FAULT",
    "freed later",
)

MEANINGS = {
    NEW: "allocated by the client stub; now the application's to free",
    ORPHANED: "still allocated, but no pointer of the application's leads to it any more",
    LEAKED: "still allocated when the call is over, and nobody will free it",
    FREED: "no longer allocated; its bytes are DD",
    DANGLING: "a pointer to memory that is not allocated",
    KEPT: "still allocated on purpose: the server application holds it",
    FAULT: "what the program did here is not allowed: the note above says what",
    GOING: "the server stub frees it when the call is over",
}
"""The words a picture puts on memory, and what they say."""

OWNERS = {
    "variable": "variables of the application",
    "application": "allocated by the application",
    "stub": "midl_user_allocate, called by the stub",
    "routine": "midl_user_allocate, called by the routine",
    "earlier": "midl_user_allocate, in an earlier call",
    "buffer": "the receive buffer",
    "frame": "the stub's own memory",
    "rpcss": "RpcSsAllocate (an RpcSs environment)",
    "task": "CoTaskMemAlloc (COM's task allocator)",
    "malloc": "malloc, called by the stub",
    "private": "the routine's private allocator",
    "global": "a global variable of the server",
}
"""Who allocated a block, by the key that pictures colour it by."""


class Moment(NamedTuple):
    """What a memory column shows: values from one snapshot, and from another which blocks are still allocated.

    ``ahead`` says whether it also tells what becomes of the blocks later in the call.
    """

    values: str
    at: str
    ahead: bool = False


BEFORE = Moment("client before", "client before")
AFTER = Moment("client after", "client after")
ENTRY = Moment("server entry", "server entry")
EXIT = Moment("server exit", "server exit")
STOP = Moment("server stop", "server stop")


_STORING = (EventKind.ALLOCATE, EventKind.FREE, EventKind.REUSE, EventKind.STACK)


@dataclass(slots=True)
class BlockPlaces:
    """One block and the typed places in it, by address."""

    block: Block
    places: dict[int, Place] = field(default_factory=dict)


class Side(ABC):
    """What both sides have: memory at several moments, and the events that made and freed it."""

    side = ""

    def __init__(self, call: Call, audit: Audit) -> None:
        self.call = call
        self.audit = audit
        snapshots = [name for name in call.trace.snapshots if name.startswith(self.side)]
        self.spaces: dict[str, AddressSpace] = {name: call.space(name) for name in snapshots}
        events = list(call.trace.select(*_STORING, side=self.side))
        self.allocations = [event for event in events if event.kind == EventKind.ALLOCATE]
        self.made = {event.address: event for event in self.allocations if event.address}
        self.freed = {event.address: event for event in events if event.kind == EventKind.FREE}
        self.rules = {
            event.address: event.rule for event in events if event.kind != EventKind.FREE and event.address
        }
        self.storages: dict[int, BlockPlaces] = {}
        self.faults = [event for event in audit.faults if event.side == self.side]

    def _collect(self, places: Iterable[tuple[int, Place | None]]) -> None:
        """Add blocks in the order in which they are met. A type that was seen first stays."""
        ledger = list(self.spaces.values())[-1].ledger
        for address, place in places:
            block = ledger.find(address)
            if block is None:
                continue
            storage = self.storages.setdefault(block.address, BlockPlaces(block))
            if place is not None:
                storage.places.setdefault(address, place)

    def exists(self, storage: BlockPlaces, at: str) -> bool:
        """Whether the block had been allocated by then."""
        space = self.spaces[at]
        return storage.block.address < space.base + len(space.data)

    def live(self, storage: BlockPlaces, at: str) -> bool:
        """Whether the block was allocated and not yet freed."""
        block = self.spaces[at].block(storage.block.address)
        return block is not None and block.live

    @property
    def heap_blocks(self) -> int:
        """How many heap blocks are allocated at the end."""
        if not self.spaces:
            return 0
        return sum(block.live and block.kind.heap for block in list(self.spaces.values())[-1].ledger)

    def owner(self, block: Block) -> str:
        """Return the key of :data:`OWNERS` that says who allocated a block."""
        if block.kind is BlockKind.STACK:
            return "variable" if self.side == "client" else "frame"
        event = self.made.get(block.address)
        if event and event.actor == "stub" and block.kind is BlockKind.APPLICATION:
            return "malloc"  # DCE's client stub
        if block.kind.drawn:
            return block.kind.drawn
        if event is None:
            return "earlier"
        return "routine" if event.actor == "routine" else "stub"

    @abstractmethod
    def faults_at(self, moment: Moment) -> list[Event]:
        """Return the faults that a picture of a moment tells."""

    def words(self, storage: BlockPlaces, moment: Moment) -> tuple[str, ...]:
        """Return the words that a picture of ``moment`` puts on a block."""
        start, end = storage.block.address, max(storage.block.end, storage.block.address + 1)
        wrong = any(start <= event.address < end for event in self.faults_at(moment))
        return (*self._fate(storage, moment), *(FAULT,) * wrong)

    @abstractmethod
    def _fate(self, storage: BlockPlaces, moment: Moment) -> tuple[str, ...]:
        """Return the words that say what becomes of a block."""

    @abstractmethod
    def marked(self, storage: BlockPlaces) -> bool:
        """Whether a picture of the whole call puts a word in capitals on the block."""

    @abstractmethod
    def duty(self, storage: BlockPlaces, moment: Moment) -> str:
        """Say in a few words who has to free the block."""


class Client(Side):
    """The client's memory, ``client before`` and ``client after``."""

    side = "client"

    def __init__(self, call: Call, audit: Audit) -> None:
        super().__init__(call, audit)
        before, after = self.spaces["client before"], self.spaces["client after"]
        roots = list(call.roots.values())
        self._collect(_variables(call.client_frame, call.frame_address, roots))
        self._collect(reach(before, roots).items())
        self.reached = reach(after, roots)
        self._collect(self.reached.items())
        self.ours = {event.address for event in self.made.values() if event.actor == "stub"}
        self._collect((address, None) for address in self.made if address in self.ours)
        self.found = {self._start(address) for address in self.reached}
        self.orphaned = {self._start(place.address) for place in audit.orphaned_places}

    def _start(self, address: int) -> int:
        block = self.spaces["client after"].block(address)
        return block.address if block else address

    def faults_at(self, moment: Moment) -> list[Event]:
        """Return the faults that a picture of a moment tells: it is only after the call that there are any."""
        return self.faults if moment == AFTER else []

    def _fate(self, storage: BlockPlaces, moment: Moment) -> tuple[str, ...]:
        address = storage.block.address
        if not self.live(storage, moment.at):
            return (FREED,)
        if moment == BEFORE:
            return ()
        if address in self.ours:
            return (NEW,) if address in self.found else (NEW, LEAKED)
        return (ORPHANED,) if address in self.orphaned and address not in self.found else ()

    def marked(self, storage: BlockPlaces) -> bool:
        return bool(self.words(storage, AFTER))

    def duty(self, storage: BlockPlaces, moment: Moment) -> str:
        words = self.words(storage, moment)
        if FREED in words:
            event = self.freed.get(storage.block.address)
            return f"the {event.actor} freed it" if event else "freed before the call"
        if LEAKED in words:
            return "nobody can free it: no pointer leads here"
        if ORPHANED in words:
            return "out of reach"
        if storage.block.kind is BlockKind.STACK:
            return "the application's own"
        return "the application must free it" if NEW in words else "freed by it"


class Server(Side):
    """The server's memory, ``server entry`` and ``server exit`` or ``stop`` where the routine ran, and ``server after``."""

    side = "server"

    def __init__(self, call: Call, audit: Audit) -> None:
        super().__init__(call, audit)
        frame = call.server_frame
        for moment in ("server entry", "server exit", "server stop"):
            if moment in self.spaces:
                address = call.trace.snapshots[moment].frame
                arguments = [*frame.places(address).values()]
                self._collect(_variables(frame, address, arguments))
                self._collect(reach(self.spaces[moment], arguments).items())
        if self.spaces:
            self._collect((address, None) for address in self.rules)
        self.leaked = {block.address for block in audit.leaked}
        self.clean_up_faults, self.later_faults = audit.clean_up_faults, audit.later_faults

    def faults_at(self, moment: Moment) -> list[Event]:
        """Return the faults that a picture of a moment tells: the routine's, and where it looks ahead the stub's."""
        if moment.values == "server entry" and not moment.ahead:
            return []
        return [event for event in self.faults if moment.ahead or event not in self.later_faults]

    def _fate(self, storage: BlockPlaces, moment: Moment) -> tuple[str, ...]:
        address = storage.block.address
        if not self.live(storage, moment.at):
            return (FREED,)
        if not moment.ahead or not storage.block.kind.heap:
            return ()
        if not self.live(storage, "server after"):
            return (GOING,)
        return (LEAKED,) if address in self.leaked else (KEPT,)

    @property
    def served(self) -> Moment:
        """The moment of the picture of a whole call: as the routine returned, or else how far it came."""
        last = next(
            (
                name
                for name in ("server exit", "server stop", "server entry", "server after")
                if name in self.spaces
            ),
            "",
        )
        return Moment(last, last, True)

    @property
    def cleaned(self) -> Moment:
        """The moment after the clean-up; freed blocks keep no values, the others have those of before."""
        return Moment(self.served.values, "server after", True)

    def marked(self, storage: BlockPlaces) -> bool:
        left = self.live(storage, "server after") and storage.block.kind.heap
        return left or FAULT in self.words(storage, self.served)

    def duty(self, storage: BlockPlaces, moment: Moment) -> str:
        words = self.words(storage, moment)
        block = storage.block
        if KEPT in words:
            return "the server application must free it"
        if LEAKED in words:
            return "nobody frees it"
        event = self.freed.get(block.address)
        if FREED in words:
            return f"the {event.actor} freed it" if event else "gone with the call"
        if block.kind is BlockKind.RECEIVE_BUFFER:
            return "goes with the request"
        if not block.kind.heap:
            return "goes with the call" if block.kind is BlockKind.STACK else "stays with the server"
        return (
            "the routine frees it"
            if event and event.actor == "routine"
            else "the stub's to free after the reply"
        )


def _variables(frame: Frame, address: int, roots: list[Place]) -> list[tuple[int, Place]]:
    """Return the argument frame, and the variables that lie elsewhere."""
    inside = range(address, address + max(frame.plan.size, 1))
    others = [(place.address, place) for place in roots if place.address not in inside]
    return [(address, Place(frame.plan, address, address, None)), *others]
