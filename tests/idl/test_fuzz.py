"""Hostile text is normal input: it compiles, or it is refused with a place."""

from __future__ import annotations

import random
import string
import time

import pytest

from rpcmemkit.contract import as_text, contracts
from rpcmemkit.errors import IdlError
from rpcmemkit.idl import compile_idl
from rpcmemkit.idl.preprocess import read_source
from rpcmemkit.idl.report import Report

SAMPLE = """\
/* a comment */ #define N 3
#define N 3
#define TWICE(x) (2 * (x))
#if defined(N) && N > 2
#pragma pack(push, 4)
#endif
[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), version(1.0), pointer_default(unique)]
interface sample
{
  const long LIMIT = TWICE(N) - 1;
  typedef enum { RED, GREEN = 5 } COLOUR;
  typedef struct node { long v; [string] wchar_t *name; struct node *next; } node, *PNODE;
  typedef union switch (long kind) value { case 1: long n; case 2, 3: short s[2]; default: ; } VALUE;
  typedef [switch_type(short)] union { [case(1)] long n; [default] ; } OTHER;
  typedef [context_handle] void *PCTX;
  long First([in] long n, [in, size_is(n), length_is(n / 2)] short *a, [out, size_is(, *m)] long **p, [out] long *m);
  [idempotent] PNODE Second([in, string] char *s, [in, switch_is(k)] OTHER *o, [in] short k, [out] PCTX *h);
}
"""
ACF = """\
[implicit_handle(handle_t h)] interface sample
{
  typedef [allocate(all_nodes)] PNODE;
  [notify] First([force_allocate] a);
}
"""


def codes(text: str) -> list[str]:
    """The codes of everything found in a text, errors first; each is located."""
    try:
        found = compile_idl(text).warnings
    except IdlError as error:
        found = error.diagnostics
    assert all(one.line >= 1 and one.column >= 1 for one in found)
    return [one.code for one in found]


def tolerate(text: str, acf: str | None = None) -> bool:
    """Compile; anything but success or a located IdlError fails the test."""
    try:
        compile_idl(text, acf)
    except IdlError as error:
        found = error.diagnostics
    else:
        return True
    assert found
    assert all(one.line >= 1 and one.column >= 1 for one in found)
    return False


def test_the_samples_compile() -> None:
    assert tolerate(SAMPLE.split("\n", 1)[1], ACF)


@pytest.mark.parametrize("acf", [False, True])
def test_every_beginning(acf: bool) -> None:
    text = ACF if acf else SAMPLE
    for end in range(len(text)):
        if acf:
            tolerate("interface sample { }", text[:end])
        else:
            tolerate(text[:end])


def test_every_character_left_out() -> None:
    for at in range(len(SAMPLE)):
        tolerate(SAMPLE[:at] + SAMPLE[at + 1 :])


LETTERS = string.printable + "\0\u20ac\U0001f600"
WORDS = SAMPLE.split() + list("[](){};,*=:?<>.\"'#")


def other_letters(chance: random.Random) -> None:
    """Change a few characters, of the interface or of its attribute file."""
    of_acf = chance.random() < 0.3
    text = list(ACF if of_acf else SAMPLE)
    for _ in range(chance.randint(1, 8)):
        text[chance.randrange(len(text))] = chance.choice(LETTERS)
    if of_acf:
        tolerate(SAMPLE, "".join(text))
    else:
        tolerate("".join(text))


def any_words(chance: random.Random) -> None:
    tolerate(" ".join(chance.choice(WORDS) for _ in range(chance.randint(1, 60))))


def test_random_changes() -> None:
    chance = random.Random(1)
    for _ in range(600):
        other_letters(chance)


def test_random_tokens() -> None:
    chance = random.Random(2)
    for _ in range(300):
        any_words(chance)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "\ufeffinterface i { }",
        "interface i {" * 500,
        "[" * 5000,
        "typedef long" + " *" * 20000 + " P;",
        "typedef struct {" * 2000,
        "#if 1\n" * 3000,
        "#define A A A A A A A A\nA",
        "\n".join(f"#define A{n} A{n + 1} A{n + 1}" for n in range(60)) + "\nA0",
        "#define F(x) F(F(x)) F(x)\nF(F(F(1)))",
        "#define F(x) x\nF(",
        "#include\n#if\n#elif\n#else\n#endif\n#line\n#pragma\n#undef\n#define\n#",
        "#line 99999999999999999999 \"x\"\ninterface i {",
        "#pragma pack(99999999999999999999)",
        "const long A = " + "1 + " * 5000 + "1;",
        "const long A = " + "1 << 60 " * 50 + ";",
        "".join(f"typedef T{n} *T{n + 1};" for n in range(300)).replace("T0 ", "long "),
        "".join(f"typedef struct {{ T{n} x; }} T{n + 1};" for n in range(900)).replace("T0 ", "long "),
    ],
    ids=lambda text: repr(text[:24]),
)  # fmt: skip
def test_hostile(text: str) -> None:
    tolerate(text)


