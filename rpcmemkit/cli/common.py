"""What the commands share: exit codes, reading and writing, the width of the terminal, JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpcmemkit.errors import UsageError, printable

if TYPE_CHECKING:
    from rpcmemkit.scenario import Scenario

OK, DIFFERS, FAILED = 0, 1, 2
READER_GONE = 141  # what a shell reports of a program that SIGPIPE ends
STDIN = "-"
INDENTED = 4  # levels of JSON: a row of what a command tells is a line
_WRITTEN = -1  # in place of a level: text that is ready
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
    """Return data as JSON, the outer levels indented: an interface of seventy procedures has half a million lines otherwise.

    Nothing recurses where the standard encoder would be too deep: a list of a hundred thousand nodes is nested as deep.
    """
    done: list[str] = []
    pending: list[tuple[Any, int]] = [(data, 0)]
    while pending:
        item, level = pending.pop()
        if level == _WRITTEN:
            done.append(item)
        elif level != INDENTED and item and isinstance(item, dict | list | tuple):
            pending += reversed(_parts(item, level))
        else:
            try:
                done.append(json.dumps(item))
            except RecursionError:
                pending.append((item, level + 1))
    return "".join(done).replace(
        "\x7f", "\\u007f"
    )  # the only control character that the encoder leaves as it is


def _parts(data: Any, level: int) -> list[tuple[Any, int]]:
    """Return a map or a list as its values, a level further in, with what is written around them."""
    outer, inner = "\n" + "  " * level, "\n" + "  " * (level + 1)
    if level > INDENTED:
        outer, inner = "", ""
    keys = [f"{json.dumps(str(key))}: " for key in data] if isinstance(data, dict) else [""] * len(data)
    values = data.values() if isinstance(data, dict) else data
    brackets = "{}" if isinstance(data, dict) else "[]"
    parts: list[tuple[Any, int]] = []
    for key, value in zip(keys, values, strict=True):
        before = f",{inner or ' '}" if parts else brackets[0] + inner
        parts += [(before + key, _WRITTEN), (value, level + 1)]
    return [*parts, (outer + brackets[1], _WRITTEN)]
