"""One memory column: which blocks of a side are shown, with which fields, and where their pointers lead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rpcmemkit.annotate import type_name
from rpcmemkit.draw.fields import Value, brief_path, clip, values_of
from rpcmemkit.draw.model import TITLES, Arrow, Block, Column, Field, Gap, Item, Part, parts
from rpcmemkit.draw.storage import AFTER, EXIT, FREED, STOP, BlockPlaces, Moment, Side
from rpcmemkit.errors import counted
from rpcmemkit.kinds import BlockKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.paths import is_cut, storage_name
from rpcmemkit.plan import PointerPlan
from rpcmemkit.trace import Fault
from rpcmemkit.walk import Place, pointers_in, storage_path

FIELD_LIMIT = 9
"""How many fields of a part are shown."""

TOLD = 3
"""How many faults the note of a panel tells."""

ASKED = 500
"""How many hidden blocks at either end are asked where their pointers lead."""

NOTES = {
    "client before": "what the application passes",
    "client after": "the same storage when the call is over",
    "server entry": "as the routine is entered",
    "server exit": "as the routine returns",
    "server stop": "as the routine left it",
    "server after": "after the clean-up",
}


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


class Panel:
    """One memory column in the making."""

    def __init__(self, side: Side, key: str, moment: Moment, shown: set[int], limit: int) -> None:
        self.side, self.key, self.moment, self.shown, self.limit = side, key, moment, shown, limit
        self.space = side.spaces.get(moment.values)
        self._targets: dict[int, tuple[str, int | None]] = {}
        self._hidden: dict[int, str] = {}
        self._pointers: list[tuple[str, int, int]] = []
        items = tuple(self._items()) if self.space is not None else ()
        self.column = Column(key, TITLES[key], self._note(), items)
        self.arrows = tuple(self._arrows())

    def _note(self) -> str:
        if self.space is None:
            return "Nothing arrived here."
        if self.moment.values == "server after":
            return "the routine never ran"
        ahead = self.moment.ahead and self.moment.at == EXIT.at
        note = NOTES[self.moment.at] + (", and what follows" if ahead else "")
        if self.moment.at == STOP.at and not self.side.faults_at(STOP):
            note = "the routine raised an exception"
        faults = (event.of(Fault) for event in self.side.faults_at(self.moment))
        told = [f"{kind}: {why}" for kind, why in faults]
        if len(told) > TOLD:
            told[TOLD:] = [f"{len(told) - TOLD} more"]
        return note + "".join(f". FAULT, {each}" for each in told)

    # --- blocks ---

    def _items(self) -> Iterator[Block | Gap]:
        hidden: list[BlockPlaces] = []
        number = 0
        for storage in self.side.storages.values():
            if not self.side.exists(storage, self.moment.at):
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

    def _gap(self, name: str, hidden: list[BlockPlaces]) -> Gap:
        self._hidden.update((storage.block.address, name) for storage in hidden)
        return Gap(name, len(hidden))

    def _block(self, name: str, storage: BlockPlaces) -> Block:
        places = _outer(storage, self.side)
        shown = set(choose(len(places), self.limit))
        parts: list[Part | Gap] = []
        for index, place in enumerate(places):
            if index in shown:
                parts.append(self._part(f"{name}-{index + 1}", place, storage))
                continue
            if not parts or isinstance(parts[-1], Part):
                parts.append(Gap(f"{name}-gap", len(places) - len(shown), "values"))
            self._targets[place.address] = (f"{name}-gap", None)
        if not places and storage.block.kind is not BlockKind.RECEIVE_BUFFER:
            parts.append(self._untyped(f"{name}-1", storage))
        return self._framed(name, storage, tuple(parts))

    def _framed(self, name: str, storage: BlockPlaces, parts: tuple[Part | Gap, ...]) -> Block:
        block = storage.block
        words, duty = self.side.words(storage, self.moment), self.side.duty(storage, self.moment)
        owner = self.side.owner(block)
        label = (
            "receive buffer"
            if owner == "buffer"
            else parts[0].label
            if isinstance(parts[0], Part)
            else "block"
        )
        self._targets.setdefault(block.address, (parts[0].id if parts else name, None))
        return Block(name, label, block.address, block.size, owner, duty, words, parts)

    def _untyped(self, name: str, storage: BlockPlaces) -> Part:
        block = storage.block
        text = f"{counted(block.size, 'byte')} that no parameter leads to"
        rule = self.side.rules.get(block.address, "")
        return Part(name, "unreached block", block.address, "", rule, (Field(0, "", text),))

    def _part(self, name: str, place: Place, storage: BlockPlaces) -> Part:
        self._targets[place.address] = (name, None)
        rule = self.side.rules.get(place.address, "")
        label, kind = self._label(place), type_name(place.plan)
        if FREED in self.side.words(storage, self.moment):
            return Part(name, label, place.address, kind, rule, (Field(0, "", "DD DD DD DD …"),))
        assert self.space is not None
        values = values_of(self.space, place, FIELD_LIMIT)
        frame = storage.block.kind is BlockKind.STACK and place.path is None
        if frame and not self._returned:
            values = [value for value in values if value.name.partition(".")[0] != "return"]
        fields = tuple(self._field(name, index, place.address, value) for index, value in enumerate(values))
        return Part(name, label, self.space.lies(place.address), "" if frame else kind, rule, fields)

    @property
    def _returned(self) -> bool:
        """Whether the function's result means something by now."""
        if self.moment == AFTER:
            return not self.side.call.status
        return self.moment.values == "server exit"

    def _label(self, place: Place) -> str:
        if place.path is None:
            return "arguments"
        brief = brief_path(storage_path(place))
        name = self.side.call.labels.shown(place.address) if self.side.side == "client" else None
        path = storage_name(place)
        return brief if name is None or name == path or is_cut(path) else clip(name, 28)

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
        """Find what the hidden blocks lead to; of very many, only those near the ends are asked."""
        drawn = set()
        hidden = list(self._hidden.items())
        for start, gap in hidden if len(hidden) <= 2 * ASKED else hidden[:ASKED] + hidden[-ASKED:]:
            for address in self._named_by(self.side.storages[start]):
                target = self._targets.get(address)
                if target and (gap, target) not in drawn:
                    drawn.add((gap, target))
                    yield Arrow(self.key, gap, None, *target)

    def _named_by(self, storage: BlockPlaces) -> Iterator[int]:
        assert self.space is not None
        if not self.side.live(storage, self.moment.values):
            return
        for place in storage.places.values():
            pointers = [place] if isinstance(place.plan, PointerPlan) else pointers_in(self.space, place)
            for pointer in pointers:
                yield self.space.pointer_at(pointer.address)


def _is_live(space: AddressSpace | None, address: int) -> bool:
    block = space.block(address) if space else None
    return block is not None and block.live


def _outer(storage: BlockPlaces, side: Side) -> list[Place]:
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
    old = {part.address: part for item in before.items if isinstance(item, Block) for part in parts(item)}
    return Column(after.key, after.title, after.note, tuple(_changed(item, old) for item in after.items))


def _changed(item: Item, old: dict[int, Part]) -> Item:
    if not isinstance(item, Block) or FREED in item.words:
        return item
    parts = tuple(
        _compared(part, old.get(part.address)) if isinstance(part, Part) else part for part in item.parts
    )
    return Block(item.id, item.label, item.address, item.size, item.owner, item.duty, item.words, parts)


def _compared(part: Part, old: Part | None) -> Part:
    texts = {(f.offset, f.name): f.text for f in old.fields} if old else {}
    fields = tuple(
        Field(
            f.offset,
            f.name,
            f.text,
            f.type,
            "" if (was := texts.get((f.offset, f.name), f.text)) == f.text else was,
            f.dangling,
        )
        for f in part.fields
    )
    return Part(part.id, part.label, part.address, part.type, part.rule, fields)
