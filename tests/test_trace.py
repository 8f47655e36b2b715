"""What every trace of every scenario file has to be: complete events, of rules that exist, about memory that was there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rpcmemkit.errors import RpcError
from rpcmemkit.kinds import EventKind, FaultKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.paths import path_text
from rpcmemkit.plan import Plan
from rpcmemkit.rules import RULES
from rpcmemkit.scenario import Run, find_files, load_scenario
from rpcmemkit.trace import Event, Fault, HandleName, Kept, PackageCall, Span, Trace

TESTS = Path(__file__).parent
RUNNABLE = [
    file for file in find_files([TESTS / "scenarios", TESTS / "conformance"]) if load_scenario(file).steps
]

ACTORS = {"application", "stub", "routine", "conversion"}
ABOUT_BLOCKS = {
    "allocate",
    "free",
    "mark",
    "keep",
    "reuse",
    "marshal",
    "unmarshal",
    "open",
    "close",
    "run-down",
}
RULED = ABOUT_BLOCKS - {"keep"} | {"lose", "notify", "rpcss"}
NAMES = ["allocate", "free", "mark", "convert", "pipe", "notify", "no routine", "name"]
DETAILS: dict[str, type] = {
    **dict.fromkeys(NAMES, str),
    **dict.fromkeys(["marshal", "unmarshal"], Span),
    **dict.fromkeys(["open", "close", "run-down", "lose"], HandleName),
    **dict.fromkeys(["raise", "status"], RpcError),
    "fault": Fault,
    "rpcss": PackageCall,
    "remember": Kept,
    "cancel": str,
}
WITH_PATHS = {"read", "write", "reuse", "stack"}


def happenings(file: Path) -> Iterator[tuple[str, Trace, dict[str, AddressSpace]]]:
    """Yield the traces of a file's calls and departures, with the memory of both sides at the end."""
    run = Run(load_scenario(file))
    for happened in run.happenings():
        trace = getattr(happened, "call", happened).trace
        spaces = {"client": run.session.client.space, "server": run.session.server.space}
        yield getattr(trace, "procedure", ""), trace, spaces


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in RUNNABLE])
def test_events_are_complete(file: Path) -> None:
    for _, trace, spaces in happenings(file):
        for event in trace:
            check_event(event)
            if event.kind in ABOUT_BLOCKS and event.address:
                check_place(event, spaces[event.side])
            if event.kind in ("marshal", "unmarshal"):
                check_span(event.of(Span), trace)
        for message in trace.messages.values():
            assert isinstance(message.big_endian, bool)
            for span in message.spans:
                assert 0 <= span.offset <= span.offset + span.size <= len(message.data)


def check_event(event: Event) -> None:
    assert event.side in ("client", "server")
    assert event.actor in ACTORS | {""}
    assert isinstance(event.address, int)
    assert isinstance(event.size, int)
    assert event.rule == "" or event.rule in RULES
    if event.kind in RULED and event.detail != "private":
        assert event.rule
    assert isinstance(event.kind, EventKind)
    if event.kind in DETAILS:
        assert type(event.detail) is DETAILS[event.kind]
        assert event.detail or event.kind == "cancel"
    else:
        assert event.detail is None or (event.kind in WITH_PATHS and event.detail is event.path)
    if isinstance(event.detail, Fault):
        assert isinstance(event.detail.kind, FaultKind)
    if event.kind == "reuse":
        assert path_text(event.path)


def check_place(event: Event, space: AddressSpace) -> None:
    """What an event is about lies in one block of its side."""
    block = space.block(event.address)
    assert block is not None
    assert event.address + event.size <= block.end


def check_span(span: Span, trace: Trace) -> None:
    """Bytes of a message come from a named place of a known layout."""
    assert isinstance(span.offset, int)
    assert isinstance(span.plan, Plan)
    assert path_text(span.path).lstrip("*").split(".")[0].split("[")[0]
    if trace.status:
        return  # a message that failed half-way was never sent
    assert span.offset + span.size <= max(len(message.data) for message in trace.messages.values())


def test_the_files_show_every_kind_of_event() -> None:
    kinds = "allocate free mark keep marshal unmarshal reuse write raise fault rpcss notify open close run-down lose"
    seen = {event.kind for file in RUNNABLE for _, trace, _ in happenings(file) for event in trace}

    assert set(kinds.split()) - seen == set()
