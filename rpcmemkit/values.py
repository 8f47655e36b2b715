"""Python values and memory: writing the one into the other, and reading it back.

A value is written as the scenario format has it: numbers, text, lists, maps by member name, ``None`` for a null
pointer, and where a pointer is declared, the value of new storage that the pointer shall name. The special maps
``{"$label": L, "$value": V}``, ``{"$alias": L}``, ``{"$allocated": N, "$elements": [...]}``, ``{"$hex": "00ff"}`` and
``{"$case": SELECTOR, "$value": V}`` mean what they mean there; ``{"$unwritten": true}``, or :data:`UNWRITTEN`, is what new
storage holds that nobody writes. The same dict or list given twice is one piece of
storage: that is how Python says aliasing. ``{"$context": NAME}`` is the client's context handle of that name.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import compress, decompress

from rpcmemkit import given
from rpcmemkit.errors import UsageError, counted
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.ledger import Row
from rpcmemkit.memory import NEW, AddressSpace
from rpcmemkit.paths import c_text, is_cut, path_text
from rpcmemkit.plan import (
    ArrayPlan,
    BasePlan,
    ContextPlan,
    ConvertedPlan,
    Plan,
    PointerPlan,
    StructPlan,
    UnionPlan,
)
from rpcmemkit.plan.generated import graph_of, row_paths
from rpcmemkit.plan.graphs import ODD
from rpcmemkit.trace import Path, recording
from rpcmemkit.types import Base, EnumType
from rpcmemkit.walk import Place, presented


@dataclass(frozen=True)
class Handle:
    """A variable of the client program for a context handle, by its address; as an argument, what it holds then."""

    variable: int

    def __repr__(self) -> str:
        return f"<context handle in the variable at {self.variable:#x}>"


class Labels:
    """The names of a program's storage: given ones, and for the rest the path at which it was first stored.

    Paths are turned into text when somebody asks, so that naming a million nodes costs nothing. No name is ever taken
    back: the labels as they were at a moment are the first so many of these.
    """

    numbered = False
    """Whether storage of a later call with the same path has another name: in a scenario, where it can be spoken of."""

    def __init__(self) -> None:
        self._given: dict[str, tuple[int, int]] = {}
        self._names: dict[int, tuple[int, Path | None, str]] = {}
        self._log: list[int | Sequence[int]] = []
        """The named storage, in order; what was stored in one go is one entry."""
        self._count = 0
        self._rows: list[tuple[int, Sequence[int], Callable[[], list[Path | None]], str]] = []
        """Storage that was stored in one go: its number, its addresses, what makes its paths, its suffix."""
        self._made: tuple[Callable[[], list[Path | None]] | None, list[Path | None]] = None, []
        """The paths of the row that was asked for last."""
        self._index: dict[str, int] = {}
        self._indexed = 0
        self._until: int | None = None
        self._most: int | None = None
        """How many entries of the log, and how much storage, these labels have: of a copy, as many as there were."""
        self._until_given: int | None = None

    def give(self, label: str, address: int) -> None:
        """Name the storage at ``address``.

        Raises:
            UsageError: the label is taken by other storage.
        """
        if self._given.setdefault(label, (len(self._given), address))[1] != address:
            raise UsageError(f"the label {label!r} is used twice")
        self.call_by_path(address, None, label)

    def call_by_path(self, address: int, path: Path | None, suffix: str = "") -> None:
        """Let the storage at ``address`` be known by its path, unless it has a name."""
        if address not in self._names and not self._in_row(address):
            self._names[address] = (self._count, path, suffix)
            self._log.append(address)
            self._count += 1

    def _ordered(self, start: int = 0) -> Iterator[int]:
        """Yield the named storage from a place in the log on, as far as these labels go."""
        for each in self._log[start : self._until]:
            if isinstance(each, int):
                yield each
            else:
                yield from each

    def call_row(
        self, addresses: Sequence[int], paths: Callable[[], list[Path | None]], suffix: str = ""
    ) -> None:
        """As :meth:`call_by_path`, for storage that has no names yet; of much the paths are made when one is asked for."""
        if len(addresses) <= FEW:
            for address, path in zip(addresses, paths(), strict=True):
                self.call_by_path(address, path, suffix)
            return
        self._rows.append((self._count, addresses, paths, suffix))
        self._log.append(addresses)
        self._count += len(addresses)

    def _in_row(self, address: int) -> tuple[int, Path | None, str] | None:
        """Return the entry of storage that was stored in one go. Rows lie one behind the other, as allocated."""
        at = bisect_right(self._rows, address, key=lambda row: row[1][0]) - 1
        if at < 0:
            return None
        first, addresses, paths, suffix = self._rows[at]
        index = bisect_left(addresses, address)
        if index == len(addresses) or addresses[index] != address:
            return None
        if self._made[0] is not paths:
            self._made = paths, paths()
        return first + index, self._made[1][index], suffix

    def name(self, address: int) -> str | None:
        """Return the label of the storage at ``address``."""
        entry = self._entry(address)
        if entry is None or entry[0] is None:
            return entry and entry[1]
        text = path_text(entry[0]) + entry[1]
        return f"{text}@{address:#x}" if is_cut(text) else text

    def shown(self, address: int) -> str | None:
        """Return the label for people: a path as C writes it."""
        entry = self._entry(address)
        return entry and c_text(entry[0]) + entry[1]

    def _entry(self, address: int) -> tuple[Path | None, str] | None:
        entry = self._names.get(address) or self._in_row(address)
        known = entry is not None and (self._most is None or entry[0] < self._most)
        return entry[1:] if entry is not None and known else None

    def address(self, label: str) -> int | None:
        """Return where the storage of that label is; of several calls the last one's."""
        given = self._given.get(label)
        if given is not None and (self._until_given is None or given[0] < self._until_given):
            return given[1]
        for address in self._ordered(self._indexed):
            entry = self._names.get(address)
            if entry is None or entry[1] is not None:  # others have been given their name
                self._index[str(self.name(address))] = address
        self._indexed = len(self._log) if self._until is None else self._until
        return self._index.get(label)

    def known(self) -> list[str]:
        """Return every label."""
        return [str(self.name(address)) for address in self._ordered()]

    def copy(self) -> Labels:
        """Return the labels as they are now, whatever is named later."""
        twin = Labels()
        twin._given, twin._names, twin._log = self._given, self._names, self._log
        twin._rows = self._rows
        twin._until, twin._most, twin._until_given = len(self._log), self._count, len(self._given)
        return twin


