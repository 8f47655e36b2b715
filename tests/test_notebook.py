"""What a notebook shows: deterministic, escaped, with a text that means something."""

from __future__ import annotations

import json
import re
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from rpcmemkit import Audit, Session, UsageError, notebook
from rpcmemkit.call import Call
from rpcmemkit.draw import steps
from rpcmemkit.notebook import Shown
from rpcmemkit.notebook.widgets import frames_of
from tests.draw.conftest import CALLS, KINDS, kinds, long_list, never_sent, prune

pytest.importorskip("graphviz")

TABLES = {
    "request": lambda call: notebook.bytes_table(call, "request"),
    "response": lambda call: notebook.bytes_table(call, "response"),
    "before": lambda call: notebook.memory_table(call, "client before"),
    "after": lambda call: notebook.memory_table(call, "client after"),
    "events": notebook.events_table,
    "steps": notebook.steps_table,
    "call": notebook.call_table,
    "audit": lambda call: notebook.audit_table(Audit(call)),
}


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Call:
    return CALLS[request.param]()


def html_of(shown: Any) -> str:
    html: str = shown._repr_mimebundle_()["text/html"]
    return html


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_html_and_a_text_of_its_own(call: Call, name: str) -> None:
    shown = TABLES[name](call)
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(shown) == shown.text
    assert " at 0x7f" not in shown.text
    assert TABLES[name](call) == shown


def test_html_is_escaped() -> None:
    html = html_of(notebook.memory_table(kinds(), "client before"))
    assert "&lt;tea &amp; co&gt;" in html
    assert "<tea" not in html


@pytest.mark.parametrize(
    "moment", ["client before", "client after", "server entry", "server exit", "server after"]
)
def test_memory_of_every_moment(moment: str) -> None:
    text = notebook.memory_table(prune(), moment).text
    assert text.startswith(f"Prune: {moment}")
    assert ("ORPHANED" in text) == (moment == "client after")
    assert ("LEAKED" in text) == (moment in ("server exit", "server after"))


def test_memory_of_a_moment_that_never_came() -> None:
    with pytest.raises(UsageError, match="it has client before, client after"):
        notebook.memory_table(never_sent(), "server exit")


def test_long_tables_are_cut() -> None:
    call = long_list(200)
    assert "more blocks" in notebook.memory_table(call, "client before").text
    assert re.search(r"… +[\d,]+ more", notebook.events_table(call).text)
    assert "more" not in notebook.events_table(prune()).text


def test_events_name_their_rules() -> None:
    text = notebook.events_table(prune(), limit=200).text
    assert "client-null-to-new" in text
    assert "marshal root at 0" in text
    assert "(midl_user_allocate)" in text


def test_a_session_shows_its_procedures() -> None:
    text = notebook.session_table(Session(KINDS)).text
    assert "[in, out] item, [in] name, [in] n, [in, out] numbers" in text


def test_the_reading_of_all_steps_has_every_label() -> None:
    shown = notebook.steps_table(prune())
    assert html_of(shown).count("<li><b>") == 7
    assert all(step.label in shown.text for step in steps(prune()))


def test_show_is_the_picture() -> None:
    assert "<svg" in html_of(notebook.show(prune(), limit=4))


def test_the_frames_of_a_stepper() -> None:
    told = steps(prune())
    frames = frames_of(told)
    for step, frame in zip(told, frames, strict=True):
        assert f"Step {step.number} of 7: {step.label}" in frame
        assert "<svg" in frame
    assert frames == frames_of(steps(prune()))


def state_of(widget: Any) -> str:
    """The whole state of a widget and what it holds, with ids numbered as the notebook tool does."""
    from ipywidgets.embed import dependency_state

    state = dependency_state([widget])
    numbers = {model: f"{number:032x}" for number, model in enumerate(state)}
    return re.sub(r"[0-9a-f]{32}", lambda found: numbers.get(found[0], found[0]), json.dumps(state))


def test_the_stepper_links_play_slider_and_pictures() -> None:
    pytest.importorskip("ipywidgets")
    widget = notebook.stepper(prune())
    _, controls, stack = widget.children
    play, slider = controls.children
    assert (play.min, play.max, slider.min, slider.max) == (1, 7, 1, 7)
    assert len(stack.children) == 8
    assert stack.selected_index == 1
    assert slider.description == "Step of 7"
    assert repr(widget) == notebook.steps_table(prune()).text
    bundle = widget._repr_mimebundle_()
    assert bundle["text/plain"].startswith("1. Client before.")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_the_stepper_is_the_same_every_time() -> None:
    pytest.importorskip("ipywidgets")
    assert state_of(notebook.stepper(prune())) == state_of(notebook.stepper(prune()))


def test_without_ipywidgets_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(UsageError, match=r'pip install "rpcmemkit\[book\]"'):
        notebook.stepper(prune())


class Formatter(dict[type, Any]):
    """Stands for one of IPython's."""

    for_type = dict.__setitem__


def test_the_extension_teaches_ipython() -> None:
    formatters = {"text/html": Formatter(), "text/plain": Formatter()}
    notebook.load_ipython_extension(
        SimpleNamespace(
            register_magic_function=lambda *_: None, display_formatter=SimpleNamespace(formatters=formatters)
        )
    )
    call = prune()
    for thing in (call, Audit(call), Session(KINDS)):
        assert formatters["text/html"][type(thing)](thing).startswith("<table")
        printed: list[str] = []
        formatters["text/plain"][type(thing)](thing, SimpleNamespace(text=printed.append), False)
        assert printed


def test_shown_is_its_text() -> None:
    assert repr(Shown("<p>x</p>", "x")) == "x"
