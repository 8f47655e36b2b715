"""One decision, one row: a made-up ACF attribute with a made-up rule reaches contract, run and story by itself."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, Session
from rpcmemkit.contract import contract
from rpcmemkit.idl.attributes import ATTRIBUTES, Row
from rpcmemkit.plan import PointerPlan
from rpcmemkit.rules import RULES, Rule
from rpcmemkit.story import tell
from rpcmemkit.stubs import decisions
from tests.engine.helpers import open_session

BODY = "typedef [unique] long *LINK;\ntypedef struct { LINK a; } s;\nvoid f([in] s *p, [in] LINK *q);"
MADE_UP = Rule("made-up", "server", "A made-up attribute makes the stub allocate.", ("none",), (), "", "")


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Session:
    """An interface whose parameter ``p`` has an attribute that no page knows: a row of the table and a rule."""
    monkeypatch.setitem(
        ATTRIBUTES, "lavish", Row(("parameter",), acf=True, sets="force_allocate", every=True)
    )
    monkeypatch.setitem(RULES._table, "made-up", MADE_UP)

    def forcing(pointer: PointerPlan) -> str:
        return "made-up" if pointer.type.force_allocate else ""

    monkeypatch.setattr(decisions, "_forcing", forcing)
    return open_session(BODY, acf="f([lavish] p);")


def test_made_up_attribute(made_up: Session) -> None:
    value: dict[str, Any] = {"a": 5}
    call = made_up.call("f", p=value, q=6)
    promises = {promise.path: promise.server for promise in contract(made_up.interface, "f").promises}
    told = {path: side.entry.outcomes for path, side in promises.items()}
    found = Audit(call).server_storage
    assert (found["p"], found["p.a"], found["*q"]) == ("allocated", "allocated", "buffer")
    assert all(found[path] in outcomes for path, outcomes in told.items())
    by_rule = [
        path for path, side in promises.items() if any(act.rule == "made-up" for act in side.allocates)
    ]
    noted = [event for event in call.trace.select("allocate", side="server") if event.rule == "made-up"]
    assert (by_rule, len(noted)) == (["p", "p.a"], 2)
    assert MADE_UP.statement in str(tell(call))
