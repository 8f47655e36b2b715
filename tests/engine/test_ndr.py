"""Marshalling and unmarshalling: the corners that calls between honest sides do not reach."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, RpcError, UsageError
from rpcmemkit.ndr import FullPointers
from rpcmemkit.ndr.aliases import LARGEST_ID
from rpcmemkit.ndr.marshal import tag_bytes
from rpcmemkit.plan import Planner
from rpcmemkit.program import Program, StubAllocator
from rpcmemkit.stubs.decisions import Reading
from rpcmemkit.stubs.models import ServerNodes
from rpcmemkit.types import BASES
from tests.engine.helpers import open_session, run

UNION = "typedef [switch_type(short)] union { [case(1)] long l; [case(2)] long *p; [case(3)] ; } u;\n"
HOLDER = UNION + "typedef struct { short tag; [switch_is(tag)] u body; } h;\n"
ENCAPSULATED = "typedef union switch (short t) body { case 1: hyper l; case 2: long *p; } e;\n"


# --- full pointers ---


def test_ids_count_up_and_go_on_in_the_response() -> None:
    table = FullPointers()
    assert [table.send(address) for address in (100, 200, 100)] == [(1, True), (2, True), (1, False)]
    table.new_message()
    assert [table.send(address) for address in (200, 300)] == [(2, True), (3, True)]


def test_received_ids_name_storage() -> None:
    table = FullPointers()
    assert (table.receive(5), table.known(5)) == (None, 0)
    table.arrived(5, 100)
    assert (table.receive(5), table.known(5), table.send(100)) == (100, 100, (5, False))
    table.new_message()
    assert (table.receive(5), table.known(5), table.send(999)) == (None, 100, (6, True))


@pytest.mark.parametrize("largest", [LARGEST_ID - 1, LARGEST_ID, 1 << 40])
def test_peer_cannot_use_up_the_ids(largest: int) -> None:
    table = FullPointers()
    table.arrived(largest, 100)
    table.arrived(1, 200)
    made = [table.send(address)[0] for address in (300, 400, 500)]
    assert len({*made, largest, 1}) == 5
    assert all(0 < number <= LARGEST_ID for number in made)


# --- unions ---


@pytest.mark.parametrize(
    ("body", "parameter", "value"),
    [
        (HOLDER + "void f([in] h *p);", "p", {"tag": 1, "body": {"$case": 1, "$value": 5}}),
        (ENCAPSULATED + "void f([in] e *p);", "p", {"$case": 1, "$value": 5}),
    ],
)
def test_discriminant_without_arm(body: str, parameter: str, value: Any) -> None:
    session = open_session(body)
    place = session.call("f", **{parameter: value}).arguments[parameter]
    address = session.client.space.pointer_at(place.address)
    session.client.space.write(address, (9).to_bytes(2, "little"))
    call = session.try_call("f", {parameter: place._replace(address=address)})
    assert (call.status, call.request, call.error.rule) == (1733, b"", "union-needs-an-arm")  # type: ignore[union-attr]


def test_discriminant_too_large_for_its_type() -> None:
    body = UNION.replace("case(3)", "default") + "void f([in] long t, [in, switch_is(t)] u *p);"
    assert run(body, {"t": 3, "p": {"$case": "default"}}).status == 0
    assert run(body, {"t": 65537, "p": {"$case": "default"}}).status == 1733


def test_tag_that_does_not_fit() -> None:
    plan = Planner().plan(BASES["short"])
    with pytest.raises(RpcError, match="65537 does not fit"):
        tag_bytes(plan, 65537, "little", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "before", "code", "allocated"),
    [
        (HOLDER + "void f([in, out] h *p);", {"tag": 1, "body": {"$case": 1, "$value": 77}}, "tag", 1),
        (HOLDER + "void f([in, out] h *p);", {"tag": 2, "body": {"$case": 2, "$value": 77}}, "tag", 0),
        (ENCAPSULATED + "void f([in, out] e *p);", {"$case": 1, "$value": 77}, "t", 1),
        (ENCAPSULATED + "void f([in, out] e *p);", {"$case": 2, "$value": 77}, "t", 0),
    ],
)
def test_arm_that_was_not_in_force_holds_no_pointer(
    body: str, before: Any, code: str, allocated: int
) -> None:
    """A client union that held a number must not have that number taken for the address of storage."""

    def routine(call: Any, p: Any) -> None:
        setattr(p, code, 2)
        (p.body if code == "tag" else p).p = call.new(5)

    call = run(body, {"p": before}, routine)
    value = call["p"]["body"] if code == "tag" else call["p"]
    assert (call.status, value) == (0, {"$case": 2, "$value": 5})
    assert Audit(call).client_allocations == allocated


@pytest.mark.parametrize(("before", "allocated"), [(1, 1), (2, 0)])
def test_switch_parameter_decides_as_well(before: int, allocated: int) -> None:
    def routine(call: Any, t: Any, p: Any) -> None:
        t[0] = 2
        p.p = call.new(5)

    body = UNION + "void f([in, out] short *t, [in, out, switch_is(*t)] u *p);"
    call = run(body, {"t": before, "p": {"$case": before, "$value": 77}}, routine)
    assert (call["t"], call["p"]) == (2, {"$case": 2, "$value": 5})
    assert Audit(call).client_allocations == allocated


@pytest.mark.parametrize("wrong", [False, True])
def test_attributes_behind_pointers_that_are_yet_to_come(wrong: bool) -> None:
    """A structure's pointers are followed after it: what it sizes and switches by them is checked at the end."""
    body = (
        UNION
        + """typedef struct { [ref] short *t; [switch_is(*t)] u body; } h;
        typedef struct { [size_is(*n)] short *a; [ref] long *n; } s;\nvoid f([in, out] h *p, [in, out] s *q);"""
    )
    arguments = {"p": {"t": 2, "body": {"$case": 2, "$value": 5}}, "q": {"a": [1, 2], "n": 2}}
    call = run(body, arguments)
    assert (call.status, call.values, Audit(call).faults) == (0, arguments, [])
    request = bytearray(call.request)
    request[-4 if wrong else 12] = 1
    stub = open_session(body).server_stub
    assert stub.dispatch(0, bytes(request)).status == 1783
    assert not list(stub.program.trace.select("fault"))


