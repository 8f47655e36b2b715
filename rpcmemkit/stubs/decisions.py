"""Where a stub puts what a pointer points to: one decision, which the stubs carry out and a contract lists.

Sources: server-stub-memory-management.md, parameter-descriptors.md and pointers-tfs.md; where they leave it open, what
MIDL's format strings say (tests/midl/facts.yaml). Wine and DCE decide a few cases otherwise: see :class:`Reading`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
from rpcmemkit.types import EnumType

BUFFER, ALLOCATED, STUB = "buffer", "allocated", "stub"
"""Where a referent of the server may lie, in the words of :attr:`rpcmemkit.audit.Audit.server_storage`."""

EXISTING, NEW = "storage", "new storage"
"""Where the client stub puts what comes back: into what its pointer pointed to before, or into a new block."""

STACK_LIMIT = 56
"""Bytes of an [out] referent that fit the server interpreter's stack: ServerAllocSize counts 7 times 8 at most."""


class Decision(NamedTuple):
    """Where a referent goes, and by which rule."""

    where: str
    rule: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Whose rules hold where they differ: MIDL's, or those of DCE's stubs (``osf``) or of ``wine``."""

    osf: bool = False
    wine: bool = False


class Above(NamedTuple):
    """What the pointers above a pointer, and the attributes on it, have decided for its referent.

    ``top``: no pointer is above. ``forced``: the rule by which everything is allocated. ``block``: it is a part of one
    block, that of [allocate(all_nodes)].
    """

    top: bool = True
    forced: str = ""
    block: bool = False

    def at(self, pointer: PointerPlan) -> Above:
        """Return what is in force at a pointer, its own attributes included, and below it."""
        return Above(self.top, self.forced or _forcing(pointer), self.block or bool(pointer.type.all_nodes))

    def below(self) -> Above:
        return self._replace(top=False)


TOP, EMBEDDED = Above(), Above(top=False)
"""Where nothing is above, and where something is that has decided nothing."""


def _forcing(pointer: PointerPlan) -> str:
    """Return the rule by which a pointer makes the server stub allocate, whatever it points to."""
    if pointer.type.force_allocate or pointer.type.dont_free:
        return "server-allocates-forced"
    return "object-pointer-allocated" if pointer.is_object else ""


# --- the server -------------------------------------------------------------------------------


def inbound(pointer: PointerPlan, here: Above, reading: Reading) -> Decision:
    """Return where the server stub puts what a pointer points to that came with the request."""
    if isinstance(pointer.target, ContextPlan):
        return Decision(STUB, "context-token-travels")
    if here.block:
        return Decision(ALLOCATED, "all-nodes-one-block")
    if here.forced:
        return Decision(ALLOCATED, here.forced)
    if here.top and not reading.osf and _has_a_cell(pointer, reading):
        return Decision(STUB, "server-stub-stack")
    rule = allocation_rule(pointer.target) or ("osf-stub-environment" if reading.osf else "")
    return Decision(ALLOCATED, rule) if rule else Decision(BUFFER, "server-reuses-buffer")


def provided(pointer: PointerPlan, reading: Reading, *, sized: bool = False) -> Decision:
    """Return where the server stub provides zeroed storage for an [out] parameter; ``sized`` by [byte_count]."""
    if sized:
        return Decision(ALLOCATED, "byte-count-sizes-buffer")
    target = pointer.target
    if isinstance(target, ContextPlan):
        return Decision(STUB, "server-zeroes-out")
    elsewhere = reading.osf or pointer.governs or _too_large(target)
    if isinstance(target, PointerPlan) or not elsewhere:
        return Decision(STUB, "server-stub-stack")
    return Decision(ALLOCATED, "server-zeroes-out")


def _has_a_cell(pointer: PointerPlan, reading: Reading) -> bool:
    """Whether the stub keeps a referent that came in on its stack: a pointer, or a 16-bit enumeration by reference.

    Wine keeps only the pointer behind a reference.
    """
    if isinstance(pointer.target, PointerPlan):
        return pointer.is_ref or not reading.wine
    plain_enum = isinstance(pointer.type.target, EnumType) and not pointer.type.target.v1
    return pointer.is_ref and plain_enum and not reading.wine


def _too_large(plan: Plan) -> bool:
    """Whether [out] storage is not for the stack: an array, one at the end of a structure, or more than the limit."""
    while isinstance(plan, ConvertedPlan):
        plan = plan.presented
    open_end = isinstance(plan, StructPlan) and plan.tail is not None
    return isinstance(plan, ArrayPlan) or open_end or align_up(plan.size, 8) > STACK_LIMIT


def allocation_rule(plan: Plan) -> str:
    """Return the rule that makes the server stub allocate for a referent, or "" if it may stay in the buffer."""
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
    """Return whether a DCE stub provides what a pointer inside zeroed [out] storage points to.

    Source: the DCE runtime, rpc_ss_init_out_ref_ptrs.
    """
    if pointer is holder:
        return pointer.is_ref
    return holder.body is not None and pointer.is_ref and not isinstance(pointer.target, ArrayPlan)


# --- the client -------------------------------------------------------------------------------


def comes_back(pointer: PointerPlan, here: Above, *, held: bool, result: bool = False) -> Decision:
    """Return where the client stub puts what comes back; ``held``: the pointer pointed to storage before.

    What an object pointer held is freed by then. The pointer of a ``result`` is new; one at top level was passed by value.
    """
    if here.block and not (here.top and held):
        return Decision(NEW, "all-nodes-one-block")
    if held and replaces(pointer, here):
        return Decision(NEW, "object-pointer-replaced")
    if held:
        return Decision(EXISTING, "client-overwrites-existing")
    return Decision(NEW, "client-allocates-result" if result and here.top else "client-null-to-new")


def replaces(pointer: PointerPlan, here: Above) -> bool:
    """Return whether the client stub frees what a pointer points to before anything comes back for it.

    It does so for object pointers, but not at top level, where the application's own variable would go on pointing to
    the freed storage.
    """
    return pointer.is_object and not here.top
