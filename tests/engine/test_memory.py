"""Memory: blocks, their fill patterns, and the faults of reading and writing."""

from __future__ import annotations

import pytest

from rpcmemkit import AddressSpace, Audit, MemoryFault
from rpcmemkit.memory import GAP, taken
from tests.engine.helpers import NODE, linked, run


def test_new_memory_is_cd_and_freed_memory_is_dd() -> None:
    space = AddressSpace("client")
    address = space.add_block(5, "midl_user")
    assert space.read(address, 5) == b"\xcd" * 5
    space.drop_block(address)
    assert space.data[:5] == b"\xdd" * 5
    assert space.data[5:8] == b"\xcd" * 3


@pytest.mark.parametrize("pointer_size", [4, 8])
def test_addresses_are_aligned_and_never_used_twice(pointer_size: int) -> None:
    space = AddressSpace("server", pointer_size)
    seen = []
    for size in (0, 0, 1, 8, 9):
        seen.append(space.add_block(size, "midl_user"))
        space.drop_block(seen[-1])
    assert sorted(set(seen)) == seen
    assert [address % 8 for address in seen] == [0] * 5
    assert seen[0] == 0x4000_0000


def test_pointers_are_as_wide_as_the_side() -> None:
    for size in (4, 8):
        space = AddressSpace("client", size)
        address = space.add_block(8, "stack", fill=0xFF)
        space.set_pointer(address, 0x01020304)
        assert space.pointer_at(address) == 0x01020304
        assert space.read(address, 8) == bytes.fromhex("04030201") + (b"\xff" if size == 4 else b"\0") * 4


@pytest.fixture
def space() -> AddressSpace:
    space = AddressSpace("client")
    assert (space.add_block(8, "midl_user"), space.add_block(4, "midl_user")) == (0x10000, 0x10010)
    space.drop_block(0x10010)
    return space


@pytest.mark.parametrize(
    ("address", "size", "kind", "why"),
    [
        (0, 4, "null", "read through a null pointer"),
        (0x20, 4, "null", "read through a null pointer"),
        (0x10010, 1, "use after free", "read at 0x10010 in a block that was freed"),
        (
            0x10004,
            8,
            "out of bounds",
            "a read of 8 bytes at 0x10004 ends 4 bytes past the end of a block of 8",
        ),
        (0x10008, 1, "out of bounds", "a read of 1 byte at 0x10008 ends 1 byte past the end of a block of 8"),
        (0x10009, 1, "unmapped", "read at 0x10009, which belongs to no block"),
        (0x5000, 1, "unmapped", "read at 0x5000, which belongs to no block"),
        (0xCDCDCDCDCDCDCDCD, 8, "unmapped", "the pointer was never written"),
    ],
)
def test_fault(space: AddressSpace, address: int, size: int, kind: str, why: str) -> None:
    with pytest.raises(MemoryFault) as caught:
        space.read(address, size)
    assert (caught.value.kind, caught.value.side, caught.value.address) == (kind, "client", address)
    assert why in str(caught.value)
    (event,) = space.trace
    assert (event.kind, event.address, event.detail) == (
        "fault",
        address,
        (kind, str(caught.value).split(": ", 2)[2]),
    )


@pytest.mark.parametrize(
    ("access", "doing"),
    [
        (lambda space: space.write(0x10006, b"abc"), "write of 3"),
        (lambda space: space.pointer_at(0x10004), r"read of a pointer \(8 bytes\)"),
        (lambda space: space.set_pointer(0x10004, 1), r"write of a pointer \(8 bytes\)"),
    ],
)
def test_every_access_is_checked(space: AddressSpace, access: object, doing: str) -> None:
    before = bytes(space.data)
    with pytest.raises(MemoryFault, match=doing):
        access(space)  # type: ignore[operator]
    assert space.data == before


def test_blocks_and_capacity(space: AddressSpace) -> None:
    assert space.block(0x10003) == (0x10000, 8, "midl_user", True)
    assert space.block(0x10008) == space.block(0x10000)  # one past the end is still a pointer into it
    assert space.block(0x10009) is None
    assert space.block(0xFFFF) is None
    assert [space.capacity(address) for address in (0x10000, 0x10005, 0x10008, 0x10009, 0x10010, 1)] == [
        8,
        3,
        0,
        0,
        0,
        0,
    ]


def test_guard_keeps_blocks_apart() -> None:
    space = AddressSpace("client")
    one, two = space.add_block(8, "midl_user"), space.add_block(8, "midl_user")
    assert two - (one + 8) == GAP


def test_image_is_a_copy(space: AddressSpace) -> None:
    image = space.image()
    space.write(0x10000, b"changed!")
    space.add_block(1, "stack")
    space.drop_block(0x10000)
    copy = AddressSpace.from_image("client", image)
    assert copy.read(0x10000, 8) == b"\xcd" * 8
    assert (len(copy.ledger), len(space.ledger)) == (2, 3)
    assert repr(copy) == "<AddressSpace client: 1 live of 2 blocks>"


