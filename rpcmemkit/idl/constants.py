"""What names mean in an expression, and what a constant's value becomes in its type."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from lark import Token

from rpcmemkit.errors import UsageError
from rpcmemkit.idl.expressions import ExpressionError
from rpcmemkit.idl.extents import TOO_DEEP
from rpcmemkit.idl.findings import Finding
from rpcmemkit.plan import ArrayPlan, Planner, StructPlan
from rpcmemkit.types import Base, Const, Expr, Name, Type

if TYPE_CHECKING:
    from rpcmemkit.idl.resolve import Resolver


class VisibleNames:
    """The names an expression may use: constants, and the parameters or members beside it."""

    def __init__(self, resolver: Resolver, siblings: Container[str], attribute: str = "") -> None:
        self.resolver = resolver
        self.siblings = siblings
        self.attribute = attribute

    def value(self, name: Token) -> Expr:
        if name in self.siblings:
            return Name(str(name))
        known = self.resolver.scope.constants.get(str(name))
        if isinstance(known, (int, float)):
            return Const(known)  # type: ignore[arg-type]  # a fraction only reaches read_real
        if self.attribute:
            raise ExpressionError(
                Finding.UNKNOWN_IN_ATTRIBUTE, name, name=repr(str(name)), attribute=self.attribute
            )
        raise ExpressionError(Finding.UNKNOWN_NAME, name, name=repr(str(name)))

    def is_type(self, words: str) -> bool:
        return words not in self.siblings and self.resolver.type_of(words.rstrip("* ")) is not None

    def size_of(self, words: str) -> int | None:
        if words in self.siblings:
            return None
        if words.endswith("*"):
            return 8 if self.resolver.type_of(words.rstrip("* ")) else None
        found = self.resolver.type_of(words)
        if found is not None and self.resolver.extents.of(found) == TOO_DEEP:
            return 0  # which has been reported
        return None if id(found) in self.resolver.scope.incomplete else self.resolver.sizes.of(found)


class Sizes:
    """What ``sizeof`` says. Layouts are remembered, and the types with them: a plan is found by the id of its type."""

    def __init__(self) -> None:
        self._planner = Planner()
        self._asked: list[Type] = []

    def of(self, found: Type | None) -> int | None:
        """Return the bytes of a type of fixed size in the memory of a 64-bit program, or ``None``."""
        if found is None:
            return None
        self._asked.append(found)
        try:
            plan = self._planner.plan(found)
        except UsageError:  # void, a function
            return None
        open_ = isinstance(plan, ArrayPlan) and plan.conformant
        return None if open_ or (isinstance(plan, StructPlan) and plan.tail) else plan.size


def wrapped(value: int, base: Base) -> int:
    """``value`` as the base type holds it: ``const unsigned long ALL = -1``."""
    if base.code == "?":
        return int(bool(value))
    value &= (1 << 8 * base.size) - 1
    signed = base.code.islower()
    return value - (1 << 8 * base.size) if signed and value >> (8 * base.size - 1) else value
