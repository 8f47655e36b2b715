"""What a finished call did to memory: orphaned, leaked, dangling and mismatched storage, and the counts.

Everything here is computed from the trace and the snapshots in it; nothing asks the programs.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from rpcmemkit import given
from rpcmemkit.call import Call
from rpcmemkit.errors import MemoryFault, counted
from rpcmemkit.kinds import BlockKind, EventKind, FaultKind
from rpcmemkit.ledger import Block
from rpcmemkit.memory import NEW, AddressSpace
from rpcmemkit.paths import c_text, is_cut, path_text, storage_label, storage_name
from rpcmemkit.plan import StructPlan
from rpcmemkit.program import DISABLING
from rpcmemkit.status import status_name
from rpcmemkit.stubs.statuses import status_variable
from rpcmemkit.trace import Event, Fault, HandleName, Kept, PackageCall, Span, Trace
from rpcmemkit.walk import Place, all_pointers, reach, reached_whole

SHOWN = 6  # names or faults in a repr


def storage_at(space: AddressSpace, address: int) -> str | None:
    """Return where the storage at an address lies, as scenarios say it; ``None`` for a null pointer."""
    block = space.block(address) if address else None
    return block.kind.seen if block else None


def stored_ending(call: Call) -> str:
    """Return how a call ended whose exception became a value ([comm_status], [fault_status]); nothing of other calls."""
    error = call.stored
    if error is None:
        return ""
    who = (
        "The server"
        if any(call.trace.select(EventKind.RAISE, EventKind.FAULT, side="server"))
        else "The client stub"
    )
    variable = status_variable(call.client_frame, error.code)
    where = "the function's result" if variable == "return" else f"in {variable}"
    data = "Other [out] data may be half written" if call.response else "No other [out] data came back"
    return f"{who} raised {ending(error.code)}. The call returns normally; the code is {where}. {data}: do not use it."


def ending(status: int) -> str:
    """Return a status by its name and its number, or as an exception that only has a number."""
    name = status_name(status)
    return f"exception {name}" if name == str(status) else f"{name} ({status})"


LEAKS = ("other allocator", "inside", "state", "conversion", "other environment", "unreachable")
"""Why a server stub leaves a block: its deallocator does not fit the block; what it follows leads into the middle; the
block was the state of a context handle; a conversion routine made it; the stub releases an environment, and the block
is none of it; nothing leads to the block."""


def _values(event: Event) -> Iterator[tuple[int, int]]:
    """Yield where the values lay that one event of marshalling moved: gaps in memory do not travel."""
    span = event.of(Span)
    plan, size = (span.plan.element, span.plan.stride) if span.part == "elements" else (span.plan, event.size)
    pieces = plan.pieces if isinstance(plan, StructPlan) and plan.body is None else ()
    bodies = [plan.body, *(body for _, body, _, _ in pieces)]
    moved = next((body for body in bodies if body and body.size == size), None)
    extents = [(field.offset, field.plan.size * field.count) for field in moved.fields] if moved else []
    if sum(extent for _, extent in extents) == size:
        extents, size = [(0, event.size)], event.size
    for start in range(event.address, event.address + event.size, max(size, 1)):
        yield from ((start + offset, extent) for offset, extent in extents)


@dataclass(frozen=True, slots=True)
class Dangling:
    """A pointer that is left holding an address of no live memory: nobody wrote it, or what it points to was freed.

    ``advice`` says why, and what to do about it, where that is known.
    """

    side: str
    path: str
    address: int
    unwritten: bool = False
    advice: str = ""

    def __str__(self) -> str:
        what = "NEVER WRITTEN" if self.unwritten else "DANGLING"
        return f"{what}: {self.path} on the {self.side}{f': {self.advice}' if self.advice else '.'}"


class Audit:
    """The verdict on one call."""

    def __init__(self, call: Call) -> None:
        self.call = given.instance("an audit", call, Call, "a finished call, as session.call(…) returns it")
        self.trace = call.trace

    # --- counts ---

    @property
    def client_allocations(self) -> int:
        """How often the client stub called the allocator; a failing attempt counts."""
        return _number(self.trace.tally(EventKind.ALLOCATE, side="client", actor="stub"))

    @property
    def client_frees(self) -> int:
        """How often the client stub called the deallocator; a failing attempt counts."""
        return _number(self.trace.tally(EventKind.FREE, EventKind.FAULT, side="client", actor="stub"), _frees)

    @property
    def server_allocations(self) -> int:
        """How often the server stub and the routine called the allocator."""
        return _number(
            self.trace.tally(EventKind.ALLOCATE, side="server"), lambda event: event.detail != "private"
        )

    @property
    def server_frees(self) -> int:
        """How often the server stub and the routine called the deallocator; a failing attempt counts."""
        return _number(
            self.trace.tally(EventKind.FREE, EventKind.MARK, EventKind.FAULT, side="server"), _frees
        )

    @property
    def server_marked(self) -> int:
        """How many of the :attr:`server_frees` only marked their block: the memory goes with its environment."""
        return _number(self.trace.tally(EventKind.MARK, side="server"))

    @property
    def server_released(self) -> int:
        """How many server blocks went as a whole with an RpcSs environment, marked or not."""
        return _number(
            self.trace.tally(EventKind.FREE, side="server"), lambda event: event.detail in DISABLING
        )

    @property
    def server_balance(self) -> str:
        """What became of the server's blocks, in one line."""
        notes = [f"{self.server_marked} only marked"] * bool(self.server_marked)
        notes += self._failed_frees(self.trace.select(EventKind.FAULT, side="server"))
        marked = f" ({', '.join(notes)})" * bool(notes)
        released = f", {self.server_released} released with the environment" * bool(self.server_released)
        return (
            f"{self.server_allocations} allocated, {self.server_frees} freed{marked}{released}, "
            f"{self.server_leaked} leaked"
        )

    @property
    def client_balance(self) -> str:
        """What became of the blocks that the client stub handled, in one line."""
        notes = self._failed_frees(self.trace.select(EventKind.FAULT, side="client", actor="stub"))
        failed = f" ({notes[0]})" if notes else ""
        orphaned = len(self.orphaned_places)
        return f"{self.client_allocations} allocated, {self.client_frees} freed{failed}, {orphaned} orphaned"

    @staticmethod
    def _failed_frees(faults: Iterable[Event]) -> list[str]:
        failed = sum(map(_frees, faults))
        return [f"{counted(failed, 'free')} failed"] * bool(failed)

    # --- the client ---

    @cached_property
    def _before(self) -> dict[int, Place]:
        return reach(self.call.space("client before"), self.call.roots.values())

    @cached_property
    def _after(self) -> dict[int, Place]:
        return reach(self.call.space("client after"), self.call.roots.values())

    @cached_property
    def _may_be_lost(self) -> bool:
        """Whether something that could be reached before the call might be lost: else nobody has to look for its name."""
        roots = list(self.call.roots.values())
        before = reached_whole(self.call.space("client before"), roots)
        after = reached_whole(self.call.space("client after"), roots) if before is not None else None
        return before is None or after is None or not after.issuperset(before)

    @cached_property
    def orphaned_places(self) -> list[Place]:
        """Client storage that the application could reach before the call, and that is still allocated, but lost.

        Storage inside a block that can still be reached elsewhere, a [byte_count] buffer for one, is not lost.
        """
        if not self._may_be_lost:
            return []
        space = self.call.space("client after")
        lost = [place for address, place in self._before.items() if address not in self._after]
        kept = {block.address for address in self._after if lost and (block := space.block(address))}
        return [
            p for p in lost if (block := space.block(p.address)) and block.live and block.address not in kept
        ]

    @property
    def orphaned(self) -> list[str]:
        """The labels of the orphaned storage, in the order in which it could be reached before."""
        name = self.call.labels.name
        return [name(place.address) or storage_label(place) for place in self.orphaned_places]

    @property
    def orphaned_names(self) -> list[str]:
        """As :attr:`orphaned`, for people: paths as C writes them."""
        name = self.call.labels.shown
        return [name(place.address) or storage_name(place) for place in self.orphaned_places]

    @property
    def client_places(self) -> dict[int, Place]:
        """What the arguments lead to on the client, by address: before the call, then after it."""
        return {**self._after, **self._before}

    @property
    def client_made(self) -> Iterator[Event]:
        """What the client stub allocated, or tried to."""
        return self.trace.select(EventKind.ALLOCATE, side="client", actor="stub")

    @property
    def new_places(self) -> list[Place]:
        """Client storage that the stub allocated and the application can reach: its own to free now."""
        made = {event.address for event in self.client_made}
        return [place for address, place in self._after.items() if address in made]

    @property
    def replacing(self) -> list[int]:
        """The new storage that stands where the proxy has freed what an object pointer pointed to."""
        freed = self.trace.select(EventKind.FREE, side="client", actor="stub")
        gone = [self._before.get(e.address) for e in freed if e.rule == "object-pointer-replaced"]
        paths = {c_text(place.path) for place in gone if place}
        return [place.address for place in self.new_places if c_text(place.path) in paths] if paths else []

    # --- the server ---

    @cached_property
    def leaked(self) -> list[Block]:
        """Server blocks of this call that are still allocated though nothing keeps them, an RpcSs environment for one."""
        return leaked_in(self.trace)

    @property
    def leaked_names(self) -> list[str]:
        """What leads, or led on entry, to each of :attr:`leaked`, as C writes it; of others their address."""
        places = self.server_places
        return [
            storage_name(places[block.address]) if block.address in places else f"{block.address:#x}"
            for block in self.leaked
        ]

    @property
    def verdict(self) -> str:
        """How the call ended and what is wrong, in a few words; ``ok`` if nothing is."""
        found = {
            "orphaned": len(self.orphaned_places),
            "leaked": self.server_leaked,
            "dangling": sum(not each.unwritten for each in self.dangling),
            "never written": sum(each.unwritten for each in self.dangling),
            "at fault": len(self.faults),
        }
        wrong = [f"{count} {what}" for what, count in found.items() if count]
        wrong += ["unwritten bytes sent"] * bool(self.unwritten_sent)
        status = status_name(self.call.status) if self.call.status else "ok"
        if not wrong:
            return status
        return f"{', '.join(wrong)}; {status if self.call.status else 'the call succeeds'}"

    @property
    def server_leaked(self) -> int:
        """How many server blocks the call leaked."""
        return len(self.leaked)

    def why_leaked(self, block: Block) -> str:
        """Return why the server stub did not free a block that the call leaked: one of ``LEAKS``."""
        frame, faults = self.call.server_frame, [(e.of(Fault).kind, e.address) for e in self.clean_up_faults]
        if (FaultKind.MISMATCHED_FREE, block.address) in faults:
            return "other allocator"
        if any(kind == "inside a block" and block.address < at < block.end for kind, at in faults):
            return "inside"
        if any(block.address in each for each in self.trace.blocks(*LETS_GO, side="server")):
            return "state"
        made = self.trace.select(EventKind.ALLOCATE, side="server", actor="conversion")
        if any(event.address == block.address for event in made):
            return "conversion"
        if frame.interface.osf or frame.enables_environment:
            return "other environment"
        return "unreachable"

    @cached_property
    def clean_up_faults(self) -> list[Event]:
        """The faults that the server stub meets by freeing: what the routine left is not fit for its clean-up."""
        return self.later_faults[self.reply_fault is not None :]

    @cached_property
    def reply_fault(self) -> Event | None:
        """The fault that the server stub meets while it makes the reply: then no response is sent."""
        returned = "server exit" in self.trace.snapshots
        if not returned or self._reply_made or not self.later_faults:
            return None
        return self.later_faults[0]

    @property
    def _reply_made(self) -> bool:
        """Whether the stub got through the reply; an exception of its own ends that without a fault."""
        behind = self.trace.between(self._routine_ends)
        raised = any(e.kind == EventKind.RAISE and e.side == "server" and e.actor == "stub" for e in behind)
        gone = any(self.trace.select(EventKind.DISCONNECT))
        return raised or gone or "response" in self.trace.messages

    @cached_property
    def later_faults(self) -> list[Event]:
        """The server's faults after the routine has ended."""
        ended = self.trace.between(self._routine_ends)
        return [event for event in ended if event.kind == EventKind.FAULT and event.side == "server"]

    @property
    def _routine_ends(self) -> int:
        """The place in the trace where the routine has ended: by returning, else by what it raised or did wrong."""
        if left := left_by_routine(self.trace):
            return self.trace.snapshots[left].event
        return next(
            (place for place, _ in self.trace.places(EventKind.RAISE, EventKind.FAULT, side="server")), 0
        )

    @cached_property
    def server_places(self) -> dict[int, Place]:
        """What the parameters lead to on the server, by address: on entry, then as the routine leaves it."""
        places: dict[int, Place] = {}
        for moment in ("server entry", left_by_routine(self.trace)):
            if moment in self.trace.snapshots:
                try:
                    found = reach(self.call.space(moment), self._server_roots(moment))
                except MemoryFault:  # a parameter itself cannot be read
                    continue
                places = {**found, **places}
        return places

    def storage(self, address: int) -> str | None:
        """Return where a server referent lived when the routine was entered, as ``server_storage`` names it."""
        return storage_at(self.call.space("server entry"), address)

    @property
    def server_storage(self) -> dict[str, str | None]:
        """For every pointer that the routine could reach on entry: its path and where its referent lived."""
        if "server entry" not in self.trace.snapshots:
            return {}
        space = self.call.space("server entry")
        result: dict[str, str | None] = {}
        for pointer in all_pointers(space, self._server_roots("server entry")):
            path = path_text(pointer.path)
            if is_cut(path):  # shortened, so it may not be the only one of its name
                path += f"@{pointer.address:#x}"
            result[path] = storage_at(space, space.pointer_at(pointer.address))
        return result

    def _server_roots(self, snapshot: str) -> list[Place]:
        """Return the parameters on the server, and the result where the routine has run."""
        frame = self.call.trace.snapshots[snapshot].frame
        places = self.call.server_frame.places(frame)
        return [place for name, place in places.items() if name != "return" or snapshot != "server entry"]

    @cached_property
    def unwritten_sent(self) -> int:
        """How many bytes of the response came from new server memory that nobody had written: what it held leaks out."""
        holes = sorted(
            {(e.address, e.address + e.size) for e in self.trace.select(EventKind.UNWRITTEN, side="server")}
        )
        if not holes or "response" not in self.trace.messages:
            return 0
        space, starts = self.call.space("server exit"), [start for start, _ in holes]
        sent = 0
        for address, size in (
            part for e in self.trace.select(EventKind.MARSHAL, side="server") for part in _values(e)
        ):
            end = address + size
            for start, stop in holes[max(bisect_right(starts, address) - 1, 0) : bisect_left(starts, end)]:
                first, last = max(start, address) - space.base, min(stop, end) - space.base
                sent += space.data[first:last].count(NEW) if first < last else 0
        return sent

    # --- the RpcSs package ---

    @property
    def environments_left(self) -> int:
        """How many more RpcSs environments the application code of both sides enabled than it disabled."""
        return balance(self.trace)

    @property
    def statuses(self) -> list[str]:
        """What the RpcSm functions returned, in order."""
        return returned(self.trace)

    # --- faults ---

    @property
    def faults(self) -> list[Event]:
        """Every fault, in the order in which it happened."""
        return list(self.trace.select(EventKind.FAULT))

    @cached_property
    def dangling(self) -> list[Dangling]:
        """Pointers to memory that is not live: on the server as the routine returns, globals and the client afterwards."""
        found = []
        if "server exit" in self.trace.snapshots:
            found = _dangling(self.call.space("server exit"), self._server_roots("server exit"))
        found += [*self._dangling_globals(), *self._dangling_states()]
        return found + _dangling(self.call.space("client after"), self.call.roots.values())

    def _dangling_globals(self) -> list[Dangling]:
        """Return the pointers that the routine kept in globals, and whose storage goes when the call ends."""
        if "server after" not in self.trace.snapshots:
            return []
        space, found = self.call.space("server after"), {}
        for event in self.trace.select(EventKind.REMEMBER, side="server"):
            address = space.pointer_at(event.address)
            block = space.block(address) if address else None
            if block and not block.live:
                name = event.of(Kept).name
                found[name] = Dangling("server", name, address, advice=self._why_gone(block))
        return list(found.values())

    def _dangling_states(self) -> Iterator[Dangling]:
        """Yield the open context handles whose state goes when the call ends."""
        if "server after" not in self.trace.snapshots:
            return
        space = self.call.space("server after")
        for event in self.trace.select(EventKind.KEEP, side="server"):
            block = space.block(event.address)
            if isinstance(event.detail, HandleName) and block and not block.live:
                place = self.server_places.get(event.address)  # found for this only: it looks at every node
                name = storage_name(place) if place else f"{event.address:#x}"
                yield Dangling("server", name, event.address, advice=self._why_gone(block))

    def _why_gone(self, block: Block) -> str:
        if block.kind is BlockKind.RPCSS:
            return "the stub releases its RpcSs environment at the end of the call. Allocate what you keep in another way."
        if not block.kind.heap:
            return "the stub's own memory goes at the end of the call. Copy what you keep."
        freed = next(
            (e for e in self.trace.select(EventKind.FREE, side="server") if e.address == block.address), None
        )
        if freed is None or freed.actor != "stub":
            return "that block was freed."
        return "the stub frees that block at the end of the call. Copy it, or use allocate(dont_free)."

    @property
    def clean(self) -> bool:
        """Whether the call succeeded and left nothing orphaned, leaked, dangling or at fault."""
        wrong = self.orphaned or self.leaked or self.faults or self.dangling or self.unwritten_sent
        return not (self.call.status or self.call.stored or wrong)

    def __repr__(self) -> str:
        lost = f": {', '.join(self.orphaned_names[:SHOWN])}" if self.orphaned else ""
        lost += ", …" if len(self.orphaned) > SHOWN else ""
        leaked = f": {', '.join(self.leaked_names[:SHOWN])}" if self.leaked else ""
        leaked += ", …" if len(self.leaked) > SHOWN else ""
        lines = [
            f"Audit of {self.call.procedure.name}: {self.verdict}",
            f"  client stub  {self.client_balance}{lost}",
            f"  server       {self.server_balance}{leaked}",
        ]
        if self.unwritten_sent:
            lines.append(f"  unwritten    {counted(self.unwritten_sent, 'byte')} sent that nobody wrote")
        from textwrap import wrap

        for event in self.faults[:SHOWN]:
            lines += wrap(
                event.of(Fault).why, 78, initial_indent="  fault        ", subsequent_indent=" " * 15
            )
        return "\n".join(lines)


