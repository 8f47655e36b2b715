"""Annotated bytes: every byte of every message is in exactly one row, and the rows say what it is."""

from pathlib import Path

import pytest

from rpcmemkit import Session
from rpcmemkit.annotate import annotate, as_text, bytes_text, type_name
from rpcmemkit.environment import Environment
from rpcmemkit.scenario import Run, find_files, load_scenario

FOLDER = Path(__file__).parent / "conformance"
FILES = [file for file in find_files([FOLDER]) if "expect_error" not in file.read_text(encoding="utf-8")]


def calls(file):
    return [outcome.call for outcome in Run(load_scenario(file)).outcomes()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_byte_is_explained_exactly_once(file):
    for call in calls(file):
        for direction, data in (("request", call.request), ("response", call.response)):
            found = annotate(call, direction)

            assert b"".join(row.data for row in found) == data
            starts = [sum(len(row.data) for row in found[:index]) for index in range(len(found))]
            assert [row.offset for row in found] == starts
            assert all(row.data and row.what for row in found)


def session(members, parameters, **environment):
    idl = f"[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {{ {members} void f({parameters}); }}"
    return Session(idl, environment=Environment(**environment))


def told(members, parameters, direction="request", environment=None, **arguments):
    call = session(members, parameters, **(environment or {})).try_call("f", arguments)
    return [str(row) for row in annotate(call, direction)]


def test_a_tree_with_unique_pointers():
    call = calls(FOLDER / "wine" / "tree-prune-and-graft.yaml")[0]

    assert as_text(annotate(call, "request")).splitlines()[:3] == [
        "     0  01 00 00 00               root->value (long) = 1",
        "     4  00 00 02 00               referent id of root->left = 0x00020000 (unique)",
        "     8  04 00 02 00               referent id of root->right = 0x00020004 (unique)",
    ]
    row = annotate(call, "request")[1]
    assert (row.offset, row.data.hex(), row.path, row.value) == (4, "00000200", "root->left", 0x20000)


def test_full_pointers_say_when_no_referent_follows():
    node = {"value": 1, "next": None}
    node["next"] = node

    rows = told("typedef struct n { long value; [ptr] struct n *next; } n;", "[in, ptr] n *root", root=node)
    assert rows == [
        "referent id of root = 1 (full)",
        "root->value (long) = 1",
        "referent id of root->next = 1 (full: the storage that was sent before)",
    ]


def test_embedded_reference_pointers_have_a_placeholder_and_null_is_null():
    members = "typedef struct { [ref] short *a; [unique] short *b; } s;"

    assert told(members, "[in] s *p", p={"a": 5, "b": None}) == [
        "referent id of p->a = 0x00020000 (ref: only a placeholder)",
        "referent id of p->b = null",
        "p->a (short) = 5",
    ]


def test_strings_have_three_counts():
    assert told("", "[in, string] wchar_t *s", s="aé") == [
        "maximum count of s = 3",
        "offset of s = 0",
        "actual count of s = 3",
        's (wchar_t[3]) = "aé\\0"',
    ]
    assert told("", "[in, string] char *s", s='q"\\\x07')[3] == 's (char[5]) = "q\\"\\\\\\x07\\0"'
    assert told("", "[in, string] wchar_t *s", s="\u200b")[3] == 's (wchar_t[2]) = "\\u200b\\0"'


def test_big_endian_messages_are_read_as_such():
    big = {"byte_order": "big"}

    assert told("", "[in, string] wchar_t *s, [in] short n", environment=big, s="a", n=258) == [
        "maximum count of s = 2",
        "offset of s = 0",
        "actual count of s = 2",
        's (wchar_t[2]) = "a\\0"',
        "n (short) = 258",
    ]


@pytest.mark.parametrize("count", [0, 1, 10])
def test_a_short_array_is_told_in_full(count):
    rows = told("", "[in] long n, [in, size_is(n)] long *a", n=count, a=list(range(count)))

    assert rows[2:] == [f"a[{index}] (long) = {index}" for index in range(count)]


def test_a_long_array_is_summarised():
    call = session("", "[in] long n, [in, size_is(n)] long *a").try_call(
        "f", {"n": 5004, "a": list(range(5004))}
    )
    rows = annotate(call, "request")

    assert [str(row) for row in rows[2:]] == [
        *(f"a[{index}] (long) = {index}" for index in range(8)),
        "… 4,995 more, a[8] to [5002]",
        "a[5003] (long) = 5003",
    ]
    assert len(rows[10].data) == 4 * 4995


def test_structures_in_an_array_with_gaps():
    members = "typedef struct { long a; byte b; } s;"
    rows = told(members, "[in] long n, [in, size_is(n)] s *p", n=12, p=[{"a": i, "b": i} for i in range(12)])

    assert rows[2:6] == ["p[0].a (long) = 0", "p[0].b (byte) = 0", "padding", "p[1].a (long) = 1"]
    assert rows[-3:] == ["… 3 more, p[8] to [10]", "p[11].a (long) = 11", "p[11].b (byte) = 11"]


def test_arrays_inside_structures():
    members = "typedef struct { short a[3]; char t[4]; byte b[2]; wchar_t w; long many[20]; } s;"
    value = {"a": [1, 2, 3], "t": "ab", "b": {"$hex": "0aff"}, "w": "x", "many": list(range(20))}
    rows = told(members, "[in] s *p", p=value)

    assert (
        rows[:8]
        == [
            *(f"p->a[{index}] (short) = {index + 1}" for index in range(3)),
            'p->t (char[4]) = "ab\\0\\0"',
            "p->b (byte[2]) = 0aff",
            'p->w (wchar_t) = "x"',
            "padding",
            "p->many[0] (long) = 0",
        ]
        or rows[6] == "p->many[0] (long) = 0"
    )
    assert rows[-2:] == ["… 11 more, p->many[8] to [18]", "p->many[19] (long) = 19"]


def test_a_structure_in_pieces():
    members = "typedef [switch_type(long)] union { [case(1)] short x; [default] ; } u;"
    members += (
        " typedef struct { long k; [switch_is(k)] u first; hyper h; [switch_is(k)] u second; long end; } s;"
    )
    value = {
        "k": 1,
        "first": {"$case": 1, "$value": 3},
        "h": 9,
        "second": {"$case": 1, "$value": 4},
        "end": 5,
    }

    assert [row for row in told(members, "[in] s *p", p=value) if row != "padding"] == [
        "p->k (long) = 1",
        "discriminant of p->first = 1",
        "p->first.x (short) = 3",
        "p->h (hyper) = 9",
        "discriminant of p->second = 1",
        "p->second.x (short) = 4",
        "p->end (long) = 5",
    ]


def test_scalars():
    members = "typedef enum { RED, GREEN = 5 } color;"
    parameters = (
        "[in] color e, [in] color f, [in] boolean b, [in] double d, [in] float g, [in] unsigned hyper h"
    )
    rows = told(members, parameters, e=5, f=3, b=True, d=0.5, g=-2, h=2**64 - 1)

    assert [row for row in rows if row != "padding"] == [
        "e (color) = 5 (GREEN)",
        "f (color) = 3",
        "b (boolean) = true",
        "d (double) = 0.5",
        "g (float) = -2.0",
        f"h (unsigned hyper) = {2**64 - 1}",
    ]


def test_a_message_that_was_never_sent_has_no_rows():
    call = session("", "[in, ref] long *p").try_call("f", {"p": None})

    assert annotate(call, "request") == annotate(call, "response") == []


def test_counts_that_the_client_did_not_come_to_are_still_there():
    members = "typedef struct { [string] char *a; [string] char *b; } s;"
    interface = session(members, "[in, out] s *p", client_fail_after=0)

    @interface.routine
    def f(call, p):
        p.a, p.b = call.new("one"), call.new("two")

    call = interface.try_call("f", {"p": {"a": None, "b": None}})
    rows = annotate(call, "response")

    assert b"".join(row.data for row in rows) == call.response
    assert [str(row) for row in rows[-2:]] == ["actual count of p->b = 4", 'p->b (char[4]) = "two\\0"']


def test_what_nobody_read_is_said_to_be_so():
    call = session("", "[in] long n").try_call("f", {"n": 1})
    call.trace.messages["request"].data += b"\1\2\0\0"
    found = annotate(call, "request")

    assert found[-1].what == "a part that the receiver did not read"


def test_bytes_are_shortened():
    assert bytes_text(bytes(8)) == "00 00 00 00 00 00 00 00"
    assert bytes_text(bytes(1000)) == "00 00 00 00 00 00 … (1,000 bytes)"


def test_names_of_types():
    interface = session(
        "typedef struct { long a; } s; typedef struct { s *p; long fixed[3]; [size_is(2)] s *many; enum { A } e; } t;",
        "[in] t *p",
    )
    plan = interface.procedures["f"].plan.by_name["p"].plan
    members = [member.plan for member in plan.target.members]

    assert [type_name(each) for each in (plan, *members)] == ["t *", "s *", "long[3]", "s[] *", "enum"]
