"""Files that once ended wrongly, as they were found: each ends as it says."""

from pathlib import Path

import pytest

from rpcmemkit.errors import ScenarioError
from rpcmemkit.scenario import Run, parse_scenario, verify_file

CALLS = Path(__file__).parent.parent / "faults" / "calls"
AGREE = (
    "allocate-null-pointer",
    "path-star-inside",
)


@pytest.mark.parametrize("name", AGREE)
def test_the_file_agrees(name):
    report = verify_file(CALLS / f"{name}.yaml")
    assert (report.result, report.error, report.differences) == ("agree", "", [])


LEVELS = """
scenario: levels
idl: |
  [ uuid(3d1f0a52-6d0c-4c6e-9a6f-000000000001), version(1.0), pointer_default(unique) ]
  interface i {{ typedef struct {{ long v; }} T; typedef struct {{ T **m; }} H; void f({parameter}); }}
steps:
- call: f
  arguments: {arguments}
  server:
  - allocate: '{path}'
    value: {value}
"""


@pytest.mark.parametrize(
    ("parameter", "path", "seen"),
    [
        ("[out] long ***p", "*p", {"$new": True, "$value": None}),
        ("[in, out] H *p", "p.m", {"m": {"$new": True, "$value": None}}),
    ],
)
def test_a_null_is_written_into_the_new_storage(parameter, path, seen):
    arguments = "{}" if "in" not in parameter else "{p: {m: null}}"
    text = LEVELS.format(parameter=parameter, path=path, value="null", arguments=arguments)
    (outcome,) = Run(parse_scenario(text)).outcomes()
    after = outcome.observed()["client_after"]["p"]
    assert outcome.observed()["status"] == "ok"
    assert (
        after["$value"] == seen
        if isinstance(seen.get("m"), dict)
        else after["$value"]["$value"] == seen["$value"]
    )


def test_what_is_no_pointer_cannot_be_null():
    text = LEVELS.format(parameter="[out] T **p", path="*p", value="null", arguments="{}")
    with pytest.raises(ScenarioError, match=r"what it points to is no pointer") as caught:
        list(Run(parse_scenario(text)).outcomes())
    assert caught.value.path == "steps[0].server[0].allocate"


def test_storage_without_a_value_is_not_written():
    text = LEVELS.format(parameter="[out] T **p", path="*p", value="", arguments="{}").replace(
        "    value: \n", ""
    )
    (outcome,) = Run(parse_scenario(text)).outcomes()
    writes = outcome.call.trace.select("write", side="server", actor="routine")
    assert [event.size for event in writes] == [8]
