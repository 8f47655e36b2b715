"""Claims about who calls the allocator: introduction, the midl_user pair, models."""

from __future__ import annotations

import pytest

from rpcmemkit import Audit, Program
from rpcmemkit.status import OUT_OF_MEMORY
from tests.claims.table import NODE, TREE, Fact, fact, prove, proving
from tests.engine.helpers import linked, open_session, run

OUT_LIST = NODE + "void f([out] node **made);"
LIST = NODE + "void f([in, out] node *head);"
LEAF = {"value": 2, "left": None, "right": None}
SMALL = {"value": 1, "left": LEAF, "right": None}


def m_001(head):
    head.value = 77
    head.next.value = 78


def m_003(root, new):
    root.value = 5
    root.right = new({"value": 9, "left": None, "right": None})


def m_019(made, new):
    made[0] = new({"value": 1, "next": {"value": 2, "next": None}})


def m_020(head, new):
    head.next = new({"value": 1, "next": None})


def m_021(head):
    head.next.value = 50


def m_024(free, head):
    free(head.next)
    head.next = None


@pytest.mark.parametrize(
    "row",
    [
        fact(
            "M-001",
            NODE + "void f([in] node *head);",
            {"head": linked(2)},
            m_001,
            client_after={"head": {"$label": "head", "$value": linked(2)}},
            response="",
        ),
        fact(
            "M-002 M-055 M-058",
            TREE + "void f([in] node *root);",
            {"root": SMALL},
            server_sees={"root": SMALL},
            request="01000000 00000200 00000000 02000000 00000000 00000000",
            server_allocations=2,
            server_frees=2,
            server_leaked=0,
        ),
        fact(
            "M-003 M-017",
            TREE + "void f([in, out] node *root);",
            {"root": SMALL},
            m_003,
            client_after={
                "root": {
                    "$label": "root",
                    "$value": {
                        "value": 5,
                        "left": {"$label": "root.left", "$value": LEAF},
                        "right": {"$new": True, "$value": {"value": 9, "left": None, "right": None}},
                    },
                }
            },
            client_allocations=1,
            server_allocations=3,
            server_frees=3,
        ),
        fact(
            "M-018",
            NODE + "void f([in] node *head, [in, unique] long *kept);",
            {"head": linked(1), "kept": 3},
            server_storage={"head": "allocated", "kept": "buffer"},
            sizes=[16],
        ),
        fact(
            "M-019 M-056",
            OUT_LIST,
            {},
            m_019,
            client_sizes=[16, 16],
            values={"made": linked(2, value=1)},
        ),
        fact(
            "M-020",
            LIST,
            {"head": linked(1)},
            m_020,
            client_allocations=1,
            client_after={
                "head": {"$label": "head", "$value": {"next": {"$new": True, "$value": {"value": 1}}}}
            },
        ),
        fact(
            "M-021",
            LIST,
            {"head": linked(2)},
            m_021,
            client_allocations=0,
            client_after={
                "head": {
                    "$label": "head",
                    "$value": {"next": {"$label": "head.next", "$value": {"value": 50}}},
                }
            },
        ),
        fact(
            "M-024",
            LIST,
            {"head": linked(2)},
            m_024,
            server_allocations=2,
            server_frees=2,
            server_leaked=0,
        ),
        fact(
            "M-057",
            LIST,
            {"head": linked(3)},
            env={"server_pointer_size": 4},
            server_allocations=0,
            server_storage={"head": "buffer", "head.next": "buffer", "head.next.next": "buffer"},
        ),
    ],
)
def test_allocation(row: Fact) -> None:
    prove(row)


@proving("M-008 M-013")
@pytest.mark.parametrize("side", ["client", "server"])
def test_stubs_use_the_pair_that_the_program_supplies(side: str) -> None:
    session = open_session(OUT_LIST, lambda call, made: made.__setitem__(0, call.new(linked(3))))
    program = getattr(session, side)
    given: list[int] = []
    returned: list[int] = []

    def allocate(size: int) -> int:
        given.append(program.space.add_block(size, "private"))
        return given[-1]

    def free(address: int) -> None:
        returned.append(address)
        program.space.drop_block(address)

    program.midl_user_allocate, program.midl_user_free = allocate, free
    call = session.call("f")
    assert len(given) == 3
    assert sorted(returned) == ([] if side == "client" else given)
    assert call["made"] == linked(3)


@proving("M-014")
def test_failing_allocator_returns_null() -> None:
    program = Program("server", fail_after=1)
    assert [bool(program.try_allocate(8, "routine", "")) for _ in range(3)] == [True, False, False]


@proving("M-015")
@pytest.mark.parametrize(
    ("failing", "status", "side"),
    [("fail_after", 1130, "server"), ("client_fail_after", OUT_OF_MEMORY, "client")],
)
def test_null_from_the_allocator_becomes_an_exception(failing: str, status: int, side: str) -> None:
    call = run(
        NODE + "void f([in, out] node *head);",
        {"head": linked(1)},
        lambda call, head: setattr(head, "next", call.new(linked(1))),
        **{failing: 0},
    )
    first = next(call.trace.select("raise"))
    assert (call.status, first.side, first.detail.code) == (status, side, OUT_OF_MEMORY)


@proving("M-016")
def test_addresses_are_aligned_to_8() -> None:
    body = "void f([in, size_is(n), length_is(n)] byte *b, [in] long n, [in, unique] enum { a } *e, [in, string] char s[9]);"
    call = run(body, {"b": b"12345", "n": 5, "e": 0, "s": "x"})
    addresses = [event.address for event in call.trace.select("allocate")]
    assert len(addresses) == 6
    assert [address % 8 for address in addresses] == [0] * len(addresses)


@proving("M-022")
def test_free_takes_back_whatever_allocate_gave() -> None:
    program = Program("client")
    blocks = [program.allocate(size, "application", "") for size in (0, 1, 7, 8, 4096)]
    for address in reversed(blocks):
        program.free(address, "application", "")
    assert not any(program.space.ledger.live)


@proving("M-023 M-168")
def test_server_frees_only_after_everything_is_marshalled() -> None:
    body = NODE + "node *f([in, out] node *head, [out] long *n);"
    call = run(body, {"head": linked(3)}, lambda call, head, n: linked(2))
    kinds = [
        event.kind for event in call.trace if event.side == "server" and event.kind in ("marshal", "free")
    ]
    assert kinds == sorted(kinds, key=["marshal", "free"].index)
    assert kinds.count("free") == Audit(call).server_allocations == 5


@proving("M-077")
def test_each_message_is_one_run_of_bytes() -> None:
    call = run(TREE + "void f([in] node *root);", {"root": SMALL})
    (buffer,) = [block for block in call.space("server entry").ledger if block.kind == "receive buffer"]
    assert buffer.size == len(call.request)
    moved = sorted(event.detail[:2] for event in call.trace.select("unmarshal"))
    assert [offset for offset, _ in moved] == [0, 12]
