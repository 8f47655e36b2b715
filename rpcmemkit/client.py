"""The client half of a call: marshal, send, unmarshal over the memory that the application passed."""

from __future__ import annotations

from collections.abc import Callable

from rpcmemkit.errors import RpcError
from rpcmemkit.frame import Frame
from rpcmemkit.ndr import (
    FullPointers,
    Marshaller,
    Shape,
    Unmarshaller,
    Waiting,
    discriminant_at,
    existing_string_length,
)
from rpcmemkit.plan import ArrayPlan, Plan, Planner, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.program import Program, StubAllocator
from rpcmemkit.trace import Message, path_text

BAD_STUB_DATA = 1783

Transport = Callable[[int, bytes], tuple[int, bytes]]
"""Sends an operation number and request octets, returns a status and response octets."""


class ClientStorage:
    """Writes over the storage that the application has, and allocates what it has not."""

    keeps_pointers = True
    rules = ("client-overwrites-existing", "client-null-to-new")

    def __init__(self, program: Program, aliases: FullPointers, osf: bool, received: int) -> None:
        self.program = program
        self.allocator = StubAllocator(program, received)
        self.aliases = aliases
        self.osf = osf

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        existing = self._existing(waiting)
        if not existing:
            rule = "client-allocates-result" if waiting.path == (None, "return") else "client-null-to-new"
            return self.allocator.allocate(size, rule), True
        if self.osf and size > self.program.space.capacity(existing):
            raise RpcError(
                BAD_STUB_DATA,
                "a full pointer names storage too small for its type",
                path=path_text(waiting.path),
                rule="bad-data-rejected",
            )
        limit = self._room(waiting, existing)
        if limit is not None and shape.size > limit:
            raise RpcError(
                BAD_STUB_DATA,
                f"{shape.size} elements came back, the client's storage has room for {limit}",
                path=path_text(waiting.path),
                rule="mccp-rejects-larger",
            )
        return existing, False

    def _existing(self, waiting: Waiting) -> int:
        """Return the storage the referent has already; DCE asks the table of full pointers, not the pointer."""
        if self.osf and waiting.plan.is_full:
            return self.aliases.known(waiting.number)
        return waiting.existing

    def _room(self, waiting: Waiting, existing: int) -> int | None:
        """Return how many elements the existing storage takes, by the size in force before the call."""
        pointer = waiting.plan
        plan, space = pointer.target, self.program.space
        if self.osf and pointer.is_full and isinstance(plan, ArrayPlan):
            return space.capacity(existing) // max(plan.stride, 1)
        if isinstance(plan, ArrayPlan) and plan.measures_itself:
            length = existing_string_length(space, plan, existing)
            return space.capacity(existing) // plan.stride if length is None else length
        if isinstance(plan, StructPlan) and plan.tail is not None:
            return plan.tail.count(space, existing + plan.tail_scope)
        return waiting.limit


class ClientStub:
    """Carries out one call over a frame that the application has filled."""

    def __init__(self, program: Program, planner: Planner, transport: Transport, osf: bool = False) -> None:
        self.program = program
        self.planner = planner
        self.transport = transport
        self.osf = osf

    def call(self, frame: Frame, address: int) -> None:
        """Call the procedure with the arguments in the frame at ``address``; results end up there too.

        Raises:
            RpcError: the client stub, the server stub or the routine raised an exception.
            MemoryFault: the application passed a pointer that leads nowhere.
        """
        aliases = FullPointers()
        request = self.marshal(frame, address, aliases)
        status, response = self.transport(frame.procedure.opnum, request)
        if status:
            raise RpcError(status, rule="server-exception-reaches-client")
        self.unmarshal(frame, address, aliases, response)

    def marshal(self, frame: Frame, address: int, aliases: FullPointers) -> bytes:
        """Return the request octets."""
        if not self.osf:
            for name, plan, offset in frame.inputs:
                frame.check_null_with_size(self.program.space, plan, address + offset, address, name)
        for name, plan, offset in frame.pure_outputs:
            if isinstance(plan, PointerPlan) and not self.program.space.pointer_at(address + offset):
                raise RpcError(1780, path=name, rule="ref-never-null")
        writer = Marshaller(self.program.space, self.planner, aliases, "in-data-travels")
        for name, plan, offset in frame.inputs:
            writer.parameter(plan, address + offset, address, name)
        request = bytes(writer.out)
        self.program.trace.messages["request"] = Message(
            "request", request, writer.spans, self.planner.big_endian
        )
        return request

    def unmarshal(self, frame: Frame, address: int, aliases: FullPointers, response: bytes) -> None:
        """Read the response over the application's memory."""
        space = self.program.space
        storage = ClientStorage(self.program, aliases, self.osf, len(response))
        limits: dict[int, int] = {}
        tags: dict[int, int | None] = {}
        for name, plan, _ in frame.outputs:
            if name != "return":
                self._note_limits(plan, address, limits, tags)
        reader = Unmarshaller(space, self.planner, aliases, response, storage, address, limits, tags)
        received = Message("response", response, reader.spans, self.planner.big_endian)
        self.program.trace.messages.setdefault(
            "response", received
        )  # a server in this session has noted more
        for name, plan, offset in frame.outputs:
            place = address + offset
            held = space.pointer_at(place) if isinstance(plan, PointerPlan) and name != "return" else 0
            reader.parameter(plan, place, name, held, name == "return")
            if held:
                space.set_pointer(place, held)  # a top-level pointer was passed by value: it stays
        reader.finish()

    def _note_limits(
        self, plan: Plan, frame: int, limits: dict[int, int], tags: dict[int, int | None]
    ) -> None:
        """Note the sizes and discriminants in force before the call along a chain of pointers and arrays."""
        while isinstance(plan, PointerPlan | ArrayPlan):
            if isinstance(plan, ArrayPlan) and plan.size_of is not None:
                try:
                    limits[id(plan)] = plan.count(self.program.space, frame)
                except RpcError:
                    return
            plan = plan.target if isinstance(plan, PointerPlan) else plan.element
        if isinstance(plan, UnionPlan) and plan.tag_of is not None:
            tags[id(plan)] = discriminant_at(self.program.space, plan, 0, frame)
