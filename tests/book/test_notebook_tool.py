"""Running a chapter twice gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import notebooks


def written(folder: Path, *sources: str, **metadata: object) -> Path:
    path = folder / "chapter.ipynb"
    cells = [new_code_cell(source, metadata=metadata) for source in sources]
    nbformat.write(new_notebook(cells=cells), path)
    return path


@pytest.mark.slow
def test_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = written(
        tmp_path, "import ipywidgets", "ipywidgets.IntSlider()", "print('x')\nprint('y', flush=True)"
    )
    first = notebooks.run(path)
    path.write_text(first, encoding="utf-8")
    assert notebooks.run(path) == first
    assert f'"{3:032x}"' in first


@pytest.mark.slow
def test_a_meant_error_keeps_its_message_and_loses_its_frames(tmp_path: Path) -> None:
    path = written(tmp_path, "raise ValueError('two\\nlines')", tags=["raises-exception"])
    error = nbformat.reads(notebooks.run(path), as_version=4).cells[0].outputs[0]
    assert error.traceback == ["ValueError: two\nlines"]


@pytest.mark.slow
def test_addresses_and_failures_are_refused(tmp_path: Path) -> None:
    assert "give the object a repr" in notebooks.attempt(written(tmp_path, "object()"))[1]
    assert "ZeroDivisionError" in notebooks.attempt(written(tmp_path, "1 / 0"))[1]


def test_pages_of_parts_chapters_and_sections() -> None:
    toc = {
        "root": "a",
        "parts": [{"chapters": [{"file": "b", "sections": [{"file": "c"}]}]}],
        "chapters": [{"file": "d"}],
    }
    assert notebooks.pages(toc) == ["a", "b", "c", "d"]


def test_mirror_touches_only_what_differs_and_removes_what_is_gone(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "book").mkdir(parents=True)
    (source / ".venv").mkdir()
    (source / "book/page.md").write_text("page")
    notebooks.mirror(source, target)
    before = (target / "book/page.md").stat().st_mtime_ns
    (target / "book/gone.md").write_text("gone")
    (target / "gone").mkdir()
    notebooks.mirror(source, target)
    assert (target / "book/page.md").stat().st_mtime_ns == before
    assert [str(path.relative_to(target)) for path in sorted(target.rglob("*"))] == ["book", "book/page.md"]
