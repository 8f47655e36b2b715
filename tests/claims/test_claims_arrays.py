"""Claims about arrays and strings."""

from __future__ import annotations

import pytest

from rpcmemkit import Audit
from tests.claims.table import Fact, fact, prove, proving
from tests.engine.helpers import open_session

SIX = [1, 2, 3, 4, 5, 6]
FIRST_LAST = "void f([in] long first, [in] long last, [in, first_is(first), last_is(last)] short a[6]);"
REFS = "typedef [ref] short *R;\n"


def partly(size: int, *elements: object) -> dict[str, object]:
    return {"$allocated": size, "$elements": list(elements)}


def counted(first: int, length: int, *elements: int) -> str:
    """Offset, actual count and the elements of a varying array of short."""
    numbers = [(first, 4), (length, 4), *((each, 2) for each in elements)]
    return "".join(number.to_bytes(size, "little").hex() for number, size in numbers)


def m_316(a):
    a[1] = 9


def m_318(a):
    assert [a[i] for i in range(6)] == [1, 2, 0, 0, 0, 0]
    a[0] = 9
    a[5] = 9


def m_321(n):
    n[0] = 100


def m_350(call, a):
    call.operations.assign(a._target()._replace(plan=a._target().plan.element), 0)


def m_352(a, new):
    a[0][0] = 7
    a[1] = new(8)
    a[2] = None


def m_367(pLength, a):
    pLength[0] = 2
    a[0] = 1
    a[1] = 2


def m_368(n, a):
    n[0] = 4
    a[3] = 9


def m_387(n):
    n[0] = 7


def m_370(a):
    a[1] = 5


