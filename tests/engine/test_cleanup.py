"""The server's clean-up visits pointers: what two unique pointers share is freed twice, what full ones share once."""

import pytest

from rpcmemkit import Audit, Environment, Session
from tests.engine.helpers import HEADER, NODE, TREE, open_session, serve

ENVIRONMENTS = [{}, {"server_pointer_size": 4}, {"transfer_syntax": "ndr64"}]


def audited(body, routine, acf=None, arguments=None, **environment):
    session = open_session(body, routine, acf, **environment)
    return Audit(session.try_call(next(iter(session.interface.procedures)), arguments or {}))


def kinds(audit):
    return [event.detail[0] for event in audit.faults]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_two_parameters_that_share_a_block_free_it_twice(environment):
    def routine(call, a, b):
        a[0] = call.new(5)
        b[0] = a[0]

    audit = audited("void f([out] long **a, [out] long **b);", routine, **environment)

    assert kinds(audit) == ["double free"]
    assert (audit.server_allocations, audit.server_frees, audit.server_leaked) == (1, 2, 0)
    (fault,) = audit.faults
    remedy = "or give each pointer a copy of its own, or keep what is shared with [allocate(dont_free)]"
    assert fault.detail[1].endswith(remedy)
    assert "*a" in fault.detail[1]
    assert "*b" in fault.detail[1]
    assert fault.actor == "stub"
    assert audit.call.status == 0
    assert not audit.clean


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_node_that_two_members_share_is_freed_twice_and_what_is_below_it_once(environment):
    def routine(call, p):
        p.left = call.new({"value": 1, "left": {"value": 2, "left": None, "right": None}, "right": None})
        p.right = p.left

    audit = audited(TREE + "void f([out] node *p);", routine, **environment)

    assert kinds(audit) == ["double free"]
    assert "p->left" in audit.faults[0].detail[1]
    assert "p->right" in audit.faults[0].detail[1]
    assert audit.server_leaked == 0


def test_every_further_pointer_is_a_further_free():
    def routine(call, names):
        names[0] = call.new("ab")
        names[1] = names[0]
        names[2] = names[0]

    body = "typedef struct t { [string] char *name[3]; } t; void f([out] t *t);"

    def fill(call, t):
        routine(call, t.name)

    audit = audited(body, fill)

    assert kinds(audit) == ["double free"] * 2
    assert "t->name[0]" in audit.faults[1].detail[1]
    assert "t->name[2]" in audit.faults[1].detail[1]


@pytest.mark.parametrize("ways", ["[ptr]", "[unique]"])
def test_a_result_that_points_to_an_in_block(ways):
    def routine(call, head):
        return head.next

    body = (
        NODE.replace("struct node *next", f"{ways} struct node *next")
        + f"{ways} node *f([in, out, ref] node *head);"
    )
    audit = audited(body, routine, arguments={"head": {"value": 1, "next": {"value": 2, "next": None}}})

    assert kinds(audit) == ([] if ways == "[ptr]" else ["double free"])


def test_a_full_and_a_unique_pointer_do_not_know_of_each_other():
    def routine(call, a, b):
        a[0] = call.new(5)
        b[0] = a[0]

    full = "typedef [ptr] long *full; "
    assert kinds(audited(full + "void f([out] long **a, [out] full *b);", routine)) == ["double free"]
    assert kinds(audited(full + "void f([out] full *a, [out] full *b);", routine)) == []


def test_storage_in_the_receive_buffer_is_not_freed_but_what_hangs_below_it_is_twice():
    """On a 32-bit server a node stays in the received data; the routine hangs an allocated one below it."""

    def routine(call, a, b):
        a.next.next = call.new({"value": 3, "next": None})
        b.next = a.next

    audit = audited(
        NODE + "void f([in] node *a, [in] node *b);",
        routine,
        arguments={"a": {"value": 1, "next": {"value": 2, "next": None}}, "b": {"value": 1, "next": None}},
        server_pointer_size=4,
    )

    assert kinds(audit) == ["double free"]
    assert "a->next->next" in audit.faults[0].detail[1]
    assert "b->next->next" in audit.faults[0].detail[1]


def test_a_ring_of_unique_pointers_never_ends():
    def routine(call, head):
        head.next = head

    audit = audited(
        NODE + "void f([in] node *head);", routine, arguments={"head": {"value": 1, "next": None}}
    )

    assert kinds(audit) == ["stack overflow"]
    assert audit.server_leaked == 0


def test_an_environment_is_released_as_a_whole():
    def routine(call, a, b):
        a[0] = call.new(5)
        b[0] = a[0]

    body = "void f([out] long **a, [out] long **b);"
    assert kinds(audited(body, routine, osf=True)) == []
    assert kinds(audited(body, routine, "[enable_allocate] f();")) == []


def test_com_frees_twice_too():
    def routine(call, a, b):
        a[0] = call.new(5)
        b[0] = a[0]
        return 0

    text = (
        HEADER.replace("[uuid", "[object, uuid")
        + "typedef long HRESULT; HRESULT f([out] long **a, [out] long **b);\n}\n"
    )
    session = Session(text, None, Environment())
    serve(session, "f", routine)
    audit = Audit(session.try_call("f", {}))

    assert kinds(audit) == ["double free"]
    assert "CoTaskMemFree" in audit.faults[0].detail[1]


def test_what_the_routine_freed_before_says_so():
    def routine(call, head):
        call.free(head.next)

    audit = audited(
        NODE + "void f([in] node *head);",
        routine,
        arguments={"head": {"value": 1, "next": {"value": 2, "next": None}}},
    )

    assert kinds(audit) == ["double free"]
    assert "the routine has freed" in audit.faults[0].detail[1]


def test_in_a_block_of_all_nodes_nothing_is_freed_twice():
    def routine(call, head):
        head.next.next = head.next

    audit = audited(
        NODE + "typedef node *list; void f([in] list head);",
        routine,
        "typedef [allocate(all_nodes)] list;",
        {"head": {"value": 1, "next": {"value": 2, "next": None}}},
    )

    assert audit.server_frees == 1
    assert audit.server_leaked == 0


def test_many_ways_to_one_node_end():
    """Sixty nodes in the receive buffer, each of which leads to the next one by both pointers: 2**60 ways."""

    def routine(call, head):
        node = head
        while node is not None:
            node.right = node.left
            node = node.left

    tree = None
    for value in range(60):
        tree = {"value": value, "left": tree, "right": None}
    audit = audited(
        TREE + "void f([in] node *head);", routine, arguments={"head": tree}, server_pointer_size=4
    )

    assert kinds(audit) == []
    assert audit.server_leaked == 0


def test_storage_that_is_reached_as_two_types_is_looked_into_as_both():
    """&n and &n.value are one address: the pointer to the first member comes first, and hides nothing."""

    def routine(call, t):
        t.all.next = None

    body = NODE + "typedef struct t { long *first; node *all; } t; void f([in, out] t *t);"
    node = {"$label": "n", "$value": {"value": 1, "next": {"value": 2, "next": None}}}
    audit = audited(body, routine, arguments={"t": {"first": {"$alias": "n"}, "all": node}})

    assert audit.orphaned == ["t.all.next"]
