"""What must hold for every chapter: each check takes a notebook and gives a list of what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Notebook = dict[str, Any]

LONGEST_CELL = 8
WIDEST_LINE = 80
MOST_WORDS = 2100
MOST_CODE_CELLS = 32
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"

FOLDERS = "(?:home|root|tmp|work|Users|opt|usr|var)"
MACHINE_PATH = re.compile(rf"(?<![\w./:<-])/{FOLDERS}/\w|\b[A-Z]:\\{{1,2}}Users|site-packages|ipykernel_\d")
LOOKED_UP = re.compile(r'page\.show\("K\d+"\)')
OBJECT_REPR = re.compile(r"<[^<>\n]{1,200} at 0x[0-9a-fA-F]+>|<IPython\.core\.display\.\w+ object")
DRAWING = re.compile(r"<svg\b[^>]*>(?:\s*<title\b[^>]*>\s*[^\s<])?", re.IGNORECASE)
IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
MARKDOWN_IMAGE = re.compile(r"!\[\s*\]\(|```\{(?:image|figure)\}(?![^`]*:alt:\s*\S)")


def text_of(value: Any) -> str:
    """Notebook text is stored as one string or as a list of lines."""
    return "".join(value) if isinstance(value, list) else str(value)


def code_cells(notebook: Notebook) -> Iterator[tuple[str, Any]]:
    """The code cells with a name that helps to find them."""
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] == "code":
            yield f"cell {number}", cell


def outputs(notebook: Notebook) -> Iterator[tuple[str, Any, Any]]:
    """Every output, with the name of its cell and the cell."""
    for name, cell in code_cells(notebook):
        for output in cell["outputs"]:
            yield name, cell, output


def shown_texts(notebook: Notebook) -> Iterator[tuple[str, str]]:
    """Every text that an output shows: streams, errors, each form of a display, and what lies inside widgets."""
    for name, _, output in outputs(notebook):
        yield name, text_of(output.get("text", ""))
        yield name, "\n".join([output.get("evalue", ""), *output.get("traceback", [])])
        for kind, value in output.get("data", {}).items():
            if not kind.endswith("json"):
                yield name, text_of(value)
    for model in widget_state(notebook).values():
        yield "a widget", text_of(model["state"].get("value", ""))


def widget_state(notebook: Notebook) -> dict[str, Any]:
    """The stored widgets by their ids."""
    state = notebook["metadata"].get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    assert isinstance(state, dict)
    return state


def executed_in_order(notebook: Notebook) -> list[str]:
    counts = [cell["execution_count"] for _, cell in code_cells(notebook)]
    return [] if counts == list(range(1, len(counts) + 1)) else [f"execution counts are {counts}"]


def no_empty_cells(notebook: Notebook) -> list[str]:
    cells = enumerate(notebook["cells"], start=1)
    return [f"cell {number} is empty" for number, cell in cells if not text_of(cell["source"]).strip()]


def nothing_of_this_machine(notebook: Notebook) -> list[str]:
    found = [
        f"{name}: {hit[0]}" for name, text in shown_texts(notebook) for hit in MACHINE_PATH.finditer(text)
    ]
    for number, cell in enumerate(notebook["cells"], start=1):
        found += [f"cell {number}: {hit[0]}" for hit in MACHINE_PATH.finditer(text_of(cell["source"]))]
    return found


def no_object_reprs(notebook: Notebook) -> list[str]:
    return [f"{name}: {hit[0]}" for name, text in shown_texts(notebook) for hit in OBJECT_REPR.finditer(text)]


def nothing_on_stderr(notebook: Notebook) -> list[str]:
    return [
        f"{name}: {text_of(out['text'])[:80]}"
        for name, _, out in outputs(notebook)
        if out.get("name") == "stderr"
    ]


def errors_are_meant(notebook: Notebook) -> list[str]:
    found = []
    for name, cell in code_cells(notebook):
        failed = any(output["output_type"] == "error" for output in cell["outputs"])
        if failed != ("raises-exception" in cell["metadata"].get("tags", [])):
            found.append(
                f"{name}: " + ("fails" if failed else "is tagged raises-exception but does not fail")
            )
    return found


def fixed_metadata(notebook: Notebook) -> list[str]:
    found = (
        [] if notebook["metadata"].get("kernelspec") == KERNELSPEC else ["kernelspec is not the common one"]
    )
    if "version" in notebook["metadata"].get("language_info", {}):
        found.append("language_info names a Python version")
    return found + [
        f"{name}: timings are stored"
        for name, cell in code_cells(notebook)
        if "execution" in cell["metadata"]
    ]


def short_cells(notebook: Notebook) -> list[str]:
    lengths = {name: len(text_of(cell["source"]).strip().splitlines()) for name, cell in code_cells(notebook)}
    return [f"{name}: {length} lines" for name, length in lengths.items() if length > LONGEST_CELL]


def narrow_cells(notebook: Notebook) -> list[str]:
    """A line of code fits into the page's column."""
    lines = [
        (name, line) for name, cell in code_cells(notebook) for line in text_of(cell["source"]).splitlines()
    ]
    return [f"{name}: {line}" for name, line in lines if len(line) > WIDEST_LINE]