@pytest.mark.parametrize(
    "row",
    [
        fact(
            "M-316",
            "void f([in, out] short a[3]);",
            {"a": {"$label": "mine", "$value": [1, 2, 3]}},
            m_316,
            request="010002000300",
            response="010009000300",
            client_sizes=[],
            client_after={"a": {"$label": "mine", "$value": [1, 9, 3]}},
        ),
        fact(
            "M-317",
            "void f([in] long first, [in] long n, [in, first_is(first), length_is(n)] byte a[200]);",
            {"first": 20, "n": 100, "a": bytes(range(200))},
            request="14000000 64000000 14000000 64000000" + bytes(range(20, 120)).hex(),
            sizes=[200],
        ),
        fact(
            "M-318",
            "void f([in] long n, [in, out, length_is(n)] short a[6]);",
            {"n": 2, "a": SIX},
            m_318,
            client_after={"a": {"$label": "a", "$value": partly(6, 9, 2, 3, 4, 5, 6)}},
        ),
        *(
            fact(
                "M-319",
                "void f([in] long n, [in, size_is(n)] short a[]);",
                {"n": size, "a": SIX[:size]},
                request=(size.to_bytes(4, "little") * 2).hex()
                + "".join(f"{each:02x}00" for each in SIX[:size]),
            )
            for size in (0, 1, 6)
        ),
        fact(
            "M-321",
            "void f([in, out] long *n, [in, size_is(*n)] byte *a);",
            {"n": 2, "a": b"ab"},
            m_321,
            values={"n": 100, "a": {"$hex": "6162"}},
        ),
        fact(
            "M-322 M-326",
            "void f([in] long n, [in, size_is(2), length_is(n)] short *a);",
            {"n": 3, "a": [1, 2]},
            status=1734,
            rule="length-within-size",
            sent=False,
        ),
        fact(
            "M-326",
            FIRST_LAST,
            {"first": 2, "last": 4, "a": SIX},
            request="02000000 04000000" + counted(2, 3, 3, 4, 5),
        ),
        fact(
            "M-323",
            "void f([in] long first, [in, first_is(first), length_is(2)] short a[6]);",
            {"first": -4, "a": SIX},
            request="fcffffff" + counted(0, 2, 1, 2),
        ),
        fact(
            "M-323",
            "void f([in] long n, [in, length_is(n)] short a[6]);",
            {"n": 1, "a": SIX},
            request="01000000" + counted(0, 1, 1),
        ),
        fact(
            "M-324",
            FIRST_LAST,
            {"first": 0, "last": -3, "a": SIX},
            request="00000000 fdffffff" + counted(0, 0),
        ),
        fact(
            "M-324",
            FIRST_LAST,
            {"first": 0, "last": 0, "a": SIX},
            request="00000000 00000000" + counted(0, 1, 1),
        ),
        fact(
            "M-325",
            FIRST_LAST,
            {"first": 4, "last": 2, "a": SIX},
            request="04000000 02000000" + counted(4, 0),
        ),
        fact(
            "M-323",
            FIRST_LAST,
            {"first": -4, "last": 1, "a": SIX},
            request="fcffffff 01000000" + counted(0, 2, 1, 2),
        ),
        fact(
            "M-326",
            "void f([in] long m, [in, max_is(m)] short *a);",
            {"m": 1, "a": [1, 2]},
            request="01000000 02000000 01000200",
        ),
        fact(
            "M-327",
            "void f([in] long n, [in, size_is(n)] short *a);",
            {"n": -1, "a": []},
            status=1734,
            sent=False,
        ),
        fact(
            "M-327",
            "void f([in] long n, [in, length_is(n)] short a[6]);",
            {"n": -1, "a": SIX},
            status=1734,
            sent=False,
        ),
        fact(
            "M-337 M-339",
            "void f([in] long n, [in, size_is(n)] char *p);",
            {"n": 2, "p": "ab"},
            request="02000000 02000000 6162",
        ),
        fact(
            "M-337",
            "void f([in] long n, [in, size_is(n)] char p[]);",
            {"n": 2, "p": "ab"},
            request="02000000 02000000 6162",
        ),
        fact(
            "M-340",
            "void f([in, size_is( , 2)] short **pp);",
            {"pp": [1, 2]},
            request="00000200 02000000 01000200",
            server_sees={"pp": [1, 2]},
        ),
        fact(
            "M-341",
            "void f([in, size_is(2, )] short **pp);",
            {"pp": [1, 2]},
            request="02000000 00000200 04000200 0100 0200",
        ),
        fact(
            "M-342",
            "void f([in] long m, [in] long n, [in, size_is(m, n)] short **pp);",
            {"m": 2, "n": 1, "pp": [[1], [2]]},
            request="02000000 01000000 02000000 00000200 04000200 01000000 0100 0000 01000000 0200",
        ),
        fact(
            "M-344",
            "void f([in] long m, [in, size_is(m)] short b[][2]);",
            {"m": 2, "b": [[1, 2], [3, 4]]},
            request="02000000 02000000 0100020003000400",
        ),
        fact("M-349", REFS + "void f([in] R a[2]);", {"a": [1, None]}, status=1780, sent=False),
        fact(
            "M-350",
            REFS + "void f([in, out] R a[2]);",
            {"a": [1, 2]},
            m_350,
            status=1780,
        ),
        fact(
            "M-352",
            "void f([in, out, size_is(3)] short **a);",
            {"a": [1, None, 3]},
            m_352,
            client_sizes=[2],
            orphaned=["a[2]"],
            client_after={
                "a": {
                    "$label": "a",
                    "$value": [{"$label": "a[0]", "$value": 7}, {"$new": True, "$value": 8}, None],
                }
            },
        ),
        fact("M-359", "void f([in, range(1, 3)] long n);", {"n": 4}, status=1734, sent=True, entered=False),
        fact("M-360", "void f([in, range(1, 3)] long n);", {"n": 3}, request="03000000"),
        fact(
            "M-362",
            "void f([in] long n, [in, size_is(n), range(0, 2)] short *a);",
            {"n": 3, "a": [1, 2, 3]},
            status=1734,
            entered=False,
        ),
        fact(
            "M-365",
            "void f([in, size_is(n)] short *a, [in] long n);",
            {"n": 2, "a": [1, 2]},
            request="02000000 01000200 02000000",
        ),
        fact(
            "M-366",
            "void f([in] long size, [in] long n, [in, size_is(size), length_is(n)] short *a);",
            {"size": 100, "n": 2, "a": partly(100, 1, 2)},
            request="64000000 02000000 64000000" + counted(0, 2, 1, 2),
            sizes=[200],
        ),
        fact(
            "M-367",
            "void f([in] long lSize, [out] long *pLength, [out, size_is(lSize), length_is(*pLength)] short *a);",
            {"lSize": 5},
            m_367,
            request="05000000",
            response="02000000 05000000" + counted(0, 2, 1, 2),
            sizes=[10],
        ),
        fact(
            "M-368 M-387 M-388",
            "void f([in, out] long *n, [in, out, size_is(6), length_is(*n)] short *a);",
            {"n": 2, "a": SIX},
            m_368,
            client_sizes=[],
            values={"n": 4, "a": partly(6, 1, 2, 0, 9)},
        ),
        fact(
            "M-387",
            "void f([in, out] long *n, [in, out, size_is(6), length_is(*n)] short *a);",
            {"n": 2, "a": SIX},
            m_387,
            status=1734,
        ),
        fact(
            "M-370 M-389",
            "void f([in] long n, [out, size_is(n)] short *a);",
            {"n": 2, "a": {"$label": "mine", "$value": [7, 7]}},
            m_370,
            client_sizes=[],
            client_after={"a": {"$label": "mine", "$value": [0, 5]}},
        ),
    ],
)
def test_arrays(row: Fact) -> None:
    prove(row)


