"""The commands that carry out calls: ``run``, ``verify``, ``render``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpcmemkit.cli.common import DIFFERS, FAILED, OK, STDIN, as_json, command, fail, say, scenario_of, width
from rpcmemkit.cli.options import add_folders
from rpcmemkit.errors import RpcMemKitError, printable

if TYPE_CHECKING:
    from rpcmemkit.scenario import Report, Run, Scenario


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    _add_run(commands)
    _add_verify(commands)
    _add_render(commands)


def _add_run(commands: Any) -> None:
    parser = command(commands, "run", run, "tell the memory story of every call", "rpcmemkit run prune.yaml")
    parser.add_argument("file", metavar="FILE", help="a scenario file, or - for standard input")
    parser.add_argument("--json", action="store_true", help="print what happened as JSON")
    parser.add_argument("--no-color", action="store_true", help="plain text, also on a terminal")
    add_folders(parser)


def _add_verify(commands: Any) -> None:
    summary = "compare what scenario files expect with what happens"
    parser = command(commands, "verify", verify, summary, "rpcmemkit verify tests/conformance")
    parser.add_argument(
        "paths", metavar="FILE", nargs="+", help="scenario files; of a directory, all files in it"
    )
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")
    add_folders(parser)


def _add_render(commands: Any) -> None:
    summary = "draw a picture of one call"
    parser = command(commands, "render", render, summary, "rpcmemkit render prune.yaml -o call.svg --call 2")
    parser.add_argument("file", metavar="FILE", help="a scenario file, or - for standard input")
    parser.add_argument(
        "-o", "--output", metavar="SVG", required=True, help="where to write, - for standard output"
    )
    parser.add_argument(
        "--call", metavar="N", type=int, default=1, help="which call, counted from 1 (the default)"
    )
    add_folders(parser)


# --- run --------------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    """``rpcmemkit run``: 0, also when a call ends with an exception; errors if the scenario cannot be run."""
    from rpcmemkit.scenario import Run, as_step

    scenario = scenario_of(arguments, arguments.file)
    carried_out = Run(scenario)
    if arguments.json:
        steps = [as_step(happened) for happened in carried_out.happenings()]
        calls = [step.pop("observed") for step in steps if "call" in step]
        say(as_json({"scenario": scenario.name, "calls": calls, "steps": steps}))
    else:
        _tell(scenario, carried_out, plain=arguments.no_color or not sys.stdout.isatty())
    return OK


def _tell(scenario: Scenario, carried_out: Run, plain: bool) -> None:
    from rpcmemkit.call import Departure
    from rpcmemkit.scenario import ClientStep
    from rpcmemkit.story import tell, tell_client, tell_departure

    write = _plain_writer() if plain else _rich_writer()
    write(f"{scenario.name}\n{scenario.about}" if scenario.about else scenario.name)
    for happened in carried_out.happenings():
        if isinstance(happened, Departure):
            write(tell_departure(happened))
        elif isinstance(happened, ClientStep):
            write(tell_client(happened))
        else:
            write(tell(happened.call, f"Call {happened.number}: {happened.call.procedure.name}"))
    for finding in carried_out.findings:
        write(f"finding: {finding}")


def _plain_writer() -> Any:
    import textwrap

    columns = width()

    def write(what: Any) -> None:
        if isinstance(what, str):
            say("\n".join(textwrap.fill(line, columns) for line in what.splitlines()), end="\n\n")
        else:
            say(what.text(columns))

    return write


def _rich_writer() -> Any:
    from rich.console import Console
    from rich.segment import Segment

    class Screen(Console):
        """A console that is steered by styles alone, never by what a text holds."""

        def render(self, *what: Any, **how: Any) -> Iterator[Segment]:
            for text, style, control in super().render(*what, **how):
                yield Segment(text if control else printable(text), style, control)

    console = Screen(highlight=False, emoji=False)

    def write(what: Any) -> None:
        console.print(what, markup=False)
        console.print()

    return write


# --- verify -----------------------------------------------------------------------------------


def verify(arguments: argparse.Namespace) -> int:
    """``rpcmemkit verify``: 0 if every file agrees, 1 if one differs, 2 if one could not be run."""
    reports = []
    for report in _reports(arguments):
        reports.append(report)
        if not arguments.json and (report.result != "agree" or report.findings):
            say(_report_text(report))
    if not reports:
        return fail(f"no scenario files (*.yaml, *.yml) in {', '.join(arguments.paths)}")
    results = [report.result for report in reports]
    tally = {result: results.count(result) for result in ("agree", "differ", "error")}
    if arguments.json:
        say(as_json({"files": [report.as_data() for report in reports], **tally}))
    else:
        say(f"{tally['agree']} agree, {tally['differ']} differ, {tally['error']} could not run")
    return FAILED if tally["error"] else DIFFERS if tally["differ"] else OK


def _reports(arguments: argparse.Namespace) -> Iterator[Report]:
    from rpcmemkit.cli.options import environment
    from rpcmemkit.scenario import find_files

    environment(arguments)  # what is wrong with an option is no fault of a file
    files: list[str] = []
    for path in arguments.paths:
        files += [STDIN] if path == STDIN else map(str, find_files([path]))
    watched = sys.stderr.isatty() and len(files) > 1
    for number, file in enumerate(files):
        with _progress(number, len(files), file) if watched else nullcontext():
            report = _report(arguments, file)
        yield report


def _report(arguments: argparse.Namespace, file: str) -> Report:
    from rpcmemkit.files import reason
    from rpcmemkit.scenario import Report, verify

    name = "<stdin>" if file == STDIN else file
    try:
        return verify(scenario_of(arguments, file), name)
    except (RpcMemKitError, OSError) as error:
        return Report(name, error=reason(error))


def _report_text(report: Report) -> str:
    lines = [f"{report.result}: {report.file}", *map(str, report.differences), *report.error.splitlines()]
    lines += [f"finding: {each}" for each in report.findings]
    return "\n    ".join(lines)


def _progress(done: int, total: int, file: str) -> AbstractContextManager[Any]:
    """Return a line on stderr that tells how far the work is, and goes before a report is printed."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    name = TextColumn("{task.description}", markup=False)
    line = Progress(BarColumn(24), MofNCompleteColumn(), name, console=Console(stderr=True), transient=True)
    line.add_task(printable(Path(file).name), total=total, completed=done)
    return line


# --- render -----------------------------------------------------------------------------------


def render(arguments: argparse.Namespace) -> int:
    """``rpcmemkit render``: 0 when the picture is written."""
    from rpcmemkit.files import write_text
    from rpcmemkit.scenario import Run

    scenario = scenario_of(arguments, arguments.file)
    carried_out = Run(scenario)
    outcomes = {outcome.number: outcome for outcome in carried_out.outcomes()}
    if arguments.call not in outcomes:
        return fail(f"there is no call {arguments.call}: {scenario.name} makes {len(outcomes)}")
    try:
        from rpcmemkit.draw import render as draw

        picture = draw(outcomes[arguments.call].call)
    except ImportError as error:
        return fail(f"pictures need more ({error}); install it with: pip install 'rpcmemkit[book]'")
    if arguments.output == STDIN:
        say(picture)
    else:
        file = sys.stdin.fileno() if arguments.file == STDIN else arguments.file
        write_text(arguments.output, picture, [file, *carried_out.session.compilation.files])
    return OK
