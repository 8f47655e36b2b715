"""Calls that ran on Wine's rpcrt4 and on the open DCE/RPC runtime happen here in the same way, octet for octet."""

from pathlib import Path

import pytest

from rpcmemkit.scenario import find_files, verify_file

FOLDER = Path(__file__).parent / "conformance"
REASON = "[reflect_deletions] comes with the ACF memory attributes"
NEEDS_REFLECT_DELETIONS = {
    f"reflect-{name}" for name in ("free", "free-then-new", "one-of-two", "root-only", "whole-tree")
}


def cases():
    found = []
    for file in find_files([FOLDER]):
        missing = file.stem in NEEDS_REFLECT_DELETIONS
        marks = [pytest.mark.xfail(strict=True, reason=REASON)] if missing else []
        found.append(pytest.param(file, id=f"{file.parent.name}/{file.stem}", marks=marks))
    return found


@pytest.mark.parametrize("file", cases())
def test_what_was_observed_happens_here_too(file):
    report = verify_file(file)

    assert report.result == "agree", "\n".join([report.error, *map(str, report.differences)])


@pytest.mark.parametrize("name", sorted(NEEDS_REFLECT_DELETIONS))
def test_reflect_deletions_differs_only_in_the_number_of_client_frees(name):
    report = verify_file(FOLDER / "dcerpc" / f"{name}.yaml")

    assert {each.path for each in report.differences} <= {"client_frees"}
    assert not report.error


def test_all_files_are_here():
    assert len(find_files([FOLDER])) == 172
