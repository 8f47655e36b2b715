"""NDR64 beside NDR 2.0: bytes derived by hand from the specifications, for every construct, in both directions.

The sources are C706 chapter 14 (NDR 2.0), MS-RPCE 2.2.4 (Microsoft's extensions) and MS-RPCE 2.2.5 (NDR64). Every
parameter is [in, out], so that a request and the response of a routine that changes nothing have the same bytes.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

import pytest

from rpcmemkit import IdlError, Session
from rpcmemkit.idl import Switches, compile_idl
from rpcmemkit.reader import Reader
from rpcmemkit.stubs.server import Reply, ServerCall
from tests.engine.helpers import ACF_HEADER, NODE, audited, idl_text, open_session, run

SIZES = list(product((4, 8), repeat=2))
DISCRIMINANTS = {"n", "m", "first", "length", "size", "count", "tag", "kind", "$case", "$allocated"}


class Vector(NamedTuple):
    """A rule of the wire format, an interface, its arguments, and the bytes in both transfer syntaxes."""

    rule: str
    body: str
    arguments: dict[str, Any]
    ndr20: str
    ndr64: str


COLOUR = "typedef enum { red, green, blue } colour;\n"
GAP = "typedef struct { hyper h; char c; } gap;\n"
BODY = """typedef [switch_type(short)] union { [case(1)] hyper h; [case(2)] char c; [case(3)] ; } u;
    typedef struct { short tag; [switch_is(tag)] u body; byte last; } holder;\n"""
ENCAPSULATED = "typedef union switch (short t) body { case 1: hyper h; case 2: char c; } e;\n"
KINDS = """typedef enum { zero, one } kinds;
    typedef [switch_type(kinds)] union { [case(one)] byte b; [default] long l; } u;
    typedef struct { kinds kind; [switch_is(kind)] u body; } holder;\n"""
POINTING = """typedef [switch_type(short)] union { [case(1)] short *p; [case(2)] byte b; } u;
    typedef struct { short tag; [switch_is(tag)] u body; } holder;\n"""
OPEN = (
    """typedef struct { long size; long length; [size_is(size), length_is(length)] short items[]; } open;\n"""
)
FRAME = "typedef struct { short count; [size_is(count)] hyper items[]; } frame;\n"
FULL = "typedef struct { [ptr] short *a; [ptr] short *b; [ptr] short *c; } full;\n"

VECTORS = [
    # --- simple types: C706 14.2, MS-RPCE 2.2.5.2 ---
    Vector(
        "a simple type of n bytes lies at a multiple of n, in both syntaxes",
        """void f([in, out] byte *a, [in, out] short *b, [in, out] byte *c, [in, out] long *d, [in, out] boolean *e,
               [in, out] hyper *g, [in, out] float *h, [in, out] double *j, [in, out] wchar_t *k);""",
        {"a": 1, "b": -2, "c": 3, "d": 4, "e": True, "g": 5, "h": 0.5, "j": 1.5, "k": "A"},
        "01 00 feff 03 000000 04000000 01 000000 0500000000000000 0000003f 00000000 000000000000f83f 4100",
        "01 00 feff 03 000000 04000000 01 000000 0500000000000000 0000003f 00000000 000000000000f83f 4100",
    ),
    Vector(
        "an enumeration is 2 bytes in NDR 2.0 and 4 in NDR64, and aligned so",
        COLOUR + "void f([in, out] colour *a, [in, out] byte *b, [in, out] colour *c);",
        {"a": "blue", "b": 7, "c": "green"},
        "0200 07 00 0100",
        "02000000 07 000000 01000000",
    ),
    Vector(
        "a v1_enum is 4 bytes in both",
        "typedef [v1_enum] enum { many = 70000 } v;\nvoid f([in, out] byte *b, [in, out] v *a);",
        {"b": 7, "a": "many"},
        "07 000000 70110100",
        "07 000000 70110100",
    ),
    Vector(
        "an __int3264 is 4 bytes in NDR 2.0 and 8 in NDR64, extended by its sign if it has one",
        "void f([in, out] byte *b, [in, out] __int3264 *s, [in, out] unsigned __int3264 *u);",
        {"b": 1, "s": -2, "u": 0x80000003},
        "01 000000 feffffff 03000080",
        "01 00000000000000 feffffffffffffff 0300008000000000",
    ),
    # --- arrays: C706 14.3.3, MS-RPCE 2.2.5.3.2 ---
    Vector(
        "a fixed array has no counts; its elements have the size of their type in the syntax",
        COLOUR + "void f([in, out] colour a[2], [in, out] __int3264 b[2], [in, out] short c[2][2]);",
        {"a": ["red", "blue"], "b": [1, -1], "c": [[1, 2], [3, 4]]},
        "0000 0200 01000000 ffffffff 0100 0200 0300 0400",
        "00000000 02000000 0100000000000000 ffffffffffffffff 0100 0200 0300 0400",
    ),
    Vector(
        "a conformant array begins with its number of elements: 4 bytes, 8 in NDR64",
        "void f([in, out] long *n, [in, out, size_is(*n)] short *a);",
        {"n": 3, "a": [5, 6, 7]},
        "03000000 03000000 0500 0600 0700",
        "03000000 00000000 0300000000000000 0500 0600 0700",
    ),
    Vector(
        "the elements are aligned for themselves, after the count",
        "void f([in, out] long *m, [in, out] long *n, [in, out, size_is(*n)] hyper *a);",
        {"m": 9, "n": 1, "a": [5]},
        "09000000 01000000 01000000 00000000 0500000000000000",
        "09000000 01000000 0100000000000000 0500000000000000",
    ),
    Vector(
        "a conformant array of fixed rows has one count",
        "void f([in, out] long *n, [in, out, size_is(*n)] short a[][2]);",
        {"n": 2, "a": [[1, 2], [3, 4]]},
        "02000000 02000000 0100 0200 0300 0400",
        "02000000 00000000 0200000000000000 0100 0200 0300 0400",
    ),
    Vector(
        "a varying array begins with offset and actual count: twice 4 bytes, twice 8 in NDR64",
        """void f([in, out] long *first, [in, out] long *length,
               [in, out, first_is(*first), length_is(*length)] short a[4]);""",
        {"first": 1, "length": 2, "a": [0, 6, 7, 0]},
        "01000000 02000000 01000000 02000000 0600 0700",
        "01000000 02000000 0100000000000000 0200000000000000 0600 0700",
    ),
    Vector(
        "a conformant varying array begins with all three counts",
        """void f([in, out] long *size, [in, out] long *length,
               [in, out, size_is(*size), length_is(*length)] short *a);""",
        {"size": 4, "length": 2, "a": {"$allocated": 4, "$elements": [6, 7]}},
        "04000000 02000000 04000000 00000000 02000000 0600 0700",
        "04000000 02000000 0400000000000000 0000000000000000 0200000000000000 0600 0700",
    ),
    Vector(
        "elements that are structures keep their distance; only NDR64 fills up the last one",
        GAP + "void f([in, out] gap a[2], [in, out] byte *b);",
        {"a": [{"h": 1, "c": "x"}, {"h": 2, "c": "y"}], "b": 7},
        "0100000000000000 78 00000000000000 0200000000000000 79 07",
        "0100000000000000 78 00000000000000 0200000000000000 79 00000000000000 07",
    ),
    # --- strings: C706 14.3.4, MS-RPCE 2.2.5.3.3 ---
    Vector(
        "a conformant string: maximum, offset 0, actual count, the terminator counted",
        "void f([in, out, string] char *s);",
        {"s": "ab"},
        "03000000 00000000 03000000 616200",
        "0300000000000000 0000000000000000 0300000000000000 616200",
    ),
    Vector(
        "wide characters are counted, not bytes",
        "void f([in, out, string] wchar_t *s);",
        {"s": "hi"},
        "03000000 00000000 03000000 6800 6900 0000",
        "0300000000000000 0000000000000000 0300000000000000 6800 6900 0000",
    ),
    Vector(
        "a string in an array of fixed size is a varying string: no maximum",
        "void f([in, out, string] char s[8]);",
        {"s": "ab"},
        "00000000 03000000 616200",
        "0000000000000000 0300000000000000 616200",
    ),
    Vector(
        "the maximum of a sized string is its size",
        "void f([in, out] long *n, [in, out, string, size_is(*n)] char *s);",
        {"n": 5, "s": {"$allocated": 5, "$elements": "ab"}},
        "05000000 05000000 00000000 03000000 616200",
        "05000000 00000000 0500000000000000 0000000000000000 0300000000000000 616200",
    ),
    # --- structures: C706 14.3.5 to 14.3.7, MS-RPCE 2.2.5.3.4 ---
    Vector(
        "members are aligned inside a structure",
        "typedef struct { char c; short s; hyper h; } s;\nvoid f([in, out] s *p);",
        {"p": {"c": "x", "s": 2, "h": 3}},
        "78 00 0200 00000000 0300000000000000",
        "78 00 0200 00000000 0300000000000000",
    ),
    Vector(
        "a structure begins at a multiple of its largest member's alignment",
        "typedef struct { char c; hyper h; } s;\nvoid f([in, out] byte *b, [in, out] s *p);",
        {"b": 1, "p": {"c": "x", "h": 3}},
        "01 00000000000000 78 00000000000000 0300000000000000",
        "01 00000000000000 78 00000000000000 0300000000000000",
    ),
    Vector(
        "2.2.5.3.4.1: NDR64 fills the trailing gap, NDR 2.0 leaves it out (the example of MS-RPCE 4.8)",
        "typedef struct { long l; short s; } s;\nvoid f([in, out] s *p, [in, out] byte *b);",
        {"p": {"l": 1, "s": 2}, "b": 7},
        "01000000 0200 07",
        "01000000 0200 0000 07",
    ),
    Vector(
        "the trailing gap of a structure inside a structure",
        GAP + "typedef struct { gap one; byte b; } s;\nvoid f([in, out] s *p, [in, out] byte *b);",
        {"p": {"one": {"h": 1, "c": "x"}, "b": 2}, "b": 7},
        "0100000000000000 78 02 07",
        "0100000000000000 78 00000000000000 02 00000000000000 07",
    ),
    Vector(
        "2.2.5.3.4.2: the count of a conformant array goes before the structure and is aligned for itself",
        FRAME + "void f([in, out] frame *p);",
        {"p": {"count": 2, "items": [5, 6]}},
        "02000000 00000000 0200 000000000000 0500000000000000 0600000000000000",
        "0200000000000000 0200 000000000000 0500000000000000 0600000000000000",
    ),
    Vector(
        "2.2.5.3.4.1: the gap follows the last member that is not conformant, so it lies before the elements",
        """typedef struct { hyper h; small n; [size_is(n)] char a[]; } s;
           void f([in, out] s *p, [in, out] byte *b);""",
        {"p": {"h": 5, "n": 2, "a": "ab"}, "b": 7},
        "02000000 00000000 0500000000000000 02 6162 07",
        "0200000000000000 0500000000000000 02 00000000000000 6162 07",
    ),
    Vector(
        "the count of a structure inside a structure goes before the outermost",
        FRAME + "typedef struct { char kind; frame body; } packet;\nvoid f([in, out] packet *p);",
        {"p": {"kind": "k", "body": {"count": 1, "items": [5]}}},
        "01000000 00000000 6b 00000000000000 0100 000000000000 0500000000000000",
        "0100000000000000 6b 00000000000000 0100 000000000000 0500000000000000",
    ),
    Vector(
        "2.2.5.3.4.3: of an open structure only the maximum moves to the front",
        OPEN + "void f([in, out] open *p);",
        {"p": {"size": 4, "length": 2, "items": {"$allocated": 4, "$elements": [6, 7]}}},
        "04000000 04000000 02000000 00000000 02000000 0600 0700",
        "0400000000000000 04000000 02000000 0000000000000000 0200000000000000 0600 0700",
    ),
    # --- unions: C706 14.3.8, MS-RPCE 2.2.4.5 and 2.2.5.3.4.4 ---
    Vector(
        "NDR 2.0 aligns discriminant and chosen arm each for itself; NDR64 both for the widest arm",
        BODY + "void f([in, out] holder *p);",
        {"p": {"tag": 2, "body": {"$case": 2, "$value": "x"}, "last": 9}},
        "0200 0200 78 09",
        "0200 000000000000 0200 000000000000 78 09 000000000000",
    ),
    Vector(
        "the widest arm itself",
        BODY + "void f([in, out] holder *p);",
        {"p": {"tag": 1, "body": {"$case": 1, "$value": 5}, "last": 9}},
        "0100 0100 00000000 0500000000000000 09",
        "0100 000000000000 0100 000000000000 0500000000000000 09 00000000000000",
    ),
    Vector(
        "an empty arm",
        BODY + "void f([in, out] holder *p);",
        {"p": {"tag": 3, "body": {"$case": 3}, "last": 9}},
        "0300 0300 09",
        "0300 000000000000 0300 000000000000 09 00000000000000",
    ),
    Vector(
        "a union that is a parameter",
        BODY + "void f([in, out] short *tag, [in, out, switch_is(*tag)] u *p);",
        {"tag": 2, "p": {"$case": 2, "$value": "x"}},
        "0200 0200 78",
        "0200 000000000000 0200 000000000000 78",
    ),
    Vector(
        "an encapsulated union sends its discriminant once",
        ENCAPSULATED + "void f([in, out] byte *b, [in, out] e *p);",
        {"b": 1, "p": {"$case": 2, "$value": "x"}},
        "01 00 0200 78",
        "01 00000000000000 0200 000000000000 78",
    ),
    Vector(
        "a discriminant that is an enumeration has the size of one",
        KINDS + "void f([in, out] holder *p);",
        {"p": {"kind": "one", "body": {"$case": 1, "$value": 7}}},
        "0100 0100 07",
        "01000000 01000000 07 000000",
    ),
    Vector(
        "an arm that is a pointer has the alignment of one; its referent follows the structure",
        POINTING + "void f([in, out] holder *p);",
        {"p": {"tag": 1, "body": {"$case": 1, "$value": 9}}},
        "0100 0100 00000200 0900",
        "0100 000000000000 0100 000000000000 0000020000000000 0900",
    ),
    Vector(
        "and so aligns the other arms under NDR64",
        POINTING + "void f([in, out] holder *p);",
        {"p": {"tag": 2, "body": {"$case": 2, "$value": 7}}},
        "0200 0200 07",
        "0200 000000000000 0200 000000000000 07 00000000000000",
    ),
    # --- pointers: C706 14.3.10 to 14.3.12, MS-RPCE 2.2.5.3.5 ---
    Vector(
        "a top-level reference pointer is its referent",
        "void f([in, out, ref] byte *a, [in, out, ref] short *b);",
        {"a": 1, "b": 2},
        "01 00 0200",
        "01 00 0200",
    ),
    Vector(
        "a top-level unique pointer is an id, then its referent: 4 bytes, 8 in NDR64",
        "void f([in, out] byte *b, [in, out, unique] short *p);",
        {"b": 1, "p": 2},
        "01 000000 00000200 0200",
        "01 00000000000000 0000020000000000 0200",
    ),
    Vector(
        "a null pointer is the id 0",
        "void f([in, out] byte *b, [in, out, unique] short *p, [in, out] byte *c);",
        {"b": 1, "p": None, "c": 3},
        "01 000000 00000000 03",
        "01 00000000000000 0000000000000000 03",
    ),
    Vector(
        "referents of embedded pointers follow the outermost structure, in the order of the pointers",
        """typedef struct { [unique] short *a; char c; [unique] hyper *d; } s;\nvoid f([in, out] s *p);""",
        {"p": {"a": 1, "c": "x", "d": 2}},
        "00000200 78 000000 04000200 0100 0000 0200000000000000",
        "0000020000000000 78 00000000000000 0400020000000000 0100 000000000000 0200000000000000",
    ),
    Vector(
        "an embedded reference pointer has a place of its own; the gap precedes the referent",
        "typedef struct { [ref] short *a; byte b; } s;\nvoid f([in, out] s *p);",
        {"p": {"a": 1, "b": 2}},
        "00000200 02 00 0100",
        "0000020000000000 02 00000000000000 0100",
    ),
    Vector(
        "a referent is sent once: the ids of full pointers tell which pointers are equal",
        FULL + "void f([in, out] full *p);",
        {"p": {"a": {"$label": "A", "$value": 5}, "b": {"$alias": "A"}, "c": 6}},
        "01000000 01000000 02000000 0500 0600",
        "0100000000000000 0100000000000000 0200000000000000 0500 0600",
    ),
    Vector(
        "an array of pointers is its ids, then the referents",
        "void f([in, out] long *n, [in, out, size_is(*n)] short **a);",
        {"n": 3, "a": [1, None, 3]},
        "03000000 03000000 00000200 00000000 04000200 0100 0300",
        "03000000 00000000 0300000000000000 0000020000000000 0000000000000000 0400020000000000 0100 0300",
    ),
    Vector(
        "pointers to structures that hold pointers: depth first",
        NODE + "void f([in, out] node *head);",
        {"head": {"value": 1, "next": {"value": 2, "next": None}}},
        "01000000 00000200 02000000 00000000",
        "01000000 00000000 0000020000000000 02000000 00000000 0000000000000000",
    ),
    Vector(
        "the referent is aligned for itself, not as its pointer",
        """typedef struct { [unique, string] char *s; [unique] hyper *h; } s;\nvoid f([in, out] s *p);""",
        {"p": {"s": "ab", "h": 5}},
        "00000200 04000200 03000000 00000000 03000000 616200 00 0500000000000000",
        "0000020000000000 0400020000000000 0300000000000000 0000000000000000 0300000000000000 616200"
        " 0000000000 0500000000000000",
    ),
]
CASES = [
    pytest.param(vector, syntax, id=f"{number}-{syntax}")
    for number, vector in enumerate(VECTORS)
    for syntax in ("ndr20", "ndr64")
]


def blank(value: Any, key: str = "") -> Any:
    """The same shape with other contents: what a client may hold before the response is written over it."""
    match value:
        case dict():
            return {name: blank(part, name) for name, part in value.items()}
        case list():
            return [blank(part, key) for part in value]
        case str() if not key.startswith("$") or key in {"$value", "$elements"}:
            return value if value.isalpha() and len(value) > 2 else "z" * len(value)
        case bool() | int() | float() if key not in DISCRIMINANTS:
            return type(value)(0)
    return value


def open_vector(
    vector: Vector, syntax: str, sizes: tuple[int, int] = (8, 8), order: str = "little"
) -> Session:
    return open_session(
        vector.body,
        client_pointer_size=sizes[0],
        server_pointer_size=sizes[1],
        transfer_syntax=syntax,
        byte_order=order,
    )


@pytest.mark.claims("M-097", "M-489")
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"{sizes[0]}to{sizes[1]}")
@pytest.mark.parametrize(("vector", "syntax"), CASES)
def test_bytes(vector: Vector, syntax: str, sizes: tuple[int, int]) -> None:
    """The client writes them, the server reads them and writes them again, the client reads them."""
    data = bytes.fromhex(getattr(vector, syntax))
    seen: dict[str, Any] = {}

    def look(call: ServerCall) -> None:
        places = {name: call.place(name) for name in vector.arguments}
        seen.update(Reader(call.program.space).read(places))

    session = open_vector(vector, syntax, sizes)
    session.set_routine("f", look)
    call = session.call("f", **vector.arguments)
    assert call.request == data, vector.rule
    assert call.response == data, vector.rule
    values = call.values

    server = open_vector(vector, syntax, sizes)
    server.set_routine("f", look)
    seen.clear()
    assert server.server_stub.dispatch(0, data) == Reply(0, data), vector.rule
    assert bare(seen) == bare(values), vector.rule

    assert blank(vector.arguments) != vector.arguments
    client = open_vector(vector, syntax, sizes)
    client.client_stub.transport = lambda number, request: (0, data)
    assert bare(client.call("f", **blank(vector.arguments)).values) == bare(values), vector.rule


def bare(value: Any) -> Any:
    """Values without the names of storage, which depend on the side."""
    if isinstance(value, dict):
        inner = {key: bare(part) for key, part in value.items() if key not in {"$label", "$alias"}}
        return inner["$value"] if set(inner) == {"$value"} else inner
    return [bare(part) for part in value] if isinstance(value, list) else value


# --- byte order: the sender's in NDR 2.0; MS-RPCE 2.2.5 wants NDR64 little-endian, the kit's other order is its own ---


@pytest.mark.parametrize(
    ("body", "arguments", "data"),
    [
        (COLOUR + "void f([in, out] colour *a, [in, out] __int3264 *s);", {"a": 2, "s": -2}, "0002 0000 fffffffe"),
        ("void f([in, out] long *n, [in, out, size_is(*n)] short *a);", {"n": 2, "a": [1, -2]},
         "00000002 00000002 0001 fffe"),
        ("void f([in, out, string] wchar_t *s);", {"s": "hi"}, "00000003 00000000 00000003 0068 0069 0000"),
        (BODY + "void f([in, out] holder *p);", {"p": {"tag": 1, "body": {"$case": 1, "$value": 5}, "last": 9}},
         "0001 0001 00000000 0000000000000005 09"),
        (FULL + "void f([in, out] full *p);", {"p": {"a": 5, "b": None, "c": 6}}, "00000001 00000000 00000002 0005 0006"),
        (NODE + "void f([in, out] node *head);", {"head": {"value": 1, "next": {"value": 2, "next": None}}},
         "00000001 00020000 00000002 00000000"),
    ],
)  # fmt: skip
def test_big_endian_bytes(body: str, arguments: dict[str, Any], data: str) -> None:
    call = run(body, arguments, byte_order="big")
    assert (call.request, call.response) == (bytes.fromhex(data), bytes.fromhex(data))
    assert bare(call.values) == arguments
    session = open_session(body, byte_order="big")
    session.client_stub.transport = lambda number, request: (0, bytes.fromhex(data))
    assert bare(session.call("f", **blank(arguments)).values) == arguments


# --- what 8 bytes on the wire are good for (server-stub-memory-management.md) ---


RESIZED = COLOUR + "typedef struct { colour c; __int3264 n; } resized;\n"


@pytest.mark.parametrize(
    ("body", "arguments", "ndr20"),
    [
        pytest.param(
            NODE + "void f([in] node *head);",
            {"head": {"value": 1, "next": {"value": 2, "next": None}}},
            2,
            marks=pytest.mark.claims("M-097"),
        ),
        pytest.param(
            "typedef struct { long n; [unique] short *a; } s;\nvoid f([in] s *p);",
            {"p": {"n": 1, "a": 2}},
            1,  # the structure; its short may stay
            marks=pytest.mark.claims("M-097"),
        ),
        pytest.param(
            RESIZED + "void f([in] resized *p);",
            {"p": {"c": "blue", "n": -1}},
            1,
            marks=pytest.mark.claims("M-098"),
        ),
        pytest.param(
            RESIZED + "void f([in] long n, [in, size_is(n)] colour *a, [in, size_is(n)] __int3264 *b);",
            {"n": 2, "a": ["red", "blue"], "b": [1, -1]},
            2,
            marks=pytest.mark.claims("M-098"),
        ),
        pytest.param(
            GAP + "void f([in] gap *p);",
            {"p": {"h": 1, "c": "x"}},
            1,
            marks=pytest.mark.claims("M-099"),
        ),
        pytest.param(
            GAP + "void f([in] long n, [in, size_is(n)] gap *a);",
            {"n": 2, "a": [{"h": 1, "c": "x"}, {"h": 2, "c": "y"}]},
            1,
            marks=pytest.mark.claims("M-099"),
        ),
    ],
)
def test_ndr64_lets_the_server_use_the_buffer(body: str, arguments: dict[str, Any], ndr20: int) -> None:
    for syntax, allocations in (("ndr20", ndr20), ("ndr64", 0)):
        call, audit = audited(body, arguments, lambda *parameters: None, transfer_syntax=syntax)
        assert audit.server_allocations == allocations
        assert len(list(call.trace.select("reuse", side="server"))) > 0 or allocations
        assert audit.clean


def test_gap_before_an_array_is_not_in_memory() -> None:
    """A conformant structure whose array follows its members at once differs from the NDR64 wire: it is copied."""
    close = "typedef struct { hyper h; small n; [size_is(n)] char a[]; } s;\nvoid f([in] s *p);"
    wide = "typedef struct { hyper h; long m; long n; [size_is(n)] char a[]; } s;\nvoid f([in] s *p);"
    for body, value, allocations in (
        (close, {"h": 5, "n": 2, "a": "ab"}, 1),
        (wide, {"h": 5, "m": 6, "n": 2, "a": "ab"}, 0),
    ):
        seen: list[Any] = []
        _, audit = audited(body, {"p": value}, lambda call, p: seen.append(p()), transfer_syntax="ndr64")  # noqa: B023
        assert (seen, audit.server_allocations) == ([value], allocations)


@pytest.mark.claims("M-143")
def test_byte_count_is_not_part_of_ndr64() -> None:
    """byte-count.md: a stub that speaks NDR64 cannot have it; compiled for NDR 2.0 the same text passes."""
    idl = idl_text("typedef struct { long v; } s;\nvoid f([in] long size, [out] s *p);")
    acf = ACF_HEADER + "f([byte_count(size)] p);\n}\n"
    assert compile_idl(idl, acf, switches=Switches(ndr64=False)).interface.procedures["f"]
    with pytest.raises(IdlError) as refused:
        compile_idl(idl, acf, switches=Switches(ndr64=True))
    assert [finding.code for finding in refused.value.diagnostics] == ["IDL421"]
    with pytest.raises(IdlError, match="IDL421"):
        Session(idl, acf, open_vector(VECTORS[0], "ndr64").environment)


# --- context handles: C706 14.3.14 (context handle), the same 20 bytes in both syntaxes ---


@pytest.mark.claims("M-490")
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"{sizes[0]}to{sizes[1]}")
@pytest.mark.parametrize("syntax", ["ndr20", "ndr64"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_context_handle(syntax: str, sizes: tuple[int, int], order: str) -> None:
    session = open_session(
        """typedef [context_handle] void *h;
           void open([out] byte *b, [out] h *c);\nvoid close([in] byte b, [in, out] h *c);""",
        client_pointer_size=sizes[0],
        server_pointer_size=sizes[1],
        transfer_syntax=syntax,
        byte_order=order,
    )

    @session.routine
    def open(call: Any, b: Any, c: Any) -> None:  # noqa: A001 (the interface calls it so)
        b[0] = 7
        c[0] = call.new(b"state")

    @session.routine
    def close(call: Any, b: Any, c: Any) -> None:
        call.free(c[0])
        c[0] = None

    opened = session.call("open")
    wire = opened.response
    token = wire[4:]
    assert wire[:4] == b"\7\0\0\0"  # aligned like a long
    assert len(token) == 20
    assert token[:4] == bytes(4)  # attributes
    assert any(token[4:])  # a UUID; all zero is null
    closed = session.call("close", b=7, c=opened["c"])
    assert closed.request == wire
    assert closed.response == bytes(20)
