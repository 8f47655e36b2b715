"""The record of a call: what happened to memory and to the messages, in order.

Stubs, allocators and views append :class:`Event` tuples; everything that is said about a call afterwards,
audits, pictures, tables and JSON, is a pure function of the :class:`Trace`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from rpcmemkit.errors import Finished

if TYPE_CHECKING:
    from rpcmemkit.memory import Image

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


class Event(NamedTuple):
    """One thing that happened.

    ``kind``
        ``allocate``, ``free``, ``mark`` (freed for later), ``marshal`` (memory read into a message), ``unmarshal``
        (message written into memory), ``reuse`` (a referent left in the receive buffer), ``read``, ``write``,
        ``fault``, ``raise``, ``phase``, ``open``, ``close``, ``run-down`` and ``lose`` (of a context handle), ``rpcss`` (a function of the
        RpcSs package returned or raised), ``convert`` (a stub calls a conversion routine), ``pipe`` (a procedure of a
        pipe), ``cancel`` (of an asynchronous call), ``disconnect`` (the client goes away while its call is executing),
        ``unwritten`` (new memory that nobody wrote), ``no routine`` (none was registered: one that does nothing runs), ``name`` (what a scenario calls a block),
        ``remember`` (the routine copies a pointer into a global variable).
    ``side``, ``actor``
        ``client`` or ``server``; ``application``, ``stub``, ``routine`` or ``conversion``.
    ``address``, ``size``
        the memory concerned, in octets.
    ``rule``
        the id of the rule that caused it (``rpcmemkit.rules``), or an empty string. A fault has one, and an actor, if a
        deallocator met it: it was called, and freed nothing.
    ``detail``
        by kind: the allocator's name, the path of what was written, the fault's text, the ``Span`` of a message, or of the RpcSs package the
        function, its status, and the thread handle and thread that it left.
    """

    kind: str
    side: str
    actor: str
    address: int
    size: int
    rule: str
    detail: Any = None


class Span(NamedTuple):
    """A run of octets in a message and the plan that shaped it.

    ``part`` is ``body``, ``size`` (maximum count), ``range`` (offset and actual count), ``id`` (referent id), ``tag``,
    ``elements`` (of an array, without pointers) or ``nulls`` (elements whose pointers are null: ``path`` leads to the first).
    """

    offset: int
    size: int
    part: str
    plan: Any
    path: Path | None
    count: int = 1  # type: ignore[assignment]  # it hides tuple.count, which nobody asks of a span


@dataclass(slots=True)
class Message:
    """The stub data of one direction, without the protocol header."""

    direction: str
    data: bytes
    spans: list[Span] = field(default_factory=list)
    big_endian: bool = False


@dataclass(slots=True)
class Snapshot:
    """The memory of one side at one moment: ``before``, ``entry``, ``exit`` (``stop`` if the routine failed) or ``after``.

    ``event`` is the number of events before it, ``frame`` the address of the argument frame.
    """

    moment: str
    event: int
    image: Image
    frame: int


class Trace(Finished):
    """Everything that happened during one call, in order."""

    __slots__ = ("messages", "procedure", "raw", "snapshots", "status")
    _stays = "it refers to the compiled interface and to memory; send messages and events as text, or the IDL and the request"

    def __init__(self, procedure: str = "") -> None:
        self.procedure = procedure
        self.raw: list[tuple[Any, ...]] = []
        """The events as bare tuples in :class:`Event` order; hot code appends here."""
        self.messages: dict[str, Message] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.status = 0

    def add(
        self, kind: str, side: str, actor: str, address: int, size: int, rule: str = "", detail: Any = None
    ) -> None:
        """Append one event."""
        self.raw.append((kind, side, actor, address, size, rule, detail))

    def blame(self, actor: str, rule: str) -> None:
        """Say of the fault that was just noted who met it, by freeing something because of a rule."""
        if self.raw and self.raw[-1][0] == "fault":
            kind, side, _, address, size, _, detail = self.raw[-1]
            self.raw[-1] = (kind, side, actor, address, size, rule, detail)

    def retell(self, why: str) -> None:
        """Say of the fault that was just noted what is known of it now."""
        if self.raw and self.raw[-1][0] == "fault":
            *same, (kind, _) = self.raw[-1]
            self.raw[-1] = (*same, (kind, why))

    def __iter__(self) -> Iterator[Event]:
        return map(Event._make, self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def select(self, *kinds: str, side: str | None = None, actor: str | None = None) -> Iterator[Event]:
        """Yield the events of the given kinds, of one side and one actor where these are given."""
        for event in self.raw:  # bare tuples: few of many events are asked for
            if event[0] in kinds and side in (None, event[1]) and actor in (None, event[2]):
                yield Event._make(event)

    def __repr__(self) -> str:
        return f"<Trace of {self.procedure}: {len(self)} events>"
