"""The server half of a call: everything follows from the request bytes (server-stub-memory-management.md).

A request is served in parts: received, entered, answered. A synchronous call does them in a row; an asynchronous one
stops when its routine has returned, and whoever has its handle lets it go on, or aborts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.kinds import BlockKind, EventKind, FaultKind
from rpcmemkit.ndr import FullPointers, Handlers, Marshaller, Unmarshaller, located
from rpcmemkit.plan import ArrayPlan, ContextPlan, ConvertedPlan, Plan, Planner, PointerPlan
from rpcmemkit.program import Program, StubAllocator
from rpcmemkit.status import (
    CALL_FAILED,
    CALL_IN_PROGRESS,
    INVALID_ASYNC_HANDLE,
    OUT_OF_MEMORY,
    PROCNUM_OUT_OF_RANGE,
    SERVER_OUT_OF_MEMORY,
)
from rpcmemkit.stubs.cleanup import CleanUp, who_leads_to
from rpcmemkit.stubs.contexts import Context, ContextTable, Ended, ServerContexts, uses_contexts
from rpcmemkit.stubs.conversion import Conversions
from rpcmemkit.stubs.decisions import STUB, Reading, dce_provides, provided
from rpcmemkit.stubs.frame import Frame, Procedures
from rpcmemkit.stubs.models import ServerNodes, buffer_too_small
from rpcmemkit.stubs.pipes import ServerPipes
from rpcmemkit.trace import Message, Snapshot, Trace
from rpcmemkit.types import Parameter, Procedure
from rpcmemkit.walk import Place

ELEMENT = 128  # what the work on an element counts for whose layout is not fixed: each moves by itself


class Reply(NamedTuple):
    """What goes back to the client: a status (0 for a response, else a fault) and the stub data."""

    status: int
    data: bytes


class ServerCall:
    """What a server routine sees of its call: its own copy of the arguments, and the program's allocator."""

    def __init__(
        self,
        program: Program,
        frame: Frame,
        address: int,
        stub_frame: int,
        pipes: ServerPipes | None = None,
        handle: Serving | None = None,
    ) -> None:
        self.program = program
        self.frame = frame
        self.address = address
        self.stub_frame = stub_frame
        self.pipes = pipes
        self.handle = handle
        """The asynchronous handle, if the call is asynchronous."""

    def place(self, name: str) -> Place:
        """Return the place of an argument in the routine's frame."""
        return self.frame.place(name, self.address)

    @property
    def result(self) -> Place | None:
        """The place of the function's result, or ``None`` for ``void``."""
        return self.frame.place("return", self.stub_frame) if self.frame.result is not None else None


Routine = Callable[[ServerCall], None]


