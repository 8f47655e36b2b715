"""One row is all that an attribute needs: it is known, placed, refused elsewhere, and reaches the model."""

from __future__ import annotations

import pytest

from rpcmemkit.idl import Switches
from rpcmemkit.idl.attributes import ATTRIBUTES, Row
from rpcmemkit.idl.findings import Finding
from rpcmemkit.types import Pointer
from tests.idl.helpers import compiled, findings, interface

BODY = "typedef long *T; void f([in, out] T p);"
ON_PARAMETER = "interface i { f([frozen(3)] p); }"


def codes(acf: str | None, body: str = BODY, switches: Switches | None = None) -> set[str]:
    return {found.code for found in findings(interface(body), acf, switches=switches)}


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attribute that MIDL does not have."""
    row = Row(
        ("parameter", "type"),
        acf=True,
        since=60,
        excludes={"force_allocate": Finding.EXCLUSIVE},
        sets="dont_free",
    )
    monkeypatch.setitem(ATTRIBUTES, "frozen", row)


def test_without_a_row_there_is_no_such_attribute() -> None:
    assert codes(ON_PARAMETER) == {"IDL219"}


@pytest.mark.usefixtures("frozen")
def test_a_row_makes_an_attribute_known_and_sets_what_it_says() -> None:
    (parameter,) = compiled(BODY, ON_PARAMETER).procedures["f"].parameters
    assert codes(ON_PARAMETER) == set()
    assert parameter.attributes["frozen"] == 3
    assert isinstance(parameter.type, Pointer)
    assert parameter.type.dont_free


@pytest.mark.usefixtures("frozen")
def test_on_a_typedef_it_is_on_every_use() -> None:
    (parameter,) = compiled(BODY, "interface i { typedef [frozen] T; }").procedures["f"].parameters
    assert isinstance(parameter.type, Pointer)
    assert parameter.type.dont_free


@pytest.mark.usefixtures("frozen")
def test_elsewhere_it_is_refused() -> None:
    (found,) = findings(interface(BODY), "interface i { [frozen] f(); }")
    assert (found.code, found.remedy) == ("IDL317", "put it on a parameter or a typedef")
    assert codes("[frozen] interface i { }") == {"IDL317"}
    assert codes(ON_PARAMETER, switches=Switches(target="NT51")) == {"IDL370"}
    assert codes("interface i { f([frozen, force_allocate] p); }") == {"IDL356"}
    assert codes(None, "void f([in, frozen] long *p);") == set()
    assert codes(None, "void f([in, frozen] long *p);", Switches(app_config=False)) == {"IDL417"}


def test_what_excludes_each_other_is_reported_where_the_later_one_stands() -> None:
    for text in ("max_is(n), size_is(n)", "size_is(n), max_is(n)"):
        (found,) = findings(interface(f"void f([in] long n, [in, {text}] long *p);"))
        assert (found.code, found.source[found.column - 1 :][:6]) == ("IDL313", text.split(", ")[1][:6])


def test_rows_speak_of_attributes_that_there_are() -> None:
    assert {name for row in ATTRIBUTES.values() for name in row.excludes} <= set(ATTRIBUTES)
    assert {place for row in ATTRIBUTES.values() for place in row.places} <= {
        "interface",
        "procedure",
        "parameter",
        "type",
    }
    assert all(row.places for row in ATTRIBUTES.values() if row.acf)
