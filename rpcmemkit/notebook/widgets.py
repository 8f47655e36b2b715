"""Widgets that work in a published page without a kernel: everything is computed ahead and linked in the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import product
from typing import Any

from rpcmemkit.call import Call
from rpcmemkit.draw import Step, draw_all, steps
from rpcmemkit.draw.build import LIMIT
from rpcmemkit.draw.show import scrolling
from rpcmemkit.draw.svg import STYLE
from rpcmemkit.errors import UsageError
from rpcmemkit.notebook.tables import Shown, items_html, steps_table

INTERVAL = 2500
"""How long a player stays at a step, in milliseconds."""


def toolkit() -> Any:
    """Return ipywidgets.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    try:
        import ipywidgets
    except ImportError as missing:
        raise UsageError(
            'widgets need the extra "book": python -m pip install "rpcmemkit[book]"'
        ) from missing
    return ipywidgets


# --- steps ---------------------------------------------------------------------------------------


def stepper(call: Call, *, limit: int = LIMIT) -> Any:
    """Return a widget that leads through a call step by step.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    widgets = toolkit()
    told = steps(call, limit=limit)
    frames = [widgets.HTML(""), *(widgets.HTML(frame) for frame in frames_of(told))]
    last = len(told)
    play = widgets.Play(value=1, min=1, max=last, interval=INTERVAL, description="Play the steps")
    slider = widgets.IntSlider(
        value=1, min=1, max=last, description=f"Step of {last}", continuous_update=True
    )
    stack = widgets.Stack(frames, selected_index=1)
    widgets.jslink((play, "value"), (slider, "value"))
    widgets.jslink((slider, "value"), (stack, "selected_index"))
    return described(widgets.VBox)(
        [widgets.HTML(STYLE), widgets.HBox([play, slider]), stack], steps_table(call).text
    )


def described(base: Any) -> Any:
    """Return a kind of box whose text representation tells the steps instead of naming widgets."""

    class Described(base):  # type: ignore[misc]
        """A box with a text of its own."""

        def __init__(self, children: Sequence[Any], text: str) -> None:
            super().__init__(children)
            self._text = text

        def _repr_mimebundle_(self, **options: Any) -> Any:
            bundle = super()._repr_mimebundle_(**options)
            return {**bundle, "text/plain": self._text}

        def __repr__(self) -> str:
            return self._text

    return Described


def frames_of(told: Sequence[Step]) -> list[str]:
    """Return the HTML of every step: its heading, what is said, and its picture, which shares one style with the others."""
    drawings = draw_all([step.picture for step in told], styled=False)
    return [_frame(step, len(told), drawing) for step, drawing in zip(told, drawings, strict=True)]


def _frame(step: Step, last: int, drawing: str) -> str:
    heading = f"Step {step.number} of {last}: {step.label}"
    return (
        '<div class="rpcmemkit-step">'
        f'<p role="heading" aria-level="4"><b>{escape(heading)}</b></p><p>{escape(step.text)}</p>'
        + items_html(step.details)
        + scrolling(drawing, escape(heading, quote=True))
        + "</div>"
    )


# --- choices -------------------------------------------------------------------------------------

ROW = {"flex_flow": "row wrap", "width": "auto"}
"""The lists stand side by side, and below one another where the page is narrow."""


def choose(
    axes: Mapping[str, Sequence[str]],
    shown: Callable[..., Shown],
    *,
    start: Sequence[str] = (),
    text: str | None = None,
) -> Any:
    """Return a widget with one list for each axis, which shows what belongs to the chosen combination.

    ``shown`` is asked once for every combination, with one option of each axis, in their order. What is the same object
    has one place in the page, and so has every part of the choice below which everything is the same. ``start`` is
    the combination that is shown first. The text of the widget is ``text``, or else it tells every combination.

    Raises:
        UsageError: the extra ``book`` is not installed, an axis has no option or one twice, or ``start`` is no combination.
    """
    widgets = toolkit()
    first = _checked(axes, start)
    found = {options: shown(*options) for options in product(*axes.values())}
    lists = _lists(widgets, axes, first)
    below = _Choices(widgets, lists, found).below(())
    if text is None:
        text = "\n".join(f"{', '.join(options)}: {one.text}" for options, one in found.items())
    return described(widgets.VBox)(
        [widgets.HTML(STYLE), widgets.HBox(lists, layout=widgets.Layout(**ROW)), below], text
    )


def _checked(axes: Mapping[str, Sequence[str]], start: Sequence[str]) -> tuple[str, ...]:
    """Return the combination to begin with."""
    for name, options in axes.items():
        if not options or len(set(options)) < len(options):
            raise UsageError(f"{name}: give one option or more, each once")
    first = tuple(start) or tuple(options[0] for options in axes.values())
    fits = len(first) == len(axes) and all(
        option in options for option, options in zip(first, axes.values(), strict=True)
    )
    if not fits:
        raise UsageError(f"start is one option of each of {', '.join(axes)}, not {', '.join(first)}")
    return first


def _lists(widgets: Any, axes: Mapping[str, Sequence[str]], first: Sequence[str]) -> list[Any]:
    """Return a labelled list for each axis; the label is its accessible name. All share one look."""
    look = {
        "style": {"description_width": "initial"},
        "layout": widgets.Layout(width="auto", max_width="100%"),
    }
    return [
        widgets.Dropdown(options=list(options), index=list(options).index(option), description=name, **look)
        for (name, options), option in zip(axes.items(), first, strict=True)
    ]


class _Choices:
    """The tree of stacks below the lists. Equal parts are one widget, and all share one layout: that keeps pages light."""

    def __init__(self, widgets: Any, lists: list[Any], found: Mapping[tuple[str, ...], Shown]) -> None:
        self.widgets, self.lists, self.found = widgets, lists, found
        self.layout = widgets.Layout(width="100%")
        self.style = widgets.HTML().style
        self.made: dict[tuple[object, ...], Any] = {}

    def below(self, chosen: tuple[str, ...]) -> Any:
        """The place for everything that begins with ``chosen``: a stack for each axis that still matters."""
        if len(chosen) == len(self.lists):
            return self._leaf(self.found[chosen])
        dropdown = self.lists[len(chosen)]
        children = [self.below((*chosen, option)) for option in dropdown.options]
        if all(child is children[0] for child in children):
            return children[0]
        key = (len(chosen), *(child.model_id for child in children))
        if key not in self.made:
            self.made[key] = self._stack(dropdown, children)
        return self.made[key]

    def _leaf(self, one: Shown) -> Any:
        key = (id(one),)
        if key not in self.made:
            self.made[key] = self.widgets.HTML(one.html, layout=self.layout, style=self.style)
        return self.made[key]

    def _stack(self, dropdown: Any, children: list[Any]) -> Any:
        stack = self.widgets.Stack(children, selected_index=dropdown.index, layout=self.layout)
        self.widgets.jslink((dropdown, "index"), (stack, "selected_index"))
        return stack
