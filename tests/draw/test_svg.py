"""The drawing: well formed, complete, the same every time, and readable by everyone."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html import unescape
from pathlib import Path

import pytest

import rpcmemkit.draw.svg as svg_module
from rpcmemkit import UsageError
from rpcmemkit.call import Call
from rpcmemkit.draw import CallPicture, describe, draw, draw_all, picture, render, steps
from rpcmemkit.draw.dot import dot
from rpcmemkit.draw.layout import lay_out
from rpcmemkit.draw.lines import fit
from rpcmemkit.draw.palette import COLORS
from tests.draw.conftest import CALLS, long_list, prune

pytest.importorskip("graphviz")
ROOT = Path(__file__).parents[2]
SVG = "{http://www.w3.org/2000/svg}"


def drawn_text(svg: str) -> str:
    return " ".join("".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{SVG}text"))


def test_it_is_well_formed_and_has_its_text_alternative(call: Call) -> None:
    root = ET.fromstring(render(call))
    assert root.get("role") == "img"
    assert call.procedure.name in str(root.get("aria-label"))
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert title.text
    assert description is not None
    assert description.get("id") == root.get("aria-describedby")
    assert description.text == describe(picture(call))


@pytest.mark.parametrize("name", CALLS)
def test_two_runs_give_the_same_bytes(name: str) -> None:
    assert render(CALLS[name]()) == render(CALLS[name]())


def test_every_block_is_in_the_drawing_and_in_the_words(call: Call) -> None:
    shown = picture(call)
    drawing, words = drawn_text(render(call)), describe(shown)
    for block in shown.blocks:
        assert f"{block.address:#x}" in drawing
        assert f"{block.address:#x}" in words
        assert all(word in drawing and word in words for word in block.words)


def test_the_words_for_what_is_wrong_are_drawn_and_explained() -> None:
    drawing = drawn_text(render(prune()))
    for word in ("ORPHANED", "LEAKED", "NEW"):
        assert drawing.count(word) >= 2


def test_nothing_depends_on_hash_order() -> None:
    program = (
        "import sys; sys.path.insert(0, '.'); from tests.draw.conftest import CALLS; from rpcmemkit.draw import render;"
        "sys.stdout.write(''.join(render(make()) for make in CALLS.values()))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_colours_and_typefaces_are_classes() -> None:
    svg = render(prune())
    body = svg[svg.index("</style>") :]
    assert not re.findall(r'(?:fill|stroke|font-family)="(?!none)[^"]*"', body)
    used = set(re.findall(r"\b[fs]-([a-z-]+)", body))
    assert used <= set(COLORS)
    assert "light-dark(" in svg


def test_every_colour_is_told_apart() -> None:
    assert len({bright for bright, _ in COLORS.values()}) == len(COLORS)


def test_no_text_leaves_its_cell() -> None:
    """Graphviz centres text that is too wide, so all text of a column of cells starts at the same place."""
    svg = render(long_list(30))
    body = svg[svg.index("</style>") :]
    starts = {float(x) for x in re.findall(r'<text class="m f-soft" x="([\d.]+)"', body)}
    assert len(starts) <= 8


def test_wide_pictures_have_one_row() -> None:
    shown = picture(prune())
    (rows,), (wide,) = lay_out([shown]), lay_out([shown], wide=True)
    assert len({frame.y for frame in rows.frames.values()}) == 2
    assert len({frame.y for frame in wide.frames.values()}) == 1
    assert wide.width > rows.width
    assert draw(shown, wide=True) != draw(shown)


def test_panels_and_boxes_do_not_overlap(call: Call) -> None:
    for wide in (False, True):
        (layout,) = lay_out([picture(call)], wide=wide)
        frames = list(layout.frames.values())
        for one in frames:
            assert all(
                one is other
                or one.x + one.width <= other.x
                or other.x + other.width <= one.x
                or one.y + one.height <= other.y
                or other.y + other.height <= one.y
                for other in frames
            )
            for above, below in zip(one.boxes, one.boxes[1:], strict=False):
                assert above.y + above.height < below.y
            for box in one.boxes:
                assert one.x <= box.x
                assert box.x + box.width <= one.x + one.width
                assert box.y + box.height <= one.y + one.height


def test_arrows_stay_inside_their_panels(call: Call) -> None:
    (layout,) = lay_out([picture(call)])
    frames = layout.frames.values()
    for way in layout.ways:
        assert len(way.points) % 3 == 1
        if way.kind != "flow":
            assert all(any(f.x <= x <= f.x + f.width for f in frames) for x, _ in way.points)


def test_the_steps_of_a_call_stand_still() -> None:
    layouts = lay_out([step.picture for step in steps(prune())])
    assert len({(layout.width, layout.height) for layout in layouts}) == 1
    assert len({(layout.frames["server"].x, layout.frames["server"].width) for layout in layouts}) == 1


def test_drawings_that_share_a_style_leave_it_out() -> None:
    drawings = draw_all([step.picture for step in steps(prune())], styled=False)
    assert not any("<style>" in drawing for drawing in drawings)
    assert len({re.search(r'aria-describedby="(\w|-)+"', drawing)[0] for drawing in drawings}) == len(
        drawings
    )  # type: ignore[index]


def test_dot_numbers_its_nodes_in_reading_order() -> None:
    source = dot(lay_out([picture(prune())])[0])
    numbers = [int(found) for found in re.findall(r"^n(\d+) \[", source, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_text_is_fitted_by_the_measure_of_graphviz() -> None:
    assert fit("añañañañañ", 66, 6.6).encode().__len__() <= 10
    assert fit("short", 66, 6.6) == "short"


def test_a_notebook_gets_html_and_words() -> None:
    shown = CallPicture(prune())
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "<svg" in bundle["text/html"]
    assert "<details>" in bundle["text/html"]
    assert "ORPHANED" in bundle["text/plain"]
    assert bundle["text/plain"] == shown.text
    assert repr(shown) == "<CallPicture of Prune>"
    words = unescape(re.sub("<[^>]+>", "", bundle["text/html"].split("<details>")[1]))
    assert "nobody frees it" in words


def test_without_graphviz_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(UsageError, match=r'pip install "rpcmemkit\[book\]"'):
        render(prune())


def test_without_its_program_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(svg_module, "_folders", lambda: iter([tmp_path]))
    svg_module.binary.cache_clear()
    try:
        with pytest.raises(UsageError, match=r'graphviz-pure.*pip install "rpcmemkit\[book\]"'):
            render(prune())
    finally:
        svg_module.binary.cache_clear()


def test_the_program_is_never_one_from_the_path() -> None:
    assert svg_module.binary().parent in list(svg_module._folders())
