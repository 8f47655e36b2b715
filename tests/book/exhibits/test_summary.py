"""The summary's tables: every row of the page is run, and shows the rules that it names."""

from __future__ import annotations

import pytest

from exhibits.summary import Row, row, rows, rules_table, summary_table
from rpcmemkit import Audit, UsageError
from rpcmemkit.rules import RULES

EVERY = [one for number in (1, 2) for one in rows(number)]


def test_as_many_rows_as_the_page_has() -> None:
    assert [len(rows(number)) for number in (1, 2)] == [8, 10]


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.id)
def test_a_row_shows_its_rules_at_work(one: Row) -> None:
    found = {event.rule for call in one.calls for event in call.trace}
    if any(Audit(call).orphaned for call in one.calls):
        found.add("client-never-frees-orphans")
    assert set(one.rules) <= found & set(RULES)


@pytest.mark.parametrize(
    ("id_", "what"),
    [
        ("top-level-ref", ["RPC_X_NULL_REF_POINTER (1780)"] * 3),
        ("function-result", ["stub allocates 1"] * 2),
        ("out-not-null", ["refused, MIDL2121"] * 2),
        ("null-to-non-null", ["stub allocates 1"] * 2),
        ("unique-to-null", ["orphaned: phone"]),
        ("full-to-null", ["orphaned: phone", "nothing orphaned"]),
        ("ref-storage", ["stub allocates 0", "stub allocates 1"]),
        ("existing-storage", ["stub allocates 0", "RPC_X_BAD_STUB_DATA (1783)"]),
        (
            "allocate-nodes",
            ["allocates 3", "allocates 1", "allocates 0", "allocates 1, routine 0 (24 bytes)"],
        ),
        ("allocate-free", ["allocates 1", "allocates 1", "3 freed, 0 left", "0 freed, 3 left"]),
        ("size", ["stub allocates 0"] * 2 + ["16 bytes", "32 bytes", "16 bytes"]),
        ("byte-count", ["stub allocates 0", "(32 bytes)", "(512 bytes)"]),
        ("enable-allocate", ["allocates 1", "allocates 1", "1 left, 1 leaked", "0 freed, 0 left"]),
        ("in", ["stub allocates 0", "stub allocates 1"]),
        ("out", ["stub allocates 1", "stub allocates 0", "routine 1", "routine 0"]),
        ("ref", ["stub allocates 0", "RPC_X_NULL_REF_POINTER", "routine 1", "routine 0"]),
        ("unique", ["orphaned: phone", "allocates 1", "stub allocates 1", "routine 1"]),
        ("full", ["orphaned: phone", "allocates 1", "stub allocates 1", "routine 1"]),
    ],
)
def test_what_the_rows_say(id_: str, what: list[str]) -> None:
    cases = row(id_).cases
    assert len(cases) == len(what)
    for case, words in zip(cases, what, strict=True):
        assert words in case.happened, case.say


@pytest.mark.parametrize("number", [1, 2])
def test_the_tables_have_every_case(number: int) -> None:
    text = summary_table(number).text
    for one in rows(number):
        assert one.element in text
        assert all(case.say in text and case.happened in text for case in one.cases)
        assert all(RULES[rule].statement in rules_table(number).text for rule in one.rules)
    assert repr(rows(number)[0]).startswith(rows(number)[0].element)


def test_what_does_not_exist_is_said() -> None:
    with pytest.raises(UsageError, match="tables 1 and 2, not 3"):
        summary_table(3)
    with pytest.raises(UsageError, match="did you mean"):
        row("unique-to-nul")
