"""Claims about the memory of asynchronous calls and of pipes."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, MemoryFault, RpcError
from rpcmemkit.operations import Operations
from rpcmemkit.stubs.pipes import Pipe
from tests.claims.table import proving
from tests.engine.helpers import linked, open_session
from tests.engine.test_async import ARGUMENTS, Server

# --- asynchronous calls ---


def free(server: Server, address: int) -> None:
    Operations(server.session.client, "application").free_at(address)


@proving("M-450")
@pytest.mark.parametrize("name", ["o", "k"])
def test_out_storage_that_is_freed_too_early_is_written_after_its_end(name: str) -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    place = server.session.procedures["f"].place(name, pending.calling.address)
    free(server, server.session.client.space.pointer_at(place.address))
    server.finish()
    assert pending.complete() == 1784
    assert [event.detail[0] for event in pending.call.trace.select("fault", side="client")] == [
        "use after free"
    ]


@proving("M-450")
def test_the_asynchronous_state_lives_until_completion() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    block = server.session.client.space.block(pending.state)
    assert block is not None
    assert (block.kind, block.size, block.live) == ("application", 112, True)
    free(server, pending.state)
    with pytest.raises(MemoryFault, match="use after free"):
        pending.complete()
    assert pending.call is None


@proving("M-450")
def test_in_only_storage_may_go_when_the_request_is_sent() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    place = server.session.procedures["f"].place("a", pending.calling.address)
    free(server, server.session.client.space.pointer_at(place.address))
    server.finish()
    assert pending.complete() == 0
    assert list(pending.call.trace.select("fault")) == []


@proving("M-451")
def test_out_data_is_there_after_successful_completion_only() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    space = server.session.client.space
    place = server.session.procedures["f"].place("k", pending.calling.address)
    storage = space.pointer_at(place.address)
    server.finish()
    assert pending.status == 0
    assert space.read(storage, 4) == b"\4\0\0\0"  # the reply is there, the data is not
    assert pending.complete() == 0
    assert space.read(storage, 4) == b"\5\0\0\0"


@proving("M-451 M-454")
def test_after_a_failed_completion_out_data_is_what_it_was() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    call, _, o, k = server.kept[0]
    k[0], o[0] = 77, call.new({"value": 1, "next": None})
    call.abort(5)
    assert pending.complete() == 5
    assert (pending.call["k"], pending.call["o"]) == (4, None)


@proving("M-452")
def test_completing_too_early_reports_pending_and_ends_nothing() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    assert [pending.complete() for _ in range(3)] == [997, 997, 997]
    assert pending.call is None
    server.finish()
    assert pending.complete() == 0
    assert pending.call["k"] == 5


@proving("M-453")
@pytest.mark.parametrize("end", ["complete", "abort"])
def test_parameters_are_gone_once_the_server_has_ended_the_call(end: str) -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    call, a, _, k = server.kept[0]
    assert (a.value, k[0]) == (0, 4)  # the routine has returned, the parameters are alive
    call.complete() if end == "complete" else call.abort(5)
    for touch in (lambda: a.value, lambda: k[0], lambda: k.__setitem__(0, 1), lambda: call.set_result(3)):
        with pytest.raises(MemoryFault, match="use after free"):
            touch()
    pending.complete()
    assert [event.detail[0] for event in pending.call.trace.select("fault", side="server")] == [
        "use after free"
    ] * 4
    assert Audit(pending.call).server_leaked == 0


@proving("M-453")
def test_a_completion_that_fails_frees_the_parameters_too() -> None:
    body = "typedef struct { [ref] long *r; } S; void f([in] long *a, [out] S o[1], [in] long k);"
    server = Server(body)
    pending = server.session.begin("f", a=1, k=2, o=[{"r": 0}])
    call = server.kept[0][0]
    assert call.complete() == 1780  # the routine has left a null reference pointer
    assert pending.complete() == 1780
    audit = Audit(pending.call)
    assert (audit.server_allocations, audit.server_frees, audit.server_leaked) == (1, 1, 0)


@proving("M-454")
def test_aborting_frees_and_marshals_nothing() -> None:
    server = Server()
    pending = server.session.begin("f", **ARGUMENTS)
    call, _, o, _ = server.kept[0]
    o[0] = call.new({"value": 1, "next": None})
    call.abort(1234)
    assert pending.complete() == 1234
    assert isinstance(pending.call.error, RpcError)
    audit = Audit(pending.call)
    assert pending.call.response == b""
    assert list(pending.call.trace.select("marshal", side="server")) == []
    assert (audit.server_frees, audit.server_leaked) == (audit.server_allocations, 0)
    completed = Server()
    other = completed.session.begin("f", **ARGUMENTS)
    completed.finish()
    other.complete()
    assert audit.server_frees == Audit(other.call).server_frees  # the same clean-up


# --- pipes ---

LONGS = "typedef pipe long LONGS; void f([in, out] LONGS *p);"


def echo(call: Any, p: Any) -> None:
    values: list[int] = []
    while chunk := p.pull(100):
        values += chunk
    p.push(values)
    p.push([])


@proving("M-459")
def test_the_same_buffer_may_serve_every_chunk() -> None:
    session = open_session(LONGS, echo)
    asked: list[int] = []
    pipe = session.pipe(range(10), size=16)
    inner = pipe.alloc
    pipe.alloc = lambda data: asked.append(data) or inner(data)  # type: ignore[func-returns-value]
    call = session.call("f", p=pipe)
    assert pipe.received == list(range(10))
    used = [event for event in call.trace.select("pipe", side="client") if event.detail == "p.alloc"]
    assert len({event.address for event in used}) == 1
    assert len(asked) == len(used) == 4 + 4  # chunks of 4, 4, 2 and the end, both ways
    assert {event.size for event in used} == {16}
    assert min(asked) > 16  # bytes, of which alloc gives as many as it has


@proving("M-459")
def test_another_buffer_each_time_is_as_good() -> None:
    session = open_session(LONGS, echo)
    waiting, received = list(range(5)), []

    def pull(buffer: Any) -> int:
        chunk, waiting[:] = waiting[:2], waiting[2:]
        return int(buffer.write(chunk))

    pipe = Pipe(
        lambda data: (session.allocate(8), 8),
        pull,
        lambda buffer, count: received.extend(buffer.read(count)),
    )
    call = session.call("f", p=pipe)
    assert received == [0, 1, 2, 3, 4]
    used = [event.address for event in call.trace.select("pipe", side="client") if event.detail == "p.alloc"]
    assert len(set(used)) == len(used) == 8
    assert list(call.trace.select("allocate", side="client", actor="stub")) == []


@proving("M-460")
def test_the_server_stub_manages_its_own_buffers() -> None:
    session = open_session(LONGS, echo)
    call = session.call("f", p=session.pipe(range(50)))
    assert list(call.trace.select("allocate", "free", side="server")) == []
    space = call.space("server after")
    used = {event.address for event in call.trace.select("pipe", side="server")}
    blocks = [space.block(address) for address in used]
    assert {(block.kind, block.live) for block in blocks if block} == {("stack", False)}


def test_the_arguments_of_these_tests_are_a_list_of_two() -> None:
    assert ARGUMENTS["a"] == linked(2)
