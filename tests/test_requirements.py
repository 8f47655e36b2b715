"""Versions that are written in two places are the same, and every Python that is promised can have them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
DECLARED = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)


def pins(name: str) -> set[str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if "==" in line and not line.startswith("#")}


def test_binder_has_the_versions_of_the_project():
    assert pins(".binder/requirements.txt") <= pins("requirements.txt")


def test_the_oldest_python_is_the_one_that_is_promised():
    oldest = min(DECLARED, key=lambda version: int(version[2:]))
    assert f'requires-python = ">={oldest}"' in PROJECT
    assert f'target-version = "py{oldest.replace(".", "")}"' in PROJECT
    assert f'python_version = "{oldest}"' in PROJECT
    assert f"Python {oldest} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python {oldest} or newer" in (ROOT / "Makefile").read_text(encoding="utf-8")


@cache
def registry() -> dict[str, str]:
    """The environment in which uv asks the registry that pip is set up for."""
    environment = {**os.environ, "UV_NO_PROGRESS": "1", "UV_NO_CONFIG": "1"}
    for option, name in (("index-url", "UV_DEFAULT_INDEX"), ("cert", "SSL_CERT_FILE")):
        asked = [sys.executable, "-m", "pip", "config", "get", f"global.{option}"]
        found = (
            os.environ.get(f"PIP_{option.upper().replace('-', '_')}")
            or subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        )
        if found:
            environment.setdefault(name, found)
    return environment


UNREACHABLE = re.compile(
    r"error sending request|failed to fetch|dns error|connect error|timed out|network", re.IGNORECASE
)


@pytest.mark.slow
@pytest.mark.parametrize("version", DECLARED)
def test_the_requirements_can_be_had_for_each_python(version):
    """Asks the registry which releases there are; no interpreter of that version is needed."""
    pytest.importorskip("uv", reason="uv is not installed")
    resolve = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    resolve += ["--python-version", version, "requirements.txt"]
    try:
        done = subprocess.run(
            resolve, capture_output=True, text=True, cwd=ROOT, env=registry(), timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip("the registry takes too long")
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip(f"the registry cannot be reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    assert "hypothesis==" in done.stdout
