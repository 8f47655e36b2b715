"""What MIDL decided for 797 parameters of real interfaces, and what the library decides for declarations of their shape.

``facts.yaml`` holds plain facts that were read from generated stubs: of each parameter its direction, its pointers from
the outside in, what the innermost points to, and three flags of its descriptor (parameter-descriptors.md). A declaration
of the same shape is written for each, compiled, and asked. Nothing here knows a row.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from rpcmemkit import compile_idl
from rpcmemkit.plan import (
    NDR20,
    NDR64,
    ArrayPlan,
    BasePlan,
    ContextPlan,
    PipePlan,
    Plan,
    Planner,
    PointerPlan,
    StructPlan,
    Syntax,
    UnionPlan,
    align_up,
)
from rpcmemkit.stubs.decisions import STUB, Above, Reading, inbound, provided
from rpcmemkit.stubs.frame import Frame, Procedures
from rpcmemkit.types import EnumType

FACTS = yaml.safe_load(Path(__file__).with_name("facts.yaml").read_text("utf-8"))
UUID = "uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)"
BASES = {
    "char": "char",
    "short": "short",
    "long": "long",
    "hyper": "hyper",
    "float": "float",
    "double": "double",
    "wchar": "wchar_t",
    "uint3264": "unsigned __int3264",
    "int3264": "__int3264",
    "enum16": "E",
    "enum32": "V",
    "context handle": "H",
    "pipe": "PIPE",
    "wide string": "wchar_t",
    "string": "char",
}
PIPE_STACK = 16
"""What MIDL reserves for an [out] pipe, whatever its elements are."""


# --- declarations of a shape ------------------------------------------------------------------


def types_for(to: str, pointer_size: int) -> str:
    """Return the type definitions that a shape needs; what the innermost pointer points to is called T."""
    size = int(found.group()) if (found := re.search(r"\d+(?= bytes)", to)) else 0
    common = "typedef enum { A } E; typedef [v1_enum] enum { B } V; typedef [context_handle] void *H; typedef pipe char PIPE;"
    if to.startswith("struct"):
        return f"{common} typedef struct {{ {members(to, size, pointer_size)} }} T;"
    if to.startswith("union"):
        return f"{common} typedef [switch_type(long)] union {{ [case(1)] byte a[{size}]; [default] ; }} T;"
    if to == "array complex":
        return f"{common} typedef E T;"
    if to == "array conformant":
        return f"{common} typedef long T;"
    if to == "range long":
        return f"{common} typedef [range(0, 9)] long T;"
    return f"{common} typedef {BASES[to]} T;" if to not in {"context handle", "pipe"} else common


def members(to: str, size: int, pointer_size: int) -> str:
    if "simple with pointers" in to:
        return f"[unique] long *p; {filler(size - pointer_size)}"
    if "conformant" in to:
        return f"short n; {filler(size - 2)} [size_is(n)] short tail[];"
    if "complex" in to:
        held = pointer_size if size % pointer_size == 0 and size >= pointer_size + 4 else 0
        return f"{'[unique] long *p;' * bool(held)} E e; {filler(size - held - 4)}"
    return filler(size)


def filler(size: int) -> str:
    return f"byte rest[{size}];" if size else ""


def declaration(row: dict[str, Any]) -> str:
    """Return the parameters that a row's shape needs, the one in question last and called p."""
    to, pointers = row["to"], [kind.removesuffix("-object") for kind in row["pointers"]]
    attributes, before = list(row["dir"]), ""
    name = {"context handle": "H", "pipe": "PIPE"}.get(to, "T")
    if "string" in to:
        attributes.append("string")
    if to.startswith("array"):
        attributes.append(f"size_is({',' * max(len(pointers) - 1, 0)}n)")
        before = "[in] long n, "
    if to.startswith("union"):
        attributes.append("switch_is(n)")
        before = "[in] long n, "
    if pointers and "context" not in to:
        attributes.append(pointers[0])
    tail = "[]" if to.startswith("array") and not pointers else ""
    return f"{before}[{', '.join(attributes)}] {name} {'*' * len(pointers)}p{tail}"


