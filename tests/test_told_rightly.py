"""What story, picture and JSON say of a call is what happened: who raised, freed, left what dangling, and on which side."""

import textwrap
from pathlib import Path

import pytest

from rpcmemkit.draw.build import picture
from rpcmemkit.draw.stages import steps
from rpcmemkit.scenario import Run, as_step, load_scenario, parse_scenario
from rpcmemkit.story import tell

HEAD = "[{}uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e28), pointer_default(unique)] interface s {{ {} }}"


def happenings(idl, steps, acf="", kind="", **environment):
    text = ["scenario: told", f"environment: {environment}", f'idl: "{HEAD.format(kind, idl)}"']
    text += [f'acf: "interface s {{ {acf} }}"'] if acf else []
    text += ["steps:", textwrap.dedent(steps)]
    return list(Run(parse_scenario("\n".join(text), "told.yaml")).happenings())


def calls(*args, **named):
    return [each.call for each in happenings(*args, **named)]


def words(story):
    return " ".join(str(story).split())


def section(call, heading):
    """Return the sentences below a heading."""
    (found,) = [each for each in tell(call).sections if each.heading.startswith(heading)]
    return [getattr(part, "text", part) for part in found.parts]


@pytest.mark.parametrize(
    ("idl", "acf", "where", "after"),
    [
        (
            "void G([out] error_status_t *st);",
            "G([comm_status, fault_status] st);",
            "in st",
            "the stub writes it over st (5).",
        ),
        (
            "error_status_t G([in] long st);",
            "[comm_status, fault_status] G();",
            "the function's result",
            "the stub returns it (5).",
        ),
    ],
)
def test_an_exception_that_became_a_value(idl, acf, where, after):
    (call,) = calls(idl, "- {call: G, arguments: {st: 9}, server: [{raise: 5}]}", acf)
    ending = (
        "The server raised RPC_S_ACCESS_DENIED (5). The call returns normally; the code is "
        f"{where}. No other [out] data came back: do not use it."
    )
    drawn = picture(call)

    assert ending in words(tell(call))
    assert section(call, "After")[0] == f"The exception became a value: {after}"
    assert drawn.verdict.startswith(ending)
    assert "No response: the server answered with a fault, status 5, and no data." in [
        column.note for column in drawn.columns
    ]
    told = [step.text for step in steps(call)]
    assert "Then it raises RPC_S_ACCESS_DENIED (5)." in told[3]
    assert told[-1].startswith(ending)


KEPT = """\
- {call: W, server: [{allocate: "*p", value: 1}, {keep: "*p"}]}
- {call: W, server: [{point: "*p", at: $global.p}]}
- {call: W, server: [{allocate: "*p"}]}
"""


def test_what_a_routine_keeps_and_the_stub_frees():
    first, second, third = calls("void W([out] long **p);", KEPT)

    assert "It keeps *p as $global.p." in section(first, "What your routine does")
    assert (
        "DANGLING: $global.p on the server: the stub frees that block at the end of the call. "
        "Copy it, or use allocate(dont_free)."
    ) in section(first, "What comes of it")
    assert "1 pointer left dangling on the server" in picture(second).verdict
    assert "the stub freed that at the end of an earlier call" in words(tell(second))
    assert "the routine has freed" not in words(tell(second))
    assert "nothing to free" not in words(tell(second))
    (reply,) = section(second, "While the stub makes the reply")
    assert reply.startswith("FAULT on the server (use after free)")
    assert reply not in section(second, "When the reply")
    assert "It meets a fault (use after free)" in " ".join(step.text for step in steps(second))
    assert "1 pointer" not in picture(third).verdict  # unwritten data behind a pointer is no pointer


def test_the_end_of_a_kept_pointer_is_in_json_too():
    (first,) = happenings("void W([out] long **p);", KEPT.splitlines()[0])
    kept = [deed for deed in as_step(first)["done"] if deed["kind"] == "remember"]
    assert [deed["detail"] for deed in kept] == ["*p as $global.p"]


def test_a_pointer_that_nobody_wrote_is_not_called_dangling():
    (call,) = calls(
        "typedef struct n { long v; struct n *next; } n; void W([out] n **p);",
        '- {call: W, server: [{allocate: "*p", value: {v: 1}}]}',
    )
    assert "1 pointer never written on the server" in picture(call).verdict
    assert "dangling" not in picture(call).verdict
    assert any(text.startswith("NEVER WRITTEN: ") for text in section(call, "What comes of it"))


