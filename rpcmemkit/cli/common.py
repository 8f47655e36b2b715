"""What the commands share: exit codes, reading and writing, the width of the terminal, JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpcmemkit.errors import UsageError, printable

if TYPE_CHECKING:
    from rpcmemkit.scenario import Scenario

OK, DIFFERS, FAILED = 0, 1, 2
READER_GONE = 141  # what a shell reports of a program that SIGPIPE ends
STDIN = "-"
INDENTED = 4  # levels of JSON: a row of what a command tells is a line
INTERFACES = (".idl", ".acf")


def say(text: str, end: str = "\n") -> None:
    """Print a result. What a file holds does not steer the terminal."""
    sys.stdout.write(printable(text) + end)


def fail(message: str) -> int:

    with contextlib.suppress(OSError):
        print(printable(f"rpcmemkit: {message}"), file=sys.stderr, flush=True)
    return FAILED


class Parser(argparse.ArgumentParser):
    """A parser whose complaints do not steer the terminal either."""

    def _print_message(self, message: str, file: Any = None) -> None:

        if message and (file := file or sys.stderr) is not None:
            file.write(printable(message))


def command(commands: Any, name: str, function: Any, summary: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example: {example}",
    )
    parser.set_defaults(command=function)
    return parser


# --- input ------------------------------------------------------------------------------------


def read_stdin() -> bytes:
    """Return what standard input brings; one byte more than a file may have is enough to refuse it."""
    from rpcmemkit.files import LARGEST, reason, too_large

    if sys.stdin is None:
        raise UsageError("standard input is closed: name a file, or pass one with <")
    try:
        found: bytes = sys.stdin.buffer.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"<stdin>: {reason(error)}") from error
    if len(found) > LARGEST:
        raise UsageError(f"<stdin>: {too_large()}")
    return found


def scenario_of(arguments: argparse.Namespace, file: str) -> Scenario:
    """Return the scenario in a file, in the environment that the options ask for."""
    from rpcmemkit.cli.options import apply
    from rpcmemkit.scenario import load_scenario, parse_bytes

    if Path(file).suffix.lower() in INTERFACES:
        raise UsageError(
            f"{file}: this is an interface, not a scenario; try: rpcmemkit check, or rpcmemkit explain"
        )
    scenario = parse_bytes(read_stdin(), "<stdin>") if file == STDIN else load_scenario(file)
    return apply(arguments, scenario)


# --- output -----------------------------------------------------------------------------------


def width() -> int:
    return max(shutil.get_terminal_size((100, 24)).columns, 20)


def as_json(data: Any) -> str:
    """Return data as JSON, the outer levels indented; what is nested too deep for the standard encoder, on a single line."""
    try:
        text = _indented(data, 0)
    except RecursionError:
        text = "".join(_json_pieces(data))
    return text.replace("\x7f", "\\u007f")  # the only control character that the encoder leaves as it is


def _indented(data: Any, level: int) -> str:
    """Below ``INDENTED`` levels a value is one line: an interface of seventy procedures has half a million otherwise."""
    if level == INDENTED or not data or not isinstance(data, (dict, list, tuple)):
        return json.dumps(data)
    outer, inner = "\n" + "  " * level, "\n" + "  " * (level + 1)
    if isinstance(data, dict):
        parts = [f"{json.dumps(str(key))}: {_indented(value, level + 1)}" for key, value in data.items()]
        return f"{{{inner}{f',{inner}'.join(parts)}{outer}}}"
    parts = [_indented(value, level + 1) for value in data]
    return f"[{inner}{f',{inner}'.join(parts)}{outer}]"


def _json_pieces(data: Any) -> Iterator[str]:
    """Yield the parts of a JSON text without recursion: a list of a hundred thousand nodes is nested as deep."""
    pending: list[tuple[bool, Any]] = [(True, data)]
    while pending:
        is_value, item = pending.pop()
        if not is_value:
            yield item
        elif isinstance(item, dict):
            parts = [[(False, json.dumps(str(key)) + ": "), (True, value)] for key, value in item.items()]
            pending += reversed(_enclosed("{", parts, "}"))
        elif isinstance(item, list):
            pending += reversed(_enclosed("[", [[(True, value)] for value in item], "]"))
        else:
            yield json.dumps(item)


def _enclosed(begin: str, parts: list[list[tuple[bool, Any]]], end: str) -> list[tuple[bool, Any]]:
    """Return the parts with brackets around and commas between them."""
    work: list[tuple[bool, Any]] = [(False, begin)]
    for index, part in enumerate(parts):
        work += [(False, ", "), *part] if index else part
    return [*work, (False, end)]
