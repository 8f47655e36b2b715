"""The memory story of one call, for a person: who allocates, what travels, who frees, and what is left behind.

A :class:`Story` is plain data, made from the call's trace alone. Print it for plain text, or hand it to rich.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice, pairwise
from typing import TYPE_CHECKING, Any

from rpcmemkit.annotate import Direction, Row, bytes_text, rows, type_name
from rpcmemkit.audit import Audit, Dangling, deeds, ending, leaked_in, left_by_routine, stored_ending
from rpcmemkit.call import Call, Departure, no_routine
from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.ledger import Block
from rpcmemkit.memory import AddressSpace
from rpcmemkit.paths import c_text, storage_name
from rpcmemkit.plan import ArrayPlan, StructPlan
from rpcmemkit.program import ALLOCATORS, deallocator_of, default_allocator
from rpcmemkit.prose import Section, Sentence, Story, Table
from rpcmemkit.rules import RULES
from rpcmemkit.status import status_meaning, status_name
from rpcmemkit.stubs.statuses import status_variable
from rpcmemkit.trace import Event, Fault, HandleName, PackageCall, Path, Trace
from rpcmemkit.values import Labels
from rpcmemkit.walk import Place, reach

if TYPE_CHECKING:
    from rpcmemkit.scenario import ClientStep

HEAD, TAIL = 10, 2
"""Of longer lists, so many entries are told at the start and at the end."""

BYTE_ROWS = 32


def tell(call: Call, title: str = "") -> Story:
    """Return the memory story of a call."""
    teller = _Teller(call)
    parts: list[tuple[str, list[Sentence | Table]]] = [
        ("What comes of it", teller.verdict()),
        ("Before the call: the client", teller.before()),
        ("The request", teller.message("request")),
        ("On entry to your routine: the server", teller.entry()),
        ("What your routine does", teller.routine()),
        ("The response", teller.message("response")),
        ("While the stub makes the reply", teller.reply_fault()),
        ("When the reply is on its way: the server cleans up", teller.clean_up()),
        ("After the call: the client", teller.after()),
        ("The counts", [Sentence(counts(teller.audit))]),
    ]
    told: set[str] = set()
    sections = tuple(Section(heading, tuple(_told_once(inner, told))) for heading, inner in parts if inner)
    return Story(title or f"{call.procedure.name}: the memory story of one call", sections)


def _told_once(parts: Iterable[Sentence | Table], told: set[str]) -> Iterator[Sentence | Table]:
    """Leave out what a rule says where an earlier section has said it: its id tells enough."""
    for part in parts:
        if isinstance(part, Sentence) and part.tone == "rule":
            if part.text in told:
                continue
            told.add(part.text)
        yield part


def counts(audit: Audit) -> str:
    """Return what was allocated and freed in one line."""
    return f"client stub: {audit.client_balance}; server: {audit.server_balance}"


class _Teller:
    """Tells each part of the story of one call."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.audit = Audit(call)
        self.trace = call.trace

    # --- outcome ---

    def verdict(self) -> list[Sentence | Table]:
        """Tell how the call ended, and everything that is wrong."""
        found: list[Sentence | Table] = [self._ending()]
        orphans, leaked = len(self.audit.orphaned_places), self.audit.server_leaked
        if orphans:
            text = f"ORPHANED: {_number(orphans, 'client block')} that nothing names any more."
            found.append(Sentence(text, "bad"))
        if leaked:
            found.append(Sentence(f"LEAKED: {_number(leaked, 'server block')} that nobody will free.", "bad"))
        found += [*_bad(self.audit.dangling, str), *_bad(self.audit.faults, _fault)]
        if self.audit.unwritten_sent:
            unwritten = _number(self.audit.unwritten_sent, "byte")
            told = "of new server memory that nobody wrote travel to the client, whatever they held."
            found.append(Sentence(f"UNWRITTEN: {unwritten} {told}", "bad"))
        if len(found) == 1 and not self.call.status:
            found.append(Sentence("Nothing is orphaned, leaked or left dangling.", "good"))
        return found

    def _ending(self) -> Sentence:
        call = self.call
        if stored := stored_ending(call):
            return Sentence(stored, "bad")
        if not call.status:
            return Sentence("The call succeeds.", "good")
        meaning = status_meaning(call.status)
        why = f": {meaning}" if meaning else ""
        raised = next(iter(self.trace.select(EventKind.RAISE)), None)
        text = f"The call ends with {ending(call.status)}{why}. {_raiser(call, raised)}"
        rule = raised.rule if raised else ""
        return Sentence(text + (f" [{rule}]" if rule else ""), "bad")

    # --- the client before ---

    def before(self) -> list[Sentence | Table]:
        """Tell what the application passes."""
        space = self.call.space("client before")
        places = _reached(space, self.call.roots)
        if not places:
            return [Sentence("You pass no storage: no parameter holds a pointer that leads anywhere.")]
        size = sum(_extent(space, place) for place in places.values())
        text = f"You pass storage of your own: {_number(len(places), 'block')}, {_number(size, 'byte')}."

        def row(place: Place) -> tuple[str, ...]:
            return *_facts(space, place, self._label(place)), _who(space.block(place.address))

        return [
            Sentence(text),
            _table(("storage", "type", "bytes", "address", "allocated by"), list(places.values()), row),
        ]

    def _label(self, place: Place) -> str:
        return self.call.labels.shown(place.address) or storage_name(place)

    # --- messages ---

    def message(self, direction: Direction) -> list[Sentence | Table]:
        """Tell what travels, byte by byte."""
        message = self.trace.messages.get(direction)
        if message is None:
            gone = direction == "response" and any(self.trace.select(EventKind.DISCONNECT))
            return [Sentence("None reaches the client: it went away during the call.")] if gone else []
        other = {"request": "the server", "response": "the client"}[direction]
        if not message.data:
            return [Sentence(f"No bytes of stub data travel to {other}.")]
        text = f"{_number(len(message.data), 'byte')} of stub data {_verb(len(message.data))} to {other}."
        return [
            Sentence(text),
            Table(("offset", "bytes", "meaning"), _byte_rows(rows(self.call, direction))),
        ]

    # --- the server ---

    def entry(self) -> list[Sentence | Table]:
        """Tell where each referent lives when the routine is entered, and why there."""
        if "server entry" not in self.trace.snapshots:
            return []
        space, frame = self.call.space("server entry"), self.trace.snapshots["server entry"].frame
        places = _reached(space, _server_roots(self.call, frame))
        if not places:
            return [Sentence("Your routine gets no pointers.")]
        placed = self.trace.select(
            EventKind.REUSE, EventKind.STACK, EventKind.ALLOCATE, side="server", actor="stub"
        )
        why = {event.address: event.rule for event in placed}
        reused = {event.address: event.size for event in self.trace.select(EventKind.REUSE, side="server")}
        cited = [why[address] for address in places if why.get(address)]
        lies = [block for address in places if (block := space.block(address))]
        used = Counter(block.kind for block in lies)
        found = [f"{_memory(kind, lies)} ({count})" for kind, count in used.items()]
        text = f"Your routine finds its data in {_listed(found)}."
        return [
            Sentence(text),
            _table(
                ("pointer", "where it leads", "bytes", "address", "rule"),
                list(places.values()),
                lambda place: _server_row(space, place, why, reused),
            ),
            *_cited(cited),
        ]

    def routine(self) -> list[Sentence | Table]:
        """Tell what the routine does to memory."""
        if "server entry" not in self.trace.snapshots:
            return []
        if any(self.trace.select(EventKind.NO_ROUTINE)):
            return [Sentence(f"There is none: {no_routine(self.call.procedure.name)}.")]
        return _told(deeds(self.trace, "routine"), _Names.of_call(self.call))

    def reply_fault(self) -> list[Sentence | Table]:
        """Tell of the fault that kept the server stub from making a response."""
        fault = self.audit.reply_fault
        return [Sentence(_fault(fault), "bad")] if fault else []

    def _run_down_frees(self) -> list[Event]:
        """Return what run-down routines free."""
        events = list(self.trace.select(EventKind.RUN_DOWN, EventKind.FREE, side="server"))
        at = next((n for n, event in enumerate(events) if event.kind == EventKind.RUN_DOWN), len(events))
        return [event for event in events[at:] if event.kind == EventKind.FREE and event.actor == "routine"]

    def clean_up(self) -> list[Sentence | Table]:
        """Tell what the server stub frees, what is kept, and what is leaked."""
        if "server after" not in self.trace.snapshots:
            return []
        names = _Names.of_call(self.call)
        freed = list(self.trace.select(EventKind.FREE, side="server", actor="stub"))
        found: list[Sentence | Table] = [*self._converted(names), *_freeing(freed, names)]
        if not found and not self.audit.clean_up_faults:
            found.append(Sentence("The stub has nothing to free: the receive buffer goes as a whole."))
        found += _bad(self.audit.clean_up_faults, _fault)
        found += [*self._kept(names), *self._handles(names), *self._leaked(names)]
        return [*found, *_cited(event.rule for event in freed)]

    def _converted(self, names: _Names) -> Iterator[Sentence]:
        """Tell what the routines of converted types free when the call ends."""
        freed: dict[str, list[int]] = {}
        routine = ""
        for event in self.trace.select(EventKind.CONVERT, EventKind.FREE, side="server"):
            if event.kind == EventKind.CONVERT:
                routine = event.of(str) if event.rule in _FREEING_ROUTINES else ""
            elif event.actor == "conversion" and routine:
                freed.setdefault(routine, []).append(event.address)
        for routine, addresses in freed.items():
            yield Sentence(f"The stub calls {routine}, which frees {_list(addresses, names.block)}.")

    def _kept(self, names: _Names) -> Iterator[Sentence]:
        live = self.call.space("server after").capacity
        kept = [
            event.address for event in self.trace.select(EventKind.KEEP, side="server") if live(event.address)
        ]
        if kept:
            shown = _list(list(dict.fromkeys(kept)), names.block)
            yield Sentence(f"Kept on purpose, for later calls: {shown}.")

    def _handles(self, names: _Names) -> Iterator[Sentence]:
        """Tell which context handles the run-time opens, closes and runs down."""
        for event in (*self.trace.select(*_HANDLE_DEEDS, side="server"), *self._run_down_frees()):
            yield Sentence(_handle_deed(event, names.block(event.address)))

    def _leaked(self, names: _Names) -> Iterator[Sentence]:
        """Tell what is leaked, blocks with the same reason together."""
        found: dict[str, list[Block]] = {}
        for block in self.audit.leaked:
            found.setdefault(self._why_leaked(block), []).append(block)
        for why, blocks in found.items():
            shown = _list([block.address for block in blocks], names.block)
            yield Sentence(f"LEAKED: {shown}. {why}", "bad")

    def _why_leaked(self, block: Block) -> str:
        interface = self.call.server_frame.interface
        free = deallocator_of(default_allocator(interface.osf, interface.is_object))
        return _WHY_LEAKED[self.audit.why_leaked(block)].format(free=free, gave=block.kind.gave)

    # --- the client after ---

    def after(self) -> list[Sentence | Table]:
        """Tell what is new, what was overwritten, and what is lost."""
        space = self.call.space("client after")
        found: list[Sentence | Table] = [
            *self._freed(),
            *self._new(space),
            *self._overwritten(),
            *self._status(),
        ]
        orphans = self.audit.orphaned_places
        if orphans:
            lost = _list(orphans, self._label)
            they = "It is" if len(orphans) == 1 else "They are"
            advice = f"{they} still yours to free, but no pointer leads there now: keep one of your own before the call."
            found.append(Sentence(f"ORPHANED: {lost}. {advice}", "bad"))
        found += _bad([each for each in self.audit.dangling if each.side == "client"], _do_not_follow)
        return found or [Sentence("Nothing has changed in your memory.")]

    def _freed(self) -> Iterator[Sentence]:
        """Tell which blocks the client stub frees: what a proxy replaces or clears, what [reflect_deletions] names."""
        freed = list(self.trace.select(EventKind.FREE, side="client", actor="stub"))
        names = _Names(self.audit.client_places, self.trace, self.call.labels)
        yield from _freeing(freed, names, "client stub")
        yield from _cited(event.rule for event in freed)

    def _new(self, space: AddressSpace) -> list[Sentence | Table]:
        new = self.audit.new_places
        if not new:
            return []
        made = list(self.audit.client_made)
        rules = {event.address: event.rule for event in made}
        rules |= dict.fromkeys(self.audit.replacing, "object-pointer-replaced")
        allocator = made[0].of(str)
        deallocator = (
            deallocator_of(allocator) if allocator in ALLOCATORS else "the deallocator you set with it"
        )
        text = (
            f"New: the client stub calls {allocator} {_times(len(made))}. "
            f"{_number(len(new), 'block')} {'is' if len(new) == 1 else 'are'} yours now: free "
            f"{'it' if len(new) == 1 else 'each'} with {deallocator}."
        )

        def row(place: Place) -> tuple[str, ...]:
            return *_facts(space, place, storage_name(place)), rules.get(place.address, "")

        return [
            Sentence(text),
            _table(("storage", "type", "bytes", "address", "rule"), new, row),
            *_cited(rules.values(), allocator, deallocator),
        ]

    def _changed(self, address: int) -> bool:
        """Whether the client's block at an address holds other bytes after the call than before."""
        before, after = self.call.space("client before"), self.call.space("client after")
        extent = slice(address - before.base, address - before.base + before.capacity(address))
        return before.data[extent] != after.data[extent]

    def _status(self) -> Iterator[Sentence]:
        """Tell what became of an exception that a status attribute has made a value."""
        for event in self.trace.select(EventKind.STATUS, side="client"):
            name = status_variable(self.call.client_frame, event.of(RpcError).code)
            where = "returns it" if name == "return" else f"writes it over {name}"
            yield Sentence(f"The exception became a value: the stub {where} ({event.of(RpcError).code}).")
        if any(self.trace.select(EventKind.STATUS)):
            yield from _cited(["status-stored"])

    def _overwritten(self) -> Iterator[Sentence]:
        made = {event.address for event in self.audit.client_made}
        written = [event.address for event in self.trace.select(EventKind.UNMARSHAL, side="client")]
        before = self.call.space("client before")
        blocks = [
            block.address
            for address in written
            if (block := before.block(address)) and block.kind is not BlockKind.STACK
        ]
        kept = [address for address in dict.fromkeys(blocks) if address not in made]
        if self.call.status or self.call.stored:  # what was received is undone, or never got that far
            kept = [address for address in kept if self._changed(address)]
        if kept:
            shown = _list(kept, lambda address: self.call.labels.shown(address) or f"{address:#x}")
            yield Sentence(f"Written over in place: {shown}.")


