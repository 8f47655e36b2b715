"""Context handles at run time: tokens, records, the server's table, and what hostile bytes do to them."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from rpcmemkit import Audit, RpcError, Session, UsageError
from rpcmemkit.annotate import annotate
from rpcmemkit.contract import contract
from rpcmemkit.draw import render
from rpcmemkit.idl import compile_idl
from rpcmemkit.reader import Reader
from rpcmemkit.story import tell, tell_departure
from rpcmemkit.stubs.contexts import NULL, Context, ContextTable, guard_of, uses_contexts, verdict
from rpcmemkit.types import ContextHandle
from tests.engine.helpers import idl_text, open_session, serve

BODY = """typedef struct { long count; [string] char *name; } state;
typedef [context_handle] state *PH;
typedef [context_handle] void *PV;
void Open([out] PH *h);
long Count([in] PH h);
void Change([in, out] PH *h);
PV Make(void);
long Size([in] PV v);
void Both([in] long n, [in] PH h, [in] long m);"""
FIRST = "0000000001000000000000408000000000000000"


def opened(**environment: Any) -> Session:
    """A session with usual routines; ``Change`` closes."""
    session = open_session(BODY, **environment)
    routines: dict[str, Any] = {
        "Open": lambda call, h: h.__setitem__(0, call.new({"count": 3, "name": "abc"})),
        "Count": lambda call, h: h.count,
        "Change": close,
        "Make": lambda call: call.new(b"\1\2\3"),
        "Size": lambda call, v: len(v),
    }
    for name, routine in routines.items():
        serve(session, name, routine)
    return session


def close(call: Any, h: Any) -> None:
    call.free(h[0].name)
    call.free(h[0])
    h[0] = None


def set_to(value: Any) -> Any:
    def routine(call: Any, h: Any) -> None:
        h[0] = value

    return routine


def kinds(trace: Any, side: str) -> list[str]:
    wanted = ("open", "close", "run-down", "lose", "keep")
    return [event.kind for event in trace.select(*wanted, side=side)]


# --- the life of a handle ---


@pytest.mark.parametrize(("client", "server"), list(product((4, 8), repeat=2)))
def test_open_use_close(client: int, server: int) -> None:
    session = opened(client_pointer_size=client, server_pointer_size=server)
    first = session.call("Open")
    handle = first["h"]
    assert first.response.hex() == FIRST
    assert kinds(first.trace, "client") == ["open"]
    assert kinds(first.trace, "server") == ["open", "keep", "keep"]
    assert Audit(first).clean

    assert session.call("Count", h=handle).result == 3
    assert session.last is not None
    assert session.last.request.hex() == FIRST

    last = session.call("Change", h=handle)
    assert (last.request.hex(), last.response) == (FIRST, NULL)
    assert last["h"] is None
    assert kinds(last.trace, "client") == kinds(last.trace, "server") == ["close"]
    assert Audit(last).clean
    assert len(session.contexts) == 0


def test_the_message_is_in_the_senders_byte_order() -> None:
    session = opened(byte_order="big")
    call = session.call("Open")
    assert call.response.hex() == "0000000000000001000040008000000000000000"
    assert session.call("Count", h=call["h"]).result == 3


def test_a_token_is_aligned_to_4() -> None:
    session = open_session(
        "typedef [context_handle] void *PH; void f([in] byte b, [in, out] PH *h, [in] byte c);"
    )
    call = session.call("f", b=1, h={"$context": "h"}, c=2)
    assert call.request == b"\1\0\0\0" + NULL + b"\2"


def test_a_result_is_a_handle_and_has_a_name() -> None:
    session = opened()
    made = session.call("Make")
    assert session.call("Size", v=made.result).result == 3
    assert session.call("Size", v={"$context": "return"}).result == 3
    assert Audit(made).clean


def test_state_without_a_type_reads_as_the_bytes_of_its_block() -> None:
    session = opened()
    seen: list[Any] = []
    serve(session, "Size", lambda call, v: seen.extend([v(), v[1], list(v)]) or 0)
    session.call("Size", v=session.call("Make").result)
    assert seen == [{"$hex": "010203"}, 2, [1, 2, 3]]


def test_what_a_later_call_adds_to_the_state_is_kept_too() -> None:
    session = opened()
    handle = session.call("Open")["h"]

    def rename(call: Any, h: Any) -> int:
        call.free(h.name)
        h.name = call.new("new name")
        return 0

    serve(session, "Count", rename)
    assert Audit(session.call("Count", h=handle)).server_leaked == 0
    serve(session, "Count", lambda call, h: call.operations._allocate(8, "midl_user_allocate") * 0)
    assert Audit(session.call("Count", h=handle)).server_leaked == 1


def test_a_changed_value_replaces_the_state() -> None:
    session = opened()
    handle = session.call("Open")["h"]

    def replace(call: Any, h: Any) -> None:
        old = h[0]
        h[0] = call.new({"count": 9, "name": None})
        call.free(old.name)
        call.free(old)

    serve(session, "Change", replace)
    call = session.call("Change", h=handle)
    assert call.response.hex() == FIRST
    assert Audit(call).server_leaked == 0
    assert session.call("Count", h=handle).result == 9


def test_state_that_another_handle_names_is_kept_when_one_closes() -> None:
    session = open_session("typedef [context_handle] void *PH; void f([in, out] PH *a, [in, out] PH *b);")

    def share(call: Any, a: Any, b: Any) -> None:
        a[0] = call.new(b"x")
        b[0] = a[0]

    serve(session, "f", share)
    session.call("f", a={"$context": "a"}, b={"$context": "b"})
    serve(session, "f", lambda call, a, b: a.__setitem__(0, None))
    assert Audit(session.call("f", a={"$context": "a"}, b={"$context": "b"})).server_leaked == 0
    assert len(session.contexts) == 1
    assert Audit(session.call("f", a={"$context": "b"}, b={"$context": "a"})).server_leaked == 1


def test_closing_without_freeing_leaks_the_state() -> None:
    session = opened()
    handle = session.call("Open")["h"]
    serve(session, "Change", set_to(None))
    call = session.call("Change", h=handle)
    assert [block.size for block in Audit(call).leaked] == [16]


def test_an_out_only_variable_is_not_read() -> None:
    """The record that it named is lost to the client: two handles are open, one variable is left."""
    session = opened()
    session.call("Open", h={"$context": "h"})
    second = session.call("Open", h={"$context": "h"})
    assert second.response[4] == 2
    assert kinds(second.trace, "client") == ["open"]
    assert len(session.contexts) == 2


def test_handles_inside_structures_and_arrays() -> None:
    body = """typedef [context_handle] void *PH;
