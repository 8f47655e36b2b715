"""Where [comm_status] and [fault_status] may stand: what takes an error code (comm-status.md, fault-status.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.findings import Finding
from rpcmemkit.types import BASES, Pointer, Type

if TYPE_CHECKING:
    from rpcmemkit.idl.placement import Placement

_ON_BOTH = {"comm_status": Finding.COMM_STATUS_ON_BOTH, "fault_status": Finding.FAULT_STATUS_ON_BOTH}


class StatusCheck:
    """Checks the declarations of one procedure, its parameters first: each attribute stands once, on an error_status_t.

    ``extra`` are the attributes of the attribute file.
    """

    def __init__(self) -> None:
        self.taken: dict[str, str] = {}  # which parameter takes the codes of an attribute

    def parameter(
        self, place: Placement, type_: Type, is_in: bool, attributes: s.Attributes, extra: s.Attributes
    ) -> None:
        """Check a parameter: it is an [out]-only pointer to an error_status_t, and the only one."""
        for attribute, from_acf in place.given(attributes, extra, *_ON_BOTH):
            if attribute.name in self.taken:
                place.complain(Finding.STATUS_TWICE, attribute, from_acf)
            elif is_in or not isinstance(type_, Pointer):
                place.complain(Finding.STATUS_NO_OUT_POINTER, attribute, from_acf, bare=place.name)
            elif not _is_status(type_.target):
                place.complain(Finding.STATUS_OTHER_TYPE, attribute, from_acf, bare=place.name)
            self.taken.setdefault(attribute.name, place.name)

    def procedure(
        self, place: Placement, result: Type | None, attributes: s.Attributes, extra: s.Attributes
    ) -> None:
        """Check the procedure itself: its result takes the codes, and no parameter does."""
        for attribute, from_acf in place.given(attributes, extra, *_ON_BOTH):
            if other := self.taken.get(attribute.name):
                place.complain(_ON_BOTH[attribute.name], attribute, from_acf, other=repr(other))
            elif not _is_status(result):
                place.complain(Finding.STATUS_RESULT, attribute, from_acf)


def _is_status(type_: Type | None) -> bool:
    """Whether a type is error_status_t, which is an unsigned long under a name of its own."""
    return type_ is BASES["error_status_t"]
