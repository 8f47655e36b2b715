"""What a call costs does not depend on how many came before it: counted in bytes copied and looks taken, not in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rpcmemkit import AddressSpace, Audit, MemoryFault
from rpcmemkit.memory import Image
from rpcmemkit.stubs.contexts import ContextTable
from tests.engine.helpers import NODE, linked, open_session, serve


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that images made their spaces copy, call by call of ``keep``."""
    sizes: list[int] = []
    keep = AddressSpace.keep

    def counting(self: AddressSpace, start: int, size: int) -> None:
        before = len(self._last.kept) if self._last else 0
        keep(self, start, size)
        assert self._last is not None
        sizes.append(sum(map(len, list(self._last.kept.values())[before:])))

    monkeypatch.setattr(AddressSpace, "keep", counting)
    return sizes


def _grow(call: Any, made: Any) -> None:
    made[0] = call.new({"value": 1, "next": {"value": 2, "next": None}})


SHAPES: dict[str, tuple[str, Callable[[], dict[str, Any]], Any]] = {
    "number": ("long f([in] long n);", lambda: {"n": 1}, lambda call, n: n),
    "list, in place": (NODE + "void f([in, out] node *head);", lambda: {"head": linked(3)}, None),
    "client keeps what it gets": (NODE + "void f([out] node **made);", dict, _grow),
    "string": ("void f([in, string] char *s);", lambda: {"s": "text"}, None),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pointer_size", [4, 8])
def test_a_late_call_copies_what_an_early_one_did(shape: str, pointer_size: int, copied: list[int]) -> None:
    body, arguments, routine = SHAPES[shape]
    sizes = {"client_pointer_size": pointer_size, "server_pointer_size": pointer_size}
    session = open_session(body, routine, **sizes)
    costs = []
    for _ in range(400):
        copied.clear()
        session.call("f", **arguments())
        costs.append(sum(copied))
    early, late = costs[100:200], costs[-100:]  # the first ones fill a stretch that is not yet full
    assert sum(late) <= 1.05 * sum(early) + 1024
    assert max(late) <= 8192, "the memory of other calls is copied too"


def test_images_that_nobody_holds_are_let_go() -> None:
    session = open_session(NODE + "void f([in, out] node *head);")
    for _ in range(50):
        session.call("f", head=linked(3))
    held = [len(space._images) for space in (session.client.space, session.server.space)]
    assert held == [3, 5], "the snapshots of one call, and one for each message that can be replayed"


def test_every_image_shows_its_own_moment() -> None:
    session = open_session("void f([in, out] long *n);", lambda call, n: n.__setitem__(0, n[0] + 1))
    session.call("f", n={"$label": "N", "$value": 1})
    calls = [session.call("f", n={"$alias": "N"}) for _ in range(200)]
    assert [call["n"] for call in calls] == list(range(3, 203))
    before = [call.space("client before").read(call.roots["n"].address, 8) for call in calls]
    assert len(set(before)) == 1
    where = int.from_bytes(before[0], "little")
    held = [call.space("client before").read(where, 4) for call in calls]
    assert [int.from_bytes(data, "little") for data in held] == list(range(2, 202))
    assert all(Audit(call).clean for call in calls)


def test_an_image_reads_the_same_piece_by_piece_and_as_a_whole() -> None:
    space = AddressSpace("client")
    addresses = [space.add_block(100, "midl_user", fill=number) for number in range(40)]
    image = space.image()
    for address in addresses[::3]:
        space.write(address + 10, b"changed")
    space.drop_block(addresses[7])
    later = space.image()
    space.write(addresses[0], b"again")
    expected = b"".join(bytes([number]) * 100 for number in range(40))
    pieces = b"".join(AddressSpace.from_image("client", image).read(address, 100) for address in addresses)
    assert pieces == expected
    assert image._whole is not None or len(image) > 512 * len(addresses)
    assert later[10:17] == b"changed"
    assert image.find(b"\1", 0, len(image)) == addresses[1] - space.base
    assert Image(space).find(b"again", 0, len(space.data)) == 0


def test_blocks_of_the_past() -> None:
    space = AddressSpace("client")
    kept, dropped, marked = (space.add_block(8, "midl_user") for _ in range(3))
    first = space.image()
    space.mark_block(marked)
    second = space.image()
    space.drop_block(dropped)
    space.drop_block(marked)
    space.add_block(8, "stack")
    past = [AddressSpace.from_image("client", each) for each in (first, second, space.image())]
    assert [len(each.ledger) for each in past] == [3, 3, 4]
    assert [[bool(each.capacity(a)) for a in (kept, dropped, marked)] for each in past] == [
        [True, True, True],
        [True, True, True],
        [True, False, False],
    ]
    assert [each.is_marked(marked) for each in past] == [False, True, False]
    assert [block.live for block in past[2].ledger] == [True, False, False, True]
    assert past[0].block(past[0].base + len(space.data) - 16) is None


def test_a_past_space_cannot_be_written() -> None:
    space = AddressSpace("client")
    address = space.add_block(8, "midl_user")
    past = AddressSpace.from_image("client", space.image())
    with pytest.raises(TypeError):
        past.write(address, b"x")


def test_a_call_looks_at_its_own_handles_only(monkeypatch: pytest.MonkeyPatch) -> None:
    session = open_session(
        "typedef struct { long n; } state; typedef [context_handle] state *H; void Open([out] H *h);"
    )
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new({"n": 1})))
    looked: list[int] = []
    having = ContextTable.having

    def counting(self: ContextTable, states: Any) -> Any:
        found = having(self, states)
        looked.append(len(found))
        return found

    monkeypatch.setattr(ContextTable, "having", counting)
    for _ in range(50):
        session.call("Open")
    assert len(session.contexts) == 50
    assert max(looked) == 1


