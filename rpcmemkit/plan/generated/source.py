"""Source text of functions, and what the writers of the four others share: entries of the stack, bodies, conversions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import repeat
from struct import Struct as Codec
from typing import Any

from rpcmemkit.plan.graphs import Node, Nodes, Odd, in_one
from rpcmemkit.plan.levels import ArrayPlan, Plan, PointerPlan

ALIGNMENT, GAP = 8, 8  # of blocks in memory, and the guard behind each
UNSIGNED = {1: "B", 2: "H", 4: "I", 8: "Q"}
CHAINED = 4  # pointers of a body that may each be the first one to be followed
NEW, BUFFER = "new", "buffer"
"""Where unmarshalled referents go: into new blocks, or they stay where they were received."""


class Source:
    """The text of one function, and the names that it uses."""

    def __init__(self, head: str, **names: Any) -> None:
        self.lines = [f"def {head}:"]
        self.names: dict[str, Any] = {"Odd": Odd, "repeat": repeat, **names}

    def __call__(self, depth: int, *lines: str) -> None:
        self.lines += ["    " * depth + line for line in lines]

    def let(self, name: str, value: Any) -> str:
        """Let ``name`` mean ``value`` in the function."""
        self.names[name] = value
        return name

    @property
    def text(self) -> str:
        return "\n".join(self.lines) + "\n"

    def function(self) -> Callable[..., Any]:
        """Return the compiled function."""
        exec(compile(self.text, f"<{self.lines[0]}>", "exec"), self.names)  # noqa: S102 (it is what this module is for)
        made: Callable[..., Any] = self.names[self.lines[0][4:].partition("(")[0]]
        return made


def fill_of(size: int) -> int:
    """Return the bytes between the end of a block's data and the next block."""
    return (-size % ALIGNMENT if size else ALIGNMENT) + GAP


class Outline:
    """What the writers of source know of a graph."""

    def __init__(self, nodes: Nodes, pointer: PointerPlan) -> None:
        self.nodes = nodes
        self.pointer_size = pointer.size
        self.count_size = pointer.wire_size  # counts are as wide as referent ids in both syntaxes
        self.order = nodes[0].body.wire.format[0]
        self.many = len(nodes) > 1
        self.scoped = any(node.behind is not None for node in nodes)

    @cached_property
    def uniform(self) -> int:
        """The size of every referent, or 0 if they differ."""
        sizes = {node.size if node.kind == "flat" else -1 for node in self.nodes}
        return sizes.pop() if len(sizes) == 1 and -1 not in sizes else 0

    @cached_property
    def steady(self) -> bool:
        """Whether a message that is aligned at the first referent stays so."""
        aligns = {node.plan.wire_align for node in self.nodes}
        flat = all(node.kind == "flat" for node in self.nodes)
        return (
            flat and len(aligns) == 1 and all(n.body.wire.size % n.plan.wire_align == 0 for n in self.nodes)
        )

    def text_below(self, node: Node) -> Node | None:
        """Return one of the strings that the pointers of a body lead to, if these are all there is, and of one width."""
        below = [self.nodes[child] for _, child in node.ways]
        alike = {(each.kind, each.size, getattr(each.plan, "is_text", False)) for each in below}
        return below[0] if len(alike) == 1 and below[0].kind == "text" else None

    def changes(self, node: Node) -> bool:
        """Whether what stays in the receive buffer has to be written there: pointers, or numbers of the other byte order."""
        return bool(node.ways) or (self.order == ">" and node.kind != "text")

    @cached_property
    def least(self) -> int:
        """The bytes of the smallest referent on the wire, at least 1."""
        sizes = [n.body.wire.size if n.kind == "flat" else self.count_size for n in self.nodes]
        return max(min(sizes), 1)


# --- bodies -----------------------------------------------------------------------------------


