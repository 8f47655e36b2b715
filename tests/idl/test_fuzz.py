"""Hostile text is normal input: it compiles, or it is refused with a place."""

from __future__ import annotations

import random
import string

import pytest

from rpcmemkit.errors import IdlError
from rpcmemkit.idl import compile_idl

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


def test_random_changes() -> None:
    chance = random.Random(1)
    letters = string.printable + "\0\u20ac\U0001f600"
    for _ in range(600):
        text = list(SAMPLE)
        for _ in range(chance.randint(1, 8)):
            text[chance.randrange(len(text))] = chance.choice(letters)
        tolerate("".join(text))


def test_random_tokens() -> None:
    chance = random.Random(2)
    words = SAMPLE.split() + list("[](){};,*=:?<>.\"'#")
    for _ in range(300):
        tolerate(" ".join(chance.choice(words) for _ in range(chance.randint(1, 60))))


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


def test_deep_types_behind_a_parameter() -> None:
    """Nothing that a text can nest by typedefs makes the checks recurse."""
    types = "".join(f"typedef struct {{ T{n} x; }} T{n + 1};" for n in range(3000)).replace("T0 ", "long ")
    assert tolerate(f"interface i {{ {types} void f([in] T3000 *x); }}")
