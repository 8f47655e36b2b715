"""Write into the copied settings what only this build knows: where its repository is, and what can be launched.

``python tools/site_config.py _build/src/_config.yml --lite --repository https://github.com/OWNER/NAME``

A site that is built on somebody's machine has no repository to link to, and without JupyterLite beside it nothing to
launch. So both are off unless they are asked for, and a button never leads nowhere.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

LITE = "../lite/notebooks/index.html"  # from a chapter, which lies one folder deep
BINDER = "https://mybinder.org"


def configured(settings: dict[str, Any], *, lite: bool, repository: str, branch: str) -> dict[str, Any]:
    """The settings with the buttons that this build can offer."""
    launch = dict(settings.get("launch_buttons", {}))
    html = dict(settings.get("html", {}))
    added: dict[str, Any] = {"launch_buttons": launch, "html": html}
    if lite:
        launch["jupyterlite_url"] = LITE
    if repository:
        launch["binderhub_url"] = BINDER
        html |= dict.fromkeys(("use_repository_button", "use_issues_button", "use_edit_page_button"), True)
        added["repository"] = {"url": repository.rstrip("/"), "branch": branch, "path_to_book": ""}
    return settings | added


def main() -> int:
    """Change the file in place."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path, help="the copy of _config.yml")
    parser.add_argument("--lite", action="store_true", help="JupyterLite will lie beside the book")
    parser.add_argument("--repository", default="", metavar="URL", help="where the project's source is")
    parser.add_argument("--branch", default="main", help="its branch")
    options = parser.parse_args()
    settings = yaml.safe_load(options.config.read_text(encoding="utf-8"))
    settings = configured(settings, lite=options.lite, repository=options.repository, branch=options.branch)
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    options.config.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
