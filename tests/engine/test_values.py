"""Python values into memory and back: writing, labels, aliases, reading, paths and walking."""

from __future__ import annotations

from typing import Any

import pytest

from rpcmemkit import AddressSpace, Environment, RpcError, Session, UsageError
from rpcmemkit.idl import compile_idl
from rpcmemkit.paths import LONGEST_PATH, path_text, resolve
from rpcmemkit.plan import Planner, StructPlan
from rpcmemkit.reader import Reader
from rpcmemkit.trace import Trace
from rpcmemkit.values import FEW, Labels, Writer, element_count, elements_of, storage_size
from rpcmemkit.walk import Place, pointers_in, reach
from tests.engine.helpers import idl_text, linked, open_session, run

TYPES = """typedef enum { red, green = 5 } colour;
typedef struct node { long value; struct node *next; } node;
typedef [switch_type(char)] union { [case('l')] long l; [case('s')] [string] char *s; [default] ; } u;
typedef struct all {
    boolean t; byte b; char c; wchar_t w; small s; hyper h; float f; double d; colour e;
    char text[4]; byte raw[3]; [string] wchar_t name[6]; long numbers[3]; boolean flags[2]; colour colours[2];
    node *one; node *two; node nodes[2]; char tag; [switch_is(tag)] u body; [string] char *words[2];
    short n; [size_is(n)] short *many; [size_is(n), length_is(2)] node **some;
} all;
typedef union switch (colour which) body { case red: long r; case green: hyper g; default: ; } enc;
typedef struct frame { short n; [size_is(n)] long tail[]; } frame;
typedef struct outer { char c; frame f; } outer;
void f([in] all *p, [in] enc *e, [in] outer *o);"""


class Memory:
    """One value of a type in a client's memory."""

    def __init__(self, name: str = "all", labels: Labels | None = None) -> None:
        interface = compile_idl(idl_text(TYPES), None).interface
        self.plan = Planner().plan(interface.types[name])
        self.space = AddressSpace("client")
        self.address = self.space.add_block(self.plan.size, "application", fill=0)
        self.place = Place(self.plan, self.address, self.address, (None, "x"))
        self.labels = labels
        self.blocks = 0

    def write(self, value: Any) -> None:
        writer = Writer(self.space, self.allocate, self.labels)
        writer.write(self.place, value)
        writer.finish()

    def allocate(self, size: int) -> int:
        self.blocks += 1
        return self.space.add_block(size, "application", fill=0)

    def read(self) -> Any:
        return Reader(self.space, self.labels).read({"x": self.place})["x"]


FULL = {
    "t": True, "b": 255, "c": "é", "w": "Ω", "s": -3, "h": 1 << 40, "f": 0.5, "d": -2.25, "e": 5,
    "text": "abcd", "raw": {"$hex": "0001ff"}, "name": "short", "numbers": [1, -2, 3], "flags": [True, False],
    "colours": [0, 5], "one": {"value": 1, "next": {"value": 2, "next": None}}, "two": None,
    "nodes": [{"value": 3, "next": None}, {"value": 4, "next": None}], "tag": "s",
    "body": {"$case": "s", "$value": "text"}, "words": ["one", None], "n": 3, "many": [7, 8, 9],
    "some": {"$allocated": 3, "$elements": [{"value": 5, "next": None}, None]},
}  # fmt: skip


def test_everything_written_reads_back() -> None:
    memory = Memory()
    memory.write(FULL)
    assert memory.read() == FULL


