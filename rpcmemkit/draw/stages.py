"""A call told in steps: for each the picture as far as it has come, and a sentence or two.

The labels are the same in the stepper, in its pictures and in the reading of all steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rpcmemkit.annotate import Direction
from rpcmemkit.audit import stored_ending
from rpcmemkit.call import Call
from rpcmemkit.draw.build import LIMIT, Builder, code_text, signature
from rpcmemkit.draw.model import Block, Column, Part, Picture
from rpcmemkit.draw.panel import Panel, with_changes
from rpcmemkit.draw.storage import AFTER, BEFORE, ENTRY, EXIT, KEPT, LEAKED, NEW, ORPHANED, STOP, Moment
from rpcmemkit.errors import counted
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.program import DISABLING
from rpcmemkit.trace import Event, Fault

LABELS = {
    "before": "Client before",
    "marshal": "The client stub marshals the request",
    "unmarshal": "The server stub unmarshals",
    "routine": "The routine runs",
    "answer": "The server stub marshals the response",
    "clean": "The server stub cleans up",
    "after": "The client stub unmarshals: client after",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its label, what is said about it, the rules at work in it, and its picture."""

    number: int
    label: str
    text: str
    details: tuple[str, ...]
    picture: Picture


def steps(call: Call, *, limit: int = LIMIT) -> list[Step]:
    """Return the steps that a call came to, with pictures that share one grid of blocks."""
    return list(_Telling(call, limit).steps())


