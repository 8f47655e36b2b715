"""Files that once ended wrongly, as they were found: each ends as it says."""

from pathlib import Path

import pytest

from rpcmemkit.errors import ScenarioError
from rpcmemkit.scenario import Run, parse_scenario, verify, verify_file

CALLS = Path(__file__).parent.parent / "faults" / "calls"
AGREE = (
    "allocate-null-pointer",
    "neg",
    "path-star-inside",
    "varying-array-struct-alignment",
    "verify-crash-wide-elements",
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


@pytest.mark.parametrize(
    ("name", "line", "why"),
    [
        ("case", 3, "is no value of the switch type long"),
        ("frame", 5, "by a pointer"),
        ("lab1", 6, "characters that cannot be seen"),
    ],
)
def test_the_file_is_refused_where_it_is_wrong(name, line, why):
    report = verify_file(CALLS / f"{name}.yaml")
    assert report.result == "error"
    assert f"{name}.yaml:{line}:" in report.error
    assert why in report.error


def test_more_room_than_there_is_differs():
    (difference,) = verify_file(CALLS / "allocated.yaml").differences
    assert (difference.path, difference.actual) == ("server_sees.s", "abc")


SEEN = """
scenario: seen
idl: |
  [ uuid(3d1f0a52-6d0c-4c6e-9a6f-000000000001), version(1.0), pointer_default(unique) ]
  interface i { void f([in] long *p, [in] long n, [in, size_is(n)] short *a); }
steps:
- call: f
  arguments: {p: 5, n: 2, a: [1, 2]}
  expect: {server_sees: %s}
"""


@pytest.mark.parametrize(
    ("expected", "result"),
    [
        ("{p: {$label: here, $value: 5}}", "agree"),
        ("{p: {$label: here, $value: 6}}", "differ"),
        ("{p: {$label: here, $value: 5}, a: {$label: there, $value: [1, 2]}}", "agree"),
        ("{p: {$new: true, $value: 5}}", "differ"),
        ("{p: {$alias: here}}", "differ"),
        ("{p: {$label: here}}", "agree"),
        ("{a: {$allocated: 2, $elements: [1, 2]}}", "agree"),
        ("{a: {$allocated: 3, $elements: [1, 2]}}", "differ"),
        ("{a: {$allocated: 2, $elements: [{x: 1}, 2]}}", "differ"),
    ],
)
def test_a_label_on_storage_that_nothing_else_names_is_equal_to_the_value(expected, result):
    assert verify(parse_scenario(SEEN % expected)).result == result


@pytest.mark.parametrize(
    ("expected", "result"),
    [
        ("{p: {m: 7}}", "agree"),
        ("{p: {m: 8}}", "differ"),
        ("{p: {m: {$label: p.m, $value: 7}}}", "agree"),
        ("{q: {x: 1}}", "agree"),
        ("{q: {x: 2}}", "differ"),
        ("{q: null}", "differ"),
    ],
)
def test_no_storage_on_the_way_to_a_value_needs_a_label(expected, result):
    idl = "typedef struct { long **m; } T; typedef struct { long x; } U; void f([in, out] T *p, [in, out] U **q);"
    text = SEEN.replace("void f([in] long *p, [in] long n, [in, size_is(n)] short *a);", idl)
    text = text.replace("{p: 5, n: 2, a: [1, 2]}", "{p: {m: 7}, q: {x: 1}}").replace(
        "server_sees", "client_after"
    )

    assert verify(parse_scenario(text % expected)).result == result


@pytest.mark.parametrize("text", [r'"\x01"', r'"\ud800"', r'"a\u200bb"'])
@pytest.mark.parametrize("wrap", ["{$label: %s, $value: 5}", "{$alias: %s}"])
def test_labels_can_be_seen(text, wrap):
    file = SEEN.replace("p: 5", "p: " + wrap % text) % "{}"
    with pytest.raises(ScenarioError, match=r"cannot be seen|surrogate") as caught:
        parse_scenario(file)
    assert caught.value.line == 8


TAGGED = """
scenario: tagged
idl: |
  [ uuid(3d1f0a52-6d0c-4c6e-9a6f-000000000001), version(1.0), pointer_default(unique) ]
  interface i { typedef union switch (%s s) u { case 1: long x; default: ; } U; void f([in] U *u); }
steps:
- call: f
  arguments: {u: {$case: %s, $value: 1}}
"""


@pytest.mark.parametrize("case", [2**31, -(2**31) - 1, 2**70, "9223372036854775808", ".inf", "1.5", "{}"])
def test_a_selector_that_does_not_fit_is_located(case):
    with pytest.raises(ScenarioError) as caught:
        list(Run(parse_scenario(TAGGED % ("long", case))).outcomes())
    assert caught.value.line == 8


@pytest.mark.parametrize(
    ("type_", "case"), [("long", -(2**31)), ("long", 2**31 - 1), ("unsigned short", 65535)]
)
def test_a_selector_may_be_any_value_of_its_type(type_, case):
    (outcome,) = Run(parse_scenario(TAGGED % (type_, case))).outcomes()
    assert not outcome.call.status