def test_size_that_the_client_cannot_read_sets_no_limit() -> None:
    """The same for the old size of a pointer's storage, which is negative here."""
    body = "typedef struct { long n; [size_is(n)] short *a; } s;\nvoid f([out] s *p);"

    def routine(call: Any, p: Any) -> None:
        p.n, p.a = 2, call.new([1, 2])

    session = open_session(body, routine)
    place = session.call("f", p={"n": 2, "a": [0, 0]}).arguments["p"]
    address = session.client.space.pointer_at(place.address)
    session.client.space.write(address, (-1).to_bytes(4, "little", signed=True))
    call = session.call("f", p=place._replace(address=address))
    assert (call["p"], Audit(call).client_allocations) == ({"n": 2, "a": [1, 2]}, 0)


# --- arrays and strings ---


def test_null_elements_are_no_trouble() -> None:
    call = run("void f([in, out, size_is(3)] long **a);", {"a": [None, 5, None]})
    assert call["a"] == [None, 5, None]


def test_string_longer_than_its_size() -> None:
    call = run(
        "void f([in] long n, [in, string, size_is(n)] char *s);",
        {"n": 2, "s": {"$allocated": 9, "$elements": "text"}},
    )
    assert (call.status, call.error.path) == (1734, "s")  # type: ignore[union-attr]


def test_string_measured_on_even_places_only() -> None:
    call = run("void f([in, string] wchar_t *s);", {"s": "\u0100\u0001\u0200"})
    assert call.request.hex() == "0400000000000000040000000001010000020000"


def test_existing_storage_without_terminator() -> None:
    """Storage that holds no string yet takes what fits."""
    body = "typedef struct { [string] char *s; } t;\nvoid f([out] t *p);"
    for made, status in (("abc", 0), ("abcd", 1783)):
        call = run(body, {"p": {"s": b"xxxx"}}, lambda call, p, made=made: setattr(p, "s", call.new(made)))
        assert (call.status, Audit(call).client_allocations) == (status, 0)


def test_length_error_names_the_parameter() -> None:
    call = run("void f([in] long n, [in, size_is(2), length_is(n)] short *a);", {"n": 3, "a": [1, 2]})
    assert (call.error.path, call.error.code) == ("a", 1734)  # type: ignore[union-attr]


def test_varying_members_are_checked_when_their_structure_is_complete() -> None:
    body = "typedef struct { [length_is(n)] short a[3]; short n; } s;\nvoid f([in] s *p);"
    request = run(body, {"p": {"a": [1, 2, 3], "n": 2}}).request
    stub = open_session(body).server_stub
    assert stub.dispatch(0, request).status == 0
    assert stub.dispatch(0, request[:-2] + b"\3\0").status == 1783


def test_open_structure_inside_a_structure() -> None:
    body = """typedef struct { short size; short n; [size_is(size), length_is(n)] short a[]; } open;
        typedef struct { hyper h; open o; } outer;\nvoid f([in, out] outer *p);"""
    value = {"h": 1, "o": {"size": 3, "n": 2, "a": {"$allocated": 3, "$elements": [7, 8]}}}
    call = run(body, {"p": value}, lambda call, p: setattr(p.o, "n", 1))
    assert call["p"]["o"]["a"] == {"$allocated": 3, "$elements": [7]}
    assert Audit(call).clean


def test_wide_elements_keep_their_gaps_out() -> None:
    body = "typedef struct { hyper h; char c; } s;\nvoid f([in] long n, [in, out, size_is(n)] s *a);"
    call = run(body, {"n": 2, "a": [{"h": 1, "c": "x"}, {"h": 2, "c": "y"}]})
    assert (
        call.response.hex()
        == "02000000" + "0" * 8 + "0100000000000000" + "78" + "0" * 14 + "0200000000000000" + "79"
    )


def test_limits_inside_arrays_are_checked() -> None:
    body = "typedef enum { a } e;\ntypedef struct { e x; hyper y; } s;\nvoid f([in, size_is(1)] s *p);"
    assert run(body, {"p": [{"x": 40000, "y": 1}]}).status == 1781


# --- what is not marshalled here ---


def test_what_moves_in_a_way_of_its_own_needs_a_handler() -> None:
    from rpcmemkit import types as t
    from rpcmemkit.ndr import Marshaller, Unmarshaller

    space, planner = Program("client").space, Planner()
    plan = planner.plan(t.Struct("s", [t.Member("c", t.ContextHandle("h"))]))
    address = space.add_block(plan.size, "stack", fill=0)
    with pytest.raises(UsageError, match=r"p.c: <context handle h> is not marshalled"):
        Marshaller(space, planner, FullPointers(), "").parameter(plan, address, address, "p")
    server = Program("server")
    storage = ServerNodes(server, 0, StubAllocator(server, 0), Reading(osf=True))
    with pytest.raises(UsageError, match=r"p.c: <context handle h> is not marshalled"):
        Unmarshaller(space, planner, FullPointers(), b"", storage, address).parameter(
            plan, address, "p", 0, True
        )
