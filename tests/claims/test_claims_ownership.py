"""Claims about who owns what, about orphans,, and the summary tables."""

from __future__ import annotations

import pytest

from rpcmemkit import Audit
from tests.claims.table import NODE, TREE, Fact, fact, prove, proving
from tests.engine.helpers import first, linked, open_session

LEAF = {"value": 2, "left": None, "right": None}
BRANCH = {"value": 1, "left": {"value": 3, "left": LEAF, "right": None}, "right": None}
FULL_TREE = TREE.replace("struct node *l", "[ptr] struct node *l").replace(
    "; struct node *r", "; [ptr] struct node *r"
)
NAMED = "typedef struct { long n; [string] char *name; } named;\n"
LIST = NODE + "void f([in, out] node *head);"
SIZED = "void f([in, out] long *n, [in, out, size_is(*n)] long *a);"
POINTERS = "void f([in, out] long *n, [in, out, size_is(*n)] long **a);"
NEW_NODE = "new({'value': 9, 'next': None})"
OLD = "head.next"


def m_154(head, new):
    head.next = new({"value": 9, "next": None})


def m_156(head, new):
    head.value = 1
    head.next = new({"value": 9, "next": None})


def m_157(s):
    s[0] = ord("X")


def m_157_b(p, new):
    p.name = new("abcd")


def m_162(head, new):
    assert head() == {"value": 0, "next": None}
    head.next = new({"value": 9, "next": None})


def m_164(new, head):
    head.next.next = new({"value": 9, "next": None})


def m_166(head):
    head.next = None


def m_173(n):
    n[0] = 5


def m_174(a):
    a[2] = 7


def m_175(n, a):
    n[0] = 2
    a[1] = 7


def m_177(a):
    a[0] = 7


def m_181(p):
    p.r[0] = 2


def m_184(p, new):
    p.left = new({"value": 9, "left": None, "right": None})


def m_191(n):
    n[0] = 1


def m_191_b(p, new):
    p.n = 3
    p.a = new([1, 2, 3])


def m_194(n, p, new):
    n[0] = 3
    p[0] = new([1, 2, 3])


def m_201(new, n):
    return new({"value": n, "next": None})


def m_204(p):
    p[0] = None


def m_209(root):
    root.left = None


def m_205(p):
    p.left = None


def m_225(p):
    p.left = None
    p.right = None


def m_211(n):
    n[0] = 2


