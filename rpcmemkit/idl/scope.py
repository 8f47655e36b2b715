"""What names mean while a file is compiled."""

from __future__ import annotations

from dataclasses import dataclass, field

from rpcmemkit.idl.levels import Level
from rpcmemkit.idl.source import Source
from rpcmemkit.types import BASES, EncapsulatedUnion, EnumType, Interface, Opaque, Struct, Type, Union

_WIDTHS = {"int": "long", "long long": "hyper", "__int64": "hyper", "__int32": "long", "__int16": "short",
           "__int8": "small", "": "long"}  # fmt: skip
_SIGNED_ALREADY = {"small", "short", "long", "hyper", "__int3264"}
_UNSIGNABLE = _SIGNED_ALREADY | {"char"}


@dataclass(eq=False, slots=True)
class Alias:
    """A typedef: what it stands for, and where it was written (``None`` for predefined names)."""

    name: str
    levels: list[Level]
    base: Type
    source: Source | None = None
    const: bool = False


Record = Struct | Union | EncapsulatedUnion | EnumType


@dataclass(eq=False, slots=True)
class Scope:
    """The four name spaces. ``incomplete`` holds the tagged types whose members are not known yet."""

    aliases: dict[str, Alias] = field(default_factory=dict)
    tags: dict[str, Record] = field(default_factory=dict)
    constants: dict[str, object] = field(default_factory=dict)
    interfaces: dict[str, Interface | None] = field(default_factory=dict)
    incomplete: set[int] = field(default_factory=set)

    def own_types(self, *, pointers: bool = False) -> list[str]:
        """The names of the types that files have defined; or of the pointer types, ``void *`` aside."""
        own = [alias for alias in self.aliases.values() if alias.source is not None]
        if pointers:
            own = [each for each in own if each.levels and each.levels[0].pointer]
            own = [each for each in own if not (isinstance(each.base, Opaque) and each.base.what == "void")]
        return [each.name for each in own]

    def interface(self, name: str) -> Interface | None:
        """A defined interface, by its plain or qualified name."""
        return self.interfaces.get(name.rpartition(".")[2])


def predefined() -> Scope:
    """The names every file starts with (midl-predefined-and-base-types.md)."""
    scope = Scope(constants={"TRUE": 1, "FALSE": 0, "NULL": 0})
    for name in ("boolean", "byte", "wchar_t", "error_status_t"):
        scope.aliases[name] = Alias(name, [], BASES[name])
    scope.aliases["handle_t"] = Alias("handle_t", [], Opaque("handle", "handle_t"))
    return scope


def base_type(words: str) -> Type | None:
    """The type that C's words name in any of their orders, or ``None``."""
    if words == "void":
        return Opaque("void", "void")
    parts = words.split()
    sign = [part for part in parts if part in ("signed", "unsigned")]
    rest = [part for part in parts if part not in ("signed", "unsigned")]
    if len(rest) > 1 and "int" in rest:
        rest.remove("int")
    name = _WIDTHS.get(" ".join(rest), " ".join(rest))
    if len(sign) > 1:
        return None
    if sign == ["unsigned"]:
        return BASES.get(f"unsigned {name}") if name in _UNSIGNABLE else None
    if sign == ["signed"]:
        return BASES.get("signed char" if name == "char" else name if name in _SIGNED_ALREADY else "")
    return BASES.get(name)
