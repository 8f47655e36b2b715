"""The record of a call: what happened to memory and to the messages, in order.

Stubs, allocators and views append :class:`Event` tuples; everything that is said about a call afterwards,
audits, pictures, tables and JSON, is a pure function of the :class:`Trace`.
"""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from operator import eq
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from rpcmemkit.errors import Finished, RpcError
from rpcmemkit.kinds import EventKind, FaultKind

Path: TypeAlias = "tuple[Path | None, str]"
"""Where data lives, as a chain from the leaf up: ``(path of the owner, ".left")``. Cheap to extend, printed late.

``"*"`` is the next level of a pointer to a pointer. :mod:`rpcmemkit.paths` reads and prints paths.
"""


class Part(str):
    """A part of a path that knows the plan of what it leads to: that tells C's ``->`` from a dot."""

    __slots__ = ("plan",)
    plan: Any

    def __new__(cls, text: str, plan: Any) -> Part:
        part = super().__new__(cls, text)
        part.plan = plan
        return part

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


@contextmanager
def recording() -> Iterator[None]:
    """Pause the cyclic garbage collector while many records are made.

    A trace is kept and has no cycles, so that every pass over it, and there would be one for every few hundred nodes,
    finds nothing. The collector is as it was afterwards.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Span(NamedTuple):
    """A run of bytes in a message and the plan that shaped it.

    ``part`` is ``body``, ``size`` (maximum count), ``range`` (offset and actual count), ``id`` (referent id), ``tag``,
    ``elements`` (of an array, without pointers) or ``nulls`` (elements whose pointers are null: ``path`` leads to the first).
    """

    offset: int
    size: int
    part: str
    plan: Any
    path: Path | None
    count: int = 1  # type: ignore[assignment]  # it hides tuple.count, which nobody asks of a span


class Fault(NamedTuple):
    """What was wrong with an access or a free, and in words why."""

    kind: FaultKind
    why: str


class PackageCall(NamedTuple):
    """A function of the RpcSs package that a program called: ``RpcSm`` or ``RpcSs``, and the name behind that.

    ``environment`` is the thread handle that it left, ``thread`` the thread that called it.
    """

    prefix: str
    function: str
    status: int
    environment: int
    thread: str

    @property
    def name(self) -> str:
        return self.prefix + self.function


class HandleName(NamedTuple):
    """A context handle, by its UUID; only the server's run-time knows its type."""

    uuid: str
    type: str = ""

    def __str__(self) -> str:
        return f"{self.type} {self.uuid}".lstrip()


class Kept(NamedTuple):
    """A pointer that the routine copied into a global variable."""

    pointer: str
    name: str

    def __str__(self) -> str:
        return f"{self.pointer} as {self.name}"


Detail: TypeAlias = "Span | Fault | PackageCall | HandleName | Kept | RpcError | Path | str | None"
"""What is known of an event beside where it happened, and why."""

D = TypeVar("D", Span, Fault, PackageCall, HandleName, Kept, RpcError, str)


class Event(NamedTuple):
    """One thing that happened.

    ``side``, ``actor``
        ``client`` or ``server``; ``application``, ``stub``, ``routine`` or ``conversion``.
    ``address``, ``size``
        the memory concerned, in bytes.
    ``rule``
        the id of the rule that caused it (``rpcmemkit.rules``), or an empty string. A fault has one, and an actor, if a
        deallocator met it: it was called, and freed nothing.
    ``detail``
        by kind: a :class:`Span` of what was marshalled or unmarshalled; a :class:`Fault`; a :class:`PackageCall`; the
        :class:`HandleName` opened, closed, kept or run down; the pointer :class:`Kept`; the exception; the path of what was read,
        written or left where it was; of all others a name, such as the allocator's.
    """

    kind: EventKind
    side: str
    actor: str
    address: int
    size: int
    rule: str
    detail: Detail = None

    def of(self, detail: type[D]) -> D:
        """Return the detail, which is of that class for every event of this kind."""
        assert isinstance(self.detail, detail), f"{self.kind} has no {detail.__name__}"
        return self.detail

    @property
    def path(self) -> Path | None:
        """The path of the data concerned, where somebody went by one."""
        if isinstance(self.detail, Span):
            return self.detail.path
        return cast("Path", self.detail) if type(self.detail) is tuple else None


Raw: TypeAlias = "tuple[EventKind, str, str, int, int, str, Detail]"
"""An event as a bare tuple, in the order of :class:`Event`."""


