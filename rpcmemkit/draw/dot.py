"""From a laid-out picture to DOT: every node at its place, every arrow with its way, for ``neato -n2``.

Nodes are numbered in the order of reading. All sizes are fixed, so nothing depends on how a renderer measures text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from rpcmemkit.draw.layout import NOTE, PAD, SANS, TOP, ColumnFrame, Layout, Way
from rpcmemkit.draw.lines import WRONG, Box, Line, fit, wrap
from rpcmemkit.draw.model import Picture, fields
from rpcmemkit.draw.palette import light
from rpcmemkit.draw.storage import MEANINGS, OWNERS

FIXED, TEXT = "Courier", "Helvetica"
MARGIN = 10
INDENT = 6
SIDES = {"before": "client", "after": "client", "server": "server", "request": "wire", "response": "wire"}
NUMBERS = {"before": 1, "request": 2, "server": 3, "response": 4, "after": 5}


def dot(layout: Layout) -> str:
    """Return the DOT source of a picture."""
    return _Drawing(layout).source()


class _Drawing:
    """The nodes and edges of one picture; DOT counts y upwards, so everything is turned over at the end."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.picture = layout.picture
        self.width = layout.width + 2 * MARGIN
        self.head = list(_head(self.picture, layout.width))
        self.legend = list(_legend(self.picture, layout.width))
        self.top = MARGIN + sum(height for _, height in self.head) + 8
        below = sum(height for _, height in self.legend)
        self.height = self.top + layout.height + 12 + below + MARGIN
        self.names: dict[str, str] = {}
        self.count = 0

    def source(self) -> str:
        """Return the whole graph."""
        body = [*self._page(), *self._panels(), *self._boxes(), *self._below(), *self._arrows()]
        return "\n".join(
            [
                "digraph picture {",
                f'graph [outputorder=nodesfirst, pad=0, splines=true, bgcolor="{light("page")}"];',
                f'node [shape=plain, fontname="{FIXED}", fontsize=11, fontcolor="{light("ink")}"];',
                "edge [arrowsize=0.65];",
                *body,
                "}",
                "",
            ]
        )

    def _node(self, label: str, x: float, y: float, width: float, height: float, more: str = "") -> str:
        self.count += 1
        name = f"n{self.count}"
        position = f"{x + width / 2:.1f},{self.height - y - height / 2:.1f}"
        label = f"<{label}>" if label.startswith("<") else label
        return f'{name} [pos="{position}", label={label}{more}];'

    def _rectangle(
        self, x: float, y: float, width: float, height: float, fill: str, rim: str, pen: float
    ) -> str:
        size = f", shape=box, fixedsize=true, width={width / 72:.4f}, height={height / 72:.4f}"
        colors = (
            f', style="rounded,filled", fillcolor="{light(fill)}", color="{light(rim)}", penwidth={pen:g}'
        )
        return self._node('""', x, y, width, height, size + colors)

    def _page(self) -> Iterator[str]:
        yield self._rectangle(0, 0, self.width, self.height, "page", "page", 1)
        y = float(MARGIN)
        for cell, height in self.head:
            yield self._node(_table(cell), MARGIN, y, self.layout.width, height)
            y += height

    def _panels(self) -> Iterator[str]:
        for frame in self.layout.frames.values():
            x, y = frame.x + MARGIN, frame.y + self.top
            side, rim = SIDES[frame.column.key], "now" if frame.active else "rim"
            self.names[frame.column.key] = f"n{self.count + 1}"
            yield self._rectangle(x, y, frame.width, frame.height, side, rim, 2 if frame.active else 1)
            yield self._heading(frame, x, y)

    def _heading(self, frame: ColumnFrame, x: float, y: float) -> str:
        width = frame.width - 2 * PAD - 12
        title = f"{NUMBERS[frame.column.key]}  {frame.column.title}"
        rows = [_row([_cell(f"<B>{escape(title)}</B>", width, 20, face=TEXT, size=13, indent=False)])]
        rows += [
            _row([_cell(escape(note), width, NOTE, face=TEXT, size=10, color="soft", indent=False)])
            for note in frame.notes
        ]
        height = 20 + NOTE * len(frame.notes)
        return self._node(_table("".join(rows)), x + PAD, y + TOP - 22, width, height)

    def _boxes(self) -> Iterator[str]:
        for frame in self.layout.frames.values():
            for box in frame.boxes:
                name = f"n{self.count + 1}"
                self.names.update({line.port: f'{name}:"{line.port}"' for line in box.lines if line.port})
                self.names.setdefault(box.id, name)
                yield self._node(_box(box), box.x + MARGIN, box.y + self.top, box.width, box.height)

    def _below(self) -> Iterator[str]:
        y = self.top + self.layout.height + 12
        for cell, height in self.legend:
            yield self._node(_table(cell), MARGIN, y, self.layout.width, height)
            y += height

    def _arrows(self) -> Iterator[str]:
        for way in self.layout.ways:
            color = light({"flow": "flow", "dangling": "loud"}.get(way.kind, "pointer"))
            look = "penwidth=2.5, arrowsize=0.9" if way.kind == "flow" else "penwidth=1.2"
            dashed = ", style=dashed" if way.kind == "dangling" else ""
            ends = f"{self._name(way.source)} -> {self._name(way.target)}"
            yield f'{ends} [pos="{self._points(way)}", color="{color}", {look}{dashed}];'

    def _name(self, key: str) -> str:
        return self.names.get(key) or self.names[key + ":0"]

    def _points(self, way: Way) -> str:
        points = " ".join(self._point(*point) for point in way.points)
        return f"e,{self._point(*way.tip)} {points}"

    def _point(self, x: float, y: float) -> str:
        return f"{x + MARGIN:.1f},{self.height - self.top - y:.1f}"


