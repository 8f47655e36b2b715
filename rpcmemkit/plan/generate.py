"""Python source for plain graphs: five functions a graph, each one loop over a stack of pointers.

``marshal`` copies from memory to a message, ``unmarshal`` from a message to new memory, ``find`` follows the pointers for
clean-up and audits, ``write`` and ``read`` go between Python values and memory. A body is one ``struct`` conversion; the
first pointer that is not null is followed without touching the stack. Every function either does the whole graph or
raises :class:`~rpcmemkit.plan.graphs.Odd` (or what Python raises for bad data) before anything that others see has
changed; the careful code then does the same work value by value, and says what is wrong.

``repr(graph)`` is the source. In it ``a`` is an address, ``pos`` a place in the message, ``o`` one in the new memory, ``v3``
the fourth value of a body, ``p3`` a pointer's address and ``i3`` its referent id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import repeat
from struct import Struct as Codec
from typing import Any

from rpcmemkit.plan.graphs import Node, Nodes, Odd, in_one, plain_graph
from rpcmemkit.plan.levels import ArrayPlan, BasePlan, Plan, PointerPlan, StructPlan

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


class Graph:
    """The generated functions of a plain graph; each is made when it is first asked for."""

    def __init__(self, nodes: Nodes, pointer: PointerPlan) -> None:
        self.nodes = nodes
        self.pointer_size = pointer.size
        self.count_size = pointer.wire_size  # counts are as wide as referent ids in both syntaxes
        self.order = nodes[0].body.wire.format[0]
        self.many = len(nodes) > 1
        self.scoped = any(node.behind is not None for node in nodes)
        self._unmarshal: dict[tuple[str, ...], Callable[..., Any]] = {}

    def __repr__(self) -> str:
        return "\n".join(each.text for each in (_marshal(self), _unmarshal(self, self.all_new), _find(self)))

    @property
    def all_new(self) -> tuple[str, ...]:
        return (NEW,) * len(self.nodes)

    @cached_property
    def marshal(self) -> Callable[..., Any]:
        return _marshal(self).function()

    @cached_property
    def find(self) -> Callable[..., Any]:
        return _find(self).function()

    @cached_property
    def write(self) -> Callable[..., Any] | None:
        source = _write(self)
        return source and source.function()

    @cached_property
    def read(self) -> Callable[..., Any] | None:
        source = _read(self)
        return source and source.function()

    def unmarshal(self, modes: tuple[str, ...]) -> Callable[..., Any]:
        """Return the function for nodes that go where ``modes`` say."""
        if modes not in self._unmarshal:
            self._unmarshal[modes] = _unmarshal(self, modes).function()
        return self._unmarshal[modes]

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

    def changes(self, node: Node) -> bool:
        """Whether what stays in the receive buffer has to be written there: pointers, or numbers of the other byte order."""
        return bool(node.ways) or (self.order == ">" and node.kind != "text")

    @cached_property
    def least(self) -> int:
        """The bytes of the smallest referent on the wire, at least 1."""
        sizes = [n.body.wire.size if n.kind == "flat" else self.count_size for n in self.nodes]
        return max(min(sizes), 1)


def graph_of(pointer: PointerPlan) -> Graph | None:
    """Return the generated functions for what a pointer leads to, or ``None`` if that is no plain graph."""
    if pointer.graph is None:
        nodes = plain_graph(pointer)
        pointer.graph = Graph(nodes, pointer) if nodes else False
    return pointer.graph or None


# --- bodies -----------------------------------------------------------------------------------


class Fused:
    """A body's values and pointers together, as one conversion in memory and one on the wire.

    ``names`` are the variables of the values, in order, with ``{0}``, ``{1}``, … where the pointers are.
    """

    def __init__(self, node: Node, pointer_size: int, order: str, extent: int | None = None) -> None:
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


def _pads(s: Source, depth: int, align: int, graph: Graph) -> None:
    """Write zeros up to a multiple of ``align``."""
    if align > 1 and not graph.steady:
        s(depth, f"if pos % {align}:", f"    pad = -pos % {align}; out += ZEROS[:pad]; pos += pad")


def _kinds(s: Source, depth: int, graph: Graph, node: Node) -> int:
    """Begin what is done for one node; return how deep that is."""
    if not graph.many:
        return depth
    s(depth, f"{'elif' if node.number else 'if'} kind == {node.number}:  # {_title(node.plan)}")
    return depth + 1


def _title(plan: Plan) -> str:
    return repr(plan.type).partition("\n")[0][:60]


def _pushed(graph: Graph, child: int, *rest: str) -> str:
    """Return a stack entry for a pointer to the node ``child``."""
    return ", ".join([str(child)] * graph.many + [*rest])


def _went(graph: Graph, node: Node, child: int) -> list[str]:
    """Return what changes from one node to the next."""
    return [f"kind = {child}"] if graph.many and child != node.number else []


# --- from memory to a message -----------------------------------------------------------------


def _marshal(graph: Graph) -> Source:
    """Marshal: the referent at ``a`` and all below it are appended to ``out``; ids count from ``number``.

    It returns the next id, the addresses read, and how many bytes were read at each: they have yet to be checked.
    """
    s = Source("marshal(space, data, base, a, scope, out, number, limit, budget)", ZEROS=bytes(8))
    s.let("put", Codec(graph.order + UNSIGNED[graph.count_size]).pack_into)
    s(1, "pos = len(out)", "stack = []; push, pop = stack.append, stack.pop")
    s(1, "met = []; meet = met.append", "extents = []; extend = extents.append")
    s(1, *(["kind = 0"] if graph.many else []))
    if graph.steady and (align := graph.nodes[0].plan.wire_align) > 1:
        s(1, f"pad = -pos % {align}; out += ZEROS[:pad]; pos += pad")
    s(1, "for _ in repeat(None, limit):")
    for node in graph.nodes:
        depth = _kinds(s, 2, graph, node)
        {"flat": _marshal_flat, "text": _marshal_text, "array": _marshal_array}[node.kind](
            s, depth, graph, node
        )
    entry = (
        _pushed(graph, 0, "a", "slot", *["scope"] * graph.scoped).replace("0", "kind", 1)
        if graph.many
        else ""
    )
    entry = entry or ", ".join(["a", "slot", *["scope"] * graph.scoped])
    s(2, "if not stack: break", f"{entry} = pop()", "put(out, slot, number)", f"number += {ID_STEP}")
    s(1, "else: raise Odd", "if pos > budget: raise Odd")
    s(1, f"return number, met, {graph.uniform or 'extents'}")
    return s


ID_STEP = 4  # from one referent id to the next


def _marshal_flat(s: Source, depth: int, graph: Graph, node: Node) -> None:
    fused = Fused(node, graph.pointer_size, graph.order)
    n, pointers = node.number, [f"p{number}" for number in range(len(node.ways))]
    s.let(f"unpack{n}", fused.memory.unpack_from)
    s.let(f"pack{n}", fused.wire.pack)
    s(depth, f"{fused.listed(pointers)} = unpack{n}(data, a - base)", "meet(a)")
    if not graph.uniform:
        s(depth, f"extend({node.size})")
    _pads(s, depth, node.plan.wire_align, graph)
    s(depth, *fused.tests(sending=True))
    refs = [name for name, (slot, _) in zip(pointers, node.ways, strict=True) if slot.plan.is_ref]
    s(depth, *[f"if not {name}: raise Odd" for name in refs])
    zeros = ["0"] * len(pointers)

    def push(at: int, number: int) -> str:
        slot, child = node.ways[number]
        scope = [f"a + {slot.scope or 0}"] * graph.scoped
        where = f"pos + {slot.wire_offset}"
        return f"if p{number}: push(({_pushed(graph, child, f'p{number}', where, *scope)}))"

    if 0 < len(pointers) <= CHAINED:
        for first, (slot, child) in enumerate(node.ways):
            inner = depth if slot.plan.is_ref else depth + 1
            if not slot.plan.is_ref:
                s(depth, f"if p{first}:")
            ids = [*zeros[:first], "number", *zeros[first + 1 :]]
            s(inner, f"out += pack{n}({fused.passed(ids)}); number += {ID_STEP}")
            s(inner, *[push(first, number) for number in range(len(pointers) - 1, first, -1)])
            after = (
                [f"scope = a + {slot.scope or 0}"] * graph.scoped
                + [f"a = p{first}"]
                + _went(graph, node, child)
            )
            s(inner, f"pos += {fused.wire.size}; " + "; ".join(after) + "; continue")
            if slot.plan.is_ref:
                return
        s(depth, f"out += pack{n}({fused.passed(zeros)})")
    else:
        s(depth, f"out += pack{n}({fused.passed(zeros)})")
        s(depth, *[push(0, number) for number in range(len(pointers) - 1, -1, -1)])
    s(depth, f"pos += {fused.wire.size}")


def _marshal_text(s: Source, depth: int, graph: Graph, node: Node) -> None:
    width = node.size
    s.let("counts", Codec(graph.order + UNSIGNED[graph.count_size] * 3).pack)
    s(depth, f"o = a - base; end = data.find({bytes(width)!r}, o) if o >= 0 else -1")
    if width > 1:
        s(depth, f"while end >= 0 and (end - o) % {width}: end = data.find({bytes(width)!r}, end + 1)")
    s(depth, "if end < 0: raise Odd", f"end += {width}; size = end - o; meet(a); extend(size)")
    _pads(s, depth, graph.count_size, graph)
    length = f"size // {width}" if width > 1 else "size"
    s(
        depth,
        f"n = {length}",
        "out += counts(n, 0, n); out += data[o:end]",
        f"pos += {3 * graph.count_size} + size",
    )


def _marshal_array(s: Source, depth: int, graph: Graph, node: Node) -> None:
    assert isinstance(node.plan, ArrayPlan)
    plan, n = node.plan, node.number
    s.let(f"size{n}", plan.size_of)
    s.let("count", Codec(graph.order + UNSIGNED[graph.count_size]).pack)
    s(depth, f"n = size{n}(space, scope)", "if n < 0: raise Odd", f"o = a - base; size = n * {plan.stride}")
    s(depth, "meet(a); extend(size)")
    _pads(s, depth, graph.count_size, graph)
    s(depth, f"out += count(n); pos += {graph.count_size}")
    _pads(s, depth, plan.wire_align, graph)
    s(depth, "if o < 0 or o + size > len(data): raise Odd")
    gap = plan.wire_stride - plan.wire_last
    if node.body.dense and plan.stride == plan.wire_stride:
        s(depth, "out += data[o : o + size]; pos += size")
        return
    fused = Fused(node, graph.pointer_size, graph.order)
    rows = Codec(f"{fused.memory.format}{plan.stride - fused.memory.size}x")
    s.let(f"rows{n}", rows.iter_unpack)
    s.let(f"pack{n}", Codec(f"{fused.wire.format}{gap}x").pack)
    pointers = [f"p{number}" for number in range(len(node.ways))]
    s(depth, "todo, rows = [], []; row, later = rows.append, todo.append", "here = a")
    s(depth, f"for {fused.listed(pointers)} in rows{n}(data[o : o + size]):")
    s(depth + 1, *fused.tests(sending=True))
    for number, (slot, child) in enumerate(node.ways):
        scope = [f"here + {slot.scope or 0}"] * graph.scoped
        entry = _pushed(graph, child, f"p{number}", f"pos + {slot.wire_offset}", *scope)
        s(depth + 1, *[f"if not p{number}: raise Odd"] * slot.plan.is_ref, f"if p{number}: later(({entry}))")
    s(depth + 1, f"row(pack{n}({fused.passed(['0'] * len(pointers))}))", f"pos += {plan.wire_stride}")
    s(depth + 1, *[f"here += {plan.stride}"] * graph.scoped)
    s(depth, "out += b''.join(rows)", "todo.reverse(); stack += todo")
    if gap:
        s(depth, f"if n: pos -= {gap}; del out[-{gap}:]")


# --- from a message to memory -----------------------------------------------------------------


def _unmarshal(graph: Graph, modes: tuple[str, ...]) -> Source:
    """Unmarshal: the referent at ``pos`` and all below it go to the end of ``mem``, or stay where they were received.

    ``mem`` begins with a copy of the message if pointers are written into it. New memory at the offset ``o`` of ``mem`` will
    have the address ``o + shift``; the message lies at ``buffer``. It returns the place behind what was read, the sizes of
    the new blocks (their number if all are alike), the extents that stay in the buffer, and the arrays whose counts have to
    be compared with their attributes: node, address of the scope, count.
    """
    head = "unmarshal(data, pos, mem, shift, buffer, limit)"
    s = Source(head)
    s.let("put", Codec("<" + UNSIGNED[graph.pointer_size]).pack_into)
    s(1, "end, o = len(data), len(mem)", "stack = []; push, pop = stack.append, stack.pop", "slot = -1")
    s(
        1,
        "sizes = []; sized = sizes.append",
        "lie, extent = [], []; lies, extends = lie.append, extent.append",
        "arrays = []",
    )
    s(1, *(["kind = 0"] if graph.many else []))
    if graph.steady and (align := graph.nodes[0].plan.wire_align) > 1:
        s(1, f"pos += -pos % {align}")
    s(1, "for _ in repeat(None, limit):")
    for node, mode in zip(graph.nodes, modes, strict=True):
        depth = _kinds(s, 2, graph, node)
        emit = {"flat": _unmarshal_flat, "text": _unmarshal_text, "array": _unmarshal_array}[node.kind]
        emit(s, depth, graph, node, mode, modes)
    entry = "kind, slot" if graph.many else "slot"
    s(2, "if not stack: break", f"{entry} = pop()")
    s(1, "else: raise Odd")
    s(1, "return pos, sizes, lie, extent, arrays")
    return s


def _aligned(s: Source, depth: int, align: int, graph: Graph) -> None:
    if align > 1 and not graph.steady:
        s(depth, f"pos += -pos % {align}")


def _placed(s: Source, depth: int, mode: str, size: str, *, patch: bool = True) -> None:
    """Let the pointer that waits point to the referent."""
    if mode == BUFFER:
        s(depth, f"lies(buffer + pos); extends({size})")
        s(depth, "if slot >= 0: put(mem, slot, buffer + pos)")
    else:
        s(depth, *[f"sized({size})"], *["if slot >= 0: put(mem, slot, o + shift)"] * patch)


def _unmarshal_flat(
    s: Source, depth: int, graph: Graph, node: Node, mode: str, modes: tuple[str, ...]
) -> None:
    fused = Fused(node, graph.pointer_size, graph.order)
    n, ids = node.number, [f"i{number}" for number in range(len(node.ways))]
    s.let(f"unpack{n}", fused.wire.unpack_from)
    _aligned(s, depth, node.plan.wire_align, graph)
    s(depth, f"{fused.listed(ids)} = unpack{n}(data, pos)", *fused.tests(sending=False))
    _placed(s, depth, mode, str(node.size))
    total = node.size + fill_of(node.size)
    if mode == NEW:
        gap = s.let(f"gap{n}", bytes((0xCD,)) * (total - fused.memory.size))
        pack = Codec(f"{fused.memory.format}{total - fused.memory.size}s").pack
        s.let(f"pack{n}", pack)
        store = f"mem += pack{n}({{}}, {gap})"
        here, moved = "o", f"o += {total}; "
    else:
        s.let(f"store{n}", fused.memory.pack_into)
        store = f"store{n}(mem, pos, {{}})"
        here, moved = "pos", ""
    if mode == BUFFER and not graph.changes(node):
        s(depth, f"pos += {fused.wire.size}")
        return
    _store_and_go(s, depth, graph, node, modes, fused, store, here, moved)


def _store_and_go(
    s: Source,
    depth: int,
    graph: Graph,
    node: Node,
    modes: tuple[str, ...],
    fused: Fused,
    store: str,
    here: str,
    moved: str,
) -> None:
    """Store a body and go to what its first pointer leads to."""
    zeros = ["0"] * len(node.ways)

    def push(number: int) -> str:
        slot, child = node.ways[number]
        entry = _pushed(graph, child, f"{here} + {slot.offset}")
        entry = f"({entry})" if graph.many else entry
        return f"push({entry})" if slot.plan.is_ref else f"if i{number}: push({entry})"

    total = node.size + fill_of(node.size)
    wide = len(zeros) > CHAINED
    for first, (slot, child) in enumerate([] if wide else node.ways):
        inner = depth if slot.plan.is_ref else depth + 1
        if not slot.plan.is_ref:
            s(depth, f"if i{first}:")
        known = modes[child] == NEW  # the next block is the referent's
        following = f"o + shift + {total}" if here == "o" else "o + shift"
        values = [*zeros[:first], following if known else "0", *zeros[first + 1 :]]
        s(inner, store.format(fused.passed(values)))
        s(inner, *[push(number) for number in range(len(zeros) - 1, first, -1)])
        waits = not known or graph.nodes[child].behind is not None
        after = [f"slot = {here} + {slot.offset}" if waits else "slot = -1", *_went(graph, node, child)]
        s(inner, "; ".join([*after, f"{moved}pos += {fused.wire.size}", "continue"]))
        if slot.plan.is_ref:
            return
    s(depth, store.format(fused.passed(zeros)))
    if wide:
        s(depth, *[push(number) for number in range(len(zeros) - 1, -1, -1)])
    s(depth, f"{moved}pos += {fused.wire.size}")


def _unmarshal_text(
    s: Source, depth: int, graph: Graph, node: Node, mode: str, modes: tuple[str, ...]
) -> None:
    width, step = node.size, graph.count_size
    s.let("counts", Codec(graph.order + UNSIGNED[step] * 3).unpack_from)
    _aligned(s, depth, step, graph)
    s(depth, f"m, first, n = counts(data, pos); pos += {3 * step}")
    _aligned(s, depth, node.plan.wire_align if node.plan.wire_align > step else 1, graph)
    s(depth, f"size = n * {width}; behind = pos + size" if width > 1 else "size = n; behind = pos + n")
    s(
        depth,
        f"if first or not n or n > m or behind > end or data[behind - {width} : behind] != {bytes(width)!r}: raise Odd",
    )
    _placed(s, depth, mode, "size")
    if mode == NEW:
        s.let("fills", [bytes((0xCD,)) * (-size % ALIGNMENT + GAP) for size in range(ALIGNMENT)])
        s(depth, "mem += data[pos:behind]; mem += fills[size & 7]", f"o += (size + 7 & -8) + {GAP}")
    s(depth, "pos = behind")


def _unmarshal_array(
    s: Source, depth: int, graph: Graph, node: Node, mode: str, modes: tuple[str, ...]
) -> None:
    assert isinstance(node.plan, ArrayPlan)
    plan, n, step = node.plan, node.number, graph.count_size
    s.let("one", Codec(graph.order + UNSIGNED[step]).unpack_from)
    gap = plan.wire_stride - plan.wire_last
    _aligned(s, depth, step, graph)
    s(depth, f"n, = one(data, pos); pos += {step}")
    _aligned(s, depth, plan.wire_align, graph)
    s(
        depth,
        f"size, sent = n * {plan.stride}, n * {plan.wire_stride}{f' - {gap} if n else 0' if gap else ''}",
    )
    s(depth, "if pos + sent > end" + (" or not n" if mode == BUFFER else "") + ": raise Odd")
    if node.behind is not None:
        holder = (
            BUFFER
            if any(modes[m.number] == BUFFER for m in graph.nodes if any(c == n for _, c in m.ways))
            else NEW
        )
        where = "buffer" if holder == BUFFER else "shift"
        s(depth, f"if slot >= 0: arrays.append(({n}, slot + {where} - {node.behind}, n))")
    _placed(s, depth, mode, "size")
    fused = Fused(node, graph.pointer_size, graph.order)
    as_block = node.body.dense and plan.stride == plan.wire_stride
    if graph.changes(node) if mode == BUFFER else not as_block:
        s.let(f"rows{n}", Codec(f"{fused.wire.format}{gap}x").iter_unpack)
        ids = [f"i{number}" for number in range(len(node.ways))]
        s.let(f"pack{n}", Codec(f"{fused.memory.format}{plan.stride - fused.memory.size}x").pack)
        s(depth, "rows, todo = [], []; row, later = rows.append, todo.append")
        s(depth, f"at = {'o' if mode == NEW else 'pos'}")
        padded = f" + {bytes(gap)!r}" if gap else ""
        s(depth, *["raise Odd"] * (mode == BUFFER and bool(gap)))
        s(depth, f"for {fused.listed(ids)} in rows{n}((data[pos : pos + sent]{padded}) if n else b''):")
        s(depth + 1, *fused.tests(sending=False))
        for number, (slot, child) in enumerate(node.ways):
            entry = _pushed(graph, child, f"at + {slot.offset}")
            entry = f"({entry})" if graph.many else entry
            s(depth + 1, f"later({entry})" if slot.plan.is_ref else f"if i{number}: later({entry})")
        s(depth + 1, f"row(pack{n}({fused.passed(['0'] * len(ids))}))", f"at += {plan.stride}")
        s(depth, "mem += b''.join(rows)" if mode == NEW else "mem[pos : pos + sent] = b''.join(rows)")
        s(depth, "todo.reverse(); stack += todo")
    elif mode == NEW:
        s(depth, "mem += data[pos : pos + sent]")
    if mode == NEW:
        s.let("fills", [bytes((0xCD,)) * (-size % ALIGNMENT + GAP) for size in range(ALIGNMENT)])
        s.let("nothing", bytes((0xCD,)) * (ALIGNMENT + GAP))
        s(depth, "mem += fills[size & 7] if size else nothing", f"o += (size + 7 & -8 or 8) + {GAP}")
    s(depth, "pos += sent")


# --- following pointers -----------------------------------------------------------------------


def _find(graph: Graph) -> Source:
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
        depth = _kinds(s, 2, graph, node)
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


def _find_flat(s: Source, depth: int, graph: Graph, node: Node) -> None:
    n, names = node.number, [f"p{number}" for number in range(len(node.ways))]
    s.let(f"unpack{n}", node.body.memory_pointers.unpack_from)
    s(depth, f"{', '.join(names)}, = unpack{n}(data, a - base)", "meet(a)")
    s(depth, *[f"extend({node.size})"] * (not graph.uniform))
    todo = list(range(len(names)))
    while todo and not graph.nodes[node.ways[todo[-1]][1]].ways:
        s(depth, f"if {names[todo[-1]]}: meet({names[todo.pop()]}); extend(0)")

    def push(number: int) -> str:
        slot, child = node.ways[number]
        entry = _pushed(graph, child, names[number], *[f"a + {slot.scope or 0}"] * graph.scoped)
        return f"if {names[number]}: push({f'({entry})' if ',' in entry else entry})"

    for first in reversed(todo if len(todo) <= CHAINED else []):
        slot, child = node.ways[first]
        s(depth, f"if {names[first]}:", *[f"    {push(number)}" for number in todo if number < first])
        after = [
            *[f"scope = a + {slot.scope or 0}"] * graph.scoped,
            f"a = {names[first]}",
            *_went(graph, node, child),
        ]
        s(depth + 1, "; ".join([*after, "continue"]))
    if len(todo) > CHAINED:
        s(depth, *[push(number) for number in todo])


def _find_array(s: Source, depth: int, graph: Graph, node: Node) -> None:
    assert isinstance(node.plan, ArrayPlan)
    plan, n = node.plan, node.number
    names = [f"p{number}" for number in range(len(node.ways))]
    _elements_at(s, depth, node, n)
    rows = Codec(f"{node.body.memory_pointers.format}{plan.stride - node.body.memory_pointers.size}x")
    s.let(f"rows{n}", rows.iter_unpack)
    s(depth, "todo = []; later = todo.append", "here = a")
    leaves = all(not graph.nodes[child].ways for _, child in node.ways)
    s(depth, f"for {', '.join(names)}, in rows{n}(data[o : o + size]):")
    for name, (slot, child) in zip(names, node.ways, strict=True):
        entry = _pushed(graph, child, name, *[f"here + {slot.scope or 0}"] * graph.scoped)
        entry = name if leaves else f"({entry})" if "," in entry else entry
        s(depth + 1, f"if {name}: later({entry})")
    s(depth + 1, f"here += {plan.stride}")
    if leaves:
        s(depth, "todo.reverse(); met += todo; extents += [0] * len(todo)")
    else:
        s(depth, "stack += todo")


def _elements_at(s: Source, depth: int, node: Node, n: int) -> None:
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


# --- between Python values and memory -----------------------------------------------------------


class Values:
    """A body as Python sees it: its values and pointers as one conversion, and the maps that hold them."""

    def __init__(self, plan: Plan, size: int) -> None:
        self.pieces: list[tuple[int, str]] = []
        self.names: list[str] = []
        self.plans: dict[str, Plan] = {}
        self._pointers = 0
        self.tree = self._tree(plan, 0)
        self.codec = codec("<", self.pieces, size)

    def _tree(self, plan: Plan, offset: int) -> Any:
        """Return a variable, or for a structure the trees of its members by name."""
        if isinstance(plan, StructPlan):
            return {
                str(member.name): self._tree(member.plan, offset + member.offset) for member in plan.members
            }
        if isinstance(plan, PointerPlan):
            code, name = UNSIGNED[plan.size], f"q{self._pointers}"
            self._pointers += 1
        elif isinstance(plan, BasePlan):
            code, name = plan.value.format[1:], f"v{len(self.names)}"
        elif isinstance(plan, ArrayPlan) and isinstance(plan.element, BasePlan) and plan.size:
            code, name = f"{plan.size}s", f"w{len(self.names)}"
        else:
            raise Odd
        self.pieces.append((offset, code))
        self.names.append(name)
        self.plans[name] = plan
        return name


def _write(graph: Graph) -> Source | None:
    """Write: put a value and all below it at the end of ``mem``, where the offset ``o`` will have the address ``o + shift``.

    It returns the sizes of the blocks. A map or a list that is there twice is one piece of storage: odd.
    """
    s = Source("write(value, mem, shift, fill, scalar)")
    s.let("put", Codec("<" + UNSIGNED[graph.pointer_size]).pack_into)
    s(1, "o = len(mem)", "stack = []; push, pop = stack.append, stack.pop", "slot = -1")
    s(
        1,
        "sizes = []; sized = sizes.append",
        "held = set(); hold = held.add",
        *(["kind = 0"] if graph.many else []),
    )
    s(1, f"gaps = [bytes((fill,)) * (-size % {ALIGNMENT} + {GAP}) for size in range({ALIGNMENT})]")
    s(1, "while True:")
    try:
        for node in graph.nodes:
            depth = _kinds(s, 2, graph, node)
            {"flat": _write_flat, "text": _write_text, "array": _write_array}[node.kind](
                s, depth, graph, node
            )
    except Odd:
        return None
    s(2, "if not stack: break", f"{'kind, ' * graph.many}value, slot = pop()")
    s(1, "return sizes")
    return s


def _unpacked(s: Source, depth: int, node: Node, values: Values) -> None:
    """Take a value apart: its numbers and pointers become variables."""

    def take(tree: Any, where: str) -> None:
        if isinstance(tree, str):
            s(depth, *[f"{tree} = {where}"] * (tree != where))
            return
        s(depth, f"if type({where}) is not dict or len({where}) != {len(tree)}: raise Odd")
        for name, inner in tree.items():
            if isinstance(inner, str):
                s(depth, f"{inner} = {where}[{name!r}]")
            else:
                nested = f"{where}_{len(s.lines)}"
                s(depth, f"{nested} = {where}[{name!r}]")
                take(inner, nested)

    take(values.tree, "value")
    if not isinstance(values.tree, str):
        s(depth, "if id(value) in held: raise Odd", "hold(id(value))")
    for name in values.names:
        if name[0] == "w":
            raise Odd
        if name[0] == "v":
            plan = s.let(f"plan{node.number}_{name}", values.plans[name])
            s(depth, f"if type({name}) is not int: {name} = scalar({plan}, {name})")


def _write_flat(s: Source, depth: int, graph: Graph, node: Node) -> None:
    values, n = Values(node.plan, node.size), node.number
    total = node.size + fill_of(node.size)
    s.let(f"pack{n}", values.codec.pack)
    _unpacked(s, depth, node, values)
    s(depth, f"sized({node.size})", "if slot >= 0: put(mem, slot, o + shift)")
    gap = f"gaps[{node.size % ALIGNMENT}]" if node.size else f"gaps[0] + gaps[0][:{ALIGNMENT}]"
    pointers = [name for name in values.names if name[0] == "q"]
    offsets = [
        offset for (offset, _), name in zip(values.pieces, values.names, strict=True) if name[0] == "q"
    ]

    def push(number: int) -> str:
        entry = _pushed(graph, node.ways[number][1], pointers[number], f"o + {offsets[number]}")
        return f"if {pointers[number]} is not None: push(({entry}))"

    def packed(known: str | None) -> str:
        shown = [
            f"o + shift + {total}" if name == known else "0" if name[0] == "q" else name
            for name in values.names
        ]
        return f"mem += pack{n}({', '.join(shown)}); mem += {gap}"

    wide = len(pointers) > CHAINED
    for first, (_, child) in enumerate([] if wide else node.ways):
        s(depth, f"if {pointers[first]} is not None:")
        s(
            depth + 1,
            packed(pointers[first]),
            *[push(number) for number in range(len(pointers) - 1, first, -1)],
        )
        s(
            depth + 1,
            "; ".join(
                [
                    f"value, slot = {pointers[first]}, -1",
                    *_went(graph, node, child),
                    f"o += {total}",
                    "continue",
                ]
            ),
        )
    s(depth, packed(None), *([push(number) for number in range(len(pointers) - 1, -1, -1)] if wide else []))
    s(depth, f"o += {total}")


def _write_text(s: Source, depth: int, graph: Graph, node: Node) -> None:
    assert isinstance(node.plan, ArrayPlan)
    if not node.plan.is_text:
        raise Odd
    coding = "'latin-1'" if node.size == 1 else "'utf-16-le', 'surrogatepass'"
    s(depth, "if type(value) is not str: raise Odd", f"text = value.encode({coding}) + {bytes(node.size)!r}")
    _stored(s, depth, "text")


def _stored(s: Source, depth: int, text: str) -> None:
    """Store the bytes of a block whose size varies."""
    s(depth, f"size = len({text}); sized(size)", "if slot >= 0: put(mem, slot, o + shift)")
    s(depth, f"mem += {text}; mem += gaps[size & 7] if size else gaps[0] + gaps[0][:{ALIGNMENT}]")
    s(depth, f"o += (size + 7 & -8 or 8) + {GAP}")


def _write_array(s: Source, depth: int, graph: Graph, node: Node) -> None:
    assert isinstance(node.plan, ArrayPlan)
    plan, n = node.plan, node.number
    s(depth, "if type(value) is not list: raise Odd", "if id(value) in held: raise Odd", "hold(id(value))")
    if isinstance(plan.element, BasePlan):
        s.let("Codec", Codec)
        s(depth, "if set(map(type, value)) - {int}: raise Odd")
        s(depth, f"text = Codec(f'<{{len(value)}}{plan.element.value.format[1:]}').pack(*value)")
        _stored(s, depth, "text")
        return
    values = Values(plan.element, plan.stride)
    s.let(f"pack{n}", values.codec.pack)
    s(depth, "rows, todo, at = [], [], o; row, later = rows.append, todo.append")
    s(depth, "for value in value:")
    _unpacked(s, depth + 1, node, values)
    for number, ((offset, _), name) in enumerate(
        (piece, name) for piece, name in zip(values.pieces, values.names, strict=True) if name[0] == "q"
    ):
        entry = _pushed(graph, node.ways[number][1], name, f"at + {offset}")
        s(depth + 1, f"if {name} is not None: later(({entry}))")
    shown = ["0" if name[0] == "q" else name for name in values.names]
    s(depth + 1, f"row(pack{n}({', '.join(shown)}))", f"at += {plan.stride}")
    s(depth, "text = b''.join(rows)", "todo.reverse(); stack += todo")
    _stored(s, depth, "text")


def _read(graph: Graph) -> Source | None:
    """Read: put the value at ``a`` into ``holder[key]``, with all below it; return the addresses read and their extents."""
    s = Source("read(space, data, base, a, scope, holder, key, Record, elements, limit)")
    s(1, "stack = []; push, pop = stack.append, stack.pop")
    s(
        1,
        "met = []; meet = met.append",
        "extents = []; extend = extents.append",
        *(["kind = 0"] if graph.many else []),
    )
    s(1, "for _ in repeat(None, limit):")
    try:
        for node in graph.nodes:
            depth = _kinds(s, 2, graph, node)
            {"flat": _read_flat, "text": _read_text, "array": _read_array}[node.kind](s, depth, graph, node)
    except Odd:
        return None
    entry = ", ".join([*["kind"] * graph.many, "a", "holder", "key", *["scope"] * graph.scoped])
    s(2, "if not stack: break", f"{entry} = pop()")
    s(1, "else: raise Odd", "return met, extents")
    return s


def _shown(s: Source, node: Node, values: Values) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return the expression of a body's value, and for each pointer the variable and the key that hold what it leads to."""
    holders: dict[str, tuple[str, str]] = {}

    def show(tree: Any, number: int) -> str:
        if isinstance(tree, str):
            return _presented(s, node, tree, values.plans[tree])
        parts, variable = [], f"h{number}"
        for at, (name, inner) in enumerate(tree.items()):
            parts.append(f"{name!r}: {show(inner, number * 32 + at + 1)}")
            if isinstance(inner, str) and inner[0] == "q":
                holders[inner] = variable, repr(name)
        record = f"Record({{{', '.join(parts)}}})"
        return f"({variable} := {record})" if any(v == variable for v, _ in holders.values()) else record

    return show(values.tree, 0), holders