@pytest.mark.parametrize(
    "row",
    [
        fact(
            "M-154 M-183 M-164 M-223 M-244",
            LIST,
            {"head": linked(1)},
            m_154,
            client_sizes=[16],
            client_after={
                "head": {"$label": "head", "$value": {"next": {"$new": True, "$value": {"value": 9}}}}
            },
        ),
        fact(
            "M-155 M-227",
            LIST,
            {"head": linked(2)},
            m_154,
            client_sizes=[],
            client_after={
                "head": {"$value": {"next": {"$label": OLD, "$value": {"value": 9}}}, "$label": "head"}
            },
            orphaned=[],
        ),
        fact(
            "M-156",
            NODE + "void f([out] node *head);",
            {"head": linked(2)},
            m_156,
            client_sizes=[],
            client_after={
                "head": {"$value": {"next": {"$label": OLD, "$value": {"value": 9}}}, "$label": "head"}
            },
        ),
        fact(
            "M-157 M-158 M-192",
            "void f([in, out, string] char *s);",
            {"s": "abc"},
            m_157,
            values={"s": "Xbc"},
            client_sizes=[],
        ),
        fact(
            "M-157 M-158 M-192 M-227",
            NAMED + "void f([in, out] named *p);",
            {"p": {"n": 1, "name": "abc"}},
            m_157_b,
            status="RPC_X_BAD_STUB_DATA",
            rule="mccp-rejects-larger",
        ),
        fact(
            "M-160 M-161 M-238 M-239",
            LIST.replace("in, out", "in"),
            {"head": linked(2)},
            server_sees={"head": linked(2)},
            server_allocations=2,
            client_sizes=[],
        ),
        fact(
            "M-162 M-163 M-240 M-241",
            LIST.replace("in, out", "out"),
            {},
            m_162,
            sizes=[16],
            client_sizes=[16],
            server_frees=1,
        ),
        fact(
            "M-164 M-165",
            LIST,
            {"head": linked(2)},
            m_164,
            client_sizes=[16],
            sizes=[16] * 3,
        ),
        fact(
            "M-166 M-167 M-203",
            LIST,
            {"head": linked(3)},
            m_166,
            client_frees=0,
            orphaned=[OLD, OLD + ".next"],
        ),
        fact(
            "M-170 M-171",
            "void f([in] long n, [in, length_is(n)] short a[6]);",
            {"n": 2, "a": [1, 2, 3, 4, 5, 6]},
            request="02000000 00000000 02000000 01000200",
            response="",
            server_sees={"a": {"$allocated": 6, "$elements": [1, 2]}},
        ),
        fact(
            "M-173",
            "void f([in, out] short *n, [in, length_is(*n)] short a[6]);",
            {"n": 2, "a": [1, 2, 3, 4, 5, 6]},
            m_173,
            request="0200 0000 00000000 02000000 0100 0200",
            response="0500",
        ),
        fact(
            "M-174",
            "void f([in] long n, [out, length_is(n)] short a[6]);",
            {"n": 3, "a": [9] * 6},
            m_174,
            request="03000000",
            response="00000000 03000000 00000000 0700",
            sizes=[12],
            values={"n": 3, "a": {"$allocated": 6, "$elements": [0, 0, 7]}},
        ),
        fact(
            "M-175",
            "void f([out] short *n, [out, length_is(*n)] short a[6]);",
            {},
            m_175,
            request="",
            response="0200 0000 00000000 02000000 0000 0700",
            sizes=[12],
        ),
        fact(
            "M-176",
            "void f([in, out] short *n, [out, length_is(*n)] short a[6]);",
            {"n": 1},
            m_175,
            request="0100",
            response="0200 0000 00000000 02000000 0000 0700",
        ),
        fact(
            "M-177",
            "void f([in] short n, [in, out, length_is(n)] short a[6]);",
            {"n": 1, "a": [1, 2, 3, 4, 5, 6]},
            m_177,
            request="0100 0000 00000000 01000000 0100",
            response="00000000 01000000 0700",
            values={"n": 1, "a": {"$allocated": 6, "$elements": [7]}},
        ),
        fact(
            "M-179",
            "void f([in, out] short *n, [in, out, length_is(*n)] short a[6]);",
            {"n": 1, "a": [1, 2, 3, 4, 5, 6]},
            m_175,
            request="0100 0000 00000000 01000000 0100",
            response="0200 0000 00000000 02000000 0100 0700",
        ),
        fact(
            "M-181 M-226 M-242 M-243",
            "typedef struct { [ref] long *r; } s;\nvoid f([in, out] s *p);",
            {"p": {"r": 1}},
            m_181,
            client_sizes=[],
            client_after={"p": {"$label": "p", "$value": {"r": {"$label": "p.r", "$value": 2}}}},
        ),
        fact(
            "M-184 M-246",
            TREE.replace("struct node *left", "[ptr] struct node *left") + "void f([in, out] node *p);",
            {"p": LEAF},
            m_184,
            client_sizes=[24],
        ),
        fact(
            "M-187",
            "typedef struct { [ref] long *r; } s;\nvoid f([out] s *p);",
            {},
            status="RPC_X_NULL_REF_POINTER",
        ),
        fact(
            "M-191",
            "void f([in, out] long *n, [out, size_is(*n)] long *a);",
            {"n": 2, "a": [0, 0]},
            m_191,
            values={"n": 1, "a": [0]},
        ),
        fact(
            "M-191",
            "typedef struct { long n; [size_is(n)] long *a; } s;\nvoid f([in, out] s *p);",
            {"p": {"n": 2, "a": [1, 2]}},
            m_191_b,
            status="RPC_X_BAD_STUB_DATA",
            rule="mccp-rejects-larger",
        ),
        fact(
            "M-194",
            "void f([out] long *n, [out, size_is(, *n)] long **p);",
            {},
            m_194,
            client_sizes=[12],
            values={"n": 3, "p": [1, 2, 3]},
        ),
        fact(
            "M-195",
            "void f([in] long n, [in, unique, size_is(n)] long *a);",
            {"n": 1, "a": None},
            status="RPC_X_BAD_STUB_DATA",
            rule="null-needs-zero-size",
            sent=False,
        ),
        fact(
            "M-195",
            "void f([in] long n, [in, unique, size_is(n)] long *a);",
            {"n": 0, "a": None},
            request="00000000" * 2,
        ),
        fact(
            "M-196",
            "void f([in] long n, [in, unique, size_is(n)] long *a);",
            {"n": 0, "a": []},
            request="00000000 00000200 00000000",
            server_sees={"n": 0, "a": []},
        ),
        fact(
            "M-201 M-221 M-203",
            NODE + "node *f([in] long n);",
            {"n": 4},
            m_201,
            client_sizes=[16],
            client_after={"return": {"$new": True, "$value": {"value": 4, "next": None}}},
            client_frees=0,
            server_leaked=0,
        ),
        # orphans
        fact(
            "M-204 M-208 M-215 M-224 M-183",
            LIST,
            {"head": linked(2)},
            m_166,
            orphaned=[OLD],
            client_frees=0,
            values={"head": linked(1)},
        ),
        fact(
            "M-204 M-224",
            "void f([in, out] long **p);",
            {"p": 3},
            m_204,
            orphaned=["*p"],
            values={"p": None},
        ),
        fact(
            "M-209",
            TREE + "void f([in, out] node *root);",
            {"root": BRANCH},
            m_209,
            orphaned=["root.left", "root.left.left"],
        ),
        fact(
            "M-205 M-225",
            FULL_TREE + "void f([in, out] node *p);",
            {"p": {"value": 1, "left": {"$label": "shared", "$value": LEAF}, "right": {"$alias": "shared"}}},
            m_205,
            orphaned=[],
        ),
        fact(
            "M-225",
            FULL_TREE + "void f([in, out] node *p);",
            {"p": {"value": 1, "left": {"$label": "shared", "$value": LEAF}, "right": {"$alias": "shared"}}},
            m_225,
            orphaned=["shared"],
        ),
        fact(
            "M-211 M-212 M-213 M-214",
            POINTERS,
            {"n": 3, "a": [1, 2, 3]},
            m_191,
            orphaned=["a[1]", "a[2]"],
            client_frees=0,
            server_allocations=1,
            values={"n": 1, "a": [1]},
        ),
        fact(
            "M-211 M-212",
            NODE + "void f([in, out] long *n, [in, out, size_is(3), length_is(*n)] node **a);",
            {"n": 3, "a": [linked(1), linked(1), linked(1)]},
            m_211,
            orphaned=["a[2]"],
            server_allocations=4,
            server_leaked=1,
        ),
        # the summary: what size attributes do
        fact(
            "M-232 M-233",
            "void f([in] long n, [out, size_is(n)] long *a);",
            {"n": 5},
            client_sizes=[],
            sizes=[20],
            rules=["server-zeroes-out"],
        ),
        fact(
            "M-233",
            "void f([in] long m, [in, max_is(m), length_is(1)] short *a);",
            {"m": 5, "a": [1, 0, 0, 0, 0, 0]},
            sizes=[12],
        ),
        fact("M-220", "void f([in, ref] long *p);", {"p": None}, status="RPC_X_NULL_REF_POINTER", sent=False),
        fact(
            "M-245 M-247",
            "void f([in, out, unique] long *p, [in, out, ptr] long *q);",
            {"p": 1, "q": 2},
            sizes=[],
        ),
    ],
)
def test_ownership(row: Fact) -> None:
    prove(row)


