"""The resolved types of an interface: what the IDL and ACF text mean, with every default applied.

These classes only describe. Sizes and wire formats are compiled from them in :mod:`rpcmemkit.plan`.
All of them compare by identity: a structure may contain itself through a pointer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, TypeAlias

# --- expressions in size_is, length_is, switch_is … -------------------------------------------


class Const(NamedTuple):
    """A number known when the interface is compiled."""

    value: int


class Name(NamedTuple):
    """A parameter of the same procedure, or a member of the same structure."""

    name: str


class Unary(NamedTuple):
    """``op`` is one of ``* - + ~ !``; ``*`` reads what a pointer names."""

    op: str
    operand: Expr


class Binary(NamedTuple):
    """``op`` is a C binary operator, with C's meaning on integers."""

    op: str
    left: Expr
    right: Expr


class Conditional(NamedTuple):
    """``test ? yes : no``."""

    test: Expr
    yes: Expr
    no: Expr


Expr: TypeAlias = Const | Name | Unary | Binary | Conditional

# --- types ------------------------------------------------------------------------------------


class PointerKind(str, Enum):
    """The three pointer attributes of MIDL (three-pointer-types.md)."""

    REF = "ref"
    UNIQUE = "unique"
    FULL = "ptr"


@dataclass(frozen=True, slots=True, repr=False)
class Base:
    """A base type. ``code`` is its :mod:`struct` letter, ``size`` its bytes on the NDR 2.0 wire.

    ``text`` marks characters, shown as text; ``pointer_sized`` marks ``__int3264``, as wide in memory as a pointer.
    """

    name: str
    code: str
    size: int
    text: bool = False
    pointer_sized: bool = False

    def __repr__(self) -> str:
        return f"<{self.name}>"


BASES: Mapping[str, Base] = {
    base.name: base
    for base in (
        Base("boolean", "?", 1),
        Base("byte", "B", 1),
        Base("char", "B", 1, text=True),
        Base("unsigned char", "B", 1, text=True),
        Base("signed char", "b", 1),
        Base("wchar_t", "H", 2, text=True),
        Base("small", "b", 1),
        Base("unsigned small", "B", 1),
        Base("short", "h", 2),
        Base("unsigned short", "H", 2),
        Base("long", "i", 4),
        Base("unsigned long", "I", 4),
        Base("hyper", "q", 8),
        Base("unsigned hyper", "Q", 8),
        Base("__int3264", "i", 4, pointer_sized=True),
        Base("unsigned __int3264", "I", 4, pointer_sized=True),
        Base("float", "f", 4),
        Base("double", "d", 8),
        Base("error_status_t", "I", 4),
    )
}


@dataclass(eq=False, slots=True, repr=False)
class EnumType:
    """An enumeration: 4 bytes in memory, on the wire 2 (values 0 to 32767), or 4 with ``v1_enum``."""

    name: str
    labels: dict[str, int]
    v1: bool = False

    def __repr__(self) -> str:
        return f"<enum {self.name or 'without a name'}>"


@dataclass(eq=False, slots=True)
class Ranged:
    """An integer that must lie between ``low`` and ``high``, both included ([range])."""

    target: Base | EnumType
    low: int
    high: int


@dataclass(eq=False, slots=True, repr=False)
class Pointer:
    """A pointer with its final attribute; the booleans come from ACF (or IDL) memory attributes.

    ``to_elements``: of a pointer to an array, whether C's pointer leads to the first element (a sized pointer, an array
    that is a parameter) or to the array as a whole (``long (*p)[3]``).
    """

    target: Type
    kind: PointerKind
    all_nodes: bool = False
    dont_free: bool = False
    force_allocate: bool = False
    ignore: bool = False
    partial_ignore: bool = False
    to_elements: bool = False

    def __repr__(self) -> str:
        return f"<{self.kind.value} pointer to {self.target!r}>"


