"""The memory attributes of the attribute file: [allocate], [force_allocate], [byte_count]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.findings import Finding
from rpcmemkit.types import Array, Base, ContextHandle, Converted, Opaque, Parameter, Pointer, Struct

if TYPE_CHECKING:
    from rpcmemkit.idl.declared import Declared
    from rpcmemkit.idl.resolve import Resolver

_OPTIONS = {"single_node": "nodes", "all_nodes": "nodes", "free": "freeing", "dont_free": "freeing"}
_SIZE_ATTRIBUTES = ("size_is", "max_is", "length_is", "first_is", "last_is")
_CONVERSIONS = ("wire_marshal", "user_marshal", "transmit_as", "represent_as")


def apply_allocate(resolver: Resolver, declared: Declared, extra: s.Attributes) -> None:
    """[allocate] and [force_allocate] on a typedef: every use of the type has them (allocate.md)."""
    for attributes, from_acf in ((declared.attributes, False), (extra, True)):
        for attribute in attributes.items:
            if attribute.name == "allocate":
                _allocate(resolver, declared, attribute, from_acf, extra)
            elif attribute.name == "force_allocate":
                force_allocate(declared)


def force_allocate(declared: Declared) -> None:
    """No pointer of this type may point into the receive buffer (force-allocate.md)."""
    for level in declared.levels:
        level.force_allocate = True


def apply_parameter(resolver: Resolver, declared: Declared, extra: s.Attributes) -> None:
    """[partial_ignore] and [force_allocate] on a parameter, from the attribute file."""
    if declared.outer is not None and "partial_ignore" in extra:
        declared.outer.partial_ignore = True
    attribute = extra.get("force_allocate")
    if attribute is None:
        return
    force_allocate(declared)
    if not declared.levels:
        complain_about(
            resolver, Finding.FORCE_ALLOCATE_NO_POINTER, declared, attribute, True, attribute="force_allocate"
        )


def _allocate(
    resolver: Resolver, declared: Declared, attribute: s.Attribute, from_acf: bool, extra: s.Attributes
) -> None:
    def complain(finding: Finding, /, **details: Any) -> None:
        complain_about(resolver, finding, declared, attribute, from_acf, **details)

    if resolver.osf:
        complain(Finding.ALLOCATE_IN_DCE)
    options = {str(run[0]) for run in attribute.arguments if run}
    for option in sorted(options - set(_OPTIONS)):
        complain(Finding.ALLOCATE_OPTION, option=option)
    for first, second in (("all_nodes", "single_node"), ("dont_free", "free")):
        if {first, second} <= options:
            complain(Finding.ALLOCATE_OPTIONS_EXCLUSIVE, first=first, second=second)
    if finding := _not_allocatable(declared, extra):
        complain(finding)
        return
    declared.levels[0].all_nodes |= "all_nodes" in options
    declared.levels[0].dont_free |= "dont_free" in options


def _not_allocatable(declared: Declared, extra: s.Attributes) -> Finding | None:
    """Why a type cannot carry [allocate]."""
    base = declared.base
    if isinstance(base, ContextHandle) or (isinstance(base, Opaque) and base.what == "handle"):
        return Finding.ALLOCATE_HANDLE
    if declared.generic:
        return Finding.ALLOCATE_HANDLE
    conversion = declared.attributes.get(*_CONVERSIONS) or extra.get(*_CONVERSIONS)
    if conversion or isinstance(base, Converted):
        return Finding.ALLOCATE_CONVERTED
    if (
        not declared.levels
        or not declared.levels[0].pointer
        or (isinstance(base, Opaque) and base.what == "void")
    ):
        return Finding.ALLOCATE_NO_POINTER
    return None


def complain_about(
    resolver: Resolver,
    finding: Finding,
    declared: Declared,
    attribute: s.Attribute,
    from_acf: bool,
    /,
    **details: Any,
) -> None:
    source = (resolver.acf.source if from_acf else None) or declared.source
    details.setdefault("name", repr(declared.name))
    resolver.report.add(
        finding, source, attribute.at, len(attribute.name), parameter=declared.parameter, **details
    )


def check_orphaning(resolver: Resolver, declared: Declared, parameter: Parameter) -> None:
    """[allocate(all_nodes)] on [in, out] data leaves the client's old nodes behind (allocate.md)."""
    if parameter.is_in and parameter.is_out and any(level.all_nodes for level in declared.levels):
        resolver.complain(Finding.ORPHANS, declared)


def check_byte_count(
    resolver: Resolver,
    declared: Declared,
    parameter: Parameter,
    extra: s.Attributes,
    others: Mapping[str, tuple[Declared, Parameter]],
) -> None:
    """The rules of byte-count.md: an [out] pointer of fixed size, whose buffer size an [in] integer gives."""
    from_acf = "byte_count" in extra
    attribute = extra.get("byte_count") or declared.attributes.get("byte_count")
    if attribute is None:
        return

    def complain(finding: Finding, /, **details: Any) -> None:
        assert attribute is not None
        complain_about(resolver, finding, declared, attribute, from_acf, **details)

    if resolver.osf:
        complain(Finding.BYTE_COUNT_IN_DCE)
    if resolver.switches.ndr64:
        complain(Finding.BYTE_COUNT_NDR64)
    run = attribute.arguments[0] if attribute.arguments else None
    name = str(run[0]) if run else ""
    count = others.get(name)
    if count is None:
        complain(Finding.UNKNOWN_IN_ATTRIBUTE, name=repr(name), attribute="byte_count")
    elif not count[1].is_out and not (isinstance(count[1].type, Base) and count[1].type.code not in "fd"):
        complain(Finding.BYTE_COUNT_NO_INTEGER, other=repr(name))
    if finding := _buffer_problem(declared, parameter, count[1] if count else None):
        complain(finding, other=repr(name))


def _buffer_problem(declared: Declared, parameter: Parameter, count: Parameter | None) -> Finding | None:
    """Why a parameter cannot be an application's buffer."""
    if not parameter.is_out or not isinstance(parameter.type, Pointer):
        return Finding.BYTE_COUNT_NO_OUT
    if declared.attributes.get(*_SIZE_ATTRIBUTES):
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
