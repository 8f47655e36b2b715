"""Byte orders, pointer sizes and transfer syntaxes: what they change, and what they must not change."""

from __future__ import annotations

from itertools import product

import pytest

from rpcmemkit import Audit
from tests.engine.constructs import CONSTRUCTS
from tests.engine.helpers import NODE, audited, linked, run

SIZES = list(product((4, 8), repeat=2))
RESIZED = {"int3264"}  # as wide as a pointer in memory
EVERY_BASE = "void f([in] short a, [in] long b, [in] hyper c, [in] double d, [in] wchar_t e);"


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_messages_do_not_depend_on_pointer_sizes(name: str) -> None:
    construct = CONSTRUCTS[name]
    calls = [
        run(
            construct.body,
            construct.arguments,
            construct.routine,
            client_pointer_size=c,
            server_pointer_size=s,
        )
        for c, s in SIZES
    ]
    assert [call.status for call in calls] == [0] * 4
    assert len({call.request for call in calls}) == 1
    assert len({call.response for call in calls}) == 1
    assert all(call.values == calls[0].values for call in calls)


@pytest.mark.parametrize("syntax", ["ndr20", "ndr64"])
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_byte_order_changes_bytes_only(name: str, syntax: str) -> None:
    construct = CONSTRUCTS[name]
    little, big = (
        run(construct.body, construct.arguments, construct.routine, byte_order=order, transfer_syntax=syntax)
        for order in ("little", "big")
    )
    assert little.values == big.values
    assert len(little.request) == len(big.request)
    assert Audit(little).server_storage == Audit(big).server_storage
    assert all(Audit(call).clean for call in (little, big))


def test_big_endian_bytes() -> None:
    arguments = {"a": 1, "b": 2, "c": 3, "d": 1.0, "e": "A"}
    call = run(EVERY_BASE, arguments, byte_order="big")
    assert call.request == bytes.fromhex("0001 0000 00000002 0000000000000003 3ff0000000000000 0041")
    assert call.values == arguments


@pytest.mark.parametrize(
    ("body", "arguments", "data"),
    [
        ("void f([in] enum { a, b } e, [in] __int3264 n);", {"e": 1, "n": -2}, "01000000 00000000 feffffffffffffff"),
        ("typedef struct { hyper h; char c; } s;\nvoid f([in] s a[2]);", {"a": [{"h": 1, "c": "x"}, {"h": 2, "c": "y"}]},
         "0100000000000000 7800000000000000 0200000000000000 7900000000000000"),
        ("typedef struct { hyper h; char c; } s;\ntypedef struct { char n; s one; [size_is(n)] char a[]; } t;\nvoid f([in] t *p);",
         {"p": {"one": {"h": 1, "c": "x"}, "n": 1, "a": "y"}},
         "0100000000000000 0100000000000000 0100000000000000 7800000000000000 79"),
        ("typedef union switch (short t) u { case 1: hyper h; case 2: char c; } e;\nvoid f([in] e *p);",
         {"p": {"$case": 2, "$value": "x"}}, "0200000000000000 78"),
        ("void f([in, size_is(2)] short *a, [in, unique] char *c);", {"a": [1, 2], "c": "x"},
         "0200000000000000 01000200 00000000 0000020000000000 78"),
    ],
)  # fmt: skip
def test_ndr64_bytes(body: str, arguments: dict[str, object], data: str) -> None:
    assert run(body, arguments, transfer_syntax="ndr64").request == bytes.fromhex(data)


@pytest.mark.parametrize(("client", "server"), SIZES)
@pytest.mark.parametrize(("syntax", "matching"), [("ndr20", 4), ("ndr64", 8)])
def test_list_stays_in_the_buffer_where_pointers_match(
    client: int, server: int, syntax: str, matching: int
) -> None:
    environment = {"client_pointer_size": client, "server_pointer_size": server, "transfer_syntax": syntax}
    call, audit = audited(
        NODE + "void f([in, out] node *head);",
        {"head": linked(4)},
        lambda call, head: setattr(head.next.next, "value", 70),
        **environment,
    )
    kept = server == matching
    assert audit.server_allocations == (0 if kept else 4)
    assert set(audit.server_storage.values()) == {"buffer" if kept else "allocated", None}
    assert call["head"]["next"]["next"]["value"] == 70
    assert audit.clean


def test_buffer_is_changed_in_place_but_the_message_is_not() -> None:
    call = run(
        NODE + "void f([in, out] node *head);",
        {"head": linked(2)},
        lambda call, head: setattr(head, "value", 9),
        server_pointer_size=4,
    )
    message = call.trace.messages["request"]
    space = call.space("server exit")
    (buffer,) = [block for block in space.ledger if block.kind == "receive buffer"]
    assert space.read(buffer.address, 4) == b"\x09\0\0\0"
    assert message.data[:4] == b"\0\0\0\0"


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("value", [-1, 0x7FFFFFFF, -0x80000000])
def test_int3264_keeps_its_sign_and_is_cut_to_32_bits(size: int, value: int) -> None:
    body = "__int3264 f([in] __int3264 n, [in, out] unsigned __int3264 *u);"
    call = run(
        body,
        {"n": value, "u": 0xFFFFFFFF},
        lambda call, n, u: n,
        client_pointer_size=size,
        server_pointer_size=size,
    )
    assert (call["return"], call["u"]) == (value, 0xFFFFFFFF)


def test_wide_unsigned_int3264_is_cut() -> None:
    call = run("void f([in, out] unsigned __int3264 *u);", {"u": 0x1_8000_0001}, lambda call, u: None)
    assert (call.request.hex(), call["u"]) == ("01000080", 0x80000001)
