"""Hostile files, disks that are full, streams that are closed: a sentence and exit code 2, never a traceback."""

import os
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rpcmemkit.cli import main
from rpcmemkit.errors import IdlError
from rpcmemkit.idl import Switches, compile_file

pytestmark = pytest.mark.skipif(os.name != "posix", reason="devices, links and limits as POSIX has them")

ROOT = Path(__file__).parents[2]
PRUNE = ROOT / "book" / "examples" / "prune.yaml"
CATALOG = ROOT / "book" / "examples" / "catalog.idl"
READERS = ["run", "verify", "render", "explain", "check"]
GOOD = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { void f([in] long n); }"
SECRET = "the secret word is swordfish"


def shell(line, **options):
    """Run a line of shell in which ``rpcmemkit`` is this one; return the exit code and all that was said."""
    command = f'rpcmemkit() {{ "{sys.executable}" -m rpcmemkit.cli "$@"; }}\n{line}'
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PRUNE": str(PRUNE), "CATALOG": str(CATALOG)},
        **options,
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(command, *arguments):
        more = ["-o", "out.svg"] if command == "render" and "-o" not in arguments else []
        code = main([command, *map(str, arguments), *more])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


# --- reading ----------------------------------------------------------------------------------


@pytest.fixture
def special(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    return {
        "/dev/zero": "a device",
        "/dev/full": "a device",
        "/proc/kmsg": "made by the kernel",
        "/proc/self/environ": "made by the kernel",
        str(tmp_path / "pipe"): "a pipe",
        str(tmp_path / "sparse"): "larger than 16 MiB",
        str(tmp_path): "Is a directory",
    }


@pytest.mark.parametrize("command", READERS)
def test_only_ordinary_files_of_a_bounded_size_are_read(run, special, command):
    for path, why in special.items():
        if Path(path).exists() and not (command == "verify" and Path(path).is_dir()):
            code, said = run(command, path)
            assert (code, why in said) == (2, True), (path, said)


def test_an_attribute_file_is_an_ordinary_file_too(run, special, tmp_path):
    (tmp_path / "a.idl").write_text(GOOD)
    for path, why in special.items():
        code, said = run("check", tmp_path / "a.idl", "--acf", path)
        assert (code, why in said) == (2, True), (path, said)


def test_standard_input_is_bounded():
    assert shell("head -c 20000000 /dev/zero | rpcmemkit run -") == (
        2,
        "rpcmemkit: <stdin>: the file is larger than 16 MiB\n",
    )


# --- files that a text names ------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    """A folder with an interface; beside the folder a file that is none of its business."""
    (tmp_path / "here" / "sub").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text(f"{SECRET}\n")
    (tmp_path / "here" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "here" / "out").symlink_to(tmp_path)
    (tmp_path / "here" / "sub" / "up.idl").write_text('#include "../../secret.txt"\n')
    return tmp_path / "here"


FOREIGN = [
    "{top}/secret.txt",
    "../secret.txt",
    "sub/../../secret.txt",
    "link.txt",
    "out/secret.txt",
    "out/here/link.txt",
    "/etc/passwd",
    "../../../../../../../../../../etc/passwd",
    "sub/up.idl",
]


@pytest.mark.parametrize(
    "line", ['import "{}";', '#include "{}"', "#include <{}>", 'cpp_quote("x")\n#include "{}"']
)
@pytest.mark.parametrize("name", FOREIGN)
def test_a_text_does_not_bring_lines_of_foreign_files(tree, run, line, name):
    file = tree / "a.idl"
    file.write_text(line.format(name.format(top=tree.parent)) + f"\n{GOOD}\n")
    code, said = run("check", file)
    assert code == 1
    assert "IDL115" in said
    assert SECRET not in said
    assert "root:" not in said

    scenario = tree / "s.yaml"
    body = file.read_text().replace("\n", "\n  ")
    scenario.write_text(f"scenario: s\nidl: |\n  {body}\nsteps:\n- call: f\n  arguments: {{n: 1}}\n")
    code, said = run("run", scenario)
    assert (code, "IDL115" in said, SECRET in said) == (2, True, False)


def test_an_attribute_file_does_not_either(tree, run):
    (tree / "a.idl").write_text(GOOD)
    (tree / "a.acf").write_text('#include "../secret.txt"\ninterface i { }\n')
    code, said = run("check", tree / "a.idl")
    assert (code, "IDL115" in said, SECRET in said) == (1, True, False)


@pytest.mark.parametrize("line", ['import "{}";', '#include "{}"'])
def test_a_folder_that_is_named_may_be_read(tree, run, line):
    (tree.parent / "common").mkdir()
    (tree.parent / "common" / "base.idl").write_text("typedef long NUMBER;\n")
    file = tree / "a.idl"
    file.write_text(line.format("../common/base.idl") + f"\n{GOOD.replace('long', 'NUMBER')}\n")
    assert run("check", file)[0] == 1
    assert run("check", file, "-I", tree.parent / "common")[0] == 0
    assert run("check", file, "--include-anywhere")[0] == 0
    with pytest.raises(IdlError):
        compile_file(file)
    assert compile_file(file, switches=Switches(include_anywhere=True)).interface.procedures


def test_imports_go_up_within_the_folder(tree, run):
    (tree / "base.idl").write_text("typedef long NUMBER;\n")
    (tree / "sub" / "more.idl").write_text('import "../base.idl";\n')
    (tree / "a.idl").write_text(f'import "sub/more.idl";\n{GOOD.replace("long", "NUMBER")}\n')
    assert run("check", tree / "a.idl")[0] == 0


@pytest.mark.parametrize("line", ['import "{}";', '#include "{}"'])
def test_what_is_named_is_an_ordinary_file_of_a_bounded_size(tree, run, line):
    os.mkfifo(tree / "pipe.idl")
    with (tree / "sparse.idl").open("wb") as big:
        big.truncate(1 << 30)
    for name, why in (("pipe.idl", "was not found"), ("sparse.idl", "larger than 16 MiB")):
        (tree / "a.idl").write_text(line.format(name) + "\n")
        code, said = run("check", tree / "a.idl")
        assert (code, why in said) == (1, True), said


# --- writing ----------------------------------------------------------------------------------


@pytest.fixture
def scenario(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(PRUNE.read_text())
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.yaml").symlink_to(file)
    (tmp_path / "hard.yaml").hardlink_to(file)
    return file


@pytest.mark.parametrize("given", ["p.yaml", "link.yaml", "hard.yaml"])
@pytest.mark.parametrize(
    "output", ["p.yaml", "./p.yaml", "sub/../p.yaml", "link.yaml", "hard.yaml", "{top}/p.yaml"]
)
def test_an_input_is_never_replaced(run, scenario, given, output):
    before = scenario.read_bytes()
    code, said = run("render", given, "-o", output.format(top=scenario.parent))
    assert code == 2
    assert "this file is read here; write to another one" in said
    assert scenario.read_bytes() == before
    assert (scenario.parent / "link.yaml").is_symlink()


def test_standard_input_and_imports_are_inputs_too(scenario):
    before = scenario.read_bytes()
    folder = scenario.parent
    assert shell("rpcmemkit render - -o p.yaml < p.yaml", cwd=folder)[0] == 2
    assert scenario.read_bytes() == before

    (folder / "base.idl").write_text("typedef long NUMBER;\n")
    body = GOOD.replace("long", "NUMBER")
    scenario.write_text(
        f'scenario: s\nidl: |\n  import "base.idl";\n  {body}\nsteps:\n- call: f\n  arguments: {{n: 1}}\n'
    )
    assert shell("rpcmemkit render p.yaml -o base.idl", cwd=folder)[0] == 2
    assert (folder / "base.idl").read_text() == "typedef long NUMBER;\n"
    assert shell("rpcmemkit render p.yaml -o ok.svg", cwd=folder) == (0, "")


def test_a_picture_that_cannot_be_written_leaves_the_old_one(scenario):
    """A limit on the size of files stands for a full disk: both end a write half-way."""
    old = scenario.parent / "old.svg"
    old.write_text("the old picture")

    def limited():
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    code, said = shell("rpcmemkit render p.yaml -o old.svg", cwd=scenario.parent, preexec_fn=limited)
    assert (code, said) == (2, "rpcmemkit: old.svg: File too large\n")
    assert old.read_text() == "the old picture"
    assert sorted(each.name for each in scenario.parent.iterdir()) == [
        "hard.yaml",
        "link.yaml",
        "old.svg",
        "p.yaml",
        "sub",
    ]


def test_a_picture_takes_the_place_of_the_old_one(run, scenario):
    folder = scenario.parent
    (folder / "real.svg").write_text("old")
    (folder / "real.svg").chmod(0o640)
    (folder / "pointer.svg").symlink_to("real.svg")
    assert run("render", "p.yaml", "-o", "pointer.svg") == (0, "")
    assert (folder / "pointer.svg").is_symlink()
    assert (folder / "real.svg").read_text().startswith("<svg")
    assert stat.S_IMODE((folder / "real.svg").stat().st_mode) == 0o640
    assert run("render", "p.yaml", "-o", "/dev/full") == (
        2,
        "rpcmemkit: /dev/full: No space left on device\n",
    )
    code, said = run("render", "p.yaml", "-o", "no/such/folder.svg")
    assert (code, said) == (2, "rpcmemkit: no/such/folder.svg: No such file or directory\n")


# --- streams ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    ["run $PRUNE", "verify $PRUNE", "check $CATALOG", "explain $CATALOG", "rules", "claims", "--help"],
)
def test_output_that_goes_nowhere(command):
    full = "rpcmemkit: output: No space left on device\n"
    assert shell(f"rpcmemkit {command} >/dev/full") == (2, full)
    assert shell(f"rpcmemkit {command} >/dev/full 2>/dev/full") == (2, "")
    code, said = shell(f"rpcmemkit {command} >&-")
    assert (code, "standard output is closed" in said) == (2, True)
    assert shell(f"rpcmemkit {command} >&- 2>&- <&-") == (2, "")


def test_standard_error_that_is_closed_or_full():
    for where in ("2>&-", "2>/dev/full"):
        assert shell(f"rpcmemkit run /no/such.yaml {where}") == (2, "")
        assert shell(f"rpcmemkit check --nonsense {where}") == (2, "")
        assert shell(f"rpcmemkit rules server-reuses-buffer {where}")[0] == 0


def test_standard_input_that_is_closed():
    why = "rpcmemkit: standard input is closed: name a file, or pass one with <\n"
    for command in ("run", "verify", "check", "explain"):
        code, said = shell(f"rpcmemkit {command} - <&-")
        assert (code, why.removeprefix("rpcmemkit: ").strip() in said) == (2, True)
    assert shell("rpcmemkit check $CATALOG <&-")[0] == 0
    assert shell("rpcmemkit run - 0>/dev/null")[0] == 2
    assert shell("rpcmemkit rules 1</dev/null")[0] == 2


def test_a_picture_with_closed_streams(tmp_path):
    assert shell("rpcmemkit render $PRUNE -o x.svg 2>&- <&-", cwd=tmp_path) == (0, "")
    assert (tmp_path / "x.svg").read_text().startswith("<svg")


def test_a_reader_that_goes_away():
    assert shell("set -o pipefail; rpcmemkit claims | true") == (141, "")
    assert shell("set -o pipefail; rpcmemkit run /no/such.yaml 2>&1 >/dev/null | true")[0] in (0, 2)


# --- the terminal -----------------------------------------------------------------------------

STEERING = "\x1b[31m\x1b]0;title\x07\x08\r\x7f\x9b1m\u202e\u2066\u200f\u2028"
ESCAPED = "\\e[31m\\e]0;title\\a\\b\\r\\x7f\\x9b1m\\u202e\\u2066\\u200f\\u2028"


def steers(text):
    return [hex(ord(c)) for c in STEERING if not c.isprintable() and c in text]


@pytest.fixture
def strange(tmp_path):
    """A scenario with such characters in every place that takes a text, in a file of such a name."""
    file = tmp_path / "s\x1b[31m\u202e.yaml"
    file.write_text(
        f'scenario: s\nabout: "{ESCAPED}"\nidl: |\n'
        "  [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface i {\n"
        "  void P([in, string] wchar_t *s, [in, out] long **p); }\n"
        f'steps:\n- call: P\n  arguments: {{s: "{ESCAPED}", p: {{$label: "{ESCAPED}", $value: {{$label: "x{ESCAPED}", $value: 5}}}}}}\n'
        '  server: [{set: "*p", to: null}]\n'
        f'  expect: {{client_after: {{s: "{ESCAPED}x"}}, orphaned: ["{ESCAPED}"]}}\n'.replace(
            ESCAPED + "x", "no"
        ),
        encoding="utf-8",
    )
    return file


@pytest.mark.parametrize("command", READERS)
def test_a_file_does_not_steer_the_terminal(run, strange, command):
    code, said = run(command, strange, *(["-o", "-"] if command == "render" else []))
    assert code in (0, 1, 2)
    assert steers(said) == []


@pytest.mark.parametrize("form", ["text", "msvc", "json"])
def test_an_excerpt_does_not_steer_the_terminal(run, tmp_path, form):
    file = tmp_path / "a\x1b[31m.idl"
    file.write_text(
        f'{GOOD[:-3]}{STEERING} ); }}\n#error {STEERING}\n#line 5 "{STEERING}"\nint $;', encoding="utf-8"
    )
    code, said = run("check", file, "--format", form)
    assert code == 1
    assert steers(said) == []
    assert steers(run("explain", file)[1]) == []
    with pytest.raises(IdlError) as caught:
        compile_file(file)
    assert steers(str(caught.value)) == []


def test_a_coloured_story_is_steered_by_its_styles_alone(strange, monkeypatch):
    from tests.test_cli import Terminal

    text = strange.read_text(encoding="utf-8")
    strange.write_text(
        text.replace(f'$label: "{ESCAPED}"', "$label: a").replace(f'$label: "x{ESCAPED}"', "$label: b")
    )
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["run", str(strange)]) == 0
    said = terminal.getvalue()
    assert "\x1b[1" in said
    assert "␛[31m␛]0;title" in said
    assert "\x1b]0" not in said
    assert not {"\x07", "\x9b", "\u202e", "\u2066"} & set(said)


def test_a_picture_holds_no_such_characters():
    from xml.dom.minidom import parseString

    from rpcmemkit.draw.svg import finish, render_dot

    raw = render_dot(f'digraph g {{ n [shape=box, pos="0,0", label=<<B>{STEERING}</B>>]; }}')
    drawn = finish(raw, f"title {STEERING}", f"label {STEERING}", f"words {STEERING}")
    assert steers(drawn) == []
    assert drawn.count("␛[31m") == 4
    assert parseString(drawn)
