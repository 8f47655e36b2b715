"""Sketches: the memory of a call in rows of boxes."""

from __future__ import annotations

import re

import pytest

from rpcmemkit import Environment, Session
from rpcmemkit.call import Call
from rpcmemkit.notebook import sketch

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
    return re.findall(r"<text[^>]*>([^<]*)</text>", html)


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
    assert "Client before: 3 × block of 16 octets, allocated by the application" in shown.text
    assert "2 × block of 16 octets, allocated by the application, ORPHANED" in shown.text
    assert 'role="img"' in shown.html
    assert "2 blocks orphaned" in shown.html


def test_a_brief_sketch_has_a_cell_for_each_value() -> None:
    shown = sketch(shorten(8), brief=True, columns=["before"])
    assert texts(shown.html) == ["Client before", "arguments", *map(str, range(1, 9))]


def test_the_receive_buffer_encloses_what_lies_in_it() -> None:
    said = texts(sketch(shorten(2, server_pointer_size=4), columns=["server"]).html)
    assert "receive buffer, 16 octets" in said


def test_the_style_may_be_left_out() -> None:
    assert sketch(shorten()).html.startswith("<style>")
    assert not sketch(shorten(), styled=False).html.startswith("<style>")


def test_a_long_list_is_cut() -> None:
    assert any("more blocks" in text for text in texts(sketch(shorten(40), brief=True).html))


@pytest.mark.parametrize("brief", [False, True])
def test_the_same_call_gives_the_same_sketch(brief: bool) -> None:
    assert sketch(shorten(), brief=brief) == sketch(shorten(), brief=brief)
