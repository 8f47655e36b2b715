"""The pages that are looked up hold everything there is, each with an anchor and an entry of the index."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml

import rpcmemkit
from rpcmemkit import RULES
from rpcmemkit.claims import claims
from rpcmemkit.data import yaml_table
from rpcmemkit.idl.examples import examples
from rpcmemkit.idl.findings import findings
from rpcmemkit.status import STATUSES
from tools.notebooks import ROOT

pytest.importorskip("myst_parser")
import sphinx
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

BOOK = ROOT / "book"
PAGES = ("rules", "evidence", "status-codes", "diagnostics", "misconceptions", "command-line", "cite")
BELIEFS = yaml.safe_load((BOOK / "questions/misconceptions.yaml").read_text(encoding="utf-8"))
QUESTIONS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((BOOK / "questions").glob("*.yaml"))
    if path.stem != "misconceptions"
}
OTHER = """# Words

See {term}`full pointer`.

## Below

{term}`aliases <alias>` and {term}`once more <alias>`.

```{glossary}
alias
  A second {term}`full pointer`, which `CoTaskMemFree` knows nothing of.

full pointer
  One that keeps them.
```
"""


def build(source: Path, folder: Path, warnings: StringIO, *extensions: str) -> Sphinx:
    sys.path.insert(0, str(ROOT / "_ext"))
    settings = {"extensions": ["myst_parser", *extensions], "copyright": "2026", "myst_enable_extensions": []}
    app = Sphinx(
        source, None, folder / "out", folder / "trees", "dummy", settings, status=None, warning=warnings
    )
    app.build()
    return app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Sphinx:
    """The reference pages and one empty chapter, read by Sphinx; the others that they would link to are missing."""
    folder = tmp_path_factory.mktemp("reference")
    source = folder / "source"
    (source / "book").mkdir(parents=True)
    for page in PAGES:
        (source / f"book/{page}.md").write_text((BOOK / f"{page}.md").read_text("utf-8"), "utf-8")
    for name in ("book/questions", "book/examples", "tests", "CITATION.cff"):
        (source / name).symlink_to(ROOT / name)
    (source / "book/one-call.md").write_text("# One call\n", "utf-8")
    (source / "index.md").write_text(OTHER, "utf-8")
    return build(source, folder, StringIO(), "reference", "word_index")


def anchors(app: Sphinx, page: str) -> set[str]:
    found = app.env.get_doctree(f"book/{page}").findall(nodes.Element)
    return {anchor for node in found for anchor in node.get("ids", ())}


def index(app: Sphinx, page: str) -> set[str]:
    return {entry[1] for entry in app.env.get_domain("index").entries[page]}


# --- everything is there -------------------------------------------------------------------------

THERE = {
    "rules": list(RULES),
    "evidence": [id_.lower() for id_ in claims()],
    "status-codes": [status.name.lower().replace("_", "-") for status in STATUSES],
    "diagnostics": [code.lower() for code in findings()],
    "misconceptions": list(BELIEFS),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", THERE)
def test_each_has_an_anchor(app: Sphinx, page: str) -> None:
    assert set(THERE[page]) - anchors(app, page) == set()


@pytest.mark.slow
@pytest.mark.parametrize("page", THERE)
def test_each_is_in_the_index(app: Sphinx, page: str) -> None:
    named = {words.split(" (")[0].lower().replace("_", "-") for words in index(app, f"book/{page}")}
    assert set(THERE[page]) - named == set()


@pytest.mark.slow
def test_a_number_of_midl_leads_to_its_findings(app: Sphinx) -> None:
    links = app.env.get_doctree("book/diagnostics").findall(addnodes.pending_xref)
    led_to = {link.astext() for link in links}
    assert {f"MIDL{one.midl} → {code}" for code, one in findings().items() if one.midl} <= led_to


@pytest.mark.slow
def test_a_status_tells_its_number_and_every_name(app: Sphinx) -> None:
    text = app.env.get_doctree("book/status-codes").astext()
    for status in STATUSES:
        assert f"{status.code} (0x{status.code:X})" in text
        assert all(name in text for name in status.aliases)


@pytest.mark.slow
def test_a_status_is_found_by_each_form_of_its_number(app: Sphinx) -> None:
    there = index(app, "book/status-codes")
    for form in ("1783", "0x6F7", "0x800706F7"):
        assert f"{form}; RPC_X_BAD_STUB_DATA" in there
    assert "0x800706F7" in app.env.get_doctree("book/status-codes").astext()
    assert not any(words.startswith("0x8007") and "RPC_S_OK" in words for words in there)


@pytest.mark.slow
def test_a_status_that_the_kit_raises_has_its_modules_and_rules(app: Sphinx) -> None:
    entries = app.env.get_doctree("book/status-codes").findall(addnodes.desc)
    told = {entry[0]["ids"][0]: entry.astext() for entry in entries}
    assert "rpcmemkit.stubs.models" in told["rpc-x-byte-count-too-small"]
    assert "byte-count-too-small" in told["rpc-x-byte-count-too-small"]
    assert "buffer-too-small.yaml" in told["rpc-x-byte-count-too-small"]
    assert "a routine may raise it" in told["rpc-s-access-denied"]


@pytest.mark.slow
def test_evidence_names_every_proof_and_marks_what_is_only_told(app: Sphinx) -> None:
    entries = app.env.get_doctree("book/evidence").findall(addnodes.desc)
    told = {entry[0]["ids"][0]: entry.astext() for entry in entries}
    for claim in claims().values():
        text = told[claim.id.lower()]
        assert all(proof in text for proof in (*claim.tests, *claim.scenarios))
        assert ("told only" in text) is not claim.testable


@pytest.mark.slow
def test_the_citation_is_that_of_the_file(app: Sphinx) -> None:
    text = app.env.get_doctree("book/cite").astext()
    assert f"version {rpcmemkit.__version__}, 2026." in text
    assert "@software{rpcmemkit," in text


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.slow
def test_every_command_and_option_is_on_the_page(app: Sphinx) -> None:
    text = app.env.get_doctree("book/command-line").astext()
    there = index(app, "book/command-line")
    for name, parser in import_module("reference_commands").commands().items():
        assert f"rpcmemkit {name}".strip() in text
        for action in parser._actions:
            if action.option_strings and "--help" not in action.option_strings:
                assert all(f"{each}; rpcmemkit {name}".strip() in there for each in action.option_strings)


@pytest.mark.slow
def test_every_command_has_an_example_that_was_run(app: Sphinx) -> None:
    blocks = app.env.get_doctree("book/command-line").findall(nodes.literal_block)
    shown = "\n".join(block.astext() for block in blocks if block["language"] == "console")
    for name in import_module("reference_commands").commands():
        assert f"$ rpcmemkit {name}" in shown
    assert "1 agree, 1 differ, 0 could not run" in shown


def test_only_the_program_itself_is_run() -> None:
    sys.path.insert(0, str(ROOT / "_ext"))
    run = import_module("reference_commands").run
    assert run("rm -rf x", BOOK / "examples")[0] == 127
    assert run("rpcmemkit nonsense", BOOK / "examples")[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```{reference} nothing\n```", "there is no reference 'nothing'"),
        ("```{terminal}\nrpcmemkit check faulty.idl\n```", "exit code 1"),
    ],
)
def test_a_mistake_in_a_page_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "source/book").mkdir(parents=True)
    (tmp_path / "source/book/examples").symlink_to(BOOK / "examples")
    (tmp_path / "source/index.md").write_text(f"# Page\n\n{text}\n", "utf-8")
    warnings = StringIO()
    build(tmp_path / "source", tmp_path, warnings, "reference")
    assert message in warnings.getvalue()


# --- the index of words --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_word_leads_to_each_section_that_links_it_once(app: Sphinx) -> None:
    found = [entry[1:3] for entry in app.env.get_domain("index").entries["index"]]
    assert [entry for entry in found if "; " in entry[0]] == [
        ("full pointer; Words", "words"),
        ("alias; Words", "below"),
        ("CoTaskMemFree; Words", "term-alias"),
    ]


# --- the search ----------------------------------------------------------------------------------


def test_the_script_of_the_search_is_mended_once_and_an_unknown_one_is_refused() -> None:
    sys.path.insert(0, str(ROOT / "_ext"))
    search = import_module("site_search")
    script = (Path(sphinx.__file__).parent / "themes/basic/static/searchtools.js").read_text("utf-8")
    mended = search.keep_numbers(script)
    assert mended != script
    assert search.keep_numbers(mended) == mended
    with pytest.raises(ExtensionError, match="skips numbers in another way"):
        search.keep_numbers("const Search = {};")


# --- how long it takes ---------------------------------------------------------------------------


def test_times_are_those_that_the_chapters_tell(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "book").mkdir(parents=True)
    for name, minutes in (("one-call", 40), ("summary", 45), ("orphaning", 35)):
        head = f"# {name}\n\n**Time:** about {minutes} minutes with the questions."
        (source / f"book/{name}.ipynb").write_text(head, "utf-8")
    (source / "index.md").write_text("# Page\n\n```{reference} times\n```\n", "utf-8")
    sys.path.insert(0, str(ROOT / "_ext"))
    kinds = {".md": "markdown", ".ipynb": "markdown"}
    settings = {"extensions": ["myst_parser", "reference"], "source_suffix": kinds}
    app = Sphinx(source, None, tmp_path, tmp_path, "dummy", settings, status=None, warning=StringIO())
    app.build()
    said = app.env.get_doctree("index").astext()
    assert "The 3 chapters take 35 to 45 minutes each" in said
    assert "about 2 hours together" in said
    assert "about 85 minutes" in said


# --- docstrings ----------------------------------------------------------------------------------


def test_a_block_of_exceptions_becomes_fields() -> None:
    sys.path.insert(0, str(ROOT / "_ext"))
    lines = [
        "The size: in bytes.",
        "",
        "Raises:",
        "    UsageError: it is",
        "        no pointer.",
        "",
        "More.",
    ]
    import_module("docstrings").fields(None, "method", "x", None, None, lines)
    assert lines == [
        "The size: in bytes.",
        "",
        "",
        ":raises UsageError: it is",
        "    no pointer.",
        "",
        "More.",
    ]


def test_every_public_name_is_in_the_reference() -> None:
    page = (BOOK / "api.md").read_text("utf-8")
    entered = set(re.findall(r"^\.\. auto\w+:: (\w+)$", page, re.MULTILINE))
    assert entered == set(rpcmemkit.__all__)
    modules = (BOOK / "api-modules.md").read_text("utf-8")
    for name in ("contract", "notebook", "claims", "scenario"):
        assert f".. automodule:: rpcmemkit.{name}\n" in modules


# --- the data behind the pages -------------------------------------------------------------------


def test_every_finding_has_an_example() -> None:
    assert set(examples()) == set(findings())


@pytest.mark.parametrize("code", findings())
def test_the_wrong_text_earns_the_finding_and_its_neighbour_nothing(code: str) -> None:
    example = examples()[code]
    assert example.finding().code == code
    assert example.mended.findings() == []


def test_every_status_is_explained() -> None:
    assert list(yaml_table("statuses.yaml")) == [status.name for status in STATUSES]
    assert all(row["tells"].endswith(".") for row in yaml_table("statuses.yaml").values())


def cited_pages() -> set[str]:
    cited = [source for rule in RULES.values() for source in rule.sources]
    cited += [source for claim in claims().values() for source in claim.source]
    cited += [finding.page for finding in findings().values()]
    cited += [page for row in yaml_table("statuses.yaml").values() for page in row["pages"]]
    cited += [row["asked"] for row in BELIEFS.values()]
    return {found[0] for source in cited if (found := re.match(r"[\w.-]+\.md\b", source))}


def test_every_page_that_is_cited_has_an_address_and_a_title() -> None:
    pages = yaml_table("pages.yaml")
    assert cited_pages() - set(pages) == set()
    assert all(page["folder"] and page["title"] for page in pages.values())


# --- questions -----------------------------------------------------------------------------------


def wrong_answers() -> Iterator[tuple[str, Any]]:
    for questions in QUESTIONS.values():
        for question in questions:
            yield from ((question["id"], answer) for answer in question["answers"])


def test_an_id_of_a_question_is_used_once() -> None:
    ids = [question["id"] for questions in QUESTIONS.values() for question in questions]
    assert sorted(ids) == sorted(set(ids))


def test_three_of_four_answers_stand_for_a_misconception() -> None:
    for questions in QUESTIONS.values():
        for question in questions:
            named = [answer.get("misconception") for answer in question["answers"]]
            assert (len(named), named.count(None)) == (4, 1), question["id"]


def test_every_wrong_answer_names_a_known_misconception() -> None:
    named = {(id_, answer["misconception"]) for id_, answer in wrong_answers() if answer.get("misconception")}
    assert [pair for pair in named if pair[1] not in BELIEFS] == []


def test_every_misconception_is_tested_somewhere() -> None:
    used = {answer.get("misconception") for _, answer in wrong_answers()}
    assert [name for name in BELIEFS if name not in used] == []


@pytest.mark.parametrize("chapter", QUESTIONS)
def test_every_question_is_asked_in_its_chapter(chapter: str) -> None:
    cells = json.loads((BOOK / f"{chapter}.ipynb").read_text("utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert [each["id"] for each in QUESTIONS[chapter] if f'"{each["id"]}"' not in code] == []


def test_a_misconception_leads_to_its_question_where_the_chapter_is_there(app: Sphinx) -> None:
    found = {
        node.get("refuri", "") for node in app.env.get_doctree("book/misconceptions").findall(nodes.reference)
    }
    assert any(uri.endswith("#quiz-first-write") for uri in found)
    assert not any("#quiz-orphaning" in uri for uri in found)
