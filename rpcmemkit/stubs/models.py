"""The memory models: where a stub puts what it unmarshals (memory-management-models.md).

A model is a :class:`~rpcmemkit.ndr.Storage`, a strategy over the same plan and the same trace. Each stub begins node
by node; [allocate], [force_allocate] and [byte_count] put another model in force for everything below one pointer.
"""

from __future__ import annotations

from rpcmemkit.errors import RpcError, counted
from rpcmemkit.memory import ALIGNMENT, AddressSpace, Part
from rpcmemkit.ndr import FullPointers, Shape, Storage, Unmarshaller, Waiting, existing_string_length
from rpcmemkit.paths import c_text
from rpcmemkit.plan import (
    ArrayPlan,
    BasePlan,
    ContextPlan,
    ConvertedPlan,
    Plan,
    PointerPlan,
    StructPlan,
    UnionPlan,
    align_up,
)
from rpcmemkit.program import Program, StubAllocator
from rpcmemkit.status import BAD_STUB_DATA, BYTE_COUNT_TOO_SMALL, OUT_OF_MEMORY
from rpcmemkit.trace import Path


def allocation_rule(pointer: PointerPlan) -> str:
    """Return the id of the rule that makes the server stub allocate for a referent, or "" if it may stay in the buffer.

    Source: server-stub-memory-management.md, "Memory Allocation for Inbound Data".
    """
    if pointer.governs:
        return "server-allocates-forced"
    plan = pointer.target
    if plan.reusable:
        return ""
    if isinstance(plan, ConvertedPlan):
        return "from-xmit-fills-root"
    if isinstance(plan, ArrayPlan):
        return _array_rule(plan)
    if isinstance(plan, UnionPlan):
        return "server-allocates-union"
    if isinstance(plan, BasePlan):
        return "server-allocates-resized-type"
    if isinstance(plan, PointerPlan) or (isinstance(plan, StructPlan) and _pointers_widen(plan)):
        return "server-allocates-widened-pointer"
    return "server-allocates-complex"


def input_rule(pointer: PointerPlan, reuse: bool) -> str:
    """As :func:`allocation_rule`, for a stub that may leave nothing in the buffer if not ``reuse`` (DCE)."""
    return allocation_rule(pointer) or ("" if reuse else "osf-stub-environment")


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


def dce_provides(holder: Plan, pointer: PointerPlan) -> bool:
    """Return whether a DCE stub provides what a pointer inside zeroed [out] storage names.

    Source: the DCE runtime, rpc_ss_init_out_ref_ptrs.
    """
    if pointer is holder:
        return pointer.is_ref
    return holder.body is not None and pointer.is_ref and not isinstance(pointer.target, ArrayPlan)


# --- node by node -----------------------------------------------------------------------------


class ServerNodes:
    """Leaves referents in the receive buffer where it can and allocates for the others, one by one.

    ``blocks`` are the graphs and buffers that were allocated as one block: one call frees each, for the reason given,
    or none does (dont_free, an empty reason).
    """

    keeps_pointers = False
    rules = ("server-rebuilds-input", "server-rebuilds-input")

    def __init__(self, program: Program, buffer: int, size: int, reuse: bool) -> None:
        self.program = program
        self.buffer = buffer
        self.reuse = reuse
        self.allocator = StubAllocator(program, size)
        self.blocks: dict[int, str] = {}
        self.handles: list[int] = []
        """What [in, out] context handles lie in: memory of the stub's own."""
        self._rules: dict[PointerPlan, str] = {}
        self._parts = program.space.divide(buffer) if reuse else []

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        plan = waiting.plan
        if isinstance(plan.target, ContextPlan):
            self.handles.append(self.program.space.add_block(size, "stack", fill=0))
            return self.handles[-1], True
        rule = self._rules.get(plan)
        if rule is None:
            rule = input_rule(plan, self.reuse)
            self._rules[plan] = rule
        if not rule:
            address = self.buffer + position
            if not size:
                address -= 1  # nothing lies there: the end of its count tells it from the next referent
            self._parts.append((address, size, waiting.path))
            self.program.trace.raw.append(
                ("reuse", "server", "stub", address, size, "server-reuses-buffer", waiting.path)
            )
            return address, False
        return self.allocator.allocate(size, rule), True

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        if not waiting.plan.type.all_nodes:
            return ServerForced(self)
        size = measured(reader, waiting, self.allocator)
        address = self.allocator.allocate(size, "all-nodes-one-block")
        self.blocks[address] = "" if waiting.plan.type.dont_free else "all-nodes-one-block"
        return OneBlock(address, size, self.rules, parts=reader.space.divide(address))


class ServerForced:
    """Allocates for every referent: below [force_allocate], and below what outlives the call (dont_free)."""

    keeps_pointers = False
    rules = ServerNodes.rules

    def __init__(self, outer: ServerNodes) -> None:
        self.outer = outer

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        return self.outer.allocator.allocate(size, "server-allocates-forced"), True

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        return self.outer.below(waiting, reader) if waiting.plan.type.all_nodes else self


class ClientNodes:
    """Writes over the storage that the application has, and allocates what it has not, one by one."""

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

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        """[allocate(all_nodes)]: a new block each time, whatever the pointer named before (allocate.md).

        A top-level pointer was passed by value: its own referent stays, what hangs below it is new.
        """
        if not waiting.plan.type.all_nodes:
            return self
        by_value = waiting.existing if waiting.path and waiting.path[0] is None else 0
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
    why = f"the data takes {counted(needed, 'octet')} or more, the buffer has {room}"
    return RpcError(BYTE_COUNT_TOO_SMALL, why, path=c_text(path), rule="byte-count-too-small")


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
        parts: list[Part] | None = None,
    ) -> None:
        self.address = address
        self.size = size
        self.rules = rules
        self.root = root
        self.parts = [] if parts is None else parts
        self.used = 0

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        if is_root(waiting, self.root):
            return waiting.existing, False
        start = align_up(self.used, ALIGNMENT)
        self.used = start + size
        if self.used > self.size:
            raise buffer_too_small(self.used, self.size, waiting.path)
        self.used = min(start + max(size, EMPTY), self.size)
        self.parts.append((self.address + start, size, waiting.path))
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
                f"the graph takes more than {counted(self.limit, 'octet')}",
                rule="bad-data-rejected",
            )
        return self.space.add_block(size, "stack", fill=0), True

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        return self


def measured(
    reader: Unmarshaller, waiting: Waiting, allocator: StubAllocator, root: Waiting | None = None
) -> int:
    """Return the octets that one block needs for everything below a pointer: the walk before the one allocation."""
    space = reader.space
    scratch = AddressSpace(space.side, space.pointer_size)
    sizes = _Sizes(scratch, allocator.allowance.left, root)
    reader.rehearse(waiting, scratch, sizes)
    return sizes.size