# --- what the client does by itself ---------------------------------------------------------------


def tell_client(step: ClientStep) -> Story:
    """Return what the client application does to its memory between two calls."""
    names = _Names(step.places, step.trace, step.labels)
    done = deeds(step.trace, "application")
    told: list[Sentence | Table] = [*_told(done, names)]
    code = step.trace.status
    if code:
        ends = "the rest of it is not carried out; a real program might go on, its memory damaged"
        told.append(Sentence(f"The step ends with {status_name(code)} ({code}): {ends}.", "bad"))
    told += _cited(event.rule for event in done)
    return Story("Between the calls", (Section("What your application does", tuple(told)),))


def _told(done: Sequence[Event], names: _Names) -> list[Sentence | Table]:
    if not done:
        return [Sentence("It changes nothing.")]
    told = [
        Sentence(text, "bad" if kind == EventKind.FAULT else "")
        for kind, events in groupby(done, key=lambda event: event.kind)
        for text in _deeds(kind, list(events), names)
    ]
    return _ends(told, lambda sentence: sentence, Sentence)


# --- a client that goes away ---------------------------------------------------------------------


def tell_departure(departure: Departure) -> Story:
    """Return what the server does about the context handles of a client that has gone."""
    deeds = departure.trace.select(EventKind.FREE, EventKind.FAULT, *_HANDLE_DEEDS, side="server")
    told = [
        Sentence(_departure_deed(event), "bad" if event.kind == EventKind.FAULT else "") for event in deeds
    ]
    leaked = [f"{block.address:#x}" for block in leaked_in(departure.trace)]
    if leaked:
        told.append(Sentence(f"Leaked on the server: {_list(leaked, str)}.", "bad"))
    told += _cited(event.rule for event in departure.trace.select(*_HANDLE_DEEDS, side="server"))
    nothing = [Sentence("No context handle is open: there is nothing to run down.")]
    return Story("The client goes away", (Section("The server", tuple(told or nothing)),))


