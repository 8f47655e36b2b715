"""The audit: what a finished call did to memory."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import Audit, Session
from rpcmemkit.errors import MemoryFault
from rpcmemkit.paths import path_text
from tests.engine.helpers import NODE, audited, linked, open_session

LIST = NODE + "void f([in, out] node *head);"


def _cut(call: Any, head: Any) -> None:
    head.next = None


def test_clean_call() -> None:
    _call, audit = audited(LIST, {"head": linked(2)}, lambda call, head: setattr(head, "value", 3))
    assert audit.clean
    assert (audit.orphaned, audit.leaked, audit.faults, audit.dangling, audit.new_places) == (
        [],
        [],
        [],
        [],
        [],
    )
    assert repr(audit) == (
        "Audit of f: ok\n  client stub  0 allocated, 0 freed, 0 orphaned\n  server       2 allocated, 2 freed, 0 leaked"
    )


def test_orphans_and_leaks() -> None:
    _call, audit = audited(LIST, {"head": linked(9)}, _cut)
    assert audit.orphaned[:2] == ["head.next", "head.next.next"]
    assert (len(audit.orphaned), audit.server_leaked, audit.clean) == (8, 8, False)
    assert [block.kind for block in audit.leaked] == ["midl_user"] * 8
    assert "8 orphaned: head->next, head->next->next, " in repr(audit)


def test_fault_is_told() -> None:
    _call, audit = audited(LIST, {"head": linked(2)}, lambda call, head: call.free(head.next))
    assert [event.detail[0] for event in audit.faults] == ["use after free", "double free"]
    assert "RPC_S_CALL_FAILED" in repr(audit)
    assert "in a block that was freed" in repr(audit)


def test_new_storage_is_the_applications() -> None:
    _call, audit = audited(
        LIST,
        {"head": linked(1)},
        lambda call, head: setattr(head, "next", call.new({"value": 8, "next": None})),
    )
    assert [path_text(place.path) for place in audit.new_places] == ["head.next"]


@pytest.mark.parametrize(("pointer_size", "where"), [(8, "allocated"), (4, "buffer")])
def test_server_storage(pointer_size: int, where: str) -> None:
    body = NODE + "void f([in] node *head, [in, unique] long *p, [out] long *n, [out] long **pp);"
    call, audit = audited(body, {"head": linked(1), "p": None}, server_pointer_size=pointer_size)
    storage = {"head": where, "head.next": None, "p": None, "n": "stub", "pp": "stub", "*pp": None}
    assert audit.server_storage == storage
    frame = call.trace.snapshots["server entry"].frame
    pointer = call.space("server entry").pointer_at(frame)
    assert (audit.storage(pointer), audit.storage(0), audit.storage(5)) == (where, None, None)


def test_long_paths_stay_apart() -> None:
    _call, audit = audited(NODE + "void f([in] node *head);", {"head": linked(100)})
    assert len(audit.server_storage) == 101


def test_call_that_never_reached_the_server() -> None:
    _call, audit = audited("void f([in] long *p);", {"p": None})
    assert (audit.server_storage, audit.leaked, audit.server_allocations, audit.clean) == ({}, [], 0, False)


def test_dangling_pointer_of_the_client() -> None:
    session = open_session(
        "typedef struct { [unique] long *p; } s;\nvoid f([in] s *a);\nvoid g([in] long n);"
    )
    first = session.call("f", a={"p": 5})
    place = first.arguments["a"]
    space = session.client.space
    struct = space.pointer_at(place.address)
    space.drop_block(space.pointer_at(struct))
    session.memory["kept"] = place
    audit = Audit(session.call("g", n=1))
    assert [(each.side, each.path) for each in audit.dangling] == [("client", "a->p")]
    assert not audit.clean


def test_what_globals_keep_is_not_leaked() -> None:
    session = open_session(LIST)
    session.set_routine("f", _keep_everything)
    assert Audit(session.try_call("f", {"head": linked(2)})).server_leaked == 0


def _keep_everything(call: Any) -> None:
    program = call.program
    for event in list(program.trace.select("allocate")):
        program.trace.add("keep", "server", "routine", event.address, event.size)
    program.space.set_pointer(program.space.pointer_at(call.place("head").address) + 8, 0)


def test_second_call_counts_its_own_events_only() -> None:
    session: Session = open_session(LIST, _cut)
    one, two = Audit(session.call("f", head=linked(3))), Audit(session.call("f", head=linked(1)))
    assert (one.server_allocations, two.server_allocations) == (3, 1)
    assert (len(one.orphaned), len(two.orphaned)) == (2, 0)


ENABLED = "[enable_allocate] f();"


def _hang(allocator: str) -> Any:
    return lambda call, head: setattr(head, "next", call.new(linked(1), allocator))


@pytest.mark.parametrize(
    ("acf", "routine", "environment", "why"),
    [
        (None, _hang("malloc"), {}, "other allocator"),
        (None, _hang("private"), {}, "other allocator"),
        (ENABLED, _hang("midl_user_allocate"), {}, "other environment"),
        (ENABLED, _hang("malloc"), {}, "other environment"),
        (None, _hang("malloc"), {"osf": True}, "other environment"),
        (None, _cut, {}, "unreachable"),
    ],
)
def test_why_a_block_is_leaked(acf: str | None, routine: Any, environment: dict[str, Any], why: str) -> None:
    audit = Audit(open_session(LIST, routine, acf, **environment).call("f", head=linked(2)))
    assert audit.why_leaked(audit.leaked[-1]) == why


def test_a_wrong_free_of_the_routine_is_not_the_stubs_reason() -> None:
    def routine(call: Any, head: Any) -> None:
        head.next = call.new(linked(1), "malloc")
        with pytest.raises(MemoryFault):
            call.free(head.next, "midl_user_free")
        head.next = None

    audit = Audit(open_session(LIST, routine).call("f", head=linked(1)))
    assert [audit.why_leaked(block) for block in audit.leaked] == ["unreachable"]


def test_the_routines_fault_ends_it_and_the_stub_tries_again() -> None:
    def routine(call: Any, head: Any) -> None:
        head.next = call.new(linked(1), "malloc")
        call.free(head.next, "midl_user_free")

    audit = Audit(open_session(LIST, routine).try_call("f", {"head": linked(1)}))
    assert [audit.why_leaked(block) for block in audit.leaked] == ["other allocator"]


def test_what_the_environment_releases_is_counted() -> None:
    def routine(call: Any, head: Any) -> None:
        head.next = call.new(linked(2))
        call.free(head.next.next)
        head.next.next = None

    audit = Audit(open_session(LIST, routine, ENABLED).call("f", head=linked(1)))
    assert (audit.server_frees, audit.server_marked, audit.server_released) == (1, 1, 3)
    told = "server       3 allocated, 1 freed (1 only marked), 3 released with the environment, 0 leaked"
    assert told in repr(audit)


def test_a_freed_cell_between_two_levels_is_told_as_dangling():
    """What lies in it cannot be read any more; what it led to is leaked."""

    def f(call, made):
        made.value = call.new(5)
        call.free(made.value)

    _, audit = audited("typedef struct { [unique] long **value; } T; void f([out] T *made);", {}, f)
    assert [(each.side, each.path) for each in audit.dangling] == [("server", "made->value")]
    assert audit.server_leaked == 1