class Unwritten:
    """The type of :data:`UNWRITTEN`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNWRITTEN"

    def __reduce__(self) -> str:  # a copy is the same one
        return "UNWRITTEN"


UNWRITTEN = Unwritten()
"""Stands for a value that nobody writes: new storage keeps the 0xCD that the allocator's memory is filled with."""


def is_unwritten(value: Any) -> bool:
    """Return whether a value says that nobody writes it."""
    return value is UNWRITTEN or (isinstance(value, Mapping) and value.keys() == {"$unwritten"})


FEW = 64  # storage of one value that gets its names at once
Allocate = Callable[[int], int]


class Rows(NamedTuple):
    """What allocates the storage of a whole value: with what it fills the gaps between blocks, and the function.

    That gets the bytes of the blocks and their sizes, and returns their addresses, or ``None`` if they have to be allocated
    one by one.
    """

    fill: int
    allocate: Callable[[bytearray, Sequence[int]], Row | None]


_PLACE = tuple.__new__  # twice as fast as Place(…)


class Writer:
    """Writes Python values into typed memory, allocating the storage that pointers ask for.

    What lies at ``fresh`` or behind it is new, and zeroed. Without ``zeroes`` the members that a value leaves out there
    stay unwritten, as in memory that ``malloc`` gave.
    """

    def __init__(
        self,
        space: AddressSpace,
        allocate: Allocate,
        labels: Labels | None = None,
        suffix: str = "",
        *,
        fresh: int = 0,
        zeroes: bool = True,
        replaceable: Allocate | None = None,
        rows: Rows | None = None,
    ) -> None:
        self.space = space
        self.allocate = allocate
        self.labels = labels
        self.suffix = suffix
        self.fresh = fresh or space.base + len(space.data)
        self.zeroes = zeroes
        self._replaceable = replaceable
        """Allocates what a proxy may free, where that is another allocator."""
        self._rows = rows
        self._storage: dict[tuple[int, int], tuple[Any, int]] = {}
        self._aliases: list[tuple[int, str, str]] = []

    @recording()
    def write(self, place: Place, value: Any) -> None:
        """Write ``value`` at ``place``.

        Raises:
            UsageError: the value does not fit the type; the message names the path and what was expected.
        """
        pending: list[tuple[Place, Any]] = [(place, value)]
        while pending:
            here, item = pending.pop()
            met = len(pending)
            if not met and not self._storage and self.whole(here, item):
                break
            pending += self._write_one(here, item)
            if len(pending) > met + 1:  # the first part is written first
                pending[met:] = reversed(pending[met:])

    def whole(self, place: Place, value: Any) -> bool:
        """Store all that a pointer shall point to in one go; return ``False``, with nothing stored, if that cannot be."""
        graph = graph_of(place.plan) if self._rows and isinstance(place.plan, PointerPlan) else None
        if self._rows is None or graph is None or graph.write is None or value is None or self._replaceable:
            return False
        space, mem = self.space, bytearray()
        first = space.base + len(space.data)
        try:
            sizes = graph.write(value, mem, first, self._rows.fill, scalar)
        except ODD:
            return False
        addresses = self._rows.allocate(mem, sizes)
        if addresses is None:
            return False
        space.set_pointer(place.address, addresses[0])
        if self.labels is not None:
            kept, path = compress(mem, 1), place.path
            self.labels.call_row(
                addresses,
                lambda: row_paths(graph, decompress(kept), first, addresses.sizes, path),
                self.suffix,
            )
        return True

    def finish(self) -> None:
        """Resolve aliases to storage that was described after them.

        Raises:
            UsageError: an alias names no label.
        """
        for address, label, where in self._aliases:
            self.space.set_pointer(address, self._address_of(label, where))
        self._aliases.clear()

    def _write_one(self, place: Place, value: Any) -> list[tuple[Place, Any]]:
        if is_unwritten(value):
            self._leave(place.address, _room(self.space, place))
            return []
        match place.plan:
            case PointerPlan() as plan:
                return self._pointer(plan, place, value)
            case StructPlan() as plan:
                return self._struct(plan, place, value)
            case BasePlan() as plan:
                self._base(plan, place, value)
                return []
            case ConvertedPlan():
                return self._write_one(presented(place), value)
            case ArrayPlan() as plan:
                return self._array(plan, place, value)
            case UnionPlan() as plan:
                return self._union(plan, place, value)
            case ContextPlan():
                variable = self._variable(value, place) if value is not None else 0
                self.space.set_pointer(place.address, self.space.pointer_at(variable) if variable else 0)
                return []
        if value is not None:
            raise given.wrong(c_text(place.path), value, "nothing: the kit does not marshal this type")
        return []

    def _leave(self, address: int, size: int) -> None:
        """Leave new storage as its allocator gave it."""
        if address >= self.fresh and size:
            self.space.clear(address, size, NEW)
            self.space.trace.add(EventKind.UNWRITTEN, self.space.side, "", address, size)

    # --- single values ---

    def _base(self, plan: BasePlan, place: Place, value: Any) -> None:
        try:
            data = plan.value.pack(value if type(value) is int else scalar(plan, value))
        except (ValueError, TypeError, OverflowError, UnicodeError) as error:
            raise given.wrong(c_text(place.path), value, f"a value of type {plan.type.name}") from error
        except struct.error:
            try:
                data = packed(plan, scalar(plan, value))
            except struct.error as error:
                raise given.wrong(c_text(place.path), value, f"a value that fits {plan.type.name}") from error
        self.space.write(place.address, data)

    def _pointer(self, plan: PointerPlan, place: Place, value: Any) -> list[tuple[Place, Any]]:
        if value is None:
            self.space.set_pointer(place.address, 0)
            return []
        label = None
        if type(value) is dict or isinstance(value, Mapping):  # asking an abstract class is slow
            if "$alias" in value:
                return self._alias(place, str(value["$alias"]))
            if "$label" in value:
                label, value = str(value["$label"]), value.get("$value")
                if value is None and not isinstance(plan.target, PointerPlan):
                    raise given.wrong(c_text(place.path), value, "a value for the labelled storage")
        if isinstance(plan.target, ContextPlan) and is_handle(value) and label is None:
            self.space.set_pointer(place.address, self._variable(value, place, plan.target.size))
            return []
        if isinstance(value, Place):
            self.space.set_pointer(place.address, value.address)
            return []
        key = (id(value), id(plan.target))
        known = self._storage.get(key) if isinstance(value, dict | list) else None
        if known:
            self.space.set_pointer(place.address, known[1])
            return []
        return self._new_storage(plan, place, value, label)

    def _new_storage(
        self, plan: PointerPlan, place: Place, value: Any, label: str | None
    ) -> list[tuple[Place, Any]]:
        """Let a pointer name new storage for ``value``."""
        address = self._allocate(plan, place)(storage_size(plan.target, value, place.path))
        self.space.set_pointer(place.address, address)
        if not address:
            raise MemoryError
        if isinstance(value, dict | list):
            self._storage[id(value), id(plan.target)] = (value, address)
        path = (place.path, "*") if isinstance(plan.target, PointerPlan) else place.path
        target = Place(plan.target, address, place.scope, path)
        if self.labels is not None and label is not None:
            self.labels.give(label, address)
        elif self.labels is not None:
            self.labels.call_by_path(address, place.path, self.suffix)
        return [(target, value)]

    def _allocate(self, plan: PointerPlan, place: Place) -> Allocate:
        """Return the allocator of what a pointer shall point to: what lies below an object pointer is freed with it."""
        block = self.space.block(place.address) if self._replaceable else None
        if (
            self._replaceable
            and block
            and block.kind is not BlockKind.STACK
            and (plan.is_object or block.kind is BlockKind.TASK)
        ):
            return self._replaceable
        return self.allocate

    def _variable(self, value: Any, place: Place, size: int = 0) -> int:
        """Return where the variable of a context handle is. With a ``size`` a new name makes a new one, null."""
        if isinstance(value, Handle):
            return variable_of(self.space, value, c_text(place.path))
        if not is_handle(value) or self.labels is None:
            raise given.wrong(c_text(place.path), value, "a context handle: {$context: NAME}, or null")
        name = str(value["$context"])
        address = self.labels.address(name)
        if address is None and size:
            address = self.allocate(size)
            self.labels.give(name, address)
        if address is None:
            raise UsageError(f"{c_text(place.path)}: no context handle is called {name!r}")
        return address

    def _alias(self, place: Place, label: str) -> list[tuple[Place, Any]]:
        address = self.labels.address(label) if self.labels else None
        if address is None:
            self._aliases.append((place.address, label, c_text(place.path)))
        else:
            self.space.set_pointer(place.address, address)
        return []

    def _address_of(self, label: str, where: str) -> int:
        address = self.labels.address(label) if self.labels else None
        if address is None:
            known = self.labels.known() if self.labels else []
            raise UsageError(f"{where}: $alias {label!r} names no storage{given.meant(label, known)}")
        return address

    # --- compound values ---

    def _struct(self, plan: StructPlan, place: Place, value: Any) -> list[tuple[Place, Any]]:
        """Write the numbers and null pointers of a structure, and return its other members."""
        if type(value) is not dict and not isinstance(value, Mapping):
            raise given.wrong(c_text(place.path), value, "a map of members")
        _, address, _, outer = place
        members, work = plan.by_name, []
        for name, item in value.items():
            member = members.get(str(name))
            if member is None:
                where = c_text(outer)
                raise UsageError(
                    f"{where}: no member {name!r} in {plan.type.name}{given.meant(str(name), members)}"
                )
            inner = member.plan
            if item is None and isinstance(inner, PointerPlan):
                self.space.set_pointer(address + member.offset, 0)
                continue
            here = _PLACE(Place, (inner, address + member.offset, address, (outer, member.step)))
            if isinstance(inner, BasePlan) and (type(item) is int or not is_unwritten(item)):
                self._base(inner, here, item)
            else:
                work.append((here, item))
        if not self.zeroes and len(value) < len(members):
            for name, member in members.items():
                if name not in value:
                    self._leave(address + member.offset, member.plan.size)
        return work

    def _array(self, plan: ArrayPlan, place: Place, value: Any) -> list[tuple[Place, Any]]:
        if isinstance(value, Mapping) and "$unwritten" in value:
            self._leave(place.address, _room(self.space, place))
        items = elements_of(plan, value, place.path)
        items = _packed(plan, items) or items
        if isinstance(items, bytes):
            self.space.write(place.address, items)
            return []
        return [(place.element(plan, index), item) for index, item in enumerate(items)]

    def _union(self, plan: UnionPlan, place: Place, value: Any) -> list[tuple[Place, Any]]:
        if not isinstance(value, Mapping) or "$case" not in value:
            raise given.wrong(c_text(place.path), value, "{$case: SELECTOR, $value: …}")
        tag = self._selector(plan, place, value["$case"])
        if plan.tag_of is None:
            self.space.write(place.address, tag.to_bytes(plan.tag.size, "little", signed=tag < 0))
        arm = plan.arm(tag)
        if arm is None:
            raise given.wrong(c_text(place.path), value, f"a $case among {sorted(plan.arms)}")
        held = place.arm(plan, arm) if "$value" in value else None
        return [(held, value["$value"])] if held else []

    def _selector(self, plan: UnionPlan, place: Place, case: Any) -> int:
        if case == "default":
            if plan.tag_of is not None:
                return plan.tag_of(self.space, place.scope)
            return next(number for number in range(len(plan.arms) + 1) if number not in plan.arms)
        try:
            tag = int(scalar(plan.tag, case))
            low = -(1 << 8 * plan.tag.size - 1) if plan.tag.code in "bhiq" else 0
            if 0 <= tag - low < 1 << 8 * plan.tag.size:
                return tag
        except (ValueError, TypeError, OverflowError) as error:
            raise given.wrong(c_text(place.path), case, "a case label of the union") from error
        raise given.wrong(c_text(place.path), case, f"a value that fits {plan.tag.type.name}")


