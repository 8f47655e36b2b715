"""Whole contracts, cell by cell, written down from the documentation: what each declaration promises, and nothing else.

The server has pointers of 8 bytes and the wire those of 4, so what holds pointers is allocated, and base types stay
in the receive buffer (server-stub-memory-management.md). Each promise is what top-level-and-embedded-pointers.md and
the page of its construct say.
"""

from typing import NamedTuple

import pytest

from rpcmemkit import Session
from rpcmemkit.contract import contract
from tests.engine.conversions import list_session
from tests.engine.helpers import ACF_HEADER, NODE, idl_text, open_session


class Row(NamedTuple):
    """A promise as text. Cells: ``outcome outcome: rule rule``. Acts: ``by using rule``, one after the other."""

    path: str
    what: str
    before: str = ""
    after: str = ""
    allocates: str = ""
    frees: str = ""
    lost: str = ""
    entry: str = ""
    server_allocates: str = ""
    server_frees: str = ""
    server_lost: str = ""


def cell(cell):
    return f"{' '.join(cell.outcomes)}: {' '.join(cell.rules)}" if cell.outcomes or cell.rules else ""


def acts(acts):
    return ", ".join(f"{by} {using.replace(' ', '-')} {rule}" for by, using, rule in acts)


def told(promise):
    client, server = promise.client, promise.server
    return Row(
        promise.path,
        f"{promise.kind} {promise.level} {promise.direction}",
        cell(client.before),
        cell(client.after),
        acts(client.allocates),
        acts(client.frees),
        cell(client.lost),
        cell(server.entry),
        acts(server.allocates),
        acts(server.frees),
        cell(server.lost),
    )


# --- what the pages say again and again ------------------------------------------------------------

OWN = "application its-own client-owns"
REF = "storage: client-owns ref-never-null"
NULLABLE = "storage null: client-owns may-be-null"
WRITTEN_OVER = "storage: client-overwrites-existing ref-never-null"
NEW = "stub midl_user_allocate client-null-to-new"
FREE_NEW = "application midl_user_free client-owns"
FILLED = "storage new storage null: client-overwrites-existing client-null-to-new may-be-null"
ORPHANED = "orphaned: client-never-frees-orphans"
REPLY = "stub midl_user_free server-frees-after-reply"
ROUTINE = "routine midl_user_allocate routine-allocates"
DROPS = "routine midl_user_free routine-frees"
LEAKED = "leaked: server-frees-after-reply"
WIDENED = "server-allocates-widened-pointer"
RESIZED = "server-allocates-resized-type"
ZEROED = "server-zeroes-out"
KEPT_IN_BUFFER = "buffer: server-reuses-buffer ref-never-null"
NULL_OR_BUFFER = "buffer null: server-reuses-buffer may-be-null"
STACK = "server-stub-stack"
STUB_MAKES = f"stub stub-memory {STACK}"


def passed(path, kind="ref", way="in", entry=KEPT_IN_BUFFER, makes="", frees=""):
    """A top-level pointer: passed by value, so that the client's storage is never exchanged."""
    before = REF if kind == "ref" else NULLABLE
    back = before if way == "in" else before.replace("client-owns", "client-overwrites-existing")
    return Row(path, f"{kind} top-level {way}", before, back, OWN, OWN, "", entry, makes, frees)


def made(rule):
    """What the server stub allocates because of a rule."""
    return f"stub midl_user_allocate {rule}"


def rebuilt(path, way="in"):
    """A [ref] parameter whose referent holds pointers: the server stub allocates it."""
    return passed(path, "ref", way, f"allocated: {WIDENED} ref-never-null", made(WIDENED), REPLY)


def linked(path, way, kind="unique"):
    """A pointer that may be null, inside what a parameter names; it comes and goes with the list."""
    back = way != "in"
    return Row(
        path,
        f"{kind} embedded {way}",
        NULLABLE,
        FILLED if back else NULLABLE,
        f"{OWN}, {NEW}" if back else OWN,
        f"{OWN}, {FREE_NEW}" if back else OWN,
        ORPHANED if back else "",
        f"allocated null: {WIDENED} may-be-null",
        f"{made(WIDENED)}, {ROUTINE}",
        f"{REPLY}, {DROPS}",
        LEAKED,
    )


