"""What a converted type may be: [transmit_as], [represent_as], [wire_marshal] and [user_marshal].

The IDL attributes stand on the type that programs see and name the type that is sent; the ACF attributes stand on the
type that is sent and name the other one, which may be unknown here (transmit-as.md, represent-as.md, wire-marshal.md,
user-marshal.md).
"""

from __future__ import annotations

from collections.abc import Iterator

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.context import Context
from rpcmemkit.idl.declared import Declared, Place
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.levels import assemble
from rpcmemkit.types import Array, ContextHandle, Converted, Opaque, Pointer, PointerKind, Type, parts_of

_NAMES_SENT = ("transmit_as", "wire_marshal")
_BY_ROUTINES = ("transmit_as", "represent_as")  # the others write bytes themselves


def check_conversion(context: Context, declared: Declared, place: Place) -> None:
    """Check every conversion of a typedef."""
    for attribute in declared.both.items:
        if row(attribute.name).converts:
            for finding in _problems(context, declared, attribute, place):
                context.complain(finding, declared, attribute)


def _problems(
    context: Context, declared: Declared, attribute: s.Attribute, place: Place
) -> Iterator[Finding]:
    own = assemble(declared.levels, declared.base, place.fallback)
    named = _named(context, attribute, place)
    sent, presented = (named, own) if attribute.name in _NAMES_SENT else (own, named)
    if isinstance(declared.base, ContextHandle):
        if "context_handle" not in declared.attributes:  # which has complained already
            yield (
                Finding.TRANSMITTED_CONTEXT
                if attribute.name == "transmit_as"
                else Finding.CONTEXT_AND_CONVERSION
            )
        return
    if _allocated(context, attribute):
        yield Finding.ALLOCATE_CONVERTED
    if any(
        isinstance(part, Opaque) and part.what == "pipe"
        for side in (sent, presented)
        if side
        for part in parts(side, through_pointers=True)
    ):
        yield Finding.CONVERTED_PIPE
    if attribute.name not in _BY_ROUTINES:
        yield from _wire_problems(sent)
        return
    if sent is not None and any(isinstance(part, Pointer) for part in parts(sent, through_pointers=True)):
        yield Finding.SENT_POINTERS
    if presented is not None and _open(presented):
        yield Finding.PRESENTED_NOT_FIXED


def _wire_problems(sent: Type | None) -> Iterator[Finding]:
    """The rules for types whose bytes the program writes (marshaling-rules-for-user-marshal-and-wire-marshal.md)."""
    if sent is None:
        return
    if any(_is_full(part) for part in parts(sent, through_pointers=True)):
        yield Finding.SENT_FULL_POINTER
    if not isinstance(sent, Pointer) and _open(sent):
        yield Finding.SENT_NOT_FIXED


def converted(context: Context, declared: Declared, place: Place) -> Converted | None:
    """The conversion that the attributes of a typedef ask for, or ``None``.

    [represent_as] lies over [transmit_as] (the-represent-as-attribute.md).
    """
    found: Converted | None = None
    for how in ("transmit_as", "wire_marshal", "represent_as", "user_marshal"):
        attribute = declared.both.get(how)
        if attribute is None:
            continue
        own = found or assemble(declared.levels, declared.base, place.fallback)
        words = " ".join(attribute.argument)
        named = _known(context, attribute, place) or Opaque("local", words)
        presented, sent = (own, named) if how in _NAMES_SENT else (named, own)
        found = Converted(words if how == "user_marshal" else declared.name, how, presented, sent, words)
        context.conversions.append(found)
    return found


def _named(context: Context, attribute: s.Attribute, place: Place) -> Type | None:
    """The type that the attribute names: that of the ACF may be one of the programming language only."""
    if attribute.name in _NAMES_SENT and context.type_argument(attribute, place) is None:
        return None
    return _known(context, attribute, place)


def _known(context: Context, attribute: s.Attribute, place: Place) -> Type | None:
    return _by_words(context, " ".join(attribute.argument), place)


def _by_words(context: Context, words: str, place: Place) -> Type | None:
    plain = words.removeprefix("const ").removesuffix("*").strip()
    found = context.type_of(plain)
    return Pointer(found, place.fallback) if found is not None and words.endswith("*") else found


def settle_conversions(context: Context, place: Place) -> None:
    """Give the local types that were declared after their use the meaning that they have by the end of the text."""
    for conversion in context.conversions:
        if isinstance(conversion.presented, Opaque) and conversion.presented.what == "local":
            conversion.presented = (
                _by_words(context, conversion.presented.name, place) or conversion.presented
            )


def _allocated(context: Context, attribute: s.Attribute) -> bool:
    """Whether the attribute file puts [allocate] on the other type of a conversion."""
    run = attribute.argument
    return "allocate" in context.acf.of_type(str(run[0])) if run else False


def _open(found: Type) -> bool:
    """Whether the size of a type, or of what a sized pointer names, varies at run time."""
    if isinstance(found, Pointer):
        return _is_open_array(found.target)
    return any(_is_open_array(part) for part in parts(found, through_pointers=False))


def _is_open_array(found: Type) -> bool:
    return isinstance(found, Array) and (found.conformant or found.varying)


def _is_full(found: Type) -> bool:
    return isinstance(found, Pointer) and found.kind is PointerKind.FULL


def parts(found: Type, *, through_pointers: bool) -> Iterator[Type]:
    """A type and every type inside it."""
    waiting, seen = [found], set()
    while waiting:
        type_ = waiting.pop()
        if id(type_) in seen:
            continue
        seen.add(id(type_))
        yield type_
        if isinstance(type_, Converted):
            waiting.append(type_.sent)
        elif through_pointers or not isinstance(type_, Pointer):
            waiting += parts_of(type_)
