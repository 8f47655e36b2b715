"""The claims about the compiler: what it refuses, by MIDL's number, and what a text means that it accepts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rpcmemkit import types as t
from rpcmemkit.claims import claims
from rpcmemkit.errors import IdlError
from rpcmemkit.idl import Switches, compile_file, compile_idl
from tests.claims.table import proving
from tests.idl.helpers import HEADER, interface, parameter, show
from tests.idl.midl_table import BARE, FULL, LINKED, NODE, ROWS, Row, text

# --- refused: rows of the table of diagnostics -----------------------------------------------------

REFUSED: dict[str, tuple[int | str, ...]] = {
    "M-064": (2158,),
    "M-065": (2227,),
    "M-066": (2223,),
    "M-067": (2073,),
    "M-068": (2211,),
    "M-069": (2074,),
    "M-075": (2248,),
    "M-133": (2294,),
    "M-138": (2061, 2063),
    "M-139": (2064,),
    "M-140": (2065,),
    "M-141": (2062,),
    "M-142": (2060,),
    "M-143": ("IDL421",),
    "M-188": (2121,),
    "M-198": (2177, 2198),
    "M-199": (2199,),
    "M-200": (2246,),
    "M-202": (2177,),
    "M-222": (2121,),
    "M-252": (2177,),
    "M-259": (2181,),
    "M-260": (2195,),
    "M-287": (2163,),
    "M-288": (2164,),
    "M-289": (2249,),
    "M-290": (2222,),
    "M-291": (2139, 2145, 2241),
    "M-292": (2142, 2148, 2244),
    "M-301": ("IDL344",),
    "M-302": ("IDL371",),
    "M-305": (2162,),
    "M-309": (2284,),
    "M-313": (2187,),
    "M-314": (2042,),
    "M-315": (2279,),
    "M-320": (2123,),
    "M-328": (2076,),
    "M-329": (2077,),
    "M-331": (2299,),
    "M-332": (2105,),
    "M-333": (2124,),
    "M-334": (2081,),
    "M-335": (2058, 2059),
    "M-336": (2178,),
    "M-338": (2058,),
    "M-345": (2296,),
    "M-346": (2055,),
    "M-347": (2040,),
    "M-348": (2043, 2465),
    "M-353": (2102, 2176),
    "M-361": ("IDL369",),
    "M-363": (2371,),
    "M-374": (2105,),
    "M-375": (2041,),
    "M-379": (2075,),
    "M-381": (2082, 2191, 2293),
    "M-405": (2044,),
    "M-406": (2135, 2136),
    "M-407": (2045, 2084),
    "M-408": (2068, 2237),
    "M-437": (2086, 2087),
    "M-445": (2416, 2417),
    "M-461": (2352,),
}


REFUSALS = [
    pytest.param(row, marks=pytest.mark.claims(claim), id=f"{claim}-{row.name}")
    for claim, numbers in REFUSED.items()
    for row in ROWS
    if (row.number or row.code) in numbers
]


@pytest.mark.parametrize("row", REFUSALS)
def test_refused_and_its_neighbour_not(row: Row) -> None:
    assert {one.midl or one.code for one in row.wrong.findings()} == {row.number or row.code}
    assert row.legal.findings() == []


def numbers(body: str, acf: str = "", **switches: Any) -> set[int | str]:
    """The numbers of all findings, the kit's own where MIDL has none."""
    return {one.midl or one.code for one in text(body, acf, **switches).findings()}


def refused(claims: str, number: int | str, body: str, acf: str = "", **switches: Any) -> Any:
    marks = pytest.mark.claims(*claims.split())
    return pytest.param(number, body, acf, switches, marks=marks, id=f"{claims}-{body[-40:]}")


