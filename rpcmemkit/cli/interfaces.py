"""The commands that read an interface: ``explain`` and ``check``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpcmemkit.cli.common import DIFFERS, OK, STDIN, as_json, command, read_stdin, say, scenario_of, width
from rpcmemkit.cli.options import add_switches, apply, environment
from rpcmemkit.errors import Diagnostic, IdlError, ScenarioError, UsageError, counted
from rpcmemkit.kinds import EventKind

if TYPE_CHECKING:
    from rpcmemkit.contract import Contract, FreePlan
    from rpcmemkit.environment import Environment
    from rpcmemkit.idl.compilation import Compilation
    from rpcmemkit.scenario import Scenario
    from rpcmemkit.types import Interface

_SCENARIO = re.compile(rb"^scenario[ \t]*:", re.MULTILINE)


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    _add_explain(commands)
    _add_check(commands)


def _add_explain(commands: Any) -> None:
    summary = "tell who allocates and who frees each pointer of a signature, and why"
    parser = command(commands, "explain", explain, summary, "rpcmemkit explain catalog.idl --procedure Find")
    _add_file(parser)
    parser.add_argument("--interface", metavar="NAME", help="one interface; unless given, all")
    parser.add_argument("--procedure", metavar="NAME", help="one procedure; unless given, all")
    parser.add_argument("--pointer-size", type=int, choices=(4, 8), help="bytes of a pointer, on both sides")
    add_switches(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--free-plan", action="store_true", help="C code that frees what the client gets back")
    form.add_argument("--json", action="store_true", help="print the promises as JSON, with the free plans")


def _add_check(commands: Any) -> None:
    summary = "compile an interface, or the one of a scenario, and show errors and warnings"
    parser = command(commands, "check", check, summary, "rpcmemkit check catalog.idl --format msvc")
    _add_file(parser)
    add_switches(parser)
    parser.add_argument("--format", choices=("text", "msvc", "json"), default="text", help="of the findings")


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="an IDL file, a scenario file (.yaml), or - for standard input"
    )
    parser.add_argument("--acf", metavar="FILE", help="the attribute file; unless given, the .acf beside it")


# --- what is read -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """What a command reads: an interface with its attribute file, or a scenario that holds both."""

    environment: Environment
    acf: str | None
    compile: Callable[[], Compilation]
    scenario: Scenario | None = None
    other_acfs: Sequence[str] = ()


def attributes(acf: str | None, others: Sequence[str] = ()) -> str:
    """Return which attribute file was read, and which others of that name are not."""
    also = f" ({' and '.join(others)} {'is' if len(others) == 1 else 'are'} there too, and not read)"
    return f"Attribute file: {acf or 'none'}{also if others else ''}"


def _subject(arguments: argparse.Namespace) -> Subject:
    suffix = Path(arguments.file).suffix.lower()
    if suffix in {".yaml", ".yml"}:
        return _in_scenario(scenario_of(arguments, arguments.file))
    if suffix == ".acf":
        raise UsageError(
            f"{arguments.file}: this is an attribute file; name the IDL file, and this one with --acf"
        )
    if arguments.file != STDIN:
        return _in_file(arguments)
    data = read_stdin()
    if _SCENARIO.search(data):
        from rpcmemkit.scenario import parse_bytes

        return _in_scenario(apply(arguments, parse_bytes(data, "<stdin>")))
    return _in_text(arguments, data.decode("utf-8", "replace"))


def _in_scenario(scenario: Scenario) -> Subject:
    from rpcmemkit.idl import compile_idl
    from rpcmemkit.scenario.run import environment_of

    around = environment_of(scenario)

    def compiled() -> Compilation:
        try:
            return compile_idl(scenario.idl, scenario.acf, file=scenario.idl_file, switches=around.switches)
        except IdlError as error:
            raise scenario.translate(error) from None

    acf = "the scenario's own, `acf`" if scenario.acf else None
    return Subject(around, acf, compiled, scenario)


def _in_file(arguments: argparse.Namespace) -> Subject:
    from rpcmemkit.files import read_bytes
    from rpcmemkit.idl import acfs_beside, compile_file

    around = environment(arguments)
    read_bytes(arguments.file)  # what has no name of its own, such as a folder, ends here
    found = [arguments.acf] if arguments.acf else list(map(str, acfs_beside(Path(arguments.file))))
    acf = next(iter(found), None)
    return Subject(
        around,
        acf,
        lambda: compile_file(arguments.file, acf, switches=around.switches),
        other_acfs=[Path(each).name for each in found[1:]],
    )


def _in_text(arguments: argparse.Namespace, text: str) -> Subject:
    from rpcmemkit.files import read_text
    from rpcmemkit.idl import compile_idl

    around = environment(arguments)
    acf = read_text(arguments.acf) if arguments.acf else None

    def compiled() -> Compilation:
        return compile_idl(text, acf, file="<stdin>", acf_file=arguments.acf, switches=around.switches)

    return Subject(around, arguments.acf, compiled)


# --- explain ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """What is told of one interface."""

    interface: Interface
    contracts: list[Contract]
    plans: list[FreePlan]
    refused: dict[str, str]


def explain(arguments: argparse.Namespace) -> int:
    """``rpcmemkit explain``: 0, or 2 if the interface does not compile, or the procedure cannot be explained."""
    subject = _subject(arguments)
    compiled = subject.compile()
    name = subject.scenario.interface if subject.scenario else arguments.interface
    told = _told(compiled.named(name), arguments.procedure, subject.environment)
    if arguments.json:
        say(as_json(_explained_data(told, subject)))
    elif arguments.free_plan:
        say(_planned(told), "")
    else:
        say("\n\n\n".join([attributes(subject.acf, subject.other_acfs), *_explained_text(told)]))
    return OK


def _told(interfaces: Sequence[Interface], procedure: str | None, around: Environment) -> list[Told]:
    """Tell of every procedure, or of those of one name; what an interface inherits from another one, only there."""
    from rpcmemkit import given
    from rpcmemkit.contract import FreePlan, contract, contracts

    if procedure:
        holders = [each for each in interfaces if procedure in each.procedures]
        if not holders:
            known = [name for each in interfaces for name in each.procedures]
            names = " and ".join(each.name for each in interfaces)
            which = f"interface {names} has" if len(interfaces) == 1 else f"interfaces {names} have"
            raise UsageError(f"{which} no procedure {procedure}{given.meant(procedure, known)}")
    found: list[Told] = []
    seen: set[int] = set()
    for interface in holders if procedure else interfaces:
        inherited = {name for name, each in interface.procedures.items() if id(each) in seen}
        seen |= {id(each) for each in interface.procedures.values()}
        if procedure:
            chosen, refused = [contract(interface, procedure, around)], dict[str, str]()
        else:
            chosen, refused = contracts(interface, around)
        chosen = [each for each in chosen if each.procedure.name not in inherited]
        plans = [FreePlan(interface, each.procedure.name, around) for each in chosen]
        kept = {name: why for name, why in refused.items() if name not in inherited}
        found.append(Told(interface, chosen, plans, kept))
    return found


def _planned(told: Sequence[Told]) -> str:
    """Return the free plans as C: a text for each deallocator, since functions of one name may then differ."""
    from rpcmemkit.contract import c_code

    by_deallocator: dict[str, list[FreePlan]] = {}
    for plan in (plan for each in told for plan in each.plans):
        by_deallocator.setdefault(plan.deallocator, []).append(plan)
    texts = [
        (f"/* A file of its own: what is freed with {name}. */\n" if len(by_deallocator) > 1 else "")
        + c_code(plans)
        for name, plans in by_deallocator.items()
    ]
    refused = [f"/* {why} */\n" for each in told for why in each.refused.values()]
    return "\n".join([*texts, *refused])


def _explained_data(told: Sequence[Told], subject: Subject) -> dict[str, Any]:
    from rpcmemkit.contract import as_data

    several = len(told) > 1
    procedures = [
        {**as_data(each), "interface": one.interface.name, "free_plan": plan.c}
        for one in told
        for each, plan in zip(one.contracts, one.plans, strict=True)
    ]
    names = [name for one in told for name in one.refused]
    refused = {
        name if names.count(name) == 1 else f"{one.interface.name}.{name}": why
        for one in told
        for name, why in one.refused.items()
    }
    return {
        "interface": None if several else told[0].interface.name,
        "interfaces": [one.interface.name for one in told],
        "acf": subject.acf,
        "procedures": procedures,
        "not_explained": refused,
    }


def _explained_text(told: Sequence[Told]) -> list[str]:
    from rpcmemkit.contract import as_texts

    parts = []
    texts, legend = as_texts([one.contracts for one in told], width())
    for one, text in zip(told, texts, strict=True):
        if len(told) > 1:
            title = f"Interface {one.interface.name}"
            parts.append(f"{title}\n{'=' * len(title)}")
        if one.contracts:
            parts.append(text)
        elif not one.refused:
            parts.append(
                "No procedures." if not one.interface.procedures else "All its procedures are told above."
            )
        parts += [f"Not explained: {why}" for why in one.refused.values()]
    if legend:
        parts[-1] += f"\n\n{legend}"
    return parts


# --- check ------------------------------------------------------------------------------------


def check(arguments: argparse.Namespace) -> int:
    """``rpcmemkit check``: 0 if the interface compiles, 1 if not, or if its scenario cannot be carried out."""
    checked = Checked()
    try:
        subject = _subject(arguments)
        checked.acf, checked.other_acfs = subject.acf, subject.other_acfs
        compiled = subject.compile()
        checked.interfaces = [each.name for each in compiled.interfaces]
        checked.types = len(compiled.types)
        checked.findings = [*_nothing(compiled, arguments.file), *compiled.warnings]
        if subject.scenario and subject.scenario.expect_error is None:
            checked.faults = _carry_out(subject.scenario)
    except IdlError as error:
        checked.findings = error.diagnostics
    except ScenarioError as error:
        checked.findings = [*checked.findings, _as_diagnostic(error)]
    else:
        return _show(checked, arguments.format, OK)
    return _show(checked, arguments.format, DIFFERS)


@dataclass
class Checked:
    """What is to be shown of a check."""

    acf: str | None = None
    other_acfs: Sequence[str] = ()
    interfaces: list[str] = field(default_factory=list)
    types: int = 0
    findings: list[Diagnostic] = field(default_factory=list)
    faults: int = 0  # calls of a scenario that met one


def _nothing(compiled: Compilation, file: str) -> Iterator[Diagnostic]:
    """Yield a warning where a text defines nothing: no interface, and nothing that another file could import."""
    from rpcmemkit.idl.scope import predefined

    constants = len(compiled.constants) > len(predefined().constants)
    if not (compiled.interfaces or compiled.types or constants or len(compiled.files) > 1):
        told = "the text defines no interface, and no type that another file could import"
        file = "<stdin>" if file == STDIN else file
        yield Diagnostic(
            "interface", told, file, 1, 1, 1, severity="warning", remedy="write interface NAME { … }"
        )


def _carry_out(scenario: Scenario) -> int:
    """Carry out the calls of a scenario, and return how many met a fault.

    Raises :class:`~rpcmemkit.errors.ScenarioError` if one cannot be made.
    """
    from rpcmemkit.scenario import Run

    return sum(
        outcome.call.error is not None or any(outcome.call.trace.select(EventKind.FAULT))
        for outcome in Run(scenario).outcomes()
    )


def _show(checked: Checked, form: str, code: int) -> int:
    found = checked.findings
    match form:
        case "json":
            findings = [_diagnostic_data(each) for each in found]
            say(as_json({"acf": checked.acf, "interfaces": checked.interfaces, "findings": findings}))
        case "msvc":
            say("".join(f"{_msvc_text(each)}\n" for each in found), "")
        case _:
            say("\n".join([*map(str, found), *_read(checked), _tally(found, checked.faults)]))
    return code


def _read(checked: Checked) -> Iterator[str]:
    """Yield lines that say what was read."""
    if checked.interfaces:
        word = "Interface" if len(checked.interfaces) == 1 else "Interfaces"
        yield f"{word}: {', '.join(checked.interfaces)}"
    elif checked.types:
        yield f"No interface: {counted(checked.types, 'type')}."
    yield attributes(checked.acf, checked.other_acfs)


def _as_diagnostic(error: ScenarioError) -> Diagnostic:
    """Return what is wrong with a scenario in the form of what is wrong with an interface."""
    where = f" at {error.path}" if error.path else ""
    place = ("file", "line", "column", "length", "source", "expected", "remedy")
    told = {name: getattr(error, name) for name in place}
    return Diagnostic("scenario", f"{error.message}{where}", **told)


def _tally(found: Sequence[Diagnostic], faults: int) -> str:

    if faults and not found:
        return f"No errors in the interface; {counted(faults, 'call')} met {'a fault' if faults == 1 else 'faults'} (see run)."
    if not found:
        return "All checks passed."
    severities = [each.severity for each in found]
    kinds = [(kind, severities.count(kind)) for kind in ("error", "warning")]
    return ", ".join(counted(count, kind) for kind, count in kinds)


def _msvc_text(found: Diagnostic) -> str:
    """The form that Visual Studio and MSBuild read: ``file(line) : error MIDL2025 : text [context]``."""
    number = f"MIDL{found.midl}" if found.midl else found.code
    context = f" [ {found.parameter} ]" if found.parameter else ""
    return f"{found.file}({found.line}) : {found.severity} {number} : {found.message}{context}"


def _diagnostic_data(found: Diagnostic) -> dict[str, Any]:
    return {name: getattr(found, name) for name in found.__slots__}
