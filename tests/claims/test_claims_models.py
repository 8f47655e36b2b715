"""Claims about the memory models: one block for a graph, forced allocation, the application's buffer, kept data."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit
from rpcmemkit.status import status_code
from tests.claims.table import NODE, TREE, Fact, fact, prove, proving
from tests.engine.helpers import linked, open_session, run, serve

PTREE = TREE + "typedef node *PTREE;\n"
ONE_BLOCK = "typedef [allocate(all_nodes)] PTREE;"
KEPT_BLOCK = "typedef [allocate(all_nodes, dont_free)] PTREE;"
LEFT = {"value": 2, "left": None, "right": None}
RIGHT = {"value": 3, "left": None, "right": None}
THREE = {"value": 1, "left": LEFT, "right": RIGHT}
BYTES = 72  # three nodes of a long and two 8-byte pointers
SMALL = {"server_pointer_size": 4}
COUNTED = "void f([in] long size, [out] node *root);"
BYTE_COUNT = "f([byte_count(size)] root);"
BUILD = "root.value = 1; root.left = new({'value': 2, 'left': None, 'right': None})"


def new(value: Any) -> dict[str, Any]:
    return {"$new": True, "$value": value}


def m_060(made, new):
    made[0] = new({"value": 1, "left": {"value": 2, "left": None, "right": None}, "right": None})


def m_075(root):
    root.left.value = 9


def m_230(made, new):
    made[0] = new({"value": 1, "left": None, "right": None})


ALL_NODES = [
    fact(
        "M-060 M-094 M-062 M-070 M-229",
        PTREE + "void f([in] PTREE root);",
        {"root": THREE},
        acf=ONE_BLOCK,
        sizes=[BYTES],
        server_sees={"root": THREE},
        server_storage={"root": "allocated", "root.left": "allocated", "root.right": "allocated"},
        server_allocations=1,
        server_frees=1,
        server_leaked=0,
    ),
    fact(
        "M-060 M-228",
        PTREE + "void f([in] PTREE given, [out] PTREE *made);",
        {"given": THREE},
        m_060,
        acf=ONE_BLOCK,
        client_sizes=[48],
        client_allocations=1,
        client_frees=0,
    ),
    fact(
        "M-071 M-074 M-228",
        PTREE + "void f([in] PTREE given, [out] PTREE *made);",
        {"given": THREE},
        m_060,
        acf="typedef [allocate(single_node)] PTREE;",
        client_allocations=2,
        server_allocations=5,
        server_frees=5,
    ),
    fact(
        "M-229",
        NODE + "typedef node *PNODE; void f([in] PNODE head);",
        {"head": linked(3)},
        acf="typedef [allocate(single_node)] PNODE;",
        env=SMALL,
        server_storage={"head": "buffer", "head.next": "buffer", "head.next.next": "buffer"},
        server_allocations=0,
    ),
    fact(
        "M-229",
        NODE + "typedef node *PNODE; void f([in] PNODE head);",
        {"head": linked(3)},
        acf="typedef [allocate(all_nodes)] PNODE;",
        env=SMALL,
        server_storage={"head": "allocated", "head.next": "allocated", "head.next.next": "allocated"},
        server_allocations=1,
        server_frees=1,
    ),
    fact(
        "M-075 M-216",
        PTREE + "void f([in, out] PTREE *root);",
        {"root": THREE},
        m_075,
        acf=ONE_BLOCK,
        client_allocations=1,
        client_sizes=[BYTES],
        client_after={
            "root": {
                "$label": "root",
                "$value": new({"value": 1, "left": new(LEFT | {"value": 9}), "right": new(RIGHT)}),
            }
        },
        orphaned=["*root", "*root.left", "*root.right"],
        server_allocations=1,
        server_frees=1,
    ),
    fact(
        "M-073 M-120 M-146 M-148 M-231",
        PTREE + "void f([in] PTREE root);",
        {"root": THREE},
        acf=KEPT_BLOCK,
        sizes=[BYTES],
        server_allocations=1,
        server_frees=0,
        server_leaked=0,
    ),
    fact(
        "M-072 M-231",
        PTREE + "void f([in] PTREE root);",
        {"root": THREE},
        acf="typedef [allocate(single_node, free)] PTREE;",
        server_allocations=3,
        server_frees=3,
    ),
    fact(
        "M-150",
        NODE + "typedef node *PNODE; void f([in] PNODE head);",
        {"head": linked(2)},
        acf="typedef [allocate(dont_free)] PNODE;",
        env=SMALL,
        server_storage={"head": "allocated", "head.next": "allocated"},
        server_allocations=2,
        server_frees=0,
    ),
    fact(
        "M-230",
        PTREE + "void f([in] PTREE given, [out] PTREE *made);",
        {"given": THREE},
        m_230,
        acf="typedef [allocate(dont_free)] PTREE;",
        client_allocations=1,
        client_frees=0,
    ),
]


def m_093(free, head):
    free(head.next.next)
    head.next.next = None


FORCED = [
    fact(
        "M-093 M-114 M-126",
        NODE + "typedef node *PNODE; void f([in, out] PNODE head);",
        {"head": linked(3)},
        m_093,
        acf="typedef [force_allocate] PNODE;",
        env=SMALL,
        server_allocations=3,
        server_frees=3,
        server_leaked=0,
        orphaned=["head.next.next"],
    ),
    fact(
        "M-126",
        NODE + "void f([in, out] node *head);",
        {"head": linked(3)},
        m_093,
        env=SMALL,
        status="RPC_S_CALL_FAILED",
        faults=["receive buffer"],
        server_allocations=0,
    ),
    fact(
        "M-127",
        NODE + "void f([in] node *head);",
        {"head": linked(3)},
        acf="f([force_allocate] head);",
        env=SMALL,
        rules=["server-allocates-forced"],
        server_storage={"head": "allocated", "head.next": "allocated", "head.next.next": "allocated"},
        server_allocations=3,
    ),
    fact(
        "M-089",
        "typedef struct m { long rows; [size_is(rows)] long cells[][2]; } m; void f([in] m *matrix);",
        {"matrix": {"rows": 2, "cells": [[1, 2], [3, 4]]}},
        env=SMALL,
        server_storage={"matrix": "allocated"},
        server_allocations=1,
    ),
]


def m_134(root, new):
    root.value = 1
    root.left = new({"value": 2, "left": None, "right": None})


BUFFERS = [
    fact(
        "M-134 M-135 M-234",
        TREE + COUNTED,
        {"size": 48},
        m_134,
        acf=BYTE_COUNT,
        client_allocations=0,
        client_frees=0,
        values={"size": 48, "root": {"value": 1, "left": LEFT, "right": None}},
    ),
    fact(
        "M-095 M-136 M-235",
        TREE + COUNTED,
        {"size": 480},
        acf=BYTE_COUNT,
        sizes=[480],
        rules=["byte-count-sizes-buffer"],
        server_storage={"root": "allocated"},
        server_allocations=1,
        server_frees=1,
        server_leaked=0,
    ),
    fact(
        "M-137",
        TREE + COUNTED,
        {"size": 47},
        m_134,
        acf=BYTE_COUNT,
        status="RPC_X_BYTE_COUNT_TOO_SMALL",
        rule="byte-count-too-small",
        client_allocations=0,
    ),
]

PARTIAL = "void f([in, out, unique, partial_ignore] long *p, [in] long n);"
IGNORED = "typedef struct s { long kind; [ignore] long *link; } s; void f([in] s *given);"


def m_299(p):
    assert p[0] == 0
    p[0] = 6


def m_300(p):
    assert p is None


UNSENT = [
    fact(
        "M-299",
        PARTIAL,
        {"p": 7, "n": 5},
        m_299,
        request="00000200 05000000",
        response="00000200 06000000",
        values={"p": 6, "n": 5},
        server_storage={"p": "stub"},
    ),
    fact(
        "M-300",
        PARTIAL,
        {"p": None, "n": 5},
        m_300,
        request="00000000 05000000",
        response="00000000",
    ),
    fact(
        "M-303 M-304",
        IGNORED,
        {"given": {"kind": 1, "link": 99}},
        request="01000000 00000000",
        server_sees={"given": {"kind": 1, "link": None}},
        server_storage={"given": "allocated", "given.link": None},
    ),
]


@pytest.mark.parametrize("row", ALL_NODES + FORCED + BUFFERS + UNSENT)
def test_model(row: Fact) -> None:
    prove(row)


@proving("M-061")
@pytest.mark.parametrize(("path", "fault"), [("made", None), ("made.left", "inside a block")])
def test_a_graph_in_one_block_is_freed_by_its_root(path: str, fault: str | None) -> None:
    session = open_session(
        PTREE + "void f([out] PTREE *made);",
        lambda call, made: made.__setitem__(0, call.new(THREE)),
        ONE_BLOCK,
    )
    call = session.call("f")
    space = session.client.space
    root = space.pointer_at(space.pointer_at(call.arguments["made"].address))
    address = root if path == "made" else space.pointer_at(root + 8)

    if fault is None:
        session.client.free(address, "application", "client-owns")
        assert space.capacity(root) == 0
    else:
        with pytest.raises(Exception, match="bytes into a block"):
            session.client.free(address, "application", "client-owns")


def bytes_after(acf: str | None) -> int:
    """The alignment of a routine's bytes whose place in the message is not a multiple of 8."""
    body = "void f([in] long lead, [in] long n, [in, size_is(n)] byte *data);"
    call = run(body, {"lead": 1, "n": 3, "data": b"abc"}, acf=acf)
    space = call.space("server entry")
    frame = call.trace.snapshots["server entry"].frame
    return space.pointer_at(call.server_frame.place("data", frame).address) % 8


