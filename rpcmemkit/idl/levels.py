"""A declared type as a list of levels, from the name outwards, above a base.

``[size_is(n)] LINE *a[]`` has two levels, an array and a pointer, above the structure ``LINE``. A typedef keeps its
levels, so that a use can still decide what the typedef left open: pointer attributes, sizes, strings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rpcmemkit.types import Array, Expr, Opaque, Pointer, PointerKind, Type


@dataclass(slots=True)
class Level:
    """One ``*`` or ``[]``. ``kind`` is the attribute given, ``default`` that of the interface that wrote the ``*``."""

    form: str  # "pointer", "array" or "function"
    bound: int | None = None
    kind: PointerKind | None = None
    default: PointerKind | None = None
    size: Expr | None = None
    length: Expr | None = None
    first: Expr | None = None
    string: bool = False
    count_range: tuple[int, int] | None = None
    flags: frozenset[str] = frozenset()
    """What attributes set to true, by name: the booleans of a :class:`~rpcmemkit.types.Pointer`, and ``unchecked``."""

    @property
    def pointer(self) -> bool:
        return self.form == "pointer"

    @property
    def open_array(self) -> bool:
        """An array whose number of elements nothing tells yet."""
        return self.form == "array" and self.bound is None and self.size is None and not self.string

    @property
    def counted(self) -> bool:
        return self.size is not None or self.length is not None or self.first is not None or self.string


def copies(levels: Iterable[Level]) -> list[Level]:
    """Levels of a typedef for one use of it."""
    return [replace(level) for level in levels]


def assemble(levels: list[Level], base: Type, fallback: PointerKind, *, parameter: bool = False) -> Type:
    """The type that ``levels`` above ``base`` make, with every pointer attribute decided.

    ``parameter`` makes the first level top level: unattributed pointers are [ref] there, and an array becomes a
    pointer (default-pointer-types.md, combining-array-attributes.md).
    """
    result = base
    for index in reversed(range(len(levels))):
        level, top = levels[index], parameter and index == 0
        if level.form == "function":
            result = Opaque("function", "")
        elif level.form == "array":
            result = _array(level, result)
            if top:
                result = _pointer(level, result, level.kind or PointerKind.REF)
        elif not (
            index == len(levels) - 1 and _is_interface(base)
        ):  # an interface is only known by its pointer
            target = _array(level, result) if level.counted else result
            result = _pointer(
                level, target, level.kind or (PointerKind.REF if top else level.default) or fallback
            )
    return result


def _array(level: Level, element: Type) -> Array:
    return Array(
        element,
        bound=level.bound,
        size=level.size,
        length=level.length,
        first=level.first,
        string=level.string,
        count_range=level.count_range,
    )


def _pointer(level: Level, target: Type, kind: PointerKind) -> Pointer:
    flags = dict.fromkeys(level.flags - {"unchecked"}, True)
    return Pointer(target, kind, to_elements=not level.pointer or level.counted, **flags)


def _is_interface(base: Type) -> bool:
    return isinstance(base, Opaque) and base.what == "interface"
