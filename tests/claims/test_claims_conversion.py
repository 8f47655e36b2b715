"""Claims about converted types: who allocates, who frees, and when the stub calls which routine."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from rpcmemkit import Audit, IdlError, RpcError, Session
from rpcmemkit.idl import compile_idl
from tests.claims.table import proving
from tests.engine.conversions import (
    FOUR,
    HONEST,
    LIST,
    LOCAL,
    TEXT,
    balance,
    boxes,
    converted,
    faults,
    four,
    free_inst,
    free_xmit,
    from_xmit,
    linked,
    list_session,
    local_session,
    text,
    to_xmit,
)
from tests.engine.helpers import idl_text, open_session

IN = "void f([in] LIST *p);"
IN_OUT = "void f([in, out] LIST *p);"


# --- [transmit_as] ---


@proving("M-429 M-432")
def test_the_sender_s_routines_allocate_and_free_what_is_sent() -> None:
    call = list_session(IN).call("f", p=linked(1, 2, 3))
    assert converted(call, "client") == ["LIST_to_xmit", "LIST_free_xmit"]
    events = list(call.trace.select("allocate", "free", side="client", actor="conversion"))
    assert [(e.kind, e.size, e.detail) for e in events] == [
        ("allocate", 8, "midl_user_allocate"),
        ("free", 8, "midl_user_free"),
    ]
    assert events[0].address == events[1].address
    assert call.request.hex() == "03000000" + "0300" + "0100" + "0200" + "0300"
    order = [(e.kind, e.detail if e.kind == "convert" else "") for e in call.trace if e.side == "client"]
    at = [index for index, (kind, _) in enumerate(order) if kind == "marshal"]
    assert order.index(("convert", "LIST_to_xmit")) < at[0]
    assert at[-1] < order.index(("convert", "LIST_free_xmit"))


@proving("M-430")
def test_from_xmit_allocates_below_a_root_that_the_stub_provides() -> None:
    roots: list[tuple[int, int]] = []

    def noting(call: Any, sent: Any, obj: Any) -> None:
        before = hash(obj)
        from_xmit(call, sent, obj)
        roots.append((before, hash(obj)))

    session = list_session(IN)
    session.conversion("LIST", from_xmit=noting)
    call = session.call("f", p=linked(1, 2, 3))
    made = list(call.trace.select("allocate", side="server"))
    assert [(event.actor, event.size) for event in made] == [
        ("stub", 16),
        ("conversion", 16),
        ("conversion", 16),
    ]
    assert roots == [(made[0].address, made[0].address)]


@proving("M-431")
def test_free_inst_frees_below_the_object_and_the_stub_frees_the_object() -> None:
    call = list_session(IN).call("f", p=linked(1, 2, 3))
    made = {event.address: event.actor for event in call.trace.select("allocate", side="server")}
    freed = {event.address: event.actor for event in call.trace.select("free", side="server")}
    assert made == freed
    assert sorted(freed.values()) == ["conversion", "conversion", "stub"]
    assert Audit(call).server_leaked == 0


@proving("M-431")
def test_a_free_inst_that_frees_the_root_is_a_fault() -> None:
    session = list_session(IN)
    session.conversion("LIST", free_inst=lambda call, obj: call.free(obj))
    call = session.call("f", p=linked(1))
    assert faults(call) == ["double free"]


@proving("M-430 M-431")
def test_from_xmit_may_free_what_the_client_s_root_had() -> None:
    def replacing(call: Any, sent: Any, obj: Any) -> None:
        free_inst(call, obj)
        from_xmit(call, sent, obj)

    session = list_session(IN_OUT, lambda call, p: None)
    session.conversion("LIST", from_xmit=replacing)
    first = session.call("f", p=linked(1, 2, 3))
    assert faults(first) == []  # on the server the root is new and null inside
    audit = Audit(first)
    assert (audit.orphaned, audit.server_leaked) == ([], 0)
    freed = [event.detail for event in first.trace.select("free", side="client", actor="conversion")]
    assert freed.count("free") == 2  # the nodes that the application had


@proving("M-432")
def test_without_free_xmit_the_sent_object_leaks() -> None:
    session = list_session(IN_OUT)
    session.conversion("LIST", free_xmit=lambda call, sent: None)
    call = session.call("f", p=linked(1, 2))
    assert balance(call, "client") == (2, 0)  # the sent object, and a node that came back
    assert [block.size for block in Audit(call).leaked] == [6]


@proving("M-433")
@pytest.mark.parametrize(
    ("body", "arguments", "calls"),
    [
        ("void f([in] LIST *p);", {"p": linked(1, 2)}, 1),
        ("void f([in] LIST p);", {"p": linked(1, 2)}, 1),
        ("void f([in] LIST p[2]);", {"p": [linked(1), linked(2)]}, 0),
        ("typedef struct { LIST l; } S; void f([in] S *p);", {"p": {"l": linked(1, 2)}}, 0),
        ("typedef struct { LIST *l; } S; void f([in] S *p);", {"p": {"l": linked(1, 2)}}, 0),
    ],
)
def test_of_in_data_only_the_parameter_s_own_conversion_is_freed(
    body: str, arguments: Any, calls: int
) -> None:
    call = list_session(body).call("f", **arguments)
    assert converted(call, "server").count("LIST_free_inst") == calls


@proving("M-433")
def test_what_lies_below_in_components_leaks() -> None:
    session = list_session("typedef struct { LIST l; } S; void f([in] S *p);")
    audit = Audit(session.call("f", p={"l": linked(1, 2, 3)}))
    assert [block.size for block in audit.leaked] == [16, 16]


@proving("M-434")
@pytest.mark.parametrize(
    ("body", "arguments", "calls"),
    [
        ("void f([in, out] LIST *p);", {"p": linked(1, 2)}, 1),
        ("void f([in, out] LIST p[2]);", {"p": [linked(1), linked(2, 3)]}, 2),
        (
            "typedef struct { LIST l; LIST *m; } S; void f([in, out] S *p);",
            {"p": {"l": linked(1), "m": linked(2, 3)}},
            2,
        ),
    ],
)
def test_of_out_data_every_conversion_is_freed(body: str, arguments: Any, calls: int) -> None:
    call = list_session(body).call("f", **arguments)
    assert converted(call, "server").count("LIST_free_inst") == calls
    assert Audit(call).server_leaked == 0


@proving("M-434")
def test_an_out_only_object_is_zeroed_storage_of_the_stub_and_is_freed() -> None:
    def routine(call: Any, p: Any) -> None:
        assert p() == {"v": 0, "next": None}
        p.v, p.next = 5, call.new({"v": 6, "next": None})

    call = list_session("void f([out] LIST *p);", routine).call("f")
    assert call["p"] == linked(5, 6)
    assert converted(call, "server") == ["LIST_to_xmit", "LIST_free_xmit", "LIST_free_inst"]
    assert converted(call, "client") == ["LIST_from_xmit"]
    assert (Audit(call).server_allocations, Audit(call).server_leaked) == (2, 0)


# --- [represent_as] ---


@proving("M-438 M-441")
def test_from_local_allocates_the_network_object_and_free_inst_frees_it_on_both_sides() -> None:
    call = local_session("void f([in, out] LONG2 *p);").call("f", p=boxes(7, 8))
    assert call.request.hex() == call.response.hex() == "0700000008000000"
    for side in ("client", "server"):
        made = [e for e in call.trace.select("allocate", side=side, actor="conversion") if e.size == 8]
        freed = [e.address for e in call.trace.select("free", side=side, actor="conversion")]
        assert len(made) == 1
        assert made[0].address in freed
        names = converted(call, side)
        assert names.index("LONG2_free_inst") == names.index("LONG2_from_local") + 1


@proving("M-439 M-440")
def test_to_local_allocates_below_the_local_object_and_free_local_frees_that() -> None:
    seen: list[Any] = []
    session = local_session("void f([in] LONG2 p);", lambda call, p: seen.append(p()))
    call = session.call("f", p=boxes(7, 8))
    assert seen == [boxes(7, 8)]
    assert converted(call, "server") == ["LONG2_to_local", "LONG2_free_local"]
    assert balance(call, "server") == (2, 2)
    assert (
        list(call.trace.select("allocate", side="server", actor="stub")) == []
    )  # the object lies in the stub's frame
    assert Audit(call).server_leaked == 0


BOTH = """
typedef struct { short low; short high; } PAIR;
typedef [transmit_as(PAIR)] long NUMBER;
typedef struct { long tens; long ones; } DIGITS;
"""


def both_session() -> tuple[Session, list[tuple[str, Any]]]:
    session = open_session(
        BOTH + "void f([in, out] NUMBER *p);", acf="typedef [represent_as(DIGITS)] NUMBER;"
    )
    log: list[tuple[str, Any]] = []

    def from_local(call: Any, local: Any, named: Any) -> None:
        named[0] = call.new(local.tens * 10 + local.ones)

    def to_local(call: Any, named: Any, local: Any) -> None:
        local.tens, local.ones = divmod(named[0], 10)

    def to_pair(call: Any, obj: Any, sent: Any) -> None:
        log.append(("to_xmit", obj[0]))
        sent[0] = call.new({"low": obj[0] % 16, "high": obj[0] // 16})

    def from_pair(call: Any, sent: Any, obj: Any) -> None:
        obj[0] = sent.high * 16 + sent.low

    free = {"free_inst": lambda call, named: call.free(named), "free_local": lambda call, local: None}
    session.conversion("NUMBER", from_local=from_local, to_local=to_local, **free)
    below = {"free_inst": lambda call, obj: None, "free_xmit": free_xmit}
    session.conversion("NUMBER", to_xmit=to_pair, from_xmit=from_pair, **below)
    return session, log


@proving("M-436")
def test_represent_as_comes_first_when_marshalling_and_last_when_unmarshalling() -> None:
    session, log = both_session()
    call = session.call("f", p={"tens": 4, "ones": 2})
    assert call.request.hex() == "0a000200"  # 42 = 2 * 16 + 10
    out, back = (
        ["NUMBER_from_local", "NUMBER_to_xmit", "NUMBER_free_xmit", "NUMBER_free_inst"],
        [
            "NUMBER_from_xmit",
            "NUMBER_to_local",
        ],
    )
    assert converted(call, "client") == out + back
    assert converted(call, "server") == [*back, *out, "NUMBER_free_local"]
    assert log == [("to_xmit", 42), ("to_xmit", 42)]  # the named object is what to_xmit works on
    assert call["p"] == {"tens": 4, "ones": 2}
    assert Audit(call).server_leaked == 0


# --- [wire_marshal], [user_marshal] ---


def four_session(body: str, routine: Any = None, **routines: Any) -> Session:
    session = open_session(FOUR + body, routine)
    session.conversion("FOUR", **four(**routines))
    return session


def text_session(body: str, routine: Any = None, **routines: Any) -> Session:
    session = open_session(TEXT + body, routine)
    session.conversion("WTEXT", **text(**routines))
    return session


@proving("M-442")
def test_each_pass_of_the_stubs_has_its_routine() -> None:
    call = four_session("void f([in, out] FOUR *p, [in, out] FOUR *q, [in] FOUR r);").call(
        "f", p=0x00020001, q=5, r=6
    )
    assert call.request.hex() == "01000200" + "05000000" + "06000000"
    sizes, writes, reads, frees = (
        f"FOUR_{part}" for part in ("UserSize", "UserMarshal", "UserUnmarshal", "UserFree")
    )
    assert converted(call, "client") == [sizes] * 3 + [writes] * 3 + [reads] * 2
    assert converted(call, "server") == [reads] * 3 + [sizes] * 2 + [writes] * 2 + [frees] * 3


@proving("M-442")
def test_user_marshal_of_the_attribute_file_works_alike() -> None:
    body = "typedef struct { short low; short high; } HALVES; typedef unsigned long FOUR;"
    session = open_session(body + "void f([in] HALVES *p);", acf="typedef [user_marshal(FOUR)] HALVES;")
    session.conversion("FOUR", **four())
    call = session.call("f", p=0x00020001)
    assert call.request.hex() == "01000200"
    assert converted(call, "server") == ["FOUR_UserUnmarshal", "FOUR_UserFree"]


@proving("M-443 M-444")
def test_user_free_frees_what_the_object_names_on_the_server_only() -> None:
    call = text_session("void f([in, out] WTEXT *p);").call("f", p={"text": "abc", "extra": 0})
    made = {event.address: event.actor for event in call.trace.select("allocate", side="server")}
    freed = {event.address: event.actor for event in call.trace.select("free", side="server")}
    assert made == freed
    assert list(freed.values()) == ["conversion", "stub"]
    assert converted(call, "server")[-1] == "WTEXT_UserFree"
    assert "WTEXT_UserFree" not in converted(call, "client")
    assert list(call.trace.select("free", side="client")) == []


@proving("M-443")
def test_a_user_free_that_frees_the_object_is_a_fault() -> None:
    session = text_session("void f([in] WTEXT *p);", UserFree=lambda call, flags, obj: call.free(obj))
    assert faults(session.call("f", p={"text": "abc", "extra": 0})) == ["double free"]


@proving("M-446")
@pytest.mark.parametrize("more", [0, 1, 40])
def test_user_size_may_say_too_much(more: int) -> None:
    session = four_session(
        "void f([in] FOUR *p, [in] long q);", UserSize=lambda call, flags, start, obj: start + 4 + more
    )
    call = session.call("f", p=1, q=2)
    assert call.request.hex() == "01000000" + "02000000"


@proving("M-446")
def test_user_size_may_not_say_too_little() -> None:
    session = four_session("void f([in] FOUR *p);", UserSize=lambda call, flags, start, obj: start + 3)
    call = session.try_call("f", {"p": 1})
    assert faults(call) == ["out of bounds"]
    assert "request" not in call.trace.messages


@proving("M-446")
def test_a_position_beyond_what_user_size_asked_for_is_refused() -> None:
    session = four_session(
        "void f([in] FOUR *p);", UserMarshal=lambda call, flags, buffer, obj: buffer.address + 5
    )
    with pytest.raises(RpcError) as caught:
        session.call("f", p=1)
    assert (caught.value.code, caught.value.rule) == (1783, "user-marshal-writes")


@proving("M-446")
def test_padding_is_the_routine_s_business() -> None:
    def size(call: Any, flags: int, start: int, obj: Any) -> int:
        return -(-start // 4) * 4 + 4

    def marshal(call: Any, flags: int, buffer: Any, obj: Any) -> Any:
        return buffer.align(4).write(struct.pack("<I", obj[0]))

    def unmarshal(call: Any, flags: int, buffer: Any, obj: Any) -> Any:
        obj[0] = struct.unpack("<I", buffer.align(4).read(4))[0]
        return buffer

    body = (
        "typedef struct { char c; FOUR f; } S; void f([in, out] S *p);"  # the wire type is aligned to 2 only
    )
    routines = {"UserSize": lambda call, flags, start, obj: size(call, flags, start, obj) + 2}
    session = four_session(body, **routines, UserMarshal=marshal, UserUnmarshal=unmarshal)
    call = session.call("f", p={"c": "x", "f": 9})
    assert call.request.hex() == "78000000" + "09000000"
    assert call["p"] == {"c": "x", "f": 9}


# --- the compiler ---

NODE = "typedef struct node { long v; struct node *next; } NODE;"


def numbers(body: str, acf: str | None = None) -> list[int | None]:
    try:
        compile_idl(idl_text(body), acf and f"interface i {{ {acf} }}")
    except IdlError as error:
        return [found.midl for found in error.diagnostics]
    return []


@pytest.mark.parametrize(
    ("midl", "body", "acf"),
    [
        pytest.param(2086, NODE + "typedef [transmit_as(NODE)] long L;", None, marks=proving("M-437")),
        pytest.param(
            2087,
            "typedef struct { long n; [size_is(n)] long a[]; } OPEN; typedef [transmit_as(long)] OPEN L;",
            None,
            marks=proving("M-437"),
        ),
        pytest.param(
            2416,
            "typedef [ptr] long *FULL; typedef [wire_marshal(FULL)] long L;",
            None,
            marks=proving("M-445"),
        ),
        pytest.param(
            2417,
            "typedef struct { long n; [size_is(n)] long a[]; } OPEN; typedef [wire_marshal(OPEN)] long L;",
            None,
            marks=proving("M-445"),
        ),
        pytest.param(
            2084,
            "typedef [context_handle] void *H; typedef [transmit_as(long)] H X;",
            None,
            marks=proving("M-407"),
        ),
        pytest.param(
            2045, "typedef [context_handle, transmit_as(long)] void *H;", None, marks=proving("M-407")
        ),
        pytest.param(
            2223,
            "typedef [wire_marshal(long)] char *W;",
            "typedef [allocate(dont_free)] W;",
            marks=proving("M-066"),
        ),
    ],
)
def test_what_the_compiler_refuses(midl: int, body: str, acf: str | None) -> None:
    assert numbers(body, acf) == [midl]


@proving("M-437 M-445")
def test_what_the_compiler_takes() -> None:
    assert numbers(LIST + IN + FOUR + TEXT) == []
    assert numbers(LOCAL + "void f([in] LONG2 p);", "typedef [represent_as(PBOX)] LONG2;") == []


def test_the_routines_of_these_tests_are_complete() -> None:
    assert HONEST["to_xmit"] is to_xmit
    session = list_session(IN_OUT)
    assert session.call("f", p=linked(3, 1, 2))["p"] == linked(3, 1, 2)
