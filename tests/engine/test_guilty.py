"""After a fault: the step that met it comes last, in text, data and picture, and storage has its name."""

import json
from pathlib import Path

import pytest

from rpcmemkit import Audit
from rpcmemkit.cli import main
from rpcmemkit.draw import steps
from rpcmemkit.draw.build import picture
from rpcmemkit.draw.model import Block
from rpcmemkit.scenario import load_scenario
from rpcmemkit.scenario.run import Run
from tests.engine.helpers import NODE, linked, open_session

FILE = Path(__file__).parents[1] / "faults" / "calls" / "a08-the-faulty-step-is-not-told.yaml"


@pytest.fixture
def call():
    (outcome,) = Run(load_scenario(FILE)).outcomes()
    return outcome.call


def server(call):
    return picture(call).column("server")


def test_the_text_ends_what_the_routine_does_with_the_fault(capsys):
    main(["run", str(FILE), "--no-color"])
    told = (
        capsys.readouterr().out.split("What your routine does")[1].split("When the reply")[0].split("\n\n")[1]
    )

    assert told.splitlines()[0] == "It writes r and x->v."
    assert "It allocates x->t (at" in told
    assert "FAULT on the server at s (receive buffer)" in told


def test_the_data_has_it_last_with_its_name(capsys):
    main(["run", str(FILE), "--json"])
    done = json.loads(capsys.readouterr().out)["steps"][0]["done"]

    assert "free" not in [deed["kind"] for deed in done]
    assert (done[-1]["kind"], done[-1]["storage"], done[-1]["detail"][0]) == ("fault", "s", "receive buffer")
    assert "x.t" in [deed.get("storage") for deed in done if deed["kind"] == "allocate"]


def test_the_picture_shows_the_server_as_the_routine_left_it(call):
    column = server(call)
    blocks = {block.label: block for block in column.items if isinstance(block, Block)}

    assert column.note.startswith("as the routine left it")
    assert "receive buffer" in column.note
    assert "FAULT" in blocks["receive buffer"].words
    assert "x->t" in blocks
    assert [field.text for field in blocks["r"].parts[0].fields] == ["5"]


def test_the_steps_say_what_the_routine_met(call):
    (text,) = [step.text for step in steps(call) if step.label == "The routine runs"]

    assert "Then it meets a fault (receive buffer)" in text


def test_an_exception_is_no_fault_and_shows_what_was_done_before():
    def routine(call, head):
        head.value = 9
        call.raise_exception(5)

    session = open_session(NODE + "void f([in, out] node *head);", routine)
    call = session.try_call("f", {"head": linked(1)})

    assert server(call).note == "the routine raised an exception"
    assert "9" in [
        f.text for b in server(call).items if isinstance(b, Block) for p in b.parts for f in p.fields
    ]
    assert Audit(call).clean_up_faults == []


def test_what_the_stub_meets_afterwards_is_not_the_routines():
    def routine(call, a, b):
        a[0] = call.new(5)
        b[0] = a[0]

    session = open_session("void f([out] long **a, [out] long **b);", routine)
    call = session.call("f")
    told = " ".join(step.text for step in steps(call))

    assert "It meets 1 fault: the stub calls midl_user_free for *b" in told
    assert "*b" in server(call).note
    assert "for *a" in server(call).note
    assert "double free" not in next(step.text for step in steps(call) if step.label == "The routine runs")


def test_an_audit_begins_with_the_verdict_and_names_what_leaks():
    def routine(call, head):
        head.next = None

    session = open_session(NODE + "void f([in] node *head);", routine)
    lines = repr(Audit(session.call("f", head=linked(2)))).splitlines()

    assert lines[0] == "Audit of f: 1 leaked; the call succeeds"
    assert lines[2].endswith("1 leaked: head->next")


@pytest.mark.parametrize("step", ["{free: s}", "{set: 'x.t[9999]', to: 5}"])
def test_a_fault_says_which_step_of_the_file_met_it(tmp_path, capsys, step):
    file = tmp_path / "notes.yaml"
    text = FILE.read_text(encoding="utf-8").replace("- {free: s}", f"- {step}")
    file.write_text(text.replace("status: RPC_S_CALL_FAILED", "status: ok"), encoding="utf-8")
    line = next(n for n, each in enumerate(text.splitlines(), 1) if step in each)
    place = f"(notes.yaml:{line}, steps[0].server[3].{step[1:].split(':')[0]})"

    main(["run", str(file), "--no-color"])
    assert place in " ".join(capsys.readouterr().out.split())
    assert main(["verify", str(file)]) == 1
    told = capsys.readouterr().out.splitlines()[1]
    assert "expected ok, got RPC_S_CALL_FAILED: " in told
    assert told.endswith(place)
