"""What callers give: every check says in the same words what was given and what is expected.

Each function returns its value, or raises :class:`~rpcmemkit.errors.UsageError`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

from rpcmemkit.errors import UsageError

Value = TypeVar("Value")
SHOWN = 60  # characters of a value


def wrong(what: str, value: object, expected: str) -> UsageError:
    """Return the error for a value that is not what is expected."""
    shown = repr(value)
    shown = shown if len(shown) < SHOWN else shown[: SHOWN - 3] + "…"
    return UsageError(f"{what}: expected {expected}, got {shown}")


def instance(what: str, value: object, type_: type[Value], expected: str) -> Value:
    """Return a value of a type; ``expected`` says in words which."""
    if not isinstance(value, type_):
        raise wrong(what, value, expected)
    return value


def number(
    what: str, value: object, expected: str = "a number", least: int = 0, most: int | None = None
) -> int:
    """Return a whole number from ``least`` to ``most``, both included; ``True`` is none."""
    if type(value) is not int or value < least or (most is not None and value > most):
        raise wrong(what, value, f"{expected}, {least} or more" if most is None else expected)
    return value


def one_of(what: str, value: object, allowed: Collection[object]) -> None:
    """Check that a value is among those allowed."""
    if not any(type(value) is type(each) and value == each for each in allowed):
        raise UsageError(f"{what} is {value!r}; it can be {' or '.join(map(repr, allowed))}")


def known(what: str, name: object, names: Collection[str]) -> None:
    """Check that a name is among those that there are."""
    if not isinstance(name, str) or name not in names:
        raise UsageError(f"{what} {name!r} is not there{meant(name, names)}")


def elements(what: str, value: object) -> list[Any]:
    """Return the elements of something that has some; text has none here."""
    if not isinstance(value, Iterable) or isinstance(value, str):
        raise wrong(what, value, "a list of elements")
    return list(value)


def function(what: str, value: object, parameters: Sequence[str] = ()) -> Callable[..., Any]:
    """Return a function that takes as many arguments as there are ``parameters``; without any, however many it takes."""
    expected = f"a function of ({', '.join(parameters)})" if parameters else "a function"
    if not callable(value):
        raise wrong(what, value, expected)
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # a function written in C need not say what it takes
        return value
    try:
        if parameters:
            signature.bind(*parameters)
    except TypeError:
        raise UsageError(f"{what}: expected {expected}, got one of {signature}") from None
    return value


def meant(name: object, known: Iterable[str], lead: str = "there are:") -> str:
    """Return a hint for a name that is unknown: the one that was meant, or all there are."""
    names = list(known)
    return "; " + hint(name, names, f"{lead} {', '.join(names) or 'none'}")


def hint(name: object, known: Iterable[str], otherwise: str, form: str = "{}") -> str:
    """Ask whether another name was meant, or say what else to do; one with the same last word goes first."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), 3) if isinstance(name, str) else []
    last = str(name).rpartition("_")[2]  # as in server_leaked
    found = min(close, key=lambda each: each.rpartition("_")[2] != last, default="")
    return f"did you mean {form.format(found)}?" if found else otherwise
