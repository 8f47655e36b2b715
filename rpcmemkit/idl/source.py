"""Text with a memory of where it came from: any offset leads back to a file, a line and a column."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


def is_file(path: Path) -> bool:
    """Whether there is a file to read; a name that no file system takes names none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


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
