"""The folder from which JupyterLite is built: the chapters, and everything that they read beside them."""

from __future__ import annotations

from pathlib import Path

from tools.lite import lay_files
from tools.notebooks import ROOT


def test_chapters_find_the_exhibits_and_their_questions(tmp_path: Path) -> None:
    lay_files(ROOT / "book", tmp_path)
    laid = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert {"exhibits/quiz.py", "exhibits/summary.yaml", "questions/summary.yaml", "summary.ipynb"} <= laid
    assert not any("__pycache__/" in name for name in laid)
