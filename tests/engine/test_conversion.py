"""The engine's part in converted types: how they embed, what is refused, and what happens when routines err."""

from __future__ import annotations

import random
from typing import Any

import pytest

from rpcmemkit import Audit, MemoryFault, RpcError, UsageError, types
from rpcmemkit.annotate import rows
from rpcmemkit.draw.show import render
from rpcmemkit.memory import AddressSpace
from rpcmemkit.story import tell
from rpcmemkit.stubs.conversion import Buffer
from tests.engine.conversions import (
    FOUR,
    LIST,
    LOCAL,
    TEXT,
    boxes,
    converted,
    faults,
    four,
    free_inst,
    from_xmit,
    linked,
    list_session,
    local_session,
    text,
)
from tests.engine.helpers import open_session

MIXED = (
    "typedef struct { char c; LIST l; long *after; LIST *m; short last; } MIXED; void f([in, out] MIXED *p);"
)
VALUE = {"c": "x", "l": linked(1, 2), "after": 9, "m": linked(3), "last": 5}
ENVIRONMENTS = [
    {},
    {"client_pointer_size": 4},
    {"server_pointer_size": 4},
    {"byte_order": "big"},
    {"transfer_syntax": "ndr64"},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_converted_values_embed_in_structures(environment: dict[str, Any]) -> None:
    call = list_session(MIXED, **environment).call("f", p=VALUE)
    assert call["p"] == VALUE
    assert Audit(call).server_leaked == 0


def test_the_bytes_of_an_embedded_value_are_those_of_the_sent_type() -> None:
    call = list_session(MIXED).call("f", p=VALUE)
    first, after, second = "02000000 0200 0100 0200", "0000 00000200 04000200", "01000000 0100 0300"
    expected = f"78 000000 {first} {after} 0500 0000 09000000 {second}"
    assert call.request.hex() == expected.replace(" ", "")


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_a_fixed_array_travels_for_a_list(environment: dict[str, Any]) -> None:
    call = local_session("void f([in, out] LONG2 *p, [in] LONG2 q);", **environment).call(
        "f", p=boxes(1, 2), q=boxes(3, 4)
    )
    assert call["p"] == boxes(1, 2)
    assert Audit(call).server_leaked == 0


@pytest.mark.parametrize("environment", [each for each in ENVIRONMENTS if "byte_order" not in each], ids=str)
def test_a_wire_type_that_is_a_pointer_is_deferred(environment: dict[str, Any]) -> None:
    body = TEXT + "typedef struct { WTEXT a; long *n; WTEXT b; } S; void f([in, out] S *p);"
    session = open_session(body, **environment)
    session.conversion("WTEXT", **text())
    value = {"a": {"text": "one", "extra": 3}, "n": 7, "b": {"text": "three", "extra": 5}}
    call = session.call("f", p=value)
    assert call["p"] == value
    assert Audit(call).server_leaked == 0


def test_the_bytes_of_a_deferred_value() -> None:
    session = open_session(TEXT + "void f([in] WTEXT p, [in] short n);")
    session.conversion("WTEXT", **text())
    call = session.call("f", p={"text": "abc", "extra": 0}, n=1)
    assert (
        call.request.hex()
        == "55736572" + "00000000" + "03000000" * 1 + "01000000" + "03000000" + "616263" + "00" + "0100"
    )


def test_a_null_marker_leaves_the_object_zeroed() -> None:
    seen: list[Any] = []
    session = open_session(TEXT + "void f([in] WTEXT p);", lambda call, p: seen.append(p()))
    session.conversion("WTEXT", **text(UserFree=lambda call, flags, obj: None))
    assert session.server_stub.dispatch(0, bytes(4)).status == 0
    assert seen == [{"text": None, "extra": 0}]


def test_a_void_pointer_is_a_number_to_the_program() -> None:
    session = open_session("typedef [wire_marshal(long)] void *HANDLE; HANDLE f([in] HANDLE h);")
    session.conversion("HANDLE", **four())
    session.routine(f := _named("f", lambda call, h: h + 1))
    assert f.__name__ == "f"
    assert session.call("f", h=0x1234).result == 0x1235


def _named(name: str, routine: Any) -> Any:
    def f(call: Any, h: Any) -> Any:
        return routine(call, h)

    f.__name__ = name
    return f


def test_annotation_names_what_user_routines_wrote() -> None:
    session = open_session(FOUR + TEXT + "void f([in] FOUR n, [in] WTEXT p);")
    session.conversion("FOUR", **four())
    session.conversion("WTEXT", **text())
    call = session.call("f", n=1, p={"text": "a", "extra": 0})
    found = [row.what for row in rows(call, "request")]
    assert found == [
        "bytes that FOUR_UserMarshal wrote for n",
        "marker for what WTEXT_UserMarshal writes of p",
        "bytes that WTEXT_UserMarshal wrote for p",
    ]


def test_a_root_in_another_arm_s_bytes_is_new() -> None:
    def routine(call: Any, p: Any) -> None:
        p.k = 1
        p.u.l.v, p.u.l.next = 5, None

    def replacing(call: Any, sent: Any, obj: Any) -> None:
        free_inst(call, obj)
        from_xmit(call, sent, obj)

    body = (
        "typedef union switch (long k) u { case 1: LIST l; case 2: hyper h[2]; } U; void f([in, out] U *p);"
    )
    session = list_session(body, routine)
    session.conversion("LIST", from_xmit=replacing)
    call = session.call("f", p={"$case": 2, "$value": [-1, -1]})
    assert call["p"] == {"$case": 1, "$value": linked(5)}


def test_the_story_tells_what_the_routines_free() -> None:
    call = list_session("void f([in] LIST *p);").call("f", p=linked(1, 2))
    assert "The stub calls LIST_free_inst, which frees p->next" in str(tell(call))


def test_a_picture_shows_what_the_program_sees() -> None:
    call = list_session("void f([in] LIST *p);").call("f", p=linked(1, 2))
    assert "next" in render(call)


# --- registration ---


@pytest.mark.parametrize(
    ("body", "acf", "arguments", "missing", "prototype"),
    [
        (
            LIST + "void f([in] LIST *p);",
            None,
            {"p": linked(1)},
            "LIST_to_xmit",
            "void LIST_to_xmit(LIST *, SHORTS **)",
        ),
        (
            LOCAL + "void f([in] LONG2 *p);",
            "typedef [represent_as(PBOX)] LONG2;",
            {"p": boxes(1, 2)},
            "LONG2_from_local",
            "void LONG2_from_local(PBOX *, LONG2 **)",
        ),
        (
            FOUR + "void f([in] FOUR *p);",
            None,
            {"p": 1},
            "FOUR_UserSize",
            "unsigned long FOUR_UserSize(unsigned long *, unsigned long, FOUR *)",
        ),
    ],
)
def test_a_missing_routine_is_named_with_its_prototype(
    body: str, acf: str | None, arguments: Any, missing: str, prototype: str
) -> None:
    session = open_session(body, acf=acf)
    with pytest.raises(UsageError) as caught:
        session.call("f", **arguments)
    assert str(caught.value).startswith(f"{missing} is missing: register it with session.conversion(")
    assert prototype in str(caught.value)


def test_only_converted_types_have_routines() -> None:
    session = list_session("void f([in] LIST *p);")
    with pytest.raises(UsageError, match="SHORTS is not a converted type; there are: LIST"):
        session.conversion("SHORTS", to_xmit=print)
    with pytest.raises(
        UsageError, match="the routines of LIST are to_xmit, from_xmit, free_xmit, free_inst, not to"
    ):
        session.conversion("LIST", to=print)


def test_a_local_type_needs_a_layout() -> None:
    session = open_session("typedef long L; void f([in] L *p);", acf="typedef [represent_as(HIDDEN)] L;")
    with pytest.raises(UsageError, match="the layout of HIDDEN is not known"):
        session.call("f", p=1)


def test_a_typedef_of_a_converted_type_is_the_same_type() -> None:
    session = list_session("typedef LIST OTHER; void f([in, out] OTHER *p);")
    assert session.call("f", p=linked(4, 5))["p"] == linked(4, 5)
    assert isinstance(session.interface.types["OTHER"], types.Converted)


# --- routines that err ---


def test_a_root_in_the_stub_s_frame_cannot_be_freed() -> None:
    session = list_session("void f([in] LIST p);")
    session.conversion("LIST", free_inst=lambda call, obj: call.free(obj))
    call = session.call("f", p=linked(1))
    assert faults(call) == ["stack"]


def test_a_to_xmit_that_gives_nothing_is_a_null_pointer() -> None:
    session = list_session("void f([in] LIST *p);")
    session.conversion("LIST", to_xmit=lambda call, obj, sent: None)
    with pytest.raises(MemoryFault, match="null"):
        session.call("f", p=linked(1))
    assert converted(session.last, "client") == ["LIST_to_xmit"]  # type: ignore[arg-type]


def test_what_is_sent_is_freed_also_if_it_cannot_be_marshalled() -> None:
    session = list_session("void f([in] LIST *p);")
    session.conversion(
        "LIST", to_xmit=lambda call, obj, sent: sent.__setitem__(0, call.new({"n": -1, "a": []}))
    )
    with pytest.raises(RpcError) as caught:
        session.call("f", p=linked(1))
    assert caught.value.code == 1734
    assert converted(session.last, "client") == ["LIST_to_xmit", "LIST_free_xmit"]  # type: ignore[arg-type]


def test_an_exception_in_the_clean_up_does_not_stop_it() -> None:
    def stop(call: Any, obj: Any) -> None:
        raise RpcError(14)

    session = list_session("void f([in] LIST *p, [in] LIST *q);")
    session.conversion("LIST", free_inst=stop)
    call = session.call("f", p=linked(1), q=linked(2))
    assert converted(call, "server").count("LIST_free_inst") == 2
    assert [event.detail.code for event in call.trace.select("raise")] == [14, 14]
    assert Audit(call).server_leaked == 0


def test_what_user_size_and_user_marshal_return_is_looked_at() -> None:
    session = open_session(FOUR + "void f([in] FOUR *p);")
    session.conversion("FOUR", **four(UserSize=lambda call, flags, start, obj: None))
    with pytest.raises(UsageError, match="FOUR_UserSize returns the offset behind the object, not None"):
        session.call("f", p=1)
    session.conversion("FOUR", **four(UserMarshal=lambda call, flags, buffer, obj: None))
    with pytest.raises(UsageError, match="FOUR_UserMarshal returns the new buffer position, not None"):
        session.call("f", p=1)


def test_the_engine_converts_a_foreign_byte_order() -> None:
    body = "typedef struct { char c; FOUR f; } S; void f([in, out] FOUR *p, [in, out] S *s);"
    session = open_session(FOUR + body, byte_order="big")
    session.conversion("FOUR", **four())
    call = session.call("f", p=0x00020001, s={"c": "x", "f": 0x00040003})
    assert call.request.hex() == "00010002" + "7800" + "00030004"  # the halves, each big-endian
    assert (call["p"], call["s"]) == (0x00020001, {"c": "x", "f": 0x00040003})
    assert session.server_stub.dispatch(0, bytes(3)).status == 1783


def test_a_foreign_byte_order_needs_a_wire_type_of_fixed_layout() -> None:
    session = open_session(TEXT + "void f([in] WTEXT p);", byte_order="big")
    session.conversion("WTEXT", **text())
    with pytest.raises(UsageError, match="a wire type of fixed layout"):
        session.call("f", p={"text": "a", "extra": 0})


def test_in_a_foreign_byte_order_the_whole_wire_type_is_written() -> None:
    session = open_session(FOUR + "void f([in] FOUR *p);", byte_order="big")
    session.conversion("FOUR", **four(UserMarshal=lambda call, flags, buffer, obj: buffer.write(b"abc")))
    with pytest.raises(RpcError) as caught:
        session.call("f", p=1)
    assert caught.value.code == 1783


# --- hostile bytes ---


def test_a_message_that_asks_for_more_than_it_sends_is_refused() -> None:
    body = "typedef struct { [string] char s[6000000]; } BIG; typedef [transmit_as(BIG)] long L; void f([in] L *p);"
    session = open_session(body)
    session.conversion("L", from_xmit=lambda call, sent, obj: None)
    assert session.server_stub.dispatch(0, bytes.fromhex("000000000100000000")).status == 1130
    assert len(session.server.space.data) < 1000


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [("", 1783), ("ffffffff", 1783), ("02000000 0300 0100 0200 ", 1783), ("01000000 0100", 1783)],
)
def test_bytes_that_are_no_sent_object(request_bytes: str, status: int) -> None:
    session = list_session("void f([in] LIST *p);")
    assert session.server_stub.dispatch(0, bytes.fromhex(request_bytes)).status == status
    live = [block for block in session.server.space.ledger if block.live]  # type: ignore[attr-defined]
    assert live == []


