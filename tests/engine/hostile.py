"""Hostile bytes: every construct, in both syntaxes, byte orders and pointer sizes, on both sides.

Messages are damaged by chance, a seed gives the same ones again; `make hostile` sends them by the million.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rpcmemkit import AddressSpace, Audit, Reply, RpcError, Session, Trace
from rpcmemkit.program import OUT_LIMIT, UNSENT_LIMIT
from rpcmemkit.stubs.contexts import ContextTable
from rpcmemkit.values import Labels
from tests.engine import conversions as c
from tests.engine.constructs import CONSTRUCTS, MODELS
from tests.engine.helpers import open_session, serve

NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0xFFFF,
    0x10000,
    0x20000,
    0x20004,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
HUGE = (0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 0x100000000, 0x4000000000000000)
CONTEXTS = """typedef struct { long count; [string] char *name; } state; typedef [context_handle] state *PH;
    void Open([out] PH *h); void f([in] PH held, [in, out] PH *both, [out] PH *out, [in] long n);"""
PIPES = """typedef struct { short s; long l; } element; typedef pipe element EPIPE; typedef pipe long LPIPE;
    void f([in] long n, [in, size_is(n)] long *a, [in] EPIPE p, [out] LPIPE q, [out] long *last);"""


class Target(NamedTuple):
    """A session to send bytes to: the arguments of a valid call, and what has to be done anew before each."""

    session: Session
    arguments: Callable[[], dict[str, Any]]
    prepare: Callable[[], None]
    may_dangle: bool = False


def careful(call: Any, sent: Any, obj: Any) -> None:
    if not sent.n:
        raise RpcError(1783, "no value at all")
    c.from_xmit(call, sent, obj)


def _careful_text() -> dict[str, Any]:
    honest = c.text()

    def with_text(routine: Any) -> Any:
        def run(call: Any, flags: int, buffer: Any, obj: Any) -> Any:
            if obj.text is None:
                raise RpcError(1783, "no text")
            return routine(call, flags, buffer, obj)

        return run

    return honest | {part: with_text(honest[part]) for part in ("UserSize", "UserMarshal")}


def _nothing() -> None:
    pass


def conversion(name: str, environment: dict[str, Any]) -> Target:
    bodies = {
        "transmit_as": (c.LIST + "void f([in, out] LIST *p, [in] LIST q, [out] LIST *r);", None),
        "represent_as": (c.LOCAL + "void f([in, out] LONG2 *p, [in] LONG2 q);", c.LOCAL_ACF),
        "wire_marshal": (c.FOUR + "void f([in, out] FOUR *p, [in] FOUR q);", None),
        "wire_marshal of a pointer": (c.TEXT + "void f([in, out] WTEXT *p);", None),
    }
    session = open_session(bodies[name][0], None, bodies[name][1], **environment)
    boxes = lambda: c.boxes(1, 2)  # noqa: E731
    values: dict[str, Any] = {
        "transmit_as": lambda: {"p": c.linked(1, 2), "q": c.linked(3)},
        "represent_as": lambda: {"p": boxes(), "q": boxes()},
        "wire_marshal": lambda: {"p": 5, "q": 6},
        "wire_marshal of a pointer": lambda: {"p": {"text": "abc", "extra": 0}},
    }
    if name == "transmit_as":
        session.conversion("LIST", **{**c.HONEST, "from_xmit": careful})
        serve(session, "f", lambda call, p, q, r: setattr(r, "v", 7))
    elif name == "represent_as":
        session.conversion(
            "LONG2",
            from_local=c.from_local,
            to_local=c.to_local,
            free_inst=c.free_named,
            free_local=c.free_local,
        )
    elif name == "wire_marshal":
        session.conversion("FOUR", **c.four())
    else:
        session.conversion("WTEXT", **_careful_text())
    return Target(session, values[name], _nothing)


def contexts(environment: dict[str, Any]) -> Target:
    session = open_session(CONTEXTS, **environment)
    serve(session, "Open", lambda call, h: h.__setitem__(0, call.new({"count": 1, "name": "a"})))

    def routine(call: Any, held: Any, both: Any, out: Any, n: Any) -> None:
        out[0] = call.new({"count": n, "name": "b"})

    serve(session, "f", routine)

    def prepare() -> None:
        ContextTable.__init__(session.contexts)
        session._calls = 0
        opened.append(session.call("Open"))

    opened: list[Any] = []
    return Target(session, lambda: {"held": opened[-1]["h"], "both": opened[-1]["h"], "n": 2}, prepare)


def pipes(environment: dict[str, Any]) -> Target:
    session = open_session(PIPES, **environment)

    def routine(call: Any, n: Any, a: Any, p: Any, q: Any, last: Any) -> None:
        while got := p.pull(3):
            last[0] = got[-1]["l"]
        q.push([1, 2, 3])
        q.push([])

    serve(session, "f", routine)
    elements = [{"s": 1, "l": 2}, {"s": 3, "l": 4}, {"s": 5, "l": 6}, {"s": 7, "l": 8}]
    return Target(
        session,
        lambda: {"n": 2, "a": [1, 2], "p": session.pipe(elements), "q": session.pipe()},
        _nothing,
    )


def targets() -> Iterator[tuple[str, Callable[[], Target]]]:
    """Every construct in every format that has it."""
    for syntax in ("ndr20", "ndr64"):
        for order in ("little", "big"):
            for size in (4, 8):
                for osf in (False, True):
                    environment = {
                        "client_pointer_size": size,
                        "server_pointer_size": 12 - size if order == "big" else size,
                        "transfer_syntax": syntax,
                        "byte_order": order,
                        "osf": osf,
                    }
                    where = f"{syntax} {order} {size * 8} bit{' DCE' * osf}"
                    for name, each in (CONSTRUCTS | MODELS).items():
                        if each.only == ("msrpc" if osf else "dce"):
                            continue
                        yield f"{name}, {where}", lambda e=environment, x=each, n=name: _plain(x, e, n)  # type: ignore[misc]
                    for name in ("transmit_as", "represent_as", "wire_marshal", "wire_marshal of a pointer"):
                        yield f"{name}, {where}", lambda e=environment, n=name: conversion(n, e)  # type: ignore[misc]
                    yield f"contexts, {where}", lambda e=environment: contexts(e)  # type: ignore[misc]
                    yield f"pipes, {where}", lambda e=environment: pipes(e)  # type: ignore[misc]


def _plain(construct: Any, environment: dict[str, Any], name: str) -> Target:
    session = open_session(construct.body, construct.routine, construct.acf, **environment)
    session.server_stub.notify["f"] = lambda: None
    may_dangle = name in {"attributes behind pointers", "reflect_deletions"}
    return Target(session, lambda: construct.arguments, _nothing, may_dangle)


def damaged(valid: bytes, others: list[bytes], chance: random.Random, order: str) -> bytes:
    """A message that is no longer what it was."""
    data = bytearray(valid)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(9):
            case 0:
                del data[at:]
            case 1:
                data[at : at + 1] = bytes(
                    [chance.choice((0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, chance.randrange(256)))]
                )
            case 2:
                at -= at % 4
                data[at : at + 4] = chance.choice(NUMBERS).to_bytes(4, order)  # type: ignore[arg-type]
            case 3:
                at -= at % 8
                data[at : at + 8] = chance.choice(NUMBERS + HUGE).to_bytes(8, order)  # type: ignore[arg-type]
            case 4:
                del data[at : at + chance.randrange(1, 9)]
            case 5:
                data[at:at] = chance.randbytes(chance.randrange(1, 9))
            case 6:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                data[at : at + 8] = other[start : start + chance.randrange(1, 33)]
            case 7:
                data[at:at] = data[at : at + chance.randrange(4, 33)]
            case 8:
                data[:] = chance.randbytes(chance.randrange(2 * len(valid) + 8))
    return bytes(data)


def forget(target: Target) -> None:
    """Let both programs start anew, without compiling the interface again."""
    session = target.session
    session.client.space = AddressSpace("client", session.environment.client_pointer_size)
    session.server.space = AddressSpace("server", session.environment.server_pointer_size)
    session.labels = Labels()
    target.prepare()


def asked_for(trace: Trace, side: str) -> int:
    return sum(event.size for event in trace.select("allocate", side=side, actor="stub"))


def server_keeps_its_promises(target: Target, data: bytes) -> None:
    forget(target)
    session = target.session
    before = {block.address for block in session.server.space.ledger if block.live}
    opnum = session.interface.procedures["f"].opnum
    reply = session.server_stub.dispatch(opnum, data)
    trace = session.server.trace
    assert isinstance(reply, Reply)
    assert not list(trace.select("fault")), "a fault"
    assert asked_for(trace, "server") < OUT_LIMIT + UNSENT_LIMIT + 64 * len(data) + 4096, "asked for too much"
    kept = {event.address for event in trace.select("keep")} | before
    left = [
        b for b in session.server.space.ledger if b.live and b.address not in kept and b.kind != "context"
    ]
    states = {context.address for context in session.contexts}
    assert session.contexts or not [b for b in left if b.address not in states], "a leak"


def client_keeps_its_promises(target: Target, data: bytes) -> None:
    forget(target)
    session = target.session
    honest = session.client_stub.transport
    arguments = target.arguments()
    session.client_stub.transport = lambda number, request: (0, data)
    try:
        call = session.try_call("f", arguments)
    finally:
        session.client_stub.transport = honest
    assert call.error is None or isinstance(call.error, RpcError), "no RpcError"
    assert asked_for(call.trace, "client") < UNSENT_LIMIT + 64 * len(data) + 4096, "asked for too much"
    audit = Audit(call)
    assert audit.faults == [], "a fault"
    assert isinstance(call.values, dict)
    assert target.may_dangle or audit.dangling == [], "dangling"


made: dict[str, Target] = {}


def attack(name: str, make: Callable[[], Target], inputs: int, seed: int) -> tuple[int, list[str]]:
    """Send that many damaged messages to both sides of one target; return how many, and what was found."""
    try:
        target = made[name] if name in made else made.setdefault(name, make())
        forget(target)
        call = target.session.call("f", **target.arguments())
    except RpcError as error:
        return 0, [f"{name}: the valid call fails: {error}"]
    except Exception as error:  # noqa: BLE001 (not in this dialect or syntax)
        return 0, [] if type(error).__name__ in {"IdlError", "UsageError"} else [f"{name}: {error!r}"]
    chance, found = random.Random(f"{seed} {name}"), []
    order = target.session.environment.byte_order
    messages = [call.request, call.response]
    checks = (server_keeps_its_promises, client_keeps_its_promises)
    for number in range(inputs):
        data = damaged(messages[number % 2], messages, chance, order)
        try:
            checks[number % 2](target, data)
        except Exception as broken:  # noqa: BLE001 (whatever it is, it is a finding)
            found.append(
                f"{name}: {checks[number % 2].__name__[:6]} {data.hex() or '(empty)'}: {broken!r:.300}"
            )
    return inputs, found
