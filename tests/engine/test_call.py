"""Sessions and calls: routines, arguments, what a finished call tells."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, Call, Environment, MemoryFault, RpcError, Session, UsageError, View
from rpcmemkit.status import INVALID_USER_BUFFER
from rpcmemkit.views import RoutineCall
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
        (lambda s: s.call("xyz"), "interface i has no procedure xyz; there are: Add, Nothing"),
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


@pytest.mark.parametrize("numbered", [False, True])
def test_the_same_call_has_the_same_labels_unless_a_scenario_numbers_them(numbered: bool) -> None:
    session = open_session(NODE + "void f([in] node *head, [out] long *n);")
    session.labels.numbered = numbered
    first, second = (session.call("f", head=linked(2)) for _ in range(2))
    later = ["head#2", "head.next#2", "n#2"] if numbered else ["head", "head.next", "n"]
    assert first.labels.known() == ["head", "head.next", "n"]
    assert second.labels.known() == ["head", "head.next", "n", *later]


def test_losing_the_same_storage_has_the_same_name_each_time() -> None:
    def routine(call: Any, head: Any) -> None:
        head.next = None

    session = open_session(NODE + "void f([in, out] node *head);", routine)
    assert [Audit(session.call("f", head=linked(2))).orphaned for _ in range(2)] == [["head.next"]] * 2


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
    with pytest.raises(UsageError, match="is not there"):
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


# --- calls that routines make ---

NESTED = NODE + "void Outer([in, out] node *n); long Inner([in, out] node *n, [in] long depth);"


def nesting() -> tuple[Session, list[Call]]:
    """A session whose Outer calls Inner, which calls itself; and the inner calls as they end."""
    session, made = open_session(NESTED), []

    @session.routine
    def Outer(call: Any, n: Any) -> None:
        call.free(n.next)
        made.append(session.call("Inner", n=linked(2), depth=2))
        n.next = call.new({"value": 8})

    @session.routine
    def Inner(call: Any, n: Any, depth: int) -> int:
        if depth:
            made.append(session.call("Inner", n=linked(1), depth=depth - 1))
        n.next = call.new({"value": 1})
        n.next = None
        return depth

    return session, made


@pytest.mark.claims("M-049")
def test_call_made_by_a_routine_leaves_the_outer_trace_whole() -> None:
    session, made = nesting()
    outer = session.call("Outer", n=linked(2))
    alone, _ = nesting()
    alone.set_routine("Outer", lambda call: None)
    assert [call.trace.procedure for call in (outer, *made)] == ["Outer", "Inner", "Inner", "Inner"]
    assert session.last is outer
    assert list(outer.trace.snapshots) == list(alone.call("Outer", n=linked(2)).trace.snapshots)
    assert set(outer.trace.messages) == {"request", "response"}
    audit = Audit(outer)
    assert (audit.server_allocations, audit.server_frees, audit.client_allocations) == (3, 3, 0)
    assert audit.server_leaked == 0
    assert [Audit(call).server_allocations for call in made] == [2, 2, 3]
    assert [Audit(call).server_leaked for call in made] == [1, 1, 2]
    assert [call.result for call in made] == [0, 1, 2]
    routine = [event.kind for event in outer.trace.select("allocate", "free", actor="routine")]
    assert routine == ["free", "allocate"]


def test_inner_call_that_fails_is_the_routines_to_handle() -> None:
    session = open_session("void Outer(void); void Inner(void);")

    @session.routine
    def Outer(call: Any) -> None:
        assert session.try_call("Inner", {}).status == 5
        session.call("Inner")

    session.set_routine("Inner", lambda call: RoutineCall(call).raise_exception(5))
    call = session.try_call("Outer", {})
    assert (call.status, call.trace.procedure) == (5, "Outer")
    assert [event.side for event in call.trace.select("raise")] == ["server", "client"]


def test_new_storage_is_named_by_the_call_that_made_it() -> None:
    session = open_session(NODE + "node *Outer(void); void Inner(void);")

    @session.routine
    def Outer(call: Any) -> Any:
        session.call("Inner")
        return call.new({"value": 1})

    call = session.call("Outer")
    assert session.labels.known()[-1] == "return@1"
    assert call["return"] == {"value": 1, "next": None}


def test_calls_after_a_nested_one_have_traces_of_their_own() -> None:
    session, _ = nesting()
    session.call("Outer", n=linked(2))
    last = session.call("Inner", n=linked(1), depth=0)
    assert session.client.trace is last.trace
    assert Audit(last).server_allocations == 2


def test_client_that_goes_away_gets_no_response_to_any_call_under_way() -> None:
    session = open_session("void Outer(void); void Inner(void);")
    inner = []

    @session.routine
    def Outer(call: Any) -> None:
        inner.append(session.try_call("Inner", {}).status)

    session.set_routine("Inner", lambda call: session.disconnect() and None)
    assert (session.try_call("Outer", {}).status, inner) == (1726, [1726])
    session.set_routine("Inner", lambda call: None)
    assert session.try_call("Outer", {}).status == 0


def test_async_call_begun_and_completed_inside_a_routine() -> None:
    session = open_session("void Outer(void); void Slow([in, out] long *n);", acf="[async] Slow();")

    @session.routine
    def Slow(call: Any, n: Any) -> None:
        n[0] = 5
        call.complete()

    ended = []

    @session.routine
    def Outer(call: Any) -> None:
        pending = session.begin("Slow", n=1)
        ended.append((pending.complete(), pending.call["n"]))

    call = session.call("Outer")
    assert ended == [(0, 5)]
    assert call.trace.procedure == "Outer"
    assert "server exit" in call.trace.snapshots
    assert list(call.trace.select("allocate")) == []


# --- procedures without a routine, faults of routines ---


def test_call_to_a_procedure_without_a_routine_says_so(adder: Session) -> None:
    call = adder.call("Nothing")
    note = "no routine is registered for Nothing, so one that does nothing ran"
    assert (call.status, call.notes, repr(call)) == (0, [note], f"<Call Nothing: ok; {note}>")
    assert adder.call("Add", a=1, b=2).notes == []


def test_fault_of_the_server_is_named_in_the_error() -> None:
    def routine(call: Any, n: Any) -> None:
        n.next = {"value": 3}

    session = open_session(NODE + "void f([in, out] node *n);", routine)
    with pytest.raises(
        RpcError, match=r"RPC_S_CALL_FAILED \(1726\): the server met a fault \(null\): "
    ) as caught:
        session.call("f", n=linked(1))
    assert caught.value.rule == "server-exception-reaches-client"
    assert session.last is caught.value.call  # type: ignore[attr-defined]


def test_fault_of_the_clean_up_is_not_what_ended_the_call() -> None:
    def routine(call: Any, n: Any) -> None:
        call.free(n.next)
        call.raise_exception(1726)

    session = open_session(NODE + "void f([in, out] node *n);", routine)
    call = session.try_call("f", {"n": linked(2)})
    assert [event.detail[0] for event in call.trace.select("fault")] == ["double free"]
    assert "fault" not in str(call.error)
