"""How deeply types are nested in each other, and how large they are at least: what a stub can walk through is limited."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rpcmemkit.idl.levels import Level
from rpcmemkit.types import Array, Base, Opaque, Pointer, Struct, Switched, Type

DEEPEST = 64  # types in each other, and stars and dimensions of one declaration
SHALLOWER = "put a pointer between two of the types, or have fewer levels of pointers, arrays or conversions"
LARGEST = 0x7FFFFFFF  # elements of an array, and bytes of what is sent
_POINTER = 8


class Extent(NamedTuple):
    """``height`` counts the types inside each other, ``size`` the bytes without padding."""

    height: int
    size: int


_FLAT = Extent(0, 4)
TOO_DEEP = Extent(1 << 30, 4)
"""Of a type that has been reported: what contains it is not reported again."""


class Extents:
    """The extents of structures, unions, conversions and pipes; each is noted when its parts are known."""

    def __init__(self) -> None:
        self.too_deep = Opaque("unknown", "")
        self._known: dict[int, tuple[Type, Extent]] = {id(self.too_deep): (self.too_deep, TOO_DEEP)}

    def of(self, type_: Type) -> Extent:
        """Return the extent of any type. A pointer is flat: what it points to lies elsewhere."""
        height, count, flat = 0, 1, False
        while isinstance(type_, (Array, Pointer)):
            flat = flat or isinstance(type_, Pointer)
            count *= 1 if flat or not isinstance(type_, Array) else type_.bound or 0
            height, type_ = height + 1, type_.element if isinstance(type_, Array) else type_.target
        return self._above(height, count, flat, type_)

    def declared(self, levels: list[Level], base: Type) -> Extent:
        """Return the extent of a type that is written as levels above a base."""
        count, flat = 1, False
        for level in levels:
            flat = flat or level.form != "array"
            count *= 1 if flat else level.bound or 0
        return self._above(len(levels), count, flat, base)

    def _above(self, height: int, count: int, flat: bool, base: Type) -> Extent:
        if flat:
            return Extent(height, count * _POINTER)
        base = base.union if isinstance(base, Switched) else base
        known = self._known.get(id(base))
        inner = known[1] if known else Extent(0, base.size if isinstance(base, Base) else _FLAT.size)
        return Extent(height + inner.height, count * inner.size)

    def note(self, type_: Type, parts: Iterable[Extent]) -> Extent:
        """Remember a type that consists of ``parts``."""
        parts = list(parts) or [_FLAT]
        join = sum if isinstance(type_, Struct) else max
        found = Extent(1 + max(part.height for part in parts), join(part.size for part in parts))
        if found.height > TOO_DEEP.height:
            found = TOO_DEEP
        self._known[id(type_)] = type_, found
        return found
