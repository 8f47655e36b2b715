"""Running scenarios: steps that make no sense are located, memory has types, the client acts between calls."""

import pytest

from rpcmemkit.errors import ScenarioError
from rpcmemkit.scenario import Outcome, Run, Scenario, as_step, parse_scenario, verify

IDL = """\
scenario: steps
idl: |
  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]
  interface steps
  {
    typedef struct node { long value; struct node *next; } node;
    typedef struct pair { node *left; node *right; } pair;
    typedef [switch_type(long)] union { [case(1)] node *one; [default] ; } choice;
    long Walk([in, out] node *root, [in] long count);
    void Pair([in, out] pair *both);
    void Sum([in] long n, [in, size_is(n)] long *numbers);
    void Nodes([in] long n, [in, out, size_is(n)] node *nodes);
    void Pick([in] long k, [in, switch_is(k)] choice *c);
    void Quiet([in, out] node *root);
  }
"""
WALK = "- call: Walk\n  arguments: {root: {value: 1, next: {value: 2, next: null}}, count: 3}\n"


def outcomes(steps, more=""):
    return list(Run(parse_scenario(f"{IDL}{more}steps:\n{steps}", "f.yaml")).outcomes())


WRONG = [
    ("- call: Wlak\n", "steps[0].call", "did you mean Walk?"),
    ("- call: Walk\n  arguments: {root: null}\n", "steps[0].arguments", "'count' is missing"),
    (WALK.replace("value: 2", "valeu: 2"), "steps[0].arguments.root.next", "no member 'valeu'"),
    (WALK.replace("value: 2", "value: two"), "steps[0].arguments.root.next.value", "expected a value of type long"),
    (WALK.replace("{value: 2", "{$label: l, $value: {value: two}, x: {value: 2").replace("l: null}}", "l: null}}}"), "", ""),
    (WALK + "  server: [{set: root.x, to: 1}]\n", "steps[0].server[0].set", "nothing is called '.x'"),
    (WALK + "  server: [{set: root.next, to: null}, {free: root.value}]\n", "steps[0].server[1].free", "only what a pointer"),
    (WALK + "  server: [{keep: root.value}]\n", "steps[0].server[0].keep", "is no pointer"),
    (WALK + "  server: [{raise: NO_SUCH}]\n", "steps[0].server[0].raise", "there is no status `NO_SUCH`"),
    (WALK + "  server: [{return: {a: 1}}]\n", "steps[0].server[0].return", "expected a value of type long"),
    ("- call: Quiet\n  arguments: {root: {value: 1}}\n  server: [{return: 1}]\n", "steps[0].server[0].return", "returns void"),
    (WALK + "- client: [{free: nobody}]\n", "steps[1].client[0].free", "nothing is called 'nobody'"),
    (WALK + "- client: [{free: root.next}, {free: root.next}]\n", "steps[1].client[1].free", "double free"),
    (WALK + "- client: [{set: root.next.next.value, to: 1}]\n", "steps[1].client[0].set", "would crash here"),
    (WALK + "- client: [{allocate: root.next.next, value: {value: 1}}]\nenvironment: {midl_user_allocate: {client_fail_after: 0}}\n", "steps[1].client[0].allocate", "OUT_OF_MEMORY"),
    (WALK + "memory: {spare: {value: 1}}\n", "memory.spare", "its type is unknown"),
    ("- call: Walk\n  arguments: {root: {$alias: a}, count: 1}\nmemory: {a: {value: x}}\n", "memory.a.value", "expected a value of type long"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "path", "message"), [case for case in WRONG if case[1]])
def test_a_step_that_makes_no_sense_is_located(steps, path, message):
    with pytest.raises(ScenarioError) as caught:
        outcomes(steps)

    assert caught.value.path == path
    assert message in caught.value.message
    assert caught.value.line > 16


def test_the_value_at_fault_is_found_behind_labels():
    steps = "- call: Walk\n  arguments: {count: 1, root: {$label: r, $value: {value: 1, next: {value: x}}}}\n"

    with pytest.raises(ScenarioError) as caught:
        outcomes(steps)
    assert caught.value.path == "steps[0].arguments.root.$value.next.value"


