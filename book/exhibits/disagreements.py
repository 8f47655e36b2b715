"""Where the documentation disagrees with itself: each point with its readings, and the calls that show what happens.

The points are data written by hand, the evidence are scenario files. Nothing of what a call does is in the data: the
files are run when the point is shown, and a file whose expectations fail is shown as differing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import yaml

from rpcmemkit.call import Call
from rpcmemkit.data import documentation
from rpcmemkit.errors import RpcMemKitError, UsageError
from rpcmemkit.given import meant
from rpcmemkit.notebook import Shown, table
from rpcmemkit.notebook.tables import framed
from rpcmemkit.scenario import Report, Run, Scenario, load_scenario, verify_file
from rpcmemkit.status import status_code, status_name

FACTS = 4
"""How many facts of a call are told: the first ones in the order of :data:`TOLD`."""
BYTES = 32
"""How many bytes of a message are told."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that is said of a point, and who says it: file names of pages, or names of other texts."""

    says: str
    pages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """A point on which pages disagree (K), or which they leave open (U).

    ``kit`` is this kit's decision, ``safe`` what to write so that it does not matter, ``evidence`` the names of
    scenario files, ``test`` the test that shows what no scenario can, ``chapters`` where the book tells it. An open
    point has no readings; ``known`` is what bears on it.
    """

    id: str
    point: str
    kit: str
    evidence: tuple[str, ...]
    readings: tuple[Reading, ...] = ()
    observed: str = ""
    safe: str = ""
    known: str = ""
    test: str = ""
    chapters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One scenario file that has been run: what it says of itself, and what came of it."""

    name: str
    report: Report
    scenario: Scenario | None = None

    @property
    def setting(self) -> str:
        """The file's environment in words, if it is not the usual one."""
        return ", ".join(_settings(self.scenario.environment)) if self.scenario else ""

    @property
    def expected(self) -> str:
        """What the file expects, its key facts alone."""
        return "; ".join(_expected(self.scenario)) if self.scenario else ""

    @property
    def verdict(self) -> str:
        """``agrees``, or what was expected and what came instead."""
        if self.report.error:
            return f"COULD NOT BE RUN: {self.report.error}"
        return (
            "; ".join(["DIFFERS", *map(str, self.report.differences)])
            if self.report.differences
            else "agrees"
        )

    @property
    def text(self) -> str:
        """The evidence in one line."""
        about = self.scenario.about if self.scenario else "no such file"
        return f"{self.name}{f' ({self.setting})' * bool(self.setting)}: {about} Expected: {self.expected}: {self.verdict}."

    @property
    def html(self) -> str:
        """The same for a page."""
        about = self.scenario.about if self.scenario else "no such file"
        setting = f" ({escape(self.setting)})" * bool(self.setting)
        verdict = f"<strong>{escape(self.verdict)}</strong>"
        return f"<li><code>{escape(self.name)}</code>{setting}: {escape(about)} <em>Expected:</em> {escape(self.expected)}: {verdict}.</li>"


