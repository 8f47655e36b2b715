"""The message as it is read: a position in its bytes, ids and counts; every one of them is treated as hostile."""

from __future__ import annotations

import struct
from struct import Struct as Codec

from rpcmemkit.errors import RpcError, counted
from rpcmemkit.ndr.storage import NO_SHAPE, Shape
from rpcmemkit.paths import c_text
from rpcmemkit.plan import ArrayPlan, Plan, Planner, StructPlan
from rpcmemkit.plan.compile import UNSIGNED
from rpcmemkit.status import BAD_STUB_DATA, INVALID_BOUND
from rpcmemkit.trace import Path, Run, Span


class MessageCursor:
    """Reads what has no place in memory: padding, referent ids, and the counts in front of arrays."""

    def __init__(self, data: bytes, planner: Planner) -> None:
        self.data = data
        self.planner = planner
        self.position = 0
        self.spans: list[Span | Run] = []
        self._order = "big" if planner.big_endian else "little"
        self._count_size = planner.syntax.count
        self._id_size = planner.syntax.pointer
        code = UNSIGNED[self._count_size]
        self._one_count, self._two_counts, self._three_counts = (
            Codec(planner.order + code * number) for number in (1, 2, 3)
        )

    def align(self, alignment: int) -> None:
        """Go to the next multiple of ``alignment``."""
        self.position += -self.position % alignment

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes. Raises :class:`struct.error` when fewer are left: the message ends too early."""
        data = self.data[self.position : self.position + size]
        if len(data) != size:
            raise struct.error
        self.position += size
        return data

    def _number(self, size: int) -> int:
        return int.from_bytes(self.take(size), self._order)  # type: ignore[arg-type]

    def _id(self) -> int:
        self.align(self._id_size)
        start = self.position
        number = self._number(self._id_size)
        self.spans.append(Span(start, self._id_size, "id", None, None))
        return number

    def _counts(self, codec: Codec, part: str, plan: ArrayPlan, path: Path | None) -> tuple[int, ...]:
        """Read counts that have no memory behind them."""
        start = self.position + -self.position % self._count_size
        counts = codec.unpack_from(self.data, start)
        self.position = start + codec.size
        self.spans.append(Span(start, codec.size, part, plan, path, 1))
        return counts

    def _count(self, plan: ArrayPlan, path: Path | None) -> int:
        (count,) = self._counts(self._one_count, "size", plan, path)
        return self._allowed(plan, count, path)

    def _allowed(self, plan: ArrayPlan, count: int, path: Path | None) -> int:
        """Return a size if its [range] allows it."""
        if plan.type.count_range and not plan.type.count_range[0] <= count <= plan.type.count_range[1]:
            low, high = plan.type.count_range
            raise RpcError(
                INVALID_BOUND, f"{count} is not in {low} … {high}", path=c_text(path), rule="range-checked"
            )
        return count

    # --- the counts in front of a referent ---

    def _shape(self, plan: Plan, path: Path | None) -> Shape:
        """Read the counts in front of a referent."""
        array = plan.tail if isinstance(plan, StructPlan) else plan
        if not isinstance(array, ArrayPlan) or array.body is not None:
            return NO_SHAPE
        if array is plan and array.conformant and array.varying:
            return self._size_and_range(array, path)
        count = self._count(array, path) if array.conformant else array.bound or 0
        if array is plan:
            return self._range(array, count, path)
        self._justify(array, count if not array.varying else 0, path)
        return Shape(count, 0, count)

    def _range(self, plan: ArrayPlan, count: int, path: Path | None) -> Shape:
        """Read the variance of an array whose size is known and check it against that size."""
        first, length = 0, count
        if plan.varying:
            first, length = self._counts(self._two_counts, "range", plan, path)
        return self._bounded(plan, count, first, length, path)

    def _size_and_range(self, plan: ArrayPlan, path: Path | None) -> Shape:
        """Read the size and the variance of an array together: nothing lies between them."""
        step = self._count_size
        start = self.position + -self.position % step
        count, first, length = self._three_counts.unpack_from(self.data, start)
        self.position = start + 3 * step
        self.spans.append(Span(start, step, "size", plan, path, 1))
        self.spans.append(Span(start + step, 2 * step, "range", plan, path, 1))
        return self._bounded(plan, self._allowed(plan, count, path), first, length, path)

    def _bounded(self, plan: ArrayPlan, count: int, first: int, length: int, path: Path | None) -> Shape:
        if first + length > count:
            raise RpcError(
                INVALID_BOUND,
                f"elements {first} to {first + length - 1} of an array of {count}",
                path=c_text(path),
                rule="length-within-size",
            )
        self._justify(plan, length, path)
        if plan.is_string and (first or not length):
            raise self.bad_data("a string starts at its first character and has a terminator", path)
        return Shape(length if plan.measures_itself else count, first, length)

    def _justify(self, plan: ArrayPlan, length: int, path: Path | None) -> None:
        """Refuse elements that the rest of the message cannot hold, before room is made for them."""
        if length * max(plan.wire_last, 1) > len(self.data) - self.position:
            raise self.bad_data(f"{counted(length, 'element')} announced, fewer follow", path)

    def bad_data(self, why: str, path: Path | None) -> RpcError:
        """Return the exception for bytes that do not fit the interface."""
        return RpcError(BAD_STUB_DATA, why, path=c_text(path), rule="bad-data-rejected")
