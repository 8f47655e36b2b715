"""What unmarshalling asks of a stub: where each referent goes, and which storage it had before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from rpcmemkit.ledger import Row
from rpcmemkit.plan import PointerPlan
from rpcmemkit.trace import Path, Raw, Trace

if TYPE_CHECKING:
    from rpcmemkit.ndr.unmarshal import Unmarshaller
    from rpcmemkit.plan.generated import Graph


class Waiting(NamedTuple):
    """A pointer whose referent has yet to be read.

    ``slot`` is where the pointer lies in memory, ``number`` its referent id, ``existing`` what the pointer held before
    the message arrived (0 where that means nothing), ``limit`` the elements that its storage had room for.
    ``replaced``: what it held has been freed, because it is an object pointer.
    """

    slot: int
    number: int
    existing: int
    plan: PointerPlan
    scope: int
    path: Path | None
    limit: int | None
    replaced: bool = False


Found: TypeAlias = "list[Waiting]"


class Shape(NamedTuple):
    """The counts that precede a referent: its size in elements, and the range sent of a varying array."""

    size: int = 0
    first: int = 0
    length: int = 0


NO_SHAPE = Shape()
IN_PLACE = -1  # instead of a slot: no pointer waits for the referent, which has its storage already


class Storage(Protocol):
    """Where a stub puts what it unmarshals: the client stub and the server stub each have one."""

    keeps_pointers: bool
    """Whether memory held pointers before the message came that have to be honoured (the client's)."""

    rules: tuple[str, str]
    """The rules for writing over existing storage and for filling new storage."""

    def place(self, waiting: Waiting, size: int, position: int, shape: Shape) -> tuple[int, bool]:
        """Return the address for a referent of ``size`` bytes found at ``position``, and whether it is new storage."""

    def below(self, waiting: Waiting, reader: Unmarshaller) -> Storage:
        """Return the storage for everything from a pointer downwards that a memory attribute governs."""


class RowAllocator(Protocol):
    """Allocates many blocks at once."""

    def allocate_row(self, data: bytes | bytearray, sizes: Sequence[int]) -> Row | None:
        """Return new blocks that hold ``data``, or ``None`` if they have to be allocated one by one."""

    def note_row(self, addresses: Row) -> None:
        """Count such blocks: they stay."""


class RowStorage(Storage, Protocol):
    """A storage that can take a plain graph in one go."""

    buffer: int
    """Where the message lies in memory, if referents may stay in it."""

    allocator: RowAllocator

    def whole(self, graph: Graph, waiting: Waiting) -> tuple[str, ...] | None:
        """Return where each node of a plain graph goes, into new blocks or the buffer, or ``None``: one by one."""

    def like(self, graph: Graph, waiting: Waiting) -> Raw | None:
        """Return the event of an allocation; ``None`` if they differ in more than address and size."""

    def lie_in_buffer(
        self, addresses: list[int], sizes: list[int], paths: Callable[[], Sequence[Path | None]]
    ) -> None:
        """Note what stays in the buffer."""

    def again(self, addresses: Sequence[int], trace: Trace) -> Storage:
        """Return a storage that puts referents where they were put the first time."""
