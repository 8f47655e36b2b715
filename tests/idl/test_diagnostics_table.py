"""Every number of the MIDL compiler on memory attributes is earned by a text, and not by its nearest legal neighbour."""

from __future__ import annotations

import pytest

from rpcmemkit.errors import UsageError
from rpcmemkit.idl import Switches
from rpcmemkit.idl.findings import Finding, findings
from tests.idl.midl_table import NUMBERS, ROWS, WARNINGS, Row, text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_wrong_text_earns_its_number_and_no_other(row: Row) -> None:
    found = {(one.code if row.number is None else one.midl) for one in row.wrong.findings()}
    assert found == {row.number or row.code}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_its_neighbour_compiles_without_a_finding(row: Row) -> None:
    assert row.legal.findings() == []


@pytest.mark.parametrize("use", ["void f([in] P p);", "P f(void);"])
def test_a_type_with_ignore_spoils_every_use_as_parameter_or_result(use: str) -> None:
    found = text(f"typedef [ignore] long *P; {use}").findings()
    assert {one.midl for one in found} == {2072, 2162}


def test_no_number_is_left_out() -> None:
    assert {row.number for row in ROWS if row.number} == NUMBERS
    assert len(NUMBERS) == 94


def test_warnings_are_those_that_the_page_calls_so() -> None:
    warned = {one.midl for one in findings().values() if one.severity == "warning" and one.midl}
    assert warned == WARNINGS


@pytest.mark.parametrize(
    ("switches", "message"),
    [({"target": "Windows"}, "NT60"), ({"target": "NT5"}, "NT60"), ({"mode": "O2"}, "Oicf")],
)
def test_switches_that_do_not_exist(switches: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Switches(**switches)  # type: ignore[arg-type]


def test_targets_are_ordered_by_their_number() -> None:
    assert not Switches(target="NT51").has("disable_consistency_check")
    assert Switches(target="NT60").has("disable_consistency_check")
    assert Switches(target="NT100").has("disable_consistency_check")


@pytest.mark.parametrize(
    ("mode", "robust", "made"),
    [("Oi", True, "Oicf"), ("Os", True, "Oicf"), ("Oif", True, "Oif"), ("Os", False, "Os")],
)
def test_robust_decides_about_the_mode(mode: str, robust: bool, made: str) -> None:
    assert Switches(mode=mode, robust=robust).effective_mode == made


def test_the_numbers_are_in_order_and_each_has_one_name() -> None:
    numbers = [each.value.code for each in Finding]
    assert numbers == sorted(set(numbers)) == [*findings()]
