"""``import rpcmemkit`` gives every name and loads a module only when somebody asks for what is in it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import rpcmemkit

ROOT = Path(__file__).resolve().parents[1]


def loaded_by(program: str) -> set[str]:
    """The modules that are there after a program, in a process of its own."""
    command = [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True).stdout.split())


def test_the_package_alone_loads_nothing_else() -> None:
    assert loaded_by("import rpcmemkit") - loaded_by("pass") == {"rpcmemkit"}


def test_a_session_loads_no_module_of_another_command() -> None:
    late = {"yaml", "rich", "jsonschema", "graphviz", "IPython", "pcpp", "importlib.resources"}
    loaded = loaded_by("import rpcmemkit; rpcmemkit.Session('interface i { void f(); }')")
    assert "rpcmemkit.call" in loaded
    assert not loaded & late


def test_a_check_loads_no_scenario(tmp_path: Path) -> None:
    file = tmp_path / "small.idl"
    file.write_text("interface i { void f(); }", encoding="utf-8")
    loaded = loaded_by(f"from rpcmemkit.cli import main; main(['check', {str(file)!r}])")
    assert "rpcmemkit.idl.compilation" in loaded
    assert not loaded & {"yaml", "rich", "jsonschema", "rpcmemkit.call", "rpcmemkit.scenario"}


def test_every_public_name_is_there_and_checkers_see_the_same_names() -> None:
    tree = ast.parse((ROOT / "rpcmemkit" / "__init__.py").read_text(encoding="utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    homes = {
        alias.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(homes) == sorted(rpcmemkit.__all__)
    for name, home in homes.items():
        assert getattr(rpcmemkit, name) is getattr(sys.modules[str(home)], name)
    assert {*rpcmemkit.__all__, "__version__"} <= set(dir(rpcmemkit))


def test_what_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(rpcmemkit, "nothing")
