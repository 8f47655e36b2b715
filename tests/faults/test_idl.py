"""Interfaces that once were read wrongly: each ends as MIDL has it, from ``check`` and from ``explain``, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rpcmemkit.cli import main
from rpcmemkit.contract import contract, contracts
from rpcmemkit.errors import IdlError
from rpcmemkit.idl import compile_file, compile_idl

FOLDER = Path(__file__).parent / "idl"
ACCEPTED: dict[str, list[str]] = {
    "a03-guarded-size": [],
    "a04-const-out-is-a-warning": ["IDL339"],
    "a05-wire-marshal-with-a-union": [],
    "a06-wire-marshal-pointer-may-be-null": [],
    "context-handle-ref": [],
    "enum-big": ["IDL381"],
    "ignore-void": [],
    "memory-review": [],
    "sizeof_tree40": [],
    "trailing-ctrl-z": [],
    "tree24": [],
    "wchar-typedef": [],
    "wire-marshal-union": [],
}
REFUSED = {
    "array-return": "IDL222",
    "case-out-of-range": "IDL224",
    "conformant-struct-array": "IDL342",
    "deep300": "IDL104",
    "dim62": "IDL323",
    "float_dim": "IDL116",
    "float_size": "IDL116",
    "float_to_long": "IDL116",
    "length-no-size": "IDL315",
    "maxis": "IDL112",
    "member-named-long": "IDL101",
    "switch-type-byte": "IDL209",
    "two-defaults": "IDL225",
    "typedef_pointer_chain_1000": "IDL104",
}
SECONDS = 2  # of the processor, for one command; building the parser and importing are not part of it


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    main(["explain", path("a03-guarded-size")])


def timed(command: str, name: str) -> int:
    start = time.process_time()
    code = main([command, path(name)])
    assert time.process_time() - start < SECONDS
    return code


def path(name: str) -> str:
    return str(FOLDER / f"{name}.idl")


@pytest.mark.parametrize(("name", "warnings"), ACCEPTED.items())
def test_accepted(name: str, warnings: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert [one.code for one in compile_file(path(name)).warnings] == warnings
    assert timed("check", name) == 0
    assert timed("explain", name) == 0
    out = capsys.readouterr().out
    assert "Not explained" not in out


@pytest.mark.parametrize(("name", "code"), REFUSED.items())
def test_refused(name: str, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(IdlError) as caught:
        compile_file(path(name))
    assert {one.code for one in caught.value.diagnostics if one.severity == "error"} == {code}
    assert timed("check", name) == 1
    assert f"{name}.idl:{caught.value.diagnostics[0].line}:" in capsys.readouterr().out
    assert timed("explain", name) == 2
    assert f" error {code}" in capsys.readouterr().err


def test_sizes_are_exact() -> None:
    assert compile_file(path("tree24")).constants["A"] == 1 << 24
    assert compile_file(path("sizeof_tree40")).constants["A"] == 1 << 40


def test_what_serializes_is_no_call(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a11-encode-decode"
    assert [one.code for one in compile_file(path(name)).warnings] == ["IDL422"]
    assert timed("check", name) == 0
    assert f"{name}.idl:11:8: warning IDL422" in capsys.readouterr().out
    assert timed("explain", name) == 0
    assert "Not explained: Store is no remote call" in capsys.readouterr().out.replace("\n", " ")


def test_a_presented_pointer_may_be_null() -> None:
    interface = compile_file(path("a06-wire-marshal-pointer-may-be-null")).interface
    for procedure, pointer in (("Put", "text"), ("Get", "*text")):
        (found,) = [row for row in contract(interface, procedure).promises if row.path == pointer]
        assert "null" in found.client.before.outcomes


def found_in(text: str) -> list[tuple[str, str, str]]:
    with pytest.raises(IdlError) as caught:
        compile_idl(text)
    return [(one.code, one.message, one.remedy) for one in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("imported", "where"),
    [
        ('import "unknwn.idl";', "Windows SDK"),
        ('import "WTypes.idl";', "libwine-dev"),
        ('import "ms-dtyp.idl";', "Open Specification"),
        ('\n#include "oaidl.idl"\n', "libwine-dev"),
    ],
)
def test_files_of_the_system_can_be_had(imported: str, where: str) -> None:
    code, _, remedy = found_in(imported)[0]

    assert code == "IDL108"
    assert where in remedy
    assert "-I FOLDER" in remedy


def test_of_a_file_of_your_own_only_the_folder_is_asked() -> None:
    (_, _, remedy), *_ = found_in('import "mine.idl";')

    assert remedy.startswith("add its folder: -I FOLDER")


@pytest.mark.parametrize("name", ["deep300", "typedef_pointer_chain_1000"])
def test_what_is_too_deep_is_not_advised_to_do_what_it_does(name: str) -> None:
    (code, _, remedy), *_ = found_in((FOLDER / f"{name}.idl").read_text(encoding="utf-8"))

    assert code == "IDL104"
    assert "typedef" not in remedy
    assert "pointer" in remedy


@pytest.mark.parametrize(
    "form", ["struct {{ t{0} *next; }}", "union switch (long s) u {{ case 1: t{0} *next; }}"]
)
def test_a_chain_of_types_too_long_for_a_contract_says_where_it_stops(form: str) -> None:
    types = "".join(f"typedef {form.format(n)} t{n + 1};\n" for n in range(300))
    text = f"interface i {{ typedef struct {{ long *a; }} t0;\n{types} void f([in, out] t300 *p); void g([in] t9 *q); }}"
    found, refused = contracts(compile_idl(f"[uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e01)] {text}").interface)

    assert [each.procedure.name for each in found] == ["g"]
    assert refused["f"].startswith("f: p leads through more than 64 types")
    assert "pointer to t236" in refused["f"]


def test_a_fraction_is_told_with_the_name_of_its_constant() -> None:
    (code, message, _), *_ = found_in((FOLDER / "float_to_long.idl").read_text(encoding="utf-8"))

    assert (code, message) == ("IDL116", "A = 1.5 is a fraction: an integer is needed here")
