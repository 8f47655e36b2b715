"""What the commands share: exit codes, reading files, the width of the terminal, JSON."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rpcmemkit.scenario import Scenario

OK, DIFFERS, FAILED = 0, 1, 2
READER_GONE = 141  # what a shell reports of a program that SIGPIPE ends
STDIN = "-"


def fail(message: str) -> int:
    print(f"rpcmemkit: {message}", file=sys.stderr)
    return FAILED


def command(commands: Any, name: str, function: Any, summary: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example: {example}",
    )
    parser.set_defaults(command=function)
    return parser


def scenario_of(file: str) -> Scenario:
    from rpcmemkit.scenario import load_scenario, parse_octets

    return parse_octets(sys.stdin.buffer.read(), "<stdin>") if file == STDIN else load_scenario(file)


def width() -> int:
    return max(shutil.get_terminal_size((100, 24)).columns, 20)


def as_json(data: Any) -> str:
    """Return data as JSON; what is nested too deep for the standard encoder, on a single line."""
    try:
        return json.dumps(data, indent=2)
    except RecursionError:
        return "".join(_json_pieces(data))


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