class Serving:
    """One request on its way through the server stub; to the routine of an asynchronous call, its handle.

    With the end of the call its parameters are gone, whether the reply could be made or not
    (sending-the-asynchronous-reply.md, handling-asynchronous-calls.md).
    """

    def __init__(self, stub: ServerStub, frame: Frame, request: bytes, *, asynchronous: bool = False) -> None:
        self.stub = stub
        self.program = stub.program
        self.space = stub.program.space
        self.trace = self.space.trace
        self.frame = frame
        self.asynchronous = asynchronous
        self.reply: Reply | None = None
        """What the call has ended with."""
        self.cancelled = False
        self.aliases = FullPointers()
        self.actor = "stub"
        self.unmarshalled = self.routine_ran = self.answered = False
        self.contexts = ServerContexts(self.program, stub.contexts, frame, stub.run_down)
        self.handlers: Handlers = {ContextPlan: self.contexts, ConvertedPlan: stub.conversions}
        self.prepared = list(frame.pure_outputs)
        self.pipes: ServerPipes | None = None
        self.request = request
        self.buffer = self.space.receive(request)
        self.address = self.space.add_block(frame.plan.size, BlockKind.STACK, fill=0)
        self.stack = [self.buffer, self.address]
        self.reading = Reading(osf=stub.osf, wine=stub.planner.reading == "wine")
        self.storage = ServerNodes(
            self.program, self.buffer, StubAllocator(self.program, len(request)), self.reading
        )
        self.in_environment = stub.osf or frame.enables_environment
        if self.in_environment:
            self.program.enable_environment()

    def run(self, *parts: Callable[[], bytes | None]) -> None:
        """Do the next parts of the call. An exception or a fault in one ends it, as the response does."""
        reply: Reply | None = Reply(CALL_FAILED, b"")  # should the application raise what no stub expects
        try:
            reply = self._attempt(parts)
        finally:
            if reply and not self.reply:
                self._end(reply)

    def _attempt(self, parts: Sequence[Callable[[], bytes | None]]) -> Reply | None:
        """Do some parts of the call; return the reply, unless all went well and another part will make it."""
        try:
            results = [part() for part in parts]
        except RpcError as error:
            self.program.trace.add(EventKind.RAISE, "server", self.actor, 0, 0, error.rule, error)
            code = SERVER_OUT_OF_MEMORY if error.code == OUT_OF_MEMORY else error.code
        except MemoryFault as fault:
            if fault.kind is FaultKind.UNMAPPED and self.actor == "stub":
                leads = who_leads_to(self.space, self.parameters, fault.address)
                self.program.trace.retell(f"read by the stub through {leads}" if leads else str(fault))
            code = CALL_FAILED
        else:
            return None if results[-1] is None else Reply(0, results[-1])
        if self.actor == "routine":  # what it has left where it went no further
            self.snapshot("stop")
        return Reply(code, b"")

    # --- what the routine of an asynchronous call may do with its handle ---

    def complete(self) -> int:
        """RpcAsyncCompleteCall: marshal the reply and free the parameters, whether that succeeds or not.

        Returns the status that the client gets. From now on the routine's side may not touch parameters or handle.

        Raises:
            RpcError: RPC_S_INVALID_ASYNC_HANDLE, the call has ended before.
        """
        with self._resumed():
            self.run(self.answer)
        assert self.reply is not None
        return self.reply.status

    def abort(self, code: int) -> None:
        """RpcAsyncAbortCall: free the parameters without marshalling anything; the client gets the exception ``code``.

        Raises:
            RpcError: RPC_S_INVALID_ASYNC_HANDLE, the call has ended before.
        """
        with self._resumed():
            error = RpcError(code, rule="async-abort-frees")
            self.trace.add(EventKind.RAISE, "server", "routine", 0, 0, error.rule, error)
            self._end(Reply(code, b""))

    def test_cancel(self) -> int:
        """RpcServerTestCancel: 0 if the client has cancelled the call, else RPC_S_CALL_IN_PROGRESS."""
        return 0 if self.cancelled else CALL_IN_PROGRESS

    @contextmanager
    def _resumed(self) -> Iterator[None]:
        with self.program.remote_call():
            if self.reply is not None:
                raise RpcError(INVALID_ASYNC_HANDLE, "the call has ended before", rule="async-handle-ends")
            self.space.trace = self.trace
            yield

    # --- the parts of a call ---

    def receive(self) -> None:
        """Unmarshal the request and provide what the routine gets besides."""
        self.unmarshal()
        self.prepare_out()
        self.snapshot("entry")

    def enter(self) -> None:
        """Let the routine run."""
        self.actor = "routine"
        name = self.frame.procedure.name
        if name not in self.stub.routines:
            self.program.trace.add(EventKind.NO_ROUTINE, "server", "", 0, 0, "", name)
        self.call_routine(self.stub.routines.get(name, lambda call: None))

    def answer(self) -> bytes:
        """Return the response bytes."""
        self.actor = "stub"
        self.snapshot("exit")
        if self.pipes:
            self.pipes.finish()
        return self.marshal()

    def _end(self, reply: Reply) -> None:
        self.finish()
        self.reply = reply

    def finish(self) -> None:
        """End the call, however it went: settle its handles, free its memory, tell those who want to know.

        The application's own functions have a part in it; one that raises what no stub expects ends nothing else.
        """
        with ExitStack() as steps:
            lost = self.settle_contexts() if self.stub.has_contexts else []
            steps.callback(self.notify)
            steps.callback(self.snapshot, "after")
            steps.callback(self.stub.contexts.call_ends)
            for context in reversed(lost):
                steps.callback(self.stub.run_down, context)
            steps.callback(self.clean_up)

    def unmarshal(self) -> None:
        self.stub.conversions.received.clear()
        reader = Unmarshaller(
            self.space,
            self.stub.planner,
            self.aliases,
            self.request,
            self.storage,
            self.address,
            handlers=self.handlers,
        )
        reader.buffer = self.buffer
        self.program.trace.messages["request"] = Message(
            "request", self.request, reader.spans, self.stub.planner.big_endian
        )
        reader.pending = {name for name, _, _ in self.frame.inputs}
        whole = [each for each in self.frame.inputs if each.name not in self.frame.partial]
        for argument in self.frame.inputs:
            name, plan, offset = argument
            if argument in whole:
                reader.parameter(plan, self.address + offset, name, 0, True)
            elif reader.indicator(self.address + offset, name):
                self.prepared.append(argument)
        reader.finish()
        if not self.stub.osf:
            self.frame.check_nulls(self.space, whole, self.address)
        if self.frame.input_pipes or self.frame.output_pipes:
            writer = Marshaller(self.space, self.stub.planner, FullPointers(), "out-data-travels")
            self.pipes = ServerPipes(self.program, self.frame, reader, writer)
        self.unmarshalled = True

    def prepare_out(self) -> None:
        """Provide the storage of [out]-only and [partial_ignore] parameters, zeroed, now that the sizes are known."""
        for argument in self.prepared:
            assert isinstance(argument.plan, PointerPlan)
            room = self.frame.byte_count(self.space, argument.name, self.address)
            if room is not None:
                self._provide_buffer(argument.plan, self.address + argument.offset, room, argument.name)
                continue
            slots = [argument.at(self.address)]
            while slots:
                pointer = slots.pop()
                assert isinstance(pointer.plan, PointerPlan)
                target = self._zeroed(pointer)
                self.space.set_pointer(pointer.address, target)
                if self.stub.osf:
                    slots += self._nested_refs(pointer.plan.target, target, pointer)

    def _provide_buffer(self, plan: PointerPlan, slot: int, room: int, name: str) -> None:
        """Allocate the room that [byte_count] gives, by one call; one call will free it (byte-count.md)."""
        if room < plan.target.size:
            raise buffer_too_small(plan.target.size, room, (None, name))
        rule = provided(plan, self.reading, sized=True).rule
        self.storage.allocator.allowance.grant(room)
        address = self.storage.allocator.allocate(room, rule)
        self.space.clear(address, room)
        self.storage.blocks[address] = rule
        self.space.set_pointer(slot, address)

    def _zeroed(self, pointer: Place) -> int:
        """Return zeroed storage for what a pointer leads to."""
        assert isinstance(pointer.plan, PointerPlan)
        plan = pointer.plan.target
        where, rule = provided(pointer.plan, self.reading)
        size, work = plan.size, 0
        if isinstance(plan, ArrayPlan):
            with located(pointer.path):
                count = plan.count(self.space, pointer.scope)
            size, work = count * plan.stride, count * ELEMENT if plan.element.body is None else 0
        if where == STUB:
            address = self.storage.keep(size, rule, pointer.path)
            self.program.trace.add(EventKind.WRITE, "server", "stub", address, size, "server-zeroes-out")
            return address
        self.storage.allocator.allowance.grant(size + work)
        self.storage.allocator.allowance.take(work)
        address = self.storage.allocator.allocate(size, rule)
        self.space.clear(address, size)
        return address

    def _nested_refs(self, plan: Plan, address: int, pointer: Place) -> list[Place]:
        """DCE also provides the targets of reference pointers below an [out] parameter."""
        if isinstance(plan, PointerPlan):
            inner = Place(plan, address, pointer.scope, pointer.path)
            return [inner] if dce_provides(plan, plan) else []
        return [
            Place(
                slot.plan, address + slot.offset, address if slot.scope is not None else pointer.scope, None
            )
            for slot in (plan.body.slots if plan.body else ())
            if dce_provides(plan, slot.plan)
        ]

    def call_routine(self, routine: Routine) -> None:
        """Call the routine with a frame of its own: what it assigns to a parameter never reaches the stub."""
        size = self.frame.plan.size
        copy = self.space.add_block(size, BlockKind.STACK, fill=0)
        self.stack.append(copy)
        self.space.write(copy, self.space.read(self.address, size))
        self.routine_ran = True
        frame = self.stub.prototypes[self.frame.procedure.name]
        handle = self if self.asynchronous else None
        routine(ServerCall(self.program, frame, copy, self.address, self.pipes, handle))

    def marshal(self) -> bytes:
        self.stub.conversions.size(self.frame, self.frame.outputs, self.address)
        writer = Marshaller(self.space, self.stub.planner, self.aliases, "out-data-travels", self.handlers)
        if self.pipes:
            writer.out += self.pipes.writer.out
            writer.spans += self.pipes.writer.spans
        for name, plan, offset in self.frame.outputs:
            writer.parameter(plan, self.address + offset, self.address, name)
        if self.frame.reflects_deletions:
            freed = (
                event.address
                for event in self.program.trace.select(EventKind.FREE, EventKind.MARK, actor="routine")
            )
            writer.deletions(self.aliases.numbers(freed))
        data = bytes(writer.out)
        self.program.trace.messages["response"] = Message(
            "response", data, writer.spans, self.stub.planner.big_endian
        )
        self.answered = True
        return data

    def settle_contexts(self) -> list[Context]:
        """Let the handles become what the routine left in them; return those that no client will ever know of."""
        if not self.routine_ran:
            return []
        ended: Ended = "raised" if self.actor == "routine" else "returned" if self.answered else "unsent"
        lost = self.contexts.settle([each.at(self.address) for each in self.frame.outputs], ended)
        self.contexts.note_kept(self.stub.state_plan)
        return lost

    def snapshot(self, moment: str) -> None:
        trace = self.program.trace
        trace.snapshots[moment] = Snapshot(moment, trace.now, self.space.image(), self.address)

    def clean_up(self) -> None:
        """Release the call's memory: whatever the parameters still reach, or the whole RpcSs environment."""
        with ExitStack() as steps:
            for address in [*self.stack, *self.storage.own]:
                steps.callback(self.space.drop_block, address)
            if self.in_environment:
                steps.callback(self.program.disable_environment, "stub", "environment-released-at-end")
            elif self.unmarshalled:
                steps.callback(self._free_reachable)
            else:  # what a broken request left behind is not fit to be walked
                steps.callback(self._free_made)
            conversions = self.stub.conversions
            if self.unmarshalled:
                steps.callback(conversions.free_instances, self.frame, self.address)
            else:
                steps.callback(conversions.free_each, list(conversions.received))
            if self.pipes:
                steps.callback(self.pipes.release)
            steps.callback(conversions.end_message)

    @property
    def parameters(self) -> list[Place]:
        """The parameters, and the result, in the stub's frame."""
        return [each.at(self.address) for each in self.frame.all]

    def _free_made(self) -> None:
        for address in reversed(self.storage.allocator.made):
            self.program.guarded_free(address, "stub", "server-frees-after-reply")

    def _free_reachable(self) -> None:
        CleanUp(self.program, self.storage.blocks).free(self.parameters)
        for address, rule in self.storage.blocks.items():  # each graph of one block by one call
            if rule and self.space.capacity(address):
                self.program.guarded_free(address, "stub", rule)

    def notify(self) -> None:
        """Call the [notify] and [notify_flag] routines, last of all and whatever happened before (notify.md)."""
        attributes, name = self.frame.procedure.attributes, self.frame.procedure.name
        trace = self.program.trace
        if "notify" in attributes:
            trace.add(EventKind.NOTIFY, "server", "routine", 0, 0, "notify-runs-last", f"{name}_notify()")
            if name in self.stub.notify:
                self.stub.notify[name]()
        if "notify_flag" in attributes:
            detail = f"{name}_notify_flag({str(self.routine_ran).upper()})"
            trace.add(EventKind.NOTIFY, "server", "routine", 0, 0, "notify-runs-last", detail)
            if name in self.stub.notify_flag:
                self.stub.notify_flag[name](self.routine_ran)


