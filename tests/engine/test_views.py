"""Views and operations: what routines and applications do to memory, in Python and in C's terms."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import UNWRITTEN, Audit, Call, MemoryFault, RpcError, UsageError, View, address_of
from rpcmemkit.operations import ALLOCATORS, Operations
from rpcmemkit.paths import resolve
from rpcmemkit.reader import Reader
from tests.engine.helpers import ACF_HEADER, NODE, linked, open_session, run

EVERYTHING = (
    NODE
    + "typedef struct { short n; [size_is(n), length_is(n)] long *a; node *head; long grid[2][2]; [string] char *s; } all;\n"
    "long f([in, out] all *p, [in, out] long **pp, [in, unique] long *none, [in] long x, [in] long m, [in, length_is(m)] short v[4]);"
)
ARGUMENTS: dict[str, Any] = {
    "p": {"n": 3, "a": [1, 2, 3], "head": linked(3), "grid": [[1, 2], [3, 4]], "s": "text"},
    "pp": 5,
    "none": None,
    "x": 6,
    "m": 2,
    "v": [1, 2, 3, 4],
}


def inside(check: Any) -> Call:
    """Run a check as the routine of a call that must succeed."""
    return open_session(EVERYTHING, check).call("f", **ARGUMENTS)


def test_reading() -> None:
    def routine(call: Any, p: View, pp: View, none: None, x: int, m: int, v: View) -> int:
        assert (p.n, none, x, m) == (3, None, 6, 2)
        assert (list(p.a), len(p.a), p.a[2]) == ([1, 2, 3], 3, 3)
        assert (p.head.next.value, p.head.next.next.next) == (1, None)
        assert (p.grid[1][0], len(p.grid), p.s()) == (3, 2, "text")
        assert (pp[0][0], pp(), pp[0]()) == (5, 5, 5)
        assert (list(v), len(v)) == ([1, 2], 2)
        assert p() == ARGUMENTS["p"]
        assert p.head == linked(3)
        assert dir(p) == sorted(ARGUMENTS["p"])
        assert dir(p.a) == []
        assert repr(p.head).startswith("<p->head at 0x4")
        assert bool(p.a)
        assert bool(p.head)
        return 8

    assert inside(routine).result == 8


def test_writing() -> None:
    def routine(call: Any, p: View, pp: View, *others: Any) -> int:
        p.n = 2
        p.a[1] = 20
        p.head.value = 10
        p.head.next = None
        p.grid[0][1] = 9
        p.s = "new"
        pp[0] = 7
        return 0

    call = inside(routine)
    assert call["p"] == {
        "n": 2,
        "a": [1, 20],
        "head": {"value": 10, "next": None},
        "grid": [[1, 9], [3, 4]],
        "s": "new",
    }
    assert call["pp"] == 7


def test_pointer_variables_keep_their_value() -> None:
    """``dead = head->next; head->next = dead->next; free(dead)``"""

    def routine(call: Any, p: View, *others: Any) -> int:
        dead = p.head.next
        p.head.next = dead.next
        assert (dead.value, p.head.next.value) == (1, 2)
        assert dead() == {"value": 1, "next": {"value": 2, "next": None}}
        call.free(dead)
        call.free(None)
        return 0

    call = inside(routine)
    audit = Audit(call)
    assert call["p"]["head"] == {"value": 0, "next": {"value": 2, "next": None}}
    assert (audit.server_leaked, audit.faults) == (0, [])


def test_pointers_can_be_compared_swapped_and_shared() -> None:
    def routine(call: Any, p: View, *others: Any) -> int:
        head, second = p.head, p.head.next
        assert head == p.head
        assert head != second
        assert len({head, p.head, second}) == 2
        assert address_of(head) == p._operations.program.space.pointer_at(address_of(p) + 16)
        second.next = None
        head.next, p.head = None, second
        second.next = head
        return 0

    assert inside(routine)["p"]["head"] == {"value": 1, "next": {"value": 0, "next": None}}


def test_cycle_is_shown_once() -> None:
    def routine(call: Any, p: View, *others: Any) -> int:
        p.head.next = p.head
        assert p.head() == {"$label": "s1", "$value": {"value": 0, "next": {"$alias": "s1"}}}
        p.head.next = None
        return 0

    inside(routine)


def test_values_are_copied_where_no_pointer_is() -> None:
    def routine(call: Any, p: View, *others: Any) -> int:
        p.grid[0] = p.grid[1]
        p.grid[1][0] = 50
        return 0

    assert inside(routine)["p"]["grid"] == [[3, 4], [50, 4]]


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (lambda p, call: p.zzz, UsageError, "nothing is called '.zzz' there"),
        (lambda p, call: p._zzz, AttributeError, "_zzz"),
        (lambda p, call: p[1], IndexError, r"p is a single value: only \[0\] exists"),
        (lambda p, call: len(p), TypeError, "p is not an array"),
        (lambda p, call: setattr(p, "n", None), UsageError, "p->n: only a pointer can be null"),
        (
            lambda p, call: setattr(p, "n", call.new(1)),
            UsageError,
            "p->n: only a pointer can name new storage",
        ),
        (lambda p, call: setattr(p, "a", [1, 2, 3, 4]), MemoryFault, "out of bounds: a write of 16 bytes"),
        (lambda p, call: p.a[3], MemoryFault, "out of bounds"),
        (lambda p, call: p.head.next.next.next.value, AttributeError, "NoneType"),
        (
            lambda p, call: setattr(p, "head", call.new({}, "calloc")),
            UsageError,
            "no allocator is called 'calloc'",
        ),
        (
            lambda p, call: setattr(p, "head", call.new({}, "RpcSmAllocate")),
            UsageError,
            "put .enable_allocate. in the ACF",
        ),
    ],
)
def test_wrong_use_is_explained(action: Any, error: type[Exception], message: str) -> None:
    def routine(call: Any, p: View, *others: Any) -> int:
        with pytest.raises(error, match=message):
            action(p, call)
        return 0

    inside(routine)


# --- results ---


@pytest.mark.parametrize(
    ("declaration", "result", "read"),
    [
        ("long f([in, out] node *p)", 5, 5),
        ("void f([in, out] node *p)", None, None),
        ("node *f([in, out] node *p)", {"value": 9, "next": None}, {"value": 9, "next": None}),
        ("node *f([in, out] node *p)", None, None),
        ("hyper f([in, out] node *p)", None, 0),
    ],
)
def test_results(declaration: str, result: Any, read: Any) -> None:
    call = run(f"{NODE}{declaration};", {"p": linked(1)}, lambda call, p: result)
    assert call.result == read
    assert Audit(call).clean


def test_result_may_be_new_or_a_view() -> None:
    body = NODE + "node *f([in] node *p);"
    assert run(body, {"p": linked(1)}, lambda call, p: call.new({"value": 4, "next": None})).result == linked(
        1, value=4
    )
    assert run(body, {"p": linked(2)}, lambda call, p: p.next).result == linked(1, value=1)


def test_a_result_comes_from_the_allocator_that_made_it() -> None:
    session = open_session(NODE + "node *f();", lambda call: call.new({"value": 1, "next": None}, "private"))
    audit = Audit(session.try_call("f", {}))
    assert [event.detail[0] for event in audit.faults] == ["mismatched free"]


def test_a_result_that_was_never_returned_is_lost() -> None:
    value = {"value": 1, "next": {"value": 2, "next": None}}
    session = open_session(NODE + "node *f();", lambda call: call.new(value), fail_after=1)
    audit = Audit(session.try_call("f", {}))
    assert audit.call.status == 1130
    assert (audit.server_frees, audit.server_leaked) == (0, 1)


def test_void_returns_nothing() -> None:
    session = open_session("void f();", lambda call: 5)
    with pytest.raises(UsageError, match="f returns void, not 5"):
        session.call("f")


# --- operations on either side ---


@pytest.fixture
def client() -> Any:
    session = open_session(NODE + "void f([in] node *head, [in] long n);")
    call = session.call("f", head={"value": 1, "next": None}, n=5)
    operations = Operations(session.client, "application", session.labels)
    return operations, lambda path: resolve(session.client.space, path, call.arguments.get)


def test_application_allocates_and_frees_its_own(client: Any) -> None:
    operations, at = client
    address = operations.allocate(at("head.next"), {"value": 2, "next": None})
    assert operations.free(at("head.next")) == address
    events = [(event.kind, event.actor, event.rule) for event in operations.program.trace][-2:]
    assert [kind for kind, _, _ in events] == ["write", "free"]
    with pytest.raises(MemoryFault, match="double free"):
        operations.free(at("head.next"))


def test_storage_without_a_value_is_left_as_it_is(client: Any) -> None:
    operations, at = client
    address = operations.allocate(at("head.next"), UNWRITTEN)
    assert operations.program.space.read(address, 16) == b"\xcd" * 16


def test_application_frees_what_it_passed(client: Any) -> None:
    operations, at = client
    address = operations.free(at("head"))
    event = list(operations.program.trace)[-1]
    assert (event.kind, event.address, event.detail, event.rule) == ("free", address, "free", "client-owns")
    with pytest.raises(MemoryFault, match="double free"):
        operations.free(at("head"))


def test_two_pointers_made_equal(client: Any) -> None:
    operations, at = client
    operations.point(at("head.next"), at("head"))
    assert Reader(operations.program.space).read({"head": at("head")})["head"]["$value"]["next"] == {
        "$alias": "s1"
    }


@pytest.mark.parametrize("allocator", ALLOCATORS)
def test_every_allocator(allocator: str) -> None:
    acf = f"{ACF_HEADER}[enable_allocate] f();\n}}\n"
    session = open_session(NODE + "void f([in, out] node *p);", acf=acf.split("\n", 2)[2].rsplit("}", 1)[0])

    def routine(call: Any) -> None:
        operations = Operations(call.program, "routine")
        place = resolve(call.program.space, "p.next", call.place)
        operations.allocate(place, {"value": 3, "next": None}, allocator)

    session.set_routine("f", routine)
    assert session.call("f", p=linked(1))["p"]["next"]["value"] == 3


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda o, at: o.point(at("n"), at("head")), "n: there is no pointer"),
        (lambda o, at: o.point(at("head"), at("n")), "n: there is no pointer"),
        (lambda o, at: o.free(at("n")), "n: only what a pointer names can be freed"),
        (lambda o, at: o.allocate(at("n"), 5), "n: only a pointer can name new storage"),
    ],
)
def test_wrong_operations(client: Any, action: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        action(*client)


def test_routine_that_runs_out_of_memory() -> None:
    call = run(
        "void f([out] long **pp);",
        {},
        lambda call, pp: pp.__setitem__(0, call.new(5)),
        fail_after=0,
    )
    assert (call.status, Audit(call).server_leaked) == (1130, 0)
    assert isinstance(call.error, RpcError)


def test_new_storage_inside_a_value_is_zeroed_where_the_value_says_nothing() -> None:
    def routine(call: Any, n: Any) -> None:
        n.next = call.new({"value": 3, "next": {"value": 4}})
        n.next.next.next = call.new({})

    call = run(NODE + "void f([in, out] node *n);", {"n": linked(1)}, routine)
    assert call["n"] == {
        "value": 0,
        "next": {"value": 3, "next": {"value": 4, "next": {"value": 0, "next": None}}},
    }


def test_new_storage_without_a_value_is_as_the_allocator_gives_it() -> None:
    seen = []

    def routine(call: Any, n: Any) -> None:
        n.next = call.new(UNWRITTEN)
        seen.append(n.next.value)
        n.next = None

    run(NODE + "void f([in, out] node *n);", {"n": linked(1)}, routine)
    assert seen == [int.from_bytes(b"\xcd" * 4, "little", signed=True)]