class _Telling:
    """Walks through a call and keeps the columns that are known so far."""

    def __init__(self, call: Call, limit: int) -> None:
        self.call = call
        self.builder = Builder(call, limit)
        self.panels: dict[str, Panel] = {}
        self.messages: dict[str, Column] = {}
        self.count = 0

    def steps(self) -> Iterator[Step]:
        """Yield the steps in order."""
        snapshots, messages = self.call.trace.snapshots, self.call.trace.messages
        yield self._memory("before", "before", BEFORE, self._before())
        if "request" in messages:
            yield self._message("marshal", "request")
            yield self._unmarshal()
        if "server entry" in snapshots:
            moment = EXIT if "server exit" in snapshots else STOP if "server stop" in snapshots else ENTRY
            yield self._memory("routine", "server", moment, self._routine())
        if "response" in messages:
            yield self._message("answer", "response")
        elif fault := self.builder.client.audit.reply_fault:
            self.messages["response"] = self.builder.message("response")
            kind, why = fault.of(Fault)
            yield self._step("answer", "response", f"It meets a fault ({kind}): {why}. No response is sent.")
        if "server after" in snapshots:
            yield self._memory("clean", "server", self.builder.server.cleaned, self._clean())
        yield self._after()

    def _memory(self, name: str, key: str, moment: Moment, text: str) -> Step:
        self.panels[key] = self.builder.memory(key, moment)
        return self._step(name, key, text)

    def _message(self, name: str, direction: Direction) -> Step:
        column = self.messages[direction] = self.builder.message(direction)
        ways = "[in]" if direction == "request" else "[out]"
        text = f"What the {ways} parameters reach is copied: {column.note}. Pointers travel as referent ids, never as addresses."
        return self._step(name, direction, text)

    def _step(self, name: str, key: str, text: str, details: tuple[str, ...] = ()) -> Step:
        self.count += 1
        label = LABELS[name]
        picture = self.builder.assemble(
            list(self.panels.values()), list(self.messages.values()), f"Step {self.count}: {label}", (key,)
        )
        return Step(self.count, label, text, details, picture)

    # --- what is said ---

    def _before(self) -> str:
        blocks = [
            s for s in self.builder.client.storages.values() if self.builder.client.exists(s, BEFORE.at)
        ]
        heap = counted(sum(storage.block.kind is not BlockKind.STACK for storage in blocks), "block")
        return f"The application calls {signature(self.call)}. It has allocated {heap} for it."

    def _unmarshal(self) -> Step:
        if "server entry" not in self.call.trace.snapshots:
            self.panels["server"] = self.builder.memory("server", self.builder.server.served)
            return self._step("unmarshal", "server", f"It raises an exception: {self._status()}.")
        self.panels["server"] = self.builder.memory("server", ENTRY)
        early = [
            e
            for e in self.call.trace.between(stop=self.call.trace.snapshots["server entry"].event)
            if e.side == "server"
        ]
        reused = sum(event.kind == EventKind.REUSE for event in early)
        made = sum(event.kind == EventKind.ALLOCATE for event in early)
        kept = sum(event.kind == EventKind.STACK for event in early)
        own = f", keeps {kept} in its own memory" if kept else ""
        text = f"It leaves {counted(reused, 'referent')} in the receive buffer{own} and allocates {counted(made, 'block')}."
        return self._step("unmarshal", "server", text, tuple(_rules(self.panels["server"].column)))

    def _routine(self) -> str:
        done = [
            e.kind
            for e in self.call.trace
            if e.side == "server" and e.actor == "routine" and e.kind != EventKind.FAULT
        ]
        counts = [counted(done.count(kind), what) for kind, what in _DEEDS.items() if kind in done]
        told = f"It does {', '.join(counts)}." if counts else "It changes nothing."
        if "server exit" in self.call.trace.snapshots:
            return told
        if faults := self.builder.server.faults_at(STOP):
            kind, why = faults[-1].of(Fault)
            return f"{told} Then it meets a fault ({kind}): {why}."
        return f"{told} Then it raises {self._status()}."

    def _clean(self) -> str:
        server = self.builder.server
        words = [word for s in server.storages.values() for word in server.words(s, server.cleaned)]
        freed = [
            event.detail for event in self.call.trace.select(EventKind.FREE, side="server", actor="stub")
        ]
        released = sum(function in DISABLING for function in freed)
        gone = f"releases the environment with {counted(released, 'block')}" if released else ""
        one_by_one = (
            f"frees {counted(len(freed) - released, 'block')}" if len(freed) > released or not gone else ""
        )
        left = [f"{counted(words.count(word), 'block')} {word}" for word in (KEPT, LEAKED) if word in words]
        done = " and ".join(filter(None, (one_by_one, gone)))
        return f"It {done}; {', '.join(left) or 'nothing is left'}.{_met(server.clean_up_faults)}"

    def _after(self) -> Step:
        after = self.builder.memory("after", AFTER)
        after.column = with_changes(self.panels["before"].column, after.column)
        self.panels["after"] = after
        client = self.builder.client
        words = [word for s in client.storages.values() for word in client.words(s, AFTER)]
        found = [
            f"{counted(words.count(word), 'block')} {word}"
            for word in (NEW, ORPHANED, LEAKED)
            if word in words
        ]
        if self.call.status and _changes(after.column):
            found.append("what was written before that stays")
        return self._step("after", "after", self._result(", ".join(found)) + _met(client.faults_at(AFTER)))

    def _result(self, found: str) -> str:
        if stored := stored_ending(self.call):
            return f"{stored} Of the blocks: {found or 'none is new, none is lost'}."
        if self.call.status:
            return f"The call raises {self._status()}: {found or 'the memory is as it was'}."
        return f"What came back is written over the client's own storage: {found or 'no block is new, none is lost'}."

    def _status(self) -> str:
        """Return the status that the server or the stub raised, also where it became a value."""
        return code_text(self.call.stored.code if self.call.stored else self.call.status)


_DEEDS = {
    EventKind.WRITE: "write",
    EventKind.READ: "read",
    EventKind.ALLOCATE: "allocation",
    EventKind.FREE: "free",
}


_PLACES = {"buffer": "in the receive buffer", "frame": "in the stub's own memory"}


def _met(faults: list[Event]) -> str:
    """Say how many faults a stub meets, and what the first one is."""
    return f" It meets {counted(len(faults), 'fault')}: {faults[0].of(Fault).why}." if faults else ""


def _rules(column: Column) -> Iterator[str]:
    """Say of every referent where it lives and by which rule."""
    for block in _blocks(column):
        where = _PLACES.get(block.owner, f"in a block of its own at {block.address:#x}")
        for part in block.parts:
            if isinstance(part, Part) and part.rule:
                yield f"{part.label}: {where}, rule {part.rule}"


def _changes(column: Column) -> bool:
    """Tell whether a field has another value than before the call."""
    fields = (f for block in _blocks(column) for p in block.parts if isinstance(p, Part) for f in p.fields)
    return any(field.was for field in fields)


def _blocks(column: Column) -> list[Block]:
    return [item for item in column.items if isinstance(item, Block)]
