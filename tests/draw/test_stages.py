"""A call told in steps."""

from __future__ import annotations

from typing import Any

from rpcmemkit.call import Call, Session
from rpcmemkit.draw import steps
from tests.draw.conftest import freed, kinds, never_sent, prune, refused, starved


def labels(call: Call) -> list[str]:
    return [step.label for step in steps(call)]


def test_a_call_that_succeeds_has_seven_steps() -> None:
    told = steps(prune())
    assert [step.number for step in told] == list(range(1, 8))
    assert [step.picture.active for step in told] == [
        ("before",), ("request",), ("server",), ("server",), ("response",), ("server",), ("after",),
    ]  # fmt: skip
    assert told[3].text == "It does 6 writes, 1 read, 1 allocation."
    assert told[5].text == "It frees 3 blocks; 1 block LEAKED."
    assert told[6].text.endswith("1 block NEW, 1 block ORPHANED.")


def test_columns_are_filled_as_the_call_goes_on() -> None:
    filled = [[c.key for c in step.picture.columns if c.items] for step in steps(prune())]
    assert filled[0] == ["before"]
    assert filled[2] == ["before", "request", "server"]
    assert filled[-1] == ["before", "request", "server", "response", "after"]


def test_unmarshalling_names_the_rule_of_every_referent() -> None:
    third = steps(kinds())[2]
    assert "2 referents in the receive buffer" in third.text
    assert "name: in the receive buffer, rule server-reuses-buffer" in third.details
    assert any(detail.startswith("item: in a block of its own") for detail in third.details)


def test_calls_that_fail_have_the_steps_that_they_came_to() -> None:
    assert labels(never_sent()) == ["Client before", "The client stub unmarshals: client after"]
    assert "The routine runs" not in labels(starved())
    assert "RPC_S_SERVER_OUT_OF_MEMORY" in steps(starved())[2].text
    routine = steps(refused())[3]
    assert routine.text == "It changes nothing. Then it raises RPC_S_ACCESS_DENIED (5)."
    assert "the memory is as it was" in steps(refused())[-1].text
    assert "1 free" in steps(freed())[3].text


def test_a_call_that_fails_late_does_not_claim_that_nothing_changed() -> None:
    idl = "void Read([in, out] long *count, [in, out, size_is(, *count)] long **lines);"
    session = Session(f"[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1873)] interface logs {{ {idl} }}")

    @session.routine
    def Read(call: Any, count: Any, lines: Any) -> None:
        count[0] = 2
        lines[0] = call.new([1, 2])

    rejected = session.try_call("Read", {"count": 1, "lines": {"$label": "slot", "$value": [0]}})
    told = steps(rejected)[-1].text
    assert told == "The call raises RPC_X_BAD_STUB_DATA (1783): what was written before that stays."


def test_an_environment_is_released_as_a_whole() -> None:
    head = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {"
    body = "typedef struct node { long value; struct node *next; } node; void f([in, out] node *head); }"
    session = Session(f"{head} {body}", acf="interface i { [enable_allocate] f(); }")
    session.set_routine("f", lambda call: None)
    call = session.call("f", head={"value": 1, "next": {"value": 2, "next": None}})
    assert steps(call)[5].text == "It releases the environment with 2 blocks; nothing is left."
    assert str(steps(call)[5].picture.counts[1]) == (
        "Server: stub and routine allocated 2, freed 0, released 2 with the environment; "
        "afterwards 0 blocks live, 0 leaked."
    )
