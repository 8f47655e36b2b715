"""What an attribute expression reads: its names, the stars before them, and which pointers cannot be null there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rpcmemkit.idl.declared import Declared
from rpcmemkit.types import (
    BASES,
    Base,
    Binary,
    Conditional,
    Const,
    EnumType,
    Expr,
    Name,
    Pointer,
    Ranged,
    Type,
    Unary,
)

_NO_EXPR: frozenset[Expr] = frozenset()


class Term(NamedTuple):
    """A name with the stars before it. ``tested``: it only decides; ``cast``: a cast (a unary plus) makes it an integer.

    ``safe`` are the pointers that a condition around the term has found not to be null.
    """

    read: Expr
    other: Declared
    tested: bool
    cast: bool
    safe: frozenset[Expr]

    @property
    def pointers(self) -> list[Expr]:
        """What is dereferenced, from the name outwards."""
        found, part = [], self.read
        while isinstance(part, Unary):
            part = part.operand
            found.append(part)
        return found[::-1]


def terms(expression: Expr, siblings: dict[str, Declared]) -> Iterator[Term]:
    """Yield the names that an expression reads, conditions included."""
    waiting = [(expression, False, False, _NO_EXPR)]
    while waiting:
        part, tested, cast, safe = waiting.pop()
        name = _name_behind(part)
        if name is not None:
            if name in siblings:
                yield Term(part, siblings[name], tested, cast, safe)
            continue
        match part:
            case Conditional(test, yes, no):
                waiting += [
                    (no, tested, cast, safe | _not_null(test, False)),
                    (yes, tested, cast, safe | _not_null(test, True)),
                    (test, True, cast, safe),
                ]
            case Binary("&&" | "||" as op, left, right):
                waiting += [
                    (right, True, cast, safe | _not_null(left, op == "&&")),
                    (left, True, cast, safe),
                ]
            case Unary("!", operand):
                waiting.append((operand, True, cast, safe))
            case Unary(op, operand):
                waiting.append((operand, tested, cast or op == "+", safe))
            case Binary(op, left, right):
                tested = tested or op in ("==", "!=")
                waiting += [(right, tested, cast, safe), (left, tested, cast, safe)]


def discriminant(expression: Expr, siblings: dict[str, Declared]) -> Type | None:
    """Return the type of what selects an arm: of a variable its own, of any other expression long, as in C.

    None of what cannot be an integer, which is reported elsewhere.
    """
    name = _name_behind(expression)
    if name is None:
        return BASES["long"]
    found = siblings[name].type if name in siblings else None
    while isinstance(found, Pointer):
        found = found.target
    found = found.target if isinstance(found, Ranged) else found
    return (
        found if isinstance(found, EnumType) or (isinstance(found, Base) and found.code not in "fd") else None
    )


def names(expression: Expr | None) -> Iterator[str]:
    """Yield the names in an expression."""
    waiting = [expression] if expression is not None else []
    while waiting:
        part = waiting.pop()
        if isinstance(part, Name):
            yield part.name
        waiting.extend(_children(part))


def depth(expression: Expr) -> int:
    """Return how many operators lie above each other."""
    layer, found = [expression], 0
    while layer := [child for part in layer for child in _children(part)]:
        found += 1
    return found


def _children(expression: Expr) -> tuple[Expr, ...]:
    match expression:
        case Binary(_, left, right):
            return (left, right)
        case Conditional(test, yes, no):
            return (test, yes, no)
        case Unary(_, operand):
            return (operand,)
    return ()


def _name_behind(part: Expr) -> str | None:
    while isinstance(part, Unary) and part.op == "*":
        part = part.operand
    return part.name if isinstance(part, Name) else None


def _not_null(test: Expr, truth: bool) -> frozenset[Expr]:
    """Return the pointers that are not null when a condition has this outcome."""
    match test:
        case Unary("!", operand):
            return _not_null(operand, not truth)
        case Unary("+", operand):
            return _not_null(operand, truth)
        case Binary("&&" | "||" as op, left, right):
            one, two = _not_null(left, truth), _not_null(right, truth)
            return one | two if truth == (op == "&&") else one & two
        case Binary("==" | "!=" as op, left, Const(0)) | Binary("==" | "!=" as op, Const(0), left):
            return _not_null(left, truth == (op == "!="))
    return frozenset({test}) if truth and _name_behind(test) is not None else _NO_EXPR
