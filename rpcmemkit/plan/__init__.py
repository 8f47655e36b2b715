"""Plans: what stubs need to know of a type, compiled once."""

from rpcmemkit.plan.compile import NDR20, NDR64, SYNTAXES, Planner, Syntax, align_up
from rpcmemkit.plan.expressions import names_in
from rpcmemkit.plan.levels import (
    ArmPlan,
    ArrayPlan,
    BasePlan,
    Body,
    Evaluate,
    Field,
    MemberPlan,
    OpaquePlan,
    Plan,
    PointerPlan,
    Slot,
    StructPlan,
    UnionPlan,
)

__all__ = [
    "NDR20",
    "NDR64",
    "SYNTAXES",
    "ArmPlan",
    "ArrayPlan",
    "BasePlan",
    "Body",
    "Evaluate",
    "Field",
    "MemberPlan",
    "OpaquePlan",
    "Plan",
    "Planner",
    "PointerPlan",
    "Slot",
    "StructPlan",
    "Syntax",
    "UnionPlan",
    "align_up",
    "names_in",
]
