"""Between memory and messages: ``marshal`` and ``unmarshal``.

A message holds referents in the order in which their pointers are met, depth first, and so does new memory: what a pointer
leads to begins where the last referent ended. Only a pointer that was put on the stack has to be written a second time, when
its referent has a place (marshal: a referent id; unmarshal: an address).
"""

from __future__ import annotations

from struct import Struct as Codec

from rpcmemkit.plan.generated import texts
from rpcmemkit.plan.generated.source import (
    ALIGNMENT,
    BUFFER,
    CHAINED,
    GAP,
    NEW,
    UNSIGNED,
    Fused,
    Outline,
    Source,
    begin_node,
    fill_of,
    pads,
    pushed,
    terminated,
    went,
)
from rpcmemkit.plan.graphs import Node
from rpcmemkit.plan.levels import ArrayPlan

ID_STEP = 4  # from one referent id to the next


# --- from memory to a message -----------------------------------------------------------------


def marshal(graph: Outline) -> Source:
    """Marshal: the referent at ``a`` and all below it are appended to ``out``; ids count from ``number``.

    It returns the next id, the addresses read, and how many bytes were read at each, and the same of strings: all that has
    yet to be checked.
    """
    s = Source("marshal(space, data, base, a, scope, out, number, limit, budget)", ZEROS=bytes(8))
    s.let("put", Codec(graph.order + UNSIGNED[graph.count_size]).pack_into)
    s(1, "pos = len(out)", "stack = []; push, pop = stack.append, stack.pop")
    s(1, "met = []; meet = met.append", "extents = []; extend = extents.append")
    s(1, "texts = []; meet_text = texts.append", "lengths = []; measure = lengths.append")
    s(1, *(["kind = 0"] if graph.many else []))
    if graph.steady and (align := graph.nodes[0].plan.wire_align) > 1:
        s(1, f"pad = -pos % {align}; out += ZEROS[:pad]; pos += pad")
    s(1, "for _ in repeat(None, limit):")
    for node in graph.nodes:
        depth = begin_node(s, 2, graph, node)
        {"flat": _marshal_flat, "text": _marshal_text, "array": _marshal_array}[node.kind](
            s, depth, graph, node
        )
    entry = ", ".join([*["kind"] * graph.many, "a", "slot", *["scope"] * graph.scoped])
    s(2, "if not stack: break", f"{entry} = pop()", "put(out, slot, number)", f"number += {ID_STEP}")
    s(1, "else: raise Odd", "if pos > budget: raise Odd")
    s(1, f"return number, met, {graph.uniform or 'extents'}, texts, lengths")
    return s


def _marshal_flat(s: Source, depth: int, graph: Outline, node: Node) -> None:
    fused = Fused(node, graph.pointer_size, graph.order)
    n, pointers = node.number, [f"p{number}" for number in range(len(node.ways))]
    s.let(f"unpack{n}", fused.memory.unpack_from)
    s.let(f"pack{n}", fused.wire.pack)
    s(depth, f"{fused.listed(pointers)} = unpack{n}(data, a - base)", "meet(a)")
    if not graph.uniform:
        s(depth, f"extend({node.size})")
    pads(s, depth, node.plan.wire_align, graph)
    s(depth, *fused.tests(sending=True))
    refs = [name for name, (slot, _) in zip(pointers, node.ways, strict=True) if slot.plan.is_ref]
    s(depth, *[f"if not {name}: raise Odd" for name in refs])
    zeros = ["0"] * len(pointers)

    def push(at: int, number: int) -> str:
        slot, child = node.ways[number]
        scope = [f"a + {slot.scope or 0}"] * graph.scoped
        where = f"pos + {slot.wire_offset}"
        return f"if p{number}: push(({pushed(graph, child, f'p{number}', where, *scope)}))"

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
                + went(graph, node, child)
            )
            s(inner, f"pos += {fused.wire.size}; " + "; ".join(after) + "; continue")
            if slot.plan.is_ref:
                return
        s(depth, f"out += pack{n}({fused.passed(zeros)})")
    else:
        s(depth, f"out += pack{n}({fused.passed(zeros)})")
        s(depth, *[push(0, number) for number in range(len(pointers) - 1, -1, -1)])
    s(depth, f"pos += {fused.wire.size}")


def _marshal_text(s: Source, depth: int, graph: Outline, node: Node) -> None:
    width = node.size
    s.let("counts", Codec(graph.order + UNSIGNED[graph.count_size] * 3).pack)
    terminated(s, depth, node, "a")
    s(depth, f"end += {width}; size = end - o; meet_text(a); measure(size)")
    pads(s, depth, graph.count_size, graph)
    length = f"size // {width}" if width > 1 else "size"
    s(
        depth,
        f"n = {length}",
        "out += counts(n, 0, n); out += data[o:end]",
        f"pos += {3 * graph.count_size} + size",
    )


