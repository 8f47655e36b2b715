"""Write the table claim → evidence from the tests and scenario files that name claims.

python tools/evidence.py            write rpcmemkit/data/evidence.json
python tools/evidence.py --check    exit with 1 if it is not what the tests say
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "rpcmemkit" / "data" / "evidence.json"


def gather(items: Iterable[Any]) -> dict[str, dict[str, list[str]]]:
    """Return the evidence of collected tests: a test of a scenario file counts as that file."""
    found: dict[str, dict[str, set[str]]] = {}
    for item in items:
        for marker in item.iter_markers("claims"):
            kind, name = _evidence(item)
            for claim in marker.args:
                found.setdefault(claim, {"tests": set(), "scenarios": set()})[kind].add(name)
    return {
        claim: {kind: sorted(names) for kind, names in found[claim].items() if names}
        for claim in sorted(found)
    }


def _evidence(item: Any) -> tuple[str, str]:
    callspec = getattr(item, "callspec", None)
    for value in callspec.params.values() if callspec else ():
        if isinstance(value, Path) and value.suffix == ".yaml":
            return "scenarios", value.resolve().relative_to(ROOT).as_posix()
    return "tests", item.nodeid


def text(table: dict[str, dict[str, list[str]]]) -> str:
    """Return the table as the file holds it."""
    return json.dumps(table, indent=1, ensure_ascii=False) + "\n"


class _Collector:
    items: tuple[Any, ...] = ()

    def pytest_collection_finish(self, session: Any) -> None:
        self.items = tuple(session.items)


def main(arguments: list[str]) -> int:
    collector = _Collector()
    code = pytest.main(["--collect-only", "-q", "-q", "--no-cov", str(ROOT / "tests")], plugins=[collector])
    if code:
        print("the tests cannot be collected", file=sys.stderr)
        return 2
    new = text(gather(collector.items))
    if "--check" in arguments:
        return int(TABLE.read_text("utf-8") != new)
    TABLE.write_text(new, "utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
