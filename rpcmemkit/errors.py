"""What can go wrong, and whose fault it is.

:class:`IdlError`
    the interface text is wrong: its author's.
:class:`RpcError`
    a call ended with a status: the peer's, the network's or the application's.
:class:`MemoryFault`
    code touched memory that it may not touch: the bug that the book is about.
:class:`UsageError`
    the kit was given something that it cannot work with.
:class:`ScenarioError`
    a scenario file is malformed, or cannot be carried out: its author's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from rpcmemkit.kinds import FaultKind
from rpcmemkit.status import status_meaning, status_name


class RpcMemKitError(Exception):
    """The root of every error this package raises on purpose.

    Errors go through pickle and copy whole, without being made anew: only a :class:`~rpcmemkit.call.Call` that one has
    with it stays in its process.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if not isinstance(value, OfThisProcess)}
        return _made_again, (type(self), self.args, state)

    def __copy__(self) -> RpcMemKitError:
        return _made_again(type(self), self.args, self.__dict__)

    def __deepcopy__(self, memo: dict[int, Any]) -> RpcMemKitError:
        return self.__copy__()  # nothing in an error changes


def _made_again(kind: type[RpcMemKitError], args: tuple[Any, ...], state: dict[str, Any]) -> RpcMemKitError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class OfThisProcess:
    """What cannot go to another process, for it refers to memory and to a compiled interface: it says so."""

    __slots__ = ()
    _stays: ClassVar[str] = "it belongs to its process"

    def __reduce_ex__(self, protocol: object) -> Any:
        raise UsageError(f"a {type(self).__name__} cannot be pickled: {self._stays}")


class Finished(OfThisProcess):
    """A record that does not change any more: a copy of it is the record itself."""

    __slots__ = ()

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self


_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return text of unknown origin as a terminal may have it: what would steer it or turn its lines round is a sign.

    Each character stays one, so that a caret below a line still points to its place.
    """
    return _UNPRINTABLE.sub(lambda found: _sign(ord(found.group())), text)


def _sign(code: int) -> str:
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 byte``, ``2 bytes``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


WIDEST_EXCERPT = 120


def excerpt(line: int, column: int, length: int, source: str) -> list[str]:
    """Return a source line with a line number, and below it a caret; of a very long line the part around the caret."""
    at, mark = max(column - 1, 0), "…"
    if len(source) > WIDEST_EXCERPT:
        start = max(at - WIDEST_EXCERPT // 2, 0)
        shown = source[start : start + WIDEST_EXCERPT]
        source = mark * bool(start) + shown + mark * (start + len(shown) < len(source))
        at -= start - bool(start)
    caret = "".join(c if c == "\t" else " " for c in source[:at])
    underlined = min(max(length, 1), max(len(source) - at, 1))
    return [f"{line:>5} | {source}", " " * 6 + "| " + caret + "^" * underlined]


def _told(heading: str, found: Diagnostic | ScenarioError) -> str:
    """Return a finding with the line that it is about, what was expected there, and what helps."""
    lines = [heading]
    if found.source:
        lines += excerpt(found.line, found.column, found.length, found.source)
    if found.expected:
        lines.append("      expected: " + ", ".join(found.expected))
    if found.remedy:
        lines.append("      help: " + found.remedy)
    return printable("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding in IDL or ACF text.

    ``code`` is the kit's own id (``IDL105``), ``midl`` the MIDL compiler's number where one is documented.
    ``line`` and ``column`` start at 1; ``length`` is the number of characters to underline.
    """

    code: str
    message: str
    file: str
    line: int
    column: int
    length: int = 1
    source: str = ""
    severity: str = "error"
    midl: int | None = None
    expected: tuple[str, ...] = ()
    remedy: str = ""
    parameter: str | None = None
    rule: str | None = None

    def __str__(self) -> str:
        number = f" (MIDL{self.midl})" if self.midl else ""
        place = f"{self.file}:{self.line}:{self.column}"
        return _told(f"{place}: {self.severity} {self.code}{number}: {self.message}", self)


class IdlError(RpcMemKitError):
    """The IDL or ACF text cannot be compiled. ``diagnostics`` holds every finding, errors first met first."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__("\n".join(map(str, diagnostics)))
        self.diagnostics = diagnostics


class RpcError(RpcMemKitError):
    """A call ended with a status other than success.

    ``code`` is the number, ``path`` the parameter path where it was found, ``rule`` the id of the rule broken.
    """

    def __init__(self, code: int, message: str = "", *, path: str = "", rule: str = "") -> None:
        self.code = code
        self.name = status_name(code)
        self.path = path
        self.rule = rule
        self.message = message or status_meaning(code)
        where = f" at {path}" if path else ""
        because = f" [{rule}]" if rule else ""
        super().__init__(f"{self.name} ({code}){where}: {self.message}{because}")


class MemoryFault(RpcMemKitError):
    """Code touched memory that it may not touch."""

    def __init__(self, kind: FaultKind, side: str, address: int, message: str) -> None:
        self.kind = kind
        self.side = side
        self.address = address
        super().__init__(f"{side}: {kind}: {message}")


class UsageError(RpcMemKitError):
    """The kit was asked for something that it cannot do; the message says what to do instead."""


class ScenarioError(RpcMemKitError):
    """A scenario file is malformed, or one of its steps cannot be carried out.

    ``line`` and ``column`` start at 1 and are 0 where only the file is known; ``source`` is the line itself, and
    ``path`` says where in the file's structure the trouble is (``steps[2].server[0].set``).
    """

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        column: int = 0,
        length: int = 1,
        source: str = "",
        path: str = "",
        expected: tuple[str, ...] = (),
        remedy: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file, self.line, self.column, self.length, self.source = file, line, column, length, source
        self.path, self.expected, self.remedy = path, expected, remedy

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        where = f"{place}: error" if place else "error"
        return _told(f"{where}{f' at {self.path}' if self.path else ''}: {self.message}", self)
