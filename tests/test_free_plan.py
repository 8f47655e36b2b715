"""The free plan: what it frees in the kit, and what its C frees in a real process."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from rpcmemkit import Audit, Environment, Session, UsageError
from rpcmemkit.contract import FreePlan, Step, c_code
from rpcmemkit.idl import compile_idl
from rpcmemkit.types import Interface
from rpcmemkit.walk import reach
from tests.engine.constructs import CONSTRUCTS
from tests.engine.conversions import list_session
from tests.engine.helpers import NODE, TREE, first, idl_text, linked, open_session, serve
from tests.strategies import cases, interfaces, thorough

DCE_REFUSES = {"conformant arrays", "ranges", "pointers to pointers"}
GCC = shutil.which("gcc") or shutil.which("cc")
needs_c = pytest.mark.skipif(GCC is None, reason="needs a C compiler")


def owed(call):
    """The live blocks that the client stub allocated during a call, read from the memory itself."""
    return [e.address for e in call.trace.select("allocate", side="client", actor="stub") if e.address]


def live(space, addresses):
    return [address for address in addresses if (block := space.block(address)) and block.live]


def check_run(session, call):
    """Carry out the plan after a call and hold it to its promises; return what it freed."""
    space = session.client.space
    made = owed(call)
    others = {
        block.address
        for block in (space.ledger[index] for index in range(len(space.ledger)))
        if block.live and block.address not in made
    }
    events = len(call.trace)
    freed = FreePlan(session.interface, call.procedure.name, session.environment).run(session, call)
    assert not live(space, made), "everything that the stub allocated is gone"
    assert set(live(space, others)) == others, "nothing else is"
    frees = list(call.trace)[events:]
    assert [(e.kind, e.actor, e.rule) for e in frees] == [
        ("free", "application", "client-owns")
    ] * freed.count
    assert len({e.address for e in frees}) == freed.count, "nothing was freed twice"
    return freed


@pytest.mark.parametrize("osf", [False, True])
@pytest.mark.parametrize("name", CONSTRUCTS)
def test_every_construct_is_freed(name, osf):
    if osf and name in DCE_REFUSES:
        pytest.skip("DCE does not compile it")
    construct = CONSTRUCTS[name]
    session = open_session(construct.body, construct.routine, osf=osf)
    call = session.try_call(first(session), construct.arguments)
    assert not call.status
    freed = check_run(session, call)
    assert not freed.beyond_reach
    assert len(freed.addresses) == len(owed(call))


@pytest.mark.claims("M-166", "M-167")
@thorough(250)
@given(cases(careful=True, package=False))
def test_random_calls_are_freed(case):
    """Also when a call failed: whatever the stub allocated is gone, once, and nothing else."""
    run = case.open(case.environment)
    for outcome in run.outcomes():
        call = outcome.call
        freed = check_run(run.session, call)
        if not call.status and not call.stored and not shares(call):
            assert not freed.beyond_reach
        assert not Audit(call).faults or call.status or call.stored


def shares(call):
    """Whether two client pointers name one block before the call (K24: the later write wins, the first one's is lost)."""
    space = call.space("client before")
    blocks = list(reach(space, call.arguments.values()).values())
    named = [space.pointer_at(p.address) for p in every_pointer(space, [*call.arguments.values(), *blocks])]
    return len({address for address in named if address}) < sum(map(bool, named))


def every_pointer(space, places):
    from rpcmemkit.walk import pointers_in

    return [
        pointer for place in places if space.capacity(place.address) for pointer in pointers_in(space, place)
    ]


# --- particular cases -----------------------------------------------------------------------------


def two(call, made):
    made[0] = call.new({"value": 1, "left": {"value": 2, "left": None, "right": None}, "right": None})


def plan_of(session):
    return FreePlan(session.interface, first(session), session.environment)


@pytest.mark.claims("M-167", "M-203")
def test_the_result_and_what_hangs_below_it_are_freed_inner_first():
    session = open_session(NODE + "node *f([in] long n);", lambda call, n: linked(3))
    call = session.call("f", n=3)
    assert plan_of(session).steps == (Step("n", "keep", "client-owns"), Step("return", "free", "client-owns"))
    made = owed(call)
    assert plan_of(session).run(session).addresses == tuple(reversed(made))
    assert call.trace.raw[-1][:3] == ("free", "client", "application")
    assert call.trace.raw[-1][6] == "midl_user_free"


def test_what_the_client_passed_stays_and_names_nothing_that_is_gone():
    session = open_session(
        TREE + "void f([in, out] node *root);", lambda call, root: two(call, [0]) or grow(call, root)
    )
    call = session.call(
        "f", root={"value": 1, "left": {"value": 5, "left": None, "right": None}, "right": None}
    )
    freed = check_run(session, call)
    assert freed.count == 1
    place = call.client_frame.place("root", call.frame_address)
    space = session.client.space
    values = [space.pointer_at(p.address) for p in every_pointer(space, reach(space, [place]).values())]
    assert sum(map(bool, values)) == 1, "the application's own child is still there; the stub's is gone"


def grow(call, root):
    root.right = call.new({"value": 9, "left": None, "right": None})


ONE_BLOCK = TREE + "typedef [allocate(all_nodes)] node *tree;\n"


@pytest.mark.parametrize("body", ["void f([out] tree *made);", "void f([in, out] tree *made);"])
def test_an_all_nodes_graph_is_one_free(body):
    session = open_session(ONE_BLOCK + body, two)
    call = session.call("f", **({"made": {"value": 5, "left": None, "right": None}} if "in," in body else {}))
    assert len(owed(call)) == 1
    assert check_run(session, call).count == 1
    assert "free_node(" not in plan_of(session).c
    freed = "one_block(yours, since);" if "in," in body else "midl_user_free(*made);"
    assert plan_of(session).c.count(freed) == 1


def test_an_all_nodes_graph_below_a_top_level_pointer_is_one_free():
    session = open_session(ONE_BLOCK + "void f([in, out] tree root);", grow)
    call = session.call("f", root={"value": 1, "left": None, "right": None})
    assert plan_of(session).steps == (Step("root", "free block", "all-nodes-one-block"),)
    assert check_run(session, call).count == 1


def test_a_byte_count_buffer_is_the_applications():
    session = open_session(
        NODE + "void f([in] long size, [out] node *made);",
        lambda call, size, made: setattr(made, "next", call.new({"value": 2, "next": None})),
        "f([byte_count(size)] made);",
    )
    call = session.call("f", size=64)
    assert plan_of(session).steps[1] == Step("made", "keep", "byte-count-in-place")
    assert check_run(session, call).count == 0
    assert "midl_user_free(" not in plan_of(session).c


def test_a_context_handle_is_closed_not_freed():
    session = Session(
        idl_text("typedef [context_handle] void *HCTX; void f([in] handle_t h, [out] HCTX *ctx);")
    )
    plan = plan_of(session)
    assert plan.steps[-1].action == "close"
    assert "RpcSsDestroyClientContext" in plan.c
    assert "midl_user_free(" not in plan.c


def test_what_conversion_routines_made_is_pointed_out():
    code = FreePlan(list_session("void f([in, out] LIST *p);").interface, "f").c
    assert "p: holds what conversion routines made" in code


def test_cotaskmemfree_for_object_interfaces():
    text = "[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i { typedef struct { [string] char *s; } t; long f([out] t *made); }"
    plan = FreePlan(Session(text).interface, "f")
    assert plan.deallocator == "CoTaskMemFree"
    assert "CoTaskMemFree(it->s)" in plan.c


def test_a_failed_call_owes_what_arrived_before_it_failed():
    body = TREE + "typedef struct { [range(0, 3)] long n; } few;\nvoid f([out] node **made, [out] few *s);"

    def routine(call, made, s):
        two(call, made)
        s.n = 9

    session = open_session(body, routine)
    call = session.try_call("f", {})
    assert call.status
    assert len(owed(call)) == 2
    assert check_run(session, call).addresses


def test_a_call_that_brought_nothing_owes_nothing():
    session = open_session(TREE + "void f([out] node **made);", fail_after=0)
    call = session.try_call("f", {})
    assert check_run(session, call).count == 0


def test_a_plan_is_for_its_procedure():
    session = open_session("void f([in] long n); void g([in] long n);")
    with pytest.raises(UsageError, match="calls of f"):
        FreePlan(session.interface, "f").run(session)
    session.call("g", n=1)
    with pytest.raises(UsageError, match="calls of f"):
        FreePlan(session.interface, "f").run(session)
    with pytest.raises(UsageError, match="no procedure h"):
        FreePlan(session.interface, "h")


# --- the C ----------------------------------------------------------------------------------------

PRELUDE = """\
#include <stdlib.h>
#include <stdio.h>
#define hyper long long
#define small char
#define __int3264 long
typedef unsigned char byte, boolean; typedef unsigned long error_status_t;
static long live;
static void *midl_user_allocate(size_t size) { live++; return calloc(1, size); }
static void midl_user_free(void *p) { live--; free(p); }
"""


def compiled(source, folder, *options):
    file, program = folder / "plan.c", folder / "plan"
    file.write_text(source, encoding="utf-8")
    command = [
        GCC,
        "-std=c11",
        "-Wall",
        "-Wno-unused-function",
        "-Wno-unused-variable",
        *options,
        str(file),
        "-o",
        str(program),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, f"{done.stderr}\n{source}"
    return program


@needs_c
def test_the_c_of_generated_interfaces_compiles(tmp_path):
    """Each interface in a file of its own, all in one run of the compiler."""
    files = []

    @settings(thorough(60), phases=[Phase.generate])
    @given(interfaces())
    def write(made):
        environment = Environment(osf=bool(made.attributes))
        plan = FreePlan(Session(made.idl, made.acf, environment).interface, "f", environment)
        file = tmp_path / f"i{len(files)}.c"
        file.write_text(f"{PRELUDE}{made.c_types}\n{plan.c}", encoding="utf-8")
        files.append(str(file))

    write()
    command = [
        GCC,
        "-std=c11",
        "-fsyntax-only",
        "-Wall",
        "-Wextra",
        "-Wno-unused-function",
        "-Wno-unused-variable",
        *files,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr[:3000]


NATIVE = """
typedef struct node { long value; struct node *next; } node;
typedef [switch_type(short)] union { [case(1)] long l; [case(2)] node *list; [case(3), string] char *text; [default] ; } either;
typedef struct { short tag; [switch_is(tag)] either body; } holder;
typedef struct { long n; [size_is(n), string] char **names; holder two[2]; } bag;
typedef struct ring { long value; [ptr] struct ring *left; [ptr] struct ring *right; } ring;
void Bag([out] bag *b, [out] node **list);
node *Result([in] long n);
void Array([in] long n, [out, size_is(n)] node **items);
void Ring([in, out] ring *r, [in, ptr] ring *mine);
"""

MAIN = """
#include <assert.h>
#define NEW(type) ((type *)midl_user_allocate(sizeof(type)))
static node *list(int n) { node *it = NULL; while (n--) { node *new = NEW(node); new->next = it; it = new; } return it; }
static char *text(void) { return midl_user_allocate(4); }

int main(void)
{
    bag b = {0}; node *head = list(3), *items[3] = {list(2), NULL, list(1)};
    ring root = {0}, own = {0}, *a, *c; noted_blocks passed = {0};
    b.n = 3; b.names = midl_user_allocate(3 * sizeof *b.names);
    b.names[0] = text(); b.names[2] = text();
    b.two[0].tag = 2; b.two[0].body.list = list(2);
    b.two[1].tag = 3; b.two[1].body.text = text();
    assert(live == 3 + 3 + 1 + 2 + 2 + 1);
    free_after_Bag(&b, &head);
    assert(live == 3 && !head && !b.names && !b.two[0].body.list);
    free_after_Bag(&b, &head);                          /* what is null is left alone */
    assert(live == 3);
    free_after_Array(3, items);
    assert(live == 0 && !items[0] && !items[2]);
    free_after_Result(list(4));
    free_after_Result(NULL);
    assert(live == 0);
    a = NEW(ring); c = NEW(ring);                       /* shared, cyclic, and back to what the client passed */
    own.left = &own;
    note_before_Ring(&passed, &root, &own);
    root.left = a; root.right = c; a->left = c; a->right = a; c->left = &root; c->right = &own;
    free_after_Ring(&passed, &root);
    assert(live == 0 && !root.left && !root.right && own.left == &own);
    free(passed.at);
    return 0;
}
"""


@needs_c
def test_the_c_frees_everything_once(tmp_path):
    session = Session(idl_text(NATIVE))
    plans = [FreePlan(session.interface, name) for name in session.interface.procedures]
    types = re.sub(r"(?<!\w)\[[^\]]*\] ?", "", NATIVE[: NATIVE.index("void Bag")])
    program = compiled(PRELUDE + types + c_code(plans) + MAIN, tmp_path, "-g")
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


SHIPPED = """
typedef struct node { long value; struct node *next; } node;
typedef struct { [string] char *name; node *list; } record;
struct raw { [string] char *text; };
typedef struct tree { struct tree *left; [string] char *text; struct tree *right; } tree;
typedef struct { [ref] node *own; [ref] long *count; node *more; } box;
typedef struct ring { long value; [ptr] struct ring *next; [ref] long *own; } ring;
typedef struct { unsigned long n; [size_is(n)] long *v; } CONT;
typedef [switch_type(unsigned long)] union { [case(1)] CONT *L1; [case(2)] CONT *L2; [default] ; } U;
typedef struct { unsigned long level; [switch_is(level)] U u; } ENUMS;
typedef struct { long n; [size_is(n), string] char **names; } tickets;
void Nullable([in, out, unique] node *list, [in] long n, [in, out, unique, size_is(n)] node **many);
void Levels([out] long *n, [out, size_is(, *n, )] record ***x);
void Tagged([out] struct raw *r, [in, out] struct raw *q);
void Names([in] long i, [out, size_is(i)] node **met, [out] node **block, [in, ptr] ring *all);
void Union([in] short t, [in, out, switch_is(t)] union either { [case(1, 2)] long **p; [default] ; } *x);
void Arrays([in, out] node *(*rows)[4], [out] node *cells[2][3]);
void Deep([in, out] tree *root);
void Box([in, out] box *mine);
void Empty([in] node *list, [out] long *n);
record *Result([in] long result);
void Ring([in, out, ptr] ring *start, [in, ptr] ring *blocks);
node *Both([in] long met, [in, out] ring *start);
long Enum([in, out] ENUMS *info, [out] unsigned long *total);
void Sell([in, out] tickets *open);
void Supplied([out] box *yours);
"""
C_TYPES = SHIPPED[: SHIPPED.index("void Nullable")] + "union either { long **p; };\n"


def shipped():
    session = Session(idl_text(SHIPPED))
    return {name: FreePlan(session.interface, name) for name in session.interface.procedures}


def without_attributes(text):
    return re.sub(r"(?<!\w)\[[^\]]*\] ?", "", text).replace("; ; }", "; }")


FREES = "static void midl_user_free(void *p) { free(p); }\n"


@needs_c
@pytest.mark.parametrize("name", shipped())
def test_the_c_of_one_plan_compiles(name, tmp_path):
    """Alone in a file: with no other header than that of the interface, and the standard of 1999."""
    file = tmp_path / "plan.c"
    code = shipped()[name].c
    file.write_text(
        f"#include <stddef.h>\nvoid midl_user_free(void *);\n{without_attributes(C_TYPES)}\n{code}"
    )
    command = [GCC, "-std=c99", "-pedantic", "-fsyntax-only", "-Wall", "-Wextra", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, f"{done.stderr}\n{code}"


SHIPPED_MAIN = """
#include <assert.h>
#define NEW(type) ((type *)midl_user_allocate(sizeof(type)))
static node *list(long n) { node *it = NULL; while (n--) { node *new = NEW(node); new->next = it; it = new; } return it; }

int main(void)
{
    noted_blocks yours = {0};
    node mine = {1, list(1000000)}, *many[2] = {list(2), NULL};
    node middle = {2, NULL};
    tree root = {0}; tree *at = &root;
    node own = {1, NULL}; long count = 5; box kept = {&own, &count, NULL};
    ring start = {0}, *other;
    CONT empty = {0, NULL}; ENUMS info = {1, {&empty}}; char a[] = "a", b[] = "b", *names[] = {a, b}; tickets open = {2, names};
    note_before_Nullable(&yours, NULL, 2, NULL);
    free_after_Nullable(&yours, NULL, 2, NULL);
    yours.used = 0;
    mine.next->next->next = &middle; live -= 999998;            /* a node of the client's own among the stub's */
    note_before_Nullable(&yours, &middle, 0, NULL);
    middle.next = list(3);
    free_after_Nullable(&yours, &mine, 2, many);
    assert(live == 0 && !mine.next && !many[0]);
    yours.used = 0;
    note_before_Deep(&yours, &root);
    for (long i = 0; i < 1000000; i++) { at->right = NEW(tree); at->text = midl_user_allocate(2); at = at->right; }
    free_after_Deep(&yours, &root);
    assert(live == 0 && !root.right && !root.text);
    yours.used = 0;
    note_before_Box(&yours, &kept);
    own.next = list(3); kept.more = list(2);
    free_after_Box(&yours, &kept);
    assert(live == 0 && kept.own == &own && kept.count == &count && !kept.more && !own.next);
    own.next = list(3); kept.more = list(2);
    free_after_Supplied(&kept);                                 /* [out]: what [ref] leads to, the client supplied */
    assert(live == 0 && kept.own == &own && kept.count == &count && !kept.more && !own.next);
    yours.used = 0;
    note_before_Ring(&yours, NULL, NULL);
    free_after_Ring(&yours, NULL);
    start.own = &count; yours.used = 0;
    note_before_Ring(&yours, &start, NULL);
    other = start.next = NEW(ring);
    other->next = other; other->own = (long *)midl_user_allocate(4);
    free_after_Ring(&yours, &start);
    assert(live == 0 && start.own == &count && !start.next);
    yours.used = 0;
    note_before_Enum(&yours, &info);                            /* the shape of NetrShareEnum */
    empty.n = 3; empty.v = midl_user_allocate(12);
    free_after_Enum(&yours, &info);
    assert(live == 0 && info.u.L1 == &empty && !empty.v);
    yours.used = 0;
    note_before_Sell(&yours, &open);
    open.n = 1;                                                 /* the second name is the client's, and listed */
    free_after_Sell(&yours, &open);
    assert(yours.yours == 4 && is_yours(&yours, b) && is_yours(&yours, a) && names[1] == b);
    free(yours.at);
    return 0;
}
"""


@needs_c
def test_the_c_follows_long_lists_and_leaves_null_and_reference_pointers_alone(tmp_path):
    types = without_attributes(C_TYPES)
    source = PRELUDE + types + c_code(shipped().values()) + SHIPPED_MAIN
    program = compiled(source, tmp_path, "-g")
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


BLOCKS = """
typedef struct t { long v; struct t *next; struct t *other; } t;
typedef t *PT;
typedef [ptr] t *FULL;
typedef struct { long n; PT all; node *list; } held;
void Pointer([in, out] PT *root);
void Parameter([in, out] node *list, [in, out] PT root);
void Held([in, out] held *it);
void Each([in, out] PT roots[2]);
void Full([out] FULL *made);
void Made([out] PT *made);
"""
BLOCKS_MAIN = """
#include <assert.h>
#define BLOCK(type, n) ((type *)midl_user_allocate((n) * sizeof(type)))

int main(void)
{
    noted_blocks yours = {0};
    t mine = {1, NULL, NULL}, deep = {2, NULL, NULL}, *root = &mine, *made, *roots[2] = {&mine, NULL}, *block;
    node own = {0, NULL}; held h = {0, &mine, NULL};
    mine.next = &deep;
    note_before_Pointer(&yours, &root);
    block = BLOCK(t, 3);                                        /* new nodes below two of the client's own */
    deep.other = &block[0]; block[0].next = &block[1]; mine.other = &block[2];
    free_after_Pointer(&yours, &root);
    assert(live == 0 && root == &mine && mine.next == &deep && !deep.other && !mine.other);
    yours.used = 0; root = NULL;
    note_before_Pointer(&yours, &root);
    root = BLOCK(t, 2); root->next = root->other = &root[1];    /* all of it new, one node met twice */
    free_after_Pointer(&yours, &root);
    assert(live == 0 && !root);
    yours.used = 0;
    note_before_Parameter(&yours, &own, &mine);
    own.next = BLOCK(node, 1); block = BLOCK(t, 2);
    deep.next = &block[0]; mine.other = &block[1];
    free_after_Parameter(&yours, &own, &mine);
    assert(live == 0 && !own.next && !deep.next && !mine.other);
    yours.used = 0;
    note_before_Held(&yours, &h);
    h.list = BLOCK(node, 1); h.list->next = BLOCK(node, 1); block = BLOCK(t, 2);
    mine.other = &block[0]; block[0].next = &block[1];
    free_after_Held(&yours, &h);
    assert(live == 0 && h.all == &mine && !h.list && !mine.other);
    yours.used = 0;
    note_before_Each(&yours, roots);
    mine.other = BLOCK(t, 1); roots[1] = BLOCK(t, 2); roots[1]->next = &roots[1][1];
    free_after_Each(&yours, roots);                             /* a block for each pointer */
    assert(live == 0 && roots[0] == &mine && !roots[1] && !mine.other);
    made = BLOCK(t, 3); made->next = &made[1]; made[1].next = made; made->other = &made[2];
    free_after_Full(&made);
    made = BLOCK(t, 2); made->next = &made[1];
    free_after_Made(&made);
    assert(live == 0 && !made);
    free(yours.at);
    return 0;
}
"""


@needs_c
def test_the_c_frees_a_block_of_all_nodes_at_its_start_also_below_nodes_of_the_clients(tmp_path):
    source = NODE + BLOCKS
    session = Session(
        idl_text(source),
        "interface i { typedef [allocate(all_nodes)] PT; typedef [allocate(all_nodes)] FULL; }",
    )
    code = c_code(FreePlan(session.interface, name) for name in session.interface.procedures)
    types = without_attributes(source[: source.index("void Pointer")])
    program = compiled(PRELUDE + types + code + BLOCKS_MAIN, tmp_path, "-g")
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_c_says():
    """Word for word: it is what people paste."""
    plans = shipped()
    assert plans["Empty"].c == "/* After Empty the client frees nothing. */\n"
    told = """\
/* Call it before Box, with noted_blocks {0}: what you pass stays yours. */
void note_before_Box(noted_blocks *yours, box *mine)
{
    add_block(yours, mine);
    note_all_box(yours, mine);
    mark_yours(yours);  /* what the client passed stays its own */
}

/* What the client frees after Box.
   What you passed stays yours, also what the server cut off:
   yours->at[0] to yours->at[yours->yours - 1] list all of it.
   Free what you allocated of it as you always do, and yours->at with free. */
void free_after_Box(noted_blocks *yours, box *mine)
{
    free_new_box(yours, mine);
}
"""
    assert plans["Box"].c.endswith(told)
    assert "mine: what its reference" not in plans["Box"].c
    assert "yours: what its reference pointers lead to stays yours." in plans["Supplied"].c
    code = plans["Levels"].c
    assert "x: set every pointer in it to null before the call;" in code
    assert "for (size_t i = 0; i < (size_t)(*n); i++) {" in code
    assert "free_record((*x)[i]);" in code
    assert "result_ = NULL" not in plans["Result"].c
    assert "void free_after_Result(record *result_)" in plans["Result"].c


def test_the_deallocator_that_fits_both_environments():
    """With [enable_allocate] the stub allocates by the environment of the thread, whichever it is (M-051)."""
    body = NODE + "void f([out] node **made); void g([out] node **made);"
    session = open_session(body, acf="[enable_allocate] f();")
    plans = [FreePlan(session.interface, name) for name in ("f", "g")]
    assert [plan.deallocator for plan in plans] == ["RpcSmClientFree", "midl_user_free"]
    both = c_code(plans)
    assert both.count("RpcSmClientFree(") == both.count("midl_user_free(") == 3, (
        "a prototype of each, and its calls"
    )
    assert both.count("#include <rpc.h>") == 2
    assert "client_free_node(*made);" in both
    dce = open_session(body, osf=True)
    assert FreePlan(dce.interface, "g", dce.environment).deallocator == "RpcSmClientFree"


@needs_c
@pytest.mark.parametrize("acf", ["", "[enable_allocate] f();"])
@pytest.mark.parametrize("way", ["out", "in, out"])
@pytest.mark.parametrize("is_object", [False, True])
def test_the_c_compiles_as_it_is_printed(acf, way, is_object, tmp_path):
    """Behind the types alone: the deallocator is declared, whichever it is."""
    body = NODE + f"long f([{way}] node **made);" if is_object else NODE + f"void f([{way}] node **made);"
    head = "object, " * is_object + "uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)"
    session = Session(f"[{head}] interface i {{ {body} }}", "" if is_object else f"interface i {{ {acf} }}")
    file = tmp_path / "plan.c"
    file.write_text(f"{NODE}\n{plan_of(session).c}")
    command = [GCC, "-std=c99", "-pedantic", "-fsyntax-only", "-Wall", "-Wextra", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr


def test_the_shape_of_net_share_enum():
    """The container is the caller's, whatever the server hangs into it."""
    source = (Path(__file__).parent / "faults/idl/enumerate-container.idl").read_text(encoding="utf-8")

    def routine(call, info, total):
        info.u.L1.v = call.new([1, 2, 3])
        info.u.L1.n = 3
        return 0

    session = Session(source)
    serve(session, "Enum", routine)
    call = session.call("Enum", info={"level": 1, "u": {"$case": 1, "$value": {"n": 0, "v": None}}})
    assert check_run(session, call).count == 1
    code = FreePlan(session.interface, "Enum").c
    assert "note_before_Enum(noted_blocks *yours, ENUMS *info)" in code
    assert "free_after_Enum(noted_blocks *yours, ENUMS *info)" in code
    assert "also what the server cut off:" in code  # its array holds numbers: no element can be cut off


def test_the_c_says_when_it_is_right():
    session = open_session(TREE + "void f([in, out] node *root, [out] node **made);")
    code = plan_of(session).c
    comment = code[code.index("/* What the client frees after f.") :]
    assert "What you passed stays yours" in comment
    assert "made: set every pointer in it to null before the call;" in comment
    assert comment.index("free_new_node(yours, root);") < comment.index("midl_user_free(*made);")
    assert "midl_user_free(root)" not in code


def test_a_graph_in_one_block_below_a_parameter_is_told_as_such():
    session = open_session(
        "typedef struct t { long v; struct t *l; } t; typedef t *PT; void f([in, out] PT *root);",
        acf="typedef [allocate(all_nodes)] PT;",
    )

    c = FreePlan(session.interface, "f").c

    assert "root: one block below it." in c
    assert "to null before the call" not in c


def test_without_an_environment_a_plan_goes_by_the_mode_of_its_interface():
    session = open_session("typedef [unique] long *P; void f([out] P *made);", osf=True)

    assert FreePlan(session.interface, "f").deallocator == "RpcSmClientFree"
    assert FreePlan(session.interface, "f").c == FreePlan(session.interface, "f", session.environment).c


def test_elements_beyond_a_count_are_mentioned_where_an_array_has_one() -> None:
    """An array of pointers that something counts; not one of a fixed size, of numbers, or none."""
    beyond = "also what the server cut off (elements beyond a count that it lowered):"
    texts = {
        "counted": "typedef struct { long n; [size_is(n)] P *at; } t; void F([in, out] t *it);",
        "ranged": "typedef struct { long n; [length_is(n)] P at[4]; } t; void F([in, out] t *it);",
        "fixed": "typedef struct { P at[4]; } t; void F([in, out] t *it);",
        "numbers": "typedef struct { long n; [size_is(n)] long *at; P one; } t; void F([in, out] t *it);",
    }
    told = {name: FreePlan(interface_of(text), "F").c for name, text in texts.items()}
    assert {name: beyond in " ".join(code.split("\n   ")) for name, code in told.items()} == {
        "counted": True,
        "ranged": True,
        "fixed": False,
        "numbers": False,
    }


def test_the_prototype_of_rpc_sm_client_free_returns_a_status() -> None:
    interface = interface_of("P Get(void);")
    code = FreePlan(interface, "Get", Environment(osf=True)).c
    assert "\nRPC_STATUS RpcSmClientFree(void *);\n" in code
    assert "\nvoid midl_user_free(void *);\n" in FreePlan(interface, "Get").c


def interface_of(text: str) -> Interface:
    head = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1805), pointer_default(unique)]"
    return compile_idl(f"{head} interface i {{ typedef [unique] long *P; {text} }}").interface


@pytest.mark.parametrize(
    ("parameter", "cut"),
    [
        ("[in, out] name *a", False),
        ("[in, out, size_is(5), length_is(*n)] name *a", True),
        (
            "[in, out] held *a",
            False,
        ),  # freed whole with the pointer to the array, by the count before the call
        ("[in, out, size_is(*n)] held *a", True),
    ],
)
def test_a_plan_for_com_says_what_no_proxy_frees(parameter, cut):
    """A pointer that does not come back is not replaced: its storage is orphaned."""
    session = Session(
        "[object, uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {"
        "typedef struct { [string] char *s; } name; typedef struct { long n; [size_is(n)] name *names; } held;"
        f"typedef long HRESULT; HRESULT f([in, out] long *n, {parameter}); }}"
    )

    assert ("a lowered count" in FreePlan(session.interface, "f").c) == cut