ROOM = "void f([in, out, string, size_is(10)] char *s);"


def m_376(s):
    for i, c in enumerate(b"hello"):
        s[i] = c


def m_385(s):
    s[0] = ord("x")


def m_386(ppStr, new):
    ppStr[0] = new("made")


def m_391(p, new):
    p.s = new("new")


def m_392(new):
    return new("made")


@pytest.mark.parametrize(
    "row",
    [
        fact(
            "M-371 M-373",
            "void f([in, string] wchar_t *s);",
            {"s": "ab"},
            request="03000000 00000000 03000000 610062000000",
        ),
        fact(
            "M-371",
            "void f([in, string] char *s);",
            {"s": "ab\0cd"},
            request="03000000 00000000 03000000 616200",
        ),
        fact(
            "M-372",
            "void f([in, string] char *s, [in, string, size_is(4)] char *t);",
            {"s": "abc", "t": "abc"},
            sizes=[4],
            server_storage={"s": "buffer", "t": "allocated"},
        ),
        fact(
            "M-376 M-377 M-383 M-390",
            "void f([out, string, size_is(6)] char *s);",
            {"s": {"$label": "mine", "$value": partly(6)}},
            m_376,
            sizes=[6],
            server_frees=1,
            client_sizes=[],
            response="06000000 00000000 06000000 68656c6c6f00",
            client_after={"s": {"$label": "mine", "$value": "hello"}},
        ),
        fact(
            "M-383",
            "void f([in, string, size_is(2)] char *s);",
            {"s": {"$allocated": 2, "$elements": ["a", "b"]}},
            status=1734,
            sent=False,
        ),
        fact(
            "M-378",
            ROOM,
            {"s": {"$allocated": 10, "$elements": "ab"}},
            m_376,
            sizes=[10],
            request="0a000000 00000000 03000000 616200",
            response="0a000000 00000000 06000000 68656c6c6f00",
            values={"s": "hello"},
        ),
        fact(
            "M-385",
            "void f([in] long lSize, [out, size_is(lSize), string] wchar_t *s);",
            {"lSize": 4},
            m_385,
            sizes=[8],
            response="04000000 00000000 02000000 78000000",
            values={"lSize": 4, "s": "x"},
        ),
        fact(
            "M-386",
            "typedef [string] wchar_t *LPWSTR;\nvoid f([out] LPWSTR *ppStr);",
            {},
            m_386,
            client_sizes=[10],
            values={"ppStr": "made"},
        ),
        fact(
            "M-391",
            "typedef struct { [unique, string] char *s; } t;\nvoid f([in, out] t *p);",
            {"p": {"s": None}},
            m_391,
            sizes=[8, 4],
            client_sizes=[4],
            server_frees=2,
        ),
        fact(
            "M-392",
            "[string] char *f([in] long n);",
            {"n": 1},
            m_392,
            client_sizes=[5],
            values={"n": 1, "return": "made"},
        ),
    ],
)
def test_strings(row: Fact) -> None:
    prove(row)


@proving("M-384")
@pytest.mark.parametrize("data", ["02000000 00000000 02000000 6162", "02000000 00000000 00000000"])
def test_string_without_terminator_is_rejected(data: str) -> None:
    session = open_session("void f([in, string] char *s);", lambda call, s: pytest.fail("called"))
    assert session.server_stub.dispatch(0, bytes.fromhex(data)).status == 1783


@proving("M-365")
def test_sizes_that_disagree_are_rejected() -> None:
    session = open_session(
        "void f([in, size_is(n)] short *a, [in] long n);", lambda call, a, n: pytest.fail("called")
    )
    assert session.server_stub.dispatch(0, bytes.fromhex("02000000 01000200 03000000")).status == 1783


@proving("M-192 M-373")
def test_string_may_shrink_but_not_grow() -> None:
    body = "typedef struct { [string] char *s; } t;\nvoid f([in, out] t *p);"
    for made, status in (("ab", 0), ("abc", 0), ("abcd", 1783)):
        session = open_session(body, lambda call, p, made=made: setattr(p, "s", call.new(made)))
        call = session.try_call("f", {"p": {"s": "abc"}})
        assert (call.status, Audit(call).client_allocations) == (status, 0)