def grown(path, kind="unique"):
    """A pointer inside zeroed [out] storage: the routine makes what it names."""
    ends = NULLABLE, FILLED, f"{OWN}, {NEW}", f"{OWN}, {FREE_NEW}", ORPHANED
    return Row(path, f"{kind} embedded out", *ends, f"null: {ZEROED}", ROUTINE, REPLY)


OUT_STORAGE = passed("p", "ref", "out", f"allocated: {ZEROED}", made(ZEROED), REPLY)
OUT_CELL = passed("p", "ref", "out", f"stub: {STACK} {ZEROED}", STUB_MAKES)
IN_OUT_CELL = passed("p", "ref", "in,out", f"stub: {STACK} ref-never-null", STUB_MAKES)

# --- plain pointers, arrays and strings (three-pointer-types.md, memory-management-models.md) --------

PLAIN = {
    "[in] long *p": [passed("p")],
    "[in, unique] long *p": [passed("p", "unique", "in", NULL_OR_BUFFER)],
    "[in, ptr] long *p": [passed("p", "ptr", "in", NULL_OR_BUFFER)],
    "[in, out] long *p": [passed("p", "ref", "in,out")],
    "[in, out, unique] long *p": [passed("p", "unique", "in,out", NULL_OR_BUFFER)],
    "[in, out, ptr] long *p": [passed("p", "ptr", "in,out", NULL_OR_BUFFER)],
    "[out] long *p": [OUT_CELL],
    "[in] node *p": [rebuilt("p"), linked("p.next", "in")],
    "[in, out] node *p": [rebuilt("p", "in,out"), linked("p.next", "in,out")],
    "[out] node *p": [OUT_CELL, grown("p.next")],
    "[out] node **p": [OUT_CELL, grown("*p"), grown("*p.next")],
    "[in, out] node **p": [IN_OUT_CELL, linked("*p", "in,out"), linked("*p.next", "in,out")],
    "[in] chain *p": [rebuilt("p"), linked("p.next", "in", "ptr")],
    "[in, out] chain *p": [rebuilt("p", "in,out"), linked("p.next", "in,out", "ptr")],
    "[out] chain *p": [OUT_CELL, grown("p.next", "ptr")],
    "[in] long n, [in, size_is(n)] long *p": [passed("p")],
    "[in] long n, [in, unique, size_is(n)] long *p": [
        passed("p", "unique", "in", NULL_OR_BUFFER)._replace(before=f"{NULLABLE} null-needs-zero-size")
    ],
    "[in] long n, [out, size_is(n)] long *p": [OUT_STORAGE],
    "[out] long p[1]": [OUT_STORAGE],
    "[in] kind *p": [passed("p", entry=f"stub: {STACK} ref-never-null", makes=STUB_MAKES)],
    "[in, unique] kind *p": [
        passed(
            "p", "unique", entry=f"allocated null: {RESIZED} may-be-null", makes=made(RESIZED), frees=REPLY
        )
    ],
    "[in] long n, [in, size_is(9), length_is(n)] long *p": [
        passed(
            "p",
            entry="allocated: server-allocates-varying ref-never-null",
            makes=made("server-allocates-varying"),
            frees=REPLY,
        )
    ],
    "[in, string] char *p": [passed("p")],
    "[in, out, string, size_is(9)] char *p": [
        passed(
            "p",
            way="in,out",
            entry="allocated: server-allocates-sized-string ref-never-null",
            makes=made("server-allocates-sized-string"),
            frees=REPLY,
        )
    ],
}


def check(found, expected):
    assert [told(promise) for promise in found.promises] == expected


BODY = (
    NODE + "typedef enum { A } kind; typedef struct chain { long value; [ptr] struct chain *next; } chain;\n"
)


@pytest.mark.parametrize("signature", PLAIN)
def test_plain_pointers(signature):
    session = open_session(f"{BODY}void f({signature});")
    check(contract(session.interface, "f"), PLAIN[signature])


def test_reference_pointers_inside_storage():
    """[in, out]: never null and never exchanged, so nobody allocates or loses (top-level-and-embedded-pointers.md)."""
    session = open_session("typedef struct { [ref] long *r; } box; void f([in, out] box *p, [out] box *q);")
    inner = Row(
        "p.r",
        "ref embedded in,out",
        REF,
        WRITTEN_OVER,
        OWN,
        OWN,
        "",
        KEPT_IN_BUFFER,
        ROUTINE,
        REPLY,
    )
    # Before an [out] call it may be null: then the stub allocates.
    empty = Row(
        "q.r",
        "ref embedded out",
        NULLABLE,
        "storage new storage: client-overwrites-existing client-null-to-new ref-never-null",
        f"{OWN}, {NEW}",
        f"{OWN}, {FREE_NEW}",
        "",
        f"null: {ZEROED}",
        ROUTINE,
        REPLY,
    )
    check(
        contract(session.interface, "f"),
        [rebuilt("p", "in,out"), inner, OUT_CELL._replace(path="q"), empty],
    )