BOMBS = {
    "a chain": "\n".join(f"#define A{n} A{n + 1}" for n in range(300)) + "\nA0",
    "doubling": "\n".join(f"#define A{n} A{n + 1} A{n + 1}" for n in range(60)) + "\nA0",
    "doubling arguments": "\n".join(f"#define A{n}(x) A{n + 1}(x x)" for n in range(60)) + "\nA0(1)",
    "doubling calls": "\n".join(f"#define A{n}(x) A{n + 1}(x) A{n + 1}(x)" for n in range(60)) + "\nA0(1)",
    "doubling in a condition": "\n".join(f"#define A{n} A{n + 1} + A{n + 1}" for n in range(60)) + "\n#if A0",
    "nested": "#define F(x) F(F(x)) F(x)\n" + "F(" * 60 + "1" + ")" * 60,
    "nested deeply": "#define F(x) x\n" + "F(" * 3000 + "1" + ")" * 3000,
    "pasted": "#define D(x) x##x\n#define E(x) D(x)\n" + "E(" * 60 + "a" + ")" * 60,
    "quoted": "#define S(x) #x\n#define X(x) S(x)\n" + "X(" * 60 + '"\\\\"' + ")" * 60,
    "one long list": "#define N 1\n( " + "N " * 60000,
    "one long body": "#define B() 1\n#define A " + "B() " * 20000 + "\nA",
    "wrong calls": "#define F(x) x\n" + "F(1, 2) " * 20000,
    "errors": "#error x\n" * 20000,
    "errors that end a file": "#if 1\n" * 99 + "#ifdef",
}  # fmt: skip


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS.keys())
def test_macro_bombs(text: str) -> None:
    """They end in a diagnostic, soon and in little room."""
    report, start = Report(), time.process_time()
    source = read_source(text, "x.idl", report)
    assert time.process_time() - start < 20
    assert report.diagnostics
    assert all(one.code == "IDL107" for one in report.diagnostics)
    assert len(source.text) < 1 << 20


def test_long_texts_with_many_macros() -> None:
    report, start = Report(), time.process_time()
    source = read_source("#define N 1\n#define F(x) x\n" + "F(N) N\n" * 20000, "x.idl", report)
    assert time.process_time() - start < 20
    assert not report.diagnostics
    assert source.text.split() == ["1"] * 40000


DIRECTIVE_WORDS = (
    "#define #if #ifdef #ifndef #elif #else #endif #include #undef #pragma #line # A B F(x) F( ) ( , ## \\\n defined"
    " ! 1 0 < > << ... __VA_ARGS__ \" ' once pack() ? : x __LINE__ 'a' \"s\" <a> + - /"
)


def directives(chance: random.Random) -> None:
    words = DIRECTIVE_WORDS.split(" ")
    lines = [" ".join(chance.choices(words, k=chance.randint(1, 6))) for _ in range(chance.randint(1, 8))]
    report = Report()
    read_source("\n".join(lines), "x.idl", report)
    assert all(one.line >= 1 and one.column >= 1 for one in report.diagnostics)


def test_random_directives() -> None:
    """Whatever pcpp stumbles over becomes a finding."""
    chance = random.Random(3)
    for _ in range(3000):
        directives(chance)


def test_deep_types_behind_a_parameter() -> None:
    """Nothing that a text can nest by typedefs makes the checks recurse: there is a limit, and it is reported once."""
    types = "".join(f"typedef struct {{ T{n} x; }} T{n + 1};" for n in range(3000)).replace("T0 ", "long ")
    (found, *_) = codes(f"interface i {{ {types} void f([in] T3000 *x); }}")
    assert found == "IDL104"


