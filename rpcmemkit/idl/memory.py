"""The memory attributes of the attribute file: [allocate], [force_allocate], [byte_count]."""

from __future__ import annotations

from collections.abc import Mapping

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.context import Context
from rpcmemkit.idl.declared import Declared
from rpcmemkit.idl.findings import Finding
from rpcmemkit.types import Array, Base, ContextHandle, Converted, Opaque, Parameter, Pointer, Struct

_OPTIONS = {"single_node", "all_nodes", "free", "dont_free"}


def apply_allocate(context: Context, declared: Declared) -> None:
    """[allocate] on a typedef: every use of the type has it (allocate.md)."""
    for attribute in declared.both.items:
        if attribute.name == "allocate":
            _allocate(context, declared, attribute)


def apply_parameter(context: Context, declared: Declared) -> None:
    """What the attribute file says of the levels of a parameter."""
    declared.mark(declared.acf)
    for attribute in declared.acf.items if not declared.levels else ():
        if row(attribute.name).sets:
            context.complain(Finding.FORCE_ALLOCATE_NO_POINTER, declared, attribute)


def _allocate(context: Context, declared: Declared, attribute: s.Attribute) -> None:
    if context.osf:
        context.complain(Finding.ALLOCATE_IN_DCE, declared, attribute)
    options = {str(run[0]) for run in attribute.arguments if run}
    for option in sorted(options - _OPTIONS):
        context.complain(Finding.ALLOCATE_OPTION, declared, attribute, option=option)
    for first, second in (("all_nodes", "single_node"), ("dont_free", "free")):
        if {first, second} <= options:
            context.complain(
                Finding.ALLOCATE_OPTIONS_EXCLUSIVE, declared, attribute, first=first, second=second
            )
    if finding := _not_allocatable(declared):
        context.complain(finding, declared, attribute)
        return
    declared.levels[0].flags |= options & {"all_nodes", "dont_free"}


def _not_allocatable(declared: Declared) -> Finding | None:
    """Why a type cannot carry [allocate]."""
    base = declared.base
    if isinstance(base, ContextHandle) or (isinstance(base, Opaque) and base.what == "handle"):
        return Finding.ALLOCATE_HANDLE
    if declared.generic:
        return Finding.ALLOCATE_HANDLE
    conversion = any(row(attribute.name).converts for attribute in declared.both.items)
    if conversion or isinstance(base, Converted):
        return Finding.ALLOCATE_CONVERTED
    if (
        not declared.levels
        or not declared.levels[0].pointer
        or (isinstance(base, Opaque) and base.what == "void")
    ):
        return Finding.ALLOCATE_NO_POINTER
    return None


def check_orphaning(context: Context, declared: Declared, parameter: Parameter) -> None:
    """[allocate(all_nodes)] on [in, out] data leaves the client's old nodes behind (allocate.md)."""
    if parameter.is_in and parameter.is_out and any("all_nodes" in level.flags for level in declared.levels):
        context.complain(Finding.ORPHANS, declared)


def check_byte_count(
    context: Context,
    declared: Declared,
    parameter: Parameter,
    others: Mapping[str, tuple[Declared, Parameter]],
) -> None:
    """The rules of byte-count.md: an [out] pointer of fixed size, whose buffer size an [in] integer gives."""
    attribute = declared.acf.get("byte_count") or declared.attributes.get("byte_count")
    if attribute is None:
        return
    if context.osf:
        context.complain(Finding.BYTE_COUNT_IN_DCE, declared, attribute)
    if context.switches.ndr64:
        context.complain(Finding.BYTE_COUNT_NDR64, declared, attribute)
    name = str(attribute.argument[0]) if attribute.argument else ""
    _, count = others.get(name, (None, None))
    if count is None:
        context.complain(Finding.UNKNOWN_IN_ATTRIBUTE, declared, attribute, name=repr(name))
    elif not count.is_out and not (isinstance(count.type, Base) and count.type.code not in "fd"):
        context.complain(Finding.BYTE_COUNT_NO_INTEGER, declared, attribute, other=repr(name))
    if finding := _buffer_problem(declared, parameter, count):
        context.complain(finding, declared, attribute, other=repr(name))


def _buffer_problem(declared: Declared, parameter: Parameter, count: Parameter | None) -> Finding | None:
    """Why a parameter cannot be an application's buffer."""
    if not parameter.is_out or not isinstance(parameter.type, Pointer):
        return Finding.BYTE_COUNT_NO_OUT
    if any(row(attribute.name).counts for attribute in declared.attributes.items):
        return Finding.BYTE_COUNT_SIZED
    if _conformant(parameter.type):
        return Finding.BYTE_COUNT_CONFORMANT
    if parameter.is_in or (count is not None and count.is_out):
        return Finding.BYTE_COUNT_DIRECTION
    return None


def _conformant(pointer: Pointer) -> bool:
    target = pointer.target
    while isinstance(target, Struct) and target.members:
        target = target.members[-1].type
    return isinstance(target, Array) and target.conformant
