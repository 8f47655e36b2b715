"""Memory that nobody wrote: left so in a file or in Python, followed by a stub, or sent to the client."""

import copy
import pickle

import pytest

from rpcmemkit import UNWRITTEN, Audit, UsageError
from rpcmemkit.scenario import parse_scenario, verify
from tests.engine.helpers import HEADER, NODE, open_session

ITEM = "typedef struct item { long id; [string] wchar_t *name; } item;\n"
LIST = ITEM + "void f([out] long *n, [out, size_is(, *n)] item **items);"


def audited(body, routine, acf=None, arguments=None, **environment):
    session = open_session(body, routine, acf, **environment)
    return Audit(session.try_call(next(iter(session.interface.procedures)), arguments or {}))


def kinds(audit):
    return [event.detail[0] for event in audit.faults]


def report(body, steps, environment=""):
    text = "scenario: s\nidl: |\n" + "".join(f"  {line}\n" for line in (HEADER + body + "\n}").splitlines())
    return verify(parse_scenario(f"{text}{environment}\nsteps:\n{steps}\n", "s.yaml"))


@pytest.mark.parametrize(
    "environment", [{}, {"server_pointer_size": 4}, {"transfer_syntax": "ndr64"}, {"osf": True}]
)
def test_a_stub_that_marshals_follows_a_pointer_that_was_never_written(environment):
    def routine(call, n, items):
        n[0] = 1
        items[0] = call.new([{"id": 1, "name": UNWRITTEN}])

    audit = audited(LIST, routine, **environment)
    (fault,) = audit.faults

    assert fault.detail[0] == "unmapped"
    assert "(*items)[0].name, which was never written" in fault.detail[1]
    assert "gave the block at" in fault.detail[1]
    assert audit.call.status == 1726
    assert "never written" in str(audit.call.error)
    assert audit.server_leaked == 0


@pytest.mark.parametrize("type_", ["long", "struct node"])
def test_a_stub_that_cleans_up_follows_it(type_):
    def routine(call, head):
        head.next = call.new({"value": 2, "next": None, "below": UNWRITTEN})

    node = f"typedef struct node {{ long value; struct node *next; {type_} *below; }} node; "
    audit = audited(
        node + "void f([in] node *head);",
        routine,
        arguments={"head": {"value": 1, "next": None, "below": None}},
    )

    assert kinds(audit) == ["not allocated"]
    assert "head->next->below, which was never written" in audit.faults[0].detail[1]
    assert audit.server_leaked == 0


def test_the_client_may_leave_storage_unwritten_too():
    audit = audited(
        NODE + "void f([in] node *head);",
        lambda call, head: None,
        arguments={"head": {"value": 1, "next": UNWRITTEN}},
    )

    assert kinds(audit) == ["unmapped"]
    assert "never written" in audit.faults[0].detail[1]


def test_a_parameter_of_the_client_may_be_a_wild_pointer():
    step = "- {call: f, arguments: {head: {$unwritten: true}}, expect: {status: ERROR_INVALID_USER_BUFFER, faults: [unmapped]}}"

    assert report(NODE + "void f([in, unique] node *head);", step).result == "agree"


def test_bytes_that_nobody_wrote_are_counted_when_they_travel():
    def routine(call, n, items):
        n[0] = 2
        items[0] = call.new([{"id": UNWRITTEN, "name": None}, {"id": 5, "name": "ab"}])

    audit = audited(LIST, routine)

    assert audit.unwritten_sent == 4
    assert not audit.clean
    assert "4 bytes sent that nobody wrote" in repr(audit)
    assert audit.call["items"][0]["id"] == -0x32323233


def test_what_is_written_later_is_written():
    def routine(call, n, items):
        n[0] = 1
        items[0] = call.new([{"id": UNWRITTEN, "name": None}])
        items[0][0].id = 7

    assert audited(LIST, routine).unwritten_sent == 0


def test_members_that_a_routine_of_a_file_leaves_out():
    step = """- call: f
  server:
  - {set: n, to: 2}
  - {allocate: '*items', value: [{name: null}, {id: 1, name: ab}]}
  expect: {status: ok, unwritten_sent: 4, faults: []}"""

    assert report(LIST, step).result == "agree"


def test_what_the_client_leaves_out_is_zero():
    step = "- {call: f, arguments: {head: {value: 1, next: {value: 2}}}, expect: {server_sees: {head: {next: {value: 2, next: null}}}}}"

    assert report(NODE + "void f([in] node *head);", step).result == "agree"


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("{$allocated: 2, $unwritten: true}", 8),
        ("{$allocated: 2, $unwritten: true, $elements: [1]}", 4),
        ("[{$unwritten: true}, 2]", 4),
        ("{$allocated: 2, $elements: [1]}", 0),
    ],
)
def test_elements(value, sent):
    step = f"""- call: f
  server:
  - {{set: n, to: 2}}
  - {{allocate: '*a', value: {value}}}
  expect: {{status: ok, unwritten_sent: {sent}}}"""

    assert report("void f([out] long *n, [out, size_is(, *n)] long **a);", step).result == "agree"


@pytest.mark.parametrize(
    "environment", ["", "environment: {pointer_size: 4}", "environment: {transfer_syntax: ndr64}"]
)
@pytest.mark.parametrize(("then", "sent"), [("", 9), ("- {set: '*a', to: {c: x, h: 1, s: null}}", 0)])
def test_gaps_between_members_do_not_travel(environment, then, sent):
    """Storage is left unwritten with its gaps; a stub sends values."""
    body = "typedef struct gap { char c; hyper h; [string] char *s; } gap; void f([out] gap **a);"
    value = "{$unwritten: true}" if then else "{s: null}"
    step = f"""- call: f
  server:
  - {{allocate: '*a', value: {value}}}
  {then}
  expect: {{status: ok, unwritten_sent: {sent or 0}}}"""

    assert report(body, step, environment).result == "agree"


def test_gaps_between_elements_do_not_travel():
    body = "typedef struct gap { hyper h; char c; } gap; void f([out] long *n, [out, size_is(, *n)] gap **a);"
    step = """- call: f
  server:
  - {set: n, to: 2}
  - {allocate: '*a', value: {$allocated: 2, $unwritten: true}}
  - {set: '(*a)[0]', to: {h: 1, c: x}}
  - {set: '(*a)[1].h', to: 1}
  expect: {status: ok, unwritten_sent: 1}"""

    assert report(body, step).result == "agree"


def test_how_many_elements_must_be_known():
    step = "- {call: f, server: [{set: n, to: 2}, {allocate: '*a', value: {$unwritten: true}}]}"

    assert "$allocated: N" in report("void f([out] long *n, [out, size_is(, *n)] long **a);", step).error


def test_storage_that_is_there_cannot_become_unwritten():
    def routine(call, head):
        head.next = UNWRITTEN

    with pytest.raises(UsageError, match="only new storage"):
        audited(NODE + "void f([in] node *head);", routine, arguments={"head": {"value": 1, "next": None}})


def test_there_is_one_of_it():
    assert copy.deepcopy({"a": UNWRITTEN})["a"] is UNWRITTEN
    assert pickle.loads(pickle.dumps(UNWRITTEN)) is UNWRITTEN
    assert repr(UNWRITTEN) == "UNWRITTEN"
