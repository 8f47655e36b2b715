"""The same work with and without generated code, and all that can be seen of a call."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from rpcmemkit import Audit, Call, RpcError, Session
from rpcmemkit.paths import path_text
from rpcmemkit.plan import Plan
from rpcmemkit.trace import Run
from tests.engine.helpers import idl_text

ASKING = ("ndr.marshal", "ndr.unmarshal", "values", "reader", "walk")
"""The modules that ask whether what a pointer leads to is a plain graph."""


@contextmanager
def value_by_value() -> Iterator[None]:
    """Let there be no plain graphs: everything is left to the careful code."""
    with ExitStack() as stack:
        for module in ASKING:
            stack.enter_context(patch(f"rpcmemkit.{module}.graph_of", lambda pointer: None))
        yield


def seen(session: Session, call: Call) -> dict[str, Any]:
    """Everything that can be seen of a call and of its session."""
    events = [_shown(event) for event in call.trace]
    audit = Audit(call)
    return {
        "outcome": (call.status, repr(call.error)),
        "request": call.request.hex(),
        "response": call.response.hex(),
        "events": events,
        "values": repr(call.values),
        "audit": (repr(audit), audit.orphaned, audit.leaked_names, audit.server_storage),
        "dangling": [str(each) for each in audit.dangling],
        "spans": {
            way: [_shown(span) for span in message.spans] for way, message in call.trace.messages.items()
        },
        "pictures": {
            moment: (bytes(shot.image[:]), list(map(tuple, shot.image.blocks)))
            for moment, shot in call.trace.snapshots.items()
        },
        "labels": call.labels.known(),
        "names": [call.labels.name(event[3]) for event in events if event[0] == "allocate"],
        "memory": [bytes(program.space.data) for program in (session.client, session.server)],
        "blocks": [list(map(tuple, program.space.ledger)) for program in (session.client, session.server)],
        "pages": [list(program.space.ledger.pages) for program in (session.client, session.server)],
    }


def _shown(record: Any) -> Any:
    """A record with types for its plans, which two sessions have not in common."""
    if isinstance(record, tuple) and len(record) == 2 and isinstance(record[0], tuple | None):
        return path_text(record)
    if isinstance(record, tuple):
        return tuple(_shown(each) for each in record)
    if isinstance(record, Plan):
        return repr(record.type)
    return record if isinstance(record, int | str | None) else repr(record)


def moved_whole(call: Call) -> int:
    """How many plain graphs moved, or were freed, in one go."""
    return sum(isinstance(entry, Run) for entry in call.trace.raw)


def assert_same(told: dict[str, Any], carefully: dict[str, Any]) -> None:
    """Two calls were the same in everything; what differs is named."""
    assert [key for key in told if told[key] != carefully[key]] == []


# --- plain graphs -------------------------------------------------------------------------------

BASES = ("small", "short", "long", "hyper", "char", "boolean", "unsigned short", "wchar_t", "byte")
LONGEST = {"small": 127, "byte": 255, "boolean": 1}
EN = "typedef enum { A = 1, B = 7 } en;\ntypedef [range(0, 9)] long few;\n"
SHAPES = (
    "[in] s0 *a",
    "[in] s0 **a",
    "[out] s0 **a",
    "[in, out] s0 *a",
    "[in, out, unique] s0 *a",
    "[in, out] s0 **a",
    "[in] long n, [in, size_is(n)] s0 *a",
)
Member = tuple[str, str, str]  # its name, its kind, what it is about


class Plain:
    """An interface whose types form plain graphs, and values for it."""

    def __init__(self, draw: Callable[[st.SearchStrategy[Any]], Any]) -> None:
        self.draw = draw
        self.structs = [f"s{number}" for number in range(draw(st.integers(1, 3)))]
        self.members = {name: self._members(name) for name in self.structs}
        self.shape = draw(st.sampled_from(SHAPES))
        ahead = "".join(f"struct {name};\n" for name in self.structs)
        bodies = "".join(self._declared(name) for name in self.structs)
        self.body = f"{EN}{ahead}{bodies}void f({self.shape});"
        self.idl = idl_text(self.body)

    def _members(self, owner: str) -> list[Member]:
        kinds = st.sampled_from(
            ("base", "enum", "few", "to", "to", "levels", "text", "wide", "array", "rows", "in")
        )
        before = self.structs[: self.structs.index(owner)]
        found: list[Member] = []
        for number, kind in enumerate(self.draw(st.lists(kinds, min_size=1, max_size=5))):
            if kind == "in" and not before:
                kind = "to"
            choice = {"base": BASES, "array": ("short", "hyper", "byte"), "in": before}.get(
                kind, self.structs
            )
            found.append((f"m{number}", kind, self.draw(st.sampled_from(choice))))
        return found

    def _declared(self, name: str) -> str:
        form = {
            "base": "{1} {0};",
            "enum": "en {0};",
            "few": "few {0};",
            "to": "[unique] struct {1} *{0};",
            "levels": "[unique] struct {1} **{0};",
            "text": "[string] char *{0};",
            "wide": "[string] wchar_t *{0};",
            "array": "[size_is(n)] {1} *{0};",
            "rows": "[size_is(n)] struct {1} *{0};",
            "in": "struct {1} {0};",
        }
        members = " ".join(form[kind].format(member, of) for member, kind, of in self.members[name])
        return f"typedef struct {name} {{ long n; {members} }} {name};\n"

    def value(self, name: str, depth: int) -> dict[str, Any]:
        count = self.draw(st.integers(0, 3))
        return {"n": count} | {m: self._member(k, of, count, depth) for m, k, of in self.members[name]}

    def _member(self, kind: str, of: str, count: int, depth: int) -> Any:
        draw = self.draw
        ends = depth <= 0 or draw(st.integers(0, 9)) < 3
        match kind:
            case "base":
                if of in ("char", "wchar_t"):
                    return draw(st.sampled_from("xyz"))
                return (
                    draw(st.booleans()) if of == "boolean" else draw(st.integers(0, LONGEST.get(of, 30000)))
                )
            case "enum":
                return draw(st.sampled_from(("A", "B", 1, 40000)))
            case "few":
                return draw(st.sampled_from((0, 1, 2, 3, 9, 10)))
            case "to" | "levels":
                return None if ends else self.value(of, depth - 1)
            case "text" | "wide":
                return draw(st.sampled_from((None, "", "ab", "abcdefgh", "hällo")))
            case "array":
                return None if ends else [draw(st.integers(0, 99)) for _ in range(count)]
            case "rows":
                return None if ends else [self.value(of, depth - 1) for _ in range(count)]
        return self.value(of, depth)

    def arguments(self) -> dict[str, Any]:
        if "long n" in self.shape:
            return {"n": 2, "a": [self.value("s0", 2) for _ in range(2)]}
        return {} if self.shape.startswith("[out]") else {"a": self.value("s0", 3)}


@st.composite
def plain(draw: Any) -> tuple[Plain, dict[str, Any], dict[str, Any]]:
    """An interface, the arguments of a call, and what its routine makes."""
    made = Plain(draw)
    return made, made.arguments(), made.value("s0", 2)


def damages(valid: bytes, seed: int) -> Iterator[bytes]:
    """A few messages that are no longer what they were."""
    chance = random.Random(seed)
    for _ in range(6):
        at = chance.randrange(len(valid) + 1) if valid else 0
        yield valid[:at]
        at -= at % 4
        yield (
            valid[:at] + chance.choice((0, 1, 3, 1 << 16, 0xFFFFFFFF)).to_bytes(4, "little") + valid[at + 4 :]
        )


def fails_with(session: Session, request: bytes) -> tuple[Any, ...]:
    """What the server stub makes of a request, of any bytes."""
    reply = session.server_stub.dispatch(session.interface.procedures["f"].opnum, request)
    return reply.status, reply.data.hex(), [_shown(event) for event in session.server.trace]


def comes_back(session: Session, arguments: dict[str, Any], response: bytes) -> dict[str, Any]:
    """What the client makes of a response, of any bytes."""
    session.client_stub.transport = lambda number, request: (0, response)
    call = session.try_call("f", arguments)
    assert call.error is None or isinstance(call.error, RpcError)
    return seen(session, call)
