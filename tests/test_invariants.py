"""What holds for every call, however it was made: each test draws interfaces, calls and environments at random."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from typing import Any

from hypothesis import given

from rpcmemkit.audit import SHOWN, Audit, Dangling
from rpcmemkit.draw.build import picture
from rpcmemkit.draw.panel import TOLD
from rpcmemkit.kinds import BlockKind
from rpcmemkit.paths import storage_label, storage_name
from rpcmemkit.plan import Plan, StructPlan
from rpcmemkit.reader import Reader
from rpcmemkit.scenario import as_step, parse_scenario, verify
from rpcmemkit.scenario.compare import Values
from rpcmemkit.scenario.run import ClientStep, Outcome, Run
from rpcmemkit.story import tell
from rpcmemkit.walk import Place, reach
from tests.strategies import Case, cases, rules_of, thorough
from tests.strategies.cases import Invocation, compiled_once
from tests.strategies.environments import EVERY
from tests.strategies.values import ROOMY, Received, labels_in
from tests.test_contract import Observed

COUNTS = ("client_allocations", "client_frees", "server_allocations", "server_frees", "server_leaked")


# --- no alias that nobody made ------------------------------------------------------------------------


def received(case: Case, made: Invocation, outcome: Outcome) -> list[str]:
    """The routine sees what the client sent: each value, and as one storage only what full pointers share."""
    seen = outcome.observed().get("server_sees")
    if seen is None or made.procedure == "Open":
        return []
    expected = Received(case.interface, made.arguments).expected()
    seen = {name: each for name, each in seen.items() if name in expected}
    found = [str(each) for each in Values(seen).compare("server_sees", expected)]
    sent, there = list(labels_in(expected)), list(labels_in(seen))
    if (
        len(sent) != len(there) and not case.shares
    ):  # a unique pointer's copy shares what full ones below it lead to
        found.append(f"{len(sent)} aliases were sent, {len(there)} arrived")
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
        if (
            alive
            and event.address not in kept | leaked
            and block.kind.heap
            and block.kind is not BlockKind.RPCSS
        ):
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


def faults(case: Case, made: Invocation, outcome: Outcome, environment: dict[str, Any]) -> list[str]:
    """A careful routine meets no fault; a block is freed twice only where one aliased pointers, and both are named.

    A client that passes [in] storage of its own for what a proxy replaces as well makes the proxy free it in the wrong way.
    """
    audit = outcome.audit
    found = both_named(outcome)
    if case.shares:  # a proxy frees what unique pointers of its own client lead to twice
        return found
    before = case.calls[: case.calls.index(made) + 1]
    tight = [
        each for name in case.interface.buffers if (each := made.arguments.get(f"{name}_b", ROOMY)) < ROOMY
    ]
    # a proxy zeroes what [out] parameters lead to, and overruns a buffer that is smaller
    careful = case.careful and not (tight and case.interface.is_object)
    if careful and (environment == case.environment or not any(each.frees_given for each in before)):
        lent = case.interface.is_object and any(labels_in(made.arguments))
        found += [
            f"a careful routine met a fault: {event.detail}"
            for event in audit.faults
            if not (lent and event.side == "client" and event.detail[0] == "mismatched free")
        ]
        found += [
            f"a careful routine left {each} dangling"
            for each in audit.dangling
            if each.side == "server" and not keeps_state(case, outcome, each)
        ]
    for event in audit.faults:
        kind, why = event.detail[:2]
        if (
            kind == "double free"
            and event.actor == "stub"
            and not any(shared(case, each, why) for each in before)
        ):
            found.append(f"freed twice, though nobody aliased anything: {why}")
    return found


def keeps_state(case: Case, outcome: Outcome, dangling: Dangling) -> bool:
    """Whether a handle keeps its state beyond the RpcSs environment of the call: the routine took it from there."""
    handles = {p.member.name for p in case.interface.parameters if case.interface.holds(p)} | {"h"}
    block = outcome.call.space("server exit").block(dangling.address)
    return leads(dangling.path) in handles and block is not None and block.kind is BlockKind.RPCSS


def both_named(outcome: Outcome) -> list[str]:
    """Audit, story and picture name both pointers that lead to a block which a stub freed twice.

    Who freed it first without a pointer of the parameters, the routine or an earlier call, is named instead. A picture
    has room for some faults, and counts the others.
    """
    twice = [e for e in outcome.audit.faults if e.detail[0] == "double free" and e.actor == "stub"]
    found = [
        f"a double free that does not say of what: {e.detail[1]}"
        for e in twice
        if not BOTH.match(e.detail[1])
    ]
    if not twice:
        return found
    notes = {column.key: column.note for column in picture(outcome.call).columns}
    faces = {"audit": repr(outcome.audit), "story": tell(outcome.call).text(100)}
    for side, key in (("client", "after"), ("server", "server")):
        told = [event for event in outcome.audit.faults if event.side == side][:TOLD]
        these = [event.detail[1] for event in twice if event.side == side]
        found += [f"picture: {e.detail[1]}" for e in told if e in twice and e.detail[1] not in notes[key]]
        found += [
            f"{face}: {why}"
            for why in these[:SHOWN]
            for face, text in faces.items()
            if flat(why) not in flat(text)
        ]
    return found


def flat(text: str) -> str:
    return re.sub(r"\s", "", text)


BOTH = re.compile(
    r"the stub calls \w+ for (\S.*), which leads to the block "
    r"(that it freed for (?!\1,)\S.*, at 0x|at 0x\w+: (a |the )?(routine|application|stub|conversion routine) (has )?freed that )"
)
"""What names both sides of a double free: two pointers, or a pointer and who freed the block before."""


def shared(case: Case, made: Invocation, why: str) -> bool:
    """Whether the routine made what a double free tells of: pointers that share a block, or one to a block that it freed."""
    return made.points if "that it freed for" in why else frees_what_is_shared(case, made)


def frees_what_is_shared(case: Case, made: Invocation) -> bool:
    """Whether the routine freed something that another pointer still leads to, the stub's own of a parameter included."""
    steps = pairwise([*made.actions, {}])
    kept = any("free" in one and other != {"set": one["free"], "to": None} for one, other in steps)
    freed = [each["free"] for each in made.actions if "free" in each]
    return kept or any(map(case.interface.in_copy, freed)) or (bool(freed) and any(labels_in(made.arguments)))


