"""Small calls that were told wrongly once: what each file expects happens."""

from pathlib import Path

import pytest

from rpcmemkit.scenario import find_files, verify_file

FOLDER = Path(__file__).parent / "calls"


UNTRUE = {"allocated"}  # it expects what cannot be: it differs, and ends
EXPECTING = [
    file
    for file in find_files([FOLDER])
    if "expect:" in file.read_text(encoding="utf-8") and file.stem not in UNTRUE
]


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem) for file in EXPECTING])
def test_what_the_file_expects_happens(file):
    report = verify_file(file)

    assert report.result == "agree", "\n".join([report.error, *map(str, report.differences)])
