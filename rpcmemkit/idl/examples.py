"""For each finding of the front end the smallest text that earns it, and its nearest neighbour (``data/findings.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from rpcmemkit.data import yaml_table
from rpcmemkit.errors import Diagnostic, IdlError
from rpcmemkit.idl import compile_file, compile_idl
from rpcmemkit.idl.switches import Switches

HEADER = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]\ninterface i\n"
IDL_FILE, ACF_FILE = "example.idl", "example.acf"


@dataclass(frozen=True, slots=True)
class Listing:
    """A text to compile: its files by name, the first of them the interface, and the switches of MIDL to use."""

    files: Mapping[str, str]
    switches: Mapping[str, Any] = field(default_factory=dict)

    def findings(self) -> list[Diagnostic]:
        """Compile the text and return its errors and warnings."""
        switches = Switches(**self.switches)
        try:
            if set(self.files) <= {IDL_FILE, ACF_FILE}:
                texts = self.files[IDL_FILE], self.files.get(ACF_FILE)
                return compile_idl(*texts, file=IDL_FILE, acf_file=ACF_FILE, switches=switches).warnings
            return self._findings_of_files(switches)
        except IdlError as error:
            return error.diagnostics

    def _findings_of_files(self, switches: Switches) -> list[Diagnostic]:
        """Imports are looked for beside a file, so that there must be some."""
        with TemporaryDirectory() as folder:
            for name, text in self.files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            try:
                found = compile_file(Path(folder) / IDL_FILE, switches=switches).warnings
            except IdlError as error:
                found = error.diagnostics
        return [replace(one, file=Path(one.file).name) for one in found]


@dataclass(frozen=True, slots=True)
class Example:
    """What earns a finding, and what does not."""

    code: str
    wrong: Listing
    mended: Listing

    def finding(self) -> Diagnostic:
        """Return what the compiler says of the wrong text."""
        return next(one for one in self.wrong.findings() if one.code == self.code)


@cache
def examples() -> Mapping[str, Example]:
    """Return the example of every finding by its code."""
    table = yaml_table("findings.yaml")
    return MappingProxyType(
        {code: Example(code, _listing(row["wrong"]), _listing(row["mended"])) for code, row in table.items()}
    )


def _listing(row: Mapping[str, Any]) -> Listing:
    files = dict(row.get("files") or {IDL_FILE: row.get("text") or f"{HEADER}{{\n{row['body']}}}\n"})
    if "acf" in row:
        files[ACF_FILE] = row["acf"]
    return Listing(files, row.get("switches", {}))
