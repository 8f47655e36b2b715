"""Plans: layout in memory, layout on the wire, and the attribute expressions between them."""

from __future__ import annotations

import pytest

from rpcmemkit import AddressSpace, RpcError, UsageError
from rpcmemkit import types as t
from rpcmemkit.idl import compile_idl
from rpcmemkit.plan import (
    NDR64,
    ArrayPlan,
    ContextPlan,
    OpaquePlan,
    Planner,
    PointerPlan,
    StructPlan,
    UnionPlan,
    names_in,
)
from rpcmemkit.plan.compile import MAX_FUSED, align_up
from rpcmemkit.plan.expressions import compile_expression
from tests.engine.helpers import idl_text

LONG, SHORT, CHAR = (t.BASES[name] for name in ("long", "short", "char"))


def planned(body: str, name: str, planner: Planner | None = None) -> StructPlan:
    """The plan of a named structure of an interface."""
    plan = (planner or Planner()).plan(compile_idl(idl_text(body), None).interface.types[name])
    assert isinstance(plan, StructPlan)
    return plan


@pytest.mark.parametrize(
    ("members", "pointer_size", "offsets", "size", "align"),
    [
        ("char a; long b; char c;", 8, [0, 4, 8], 12, 4),
        ("char a; hyper b;", 8, [0, 8], 16, 8),
        ("char a; long *p; char b;", 8, [0, 8, 16], 24, 8),
        ("char a; long *p; char b;", 4, [0, 4, 8], 12, 4),
        ("short a[3]; struct { char x; double y; } b;", 8, [0, 8], 24, 8),
        ("short n; [size_is(n)] hyper a[];", 8, [0, 8], 8, 8),
        ("__int3264 a; char b;", 4, [0, 4], 8, 4),
        ("__int3264 a; char b;", 8, [0, 8], 16, 8),
        ("enum { x } a; boolean b; wchar_t c;", 8, [0, 4, 6], 8, 4),
    ],
)
def test_c_layout(members: str, pointer_size: int, offsets: list[int], size: int, align: int) -> None:
    plan = planned(f"typedef struct s {{ {members} }} s;\nvoid f([in] s *p);", "s", Planner(pointer_size))
    assert [member.offset for member in plan.members] == offsets
    assert (plan.size, plan.align) == (size, align)


@pytest.mark.parametrize(
    ("members", "dense", "same", "wire_size"),
    [
        ("long a; long b;", True, True, 8),
        ("char a; long b;", False, True, 8),
        ("long a; char b;", False, True, 5),
        ("hyper a; enum { x } b;", False, False, 10),
        ("[range(0, 1)] long a;", False, True, 4),
        ("long *a;", False, False, 4),
    ],
)
def test_flat_body(members: str, dense: bool, same: bool, wire_size: int) -> None:
    body = planned(f"typedef struct s {{ {members} }} s;\nvoid f([in] s *p);", "s").body
    assert body is not None
    assert (body.dense, body.same, body.wire.size) == (dense, same, wire_size)


def test_fields_name_every_value() -> None:
    body = planned(
        "typedef struct i { char a; short b[2]; } i;\ntypedef struct s { i one; i two[2]; long *p; } s;\nvoid f([in] s *x);",
        "s",
    ).body
    assert body is not None
    assert [(field.name, field.wire_offset, field.offset, field.count) for field in body.fields] == [
        (".one.a", 0, 0, 1),
        (".one.b", 2, 2, 2),
        (".two[0].a", 6, 6, 1),
        (".two[0].b", 8, 8, 2),
        (".two[1].a", 12, 12, 1),
        (".two[1].b", 14, 14, 2),
        (".p", 20, 24, 1),
    ]


@pytest.mark.parametrize(
    ("members", "pieces", "tail"),
    [
        ("long n; [size_is(n)] long a[];", ["body", ".a"], 4),
        ("long n; [length_is(n)] long a[4]; hyper h; short s;", ["body", ".a", "body"], None),
        ("[string] char s[4]; short a; hyper h;", [".s", "body", "body"], None),
        ("char a; struct { long n; [size_is(n)] char c[]; } inner;", ["body", ".inner"], 8),
    ],
)
def test_pieces(members: str, pieces: list[str], tail: int | None) -> None:
    plan = planned(f"typedef struct s {{ {members} }} s;\nvoid f([in] s *p);", "s")
    assert [name if body is None else "body" for _, body, _, name in plan.pieces] == pieces
    assert (plan.tail_offset if plan.tail else None) == tail
    assert plan.body is None