def _departure_deed(event: Event) -> str:
    if event.kind == EventKind.FAULT:
        return _fault(event)
    return _handle_deed(event, f"the block at {event.address:#x} ({_number(event.size, 'byte')})")


# --- names for addresses ------------------------------------------------------------------------


class _Names:
    """What the addresses of one side are called: by what a scenario calls them, by labels, by paths."""

    def __init__(
        self, places: Mapping[int, Place], trace: Trace, labels: Labels | None = None, side: str = "client"
    ) -> None:
        self.places = places
        self.labels = labels
        self.given = {event.address: event.of(str) for event in trace.select(EventKind.NAME, side=side)}
        self.sizes = {event.address: event.size for event in trace.select(EventKind.ALLOCATE, side=side)}
        self.written = {event.address: event.path for event in trace.select(EventKind.WRITE, side=side)}
        done = list(trace.select(EventKind.ALLOCATE, EventKind.WRITE, side=side))
        self.led = {
            a.address: w.path
            for a, w in pairwise(done)
            if a.kind == EventKind.ALLOCATE and w.kind == EventKind.WRITE
        }
        self.starts = sorted(places)
        self.result = 0
        self.last: AddressSpace | None = None

    @classmethod
    def of_call(cls, call: Call) -> _Names:
        """Return the names on the server: by the paths on entry, then by those the routine made."""
        left = left_by_routine(call.trace)
        names = cls(Audit(call).server_places, call.trace, side="server")
        names.result = _result_address(call)
        names.last = call.space(left) if left else None
        return names

    def name(self, address: int) -> str:
        """Return what a block is called, or nothing."""
        place = self.places.get(address)
        label = self.labels.shown(address) if self.labels else None
        known = self.given.get(address) or label or (storage_name(place) if place else "")
        return str(known or self._as_written(address))

    def _as_written(self, address: int) -> str:
        """Return what the path said by which somebody wrote at an address that no parameter leads to."""
        path, pointer = self.written.get(address), self.led.get(address)
        return c_text(path) if path else f"what {c_text(pointer)} points to" if pointer else ""

    def block(self, address: int) -> str:
        """Return what a block is called, with its address."""
        name = f"{self.name(address)} ".lstrip()
        size = self.sizes.get(address)
        room = f", {_number(size, 'byte')}" if size is not None else ""
        return f"{name}(at {address:#x}{room})"

    def field(self, address: int) -> str:
        """Return what lies at an address: ``root.value``."""
        if address == self.result:
            return "its result"
        index = bisect_right(self.starts, address) - 1
        place = self.places[self.starts[index]] if index >= 0 else None
        path = _field_at(place, address - place.address) if place else None
        return c_text(path) if path is not None else self._unnamed(address)

    def _unnamed(self, address: int) -> str:
        block = self.last.block(address) if self.last else None
        known = {BlockKind.STACK: "its own copy of a parameter", BlockKind.GLOBAL: BlockKind.GLOBAL.called}
        return (known.get(block.kind) if block else "") or self._as_written(address) or f"{address:#x}"


