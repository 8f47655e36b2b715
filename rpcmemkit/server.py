"""The server half of a call: everything follows from the request octets (server-stub-memory-management.md)."""

from __future__ import annotations

from collections.abc import Callable, Reversible
from typing import NamedTuple

from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.frame import Frame, Procedures
from rpcmemkit.ndr import FullPointers, Marshaller, Shape, Unmarshaller, Waiting
from rpcmemkit.plan import ArrayPlan, BasePlan, Plan, Planner, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.program import OUT_OF_MEMORY, Program, StubAllocator
from rpcmemkit.trace import Message, Snapshot, Trace
from rpcmemkit.walk import Place, reach

SERVER_OUT_OF_MEMORY, CALL_FAILED, BAD_STUB_DATA, PROCNUM_OUT_OF_RANGE = 1130, 1726, 1783, 1745
STUB_MEMORY = frozenset({"receive buffer", "stack"})  # the stub's own: no allocator gave it out


class Reply(NamedTuple):
    """What goes back to the client: a status (0 for a response, else a fault) and the stub data."""

    status: int
    data: bytes


class ServerCall:
    """What a server routine sees of its call: its own copy of the arguments, and the program's allocator."""

    def __init__(self, program: Program, frame: Frame, address: int, stub_frame: int) -> None:
        self.program = program
        self.frame = frame
        self.address = address
        self.stub_frame = stub_frame

    def place(self, name: str) -> Place:
        """Return the place of an argument in the routine's frame."""
        return self.frame.place(name, self.address)

    @property
    def result(self) -> Place | None:
        """The place of the function's result, or ``None`` for ``void``."""
        return self.frame.place("return", self.stub_frame) if self.frame.result is not None else None


Routine = Callable[[ServerCall], None]


def allocation_rule(pointer: PointerPlan) -> str:
    """Return the id of the rule that makes the server stub allocate for a referent, or "" if it may stay in the buffer.

    Source: server-stub-memory-management.md, "Memory Allocation for Inbound Data".
    """
    if pointer.type.force_allocate or pointer.type.all_nodes or pointer.type.dont_free:
        return "server-allocates-forced"
    plan = pointer.target
    if plan.reusable:
        return ""
    if isinstance(plan, ArrayPlan):
        return _array_rule(plan)
    if isinstance(plan, UnionPlan):
        return "server-allocates-union"
    if isinstance(plan, BasePlan):
        return "server-allocates-resized-type"
    if isinstance(plan, PointerPlan) or (isinstance(plan, StructPlan) and _pointers_widen(plan)):
        return "server-allocates-widened-pointer"
    return "server-allocates-complex"


def _array_rule(plan: ArrayPlan) -> str:
    if plan.is_string:
        return "server-allocates-sized-string"
    if plan.varying:
        return "server-allocates-varying"
    if isinstance(plan.element, PointerPlan):
        return "server-allocates-ref-array" if plan.element.is_ref else "server-allocates-widened-pointer"
    if isinstance(plan.element, BasePlan):
        return "server-allocates-resized-type"
    return "server-allocates-union" if isinstance(plan.element, UnionPlan) else "server-allocates-complex"


def _pointers_widen(plan: StructPlan) -> bool:
    bodies = [plan.body] if plan.body else [body for _, body, _, _ in plan.pieces]
    return any(slot.plan.size != slot.plan.wire_size for body in bodies if body for slot in body.slots)


class ServerStorage:
    """Leaves referents in the receive buffer where it can and allocates for the others."""

    keeps_pointers = False
    rules = ("server-rebuilds-input", "server-rebuilds-input")

    def __init__(self, program: Program, buffer: int, size: int, reuse: bool) -> None:
        self.program = program
        self.buffer = buffer
        self.reuse = reuse
        self.allocator = StubAllocator(program, size)
        self._rules: dict[PointerPlan, str] = {}

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        plan = waiting.plan
        rule = self._rules.get(plan)
        if rule is None:
            rule = allocation_rule(plan) or ("" if self.reuse else "osf-stub-environment")
            self._rules[plan] = rule
        if not rule:
            address = self.buffer + position
            self.program.trace.raw.append(
                ("reuse", "server", "stub", address, size, "server-reuses-buffer", waiting.path)
            )
            return address, False
        return self.allocator.allocate(size, rule), True


class ServerStub:
    """Dispatches requests to routines. ``osf`` selects the DCE readings (claims-notes part a)."""

    def __init__(self, program: Program, procedures: Procedures, planner: Planner, osf: bool = False) -> None:
        self.program = program
        self.procedures = procedures
        self.planner = planner
        self.osf = osf
        self.routines: dict[str, Routine] = {}

    def dispatch(self, opnum: int, request: bytes) -> Reply:
        """Serve one request from its octets alone.

        Any octets end in a reply: bad ones in a fault status, never in another exception than the routine's own.
        """
        self.program.space.trace = Trace()
        frame = self.procedures.by_number(opnum)
        if frame is None:
            return Reply(PROCNUM_OUT_OF_RANGE, b"")
        call = _Serving(self, frame, request)
        try:
            data = call.run(self.routines.get(frame.procedure.name, lambda call: None))
        except RpcError as error:
            self.program.trace.add("raise", "server", call.actor, 0, 0, error.rule, error)
            return Reply(SERVER_OUT_OF_MEMORY if error.code == OUT_OF_MEMORY else error.code, b"")
        except MemoryFault:
            return Reply(CALL_FAILED, b"")
        finally:
            call.clean_up()
        return Reply(0, data)


