"""Prints one line for every construct: its messages, events and addresses. Two runs must print the same."""

from __future__ import annotations

from rpcmemkit import Audit
from tests.engine.constructs import CONSTRUCTS
from tests.engine.helpers import run


def fingerprint(name: str) -> str:
    construct = CONSTRUCTS[name]
    call = run(construct.body, construct.arguments, construct.routine)
    audit = Audit(call)
    events = [(*event[:6], event.detail if isinstance(event.detail, str) else None) for event in call.trace]
    facts = (
        call.request.hex(),
        call.response.hex(),
        events,
        call.values,
        audit.server_storage,
        call.labels.known(),
        audit.orphaned,
    )
    return f"{name}: {facts!r}"


if __name__ == "__main__":
    for each in CONSTRUCTS:
        print(fingerprint(each))