def _field_at(place: Place, offset: int) -> Path | None:
    """Return the path of the member or element at an offset of some storage, or ``None`` when it lies beyond it."""
    plan: Any = place.plan
    if isinstance(plan, StructPlan):
        member = next((m for m in reversed(plan.members) if m.offset <= offset), None)
        if member is not None and offset < max(plan.size, member.offset + member.plan.size, 1):
            inner = place.member(member)
            return _field_at(inner, offset - member.offset) or inner.path
    if isinstance(plan, ArrayPlan) and plan.stride:
        return (place.path, f"[{offset // plan.stride}]") if offset else place.path
    return place.path if offset < max(plan.size, 1) else None


def _result_address(call: Call) -> int:
    """Return where the stub keeps the function's result, or 0."""
    entry = call.trace.snapshots.get("server entry")
    return call.server_frame.place("return", entry.frame).address if entry and call.server_frame.result else 0


def _server_roots(call: Call, frame: int) -> dict[str, Place]:
    names = [name for name, _, _ in call.server_frame.all if name != "return"]
    return {name: call.server_frame.place(name, frame) for name in names}


def _reached(space: AddressSpace, roots: Mapping[str, Place]) -> dict[int, Place]:
    """Return what can be reached; nothing when a root leads nowhere."""
    try:
        return reach(space, roots.values())
    except MemoryFault:
        return {}


