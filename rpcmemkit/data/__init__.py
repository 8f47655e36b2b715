"""The tables that ship with the package: rules, claims and their evidence, pages, findings, statuses."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

DOCUMENTATION = "https://learn.microsoft.com/windows/win32"


def packaged(package: str, name: str) -> str:
    """Return a file that ships with a package as text, from a folder or from a zip file."""
    from pkgutil import get_data

    return (get_data(package, name) or b"").decode()


def text_of(name: str) -> str:
    """Return a file of this folder as text."""
    return packaged(__name__, name)


def yaml_table(name: str) -> Any:
    """Return a YAML file of this folder, read by the fast loader where there is one."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text_of(name), Loader=loader)  # noqa: S506 (both loaders are safe)


class DocumentationPage(NamedTuple):
    """A page of Microsoft's documentation that rules, claims or findings cite."""

    title: str
    address: str


@cache
def documentation() -> dict[str, DocumentationPage]:
    """Return the pages that are cited, by their file names."""
    return {
        name: DocumentationPage(page["title"], f"{DOCUMENTATION}/{page['folder']}/{name.removesuffix('.md')}")
        for name, page in yaml_table("pages.yaml").items()
    }