typedef struct { byte b; PH h; PH more[2]; } holder;
void f([in, out] holder *p);"""
    session = open_session(body)

    def fill(call: Any, p: Any) -> None:
        p.h, p.more[1] = call.new(b"one"), call.new(b"two")

    serve(session, "f", fill)
    holder = {"$label": "p", "$value": {"b": 7, "h": None, "more": [None, None]}}
    call = session.call("f", p=holder)
    assert call.request == b"\7\0\0\0" + 3 * NULL
    assert [call.response[offset + 4] for offset in (4, 24, 44)] == [1, 0, 2]
    assert Audit(call).server_leaked == 0

    def swap(call: Any, p: Any) -> None:
        call.free(p.h)
        p.h = None

    serve(session, "f", swap)
    after = session.call("f", p={"$alias": "p"})
    assert (after["p"]["h"], len(session.contexts)) == (None, 1)
    assert after["p"]["more"][1] is not None


# --- the client's side ---


def test_freeing_a_clients_record_is_a_fault() -> None:
    session = opened()
    variable = session.call("Open")["h"].variable
    record = session.client.space.pointer_at(variable)
    with pytest.raises(Exception, match="record of a context handle"):
        session.client.free(record, "application", "client-owns")


def test_no_variable_of_that_name() -> None:
    session = opened()
    with pytest.raises(UsageError, match="h: no context handle is called 'none'"):
        session.call("Count", h={"$context": "none"})
    with pytest.raises(UsageError, match="no context handle is called 'none'"):
        session.destroy_client_context("none")
    with pytest.raises(
        UsageError, match=r"h: expected a context handle: \{\$context: NAME\}, or null, got 5"
    ):
        session.call("Count", h=5)


def test_rundowns_are_for_types_of_the_interface() -> None:
    session = opened()
    with pytest.raises(UsageError, match="'PX' is no context handle type of i; there are: PH, PV"):
        session.set_rundown("PX", lambda call: None)
    plain = open_session("void f([in, context_handle] void *h);")
    with pytest.raises(UsageError, match="'h' is no context handle type of i; there are none"):
        plain.set_rundown("h", lambda call: None)


def test_a_response_that_exchanges_the_handle_is_refused() -> None:
    session = opened()
    handle = session.call("Open")["h"]
    session.client_stub.transport = lambda opnum, request: (0, bytes(4) + b"\7" + bytes(15))
    with pytest.raises(RpcError, match="RPC_X_SS_CONTEXT_DAMAGED") as caught:
        session.call("Change", h=handle)
    assert (caught.value.code, caught.value.rule, caught.value.path) == (1777, "context-damaged", "h")


def test_a_variable_that_holds_no_record() -> None:
    session = opened()
    handle = session.call("Open")["h"]
    session.client.space.set_pointer(handle.variable, 0x1234)
    call = session.try_call("Count", {"h": handle})
    assert (call.status, call.request) == (6, b"")


# --- hostile bytes ---


@pytest.mark.parametrize("name", ["Count", "Change", "Both"])
def test_any_bytes_end_in_a_status(name: str) -> None:
    session = opened()
    session.call("Open")
    stub, source = session.server_stub, random.Random(name)
    opnum = session.interface.procedures[name].opnum
    for size in (0, 1, 19, 20, 21, 28):
        for _ in range(40):
            reply = stub.dispatch(opnum, source.randbytes(size))
            assert reply.status in (6, 1775, 1783), (size, reply)
    assert len(session.contexts) == 1


@pytest.mark.parametrize("flipped", range(20))
def test_every_byte_of_a_token_counts(flipped: int) -> None:
    session = opened()
    request = bytearray(session.call("Open").response)
    request[flipped] ^= 1
    opnum = session.interface.procedures["Count"].opnum
    assert session.server_stub.dispatch(opnum, bytes(request)).status == 6


def test_any_response_ends_in_a_value_or_an_rpc_error() -> None:
    session, source = opened(), random.Random(5)
    for size in (0, 7, 20, 33):
        for name in ("Open", "Make"):
            data = source.randbytes(size)
            session.client_stub.transport = lambda opnum, request, data=data: (0, data)
            call = session.try_call(name, {})
            assert call.status == (0 if size >= 20 else 1783)


def test_a_nil_uuid_is_null_to_the_client_whatever_the_attributes() -> None:
    session = opened()
    handle = session.call("Open")["h"]
    session.client_stub.transport = lambda opnum, request: (0, b"\1" + bytes(19))
    assert session.call("Change", h=handle)["h"] is None


# --- the rules of the end ---


def test_verdicts() -> None:
    ends = ("returned", "raised", "unsent")
    found = {
        (was, now): [verdict(was, now, end) for end in ends] for was, now in product((False, True), repeat=2)
    }
    assert found == {
        (False, False): ["nothing", "nothing", "nothing"],
        (False, True): ["open", "nothing", "run-down"],
        (True, False): ["close", "close", "close"],
        (True, True): ["keep", "keep", "keep"],
    }


def test_run_downs_wait_for_calls_and_come_in_order() -> None:
    table, ran = ContextTable(), []
    for name in "ab":
        context = Context(
            table.new_token(), ContextHandle(name), (), 1, lambda each: ran.append(each.type.name)
        )
        table.open(context)
    table.call_begins()
    table.call_begins()
    table.client_gone()
    table.call_ends()
    assert ran == []
    table.call_ends()
    assert (ran, len(table)) == (["a", "b"], 0)
    table.call_begins()
    table.call_ends()
    assert ran == ["a", "b"]


def test_guards() -> None:
    body = "typedef [context_handle] void *PH; void f([in] PH h);"
    guards = {}
    for attribute in ("", "[strict_context_handle]", "[type_strict_context_handle]"):
        interface = compile_idl(idl_text(body), f"{attribute} interface i {{ }}").interface
        handle = interface.procedures["f"].parameters[0].type
        assert isinstance(handle, ContextHandle)
        guards[attribute] = guard_of(interface, handle)[1:], len(guard_of(interface, handle))
    assert list(guards.values()) == [((), 0), ((), 1), (("PH",), 2)]


def test_interfaces_without_handles_are_not_burdened() -> None:
    session = open_session("typedef struct n { struct n *next; } n; void f([in] n *p);")
    assert not uses_contexts(session.interface)
    assert session.server_stub.prototypes is session.server_stub.procedures


def test_a_run_down_routine_that_raises_disturbs_nobody() -> None:
    session = opened()
    session.call("Open")
    session.call("Open")

    @session.rundown
    def PH_rundown(call: Any, context: Any) -> None:
        call.raise_exception(5)

    departure = session.disconnect()
    assert departure.rundowns == ["PH", "PH"]
    assert [event.detail.code for event in departure.trace.select("raise")] == [5, 5]
    assert repr(departure) == "<Departure: run down PH, PH>"


# --- for people ---


def test_rows_pictures_and_stories() -> None:
    session = opened()
    call = session.call("Open")
    rows = annotate(call, "response")
    assert [(row.offset, len(row.data), str(row)) for row in rows] == [
        (0, 4, "attributes of the context handle h"),
        (4, 16, "UUID of the context handle h"),
    ]
    text = tell(call).text()
    assert "A context handle of type PH opens: its state is *h" in text
    assert "Kept on purpose, for later calls: *h" in text
    assert render(call).startswith("<svg")
    use = session.call("Count", h=call["h"])
    assert "handle" in render(use)
    closed = session.call("Change", h=call["h"])
    assert str(annotate(closed, "response")[1]) == "UUID of the context handle h = null"
    assert "A context handle of type PH closes" in tell(closed).text()


def test_the_story_of_a_departure() -> None:
    session = opened()
    assert "there is nothing to run down" in tell_departure(session.disconnect()).text()
    session.call("Make")
    text = tell_departure(session.disconnect()).text()
    assert "A context handle of type PV is forgotten without a run-down routine" in text
    assert "Leaked on the server: 0x" in text


# --- other settings ---


def test_ndr64_has_the_same_token() -> None:
    session = opened(transfer_syntax="ndr64")
    assert session.call("Open").response.hex() == FIRST


def test_dce_state_must_not_come_from_the_stubs_environment() -> None:
    """What rpc_ss_allocate gives goes with the call; memory of the routine's own stays."""
    session = open_session(
        "typedef [context_handle] void *PH; void Open([out] PH *h); void Use([in] PH h);", osf=True
    )
    seen: list[Any] = []
    serve(session, "Use", lambda call, h: seen.append(h[0]))
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new(b"x", "malloc")))
    session.call("Use", h=session.call("Open", h={"$context": "good"})["h"])
    assert seen == [ord("x")]
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new(b"x")))
    session.call("Open", h={"$context": "bad"})
    lost = session.try_call("Use", {"h": {"$context": "bad"}})
    assert (lost.status, [event.detail[0] for event in Audit(lost).faults]) == (1726, ["use after free"])


