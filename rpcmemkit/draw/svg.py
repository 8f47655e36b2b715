"""From DOT to SVG with the renderer that pip installs, and what makes an SVG readable for everyone.

The binary is the one of the wheel ``graphviz-pure``: another Graphviz would give other bytes. Where no program can be
started, in a browser, :mod:`rpcmemkit.notebook.browser` puts a renderer in its place.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from functools import cache
from html import escape
from pathlib import Path

from rpcmemkit.draw.palette import COLORS, style
from rpcmemkit.errors import UsageError, printable

IN_BROWSER = "emscripten"
LOAD = "pictures in a browser need `await rpcmemkit.notebook.browser.start()` first"
INSTALL = 'pictures need the extra "book": python -m pip install "rpcmemkit[book]"'
STYLE = f"<style>{style('.rpcmemkit')}</style>"
_NAMES = {bright: name for name, (bright, _) in COLORS.items()}


_loaded: list[Callable[[str], str]] = []


def draw_with(renderer: Callable[[str], str]) -> None:
    """Let ``renderer`` turn DOT into SVG from now on, instead of a program."""
    _loaded[:] = [renderer]


def render_dot(source: str) -> str:
    """Return the raw SVG of a DOT source whose nodes have positions, or which names its own layout.

    Raises:
        UsageError: the packages of the extra ``book`` are not installed, or in a browser no renderer is loaded; or the
            renderer fails.
    """
    source = printable(source)  # an XML text cannot hold what would steer a terminal
    if _loaded:
        return _loaded[0](source)
    if sys.platform == IN_BROWSER:
        raise UsageError(LOAD)
    try:
        import graphviz
        from graphviz.backend import dot_command
    except ImportError as missing:
        raise UsageError(INSTALL) from missing
    before = dot_command.DOT_BINARY
    dot_command.DOT_BINARY = binary()
    try:
        data: bytes = graphviz.pipe("neato", "svg", source.encode(), neato_no_op=2, quiet=True)
    except graphviz.CalledProcessError as error:
        raise UsageError(
            f"the picture cannot be drawn: {error.stderr.decode(errors='replace').strip()}"
        ) from error
    finally:
        dot_command.DOT_BINARY = before  # others may draw with another Graphviz
    return data.decode()


@cache
def binary() -> Path:
    """Return the wheel's executable, found where pip puts scripts and never on the PATH.

    Raises:
        UsageError: the package graphviz-pure is not installed.
    """
    for folder in _folders():
        found = shutil.which("graphviz-pure", path=str(folder))
        if found:
            return Path(found)
    raise UsageError(f"there is no graphviz-pure: {INSTALL}")


def _folders() -> Iterator[Path]:
    yield Path(sysconfig.get_path("scripts"))
    yield Path(sys.executable).parent
    yield Path(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")))


def finish(raw: str, title: str, label: str, description: str, *, styled: bool = True) -> str:
    """Return a drawing with its text alternative, its colours in both modes, and ids of its own.

    Pictures that stand together may share one :data:`STYLE`: ``styled=False`` leaves it out. Ids come from the drawing itself, so two different pictures of a page never share one.
    """
    title, label, description = map(printable, (title, label, description))
    mark = "rk" + hashlib.sha256((raw + title + description).encode()).hexdigest()[:10]
    body = raw[raw.index("<g ") : raw.rindex("</svg>")]
    view = re.search(r'viewBox="([^"]+)"', raw)
    assert view is not None
    width = float(view[1].split()[2])
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rpcmemkit" role="img" viewBox="{view[1]}"'
        f' style="min-width:{width * 0.8:.0f}px;max-width:{width * 1.25:.0f}px"'
        f' aria-label="{escape(label)}" aria-describedby="{mark}-d">'
        f'<title>{escape(title)}</title><desc id="{mark}-d">{escape(description)}</desc>'
    )
    return f"{head}{STYLE if styled else ''}{_tidy(body)}</svg>\n"


def _tidy(body: str) -> str:
    """Drop what says nothing, number the groups, and name colours and typefaces instead of repeating them."""
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<title>.*?</title>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[a-z]+\d+"', "<g", body)
    body = re.sub(_RECTANGLE, _rectangle, body)
    body = re.sub(r' xml:space="preserve"| text-anchor="start"| stroke="none"', "", body)
    body = re.sub(r'(font-size="[\d.]*?)\.?0*"', r'\1"', body)
    return re.sub(r"<(?:path|polygon|text|polyline|ellipse)\b[^>]*", lambda found: _named(found[0]), body)


_NUMBER = r"(-?[\d.]+)"
_RECTANGLE = rf'<polygon([^>]*) points="{_NUMBER},{_NUMBER} \2,{_NUMBER} {_NUMBER},\4 \5,\3 \2,\3"/>'


def _rectangle(found: re.Match[str]) -> str:
    """Say a rectangle in half the letters."""
    look = found[1]
    left, bottom, top, right = map(float, found.groups()[1:])
    return f'<path{look} d="M{left:g} {top:g}H{right:g}V{bottom:g}H{left:g}z"/>'


def _named(tag: str) -> str:
    """Replace the colours and the typeface of a shape by classes, to which the style gives light and dark."""
    classes: list[str] = []

    def note(found: re.Match[str]) -> str:
        kind, value = found[1], found[2]
        name = _NAMES.get(value)
        if kind == "font-family":
            classes.append("m" if value.startswith("Courier") else "h")
        elif name is None:
            return found[0]
        else:
            classes.append(f"{kind[0]}-{name}")
        return ""

    rest = re.sub(r' (fill|stroke|font-family)="([^"]*)"', note, tag)
    head, _, rest = rest.partition(" ")
    return f'{head} class="{" ".join(classes)}" {rest}' if classes else tag
