"""Quizzes: the call decides which answer is right, and a question that does not fit its call is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from exhibits.quiz import Quiz, look_up
from rpcmemkit import Session, UsageError

IDL = """
[uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e01), pointer_default(unique)]
interface lists { typedef struct node { long value; struct node *next; } node; void Cut([in, out] node *list); }
"""
ANSWERS = [
    {"text": "kept", "value": [], "why": "no"},
    {"text": "lost", "value": ["list.next"], "why": "yes"},
    {"text": "all lost", "value": ["list", "list.next"], "why": "no"},
    {"text": "the head is lost", "value": ["list"], "why": "no"},
]


def cut():
    session = Session(IDL)

    @session.routine
    def Cut(call, list):
        list.next = None

    return session.call("Cut", list={"value": 1, "next": {"value": 2, "next": None}})


def quiz(tmp_path: Path, **changes: object) -> Quiz:
    entry = {"id": "q", "prompt": "What is <lost>?", "property": "orphaned", "answers": ANSWERS, **changes}
    path = tmp_path / "questions.yaml"
    path.write_text(yaml.safe_dump([entry]), encoding="utf-8")
    return Quiz(path)


def test_the_call_decides(tmp_path):
    question = quiz(tmp_path).ask("q", cut())
    assert [answer.right for answer in question.answers] == [False, True, False, False]
    assert question.answers[1].verdict == "Right."


def test_a_mapping_decides_about_what_is_no_call(tmp_path):
    question = quiz(tmp_path, property="compiler.lost").ask("q", {"compiler": {"lost": ["list"]}})
    assert [answer.right for answer in question.answers] == [False, False, False, True]


def test_the_text_gives_nothing_away(tmp_path):
    question = quiz(tmp_path).ask("q", cut())
    assert "Right" not in str(question)
    assert str(question).splitlines()[2] == "  b) lost"


def test_html_is_escaped_and_unfolds_without_a_script(tmp_path):
    html = quiz(tmp_path).ask("q", cut())._repr_mimebundle_()["text/html"]
    assert "&lt;lost&gt;" in html
    assert html.count("<details>") == 4
    assert "<script" not in html


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answers": [*ANSWERS[:3], {**ANSWERS[1], "text": "lost again"}]}, "2 of 4 answers"),
        ({"property": "client_frees"}, "0 of 4 answers"),
        ({"answers": ANSWERS[:2]}, "1 of 2 answers"),
        ({"property": "client_after.nobody"}, "nothing was observed"),
    ],
)
def test_questions_that_do_not_fit_are_refused(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        quiz(tmp_path, **changes).ask("q", cut())


def test_an_unknown_question_names_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="there are: q"):
        quiz(tmp_path).ask("p", cut())


def test_a_chapter_away_from_its_questions_is_told_where_they_are(tmp_path):
    with pytest.raises(UsageError, match=r"in the folder book/ of the project"):
        Quiz(tmp_path / "questions/one-call.yaml")


def test_look_up_goes_through_storage():
    observed = {
        "client_after": {"list": {"$label": "list", "$value": {"value": 1}}},
        "server_storage": {"a.b": "buffer"},
    }
    assert look_up(observed, "client_after.list.value") == 1
    assert look_up(observed, "server_storage.a.b") == "buffer"
