"""Versions that are written in two places are the same."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def pins(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if "==" in line and not line.startswith("#")}


def test_binder_has_the_versions_of_the_project():
    assert pins(".binder/requirements.txt") <= pins("requirements.txt")
