"""Types: base types in all their spellings, enumerations, structures, unions, typedefs, constants."""

from __future__ import annotations

import pytest

from rpcmemkit import types as t
from rpcmemkit.idl import compile_idl
from tests.idl.helpers import compiled, findings, interface, show, spell


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("long", "long"), ("int", "long"), ("signed", "long"), ("signed long int", "long"), ("__int32", "long"),
        ("unsigned", "unsigned long"), ("unsigned int", "unsigned long"), ("long unsigned int", "unsigned long"),
        ("short int", "short"), ("unsigned short", "unsigned short"), ("__int16", "short"),
        ("char", "char"), ("unsigned char", "unsigned char"), ("signed char", "signed char"),
        ("small", "small"), ("unsigned small", "unsigned small"), ("__int8", "small"),
        ("unsigned __int8", "unsigned small"),
        ("hyper", "hyper"), ("long long", "hyper"), ("unsigned long long int", "unsigned hyper"),
        ("__int64", "hyper"), ("unsigned __int64", "unsigned hyper"), ("unsigned hyper int", "unsigned hyper"),
        ("__int3264", "__int3264"), ("unsigned __int3264", "unsigned __int3264"),
        ("float", "float"), ("double", "double"), ("boolean", "boolean"), ("byte", "byte"),
        ("wchar_t", "wchar_t"), ("error_status_t", "error_status_t"), ("const long", "long"),
    ],
)  # fmt: skip
def test_base_types(words: str, name: str) -> None:
    assert compile_idl(f"typedef {words} T;").types["T"] is t.BASES[name]


def test_every_base_type_can_be_written() -> None:
    assert all(compile_idl(f"typedef {name} T;").types["T"] is base for name, base in t.BASES.items())


def test_enumerations() -> None:
    types = compile_idl(
        "typedef enum { A, B = 5, C, D = B * 2 } E; typedef [v1_enum] enum tag { X } F; enum tag2 { Y }; typedef enum tag G;"
    ).types
    enum, wide, again = types["E"], types["F"], types["G"]
    assert isinstance(enum, t.EnumType)
    assert isinstance(wide, t.EnumType)
    assert enum.labels == {"A": 0, "B": 5, "C": 6, "D": 10}
    assert (enum.name, enum.v1, wide.name, wide.v1) == ("E", False, "tag", True)
    assert again is wide


def test_labels_in_a_namespace_do_not_meet() -> None:
    compile_idl("namespace N { enum E { A = 1 }; enum F { A = 2 }; }")


def test_structures_may_be_recursive() -> None:
    types = compile_idl(
        "struct b; typedef struct a { struct b *other; struct a *self; } a; struct b { a *other; long v, *w; };"
        "typedef struct record record; typedef record *PRECORD; struct record { PRECORD next; };"
    ).types
    a, b, record = types["a"], types["b"], types["record"]
    assert isinstance(a, t.Struct)
    assert isinstance(b, t.Struct)
    assert isinstance(record, t.Struct)
    assert a.members[0].type.target is b  # type: ignore[union-attr]
    assert a.members[1].type.target is a  # type: ignore[union-attr]
    assert [member.name for member in b.members] == ["other", "v", "w"]
    assert record.members[0].type.target is record  # type: ignore[union-attr]


def test_one_structure_under_many_names() -> None:
    types = compile_idl("typedef struct { long a; } S, *PS; typedef S T;").types
    assert types["S"] is types["T"] is types["PS"].target  # type: ignore[union-attr]
    assert types["S"].name == "S"  # type: ignore[union-attr]


def test_anonymous_members_get_names() -> None:
    built = compiled(
        "typedef struct { long k; [switch_is(k), switch_type(long)] union { [case(1, 2)] long a; [default] ; };"
        " struct { long b; }; } S; void f([in] S *s);"
    )
    struct = built.types["S"]
    assert isinstance(struct, t.Struct)
    assert [member.name for member in struct.members] == ["k", "anonymous2", "anonymous3"]
    switched = struct.members[1].type
    assert isinstance(switched, t.Switched)
    assert spell(switched.switch_is) == "k"
    assert [(arm.labels, arm.default) for arm in switched.union.arms] == [((1, 2), False), ((), True)]


def test_unions() -> None:
    types = compile_idl(
        "const long TWO = 2; typedef enum { RED, BLUE } COLOUR;"
        "typedef union switch (short kind) body { case 1: case TWO: long n; case 3: ; default: short *s; } U;"
        "typedef union tag switch (COLOUR c) { case RED: long n; } V;"
        "typedef [switch_type(unsigned short)] union { [case(TWO)] long a; [case(6, 5)] ; } W;"
        "typedef [switch_type(enum e)] union { [case(0)] long a; } X;".replace("enum e", "COLOUR")
    ).types
    union, tagged, plain, by_enum = (types[name] for name in "UVWX")
    assert isinstance(union, t.EncapsulatedUnion)
    assert isinstance(tagged, t.EncapsulatedUnion)
    assert isinstance(plain, t.Union)
    assert isinstance(by_enum, t.Union)
    assert (union.name, union.tag, union.union_name, union.union.name) == ("U", "kind", "body", "U")
    assert [(arm.labels, arm.default, arm.member and arm.member.name) for arm in union.union.arms] == [
        ((1, 2), False, "n"),
        ((3,), False, None),
        ((), True, "s"),
    ]
    assert (tagged.name, tagged.union_name, tagged.union.switch) == ("tag", "tagged_union", types["COLOUR"])
    assert plain.switch is t.BASES["unsigned short"]
    assert [arm.labels for arm in plain.arms] == [(2,), (6, 5)]
    assert by_enum.switch is types["COLOUR"]


