"""A write before the beginning of a referent is a fault that says what lies there."""

from pathlib import Path

import pytest

from rpcmemkit.audit import Audit
from rpcmemkit.scenario import load_scenario
from rpcmemkit.scenario.run import Run

FOLDER = Path(__file__).parent / "calls"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("write-before-a-referent-in-the-buffer", "4 bytes before the beginning of a, which follows b"),
        ("write-before-an-array-into-a-structure", "8 bytes before the beginning of a, which follows s"),
        ("write-before-a-block", "4 bytes before the beginning of a block of 12 bytes"),
    ],
)
def test_the_fault_says_how_far_before_what(file, told):
    (outcome,) = Run(load_scenario(FOLDER / f"{file}.yaml")).outcomes()

    assert any(told in str(fault.detail) for fault in Audit(outcome.call).faults)
