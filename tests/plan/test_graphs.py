"""Plain graphs: which types form one, and which have to be looked at value by value."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rpcmemkit.idl import compile_idl
from rpcmemkit.plan import Planner, PointerPlan
from rpcmemkit.plan.graphs import MOST_NODES, MOST_VALUES, Nodes, plain_graph
from tests.engine.helpers import NODE, TREE, idl_text
from tests.plan.test_generated import pointer_to

OWN = "struct s *next; } s;\n"


@pytest.mark.parametrize(
    ("body", "name", "kinds"),
    [
        (NODE, "node", ["flat"]),
        (TREE, "node", ["flat"]),
        (f"typedef struct s {{ long a; double d; char c[7]; {OWN}", "s", ["flat"]),
        (f"typedef struct s {{ [string] char *a; [string] wchar_t *b; {OWN}", "s", ["flat", "text", "text"]),
        (f"typedef struct s {{ long n; [size_is(n)] long *a; {OWN}", "s", ["flat", "array"]),
        (f"typedef struct s {{ long n; [size_is(n)] struct s *a; {OWN}", "s", ["flat", "array"]),
        (f"typedef struct s {{ long **deep; {OWN}", "s", ["flat", "flat", "flat"]),
        (f"typedef struct s {{ [ref] long *a; {OWN}", "s", ["flat", "flat"]),
        (f"typedef [range(0, 9)] long r; typedef struct s {{ r a; {OWN}", "s", ["flat"]),
    ],
)
def test_what_is_plain(body: str, name: str, kinds: list[str]) -> None:
    nodes = plain_graph(pointer_to(body, name))
    assert nodes is not None
    assert [node.kind for node in nodes] == kinds


@pytest.mark.parametrize(
    "member",
    [
        "[ptr] long *p;",
        "[ignore] long *p;",
        "long tag; [switch_is(tag)] union { [case(1)] long a; [default] ; } u;",
        "long n; [size_is(n), length_is(n)] long *a;",
        "long n; [size_is(n), string] char *a;",
        "long n; [size_is(n)] long a[];",
        f"enum {{ x, y }} many[{MOST_VALUES + 1}];",  # 4 bytes in memory, 2 on the wire: value by value
    ],
)
def test_what_is_not_plain(member: str) -> None:
    assert plain_graph(pointer_to(f"typedef struct s {{ {member} }} s;\n", "s")) is None


@pytest.mark.parametrize("attribute", ["allocate(all_nodes)", "allocate(dont_free)", "force_allocate"])
def test_a_memory_attribute_is_looked_at_value_by_value(attribute: str) -> None:
    text = f"{NODE}typedef [{attribute}] node *tree;\nvoid f([in] tree a);"
    if attribute == "force_allocate":
        text = text.replace("[force_allocate] ", "").replace("[in]", "[in, force_allocate]")
    procedures = compile_idl(idl_text(text), None).interface.procedures
    plan = Planner().plan(procedures["f"].parameters[0].type)
    assert isinstance(plan, PointerPlan)
    assert plain_graph(plan) is None


def test_a_graph_of_more_types_than_anybody_could_read_is_not_plain() -> None:
    def nodes(count: int) -> Nodes | None:
        names = [f"s{number}" for number in range(count)]
        body = "".join(
            f"typedef struct {a} {{ struct {b} *to; }} {a};\n" for b, a in pairwise(reversed(names))
        )
        return plain_graph(pointer_to(f"typedef struct {names[-1]} {{ long v; }} {names[-1]};\n{body}", "s0"))

    assert len(nodes(MOST_NODES) or ()) == MOST_NODES
    assert nodes(MOST_NODES + 1) is None


def test_sizes_at_different_distances_are_not_plain() -> None:
    """The array is one type, its size is found in two places."""
    body = "typedef struct s { long n; [size_is(n)] long *a; long pad; [size_is(n)] long *b; } s;\n"
    nodes = plain_graph(pointer_to(body, "s"))
    assert nodes is not None
    assert [node.behind for node in nodes] == [None, 8, 24]
