"""From a call to its picture: which blocks are shown, with which fields, and where their pointers lead."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from rpcmemkit.call import Call
from rpcmemkit.draw import wire
from rpcmemkit.draw.fields import Value, brief_path, clip, type_text, values_of
from rpcmemkit.draw.model import Arrow, Block, Column, Counts, Field, Gap, Octets, Part, Picture
from rpcmemkit.draw.storage import FREED, Client, Server, Side, Storage
from rpcmemkit.memory import HEAPS, AddressSpace
from rpcmemkit.plan import PointerPlan
from rpcmemkit.status import status_name
from rpcmemkit.trace import path_text
from rpcmemkit.walk import Place, pointers_in

LIMIT = 12
FIELD_LIMIT = 9

TITLES = {
    "before": "Client before",
    "request": "Request",
    "server": "Server",
    "response": "Response",
    "after": "Client after",
}


def picture(call: Call, *, limit: int = LIMIT) -> Picture:
    """Return the picture of a whole call, with at most ``limit`` blocks in each column."""
    return Builder(call, limit).whole()


def choose(count: int, limit: int, marked: Iterable[int] = ()) -> list[int]:
    """Return which of ``count`` things are shown: the last, some that are marked, and as many as fit from the front."""
    if count <= limit:
        return list(range(count))
    picked = {count - 1}
    for source, room in ((marked, 1 + limit // 2), (range(count), limit)):
        for index in source:
            if len(picked) >= room:
                break
            picked.add(index)
    return sorted(picked)


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
        panels = [self.memory("before", "client before"), self.memory("server", moment), self.memory("after", "client after")]
        return self.assemble(panels, [self.message("request"), self.message("response")])

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
        return Panel(self, side, key, moment, fates or moment, self._shown[side])

    def message(self, direction: str) -> Column:
        """Return the column of a message, or one that says why there is none."""
        rows = wire.octets(self.call, direction)
        if direction not in self.call.trace.messages:
            return Column(direction, TITLES[direction], f"No {direction}: {wire.why_missing(self.call, direction)}.")
        size = len(self.call.trace.messages[direction].data)
        note = f"{size} octet{'s' * (size != 1)} of NDR data"
        return Column(direction, TITLES[direction], note, tuple(_cut_octets(rows, 2 * self.limit, direction)))

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
            f"{_number(len(audit.new_places), 'block')} new on the client" * bool(audit.new_places),
            f"{_number(counts.orphaned, 'block')} orphaned on the client" * bool(counts.orphaned),
            f"{_number(counts.leaked, 'block')} leaked on the client" * bool(counts.leaked),
            f"{_number(len(audit.dangling), 'pointer')} left dangling on the client" * bool(audit.dangling),
            f"{_number(audit.server_leaked, 'block')} leaked on the server" * bool(audit.server_leaked),
            f"{_number(len(audit.faults), 'memory fault')}" * bool(audit.faults),
        ]
        told = ", ".join(finding for finding in findings if finding)
        outcome = f"The call ends with {status_text(self.call)}." if self.call.status else "The call succeeds."
        return f"{outcome} {told[0].upper() + told[1:] if told else 'Nothing is orphaned, leaked or dangling'}."


class Panel:
    """One memory column in the making."""

    def __init__(
        self, builder: Builder, side: Side, key: str, moment: str, fates: str, shown: set[int]
    ) -> None:
        self.builder, self.side, self.key, self.fates, self.shown = builder, side, key, fates, shown
        self.space = side.spaces.get(moment)
        self.moment = moment
        self._targets: dict[int, tuple[str, int | None]] = {}
        self._hidden: dict[int, str] = {}
        self._pointers: list[tuple[str, int, int]] = []
        items = tuple(self._items()) if self.space is not None else ()
        self.column = Column(key, TITLES[key], self._note(), items)
        self.arrows = tuple(self._arrows())

    def _note(self) -> str:
        if self.space is None:
            return "Nothing arrived here."
        return {
            "client before": "what the application passes",
            "client after": "the same storage when the call is over",
            "server entry": "as the routine is entered",
            "server exit": "as the routine returns, and what then becomes of it",
            "server after": "the routine never ran; what the stub left" if not self._ran else "after the clean-up",
        }[self.fates if self.fates == "server after" else self.moment]

    @property
    def _ran(self) -> bool:
        return "server exit" in self.side.spaces

    # --- blocks ---

    def _items(self) -> Iterator[Block | Gap]:
        hidden: list[Storage] = []
        number = 0
        for storage in self.side.storages.values():
            if not self.side.exists(storage, self.moment):
                continue
            if storage.block.address not in self.shown:
                hidden.append(storage)
                continue
            if hidden:
                yield self._gap(f"{self.key}-{number}-gap", hidden)
                hidden = []
            number += 1
            yield self._block(f"{self.key}-{number}", storage)
        if hidden:
            yield self._gap(f"{self.key}-{number}-gap", hidden)

    def _gap(self, name: str, hidden: list[Storage]) -> Gap:
        self._hidden.update((storage.block.address, name) for storage in hidden)
        return Gap(name, len(hidden))

    def _block(self, name: str, storage: Storage) -> Block:
        places = _outer(storage, self.side)
        shown = set(choose(len(places), self.builder.limit))
        parts: list[Part | Gap] = []
        for index, place in enumerate(places):
            if index in shown:
                parts.append(self._part(f"{name}-{index + 1}", place, storage))
                continue
            if not parts or isinstance(parts[-1], Part):
                parts.append(Gap(f"{name}-gap", len(places) - len(shown), "values"))
            self._targets[place.address] = (f"{name}-gap", None)
        if not places and storage.block.kind != "receive buffer":
            parts.append(self._untyped(f"{name}-1", storage))
        return self._framed(name, storage, tuple(parts))

    def _framed(self, name: str, storage: Storage, parts: tuple[Part | Gap, ...]) -> Block:
        block = storage.block
        words, duty = self.side.words(storage, self.fates), self.side.duty(storage, self.fates)
        owner = self.side.owner(block)
        label = "receive buffer" if owner == "buffer" else parts[0].label if isinstance(parts[0], Part) else "block"
        self._targets.setdefault(block.address, (parts[0].id if parts else name, None))
        return Block(name, label, block.address, block.size, owner, duty, words, parts)

    def _untyped(self, name: str, storage: Storage) -> Part:
        block = storage.block
        text = f"{_number(block.size, 'octet')} that no parameter leads to"
        rule = self.side.rules.get(block.address, "")
        return Part(name, "unreached block", block.address, "", rule, (Field(0, "", text),))

    def _part(self, name: str, place: Place, storage: Storage) -> Part:
        self._targets[place.address] = (name, None)
        rule = self.side.rules.get(place.address, "")
        label, kind = self._label(place), type_text(place.plan)
        if FREED in self.side.words(storage, self.fates):
            return Part(name, label, place.address, kind, rule, (Field(0, "", "DD DD DD DD …"),))
        assert self.space is not None
        values = values_of(self.space, place, FIELD_LIMIT)
        frame = storage.block.kind == "stack" and place.path is None
        if frame and not self._returned:
            values = [value for value in values if value.name.partition(".")[0] != "return"]
        fields = tuple(self._field(name, index, place.address, value) for index, value in enumerate(values))
        return Part(name, label, place.address, "" if frame else kind, rule, fields)

    @property
    def _returned(self) -> bool:
        """Whether the function's result means something by now."""
        if self.moment == "client after":
            return not self.builder.call.status
        return self.moment in ("server exit", "server after")

    def _label(self, place: Place) -> str:
        if place.path is None:
            return "arguments"
        brief = brief_path(place.path)
        name = self.builder.call.labels.name(place.address) if self.side.side == "client" else None
        return brief if name is None or name == path_text(place.path) else clip(name, 28)

    def _field(self, part: str, index: int, start: int, value: Value) -> Field:
        dangling = False
        if value.offset is not None:
            self._targets.setdefault(start + value.offset, (part, index))
        if value.target is not None:
            self._pointers.append((part, index, value.target))
            dangling = not _is_live(self.space, value.target)
        return Field(value.offset, value.name, value.text, value.type, "", dangling)

    # --- arrows ---

    def _arrows(self) -> Iterator[Arrow]:
        for part, index, address in self._pointers:
            target = self._target(address)
            if target is not None:
                yield Arrow(self.key, part, index, *target, not _is_live(self.space, address))
        yield from self._arrows_from_gaps()

    def _target(self, address: int) -> tuple[str, int | None] | None:
        if address in self._targets:
            return self._targets[address]
        block = self.space.block(address) if self.space else None
        gap = self._hidden.get(block.address) if block else None
        return (gap, None) if gap else None

    def _arrows_from_gaps(self) -> Iterator[Arrow]:
        drawn = set()
        for start, gap in self._hidden.items():
            for address in self._named_by(self.side.storages[start]):
                target = self._targets.get(address)
                if target and (gap, target) not in drawn:
                    drawn.add((gap, target))
                    yield Arrow(self.key, gap, None, *target)

    def _named_by(self, storage: Storage) -> Iterator[int]:
        assert self.space is not None
        if not self.side.live(storage, self.moment):
            return
        for place in storage.places.values():
            pointers = [place] if isinstance(place.plan, PointerPlan) else pointers_in(self.space, place)
            for pointer in pointers:
                yield self.space.pointer_at(pointer.address)


