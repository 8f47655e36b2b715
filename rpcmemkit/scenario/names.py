"""Checking the names that a scenario's data mentions: statuses, rules and claims."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rpcmemkit import given
from rpcmemkit.claims import claims
from rpcmemkit.errors import ScenarioError
from rpcmemkit.rules import RULES
from rpcmemkit.scenario.document import Document, Path
from rpcmemkit.scenario.validate import marked_maps
from rpcmemkit.status import STATUSES, status_code

_WRAPPERS = ("$value", "$elements")


def check_names(document: Document, data: Mapping[str, Any]) -> None:
    """Check the names in data that fits the schema.

    Raises:
        ScenarioError: a name that means nothing; the first in the file.
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


def _labels(document: Document, data: Mapping[str, Any]) -> Iterator[ScenarioError]:
    """Labels are printed, so they must be something that can be seen."""
    for path, value in marked_maps(data):
        for key in ("$label", "$alias", "$context"):
            if not str(value.get(key, "")).isprintable():
                shown = ascii(value[key])
                yield document.error((*path, key), f"the label {shown} has characters that cannot be seen")


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
    close = given.closest(str(name), known)
    remedy = f"did you mean `{close}`?" if close else otherwise
    return document.error(path, f"there is no {what} `{name}`", remedy=remedy)
