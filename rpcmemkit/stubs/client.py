"""The client half of a call: marshal, send, unmarshal over the memory that the application passed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from rpcmemkit.errors import RpcError
from rpcmemkit.ndr import FullPointers, Handlers, Marshaller, Unmarshaller, discriminant_at
from rpcmemkit.operations import clear_out_parameters, zero_out_parameters
from rpcmemkit.plan import ArrayPlan, ContextPlan, ConvertedPlan, Planner, PointerPlan, UnionPlan
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
from rpcmemkit.walk import pointers_in, referent

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
        pending = [(each.at(address), Above()) for each in frame.outputs if each != frame.result]
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
    """What the client's calls to an interface have in common."""

    def __init__(self, program: Program, planner: Planner, transport: Transport, osf: bool = False) -> None:
        self.program = program
        self.planner = planner
        self.transport = transport
        self.osf = osf
        self.conversions = Conversions(program, planner)

    def call(self, frame: Frame, address: int) -> None:
        """Call a procedure without pipes; see :meth:`Calling.run`."""
        Calling(self, frame, address, {}).run()


class Calling:
    """One call on its way through the client stub, over a frame that the application has filled."""

    def __init__(self, stub: ClientStub, frame: Frame, address: int, pipes: Mapping[str, Pipe]) -> None:
        self.stub = stub
        self.program = stub.program
        self.space = stub.program.space
        self.frame = frame
        self.address = address
        self.aliases = FullPointers()
        self.pipes = ClientPipes(self.program, frame, pipes)
        contexts = ClientContexts(self.program, frame)
        self.handlers: Handlers = {ConvertedPlan: stub.conversions, ContextPlan: contexts}

    def run(self) -> None:
        """Carry the call out; its results end up in the frame.

        Raises:
            RpcError: the client stub, the server stub or the routine raised an exception.
            MemoryFault: the application passed a pointer that leads nowhere.
        """
        with self.in_stub():
            try:
                self.receive(*self.stub.transport(self.frame.procedure.opnum, self.marshal()))
            except RpcError as error:
                if not self.settle(error):
                    raise

    def in_stub(self) -> AbstractContextManager[None]:
        """Work as the stub of the procedure: the allocator pair is the one that it calls."""
        return self.program.client_stub(self.stub.osf or self.frame.enables_environment)

    def settle(self, error: RpcError) -> bool:
        """Leave the arguments as a stub does that meets an exception; return whether it has become a value."""
        if self.frame.interface.is_object:
            clear_out_parameters(self.program, self.frame, self.address)
        return store_status(self.program, self.frame, self.address, error)

    def marshal(self) -> bytes:
        """Return the request bytes. A proxy zeroes the [out] storage first; raw RPC uses what it finds there."""
        frame, address, space = self.frame, self.address, self.space
        if frame.interface.is_object:
            zero_out_parameters(self.program, frame, address)
        if not self.stub.osf:
            frame.check_nulls(space, frame.inputs, address)
        for name, plan, offset in frame.pure_outputs:
            frame.byte_count(space, name, address)
            if isinstance(plan, PointerPlan) and not space.pointer_at(address + offset):
                raise RpcError(NULL_REF_POINTER, path=name, rule="ref-never-null")
        self.stub.conversions.size(frame, frame.inputs, address)
        writer = Marshaller(space, self.stub.planner, self.aliases, "in-data-travels", self.handlers)
        for name, plan, offset in frame.inputs:
            if name in frame.partial:
                writer.indicator(address + offset)
            else:
                writer.parameter(plan, address + offset, address, name)
        self.pipes.send(writer)
        request = bytes(writer.out)
        message = Message("request", request, writer.spans, self.stub.planner.big_endian)
        self.program.trace.messages["request"] = message
        return request

    def receive(self, status: int, response: bytes) -> None:
        """Read a response over the application's memory. Raises :class:`RpcError` if the call has failed, or the response is bad."""
        if status:
            raise RpcError(status, rule="server-exception-reaches-client")
        storage = ClientNodes(self.program, self.aliases, self.stub.osf, len(response))
        planner, (limits, tags) = self.stub.planner, self._in_force()
        reader = Unmarshaller(
            self.space, planner, self.aliases, response, storage, self.address, limits, tags, self.handlers
        )
        if self.frame.interface.is_object:
            reader.vacate = ObjectPointers(self.program, self.frame, self.address).vacate
        received = Message("response", response, reader.spans, planner.big_endian)
        # a server in this session has noted more
        self.program.trace.messages.setdefault("response", received)
        self.pipes.receive(reader)
        try:
            self._read(reader, storage)
        finally:
            self.stub.conversions.end_message()

    def _read(self, reader: Unmarshaller, storage: ClientNodes) -> None:
        """Read the parameters of a response, and what comes behind them."""
        space = self.space
        reader.pending = {name for name, _, _ in self.frame.outputs}
        for argument in self.frame.outputs:
            name, plan, offset = argument
            place, result = self.address + offset, argument is self.frame.result
            held = space.pointer_at(place) if isinstance(plan, PointerPlan) and not result else 0
            room = self.frame.byte_count(space, name, self.address)
            reader.storage = storage if room is None else OneBlock(held, room, ("byte-count-in-place",) * 2)
            reader.parameter(plan, place, name, held, result)
            if held:
                space.set_pointer(place, held)  # a top-level pointer was passed by value: it stays
        if self.frame.reflects_deletions:
            for storage_freed in self._deleted(reader):
                self.program.release(storage_freed, "stub", "reflected-deletions-freed")
        reader.finish()

    def _deleted(self, reader: Unmarshaller) -> list[int]:
        """Return the storage that the routine has freed the server's copy of (reflect-deletions.md).

        Raises:
            RpcError: RPC_X_BAD_STUB_DATA, an id that the request did not have, or that the response has too.
        """
        storage: dict[int, int] = {}
        for number in reader.deletions():
            known = self.aliases.known(number)
            if number in storage or not known or self.aliases.receive(number) is not None:
                why = "twice" if number in storage else "though the call has no such referent any more"
                raise reader.bad_data(f"the referent {number:#x} is in the list of deletions {why}", None)
            storage[number] = known
        return list(storage.values())

    def _in_force(self) -> tuple[dict[int, int], dict[int, int | None]]:
        """Return the sizes and discriminants before the call, along the chains of pointers and arrays that come back."""
        limits: dict[int, int] = {}
        tags: dict[int, int | None] = {}
        for argument in self.frame.outputs:
            plan = argument.plan
            while argument is not self.frame.result and isinstance(plan, PointerPlan | ArrayPlan):
                if isinstance(plan, ArrayPlan) and plan.size_of is not None:
                    try:
                        limits[id(plan)] = plan.count(self.space, self.address)
                    except RpcError:
                        break
                plan = plan.target if isinstance(plan, PointerPlan) else plan.element
            if isinstance(plan, UnionPlan) and plan.tag_of is not None:
                tags[id(plan)] = discriminant_at(self.space, plan, 0, self.address)
        return limits, tags
