"""Reading typed memory back as plain values, with the identity of storage kept.

Storage that a pointer names appears where it is first met; later pointers to it are ``{"$alias": label}``. On the
client, storage from before the call is ``{"$label": L, "$value": V}`` and new storage ``{"$new": true, "$value": V}``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from struct import iter_unpack
from typing import Any

from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.plan import ArrayPlan, BasePlan, ContextPlan, ConvertedPlan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.plan.generated import graph_of
from rpcmemkit.plan.graphs import ODD
from rpcmemkit.records import Record
from rpcmemkit.trace import recording
from rpcmemkit.types import Base, EnumType
from rpcmemkit.values import Handle, Labels, python_scalar, python_text
from rpcmemkit.walk import Place, pointers_in, presented, referent


class Reader:
    """Reads values of one side at one moment. Without ``labels`` storage is shown bare unless it is aliased."""

    def __init__(self, space: AddressSpace, labels: Labels | None = None) -> None:
        self.space = space
        self.labels = labels
        self._met: dict[int, str] = {}
        self._references: Counter[int] = Counter()
        self._order: dict[int, int] = {}
        self._elsewhere: set[int] = set()
        """What was read in one go."""

    @recording()
    def read(self, places: Mapping[str, Place]) -> dict[str, Any]:
        """Return the values at the given places by name. Memory that cannot be read is ``{"$fault": why}``."""
        whole = self._read_whole(places)
        self._count(place for name, place in places.items() if name not in whole)
        if whole and any(
            times > 1 or address in self._elsewhere for address, times in self._references.items()
        ):
            whole = {}  # what is shared has a name, in the order in which it is met
            self._references.clear()
            self._order.clear()
            self._count(places.values())
        result: dict[str, Any] = Record()
        pending: list[tuple[Place, Any, Any]] = []
        for name, place in places.items():
            result[name] = whole.get(name)
            if name not in whole:
                pending.append((place, result, name))
        pending.reverse()
        while pending:
            place, holder, key = pending.pop()
            try:
                holder[key], more = self._value(place)
            except (MemoryFault, RpcError) as fault:
                holder[key], more = {"$fault": str(fault)}, []
            pending += reversed(more)
        return result

    def _count(self, places: Iterable[Place]) -> None:
        """Count how often each piece of storage is named, and number it in the order it is met."""
        stack = [
            pointer for place in reversed(list(places)) for pointer in reversed(_pointers(self.space, place))
        ]
        while stack:
            try:
                target = referent(self.space, stack.pop())
            except MemoryFault:
                continue
            if target is None or self.space.is_past(target.address):
                continue
            self._references[target.address] += 1
            if self._references[target.address] == 1:
                if self._name(target.address) is None:
                    self._order[target.address] = len(self._order) + 1
                if self.space.capacity(target.address):
                    stack += reversed(_pointers(self.space, target))

    def _value(self, place: Place) -> tuple[Any, list[tuple[Place, Any, Any]]]:
        match place.plan:
            case ConvertedPlan():
                return self._value(presented(place))
            case BasePlan() as plan:
                return python_scalar(plan, self.space.read(place.address, plan.size)), []
            case PointerPlan():
                return self._pointer(place)
            case StructPlan() as plan:
                holder: dict[str, Any] = Record()
                return holder, [(place.member(member), holder, member.name) for member in plan.members]
            case ArrayPlan() as plan:
                return self._array(plan, place)
            case UnionPlan() as plan:
                return self._union(plan, place)
            case ContextPlan():
                return self._context(place), []
        return self.space.pointer_at(place.address), []

    def _context(self, place: Place) -> Any:
        """Return ``None`` for a null handle; an open one has the name of the variable that first held it."""
        record = self.space.pointer_at(place.address)
        if not record or self.labels is None:
            return Handle(place.address) if record else None
        return {"$context": self.labels.name(record) or f"{record:#x}"}

    def _read_whole(self, places: Mapping[str, Place]) -> dict[str, Any]:
        """Return the values of the pointers that lead to plain graphs, read in one go; none if storage is shared."""
        read: dict[str, Any] = {}
        for name, place in places.items() if self.labels is None else ():
            found = self._graph_at(place, read, name)
            if not self._elsewhere.isdisjoint(found) or len(set(found)) != len(found):
                self._elsewhere.clear()
                return {}
            self._elsewhere.update(found)
        return read

    def _graph_at(self, place: Place, holder: dict[str, Any], key: str) -> list[int]:
        """Read all that a pointer leads to; return the addresses, none if it has to be read part by part."""
        graph = graph_of(place.plan) if isinstance(place.plan, PointerPlan) else None
        if graph is None or graph.read is None:
            return []
        space = self.space
        got: dict[str, Any] = {}
        try:
            with space.unnoted():
                address = space.pointer_at(place.address)
                data, base = space.window(min(address, place.address))
                limit = len(space.ledger) + 1
                met, extents = graph.read(
                    space, data, base, address, place.scope, got, key, Record, base_elements, limit
                )
                if min(met) < base or not space.holds(met, extents):
                    return []
        except ODD:
            return []
        holder.update(got)
        return list(met)

    def _pointer(self, place: Place) -> tuple[Any, list[tuple[Place, Any, Any]]]:
        target = referent(self.space, place)
        if target is None:
            return None, []
        if target.address in self._met and not self.space.is_past(target.address):
            return {"$alias": self._met[target.address]}, []
        wrapper = self._wrapper(target.address, target)
        self._met[target.address] = str(wrapper.get("$label", f"unnamed{len(self._met)}"))
        if not wrapper:
            inner, more = self._value(target)
            return inner, more
        return wrapper, [(target, wrapper, "$value")]

    def _name(self, address: int) -> str | None:
        return self.labels.name(address) if self.labels else None

    def _wrapper(self, address: int, target: Place) -> dict[str, Any]:
        """Return what stands around a value: its label, if it is shared or leads to a pointer that has to show one."""
        known = self._name(address)
        if known is not None:
            return Record({"$label": known})
        shared = self._references[address] > 1 or (self.labels is None and self._leads_to_shared(target))
        if self.labels is None:
            return Record({"$label": f"s{self._order[address]}"} if shared else {})
        return Record({"$new": True, "$label": f"fresh{self._order[address]}"} if shared else {"$new": True})

    def _leads_to_shared(self, place: Place) -> bool:
        """Whether a place is a pointer to shared storage: its own label would else be taken for that of the storage."""
        at: Place | None = place
        while at is not None and isinstance(at.plan, PointerPlan):
            at = referent(self.space, at)
            if at is not None and self._references[at.address] > 1:
                return True
        return False

    def _array(self, plan: ArrayPlan, place: Place) -> tuple[Any, list[tuple[Place, Any, Any]]]:
        room = self.space.capacity(place.address) // max(plan.stride, 1)
        if plan.is_string:
            limit = room if plan.bound is None else min(plan.bound, room)
            return python_text(plan, self.space.read(place.address, limit * plan.stride)), []
        count = room if plan.unsized else min(plan.count(self.space, place.scope), room)
        if self.labels is None and plan.varying:
            first, length = plan.range(self.space, place.scope, count)
            if first + length < count:
                holder: dict[str, Any] = Record({"$allocated": count})
                holder["$elements"], more = self._elements(plan, place, first + length)
                return holder, more
        return self._elements(plan, place, count)

    def _elements(
        self, plan: ArrayPlan, place: Place, count: int
    ) -> tuple[Any, list[tuple[Place, Any, Any]]]:
        if isinstance(plan.element, BasePlan):
            return base_elements(plan, self.space.read(place.address, count * plan.stride)), []
        values: list[Any] = [None] * count
        return values, [(place.element(plan, index), values, index) for index in range(count)]

    def _union(self, plan: UnionPlan, place: Place) -> tuple[Any, list[tuple[Place, Any, Any]]]:
        tag = plan.discriminant(self.space, place.address, place.scope)
        held = place.arm(plan, plan.arm(tag))
        holder = Record({"$case": _case(plan, tag) if tag in plan.arms else "default"})
        return holder, [(held, holder, "$value")] if held else []


def base_elements(plan: ArrayPlan, data: bytes) -> Any:
    """Return the value of an array of base type, from its bytes."""
    element = plan.element
    assert isinstance(element, BasePlan)
    is_bytes = isinstance(element.type, Base) and element.type.name == "byte"
    if is_bytes or plan.is_text:
        return python_text(plan, data)
    if isinstance(element.type, Base) and element.type.code != "?":
        return [value for (value,) in iter_unpack(element.value.format, data)]
    size = element.size
    return [python_scalar(element, data[i : i + size]) for i in range(0, len(data), size)]


def _case(plan: UnionPlan, tag: int) -> Any:
    """Return a discriminant as the IDL's case labels write it."""
    type_ = plan.tag.type
    if isinstance(type_, EnumType):
        return next((label for label, value in type_.labels.items() if value == tag), tag)
    return python_scalar(plan.tag, tag.to_bytes(plan.tag.size, "little", signed=tag < 0))


def _pointers(space: AddressSpace, place: Place) -> list[Place]:
    return [place] if isinstance(place.plan, PointerPlan) else pointers_in(space, place)