def _marshal_array(s: Source, depth: int, graph: Outline, node: Node) -> None:
    assert isinstance(node.plan, ArrayPlan)
    plan, n = node.plan, node.number
    s.let(f"size{n}", plan.size_of)
    s.let("count", Codec(graph.order + UNSIGNED[graph.count_size]).pack)
    s(depth, f"n = size{n}(space, scope)", "if n < 0: raise Odd", f"o = a - base; size = n * {plan.stride}")
    s(depth, "meet(a); extend(size)")
    pads(s, depth, graph.count_size, graph)
    s(depth, f"out += count(n); pos += {graph.count_size}")
    pads(s, depth, plan.wire_align, graph)
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
    if (text := graph.text_below(node)) is not None:
        _marshal_with_texts(s, depth, graph, node, fused, text)
        return
    s(depth, "todo, rows = [], []; row, later = rows.append, todo.append", "here = a")
    s(depth, f"for {fused.listed(pointers)} in rows{n}(data[o : o + size]):")
    s(depth + 1, *fused.tests(sending=True))
    for number, (slot, child) in enumerate(node.ways):
        scope = [f"here + {slot.scope or 0}"] * graph.scoped
        entry = pushed(graph, child, f"p{number}", f"pos + {slot.wire_offset}", *scope)
        s(depth + 1, *[f"if not p{number}: raise Odd"] * slot.plan.is_ref, f"if p{number}: later(({entry}))")
    s(depth + 1, f"row(pack{n}({fused.passed(['0'] * len(pointers))}))", f"pos += {plan.wire_stride}")
    s(depth + 1, *[f"here += {plan.stride}"] * graph.scoped)
    s(depth, "out += b''.join(rows)", "todo.reverse(); stack += todo")
    if gap:
        s(depth, f"if n: pos -= {gap}; del out[-{gap}:]")


def _marshal_with_texts(s: Source, depth: int, graph: Outline, node: Node, fused: Fused, text: Node) -> None:
    """Elements whose pointers lead to strings: nothing waits below those, so that the ids are known at once."""
    assert isinstance(node.plan, ArrayPlan)
    plan, gap = node.plan, node.plan.wire_stride - node.plan.wire_last
    numbers = range(len(node.ways))
    s(depth, "rows, todo = [], []; row, later = rows.append, todo.append")
    s(
        depth,
        f"for {fused.listed([f'p{number}' for number in numbers])} in rows{node.number}(data[o : o + size]):",
    )
    s(depth + 1, *fused.tests(sending=True))
    for number, (slot, _) in enumerate(node.ways):
        s(depth + 1, f"if p{number}: later(p{number}); i{number} = number; number += {ID_STEP}")
        s(depth + 1, "else: raise Odd" if slot.plan.is_ref else f"else: i{number} = 0")
    s(depth + 1, f"row(pack{node.number}({fused.passed([f'i{number}' for number in numbers])}))")
    s(depth, "out += b''.join(rows)", f"pos += n * {plan.wire_stride}")
    if gap:
        s(depth, f"if n: pos -= {gap}; del out[-{gap}:]")
    s.let("counts", Codec(graph.order + UNSIGNED[graph.count_size] * 3).pack)
    s.let("marshal_texts", texts.marshal)
    s(depth, "if todo:")
    pads(s, depth + 1, graph.count_size, graph)
    s(
        depth + 1,
        f"sent = marshal_texts(space, data, base, todo, {text.size}, counts, {graph.count_size})",
        "out += sent; pos += len(sent)",
    )


# --- from a message to memory -----------------------------------------------------------------


def unmarshal(graph: Outline, modes: tuple[str, ...]) -> Source:
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
        depth = begin_node(s, 2, graph, node)
        emit = {"flat": _unmarshal_flat, "text": _unmarshal_text, "array": _unmarshal_array}[node.kind]
        emit(s, depth, graph, node, mode, modes)
    entry = "kind, slot" if graph.many else "slot"
    s(2, "if not stack: break", f"{entry} = pop()")
    s(1, "else: raise Odd")
    s(1, "return pos, sizes, lie, extent, arrays")
    return s


def _aligned(s: Source, depth: int, align: int, graph: Outline) -> None:
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
    s: Source, depth: int, graph: Outline, node: Node, mode: str, modes: tuple[str, ...]
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
    graph: Outline,
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
        entry = pushed(graph, child, f"{here} + {slot.offset}")
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
        after = [f"slot = {here} + {slot.offset}" if waits else "slot = -1", *went(graph, node, child)]
        s(inner, "; ".join([*after, f"{moved}pos += {fused.wire.size}", "continue"]))
        if slot.plan.is_ref:
            return
    s(depth, store.format(fused.passed(zeros)))
    if wide:
        s(depth, *[push(number) for number in range(len(zeros) - 1, -1, -1)])
    s(depth, f"{moved}pos += {fused.wire.size}")


