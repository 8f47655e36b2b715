"""Docstrings in the form of this project, for Sphinx: a block ``Raises:`` with a line or more for each exception.

``sphinx.ext.napoleon`` reads the same block, but takes what stands before a colon in the docstring of a property for a type.
"""

from __future__ import annotations

import re
from typing import Any

RAISES = re.compile(r"(\s*)Raises:\s*$")
ENTRY = re.compile(r"([\w.]+): (.*)")


def fields(_app: Any, _what: str, _name: str, _obj: object, _options: Any, lines: list[str]) -> None:
    """Turn each ``Raises:`` block of a docstring into a list of fields, in place."""
    made: list[str] = []
    inside = False
    for line in lines:
        if RAISES.match(line):
            inside = True
            made += ["" if made and made[-1] else line[:0]]
        elif inside and line.startswith("    "):
            entry = ENTRY.match(line.strip()) if not line.startswith("     ") else None
            made.append(f":raises {entry[1]}: {entry[2]}" if entry else f"    {line.strip()}")
        else:
            inside = inside and not line.strip()
            made.append(line)
    lines[:] = made


def signature(
    _app: Any, _what: str, _name: str, _obj: object, _options: Any, given: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Write a default that is made anew for each object as ``...``: its own form is no Python, and spoils the rest."""
    return given and given.replace("<factory>", "..."), returned


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("autodoc-process-docstring", fields)
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
