"""The bytes of a message as lines of a picture. What they mean is decided in :mod:`rpcmemkit.annotate`, not here."""

from __future__ import annotations

from itertools import islice

from rpcmemkit.annotate import Direction, Row, RowKind, rows
from rpcmemkit.call import Call
from rpcmemkit.draw.model import Bytes, Gap
from rpcmemkit.kinds import EventKind

LOOKS = {
    RowKind.REFERENT_ID: ("pointer", ""),
    RowKind.MAXIMUM_COUNT: ("count", "room for "),
    RowKind.ACTUAL_COUNT: ("count", "sent: "),
    RowKind.OFFSET: ("count", "first: "),
    RowKind.DISCRIMINANT: ("count", "case "),
    RowKind.ATTRIBUTES: ("pointer", "attributes"),
    RowKind.UUID: ("pointer", "UUID "),
    RowKind.PADDING: ("gap", ""),
}
"""How the kinds of rows are painted, and told in short."""


def message(call: Call, direction: Direction, limit: int) -> tuple[Bytes | Gap, ...]:
    """Return the bytes of a message in order, at most ``limit`` lines; what follows is a count of bytes."""
    found = list(islice(rows(call, direction), limit + 1))
    if len(found) <= limit:
        return tuple(map(_bytes, found))
    rest = len(call.trace.messages[direction].data) - found[limit - 1].offset
    return (*map(_bytes, found[: limit - 1]), Gap(f"{direction}-gap", rest, "bytes"))


def _bytes(row: Row) -> Bytes:
    """Return a row with its meaning in short; ``meaning`` keeps the full one."""
    kind, word = LOOKS.get(row.kind, ("value", ""))
    if kind == "pointer" and row.value:
        word = f"id {row.value:#x}"
    brief = word if kind == "pointer" and row.value else word + row.shown
    return Bytes(row.offset, row.data, str(row), row.path if brief else "", brief or row.what, kind)


def why_missing(call: Call, direction: Direction) -> str:
    """Say why a call has no request or no response."""
    if direction == "request" or "request" not in call.trace.messages:
        return "the client stub raised an exception before it sent anything"
    if any(call.trace.select(EventKind.DISCONNECT)):
        return "the client went away during the call, so none reaches it"
    status = call.stored.code if call.stored else call.status
    return f"the server answered with a fault, status {status}, and no data"
