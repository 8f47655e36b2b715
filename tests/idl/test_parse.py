"""The grammar: every construct that real files use, and errors that say what was expected."""

from __future__ import annotations

import pytest

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.parse import parse_acf, parse_idl
from rpcmemkit.idl.preprocess import read_source
from rpcmemkit.idl.report import Report
from tests.idl.helpers import findings, interface


def parse(text: str) -> list[s.Item]:
    report = Report()
    items = parse_idl(read_source(text, "x.idl", report), report)
    assert not report.diagnostics, str(report.diagnostics[0])
    return items


@pytest.mark.parametrize(
    "text",
    [
        'import "a.idl", "b.idl";',
        'cpp_quote("x")',
        'cpp_quote("x");;',
        "midl_pragma warning(disable: 2400 2401)",
        'library L { importlib("stdole2.tlb"); [default] coclass C { [default] interface I; [source] dispinterface D; } }',
        "dispinterface D { properties: [id(1)] long a; methods: [id(2), propget] long b([in] VARIANT v); }",
        "dispinterface D { interface I; }",
        '[dllname("<x>")] module M { const long A = 1; [entry(3)] long __stdcall f([in] long a); }',
        "[ , object, uuid(12345678-1234-1234-1234-1234567890AB), ] interface I : IUnknown { }",
        "interface I : A.B.C requires D.E, F<G *> { [eventadd] HRESULT e([in] H<I, J *> *h, [out, retval] T *t); }",
        "apicontract Contract { }",
        "namespace Windows.Foundation { declare { interface IVector<HSTRING>; } runtimeclass R : B { } delegate void D(void); }",
        "[uuid(12345678-1234-1234-1234-1234567890AB)] delegate HRESULT Handler<T>([in] IFoo *a, [in] T b);",
        "[contract(Windows.Foundation.UniversalApiContract, 1.0)] enum E { A [a], };".replace(" [a]", ""),
        "enum E { [helpstring(\"x\")] A = 1 << 2, B = A | 1, };",
        "typedef enum tag { A } E; typedef enum tag F;",
        "[hidden] typedef struct tag { int a; } T;",
        "typedef [public, v1_enum] enum { A, B } E;",
        "typedef struct { union { long a; }; struct { long b; } c; [switch_is(c)] [switch_type(long)] union { [case(1)] long d; } e; } T;",
        "typedef union switch (unsigned long k) u { case 1: case 2: long a; default: ; } U;",
        "typedef HRESULT (__stdcall *PFN)(IUnknown *a, [in] long b), *Q[3];",
        "typedef interface IFoo IFoo; typedef IFoo *PFOO;",
        "typedef pipe struct s { long a; } P;",
        "interface I { [call_as(F), local] HRESULT STDMETHODCALLTYPE G(const long * const * volatile a, long[], long *[2]); }",
        "interface I { void f([in] SAFEARRAY(VARIANT) a, [in] SAFEARRAY b, ...); }",
        "typedef struct { long a : 3; long : 5; } B;",
        "long global; extern const long x;",
        "interface I { void f([defaultvalue(-1), range(0, (1 << 3) - 1)] long a, [defaultvalue(\"x\")] T b); }",
        "interface I { [custom(12345678-1234-1234-1234-1234567890AB, \"v\")] void f(); }",
    ],
)  # fmt: skip
def test_accepted(text: str) -> None:
    parse(text)


def test_declarators_read_from_the_name_outwards() -> None:
    (declaration,) = parse("typedef long *a[2], (*b)[3], *(*c)(long), **d;")
    assert isinstance(declaration, s.Declaration)
    kinds = [[type(layer).__name__[:-5] for layer in one.layers] for one in declaration.targets]
    assert kinds == [
        ["Array", "Pointer"],
        ["Pointer", "Array"],
        ["Pointer", "Function", "Pointer"],
        ["Pointer"] * 2,
    ]


