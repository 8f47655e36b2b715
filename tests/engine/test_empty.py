"""An array of no elements shares no storage with what lies behind it, in any model, size or transfer syntax."""

import pytest

from rpcmemkit import Audit
from rpcmemkit.draw.build import picture
from rpcmemkit.draw.model import Block
from rpcmemkit.notebook import events_table
from rpcmemkit.scenario.run import Moment
from rpcmemkit.story import tell
from tests.engine.helpers import open_session

ENVIRONMENTS = [
    {},
    {"server_pointer_size": 4},
    {"client_pointer_size": 4, "server_pointer_size": 4},
    {"transfer_syntax": "ndr64"},
    {"osf": True},
]
TYPES = """typedef struct leaf { hyper k; long *below; } leaf;
typedef struct t { long n; long m; [size_is(n)] long *a; [size_is(m)] leaf *b; leaf *c; [string] char *d; } t;
"""
LEAF = {"k": 1, "below": 5}
VALUE = {"n": 0, "m": 0, "a": [], "b": [], "c": LEAF, "d": "x"}
ALL_NODES = "typedef [allocate(all_nodes)] pt;"
MODELS = [
    *((environment, None) for environment in ENVIRONMENTS),
    *((environment, ALL_NODES) for environment in ENVIRONMENTS if not environment.get("osf")),
]


def call_with(body, acf, environment, routine=lambda call, t: None, **arguments):
    session = open_session(TYPES + body, routine, acf, **environment)
    return session.call(next(iter(session.interface.procedures)), **arguments)


@pytest.mark.parametrize(("environment", "acf"), MODELS)
@pytest.mark.parametrize("way", ["in", "in, out"])
def test_nothing_aliases_an_empty_array(environment, acf, way):
    call = call_with(f"typedef t *pt; void f([{way}] pt t);", acf, environment, t=VALUE)
    audit = Audit(call)

    assert Moment.on_entry(call).values() == {"t": VALUE}
    assert "$alias" not in str(Moment.after(call).values())
    assert audit.orphaned == [] or acf
    assert audit.server_leaked == 0
    assert audit.faults == []


@pytest.mark.parametrize(("environment", "acf"), MODELS)
def test_nothing_aliases_an_empty_array_that_comes_back(environment, acf):
    def routine(call, t):
        t[0] = call.new(VALUE)

    call = call_with("typedef t *pt; void f([out] pt *t);", acf, environment, routine)

    assert "$alias" not in str(Moment.after(call).values())
    assert Audit(call).server_leaked == 0
    assert Audit(call).faults == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_two_empty_arrays_at_the_end_are_two(environment):
    body = (
        "void f([in, out] long *n, [in, out, size_is(*n), ptr] long *a, [in, out, size_is(*n), ptr] long *b);"
    )
    call = call_with(body, None, environment, lambda call, n, a, b: None, n=0, a=[], b=[])

    assert Moment.on_entry(call).values() == {"n": 0, "a": [], "b": []}
    assert Audit(call).orphaned == []


def test_a_full_pointer_to_an_empty_array_that_the_client_shares_is_shared():
    body = "void f([in] long n, [in, size_is(n), ptr] long *a, [in, size_is(n), ptr] long *b);"
    empty = {"$label": "empty", "$value": []}
    call = call_with(body, None, {}, lambda call, n, a, b: None, n=0, a=empty, b={"$alias": "empty"})

    assert Moment.on_entry(call).values()["b"] == {"$alias": Moment.on_entry(call).values()["a"]["$label"]}


@pytest.mark.parametrize("size", [24, 25, 32])
def test_empty_arrays_at_the_end_of_a_full_buffer_are_two(size):
    """Neither needs room, and where the buffer ends nothing lies that they could share."""
    body = """typedef struct { long n; [size_is(n), unique] long *a; [size_is(n), unique] long *b; } two;
        void f([in] long size, [out] two *p);"""

    def routine(call, size, p):
        p.n, p.a, p.b = 0, call.new([]), call.new([])

    session = open_session(body, routine, "f([byte_count(size)] p);")
    call = session.call("f", size=size, p={"n": 0, "a": None, "b": None})

    assert call.values["p"] == {"n": 0, "a": [], "b": []}
    assert "$alias" not in str(Moment.after(call).values())
    assert Audit(call).faults == []


def entry_rows(call):
    """Return the table of what the routine finds: pointer, where it leads, bytes, address, rule."""
    section = next(each for each in tell(call).sections if each.heading.startswith("On entry"))
    return {row[0]: row for table in section.parts if hasattr(table, "rows") for row in table.rows}


@pytest.mark.parametrize(
    "environment", [each for each in (*ENVIRONMENTS, {"byte_order": "big"}) if "osf" not in each]
)
def test_an_empty_array_in_the_buffer_has_no_bytes_and_lies_behind_its_count(environment):
    """Its address is that of what follows: where both lie in a real message."""
    seen = []

    def routine(call, n, a, b):
        seen.append(repr(a))
        b[0] = 8

    body = "void f([in] long n, [in, size_is(n)] long *a, [in, out] long *b);"
    call = call_with(body, None, environment, routine, n=0, a=[], b=7)
    rows = entry_rows(call)
    address = rows["b"][3]
    parts = {
        part.label: part
        for item in picture(call).column("server").items
        if isinstance(item, Block)
        for part in item.parts
    }

    assert rows["a"][2:4] == ("0", address)
    assert rows["b"][2] == "4"
    assert [f"{parts[name].address:#x}" for name in "ab"] == [address, address]
    assert seen == [f"<a at {address}: []>"]
    assert f"{int(address, 16) - 1:#x}" not in str(events_table(call))


def test_writing_to_an_empty_array_in_the_buffer_is_told_where_it_lies():
    def routine(call, n, a, b):
        a[0] = 1

    body = "void f([in] long n, [in, size_is(n)] long *a, [in] long *b);"
    session = open_session(body, routine)
    call = session.try_call("f", {"n": 0, "a": [], "b": 7})

    assert "at 0x40000008, 4 bytes past the end of a, which has 0 bytes" in str(call.error)


@pytest.mark.parametrize("environment", [each for each in ENVIRONMENTS if "osf" not in each])
def test_an_empty_array_in_a_block_of_many_has_no_bytes(environment):
    call = call_with("typedef t *pt; void f([in] pt t);", ALL_NODES, environment, t=VALUE)
    rows = entry_rows(call)

    assert [rows[name][2] for name in ("t->a", "t->b", "t->d")] == ["0", "0", "2"]
