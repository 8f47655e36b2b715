"""What `contract` promises is what a run observes: for every recorded call, and for every construct."""

import time
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest

from rpcmemkit import RULES, Environment, Session, UsageError
from rpcmemkit.audit import Audit
from rpcmemkit.contract import OWN, STUB_MEMORY, FreePlan, contract, contracts, path_parts
from rpcmemkit.idl import compile_idl
from rpcmemkit.paths import path_text
from rpcmemkit.plan import PointerPlan
from rpcmemkit.scenario import Run, find_files, load_scenario
from rpcmemkit.walk import pointers_in, reach
from tests.engine.constructs import CONSTRUCTS
from tests.engine.conversions import boxes, list_session, local_session
from tests.engine.conversions import linked as converted
from tests.engine.helpers import NODE, TREE, first, idl_text, linked, open_session
from tests.generated import carry_out

KINDS = ("ref", "unique", "ptr")
DCE_REFUSES = {"conformant arrays", "ranges", "pointers to pointers"}
FOLDERS = [Path(__file__).parent / name for name in ("conformance", "scenarios")]


# --- observing ----------------------------------------------------------------------------------


def pointers(space, roots):
    """Every pointer that can be reached, as (path, address of its referent or 0)."""
    places = list(roots)
    for place in (*places, *reach(space, places).values()):
        if not space.capacity(place.address):
            continue
        if isinstance(place.plan, PointerPlan):
            yield place.path, space.pointer_at(place.address)
        else:
            inside = (p for p in pointers_in(space, place) if space.capacity(p.address) >= space.pointer_size)
            for pointer in inside:  # the rest of a value may lie beyond a buffer that is too small
                yield pointer.path, space.pointer_at(pointer.address)