@pytest.mark.parametrize(
    ("number", "body", "acf", "switches"),
    [
        refused("M-063", 2072, NODE + "void f([in] PNODE p);", "f([allocate(all_nodes)] p);"),
        refused("M-063", 2072, "void f(void);", "[allocate(all_nodes)] f();"),
        refused("M-129", "IDL370", "void f([in] long *a);", "f([force_allocate] a);", target="NT50"),
        refused("M-129", "IDL370", "void f([in, out, unique, partial_ignore] long *a);", target="NT50"),
        refused("M-140", 2065, "void f([out, max_is(n)] long *p, [in] long n);", "f([byte_count(n)] p);"),
        refused("M-140", 2065, "void f([out, length_is(n)] long p[4], [in] long n);", "f([byte_count(n)] p);"),
        refused("M-140", 2065, "void f([out, first_is(n)] long p[4], [in] long n);", "f([byte_count(n)] p);"),
        refused("M-140", 2065, "void f([out, last_is(n)] long p[4], [in] long n);", "f([byte_count(n)] p);"),
        refused("M-172 M-333", 2124, "void f([out] long *n, [in, size_is(4), length_is(*n)] long *a);"),
        refused("M-178", 2124, "void f([out] long *n, [in, out, size_is(4), length_is(*n)] long *a);"),
        refused("M-197", "IDL370", "void f([in, unique, disable_consistency_check] long *a);", target="NT51"),
        refused("M-259", 2072, "void f([in, unique] handle_t h);"),
        refused("M-259", 2181, "typedef [context_handle] void *PCTX; void f([in, unique] PCTX h);"),
        refused("M-259", 2181, "void f([in, unique, context_handle] void *h);"),
        refused("M-301", "IDL344", "void f([in, partial_ignore, unique] long *a);"),
        refused("M-301", "IDL344", "void f([in, out, ptr, partial_ignore] long *a);"),
        refused("M-305", 2072, "typedef [ignore] long *P;"),
        refused("M-379", 2075, "void f([in, string, last_is(1)] char a[9]);"),
        refused("M-407", 2045, "typedef [context_handle] void *P; typedef [wire_marshal(long)] P H;"),
    ],
)  # fmt: skip
def test_refused(number: int | str, body: str, acf: str, switches: dict[str, Any]) -> None:
    assert numbers(body, acf, **switches) == {number}


# --- accepted: the types that a text stands for ----------------------------------------------------


def means(claims: str, declaration: str, expected: str, before: str = "", acf: str = "") -> Any:
    """A row: the last of the parameters ``declaration`` has the type ``expected``."""
    marks = pytest.mark.claims(*claims.split())
    return pytest.param(declaration, expected, before, acf, marks=marks, id=f"{claims}-{declaration}")


UNION = "typedef [switch_type(long)] union { [case(1)] long a; } U;"
OPEN = "typedef struct { long n; [size_is(n)] long a[]; } OPEN;"
CONTEXT = "typedef [context_handle] void *PCTX;"