HEAD = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i { "
NUMBERS = (
    "0",
    "-1",
    "1.5",
    "1e400",
    "0x7fffffff",
    "0x80000000",
    "0xffffffffffffffff",
    "F",
    "'x'",
    '"text"',
    "NULL",
    "n",
)
HOLES = (
    "const {type} A = {x}; void f([in] long n);",
    "typedef enum {{ A = {x}, B }} E; void f([in] long n, [in] E e);",
    "typedef [switch_type({type})] union {{ [case({x}, {y})] long a; [default] ; }} U; void f([in] {type} n, [in, switch_is(n)] U *u);",
    "typedef union switch ({type} k) {{ case {x}: long a; case {y}: ; }} U; void f([in] U *n);",
    "void f([in] long n, [in, size_is({x}), length_is({y})] {type} *a);",
    "void f([in] long n, [in, max_is({x}), first_is({y}), last_is({x})] {type} *a);",
    "void f([in] long n, [in, range({x}, {y})] {type} a);",
    "void f([in] long n, [in] {type} a[{x}][{y}]);",
    "typedef struct {{ {type} a[{x}]; long n : {y}; }} S; void f([in] S *n);",
    "void f([in, unique] long *n, [in, size_is(n ? *n {op} {x} : {y})] {type} *a);",
)
OPERATORS = ("+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "==", "<", "&&", "||")


KINDS = (
    "boolean",
    "byte",
    "char",
    "small",
    "unsigned short",
    "long",
    "unsigned long",
    "hyper",
    "double",
    "wchar_t",
)


def constants(chance: random.Random) -> None:
    x, y = (
        f"{chance.choice(('', '-', '~', '!'))}{chance.choice(NUMBERS)} {chance.choice(OPERATORS)} {chance.choice(NUMBERS)}"
        if chance.random() < 0.4
        else chance.choice(NUMBERS)
        for _ in range(2)
    )
    hole = chance.choice(HOLES).format(x=x, y=y, type=chance.choice(KINDS), op=chance.choice(OPERATORS))
    explained(f"{HEAD} const double F = 2.5; {hole} }}")


def test_random_constants() -> None:
    """Every number in every place: a finding or a type, and what compiles can be explained."""
    chance = random.Random(4)
    for _ in range(600):
        constants(chance)


def explained(text: str) -> None:
    """Compile and explain; anything but success, a located IdlError or a sentence fails the test."""
    if not tolerate(text):
        return
    interface = compile_idl(text).interface
    told, refused = contracts(interface)
    assert len(told) + len(refused) == len(interface.procedures)
    as_text(told)


def nest(count: int, form: str) -> str:
    """``count`` typedefs, each made of the one before."""
    return "".join(form.format(a=f"t{n}", b=f"t{n + 1}") for n in range(count))


DEEP = {
    "structures": "typedef struct {{ {a} x; }} {b};",
    "doubled structures": "typedef struct {{ {a} x; {a} y; }} {b};",
    "doubled pointers": "typedef struct {{ {a} *x; {a} *y; }} {b};",
    "chained pointers": "typedef struct {{ {a} *x; }} {b};",
    "[ref] pointers": "typedef struct {{ [ref] {a} *x; }} {b};",
    "pointers": "typedef {a} *{b};",
    "arrays": "typedef {a} {b}[2];",
    "unions": "typedef union switch (long k) {{ case 1: {a} x; case 2: {a} y; }} {b};",
    "conversions": "typedef [wire_marshal(long)] {a} {b};",
    "sent conversions": "typedef [transmit_as({a})] long {b};",
    "pipes": "typedef pipe {a} {b};",
}


@pytest.mark.parametrize("leaf", ["byte", "struct { long *p; }"])
@pytest.mark.parametrize("count", [20, 66, 1000])
@pytest.mark.parametrize("form", DEEP.values(), ids=DEEP.keys())
def test_depth_and_doubling(form: str, count: int, leaf: str) -> None:
    start = time.process_time()
    explained(
        f"{HEAD} typedef {leaf} t0; {nest(count, form)} void f([in] t{count} *x); void g([in, out] t{count} *x); }}"
    )
    assert time.process_time() - start < 20


def deep_types(chance: random.Random) -> None:
    """Types made of types, up to any depth."""
    form, leaf = chance.choice(list(DEEP.values())), chance.choice(("byte", "struct { long *p; }"))
    count = chance.choice((1, 3, 10, 30, 63, 64, 65))
    explained(f"{HEAD} typedef {leaf} t0; {nest(count, form)} void f([in] t{count} *x); }}")


HARNESSES = (
    other_letters,
    other_letters,
    any_words,
    directives,
    directives,
    constants,
    constants,
    deep_types,
)
"""What `make hostile` throws at the compiler."""

LONG = {
    "members": ("typedef struct { long n; ", "[size_is(n)] long *a{n};", "} S; void f([in] S *s);"),
    "arms": ("typedef union switch (long k) { ", "case {n}: long a{n};", "} S; void f([in] S *s);"),
    "labels": ("typedef enum { ", "A{n},", "B } E; void f([in] E e);"),
    "procedures": ("", "void f{n}([in] long a);", ""),
    "typedefs": ("", "typedef struct s{n} {{ struct s{n} *next; }} s{n};", "void f([in] s1 *a);"),
    "constants": ("", "const long A{n} = {n} + sizeof(long);", "void f(void);"),
    "parameters": ("void f([in] long n", ", [in, size_is(n)] long *a{n}", ");"),
    "attributes": ("[idempotent", ', helpstring("{n}")', "] void f(void);"),
    "terms": ("void f([in] long n, [in, size_is(n", " + n", ")] long *a);"),
    "interfaces": ("}", "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i{n} {{ void f(void); }}", "interface z {"),
}  # fmt: skip


@pytest.mark.parametrize("parts", LONG.values(), ids=LONG.keys())
def test_time_grows_with_the_text(parts: tuple[str, str, str]) -> None:
    """Four times as much of anything takes about four times as long; a square would be sixteen times."""
    before, each, after = parts
    seconds = []
    for count in (500, 2000):
        text = (
            HEAD
            + before
            + "".join(each.replace("{n}", str(n)).replace("{{", "{").replace("}}", "}") for n in range(count))
            + after
            + " }"
        )
        start = time.process_time()
        tolerate(text)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 9 * seconds[0] + 0.2