@pytest.mark.parametrize(
    ("member", "value", "read"),
    [
        ("t", 1, True),
        ("b", "0x10", 16),
        ("h", "-0x10", -16),
        ("c", 65, "A"),
        ("e", "green", 5),
        ("e", "7", 7),
        ("f", 1, 1.0),
        ("text", b"ab", {"$hex": "61620000"}),
        ("text", {"$hex": "00ff"}, {"$hex": "00ff0000"}),
        ("text", ["a", "b", "c", "d"], "abcd"),
        ("text", "toolong", "tool"),
        ("raw", bytearray(b"\1\2"), {"$hex": "010200"}),
        ("numbers", [9], [9, 0, 0]),
        ("numbers", {"$elements": [9]}, [9, 0, 0]),
        ("name", "far too long", "far to"),
    ],
)
def test_ways_to_write(member: str, value: Any, read: Any) -> None:
    memory = Memory()
    memory.write({member: value})
    assert memory.read()[member] == read


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"h": "x"}, "x.h: expected a value of type hyper, got 'x'"),
        ({"h": 1.5}, "x.h: expected a value of type hyper, got 1.5"),
        ({"s": 300}, "x.s: expected a value that fits small, got 300"),
        ({"c": "Ω"}, "x.c: expected a value of type char"),
        ({"c": "ab"}, "x.c: expected a value of type char"),
        ({"numbers": 5}, "x.numbers: expected a list of elements, got 5"),
        ({"numbers": [1, 2, 3, 4]}, "x.numbers: 4 elements for an array of 3"),
        ({"nodes": "x"}, "x.nodes: expected a list of elements"),
        ({"nod": 1}, "x: no member 'nod' in all; did you mean nodes?"),
        ({"qqqq": 1}, "x: no member 'qqqq' in all; there are: t, b, c"),
        ({"one": 5}, "x.one: expected a map of members, got 5"),
        ({"body": 5}, r"x.body: expected {\$case: SELECTOR, \$value: …}, got 5"),
        ({"body": {"$case": "ll"}}, "x.body: expected a case label of the union, got 'll'"),
        ({"one": {"$alias": "nowhere"}}, "x.one: .alias 'nowhere' names no storage"),
        ({"one": {"$label": "L", "$value": None}}, "x.one: expected a value for the labelled storage"),
        ("x" * 100, "x: expected a map of members, got 'x{56}…"),
    ],
)
def test_wrong_values_are_explained(value: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Memory(labels=Labels()).write(value)


def test_handle_takes_no_value() -> None:
    from rpcmemkit.types import Opaque

    plan = Planner().plan(Opaque("handle", "h"))
    space = AddressSpace("client")
    place = Place(plan, space.add_block(8, "stack", fill=0), 0, (None, "h"))
    Writer(space, lambda size: 0).write(place, None)
    assert Reader(space).read({"h": place}) == {"h": 0}
    with pytest.raises(UsageError, match="h: expected nothing"):
        Writer(space, lambda size: 0).write(place, 5)


def test_allocator_that_fails() -> None:
    memory = Memory()
    memory.allocate = lambda size: 0  # type: ignore[method-assign]
    with pytest.raises(MemoryError):
        memory.write({"one": linked(1)})


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"$case": "red", "$value": 7}, {"$case": "red", "$value": 7}),
        ({"$case": 5, "$value": 7}, {"$case": "green", "$value": 7}),
        ({"$case": "default"}, {"$case": "default"}),
        ({"$case": "red"}, {"$case": "red", "$value": 0}),
    ],
)
def test_encapsulated_union(value: Any, read: Any) -> None:
    memory = Memory("enc")
    memory.write(value)
    assert memory.read() == read


# --- aliases and labels ---


@pytest.mark.parametrize(
    "value",
    [
        {"one": {"$label": "L", "$value": linked(1)}, "two": {"$alias": "L"}},
        {"one": {"$alias": "L"}, "two": {"$label": "L", "$value": linked(1)}},
        {"one": linked(1), "two": {"$alias": "x.one"}},
    ],
)
def test_two_names_for_one_piece_of_storage(value: Any) -> None:
    memory = Memory(labels=Labels())
    memory.write(value)
    assert memory.blocks == 1
    name = "x.one" if "L" not in str(value) else "L"
    read = memory.read()
    assert (read["one"], read["two"]) == ({"$label": name, "$value": linked(1)}, {"$alias": name})


