"""Object pointers: unique pointers in the [out] and [in, out] trees of object interfaces (pointers-tfs.md, FC_OP)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rpcmemkit import Audit, Environment, Session
from rpcmemkit.draw import picture, steps
from rpcmemkit.plan import PointerPlan
from rpcmemkit.scenario.verify import verify_file
from rpcmemkit.story import tell

FAULTS = Path(__file__).parent.parent / "faults" / "calls"
HEAD = "[object, uuid(0d2f7c11-5b7e-4a36-9a0b-6f1c2d3e4a01), pointer_default(unique)] interface i"
NODE = "typedef struct node { long v; struct node *next; } node;"
ENVIRONMENTS = [
    Environment(),
    Environment(client_pointer_size=4, server_pointer_size=4),
    Environment(transfer_syntax="ndr64"),
    Environment(client_pointer_size=4, transfer_syntax="ndr64", byte_order="big"),
]


def session(body: str, environment: Environment | None = None) -> Session:
    return Session(f"{HEAD} {{ {body} }}", environment=environment or Environment())


def label(name: str, value: Any) -> dict[str, Any]:
    return {"$label": name, "$value": value}


@pytest.mark.claims("M-217", "M-306")
@pytest.mark.parametrize(
    "name",
    ["a01-com-in-out-longer", "a02-com-method-frees-in-out", "com-in-out-grows-or-null"],
)
def test_files_found_from_outside(name: str) -> None:
    report = verify_file(FAULTS / f"{name}.yaml")
    assert (report.result, report.differences, report.error) == ("agree", [], "")


@pytest.mark.claims("M-217", "M-306")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(("text", "made"), [("longer", 1), ("", 1), (None, 0)])
def test_a_text_is_replaced_or_freed(environment: Environment, text: str | None, made: int) -> None:
    """Longer, shorter or null: the old text is freed, and nothing is orphaned."""
    here = session("long Next([in, out, string] wchar_t **point);", environment)

    @here.routine
    def Next(call: Any, point: Any) -> int:
        call.free(point[0])
        point[0] = None if text is None else call.new(text)
        return 0

    call = here.call("Next", point=label("point", label("old", "old")))
    audit = Audit(call)
    assert call["point"] == text
    assert (audit.client_allocations, audit.client_frees) == (made, 1)
    assert (audit.orphaned, audit.server_leaked, audit.faults) == ([], 0, [])
    events = [e.kind for e in call.trace.select("allocate", "free", side="client", actor="stub")]
    assert events == ["free", *["allocate"] * made]  # freed before the new one is there


@pytest.mark.claims("M-217")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_old_tree_goes_whole(environment: Environment) -> None:
    here = session(f"{NODE} long F([in, out] node *head);", environment)

    @here.routine
    def F(call: Any, head: Any) -> int:
        head.v = 9
        return 0

    chain = {"v": 1, "next": {"v": 2, "next": {"v": 3, "next": None}}}
    call = here.call("F", head=label("head", chain))
    audit = Audit(call)
    assert call["head"] == {**chain, "v": 9}
    assert (audit.client_allocations, audit.client_frees, audit.orphaned) == (2, 2, [])
    assert audit.server_storage["head.next"] == audit.server_storage["head.next.next"] == "allocated"


@pytest.mark.claims("M-217")
def test_what_the_sizes_before_the_call_measure_is_freed() -> None:
    """The response lowers the count: what lay behind it is freed too, as the method would have freed it."""
    body = "typedef struct { long n; [size_is(n)] long **all; } box; long F([in, out] box *b);"
    here = session(body)

    @here.routine
    def F(call: Any, b: Any) -> int:
        b.n = 1
        return 0

    call = here.call("F", b={"n": 3, "all": [1, 2, 3]})
    audit = Audit(call)
    assert (audit.client_frees, audit.client_allocations, audit.orphaned) == (4, 2, [])


@pytest.mark.parametrize(
    "member",
    ["long *p[2];", "struct { long *p[2]; } in;", "long one; [size_is(2)] long **p;"],
)
def test_embedded_wherever_they_are(member: str) -> None:
    here = session(f"typedef struct {{ {member} }} box; long F([in, out] box *b, [in] box *given);")
    frame = here.procedures["F"]
    kinds = {name: flags(frame.plan.by_name[name].plan) for name in ("b", "given")}
    assert kinds["b"][0] is False  # a reference at top level
    assert all(kinds["b"][1:])
    assert not any(kinds["given"])


def flags(plan: Any) -> list[bool]:
    """Return of the pointers of a parameter, from the outside in, whether they are object pointers."""
    found, pending = [], [plan]
    while pending:
        here = pending.pop()
        if isinstance(here, PointerPlan):
            found.append(here.is_object)
            pending.append(here.target)
        elif here.body is not None:
            pending += [slot.plan for slot in here.body.slots]
        elif hasattr(here, "element"):
            pending.append(here.element)
        elif hasattr(here, "members"):
            pending += [member.plan for member in here.members]
    return found


def test_a_top_level_pointer_was_passed_by_value() -> None:
    """Freeing what the application's own variable points to would leave it dangling: it is written over."""
    here = session("long F([in, out, unique] long *p);")

    @here.routine
    def F(call: Any, p: Any) -> int:
        p[0] = 5
        return 0

    call = here.call("F", p=4)
    assert (call["p"], Audit(call).client_frees, Audit(call).client_allocations) == (5, 0, 0)
    assert Audit(call).server_storage == {"p": "allocated"}