class Run:
    """The events of many referents that moved in one go, as one entry of a trace: they are made when somebody asks.

    ``replay`` returns the events and the spans that the careful code notes when it does the same work again. ``blocks`` are
    the addresses and sizes of what was allocated or freed, one event each, for who only counts.
    """

    __slots__ = ("_events", "_spans", "addresses", "kinds", "like", "replay", "sizes")

    def __init__(
        self,
        kinds: frozenset[EventKind],
        like: Raw | None = None,
        addresses: Sequence[int] = (),
        sizes: Sequence[int] = (),
        replay: Callable[[], tuple[list[Raw], list[Any]]] | None = None,
    ) -> None:
        self.kinds = kinds
        self.like = like
        """An event of the blocks: only addresses and sizes differ. ``None`` if the events have to be replayed."""
        self.addresses, self.sizes = addresses, sizes
        self.replay = replay
        self._events: list[Raw] | None = None
        self._spans: list[Any] | None = None

    @classmethod
    def of_blocks(cls, like: Raw, addresses: Sequence[int], sizes: Sequence[int]) -> Run:
        """Return a run of events that differ in addresses and sizes only."""
        return cls(frozenset({like[0]}), like, compact(addresses), compact(sizes))

    def events(self) -> list[Raw]:
        """Return the events in order. Few are kept, of many only the recipe."""
        if self.replay is None:
            return list(self._blocks())
        if self._events is not None:
            return self._events
        events, spans = self.replay()
        if len(events) <= KEPT:
            self._events, self._spans = events, spans
        return events

    def spans(self) -> list[Any]:
        """Return the spans of the message that no event has."""
        if self._spans is not None:
            return self._spans
        return self.replay()[1] if self.replay else []

    def select(self, kinds: Collection[EventKind]) -> Iterable[Raw]:
        """Return the events of these kinds."""
        wanted = self.kinds.intersection(kinds)
        if not wanted:
            return ()
        if self.like is not None and wanted == {self.like[0]}:
            return self._blocks()
        return (event for event in self.events() if event[0] in wanted)

    def _blocks(self) -> Iterator[Raw]:
        assert self.like is not None
        kind, side, actor, _, _, rule, detail = self.like
        for address, size in zip(self.addresses, self.sizes, strict=True):
            yield kind, side, actor, address, size, rule, detail


def compact(numbers: Sequence[int]) -> Sequence[int]:
    """Return the same numbers in little room."""
    if not isinstance(numbers, list):
        return numbers
    if numbers and numbers.count(numbers[0]) == len(numbers):
        return Same(numbers[0], len(numbers))
    if len(numbers) > 1 and numbers[1] != numbers[0]:
        step = numbers[1] - numbers[0]
        even = range(numbers[0], numbers[0] + step * len(numbers), step)
        if even[-1] == numbers[-1] and all(map(eq, even, numbers)):
            return even
    return array("Q" if max(numbers, default=0) >> 32 else "I", numbers)


class Same(Sequence[int]):
    """One number so many times."""

    __slots__ = ("many", "number")

    def __init__(self, number: int, many: int) -> None:
        self.number, self.many = number, many

    def __len__(self) -> int:
        return self.many

    def __getitem__(self, index: Any) -> Any:
        return [self.number] * len(range(self.many)[index]) if isinstance(index, slice) else self.number

    def __iter__(self) -> Iterator[int]:
        return repeat(self.number, self.many)


KEPT = 4096  # events that a run keeps once they were made


@dataclass(slots=True)
class Message:
    """The stub data of one direction, without the protocol header."""

    direction: str
    data: bytes
    noted: list[Span | Run] = field(default_factory=list)
    big_endian: bool = False

    @property
    def spans(self) -> list[Span]:
        """The bytes that have no memory behind them: ids, counts, discriminants."""
        return [span for each in self.noted for span in (each.spans() if isinstance(each, Run) else (each,))]


@dataclass(slots=True)
class Snapshot:
    """The memory of one side at one moment: ``before``, ``entry``, ``exit`` (``stop`` if the routine failed) or ``after``.

    ``event`` is the place in the trace (:attr:`Trace.now`), ``frame`` the address of the argument frame. ``image`` is for
    ``AddressSpace.from_image``: a trace only holds it.
    """

    moment: str
    event: int
    image: Any
    frame: int


