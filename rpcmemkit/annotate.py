"""The bytes of a message, explained field by field: what they are, which part of which argument, and their value.

The sending stub notes in the trace which bytes it wrote from which plan; that is all this module reads. Every byte of
the message is in exactly one row.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, NamedTuple

from rpcmemkit.call import Call
from rpcmemkit.kinds import EventKind, Kind
from rpcmemkit.paths import c_text
from rpcmemkit.plan import ArrayPlan, BasePlan, Body, PipePlan, Plan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.trace import Part, Path, Span
from rpcmemkit.types import Array, Base, EnumType

Direction = Literal["request", "response"]
SENDER = {"request": "client", "response": "server"}

HEAD, TAIL = 8, 1
"""Of a longer run of elements, so many are shown at its start and at its end."""


class RowKind(Kind):
    """What some bytes of a message are for."""

    VALUE = "value"
    REFERENT_ID = "referent id"
    MAXIMUM_COUNT = "maximum count"
    ACTUAL_COUNT = "actual count"
    OFFSET = "offset"
    DISCRIMINANT = "discriminant"
    ATTRIBUTES = "attributes"
    """Of a context handle, as the next."""
    UUID = "UUID"
    PADDING = "padding"


class Row(NamedTuple):
    """Some bytes of a message.

    ``what`` says in words what they are, ``value`` what they stand for as plain data, ``shown`` the same as text.
    ``path`` names the part of the argument that they belong to, as scenario files write it.
    """

    offset: int
    data: bytes
    what: str
    path: str = ""
    value: Any = None
    shown: str = ""
    kind: RowKind = RowKind.VALUE

    def __str__(self) -> str:
        return f"{self.what} = {self.shown}" if self.shown else self.what


def annotate(call: Call, direction: Direction) -> list[Row]:
    """Return the rows of a message, in the order of its bytes; of a message that was never sent, none."""
    return list(rows(call, direction))


def rows(call: Call, direction: Direction) -> Iterator[Row]:
    """As :func:`annotate`, one row at a time: a message of a million nodes has millions of them."""
    message = call.trace.messages.get(direction)
    if message is None:
        return
    annotator = _Annotator(message.data)
    at = 0
    for span in _spans(call, direction):
        if span.offset > at:
            yield annotator.gap(at, span.offset)
        yield from annotator.explain(span)
        at = max(at, span.offset + span.size)
    if at < len(message.data):
        yield annotator.gap(at, len(message.data))


def _spans(call: Call, direction: Direction) -> Iterator[Span]:
    """Return what the sender wrote, by offset: the values in its trace, and the counts noted beside the message."""
    written = (event.of(Span) for event in call.trace.select(EventKind.MARSHAL, side=SENDER[direction]))
    counts = [span for span in call.trace.messages[direction].spans if span.part != "id"]
    return (span for span in heapq.merge(written, counts, key=lambda span: span.offset) if span.size)


class _Annotator:
    """Explains the spans of one message, in order."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.seen: set[int] = set()
        self.pieces: dict[tuple[int, int], int] = {}

    def gap(self, start: int, end: int) -> Row:
        """Return the row of bytes that nobody wrote a value to."""
        data = self.data[start:end]
        if any(data):
            return Row(start, data, "a part that the receiver did not read")
        return Row(start, data, "padding", kind=RowKind.PADDING)

    def explain(self, span: Span) -> Iterator[Row]:
        """Yield the rows of one span."""
        match span.part:
            case "size":
                yield self._number(span, 0, span.size, RowKind.MAXIMUM_COUNT)
            case "range":
                half = span.size // 2
                yield self._number(span, 0, half, RowKind.OFFSET)
                yield self._number(span, half, half, RowKind.ACTUAL_COUNT)
            case "tag":
                yield self._tag(span)
            case "elements":
                yield from self._elements(span, span.path, 0)
            case "nulls":
                assert span.path is not None
                array, first = span.path
                yield from self._elements(span, array, int(first[1:-1]))
            case "context":
                yield from self._context(span)
            case "chunk":
                yield self._chunk(span)
            case "prefix" | "bytes":
                path, routine = c_text(span.path), f"{span.plan.type.name}_UserMarshal"
                marker, written = f"marker for what {routine} writes of", f"bytes that {routine} wrote for"
                what = marker if span.part == "prefix" else written
                yield Row(span.offset, self._bytes(span.offset, span.size), f"{what} {path}", path)
            case _:
                yield from self._body(self._body_of(span), span.offset, span.path)

    def _number(self, span: Span, start: int, size: int, kind: RowKind) -> Row:
        data = self._bytes(span.offset + start, size)
        number = _integer(data, span.plan.order)
        path = c_text(span.path)
        return Row(span.offset + start, data, f"{kind} of {path}", path, number, str(number), kind)

    def _chunk(self, span: Span) -> Row:
        """Return the row of a pipe's count: positive in front of a chunk, in NDR64 negated behind it."""
        data, path = self._bytes(span.offset, span.size), c_text(span.path)
        number = _integer(data, span.plan.elements.order, signed=True)
        what = (
            "elements of a chunk of" if number > 0 else "negated elements of" if number else "end of the pipe"
        )
        return Row(span.offset, data, f"{what} {path}", path, number, str(number))

    def _tag(self, span: Span) -> Row:
        assert isinstance(span.plan, UnionPlan)
        tag, path = span.plan.tag, c_text(span.path)
        data = self._bytes(span.offset, span.size)
        value, shown = _scalar(tag, data, _order(tag))
        return Row(span.offset, data, f"discriminant of {path}", path, value, shown, RowKind.DISCRIMINANT)

    def _context(self, span: Span) -> Iterator[Row]:
        """Yield the two rows of a context handle's token."""
        path, middle = c_text(span.path), span.offset + 4
        first, uuid = self._bytes(span.offset, 4), self._bytes(middle, span.size - 4)
        null, handle = "" if any(uuid) else "null", f"of the context handle {path}"
        yield Row(span.offset, first, f"attributes {handle}", kind=RowKind.ATTRIBUTES)
        yield Row(middle, uuid, f"UUID {handle}", path, None, null, RowKind.UUID)

    def _bytes(self, start: int, size: int) -> bytes:
        return self.data[start : start + size]

    # --- bodies ---

    def _body_of(self, span: Span) -> Body:
        """Return the body that a span was written from; of a structure in pieces, the next one of this structure."""
        if span.plan.body is not None:
            return span.plan.body  # type: ignore[no-any-return]
        assert isinstance(span.plan, StructPlan)
        bodies = [body for _, body, _, _ in span.plan.pieces if body is not None]
        key = (id(span.plan), id(span.path))
        number = self.pieces.get(key, 0)
        self.pieces[key] = number + 1
        return bodies[number % len(bodies)]

    def _body(self, body: Body, start: int, path: Path | None) -> Iterator[Row]:
        at, end, order = start, start + body.wire.size, _order_of(body)
        for field in body.fields:
            if start + field.wire_offset > at:
                yield self.gap(at, start + field.wire_offset)
            at = start + field.wire_offset
            here = (path, Part(field.name, field.plan)) if field.name else path
            if isinstance(field.plan, PointerPlan):
                yield self._id(field.plan, at, c_text(here), order)
            elif field.count > 1:
                size = field.wire_size // field.count
                yield from self._run(field.plan, at, field.count, size, here, order)
            else:
                yield self._value(field.plan, at, c_text(here), order)
            at += field.wire_size
        if at < end:
            yield self.gap(at, end)

    def _value(self, plan: BasePlan, at: int, name: str, order: str) -> Row:
        data = self._bytes(at, plan.wire_size)
        value, shown = _scalar(plan, data, order)
        return Row(at, data, f"{name} ({type_name(plan)})", name, value, shown)

    def _id(self, plan: PointerPlan, at: int, path: str, order: str) -> Row:
        data = self._bytes(at, plan.wire_size)
        number = _integer(data, order)
        shown = self._id_meaning(plan, number)
        return Row(at, data, f"referent id of {path}", path, number, shown, RowKind.REFERENT_ID)

    def _id_meaning(self, plan: PointerPlan, number: int) -> str:
        if plan.is_ref:
            return f"{number:#010x} (ref: only a placeholder)"
        if not number:
            return "null"
        if not plan.is_full:
            return f"{number:#010x} (unique)"
        again = number in self.seen
        self.seen.add(number)
        return f"{number} (full: the storage that was sent before)" if again else f"{number} (full)"

    # --- runs of elements ---

    def _elements(self, span: Span, path: Path | None, first: int) -> Iterator[Row]:
        """Yield the rows of a run of elements, the ``first`` one of the array's and those behind it."""
        plan = span.plan
        body = plan.element.body
        if isinstance(plan.element, BasePlan):
            yield from self._run(
                plan.element, span.offset, span.count, plan.wire_stride, path, _order_of(body), plan
            )
            return

        def element(index: int, at: int) -> Iterator[Row]:
            yield from self._body(body, at, (path, f"[{first + index}]"))
            gap = min(at + plan.wire_stride, span.offset + span.size)
            if at + body.wire.size < gap:
                yield self.gap(at + body.wire.size, gap)

        yield from self._cut(span.offset, span.count, plan.wire_stride, span.size, path, element, first)

    def _run(
        self,
        plan: BasePlan,
        at: int,
        count: int,
        size: int,
        path: Path | None,
        order: str,
        array: ArrayPlan | None = None,
    ) -> Iterator[Row]:
        """Yield the rows of base values; characters and bytes are one row."""
        base = plan.type
        if isinstance(base, Base) and (base.text or base.name == "byte"):
            data = self._bytes(at, count * size)
            shown = _text(data, size, order) if base.text else data.hex()
            name, value = c_text(path), shown if base.text else data
            yield Row(at, data, f"{name} ({base.name}[{count}])", name, value, shown)
            return

        def element(index: int, start: int) -> Iterator[Row]:
            yield self._value(plan, start, c_text((path, f"[{index}]")), order)

        yield from self._cut(at, count, size, count * size, path, element)

    def _cut(
        self,
        start: int,
        count: int,
        stride: int,
        size: int,
        path: Path | None,
        element: Callable[[int, int], Iterator[Row]],
        begin: int = 0,
    ) -> Iterator[Row]:
        """Yield the rows of the first elements and of the last; those between are one row together."""
        short = count <= HEAD + TAIL + 1
        head = count if short else HEAD
        for index in range(head):
            yield from element(index, start + index * stride)
        if short:
            return
        left_out = count - HEAD - TAIL
        at, end = start + HEAD * stride, start + (count - TAIL) * stride
        first, last = c_text((path, f"[{begin + HEAD}]")), f"[{begin + count - TAIL - 1}]"
        yield Row(at, self._bytes(at, end - at), f"… {left_out:,} more, {first} to {last}", c_text(path))
        for index in range(count - TAIL, count):
            yield from element(index, start + index * stride)