def test_storage_of_another_allocator_is_the_callers_fault() -> None:
    """``wchar_t old[] = L"ab"; wchar_t *p = old;``: the proxy calls CoTaskMemFree for it."""
    here = session("long Next([in, out, string] wchar_t **point);")
    other = here.allocate(6)
    address = here.client.space.add_block(8, "application", fill=0)
    here.client.space.set_pointer(address, other)
    here.labels.give("slot", address)
    call = here.try_call("Next", {"point": {"$alias": "slot"}})
    assert call.error is not None
    assert [event.detail[0] for event in Audit(call).faults] == ["mismatched free"]


def test_an_out_parameter_has_nothing_to_free() -> None:
    """The proxy zeroes the storage of [out] parameters before the call (multiple-levels-of-pointers.md)."""
    here = session("long Next([out, string] wchar_t **point);")

    @here.routine
    def Next(call: Any, point: Any) -> int:
        point[0] = call.new("made")
        return 0

    call = here.call("Next", point=label("point", label("old", "old")))
    audit = Audit(call)
    assert (audit.client_frees, audit.client_allocations, audit.orphaned) == (0, 1, ["old"])


def test_a_response_that_breaks_off_leaves_no_pointer_to_freed_storage() -> None:
    here = session("long Next([in, out, string] wchar_t **point);")
    here.client_stub.transport = lambda opnum, request: (0, bytes.fromhex("00000200 05000000"))
    call = here.try_call("Next", {"point": "old"})
    audit = Audit(call)
    assert (call.status, call["point"], audit.client_frees, audit.dangling) == (1783, None, 1, [])


def test_plain_interfaces_write_over() -> None:
    here = Session(f"{HEAD.replace('object, ', '')} {{ long Next([in, out, string] wchar_t **point); }}")
    call = here.call("Next", point="old")
    assert (Audit(call).client_frees, Audit(call).client_allocations) == (0, 0)


TREE = "typedef struct tree { long v; struct tree *l, *r; } tree;"


@pytest.mark.claims("M-217")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("deep", [False, True])
def test_storage_that_two_pointers_lead_to_is_freed_twice(environment: Environment, deep: bool) -> None:
    """The proxy frees pointer by pointer, as the server's clean-up does: sharing below [unique] pointers is a fault."""
    here = session(f"{TREE} long F([in, out] tree *t);", environment)
    twin = {"$label": "twin", "$value": {"v": 2, "l": None, "r": None}}
    shared = {"v": 1, "l": twin, "r": {"$alias": "twin"}}
    given = {"v": 0, "l": shared, "r": None} if deep else shared
    call = here.try_call("F", {"t": given})
    (fault,) = Audit(call).faults
    kind, told = fault.detail
    assert (kind, fault.side, call.status) == ("double free", "client", 1784)
    first, second = ("t->l->l", "t->l->r") if deep else ("t->l", "t->r")
    assert (
        f"the stub calls CoTaskMemFree for {second}, which leads to the block that it freed for {first}"
        in told
    )
    assert told.endswith("or give each pointer a copy of its own")
    assert "freed (1 free failed)" in repr(Audit(call))
    flat = told.replace(" ", "")
    after = picture(call).columns[-1]
    faces = (repr(Audit(call)), tell(call).text(80), after.note, steps(call)[-1].text)
    assert [flat in re.sub(r"\s", "", face) for face in faces] == [True] * 4
    assert [block.address for block in after.items if "FAULT" in block.words] == [fault.address]


def test_full_pointers_may_share_what_an_object_pointer_leads_to() -> None:
    body = (
        "typedef struct tree { long v; [ptr] struct tree *l, *r; } tree; typedef struct { tree *top; } box; "
    )
    here = session(body + "long F([in, out] box *b);")
    twin = {"$label": "twin", "$value": {"v": 2, "l": None, "r": None}}
    call = here.call("F", b={"top": {"v": 1, "l": twin, "r": {"$alias": "twin"}}})
    audit = Audit(call)
    assert (audit.faults, audit.client_frees) == ([], 1 + len({2}))