def test_memory_in_front_of_what_is_live_is_given_up() -> None:
    """Addresses stay what they were: what is gone is a block that was freed, and images show what they showed."""
    many = 1 << 18
    body = "void f([in] long n, [in, out, size_is(n)] byte *a);"
    session = open_session(body, lambda call, n, a: a.__setitem__(0, 255))
    calls = [session.call("f", n=many, a=bytes([number]) * many) for number in (1, 2, 3)]
    space = session.server.space
    assert len(space.data) < many < space.base - space.ledger.base
    for number, call in enumerate(calls, 1):
        entry, left = (call.trace.snapshots[moment].image for moment in ("server entry", "server exit"))
        buffer = next(block for block in entry.blocks if block.kind == "receive buffer" and block.live)
        at = buffer.address - entry.base
        assert entry[at : at + buffer.size].count(number) == many
        assert left[at : at + buffer.size].count(number) == many - 1
        assert call.values["a"] == {"$hex": "ff" + f"{number:02x}" * (many - 1)}
        now = space.block(buffer.address)
        assert now is not None
        assert not now.live
        with pytest.raises(MemoryFault, match="in a block that was freed"):
            space.read(buffer.address, 1)


def test_memory_behind_what_is_live_is_not_given_up() -> None:
    space = AddressSpace("server")
    kept, dropped = (space.add_block(1 << 17, "midl_user") for _ in range(2))
    space.write(dropped, b"dropped")
    before = space.image()
    space.drop_block(dropped)
    space.forget()
    assert space.base == space.ledger.base
    space.drop_block(kept)
    after = space.image()
    space.forget()
    assert space.base > kept
    new = space.add_block(8, "midl_user")
    space.write(new, b"new room")
    assert new > dropped + (1 << 17)
    assert space.read(new, 8) == b"new room"
    assert before[dropped - before.base :][:7] == b"dropped"
    assert set(after[: 1 << 17]) == {0xDD}
    assert space.image()[new - before.base :][:8] == b"new room"
