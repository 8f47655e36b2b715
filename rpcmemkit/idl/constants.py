"""What names mean in an expression, and what a constant's value becomes in its type."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING

from lark import Token

from rpcmemkit.errors import UsageError
from rpcmemkit.idl.expressions import ExpressionError
from rpcmemkit.plan import Planner
from rpcmemkit.types import Array, Base, Const, EncapsulatedUnion, Expr, Name, Struct, Type, Union

if TYPE_CHECKING:
    from rpcmemkit.idl.resolve import Resolver

_DEPTH = 64


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
        found = self.resolver.type_of(words)
        return None if id(found) in self.resolver.scope.incomplete else memory_size(found)


def memory_size(found: Type | None) -> int | None:
    """The octets of a type of fixed size in the memory of a 64-bit program, or ``None``."""
    if found is None or not _is_fixed(found):
        return None
    try:
        return Planner().plan(found).size
    except UsageError:  # void, a function
        return None


def _is_fixed(found: Type) -> bool:
    """Whether no array inside a type is open, and the type is not nested too deeply to be laid out."""
    layer = {id(found): found}
    for _ in range(_DEPTH):
        if any(isinstance(part, Array) and part.conformant for part in layer.values()):
            return False
        layer = {id(inner): inner for part in layer.values() for inner in _inner(part)}
        if not layer:
            return True
    return False


def _inner(found: Type) -> list[Type]:
    if isinstance(found, Array):
        return [found.element]
    if isinstance(found, Struct):
        return [member.type for member in found.members]
    if isinstance(found, EncapsulatedUnion):
        found = found.union
    return [arm.member.type for arm in found.arms if arm.member] if isinstance(found, Union) else []


def wrapped(value: int, base: Base) -> int:
    """``value`` as the base type holds it: ``const unsigned long ALL = -1``."""
    if base.code == "?":
        return int(bool(value))
    value &= (1 << 8 * base.size) - 1
    signed = base.code.islower()
    return value - (1 << 8 * base.size) if signed and value >> (8 * base.size - 1) else value
