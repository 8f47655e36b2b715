"""Paths: one grammar, read as files and as C write it, printed in both ways, and the same place behind every text."""

import re

import pytest
from hypothesis import given

from rpcmemkit import Session, UsageError
from rpcmemkit.paths import c_text, parse, path_text, resolve
from rpcmemkit.plan import PointerPlan
from rpcmemkit.walk import pointers_in, reach
from tests.engine.constructs import CONSTRUCTS
from tests.engine.helpers import first, idl_text, open_session
from tests.strategies import cases, thorough

TYPES = """
typedef struct node { long value; struct node *next; boolean **deep; } node;
typedef struct { [string] char *name; node row[2]; } rec;
typedef [switch_type(long)] union { [case(1)] node *n; [default] ; } either;
typedef union switch (long tag) body { case 1: node *n; } boxed;
typedef struct {
    long n; [size_is(n)] node *rows; [size_is(, n)] node **table; node *(*three)[3]; [size_is(n)] node *made[];
} wide;
typedef struct { long tag; [switch_is(tag)] either u; boxed b; } choice;
void f([in] node *p, [in] node **pp, [in] node byvalue, [in] long n, [in, size_is(n)] node *items,
       [in, size_is(, n)] rec **recs, [in] node *(*three)[3], [in] node *array[2], [in] wide *w, [in] choice *c);
"""
NODE = {"value": 1, "next": {"value": 2, "next": None, "deep": None}, "deep": True}
REC = {"name": "x", "row": [NODE, NODE]}
ARGUMENTS = {
    "p": NODE,
    "pp": NODE,
    "byvalue": NODE,
    "n": 2,
    "items": [NODE, NODE],
    "recs": [REC, REC],
    "three": [NODE, None, NODE],
    "array": [NODE, NODE],
    "w": {
        "n": 2,
        "rows": [NODE, NODE],
        "table": [NODE, NODE],
        "three": [NODE, NODE, NODE],
        "made": [NODE, NODE],
    },
    "c": {"tag": 1, "u": {"$case": 1, "$value": NODE}, "b": {"$case": 1, "$value": NODE}},
}


@pytest.fixture(scope="module")
def call():
    return Session(idl_text(TYPES)).call("f", **ARGUMENTS)


def places(call, moment="client after"):
    """Every pointer, and every piece of storage, that the arguments lead to."""
    space = call.space(moment)
    roots = list(call.arguments.values())
    storage = [place for place in reach(space, roots).values() if space.capacity(place.address)]
    for place in (*roots, *storage):
        if isinstance(place.plan, PointerPlan):
            yield space, place
        else:
            yield from ((space, pointer) for pointer in pointers_in(space, place))


def steps(path):
    """The parts of a path one by one: a plan keeps those of a flat structure together."""
    texts = []
    while path is not None:
        path, part = path
        texts = re.findall(r"\.?[$\w]+|\[\d+\]|\*", part) + texts
    return texts


def check(call):
    """Each printed form leads back to the place, and to no other."""
    met = {}
    for space, place in places(call):
        for text in {path_text(place.path), c_text(place.path)}:
            if "…" in text:
                continue
            again = resolve(space, text, call.arguments.get)
            assert (again.address, steps(again.path)) == (place.address, steps(place.path)), text
            assert again.plan is place.plan, text
            assert met.setdefault(text, place.address) == place.address, text
        assert "…" in path_text(place.path) or steps(parse(path_text(place.path))) == steps(place.path)


def test_every_place_has_texts_that_lead_to_it(call):
    check(call)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_every_construct(name):
    construct = CONSTRUCTS[name]
    session = open_session(construct.body, construct.routine)
    check(session.try_call(first(session), construct.arguments))


@thorough(60)
@given(cases())
def test_random_calls(case):
    for outcome in case.run(case.environment)[1]:
        check(outcome.call)


@pytest.mark.parametrize(
    ("path", "in_c"),
    [
        ("p.next.deep", "p->next->deep"),
        ("byvalue.next", "byvalue.next"),
        ("*pp", "*pp"),
        ("*pp.next", "(*pp)->next"),
        ("*(p.deep)", "*(p->deep)"),
        ("*((*pp).deep)", "*((*pp)->deep)"),
        ("items[1].next", "items[1].next"),
        ("*recs[1].row[0].next", "(*recs)[1].row[0].next"),
        ("three[2].next", "(*three)[2]->next"),
        ("array[1].next", "array[1]->next"),
        ("w.rows[1].next", "w->rows[1].next"),
        ("*(w.table)[1].next", None),
        ("(*(w.table))[1].next", "(*(w->table))[1].next"),
        ("w.three[1].next", "(*(w->three))[1]->next"),
        ("w.made[1].next", "w->made[1]->next"),
        ("c.u.n.next", "c->u.n->next"),
        ("c.b.n.next", "c->b.body.n->next"),
    ],
)
def test_both_forms(call, path, in_c):
    """The format's, and C's; what could be read in two ways is refused."""
    space = call.space("client after")
    if in_c is None:
        with pytest.raises(UsageError, match="needs parentheses"):
            resolve(space, path, call.arguments.get)
        return
    place = resolve(space, path, call.arguments.get)
    assert (path_text(place.path), c_text(place.path)) == (path, in_c)
    assert resolve(space, in_c, call.arguments.get) == place


@pytest.mark.parametrize(
    ("loose", "strict"),
    [
        ("*p.deep", "*(p.deep)"),
        ("*p.next", "p.next"),
        ("(*p).deep", "p.deep"),
        ("*pp.deep", "(*pp).deep"),
        ("**pp.deep", "*((*pp).deep)"),
        ("pp.deep", "(*pp).deep"),
        ("*byvalue.deep", "*(byvalue.deep)"),
        ("*recs[0].name", "(*recs)[0].name"),
        ("*w.table[1].deep", "(*(w.table))[1].deep"),
    ],
)
def test_a_star_in_front_belongs_to_the_first_pointer_to_a_pointer(call, loose, strict):
    space = call.space("client after")
    assert resolve(space, loose, call.arguments.get) == resolve(space, strict, call.arguments.get)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "write name"),
        ("*", "write name"),
        ("p.", "cannot read"),
        ("p->", "cannot read"),
        ("p[", "cannot read"),
        ("p[--1]", "cannot read"),
        ("p q", "cannot read"),
        ("(p", "not closed"),
        ("p)", "cannot read"),
        ("*p->m", "needs parentheses"),
        ("(" * 500 + "p", "too many parentheses"),
        ("**p.next", "no pointer to follow"),
        ("*n", "no pointer to follow"),
        ("nobody.next", "nothing is called 'nobody'"),
        ("p.nobody", "nothing is called '.nobody'"),
    ],
)
def test_what_is_no_path_says_why(call, path, why):
    with pytest.raises(UsageError, match=why):
        resolve(call.space("client after"), path, call.arguments.get)
