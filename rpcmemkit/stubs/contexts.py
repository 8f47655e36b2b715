"""Context handles at run time: tokens on the wire, records on the client, a table on the server (context-handles.md).

A handle means three things. To a server routine it is a pointer to state of its own; on the wire it is 20 bytes; to the
client it is a pointer to a record of those bytes, which the stub keeps. What the pointer names never travels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from struct import Struct as Codec
from typing import Literal, TypeAlias

from rpcmemkit.errors import RpcError
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.ndr import Marshaller, Unmarshaller
from rpcmemkit.paths import c_text
from rpcmemkit.plan import ContextPlan, Plan
from rpcmemkit.program import Program
from rpcmemkit.status import CONTEXT_DAMAGED, CONTEXT_MISMATCH, IN_NULL_CONTEXT
from rpcmemkit.stubs.frame import Frame
from rpcmemkit.trace import HandleName, Path, Span
from rpcmemkit.types import ContextHandle, Interface, Type, made_of
from rpcmemkit.walk import Place, contexts_in, reach

WIRE = {order: Codec(order + "IIHH8s") for order in "<>"}  # attributes and a UUID
WIRE_SIZE = WIRE["<"].size
NULL = bytes(WIRE_SIZE)
UUID_TAIL = (0x4000, bytes.fromhex("8000000000000000"))  # of a UUID whose first half is a counter

Guard: TypeAlias = "tuple[str, ...]"
"""To whom a handle belongs: to everybody, to an interface (strict), or to one type of it (type-strict)."""


def guard_of(interface: Interface, handle: ContextHandle) -> Guard:
    """Return what a handle and its user must have in common (strict-and-type-strict-context-handles.md)."""
    owner = interface.uuid or interface.name
    if "type_strict_context_handle" in interface.attributes:
        return owner, handle.name if handle.is_type else ""
    return (owner,) if "strict_context_handle" in interface.attributes else ()


def uses_contexts(interface: Interface) -> bool:
    """Return whether any parameter or result of an interface holds a context handle."""
    return any(isinstance(type_, ContextHandle) for type_ in _types(interface))


def handle_types(interface: Interface) -> list[str]:
    """Return the names of the context handle types of an interface: those that can have a run-down routine."""
    types = [type_ for type_ in _types(interface) if isinstance(type_, ContextHandle) and type_.is_type]
    return sorted(type_.name for type_ in types)


def _types(interface: Interface) -> Iterator[Type]:
    procedures = interface.procedures.values()
    given = [p.type for procedure in procedures for p in procedure.parameters]
    given += [procedure.result for procedure in procedures if procedure.result is not None]
    return made_of(*given)


def mismatch(why: str, path: Path | None = None) -> RpcError:
    """Return RPC_X_SS_CONTEXT_MISMATCH."""
    return RpcError(CONTEXT_MISMATCH, why, path=c_text(path), rule="context-mismatch")


# --- the wire ---------------------------------------------------------------------------------


def _send(
    writer: Marshaller, plan: ContextPlan, token: bytes, address: int, size: int, path: Path | None
) -> None:
    """Write a token; the event names the memory that stands behind it."""
    writer.align(plan.wire_align)
    start = len(writer.out)
    writer.out += WIRE[writer.planner.order].pack(*WIRE["<"].unpack(token))
    span = Span(start, WIRE_SIZE, "context", plan, path)
    writer.space.trace.add(
        EventKind.MARSHAL, writer.space.side, "stub", address, size, "context-token-travels", span
    )


def _receive(reader: Unmarshaller, plan: ContextPlan, address: int, path: Path | None) -> bytes:
    """Return the token that comes next, its numbers in the byte order of memory."""
    reader.align(plan.wire_align)
    start = reader.position
    token = WIRE["<"].pack(*WIRE[reader.planner.order].unpack(reader.take(WIRE_SIZE)))
    span = Span(start, WIRE_SIZE, "context", plan, path)
    reader.space.trace.add(
        EventKind.UNMARSHAL, reader.space.side, "stub", address, plan.size, "context-token-travels", span
    )
    return token


def _refuse_null(frame: Frame, path: Path | None) -> None:
    """Raise RPC_X_SS_IN_NULL_CONTEXT for a handle that is [in] only (context-handle.md)."""
    if _parameter(path) in frame.in_only:
        raise RpcError(IN_NULL_CONTEXT, path=c_text(path), rule="context-in-not-null")


def _parameter(path: Path | None) -> str:
    name = ""
    while path is not None:
        path, name = path
    return name


# --- the client -------------------------------------------------------------------------------


class ClientContexts:
    """The context handles of one call on the client: each variable names a record of the token, or is null."""

    def __init__(self, program: Program, frame: Frame) -> None:
        self.program = program
        self.frame = frame

    def marshal(
        self, writer: Marshaller, plan: ContextPlan, address: int, scope: int, path: Path | None
    ) -> None:
        record = writer.space.pointer_at(address)
        if not record:
            _refuse_null(self.frame, path)
            _send(writer, plan, NULL, address, plan.size, path)
            return
        _send(writer, plan, token_at(writer.space, record, path), record, WIRE_SIZE, path)

    def unmarshal(
        self, reader: Unmarshaller, plan: ContextPlan, address: int, scope: int, path: Path | None, new: bool
    ) -> None:
        token = _receive(reader, plan, address, path)
        space = reader.space
        held = 0 if new or _parameter(path) in self.frame.out_only else space.pointer_at(address)
        if not any(token[4:]):  # a nil UUID, whatever the attributes are
            space.set_pointer(address, 0)
            if held:
                _forget(self.program, held, "stub", "context-client-record")
        elif not held:
            space.set_pointer(address, self._record(token))
        elif token_at(space, held, path) != token:
            raise RpcError(CONTEXT_DAMAGED, path=c_text(path), rule="context-damaged")

    def _record(self, token: bytes) -> int:
        space = self.program.space
        record = space.add_block(WIRE_SIZE, BlockKind.CONTEXT)
        space.write(record, token)
        _note_record(self.program, EventKind.OPEN, "stub", record, "context-client-record")
        return record


def token_at(space: AddressSpace, record: int, path: Path | None = None) -> bytes:
    """Return the token in a client's record.

    Raises:
        RpcError: RPC_X_SS_CONTEXT_MISMATCH, there is no record: the handle was closed, or never was one.
    """
    block = space.block(record)
    if block is None or block.kind is not BlockKind.CONTEXT or block.address != record or not block.live:
        raise mismatch("this is no open context handle", path)
    return space.read(record, WIRE_SIZE)


def token_text(token: bytes) -> str:
    """Return the UUID of a token as text."""
    _, first, second, third, last = WIRE["<"].unpack(token)
    return f"{first:08x}-{second:04x}-{third:04x}-{last[:2].hex()}-{last[2:].hex()}"


def _note_record(program: Program, kind: EventKind, actor: str, record: int, rule: str) -> None:
    handle = HandleName(token_text(program.space.read(record, WIRE_SIZE)))
    program.trace.add(kind, "client", actor, record, WIRE_SIZE, rule, handle)


def _forget(program: Program, record: int, actor: str, rule: str) -> None:
    _note_record(program, EventKind.CLOSE, actor, record, rule)
    program.space.drop_block(record)


def destroy_client_context(program: Program, variable: int) -> None:
    """Reclaim the client's record of a handle and null the variable at an address; the server is not asked.

    Source: nf-rpcndr-rpcssdestroyclientcontext.md.

    Raises:
        RpcError: RPC_X_SS_CONTEXT_MISMATCH, the variable holds no open handle.
    """
    record = program.space.pointer_at(variable)
    token_at(program.space, record)
    _forget(program, record, "application", "context-client-reset")
    program.space.set_pointer(variable, 0)


# --- the server -------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Context:
    """An open handle as the server's run-time knows it; ``address`` is the value that the routine gave it."""

    token: bytes
    type: ContextHandle
    guard: Guard
    address: int
    run_down: Callable[[Context], None]

    @property
    def handle(self) -> HandleName:
        """What the trace calls it."""
        return HandleName(token_text(self.token), self.type.name)


