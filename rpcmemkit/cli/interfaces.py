"""The commands that read an interface: ``explain`` and ``check``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpcmemkit.cli.common import DIFFERS, OK, STDIN, as_json, command, scenario_of, width

if TYPE_CHECKING:
    from rpcmemkit.call import Environment
    from rpcmemkit.errors import Diagnostic
    from rpcmemkit.idl.compilation import Compilation
    from rpcmemkit.idl.switches import Switches
    from rpcmemkit.types import Interface


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    _add_explain(commands)
    _add_check(commands)


def _add_explain(commands: Any) -> None:
    summary = "tell who allocates and who frees each pointer of a signature, and why"
    parser = command(commands, "explain", explain, summary, "rpcmemkit explain catalog.idl --procedure Find")
    parser.add_argument("file", metavar="FILE", help="an IDL file, or a scenario file (.yaml)")
    parser.add_argument("--acf", metavar="FILE", help="the attribute file; unless given, the .acf beside it")
    parser.add_argument("--procedure", metavar="NAME", help="one procedure; unless given, all")
    parser.add_argument("--pointer-size", type=int, choices=(4, 8), help="octets of a pointer, on both sides")
    parser.add_argument("--syntax", choices=("ndr20", "ndr64"), help="the transfer syntax")
    _add_switches(parser)
    parser.add_argument(
        "-I", dest="folders", metavar="DIR", action="append", default=[], help="where imports are"
    )
    parser.add_argument(
        "--free-plan", action="store_true", help="C code that frees what the client gets back"
    )
    parser.add_argument("--json", action="store_true", help="print the promises as JSON")


def _add_check(commands: Any) -> None:
    summary = "compile an interface and show errors and warnings"
    parser = command(commands, "check", check, summary, "rpcmemkit check catalog.idl --format msvc")
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


# --- explain ----------------------------------------------------------------------------------


def explain(arguments: argparse.Namespace) -> int:
    """``rpcmemkit explain``: 0, or 2 if the interface does not compile, or the procedure cannot be explained."""
    from rpcmemkit.contract import FreePlan, as_data, as_text, c_code, contract, contracts

    interface, environment = _declared(arguments)
    only, refused = arguments.procedure, dict[str, str]()
    if only:
        told = [contract(interface, only, environment)]
    else:
        told, refused = contracts(interface, environment)
    plans = [FreePlan(interface, each.procedure.name, environment) for each in told]
    if arguments.json:
        found = [{**as_data(each), "free_plan": plan.c} for each, plan in zip(told, plans, strict=True)]
        print(as_json({"interface": interface.name, "procedures": found, "not_explained": refused}))
    elif arguments.free_plan:
        print(c_code(plans) + "".join(f"\n/* {why} */\n" for why in refused.values()), end="")
    else:
        reasons = [f"Not explained: {why}" for why in refused.values()]
        print("\n\n\n".join([*([as_text(told, width())] if told else []), *reasons]))
    return OK


def _declared(arguments: argparse.Namespace) -> tuple[Interface, Environment]:
    """Return the interface of an IDL file or a scenario, and the environment that the options or the scenario ask for."""
    from rpcmemkit.call import Environment
    from rpcmemkit.idl import compile_idl
    from rpcmemkit.scenario.run import environment_of

    if Path(arguments.file).suffix not in {".yaml", ".yml"}:
        return _compile(arguments).interface, _asked(Environment(), arguments)
    scenario = scenario_of(arguments.file)
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
            print(as_json([_diagnostic_data(each) for each in found]))
        case "msvc":
            print("".join(f"{_msvc_text(each)}\n" for each in found), end="")
        case _:
            print("".join(f"{each}\n" for each in found) + _tally(found))
    return code


def _compile(arguments: argparse.Namespace) -> Compilation:
    from rpcmemkit.idl import compile_file, compile_idl

    folders = [Path(folder) for folder in arguments.folders]
    if arguments.file != STDIN:
        return compile_file(
            arguments.file, arguments.acf, switches=_switches(arguments), include_dirs=folders
        )
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
