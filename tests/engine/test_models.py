"""The memory models one by one: what each stub does with a graph, and which rule its events name."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, Call, UsageError
from rpcmemkit.program import UNSENT_LIMIT
from rpcmemkit.status import status_code
from tests.engine.helpers import NODE, TREE, linked, open_session, run

PTREE = TREE + "typedef node *PTREE;\n"
ONE_BLOCK = "typedef [allocate(all_nodes)] PTREE;"
LEFT = {"value": 2, "left": None, "right": None}
RIGHT = {"value": 3, "left": None, "right": None}
THREE = {"value": 1, "left": LEFT, "right": RIGHT}


def allocations(call: Call, side: str) -> list[tuple[int, str]]:
    """What a stub allocated: size and rule of each block."""
    return [(e.size, e.rule) for e in call.trace.select("allocate", side=side, actor="stub")]


# --- one block --------------------------------------------------------------------------------


def test_a_root_passed_by_value_stays_and_the_rest_is_new() -> None:
    def routine(call: Any, root: Any) -> None:
        root.value = 10
        root.left.value = 20

    call = run(PTREE + "void f([in, out] PTREE root);", {"root": THREE}, routine, ONE_BLOCK)
    audit = Audit(call)

    assert allocations(call, "client") == [(48, "all-nodes-one-block")]
    assert call["root"] == {"value": 10, "left": LEFT | {"value": 20}, "right": RIGHT}
    assert audit.orphaned == ["root.left", "root.right"]
    assert audit.faults == []


def test_a_root_passed_by_value_alone_needs_no_block() -> None:
    def routine(call: Any, root: Any) -> None:
        root.left = root.right = None
        root.value = 7

    call = run(PTREE + "void f([in, out] PTREE root);", {"root": THREE}, routine, ONE_BLOCK)

    assert allocations(call, "client") == []
    assert call["root"] == {"value": 7, "left": None, "right": None}


def test_a_returned_graph_is_one_block() -> None:
    call = run(PTREE + "PTREE f();", {}, lambda call: call.new(THREE), ONE_BLOCK)

    assert allocations(call, "client") == [(72, "all-nodes-one-block")]
    assert call.result == THREE


def test_objects_of_a_graph_begin_at_multiples_of_8() -> None:
    body = (
        "typedef struct tag { [string] char *name; [string] char *text; } tag; typedef tag *PTAG;"
        "void f([in] PTAG one);"
    )
    call = run(body, {"one": {"name": "abc", "text": "de"}}, None, "typedef [allocate(all_nodes)] PTAG;")

    assert allocations(call, "server") == [(16 + 8 + 3, "all-nodes-one-block")]
    assert Audit(call).faults == []


@pytest.mark.parametrize(
    ("acf", "blocks"),
    [
        ("f([force_allocate] all);", [(16, "server-allocates-forced"), (72, "all-nodes-one-block")]),
        ("", [(16, "server-allocates-widened-pointer"), (72, "all-nodes-one-block")]),
    ],
)
def test_a_graph_below_another_model_is_one_block_still(acf: str, blocks: list[tuple[int, str]]) -> None:
    body = PTREE + "typedef struct box { long n; PTREE root; } box; void f([in] box *all);"
    call = run(body, {"all": {"n": 1, "root": THREE}}, None, f"{ONE_BLOCK} {acf}")

    assert allocations(call, "server") == blocks
    assert (Audit(call).server_frees, Audit(call).server_leaked) == (2, 0)


def test_two_graphs_are_two_blocks() -> None:
    call = run(PTREE + "void f([in] PTREE a, [in] PTREE b);", {"a": THREE, "b": LEFT}, None, ONE_BLOCK)

    assert allocations(call, "server") == [(72, "all-nodes-one-block"), (24, "all-nodes-one-block")]
    assert Audit(call).server_frees == 2


def test_the_block_is_freed_once_whatever_the_routine_unlinks() -> None:
    def routine(call: Any, root: Any) -> None:
        root.left = None
        root.right = call.new(RIGHT)

    call = run(
        PTREE + "void f([in, out] PTREE *root);", {"root": THREE}, lambda c, r: routine(c, r[0]), ONE_BLOCK
    )
    frees = [event.size for event in call.trace.select("free", side="server")]

    assert sorted(frees) == [24, 72]  # the cell is on the stub's stack
    assert Audit(call).server_leaked == 0


def test_a_graph_unlinked_at_its_root_is_freed_too() -> None:
    def routine(call: Any, root: Any) -> None:
        root[0] = None

    call = run(PTREE + "void f([in, out] PTREE *root);", {"root": THREE}, routine, ONE_BLOCK)

    assert Audit(call).server_leaked == 0
    assert call["root"] is None
    assert Audit(call).orphaned == ["*root", "*root.left", "*root.right"]


def test_freeing_an_inner_node_of_a_graph_is_a_fault() -> None:
    call = run(PTREE + "void f([in] PTREE root);", {"root": THREE}, lambda c, r: c.free(r.left), ONE_BLOCK)

    assert [event.detail[0] for event in Audit(call).faults] == ["inside a block"]
    assert call.status == status_code("RPC_S_CALL_FAILED")


def test_the_walk_before_the_allocation_is_bounded_too() -> None:
    body = (
        "typedef struct v { long n; long m; [size_is(n), length_is(m)] char *cells; } v; typedef v *PV;"
        "void f([in] PV all);"
    )
    session = open_session(body, acf="typedef [allocate(all_nodes)] PV;")
    size = UNSENT_LIMIT + (1 << 20)
    request = size.to_bytes(4, "little") + bytes(4) + b"\0\0\2\0" + size.to_bytes(4, "little") + bytes(8)

    assert session.server_stub.dispatch(0, request).status == status_code("RPC_S_SERVER_OUT_OF_MEMORY")
    assert not list(session.server.trace.select("allocate"))
    assert len(session.server.space.data) < UNSENT_LIMIT


def test_a_graph_of_many_nodes_is_measured_in_one_pass() -> None:
    body = NODE + "typedef node *PNODE; void f([in] PNODE head);"
    call = run(body, {"head": linked(300)}, None, "typedef [allocate(all_nodes)] PNODE;")

    assert allocations(call, "server") == [(300 * 16, "all-nodes-one-block")]


# --- forced allocation ------------------------------------------------------------------------


def test_force_allocate_keeps_nothing_in_the_buffer() -> None:
    body = NODE + "void f([in] node *head);"
    plain = run(body, {"head": linked(2)}, server_pointer_size=4)
    forced = run(body, {"head": linked(2)}, None, "f([force_allocate] head);", server_pointer_size=4)

    assert allocations(plain, "server") == []
    assert allocations(forced, "server") == [(8, "server-allocates-forced")] * 2
    assert list(forced.trace.select("reuse")) == []
    assert Audit(forced).server_frees == 2


# --- the client, node by node -----------------------------------------------------------------


def test_the_clients_allocations_name_their_rules() -> None:
    body = "long *f([in, out, unique] long *p, [out] long **pp);"

    def routine(call: Any, p: Any, pp: Any) -> Any:
        pp[0] = call.new(2)
        return call.new(3)

    call = run(body, {"p": 1}, routine)

    assert allocations(call, "client") == [(4, "client-null-to-new"), (4, "client-allocates-result")]


# --- unsent pointers --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 0xFFFFFFFF])
def test_any_id_of_an_ignored_pointer_is_null(number: int) -> None:
    body = "typedef struct s { long v; [ignore] long *q; } s; void f([in] s *p);"
    session = open_session(body, lambda call, p: seen.append(p.q))
    seen: list[Any] = []

    reply = session.server_stub.dispatch(0, (5).to_bytes(4, "little") + number.to_bytes(4, "little"))

    assert (reply.status, seen) == (0, [None])


@pytest.mark.parametrize(
    "environment", [{"server_pointer_size": 4}, {}, {"transfer_syntax": "ndr64"}], ids=["32", "64", "ndr64"]
)
@pytest.mark.parametrize("tail", ["", " [size_is(v)] long more[];"], ids=["fixed", "conformant"])
def test_a_structure_with_an_ignored_pointer_is_copied_at_any_width(
    environment: dict[str, Any], tail: str
) -> None:
    body = f"typedef struct s {{ long v; [ignore] long *q;{tail} }} s; void f([in] s *p);"
    call = run(body, {"p": {"v": 1, "q": 2} | ({"more": [3]} if tail else {})}, **environment)

    assert Audit(call).server_storage["p"] == "allocated"


def test_a_partial_ignore_parameter_has_an_id_of_its_own() -> None:
    body = "void f([in, out, unique, partial_ignore] long *p, [in, unique] long *q);"
    call = run(body, {"p": 1, "q": 2})

    assert call.request.hex() == "00000200" + "04000200" + "02000000"


def test_a_short_request_of_a_partial_ignore_parameter() -> None:
    session = open_session("void f([in, out, unique, partial_ignore] long *p);")

    assert session.server_stub.dispatch(0, b"\0\0").status == status_code("RPC_X_BAD_STUB_DATA")


# --- deletions --------------------------------------------------------------------------------

DELETING = (
    "typedef struct n { long value; [ptr] struct n *left; [ptr] struct n *right; } n;"
    "[reflect_deletions] void f([in, out, ptr] n *root);"
)


def test_deletions_travel_behind_the_parameters() -> None:
    def routine(call: Any, root: Any) -> None:
        call.free(root.left)
        root.left = None

    tree = {"value": 1, "left": {"value": 2, "left": None, "right": None}, "right": None}
    call = run(DELETING, {"root": tree}, routine, osf=True)

    assert call.response.hex().endswith("01000000" + "02000000")
    frees = [(event.rule, event.detail) for event in call.trace.select("free", side="client")]
    assert frees == [("reflected-deletions-freed", "free")]


@pytest.mark.parametrize("tail", ["", "ffffffff", "05000000 01000000"])
def test_deletions_that_the_message_does_not_hold(tail: str) -> None:
    session = open_session(DELETING, osf=True)
    whole = session.call("f", root={"value": 1, "left": None, "right": None}).response
    session.client_stub.transport = lambda opnum, request: (0, whole[:-4] + bytes.fromhex(tail))

    call = session.try_call("f", {"root": {"value": 1, "left": None, "right": None}})

    assert call.status == status_code("RPC_X_BAD_STUB_DATA")


@pytest.mark.parametrize(
    "tail",
    [
        "01000000 63000000",  # an id that the request did not have
        "01000000 00000000",  # null
        "02000000 02000000 02000000",  # the same twice
        "01000000 01000000",  # the root, which the response has too
        "02000000 02000000 01000000",  # one that is right, and one that is not: neither is freed
    ],
)
def test_deletions_of_what_the_call_does_not_have_are_refused(tail: str) -> None:
    session = open_session(DELETING, lambda call, root: root.__setattr__("left", None), osf=True)
    whole = {"value": 1, "left": {"value": 2, "left": None, "right": None}, "right": None}
    response = session.call("f", root=whole).response
    session.client_stub.transport = lambda opnum, request: (0, response[:-4] + bytes.fromhex(tail))

    call = session.try_call("f", {"root": whole})

    assert (call.status, Audit(call).client_frees) == (status_code("RPC_X_BAD_STUB_DATA"), 0)
    assert "list of deletions" in str(call.error)
    assert Audit(call).faults == []


def test_a_deletion_that_the_request_had_is_carried_out() -> None:
    session = open_session(DELETING, lambda call, root: root.__setattr__("left", None), osf=True)
    whole = {"value": 1, "left": {"value": 2, "left": None, "right": None}, "right": None}
    response = session.call("f", root=whole).response
    session.client_stub.transport = lambda opnum, request: (
        0,
        response[:-4] + bytes.fromhex("01000000 02000000"),
    )
    assert Audit(session.call("f", root=whole)).client_frees == 1


# --- what is too small ------------------------------------------------------------------------

COUNTED = TREE + "void f([in] long size, [out] node *root);"
IN_PLACE = "f([byte_count(size)] root);"


@pytest.mark.parametrize(("size", "said"), [(23, "24 bytes or more, the buffer has 23"), (24, "")])
def test_a_buffer_smaller_than_its_type_is_refused_on_the_server(size: int, said: str) -> None:
    call = run(COUNTED, {"size": size}, lambda call, size, root: None, IN_PLACE)
    raised = [event.detail for event in call.trace.select("raise", side="server")]

    assert call.status == (status_code("RPC_X_BYTE_COUNT_TOO_SMALL") if said else 0)
    assert [(each.code, each.path, each.rule) for each in raised] == (
        [(1782, "root", "byte-count-too-small")] if said else []
    )
    assert all(said in each.message for each in raised)


@pytest.mark.parametrize("pointer_size", [4, 8])
@pytest.mark.parametrize("size", [-1, 0, 4, 11])
def test_a_value_that_does_not_fit_its_buffer_is_refused(size: int, pointer_size: int) -> None:
    """What lies in the buffer before the call is the application's: it cannot have written more than there is room for."""
    sizes = {"client_pointer_size": pointer_size, "server_pointer_size": pointer_size}
    session = open_session(COUNTED, lambda call, size, root: None, IN_PLACE, **sizes)
    value = {"value": 1, "left": None, "right": None}

    with pytest.raises(UsageError, match=rf"value of root does not fit .* {max(size, 0)} bytes"):
        session.try_call("f", {"size": size, "root": value})
    assert session.try_call("f", {"size": max(size, 0)}).status == status_code("RPC_X_BYTE_COUNT_TOO_SMALL")


