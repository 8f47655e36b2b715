"""Look over the built site: nothing is fetched from elsewhere, every local link leads somewhere, pictures have words.

``python tools/check_site.py _build/html``
"""

from __future__ import annotations

import gzip
import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "audio": "src",
    "object": "data",
}
PLAIN_RELATIONS = {"canonical", "next", "prev", "index", "search", "author", "license"}
HEAVIEST = 600_000  # bytes of a page, compressed, without what all pages share
REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
REMOTE_IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", re.IGNORECASE)
# Inline scripts name the address of a library that they load later.
REMOTE_SCRIPT = re.compile(r"""["'](?:https?:)?//[^"']+\.m?js\b""", re.IGNORECASE)


@dataclass
class Page(HTMLParser):
    """What one page names: its anchors, its links, and what is wrong with it by itself."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    inside: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note anchors and links; complain of remote parts and of pictures without words."""
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[key] for key in ("id", "name") if values.get(key))
        self.inside = tag if tag in ("script", "style") else ""
        if tag == "img" and not values.get("alt", "").strip():
            self.problems.append(f"picture without alternative text: {values.get('src')}")
        target = values.get(FETCHED.get(tag, "href" if tag == "a" else ""), "")
        if not target or target.startswith(("data:", "mailto:", "javascript:")):
            return
        if not REMOTE.match(target):
            self.links.append(target)
        elif tag != "a" and values.get("rel", "") not in PLAIN_RELATIONS:
            self.problems.append(f"fetched from elsewhere: {target}")

    def handle_data(self, data: str) -> None:
        """Look into inline scripts and styles."""
        pattern = {"script": REMOTE_SCRIPT, "style": REMOTE_IN_STYLE}.get(self.inside)
        if pattern and (found := pattern.search(data)):
            self.problems.append(f"inline {self.inside} names {found.group()}")

    def handle_endtag(self, tag: str) -> None:
        """Leave a script or a style."""
        if tag == self.inside:
            self.inside = ""


def read(path: Path) -> Page:
    """Parse one page."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def pages_of(site: Path) -> list[Path]:
    """The pages of the book under ``site``: not what its theme brings, and not JupyterLite, a site of its own."""
    files = sorted(site.rglob("*.html"))
    return [path for path in files if not {"_static", "lite"} & set(path.relative_to(site).parts)]


def check(site: Path) -> list[str]:
    """Everything wrong with the pages under ``site``."""
    pages = {path.resolve(): read(path) for path in pages_of(site)}
    found = [f"{site}: no pages"] if not pages else []
    for path, page in pages.items():
        found += [f"{path.name}: {problem}" for problem in page.problems]
        weight = len(gzip.compress(path.read_bytes(), 6))
        if weight > HEAVIEST:
            found.append(f"{path.name}: {weight:,} bytes compressed, more than {HEAVIEST:,}")
        for link in page.links:
            address = urlsplit(link)
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            if not target.exists():
                found.append(f"{path.name}: link to nothing: {link}")
            elif (
                address.fragment
                and target in pages
                and unquote(address.fragment) not in pages[target].anchors
            ):
                found.append(f"{path.name}: no such anchor: {link}")
    for style in sorted(site.rglob("*.css")):
        if REMOTE_IN_STYLE.search(style.read_text(encoding="utf-8")):
            found.append(f"{style.name}: fetches from elsewhere")
    return found


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    problems = check(Path(sys.argv[1]))
    print(
        "\n".join(problems)
        or "The site is whole: every link leads somewhere, nothing is fetched from elsewhere."
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
