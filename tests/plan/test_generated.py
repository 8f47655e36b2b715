"""Generated code: the source of small types, read as a person would."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit.idl import compile_idl
from rpcmemkit.plan import NDR64, Planner, PointerPlan
from rpcmemkit.plan.generated import BUFFER, NEW, Graph, graph_of, messages
from tests.engine.helpers import NODE, TREE, idl_text

WIDE = "typedef struct item { short v; [string] wchar_t *name; } item;\n"
SIZED = "typedef struct item { long n; [size_is(n)] hyper *of; } item;\n"

MARSHAL_A_LIST = """\
def marshal(space, data, base, a, scope, out, number, limit, budget):
    pos = len(out)
    stack = []; push, pop = stack.append, stack.pop
    met = []; meet = met.append
    extents = []; extend = extents.append
    texts = []; meet_text = texts.append
    lengths = []; measure = lengths.append
    pad = -pos % 4; out += ZEROS[:pad]; pos += pad
    for _ in repeat(None, limit):
        v0, p0, = unpack0(data, a - base)
        meet(a)
        if p0:
            out += pack0(v0, number); number += 4
            pos += 8; a = p0; continue
        out += pack0(v0, 0)
        pos += 8
        if not stack: break
        a, slot = pop()
        put(out, slot, number)
        number += 4
    else: raise Odd
    if pos > budget: raise Odd
    return number, met, 16, texts, lengths
"""
UNMARSHAL_A_LIST = """\
def unmarshal(data, pos, mem, shift, buffer, limit):
    end, o = len(data), len(mem)
    stack = []; push, pop = stack.append, stack.pop
    slot = -1
    sizes = []; sized = sizes.append
    lie, extent = [], []; lies, extends = lie.append, extent.append
    arrays = []
    pos += -pos % 4
    for _ in repeat(None, limit):
        v0, i0, = unpack0(data, pos)
        sized(16)
        if slot >= 0: put(mem, slot, o + shift)
        if i0:
            mem += pack0(v0, o + shift + 24, gap0)
            slot = -1; o += 24; pos += 8; continue
        mem += pack0(v0, 0, gap0)
        o += 24; pos += 8
        if not stack: break
        slot = pop()
    else: raise Odd
    return pos, sizes, lie, extent, arrays
"""
FIND_IN_A_LIST = """\
def find(space, data, base, a, scope, limit):
    stack = []; push, pop = stack.append, stack.pop
    met = []; meet = met.append
    extents = []; extend = extents.append
    for _ in repeat(None, limit):
        p0, = unpack0(data, a - base)
        meet(a)
        if p0:
            a = p0; continue
        if not stack: break
        a = pop()
    else: raise Odd
    return met, 16
"""
READ_A_LIST = """\
def read(space, data, base, a, scope, holder, key, Record, elements, limit):
    stack = []; push, pop = stack.append, stack.pop
    met = []; meet = met.append
    extents = []; extend = extents.append
    for _ in repeat(None, limit):
        v0, q0, = unpack0(data, a - base)
        meet(a); extend(16)
        holder[key] = (h0 := Record({'value': v0, 'next': None}))
        if q0: a, holder, key = q0, h0, 'next'; continue
        if not stack: break
        a, holder, key = pop()
    else: raise Odd
    return met, extents
"""
WIDE_TEXT_IS_MARSHALLED = """\
        elif kind == 1:  # <array [string] of <wchar_t>>
            o = a - base; end = data.find(b'\\x00\\x00', o) if o >= 0 else -1
            while end >= 0 and end - o & 1:
                end = data.find(b'\\x00\\x00', end + 1) if data[end + 2] else end + 1
            if end < 0: raise Odd
            end += 2; size = end - o; meet_text(a); measure(size)
            if pos % 4:
                pad = -pos % 4; out += ZEROS[:pad]; pos += pad
            n = size // 2
            out += counts(n, 0, n); out += data[o:end]
            pos += 12 + size
"""
WIDE_TEXT_IS_UNMARSHALLED = """\
        elif kind == 1:  # <array [string] of <wchar_t>>
            pos += -pos % 4
            m, first, n = counts(data, pos); pos += 12
            size = n * 2; behind = pos + size
            if first or not n or n > m or behind > end or data[behind - 2 : behind] != b'\\x00\\x00': raise Odd
            sized(size)
            if slot >= 0: put(mem, slot, o + shift)
            mem += data[pos:behind]; mem += fills[size & 7]
            o += (size + 7 & -8) + 8
            pos = behind
