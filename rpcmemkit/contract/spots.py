"""The pointers of a signature: where a type holds them, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rpcmemkit.contract.promises import Parts
from rpcmemkit.ndr.unmarshal import attributes_of
from rpcmemkit.plan import (
    ArrayPlan,
    ConvertedPlan,
    Plan,
    PointerPlan,
    StructPlan,
    UnionPlan,
)
from rpcmemkit.plan.expressions import names_in


class Spot(NamedTuple):
    """A pointer inside a value; ``loose``: the data itself decides whether it is there (a union, a range)."""

    parts: Parts
    plan: PointerPlan
    loose: bool


def spots(plan: Plan, parts: Parts, steady: frozenset[str] = frozenset()) -> Iterator[Spot]:
    """Yield the pointers inside a value of a type, in marshalling order, without following any.

    What only the ``steady`` names decide, which are parameters, is not loose.
    """
    for where, leaf, loose in leaves(plan, parts, False, steady):
        if isinstance(leaf, PointerPlan):
            yield Spot(where, leaf, loose)


def all_pointers(root: Plan) -> Iterator[PointerPlan]:
    """Yield every pointer of a type, also behind other pointers, each once."""
    seen: dict[int, PointerPlan] = {}
    pending = [root]
    while pending:
        for spot in spots(pending.pop(), ()):
            if spot.plan.travels and id(spot.plan) not in seen:
                seen[id(spot.plan)] = spot.plan
                pending.append(spot.plan.target)
                yield spot.plan


def how_many(plan: Plan, known: dict[int, int]) -> int:
    """Count what ``leaves`` would yield, each type once: a type of 20 types, each twice the one before, holds a million."""
    if plan.plain:
        return 0
    if id(plan) not in known:
        if isinstance(plan, ArrayPlan):
            inside = [plan.element]
        elif isinstance(plan, StructPlan):
            inside = [member.plan for member in plan.members]
        elif isinstance(plan, UnionPlan):
            inside = [arm for _, arm in arms(plan)]
        else:
            inside = []
        known[id(plan)] = sum(how_many(part, known) for part in inside) if inside else 1
    return known[id(plan)]


def converted(plan: Plan) -> list[ConvertedPlan]:
    """Return the types inside a value that the application's routines convert."""
    return [leaf for _, leaf, _ in leaves(plan, (), False) if isinstance(leaf, ConvertedPlan)]


def leaves(
    plan: Plan, parts: Parts, loose: bool, steady: frozenset[str] = frozenset()
) -> Iterator[tuple[Parts, Plan, bool]]:
    """Yield what a value consists of that is no array, structure or union, and no base value beside others."""
    if plan.plain:
        return
    if isinstance(plan, ArrayPlan):
        open_end = (plan.varying or plan.size_of is not None) and not _is_steady(plan, steady)
        yield from leaves(plan.element, (*parts, "[]"), loose or open_end, steady)
    elif isinstance(plan, StructPlan):
        for member in plan.members:
            yield from leaves(member.plan, (*parts, member.step), loose)
    elif isinstance(plan, UnionPlan):
        for step, arm in arms(plan):
            yield from leaves(arm, (*parts, step), loose or not _is_steady(plan, steady))
    else:
        yield parts, plan, loose


def _is_steady(plan: ArrayPlan | UnionPlan, steady: frozenset[str]) -> bool:
    names = frozenset().union(*map(names_in, attributes_of(plan)))
    return bool(names) and names <= steady


def arms(plan: UnionPlan) -> Iterator[tuple[str, Plan]]:
    """Yield the part of a path and the plan of every arm that holds something, each once."""
    found = {arm.step: arm.plan for arm in (*plan.arms.values(), plan.default) if arm and arm.plan}
    yield from found.items()
