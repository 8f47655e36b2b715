"""The levels of a compiled type: what a stub needs to move it, and nothing else.

A plan is compiled once per type, pointer size and transfer syntax. Every part of the kit that has to know how a type
lies in memory or on the wire reads these objects: marshalling, clean-up, audits, views and pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from struct import Struct as Codec
from typing import TYPE_CHECKING, Literal, TypeAlias

from rpcmemkit.errors import RpcError
from rpcmemkit.status import INVALID_BOUND
from rpcmemkit.trace import Part
from rpcmemkit.types import Base, ContextHandle, EnumType, Opaque, PointerKind

if TYPE_CHECKING:
    from rpcmemkit import types
    from rpcmemkit.memory import AddressSpace
    from rpcmemkit.plan.generated import Graph

Evaluate: TypeAlias = "Callable[[AddressSpace, int], int]"
"""A compiled expression: reads its names from the scope (a structure, or the stub's frame) at an address."""


@dataclass(frozen=True, slots=True)
class Check:
    """The values from ``first`` to before ``stop`` must lie in ``low`` … ``high``; the sender looks if ``both_ways``."""

    first: int
    stop: int
    low: int
    high: int
    status: int
    both_ways: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A pointer inside a flat body: where it lies in memory and where its referent id lies on the wire."""

    name: Part
    offset: int
    wire_offset: int
    plan: PointerPlan
    has_id: bool = True
    scope: int | None = None
    """Offset of the structure whose members its expressions read; ``None`` keeps the scope of the body."""


@dataclass(eq=False, slots=True, repr=False)
class Body:
    """A run of fixed layout, moved by one fused conversion.

    ``memory`` and ``wire`` read and write the same values; pointers are gaps in both and have codecs of their own.
    ``dense``: the bytes are the same in memory and on the wire, without gaps, so that they move as a block.
    ``same``: the layout is the same, so that a receiver may use the data where it was received.
    ``narrow``: the values that are wider in memory than on the wire and lose their upper bytes (``__int3264``): the
    index, and what to add before cutting so that the sign is kept.
    """

    memory: Codec
    wire: Codec
    wire_align: int
    slots: tuple[Slot, ...]
    memory_pointers: Codec
    wire_ids: Codec
    checks: tuple[Check, ...]
    dense: bool
    same: bool
    fields: tuple[Field, ...]
    narrow: tuple[tuple[int, int], ...] = ()
    size: int = 0

    def __post_init__(self) -> None:
        self.size = self.memory.size


@dataclass(frozen=True, slots=True)
class Field:
    """One base value inside a body, for annotation: its name and its place on the wire and in memory."""

    name: str
    wire_offset: int
    wire_size: int
    offset: int
    plan: BasePlan | PointerPlan
    count: int = 1


class Plan:
    """What every level has: its size and alignment in memory, its alignment on the wire, its fused body if flat.

    ``width`` is the number of its base values and pointers; ``plain``: there are no pointers and their like in it.
    """

    type: types.Type
    size: int
    align: int
    wire_align: int
    body: Body | None = None
    reusable: bool = False
    width: int = 1
    plain: bool = False

    def __repr__(self) -> str:
        return f"<plan of {self.type!r}: {self.size} bytes>"


@dataclass(eq=False, repr=False)
class BasePlan(Plan):
    """A base type, an enumeration, or either with a [range]."""

    type: Base | EnumType
    code: str
    wire_code: str
    size: int
    wire_size: int
    limits: tuple[int, int, int, bool] | None = None
    """low, high, status, and whether the sender checks too"""
    body: Body | None = None

    def __post_init__(self) -> None:
        self.align = self.size
        self.wire_align = self.wire_size
        self.reusable = self.size == self.wire_size and self.limits is None
        self.plain = True

    @cached_property
    def value(self) -> Codec:
        """The codec of the value as Python sees it."""
        code = self.type.code if isinstance(self.type, Base) and not self.type.pointer_sized else self.code
        return Codec("<" + ("B" if code == "?" else code))


@dataclass(eq=False, repr=False)
class PointerPlan(Plan):
    """A pointer. ``target`` is compiled when first asked for: that is how a type can contain itself.

    ``is_object``: a unique pointer in the tree of an [out] or [in, out] parameter of an object interface; its referent
    is replaced, never written over (pointers-tfs.md, FC_OP). ``governs``: it decides for everything below it, by a
    memory attribute or as an object pointer. ``travels``: it is not an [ignore] pointer.
    """

    type: types.Pointer
    size: int
    wire_size: int
    compile_target: Callable[[], Plan]
    body: Body | None = None
    is_object: bool = False
    graph: Graph | Literal[False] | None = None
    """What :func:`rpcmemkit.plan.generated.graph_of` has made: ``False`` if what it leads to is no plain graph."""

    def __post_init__(self) -> None:
        self.align = self.size
        self.wire_align = self.wire_size
        self.reusable = self.size == self.wire_size
        self.is_ref = self.type.kind is PointerKind.REF
        self.is_full = self.type.kind is PointerKind.FULL
        attributed = self.type.all_nodes or self.type.force_allocate or self.type.dont_free
        self.governs = attributed or self.is_object
        self.travels = not self.type.ignore

    @cached_property
    def target(self) -> Plan:
        return self.compile_target()

    def __repr__(self) -> str:
        whole = "; what it leads to moves whole, by the code that its graph shows" if self.graph else ""
        return f"{super().__repr__()[:-1]}{whole}>"


@dataclass(eq=False, repr=False)
class ArrayPlan(Plan):
    """An array: fixed, conformant, varying, both, or a string.

    ``stride`` and ``wire_stride`` are the distances between elements; ``wire_last`` the bytes of the last one.
    ``measures_itself``: a string whose size is nowhere declared; its terminator gives it.
    """

    type: types.Array
    element: Plan
    bound: int | None
    size_of: Evaluate | None
    length_of: Evaluate | None
    first_of: Evaluate | None
    is_string: bool
    wire_stride: int = 0
    wire_last: int = 0
    order: str = "<"
    slots_have_ids: bool = False
    """Reference pointers in an array that lies inside a structure have a place on the wire, others have none."""
    body: Body | None = None

    def __post_init__(self) -> None:
        self.stride = self.element.size
        self.size = self.stride * (self.bound or 0)
        self.align = self.element.align
        self.conformant = self.bound is None
        self.varying = self.is_string or self.length_of is not None or self.first_of is not None
        self.measures_itself = self.is_string and self.conformant and self.size_of is None
        self.is_text = isinstance(self.element, BasePlan) and bool(getattr(self.element.type, "text", False))

    def count(self, space: AddressSpace, scope: int) -> int:
        """Return the number of elements that the size attribute, or the declaration, gives.

        Raises:
            RpcError: RPC_X_INVALID_BOUND, the size is negative.
        """
        if self.bound is not None:
            return self.bound
        if self.size_of is None:
            raise RpcError(
                INVALID_BOUND, "an array without a size attribute measures itself only as a string"
            )
        count = self.size_of(space, scope)
        if count < 0:
            raise RpcError(INVALID_BOUND, f"the size is {count}", rule="negative-bounds-raise")
        return count

    def range(self, space: AddressSpace, scope: int, count: int) -> tuple[int, int]:
        """Return the first transmitted element and the number of transmitted elements.

        Raises:
            RpcError: RPC_X_INVALID_BOUND, a negative length or one that exceeds the size.
        """
        first = max(self.first_of(space, scope), 0) if self.first_of else 0
        length = self.length_of(space, scope) if self.length_of else count - first
        if length < 0:
            raise RpcError(INVALID_BOUND, f"the length is {length}", rule="negative-bounds-raise")
        if first + length > count:
            raise RpcError(
                INVALID_BOUND,
                f"elements {first} to {first + length - 1} of an array of {count}",
                rule="length-within-size",
            )
        return first, length

    @cached_property
    def wire_element(self) -> Codec:
        """The wire codec of one element with the gap that follows it."""
        assert self.element.body is not None
        return Codec(f"{self.element.body.wire.format}{self.wire_stride - self.wire_last}x")

    @property
    def unsized(self) -> bool:
        """True for bytes whose number nothing declares: as many as their block has."""
        return self.bound is None and self.size_of is None and not self.is_string


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """A structure member at its offset."""

    name: Part
    offset: int
    plan: Plan
    step: Part
    """The part of a path that leads here: ``.name``."""


@dataclass(eq=False, repr=False)
class StructPlan(Plan):
    """A structure, or the frame that holds a procedure's arguments.

    ``pieces`` cuts a structure that is not flat into runs and members that move by themselves.
    ``tail`` is the conformant array it ends in; its maximum count goes before the whole structure.
    """

    type: types.Struct
    members: list[MemberPlan] = field(default_factory=list)
    pieces: list[tuple[int, Body | None, Plan | None, str]] = field(default_factory=list)
    tail: ArrayPlan | None = None
    tail_offset: int = 0
    tail_scope: int = 0
    size: int = 0
    align: int = 1
    wire_align: int = 1
    wire_size: int | None = None
    body: Body | None = None

    @cached_property
    def by_name(self) -> dict[str, MemberPlan]:
        return {member.name: member for member in self.members}


@dataclass(frozen=True, slots=True)
class ArmPlan:
    """What a union holds for some discriminants; ``plan`` is ``None`` for an empty arm."""

    name: str
    plan: Plan | None
    step: str = ""


@dataclass(eq=False, repr=False)
class UnionPlan(Plan):
    """A union. An encapsulated one holds its discriminant in memory, another one reads it with ``tag_of``."""

    type: types.Switched | types.EncapsulatedUnion
    tag: BasePlan
    arms: dict[int, ArmPlan] = field(default_factory=dict)
    default: ArmPlan | None = None
    tag_of: Evaluate | None = None
    arms_offset: int = 0
    aligns_arms: int = 1
    """NDR64 aligns every arm to the widest; NDR 2.0 leaves this at 1."""
    tag_name: str = ""
    union_name: str = ""
    size: int = 0
    align: int = 1
    wire_align: int = 1

    def discriminant(self, space: AddressSpace, address: int, scope: int) -> int:
        """Return the value that selects the arm, from memory."""
        if self.tag_of is not None:
            return self.tag_of(space, scope)
        return int.from_bytes(space.read(address, self.tag.size), "little", signed=self.tag.code in "bhiq")

    def arm(self, tag: int) -> ArmPlan | None:
        """Return the arm for a discriminant, or ``None`` when no arm and no default fits."""
        return self.arms.get(tag, self.default)


@dataclass(eq=False, repr=False)
class OpaquePlan(Plan):
    """A type that has a place in a frame but is not marshalled: a binding handle, for example."""

    type: Opaque
    size: int

    def __post_init__(self) -> None:
        self.align = self.size
        self.wire_align = 1


@dataclass(eq=False, repr=False)
class ContextPlan(Plan):
    """A context handle as a stub sees it: a token on the wire. To the server's routines it is a plain pointer."""

    type: ContextHandle
    size: int

    def __post_init__(self) -> None:
        self.align = self.size
        self.wire_align = 4


@dataclass(eq=False, repr=False)
class ConvertedPlan(Plan):
    """A type that the application's routines convert: ``presented`` lies in memory, ``sent`` on the wire.

    ``argument`` is the plan of ``T *``, ``form`` that of ``X *`` and ``result`` that of ``X **``: what the routines get.
    ``deferred`` is there for a wire type that is a pointer: its target is the part that follows later.
    """

    type: types.Converted
    presented: Plan
    sent: Plan
    argument: PointerPlan
    form: PointerPlan
    result: PointerPlan
    wire_align: int
    deferred: PointerPlan | None = None

    def __post_init__(self) -> None:
        self.size = self.presented.size
        self.align = self.presented.align
        self.by_bytes = self.type.how in {"wire_marshal", "user_marshal"}


@dataclass(eq=False, repr=False)
class PipePlan(Plan):
    """A pipe: in memory a structure of its three procedures and their state, on the wire chunks of ``elements``."""

    type: Opaque
    size: int
    align: int
    elements: ArrayPlan
    wire_align: int = 1
