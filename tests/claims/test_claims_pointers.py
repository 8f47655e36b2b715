"""Claims about the three kinds of pointers, errors, and how pointers look on the wire."""

from __future__ import annotations

import pytest

from tests.claims.table import NODE, Fact, fact, prove
from tests.engine.helpers import linked

LIST = NODE + "void f([in, out] node *head);"
RING = "typedef struct ring { long value; [ptr] struct ring *next; } ring;\n"
RING_OF_2 = {
    "$label": "A",
    "$value": {"value": 1, "next": {"$label": "B", "$value": {"value": 2, "next": {"$alias": "A"}}}},
}
TWO = "typedef struct { [ptr] long *a; [ptr] long *b; } two;\nvoid f([in, out] two *p);"
BAR = "typedef struct { long n; } BAR;\nvoid f([out] long *pSize, [out, size_is(, *pSize)] BAR **ppBar);"
FULL = "typedef [ptr] long *PL;\nvoid f([in, out] PL *p);"


def named(label: str, value: object) -> dict[str, object]:
    return {"$label": label, "$value": value}


TWO_LONGS = {"p": {"a": named("one", 1), "b": named("two", 2)}}


def m_249(p):
    p[0] = 2


def m_254(head, new):
    head.next = new({"value": 1, "next": None})


def m_255(head):
    head.next = None


def m_256(head, new):
    head.next = new({"value": 70, "next": None})


def m_262(p, new):
    p[0] = new(4)


def m_262_b(p):
    p[0] = None


def m_263(p, new):
    p.next = new({"value": 1, "next": None})


def m_264(p):
    p.next = None


def m_265(a, b):
    a[0] = 6
    assert b[0] == 6


def m_266(p):
    assert p.next.next == p


def m_267(p):
    p.next.value = 9


def m_271(a, b):
    a.x[0] = 6
    assert b.x[0] == 6


def m_272(p, new):
    p.a = new(7)
    p.b = p.a


def m_310(p):
    a = p.a
    p.a = p.b
    p.b = a


def m_311(p, new):
    p.a = new(5)


def m_293(ppBar, pSize):
    assert ppBar[0] is None
    assert pSize[0] == 0


def m_294(pSize, ppBar, new):
    pSize[0] = 2
    ppBar[0] = new([{"n": 1}, {"n": 2}])


def m_298(pp, p):
    pp[0] = None
    p = None


def m_298_b(pp, new, p):
    pp[0] = new(3)
    p = new(4)


def m_312(ps2, pf3, s1):
    s1 = 7
    ps2[0] = 8
    pf3[0] = 0.5