class Observed:
    """A call seen as its contract sees it: what each pointer's promise row stands for in memory."""

    def __init__(self, call, environment, interface, swapped=False):
        self.swapped = swapped
        self.call = call
        self.audit = Audit(call)
        self.ended = call.status or call.stored  # then not everything that was promised has happened
        self.contract = contract(interface, call.procedure.name, environment)
        self.differences = []
        self.seen = set()

    def pointers(self, moment, roots):
        """The pointers of a moment with their promises; what the application's own routines hold is not promised."""
        for path, address in pointers(self.call.space(moment), roots):
            row = self.contract.of(path)
            if row is None and not self.special(path):
                self.differences.append(f"{moment}: no promise for {path_text(path)}")
            elif row is not None and row.kind in (*KINDS, "context handle"):
                yield row, address

    def special(self, path):
        """The promises for the context handles and converted types into which a path leads."""
        parts = tuple(part for part in path_parts(path) if part != "*")
        special = {
            p: tuple(part for part in p.parts if part != "*")
            for p in self.contract.promises
            if p.kind not in KINDS
        }
        return [p for p, at in special.items() if parts[: len(at)] == at]

    def rows(self, moment, roots):
        """The rows of every block that is reached at a moment, by the address of the block."""
        space = self.call.space(moment)
        found = defaultdict(list)
        for row, address in self.pointers(moment, roots):
            if address and (block := space.block(address)):
                found[block.address].append(row)
        return found

    def differ(self, row, what, seen):
        self.differences.append(f"{row.path}: {what}: {seen}")

    def see(self, row, facet, outcome):
        self.seen.add((row.kind == "ref", row.level, row.direction, facet, outcome))

    def promised(self):
        """Everything that the contract says may happen, in the form of what was seen."""
        for row in self.contract.promises:
            for facet, cell in (
                ("entry", row.server.entry),
                ("before", row.client.before),
                ("after", row.client.after),
            ):
                yield from (
                    (row.kind == "ref", row.level, row.direction, facet, outcome) for outcome in cell.outcomes
                )
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
        self.client_frees()
        self.server_acts()
        self.losses()
        self.handles()
        return self.differences

    # --- one question each ---

    def server_roots(self, moment):
        frame = self.call.trace.snapshots[moment].frame
        return [self.call.server_frame.place(name, frame) for name, _, _ in self.call.server_frame.all]

    def entry(self):
        if "server entry" not in self.call.trace.snapshots:
            return
        roots = [root for root in self.server_roots("server entry") if root.path != (None, "return")]
        for row, address in self.pointers("server entry", roots):
            seen = self.audit.storage(address) or "null"
            self.see(row, "entry", seen)
            if seen not in row.server.entry.outcomes:
                self.differ(row, f"on entry {row.server.entry.outcomes}", seen)

    def client_before_and_after(self):
        made = self.made("client", "stub")
        for moment in ("client before", "client after"):
            space = self.call.space(moment)
            roots = [r for r in self.call.arguments.values() if not self.ended or r.path != (None, "return")]
            if moment == "client before":
                roots = [r for r in roots if r.path != (None, "return")]
            for row, address in self.pointers(moment, roots):
                block = space.block(address) if address else None
                seen = (
                    "null" if not address else "new storage" if block and block.address in made else "storage"
                )
                cell = row.client.before if moment == "client before" else row.client.after
                if not self.ended:
                    self.see(row, moment.split()[1], seen)
                if seen not in cell.outcomes and not self.ended:
                    self.differ(row, f"{moment} {cell.outcomes}", seen)

    def made(self, side, actor):
        return {e.address: e for e in self.call.trace.select("allocate", side=side, actor=actor) if e.address}

    def client_acts(self):
        rows = self.rows("client after", self.call.arguments.values())
        for address, event in self.made("client", "stub").items():
            self.act(rows.get(address, []), event)
        lost = set(self.made("client", "stub")) - set(rows)
        if lost and not self.ended and not self.shares():
            self.differences.append(f"new storage that nothing names: {lost}")

    def shares(self):
        """Whether two client pointers name one block before the call: then one write may undo the other (K24)."""
        space = self.call.space("client before")
        named = [address for _, address in pointers(space, self.call.arguments.values()) if address]
        return len(set(named)) < len(named)

    def client_frees(self):
        """What the stub frees in the call ([reflect_deletions]), and what the application frees after it."""
        before = self.rows("client before", self.call.arguments.values())
        after = self.rows("client after", self.call.arguments.values())
        for event in self.call.trace.select("free", side="client"):
            self.act(before.get(event.address, []) + after.get(event.address, []), event)

    def server_acts(self):
        if "server exit" not in self.call.trace.snapshots:
            return
        entry = self.rows("server entry", self.server_roots("server entry"))
        exit_ = self.rows("server exit", self.server_roots("server exit"))
        for event in self.call.trace.select("allocate", "free", side="server"):
            rows = entry.get(event.address, []) + exit_.get(event.address, [])
            if event.detail != "private" and event.actor != "conversion":
                self.act(rows, event)

    def act(self, rows, event):
        """Hold an allocation or a free against the promises of the pointers that name the block."""

        def acts(row):
            return getattr(getattr(row, event.side), f"{event.kind}s")

        seen = (event.actor, event.detail, event.rule)
        promised = {act for row in rows for act in acts(row)}
        if self.swapped and event.side == "client":  # the application has set another pair for its stubs
            promised |= {act._replace(using=event.detail) for act in promised}
        if event.actor == "routine" and seen not in promised and not self.audit.clean:
            return  # a routine that does what it may not do: the call shows it
        if event.detail == "RpcSmAllocate":
            seen = (event.actor, "RpcSsAllocate", event.rule)
        for row in rows:
            if seen in acts(row):
                self.see(row, f"{event.side} {event.kind}s", seen)
        if rows and seen not in promised:
            self.differ(rows[0], f"{event.kind} {sorted(promised)}", seen)

    def handles(self):
        """What happens to context handles, against all rows that are about one."""
        rows = [row for row in self.contract.promises if row.kind == "context handle"]
        for event in self.call.trace.select("open", "close"):
            side = "client" if event.side == "client" else "server"
            acts = {act for row in rows for act in (*getattr(row, side).allocates, *getattr(row, side).frees)}
            if event.rule not in {act.rule for act in acts}:
                self.differences.append(f"{event.side} {event.kind} {event.rule}")

    def losses(self):
        before = self.rows("client before", self.call.arguments.values())
        for place in self.audit.orphaned_places:
            rows = before.get(place.address, []) + self.special(place.path)
            for row in rows:
                self.see(row, "lost", "orphaned")
            if rows and not any(row.client.lost.outcomes for row in rows) and not self.ended:
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


