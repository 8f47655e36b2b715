"""A picture marks only what changed."""

from rpcmemkit.draw.build import picture
from rpcmemkit.draw.model import Block, Part
from tests.engine.helpers import open_session

UNION = """typedef [switch_type(long)] union { [case(1)] long *a; [case(2)] hyper b; } U;
typedef struct t { long v; long k; [switch_is(k)] U u; } t; void f([in, out] t *t);"""


def marks(routine):
    session = open_session(UNION, routine)
    column = picture(session.call("f", t={"v": 1, "k": 1, "u": {"$case": 1, "$value": 5}})).column("after")
    parts = [
        part
        for item in column.items
        if isinstance(item, Block)
        for part in item.parts
        if isinstance(part, Part)
    ]
    return {field.name: field.was for part in parts for field in part.fields if field.was}


def test_an_unchanged_union_is_not_marked():
    assert marks(lambda call, t: None) == {}


def test_what_changed_beside_it_is():
    def routine(call, t):
        t.v = 2

    assert marks(routine) == {"v": "1"}