# --- boxes ---


def _box(box: Box) -> str:
    style = ' STYLE="DASHED"' if box.dashed else ""
    rows = "".join(_row([_line(box, line)]) for line in box.lines)
    return _table(rows, f' BORDER="1" COLOR="{light("edge")}" BGCOLOR="{light("box")}"{style}')


def _line(box: Box, line: Line) -> str:
    """Return the one cell of a line; what has several cells is a table of its own inside."""
    width = sum(box.widths)
    drawn = _LOOKS.get(line.kind, _bytes)(box, line, width)
    ground = _GROUNDS.get(line.kind, line.kind) or box.kind
    if line.kind == "field":
        ground = _GROUND_OF[line.mood] or "box"
    back = "" if ground in ("box", "bytes-value") else f' BGCOLOR="{light(ground)}"'
    return f'<TD{_port(line)} FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{line.height}"{back}>{drawn}</TD>'


def _port(line: Line) -> str:
    return f' PORT="{escape(line.port)}"' if line.port else ""


def _title(box: Box, line: Line, width: int) -> str:
    label, words = line.cells
    room = round(len(words) * 7.6 + 10) if words else 0
    name = _cell(
        f"<B>{escape(fit(label, width - room - 8, 6.4))}</B>", width - room, line.height, None, TEXT, 11
    )
    badge = _cell(
        f"<B>{escape(words)}</B>",
        room,
        line.height,
        _GROUND_OF[line.mood],
        TEXT,
        10,
        line.mood or "ink",
        "CENTER",
    )
    return _table(_row([name, badge] if words else [name]))


def _meta(box: Box, line: Line, width: int) -> str:
    address, size = line.cells
    left = width // 2
    cells = [
        _cell(escape(address), left, line.height, None, FIXED, 10),
        _cell(escape(size), width - left, line.height, None, FIXED, 10, align="RIGHT"),
    ]
    return _table(_row(cells))


def _owner(box: Box, line: Line, width: int) -> str:
    return _inside(escape(fit(line.cells[0], width - 8, 4.7)), width, line.height, None, TEXT, 10)


def _foot(box: Box, line: Line, width: int) -> str:
    """Nothing: the space below the last field."""
    return ""


def _more(box: Box, line: Line, width: int) -> str:
    return _inside(f"<I>{escape(line.cells[0])}</I>", width, line.height, None, TEXT, 10, "soft")


def _part(box: Box, line: Line, width: int) -> str:
    label, address = line.cells
    room = round((len(address) + 2) * 6)
    cells = [
        _cell(
            f"<B>{escape(fit(label, width - room - 8, 6))}</B>", width - room, line.height, None, TEXT, 10.5
        ),
        _cell(escape(address), room, line.height, None, FIXED, 10, "soft", "RIGHT"),
    ]
    return _table(_row(cells))


def _field(box: Box, line: Line, width: int) -> str:
    offset, name, value = (fit(text, room - 7, 6) for text, room in zip(line.cells, box.widths, strict=True))
    cells = [
        _cell(escape(offset), box.widths[0], line.height, None, FIXED, 10, "faint"),
        _cell(escape(name), box.widths[1], line.height, None, FIXED, 10, "soft"),
        _cell(escape(value), box.widths[2], line.height, None, FIXED, 10, line.mood or "ink"),
    ]
    return _table(_row(cells))


def _bytes(box: Box, line: Line, width: int) -> str:
    texts = [fit(text, room - 7, 6) for text, room in zip(line.cells, box.widths, strict=True)]
    colors = ("faint", "ink", "soft")
    cells = [
        _cell(escape(text), room, line.height, None, FIXED, 10, color)
        for text, room, color in zip(texts, box.widths, colors, strict=True)
    ]
    return _table(_row(cells))


