"""Every chapter passes every check, and every check can fail."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.book import chapter_checks as checks
from tools.notebooks import ROOT, chapters

Check = Callable[[checks.Notebook], list[str]]


def load(path: Path) -> checks.Notebook:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(notebook, dict)
    return notebook


def test_there_are_chapters() -> None:
    assert chapters()


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("path", chapters(), ids=lambda path: str(path.relative_to(ROOT)))
def test_chapter(path: Path, check: Check) -> None:
    assert check(load(path)) == []


def cell(source: str = "1", count: int | None = 1, outputs: Any = (), **metadata: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": metadata,
        "outputs": list(outputs),
        "source": source,
    }


def shows(**data: str) -> dict[str, Any]:
    forms = {kind.replace("__", "/").replace("_xml", "+xml"): value for kind, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": forms}


def says(text: str, stream: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": stream, "text": text}


def fails(message: str = "no") -> dict[str, Any]:
    return {"output_type": "error", "ename": "RpcError", "evalue": message, "traceback": []}


def view(model: str) -> dict[str, Any]:
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/plain": "Play", checks.WIDGET_VIEW: {"model_id": model}},
    }


def notebook(*cells: dict[str, Any], widgets: Any = None) -> checks.Notebook:
    metadata: dict[str, Any] = {
        "kernelspec": copy.copy(checks.KERNELSPEC),
        "language_info": {"name": "python"},
    }
    if widgets is not None:
        metadata["widgets"] = {checks.WIDGET_STATE: {"state": widgets}}
    return {"cells": list(cells), "metadata": metadata}


def stranger() -> checks.Notebook:
    made_elsewhere = notebook(cell())
    made_elsewhere["metadata"]["kernelspec"] = {"name": "my-venv"}
    return made_elsewhere


HOME = "/" + "home/ann/x.py"
NUMBER = f"{1:032x}"

BROKEN: list[tuple[Check, checks.Notebook]] = [
    (checks.executed_in_order, notebook(cell(count=None))),
    (checks.executed_in_order, notebook(cell(count=2), cell(count=1))),
    (checks.no_empty_cells, notebook(cell(" "))),
    (checks.nothing_of_this_machine, notebook(cell(outputs=[says(f"File {HOME}")]))),
    (checks.nothing_of_this_machine, notebook(cell(outputs=[fails(f"no file '{HOME}'")]))),
    (checks.nothing_of_this_machine, notebook(cell(outputs=[shows(text__html="<a href='C:\\Users\\ann'>")]))),
    (checks.nothing_of_this_machine, notebook(cell(f"open('{HOME}')"))),
    (checks.no_object_reprs, notebook(cell(outputs=[shows(text__plain="<Call object at 0x7f00>")]))),
    (
        checks.no_object_reprs,
        notebook(cell(outputs=[shows(text__plain="<IPython.core.display.HTML object>")])),
    ),
    (checks.nothing_on_stderr, notebook(cell(outputs=[says("Warning", "stderr")]))),
    (checks.errors_are_meant, notebook(cell(outputs=[fails()]))),
    (checks.errors_are_meant, notebook(cell(tags=["raises-exception"]))),
    (checks.fixed_metadata, stranger()),
    (checks.fixed_metadata, notebook(cell(execution={"iopub.status.busy": "today"}))),
    (checks.short_cells, notebook(cell("x\n" * 9))),
    (checks.narrow_cells, notebook(cell("x" * 81))),
    (checks.readable_length, notebook({"cell_type": "markdown", "source": "word " * 2101})),
    (checks.readable_length, notebook(*[cell() for _ in range(33)])),
    (checks.pictures_have_words, notebook(cell(outputs=[shows(image__svg_xml="<svg aria-label='x'/>")]))),
    (checks.pictures_have_words, notebook(cell(outputs=[shows(text__html="<svg><title> </title></svg>")]))),
    (checks.pictures_have_words, notebook(cell(outputs=[shows(text__html="<img src='a.svg'>")]))),
    (checks.pictures_have_words, notebook({"cell_type": "markdown", "source": "![](a.svg)"})),
    (checks.pictures_have_words, notebook(widgets={NUMBER: {"state": {"value": "<svg></svg>"}}})),
    (checks.displays_have_text, notebook(cell(outputs=[shows(text__html="<p>words</p>")]))),
    (checks.widgets_are_whole, notebook(cell(outputs=[view(NUMBER)]))),
    (checks.widgets_are_whole, notebook(widgets={"8d" * 16: {"state": {}}})),
    (checks.steppers_have_a_reading, notebook(cell(outputs=[view(NUMBER)]), cell())),
]


@pytest.mark.parametrize(("check", "broken"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_notebook_is_found(check: Check, broken: checks.Notebook) -> None:
    assert check(broken)


def test_every_check_has_a_notebook_that_fails_it() -> None:
    assert {check for check, _ in BROKEN} == set(checks.CHECKS)


SOUND = notebook(
    cell("x = 1\n" * 8, outputs=[says("0x1000: 7, see ../rpcmemkit/home/x and `/`")]),
    cell(
        count=2,
        outputs=[view(NUMBER), shows(text__plain="1. before", text__html="<svg aria-label='before'/>")],
    ),
    cell(count=3, outputs=[fails("RPC_X_NULL_REF_POINTER (1780)")], tags=["raises-exception"]),
    cell(
        count=4,
        outputs=[shows(text__plain="a", image__svg_xml="<svg><title>a</title>")],
        mystnb={"image": {"alt": "a"}},
    ),
    {"cell_type": "markdown", "source": "![Two boxes](boxes.svg)"},
    widgets={NUMBER: {"state": {"value": "<svg role='img'><title>Two boxes</title></svg>"}}},
)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_a_sound_notebook_passes(check: Check) -> None:
    assert check(SOUND) == []