@pytest.mark.parametrize(
    ("members", "reusable"),
    [
        ("long a; hyper b;", True),
        ("hyper a; long b;", False),
        ("long n; [size_is(n)] long a[];", True),
        ("long n; [size_is(n)] hyper a[];", True),
        ("hyper h; long n; [size_is(n)] char a[];", True),
        ("enum { x } e; long n; [size_is(n)] long a[];", False),
        ("[range(0, 4)] long n; [size_is(n)] long a[];", False),
        ("long n; [size_is(n), length_is(1)] long a[];", False),
        ("long n; [length_is(n)] long a[4]; long m; [size_is(m)] long b[];", False),
        ("long n; [size_is(n), string] char a[];", False),
        ("struct { long n; [size_is(n)] char c[]; } inner;", False),
    ],
)
def test_reusable(members: str, reusable: bool) -> None:
    assert planned(f"typedef struct s {{ {members} }} s;\nvoid f([in] s *p);", "s").reusable is reusable


def test_long_arrays_are_not_fused() -> None:
    body = "typedef struct p { long a; long *b; } p;\ntypedef struct s { p many[%d]; } s;\nvoid f([in] s *x);"
    assert planned(body % (MAX_FUSED // 2), "s").body is not None
    assert planned(body % (MAX_FUSED // 2 + 1), "s").body is None


def test_structure_of_nothing() -> None:
    plan = Planner().plan(t.Struct("empty"))
    assert (plan.size, plan.body.wire.size) == (0, 0)  # type: ignore[union-attr]


def test_type_may_contain_itself() -> None:
    plan = planned("typedef struct s { struct s *next; } s;\nvoid f([in] s *p);", "s")
    assert plan.members[0].plan.target is plan  # type: ignore[attr-defined]


def test_ndr64_pads_what_ndr20_leaves_open() -> None:
    body = "typedef struct s { hyper h; char c; } s;\ntypedef struct o { s a[2]; char z; } o;\nvoid f([in] o *p);"
    planner = Planner(8, NDR64)
    assert planned(body, "s", planner).body.wire.size == 16  # type: ignore[union-attr]
    assert planned(body, "o", planner).body.wire.size == 40  # type: ignore[union-attr]
    assert planned(body, "o").body.wire.size == 26  # type: ignore[union-attr]


def union(*arms: t.Arm, switch: t.Base = SHORT) -> t.Union:
    return t.Union("u", switch, list(arms))


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        (union(), "union u has no switch_is"),
        (t.Switched(union(), t.Name("t")), "union u: its switch_is has no scope"),
        (t.Opaque("pipe", "P"), "pipe type P cannot be marshalled"),
    ],
)
def test_what_cannot_be_planned(type_: t.Type, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Planner().plan(type_)


def test_handles_have_a_place_only() -> None:
    plan = Planner(4).plan(t.Opaque("handle", "h"))
    assert isinstance(plan, OpaquePlan)
    assert (plan.size, plan.align, plan.wire_align) == (4, 4, 1)


def test_a_context_handle_is_a_token_to_stubs_and_a_pointer_to_routines() -> None:
    handle = t.ContextHandle("c", t.BASES["long"])
    stubs = Planner(8)
    plan, pointer = stubs.plan(handle), stubs.for_routines().plan(handle)
    assert isinstance(plan, ContextPlan)
    assert isinstance(pointer, PointerPlan)
    assert (plan.size, plan.align, plan.wire_align, plan.body) == (8, 8, 4, None)
    assert (pointer.size, pointer.target.type, pointer.is_ref) == (8, t.BASES["long"], False)


@pytest.mark.parametrize(
    "state", [None, t.Struct("unknown"), t.Struct("s", [t.Member("m", t.Opaque("void", "void"))])], ids=repr
)
def test_state_that_is_no_plain_data_is_bytes_without_a_size(state: t.Type | None) -> None:
    pointer = Planner(8).for_routines().plan(t.ContextHandle("c", state))
    assert isinstance(pointer, PointerPlan)
    assert isinstance(pointer.target, ArrayPlan)
    assert pointer.target.unsized


def test_union_layout() -> None:
    arms = [
        t.Arm((1, 2), t.Member("h", t.BASES["hyper"])),
        t.Arm((3,), t.Member("c", CHAR)),
        t.Arm((), None, default=True),
    ]
    plan = Planner().plan(t.EncapsulatedUnion("e", "tag", "body", union(*arms)))
    assert isinstance(plan, UnionPlan)
    assert (plan.arms_offset, plan.size, plan.align, plan.wire_align) == (8, 16, 8, 8)
    names = [arm.name if (arm := plan.arm(tag)) else None for tag in (1, 2, 3, 4)]
    assert names == ["h", "h", "c", ""]


def test_ranged_enumeration_keeps_both_limits() -> None:
    plan = Planner().plan(t.Ranged(t.EnumType("e", {"a": 0}), -5, 99999))
    assert plan.limits == (0, 0x7FFF, 1734, True)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("offset", "alignment", "aligned"), [(0, 8, 0), (1, 8, 8), (8, 8, 8), (9, 4, 12), (5, 1, 5)]
)
def test_align_up(offset: int, alignment: int, aligned: int) -> None:
    assert align_up(offset, alignment) == aligned


# --- expressions ---

A, B, P = t.Name("a"), t.Name("b"), t.Name("p")
SCOPE = t.Struct(
    "s", [t.Member("a", LONG), t.Member("b", SHORT), t.Member("p", t.Pointer(LONG, t.PointerKind.REF))]
)


def evaluate(expr: t.Expr, a: int = 7, b: int = -2, p: int | None = 5) -> int:
    """The value of an expression over ``struct { long a; short b; long *p; }``."""
    plan = Planner().plan(SCOPE)
    assert isinstance(plan, StructPlan)
    space = AddressSpace("client")
    address, target = space.add_block(plan.size, "stack"), space.add_block(4, "stack")
    space.write(address, a.to_bytes(4, "little", signed=True) + b.to_bytes(2, "little", signed=True))
    space.write(target, (p or 0).to_bytes(4, "little", signed=True))
    space.set_pointer(address + 8, target if p is not None else 0)
    return compile_expression(expr, plan)(space, address)


@pytest.mark.parametrize(
    ("op", "value"),
    [
        ("+", 5), ("-", 9), ("*", -14), ("/", -3), ("%", 1), ("<<", 7), (">>", 7), ("&", 6), ("|", -1), ("^", -7),
        ("<", 0), (">", 1), ("<=", 0), (">=", 1), ("==", 0), ("!=", 1), ("&&", 1), ("||", 1),
    ],
)  # fmt: skip
def test_binary(op: str, value: int) -> None:
    assert evaluate(t.Binary(op, A, B)) == value


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        (t.Const(3), 3),
        (t.Unary("+", A), 7),
        (t.Unary("-", A), -7),
        (t.Unary("~", A), -8),
        (t.Unary("!", A), 0),
        (t.Unary("*", P), 5),
        (P, 5),  # claims-notes K21
        (t.Conditional(t.Binary(">", A, B), A, B), 7),
        (t.Conditional(t.Const(0), A, B), -2),
        (t.Binary("/", t.Const(-7), t.Const(-2)), 3),
        (t.Binary("<<", t.Const(1), t.Const(10**9)), 1 << 64),
        (t.Binary(">>", t.Const(8), t.Const(-1)), 8),
    ],
)
def test_expression(expr: t.Expr, value: int) -> None:
    assert evaluate(expr) == value