@pytest.mark.parametrize(
    "row",
    [
        # reference pointers
        fact(
            "M-248 M-468",
            "void f([in] long *p);",
            {"p": None},
            status=1780,
            rule="ref-never-null",
            sent=False,
        ),
        fact(
            "M-248 M-468",
            "void f([out] long *p);",
            {"p": None},
            status=1780,
            rule="ref-never-null",
            sent=False,
        ),
        fact(
            "M-249 M-250",
            "void f([in, out] long *p);",
            {"p": {"$label": "L", "$value": 1}},
            m_249,
            client_sizes=[],
            client_after={"p": {"$label": "L", "$value": 2}},
        ),
        fact(
            "M-284",
            "typedef struct { [ref] long *r; } s;\ntypedef struct { s *inner; } o;\nvoid f([in] o *p);",
            {"p": {"inner": {"r": None}}},
            status=1780,
            sent=False,
        ),
        # unique pointers
        fact(
            "M-253",
            "void f([in, unique] long *p);",
            {"p": None},
            request="00000000",
            server_storage={"p": None},
        ),
        fact("M-285", NODE + "void f([in] node *head);", {"head": linked(1)}, request="00000000 00000000"),
        fact("M-285", RING + "void f([in] ring *p);", {"p": linked(1)}, request="00000000 00000000"),
        fact(
            "M-254 M-261",
            LIST,
            {"head": linked(1)},
            m_254,
            client_sizes=[16],
            server_frees=2,
        ),
        fact("M-255", LIST, {"head": linked(2)}, m_255, orphaned=["head.next"], client_frees=0),
        fact(
            "M-256",
            LIST,
            {"head": linked(2)},
            m_256,
            client_sizes=[],
            client_after={
                "head": {
                    "$label": "head",
                    "$value": {"next": {"$label": "head.next", "$value": {"value": 70}}},
                }
            },
        ),
        fact(
            "M-257",
            "void f([in, unique] long *a, [in, unique] long *b);",
            {"a": {"$label": "L", "$value": 5}, "b": {"$alias": "L"}},
            server_sees={"a": 5, "b": 5},
            request="00000200 05000000 04000200 05000000",
        ),
        fact(
            "M-258",
            NODE + "void f([in] node *p);",
            {"p": {"$label": "A", "$value": {"value": 1, "next": {"$alias": "A"}}}},
            status="RPC_S_INTERNAL_ERROR",
            rule="unique-no-cycle",
            sent=False,
        ),
        # full pointers
        fact("M-262", FULL, {"p": named("v", None)}, m_262, request="00000000", values={"p": 4}),
        fact("M-262", FULL, {"p": 3}, m_262_b, request="01000000 03000000", values={"p": None}),
        fact(
            "M-263",
            RING + "void f([in, out] ring *p);",
            {"p": linked(1)},
            m_263,
            client_sizes=[16],
            client_frees=0,
        ),
        fact(
            "M-264",
            RING + "void f([in, out] ring *p);",
            {"p": linked(2)},
            m_264,
            orphaned=["p.next"],
            client_frees=0,
        ),
        fact(
            "M-265 M-480 M-488",
            "void f([in, ptr] long *a, [in, ptr] long *b);",
            {"a": {"$label": "L", "$value": 5}, "b": {"$alias": "L"}},
            m_265,
            request="01000000 05000000 01000000",
            server_sees={"a": {"$label": "x", "$value": 5}, "b": {"$alias": "x"}},
        ),
        fact(
            "M-266",
            RING + "void f([in, ptr] ring *p);",
            {"p": RING_OF_2},
            m_266,
            request="01000000 01000000 02000000 02000000 01000000",
            server_allocations=2,
            server_frees=2,
        ),
        fact(
            "M-267",
            RING + "void f([in, out] ring *p);",
            {"p": linked(2)},
            m_267,
            client_sizes=[],
            client_after={
                "p": {"$label": "p", "$value": {"next": {"$label": "p.next", "$value": {"value": 9}}}}
            },
        ),
        fact(
            "M-271",
            "typedef struct { [ptr] long *x; } box;\nvoid f([in, unique] box *a, [in] box *b);",
            {"a": {"x": {"$label": "L", "$value": 5}}, "b": {"x": {"$alias": "L"}}},
            m_271,
            request="00000200 01000000 05000000 01000000",
        ),
        fact(
            "M-272",
            TWO,
            {"p": {"a": None, "b": None}},
            m_272,
            client_sizes=[4],
            client_after={
                "p": {
                    "$label": "p",
                    "$value": {"a": {"$new": True, "$label": "n", "$value": 7}, "b": {"$alias": "n"}},
                }
            },
        ),
        fact(
            "M-310",
            TWO,
            TWO_LONGS,
            m_310,
            client_sizes=[],
            orphaned=[],
            client_after={"p": {"$label": "p", "$value": {"a": named("one", 2), "b": named("two", 1)}}},
        ),
        fact(
            "M-310",
            TWO,
            TWO_LONGS,
            m_310,
            env={"osf": True},
            client_sizes=[],
            orphaned=[],
            client_after={"p": {"$label": "p", "$value": {"a": named("two", 2), "b": named("one", 1)}}},
        ),
        fact(
            "M-311",
            TWO,
            {"p": {"a": 1, "b": None}},
            m_311,
            client_sizes=[],
            orphaned=[],
            client_after={"p": {"$label": "p", "$value": {"a": named("p.a", 5)}}},
        ),
        fact(
            "M-311",
            TWO,
            {"p": {"a": 1, "b": None}},
            m_311,
            env={"osf": True},
            client_sizes=[4],
            orphaned=["p.a"],
            client_after={"p": {"$label": "p", "$value": {"a": {"$new": True, "$value": 5}}}},
        ),
        # pointers to pointers
        fact("M-293", BAR, {}, m_293, values={"pSize": 0, "ppBar": None}),
        fact(
            "M-294 M-295 M-297 M-343",
            BAR,
            {},
            m_294,
            sizes=[8],
            client_sizes=[8],
            client_frees=0,
            values={"pSize": 2, "ppBar": [{"n": 1}, {"n": 2}]},
        ),
        fact(
            "M-298",
            "void f([in, out, unique] long *p, [in, out] long **pp);",
            {"p": 1, "pp": 2},
            m_298,
            values={"p": 1, "pp": None},
        ),
        fact(
            "M-298",
            "void f([in, out, unique] long *p, [in, out] long **pp);",
            {"p": None, "pp": named("v", None)},
            m_298_b,
            values={"p": None, "pp": 3},
        ),
        fact(
            "M-312 M-491",
            "void f([in] short s1, [in, out] short *ps2, [out] float *pf3);",
            {"s1": 1, "ps2": 2, "pf3": 3.0},
            m_312,
            request="0100 0200",
            response="0800 0000 0000003f",
            values={"s1": 1, "ps2": 8, "pf3": 0.5},
        ),
    ],
)
def test_pointers(row: Fact) -> None:
    prove(row)


