"""The arms of a union: labels that are told apart, that the switch type can hold, and one default at most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.constants import wrapped
from rpcmemkit.types import Base, EnumType, Union

if TYPE_CHECKING:
    from rpcmemkit.idl.declared import Place
    from rpcmemkit.idl.resolve import Resolver


def discriminates(found: object) -> bool:
    """Whether a type may select the arm of a union: an integer, a character, a boolean or an enum (switch-type.md)."""
    if isinstance(found, Base):
        return found.code not in "fd" and found.name != "byte"
    return isinstance(found, EnumType)


def check_arms(resolver: Resolver, union: Union, fields: Sequence[s.Field], place: Place) -> None:
    """Check the labels; each becomes the value that a discriminant of the switch type has."""
    low, high = _range(union.switch)
    seen: set[int] = set()
    defaults = 0
    for arm, field_ in zip(union.arms, fields, strict=True):
        for label in arm.labels:
            if not low <= label <= high:
                resolver.report.add("IDL224", place.source, field_.at, label=label, type=union.switch.name)
        arm.labels = tuple(_as_held(label, union.switch) for label in arm.labels)
        for label in arm.labels:
            if label in seen:
                resolver.report.add("IDL212", place.source, field_.at, label=label)
            seen.add(label)
        defaults += arm.default
        if arm.default and defaults > 1:
            resolver.report.add("IDL225", place.source, field_.at)


def _range(switch: Base | EnumType) -> tuple[int, int]:
    """Return what a label may be. In 32 bits and more the sign is a way to write a value, as it is in C."""
    size = 4 if isinstance(switch, EnumType) else switch.size
    if isinstance(switch, Base) and size < 4:
        if switch.code == "?":
            return 0, 1
        return (
            (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1)
            if switch.code.islower()
            else (0, (1 << 8 * size) - 1)
        )
    return -(1 << 8 * size - 1), (1 << 8 * size) - 1


def _as_held(label: int, switch: Base | EnumType) -> int:
    return wrapped(label, switch) if isinstance(switch, Base) else label
