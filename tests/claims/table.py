"""Claims as rows of a table: an interface, a call, the routine of the server as a function, and what has to be observed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import pytest

from rpcmemkit import Audit, Call
from rpcmemkit.scenario.compare import differences
from rpcmemkit.scenario.run import Outcome
from tests.engine.helpers import NODE, TREE, run

__all__ = ["BOTH_SIZES", "NODE", "TREE", "Fact", "fact", "prove", "proving"]

BOTH_SIZES = ({}, {"server_pointer_size": 4})


@dataclass(frozen=True)
class Fact:
    """One row. ``expect`` has the keys of the scenario format and those of :data:`MORE`."""

    claims: tuple[str, ...]
    body: str
    arguments: Mapping[str, Any]
    routine: Callable[..., Any] | None
    expect: Mapping[str, Any]
    acf: str | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)


def fact(
    claims: str,
    body: str,
    arguments: Mapping[str, Any] | None = None,
    routine: Callable[..., Any] | None = None,
    *,
    acf: str | None = None,
    env: Mapping[str, Any] | None = None,
    **expect: Any,
) -> Any:
    """A row, marked with the claims it proves."""
    ids = tuple(claims.split())
    row = Fact(ids, body, arguments or {}, routine, {"status": "ok", **expect}, acf, env or {})
    return pytest.param(row, id="-".join(ids), marks=pytest.mark.claims(*ids))


def proving(claims: str) -> pytest.MarkDecorator:
    return pytest.mark.claims(*claims.split())


def _routine(function: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Let a function ask by name for the parameters it uses, and for call, new, free and raise_."""

    def routine(call: Any, *values: Any) -> Any:
        names = [p.name for p in call._call.frame.procedure.parameters]
        scope = dict(zip(names, values, strict=True))
        scope |= {"call": call, "new": call.new, "free": call.free, "raise_": call.raise_exception}
        return function(**{name: scope[name] for name in signature(function).parameters})  # type: ignore[misc, arg-type]

    return routine if function else None


MORE: dict[str, Callable[[Call, Audit], Any]] = {
    "faults": lambda call, audit: [event.detail[0] for event in audit.faults],
    "sizes": lambda call, audit: [event.size for event in call.trace.select("allocate", side="server")],
    "client_sizes": lambda call, audit: [
        event.size for event in call.trace.select("allocate", side="client", actor="stub")
    ],
    "rules": lambda call, audit: sorted(
        {event.rule for event in call.trace.select("allocate", side="server", actor="stub")}
    ),
    "rule": lambda call, audit: call.error.rule if call.error else "",
    "values": lambda call, audit: call.values,
    "sent": lambda call, audit: "request" in call.trace.messages,
    "entered": lambda call, audit: "server entry" in call.trace.snapshots,
    "dangling": lambda call, audit: [each.path for each in audit.dangling],
}


def prove(row: Fact) -> Call:
    """Make the call and compare everything that the row expects. No row expects faults unless it says so."""
    expect = {"faults": [], **row.expect}
    call = run(row.body, row.arguments, _routine(row.routine), row.acf, **row.environment)
    audit = Audit(call)
    for key, probe in MORE.items():
        if key in expect:
            assert probe(call, audit) == expect.pop(key), key
    for key in ("request", "response"):
        if key in expect:
            expect[key] = expect[key].replace(" ", "")
    assert differences(Outcome(call, expect)) == []
    return call
