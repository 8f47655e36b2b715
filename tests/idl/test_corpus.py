"""The interface files that Debian ships with Wine: all of them parse, and what is refused is refused rightly.

Needs the package ``libwine-dev``. Set ``RPCMEMKIT_IDL_CORPUS`` to another folder of ``.idl`` files to read that one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rpcmemkit.errors import IdlError
from rpcmemkit.idl import Switches, compile_file
from rpcmemkit.idl.parse import parse_idl
from rpcmemkit.idl.preprocess import read_source
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.source import Folders

FOLDER = Path(os.environ.get("RPCMEMKIT_IDL_CORPUS", "/usr/include/wine/wine/windows"))
FILES = sorted(FOLDER.glob("*.idl"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FILES, reason=f"no .idl files in {FOLDER}: install libwine-dev"),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_parses(path: Path) -> None:
    report = Report()
    text = path.read_text(encoding="utf-8", errors="replace")
    source = read_source(text, str(path), report, folders=Folders(FOLDER))
    items = parse_idl(source, report)
    assert not report.diagnostics, str(report.diagnostics[0])
    assert items or path.stat().st_size < 4000


@pytest.mark.parametrize(
    "name", ["wtypes.idl", "unknwn.idl", "objidl.idl", "oaidl.idl", "oleidl.idl", "dxgi.idl"]
)
def test_compiles(name: str) -> None:
    assert compile_file(FOLDER / name, switches=Switches(include_dirs=[FOLDER])).types


def test_svcctl() -> None:
    """The one real RPC interface of the package."""
    try:
        interface = compile_file(
            FOLDER.parent / "svcctl.idl", switches=Switches(include_dirs=[FOLDER])
        ).interface
    except IdlError as error:
        pytest.fail(str(error.diagnostics[0]))
    assert interface.procedures["svcctl_OpenSCManagerW"].opnum == 15
