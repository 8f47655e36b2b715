"""Let the search of the site find all that its pages have.

Its script leaves out words that are digits only, although its list of words has them. And Sphinx, when it builds anew only
the pages that changed, forgets the entries of the index of all others: so every build reads every page.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.errors import ExtensionError

SCRIPT = "_static/searchtools.js"
SKIPPED = re.compile(r"stopwords\.indexOf\(queryTermLower\) !== -1\s*\|\|\s*queryTerm\.match\(/\^\\d\+\$/\)")
KEPT = "stopwords.indexOf(queryTermLower) !== -1 /* numbers are kept */"


def keep_numbers(script: str) -> str:
    """Return the script without the part that skips numbers; one that is mended already stays as it is.

    Raises:
        ExtensionError: the script is not the one that is known here.
    """
    if KEPT in script:
        return script
    mended, times = SKIPPED.subn(KEPT, script)
    if times != 1:
        raise ExtensionError(
            f"{SCRIPT} skips numbers in another way than before: look at _ext/site_search.py"
        )
    return mended


def mend(app: Any, failed: Exception | None) -> None:
    """Mend the copy of the script that belongs to the site."""
    if failed is None and app.builder.format == "html":
        script = Path(app.outdir) / SCRIPT
        script.write_text(keep_numbers(script.read_text(encoding="utf-8")), encoding="utf-8")


def every_page(_app: Any, environment: Any, *_: Any) -> set[str]:
    """Every page is out of date."""
    pages: set[str] = environment.found_docs
    return pages


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("env-get-outdated", every_page)
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