class Fused:
    """A body's values and pointers together, as one conversion in memory and one on the wire.

    ``names`` are the variables of the values, in order, with ``{0}``, ``{1}``, … where the pointers are.
    """

    def __init__(self, node: Node, pointer_size: int, order: str) -> None:
        body = node.body
        memory: list[tuple[int, str]] = []
        wire: list[tuple[int, str]] = []
        self.names: list[str] = []
        self.checks: list[tuple[str, int, int, bool]] = []
        pointers = 0
        for each in body.fields:
            plan, count = each.plan, each.count
            if isinstance(plan, PointerPlan):
                memory.append((each.offset, UNSIGNED[plan.size]))
                wire.append((each.wire_offset, UNSIGNED[plan.wire_size]))
                self.names.append(f"{{{pointers}}}")
                pointers += 1
                continue
            one = in_one(plan, count, body)
            memory.append((each.offset, f"{count * plan.size}s" if one else f"{count}{plan.code}"))
            wire.append(
                (each.wire_offset, f"{count * plan.wire_size}s" if one else f"{count}{plan.wire_code}")
            )
            new = [f"v{len(self.names) + number}" for number in range(1 if one else count)]
            self.names += new
            if plan.limits:
                self.checks += [(name, plan.limits[0], plan.limits[1], plan.limits[3]) for name in new]
        self.memory = codec("<", memory, body.size)
        self.wire = codec(order, wire, body.wire.size)

    def listed(self, pointers: Sequence[str]) -> str:
        """Return the variables with those of the pointers in their places, as the target of an assignment."""
        return ", ".join(self.names).format(*pointers) + ","

    def passed(self, pointers: Sequence[str]) -> str:
        """Return the variables as arguments."""
        return ", ".join(self.names).format(*pointers)

    def tests(self, sending: bool) -> Iterator[str]:
        """Yield what refuses values out of range."""
        for name, low, high, both in self.checks:
            if both or not sending:
                yield f"if not {low} <= {name} <= {high}: raise Odd"


def codec(order: str, pieces: list[tuple[int, str]], size: int, behind: int = 0) -> Codec:
    """Return a conversion of values at given offsets, ``size`` bytes long, with ``behind`` more that mean nothing."""
    form, at = [order], 0
    for offset, code in pieces:
        form.append(f"{offset - at}x" if offset > at else "")
        form.append(code)
        at = offset + Codec(order + code).size
    form.append(f"{size + behind - at}x" if size + behind > at else "")
    return Codec("".join(form))


def pads(s: Source, depth: int, align: int, graph: Outline) -> None:
    """Write zeros up to a multiple of ``align``."""
    if align > 1 and not graph.steady:
        s(depth, f"if pos % {align}:", f"    pad = -pos % {align}; out += ZEROS[:pad]; pos += pad")


def begin_node(s: Source, depth: int, graph: Outline, node: Node) -> int:
    """Begin what is done for one node; return how deep that is."""
    if not graph.many:
        return depth
    s(depth, f"{'elif' if node.number else 'if'} kind == {node.number}:  # {_title(node.plan)}")
    return depth + 1


def terminated(s: Source, depth: int, node: Node, address: str) -> None:
    """Let ``o`` be where the string at an address begins, and ``end`` where its terminator does.

    Behind a wide letter of Latin the zeros of the terminator seem to begin a byte too early.
    """
    width = node.size
    s(depth, f"o = {address} - base; end = data.find({bytes(width)!r}, o) if o >= 0 else -1")
    if width > 1:
        s(depth, "while end >= 0 and end - o & 1:")
        s(depth + 1, f"end = data.find({bytes(width)!r}, end + 1) if data[end + 2] else end + 1")
    s(depth, "if end < 0: raise Odd")


def _title(plan: Plan) -> str:
    return repr(plan.type).partition("\n")[0][:60]


def pushed(graph: Outline, child: int, *rest: str) -> str:
    """Return a stack entry for a pointer to the node ``child``."""
    return ", ".join([str(child)] * graph.many + [*rest])


def went(graph: Outline, node: Node, child: int) -> list[str]:
    """Return what changes from one node to the next."""
    return [f"kind = {child}"] if graph.many and child != node.number else []


def elements_at(s: Source, depth: int, node: Node, n: int) -> None:
    """Let ``n`` be the number of an array's elements, ``o`` where they lie and ``size`` how many bytes they are."""
    assert isinstance(node.plan, ArrayPlan)
    s.let(f"size{n}", node.plan.size_of)
    s(
        depth,
        f"n = size{n}(space, scope)",
        f"o = a - base; size = n * {node.plan.stride}",
        "meet(a); extend(size)",
    )
    s(depth, "if n < 0 or o < 0 or o + size > len(data): raise Odd")
