"""Faults found from outside, in the engine: threads, other processes, deep values, bad sizes, what raises in application code."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import sys
import threading
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import Any

import pytest

from rpcmemkit import Audit, MemoryFault, RpcError, Session, UsageError, program
from rpcmemkit.annotate import rows
from rpcmemkit.errors import Diagnostic, IdlError, RpcMemKitError, ScenarioError
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.memory import AddressSpace, taken
from rpcmemkit.records import equal, shown
from tests.engine.conversions import FOUR, four
from tests.engine.helpers import NODE, TREE, linked, open_session, serve

LIST = NODE + "long f([in, out] node *head, [in] long n);"


# --- threads ---


@pytest.fixture
def eager() -> Any:
    """Threads of Python take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(*works: Any) -> list[BaseException]:
    failed: list[BaseException] = []

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 (the test reports it)
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return failed


def test_calls_of_two_threads_have_audits_of_their_own(eager: None) -> None:
    session = open_session(LIST, lambda call, head, n: n)

    def work() -> None:
        for number in range(25):
            call = session.call("f", head=linked(10), n=number)
            assert (call.result, Audit(call).server_allocations, Audit(call).clean) == (number, 10, True)

    assert in_threads(work, work) == []


def test_what_a_thread_does_between_calls_waits_for_a_call(eager: None) -> None:
    session = open_session(LIST, lambda call, head, n: n)
    made: list[int] = []

    def allocates() -> None:
        for _ in range(200):
            made.append(session.client.midl_user_allocate(8))
            made.append(session.allocate(8))
            session.server.midl_user_free(session.server.midl_user_allocate(4))

    def calls() -> None:
        for number in range(25):
            call = session.call("f", head=linked(10), n=number)
            during = islice(call.trace, call.trace.snapshots["client after"].event)
            assert 8 not in [e.size for e in during if e.kind == "allocate" and e.actor == "application"]
            assert Audit(call).clean

    assert in_threads(allocates, calls, calls) == []
    assert len(set(made)) == 400


def test_asynchronous_calls_of_two_threads(eager: None) -> None:
    body = NODE + "long f([in, out] node *head, [in] long n);"
    session = open_session(body, acf="[async] f();")
    serve(session, "f", lambda call, head, n: None if call.complete(n) == 0 else n)

    def work() -> None:
        for number in range(25):
            pending = session.begin("f", head=linked(5), n=number)
            assert pending.complete() == 0
            assert (pending.call.result, Audit(pending.call).clean) == (number, True)

    assert in_threads(work, work) == []


def test_sessions_of_the_same_programs_share_the_turn(eager: None) -> None:
    one = open_session(LIST, lambda call, head, n: n)
    other = one.also(one.idl.replace("1802", "1803"))
    serve(other, "f", lambda call, head, n: n + 1)

    def work(session: Session, more: int) -> Any:
        def run() -> None:
            for number in range(20):
                call = session.call("f", head=linked(5), n=number)
                assert (call.result, Audit(call).clean) == (number + more, True)

        return run

    assert in_threads(work(one, 0), work(other, 1)) == []


def test_a_call_inside_a_call_stays_legal() -> None:
    session = open_session("long f([in] long n);")
    serve(session, "f", lambda call, n: session.call("f", n=n - 1).result + 1 if n else 0)
    assert session.call("f", n=5).result == 5


def test_a_routine_that_waits_for_another_thread_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "PATIENCE", 0.2)
    session = open_session("long f([in] long n);")
    failed: list[BaseException] = []

    def routine(call: Any, n: int) -> int:
        failed.extend(in_threads(lambda: session.call("f", n=0)) if n else [])
        return n

    serve(session, "f", routine)
    assert session.call("f", n=1).result == 1
    (error,) = failed
    assert isinstance(error, UsageError)
    assert "another thread has been in a call of this session" in str(error)
    assert session.call("f", n=0).result == 0


