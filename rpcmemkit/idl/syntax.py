"""The syntax tree: what was written, before any name or default is looked up.

Every ``at`` is an offset into the text of the :class:`~rpcmemkit.idl.source.Source` that was parsed.
"""

from __future__ import annotations

from dataclasses import dataclass
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
        return next((attribute for attribute in self.items if attribute.name in names), None)

    def all(self, *names: str) -> list[Attribute]:
        """All attributes with one of these names."""
        return [attribute for attribute in self.items if attribute.name in names]

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


@dataclass(eq=False, slots=True, repr=False)
class RecordSpec:
    """A structure or union (``keyword``); ``members`` is ``None`` where only the tag is named.

    An encapsulated union, ``union tag switch (T switch_name) union_name { case … }``, has a ``switch``; what its cases
    say are attributes of its members, as ``[case(…)]`` and ``[default]`` are in other unions.
    """

    keyword: str
    tag: str | None
    at: int
    members: list[Declaration] | None = None
    switch: Specifiers | None = None
    switch_name: str = ""
    union_name: str | None = None


@dataclass(eq=False, slots=True, repr=False)
class EnumSpec:
    """An enumeration; ``labels`` is ``None`` where only the tag is named."""

    tag: str | None
    at: int
    labels: list[tuple[Token, Run | None]] | None = None


class HolderSpec(NamedTuple):
    """``pipe T`` and ``SAFEARRAY(T)``; ``what`` is ``pipe`` or ``safearray``."""

    what: str
    element: Core
    at: int


Core: TypeAlias = BaseSpec | NamedSpec | RecordSpec | EnumSpec | HolderSpec


class Specifiers(NamedTuple):
    """What stands before the declarators: a type and words like ``const``."""

    core: Core
    at: int
    qualifiers: tuple[str, ...] = ()

    @property
    def const(self) -> bool:
        return "const" in self.qualifiers


# --- declarations ------------------------------------------------------------------------------


class PointerLayer(NamedTuple):
    at: int


class ArrayLayer(NamedTuple):
    """``[bound]``; ``bound`` is ``None`` for ``[]``."""

    at: int
    bound: Run | None


class FunctionLayer(NamedTuple):
    """``(parameters)``; ``at`` is the offset of the closing parenthesis."""

    at: int
    parameters: tuple[Declaration, ...]


Layer: TypeAlias = PointerLayer | ArrayLayer | FunctionLayer


class Target(NamedTuple):
    """What is declared: a name and its layers, from the name outwards (``*a[]``: array, then pointer).

    ``value`` is that of a constant, ``bits`` the width of a bit-field.
    """

    name: str
    at: int
    layers: tuple[Layer, ...] = ()
    value: Run | None = None
    bits: Run | None = None


@dataclass(eq=False, slots=True, repr=False)
class Declaration:
    """A typedef, constant, procedure, parameter, member, union arm, or (without targets) a tagged type.

    An empty arm and ``...`` declare nothing: they have no targets, and no words for a type.
    """

    attributes: Attributes
    specifiers: Specifiers
    targets: tuple[Target, ...]
    at: int
    end: int = -1
    typedef: bool = False


class Import(NamedTuple):
    files: tuple[Token, ...]


@dataclass(eq=False, slots=True, repr=False)
class Block:
    """An interface, or what only holds or lists other things: ``library``, ``coclass``, ``namespace`` …

    ``items`` is ``None`` where only the name is announced: ``interface name;``. ``bases`` are the names after the colon.
    """

    attributes: Attributes
    keyword: str
    name: str
    at: int
    items: list[Item] | None = None
    bases: tuple[NamedSpec, ...] = ()

    @property
    def is_interface(self) -> bool:
        """Whether it defines an interface."""
        return self.items is not None and self.keyword in ("interface", "dispinterface")


Item: TypeAlias = Declaration | Import | Block

# --- attribute configuration files -------------------------------------------------------------


class AcfTypes(NamedTuple):
    """``typedef [attributes] names;``"""

    attributes: Attributes
    names: tuple[Token, ...]


class AcfProcedure(NamedTuple):
    """``[attributes] name([attributes] parameter, …);``"""

    attributes: Attributes
    name: Token
    parameters: tuple[tuple[Attributes, Token], ...]


class AcfInterface(NamedTuple):
    attributes: Attributes
    name: Token
    items: list[AcfTypes | AcfProcedure]


def start(token: Token) -> int:
    """The offset of a token, which lark leaves open for tokens of nowhere."""
    return token.start_pos or 0