@pytest.mark.parametrize(
    ("declaration", "expected", "before", "acf"),
    [
        means("M-063", "[in] PNODE p", "ref all_nodes -> node", NODE, "typedef [allocate(all_nodes)] PNODE;"),
        means("M-068", "[in] PNODE p", "ref -> node", NODE, "typedef [allocate(single_node, free)] PNODE;"),
        means("M-069", "[in] PNODE p", "ref dont_free -> node", NODE, "typedef [allocate(dont_free)] PNODE;"),
        means("M-068 M-148", "[in] PNODE p", "ref all_nodes dont_free -> node", NODE,
              "typedef [allocate(all_nodes, dont_free)] PNODE;"),
        means("M-190", "[in, out, unique] long *p", "unique -> long"),
        means("M-190", "[in, out, ptr] long *p", "ptr -> long"),
        means("M-190 M-222", "[out] long **p", "ref -> unique -> long"),
        means("M-190 M-222", "[out] PLONG *p", "ref -> ptr -> long", "typedef [ptr] long *PLONG;"),
        means("M-301", "[in, out, unique, partial_ignore] long *p", "unique partial_ignore -> long"),
        means("M-302", "[in, out, unique, partial_ignore, string, size_is(9)] char *s",
              "unique partial_ignore -> [, size 9, string] char"),
        means("M-309", "[out] IOther **p", "ref -> <interface IOther>", "interface IOther;"),
        means("M-314", "[out] long p[3]", "ref -> [3] long"),
        means("M-320", "[out] long *n, [out, size_is(, *n)] long **p", "ref -> unique -> [, size *n] long"),
        # K6: the pair is used by one page and forbidden by another
        means("M-330", "[in] long l, [in, size_is(8), last_is(l)] long *p",
              "ref -> [, size 8, length ((l<0)?0:(l+1))] long"),
        means("M-336", "[in] long n, [in, size_is(2 * n + 1)] long *p", "ref -> [, size ((2*n)+1)] long"),
        means("M-338", "[in] long n, [in, size_is(n)] long *p", "ref -> [, size n] long"),
        means("M-339", "[in] long m, [in, size_is(m)] short *p", "ref -> [, size m] short"),
        means("M-340", "[in] long m, [in, size_is(, m)] short **pp", "ref -> unique -> [, size m] short"),
        means("M-341", "[in] long m, [in, size_is(m ,)] short **pp", "ref -> [, size m] unique -> short"),
        means("M-342", "[in] long m, [in] long n, [in, size_is(m, n)] short **pp",
              "ref -> [, size m] unique -> [, size n] short"),
        means("M-343", "[out] long *pSize, [out, size_is( , *pSize)] long **pp",
              "ref -> unique -> [, size *pSize] long"),
        means("M-344", "[in] long m, [in, size_is(m)] short b[][20]", "ref -> [, size m] [20] short"),
        means("M-345", "[in] long m, [in, size_is(m)] short b[][20][3]", "ref -> [, size m] [20] [3] short"),
        means("M-347", "[out] OPEN **p", "ref -> unique -> OPEN", OPEN),
        means("M-348", "[in] OPEN *p", "ref -> OPEN", OPEN),
        means("M-353", "[in] long a[0..7]", "ref -> [8] long"),
        means("M-361", "[in, range(0, 9)] long n", "long in 0..9"),
        means("M-374", "[in, string] char *s", "ref -> [, string] char"),
        means("M-374", "[in, out, string, max_is(7)] char *s", "ref -> [, size 8, string] char"),
        means("M-375", "[out, string, size_is(8)] char *s", "ref -> [, size 8, string] char"),
        means("M-380", "[in] long n, [in, string, size_is(n)] char *s", "ref -> [, size n, string] char"),
        means("M-381", "[in, string] byte *s", "ref -> [, string] byte"),
        means("M-381", "[in, string] wchar_t *s", "ref -> [, string] wchar_t"),
        means("M-382", "[in, string] char s[4][16]", "ref -> [4] [16, string] char"),
        means("M-382", "[in, string] char **s", "ref -> unique -> [, string] char"),
        means("M-405", "[out] PCTX *h", "ref -> <context PCTX>", CONTEXT),
        means("M-406", "[in] PCTX h[2]", "ref -> [2] <context PCTX>", CONTEXT),
        means("M-408", "[in] H h", "<context H>", "typedef struct { long a; } S; typedef [context_handle] S *H;"),
        means("M-437", "[in] T p", "<transmit_as T>", "typedef [transmit_as(long)] struct { long *q; } T;"),
        means("M-445", "[in] T p", "<wire_marshal T>", OPEN + "typedef OPEN *P; typedef [wire_marshal(P)] long T;"),
    ],
)  # fmt: skip
def test_accepted(declaration: str, expected: str, before: str, acf: str) -> None:
    attributes = f"interface i {{ {acf} }}" if acf else None
    assert parameter(declaration, before=before, acf=attributes) == expected


def compiled(body: str, acf: str | None = None, header: str = HEADER, **switches: Any) -> t.Interface:
    return compile_idl(interface(body, header), acf, switches=Switches(**switches)).interface


# --- switches --------------------------------------------------------------------------------------


@proving("M-030")
def test_rpcss_is_enable_allocate_everywhere() -> None:
    body = "void f(void); long g([in] long a);"
    plain, legacy = compiled(body).procedures, compiled(body, rpcss=True).procedures
    assert [one.attributes for one in plain.values()] == [{}, {}]
    assert [one.attributes for one in legacy.values()] == [{"enable_allocate": True}] * 2
    said = compiled(body, "interface i { [enable_allocate] f(); }").procedures
    assert said["f"].attributes == legacy["f"].attributes