def _room(space: AddressSpace, place: Place) -> int:
    """Return the size of a value, of an array without a bound that of its storage."""
    open_end = isinstance(place.plan, ArrayPlan) and place.plan.bound is None
    return space.capacity(place.address) if open_end else place.plan.size


def _packed(plan: ArrayPlan, items: bytes | Sequence[Any]) -> bytes:
    """Return an array of plain numbers as bytes, or nothing if it is another one or one of them does not fit."""
    element = plan.element
    if not isinstance(element, BasePlan) or {int} != set(map(type, items)) or isinstance(items, bytes):
        return b""
    try:
        return struct.pack(f"<{len(items)}{element.value.format[1:]}", *items)
    except struct.error:
        return b""  # written one by one, the wrong one will be named


def is_handle(value: Any) -> bool:
    """Return whether a value names a context handle of the client."""
    return isinstance(value, Handle) or (isinstance(value, Mapping) and "$context" in value)


def variable_of(space: AddressSpace, handle: Handle, where: str) -> int:
    """Return the address of a handle's variable. Raises :class:`UsageError` for the handle of another program."""
    if space.capacity(handle.variable) < space.pointer_size:
        raise UsageError(f"{where}: {handle!r} is none of this session")
    return handle.variable


def scalar(plan: BasePlan, value: Any) -> int | float:
    """Return the number that stands for a scalar in memory.

    Raises:
        ValueError, TypeError: the value is of another kind.
    """
    type_ = plan.type
    if isinstance(type_, EnumType):
        return _enumerator(type_, value)
    if type_.text and isinstance(value, str):
        return ord(value.encode("latin-1") if type_.size == 1 else value)
    if type_.code in "fd":
        return float(value)
    if isinstance(value, str):
        return int(value, 0)
    if isinstance(value, float):
        raise TypeError(value)
    return int(value)