# --- values -----------------------------------------------------------------------------------


def _integer(data: bytes, order: str, *, signed: bool = False) -> int:
    return int.from_bytes(data, "big" if order == ">" else "little", signed=signed)


def _order_of(body: Body) -> str:
    return body.wire.format[0]


def _order(plan: BasePlan) -> str:
    assert plan.body is not None
    return _order_of(plan.body)


def _scalar(plan: BasePlan, data: bytes, order: str) -> tuple[Any, str]:
    """Return a value as data and as text."""
    base = plan.type
    code = base.code if isinstance(base, Base) and base.code in "fd" else plan.wire_code
    number = struct.unpack(order + code, data)[0]
    if isinstance(base, EnumType):
        label = next((name for name, value in base.labels.items() if value == number), "")
        return number, f"{number} ({label})" if label else str(number)
    if base.code == "?":
        return bool(number), ("true" if number else "false") + (f" ({number})" if number > 1 else "")
    if base.text:
        return chr(number), quoted(chr(number))
    return number, str(number)


def _text(data: bytes, width: int, order: str) -> str:
    encoding = "latin-1" if width == 1 else "utf-16-be" if order == ">" else "utf-16-le"
    return quoted(data.decode(encoding, "replace"))


def quoted(text: str, mark: str = '"') -> str:
    """Return text between two of ``mark``, with what cannot be seen escaped as in C."""
    shown = "".join(c if c.isprintable() and c not in (mark, "\\") else _escaped(c) for c in text)
    return f"{mark}{shown}{mark}"