def compiled(interface: dict[str, Any], row: dict[str, Any], syntax: Syntax = NDR20) -> Frame:
    """Return a procedure with a parameter of a row's shape, compiled with the interface's pointer size."""
    size = interface["pointer_size"]
    return compiled_once(types_for(row["to"], size), declaration(row), interface["object"], size, syntax)


@cache
def compiled_once(types: str, parameters: str, is_object: bool, size: int, syntax: Syntax) -> Frame:
    kind, handle = ("object, ", "") if is_object else ("", "[in] handle_t h, ")
    head = f"[{kind}{UUID}, pointer_default(unique)] interface i"
    text = f"{head} {{ {types} long f({handle}{parameters}); }}"
    return Procedures(compile_idl(text).interface, Planner(size, syntax))["f"]


# --- what the library makes of them -----------------------------------------------------------


def chain(plan: Plan) -> tuple[list[str], Plan]:
    """Return the pointers of a parameter from the outside in, and what the innermost points to."""
    found = []
    while isinstance(plan, PointerPlan):
        found.append(f"{plan.type.kind.value}-object" if plan.is_object else plan.type.kind.value)
        plan = plan.target
    return found, plan


def is_base(plan: Plan) -> bool:
    """Whether the interpreter's own loop moves it: not a base type with a [range]."""
    limited = isinstance(plan, BasePlan) and plan.limits is not None and not isinstance(plan.type, EnumType)
    return isinstance(plan, BasePlan) and not limited


def stack(plan: Plan, is_in: bool, is_out: bool) -> int:
    """Return the bytes of the server interpreter's stack that a parameter's referent takes: ServerAllocSize."""
    target = chain(plan)[1]
    if isinstance(target, PipePlan):
        return PIPE_STACK if is_out and not is_in else 0
    if not isinstance(plan, PointerPlan) or isinstance(plan.target, ContextPlan):
        return 0
    reading = Reading()
    decided = inbound(plan, Above().at(plan), reading) if is_in else provided(plan, reading)
    return align_up(plan.target.size, 8) if decided.where == STUB else 0


def must_free(plan: Plan) -> bool:
    """MustFree: there is more to release than the parameter itself, or what a reference to a base type points to."""
    by_reference = isinstance(plan, PointerPlan) and plan.is_ref
    target = plan.target if by_reference else plan
    return not isinstance(target, BasePlan | ContextPlan | PipePlan)


def must_size(plan: Plan) -> bool:
    """MustSize: how much is marshalled depends on the data, or is more than one copy of a fixed structure."""
    target = plan.target if isinstance(plan, PointerPlan) else plan
    if isinstance(target, BasePlan | ContextPlan | PipePlan):
        return False
    flat = isinstance(target, StructPlan) and target.reusable and target.body and not target.body.slots
    return not flat


def shape(plan: Plan, told: str) -> str:
    """Return what the innermost pointer points to, in the words of the facts."""
    match plan:
        case StructPlan():
            words = "simple" if plan.reusable else "complex"
            words += " conformant" if plan.reusable and plan.tail else ""
            words += " with pointers" if plan.reusable and plan.body and plan.body.slots else ""
            return f"struct {words}, {plan.size} bytes"
        case UnionPlan():
            return f"union, {plan.size} bytes"
        case ArrayPlan(is_string=True):
            return "wide string" if plan.stride == 2 else "string"
        case ArrayPlan():
            return f"array {'conformant' if plan.reusable else 'complex'}"
        case ContextPlan():
            return "context handle"
        case PipePlan():
            return "pipe"
    assert isinstance(plan, BasePlan)
    return told if BASES.get(told) == plan.type.name or told in {"enum16", "range long"} else plan.type.name


def rows() -> list[tuple[dict[str, Any], str, dict[str, Any]]]:
    return [
        (interface, procedure["name"], row)
        for interface in FACTS
        for procedure in interface["procedures"]
        for row in procedure["parameters"]
    ]


