"""One declared thing on its way from syntax to a type, and the place where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.levels import Level
from rpcmemkit.idl.source import Source
from rpcmemkit.types import Base, EnumType, Expr, PointerKind, Type


@dataclass(eq=False, slots=True)
class Subject:
    """What a finding can be about: it has a name in a text, and may lie in a parameter."""

    name: str
    at: int
    source: Source
    parameter: str | None = field(default=None, kw_only=True)


@dataclass(eq=False, slots=True)
class Declared(Subject):
    """One declared thing on its way to a type: a parameter, a member, a result or a typedef."""

    attributes: s.Attributes
    levels: list[Level]
    base: Type
    const: bool = False
    bits: bool = False
    switch_is: Expr | None = None
    switch: Base | EnumType | None = None  # its [switch_type], which may stand beside [switch_is]
    type: Type | None = None
    acf: s.Attributes = s.NO_ATTRIBUTES  # those of the attribute file
    generic: bool = False  # its type is a [handle], or another name of one

    @property
    def outer(self) -> Level | None:
        return self.levels[0] if self.levels else None

    @property
    def both(self) -> s.Attributes:
        """The attributes of both files."""
        return self.attributes + self.acf

    def mark(self, attributes: s.Attributes) -> None:
        """Set the flags of the levels that are true with an attribute, as its row says."""
        for attribute in attributes.items:
            found = row(attribute.name)
            if found.sets and not found.counts:
                for level in self.levels if found.every else self.levels[:1]:
                    level.flags |= {found.sets}


@dataclass(eq=False, slots=True)
class Place:
    """Where one declares: the text, the pointer_default in force, what a [size_is] can see."""

    source: Source
    default: PointerKind | None
    fallback: PointerKind
    siblings: dict[str, Declared] = field(default_factory=dict)
    own: bool = True  # False in imported files
    scoped_labels: bool = False  # in a namespace every enumeration has its own labels

    def inner(self) -> Place:
        """The same place for a structure or a parameter list, which sees its own names only."""
        return replace(self, siblings={})