RESULT = Row(
    "return",
    "unique top-level return",
    "",
    "new storage null: client-allocates-result may-be-null",
    "stub midl_user_allocate client-allocates-result",
    FREE_NEW,
    "",
    "",
    ROUTINE,
    REPLY,
)
BELOW_RESULT = RESULT._replace(
    path="return.next",
    what="unique embedded return",
    after="new storage null: client-null-to-new may-be-null",
    allocates=NEW,
)


def test_a_result():
    """Always new storage (function-return-values.md)."""
    session = open_session(BODY + "node *f(void);")
    check(contract(session.interface, "f"), [RESULT, BELOW_RESULT])


def test_a_full_pointer_of_a_result_may_name_what_was_passed():
    session = open_session(BODY + "chain *f(void);")
    below = BELOW_RESULT._replace(
        what="ptr embedded return", after="new storage storage null: client-null-to-new may-be-null"
    )
    check(contract(session.interface, "f"), [RESULT, below])


# --- memory attributes -----------------------------------------------------------------------------


def attributed(body, acf=None, **environment):
    session = open_session(NODE + body, acf=acf, **environment)
    return contract(session.interface, "f", session.environment)


BLOCK = "all-nodes-one-block"
STUB_BLOCK, FREE_BLOCK = f"stub midl_user_allocate {BLOCK}", f"stub midl_user_free {BLOCK}"
ALL_NODES = "typedef [allocate(all_nodes)] node *list;\n"


def test_all_nodes_in():
    """One block, one allocation, one free (stub-allocated-buffers.md)."""
    head = passed("p", entry=f"allocated: {BLOCK} ref-never-null", makes=STUB_BLOCK, frees=FREE_BLOCK)
    inner = linked("p.next", "in")._replace(
        entry=f"allocated null: {BLOCK} may-be-null",
        server_allocates=f"{STUB_BLOCK}, {ROUTINE}",
        server_frees=f"{FREE_BLOCK}, {REPLY}",
        server_lost="",
    )
    check(attributed(ALL_NODES + "void f([in] list p);"), [head, inner])


def test_all_nodes_out():
    """The client frees the block by the pointer that names it; what lies inside goes with it."""
    back = {"after": f"new storage null: {BLOCK} may-be-null", "allocates": f"{OWN}, {STUB_BLOCK}"}
    head = grown("*p")._replace(**back)
    inner = grown("*p.next")._replace(**back, frees=OWN)
    found = attributed(ALL_NODES + "void f([out] list *p);")
    check(found, [OUT_CELL, head, inner])
    assert [promise.note for promise in found.promises] == ["", "part of one block", "part of one block"]
    assert [promise.head for promise in found.promises] == [None, None, ("p", "*")]


def test_all_nodes_of_a_result():
    head = RESULT._replace(after=f"new storage null: {BLOCK} may-be-null", allocates=STUB_BLOCK)
    found = attributed(ALL_NODES + "list f(void);")
    check(found, [head, head._replace(path="return.next", what="unique embedded return", frees="")])


def test_all_nodes_below_what_was_passed_by_value():
    """The parameter's own node stays; whatever comes first in the block names it."""
    head = passed("p", "ref", "in,out", f"allocated: {BLOCK} ref-never-null", STUB_BLOCK, FREE_BLOCK)
    inner = linked("p.next", "in,out")._replace(
        after=f"new storage null: {BLOCK} may-be-null",
        allocates=f"{OWN}, {STUB_BLOCK}",
        entry=f"allocated null: {BLOCK} may-be-null",
        server_allocates=f"{STUB_BLOCK}, {ROUTINE}",
        server_frees=f"{FREE_BLOCK}, {REPLY}",
        server_lost="",
    )
    check(attributed(ALL_NODES + "void f([in, out] list p);"), [head, inner])