# --- all faces say the same --------------------------------------------------------------------------------


def faces(outcome: Outcome) -> list[str]:
    """Text, JSON, story, picture and audit count the same."""
    audit, observed = outcome.audit, outcome.observed()
    data = json.loads(json.dumps(as_step(outcome)))["observed"]
    text = tell(outcome.call).text(100)
    nothing = "Nothing is orphaned, leaked or left dangling." in text
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
        "clean": (audit.clean or bool(outcome.call.stored and in_order(audit)), nothing),
    }
    found += [f"{what}: {one} is not {other}" for what, (one, other) in counted.items() if one != other]
    missing = [
        place
        for place in audit.orphaned_places[:10]
        if not any(name in text for name in names(outcome, place))
    ]
    found += miscounted(outcome)
    return found + [f"the story does not name the orphaned {storage_label(place)}" for place in missing]


def in_order(audit: Audit) -> bool:
    """Whether there is nothing to say of the memory, however the call ended."""
    return not (
        audit.orphaned_places or audit.leaked or audit.dangling or audit.faults or audit.unwritten_sent
    )


def miscounted(outcome: Outcome) -> list[str]:
    """The counts are those of the events; a free that failed is a fault and no event of its own."""
    audit, trace = outcome.audit, outcome.call.trace
    allocated = {
        "client": sum(e.actor == "stub" for e in trace.select("allocate", side="client")),
        "server": sum(e.detail != "private" for e in trace.select("allocate", side="server")),
    }
    found = [] if allocated["client"] == audit.client_allocations else ["client allocations"]
    found += [] if allocated["server"] == audit.server_allocations else ["server allocations"]
    frees = {
        "client": (audit.client_frees, [e for e in trace.select("free", side="client") if e.actor == "stub"]),
        "server": (
            audit.server_frees + audit.server_released,
            list(trace.select("free", "mark", side="server")),
        ),
    }
    for side, (said, events) in frees.items():
        failed = [e for e in audit.faults if e.side == side]
        if not len(events) <= said <= len(events) + len(failed):
            found.append(f"{side} frees: {said} of {len(events)}, {len(failed)} faults")
    return found