@pytest.mark.parametrize(
    "file",
    [pytest.param(f, id=f.stem) for f in find_files(FOLDERS) if "expect_error" not in f.read_text("utf-8")],
)
def test_promises_hold_for_every_recorded_call(file):
    scenario = load_scenario(file)
    run = Run(scenario)
    for outcome in run.outcomes():
        swapped = run.session.client.thread.client_pair is not None
        interface = outcome.call.client_frame.interface
        observed = Observed(outcome.call, run.session.environment, interface, swapped)
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


def test_what_is_promised_does_happen():
    """No promise is too wide: over many calls everything that may happen is seen to happen.

    That the promises hold is tested with wider interfaces, in test_invariants.
    """
    promised, seen = {}, set()
    for seed in range(200):
        _, session, call = carry_out(Random(seed))
        observed = Observed(call, session.environment, session.interface)
        assert observed.check() == [], seed
        FreePlan(session.interface, "f", session.environment).run(session, call)
        observed.client_frees()
        seen |= observed.seen
        promised.update(dict.fromkeys(observed.promised(), seed))
    never = {
        key: seed for key, seed in promised.items() if key not in seen and not outside_the_call(*key[-2:])
    }
    assert never == {}
    assert len(promised) > 150


def outside_the_call(facet, outcome):
    """What the application does with its own data, and memory that no allocator gives, leaves no such event.

    Nor does a client use RpcSs unless it enables it: the scenarios do.
    """
    if not isinstance(outcome, tuple):
        return False
    client_package = facet.startswith("client") and outcome[1].startswith("RpcSs")
    return client_package or outcome[1] in (OWN, STUB_MEMORY)


# --- memory attributes ----------------------------------------------------------------------------


def grow(call, root):
    root.left = call.new({"value": 7, "left": None, "right": None})
    root.right.left = call.new({"value": 8, "left": None, "right": None})


def make_two(call, made):
    made[0] = call.new({"value": 7, "left": None, "right": {"value": 8, "left": None, "right": None}})


