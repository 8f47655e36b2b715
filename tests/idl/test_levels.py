"""Which level of a declarator an attribute governs, and which attribute a pointer ends up with."""

from __future__ import annotations

import pytest

from tests.idl.helpers import HEADER, compiled, parameter, show

NODE = "typedef struct node { long v; struct node *next; } node; typedef node *PNODE;"
NAME = "typedef [string] char *NAME;"


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        # Arrays decay; sized pointers are the same thing (M-337)
        ("[in] long a[4]", "ref -> [4] long"),
        ("[in] long n, [in, size_is(n)] long a[]", "ref -> [, size n] long"),
        ("[in] long n, [in, size_is(n)] long *a", "ref -> [, size n] long"),
        ("[in] long n, [in, size_is(n)] long a[*]", "ref -> [, size n] long"),
        ("[in] long n, [in, unique, size_is(n)] long a[]", "unique -> [, size n] long"),
        ("[in] long a[0..7]", "ref -> [8] long"),
        ("[in] long n, [in, max_is(n)] long *a", "ref -> [, size (n+1)] long"),
        ("[in] long n, [in, size_is(n)] long a[][20]", "ref -> [, size n] [20] long"),  # M-344
        ("[in] long n, [in, size_is(n / 2 - 1)] long *a", "ref -> [, size ((n/2)-1)] long"),
        ("[in] long n, [in, size_is(n ? n : 1)] long *a", "ref -> [, size (n?n:1)] long"),
        # position i of the list belongs to level i (M-339 to M-342)
        ("[in] long m, [in, size_is(m)] short **p", "ref -> [, size m] unique -> short"),
        ("[in] long m, [in, size_is(m,)] short **p", "ref -> [, size m] unique -> short"),
        ("[in] long m, [in, size_is(,m)] short **p", "ref -> unique -> [, size m] short"),
        (
            "[in] long m, [in] long n, [in, size_is(m, n)] short **p",
            "ref -> [, size m] unique -> [, size n] short",
        ),
        ("[in] long m, [in, size_is(m)] short *p[]", "ref -> [, size m] unique -> short"),
        ("[out] long *m, [out, size_is(,*m)] short **p", "ref -> unique -> [, size *m] short"),  # M-343
        # The transmitted range, never less than nothing: K6, M-323 to M-325
        ("[in] long l, [in, length_is(l)] short a[8]", "ref -> [8, length l] short"),
        ("[in] long l, [in, last_is(l)] short a[8]", "ref -> [8, length ((l<0)?0:(l+1))] short"),
        (
            "[in] long f, [in] long l, [in, first_is(f), last_is(l)] short a[8]",
            "ref -> [8, length ((l<((f<0)?0:f))?0:((l-((f<0)?0:f))+1)), first ((f<0)?0:f)] short",
        ),
        ("[in, first_is(1), last_is(3)] short a[8]", "ref -> [8, length 3, first 1] short"),
        ("[in, first_is(3), last_is(1)] short a[8]", "ref -> [8, length 0, first 3] short"),
        ("[in, last_is(-2)] short a[8]", "ref -> [8, length 0] short"),
        ("[in, length_is(-2)] short a[8]", "ref -> [8, length -2] short"),
        (
            "[in] long n, [in] long l, [in, size_is(n), last_is(l)] short *a",
            "ref -> [, size n, length ((l<0)?0:(l+1))] short",
        ),
        ("[in] long n, [in, size_is(10), length_is(n)] short *a", "ref -> [, size 10, length n] short"),
        # Strings: K10, M-382
        ("[in, string] char *s", "ref -> [, string] char"),
        ("[in, string] wchar_t s[16]", "ref -> [16, string] wchar_t"),
        ("[in, string] char s[]", "ref -> [, string] char"),
        ("[in, string] char s[4][16]", "ref -> [4] [16, string] char"),
        ("[in] long n, [in, string, size_is(n)] char *s", "ref -> [, size n, string] char"),
        ("[in, string] char **s", "ref -> unique -> [, string] char"),
        ("[in, out, string, unique] byte *s", "unique -> [, string] byte"),
        # ranges
        ("[in, range(0, 9)] long n", "long in 0..9"),
        ("[in] long n, [in, range(0, 9), size_is(n)] long *a", "ref -> [, size n, count (0, 9)] long"),
        ("[in, range(1, 2)] long *n", "ref -> long in 1..2"),
        # declarators
        ("[in] long (*a)[4]", "ref -> [4] long"),
        ("[in] long *a[4]", "ref -> [4] unique -> long"),
        ("[in] const long * const * a", "ref -> unique -> long"),
        ("[in] handle_t h", "<handle handle_t>"),
        ("[in] struct tag { long a; } *s", "ref -> tag"),
    ],
)
def test_parameter(declaration: str, expected: str) -> None:
    assert parameter(declaration).replace("[, ", "[, ") == expected