def _extent(space: AddressSpace, place: Place) -> int:
    """Return how many bytes a referent has: of an array all that were given to it, also if it has been freed."""
    block = space.block(place.address)
    if block is None or not isinstance(place.plan, ArrayPlan):
        return place.plan.size
    return space.capacity(place.address) if block.live else block.end - place.address


def _memory(kind: BlockKind, blocks: Iterable[Block]) -> str:
    """Return in what memory data lies, one block or several where an allocator gave them."""
    several = len({block.address for block in blocks if block.kind == kind}) > 1
    return f"{'blocks' if several else 'a block'} from {kind.called}" if kind.heap else kind.called


def _who(block: Block | None) -> str:
    return block.kind.called if block else "nobody"


def _server_row(
    space: AddressSpace, place: Place, why: Mapping[int, str], reused: Mapping[int, int]
) -> tuple[str, ...]:
    """Return a row on a referent; of those in the receive buffer ``reused`` knows the size, for several share that."""
    block = space.block(place.address)
    rule = why.get(place.address, "")
    if block and not rule and block.address in why:
        rule = f"{why[block.address]} (inside the block at {block.address:#x})"
    where = _memory(block.kind, [block]) if block else _who(block)
    size = reused[place.address] if place.address in reused else _extent(space, place)
    return storage_name(place), where, str(size), f"{space.lies(place.address):#x}", rule