@dataclass(eq=False, slots=True, repr=False)
class Array:
    """An array. A sized pointer (``[size_is(n)] long *p``) is a :class:`Pointer` to one of these.

    ``bound`` is the declared number of elements, ``None`` for a conformant array, whose number ``size`` gives
    (``max_is(m)`` arrives here as ``m + 1``). ``length`` and ``first`` give the transmitted range
    (``last_is(l)`` arrives as ``l - first + 1``, never below 0; ``first_is`` never is below 0 either). A ``string`` measures its own length; without ``bound`` and
    ``size`` it measures its size too. ``count_range`` is [range] on conformant data.
    """

    element: Type
    bound: int | None = None
    size: Expr | None = None
    length: Expr | None = None
    first: Expr | None = None
    string: bool = False
    count_range: tuple[int, int] | None = None

    @property
    def conformant(self) -> bool:
        return self.bound is None

    @property
    def varying(self) -> bool:
        return self.string or self.length is not None or self.first is not None

    def __repr__(self) -> str:
        size = self.bound if self.bound is not None else "string" if self.size is None else "sized"
        return f"<array [{size}] of {self.element!r}>"


@dataclass(eq=False, slots=True)
class Member:
    """A structure member, or what a union arm holds."""

    name: str
    type: Type


@dataclass(eq=False, slots=True, repr=False)
class Struct:
    """A structure; ``pack`` is the packing level in bytes, or ``None`` for natural alignment.

    ``tagged``: its name is a tag, ``struct name`` in C; otherwise it is that of a typedef.
    """

    name: str
    members: list[Member] = field(default_factory=list)
    pack: int | None = None
    tagged: bool = False

    def __repr__(self) -> str:
        return (
            f"<struct {self.name or 'without a name'}: {', '.join(member.name for member in self.members)}>"
        )


@dataclass(eq=False, slots=True)
class Arm:
    """A union arm: ``labels`` are its case values (empty for the default arm), ``member`` is ``None`` if empty."""

    labels: tuple[int, ...]
    member: Member | None
    default: bool = False


@dataclass(eq=False, slots=True, repr=False)
class Union:
    """A non-encapsulated union. Where it is used, :class:`Switched` says what selects its arm."""

    name: str
    switch: Base | EnumType
    arms: list[Arm] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<union {self.name or 'without a name'} of {len(self.arms)} arms>"


@dataclass(eq=False, slots=True)
class Switched:
    """A union together with its ``switch_is`` expression."""

    union: Union
    switch_is: Expr


@dataclass(eq=False, slots=True, repr=False)
class EncapsulatedUnion:
    """``union switch (T tag) u { … }``: in memory a structure of the tag and the union."""

    name: str
    tag: str
    union_name: str
    union: Union

    def __repr__(self) -> str:
        return f"<encapsulated union {self.name} of {len(self.union.arms)} arms>"


@dataclass(eq=False, slots=True, repr=False)
class ContextHandle:
    """A context handle: 20 bytes on the wire, as wide as a pointer in memory (context-handle.md).

    ``state`` is what the declaration lets it point to, ``None`` for ``void``: only the server's routines see it.
    ``is_type``: the attribute stands at a typedef, so there may be a run-down routine ``name_rundown``.
    """

    name: str
    state: Type | None = None
    is_type: bool = False
    pointer: Pointer = field(init=False)
    """What the handle is to the server's routines: a pointer to state of their own."""

    def __post_init__(self) -> None:
        self.pointer = Pointer(self.state or Array(BASES["byte"]), PointerKind.UNIQUE)

    def __repr__(self) -> str:
        return f"<context handle {self.name}>"


@dataclass(eq=False, slots=True)
class Opaque:
    """A type that is understood but not marshalled here: interface pointers, pipes, handles, void, functions.

    ``what`` is one of ``void``, ``handle``, ``interface``, ``pipe``, ``function``, ``local``, ``safearray``; a
    ``local`` type is one that only the programming language knows (represent-as.md).
    """

    what: str
    name: str
    element: Type | None = None


