"""Prose as data: sentences, tables and sections, and how they look on a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Group

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Sentence:
    """A paragraph. ``tone`` is ``bad`` for what is wrong, ``good`` for what is in order, ``rule`` for a rule cited."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below column heads."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it, in order."""

    heading: str
    parts: tuple[Sentence | Table, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """The story of one call, in sections."""

    title: str
    sections: tuple[Section, ...]

    def text(self, width: int = WIDTH) -> str:
        """Return the story as plain text of at most ``width`` columns."""
        blocks = [_underlined(self.title, "=", width)]
        blocks += [_section_text(section, width) for section in self.sections]
        return "\n\n".join(blocks) + "\n"

    def __str__(self) -> str:
        return self.text()

    def __rich__(self) -> Group:
        return render_rich(self)


# --- plain text -----------------------------------------------------------------------------------


def _section_text(section: Section, width: int) -> str:
    """Return a section: sentences below one another, tables with a line of space around them."""
    blocks = [_underlined(section.heading, "-", width)]
    for is_table, parts in groupby(section.parts, key=lambda part: isinstance(part, Table)):
        blocks.append(("\n\n" if is_table else "\n").join(_part_text(part, width) for part in parts))
    return "\n\n".join(blocks)


def _underlined(heading: str, line: str, width: int) -> str:
    return f"{textwrap.fill(heading, width)}\n{line * min(len(heading), width)}"


def _part_text(part: Sentence | Table, width: int) -> str:
    if isinstance(part, Table):
        return table_text(part.heads, part.rows, width)
    indent = "  " if part.tone == "rule" else ""
    return textwrap.fill(
        part.text, width, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )


def table_text(heads: tuple[str, ...] | None, rows: Sequence[tuple[str, ...]], width: int) -> str:
    """Return rows with aligned columns; what does not fit is continued below, in its own column."""
    lines = [*([heads] if heads else []), *rows]
    widths = _column_widths(lines, width)
    return "\n".join(line for row in lines for line in _row_lines(row, widths))


def _column_widths(lines: Sequence[tuple[str, ...]], width: int) -> list[int]:
    """Give each column what it needs, and take from the widest until the table fits; words are broken last."""
    columns = [[row[index] for row in lines] for index in range(len(lines[0]))]
    widths = [max(map(len, column)) for column in columns]
    words = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    room = width - 2 * (len(widths) - 1)
    while sum(widths) > room and max(widths) > 6:
        can_wrap = [index for index in range(len(widths)) if widths[index] > words[index]]
        widest = max(can_wrap or range(len(widths)), key=widths.__getitem__)
        widths[widest] -= 1
    return widths


def _row_lines(row: tuple[str, ...], widths: Sequence[int]) -> Iterator[str]:
    cells = [
        textwrap.wrap(cell, size, break_on_hyphens=True) or [""]
        for cell, size in zip(row, widths, strict=True)
    ]
    for index in range(max(map(len, cells))):
        parts = [cell[index] if index < len(cell) else "" for cell in cells]
        yield "  ".join(part.ljust(size) for part, size in zip(parts, widths, strict=True)).rstrip()


# --- rich -----------------------------------------------------------------------------------------

_STYLES = {"bad": "bold red", "good": "green", "rule": "dim"}


def render_rich(story: Story) -> Group:
    """Return the story for a :class:`rich.console.Console`."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    found: list[Any] = [Text(story.title, style="bold underline")]
    for section in story.sections:
        found.append(Padding(Text(section.heading, style="bold cyan"), (1, 0, 0, 0)))
        found += [_rich_part(part) for part in section.parts]
    return Group(*found)


def _rich_part(part: Sentence | Table) -> Any:
    from rich import box
    from rich.padding import Padding
    from rich.table import Table as RichTable
    from rich.text import Text

    if isinstance(part, Sentence):
        text = Text(part.text, style=_STYLES.get(part.tone, ""))
        return Padding(text, (0, 0, 0, 4 if part.tone == "rule" else 2))
    table = RichTable(*part.heads, box=box.SIMPLE, pad_edge=False, header_style="bold")
    for row in part.rows:
        table.add_row(*map(Text, row))
    return Padding(table, (0, 0, 0, 2))
