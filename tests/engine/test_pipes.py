"""Pipes: chunks on the wire, buffers on both sides, and the order in which a routine may use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rpcmemkit import Audit, RpcError, Session, UsageError
from rpcmemkit.annotate import rows
from rpcmemkit.stubs.pipes import Pipe, PipeBuffer
from tests.engine.helpers import open_session

LONGS = "typedef pipe long LONGS;\n"
POINTS = "typedef struct { short x; hyper y; } POINT; typedef pipe POINT POINTS;\n"
IN, OUT = LONGS + "void f([in] LONGS p);", LONGS + "void f([out] LONGS *p);"
TWO_IN = LONGS + "void f([in] LONGS p, [in] LONGS q);"
ENVIRONMENTS = [{}, {"byte_order": "big"}, {"transfer_syntax": "ndr64"}, {"server_pointer_size": 4}]


def drain(pipe: Any, limit: int = 100) -> list[Any]:
    found: list[Any] = []
    while chunk := pipe.pull(limit):
        found += chunk
    return found


def status(body: str, routine: Callable[..., Any], **pipes: Any) -> RpcError | None:
    """How a call ends whose pipes carry the given values."""
    session = open_session(body, routine)
    arguments = {name: session.pipe(values) for name, values in pipes.items()}
    return session.try_call("f", arguments).error  # type: ignore[return-value]


# --- data ---


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_elements_of_every_layout_go_both_ways(environment: dict[str, Any]) -> None:
    def routine(call: Any, n: int, p: Any, total: Any) -> int:
        points = drain(p, 2)
        p.push([{"x": each["x"] + n, "y": -each["y"]} for each in points])
        p.push([])
        total[0] = sum(each["y"] for each in points)
        return len(points)

    body = POINTS + "long f([in] short n, [in, out] POINTS *p, [out] hyper *total);"
    session = open_session(body, routine, **environment)
    points = [{"x": index, "y": 1 << (index * 8)} for index in range(5)]
    pipe = session.pipe(points, size=50)  # room for three elements of 16
    call = session.call("f", n=10, p=pipe)
    assert call.result == 5
    assert call["total"] == sum(each["y"] for each in points)
    assert pipe.received == [{"x": each["x"] + 10, "y": -each["y"]} for each in points]
    assert Audit(call).clean


def test_chunks_on_the_wire() -> None:
    def routine(call: Any, n: int, p: Any, q: Any) -> int:
        drain(p)
        for chunk in ([7], [8, 9], []):
            q.push(chunk)
        return 5

    session = open_session(LONGS + "long f([in] short n, [in] LONGS p, [out] LONGS *q);", routine)
    call = session.call("f", n=1, p=session.pipe([1, 2, 3], size=8), q=session.pipe())
    assert (
        call.request.hex()
        == "0100" + "0000" + "02000000" + "0100000002000000" + "01000000" + "03000000" + "00000000"
    )
    assert call.response.hex() == "0100000007000000" + "020000000800000009000000" + "00000000" + "05000000"


def test_a_chunk_of_ndr64_ends_in_its_negated_count() -> None:
    session = open_session(IN, lambda call, p: drain(p) and None, transfer_syntax="ndr64")
    call = session.call("f", p=session.pipe([5]))
    assert call.request.hex() == "0100000000000000" + "05000000" + "00000000" + "ff" * 8 + "00" * 16


def test_annotation_reads_the_chunks() -> None:
    session = open_session(IN, lambda call, p: drain(p) and None)
    call = session.call("f", p=session.pipe([5, 6]))
    assert next(row.what for row in rows(call, "request")) == "elements of a chunk of p"
    assert [row.what for row in rows(call, "request")][-1] == "end of the pipe p"


def test_the_routine_pulls_across_chunks_as_it_likes() -> None:
    sizes: list[int] = []

    def routine(call: Any, p: Any) -> None:
        while chunk := p.pull(3):
            sizes.append(len(chunk))

    session = open_session(IN, routine)
    session.call("f", p=session.pipe(range(9), size=16))
    assert sizes == [3, 1, 3, 1, 1]  # chunks of 4, 4 and 1


# --- the order of use ---


def test_inputs_are_drained_from_the_left() -> None:
    error = status(TWO_IN, lambda call, p, q: drain(q) and None, p=[1], q=[2])
    assert error is not None
    assert (error.name, error.code) == ("RPC_X_WRONG_PIPE_ORDER", 1831)


def test_outputs_wait_for_inputs() -> None:
    body = LONGS + "void f([in] LONGS p, [out] LONGS *q);"
    error = status(body, lambda call, p, q: q.push([]), p=[1], q=[])
    assert error is not None
    assert error.code == 1831


def test_an_output_pipe_cannot_be_pulled() -> None:
    error = status(OUT, lambda call, p: p.pull(1) and None, p=[])
    assert error is not None
    assert error.code == 1831


def test_a_drained_pipe_is_empty() -> None:
    def routine(call: Any, p: Any) -> None:
        drain(p)
        p.pull(1)

    error = status(IN, routine, p=[1, 2])
    assert error is not None
    assert (error.name, error.code) == ("RPC_X_PIPE_EMPTY", 1918)


def test_an_ended_output_pipe_is_closed() -> None:
    def routine(call: Any, p: Any) -> None:
        p.push([])
        p.push([1])

    error = status(OUT, routine, p=[])
    assert error is not None
    assert (error.name, error.code) == ("RPC_X_PIPE_CLOSED", 1916)


@pytest.mark.parametrize(
    ("body", "routine"),
    [
        (IN, lambda call, p: None),
        (IN, lambda call, p: p.pull(1) and None),
        (OUT, lambda call, p: p.push([1])),
        (TWO_IN, lambda call, p, q: drain(p) and None),
    ],
)
def test_a_routine_that_returns_too_early_breaks_the_discipline(body: str, routine: Any) -> None:
    error = status(body, routine, p=[1, 2], **({"q": [3]} if "q" in body else {}))
    assert error is not None
    assert (error.name, error.code) == ("RPC_X_PIPE_DISCIPLINE_ERROR", 1917)


def test_inputs_then_outputs_each_from_the_left() -> None:
    def routine(call: Any, a: Any, b: Any, c: Any) -> None:
        first, third = drain(a), drain(c)
        for pipe, values in ((a, third), (b, first)):
            pipe.push(values)
            pipe.push([])

    body = LONGS + "void f([in, out] LONGS *a, [out] LONGS *b, [in] LONGS c);"
    session = open_session(body, routine)
    a, b = session.pipe([1, 2]), session.pipe()
    session.call("f", a=a, b=b, c=session.pipe([3]))
    assert (a.received, b.received) == ([3], [1, 2])


# --- what the client's procedures do wrong ---


def own(session: Session, **procedures: Any) -> Pipe:
    pipe = session.pipe([1, 2, 3])
    for name, procedure in procedures.items():
        setattr(pipe, name, procedure)
    return pipe


@pytest.mark.parametrize(
    ("procedures", "code"),
    [
        ({"alloc": lambda data: (0, 64)}, 14),
        ({"alloc": lambda data: (0x10000, 3)}, 14),
        ({"pull": None}, 1830),
        ({"pull": lambda buffer: buffer.capacity + 1}, 1830),
        ({"pull": lambda buffer: -1}, 1830),
    ],
)
def test_procedures_that_break_their_contract(procedures: dict[str, Any], code: int) -> None:
    session = open_session(IN)
    error = session.try_call("f", {"p": own(session, **procedures)}).error
    assert isinstance(error, RpcError)
    assert error.code == code


def test_an_output_pipe_needs_push() -> None:
    session = open_session(OUT, lambda call, p: p.push([]))
    error = session.try_call("f", {"p": own(session, push=None)}).error
    assert isinstance(error, RpcError)
    assert error.code == 1830


def test_pull_beyond_the_buffer_is_a_fault() -> None:
    session = open_session(IN)
    call = session.try_call("f", {"p": own(session, pull=lambda buffer: buffer.write(list(range(99))))})
    assert [event.detail[0] for event in call.trace.select("fault")] == ["out of bounds"]


def test_a_pipe_must_be_passed() -> None:
    with pytest.raises(UsageError, match=r"p is a pipe: pass session\.pipe"):
        open_session(OUT).call("f")


# --- hostile bytes ---


@pytest.mark.parametrize(
    "request_bytes",
    ["", "0100", "ffffffff", "02000000 01000000", "01000000 01000000", "01000000 01000000 01000000"],
)
def test_a_broken_stream_ends_in_bad_stub_data(request_bytes: str) -> None:
    session = open_session(IN, lambda call, p: drain(p) and None)
    assert session.server_stub.dispatch(0, bytes.fromhex(request_bytes)).status == 1783


def test_ndr64_checks_the_count_behind_a_chunk() -> None:
    session = open_session(IN, lambda call, p: drain(p) and None, transfer_syntax="ndr64")
    data = bytes.fromhex("0100000000000000" + "05000000" + "00000000" + "00" * 24)
    assert session.server_stub.dispatch(0, data).status == 1783


def test_a_buffer_knows_its_room() -> None:
    session = open_session(IN)
    plan = session.procedures["f"].input_pipes[0][1]
    buffer = PipeBuffer(session.client.space, plan.elements, session.allocate(8), 2)
    assert buffer.write([5, 6]) == 2
    assert buffer.read(2) == [5, 6]
