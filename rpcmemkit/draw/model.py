"""What a picture of a call shows, as plain data: columns of blocks with fields, bytes, arrows and counts.

A picture is a pure function of the call: nothing here knows of Graphviz, colours or positions. The drawing and the
text alternative are made from the same :class:`Picture`, so neither can say what the other does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rpcmemkit.errors import counted

TITLES = {
    "before": "Client before",
    "request": "Request",
    "server": "Server",
    "response": "Response",
    "after": "Client after",
}
"""The columns in the order of the call, by key."""


@dataclass(frozen=True, slots=True)
class Field:
    """One value in a block. ``offset`` is ``None`` for a line that stands for fields left out.

    ``was`` is the value before the call where it has changed; ``dangling`` marks a pointer to freed memory.
    """

    offset: int | None
    name: str
    text: str
    type: str = ""
    was: str = ""
    dangling: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A typed value in a block: the whole block, one node of an ``all_nodes`` block, or a piece of the receive buffer.

    ``rule`` is the id of the rule that put it there.
    """

    id: str
    label: str
    address: int
    type: str
    rule: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """What is left out between two blocks or parts."""

    id: str
    count: int
    what: str = "blocks"

    @property
    def text(self) -> str:
        return f"… {self.count:,} more {self.what if self.count > 1 else self.what[:-1]}"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of memory. ``owner`` is a key of :data:`rpcmemkit.draw.storage.OWNERS`, ``words`` are its marks."""

    id: str
    label: str
    address: int
    size: int
    owner: str
    duty: str
    words: tuple[str, ...]
    parts: tuple[Part | Gap, ...]

    @property
    def compound(self) -> bool:
        """Whether the block encloses parts that need headings of their own."""
        return len(self.parts) > 1 or self.owner == "buffer"


@dataclass(frozen=True, slots=True)
class Bytes:
    """A run of bytes of a message and what it means: in full, and in brief with the path that it belongs to.

    ``kind`` is ``value``, ``pointer`` (a referent id), ``count`` (a size, a length, a discriminant) or ``gap`` (padding).
    """

    offset: int
    data: bytes
    meaning: str
    path: str
    brief: str
    kind: str = "value"


Item: TypeAlias = "Block | Gap | Bytes"


@dataclass(frozen=True, slots=True)
class Column:
    """One panel: the memory of a side at a moment, or a message. ``note`` is one sentence about it."""

    key: str
    title: str
    note: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """A pointer: from a field of a part (or from a gap) to a part or gap, or to a field inside a part."""

    column: str
    source: str
    field: int | None
    target: str
    target_field: int | None = None
    dangling: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """The book-keeping of one side: allocator calls of this call, and the heap blocks that are left."""

    side: str
    allocated: int
    failed: int
    freed: int
    live: int
    orphaned: int
    leaked: int
    released: int = 0

    def __str__(self) -> str:
        who = "Client: the stub" if self.side == "client" else "Server: stub and routine"
        lost = f", {self.orphaned} orphaned" if self.side == "client" else ""
        then = f"afterwards {counted(self.live, 'block')} live{lost}, {self.leaked} leaked"
        failed = f" ({self.failed} failed)" if self.failed else ""
        released = f", released {self.released} with the environment" if self.released else ""
        return f"{who} allocated {self.allocated}{failed}, freed {self.freed}{released}; {then}."


@dataclass(frozen=True, slots=True)
class Picture:
    """The picture of one call, or of one step of it. ``verdict`` sums it up in one sentence."""

    procedure: str
    signature: str
    status: str
    verdict: str
    columns: tuple[Column, ...]
    arrows: tuple[Arrow, ...]
    counts: tuple[Counts, ...]
    step: str = ""
    active: tuple[str, ...] = ()

    def column(self, key: str) -> Column:
        """Return a column by its key: ``before``, ``request``, ``server``, ``response`` or ``after``."""
        return next(column for column in self.columns if column.key == key)

    @property
    def blocks(self) -> list[Block]:
        """Every block shown, column by column."""
        return [item for column in self.columns for item in column.items if isinstance(item, Block)]

    @property
    def words(self) -> list[str]:
        """The words that occur on blocks and fields, each once."""
        found = [word for block in self.blocks for word in block.words]
        found += ["DANGLING" for arrow in fields(self) if arrow.dangling]
        return list(dict.fromkeys(found))

    @property
    def owners(self) -> list[str]:
        """The keys of the allocators that occur, each once."""
        return list(dict.fromkeys(block.owner for block in self.blocks))


def parts(block: Block) -> list[Part]:
    """Return the parts of a block without the gaps."""
    return [part for part in block.parts if isinstance(part, Part)]


def fields(picture: Picture) -> list[Field]:
    """Return every field shown."""
    return [field for block in picture.blocks for part in parts(block) for field in part.fields]
