"""What a typed place in memory shows: one field for every value in it, pointers with what they name.

Long arrays are cut before they are read, so that a field list costs the same for ten elements and for a million.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from rpcmemkit.annotate import quoted, type_name
from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.memory import FREED, NEW, AddressSpace
from rpcmemkit.paths import c_text
from rpcmemkit.plan import (
    ArrayPlan,
    BasePlan,
    ContextPlan,
    ConvertedPlan,
    OpaquePlan,
    PipePlan,
    Plan,
    PointerPlan,
    StructPlan,
    UnionPlan,
)
from rpcmemkit.trace import Path
from rpcmemkit.values import python_scalar, python_text
from rpcmemkit.walk import Place, presented

_REPEATED = re.compile(r"((?:->|\.)\w+|\[\d+\])\1{2,}")
HEAD = 4
"""How many elements of an array are shown before the cut; the last one is shown after it."""
TEXT_LIMIT = 200
"""How many bytes of a text are looked at."""


class Value(NamedTuple):
    """One field of a block as the reader of a picture sees it.

    ``offset`` counts from the start of the part; ``target`` is the address a pointer holds, ``None`` for anything else.
    A field without an offset stands for what was left out, ``stands_for`` says how much.
    """

    offset: int | None
    name: str
    text: str
    target: int | None = None
    type: str = ""
    stands_for: int = 1


def values_of(space: AddressSpace, place: Place, limit: int) -> list[Value]:
    """Return the fields of the value at ``place``: at most about ``limit``, the first ones and the last."""
    values = list(_flatten(space, place))
    if len(values) <= limit:
        return values
    hidden = sum(value.stands_for for value in values[limit - 1 : -1])
    return [*values[: limit - 1], _left_out(hidden, "field"), values[-1]]


def _left_out(count: int, what: str) -> Value:
    return Value(None, "…", f"{count} more {what}{'s' if count > 1 else ''}", stands_for=count)


Item = tuple[str, Place] | Value


def _flatten(space: AddressSpace, place: Place) -> Iterator[Value]:
    pending: list[Item] = [("", place)]
    while pending:
        item = pending.pop()
        if isinstance(item, Value):
            yield item
            continue
        name, here = item
        try:
            found = _open(space, name, here, here.address - place.address)
        except (MemoryFault, RpcError):
            found = [Value(here.address - place.address, name, "not readable")]
        pending += reversed(found)


def _open(space: AddressSpace, name: str, place: Place, offset: int) -> list[Item]:
    """Return the value at ``place``, or the parts it consists of."""
    match place.plan:
        case ConvertedPlan():
            return [(name, presented(place))]
        case PipePlan() as plan:
            return [Value(offset, name or "pipe", "pull, push, alloc, state", None, type_name(plan))]
        case StructPlan() as plan:
            return [(f"{name}.{m.name}" if name else m.name, place.member(m)) for m in plan.members]
        case ArrayPlan() as plan:
            return _array(space, plan, name, place, offset)
        case UnionPlan() as plan:
            return _union(space, plan, name, place, offset)
        case PointerPlan() | OpaquePlan() | ContextPlan() as plan:
            return [_pointer(space, plan, name, place, offset)]
    return [_scalar(space, place.plan, name, place.address, offset)]


def _scalar(space: AddressSpace, plan: Plan, name: str, address: int, offset: int) -> Value:
    assert isinstance(plan, BasePlan)
    raw = space.read(address, plan.size)
    text = _untouched(raw) or _literal(python_scalar(plan, raw))
    return Value(offset, name or type_name(plan), text, None, type_name(plan))


def _untouched(raw: bytes) -> str:
    """Say in words that memory holds only what the heap filled it with."""
    if len(raw) > 1 and raw == bytes((NEW,)) * len(raw):
        return "not set (CD CD)"
    if len(raw) > 1 and raw == bytes((FREED,)) * len(raw):
        return "freed (DD DD)"
    return ""


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value, "'") if isinstance(value, str) and len(value) == 1 else str(value)


def _pointer(
    space: AddressSpace, plan: PointerPlan | OpaquePlan | ContextPlan, name: str, place: Place, offset: int
) -> Value:
    raw = space.read(place.address, space.pointer_size)
    address = int.from_bytes(raw, "little")
    kind = type_name(plan)
    if isinstance(plan, OpaquePlan | ContextPlan):
        return Value(offset, name or kind, "handle" if address else "no handle", None, kind)
    text = _untouched(raw)
    if text or not address:
        return Value(offset, name or "pointer", text or "null", None, kind)
    return Value(offset, name or "pointer", f"{space.lies(address):#x}", address, kind)


def _union(space: AddressSpace, plan: UnionPlan, name: str, place: Place, offset: int) -> list[Item]:
    tag = plan.discriminant(space, place.address, place.scope)
    shown: list[Item] = [Value(offset, name or "union", f"case {tag}", None, type_name(plan))]
    arm = plan.arm(tag)
    if arm is not None and (held := place.arm(plan, arm)):
        shown.append((f"{name}.{arm.name}" if name else arm.name, held))
    return shown


def _array(space: AddressSpace, plan: ArrayPlan, name: str, place: Place, offset: int) -> list[Item]:
    room = space.capacity(place.address) // max(plan.stride, 1)
    open_end = plan.unsized or (plan.is_string and plan.bound is None)
    count = room if open_end else min(plan.count(space, place.scope), room)
    element = plan.element
    is_bytes = isinstance(element, BasePlan) and getattr(element.type, "name", "") == "byte"
    if plan.is_string or plan.is_text or is_bytes:
        return [_text(space, plan, name, place.address, offset, count)]
    if not count:
        return [Value(offset, name or "array", "no elements", None, type_name(plan))]
    return [_element(plan, name, place, index, count) for index in _shown(count)]


def _text(space: AddressSpace, plan: ArrayPlan, name: str, address: int, offset: int, count: int) -> Value:
    size = min(count * plan.stride, TEXT_LIMIT)
    raw = space.read(address, size - size % plan.stride)
    value = python_text(plan, raw)
    text = _untouched(raw) or (_spaced(value["$hex"]) if isinstance(value, dict) else quoted(value))
    return Value(offset, name or type_name(plan), text, None, type_name(plan))


def _spaced(digits: str) -> str:
    return " ".join(digits[i : i + 2] for i in range(0, len(digits), 2)) or "no bytes"


def _shown(count: int) -> list[int]:
    """Return the indices that are shown, -1 for the cut."""
    if count <= HEAD + 2:
        return list(range(count))
    return [*range(HEAD), -1, count - 1]


def _element(plan: ArrayPlan, name: str, place: Place, index: int, count: int) -> Item:
    if index < 0:
        return _left_out(count - HEAD - 1, "element")
    return f"{name}[{index}]", place.element(plan, index)


def brief_path(path: Path | None, limit: int = 28) -> str:
    """Return a path as C writes it, with steps that repeat counted: ``head(->next x3)``."""
    return clip(_REPEATED.sub(_counted, c_text(path, sys.maxsize)), limit)


def _counted(run: re.Match[str]) -> str:
    return f"({run[1]} x{len(run[0]) // len(run[1])})"


def clip(text: str, limit: int) -> str:
    """Return ``text``, with its middle left out where it is longer than ``limit`` characters."""
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    return text[:head] + "…" + text[len(text) - (limit - 1 - head) :]