def _presented(s: Source, node: Node, name: str, plan: Plan) -> str:
    if isinstance(plan, PointerPlan):
        return "None"
    if isinstance(plan, ArrayPlan):
        return f"elements({s.let(f'plan{node.number}_{name}', plan)}, {name})"
    assert isinstance(plan, BasePlan)
    if getattr(plan.type, "code", "") == "?":
        return f"bool({name})"
    return f"chr({name})" if getattr(plan.type, "text", False) else name


def _follow_to(
    s: Source,
    depth: int,
    graph: Graph,
    node: Node,
    number: int,
    name: str,
    holder: tuple[str, str],
    here: str,
) -> None:
    slot, child = node.ways[number]
    entry = _pushed(graph, child, name, *holder, *[f"{here} + {slot.scope or 0}"] * graph.scoped)
    s(depth, f"if {name}: push(({entry}))")


def _read_flat(s: Source, depth: int, graph: Graph, node: Node) -> None:
    values, n = Values(node.plan, node.size), node.number
    s.let(f"unpack{n}", values.codec.unpack_from)
    s(depth, f"{', '.join(values.names)}, = unpack{n}(data, a - base)", f"meet(a); extend({node.size})")
    shown, holders = _shown(s, node, values)
    if isinstance(values.tree, str):
        holders = {values.tree: ("holder", "key")}
    pointers = [name for name in values.names if name[0] == "q"]
    s(depth, f"holder[key] = {shown}")
    if len(pointers) == 1 and (child := node.ways[0][1]) is not None:
        scope = [f"scope = a + {node.ways[0][0].scope or 0}"] * graph.scoped
        at, key = holders[pointers[0]]
        after = [
            *scope,
            f"a, holder, key = {pointers[0]}, {at}, {key}",
            *_went(graph, node, child),
            "continue",
        ]
        s(depth, f"if {pointers[0]}: " + "; ".join(after))
        return
    for number in reversed(range(len(pointers))):
        _follow_to(s, depth, graph, node, number, pointers[number], holders[pointers[number]], "a")


