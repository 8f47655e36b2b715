"""Hypothesis strategies for interfaces, calls and environments. A case prints as a scenario file."""

import os

from hypothesis import HealthCheck, settings

from tests.strategies.cases import Case, cases
from tests.strategies.environments import EVERY, environments, rules_of
from tests.strategies.types import Interface, interfaces

__all__ = ["EVERY", "Case", "Interface", "cases", "environments", "interfaces", "rules_of", "thorough"]


def thorough(examples: int) -> settings:
    """The settings of a test that draws cases: the same cases each time, unless RANDOM_CASES asks for so many new ones."""
    wanted = int(os.environ.get("RANDOM_CASES", "0"))
    return settings(
        max_examples=wanted or examples,
        derandomize=not wanted,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
