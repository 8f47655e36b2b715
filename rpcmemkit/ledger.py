"""The ledger of an address space: which blocks there are, from when to when each was live, and what shares one.

Blocks are never moved and their addresses never used twice, so that a ledger only grows; the ledger of an earlier moment
is the same arrays, read with that moment's eyes.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from rpcmemkit.kinds import BlockKind
from rpcmemkit.trace import Path

PAGE = 6  # blocks are looked up by pages of 64 bytes, in which at most four of them begin
NEVER = 0xFFFFFFFF  # the time of what has not happened

KINDS = tuple(BlockKind)
KIND_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
MARKED = 2  # live, but freed for later
DIVIDED = 3  # live, and several referents lie in it
_ALIVE = re.compile(rb"[^\0]")


Part: TypeAlias = "tuple[int, int, Path | None]"
"""A referent that lies in a block with others: its address, its size, its path."""


class Parts:
    """The referents that lie in one block, in the order of their addresses."""

    __slots__ = ("_paths", "_runs", "sizes", "starts")

    def __init__(self) -> None:
        self.starts = array("I")
        self.sizes = array("I")
        self._paths: dict[int, Path | None] = {}
        self._runs: list[tuple[int, Callable[[], Sequence[Path | None]]]] = []

    def add(self, address: int, size: int, path: Path | None) -> None:
        """Note one referent more."""
        self._paths[len(self.starts)] = path
        self.starts.append(address)
        self.sizes.append(size)

    def extend(
        self, addresses: Iterable[int], sizes: Iterable[int], paths: Callable[[], Sequence[Path | None]]
    ) -> None:
        """Note many, whose ``paths`` are made when one is asked for."""
        self._runs.append((len(self.starts), paths))
        self.starts.extend(addresses)
        self.sizes.extend(sizes)

    def at(self, index: int) -> Part:
        """Return one of them."""
        if index in self._paths:
            path = self._paths[index]
        else:
            first, paths = next(each for each in reversed(self._runs) if each[0] <= index)
            path = paths()[index - first]
        return self.starts[index], self.sizes[index], path


class Row(Sequence[int]):
    """The addresses of blocks that were added together, or their sizes: the ledger holds them, a row says which."""

    __slots__ = ("_column", "_ledger", "_numbers")

    def __init__(self, ledger: Ledger, numbers: range, column: array[int] | None = None) -> None:
        self._ledger, self._numbers = ledger, numbers
        self._column = ledger.starts if column is None else column

    @property
    def sizes(self) -> Row:
        return Row(self._ledger, self._numbers, self._ledger.sizes)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        found = self._numbers[index]
        return Row(self._ledger, found, self._column) if isinstance(index, slice) else self._column[found]

    def __iter__(self) -> Iterator[int]:
        return iter(self._column[self._numbers.start : self._numbers.stop])


class Block(NamedTuple):
    """One block of memory: its address, its size in bytes, who allocated it, and whether it is still live."""

    address: int
    size: int
    kind: BlockKind
    live: bool

    @property
    def end(self) -> int:
        return self.address + self.size


class Ledger:
    """The blocks of an address space in address order, in parallel arrays: about 25 bytes a block.

    ``pages`` has for each page of the space the last block that begins before its end, so that a look-up takes the
    same time however many blocks there are. ``clock`` counts the images taken; a block's end has its time, so that an
    image shares the arrays.
    """

    __slots__ = (
        "base",
        "by_routine",
        "clock",
        "dead",
        "ended",
        "kinds",
        "live",
        "marked",
        "pages",
        "parts",
        "sizes",
        "starts",
    )

    def __init__(self, base: int) -> None:
        self.base = base
        self.clock = 0
        self.dead = 0
        self.starts = array("I")
        self.sizes = array("I")
        self.kinds = bytearray()
        self.live = bytearray()
        self.by_routine = bytearray()
        self.ended = array("I")
        self.marked: dict[int, int] = {}
        self.pages = array("I")
        self.parts: dict[int, Parts] = {}

    def index(self, address: int) -> int:
        """Return the number of the last block that starts at or before ``address``, or -1."""
        page = (address - self.base) >> PAGE
        if not 0 <= page < len(self.pages):
            return -1 if page < 0 else len(self) - 1
        number, starts = self.pages[page], self.starts
        while starts[number] > address:
            number -= 1
        return number

    def __getitem__(self, index: int) -> Block:
        parts = self.starts[index], self.sizes[index], KINDS[self.kinds[index]], bool(self.live[index])
        return tuple.__new__(Block, parts)  # twice as fast as Block(…)

    def __iter__(self) -> Iterator[Block]:
        return (self[index] for index in range(len(self)))

    def __len__(self) -> int:
        return len(self.starts)

    def part(self, number: int, address: int) -> tuple[Part | None, Part | None]:
        """Return the referent that holds ``address`` in a block of several, and the one that follows."""
        parts = self.parts.get(number)
        if parts is None:
            return None, None
        at = bisect_right(parts.starts, address)
        found = parts.at(at - 1) if at else None
        if found and address > found[0] and address >= found[0] + found[1]:
            found = None
        return found, parts.at(at) if at < len(parts.starts) else None

    def part_before(self, number: int, address: int) -> Part | None:
        """Return the last referent that begins before ``address`` in a block of several."""
        parts = self.parts.get(number)
        at = bisect_left(parts.starts, address) if parts else 0
        return parts.at(at - 1) if parts and at else None

    def room(self, number: int, address: int) -> int | None:
        """Return how much of a referent follows ``address`` in a block of several; ``None`` where no referent lies."""
        parts = self.parts.get(number)
        at = bisect_right(parts.starts, address) - 1 if parts else -1
        if parts is None or at < 0:
            return None
        start, left = parts.starts[at], parts.starts[at] + parts.sizes[at] - address
        return left if left > 0 or address == start else None

    def rooms(self, addresses: Sequence[int]) -> list[int] | None:
        """Return how many bytes there are at each address; ``None`` if at one of them nothing begins that is live."""
        first, past = (self.index(min(addresses)), self.index(max(addresses)) + 1) if addresses else (0, 0)
        enough = 4 * len(addresses) + 16  # looking at more would take longer than at one after the other
        if first < 0 or past - first > enough or not self.all_live(first, past):
            return None
        begun, sizes = self.starts[first:past].tolist(), self.sizes[first:past].tolist()
        numbers = range(first, past)
        shared = self.parts.keys() if len(self.parts) < len(numbers) else numbers
        divided = [self.parts[number] for number in shared if number in numbers and number in self.parts]
        if begun == addresses and not divided:
            return sizes
        if sum(len(parts.starts) for parts in divided) > enough:
            return None
        room = dict(zip(begun, sizes, strict=True))
        for parts in divided:
            room.update(zip(parts.starts, parts.sizes, strict=True))
        try:
            return list(map(room.__getitem__, addresses))
        except KeyError:
            return None

    def all_live(self, first: int, past: int) -> bool:
        """Whether the blocks from ``first`` to before ``past`` are live, none freed for later."""
        live = self.live
        return live.count(1, first, past) + live.count(DIVIDED, first, past) == past - first

    def none_live(self, first: int, past: int) -> bool:
        """Whether the blocks from ``first`` to before ``past`` are all freed."""
        return self.live.count(0, first, past) == past - first

    def first_live(self) -> int | None:
        """Return where the first live block begins; ``None`` if there is none."""
        found = _ALIVE.search(
            self.live, self.dead
        )  # no block lives twice: who was dead need not be looked at again
        self.dead = found.start() if found else len(self)
        return self.starts[self.dead] if found else None

    def find(self, address: int) -> Block | None:
        """Return the block that holds ``address``, or ends there (C lets a pointer go that far), or ``None``."""
        index = self.index(address)
        if index < 0:
            return None
        block = self[index]
        return block if address <= block.end else None


class PastLedger(Ledger):
    """A ledger as it was at one moment: it shares the arrays, and shows of them what was there."""

    __slots__ = ("count",)

    def __init__(self, now: Ledger) -> None:
        self.base, self.clock, self.count = now.base, now.clock, len(now)
        self.starts, self.sizes, self.kinds, self.pages = now.starts, now.sizes, now.kinds, now.pages
        self.ended, self.marked, self.parts = now.ended, now.marked, now.parts
        self.live = PastLives(self)  # type: ignore[assignment]  # it is only read

    def index(self, address: int) -> int:
        page, starts = (address - self.base) >> PAGE, self.starts
        if page < 0:
            return -1
        number = self.count - 1
        if page < len(self.pages):
            number = min(number, self.pages[page])
        while starts[number] > address:
            number -= 1
        return number

    def all_live(self, first: int, past: int) -> bool:
        marked = not self.marked.keys().isdisjoint(range(first, past)) if self.marked else False
        return past <= self.count and not marked and min(self.ended[first:past], default=0) > self.clock

    def none_live(self, first: int, past: int) -> bool:
        return max(self.ended[first:past], default=0) <= self.clock

    def __getitem__(self, index: int) -> Block:
        if index >= self.count:
            raise IndexError(index)
        return super().__getitem__(index)

    def __len__(self) -> int:
        return self.count


class PastLives:
    """For each block of a past ledger whether it was live: 0, 1, or 2 for freed for later."""

    __slots__ = ("clock", "count", "ended", "marked")

    def __init__(self, ledger: PastLedger) -> None:
        self.clock, self.count, self.ended, self.marked = (
            ledger.clock,
            ledger.count,
            ledger.ended,
            ledger.marked,
        )

    def __getitem__(self, index: int) -> int:
        if index >= self.count or self.ended[index] <= self.clock:
            return 0
        return MARKED if self.marked.get(index, NEVER) <= self.clock else 1

    def __iter__(self) -> Iterator[int]:
        return (self[index] for index in range(self.count))
