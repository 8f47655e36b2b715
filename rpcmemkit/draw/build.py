"""From a call to its picture: which blocks are shown, with which fields, and where their pointers lead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rpcmemkit.annotate import Direction
from rpcmemkit.audit import Audit, stored_ending
from rpcmemkit.call import Call
from rpcmemkit.draw import wire
from rpcmemkit.draw.model import TITLES, Column, Counts, Picture
from rpcmemkit.draw.panel import Panel, choose, with_changes
from rpcmemkit.draw.storage import AFTER, BEFORE, Client, Moment, Server, Side
from rpcmemkit.errors import counted
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
        audit = Audit(call)
        self.client, self.server = Client(call, audit), Server(call, audit)
        self.tally = (self.counts(self.client), self.counts(self.server))
        self.verdict = self._sum_up()
        self._shown = {side: self._choose(side) for side in (self.client, self.server)}

    def _choose(self, side: Side) -> set[int]:
        """Return the addresses of the blocks that every picture of the call shows."""
        storages = list(side.storages.values())
        marked = (index for index, storage in enumerate(storages) if side.marked(storage))
        return {storages[index].block.address for index in choose(len(storages), self.limit, marked)}

    # --- pictures ---

    def whole(self) -> Picture:
        """The picture of the whole call."""
        before, after = self.memory("before", BEFORE), self.memory("after", AFTER)
        after.column = with_changes(before.column, after.column)
        messages = [self.message("request"), self.message("response")]
        return self.assemble([before, self.memory("server", self.server.served), after], messages)

    def assemble(
        self,
        panels: Sequence[Panel],
        messages: Sequence[Column],
        step: str = "",
        active: tuple[str, ...] = (),
    ) -> Picture:
        """Put columns together in their order; those that are missing are empty."""
        columns = {panel.column.key: panel.column for panel in panels} | {
            column.key: column for column in messages
        }
        arrows = {panel.column.key: panel.arrows for panel in panels}
        return Picture(
            self.call.procedure.name,
            signature(self.call),
            status_text(self.call),
            self.verdict,
            tuple(columns.get(key) or Column(key, title, "") for key, title in TITLES.items()),
            tuple(arrow for key in TITLES for arrow in arrows.get(key, ())),
            self.tally,
            step,
            active,
        )

    def memory(self, key: str, moment: Moment) -> Panel:
        """Return the panel of a side's memory at a moment."""
        side = self.client if key in ("before", "after") else self.server
        return Panel(side, key, moment, self._shown[side], self.limit)

    def message(self, direction: Direction) -> Column:
        """Return the column of a message, or one that says why there is none."""
        if direction not in self.call.trace.messages:
            return Column(
                direction, TITLES[direction], f"No {direction}: {wire.why_missing(self.call, direction)}."
            )
        size = len(self.call.trace.messages[direction].data)
        note = f"{counted(size, 'byte')} of NDR data"
        return Column(direction, TITLES[direction], note, wire.message(self.call, direction, 2 * self.limit))

    # --- what is said in the caption ---

    def counts(self, side: Side) -> Counts:
        """Return the book-keeping of one side."""
        audit = side.audit
        live = side.heap_blocks
        failed = sum(not event.address for event in side.allocations)
        if side is self.client:
            lost = sum("LEAKED" in self.client.words(s, AFTER) for s in side.storages.values())
            orphaned = len(self.client.orphaned)
            return Counts(
                "client", audit.client_allocations, failed, audit.client_frees, live, orphaned, lost
            )
        gone, lost = audit.server_released, len(self.server.leaked)
        return Counts("server", audit.server_allocations, failed, audit.server_frees, live, 0, lost, gone)

    def _sum_up(self) -> str:
        """Sum up the call in one or two sentences."""
        (counts, served), audit = self.tally, self.client.audit
        findings = [
            f"{counted(len(audit.new_places), 'block')} new on the client" * bool(audit.new_places),
            f"{counted(counts.orphaned, 'block')} orphaned on the client" * bool(counts.orphaned),
            f"{counted(counts.leaked, 'block')} leaked on the client" * bool(counts.leaked),
            *_dangling(audit),
            f"{counted(served.leaked, 'block')} leaked on the server" * bool(served.leaked),
            f"{counted(len(audit.faults), 'memory fault')}" * bool(audit.faults),
        ]
        told = ", ".join(finding for finding in findings if finding)
        outcome = stored_ending(self.call) or (
            f"The call ends with {status_text(self.call)}." if self.call.status else "The call succeeds."
        )
        return (
            f"{outcome} {told[0].upper() + told[1:] if told else 'Nothing is orphaned, leaked or dangling'}."
        )


def _dangling(audit: Audit) -> Iterator[str]:
    """Tell how many pointers lead nowhere, on which side, and whether anybody ever wrote them."""
    kinds = Counter((each.side, each.unwritten) for each in audit.dangling)
    for (side, unwritten), count in kinds.items():
        yield f"{counted(count, 'pointer')} {'never written' if unwritten else 'left dangling'} on the {side}"


def status_text(call: Call) -> str:
    """Return ``ok``, or the name and the number of the status."""
    return code_text(call.status)


def code_text(status: int) -> str:
    """Return ``ok``, or the name and the number of the status."""
    if not status:
        return "ok"
    name = status_name(status)
    return name if name == str(status) else f"{name} ({status})"


def signature(call: Call) -> str:
    """Return the procedure with the direction of each parameter."""
    told = []
    for parameter in call.procedure.parameters:
        ways = [way for way, has in (("in", parameter.is_in), ("out", parameter.is_out)) if has]
        told.append(f"[{', '.join(ways)}] {parameter.name}")
    return f"{call.procedure.name}({', '.join(told)})"
