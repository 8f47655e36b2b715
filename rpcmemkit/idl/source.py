"""Text with a memory of where it came from: any offset leads back to a file, a line and a column.

And the rule for the files that a text may name: those below its own folder and below the folders of -I.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rpcmemkit.errors import UsageError
from rpcmemkit.files import is_file

OUTSIDE = "it lies outside the folder of the interface and the -I folders"

_OF_WINDOWS = re.compile(
    r"(?:unknwn|wtypes|objidl)(?:base)?|oaidl|ocidl|oleidl|propidl|propsys|servprov|urlmon|comcat|shtypes|shobjidl(?:_core)?"
    r"|docobj|exdisp|msxml|activscp|dispex|mmdeviceapi|audioclient|strmif|wbemcli|inspectable|hstring"
)
_OF_A_SPECIFICATION = re.compile(r"ms-[a-z0-9]+")


def where_to_get(name: str) -> str:
    """Say where a file can be had that is not there, if it is one that comes with Windows; nothing of another."""
    stem, _, kind = name.casefold().rpartition(".")
    known = partial(re.fullmatch, string=stem)
    if kind not in ("idl", "h") or not (known(_OF_WINDOWS) or known(_OF_A_SPECIFICATION)):
        return ""
    source = (
        "it comes with the Windows SDK, and with Wine (/usr/include/wine/wine/windows from Debian's libwine-dev)"
        if known(_OF_WINDOWS)
        else "it stands at the end of the Open Specification of that name; save it as a file"
    )
    return f"{source}: add its folder, -I FOLDER on the command line, include_dirs in Python"


@dataclass(frozen=True, slots=True)
class Folders:
    """Where the files that a text names are looked for, and below which folders they must lie.

    ``root`` is the folder of the file that is compiled. A text may come from anybody: what it names must not bring the
    lines of other files into messages.
    """

    root: Path = Path()
    search: tuple[Path, ...] = ()
    anywhere: bool = False

    def admits(self, path: str | Path) -> bool:
        """Whether a file may be read. What lies outside by its name alone is not even looked for."""
        absolute = os.path.abspath(path)  # noqa: PTH100  # without a look at the file system
        return self.anywhere or (self._below(absolute) and self._below(os.path.realpath(path)))

    def _below(self, path: str) -> bool:
        return any(
            Path(path).is_relative_to(real(folder))
            for folder in (self.root, *self.search)
            for real in (os.path.abspath, os.path.realpath)
        )

    def find(self, name: str, beside: Path) -> Path | None:
        """Return the file of a name, looked for in ``beside`` and the -I folders, or ``None``.

        Raises:
            UsageError: there may be one, but it lies outside.
        """
        refused = False
        for path in (folder / name for folder in (beside, *self.search) if "\0" not in name):
            if not self.admits(path):
                refused = True
            elif found := in_any_case(path):
                return found.resolve()
        if refused:
            raise UsageError(OUTSIDE)
        return None


def in_any_case(path: Path) -> Path | None:
    """Return the file of this name, or the one whose name differs in upper and lower case only, as Windows finds it."""
    if is_file(path):
        return path
    try:
        beside = sorted(path.parent.iterdir())
    except (OSError, ValueError):
        return None
    name = path.name.casefold()
    return next((each for each in beside if each.name.casefold() == name and is_file(each)), None)


class Mark(NamedTuple):
    """From ``offset`` on, the text is that of ``file``, from ``line`` and ``column`` on.

    ``fixed`` text is what a macro expands to: all of it stands where the macro is called.
    """

    offset: int
    file: str
    line: int
    column: int = 1
    fixed: bool = False


class Position(NamedTuple):
    """A place as people know it: lines and columns start at 1."""

    file: str
    line: int
    column: int
    text: str


@dataclass(eq=False, slots=True)
class Source:
    """Preprocessed text, without comments and directives.

    ``marks`` are sorted by offset, ``originals`` hold the lines of every file that took part, and ``packing`` the
    ``#pragma pack`` levels: from this offset on, this level.
    """

    file: str
    text: str
    marks: list[Mark]
    originals: dict[str, list[str]]
    packing: list[tuple[int, int | None]] = field(default_factory=list)

    def locate(self, offset: int) -> Position:
        offset = min(offset, len(self.text))
        mark = self.marks[max(bisect_right(self.marks, offset, key=lambda mark: mark.offset) - 1, 0)]
        line, column = mark.line, mark.column
        if not mark.fixed:
            newlines = self.text.count("\n", mark.offset, offset)
            start = self.text.rfind("\n", 0, offset) + 1 if newlines else mark.offset
            line, column = line + newlines, (1 if newlines else column) + offset - start
        lines = self.originals.get(mark.file, [])
        original = lines[line - 1] if 0 < line <= len(lines) else ""
        return Position(mark.file, line, column, original)

    def pack_at(self, offset: int) -> int | None:
        """The packing level in force at ``offset``, or ``None`` for natural alignment."""
        index = bisect_right(self.packing, offset, key=lambda entry: entry[0])
        return self.packing[index - 1][1] if index else None

    def quote(self, start: int, end: int) -> str:
        """The text between two offsets on one line, for captions."""
        return " ".join(self.text[start:end].split())