def disagreements(interface: dict[str, Any], row: dict[str, Any], syntax: Syntax = NDR20) -> list[str]:
    frame = compiled(interface, row, syntax)
    plan, parameter = frame.plan.by_name["p"].plan, frame.procedure.parameters[-1]
    pointers, target = chain(plan)
    as_array = row["to"].startswith("array") and not row["pointers"]
    is_in, is_out = parameter.is_in, parameter.is_out
    found = {
        "dir": [name for name, given in (("in", is_in), ("out", is_out)) if given],
        "pointers": pointers[1:] if as_array else pointers,
        "to": shape(target, row["to"]),
        "srv_alloc": stack(plan, is_in, is_out),
        "must_free": must_free(plan),
        "must_size": must_size(plan),
    }
    return [f"{key}: {row[key]}, not {value}" for key, value in found.items() if row[key] != value]


@pytest.mark.claims("M-107", "M-217", "M-306")
@pytest.mark.parametrize(
    "interface", FACTS, ids=lambda interface: f"{interface['interface']}-{interface['pointer_size']}"
)
def test_library_decides_as_midl_did(interface: dict[str, Any]) -> None:
    found = {
        f"{procedure['name']}({row['name']})": wrong
        for procedure in interface["procedures"]
        for row in procedure["parameters"]
        if (wrong := disagreements(interface, row))
    }
    assert not found


def test_all_parameters_are_there() -> None:
    assert len(rows()) == 797
    sizes = Counter(interface["pointer_size"] for interface, _, _ in rows())
    assert min(sizes.values()) > 200


@pytest.mark.parametrize(("size", "syntax"), [(4, NDR20), (8, NDR20), (4, NDR64), (8, NDR64)])
def test_the_stack_is_the_same_for_both_syntaxes(size: int, syntax: Syntax) -> None:
    """The flag of the NDR64 descriptor agrees with ServerAllocSize in 311 of 311 parameters."""
    for interface, _, row in rows():
        if row["dir"] == ["out"] and not row["to"].startswith(("struct", "union")):
            frame = compiled({**interface, "pointer_size": size}, row, syntax)
            assert stack(frame.plan.by_name["p"].plan, False, True) == row["srv_alloc"]


@pytest.mark.parametrize(("size", "where"), [(1, 8), (48, 48), (49, 56), (56, 56), (57, 0), (60, 0)])
def test_fixed_structures_of_up_to_56_bytes_lie_on_the_stack(size: int, where: int) -> None:
    for pointer_size in (4, 8):
        row = {"to": f"struct simple, {size} bytes", "dir": ["out"], "pointers": ["ref"]}
        frame = compiled({"object": False, "pointer_size": pointer_size}, row)
        assert stack(frame.plan.by_name["p"].plan, False, True) == where


@pytest.mark.parametrize(
    ("size", "syntax", "reading", "stays"),
    [
        (4, NDR20, "midl", True),
        (8, NDR20, "midl", False),
        (8, NDR20, "wine", True),
        (8, NDR64, "midl", True),
        (4, NDR64, "midl", True),
    ],
)
def test_conformant_array_of_flat_structures(size: int, syntax: Syntax, reading: str, stays: bool) -> None:
    """Complex in the NDR 2.0 stubs of 64-bit programs alone; a [range] on the count changes nothing."""
    text = f"""[{UUID}] interface i {{ typedef struct {{ long a; long b; }} flat;
        typedef struct {{ long n; [size_is(n)] flat tail[]; }} open;
        typedef struct {{ [range(0, 9)] long n; long m; [size_is(m), range(0, 9)] long tail[]; }} limited;
        typedef struct {{ long m; [size_is(m), range(0, 9)] long tail[]; }} bounded;
        void f([in] handle_t h, [in] long n, [in, size_is(n)] flat *a, [in] open *s, [in] limited *l, [in] bounded *b, [in] flat x[3]); }}"""
    members = Procedures(compile_idl(text).interface, Planner(size, syntax, reading=reading))[
        "f"
    ].plan.by_name
    targets = {name: member.plan.target.reusable for name, member in members.items() if name in "aslbx"}
    assert targets == {"a": stays, "s": stays, "l": False, "b": True, "x": True}