# --- sentences ------------------------------------------------------------------------------------

_FREEING_ROUTINES = ("free-inst-below-root", "user-free-on-server")
_HANDLE_DEEDS = {
    EventKind.OPEN: "opens",
    EventKind.CLOSE: "closes",
    EventKind.CHANGE: "gets another state",
    EventKind.RUN_DOWN: "is run down",
    EventKind.LOSE: "is forgotten without a run-down routine",
}
_DEEDS = {
    EventKind.FREE: "It frees {block} with {event.detail}.",
    EventKind.MARK: "It marks {block} with {event.detail}: freed when the environment ends.",
    EventKind.CLOSE: "It lets go of the context handle at {event.address:#x}: the server is not told.",
    EventKind.REMEMBER: "It keeps {event.detail}.",
    EventKind.DISCONNECT: "The client goes away: its handles are run down when this call has ended, no response reaches it.",
}
_WHY_LEAKED = {
    "other allocator": "The stub tries {free}, which does not fit what {gave} gave.",
    "inside": "The stub tries {free} in the middle of a block, which frees nothing: only its start does.",
    "other environment": "The stub releases the blocks of its RpcSs environment; what {gave} gave is none of them.",
    "conversion": "A routine of a converted type allocated there: such a routine has to free it, not the stub.",
    "state": "It was the state of a context handle: your own code has to free that, not the stub.",
    "unreachable": "No parameter leads there any more, so the stub cannot free it.",
}
"""What the stub makes of a block that is leaked, by the words of :meth:`rpcmemkit.audit.Audit.why_leaked`."""


def _do_not_follow(pointer: Dangling) -> str:
    if pointer.unwritten:
        return f"NEVER WRITTEN: {pointer.path} holds what its storage held before. Do not follow it."
    return f"DANGLING: {pointer.path} names storage that is not allocated. Do not follow it."


def _raiser(call: Call, raised: Event | None) -> str:
    if raised is None:
        return f"Its memory is not in order: {call.error}." if call.error else ""
    who = {"stub": f"The {raised.side} stub raises it", "routine": "Your routine raises it"}[raised.actor]
    error = raised.of(RpcError)
    path = f" at {error.path}" if error.path else ""
    own = error.message not in ("", status_meaning(error.code))
    return f"{who}{path}{': ' + error.message if own else ''}."


def _fault(event: Event, name: str = "") -> str:
    kind, why = event.of(Fault)
    return f"FAULT on the {event.side}{' at ' if name else ''}{name} ({kind}): {why}."


def _deeds(kind: EventKind, events: Sequence[Event], names: _Names) -> list[str]:
    """Tell what the routine does: consecutive writes in one sentence, everything else one by one."""
    if kind == EventKind.WRITE:
        written = list(dict.fromkeys(names.field(event.address) for event in events))
        return [f"It writes {_list(written, str)}."]
    return [_deed(event, names) for event in events]