UNTYPED = "typedef union { [case(1)] long a; [case(3)] short *b; [default] ; } U;"


@pytest.mark.parametrize(
    ("tag", "read", "switch"),
    [
        ("short k", "k", "short"), ("unsigned char k", "k", "unsigned char"), ("unsigned long k", "k", "unsigned long"),
        ("boolean *k", "*k", "boolean"), ("[range(0, 9)] small k", "k", "small"),
        ("short k", "k + 1", "long"), ("short k", "k), switch_type(unsigned short", "unsigned short"),
    ],
)  # fmt: skip
def test_a_union_without_a_switch_type_takes_the_one_of_its_discriminant(
    tag: str, read: str, switch: str
) -> None:
    union = UNTYPED.replace("[case(3)] short *b; ", "") if switch == "boolean" else UNTYPED
    tag = tag if tag.startswith("[") else f"[ref] {tag}" if "*" in tag else tag
    built = compiled(
        f"{union} typedef struct {{ {tag}; [switch_is({read})] U u; }} S; void f([in] S *s, [in] long n, [in, switch_is(n)] U *v);"
    )
    members = built.types["S"].members  # type: ignore[union-attr]
    assert members[1].type.union.switch is t.BASES[switch]
    assert built.procedures["f"].parameters[2].type.target.union.switch is t.BASES["long"]  # type: ignore[union-attr]


def test_the_labels_of_a_union_without_a_switch_type_are_checked_where_it_is_used() -> None:
    union = "typedef union { [case(-1)] long a; [case(70000)] short b; } U;"
    use = "typedef struct { unsigned long k; [switch_is(k)] U u; } S; void f([in] S *s);"
    members = compiled(union + use).types["S"].members  # type: ignore[union-attr]
    assert [arm.labels for arm in members[1].type.union.arms] == [(0xFFFFFFFF,), (70000,)]
    use = "void f([in] {} k, [in, switch_is(k)] U *u);"
    for tag, code in (("short", "IDL224"), ("byte", "IDL209")):
        assert [one.code for one in findings(interface(union + use.format(tag)))] == [code]


def test_an_encapsulated_union_is_a_structure_to_whoever_points_to_it() -> None:
    union = "typedef union tag switch (unsigned char kind) body { case 1: long n; } U;"
    types = compiled(union + "typedef struct tag *P; void f([in] P p);").types
    assert types["P"].target is types["U"]  # type: ignore[union-attr]
    again = findings(interface(union + "typedef struct tag { long n; } S; void f([in] S *s);"))
    assert [one.code for one in again] == ["IDL202"]


def test_union_parameter() -> None:
    built = compiled(
        "typedef [switch_type(long)] union { [case(1)] long a; } U;"
        "void f([in] long k, [in, switch_is(k + 1)] U *u, [in, switch_is(k)] U v);"
    )
    assert [show(one.type) for one in built.procedures["f"].parameters[1:]] == ["ref -> U by (k+1)", "U by k"]


@pytest.mark.parametrize(
    "text",
    [
        "typedef long A; typedef long A;",
        "typedef struct { long a; } A; typedef struct { long a; } A;",
        "typedef enum { X } A; typedef enum { X } A;",
        "typedef void *A; typedef void *A;",
        "const long A = 1; const long A = 1;",
        "typedef unsigned long error_status_t;",
    ],
)
def test_saying_the_same_twice_is_fine(text: str) -> None:
    assert not findings(text)


def test_user_marshalled_types_keep_their_wire_type() -> None:
    types = compile_idl(
        "typedef [wire_marshal(long)] struct { hyper a; } BIG; typedef BIG *PBIG; typedef [transmit_as(short)] long L;"
    ).types
    big = types["BIG"]
    assert isinstance(big, t.Converted)
    assert (big.how, show(big.presented), show(big.sent)) == ("wire_marshal", "", "long")
    assert types["PBIG"].target is big  # type: ignore[union-attr]


def test_one_report_per_unknown_name() -> None:
    found = findings("interface i { void f([in] DWORD a, [in] DWORD *b, [in, string] LPSTR c); }")
    assert [(one.code, one.column) for one in found] == [("IDL201", 27), ("IDL201", 64), ("IDL213", 11)]


def test_constant_declarations() -> None:
    constants = compile_idl(
        'const long A = 1, B = A + 1; interface i { const char *C = "x"; const double D = 2; }'
    ).constants
    assert {name: constants[name] for name in "ABCD"} == {"A": 1, "B": 2, "C": "x", "D": 2.0}


def test_array_bounds() -> None:
    types = compile_idl(
        "const long N = 3; typedef long A[N * 2], B[0..N]; typedef struct { long x[0..*]; } C;"
    ).types
    assert [types[name].bound for name in "AB"] == [6, 4]  # type: ignore[union-attr]
    assert types["C"].members[0].type.bound is None  # type: ignore[union-attr]


def test_string_on_a_bstr_has_no_effect() -> None:
    """Windows' netlistmgr.idl writes [out, string] BSTR *."""
    text = interface(
        "typedef struct { long n; [size_is(n)] short a[]; } BLOB; typedef [unique] BLOB *wireBSTR;"
        "typedef [wire_marshal(wireBSTR)] short *BSTR;"
        "void f([in, string] BSTR a, [out, string] BSTR *b, [in, ref] const BSTR *c, [in] const BSTR d);"
    )
    assert findings(text) == []


def test_a_constant_may_be_the_complement_of_an_unsigned_one() -> None:
    """As in ocidl.idl."""
    constants = compiled("const unsigned long ALL = ((unsigned long)(~(0x80000000)));").constants
    assert constants["ALL"] == 0x7FFFFFFF
