"""Claims about the server stub: what stays in the receive buffer, what is allocated, what is freed."""

from __future__ import annotations

import pytest

from rpcmemkit import Audit, ServerStub
from tests.claims.table import BOTH_SIZES, NODE, Fact, fact, prove, proving
from tests.engine.helpers import first, linked, open_session, run

WINE = {"reading": "wine"}
FULL = "typedef struct {{ byte a[{}]; }} full;\n"
SMALL, NDR64 = {"server_pointer_size": 4}, {"transfer_syntax": "ndr64"}
PAIR = "typedef struct { long a; long b; } pair;\n"
LINKED = "typedef struct { long a; long *b; } linked;\n"
ENUM = "typedef enum { red, green } colour;\n"
UNION = "typedef [switch_type(long)] union { [case(1)] long l; [default] ; } u;\n"
TAGGED = UNION + "typedef struct { long tag; [switch_is(tag)] u body; } tagged;\n"
LIST = "typedef struct list { long *pData; struct list *pNext; } list;\n"
CHAIN = {"pData": 1, "pNext": {"pData": 2, "pNext": {"pData": 3, "pNext": None}}}


def stays(claims: str, body: str, arguments: dict[str, object], name: str = "p", **more: object) -> object:
    """The referent of a parameter stays in the receive buffer."""
    return fact(claims, body, arguments, server_storage={name: "buffer"}, sizes=[], server_frees=0, **more)


def goes(
    claims: str, body: str, arguments: dict[str, object], rule: str, name: str = "p", **more: object
) -> object:
    """The referent of a parameter is allocated, because of a rule, and freed."""
    return fact(
        claims, body, arguments, server_storage={name: "allocated"}, rules=[rule], server_leaked=0, **more
    )


def m_079(p):
    assert p() == {"a": 0, "b": 0}


