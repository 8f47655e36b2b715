"""Converted types: between what programs see and what travels, the stub calls the application's own routines.

[transmit_as] and [represent_as] give the stub a second object, which it marshals; [wire_marshal] and [user_marshal]
write the bytes themselves. Each has four routines (the-transmit-as-attribute.md, the-represent-as-attribute.md,
the-wire-marshal-attribute.md, the-user-marshal-attribute.md). What the sender's routine allocated, its counterpart
frees; what the receiver's stub provides for a while is the stub's own memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from struct import Struct as Codec
from typing import Any, TypeAlias

from rpcmemkit import types
from rpcmemkit.errors import MemoryFault, RpcError, UsageError, counted
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.ndr import Marshaller, Unmarshaller, located
from rpcmemkit.plan import ConvertedPlan, Planner, PointerPlan, align_up
from rpcmemkit.program import LARGEST_BLOCK, Allowance, Program, no_memory
from rpcmemkit.status import BAD_STUB_DATA
from rpcmemkit.stubs.frame import Argument, Frame
from rpcmemkit.trace import Path, Span
from rpcmemkit.walk import Place, reach

USER_PREFIX = 0x72657355  # "User" in front of a deferred wire value, as the Windows runtime and Wine write it
FLAGS = 0x00100002  # little-endian data, MSHCTX_DIFFERENTMACHINE (the-type-usersize-function.md)

_USER = ("UserSize", "UserMarshal", "UserUnmarshal", "UserFree")
ROUTINES: Mapping[str, tuple[str, ...]] = {
    "transmit_as": ("to_xmit", "from_xmit", "free_xmit", "free_inst"),
    "represent_as": ("from_local", "to_local", "free_inst", "free_local"),
    "wire_marshal": _USER,
    "user_marshal": _USER,
}
"""The routines of each attribute: to the wire, from it, freeing the sent object, freeing the presented one; the last
two attributes size, write, read and free."""

_PROTOTYPES: Mapping[str, tuple[str, str]] = {
    "to_xmit": ("void {type}_to_xmit({type} *, {other} **)", "obj sent"),
    "from_xmit": ("void {type}_from_xmit({other} *, {type} *)", "sent obj"),
    "free_xmit": ("void {type}_free_xmit({other} *)", "sent"),
    "free_inst": ("void {type}_free_inst({type} *)", "obj"),
    "from_local": ("void {type}_from_local({other} *, {type} **)", "local obj"),
    "to_local": ("void {type}_to_local({type} *, {other} *)", "obj local"),
    "free_local": ("void {type}_free_local({other} *)", "local"),
    "UserSize": (
        "unsigned long {type}_UserSize(unsigned long *, unsigned long, {type} *)",
        "flags start obj",
    ),
    "UserMarshal": (
        "unsigned char *{type}_UserMarshal(unsigned long *, unsigned char *, {type} *)",
        "flags buffer obj",
    ),
    "UserUnmarshal": (
        "unsigned char *{type}_UserUnmarshal(unsigned long *, unsigned char *, {type} *)",
        "flags buffer obj",
    ),
    "UserFree": ("void {type}_UserFree(unsigned long *, {type} *)", "flags obj"),
}
"""What each routine is in C, and what it takes when it is a function of Python, behind the call."""

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    part: ("call", *names.split()) for part, (_, names) in _PROTOTYPES.items()
}

TO, FROM, FREE_SENT, FREE = range(4)
SIZE, WRITE, READ, _ = range(4)
_RULES = ("to-xmit-allocates", "from-xmit-fills-root", "free-xmit-after-marshalling", "free-inst-below-root")
_USER_RULES = ("user-size-first", "user-marshal-writes", "user-unmarshal-reads", "user-free-on-server")

Routine: TypeAlias = Callable[..., Any]
"""What the stub calls: pointers come as places that hold them, numbers and :class:`Buffer` as they are."""


class Buffer:
    """The ``unsigned char *`` of user marshalling: a position in the message's buffer, which its use moves on."""

    def __init__(self, space: AddressSpace, address: int, end: int) -> None:
        self.space = space
        self.address = address
        self.end = end
        """Where the message ends."""

    def align(self, alignment: int) -> Buffer:
        """Go to the next multiple of ``alignment`` bytes."""
        self.address = align_up(self.address, alignment)
        return self

    def write(self, data: bytes) -> Buffer:
        """Store bytes. Raises :class:`MemoryFault` at the end of what UserSize asked for."""
        self.space.write(self.address, data)
        self.address += len(data)
        return self

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes.

        Raises:
            RpcError: RPC_X_BAD_STUB_DATA, the message ends before.
        """
        if not 0 <= size <= self.end - self.address:
            why = f"{counted(size, 'byte')} to read, {max(self.end - self.address, 0)} left in the message"
            raise RpcError(BAD_STUB_DATA, why, rule="user-unmarshal-reads")
        data = self.space.read(self.address, size)
        self.address += size
        return data

    def __int__(self) -> int:
        return self.address


class Conversions:
    """The handler of converted types on one side; it holds the routines that the application registered there."""

    def __init__(self, program: Program, planner: Planner) -> None:
        self.program = program
        self.planner = planner
        self.routines: dict[tuple[str, str], Routine] = {}
        """The routines by attribute and C name."""
        self.received: list[Place] = []
        """The values of a message that its routines have dealt with: to be freed if the rest of it is bad."""
        self._sizes: dict[int, int] = {}
        self._read: Unmarshaller | None = None
        self._allowance = Allowance(0)
        self._copy = 0

    @property
    def space(self) -> AddressSpace:
        return self.program.space

    # --- registration ---

    def register(self, interface: types.Interface, name: str, routines: Mapping[str, Routine]) -> None:
        """Take the routines of a type, by the last part of their names.

        Raises:
            UsageError: no such type is converted, or its attribute has no such routines.
        """
        converted = types.converted_types(interface)
        own = [type_ for type_ in converted if type_.name == name]
        if not own:
            known = ", ".join(dict.fromkeys(type_.name for type_ in converted)) or "none"
            raise UsageError(f"{name} is not a converted type; there are: {known}")
        fitting = [type_ for type_ in own if set(routines) <= set(ROUTINES[type_.how])]
        if len(fitting) != 1:
            wanted = " or ".join(", ".join(ROUTINES[type_.how]) for type_ in own)
            raise UsageError(f"the routines of {name} are {wanted}, not {', '.join(routines)}")
        for part, routine in routines.items():
            self.routines[fitting[0].how, f"{name}_{part}"] = routine

    # --- the handler ---

    def marshal(
        self, writer: Marshaller, plan: ConvertedPlan, address: int, scope: int, path: Path | None
    ) -> None:
        if plan.deferred is not None:
            size = self.planner.syntax.pointer
            writer.align(size)
            writer.spans.append(Span(len(writer.out), size, "prefix", plan, path))
            writer.out += USER_PREFIX.to_bytes(size, "big" if self.planner.big_endian else "little")
            writer.defer(plan.deferred, address, scope, path)
        elif plan.by_bytes:
            self._write_bytes(writer, plan, address, path)
        else:
            self._send(writer, plan, address, path)

    def unmarshal(
        self,
        reader: Unmarshaller,
        plan: ConvertedPlan,
        address: int,
        scope: int,
        path: Path | None,
        new: bool,
    ) -> None:
        if new:  # a routine may look at the old value of the root, so there has to be one
            self.space.clear(address, plan.size)
        if plan.deferred is not None:
            size = self.planner.syntax.pointer
            reader.align(size)
            reader.spans.append(Span(reader.position, size, "prefix", plan, path))
            if any(reader.take(size)):
                reader.defer(plan.deferred, address, scope, path)
        elif plan.by_bytes:
            self._read_bytes(reader, plan, address, path)
        else:
            self._receive(reader, plan, address, path)
        if plan.deferred is None:
            self.received.append(Place(plan, address, scope, path))

    # --- [transmit_as], [represent_as] ---

    def _send(self, writer: Marshaller, plan: ConvertedPlan, address: int, path: Path | None) -> None:
        """Have the sent object made, marshal it, have it freed."""
        with self._cells(address, 0) as (presented, made):
            self._call(
                plan, TO, address, Place(plan.argument, presented, 0, path), Place(plan.result, made, 0, path)
            )
            sent = self.space.pointer_at(self.space.pointer_at(made))
        try:
            writer.value(plan.sent, sent, path)
        finally:
            if sent:
                with self._cells(sent) as (form,):
                    self._call(plan, FREE_SENT, sent, Place(plan.form, form, 0, path))

    def _receive(self, reader: Unmarshaller, plan: ConvertedPlan, address: int, path: Path | None) -> None:
        """Read the sent object into memory of the stub and have the presented one made of it."""
        given: list[int] = []

        def provide(size: int) -> int:
            self._begin(reader)
            self._allowance.take(size)
            given.append(self.space.add_block(size, BlockKind.STACK))
            return given[0]

        try:
            sent = reader.value(plan.sent, path, provide)
            with self._cells(sent, address) as (form, presented):
                self._call(
                    plan,
                    FROM,
                    address,
                    Place(plan.form, form, 0, path),
                    Place(plan.argument, presented, 0, path),
                )
        finally:
            for block in given:
                self.space.drop_block(block)

    def _begin(self, reader: Unmarshaller) -> None:
        if self._read is not reader:
            self.end_message()
            self._read, self._allowance = reader, Allowance(len(reader.data))

    def end_message(self) -> None:
        """Let go of the copy of a message that the user routines read from."""
        if self._copy:
            self.space.drop_block(self._copy)
        self._read, self._copy = None, 0

    # --- [wire_marshal], [user_marshal] ---

    def size(self, frame: Frame, arguments: Iterable[Argument], address: int) -> None:
        """Carry out the sizing pass of a message: UserSize of each object, before the first byte is written."""
        self._sizes.clear()
        if not any(ROUTINES[type_.how] is _USER for type_ in frame.converted):
            return
        found: list[Place] = []
        reach(self.space, [each.at(address) for each in arguments], converted=found)
        offset = 0
        for place in found:
            plan = _what_follows(place.plan)
            if plan.by_bytes:
                offset = align_up(offset, plan.wire_align)
                self._sizes[place.address] = room = self._size(plan, place.address, offset)
                offset += room

    def _size(self, plan: ConvertedPlan, address: int, start: int) -> int:
        with self._cells(address) as (cell,):
            end = self._call(plan, SIZE, address, FLAGS, start, Place(plan.argument, cell, 0, None))
        if not isinstance(end, int) or end < start:
            raise UsageError(f"{plan.type.name}_UserSize returns the offset behind the object, not {end!r}")
        if end - start > LARGEST_BLOCK:
            raise no_memory(end - start)
        return end - start

    def _write_bytes(self, writer: Marshaller, plan: ConvertedPlan, address: int, path: Path | None) -> None:
        writer.align(plan.wire_align)
        start = len(writer.out)
        known = self._sizes.pop(address, None)
        room = self._size(plan, address, start) if known is None else known
        lead = start % 8  # so that the routine aligns as the message wants it
        block = self.space.add_block(lead + room, BlockKind.STACK, fill=0)
        try:
            start_at, end = block + lead, block + lead + room
            size = self._position(plan, WRITE, start_at, end, address, path) - start_at
            if not 0 <= size <= room:
                why = f"{plan.type.name}_UserMarshal wrote {counted(size, 'byte')} where UserSize asked for {room}"
                raise RpcError(BAD_STUB_DATA, why, rule="user-marshal-writes")
            writer.out += self._sent(plan, self.space.read(block + lead, size))
        finally:
            self.space.drop_block(block)
        writer.spans.append(Span(start, size, "bytes", plan, path))

    def _read_bytes(self, reader: Unmarshaller, plan: ConvertedPlan, address: int, path: Path | None) -> None:
        reader.align(plan.wire_align)
        start = reader.position
        at = self._message(reader) + start
        if self.planner.big_endian:
            self._make_native(reader, plan, at, path)
        size = self._position(plan, READ, at, at + len(reader.data) - start, address, path) - at
        if not 0 <= size <= len(reader.data) - start:
            raise reader.bad_data(f"{plan.type.name}_UserUnmarshal left the message", path)
        reader.position += size
        reader.spans.append(Span(start, size, "bytes", plan, path))

    def _position(
        self, plan: ConvertedPlan, role: int, at: int, end: int, address: int, path: Path | None
    ) -> int:
        """Call a routine that gets a buffer position and returns the new one."""
        buffer = Buffer(self.space, at, end)
        with self._cells(address) as (cell,), located(path):
            position = self._call(plan, role, address, FLAGS, buffer, Place(plan.argument, cell, 0, path))
        if not isinstance(position, int | Buffer):
            raise UsageError(f"{_routine_name(plan, role)} returns the new buffer position, not {position!r}")
        return int(position)

    def _message(self, reader: Unmarshaller) -> int:
        """Return where the message lies in memory: for a client, and for foreign byte order, in a copy."""
        self._begin(reader)
        if reader.buffer and not self.planner.big_endian:
            return reader.buffer
        if not self._copy:
            self._copy = self.space.add_block(len(reader.data), BlockKind.RECEIVE_BUFFER)
            self.space.write(self._copy, reader.data)
        return self._copy

    def _sent(self, plan: ConvertedPlan, data: bytes) -> bytes:
        """Return what a routine wrote in the byte order of the message."""
        if not self.planner.big_endian:
            return data
        native, foreign = _codecs(plan)
        if len(data) != native.size:
            raise RpcError(
                BAD_STUB_DATA,
                f"{counted(len(data), 'byte')} for {plan.sent!r}",
                rule="user-marshal-writes",
            )
        return foreign.pack(*native.unpack(data))

    def _make_native(self, reader: Unmarshaller, plan: ConvertedPlan, at: int, path: Path | None) -> None:
        """Convert a value of a foreign byte order, as the engine does before UserUnmarshal is called."""
        native, foreign = _codecs(plan)
        data = reader.data[reader.position : reader.position + native.size]
        if len(data) != native.size:
            raise reader.bad_data("the message ends too early", path)
        self.space.write(at, native.pack(*foreign.unpack(data)))

    # --- clean-up on the server ---

    def free_instances(self, frame: Frame, address: int) -> None:
        """Have freed what lies below the presented objects of a call, the objects themselves aside."""
        self.free_each(self._instances(frame, address) if frame.converted else ())

    def free_each(self, places: Iterable[Place]) -> None:
        """As :meth:`free_instances`, of some objects."""
        for place in places:
            try:
                with self._cells(place.address) as (cell,):
                    argument = Place(place.plan.argument, cell, 0, place.path)  # type: ignore[attr-defined]
                    flags = (FLAGS,) if place.plan.by_bytes else ()  # type: ignore[attr-defined]
                    self._call(place.plan, FREE, place.address, *flags, argument)  # type: ignore[arg-type]
            except MemoryFault:
                continue  # it is in the trace, and the clean-up must go on
            except RpcError as error:
                self.program.trace.add(EventKind.RAISE, "server", "conversion", 0, 0, error.rule, error)

    def _instances(self, frame: Frame, address: int) -> list[Place]:
        """Return the objects to free: every one of what is [out], of [in] only parameters that are converted themselves.

        UserFree is called for [in] components too.
        """
        instances: dict[int, Place] = {}
        for argument in frame.all:
            found: list[Place] = []
            reach(self.space, [argument.at(address)], converted=found)
            for place in found:
                assert isinstance(place.plan, ConvertedPlan)
                if argument in frame.outputs or place.path == (None, argument.name) or place.plan.by_bytes:
                    instances.setdefault(place.address, place)
        return list(instances.values())

    # --- calling ---

    def _call(self, plan: ConvertedPlan, role: int, address: int, *arguments: Any) -> Any:
        """Call one of the four routines.

        Raises:
            UsageError: it is not registered.
        """
        name = _routine_name(plan, role)
        routine = self.routines.get((plan.type.how, name))
        if routine is None:
            part = ROUTINES[plan.type.how][role]
            raise UsageError(
                f"{name} is missing: register it with session.conversion({plan.type.name!r}, {part}=…); "
                f"its prototype is {_PROTOTYPES[part][0].format(type=plan.type.name, other=plan.type.other)}"
            )
        rule = (_USER_RULES if plan.by_bytes else _RULES)[role]
        size = self.space.capacity(address) if rule == "free-xmit-after-marshalling" else plan.size
        self.program.trace.add(EventKind.CONVERT, self.program.side, "stub", address, size, rule, name)
        return routine(*arguments)

    @contextmanager
    def _cells(self, *addresses: int) -> Iterator[list[int]]:
        """Hold pointers to some addresses in stub memory while a routine runs: its arguments.

        For the address 0 there is a null pointer in stub memory, and a pointer to it: an argument for a result.
        """
        space, made = self.space, []

        def cell(value: int) -> int:
            made.append(space.add_block(space.pointer_size, BlockKind.STACK, fill=0))
            space.set_pointer(made[-1], value)
            return made[-1]

        try:
            yield [cell(address or cell(0)) for address in addresses]
        finally:
            for block in reversed(made):
                space.drop_block(block)


def _what_follows(plan: Any) -> ConvertedPlan:
    """Return the plan that the routines get to work on: of a deferred value its later part."""
    target = plan.deferred.target if plan.deferred is not None else plan
    assert isinstance(target, ConvertedPlan)
    return target


def _codecs(plan: ConvertedPlan) -> tuple[Codec, Codec]:
    """Return the codecs of a wire type in little-endian and in big-endian order."""
    wire = plan.sent.target if isinstance(plan.sent, PointerPlan) else plan.sent
    if wire.body is None or wire.body.slots:
        raise UsageError(
            f"{plan.type.name}: in big-endian messages a user-marshalled type needs a wire type of fixed layout"
        )
    values = wire.body.wire.format[1:]
    return Codec("<" + values), Codec(">" + values)


def _routine_name(plan: ConvertedPlan, role: int) -> str:
    return f"{plan.type.name}_{ROUTINES[plan.type.how][role]}"
