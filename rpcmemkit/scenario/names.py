"""Checking the names that a scenario's data mentions: statuses, rules, claims, and labels that could mean two things."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rpcmemkit.claims import claims
from rpcmemkit.errors import ScenarioError
from rpcmemkit.rules import RULES
from rpcmemkit.scenario.document import Document, Path
from rpcmemkit.scenario.validate import marked_maps
from rpcmemkit.status import STATUSES, status_code

_ROOT = re.compile(r"\w+(?=$|[.\[@#])")
_WRAPPERS = ("$value", "$elements")


def check_names(document: Document, data: Mapping[str, Any]) -> None:
    """Check the names in data that fits the schema.

    Raises:
        ScenarioError: a name that means nothing, or a label that is the path of other storage; the first in the file.
    """
    found = [*_statuses(document, data), *_facts(document, data), *_labels(document, data)]
    if found:
        raise min(found, key=lambda error: (error.line, error.column))


# --- statuses, rules, claims ------------------------------------------------------------------


def _statuses(document: Document, data: Mapping[str, Any]) -> Iterator[ScenarioError]:
    known = ["ok", *(name for status in STATUSES for name in (status.name, *status.aliases))]
    for path, name in _status_names(data):
        try:
            status_code(name)
        except KeyError:
            yield _unknown(document, path, "status", name, known, "its number will do")


def _status_names(data: Mapping[str, Any]) -> Iterator[tuple[Path, str | int]]:
    """Yield every status that a step expects or raises."""
    for number, step in enumerate(data.get("steps") or []):
        expected = step.get("expect") or {}
        if "status" in expected:
            yield ("steps", number, "expect", "status"), expected["status"]
        for index, name in enumerate(expected.get("statuses", [])):
            yield ("steps", number, "expect", "statuses", index), name
        for index, action in enumerate(step.get("server") or []):
            if "raise" in action:
                yield ("steps", number, "server", index, "raise"), action["raise"]


def _facts(document: Document, data: Mapping[str, Any]) -> Iterator[ScenarioError]:
    """Rules that must take effect, and claims that the file is evidence for."""
    for number, step in enumerate(data.get("steps") or []):
        for index, name in enumerate((step.get("expect") or {}).get("rules", [])):
            if name not in RULES:
                path = ("steps", number, "expect", "rules", index)
                yield _unknown(document, path, "rule", name, RULES, "see them all with: rpcmemkit rules")
    for index, name in enumerate(data.get("claims") or []):
        if name not in claims():
            yield _unknown(document, ("claims", index), "claim", name, claims(), "see: rpcmemkit claims")


def _unknown(
    document: Document, path: Path, what: str, name: str | int, known: Collection[str], otherwise: str
) -> ScenarioError:
    close = difflib.get_close_matches(str(name), known, 1)
    remedy = f"did you mean `{close[0]}`?" if close else otherwise
    return document.error(path, f"there is no {what} `{name}`", remedy=remedy)


# --- labels -----------------------------------------------------------------------------------


def _labels(document: Document, data: Mapping[str, Any]) -> Iterator[ScenarioError]:
    """A label that reads like the path of other storage: ``$alias`` and ``orphaned`` could mean either."""
    roots = _unlabelled(data)
    for path, value in marked_maps(data):
        label = value.get("$label")
        if label is None or "expect" in path[:3]:
            continue
        root = _ROOT.match(label)
        if root and root[0] in roots and label != _storage_path(path):
            message = f"the label `{label}` is also the path of other storage"
            yield document.error((*path, "$label"), message, remedy="give this storage another label")


def _unlabelled(data: Mapping[str, Any]) -> set[str]:
    """Return the names of arguments and memory entries that give their storage no label: it is known by its path."""
    named = [data.get("memory") or {}, *(step.get("arguments") or {} for step in data.get("steps") or [])]
    values = [item for each in named for item in each.items()]
    return {name for name, value in values if not (value is None or _has_label(value))}


def _has_label(value: Any) -> bool:
    return isinstance(value, Mapping) and not value.keys().isdisjoint(("$label", "$alias"))


def _storage_path(path: Path) -> str:
    """Return the path by which storage written there is known without a label: ``root.left``."""
    start = path.index("arguments") if "arguments" in path else 0
    steps = (step for step in path[start + 1 :] if step not in _WRAPPERS)
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
