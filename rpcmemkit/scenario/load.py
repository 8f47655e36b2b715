from __future__ import annotations
from dataclasses import dataclass, field
from typing import Any
import yaml
@dataclass
class Scenario:
    name: str
    about: str
    idl: str
    acf: str | None
    environment: dict[str, Any]
    memory: dict[str, Any]
    steps: list[dict[str, Any]]
    expect_error: dict[str, Any] | None = None
    source: list[str] = field(default_factory=list)
def load(path):
    d = yaml.safe_load(open(path))
    return Scenario(d["scenario"], d.get("about",""), d["idl"], d.get("acf"), d.get("environment") or {}, d.get("memory") or {}, d.get("steps") or [], d.get("expect_error"), d.get("source") or [])