@proving("M-128")
def test_bytes_in_the_buffer_lie_where_the_message_has_them() -> None:
    assert bytes_after(None) == 4
    assert bytes_after("f([force_allocate] data);") == 0


@proving("M-144")
def test_one_buffer_serves_several_calls() -> None:
    session = open_session(
        TREE + COUNTED,
        lambda call, size, root: root.__setattr__("left", call.new(LEFT)),
        BYTE_COUNT,
    )
    first = session.call("f", size=48, root={"$label": "buffer", "$value": None})
    second = session.call("f", size=48, root={"$alias": "buffer"})

    where = [session.client.space.pointer_at(call.arguments["root"].address) for call in (first, second)]
    assert where[0] == where[1]
    assert session.client.space.capacity(where[0]) == 48
    assert not [event for event in second.trace if event.kind == "free" and event.side == "client"]


@proving("M-145")
@pytest.mark.parametrize(("size", "status"), [(33, "ok"), (32, "RPC_X_BYTE_COUNT_TOO_SMALL")])
def test_every_object_in_the_buffer_begins_at_a_multiple_of_8(size: int, status: str) -> None:
    """A structure of 17 bytes of names and counters, and one byte behind it: 24 + 8 + 1."""
    body = (
        "typedef struct part { byte *mark; byte *other; byte tag; } part;"
        "void f([in] long size, [out] part *whole);"
    )

    def routine(call: Any, size: int, whole: Any) -> None:
        whole.mark = call.new(1)
        whole.other = call.new(2)

    call = run(body, {"size": size}, routine, "f([byte_count(size)] whole);")

    assert call.status == (0 if status == "ok" else status_code(status))


