"""The names of attributes: a misspelt one would quietly leave the default in force, so it is an error."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import Any

from rpcmemkit import given
from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.attributes import ATTRIBUTES, row
from rpcmemkit.idl.dialects import dialect_hint
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.source import Source

_LEAVES = (str, int, NoneType)  # a token is a str


def check_names(tree: Any, source: Source, report: Report, *, osf: bool) -> None:
    """Report every attribute in a syntax tree that does not exist, or only in the other mode (``osf``: DCE's)."""
    for attribute in _attributes(tree):
        name = attribute.name
        custom = "." in name  # an attribute type of the Windows Runtime, by its full name
        if name not in ATTRIBUTES and not custom:
            report.add(Finding.UNKNOWN_ATTRIBUTE, source, attribute, attribute=name, hint=_hint(name))
        elif row(name).only == "DCE" and not osf:
            report.add(Finding.ONLY_DCE, source, attribute, attribute=name)


def _hint(name: str) -> str:
    if told := dialect_hint(name):
        return told
    return given.hint(name.lower(), ATTRIBUTES, "take it out: MIDL has no such attribute", "[{}]")


def _attributes(tree: Any) -> Iterator[s.Attribute]:
    """Yield every attribute in a tree, in the order of the text; nothing recurses."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, s.Attributes):
            yield from node.items
            continue
        slots = () if isinstance(node, (list, tuple)) else node.__slots__
        parts = [getattr(node, name) for name in slots] if slots else node
        waiting.extend(part for part in reversed(parts) if not isinstance(part, _LEAVES))
