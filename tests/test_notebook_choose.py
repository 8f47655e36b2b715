"""Lists linked to what belongs to each combination: what is linked, what is shared, what is said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from rpcmemkit import UsageError
from rpcmemkit.notebook import Shown, choose

pytest.importorskip("ipywidgets")

AXES = {"Colour": ["red", "blue"], "Size": ["small", "large", "huge"]}


def leaf(*options: str) -> Shown:
    text = " ".join(options)
    return Shown(f"<p>{text}</p>", text)


def parts(widget: Any) -> tuple[list[Any], Any]:
    """The lists of a widget, and what is below them."""
    _, lists, below = widget.children
    return list(lists.children), below


def test_every_combination_has_its_leaf_where_the_lists_lead_to() -> None:
    lists, below = parts(choose(AXES, leaf))
    assert [(one.description, tuple(one.options)) for one in lists] == [
        (k, tuple(v)) for k, v in AXES.items()
    ]
    for first, colour in enumerate(AXES["Colour"]):
        for second, size in enumerate(AXES["Size"]):
            assert below.children[first].children[second].value == f"<p>{colour} {size}</p>"


def links_of(widget: Any) -> list[tuple[Any, Any]]:
    """The list and the stack of each link in the browser that belongs to the widget."""
    from ipywidgets.widgets.widget import _instances

    everything = [one for one in _instances.values() if type(one).__name__ == "Link"]
    lists, _ = parts(widget)
    return [(one.source[0], one.target[0]) for one in everything if one.source[0] in lists]


def test_each_stack_follows_its_own_list() -> None:
    widget = choose(AXES, leaf)
    lists, below = parts(widget)
    linked = {target.model_id: source for source, target in links_of(widget)}
    assert linked[below.model_id] is lists[0]
    assert all(linked[stack.model_id] is lists[1] for stack in below.children)


def test_a_choice_may_start_anywhere() -> None:
    lists, below = parts(choose(AXES, leaf, start=("blue", "huge")))
    assert [one.index for one in lists] == [1, 2]
    assert below.selected_index == 1
    assert {stack.selected_index for stack in below.children} == {2}


def test_what_is_the_same_has_one_place() -> None:
    same = leaf("same")
    _, below = parts(choose(AXES, lambda *options: same))
    assert below.value == "<p>same</p>", "a choice that makes no difference needs no stack"

    made = {size: leaf(size) for size in AXES["Size"]}
    _, below = parts(choose({**AXES, "Weight": ["light"]}, lambda colour, size, weight: made[size]))
    assert [one.value for one in below.children] == [f"<p>{size}</p>" for size in AXES["Size"]]


def test_leaves_share_one_layout_and_one_style() -> None:
    _, below = parts(choose(AXES, leaf))
    leaves = [one for stack in below.children for one in stack.children]
    assert len({one.layout.model_id for one in leaves}) == len({one.style.model_id for one in leaves}) == 1


def test_the_text_tells_every_combination_or_what_is_given() -> None:
    assert repr(choose(AXES, leaf)).splitlines()[4] == "blue, large: blue large"
    assert repr(choose(AXES, leaf, text="see below")) == "see below"


def test_two_widgets_of_the_same_have_the_same_state() -> None:
    from ipywidgets.embed import dependency_state

    def state(widget: Any) -> str:
        found = dependency_state([widget])
        numbers = {model: f"{number:032x}" for number, model in enumerate(found)}
        return re.sub(r"[0-9a-f]{32}", lambda each: numbers.get(each[0], each[0]), json.dumps(found))

    assert state(choose(AXES, leaf)) == state(choose(AXES, leaf))


@pytest.mark.parametrize(
    ("axes", "start", "message"),
    [
        ({"Colour": []}, (), "Colour: give one option or more"),
        ({"Colour": ["red", "red"]}, (), "each once"),
        (AXES, ("red",), "start is one option of each of Colour, Size"),
        (AXES, ("small", "red"), "not small, red"),
    ],
)
def test_what_cannot_be_chosen_is_said(axes: Any, start: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose(axes, leaf, start=start)
