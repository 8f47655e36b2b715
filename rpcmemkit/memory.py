"""Byte-addressed memory: two address spaces, their blocks, and the faults code can commit in them.

An address space is one arena; a pointer is an integer address in it. New memory is filled with 0xCD and freed
memory with 0xDD, as in the debug heap that Windows developers know, so that a stale read is visible. Addresses are
never used twice: a dangling pointer stays recognisable for as long as the space lives.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import NamedTuple

from rpcmemkit.errors import MemoryFault, counted
from rpcmemkit.trace import Trace

NEW, FREED = 0xCD, 0xDD
ALIGNMENT = 8
BASES = {"client": 0x0001_0000, "server": 0x4000_0000}
GAP = 8  # a guard between blocks, so that a write past one block never lands in the next
PAGE = 6  # blocks are looked up by pages of 64 octets, in which at most four of them begin

KINDS = (
    "application",
    "midl_user",
    "receive buffer",
    "stack",
    "RpcSs",
    "private",
    "global",
    "task",
    "context",
)
_KIND_NUMBER = {kind: number for number, kind in enumerate(KINDS)}
HEAPS = frozenset({"midl_user", "RpcSs", "private", "application", "task"})
_OCTETS = [bytes((value,)) for value in range(256)]
_MARKED = 2  # in the ledger: live, but freed for later


class Block(NamedTuple):
    """One block of memory: its address, its size in octets, who allocated it, and whether it is still live."""

    address: int
    size: int
    kind: str
    live: bool

    @property
    def end(self) -> int:
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Image:
    """A copy of an address space at one moment."""

    base: int
    pointer_size: int
    data: bytes
    blocks: Ledger


class Ledger:
    """The blocks of an address space in address order, in parallel arrays: about 20 octets a block.

    ``pages`` has for each page of the space the last block that begins before its end, so that a look-up takes the
    same time however many blocks there are.
    """

    __slots__ = ("base", "kinds", "live", "pages", "sizes", "starts")

    def __init__(self, base: int) -> None:
        self.base = base
        self.starts = array("Q")
        self.sizes = array("Q")
        self.kinds = bytearray()
        self.live = bytearray()
        self.pages = array("I")

    def index(self, address: int) -> int:
        """Return the number of the last block that starts at or before ``address``, or -1."""
        page = (address - self.base) >> PAGE
        if not 0 <= page < len(self.pages):
            return -1 if page < 0 else len(self.starts) - 1
        number, starts = self.pages[page], self.starts
        while starts[number] > address:
            number -= 1
        return number

    def __getitem__(self, index: int) -> Block:
        parts = self.starts[index], self.sizes[index], KINDS[self.kinds[index]], bool(self.live[index])
        return tuple.__new__(Block, parts)  # twice as fast as Block(…)

    def __len__(self) -> int:
        return len(self.starts)

    def find(self, address: int) -> Block | None:
        """Return the block that holds ``address``, or ends there (C lets a pointer go that far), or ``None``."""
        index = self.index(address)
        if index < 0:
            return None
        block = self[index]
        return block if address <= block.end else None

    def copy(self) -> Ledger:
        twin = Ledger(self.base)
        twin.pages, twin.starts, twin.sizes = self.pages[:], self.starts[:], self.sizes[:]
        twin.kinds, twin.live = self.kinds[:], self.live[:]
        return twin


class AddressSpace:
    """The memory of one side. ``side`` is ``client`` or ``server``, ``pointer_size`` 4 or 8."""

    __slots__ = ("base", "data", "ledger", "pointer_size", "side", "trace")

    def __init__(self, side: str, pointer_size: int = 8, trace: Trace | None = None) -> None:
        self.side = side
        self.pointer_size = pointer_size
        self.base = BASES[side]
        self.data = bytearray()
        self.ledger = Ledger(self.base)
        self.trace = trace if trace is not None else Trace()

    # --- blocks ---

    def add_block(self, size: int, kind: str, fill: int = NEW) -> int:
        """Reserve ``size`` octets and return their address, a multiple of 8. A size of 0 has an address of its own."""
        data, ledger = self.data, self.ledger
        start, number, pages = len(data), len(ledger.live), ledger.pages
        data += _OCTETS[fill] * (-(-max(size, 1) // ALIGNMENT) * ALIGNMENT + GAP)
        address = self.base + start
        ledger.starts.append(address)
        ledger.sizes.append(size)
        ledger.kinds.append(_KIND_NUMBER[kind])
        ledger.live.append(1)
        first, past = start >> PAGE, (len(data) - 1 >> PAGE) + 1
        if first < len(pages):
            pages[first] = number
        if past > len(pages):
            pages += array("I", (number,)) * (past - len(pages))
        return address

    def drop_block(self, address: int) -> None:
        """Mark the live block at ``address`` as freed and fill it with 0xDD."""
        index = self.ledger.index(address)
        size = self.ledger.sizes[index]
        self.ledger.live[index] = 0
        start = address - self.base
        self.data[start : start + size] = _OCTETS[FREED] * size

    def mark_block(self, address: int) -> None:
        """Note that the live block at ``address`` was freed for later; its octets stay as they are."""
        self.ledger.live[self.ledger.index(address)] = _MARKED

    def is_marked(self, address: int) -> bool:
        """Whether ``address`` lies in a block that was freed for later: still live, but nobody may use it any more."""
        index = self.ledger.index(address)
        return index >= 0 and self.ledger.live[index] == _MARKED

    def block(self, address: int) -> Block | None:
        """Return the block that holds ``address``, live or freed, or ``None``."""
        return self.ledger.find(address)

    def is_allocated(self, address: int, kind: str) -> bool:
        """Whether a live block of that kind begins at ``address``: what a deallocator takes."""
        ledger = self.ledger
        index = ledger.index(address)
        if index < 0 or ledger.starts[index] != address:
            return False
        return ledger.live[index] == 1 and ledger.kinds[index] == _KIND_NUMBER[kind]

    def capacity(self, address: int) -> int:
        """Return how many octets follow ``address`` in its live block (0 when it is in none)."""
        ledger = self.ledger
        index = ledger.index(address)
        if index < 0 or not ledger.live[index]:
            return 0
        return max(ledger.starts[index] + ledger.sizes[index] - address, 0)

    # --- access ---

    def check(self, address: int, size: int, doing: str) -> int:
        """Return the offset of ``address`` in ``data`` if ``size`` octets there may be touched.

        Raises:
            MemoryFault: null, unmapped or freed memory, or past the end of the block.
        """
        ledger, offset = self.ledger, address - self.base
        page, pages, starts = offset >> PAGE, ledger.pages, ledger.starts
        if 0 <= page < len(pages):  # as Ledger.index, without a call: this runs several times for each node
            number = pages[page]
            while starts[number] > address:
                number -= 1
            if ledger.live[number] and address + size <= starts[number] + ledger.sizes[number]:
                return offset
        raise self._fault(address, size, doing)

    def _fault(self, address: int, size: int, doing: str) -> MemoryFault:
        block = self.ledger.find(address)
        if address < 0x1000:
            kind, why = "null", f"{doing} through a null pointer"
        elif block is None:
            kind, why = "unmapped", f"{doing} at {address:#x}, which belongs to no block"
        elif not block.live:
            kind, why = "use after free", f"{doing} at {address:#x} in a block that was freed"
        else:
            past = address + size - block.end
            kind = "out of bounds"
            why = f"{doing} of {counted(size, 'octet')} at {address:#x}, {past} past the end of a block of {block.size}"
        return self.fault(kind, address, why)

    def fault(self, kind: str, address: int, why: str, actor: str = "") -> MemoryFault:
        """Record a fault and return it, ready to be raised."""
        self.trace.add("fault", self.side, actor, address, 0, "", (kind, why))
        return MemoryFault(kind, self.side, address, why)

    def read(self, address: int, size: int) -> bytes:
        """Return ``size`` octets. Raises :class:`MemoryFault` when they may not be read."""
        start = self.check(address, size, "read")
        return bytes(self.data[start : start + size])

    def write(self, address: int, data: bytes) -> None:
        """Write ``data``. Raises :class:`MemoryFault` when that memory may not be written."""
        start = self.check(address, len(data), "write")
        self.data[start : start + len(data)] = data

    def clear(self, address: int, size: int) -> None:
        """Fill memory that a stub has just allocated with zeros."""
        start = address - self.base
        self.data[start : start + size] = bytes(size)

    def pointer_at(self, address: int) -> int:
        """Return the pointer stored at ``address``."""
        start = self.check(address, self.pointer_size, "read of a pointer")
        return int.from_bytes(self.data[start : start + self.pointer_size], "little")

    def set_pointer(self, address: int, value: int) -> None:
        """Store a pointer at ``address``."""
        start = self.check(address, self.pointer_size, "write of a pointer")
        self.data[start : start + self.pointer_size] = value.to_bytes(self.pointer_size, "little")

    def image(self) -> Image:
        """Return a copy of the space as it is now."""
        return Image(self.base, self.pointer_size, bytes(self.data), self.ledger.copy())

    @classmethod
    def from_image(cls, side: str, image: Image) -> AddressSpace:
        """Return a space to read an image with: nothing done in it reaches the call."""
        space = cls(side, image.pointer_size)
        space.base, space.data, space.ledger = image.base, bytearray(image.data), image.blocks
        return space

    def __repr__(self) -> str:
        live = sum(map(bool, self.ledger.live))
        return f"<AddressSpace {self.side}: {live} live of {len(self.ledger)} blocks>"
