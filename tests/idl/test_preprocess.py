"""Macros, conditions, includes and packing; and that positions survive all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rpcmemkit.errors import IdlError
from rpcmemkit.idl import compile_file, compile_idl
from rpcmemkit.idl.preprocess import read_source
from rpcmemkit.idl.report import Report
from tests.idl.helpers import findings


def expand(text: str, **defines: str) -> str:
    report = Report()
    source = read_source(text, "x.idl", report, defines=defines)
    assert not report.diagnostics, report.diagnostics[0]
    return " ".join(source.text.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a // b\nc /* d\n e */ f", "a c f"),
        ('"// no comment" /* x */', '"// no comment"'),
        ("#define N 5\nx[N] NN", "x[5] NN"),
        ("#define N M\n#define M 6\nN", "6"),
        ("#define N 5\n#undef N\nN", "N"),
        ("#define N(a, b) b - a\nN(1, f(2, 3)) N", "f(2, 3) - 1 N"),
        ("#define N() 7\nN()", "7"),
        ("#define S(x) #x\nS(a  b)", '"a b"'),
        ("#define P(x) x ## _t\nP(a)", "a_t"),
        ("#define L(x) \\\n  x +\\\n  x\nL(1)", "1 + 1"),
        ('#define N 5\n"N"', '"N"'),
        ("a \\\n b", "a b"),
        ("#define N\n#ifdef N\na\n#else\nb\n#endif", "a"),
        ("#ifndef N\na\n#else\nb\n#endif", "a"),
        ("#if 0\na\n#elif 1\nb\n#elif 1\nc\n#else\nd\n#endif", "b"),
        ("#if 0\n#if 1\na\n#endif\n#else\nb\n#endif", "b"),
        ("#if 0\n#error no\n#include <no>\n#define\n#endif\nb", "b"),
        ("#if defined(__midl) && __midl >= 500 && !defined NO\na\n#endif", "a"),
        ("#if UNKNOWN\na\n#endif", ""),
        ("#define F(x) ((x) > 3)\n#if F(4)\na\n#endif", "a"),
        ("#warning careful\n#ident x\n#\na", "a"),
    ],
)
def test_expansion(text: str, expected: str) -> None:
    assert expand(text) == expected


def test_defines_of_the_caller() -> None:
    assert expand("N", N="12") == "12"
    assert compile_idl("const long A = N;", defines={"N": "3"}).constants["A"] == 3


@pytest.mark.parametrize(
    "text",
    [
        "#endif",
        "#else",
        "#if 1",
        "#if (\n#endif",
        "#if 1 / 0\n#endif",
        "#nonsense",
        "#error stop",
        "#include no",
    ],
)
def test_refused_directives(text: str) -> None:
    assert {one.code for one in findings(text)} <= {"IDL107", "IDL108"}
    assert findings(text)[0].line >= 1


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("\n  const long A = $;", 2, 18),
        ("/* two\n lines */ const long A = $;", 2, 26),
        ("#define N 1\n\nconst long A = N; const long B = $;", 3, 34),
        ("#define N 1234567\nconst long A = N; const long B = $;", 2, 34),
        ("#define F(a, b) a + b\nconst long A = F(1,\n 2);\nconst long B = $;", 4, 16),
        ("#define L \\\n 1\nconst long B = $;", 3, 16),
        ("#if 0\nx\n#endif\nconst long B = $;", 4, 16),
        ("const long A = \\\n 1; const long B = $;", 2, 20),
        ("\tconst long B = $;", 1, 17),
    ],
)
def test_positions(text: str, line: int, column: int) -> None:
    found = findings(text)[0]
    assert (found.code, found.line, found.column) == ("IDL102", line, column)
    assert found.source[column - 1] == "$"


def test_line_directive_names_another_file() -> None:
    found = findings('#line 40 "other.idl"\nconst long B = $;')[0]
    assert (found.file, found.line) == ("other.idl", 40)


def test_included_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "limits.h").write_text("#pragma once\n#define LIMIT 9\nconst long B = 2;\n")
    (tmp_path / "bad.h").write_text("\nconst long C = $;\n")
    main = tmp_path / "main.idl"
    main.write_text("#include <limits.h>\n#include <limits.h>\nconst long A = LIMIT;\n")
    assert compile_file(main, include_dirs=[tmp_path / "sub"]).constants["A"] == 9
    main.write_text('const long A = 1;\n#include "bad.h"\nconst long D = $;\n')
    with pytest.raises(IdlError) as caught:
        compile_file(main)
    assert [(Path(one.file).name, one.line) for one in caught.value.diagnostics] == [
        ("bad.h", 2),
        ("main.idl", 3),
    ]


def test_a_file_that_includes_itself(tmp_path: Path) -> None:
    main = tmp_path / "main.idl"
    main.write_text('#include "main.idl"\n')
    with pytest.raises(IdlError) as caught:
        compile_file(main)
    assert caught.value.diagnostics[0].code == "IDL109"


def test_packing() -> None:
    text = (
        "struct a { long x; };\n#pragma pack(push, 1)\nstruct b { long x; };\n#pragma pack(2)\nstruct c { long x; };\n"
        "#pragma pack(pop)\nstruct d { long x; };\n#pragma pack(push)\n#pragma pack(pop, name)\n#pragma pack(pop)\n"
        "#pragma warning(disable: 1)\n#pragma pack(4)\nstruct e { long x; };\n#pragma pack()\nstruct f { long x; };"
    )
    types = compile_idl(text).types
    assert [types[name].pack for name in "abcdef"] == [None, 1, 2, None, 4, None]  # type: ignore[union-attr]
