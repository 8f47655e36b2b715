"""The project's own scenario files: what documentation and claims foresee happens, and no row of a table is left out."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from rpcmemkit.claims import Claim, claims
from rpcmemkit.rules import RULES
from rpcmemkit.scenario import Scenario, find_files, load_scenario, parse_scenario, verify, verify_file

FOLDER = Path(__file__).parent / "scenarios"


@cache
def scenario(file: str) -> Scenario:
    """Return the scenario of a file below the folder, named without its ending."""
    return load_scenario(FOLDER / f"{file}.yaml")


def names() -> list[str]:
    return [file.relative_to(FOLDER).with_suffix("").as_posix() for file in find_files([FOLDER])]


def cases() -> list[object]:
    return [
        pytest.param(FOLDER / f"{name}.yaml", id=name, marks=pytest.mark.claims(*scenario(name).claims))
        for name in names()
    ]


@pytest.mark.parametrize("file", cases())
def test_what_the_file_expects_happens(file: Path) -> None:
    report = verify_file(file)

    assert report.result == "agree", "\n".join([report.error, *map(str, report.differences)])


def test_names_are_those_of_the_files_and_unique() -> None:
    told = {name: scenario(name).name for name in names()}

    assert {name: given for name, given in told.items() if given != Path(name).name} == {}
    assert [name for name, count in Counter(told.values()).items() if count > 1] == []


def test_no_two_files_tell_the_same() -> None:
    texts = Counter(
        f"{each.idl.partition('interface')[2]} {each.acf} {each.environment} {each.steps} {each.expect_error}"
        for each in map(scenario, names())
    )

    assert max(texts.values()) == 1


def test_every_file_says_what_it_shows_and_where_that_is_written() -> None:
    lacking = [
        name for name in names() if not scenario(name).about.endswith(".") or not scenario(name).source
    ]

    assert lacking == []


def test_every_call_has_its_outcome_foreseen() -> None:
    def calls(name: str) -> list[dict[str, object]]:
        return [step.get("expect") or {} for step in scenario(name).steps if "call" in step]

    assert [name for name in names() for expected in calls(name) if "status" not in expected] == []


def test_claims_that_files_name_exist_and_can_be_tested() -> None:
    known: dict[str, Claim] = dict(claims())
    cited = {(name, claim) for name in names() for claim in scenario(name).claims}

    assert {
        (name, claim) for name, claim in cited if claim not in known or not known[claim].testable
    } == set()


def test_rules_that_files_name_exist() -> None:
    steps = [step.get("expect") or {} for name in names() for step in scenario(name).steps]

    assert {rule for expected in steps for rule in expected.get("rules", ())} - set(RULES) == set()


def test_a_rule_that_took_no_effect_is_a_difference() -> None:
    case = load_scenario(FOLDER / "5-orphaning/embedded-pointer.yaml")
    case.steps[0]["expect"] = {"rules": ["in-data-travels", "byte-count-in-place"]}

    (difference,) = verify(case).differences

    assert difference.path == "rules"
    assert "in-data-travels" in difference.actual
    assert "byte-count-in-place" not in difference.actual


# --- the tables of the documentation, row by row ------------------------------------------------------------------------

TABLE_1 = {
    "M-220": "top-level-ref-not-null",
    "M-221": "function-result",
    "M-222": "unique-out-refused full-out-refused",
    "M-223": "unique-null-to-non-null full-null-to-non-null",
    "M-224": "unique-non-null-to-null",
    "M-225": "full-non-null-to-null full-non-null-to-null-aliased",
    "M-226": "ref-from-the-application ref-from-the-stub",
    "M-227": "existing-storage-is-written string-outgrows-its-storage",
}
"""Table 1 of summary-of-memory-allocation-rules.md: the claim of a row, and its files in 6-summary/table-1."""

TABLE_2 = {
    "M-228": "6-summary/table-2/allocate-nodes-on-the-client",
    "M-229": "6-summary/table-2/allocate-nodes-on-the-server",
    "M-230": "6-summary/table-2/allocate-free-on-the-client",
    "M-231": "6-summary/table-2/allocate-free-on-the-server",
    "M-232": "6-summary/table-2/size-on-the-client",
    "M-233": "6-summary/table-2/size-on-the-server",
    "M-234": "6-summary/table-2/byte-count-on-the-client",
    "M-235": "6-summary/table-2/byte-count-on-the-server",
    "M-236": "6-summary/table-2/enable-allocate-on-the-client",
    "M-237": "6-summary/table-2/enable-allocate-on-the-server",
    "M-238": "4-ownership/directions/in",
    "M-239": "4-ownership/directions/in",
    "M-240": "4-ownership/directions/out",
    "M-241": "4-ownership/directions/out",
    "M-242": "4-ownership/pointer-attributes/ref",
    "M-243": "4-ownership/pointer-attributes/ref",
    "M-244": "4-ownership/pointer-attributes/unique",
    "M-245": "6-summary/table-2/unique-means-nothing-to-the-server",
    "M-246": "4-ownership/pointer-attributes/full",
    "M-247": "6-summary/table-2/unique-means-nothing-to-the-server",
}
"""Table 2 of the same page: the effects of the attributes, first on the client, then on the server."""

DIRECTIONS = {
    "M-171": "array-in-length-in",
    "M-172": "array-in-length-out",
    "M-173": "array-in-length-in-out",
    "M-174": "array-out-length-in array-out-length-in-unbound",
    "M-175": "array-out-length-out array-out-length-out-unbound",
    "M-176": "array-out-length-in-out array-out-length-in-out-unbound array-out-bound-by-a-size",
    "M-177": "array-in-out-length-in",
    "M-178": "array-in-out-length-out",
    "M-179": "array-in-out-length-in-out",
}
"""The table of length-size-and-directional-attributes.md, with its files in 4-ownership/lengths-and-sizes."""

INBOUND = {
    "M-082": "varying-array-is-copied",
    "M-083": "sized-string-is-copied",
    "M-085": "plain-enumeration-is-copied int3264-grows-on-64-bit int3264-stays-on-32-bit",
    "M-086": "packed-structure-is-complex trailing-pad-is-complex",
    "M-087": "range-member-is-read-field-by-field ignored-pointer-is-not-followed",
    "M-088": "union-is-copied array-of-unions-is-copied",
    "M-089": "two-open-dimensions-are-copied",
    "M-090": "array-of-complex-structures",
    "M-091": "array-of-enumerations",
    "M-092": "array-of-reference-pointers",
    "M-093": "force-allocate-copies",
    "M-096": "structure-with-pointer-on-32-bit structure-with-pointer-on-64-bit",
    "M-097": "structure-with-pointer-under-ndr64",
    "M-098": "enumeration-under-ndr64",
    "M-099": "trailing-pad-under-ndr64",
}
"""What server-stub-memory-management.md lists as causes of allocation, in 3-models/server-stub-memory."""

STRINGS = {
    "M-389": "counted-array",
    "M-390": "stub-managed-ref",
    "M-391": "stub-managed-unique",
    "M-392": "returned",
}
"""The four approaches of using-arrays-strings-and-pointers.md, in 4-ownership/strings."""


def _rows() -> list[object]:
    tables = [
        ("6-summary/table-1/", TABLE_1),
        ("", TABLE_2),
        ("4-ownership/lengths-and-sizes/", DIRECTIONS),
        ("3-models/server-stub-memory/", INBOUND),
        ("4-ownership/strings/", STRINGS),
    ]
    rows = [
        (claim, folder + name)
        for folder, table in tables
        for claim, files in table.items()
        for name in files.split()
    ]
    return [pytest.param(claim, name, id=f"{claim}-{name}") for claim, name in rows]


@pytest.mark.parametrize(("claim", "name"), _rows())
def test_row_has_its_file(claim: str, name: str) -> None:
    assert claim in scenario(name).claims


def test_no_row_is_missing() -> None:
    def ids(first: int, last: int) -> list[str]:
        return [f"M-{number:03}" for number in range(first, last + 1)]

    assert [*TABLE_1, *TABLE_2] == ids(220, 247)
    assert [*DIRECTIONS] == ids(171, 179)


@pytest.mark.parametrize("direction", ["in", "out", "in-out"])
@pytest.mark.parametrize("kind", ["ref", "unique", "full"])
def test_every_pointer_class_meets_every_direction(kind: str, direction: str) -> None:
    calls = [step for step in scenario(f"6-summary/matrix/{kind}-{direction}").steps if "call" in step]

    assert len(calls) >= 2  # null and non-null, before or after


# --- contradictions and open points ------------------------------------------------------------------------------------

READ_OTHERWISE = "k01 k02 k04 k17 k24"
"""The contradictions whose other reading DCE has implemented."""


def _numbered(folder: str, letter: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names():
        if match := re.match(rf"{folder}/({letter}\d\d)-", name):
            found.setdefault(match[1], []).append(name)
    return found


def test_every_contradiction_has_a_file() -> None:
    assert sorted(_numbered("7-contradictions", "k")) == [f"k{number:02}" for number in range(1, 30)]


@pytest.mark.parametrize("number", READ_OTHERWISE.split())
def test_the_other_reading_has_a_file_too(number: str) -> None:
    modes = {
        bool(scenario(name).environment.get("osf")) for name in _numbered("7-contradictions", "k")[number]
    }

    assert modes == {False, True}


def test_contradictions_name_both_pages() -> None:
    def pages(files: list[str]) -> set[str]:
        return {page for name in files for page in scenario(name).source if page.startswith("docs: ")}

    found = {number: pages(files) for number, files in _numbered("7-contradictions", "k").items()}
    one_voice = {number for number, named in found.items() if len(named) < 2}
    assert one_voice == {"k18", "k22", "k29"}  # a page against itself, or against what MIDL generates


def test_every_open_point_has_a_file() -> None:
    found = sorted(
        {*_numbered("8-open-points", "u"), "u13"}
    )  # U13 is the test below: it is no outcome of a call

    assert found == [f"u{number:02}" for number in range(1, 23)]


U13 = """
scenario: allocation-without-an-environment
idl: |
  [ uuid(7d7c1a52-20c3-4c6e-8a55-8a0f6f6f2a13) ] interface desks { void Clear(); }
steps:
- call: Clear
  server:
  - {rpcss: RpcSmAllocate, size: 8, as: block}
  expect: {status: ok}
"""


@pytest.mark.claims("M-039")
def test_rpcsm_allocate_without_an_environment_is_a_mistake_of_the_caller() -> None:
    """U13: no page says what happens. The kit says what is missing, and does not guess a status."""
    report = verify(parse_scenario(U13))

    assert report.result == "error"
    assert "RpcSmAllocate needs the RpcSs environment" in report.error
