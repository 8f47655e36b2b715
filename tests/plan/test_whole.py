"""Whole and careful never tell different stories: the same calls, with generated code and without."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpcmemkit import UNWRITTEN, Call, Environment, Session, UsageError
from rpcmemkit.trace import Run
from rpcmemkit.views import address_of
from tests.engine.helpers import NODE, TREE, idl_text, linked, open_session, serve
from tests.plan.told import (
    Plain,
    assert_same,
    comes_back,
    damages,
    fails_with,
    moved_whole,
    plain,
    seen,
    value_by_value,
)
from tests.strategies import Case, cases, thorough

ENVIRONMENTS = [
    Environment(client, server, transfer_syntax=syntax, byte_order=order)
    for client, server, syntax, order in (
        (8, 8, "ndr20", "little"),
        (4, 4, "ndr20", "little"),
        (8, 4, "ndr64", "little"),
        (4, 8, "ndr20", "big"),
        (8, 8, "ndr64", "big"),
    )
]
Made = tuple[Plain, dict[str, Any], dict[str, Any]]


def opened(made: Made, environment: Environment) -> Session:
    """A session whose routine replaces, frees or leaves what it gets."""
    interface, _, fill = made
    session = Session(interface.idl, environment=environment)
    sets = "out" in interface.shape and "**a" in interface.shape

    def routine(call: Any, *arguments: Any) -> None:
        if sets:
            arguments[-1][0] = call.new(fill)

    serve(session, "f", routine)
    return session


def told(made: Made, environment: Environment) -> tuple[dict[str, Any], Call]:
    session = opened(made, environment)
    call = session.try_call("f", made[1])
    return seen(session, call), call


@thorough(60)
@given(plain(), st.sampled_from(ENVIRONMENTS))
def test_a_call_is_the_same_value_by_value(made: Made, environment: Environment) -> None:
    whole, call = told(made, environment)
    with value_by_value():
        carefully, other = told(made, environment)
    assert not moved_whole(other) or call.status
    assert_same(whole, carefully)


@thorough(40)
@given(cases())
def test_a_call_of_any_interface_is_the_same_value_by_value(case: Case) -> None:
    def outcome() -> dict[str, Any]:
        run, calls = case.run(case.environment)
        return {
            f"{key} of call {number}": what
            for number, each in enumerate(calls)
            for key, what in seen(run.session, each.call).items()
        }

    whole = outcome()
    with value_by_value():
        carefully = outcome()
    assert_same(whole, carefully)


@thorough(25)
@given(plain(), st.sampled_from(ENVIRONMENTS), st.integers(0, 1 << 16))
def test_bad_messages_fail_the_same_value_by_value(made: Made, environment: Environment, seed: int) -> None:
    _, call = told(made, environment)
    for bad in damages(call.request, seed):
        whole = fails_with(opened(made, environment), bad)
        with value_by_value():
            assert fails_with(opened(made, environment), bad) == whole
    for bad in damages(call.response, seed) if call.response else ():
        whole = comes_back(opened(made, environment), made[1], bad)
        with value_by_value():
            assert_same(whole, comes_back(opened(made, environment), made[1], bad))


# --- what is left to the careful code -----------------------------------------------------------

LIST = NODE + "void f([in] node *a);"
RANGED = "typedef struct node { [range(0, 9)] long value; struct node *next; } node;\nvoid f([in] node *a);"
WIDE = "typedef struct node { [string] wchar_t *s; struct node *next; } node;\nvoid f([in] node *a);"
RING = {"$label": "ring", "$value": {"value": 1, "next": {"$alias": "ring"}}}


LEAF = {"value": 3, "left": None, "right": None}
LABELLED = {"value": 1, "left": {"$label": "leaf", "$value": LEAF}, "right": {"$alias": "leaf"}}
SHARED = {"value": 1, "left": LEAF, "right": LEAF}  # one map twice: that is how Python says aliasing


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (LIST, {"value": 1, "next": {"value": "two", "next": None}}),
        (LIST, {"value": 1, "next": {"value": 1 << 40, "next": None}}),
        (LIST, {"value": 1, "next": {"value": 1}}),
        (LIST, {"value": 1, "next": {"value": 1, "next": None, "more": 2}}),
        (TREE + "void f([in] node *a);", LABELLED),
        (TREE + "void f([in] node *a);", SHARED),
        (RANGED, {"value": 1, "next": {"value": 10, "next": None}}),
        (WIDE, {"s": "one", "next": {"s": 2, "next": None}}),
    ],
    ids=[
        "no number",
        "too large",
        "one member less",
        "one more",
        "labelled",
        "shared",
        "range",
        "no text",
    ],
)
def test_odd_values_are_the_business_of_the_careful_code(body: str, value: dict[str, Any]) -> None:
    def outcome() -> dict[str, Any]:
        session = open_session(body, lambda call, a: None)
        try:
            return seen(session, session.try_call("f", {"a": value}))
        except UsageError as error:
            return {"refused": str(error), "memory": bytes(session.client.space.data)}

    whole = outcome()
    with value_by_value():
        assert_same(whole, outcome())


def test_a_ring_ends_where_it_ends_value_by_value() -> None:
    def outcome() -> tuple[int, str, int]:
        call = open_session(LIST, lambda call, a: None).try_call("f", {"a": RING})
        return call.status, repr(call.error), len(call.trace.raw)

    whole = outcome()
    assert whole[0]
    with value_by_value():
        assert outcome() == whole


@pytest.mark.parametrize("pointer", [0x10, 0x7FFF_0000, "freed", "inside"])
def test_a_pointer_that_dangles_is_met_by_the_careful_code(pointer: int | str) -> None:
    def outcome() -> dict[str, Any]:
        session = open_session(NODE + "void f([in] node *a);\nvoid g([out] node **a);", lambda call, a: None)

        def g(call: Any, a: Any) -> None:
            a[0] = call.new({"value": 1, "next": {"value": 2, "next": {"value": 3, "next": None}}})
            second = a[0].next
            if pointer == "freed":
                call.free(second.next)
            elif pointer == "inside":
                session.server.space.set_pointer(address_of(second) + 8, address_of(second) + 4)
            else:
                session.server.space.set_pointer(address_of(second) + 8, pointer)

        serve(session, "g", g)
        return seen(session, session.try_call("g", {}))

    whole = outcome()
    assert whole["outcome"][0]
    with value_by_value():
        assert_same(whole, outcome())


def test_a_list_moves_whole_and_is_replayed_only_when_asked() -> None:
    session = open_session(LIST, lambda call, a: None)
    call = session.try_call("f", {"a": linked(5000)})
    assert (call.status, moved_whole(call)) == (
        0,
        len(call.trace.raw) - len([e for e in call.trace.raw if isinstance(e, tuple)]),
    )
    assert moved_whole(call) >= 2
    assert sum(1 for _ in call.trace.select("marshal")) == 5000


MADE = {"value": 0, "next": linked(3)}
ROUTINES = {
    "whole": MADE,
    "left out": {"value": 1, "next": {"value": 2}},
    "unwritten": {"value": UNWRITTEN, "next": {"value": 2, "next": UNWRITTEN}},
    "bad": {"value": 1, "next": {"value": "two", "next": None}},
    "nothing": None,
}


@pytest.mark.parametrize("allocator", ["", "midl_user", "private"])
@pytest.mark.parametrize("value", ROUTINES.values(), ids=ROUTINES)
@pytest.mark.parametrize("fails", [None, 3], ids=["memory", "no memory"])
def test_what_a_routine_makes_is_the_same_value_by_value(
    value: Any, allocator: str, fails: int | None
) -> None:
    def outcome() -> dict[str, Any]:
        session = open_session(NODE + "void f([out] node **a, [in, out] node **b);", fail_after=fails)

        def f(call: Any, a: Any, b: Any) -> None:
            a[0] = call.new(value, allocator)
            b[0].next = call.new(MADE)
            b[0].next.next = call.new(value, allocator)

        serve(session, "f", f)
        try:
            return seen(session, session.try_call("f", {"b": {"value": 9, "next": None}}))
        except UsageError as error:
            return {"refused": str(error), "memory": bytes(session.server.space.data)}

    whole = outcome()
    with value_by_value():
        assert_same(whole, outcome())


def test_a_tree_that_a_routine_makes_is_allocated_in_one_go() -> None:
    leaf = {"value": 1, "left": None, "right": None}
    tree = {"value": 0, "left": dict(leaf), "right": {"value": 2, "left": dict(leaf), "right": None}}
    session = open_session(TREE + "void f([out] node **a);", lambda call, a: a.__setitem__(0, call.new(tree)))
    call = session.try_call("f", {})
    made = [e for e in call.trace.raw if isinstance(e, Run) and e.like and e.like[2] == "routine"]
    assert [len(entry.addresses) for entry in made] == [3], "all but the root, whose pointer is written first"
    assert call.values["a"] == tree


def test_a_referent_behind_a_gap_in_the_receive_buffer() -> None:
    """A message of the other byte order is converted in its buffer: the gap in front of a referent belongs to no other."""
    body = """typedef struct S1 { [ref] long *m0; short n; [size_is(n)] short tail[]; } S1;
        typedef struct S3 { [ref] S1 *m0; } S3; void f([in] S3 p0);"""
    session = open_session(body, server_pointer_size=4, byte_order="big")
    assert session.call("f", p0={"m0": {"m0": 7, "n": 0, "tail": []}}).status == 0


NAMES = "typedef [string] wchar_t *NAME;\ntypedef struct { long n; NAME s; NAME t; } named;\n"
TEXTS = ["", "one", "\0", "tw\0o", "\U0001f600", "\ud800", "Łódź", "Ā", None, "longer than that"]


@pytest.mark.parametrize("environment", ENVIRONMENTS[:3])
@pytest.mark.parametrize("shorter", [False, True], ids=["as given", "shortened by the routine"])
def test_strings_of_an_array_move_together(environment: Environment, shorter: bool) -> None:
    """Those that end before their block does are measured one by one."""
    value = [{"n": n, "s": s, "t": s and s[:2].replace(s[:1], "x")} for n, s in enumerate(TEXTS)]

    def outcome() -> dict[str, Any]:
        body = f"{NAMES}void f([in] long n, [in, out, size_is(n)] named *a);"
        session = Session(idl_text(body), environment=environment)

        def routine(call: Any, n: int, a: Any) -> None:
            if shorter:
                a[1].s, a[9].s, a[9].t = "o", "Ā", ""

        serve(session, "f", routine)
        return seen(session, session.try_call("f", {"n": len(value), "a": value}))

    whole = outcome()
    assert whole["outcome"][0] == 0
    with value_by_value():
        assert_same(whole, outcome())


def test_two_pointers_of_an_element_to_one_string() -> None:
    body = f"{NAMES}void f([out] long *n, [out, size_is(, *n)] named **a);"

    def outcome() -> dict[str, Any]:
        session = open_session(body)

        def routine(call: Any, n: Any, a: Any) -> None:
            n[0] = 2
            a[0] = call.new([{"n": 1, "s": "x", "t": "yy"}, {"n": 2, "s": "zzz", "t": None}])
            a[0][1].t = a[0][0].t

        serve(session, "f", routine)
        return seen(session, session.try_call("f", {}))

    whole = outcome()
    with value_by_value():
        assert_same(whole, outcome())
