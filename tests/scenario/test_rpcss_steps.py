"""Scenario steps of the RpcSs package: what they do, what is observed, what is wrong with them, what is left undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from rpcmemkit.cli import main
from rpcmemkit.errors import ScenarioError
from rpcmemkit.notebook import events_table
from rpcmemkit.scenario import Run, find_files, load_scenario, parse_scenario, verify, verify_file
from rpcmemkit.story import tell

FOLDER = Path(__file__).parents[1] / "scenarios" / "2-allocation" / "rpcss"
FILES = [file for file in find_files([FOLDER]) if file.stem.startswith("rpcss-")]
IDL = """\
scenario: package
idl: |
  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]
  interface steps
  {
    typedef struct node { long value; struct node *next; } node;
    void Walk([in, out] node *root);
  }
"""
WALK = "- call: Walk\n  arguments: {root: {value: 1, next: null}}\n"


def scenario(steps: str):
    return parse_scenario(f"{IDL}steps:\n{steps}", "f.yaml")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_projects_own_files_agree(file):
    report = verify_file(file)
    assert report.result == "agree", "\n".join([report.error, *map(str, report.differences)])


def test_there_are_files_and_each_says_where_it_is_documented():
    assert len(FILES) == 13
    for file in FILES:
        loaded = load_scenario(file)
        assert loaded.name == file.stem
        assert loaded.source[0].startswith("docs: ")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_file_expects_can_fail(file):
    """Every number of an ``expect`` is compared: one more is one difference more."""
    loaded = load_scenario(file)
    expects = [step["expect"] for step in loaded.steps if step.get("expect")]
    raised = 0
    for expect in expects:
        for key, value in expect.items():
            if isinstance(value, int) and key != "status":
                expect[key] = value + 1
                raised += 1
            elif key in ("faults", "statuses"):
                expect[key] = [*value, "nothing"]
                raised += 1
    assert raised
    assert len(verify(loaded).differences) == raised


WRONG = [
    ("- client: [{rpcss: RpcSmAllocate}]\n", "takes `size`"),
    ("- client: [{rpcss: RpcSmAllocate, size: 8}]\n", "needs the RpcSs environment"),
    ("- client: [{rpcss: RpcSmAllocate, size: 8}]\n", "put [enable_allocate] in the ACF"),
    (
        "- client: [{rpcss: RpcSmEnableAllocate}, {thread: other}, {rpcss: RpcSmAllocate, size: 8}]\n",
        "RpcSmAllocate needs the RpcSs environment: the thread main has one, the thread other has not",
    ),
    (
        "- client: [{rpcss: RpcSmEnableAllocate}, {rpcss: RpcSmDisableAllocate}, {rpcss: RpcSmAllocate, size: 8}]\n",
        "put [enable_allocate] in the ACF",
    ),
    ("- client: [{rpcss: RpcSmDisableAllocate}]\n", "there is no environment"),
    ("- client: [{rpcss: RpcSmSetThreadHandle, handle: x}]\n", "there is: nothing yet"),
    (
        "- client: [{rpcss: RpcSmSetClientAllocFree, pair: calloc}]\n",
        "no pair was called 'calloc' by an `as`",
    ),
    ("- client: [{rpcss: RpcSmFree, block: nobody}]\n", "nothing is called 'nobody'"),
    ("- client: [{rpcss: RpcSmFree}]\n", "takes `block`"),
    (
        "- client: [{rpcss: RpcSmGetThreadHandle, as: h}, {rpcss: RpcSmSetClientAllocFree, pair: h}]\n",
        "no pair was",
    ),
    (
        "- client: [{rpcss: RpcSmGetThreadHandle, as: h}, {rpcss: RpcSmFree, block: h}]\n",
        "nothing is called 'h'",
    ),
    ("- client: [{rpcss: RpcSmSetClientAllocFree, pair: null}]\n", "takes two functions"),
    (WALK + "- client: [{rpcss: RpcSmFree, block: root.value}]\n", "only what a pointer names"),
    (WALK + "- client: [{free: root, with: malloc}]\n", "expected: midl_user_free, RpcSsFree"),
    ("- client: [{rpcss: RpcSmReallocate}]\n", "does not fit here"),
    ("- client: [{rpcss: RpcSmEnableAllocate, thread: a}]\n", "the key `rpcss` does not belong here"),
    (
        "- client: []\n  expect: {client_allocations: 0}\n",
        "the key `client_allocations` does not belong here",
    ),
]


@pytest.mark.parametrize(("steps", "message"), WRONG)
def test_an_action_that_makes_no_sense_is_located(steps, message):
    with pytest.raises(ScenarioError) as caught:
        list(Run(scenario(steps)).outcomes())
    assert message in str(caught.value)
    assert caught.value.line > 8


def test_a_fault_that_nobody_expects_ends_the_scenario():
    step = "- client: [{rpcss: RpcSmEnableAllocate}, {rpcss: RpcSmFree, block: root}]\n"
    with pytest.raises(ScenarioError, match="the client application would crash here"):
        list(Run(scenario(WALK + step)).outcomes())


def test_a_client_step_that_expects_something_else():
    report = verify(
        scenario("- client: [{rpcss: RpcSmEnableAllocate}]\n  expect: {statuses: [], status: ok}\n")
    )
    assert [str(each) for each in report.differences] == [
        "client: steps[0].expect.statuses: expected [], got ['RPC_S_OK']"
    ]


def test_an_environment_that_is_left_is_a_finding():
    steps = (
        "- client: [{rpcss: RpcSmEnableAllocate}, {rpcss: RpcSmEnableAllocate}, {rpcss: RpcSmAllocate, size: 24}]\n"
        + WALK
        + "  server: [{rpcss: RpcSsEnableAllocate}]\n"
    )
    report = verify(scenario(steps))
    assert report.result == "agree"
    assert report.findings == [
        f"{side}: RpcSs environment 1 is still enabled, for want of RpcSmDisableAllocate ({times}); "
        f"bytes that wait in it: {data}"
        for side, times, data in (("client", "2 times", 24), ("server", "once", 0))
    ]
    assert report.as_data()["findings"] == report.findings
    balanced = verify(scenario("- client: [{rpcss: RpcSmEnableAllocate}, {rpcss: RpcSmDisableAllocate}]\n"))
    assert (balanced.findings, "findings" in balanced.as_data()) == ([], False)


def test_a_routine_ends_in_the_thread_it_began_in():
    run = Run(scenario(WALK + "  server: [{thread: worker}, {rpcss: RpcSmEnableAllocate}]\n"))
    list(run.outcomes())
    server = run.session.server
    assert server.thread.name == "main"
    assert [name for name, each in server.threads.items() if each.environment] == ["worker"]


def test_verify_prints_findings(tmp_path, capsys):
    file = tmp_path / "package.yaml"
    file.write_text(f"{IDL}steps:\n- client: [{{rpcss: RpcSmEnableAllocate}}]\n")
    assert main(["verify", str(file)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"agree: {file}\n    finding: client: RpcSs environment 1 is still enabled")


PACKAGE = """\
  server:
  - {rpcss: RpcSmEnableAllocate}
  - {rpcss: RpcSmAllocate, size: 8, as: block}
  - {rpcss: RpcSmFree, block: block}
  - {rpcss: RpcSmDisableAllocate}
"""


def test_the_story_tells_what_the_package_does():
    (outcome,) = Run(scenario(WALK + PACKAGE)).outcomes()
    text = " ".join(tell(outcome.call).text(400).split())
    for sentence in (
        "It calls RpcSmEnableAllocate.",
        "with RpcSmFree: freed when the environment ends.",
        "with RpcSmDisableAllocate.",
    ):
        assert sentence in text
    assert "It calls RpcSmFree" not in text
    assert "(RpcSmEnableAllocate: RPC_S_OK)" in events_table(outcome.call).text
    assert "mark (RpcSmFree)" in events_table(outcome.call).text
