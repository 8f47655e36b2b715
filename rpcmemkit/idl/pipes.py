"""Where a pipe may stand and what may flow through it (pipe.md).

A pipe is no value but a way: the stubs call procedures of the application for each chunk. So it is a parameter, by value or
behind one [ref] pointer, and its elements have one size and lead nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from rpcmemkit.idl.conversions import parts
from rpcmemkit.idl.declared import Declared
from rpcmemkit.types import (
    Array,
    Base,
    ContextHandle,
    Converted,
    EncapsulatedUnion,
    EnumType,
    Opaque,
    Pointer,
    PointerKind,
    Ranged,
    Union,
)


def misplaced(declared: Declared, *, result: bool) -> str:
    """Say what is wrong with the place of a pipe that is no part of an array or a structure, or nothing."""
    if result:
        return "is a result"
    pointers = [level for level in declared.levels if level.pointer]
    if len(pointers) > 1:
        return "lies behind two pointers"
    if any(level.kind not in (None, PointerKind.REF) for level in pointers):
        return "lies behind a pointer that may be null"
    return ""


def not_sent(pipe: Opaque, *, osf: bool) -> Iterator[str]:
    """Yield what the elements of a pipe may not hold, and hold. Unions and 16-bit enumerations are DCE's alone."""
    assert pipe.element is not None
    for part in parts(pipe.element, through_pointers=False):
        if isinstance(part, Ranged):
            part = part.target
        if isinstance(part, Pointer):
            yield "a pointer"
        elif isinstance(part, Array) and (part.conformant or part.varying or part.string):
            yield "an array whose size varies"
        elif isinstance(part, (ContextHandle, Opaque)):
            yield "a handle" if isinstance(part, ContextHandle) or part.what == "handle" else f"a {part.what}"
        elif isinstance(part, Converted):
            yield "a type with a conversion"
        elif not osf and isinstance(part, (Union, EncapsulatedUnion)):
            yield "a union"
        elif not osf and isinstance(part, EnumType) and not part.v1:
            yield "an enumeration without [v1_enum]"
        elif not osf and isinstance(part, Base) and part.pointer_sized:
            yield "an __int3264"
