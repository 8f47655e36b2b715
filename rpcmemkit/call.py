"""A session: a client program and a server program, an interface between them, and the calls they make."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rpcmemkit import types
from rpcmemkit.client import ClientStub
from rpcmemkit.errors import MemoryFault, RpcError, UsageError
from rpcmemkit.frame import Frame, Procedures
from rpcmemkit.idl import compile_idl
from rpcmemkit.memory import AddressSpace
from rpcmemkit.plan import SYNTAXES, ArrayPlan, OpaquePlan, Planner, PointerPlan
from rpcmemkit.program import Program
from rpcmemkit.reader import Reader
from rpcmemkit.server import Routine, ServerCall, ServerStub
from rpcmemkit.status import status_name
from rpcmemkit.trace import Snapshot, Trace, path_text
from rpcmemkit.values import Labels, Writer
from rpcmemkit.views import RoutineCall
from rpcmemkit.walk import Place, reach

INVALID_USER_BUFFER = 1784


@dataclass(frozen=True)
class Environment:
    """How a session is set up; the defaults are a 64-bit client and server that speak NDR 2.0.

    ``fail_after`` and ``client_fail_after`` let that many allocator calls of a side succeed, and no more.
    """

    client_pointer_size: int = 8
    server_pointer_size: int = 8
    transfer_syntax: str = "ndr20"
    byte_order: str = "little"
    osf: bool = False
    fail_after: int | None = None
    client_fail_after: int | None = None

    def planner(self, pointer_size: int) -> Planner:
        return Planner(pointer_size, SYNTAXES[self.transfer_syntax], self.byte_order == "big")


@dataclass
class Call:
    """One finished call: its status, its trace, and where to find the client's arguments.

    ``roots`` are the client's variables, arguments first, at the addresses they have in the ``client before`` and
    ``client after`` snapshots of the trace.
    """

    procedure: types.Procedure
    status: int
    trace: Trace
    client_frame: Frame
    server_frame: Frame
    frame_address: int
    roots: dict[str, Place]
    labels: Labels
    error: RpcError | MemoryFault | None = None

    @property
    def arguments(self) -> dict[str, Place]:
        """The places of the arguments, and of the result as ``return``, in the client's frame."""
        return {
            name: self.client_frame.place(name, self.frame_address) for name, _, _ in self.client_frame.all
        }

    @property
    def values(self) -> dict[str, Any]:
        """The arguments after the call and the result as ``return``, as plain Python values."""
        return Reader(self.space("client after")).read(self.arguments)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def result(self) -> Any:
        """What the function returned."""
        return self.values.get("return")

    def space(self, snapshot: str) -> AddressSpace:
        """Return the memory of ``client before``, ``client after``, ``server entry``, ``server exit``, ``server after``."""
        return AddressSpace.from_image(snapshot.split(maxsplit=1)[0], self.trace.snapshots[snapshot].image)

    @property
    def request(self) -> bytes:
        """The request's stub data; empty if the client stub sent nothing."""
        message = self.trace.messages.get("request")
        return message.data if message else b""

    @property
    def response(self) -> bytes:
        """The response's stub data; empty if there was none."""
        message = self.trace.messages.get("response")
        return message.data if message else b""

    def __repr__(self) -> str:
        return f"<Call {self.procedure.name}: {'ok' if not self.status else status_name(self.status)}>"


UNFINISHED = ("byte_count", "notify", "notify_flag", "reflect_deletions")


def not_carried_out(interface: types.Interface) -> list[str]:
    """Return a note for every attribute of the interface that this version reads but does not act upon."""
    found: dict[str, bool] = {}
    for procedure in interface.procedures.values():
        owners: list[types.Procedure | types.Parameter] = [procedure, *procedure.parameters]
        for owner in owners:
            for name in UNFINISHED:
                if name in owner.attributes:
                    found[f"[{name}] of {owner.name} is read but not carried out yet"] = True
        for parameter in procedure.parameters:
            if _has_all_nodes(parameter.type):
                found[
                    f"allocate(all_nodes) of {parameter.name} is not carried out yet: nodes are allocated singly"
                ] = True
    return list(found)


