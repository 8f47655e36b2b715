"""The translation table of full pointers: which storage each referent id of a call names (C706 chapter 14)."""

from __future__ import annotations

from collections.abc import Iterable

LARGEST_ID = 0xFFFFFFFF


class FullPointers:
    """One side's table for one call. Ids count from 1 and go on counting in the response.

    With ``outer`` it is a table to try something with: it sees what the other has received and leaves it as it is.
    """

    __slots__ = ("_addresses", "_ids", "_next", "_outer", "_seen")

    def __init__(self, outer: FullPointers | None = None) -> None:
        self._outer = outer
        self._ids: dict[int, int] = {}
        self._addresses: dict[int, int] = {}
        self._seen: set[int] = set()
        self._next = 1

    def new_message(self) -> None:
        """Begin a message: every referent is represented once in each."""
        self._seen.clear()

    def send(self, address: int) -> tuple[int, bool]:
        """Return the id of the storage at ``address`` and whether its referent has to follow."""
        number = self._ids.get(address)
        if number is None:
            number = self._fresh()
            self.bind(number, address)
        follows = number not in self._seen
        self._seen.add(number)
        return number, follows

    def receive(self, number: int) -> int | None:
        """Return where the referent of ``number`` was put in this message, or ``None`` when it has yet to follow."""
        if number in self._seen:
            return self._addresses[number]
        return self._outer.receive(number) if self._outer else None

    def known(self, number: int) -> int:
        """Return the storage that ``number`` named in an earlier message of the call, or 0."""
        return self._addresses.get(number, 0)

    def numbers(self, addresses: Iterable[int]) -> list[int]:
        """Return the ids that name the storage at ``addresses``, in order, each once."""
        return sorted({self._ids[address] for address in addresses if address in self._ids})

    def bind(self, number: int, address: int) -> None:
        """Let ``number`` name ``address``."""
        self._ids[address] = number
        self._addresses[number] = address
        if number < LARGEST_ID:  # a peer may use any ids; they must not use up ours
            self._next = max(self._next, number + 1)

    def _fresh(self) -> int:
        while self._next in self._addresses:
            self._next = self._next % LARGEST_ID + 1
        return self._next

    def arrived(self, number: int, address: int) -> None:
        """Note that the referent of ``number`` is being put at ``address``."""
        self.bind(number, address)
        self._seen.add(number)
