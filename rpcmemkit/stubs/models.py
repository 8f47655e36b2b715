"""The memory models: where a stub puts what it unmarshals (memory-management-models.md).

A model is a :class:`~rpcmemkit.ndr.Storage`, a strategy over the same plan and the same trace. Each stub begins node
by node; [allocate], [force_allocate] and [byte_count] put another model in force for everything below one pointer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rpcmemkit.errors import RpcError, counted
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.ledger import Parts
from rpcmemkit.memory import ALIGNMENT, AddressSpace
from rpcmemkit.ndr import FullPointers, Shape, Storage, Unmarshaller, Waiting, existing_string_length
from rpcmemkit.paths import c_text
from rpcmemkit.plan import ArrayPlan, PointerPlan, StructPlan, align_up
from rpcmemkit.plan import generated as graphs
from rpcmemkit.plan.generated import Graph
from rpcmemkit.program import Program, StubAllocator
from rpcmemkit.status import BAD_STUB_DATA, BYTE_COUNT_TOO_SMALL, OUT_OF_MEMORY
from rpcmemkit.stubs.decisions import (
    ALLOCATED,
    BUFFER,
    EMBEDDED,
    NEW,
    STUB,
    Above,
    Decision,
    Reading,
    comes_back,
    inbound,
)
from rpcmemkit.trace import Path, Raw, Trace

# --- node by node -----------------------------------------------------------------------------


class Rows:
    """How a model that goes node by node takes a plain graph in one go: each node goes where its pointer would put it."""

    program: Program
    allocator: StubAllocator
    buffer: int
    keeps_pointers: bool
    rules: tuple[str, str]

    def decide(
        self, pointer: PointerPlan, top: bool, result: bool = False, replaced: bool = False
    ) -> Decision:
        """Return where a referent goes that has no storage, or none any more (``replaced``)."""
        raise NotImplementedError

    def first(self, waiting: Waiting) -> Decision:
        """As :meth:`decide`, for what a pointer of the message leads to."""
        result = waiting.path == (None, "return")
        return self.decide(waiting.plan, is_top_level(waiting), result, waiting.replaced)

    def whole(self, graph: Graph, waiting: Waiting) -> tuple[str, ...] | None:
        """Return where each node of a plain graph goes, or ``None`` if some must be looked at one by one."""
        if not self.program.row_kind():
            return None
        modes: dict[int, str] = {0: self._mode(self.first(waiting))}
        for node in graph.nodes:
            for slot, child in node.ways:
                mode = self._mode(self.decide(slot.plan, False))
                if modes.setdefault(child, mode) != mode:
                    return None
        found = tuple(modes[number] for number in range(len(graph.nodes)))
        return found if "" not in found else None

    @staticmethod
    def _mode(decision: Decision) -> str:
        return {ALLOCATED: graphs.NEW, NEW: graphs.NEW, BUFFER: graphs.BUFFER}.get(decision.where, "")

    def like(self, graph: Graph, waiting: Waiting) -> Raw | None:
        """Return the event of an allocation, if one rule is behind all of them; else they have to be looked up."""
        first = self.first(waiting)
        ways = (slot.plan for node in graph.nodes for slot, _ in node.ways)
        rules = {
            each.rule for each in (first, *(self.decide(way, False) for way in ways)) if each.where != BUFFER
        }
        if len(rules) > 1:
            return None
        side, rule = self.program.side, next(iter(rules), "")
        return EventKind.ALLOCATE, side, "stub", 0, 0, rule, self.program.pair.name

    def again(self, addresses: Sequence[int], trace: Trace) -> Again:
        """Return a storage that puts referents where they were put the first time."""
        return Again(self, iter(addresses), trace, self.program.pair.name)


class Again:
    """Puts referents where a first run of the same work has put them, and notes what was noted then."""

    def __init__(self, storage: Rows, addresses: Iterator[int], trace: Trace, allocator: str) -> None:
        self.storage, self.addresses, self.trace, self.allocator = storage, addresses, trace, allocator
        self.keeps_pointers, self.rules = storage.keeps_pointers, storage.rules

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        where, rule = self.storage.first(waiting)
        side = self.storage.program.side
        if where == BUFFER:
            address = self.storage.buffer + position
            self.trace.raw.append((EventKind.REUSE, side, "stub", address, size, rule, waiting.path))
            return address, False
        address = next(self.addresses)
        self.trace.raw.append((EventKind.ALLOCATE, side, "stub", address, size, rule, self.allocator))
        return address, True

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        return self


@dataclass(eq=False)
class ServerNodes(Rows):
    """Leaves referents in the receive buffer where it can, keeps some in memory of its own, allocates for the others.

    ``blocks`` are the graphs and buffers that were allocated as one block: one call frees each, for the reason given,
    or none does (dont_free, an empty reason). ``own`` is the stub's own memory: it goes with the call. ``above`` is what
    the pointers above have decided.
    """

    program: Program
    buffer: int
    allocator: StubAllocator
    reading: Reading
    above: Above = EMBEDDED
    blocks: dict[int, str] = field(default_factory=dict)
    own: list[int] = field(default_factory=list)
    keeps_pointers = False
    rules = ("server-rebuilds-input", "server-rebuilds-input")

    def __post_init__(self) -> None:
        self._decided: dict[tuple[PointerPlan, bool], Decision] = {}
        self._under: dict[Above, ServerNodes] = {self.above: self}
        self._parts = Parts() if self.reading.osf else self.program.space.divide(self.buffer)

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        where, rule = self.decide(waiting.plan, is_top_level(waiting))
        if where == BUFFER:
            address = self.buffer + position
            if not size:
                address -= 1  # nothing lies there: the end of its count tells it from the next referent
            self._parts.add(address, size, waiting.path)
            self.program.trace.raw.append(
                (EventKind.REUSE, "server", "stub", address, size, rule, waiting.path)
            )
            return address, False
        return (
            self.keep(size, rule, waiting.path) if where == STUB else self.allocator.allocate(size, rule)
        ), True

    def decide(
        self, pointer: PointerPlan, top: bool, result: bool = False, replaced: bool = False
    ) -> Decision:
        decided = self._decided.get((pointer, top))
        if decided is None:
            here = self.above._replace(top=top).at(pointer)
            decided = self._decided[pointer, top] = inbound(pointer, here, self.reading)
        return decided

    def lie_in_buffer(
        self, addresses: list[int], sizes: list[int], paths: Callable[[], Sequence[Path | None]]
    ) -> None:
        """Note what stays in the receive buffer."""
        self._parts.extend(addresses, sizes, paths)

    def keep(self, size: int, rule: str, path: Path | None) -> int:
        """Return zeroed memory of the stub's own, until the call ends."""
        address = self.program.space.add_block(size, BlockKind.STACK, fill=0)
        self.own.append(address)
        self.program.trace.raw.append((EventKind.STACK, "server", "stub", address, size, rule, path))
        return address

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        if not waiting.plan.type.all_nodes:
            here = self.above.at(waiting.plan)
            if here not in self._under:
                self._under[here] = replace(self, above=here)
            return self._under[here]
        size = measured(reader, waiting, self.allocator)
        address = self.allocator.allocate(size, "all-nodes-one-block")
        self.blocks[address] = "" if waiting.plan.type.dont_free else "all-nodes-one-block"
        return OneBlock(address, size, self.rules, parts=reader.space.divide(address))