# --- other processes ---

ERRORS: list[RpcMemKitError] = [
    RpcError(1734, "msg", path="p", rule="r"),
    RpcError(5),
    MemoryFault("null", "client", 0, "m"),
    IdlError([Diagnostic("IDL101", "wrong", "x.idl", 1, 2, source="text", expected=("a",), midl=2025)]),
    UsageError("do this instead"),
    ScenarioError("m", file="f", line=3, column=4, source="s", path="steps[0]", expected=("a",), remedy="r"),
]


def raising(number: int) -> None:
    raise ERRORS[number]


def calling() -> None:
    open_session("void f([in] long n, [out, size_is(n)] byte *b);").call("f", n=-1)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_survive_pickling_whole(error: RpcMemKitError, protocol: int) -> None:
    error.__dict__["note"] = "added"
    for twin in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is type(error)
        assert (str(twin), twin.args, twin.__dict__) == (str(error), error.args, error.__dict__)


def test_errors_come_back_from_a_spawned_process() -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for number, error in enumerate(ERRORS):
            with pytest.raises(type(error)) as caught:
                pool.submit(raising, number).result(timeout=60)
            assert str(caught.value) == str(error)
        with pytest.raises(RpcError) as caught:
            pool.submit(calling).result(timeout=60)
        assert (caught.value.code, caught.value.name) == (1734, "RPC_X_INVALID_BOUND")
        assert not hasattr(caught.value, "call"), "the call stays where it was made"


def test_records_and_sessions_say_why_they_stay() -> None:
    session = open_session(LIST, lambda call, head, n: n)
    call = session.call("f", head=linked(3), n=1)
    for each, remedy in (
        (call, "send call.values"),
        (call.trace, "as text"),
        (session, r"Session\(session.idl"),
        (session.client, "belongs to its process"),
        (Audit(call), "send call.values"),
    ):
        with pytest.raises(UsageError, match=remedy):
            pickle.dumps(each)
    for record in (call, call.trace):
        assert copy.copy(record) is record
        assert copy.deepcopy(record) is record
    assert pickle.loads(pickle.dumps(call.values)) == call.values
    assert copy.copy(RpcError(5)).code == 5


def test_a_copy_of_an_error_has_its_call() -> None:
    with pytest.raises(RpcError) as caught:
        calling()
    assert copy.copy(caught.value).call is caught.value.call  # type: ignore[attr-defined]
    assert copy.deepcopy(caught.value).call is caught.value.call  # type: ignore[attr-defined]


# --- deep values ---


@pytest.mark.parametrize("count", [1, 60, 993, 20_000])
def test_a_view_of_a_long_list_is_shown_and_compared(count: int) -> None:
    seen: list[Any] = []

    def routine(call: Any, head: Any, n: int) -> int:
        seen.extend([repr(head), str(head), head == linked(count), head != linked(count + 1), hash(head)])
        seen.append(hasattr(head, "_repr_html_"))
        return 0

    call = open_session(LIST, routine).call("f", head=linked(count), n=0)
    assert seen[2:4] == [True, True]
    assert seen[0] == seen[1]
    assert len(seen[0]) < 3000
    assert seen[0].startswith("<head at 0x")
    values = call.values
    assert len(repr(values)) < 3000
    assert (values["head"] == linked(count), values["head"] == linked(count + 1)) == (True, False)
    assert values["head"] != linked(count - 1)


def test_a_ring_is_shown_and_compared() -> None:
    body = TREE.replace("struct node *left", "[ptr] struct node *left").replace(
        "struct node *right", "[ptr] struct node *right"
    )
    seen: list[Any] = []
    ring: dict[str, Any] = {"value": 1, "left": None}
    ring["right"] = ring
    session = open_session(
        body + "void f([in, out, ptr] node *a);",
        lambda call, a: seen.extend([repr(a), a == a.right, a() == a.right()]),
    )
    session.call("f", a=ring)
    assert "'$alias': 's1'" in seen[0]
    assert seen[1:] == [True, True]
    twin: dict[str, Any] = {"value": 1, "left": None}
    twin["right"] = {"value": 1, "left": None, "right": twin}
    assert equal(ring, twin)
    assert not equal(ring, twin | {"value": 2})


