"""Hypothesis strategies for interfaces, calls and environments. A case prints as a scenario file."""

from hypothesis import HealthCheck, settings

from tests.strategies.cases import Case, cases
from tests.strategies.environments import EVERY, environments, rules_of
from tests.strategies.types import Interface, interfaces

__all__ = ["EVERY", "Case", "Interface", "cases", "environments", "interfaces", "rules_of", "thorough"]


def thorough(examples: int) -> settings:
    """The settings of a test that draws cases: the same cases each time."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
