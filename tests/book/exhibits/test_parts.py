"""What the exhibits have in common: pages of facts, and a list for each axis that shows what was chosen."""

from __future__ import annotations

import pytest

from exhibits.parts import Exhibit, chooser, listing, number, one_line_acf, page, refused
from rpcmemkit.errors import Diagnostic
from rpcmemkit.notebook import Shown

FOUND = Diagnostic("IDL105", "wrong", "a.idl", 1, 1, midl=2025)


def test_a_page_says_the_same_in_both_forms() -> None:
    one = page("long <a>;", "It is so.", Shown("<svg/>", "a picture"), [("Facts", ["x < y"]), ("", ["z"])])
    assert one.text.splitlines() == ["long <a>;", "It is so.", "a picture", "Facts: x < y", "z"]
    assert one.html.startswith(
        '<div class="rpcmemkit-step"><pre style="overflow-x:auto">long &lt;a&gt;;</pre>'
    )
    assert "<p><b>Facts</b></p><ul><li>x &lt; y</li></ul><ul><li>z</li></ul></div>" in one.html


class Pair(Exhibit):
    def __init__(self, *options: str) -> None:
        self.options = options

    @property
    def shown(self) -> Shown:
        return page("".join(self.options), "same" if "b" in self.options else "other")


def test_an_exhibit_shows_itself() -> None:
    bundle = Pair("a", "b")._repr_mimebundle_()
    assert bundle["text/plain"] == repr(Pair("a", "b")) == "ab\nsame"
    assert bundle["text/html"].startswith("<style>")


def test_a_chooser_has_a_list_for_each_axis() -> None:
    pytest.importorskip("ipywidgets")
    widget = chooser({"First": ("a", "b"), "Second": ("c", "d")}, ("b", "d"), "two letters", Pair)
    assert [one.value for one in widget.children[1].children] == ["b", "d"]
    assert repr(widget) == "Lists: First, Second. Below them: two letters. First shown:\nbd\nsame"


def test_a_refusal_has_the_number_of_midl() -> None:
    assert refused(FOUND) == "It does not compile (IDL105, MIDL2025): wrong."
    assert number(FOUND) == "MIDL2025"
    assert number(Diagnostic("IDL1", "odd", "a.idl", 1, 1)) == "IDL1"


def test_attribute_files_of_one_line() -> None:
    assert one_line_acf("i", "") is None
    assert one_line_acf("i", "[explicit_handle]") == "[explicit_handle] interface i { }"
    assert (
        one_line_acf("i", "typedef [allocate(all_nodes)] P;")
        == "interface i { typedef [allocate(all_nodes)] P; }"
    )


def test_lines_of_a_body_lose_their_indent() -> None:
    assert listing("  typedef long T;\n  void F();") == "typedef long T;\nvoid F();"
