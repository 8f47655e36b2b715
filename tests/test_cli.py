"""The command line: exit codes, streams, and no tracebacks."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import rpcmemkit
from rpcmemkit import cli
from rpcmemkit.claims import claims as table
from rpcmemkit.cli import common

FOLDER = Path(__file__).parent / "conformance"
PRUNE = FOLDER / "wine" / "tree-prune-and-graft.yaml"
REFUSED = FOLDER / "wine" / "void-pointer-refused.yaml"
GOOD = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { long Add([in] long a); }"
BAD = GOOD.replace("[in] long a", "[in] lung a, [out] long b")


@pytest.fixture(autouse=True)
def width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = cli.main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def feed(monkeypatch, text):
    data = text if isinstance(text, bytes) else text.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def pen(monkeypatch):
    """Something that draws, whatever the state of the real one."""
    module = ModuleType("rpcmemkit.draw")
    module.render = lambda call: f"<svg>{call.procedure.name} →</svg>"
    monkeypatch.setitem(sys.modules, "rpcmemkit.draw", module)


# --- run ------------------------------------------------------------------------------------------


def test_run_tells_the_story(run):
    code, out, err = run("run", PRUNE)

    assert (code, err) == (0, "")
    assert out.startswith("tree-prune-and-graft\nThe server cuts")
    assert "Call 1: Prune\n=============" in out
    assert "ORPHANED: root->left" in out


def test_run_json_has_the_keys_of_expect(run):
    code, out, _ = run("run", PRUNE, "--json")
    data = json.loads(out)

    assert code == 0
    assert data["scenario"] == "tree-prune-and-graft"
    assert list(data["calls"][0]) == [
        "call",
        "status",
        "server_sees",
        "server_storage",
        "client_after",
        "client_allocations",
        "client_frees",
        "server_allocations",
        "server_frees",
        "orphaned",
        "server_leaked",
        "request",
        "response",
    ]


def test_run_tells_what_the_client_does_between_calls(run):
    file = Path(__file__).parent / "scenarios/3-models/stub-allocated-buffers/inner-node-is-no-block.yaml"

    assert "FAULT on the client at (*root)->left (inside a block): free of" in run("run", file)[1]
    data = json.loads(run("run", file, "--json")[1])
    assert [call["call"] for call in data["calls"]] == ["Grow"]
    assert [list(step) for step in data["steps"]] == [["call", "done"], ["client", "done"]]
    assert data["steps"][1]["client"]["faults"] == ["inside a block"]
    assert data["steps"][1]["done"][0]["storage"] == "*root.left"


def test_a_call_that_ends_with_an_exception_is_still_a_story(run):
    code, out, _ = run("run", FOLDER / "wine" / "withdraw-raises.yaml")

    assert code == 0
    assert "RPC_S_ACCESS_DENIED" in out


def test_run_of_an_interface_that_does_not_compile(run):
    code, out, err = run("run", REFUSED)

    assert (code, out) == (2, "")
    assert f"{REFUSED}:7:43: error IDL303" in err


def test_run_reads_standard_input(run, monkeypatch):
    feed(monkeypatch, PRUNE.read_bytes())

    assert run("run", "-", "--json")[0] == 0


def test_run_on_a_terminal_uses_colour_unless_told_not_to(monkeypatch):
    for options, coloured in (([], True), (["--no-color"], False)):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        assert cli.main(["run", str(PRUNE), *options]) == 0
        assert ("\x1b[" in terminal.getvalue()) is coloured


@pytest.mark.parametrize("columns", ["60", "40", "5"])
def test_run_fits_a_narrow_terminal(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = run("run", PRUNE)

    assert max(map(len, out.splitlines())) <= max(int(columns), 44)


def test_a_scenario_without_about(run, monkeypatch):
    feed(
        monkeypatch,
        "\n".join(
            line for line in PRUNE.read_text().splitlines() if not line.startswith(("about", "  its root"))
        ),
    )
    code, out, _ = run("run", "-")

    assert code == 0
    assert out.startswith("tree-prune-and-graft\n\nCall 1")


# --- what cannot work -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "/no/such.yaml"], "rpcmemkit: /no/such.yaml: No such file or directory\n"),
        (["run", "/tmp"], "rpcmemkit: /tmp: Is a directory\n"),
        (["render", str(PRUNE), "-o", "/no/such/dir/x.svg"], "rpcmemkit: /no/such/dir/x.svg: No such file or directory\n"),
        (["render", str(PRUNE), "-o", "x.svg", "--call", "7"], "rpcmemkit: there is no call 7: tree-prune-and-graft makes 1\n"),
        (["check", "/no/such.idl"], "rpcmemkit: /no/such.idl: No such file or directory\n"),
        (["check", "/tmp"], "rpcmemkit: /tmp: Is a directory\n"),
        (["rules", "server-reuse-buffer"], "rpcmemkit: there is no rule 'server-reuse-buffer'; did you mean server-reuses-buffer?\n"),
        (["rules", "zzz"], "rpcmemkit: there is no rule 'zzz'; try: rpcmemkit rules\n"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("pen")
def test_what_cannot_work_is_one_line_and_exit_code_2(run, arguments, message):
    assert run(*arguments) == (2, "", message)


@pytest.mark.parametrize("arguments", [[], ["run"], ["nonsense"], ["check", "x", "--format", "xml"]])
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)

    assert caught.value.code == 2
    assert "usage: rpcmemkit" in capsys.readouterr().err


def test_interrupted(run, monkeypatch):
    def interrupt(file):
        raise KeyboardInterrupt

    monkeypatch.setattr("rpcmemkit.scenario.load_scenario", interrupt)
    assert run("run", PRUNE) == (2, "", "rpcmemkit: interrupted\n")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version(option, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main([option])

    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert out == f"rpcmemkit {rpcmemkit.__version__}\n" or "rpcmemkit verify tests/conformance" in out


@pytest.mark.parametrize("command", ["run", "verify", "render", "rules", "check"])
def test_every_command_has_help_with_an_example(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])

    assert "example: rpcmemkit" in capsys.readouterr().out


# --- verify ---------------------------------------------------------------------------------------


def changed(tmp_path, old, new):
    file = tmp_path / "changed.yaml"
    file.write_text(PRUNE.read_text().replace(old, new))
    return file


def test_verify_agrees(run):
    assert run("verify", PRUNE, REFUSED) == (0, "2 agree, 0 differ, 0 could not run\n", "")


def test_verify_differs(run, tmp_path):
    file = changed(tmp_path, "value: 7", "value: 8")
    code, out, _ = run("verify", PRUNE, tmp_path)

    assert code == 1
    assert out.splitlines() == [
        f"differ: {file}",
        "    call 1 (Prune): client_after.root.value: expected 8, got 7",
        "1 agree, 1 differ, 0 could not run",
    ]


def test_verify_could_not_run(run, tmp_path):
    file = changed(tmp_path, "steps:", "stpes:")
    code, out, _ = run("verify", file, "/no/such.yaml")

    assert code == 2
    assert f"error: {file}\n    {file}:" in out
    assert "help: did you mean `steps`?" in out
    assert "error: /no/such.yaml\n    No such file or directory\n" in out
    assert out.endswith("0 agree, 0 differ, 2 could not run\n")


def test_verify_json(run, tmp_path):
    changed(tmp_path, "value: 7", "value: 8")
    code, out, _ = run("verify", tmp_path, "--json")
    data = json.loads(out)

    assert code == 1
    assert (data["agree"], data["differ"], data["error"]) == (0, 1, 0)
    assert data["files"][0]["differences"][0]["path"] == "client_after.root.value"


def test_verify_reads_standard_input(run, monkeypatch):
    feed(monkeypatch, PRUNE.read_bytes())
    assert run("verify", "-")[0] == 0
    feed(monkeypatch, b"a: \xff")
    assert "not UTF-8" in run("verify", "-")[1]


def test_verify_of_nothing(run, tmp_path):
    assert run("verify", tmp_path) == (2, "", f"rpcmemkit: no scenario files (*.yaml, *.yml) in {tmp_path}\n")


def test_verify_shows_its_progress_to_a_person(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert cli.main(["verify", str(PRUNE), str(REFUSED)]) == 0
    shown = re.sub(r"\033\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "0/2 tree-prune-and-graft.yaml" in shown
    assert "1/2 void-pointer-refused.yaml" in shown
    assert "\033[2K" in terminal.getvalue().rsplit("1/2", 1)[1]  # the last line is gone in the end


@pytest.mark.skipif(os.name == "nt", reason="no file has such a name there")
def test_a_name_on_the_way_does_not_steer_the_terminal(monkeypatch, tmp_path):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    for name in ("[bold]a.yaml", "b\x1b]0;owned\x07.yaml"):
        (tmp_path / name).write_bytes(PRUNE.read_bytes())

    assert cli.main(["verify", str(tmp_path)]) == 0
    assert "[bold]a.yaml" in terminal.getvalue()
    assert "\x1b]0;owned" not in terminal.getvalue()


# --- render ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("pen")
def test_render_writes_a_picture(run, tmp_path):
    target = tmp_path / "x.svg"

    assert run("render", PRUNE, "-o", target) == (0, "", "")
    assert target.read_text(encoding="utf-8") == "<svg>Prune →</svg>"
    assert run("render", PRUNE, "-o", "-") == (0, "<svg>Prune →</svg>\n", "")


def test_render_without_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "rpcmemkit.draw", None)
    code, out, err = run("render", PRUNE, "-o", "x.svg")

    assert (code, out) == (2, "")
    assert "pip install 'rpcmemkit[book]'" in err


# --- rules and check ------------------------------------------------------------------------------


def test_rules(run):
    code, out, _ = run("rules")
    assert code == 0
    assert all(rule in out for rule in ("client-owns", "server-reuses-buffer"))

    code, out, _ = run("rules", "server-reuses-buffer")
    assert code == 0
    assert out.startswith("server-reuses-buffer\n\n")
    assert "server-stub-memory-management.md" in out


@pytest.fixture
def idl(tmp_path):
    def write(text, name="a.idl"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_check_passes(run, idl):
    said = "Interface: i\nAttribute file: none\nAll checks passed.\n"
    assert run("check", idl(GOOD)) == (0, said, "")
    code, out, _ = run("check", idl(GOOD), "--format", "json")
    assert (code, json.loads(out)) == (0, {"acf": None, "interfaces": ["i"], "findings": []})
    assert run("check", idl(GOOD), "--format", "msvc") == (0, "", "")


def test_check_finds(run, idl):
    file = idl(BAD)
    code, out, _ = run("check", file)

    assert code == 1
    assert f"{file}:1:" in out
    assert out.splitlines()[-1] in ("2 errors, 0 warnings", "1 error, 0 warnings")


def test_check_in_the_form_of_visual_studio(run, idl):
    file = idl(BAD.replace("lung", "long"))

    code, out, _ = run("check", file, "--format", "msvc")
    assert code == 1
    assert out.startswith(f"{file}(1) : error MIDL2042 : ")
    assert out.endswith(" [ b ]\n")


def test_check_as_json(run, idl):
    data = json.loads(run("check", idl(BAD), "--format", "json")[1])["findings"]

    assert {"code", "message", "file", "line", "column", "severity", "midl", "remedy"} <= set(data[0])


def test_check_with_attribute_file_folder_and_dce_rules(run, idl, tmp_path, monkeypatch):
    (tmp_path / "inc").mkdir()
    idl("typedef long number;", "inc/base.idl")
    file = idl('import "base.idl"; ' + GOOD.replace("long a", "number a"))
    acf = idl("[implicit_handle(handle_t h)] interface i { }", "other.acf")

    assert run("check", file)[0] == 1
    assert run("check", file, "-I", tmp_path / "inc", "--acf", acf, "--osf")[0] == 0
    feed(monkeypatch, GOOD)
    assert run("check", "-", "--acf", acf)[0] == 0
    feed(monkeypatch, BAD)
    assert "<stdin>:1:" in run("check", "-")[1]


@pytest.mark.parametrize(
    ("switches", "number"),
    [
        (["--target", "NT50"], None),
        (["--mode", "Oi"], 2370),
        (["--mode", "Oi", "--no-robust"], 2294),
        (["--mode", "Oi", "--no-robust", "--rpcss", "--ndr64"], 2294),
        (["--no-app-config"], 2150),
    ],
)
def test_check_with_switches(run, idl, switches, number):
    file = idl("[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { [notify] void f(void); }")
    found = json.loads(run("check", file, "--format", "json", *switches)[1])["findings"]
    assert [each["midl"] for each in found] == ([number] if number else [])


@pytest.mark.parametrize("command", [["check"], ["explain"], ["run"], ["render", "-o", "x.svg"]])
@pytest.mark.parametrize("path", [".", "..", "/", ""])
def test_a_folder_is_no_file(run, command, path):
    code, out, err = run(*command, path)

    assert (code, out) == (2, "")
    assert err.endswith(": Is a directory\n")


def test_explain_without_an_interface(run, idl):
    assert run("explain", idl("typedef long T;"))[::2] == (
        2,
        "rpcmemkit: the text defines no interface: write interface NAME { … }\n",
    )


@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_folder_for_imports_that_does_not_exist(run, idl, command):
    code, _, err = run(command, idl(GOOD), "-I", "no/such/folder")

    assert code == 2
    assert "no/such/folder: there is no such folder" in err


def test_check_with_a_target_that_does_not_exist(run, idl):
    code, _, err = run("check", idl(GOOD), "--target", "DOS")
    assert (code, err.count("NT60")) == (2, 1)


# --- processes ------------------------------------------------------------------------------------


def process(*arguments, **options):
    command = [sys.executable, "-m", "rpcmemkit.cli", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=Path(__file__).parents[1], **options
    )


def test_a_reader_that_goes_away():
    child = process("run", FOLDER / "dcerpc" / "two-params-share-cut-and-write.yaml")
    child.stdout.close()
    err = child.stderr.read()

    assert child.wait() == 128 + 13  # SIGPIPE
    assert err == b""


def test_a_console_without_unicode():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "100"}
    child = process("rules", env=environment)
    out, err = child.communicate()

    assert (child.returncode, err) == (0, b"")
    assert out.isascii()


def test_starting_is_fast_because_little_is_loaded():
    code = "import sys, rpcmemkit.cli; print([m for m in ('rich', 'yaml', 'jsonschema') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
        check=True,
    )

    assert result.stdout == "[]\n"


# --- JSON -----------------------------------------------------------------------------------------


def test_json_that_is_nested_too_deep_for_the_encoder():
    deep = {"a": [1, "x", None, {}], "b": []}
    for _ in range(5_000):
        deep = {"next": [deep], "n": 1}
    text = common.as_json(deep)

    assert text.startswith('{\n  "next": [\n    {\n      "next": [\n        {"next": [{')
    assert '{"a": [1, "x", null, {}], "b": []}' in text
    assert text.count("{") == text.count("}")
    assert json.loads(common.as_json({"a": [1, {"b": True}], "c": ()})) == {"a": [1, {"b": True}], "c": []}


# --- claims -----------------------------------------------------------------------------------


def test_claims_in_a_table(run):
    code, out, _ = run("claims", "--topic", "orphaning")

    assert code == 0
    assert "M-204" in out
    assert "M-060" not in out
    assert "16 claims" in out


def test_a_claim_in_full(run):
    code, out, _ = run("claims", "M-060", "M-009")

    assert code == 0
    assert "stub-allocated-buffers.md" in out
    assert "all-nodes-one-block" in out
    assert "test      'tests/claims/test_claims_models.py::test_model[M-060" in out
    assert "scenario  tests/scenarios/3-models/stub-allocated-buffers/" in out
    assert "told only" in out


def test_the_evidence_can_be_pasted(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = run("claims", "M-060")

    proofs = [shlex.split(line) for line in out.splitlines() if line.startswith(("test ", "scenario "))]
    claim = table()["M-060"]
    assert [id_ for _, id_ in proofs] == [*claim.tests, *claim.scenarios]
    assert max(map(len, claim.tests)) > 60


def test_claims_as_json(run):
    code, out, _ = run("claims", "--json")

    claims = json.loads(out)
    assert code == 0
    assert len(claims) == 492
    assert sum(claim["verify"] != ["document"] for claim in claims) == sum(
        claim.testable for claim in table().values()
    )
    assert {"id", "statement", "tests", "scenarios", "rules"} <= set(claims[0])


def test_no_testable_claim_is_without_evidence(run):
    assert run("claims", "--missing", "--json")[:2] == (0, "[]\n")


@pytest.mark.parametrize("arguments", [["M-999"], ["--topic", "cooking"]])
def test_claims_that_do_not_exist(run, arguments):
    code, out, err = run("claims", *arguments)

    assert (code, out) == (2, "")
    assert "there is no" in err