def test_small_values_are_shown_as_python_shows_them() -> None:
    value: dict[str, Any] = {"a": [1, "x", None, {}], "b": {"c": []}, "$hex": b"\1"}
    assert shown(value) == repr(value)
    assert shown(list(range(5000))).endswith("1998, …]")


# --- sizes ---


@pytest.mark.parametrize(
    "environment", [{}, {"transfer_syntax": "ndr64"}, {"osf": True}, {"client_pointer_size": 4}]
)
@pytest.mark.parametrize(
    ("parameter", "n", "status"),
    [
        ("[out, size_is(n)] byte *b", -1, 1734),
        ("[out, size_is(n), length_is(n)] long *b", -1, 1734),
        ("[out, size_is(n)] hyper *b", -5, 1734),
        ("[in, out, size_is(n)] byte *b", -1, 1734),
        ("[out, size_is(n)] byte *b", 0x7FFFFFFF, 1130),
        ("[out, size_is(n)] hyper *b", 0x7FFFFFFF, 1130),
    ],
)
def test_a_bad_size_is_a_status(environment: dict[str, Any], parameter: str, n: int, status: int) -> None:
    session = open_session(f"void f([in] long n, {parameter});", **environment)
    arguments = {"n": n} | ({"b": b""} if "[in, out" in parameter else {})
    call = session.try_call("f", arguments)
    assert call.status == status
    assert isinstance(call.error, RpcError)
    assert sum(event.size for event in call.trace.select("allocate")) < 1 << 20
    with pytest.raises(RpcError) as caught:
        session.call("f", **arguments)
    assert caught.value.call.status == status  # type: ignore[attr-defined]


@pytest.mark.parametrize("n", [-1, 0x7FFFFFFF])
def test_a_bad_byte_count_is_a_status(n: int) -> None:
    body = "typedef struct { long a; [unique] long *p; } S; void f([in] long n, [out] S *p);"
    call = open_session(body, None, "f([byte_count(n)] p);").try_call("f", {"n": n})
    assert call.status == (1734 if n < 0 else 1130)


@pytest.mark.parametrize("type_", ["byte a[0x30000000]", "[string] char a[0x200000]", "hyper a[0x20001]"])
def test_arguments_by_value_fit_a_stack(type_: str) -> None:
    session = open_session(f"typedef struct {{ {type_}; }} s; void f([in] s x); void g([in, out] long *n);")
    with pytest.raises(UsageError, match=r"f: the arguments take \d+ bytes by value.*pass x"):
        session.call("f", x={"a": []})
    assert session.call("g", n=1).status == 0


SPARSE = (
    "typedef struct { long v; [string, unique] char *s; } S; void f([in] long n, [out, size_is(n)] S *a);"
)


def test_an_array_that_nobody_filled_costs_little_more_than_its_storage() -> None:
    """Four bytes ask for 100,000 structures: what real stubs do is cheap here too, and what is not is refused."""
    session = open_session(SPARSE)
    tracemalloc.start()
    try:
        assert session.server_stub.dispatch(0, (100_000).to_bytes(4, "little")).status == 0
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert len(session.server.trace) < 100


@pytest.mark.parametrize(
    "environment", [{}, {"server_pointer_size": 4}, {"transfer_syntax": "ndr64"}], ids=str
)
def test_honest_arrays_of_a_million_elements_pass(environment: dict[str, Any]) -> None:
    count = 1_000_000 if not environment else 70_000
    session = open_session(
        "void f([in] long n, [out, size_is(n)] long *a);", lambda call, n, a: None, **environment
    )
    assert session.server_stub.dispatch(0, count.to_bytes(4, "little")).status == 0

    def routine(call: Any, n: int, a: Any) -> None:
        a[0].v, a[count - 1].s = 7, call.new("last")

    session = open_session(SPARSE, routine, **environment)
    reply = session.server_stub.dispatch(0, count.to_bytes(4, "little"))
    assert (reply.status, len(session.server.trace) < 100) == (0, True)
    assert not list(session.server.trace.select("fault"))