@pytest.mark.parametrize(
    "row",
    [
        # what looks the same in memory stays
        stays("M-078 M-119", "void f([in] hyper *p);", {"p": 1}),
        stays("M-078", "void f([in] double *p);", {"p": 1.5}),
        stays("M-078", PAIR + "void f([in, out] pair *p);", {"p": {"a": 1, "b": 2}}),
        stays("M-078", "void f([in, size_is(n)] long *p, [in] long n);", {"p": [1, 2], "n": 2}),
        stays(
            "M-078", PAIR + "void f([in] long n, [in, size_is(n)] pair p[]);", {"p": [], "n": 0}, env=SMALL
        ),
        stays("M-078", PAIR + "void f([in] long n, [in, size_is(n)] pair *p);", {"p": [], "n": 0}, env=NDR64),
        stays("M-078", PAIR + "void f([in] long n, [in, size_is(n)] pair *p);", {"p": [], "n": 0}, env=WINE),
        goes(
            "M-090",
            PAIR + "void f([in] long n, [in, size_is(n)] pair *p);",
            {"p": [{"a": 1, "b": 2}], "n": 1},
            "server-allocates-complex",
            sizes=[8],
        ),
        stays("M-078", "void f([in] long p[3]);", {"p": [1, 2, 3]}),
        stays("M-084", "void f([in, string] char *p);", {"p": "text"}),
        stays("M-084", "void f([in, unique, string] wchar_t *p);", {"p": "text"}),
        stays("M-085", "typedef [v1_enum] enum { one } e;\nvoid f([in] e *p);", {"p": 0}),
        stays("M-079", PAIR + "void f([in] pair *p);", {"p": {"a": 1, "b": 2}}),
        fact("M-079 M-102", PAIR + "void f([out] pair *p);", {}, m_079, sizes=[]),
        fact(
            "M-102 M-107",
            FULL.format(56) + "void f([out] full *p);",
            {},
            server_storage={"p": "stub"},
            sizes=[],
        ),
        fact("M-102 M-107", FULL.format(57) + "void f([out] full *p);", {}, sizes=[57], server_frees=1),
        fact("M-107", "void f([out] char p[4]);", {}, server_storage={"p": "allocated"}, sizes=[4]),
        fact(
            "M-107",
            "void f([in] long **p, [in, out, unique] long **q);",
            {"p": 1, "q": 2},
            server_storage={"p": "stub", "*p": "buffer", "q": "stub", "*q": "buffer"},
            sizes=[],
        ),
        fact(
            "M-107",
            "void f([in] long **p);",
            {"p": 1},
            env=SMALL,
            server_storage={"p": "stub", "*p": "buffer"},
            sizes=[],
        ),
        fact(
            "M-085 M-107",
            ENUM + "void f([in] colour *p, [in, out] colour *q, [out] colour *r);",
            {"p": 1, "q": 1},
            server_storage=dict.fromkeys("pqr", "stub"),
            sizes=[],
        ),
        # what does not is allocated
        goes(
            "M-082 M-351",
            "void f([in, length_is(n)] short p[6], [in] long n);",
            {"p": [1, 2, 3, 4, 5, 6], "n": 2},
            "server-allocates-varying",
            sizes=[12],
        ),
        goes(
            "M-082 M-169 M-366",
            "void f([in, size_is(m), length_is(n)] short *p, [in] long m, [in] long n);",
            {"p": [1, 2, 3, 4], "m": 4, "n": 1},
            "server-allocates-varying",
            sizes=[8],
        ),
        goes(
            "M-083",
            "void f([in, string, size_is(9)] char *p);",
            {"p": {"$allocated": 9, "$elements": "ab"}},
            "server-allocates-sized-string",
            sizes=[9],
        ),
        goes(
            "M-083",
            "void f([in, string] char p[7]);",
            {"p": "ab"},
            "server-allocates-sized-string",
            sizes=[7],
        ),
        goes(
            "M-085",
            ENUM + "void f([in, unique] colour *p);",
            {"p": 1},
            "server-allocates-resized-type",
            sizes=[4],
        ),
        goes(
            "M-085",
            ENUM + "void f([in] colour *p);",
            {"p": 1},
            "server-allocates-resized-type",
            env=WINE,
            sizes=[4],
        ),
        goes("M-085", "void f([in] __int3264 *p);", {"p": -1}, "server-allocates-resized-type", sizes=[8]),
        stays("M-085", "void f([in] __int3264 *p);", {"p": -1}, env=SMALL),
        goes(
            "M-086",
            "typedef struct { long a; char b; } tail;\nvoid f([in] tail *p);",
            {"p": {"a": 1, "b": "x"}},
            "server-allocates-complex",
            sizes=[8],
        ),
        goes(
            "M-086",
            "#pragma pack(2)\ntypedef struct { short a; long b; } packed;\n#pragma pack()\nvoid f([in] packed *p);",
            {"p": {"a": 1, "b": 2}},
            "server-allocates-complex",
            sizes=[6],
        ),
        goes(
            "M-087",
            "typedef struct { [range(0, 9)] long a; } limited;\nvoid f([in] limited *p);",
            {"p": {"a": 9}},
            "server-allocates-complex",
        ),
        goes(
            "M-087 M-088",
            TAGGED + "typedef struct { tagged one; } outer;\nvoid f([in] outer *p);",
            {"p": {"one": {"tag": 1, "body": {"$case": 1, "$value": 2}}}},
            "server-allocates-complex",
        ),
        goes(
            "M-088",
            UNION + "void f([in, switch_is(t)] u *p, [in] long t);",
            {"p": {"$case": 1, "$value": 2}, "t": 1},
            "server-allocates-union",
        ),
        goes(
            "M-088",
            TAGGED + "void f([in] tagged p[1]);",
            {"p": [{"tag": 2, "body": {"$case": "default"}}]},
            "server-allocates-complex",
        ),
        goes(
            "M-090",
            "typedef struct { long a; char b; } tail;\nvoid f([in] tail p[2]);",
            {"p": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]},
            "server-allocates-complex",
            sizes=[16],
        ),
        goes(
            "M-091",
            ENUM + "void f([in] colour p[3]);",
            {"p": [0, 1, 0]},
            "server-allocates-resized-type",
            sizes=[12],
        ),
        goes(
            "M-091",
            "void f([in, size_is(2)] __int3264 *p);",
            {"p": [1, 2]},
            "server-allocates-resized-type",
            sizes=[16],
        ),
        goes(
            "M-092",
            "typedef [ref] long *RLONG;\nvoid f([in] RLONG p[2]);",
            {"p": [1, 2]},
            "server-allocates-ref-array",
            env=SMALL,
        ),
        goes(
            "M-096",
            LINKED + "void f([in] linked *p);",
            {"p": {"a": 1, "b": 2}},
            "server-allocates-widened-pointer",
            sizes=[16],
        ),
        stays("M-096", LINKED + "void f([in] linked *p);", {"p": {"a": 1, "b": 2}}, env=SMALL),
        stays("M-097", LINKED + "void f([in] linked *p);", {"p": {"a": 1, "b": 2}}, env=NDR64),
        stays("M-098", ENUM + "void f([in] colour p[3]);", {"p": [0, 1, 0]}, env=NDR64),
        stays("M-098", "void f([in] __int3264 *p);", {"p": 7}, env=NDR64),
        stays(
            "M-098",
            ENUM + "typedef struct { colour c; long n; } s;\nvoid f([in] s *p);",
            {"p": {"c": 1, "n": 2}},
            env=NDR64,
        ),
        stays(
            "M-099",
            "typedef struct { long a; char b; } tail;\nvoid f([in] tail *p);",
            {"p": {"a": 1, "b": "x"}},
            env=NDR64,
        ),
    ],
)
def test_buffer_or_block(row: Fact) -> None:
    prove(row)


