"""The chapters in JupyterLite: the button of a page leads there, every cell runs there, and gives what the book shows.

Opt-in: ``make test-browser LITE=1`` tries one chapter, with the environment variable ``LITE_CHAPTERS=all`` each of them
(about half a minute a chapter).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.site import SITE

LITE = SITE / "lite"
WANTED = "*" if os.environ.get("LITE_CHAPTERS") == "all" else "one-call"
CHAPTERS = sorted(path.stem for path in (LITE / "files" / "book").glob(f"{WANTED}.ipynb"))
MINUTES = 5
RUN_DEPENDENT = re.compile(r"rk[0-9a-f]{10}")  # ids in a drawing come from the renderer's own remarks too

CELLS = """() => [...jupyterapp.shell.currentWidget.content.model.cells]
  .filter(cell => cell.type === "code")
  .map(cell => ({id: cell.id, count: cell.executionCount, outputs: cell.outputs.toJSON()}))"""

CONNECTED = """() => jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.connectionStatus
  === 'connected'"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHAPTERS, reason="there is no JupyterLite: run `make lite`"),
]


class Reader:
    """Somebody who opens a chapter's page and presses its button."""

    def __init__(self, browser: Any, address: str) -> None:
        self.address = address
        self.elsewhere: list[str] = []
        self.sizes: dict[str, int] = {}
        self.context = browser.new_context(viewport={"width": 1280, "height": 1000})
        self.context.on("request", self.note)
        self.context.on("response", self.weigh)

    def note(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    def weigh(self, response: Any) -> None:
        self.sizes[response.url] = int(response.headers.get("content-length", 0))

    def launch(self, chapter: str) -> Any:
        page = self.context.new_page()
        page.goto(f"{self.address}book/{chapter}.html")
        page.get_by_role("button", name="Launch interactive content").click()
        with page.expect_popup() as opened:
            page.get_by_role("link", name="JupyterLite").click()
        found = opened.value
        found.wait_for_selector(".jp-Notebook .jp-Cell", timeout=MINUTES * 60_000)
        return found

    def run_all(self, page: Any) -> list[dict[str, Any]]:
        page.wait_for_function(CONNECTED, timeout=MINUTES * 60_000)  # a command before that is lost
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        until = time.monotonic() + MINUTES * 60
        while time.monotonic() < until:
            cells: list[dict[str, Any]] = page.evaluate(CELLS)
            if all(cell["count"] for cell in cells):
                return cells
            page.wait_for_timeout(500)
        raise AssertionError(f"not run: {[cell['id'] for cell in cells if not cell['count']]}")


@pytest.fixture
def reader(browser: Any, address: str) -> Iterator[Reader]:
    reader = Reader(browser, address)
    yield reader
    reader.context.close()


def stored(chapter: str) -> dict[str, dict[str, Any]]:
    notebook = json.loads((LITE / "files" / "book" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    return {cell["id"]: cell for cell in notebook["cells"] if cell["cell_type"] == "code"}


def said(outputs: list[dict[str, Any]]) -> list[str]:
    """What outputs say, without ids of widgets and drawings."""
    texts = []
    for output in outputs:
        data = output.get("data", {"text/plain": output.get("text", message(output))})
        shown = data.get("text/plain" if "application/vnd.jupyter.widget-view+json" in data else "text/html")
        text = data.get("text/plain", "") if shown is None else shown
        texts.append(RUN_DEPENDENT.sub("", "".join(text)))
    return texts


def message(output: dict[str, Any]) -> str:
    """An error as the browser tells one that was expected."""
    return f"{output['ename']}: {output['evalue']}\n" if output["output_type"] == "error" else ""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_runs_in_the_browser_as_in_the_book(reader: Reader, chapter: str) -> None:
    started = time.monotonic()
    page = reader.launch(chapter)
    before = stored(chapter)
    cells = reader.run_all(page)
    took = time.monotonic() - started
    print(f"{chapter}: {len(cells)} cells, {took:.0f} s, {sum(reader.sizes.values()) / 1e6:.0f} MB")

    for cell in cells:
        origin = before[cell["id"]]
        errors = [output for output in cell["outputs"] if output["output_type"] == "error"]
        assert errors == [], cell["id"]
        assert said(cell["outputs"]) == said(origin["outputs"]), cell["id"]
    assert reader.elsewhere == []


def test_questions_pictures_and_steppers_can_be_used(reader: Reader) -> None:
    page = reader.launch("one-call")
    reader.run_all(page)
    question = page.locator("section.quiz").first
    question.scroll_into_view_if_needed()
    question.locator("summary").first.click()
    assert question.locator("details[open] p strong").first.text_content() in ("Right.", "No.")
    page.locator("svg.rpcmemkit").first.wait_for()
    slider = page.locator(".jupyter-widgets .noUi-handle").first
    slider.scroll_into_view_if_needed()
    first = page.locator(".rpcmemkit-step:visible").first.text_content()
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert page.locator(".rpcmemkit-step:visible").first.text_content() != first