def test_one_python_object_is_one_piece_of_storage() -> None:
    memory = Memory()
    node = linked(1)
    memory.write({"one": node, "two": node})
    assert memory.blocks == 1
    assert memory.read()["one"] == {"$label": "s1", "$value": linked(1)}


def test_pointer_may_be_given_as_a_place() -> None:
    memory = Memory()
    memory.write({"one": linked(1)})
    target = next(iter(reach(memory.space, [memory.place]).values()))
    memory.write({"two": target})
    assert memory.read()["two"] == {"$alias": "s1"}


def test_labels() -> None:
    labels = Labels()
    labels.give("L", 100)
    labels.give("L", 100)
    with pytest.raises(UsageError, match="'L' is used twice"):
        labels.give("L", 200)
    labels.call_by_path(200, ((None, "a"), ".b"), "#2")
    labels.call_by_path(100, (None, "other"))
    assert (labels.name(100), labels.name(200), labels.name(300)) == ("L", "a.b#2", None)
    assert (labels.address("L"), labels.address("a.b#2"), labels.address("zzz")) == (100, 200, None)
    twin = labels.copy()
    labels.give("M", 300)
    assert (twin.known(), labels.known()) == (["L", "a.b#2"], ["L", "a.b#2", "M"])


@pytest.mark.parametrize("many", [3, FEW, FEW + 1, 1000])
def test_a_row_of_storage_is_named_as_if_one_by_one(many: int) -> None:
    addresses, asked = range(0x100, 0x100 + 24 * many, 24), []
    paths: list[Any] = [((None, "a"), f"[{number}]") for number in range(many)]

    def make() -> list[Any]:
        asked.append(many)
        return paths

    row, single = Labels(), Labels()
    for labels in (row, single):
        labels.give("first", 0x10)
    row.call_row(addresses, make, "@2")
    assert len(asked) == (many <= FEW), "of many the paths are made when one is asked for"
    for address, path in zip(addresses, paths, strict=True):
        single.call_by_path(address, path, "@2")
    twin = row.copy()
    assert row.known() == single.known()
    assert len(asked) == 1, "once for all of a row"
    for labels in (row, single):
        labels.call_by_path(addresses[1], (None, "again"))
        labels.call_by_path(addresses[-1] + 24, (None, "last"))
    assert row.known() == single.known()
    assert twin.known() == single.known()[:-1]
    assert [row.name(a) for a in (addresses[0], addresses[0] + 1, addresses[-1], 5)] == [
        "a[0]@2",
        None,
        f"a[{many - 1}]@2",
        None,
    ]
    assert (row.address("a[1]@2"), row.address("last"), twin.address("last")) == (
        addresses[1],
        addresses[-1] + 24,
        None,
    )


def test_long_paths_are_cut_and_labels_stay_unique() -> None:
    path = (None, "head")
    for _ in range(2 * LONGEST_PATH):
        path = (path, ".next")  # type: ignore[assignment]
    labels = Labels()
    labels.call_by_path(0x10, path)
    labels.call_by_path(0x20, (path, ".next"))
    assert path_text(path) == "…" + ".next" * LONGEST_PATH
    assert len(set(labels.known())) == 2


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (None, ""),
        ((None, "a"), "a"),
        ((((None, "a"), ".b"), "[2]"), "a.b[2]"),
        (((None, "a"), "*"), "*a"),
        ((((None, "a"), "*"), ".b"), "*a.b"),
    ],
)
def test_path_text(path: Any, text: str) -> None:
    assert path_text(path) == text


# --- sizes ---


def test_storage_sizes() -> None:
    memory = Memory("outer")
    assert isinstance(memory.plan, StructPlan)
    assert storage_size(memory.plan, {"c": "x", "f": {"n": 3, "tail": [1, 2, 3]}}) == 20
    assert storage_size(memory.plan, {"f": {"tail": {"$allocated": 5, "$elements": [1]}}}) == 28
    assert storage_size(memory.plan, {}) == memory.plan.size
    tail = memory.plan.tail
    assert tail is not None
    assert element_count(tail, {"$allocated": 1, "$elements": [1, 2]}) == 2
    assert elements_of(tail, b"12345678") == b"12345678"