class _Serving:
    """One request on its way through the server stub."""

    def __init__(self, stub: ServerStub, frame: Frame, request: bytes) -> None:
        self.stub = stub
        self.program = stub.program
        self.space = stub.program.space
        self.frame = frame
        self.aliases = FullPointers()
        self.actor = "stub"
        self.unmarshalled = False
        self.request = request
        self.buffer = self.space.add_block(len(request), "receive buffer")
        self.space.write(self.buffer, request)
        self.address = self.space.add_block(frame.plan.size, "stack", fill=0)
        self.stack = [self.buffer, self.address]
        self.storage = ServerStorage(self.program, self.buffer, len(request), reuse=not stub.osf)
        if stub.osf or frame.enables_environment:
            self.program.enable_environment()

    def run(self, routine: Routine) -> bytes:
        self.unmarshal()
        self.prepare_out()
        self.snapshot("entry")
        self.actor = "routine"
        self.call_routine(routine)
        self.actor = "stub"
        self.snapshot("exit")
        return self.marshal()

    def unmarshal(self) -> None:
        reader = Unmarshaller(
            self.space, self.stub.planner, self.aliases, self.request, self.storage, self.address
        )
        self.program.trace.messages["request"] = Message(
            "request", self.request, reader.spans, self.stub.planner.big_endian
        )
        for name, plan, offset in self.frame.inputs:
            reader.parameter(plan, self.address + offset, name, 0, True)
        reader.finish()
        if not self.stub.osf:
            for name, plan, offset in self.frame.inputs:
                self.frame.check_null_with_size(self.space, plan, self.address + offset, self.address, name)
        self.unmarshalled = True

    def prepare_out(self) -> None:
        """Provide the storage of [out]-only parameters, zeroed, now that the sizes are known."""
        for name, plan, offset in self.frame.pure_outputs:
            assert isinstance(plan, PointerPlan)
            slots = [Place(plan, self.address + offset, self.address, (None, name))]
            while slots:
                pointer = slots.pop()
                assert isinstance(pointer.plan, PointerPlan)
                target = self._zeroed(pointer.plan.target, pointer.scope)
                self.space.set_pointer(pointer.address, target)
                if self.stub.osf:
                    slots += self._nested_refs(pointer.plan.target, target, pointer)

    def _zeroed(self, plan: Plan, scope: int) -> int:
        size = plan.size
        if isinstance(plan, PointerPlan):
            return self._on_stack(size)
        if isinstance(plan, ArrayPlan):
            size = plan.count(self.space, scope) * plan.stride
        address = self.storage.allocator.allocate(size, "server-zeroes-out")
        start = address - self.space.base
        self.space.data[start : start + size] = bytes(size)
        return address

    def _on_stack(self, size: int) -> int:
        """The stub keeps the inner pointer of an [out] pointer to a pointer in memory of its own."""
        address = self.space.add_block(size, "stack", fill=0)
        self.stack.append(address)
        return address

    def _nested_refs(self, plan: Plan, address: int, pointer: Place) -> list[Place]:
        """DCE also provides the targets of reference pointers below an [out] parameter (claims-notes K1)."""
        inner = Place(plan, address, pointer.scope, pointer.path)
        if isinstance(plan, PointerPlan):
            return [inner] if plan.is_ref else []
        if plan.body is None:
            return []
        return [
            Place(
                slot.plan, address + slot.offset, address if slot.scope is not None else pointer.scope, None
            )
            for slot in plan.body.slots
            if slot.plan.is_ref and not isinstance(slot.plan.target, ArrayPlan)
        ]

    def call_routine(self, routine: Routine) -> None:
        """Call the routine with a frame of its own: what it assigns to a parameter never reaches the stub."""
        size = self.frame.plan.size
        copy = self._on_stack(size)
        self.space.write(copy, self.space.read(self.address, size))
        routine(ServerCall(self.program, self.frame, copy, self.address))

    def marshal(self) -> bytes:
        writer = Marshaller(self.space, self.stub.planner, self.aliases, "out-data-travels")
        for name, plan, offset in self.frame.outputs:
            writer.parameter(plan, self.address + offset, self.address, name)
        data = bytes(writer.out)
        self.program.trace.messages["response"] = Message(
            "response", data, writer.spans, self.stub.planner.big_endian
        )
        return data

    def snapshot(self, moment: str) -> None:
        trace = self.program.trace
        trace.snapshots[moment] = Snapshot(moment, len(trace), self.space.image(), self.address)

    def clean_up(self) -> None:
        """Release the call's memory: whatever the parameters still reach, or the whole RpcSs environment."""
        if self.program.environment is not None:
            self.program.disable_environment("stub", "environment-released-at-end")
        elif self.unmarshalled:
            self._free_reachable()
        else:  # what a broken request left behind is not fit to be walked
            self._free(self.storage.allocator.made)
        for address in reversed(self.stack):
            self.space.drop_block(address)
        self.snapshot("after")

    def _free_reachable(self) -> None:
        roots = [
            Place(plan, self.address + offset, self.address, (None, name))
            for name, plan, offset in self.frame.all
        ]
        spared = False

        def enter(pointer: PointerPlan) -> bool:
            nonlocal spared
            spared = spared or pointer.type.dont_free
            return not pointer.type.dont_free

        reached = reach(self.space, roots, enter)
        if spared:
            self._note_kept(roots, reached)
        self._free(reached)

    def _free(self, addresses: Reversible[int]) -> None:
        """Free storage inner first, the stub's own memory aside."""
        for address in reversed(addresses):
            block = self.space.block(address)
            if block is None or block.kind not in STUB_MEMORY:
                self.program.guarded_free(address, "stub", "server-frees-after-reply")

    def _note_kept(self, roots: list[Place], freed: dict[int, Place]) -> None:
        for address, place in reach(self.space, roots).items():
            if address not in freed:
                self.program.trace.add("keep", "server", "stub", address, place.plan.size, "dont-free-keeps")
