"""Plans: what stubs need to know of a type, compiled once."""

from rpcmemkit.plan.compile import NDR20, NDR64, SYNTAXES, Planner, Syntax, align_up, compile_lazily
from rpcmemkit.plan.expressions import names_in
from rpcmemkit.plan.levels import (
    ArmPlan,
    ArrayPlan,
    BasePlan,
    Body,
    ContextPlan,
    ConvertedPlan,
    Evaluate,
    Field,
    MemberPlan,
    OpaquePlan,
    PipePlan,
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
    "ContextPlan",
    "ConvertedPlan",
    "Evaluate",
    "Field",
    "MemberPlan",
    "OpaquePlan",
    "PipePlan",
    "Plan",
    "Planner",
    "PointerPlan",
    "Slot",
    "StructPlan",
    "Syntax",
    "UnionPlan",
    "align_up",
    "compile_lazily",
    "names_in",
]