def leaked_in(trace: Trace) -> list[Block]:
    """Return the server blocks that a trace leaves allocated though nothing keeps them.

    They were allocated in it, or were the state of a context handle that it ended or gave another state.
    """
    if "server after" not in trace.snapshots:
        return []
    space = AddressSpace.from_image("server", trace.snapshots["server after"].image)
    kept = {event.address for event in trace.select(EventKind.KEEP, side="server")}
    concerned = trace.blocks(EventKind.ALLOCATE, *LETS_GO, side="server")
    left = dict.fromkeys(address for addresses in concerned for address in space.left_live(addresses))
    blocks = [space.block(address) for address in left if address not in kept]
    return [block for block in blocks if block and block.kind.heap and block.kind is not BlockKind.RPCSS]


LETS_GO = (EventKind.CLOSE, EventKind.CHANGE, EventKind.RUN_DOWN, EventKind.LOSE)
"""The events after which a block is no longer the state of a context handle."""

DEEDS = (
    EventKind.ALLOCATE,
    EventKind.FREE,
    EventKind.MARK,
    EventKind.WRITE,
    EventKind.REMEMBER,
    EventKind.RAISE,
    EventKind.RPCSS,
    EventKind.CLOSE,
    EventKind.FAULT,
)
MOVING = ("Allocate", "Free", "ClientFree")  # of the RpcSs package: told by what they do to memory


