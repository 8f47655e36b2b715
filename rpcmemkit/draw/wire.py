"""The octets of a message as rows of a picture; what they mean is decided elsewhere, where the trace is annotated."""

from __future__ import annotations

from rpcmemkit.call import Call
from rpcmemkit.draw.model import Octets
from rpcmemkit.trace import path_text

KINDS = {"id": "pointer", "size": "count", "range": "count", "tag": "count"}


def octets(call: Call, direction: str) -> list[Octets]:
    """Return the octets of ``request`` or ``response`` in order."""
    message = call.trace.messages.get(direction)
    if message is None:
        return []
    rows, at = [], 0
    for span in sorted(message.spans, key=lambda s: s[0]):
        if span[0] > at:
            rows.append(Octets(at, message.data[at : span[0]], "?", "gap"))
        rows.append(Octets(span[0], message.data[span[0] : span[0] + span[1]], f"{span[2]} {path_text(span[4])}", KINDS.get(span[2], "value")))
        at = span[0] + span[1]
    return rows


def why_missing(call: Call, direction: str) -> str:
    """Say why a call has no request or no response."""
    if direction == "request" or "request" not in call.trace.messages:
        return "the client stub raised an exception before it sent anything"
    return f"the server sent a fault with status {call.status} instead"