class ContextTable:
    """The open handles of one client, in the order in which they were opened."""

    def __init__(self) -> None:
        self._open: dict[bytes, Context] = {}
        self._by_state: dict[int, dict[bytes, Context]] = {}
        self._made = 0
        self._calls = 0
        self._gone = False
        self.departures = 0
        """How often the client has gone away: a call during which it did gets no response."""

    def __iter__(self) -> Iterator[Context]:
        return iter(self._open.values())

    def __len__(self) -> int:
        return len(self._open)

    def new_token(self) -> bytes:
        """Return a token that no handle ever had."""
        self._made += 1
        return WIRE["<"].pack(0, self._made, 0, *UUID_TAIL)

    def open(self, context: Context) -> None:
        self._open[context.token] = context
        self._by_state.setdefault(context.address, {})[context.token] = context

    def close(self, context: Context) -> None:
        self._open.pop(context.token, None)
        self._by_state.get(context.address, {}).pop(context.token, None)

    def change(self, context: Context, address: int) -> None:
        """Let an open handle have another state."""
        self._by_state.get(context.address, {}).pop(context.token, None)
        context.address = address
        self._by_state.setdefault(address, {})[context.token] = context

    def having(self, states: Iterable[int]) -> list[Context]:
        """Return the open handles that have one of these states, in the order in which they were opened."""
        found = [context for state in states for context in self._by_state.get(state, {}).values()]
        return sorted(found, key=lambda context: WIRE["<"].unpack(context.token)[1])  # tokens are counted

    def find(self, token: bytes, guard: Guard, path: Path | None) -> Context:
        """Return the open handle of a token.

        Raises:
            RpcError: RPC_X_SS_CONTEXT_MISMATCH, there is none, or it belongs to another interface or type.
        """
        context = self._open.get(token)
        if context is None:
            raise mismatch("no open context handle has this token", path)
        if context.guard != guard:
            raise mismatch("the handle was opened as one of another interface or type", path)
        return context

    # --- a client that goes away ---

    def call_begins(self) -> None:
        self._calls += 1

    def call_ends(self) -> None:
        self._calls -= 1
        self._run_down()

    @property
    def busy(self) -> bool:
        """Whether a call is executing."""
        return self._calls > 0

    def client_gone(self) -> None:
        """Run down every open handle, in order; while a call is executing, as soon as it has ended."""
        self._gone = True
        self.departures += 1
        self._run_down()

    def _run_down(self) -> None:
        if self.busy or not self._gone:
            return
        self._gone = False
        lost = list(self)
        self._open.clear()
        self._by_state.clear()
        for context in lost:
            context.run_down(context)


