"""Every stepper, every question and every list of choices is operated, and what it then says is read back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.site import PAGES, SITE, Visit

SOURCES = {name: (SITE / name).read_text(encoding="utf-8") for name in PAGES}
STEPPERS = [name for name, text in SOURCES.items() if "rpcmemkit-steps" in text and "PlayModel" in text]
QUIZZES = [name for name, text in SOURCES.items() if '<section class="quiz"' in text]
CHOICES = [name for name, text in SOURCES.items() if "DropdownModel" in text]

pytestmark = pytest.mark.browser


def words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def settle(page: Any) -> None:
    """Wait until the widgets have redrawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.mark.parametrize("name", STEPPERS)
def test_each_stepper_goes_through_its_steps_and_says_what_its_reading_says(visit: Visit, name: str) -> None:
    page = visit.open(name)
    boxes = page.locator(".jupyter-widgets.widget-vbox:has(.noUi-handle)")
    readings = page.locator("ol.rpcmemkit-steps")
    assert boxes.count() == readings.count() > 0
    for number in range(boxes.count()):
        box, steps = boxes.nth(number), readings.nth(number).locator(":scope > li")
        for step in range(steps.count()):
            heading = words(box.get_by_role("heading", level=4).inner_text())
            label, _, _ = words(steps.nth(step).text_content()).partition(".")
            assert heading == f"Step {step + 1} of {steps.count()}: {label}"
            assert box.locator("svg[aria-label], svg[role=img]").first.is_visible()
            box.locator(".noUi-handle").focus()
            page.keyboard.press("ArrowRight")
            settle(page)
    assert visit.complaints == []


@pytest.mark.parametrize("name", STEPPERS[:1])
def test_a_stepper_also_moves_by_pointer_and_by_itself(visit: Visit, name: str) -> None:
    page = visit.open(name)
    box = page.locator(".jupyter-widgets.widget-vbox:has(.noUi-handle)").first
    heading = box.get_by_role("heading", level=4)
    track = box.locator(".noUi-base").first
    track.evaluate("track => track.scrollIntoView({block: 'center', behavior: 'instant'})")
    place = track.bounding_box()
    page.mouse.click(place["x"] + place["width"] - 1, place["y"] + place["height"] / 2)
    page.wait_for_timeout(500)
    last = heading.inner_text()
    assert not last.startswith("Step 1 ")
    box.get_by_role("button", name="Back to the first step").click()
    settle(page)
    assert heading.inner_text().startswith("Step 1 ")
    box.get_by_role("button", name="Play").click()
    box.get_by_text("Step 2 of").wait_for()
    assert visit.complaints == []


@pytest.mark.parametrize("name", QUIZZES)
def test_each_question_answers_by_keyboard_and_one_answer_is_right(visit: Visit, name: str) -> None:
    page = visit.open(name)
    for question in page.locator("section.quiz").all():
        verdicts = []
        for answer in question.locator("details").all():
            told = answer.locator("p")
            assert not told.is_visible(), "the answer shows before it is chosen"
            answer.locator("summary").focus()
            page.keyboard.press("Enter")
            assert told.is_visible()
            verdicts.append(words(told.inner_text()).split(" ")[0])
        assert sorted(verdicts) == ["No.", "No.", "No.", "Right."], question.get_attribute("id")
    assert visit.complaints == []


@pytest.mark.parametrize("name", CHOICES)
def test_each_choice_shows_something_of_its_own(visit: Visit, name: str) -> None:
    page = visit.open(name)
    for box in page.locator(".jupyter-widgets.widget-vbox:has(> .widget-hbox select)").all():
        lists = box.locator("select").all()
        shown = {choose(page, box, lists, number, option) for number, option in options(lists)}
        assert "" not in shown
        assert len(shown) > len(lists), "choosing changes what is shown"
    assert visit.complaints == []


def options(lists: list[Any]) -> list[tuple[int, int]]:
    """Every option of every list, the others staying as they were left."""
    return [(n, o) for n, each in enumerate(lists) for o in range(each.locator("option").count())]


def choose(page: Any, box: Any, lists: list[Any], number: int, option: int) -> str:
    """Choose by keyboard, and return what the box then says."""
    name = lists[number].evaluate("list => list.labels[0]?.textContent || list.getAttribute('aria-label')")
    assert name, "a list without a name"
    lists[number].select_option(index=option)
    settle(page)
    return words(box.locator(":scope > *").last.inner_text())
