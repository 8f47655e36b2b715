"""Collecting findings: every problem of a text is reported in one go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from lark import Token

from rpcmemkit.errors import Diagnostic, IdlError
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.source import Position, Source
from rpcmemkit.idl.syntax import start

_MOST = 100  # after so many errors the rest is noise


class Named(Protocol):
    """What has a name, and the offset of it."""

    @property
    def name(self) -> str: ...

    @property
    def at(self) -> int: ...


@dataclass(eq=False, slots=True)
class Report:
    """The findings so far, each kind and place once."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    seen: set[tuple[Finding, str, int, int, str | None]] = field(default_factory=set)

    def add(
        self,
        finding: Finding,
        source: Source,
        where: int | Token | Named,
        length: int = 1,
        /,
        *,
        parameter: str | None = None,
        expected: tuple[str, ...] = (),
        remedy: str = "",
        **details: Any,
    ) -> None:
        """Report a finding at an offset, a token, or what has a name and the place of it.

        ``details`` fill in its message, the ``name`` among them; ``remedy`` is a better one for this case.
        """
        if not isinstance(where, int):
            name = str(where) if isinstance(where, Token) else where.name
            where, length = start(where) if isinstance(where, Token) else where.at, len(name)
            details.setdefault("name", repr(name))
        position = source.locate(where)
        length = min(length, len(position.text) - position.column + 1)
        self._add(finding, position, length, details, parameter, expected, remedy)

    def at_line(
        self, finding: Finding, source: Source, file: str, line: int, /, *, remedy: str = "", **details: Any
    ) -> None:
        """Report a finding where only the line is known."""
        lines = source.originals.get(file, [])
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        indent = len(text) - len(text.lstrip())
        self._add(
            finding, Position(file, max(line, 1), indent + 1, text), len(text.strip()), details, remedy=remedy
        )

    def _add(
        self,
        finding: Finding,
        position: Position,
        length: int,
        details: Mapping[str, Any],
        parameter: str | None = None,
        expected: tuple[str, ...] = (),
        remedy: str = "",
    ) -> None:
        key = (finding, position.file, position.line, position.column, parameter)
        if key in self.seen or len(self.diagnostics) >= _MOST:
            return
        self.seen.add(key)
        row = finding.value
        self.diagnostics.append(
            Diagnostic(
                code=row.code,
                message=row.title.format(**details),
                file=position.file,
                line=position.line,
                column=position.column,
                length=max(length, 1),
                source=position.text,
                severity=row.severity,
                midl=row.midl,
                expected=expected,
                remedy=remedy or row.remedy.format(**details),
                parameter=parameter,
            )
        )

    def advise(self, finding: Finding, remedy: str) -> None:
        """Give every finding of a kind a remedy that is known only at the end."""
        self.diagnostics = [
            replace(found, remedy=remedy) if found.code == finding.value.code else found
            for found in self.diagnostics
        ]

    @property
    def errors(self) -> list[Diagnostic]:
        return [found for found in self.diagnostics if found.severity == "error"]

    @property
    def warnings(self) -> list[Diagnostic]:
        return [found for found in self.diagnostics if found.severity == "warning"]

    def stop_on_errors(self, family: str = "") -> None:
        """Raise :class:`IdlError` with everything found, errors first, if there is an error of a family such as ``IDL1``."""
        if any(found.code.startswith(family) for found in self.errors):
            raise IdlError(self.errors + self.warnings)
