"""Calls that ran on Wine's rpcrt4 and on the open DCE/RPC runtime happen here in the same way, byte for byte."""

from pathlib import Path

import pytest

from rpcmemkit.scenario import find_files, verify_file

FOLDER = Path(__file__).parent / "conformance"


def cases():
    return [pytest.param(file, id=f"{file.parent.name}/{file.stem}") for file in find_files([FOLDER])]


@pytest.mark.parametrize("file", cases())
def test_what_was_observed_happens_here_too(file):
    report = verify_file(file)

    assert report.result == "agree", "\n".join([report.error, *map(str, report.differences)])


def test_all_files_are_here():
    assert len(find_files([FOLDER])) == 422