WHOLE_CHAIN = {"p": "buffer", "p.pData": "buffer", "p.pNext": "buffer", "p.pNext.pNext.pData": "buffer"}


def m_124(p):
    p.pNext.pNext.pData[0] = 33


def m_124_b(new, p):
    p.pNext.pNext.pNext = new({"pData": 4, "pNext": None})


def m_125(p, new):
    assert p() == {"pData": None, "pNext": None}
    p.pNext = new({"pData": 1, "pNext": {"pData": 2, "pNext": {"pData": 3, "pNext": None}}})


def m_113(free, p):
    free(p.pNext)


def m_104(p, new):
    assert p() == {"r": None, "u": None, "full": None}
    p.r = new(1)


def m_185(array, new):
    assert array() == [None] * 10
    for i in range(10):
        array[i] = new(i)


def m_106(free, p):
    free(p)


def m_108(pv):
    assert pv() == {"$hex": "00" * 100}


def m_112(n):
    n[0] = 2


def m_112_b(n):
    n[0] = 300


def m_115(head, n, raise_):
    head.value = 7
    n[0] = 7
    raise_(5)


def m_118(head):
    head.next = None


def m_118_b(head, new):
    head.next = new({"value": 1, "next": None})
    head.next = None


def m_121(free, head):
    free(head.next)


def m_080():
    raise AssertionError


@pytest.mark.parametrize(
    "row",
    [
        # the linked list of server-stub-memory-management.md
        fact(
            "M-123",
            LIST + "void f([in] list *p);",
            {"p": CHAIN},
            env=SMALL,
            sizes=[],
            server_storage=WHOLE_CHAIN,
        ),
        fact(
            "M-123",
            LIST + "void f([in] list *p);",
            {"p": CHAIN},
            env=NDR64,
            sizes=[],
            server_storage=WHOLE_CHAIN,
        ),
        fact(
            "M-124 M-109 M-111 M-110",
            LIST + "void f([in, out] list *p);",
            {"p": CHAIN},
            m_124,
            env=SMALL,
            sizes=[],
            server_storage=WHOLE_CHAIN,
            values={"p": {"pData": 1, "pNext": {"pData": 2, "pNext": {"pData": 33, "pNext": None}}}},
        ),
        fact(
            "M-124 M-165",
            LIST + "void f([in, out] list *p);",
            {"p": CHAIN},
            m_124_b,
            env=SMALL,
            sizes=[8, 4],
            server_frees=2,
            client_allocations=2,
        ),
        fact(
            "M-125 M-104 M-163 M-117",
            LIST + "void f([out] list *p);",
            {},
            m_125,
            server_allocations=6,
            server_frees=6,
            values={"p": {"pData": None, "pNext": CHAIN}},
        ),
        fact(
            "M-113 M-126",
            LIST + "void f([in, out] list *p);",
            {"p": CHAIN},
            m_113,
            env=SMALL,
            status="RPC_S_CALL_FAILED",
            faults=["receive buffer"],
        ),
        fact(
            "M-104 M-186",
            "typedef struct { [ref] long *r; [unique] long *u; [ptr] long *full; } s;\nvoid f([out] s *p);",
            {},
            m_104,
            values={"p": {"r": 1, "u": None, "full": None}},
            sizes=[4],
        ),
        fact(
            "M-185",
            "typedef [ref] long *PREF;\nvoid f([out] PREF array[10]);",
            {"array": [0] * 10},
            m_185,
            sizes=[80, *[4] * 10],
            values={"array": list(range(10))},
        ),
        fact(
            "M-106",
            PAIR + "void f([out] pair *p);",
            {},
            m_106,
            status="RPC_S_CALL_FAILED",
            faults=["stack"],
        ),
        fact(
            "M-106",
            PAIR + "void f([out] pair p[2]);",
            {},
            m_106,
            status="RPC_S_CALL_FAILED",
            faults=["use after free", "double free"],
        ),
        fact(
            "M-108",
            "void f([in] long size, [out, size_is(size)] char *pv);",
            {"size": 100},
            m_108,
            sizes=[100],
            rules=["server-zeroes-out"],
        ),
        fact(
            "M-112",
            "void f([in, out] long *n, [in, out, size_is(*n)] long *a);",
            {"n": 3, "a": [1, 2, 3]},
            m_112,
            response="02000000 02000000 01000000 02000000",
            values={"n": 2, "a": [1, 2]},
        ),
        fact(
            "M-112",
            "void f([in, out] long *n, [in, out, size_is(*n)] long *a);",
            {"n": 3, "a": [1, 2, 3]},
            m_112_b,
            status="RPC_S_CALL_FAILED",
            faults=["out of bounds"],
        ),
        fact(
            "M-115 M-116 M-465 M-477",
            NODE + "void f([in, out] node *head, [out] long *n);",
            {"head": linked(2), "n": 9},
            m_115,
            status=5,
            server_allocations=2,
            server_frees=2,
            client_allocations=0,
            values={"head": linked(2), "n": 9},
        ),
        fact(
            "M-118 M-210",
            NODE + "void f([in, out] node *head);",
            {"head": linked(2)},
            m_118,
            server_allocations=2,
            server_frees=1,
            server_leaked=1,
        ),
        fact(
            "M-118",
            NODE + "void f([in, out] node *head);",
            {"head": linked(1)},
            m_118_b,
            server_leaked=1,
        ),
        fact(
            "M-121",
            NODE + "void f([in, out] node *head);",
            {"head": linked(2)},
            m_121,
            status="RPC_S_CALL_FAILED",
            faults=["use after free", "double free"],
        ),
        fact(
            "M-080 M-467",
            "void f([in, string] char *s, [in, range(0, 3)] long n);",
            {"s": "x", "n": 4},
            m_080,
            status="RPC_X_INVALID_BOUND",
            entered=False,
        ),
        fact(
            "M-152",
            "void f([in] long *p, [in, unique] long *q);",
            {"p": 1, "q": 2},
            server_storage={"p": "buffer", "q": "buffer"},
        ),
        fact("M-152", "void f([in, unique] long *q);", {"q": None}, server_storage={"q": None}, sizes=[]),
    ],
)
def test_routine_and_clean_up(row: Fact) -> None:
    prove(row)


