"""Where an attribute may stand, what may stand beside it, and which switches it needs: the same for IDL and ACF texts."""

from __future__ import annotations

from typing import Any

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.attributes import row
from rpcmemkit.idl.context import Context
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.source import Source
from rpcmemkit.types import BASES, ContextHandle, Pointer, Type

_PLACES = {"type": "typedef", "interface": "whole interface"}
_SERIALIZE = ("context_handle_serialize", "context_handle_noserialize")
_STATUS_ON_BOTH = {"comm_status": Finding.COMM_STATUS_ON_BOTH, "fault_status": Finding.FAULT_STATUS_ON_BOTH}


class Placement:
    """One declaration: what it is, what it is called, and its attributes of both files.

    ``what`` is ``interface``, ``procedure``, ``parameter``, ``type`` or ``member``.
    """

    def __init__(
        self, context: Context, what: str, name: str, source: Source, attributes: s.Attributes
    ) -> None:
        self.context = context
        self.what = what
        self.name = name
        self.source = source
        self.attributes = attributes

    def check(self) -> None:
        """Check what the rows of the attributes say."""
        for attribute in self.attributes.items:
            self._place(attribute)
            self._target(attribute)
            self._excluded(attribute)

    def _place(self, attribute: s.Attribute) -> None:
        found = row(attribute.name)
        if found.places and self.what not in found.places:
            remedy = "put it on a " + " or a ".join(_PLACES.get(place, place) for place in found.places)
            self.complain(Finding.DOES_NOT_APPLY, attribute, remedy=remedy)
        elif found.acf and not attribute.acf and not self.context.switches.app_config:
            self.complain(Finding.ACF_ONLY, attribute)

    def _target(self, attribute: s.Attribute) -> None:
        if not self.context.switches.has(attribute.name):
            found = row(attribute.name)
            feature, level = f"[{attribute.name}]", f"NT{found.since}"
            self.complain(found.too_old, attribute, feature=feature, level=level)

    def _excluded(self, attribute: s.Attribute) -> None:
        for name, finding in row(attribute.name).excludes.items():
            other = self.attributes.get(name)
            mutual = attribute.name in row(name).excludes
            if other is not None and not (mutual and attribute.at < other.at):
                self.complain(finding, attribute, first=name, second=attribute.name)

    def serialization(self, type_: Type | None) -> None:
        """[context_handle_serialize] and its opposite, on a declaration of this type (context-handle-serialize.md)."""
        given = self.given(*_SERIALIZE)
        if len({attribute.name for attribute in given}) > 1:
            self.complain(Finding.SERIALIZE_EXCLUSIVE, given[-1])
        if not isinstance(type_, ContextHandle):
            for attribute in given:
                self.complain(Finding.NO_CONTEXT_HANDLE, attribute)

    def given(self, *names: str) -> list[s.Attribute]:
        """Return the attributes of these names."""
        return [each for each in self.attributes.items if each.name in names]

    def complain(self, finding: Finding, attribute: s.Attribute, /, **details: Any) -> None:
        parameter = self.name if self.what == "parameter" else None
        self.context.complain_of(finding, attribute, self.source, self.name, parameter, **details)


class StatusCheck:
    """Where [comm_status] and [fault_status] of one procedure stand: once each, on an error_status_t.

    Parameters are checked first (comm-status.md, fault-status.md).
    """

    def __init__(self) -> None:
        self.taken: dict[str, str] = {}  # which parameter takes the codes of an attribute

    def parameter(self, place: Placement, type_: Type, is_in: bool) -> None:
        """Check a parameter: it is an [out]-only pointer to an error_status_t, and the only one."""
        for attribute in place.given(*_STATUS_ON_BOTH):
            if attribute.name in self.taken:
                place.complain(Finding.STATUS_TWICE, attribute)
            elif is_in or not isinstance(type_, Pointer):
                place.complain(Finding.STATUS_NO_OUT_POINTER, attribute, bare=place.name)
            elif not _is_status(type_.target):
                place.complain(Finding.STATUS_OTHER_TYPE, attribute, bare=place.name)
            self.taken.setdefault(attribute.name, place.name)

    def procedure(self, place: Placement, result: Type | None) -> None:
        """Check the procedure itself: its result takes the codes, and no parameter does."""
        for attribute in place.given(*_STATUS_ON_BOTH):
            if other := self.taken.get(attribute.name):
                place.complain(_STATUS_ON_BOTH[attribute.name], attribute, other=repr(other))
            elif not _is_status(result):
                place.complain(Finding.STATUS_RESULT, attribute)


def _is_status(type_: Type | None) -> bool:
    """Whether a type is error_status_t, which is an unsigned long under a name of its own."""
    return type_ is BASES["error_status_t"]
