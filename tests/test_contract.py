"""What `contract` promises is what a run observes: for every recorded call, and for every construct."""

from collections import defaultdict
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpcmemkit import RULES, Environment, Session, UsageError
from rpcmemkit.audit import Audit
from rpcmemkit.contract import OWN, STUB_MEMORY, contract
from rpcmemkit.free_plan import FreePlan
from rpcmemkit.plan import PointerPlan
from rpcmemkit.scenario import Run, find_files, load_scenario
from rpcmemkit.walk import pointers_in, reach
from tests.engine.constructs import CONSTRUCTS
from tests.engine.helpers import NODE, TREE, first, idl_text, linked, open_session
from tests.generated import carry_out

DCE_REFUSES = {"conformant arrays", "ranges", "pointers to pointers"}
FOLDER = Path(__file__).parent / "conformance"


# --- observing ----------------------------------------------------------------------------------


def pointers(space, roots):
    """Every pointer that can be reached, as (path, address of its referent or 0)."""
    places = list(roots)
    for place in (*places, *reach(space, places).values()):
        if isinstance(place.plan, PointerPlan):
            yield place.path, space.pointer_at(place.address)
        elif space.capacity(place.address):
            for pointer in pointers_in(space, place):
                yield pointer.path, space.pointer_at(pointer.address)