class ClientNodes(Rows):
    """Writes over the storage that the application has, and allocates what it has not, one by one."""

    buffer = 0  # nothing that came back stays in the message
    keeps_pointers = True
    rules = ("client-overwrites-existing", "client-null-to-new")

    def __init__(
        self,
        program: Program,
        aliases: FullPointers,
        osf: bool,
        received: int,
    ) -> None:
        self.program = program
        self.allocator = StubAllocator(program, received)
        self.aliases = aliases
        self.osf = osf

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        existing = self._existing(waiting)
        here, result = Above(is_top_level(waiting)), waiting.path == (None, "return")
        held = bool(existing) or waiting.replaced
        where, rule = comes_back(waiting.plan, here, held=held, result=result)
        if where == NEW:
            return self.allocator.allocate(size, rule), True
        if self.osf and size > self.program.space.capacity(existing):
            raise RpcError(
                BAD_STUB_DATA,
                "a full pointer names storage too small for its type",
                path=c_text(waiting.path),
                rule="bad-data-rejected",
            )
        limit = self._room(waiting, existing)
        if limit is not None and shape.size > limit:
            raise RpcError(
                BAD_STUB_DATA,
                f"{counted(shape.size, 'element')} came back, the client's storage has room for {limit}",
                path=c_text(waiting.path),
                rule="mccp-rejects-larger",
            )
        return existing, False

    def decide(
        self, pointer: PointerPlan, top: bool, result: bool = False, replaced: bool = False
    ) -> Decision:
        return comes_back(pointer, Above(top), held=replaced, result=result)

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        """[allocate(all_nodes)]: a new block each time, whatever the pointer named before (allocate.md).

        A top-level pointer was passed by value: its own referent stays, what hangs below it is new.
        """
        if not waiting.plan.type.all_nodes:
            return self
        by_value = waiting.existing if is_top_level(waiting) else 0
        root = waiting if by_value else None
        size = measured(reader, waiting, self.allocator, root)
        address = self.allocator.allocate(size, "all-nodes-one-block") if size or not root else 0
        return OneBlock(address, size, self.rules, root, reader.space.divide(address) if address else None)

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


