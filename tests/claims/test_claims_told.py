"""Claims that were only told at first: definitions and consequences, each shown by a call."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, Environment, Session
from rpcmemkit.contract import contract
from tests.claims.table import NODE, Fact, fact, prove, proving
from tests.claims.test_claims_arrays import FIRST_LAST, SIX, counted
from tests.claims.test_claims_rpcss import allocators
from tests.engine.helpers import open_session, serve

GROWING = NODE + "void f([in, out] node *head, [out] node **made);"
OBJECT = "[object, uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e98), pointer_default(unique)] interface i "


def grow(call: Any, head: Any, made: Any) -> None:
    head.next = call.new({"value": 2, "next": None})
    made[0] = call.new({"value": 3, "next": None})


def m_206(head):
    head.next = None


def m_476(p, new):
    p[0] = new({"a": "x", "b": 1})


@pytest.mark.parametrize(
    "row",
    [
        fact("M-189", "void f([out] long **p);", {"p": {"$label": "s", "$value": None}}, request=""),
        fact("M-189", "void f([out] long **p);", {"p": {"$label": "s", "$value": 1}}, request=""),
        fact(
            "M-206",
            NODE + "void f([in, out] node *head);",
            {"head": {"value": 1, "next": {"$label": "old", "$value": {"value": 2, "next": None}}}},
            m_206,
            orphaned=["old"],
            client_frees=0,
        ),
        fact(
            "M-354",
            FIRST_LAST,
            {"first": 1, "last": 2, "a": SIX},
            request="01000000 02000000" + counted(1, 2, 2, 3),
        ),
        fact(
            "M-354 M-355",
            "void f([in] long last, [in, last_is(last)] short a[6]);",
            {"last": 1, "a": SIX},
            request="01000000" + counted(0, 2, 1, 2),
        ),
        fact(
            "M-355 M-356",
            "void f([in] long first, [in, first_is(first)] short a[6]);",
            {"first": 4, "a": SIX},
            request="04000000" + counted(4, 2, 5, 6),
        ),
        fact(
            "M-356",
            "void f([in] long n, [in, length_is(n)] short a[6]);",
            {"n": 2, "a": SIX},
            request="02000000" + counted(0, 2, 1, 2),
        ),
        fact("M-357", "void f([in] long m, [out, max_is(m)] short *a);", {"m": 3}, sizes=[8]),
        fact("M-358", "void f([in] long n, [out, size_is(n)] short *a);", {"n": 3}, sizes=[6]),
        fact(
            "M-476",
            "typedef struct { char a; long b; } t;\nvoid f([out] t **p);",
            {},
            m_476,
            response="00000200 78000000 01000000",
        ),
    ],
)
def test_calls(row: Fact) -> None:
    prove(row)


@proving("M-011 M-012")
def test_the_pair_takes_a_size_and_an_address() -> None:
    session = open_session(GROWING, grow)
    given: list[int] = []
    taken: list[int] = []

    def midl_user_allocate(size: int) -> int:
        assert size == 16
        given.append(session.server.heap_allocate(size))
        return given[-1]

    def midl_user_free(address: int) -> None:
        taken.append(address)
        session.server.heap_free(address)

    session.server.midl_user_allocate = midl_user_allocate  # type: ignore[method-assign]
    session.server.midl_user_free = midl_user_free  # type: ignore[method-assign]
    assert Audit(session.call("f", head={"value": 1, "next": None})).clean
    assert len(given) == 3
    assert sorted(taken) == given


@proving("M-010")
def test_dce_mode_needs_no_pair_of_the_applications() -> None:
    call = open_session(GROWING, grow, osf=True).call("f", head={"value": 1, "next": None})
    used = {event.detail for event in call.trace.select("allocate", side="server")}
    assert "midl_user_allocate" not in used


@proving("M-025")
def test_an_object_interface_uses_the_task_allocator() -> None:
    idl = f"{OBJECT} {{ {NODE} long f([in, out] node *head, [out] node **made); }}"
    session = Session(idl)
    serve(session, "f", lambda call, head, made: grow(call, head, made) or 0)
    call = session.call("f", head={"value": 1, "next": {"value": 2, "next": None}})
    assert allocators(call, "server") == allocators(call, "client") == {"CoTaskMemAlloc"}
    assert session.client.pairs["CoTaskMemAlloc"].allocate(0) != 0
    poor = Session(idl, environment=Environment(client_fail_after=0))
    serve(poor, "f", lambda call, head, made: grow(call, head, made) or 0)
    assert poor.try_call("f", {"head": {"value": 1, "next": None}}).status == 14


@proving("M-026")
def test_server_code_uses_the_package_when_it_is_enabled() -> None:
    call = open_session(GROWING, grow, "[enable_allocate] f();").call("f", head={"value": 1, "next": None})
    assert allocators(call, "server", "routine") == {"RpcSsAllocate"}


@proving("M-059")
def test_node_by_node_costs_a_server_nothing_where_one_block_costs_a_call() -> None:
    def blocks(acf: str | None) -> int:
        body = NODE + "typedef node *LIST; void f([in] LIST head);"
        session = open_session(body, acf=acf, server_pointer_size=4)
        return Audit(session.call("f", head={"value": 1, "next": None})).server_allocations

    assert (blocks(None), blocks("typedef [allocate(all_nodes)] LIST;")) == (0, 1)


@proving("M-207")
def test_each_call_that_orphans_costs_the_client_a_block() -> None:
    session = open_session(
        NODE + "void f([in, out] node *head);", lambda call, head: setattr(head, "next", None)
    )
    lost = []
    for _ in range(5):
        lost += Audit(
            session.call("f", head={"value": 1, "next": {"value": 2, "next": None}})
        ).orphaned_places
    assert len({place.address for place in lost}) == 5
    assert all(session.client.space.capacity(place.address) for place in lost)


PEOPLE = """typedef struct person { [ref] long *id; [string] char *name; } person;
typedef union switch (long k) u { case 1: long *a; } CHOICE;
void f([in, unique] long *year, [out] person *found, [in] long **deep, [in] CHOICE *choice, [in, size_is(2)] long **some);
"""


@proving("M-151 M-153")
def test_parameters_are_top_level_and_all_else_is_embedded() -> None:
    levels = {p.path: p.level for p in contract(open_session(PEOPLE).interface, "f").promises}
    tops = {"year", "found", "deep", "choice", "some"}
    assert {path for path, level in levels.items() if level == "top-level"} == tops
    assert len(set(levels) - tops) == 5  # in a structure twice, in a chain, in a union, in an array


@proving("M-004")
def test_each_pointer_has_its_party_on_each_side() -> None:
    made = contract(open_session(PEOPLE).interface, "f")
    for promise in made.promises:
        assert promise.client.allocates, promise.path
        if "null" not in promise.server.entry.outcomes and "buffer" not in promise.server.entry.outcomes:
            assert len(promise.server.allocates) == 1, promise.path


@proving("M-182")
def test_only_embedded_out_only_ref_pointers_are_left_to_the_routine() -> None:
    def entry(direction: str) -> tuple[str, ...]:
        session = open_session(f"typedef struct {{ [ref] long *r; }} t; void f([{direction}] t *x);")
        (inner,) = [p for p in contract(session.interface, "f").promises if p.level == "embedded"]
        return inner.server.entry.outcomes

    assert {way: entry(way) for way in ("in", "in, out", "out")} == {
        "in": ("buffer",),
        "in, out": ("buffer",),
        "out": ("null",),
    }


@proving("M-054")
def test_the_five_models_differ_in_what_they_allocate() -> None:
    body = NODE + "typedef node *LIST; void f([in] LIST head, [in] long room, [out] node *back);"
    head = {"value": 1, "next": {"value": 2, "next": None}}

    def blocks(acf: str | None, **environment: Any) -> tuple[int, int]:
        call = open_session(body, lambda call, head, room, back: None, acf, **environment).call(
            "f", head=head, room=64
        )
        audit = Audit(call)
        return len([*call.trace.select("allocate", side="server", actor="stub")]), audit.server_frees

    node_by_node = blocks(None)
    one_block = blocks("typedef [allocate(all_nodes)] LIST;")
    in_the_buffer = blocks(None, server_pointer_size=4)
    application = blocks("f([byte_count(room)] back);")
    kept = blocks("typedef [allocate(dont_free)] LIST;")
    assert one_block[0] == node_by_node[0] - 1
    assert in_the_buffer[0] == node_by_node[0] - 2
    assert application[0] >= node_by_node[0]
    assert kept[1] == node_by_node[1] - 2
