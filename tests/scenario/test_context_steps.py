"""Scenario steps about context handles and clients that go away: the files, what is observed, and what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rpcmemkit.call import Departure
from rpcmemkit.cli import main
from rpcmemkit.errors import ScenarioError
from rpcmemkit.scenario import Run, find_files, load_scenario, parse_scenario, verify, verify_file

FOLDER = Path(__file__).parents[1] / "scenarios" / "3-models" / "persistent-storage"
FILES = [file for file in find_files([FOLDER]) if file.stem.startswith("context-")]
IDL = """\
scenario: handles
idl: |
  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)]
  interface handles
  {
    typedef [context_handle] void *PH;
    void Open([out] PH *h);
    PH Make(void);
    void Use([in] PH h);
  }
"""
OPEN = """\
- call: Open
  arguments: {h: {$context: %s}}
  server:
  - {allocate: '*h', value: {$hex: '01'}}
"""


def scenario(steps, more=""):
    return parse_scenario(f"{IDL}{more}steps:\n{steps}", "f.yaml")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_projects_own_files_agree(file):
    report = verify_file(file)
    assert report.result == "agree", "\n".join([report.error, *map(str, report.differences)])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_projects_own_files_are_told(file, capsys):
    assert main(["run", str(file), "--no-color"]) == 0
    told = capsys.readouterr().out
    disconnects = sum("disconnect" in step for step in load_scenario(file).steps)
    assert told.count("The client goes away\n====") == disconnects


def test_the_story_tells_run_down_routines_from_the_calls_own(capsys):
    main(["run", str(FOLDER / "context-failure-result.yaml"), "--no-color"])
    second = capsys.readouterr().out.split("Call 2: Make")[1].split("Call 3: Make")[0]
    routine, rest = second.split("What your routine does")[1].split("the server cleans up")
    assert "frees" not in routine
    assert "The run-down routine frees return (at" in rest


def test_a_pointer_that_dangles_on_the_server_is_not_told_of_the_client(capsys):
    main(["run", str(FOLDER / "context-freed-but-not-nulled.yaml"), "--no-color"])
    told = capsys.readouterr().out
    assert "DANGLING: *file on the server." in told
    assert "Do not follow it" not in told


def test_there_are_files_and_each_says_where_it_is_documented():
    assert len(FILES) >= 12
    assert all(each.startswith("docs: ") for file in FILES for each in load_scenario(file).source)


def test_a_departure_happens_between_the_calls():
    run = Run(scenario(OPEN % "a" + "- disconnect:\n" + OPEN % "b"))
    first, gone, second = run.happenings()
    assert isinstance(gone, Departure)
    assert (first.number, second.number, gone.lost) == (1, 2, ["PH"])
    assert [outcome.number for outcome in Run(run.scenario).outcomes()] == [1, 2]


def test_handles_have_names_of_their_own():
    steps = OPEN % "a" + "  expect: {client_after: {h: {$context: b}}}\n" + OPEN % "b"
    steps += "  expect: {client_after: {h: {$context: a}}}\n"
    found = verify(scenario(steps)).differences
    assert [(each.call, each.actual) for each in found] == [(1, {"$context": "a"}), (2, {"$context": "b"})]


def test_null_is_no_open_handle():
    steps = OPEN % "a" + "  expect: {client_after: {h: null}}\n"
    steps += "- call: Open\n  expect: {client_after: {h: {$context: h}}}\n"
    found = verify(scenario(steps)).differences
    assert [(each.path, each.expected, each.actual) for each in found] == [
        ("client_after.h", None, {"$context": "a"}),
        ("client_after.h", {"$context": "h"}, None),
    ]


def test_results_are_numbered():
    make = "- call: Make\n  server: [{return: {$hex: '%s'}}]\n"
    use = "- call: Use\n  arguments: {h: {$context: '%s'}}\n  expect: {server_sees: {h: {$hex: '%s'}}}\n"
    steps = make % "01" + make % "02" + use % ("return", "01") + use % ("return#2", "02")
    assert verify(scenario(steps)).result == "agree"


def test_what_a_departure_leaves_is_compared():
    steps = OPEN % "a" + "- disconnect:\n  expect: {rundowns: [PX], server_leaked: 0, faults: [null]}\n"
    report = verify(scenario(steps.replace("[null]", "[x]")))
    assert [(each.path, each.actual) for each in report.differences] == [
        ("steps[1].expect.rundowns", []),
        ("steps[1].expect.server_leaked", 1),
        ("steps[1].expect.faults", []),
    ]


def test_json_names_the_run_downs_of_a_call(tmp_path, capsys):
    file = FOLDER / "context-failure-result.yaml"
    assert main(["run", str(file), "--json"]) == 0
    calls = json.loads(capsys.readouterr().out)["calls"]
    assert [call.get("rundowns") for call in calls] == [[], ["PFILE"], [], None]


@pytest.mark.parametrize(
    ("steps", "more", "message"),
    [
        ("- call: Use\n  arguments: {h: {$context: none}}\n", "", "no context handle is called 'none'"),
        ("- client:\n  - {destroy_context: none}\n", "", "no context handle is called 'none'"),
        (OPEN % "a", "rundown: {PX: [{free: context}]}\n", "'PX' is no context handle type of handles"),
        (OPEN % "a" + "- disconnect:\n  arguments: {}\n", "", "`arguments` does not belong here"),
        (OPEN % "a" + "- disconnect:\n  expect: {status: ok}\n", "", "`status` does not belong here"),
        ("- call: Use\n  arguments: {h: {$context: a, x: 1}}\n", "", "`x` does not belong here"),
        ("- client:\n  - {disconnect: true}\n", "", "`disconnect` does not belong here"),
        (OPEN % "a" + "- disconnect: 5\n", "", "the number 5 does not fit here"),
        (
            OPEN % "a" + "- disconnect:\n",
            "rundown: {PH: [{free: other}]}\n",
            "nothing is called 'other' here",
        ),
        ("- client:\n  - {destroy_context: h}\n", "", "no context handle is called 'h'"),
        ("- call: Make\n  server: [{destroy_context: h}]\n", "", "is a function for clients"),
        (
            OPEN % "h" + "- client:\n  - {destroy_context: h}\n" * 2,
            "",
            "the client application would crash here",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(steps, more, message):
    with pytest.raises(ScenarioError, match=message) as caught:
        list(Run(scenario(steps, more)).outcomes())
    assert caught.value.line > 9
