"""Compiling attribute expressions to functions that read their names from memory."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING

from rpcmemkit.errors import RpcError, UsageError
from rpcmemkit.plan.levels import BasePlan, Evaluate, PointerPlan, StructPlan
from rpcmemkit.status import INVALID_BOUND, NULL_REF_POINTER
from rpcmemkit.types import Binary, Conditional, Const, Expr, Name, Unary

if TYPE_CHECKING:
    from rpcmemkit.memory import AddressSpace
    from rpcmemkit.plan.levels import Plan


def _quotient(left: int, right: int) -> int:
    if right == 0:
        raise RpcError(INVALID_BOUND, "division by zero in an attribute expression")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


_BINARY: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": lambda a, b: a - b * _quotient(a, b),
    "<<": lambda a, b: a << min(max(b, 0), 64),
    ">>": lambda a, b: a >> min(max(b, 0), 64),
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
}
_UNARY: dict[str, Callable[[int], int]] = {
    "+": operator.pos,
    "-": operator.neg,
    "~": operator.invert,
}


def compile_expression(expr: Expr, scope: StructPlan) -> Evaluate:
    """Return a function of (space, scope address) for ``expr``.

    Raises:
        UsageError: a name is not in the scope, or not a number.
    """
    match expr:
        case Const(value):
            return lambda space, base: value
        case Name() | Unary(op="*"):
            return _reader(*_locate(expr, scope))
        case Unary("!", operand):
            denied = _condition(operand, scope)
            return lambda space, base: int(not denied(space, base))
        case Unary(op, operand):
            apply, inner = _UNARY[op], compile_expression(operand, scope)
            return lambda space, base: apply(inner(space, base))
        case Binary("&&", left, right):
            both = _condition(left, scope), _condition(right, scope)
            return lambda space, base: int(all(each(space, base) for each in both))
        case Binary("||", left, right):
            either = _condition(left, scope), _condition(right, scope)
            return lambda space, base: int(any(each(space, base) for each in either))
        case Binary("==" | "!=" as op, left, right):
            compare = _BINARY[op]
            first, second = _condition(left, scope), _condition(right, scope)
            return lambda space, base: compare(first(space, base), second(space, base))
        case Binary(op, left, right):
            combine = _BINARY[op]
            one, two = compile_expression(left, scope), compile_expression(right, scope)
            return lambda space, base: combine(one(space, base), two(space, base))
        case Conditional(test, yes, no):
            tests = _condition(test, scope)
            yields, other = compile_expression(yes, scope), compile_expression(no, scope)
            return lambda space, base: yields(space, base) if tests(space, base) else other(space, base)
    raise UsageError(f"cannot evaluate {expr!r}")


def _condition(expr: Expr, scope: StructPlan) -> Evaluate:
    """Return a function that says whether something holds: of a pointer, whether it is not null."""
    if isinstance(expr, Name) or (isinstance(expr, Unary) and expr.op == "*"):
        offset, stars, plan = _follow(expr, scope)
        if isinstance(plan, PointerPlan):
            return lambda space, base: space.pointer_at(_address(space, base + offset, stars))
    return compile_expression(expr, scope)


def _locate(expr: Expr, scope: StructPlan) -> tuple[int, int, Plan]:
    """Return the member's offset, how many pointers to follow from there, and the plan of the number arrived at."""
    offset, stars, plan = _follow(expr, scope)
    if isinstance(plan, PointerPlan):
        # MIDL also takes `length_is(pLength)` for the number behind the pointer
        plan, stars = plan.target, stars + 1
    if not isinstance(plan, BasePlan):
        raise UsageError(f"the attribute expression names {', '.join(names_in(expr))}, which is not a number")
    return offset, stars, plan


def _follow(expr: Expr, scope: StructPlan) -> tuple[int, int, Plan]:
    """Return the member's offset, how many pointers to follow from there, and the plan arrived at."""
    stars = 0
    while isinstance(expr, Unary) and expr.op == "*":
        stars, expr = stars + 1, expr.operand
    if not isinstance(expr, Name) or expr.name not in scope.by_name:
        raise UsageError(f"the attribute expression names {expr!r}, which is not in scope")
    member = scope.by_name[expr.name]
    plan: Plan = member.plan
    for _ in range(stars):
        if not isinstance(plan, PointerPlan):
            raise UsageError(f"the attribute expression dereferences {expr.name}, which is no pointer")
        plan = plan.target
    return member.offset, stars, plan


def _address(space: AddressSpace, address: int, stars: int) -> int:
    """Return where as many pointers lead."""
    for _ in range(stars):
        address = space.pointer_at(address)
        if not address:
            raise RpcError(
                NULL_REF_POINTER, "an attribute reads through a null pointer", rule="ref-never-null"
            )
    return address


def _reader(offset: int, stars: int, plan: Plan) -> Evaluate:
    assert isinstance(plan, BasePlan)
    unpack, size = plan.value.unpack, plan.size

    def read(space: AddressSpace, base: int) -> int:
        address = _address(space, base + offset, stars) if stars else base + offset
        at = space.check(address, size, "read of a size or discriminant")
        return int(unpack(space.data[at : at + size])[0])

    return read


def names_in(expr: Expr | None) -> frozenset[str]:
    """Return the names an expression reads."""
    match expr:
        case Name(name):
            return frozenset({name})
        case Unary(_, operand):
            return names_in(operand)
        case Binary(_, left, right):
            return names_in(left) | names_in(right)
        case Conditional(test, yes, no):
            return names_in(test) | names_in(yes) | names_in(no)
    return frozenset()
