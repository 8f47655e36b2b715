"""Asynchronous calls: begin, complete, abort and cancel, from both sides."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, MemoryFault, RpcError, Session, UsageError
from rpcmemkit.operations import Operations
from tests.engine.helpers import NODE, linked, open_session

BODY = NODE + "long f([in] node *a, [out] node **o, [in, out] long *k);"
ACF = "[async] f();"
ARGUMENTS: dict[str, Any] = {"a": linked(2), "k": 4}


class Server:
    """A routine that returns at once and keeps what it was given."""

    def __init__(self, body: str = BODY, acf: str = ACF, **environment: Any) -> None:
        self.kept: list[tuple[Any, ...]] = []
        self.session: Session = open_session(body, self.routine, acf, **environment)

    def routine(self, call: Any, *arguments: Any) -> None:
        self.kept.append((call, *arguments))

    def finish(self, index: int = -1) -> int:
        call, a, o, k = self.kept[index]
        o[0] = call.new({"value": a.next.value, "next": None})
        k[0] += 1
        status: int = call.complete(33)
        return status


@pytest.mark.parametrize("environment", [{}, {"server_pointer_size": 4}, {"client_pointer_size": 4}], ids=str)
def test_a_call_goes_on_after_its_routine_has_returned(environment: dict[str, Any]) -> None:
    server = Server(**environment)
    pending = server.session.begin("f", **ARGUMENTS)
    assert pending.status == 997
    assert server.finish() == 0
    assert (pending.status, pending.complete()) == (0, 0)
    call = pending.call
    assert call.values == {"a": linked(2), "o": {"value": 1, "next": None}, "k": 5, "return": 33}
    assert Audit(call).clean
    assert list(call.trace.snapshots) == [
        "client before",
        "server entry",
        "server exit",
        "server after",
        "client after",
    ]


def test_the_bytes_are_those_of_a_synchronous_call() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    server.finish()
    pending.complete()

    def routine(call: Any, a: Any, o: Any, k: Any) -> int:
        o[0] = call.new({"value": a.next.value, "next": None})
        k[0] += 1
        return 33

    other = open_session(BODY, routine).call("f", **ARGUMENTS)
    assert (pending.call.request, pending.call.response) == (other.request, other.response)


def test_calls_end_in_any_order() -> None:
    server = Server()
    first = server.session.begin("f", a=linked(2), k=1)
    second = server.session.begin("f", a=linked(2), k=10)
    assert server.finish(1) == 0
    assert (first.complete(), second.complete()) == (997, 0)
    assert server.finish(0) == 0
    assert first.complete() == 0
    assert (first.call["k"], second.call["k"]) == (2, 11)
    assert Audit(first.call).clean
    assert Audit(second.call).clean


def test_a_synchronous_call_fits_in_between() -> None:
    server = Server(BODY + "long g([in] long n);")
    server.session.routine(g := _g)
    assert g.__name__ == "g"
    pending = server.session.begin("f", **ARGUMENTS)
    between = server.session.call("g", n=6)
    events = len(between.trace)
    server.finish()
    assert pending.complete() == 0
    assert (between.result, len(between.trace)) == (7, events)
    trace = pending.call.trace
    assert trace.procedure == "f"
    assert [len(list(trace.select("marshal", side=side))) for side in ("client", "server")] == [3, 4]
    assert [len(list(trace.select("unmarshal", side=side))) for side in ("client", "server")] == [4, 3]


def _g(call: Any, n: int) -> int:
    return n + 1


_g.__name__ = "g"


def test_a_routine_may_complete_its_call_itself() -> None:
    def routine(call: Any, a: Any, o: Any, k: Any) -> None:
        k[0] = 8
        call.complete(1)

    pending = open_session(BODY, routine, ACF).begin("f", **ARGUMENTS)
    assert pending.complete() == 0
    assert (pending.call["k"], pending.call.result) == (8, 1)


def test_a_routine_that_raises_before_the_hand_off_ends_the_call() -> None:
    session = open_session(BODY, lambda call, a, o, k: call.raise_exception(5), ACF)
    pending = session.begin("f", **ARGUMENTS)
    assert pending.complete() == 5
    assert pending.call.error.code == 5
    assert Audit(pending.call).server_leaked == 0


@pytest.mark.claims("M-457")
def test_a_call_that_cannot_be_sent_needs_no_completion() -> None:
    session = Server("void f([in] long *p);").session
    with pytest.raises(RpcError) as caught:
        session.begin("f", p=None)
    assert caught.value.code == 1780
    assert caught.value.call is session.last  # type: ignore[attr-defined]


def test_asynchronous_pipes() -> None:
    kept: list[Any] = []
    body = "typedef pipe long LONGS; void f([in, out] LONGS *p);"
    session = open_session(body, lambda call, p: kept.append((call, p)), ACF)
    pipe = session.pipe([1, 2])
    pending = session.begin("f", p=pipe)
    call, end = kept[0]
    values = end.pull(9)
    assert (values, end.pull(9)) == ([1, 2], [])
    end.push(values[::-1])
    end.push([])
    assert (call.complete(), pending.complete()) == (0, 0)
    assert pipe.received == [2, 1]


def test_completing_before_the_pipes_are_drained_fails() -> None:
    kept: list[Any] = []
    session = open_session(
        "typedef pipe long LONGS; void f([in] LONGS p);", lambda call, p: kept.append(call), ACF
    )
    pending = session.begin("f", p=session.pipe([1]))
    assert kept[0].complete() == 1917
    assert pending.complete() == 1917


# --- cancelling ---


@pytest.mark.claims("M-458")
def test_a_cancel_is_a_question_to_the_server() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    call = server.kept[0][0]
    assert call.test_cancel() == 1791
    pending.cancel()
    assert (call.test_cancel(), pending.complete()) == (0, 997)
    call.abort(1818)
    assert pending.complete() == 1818


@pytest.mark.claims("M-456")
def test_an_abortive_cancel_ends_the_call_for_the_client_only() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    pending.cancel(abort=True)
    assert pending.complete() == 1818
    assert pending.call["k"] == 4
    assert server.finish() == 0  # the server goes on, and what it sends goes nowhere
    assert pending.call["k"] == 4
    assert pending.complete() == 1914


# --- what is refused ---


def test_only_async_procedures_can_be_begun() -> None:
    with pytest.raises(UsageError, match=r"f is not asynchronous: write \[async\] f\(\);"):
        open_session(BODY).begin("f", **ARGUMENTS)


def test_a_synchronous_call_has_no_handle() -> None:
    session = open_session(BODY, lambda call, a, o, k: call.complete(), ACF)
    with pytest.raises(UsageError, match="the call is not asynchronous"):
        session.call("f", **ARGUMENTS)


@pytest.mark.claims("M-456")
def test_a_handle_ends_once() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    server.finish()
    call = server.kept[0][0]
    for again in (call.complete, lambda: call.abort(5)):
        with pytest.raises(RpcError) as caught:
            again()
        assert caught.value.code == 1914
    assert (pending.complete(), pending.complete()) == (0, 1914)


def test_a_freed_handle_is_a_fault() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    server.finish()
    Operations(server.session.client, "application").free_at(pending.state)
    with pytest.raises(MemoryFault, match="use of the asynchronous handle"):
        pending.complete()


def test_it_shows_what_it_is() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    assert repr(pending) == "<AsyncCall f: pending>"
    server.finish()
    pending.complete()
    assert repr(pending) == "<AsyncCall f: ended>"
