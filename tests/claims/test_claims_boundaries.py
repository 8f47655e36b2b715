"""Halves of claims that a break of one expression would have got past unseen: each of these fails under that break."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, Program, RpcError, UsageError
from rpcmemkit.rpcss import RpcSm, RpcSs
from rpcmemkit.stubs.pipes import Pipe
from tests.claims.table import proving
from tests.engine.helpers import open_session, serve
from tests.idl.midl_table import text

POINTS = "typedef struct { long x; long y; } POINT; typedef pipe POINT POINTS;\n"
STATE = "typedef struct { long n; } state; typedef [context_handle] state *PH;\n"


# --- what may be converted ---


@proving("M-437")
@pytest.mark.parametrize(
    ("number", "body", "acf"),
    [
        (2086, "typedef struct { long *p; } SENT; typedef [transmit_as(SENT)] short T;", None),
        (
            2086,
            "typedef struct { long *p; } SENT; typedef short SHOWN;",
            "typedef [represent_as(SHOWN)] SENT;",
        ),
        (2087, "typedef [transmit_as(long)] char T[];", None),
        (
            2087,
            "typedef struct { short n; [size_is(n)] long a[]; } SHOWN; typedef long SENT;",
            "typedef [represent_as(SHOWN)] SENT;",
        ),
    ],
)
def test_neither_attribute_converts_what_it_cannot(number: int, body: str, acf: str | None) -> None:
    assert number in [one.midl for one in text(body, acf).findings()]


@proving("M-437")
def test_user_marshalled_types_may_have_pointers() -> None:
    body = "typedef struct { long *p; } SENT; typedef [wire_marshal(SENT)] short T;"
    assert 2086 not in [one.midl for one in text(body, None).findings()]


@proving("M-066")
@pytest.mark.parametrize("how", ["transmit_as", "represent_as", "wire_marshal", "user_marshal"])
def test_no_kind_of_converted_type_has_allocate(how: str) -> None:
    in_idl = how in {"transmit_as", "wire_marshal"}
    body = f"typedef long X; typedef {f'[{how}(X)]' * in_idl} long *T;"
    acf = f"typedef [{'' if in_idl else f'{how}(X), '}allocate(all_nodes)] T;"
    assert 2223 in [one.midl for one in text(body, acf).findings()]


@proving("M-139")
@pytest.mark.parametrize("count", ["long *n", "long **n", "E n", "S n", "float n", "double n"])
def test_a_byte_count_is_an_integer_and_nothing_else(count: str) -> None:
    types = "typedef enum { one } E; typedef struct { long l; } S; "
    found = [
        one.code
        for one in text(f"{types}void f([in] {count}, [out] long *p);", "f([byte_count(n)] p);").findings()
    ]
    assert "IDL414" in found


# --- what is compared ---


SIZED = "typedef struct { long n; [size_is(n)] long *a; } S; "


@proving("M-365")
@pytest.mark.parametrize(
    ("body", "arguments", "at", "status"),
    [
        (SIZED + "void f([out] S **p);", {}, 4, 1783),
        # over storage that the client had, the variable may say more than came back: it had the room
        (SIZED + "void f([in, out] S *p);", {"p": {"n": 2, "a": [1, 2]}}, 0, 0),
    ],
)
def test_a_client_compares_the_two_sizes_where_it_had_no_storage(
    body: str, arguments: dict[str, Any], at: int, status: int
) -> None:
    def routine(call: Any, p: Any) -> None:
        if not arguments:
            p[0] = call.new({"n": 2, "a": [1, 2]})

    session = open_session(body, routine)
    honest = session.call("f", **arguments).response
    assert honest[at] == 2, "the member; its conformance is behind it"
    session.client_stub.transport = lambda number, request: (0, honest[:at] + b"\3" + honest[at + 1 :])
    call = session.try_call("f", arguments)
    assert call.status == status
    assert status == 0 or "2 elements, but the size attribute says 3" in str(call.error)


# --- context handles, the package, pipes ---


@proving("M-394")
def test_an_open_handle_keeps_the_new_state_that_a_routine_gives_it() -> None:
    session = open_session(STATE + "void Open([out] PH *h); void Move([in, out] PH *h); long Get([in] PH h);")
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new({"n": 1})))
    serve(session, "Get", lambda call, h: h.n)

    def move(call: Any, h: Any) -> None:
        old = h[0]
        h[0] = call.new({"n": 2})
        call.free(old)

    serve(session, "Move", move)
    handle = session.call("Open")["h"]
    moved = session.call("Move", h=handle)
    assert (Audit(moved).faults, len(session.contexts)) == ([], 1)
    assert session.call("Get", h=handle).result == 2


@proving("M-050")
@pytest.mark.parametrize("missing", ["allocate", "free", "both"])
def test_a_pair_is_two_functions(missing: str) -> None:
    program = Program("client")
    pair = program.pairs["CoTaskMemAlloc"]
    allocate = None if missing in {"allocate", "both"} else pair.allocate
    free = None if missing in {"free", "both"} else pair.free
    with pytest.raises(RpcError, match="RPC_S_INVALID_ARG"):
        RpcSs(program).swap_client_alloc_free(allocate, free)
    assert RpcSm(program).swap_client_alloc_free(allocate, free)[1] == 87
    with pytest.raises(UsageError, match="takes two functions"):
        RpcSs(program).set_client_alloc_free(allocate, free)
    assert program.thread.client_pair is None


@proving("M-459")
def test_a_pipe_asks_for_bytes_and_is_given_bytes() -> None:
    session = open_session(
        POINTS + "void f([in] POINTS p);",
        lambda call, p: [None for _ in iter(lambda: p.pull(9), [])] and None,
    )
    buffer = session.allocate(20)
    asked: list[int] = []
    rooms: list[int] = []
    waiting = [{"x": number, "y": 0} for number in range(5)]

    def alloc(size: int) -> tuple[int, int]:
        asked.append(size)
        return buffer, 20

    def pull(room: Any) -> int:
        rooms.append(room.capacity)
        chunk, waiting[:] = waiting[:2], waiting[2:]
        return room.write(chunk)

    session.call("f", p=Pipe(alloc, pull))
    assert set(rooms) == {2}, "20 bytes hold two elements of 8"
    assert set(asked) == {4096}, "the request is a number of bytes, whatever an element takes"


# --- early and late correlation ---

CHOICE = "typedef [switch_type(long)] union { [case(1)] long l; [default] ; } u;\n"
EARLY = [  # what is sent twice differs, and what follows ends too early: which of the two is found first?
    ("void f([in] long n, [in, size_is(n)] long *a, [in] long z);", "02000000 01000000 07000000"),
    ("void f([in] long *n, [in, size_is(*n)] long *a, [in] long z);", "02000000 01000000 07000000"),
    (
        "void f([in] long n, [in, size_is(4), length_is(n)] long *a, [in] long z);",
        "02000000 04000000 00000000 01000000 07000000",
    ),
    (CHOICE + "void f([in] long n, [in, switch_is(n)] u *a, [in] long z);", "01000000 02000000"),
    ("typedef struct { long n; [size_is(n)] long *a; } s; void f([in] s *s, [in] long z);",
     "02000000 01000000 01000000 07000000"),
]  # fmt: skip
LATE = [
    ("void f([in, size_is(n)] long *a, [in] long n, [in] long z);", "01000000 07000000 02000000"),
    (CHOICE + "void f([in, switch_is(n)] u *a, [in] long n, [in] long z);", "02000000 01000000"),
]


@proving("M-364")
@pytest.mark.parametrize(("body", "data"), EARLY)
def test_an_early_correlation_is_checked_at_once(body: str, data: str) -> None:
    assert "differs" in (why := why_refused(body, data)) or "attribute says 2" in why


@proving("M-364")
@pytest.mark.parametrize(("body", "data"), LATE)
def test_a_late_correlation_is_checked_when_all_has_come(body: str, data: str) -> None:
    assert "at z: the message ends too early" in why_refused(body, data)
    whole = why_refused(body, data + "00000000")
    assert "differs" in whole or "attribute says 2" in whole


def why_refused(body: str, data: str) -> str:
    session = open_session(body)
    assert session.server_stub.dispatch(0, bytes.fromhex(data)).status == 1783
    (raised,) = session.server.trace.select("raise")
    return str(raised.detail)


@proving("M-364")
def test_a_client_checks_at_once_what_it_knows_of_the_size() -> None:
    """[in] sizes lie in the client's frame before the response comes; an [out] one comes before or after the array."""
    for parameters, early in (
        ("[in] long n, [out, size_is(, n)] long **a, [out] long *z", True),
        ("[in] long x, [out] long *n, [out, size_is(, *n)] long **a, [out] long *z", True),
        ("[in] long x, [out, size_is(, *n)] long **a, [out] long *n, [out] long *z", False),
    ):
        session = open_session(f"void f({parameters});")
        first = "02000000" if "long *n, [out, size_is" in parameters else ""
        reply = bytes.fromhex(first + "01000000 01000000 07000000")
        session.client_stub.transport = lambda number, request, reply=reply: (0, reply)
        call = session.try_call("f", {"n": 2} if "[in] long n" in parameters else {"x": 0})
        assert ("the size attribute says 2" in str(call.error)) is early, parameters
