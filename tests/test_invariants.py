"""What holds for every call, however it was made: each test draws interfaces, calls and environments at random."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given

from rpcmemkit.draw.build import picture
from rpcmemkit.memory import HEAPS
from rpcmemkit.paths import storage_label, storage_name
from rpcmemkit.plan import Plan, StructPlan
from rpcmemkit.reader import Reader
from rpcmemkit.scenario import as_step, parse_scenario, verify
from rpcmemkit.scenario.compare import Values
from rpcmemkit.scenario.run import Outcome, Run
from rpcmemkit.story import tell
from rpcmemkit.walk import Place, reach
from tests.strategies import Case, cases, rules_of, thorough
from tests.strategies.cases import compiled_once
from tests.strategies.environments import EVERY
from tests.strategies.values import Received, labels_in
from tests.test_contract import Observed

COUNTS = ("client_allocations", "client_frees", "server_allocations", "server_frees", "server_leaked")


# --- no alias that nobody made ------------------------------------------------------------------------


def received(case: Case, outcome: Outcome) -> list[str]:
    """The routine sees what the client sent: each value, and as one storage only what full pointers share."""
    seen = outcome.observed().get("server_sees")
    if seen is None:
        return []
    expected = Received(case.interface, case.arguments).expected()
    found = [str(each) for each in Values(seen).compare("server_sees", expected)]
    made, there = list(labels_in(expected)), list(labels_in(seen))
    if (
        len(made) != len(there) and not case.shares
    ):  # a unique pointer's copy shares what full ones below it lead to
        found.append(f"{len(made)} aliases were sent, {len(there)} arrived")
    return found + overlaps(outcome)


def overlaps(outcome: Outcome) -> list[str]:
    """No two values on the server share bytes."""
    call = outcome.call
    space, frame = call.space("server entry"), call.trace.snapshots["server entry"].frame
    roots = [call.server_frame.place(name, frame) for name, _, _ in call.server_frame.all]
    extents = sorted(
        (place.address, extent(place.plan))
        for place in reach(space, roots).values()
        if extent(place.plan) and space.capacity(place.address)
    )
    both = pairwise(extents)
    return [f"{one} and {two} overlap" for one, two in both if one[0] + one[1] > two[0]]


def extent(plan: Plan) -> int:
    """The bytes of a value without an open end: no padding has to follow an open array of none."""
    return plan.tail_offset if isinstance(plan, StructPlan) and plan.tail else plan.size


# --- every block has one end ----------------------------------------------------------------------------


def ends(outcome: Outcome) -> list[str]:
    """Every block of a side was freed once, or can be reached, or is named as lost."""
    return server_ends(outcome) + client_ends(outcome)


def server_ends(outcome: Outcome) -> list[str]:
    call, trace = outcome.call, outcome.call.trace
    if "server after" not in trace.snapshots:
        return []
    space = call.space("server after")
    freed = Counter(event.address for event in trace.select("free", side="server"))
    kept = {event.address for event in trace.select("keep", side="server")}
    leaked = {block.address for block in outcome.audit.leaked}
    found = [f"server block {address:#x} was freed {n} times" for address, n in freed.items() if n > 1]
    for event in trace.select("allocate", side="server"):
        block = space.block(event.address) if event.address else None
        if block is None:
            continue
        alive = block.live
        if alive == bool(freed[event.address]):
            found.append(f"server block {event.address:#x}: live {alive}, freed {freed[event.address]}")
        if alive and event.address not in kept | leaked and block.kind in HEAPS - {"RpcSs"}:
            found.append(
                f"server block {event.address:#x} of {event.actor} is neither freed, kept nor leaked"
            )
    return found


def client_ends(outcome: Outcome) -> list[str]:
    call, trace = outcome.call, outcome.call.trace
    space = call.space("client after")
    freed = Counter(event.address for event in trace.select("free", side="client"))
    found = [f"client block {address:#x} was freed {n} times" for address, n in freed.items() if n > 1]
    before = reach(call.space("client before"), call.roots.values())
    after = reach(space, call.roots.values())
    reached = {block.address for address in after if (block := space.block(address))}
    orphaned = {block.address for p in outcome.audit.orphaned_places if (block := space.block(p.address))}
    made = [event.address for event in trace.select("allocate", side="client", actor="stub") if event.address]
    for address in {*before, *made}:
        block = space.block(address)
        if block is None or block.address in reached:
            continue
        if block.live == bool(freed[block.address]):
            found.append(f"client block {block.address:#x}: live {block.live}, freed {freed[block.address]}")
        if block.live and address in before and block.address not in orphaned:
            found.append(f"client block {block.address:#x} is lost, and not named as orphaned")
    return found


# --- who is at fault ---------------------------------------------------------------------------------------


def faults(case: Case, outcome: Outcome, environment: dict[str, Any]) -> list[str]:
    """A careful routine meets no fault; a block is freed twice only where one aliased pointers, and both are named."""
    audit = outcome.audit
    found: list[str] = []
    if case.shares:  # a proxy frees what unique pointers of its own client lead to twice
        return found
    if case.careful and (environment == case.environment or not case.frees_given):
        found += [f"a careful routine met a fault: {event.detail}" for event in audit.faults]
        found += [
            f"a careful routine left {each} dangling" for each in audit.dangling if each.side == "server"
        ]
    for event in audit.faults:
        kind, why = event.detail[:2]
        if (
            kind == "double free"
            and event.actor == "stub"
            and not (case.points or frees_without_clearing(case))
        ):
            found.append(f"freed twice, though nobody aliased anything: {why}")
    return found


def frees_without_clearing(case: Case) -> bool:
    """Whether the routine freed something and left the pointer as it was."""
    steps = pairwise([*case.actions, {}])
    return any("free" in one and other != {"set": one["free"], "to": None} for one, other in steps)


# --- all faces say the same --------------------------------------------------------------------------------


def faces(outcome: Outcome) -> list[str]:
    """Text, JSON, story, picture and audit count the same."""
    audit, observed = outcome.audit, outcome.observed()
    data = json.loads(json.dumps(as_step(outcome)))["observed"]
    text = tell(outcome.call).text(100)
    client, server = picture(outcome.call).counts
    found = [f"JSON: {key}" for key in COUNTS if data[key] != getattr(audit, key)]
    counted = {
        "picture, client": ((client.allocated, client.freed), (audit.client_allocations, audit.client_frees)),
        "picture, server": (
            (server.allocated, server.freed, server.leaked),
            (audit.server_allocations, audit.server_frees, audit.server_leaked),
        ),
        "picture, orphaned": (client.orphaned, len(audit.orphaned_places)),
        "orphaned": (len(observed["orphaned"]), len(audit.orphaned_places)),
        "story: LEAKED": ("LEAKED:" in text, bool(audit.server_leaked)),
        "story: ORPHANED": ("ORPHANED:" in text, bool(audit.orphaned)),
        "clean": (audit.clean, "Nothing is orphaned, leaked or left dangling." in text),
    }
    found += [f"{what}: {one} is not {other}" for what, (one, other) in counted.items() if one != other]
    missing = [
        place
        for place in audit.orphaned_places[:10]
        if not any(name in text for name in names(outcome, place))
    ]
    return found + [f"the story does not name the orphaned {storage_label(place)}" for place in missing]


def names(outcome: Outcome, place: Place) -> set[str]:
    """What storage of the client may be called: a label of the file, or its path in C."""
    label = outcome.call.labels.name(place.address)
    return {storage_name(place), *([label] if label else [])}


# --- explain keeps its promises ------------------------------------------------------------------------------


def promises(case: Case, run: Run, outcome: Outcome) -> list[str]:
    """What explain says comes true; of storage that two parameters share, the one may lose what the other keeps."""
    found = Observed(outcome.call, run.session.environment, run.session.interface).check()
    aliased = any(labels_in(case.arguments))
    return [each for each in found if not (aliased and ": orphaned: " in each)]


# --- what was written is read -------------------------------------------------------------------------------


def returned(case: Case, outcome: Outcome) -> list[str]:
    """The client has after the call what the routine left behind."""
    call = outcome.call
    aliased = any(labels_in(case.arguments))  # then one write may undo another (K24)
    if (
        call.status
        or "server exit" not in call.trace.snapshots
        or aliased
        or case.points
        or case.begins_later
    ):
        return []
    frame = call.trace.snapshots["server exit"].frame
    out = [p.member.name for p in case.interface.parameters if p.is_out]
    out += ["return"] if case.interface.result else []
    left = {name: call.server_frame.place(name, frame) for name in out}
    after = {name: call.arguments[name] for name in out}
    one = Reader(call.space("server exit")).read(left)
    other = Reader(call.space("client after")).read(after)
    return [str(each) for each in Values(unfolded(other)).compare("client_after", unfolded(one))]


def unfolded(value: Any) -> Any:
    """A value without labels; what is shared is said once, what is beyond the transmitted elements not at all."""
    if isinstance(value, list):
        return [unfolded(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "$label" in value or "$new" in value:
        return unfolded(value["$value"])
    return {key: unfolded(each) for key, each in value.items() if not untold(each)}


def untold(value: Any) -> bool:
    while isinstance(value, dict) and "$value" in value and "$case" not in value:
        value = value["$value"]
    return isinstance(value, dict) and ("$alias" in value or "$allocated" in value)


# --- the scenario agrees with itself ---------------------------------------------------------------------------


def itself(case: Case, outcome: Outcome, environment: dict[str, Any]) -> list[str]:
    """What ``run --json`` prints is an ``expect`` that ``verify`` agrees with."""
    expect = json.loads(json.dumps(outcome.observed()))
    del expect["call"]
    if any("$fault" in json.dumps(value) for value in expect.values()):
        return []  # what cannot be read cannot be written down
    with compiled_once():
        report = verify(parse_scenario(case.text(environment, expect)))
    return [*map(str, report.differences), *([report.error] if report.error else [])]


# --- environments with the same rules ---------------------------------------------------------------------------


def story_of(outcome: Outcome) -> dict[str, Any]:
    """What happened, apart from the bytes of the messages and from addresses."""
    text = json.dumps({k: v for k, v in outcome.observed().items() if k not in ("request", "response")})
    observed = json.loads(re.sub(r"0x[0-9a-f]+", "0x…", text))
    events = outcome.call.trace.select("allocate", "free", "mark", "reuse", "raise", "fault", side="server")
    return observed | {"events": [(e.kind, e.actor, e.rule) for e in events]}


# --- the tests ---------------------------------------------------------------------------------------------------


def check(case: Case, environment: dict[str, Any], whole: bool = True) -> Outcome:
    """Hold a case to everything in an environment; what does not depend on it only if it is the ``whole`` check."""
    run, outcome = case.run(environment)
    found = {
        "received": received(case, outcome),
        "faults": faults(case, outcome, environment),
        "ends": ends(outcome),
        "promises": promises(case, run, outcome),
        "returned": returned(case, outcome),
        "faces": faces(outcome) if whole else [],
        "itself": itself(case, outcome, environment) if whole else [],
    }
    wrong = {name: each for name, each in found.items() if each}
    assert not wrong, wrong
    return outcome


def others(case: Case) -> list[dict[str, Any]]:
    """Two more environments for a case: one with the same rules, one with others."""
    same = [each for each in EVERY if rules_of(each) == rules_of(case.environment)]
    different = [each for each in EVERY if rules_of(each) != rules_of(case.environment)]
    seed = len(case.interface.idl)
    return [same[seed % len(same)], different[seed % len(different)]]


@thorough(400)
@given(cases())
def test_invariants_hold_for_every_call(case):
    outcome = check(case, case.environment)
    for environment in others(case):
        if case.compiles(environment):
            other = check(case, environment, whole=False)
            if rules_of(environment) == rules_of(case.environment):
                assert story_of(other) == story_of(outcome)