def test_elements_in_a_row_without_pointers_are_sent_as_they_are_one_by_one() -> None:
    """The same bytes, values and rows of the annotation, whether elements move together or not."""
    for null in (range(0), range(70), range(3, 200), [*range(70), *range(71, 199)]):
        skip = set(null)

        def routine(call: Any, n: int, a: Any, skip: set[int] = skip) -> None:
            for index in range(n):
                a[index].v = index
                if index not in skip:
                    a[index].s = call.new(f"{index}")

        call = open_session(SPARSE, routine).call("f", n=200)
        want = [{"v": i, "s": None if i in skip else str(i)} for i in range(200)]
        assert call["a"] == want
        told = {row.path: row.value for row in rows(call, "response")}
        assert all(told[f"a[{i}].v"] == i for i in range(200) if f"a[{i}].v" in told)
        assert {"a[0].v", "a[199].v"} <= set(told)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("typedef struct { char c[220]; } S; void f([in] long n, [out, size_is(n)] S *a);", 1_000_000),
        ("void f([in] long n, [out, size_is(n)] hyper *a);", 100_000_000),
        (
            "typedef struct { long k; [string] char s[20]; } S; void f([in] long n, [out, size_is(n)] S *a);",
            1_000_000,
        ),
    ],
)
def test_storage_is_not_made_on_the_word_of_four_bytes(body: str, count: int) -> None:
    session = open_session(body)
    tracemalloc.start()
    try:
        assert session.server_stub.dispatch(0, count.to_bytes(4, "little")).status == 1130
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert session.server_stub.dispatch(0, (20_000).to_bytes(4, "little")).status == 0


# --- what raises in application code ---


def test_free_of_null_is_nothing() -> None:
    session = open_session("void f(void);")
    for side in (session.client, session.server):
        side.midl_user_free(0)
        side.pair.free(0)
        assert not list(side.trace.select("fault"))


def broken(*arguments: Any) -> Any:
    raise ValueError("mine")


def usable(session: Session, **arguments: Any) -> None:
    for side in (session.client, session.server):
        kinds = [block.kind for block in side.space.ledger if block.live]
        assert kinds.count("receive buffer") == 0
        assert side is session.client or kinds.count("stack") == 0
    assert not session.contexts.busy
    assert session.last is not None
    assert session.last.status == 1726
    assert {"client before", "client after"} <= set(session.last.trace.snapshots)
    assert repr(session.last)


@pytest.mark.parametrize("where", ["routine", "allocator", "deallocator", "notify", "client's allocator"])
def test_a_python_exception_leaves_the_session_usable(where: str) -> None:
    session = open_session(NODE + "void f([in, out] node *head, [out] node **made);", acf="[notify] f();")
    honest = lambda call, head, made: made.__setitem__(0, call.new({"value": 1, "next": None}))  # noqa: E731
    serve(session, "f", broken if where == "routine" else honest)
    session.server_stub.notify["f"] = broken if where == "notify" else lambda: None
    heap = session.server.midl_user_allocate, session.server.midl_user_free, session.client.midl_user_allocate
    if where == "allocator":
        session.server.midl_user_allocate = broken
    elif where == "deallocator":
        session.server.midl_user_free = broken
    elif where == "client's allocator":
        session.client.midl_user_allocate = broken
    with pytest.raises(ValueError, match="mine"):
        session.call("f", head=linked(3))
    usable(session)
    session.server.midl_user_allocate, session.server.midl_user_free, session.client.midl_user_allocate = heap
    session.server_stub.notify["f"] = lambda: None
    serve(session, "f", honest)
    call = session.call("f", head=linked(3))
    assert (Audit(call).faults, Audit(call).server_leaked, call["made"]) == (
        [],
        0,
        {"value": 1, "next": None},
    )


