"""Reading scenario files: text, to checked data, to a :class:`Scenario`. Every error says where it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rpcmemkit.errors import Diagnostic, IdlError, ScenarioError
from rpcmemkit.files import LARGEST, read_bytes, too_large
from rpcmemkit.scenario import document as d
from rpcmemkit.scenario.validate import validate

HEX_KEYS = ("request", "response")


@dataclass
class Scenario:
    """One scenario. ``notes`` holds ``wine_note`` and the like; ``document`` knows where everything is written."""

    name: str
    about: str
    idl: str
    acf: str | None
    environment: dict[str, Any]
    memory: dict[str, Any]
    steps: list[dict[str, Any]]
    interface: str | None = None
    rundown: dict[str, Any] = field(default_factory=dict)
    expect_error: dict[str, Any] | None = None
    source: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    document: d.Document | None = field(default=None, repr=False, compare=False)

    @property
    def idl_file(self) -> str:
        """The name under which the IDL text is compiled: beside the scenario file, so that it may import."""
        folder = Path(self.document.file).parent if self.document else Path()
        return str(folder / f"{self.name}.idl")

    def error(self, path: d.Path, message: str, remedy: str = "") -> ScenarioError:
        """Return an error at a path of the file, ready to be raised."""
        if self.document is None:
            return ScenarioError(message, path=d.path_string(path), remedy=remedy)
        return self.document.error(path, message, remedy=remedy)

    def place(self, path: d.Path) -> str:
        """Return where a path of the file is: ``calls.yaml:12, steps[0].server[1].free``."""
        error = self.error(path, "")
        line = f"{Path(error.file).name}:{error.line}, " if error.file and error.line else ""
        return line + error.path

    def value_path(self, path: d.Path, text: str) -> d.Path:
        """Return the path in the file of the value that ``root.left[2]`` names below ``path``, as far as there is one."""
        for step in _steps(text):
            found = self._inside(path, step)
            if found is None:
                break
            path = found
        return path

    def _inside(self, path: d.Path, step: str | int) -> d.Path | None:
        """Look for a member or an element, also behind ``$value`` and ``$elements``."""
        document = self.document
        candidates = (
            (*path, *wrapper, step) for wrapper in ((), ("$value",), ("$elements",), ("$value", "$elements"))
        )
        return next((each for each in candidates if document and document.find(each)), None)

    def translate(self, error: IdlError) -> IdlError:
        """Return a compile error with the places in the scenario file instead of those in the text inside it."""
        return IdlError([self._translated(found) for found in error.diagnostics])

    def _translated(self, found: Diagnostic) -> Diagnostic:
        key = {self.idl_file: "idl", str(Path(self.idl_file).with_suffix(".acf")): "acf"}.get(found.file)
        if self.document is None or key is None:
            return found
        spot = self.document.text_spot((key,), found.line, found.column, found.length)
        if spot is None:  # a folded text: its lines are not those of the file
            return replace(found, file=f"{self.document.file} ({key})")
        return replace(found, file=self.document.file, **spot._asdict())


def load_scenario(path: str | Path) -> Scenario:
    """Return the scenario in a file.

    Raises:
        ScenarioError: it is not a scenario; the error says where and why.
        UsageError: it is not an ordinary file, or too large.
        OSError: it cannot be read.
    """
    return parse_bytes(read_bytes(path), str(path))


def parse_bytes(data: bytes, file: str) -> Scenario:
    """As :func:`parse_scenario`, from the bytes of a file.

    Raises:
        ScenarioError: likewise; or they are too many, or not UTF-8.
    """
    if len(data) > LARGEST:
        raise ScenarioError(too_large(), file=file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace").split("\n")
        raise ScenarioError(
            f"the file is not UTF-8: byte 0x{data[error.start]:02x} in line {len(before)}",
            file=file,
            line=len(before),
            column=len(before[-1]) + 1,
            remedy="save it as UTF-8",
        ) from None
    return parse_scenario(text, file)


def parse_scenario(text: str, file: str = "scenario.yaml") -> Scenario:
    """Return the scenario that a text holds.

    Raises:
        ScenarioError: it is not a scenario; the error says where and why.
    """
    document = d.Document(text, file)
    data = document.data
    if not isinstance(data, dict):
        raise document.error((), "a scenario is a map of keys", remedy="begin with `scenario:` and `idl:`")
    _restore_hex(document)
    validate(document)
    absent: dict[str, Any] = {
        "about": "",
        "environment": {},
        "memory": {},
        "steps": [],
        "rundown": {},
        "claims": [],
    }
    given = {key: data.get(key) or value for key, value in absent.items()}
    return Scenario(
        name=data["scenario"],
        idl=data["idl"],
        acf=data.get("acf"),
        interface=data.get("interface"),
        expect_error=data.get("expect_error"),
        source=_sources(data.get("source")),
        notes={key: value for key, value in data.items() if key.endswith("_note")},
        document=document,
        **given,
    )


def _restore_hex(document: d.Document) -> None:
    """``request: 0000`` and ``request: 1e10`` are bytes, not numbers."""
    steps = document.data.get("steps")
    for number in range(len(steps) if isinstance(steps, list) else 0):
        for key in HEX_KEYS:
            raw = document.raw(("steps", number, "expect", key))
            if raw is not None:
                steps[number]["expect"][key] = "".join(raw.split())


def _sources(given: Any) -> list[str]:
    """Return the sources as texts: ``docs: page.md`` may have been written with and without quotes."""
    found: list[str] = []
    for item in given if isinstance(given, list) else [given]:
        if isinstance(item, dict):
            found += [f"{key}: {value}" for key, value in item.items()]
        elif item:
            found.append(str(item))
    return found


def _steps(text: str) -> list[str | int]:
    """Return the names and indexes of a path into memory: of ``(*a)->b[2]``, ``a``, ``b`` and ``2``."""
    words = re.findall(r"[A-Za-z_]\w*|\d+", text)
    return [int(word) if word.isdecimal() else word for word in words]
