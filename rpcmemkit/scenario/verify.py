"""Verifying scenario files: does what the file expects happen, and where not?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rpcmemkit.call import Departure
from rpcmemkit.errors import Diagnostic, IdlError, RpcMemKitError
from rpcmemkit.idl.findings import findings
from rpcmemkit.kinds import EventKind
from rpcmemkit.scenario.compare import MISSING, Difference, differences
from rpcmemkit.scenario.load import Scenario, load_scenario
from rpcmemkit.scenario.run import Outcome, Run, departed
from rpcmemkit.trace import Fault

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One difference between a file and what happened: in which call (from 1; 0 for the interface), where, and what."""

    call: int
    procedure: str
    path: str
    expected: Any
    actual: Any
    why: str = ""
    """Of a status and of faults: the first fault on the server, and the step of the routine that met it."""

    def __str__(self) -> str:
        where = f"call {self.call} ({self.procedure})" if self.call else self.procedure or "interface"
        why = f": {self.why}" if self.why else ""
        return f"{where}: {self.path}: expected {_brief(self.expected)}, got {_brief(self.actual)}{why}"


@dataclass(slots=True)
class Report:
    """What verifying one file gave."""

    file: str
    scenario: str = ""
    differences: list[Disagreement] = field(default_factory=list)
    error: str = ""
    findings: list[str] = field(default_factory=list)
    """What the scenario leaves undone on purpose or not: it is told, and makes no difference to the result."""

    @property
    def result(self) -> Literal["agree", "differ", "error"]:
        """``error`` if the file could not be run to its end, else whether everything it expects came true."""
        if self.error:
            return "error"
        return "differ" if self.differences else "agree"

    def as_data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        found = [
            {key: value for key in each.__slots__ if (value := getattr(each, key)) or key != "why"}
            for each in self.differences
        ]
        data: dict[str, Any] = {"file": self.file, "scenario": self.scenario, "result": self.result}
        told = {"findings": self.findings, "error": self.error}
        return {**data, "differences": found, **{key: value for key, value in told.items() if value}}


def find_files(paths: Iterable[str | Path]) -> list[Path]:
    """Return the scenario files that the paths name: a file itself, of a directory all below it, sorted."""
    found: list[Path] = []
    for path in map(Path, paths):
        inside = path.rglob("*") if path.is_dir() else [path]
        found += sorted(
            each for each in inside if each == path or (each.suffix in SUFFIXES and each.is_file())
        )
    return list(dict.fromkeys(found))


def verify_file(path: str | Path) -> Report:
    """Run a scenario file and compare what it expects with what happens. What goes wrong is in the report."""
    try:
        return verify(load_scenario(path), str(path))
    except RpcMemKitError as error:
        return Report(str(path), error=str(error))
    except OSError as error:
        return Report(str(path), error=error.strerror or str(error))


def verify(scenario: Scenario, file: str = "") -> Report:
    """As :func:`verify_file`, for a scenario in memory."""
    report = Report(file or scenario.name, scenario.name)
    try:
        if scenario.expect_error is not None:
            report.differences += _must_not_compile(scenario)
        else:
            run = Run(scenario)
            report.differences += _steps(run)
            report.findings += run.findings
    except RpcMemKitError as error:
        report.error = str(error)
    return report


def _steps(run: Run) -> Iterator[Disagreement]:
    for number, (step, happened) in enumerate(zip(run.scenario.steps, run.happenings(), strict=True)):
        if isinstance(happened, Outcome):
            yield from _call(happened)
            continue
        observed = departed(happened) if isinstance(happened, Departure) else happened.observed
        for key, expected in (step.get("expect") or {}).items():
            if expected != observed[key]:
                yield Disagreement(0, "client", f"steps[{number}].expect.{key}", expected, observed[key])


def _call(outcome: Outcome) -> Iterator[Disagreement]:
    faults = outcome.call.trace.select(EventKind.FAULT, side="server")
    why = next((event.of(Fault).why for event in faults), "")
    for each in differences(outcome):
        told = why if each.path in {"status", "faults"} else ""
        yield Disagreement(outcome.number, outcome.call.procedure.name, *each, told)


# --- files that must not compile ---------------------------------------------------------------


def _must_not_compile(scenario: Scenario) -> list[Disagreement]:
    wanted = scenario.expect_error or {}
    try:
        Run(scenario)
    except IdlError as error:
        found = [_unlike(wanted, each) for each in error.diagnostics if each.severity == "error"]
        closest = min(found, key=len)
        return [
            Disagreement(0, "", f"expect_error.{each.path}", each.expected, each.actual) for each in closest
        ]
    return [Disagreement(0, "", "expect_error", dict(wanted), "the interface compiles")]


def _unlike(wanted: Mapping[str, Any], found: Diagnostic) -> list[Difference]:
    """Return in which of the given keys a finding is not the wanted one."""
    actual = {"code": found.code, "parameter": found.parameter, "rule": found.rule}
    return [
        Difference(key, value, actual[key] or MISSING)
        for key, value in wanted.items()
        if not _fits(key, value, found)
    ]


def _fits(key: str, value: Any, found: Diagnostic) -> bool:
    if key == "code":
        return str(value).upper().removeprefix("MIDL") in (found.code, str(found.midl))
    if key == "rule":
        return value in (found.rule, *findings()[found.code].claims)
    return bool(value == found.parameter)


def _brief(value: Any, limit: int = 160) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