def test_division_by_zero() -> None:
    for op in "/%":
        with pytest.raises(RpcError, match="division by zero"):
            evaluate(t.Binary(op, A, t.Const(0)))


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (t.Name("zzz"), "not in scope"),
        (t.Unary("*", t.Const(1)), "not in scope"),
        (t.Unary("*", A), "dereferences a, which is no pointer"),
        (None, "cannot evaluate None"),
    ],
)
def test_wrong_expression(expr: t.Expr, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        evaluate(expr)


def test_name_of_something_that_is_no_number() -> None:
    scope = Planner().plan(t.Struct("s", [t.Member("s", t.Struct("inner", [t.Member("a", LONG)]))]))
    assert isinstance(scope, StructPlan)
    with pytest.raises(UsageError, match="names s, which is not a number"):
        compile_expression(t.Name("s"), scope)


def test_names_in_an_expression() -> None:
    assert names_in(t.Conditional(t.Unary("*", P), t.Binary("+", A, t.Const(1)), B)) == {"a", "b", "p"}
    assert names_in(None) == names_in(t.Const(1)) == frozenset()


# --- arrays ---


def test_array_counts_and_ranges() -> None:
    space = AddressSpace("client")

    def of(size: int | None, first: int | None, length: int | None) -> ArrayPlan:
        plan = Planner().plan(t.Array(SHORT))
        assert isinstance(plan, ArrayPlan)
        plan.size_of, plan.first_of, plan.length_of = (
            None if number is None else (lambda space, scope, number=number: number)
            for number in (size, first, length)
        )
        return plan

    assert of(5, None, None).count(space, 0) == 5
    assert [of(5, first, length).range(space, 0, 5) for first, length in [(None, None), (2, None), (-3, 2), (1, 4)]] == [
        (0, 5), (2, 3), (0, 2), (1, 4),
    ]  # fmt: skip
    for plan, rule in ((of(5, 2, 4), "length-within-size"), (of(5, None, -1), "negative-bounds-raise")):
        with pytest.raises(RpcError) as caught:
            plan.range(space, 0, 5)
        assert (caught.value.code, caught.value.rule) == (1734, rule)
    with pytest.raises(RpcError, match="the size is -1"):
        of(-1, None, None).count(space, 0)
    with pytest.raises(RpcError, match="measures itself only as a string"):
        of(None, None, None).count(space, 0)