def _unmarshal_text(
    s: Source, depth: int, graph: Outline, node: Node, mode: str, modes: tuple[str, ...]
) -> None:
    _text_at(s, depth, graph, node)
    _placed(s, depth, mode, "size")
    if mode == NEW:
        s(depth, "mem += data[pos:behind]; mem += fills[size & 7]", f"o += (size + 7 & -8) + {GAP}")
    s(depth, "pos = behind")


def _text_at(s: Source, depth: int, graph: Outline, node: Node) -> None:
    """Let ``pos`` be where the next string begins, ``behind`` where it ends, and ``size`` how many bytes that are."""
    width, step = node.size, graph.count_size
    s.let("counts", Codec(graph.order + UNSIGNED[step] * 3).unpack_from)
    s.let("fills", [bytes((0xCD,)) * (-size % ALIGNMENT + GAP) for size in range(ALIGNMENT)])
    _aligned(s, depth, step, graph)
    s(depth, f"m, first, n = counts(data, pos); pos += {3 * step}")
    _aligned(s, depth, node.plan.wire_align if node.plan.wire_align > step else 1, graph)
    s(depth, f"size = n * {width}; behind = pos + size" if width > 1 else "size = n; behind = pos + n")
    s(
        depth,
        f"if first or not n or n > m or behind > end or data[behind - {width} : behind] != {bytes(width)!r}: raise Odd",
    )


def _unmarshal_array(
    s: Source, depth: int, graph: Outline, node: Node, mode: str, modes: tuple[str, ...]
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
    if mode == NEW:
        s.let("fills", [bytes((0xCD,)) * (-size % ALIGNMENT + GAP) for size in range(ALIGNMENT)])
        s.let("nothing", bytes((0xCD,)) * (ALIGNMENT + GAP))
        s(depth, "fill = fills[size & 7] if size else nothing", f"at = o; o += (size + 7 & -8 or 8) + {GAP}")
    else:
        s(depth, "at = pos")
    if graph.changes(node) if mode == BUFFER else not (node.body.dense and plan.stride == plan.wire_stride):
        _unmarshal_rows(s, depth, graph, node, mode, modes)
    else:
        s(depth, *["mem += data[pos : pos + sent]; mem += fill"] * (mode == NEW), "pos += sent")


def _unmarshal_rows(
    s: Source, depth: int, graph: Outline, node: Node, mode: str, modes: tuple[str, ...]
) -> None:
    """Convert the elements of an array. What their pointers lead to waits, but strings are read at once."""
    assert isinstance(node.plan, ArrayPlan)
    plan, n, gap = node.plan, node.number, node.plan.wire_stride - node.plan.wire_last
    fused, text = Fused(node, graph.pointer_size, graph.order), graph.text_below(node)
    ids = [f"i{number}" for number in range(len(node.ways))]
    s.let(f"rows{n}", Codec(f"{fused.wire.format}{gap}x").iter_unpack)
    s.let(f"pack{n}", Codec(f"{fused.memory.format}{plan.stride - fused.memory.size}x").pack)
    padded = f" + {bytes(gap)!r}" if gap else ""
    s(depth, *["raise Odd"] * (mode == BUFFER and bool(gap)))
    s(depth, "here, pos = pos, pos + sent", "rows, todo = [], []; row, later = rows.append, todo.append")
    s(
        depth,
        f"for {fused.listed(ids)} in rows{n}((data[here:pos]{padded}) if n else b''):",
        *[f"    {test}" for test in fused.tests(sending=False)],
    )
    for number, (slot, child) in enumerate(node.ways):
        inner = depth + 1 + (not slot.plan.is_ref)
        s(depth + 1, *[f"if i{number}:"] * (not slot.plan.is_ref))
        if text is None:
            entry = pushed(graph, child, f"at + {slot.offset}")
            s(inner, f"later(({entry}))" if graph.many else f"later({entry})")
            continue
        _text_at(s, inner, graph, text)
        if modes[child] == NEW:
            s(inner, f"i{number} = o + shift; sized(size); later(data[pos:behind]); later(fills[size & 7])")
            s(inner, f"o += (size + 7 & -8) + {GAP}")
        else:
            s(inner, f"i{number} = buffer + pos; lies(i{number}); extends(size)")
        s(inner, "pos = behind")
    known = ["0"] * len(ids) if text is None else ids
    s(depth + 1, f"row(pack{n}({fused.passed(known)}))", *[f"at += {plan.stride}"] * (text is None))
    if mode == NEW:
        s(depth, "mem += b''.join(rows); mem += fill")
    else:
        s(depth, "mem[here : here + sent] = b''.join(rows)")
    s(depth, "mem += b''.join(todo)" if text else "todo.reverse(); stack += todo")