def left_by_routine(trace: Trace) -> str:
    """Return which snapshot shows the server as the routine left it: returning, or by an exception or a fault."""
    return next((name for name in ("server exit", "server stop") if name in trace.snapshots), "")


def deeds(trace: Trace, actor: str) -> list[Event]:
    """Return what application code does in a trace, in order, the fault that ends it among it.

    ``actor`` is ``routine``, for what happens on the server until run-down routines begin, or ``application``: the
    client between two calls.
    """
    snapshots, left = trace.snapshots, left_by_routine(trace)
    running = range(snapshots["server entry"].event, snapshots[left].event) if left else range(0)
    done: list[Event] = []
    for behind, event in trace.places(*DEEDS, EventKind.RUN_DOWN, EventKind.DISCONNECT):
        if event.kind == EventKind.RUN_DOWN:
            break
        if event.kind == EventKind.FAULT:
            side = {"application": "client", "routine": "server"}.get(actor)
            wanted = event.side == side and (actor == "application" or behind - 1 in running)
        else:
            wanted = event.kind == EventKind.DISCONNECT or (event.kind in DEEDS and event.actor == actor)
        if wanted and not _moves(event):
            done.append(event)
    return done


def _moves(event: Event) -> bool:
    """Whether it is a call of the RpcSs package that another event tells."""
    match event.detail:
        case PackageCall(function=function, status=0):
            return function in MOVING
    return False


