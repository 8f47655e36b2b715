"""The built site in Chromium: it stays at home, its steppers move, its controls have names.

Opt-in: ``make browser``. It needs ``playwright`` (``.venv/bin/python -m pip install playwright``) and a Chromium: its own,
or one on the PATH. With the environment variable ``AXE`` naming axe-core's ``axe.min.js``, accessibility is checked too.
"""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tools.notebooks import ROOT

SITE = ROOT / "_build" / "html"
PAGES = sorted(
    str(path.relative_to(SITE))
    for path in SITE.rglob("*.html")
    if "_static" not in path.relative_to(SITE).parts
)
SIZES = {"wide": (1280, 900), "narrow": (360, 740)}
SERIOUS = {"critical", "serious"}

pytestmark = pytest.mark.browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    if not PAGES:
        pytest.skip("there is no site: run `make book`")
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    program = next(
        (
            found
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )
    with sync_api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(
                executable_path=program,
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
        except sync_api.Error as missing:
            pytest.skip(f"no Chromium: {missing}")
        yield found
        found.close()


class Visit:
    """A page with everything that it asked for and complained of."""

    def __init__(self, browser: Any, address: str, size: str = "wide", scheme: str = "light") -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.address = address
        self.elsewhere: list[str] = []
        self.complaints: list[str] = []
        self.page = self.context.new_page()
        self.page.route("**/*", self.admit)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("response", lambda answer: answer.status >= 400 and self.complaints.append(answer.url))

    def admit(self, route: Any) -> None:
        if route.request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.elsewhere.append(route.request.url)
            route.abort()

    def open(self, name: str) -> Any:
        self.page.goto(self.address + name)
        self.page.wait_for_load_state("networkidle")
        if self.page.locator("script[type='application/vnd.jupyter.widget-view+json']").count():
            self.page.wait_for_selector(".jupyter-widgets")
        return self.page


@pytest.fixture
def visit(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    size, scheme = getattr(request, "param", ("wide", "light"))
    visit = Visit(browser, address, size, scheme)
    yield visit
    visit.context.close()


LOOKS = [(size, scheme) for size in SIZES for scheme in ("light", "dark")]


@pytest.mark.parametrize("visit", LOOKS, indirect=True, ids="-".join)
@pytest.mark.parametrize("name", PAGES)
def test_page(visit: Visit, name: str) -> None:
    page = visit.open(name)
    assert visit.elsewhere == []
    assert visit.complaints == []
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{overflow} pixels too wide"
    unnamed = page.evaluate(
        """[...document.querySelectorAll(".jupyter-widgets button, .noUi-handle")]
           .filter(node => !(node.getAttribute("aria-label") || node.textContent).trim()).length"""
    )
    assert unnamed == 0
    if shots := os.environ.get("SHOTS"):
        look = (
            f"{visit.page.viewport_size['width']}-{page.evaluate('document.documentElement.dataset.theme')}"
        )
        page.screenshot(path=str(Path(shots) / f"{name.replace('/', '_')}-{look}.png"), full_page=True)


@pytest.mark.parametrize(
    "visit", [("wide", "light"), ("wide", "dark"), ("narrow", "light")], indirect=True, ids="-".join
)
@pytest.mark.parametrize("name", PAGES)
def test_axe(visit: Visit, name: str) -> None:
    script = os.environ.get("AXE")
    if not script:
        pytest.skip("AXE does not name axe.min.js")
    page = visit.open(name)
    page.add_script_tag(path=script)
    found = page.evaluate("axe.run().then(result => result.violations)")
    told = [
        f"{item['impact']} {item['id']}: {node['html'][:120]}"
        for item in found
        for node in item["nodes"]
        if item["impact"] in SERIOUS
    ]
    assert told == []


STEPPERS = [name for name in PAGES if "widget-view+json" in (SITE / name).read_text(encoding="utf-8")]


def shown(page: Any) -> str:
    """The name of the first picture that can be seen in a stepper."""
    visible = page.locator(
        ".jupyter-widgets svg[role=img]:visible, .jupyter-widgets svg[aria-label]:visible"
    ).first
    label: str = visible.get_attribute("aria-label") or visible.text_content()
    return label


@pytest.mark.parametrize("name", STEPPERS)
def test_stepper_moves_by_key_pointer_and_play(visit: Visit, name: str) -> None:
    page = visit.open(name)
    first = shown(page)
    handle = page.locator(".noUi-handle").first
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert shown(page) != first
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(200)
    assert shown(page) == first

    page.locator(".noUi-base").first.evaluate(
        "track => track.scrollIntoView({block: 'center', behavior: 'instant'})"
    )
    track = page.locator(".noUi-base").first.bounding_box()
    page.mouse.click(track["x"] + track["width"] - 1, track["y"] + track["height"] / 2)
    page.wait_for_timeout(500)
    assert shown(page) != first

    page.get_by_role("button", name="Back to the first step").first.click()
    page.wait_for_timeout(200)
    assert shown(page) == first
    page.get_by_role("button", name="Play").first.click()
    page.wait_for_timeout(2500)
    assert shown(page) != first
    assert visit.complaints == []