def _is_live(space: AddressSpace | None, address: int) -> bool:
    block = space.block(address) if space else None
    return block is not None and block.live


def _outer(storage: Storage, side: Side) -> list[Place]:
    """Return the places of a block in address order, without those that lie inside another one."""
    places = [storage.places[address] for address in sorted(storage.places)]
    kept: list[Place] = []
    end = 0
    for place in places:
        if place.address >= end or not kept:
            kept.append(place)
            end = place.address + place.plan.size
    return kept


def with_changes(before: Column, after: Column) -> Column:
    """Return ``after`` with what each changed field was before."""
    old = {part.address: part for item in before.items if isinstance(item, Block) for part in _parts(item)}
    return Column(after.key, after.title, after.note, tuple(_changed(item, old) for item in after.items))


def _parts(block: Block) -> list[Part]:
    return [part for part in block.parts if isinstance(part, Part)]


def _changed(item: Block | Gap | Octets, old: dict[int, Part]) -> Block | Gap | Octets:
    if not isinstance(item, Block) or FREED in item.words:
        return item
    parts = tuple(_compared(part, old.get(part.address)) if isinstance(part, Part) else part for part in item.parts)
    return Block(item.id, item.label, item.address, item.size, item.owner, item.duty, item.words, parts)


def _compared(part: Part, old: Part | None) -> Part:
    texts = {field.offset: field.text for field in old.fields} if old else {}
    fields = tuple(
        Field(f.offset, f.name, f.text, f.type, "" if texts.get(f.offset, f.text) == f.text else texts[f.offset], f.dangling)
        for f in part.fields
    )
    return Part(part.id, part.label, part.address, part.type, part.rule, fields)


def _cut_octets(rows: list[Octets], limit: int, key: str) -> Iterator[Octets | Gap]:
    if len(rows) <= limit:
        yield from rows
        return
    yield from rows[: limit - 2]
    yield Gap(f"{key}-gap", len(rows) - limit + 1, "fields")
    yield rows[-1]


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


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


__all__ = ["Builder", "choose", "picture", "with_changes"]
_ = bisect_right
