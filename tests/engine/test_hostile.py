"""Promise 8: any bytes handed to a stub end in a value or in an RpcError, and never cost more than they can justify."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from rpcmemkit import AddressSpace, Audit, Call, MemoryFault, Reply, RpcError, Session, Trace
from rpcmemkit.program import OUT_LIMIT, UNSENT_LIMIT
from rpcmemkit.trace import Run
from rpcmemkit.values import Labels
from tests.engine.constructs import CONSTRUCTS, MODELS
from tests.engine.helpers import open_session

BYTES = (0, 1, 0x7F, 0x80, 0xFF)
COUNTS = (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x40000000, 0x00010000)

MAY_DANGLE = {
    "attributes behind pointers",  # a union whose discriminant has not come yet may be left half written
    "reflect_deletions",  # the client frees what the server says was freed, whatever still points to it
}


class Format(NamedTuple):
    """A way to encode, and the width of pointers that decides what stays in the receive buffer."""

    transfer_syntax: str
    byte_order: str
    pointer_size: int
    osf: bool = False

    def open(self, name: str) -> Session:
        construct = EVERY[name]
        session = open_session(
            construct.body,
            construct.routine,
            construct.acf,
            client_pointer_size=self.pointer_size,
            server_pointer_size=self.pointer_size,
            transfer_syntax=self.transfer_syntax,
            byte_order=self.byte_order,
            osf=self.osf,
        )
        session.server_stub.notify["f"] = lambda: None
        return session

    def has(self, name: str) -> bool:
        """Whether a construct exists in this dialect and syntax."""
        if self.osf:
            return name not in NOT_DCE and EVERY[name].only != "msrpc"
        return EVERY[name].only != "dce" and not (name == "byte_count" and self.transfer_syntax == "ndr64")


FORMATS = [
    Format("ndr20", "little", 8),
    Format("ndr20", "big", 4),
    Format("ndr64", "little", 8),
    Format("ndr20", "little", 4, osf=True),
]
EVERY = CONSTRUCTS | MODELS
NOT_DCE = {"conformant arrays", "ranges", "pointers to pointers"}  # what the DCE compiler refuses
CASES = [
    pytest.param(name, each, id=f"{name}-{'-'.join(map(str, each))}")
    for each in FORMATS
    for name in EVERY
    if each.has(name)
]


def corruptions(valid: bytes, format_: Format) -> Iterator[bytes]:
    """Truncations, bytes and 32-bit words changed, several changes at once, and noise.

    In the first format at every place, in each other one at every third: `make hostile` does the rest.
    """
    chance, order = random.Random(len(valid)), format_.byte_order
    turn = FORMATS.index(format_)
    for at in range(turn, len(valid), 3 if turn else 1):
        yield valid[:at]
        for byte in BYTES:
            yield valid[:at] + bytes([byte]) + valid[at + 1 :]
        for count in COUNTS:
            yield valid[:at] + count.to_bytes(4, order) + valid[at + 4 :]  # type: ignore[arg-type]
    for _ in range(60):
        yield chance.randbytes(chance.randrange(2 * len(valid) + 8))
        several = bytearray(valid)
        for _ in range(min(4, len(valid))):
            several[chance.randrange(len(valid))] = chance.choice([*BYTES, 2, 3, 4, chance.randrange(256)])
        yield bytes(several)
    yield valid * 3


def forget(session: Session) -> None:
    """Let both programs start anew, without compiling the interface again."""
    session.client.space = AddressSpace("client", session.environment.client_pointer_size)
    session.server.space = AddressSpace("server", session.environment.server_pointer_size)
    session.labels = Labels()


def asked_for(trace: Trace, side: str) -> int:
    return sum(event.size for event in trace.select("allocate", side=side, actor="stub"))


@pytest.mark.parametrize(("name", "format_"), CASES)
def test_server_answers_any_request(name: str, format_: Format) -> None:
    session = format_.open(name)
    request = session.call("f", **EVERY[name].arguments).request
    for data in corruptions(request, format_):
        forget(session)
        reply = session.server_stub.dispatch(0, data)
        trace = session.server.trace
        assert isinstance(reply, Reply), data.hex()
        assert not list(trace.select("fault")), data.hex()
        assert asked_for(trace, "server") < UNSENT_LIMIT + OUT_LIMIT + 64 * len(data) + 4096, data.hex()
        blocks = [session.server.space.block(event.address) for event in trace.select("allocate")]
        assert not any(block.live for block in blocks if block), f"leaked by {data.hex()}"


@pytest.mark.parametrize(("name", "format_"), CASES)
def test_client_survives_any_response(name: str, format_: Format) -> None:
    session = format_.open(name)
    response = session.call("f", **EVERY[name].arguments).response
    for data in corruptions(response, format_):
        forget(session)
        session.client_stub.transport = lambda number, request: (0, data)  # noqa: B023
        call = session.try_call("f", EVERY[name].arguments)
        assert call.error is None or isinstance(call.error, RpcError), data.hex()
        assert asked_for(call.trace, "client") < UNSENT_LIMIT + 64 * len(data) + 4096, data.hex()
        look_at(call)
        assert name in MAY_DANGLE or Audit(call).dangling == [], data.hex()


def look_at(call: Call) -> None:
    """Whatever a call left behind can be read and audited."""
    audit = Audit(call)
    frees = [event.rule for event in call.trace.select("free", side="client")]
    assert set(frees) <= {"reflected-deletions-freed"}
    assert audit.faults == []
    assert isinstance(call.values, dict)
    assert isinstance(audit.clean, bool)


SIZED = "void f([in] long n, [in, size_is(n)] long *a);"
VARYING = "void f([in] long size, [in] long n, [in, size_is(size), length_is(n)] short *a);"
UNION = "typedef [switch_type(short)] union { [case(1)] long l; [case(2)] ; } u;\n"
HOLDER = UNION + "typedef struct { short tag; [switch_is(tag)] u body; } h;\n"
PAIR = "typedef struct { hyper a; hyper b; } pair;\n"


@pytest.mark.parametrize(
    ("body", "data", "status", "why"),
    [
        ("void f([in] long n);", "", 1783, "at n: the message ends too early"),
        ("void f([in] enum { a } e);", "0080", 1781, "at e: 32768 is not in 0"),
        ("void f([in, range(-5, 5)] long n);", "06000000", 1734, "at n: 6 is not in -5"),
        (SIZED, "02000000 ffffffff", 1783, "at a: 4294967295 elements announced"),
        (SIZED, "02000000 01000000 01000000", 1783, "at a: 1 element, but the size attribute says 2"),
        (VARYING, "ffffff7f 00000000 ffffff7f 00000000 00000000", 14, "asks for 4294967294 bytes"),
        (VARYING, "08000000 03000000 08000000 06000000 03000000", 1734, "6 to 8 of an array of 8"),
        (VARYING, "02000000 02000000 02000000 00000000 01000000 0100", 1783, "length attribute says 2"),
        ("void f([in, size_is(n), range(0, 2)] byte *b, [in] long n);", "03000000", 1734, "3 is not in 0"),
        (HOLDER + "void f([in] h *a);", "0100 0200", 1783, "at a->body: the discriminant differs"),
        (HOLDER + "void f([in] h *a);", "0500 0500", 1733, "at a->body: no arm for 5"),
        (
            UNION + "void f([in] short t, [in, switch_is(t)] u *a);",
            "0100 0200",
            1783,
            "at a: the discriminant differs",
        ),
        (
            "void f([in, string] char *s);",
            "01000000 00000000 01000000 41",
            1783,
            "s: the string is not terminated",
        ),
        (
            "void f([in, string] char *s);",
            "01000000 01000000 00000000",
            1783,
            "s: a string starts at its first",
        ),
        ("void f([in, string] char *s);", "01000000 00000000 02000000", 1734, "0 to 1 of an array of 1"),
        (
            "void f([in, unique, size_is(n)] byte *b, [in] long n);",
            "00000000 01000000",
            1783,
            "its size is not 0",
        ),
        (
            PAIR + "void f([in, ptr] byte *b, [in, ptr] pair *h);",
            "01000000 01000000 01000000",
            1783,
            "h: a full",
        ),
    ],
)
def test_reason_is_named(body: str, data: str, status: int, why: str) -> None:
    session = open_session(body)
    reply = session.server_stub.dispatch(0, bytes.fromhex(data))
    (event,) = session.server.trace.select("raise")
    assert (reply.status, event.detail.code) == (1130 if status == 14 else status, status)
    assert event.detail.rule
    assert why in str(event.detail)


def test_unknown_operation() -> None:
    assert FORMATS[0].open("results").server_stub.dispatch(77, b"") == Reply(1745, b"")


def test_fault_in_the_routine_is_a_failed_call() -> None:
    session = open_session("void f([in, unique] long *p);")
    session.set_routine("f", lambda call: call.program.space.write(0, b"x"))
    call = session.try_call("f", {"p": None})
    assert (call.status, Audit(call).faults[0].detail[0]) == (1726, "null")
    assert not isinstance(call.error, MemoryFault)


@pytest.mark.parametrize(("count", "status"), [(2, 0), (2 << 24, 1783), (3, 1783)])
def test_a_count_that_lies_big_endian_in_the_receive_buffer(count, status):
    """What the value says is read after it was converted: read as it came, 0x02000000 would be 2."""
    session = open_session(
        "typedef struct { [size_is(*n)] short *a; [ref] long *n; } sized; void f([in, out] sized *s);",
        lambda call, s: None,
        byte_order="big",
        client_pointer_size=4,
    )
    request = session.call("f", s={"a": [1, 2], "n": 2}).request
    runs = [entry for entry in session.server.trace.raw if isinstance(entry, Run)]
    assert any("unmarshal" in run.kinds for run in runs)  # it moved whole
    reply = session.server_stub.dispatch(0, request[:-4] + count.to_bytes(4, "big"))
    assert reply.status == status
