"""A chapter for JupyterLab: plain Markdown, hidden solutions, trusted outputs, and a first cell that loads Graphviz."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.lite_pages import browser_copy, glossary, plain, titles

NAMES = {"one-call": ("One remote call", "one-call.ipynb"), "glossary": ("Glossary", "")}
WORDS = {"stub": 'Code that MIDL makes: "stub".'}


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("see {doc}`one-call`", "see [One remote call](one-call.ipynb)"),
        ("see {doc}`that <one-call>`", "see [that](one-call.ipynb)"),
        ("see {doc}`glossary`", "see *Glossary*"),
        ("see {doc}`elsewhere`", "see *elsewhere*"),
        (
            "two {term}`stubs <stub>`",
            'two <abbr title="Code that MIDL makes: &quot;stub&quot;.">stubs</abbr>',
        ),
        ("a {term}`proxy`", "a proxy"),
        ("{ref}`the rule <rule:ref-never-null>`", "the rule"),
        ("(here)=\n## Title", '<a id="here"></a>\n\n## Title'),
        ("`x`{.c} and `y`", "`x` and `y`"),
        ("a `{parameter}` stays", "a `{parameter}` stays"),
        ("```c\n{doc}`one-call`\n```\n", "```c\n{doc}`one-call`\n```\n"),
        ("stub\n: It copies.\n", "- **stub** It copies.\n"),
    ],
)
def test_markdown(myst, markdown):
    assert plain(myst, NAMES, WORDS) == markdown


def test_folds_and_boxes():
    text = "::::{note}\nA.\n:::{dropdown} Why\n:open:\nBecause.\n:::\n::::\nB."
    assert plain(text, {}, {}).split() == (
        ["**Note**", "A.", "<details><summary>Why</summary>", "Because.", "</details>", "B."]
    )


def test_a_chapter():
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# Title\n", "{doc}`one-call`"]},
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {"tags": ["hide-cell"]},
            "execution_count": 1,
            "source": "1",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["two\n", "lines"]}],
        },
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    made = json.loads(browser_copy(json.dumps(notebook), NAMES, {}))["cells"]
    assert made[0]["source"].endswith("[One remote call](one-call.ipynb)")
    assert [cell["cell_type"] for cell in made] == ["markdown", "markdown", "code", "code"]
    assert "await browser.start()" in made[2]["source"]
    assert made[3]["metadata"]["jupyter"] == {"outputs_hidden": True, "source_hidden": True}
    assert made[3]["metadata"]["trusted"]
    assert made[3]["outputs"][0]["text"] == "two\nlines"
    assert made[3]["execution_count"] is None


def test_titles_and_words(tmp_path: Path):
    chapter = {"cells": [{"source": ["# One\n", "text"]}]}
    (tmp_path / "one.ipynb").write_text(json.dumps(chapter))
    (tmp_path / "two.md").write_text("---\nx: y\n---\n# Two\n")
    assert titles(tmp_path) == {"one": ("One", "one.ipynb"), "two": ("Two", "")}
    page = tmp_path / "glossary.md"
    page.write_text(
        "# G\n\n```{glossary}\nstub\nproxy\n  It {term}`marshals <marshal>` `x`.\n  More.\n\nview\n  One.\n```\n"
    )
    assert glossary(page) == {"stub": "It marshals x.", "proxy": "It marshals x.", "view": "One."}
