"""A session: a client program and a server program, an interface between them, and the calls they make."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, ClassVar

from rpcmemkit import given, types
from rpcmemkit.asynchronous import STATE_SIZE, AsyncCall
from rpcmemkit.environment import Environment
from rpcmemkit.errors import Finished, MemoryFault, OfThisProcess, RpcError, UsageError, counted
from rpcmemkit.idl import compile_idl
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.ledger import Row
from rpcmemkit.memory import AddressSpace
from rpcmemkit.paths import path_text
from rpcmemkit.plan import ArrayPlan, OpaquePlan, PointerPlan
from rpcmemkit.program import LARGEST_BLOCK, Program, Turn, in_turn, nested
from rpcmemkit.reader import Reader
from rpcmemkit.rpcss import RpcSm, RpcSs
from rpcmemkit.status import CALL_FAILED, INVALID_USER_BUFFER, status_name
from rpcmemkit.stubs.client import Calling, ClientStub
from rpcmemkit.stubs.contexts import ContextTable, destroy_client_context, handle_types
from rpcmemkit.stubs.conversion import PARAMETERS
from rpcmemkit.stubs.frame import Frame, Procedures
from rpcmemkit.stubs.pipes import Pipe, PipeBuffer, check_pipes
from rpcmemkit.stubs.server import Reply, Routine, ServerCall, ServerStub
from rpcmemkit.trace import Fault, HandleName, Run, Snapshot, Trace
from rpcmemkit.values import Handle, Labels, Rows, Writer, variable_of
from rpcmemkit.views import ConversionCall, RoutineCall
from rpcmemkit.walk import Place, contexts_in, reach


@dataclass(eq=False)
class Call(Finished):
    """One finished call: its status, its trace, and where to find the client's arguments.

    ``roots`` are the client's variables, arguments first, at the addresses they have in the ``client before`` and
    ``client after`` snapshots of the trace.
    """

    _stays: ClassVar[str] = (
        "it refers to the compiled interface and to memory of its session; send call.values, or the IDL, call.request "
        "and call.response"
    )
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
        return self.client_frame.places(self.frame_address)

    @property
    def values(self) -> dict[str, Any]:
        """The arguments after the call and the result as ``return``, as plain Python values."""
        return Reader(self.space("client after")).read(self.arguments)

    def __getitem__(self, name: str) -> Any:
        """Return one of :attr:`values`. Raises :class:`UsageError` if the procedure has no parameter of that name."""
        values = self.values
        if name not in [*values]:  # whatever is given: it need not be hashable
            raise UsageError(f"{self.procedure.name} has no parameter {name!r}{given.meant(name, values)}")
        return values[name]

    @property
    def stored(self) -> RpcError | None:
        """The exception that [comm_status] or [fault_status] has made a value: nothing was raised."""
        return next((event.of(RpcError) for event in self.trace.select(EventKind.STATUS)), None)

    @property
    def notes(self) -> list[str]:
        """What is worth knowing though nothing failed: that no routine was registered."""
        return [no_routine(event.of(str)) for event in self.trace.select(EventKind.NO_ROUTINE)]

    @property
    def result(self) -> Any:
        """What the function returned."""
        return self.values.get("return")

    def space(self, snapshot: str) -> AddressSpace:
        """Return the memory of ``client before``, ``client after``, ``server entry``, ``server exit``, ``server after``.

        Where the routine raised an exception, or met a fault, there is ``server stop`` instead of ``server exit``.
        Raises :class:`UsageError` for a moment that the call never came to.
        """
        given.known("the moment", snapshot, self.trace.snapshots)
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
        status = status_name(self.status) if self.status else "ok"
        return f"<Call {self.procedure.name}: {'; '.join([status, *self.notes])}>"


def no_routine(name: str) -> str:
    """Return the note on a call to a procedure that no routine was registered for."""
    return f"no routine is registered for {name}, so one that does nothing ran"


@dataclass(repr=False)
class Departure:
    """A client that went away, and what the server did about its context handles."""

    trace: Trace

    @property
    def rundowns(self) -> list[str]:
        """The types of the handles that were run down, in order."""
        return rundowns_in(self.trace)

    @property
    def lost(self) -> list[str]:
        """The types of the open handles that have no run-down routine."""
        return rundowns_in(self.trace, EventKind.LOSE)

    def __repr__(self) -> str:
        return f"<Departure: run down {', '.join(self.rundowns) or 'nothing'}>"


def rundowns_in(trace: Trace, kind: EventKind = EventKind.RUN_DOWN) -> list[str]:
    """Return the types of the context handles that a trace runs down, in order."""
    return [event.of(HandleName).type for event in trace.select(kind, side="server")]


_USUAL = Environment()


class Session(OfThisProcess):
    """Two programs and the interface between them, for one thread at a time: others wait until a call has ended.

    ``interface`` chooses one where the text defines several; unless given, it is the last. ``peer`` is a session whose two
    programs this one shares: see :meth:`also`.

    >>> session = Session("[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { long Add([in] long a, [in] long b); }")
    >>> @session.routine
    ... def Add(call, a, b):
    ...     return a + b
    >>> session.call("Add", a=2, b=3).result
    5
    """

    _stays: ClassVar[str] = (
        "it is two programs with memory and routines; open another one with the same text: "
        "Session(session.idl, session.acf, session.environment)"
    )

    def __init__(
        self,
        idl: str,
        acf: str | None = None,
        environment: Environment = _USUAL,
        file: str = "interface.idl",
        peer: Session | None = None,
        *,
        interface: str | None = None,
    ) -> None:
        self.idl = given.instance("idl", idl, str, "IDL text")
        self.acf = acf if acf is None else given.instance("acf", acf, str, "ACF text, or None")
        self.environment = given.instance("environment", environment, Environment, "Environment(…)")
        self.file, self.peer = file, peer
        self.compilation = compile_idl(idl, acf, file=file, switches=environment.switches)
        self.warnings = self.compilation.warnings
        self.interface = self.compilation.named(interface)[-1]
        self._set_up(self.interface)

    def _set_up(self, interface: types.Interface) -> None:
        env = self.environment
        mode = {"osf": env.osf, "is_object": interface.is_object}
        peer = self.peer
        if peer and peer.interface.is_object != interface.is_object:
            raise UsageError(
                f"{peer.interface.name} and {interface.name} cannot share two programs here: the stubs of an [object] interface "
                "use COM's task allocator, others midl_user_allocate"
            )
        self.client: Program = (
            peer.client if peer else Program("client", env.client_pointer_size, env.client_fail_after, **mode)
        )
        self.server: Program = (
            peer.server if peer else Program("server", env.server_pointer_size, env.fail_after, **mode)
        )
        self.turn: Turn = peer.turn if peer else Turn(self.client, self.server)
        self.client.turn = self.server.turn = self.turn
        self.contexts: ContextTable = peer.contexts if peer else ContextTable()
        self.labels: Labels = peer.labels if peer else Labels()
        self._given: dict[str, int] = peer._given if peer else {}
        self.client_rpcss, self.client_rpcsm = RpcSs(self.client), RpcSm(self.client)
        planner, server_planner = env.planner(env.client_pointer_size), env.planner(env.server_pointer_size)
        self.procedures = Procedures(interface, planner)
        self.planner = planner
        self.server_stub = ServerStub(
            self.server, Procedures(interface, server_planner), server_planner, env.osf, self.contexts
        )
        self.client_stub = ClientStub(self.client, planner, self._transport, env.osf)
        self.memory: dict[str, Place] = {}
        self.last: Call | None = None
        self._numbers: Iterator[int] = peer._numbers if peer else count(1)

    def _transport(self, opnum: int, request: bytes) -> tuple[int, bytes]:
        """Carry the bytes over and the server's trace back: the only things that pass between the two halves."""
        departures = self.contexts.departures
        reply = Reply(CALL_FAILED, b"")
        try:
            reply = self.server_stub.dispatch(opnum, request)
        finally:
            self._join(self.server.trace, reply)
        if self.contexts.departures != departures:
            return CALL_FAILED, b""
        return reply.status, reply.data

    def _join(self, served: Trace, reply: Reply) -> None:
        """Append what the server has noted to the trace of the call."""
        trace = self.client.trace
        offset = trace.now
        trace.raw.extend(served.raw)
        for moment, snapshot in served.snapshots.items():
            at = offset + snapshot.event
            trace.snapshots[f"server {moment}"] = Snapshot(moment, at, snapshot.image, snapshot.frame)
        gone = any(served.select(EventKind.DISCONNECT))
        if "response" in served.messages and not reply.status and not gone:  # it reaches nobody otherwise
            trace.messages["response"] = served.messages["response"]

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
        frame = self._frame(_name_of(function))
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
        procedure = self._frame(name).procedure.name
        self.server_stub.routines[procedure] = given.function(f"the routine of {name}", routine, ("call",))

    # --- context handles ---

    def also(
        self, idl: str, acf: str | None = None, file: str = "interface.idl", *, interface: str | None = None
    ) -> Session:
        """Return a session for another interface of the same two programs: they share memory and context handles."""
        return Session(idl, acf, self.environment, file, self, interface=interface)

    def rundown(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Register ``NAME_rundown(call, context)`` as the run-down routine of the handle type NAME (a decorator).

        Raises:
            UsageError: no [context_handle] stands at a typedef of that name.
        """

        def run(server_call: ServerCall) -> None:
            call = RoutineCall(server_call)
            function(call, call.argument("context"))

        name = _name_of(function)
        given.function(name, function, ("call", "context"))
        self.set_rundown(name.removesuffix("_rundown"), run)
        return function

    def set_rundown(self, name: str, routine: Routine) -> None:
        """As :meth:`rundown`, for a routine that works on the server call itself; ``name`` is that of the type."""
        known = handle_types(self.interface)
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else "there are none"
            raise UsageError(f"{name!r} is no context handle type of {self.interface.name}; {there}")
        self.server_stub.rundowns[name] = given.function(f"{name}_rundown", routine, ("call",))

    @in_turn
    def disconnect(self) -> Departure:
        """Let the client go away: the server runs down its open handles, in the order in which they were opened.

        While a call is executing, in a routine, the run-down waits for its end and is in the trace of that call, whose
        response goes nowhere. Source: server-context-run-down-routine.md, multithreaded-clients-and-context-handles.md.
        """
        if self.contexts.busy:
            self.server.trace.add(EventKind.DISCONNECT, "client", "application", 0, 0, "context-run-down")
            self.contexts.client_gone()
            return Departure(self.server.trace)
        trace = self.server.space.trace = Trace("disconnect")
        self.contexts.client_gone()
        trace.snapshots["server after"] = Snapshot("after", trace.now, self.server.space.image(), 0)
        return Departure(trace)

    @in_turn
    def destroy_client_context(self, handle: Handle | str) -> None:
        """RpcSsDestroyClientContext: reclaim the client's side of a handle; the server is not contacted.

        ``handle`` is the variable: its name, or what a call gave.

        Raises:
            RpcError: RPC_X_SS_CONTEXT_MISMATCH, the variable holds no open handle.
            UsageError: no variable has that name.
        """
        destroy_client_context(self.client, self._variable(handle))

    def try_destroy_client_context(self, handle: Handle | str) -> int:
        """RpcSmDestroyClientContext: as :meth:`destroy_client_context`, but an exception becomes the returned status."""
        try:
            self.destroy_client_context(handle)
        except RpcError as error:
            return error.code
        return 0

    def _variable(self, handle: Handle | str) -> int:
        """Return where the variable of a context handle is."""
        if not isinstance(handle, str):
            given.instance("the context handle", handle, Handle, "its name, or what a call gave")
            return variable_of(self.client.space, handle, "the context handle")
        variable = self.labels.address(handle)
        if variable is None:
            raise UsageError(f"no context handle is called {handle!r}")
        return variable

    def _name_handles(self, trace: Trace, roots: Mapping[str, Place]) -> None:
        """Call the handles that a call opened by the variables that hold them now."""
        opened = {event.address for event in trace.select(EventKind.OPEN, side="client")}
        for place in contexts_in(self.client.space, roots.values()) if opened else ():
            record = self.client.space.pointer_at(place.address)
            if record in opened:
                if place.path == (None, "return"):
                    self._given["return"] = self._given.get("return", 0) + 1
                    self.labels.call_by_path(place.address, place.path, self._suffix("return"))
                name = self.labels.name(place.address) or path_text(place.path)
                self.labels.call_by_path(record, None, name)

    def conversion(self, name: str, /, **routines: Callable[..., Any]) -> None:
        """Register the routines of a converted type, by the last part of their names, for both programs.

        ``to_xmit(call, obj, sent)``, ``from_xmit(call, sent, obj)``, ``free_xmit(call, sent)``, ``free_inst(call, obj)``;
        of [represent_as] ``from_local(call, local, obj)``, ``to_local(call, obj, local)``, ``free_inst(call, obj)``,
        ``free_local(call, local)``; of user marshalling ``UserSize(call, flags, start, obj)``,
        ``UserMarshal(call, flags, buffer, obj)``, ``UserUnmarshal(call, flags, buffer, obj)``, ``UserFree(call, flags,
        obj)``. They get a :class:`rpcmemkit.views.ConversionCall`, views of C's pointers and a
        :class:`rpcmemkit.stubs.conversion.Buffer`; ``sent[0] = call.new(…)`` is C's ``*sent = …``.

        Raises:
            UsageError: no such type is converted, or it has other routines, or they take other arguments.
        """
        for part, each in routines.items():
            given.function(f"{name}_{part}", each, PARAMETERS.get(part, ()))
        for stub in (self.client_stub, self.server_stub):
            wrapped = {part: ConversionCall.of(stub.program, each) for part, each in routines.items()}
            stub.conversions.register(self.interface, name, wrapped)

    def _frame(self, name: str) -> Frame:
        given.instance("the procedure", name, str, "its name")
        if name not in self.interface.procedures:
            others = [each.name for each in self.compilation.interfaces if name in each.procedures]
            hint = given.meant(name, self.interface.procedures)
            if others:
                hint = f"; interface {others[0]} has, of the same text: Session(…, interface={others[0]!r})"
            raise UsageError(f"interface {self.interface.name} has no procedure {name}{hint}")
        return self.procedures[name]

    # --- calls ---

    def call(self, name: str, /, **arguments: Any) -> Call:
        """Make one remote call with plain Python values and return what happened.

        A procedure that no routine is registered for does nothing and returns 0: see :attr:`Call.notes`. A routine may
        make calls in turn, as RPC programs do; each has a trace of its own.

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
        if not isinstance(arguments, Mapping):
            raise given.wrong("the arguments", arguments, "a map of values by parameter name")
        with nested(self.client, self.server):
            calling, close = self._open(frame, arguments)
            try:
                calling.run()
            except (RpcError, MemoryFault) as error:
                return close(error)
            except BaseException as broken:  # of the application's Python: the call has ended all the same
                close(broken)
                raise
            return close(None)

    def begin(self, name: str, /, **arguments: Any) -> AsyncCall:
        """Begin an asynchronous call: the request is sent, ``complete()`` of what is returned receives the reply.

        Raises:
            RpcError: the call could not be begun; nothing needs to be completed.
            MemoryFault: likewise.
            UsageError: the procedure is not [async], or the arguments do not fit it.
        """
        frame = self._frame(name)
        if "async" not in frame.procedure.attributes:
            raise UsageError(f"{name} is not asynchronous: write [async] {name}(); in the attribute file")
        with nested(self.client, self.server):
            calling, close = self._open(frame, arguments)
            state = self.allocate(STATE_SIZE[self.client.space.pointer_size])
            pending = AsyncCall(calling, state, self._join, close)
            try:
                pending.send(self.server_stub)
            except BaseException as error:
                error.call = close(error)  # type: ignore[attr-defined]
                raise
        return pending

    def _open(
        self, frame: Frame, arguments: Mapping[str, Any]
    ) -> tuple[Calling, Callable[[BaseException | None], Call]]:
        """Begin a trace and lay out the arguments; return the call, and what ends it with an exception or without."""
        trace = self.client.space.trace = Trace(frame.procedure.name)
        pipes = {name: value for name, value in arguments.items() if isinstance(value, Pipe)}
        address = self._pass(frame, arguments)
        roots = frame.places(address) | self.memory
        self._snapshot(trace, "client before", address)
        close = partial(self._close, frame, address, roots, next(self._numbers))
        return Calling(self.client_stub, frame, address, pipes), close

    def _close(
        self,
        frame: Frame,
        address: int,
        roots: dict[str, Place],
        number: int,
        error: BaseException | None,
    ) -> Call:
        """End the trace of a call and return what happened."""
        trace = self.client.trace
        if isinstance(error, RpcError):
            trace.status = error.code
            trace.add(EventKind.RAISE, "client", "stub", 0, 0, error.rule, error)
        elif error is not None:
            trace.status = INVALID_USER_BUFFER if isinstance(error, MemoryFault) else CALL_FAILED
        self._snapshot(trace, "client after", address)
        self._name_handles(trace, roots)
        server_frame = self.server_stub.prototypes[frame.procedure.name]
        labels = self.labels.copy()
        self.last = Call(
            frame.procedure,
            trace.status,
            trace,
            frame,
            server_frame,
            address,
            roots,
            labels,
            _named(error, trace),
        )
        self._name_new_storage(self.last, number)
        return self.last

    @in_turn
    def pipe(self, values: Iterable[Any] = (), size: int = 64) -> Pipe:
        """Return a pipe of the client that sends ``values`` and collects what comes back in its ``received``.

        Its alloc procedure gives the same buffer of that many bytes each time (client-side-pipe-implementation.md).
        """
        waiting = given.elements("the values of the pipe", values)
        buffer = self.allocate(size)

        def pull(room: PipeBuffer) -> int:
            chunk, waiting[:] = waiting[: room.capacity], waiting[room.capacity :]
            return room.write(chunk)

        def push(room: PipeBuffer, count: int) -> None:
            pipe.received += room.read(count)

        pipe = Pipe(lambda requested: (buffer, min(requested, size)), pull, push)
        return pipe

    def _name_new_storage(self, call: Call, number: int) -> None:
        """Label what the stub allocated by its path and the call's number: later calls may speak of it."""
        made = {event.address for event in call.trace.select(EventKind.ALLOCATE, side="client", actor="stub")}
        if not made:
            return
        for address, place in reach(self.client.space, call.roots.values()).items():
            if address in made:
                self.labels.call_by_path(address, place.path, f"@{number}")

    def _snapshot(self, trace: Trace, moment: str, frame: int) -> None:
        trace.snapshots[moment] = Snapshot(moment, trace.now, self.client.space.image(), frame)

    # --- the client's arguments ---

    def _pass(self, frame: Frame, arguments: Mapping[str, Any]) -> int:
        """Lay out the arguments in a new frame of the client, with storage for what is not given."""
        parameters = frame.procedure.parameters
        self._check_names(frame, arguments)
        check_pipes(frame, arguments)
        arguments = {name: value for name, value in arguments.items() if not isinstance(value, Pipe)}
        address = self.client.space.add_block(frame.plan.size, BlockKind.STACK, fill=0)
        for parameter in parameters:
            self._given[parameter.name] = self._given.get(parameter.name, 0) + 1
            if parameter.name in arguments and "byte_count" not in parameter.attributes:
                writer = self.writer(self._suffix(parameter.name), fresh=address)
                writer.write(frame.place(parameter.name, address), arguments[parameter.name])
                writer.finish()
        for parameter in parameters:
            place = frame.place(parameter.name, address)
            if "byte_count" in parameter.attributes:
                self._provide_buffer(frame, place, arguments.get(parameter.name))
            elif parameter.name not in arguments and isinstance(place.plan, PointerPlan):
                self._provide(place)
        return address

    def _provide_buffer(self, frame: Frame, place: Place, value: Any) -> None:
        """Give a [byte_count] parameter a buffer of as many bytes as the count says, or the one that has the label."""
        assert isinstance(place.plan, PointerPlan)
        name = path_text(place.path)
        label = value.get("$alias") if isinstance(value, Mapping) else None
        if label is not None:
            self.writer().write(place, value)
            return
        address = self.allocate(_room(lambda: frame.byte_count(self.client.space, name, place.scope) or 0))
        self.client.space.set_pointer(place.address, address)
        inner = Place(place.plan.target, address, place.scope, place.path)
        if isinstance(value, Mapping) and "$label" in value:
            self.labels.give(str(value["$label"]), address)
            value = value.get("$value")
        else:
            self.labels.call_by_path(address, place.path, self._suffix(name))
        if value is None:
            return
        writer = self.writer()
        try:
            writer.write(inner, value)
        except MemoryFault:
            room = counted(self.client.space.capacity(address), "byte")
            raise UsageError(
                f"{frame.procedure.name}: the value of {name} does not fit its buffer: [byte_count] makes that {room}. Pass a "
                f"larger count, or leave {name} out: the buffer is there, zeroed"
            ) from None
        writer.finish()

    def _suffix(self, name: str) -> str:
        count = self._given[name]
        return f"#{count}" if count > 1 and (self.labels.numbered or name == "return") else ""

    def _check_names(self, frame: Frame, arguments: Mapping[str, Any]) -> None:
        parameters = {p.name: p for p in frame.procedure.parameters}
        for name in arguments:
            if name not in parameters:
                hint = given.meant(name, parameters, "it takes")
                raise UsageError(f"{frame.procedure.name} has no parameter {name!r}{hint}")
        for name, parameter in parameters.items():
            handle = isinstance(frame.plan.by_name[name].plan, OpaquePlan)
            if parameter.is_in and name not in arguments and not handle:
                raise UsageError(f"{frame.procedure.name}: the [in] parameter {name!r} is missing")

    def _provide(self, place: Place) -> None:
        """Give an [out] parameter zeroed storage of its own."""
        assert isinstance(place.plan, PointerPlan)
        target, space = place.plan.target, self.client.space
        sized = isinstance(target, ArrayPlan)
        address = self.allocate(
            _room(lambda: target.count(space, place.scope) * target.stride if sized else target.size)  # type: ignore[attr-defined]
        )
        self.client.space.set_pointer(place.address, address)
        self.labels.call_by_path(address, place.path, self._suffix(path_text(place.path)))

    def writer(self, suffix: str = "", fresh: int = 0) -> Writer:
        """Return what writes values into the client's memory, for an application that keeps to the rules.

        What an object pointer leads to comes from COM's task allocator: the proxy will free it.
        """
        replaceable = self._allocate_for_proxy if self.interface.is_object else None
        rows = Rows(0, self._allocate_row)
        return Writer(
            self.client.space,
            self.allocate,
            self.labels,
            suffix,
            fresh=fresh,
            replaceable=replaceable,
            rows=rows,
        )

    def _allocate_row(self, data: bytearray, sizes: Sequence[int]) -> Row | None:
        if max(sizes) > LARGEST_BLOCK:
            return None
        addresses = self.client.space.add_blocks(data, sizes, BlockKind.APPLICATION)
        like = (EventKind.ALLOCATE, "client", "application", 0, 0, "client-owns", "application")
        self.client.trace.raw.append(Run.of_blocks(like, addresses, addresses.sizes))
        return addresses

    def _allocate_for_proxy(self, size: int) -> int:
        address = self.client.pairs["CoTaskMemAlloc"].allocate(size)
        self.client.space.clear(address, size)
        self._note_allocated(address, size, "object-pointer-replaced", "CoTaskMemAlloc")
        return address

    def _note_allocated(
        self, address: int, size: int, rule: str = "client-owns", allocator: str = "application"
    ) -> None:
        event = EventKind.ALLOCATE, "client", "application", address, size, rule, allocator
        self.client.trace.raw.append(event)

    @in_turn
    def allocate(self, size: int) -> int:
        """Allocate zeroed storage of the client application's own, of ``size`` bytes.

        Raises:
            UsageError: there is no such size.
        """
        given.number("size", size, f"a number of bytes, {LARGEST_BLOCK} at most", most=LARGEST_BLOCK)
        address = self.client.space.add_block(size, BlockKind.APPLICATION, fill=0)
        self._note_allocated(address, size)
        return address


def _room(size: Callable[[], int]) -> int:
    """Return the bytes that the client provides for [out] data; none where the stubs will refuse the size."""
    try:
        room = size()
    except RpcError:
        return 0
    return room if room <= LARGEST_BLOCK else 0


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(given.function("the routine", function), "__name__", None)
    return given.instance("the routine", name, str, "a function that has a name")


def _named(error: BaseException | None, trace: Trace) -> RpcError | MemoryFault | None:
    """Return the exception of a call; where a fault of the server is behind it, its text names that."""
    if not isinstance(error, RpcError) or error.code != CALL_FAILED:
        return error if isinstance(error, RpcError | MemoryFault) else None
    fault = next(trace.select(EventKind.FAULT, side="server"), None)
    if fault is None or any(trace.select(EventKind.RAISE, side="server")):
        return error
    kind, why = fault.of(Fault)
    return RpcError(error.code, f"the server met a fault ({kind}): {why}", rule=error.rule)
