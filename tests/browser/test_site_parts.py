"""What belongs to the site as a whole: the search, printing, and what is said to those who do not see the page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.site import Visit

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("1783", "status-codes.html#rpc-x-bad-stub-data"),
        ("0x6f7", "status-codes.html#rpc-x-bad-stub-data"),
        ("800706F7", "status-codes.html#rpc-x-bad-stub-data"),
        ("MIDL2121", "diagnostics.html#"),
        ("2121", "diagnostics.html#"),
        ("CoTaskMemFree", "glossary.html#term-COM-task-allocator"),
        ("1783 stub", "status-codes.html"),
    ],
)
def test_the_search_finds_numbers_and_names_of_functions(visit: Visit, words: str, page: str) -> None:
    found = results(visit, words)
    assert any(page in address for address in found), found
    assert visit.complaints == []


def results(visit: Visit, words: str) -> list[str]:
    """The addresses that the search lists."""
    page = visit.open(f"search.html?q={words}")
    page.wait_for_function(
        "/finished|did not match/.test(document.querySelector('.search-summary')?.textContent)"
    )
    found: list[str] = page.locator("ul.search a").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    return found


def test_answers_and_solutions_are_open_on_paper_only(visit: Visit) -> None:
    page = visit.open("book/one-call.html")
    page.locator("section.quiz summary").first.click()
    before = opened(page)
    assert before.count(True) == 1
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert all(opened(page))
    for reason in page.locator("section.quiz details p").all():
        assert reason.is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert opened(page) == before


def opened(page: Any) -> list[bool]:
    """Which drop-downs of the chapter are open."""
    found: list[bool] = page.locator("article details").evaluate_all("all => all.map(one => one.open)")
    return found


def test_a_step_is_said_once_somebody_moves(visit: Visit) -> None:
    page = visit.open("book/one-call.html")
    said = page.locator("[aria-live=polite]#rpcmemkit-live")
    assert said.count() == 0
    page.locator(".jupyter-widgets .noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.getElementById('rpcmemkit-live')?.textContent.startsWith('Step 2 of')")
    assert visit.complaints == []


@pytest.mark.parametrize("visit", [("wide", "dark")], indirect=True, ids="-".join)
def test_controls_are_dark_in_the_dark(visit: Visit) -> None:
    page = visit.open("book/rule-explorer.html")
    for control in page.locator(".jupyter-widgets :is(select, .jupyter-button)").all():
        ground = control.evaluate("node => getComputedStyle(node).backgroundColor.match(/\\d+/g).map(Number)")
        assert max(ground[:3]) < 100, ground
