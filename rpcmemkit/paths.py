"""Paths into typed memory: ``root.left``, ``names[2].text``, ``*first.next``, ``$global.entry``."""

from __future__ import annotations

import re
from collections.abc import Callable

from rpcmemkit.errors import UsageError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.plan import ArrayPlan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.walk import Place, presented, referent

_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+)\]")
_HEAD = re.compile(r"(\**)(\$global\.)?([A-Za-z_]\w*)")


def resolve(space: AddressSpace, path: str, root: Callable[[str], Place | None]) -> Place:
    """Return the place that a path names; ``.`` and ``[i]`` follow pointers by themselves, ``*`` follows one.

    Raises:
        UsageError: the path is malformed or names nothing.
        MemoryFault: it leads through a pointer that may not be followed.
    """
    head = _HEAD.match(path)
    if head is None:
        raise UsageError(f"{path!r} is not a path: write name.member, name[0] or *name")
    stars, is_global, name = head.groups()
    place = root(("$global." if is_global else "") + name)
    if place is None:
        raise UsageError(f"{path!r}: nothing is called {name!r} here")
    for _ in stars:
        place = follow(space, place, path)
    at = head.end()
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise UsageError(f"{path!r}: cannot read {path[at:]!r}")
        place = _member(space, place, step, path)
        at = step.end()
    return place


def follow(space: AddressSpace, place: Place, path: str) -> Place:
    """Return what the pointer at a place names.

    Raises:
        UsageError: it is no pointer.
        MemoryFault: it is null.
    """
    if not isinstance(place.plan, PointerPlan):
        raise UsageError(f"{path!r}: there is no pointer to follow")
    target = referent(space, place)
    if target is None:
        raise space.fault("null", 0, f"{path}: a null pointer is followed", "routine")
    return target


def value_place(space: AddressSpace, place: Place, path: str) -> Place:
    """Follow pointers from a place until something is no pointer."""
    while isinstance(place.plan, PointerPlan):
        place = follow(space, place, path)
    return place


def _member(space: AddressSpace, place: Place, step: re.Match[str], path: str) -> Place:
    place = value_place(space, place, path)
    name, index = step.groups()
    plan = place.plan
    if index is not None and isinstance(plan, ArrayPlan):
        at = place.address + int(index) * plan.stride
        space.check_step(place.address, at - place.address, plan.stride)
        return presented(Place(plan.element, at, place.scope, (place.path, step.group())))
    if name is not None and isinstance(plan, StructPlan) and name in plan.by_name:
        member = plan.by_name[name]
        inner = Place(member.plan, place.address + member.offset, place.address, (place.path, "." + name))
        return presented(inner)
    if name is not None and isinstance(plan, UnionPlan):
        return _arm(plan, place, name, path)
    raise UsageError(f"{path!r}: nothing is called {step.group()!r} there")


def _arm(plan: UnionPlan, place: Place, name: str, path: str) -> Place:
    if plan.tag_of is None and name == plan.union_name:
        return place
    if plan.tag_of is None and name == plan.tag_name:
        return Place(plan.tag, place.address, place.scope, (place.path, "." + name))
    for arm in (*plan.arms.values(), plan.default):
        if arm is not None and arm.plan is not None and arm.name == name:
            at = place.address + plan.arms_offset
            return presented(Place(arm.plan, at, place.scope, (place.path, "." + name)))
    raise UsageError(f"{path!r}: the union has no arm {name!r}")