@proving("M-197")
@pytest.mark.parametrize(
    ("body", "switches"),
    [
        ("void f([in] long n, [in, unique, size_is(n), disable_consistency_check] long *a);", {}),
        (
            "typedef [disable_consistency_check] long *P; void f([in] long n, [in, unique, size_is(n)] P a);",
            {},
        ),
        ("void f([in] long n, [in, unique, size_is(n)] long *a);", {"maybenull_sizeis": True}),
    ],
)
def test_the_consistency_check_can_be_disabled(body: str, switches: dict[str, bool]) -> None:
    _, parameter_ = compiled(body, target="NT60", **switches).procedures["f"].parameters
    assert parameter_.attributes == {"disable_consistency_check": True}


@proving("M-361")
def test_without_robust_a_range_is_not_there() -> None:
    body = "void f([in, range(0, 9)] long n, [in, size_is(n), range(1, 2)] long *a);"
    types = [one.type for one in compiled(body, robust=False).procedures["f"].parameters]
    assert [show(one) for one in types] == ["long", "ref -> [, size n] long"]
    types = [one.type for one in compiled(body).procedures["f"].parameters]
    assert [show(one) for one in types] == ["long in 0..9", "ref -> [, size n, count (1, 2)] long"]


@proving("M-313")
def test_a_parameter_without_direction_is_in() -> None:
    (only,) = compiled("void f(long *a);").procedures["f"].parameters
    assert (only.is_in, only.is_out) == (True, False)


@proving("M-198")
@pytest.mark.parametrize(
    "result", ["long", "double", "char *", "S", "S *", "E", "[string] char *", "PCTX", "[ptr] long *"]
)
def test_any_other_type_may_be_returned(result: str) -> None:
    before = f"typedef struct {{ long a; }} S; typedef enum {{ A }} E; {CONTEXT} "
    attributes, _, name = result.rpartition("]")
    body = f"{before}{attributes + ']' if attributes else ''} {name} f(void);"
    assert numbers(body) <= {2246}
    assert compiled(body).procedures["f"].result is not None


@proving("M-305")
def test_ignore_marks_a_member() -> None:
    (member,) = compiled("typedef struct { [ignore] long *p; } S;").types["S"].members  # type: ignore[union-attr]
    assert show(member.type) == "unique ignore -> long"


# --- which attribute a pointer has -----------------------------------------------------------------


@proving("M-273")
@pytest.mark.parametrize("header", [HEADER, FULL, BARE])
@pytest.mark.parametrize("osf", [False, True])
def test_top_level_pointers_are_ref(header: str, osf: bool) -> None:
    (only,) = compiled("void f([in] long *a);", header=header, osf=osf).procedures["f"].parameters
    assert show(only.type) == "ref -> long"


@pytest.mark.parametrize(
    ("header", "osf", "kind", "number"),
    [
        pytest.param(HEADER, False, "unique", None, marks=pytest.mark.claims("M-274")),
        pytest.param(FULL, False, "ptr", None, marks=pytest.mark.claims("M-274")),
        pytest.param(HEADER.replace("unique", "ref"), False, "ref", None, marks=pytest.mark.claims("M-274")),
        pytest.param(HEADER, True, "unique", None, marks=pytest.mark.claims("M-274")),
        pytest.param(BARE, False, "unique", 2038, marks=pytest.mark.claims("M-275", "M-281")),
        pytest.param(BARE, True, "ptr", 2172, marks=pytest.mark.claims("M-275", "M-281")),
    ],
)
def test_other_pointers_take_the_default(header: str, osf: bool, kind: str, number: int | None) -> None:
    built = compile_idl(interface(LINKED, header), switches=Switches(osf=osf))
    (member,) = built.types["S"].members  # type: ignore[union-attr]
    assert show(member.type) == f"{kind} -> long"
    assert [one.midl for one in built.warnings] == ([number] if number else [])


@proving("M-276")
def test_the_documented_example_with_a_default() -> None:
    ring = "struct ring { struct ring *pRight; struct ring *pLeft; long Data; };"
    built = compiled(
        f"typedef long *PLONG; {ring} void Foo1([in] PLONG p); void Foo2([in] struct ring *p); struct ring *Foo3(void);",
        header=FULL,
    )
    kinds = [show(built.procedures[name].parameters[0].type) for name in ("Foo1", "Foo2")]
    assert kinds == ["ref -> long", "ref -> ring"]
    right, left, _ = built.types["ring"].members  # type: ignore[union-attr]
    assert [show(right.type), show(left.type)] == ["ptr -> ring"] * 2
    assert show(built.procedures["Foo3"].result) == "ptr -> ring"


