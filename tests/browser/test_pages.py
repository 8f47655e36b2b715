"""Every page in Chromium: it stays at home, complains of nothing, fits its window, and everybody can use it.

Opt-in: ``make test-browser``. Screenshots go where the environment variable ``SHOTS`` says.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser.site import PAGES, Visit

SERIOUS = {"critical", "serious"}
LOOKS = [("wide", "light"), ("wide", "dark"), ("narrow", "light")]

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("visit", LOOKS, indirect=True, ids="-".join)
@pytest.mark.parametrize("name", PAGES)
def test_page(visit: Visit, name: str, request: pytest.FixtureRequest) -> None:
    page = visit.open(name)
    assert visit.elsewhere == []
    assert visit.complaints == []
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, f"{overflow} pixels too wide"
    if visit.size == "wide":
        assert barriers(page) == []
    if shots := os.environ.get("SHOTS"):
        folder = Path(shots)
        folder.mkdir(parents=True, exist_ok=True)
        look = request.node.callspec.id.removesuffix(f"-{name}").removeprefix(f"{name}-")
        page.screenshot(
            path=str(folder / f"{name.replace('/', '_')}-{look}.png"), full_page=True, timeout=120_000
        )


def barriers(page: Any) -> list[str]:
    """What axe calls critical or serious, with the place."""
    package = pytest.importorskip("axe_playwright_python")
    page.add_script_tag(path=str(Path(package.__file__).parent / "axe.min.js"))
    found = page.evaluate(
        "axe.run({resultTypes: ['violations'], preload: false}).then(result => result.violations)"
    )
    return [
        f"{item['impact']} {item['id']}: {node['html'][:160]}"
        for item in found
        for node in item["nodes"]
        if item["impact"] in SERIOUS
    ]