@pytest.mark.parametrize(
    ("before", "declaration", "expected"),
    [
        (NODE, "[in] PNODE p", "ref -> node"),
        (NODE, "[in, unique] PNODE p", "unique -> node"),  # M-286
        (NODE, "[in] PNODE *p", "ref -> unique -> node"),
        (NODE, "[in, ptr] PNODE *p", "ptr -> unique -> node"),  # M-283
        ("typedef [ref] short *PREF;", "[out] PREF a[3]", "ref -> [3] ref -> short"),
        ("typedef [ptr] short *PF;", "[in] PF p", "ptr -> short"),
        (NAME, "[in] NAME s", "ref -> [, string] char"),
        (NAME, "[in] long n, [in, size_is(n)] NAME *s", "ref -> [, size n] unique -> [, string] char"),
        (NAME, "[in, string] NAME *s", "ref -> unique -> [, string] char"),
        ("typedef long ROW[3];", "[in] ROW r[2]", "ref -> [2] [3] long"),
        ("typedef long ROW[3];", "[in] ROW r", "ref -> [3] long"),
        ("typedef long OPEN[];", "[in] long n, [in, size_is(n)] OPEN r", "ref -> [, size n] long"),
        ("typedef [range(1, 5)] long SMALL;", "[in] SMALL r", "long in 1..5"),
        ("typedef [context_handle] void *PCTX;", "[in] PCTX h", "<context PCTX>"),
        ("typedef [context_handle] void *PCTX;", "[out] PCTX *h", "ref -> <context PCTX>"),
        ("", "[in, context_handle] void *h", "<context h>"),
        ("", "[out, context_handle] void **h", "ref -> <context h>"),
        ("interface IOther;", "[in] IOther *p", "<interface IOther>"),
        ("interface IOther;", "[out] IOther **p", "ref -> <interface IOther>"),
        ("interface IOther;", "[in] interface IOther *p", "<interface IOther>"),
        ("", "[in] long id, [in, iid_is(id)] void *p", "<interface IUnknown>"),
        ("typedef [wire_marshal(long)] void *HWIRE;", "[in] HWIRE h", "<wire_marshal HWIRE>"),
        ("typedef [transmit_as(long)] short SHRT;", "[in] SHRT *h", "ref -> <transmit_as SHRT>"),
        ("typedef pipe char CHARS;", "[in] CHARS p", "<pipe >"),
        ("", "[in] SAFEARRAY(long) a", "<safearray SAFEARRAY>"),
    ],
)
def test_typedefs_leave_open_what_the_use_decides(before: str, declaration: str, expected: str) -> None:
    assert parameter(declaration, before=before) == expected


DEFAULTS = {
    "unique": HEADER,
    "ptr": HEADER.replace("(unique)", "(ptr)"),
    "ref": HEADER.replace("(unique)", "(ref)"),
    "": HEADER.replace(", pointer_default(unique)", ""),
}


@pytest.mark.parametrize(
    ("default", "osf", "embedded"),
    [
        ("ptr", False, "ptr"),
        ("unique", False, "unique"),
        ("", False, "unique"),
        ("", True, "ptr"),
        ("ref", True, "ref"),
    ],
)
def test_default_pointers(default: str, osf: bool, embedded: str) -> None:
    """M-273 to M-277, M-281: top level is [ref], the rest follows pointer_default or the mode."""
    body = "typedef struct s { long *p; [ptr] long *q; } s; void f([in] s **x);"
    if embedded != "ref":
        body += " s *g([in] long n);"
    built = compiled(body, osf=osf, header=DEFAULTS[default])
    assert show(built.procedures["f"].parameters[0].type) == f"ref -> {embedded} -> s"
    struct = built.types["s"]
    assert [show(member.type) for member in struct.members] == [f"{embedded} -> long", "ptr -> long"]  # type: ignore[union-attr]
    if embedded != "ref":
        assert show(built.procedures["g"].result) == f"{embedded} -> s"


def test_flags_reach_every_use_of_a_typedef() -> None:
    acf = "interface i { typedef [allocate(all_nodes, dont_free)] PNODE; typedef [force_allocate] NAME; }"
    built = compiled(NODE + NAME + "void f([out] PNODE *p, [in] NAME s);", acf)
    shown = [show(parameter.type) for parameter in built.procedures["f"].parameters]
    assert shown == ["ref -> unique all_nodes dont_free -> node", "ref force_allocate -> [, string] char"]


@pytest.mark.parametrize(
    ("attributes", "expected"), [("ignore", "unique ignore -> long"), ("unique", "unique -> long")]
)
def test_member_flags(attributes: str, expected: str) -> None:
    built = compiled(f"typedef struct s {{ [{attributes}] long *p; }} s;")
    assert show(built.types["s"].members[0].type) == expected  # type: ignore[union-attr]


def test_partial_ignore_and_force_allocate_on_a_parameter() -> None:
    acf = "interface i { f([force_allocate] q); }"
    built = compiled("void f([in, out, unique, partial_ignore] long *p, [in] long **q);", acf)
    first, second = built.procedures["f"].parameters
    assert show(first.type) == "unique partial_ignore -> long"
    assert show(second.type) == "ref force_allocate -> unique force_allocate -> long"
    assert second.attributes == {"force_allocate": True}
