"""The arms of a union: labels that are told apart, that the switch type can hold, and one default at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.context import Context, wrapped
from rpcmemkit.idl.declared import Place
from rpcmemkit.idl.findings import Finding
from rpcmemkit.types import Base, EnumType, Opaque, Switched, Type, Union


def discriminates(found: object) -> bool:
    """Whether a type may select the arm of a union: an integer, a character, a boolean or an enum (switch-type.md).

    No hyper: the stubs compare 32 bits (unions-tfs.md), and DCE's grammar takes a primitive integer only.
    """
    if isinstance(found, Base):
        return found.code not in "fd" and found.name != "byte" and found.size <= 4
    return isinstance(found, EnumType)


def switch_type(context: Context, attributes: s.Attributes, place: Place) -> Base | EnumType | None:
    """Return the type that [switch_type] names, if there is one and it can select an arm."""
    attribute = attributes.get("switch_type")
    found = context.type_argument(attribute, place) if attribute is not None else None
    if attribute is None or found is None or (isinstance(found, Opaque) and found.what == "unknown"):
        return None
    if isinstance(found, (Base, EnumType)) and discriminates(found):
        return found
    context.report.add(Finding.BAD_SWITCH_TYPE, place.source, attribute)
    return None


class UntypedUnions:
    """The unions without [switch_type]: what [switch_is] reads says how the discriminant of each use travels.

    compiler-errors.md, MIDL2213.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._defined: dict[int, tuple[Union, Sequence[s.Declaration], Place]] = {}
        self._typed: dict[tuple[int, int], Union] = {}

    def add(self, union: Union, fields: Sequence[s.Declaration], place: Place) -> None:
        """Remember a union that its definition gave no switch type."""
        self._defined[id(union)] = union, fields, place

    def typed(self, switched: Switched, switch: Type) -> bool:
        """Give the union of one use the type of its discriminant; return whether it has one that can select an arm."""
        found = self._defined.get(id(switched.union))
        if found is None:
            return True
        if not (isinstance(switch, (Base, EnumType)) and discriminates(switch)):
            return False
        union, fields, place = found
        key = id(union), id(switch)
        if key not in self._typed:
            arms = [replace(arm) for arm in union.arms]
            typed = self._typed[key] = Union(union.name, switch, arms)
            check_arms(self._context, typed, fields, place)
            extents = self._context.extents
            extents.note(typed, [extents.of(arm.member.type) for arm in arms if arm.member])
        switched.union = self._typed[key]  # uses of one type share it
        return True


def check_arms(
    context: Context, union: Union, fields: Sequence[s.Declaration], place: Place, *, stated: bool = True
) -> None:
    """Check the labels; each becomes the value that a discriminant of the switch type has, once that is ``stated``."""
    low, high = _range(union.switch)
    named = set(union.switch.labels.values()) if isinstance(union.switch, EnumType) else set()
    seen: set[int] = set()
    defaults = 0
    for arm, field_ in zip(union.arms, fields, strict=True):
        if stated:
            for label in arm.labels:
                if not low <= label <= high and label not in named:
                    name = union.switch.name
                    context.report.add(
                        Finding.LABEL_NOT_IN_TYPE, place.source, field_.at, label=label, type=name
                    )
            arm.labels = tuple(_as_held(label, union.switch) for label in arm.labels)
        for label in arm.labels:
            if label in seen:
                context.report.add(Finding.CASE_TWICE, place.source, field_.at, label=label)
            seen.add(label)
        defaults += arm.default
        if arm.default and defaults > 1:
            context.report.add(Finding.SECOND_DEFAULT, place.source, field_.at)


def _range(switch: Base | EnumType) -> tuple[int, int]:
    """Return what a label may be. In 32 bits the sign is a way to write a value, as it is in C; an enum of 16 has none (enum.md)."""
    if isinstance(switch, EnumType) and not switch.v1:
        return 0, 0x7FFF
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
