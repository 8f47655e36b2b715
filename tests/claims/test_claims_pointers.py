"""Claims about the three kinds of pointers, errors, and how pointers look on the wire."""

from __future__ import annotations

import pytest

from rpcmemkit import Audit
from tests.claims.table import NODE, Fact, fact, prove, proving
from tests.engine.helpers import linked, open_session

LIST = NODE + "void f([in, out] node *head);"
RING = "typedef struct ring { long value; [ptr] struct ring *next; } ring;\n"
RING_OF_2 = {
    "$label": "A",
    "$value": {"value": 1, "next": {"$label": "B", "$value": {"value": 2, "next": {"$alias": "A"}}}},
}
TWO = "typedef struct { [ptr] long *a; [ptr] long *b; } two;\nvoid f([in, out] two *p);"
BAR = "typedef struct { long n; } BAR;\nvoid f([out] long *pSize, [out, size_is(, *pSize)] BAR **ppBar);"
SWAP = "void f([in, out, ptr] long **a, [in, out, ptr] long **b);"


@pytest.mark.parametrize(
    "row",
    [
        # reference pointers
        fact("M-248 M-468", "void f([in] long *p);", {"p": None}, status=1780, rule="ref-never-null", sent=False),
        fact("M-248 M-468", "void f([out] long *p);", {"p": None}, status=1780, rule="ref-never-null", sent=False),
        fact(
            "M-249 M-250",
            "void f([in, out] long *p);",
            {"p": {"$label": "L", "$value": 1}},
            "p[0] = 2",
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
        fact("M-253", "void f([in, unique] long *p);", {"p": None}, request="00000000", server_storage={"p": None}),
        fact("M-285", NODE + "void f([in] node *head);", {"head": linked(1)}, request="00000000 00000000"),
        fact("M-285", RING + "void f([in] ring *p);", {"p": linked(1)}, request="00000000 00000000"),
        fact(
            "M-254 M-261",
            LIST,
            {"head": linked(1)},
            "head.next = new({'value': 1, 'next': None})",
            client_sizes=[16],
            server_frees=2,
        ),
        fact("M-255", LIST, {"head": linked(2)}, "head.next = None", orphaned=["head.next"], client_frees=0),
        fact(
            "M-256",
            LIST,
            {"head": linked(2)},
            "head.next = new({'value': 70, 'next': None})",
            client_sizes=[],
            client_after={"head": {"$label": "head", "$value": {"next": {"$label": "head.next", "$value": {"value": 70}}}}},
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
        fact("M-262", "void f([in, out, ptr] long **p);", {"p": None}, "p[0] = new(4)", request="00000000", values={"p": 4}),
        fact("M-262", "void f([in, out, ptr] long **p);", {"p": 3}, "p[0] = None", values={"p": None}),
        fact(
            "M-263",
            RING + "void f([in, out] ring *p);",
            {"p": linked(1)},
            "p.next = new({'value': 1, 'next': None})",
            client_sizes=[16],
            client_frees=0,
        ),
        fact("M-264", RING + "void f([in, out] ring *p);", {"p": linked(2)}, "p.next = None", orphaned=["p.next"], client_frees=0),
        fact(
            "M-265 M-480 M-488",
            "void f([in, ptr] long *a, [in, ptr] long *b);",
            {"a": {"$label": "L", "$value": 5}, "b": {"$alias": "L"}},
            "a[0] = 6; assert b[0] == 6",
            request="01000000 05000000 01000000",
            server_sees={"a": {"$label": "x", "$value": 5}, "b": {"$alias": "x"}},
        ),
        fact(
            "M-266",
            RING + "void f([in, out] ring *p);",
            {"p": RING_OF_2},
            "p.next.next.value = 10",
            request="01000000 01000000 02000000 02000000 01000000 02000000",
            server_allocations=3,
            client_allocations=0,
        ),
        fact(
            "M-266",
            RING + "void f([in, ptr] ring *p);",
            {"p": RING_OF_2},
            "assert p.next.next == p",
            request="01000000 01000000 02000000 02000000 01000000",
            server_allocations=2,
            server_frees=2,
        ),
        fact(
            "M-267",
            RING + "void f([in, out] ring *p);",
            {"p": linked(2)},
            "p.next.value = 9",
            client_sizes=[],
            client_after={"p": {"$label": "p", "$value": {"next": {"$label": "p.next", "$value": {"value": 9}}}}},
        ),
        fact(
            "M-271",
            "typedef struct { [ptr] long *x; } box;\nvoid f([in, unique] box *a, [in] box *b);",
            {"a": {"x": {"$label": "L", "$value": 5}}, "b": {"x": {"$alias": "L"}}},
            "a.x[0] = 6; assert b.x[0] == 6",
            request="00000200 01000000 05000000 01000000",
        ),
        fact(
            "M-272",
            TWO,
            {"p": {"a": None, "b": None}},
            "p.a = new(7); p.b = p.a",
            client_sizes=[4],
            client_after={
                "p": {"$label": "p", "$value": {"a": {"$new": True, "$label": "n", "$value": 7}, "b": {"$alias": "n"}}}
            },
        ),
        fact(
            "M-310 M-311",
            SWAP.replace(", ptr]", "]").replace("long **", "L "),
            {"a": 1, "b": 2},
            "keep = a[0]",
        )
        if False
        else fact(
            "M-310",
            TWO,
            {"p": {"a": {"$label": "one", "$value": 1}, "b": {"$label": "two", "$value": 2}}},
            "call.operations.program.space.write(p._place.address, b'') ; p.a = new(2); p.b = new(1)",
            client_sizes=[],
            client_after={
                "p": {"$label": "p", "$value": {"a": {"$label": "one", "$value": 2}, "b": {"$label": "two", "$value": 1}}}
            },
        ),
    ],
)
def test_pointers(row: Fact) -> None:
    prove(row)