@dataclass(eq=False, slots=True, repr=False)
class Converted:
    """A type whose values routines of the application convert: programs see ``presented``, ``sent`` travels.

    ``how`` is ``transmit_as``, ``represent_as``, ``wire_marshal`` or ``user_marshal``; ``name`` begins the names of
    the routines, ``other`` is the type that the attribute names. A type that has both of the first two is a
    representation of a type that is transmitted as another.
    """

    name: str
    how: str
    presented: Type
    sent: Type
    other: str = ""

    def __repr__(self) -> str:
        return f"<{self.name}, {self.how}>"


Type: TypeAlias = (
    Base
    | EnumType
    | Ranged
    | Pointer
    | Array
    | Struct
    | Union
    | Switched
    | EncapsulatedUnion
    | ContextHandle
    | Opaque
    | Converted
)


def made_of(*given: Type) -> Iterator[Type]:
    """Yield the given types and every type that they are made of, through pointers too, each once."""
    pending, seen = list(given), set[int]()
    while pending:
        type_ = pending.pop()
        if id(type_) not in seen:
            seen.add(id(type_))
            yield type_
            pending += parts_of(type_)


def parts_of(type_: Type) -> list[Type]:
    """Return the types that a type is directly made of."""
    match type_:
        case Pointer() | Ranged():
            return [type_.target]
        case Array():
            return [type_.element]
        case Struct():
            return [member.type for member in type_.members]
        case Union():
            return [arm.member.type for arm in type_.arms if arm.member]
        case Switched() | EncapsulatedUnion():
            return [type_.union]
        case Converted():
            return [type_.presented, type_.sent]
    return []


SERIALIZATION = ("encode", "decode")

# --- interfaces -------------------------------------------------------------------------------


@dataclass(eq=False, slots=True, repr=False)
class Parameter:
    """A parameter as the stub sees it: an array parameter has already become a pointer to the array.

    ``attributes`` holds every other IDL and ACF attribute by name (``byte_count``, ``comm_status``, …).
    """

    name: str
    type: Type
    is_in: bool
    is_out: bool
    declaration: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        way = ", ".join(name for name, is_so in (("in", self.is_in), ("out", self.is_out)) if is_so)
        return f"<parameter [{way}] {self.name}: {self.type!r}>"


@dataclass(eq=False, slots=True, repr=False)
class Procedure:
    """A remote procedure; ``result`` is ``None`` for ``void``."""

    name: str
    opnum: int
    parameters: list[Parameter]
    result: Type | None
    declaration: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)

    @property
    def serializes(self) -> bool:
        """Whether [encode] or [decode] make it move data to or from a buffer of the application's, and no call."""
        return not self.attributes.keys().isdisjoint(SERIALIZATION)

    def __repr__(self) -> str:
        return f"<procedure {self.opnum}: {self.declaration or self.name}>"


@dataclass(eq=False, slots=True, repr=False)
class Interface:
    """An interface after IDL and ACF were read together."""

    name: str
    uuid: str | None
    version: tuple[int, int]
    procedures: dict[str, Procedure]
    types: dict[str, Type]
    constants: dict[str, object] = field(default_factory=dict)
    attributes: Mapping[str, object] = field(default_factory=dict)
    is_object: bool = False
    osf: bool = False

    def __repr__(self) -> str:
        return f"<interface {self.name}: {', '.join(self.procedures) or 'no procedures'}>"


def converted_types(interface: Interface) -> list[Converted]:
    """Return the converted types of an interface; one that is represented and transmitted as others counts twice."""
    found: dict[int, Converted] = {}
    for type_ in interface.types.values():
        while isinstance(type_, Converted):
            found[id(type_)] = type_
            type_ = type_.sent if type_.how == "represent_as" else type_.presented
    return list(found.values())