def m_465(raise_):
    raise_(1234)


def m_466(n, m):
    n[0] = 5
    m[0] = 6
    return -1


def m_474(x):
    x[0] = 40000


def m_477(head, made, new, raise_):
    head.next = None
    made[0] = new({"value": 1, "next": None})
    raise_(5)


@pytest.mark.parametrize(
    "row",
    [
        fact("M-465", "void f([in] long n);", {"n": 1}, m_465, status=1234),
        fact(
            "M-466",
            "long f([out] long n[2], [in, out] long *m);",
            {"m": 1},
            m_466,
            response="05000000 00000000 06000000 ffffffff",
            server_frees=1,
            values={"n": [5, 0], "m": 6, "return": -1},
        ),
        fact(
            "M-474 M-492",
            "typedef enum { a, b } e;\nvoid f([in] e x, [in] e *y);",
            {"x": 32767, "y": 1},
            request="ff7f 0100",
            server_storage={"y": "stub"},
        ),
        fact("M-474", "typedef enum { a } e;\nvoid f([in] e x);", {"x": 32768}, status=1781, sent=False),
        fact("M-474", "typedef enum { a } e;\nvoid f([in] e x);", {"x": -1}, status=1781, sent=False),
        fact("M-474", "typedef enum { a } e;\nvoid f([out] e *x);", {}, m_474, status=1781),
        fact(
            "M-477",
            NODE + "void f([in, out] node *head, [out] node **made);",
            {"head": linked(2)},
            m_477,
            status=5,
            client_sizes=[],
            client_frees=0,
            values={"head": linked(2), "made": None},
        ),
    ],
)
def test_errors(row: Fact) -> None:
    prove(row)


@pytest.mark.parametrize(
    "row",
    [
        fact("M-478", "void f([in] long *p);", {"p": 5}, request="05000000"),
        fact("M-479", "void f([in, unique] long *p);", {"p": 5}, request="00000200 05000000"),
        fact("M-479", "void f([in, unique] long *p);", {"p": None}, request="00000000"),
        fact(
            "M-481 M-483",
            "typedef struct { [ref] short *r; short n; [unique] short *u; } s;\nvoid f([in] s *p);",
            {"p": {"r": 1, "n": 2, "u": 3}},
            request="00000200 0200 0000 04000200 0100 0300",
        ),
        fact(
            "M-482",
            "typedef [ref] short *R;\nvoid f([in] R p[3]);",
            {"p": [1, 2, 3]},
            request="0100 0200 0300",
        ),
        fact(
            "M-483 M-487",
            "typedef struct t { long n; struct t *a; } t;\nvoid f([in] t *p, [in, unique] t *q);",
            {"p": {"n": 1, "a": {"n": 2, "a": None}}, "q": {"n": 3, "a": None}},
            request="01000000 00000200 02000000 00000000 04000200 03000000 00000000",
        ),
        fact(
            "M-488",
            "void f([in, unique] long *a, [in, ptr] long *b, [in, unique] long *c, [in, ptr] long *d);",
            {"a": 1, "b": 2, "c": 3, "d": 4},
            request="00000200 01000000 01000000 02000000 04000200 03000000 02000000 04000000",
        ),
        fact(
            "M-489",
            "void f([in, size_is(4), length_is(1)] short *a, [in, unique] long *p, [in, string] char *s);",
            {"a": [1, 0, 0, 0], "p": 2, "s": "x"},
            env={"transfer_syntax": "ndr64"},
            request="0400000000000000 0000000000000000 0100000000000000 0100 000000000000"
            " 0000020000000000 02000000 00000000 0200000000000000 0000000000000000 0200000000000000 7800",
        ),
        fact(
            "M-484 M-485",
            "typedef struct { short n; [size_is(n), length_is(2)] short a[]; } s;\nvoid f([in] s *p);",
            {"p": {"n": 3, "a": [1, 2, 3]}},
            request="03000000 0300 0000 00000000 02000000 0100 0200",
        ),
        fact(
            "M-486", "void f([in, string] char *s);", {"s": "ab"}, request="03000000 00000000 03000000 616200"
        ),
    ],
)
def test_wire(row: Fact) -> None:
    prove(row)
