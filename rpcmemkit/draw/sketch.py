"""Sketches: a call's memory in three rows, small enough for hundreds of them in one page.

A sketch is made from the same :class:`rpcmemkit.draw.Picture` as the large drawing: the client before, the server as
the routine returns, the client after. Graphviz lays it out: a row is a cluster, a value is a node, a block that holds
several values is a cluster of them, and pointers lead from left to right. In a detailed sketch every value has its
address and fields; in a brief one a value is a cell, so that blocks and what lies in them can be counted at a glance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from rpcmemkit.call import Call
from rpcmemkit.draw.build import Builder
from rpcmemkit.draw.dot import FIXED, TEXT
from rpcmemkit.draw.lines import WRONG
from rpcmemkit.draw.model import Arrow, Block, Column, Field, Gap, Part, Picture
from rpcmemkit.draw.palette import light
from rpcmemkit.draw.show import scrolling
from rpcmemkit.draw.storage import DANGLING, OWNERS
from rpcmemkit.draw.svg import finish, render_dot

COLUMNS = ("before", "server", "after")
SIDES = {"before": "client", "server": "server", "after": "client"}
ENDS = ("left", "right")
LETTER, PAD = 6, 3
CELL = 32  # the least width of a value in a brief sketch


class Sketch:
    """A small picture of what a call did to memory: ``svg``, and the same in words as ``text``.

    ``columns`` are some of ``before``, ``server`` and ``after``. The drawing has no style of its own: many share one.
    """

    def __init__(self, call: Call, *, columns: Sequence[str] = COLUMNS, brief: bool = False) -> None:
        self.picture = Builder(call).whole()
        self.columns = [self.picture.column(key) for key in columns]
        self.brief = brief

    @property
    def text(self) -> str:
        """What lies in each column, in words."""
        return "\n".join(f"{column.title}: {told(column)}" for column in self.columns)

    @property
    def html(self) -> str:
        """The drawing, which scrolls sideways where the page is narrow.

        Raises:
            UsageError: the extra ``book`` is not installed.
        """
        title = f"Sketch of {self.picture.procedure}"
        words = self.text.replace("\n", ". ")
        svg = finish(render_dot(self.dot), title, self.picture.verdict, words, styled=False)
        return scrolling(svg.replace("\n", ""), escape(title, quote=True))

    @property
    def dot(self) -> str:
        """The DOT source."""
        return "\n".join(_source(self.picture, self.columns, self.brief))


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
    return f"block of {block.size} bytes{inside}, {OWNERS[block.owner]}{words}"


# --- DOT -----------------------------------------------------------------------------------------


def _source(picture: Picture, columns: Sequence[Column], brief: bool) -> Iterator[str]:
    """Yield the lines of the graph, the last row and in it the last box first: Graphviz fills a rank from below.

    The graph names its layout, for without that the renderer would take positions as given.
    """
    yield "digraph sketch {"
    yield (
        'graph [layout=dot, newrank=true, rankdir=LR, nodesep=0.1, ranksep=0.25, pad=0.02, bgcolor="transparent", '
        f'fontname="{TEXT}", fontsize=10, fontcolor="{light("soft")}", labeljust=l];'
    )
    yield f'node [shape=plain, fontname="{FIXED}", fontsize=10, fontcolor="{light("ink")}"];'
    yield f'edge [arrowsize=0.6, color="{light("pointer")}"];'
    upwards = list(reversed(columns))
    for column in upwards:
        yield from _Row(column, picture.arrows, brief).source()
    for end in ENDS:
        yield f"{{ rank=same; {' -> '.join(f'{end}_{column.key}' for column in upwards)} [style=invis]; }}"
    yield "}"


class _Row:
    """A side's memory at a moment: a panel between two unseen ends, which are in line with those of the other rows."""

    def __init__(self, column: Column, arrows: Iterable[Arrow], brief: bool) -> None:
        self.column, self.brief = column, brief
        self.key = column.key
        self.arrows = [arrow for arrow in arrows if arrow.column == column.key]
        self.names: dict[str, str] = {}
        self.inside: list[tuple[str, str]] = []

    def source(self) -> Iterator[str]:
        """Yield the panel with its boxes, and the edges between them."""
        items = [item for item in self.column.items if isinstance(item, Block | Gap)]
        yield f'subgraph cluster_{self.key} {{ label="{self.column.title}"; {_panel(SIDES[self.key], "rim")}'
        yield " ".join(f'{end}_{self.key} [label="", style=invis];' for end in ENDS)
        for item in reversed(items):
            yield from self._item(item)
        if not items:
            yield self._note(self.column.note)
        yield "}"
        yield from self._edges()

    def _item(self, item: Block | Gap) -> Iterator[str]:
        first = item.parts[0] if isinstance(item, Block) and item.parts else None
        if isinstance(item, Gap):
            yield self._gap(item)
        elif item.compound and first:
            yield from self._enclosing(item)
        elif isinstance(first, Part):
            yield self._node(
                first.id, [*self._lines(first, item.owner), *_marks(item)], item.owner, _rim(item)
            )
        else:
            yield self._node(item.id, [_Line(item.label), *_marks(item)], item.owner, _rim(item))

    def _enclosing(self, block: Block) -> Iterator[str]:
        """Yield a block that holds several values: a box round theirs."""
        head = f"{block.label if block.owner == 'buffer' else 'one block'}, {block.size} bytes"
        label = "".join(f'{line.html}<BR ALIGN="LEFT"/>' for line in [_Line(head), *_marks(block)])
        font = f'FONT FACE="{FIXED}" COLOR="{light("ink")}"'
        yield f"subgraph cluster_{self.key}{len(self.names)} {{ label=<<{font}>{label}</FONT>>;"
        yield _panel(block.owner, _rim(block))
        for part in reversed(block.parts):
            if isinstance(part, Gap):
                yield self._gap(part)
            else:
                yield self._node(part.id, self._lines(part, block.owner), block.owner)
        self.inside += pairwise(part.id for part in block.parts)
        yield "}"

    def _note(self, note: str) -> str:
        """Return why there is nothing, as words without a box."""
        name = self.names[self.key] = f"{self.key}0"
        return f'{name} [label="{note}", fontname="{TEXT}", fontcolor="{light("soft")}"];'

    def _gap(self, gap: Gap) -> str:
        return self._node(gap.id, [_Line(gap.text, "soft")], "frame")

    def _lines(self, part: Part, owner: str) -> list[_Line]:
        """Return what a value says: where it is and what is in it, or in brief one word."""
        if self.brief:
            return [_Line(_brief(part, owner))]
        head = part.label if owner == "variable" else f"{part.label} at {part.address:#x}"
        return [_Line(head), *(_field(one, f' PORT="f{index}"') for index, one in enumerate(part.fields))]

    def _node(self, key: str, lines: Sequence[_Line], fill: str, rim: str = "edge") -> str:
        name = self.names[key] = f"{self.key}{len(self.names)}"
        rows = "".join(f"<TR>{line.cell(CELL * self.brief)}</TR>" for line in lines)
        look = f'BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1" COLOR="{light(rim)}" BGCOLOR="{light(fill)}"'
        dashes = ' STYLE="DASHED"' if rim == "loud" else ""
        return f"{name} [label=<<TABLE {look}{dashes}>{rows}</TABLE>>];"

    # --- arrows ---

    def _edges(self) -> Iterator[str]:
        """Yield the pointers, and unseen edges: to the row's ends from boxes without pointers, and inside a block."""
        places = {key: place for place, key in enumerate(reversed(self.names))}
        ways = set(self.inside)
        for arrow in self.arrows:
            if arrow.source in places and arrow.target in places:
                ahead = places[arrow.source] < places[arrow.target]
                ways.update([(arrow.source, arrow.target)] * ahead)
                yield self._edge(arrow, ahead)
        starts, targets = {start for start, _ in ways}, {target for _, target in ways}
        for key, name in self.names.items():
            if key not in targets:
                yield f"left_{self.key} -> {name} [style=invis];"
            if key not in starts:
                yield f"{name} -> right_{self.key} [style=invis, weight=0];"
        for one, other in self.inside:
            yield f"{self.names[one]} -> {self.names[other]} [style=invis];"

    def _edge(self, arrow: Arrow, ahead: bool) -> str:
        """Return a pointer. One that leads back is told the other way round: so the first box stays on the left."""
        start = self._end(arrow.source, arrow.field, "e" if ahead else "w")
        end = self._end(arrow.target, arrow.target_field, "w" if ahead else "e")
        look = f' [color="{light("loud")}"]' if arrow.dangling else ""
        return f"{start} -> {end}{look};" if ahead else f"{end} -> {start}{look} [dir=back];"

    def _end(self, key: str, index: int | None, side: str) -> str:
        """Return a box, or the side of a field in it."""
        name = self.names[key]
        return name if index is None or self.brief else f"{name}:f{index}:{side}"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a box in its colour; ``port`` is where arrows of a field start or end."""

    text: str
    color: str = "ink"
    port: str = ""

    @property
    def html(self) -> str:
        text = escape(self.text)
        return text if self.color == "ink" else f'<FONT COLOR="{light(self.color)}">{text}</FONT>'

    def cell(self, least: int) -> str:
        """Return the line as a cell, which is told its width: Graphviz cannot measure every letter."""
        width = max(len(self.text) * LETTER + 2 * PAD, least)
        return f'<TD ALIGN="LEFT" WIDTH="{width}"{self.port}>{self.html}</TD>'


def _field(one: Field, port: str) -> _Line:
    text = f"{one.name} = {one.text}" if one.name else one.text
    return _Line(f"{text} {DANGLING}", "loud", port) if one.dangling else _Line(text, port=port)


def _marks(block: Block) -> list[_Line]:
    return [_Line(word, "loud" if word in WRONG else "ink") for word in block.words]


def _rim(block: Block) -> str:
    return "loud" if any(word in WRONG for word in block.words) else "edge"


def _brief(part: Part, owner: str) -> str:
    """Return the one word that a brief sketch has for a value."""
    first = part.fields[0] if part.fields else None
    if first is None or owner in ("variable", "frame"):
        return part.label
    return first.name if first.name == "pointer" else first.text


def _panel(fill: str, rim: str) -> str:
    """Return how a cluster looks."""
    style = "filled,dashed" if rim == "loud" else "filled"
    return f'margin=6; style="{style}"; fillcolor="{light(fill)}"; color="{light(rim)}";'
