"""The table of claims itself: every id that a test cites exists."""

from __future__ import annotations

import re
from pathlib import Path

from rpcmemkit.claims import Claim, claims

HERE = Path(__file__).parent


def cited() -> dict[str, set[str]]:
    return {
        path.name: set(re.findall(r"M-\d{3}", path.read_text("utf-8"))) for path in HERE.glob("test_*.py")
    }


def known() -> dict[str, Claim]:
    return dict(claims())


def test_cited_claims_exist() -> None:
    table = known()
    assert {name: ids - set(table) for name, ids in cited().items() if ids - set(table)} == {}


def test_cited_claims_can_be_tested() -> None:
    table = known()
    documentary = {each for ids in cited().values() for each in ids if not table[each].testable}
    assert documentary == set()
