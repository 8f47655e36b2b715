"""Macros, conditions, includes and packing; and that positions survive all of them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from rpcmemkit.errors import Diagnostic, IdlError
from rpcmemkit.idl import Switches, compile_file, compile_idl
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
        ("#warning careful\n#ident x\n#\n#pragma\na", "a"),
        ("#define V(...) f(__VA_ARGS__)\nV(1, 2)", "f(1, 2)"),
        ("a \\\n#define N 5\nN", "a #define N 5 N"),
        ('#define N 5\n"a\\\n#b" N', '"a#b" 5'),
        ('#define N 5\n"??(" N ??(', '"??(" 5 ??('),  # no trigraphs
        ("#define N 5\n\f\v N", "5"),
        ("#if 1 << 3 == 8 && 1 << 2\na\n#endif", "a"),
        # what a macro without parameters expands to depends on nothing around it, except …
        ("#define A B B\n#define B A A\nA B", "A A A A B B B B"),
        ("#define L N __LINE__\n#define N __LINE__\nL\nL __COUNTER__ __COUNTER__", "3 3 4 4 0 1"),
        ("#define G(a, b) a + b\n#define F(x) G(x)\n#define N 1, (2, 3)\nF(N)", "1 + (2, 3)"),
        ("#define F(x) [x]\n#define CALL(f, n) f n\n#define N (1)\nCALL(F, N)", "[1]"),
        ("#define F(x) [x]\n#define N F\nN(1) N (2)\nN\n(3)", "[1] [2] [3]"),
        ("#define OPEN F(\n#define F(x) [x]\nOPEN 1) F", "[1] F"),
        ("#define A B\nA\n#define B 1\nA\n#undef B\nA\n#define B 2\nA", "B 1 B 2"),
        ("#define N\t( 1,\\\n\t 2 )\nN", "( 1, 2 )"),
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
        "#error don't",
        "#import <no>",
        "#include no",
        "#include",
        "#include <no",
        '#include "a\0b"',
        "#define NOTHING\n#include NOTHING",
        "#define",
        "#define A+ 1",
        "#define A 1\n#define A+ 1",
        "#define F(1) 2",
        "#undef",
        "#ifdef\n#endif",
        "#ifndef\n#endif",
        "#if\n#endif",
        "#if !\n#endif",
        "#if !defined\n#endif",
        "#elif",
        "#elif 1",
        "#if 1 << (1 << 40)\n#endif",
        "#if 1 << 9 * 99999999999\n#endif",
        "#if 0" + "8" * 99999 + "\n#endif",
        "#if 1" + " + 1" * 9999 + "\n#endif",
        "#define A " + "1" * 300000,
        "#define F(" + ", ".join(f"a{n}" for n in range(999)) + ") 1",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_refused_directives(text: str) -> None:
    found = findings(text)
    assert found
    assert {one.code for one in found} <= {"IDL107", "IDL108"}
    assert {one.line for one in found} <= {1, 2}
    assert found[0].source in text.split("\n")


def test_an_error_names_its_text() -> None:
    (found,) = findings("\n  #error it's  over // now")
    assert (found.line, found.column) == (2, 3)
    assert found.message.endswith("#error it's  over")


def test_defines_that_are_none() -> None:
    with pytest.raises(IdlError):
        compile_idl("const long A = 1;", defines={"A+": "3"})


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
        ("#define N 1\nconst long A = N +\\\n N; const long B = $;", 3, 20),
        ('#define N 1\nconst char A = "\\\n"; const long B = N; const long C = $;', 3, 37),
        ("#define F(a) a\nconst long A = F(1);const long B = F(2)+F(F(3)); const long C = $;", 2, 65),
        ("#define NO\nconst long A NO NO= 1;NO const long C = $;", 2, 41),
        ("#define N 1\n#if 0\nconst long A = N;\n#endif\n\tconst long A = N; const long B = $;", 5, 35),
        ("const long A = __LINE__; const long B = $;\n#define N", 1, 41),
        ("#define N 1\n" + "const long A = N;\n" * 999 + "const long B = $;", 1001, 16),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_positions(text: str, line: int, column: int) -> None:
    found = findings(text)[0]
    assert (found.code, found.line, found.column) == ("IDL102", line, column)
    assert found.source[column - 1] == "$"


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("#define BAD $\n  const long A = BAD; const long B = 1;", 18),
        ("#define BAD(x) x $\n  const long A = BAD(1); const long B = 1;", 18),
        ("#define BAD(x) x\n  const long A = BAD($); const long B = 1;", 18),
        ("#define BAD WORSE\n#define WORSE 1 $ 2\n\n  const long A = 1 + BAD;", 22),
        ("#define BAD $\nBAD", 1),
        ("#define ONE 1\n#define BAD $\nconst long A = ONE+BAD", 20),
        ("#define ONE 1\n#define BAD $\nconst long A = ONE(BAD)", 20),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_a_macro_brings_stands_at_its_call(text: str, column: int) -> None:
    found = next(one for one in findings(text) if one.code == "IDL102")
    assert (found.line, found.column) == (text.count("\n") + 1, column)
    assert found.source[column - 1 :].startswith("BAD")


def test_line_directive_names_another_file() -> None:
    found = findings('#line 40 "other.idl"\nconst long B = $;')[0]
    assert (found.file, found.line) == ("other.idl", 40)
    found = findings('#define N 1\n# 40 "a\\\\b.idl"\n\n#line 7\n#line\nconst long A = N; const long B = $;')[
        0
    ]
    assert (found.file, found.line, found.column) == ("a\\b.idl", 8, 34)


def test_included_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "limits.h").write_text("#pragma once\n#define LIMIT 9\nconst long B = 2;\n")
    (tmp_path / "bad.h").write_text("\nconst long C = $;\n")
    main = tmp_path / "main.idl"
    main.write_text("#include <limits.h>\n#include <limits.h>\nconst long A = LIMIT;\n")
    assert compile_file(main, switches=Switches(include_dirs=[tmp_path / "sub"])).constants["A"] == 9
    main.write_text('const long A = 1;\n#include "bad.h"\nconst long D = $;\n')
    with pytest.raises(IdlError) as caught:
        compile_file(main)
    assert [(Path(one.file).name, one.line) for one in caught.value.diagnostics] == [
        ("bad.h", 2),
        ("main.idl", 3),
    ]


def test_where_included_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub" / "inner").mkdir(parents=True)
    (tmp_path / "sub" / "a.h").write_text('#include "inner/b.h"\n#include <c.h>\n', encoding="utf-8-sig")
    (tmp_path / "sub" / "inner" / "b.h").write_text(
        "const long B = 1;\r\n#pragma pack(2)\r\nconst long X = $;"
    )
    (tmp_path / "c.h").write_text("const long C = __LINE__;")
    monkeypatch.chdir(tmp_path)
    found = findings(
        '#define FILE "sub/a.h"\n#include FILE\n#include "c.h"\n#include "d.h"\n#include "sub"\n'
    )
    assert [(one.code, Path(one.file), one.line) for one in found] == [
        ("IDL108", Path("interface.idl"), 4),
        ("IDL108", Path("interface.idl"), 5),
        ("IDL102", Path("sub/inner/b.h"), 3),
    ]
    assert found[2].source == "const long X = $;"


def test_include_guards(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text("#ifndef GUARD\n#define GUARD\nconst long A = 1;\n#endif\n")
    text = '#include "a.h"\n#include "a.h"\n#undef GUARD\n#define A B\n#include "a.h"\n'
    assert set(compile_idl(text, file=str(tmp_path / "x.idl")).constants) >= {"A", "B"}


@pytest.mark.parametrize("times", [1, 2])
def test_a_file_that_includes_itself(tmp_path: Path, times: int) -> None:
    main = tmp_path / "main.idl"
    main.write_text('#include "main.idl"\n' * times)
    start = time.process_time()
    with pytest.raises(IdlError) as caught:
        compile_file(main)
    found = caught.value.diagnostics[0]
    assert (found.code, found.line, found.source) == ("IDL109", 1, '#include "main.idl"')
    assert time.process_time() - start < 10


def test_includes_that_bring_too_much(tmp_path: Path) -> None:
    (tmp_path / "big.h").write_text("/* " + "x" * 99999 + " */")
    found = findings_in(tmp_path / "main.idl", "\n" + '#include "big.h"\n' * 200)
    assert [one.message for one in found] == ["preprocessor: macros and includes make the text too long"]
    assert found[0].line > 2


def findings_in(path: Path, text: str) -> list[Diagnostic]:
    with pytest.raises(IdlError) as caught:
        compile_idl(text, file=str(path))
    return caught.value.diagnostics


def test_text_without_directives_does_without_the_library() -> None:
    program = (
        "import sys; from rpcmemkit.idl import compile_idl; compile_idl({!r}); print('pcpp' in sys.modules)"
    )
    for text, loaded in (("/* 1 */ const long A = 1;", "False"), ("#define N 1", "True")):
        command = [sys.executable, "-c", program.format(text)]
        found = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path.cwd())
        assert found.stdout.split() == [loaded]


def test_packing() -> None:
    text = (
        "struct a { long x; };\n#pragma pack(push, 1)\nstruct b { long x; };\n#pragma pack(2)\nstruct c { long x; };\n"
        "#pragma pack(pop)\nstruct d { long x; };\n#pragma pack(push)\n#pragma pack(pop, name)\n#pragma pack(pop)\n"
        "#pragma warning(disable: 1)\n#pragma pack(4)\nstruct e { long x; };\n#pragma pack()\nstruct f { long x; };"
    )
    types = compile_idl(text).types
    assert [types[name].pack for name in "abcdef"] == [None, 1, 2, None, 4, None]  # type: ignore[union-attr]