class ServerStub:
    """Dispatches requests to routines. ``osf`` selects the DCE readings where pages disagree (ARCHITECTURE.md)."""

    def __init__(
        self,
        program: Program,
        procedures: Procedures,
        planner: Planner,
        osf: bool = False,
        contexts: ContextTable | None = None,
    ) -> None:
        self.program = program
        self.procedures = procedures
        self.planner = planner
        self.osf = osf
        self.contexts = ContextTable() if contexts is None else contexts
        self.has_contexts = uses_contexts(procedures.interface)
        self.prototypes = procedures
        """The procedures as routines know them: a context handle is a pointer to their own state."""
        if self.has_contexts:
            self.prototypes = Procedures(procedures.interface, planner.for_routines())
        self.conversions = Conversions(program, planner)
        self.routines: dict[str, Routine] = {}
        self.rundowns: dict[str, Routine] = {}
        """The application's run-down routines, by the name of the handle type; their argument is ``context``."""
        self.notify: dict[str, Callable[[], None]] = {}
        """The application's ``P_notify`` routines, by procedure."""
        self.notify_flag: dict[str, Callable[[bool], None]] = {}
        """The application's ``P_notify_flag`` routines, by procedure."""

    def dispatch(self, opnum: int, request: bytes) -> Reply:
        """Serve one request from its bytes alone.

        Any bytes end in a reply: bad ones in a fault status, never in another exception than the routine's own.
        """
        self.program.space.trace = Trace()
        frame = self.procedures.by_number(opnum)
        if frame is None:
            return Reply(PROCNUM_OUT_OF_RANGE, b"")
        self.contexts.call_begins()
        call = Serving(self, frame, request)
        call.run(call.receive, call.enter, call.answer)
        assert call.reply is not None
        return call.reply

    def begin(self, frame: Frame, request: bytes) -> Serving:
        """Serve the request of an asynchronous call until its routine returns; what is returned goes on from there."""
        self.program.space.trace = Trace()
        self.contexts.call_begins()
        call = Serving(self, frame, request, asynchronous=True)
        call.run(call.receive, call.enter)
        return call

    def run_down(self, context: Context) -> None:
        """Call the run-down routine of a handle's type for its state, if it has one (server-context-run-down-routine.md)."""
        trace, space, name = self.program.trace, self.program.space, context.type.name
        routine = self.rundowns.get(name) if context.type.is_type else None
        size = space.capacity(context.address)
        kind, rule = (
            (EventKind.RUN_DOWN, "context-run-down")
            if routine
            else (EventKind.LOSE, "context-without-run-down")
        )
        trace.add(kind, "server", "stub", context.address, size, rule, context.handle)
        if routine is None:
            return
        frame = self._rundown_frame(context)
        address = space.add_block(frame.plan.size, BlockKind.STACK, fill=0)
        space.set_pointer(address, context.address)
        try:
            routine(ServerCall(self.program, frame, address, address))
        except RpcError as error:
            trace.add(EventKind.RAISE, "server", "routine", 0, 0, error.rule, error)
        except MemoryFault:
            pass  # it is in the trace; the real server would be corrupted
        finally:
            space.drop_block(address)

    def state_plan(self, context: Context) -> Plan:
        """Return the plan of the state behind a handle."""
        pointer = self.prototypes.planner.plan(context.type)
        assert isinstance(pointer, PointerPlan)
        return pointer.target

    def _rundown_frame(self, context: Context) -> Frame:
        parameter = Parameter("context", context.type, is_in=True, is_out=False)
        return self.prototypes.compile(Procedure(f"{context.type.name}_rundown", -1, [parameter], None))
