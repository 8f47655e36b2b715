"""What the README and the docstrings show is what happens."""

from __future__ import annotations

import doctest
import re
import shlex
from pathlib import Path

import pytest

import rpcmemkit
import rpcmemkit.call
import rpcmemkit.idl
from rpcmemkit import cli

ROOT = Path(__file__).resolve().parent.parent


def test_the_readme_example_prints_its_comments(capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    exec(compile(code[1], "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    promised = [line.split("# ", 1)[1] for line in code[1].splitlines() if line.startswith("print(")]
    assert len(printed) == len(promised) == 3
    for line, promise in zip(printed, promised, strict=True):
        assert promise.startswith(line)


def test_what_a_declaration_promises_in_the_readme(capsys):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {}
    exec(compile(first, "README.md", "exec"), names)
    imports, promise, printed, run = [line for line in second.splitlines() if line.strip()]
    exec(imports, names)
    capsys.readouterr()

    for line in (promise, run):
        code, comment = line.split("#", 1)
        assert comment.strip().split(":")[0] == repr(eval(code, names))
    exec(printed, names)
    assert "midl_user_free" in capsys.readouterr().out


COMMANDS = re.findall(
    r"^\.venv/bin/rpcmemkit (.+?)(?:\s+#.*)?$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE
)


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_of_the_readme_runs_in_a_fresh_copy(line, tmp_path, monkeypatch, capsys):
    for folder in ("book", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(line)) == 0
    assert capsys.readouterr().out or (tmp_path / "call.svg").exists()


def test_the_readme_shows_every_command():
    shown = {line.split()[0] for line in COMMANDS}
    assert shown == {"run", "verify", "render", "explain", "check", "rules", "claims"}


@pytest.mark.parametrize("module", [rpcmemkit, rpcmemkit.call, rpcmemkit.idl], ids=lambda m: m.__name__)
def test_docstring_examples(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_every_public_name_exists_and_says_what_it_is():
    for name in rpcmemkit.__all__:
        assert getattr(rpcmemkit, name).__doc__
