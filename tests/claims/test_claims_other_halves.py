"""The other halves of claims: the boundary, the other side or the other kind that a claim's first evidence leaves out."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, Program, RpcSs
from rpcmemkit.idl import compile_idl
from tests.claims.table import NODE, Fact, fact, prove, proving
from tests.engine.helpers import open_session, run
from tests.idl.helpers import show
from tests.idl.midl_table import text

FIRST = "void f([in] long first, [in, first_is(first), length_is(2)] short a[3]);"
LAST = "void f([in] long last, [in, last_is(last)] short a[3]);"
THREE = [1, 2, 3]


def m_152(p, q):
    assert p[0] == 0
    assert q[0] == 2


def m_152_b(p):
    assert p[0] is None


def m_183(p):
    p[0] = 2


def m_204(x):
    x.p = None


def m_232(x):
    x.a[1] = 5


def m_376(s):
    for i, c in enumerate(b"hello"):
        s[i] = c


def m_385(s):
    for i, c in enumerate(b"abc"):
        s[i] = c


def m_385_b(s):
    for i, c in enumerate(b"abcd"):
        s[i] = c


@pytest.mark.parametrize(
    "row",
    [
        fact("M-152", "void f([out] long *p, [in, out] long *q);", {"q": 2}, m_152),
        fact(
            "M-152",
            "void f([out] long **p);",
            {},
            m_152_b,
            server_storage={"p": "stub", "*p": None},
        ),
        fact(
            "M-079",
            "typedef struct { long a[14]; } t;\nvoid f([in] t *p, [out] t *q);",
            {"p": {"a": [0] * 14}},
            sizes=[],
        ),
        fact(
            "M-079",
            "typedef struct { long a[15]; } t;\nvoid f([in] t *p, [out] t *q);",
            {"p": {"a": [0] * 15}},
            sizes=[60],
        ),
        fact(
            "M-183",
            "void f([in, out, unique] long *p);",
            {"p": {"$label": "mine", "$value": 1}},
            m_183,
            client_sizes=[],
            client_after={"p": {"$label": "mine", "$value": 2}},
        ),
        fact(
            "M-204",
            "typedef struct { [ptr] long *p; } t;\nvoid f([in, out] t *x);",
            {"x": {"p": {"$label": "old", "$value": 1}}},
            m_204,
            orphaned=["old"],
            client_frees=0,
            client_after={"x": {"$label": "x", "$value": {"p": None}}},
        ),
        fact(
            "M-232", "void f([in] long m, [out, max_is(m)] long *a);", {"m": 4}, client_sizes=[], sizes=[20]
        ),
        fact(
            "M-232",
            "typedef struct { long n; [size_is(n)] long *a; } t;\nvoid f([in, out] t *x);",
            {"x": {"n": 2, "a": [1, 2]}},
            m_232,
            client_sizes=[],
            values={"x": {"n": 2, "a": [1, 5]}},
        ),
        fact("M-326", FIRST, {"first": 2, "a": THREE}, status=1734, sent=False),
        fact("M-326", LAST, {"last": 3, "a": THREE}, status=1734, sent=False),
        fact("M-326", LAST, {"last": 2, "a": THREE}, request="02000000 00000000 03000000 0100 0200 0300"),
        fact(
            "M-376",
            "void f([out, string, size_is(6)] char *s);",
            {"s": {"$allocated": 3, "$elements": []}},
            m_376,
            status="ERROR_INVALID_USER_BUFFER",
            faults=["out of bounds"],
        ),
        fact(
            "M-385",
            "void f([in] long lSize, [out, size_is(lSize), string] char *s);",
            {"lSize": 4},
            m_385,
            values={"lSize": 4, "s": "abc"},
        ),
        fact(
            "M-385",
            "void f([in] long lSize, [out, size_is(lSize), string] char *s);",
            {"lSize": 4},
            m_385_b,
            status=1734,
        ),
        fact(
            "M-480",
            "typedef struct { [ptr] short *a; [ptr] short *b; } t;\nvoid f([in] t *x);",
            {"x": {"a": {"$label": "L", "$value": 5}, "b": {"$alias": "L"}}},
            request="01000000 01000000 0500",
        ),
        fact(
            "M-483",
            "void f([in, size_is(2)] short **a);",
            {"a": [7, 8]},
            request="02000000 00000200 04000200 0700 0800",
        ),
        fact(
            "M-484",
            "typedef struct { short n; [size_is(n)] short a[]; } t;\nvoid f([in] t *x);",
            {"x": {"n": 2, "a": [1, 2]}},
            request="02000000 0200 0100 0200",
        ),
        fact("M-484", "void f([in, size_is(2)] short *a);", {"a": [1, 2]}, request="02000000 0100 0200"),
    ],
)
def test_calls(row: Fact) -> None:
    prove(row)


@pytest.mark.parametrize(
    ("number", "body", "acf"),
    [
        pytest.param(
            2064,
            f"{types} void f([in] {count}, [out] long *p);",
            "f([byte_count(n)] p);",
            marks=proving("M-139"),
            id=count,
        )
        for types, count in (
            ("", "long **n"),
            ("typedef struct { long l; } s;", "s n"),
            ("", "float n"),
        )
    ]
    + [
        pytest.param(
            2223,
            "typedef long L;",
            "typedef [represent_as(x), allocate(all_nodes)] L;",
            marks=proving("M-066"),
            id="represent_as",
        ),
    ],
)
def test_refused(number: int, body: str, acf: str) -> None:
    assert number in [one.midl for one in text(body, acf).findings()]


@proving("M-063")
def test_an_acf_type_has_to_be_in_the_idl() -> None:
    assert text(NODE + "void f([in] node *p);", "typedef [allocate(all_nodes)] NOBODY;").findings()


@proving("M-129")
def test_the_target_that_suffices() -> None:
    body = "void f([in] long *a, [in, out, unique, partial_ignore] long *b);"
    assert text(body, "f([force_allocate] a);", target="NT51").findings() == []


@proving("M-202")
@pytest.mark.parametrize("kind", ["unique", "ptr"])
def test_a_result_takes_the_default_and_either_kind(kind: str) -> None:
    head = f"[uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e99), pointer_default({kind})] interface i"
    other = {"unique": "ptr", "ptr": "unique"}[kind]
    made = compile_idl(f"{head} {{ typedef [{other}] long *P; long *f(void); P g(void); }}").interface
    assert [show(made.procedures[name].result) for name in "fg"] == [f"{kind} -> long", f"{other} -> long"]


@proving("M-042")
def test_an_inner_environment_takes_only_its_own_blocks() -> None:
    program = Program("client")
    rpcss = RpcSs(program)
    rpcss.enable_allocate()
    outer = rpcss.allocate(1)
    rpcss.enable_allocate()
    inner = rpcss.allocate(2)
    rpcss.disable_allocate()
    assert [program.space.capacity(address) for address in (outer, inner)] == [1, 0]
    rpcss.disable_allocate()
    assert program.space.capacity(outer) == 0


@proving("M-050")
def test_a_pair_needs_both_functions() -> None:
    session = open_session("void f(void);")
    task = session.client.pairs["CoTaskMemAlloc"]
    assert session.client_rpcsm.swap_client_alloc_free(task.allocate, None) == (None, 87)
    assert session.client_rpcsm.swap_client_alloc_free(None, None) == (None, 87)


@proving("M-365")
@pytest.mark.parametrize(("count", "status"), [(2, 0), (3, 1783)])
def test_the_client_compares_too(count: int, status: int) -> None:
    session = open_session("void f([in] long n, [out, size_is(n)] short *a);")
    session.client_stub.transport = lambda opnum, request: (0, bytes([count, 0, 0, 0]) + bytes(2 * count))
    assert session.try_call("f", {"n": 2}).status == status


@proving("M-156")
def test_a_pointer_that_was_never_set_is_followed() -> None:
    session = open_session("void f([out] long **p);", lambda call, p: p.__setitem__(0, call.new(7)))
    first = session.call("f", p={"$label": "variable", "$value": None})
    session.client.space.set_pointer(session.labels.address("variable"), 0x5EED)
    wild = session.try_call("f", {"p": {"$alias": "variable"}})
    assert (first.status, wild.status) == (0, 1784)
    assert Audit(wild).client_allocations == 0


@proving("M-175")
def test_a_length_that_comes_out_needs_a_size_that_goes_in() -> None:
    bad = "void f([out] long *n, [out, size_is(*n)] short *a);"
    good = "void f([out] long *n, [out, size_is(9), length_is(*n)] short *a);"
    assert [[one.midl for one in text(each).findings()] for each in (bad, good)] == [[2123], []]


@proving("M-114")
@pytest.mark.parametrize("size", [4, 8])
def test_under_force_allocate_a_routine_may_free_and_replace(size: int) -> None:
    body = "typedef struct { long *p; } t;\ntypedef t *T;\nvoid f([in, out] T x);"

    def replace(call: Any, x: Any) -> None:
        call.free(x.p)
        x.p = call.new(9)

    def made(acf: str | None) -> tuple[int, int]:
        call = run(body, {"x": {"p": 1}}, replace, acf, server_pointer_size=size)
        return call.status, Audit(call).server_leaked

    assert made("typedef [force_allocate] T;") == (0, 0)
    assert made(None)[0] == 1726  # the long lies in the receive buffer
