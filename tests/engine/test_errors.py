"""Errors and status codes: their texts name what happened, where, and by which rule."""

from __future__ import annotations

import pytest

from rpcmemkit.errors import (
    WIDEST_EXCERPT,
    Diagnostic,
    IdlError,
    MemoryFault,
    RpcError,
    ScenarioError,
    excerpt,
)
from rpcmemkit.status import STATUSES, status_code, status_meaning, status_name

FOUND = Diagnostic(
    "IDL105", "wrong", "a.idl", 3, 5, 4, "    long x;", midl=2025, expected=("a", "b"), remedy="mend it"
)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RpcError(1780), "RPC_X_NULL_REF_POINTER (1780): a reference pointer is null"),
        (RpcError(1783, "bad", path="p.q", rule="r"), "RPC_X_BAD_STUB_DATA (1783) at p.q: bad [r]"),
        (RpcError(4711), "4711 (4711): "),
        (
            MemoryFault("null", "client", 0, "read through a null pointer"),
            "client: null: read through a null pointer",
        ),
        (
            IdlError([FOUND]),
            (
                "a.idl:3:5: error IDL105 (MIDL2025): wrong\n    3 |     long x;\n      |     ^^^^\n"
                "      expected: a, b\n      help: mend it"
            ),
        ),
        (Diagnostic("IDL1", "odd", "b.idl", 1, 1, severity="warning"), "b.idl:1:1: warning IDL1: odd"),
        (ScenarioError("wrong"), "error: wrong"),
        (
            ScenarioError(
                "wrong",
                file="s.yaml",
                line=2,
                column=3,
                source="  x: y",
                path="x",
                expected=("z",),
                remedy="mend it",
            ),
            "s.yaml:2:3: error at x: wrong\n    2 |   x: y\n      |   ^\n      expected: z\n      help: mend it",
        ),
    ],
)
def test_text(error: object, text: str) -> None:
    assert str(error) == text


def test_error_keeps_its_parts() -> None:
    error = RpcError(1734, path="a", rule="r")
    assert (error.code, error.name, error.path, error.rule) == (1734, "RPC_X_INVALID_BOUND", "a", "r")
    assert error.message == "array bounds contradict each other"


@pytest.mark.parametrize("column", [1, 500, 999])
def test_long_lines_are_cut_around_the_caret(column: int) -> None:
    source = "x" * (column - 1) + "!" + "x" * (1000 - column)
    shown, caret = (line.split("| ")[1] for line in excerpt(1, column, 1, source))
    assert len(shown) <= WIDEST_EXCERPT + 2
    assert shown[caret.index("^")] == "!"


def test_caret_keeps_tabs_and_ends_with_the_line() -> None:
    assert excerpt(7, 2, 99, "\tab") == ["    7 | \tab", "      | \t^^"]


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
def test_every_name_leads_to_its_number_and_back(status: object) -> None:
    for name in (status.name, *status.aliases):  # type: ignore[attr-defined]
        assert status_code(name) == status.code  # type: ignore[attr-defined]
    assert status_name(status.code) == status.name  # type: ignore[attr-defined]
    assert status_meaning(status.code)  # type: ignore[attr-defined]


def test_numbers_are_unique() -> None:
    codes = [status.code for status in STATUSES]
    assert codes == sorted(set(codes))


@pytest.mark.parametrize(("given", "code"), [("ok", 0), (5, 5), ("1234", 1234), ("-1", -1)])
def test_status_of(given: str | int, code: int) -> None:
    assert status_code(given) == code


def test_unknown_status() -> None:
    assert (status_name(99999), status_meaning(99999)) == ("99999", "")
    with pytest.raises(KeyError):
        status_code("RPC_X_NO_SUCH_THING")