def test_byte_count():
    """Everything that comes back lies in the application's buffer (application-allocated-buffer.md)."""
    sized = "byte-count-sizes-buffer"
    head = passed("p", "ref", "out", f"allocated: {sized}", made(sized), f"stub midl_user_free {sized}")
    inner = grown("p.next")._replace(
        after="storage null: client-overwrites-existing may-be-null", allocates=OWN, frees=OWN
    )
    found = attributed("void f([in] long size, [out] node *p);", "f([byte_count(size)] p);")
    check(found, [head, inner])
    assert {promise.note for promise in found.promises} == {"laid out in the application's buffer"}


def test_dont_free():
    """The stub never frees it: that is the application's (persistent-storage-on-the-server.md)."""
    keeps = {
        "entry": "allocated null: server-allocates-forced may-be-null",
        "server_allocates": f"{made('server-allocates-forced')}, {ROUTINE}",
        "server_frees": "application midl_user_free dont-free-keeps",
        "server_lost": "kept leaked: dont-free-keeps",
    }
    found = attributed("typedef [allocate(dont_free)] node *list; void f([in, out] list *p);")
    rows = [linked(path, "in,out")._replace(**keeps) for path in ("*p", "*p.next")]
    check(found, [IN_OUT_CELL, *rows])


def test_force_allocate():
    forced = "server-allocates-forced"
    head = passed("p", entry=f"allocated: {forced} ref-never-null", makes=made(forced), frees=REPLY)
    check(attributed("void f([in] long *p);", "f([force_allocate] p);"), [head])


PACKAGE, RELEASED = "RpcSsAllocate", "stub RpcSsDisableAllocate environment-released-at-end"


def in_environment(row, allocator="midl_user_allocate", deallocator="midl_user_free"):
    """The same pointer where the stubs use an RpcSs environment: all is released at the end, nothing can leak."""
    drops = ", routine RpcSsFree routine-frees" if DROPS in row.server_frees else ""
    new = f"stub {allocator} client-null-to-new, stub {PACKAGE} client-null-to-new"
    free = f"application {deallocator} client-owns, application RpcSsFree client-owns"
    return row._replace(
        allocates=row.allocates.replace(NEW, new),
        frees=row.frees.replace(FREE_NEW, free),
        server_allocates=row.server_allocates.replace("midl_user_allocate", PACKAGE),
        server_frees=RELEASED + drops if row.server_frees else "",
        server_lost="",
    )


def test_enable_allocate():
    rows = [in_environment(row) for row in (rebuilt("p", "in,out"), linked("p.next", "in,out"))]
    check(attributed("void f([in, out] node *p);", "[enable_allocate] f();"), rows)


def test_dce():
    """A DCE stub allocates whatever it unmarshals, in an environment of its own (-osf.md)."""
    node = [
        in_environment(row, "malloc", "free") for row in (rebuilt("p", "in,out"), linked("p.next", "in,out"))
    ]
    rule = "osf-stub-environment"
    number = passed(
        "n", entry=f"allocated: {rule} ref-never-null", makes=f"stub {PACKAGE} {rule}", frees=RELEASED
    )
    check(attributed("void f([in, out] node *p, [in] long *n);", osf=True), [*node, number])


def test_object_interfaces():
    """A proxy zeroes [out] storage first; what an [in, out] tree held it frees (pointers-tfs.md, FC_OP)."""
    text = idl_text(NODE + "long f([out] node **p, [in, out] node *q);").replace("[uuid", "[object, uuid")
    task = {"midl_user_allocate": "CoTaskMemAlloc", "midl_user_free": "CoTaskMemFree"}
    cleared = [
        grown(path)._replace(
            after="new storage null: proxy-zeroes-out client-null-to-new may-be-null",
            lost="orphaned: proxy-zeroes-out client-never-frees-orphans",
        )
        for path in ("*p", "*p.next")
    ]
    allocated, freed = "object-pointer-allocated", "object-pointer-replaced"
    replaced = linked("q.next", "in,out")._replace(
        after=f"new storage null: {freed} client-null-to-new may-be-null",
        allocates=f"application midl_user_allocate {freed}, stub midl_user_allocate {freed}, {NEW}",
        frees=f"stub midl_user_free {freed}, {FREE_NEW}",
        lost="",
        entry=f"allocated null: {allocated} may-be-null",
        server_allocates=f"{made(allocated)}, {ROUTINE}",
    )
    rows = [OUT_CELL, *cleared, rebuilt("q", "in,out"), replaced]
    for old, new in task.items():
        rows = [Row(*(text.replace(old, new) for text in row)) for row in rows]
    check(contract(Session(text).interface, "f"), rows)


