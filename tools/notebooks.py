"""Run the chapters so that the same code always stores the same bytes.

``python tools/notebooks.py``                      runs every chapter of the table of contents and stores its outputs
``python tools/notebooks.py book/one-call.ipynb``  runs the named chapters only
``python tools/notebooks.py --into _build/src``    leaves the tree alone: a copy with fresh outputs, for the site

Nothing of the machine stays in a notebook: no timings, no kernel of a strange name, no random widget ids, no
addresses. ``--strict`` fails when what is stored is not what the code gives now.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import yaml
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
HOST_TRACES = re.compile(r"<[^<>\n]{1,200} at 0x[0-9a-fA-F]+>|ipykernel_\d+")
NOT_COPIED = {"__pycache__", "_build", "dist", "htmlcov", "node_modules", "venv"}


def chapters() -> list[Path]:
    """The notebooks named in the table of contents, in its order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [path for name in pages(toc) if (path := ROOT / f"{name}.ipynb").exists()]


def pages(entry: dict[str, Any]) -> list[str]:
    """The pages of one entry of the table of contents and of everything below it."""
    below = [*entry.get("parts", []), *entry.get("chapters", []), *entry.get("sections", [])]
    own = [entry[key] for key in ("root", "file") if key in entry]
    return own + [page for part in below for page in pages(part)]


def run(path: Path) -> str:
    """The text of the notebook at ``path`` after running all its cells in a fresh kernel."""
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE})
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number:02}"
        cell.metadata.pop("execution", None)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
        resources={"metadata": {"path": str(path.parent)}},
    ).execute()
    notebook.metadata["language_info"] = nbformat.from_dict(LANGUAGE)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        if output.output_type == "error":  # frames name files of this machine; the message is what teaches
            output.traceback = [f"{output.ename}: {output.evalue}"]
    nbformat.validate(notebook)
    text: str = nbformat.writes(number_widgets(notebook))
    if found := HOST_TRACES.search(text):
        raise ValueError(f"an output shows {found.group()}: give the object a repr of its own")
    return text.rstrip("\n") + "\n"


def number_widgets(notebook: Any) -> Any:
    """Replace random widget ids by numbers, in the order in which the widgets were made."""
    state = (
        notebook.metadata.get("widgets", {})
        .get("application/vnd.jupyter.widget-state+json", {})
        .get("state", {})
    )
    numbers = {model: f"{number:032x}" for number, model in enumerate(state, start=1)}
    text = re.sub(r"[0-9a-f]{32}", lambda found: numbers.get(found[0], found[0]), json.dumps(notebook))
    return nbformat.from_dict(json.loads(text))


def attempt(path: Path) -> tuple[str, str]:
    """``(text, "")`` of a chapter that runs, ``("", why)`` of one that does not."""
    try:
        return run(path), ""
    except (CellExecutionError, ValueError) as problem:
        return "", str(problem)


def mirror(source: Path, target: Path) -> None:
    """Make ``target`` the same tree as ``source``, touching only what differs: the build then redoes only that."""
    wanted = {
        entry.name
        for entry in source.iterdir()
        if entry.name not in NOT_COPIED
        and not entry.name.startswith(".")
        and not entry.name.endswith(".egg-info")
    }
    target.mkdir(parents=True, exist_ok=True)
    for entry in target.iterdir():
        if entry.name not in wanted:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for name in sorted(wanted):
        if (source / name).is_dir():
            mirror(source / name, target / name)
        elif (source / name).suffix != ".ipynb":
            store((source / name).read_bytes(), target / name)


def store(content: bytes, path: Path) -> bool:
    """Write ``content`` to ``path`` if it differs from what is there; say whether it did."""
    if path.exists() and path.read_bytes() == content:
        return False
    path.write_bytes(content)
    return True


def main() -> int:
    """Run the chapters; 1 when one fails, or with ``--strict`` when a stored output is out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("chapters", nargs="*", type=Path, help="chapters to run; all when none is named")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="write a copy of the tree instead")
    parser.add_argument("--strict", action="store_true", help="fail when stored outputs are out of date")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="chapters at a time")
    options = parser.parse_args()

    os.environ.update(PYTHONHASHSEED="0", PYDEVD_DISABLE_FILE_VALIDATION="1", JUPYTER_PLATFORM_DIRS="1")
    paths = [path.resolve() for path in options.chapters] or chapters()
    with tempfile.TemporaryDirectory() as profile:
        os.environ["IPYTHONDIR"] = profile  # no start-up files of whoever runs this
        with ProcessPoolExecutor(options.jobs) as pool:
            results = dict(zip(paths, pool.map(attempt, paths), strict=True))

    if options.into:
        mirror(ROOT, options.into)
    failed, stale = [], []
    for path, (text, problem) in results.items():
        name = path.relative_to(ROOT)
        if problem:
            failed.append(name)
            print(f"{name}: {problem}", file=sys.stderr)
            continue
        if path.read_bytes() != text.encode():
            stale.append(name)
        store(text.encode(), options.into / name if options.into else path)
    for name in stale:
        print(
            f"{name}: "
            + ("stored outputs are out of date, run `make notebooks`" if options.into else "changed")
        )
    print(f"{len(paths)} chapters run, {len(failed)} failed, {len(stale)} with changed outputs")
    return 1 if failed or (options.strict and stale) else 0


if __name__ == "__main__":
    sys.exit(main())