@proving("M-101")
def test_out_storage_comes_after_the_input() -> None:
    call = run(PAIR + "void f([out] pair *p, [in] long n, [in] hyper *h);", {"n": 1, "h": 2})
    events = [(event.kind, event.rule) for event in call.trace if event.side == "server"]
    assert events.index(("stack", "server-stub-stack")) > max(
        place for place, (kind, _) in enumerate(events) if kind in ("unmarshal", "reuse")
    )


@proving("M-105")
def test_assigning_to_a_parameter_reaches_nobody() -> None:
    session = open_session("void f([out] long *p);")

    def routine(call: object) -> None:
        program, place = call.program, call.place("p")  # type: ignore[attr-defined]
        program.space.set_pointer(place.address, program.allocate(4, "routine", ""))

    session.set_routine("f", routine)
    call = session.call("f", p=5)
    assert call["p"] == 0
    assert Audit(call).server_leaked == 1


@proving("M-081 M-119")
@pytest.mark.parametrize("environment", BOTH_SIZES)
def test_clean_up_tells_buffer_from_heap(environment: dict[str, int]) -> None:
    body = NODE + "void f([in, out] node *head, [in, string] char *s, [in] small *c);"
    call = run(body, {"head": linked(3), "s": "x", "c": 1}, lambda call, *rest: None, **environment)
    audit = Audit(call)
    assert audit.clean
    blocks = {event.address for event in call.trace.select("free", side="server")}
    assert blocks == {event.address for event in call.trace.select("allocate", side="server")}


@proving("M-080 M-467")
@pytest.mark.parametrize("data", [b"", b"\1\0\0", b"\2\0\0\0\1\0\0\0", b"\xff" * 64])
def test_routine_sees_only_valid_data(data: bytes) -> None:
    session = open_session(
        "void f([in] long n, [in, size_is(n)] long *a);", lambda call, n, a: pytest.fail("called")
    )
    stub: ServerStub = session.server_stub
    assert stub.dispatch(session.interface.procedures[first(session)].opnum, data).status == 1783


@proving("M-467")
@pytest.mark.parametrize(
    ("parameter", "data", "status"),
    [
        ("[in] CHOICE *p", "0500 0500", 1733),
        ("[in, size_is(2)] long *p", "03000000 01000000 02000000 03000000", 1783),
        ("[in, length_is(2)] long p[4]", "03000000 02000000 01000000 02000000", 1734),
        ("[in, range(1, 3)] long p", "04000000", 1734),
        ("[in] COLOUR p", "0080", 1781),
        ("[in] hyper p", "00000000", 1783),
    ],
)
def test_a_fault_carries_the_exception_of_the_stub(parameter: str, data: str, status: int) -> None:
    types = "typedef enum { RED } COLOUR; typedef union switch (short k) u { case 1: short a; } CHOICE;"
    session = open_session(f"{types} void f({parameter});", lambda call, p: pytest.fail("called"))
    reply = session.server_stub.dispatch(
        session.interface.procedures[first(session)].opnum, bytes.fromhex(data)
    )
    assert reply.status == status
