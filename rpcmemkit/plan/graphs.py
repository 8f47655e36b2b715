"""Plain graphs: what one pointer leads to, where every visit to a type is like the last.

A list, a tree, an array of records with strings: their types are few, their values many. Where nothing but the type
decides how a referent moves (no full pointer, no union, no memory attribute, nothing converted) the types below a
pointer form a *plain graph*, and :mod:`rpcmemkit.plan.generated` writes Python functions that move all of it in one loop.
What is not plain moves value by value, and so does a plain graph that holds something odd: see :class:`Odd`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TypeAlias

from rpcmemkit.errors import MemoryFault, RpcError, UsageError
from rpcmemkit.plan.levels import ArrayPlan, BasePlan, Body, Plan, PointerPlan, Slot

MOST_NODES, MOST_VALUES = 24, 64  # of a graph, and of one body: beyond these the code would be unreadable


class Odd(Exception):
    """Raised by generated code that met what it leaves to the careful code. Nothing has been changed by then."""


ODD = (
    Odd,
    struct.error,
    RpcError,
    MemoryFault,
    UsageError,
    LookupError,
    TypeError,
    ValueError,
    OverflowError,
)
"""What generated code may raise for data that it leaves to the careful code."""


@dataclass(eq=False)
class Node:
    """One type of referent. ``ways`` are its pointers and the numbers of the nodes they lead to.

    ``kind`` is ``flat``, ``text`` (a string that measures itself) or ``array`` (its size is an attribute). The scope of
    an array's size lies ``behind`` bytes before the pointer that leads to it; at the root the caller knows it.
    """

    number: int
    plan: Plan
    kind: str
    body: Body
    ways: list[tuple[Slot, int]] = field(default_factory=list)
    behind: int | None = None

    @property
    def size(self) -> int:
        """Its bytes in memory, an array's per element."""
        return (
            self.plan.stride if isinstance(self.plan, ArrayPlan) and self.kind != "flat" else self.plan.size
        )


Nodes: TypeAlias = "list[Node]"


def plain_graph(root: PointerPlan) -> Nodes | None:
    """Return the nodes below a pointer, its referent first, or ``None`` if they are no plain graph."""
    if not _is_plain(root):
        return None
    try:
        nodes = [_node(0, root.target)]
        numbers = {id(root.target): 0}
        for node in nodes:
            for slot in node.body.slots:
                target = slot.plan.target
                if id(target) not in numbers:
                    numbers[id(target)] = len(nodes)
                    nodes.append(_node(len(nodes), target))
                _arrive(nodes[numbers[id(target)]], slot)
                node.ways.append((slot, numbers[id(target)]))
    except (Odd, UsageError):
        return None
    return nodes


def _is_plain(pointer: PointerPlan) -> bool:
    return not (pointer.is_full or pointer.governs or not pointer.travels)


def _arrive(node: Node, slot: Slot) -> None:
    """Check that a pointer may lead to a node, and note where the size of an array is found."""
    if not _is_plain(slot.plan) or not slot.has_id:
        raise Odd
    if node.kind == "array":
        if slot.scope is None or node.number == 0:  # the frame, or another structure than at the root
            raise Odd
        behind = slot.offset - slot.scope
        if node.behind not in (None, behind):
            raise Odd
        node.behind = behind


def _node(number: int, plan: Plan) -> Node:
    if number >= MOST_NODES:
        raise Odd
    if plan.body is not None:
        return Node(number, plan, "flat", _plain(plan.body))
    if not isinstance(plan, ArrayPlan) or plan.element.body is None or plan.type.count_range:
        raise Odd
    body = _plain(plan.element.body)
    if plan.measures_itself and body.dense and plan.stride == plan.wire_stride:
        return Node(number, plan, "text", body)
    placeless = isinstance(plan.element, PointerPlan) and plan.element.is_ref
    if plan.size_of is None or plan.is_string or plan.varying or placeless or not plan.stride:
        raise Odd
    return Node(number, plan, "array", body)


def _plain(body: Body) -> Body:
    values = sum(1 if in_one(each.plan, each.count, body) else each.count for each in body.fields)
    if body.narrow or not body.fields or values > MOST_VALUES or len(body.fields) != _parts(body):
        raise Odd
    return body


def _parts(body: Body) -> int:
    """How many fields a body would have if each of its pointers had an id."""
    return sum(isinstance(each.plan, BasePlan) for each in body.fields) + len(body.slots)


def in_one(plan: BasePlan | PointerPlan, count: int, body: Body) -> bool:
    """Whether a run of values moves as bytes: they are the same on both sides, and nothing is checked."""
    same = isinstance(plan, BasePlan) and plan.code == plan.wire_code and plan.limits is None
    return same and count > 1 and body.wire.format[0] == "<"


__all__ = ["Node", "Nodes", "Odd", "in_one", "plain_graph"]
