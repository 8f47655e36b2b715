"""The pointers of a signature: where a type holds them, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
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


@lru_cache(maxsize=64)
def all_pointers(root: Plan) -> tuple[PointerPlan, ...]:
    """Return every pointer of a type, also behind other pointers, each once."""
    seen: dict[PointerPlan, None] = {}
    pending = [root]
    while pending:
        for spot in spots(pending.pop(), ()):
            if spot.plan.travels and spot.plan not in seen:
                seen[spot.plan] = None
                pending.append(spot.plan.target)
    return tuple(seen)


def how_many(plan: Plan, known: dict[int, int]) -> int:
    """Count what ``leaves`` would yield, each type once: a type of 20 types, each twice the one before, holds a million."""
    if plan.plain:
        return 0
    if id(plan) not in known:
        inside = parts_of(plan)
        known[id(plan)] = sum(how_many(part, known) for _, part in inside) if inside else 1
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
    inside = parts_of(plan)
    if not inside:
        yield parts, plan, loose
    if isinstance(plan, StructPlan):
        steady = frozenset()
    elif isinstance(plan, UnionPlan) or (isinstance(plan, ArrayPlan) and is_counted(plan)):
        loose = loose or not _is_steady(plan, steady)
    for step, part in inside:
        yield from leaves(part, (*parts, step), loose, steady)


def parts_of(plan: Plan) -> list[tuple[str, Plan]]:
    """Return what an array, a structure or a union consists of, each with its step in a path; of a union every arm once."""
    match plan:
        case ArrayPlan():
            return [("[]", plan.element)]
        case StructPlan():
            return [(member.step, member.plan) for member in plan.members]
        case UnionPlan():
            held = {arm.step: arm.plan for arm in (*plan.arms.values(), plan.default) if arm and arm.plan}
            return list(held.items())
    return []


def is_counted(plan: ArrayPlan) -> bool:
    """Whether data decides how many elements of an array there are."""
    return plan.varying or plan.size_of is not None


def _is_steady(plan: ArrayPlan | UnionPlan, steady: frozenset[str]) -> bool:
    names = frozenset().union(*map(names_in, attributes_of(plan)))
    return bool(names) and names <= steady