class Disagreements:
    """The points of one file, and the folder in which the scenario files of their evidence lie, at any depth."""

    def __init__(self, path: str | Path, scenarios: str | Path) -> None:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        self.points = {entry["id"]: _point(entry) for entry in entries}
        self.files = {file.stem: file for file in sorted(Path(scenarios).rglob("*.yaml"))}

    def show(self, id_: str) -> Shown:
        """Return a point: a table of what is said and done, and each file of its evidence, run now.

        Raises:
            UsageError: there is no such point.
        """
        if id_ not in self.points:
            raise UsageError(f"no point is called {id_!r}{meant(id_, self.points)}")
        point, found = self.points[id_], self.evidence(id_)
        readings = _readings(point)
        calls = "".join(each.html for each in found)
        html = f"{readings.html}<p>The calls that show it:</p><ul>{calls}</ul>"
        return Shown(
            html, "\n".join([readings.text, "The calls that show it:", *(f"- {e.text}" for e in found)])
        )

    def open_points(self) -> Shown:
        """Return all open points as one table, the files of their evidence run now."""
        body = [
            (id_, point.point, point.known, point.kit, self._shown_by(point))
            for id_, point in self.points.items()
            if not point.readings
        ]
        head = ("no.", "question", "what bears on it", "the kit", "shown by")
        return table("What the documentation leaves open", head, body)

    def _shown_by(self, point: Point) -> str:
        found = [f"{each.name}: {each.verdict}" for each in self.evidence(point.id)]
        return "; ".join([*found, *(["a test of the kit"] if point.test else [])])

    def evidence(self, id_: str) -> list[Evidence]:
        """Run the scenario files of a point and return what came of each."""
        return [self._run(name) for name in self.points[id_].evidence]

    def _run(self, name: str) -> Evidence:
        file = self.files.get(name)
        if file is None:
            return Evidence(name, Report(name, error="there is no such file"))
        report = verify_file(file)
        try:
            return Evidence(name, report, load_scenario(file))
        except RpcMemKitError:
            return Evidence(name, report)  # the report says what is wrong with the file

    def call(self, name: str, number: int = 1, **environment: Any) -> Call:
        """Make the calls of a scenario file, also in another environment than its own, and return one of them.

        ``disagreements.call("k24-swapped-contents", osf=True)``: the first call of that file, in DCE mode.

        Raises:
            UsageError: there is no such file, or it has no such call.
            IdlError: its interface does not compile there.
        """
        if name not in self.files:
            raise UsageError(f"no scenario file is called {name!r}{meant(name, self.files)}")
        scenario = load_scenario(self.files[name])
        changed = replace(scenario, environment={**scenario.environment, **environment})
        for outcome in Run(changed).outcomes():
            if outcome.number == number:
                return outcome.call
        raise UsageError(f"{name} has no call {number}")


def _point(entry: Mapping[str, Any]) -> Point:
    lists = {key: tuple(entry.get(key, ())) for key in ("evidence", "chapters")}
    readings = tuple(Reading(each["says"], tuple(each["pages"])) for each in entry.get("readings", ()))
    return Point(**{**entry, **lists, "readings": readings})


# --- what is said --------------------------------------------------------------------------------


def _readings(point: Point) -> Shown:
    """Return what pages say, what is observed and what the kit does as a table whose pages are links."""
    lines = [(f"reading {number}", each.says, each.pages) for number, each in enumerate(point.readings, 1)]
    lines += [
        (what, says, ())
        for what, says in (
            ("open", point.known),
            ("implementations", point.observed),
            ("the kit", point.kit),
            ("to be safe", point.safe),
        )
        if says
    ]
    caption = f"{point.id}: {point.point}"
    cells = "".join(
        f'<tr><th scope="row">{what}</th><td>{escape(says)}</td><td>{", ".join(map(_link, pages))}</td></tr>'
        for what, says, pages in lines
    )
    html = framed(caption, ("who", "says or does", "where"), cells)
    text = [f"{what}: {says}{f' ({_titles(pages)})' * bool(pages)}" for what, says, pages in lines]
    return Shown(html, "\n".join([caption, *text]))


def _titles(pages: tuple[str, ...]) -> str:
    known = documentation()
    return ", ".join(known[page].title if page in known else page for page in pages)


def _link(page: str) -> str:
    """Return a page's title, which leads there; the name of another text as it stands."""
    found = documentation().get(page)
    return f'<a href="{escape(found.address)}">{escape(found.title)}</a>' if found else escape(page)


# --- what a file expects, in words ---------------------------------------------------------------


def _settings(environment: Mapping[str, Any]) -> Iterator[str]:
    for key, value in environment.items():
        match key, value:
            case "osf", _:
                yield "DCE mode" if value else "not in DCE mode"
            case "pointer_size", _:
                yield f"pointers of {value} bytes"
            case "midl", _:
                yield ", ".join(f"/{name} {setting}" for name, setting in value.items())
            case "midl_user_allocate", _:
                sides = {"fail_after": "server", "client_fail_after": "client"}
                yield ", ".join(f"the {sides[name]}'s allocator fails after {n}" for name, n in value.items())
            case _:
                yield f"{key}: {value}"