def test_client_that_passes_a_dangling_pointer() -> None:
    call = run(NODE + "void f([in] node *head);", {"head": {"value": 1, "next": None}})
    assert call.status == 0
    session_call = run(
        NODE + "void f([in, out] node *head);",
        {"head": linked(2)},
        lambda call, head: call.free(head.next),
    )
    audit = Audit(session_call)
    assert [event.detail[0] for event in audit.faults] == ["use after free", "double free"]
    assert session_call.status == 1726


# --- many blocks at once ------------------------------------------------------------------------


def row_bytes(sizes: list[int], fill: int = 0xCD) -> bytes:
    """What a row of blocks full of 1 looks like in memory."""
    return b"".join(b"\1" * size + bytes((fill,)) * (taken(size) - size) for size in sizes)


SIZES = [[16], [16] * 9, [0, 1, 8, 24, 0, 7], [3] * 200, [900, 4, 4]]


@pytest.mark.parametrize("sizes", SIZES)
def test_a_row_of_blocks_is_what_single_blocks_are(sizes: list[int]) -> None:
    row, single = AddressSpace("client"), AddressSpace("client")
    for space in (row, single):
        space.add_block(5, "application")
    addresses = row.add_blocks(row_bytes(sizes), sizes, "midl_user")
    for size in sizes:
        single.write(single.add_block(size, "midl_user"), b"\1" * size)
    assert list(addresses) == [block.address for block in single.ledger][1:]
    assert list(row.ledger) == list(single.ledger)
    assert (row.data, row.ledger.pages) == (single.data, single.ledger.pages)
    assert all(
        row.block(address + max(size - 1, 0)).address == address
        for address, size in zip(addresses, sizes, strict=True)
    )  # type: ignore[union-attr]


@pytest.mark.parametrize("sizes", SIZES)
def test_a_row_taken_back_has_never_been(sizes: list[int]) -> None:
    space = AddressSpace("client")
    space.add_block(5, "application")
    before = bytes(space.data), list(space.ledger), list(space.ledger.pages)
    space.add_blocks(row_bytes(sizes), sizes, "midl_user")
    space.take_back(len(before[0]))
    assert (bytes(space.data), list(space.ledger), list(space.ledger.pages)) == before
    assert space.add_block(1, "midl_user") == 0x10010


@pytest.mark.parametrize("sizes", SIZES)
def test_a_row_is_freed_as_its_blocks_would_be(sizes: list[int]) -> None:
    row, single = AddressSpace("client"), AddressSpace("client")
    for space in (row, single):
        addresses = space.add_blocks(row_bytes(sizes), sizes, "midl_user")
    found = row.row_of(list(reversed(addresses)), "midl_user")
    assert found == range(len(sizes))
    row.drop_row(found)
    for address in addresses:
        single.drop_block(address)
    assert (list(row.ledger), row.data) == (list(single.ledger), single.data)
    assert row.ledger.ended == single.ledger.ended


def test_blocks_that_are_no_row() -> None:
    space = AddressSpace("client")
    a, b, c, d = space.add_blocks(row_bytes([8] * 4), [8] * 4, "midl_user")
    assert space.row_of([b, c], "midl_user") == range(1, 3)
    assert space.row_of([a, c], "midl_user") is None, "one lies between"
    assert space.row_of([b, b], "midl_user") is None, "one comes twice"
    assert space.row_of([b, c + 4], "midl_user") is None, "inside a block"
    assert space.row_of([a, b], "application") is None, "of another allocator"
    space.drop_block(d)
    assert space.row_of([c, d], "midl_user") is None, "freed"


def test_what_a_row_of_addresses_may_touch() -> None:
    space = AddressSpace("client")
    a, b, c = space.add_blocks(row_bytes([8, 16, 8]), [8, 16, 8], "midl_user")
    assert space.holds([a, b, c], 8)
    assert space.holds([c, b], [8, 16])
    assert space.holds([b + 8, a], [8, 8]), "inside a block"
    assert space.holds([0, a], [0, 8]), "nothing at all, anywhere"
    assert not space.holds([a, b, c], 9)
    assert not space.holds([a, 0], 8)
    assert not space.holds([a, b + 12], [8, 8])
    space.drop_block(b)
    assert not space.holds([a, b, c], 8)
    assert space.holds([a, c], 8)
    assert list(space.left_live([a, b, c])) == [a, c]
    assert not list(space.trace), "asking is not touching"


def test_a_window_of_an_image_shows_what_a_call_has_to_do_with() -> None:
    space = AddressSpace("client")
    first, second = space.add_block(64, "application", fill=1), space.add_block(8, "application", fill=2)
    assert space.window(second) == (space.data, space.base)
    old = AddressSpace.from_image("client", space.image())
    space.write(second, b"\3" * 8)
    shown, begins = old.window(second)
    assert begins == first
    assert shown[second - begins :][:8] == b"\2" * 8


def test_what_is_only_tried_is_not_noted() -> None:
    space = AddressSpace("client")
    with space.unnoted(), pytest.raises(MemoryFault):
        space.read(0, 4)
    assert not list(space.trace)
