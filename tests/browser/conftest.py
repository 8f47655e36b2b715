"""A browser for the whole session, and a visit for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.site import OPTIONS, PAGES, Visit, chromium, served


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    if not PAGES:
        pytest.skip("there is no site: run `make book`")
    with served() as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=chromium(), args=list(OPTIONS))
        except sync_api.Error as missing:
            pytest.skip(f"no Chromium: {missing}")
        yield found
        found.close()


@pytest.fixture
def visit(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    size, scheme = getattr(request, "param", ("wide", "light"))
    visit = Visit(browser, address, size, scheme)
    yield visit
    visit.context.close()
