"""What a contract consists of: promises about one pointer each, for both sides, with the rules behind every cell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from rpcmemkit import types
from rpcmemkit.environment import Environment
from rpcmemkit.errors import UsageError
from rpcmemkit.paths import c_text, path_text
from rpcmemkit.program import deallocator_of
from rpcmemkit.rules import RULES, Rule
from rpcmemkit.trace import Path

Parts: TypeAlias = tuple[str, ...]
"""A path without indices: ``("names", "[]", ".text")``; ``"*"`` is the next level of a pointer to a pointer."""

OWN, STUB_MEMORY = "its own", "stub memory"
"""What the application uses for its own data, and where a stub keeps what no allocator gave out."""

CONTEXT_RECORD, CONTEXT_TABLE = "context record", "context table"
"""Where a client stub and the server's run-time keep what belongs to a handle; no allocator gives it out."""

_PART = re.compile(r"\.?\w+|\[\d*\]|\*")


class Act(NamedTuple):
    """Something that is done to a pointer's storage: by whom, with what, and by which rule.

    ``by`` is ``application``, ``routine`` or ``stub``; ``using`` an allocator, a deallocator, ``its own`` or ``stub memory``.
    """

    by: str
    using: str
    rule: str


@dataclass(frozen=True, slots=True)
class Cell:
    """The outcomes that a call may have, and the rules that say so."""

    outcomes: tuple[str, ...]
    rules: tuple[str, ...]


NOTHING = Cell((), ())


@dataclass(frozen=True, slots=True)
class ClientSide:
    """One pointer on the client.

    ``before`` and ``after``: what it may hold, ``storage``, ``new storage`` or ``null``. ``lost``: ``orphaned`` or nothing.
    """

    before: Cell
    after: Cell
    allocates: tuple[Act, ...]
    frees: tuple[Act, ...]
    lost: Cell


@dataclass(frozen=True, slots=True)
class ServerSide:
    """One pointer on the server.

    ``entry``: where its referent may live when the routine is entered, in the words of
    :attr:`rpcmemkit.audit.Audit.server_storage` (``buffer``, ``allocated``, ``stub``) or ``null``; nothing for a result.
    ``lost``: ``leaked`` or nothing; ``kept`` for [allocate(dont_free)].
    """

    entry: Cell
    allocates: tuple[Act, ...]
    frees: tuple[Act, ...]
    lost: Cell


@dataclass(frozen=True, slots=True)
class Promise:
    """What holds for one pointer of a procedure.

    ``kind`` is ``ref``, ``unique`` or ``ptr``; or ``context handle``, ``pipe``, or ``transmit_as`` and the like for a type that the
    application's routines convert. ``direction`` is ``in``, ``out``, ``in,out`` or ``return``. ``again`` is the path whose rows tell of what lies below, for a type that
    contains itself. ``head`` is the path of the pointer with [allocate(all_nodes)] in whose block the referent lies.
    """

    parts: Parts
    kind: str
    direction: str
    type: str
    client: ClientSide
    server: ServerSide
    note: str = ""
    again: Parts | None = None
    head: Parts | None = None

    @property
    def path(self) -> str:
        return parts_text(self.parts)

    @property
    def level(self) -> str:
        """``top-level`` for a pointer that is a parameter or the result, else ``embedded``."""
        return "top-level" if len(self.parts) == 1 else "embedded"

    @property
    def name(self) -> str:
        """The path as C writes it, for people."""
        return parts_in_c(self.parts)


@dataclass(frozen=True)
class Contract:
    """The promises of one procedure under one environment, in marshalling order.

    ``values`` names the parameters that hold no pointer: they are copied, and nobody allocates or frees them.
    ``handles`` names the context handles. ``allocators`` are those of the client stub, while its program enables no
    RpcSs environment, and of the server stub.
    """

    procedure: types.Procedure
    environment: Environment
    promises: tuple[Promise, ...]
    values: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    allocators: tuple[str, str] = ("midl_user_allocate", "midl_user_allocate")
    _rows: dict[Parts, Promise] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._rows.update((promise.parts, promise) for promise in self.promises)

    def __getitem__(self, path: str) -> Promise:
        """Return the promise for a path: ``root.left``, ``names[]``, ``*pp``, ``return``, or as C writes it.

        Raises:
            KeyError: no pointer of the signature has that path.
        """
        for promise in self.promises:
            if path in (promise.path, promise.name):
                return promise
        raise KeyError(path)

    def of(self, path: Path | None) -> Promise | None:
        """Return the promise for a pointer at a path of a call, however deep in a structure that contains itself."""
        at: Parts = ()
        for part in path_parts(path):
            row = self._rows.get(at)
            at = (*(row.again if row and row.again is not None else at), part)
        return self._rows.get(at)

    def told(self, rule: str) -> Rule:
        """Return a rule with the allocator and the deallocator that are in force where it holds."""
        found = RULES[rule]
        allocator = self.allocators[found.side == "server"]
        return found.under(allocator, deallocator_of(allocator))

    @property
    def rules(self) -> list[str]:
        """The ids of all rules behind the promises, in the order in which they are first cited."""
        found = (rule for promise in self.promises for rule in cited(promise))
        return list(dict.fromkeys(found))


def require_procedure(interface: types.Interface, procedure: str) -> None:
    """Raise :class:`~rpcmemkit.errors.UsageError` unless this is an interface with such a procedure."""
    if not isinstance(interface, types.Interface):
        given = type(interface).__name__
        raise UsageError(f"expected an interface, got {given}; a session has one: session.interface")
    if procedure not in interface.procedures:
        raise UsageError(f"interface {interface.name} has no procedure {procedure}")


def usual_environment(interface: types.Interface) -> Environment:
    """Return the environment of a contract that nobody gives one: the mode is that of the interface."""
    return Environment(osf=interface.osf)


def cited(promise: Promise) -> Iterator[str]:
    """Yield the rules behind a promise, cell by cell."""
    client, server = promise.client, promise.server
    for cell in (client.before, client.after, client.lost, server.entry, server.lost):
        yield from cell.rules
    for acts in (client.allocates, client.frees, server.allocates, server.frees):
        yield from (act.rule for act in acts)


def parts_path(parts: Parts) -> Path | None:
    """Return parts as a path."""
    path: Path | None = None
    for part in parts:
        path = (path, part)
    return path


def parts_text(parts: Parts) -> str:
    """Return a path as files write it: ``names[].text``, ``*first.next``."""
    return path_text(parts_path(parts))


def parts_in_c(parts: Parts) -> str:
    """Return a path as C writes it, with an index for each loop: ``(*rows)[i].cells[j]``."""
    index = iter("ijklmnopqrstuvwxyz")
    return re.sub(r"\[\]", lambda _: f"[{next(index, 'n')}]", c_text(parts_path(parts)))


def path_parts(path: Path | None) -> Parts:
    """Return the parts of a call's path with its indices left out."""
    texts: list[str] = []
    while path is not None:
        path, text = path
        texts.append(text)
    return tuple(_plain(part) for text in reversed(texts) for part in _PART.findall(text))


def _plain(part: str) -> str:
    return "[]" if part.startswith("[") else part