def _deed(event: Event, names: _Names) -> str:
    match event.kind:
        case EventKind.ALLOCATE if not event.address:
            return f"It asks {_allocator(event)} for {_number(event.size, 'byte')} and gets a null pointer."
        case EventKind.ALLOCATE:
            return f"It allocates {names.block(event.address)} with {_allocator(event)}."
        case EventKind.FAULT:
            return _fault(event, names.name(event.address))
        case EventKind.RPCSS:
            call = event.of(PackageCall)
            failed = f", which ends in {status_name(call.status)}" if call.status else ""
            return f"It calls {call.name}{failed}."
        case EventKind.RAISE:
            return f"It raises exception {ending(event.of(RpcError).code).removeprefix('exception ')}."
    return _DEEDS[event.kind].format(block=names.block(event.address), event=event)


def _handle_deed(event: Event, where: str) -> str:
    """Tell what the run-time does to a context handle, and what a run-down routine frees."""
    if event.kind is EventKind.FREE:
        return f"The run-down routine frees {where} with {event.detail}."
    which = "the old one" if event.kind is EventKind.CHANGE else "its state"
    return f"A context handle of type {event.of(HandleName).type} {_HANDLE_DEEDS[event.kind]}: {which} is {where}."


def _allocator(event: Event) -> str:
    return "an allocator of its own" if event.detail == "private" else event.of(str)


def _freeing(freed: Sequence[Event], names: _Names, who: str = "stub") -> Iterator[Sentence]:
    """Tell what a stub frees, a sentence for each function that it calls."""
    for function in dict.fromkeys(event.of(str) for event in freed):
        blocks = [event.address for event in freed if event.detail == function]
        shown = _list(blocks, names.block)
        if function == "RpcSsDisableAllocate":
            whole = _number(len(blocks), "block")
            yield Sentence(f"The stub releases the whole RpcSs environment, {whole}: {shown}.")
        else:
            yield Sentence(f"The {who} calls {function} {_times(len(blocks))}: {shown}.")


def _cited(
    rules: Iterable[str], allocate: str = "midl_user_allocate", free: str = "midl_user_free"
) -> list[Sentence]:
    """Return the statements of the rules, each once, with the pair that was in force."""
    known = [RULES[rule].under(allocate, free) for rule in dict.fromkeys(rules) if rule in RULES]
    return [Sentence(f"{rule.id}: {rule.statement}", "rule") for rule in known]


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _verb(count: int) -> str:
    return "travels" if count == 1 else "travel"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _listed(words: Sequence[str]) -> str:
    *first, last = words or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


def _list(items: Sequence[Any], tell_one: Callable[[Any], str]) -> str:
    return _listed(_ends(items, tell_one, str))


def _ends(items: Sequence[Any], tell_one: Callable[[Any], Any], more: Callable[[str], Any]) -> list[Any]:
    """Tell items one by one; of many, those at both ends and how many there are between."""
    if len(items) <= HEAD + TAIL + 1:
        return [*map(tell_one, items)]
    middle = more(f"… {len(items) - HEAD - TAIL:,} more")
    return [*map(tell_one, items[:HEAD]), middle, *map(tell_one, items[-TAIL:])]


def _bad(items: Sequence[Any], tell_one: Callable[[Any], str]) -> list[Sentence]:
    return [Sentence(text, "bad") for text in _ends(items, tell_one, str)]


def _table(heads: tuple[str, ...], items: Sequence[Any], row: Callable[[Any], tuple[str, ...]]) -> Table:
    return Table(heads, tuple(_ends(items, row, lambda text: (text, *[""] * (len(heads) - 1)))))


def _facts(space: AddressSpace, place: Place, name: str) -> tuple[str, ...]:
    return name, type_name(place.plan), str(_extent(space, place)), f"{place.address:#x}"


def _byte_rows(found: Iterator[Row]) -> tuple[tuple[str, ...], ...]:
    """Return the first rows of a message and the last ones, without holding all of them."""
    first = [_byte_row(row) for row in islice(found, BYTE_ROWS)]
    last: deque[Row] = deque(maxlen=TAIL)
    more = 0
    for row in found:
        last.append(row)
        more += 1
    left_out = more - len(last)
    middle = [("", "", f"… {_number(left_out, 'more row')}")] if left_out else []
    return (*first, *middle, *map(_byte_row, last))


def _byte_row(row: Row) -> tuple[str, ...]:
    shown = str(row)
    return str(row.offset), bytes_text(row.data), shown if len(shown) <= 200 else shown[:199] + "…"