def packed(plan: BasePlan, number: float) -> bytes:
    """Return a number as memory holds it; an integer of the right width is converted as in C: 0x80004005 is a negative long.

    Raises:
        struct.error: it does not fit, whatever its sign.
    """
    try:
        return plan.value.pack(number)
    except struct.error:
        if not isinstance(number, int) or plan.value.format[-1] not in "bhilqBHILQ":
            raise
        return struct.pack(plan.value.format.swapcase(), number)


def _enumerator(type_: EnumType, value: Any) -> int:
    if isinstance(value, str) and value in type_.labels:
        return type_.labels[value]
    return int(value, 0) if isinstance(value, str) else int(value)


def elements_of(plan: ArrayPlan, value: Any, path: Path | None = None) -> bytes | Sequence[Any]:
    """Return the bytes of a character array, or the elements of another one."""
    if isinstance(value, Mapping) and ("$elements" in value or "$unwritten" in value):
        value = value.get("$elements", [])
    if isinstance(value, Mapping) and "$hex" in value:
        return _from_hex(value["$hex"], path)
    if isinstance(value, bytes | bytearray):
        if plan.is_string and plan.stride != 1:
            raise UsageError(f"{c_text(path)}: expected text, got {value!r}; bytes as they are: {{$hex: …}}")
        return bytes(value)
    if plan.is_text and not isinstance(value, list | tuple):
        encoded = _encoded(plan, str(value), path)
        terminated = encoded + bytes(plan.stride) if plan.is_string else encoded
        return terminated if plan.bound is None else terminated[: plan.bound * plan.stride]
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UsageError(f"{c_text(path)}: expected a list of elements, got {value!r}")
    if plan.bound is not None and len(value) > plan.bound:
        raise UsageError(f"{c_text(path)}: {counted(len(value), 'element')} for an array of {plan.bound}")
    return value