def test_user_unmarshal_cannot_leave_the_message() -> None:
    session = open_session(FOUR + "void f([in] FOUR *p);")
    session.conversion("FOUR", **four())
    assert session.server_stub.dispatch(0, b"\0\0").status == 1783
    session.conversion("FOUR", **four(UserUnmarshal=lambda call, flags, buffer, obj: buffer.address + 9))
    assert session.server_stub.dispatch(0, bytes(8)).status == 1783


def test_any_bytes_end_in_a_reply() -> None:
    session = open_session(LIST + TEXT + MIXED.replace("f(", "f([in] WTEXT t, "))
    from tests.engine.conversions import HONEST

    session.conversion("LIST", **HONEST)
    session.conversion("WTEXT", **text(UserFree=lambda call, flags, obj: None))
    value = {"text": "abc", "extra": 0}
    good = session.call("f", t=value, p=VALUE).request
    chance = random.Random(7)
    for _ in range(300):
        data = bytearray(good[: chance.randrange(len(good) + 1)])
        for _ in range(chance.randrange(4) if data else 0):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assert session.server_stub.dispatch(0, bytes(data)).status in {0, 1726, 1783, 1734, 1130, 1780}


def test_a_buffer_is_a_position_that_moves() -> None:
    space = AddressSpace("client")
    start = space.add_block(8, "stack", fill=0)
    buffer = Buffer(space, start + 1, start + 8)
    assert int(buffer.align(4).write(b"ab")) == start + 6
    assert Buffer(space, start, start + 8).read(8) == bytes(4) + b"ab" + bytes(2)
    with pytest.raises(MemoryFault, match="past the end"):
        buffer.write(b"abc")