@proving("M-147 M-149")
def test_kept_data_is_there_in_later_calls_and_is_the_servers_to_free() -> None:
    session = open_session(PTREE + "void Keep([in] PTREE root); long Sum(); void Drop();", acf=KEPT_BLOCK)
    kept: list[Any] = []
    serve(session, "Keep", lambda call, root: kept.append(root))
    serve(session, "Sum", lambda call: kept[0].value + kept[0].left.value + kept[0].right.value)
    serve(session, "Drop", lambda call: call.free(kept.pop()))

    session.call("Keep", root=THREE)
    assert session.call("Sum").result == 6
    assert any(_live(session, BYTES))
    assert Audit(session.call("Drop")).server_frees == 1
    assert not any(_live(session, BYTES))


def _live(session: Any, size: int) -> list[bool]:
    ledger = session.server.space.ledger
    return [block.live for block in (ledger[index] for index in range(len(ledger))) if block.size == size]


def notified(*, fail: str = "") -> tuple[list[Any], Any]:
    session = open_session(NODE + "void g([in] node *head);", acf="[notify, notify_flag] g();")
    seen: list[Any] = []

    def live_nodes() -> int:
        return sum(block for block in _live(session, 16))

    def routine(call: Any, head: Any) -> None:
        if fail == "raise":
            call.raise_exception(5)

    serve(session, "g", routine)
    session.server_stub.notify["g"] = lambda: seen.append(("notify", live_nodes()))
    session.server_stub.notify_flag["g"] = lambda ran: seen.append(("flag", ran))
    if fail == "data":
        session.server_stub.dispatch(0, b"\x01")
        return seen, session.server.trace
    return seen, session.try_call("g", {"head": linked(2)}).trace


