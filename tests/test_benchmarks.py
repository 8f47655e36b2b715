"""The benchmarks run: every part, on a few elements. What they find is for people."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[1] / "benchmarks" / "run.py"
ROWS = {"peer": 20, "lists": 4, "calls": 9, "series": 2, "start": 9}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs a Unix")
@pytest.mark.parametrize("part", ROWS)
def test_a_part_of_the_table(part: str) -> None:
    if part == "peer":
        pytest.importorskip("impacket")
    command = [sys.executable, str(RUN), part, "--scale", "0.001", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    figures = re.findall(r"^.+? +([\d.e+-]+) (?:µs|×|ms|s\b|KiB|bytes)", done.stdout, re.MULTILINE)
    assert len(figures) == ROWS[part], done.stdout
    assert all(float(figure) > 0 for figure in figures if part != "start")
