"""Where pages disagree: every point is there, every piece of evidence is run and agrees, and a disagreement is shown."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import tests.test_scenarios
from exhibits.disagreements import Disagreements, brief, facts
from rpcmemkit import Audit, UsageError
from rpcmemkit.data import yaml_table
from tools.notebooks import ROOT

DATA = ROOT / "book" / "disagreements.yaml"
SCENARIOS = ROOT / "tests" / "scenarios"
PAGE = Disagreements(DATA, SCENARIOS)
CONTRADICTIONS = [f"K{number}" for number in range(1, 30)]
OPEN = [f"U{number}" for number in range(1, 23)]
CELLS = json.loads((ROOT / "book" / "disagreements.ipynb").read_text(encoding="utf-8"))["cells"]
PROSE = "\n\n".join("".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "markdown")
NUMBERED = re.compile(r"([ku])(\d\d)-")


def test_every_point_has_an_entry() -> None:
    assert list(PAGE.points) == CONTRADICTIONS + OPEN


@pytest.mark.parametrize("id_", CONTRADICTIONS)
def test_a_contradiction_has_two_readings_of_known_pages(id_: str) -> None:
    point = PAGE.points[id_]
    pages = [page for reading in point.readings for page in reading.pages]
    assert len(point.readings) >= 2
    assert all(reading.pages for reading in point.readings)
    assert all(page in yaml_table("pages.yaml") for page in pages if page.endswith(".md"))
    assert point.observed
    assert point.kit
    assert point.safe


@pytest.mark.parametrize("id_", OPEN)
def test_an_open_point_says_what_bears_on_it(id_: str) -> None:
    point = PAGE.points[id_]
    assert point.known
    assert point.kit
    assert point.point.endswith("?")
    assert not point.readings


@pytest.mark.parametrize("id_", CONTRADICTIONS + OPEN)
def test_the_evidence_is_the_points_own_and_agrees(id_: str) -> None:
    found = PAGE.evidence(id_)
    assert [each.text for each in found if each.verdict != "agrees"] == []
    assert all(each.name.startswith(f"{id_[0].lower()}{int(id_[1:]):02}-") for each in found)
    assert all(each.expected for each in found)
    assert found or hasattr(tests.test_scenarios, PAGE.points[id_].test)


def test_every_scenario_file_of_a_point_is_its_evidence() -> None:
    named = [name for point in PAGE.points.values() for name in point.evidence]
    assert sorted(named) == sorted(name for name in PAGE.files if NUMBERED.match(name))


# --- the chapter ---------------------------------------------------------------------------------


def section(id_: str) -> str:
    """The prose of one contradiction."""
    found = re.search(
        rf"^\({id_.lower()}\)=\n(### .*?)(?=^\(k\d+\)=|^## |\Z)", PROSE, re.MULTILINE | re.DOTALL
    )
    assert found, f"the chapter has no section for {id_}"
    return found[1]


@pytest.mark.parametrize("id_", CONTRADICTIONS)
def test_the_chapter_shows_it(id_: str) -> None:
    point = PAGE.points[id_]
    heading, *told = section(id_).splitlines()
    assert heading.replace("`", "") == f"### {id_}: {point.point}"
    assert all(f"{{doc}}`{chapter}`" in "\n".join(told) for chapter in point.chapters)
    assert any(f'page.show("{id_}")' in "".join(cell["source"]) for cell in CELLS)


def test_the_stored_page_is_the_current_one() -> None:
    stored = "\n".join(
        "".join(output["data"].get("text/plain", ""))
        for cell in CELLS
        for output in cell.get("outputs", ())
        if "data" in output
    )
    assert "DIFFERS" not in stored
    assert "COULD NOT" not in stored
    assert all(PAGE.show(id_).text in stored for id_ in CONTRADICTIONS)
    assert PAGE.open_points().text in stored


# --- a disagreement is shown ---------------------------------------------------------------------


def broken(folder: Path, name: str, old: str, new: str) -> Disagreements:
    """The page with one file changed."""
    shutil.copytree(SCENARIOS / "7-contradictions", folder, dirs_exist_ok=True)
    file = folder / f"{name}.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return Disagreements(DATA, folder)


NAME = "k14-only-what-parameters-reach-is-freed"


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "server_leaked: 1",
            "server_leaked: 0",
            "DIFFERS; call 1 (Write): server_leaked: expected 0, got 1",
        ),
        ("call: Write", "call: Wrote", "COULD NOT BE RUN: "),
        ("steps:", "stepz:", "COULD NOT BE RUN: "),
    ],
)
def test_a_file_that_does_not_agree_is_seen(tmp_path: Path, old: str, new: str, what: str) -> None:
    shown = broken(tmp_path, NAME, old, new).show("K14")
    assert what in shown.text
    assert what in shown.html
    assert shown.text.endswith("agrees.")  # the other file still does


def test_a_file_that_is_missing_is_seen(tmp_path: Path) -> None:
    assert "COULD NOT BE RUN: there is no such file" in Disagreements(DATA, tmp_path).show("K14").html


def test_the_open_points_show_it_too(tmp_path: Path) -> None:
    assert "COULD NOT BE RUN" in Disagreements(DATA, tmp_path).open_points().text


# --- what is shown -------------------------------------------------------------------------------


def test_an_entry_leads_to_its_pages_and_names_its_environment() -> None:
    html = PAGE.show("K4").html
    assert "https://learn.microsoft.com/windows/win32/rpc/fixed-arrays" in html
    assert "k04-dce-allocates</code> (DCE mode)" in html
    assert html.count("<strong>agrees</strong>") == 2


def test_a_call_is_made_again_also_elsewhere() -> None:
    name = "k24-replaced-referent-is-written-over"
    assert Audit(PAGE.call(name)).orphaned == []
    assert Audit(PAGE.call(name, osf=True)).orphaned == ["mine"]
    assert PAGE.call("k18-notify-flag-knows", 2).status


def test_what_does_not_exist_is_said() -> None:
    with pytest.raises(UsageError, match="no point is called 'K99'"):
        PAGE.show("K99")
    with pytest.raises(UsageError, match="no scenario file is called 'k24'"):
        PAGE.call("k24")
    with pytest.raises(UsageError, match="has no call 2"):
        PAGE.call(NAME, 2)


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        ({"status": "ok"}, ["status ok"]),
        ({"status": 1130}, ["RPC_S_SERVER_OUT_OF_MEMORY (1130)"]),
        ({"status": "RPC_S_NO_SUCH_THING"}, ["RPC_S_NO_SUCH_THING"]),
        ({"orphaned": [], "status": "ok"}, ["nothing orphaned"]),
        ({"server_storage": {"p": "allocated", "p.q": None}}, ["on entry p allocated, p.q null"]),
        ({"rundowns": ["FILE", "FILE"]}, ["run-down of FILE, FILE"]),
        ({"client_after": {"p": {"$label": "p", "$value": 1}}}, ["the client has p = 1"]),
        ({"request": "00" * 40}, [f"request {' '.join(['00000000'] * 8)} …"]),
        ({"response": ""}, ["response empty"]),
        ({}, []),
    ],
)
def test_facts(expect: dict[str, object], told: list[str]) -> None:
    assert facts(expect) == told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "null"),
        ([1, {"$alias": "a"}], "[1, the same as a]"),
        ({"$new": True, "$value": {"x": None}}, "new {x: null}"),
        ({"$context": "mine"}, "handle mine"),
        ({"$allocated": 4, "$elements": {"$hex": "0a0b"}}, "0a0b in room for 4"),
        ({"$case": 2, "$value": "x"}, "case 2: x"),
    ],
)
def test_values_in_few_words(value: object, told: str) -> None:
    assert brief(value) == told


def test_settings_in_words() -> None:
    said = {each.name: each.setting for id_ in ("K23", "U3", "U4", "U11") for each in PAGE.evidence(id_)}
    assert said["k23-context-handle-in-a-structure-before-nt60"] == "/target NT51"
    assert said["u03-client-runs-out-of-memory"] == "the client's allocator fails after 1"
    assert said["u04-server-stub-runs-out-of-memory"] == "the server's allocator fails after 1"
    assert said["u11-packing-of-a-byte-count-buffer"] == "pointers of 4 bytes"