_LOOKS = {
    "title": _title,
    "meta": _meta,
    "owner": _owner,
    "foot": _foot,
    "more": _more,
    "part": _part,
    "field": _field,
    "changed": _field,
}


_GROUND_OF = {"": None, "loud": "alarm", "calm": "glad"}

_GROUNDS = {"title": "", "meta": "", "owner": "", "foot": "box", "more": "box"}
"""The colours behind lines; an empty one is that of the block's owner."""


# --- what stands above and below ---


def _head(picture: Picture, width: float) -> Iterator[tuple[str, int]]:
    """Yield the lines above the panels: the procedure, and for a whole call the verdict and the counts of both sides."""
    procedure = escape(fit(picture.signature, width, 7.3))
    yield _row([_cell(f"<B>{procedure}</B>", round(width), 20, None, FIXED, 12, indent=False)]), 20
    if picture.step:
        return
    for line in wrap(picture.verdict, width, 6):
        yield _text(escape(line), width, 17, 12)
    for counts in picture.counts:
        yield _text(escape(str(counts)), width, 15, 11, "soft")


def _legend(picture: Picture, width: float) -> Iterator[tuple[str, int]]:
    """Yield the lines below the panels: only what occurs in the picture is explained."""
    swatches = [(owner, OWNERS[owner]) for owner in OWNERS if owner in picture.owners]
    if any(field.was for field in fields(picture)):
        swatches.append(("changed", "changed by the call"))
    yield from _swatches(swatches, width)
    yield _row([_cell("", round(width), 5)]), 5
    for word in picture.words:
        for number, text in enumerate(wrap(MEANINGS[word], width - 90, SANS)):
            yield _definition(word if number == 0 else "", text, width), 15


def _swatches(entries: list[tuple[str, str]], width: float) -> Iterator[tuple[str, int]]:
    """Set swatches with their texts into rows."""
    rows: list[list[str]] = [[]]
    used = 0.0
    for color, text in entries:
        room = round(len(text) * SANS + 16)
        if used + room + 22 > width and rows[-1]:
            yield _row([*rows[-1], _cell("", max(round(width - used), 1), 17)]), 17
            rows.append([])
            used = 0.0
        used += room + 22
        chip = f'<TABLE BORDER="1" COLOR="{light("edge")}" FIXEDSIZE="TRUE" WIDTH="16" HEIGHT="11" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" BGCOLOR="{light(color)}">'
        chip += '<TR><TD FIXEDSIZE="TRUE" WIDTH="13" HEIGHT="8"></TD></TR></TABLE>'
        rows[-1] += [
            _cell(chip, 22, 17, align="LEFT", bare=True),
            _cell(escape(text), room, 17, None, TEXT, 10, "soft"),
        ]
    if rows[-1]:
        yield _row([*rows[-1], _cell("", max(round(width - used), 1), 17)]), 17


def _definition(word: str, text: str, width: float) -> str:
    cells = [
        _cell(
            f"<B>{escape(word)}</B>" if word else "",
            80,
            15,
            None,
            TEXT,
            10,
            "loud" if word in WRONG else "calm" if word.isupper() else "ink",
            indent=False,
        ),
        _cell(escape(text), round(width) - 80, 15, None, TEXT, 10, "soft"),
    ]
    return _row(cells)


def _text(text: str, width: float, height: int, size: float, color: str = "ink") -> tuple[str, int]:
    return _row([_cell(text, round(width), height, None, TEXT, size, color, indent=False)]), height


# --- HTML-like labels ---


def _inside(*arguments: object) -> str:
    return _table(_row([_cell(*arguments)]))  # type: ignore[arg-type]


def _table(rows: str, attributes: str = ' BORDER="0"') -> str:
    return f'<TABLE{attributes} CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>'


def _row(cells: Iterable[str]) -> str:
    return f"<TR>{''.join(cells)}</TR>"


def _cell(
    text: str,
    width: float,
    height: float,
    back: str | None = None,
    face: str = TEXT,
    size: float = 11,
    color: str = "ink",
    align: str = "LEFT",
    bare: bool = False,
    indent: bool = True,
) -> str:
    """Return a cell of fixed size; text keeps a distance from the edge."""
    ground = f' BGCOLOR="{light(back)}"' if back else ""
    shown = (
        text
        if bare or not text
        else f'<FONT FACE="{face}" POINT-SIZE="{size:g}" COLOR="{light(color)}">{text}</FONT>'
    )
    before, after = (INDENT * (indent and align == side) for side in ("LEFT", "RIGHT"))
    cells = [
        f'<TD FIXEDSIZE="TRUE" WIDTH="{room:g}" HEIGHT="{height:g}" ALIGN="{align}"{ground}>{inner}</TD>'
        for room, inner in ((before, ""), (width - before - after, shown), (after, ""))
        if room
    ]
    return "".join(cells)