# --- one block --------------------------------------------------------------------------------

EMPTY = 1
"""What a referent of no size takes: where it lies tells it from the one that follows."""


def buffer_too_small(needed: int, room: int, path: Path | None) -> RpcError:
    """Return the exception for data that does not fit the buffer of [byte_count]."""
    why = f"the data takes {counted(needed, 'byte')} or more, the buffer has {room}"
    return RpcError(BYTE_COUNT_TOO_SMALL, why, path=c_text(path), rule="byte-count-too-small")


def is_top_level(waiting: Waiting) -> bool:
    """Return whether a pointer is itself a parameter, or the result."""
    return waiting.path is not None and waiting.path[0] is None


def is_root(waiting: Waiting, root: Waiting | None) -> bool:
    """Return whether a pointer is the one that was passed by value, whose referent is no part of the block."""
    return root is not None and waiting.path is root.path


class OneBlock:
    """Lays referents one after the other into one block: an all_nodes graph, or the buffer of [byte_count].

    Every object begins at a multiple of 8. ``root`` is a pointer whose own referent lies elsewhere and stays there.
    """

    keeps_pointers = False

    def __init__(
        self,
        address: int,
        size: int,
        rules: tuple[str, str],
        root: Waiting | None = None,
        parts: Parts | None = None,
    ) -> None:
        self.address = address
        self.size = size
        self.rules = rules
        self.root = root
        self.parts = Parts() if parts is None else parts
        self.used = 0

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        if is_root(waiting, self.root):
            return waiting.existing, False
        start = align_up(self.used, ALIGNMENT)
        if not size:
            start = min(start, self.size)  # it needs no room
        self.used = start + size
        if self.used > self.size:
            raise buffer_too_small(self.used, self.size, waiting.path)
        self.used = min(start + max(size, EMPTY), self.size)
        self.parts.add(self.address + start, size, waiting.path)
        return self.address + start, True

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        return self


class _Sizes:
    """Notes how large a graph will be, in a space that is thrown away."""

    keeps_pointers = False
    rules = ("", "")

    def __init__(self, space: AddressSpace, limit: int, root: Waiting | None) -> None:
        self.space = space
        self.limit = limit
        self.root = root
        self.size = 0

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        if not is_root(waiting, self.root):
            self.size = align_up(self.size, ALIGNMENT) + max(size, EMPTY)
        if self.size > self.limit:
            raise RpcError(
                OUT_OF_MEMORY,
                f"the graph takes more than {counted(self.limit, 'byte')}",
                rule="bad-data-rejected",
            )
        return self.space.add_block(size, BlockKind.STACK, fill=0), True

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        return self


def measured(
    reader: Unmarshaller, waiting: Waiting, allocator: StubAllocator, root: Waiting | None = None
) -> int:
    """Return the bytes that one block needs for everything below a pointer: the walk before the one allocation."""
    space = reader.space
    scratch = AddressSpace(space.side, space.pointer_size)
    sizes = _Sizes(scratch, allocator.allowance.left, root)
    reader.rehearse(waiting, scratch, sizes)
    return sizes.size