def test_a_scenario_made_in_memory_has_no_lines():
    scenario = Scenario("a", "", "typedef long x;", None, {}, {}, [])

    with pytest.raises(ScenarioError) as caught:
        Run(scenario)
    assert (
        str(caught.value).splitlines()[0]
        == "error at idl: the text defines no interface: write interface NAME { … }"
    )


def test_calls_are_numbered_apart_from_client_steps():
    found = outcomes(WALK + "- client: [{set: root.value, to: 9}]\n" + WALK)

    assert [outcome.number for outcome in found] == [1, 2]


def test_what_the_application_does_later_is_not_part_of_the_call():
    first, second = outcomes(WALK + "- client: [{free: root.next}, {set: root.next, to: null}]\n" + WALK)

    assert not list(first.call.trace.select("free", side="client"))
    assert first.audit.clean
    assert second.audit.clean


def test_the_application_allocates_points_and_frees_what_the_stub_gave_it():
    grow = (
        WALK.replace("{value: 2, next: null}", "null")
        + "  server: [{allocate: root.next, value: {value: 5, next: null}}]\n"
    )
    steps = grow + "- client:\n  - {allocate: root.next.next, value: {value: 6, next: null}}\n"
    steps += "  - {point: root.next, at: root.next.next}\n  - free: root.next\n  - client\n".replace(
        "  - client\n", ""
    )

    assert [outcome.call.status for outcome in outcomes(steps)] == [0]


def test_an_exception_by_name_or_number():
    by_name, by_number = outcomes(
        WALK + "  server: [{raise: ERROR_ACCESS_DENIED}]\n" + WALK + "  server: [{raise: 1234}]\n"
    )

    assert by_name.observed()["status"] == 5
    assert by_number.observed()["status"] == 1234


def test_a_kept_pointer_is_there_in_the_next_call():
    keep = WALK + "  server: [{keep: root.next}, {set: root.next, to: null}]\n"
    use = WALK + "  server: [{point: root.next, at: $global.root_next}]\n"
    _, second = outcomes(keep + use)

    assert second.observed()["client_after"]["root"]["$value"]["next"]["$value"]["value"] == 2


def test_a_routine_that_faults_ends_its_call_only():
    (outcome,) = outcomes(WALK + "  server: [{free: root.next}, {free: root.next}]\n")

    assert outcome.observed()["status"] == "RPC_S_CALL_FAILED"


@pytest.mark.parametrize(
    ("memory", "call"),
    [
        ("{a: [1, 2, 3]}", "call: Sum\n  arguments: {n: 3, numbers: {$alias: a}}"),
        ("{a: [{value: 1}, {value: 2}]}", "call: Nodes\n  arguments: {n: 2, nodes: {$alias: a}}"),
        ("{a: {value: 1, next: {$alias: b}}, b: {value: 2}}", "call: Walk\n  arguments: {count: 1, root: {$alias: a}}"),
        ("{a: {$label: kept, $value: {value: 1}}}", "call: Pair\n  arguments: {both: {left: {$alias: kept}, right: {$alias: kept}}}"),
        ("{a: {value: 1}}", "call: Pick\n  arguments: {k: 1, c: {$case: 1, $value: {$alias: a}}}"),
        ("{a: {value: 1}}", "call: Nodes\n  arguments: {n: 2, nodes: {$allocated: 2, $elements: [{value: 1, next: {$alias: a}}]}}"),
        ("{a: {value: 1}}", "call: Pair\n  arguments: {both: {$label: l, $value: {left: null, right: {$alias: a}}}}"),
    ],
)  # fmt: skip
def test_memory_has_the_type_of_what_names_it(memory, call):
    (outcome,) = outcomes(f"- {call}\n", f"memory: {memory}\n")

    assert outcome.audit.clean, (outcome.call.error, outcome.audit.faults)


def test_the_environment():
    more = "environment: {client_pointer_size: 4, server_pointer_size: 8, byte_order: big, transfer_syntax: ndr20}\n"
    (outcome,) = outcomes(WALK, more)

    assert outcome.call.request.startswith(b"\0\0\0\1")
    assert outcome.call.space("client before").pointer_size == 4


