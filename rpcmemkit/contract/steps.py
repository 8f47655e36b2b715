"""The steps of a free plan: what is owed for each parameter, and for the result."""

from __future__ import annotations

from typing import NamedTuple

from rpcmemkit import types
from rpcmemkit.contract.spots import spots
from rpcmemkit.plan import Plan, PointerPlan


class Step(NamedTuple):
    """What is owed for one parameter, or for the result.

    ``action``: ``free`` (the storage and everything below), ``free below`` (a parameter's own storage is the client's),
    ``free block`` (everything below is one block), ``close`` (a context handle), or ``keep``. ``rule`` says why.
    """

    name: str
    action: str
    rule: str


def step_of(name: str, plan: Plan, parameter: types.Parameter | None) -> Step:
    if _is_context_handle(plan):
        return Step(name, "close", "client-owns")
    if parameter is not None and "byte_count" in parameter.attributes:
        return Step(name, "keep", "byte-count-in-place")
    is_out = parameter is None or parameter.is_out
    if not is_out or next(spots(plan, ()), None) is None:
        return Step(name, "keep", "client-owns")
    if parameter is None:
        return Step(name, "free", "client-owns")
    if isinstance(plan, PointerPlan) and plan.type.all_nodes:
        return Step(name, "free block", "all-nodes-one-block")
    return Step(name, "free below" if holds_pointers(below(plan)) else "keep", "client-owns")


def below(plan: Plan) -> Plan:
    """Return what a parameter's own storage holds: of a pointer, its referent."""
    return plan.target if isinstance(plan, PointerPlan) else plan


def holds_pointers(plan: Plan) -> bool:
    return any(spot.plan.travels for spot in spots(plan, ()))


def _is_context_handle(plan: Plan) -> bool:
    while isinstance(plan, PointerPlan):
        plan = plan.target
    return isinstance(plan.type, types.ContextHandle)
