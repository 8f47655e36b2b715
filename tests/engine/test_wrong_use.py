"""Bad arguments: each ends in a UsageError that says what is expected, never in a bare Python error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rpcmemkit import Audit, Environment, Session, UsageError
from rpcmemkit.program import Program
from rpcmemkit.rpcss import RpcSm, RpcSs
from rpcmemkit.stubs.pipes import Pipe
from rpcmemkit.views import address_of
from tests.engine.helpers import NODE, idl_text, open_session

BODY = (
    NODE
    + """typedef pipe long LONGS;
typedef [context_handle] void *PV;
long Add([in] long a, [in] long b);
void Open([out] PV *h);
void Use([in] PV h);
void Text([in, string] wchar_t *s);
void Narrow([in, string] char *s);
void Flow([in] LONGS p);
void List([in, out] node *n);"""
)
CONVERTED = (
    "typedef struct { long v; } SENT; typedef [transmit_as(SENT)] struct { long v; } T; void f([in] T *t);"
)


@pytest.fixture
def session() -> Session:
    session = open_session(BODY)
    session.routine(Open)
    return session


def Open(call: Any, h: Any) -> None:
    h[0] = call.new(b"state")


OPENING: list[tuple[Callable[[], Any], str]] = [
    (lambda: Session(None), "idl: expected IDL text, got None"),  # type: ignore[arg-type]
    (lambda: Session(b"x"), "idl: expected IDL text, got b'x'"),  # type: ignore[arg-type]
    (lambda: Session(""), "the text defines no interface: write interface NAME"),
    (lambda: Session(idl_text(BODY), acf=5), "acf: expected ACF text, or None, got 5"),  # type: ignore[arg-type]
    (lambda: Session(idl_text(BODY), acf=0), "acf: expected ACF text, or None, got 0"),  # type: ignore[arg-type]
    (lambda: Session("", environment="x"), r"environment: expected Environment\(…\), got 'x'"),  # type: ignore[arg-type]
    (lambda: Environment(midl=None), r"midl: expected Switches\(…\), got None"),  # type: ignore[arg-type]
    (lambda: Environment(midl={"osf": True}), r"midl: expected Switches\(…\), got {'osf'"),  # type: ignore[arg-type]
    (lambda: Environment(fail_after="x"), "fail_after: expected a number of allocator calls, or None"),  # type: ignore[arg-type]
    (lambda: Environment(fail_after=-1), "fail_after: expected .*, 0 or more, got -1"),
    (lambda: Environment(fail_after=1.5), "fail_after: expected .*, got 1.5"),  # type: ignore[arg-type]
    (lambda: Environment(fail_after=True), "fail_after: expected .*, got True"),
    (lambda: Environment(client_fail_after=-3), "client_fail_after: expected .*, got -3"),
    (lambda: Environment(osf="yes"), "osf is 'yes'; it can be False or True"),  # type: ignore[arg-type]
    (lambda: Environment(client_pointer_size=[8]), r"client_pointer_size is \[8\]; it can be 4 or 8"),  # type: ignore[arg-type]
    (lambda: Environment(server_pointer_size=8.0), "server_pointer_size is 8.0"),  # type: ignore[arg-type]
    (lambda: Environment(transfer_syntax={}), "transfer_syntax is {}; it can be 'ndr20'"),  # type: ignore[arg-type]
    (lambda: Audit(None), r"an audit: expected a finished call, as session.call\(…\) returns it"),  # type: ignore[arg-type]
    (lambda: address_of(5), "address_of: expected a view, got 5"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("action", "message"), OPENING)
def test_opening_a_session(action: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        action()


USING: list[tuple[Callable[[Any], Any], str]] = [
    (lambda s: s.call(None), "the procedure: expected its name, got None"),
    (lambda s: s.call("Add", a=1, b=2)["nope"], "Add has no parameter 'nope'; there are: a, b, return"),
    (lambda s: s.call("Add", a=1, b=2)[None], "Add has no parameter None"),
    (lambda s: s.set_routine("Add", None), r"the routine of Add: expected a function of \(call\), got None"),
    (lambda s: s.set_routine("Add", lambda: 0), r"expected a function of \(call\), got one of \(\)"),
    (lambda s: s.routine(5), "the routine: expected a function, got 5"),
    (lambda s: s.rundown(None), "the routine: expected a function, got None"),
    (lambda s: s.rundown(Open), "'Open' is no context handle type"),
    (lambda s: s.set_rundown("PV", 5), r"PV_rundown: expected a function of \(call\), got 5"),
    (lambda s: s.allocate(-1), "size: expected a number of bytes, 268435456 at most, got -1"),
    (lambda s: s.allocate(1 << 50), "size: expected a number of bytes, 268435456 at most"),
    (lambda s: s.allocate("8"), "size: expected .*, got '8'"),
    (lambda s: s.pipe([1], -1), "size: expected a number of bytes"),
    (lambda s: s.pipe(5), "the values of the pipe: expected a list of elements, got 5"),
    (lambda s: s.pipe("12"), "the values of the pipe: expected a list of elements"),
    (lambda s: s.destroy_client_context(None), "the context handle: expected its name, or what a call gave"),
    (lambda s: s.call("Add", a=s.pipe(), b=1), "a is no pipe: pass a value of its type"),
    (lambda s: s.call("Flow", p=[1, 2]), r"p is a pipe: pass session.pipe\(…\)"),
    (
        lambda s: s.call("Flow", p=Pipe(lambda n: (s.allocate(8), 8), lambda room: None)),
        "p.pull: expected the number",
    ),
    (lambda s: s.call("Text", s=b"abc"), r"s: expected text, got b'abc'; bytes as they are: {\$hex: …}"),
    (lambda s: s.call("Narrow", s="€"), "s: expected characters of Latin-1, got '€'"),
]


@pytest.mark.parametrize(("action", "message"), USING)
def test_using_a_session(session: Session, action: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        action(session)


def swallow(*wrong: Any) -> list[str]:
    """What a routine is told when it does each of some things."""
    told: list[str] = []
    session = open_session(BODY)

    @session.routine
    def List(call: Any, n: Any) -> None:
        for action in wrong:
            with pytest.raises(UsageError) as caught:
                action(call, n)
            told.append(str(caught.value))

    session.call("List", n={"value": 1, "next": None})
    return told


def test_what_a_routine_gives() -> None:
    new = "call.new(…) inside a value: a plain dict or list there is enough, it gets new storage too"
    assert swallow(
        lambda call, n: call.free(5),
        lambda call, n: call.raise_exception("x"),
        lambda call, n: call.raise_exception(1 << 32),
        lambda call, n: n["x"],
        lambda call, n: call.new({"value": 1, "next": call.new({"value": 2})}),
        lambda call, n: call.new([call.new(None)]),
        lambda call, n: setattr(n, "next", {"next": call.new(None)}),
    ) == [
        "address_of: expected a view, got 5",
        "an exception code: expected a number of 32 bits, such as 1726, got 'x'",
        "an exception code: expected a number of 32 bits, such as 1726, got 4294967296",
        "the index of n: expected a number, got 'x'",
        *[new] * 3,
    ]


@pytest.mark.parametrize("face", [RpcSs, RpcSm])
@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda f: f.allocate("x"), r"the size for RpcS.Allocate: expected a number of bytes.*'x'"),
        (lambda f: f.free("x"), r"what RpcS.Free gets: expected an address.*'x'"),
        (lambda f: f.client_free(None), r"what RpcS.ClientFree gets: expected an address.*None"),
        (lambda f: f.set_thread_handle("x"), "the thread handle: expected what GetThreadHandle gave"),
        (
            lambda f: f.set_client_alloc_free("malloc", "free"),
            r"the allocator of the pair: .* \(size\), got 'malloc'",
        ),
        (
            lambda f: f.set_client_alloc_free(int, lambda: 0),
            r"the deallocator of the pair: .* \(address\), got one of \(\)",
        ),
        (lambda f: f.swap_client_alloc_free(1, 2), "the allocator of the pair: expected a function"),
    ],
)
def test_the_package(face: Any, action: Callable[[Any], Any], message: str) -> None:
    program = Program("client")
    RpcSs(program).enable_allocate()
    with pytest.raises(UsageError, match=message):
        action(face(program))
    assert program.thread.client_pair is None


@pytest.mark.parametrize(
    ("routines", "message"),
    [
        ({"to_xmit": None}, r"T_to_xmit: expected a function of \(call, obj, sent\), got None"),
        ({"to_xmit": lambda call, obj: 0}, r"T_to_xmit: expected .*, got one of \(call, obj\)"),
        ({"free_inst": lambda call, obj, more: 0}, r"T_free_inst: expected a function of \(call, obj\)"),
        ({"nope": lambda call: 0}, "the routines of T are to_xmit"),
    ],
)
def test_conversions(routines: dict[str, Any], message: str) -> None:
    session = open_session(CONVERTED)
    with pytest.raises(UsageError, match=message):
        session.conversion("T", **routines)
    assert not session.client_stub.conversions.routines


def test_functions_of_any_form_will_do() -> None:
    """What has no signature, takes more, or has defaults is not refused."""
    session = open_session(CONVERTED)
    session.conversion(
        "T", to_xmit=lambda *all: None, free_inst=lambda call, obj, more=0: None, free_xmit=print
    )
    assert len(session.client_stub.conversions.routines) == 3


def test_a_handle_of_another_session(session: Session) -> None:
    other = open_session(BODY)
    other.routine(Open)
    for _ in range(20):
        handle = other.call("Open")["h"]
    with pytest.raises(UsageError, match=r"h: <context handle in the variable at .* is none of this session"):
        session.call("Use", h=handle)
    with pytest.raises(UsageError, match=r"the context handle: .* is none of this session"):
        session.destroy_client_context(handle)
    assert other.call("Use", h=handle).status == 0


def test_half_of_a_surrogate_pair_is_a_wide_character(session: Session) -> None:
    call = session.call("Text", s="\ud800x")
    assert call["s"] == "\ud800x"
    assert bytes.fromhex("00d878000000") in call.request