def test_data_that_outgrows_a_buffer_is_named() -> None:
    call = run(COUNTED, {"size": 40}, lambda c, size, root: setattr(root, "left", c.new(LEFT)), IN_PLACE)

    assert call.error is not None
    assert (call.error.code, call.error.path) == (1782, "root->left")  # type: ignore[union-attr]
    assert "48 bytes or more, the buffer has 40" in str(call.error)


def test_a_string_may_not_outgrow_the_one_it_replaces_even_where_there_is_room() -> None:
    """The stub knows no size: it goes by the terminator that it finds."""
    session = open_session("void f([in, out, string] char *text);", lambda call, text: text_to(call, "abcd"))
    roomy = {"$allocated": 16, "$elements": "abc"}

    call = session.try_call("f", {"text": roomy})

    assert call.status == status_code("RPC_X_BAD_STUB_DATA")
    assert call.error is not None
    assert call.error.rule == "mccp-rejects-larger"  # type: ignore[union-attr]


def text_to(call: Any, text: str) -> None:
    """Let the stub's parameter name a longer text, as no routine could: it goes back all the same."""
    program = call.operations.program
    address = program.try_allocate(8, "routine", "routine-allocates")
    program.space.write(address, text.encode() + b"\0")
    program.space.set_pointer(call._call.frame.place("text", call._call.stub_frame).address, address)
