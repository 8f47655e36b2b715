"""The page about scenario files shows a file that agrees with what happens, and names every key there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from rpcmemkit.scenario import parse_scenario
from rpcmemkit.scenario.compare import differences
from rpcmemkit.scenario.run import Run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "book" / "scenario-files.md").read_text(encoding="utf-8")


def test_the_example_agrees() -> None:
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    (outcome,) = Run(parse_scenario(example[1])).outcomes()
    assert outcome.expect
    assert differences(outcome) == []


def test_every_key_of_the_format_is_on_the_page() -> None:
    schema = json.loads((ROOT / "rpcmemkit" / "scenario" / "schema.json").read_text(encoding="utf-8"))
    keys = set(schema["properties"]) - {"wine_note", "note", "$schema"}
    assert {key for key in keys if f"`{key}`" not in PAGE} == set()