def _expected(scenario: Scenario) -> Iterator[str]:
    """Yield what a file expects of each step."""
    if scenario.expect_error is not None:
        told = {"code": "MIDL{}", "parameter": "parameter {}"}
        found = [told[key].format(value) for key, value in scenario.expect_error.items() if key in told]
        yield ", ".join(["refused", *found])
        return
    for step in scenario.steps:
        found = facts(step.get("expect") or {})
        if found:
            yield f"{step.get('call') or ('the client' if 'client' in step else 'the client goes away')}: {', '.join(found)}"


def facts(expect: Mapping[str, Any]) -> list[str]:
    """Return the key facts of what a file expects of a step, in words."""
    order = [key for key in TOLD if key in expect]
    found = [told for key in order if (told := TOLD[key](expect[key]))]
    return found[:FACTS] or [f"status {status}" for status in [expect.get("status")] if status]


def _status(value: Any) -> str:
    if value in ("ok", 0):
        return ""
    try:
        code = status_code(value)
    except KeyError:
        return str(value)  # the file is wrong, and its verdict says so
    return f"{status_name(code)} ({code})"


def _named(what: str, none: str = "") -> Callable[[Any], str]:
    return lambda value: f"{what} {', '.join(map(str, value))}" if value else none


def _counted(words: str) -> Callable[[Any], str]:
    return lambda value: f"{words} {value}"


def _storage(value: Mapping[str, Any]) -> str:
    return "on entry " + ", ".join(f"{path} {where or 'null'}" for path, where in value.items())


def _values(who: str) -> Callable[[Any], str]:
    return lambda value: f"{who} {', '.join(f'{name} = {_of(name, each)}' for name, each in value.items())}"


def _of(name: str, value: Any) -> str:
    return brief(value).removeprefix(f"{name}: ")  # storage that has its variable's name


def _bytes(name: str) -> Callable[[Any], str]:
    def told(value: str) -> str:
        data = bytes.fromhex(value)
        return f"{name} {data[:BYTES].hex(' ', -4) or 'empty'}{' …' * (len(data) > BYTES)}"

    return told


TOLD: Mapping[str, Callable[[Any], str]] = {
    "status": _status,
    "server_storage": _storage,
    "faults": _named("memory fault:", "no memory fault"),
    "marked": _counted("blocks marked"),
    "rundowns": _named("run-down of", "no run-down"),
    "orphaned": _named("orphaned:", "nothing orphaned"),
    "server_leaked": _counted("leaked on the server"),
    "client_allocations": _counted("client stub allocates"),
    "client_after": _values("the client has"),
    "server_allocations": _counted("allocated on the server"),
    "server_frees": _counted("freed there"),
    "server_sees": _values("the routine sees"),
    "request": _bytes("request"),
    "response": _bytes("response"),
    "rules": _named("by the rule"),
}
"""The words for each key of ``expect``, the most telling ones first."""


def brief(value: Any) -> str:
    """Return a value of a scenario file in few characters: names of storage stand where their braces stood."""
    match value:
        case None:
            return "null"
        case {"$label": label, "$value": inner}:
            return f"{label}: {brief(inner)}"
        case {"$new": True, "$value": inner}:
            return f"new {brief(inner)}"
        case {"$alias": label}:
            return f"the same as {label}"
        case {"$context": label}:
            return f"handle {label}"
        case {"$hex": data}:
            return str(data)
        case {"$allocated": room, "$elements": elements}:
            return f"{brief(elements)} in room for {room}"
        case {"$case": case, "$value": inner}:
            return f"case {case}: {brief(inner)}"
        case dict():
            return "{" + ", ".join(f"{name}: {brief(each)}" for name, each in value.items()) + "}"
        case list():
            return f"[{', '.join(map(brief, value))}]"
    return str(value)