def names(outcome: Outcome, place: Place) -> set[str]:
    """What storage of the client may be called: a label of the file, or its path in C."""
    label = outcome.call.labels.name(place.address)
    return {storage_name(place), *([label] if label else [])}


# --- explain keeps its promises ------------------------------------------------------------------------------


def promises(case: Case, made: Invocation, run: Run, outcome: Outcome) -> list[str]:
    """What explain says comes true, pointer by pointer.

    What a routine makes a [byte_count] parameter and another one point to lies where the first of them has it. Of storage that two parameters share, the one may lose what the other keeps, and what an [in] one leads to changes
    where the other is [out].
    """
    observed = Observed(outcome.call, run.session.environment, run.session.interface)
    found = observed.check()
    if made.points:
        found = [e for e in found if leads(e) not in case.interface.buffers or not e.endswith("new storage")]
    if not any(labels_in(made.arguments)):
        return found
    kept = {p.name for p in outcome.call.procedure.parameters if not p.is_out}
    return [
        each
        for each in found
        if ": orphaned: " not in each and not (leads(each) in kept and ": server" not in each)
    ]


def leads(finding: str) -> str:
    """The parameter that a finding begins with."""
    return re.findall(r"\w+", finding)[0]


# --- what was written is read -------------------------------------------------------------------------------


def returned(case: Case, made: Invocation, outcome: Outcome) -> list[str]:
    """The client has after the call what the routine left behind."""
    call = outcome.call
    aliased = any(labels_in(made.arguments))  # then one write may undo another (K24)
    ended = call.status or call.stored or "server exit" not in call.trace.snapshots
    if ended or aliased or made.points or made.begins_later or made.procedure == "Open":
        return []
    frame = call.trace.snapshots["server exit"].frame
    out = [p.member.name for p in case.interface.parameters if p.is_out and not case.interface.holds(p)]
    out += ["return"] if case.interface.result else []
    left = {name: call.server_frame.place(name, frame) for name in out}
    after = {name: call.arguments[name] for name in out}
    one = Reader(call.space("server exit")).read(left)
    other = Reader(call.space("client after")).read(after)
    return [str(each) for each in Values(unfolded(other)).compare("client_after", unfolded(one))]


def unfolded(value: Any) -> Any:
    """A value without labels; what is shared is said once, what is beyond the transmitted elements not at all.

    Nor is an array of none that was freed: a stub that had to read it would have met the fault.
    """
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
    return isinstance(value, dict) and bool({"$alias", "$allocated", "$fault"} & set(value))


# --- what arrived can be sent again ------------------------------------------------------------------------------


def again(case: Case, made: Invocation, outcome: Outcome, environment: dict[str, Any]) -> list[str]:
    """What the routine sees, passed by a client, gives the same request."""
    observed, interface = outcome.observed(), case.interface
    if "server_sees" not in observed or made.begins_later or interface.handle:
        return []
    if "'$value': None" in str(made.arguments):
        return []  # what a pointer to a null pointer shows is null as well
    if "'$case': 'default'" in str(observed["server_sees"]):
        return []  # of an encapsulated union that is shown so nobody can tell which number was sent
    run = Case(interface, environment, True, False, {}, False).open(environment)
    arguments = {name: made.arguments[name] for name in interface.buffers} | observed["server_sees"]
    request = run.session.try_call("f", arguments).trace.messages["request"].data.hex()
    return [] if request == observed["request"] else [f"again: {request}, first: {observed['request']}"]


