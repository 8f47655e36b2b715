"""What the exhibits have in common: a declaration, what came of it, a picture, and lists of facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from rpcmemkit.draw.svg import STYLE
from rpcmemkit.errors import Diagnostic
from rpcmemkit.notebook import Shown, choose
from rpcmemkit.notebook.tables import items_html


class Exhibit:
    """Something that has been tried, and shows in a notebook what came of it."""

    @property
    def shown(self) -> Shown:
        """All that is to say of it, without the style of its picture."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        one = self.shown
        return {"text/html": STYLE + one.html, "text/plain": one.text}

    def __repr__(self) -> str:
        return self.shown.text


def page(
    idl: str, heading: str, picture: Shown | None = None, sections: Sequence[tuple[str, Sequence[str]]] = ()
) -> Shown:
    """Return a declaration, a heading, a picture and lists of facts; a section without a name is a list alone."""
    html = f'<pre style="overflow-x:auto">{escape(idl)}</pre><p><b>{escape(heading)}</b></p>'
    html += picture.html if picture else ""
    html += "".join(f"<p><b>{name}</b></p>" * bool(name) + items_html(items) for name, items in sections)
    text = [idl, heading, *([picture.text] if picture else [])]
    text += [f"{name}: {item}" if name else item for name, items in sections for item in items]
    return Shown(f'<div class="rpcmemkit-step">{html}</div>', "\n".join(text))


def chooser(
    axes: Mapping[str, Sequence[str]], start: Sequence[str], below: str, show: Callable[..., Exhibit]
) -> Any:
    """Return a widget: a list for each axis, and what ``show`` makes of the chosen options. ``below`` says what that is.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    known: dict[str, Shown] = {}

    def leaf(*options: str) -> Shown:
        one = show(*options).shown
        return known.setdefault(one.html, one)  # what looks the same has one place in the page

    text = f"Lists: {', '.join(axes)}. Below them: {below}. First shown:\n{leaf(*start).text}"
    return choose(axes, leaf, start=start, text=text)


def number(found: Diagnostic) -> str:
    """Return the number by which MIDL knows a finding, or else the kit's own."""
    return f"MIDL{found.midl}" if found.midl else found.code


def refused(found: Diagnostic) -> str:
    """Return the heading of a declaration that does not compile."""
    midl = f", MIDL{found.midl}" if found.midl else ""
    return f"It does not compile ({found.code}{midl}): {found.message}."


def listing(lines: str) -> str:
    """Return the lines of an interface's body, which are indented there, as a text of their own."""
    return lines.replace("  ", "", 1).replace("\n  ", "\n")


def one_line_acf(interface: str, line: str) -> str | None:
    """Return an attribute file of one line: attributes of the interface itself, or a declaration. None for no line."""
    if not line:
        return None
    own, inner = (f"{line} ", "") if line.startswith("[") else ("", f"{line} ")
    return f"{own}interface {interface} {{ {inner}}}"
