"""The table claim → evidence says what the tests say, and every fact that can be tested has evidence."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from rpcmemkit.claims import claims
from rpcmemkit.rules import RULES

ROOT = Path(__file__).parent.parent


def tool():
    spec = importlib.util.spec_from_file_location("evidence", ROOT / "tools" / "evidence.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_is_what_the_tests_say(request: pytest.FixtureRequest) -> None:
    collected = {Path(item.fspath).name for item in request.session.items}
    written = {path.name for path in (ROOT / "tests").rglob("test_*.py") if path.parent.name != "browser"}
    if written - collected:
        pytest.skip("only part of the tests was collected")
    evidence = tool()
    assert evidence.TABLE.read_text("utf-8") == evidence.text(evidence.gather(request.session.items)), (
        "write it anew: make evidence"
    )


def test_every_testable_claim_has_evidence() -> None:
    assert [claim.id for claim in claims().values() if claim.testable and not claim.proven] == []


def test_evidence_and_rules_name_claims_that_exist() -> None:
    stored = json.loads(tool().TABLE.read_text("utf-8"))
    cited = {claim for rule in RULES.values() for claim in rule.claims}

    assert (cited | set(stored)) - set(claims()) == set()


def test_only_testable_claims_have_tests() -> None:
    """What can only be told needs no test; a test that cites it would be beside the point."""
    assert [claim.id for claim in claims().values() if claim.tests and not claim.testable] == []


def test_a_claim_says_where_it_comes_from_and_how_it_is_proven() -> None:
    shown = repr(claims()["M-060"])

    assert "stub-allocated-buffers.md" in shown
    assert "all-nodes-one-block" in shown
    assert "evidence: tests/claims/" in shown
