"""The syntax tree: what was written, before any name or default is looked up.

Every ``at`` is an offset into the text of the :class:`~rpcmemkit.idl.source.Source` that was parsed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from lark import Token

Run: TypeAlias = "tuple[Token, ...]"


class Attribute(NamedTuple):
    """``name(arguments)``; an argument left out, as in ``size_is(,n)``, is ``None``. ``acf``: the attribute file gives it."""

    name: str
    at: int
    arguments: tuple[Run | None, ...] = ()
    acf: bool = False

    @property
    def argument(self) -> Run:
        """The first argument, empty if there is none."""
        return (self.arguments[0] if self.arguments else None) or ()


@dataclass(frozen=True, slots=True)
class Attributes:
    """All attributes of one thing; ``at`` is the place of the bracket, -1 if there is none."""

    at: int = -1
    items: tuple[Attribute, ...] = ()

    def get(self, *names: str) -> Attribute | None:
        """The first attribute with one of these names."""
        for attribute in self.items:
            if attribute.name in names:
                return attribute
        return None

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __add__(self, other: Attributes) -> Attributes:
        """These and those of the attribute file."""
        return Attributes(self.at, self.items + other.items) if other.items else self


NO_ATTRIBUTES = Attributes()

# --- type specifiers ---------------------------------------------------------------------------


class BaseSpec(NamedTuple):
    """A base type in C's words: ``unsigned long int``."""

    words: str
    at: int


class NamedSpec(NamedTuple):
    """A type by its name; ``interface`` if that word was written before it."""

    name: str
    at: int
    interface: bool = False
    generic: bool = False


@dataclass(eq=False, slots=True)
class RecordSpec:
    """A structure or union (``keyword``); ``members`` is ``None`` where only the tag is named."""

    keyword: str
    tag: str | None
    at: int
    members: list[Field] | None = None


@dataclass(eq=False, slots=True)
class SwitchedSpec:
    """An encapsulated union: ``union tag switch (T switch_name) union_name { case … }``."""

    tag: str | None
    at: int
    switch: Specifiers
    switch_name: str
    union_name: str | None
    cases: list[Case]


@dataclass(eq=False, slots=True)
class EnumSpec:
    """An enumeration; ``labels`` is ``None`` where only the tag is named."""

    tag: str | None
    at: int
    labels: list[tuple[Token, Run | None]] | None = None


@dataclass(eq=False, slots=True)
class PipeSpec:
    """``pipe T``."""

    element: Core
    at: int


@dataclass(eq=False, slots=True)
class SafeArraySpec:
    """``SAFEARRAY(T)``."""

    element: Specifiers
    at: int


Core: TypeAlias = BaseSpec | NamedSpec | RecordSpec | SwitchedSpec | EnumSpec | PipeSpec | SafeArraySpec


@dataclass(eq=False, slots=True)
class Specifiers:
    """What stands before the declarators: a type and words like ``const``."""

    core: Core
    at: int
    qualifiers: tuple[str, ...] = ()

    @property
    def const(self) -> bool:
        return "const" in self.qualifiers


# --- declarators -------------------------------------------------------------------------------


class PointerLayer(NamedTuple):
    at: int


class ArrayLayer(NamedTuple):
    """``[bound]``; ``bound`` is ``None`` for ``[]``."""

    at: int
    bound: Run | None


class FunctionLayer(NamedTuple):
    """``(parameters)``; ``end`` is the offset of the closing parenthesis."""

    at: int
    parameters: tuple[Field, ...]
    end: int


Layer: TypeAlias = PointerLayer | ArrayLayer | FunctionLayer


class Target(NamedTuple):
    """What is declared: a name and its layers, from the name outwards (``*a[]``: array, then pointer)."""

    name: str
    at: int
    layers: tuple[Layer, ...] = ()


class Declarator(NamedTuple):
    target: Target
    value: Run | None = None
    bits: Run | None = None


# --- declarations ------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Field:
    """A parameter, a member of a structure or the content of a union arm.

    ``specifiers`` is ``None`` for an empty arm and for ``...``.
    """

    attributes: Attributes
    specifiers: Specifiers | None
    targets: tuple[Declarator, ...]
    at: int
    end: int = -1


@dataclass(eq=False, slots=True)
class Case:
    """``case labels: content``; ``default`` is set where one of the labels is ``default``."""

    labels: tuple[Run, ...]
    default: bool
    content: Field


@dataclass(eq=False, slots=True)
class Declaration:
    """A typedef, constant, procedure, or (without declarators) a tagged type."""

    attributes: Attributes
    specifiers: Specifiers
    targets: tuple[Declarator, ...]
    at: int
    end: int
    typedef: bool = False


@dataclass(eq=False, slots=True)
class Import:
    files: tuple[Token, ...]


@dataclass(eq=False, slots=True)
class Forward:
    """``interface name;`` and its kin, also inside a coclass."""

    attributes: Attributes
    keyword: str
    name: str
    at: int


@dataclass(eq=False, slots=True)
class Block:
    """``library``, ``coclass``, ``namespace`` …: what only holds or lists other things."""

    attributes: Attributes
    keyword: str
    name: str
    items: list[Item]
    at: int


@dataclass(eq=False, slots=True)
class InterfaceBody:
    """An interface or dispinterface with its body; ``bases`` are the names after the colon."""

    attributes: Attributes
    keyword: str
    name: str
    bases: tuple[NamedSpec, ...]
    items: list[Item]
    at: int


Item: TypeAlias = Declaration | Import | Forward | Block | InterfaceBody

# --- attribute configuration files -------------------------------------------------------------


@dataclass(eq=False, slots=True)
class AcfTypes:
    """``typedef [attributes] names;``"""

    attributes: Attributes
    names: tuple[Token, ...]


@dataclass(eq=False, slots=True)
class AcfProcedure:
    """``[attributes] name([attributes] parameter, …);``"""

    attributes: Attributes
    name: Token
    parameters: tuple[tuple[Attributes, Token], ...]


@dataclass(eq=False, slots=True)
class AcfInterface:
    attributes: Attributes
    name: Token
    items: list[AcfTypes | AcfProcedure] = field(default_factory=list)


def start(token: Token) -> int:
    """The offset of a token, which lark leaves open for tokens of nowhere."""
    return token.start_pos or 0