def test_a_copy_of_a_closed_handle_is_refused_by_the_client() -> None:
    session = opened()
    handle = session.call("Open")["h"]
    copy = {"$label": "copy", "$value": handle}
    serve(session, "Change", lambda call, h: None)
    assert session.call("Change", h=copy)["h"] is not None
    serve(session, "Change", close)
    session.call("Change", h=handle)
    call = session.try_call("Count", {"h": {"$context": "copy"}})
    assert (call.status, call.request) == (6, b"")


def test_handles_without_a_type_are_of_one_type() -> None:
    body = "void Open([out, context_handle] void **a); void Use([in, context_handle] void *b);"
    session = Session(idl_text(body), "[type_strict_context_handle] interface i { }")
    serve(session, "Open", lambda call, a: a.__setitem__(0, call.new(b"x")))
    assert session.call("Use", b=session.call("Open")["a"]).status == 0


def test_interfaces_of_one_program_share_memory_names_and_numbers() -> None:
    session = opened()
    second = session.also(idl_text("typedef [context_handle] void *PX; void Open([out] PX *h);"))
    serve(second, "Open", lambda call, h: h.__setitem__(0, call.new(b"x")))
    session.call("Open")
    assert second.call("Open").response[4] == 2

    @second.rundown
    def PX_rundown(call: Any, context: Any) -> None:
        call.free(context)

    departure = session.disconnect()
    assert (departure.lost, departure.rundowns) == (["PH"], ["PX"])
    assert session.call("Open").response[4] == 3


