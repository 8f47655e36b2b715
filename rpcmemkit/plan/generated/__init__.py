"""Python source for plain graphs: five functions a graph, each one loop over a stack of pointers.

``marshal`` copies from memory to a message, ``unmarshal`` from a message to new memory, ``find`` follows the pointers for
clean-up and audits, ``write`` and ``read`` go between Python values and memory. A body is one ``struct`` conversion; the
first pointer that is not null is followed without touching the stack. Every function either does the whole graph or
raises :class:`~rpcmemkit.plan.graphs.Odd` (or what Python raises for bad data) before anything that others see has
changed; the careful code then does the same work value by value, and says what is wrong.

``repr(graph)`` is the source. In it ``a`` is an address, ``pos`` a place in the message, ``o`` one in the new memory, ``v3``
the fourth value of a body, ``p3`` a pointer's address, ``i3`` its referent id and ``q3`` the value it leads to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from rpcmemkit.plan.generated import following, messages, values
from rpcmemkit.plan.generated.messages import ID_STEP
from rpcmemkit.plan.generated.source import BUFFER, NEW, Outline
from rpcmemkit.plan.generated.values import row_paths
from rpcmemkit.plan.graphs import Nodes, plain_graph
from rpcmemkit.plan.levels import PointerPlan


class Graph(Outline):
    """The generated functions of a plain graph; each is made when it is first asked for."""

    def __init__(self, nodes: Nodes, pointer: PointerPlan) -> None:
        super().__init__(nodes, pointer)
        self._unmarshal: dict[tuple[str, ...], Callable[..., Any]] = {}

    def __repr__(self) -> str:
        sources = (
            messages.marshal(self),
            messages.unmarshal(self, self.all_new),
            following.find(self),
            values.write(self),
            values.read(self),
        )
        return "\n".join(each.text for each in sources if each)

    @property
    def all_new(self) -> tuple[str, ...]:
        return (NEW,) * len(self.nodes)

    @cached_property
    def marshal(self) -> Callable[..., Any]:
        return messages.marshal(self).function()

    @cached_property
    def find(self) -> Callable[..., Any]:
        return following.find(self).function()

    @cached_property
    def write(self) -> Callable[..., Any] | None:
        """``None`` if Python values of these types are not written in one go."""
        source = values.write(self)
        return source and source.function()

    @cached_property
    def read(self) -> Callable[..., Any] | None:
        source = values.read(self)
        return source and source.function()

    def unmarshal(self, modes: tuple[str, ...]) -> Callable[..., Any]:
        """Return the function for nodes that go where ``modes`` say."""
        if modes not in self._unmarshal:
            self._unmarshal[modes] = messages.unmarshal(self, modes).function()
        return self._unmarshal[modes]


def graph_of(pointer: PointerPlan) -> Graph | None:
    """Return the generated functions for what a pointer leads to, or ``None`` if that is no plain graph."""
    if pointer.graph is None:
        nodes = plain_graph(pointer)
        pointer.graph = Graph(nodes, pointer) if nodes else False
    return pointer.graph or None


__all__ = ["BUFFER", "ID_STEP", "NEW", "Graph", "graph_of", "row_paths"]
