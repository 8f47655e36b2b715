"""The wheel holds the package with all its data, and nothing else. (``make wheel`` installs and uses it.)"""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    (built,) = builder.build(directory=str(tmp_path_factory.mktemp("dist")), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        yield archive


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "rpcmemkit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = set(wheel.namelist())
    assert {name for name in names if name.startswith("rpcmemkit/")} == package
    others = {name.split(".dist-info/")[-1] for name in names - package}
    assert others == INFO


@pytest.mark.parametrize(
    "data",
    [
        "py.typed",
        "idl/grammar.lark",
        "idl/grammar.json",
        "scenario/schema.json",
        "data/claims.yaml",
        "data/rules.yaml",
    ],
)
def test_the_wheel_holds_the_data(wheel, data):
    assert wheel.getinfo(f"rpcmemkit/{data}").file_size or data == "py.typed"


def test_the_wheel_says_what_it_needs(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    about = wheel.read(name).decode()
    assert "Requires-Python: >=3.10" in about
    assert "Provides-Extra: book" in about
    (name,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "rpcmemkit = rpcmemkit.cli:main" in wheel.read(name).decode()