UNION = (
    "typedef [switch_type(short)] union { [case(0)] long n; [case(1)] [unique, string] char *s; } either;\n"
)


@pytest.mark.parametrize(
    ("state", "value"),
    [
        (
            "typedef struct { short t; [switch_is(t)] either u; } state;",
            {"t": 1, "u": {"$case": 1, "$value": "a"}},
        ),
        (
            "typedef struct { short t; [switch_is(t)] either u; } box; typedef struct { box *b; } state;",
            {"b": {"t": 0, "u": {"$case": 0, "$value": 4}}},
        ),
        ("typedef union state switch (short t) u { case 1: long n; } state;", {"$case": 1, "$value": 4}),
    ],
)
def test_state_with_a_union_that_something_switches_is_typed(state: str, value: Any) -> None:
    """Only a union whose arm nothing selects has to be shown as bytes."""
    session = open_session(
        f"{UNION}{state} typedef [context_handle] state *PH; void Open([out] PH *h); void See([in] PH h);"
    )
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new(value)))
    call = session.call("See", h=session.call("Open")["h"])
    root = call.server_frame.place("h", call.trace.snapshots["server entry"].frame)
    assert Reader(call.space("server entry")).read({"h": root}) == {"h": value}


def test_state_with_a_union_that_nothing_switches_is_bytes() -> None:
    state = "typedef union { long n; hyper h; } any; typedef struct { any a; } state;"
    session = open_session(f"{state} typedef [context_handle] state *PH; void Open([out] PH *h);")
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new(b"\1\2\3")))
    assert Audit(session.call("Open")).clean