class Observed:
    """A call seen as its contract sees it: what each pointer's promise row stands for in memory."""

    def __init__(self, call, environment, interface):
        self.call = call
        self.audit = Audit(call)
        self.contract = contract(interface, call.procedure.name, environment)
        self.differences = []
        self.seen = set()

    def rows(self, moment, roots):
        """The rows of every block that is reached at a moment, by the address of the block."""
        space = self.call.space(moment)
        found = defaultdict(list)
        for path, address in pointers(space, roots):
            row = self.contract.of(path)
            if row is None:
                self.differences.append(f"{moment}: no promise for {path}")
            elif address and (block := space.block(address)):
                found[block.address].append(row)
        return found

    def differ(self, row, what, seen):
        self.differences.append(f"{row.path}: {what}: {seen}")

    def see(self, row, facet, outcome):
        self.seen.add((row.kind == "ref", row.level, row.direction, facet, outcome))

    def promised(self):
        """Everything that the contract says may happen, in the form of what was seen."""
        for row in self.contract.promises:
            for facet, cell in (("entry", row.server.entry), ("before", row.client.before), ("after", row.client.after)):
                yield from ((row.kind == "ref", row.level, row.direction, facet, outcome) for outcome in cell.outcomes)
            for side, of in (("client", row.client), ("server", row.server)):
                for outcome in of.lost.outcomes:
                    yield row.kind == "ref", row.level, row.direction, "lost", outcome
                for facet in ("allocates", "frees"):
                    for act in getattr(of, facet):
                        yield row.kind == "ref", row.level, row.direction, f"{side} {facet}", tuple(act)

    def check(self):
        self.entry()
        self.client_before_and_after()
        self.client_acts()
        self.server_acts()
        self.losses()
        return self.differences

    # --- one question each ---

    def server_roots(self, moment):
        frame = self.call.trace.snapshots[moment].frame
        return [self.call.server_frame.place(name, frame) for name, _, _ in self.call.server_frame.all]

    def entry(self):
        if "server entry" not in self.call.trace.snapshots:
            return
        space = self.call.space("server entry")
        roots = [root for root in self.server_roots("server entry") if root.path != (None, "return")]
        for path, address in pointers(space, roots):
            row = self.contract.of(path)
            seen = self.audit.storage(address) or "null"
            self.see(row, "entry", seen)
            if seen not in row.server.entry.outcomes:
                self.differ(row, f"on entry {row.server.entry.outcomes}", seen)

    def client_before_and_after(self):
        made = self.made("client", "stub")
        for moment in ("client before", "client after"):
            space = self.call.space(moment)
            roots = [r for r in self.call.arguments.values() if self.call.status == 0 or r.path != (None, "return")]
            if moment == "client before":
                roots = [r for r in roots if r.path != (None, "return")]
            for path, address in pointers(space, roots):
                row = self.contract.of(path)
                block = space.block(address) if address else None
                seen = "null" if not address else "new storage" if block and block.address in made else "storage"
                cell = row.client.before if moment == "client before" else row.client.after
                if not self.call.status:
                    self.see(row, moment.split()[1], seen)
                if seen not in cell.outcomes and not self.call.status:
                    self.differ(row, f"{moment} {cell.outcomes}", seen)

    def made(self, side, actor):
        return {e.address: e for e in self.call.trace.select("allocate", side=side, actor=actor) if e.address}

    def client_acts(self):
        rows = self.rows("client after", self.call.arguments.values())
        for address, event in self.made("client", "stub").items():
            self.act(rows.get(address, []), lambda row: row.client.allocates, event)
        lost = set(self.made("client", "stub")) - set(rows)
        if lost and not self.call.status and not self.shares():
            self.differences.append(f"new storage that nothing names: {lost}")

    def shares(self):
        """Whether two client pointers name one block before the call: then one write may undo the other (K24)."""
        space = self.call.space("client before")
        named = [address for _, address in pointers(space, self.call.arguments.values()) if address]
        return len(set(named)) < len(named)

    def client_frees(self):
        """What the application frees after the call, by the rows that named it then."""
        rows = self.rows("client after", self.call.arguments.values())
        for event in self.call.trace.select("free", side="client"):
            self.act(rows.get(event.address, []), lambda row: row.client.frees, event)

    def server_acts(self):
        if "server exit" not in self.call.trace.snapshots:
            return
        entry = self.rows("server entry", self.server_roots("server entry"))
        exit_ = self.rows("server exit", self.server_roots("server exit"))
        for event in self.call.trace.select("allocate", "free", side="server"):
            rows = entry.get(event.address, []) + exit_.get(event.address, [])
            if event.detail != "private":
                self.act(rows, lambda row: getattr(row.server, f"{event.kind}s"), event)

    def act(self, rows, acts, event):
        seen = (event.actor, event.detail, event.rule)
        promised = {act for row in rows for act in acts(row)}
        for row in rows:
            if seen in acts(row):
                self.see(row, f"{event.side} {event.kind}s", seen)
        if rows and seen not in promised:
            self.differ(rows[0], f"{event.kind} {sorted(promised)}", seen)

    def losses(self):
        before = self.rows("client before", self.call.arguments.values())
        for place in self.audit.orphaned_places:
            rows = before.get(place.address, [])
            for row in rows:
                self.see(row, "lost", "orphaned")
            if rows and not any(row.client.lost.outcomes for row in rows) and not self.call.status:
                self.differ(rows[0], "orphaned", place.path)
        if "server entry" not in self.call.trace.snapshots:
            return
        entry = self.rows("server entry", self.server_roots("server entry"))
        for block in self.audit.leaked:
            rows = entry.get(block.address, [])
            for row in rows:
                self.see(row, "lost", "leaked")
            if rows and not any("leaked" in row.server.lost.outcomes for row in rows):
                self.differ(rows[0], "leaked", block)


# --- recorded calls -----------------------------------------------------------------------------


@pytest.mark.parametrize("file", [pytest.param(f, id=f.stem) for f in find_files([FOLDER])])
def test_promises_hold_for_every_recorded_call(file):
    scenario = load_scenario(file)
    if scenario.expect_error:
        pytest.skip("does not compile")
    run = Run(scenario)
    for outcome in run.outcomes():
        observed = Observed(outcome.call, run.session.environment, run.session.interface)
        assert observed.check() == []


@pytest.mark.parametrize("osf", [False, True])
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_promises_hold_for_every_construct(name, osf):
    if osf and name in DCE_REFUSES:
        pytest.skip("DCE does not compile it")
    construct = CONSTRUCTS[name]
    session = open_session(construct.body, construct.routine, osf=osf)
    call = session.try_call(first(session), construct.arguments)
    assert Observed(call, session.environment, session.interface).check() == []


# --- generated calls ----------------------------------------------------------------------------


@settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_promises_hold_for_generated_interfaces(random):
    _, session, call = carry_out(random)
    assert Observed(call, session.environment, session.interface).check() == []


def test_what_is_promised_does_happen():
    """No promise is too wide: over many calls everything that may happen is seen to happen."""
    promised, seen = {}, set()
    for seed in range(500):
        _, session, call = carry_out(Random(seed))
        observed = Observed(call, session.environment, session.interface)
        assert observed.check() == [], seed
        FreePlan(session.interface, "f", session.environment).run(session, call)
        observed.client_frees()
        seen |= observed.seen
        promised.update(dict.fromkeys(observed.promised(), seed))
    never = {key: seed for key, seed in promised.items() if key not in seen and not outside_the_call(key[-1])}
    assert never == {}
    assert len(promised) > 150


def outside_the_call(outcome):
    """What the application does with its own data, and memory that no allocator gives, leaves no such event."""
    return isinstance(outcome, tuple) and (outcome[1] in (OWN, STUB_MEMORY) or outcome[2] == "dont-free-keeps")


# --- memory attributes ----------------------------------------------------------------------------


def grow(call, root):
    root.left = call.new({"value": 7, "left": None, "right": None})
    root.right.left = call.new({"value": 8, "left": None, "right": None})


def make_two(call, made):
    made[0] = call.new({"value": 7, "left": None, "right": {"value": 8, "left": None, "right": None}})


TREE_VALUE = {"value": 1, "left": {"value": 2, "left": None, "right": None}, "right": {"value": 3, "left": None, "right": None}}
ONE_BLOCK = TREE + "typedef [allocate(all_nodes)] node *tree;\n"
KEPT = TREE + "typedef [allocate(dont_free)] node *tree;\n"
ATTRIBUTES = {
    "all_nodes in": (ONE_BLOCK + "void f([in] tree root);", {"root": TREE_VALUE}, None, None, {}),
    "all_nodes in, out": (ONE_BLOCK + "void f([in, out] tree root);", {"root": TREE_VALUE}, grow, None, {}),
    "all_nodes out": (ONE_BLOCK + "void f([out] tree *made);", {}, make_two, None, {}),
    "all_nodes below": (ONE_BLOCK + "void f([in, out] tree *made);", {"made": TREE_VALUE}, make_two, None, {}),
    "dont_free": (KEPT + "void f([in, out] tree *made);", {"made": TREE_VALUE}, make_two, None, {}),
    "dont_free in": (KEPT + "void f([in] tree root);", {"root": TREE_VALUE}, None, None, {}),
    "force_allocate": (NODE + "void f([in] node *p, [in] long *n);", {"p": linked(2), "n": 5}, None, "f([force_allocate] n);", {}),
    "byte_count": (NODE + "void f([in] long size, [out] node *made);", {"size": 64}, None, "f([byte_count(size)] made);", {}),
    "enable_allocate": (TREE + "void f([in, out] node *root);", {"root": TREE_VALUE}, grow, "[enable_allocate] f();", {}),
    "ignore": ("typedef struct { long n; [ignore] long *own; } box; void f([in, out] box *b);", {"b": {"n": 1, "own": 5}}, None, None, {}),
    "partial_ignore": ("void f([in, out, partial_ignore, unique] long *n);", {"n": 5}, None, None, {}),
    "partial_ignore null": ("void f([in, out, partial_ignore, unique] long *n);", {"n": None}, None, None, {}),
    "four octets": (TREE + "void f([in, out] node *root);", {"root": TREE_VALUE}, grow, None, dict.fromkeys(("client_pointer_size", "server_pointer_size"), 4)),
    "ndr64": (TREE + "void f([in, out] node *root);", {"root": TREE_VALUE}, grow, None, {"transfer_syntax": "ndr64"}),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_promises_hold_for_memory_attributes(name):
    body, arguments, routine, acf, environment = ATTRIBUTES[name]
    session = open_session(body, routine, acf, **environment)
    call = session.try_call("f", arguments)
    observed = Observed(call, session.environment, session.interface)
    assert observed.check() == []
    assert set(observed.contract.rules) <= set(RULES)
