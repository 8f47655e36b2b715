"""From a call to its picture: which blocks are shown, with which fields, and where their pointers lead."""

from __future__ import annotations

from collections.abc import Sequence

from rpcmemkit.annotate import Direction
from rpcmemkit.call import Call
from rpcmemkit.draw import wire
from rpcmemkit.draw.model import TITLES, Column, Counts, Picture
from rpcmemkit.draw.panel import Panel, choose, number, with_changes
from rpcmemkit.draw.storage import Client, Server, Side
from rpcmemkit.memory import HEAPS
from rpcmemkit.status import status_name

LIMIT = 12

def picture(call: Call, *, limit: int = LIMIT) -> Picture:
    """Return the picture of a whole call, with at most ``limit`` blocks in each column."""
    return Builder(call, limit).whole()


class Builder:
    """Makes the pictures of one call; its two sides are walked once for all of them."""

    def __init__(self, call: Call, limit: int = LIMIT) -> None:
        self.call = call
        self.limit = max(limit, 2)
        self.client, self.server = Client(call), Server(call)
        self._shown = {side: self._choose(side, moment) for side, moment in self._last_moments()}

    def _last_moments(self) -> list[tuple[Side, str]]:
        moment = next((m for m in ("server exit", "server after") if m in self.server.spaces), "")
        return [(self.client, "client after"), (self.server, moment)]

    def _choose(self, side: Side, moment: str) -> set[int]:
        storages = list(side.storages.values())
        loud = (i for i, storage in enumerate(storages) if any(w.isupper() for w in side.words(storage, moment)))
        return {storages[i].block.address for i in choose(len(storages), self.limit, loud)}

    # --- pictures ---

    def whole(self) -> Picture:
        """The picture of the whole call."""
        moment = "server exit" if "server exit" in self.server.spaces else self.last_server_moment
        before, after = self.memory("before", "client before"), self.memory("after", "client after")
        after.column = with_changes(before.column, after.column)
        messages = [self.message("request"), self.message("response")]
        return self.assemble([before, self.memory("server", moment), after], messages)

    @property
    def last_server_moment(self) -> str:
        """The last moment at which the server's memory is known, or an empty string."""
        return list(self.server.spaces)[-1] if self.server.spaces else ""

    def assemble(
        self, panels: Sequence[Panel], messages: Sequence[Column], step: str = "", active: tuple[str, ...] = ()
    ) -> Picture:
        """Put columns together in their order; those that are missing are empty."""
        columns = {panel.column.key: panel.column for panel in panels} | {column.key: column for column in messages}
        arrows = {panel.column.key: panel.arrows for panel in panels}
        return Picture(
            self.call.procedure.name,
            signature(self.call),
            status_text(self.call),
            self.verdict(),
            tuple(columns.get(key) or Column(key, title, "") for key, title in TITLES.items()),
            tuple(arrow for key in TITLES for arrow in arrows.get(key, ())),
            (self.counts(self.client), self.counts(self.server)),
            step,
            active,
        )

    def memory(self, key: str, moment: str, fates: str = "") -> Panel:
        """Return the panel of a side's memory at a moment; ``fates`` is the moment of the words on it, if later."""
        side = self.client if moment.startswith("client") else self.server
        return Panel(side, key, moment, fates or moment, self._shown[side], self.limit)

    def message(self, direction: Direction) -> Column:
        """Return the column of a message, or one that says why there is none."""
        if direction not in self.call.trace.messages:
            return Column(direction, TITLES[direction], f"No {direction}: {wire.why_missing(self.call, direction)}.")
        size = len(self.call.trace.messages[direction].data)
        note = f"{number(size, 'octet')} of NDR data"
        return Column(direction, TITLES[direction], note, wire.octets(self.call, direction, 2 * self.limit))

    # --- what is said in the caption ---

    def counts(self, side: Side) -> Counts:
        """Return the book-keeping of one side."""
        audit = side.audit
        space = next(reversed(side.spaces.values()), None)
        live = sum(block.live and block.kind in HEAPS for block in space.ledger) if space else 0  # type: ignore[attr-defined]
        if side is self.client:
            lost = sum("LEAKED" in self.client.words(s, "client after") for s in side.storages.values())
            return Counts("client", audit.client_allocations, audit.client_frees, live, len(self.client.orphaned), lost)
        return Counts("server", audit.server_allocations, audit.server_frees, live, 0, audit.server_leaked)

    def verdict(self) -> str:
        """Sum up the call in one or two sentences."""
        counts, audit = self.counts(self.client), self.client.audit
        findings = [
            f"{number(len(audit.new_places), 'block')} new on the client" * bool(audit.new_places),
            f"{number(counts.orphaned, 'block')} orphaned on the client" * bool(counts.orphaned),
            f"{number(counts.leaked, 'block')} leaked on the client" * bool(counts.leaked),
            f"{number(len(audit.dangling), 'pointer')} left dangling on the client" * bool(audit.dangling),
            f"{number(audit.server_leaked, 'block')} leaked on the server" * bool(audit.server_leaked),
            f"{number(len(audit.faults), 'memory fault')}" * bool(audit.faults),
        ]
        told = ", ".join(finding for finding in findings if finding)
        outcome = f"The call ends with {status_text(self.call)}." if self.call.status else "The call succeeds."
        return f"{outcome} {told[0].upper() + told[1:] if told else 'Nothing is orphaned, leaked or dangling'}."


def status_text(call: Call) -> str:
    """Return ``ok``, or the name and the number of the status."""
    if not call.status:
        return "ok"
    name = status_name(call.status)
    return name if name == str(call.status) else f"{name} ({call.status})"


def signature(call: Call) -> str:
    """Return the procedure with the direction of each parameter."""
    told = []
    for parameter in call.procedure.parameters:
        ways = [way for way, has in (("in", parameter.is_in), ("out", parameter.is_out)) if has]
        told.append(f"[{', '.join(ways)}] {parameter.name}")
    return f"{call.procedure.name}({', '.join(told)})"

