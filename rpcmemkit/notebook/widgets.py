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


def choose(axes: Mapping[str, Sequence[str]], shown: Callable[..., Shown]) -> Any:
    """Return a widget with one list for each axis, which shows what belongs to the chosen combination.

    ``shown`` is asked once for every combination, with one option of each axis, in their order; results that are the
    same object share one place in the page. The text of the widget tells every combination.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    widgets = toolkit()
    lists = [
        widgets.Dropdown(
            options=list(options), index=0, description=name, style={"description_width": "initial"}
        )
        for name, options in axes.items()
    ]
    found = {options: shown(*options) for options in product(*axes.values())}
    leaves = {id(one): widgets.HTML(one.html) for one in found.values()}

    def below(chosen: tuple[str, ...]) -> Any:
        """The place for everything that begins with ``chosen``: a stack for each axis that is still open."""
        if len(chosen) == len(lists):
            return leaves[id(found[chosen])]
        dropdown = lists[len(chosen)]
        stack = widgets.Stack([below((*chosen, option)) for option in dropdown.options], selected_index=0)
        widgets.jslink((dropdown, "index"), (stack, "selected_index"))
        return stack

    text = "\n".join(f"{', '.join(options)}: {one.text}" for options, one in found.items())
    return described(widgets.VBox)([widgets.HTML(STYLE), widgets.HBox(lists), below(())], text)
