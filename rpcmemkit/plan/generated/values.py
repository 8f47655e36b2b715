"""Between Python values and memory: ``write`` and ``read``.

A value is a tree of maps, lists, text and numbers, where a pointer's value is what it leads to. ``write`` lays the blocks out
as the careful code would allocate them, one after the other; ``read`` builds the maps from the root down, each with ``None``
where what a pointer leads to will be put.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Codec
from typing import Any

from rpcmemkit.plan.generated import texts
from rpcmemkit.plan.generated.source import (
    ALIGNMENT,
    CHAINED,
    GAP,
    UNSIGNED,
    Outline,
    Source,
    begin_node,
    codec,
    elements_at,
    fill_of,
    pushed,
    terminated,
    went,
)
from rpcmemkit.plan.graphs import Node, Odd
from rpcmemkit.plan.levels import ArrayPlan, BasePlan, Plan, PointerPlan, StructPlan


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


def write(graph: Outline) -> Source | None:
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
            depth = begin_node(s, 2, graph, node)
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


def _write_flat(s: Source, depth: int, graph: Outline, node: Node) -> None:
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
        entry = pushed(graph, node.ways[number][1], pointers[number], f"o + {offsets[number]}")
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
                    *went(graph, node, child),
                    f"o += {total}",
                    "continue",
                ]
            ),
        )
    s(depth, packed(None), *([push(number) for number in range(len(pointers) - 1, -1, -1)] if wide else []))
    s(depth, f"o += {total}")


def _write_text(s: Source, depth: int, graph: Outline, node: Node) -> None:
    s(depth, *_encoded(node, "value"))
    _stored(s, depth, "text")


def _encoded(node: Node, value: str) -> list[str]:
    """Return what makes ``text`` the bytes of a string."""
    assert isinstance(node.plan, ArrayPlan)
    if not node.plan.is_text:
        raise Odd
    return [
        f"if type({value}) is not str: raise Odd",
        f"text = {value}.encode({_coding(node)}) + {bytes(node.size)!r}",
    ]


def _coding(node: Node) -> str:
    return "'latin-1'" if node.size == 1 else "'utf-16-le', 'surrogatepass'"


def _stored(s: Source, depth: int, text: str) -> None:
    """Store the bytes of a block whose size varies."""
    s(depth, f"size = len({text}); sized(size)", "if slot >= 0: put(mem, slot, o + shift)")
    s(depth, f"mem += {text}; mem += gaps[size & 7] if size else gaps[0] + gaps[0][:{ALIGNMENT}]")
    s(depth, f"o += (size + 7 & -8 or 8) + {GAP}")


def _write_array(s: Source, depth: int, graph: Outline, node: Node) -> None:
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
    if (text := graph.text_below(node)) is not None:
        _write_with_texts(s, depth, node, values, text)
        return
    s(depth, "rows, todo, at = [], [], o; row, later = rows.append, todo.append")
    s(depth, "for value in value:")
    _unpacked(s, depth + 1, node, values)
    for number, ((offset, _), name) in enumerate(
        (piece, name) for piece, name in zip(values.pieces, values.names, strict=True) if name[0] == "q"
    ):
        entry = pushed(graph, node.ways[number][1], name, f"at + {offset}")
        s(depth + 1, f"if {name} is not None: later(({entry}))")
    shown = ["0" if name[0] == "q" else name for name in values.names]
    s(depth + 1, f"row(pack{n}({', '.join(shown)}))", f"at += {plan.stride}")
    s(depth, "text = b''.join(rows)", "todo.reverse(); stack += todo")
    _stored(s, depth, "text")


def _write_with_texts(s: Source, depth: int, node: Node, values: Values, text: Node) -> None:
    """Elements whose pointers lead to strings: these lie behind the array in order, so that addresses are known at once."""
    assert isinstance(text.plan, ArrayPlan)
    if not text.plan.is_text:
        raise Odd
    s.let("blocks", texts.blocks)
    s(depth, f"size = len(value) * {node.size}; sized(size)", "if slot >= 0: put(mem, slot, o + shift)")
    s(
        depth,
        f"o += (size + 7 & -8 or 8) + {GAP}; first = len(sizes)",
        "rows, texts = [], []; row, text = rows.append, texts.append",
    )
    s(depth, "for value in value:")
    _unpacked(s, depth + 1, node, values)
    long = f"len({{0}}) * {text.size} + {text.size}"
    if text.size > 1:
        long += f" if {{0}}.isascii() else len({{0}}.encode({_coding(text)})) + {text.size}"
    for name in (each for each in values.names if each[0] == "q"):
        s(depth + 1, f"if {name} is not None:")
        s(depth + 2, f"if type({name}) is not str: raise Odd", f"long = {long.format(name)}; sized(long)")
        s(depth + 2, f"text({name}); {name} = o + shift; o += (long + 7 & -8) + {GAP}")
        s(depth + 1, f"else: {name} = 0")
    s(depth + 1, f"row(pack{node.number}({', '.join(values.names)}))")
    s(depth, f"mem += b''.join(rows); mem += gaps[size & 7] if size else gaps[0] + gaps[0][:{ALIGNMENT}]")
    s(depth, f"mem += blocks(texts, sizes[first:], {text.size}, fill)")


def read(graph: Outline) -> Source | None:
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
            depth = begin_node(s, 2, graph, node)
            {"flat": _read_flat, "text": _read_text, "array": _read_array}[node.kind](s, depth, graph, node)
    except Odd:
        return None
    entry = ", ".join([*["kind"] * graph.many, "a", "holder", "key", *["scope"] * graph.scoped])
    s(2, "if not stack: break", f"{entry} = pop()")
    s(1, "else: raise Odd", "return met, extents")
    return s


def _shown(
    s: Source, node: Node, values: Values, *, texts: bool = False
) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return the expression of a body's value, and for each pointer the variable and the key that hold what it leads to."""
    holders: dict[str, tuple[str, str]] = {}

    def show(tree: Any, number: int) -> str:
        if isinstance(tree, str):
            if texts and tree[0] == "q":
                return f"text() if {tree} else None"
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
    graph: Outline,
    node: Node,
    number: int,
    name: str,
    holder: tuple[str, str],
    here: str,
) -> None:
    slot, child = node.ways[number]
    entry = pushed(graph, child, name, *holder, *[f"{here} + {slot.scope or 0}"] * graph.scoped)
    s(depth, f"if {name}: push(({entry}))")