def test_a_routine_that_freed_a_block_in_an_earlier_call():
    script = """\
    - {call: W, server: [{allocate: "*p", value: 1}, {keep: "*p"}, {free: "*p"}, {set: "*p", to: null}]}
    - {call: W, server: [{point: "*p", at: $global.p}]}
    """
    _, second = calls("void W([out] long **p);", script)
    assert "a routine freed that in an earlier call" in words(tell(second))


def test_a_routine_that_freed_an_environment_in_an_earlier_call():
    script = """\
    - call: W
      server:
        - {rpcss: RpcSsEnableAllocate}
        - {allocate: "*p", value: 1, with: RpcSsAllocate}
        - {keep: "*p"}
        - {set: "*p", to: null}
        - {rpcss: RpcSsDisableAllocate}
    - {call: W, server: [{point: "*p", at: $global.p}]}
    """
    _, second = calls("void W([out] long **p);", script)
    assert "a routine freed that in an earlier call" in words(tell(second))


@pytest.mark.parametrize("back", ["{allocate: '*text', value: longer}", "{set: '*text', to: null}"])
def test_what_a_proxy_replaces(back):
    script = f"- {{call: P, arguments: {{text: old}}, server: [{{free: '*text'}}, {back}, {{return: 0}}]}}"
    (call,) = calls("long P([in, out, string] wchar_t **text);", script, kind="object, ")
    told = section(call, "After the call")

    assert told[0].startswith("The client stub calls CoTaskMemFree once: *text (at 0x10028")
    assert "A pointer that was null" not in words(tell(call))


def test_the_size_of_a_referent_in_the_receive_buffer():
    script = "- {call: F, arguments: {s: hello, n: 3, a: [1, 2, 3], b: [4]}}"
    (call,) = calls(
        "void F([in, string] char *s, [in] long n, [in, size_is(n)] long *a, [in, size_is(1)] long *b);",
        script,
    )
    rows = section(call, "On entry")[1].rows if hasattr(section(call, "On entry")[1], "rows") else ()
    assert [row[2] for row in rows] == ["6", "12", "4"]


def test_a_response_that_reaches_nobody():
    script = "- {call: F, arguments: {n: 1}, server: [{set: n, to: 2}, {disconnect: null}]}"
    (happened,) = happenings("void F([in, out] long *n);", script)
    call = happened.call

    assert section(call, "The response") == ["None reaches the client: it went away during the call."]
    assert "travel to the client" not in words(tell(call))
    assert "No response: the client went away during the call, so none reaches it." in [
        column.note for column in picture(call).columns
    ]
    assert "response" not in happened.observed()


def test_what_a_rejected_response_leaves_alone():
    script = '- {call: F, arguments: {s: abc}, server: [{allocate: "*s", value: abcdefghijk}]}'
    (call,) = calls("void F([in, out, string] char **s);", script)
    assert call.status == 1783
    assert section(call, "After") == ["Nothing has changed in your memory."]


def test_what_leaves_a_block_is_told_once_and_by_name():
    script = '- {call: F, arguments: {text: abc}, server: [{set: "*text", to: abcdefghijklmnopqr}]}'
    (call,) = calls("void F([in, out, string] wchar_t **text);", script)
    fault = "a write of 38 bytes at 0x40000010 ends 30 bytes past the end of *text, a block of 24 ("
    assert fault in words(tell(call))


def test_the_stub_reads_past_the_end():
    script = "- {call: F, arguments: {n: 1, a: [1]}, server: [{allocate: '*a', value: [1]}, {set: n, to: 3}]}"
    (call,) = calls("void F([in, out] long *n, [in, out, size_is(,*n)] long **a);", script)
    assert "a read of 3 elements by the stub (12 bytes) at" in words(tell(call))
    assert "ends 8 bytes past the end of *a, a block of 4." in words(tell(call))


def test_storage_that_no_parameter_leads_to_has_a_name():
    script = "- {call: F, server: [{allocate: t}, {return: text}]}"
    (call,) = calls("[string] char *F([out] long **t);", script)
    told = " ".join(section(call, "What your routine does"))
    assert "It allocates what t points to (at" in told
    assert "It allocates return (at" in told
    assert "It writes its result and return." in told


@pytest.mark.parametrize("name", ["a01-com-in-out-longer", "empty-array-all-nodes"])
def test_no_section_repeats_what_a_rule_says(name):
    """What the proxy frees and what it allocates, what comes in one block here and there, follow from one rule."""
    scenario = load_scenario(Path(__file__).parent / "faults" / "calls" / f"{name}.yaml")
    story = tell(next(iter(Run(scenario).happenings())).call)
    told = [
        part.text
        for section in story.sections
        for part in section.parts
        if getattr(part, "tone", "") == "rule"
    ]

    assert len(told) > 2
    assert len(set(told)) == len(told)
