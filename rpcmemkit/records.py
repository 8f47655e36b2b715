"""Values as maps and lists, however deep: a list of a million nodes is as many maps inside one another.

Python's own ``repr`` and ``==`` recurse, and end in a RecursionError at about a thousand. These do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

LEVELS = 64  # that are written out
PARTS = 2000  # values that are written out


def equal(one: object, other: object) -> bool:
    """Return whether two values are equal: maps and lists by what is in them, which may lead back to them."""
    pending: list[tuple[Any, Any]] = [(one, other)]
    met: set[tuple[int, int]] = set()
    while pending:
        left, right = pending.pop()
        maps = isinstance(left, Mapping) and isinstance(right, Mapping)
        if maps or (isinstance(left, list) and isinstance(right, list)):
            if len(left) != len(right) or (maps and left.keys() != right.keys()):
                return False
            if (id(left), id(right)) not in met:
                met.add((id(left), id(right)))
                pending += (
                    [(left[key], right[key]) for key in left] if maps else zip(left, right, strict=True)
                )
        elif left != right:
            return False
    return True


TEXT, END = -1, -2  # on the stack of shown, instead of a level


def shown(value: object) -> str:
    """Return what ``repr`` would, of a value that is not deep and not large; of others the beginning."""
    out: list[str] = []
    left = PARTS
    stack: list[tuple[Any, int]] = [(value, 0)]
    while stack:
        item, level = stack.pop()
        if level == END or (level == TEXT and left > 0):
            out.append(item)
        elif level >= 0 and left > 0:
            left -= 1
            if not isinstance(item, dict | list):
                out.append(repr(item))
                continue
            opening, closing = "{}" if isinstance(item, dict) else "[]"
            if level >= LEVELS and item:
                item, closing = (), "…" + closing
            out.append(opening)
            stack.append((closing, END))
            stack += reversed(_parts(item, level + 1, left))
            if not left:
                stack.append(("…", END))
    return "".join(out)


def _parts(item: Any, level: int, most: int) -> list[tuple[Any, int]]:
    """Return what is written of a map or a list: its values, and the texts between them."""
    parts: list[tuple[Any, int]] = []
    named = isinstance(item, dict)
    for key in islice(item, most):
        if parts:
            parts.append((", ", TEXT))
        if named:
            parts.append((f"{key!r}: ", TEXT))
        parts.append((item[key] if named else key, level))
    if len(item) > most:
        parts.append((", …" if parts else "…", END))
    return parts


class Record(dict[str, Any]):
    """A map of members, which may be deep."""

    __hash__ = None

    def __repr__(self) -> str:
        return shown(self)

    def __eq__(self, other: object) -> bool:
        return equal(self, other) if isinstance(other, Mapping) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return not equal(self, other) if isinstance(other, Mapping) else NotImplemented

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Be written as IPython writes a map, if that is possible."""
        text = shown(self)
        if "…" in text or text.count("{") > LEVELS:
            printer.text(text)
        else:
            printer.pretty(dict(self))