def _read_flat(s: Source, depth: int, graph: Outline, node: Node) -> None:
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
            *went(graph, node, child),
            "continue",
        ]
        s(depth, f"if {pointers[0]}: " + "; ".join(after))
        return
    for number in reversed(range(len(pointers))):
        _follow_to(s, depth, graph, node, number, pointers[number], holders[pointers[number]], "a")


def _read_text(s: Source, depth: int, graph: Outline, node: Node) -> None:
    _decoded(s, depth, node, "a", "holder[key]")


def _decoded(s: Source, depth: int, node: Node, address: str, target: str) -> None:
    """Read the string at ``address``."""
    terminated(s, depth, node, address)
    s(depth, f"meet({address}); extend(end - o + {node.size})")
    s(depth, f"{target} = data[o:end].decode({_coding(node)})")


def _read_array(s: Source, depth: int, graph: Outline, node: Node) -> None:
    assert isinstance(node.plan, ArrayPlan)
    plan, n = node.plan, node.number
    elements_at(s, depth, node, n)
    if isinstance(plan.element, BasePlan):
        s(depth, f"holder[key] = elements({s.let(f'plan{n}', plan)}, data[o : o + size])")
        return
    values = Values(plan.element, plan.stride)
    s.let(f"rows{n}", values.codec.iter_unpack)
    s(depth, "here = a; holder[key] = all_ = []; show = all_.append; todo = []; later = todo.append")
    s(depth, f"for {', '.join(values.names)}, in rows{n}(data[o : o + size]):")
    if (text := graph.text_below(node)) is not None:
        s.let("read_texts", texts.read)
        pointers = ", ".join(each for each in values.names if each[0] == "q")
        s(depth + 1, f"for a in ({pointers},):", "    if a: later(a)")
        s(depth, "met += todo; extents += [0] * len(todo)")
        s(depth, f"text = iter(read_texts(space, data, base, todo, {text.size})).__next__")
        s(depth, f"for {', '.join(values.names)}, in rows{n}(data[o : o + size]):")
        shown = _shown(s, node, values, texts=True)[0]
        s(depth + 1, f"show({shown})")
        return
    shown, holders = _shown(s, node, values)
    if isinstance(values.tree, str):
        holders = {values.tree: ("all_", "len(all_) - 1")}
    s(depth + 1, f"show({shown})")
    for number, name in enumerate(each for each in values.names if each[0] == "q"):
        slot, child = node.ways[number]
        entry = pushed(graph, child, name, *holders[name], *[f"here + {slot.scope or 0}"] * graph.scoped)
        s(depth + 1, f"if {name}: later(({entry}))")
    s(depth + 1, f"here += {plan.stride}")
    s(depth, "todo.reverse(); stack += todo")


def row_paths(
    graph: Outline, data: bytes | bytearray, first: int, sizes: Sequence[int], path: Any
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