def _escaped(character: str) -> str:
    if character in "'\"\\":
        return "\\" + character
    code = ord(character)
    return "\\0" if not code else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def type_name(plan: Plan) -> str:
    """Return the name of a type as its declaration has it, or close to it."""
    if isinstance(plan, PointerPlan):
        inner = plan.target
        return f"{type_name(inner)} *"
    if isinstance(plan, ArrayPlan):
        assert isinstance(plan.type, Array)
        return f"{type_name(plan.element)}[{'' if plan.bound is None else plan.bound}]"
    if isinstance(plan, PipePlan):
        return f"pipe of {type_name(plan.elements.element)}"
    name = getattr(plan.type, "name", "") or getattr(getattr(plan.type, "union", None), "name", "")
    return str(name) or {StructPlan: "struct", UnionPlan: "union"}.get(type(plan), "enum")


def bytes_text(data: bytes, limit: int = 8) -> str:
    """Return bytes in hexadecimal, with the number of those left out."""
    if len(data) <= limit:
        return data.hex(" ")
    return f"{data[: limit - 2].hex(' ')} … ({len(data):,} bytes)"


def as_text(found: Iterable[Row]) -> str:
    """Return rows as a table in plain text."""
    return "\n".join(f"{row.offset:>6}  {bytes_text(row.data):<24}  {row}" for row in found)
