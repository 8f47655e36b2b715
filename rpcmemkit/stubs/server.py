"""The server half of a call: everything follows from the request bytes (server-stub-memory-management.md)."""

from __future__ import annotations

from collections.abc import Callable

from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.plan import Plan, Planner, PointerPlan
from rpcmemkit.program import Program
from rpcmemkit.status import PROCNUM_OUT_OF_RANGE
from rpcmemkit.stubs.contexts import Context, ContextTable, uses_contexts
from rpcmemkit.stubs.conversion import Conversions
from rpcmemkit.stubs.frame import Frame, Procedures
from rpcmemkit.stubs.serving import Reply, Routine, ServerCall, Serving
from rpcmemkit.trace import Trace
from rpcmemkit.types import Parameter, Procedure


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
        try:
            return call.attempt(call.run)
        finally:
            call.finish()

    def run_down(self, context: Context) -> None:
        """Call the run-down routine of a handle's type for its state, if it has one (server-context-run-down-routine.md)."""
        trace, space, name = self.program.trace, self.program.space, context.type.name
        routine = self.rundowns.get(name) if context.type.is_type else None
        size = space.capacity(context.address)
        if routine is None:
            trace.add(
                EventKind.LOSE,
                "server",
                "stub",
                context.address,
                size,
                "context-without-run-down",
                context.handle,
            )
            return
        trace.add(
            EventKind.RUN_DOWN, "server", "stub", context.address, size, "context-run-down", context.handle
        )
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