@pytest.mark.parametrize("part", ["UserUnmarshal", "UserFree", "UserMarshal", "UserSize"])
def test_a_python_exception_in_a_conversion_leaves_the_session_usable(part: str) -> None:
    session = open_session(FOUR + "void f([in, out] FOUR *p);")
    session.conversion("FOUR", **four(**{part: broken}))
    with pytest.raises(ValueError, match="mine"):
        session.call("f", p=5)
    usable(session)
    session.conversion("FOUR", **four())
    assert session.call("f", p=5)["p"] == 5


@pytest.mark.parametrize("environment", [{}, {"transfer_syntax": "ndr64"}, {"byte_order": "big"}])
@pytest.mark.parametrize("data", [b"", b"\1", b"\1\2\3"])
def test_a_message_that_ends_in_a_user_marshalled_value(environment: dict[str, Any], data: bytes) -> None:
    session = open_session(FOUR + "void f([in, out] FOUR *p);", **environment)
    session.conversion("FOUR", **four())
    assert session.server_stub.dispatch(0, data).status == 1783
    assert not list(session.server.trace.select("fault"))
    session.client_stub.transport = lambda number, request: (0, data)
    call = session.try_call("f", {"p": 5})
    assert (call.status, Audit(call).faults) == (1783, [])
    assert isinstance(call.error, RpcError)


def test_a_thread_that_a_routine_starts_is_told_that_it_waits_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The routine's own thread has the turn; one that it waits for gets an error, not a deadlock, and no trace."""
    monkeypatch.setattr("rpcmemkit.program.PATIENCE", 0.1)
    failed: list[BaseException] = []

    def routine(call: Any, head: Any, n: int) -> int:
        looks = (
            lambda: head.next,
            head,
            lambda: setattr(head, "v", 9),
            lambda: len(head),
            lambda: dir(head),
            lambda: call.argument("head"),
            lambda: call.set_result(7),
            lambda: call.free(head.next),
        )
        for look in looks:
            failed.extend(in_threads(look))
        return int(head.next is not None)

    session = open_session(LIST, routine)
    call = session.call("f", head=linked(2), n=0)

    assert call.result == 1
    assert [type(error) for error in failed] == [UsageError] * 8
    assert "another thread has been in a call of this session" in str(failed[0])
    assert len(list(call.trace.select(EventKind.READ))) == 1


@pytest.mark.parametrize("change", ["one", "many", "back"])
def test_what_was_can_be_read_while_another_thread_allocates(change: str) -> None:
    """An image shares the table of blocks with the space: at every line that changes it, what was there is found."""
    space = AddressSpace("server")
    address = space.add_block(8, BlockKind.MIDL_USER)
    past, end = AddressSpace.from_image("server", space.image()), len(space.data)
    many = ([8] * 20, bytes(20 * taken(8)))
    if change == "back":
        space.add_blocks(many[1], many[0], BlockKind.MIDL_USER)
    changes = {
        "one": lambda: space.add_block(8, BlockKind.MIDL_USER),
        "many": lambda: space.add_blocks(many[1], many[0], BlockKind.MIDL_USER),
        "back": lambda: space.take_back(end),
    }
    looks = []

    def look(frame: Any, event: str, argument: Any) -> Any:
        if frame.f_globals["__name__"] != "rpcmemkit.memory":
            return None
        sys.settrace(None)
        looks.append(past.read(address, 8))
        sys.settrace(look)
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        changes[change]()
    finally:
        sys.settrace(before)

    assert len(looks) > 5
    assert set(looks) == {b"\xcd" * 8}
