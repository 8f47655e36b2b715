"""What every trace of every scenario file has to be: complete events, of rules that exist, about memory that was there."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rpcmemkit.errors import RpcError
from rpcmemkit.kinds import EventKind, FaultKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.paths import path_text
from rpcmemkit.plan import Plan
from rpcmemkit.rules import RULES
from rpcmemkit.scenario import Run as Scenario
from rpcmemkit.scenario import find_files, load_scenario
from rpcmemkit.trace import (
    KEPT,
    Event,
    Fault,
    HandleName,
    Kept,
    PackageCall,
    Raw,
    Run,
    Same,
    Span,
    Trace,
    compact,
)

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
    run = Scenario(load_scenario(file))
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
    if event.kind == "keep":  # the state of a context handle, or what stays for a reason of its own
        assert event.detail is None or isinstance(event.detail, HandleName)
    elif event.kind in DETAILS:
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


# --- runs ---------------------------------------------------------------------------------------

LIKE = ("allocate", "server", "stub", 0, 0, "a-rule", "midl_user")
MIXED = [
    ("unmarshal", "server", "stub", 8, 4, "r", None),
    ("allocate", "server", "stub", 100, 16, "r", "midl_user"),
    ("unmarshal", "server", "stub", 100, 16, "r", None),
    ("allocate", "server", "stub", 124, 16, "r", "midl_user"),
]


def replayed(events: list[Raw], like: Raw | None = None) -> tuple[Run, list[int]]:
    """A run of these events, and the list that grows with each replay."""
    asked: list[int] = []

    def replay() -> tuple[list[Raw], list[Span]]:
        asked.append(len(asked))
        return events, [Span(0, 4, "id", None, None)]

    return Run(frozenset({"unmarshal", "allocate"}), like, (100, 124), (16, 16), replay), asked


def told(*entries: Raw | Run) -> Trace:
    trace = Trace("f")
    trace.raw += entries
    return trace


def test_a_run_is_told_as_its_events() -> None:
    run, _ = replayed(MIXED)
    trace = told(
        ("phase", "server", "stub", 0, 0, "", None), run, ("raise", "server", "stub", 0, 0, "r", None)
    )
    assert [event.kind for event in trace] == ["phase", *(each[0] for each in MIXED), "raise"]
    assert len(trace) == 6
    assert [event.address for event in trace.select("allocate")] == [100, 124]
    assert [event.kind for event in trace.between(1, 2)] == [each[0] for each in MIXED]
    assert trace.now == 3
    assert [(place, event.kind) for place, event in trace.places("unmarshal", "raise")] == [
        (2, "unmarshal"),
        (2, "unmarshal"),
        (3, "raise"),
    ]
    assert (
        list(trace.select("allocate", side="client")) == list(trace.select("allocate", actor="routine")) == []
    )


def test_a_run_of_like_blocks_is_counted_without_being_replayed() -> None:
    run, asked = replayed(MIXED, LIKE)
    trace = told(LIKE, run)
    assert [(event.rule, number) for event, number in trace.tally("allocate")] == [
        ("a-rule", 1),
        ("a-rule", 2),
    ]
    assert [list(each) for each in trace.blocks("allocate", side="server")] == [[0], [100, 124]]
    assert list(trace.blocks("allocate", side="client")) == []
    assert [(e.address, e.size, e.rule) for e in trace.select("allocate")][1:] == [
        (100, 16, "a-rule"),
        (124, 16, "a-rule"),
    ]
    assert list(trace.select("free")) == []
    assert not asked
    assert [number for _, number in trace.tally("allocate", "unmarshal")] == [1, 1, 1, 1, 1]
    assert asked


def test_a_run_of_unlike_blocks_has_to_be_replayed() -> None:
    run, asked = replayed(MIXED)
    assert [number for _, number in told(run).tally("allocate")] == [1, 1]
    assert [list(each) for each in told(run).blocks("allocate", side="server")] == [[100], [124]]
    assert asked == [0], "few events are kept"
    assert run.spans() == [Span(0, 4, "id", None, None)]
    assert asked == [0]


def test_of_many_events_only_the_recipe_is_kept() -> None:
    run, asked = replayed(MIXED * KEPT)
    assert len(run.events()) == len(run.events()) == 4 * KEPT
    assert asked == [0, 1]


def test_frees_are_runs_that_need_no_replay() -> None:
    run = Run.of_blocks(("free", "client", "stub", 0, 0, "r", ""), [48, 24, 0], [16, 16, 16])
    assert [(event.kind, event.address) for event in told(run)] == [("free", 48), ("free", 24), ("free", 0)]
    assert run.spans() == []


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ([], array),
        ([7], Same),
        ([7, 7, 7], Same),
        ([8, 32, 56], range),
        ([56, 32, 8], range),
        ([8, 32, 56, 81], array),
        ([8, 9, 1 << 40], array),
        (range(3), range),
    ],
)
def test_numbers_are_the_same_in_little_room(numbers: Sequence[int], kind: type) -> None:
    compacted = compact(numbers)
    assert isinstance(compacted, kind)
    assert list(compacted) == list(numbers)
    assert len(compacted) == len(numbers)
    assert [compacted[at] for at in range(len(numbers))] == list(numbers)
    assert list(compacted[1:]) == list(numbers[1:])