def _has_all_nodes(type_: types.Type) -> bool:
    while isinstance(type_, types.Pointer | types.Array):
        if isinstance(type_, types.Pointer) and type_.all_nodes:
            return True
        type_ = type_.target if isinstance(type_, types.Pointer) else type_.element
    return False


@dataclass(repr=False)
class Session:
    """Two programs and the interface between them.

    >>> session = Session("[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { long Add([in] long a, [in] long b); }")
    >>> @session.routine
    ... def Add(call, a, b):
    ...     return a + b
    >>> session.call("Add", a=2, b=3).result
    5
    """

    idl: str
    acf: str | None = None
    environment: Environment = field(default_factory=Environment)
    file: str = "interface.idl"

    def __post_init__(self) -> None:
        compilation = compile_idl(self.idl, self.acf, file=self.file, osf=self.environment.osf)
        self.warnings = compilation.warnings
        self.interface = compilation.interface
        self.notes = not_carried_out(self.interface)
        self._set_up(self.interface)

    def _set_up(self, interface: types.Interface) -> None:
        env = self.environment
        self.client = Program("client", env.client_pointer_size, env.client_fail_after)
        self.server = Program("server", env.server_pointer_size, env.fail_after)
        planner, server_planner = env.planner(env.client_pointer_size), env.planner(env.server_pointer_size)
        self.procedures = Procedures(interface, planner)
        self.planner = planner
        self.server_stub = ServerStub(
            self.server, Procedures(interface, server_planner), server_planner, env.osf
        )
        self.client_stub = ClientStub(self.client, planner, self._transport, env.osf)
        self.labels = Labels()
        self.memory: dict[str, Place] = {}
        self.last: Call | None = None
        self._given: dict[str, int] = {}
        self._calls = 0

    def _transport(self, opnum: int, request: bytes) -> tuple[int, bytes]:
        """Carry the octets over and the server's trace back: the only things that pass between the two halves."""
        reply = self.server_stub.dispatch(opnum, request)
        trace, served = self.client.trace, self.server.trace
        offset = len(trace)
        trace.raw.extend(served.raw)
        for moment, snapshot in served.snapshots.items():
            at = offset + snapshot.event
            trace.snapshots[f"server {moment}"] = Snapshot(moment, at, snapshot.image, snapshot.frame)
        if "response" in served.messages and not reply.status:
            trace.messages["response"] = served.messages["response"]
        return reply.status, reply.data

    def __repr__(self) -> str:
        env = self.environment
        bits = f"{env.client_pointer_size * 8}-bit client, {env.server_pointer_size * 8}-bit server"
        return f"<Session {self.interface.name}: {', '.join(self.interface.procedures)}; {bits}, {env.transfer_syntax}>"

    # --- routines ---

    def routine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register a Python function as the server routine of the procedure of its name (a decorator).

        It gets a :class:`rpcmemkit.views.RoutineCall` and the arguments by name; what it returns is the result.

        Raises:
            UsageError: the interface has no such procedure, or the function has other parameters.
        """
        frame = self._frame(function.__name__)
        names = [parameter.name for parameter in frame.procedure.parameters]
        expected = list(inspect.signature(function).parameters)[1:]
        if expected != names:
            raise UsageError(
                f"{function.__name__} takes (call, {', '.join(names)}), not (…, {', '.join(expected)})"
            )

        def run(server_call: ServerCall) -> None:
            call = RoutineCall(server_call)
            call.set_result(function(call, *[call.argument(name) for name in names]))

        self.server_stub.routines[function.__name__] = run
        return function

    def set_routine(self, name: str, routine: Routine) -> None:
        """Register a routine that works on the server call itself."""
        self.server_stub.routines[self._frame(name).procedure.name] = routine

    def _frame(self, name: str) -> Frame:
        if name not in self.interface.procedures:
            close = difflib.get_close_matches(name, self.interface.procedures, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise UsageError(f"interface {self.interface.name} has no procedure {name}{hint}")
        return self.procedures[name]

    # --- calls ---

    def call(self, name: str, /, **arguments: Any) -> Call:
        """Make one remote call with plain Python values and return what happened.

        Raises:
            RpcError: the call ended with an exception; its ``call`` attribute is the :class:`Call`.
            MemoryFault: the client stub met memory that it may not touch; likewise.
            UsageError: the arguments do not fit the procedure.
        """
        call = self.try_call(name, arguments)
        if call.error is not None:
            call.error.call = call  # type: ignore[union-attr]
            raise call.error
        return call

    def try_call(self, name: str, arguments: Mapping[str, Any]) -> Call:
        """As :meth:`call`, but an RPC exception or a fault is in the returned call's ``error``."""
        frame = self._frame(name)
        self._calls += 1
        trace = self.client.space.trace = Trace(name)
        address = self._pass(frame, arguments)
        roots = {name: frame.place(name, address) for name, _, _ in frame.all}
        roots.update(self.memory)
        self._snapshot(trace, "client before", address)
        error: RpcError | MemoryFault | None = None
        try:
            self.client_stub.call(frame, address)
        except RpcError as raised:
            error, trace.status = raised, raised.code
            trace.add("raise", "client", "stub", 0, 0, raised.rule, raised)
        except MemoryFault as fault:
            error, trace.status = fault, INVALID_USER_BUFFER
        self._snapshot(trace, "client after", address)
        server_frame = self.server_stub.procedures[name]
        self.last = Call(
            frame.procedure,
            trace.status,
            trace,
            frame,
            server_frame,
            address,
            roots,
            self.labels.copy(),
            error,
        )
        self._name_new_storage(self.last)
        return self.last

    def _name_new_storage(self, call: Call) -> None:
        """Label what the stub allocated by its path and the call's number: later calls may speak of it."""
        made = {event.address for event in call.trace.select("allocate", side="client", actor="stub")}
        if not made:
            return
        for address, place in reach(self.client.space, call.roots.values()).items():
            if address in made:
                self.labels.call_by_path(address, place.path, f"@{self._calls}")

    def _snapshot(self, trace: Trace, moment: str, frame: int) -> None:
        trace.snapshots[moment] = Snapshot(moment, len(trace), self.client.space.image(), frame)

    # --- the client's arguments ---

    def _pass(self, frame: Frame, arguments: Mapping[str, Any]) -> int:
        """Lay out the arguments in a new frame of the client, with storage for what is not given."""
        parameters = frame.procedure.parameters
        self._check_names(frame, arguments)
        address = self.client.space.add_block(frame.plan.size, "stack", fill=0)
        for parameter in parameters:
            count = self._given[parameter.name] = self._given.get(parameter.name, 0) + 1
            if parameter.name in arguments:
                suffix = f"#{count}" if count > 1 else ""
                writer = Writer(self.client.space, self.allocate, self.labels, suffix)
                writer.write(frame.place(parameter.name, address), arguments[parameter.name])
                writer.finish()
        for parameter in parameters:
            place = frame.place(parameter.name, address)
            if parameter.name not in arguments and isinstance(place.plan, PointerPlan):
                self._provide(place)
        return address

    def _check_names(self, frame: Frame, arguments: Mapping[str, Any]) -> None:
        parameters = {p.name: p for p in frame.procedure.parameters}
        for name in arguments:
            if name not in parameters:
                close = difflib.get_close_matches(name, parameters, 1)
                hint = (
                    f"; did you mean {close[0]}?"
                    if close
                    else f"; it takes {', '.join(parameters) or 'none'}"
                )
                raise UsageError(f"{frame.procedure.name} has no parameter {name!r}{hint}")
        for name, parameter in parameters.items():
            handle = isinstance(frame.plan.by_name[name].plan, OpaquePlan)
            if parameter.is_in and name not in arguments and not handle:
                raise UsageError(f"{frame.procedure.name}: the [in] parameter {name!r} is missing")

    def _provide(self, place: Place) -> None:
        """Give an [out] parameter zeroed storage of its own."""
        assert isinstance(place.plan, PointerPlan)
        target = place.plan.target
        size = target.size
        if isinstance(target, ArrayPlan):
            size = target.count(self.client.space, place.scope) * target.stride
        address = self.allocate(size)
        self.client.space.set_pointer(place.address, address)
        count = self._given[path_text(place.path)]
        self.labels.call_by_path(address, place.path, f"#{count}" if count > 1 else "")

    def allocate(self, size: int) -> int:
        """Allocate zeroed storage of the client application's own."""
        address = self.client.space.add_block(size, "application", fill=0)
        self.client.trace.raw.append(
            ("allocate", "client", "application", address, size, "client-owns", "application")
        )
        return address