class Trace(Finished):
    """Everything that happened during one call, in order."""

    __slots__ = ("messages", "procedure", "raw", "snapshots", "status")
    _stays = "it refers to the compiled interface and to memory; send messages and events as text, or the IDL and the request"

    def __init__(self, procedure: str = "") -> None:
        self.procedure = procedure
        self.raw: list[Raw | Run] = []
        """The events as bare tuples in :class:`Event` order, and runs of them; hot code appends here."""
        self.messages: dict[str, Message] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.status = 0

    def add(
        self,
        kind: EventKind,
        side: str,
        actor: str,
        address: int,
        size: int,
        rule: str = "",
        detail: Detail = None,
    ) -> None:
        """Append one event."""
        self.raw.append((kind, side, actor, address, size, rule, detail))

    def blame(self, actor: str, rule: str) -> None:
        """Say of the fault that was just noted who met it, by freeing something because of a rule."""
        if (last := self._fault()) is not None:
            self.raw[-1] = last._replace(actor=actor, rule=rule)

    def retell(self, why: str) -> None:
        """Say of the fault that was just noted what is known of it now."""
        if (last := self._fault()) is not None:
            fault = last.of(Fault)
            self.raw[-1] = last._replace(detail=fault._replace(why=why))

    def locate(self, place: str) -> None:
        """Say of the fault that was just noted in which place of a file it was asked for."""
        if (last := self._fault()) is not None:
            self.retell(f"{last.of(Fault).why} ({place})")

    def _fault(self) -> Event | None:
        """Return the last event if it is a fault."""
        last = self.raw[-1] if self.raw else None
        return Event._make(last) if isinstance(last, tuple) and last[0] is EventKind.FAULT else None

    @property
    def now(self) -> int:
        """The place behind the last event, for :meth:`between`."""
        return len(self.raw)

    def between(self, start: int = 0, stop: int | None = None) -> Iterator[Event]:
        """Yield the events from one place on, to before another one."""
        for entry in self.raw[start:stop]:
            if isinstance(entry, tuple):
                yield Event._make(entry)
            else:
                yield from map(Event._make, entry.events())

    def __iter__(self) -> Iterator[Event]:
        return self.between()

    def __len__(self) -> int:
        return sum(1 if isinstance(entry, tuple) else len(entry.events()) for entry in self.raw)

    def select(self, *kinds: EventKind, side: str | None = None, actor: str | None = None) -> Iterator[Event]:
        """Yield the events of the given kinds, of one side and one actor where these are given."""
        for entry in self.raw:  # bare tuples: few of many events are asked for
            for event in (entry,) if isinstance(entry, tuple) else entry.select(kinds):
                if event[0] in kinds and side in (None, event[1]) and actor in (None, event[2]):
                    yield Event._make(event)

    def tally(
        self, *kinds: EventKind, side: str | None = None, actor: str | None = None
    ) -> Iterator[tuple[Event, int]]:
        """As :meth:`select`, but events of a run that differ only in address and size come once, with their number."""
        for entry in self.raw:
            if isinstance(entry, tuple):
                found: Iterable[tuple[Raw, int]] = ((entry, 1),)
            elif entry.like is not None and entry.kinds.intersection(kinds) == {entry.like[0]}:
                found = ((entry.like, len(entry.addresses)),)
            else:
                found = ((event, 1) for event in entry.select(kinds))
            for event, number in found:
                if event[0] in kinds and side in (None, event[1]) and actor in (None, event[2]):
                    yield Event._make(event), number

    def blocks(self, *kinds: EventKind, side: str, actor: str | None = None) -> Iterator[Sequence[int]]:
        """Yield the addresses of the events of these kinds, those of a run together."""
        for entry in self.raw:
            if isinstance(entry, tuple):
                found: Iterable[Raw] = (entry,)
            elif entry.like is None or entry.kinds.intersection(kinds) != {entry.like[0]}:
                found = entry.select(kinds)
            else:
                if entry.like[1] == side and actor in (None, entry.like[2]):
                    yield entry.addresses
                continue
            for event in found:
                if event[0] in kinds and event[1] == side and actor in (None, event[2]):
                    yield (event[3],)

    def places(self, *kinds: EventKind, side: str | None = None) -> Iterator[tuple[int, Event]]:
        """As :meth:`select`, each event with the place behind it."""
        for place, entry in enumerate(self.raw, 1):
            for event in (entry,) if isinstance(entry, tuple) else entry.select(kinds):
                if event[0] in kinds and side in (None, event[1]):
                    yield place, Event._make(event)

    def __repr__(self) -> str:
        return f"<Trace of {self.procedure}: {len(self)} events>"
