"""What could once be broken by hand without a test that noticed."""

import gc
import re
from itertools import combinations

import pytest

from rpcmemkit import IdlError, RpcError, UsageError
from rpcmemkit.contract import contract, sheets
from rpcmemkit.draw import picture
from rpcmemkit.draw.layout import lay_out
from rpcmemkit.draw.palette import COLORS
from rpcmemkit.draw.storage import OWNERS
from rpcmemkit.story import HEAD, TAIL, Sentence, tell
from rpcmemkit.trace import recording
from tests.engine.constructs import CONSTRUCTS
from tests.engine.helpers import NODE, TREE, first, linked, open_session

# --- a story that loses an entry of a list ---

FIELDS = [f"m{index}" for index in range(12)]
WIDE = (
    f"typedef struct {{ {' '.join(f'long *{name};' for name in FIELDS)} }} wide;\nvoid f([in, out] wide *p);"
)


@pytest.mark.parametrize("count", range(1, len(FIELDS) + 1))
def test_a_story_names_everything_or_says_how_much_more(count):
    def routine(call, p):
        for name in FIELDS[:count]:
            setattr(p, name, None)

    story = tell(open_session(WIDE, routine).call("f", p=dict.fromkeys(FIELDS, 7)))
    sentences = [
        part.text for section in story.sections for part in section.parts if isinstance(part, Sentence)
    ]
    lost = next(text.split(". ")[0] for text in sentences if "yours to free" in text and "ORPHANED" in text)
    named = re.findall(r"p->(m\d+)", lost)
    more = re.search(r"… (\d+) more", lost)
    if more is None:
        assert named == FIELDS[:count]
    else:
        assert named == FIELDS[:HEAD] + FIELDS[count - TAIL : count]
        assert int(more[1]) == count - HEAD - TAIL
    assert f"{count} orphaned" in str(story)


# --- every arrow on one side ---


def test_arrows_go_down_on_the_right_and_up_on_the_left():
    ring = {"$label": "top", "$value": {"value": 1, "next": {"value": 2, "next": {"$alias": "top"}}}}
    body = NODE.replace("struct node *next", "[ptr] struct node *next") + "void f([in, out, ptr] node *p);"
    (layout,) = lay_out([picture(open_session(body).call("f", p=ring))])
    sides = {"down": 0, "up": 0}
    for way in (way for way in layout.ways if way.kind == "pointer"):
        (x, start), (_, end) = way.points[0], way.points[-1]
        bulges = max(point[0] for point in way.points) > x
        assert bulges is (end > start), "the way down is on the right"
        sides["down" if end > start else "up"] += 1
    assert all(sides.values())


# --- explain: null before, null after ---


def test_null_before_and_null_after_are_told_as_they_are():
    words = {(True, True): "yes", (True, False): "before", (False, True): "after", (False, False): "no"}
    seen = set()
    bodies = [construct.body for construct in CONSTRUCTS.values()]
    bodies += [
        TREE + "void f([in, unique] node *p, [in, out] node *q, [out] node **r);",
        TREE + "node *f(void);",
    ]
    for body in bodies:
        session = open_session(body)
        told = contract(session.interface, first(session))
        rows = sheets(told).sides[0].rows
        for promise, row in zip(told.promises, rows, strict=True):
            before, after = (
                "null" in cell.outcomes for cell in (promise.client.before, promise.client.after)
            )
            assert row[2].split(" [")[0] == words[before, after], promise.name
            seen.add((before, after))
    assert {(True, True), (False, True), (False, False)} <= seen


@pytest.mark.parametrize(
    ("body", "path", "word"),
    [
        ("void f([in] node *p);", "p->left", "yes"),
        ("node *f(void);", "return", "after"),
        ("void f([in] node *p);", "p", "no"),
    ],
)
def test_what_may_be_null(body, path, word):
    session = open_session(TREE + body)
    rows = sheets(contract(session.interface, "f")).sides[0].rows
    assert next(row[2] for row in rows if row[0] == path).split(" [")[0] == word


# --- [nocancel] ---


def test_nocancel_is_an_attribute_of_dce():
    session = open_session("void f([in] long n);", acf="[nocancel] f();", osf=True)
    assert "nocancel" in session.interface.procedures["f"].attributes
    with pytest.raises(IdlError, match="nocancell"):
        open_session("void f([in] long n);", acf="[nocancell] f();", osf=True)


# --- the garbage collector ---


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_as_it_was(enabled):
    body = NODE + "long f([in] node *p);"
    session = open_session(body, lambda call, p: p.next.next.value)
    was = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        session.call("f", p=linked(3))
        assert gc.isenabled() is enabled
        with pytest.raises(UsageError):
            session.call("f", p={"value": "no number", "next": None})
        assert gc.isenabled() is enabled
        with pytest.raises(RpcError):
            open_session("void f([in] long *p);").call("f", p=None)
        assert gc.isenabled() is enabled
        with recording():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


# --- ink on its ground ---

GROUNDS = ("page", "box", "client", "wire", "server", "part", "changed", *dict.fromkeys(OWNERS))


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize("ground", [ground for ground in GROUNDS if ground in COLORS])
def test_ink_can_be_read_on_its_ground(ground, mode):
    """The contrast that WCAG asks of text, 4.5 to 1, in light and in dark."""
    assert contrast(COLORS["ink"][mode], COLORS[ground][mode]) >= 4.5


@pytest.mark.parametrize("mode", [0, 1])
@pytest.mark.parametrize(
    ("ink", "ground"),
    [
        *(
            (ink, ground)
            for ink in ("soft", "faint")
            for ground in ("page", "box", "client", "wire", "server")
        ),
        ("loud", "alarm"),
        ("loud", "box"),
        ("calm", "glad"),
        ("pointer", "box"),
    ],
)
def test_quieter_and_louder_ink_too(ink, ground, mode):
    assert contrast(COLORS[ink][mode], COLORS[ground][mode]) >= (4.5 if ink != "pointer" else 3)


def test_the_modes_differ():
    for name, ground in combinations(("ink", "page"), 2):
        assert luminance(COLORS[name][0]) < luminance(COLORS[ground][0])
        assert luminance(COLORS[name][1]) > luminance(COLORS[ground][1])
