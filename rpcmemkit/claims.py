"""The claims: facts of RPC memory management that can be checked, each with its source and with the evidence for it.

The facts are data written by hand (``data/claims.yaml``); the evidence is generated from the tests and scenario files that
name them (``data/evidence.json``, see ``tools/evidence.py``) and never edited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from textwrap import wrap
from types import MappingProxyType
from typing import Any

from rpcmemkit.data import text_of, yaml_table
from rpcmemkit.rules import RULES


@dataclass(frozen=True, slots=True, repr=False)
class Claim:
    """One fact.

    ``verify`` says how it can be checked: ``simulate``, ``wire``, ``compile``, or ``document`` when it can only be told.
    ``rules`` are the rules of the kit that carry it out, ``tests`` and ``scenarios`` the evidence for it.
    """

    id: str
    topic: str
    statement: str
    side: str
    when: str
    then: str
    verify: tuple[str, ...]
    source: tuple[str, ...]
    note: str
    rules: tuple[str, ...]
    tests: tuple[str, ...]
    scenarios: tuple[str, ...]

    @property
    def testable(self) -> bool:
        """Whether something can be run that would show it to be wrong."""
        return self.verify != ("document",)

    @property
    def proven(self) -> bool:
        """Whether a test or a scenario file is evidence for it."""
        return bool(self.tests or self.scenarios)

    def as_json(self) -> dict[str, Any]:
        """Return everything under the names of the fields."""
        return asdict(self)

    def __repr__(self) -> str:
        lines = [f"{self.id} ({self.topic})", *wrap(self.statement, 74)]
        lines += wrap(f"when: {self.when}", 74) + wrap(f"then: {self.then}", 74)
        lines += wrap(f"note: {self.note}", 74) if self.note else []
        lines += wrap("source: " + ", ".join(self.source), 74)
        lines += wrap("rules: " + ", ".join(self.rules), 74) if self.rules else []
        lines += [f"evidence: {each}" for each in (*self.tests, *self.scenarios)]
        if not self.proven:
            lines.append("evidence: none" if self.testable else "evidence: told in the documentation only")
        return "\n  ".join(lines)


@cache
def claims() -> Mapping[str, Claim]:
    """Return every claim by its id, in the order of the ids."""
    rows = yaml_table("claims.yaml")
    evidence = json.loads(text_of("evidence.json"))
    return MappingProxyType({row["id"]: _claim(row, evidence.get(row["id"], {})) for row in rows})


def _claim(row: Mapping[str, Any], evidence: Mapping[str, list[str]]) -> Claim:
    return Claim(
        id=row["id"],
        topic=row["topic"],
        statement=" ".join(row["statement"].split()),
        side=row.get("side", ""),
        when=" ".join(str(row.get("when", "")).split()),
        then=" ".join(str(row.get("then", "")).split()),
        verify=tuple(row["verify"]),
        source=tuple(row["source"]),
        note=" ".join(str(row.get("note", "")).split()),
        rules=tuple(rule.id for rule in RULES.values() if row["id"] in rule.claims),
        tests=tuple(evidence.get("tests", ())),
        scenarios=tuple(evidence.get("scenarios", ())),
    )
