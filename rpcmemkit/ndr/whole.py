"""Plain graphs move whole: generated code does the work, and the trace gets one entry that can be replayed.

Nothing is noted for each referent but its address and size. Who asks for the events gets them from the careful code,
which does the same work again: it marshals from the memory as it was, or unmarshals the message to the addresses that the
first run has given. So the two can never tell different stories. Where generated code meets something odd it has changed
nothing, and the careful code does the work, and says what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rpcmemkit.kinds import EventKind
from rpcmemkit.ledger import Row
from rpcmemkit.memory import AddressSpace, Image
from rpcmemkit.ndr.aliases import FullPointers
from rpcmemkit.ndr.storage import IN_PLACE, Shape, Waiting
from rpcmemkit.plan import ArrayPlan, PointerPlan
from rpcmemkit.plan.generated import BUFFER, Graph
from rpcmemkit.plan.graphs import ODD
from rpcmemkit.trace import Event, Path, Raw, Run

if TYPE_CHECKING:
    from rpcmemkit.ndr.marshal import Marshaller
    from rpcmemkit.ndr.storage import RowStorage
    from rpcmemkit.ndr.unmarshal import Unmarshaller

SENT, RECEIVED = (
    frozenset({EventKind.MARSHAL}),
    frozenset({EventKind.UNMARSHAL, EventKind.ALLOCATE, EventKind.REUSE}),
)


class Moment:
    """The memory that a replay needs, as it was when a parameter had been moved."""

    __slots__ = ("image", "wanted")

    def __init__(self) -> None:
        self.image: Image | None = None
        self.wanted = False

    def end(self, space: AddressSpace) -> Moment:
        """Keep the memory if something has to be replayed; return the next moment."""
        if not self.wanted:
            return self
        self.image = space.image()
        return Moment()


def as_it_was(space: AddressSpace, image: Image) -> AddressSpace:
    """Return a copy of a space as it was, to do something in it again."""
    copy = AddressSpace.from_image(space.side, image)
    copy.data = bytearray(image[:])
    copy.describe = space.describe
    return copy


def send(
    writer: Marshaller, graph: Graph, pointer: PointerPlan, address: int, scope: int, path: Path | None
) -> bool:
    """Marshal what a pointer leads to, or return ``False``: then nothing has been written."""
    space, out, start, number = writer.space, writer.out, len(writer.out), writer.number
    limit = (writer.budget - start) // graph.least + 1
    try:
        with space.unnoted():
            after, met, extents, texts, lengths = graph.marshal(
                space, space.data, space.base, address, scope, out, number, limit, writer.budget
            )
            whole = space.holds(met, extents) and space.holds(texts, lengths)
    except ODD:
        whole = False
    if not whole:
        del out[start:]
        return False
    writer.number = after
    moment, rule, planner, maker = writer.moment, writer.rule, writer.planner, type(writer)

    def replay() -> tuple[list[Raw], list[Any]]:
        assert moment.image is not None
        again = maker(as_it_was(space, moment.image), planner, FullPointers(), rule)
        again.careful, again.number, again.budget = True, number, writer_budget
        again.out += bytes(start)
        again.follow([(-1, address, pointer, scope, path)])
        return again.space.trace.raw, again.spans  # type: ignore[return-value]

    writer_budget = writer.budget
    moment.wanted = True
    run = Run(SENT, replay=replay)
    space.trace.raw.append(run)
    writer.spans.append(run)
    return True


def receive(reader: Unmarshaller, graph: Graph, waiting: Waiting) -> bool:
    """Unmarshal what a pointer leads to, or return ``False``: then nothing has been read."""
    if not hasattr(reader.storage, "whole") or waiting.slot == IN_PLACE:
        return False
    storage, space = cast("RowStorage", reader.storage), reader.space
    modes = storage.whole(graph, waiting)
    if modes is None:
        return False
    start, top = reader.position, len(space.data)
    prefix = bytearray(reader.data) if _written_in_place(graph, modes) else bytearray()
    mem = bytearray(prefix)
    limit = (len(reader.data) - start) // graph.least + 1
    position = start
    try:
        with space.unnoted():
            found = graph.unmarshal(modes)(
                reader.data, start, mem, space.base + top - len(prefix), storage.buffer, limit
            )
            position, sizes, lie, extents, arrays = found
            blocks = storage.allocator.allocate_row(mem[len(prefix) :], sizes)
            if blocks is None:
                return False
            plan, root = graph.nodes[0].plan, blocks[0] if modes[0] != BUFFER else lie[0]
            if prefix:  # sizes may lie there
                space.convert(storage.buffer + start, bytes(mem[start:position]))
            for number, scope, count in arrays:
                reader.correlate(graph.nodes[number].plan, scope, Shape(count, 0, count), None, True)
            if isinstance(plan, ArrayPlan) and plan.size_of is not None:
                count = (sizes[0] if modes[0] != BUFFER else extents[0]) // plan.stride
                shape = Shape(count, 0, count)
                reader.note_correlation(plan, waiting.scope, shape, waiting.path, modes[0] != BUFFER)
    except ODD:
        if prefix:
            space.write(storage.buffer + start, reader.data[start:position])
        space.take_back(top)
        return False
    reader.position = position
    space.set_pointer(waiting.slot, root)
    storage.allocator.note_row(blocks)
    run = _run(reader, graph, waiting, start, blocks)
    if lie:
        storage.lie_in_buffer(
            lie, extents, lambda: [Event._make(event).path for event in run.select((EventKind.REUSE,))]
        )
    return True


def _written_in_place(graph: Graph, modes: tuple[str, ...]) -> bool:
    return any(mode == BUFFER and graph.changes(node) for node, mode in zip(graph.nodes, modes, strict=True))


def _run(reader: Unmarshaller, graph: Graph, waiting: Waiting, start: int, blocks: Row) -> Run:
    space, planner, data, moment = reader.space, reader.planner, reader.data, reader.moment
    storage, maker, frame = cast("RowStorage", reader.storage), type(reader), reader.frame

    def replay() -> tuple[list[Raw], list[Any]]:
        assert moment.image is not None
        copy = as_it_was(space, moment.image)
        again = maker(copy, planner, FullPointers(), data, storage.again(blocks, copy.trace), frame)
        again.careful, again.position = True, start
        again.follow([waiting])
        return copy.trace.raw, again.spans  # type: ignore[return-value]

    moment.wanted = True
    run = Run(RECEIVED, storage.like(graph, waiting), blocks, blocks.sizes, replay)
    space.trace.raw.append(run)
    reader.spans.append(run)
    return run