TREE_VALUE = {
    "value": 1,
    "left": {"value": 2, "left": None, "right": None},
    "right": {"value": 3, "left": None, "right": None},
}
ONE_BLOCK = TREE + "typedef [allocate(all_nodes)] node *tree;\n"
KEPT = TREE + "typedef [allocate(dont_free)] node *tree;\n"
ATTRIBUTES = {
    "all_nodes in": (ONE_BLOCK + "void f([in] tree root);", {"root": TREE_VALUE}, None, None, {}),
    "all_nodes in, out": (ONE_BLOCK + "void f([in, out] tree root);", {"root": TREE_VALUE}, grow, None, {}),
    "all_nodes out": (ONE_BLOCK + "void f([out] tree *made);", {}, make_two, None, {}),
    "all_nodes below": (
        ONE_BLOCK + "void f([in, out] tree *made);",
        {"made": TREE_VALUE},
        make_two,
        None,
        {},
    ),
    "dont_free": (KEPT + "void f([in, out] tree *made);", {"made": TREE_VALUE}, make_two, None, {}),
    "dont_free in": (KEPT + "void f([in] tree root);", {"root": TREE_VALUE}, None, None, {}),
    "force_allocate": (
        NODE + "void f([in] node *p, [in] long *n);",
        {"p": linked(2), "n": 5},
        None,
        "f([force_allocate] n);",
        {},
    ),
    "byte_count": (
        NODE + "void f([in] long size, [out] node *made);",
        {"size": 64},
        None,
        "f([byte_count(size)] made);",
        {},
    ),
    "enable_allocate": (
        TREE + "void f([in, out] node *root);",
        {"root": TREE_VALUE},
        grow,
        "[enable_allocate] f();",
        {},
    ),
    "ignore": (
        "typedef struct { long n; [ignore] long *own; } box; void f([in, out] box *b);",
        {"b": {"n": 1, "own": 5}},
        None,
        None,
        {},
    ),
    "partial_ignore": ("void f([in, out, partial_ignore, unique] long *n);", {"n": 5}, None, None, {}),
    "partial_ignore null": (
        "void f([in, out, partial_ignore, unique] long *n);",
        {"n": None},
        None,
        None,
        {},
    ),
    "four bytes": (
        TREE + "void f([in, out] node *root);",
        {"root": TREE_VALUE},
        grow,
        None,
        dict.fromkeys(("client_pointer_size", "server_pointer_size"), 4),
    ),
    "ndr64": (
        TREE + "void f([in, out] node *root);",
        {"root": TREE_VALUE},
        grow,
        None,
        {"transfer_syntax": "ndr64"},
    ),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_promises_hold_for_memory_attributes(name):
    body, arguments, routine, acf, environment = ATTRIBUTES[name]
    session = open_session(body, routine, acf, **environment)
    call = session.try_call("f", arguments)
    observed = Observed(call, session.environment, session.interface)
    assert observed.check() == []
    assert set(observed.contract.rules) <= set(RULES)


# --- context handles and converted types ------------------------------------------------------------

HANDLES = """typedef struct { long count; [string] char *name; } state;
typedef [context_handle] state *PH;
void Open([out] PH *h);
long Count([in] PH h);
void Change([in, out] PH *h);
PH Make(void);"""


def test_promises_hold_for_context_handles():
    session = open_session(HANDLES)

    @session.routine
    def Open(call, h):
        h[0] = call.new({"count": 3, "name": "abc"})

    @session.routine
    def Count(call, h):
        return h.count

    @session.routine
    def Change(call, h):
        call.free(h[0].name)
        call.free(h[0])
        h[0] = None

    @session.routine
    def Make(call):
        return call.new({"count": 4, "name": None})

    handle = session.call("Open")["h"]
    calls = [
        session.last,
        session.call("Count", h=handle),
        session.call("Change", h=handle),
        session.call("Make"),
    ]
    for call in calls:
        assert Observed(call, session.environment, session.interface).check() == []
    kinds = [event.kind for call in calls for event in call.trace.select("open", "close")]
    assert kinds == ["open", "open", "close", "close", "open", "open"]


@pytest.mark.parametrize("left", [None, {"count": 5, "name": None}], ids=["null", "another state"])
def test_a_state_that_the_routine_drops_without_freeing_it_may_leak(left):
    session = open_session(HANDLES)

    @session.routine
    def Open(call, h):
        h[0] = call.new({"count": 3, "name": None})

    @session.routine
    def Change(call, h):
        h[0] = left and call.new(left)

    call = session.try_call("Change", {"h": session.call("Open")["h"]})
    observed = Observed(call, session.environment, session.interface)
    assert observed.check() == []
    assert [observed.audit.why_leaked(block) for block in observed.audit.leaked] == ["state"]


CONVERTED = {
    "transmit_as": (list_session, "void f([in, out] LIST *p);", {"p": converted(1, 2)}),
    "represent_as": (
        local_session,
        "void f([in, out] LONG2 *p, [in] LONG2 q);",
        {"p": boxes(1, 2), "q": boxes(3, 4)},
    ),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_promises_hold_for_converted_types(name):
    open_, body, arguments = CONVERTED[name]
    session = open_(body)
    call = session.call("f", **arguments)
    observed = Observed(call, session.environment, session.interface)
    assert observed.check() == []
    rows = [row for row in observed.contract.promises if row.kind == name]
    assert rows
    for side in ("client", "server"):
        promised = {act for row in rows for act in (*getattr(row, side).allocates, *getattr(row, side).frees)}
        events = call.trace.select("allocate", "free", side=side)
        assert {(e.actor, e.detail, e.rule) for e in events if e.actor == "conversion"} <= promised


# --- the contract itself --------------------------------------------------------------------------


def test_a_pipe_is_told():
    session = open_session("typedef pipe long LONGS; void f([in] LONGS data);")
    row = contract(session.interface, "f")["data"]
    assert row.kind == "pipe"
    assert [act.rule for act in row.client.allocates] == ["pipe-alloc-by-application"]
    assert [act.rule for act in row.server.allocates] == ["pipe-buffer-of-server-stub"]
    assert row.server.frees == ()


def test_a_type_that_contains_itself_is_told_once():
    session = open_session(TREE + "void f([in, out] node *root);")
    found = contract(session.interface, "f")
    assert [p.path for p in found.promises] == ["root", "root.left", "root.right"]
    assert found["root.left"].again == ("root",)
    deep = ((((None, "root"), ".left"), ".right"), ".left")
    assert found.of(deep) is found["root.left"]


def test_types_that_name_each_other_end():
    """Ten structures, each with pointers to all ten: millions of paths, a few hundred rows, every path found."""
    names = [f"S{number}" for number in range(10)]
    forward = "\n".join(f"struct {name};" for name in names)
    members = " ".join(f"struct {name} *{name.lower()};" for name in names)
    structs = "\n".join(f"typedef struct {name} {{ {members} }} {name};" for name in names)
    session = open_session(f"{forward}\n{structs}\nvoid f([in, out] S0 *p);")
    found = contract(session.interface, "f")
    assert len(found.promises) < 500
    path = (None, "p")
    for step in Random(1).choices(names, k=300):
        path = (path, f".{step.lower()}")
        assert found.of(path).server.entry.outcomes == ("allocated", "null")


def test_buffer_reuse_depends_on_pointer_size_and_syntax():
    session = open_session(NODE + "void f([in] node *p);")

    def entry(**environment):
        return contract(session.interface, "f", Environment(**environment))["p"].server.entry

    assert entry().outcomes == ("allocated",)
    assert entry().rules[0] == "server-allocates-widened-pointer"
    assert entry(server_pointer_size=4).outcomes == ("buffer",)
    assert entry(transfer_syntax="ndr64").outcomes == ("buffer",)
    assert entry(server_pointer_size=4, osf=True).rules[0] == "osf-stub-environment"


def test_paths_are_those_of_a_call():
    body = "typedef struct { [string] char *text; } T; T *f([in] long n, [in, size_is(n), string] char **names, [out] T **pp);"
    found = contract(open_session(body).interface, "f")
    assert [p.path for p in found.promises] == [
        "names",
        "names[]",
        "pp",
        "*pp",
        "*pp.text",
        "return",
        "return.text",
    ]
    assert found.values == ("n",)
    assert found["return"].client.allocates[0].rule == "client-allocates-result"
    assert found["return.text"].client.allocates[0].rule == "client-null-to-new"
    with pytest.raises(KeyError):
        found["nothing"]
    with pytest.raises(UsageError, match="no procedure g"):
        contract(open_session(body).interface, "g")


@pytest.mark.claims("M-296")
def test_a_proxy_puts_what_comes_back_into_new_storage():
    """[out]-only storage of an [object] interface is zeroed before the call: what it named is orphaned (K3)."""
    body = "typedef struct { [string] char *s; [ref] long *r; } t; long f([out] char **name, [out] t *made);"
    body = body.replace("[out] char", "[out, string] char")
    session = Session(idl_text(body).replace("[uuid", "[object, uuid"))

    @session.routine
    def f(call, name, made):
        name[0] = call.new("new")
        made.s = call.new("new")
        made.r = call.new(7)
        return 0

    call = session.call("f", name="old value", made={"s": "old", "r": 3})
    observed = Observed(call, session.environment, session.interface)
    assert observed.check() == []
    assert len(observed.audit.orphaned) == 3
    for path in ("*name", "made.s", "made.r"):
        row = observed.contract[path].client
        assert "storage" not in row.after.outcomes
        assert row.after.rules[0] == row.lost.rules[0] == "proxy-zeroes-out"
        assert row.lost.outcomes == ("orphaned",)


TAGGED = """typedef struct { [string, unique] char *s; } t;
    typedef [switch_type(long)] union { [case(1)] [unique] long *p; [case(2)] [unique] short *q; } u;"""


@pytest.mark.claims("M-211", "M-217")
@pytest.mark.parametrize(
    ("signature", "arguments", "path", "left"),
    [
        ("[in, out] long *n, [in, out, size_is(*n)] t *a", {"n": 2}, "a[].s", 1),
        ("[in] long n, [in, out, size_is(n)] t *a", {"n": 2}, "a[].s", 0),
        ("[in, out] long *n, [in, out, switch_is(*n)] u *a", {"n": 1}, "a.p", 1),
        ("[in] long n, [in, out, switch_is(n)] u *a", {"n": 1}, "a.p", 0),
    ],
)
def test_what_a_proxy_leaves_behind(signature, arguments, path, left):
    """Beyond a lowered count and in another arm, a proxy frees nothing; an [in] count or tag stays what it is."""
    session = Session(idl_text(f"{TAGGED} long f({signature});").replace("[uuid", "[object, uuid"))

    @session.routine
    def f(call, n, a):
        if left:
            n[0] = 3 - n[0]
        return 0

    values = [{"s": "one"}, {"s": "two"}] if "t *a" in signature else {"$case": 1, "$value": 5}
    call = session.call("f", **arguments, a=values)
    observed = Observed(call, session.environment, session.interface)
    assert observed.check() == []
    assert len(observed.audit.orphaned) == left
    row = observed.contract[path].client
    assert row.lost.rules == (("object-pointer-left-behind",) if left else ())
    assert ("freed by nobody" in FreePlan(session.interface, "f", session.environment).c) == bool(left)


@pytest.mark.parametrize("now", ["new", None, "same"])
def test_a_proxy_frees_what_one_block_replaces(now):
    """[allocate(all_nodes)] does not reuse the referents that object pointers had: they are freed, if null comes too."""
    body = "typedef struct { [string, unique] char *s; } t; typedef [ref] t *tree; long f([in, out] tree a);"
    session = Session(
        idl_text(body).replace("[uuid", "[object, uuid"),
        acf="interface i { typedef [allocate(all_nodes)] tree; }",
    )

    @session.routine
    def f(call, a):
        if now != "same":
            a.s = call.new(now) if now else None
        return 0

    call = session.call("f", a={"s": "old"})
    observed = Observed(call, session.environment, session.interface)
    assert observed.check() == []
    assert not observed.audit.orphaned


def test_a_proxy_says_why_it_allocates():
    """In place of what it has freed, or because the pointer was null."""
    body = "typedef struct { [string, unique] char *s; [string, unique] char *r; } t; long f([in, out] t *a);"
    session = Session(idl_text(body).replace("[uuid", "[object, uuid"))

    @session.routine
    def f(call, a):
        a.s = call.new("new")
        a.r = call.new("new")
        return 0

    call = session.call("f", a={"s": "old", "r": None})
    observed = Observed(call, session.environment, session.interface)
    made = call.trace.select("allocate", side="client", actor="stub")
    assert [event.rule for event in made] == ["object-pointer-replaced", "client-null-to-new"]
    assert observed.check() == []


def test_a_null_context_handle_never_arrives_by_in():
    session = open_session("typedef [context_handle] void *PH; void f([in] PH a, [in, out] PH *b);")
    found = contract(session.interface, "f")
    assert found["a"].server.entry.outcomes == ("allocated",)
    assert found["*b"].server.entry.outcomes == ("allocated", "null")


def test_what_is_no_interface():
    session = open_session(NODE + "void f([in] node *p);")
    for make in (contract, FreePlan):
        with pytest.raises(UsageError, match=r"expected an interface, got Session.*session\.interface"):
            make(session, "f")


COM = """[object, uuid(00000000-0000-0000-C000-000000000046), pointer_default(unique)]
interface IUnknown { long A(void); }
[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]
interface i : IUnknown { long Get([out] long **p); long Make([out] IUnknown **made); }
"""


def test_a_procedure_that_the_kit_cannot_marshal_is_named():
    interface = Session(COM).interface
    why = "Make: interface type IUnknown cannot be marshalled by this kit"
    with pytest.raises(UsageError, match=f"^{why}$"):
        contract(interface, "Make")
    found, refused = contracts(interface)
    assert [each.procedure.name for each in found] == ["A", "Get"]
    assert refused == {"Make": why}


def test_com_uses_the_task_allocator():
    text = idl_text(NODE + "long f([out] node **made);").replace("[uuid", "[object, uuid")
    found = contract(Session(text).interface, "f")
    assert {act.using for act in found["*made"].client.allocates} == {OWN, "CoTaskMemAlloc"}
    assert {act.using for act in found["*made"].client.frees} == {OWN, "CoTaskMemFree"}


def test_a_type_of_many_pointers_is_told_of_in_time():
    body = "struct s { " + "".join(f"long *p{n};" for n in range(3000)) + " }; void f([in, out] struct s *s);"
    interface = compile_idl(idl_text(body)).interface
    start = time.process_time()
    promises = contract(interface, "f").promises
    assert time.process_time() - start < 5
    assert len(promises) == 3001
    assert promises[-1].name == "s->p2999"
