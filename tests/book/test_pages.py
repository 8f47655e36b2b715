"""The pages fit together: table of contents, links, terms, glossary, vendored files, versions, licences."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from pathlib import Path

import pytest
import yaml

from tools.notebooks import ROOT, pages

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
VENDOR = ROOT / "web" / "vendor"
SUMS = dict(reversed(line.split()) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())

MARKDOWN_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
ROLE = re.compile(r"\{(term|ref|numref|doc)\}`(?:[^`<]*<)?([^`<>]+)>?`")
GENERATED = re.compile(
    r"(rule|claim|status|diagnostic|misconception):"
)  # entries of the reference; the build checks them
LABEL = re.compile(r"^\(([\w.:-]+)\)=$", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)
FENCE = re.compile(r"^(`{3,}|~{3,})(?!\{).*?^\1\s*$", re.MULTILINE | re.DOTALL)


def source(page: str) -> Path:
    """The file of a page of the table of contents."""
    found = [path for kind in (".md", ".ipynb") if (path := ROOT / f"{page}{kind}").exists()]
    assert found, f"_toc.yml names {page}, and there is no such file"
    return found[0]


def prose(path: Path) -> str:
    """The Markdown of a page, without its listings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells)
    return FENCE.sub("", text)


def slug(heading: str) -> str:
    """The anchor that a heading gets."""
    plain = re.sub(r"\{\w+\}`([^`<]*)(?:<[^>]*>)?`", r"\1", heading).lower().strip()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    """The places of a page that a link can name."""
    text = prose(path)
    return {slug(heading) for heading in HEADING.findall(text)} | set(LABEL.findall(text))


def glossary() -> list[str]:
    """The words that the glossary explains, in its order."""
    block = re.search(r"```\{glossary\}\n(.*?)```", prose(ROOT / "book/glossary.md"), re.DOTALL)
    assert block, "book/glossary.md has no glossary"
    return re.findall(r"^(\S.*)$", block[1], re.MULTILINE)


PAGES = pages(TOC)


def test_every_page_of_the_book_is_in_the_table_of_contents_once() -> None:
    assert len(PAGES) == len(set(PAGES))
    listed = {source(page) for page in PAGES} - {ROOT / "genindex.md"}  # Sphinx writes that one, at the root
    there = {path for kind in ("*.md", "*.ipynb") for path in (ROOT / "book").rglob(kind)}
    assert {path for path in there if ".ipynb_checkpoints" not in path.parts} == listed


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = source(page)
    for target in MARKDOWN_LINK.findall(prose(path)):
        if re.match(r"\w+:", target):
            continue
        file, _, anchor = target.partition("#")
        other = (path.parent / file).resolve() if file else path
        assert other.exists(), f"{page} links to {target}"
        if anchor and other.suffix in (".md", ".ipynb"):
            assert anchor in anchors(other), f"{page} links to {target}"


@pytest.mark.parametrize("page", PAGES)
def test_roles_name_what_there_is(page: str) -> None:
    labels = {label for other in PAGES for label in LABEL.findall(prose(source(other)))}
    known = {"term": glossary(), "ref": labels, "numref": labels}
    path = source(page)
    for role, target in ROLE.findall(prose(path)):
        if role == "doc":
            base = ROOT if target.startswith("/") else path.parent
            assert source(str((base / target.lstrip("/")).resolve().relative_to(ROOT)))
        elif not (role == "ref" and GENERATED.match(target)):
            assert target in known[role], f"{page}: {role} {target}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_title(page: str) -> None:
    assert len(re.findall(r"^# ", prose(source(page)), re.MULTILINE)) == 1


def test_the_glossary_is_in_order_and_holds_the_words_of_the_field() -> None:
    words = glossary()
    assert words == sorted(set(words), key=str.lower)
    assert {"stub", "referent id", "conformance", "orphaned memory", "midl_user_allocate"} <= set(words)


def test_jupyter_book_runs_no_chapter_by_itself() -> None:
    assert CONFIG["execute"]["execute_notebooks"] == "off"


def test_the_site_has_its_own_scripts_only() -> None:
    scripts = list(CONFIG["sphinx"]["config"]["nb_ipywidgets_js"])
    assert scripts
    assert CONFIG["sphinx"]["config"]["html_extra_path"] == ["web"]
    for script in scripts:
        assert (ROOT / "web" / script.removeprefix("../")).is_file(), script
    assert "dollarmath" not in CONFIG["parse"]["myst_enable_extensions"], "formulas would fetch MathJax"


def test_vendored_files_are_unchanged_and_all_named() -> None:
    there = {str(path.relative_to(VENDOR).as_posix()) for path in VENDOR.glob("*/*")}
    assert there == set(SUMS)
    for name, digest in SUMS.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_vendored_files_come_with_their_licences() -> None:
    for folder in (path for path in VENDOR.iterdir() if path.is_dir()):
        licence = folder / "LICENSE.txt"
        assert "Redistribution" in licence.read_text(encoding="utf-8") or "Permission" in licence.read_text()
        assert folder.name in (VENDOR / "README.md").read_text(encoding="utf-8")


def test_vendored_fonts_are_those_that_the_script_asks_for() -> None:
    script = (VENDOR / "html-manager/embed.js").read_text(encoding="utf-8")
    assert set(re.findall(r"[0-9a-f]{20}\.woff2", script)) == {path.name for path in VENDOR.rglob("*.woff2")}


def test_one_version_everywhere() -> None:
    version = importlib.metadata.version("rpcmemkit")
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_two_licences() -> None:
    assert "MIT License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Creative Commons Attribution 4.0 International" in (ROOT / "LICENSE-text").read_text(
        encoding="utf-8"
    )


def test_requirements_are_exact_and_hold_every_dependency() -> None:
    lines = [line.partition(";")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()]
    wanted = [line.strip() for line in lines if line.strip() and not line.startswith(("#", "-e"))]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in wanted)
    pinned = {line.partition("==")[0].lower() for line in wanted}
    declared = {
        re.split(r"[<>=!~; \[]", entry)[0].lower() for entry in importlib.metadata.requires("rpcmemkit") or ()
    }
    assert declared
    assert declared <= pinned
