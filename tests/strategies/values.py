"""Random values for the types of an interface, as scenario files write them, and what a stub has to make of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from tests.strategies.types import (
    Again,
    Array,
    Enum,
    Interface,
    Pointer,
    Record,
    Scalar,
    Text,
    Type,
    Union,
)

DEPTH = 4
LIMITS = {
    "small": (-128, 127),
    "short": (-(1 << 15), (1 << 15) - 1),
    "long": (-(1 << 31), (1 << 31) - 1),
    "hyper": (-(1 << 63), (1 << 63) - 1),
    "unsigned small": (0, 255),
    "byte": (0, 255),
    "unsigned short": (0, (1 << 16) - 1),
    "unsigned long": (0, (1 << 32) - 1),
    "unsigned hyper": (0, (1 << 64) - 1),
    "error_status_t": (0, (1 << 32) - 1),
    "__int3264": (-(1 << 31), (1 << 31) - 1),
}
LETTERS = "abcdefgh"
OPENED = "opened"
"""The context handle that ``Open`` gives."""
ROOMY = 4096
"""Bytes of a buffer in which whatever is drawn has room."""


@dataclass
class Storage:
    """Storage of the client that other pointers of its type may point to as well."""

    target: Type
    full: bool
    value: Any
    done: bool = False
    named: bool = False


@dataclass
class Values:
    """Draws values. ``shares``: a unique pointer may point where another one does already."""

    draw: Any
    interface: Interface
    shares: bool = False
    labels: bool = False
    depth: int = DEPTH
    prefix: str = "s"
    storage: dict[str, Storage] = field(default_factory=dict)

    def chance(self, of: int) -> bool:
        return self.draw(st.integers(0, of - 1)) == of - 1

    # --- a whole call ---

    def arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for parameter in self.interface.parameters:
            name, type_ = parameter.member.name, parameter.member.type
            if parameter.member.counts:
                found[name] = 0
            elif name in self.interface.buffers:
                found[f"{name}_b"] = self.draw(st.sampled_from((ROOMY, ROOMY, ROOMY, 24, 64)))
                label = self.label(Text(False), True, None)  # a type that nobody shares
                self.storage[label].named = True
                found[name] = {"$label": label, "$value": None}
            elif self.interface.handle and type_ == Pointer("ref", self.interface.handle):
                found[name] = self.handle()
            elif parameter.is_in:
                found[name] = self.value(type_, found, 0)
            else:
                self.room(type_, found)
                if self.chance(4):
                    found[name] = self.value(type_, found, 0, sized=True)
        named = {label for label, each in self.storage.items() if each.named}
        return {name: bared(value, named) for name, value in found.items()}

    def room(self, type_: Type, found: dict[str, Any]) -> None:
        """Choose the sizes of an [out] parameter's storage."""
        target = type_.target if isinstance(type_, Pointer) else type_
        if isinstance(target, Array) and target.size:
            count = self.draw(st.integers(target.size.plus, 3))
            self.set_counts(target, found, count, count)
        elif isinstance(target, Text) and target.size:
            found[target.size.name] = max(self.draw(st.integers(1, 5)) - target.size.plus, 0)

    def handle(self) -> dict[str, Any]:
        """One of the client's context handles: the one that ``Open`` has opened for choice."""
        return {"$context": self.draw(st.sampled_from((OPENED, OPENED, "other")))}

    def label(self, target: Type, full: bool, value: Any) -> str:
        """A new label, of storage that others may point to."""
        label = f"{self.prefix}{len(self.storage)}"
        self.storage[label] = Storage(target, full, value)
        return label

    # --- one value ---

    def value(self, type_: Type, beside: dict[str, Any], depth: int, sized: bool = False) -> Any:
        """A value; ``beside`` are the members or parameters that hold its counts, which are set unless ``sized``."""
        match type_:
            case Scalar(name):
                return self.scalar(name)
            case Enum():
                return self.draw(st.sampled_from([value for _, value in type_.labels]))
            case Text():
                return self.text(type_, beside, sized)
            case Again() | Record():
                return self.record(self.interface.whole(type_), depth)
            case Union():
                return self.union(type_, beside, depth)
            case Pointer():
                return self.pointer(type_, beside, depth, sized)
        return self.array(type_, beside, depth, sized)

    def scalar(self, name: str) -> Any:
        if name in ("double", "float"):
            return self.draw(st.integers(-8, 8)) / 4
        if name == "boolean":
            return self.draw(st.booleans())
        if name in ("char", "wchar_t"):
            return self.draw(st.sampled_from(LETTERS))
        low, high = LIMITS[name]
        near = st.integers(max(low, -3), min(high, 99))
        return self.draw(st.one_of(near, st.sampled_from((low, high))))

    def text(self, type_: Text, beside: dict[str, Any], sized: bool) -> Any:
        if type_.room is not None:
            return LETTERS[: self.draw(st.integers(0, type_.room - 1))]
        if type_.size is None:
            return LETTERS[: self.draw(st.integers(0, 5))]
        if sized:
            room = beside[type_.size.name] + type_.size.plus
        else:
            room = self.draw(st.integers(1, 5))
            beside[type_.size.name] = room - type_.size.plus
        length = self.draw(st.integers(0, max(room - 1, 0)))
        return {"$allocated": max(room, 1), "$elements": LETTERS[:length]}

    def record(self, record: Record, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for member in record.members:
            found[member.name] = 0 if member.counts else self.value(member.type, found, depth)
        return found

    def union(self, union: Union, beside: dict[str, Any], depth: int) -> dict[str, Any]:
        cases = [case for arm in union.arms for case in arm.cases]
        case = self.draw(st.sampled_from([*cases, *([77] if union.default else [])]))
        if not union.encapsulated:
            beside[union.tag] = case
        arm = union.arm(case)
        assert arm is not None
        shown: dict[str, Any] = {"$case": case if case in cases else "default"}
        if union.encapsulated and case not in cases:
            shown["$case"] = case
        if arm.member is not None:
            shown["$value"] = self.value(arm.member.type, {}, depth)
        return shown

    def pointer(self, pointer: Pointer, beside: dict[str, Any], depth: int, sized: bool) -> Any:
        target = pointer.target
        if pointer.kind == "context":
            return {"$context": OPENED}
        may_be_null = pointer.kind != "ref"
        if may_be_null and (depth >= self.depth or self.draw(st.integers(0, 2)) == 0):
            return None
        if isinstance(target, Pointer):
            return self.cell(pointer, target, beside, depth)
        if not self.labels or not isinstance(target, Record | Again | Scalar) or pointer.kind == "ref":
            return self.value(target, beside, depth + 1, sized)
        full = pointer.kind == "ptr"
        if (other := self.other(target, full)) is not None:
            return {"$alias": other}
        label = self.label(target, full, {})
        storage = self.storage[label]
        storage.value = self.value(target, beside, depth + 1, sized)
        storage.done = True
        return {"$label": label, "$value": storage.value}

    def cell(self, pointer: Pointer, target: Pointer, beside: dict[str, Any], depth: int) -> Any:
        """A pointer to a pointer; a label of the outer one says that what follows is about the inner one."""
        inner = self.value(target, beside, depth + 1)
        if inner is not None and not (isinstance(inner, dict) and {"$label", "$alias"} & set(inner)):
            return inner
        if self.labels:
            label = self.label(target, pointer.kind == "ptr", None)
            self.storage[label].named = True
            return {"$label": label, "$value": inner}
        if pointer.kind == "ref":  # a server's values have no labels
            return self.value(replace(target, kind="ref"), beside, depth + 1)
        return None

    def other(self, target: Type, full: bool) -> str | None:
        """The label of storage that a pointer of this kind may share, if it shall."""
        if not full and not self.shares:
            return None
        name = self.interface.whole(target).name
        fit = [
            label
            for label, each in self.storage.items()
            if each.full == full
            and (full or each.done)
            and type(self.interface.whole(each.target)) is type(self.interface.whole(target))
            and self.interface.whole(each.target).name == name
        ]
        if not fit or not self.draw(st.booleans()):
            return None
        chosen = self.draw(st.sampled_from(fit))
        self.storage[chosen].named = True
        return chosen

    # --- arrays ---

    def array(self, array: Array, beside: dict[str, Any], depth: int, sized: bool) -> Any:
        if array.bound is not None:
            count = array.bound
        elif sized:
            count = max(beside[array.size.name] + array.size.plus, 0)
        else:
            count = self.draw(st.integers(array.size.plus, 3))
        length = count
        if array.length and sized:
            length = max(min(beside[array.length.name], count), 0)
        elif array.length:
            length = self.draw(st.integers(0, count))
        if not sized:
            self.set_counts(array, beside, count, length)
        first = beside[array.first.name] if array.first else 0
        elements = [self.value(array.element, {}, depth + 1) for _ in range(min(first + length, count))]
        return (
            {"$allocated": count, "$elements": as_bytes(array, elements)}
            if length < count
            else as_bytes(array, elements)
        )

    def set_counts(self, array: Array, beside: dict[str, Any], count: int, length: int) -> None:
        if array.size:
            beside[array.size.name] = count - array.size.plus
        if array.length:
            beside[array.length.name] = length
        if array.first:
            beside[array.first.name] = self.draw(st.integers(0, count - length))


def as_bytes(array: Array, elements: list[Any]) -> Any:
    """The elements as a scenario file writes them: bytes and narrow characters that are no string as hex."""
    element = array.element
    if not isinstance(element, Scalar) or element.name not in ("byte", "char", "wchar_t"):
        return elements
    if element.name == "wchar_t":
        return "".join(elements)
    return {"$hex": bytes(each if isinstance(each, int) else ord(each) for each in elements).hex()}


# --- what a stub makes of it ------------------------------------------------------------------------


class Received:
    """What arrives of a client's values: full pointers keep what they share, others get storage of their own."""

    def __init__(self, interface: Interface, arguments: dict[str, Any]) -> None:
        self.interface = interface
        self.labelled = dict(_labelled(arguments))
        self.table: set[str] = set()
        self.cells = 0
        self.arguments = arguments

    def expected(self) -> dict[str, Any]:
        """What the routine should see of the [in] parameters."""
        found = {
            p.member.name: self.value(p.member.type, self.arguments[p.member.name], self.arguments)
            for p in self.interface.parameters
            if p.is_in
        }
        told = {name: each for name, each in found.items() if each is not UNTOLD}
        kept = set(labels_in(told))
        return bared(told, kept | set(_cells(told, kept)))

    def value(self, type_: Type, value: Any, beside: dict[str, Any]) -> Any:
        if value is None:
            return None
        if isinstance(value, dict) and "$context" in value:
            return UNTOLD  # what the routines hold is none of the client's business
        match type_:
            case Pointer():
                return self.pointer(type_, value, beside)
            case Again() | Record():
                record = self.interface.whole(type_)
                assert isinstance(record, Record)
                found = {m.name: self.value(m.type, value[m.name], value) for m in record.members}
                return {name: each for name, each in found.items() if each is not UNTOLD}
            case Union():
                arm = type_.arm(beside[type_.tag] if type_.tag else value["$case"])
                assert arm is not None
                case = value["$case"] if arm.cases else "default"
                inside = self.value(arm.member.type, value["$value"], {}) if arm.member else UNTOLD
                return {
                    key: each for key, each in (("$case", case), ("$value", inside)) if each is not UNTOLD
                }
            case Array():
                return self.array(type_, value, beside)
            case Text():
                return value["$elements"] if isinstance(value, dict) else value
        return value

    def pointer(self, pointer: Pointer, value: Any, beside: dict[str, Any]) -> Any:
        label = value.get("$label", value.get("$alias")) if isinstance(value, dict) else None
        if label is None:
            return self.cell(self.value(pointer.target, value, beside))
        if pointer.kind == "ptr" and label in self.table:
            return {"$alias": label}
        if pointer.kind != "ptr":
            return self.cell(self.value(pointer.target, self.labelled[label], beside))
        self.table.add(label)
        return {"$label": label, "$value": self.value(pointer.target, self.labelled[label], beside)}

    def cell(self, found: Any) -> Any:
        """A pointer of its own that leads to a shared one: a label there would be taken for that of what it leads to."""
        if not isinstance(found, dict) or found.keys().isdisjoint(("$alias", "$label")):
            return found
        self.cells += 1
        return {"$label": f"cell{self.cells}", "$value": found}

    def array(self, array: Array, value: Any, beside: dict[str, Any]) -> Any:
        elements = value["$elements"] if isinstance(value, dict) and "$elements" in value else value
        if array.first and beside[array.first.name]:
            return UNTOLD
        if not isinstance(elements, list):
            return elements if elements is value else UNTOLD
        inside = [self.value(array.element, each, {}) for each in elements]
        return UNTOLD if any(each is UNTOLD for each in inside) else inside


def _cells(value: Any, kept: set[str]) -> Iterator[str]:
    """Yield the labels of pointers that lead to shared storage: without them its label would be taken for theirs."""
    for label, inner in _labelled(value):
        if isinstance(inner, dict) and ("$alias" in inner or inner.get("$label") in kept):
            yield label


def bared(value: Any, kept: set[str]) -> Any:
    """A value without the labels that are not kept."""
    if isinstance(value, list):
        return [bared(each, kept) for each in value]
    if not isinstance(value, dict):
        return value
    if "$label" in value and value["$label"] not in kept:
        return bared(value["$value"], kept)
    return {key: bared(each, kept) for key, each in value.items()}


def labels_in(value: Any, key: str = "$alias") -> Iterator[str]:
    """Yield the labels under a key of a value, as often as they occur."""
    if isinstance(value, list):
        for each in value:
            yield from labels_in(each, key)
    elif isinstance(value, dict):
        if key in value:
            yield value[key]
        for each in value.values():
            yield from labels_in(each, key)


UNTOLD: Any = object()
"""What lies before the first transmitted element is nobody's business."""


def _labelled(value: Any) -> Any:
    """Yield every label in a value with what it stands for."""
    if isinstance(value, list):
        for each in value:
            yield from _labelled(each)
    elif isinstance(value, dict):
        if "$label" in value:
            yield value["$label"], value["$value"]
        for each in value.values():
            yield from _labelled(each)