def balance(trace: Trace) -> int:
    """Return how many enable calls a trace has without their disable calls (negative: the other way round)."""
    steps = {"EnableAllocate": 1, "DisableAllocate": -1}
    done = (event.of(PackageCall) for event in trace.select(EventKind.RPCSS))
    return sum(steps.get(each.function, 0) for each in done if not each.status)


def returned(trace: Trace) -> list[str]:
    """Return the statuses of the RpcSm functions that a trace has, in order."""
    done = (event.of(PackageCall) for event in trace.select(EventKind.RPCSS))
    return [status_name(each.status) for each in done if each.prefix == "RpcSm"]


def _frees(event: Event) -> bool:
    """Whether an event is a call of a deallocator, which may have met a fault."""
    return bool(event.rule) if event.kind == EventKind.FAULT else event.detail not in DISABLING


def _number(events: Iterator[tuple[Event, int]], counts: Callable[[Event], bool] = bool) -> int:
    """Return how many of the events count."""
    return sum(number for event, number in events if counts(event))


def _dangling(space: AddressSpace, roots: Iterable[Place]) -> list[Dangling]:
    found, roots = [], list(roots)
    if reached_whole(space, roots, live=True) is not None:
        return []  # all that pointers lead to is live
    for pointer in all_pointers(space, roots):
        address = space.pointer_at(pointer.address)
        block = space.block(address) if address else None
        if address and (block is None or not block.live or space.is_marked(address)):
            unwritten = block is None and space.is_unwritten(address)
            found.append(Dangling(space.side, c_text(pointer.path), address, unwritten))
    return found
