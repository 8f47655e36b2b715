"""Interfaces: numbers, names, directions, attributes of both files, and what is left out."""

from __future__ import annotations

import pytest

from rpcmemkit.idl import compile_idl
from tests.idl.helpers import HEADER, compiled, findings, interface, show


def test_header() -> None:
    text = (
        '[uuid(3D1F0A52-6d0c-4c6e-9a6f-2b8f6a0d1802), version(2.7), endpoint("ncacn_np:[\\\\pipe\\\\x]", "ncalrpc:[y]"),'
        " ms_union, lcid(0x409), custom(a b), shape()] interface i { }"
    )
    built = compile_idl(
        text, '[explicit_handle, optimize("i"), implicit_handle(handle_t h)] interface i { }'
    ).interface
    assert (built.name, built.uuid, built.version) == ("i", "3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802", (2, 7))
    assert built.attributes == {
        "endpoint": ("ncacn_np:[\\pipe\\x]", "ncalrpc:[y]"),
        "ms_union": True,
        "lcid": 0x409,
        "custom": "a b",
        "shape": True,
        "explicit_handle": True,
        "optimize": "i",
        "implicit_handle": "handle_t h",
    }
    assert not built.is_object
    assert not built.osf


@pytest.mark.parametrize(
    ("text", "version"),
    [("version(3)", (3, 0)), ("local", (0, 0)), ('uuid("{3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802}")', (0, 0))],
)
def test_version(text: str, version: tuple[int, int]) -> None:
    assert compile_idl(f"[{text}] interface i {{ }}").interface.version == version


def test_opnums_follow_the_text() -> None:
    built = compiled(
        "void a(void); [local] void b(void *p); void c(void); [callback] void d(void); void e();"
    )
    assert [(one.name, one.opnum) for one in built.procedures.values()] == [
        ("a", 0),
        ("c", 1),
        ("d", 0),
        ("e", 2),
    ]
    assert built.procedures["d"].attributes == {"callback": True}
    assert built.procedures["a"].parameters == []


def test_local_interfaces_hold_types_only() -> None:
    built = compile_idl("[local] interface i { typedef long T; void f(void *p); }").interface
    assert built.procedures == {}
    assert "T" in built.types


def test_object_interfaces_inherit() -> None:
    text = """
    [object, local, uuid(00000000-0000-0000-C000-000000000046)] interface IUnknown { HRESULT Q([in] void *p); }
    [object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface IEnum : IUnknown
    {
      typedef [unique] IEnum *LPENUM;
      [local] HRESULT Next([in] long n, [out] void *p);
      [call_as(Next)] HRESULT RemoteNext([in] long n, [out] long *p);
      [propget] HRESULT Count([out, retval] long *n);
      [propput] HRESULT Count([in] long n);
      HRESULT Clone([out] IEnum **e, [in] LPENUM f);
    }
    coclass C { [default] interface IEnum; }
    library L { interface IEnum; dispinterface D { properties: long a; methods: [id(1)] long m([in] long x); } }
    """
    compilation = compile_idl("typedef long HRESULT;" + text)
    unknown, enum, dispatch = compilation.interfaces
    assert [one.is_object for one in compilation.interfaces] == [True, True, True]
    assert list(unknown.procedures) == ["Q"]
    assert [(one.name, one.opnum) for one in enum.procedures.values()] == [
        ("Q", 0), ("Next", 1), ("RemoteNext", 1), ("Count", 3), ("Clone", 4),
    ]  # fmt: skip
    assert [show(one.type) for one in enum.procedures["Clone"].parameters] == [
        "ref -> <interface IEnum>",
        "<interface IEnum>",
    ]
    assert list(dispatch.procedures) == ["m"]


def test_parameters() -> None:
    built = compiled(
        "long f(long a,\n   [in,  out]\n long *b, [out, retval] error_status_t *c, [in, annotation(3, x)] long d);",
        "interface i { [notify, code] f([comm_status] c); }",
    )
    procedure = built.procedures["f"]
    a, b, c, d = procedure.parameters
    assert [(one.is_in, one.is_out) for one in (a, b, c, d)] == [
        (True, False),
        (True, True),
        (False, True),
        (True, False),
    ]
    assert (a.declaration, b.declaration) == ("long a", "[in, out] long *b")
    assert (c.declaration, d.declaration) == (
        "[out, retval] error_status_t *c",
        "[in, annotation(3, x)] long d",
    )
    assert (b.attributes, c.attributes) == ({}, {"retval": True, "comm_status": True})
    assert d.attributes == {"annotation": (3, "x")}
    assert procedure.attributes == {"notify": True, "code": True}
    assert procedure.declaration.startswith("long f(long a, [in, out] long *b,")


def test_results() -> None:
    built = compiled(
        "void a(void); long b(void); [string] char *c(void); [ptr] long *d(void); long *e(void);"
        " typedef [context_handle] void *H; H g(void);"
    )
    shown = [show(one.result) for one in built.procedures.values()]
    assert shown == [
        "nothing",
        "long",
        "unique -> [, string] char",
        "ptr -> long",
        "unique -> long",
        "<context H>",
    ]


def test_unnamed_parameters() -> None:
    built = compiled("void f([in] long, [in] long *, [in] long[2], [in] char *[2]);")
    assert [(one.name, show(one.type)) for one in built.procedures["f"].parameters] == [
        ("parameter1", "long"),
        ("parameter2", "ref -> long"),
        ("parameter3", "ref -> [2] long"),
        ("parameter4", "ref -> [2] unique -> char"),
    ]


def test_what_an_interface_leaves_unsaid_is_warned_about() -> None:
    found = findings("interface i { typedef struct { long *p; } S; void f([in] S *s); }")
    assert [(one.code, one.severity, one.column) for one in found] == [
        ("IDL357", "warning", 11),
        ("IDL213", "warning", 11),
    ]


def test_variables_are_no_procedures() -> None:
    found = findings(interface("long x; long (*p)(void);"))
    assert [(one.code, one.column) for one in found] == [("IDL223", 6), ("IDL223", 16)]
    assert compiled("extern long x;").procedures == {}
    assert not findings(interface("[id(1)] long x;", HEADER.replace("interface i", "dispinterface i")))


def test_the_handle_parameter_stays() -> None:
    built = compiled("void f([in] handle_t h, [in] long a);", osf=True)
    assert [show(one.type) for one in built.procedures["f"].parameters] == ["<handle handle_t>", "long"]
    assert built.osf
