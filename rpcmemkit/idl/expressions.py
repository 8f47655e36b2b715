"""C's constant and attribute expressions: a run of tokens becomes a :data:`rpcmemkit.types.Expr`.

Constant parts are folded at once, with C's meaning of division and comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from typing import Any, Protocol

from lark import Token

from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.syntax import Run
from rpcmemkit.idl.terms import depth
from rpcmemkit.types import Binary, Conditional, Const, Expr, Unary

_PRECEDENCE = {
    operator: level
    for level, operators in enumerate(
        ("||", "&&", "|", "^", "&", "== !=", "< > <= >=", "<< >>", "+ -", "* / %"), start=1
    )
    for operator in operators.split()
}
_UNARY = frozenset("*-+~!")
_INTEGERS_ONLY = frozenset(["|", "^", "&", "<<", ">>", "%", "~"])
_DEPTH = 64
_WIDEST = 1 << 64

_FRACTION = re.compile(r"\.|^(?!0[xX])\d+[eE]")


def _divide(a: int, b: int) -> int:
    """C's division: towards zero for integers."""
    if isinstance(a, float) or isinstance(b, float):
        return a / b  # type: ignore[return-value]  # only read_real lets fractions in
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


_FOLD: dict[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a or b)),
    "&&": lambda a, b: int(bool(a and b)),
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "%": lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1),
}
_FOLD_UNARY: dict[str, Callable[[int], int]] = {
    "-": lambda a: -a,
    "+": lambda a: a,
    "~": lambda a: ~a,
    "!": lambda a: int(not a),
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class ExpressionError(Exception):
    """What is wrong with an expression: the finding, the token it is at, and the details of its message."""

    def __init__(self, finding: Finding, token: Token | None, **details: Any) -> None:
        super().__init__(finding.name)
        self.finding = finding
        self.token = token
        self.details = details


class Names(Protocol):
    """What an expression may refer to."""

    def value(self, name: Token) -> Expr:
        """The meaning of a name; raises :class:`ExpressionError` if it has none."""

    def is_type(self, words: str) -> bool:
        """Whether ``words`` name a type, so that parentheses around them make a cast."""

    def size_of(self, words: str) -> int | None:
        """The bytes that the type written as ``words`` takes in memory, or ``None`` if it is no type."""


def read_expression(run: Run, names: Names) -> Expr:
    """The expression that ``run`` spells.

    Raises :class:`ExpressionError`, also for what is nested so deeply that its evaluation might not end well.
    """
    expression = _Reader(run, names).whole()
    if depth(expression) > _DEPTH:
        raise ExpressionError(Finding.TOO_DEEP, run[0], limit=_DEPTH)
    return expression


def read_real(run: Run, names: Names) -> float:
    """The number, possibly with a fraction, that ``run`` spells. Raises :class:`ExpressionError`."""
    expression = _Reader(run, names, real=True).whole()
    if isinstance(expression, Const) and isfinite(expression.value):
        return expression.value
    what = f"{expression.value}" if isinstance(expression, Const) else "what is not constant"
    raise ExpressionError(Finding.NOT_IN_EXPRESSION, run[0], what=what)


def read_constant(run: Run, names: Names) -> int:
    """The number that ``run`` spells. Raises :class:`ExpressionError`, also for what is not constant."""
    expression = read_expression(run, names)
    if isinstance(expression, Const):
        return expression.value
    raise ExpressionError(Finding.NOT_IN_EXPRESSION, run[0], what="what is not constant")


def read_number(token: Token) -> int:
    """An integer literal with C's prefixes and suffixes."""
    text = token.rstrip("uUlL")
    try:
        octal = len(text) > 1 and text[0] == "0" and text.isdigit()
        value = int(text, 8 if octal else 0)
    except ValueError:
        raise ExpressionError(Finding.BAD_NUMBER, token, text=str(token)[:40]) from None
    return _checked(value, token)


def _real(token: Token) -> float:
    try:
        return float(token.rstrip("fFlL"))
    except ValueError:
        raise ExpressionError(Finding.BAD_NUMBER, token, text=str(token)[:40]) from None


def unquote(token: str) -> str:
    """The text of a string or character literal."""
    text = token.removeprefix("L")[1:-1]
    out, characters = [], iter(text)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            character = _ESCAPES.get(escaped, escaped)
        out.append(character)
    return "".join(out)


def fold(operator: str, left: Expr, right: Expr) -> Expr:
    """``left operator right``, computed at once where both sides are constant."""
    return _fold(operator, left, right, None)


def _fold(operator: str, left: Expr, right: Expr, token: Token | None) -> Expr:
    if not (isinstance(left, Const) and isinstance(right, Const)):
        return Binary(operator, left, right)
    if operator in "/%" and right.value == 0:
        raise ExpressionError(Finding.DIVISION_BY_ZERO, token)
    for value in (left.value, right.value) if operator in _INTEGERS_ONLY else ():
        _whole(value, token)
    if operator in ("<<", ">>") and not 0 <= right.value < 64:
        raise ExpressionError(Finding.BAD_NUMBER, token, text=f"{left.value} {operator} {right.value}")
    return Const(_checked(_FOLD[operator](left.value, right.value), token))


def _checked(value: int, token: Token | None) -> int:
    if abs(value) >= _WIDEST and not isinstance(value, float):
        raise ExpressionError(Finding.BAD_NUMBER, token, text=str(token or value))
    return value


def _whole(value: object, token: Token | None, named: str = "") -> None:
    """Refuse a number with a fraction, which only a constant of type float or double may have."""
    if isinstance(value, float):
        raise ExpressionError(Finding.FRACTION, token, what=f"{named}{value}")


class _Reader:
    """Operator precedence, one method per form."""

    def __init__(self, run: Run, names: Names, real: bool = False) -> None:
        self.real = real
        self.run = run
        self.names = names
        self.index = 0
        self.depth = 0

    def whole(self) -> Expr:
        expression = self.expression()
        if self.next is not None:
            raise ExpressionError(Finding.NOT_IN_EXPRESSION, self.next, what=repr(str(self.next)))
        return expression

    @property
    def next(self) -> Token | None:
        return self.run[self.index] if self.index < len(self.run) else None

    def take(self) -> Token:
        token = self.next
        if token is None:
            raise ExpressionError(Finding.INCOMPLETE_EXPRESSION, self.run[-1] if self.run else None)
        self.index += 1
        return token

    def expect(self, text: str) -> None:
        token = self.next
        if token != text:
            raise ExpressionError(
                Finding.NOT_IN_EXPRESSION,
                token or self.run[-1],
                what=repr(str(token)) if token else "the end",
            )
        self.index += 1

    def expression(self) -> Expr:
        test = self.binary(1)
        if self.next != "?":
            return test
        self.take()
        yes = self.deeper(self.expression)
        self.expect(":")
        no = self.deeper(self.expression)
        if isinstance(test, Const):
            return yes if test.value else no
        return Conditional(test, yes, no)

    def deeper(self, method: Callable[[], Expr]) -> Expr:
        """Call ``method`` one level down; chains like ``- - - 1`` have no brackets that the parser could count."""
        self.depth += 1
        if self.depth > _DEPTH:
            raise ExpressionError(Finding.TOO_DEEP, self.next or self.run[-1], limit=_DEPTH)
        result = method()
        self.depth -= 1
        return result

    def binary(self, lowest: int) -> Expr:
        left = self.unary()
        while (token := self.next) is not None and _PRECEDENCE.get(token, 0) >= lowest:
            self.take()
            left = _fold(str(token), left, self.binary(_PRECEDENCE[token] + 1), token)
        return left

    def unary(self) -> Expr:
        token = self.take()
        if token in _UNARY:
            return self.prefixed(str(token), self.deeper(self.unary), token)
        if token == "(":
            return self.parenthesis()
        if token == "sizeof":
            return self.size_of(token)
        return self.literal(token)

    def prefixed(self, operator: str, operand: Expr, token: Token) -> Expr:
        if operator == "*" or not isinstance(operand, Const):
            return Unary(operator, operand)
        if operator in _INTEGERS_ONLY:
            _whole(operand.value, token)
        return Const(_checked(_FOLD_UNARY[operator](operand.value), token))

    def parenthesis(self) -> Expr:
        start = self.index
        words = self.type_words()
        if words is not None and self.names.is_type(words):
            operand = self.deeper(self.unary)
            return operand if isinstance(operand, Const) else Unary("+", operand)  # a cast keeps the value
        self.index = start
        inner = self.deeper(self.expression)
        self.expect(")")
        return inner

    def type_words(self) -> str | None:
        """The words up to the closing parenthesis, if they could be a type."""
        words: list[str] = []
        while (token := self.next) is not None and (
            token.type in ("NAME", "WORD") or (token == "*" and words)
        ):
            words.append(str(self.take()))
        if self.next != ")" or not words:
            return None
        self.take()
        return " ".join(words)

    def size_of(self, token: Token) -> Expr:
        self.expect("(")
        words = self.type_words()
        size = self.names.size_of(words) if words else None
        if size is None:
            raise ExpressionError(Finding.NOT_IN_EXPRESSION, token, what=f"sizeof({words or '…'})")
        return Const(size)

    def allowed(self, found: Expr, token: Token) -> Expr:
        if not self.real and isinstance(found, Const):
            _whole(found.value, token, "" if token.type == "NUMBER" else f"{token} = ")
        return found

    def literal(self, token: Token) -> Expr:
        if token.type == "NAME":
            return self.allowed(self.names.value(token), token)
        if token.type == "NUMBER":
            value = _real(token) if _FRACTION.search(token) else read_number(token)
            return self.allowed(Const(value), token)  # type: ignore[arg-type]
        if token.type == "CHARACTER" and len(text := unquote(token)) == 1:
            return Const(ord(text))
        raise ExpressionError(Finding.NOT_IN_EXPRESSION, token, what=str(token))
