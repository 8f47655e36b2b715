"""Pictures of calls: client before, request, server, response, client after.

:func:`picture` is the data, :func:`render` the drawing (SVG), :func:`describe` the same in words, and
:class:`CallPicture` all three for a notebook. Drawing needs the extra ``book``; data and words need nothing.
"""

from rpcmemkit.draw.build import Builder, picture
from rpcmemkit.draw.model import Picture
from rpcmemkit.draw.show import CallPicture, draw, draw_all, render
from rpcmemkit.draw.stages import Step, steps
from rpcmemkit.draw.text import describe

__all__ = [
    "Builder",
    "CallPicture",
    "Picture",
    "Step",
    "describe",
    "draw",
    "draw_all",
    "picture",
    "render",
    "steps",
]