def _read_text(s: Source, depth: int, graph: Graph, node: Node) -> None:
    width = node.size
    s(depth, f"o = a - base; end = data.find({bytes(width)!r}, o) if o >= 0 else -1")
    if width > 1:
        s(depth, f"while end >= 0 and (end - o) % {width}: end = data.find({bytes(width)!r}, end + 1)")
    coding = "'latin-1'" if width == 1 else "'utf-16-le', 'surrogatepass'"
    s(
        depth,
        "if end < 0: raise Odd",
        f"meet(a); extend(end - o + {width})",
        f"holder[key] = data[o:end].decode({coding})",
    )


def _read_array(s: Source, depth: int, graph: Graph, node: Node) -> None:
    assert isinstance(node.plan, ArrayPlan)
    plan, n = node.plan, node.number
    _elements_at(s, depth, node, n)
    if isinstance(plan.element, BasePlan):
        s(depth, f"holder[key] = elements({s.let(f'plan{n}', plan)}, data[o : o + size])")
        return
    values = Values(plan.element, plan.stride)
    s.let(f"rows{n}", values.codec.iter_unpack)
    s(depth, "here = a; holder[key] = all_ = []; show = all_.append; todo = []; later = todo.append")
    s(depth, f"for {', '.join(values.names)}, in rows{n}(data[o : o + size]):")
    shown, holders = _shown(s, node, values)
    if isinstance(values.tree, str):
        holders = {values.tree: ("all_", "len(all_) - 1")}
    s(depth + 1, f"show({shown})")
    for number, name in enumerate(each for each in values.names if each[0] == "q"):
        slot, child = node.ways[number]
        entry = _pushed(graph, child, name, *holders[name], *[f"here + {slot.scope or 0}"] * graph.scoped)
        s(depth + 1, f"if {name}: later(({entry}))")
    s(depth + 1, f"here += {plan.stride}")
    s(depth, "todo.reverse(); stack += todo")


def row_paths(
    graph: Graph, data: bytes | bytearray, first: int, sizes: Sequence[int], path: Any
) -> list[Any]:
    """Return for each block that ``write`` has made the path of the pointer that leads to it, the root's being ``path``.

    ``data`` are the blocks as they were written, ``first`` is the address of the first one.
    """
    paths: list[Any] = []
    stack = [(0, first, path)]
    while stack:
        number, address, here = stack.pop()
        node, size = graph.nodes[number], sizes[len(paths)]
        paths.append(here)
        if isinstance(node.plan, PointerPlan):
            here = (here, "*")
        whole = node.kind == "array"
        reads = [
            (slot.name, Codec("<" + UNSIGNED[slot.plan.size]), slot.offset, child)
            for slot, child in node.ways
        ]
        found = []
        for index in range(size // node.size if whole else 1) if reads else ():
            owner = (here, f"[{index}]") if whole else here
            for name, code, offset, child in reads:
                (value,) = code.unpack_from(data, address - first + index * node.size + offset)
                if value:
                    found.append((child, value, (owner, name) if name else owner))
        stack += reversed(found)
    return paths