Ended: TypeAlias = Literal["returned", "raised", "unsent"]
"""How a call ended: with a response, with an exception of the routine, or with a response that could not be made."""

Verdict: TypeAlias = Literal["nothing", "open", "keep", "close", "run-down"]


def verdict(was_open: bool, is_set: bool, ended: Ended) -> Verdict:
    """Return what becomes of a handle when its call ends (failure-semantics-for-context-handles.md).

    The run-time looks at what the routine left in a handle that was open, however the call ended. A handle that was null
    opens with the response. State that no response can tell of is run down; a routine that raises cleans up for itself.
    """
    if was_open:
        return "keep" if is_set else "close"
    if not is_set or ended == "raised":
        return "nothing"
    return "open" if ended == "returned" else "run-down"


class ServerContexts:
    """The context handles of one call on the server. ``before`` and ``made`` go by the address of the stub's slot."""

    def __init__(
        self, program: Program, table: ContextTable, frame: Frame, run_down: Callable[[Context], None]
    ) -> None:
        self.program = program
        self.table = table
        self.frame = frame
        self.run_down = run_down
        self.before: dict[int, Context] = {}
        self.made: dict[int, Context] = {}

    def unmarshal(
        self, reader: Unmarshaller, plan: ContextPlan, address: int, scope: int, path: Path | None, new: bool
    ) -> None:
        token = _receive(reader, plan, address, path)
        if token == NULL:
            _refuse_null(self.frame, path)
            reader.space.set_pointer(address, 0)
            return
        context = self.table.find(token, guard_of(self.frame.interface, plan.type), path)
        self.before[address] = context
        reader.space.set_pointer(address, context.address)

    def marshal(
        self, writer: Marshaller, plan: ContextPlan, address: int, scope: int, path: Path | None
    ) -> None:
        value = writer.space.pointer_at(address)
        token = self._at(plan, address, value).token if value else NULL
        _send(writer, plan, token, address, plan.size, path)

    def _at(self, plan: ContextPlan, slot: int, value: int) -> Context:
        """Return the handle in a slot: the one that arrived there, or a new one."""
        context = self.before.get(slot) or self.made.get(slot)
        if context is None:
            guard = guard_of(self.frame.interface, plan.type)
            context = Context(self.table.new_token(), plan.type, guard, value, self.run_down)
            self.made[slot] = context
        return context

    def settle(self, outputs: Iterable[Place], ended: Ended) -> list[Context]:
        """Open, close and keep what the routine left in the handles of the outputs; return those to run down."""
        lost = []
        for place in list(contexts_in(self.program.space, outputs)):
            assert isinstance(place.plan, ContextPlan)
            before, value = self.before.get(place.address), self.program.space.pointer_at(place.address)
            match verdict(before is not None, bool(value), ended):
                case "keep" if before:
                    if value != before.address:
                        self._note(EventKind.CHANGE, before, "context-state-stays")
                    self.table.change(before, value)
                case "close" if before:
                    self.table.close(before)
                    self._note(EventKind.CLOSE, before, "context-closed-by-null")
                case "open":
                    context = self._at(place.plan, place.address, value)
                    self.table.open(context)
                    self._note(EventKind.OPEN, context, "context-opened-by-value")
                case "run-down":
                    lost.append(self._at(place.plan, place.address, value))
        return lost

    def note_kept(self, state: Callable[[Context], Plan]) -> None:
        """Say of what this call allocated, and of state it let go, that an open handle still names or reaches it."""
        trace = self.program.trace
        begun = (EventKind.ALLOCATE, EventKind.CLOSE, EventKind.CHANGE)
        concerned = {event.address for event in trace.select(*begun, side="server")}
        own = {each.token: each.address for each in (*self.before.values(), *self.made.values())}
        for context in self.table.having(concerned | {*own.values()}):
            root = Place(state(context), context.address, context.address, None)
            found = {context.address: root}
            if context.token in own:
                found.update(reach(self.program.space, [root]))
            for address, place in found.items():
                if address in concerned:
                    whose = context.handle if address == context.address else None
                    size, rule = place.plan.size, "context-state-stays"
                    trace.add(EventKind.KEEP, "server", "stub", address, size, rule, whose)

    def _note(self, kind: EventKind, context: Context, rule: str) -> None:
        size = self.program.space.capacity(context.address)
        self.program.trace.add(kind, "server", "stub", context.address, size, rule, context.handle)
