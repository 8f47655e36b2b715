"""A picture's text, line by line: what stands in each cell, cut to what fits."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from rpcmemkit.draw.fields import clip
from rpcmemkit.draw.model import Block, Bytes, Column, Field, Gap, Part
from rpcmemkit.draw.storage import DANGLING, FAULT, FREED, GOING, LEAKED, ORPHANED, OWNERS
from rpcmemkit.errors import counted

LINE, SMALL, TITLE = 16, 13, 18
HEX_LIMIT = 4
WRONG = {ORPHANED, LEAKED, DANGLING, FAULT}
MEANING = 23


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a box: its kind says how it looks, ``port`` what arrows may point at."""

    kind: str
    height: int
    cells: tuple[str, ...]
    port: str = ""
    mood: str = ""


@dataclass(slots=True)
class Box:
    """A bordered table of lines: a block, a gap, or a whole message. ``x`` and ``y`` are its upper left corner."""

    id: str
    kind: str
    lines: list[Line]
    dashed: bool = False
    x: float = 0
    y: float = 0
    width: float = 0
    widths: tuple[int, ...] = field(default=())

    @property
    def height(self) -> int:
        return sum(line.height for line in self.lines) + 2

    def offset(self, port: str) -> float:
        """Return how far below the box's top the middle of a line lies; the first line for an unknown port."""
        y = 1.0
        for line in self.lines:
            if line.port == port:
                return y + line.height / 2
            y += line.height
        return 1 + self.lines[0].height / 2


def boxes(column: Column) -> list[Box]:
    """Return the boxes of a column, the bytes of a message as one."""
    if any(isinstance(item, Bytes) for item in column.items):
        return [Box(column.key, "message", [line for item in column.items for line in _message_line(item)])]
    return [
        _block(item) if isinstance(item, Block) else _gap(item)
        for item in column.items
        if not isinstance(item, Bytes)
    ]


def _message_line(item: Block | Gap | Bytes) -> Iterable[Line]:
    if isinstance(item, Bytes):
        cells = (str(item.offset), hex_text(item.data), _meaning(item))
        yield Line(f"bytes-{item.kind}", LINE, cells)
    elif isinstance(item, Gap):
        yield Line("more", LINE, (item.text,))


def _meaning(item: Bytes) -> str:
    """Join path and value; of a path that is too long the end remains."""
    room = max(MEANING - len(item.brief) - 2, 8)
    path = item.path if len(item.path) <= room else "…" + item.path[3 - room :]
    return f"{path}: {item.brief}" if path else item.brief


def hex_text(data: bytes) -> str:
    """Return bytes in hexadecimal, cut after a few."""
    return data.hex(" ") if len(data) <= HEX_LIMIT else data[: HEX_LIMIT - 1].hex(" ") + "…"


def _gap(gap: Gap) -> Box:
    return Box(gap.id, "gap", [Line("more", LINE, (gap.text,), gap.id)], dashed=True)


def _block(block: Block) -> Box:
    lines = [Line("title", TITLE, (block.label, " ".join(block.words)), block.id, _mood(block))]
    lines.append(Line("meta", SMALL, (f"{block.address:#x}", counted(block.size, "byte"))))
    lines += [Line("owner", SMALL, (text,)) for text in _whose(block)]
    for part in block.parts:
        lines += _part(part, block.compound)
    if not block.compound and isinstance(block.parts[0], Part):
        lines[0] = Line("title", TITLE, lines[0].cells, block.parts[0].id, lines[0].mood)
    lines.append(Line("foot", 3, ("",)))
    dashed = bool({FREED, GOING, LEAKED, ORPHANED} & set(block.words))
    return Box(block.id, block.owner, lines, dashed)


def _mood(block: Block) -> str:
    """Return whether a block's words are bad news (``loud``), good to know (``calm``), or neither."""
    if WRONG & set(block.words):
        return "loud"
    return "calm" if any(word.isupper() for word in block.words) else ""


def _whose(block: Block) -> list[str]:
    if block.owner == "variable":
        return [OWNERS["variable"]]
    one = f"{OWNERS[block.owner]}, {block.duty}"
    return [one] if len(one) <= 42 else [OWNERS[block.owner], block.duty]


def _part(part: Part | Gap, compound: bool) -> Iterable[Line]:
    if isinstance(part, Gap):
        yield Line("more", LINE, (part.text,), part.id)
        return
    if compound:
        yield Line("part", LINE, (part.label, f"{part.address:#x}"), part.id)
    for index, value in enumerate(part.fields):
        yield _field(value, f"{part.id}:{index}")


def _field(value: Field, port: str) -> Line:
    if value.offset is None:
        return Line("more", LINE, (f"… {value.text}",), port)
    text = value.text
    if value.dangling:
        text = f"{text} {DANGLING}"
    if value.was:
        text = f"{text} (was {value.was})"
    return Line(
        "changed" if value.was else "field",
        LINE,
        (f"+{value.offset}", value.name, text),
        port,
        "loud" if value.dangling else "",
    )


def wrap(text: str, width: float, letter: float) -> list[str]:
    """Break text into lines that fit ``width`` when a letter is ``letter`` wide on average."""
    return textwrap.wrap(text, max(int(width / letter), 12))


def fit(text: str, width: float, letter: float) -> str:
    """Cut text to ``width``, as Graphviz will measure it: it counts a letter beyond ASCII once for every byte."""
    room = limit = max(int(width / letter), 4)
    while limit > 1 and len(clip(text, limit).encode()) > room:
        limit -= 1
    return clip(text, limit)