@proving("M-122 M-130 M-132")
def test_notify_runs_after_the_clean_up() -> None:
    seen, trace = notified()

    assert seen == [("notify", 0), ("flag", True)]
    kinds = [event.kind for event in trace if event.side == "server" and event.kind in ("free", "notify")]
    assert kinds == ["free", "free", "notify", "notify"]


@proving("M-131 M-132")
def test_notify_runs_even_if_the_routine_did_not() -> None:
    assert notified(fail="data")[0] == [("notify", 0), ("flag", False)]
    assert notified(fail="raise")[0] == [("notify", 0), ("flag", True)]


def test_the_walk_before_the_allocation_takes_no_more_than_the_message_justifies() -> None:
    """A message that announces more than it sends ends before anything is allocated."""
    body = "typedef struct v { long n; [size_is(n)] double *cells; } v; typedef v *PV; void f([in] PV all);"
    session = open_session(body, acf="typedef [allocate(all_nodes)] PV;")
    count = (1 << 28).to_bytes(4, "little")
    reply = session.server_stub.dispatch(0, count + b"\0\0\2\0" + count + bytes(8))

    assert reply.status == status_code("RPC_X_BAD_STUB_DATA")
    assert not list(session.server.trace.select("allocate"))


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_truncated_graphs_leave_nothing_behind(length: int) -> None:
    session = open_session(PTREE + "void f([in] PTREE root);", acf=ONE_BLOCK)
    whole = session.call("f", root=THREE).request

    reply = session.server_stub.dispatch(0, whole[: min(length, len(whole) - 1)])

    assert reply.status == status_code("RPC_X_BAD_STUB_DATA")
    assert not any(_live(session, BYTES))


def test_a_graph_with_aliases_is_one_block_too() -> None:
    body = (
        "typedef struct node { long value; [ptr] struct node *left; [ptr] struct node *right; } node;"
        "typedef [ptr] node *PN; void f([in, ptr] PN root, [in, ptr] node *again);"
    )
    ring = {"$label": "r", "$value": {"value": 1, "left": {"$alias": "r"}, "right": LEFT}}
    call = run(body, {"root": ring, "again": {"$alias": "r"}}, acf="typedef [allocate(all_nodes)] PN;")

    assert [event.size for event in call.trace.select("allocate", side="server")] == [48]


def test_negative_byte_count_is_refused() -> None:
    call = open_session(TREE + COUNTED, acf=BYTE_COUNT).try_call("f", {"size": -1})

    assert call.status == status_code("RPC_X_INVALID_BOUND")
    assert not call.request
