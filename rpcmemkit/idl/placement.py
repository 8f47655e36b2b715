"""Where an attribute may stand, what may stand beside it, and which switches it needs: the same for IDL and ACF texts."""

from __future__ import annotations

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.context import Context
from rpcmemkit.idl.declared import Declared, Subject
from rpcmemkit.idl.findings import Finding
from rpcmemkit.types import BASES, ContextHandle, Pointer, Type

_PLACES = {"type": "typedef", "interface": "whole interface"}
_STATUS_ON_BOTH = {"comm_status": Finding.COMM_STATUS_ON_BOTH, "fault_status": Finding.FAULT_STATUS_ON_BOTH}


def check_attributes(context: Context, what: str, about: Subject, attributes: s.Attributes) -> None:
    """Check what the rows say of the attributes of both files.

    ``what`` has them: an ``interface``, ``procedure``, ``parameter``, ``type`` or ``member``.
    """
    for attribute in attributes.items:
        found = row(attribute.name)
        if found.places and what not in found.places:
            remedy = "put it on a " + " or a ".join(_PLACES.get(place, place) for place in found.places)
            context.complain(Finding.DOES_NOT_APPLY, about, attribute, remedy=remedy)
        elif found.acf and not attribute.acf and not context.switches.app_config:
            context.complain(Finding.ACF_ONLY, about, attribute)
        if not context.switches.has(attribute.name):
            feature, level = f"[{attribute.name}]", f"NT{found.since}"
            context.complain(found.too_old, about, attribute, feature=feature, level=level)
        for name, finding in found.excludes.items():
            other = attributes.get(name)
            mutual = attribute.name in row(name).excludes
            if other is not None and not (mutual and attribute.at < other.at):
                context.complain(finding, about, attribute, first=name, second=attribute.name)


def check_serialization(
    context: Context, about: Subject, attributes: s.Attributes, type_: Type | None
) -> None:
    """[context_handle_serialize] and its opposite, on a declaration of this type (context-handle-serialize.md)."""
    given = attributes.all("context_handle_serialize", "context_handle_noserialize")
    if len({attribute.name for attribute in given}) > 1:
        context.complain(Finding.SERIALIZE_EXCLUSIVE, about, given[-1])
    if not isinstance(type_, ContextHandle):
        for attribute in given:
            context.complain(Finding.NO_CONTEXT_HANDLE, about, attribute)


class StatusCheck:
    """Where [comm_status] and [fault_status] of one procedure stand: once each, on an error_status_t.

    Parameters are checked first (comm-status.md, fault-status.md).
    """

    def __init__(self, context: Context) -> None:
        self.complain = context.complain
        self.taken: dict[str, str] = {}  # which parameter takes the codes of an attribute

    def parameter(self, declared: Declared, type_: Type, is_in: bool) -> None:
        """Check a parameter: it is an [out]-only pointer to an error_status_t, and the only one."""
        for attribute in declared.both.all(*_STATUS_ON_BOTH):
            if attribute.name in self.taken:
                self.complain(Finding.STATUS_TWICE, declared, attribute)
            elif is_in or not isinstance(type_, Pointer):
                self.complain(Finding.STATUS_NO_OUT_POINTER, declared, attribute, bare=declared.name)
            elif not _is_status(type_.target):
                self.complain(Finding.STATUS_OTHER_TYPE, declared, attribute, bare=declared.name)
            self.taken.setdefault(attribute.name, declared.name)

    def procedure(self, about: Subject, attributes: s.Attributes, result: Type | None) -> None:
        """Check the procedure itself: its result takes the codes, and no parameter does."""
        for attribute in attributes.all(*_STATUS_ON_BOTH):
            if other := self.taken.get(attribute.name):
                self.complain(_STATUS_ON_BOTH[attribute.name], about, attribute, other=repr(other))
            elif not _is_status(result):
                self.complain(Finding.STATUS_RESULT, about, attribute)


def _is_status(type_: Type | None) -> bool:
    """Whether a type is error_status_t, which is an unsigned long under a name of its own."""
    return type_ is BASES["error_status_t"]
