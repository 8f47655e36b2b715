"""Scenarios whose text defines several interfaces."""

import pytest

from rpcmemkit.errors import ScenarioError
from rpcmemkit.scenario import Run, parse_scenario, verify

TEXT = """
scenario: two-interfaces
idl: |
  typedef [context_handle] void *PFILE;
  [uuid(0d2f7c11-5b7e-4a36-9a0b-6f1c2d3e4a14), pointer_default(unique)]
  interface opener { void Open([out] PFILE *file); void Add([in, out] long *x); }
  [uuid(0d2f7c11-5b7e-4a36-9a0b-6f1c2d3e4a15), pointer_default(unique)]
  interface reader { long Read([in] PFILE file); void Close([in, out] PFILE *file); void Add([in, out] short *x); }
"""
STEPS = """
rundown:
  PFILE: [{free: context}]
steps:
- call: Open
  arguments: {file: {$context: log}}
  server: [{allocate: '*file', value: {$hex: "0700"}}]
  expect: {status: ok, server_allocations: 1}
- call: Read
  arguments: {file: {$context: log}}
  server: [{return: 7}]
  expect: {client_after: {return: 7}, server_sees: {file: {$hex: "0700"}}}
- call: Add
  interface: opener
  arguments: {x: {$alias: shared}}
  server: [{set: x, to: 100000}]
- client: [{set: shared, to: 100001}]
- call: Add
  interface: opener
  arguments: {x: {$alias: shared}}
  expect: {server_sees: {x: 100001}, client_after: {x: {$label: shared, $value: 100001}}}
- disconnect:
  expect: {rundowns: [PFILE], server_leaked: 0}
memory: {shared: 5}
"""


def test_a_call_means_the_interface_that_has_the_procedure():
    report = verify(parse_scenario(TEXT + STEPS))
    assert (report.error, [str(each) for each in report.differences]) == ("", [])


def test_labels_count_the_calls_of_all_interfaces():
    scenario = parse_scenario(TEXT + STEPS)
    numbers = [outcome.number for outcome in Run(scenario).outcomes()]
    assert numbers == [1, 2, 3, 4]


def ended(text):
    with pytest.raises(ScenarioError) as caught:
        list(Run(parse_scenario(TEXT + text)).happenings())
    return caught.value


def test_a_name_that_two_interfaces_have():
    error = ended("steps:\n- call: Add\n  arguments: {x: 1}\n")
    assert (error.line, error.path) == (10, "steps[0].call")
    assert "the interfaces opener and reader each have a procedure Add" in str(error)
    assert "`interface:`" in error.remedy

    chosen = "interface: reader\nsteps:\n- call: Add\n  arguments: {x: 70000}\n"
    assert "70000" in str(ended(chosen))  # a short
    step = chosen.replace("- call", "- interface: opener\n  call")
    assert next(iter(Run(parse_scenario(TEXT + step)).outcomes())).audit


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("interface: openr\nsteps:\n- call: Open\n", 9),
        ("steps:\n- call: Open\n  interface: openr\n", 11),
    ],
)
def test_an_interface_that_does_not_exist(text, line):
    error = ended(text)
    assert error.line == line
    assert error.message == "the text defines no interface openr; did you mean opener?"


def test_a_procedure_that_no_interface_has():
    assert "has no procedure Opn" in str(ended("steps:\n- call: Opn\n"))


def test_a_method_that_is_inherited_is_one_method():
    text = """
scenario: inherited
idl: |
  [object, uuid(0d2f7c11-5b7e-4a36-9a0b-6f1c2d3e4a14)] interface Base { long Get(); }
  [object, uuid(0d2f7c11-5b7e-4a36-9a0b-6f1c2d3e4a15)] interface More : Base { long Put(); }
steps:
- call: Get
  server: [{return: 3}]
  expect: {client_after: {return: 3}}
"""
    assert verify(parse_scenario(text)).result == "agree"


def test_interfaces_with_different_allocators_are_refused():
    text = """
scenario: mixed
idl: |
  [object, uuid(0d2f7c11-5b7e-4a36-9a0b-6f1c2d3e4a14)] interface Com { long Get(); }
  [uuid(0d2f7c11-5b7e-4a36-9a0b-6f1c2d3e4a15)] interface rpc { long Put(); }
steps:
- call: Get
- call: Put
"""
    with pytest.raises(ScenarioError, match="cannot share two programs"):
        Run(parse_scenario(text))
    assert list(Run(parse_scenario(text.replace("- call: Put\n", ""))).outcomes())