# --- paths ---


def _at(memory: Memory, path: str) -> Any:
    place = resolve(memory.space, path, lambda name: memory.place if name in ("x", "$global.x") else None)
    return Reader(memory.space).read({"v": place})["v"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("x.h", 1 << 40),
        ("x.numbers[1]", -2),
        ("x.one.next.value", 2),
        ("x.nodes[1].value", 4),
        ("x.many[2]", 9),
        ("x.some[0].value", 5),
        ("x.words[0]", "one"),
        ("x.body.s", "text"),
        ("$global.x.h", 1 << 40),
    ],
)
def test_paths(path: str, value: Any) -> None:
    memory = Memory()
    memory.write(FULL)
    assert _at(memory, path) == value


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "'' is not a path"),
        ("[1]", "is not a path"),
        ("y", "nothing is called 'y' here"),
        ("x.zzz", "nothing is called '.zzz' there"),
        ("x.h.z", "nothing is called '.z' there"),
        ("x.h[0]", r"nothing is called '\[0\]' there"),
        ("x.one!", "cannot read '!'"),
        ("*x", "there is no pointer to follow"),
        ("x.body.zzz", "the union has no arm 'zzz'"),
    ],
)
def test_wrong_paths_are_explained(path: str, message: str) -> None:
    memory = Memory()
    memory.write(FULL)
    with pytest.raises(UsageError, match=message):
        _at(memory, path)


def test_path_through_null_is_a_fault() -> None:
    from rpcmemkit import MemoryFault

    memory = Memory()
    with pytest.raises(MemoryFault, match=r"x\.one\.value: a null pointer is followed, x\.one$"):
        _at(memory, "x.one.value")


def test_paths_into_an_encapsulated_union() -> None:
    memory = Memory("enc")
    memory.write({"$case": "green", "$value": 9})
    assert (_at(memory, "x.which"), _at(memory, "x.g"), _at(memory, "x.body.g")) == (5, 9, 9)


def test_stars() -> None:
    call = run("void f([in] long **p, [in] long *q);", {"p": 5, "q": 6})
    space = call.space("client after")
    for path, value in (("p", 5), ("*p", 5), ("**p", 5), ("*q", 6)):
        place = resolve(space, path, call.arguments.get)
        assert Reader(space).read({"v": place}) == {"v": value}


# --- walking and reading damaged memory ---


def test_pointers_are_found_in_marshalling_order() -> None:
    memory = Memory()
    memory.write(FULL)
    paths = [path_text(place.path) for place in pointers_in(memory.space, memory.place)]
    assert paths == [
        "x.one", "x.two", "x.nodes[0].next", "x.nodes[1].next", "x.body.s",
        "x.words[0]", "x.words[1]", "x.many", "x.some",
    ]  # fmt: skip


def test_reach_is_depth_first_and_may_be_bounded() -> None:
    memory = Memory()
    memory.write(FULL)
    paths = [path_text(place.path) for place in reach(memory.space, [memory.place]).values()]
    assert paths == ["x.one", "x.one.next", "x.body.s", "x.words[0]", "x.many", "x.some", "x.some[0]"]
    assert reach(memory.space, [memory.place], lambda pointer: False) == {}


def test_damaged_memory_is_read_as_far_as_it_goes() -> None:
    memory = Memory()
    memory.write({**FULL, "some": None})
    places = {place.path: place for place in pointers_in(memory.space, memory.place)}
    one = next(place for path, place in places.items() if path_text(path) == "x.one")
    many = next(place for path, place in places.items() if path_text(path) == "x.many")
    memory.space.drop_block(memory.space.pointer_at(one.address))
    memory.space.set_pointer(many.address, 0x999)
    read = memory.read()
    assert "use after free" in read["one"]["value"]["$fault"]
    assert "null pointer" in read["many"]["$fault"]
    assert len(reach(memory.space, [memory.place])) == 4