def test_a_call_that_never_reaches_the_server_has_no_server_keys():
    scenario = parse_scenario(
        "scenario: n\nidl: |\n  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { void f([in, ref] long *p); }\n"
        "steps: [{call: f, arguments: {p: null}, expect: {server_storage: {p: buffer}, server_sees: {p: 1}, response: 00, status: 1780}}]\n"
    )

    assert [each.path for each in verify(scenario).differences] == [
        "server_storage",
        "server_sees",
        "response",
    ]


def test_every_step_is_a_happening_in_order():
    text = WALK + "- client: [{set: root.value, to: 9}]\n" + "- disconnect: null\n" + WALK
    run = Run(parse_scenario(f"{IDL}steps:\n{text}", "f.yaml"))
    happened = list(run.happenings())

    assert [type(each).__name__ for each in happened] == ["Outcome", "ClientStep", "Departure", "Outcome"]
    (write,) = happened[1].trace.select("write")
    assert write.address in happened[1].places
    assert (happened[1].observed["status"], happened[1].observed["faults"]) == ("ok", [])
    assert [each.number for each in happened if isinstance(each, Outcome)] == [1, 2]


def test_steps_as_data():
    text = WALK + (
        "  server: [{rpcss: RpcSsEnableAllocate}, {disconnect: null}]\n"
        "- client: [{set: root.value, to: 9}, {free: root.next}, {free: root.next}]\n"
        "  expect: {faults: [double free]}\n"
        "- disconnect: null\n"
    )
    call, client, gone = map(as_step, Run(parse_scenario(f"{IDL}steps:\n{text}", "f.yaml")).happenings())

    assert (call["call"], call["observed"]["call"]) == (1, "Walk")
    assert [(deed["kind"], deed["rule"]) for deed in call["done"]] == [
        ("rpcss", "environment-pairs"),
        ("disconnect", "context-run-down"),
    ]
    assert call["done"][0]["detail"][:2] == ("RpcSsEnableAllocate", 0)
    assert client["client"] == {
        "status": "ERROR_INVALID_USER_BUFFER",
        "faults": ["double free"],
        "marked": 0,
        "statuses": [],
        "environments_left": 0,
    }
    assert [(deed["kind"], deed.get("storage")) for deed in client["done"]] == [
        ("write", "root"),
        ("free", "root.next"),
        ("fault", "root.next"),
    ]
    assert client["done"][1] == {
        "kind": "free",
        "storage": "root.next",
        "address": client["done"][2]["address"],
        "bytes": 16,
        "rule": "client-owns",
        "detail": "free",
    }
    assert gone == {"disconnect": {"rundowns": [], "server_leaked": 0, "faults": []}}


STARS = """scenario: s
idl: |
  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {
    typedef struct node { long value; struct node *next; } node; void F([in, out] node *list); }
steps:
  - call: F
    arguments: {list: {value: 1, next: null}}
    server: [ACTION]
"""


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("{allocate: *t}", 'put a path with a star in quotes: "*t"'),
        ("{allocate: *t.next}", 'put a path with a star in quotes: "*t"'),
        ("{raise: 0}", "a number other than 0, or the name of a status"),
        ("{allocate: list.next, with: new}", "malloc, private"),
        ("{allocate: list.next, with: midl_user_free}", "malloc, private"),
        ("{free: list.next, with: malloc}", "expected: midl_user_free,"),
        ("{set: list.vlue, to: 3}", "did you mean value?"),
    ],
)
def test_mistakes_of_an_action_are_told_with_what_is_right(action, told):
    with pytest.raises(ScenarioError) as error:
        for _ in Run(parse_scenario(STARS.replace("ACTION", action))).outcomes():
            pass
    assert told in str(error.value)


def test_a_null_pointer_that_is_set_through_needs_storage():
    text = STARS.replace("ACTION", "{set: list.next, to: {value: 2, next: null}}")
    (outcome,) = Run(parse_scenario(text)).outcomes()
    assert "use allocate" in str(outcome.call.error)


def test_a_leak_of_the_client_is_meant_as_one_of_the_server():
    text = STARS.replace("server: [ACTION]", "expect: {client_leaked: 0}")
    with pytest.raises(ScenarioError, match="did you mean `server_leaked`"):
        parse_scenario(text)
