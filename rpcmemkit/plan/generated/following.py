"""Along pointers: ``find``, for clean-up, audits, and whoever else asks what a pointer leads to.

Only pointers are read, and how many elements there are. A referent without pointers need not be visited, its address is met
at its owner.
"""

from __future__ import annotations

from struct import Struct as Codec

from rpcmemkit.plan.generated.source import CHAINED, Outline, Source, begin_node, elements_at, pushed, went
from rpcmemkit.plan.graphs import Node
from rpcmemkit.plan.levels import ArrayPlan


def find(graph: Outline) -> Source:
    """Find: return the addresses of the referent at ``a`` and of all below it, and how many bytes were read at each.

    Pointers are followed from the last to the first: the addresses backwards are the order in which clean-up frees.
    """
    s = Source("find(space, data, base, a, scope, limit)")
    s(1, "stack = []; push, pop = stack.append, stack.pop")
    s(
        1,
        "met = []; meet = met.append",
        "extents = []; extend = extents.append",
        *(["kind = 0"] if graph.many else []),
    )
    s(1, "for _ in repeat(None, limit):")
    for node in graph.nodes:
        depth = begin_node(s, 2, graph, node)
        if not node.ways:
            s(depth, "meet(a); extend(0)")
        elif node.kind == "flat":
            _find_flat(s, depth, graph, node)
        else:
            _find_array(s, depth, graph, node)
    entry = ", ".join([*["kind"] * graph.many, "a", *["scope"] * graph.scoped])
    s(2, "if not stack: break", f"{entry} = pop()")
    s(
        1,
        "else: raise Odd",
        f"return met, {graph.uniform if graph.uniform and graph.nodes[0].ways else 'extents'}",
    )
    return s


def _find_flat(s: Source, depth: int, graph: Outline, node: Node) -> None:
    n, names = node.number, [f"p{number}" for number in range(len(node.ways))]
    s.let(f"unpack{n}", node.body.memory_pointers.unpack_from)
    s(depth, f"{', '.join(names)}, = unpack{n}(data, a - base)", "meet(a)")
    s(depth, *[f"extend({node.size})"] * (not graph.uniform))
    todo = list(range(len(names)))
    while todo and not graph.nodes[node.ways[todo[-1]][1]].ways:
        s(depth, f"if {names[todo[-1]]}: meet({names[todo.pop()]}); extend(0)")

    def push(number: int) -> str:
        slot, child = node.ways[number]
        entry = pushed(graph, child, names[number], *[f"a + {slot.scope or 0}"] * graph.scoped)
        return f"if {names[number]}: push({f'({entry})' if ',' in entry else entry})"

    for first in reversed(todo if len(todo) <= CHAINED else []):
        slot, child = node.ways[first]
        s(depth, f"if {names[first]}:", *[f"    {push(number)}" for number in todo if number < first])
        after = [
            *[f"scope = a + {slot.scope or 0}"] * graph.scoped,
            f"a = {names[first]}",
            *went(graph, node, child),
        ]
        s(depth + 1, "; ".join([*after, "continue"]))
    if len(todo) > CHAINED:
        s(depth, *[push(number) for number in todo])


def _find_array(s: Source, depth: int, graph: Outline, node: Node) -> None:
    assert isinstance(node.plan, ArrayPlan)
    plan, n = node.plan, node.number
    names = [f"p{number}" for number in range(len(node.ways))]
    elements_at(s, depth, node, n)
    rows = Codec(f"{node.body.memory_pointers.format}{plan.stride - node.body.memory_pointers.size}x")
    s.let(f"rows{n}", rows.iter_unpack)
    s(depth, "todo = []; later = todo.append", "here = a")
    leaves = all(not graph.nodes[child].ways for _, child in node.ways)
    s(depth, f"for {', '.join(names)}, in rows{n}(data[o : o + size]):")
    for name, (slot, child) in zip(names, node.ways, strict=True):
        entry = pushed(graph, child, name, *[f"here + {slot.scope or 0}"] * graph.scoped)
        entry = name if leaves else f"({entry})" if "," in entry else entry
        s(depth + 1, f"if {name}: later({entry})")
    s(depth + 1, f"here += {plan.stride}")
    if leaves:
        s(depth, "todo.reverse(); met += todo; extents += [0] * len(todo)")
    else:
        s(depth, "stack += todo")