def test_size_that_cannot_be() -> None:
    memory = Memory()
    memory.write({"n": 3, "many": [1, 2, 3], "some": [linked(1), None, None]})
    plan = memory.plan
    assert isinstance(plan, StructPlan)
    memory.space.write(memory.address + plan.by_name["n"].offset, (-1).to_bytes(2, "little", signed=True))
    read = memory.read()
    assert "negative-bounds-raise" in read["many"]["$fault"]
    assert "the size is -1" in read["some"]["$fault"]
    assert [path_text(place.path) for place in reach(memory.space, [memory.place]).values()] == [
        "x.many",
        "x.some",
    ]


def test_union_without_arm_has_no_pointers() -> None:
    memory = Memory("enc")
    assert pointers_in(memory.space, memory.place) == []
    assert memory.read() == {"$case": "red", "$value": 0}


def test_unreadable_pointer() -> None:
    memory = Memory()
    lost = memory.place._replace(plan=memory.plan.by_name["one"].plan, address=0x5000)  # type: ignore[attr-defined]
    assert "unmapped" in Reader(memory.space).read({"x": lost})["x"]["$fault"]


def test_client_values_tell_old_from_new() -> None:
    memory = Memory(labels=Labels())
    memory.write({"one": linked(1)})
    made = memory.space.add_block(16, "midl_user", fill=0)
    two = memory.address + memory.plan.by_name["two"].offset  # type: ignore[attr-defined]
    memory.space.set_pointer(two, made)
    assert memory.read()["two"] == {"$new": True, "$value": {"value": 0, "next": None}}
    memory.space.set_pointer(made + 8, made)
    assert memory.read()["two"] == {
        "$new": True,
        "$label": "fresh1",
        "$value": {"value": 0, "next": {"$alias": "fresh1"}},
    }


# --- the trace ---


def test_trace_selects() -> None:
    trace = Trace("p")
    trace.add("allocate", "client", "stub", 1, 2, "r", "d")
    trace.add("free", "server", "routine", 3, 4)
    assert [event.address for event in trace.select("allocate", "free")] == [1, 3]
    assert [event.address for event in trace.select("allocate", "free", side="server")] == [3]
    assert [event.address for event in trace.select("allocate", "free", actor="stub")] == [1]
    assert (len(trace), repr(trace)) == (2, "<Trace of p: 2 events>")


def test_a_ring_of_maps_is_a_ring_in_memory() -> None:
    """A map that leads back to itself is one piece of storage, however the value is stored."""
    ring: dict[str, Any] = {}
    ring["next"] = ring
    session = open_session("typedef struct s { [unique] struct s *next; } s; void f([in] s *x);")
    call = session.try_call("f", {"x": ring})
    place = call.arguments["x"]
    start = session.client.space.pointer_at(place.address)
    assert session.client.space.pointer_at(start) == start
    assert isinstance(call.error, RpcError)
    assert call.error.rule == "unique-no-cycle"


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("size", [4, 8])
def test_a_label_behind_several_pointers_says_whose_it_is(levels: int, size: int) -> None:
    """Two cells that lead to one number are two cells: read and passed again they give the same request."""
    stars = "*" * levels
    head = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(ptr)] interface i"
    idl = f"{head} {{ void f([in, ptr] long {stars}a, [in, ptr] long {stars}b); }}"
    session = Session(idl, None, Environment(server_pointer_size=size))
    one, other = {"$label": "n", "$value": 5}, {"$alias": "n"}
    for level in range(levels - 1):
        one, other = {"$label": f"a{level}", "$value": one}, {"$label": f"b{level}", "$value": other}
    call = session.call("f", a=one, b=other)
    frame = call.trace.snapshots["server entry"].frame
    seen = Reader(call.space("server entry")).read({n: call.server_frame.place(n, frame) for n in "ab"})
    assert session.call("f", **seen).request == call.request
