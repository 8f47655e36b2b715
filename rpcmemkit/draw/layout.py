"""Where everything in a picture lies: panels, boxes, and the ways of the arrows.

Positions depend on the picture alone, not on how wide a renderer thinks a letter is: that keeps the columns aligned,
the steps of one call still, and the output the same everywhere. Lengths are in points, y points down.

The panels lie in the order of the call: client before, request, server; and below, on the way back, response and
client after. So before stands above after, and time runs round. ``wide=True`` puts all five side by side instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rpcmemkit.draw.lines import Box, boxes, wrap
from rpcmemkit.draw.model import TITLES, Arrow, Column, Picture

CHAR = 6.0  # the width of a letter of the fixed font at 10 points
SANS = 5.4  # at most the width of a letter of the other font at 10 points
PAD = 9  # between a panel's edge and what is in it
SPACE = 12  # between boxes
BETWEEN = 18  # between panels
LANE = 8  # between arrows that run side by side
LANES = 14
NOTE = 14
TOP = 30

CELLS = {"memory": ((3, 5), (5, 16), (11, 21)), "message": ((2, 5), (5, 12), (8, 23))}
"""The fewest and the most letters of each cell of a line."""

PAIRS = {"before": "client", "after": "client", "server": "server", "request": "wire", "response": "wire"}


@dataclass(slots=True)
class ColumnFrame:
    """A panel: a column, its boxes, and the room around them."""

    column: Column
    boxes: list[Box]
    notes: list[str] = field(default_factory=list)
    active: bool = False
    left: float = 0
    right: float = 0
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0


@dataclass(frozen=True, slots=True)
class Way:
    """The way of an arrow: the points of its cubic Bézier curves, and its tip."""

    points: tuple[tuple[float, float], ...]
    tip: tuple[float, float]
    kind: str
    source: str = ""
    target: str = ""


@dataclass(slots=True)
class Layout:
    """A picture with all its positions; ``top`` is where the panels begin and ``height`` where they end."""

    picture: Picture
    frames: dict[str, ColumnFrame]
    ways: list[Way]
    width: float
    height: float


@dataclass(slots=True)
class Track:
    """An arrow inside a panel: from one height to another, on one side, in one lane."""

    arrow: Arrow
    start: float
    end: float
    x: float
    side: int
    lane: int = 0


def lay_out(pictures: Sequence[Picture], *, wide: bool = False) -> list[Layout]:
    """Lay out pictures on one grid: what is in several of them lies at the same place in each."""
    grid = _Grid(pictures, wide)
    return [grid.layout(index) for index in range(len(pictures))]


class _Grid:
    """The sizes that all pictures of a series share."""

    def __init__(self, pictures: Sequence[Picture], wide: bool) -> None:
        self.pictures = pictures
        self.wide = wide
        self.frames = [
            {c.key: ColumnFrame(c, boxes(c), active=c.key in p.active) for c in p.columns} for p in pictures
        ]
        self.tracks = [
            self._size(picture, frames) for picture, frames in zip(pictures, self.frames, strict=True)
        ]
        self._share()

    def _size(self, picture: Picture, frames: dict[str, ColumnFrame]) -> dict[str, list[Track]]:
        """Stack the boxes of every panel, and give every arrow its lane."""
        tracks: dict[str, list[Track]] = {}
        for key, frame in frames.items():
            _stack(frame)
            tracks[key] = list(_tracks(frame, [arrow for arrow in picture.arrows if arrow.column == key]))
            frame.left = PAD + _assign([t for t in tracks[key] if t.side < 0])
            frame.right = PAD + _assign([t for t in tracks[key] if t.side > 0])
        return tracks

    def _share(self) -> None:
        """Let the panels that belong together have the same widths in all pictures."""
        every = [frame for frames in self.frames for frame in frames.values()]
        for pair in dict.fromkeys(PAIRS.values()):
            members = [frame for frame in every if PAIRS[frame.column.key] == pair]
            left = max(frame.left for frame in members)
            right = max(frame.right for frame in members)
            kind = "message" if pair == "wire" else "memory"
            widths = _widths([box for frame in members for box in frame.boxes], kind)
            for frame in members:
                _set_widths(frame, left, right, widths)
        for frame in every:
            frame.notes = wrap(frame.column.note, frame.width - 2 * PAD, SANS)
        heights = {key: max(_height(frames[key]) for frames in self.frames) for key in PAIRS}
        for frames in self.frames:
            self._place(frames, heights)

    def _place(self, frames: dict[str, ColumnFrame], heights: dict[str, float]) -> None:
        before, request, server = frames["before"], frames["request"], frames["server"]
        if self.wide:
            x, height = 0.0, max(heights.values())
            for key in TITLES:
                frames[key].x, frames[key].height = x, height
                x += frames[key].width + BETWEEN
            return
        upper = max(heights["before"], heights["request"])
        lower = max(heights["after"], heights["response"], heights["server"] - upper - BETWEEN)
        for key in TITLES:
            frames[key].x = {PAIRS["before"]: 0.0, "wire": before.width + BETWEEN}.get(
                PAIRS[key], before.width + request.width + 2 * BETWEEN
            )
            below = key in ("response", "after")
            frames[key].y = upper + BETWEEN if below else 0.0
            frames[key].height = lower if below else upper
        server.height = upper + BETWEEN + lower

    def layout(self, index: int) -> Layout:
        """Return one picture with its positions."""
        frames, tracks = self.frames[index], self.tracks[index]
        ways = list(_flow(frames, self.wide))
        for key, frame in frames.items():
            _move(frame)
            ways += [_way(frame, track) for track in tracks[key]]
        width = max(frame.x + frame.width for frame in frames.values())
        height = max(frame.y + frame.height for frame in frames.values())
        return Layout(self.pictures[index], frames, ways, width, height)


# --- boxes ---


def _stack(frame: ColumnFrame) -> None:
    y = 0.0
    for box in frame.boxes:
        box.y = y
        y += box.height + SPACE


def _height(frame: ColumnFrame) -> float:
    last = frame.boxes[-1] if frame.boxes else None
    return TOP + NOTE * len(frame.notes) + PAD + (last.y + last.height if last else 0) + PAD


def _widths(members: list[Box], kind: str) -> tuple[int, ...]:
    """Return the widths of the cells of a line, so that most texts fit."""
    rows = [line.cells for box in members for line in box.lines if len(line.cells) == 3]
    widths = []
    for index, (least, most) in enumerate(CELLS[kind]):
        longest = max((len(cells[index].encode()) for cells in rows), default=0)
        widths.append(round((min(max(longest, least), most) + 1.5) * CHAR))
    headings = [
        line.cells for box in members for line in box.lines if line.kind in ("title", "part", "owner")
    ]
    letters = max((sum(map(len, cells)) + len(cells) for cells in headings), default=0)
    missing = min(letters, 42) * 4.8 + 10 - sum(widths)
    widths[-1] += max(round(missing), 0)
    return tuple(widths)


def _set_widths(frame: ColumnFrame, left: float, right: float, widths: tuple[int, ...]) -> None:
    frame.left, frame.right = left, right
    frame.width = left + sum(widths) + 2 + right
    for box in frame.boxes:
        box.widths, box.width = widths, sum(widths) + 2


def _move(frame: ColumnFrame) -> None:
    """Move the boxes from the panel's own origin to the picture's."""
    top = frame.y + TOP + NOTE * len(frame.notes) + PAD
    for box in frame.boxes:
        box.x, box.y = frame.x + frame.left, box.y + top


# --- arrows ---


def _tracks(frame: ColumnFrame, arrows: list[Arrow]) -> Iterator[Track]:
    """Find where the arrows of a panel start and end: down on the right side, up on the left."""
    heights = {
        line.port: box.y + box.offset(line.port) for box in frame.boxes for line in box.lines if line.port
    }
    arrivals: dict[tuple[str, int], int] = {}
    for arrow in arrows:
        source = arrow.source if arrow.field is None else f"{arrow.source}:{arrow.field}"
        target = arrow.target if arrow.target_field is None else f"{arrow.target}:{arrow.target_field}"
        if source not in heights or target not in heights:
            continue
        start, end = heights[source], heights[target]
        side = 1 if end > start else -1
        number = arrivals[target, side] = arrivals.get((target, side), 0) + 1
        shift = 0 if arrow.target_field is not None else min(number - 1, 3) * 5 - 3
        yield Track(arrow, start, end + shift, 0, side)


def _assign(tracks: list[Track]) -> float:
    """Give every track the innermost lane that is free, the shortest first; return the room that they take."""
    taken: list[list[tuple[float, float, str]]] = []
    for track in sorted(tracks, key=lambda t: (abs(t.end - t.start), t.start)):
        low, high = sorted((track.start, track.end))
        track.lane = next(
            (
                n
                for n, lane in enumerate(taken)
                if all(_apart(low, high, track.arrow.target, *other) for other in lane)
            ),
            len(taken),
        )
        if track.lane == len(taken):
            taken.append([])
        taken[track.lane].append((low, high, track.arrow.target))
    return LANE * min(len(taken), LANES) + (4 if taken else 0)


def _apart(low: float, high: float, target: str, other_low: float, other_high: float, other: str) -> bool:
    """Whether two tracks may share a lane: they lie apart, or lead to the same place."""
    return target == other or high + 4 < other_low or other_high + 4 < low


def _way(frame: ColumnFrame, track: Track) -> Way:
    """Draw a track: out to its lane, along it, and back, with rounded corners."""
    first = frame.boxes[0]
    top = frame.y + TOP + NOTE * len(frame.notes) + PAD
    edge = first.x + first.width if track.side > 0 else first.x
    out = edge + track.side * (10 + LANE * (track.lane % LANES))
    start, end = top + track.start, top + track.end
    bend = min(5.0, abs(end - start) / 2) * (1 if end > start else -1)
    corner = track.side * abs(bend)
    tip = (edge + track.side, end)
    neck = (edge + track.side * 6, end)
    points = (
        *_line((edge, start), (out - corner, start)),
        (out, start),
        (out, start),
        (out, start + bend),
        *_line((out, start + bend), (out, end - bend))[1:],
        (out, end),
        (out, end),
        (out - corner, end),
        *_line((out - corner, end), neck)[1:],
    )
    kind = "dangling" if track.arrow.dangling else "pointer"
    return Way(points, tip, kind, track.arrow.source, track.arrow.target)


def _line(start: tuple[float, float], end: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Return a straight line as the four points of a curve."""
    return (start, start, end, end)


def _flow(frames: dict[str, ColumnFrame], wide: bool) -> Iterator[Way]:
    """Draw the way of the call from panel to panel."""
    for here, there in pairwise(TITLES):
        one, other = frames[here], frames[there]
        back = not wide and there in ("response", "after")
        y = max(one.y, other.y) + 15
        start, end = (one.x, other.x + other.width) if back else (one.x + one.width, other.x)
        step = -1 if back else 1
        yield Way(
            _line((start + 3 * step, y), (end - 10 * step, y)), (end - 2 * step, y), "flow", here, there
        )
