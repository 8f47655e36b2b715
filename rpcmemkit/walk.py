"""Walking typed memory: which pointers a value holds, and what can be reached from it.

Clean-up, audits and pictures all walk here. The walk is iterative and bounded by what memory holds: a size that is
negative, or larger than the block behind it, yields the elements that are there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeAlias

from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.plan import (
    ArmPlan,
    ArrayPlan,
    Body,
    ContextPlan,
    ConvertedPlan,
    MemberPlan,
    Plan,
    PointerPlan,
    StructPlan,
    UnionPlan,
)
from rpcmemkit.plan.generated import graph_of
from rpcmemkit.plan.graphs import ODD
from rpcmemkit.trace import Path, recording


class Place(NamedTuple):
    """A typed place in memory: what a C programmer would call an lvalue.

    ``scope`` is the structure (or frame) in which its size expressions find their names.
    """

    plan: Plan
    address: int
    scope: int
    path: Path | None

    def member(self, member: MemberPlan) -> Place:
        """Return the place of a member of the structure that lies here."""
        _, address, _, path = self
        return _NEW(Place, (member.plan, address + member.offset, address, (path, member.step)))

    def element(self, plan: ArrayPlan, index: int) -> Place:
        """Return the place of an element of the array that lies here, of which this is the plan."""
        _, address, scope, path = self
        return _NEW(Place, (plan.element, address + index * plan.stride, scope, (path, f"[{index}]")))

    def arm(self, plan: UnionPlan, arm: ArmPlan | None) -> Place | None:
        """Return the place of an arm of the union that lies here; ``None`` if there is nothing in the arm."""
        if arm is None or arm.plan is None:
            return None
        return Place(arm.plan, self.address + plan.arms_offset, self.scope, (self.path, arm.step))


_NEW = tuple.__new__  # makes a place from its parts, twice as fast as Place(…)


def storage_path(place: Place) -> Path | None:
    """Return the path of the pointer that leads to a place: the cell of ``T **pp`` is ``pp``, what it names ``*pp``."""
    path = place.path
    cell = isinstance(place.plan, PointerPlan) and path is not None and path[1] == "*"
    return path[0] if cell and path is not None else path


def range_at(space: AddressSpace, plan: ArrayPlan, place: Place) -> tuple[int, int]:
    """Return the first element in range and how many there are, as far as the storage goes."""
    room = space.capacity(place.address) // max(plan.stride, 1)
    try:
        if plan.is_string:
            count = plan.bound if plan.bound is not None else room
            return 0, min(count, room)
        count = room if plan.unsized else plan.count(space, place.scope)
        first, length = plan.range(space, place.scope, count)
    except (RpcError, MemoryFault):
        return 0, 0
    return first, max(min(length, room - first), 0)


def presented(place: Place) -> Place:
    """Return the place as the application sees it: a converted type as what is presented of it."""
    while isinstance(place.plan, ConvertedPlan):
        place = place._replace(plan=place.plan.presented)
    return place


def pointers_in(space: AddressSpace, place: Place, converted: list[Place] | None = None) -> list[Place]:
    """Return the places of the pointers inside a value, in marshalling order, without following any.

    Converted values are as the application sees them; with a list ``converted`` they are put there and not looked into.
    """
    found: list[Place] = []
    pending = [place]
    while pending:
        here = pending.pop()
        plan, address, scope, path = here
        if plan.body is not None:
            for slot in plan.body.slots:
                within = scope if slot.scope is None else address + slot.scope
                where = (path, slot.name) if slot.name else path
                found.append(_NEW(Place, (slot.plan, address + slot.offset, within, where)))
        elif not isinstance(plan, ConvertedPlan):
            pending += _parts(space, here)
        elif converted is None:
            pending.append(presented(here))
        else:
            converted.append(here)
    return found


def _parts(space: AddressSpace, place: Place) -> list[Place]:
    """Return the parts of a value that is not flat, the last one first."""
    plan = place.plan
    if isinstance(plan, StructPlan):
        return [place.member(member) for member in reversed(plan.members)]
    if isinstance(plan, ArrayPlan):
        return _elements(space, plan, place)
    return _arm(space, plan, place) if isinstance(plan, UnionPlan) else []


def contexts_in(space: AddressSpace, roots: Iterable[Place]) -> Iterator[Place]:
    """Yield the places of the context handles that can be reached from the values at ``roots``."""
    places = list(roots)
    pending = [*places, *reach(space, places).values()]
    pending.reverse()
    while pending:
        place = pending.pop()
        if not isinstance(place.plan, ContextPlan):
            pending += _parts(space, place) if place.plan.body is None else []
        elif space.capacity(place.address) >= place.plan.size:
            yield place


def _elements(space: AddressSpace, plan: ArrayPlan, place: Place) -> list[Place]:
    element = plan.element
    if element.body is not None and not element.body.slots:
        return []
    first, length = range_at(space, plan, place)
    return [place.element(plan, index) for index in reversed(range(first, first + length))]


def _arm(space: AddressSpace, plan: UnionPlan, place: Place) -> list[Place]:
    try:
        held = place.arm(plan, plan.arm(plan.discriminant(space, place.address, place.scope)))
    except (RpcError, MemoryFault):
        return []
    return [held] if held else []


def referent(space: AddressSpace, pointer: Place) -> Place | None:
    """Return the place a pointer names, or ``None`` for a null pointer."""
    assert isinstance(pointer.plan, PointerPlan)
    address = space.pointer_at(pointer.address)
    if not address:
        return None
    target = pointer.plan.target
    path = (pointer.path, "*") if isinstance(target, PointerPlan) and pointer.path else pointer.path
    return presented(Place(target, address, pointer.scope, path))


def found_whole(
    space: AddressSpace, pointer: PointerPlan, address: int, scope: int, near: int = 0, *, live: bool = False
) -> list[int] | None:
    """Return the addresses of all that a pointer leads to, itself first, the last pointers before the first ones.

    They are found in one go; ``None`` if that cannot be: it is no plain graph, or there is something odd in it. ``near`` is
    where the pointer lies, with ``live`` what holds no pointers has to be live, too, and nothing freed for later.
    """
    graph = graph_of(pointer)
    if graph is None or (live and space.ledger.marked):  # what is freed for later can still be read
        return None
    try:
        with space.unnoted():
            data, base = space.window(min(address, near or address))
            met, extents = graph.find(space, data, base, address, scope, len(space.ledger) + 1)
            if live and space.ledger.marked and any(map(space.is_marked, met)):
                return None
            if live and not isinstance(extents, int):
                extents = [each or 1 for each in extents]
            return met if min(met) >= base and space.holds(met, extents) else None
    except ODD:
        return None


def reached_whole(space: AddressSpace, roots: Iterable[Place], *, live: bool = False) -> set[int] | None:
    """Return the addresses of all that can be reached, if that is plain graphs throughout; ``None`` if it is not."""
    reached: set[int] = set()
    for root in roots:
        unlooked: list[Place] = []
        for pointer, address, scope, _ in hops(space, root, unlooked):
            found = found_whole(space, pointer, address, scope, root.address, live=live)
            if found is None:
                return None
            reached.update(found)
        if unlooked:
            return None
    return reached


Hop: TypeAlias = "tuple[PointerPlan, int, int, Path | None]"
"""A non-null pointer on its way to be followed: plan, value, scope, path."""


@recording()
def reach(
    space: AddressSpace,
    roots: Iterable[Place],
    enter: Callable[[PointerPlan], bool] | None = None,
    converted: list[Place] | None = None,
) -> dict[int, Place]:
    """Return every referent that can be reached from the values at ``roots``, by address, depth first.

    ``enter`` says of each pointer whether to follow it. Pointers into memory that is not live are not followed, but
    their targets are in the result. With a list ``converted``, converted values are put there and not looked into.
    Storage that pointers of several types lead to is looked into as each of them, and stays what it was met as first.
    """
    reached: dict[int, Place] = {}
    others: set[tuple[int, int]] = set()
    stack: list[Hop] = []
    for root in roots:
        stack += hops(space, root, converted)
    stack.reverse()
    while stack:
        plan, address, scope, path = stack.pop()
        known = reached.get(address)
        if known is not None and (known.plan is plan.target or (address, id(plan.target)) in others):
            continue
        if enter is not None and not enter(plan):
            continue
        target = plan.target
        if isinstance(target, PointerPlan) and path:
            path = (path, "*")
        place = _NEW(Place, (target, address, scope, path))
        if known is not None:
            others.add((address, id(target)))
        elif isinstance(target, ConvertedPlan) and converted is None:
            others.add((address, id(target)))
            place = reached[address] = presented(place)
        else:
            reached[address] = place
        if target.body is None or target.body.slots:
            found = hops(space, place, converted)
            found.reverse()
            stack += found
    return reached


def hops(space: AddressSpace, place: Place, converted: list[Place] | None) -> list[Hop]:
    """Return the non-null pointers of a value, in order; converted values go to the list, if there is one."""
    body = place.plan.body
    if body is None and isinstance(place.plan, ArrayPlan) and (each := place.plan.element.body) is not None:
        return _hops_of_elements(space, place.plan, each, place)
    if body is None:
        pointers = pointers_in(space, place, converted)
        return [hop for pointer in pointers for hop in hops(space, pointer, converted)]
    address, path = place.address, place.path
    if space.capacity(address) < body.memory.size:
        return []
    at = address - space.base
    values = body.memory_pointers.unpack(space.data[at : at + body.memory_pointers.size])
    found: list[Hop] = []
    for slot, value in zip(body.slots, values):  # noqa: B905 (same length by construction, hot)
        if value:
            within = place.scope if slot.scope is None else address + slot.scope
            found.append((slot.plan, value, within, (path, slot.name) if slot.name else path))
    return found


def _hops_of_elements(space: AddressSpace, plan: ArrayPlan, body: Body, place: Place) -> list[Hop]:
    """As :func:`hops`, for an array of flat elements: most of many may be null, and cost one look."""
    if not body.slots:
        return []
    first, length = range_at(space, plan, place)
    _, address, scope, path = place
    at = address + first * plan.stride
    found: list[Hop] = []
    start, stride = at - space.base, plan.stride
    data = space.data[start : start + length * stride]
    for index in range(length):
        values = body.memory_pointers.unpack_from(data, index * stride)
        if any(values):
            where, base = (path, f"[{first + index}]"), at + index * stride
            for slot, value in zip(body.slots, values):  # noqa: B905 (same length by construction, hot)
                if value:
                    within = scope if slot.scope is None else base + slot.scope
                    found.append((slot.plan, value, within, (where, slot.name) if slot.name else where))
    return found


def all_pointers(space: AddressSpace, roots: Iterable[Place]) -> Iterator[Place]:
    """Yield every pointer that can be reached, null ones too; those in memory that is not live cannot be read."""
    places = list(roots)
    for place in (*places, *reach(space, places).values()):
        if space.capacity(place.address) < max(place.plan.size, 1):
            continue
        if isinstance(place.plan, PointerPlan):
            yield place
        else:
            yield from pointers_in(space, place)
