"""What story, picture and JSON say of a call is what happened: who raised, freed, left what dangling, and on which side."""

import textwrap

import pytest

from rpcmemkit.draw.build import picture
from rpcmemkit.draw.stages import steps
from rpcmemkit.scenario import Run, parse_scenario
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
