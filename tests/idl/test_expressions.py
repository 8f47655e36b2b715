"""C's expressions: precedence, folding, casts, and every way to get one wrong."""

from __future__ import annotations

import pytest

from rpcmemkit.errors import IdlError
from rpcmemkit.idl import compile_idl
from tests.idl.helpers import compiled, findings, spell


def value(text: str, type_: str = "hyper") -> object:
    types = "typedef long NUMBER; typedef struct { char c; hyper h; NUMBER n; } PADDED; typedef struct { long a[]; } OPEN; "
    types += "typedef union switch (long k) { case 1: hyper h; case 2: short s[3]; } CHOICE; typedef CHOICE PAIR[2];"
    return compile_idl(f"{types} const hyper SEVEN = 7; const {type_} A = {text};").constants["A"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("10 - 4 - 3", 3),
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 % -2", 1),
        ("-7 % 2", -1),
        ("1 << 4 | 1", 17),
        ("256 >> 4", 16),
        ("~0 & 0xFF ^ 0x0F", 0xF0),
        ("3 > 2 && 2 >= 2 || 0", 1),
        ("3 < 2 || 2 <= 1", 0),
        ("3 == 3 != 0", 1),
        ("!5", 0),
        ("+5", 5),
        ("1 ? 2 : 3", 2),
        ("0 ? 2 : 0 ? 3 : 4", 4),
        ("017", 15),
        ("0x1Ful", 31),
        ("10UL", 10),
        ("'A'", 65),
        (r"'\n'", 10),
        ("L'z'", 122),
        ("SEVEN + TRUE + FALSE", 8),
        ("(long) 5 + (NUMBER) 6", 11),
        ("(unsigned long) -1 + 0", -1),
        ("(SEVEN) - 1", 6),
        ("sizeof(short) + sizeof(NUMBER) + sizeof(long *)", 14),
        ("sizeof(PADDED) / sizeof(hyper)", 3),
        ("sizeof(CHOICE)", 16),
        ("sizeof(PAIR)", 32),
    ],
)
def test_value(text: str, expected: int) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("type_", "text", "expected"),
    [
        ("unsigned long", "-1", 0xFFFFFFFF),
        ("short", "0x8000", -0x8000),
        ("boolean", "2", 1),
        ("double", "1 / 4.0", 0.25),
        ("float", "-1.5e1f", -15.0),
        ("char *", '"a" "b\\n"', "ab\n"),
        ("wchar_t *", 'L"wide"', "wide"),
        ("char *", "NULL", 0),
    ],
)
def test_value_of_a_type(type_: str, text: str, expected: object) -> None:
    assert value(text, type_) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1 +", "IDL111"),
        ("(1", "IDL101"),
        ("(1 2)", "IDL114"),
        ("1 2", "IDL114"),
        ("1 ? 2", "IDL101"),
        ("*", "IDL111"),
        ("sizeof 3", "IDL114"),
        ("sizeof(NOTHING)", "IDL114"),
        ("sizeof(1)", "IDL114"),
        ("sizeof(OPEN)", "IDL114"),
        ("sizeof(void)", "IDL114"),
        ('"a" + 1', "IDL114"),
        ("1.5", "IDL116"),
        ("1 % 0", "IDL113"),
        ("0x", "IDL114"),
        ("99999999999999999999999", "IDL112"),
        ("4294967296 * 4294967296 * 4294967296", "IDL112"),
        ("- " * 100 + "1", "IDL104"),
        ("1 ? " * 80 + "1" + " : 1" * 80, "IDL104"),
        ("*1", "IDL114"),
        ("UNKNOWN", "IDL204"),
        ("-UNKNOWN", "IDL204"),
    ],
)
def test_refused(text: str, code: str) -> None:
    with pytest.raises(IdlError) as caught:
        value(text)
    assert caught.value.diagnostics[0].code == code


@pytest.mark.parametrize("text", ["1.5 | 2", "~1.5", "1.0 / 0", "1.5 << 2", "1.2.3"])
def test_fractions_refused(text: str) -> None:
    with pytest.raises(IdlError):
        value(text, "double")


def test_what_is_not_constant_is_kept() -> None:
    body = (
        "void f([in] long n, [in] hyper h, [in, size_is((long) h + (n ? -n : ~n)), length_is(!n)] long *a);"
    )
    level = compiled(body).procedures["f"].parameters[2].type.target  # type: ignore[union-attr]
    assert spell(level.size) == "(+h+(n?-n:~n))"  # type: ignore[union-attr]
    assert spell(level.length) == "!n"  # type: ignore[union-attr]


def test_members_refer_to_members() -> None:
    assert (
        findings("interface i { typedef struct { long n; [size_is(n.x)] long *a; } S; }")[0].code == "IDL310"
    )


def test_the_size_of_what_is_not_known_yet() -> None:
    assert findings("struct s { long a[sizeof(struct s)]; };")[0].code == "IDL114"


def test_the_size_of_deep_types_is_refused_in_time() -> None:
    types = "".join(f"typedef struct {{ T{n} x; T{n} y; }} T{n + 1};" for n in range(2000))
    found = findings(f"{types.replace('T0 ', 'char ')} const long A = sizeof(T2000);")
    assert [one.code for one in found] == ["IDL104"]