def _from_hex(digits: Any, path: Path | None) -> bytes:
    try:
        return bytes.fromhex("".join(str(digits).split()))
    except ValueError:
        raise given.wrong(c_text(path), digits, "pairs of hex digits after $hex") from None


def _encoded(plan: ArrayPlan, text: str, path: Path | None) -> bytes:
    """Return the bytes of text; a wide character may be any 16 bits, half of a surrogate pair too."""
    if plan.stride != 1:
        return text.encode("utf-16-le", "surrogatepass")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        raise UsageError(f"{c_text(path)}: expected characters of Latin-1, got {text!r}") from None


def element_count(plan: ArrayPlan, value: Any, path: Path | None = None) -> int:
    """Return for how many elements storage is needed to hold a value."""
    if plan.bound is not None:
        return plan.bound
    if is_unwritten(value):
        raise UsageError(f"{c_text(path)}: of how many elements? {{$allocated: N, $unwritten: true}} says it")
    items = elements_of(plan, value, path)
    shown = len(items) // plan.stride if isinstance(items, bytes) else len(items)
    if isinstance(value, Mapping) and "$allocated" in value:
        room = given.instance(f"{c_text(path)}: $allocated", value["$allocated"], int, "a number of elements")
        return max(room, shown)
    return shown


def storage_size(plan: Plan, value: Any, path: Path | None = None) -> int:
    """Return the bytes of storage that a value of this type needs."""
    if isinstance(plan, ArrayPlan):
        return element_count(plan, value, path) * plan.stride
    if isinstance(plan, StructPlan) and plan.tail is not None and not is_unwritten(value):
        inner: Any = value
        scope, name = plan, ""
        while isinstance(inner, Mapping):
            name, last = scope.members[-1].name, scope.members[-1].plan
            inner = inner.get(name, [])
            if not isinstance(last, StructPlan):
                break
            scope = last
        count = element_count(plan.tail, inner, path)
        return max(plan.size, plan.tail_offset + count * plan.tail.stride)
    return plan.size


def python_scalar(plan: BasePlan, data: bytes) -> Any:
    """Return the Python value of a scalar: numbers as numbers, booleans as booleans, characters as text."""
    number = plan.value.unpack(data)[0]
    if isinstance(plan.type, Base):
        if plan.type.code == "?":
            return bool(number)
        if plan.type.text:
            return chr(number)
    return number


def python_text(plan: ArrayPlan, data: bytes) -> Any:
    """Return the value of a character or byte array: text if it is a string or all printable, else ``{$hex}``."""
    if plan.is_string:
        text = data.decode("latin-1" if plan.stride == 1 else "utf-16-le", "surrogatepass")
        return text.split("\0", 1)[0]
    if plan.is_text:
        text = data.decode("latin-1" if plan.stride == 1 else "utf-16-le", "replace")
        if text.isprintable() and text.isascii() and text:
            return text
    return {"$hex": data.hex()}
