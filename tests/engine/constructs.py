"""One interface for every construct of the wire format, with a call that fills it and a routine that answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.engine.helpers import NODE, TREE


class Construct(NamedTuple):
    """The body of an interface, the arguments of its procedure, the routine, and the body of an ACF if there is one.

    ``only`` names the one dialect that has the construct: ``msrpc`` or ``dce``.
    """

    body: str
    arguments: dict[str, Any]
    routine: Callable[..., Any] | None = None
    acf: str | None = None
    only: str = ""


def _grow(call: Any, head: Any) -> None:
    while head.next is not None:
        head = head.next
    head.next = call.new({"value": 9, "next": None})


def _open_box(call: Any, box: Any) -> None:
    box.o = call.new({"size": 4, "length": 1, "items": {"$allocated": 4, "$elements": [6]}})
    box.n = 5
    box.text = call.new({"$allocated": 5, "$elements": "two"})
    box.some = call.new([1, 2, 3, 4, 5])
    box.items = call.new({"n": 3, "items": [1, None, 3]})


def _grow_ring(call: Any, ring: Any) -> None:
    if ring and ring.right is None:  # else the routine itself would lose what is there
        ring.right = call.new({"value": 3, "left": None, "right": None})


def _make(call: Any, made: Any, value: Any, count: Any = None) -> None:
    made[0] = call.new(value)
    if count is not None:
        count[0] = len(value)


CONSTRUCTS: dict[str, Construct] = {
    "base types": Construct(
        """long f([in] boolean a, [in] byte b, [in] char c, [in] wchar_t d, [in] small e, [in] unsigned short g,
            [in] hyper h, [in] float j, [in] double k, [in, out] hyper *x, [out] small *y, [out] double *z);""",
        {"a": True, "b": 1, "c": "c", "d": "d", "e": -5, "g": 6, "h": -7, "j": 0.5, "k": 1.5, "x": 8},
        lambda call, *rest: 5,
    ),
    "int3264": Construct(
        "void f([in] __int3264 a, [in, out] unsigned __int3264 *b, [in, size_is(n)] __int3264 *c, [in] short n);",
        {"a": -3, "b": 4, "c": [1, -2, 3], "n": 3},
    ),
    "enumerations": Construct(
        """typedef enum { red, green, blue } colour; typedef [v1_enum] enum { one = 1, many = 70000 } number;
           typedef struct { colour c; number n; } both;
           void f([in, out] colour *c, [in, out] number *n, [in, out] both *b, [in] long m, [in, size_is(m)] colour cs[]);""",
        {"c": "blue", "n": "many", "b": {"c": 1, "n": 1}, "m": 3, "cs": [0, 1, 2]},
    ),
    "nested structures": Construct(
        """typedef struct { char a; double b; } inner; typedef struct { short x; inner one; inner two[2]; long *p; } outer;
           void f([in, out] outer *o, [in] outer by_value, [out] outer *result);""",
        {
            "o": {
                "x": 1,
                "one": {"a": "q", "b": 2.0},
                "two": [{"a": "r", "b": 1.0}, {"a": "s", "b": 0.5}],
                "p": 9,
            },
            "by_value": {"x": 2, "one": {"a": "t", "b": 3.0}, "two": [], "p": None},
        },
    ),
    "conformant structure": Construct(
        """typedef struct { short count; [size_is(count)] hyper items[]; } frame;
           typedef struct { char kind; frame body; } packet; void f([in, out] frame *a, [in] packet *b, [in, unique] frame *c);""",
        {
            "a": {"count": 2, "items": [1, 2]},
            "b": {"kind": "k", "body": {"count": 3, "items": [4, 5, 6]}},
            "c": {"count": 0, "items": []},
        },
    ),
    "open structure": Construct(
        """typedef struct { long size; long length; [size_is(size), length_is(length)] short items[]; } open;
           void f([in, out] open *a);""",
        {"a": {"size": 5, "length": 2, "items": {"$allocated": 5, "$elements": [1, 2]}}},
    ),
    "made by the server": Construct(
        """typedef struct { long size; long length; [size_is(size), length_is(length)] short items[]; } open;
           typedef struct { long n; [size_is(n)] long *items[]; } row;
           typedef struct { open *o; long n; [string, size_is(n)] char *text; [size_is(n), length_is(2)] hyper *some;
               row *items; } box;
           void f([out] box *b, [out] box **made, [out] box *boxes[2]);""",
        {},
        lambda call, b, *others: _open_box(call, b),
    ),
    "fixed arrays": Construct(
        "void f([in, out] short a[4], [in] long m[2][3], [out] char c[5], [in, out, string] char s[8]);",
        {"a": [1, 2, 3, 4], "m": [[1, 2, 3], [4, 5, 6]], "s": "text"},
    ),
    "varying arrays": Construct(
        """void f([in, out] long *first, [in, out] long *length,
                  [in, out, first_is(*first), length_is(*length)] long a[6]);""",
        {"first": 1, "length": 3, "a": [1, 2, 3, 4, 5, 6]},
    ),
    "conformant arrays": Construct(
        """typedef struct { char a; long b; } pair;
           void f([in] long n, [in, out, size_is(n)] long a[], [in, size_is(n)] pair *b, [in, size_is(n * 2)] byte *c);""",
        {"n": 2, "a": [1, 2], "b": [{"a": "x", "b": 1}, {"a": "y", "b": 2}], "c": b"1234"},
    ),
    "conformant varying arrays": Construct(
        """void f([in] long size, [in, out] long *length,
                  [in, out, size_is(size), length_is(*length)] short *a, [out, size_is(size)] long *b);""",
        {"size": 8, "length": 3, "a": [1, 2, 3, 0, 0, 0, 0, 0]},
    ),
    "arrays of pointers": Construct(
        """typedef [ref] long *RLONG; typedef struct { long n; [size_is(n)] long **items; RLONG two[2]; } bag;
           void f([in] long n, [in, out, size_is(n)] long **a, [in] RLONG r[3], [in, out] bag *b);""",
        {"n": 3, "a": [1, None, 3], "r": [4, 5, 6], "b": {"n": 2, "items": [7, None], "two": [8, 9]}},
    ),
    "arrays of strings": Construct(
        """void f([in] long n, [in, size_is(n), string] char **names, [in, out, string] wchar_t *w,
                  [in, string, unique] wchar_t *u, [in] long room, [in, out, string, size_is(room)] char *sized,
                  [out, string] wchar_t **made);""",
        {
            "n": 3,
            "names": ["a", "bc", None],
            "w": "wide",
            "u": None,
            "room": 9,
            "sized": {"$allocated": 9, "$elements": "short"},
        },
        lambda call, *others: _make(call, others[-1], "made"),
    ),
    "unions": Construct(
        """typedef [switch_type(short)] union { [case(1)] long l; [case(2, 3)] char *p; [case(4)] hyper h; [default] ; } u;
           typedef struct { short tag; [switch_is(tag)] u body; } holder;
           typedef union switch (long kind) body { case 1: double d; case 2: holder *q; } enc;
           void f([in, out] holder *a, [in, out] enc *b, [in] short tag, [in, out, switch_is(tag)] u *c, [in] holder d[2]);""",
        {
            "a": {"tag": 4, "body": {"$case": 4, "$value": -1}},
            "b": {
                "$case": 2,
                "$value": {"tag": 2, "body": {"$case": 2, "$value": "p"}},
            },
            "tag": 1,
            "c": {"$case": 1, "$value": 12},
            "d": [
                {"tag": 9, "body": {"$case": "default"}},
                {"tag": 1, "body": {"$case": 1, "$value": 5}},
            ],
        },
    ),
    "full pointers": Construct(
        """typedef struct ring { long value; [ptr] struct ring *left; [ptr] struct ring *right; } ring;
           void f([in, out, ptr] ring *a, [in, out, ptr] ring *b, [in, ptr, string] char *s);""",
        {
            "a": {
                "$label": "A",
                "$value": {
                    "value": 1,
                    "left": {"$label": "B", "$value": {"value": 2, "left": {"$alias": "A"}, "right": None}},
                    "right": {"$alias": "B"},
                },
            },
            "b": {"$alias": "B"},
            "s": "text",
        },
        lambda call, a, b, s: _grow_ring(call, b),
    ),
    "unique list": Construct(
        NODE + "void f([in, out] node *head);",
        {"head": {"value": 1, "next": {"value": 2, "next": {"value": 3, "next": None}}}},
        _grow,
    ),
    "ranges": Construct(
        """typedef struct { [range(0, 9)] long digit; [range(1, 3)] short count; [size_is(count)] long *items; } limits;
           void f([in, range(-5, 5)] long n, [in, out] limits *l, [in, range(0, 4)] long m, [in, size_is(m)] byte *b);""",
        {"n": -5, "l": {"digit": 9, "count": 2, "items": [1, 2]}, "m": 4, "b": b"abcd"},
    ),
    "pointers to pointers": Construct(
        """void f([out] long *n, [out, size_is(, *n)] long **made, [in] long m, [in, size_is(m, 2)] short **rows,
                  [in, out] long **deep, [in, unique] long ***deeper);""",
        {"m": 2, "rows": [[1, 2], [3, 4]], "deep": 6, "deeper": 7},
        lambda call, n, made, *others: _make(call, made, [1, 2, 3], n),
    ),
    "attributes behind pointers": Construct(
        """typedef [switch_type(short)] union { [case(1)] long l; [case(2)] long *p; } u;
           typedef struct { [ref] short *t; [switch_is(*t)] u body; } holder;
           typedef struct { [size_is(*n)] short *a; [ref] long *n; } sized;
           void f([in, out] holder *h, [in, out] sized *s);""",
        {"h": {"t": 2, "body": {"$case": 2, "$value": 5}}, "s": {"a": [1, 2], "n": 2}},
    ),
    "results": Construct(
        "typedef struct { long n; [string] char *name; } named; named *f([in] long n);",
        {"n": 4},
        lambda call, n: {"n": 5, "name": "five"},
    ),
}

LEAF = {"value": 2, "left": None, "right": None}
PTREE = TREE + "typedef node *PTREE;\n"
BUFFER = """typedef struct { short n; [size_is(n), unique] long *a; [string, unique] char *text; [unique] hyper *h; } s;
    void f([in] long size, [out] s *p);"""
RING = "typedef struct n { long v; [ptr] struct n *left; [ptr] struct n *right; } n;\n"
WHOLE = {
    "v": 1,
    "left": {"v": 2, "left": None, "right": None},
    "right": {"v": 3, "left": None, "right": None},
}


def _fill(call: Any, size: Any, p: Any) -> None:
    if size < 64:
        return  # the buffer is as large as the client says
    p.n, p.a, p.text, p.h = 3, call.new([1, 2, 3]), call.new("text"), call.new(7)


def _unlink(call: Any, root: Any) -> None:
    if root and root() == WHOLE:  # with aliases in it, the routine itself would make pointers dangle
        call.free(root.left)
        root.left = None


MODELS: dict[str, Construct] = {
    "one block": Construct(
        PTREE + "void f([in, out] PTREE root, [in, out] PTREE *both, [out] PTREE *made);",
        {"root": LEAF | {"left": LEAF, "right": LEAF}, "both": LEAF | {"left": LEAF}},
        lambda call, root, both, made: _make(call, made, LEAF | {"right": LEAF}),
        "typedef [allocate(all_nodes)] PTREE;",
        only="msrpc",
    ),
    "one block of many kinds": Construct(
        """typedef struct { short n; [size_is(n), unique] long *a; [string, unique] wchar_t *text; [unique] hyper *h; } s;
           typedef s *PS; typedef struct { PS deep; long v; } outer;
           void f([in, out] PS p, [in] outer *o, [in, unique] PS *q);""",
        {
            "p": {"n": 2, "a": [1, 2], "text": "ab", "h": 3},
            "o": {"deep": {"n": 1, "a": [4], "text": None, "h": None}, "v": 5},
            "q": {"n": 0, "a": None, "text": "c", "h": 6},
        },
        None,
        "typedef [allocate(all_nodes)] PS;",
        only="msrpc",
    ),
    "one block of aliases": Construct(
        RING + "typedef n *PN; void f([in, out] PN p);",
        {"p": {"v": 1, "left": {"$label": "A", "$value": {"v": 2, "left": None, "right": None}},
               "right": {"$alias": "A"}}},
        None,
        "typedef [allocate(all_nodes)] PN;",
        only="msrpc",
    ),
    "byte_count": Construct(BUFFER, {"size": 64}, _fill, "f([byte_count(size)] p);", only="msrpc"),
    "force_allocate": Construct(
        NODE + "void f([in, out] node *head, [in] long n, [in, size_is(n)] long *a, [in, unique, string] char *s);",
        {"head": {"value": 1, "next": {"value": 2, "next": None}}, "n": 2, "a": [1, 2], "s": "abc"},
        lambda call, head, *others: _grow(call, head),
        "f([force_allocate] head, [force_allocate] a, [force_allocate] s);",
        only="msrpc",
    ),
    "ignore": Construct(
        "typedef struct s { long v; [ignore] long *q; [unique] short *r; } s; void f([in, out] s *p, [in] s two[2]);",
        {"p": {"v": 1, "r": 2}, "two": [{"v": 3, "r": None}, {"v": 4, "r": 5}]},
    ),
    "partial_ignore": Construct(
        """typedef struct { long v; [unique] short *r; } s;
           void f([in, out, unique, partial_ignore] s *p, [in, unique] long *q, [in, out, unique, partial_ignore] long *n);""",
        {"p": {"v": 1, "r": 2}, "q": 3, "n": None},
        only="msrpc",
    ),
    "reflect_deletions": Construct(
        RING + "[reflect_deletions] void f([in, out, ptr] n *root);",
        {"root": WHOLE},
        _unlink,
        only="dce",
    ),
    "notify": Construct(
        NODE + "void f([in, out] node *head);",
        {"head": {"value": 1, "next": None}},
        _grow,
        "[notify] f();",
        only="msrpc",
    ),
    "RpcSs environment": Construct(
        NODE + "void f([in, out] node *head);",
        {"head": {"value": 1, "next": {"value": 2, "next": None}}},
        _grow,
        "[enable_allocate] f();",
        only="msrpc",
    ),
}  # fmt: skip