@proving("M-277")
def test_the_documented_example_without_a_default() -> None:
    chain = "struct chain { struct chain *pNext; long Data; };"
    built = compiled(f"{chain} void Foo4([in] struct chain *p); struct chain *Foo5(void);", header=BARE)
    assert show(built.procedures["Foo4"].parameters[0].type) == "ref -> chain"
    assert show(built.types["chain"].members[0].type) == "unique -> chain"  # type: ignore[union-attr]
    assert show(built.procedures["Foo5"].result) == "unique -> chain"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("typedef [ptr] long *P; void f([in] P a);", "ptr -> long", marks=proving("M-278")),
        pytest.param("void f([in, ptr] long *a);", "ptr -> long", marks=proving("M-278")),
        pytest.param("typedef long *P; void f([in, ptr] P a);", "ptr -> long", marks=proving("M-278 M-286")),
        pytest.param("typedef long *P; void f([in] P a);", "ref -> long", marks=proving("M-286")),
        pytest.param("typedef long *P; void f([in] P *a);", "ref -> unique -> long", marks=proving("M-286")),
        pytest.param(
            "void f([in, ptr] long ***a);", "ptr -> unique -> unique -> long", marks=proving("M-283")
        ),
        pytest.param(
            "typedef [ref] long *R; void f([in, ptr] R *a);", "ptr -> ref -> long", marks=proving("M-283")
        ),
    ],
)
def test_explicit_attributes_come_first(body: str, expected: str) -> None:
    assert show(compiled(body).procedures["f"].parameters[0].type) == expected


@proving("M-286")
def test_a_typedef_takes_the_attribute_at_each_use() -> None:
    body = "typedef long *P; typedef struct { [ref] P a; [ptr] P b; P c; } S;"
    members = compiled(body).types["S"].members  # type: ignore[union-attr]
    assert [show(one.type) for one in members] == ["ref -> long", "ptr -> long", "unique -> long"]


@pytest.mark.parametrize(
    ("defining", "importing", "osf", "kind"),
    [
        pytest.param("ptr", "unique", False, "ptr", marks=proving("M-279")),
        pytest.param("ref", None, False, "ref", marks=proving("M-279")),
        pytest.param("unique", "ptr", True, "unique", marks=proving("M-279")),
        pytest.param(None, "ptr", False, "ptr", marks=proving("M-280 M-282")),
        pytest.param(None, "ref", False, "ref", marks=proving("M-280 M-282")),
        pytest.param(None, "unique", True, "ptr", marks=proving("M-282")),
        pytest.param(None, "ref", True, "ptr", marks=proving("M-282")),
        pytest.param(None, None, False, "unique", marks=proving("M-281")),
        pytest.param(None, None, True, "ptr", marks=proving("M-281")),
    ],
)
def test_defaults_of_imported_types(
    tmp_path: Path, defining: str | None, importing: str | None, osf: bool, kind: str
) -> None:
    def header(name: str, default: str | None) -> str:
        return f"[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802){f', pointer_default({default})' if default else ''}] interface {name}"

    (tmp_path / "types.idl").write_text(f"{header('types', defining)} {{ typedef struct {{ long *p; }} S; }}")
    calls = f'import "types.idl"; {header("calls", importing)} {{ void f([in] S *s); }}'
    (tmp_path / "calls.idl").write_text(calls)
    struct = compile_file(tmp_path / "calls.idl", switches=Switches(osf=osf)).types["S"]
    assert show(struct.members[0].type) == f"{kind} -> long"  # type: ignore[union-attr]


@proving("M-218")
def test_reflect_deletions_belongs_to_dce() -> None:
    body = interface("[reflect_deletions] void f([in, out, ptr] long *p);")
    compile_idl(body, switches=Switches(osf=True))
    with pytest.raises(IdlError, match="IDL425"):
        compile_idl(body)


# --- the list is complete --------------------------------------------------------------------------


def test_every_claim_about_the_compiler_is_proved_here() -> None:
    about_the_compiler = {claim.id for claim in claims().values() if "compile" in claim.verify}
    assert len(about_the_compiler) == 94
    assert about_the_compiler - set(re.findall(r"M-\d{3}", Path(__file__).read_text("utf-8"))) == set()
