"""The tables that ship with the package: rules, claims, and the evidence for the claims."""

from __future__ import annotations

from importlib.resources import files
from typing import Any


def text_of(name: str) -> str:
    """Return a file of this folder as text."""
    return (files(__name__) / name).read_text(encoding="utf-8")


def yaml_table(name: str) -> Any:
    """Return a YAML file of this folder, read by the fast loader where there is one."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text_of(name), Loader=loader)  # noqa: S506 (both loaders are safe)
