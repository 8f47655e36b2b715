"""The command line: ``rpcmemkit run | verify | render | explain | rules | check``.

Results go to stdout, everything else to stderr. Exit codes: 0 all is well; 1 a file differs, or an interface has
errors; 2 the command could not do its work.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rpcmemkit.call import Environment
    from rpcmemkit.errors import Diagnostic
    from rpcmemkit.idl.compilation import Compilation
    from rpcmemkit.idl.switches import Switches
    from rpcmemkit.rules import Rule
    from rpcmemkit.scenario import Report, Run, Scenario
    from rpcmemkit.types import Interface

OK, DIFFERS, FAILED = 0, 1, 2
STDIN = "-"

EXAMPLES = """\
examples:
  rpcmemkit run prune.yaml                  the memory story of every call of a scenario
  rpcmemkit run prune.yaml --json           what happened, under the keys of `expect`
  rpcmemkit verify tests/conformance        does what the files expect come true?
  rpcmemkit render prune.yaml -o call.svg   a picture of the call
  rpcmemkit rules server-reuses-buffer      what a rule says, and where it is documented
  rpcmemkit explain catalog.idl             who allocates and who frees, pointer by pointer
  rpcmemkit check catalog.idl               errors and warnings of an interface

FILE may be - for standard input.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; no error ends in a traceback."""
    from rpcmemkit.errors import RpcMemKitError

    _tolerate_narrow_encodings()
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        return _fail("the reader of the output has gone")
    except KeyboardInterrupt:
        return _fail("interrupted")
    except OSError as error:
        return _fail(f"{error.filename or 'output'}: {error.strerror or error}")
    except RpcMemKitError as error:
        return _fail(str(error))
    return code


def _fail(message: str) -> int:
    print(f"rpcmemkit: {message}", file=sys.stderr)
    return FAILED


def _tolerate_narrow_encodings() -> None:
    """A console that has no arrow or ellipsis gets a question mark, not an exception."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _abandon_stdout() -> None:
    """Let nothing be written when the interpreter flushes stdout at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# --- arguments --------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rpcmemkit",
        description="Shows who allocates and who frees every byte of a Microsoft RPC call, by running the call.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_verify(commands)
    _add_render(commands)
    _add_explain(commands)
    _add_rules(commands)
    _add_check(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: Any, **also: Any) -> None:
        from rpcmemkit import __version__

        print(f"rpcmemkit {__version__}")
        parser.exit()


def _command(commands: Any, name: str, function: Any, summary: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example: {example}",
    )
    parser.set_defaults(command=function)
    return parser


def _add_run(commands: Any) -> None:
    parser = _command(commands, "run", run, "tell the memory story of every call", "rpcmemkit run prune.yaml")
    parser.add_argument("file", metavar="FILE", help="a scenario file, or - for standard input")
    parser.add_argument("--json", action="store_true", help="print what happened as JSON")
    parser.add_argument("--no-color", action="store_true", help="plain text, also on a terminal")


def _add_verify(commands: Any) -> None:
    summary = "compare what scenario files expect with what happens"
    parser = _command(commands, "verify", verify, summary, "rpcmemkit verify tests/conformance")
    parser.add_argument(
        "paths", metavar="FILE", nargs="+", help="scenario files; of a directory, all files in it"
    )
    parser.add_argument("--json", action="store_true", help="print the reports as JSON")


def _add_render(commands: Any) -> None:
    summary = "draw a picture of one call"
    parser = _command(commands, "render", render, summary, "rpcmemkit render prune.yaml -o call.svg --call 2")
    parser.add_argument("file", metavar="FILE", help="a scenario file, or - for standard input")
    parser.add_argument(
        "-o", "--output", metavar="SVG", required=True, help="where to write, - for standard output"
    )
    parser.add_argument(
        "--call", metavar="N", type=int, default=1, help="which call, counted from 1 (the default)"
    )


def _add_explain(commands: Any) -> None:
    summary = "tell who allocates and who frees each pointer of a signature, and why"
    parser = _command(commands, "explain", explain, summary, "rpcmemkit explain catalog.idl --procedure Find")
    parser.add_argument("file", metavar="FILE", help="an IDL file, or a scenario file (.yaml)")
    parser.add_argument("--acf", metavar="FILE", help="the attribute file; unless given, the .acf beside it")
    parser.add_argument("--procedure", metavar="NAME", help="one procedure; unless given, all")
    parser.add_argument("--pointer-size", type=int, choices=(4, 8), help="octets of a pointer, on both sides")
    parser.add_argument("--syntax", choices=("ndr20", "ndr64"), help="the transfer syntax")
    _add_switches(parser)
    parser.add_argument(
        "-I", dest="folders", metavar="DIR", action="append", default=[], help="where imports are"
    )
    parser.add_argument("--free-plan", action="store_true", help="C code that frees what the client gets back")
    parser.add_argument("--json", action="store_true", help="print the promises as JSON")


def _add_rules(commands: Any) -> None:
    summary = "list the rules of memory management"
    parser = _command(commands, "rules", rules, summary, "rpcmemkit rules server-reuses-buffer")
    parser.add_argument("id", metavar="ID", nargs="?", help="one rule, in full")


def _add_check(commands: Any) -> None:
    summary = "compile an interface and show errors and warnings"
    parser = _command(commands, "check", check, summary, "rpcmemkit check catalog.idl --format msvc")
    parser.add_argument("file", metavar="FILE.idl", help="an IDL file, or - for standard input")
    parser.add_argument("--acf", metavar="FILE", help="its attribute file; unless given, the .acf beside it")
    _add_switches(parser)
    parser.add_argument(
        "-I", dest="folders", metavar="DIR", action="append", default=[], help="where imports are"
    )
    parser.add_argument("--format", choices=("text", "msvc", "json"), default="text", help="of the findings")


def _add_switches(parser: argparse.ArgumentParser) -> None:
    from rpcmemkit.idl.switches import MODES, Switches

    usual = Switches()
    group = parser.add_argument_group("switches of MIDL")
    group.add_argument("--osf", action="store_true", help="the rules and defaults of DCE")
    group.add_argument("--target", metavar="NT60", default=usual.target, help="the oldest system to run on")
    group.add_argument("--mode", choices=MODES, default=usual.mode, help="how stubs are made")
    group.add_argument("--no-robust", action="store_true", help="stubs without checks of counts")
    group.add_argument("--rpcss", action="store_true", help="[enable_allocate] for every procedure")
    group.add_argument("--ndr64", action="store_true", help="stubs that speak NDR64")
    group.add_argument("--no-app-config", action="store_true", help="no ACF attributes in the IDL file")


def _switches(arguments: argparse.Namespace) -> Switches:
    from rpcmemkit.idl.switches import Switches

    return Switches(
        target=arguments.target,
        mode=arguments.mode,
        robust=not arguments.no_robust,
        osf=arguments.osf,
        rpcss=arguments.rpcss,
        ndr64=arguments.ndr64,
        app_config=not arguments.no_app_config,
    )


# --- run --------------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    """``rpcmemkit run``: 0, also when a call ends with an exception; errors if the scenario cannot be run."""
    from rpcmemkit.scenario import Run

    scenario = _scenario(arguments.file)
    carried_out = Run(scenario)
    if arguments.json:
        calls = [outcome.observed() for outcome in carried_out.outcomes()]
        print(_json({"scenario": scenario.name, "calls": calls}))
    else:
        _tell(scenario, carried_out, plain=arguments.no_color or not sys.stdout.isatty())
    return OK


def _scenario(file: str) -> Scenario:
    from rpcmemkit.scenario import load_scenario, parse_octets

    return parse_octets(sys.stdin.buffer.read(), "<stdin>") if file == STDIN else load_scenario(file)


def _tell(scenario: Scenario, carried_out: Run, plain: bool) -> None:
    from rpcmemkit.call import Departure
    from rpcmemkit.story import tell, tell_departure

    write = _plain_writer() if plain else _rich_writer()
    write(f"{scenario.name}\n{scenario.about}" if scenario.about else scenario.name)
    for happened in carried_out.happenings():
        if isinstance(happened, Departure):
            write(tell_departure(happened))
        else:
            write(tell(happened.call, f"Call {happened.number}: {happened.call.procedure.name}"))


def _plain_writer() -> Any:
    import textwrap

    width = _width()

    def write(what: Any) -> None:
        if isinstance(what, str):
            print("\n".join(textwrap.fill(line, width) for line in what.splitlines()), end="\n\n")
        else:
            print(what.text(width))

    return write


def _rich_writer() -> Any:
    from rich.console import Console

    console = Console(highlight=False, emoji=False)

    def write(what: Any) -> None:
        console.print(what, markup=False)
        console.print()

    return write


def _width() -> int:
    return max(shutil.get_terminal_size((100, 24)).columns, 20)


# --- verify -----------------------------------------------------------------------------------


def verify(arguments: argparse.Namespace) -> int:
    """``rpcmemkit verify``: 0 if every file agrees, 1 if one differs, 2 if one could not be run."""
    reports = []
    for report in _reports(arguments.paths):
        reports.append(report)
        if not arguments.json and (report.result != "agree" or report.findings):
            print(_report_text(report))
    if not reports:
        return _fail(f"no scenario files (*.yaml, *.yml) in {', '.join(arguments.paths)}")
    results = [report.result for report in reports]
    tally = {result: results.count(result) for result in ("agree", "differ", "error")}
    if arguments.json:
        print(_json({"files": [report.as_data() for report in reports], **tally}))
    else:
        print(f"{tally['agree']} agree, {tally['differ']} differ, {tally['error']} could not run")
    return FAILED if tally["error"] else DIFFERS if tally["differ"] else OK


def _reports(paths: Sequence[str]) -> Iterator[Report]:
    from rpcmemkit.scenario import find_files, verify_file

    files: list[str | Path] = []
    for path in paths:
        files += [STDIN] if path == STDIN else find_files([path])
    progress = _Progress(len(files))
    for file in files:
        progress.show(str(file))
        report = _verify_stdin() if file == STDIN else verify_file(file)
        progress.clear()
        yield report


def _verify_stdin() -> Report:
    from rpcmemkit.errors import RpcMemKitError
    from rpcmemkit.scenario import Report, verify

    try:
        return verify(_scenario(STDIN), "<stdin>")
    except RpcMemKitError as error:
        return Report("<stdin>", error=str(error))


def _report_text(report: Report) -> str:
    lines = [f"{report.result}: {report.file}", *map(str, report.differences), *report.error.splitlines()]
    lines += [f"finding: {each}" for each in report.findings]
    return "\n    ".join(lines)


class _Progress:
    """A line on stderr that tells how far the work is, if a person is watching."""

    BAR = 24

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.shown = sys.stderr.isatty() and total > 1

    def show(self, name: str) -> None:
        if self.shown:
            filled = self.BAR * self.done // self.total
            bar = "#" * filled + "-" * (self.BAR - filled)
            line = f"[{bar}] {self.done}/{self.total} {Path(name).name}"
            print("\r\033[K" + line[: _width() - 1], end="", file=sys.stderr, flush=True)
        self.done += 1

    def clear(self) -> None:
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


# --- render -----------------------------------------------------------------------------------


def render(arguments: argparse.Namespace) -> int:
    """``rpcmemkit render``: 0 when the picture is written."""
    from rpcmemkit.scenario import Run

    scenario = _scenario(arguments.file)
    outcomes = {outcome.number: outcome for outcome in Run(scenario).outcomes()}
    if arguments.call not in outcomes:
        return _fail(f"there is no call {arguments.call}: {scenario.name} makes {len(outcomes)}")
    try:
        from rpcmemkit.draw import render as draw

        picture = draw(outcomes[arguments.call].call)
    except ImportError as error:
        return _fail(f"pictures need more ({error}); install it with: pip install 'rpcmemkit[book]'")
    if arguments.output == STDIN:
        print(picture)
    else:
        Path(arguments.output).write_text(picture, encoding="utf-8")
    return OK


# --- explain ----------------------------------------------------------------------------------


def explain(arguments: argparse.Namespace) -> int:
    """``rpcmemkit explain``: 0, or 2 if the interface does not compile or has no such procedure."""
    from rpcmemkit.contract import FreePlan, as_data, as_text, c_code, contract

    interface, environment = _declared(arguments)
    names = [arguments.procedure] if arguments.procedure else list(interface.procedures)
    told = [contract(interface, name, environment) for name in names]
    plans = [FreePlan(interface, name, environment) for name in names]
    if arguments.json:
        found = [{**as_data(each), "free_plan": plan.c} for each, plan in zip(told, plans, strict=True)]
        print(_json({"interface": interface.name, "procedures": found}))
    elif arguments.free_plan:
        print(c_code(plans), end="")
    else:
        print("\n\n\n".join(as_text(each, _width()) for each in told))
    return OK


def _declared(arguments: argparse.Namespace) -> tuple[Interface, Environment]:
    """Return the interface of an IDL file or a scenario, and the environment that the options or the scenario ask for."""
    from rpcmemkit.call import Environment
    from rpcmemkit.idl import compile_idl
    from rpcmemkit.scenario.run import environment_of

    if Path(arguments.file).suffix not in {".yaml", ".yml"}:
        return _compile(arguments).interface, _asked(Environment(), arguments)
    scenario = _scenario(arguments.file)
    environment = _asked(environment_of(scenario), arguments)
    given = scenario.idl, scenario.acf
    compiled = compile_idl(*given, file=scenario.idl_file, switches=environment.switches)
    return compiled.interface, environment


def _asked(environment: Environment, arguments: argparse.Namespace) -> Environment:
    """Return an environment with what the options ask for instead."""
    from dataclasses import replace

    asked: dict[str, Any] = {"osf": environment.osf or arguments.osf}
    if arguments.pointer_size:
        asked |= dict.fromkeys(("client_pointer_size", "server_pointer_size"), arguments.pointer_size)
    if arguments.ndr64 or arguments.syntax:
        asked |= {"transfer_syntax": arguments.syntax or "ndr64"}
    return replace(environment, **asked)


# --- rules ------------------------------------------------------------------------------------


def rules(arguments: argparse.Namespace) -> int:
    """``rpcmemkit rules``: 0, or 2 if there is no such rule."""
    from rpcmemkit.rules import RULES
    from rpcmemkit.story import table_text

    if arguments.id is None:
        cells = [(rule.id, rule.side, rule.when, rule.then) for rule in RULES.values()]
        print(table_text(("rule", "side", "when", "then"), cells, _width()))
        return OK
    if arguments.id not in RULES:
        import difflib

        close = difflib.get_close_matches(arguments.id, RULES, 1)
        return _fail(
            f"there is no rule {arguments.id!r}; "
            + (f"did you mean {close[0]}?" if close else "try: rpcmemkit rules")
        )
    print(_rule_text(RULES[arguments.id]))
    return OK


def _rule_text(rule: Rule) -> str:
    import textwrap

    from rpcmemkit.story import table_text

    facts = [("when", rule.when), ("then", rule.then), ("side", rule.side), ("sources", ", ".join(rule.sources)), ("claims", ", ".join(rule.claims))]
    given = [(name, value) for name, value in facts if value]
    return f"{rule.id}\n\n{textwrap.fill(rule.statement, _width())}\n\n{table_text(None, given, _width())}"


# --- check ------------------------------------------------------------------------------------


def check(arguments: argparse.Namespace) -> int:
    """``rpcmemkit check``: 0 if the interface compiles, 1 if not."""
    from rpcmemkit.errors import IdlError

    try:
        found = _compile(arguments).warnings
        code = OK
    except IdlError as error:
        found = error.diagnostics
        code = DIFFERS
    match arguments.format:
        case "json":
            print(_json([_diagnostic_data(each) for each in found]))
        case "msvc":
            print("".join(f"{_msvc_text(each)}\n" for each in found), end="")
        case _:
            print("".join(f"{each}\n" for each in found) + _tally(found))
    return code


def _compile(arguments: argparse.Namespace) -> Compilation:
    from rpcmemkit.idl import compile_file, compile_idl

    folders = [Path(folder) for folder in arguments.folders]
    if arguments.file != STDIN:
        return compile_file(arguments.file, arguments.acf, switches=_switches(arguments), include_dirs=folders)
    acf = Path(arguments.acf).read_text(encoding="utf-8", errors="replace") if arguments.acf else None
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    name = {"acf_file": arguments.acf} if arguments.acf else {}
    return compile_idl(text, acf, file="<stdin>", switches=_switches(arguments), include_dirs=folders, **name)


def _tally(found: Sequence[Diagnostic]) -> str:
    if not found:
        return "All checks passed."
    severities = [each.severity for each in found]
    kinds = [(kind, severities.count(kind)) for kind in ("error", "warning")]
    return ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in kinds)


def _msvc_text(found: Diagnostic) -> str:
    """The form that Visual Studio and MSBuild read: ``file(line) : error MIDL2025 : text [context]``."""
    number = f"MIDL{found.midl}" if found.midl else found.code
    context = f" [ {found.parameter} ]" if found.parameter else ""
    return f"{found.file}({found.line}) : {found.severity} {number} : {found.message}{context}"


def _diagnostic_data(found: Diagnostic) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__slots__}


# --- JSON -------------------------------------------------------------------------------------


def _json(data: Any) -> str:
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


if __name__ == "__main__":
    sys.exit(main())
