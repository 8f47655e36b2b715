"""Sessions and calls: routines, arguments, what a finished call tells."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Call, Environment, MemoryFault, RpcError, Session, UsageError, View
from rpcmemkit.call import INVALID_USER_BUFFER
from tests.engine.helpers import NODE, linked, open_session

ADD = "long Add([in] long a, [in] long b);\nvoid Nothing();"


@pytest.fixture
def adder() -> Session:
    session = open_session(ADD)

    @session.routine
    def Add(call: object, a: int, b: int) -> int:
        return a + b

    return session


def test_call(adder: Session) -> None:
    call = adder.call("Add", a=2, b=3)
    assert (call.result, call["a"], call.values) == (5, 2, {"a": 2, "b": 3, "return": 5})
    assert (call.request.hex(), call.response.hex(), call.status) == ("0200000003000000", "05000000", 0)
    assert (repr(call), adder.last) == ("<Call Add: ok>", call)


def test_procedure_without_parameters_or_result(adder: Session) -> None:
    call = adder.call("Nothing")
    assert (call.request, call.response, call.result) == (b"", b"", None)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda s: s.call("Ad", a=1, b=2), "interface i has no procedure Ad; did you mean Add?"),
        (lambda s: s.call("xyz"), "interface i has no procedure xyz$"),
        (lambda s: s.call("Add", a=1), r"Add: the \[in\] parameter 'b' is missing"),
        (lambda s: s.call("Add", a=1, b=2, bb=3), "Add has no parameter 'bb'; did you mean b?"),
        (lambda s: s.call("Add", a=1, b=2, zzz=3), "Add has no parameter 'zzz'; it takes a, b"),
        (lambda s: s.call("Nothing", zzz=3), "Nothing has no parameter 'zzz'; it takes none"),
        (lambda s: s.call("Add", a="x", b=2), "a: expected a value of type long, got 'x'"),
        (lambda s: s.set_routine("Sub", None), "no procedure Sub"),
    ],
)
def test_wrong_use_is_explained(adder: Session, action: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        action(adder)


def test_routine_with_other_parameters(adder: Session) -> None:
    def Add(call: object, a: int, c: int) -> int:
        return a

    with pytest.raises(UsageError, match=r"Add takes \(call, a, b\), not \(…, a, c\)"):
        adder.routine(Add)


def test_exception_carries_the_call() -> None:
    session = open_session("void f([in] long n);", lambda call, n: call.raise_exception(n))
    with pytest.raises(RpcError) as caught:
        session.call("f", n=1722)
    call = caught.value.call  # type: ignore[attr-defined]
    assert (caught.value.code, call.status, call.response) == (1722, 1722, b"")
    assert repr(call) == "<Call f: RPC_S_SERVER_UNAVAILABLE>"
    assert call["n"] == 1722


def test_pointer_to_nowhere_is_an_invalid_buffer() -> None:
    session = open_session("void f([in, unique] long *p);")
    place = session.call("f", p=1).arguments["p"]
    session.client.space.drop_block(session.client.space.pointer_at(place.address))
    call = session.try_call(
        "f", {"p": place._replace(address=session.client.space.pointer_at(place.address))}
    )
    assert isinstance(call.error, MemoryFault)
    assert (call.status, call.request, call.error.kind) == (INVALID_USER_BUFFER, b"", "use after free")


def test_out_storage_is_provided_and_sized() -> None:
    session = open_session("void f([in] long n, [out, size_is(n)] hyper *a, [out] long *m);")
    call = session.call("f", n=4)
    places = [event.size for event in call.trace.select("allocate", side="client", actor="application")]
    assert places == [32, 4]
    assert call.labels.known() == ["a", "m"]


def test_labels_of_later_calls_are_numbered() -> None:
    session = open_session(NODE + "void f([in] node *head, [out] long *n);")
    for _ in range(2):
        call = session.call("f", head=linked(2))
    assert call.labels.known() == ["head", "head.next", "n", "head#2", "head.next#2", "n#2"]


def test_new_storage_can_be_named_later() -> None:
    session = open_session(NODE + "void f([out] node **made);\nvoid g([in] node *head);")

    @session.routine
    def f(call: Any, made: View) -> None:
        made[0] = call.new(linked(1))

    made = session.call("f")
    assert made.labels.known() == ["made"]
    assert session.labels.address("*made@1") is not None
    again = session.call("g", head={"$alias": "*made@1"})
    assert again["head"] == linked(1)


def test_unfinished_call_has_no_server_snapshots() -> None:
    session = open_session("void f([in] long *p);")
    call: Call = session.try_call("f", {"p": None})
    assert list(call.trace.snapshots) == ["client before", "client after"]
    with pytest.raises(KeyError):
        call.space("server entry")


def test_moments_are_in_order() -> None:
    call = open_session("void f([in, out] long *n);").call("f", n=1)
    moments = sorted(call.trace.snapshots.values(), key=lambda snapshot: snapshot.event)
    assert [moment.moment for moment in moments] == [
        "client before",
        "entry",
        "exit",
        "after",
        "client after",
    ]


def test_handles_are_not_marshalled() -> None:
    session = open_session("void f([in] handle_t h, [in] long n);")
    call = session.call("f", n=7)
    assert call.request.hex() == "07000000"
    assert session.call("f", h=None, n=7).request.hex() == "07000000"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client_pointer_size", 3),
        ("server_pointer_size", 16),
        ("transfer_syntax", "xdr"),
        ("byte_order", "pdp"),
    ],
)
def test_an_environment_says_what_it_can_be(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name):
        Environment(**{name: value})  # type: ignore[arg-type]
