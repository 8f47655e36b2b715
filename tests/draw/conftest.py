"""Calls to draw: small ones, each for one thing that a picture must show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rpcmemkit import Environment, RpcError, Session
from rpcmemkit.call import Call

HEAD = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(%s)] interface shop {"
TREE = (
    HEAD
    + """
  typedef struct node { long value; struct node *left; struct node *right; } node;
  long Prune([in, out] node *root, [out] long *count);
  [enable_allocate] void Touch([in, out] node *root);
}"""
)


def tree(value: int, left: Any = None, right: Any = None) -> dict[str, Any]:
    return {"value": value, "left": left, "right": right}


def prune() -> Call:
    """The server cuts the left branch and grows a new node on the right one."""
    session = Session(TREE % "unique")

    @session.routine
    def Prune(call: Any, root: Any, count: Any) -> int:
        root.value = 7
        root.left = None
        root.right.left = call.new({"value": 9, "left": None, "right": None})
        count[0] = 3
        return 0

    return session.call("Prune", root=tree(1, tree(2), tree(3)))


def ring() -> Call:
    """A list of two whose last node names the first; full pointers, DCE runtime."""
    session = Session(TREE % "ptr", environment=Environment(osf=True))

    @session.routine
    def Touch(call: Any, root: Any) -> None:
        root.value = 5

    alias = {"$alias": "top"}
    return session.call("Touch", root={"$label": "top", "$value": tree(1, tree(2, alias))})


def refused() -> Call:
    """The routine raises an exception."""
    session = Session(TREE % "unique")

    @session.routine
    def Prune(call: Any, root: Any, count: Any) -> int:
        raise RpcError(5)

    return session.try_call("Prune", {"root": tree(1)})


def starved() -> Call:
    """The server has no memory, the routine never runs."""
    session = Session(TREE % "unique", environment=Environment(fail_after=0))
    return session.try_call("Prune", {"root": tree(1, tree(2))})


def never_sent() -> Call:
    """A null reference pointer: the client stub raises before it sends anything."""
    session = Session(TREE % "unique")
    return session.try_call("Prune", {"root": None})


def freed() -> Call:
    """The routine frees a node and leaves the pointer to it in place."""
    session = Session(TREE % "unique")

    @session.routine
    def Prune(call: Any, root: Any, count: Any) -> int:
        call.operations.free(call._call.place("root")._replace(**_left_of(root)))
        return 0

    return session.try_call("Prune", {"root": tree(1, tree(2))})


def _left_of(root: Any) -> dict[str, Any]:
    place = root._step(".left")
    return {"plan": place.plan, "address": place.address, "scope": place.scope, "path": place.path}


def second() -> Call:
    """A second call over memory of the first, from which the application has freed a node too early."""
    session = Session(TREE % "unique")
    session.call("Touch", root={"$label": "top", "$value": tree(1, tree(2))})
    left = session.labels.address("root.left")
    assert left is not None
    session.client.space.drop_block(left)
    return session.try_call("Touch", {"root": {"$alias": "top"}})


def poor_client() -> Call:
    """The client stub gets memory for the first of two new nodes only."""
    session = Session(TREE % "unique", environment=Environment(client_fail_after=1))

    @session.routine
    def Touch(call: Any, root: Any) -> None:
        root.left = call.new(tree(4, tree(5)))

    return session.try_call("Touch", {"root": tree(1)})


KINDS = (
    HEAD % "unique"
    + """
  typedef enum { red, green } color;
  typedef union switch (long kind) value { case 1: long whole; case 2: double real; default: ; } CHOICE;
  typedef struct { color tint; byte mark[3]; double weight; boolean ready; CHOICE choice; long grid[9]; } ITEM;
  void Show([in, out] ITEM *item, [in, string] wchar_t *name, [in] long n, [in, out, size_is(n)] short *numbers);
  void List([in] long n, [in, size_is(n)] ITEM *items, [in, size_is(n)] byte *raw, [in, unique] long *none);
  void Many([in] long n, [in, size_is(n)] long **each);
}"""
)

ITEM = {
    "tint": 1,
    "mark": {"$hex": "010203"},
    "weight": 2.5,
    "ready": True,
    "choice": {"$case": 1, "$value": 4},
    "grid": list(range(9)),
}


def kinds() -> Call:
    """One of each kind of value; much of it stays in the receive buffer."""
    session = Session(KINDS)
    return session.call("Show", item=ITEM, name="<tea & co>", n=20, numbers=list(range(20)))


def arrays(count: int = 3) -> Call:
    session = Session(KINDS)
    return session.call("List", n=count, items=[ITEM] * count, raw={"$hex": "ab" * count}, none=None)


LIST = (
    HEAD % "unique"
    + """
  typedef struct cell { long v; struct cell *next; } cell;
  void Walk([in, out] cell *head);
}"""
)


def many(count: int) -> Call:
    return Session(KINDS).call("Many", n=count, each=list(range(count)))


def long_list(length: int, cut: bool = False) -> Call:
    session = Session(LIST)

    @session.routine
    def Walk(call: Any, head: Any) -> None:
        if cut:
            head.next.next = None

    cell = None
    for number in range(length):
        cell = {"v": number, "next": cell}
    return session.call("Walk", head=cell)


CALLS: dict[str, Callable[[], Call]] = {
    "prune": prune,
    "ring": ring,
    "refused": refused,
    "starved": starved,
    "never sent": never_sent,
    "freed": freed,
    "kinds": kinds,
    "arrays": arrays,
    "many": lambda: many(30),
    "second": second,
    "poor client": poor_client,
    "list": lambda: long_list(40, cut=True),
}


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Call:
    return CALLS[request.param]()
