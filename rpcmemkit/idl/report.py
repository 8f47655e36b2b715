"""Collecting findings: every problem of a text is reported in one go."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from rpcmemkit.errors import Diagnostic, IdlError
from rpcmemkit.idl.diagnostics import FINDINGS
from rpcmemkit.idl.source import Source

_MOST = 100  # after so many errors the rest is noise


@dataclass(eq=False, slots=True)
class Report:
    """The findings so far, each place and code once."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    seen: set[tuple[str, str, int, int, str | None]] = field(default_factory=set)

    def add(
        self,
        code: str,
        source: Source,
        at: int,
        length: int = 1,
        /,
        *,
        parameter: str | None = None,
        expected: tuple[str, ...] = (),
        remedy: str = "",
        **details: Any,
    ) -> None:
        """Report finding ``code`` at offset ``at``; ``details`` fill in its message, ``remedy`` is a better one for this case."""
        position = source.locate(at)
        key = (code, position.file, position.line, position.column, parameter)
        if key in self.seen or len(self.diagnostics) >= _MOST:
            return
        self.seen.add(key)
        finding = FINDINGS[code]
        room = max(len(position.text) - position.column + 1, 1)
        self.diagnostics.append(
            Diagnostic(
                code=code,
                message=finding.title.format(**details),
                file=position.file,
                line=position.line,
                column=position.column,
                length=max(min(length, room), 1),
                source=position.text,
                severity=finding.severity,
                midl=finding.midl,
                expected=expected,
                remedy=remedy or finding.remedy.format(**details),
                parameter=parameter,
            )
        )

    def at_line(self, code: str, source: Source, file: str, line: int, /, **details: Any) -> None:
        """Report finding ``code`` where only the line is known."""
        lines = source.originals.get(file, [])
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        indent = len(text) - len(text.lstrip())
        key = (code, file, line, indent + 1, None)
        if key in self.seen or len(self.diagnostics) >= _MOST:
            return
        self.seen.add(key)
        finding = FINDINGS[code]
        self.diagnostics.append(
            Diagnostic(
                code=code,
                message=finding.title.format(**details),
                file=file,
                line=max(line, 1),
                column=indent + 1,
                length=max(len(text.strip()), 1),
                source=text,
                severity=finding.severity,
                midl=finding.midl,
                remedy=finding.remedy,
            )
        )

    def advise(self, code: str, remedy: str) -> None:
        """Give the findings of a code a remedy that is known only at the end."""
        self.diagnostics = [
            replace(found, remedy=remedy) if found.code == code else found for found in self.diagnostics
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
