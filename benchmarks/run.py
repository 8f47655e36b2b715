"""How fast the kit is, each figure beside its target: ``python benchmarks/run.py``, or ``make bench``.

README.md beside this file says how to read the table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE)]

from shapes import HEADER, SHAPES, procedures  # noqa: E402

SMALL = f"{HEADER} typedef struct {{ long cents; }} PRICE; void f([in, out] PRICE *price); }}"
TIMES_IMPACKET = {"P2": (40, 60), "P3": (12, 80), "P4": (30, 60)}
PROCEDURES = 70


class Row(NamedTuple):
    """A figure beside its target; ``at_least`` says on which side of it is good. Some have none: they are for reading."""

    what: str
    figure: float
    unit: str
    target: float | None = None
    at_least: bool = False

    def __str__(self) -> str:
        head = f"{self.what:58} {self.figure:10.4g} {self.unit:12}"
        if self.target is None:
            return head.rstrip()
        met = self.figure >= self.target if self.at_least else self.figure <= self.target
        return f"{head} {'≥' if self.at_least else '≤'} {self.target:<6g} {'met' if met else 'MISSED'}"


class Bench:
    """Runs measurements in processes of their own; ``scale`` makes every number of elements smaller."""

    def __init__(self, scale: float, rounds: int, folder: Path) -> None:
        self.scale, self.rounds, self.folder = scale, rounds, folder
        # Compiled modules are kept as an installed package has them, whatever the caller's Python does.
        self.environment = {
            name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
        } | {"PYTHONPYCACHEPREFIX": str(folder / "cache"), "PYTHONPATH": str(HERE.parent)}

    def count(self, elements: int) -> int:
        return max(int(elements * self.scale), 30)

    def figures(self, kind: str, shape: str, elements: int, rounds: int | None = None) -> dict[str, float]:
        numbers = [str(self.count(elements)), str(rounds or self.rounds)]
        command = [sys.executable, str(HERE / "measure.py"), kind, shape, *numbers]
        done = subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE)  # noqa: S603
        return dict(json.loads(done.stdout))

    def seconds(self, *arguments: str) -> float:
        """The processor time of a Python process, from its start to its end: the median of several, after a first one."""
        command = [sys.executable, *arguments]
        times = []
        for _ in range(2 * self.rounds + 1):
            child = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL)  # noqa: S603
            times.append(_processor_time(child))
        return median(times[1:])


def _processor_time(child: subprocess.Popen[bytes]) -> float:
    if not hasattr(os, "wait4"):
        raise SystemExit("processor time of other processes needs a Unix")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{child.args} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def beside_impacket(bench: Bench) -> Iterator[Row]:
    """Marshalling and unmarshalling alone."""
    for name, shape in SHAPES.items():
        count = bench.count(shape.elements)
        title = f"{name} {shape.title}, {count:,}"
        if find_spec("impacket"):
            found = bench.figures("compare", name, shape.elements)
        else:
            found = bench.figures("alone", name, shape.elements)
        for way, target in zip(("marshal", "unmarshal"), TIMES_IMPACKET.get(name, (None, None)), strict=True):
            yield Row(f"{title}: {way}", found[way], "µs/element")
            if f"{way} ratio" in found:
                yield Row("    times impacket", found[f"{way} ratio"], "×", target, at_least=True)


def lists(bench: Bench) -> Iterator[Row]:
    """A node of a long list costs what one of a short list does."""
    short = bench.figures("alone", "P4", 10_000)
    for elements in (100_000, 1_000_000):
        long = bench.figures("alone", "P4", elements, 1)
        for way in ("marshal", "unmarshal"):
            title = f"list of {bench.count(elements):,} against {bench.count(10_000):,}, a node: {way}"
            yield Row(title, long[way] / short[way], "×", 2)


def whole_calls(bench: Bench) -> Iterator[Row]:
    """Python values to Python values, the audit, and what is kept."""
    for name in TIMES_IMPACKET:
        shape = SHAPES[name]
        found = bench.figures("whole", name, shape.elements)
        found |= bench.figures("memory", name, shape.elements)
        yield Row(f"{name} {shape.title}: whole call", found["call"], "µs/element", 8)
        yield Row(f"{name} {shape.title}: audit and counts", found["audit"], "µs/element", 5)
        yield Row(f"{name} {shape.title}: memory with records", found["memory"], "bytes/element", 150)


def many_calls(bench: Bench) -> Iterator[Row]:
    """The last thousand of 20,000 calls take what the first did; a tenth more is noise."""
    found = bench.figures("series", "P4", 20_000)
    yield Row("20,000 calls in a session: the first 1,000", found["first"], "µs/call")
    yield Row("    the last 1,000 against them", found["last"] / found["first"], "×", 1.1)


def starts(bench: Bench) -> Iterator[Row]:
    """Fresh processes."""
    small, many, few = (bench.folder / f"{name}.idl" for name in ("small", "many", "few"))
    small.write_text(SMALL, encoding="utf-8")
    count = bench.count(PROCEDURES)
    many.write_text(procedures(count), encoding="utf-8")
    few.write_text(procedures(count // 5), encoding="utf-8")
    session = f"; rpcmemkit.Session({SMALL!r})"
    bare = bench.seconds("-c", "pass")
    imported = bench.seconds("-c", "import rpcmemkit")
    engine = bench.seconds("-c", "import rpcmemkit; rpcmemkit.Session")
    whole = bench.seconds("-c", f"import rpcmemkit{session}")
    command = ("-m", "rpcmemkit.cli")
    yield Row("bare Python", bare * 1e3, "ms")
    yield Row("import rpcmemkit, over bare Python", (imported - bare) * 1e3, "ms", 40)
    yield Row("    and the engine, when something of it is asked for", (engine - bare) * 1e3, "ms")
    yield Row("first Session, over an engine that is imported", (whole - engine) * 1e3, "ms", 120)
    yield Row("    over bare Python, with every import", (whole - bare) * 1e3, "ms")
    yield Row(
        "rpcmemkit check of a small file, whole process",
        bench.seconds(*command, "check", str(small)),
        "s",
        0.25,
    )
    explained = bench.seconds(*command, "explain", "--json", str(many))
    yield Row(f"rpcmemkit explain of {count} procedures, whole process", explained, "s", 2)
    sizes = [_json_size(bench, path) for path in (few, many)]
    per = sizes[1] / count / (sizes[0] / (count // 5))
    yield Row("    its JSON a procedure", sizes[1] / count / 1024, "KiB")
    yield Row(f"    against that of {count // 5} procedures", per, "×", 1.5)


def _json_size(bench: Bench, path: Path) -> int:
    command = [sys.executable, "-m", "rpcmemkit.cli", "explain", "--json", str(path)]
    done = subprocess.run(command, env=bench.environment, check=True, stdout=subprocess.PIPE)  # noqa: S603
    return len(done.stdout)


PARTS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "peer": beside_impacket,
    "lists": lists,
    "calls": whole_calls,
    "series": many_calls,
    "start": starts,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast the kit is, each figure beside its target.")
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)}; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the best counts (3)")
    parser.add_argument("--scale", type=float, default=1.0, help="a factor for the number of elements (1)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    print(f"Python {sys.version.split()[0]}, {sys.platform}; processor time, the best of {options.rounds}")
    print(f"beside: impacket {'here' if find_spec('impacket') else 'not installed, left out'}", end="; ")
    print(
        f"Samba's bindings {'here, not timed' if find_spec('samba') else 'not installed, left out'}", end="; "
    )
    print(f"Wine {'here, not timed' if shutil.which('wine') else 'not installed, left out'}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options.scale, options.rounds, Path(folder))
        for name in options.parts or PARTS:
            print(f"\n{(PARTS[name].__doc__ or '').splitlines()[0]}", flush=True)
            for row in PARTS[name](bench):
                print(row, flush=True)


if __name__ == "__main__":
    main()
