"""Hostile values at every door of the Python API: each ends in an error of the library's own, with a sentence."""

from contextlib import suppress

import pytest

from rpcmemkit import Audit, Environment, IdlError, MemoryFault, RpcError, Session, UsageError
from tests.engine.helpers import TREE, idl_text, open_session

VALUES = [
    None, 0, -1, 1.5, "x", "", b"x", [], {}, (), object(), True, float("nan"), 10**30, "\ud800", [None], set(), range(3),
    lambda: 0, [[[]]], {1: 2}, {"value": {}}, {"$label": 1}, {"$alias": None}, {"$alias": []}, {"$case": {}}, {"$hex": "zz"},
    {"$allocated": -1}, {"$allocated": "x", "$elements": [1]}, {"$elements": 3}, {"$context": []}, {"$new": 1}, {"$value": 3},
    {"$unwritten": True},
]  # fmt: skip
NODE = {"value": 1, "left": None, "right": None}
TYPES = {
    "structure": (TREE + "void f([in, out] node *p);", {}),
    "text": ("void f([in, string] char *p);", {}),
    "wide text": ("void f([in, string] wchar_t *p);", {}),
    "number": ("void f([in] long p);", {}),
    "fraction": ("void f([in] double p);", {}),
    "truth": ("void f([in] boolean p);", {}),
    "array": ("void f([in] long n, [in, size_is(n)] long *p);", {"n": 2}),
    "bytes": ("void f([in] byte p[4]);", {}),
    "enum": ("typedef enum { A, B } E; void f([in] E p);", {}),
    "union": (
        "typedef [switch_type(long)] union { [case(0)] long a; [default] ; } U; void f([in] long t, [in, switch_is(t)] U p);",
        {"t": 0},
    ),
    "handle": ("typedef [context_handle] void *H; void f([in] H p);", {}),
    "levels": ("void f([out] long **p);", {}),
}
SESSION = {
    "Session": lambda s, v: Session(v),
    "acf": lambda s, v: Session(idl_text("void f(void);"), v),
    "environment": lambda s, v: Session(idl_text("void f(void);"), None, v),
    "call": lambda s, v: s.call(v),
    "try_call": lambda s, v: s.try_call("f", v),
    "routine": lambda s, v: s.routine(v),
    "set_routine": lambda s, v: s.set_routine("f", v),
    "allocate": lambda s, v: s.allocate(v),
    "pipe": lambda s, v: s.pipe(v),
    "begin": lambda s, v: s.begin(v),
    "destroy": lambda s, v: s.destroy_client_context(v),
    "set_rundown": lambda s, v: s.set_rundown(v, lambda call: 0),
    "Audit": lambda s, v: Audit(v),
    "space": lambda s, v: s.call("f", p=NODE).space(v),
    "item": lambda s, v: s.call("f", p=NODE)[v],
    "pointer size": lambda s, v: Environment(client_pointer_size=v),
    "syntax": lambda s, v: Environment(transfer_syntax=v),
    "byte order": lambda s, v: Environment(byte_order=v),
    "osf": lambda s, v: Environment(osf=v),
    "fail_after": lambda s, v: Environment(fail_after=v),
    "midl": lambda s, v: Environment(midl=v),
}
ROUTINE = {
    "assign": lambda c, p, v: setattr(p, "left", v),
    "number": lambda c, p, v: setattr(p, "value", v),
    "new": lambda c, p, v: setattr(p, "left", c.new(v)),
    "allocator": lambda c, p, v: setattr(p, "left", c.new(NODE, v)),
    "free": lambda c, p, v: c.free(v),
    "deallocator": lambda c, p, v: c.free(p, v),
    "raise": lambda c, p, v: c.raise_exception(v),
    "argument": lambda c, p, v: c.argument(v),
    "result": lambda c, p, v: c.set_result(v),
    "RpcSsAllocate": lambda c, p, v: c.rpcss.allocate(v),
    "RpcSsFree": lambda c, p, v: c.rpcss.free(v),
    "threads": lambda c, p, v: c.rpcss.set_thread_handle(v),
    "swap": lambda c, p, v: c.rpcss.swap_client_alloc_free(v, v),
}


def knock(act):
    """Do something that may be wrong: an error of the library says what, and no other one will do."""
    with suppress(UsageError, RpcError, MemoryFault, IdlError):
        act()


@pytest.mark.parametrize("name", TYPES)
def test_arguments(name):
    body, others = TYPES[name]
    for value in VALUES:
        session = open_session(body)
        knock(lambda session=session, value=value: session.try_call("f", {**others, "p": value}))


@pytest.mark.parametrize("name", SESSION)
def test_sessions(name):
    session = open_session(TYPES["structure"][0])
    for value in VALUES:
        knock(lambda value=value: SESSION[name](session, value))


@pytest.mark.parametrize("name", ROUTINE)
def test_routines(name):
    for value in VALUES:
        session = open_session(
            TYPES["structure"][0], lambda call, p, value=value: ROUTINE[name](call, p, value)
        )
        knock(lambda session=session: session.call("f", p=NODE))
