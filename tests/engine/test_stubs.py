"""The two stubs and the frame between them: which rule allocates, what DCE does otherwise, what is kept."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import RULES, Audit, types
from rpcmemkit.plan import Planner, PointerPlan
from rpcmemkit.stubs.decisions import Above, Reading, allocation_rule, inbound
from tests.engine.constructs import CONSTRUCTS
from tests.engine.helpers import NODE, audited, linked, open_session, run

BASES = types.BASES
UNION = types.Union("u", BASES["short"], [types.Arm((1,), types.Member("l", BASES["long"]))])
PADDED = types.Struct("s", [types.Member("a", BASES["long"]), types.Member("b", BASES["char"])])
LINKED = types.Struct("l", [types.Member("p", types.Pointer(BASES["long"], types.PointerKind.UNIQUE))])


def pointer(target: types.Type, **attributes: bool) -> PointerPlan:
    plan = Planner().plan(
        types.Pointer(target, types.PointerKind.UNIQUE, **attributes), Planner().plan(PADDED)
    )  # type: ignore[arg-type]
    assert isinstance(plan, PointerPlan)
    return plan


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        (BASES["long"], ""),
        (types.EnumType("e", {}), "server-allocates-resized-type"),
        (PADDED, "server-allocates-complex"),
        (LINKED, "server-allocates-widened-pointer"),
        (types.Pointer(BASES["long"], types.PointerKind.UNIQUE), "server-allocates-widened-pointer"),
        (types.Switched(UNION, types.Name("a")), "server-allocates-union"),
        (types.Array(BASES["char"], string=True), ""),
        (types.Array(BASES["char"], 5, string=True), "server-allocates-sized-string"),
        (types.Array(BASES["char"], 5, length=types.Name("a")), "server-allocates-varying"),
        (types.Array(types.EnumType("e", {}), 5), "server-allocates-resized-type"),
        (types.Array(types.Switched(UNION, types.Name("a")), 5), "server-allocates-union"),
        (types.Array(PADDED, 5), "server-allocates-complex"),
        (types.Array(types.Pointer(BASES["long"], types.PointerKind.REF), 5), "server-allocates-ref-array"),
        (
            types.Array(types.Pointer(BASES["long"], types.PointerKind.FULL), 5),
            "server-allocates-widened-pointer",
        ),
    ],
)
def test_rule_that_makes_the_server_allocate(target: types.Type, rule: str) -> None:
    assert allocation_rule(pointer(target).target) == rule
    assert not rule or rule in RULES


@pytest.mark.parametrize("attribute", ["force_allocate", "dont_free", "all_nodes"])
def test_attributes_force_allocation(attribute: str) -> None:
    plan = pointer(BASES["long"], **{attribute: True})
    rule = "all-nodes-one-block" if attribute == "all_nodes" else "server-allocates-forced"
    assert inbound(plan, Above().at(plan), Reading()) == ("allocated", rule)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_every_event_names_a_rule_of_the_table(name: str) -> None:
    construct = CONSTRUCTS[name]
    call = run(construct.body, construct.arguments, construct.routine)
    rules = {
        event.rule
        for event in call.trace
        if event.kind in ("allocate", "free", "marshal", "unmarshal", "reuse")
    }
    rules -= {f"{actor}-allocates" for actor in ("routine", "application")} & set(RULES)
    assert rules - {""} <= set(RULES)
    assert "" not in {event.rule for event in call.trace if event.actor == "stub"}


def test_rules_are_told_in_full() -> None:
    text = repr(RULES["server-reuses-buffer"])
    assert text.startswith("server-reuses-buffer (server)\n  Data that looks the same in memory")
    assert "source: server-stub-memory-management.md" in text


# --- DCE ---


def test_dce_takes_everything_from_its_environment() -> None:
    call, audit = audited(
        NODE + "void f([in, out] node *p, [in] long *n);", {"p": linked(2), "n": 5}, osf=True
    )
    names = {event.detail for event in call.trace.select("allocate", "free", side="server")}
    assert names == {"RpcSsAllocate", "RpcSsDisableAllocate"}
    assert {event.rule for event in call.trace.select("allocate", side="server")} >= {"osf-stub-environment"}
    assert (audit.server_allocations, audit.server_frees, audit.server_leaked) == (3, 0, 0)


def test_dce_provides_reference_targets_below_out_parameters() -> None:
    body = """typedef struct { [ref] long *r; [unique] long *u; } s;
        typedef [ref] long *R; typedef struct { s one; [ref, size_is(n)] long *a; long n; } t;
        void f([out] s *p, [out] R *pp, [out] t *q, [out] long *n, [in] long m, [out, size_is(m)] R *many);"""

    def routine(call: Any, p: Any, pp: Any, q: Any, n: Any, m: Any, many: Any) -> None:
        assert (p.r(), p.u, pp()) == (0, None, 0)
        assert q.one.r() == 0
        assert q.a is None
        q.a = call.new([])
        many[0] = call.new(1)

    call = run(
        body,
        {"m": 1, "p": {"r": 1}, "q": {"one": {"r": 1}, "a": []}, "pp": 1, "many": [0]},
        routine,
        osf=True,
    )
    assert (call.status, call["p"]) == (0, {"r": 0, "u": None})


def test_dce_finds_client_storage_by_its_id() -> None:
    body = "typedef struct { [ptr] long *a; [ptr] long *b; [ptr, size_is(n)] short *c; long n; } s;\nvoid f([in, out] s *p);"

    def routine(call: Any, p: Any) -> None:
        a = p.a
        p.a = p.b
        p.b = a
        p.c[0] = 9

    call = run(body, {"p": {"a": 1, "b": 2, "c": [1, 2], "n": 2}}, routine, osf=True)
    assert (call["p"], Audit(call).client_allocations) == ({"a": 2, "b": 1, "c": [9, 2], "n": 2}, 0)


# --- what the server keeps ---


def test_storage_that_is_not_freed_is_kept_not_leaked() -> None:
    body = "typedef struct node node;\ntypedef node *PNODE;\nstruct node { long value; PNODE next; };\nvoid f([in] PNODE p, [in] hyper *h);"
    call = open_session(body, acf="typedef [allocate(dont_free)] PNODE;").call("f", p=linked(2), h=1)
    audit = Audit(call)
    kept = {event.address for event in call.trace.select("keep", side="server", actor="stub")}
    assert (audit.server_frees, audit.server_leaked, audit.clean) == (0, 0, True)
    assert kept == {event.address for event in call.trace.select("allocate", side="server")}


# --- frames ---


def test_top_level_pointers_are_the_callers() -> None:
    session = open_session("void f([in, out, unique] long *p, [in, out, unique] long *q);")

    def routine(call: Any) -> None:
        call.program.space.set_pointer(call.place("p").address, 0)

    session.set_routine("f", routine)
    call = session.call("f", p=5, q=None)
    assert (call["p"], call["q"], Audit(call).orphaned) == (5, None, [])


def test_negative_size_of_an_output() -> None:
    call = run("void f([in] long n, [out, size_is(n)] long *a);", {"n": -1, "a": []})
    assert call.status == 1734


@pytest.mark.parametrize("code", [5, 14, 1722])
def test_exceptions_of_the_routine(code: int) -> None:
    call = run("void f([in] long n);", {"n": code}, lambda call, n: call.raise_exception(n))
    assert call.status == (1130 if code == 14 else code)
    assert [event.actor for event in call.trace.select("raise")] == ["routine", "stub"]


def test_size_unknown_before_the_call_sets_no_limit() -> None:
    body = "void f([in, out] long *n, [in, out, unique, size_is(*n)] long *a);"
    assert run(body, {"n": 0, "a": None}).status == 0
    call = run("void f([out] long *n, [out, size_is(, *n)] long **a);", {"n": -1})
    assert (call.status, call["a"]) == (0, None)
