"""Kinds print and travel as the text they are, in every version of Python."""

from __future__ import annotations

import json

import pytest

from rpcmemkit.kinds import EventKind, FaultKind, Kind
from rpcmemkit.trace import Event, Fault, HandleName

EVERY = [kind for kinds in Kind.__subclasses__() for kind in kinds]


@pytest.mark.parametrize("kind", EVERY, ids=str)
def test_a_kind_is_text(kind: Kind) -> None:
    text = kind.value
    assert (str(kind), f"{kind}", f"{kind:>20}", repr(kind)) == (text, text, f"{text:>20}", repr(text))
    assert json.dumps({"kind": kind}) == json.dumps({"kind": text})
    assert {kind: 1}[text] == 1


def test_the_detail_of_another_kind_is_refused() -> None:
    event = Event(EventKind.FAULT, "server", "", 0, 0, "", Fault(FaultKind.NULL, "why"))
    assert event.of(Fault).why == "why"
    assert event.path is None
    with pytest.raises(AssertionError, match="fault has no HandleName"):
        event.of(HandleName)
