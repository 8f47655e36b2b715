"""The marker that ties a test to the claims it proves."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "claims(*ids): the entries of claims.yaml that a test proves")
