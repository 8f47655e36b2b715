"""The client half of a call: marshal, send, unmarshal over the memory that the application passed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from rpcmemkit.errors import RpcError
from rpcmemkit.ndr import FullPointers, Handlers, Marshaller, Unmarshaller, discriminant_at
from rpcmemkit.operations import clear_out_parameters, zero_out_parameters
from rpcmemkit.plan import ArrayPlan, ContextPlan, ConvertedPlan, Plan, Planner, PointerPlan, UnionPlan
from rpcmemkit.program import Program
from rpcmemkit.status import NULL_REF_POINTER
from rpcmemkit.stubs.cleanup import CleanUp
from rpcmemkit.stubs.contexts import ClientContexts
from rpcmemkit.stubs.conversion import Conversions
from rpcmemkit.stubs.decisions import Above, replaces
from rpcmemkit.stubs.frame import Frame
from rpcmemkit.stubs.models import ClientNodes, OneBlock
from rpcmemkit.stubs.pipes import ClientPipes, Pipe
from rpcmemkit.stubs.statuses import store_status
from rpcmemkit.trace import Message, Path
from rpcmemkit.walk import Place, pointers_in, referent

Transport = Callable[[int, bytes], tuple[int, bytes]]
"""Sends an operation number and request bytes, returns a status and response bytes."""


class ObjectPointers:
    """The object pointers that a call may replace, and what each pointed to before the call (pointers-tfs.md, FC_OP).

    With a pointer's referent everything below it is freed, as the sizes before the call measure it: the proxy stands
    for the method, which would have freed the old value whole. It frees pointer by pointer, as the server's clean-up does.
    """

    def __init__(self, program: Program, frame: Frame, address: int) -> None:
        self.program = program
        self._frees = CleanUp(program, rule="object-pointer-replaced", own=())
        self._below: dict[int, list[tuple[int, Path | None]]] = {}
        space, seen = program.space, set[int]()
        pending = [
            (Place(plan, address + offset, address, (None, name)), Above())
            for name, plan, offset in frame.outputs
            if name != "return"
        ]
        while pending:
            place, here = pending.pop()
            for pointer in pointers_in(space, place, []):
                assert isinstance(pointer.plan, PointerPlan)
                target = referent(space, pointer) if pointer.plan.travels else None
                if target and replaces(pointer.plan, here):
                    self._below[pointer.address] = self._frees.find(pointer)
                elif target and target.address not in seen:
                    seen.add(target.address)
                    pending.append((target, here.below()))

    def vacate(self, slot: int) -> bool:
        """Free what the object pointer at ``slot`` points to, and null it.

        Raises:
            MemoryFault: it does not come from the allocator of COM, or another pointer led there too.
        """
        storage = self._below.pop(slot, [])
        for address, path in storage:
            self._frees.release(address, path)
        if storage:
            self.program.space.set_pointer(slot, 0)
        return bool(storage)


class ClientStub:
    """Carries out one call over a frame that the application has filled."""

    def __init__(self, program: Program, planner: Planner, transport: Transport, osf: bool = False) -> None:
        self.program = program
        self.planner = planner
        self.transport = transport
        self.osf = osf
        self.conversions = Conversions(program, planner)
        self.handlers: Handlers = {ConvertedPlan: self.conversions}

    def call(self, frame: Frame, address: int, pipes: dict[str, Pipe] | None = None) -> None:
        """Call the procedure with the arguments in the frame at ``address``; results end up there too.

        Raises:
            RpcError: the client stub, the server stub or the routine raised an exception.
            MemoryFault: the application passed a pointer that leads nowhere.
        """
        with self.in_stub(frame):
            try:
                self._call(frame, address, pipes or {})
            except RpcError as error:
                if not self.settle(frame, address, error):
                    raise

    def settle(self, frame: Frame, address: int, error: RpcError) -> bool:
        """Leave the arguments as a stub does that meets an exception; return whether it has become a value."""
        if frame.interface.is_object:
            clear_out_parameters(self.program, frame, address)
        return store_status(self.program, frame, address, error)

    def in_stub(self, frame: Frame) -> AbstractContextManager[None]:
        """Work as the stub of a procedure: the allocator pair is the one that it calls."""
        return self.program.client_stub(self.osf or frame.enables_environment)

    def _call(self, frame: Frame, address: int, pipes: dict[str, Pipe]) -> None:
        aliases = FullPointers()
        request = self.marshal(frame, address, aliases, pipes)
        status, response = self.transport(frame.procedure.opnum, request)
        if status:
            raise RpcError(status, rule="server-exception-reaches-client")
        self.unmarshal(frame, address, aliases, response, pipes)

    def marshal(
        self, frame: Frame, address: int, aliases: FullPointers, pipes: dict[str, Pipe] | None = None
    ) -> bytes:
        """Return the request bytes. A proxy zeroes the [out] storage first; raw RPC uses what it finds there."""
        if frame.interface.is_object:
            zero_out_parameters(self.program, frame, address)
        if not self.osf:
            for name, plan, offset in frame.inputs:
                frame.check_null_with_size(self.program.space, plan, address + offset, address, name)
        for name, plan, offset in frame.pure_outputs:
            frame.byte_count(self.program.space, name, address)
            if isinstance(plan, PointerPlan) and not self.program.space.pointer_at(address + offset):
                raise RpcError(NULL_REF_POINTER, path=name, rule="ref-never-null")
        self.conversions.size(frame, frame.inputs, address)
        handlers = {**self.handlers, ContextPlan: ClientContexts(self.program, frame)}
        writer = Marshaller(self.program.space, self.planner, aliases, "in-data-travels", handlers)
        for name, plan, offset in frame.inputs:
            if name in frame.partial:
                writer.indicator(address + offset)
            else:
                writer.parameter(plan, address + offset, address, name)
        ClientPipes(self.program, frame, pipes or {}).send(writer)
        request = bytes(writer.out)
        self.program.trace.messages["request"] = Message(
            "request", request, writer.spans, self.planner.big_endian
        )
        return request

    def unmarshal(
        self,
        frame: Frame,
        address: int,
        aliases: FullPointers,
        response: bytes,
        pipes: dict[str, Pipe] | None = None,
    ) -> None:
        """Read the response over the application's memory."""
        space = self.program.space
        storage = ClientNodes(self.program, aliases, self.osf, len(response))
        limits: dict[int, int] = {}
        tags: dict[int, int | None] = {}
        for name, plan, _ in frame.outputs:
            if name != "return":
                self._note_limits(plan, address, limits, tags)
        handlers = {**self.handlers, ContextPlan: ClientContexts(self.program, frame)}
        reader = Unmarshaller(
            space, self.planner, aliases, response, storage, address, limits, tags, handlers
        )
        if frame.interface.is_object:
            reader.vacate = ObjectPointers(self.program, frame, address).vacate
        received = Message("response", response, reader.spans, self.planner.big_endian)
        self.program.trace.messages.setdefault(
            "response", received
        )  # a server in this session has noted more
        ClientPipes(self.program, frame, pipes or {}).receive(reader)
        try:
            self._read(reader, storage, frame, address, aliases)
        finally:
            self.conversions.end_message()

    def _read(
        self, reader: Unmarshaller, storage: ClientNodes, frame: Frame, address: int, aliases: FullPointers
    ) -> None:
        """Read the parameters of a response, and what comes behind them."""
        space = self.program.space
        reader.pending = {name for name, _, _ in frame.outputs}
        for name, plan, offset in frame.outputs:
            place = address + offset
            held = space.pointer_at(place) if isinstance(plan, PointerPlan) and name != "return" else 0
            room = frame.byte_count(space, name, address)
            reader.storage = storage if room is None else OneBlock(held, room, ("byte-count-in-place",) * 2)
            reader.parameter(plan, place, name, held, name == "return")
            if held:
                space.set_pointer(place, held)  # a top-level pointer was passed by value: it stays
        if frame.reflects_deletions:
            for storage_freed in self._deleted(reader, aliases):
                self.program.release(storage_freed, "stub", "reflected-deletions-freed")
        reader.finish()

    def _deleted(self, reader: Unmarshaller, aliases: FullPointers) -> list[int]:
        """Return the storage that the routine has freed the server's copy of (reflect-deletions.md).

        Raises:
            RpcError: RPC_X_BAD_STUB_DATA, an id that the request did not have, or that the response has too.
        """
        storage: dict[int, int] = {}
        for number in reader.deletions():
            if number in storage or not aliases.known(number) or aliases.receive(number) is not None:
                why = "twice" if number in storage else "though the call has no such referent any more"
                raise reader.bad_data(f"the referent {number:#x} is in the list of deletions {why}", None)
            storage[number] = aliases.known(number)
        return list(storage.values())

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
