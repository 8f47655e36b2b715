"""A chapter for JupyterLab: its Markdown knows no MyST, its kernel has no Graphviz, and it believes nobody's outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import nbformat

BEGIN = """\
**This copy of the chapter runs in your browser.** Choose *Run → Run All Cells*, or run cell by cell with Shift+Enter.
Start with the next cell: it loads the program that draws the pictures. What you change stays in this browser."""
LOAD = "from rpcmemkit.notebook import browser\n\nawait browser.start()"

ROLE = re.compile(r"\{(doc|term|ref)\}`([^`<]+?)(?:\s*<([^`>]+)>)?`")
ATTRIBUTES = re.compile(r"(?<=[`\])])\{[.#][^{}\n]*\}|^\{[.#][^{}\n]*\}\n", re.MULTILINE)
LABEL = re.compile(r"^\(([\w-]+)\)=\n", re.MULTILINE)
FENCE = re.compile(r"^(:{3,})(?:\{([\w-]+)\}[ \t]*(.*))?$")
HIDDEN = {"hide-input": ["source"], "hide-output": ["outputs"], "hide-cell": ["source", "outputs"]}


Titles = Mapping[str, tuple[str, str]]
"""Of each page its title, and where JupyterLab finds it: nowhere when it is not a notebook."""


def browser_copy(text: str, names: Titles, words: Mapping[str, str]) -> str:
    """A notebook as JupyterLite shows it best: plain Markdown, trusted outputs, and a first cell that loads Graphviz.

    The stored outputs stay, so that the chapter can be read before its kernel runs.
    """
    notebook = nbformat.reads(text, as_version=4)  # joins the lines, which JupyterLite does not
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = plain(cell["source"], names, words)
        else:
            cell["metadata"] |= {"trusted": True} | hidden(cell["metadata"].get("tags", []))
            cell["execution_count"] = None  # so that one sees what has been run here
    notebook["metadata"]["kernelspec"] = {
        "display_name": "Python (Pyodide)",
        "language": "python",
        "name": "python",
    }
    notebook["cells"][1:1] = [
        {"cell_type": "markdown", "id": "in-the-browser", "metadata": {}, "source": BEGIN},
        {"cell_type": "code", "id": "load-pictures", "metadata": {"trusted": True}, "source": LOAD,
         "execution_count": None, "outputs": []},
    ]  # fmt: skip
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def hidden(tags: list[str]) -> dict[str, Any]:
    """What the tags of the book's pages hide, said so that JupyterLab hides it too."""
    parts = sorted({part for tag in tags for part in HIDDEN.get(tag, [])})
    return {"jupyter": {f"{part}_hidden": True for part in parts}} if parts else {}


# --- Markdown ------------------------------------------------------------------------------------


def plain(text: str, names: Titles, words: Mapping[str, str]) -> str:
    """MyST as far as this book uses it, in the Markdown that JupyterLab knows."""
    pieces = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    for index in range(0, len(pieces), 2):
        piece = LABEL.sub(r'<a id="\1"></a>\n\n', ATTRIBUTES.sub("", pieces[index]))
        piece = ROLE.sub(lambda found: role(found, names, words), piece)
        pieces[index] = definitions(unfenced(piece))
    return "".join(pieces)


def role(found: re.Match[str], names: Titles, words: Mapping[str, str]) -> str:
    """A reference: to a chapter a link, to a word of the glossary its explanation when one points at it, else its text."""
    kind, shown, target = found[1], found[2].strip(), (found[3] or found[2]).strip()
    if kind == "term":
        meaning = words.get(target.lower(), "")
        return f'<abbr title="{escape(meaning)}">{escape(shown)}</abbr>' if meaning else shown
    if kind == "ref":  # the label may stand in another chapter, or on a page that is no notebook
        return shown
    title, address = names.get(target, (shown, ""))
    title = shown if found[3] else title
    return f"[{title}]({address})" if address else f"*{title}*"


def unfenced(text: str) -> str:
    """Folds as HTML, other boxes as quotations."""
    lines: list[str] = []
    closing: list[tuple[int, str]] = []
    for line in text.split("\n"):
        fence = FENCE.match(line)
        if fence and fence[2]:
            title = fence[3] or fence[2].capitalize()
            if fence[2] == "dropdown":
                lines += [f"<details><summary>{title}</summary>", ""]
                closing.append((len(fence[1]), "</details>"))
            else:
                lines += [f"**{title}**", ""]
                closing.append((len(fence[1]), ""))
        elif fence and closing and len(fence[1]) == closing[-1][0]:
            lines += ["", closing.pop()[1]]
        elif not (closing and re.fullmatch(r":[\w-]+:.*", line)):  # an option of the box
            lines.append(line)
    return "\n".join(lines)


def definitions(text: str) -> str:
    """A list of definitions as a list."""
    return re.sub(r"^(?![-*>|#: ])(\S.*)\n(?:\n)?: +", r"- **\1** ", text, flags=re.MULTILINE)


# --- what references lead to ---------------------------------------------------------------------


def titles(folder: Path) -> dict[str, tuple[str, str]]:
    """The title of each page, and its address if it is a chapter."""
    found = {}
    for path in sorted(folder.iterdir()):
        text = path.read_text(encoding="utf-8") if path.suffix in {".ipynb", ".md"} else ""
        if path.suffix == ".ipynb":
            text = "".join(json.loads(text)["cells"][0]["source"])
        if heading := re.search(r"^# (.+)", text, re.MULTILINE):
            found[path.stem] = (heading[1], path.name if path.suffix == ".ipynb" else "")
    return found


def glossary(path: Path) -> dict[str, str]:
    """The first sentence about each word, without marks."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    body = "\n".join(re.findall(r"```\{glossary\}[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    found: dict[str, str] = {}
    for heads, meaning in re.findall(r"((?:^\S.*\n)+)((?:^(?: .*)?\n)+)", body, re.MULTILINE):
        said = (
            ROLE.sub(lambda one: one[2].strip(), " ".join(meaning.split())).replace("`", "").replace("*", "")
        )
        found |= {head.strip().lower(): re.split(r"(?<=[.:])\s", said)[0] for head in heads.splitlines()}
    return found