def readable_length(notebook: Notebook) -> list[str]:
    """A chapter that readers finish (book-length chapters of the best executable books end at about this size).

    A cell that only shows an entry of a list is looked up, not read through, and does not count.
    """
    prose = [text_of(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    steps = [cell for _, cell in code_cells(notebook) if not LOOKED_UP.fullmatch(text_of(cell["source"]))]
    words, cells = len(" ".join(prose).split()), len(steps)
    found = [] if words <= MOST_WORDS else [f"{words} words"]
    return found if cells <= MOST_CODE_CELLS else [*found, f"{cells} code cells"]


def pictures_have_words(notebook: Notebook) -> list[str]:
    found = []
    for name, cell, output in outputs(notebook):
        picture = [kind for kind in output.get("data", {}) if kind.startswith("image/")]
        image = cell["metadata"].get("mystnb", {}).get("image", {})
        if picture and "text/html" not in output["data"] and not str(image.get("alt", "")).strip():
            found.append(f"{name}: {picture[0]} without mystnb.image.alt")
    for name, text in shown_texts(notebook):
        found += [f"{name}: {tag[0][:60]}" for tag in DRAWING.finditer(text) if not drawing_is_named(tag[0])]
        found += [f"{name}: {tag[0][:60]}" for tag in IMAGE.finditer(text) if not attribute(tag[0], "alt")]
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell["cell_type"] == "markdown" and MARKDOWN_IMAGE.search(text_of(cell["source"])):
            found.append(f"cell {number}: a picture without alternative text")
    return found


def attribute(tag: str, name: str) -> str:
    """The value of an attribute in the text of a tag."""
    match = re.search(rf"""\b{name}=(["'])(.*?)\1""", tag, re.DOTALL)
    return match[2].strip() if match else ""


def drawing_is_named(tag: str) -> bool:
    """Whether an ``<svg>`` has a title, a label, or says that it is decoration."""
    named = attribute(tag, "aria-label") or attribute(tag, "aria-labelledby") or "<title" in tag.lower()
    return bool(named) or attribute(tag, "aria-hidden") == "true"


def displays_have_text(notebook: Notebook) -> list[str]:
    found = []
    for name, _, output in outputs(notebook):
        if output["output_type"] in ("display_data", "execute_result"):
            text = text_of(output["data"].get("text/plain", ""))
            found += [] if text.strip() else [f"{name}: an output without text/plain"]
    return found


def widgets_are_whole(notebook: Notebook) -> list[str]:
    """Every widget shown is stored, and ids are numbers that do not change from run to run."""
    state = widget_state(notebook)
    found = [f"widget id {model} is random" for model in state if not model.startswith("0" * 24)]
    for name, _, output in outputs(notebook):
        model = output.get("data", {}).get(WIDGET_VIEW, {}).get("model_id")
        if model is not None and model not in state:
            found.append(f"{name}: widget {model} is not stored")
    return found


def steppers_have_a_reading(notebook: Notebook) -> list[str]:
    """A widget is followed, in its cell or in the next code cell, by the same in words."""
    cells = list(code_cells(notebook))
    found = []
    for (name, cell), following in zip(cells, [*cells[1:], None], strict=True):
        kinds = [set(output.get("data", {})) for output in cell["outputs"]]
        if not any(WIDGET_VIEW in kind for kind in kinds):
            continue
        after = [set(output.get("data", {})) for output in following[1]["outputs"]] if following else []
        if not any(
            kind & {"text/html", "text/markdown"} and WIDGET_VIEW not in kind for kind in kinds + after
        ):
            found.append(f"{name}: a widget without a reading in words")
    return found


CHECKS = (
    executed_in_order,
    no_empty_cells,
    nothing_of_this_machine,
    no_object_reprs,
    nothing_on_stderr,
    errors_are_meant,
    fixed_metadata,
    short_cells,
    narrow_cells,
    readable_length,
    pictures_have_words,
    displays_have_text,
    widgets_are_whole,
    steppers_have_a_reading,
)
