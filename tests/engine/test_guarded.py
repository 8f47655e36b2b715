"""Sizes behind pointers that may be null, members that nobody sends, and what is too wide for one conversion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.helpers import open_session

GUARDED = """\
long Query([in, out, unique, size_is(cb ? *cb : 0), length_is(used ? *used : 0)] byte *data,
           [in, out, unique] unsigned long *cb, [in, out, unique] unsigned long *used);
"""


@pytest.mark.parametrize("syntax", ["ndr20", "ndr64"])
@pytest.mark.parametrize(
    ("data", "size", "seen"),
    [(None, None, []), ([], None, [0]), ([1, 2, 3], 3, [3]), ([0] * 4, 4, [4])],
)
def test_a_size_asks_before_it_reads(data: Any, size: int | None, seen: list[int], syntax: str) -> None:
    counted: list[int] = []

    def query(call: Any, data: Any, cb: Any, used: Any) -> int:
        if data is not None:
            counted.append(len(data))
        return 0

    session = open_session(GUARDED, query, transfer_syntax=syntax)
    call = session.try_call("Query", {"data": data, "cb": size, "used": size})
    assert call.status == 0
    assert counted == seen


@pytest.mark.parametrize("test", ["n", "n != 0", "!(n == NULL)", "n && *n > 0", "!(!n || *n < 1)"])
def test_conditions_stop_where_c_stops(test: str) -> None:
    counted: list[int] = []
    body = f"void f([in, unique] long *n, [in, unique, size_is({test} ? *n : 1)] long *a);"
    session = open_session(body, lambda call, n, a: counted.append(len(a)))
    for size in (2, None):
        assert session.try_call("f", {"n": size, "a": [7] * (size or 1)}).status == 0
    assert counted == [2, 1]


@pytest.mark.parametrize("member", ["void *cookie", "void (*cookie)(void)"])
@pytest.mark.parametrize("size", [4, 8])
def test_an_ignored_pointer_may_point_to_anything(member: str, size: int) -> None:
    seen = []
    sizes = {"client_pointer_size": size, "server_pointer_size": size}
    session = open_session(
        f"typedef struct {{ [ignore] {member}; long x; }} S; long f([in, out] S *s);",
        lambda call, s: seen.append((s.cookie, s.x)) or 0,
        **sizes,
    )
    call = session.try_call("f", {"s": {"cookie": None, "x": 5}})
    assert (call.status, seen) == (0, [(None, 5)])


def _tree(depth: int, last: Any, other: Any) -> Any:
    if depth == 0:
        return last
    return {"a": _tree(depth - 1, other, other), "b": _tree(depth - 1, last, other)}


@pytest.mark.parametrize("leaf", ["byte c;", "byte c; hyper d;", "long *c;"])
@pytest.mark.parametrize("syntax", ["ndr20", "ndr64"])
def test_what_is_too_wide_for_one_conversion_travels_in_parts(leaf: str, syntax: str) -> None:
    """8,192 leaves in a tree of structures: more than one conversion takes."""
    types = f"typedef struct {{ {leaf} }} t0;\n"
    types += "".join(f"typedef struct {{ t{n} a; t{n} b; }} t{n + 1};\n" for n in range(13))
    seen = []

    def f(call: Any, p: Any, n: int) -> None:
        for _ in range(13):
            p = p.b
        seen.append((p.c if "*" not in leaf else p.c is not None, n))

    session = open_session(f"{types} void f([in] t13 *p, [in] long n);", f, transfer_syntax=syntax)
    last, other = (
        ({"c": 77, "d": 1}, {"c": 0, "d": 0})
        if "d" in leaf
        else ({"c": 77}, {"c": None if "*" in leaf else 0})
    )
    call = session.try_call("f", {"p": _tree(13, last, other), "n": 9})
    assert call.status == 0
    assert seen == [(True if "*" in leaf else 77, 9)]
    data = {
        "byte c;": 8192,
        "byte c; hyper d;": 8192 * 16,
        "long *c;": 8192 * (8 if syntax == "ndr64" else 4) + 4,
    }
    assert len(call.request) == data[leaf] + 4