# --- context handles (context-handle.md, failure-semantics-for-context-handles.md) --------------------

TOKEN, TABLE, RECORD = "context-token-travels", "stub context-table", "stub context-record"
DESTROYED = "application RpcSsDestroyClientContext context-client-reset"
NO_RUN_DOWN = "context-without-run-down"


def handle(path, way, before, after, entry, run_down="context-run-down"):
    """A context handle; ``before``, ``after`` and ``entry`` are what it may hold."""
    comes_back, own = way != "in", "context-client-record"
    rule = own if comes_back else "context-in-not-null"
    opens = f"routine midl_user_allocate routine-allocates, {TABLE} context-opened-by-value"
    closes = [DROPS, *([f"{TABLE} context-closed-by-null"] * comes_back)]
    closes += [f"{TABLE} {run_down}"] if run_down != NO_RUN_DOWN else []
    leaks = ["context-closed-by-null"] * (way == "in,out") + [NO_RUN_DOWN] * (run_down == NO_RUN_DOWN)
    return Row(
        path,
        f"context handle {'top-level' if '*' not in path else 'embedded'} {way}",
        before and f"{before}: {rule}",
        f"{after}: {rule}",
        f"{RECORD} {own}" if comes_back else "",
        f"{RECORD} {own}, {DESTROYED}" if comes_back else DESTROYED,
        "",
        f"{entry}: {TOKEN}",
        opens if comes_back else "",
        ", ".join(closes),
        f"kept{' leaked' * bool(leaks)}: {' '.join(['context-state-stays', *leaks])}",
    )


TOKEN_CELL = passed("p", "ref", "in,out", f"stub: {TOKEN} ref-never-null", f"stub stub-memory {TOKEN}")
HANDLES = {
    "void f([in] PH p)": [handle("p", "in", "storage", "storage", "allocated")],
    "void f([out] PH *p)": [
        passed("p", "ref", "out", f"stub: {ZEROED}", f"stub stub-memory {ZEROED}"),
        handle("*p", "out", "null", "storage null", "null"),
    ],
    "void f([in, out] PH *p)": [
        TOKEN_CELL,
        handle("*p", "in,out", "storage null", "storage null", "allocated null"),
    ],
    "void f([in, context_handle] void *p)": [
        handle("p", "in", "storage", "storage", "allocated", NO_RUN_DOWN)
    ],
    "void f([in, out, context_handle] void **p)": [
        TOKEN_CELL,
        handle("*p", "in,out", "storage null", "storage null", "allocated null", NO_RUN_DOWN),
    ],
}


@pytest.mark.parametrize("signature", HANDLES)
def test_context_handles(signature):
    found = attributed(f"typedef [context_handle] void *PH; {signature};")
    check(found, HANDLES[signature])
    assert found.handles == ("p",)
    assert found.values == ()


# --- converted types and pipes ------------------------------------------------------------------------

CONVERTS = "conversion midl_user_allocate conversion-allocates"
CONVERTER_FREES = "conversion midl_user_free conversion-frees"


def converted(path, way, level, sends, fills, done, kind):
    """A converted type: the sender's rules on the one side, the receiver's and the end on the other."""
    inward, outward = "in" in way.split(","), "out" in way.split(",")
    there = " ".join([*([sends] if inward else []), *([fills] if outward else [])])
    here = " ".join([*([fills] if inward else []), *([sends] if outward else []), done])
    return Row(
        path,
        f"{kind} {level} {way}",
        f"storage: client-owns {there}",
        f"storage: client-owns {there}",
        f"{OWN}, {CONVERTS}",
        f"{OWN}, {CONVERTER_FREES}",
        ORPHANED if way == "in,out" else "",
        f"converted: {here}",
        CONVERTS,
        CONVERTER_FREES,
    )


TRANSMITTED = (
    "to-xmit-allocates free-xmit-after-marshalling",
    "from-xmit-fills-root",
    "free-inst-below-root",
    "transmit_as",
)
BYTES = ("user-marshal-writes", "user-unmarshal-reads", "user-free-on-server", "user_marshal")


