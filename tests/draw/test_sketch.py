"""Sketches: the memory of a call in rows of boxes."""

from __future__ import annotations

import re

import pytest

from rpcmemkit import Environment, Session
from rpcmemkit.call import Call
from rpcmemkit.draw.model import Gap
from rpcmemkit.draw.sketch import Sketch
from rpcmemkit.notebook import sketch
from tests.draw.conftest import freed, never_sent, ring

LIST = """
[ uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e43), pointer_default(unique) ]
interface lists
{
  typedef struct node { long value; struct node *next; } node;
  void Change([in, out] node *head);
}"""


def shorten(nodes: int = 3, **environment: int) -> Call:
    session = Session(LIST, environment=Environment(**environment))

    @session.routine
    def Change(call, head):
        head.next = None

    value = None
    for number in range(nodes, 0, -1):
        value = {"value": number, "next": value}
    return session.call("Change", head=value)


def texts(html: str) -> list[str]:
    """Return what a reader sees, line by line from above, each from the left."""
    found = re.findall(r'<text[^>]* x="([\d.-]+)" y="([\d.-]+)"[^>]*>([^<]*)</text>', html)
    return [text for _, _, text in sorted(found, key=lambda one: (float(one[1]), float(one[0])))]


def test_rows_boxes_and_marks() -> None:
    shown = sketch(shorten())
    said = texts(shown.html)
    assert [title for title in said if title in ("Client before", "Server", "Client after")] == [
        "Client before",
        "Server",
        "Client after",
    ]
    assert said.count("ORPHANED") == 2
    assert "head.next = 0" not in shown.html
    assert "next = null" in said
    assert shown.html.count("stroke-dasharray") == 4  # two orphaned on the client, two leaked on the server


def test_the_text_counts_what_is_alike() -> None:
    shown = sketch(shorten())
    assert "Client before: 3 × block of 16 bytes, allocated by the application" in shown.text
    assert "2 × block of 16 bytes, allocated by the application, ORPHANED" in shown.text
    assert 'role="img"' in shown.html
    assert "2 blocks orphaned" in shown.html


def test_a_brief_sketch_has_a_cell_for_each_value() -> None:
    shown = sketch(shorten(8), brief=True, columns=["before"])
    assert texts(shown.html) == ["Client before", "arguments", *map(str, range(1, 9))]


def test_the_receive_buffer_encloses_what_lies_in_it() -> None:
    said = texts(sketch(shorten(2, server_pointer_size=4), columns=["server"]).html)
    assert "receive buffer, 16 bytes" in said


def test_the_style_may_be_left_out() -> None:
    assert sketch(shorten()).html.startswith("<style>")
    assert not sketch(shorten(), styled=False).html.startswith("<style>")


def test_a_long_list_is_cut() -> None:
    assert any("more blocks" in text for text in texts(sketch(shorten(40), brief=True).html))


@pytest.mark.parametrize("brief", [False, True])
def test_the_same_call_gives_the_same_sketch(brief: bool) -> None:
    assert sketch(shorten(), brief=brief) == sketch(shorten(), brief=brief)


def test_pointers_are_edges_that_graphviz_lays_out() -> None:
    small = Sketch(shorten())
    assert "layout=dot" in small.dot
    assert "pos=" not in small.dot
    arrows = 3 + 2 + 2  # each a line and a head
    assert small.html.count("s-pointer") == 2 * arrows


def test_rows_are_as_wide_as_each_other_and_in_order() -> None:
    html = sketch(shorten()).html
    panels = re.findall(r's-rim" d="M([\d.-]+) ([\d.-]+)H([\d.-]+)V', html)
    assert len(panels) == 3
    assert len({(left, right) for left, _, right in panels}) == 1


def test_a_pointer_back_leaves_the_first_box_on_the_left() -> None:
    said = texts(sketch(ring(), brief=True, columns=["before"]).html)
    assert said == ["Client before", "arguments", "1", "2"]


def test_a_dangling_pointer_says_so() -> None:
    said = texts(sketch(freed(), columns=["server"]).html)
    assert any(text.endswith("DANGLING") for text in said)
    assert "FREED" in said


def test_an_empty_row_says_why() -> None:
    assert texts(sketch(never_sent(), columns=["server"]).html) == ["Server", "Nothing arrived here."]


def test_values_of_one_block_stand_side_by_side() -> None:
    html = sketch(shorten(3, server_pointer_size=4), brief=True, columns=["server"]).html
    heights = re.findall(r' y="([\d.-]+)"[^>]*>[123]<', html)
    assert len(heights) == 3
    assert len(set(heights)) == 1


def test_letters_that_graphviz_cannot_measure_have_room() -> None:
    shown = Sketch(shorten(40), brief=True)
    gap = next(item.text for item in shown.columns[0].items if isinstance(item, Gap))
    assert f'WIDTH="{6 * len(gap) + 6}"' in shown.dot
