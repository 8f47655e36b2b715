"""The program's commands for the reference: what its own parser says of them, and what they print."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import reference_parts as parts
from docutils import nodes

WIDTH = "88"
"""How wide the terminal of the examples is."""


def commands() -> dict[str, argparse.ArgumentParser]:
    """The parser of every command by its name; that of the program itself has the name ``""``."""
    from rpcmemkit.cli import _parser

    program = _parser()
    (group,) = (action for action in program._actions if isinstance(action, argparse._SubParsersAction))
    return {"": program, **group.choices}


def describe(page: parts.Page, name: str) -> Sequence[nodes.Node]:
    """The usage and the options of a command; ``--help``, which all of them have, once for the program."""
    parser = commands()[name]
    with terminal():
        usage = parser.format_usage().removeprefix("usage: ").rstrip()
    left_out = (argparse._SubParsersAction, *([argparse._HelpAction] if name else []))
    options = [action for action in parser._actions if not isinstance(action, left_out)]
    return [parts.code(usage, "text"), *(_option(page, name, action) for action in options)]


def _option(page: parts.Page, command: str, action: argparse.Action) -> nodes.Node:
    value = "" if action.nargs == 0 else action.metavar or "|".join(map(str, action.choices or ()))
    names = ", ".join(action.option_strings) or str(value)
    shown = f"{names} {value}".strip() if action.option_strings else names
    facts = [str(action.help or "").replace("%(prog)s", "rpcmemkit")]
    if action.option_strings and action.default not in (None, False, argparse.SUPPRESS, []):
        facts.append(f"default: {action.default}")
    told = "; ".join(facts)
    program = f"rpcmemkit {command}".strip()
    id_ = "-".join([program.replace(" ", "-"), (action.option_strings or [action.dest])[-1].lstrip("-")])
    index = [f"{each}; {program}" for each in action.option_strings]
    body = [parts.paragraph(f"{told[0].upper()}{told[1:]}.")]
    return page.entry("option", id_, shown, "", index=index, body=body)


# --- running -------------------------------------------------------------------------------------


def run(line: str, folder: Path) -> tuple[int, str]:
    """Run ``rpcmemkit …`` in a copy of a folder; return the exit code and what it printed."""
    from rpcmemkit import cli

    program, *arguments = shlex.split(line)
    if program != "rpcmemkit":
        return 127, f"{program}: only rpcmemkit is run here"
    printed = io.StringIO()
    with TemporaryDirectory() as copy, terminal():
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        with _inside(Path(copy)), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            try:
                code = cli.main(arguments)
            except SystemExit as left:
                code = int(left.code or 0)
    return code, "\n".join(map(str.rstrip, printed.getvalue().rstrip("\n").splitlines()))


@contextlib.contextmanager
def terminal() -> Iterator[None]:
    """A terminal of a fixed width and without colour, for whoever asks."""
    before = dict(os.environ)
    os.environ |= {"COLUMNS": WIDTH, "NO_COLOR": "1"}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
