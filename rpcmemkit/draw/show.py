"""The drawing of a picture, and the object that shows it in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from rpcmemkit.call import Call
from rpcmemkit.draw.build import LIMIT, picture
from rpcmemkit.draw.dot import dot
from rpcmemkit.draw.layout import Layout, lay_out
from rpcmemkit.draw.model import Picture
from rpcmemkit.draw.svg import finish, render_dot
from rpcmemkit.draw.text import as_html, describe, outline, summary, title

SCROLLS = '<div class="rpcmemkit-scroll" style="overflow-x:auto" role="region" tabindex="0" aria-label="{label}">{svg}</div>'


def render(call: Call, *, limit: int = LIMIT, wide: bool = False) -> str:
    """Return the picture of a call as SVG, with at most ``limit`` blocks in each column.

    ``wide`` puts the five columns side by side; otherwise the way back lies below the way there.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    return draw(picture(call, limit=limit), wide=wide)


def draw(shown: Picture, *, wide: bool = False) -> str:
    """Return a picture as SVG."""
    return draw_all([shown], wide=wide)[0]


def draw_all(shown: Sequence[Picture], *, wide: bool = False, styled: bool = True) -> list[str]:
    """Return pictures as SVG on one grid: what several of them show lies at the same place in each."""
    return [_finished(layout, styled) for layout in lay_out(shown, wide=wide)]


def _finished(layout: Layout, styled: bool) -> str:
    shown = layout.picture
    return finish(render_dot(dot(layout)), title(shown), summary(shown), describe(shown), styled=styled)


def scrolling(svg: str, label: str) -> str:
    """Return a drawing in a box that scrolls sideways where the page is narrow, by keyboard too."""
    return SCROLLS.format(svg=svg, label=label)


class CallPicture:
    """The picture of a call for a notebook: a drawing with its text alternative.

    It is shown as HTML with the drawing inside, not as an image: only so do the page's colours reach it, and only so
    has it an alternative text in a built book.
    """

    def __init__(self, call: Call, *, limit: int = LIMIT, wide: bool = False) -> None:
        self.picture = picture(call, limit=limit)
        self.wide = wide

    @cached_property
    def svg(self) -> str:
        """The drawing."""
        return draw(self.picture, wide=self.wide)

    @property
    def text(self) -> str:
        """The same in words."""
        return describe(self.picture)

    @property
    def html(self) -> str:
        """The drawing, with the words in a fold below it."""
        words = as_html(outline(self.picture))
        drawing = scrolling(self.svg, f"Picture of {self.picture.procedure}")
        return f"{drawing}<details><summary>The picture in words</summary>{words}</details>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return f"<CallPicture of {self.picture.procedure}>"
