"""The promises of the design that concern the engine as a whole: 1, 2, 6 and 7. Promise 8 has test_hostile.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rpcmemkit import Audit, RpcError, Session, View
from tests.engine.constructs import CONSTRUCTS
from tests.engine.fingerprints import fingerprint
from tests.engine.helpers import NODE, linked, open_session, run

ROOT = Path(__file__).parents[2]


def python(module: str, *, stdin: str = "", **environment: str) -> str:
    """What a module of the tests prints when it runs in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        input=stdin,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


# --- 2: the two sides share no Python object ---


def test_server_in_another_process_gives_the_same_response() -> None:
    calls = {name: run(each.body, each.arguments, each.routine) for name, each in CONSTRUCTS.items()}
    requests = {name: call.request.hex() for name, call in calls.items()}
    replies = json.loads(python("tests.engine.server_alone", stdin=json.dumps(requests)))
    assert replies == {name: [0, call.response.hex()] for name, call in calls.items()}


# --- 6: the same input gives the same bytes ---


def test_same_session_twice_is_the_same() -> None:
    assert [fingerprint(name) for name in CONSTRUCTS] == [fingerprint(name) for name in CONSTRUCTS]


def test_hashes_do_not_matter() -> None:
    one, other = (python("tests.engine.fingerprints", PYTHONHASHSEED=seed) for seed in ("0", "4711"))
    assert one == other
    assert one.splitlines() == [fingerprint(name) for name in CONSTRUCTS]


# --- 7: nothing recurses on data ---

MANY = 200_000


def values_of(head: object) -> list[int]:
    found = []
    while head is not None:
        found.append(head["value"])  # type: ignore[index]
        head = head["next"]  # type: ignore[index]
    return found


def list_session(direction: str) -> Session:
    pointers = "node **head" if direction == "out" else "node *head"
    return open_session(NODE + f"void f([{direction}] {pointers});")


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["in", "in, out"])
def test_long_list_there(direction: str) -> None:
    call = list_session(direction).call("f", head=linked(MANY))
    audit = Audit(call)
    assert (audit.server_allocations, audit.server_frees, audit.client_allocations) == (MANY, MANY, 0)
    assert audit.clean
    assert len(audit.server_storage) == MANY + 1
    assert values_of(call["head"]) == list(range(MANY))


@pytest.mark.slow
def test_long_list_back() -> None:
    session = list_session("out")

    @session.routine
    def f(call: object, head: View) -> None:
        head[0] = call.new(linked(MANY))  # type: ignore[attr-defined]

    call = session.call("f")
    audit = Audit(call)
    assert (audit.client_allocations, audit.server_frees, audit.server_leaked) == (MANY, MANY, 0)
    assert len(audit.new_places) == MANY
    assert values_of(call["head"]) == list(range(MANY))


def test_events_grow_with_the_list_and_no_faster() -> None:
    small, large = (len(list_session("in, out").call("f", head=linked(size)).trace) for size in (100, 1000))
    assert large - 10 * small <= 0


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_cycle_of_unique_pointers_ends_in_an_error(size: int) -> None:
    nodes = linked(size)
    last = nodes
    while last["next"] is not None:  # type: ignore[index]
        last = last["next"]  # type: ignore[index]
    last["next"] = {"$alias": "top"}  # type: ignore[index]
    call = list_session("in").try_call("f", {"head": {"$label": "top", "$value": nodes}})
    assert isinstance(call.error, RpcError)
    assert call.error.rule == "unique-no-cycle"
    assert call.request == b""


def test_cycle_made_by_the_routine_ends_in_an_error() -> None:
    session = list_session("in, out")

    @session.routine
    def f(call: object, head: View) -> None:
        head.next = head

    call = session.try_call("f", {"head": linked(3)})
    assert isinstance(call.error, RpcError)
    assert call.status == 1766
    assert Audit(call).server_leaked == 2  # the nodes that the routine cut off


# --- 1: memory is bytes, and nothing but the messages crosses ---


def test_sides_have_addresses_of_their_own() -> None:
    call = list_session("in, out").call("f", head=linked(3))
    client, server = call.space("client after"), call.space("server exit")
    assert all(server.block(address) is None for address in client.ledger.starts)
    assert {event.side for event in call.trace if server.block(event.address)} == {"server"}
