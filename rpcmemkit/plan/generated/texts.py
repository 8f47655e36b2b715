"""Strings, many at once: what generated code calls where all pointers of an array's elements lead to strings.

As a rule each string fills a block, so that its length is the block's size: that it holds one terminator, at its end, is
seen of all of them together. Strings that something follows in their block are measured one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, TypeAlias

from rpcmemkit.plan.generated.source import ALIGNMENT, GAP
from rpcmemkit.plan.graphs import Odd

if TYPE_CHECKING:
    from rpcmemkit.memory import AddressSpace

CODINGS = {1: ("latin-1", "strict"), 2: ("utf-16-le", "surrogatepass")}
Octets: TypeAlias = "bytes | bytearray"


def read(space: AddressSpace, data: Octets, base: int, addresses: list[int], width: int) -> list[str]:
    """Return the strings at these addresses without their terminators."""
    return _found(space, data, base, addresses, width)[2] if addresses else []


def marshal(
    space: AddressSpace,
    data: Octets,
    base: int,
    addresses: list[int],
    width: int,
    counts: Callable[[int, int, int], bytes],
    step: int,
) -> bytes:
    """Return the strings at these addresses as they are sent one after the other, each behind its counts."""
    sizes, found, _ = _found(space, data, base, addresses, width)
    heads = {size: counts(size // width, 0, size // width) for size in set(sizes)}
    tails = {size: bytes(-size % step) for size in heads}
    *behind, _ = map(tails.__getitem__, sizes)
    return b"".join(
        chain.from_iterable(zip(map(heads.__getitem__, sizes), found, [*behind, b""], strict=True))
    )


def blocks(strings: list[str], sizes: Sequence[int], width: int, fill: int) -> bytes:
    """Return strings as they lie in memory, each of so many bytes, with what lies between it and the next."""
    gap = chr(fill) if width == 1 else chr(fill << 8 | fill)
    ends = {size: "\0" + gap * ((-size % ALIGNMENT + GAP) // width) for size in set(sizes)}
    laid = chain.from_iterable(zip(strings, map(ends.__getitem__, sizes), strict=True))
    return "".join(laid).encode(*CODINGS[width])


def _found(
    space: AddressSpace, data: Octets, base: int, addresses: list[int], width: int
) -> tuple[list[int], list[Octets], list[str]]:
    """Return of the strings at these addresses the sizes, the bytes with their terminators, and the text without."""
    starts, sizes = [address - base for address in addresses], space.rooms(addresses)
    if min(starts) < 0 or not min(sizes):
        raise Odd
    found = _cut(data, starts, sizes)
    try:
        texts = b"".join(found).decode(*CODINGS[width]).split("\0")
        if list(map(len, texts)) == [*[size // width - 1 for size in sizes], 0]:
            return sizes, found, texts[:-1]
    except UnicodeDecodeError:
        pass  # an odd number of bytes, of a string and what follows it
    sizes = [_measured(data, start, start + size, width) for start, size in zip(starts, sizes, strict=True)]
    found = _cut(data, starts, sizes)
    return sizes, found, b"".join(found).decode(*CODINGS[width]).split("\0")[:-1]


def _cut(data: Octets, starts: list[int], sizes: list[int]) -> list[Octets]:
    return list(map(data.__getitem__, map(slice, starts, map(add, starts, sizes))))


def _measured(data: Octets, start: int, end: int, width: int) -> int:
    """Return the bytes of a string, its terminator included, that ends before ``end``."""
    at = data.find(bytes(width), start, end)
    while (
        width > 1 and at >= 0 and at - start & 1
    ):  # behind a wide letter of Latin the zeros begin a byte too early
        at = data.find(bytes(width), at + 1, end)
    if at < 0:
        raise Odd
    return at - start + width