"""
WIDE_TEXT_IS_WRITTEN = """\
            if type(value) is not str: raise Odd
            text = value.encode('utf-16-le', 'surrogatepass') + b'\\x00\\x00'
            size = len(text); sized(size)
"""
ARRAY_IS_UNMARSHALLED = """\
        elif kind == 1:  # <array [sized] of <hyper>>
            pos += -pos % 4
            n, = one(data, pos); pos += 4
            pos += -pos % 8
            size, sent = n * 8, n * 8
            if pos + sent > end: raise Odd
            if slot >= 0: arrays.append((1, slot + shift - 8, n))
            sized(size)
            if slot >= 0: put(mem, slot, o + shift)
            fill = fills[size & 7] if size else nothing
            at = o; o += (size + 7 & -8 or 8) + 8
            mem += data[pos : pos + sent]; mem += fill
            pos += sent
"""


def pointer_to(body: str, name: str, **planned: Any) -> PointerPlan:
    """The plan of a pointer to a named structure."""
    procedures = compile_idl(idl_text(f"{body}void f([in] {name} *a);"), None).interface.procedures
    plan = Planner(**planned).plan(procedures["f"].parameters[0].type)
    assert isinstance(plan, PointerPlan)
    return plan


def graph_to(body: str, name: str, **planned: Any) -> Graph:
    graph = graph_of(pointer_to(body, name, **planned))
    assert graph is not None
    return graph


@pytest.mark.parametrize("source", [MARSHAL_A_LIST, UNMARSHAL_A_LIST, FIND_IN_A_LIST, READ_A_LIST])
def test_the_source_for_a_list(source: str) -> None:
    assert source in repr(graph_to(NODE, "node"))


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (WIDE, WIDE_TEXT_IS_MARSHALLED),
        (WIDE, WIDE_TEXT_IS_UNMARSHALLED),
        (WIDE, WIDE_TEXT_IS_WRITTEN),
        (SIZED, ARRAY_IS_UNMARSHALLED),
    ],
)
def test_the_source_for_text_and_arrays(body: str, source: str) -> None:
    assert source in repr(graph_to(body, "item"))


def test_a_graph_shows_its_five_functions() -> None:
    lines = [line for line in repr(graph_to(TREE, "node")).splitlines() if line.startswith("def ")]
    assert [line[4:].partition("(")[0] for line in lines] == ["marshal", "unmarshal", "find", "write", "read"]


def test_what_cannot_be_written_from_python_in_one_go_is_not_shown() -> None:
    graph = graph_to("typedef struct item { short v[2]; struct item *next; } item;\n", "item")
    assert graph.write is None
    assert graph.read is not None
    assert "def write" not in repr(graph)


def test_a_pointers_plan_says_that_there_is_one() -> None:
    plain, other = pointer_to(NODE, "node"), pointer_to("typedef struct u { [ptr] long *p; } u;\n", "u")
    assert (graph_of(plain) is not None, graph_of(other)) == (True, None)
    assert repr(plain).endswith("moves whole, by the code that its graph shows>")
    assert "whole" not in repr(other)


def test_the_source_follows_pointer_size_syntax_and_byte_order() -> None:
    assert "mem += pack0(v0, o + shift + 16, gap0)" in repr(graph_to(NODE, "node", pointer_size=4))
    assert "pos += 16; a = p0; continue" in repr(graph_to(NODE, "node", syntax=NDR64))
    assert graph_to(NODE, "node", big_endian=True).order == ">"


def test_what_stays_in_the_buffer_is_neither_copied_nor_counted_as_a_block() -> None:
    graph = graph_to(WIDE, "item")
    source = messages.unmarshal(graph, (NEW, BUFFER)).text
    text = source[source.index("kind == 1") :]
    assert "lies(buffer + pos); extends(size)" in text
    assert "sized" not in text
    assert "mem +=" not in text


def test_each_function_is_made_once() -> None:
    graph = graph_to(NODE, "node")
    assert graph.marshal is graph.marshal
    assert graph.unmarshal((NEW,)) is graph.unmarshal((NEW,))
    assert graph.unmarshal((NEW,)) is not graph.unmarshal((BUFFER,))
