"""What DCE's compiler refuses (the OSF reference's idl_compiler/checker.c); MIDL has no numbers for it, and here it works.

Its catalogue has more messages of this kind, on [unique] pointers in [out] data and in unions and on conformant inner
dimensions; the reference never issues them.
"""

from __future__ import annotations

from itertools import pairwise

from rpcmemkit.idl.context import Context
from rpcmemkit.idl.declared import Declared
from rpcmemkit.idl.findings import Finding
from rpcmemkit.types import Array, Parameter, Pointer, PointerKind, Struct, Type


def check_dce(context: Context, declared: Declared, parameter: Parameter) -> None:
    """Check a parameter of a DCE interface."""
    for outer, inner in pairwise(declared.levels):
        if outer.pointer and inner.form == "array" and (inner.length is not None or inner.first is not None):
            context.complain(Finding.DCE_VARYING_POINTER, declared, None)
    if not parameter.is_in and isinstance(parameter.type, Pointer) and _open_below(parameter.type):
        context.complain(Finding.DCE_OUT_CONFORMANT, declared, None)


def _open_below(top: Pointer) -> bool:
    """Whether only [ref] pointers lead from a parameter to an array that nobody can make room for."""
    waiting, seen = list(_reached(top.target)), set()
    while waiting:
        type_ = waiting.pop()
        if id(type_) in seen:
            continue
        seen.add(id(type_))
        if isinstance(type_, Array) and type_.conformant:
            return True
        waiting.extend(_reached(type_))
    return False


def _reached(type_: Type) -> list[Type]:
    if isinstance(type_, Pointer) and type_.kind is PointerKind.REF:
        return [type_.target]
    if isinstance(type_, Array):
        return [type_.element]
    return [member.type for member in type_.members] if isinstance(type_, Struct) else []
