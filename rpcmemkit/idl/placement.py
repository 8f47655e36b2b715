"""Where an attribute may stand, and which switches it needs: the same rules for IDL and ACF texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.source import Source
from rpcmemkit.idl.switches import SINCE
from rpcmemkit.types import ContextHandle, Type

if TYPE_CHECKING:
    from rpcmemkit.idl.resolve import Resolver

# The attributes of attribute files, and what they apply to (acf-attributes.md and the pages it lists).
_ACF: Mapping[str, tuple[str, ...]] = {
    "allocate": ("type",),
    "represent_as": ("type",),
    "user_marshal": ("type",),
    "cs_char": ("type",),
    "byte_count": ("parameter",),
    "force_allocate": ("parameter", "type"),
    "context_handle_serialize": ("parameter", "type", "procedure"),
    "context_handle_noserialize": ("parameter", "type", "procedure"),
    "comm_status": ("parameter", "procedure"),
    "fault_status": ("parameter", "procedure"),
    "cs_tag_rtn": ("procedure", "interface"),
    "notify": ("procedure",),
    "notify_flag": ("procedure",),
    "enable_allocate": ("procedure", "interface"),
    "explicit_handle": ("procedure", "interface"),
    "implicit_handle": ("interface",),
    "auto_handle": ("interface",),
    "strict_context_handle": ("interface",),
    "type_strict_context_handle": ("interface",),
    "code": ("procedure", "interface"),
    "nocode": ("procedure", "interface"),
    "optimize": ("procedure", "interface"),
    "encode": ("procedure", "interface", "type"),
    "decode": ("procedure", "interface", "type"),
}
_PLACES = {"type": "typedef", "interface": "whole interface"}
_SERIALIZE, _NOSERIALIZE = "context_handle_serialize", "context_handle_noserialize"


class Placement:
    """One declaration: what it is, what it is called, and its attributes of both files.

    ``what`` is ``interface``, ``procedure``, ``parameter``, ``type`` or ``member``.
    """

    def __init__(self, resolver: Resolver, what: str, name: str, source: Source) -> None:
        self.resolver = resolver
        self.switches = resolver.switches
        self.what = what
        self.name = name
        self.source = source

    def check(self, attributes: s.Attributes, extra: s.Attributes = s.NO_ATTRIBUTES) -> None:
        """Check attributes; ``extra`` are those of the attribute file."""
        for found, from_acf in ((attributes, False), (extra, True)):
            for attribute in found.items:
                self._one(attribute, from_acf)

    def _one(self, attribute: s.Attribute, from_acf: bool) -> None:
        places = _ACF.get(attribute.name)
        if places is not None and self.what not in places:
            remedy = "put it on a " + " or a ".join(_PLACES.get(place, place) for place in places)
            self.complain(Finding.DOES_NOT_APPLY, attribute, from_acf, remedy=remedy)
        elif places is not None and not from_acf and not self.switches.app_config:
            self.complain(Finding.ACF_ONLY, attribute, from_acf)
        if not self.switches.has(attribute.name):
            code = Finding.PTR_TOO_NEW if attribute.name == "ptr" else Finding.TARGET_TOO_OLD
            level = f"NT{SINCE[attribute.name]}"
            self.complain(code, attribute, from_acf, feature=f"[{attribute.name}]", level=level)

    def serialization(
        self, type_: Type | None, attributes: s.Attributes, extra: s.Attributes = s.NO_ATTRIBUTES
    ) -> None:
        """[context_handle_serialize] and its opposite, on a declaration of this type (context-handle-serialize.md)."""
        given = self.given(attributes, extra, _SERIALIZE, _NOSERIALIZE)
        if len({attribute.name for attribute, _ in given}) > 1:
            self.complain(Finding.SERIALIZE_EXCLUSIVE, *given[-1])
        if not isinstance(type_, ContextHandle):
            for attribute, from_acf in given:
                self.complain(Finding.NO_CONTEXT_HANDLE, attribute, from_acf)

    @staticmethod
    def given(attributes: s.Attributes, extra: s.Attributes, *names: str) -> list[tuple[s.Attribute, bool]]:
        """Return the attributes of these names, and of each whether the attribute file gives it."""
        both = ((attributes, False), (extra, True))
        return [(each, from_acf) for found, from_acf in both for each in found.items if each.name in names]

    def complain(self, finding: Finding, attribute: s.Attribute, from_acf: bool, /, **details: Any) -> None:
        source = (self.resolver.acf.source if from_acf else None) or self.source
        details = {"name": repr(self.name), "attribute": attribute.name} | details
        parameter = self.name if self.what == "parameter" else None
        self.resolver.report.add(
            finding, source, attribute.at, len(attribute.name), parameter=parameter, **details
        )