@proving("M-219")
def test_second_reference_saves_an_orphan() -> None:
    session = open_session(LIST, lambda call, head: setattr(head, "next", None))
    lost = session.call("f", head=linked(2))
    assert Audit(lost).orphaned == [OLD]
    saved = open_session(
        LIST.replace("node *head", "node *head, [in] node *also"),
        lambda call, head, also: setattr(head, "next", None),
    )
    value = {"value": 0, "next": {"$label": "kept", "$value": linked(1)}}
    call = saved.call(first(saved), head=value, also={"$alias": "kept"})
    assert Audit(call).orphaned == []


@proving("M-197")
def test_null_check_can_be_switched_off() -> None:
    body = "void f([in] long n, [in, unique, size_is(n), disable_consistency_check] long *a);"
    call = open_session(body).call("f", n=3, a=None)
    assert call.request.hex() == "0300000000000000"


@proving("M-166 M-167")
def test_client_stub_frees_nothing_even_when_it_fails() -> None:
    session = open_session(NODE + "node *f([in] long n);", lambda call, n: linked(3), client_fail_after=2)
    call = session.try_call("f", {"n": 1})
    audit = Audit(call)
    assert (call.status, audit.client_allocations, audit.client_frees, audit.server_leaked) == (14, 3, 0, 0)
