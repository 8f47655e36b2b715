"""Pipes: data that a call moves chunk by chunk while its routine runs.

On the client the application supplies three procedures, and with ``alloc`` the memory; on the server the stub has its
own buffer and nobody calls an allocator (essential-pipe-terminology.md, client-side-pipe-implementation.md). Input pipes
follow the other arguments in the request, output pipes come first in the response (combining-pipe-and-nonpipe-
parameters.md). A chunk is its number of elements and the elements; one without elements ends the pipe (C706 chapter 14;
in NDR64 the negated number follows, MS-RPCE 2.2.5.3.4.5).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rpcmemkit import given
from rpcmemkit.errors import RpcError, UsageError, counted
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.ndr import Marshaller, Unmarshaller
from rpcmemkit.plan import ArrayPlan, PipePlan
from rpcmemkit.program import Program
from rpcmemkit.reader import Reader
from rpcmemkit.status import (
    INVALID_PIPE_OBJECT,
    PIPE_APP_MEMORY,
    PIPE_CLOSED,
    PIPE_DISCIPLINE_ERROR,
    PIPE_EMPTY,
    WRONG_PIPE_ORDER,
)
from rpcmemkit.stubs.frame import Frame
from rpcmemkit.trace import Path, Span
from rpcmemkit.values import Writer
from rpcmemkit.walk import Place

REQUESTED = 4096  # bytes that a client stub asks the alloc procedure for
_RULES = {"client": "pipe-alloc-by-application", "server": "pipe-buffer-of-server-stub"}
"""The rule by which a side has the memory of its buffers."""


class PipeBuffer:
    """Room for pipe elements in memory: what the procedures of a pipe work on."""

    def __init__(self, space: AddressSpace, plan: ArrayPlan, address: int, capacity: int) -> None:
        self.space = space
        self.plan = plan
        self.address = address
        self.capacity = capacity
        """How many elements there is room for."""

    def write(self, values: Sequence[Any]) -> int:
        """Store elements from the start, and return their number.

        Raises:
            MemoryFault: there is no room for them.
        """
        stride = self.plan.stride
        self.space.check(
            self.address, len(values) * stride, f"write of {counted(len(values), 'pipe element')}"
        )
        for index, value in enumerate(values):
            writer = Writer(self.space, _no_storage)
            writer.write(self._place(index), value)
        return len(values)

    def read(self, count: int) -> list[Any]:
        """Return the first ``count`` elements.

        Raises:
            MemoryFault: there are not so many.
        """
        self.space.check(self.address, count * self.plan.stride, f"read of {counted(count, 'pipe element')}")
        places = {str(index): self._place(index) for index in range(count)}
        return list(Reader(self.space).read(places).values())

    def note(self, what: str, count: int) -> None:
        """Note which procedure of a pipe has the buffer now, and for how many elements."""
        space, size = self.space, count * self.plan.stride
        space.trace.add(EventKind.PIPE, space.side, "stub", self.address, size, _RULES[space.side], what)

    def _place(self, index: int) -> Place:
        at = self.address + index * self.plan.stride
        return Place(self.plan.element, at, at, (None, f"[{index}]"))


def _no_storage(size: int) -> int:
    raise UsageError("a pipe element holds no pointers")


# --- the chunks -------------------------------------------------------------------------------


def write_chunk(writer: Marshaller, plan: PipePlan, address: int, count: int, path: Path) -> None:
    """Write the ``count`` elements at ``address`` as a chunk."""
    _write_count(writer, plan, count, path)
    if count:
        writer.elements(plan.elements, address, count, path)
    if writer.planner.syntax.padded:
        _write_count(writer, plan, -count, path)


def _write_count(writer: Marshaller, plan: PipePlan, count: int, path: Path) -> None:
    size = writer.planner.syntax.count
    writer.align(size)
    writer.spans.append(Span(len(writer.out), size, "chunk", plan, path))
    writer.out += count.to_bytes(size, "big" if writer.planner.big_endian else "little", signed=count < 0)


class ChunkReader:
    """Reads the elements of one pipe from a message, across its chunks."""

    def __init__(self, reader: Unmarshaller, plan: PipePlan, path: Path) -> None:
        self.reader = reader
        self.plan = plan
        self.path = path
        self.left = self._size = 0
        self.ended = False

    def next(self, limit: int) -> int:
        """Return how many elements come next, ``limit`` at most; 0 is the end.

        Raises:
            RpcError: RPC_X_BAD_STUB_DATA.
        """
        if not self.left and not self.ended:
            self.left = self._size = self._count()
            self.ended = not self.left
            if (
                self.left * max(self.plan.elements.wire_last, 1)
                > len(self.reader.data) - self.reader.position
            ):
                raise self.reader.bad_data(
                    f"{counted(self.left, 'element')} announced, fewer follow", self.path
                )
            if self.ended:
                self._trailer()
        return min(self.left, limit)

    def read(self, address: int, count: int) -> None:
        """Put the next ``count`` elements at ``address``."""
        try:
            self.reader.elements(self.plan.elements, address, count, self.path)
        except struct.error:
            raise self.reader.bad_data("the message ends in a pipe", self.path) from None
        self.left -= count
        if not self.left:
            self._trailer()

    def _trailer(self) -> None:
        if self.reader.planner.syntax.padded and self._count(signed=True) != -self._size:
            raise self.reader.bad_data("a chunk does not end in its negated count", self.path)

    def _count(self, *, signed: bool = False) -> int:
        reader, size = self.reader, self.reader.planner.syntax.count
        reader.align(size)
        reader.spans.append(Span(reader.position, size, "chunk", self.plan, self.path))
        try:
            data = reader.take(size)
        except struct.error:
            raise reader.bad_data("the message ends in a pipe", self.path) from None
        return int.from_bytes(data, "big" if reader.planner.big_endian else "little", signed=signed)


# --- the client -------------------------------------------------------------------------------


@dataclass(eq=False)
class Pipe:
    """The pipe variable of a client application: its procedures (client-side-pipe-implementation.md).

    ``alloc(size)`` returns an address and how many bytes are there; ``pull(buffer)`` puts elements there and returns
    their number, 0 at the end; ``push(buffer, count)`` takes elements, and 0 at the end. ``received`` is for pushes.
    """

    alloc: Callable[[int], tuple[int, int]]
    pull: Callable[[PipeBuffer], int] | None = None
    push: Callable[[PipeBuffer, int], None] | None = None
    received: list[Any] = field(default_factory=list)


def check_pipes(frame: Frame, arguments: Mapping[str, Any]) -> None:
    """Check that pipes, and only they, are passed as pipes.

    Raises:
        UsageError: an argument is not what its parameter says.
    """
    pipes = {name for name, _ in (*frame.input_pipes, *frame.output_pipes)}
    for name, value in arguments.items():
        if isinstance(value, Pipe) and name not in pipes:
            raise UsageError(f"{name} is no pipe: pass a value of its type, not a Pipe")
    for name in sorted(pipes):
        if not isinstance(arguments.get(name), Pipe):
            raise UsageError(f"{name} is a pipe: pass session.pipe(…), or a Pipe with procedures of your own")


class ClientPipes:
    """The client stub's part in the pipes of one call."""

    def __init__(self, program: Program, frame: Frame, pipes: Mapping[str, Pipe]) -> None:
        self.program = program
        self.frame = frame
        self.pipes = pipes

    def send(self, writer: Marshaller) -> None:
        """Drain every input pipe into the request, the leftmost first."""
        for name, plan in self.frame.input_pipes:
            pull, count = self.pipes[name].pull, -1
            if pull is None:
                raise RpcError(INVALID_PIPE_OBJECT, "an input pipe needs a pull procedure", path=name)
            while count:
                buffer = self._buffer(name, plan)
                count = given.instance(
                    f"{name}.pull", pull(buffer), int, "the number of elements as its result"
                )
                if not 0 <= count <= buffer.capacity:
                    why = f"pull says {counted(count, 'element')}, the buffer takes {buffer.capacity}"
                    raise RpcError(INVALID_PIPE_OBJECT, why, path=name, rule="pipe-alloc-by-application")
                buffer.note(f"{name}.pull", count)
                write_chunk(writer, plan, buffer.address, count, (None, name))

    def receive(self, reader: Unmarshaller) -> None:
        """Hand on everything in the output pipes, the leftmost first."""
        for name, plan in self.frame.output_pipes:
            push, chunks = self.pipes[name].push, ChunkReader(reader, plan, (None, name))
            if push is None:
                raise RpcError(INVALID_PIPE_OBJECT, "an output pipe needs a push procedure", path=name)
            while not chunks.ended:
                buffer = self._buffer(name, plan)
                count = chunks.next(buffer.capacity)
                if count:
                    chunks.read(buffer.address, count)
                buffer.note(f"{name}.push", count)
                push(buffer, count)

    def _buffer(self, name: str, plan: PipePlan) -> PipeBuffer:
        """Ask the application for a buffer; it may be the same each time.

        Raises:
            RpcError: RPC_X_PIPE_APP_MEMORY, there is none, or not for one element.
        """
        address, size = self.pipes[name].alloc(REQUESTED)
        stride = plan.elements.stride
        buffer = PipeBuffer(self.program.space, plan.elements, address, size // stride if address else 0)
        buffer.note(f"{name}.alloc", buffer.capacity)
        if not buffer.capacity:
            why = f"alloc gave {counted(size, 'byte')}, an element takes {stride}"
            raise RpcError(PIPE_APP_MEMORY, why, path=name, rule="pipe-alloc-by-application")
        return buffer


# --- the server -------------------------------------------------------------------------------


class ServerPipes:
    """The server stub's part: pipes are used in turn, inputs first, each until it has ended (rules-for-multiple-pipes.md)."""

    def __init__(self, program: Program, frame: Frame, reader: Unmarshaller, writer: Marshaller) -> None:
        self.program = program
        self.reader = reader
        self.writer = writer
        self.inputs = {name: ChunkReader(reader, plan, (None, name)) for name, plan in frame.input_pipes}
        self.outputs = dict(frame.output_pipes)
        self.turns = [(name, "pull") for name in self.inputs] + [(name, "push") for name in self.outputs]
        self.turn = 0
        self._block = self._room = 0

    def __contains__(self, name: object) -> bool:
        return name in self.inputs or name in self.outputs

    def pull(self, name: str, limit: int) -> list[Any]:
        """Return up to ``limit`` elements of an input pipe; none at its end.

        Raises:
            RpcError: RPC_X_PIPE_EMPTY after the end, RPC_X_WRONG_PIPE_ORDER if another pipe has its turn.
        """
        self._take_turn(name, "pull", PIPE_EMPTY)
        chunks = self.inputs[name]
        count = chunks.next(max(limit, 1))
        buffer = self._buffer(chunks.plan, count)
        if count:
            chunks.read(buffer.address, count)
        buffer.note(f"{name}.pull", count)
        return buffer.read(count)

    def push(self, name: str, values: Iterable[Any]) -> None:
        """Send elements on an output pipe; none of them ends it.

        Raises:
            RpcError: RPC_X_PIPE_CLOSED after the end, RPC_X_WRONG_PIPE_ORDER if another pipe has its turn.
        """
        self._take_turn(name, "push", PIPE_CLOSED)
        elements, plan = list(values), self.outputs[name]
        buffer = self._buffer(plan, len(elements))
        buffer.write(elements)
        buffer.note(f"{name}.push", len(elements))
        write_chunk(self.writer, plan, buffer.address, len(elements), (None, name))
        self.turn += not elements

    def finish(self) -> None:
        """Raise RPC_X_PIPE_DISCIPLINE_ERROR if the routine returned before every pipe had ended."""
        if self.turn < len(self.turns) and not self._drained():
            name, what = self.turns[self.turn]
            why = f"the routine returned before its last {what} of {name}"
            raise RpcError(PIPE_DISCIPLINE_ERROR, why, path=name, rule="pipes-in-turn")

    def release(self) -> None:
        """Give up the stub's buffer."""
        if self._block:
            self.program.space.drop_block(self._block)
        self._block = self._room = 0

    def _take_turn(self, name: str, what: str, ended: int) -> None:
        self._drained()
        if (name, what) in self.turns[: self.turn]:
            raise RpcError(ended, path=name, rule="pipes-in-turn")
        if self.turn >= len(self.turns) or self.turns[self.turn] != (name, what):
            raise RpcError(WRONG_PIPE_ORDER, f"{name} cannot {what} now", path=name, rule="pipes-in-turn")

    def _drained(self) -> bool:
        """Go on to the next pipe if the current one is an input that has given its end; say if none is left."""
        while self.turn < len(self.turns):
            name, what = self.turns[self.turn]
            if what == "push" or not self.inputs[name].ended:
                return False
            self.turn += 1
        return True

    def _buffer(self, plan: PipePlan, count: int) -> PipeBuffer:
        """Return the stub's buffer with room for some elements; a larger one takes the place of one that is too small."""
        size = count * plan.elements.stride
        if not self._block or size > self._room:
            self.release()
            self._block, self._room = self.program.space.add_block(size, BlockKind.STACK), size
        return PipeBuffer(self.program.space, plan.elements, self._block, count)


class PipeEnd:
    """A pipe as the server routine knows it."""

    def __init__(self, pipes: ServerPipes, name: str) -> None:
        self._pipes = pipes
        self.name = name

    def pull(self, limit: int) -> list[Any]:
        """Return up to ``limit`` elements; none at the end of the pipe."""
        given.number("limit", limit, "a number of elements")
        return self._pipes.pull(self.name, limit)

    def push(self, values: Iterable[Any]) -> None:
        """Send elements to the client; an empty list ends the pipe."""
        self._pipes.push(self.name, given.elements(self.name, values))

    def __repr__(self) -> str:
        return f"<pipe {self.name}>"