def test_transmit_as():
    found = contract(list_session("void f([in] LIST p);").interface, "f")
    check(found, [converted("p", "in", "top-level", *TRANSMITTED)])
    found = contract(list_session("void f([in, out] LIST *p, [out] LIST *q);").interface, "f")
    fills = "from-xmit-fills-root"
    rows = [
        passed("p", "ref", "in,out", f"allocated: {fills} ref-never-null", made(fills), REPLY),
        converted("*p", "in,out", "embedded", *TRANSMITTED),
        OUT_CELL._replace(path="q"),
        converted("*q", "out", "embedded", *TRANSMITTED),
    ]
    check(found, rows)


def test_user_marshal():
    acf = ACF_HEADER + "typedef [user_marshal(local)] wire;\n}\n"
    text = idl_text(
        "typedef struct { hyper a; } local; typedef struct { long a; } wire; void f([in] wire p);"
    )
    found = contract(Session(text, acf).interface, "f")
    check(found, [converted("p", "in", "top-level", *BYTES)])


@pytest.mark.parametrize("way", ["in", "out"])
def test_a_pipe(way):
    """The client application gives the buffers, the server stub has one of its own (pipe.md)."""
    found = attributed(f"typedef pipe long LONGS; void f([{way}] LONGS {'*' if way == 'out' else ''}p);")
    row = Row(
        found.promises[-1].path,
        f"pipe {'embedded' if '*' in found.promises[-1].path else 'top-level'} {way}",
        "storage: pipe-alloc-by-application",
        "storage: pipe-alloc-by-application",
        "application its-alloc-procedure pipe-alloc-by-application",
        OWN,
        "",
        "stub: pipe-buffer-of-server-stub",
        "stub stub-memory pipe-buffer-of-server-stub",
    )
    assert told(found.promises[-1]) == row


# --- what lies deeper --------------------------------------------------------------------------------


def test_types_and_where_a_type_that_contains_itself_goes_on():
    found = attributed("void f([in, out] node **p, [in, string] char *s);")
    assert [promise.type for promise in found.promises] == ["node * *", "node *", "node *", "char[] *"]
    assert [promise.again for promise in found.promises] == [None, None, ("p", "*"), None]
    handle_ = attributed("typedef [context_handle] void *PH; void f([in] PH p);").promises[0]
    assert handle_.type == "PH"


def test_a_reference_pointer_in_storage_that_may_be_new_or_lost():
    """What the stub makes it makes whole; what is lost above is lost with what hangs below."""
    body = "typedef struct { [ref] long *r; } box; void f([in, out] box **p);"
    found = attributed(body)["*p.r"]
    assert cell(found.client.before) == REF
    back = "storage new storage: client-overwrites-existing client-null-to-new ref-never-null"
    assert cell(found.client.after) == back
    assert acts(found.client.allocates) == f"{OWN}, {NEW}"
    assert cell(found.client.lost) == ORPHANED


def test_a_reference_pointer_in_a_union_arm():
    """Another arm may come back, if the tag does: then what the arm of before named is lost."""
    body = "typedef struct { [ref] long *r; } box;\n"
    body += "typedef [switch_type(short)] union { [case(1)] box b; [default] ; } either;\n"
    fixed = attributed(body + "void f([in] short t, [in, out, switch_is(t)] either *p);")["p.b.r"]
    assert acts(fixed.client.allocates) == OWN
    assert cell(fixed.client.lost) == ""
    found = attributed(body + "void f([in, out] short *t, [in, out, switch_is(*t)] either *p);")["p.b.r"]
    assert acts(found.client.allocates) == f"{OWN}, {NEW}"
    assert cell(found.client.lost) == ORPHANED
    assert found.note == "only where the data has it"


def test_partial_ignore():
    """Only whether it is null travels; the stub makes the storage (partial-ignore.md)."""
    found = attributed("void f([in, out, partial_ignore, unique] long *p);")
    entry = f"stub null: {STACK} {ZEROED} partial-ignore-sends-nullness"
    check(found, [passed("p", "unique", "in,out", entry, STUB_MAKES)])


def test_reflected_deletions():
    """The client stub frees what the routine freed, by full pointers only (DCE)."""
    body = "typedef struct chain { long value; [ptr] struct chain *next; } chain; [reflect_deletions] "
    found = attributed(body + "void f([in, out] chain *p);", osf=True)
    reflected = ("stub", "free", "reflected-deletions-freed")
    assert [reflected in row.client.frees for row in found.promises] == [False, True]
