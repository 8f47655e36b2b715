"""Sketches: a call's memory in rows of boxes, small enough for hundreds of them in one page.

A sketch is made from the same :class:`rpcmemkit.draw.Picture` as the large drawing: the client before, the server as the
routine returns, the client after. It needs no Graphviz. In a detailed sketch every value has its address and
fields; in a brief one a value is a cell, so that blocks and what lies in them can be counted at a glance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

from rpcmemkit.call import Call
from rpcmemkit.draw import Builder
from rpcmemkit.draw.lines import WRONG
from rpcmemkit.draw.model import Block, Column, Gap, Part, Picture
from rpcmemkit.draw.storage import OWNERS
from rpcmemkit.draw.svg import STYLE
from rpcmemkit.notebook.tables import Shown

COLUMNS = ("before", "server", "after")
SIDES = {"before": "client", "server": "server", "after": "client"}
LETTER = 6.1  # the width of a letter at 10 points
LINE, PAD, GAP, TITLE, ROOM = 13, 6, 26, 17, 14
CELL = 34  # the width of a value in a brief sketch


@dataclass(slots=True)
class _Box:
    """A rectangle with lines of text; ``inner`` boxes lie side by side below the lines."""

    id: str
    fill: str
    lines: list[tuple[str, str]]
    width: float = 0
    height: float = 0
    x: float = 0
    y: float = 0
    lost: bool = False
    inner: list[_Box] = field(default_factory=list)


def sketch(
    call: Call, *, columns: Sequence[str] = COLUMNS, brief: bool = False, styled: bool = True
) -> Shown:
    """Return a small picture of what a call did to memory; its text says the same.

    ``columns`` are some of ``before``, ``server`` and ``after``. Many sketches may share one style: ``styled=False``.
    """
    picture = Builder(call).whole()
    rows = [_row(picture.column(key), brief) for key in columns]
    words = "\n".join(f"{picture.column(key).title}: {told(picture.column(key))}" for key in columns)
    return Shown(STYLE * styled + _svg(picture, columns, rows, words), words)


def told(column: Column) -> str:
    """Return the blocks of a column in one sentence each, counted where they are alike."""
    kinds: dict[str, int] = {}
    for item in column.items:
        if isinstance(item, Block) and item.owner not in ("variable", "frame"):
            kind = _described(item)
            kinds[kind] = kinds.get(kind, 0) + 1
        elif isinstance(item, Gap):
            kinds[item.text] = 1
    found = [f"{count} × {kind}" for kind, count in kinds.items()]
    return "; ".join(found) or column.note


def _described(block: Block) -> str:
    values = sum(isinstance(part, Part) for part in block.parts)
    words = f", {', '.join(block.words)}" if block.words else ""
    inside = f" with {values} values" if values > 1 else ""
    return f"block of {block.size} octets{inside}, {OWNERS[block.owner]}{words}"


# --- boxes ---------------------------------------------------------------------------------------


def _row(column: Column, brief: bool) -> list[_Box]:
    """Return the boxes of a column, each at its place in the row."""
    boxes = [_box(item, brief) for item in column.items if isinstance(item, Block | Gap)]
    x = 0.0
    for box in boxes:
        _move(box, x, 0)
        x += box.width + (GAP if not brief else GAP / 2)
    return boxes


def _box(item: Block | Gap, brief: bool) -> _Box:
    if isinstance(item, Gap):
        return _sized(_Box(item.id, "frame", [("f-soft", item.text)]))
    lost = any(word in WRONG for word in item.words)
    marks = [("f-loud" if word in WRONG else "f-ink", word) for word in item.words]
    parts = [part for part in item.parts if isinstance(part, Part)]
    if item.compound and parts:
        head = [("f-ink", f"{item.label if item.owner == 'buffer' else 'one block'}, {item.size} octets")]
        box = _Box(item.id, item.owner, head + marks, lost=lost)
        box.inner = [_part(part, item.owner, brief, []) for part in parts]
        return _sized(box)
    if not parts:
        return _sized(_Box(item.id, item.owner, [("f-ink", item.label), *marks], lost=lost))
    box = _part(parts[0], item.owner, brief, marks)
    box.lost = lost
    return box


def _part(part: Part, owner: str, brief: bool, marks: list[tuple[str, str]]) -> _Box:
    if brief:
        first = part.fields[0] if part.fields else None
        text = part.label if first is None or owner in ("variable", "frame") else first.text
        text = first.name if first is not None and first.name == "pointer" else text
        return _sized(_Box(part.id, owner, [("f-ink", text), *marks]), CELL)
    fields = [
        ("f-loud" if one.dangling else "f-ink", f"{one.name} = {one.text}" if one.name else one.text)
        for one in part.fields
    ]
    head = part.label if owner == "variable" else f"{part.label} at {part.address:#x}"
    return _sized(_Box(part.id, owner, [("f-ink", head), *fields, *marks]))


def _sized(box: _Box, least: float = 0) -> _Box:
    """Give a box the room that its lines and its inner boxes take."""
    width = max((len(text) for _, text in box.lines), default=0) * LETTER + 2 * PAD
    top = len(box.lines) * LINE + PAD
    x = float(PAD)
    for inner in box.inner:
        _move(inner, x, top)
        x += inner.width + PAD
    box.width = max(width, least, x if box.inner else 0)
    box.height = top + PAD / 2 + max((inner.height + PAD for inner in box.inner), default=0)
    return box


def _move(box: _Box, x: float, y: float) -> None:
    box.x, box.y = box.x + x, box.y + y
    for inner in box.inner:
        _move(inner, x, y)


# --- drawing -------------------------------------------------------------------------------------


def _svg(picture: Picture, columns: Sequence[str], rows: list[list[_Box]], words: str) -> str:
    width = max([240, *(box.x + box.width for row in rows for box in row)]) + 2 * ROOM
    y = 4.0
    body: list[str] = []
    for key, row in zip(columns, rows, strict=True):
        column = picture.column(key)
        height = TITLE + max((box.height for box in row), default=2) + 2 * ROOM
        body.append(_rectangle(2, y, width - 4, height - 6, f"f-{SIDES[key]} s-rim"))
        note = "" if row else f": {column.note}"
        body.append(_text(ROOM, y + 14, "f-soft", column.title + note, "h"))
        for box in row:
            _move(box, ROOM, y + TITLE + ROOM / 2)
            body += _drawn(box)
        body += _arrows(picture, key, row)
        y += height
    label = escape(f"{picture.verdict} {words}", quote=True).replace("\n", " ")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="rpcmemkit" role="img" viewBox="0 0 {width:g} {y:g}" '
        f'style="width:{width:.0f}px;max-width:none" aria-label="{label}">'
    )
    return f'<div class="rpcmemkit-scroll" style="overflow-x:auto" role="region" tabindex="0" aria-label="Sketch">{head}{"".join(body)}</svg></div>'


def _drawn(box: _Box) -> Iterator[str]:
    dashes = ' stroke-dasharray="4 3"' if box.lost else ""
    look = f"f-{box.fill} {'s-loud' if box.lost else 's-edge'}"
    yield _rectangle(box.x, box.y, box.width, box.height, look, dashes)
    for number, (look, text) in enumerate(box.lines, 1):
        yield _text(box.x + PAD, box.y + number * LINE, look, text)
    for inner in box.inner:
        yield from _drawn(inner)


def _rectangle(x: float, y: float, width: float, height: float, look: str, more: str = "") -> str:
    return (
        f'<rect class="{look}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" '
        f'stroke-width="1"{more}/>'
    )


def _text(x: float, y: float, look: str, text: str, face: str = "m") -> str:
    return f'<text class="{face} {look}" x="{x:g}" y="{y:g}" font-size="10">{escape(text)}</text>'


def _arrows(picture: Picture, key: str, row: Sequence[_Box]) -> Iterator[str]:
    """Draw the pointers: straight to the next box, else round below."""
    places = {one.id: one for box in row for one in (box, *box.inner)}
    for arrow in picture.arrows:
        start, end = places.get(arrow.source), places.get(arrow.target)
        if arrow.column != key or start is None or end is None or start is end:
            continue
        yield _arrow(start, end, "s-loud" if arrow.dangling else "s-pointer")


def _arrow(start: _Box, end: _Box, look: str) -> str:
    x, y = start.x + start.width, start.y + min(start.height, end.height) / 2
    if -1 <= end.x - x <= GAP + 1:
        end_y = max(min(y, end.y + end.height - 4), end.y + 4)
        way = f"M{x:g} {y:g}L{end.x - 1:g} {end_y:g}"
        return _stroke(way, look, end.x - 1, end_y)
    below = max(start.y + start.height, end.y + end.height)
    one, other = start.x + start.width / 2, end.x + end.width / 2
    way = f"M{one:g} {start.y + start.height:g}C{one:g} {below + 9:g} {other:g} {below + 9:g} {other:g} {end.y + end.height + 1:g}"
    return _stroke(way, look, other, end.y + end.height + 1, up=True)


def _stroke(way: str, look: str, x: float, y: float, up: bool = False) -> str:
    head = (
        f"M{x - 3:g} {y + 4:g}L{x:g} {y:g}L{x + 3:g} {y + 4:g}"
        if up
        else f"M{x - 4:g} {y - 3:g}L{x:g} {y:g}L{x - 4:g} {y + 3:g}"
    )
    return f'<path class="{look}" fill="none" stroke-width="1.3" d="{way}{head}"/>'