@pytest.mark.parametrize("environment", [{}, {"server_pointer_size": 4}, {"transfer_syntax": "ndr64"}])
@pytest.mark.parametrize("ways", ["[out]", "[in, out]"])
def test_state_in_an_environment_of_the_stub_leaves_a_dangling_handle(ways: str, environment: Any) -> None:
    """[enable_allocate] lets the stub release what RpcSsAllocate gave, the state of an open handle as well."""
    body = f"{BODY} void Enabled({ways} PH *h);"
    session = open_session(body, None, "[enable_allocate] Enabled();", **environment)
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new({"count": 1, "name": "a"})))
    serve(session, "Enabled", lambda call, h: h.__setitem__(0, call.new({"count": 2, "name": "b"})))
    held = {"h": session.call("Open")["h"]} if "in" in ways else {}
    call = session.call("Enabled", **held)
    (told,) = Audit(call).dangling
    assert (told.side, told.path) == ("server", "*h")
    assert "releases its RpcSs environment" in told.advice
    assert f"DANGLING: {told.path} on the server" in tell(call).text(100)
    promises = contract(session.interface, "Enabled", session.environment).promises
    row = next(each for each in promises if each.kind == "context handle")
    assert ("RpcSsDisableAllocate", "environment-released-at-end") in [act[1:] for act in row.server.frees]
    assert not any(each.side == "server" for each in Audit(session.call("Open")).dangling)
