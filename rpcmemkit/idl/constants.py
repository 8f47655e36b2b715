"""What names mean in an expression, and what a constant's value becomes in its type."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from lark import Token

from rpcmemkit.idl.expressions import ExpressionError
from rpcmemkit.types import Array, Base, Const, EnumType, Expr, Name, Type

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
            raise ExpressionError("IDL310", name, name=repr(str(name)), attribute=self.attribute)
        raise ExpressionError("IDL204", name, name=repr(str(name)))

    def is_type(self, words: str) -> bool:
        return words not in self.siblings and self.resolver.type_of(words.rstrip("* ")) is not None

    def size_of(self, words: str) -> int | None:
        if words in self.siblings:
            return None
        if words.endswith("*"):
            return 8 if self.resolver.type_of(words.rstrip("* ")) else None
        return memory_size(self.resolver.type_of(words))


def memory_size(found: Type | None) -> int | None:
    """The octets of a scalar, or of an array of them, in memory; ``None`` for what needs a layout."""
    if isinstance(found, Base):
        return found.size
    if isinstance(found, EnumType):
        return 4
    if isinstance(found, Array) and found.bound is not None:
        size = memory_size(found.element)
        return size and size * found.bound
    return None


def wrapped(value: int, base: Base) -> int:
    """``value`` as the base type holds it: ``const unsigned long ALL = -1``."""
    if base.code == "?":
        return int(bool(value))
    value &= (1 << 8 * base.size) - 1
    signed = base.code.islower()
    return value - (1 << 8 * base.size) if signed and value >> (8 * base.size - 1) else value