# --- the scenario agrees with itself ---------------------------------------------------------------------------


def itself(case: Case, outcomes: list[Outcome], environment: dict[str, Any]) -> list[str]:
    """What ``run --json`` prints is an ``expect`` that ``verify`` agrees with, in a file as well."""
    expects = [json.loads(json.dumps(outcome.observed())) for outcome in outcomes]
    if "$fault" in json.dumps(expects):
        return []  # what cannot be read cannot be written down
    for expect in expects:
        del expect["call"]
    as_file = len(case.interface.idl) % 4 == 0  # text takes longest
    with compiled_once():
        scenario = case.scenario(environment, expects)
        report = verify(parse_scenario(case.text(environment, expects)) if as_file else scenario)
    return [*map(str, report.differences), *([report.error] if report.error else [])]


# --- environments with the same rules ---------------------------------------------------------------------------


def story_of(outcome: Outcome) -> dict[str, Any]:
    """What happened, apart from the bytes of the messages and from addresses."""
    text = json.dumps({k: v for k, v in outcome.observed().items() if k not in ("request", "response")})
    observed = json.loads(re.sub(r"0x[0-9a-f]+", "0x…", text))
    events = outcome.call.trace.select("allocate", "free", "mark", "reuse", "raise", "fault", side="server")
    return observed | {"events": [(e.kind, e.actor, e.rule) for e in events]}


# --- the tests ---------------------------------------------------------------------------------------------------


def check(case: Case, environment: dict[str, Any], whole: bool = True) -> list[Outcome]:
    """Hold a case to everything in an environment; what does not depend on it only if it is the ``whole`` check."""
    run = case.open(environment)
    calls, outcomes = iter(case.calls), []
    for happened in run.happenings():
        if isinstance(happened, ClientStep):
            assert not happened.observed["faults"], happened.observed
            continue
        made, outcome = next(calls), happened
        outcomes.append(outcome)
        found = {
            "received": received(case, made, outcome),
            "faults": faults(case, made, outcome, environment),
            "ends": ends(outcome),
            "promises": promises(case, made, run, outcome),
            "returned": returned(case, made, outcome),
            "faces": faces(outcome) if whole else [],
            "again": again(case, made, outcome, environment) if whole else [],
        }
        wrong = {name: each for name, each in found.items() if each}
        assert not wrong, (len(outcomes), wrong)
    TALLY["environments"] += 1
    TALLY["calls"] += len(outcomes)
    assert not (whole and (wrong := itself(case, outcomes, environment))), wrong
    if case.package:
        left = [
            block for block in run.session.client.space.ledger if block.live and block.kind is BlockKind.RPCSS
        ]
        assert not left, left
        assert not run.findings
    return outcomes


def others(case: Case) -> list[dict[str, Any]]:
    """Two more environments for a case: one with the same rules, one with others."""
    possible = [each for each in EVERY if case.compiles(each)]
    rules = rules_of(case.environment)
    groups = ([e for e in possible if rules_of(e) == rules], [e for e in possible if rules_of(e) != rules])
    seed = len(case.interface.idl)
    return [group[seed % len(group)] for group in groups if group]


def hold(case: Case) -> None:
    """Hold a case to every invariant, in its own environment and in two others."""
    stories = [story_of(outcome) for outcome in check(case, case.environment)]
    TALLY["cases"] += 1
    for environment in others(case):
        outcomes = check(case, environment, whole=False)
        if rules_of(environment) == rules_of(case.environment) and not case.cramped:
            assert [story_of(outcome) for outcome in outcomes] == stories


TALLY: Counter[str] = Counter()
"""How many cases, calls and environments have been checked."""


def test_invariants_hold_for_every_call():
    """More than 2,000 calls, the same each time; `make random N=20000` draws new ones."""
    before = TALLY["calls"]
    thorough(440)(given(cases())(hold))()
    assert TALLY["calls"] - before > 2000
