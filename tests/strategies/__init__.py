"""Hypothesis strategies for interfaces, calls and environments. A case prints as a scenario file."""

import os

from hypothesis import HealthCheck, Phase, settings

from tests.strategies.cases import Case, cases
from tests.strategies.environments import EVERY, environments, rules_of
from tests.strategies.types import Interface, interfaces

__all__ = ["EVERY", "Case", "Interface", "cases", "environments", "interfaces", "rules_of", "thorough"]


def thorough(examples: int) -> settings:
    """The settings of a test that draws cases: the same cases each time.

    Making a case that fails smaller takes minutes: it is done where ``SHRINK`` is in the environment.
    """
    return settings(
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if "SHRINK" in os.environ else [])],
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
