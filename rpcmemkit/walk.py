"""Walking typed memory: which pointers a value holds, and what can be reached from it.

Clean-up, audits and pictures all walk here. The walk is iterative and bounded by what memory holds: a size that is
negative, or larger than the block behind it, yields the elements that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.plan import ArrayPlan, Plan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.trace import Path


class Place(NamedTuple):
    """A typed place in memory: what a C programmer would call an lvalue.

    ``scope`` is the structure (or frame) in which its size expressions find their names.
    """

    plan: Plan
    address: int
    scope: int
    path: Path | None


def range_at(space: AddressSpace, plan: ArrayPlan, place: Place) -> tuple[int, int]:
    """Return the first element in range and how many there are, as far as the storage goes."""
    room = space.capacity(place.address) // max(plan.stride, 1)
    try:
        if plan.is_string:
            count = plan.bound if plan.bound is not None else room
            return 0, min(count, room)
        count = plan.count(space, place.scope)
        first, length = plan.range(space, place.scope, count)
    except (RpcError, MemoryFault):
        return 0, 0
    return first, max(min(length, room - first), 0)


def pointers_in(space: AddressSpace, place: Place) -> list[Place]:
    """Return the places of the pointers inside a value, in marshalling order, without following any."""
    found: list[Place] = []
    pending = [place]
    while pending:
        here = pending.pop()
        plan, address, scope, path = here
        if plan.body is not None:
            for slot in plan.body.slots:
                within = scope if slot.scope is None else address + slot.scope
                where = (path, slot.name) if slot.name else path
                found.append(Place(slot.plan, address + slot.offset, within, where))
        elif isinstance(plan, StructPlan):
            pending += [
                Place(m.plan, address + m.offset, address, (path, "." + m.name))
                for m in reversed(plan.members)
            ]
        elif isinstance(plan, ArrayPlan):
            pending += _elements(space, plan, here)
        elif isinstance(plan, UnionPlan):
            pending += _arm(space, plan, here)
    return found


def _elements(space: AddressSpace, plan: ArrayPlan, place: Place) -> list[Place]:
    element = plan.element
    if element.body is not None and not element.body.slots:
        return []
    first, length = range_at(space, plan, place)
    return [
        Place(element, place.address + index * plan.stride, place.scope, (place.path, f"[{index}]"))
        for index in reversed(range(first, first + length))
    ]


def _arm(space: AddressSpace, plan: UnionPlan, place: Place) -> list[Place]:
    try:
        arm = plan.arm(plan.discriminant(space, place.address, place.scope))
    except (RpcError, MemoryFault):
        return []
    if arm is None or arm.plan is None:
        return []
    at = place.address + plan.arms_offset
    return [Place(arm.plan, at, place.scope, (place.path, "." + arm.name))]


def referent(space: AddressSpace, pointer: Place) -> Place | None:
    """Return the place a pointer names, or ``None`` for a null pointer."""
    assert isinstance(pointer.plan, PointerPlan)
    address = space.pointer_at(pointer.address)
    if not address:
        return None
    target = pointer.plan.target
    path = (pointer.path, "*") if isinstance(target, PointerPlan) and pointer.path else pointer.path
    return Place(target, address, pointer.scope, path)


Hop: TypeAlias = "tuple[PointerPlan, int, int, Path | None]"
"""A non-null pointer on its way to be followed: plan, value, scope, path."""


def reach(
    space: AddressSpace,
    roots: Iterable[Place],
    enter: Callable[[PointerPlan], bool] | None = None,
) -> dict[int, Place]:
    """Return every referent that can be reached from the values at ``roots``, by address, depth first.

    ``enter`` says of each pointer whether to follow it. Pointers into memory that is not live are not followed, but
    their targets are in the result.
    """
    reached: dict[int, Place] = {}
    stack: list[Hop] = []
    for root in reversed(list(roots)):
        stack += _hops(space, root)
    while stack:
        plan, address, scope, path = stack.pop()
        if address in reached or (enter is not None and not enter(plan)):
            continue
        target = plan.target
        if isinstance(target, PointerPlan) and path:
            path = (path, "*")
        reached[address] = place = Place(target, address, scope, path)
        if target.body is None or target.body.slots:
            stack += _hops(space, place)
    return reached


def _hops(space: AddressSpace, place: Place) -> list[Hop]:
    """Return the non-null pointers of a value, the last one first."""
    body = place.plan.body
    if body is None:
        return [hop for pointer in reversed(pointers_in(space, place)) for hop in _hops(space, pointer)]
    address, path = place.address, place.path
    if space.capacity(address) < body.memory.size:
        return []
    values = body.memory_pointers.unpack_from(space.data, address - space.base)
    hops: list[Hop] = []
    for slot, value in zip(body.slots, values):  # noqa: B905 (same length by construction, hot)
        if value:
            within = place.scope if slot.scope is None else address + slot.scope
            hops.append((slot.plan, value, within, (path, slot.name) if slot.name else path))
    hops.reverse()
    return hops
