"""Byte-addressed memory: two address spaces, their blocks, and the faults code can commit in them.

An address space is one arena; a pointer is an integer address in it. New memory is filled with 0xCD and freed
memory with 0xDD, as in the debug heap that Windows developers know, so that a stale read is visible. Addresses are
never used twice: a dangling pointer stays recognisable for as long as the space lives.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, compress, islice, repeat
from operator import ge
from typing import NamedTuple
from weakref import WeakValueDictionary
from zlib import compress as pack
from zlib import decompress

from rpcmemkit.errors import Finished, MemoryFault, OfThisProcess, counted
from rpcmemkit.kinds import BlockKind, EventKind, FaultKind
from rpcmemkit.ledger import (
    DIVIDED,
    KIND_NUMBER,
    KINDS,
    MARKED,
    NEVER,
    PAGE,
    Block,
    Ledger,
    Parts,
    PastLedger,
    Row,
)
from rpcmemkit.trace import Fault, Path, Trace

NEW, FREED = 0xCD, 0xDD
ALIGNMENT = 8
BASES = {"client": 0x0001_0000, "server": 0x4000_0000}
GAP = 8  # a guard between blocks, so that a write past one block never lands in the next
STRETCH = 11  # what an image shows is kept by stretches of 2 KB
MUCH = 1 << 16  # bytes that are packed when they are kept together
WORTH = 512  # bytes that are copied in the time of one look into an image

_OCTETS = [bytes((value,)) for value in range(256)]


def taken(size: int) -> int:
    """Return how far a block of ``size`` bytes is from the next one."""
    return (size + ALIGNMENT - 1 & -ALIGNMENT or ALIGNMENT) + GAP


class Packed(bytes):
    """Old bytes of memory, compressed: of much that is freed at once a picture shows little."""


class Received(NamedTuple):
    """A message that lies in memory, as long as its bytes are what they were."""

    start: int
    message: bytes

    def stretch(self, at: int) -> bytes:
        """Return the bytes of a stretch that begins in it."""
        return self.message[at - self.start : at - self.start + (1 << STRETCH)]


class Image(Finished):
    """An address space as it was at one moment. Taking one copies nothing.

    Whoever writes over memory that an image shows puts the old bytes into the last image first (``kept``, by stretches
    of the arena), and each image holds the ones after it, where what it shows may lie. So an image costs what is written
    after it, and goes with the last call that needs it.
    """

    __slots__ = (
        "__weakref__",
        "_asked",
        "_whole",
        "base",
        "blocks",
        "clock",
        "kept",
        "later",
        "pointer_size",
        "size",
        "space",
    )
    _stays = "it shares the memory that it shows; its bytes are image[:]"

    def __init__(self, space: AddressSpace) -> None:
        self.space = space
        self.base, self.pointer_size = space.ledger.base, space.pointer_size
        self.size = space.base - self.base + len(space.data)
        self.clock = space.ledger.clock
        self.blocks = PastLedger(space.ledger)
        self.kept: dict[int, bytes | Received] = {}
        self.later: Image | None = None
        self._asked = 0
        self._whole: bytes | None = None

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        if self._whole is not None:
            return self._whole[part]
        self._asked += WORTH
        if self._asked > self.size:  # by now one copy is cheaper
            self._whole = self._read(0, self.size)
        return self._read(*part.indices(self.size)[:2])

    def _read(self, start: int, stop: int) -> bytes:
        if start >= stop:
            return b""
        base, data = self.space.arena  # before looking for what was kept: a thread may write now
        gone = base - self.base
        octets = bytearray(data[max(start - gone, 0) : max(stop - gone, 0)])
        if start < gone:
            octets[:0] = _OCTETS[FREED] * (min(stop, gone) - start)
        for number in range(start >> STRETCH, (stop - 1 >> STRETCH) + 1):
            if old := self.space.as_of(number, self.clock):
                at = number << STRETCH
                first, last = max(start, at), min(stop, at + len(old))
                octets[first - start : last - start] = old[first - at : last - at]
        return bytes(octets)

    def find(self, octets: bytes, start: int, end: int) -> int:
        """As ``bytes.find``."""
        step = 1 << STRETCH
        for at in range(start, end, step):
            found = self[at : min(end, at + step + len(octets) - 1)].find(octets)
            if found >= 0:
                return at + found
        return -1


class AddressSpace(OfThisProcess):
    """The memory of one side. ``side`` is ``client`` or ``server``, ``pointer_size`` 4 or 8."""

    __slots__ = (
        "_images",
        "_kept",
        "_last",
        "_received",
        "arena",
        "base",
        "data",
        "describe",
        "ledger",
        "pointer_size",
        "shown",
        "side",
        "trace",
    )

    def __init__(self, side: str, pointer_size: int = 8, trace: Trace | None = None) -> None:
        self.side = side
        self.pointer_size = pointer_size
        self.base = BASES[side]
        self.data: bytearray = bytearray()
        self.arena = self.base, self.data
        """The same two together, for another thread that looks at an image."""
        self.ledger = Ledger(self.base)
        self._received = Received(0, b"")
        self.shown = 0
        """How much of ``data`` the last image shows: who writes below calls :meth:`keep` first."""
        self._last: Image | None = None
        self._images: WeakValueDictionary[int, Image] = WeakValueDictionary()
        self._kept: dict[int, list[int]] = {}
        self.trace = trace if trace is not None else Trace()
        self.describe: Callable[[Path | None], str] = str
        """Turns a path into text, for faults."""

    # --- blocks ---

    def add_block(self, size: int, kind: BlockKind, fill: int = NEW) -> int:
        """Reserve ``size`` bytes and return their address, a multiple of 8. A size of 0 has an address of its own."""
        data, ledger = self.data, self.ledger
        start, number, pages = len(data), len(ledger.live), ledger.pages
        data += _OCTETS[fill] * taken(size)
        address = self.base + start
        ledger.starts.append(address)
        ledger.sizes.append(size)
        ledger.kinds.append(KIND_NUMBER[kind])
        ledger.live.append(1)
        ledger.by_routine.append(0)
        ledger.ended.append(NEVER)
        gone = self.base - ledger.base
        first, past = gone + start >> PAGE, (gone + len(data) - 1 >> PAGE) + 1
        if first < len(pages):
            pages[first] = number
        if past > len(pages):
            pages += array("I", (number,)) * (past - len(pages))
        return address

    def receive(self, message: bytes) -> int:
        """Add a receive buffer. While its bytes are those of the message, no image need have them for itself."""
        address = self.add_block(len(message), BlockKind.RECEIVE_BUFFER)
        self.data[address - self.base : address - self.base + len(message)] = message
        self._received = Received(address - self.ledger.base, message)
        return address

    def forget(self) -> None:
        """Give up the memory in front of the first live block, if that is most of it. Its addresses are not used again.

        Images show what they have kept of it, and else that it was freed.
        """
        first = self.ledger.first_live()
        end = self.base + len(self.data) if first is None else first
        step = 1 << STRETCH
        gone = (end - self.ledger.base) // step * step + self.ledger.base - self.base
        if gone > max(MUCH, len(self.data) // 2):
            self.arena = self.base + gone, self.data[gone:]
            self.base, self.data = self.arena
            self.shown = max(self.shown - gone, 0)

    # --- many blocks at once ---

    @contextmanager
    def unnoted(self) -> Iterator[None]:
        """Let nothing that happens here be noted: what is tried, and may be done otherwise."""
        trace, self.trace = self.trace, Trace()
        try:
            yield
        finally:
            self.trace = trace

    def window(self, address: int) -> tuple[bytearray | bytes, int]:
        """Return memory to look at, from the block before the one at ``address`` on, and the address of its first byte.

        Of an image it is a copy: what a call has to do with lies there together.
        """
        if isinstance(self.data, bytearray):
            return self.data, self.base
        first = self.ledger.starts[max(self.ledger.index(address) - 1, 0)]
        return self.data[first - self.base :], first

    def add_blocks(self, data: bytes | bytearray, sizes: Sequence[int], kind: BlockKind) -> Row:
        """Add blocks whose bytes are ``data``, each with what lies between it and the next; return their addresses."""
        ledger, number, many = self.ledger, len(self.ledger.live), len(sizes)
        base, top = ledger.base, self.base + len(self.data)
        self.data += data
        ledger.starts.extend(accumulate(map(taken, islice(sizes, many - 1)), initial=top))
        ledger.sizes.extend(sizes)
        ledger.kinds += bytes((KIND_NUMBER[kind],)) * many
        ledger.live += b"\1" * many
        ledger.by_routine += bytes(many)
        ledger.ended.extend(repeat(NEVER, many))
        page, past = top - base >> PAGE, (self.base + len(self.data) - base - 1 >> PAGE) + 1
        begun = array("I", bytes(4 * (past - page)))
        row = Row(ledger, range(number, number + many))
        for index, address in enumerate(row, number):
            begun[(address - base >> PAGE) - page] = index
        # at once: a thread may look into an image now
        ledger.pages[page:] = array("I", accumulate(begun, max))
        return row

    def take_back(self, start: int) -> None:
        """Remove the blocks that were added since ``data`` was ``start`` bytes long: they have never been."""
        ledger, last = self.ledger, self.base + start
        count = bisect_left(ledger.starts, last)
        pages = (last - ledger.base - 1 >> PAGE) + 1
        # first of all, and at once: a thread may look into an image now
        ledger.pages[max(pages - 1, 0) :] = array("I", (count - 1,) * bool(pages))
        del self.data[start:], ledger.starts[count:], ledger.sizes[count:], ledger.kinds[count:]
        del ledger.live[count:], ledger.by_routine[count:], ledger.ended[count:]

    def holds(self, addresses: Sequence[int], extents: int | Sequence[int]) -> bool:
        """Whether so many bytes at each address may be touched. Nothing is noted if not."""
        if not isinstance(extents, int):
            addresses, extents = list(compress(addresses, extents)), list(filter(None, extents))
        each = repeat(extents) if isinstance(extents, int) else extents
        return all(map(ge, self.rooms(addresses), each))

    def rooms(self, addresses: Sequence[int]) -> list[int]:
        """Return for each address how many bytes follow there, as :meth:`capacity` does."""
        rooms = self.ledger.rooms(addresses)
        return list(map(self.capacity, addresses)) if rooms is None else rooms

    def left_live(self, addresses: Sequence[int]) -> Sequence[int]:
        """Return the addresses that lie in live blocks."""
        ledger = self.ledger
        if len(addresses) > 1:
            first, past = ledger.index(min(addresses)), ledger.index(max(addresses)) + 1
            if past - first <= 4 * len(addresses) and ledger.none_live(first, past):
                return ()
        return [each for each in addresses if (at := ledger.index(each)) >= 0 and ledger.live[at]]

    def row_of(self, addresses: Sequence[int], kind: BlockKind) -> range | None:
        """Return the numbers of live blocks of one kind that lie side by side; ``None`` if that is not what is there."""
        ledger, many = self.ledger, len(addresses)
        first = bisect_left(ledger.starts, min(addresses))
        row = range(first, first + many)
        alike = ledger.kinds.count(KIND_NUMBER[kind], first, row.stop) == many
        if not alike or ledger.live.count(1, first, row.stop) != many:
            return None
        return row if ledger.starts[first : row.stop].tolist() == sorted(addresses) else None

    def drop_row(self, row: range) -> None:
        """As :meth:`drop_block`, for blocks that lie side by side, with 0xCD between them."""
        ledger = self.ledger
        starts, sizes = ledger.starts, ledger.sizes[row.start : row.stop]
        start, end = starts[row.start] - self.base, starts[row[-1]] + sizes[-1] - self.base
        if sizes.count(sizes[0]) == len(row):
            freed = (_OCTETS[FREED] * sizes[0] + _OCTETS[NEW] * (taken(sizes[0]) - sizes[0])) * len(row)
        else:
            freed = b"".join([_OCTETS[FREED] * size + _OCTETS[NEW] * (taken(size) - size) for size in sizes])
        ledger.live[row.start : row.stop] = bytes(len(row))
        ledger.ended[row.start : row.stop] = array("I", (ledger.clock,)) * len(row)
        self._store(start, freed[: end - start])

    # --- parts and ends of blocks ---

    def divide(self, address: int) -> Parts:
        """Return what notes the referents that will lie in the block at ``address``, in the order of their addresses.

        Each has its own extent: what leaves it is out of bounds, as if it were a block of its own.
        """
        number = self.ledger.index(address)
        self.ledger.live[number] = DIVIDED
        return self.ledger.parts.setdefault(number, Parts())

    def drop_block(self, address: int) -> None:
        """Mark the live block at ``address`` as freed and fill it with 0xDD."""
        index = self.ledger.index(address)
        size = self.ledger.sizes[index]
        self.ledger.live[index] = 0
        self.ledger.ended[index] = self.ledger.clock
        self._store(address - self.base, _OCTETS[FREED] * size)

    def mark_block(self, address: int) -> None:
        """Note that the live block at ``address`` was freed for later; its bytes stay as they are."""
        index = self.ledger.index(address)
        self.ledger.live[index] = MARKED
        self.ledger.marked[index] = self.ledger.clock

    def is_marked(self, address: int) -> bool:
        """Whether ``address`` lies in a block that was freed for later: still live, but nobody may use it any more."""
        index = self.ledger.index(address)
        return index >= 0 and self.ledger.live[index] == MARKED

    def block(self, address: int) -> Block | None:
        """Return the block that holds ``address``, live or freed, or ``None``."""
        return self.ledger.find(address)

    def is_allocated(self, address: int, kind: BlockKind) -> bool:
        """Whether a live block of that kind begins at ``address``: what a deallocator takes."""
        ledger = self.ledger
        index = ledger.index(address)
        if index < 0 or ledger.starts[index] != address:
            return False
        return ledger.live[index] in (1, DIVIDED) and ledger.kinds[index] == KIND_NUMBER[kind]

    def lies(self, address: int) -> int:
        """Return where the referent lies that ``address`` stands for.

        One of no size in a message is known by the byte before it: another referent may begin where it lies.
        """
        ledger = self.ledger
        number = ledger.index(address)
        parts = ledger.parts.get(number)
        if parts is None or ledger.kinds[number] != KIND_NUMBER[BlockKind.RECEIVE_BUFFER]:
            return address
        at = bisect_left(parts.starts, address)
        return address + (at < len(parts.starts) and parts.starts[at] == address and not parts.sizes[at])

    def is_past(self, address: int) -> bool:
        """Whether ``address`` is where a block ends: nothing lies there, so that no two pointers share it."""
        block = self.ledger.find(address)
        return block is not None and block.size > 0 and address == block.end

    def capacity(self, address: int) -> int:
        """Return how many bytes follow ``address`` in its live block, or in its referent if several lie in that.

        There are none when it is in no live block.
        """
        ledger = self.ledger
        index = ledger.index(address)
        if index < 0 or not ledger.live[index]:
            return 0
        if index in ledger.parts and (room := ledger.room(index, address)) is not None:
            return room
        return max(ledger.starts[index] + ledger.sizes[index] - address, 0)

    # --- access ---

    def check(self, address: int, size: int, doing: str, path: Path | None = None) -> int:
        """Return the offset of ``address`` in ``data`` if ``size`` bytes there, which ``path`` leads to, may be touched.

        Raises:
            MemoryFault: null, unmapped or freed memory, or past the end of the block.
        """
        ledger, offset = self.ledger, address - self.base
        page, pages, starts = address - ledger.base >> PAGE, ledger.pages, ledger.starts
        if 0 <= page < len(pages):  # as Ledger.index, without a call: this runs several times for each node
            number = pages[page]
            while starts[number] > address:
                number -= 1
            live = ledger.live[number]
            if live and address + size <= starts[number] + ledger.sizes[number]:
                if live == DIVIDED:
                    self._stay_inside(number, address, address, size, doing)
                return offset
        raise self._fault(address, size, doing, path)

    def check_step(self, address: int, offset: int, size: int) -> None:
        """Refuse a step from a referent to something that lies before it, or behind it in the same block.

        Raises:
            MemoryFault: out of bounds. Elsewhere the access itself faults, for a guard lies behind every block.
        """
        number = self.ledger.index(address)
        if offset < 0 and number >= 0 and self.ledger[number].live:
            self._stay_behind(number, address, address + offset)
        if number >= 0 and self.ledger.live[number] == DIVIDED:
            self._stay_inside(number, address, address + offset, size, "access")

    def _stay_behind(self, number: int, start: int, address: int) -> None:
        part, block = self.ledger.part(number, start)[0], self.ledger[number]
        begin = part[0] if part else block.address
        if address >= begin:
            return
        name = self.describe(part[2]) if part else f"a block of {counted(block.size, 'byte')}"
        before = self.ledger.part_before(number, begin) if part else None
        there = f", which follows {self.describe(before[2])}" if before else ""
        lies, early = address + self.lies(start) - start, counted(begin - address, "byte")
        why = f"access at {lies:#x}, {early} before the beginning of {name}{there}"
        raise self.fault(FaultKind.OUT_OF_BOUNDS, address, why)

    def _stay_inside(self, number: int, start: int, address: int, size: int, doing: str) -> None:
        room = self.ledger.room(number, start)
        if room is None or address + size <= start + room:
            return
        part, following = self.ledger.part(number, start)
        assert part is not None
        name, where = self.describe(part[2]), KINDS[self.ledger.kinds[number]]
        place = "the receive buffer" if where is BlockKind.RECEIVE_BUFFER else "a block that it shares"
        behind = f", where {self.describe(following[2])} lies" if following else ""
        past = counted(address + size - part[0] - part[1], "byte")
        extent = counted(part[1], "byte")
        lies = address + self.lies(start) - start
        why = f"{doing} at {lies:#x}, {past} past the end of {name}, which has {extent} in {place}{behind}"
        raise self.fault(FaultKind.OUT_OF_BOUNDS, address, why)

    def _fault(self, address: int, size: int, doing: str, path: Path | None) -> MemoryFault:
        block = self.ledger.find(address)
        if address < 0x1000:
            kind, why = FaultKind.NULL, f"{doing} through a null pointer"
        elif block is None:
            kind, why = FaultKind.UNMAPPED, f"{doing} at {self.nowhere(address)}"
        elif not block.live:
            kind, why = FaultKind.USE_AFTER_FREE, f"{doing} at {address:#x} in a block that was freed"
        else:
            past, extent = counted(address + size - block.end, "byte"), counted(size, "byte")
            kind = FaultKind.OUT_OF_BOUNDS
            done = f"{doing} of {extent}" if doing in ("read", "write") else f"{doing} ({extent})"
            name = f"{self.describe(path)}, " if path else ""
            why = f"a {done} at {address:#x} ends {past} past the end of {name}a block of {block.size}"
        return self.fault(kind, address, why)

    def is_unwritten(self, address: int) -> bool:
        """Whether an address is what a pointer holds that nobody wrote, or lies a little behind it."""
        return address >> 16 == int.from_bytes(bytes((NEW,)) * self.pointer_size, "little") >> 16

    def nowhere(self, address: int) -> str:
        """Say of an address that belongs to no block what it looks like."""
        if self.is_unwritten(address):
            return f"{address:#x}: the pointer was never written"
        return f"{address:#x}, which belongs to no block"

    def fault(self, kind: FaultKind, address: int, why: str, actor: str = "") -> MemoryFault:
        """Record a fault and return it, ready to be raised."""
        self.trace.add(EventKind.FAULT, self.side, actor, address, 0, "", Fault(kind, why))
        return MemoryFault(kind, self.side, address, why)

    def read(self, address: int, size: int) -> bytes:
        """Return ``size`` bytes. Raises :class:`MemoryFault` when they may not be read."""
        start = self.check(address, size, "read")
        return bytes(self.data[start : start + size])

    def write(self, address: int, data: bytes) -> None:
        """Write ``data``. Raises :class:`MemoryFault` when that memory may not be written."""
        self._store(self.check(address, len(data), "write"), data)

    def convert(self, address: int, data: bytes) -> None:
        """Write over memory that holds several referents, and the gaps between them, at once: a message in its buffer."""
        self._store(address - self.base, data)

    def clear(self, address: int, size: int, fill: int = 0) -> None:
        """Fill memory that has just been allocated, with zeros as a rule."""
        self._store(address - self.base, _OCTETS[fill] * size)

    def pointer_at(self, address: int) -> int:
        """Return the pointer stored at ``address``."""
        start = self.check(address, self.pointer_size, "read of a pointer")
        return int.from_bytes(self.data[start : start + self.pointer_size], "little")

    def set_pointer(self, address: int, value: int) -> None:
        """Store a pointer at ``address``."""
        start = self.check(address, self.pointer_size, "write of a pointer")
        self._store(start, value.to_bytes(self.pointer_size, "little"))

    def _store(self, start: int, octets: bytes) -> None:
        if start < self.shown:
            self.keep(start, len(octets))
        self.data[start : start + len(octets)] = octets

    # --- images ---

    def image(self) -> Image:
        """Return the space as it is now."""
        image = Image(self)
        if self._last is not None:
            self._last.later = image
        self._last, self._images[image.clock], self.shown = image, image, len(self.data)
        self.ledger.clock += 1
        return image

    def keep(self, start: int, size: int) -> None:
        """Let the last image have the bytes from the offset ``start`` on before they are written over."""
        image = self._last
        assert image is not None
        gone = self.base - self.ledger.base
        for number in range(
            start + gone >> STRETCH, (min(start + size, self.shown) + gone - 1 >> STRETCH) + 1
        ):
            if number not in image.kept:
                at = number << STRETCH
                old = self.data[at - gone : at - gone + (1 << STRETCH)]
                if at >= self._received.start and self._received.stretch(at) == old:
                    image.kept[number] = self._received
                else:
                    image.kept[number] = Packed(pack(old, 1)) if size > MUCH else bytes(old)
                times = self._kept.setdefault(number, [])
                if (
                    times and times[0] not in self._images
                ):  # a new list: another thread may look into the old one
                    times = self._kept[number] = [each for each in times if each in self._images]
                times.append(image.clock)

    def as_of(self, number: int, clock: int) -> bytes:
        """Return what a stretch held when the image of that time was taken, if it was written over since, else nothing."""
        times = self._kept.get(number, ())
        at = bisect_left(times, clock)
        old = self._images[times[at]].kept[number] if at < len(times) else b""
        if isinstance(old, Received):
            return old.stretch(number << STRETCH)
        return decompress(old) if isinstance(old, Packed) else old

    @classmethod
    def from_image(cls, side: str, image: Image) -> AddressSpace:
        """Return a space to read an image with: it has a trace of its own, and cannot be written."""
        space = cls(side, image.pointer_size)
        space.base, space.data, space.ledger = image.base, image, image.blocks  # type: ignore[assignment]
        return space

    def __repr__(self) -> str:
        live = sum(map(bool, self.ledger.live))
        return f"<AddressSpace {self.side}: {live} live of {len(self.ledger)} blocks>"
