"""Programs: the allocator pair, its failures, and every way in which a free can be wrong."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, MemoryFault, Program, RpcError, Session
from rpcmemkit.program import UNSENT_LIMIT, StubAllocator
from tests.engine.helpers import TREE, open_session

MANY = (
    TREE + "typedef struct { long n; [size_is(n)] hyper *h; [string] char *s; } bag;\n"
    "node *f([in, out] node *root, [in, out] bag *b, [out] node **made);"
)
ARGUMENTS: dict[str, Any] = {
    "root": {"value": 1, "left": {"value": 2, "left": None, "right": None}, "right": None},
    "b": {"n": 0, "h": None, "s": None},
}


def _answer(call: Any, root: Any, b: Any, made: Any) -> Any:
    root.right = call.new({"value": 3, "left": None, "right": None})
    b.n, b.h = 3, call.new([1, 2, 3])
    b.s = call.new("text")
    made[0] = call.new({"value": 4, "left": {"value": 5, "left": None, "right": None}, "right": None})
    return call.new({"value": 6, "left": None, "right": None})


def session_with(**environment: Any) -> Session:
    return open_session(MANY, _answer, **environment)


SERVER_CALLS, CLIENT_CALLS = 9, 6


def test_how_many_allocations_there_are() -> None:
    audit = Audit(session_with().call("f", **ARGUMENTS))
    assert (audit.server_allocations, audit.client_allocations) == (SERVER_CALLS, CLIENT_CALLS)
    assert audit.clean


@pytest.mark.parametrize("allowed", range(SERVER_CALLS))
def test_server_without_memory(allowed: int) -> None:
    call = session_with(fail_after=allowed).try_call("f", ARGUMENTS)
    audit = Audit(call)
    assert isinstance(call.error, RpcError)
    assert call.status == 1130
    assert (audit.server_leaked, audit.client_allocations, audit.faults, audit.orphaned) == (0, 0, [], [])
    assert audit.server_allocations == allowed + 1
    assert audit.server_frees == allowed


@pytest.mark.parametrize("allowed", range(CLIENT_CALLS))
def test_client_without_memory(allowed: int) -> None:
    call = session_with(client_fail_after=allowed).try_call("f", ARGUMENTS)
    audit = Audit(call)
    assert isinstance(call.error, RpcError)
    assert (call.status, call.error.rule) == (14, "allocator-null-raises")
    assert (audit.server_leaked, audit.client_frees, audit.faults, audit.dangling) == (0, 0, [], [])


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("allowed", range(SERVER_CALLS))
def test_pair_of_the_users_own(side: str, allowed: int) -> None:
    session = session_with()
    program: Program = getattr(session, side)
    live: set[int] = set()

    def allocate(size: int) -> int:
        if len(live) >= allowed:
            return 0
        live.add(program.space.add_block(size, "private"))
        return max(live)

    def free(address: int) -> None:
        live.remove(address)
        program.space.drop_block(address)

    program.midl_user_allocate, program.midl_user_free = allocate, free
    call = session.try_call("f", ARGUMENTS)
    calls = SERVER_CALLS if side == "server" else CLIENT_CALLS
    assert call.status == (0 if allowed >= calls else 1130 if side == "server" else 14)
    if side == "server":
        assert live == set()
    else:
        assert len(live) == min(allowed, calls)  # the application's now
    assert Audit(call).server_leaked == 0


def wrong_free(program: Program, kind: str) -> int:
    space = program.space
    block = program.allocate(16, "routine", "")
    match kind:
        case "not allocated":
            return 0x7000_0000
        case "receive buffer" | "stack" | "global":
            return space.add_block(8, kind)
        case "inside a block":
            return block + 8
        case "double free":
            program.free(block, "routine", "")
        case "mismatched free":
            return program.allocate_private(8, "routine")
    return block


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("not allocated", "free of 0x70000000, which belongs to no block"),
        ("receive buffer", "which lies in the received data"),
        ("stack", "the stub's own memory"),
        ("global", "a global variable"),
        ("inside a block", "8 bytes into a block of 16"),
        ("double free", "was freed before"),
        (
            "mismatched free",
            "midl_user_free cannot free the block at 0x40000018, it came from an allocator of the",
        ),
    ],
)
def test_wrong_free(kind: str, why: str) -> None:
    program = Program("server")
    address = wrong_free(program, kind)
    before = len(program.trace)
    with pytest.raises(MemoryFault, match=f"^server: {kind}: ") as caught:
        program.free(address, "routine", "")
    assert (caught.value.kind, caught.value.side, caught.value.address) == (kind, "server", address)
    assert why in str(caught.value)
    (event,) = list(program.trace)[before:]
    assert (event.kind, event.address, event.detail[0]) == ("fault", address, kind)


def test_free_of_null_does_nothing() -> None:
    program = Program("client")
    program.free(0, "application", "")
    assert len(program.trace) == 0


def test_guarded_free_goes_on() -> None:
    program = Program("server")
    program.guarded_free(0x7000_0000, "stub", "")
    assert [event.kind for event in program.trace] == ["fault"]


@pytest.mark.parametrize("osf", [False, True])
def test_environment_takes_and_releases_everything(osf: bool) -> None:
    program = Program("server", osf=osf)
    program.enable_environment()
    kept, freed = (program.allocate(8, "routine", "") for _ in range(2))
    program.free(freed, "routine", "")
    program.disable_environment("stub", "environment-released-at-end")
    events = [(event.kind, event.address, event.detail) for event in program.trace]
    at_end = [("free", kept, "RpcSsDisableAllocate")]
    marked = [("mark", freed, "RpcSsFree"), *at_end, ("free", freed, "RpcSsDisableAllocate")]
    assert events[2:] == ([("free", freed, "RpcSsFree"), *at_end] if osf else marked)
    assert program.environment is None
    assert not any(program.space.ledger.live)


def test_environment_cannot_free_midl_user_blocks() -> None:
    program = Program("server")
    block = program.allocate(8, "routine", "")
    program.enable_environment()
    with pytest.raises(MemoryFault, match="mismatched free"):
        program.free(block, "routine", "")


def test_disabling_what_was_never_enabled() -> None:
    program = Program("client")
    program.disable_environment("application", "")
    assert len(program.trace) == 0


def test_stub_allocates_no_more_than_the_message_justifies() -> None:
    allocator = StubAllocator(Program("client"), 10)
    address = allocator.allocate(UNSENT_LIMIT + 640, "client-null-to-new")
    with pytest.raises(RpcError, match="asks for 1 byte that it does not send") as caught:
        allocator.allocate(1, "client-null-to-new")
    assert (caught.value.code, [*allocator.made]) == (14, [address])


def test_shown() -> None:
    assert repr(Program("client")) == "<Program client: <AddressSpace client: 0 live of 0 blocks>>"