def test_attributes() -> None:
    (declaration,) = parse("[in, id(1), size_is(,x), range()] [out] typedef [ref] long T;")
    assert isinstance(declaration, s.Declaration)
    assert [(one.name, len(one.arguments)) for one in declaration.attributes.items] == [
        ("in", 0), ("id", 1), ("size_is", 2), ("range", 0), ("out", 0), ("ref", 0),
    ]  # fmt: skip
    assert "in" in declaration.attributes
    assert declaration.attributes.get("x", "out") is declaration.attributes.items[4]
    assert s.NO_ATTRIBUTES.get("in") is None


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("interface i { void f([in] long a }", 1, 34, ["')'", "','", "'['"]),
        ("interface i { typedef struct { long a } S; }", 1, 39, ["';'", "','"]),
        ("interface i { void f([in] ); }", 1, 27, ["a type name"]),
        ("typedef enum { A = } E;", 1, 20, ["a name", "a number"]),
        ("interface { }", 1, 11, ["a name"]),
        ("interface i\n{\n  void f(void)\n}", 4, 1, ["';'"]),
        ("interface i { ", 1, 13, ["'}'"]),
    ],
)
def test_what_was_expected(text: str, line: int, column: int, expected: list[str]) -> None:
    found = findings(text)[0]
    assert (found.line, found.column) == (line, column)
    assert set(expected) <= set(found.expected)


def test_recovery_finds_each_mistake_once() -> None:
    text = "interface i {\n long f(long long a b);\n typedef struct { long x y; } S;\n void g(void);\n void h([in long a);\n}"
    assert [one.line for one in findings(text)] == [2, 3, 5]


def test_recovery_gives_up_in_the_end() -> None:
    assert len(findings("interface i {" + "long f(a b c);\n" * 50 + "}")) == 10


def test_attribute_files() -> None:
    report = Report()
    text = (
        '[auto_handle] interface i { include "a.h", "b.h"; typedef [allocate(all_nodes)] A, B;'
        " [code] f([byte_count(n)] a, b), g(); h(void); ; }"
    )
    (interface,) = parse_acf(read_source(text, "x.acf", report), report)
    assert not report.diagnostics
    assert [type(item).__name__ for item in interface.items] == ["AcfTypes", *["AcfProcedure"] * 3]


def test_a_broken_attribute_file_is_reported_as_such() -> None:
    found = findings("interface i { }", "interface i { typedef A; }")[0]
    assert (found.code, found.file) == ("IDL101", "interface.acf")


@pytest.mark.parametrize(
    ("body", "word", "column"),
    [
        ("struct S { long struct; };", "struct", 17),
        ("enum E { long, B };", "long", 10),
        ("typedef long union;", "union", 14),
        ("typedef struct case { long a; } T;", "case", 16),
        ("void f([in] long interface);", "interface", 18),
        ("void f([out] long *default, [in] long b);", "default", 20),
        ("void register([in] long b);", "register", 6),
        ("struct S { long byte; };", "byte", 17),
        ("void f([in] long boolean);", "boolean", 18),
        ("typedef unsigned char byte;", "byte", 23),
        ("typedef struct handle_t { long a; } T;", "handle_t", 16),
        ("enum E { byte, B };", "byte", 10),
        ("void handle_t([in] long b);", "handle_t", 6),
    ],
)
def test_a_reserved_word_is_no_name(body: str, word: str, column: int) -> None:
    """Reserved-keywords.md. One finding, at the word; what follows it is read as if the name were a good one."""
    (found,) = findings(interface(body))
    assert (found.code, found.line, found.column) == ("IDL101", 4, column)
    assert found.remedy == f"'{word}' is a reserved word: choose another name"


@pytest.mark.parametrize(
    "body",
    [
        "const long A = (unsigned long) 5 + sizeof(long);",
        "typedef [switch_type(unsigned long)] union { [case(1)] long a; [default] ; } U;",
        "typedef struct { long longer, interfaces, structure; } S;",
        "typedef byte BYTE; typedef boolean BOOLEAN; void f([in] handle_t h, [in] byte, [in] boolean TRUE);",
        "typedef struct { byte *bytes; boolean is_handle_t; } S;",
    ],
)
def test_words_that_only_look_reserved(body: str) -> None:
    assert findings(interface(body)) == []


@pytest.mark.parametrize(
    ("body", "word", "line", "column"),
    [
        ("const long A = 5\nconst long B = 6;", "const", 5, 1),
        ("const long A = 5 const long B = 6;", "const", 4, 18),
        ("const long A = 5\nvoid f([in] long x);", "void", 5, 1),
        ("const long A = B\ntypedef long T;", "typedef", 5, 1),
    ],
)
def test_a_constant_without_its_semicolon(body: str, word: str, line: int, column: int) -> None:
    (found,) = findings(interface(body))
    assert (found.message, found.line, found.column) == (f"unexpected {word!r}", line, column)
    assert found.remedy == "a ; is missing before it"
