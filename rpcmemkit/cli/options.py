"""From options to an environment: one way, whether a command reads an interface or a scenario.

Options become what a scenario's ``environment`` says in the same words, and stand above it.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rpcmemkit.errors import UsageError

if TYPE_CHECKING:
    from rpcmemkit.environment import Environment
    from rpcmemkit.scenario import Scenario

_SETTINGS = ("osf", "reading", "transfer_syntax", "pointer_size")


def add_folders(parser: Any) -> None:
    """Add the options for the files that an interface names."""
    parser.add_argument(
        "-I",
        dest="include_dirs",
        metavar="DIR",
        action="append",
        help="where imported and included files are, beside the folder of the file itself",
    )
    parser.add_argument(
        "--include-anywhere",
        action="store_const",
        const=True,
        help="read imported and included files wherever they lie, not only below these folders",
    )


def add_switches(parser: argparse.ArgumentParser) -> None:
    """Add the switches of the compiler."""
    from rpcmemkit.idl.switches import MODES, Switches

    usual = Switches()
    group = parser.add_argument_group(
        "switches of MIDL", "Unless given, a scenario's own, or the usual ones."
    )
    group.add_argument(
        "--reading", choices=("midl", "wine"), help="whose stubs these are where MIDL's and Wine's differ"
    )
    group.add_argument("--osf", action="store_const", const=True, help="the rules and defaults of DCE")
    group.add_argument(
        "--target", metavar="NT60", help=f"the oldest system to run on; usually {usual.target}"
    )
    group.add_argument("--mode", choices=MODES, help=f"how stubs are made; usually {usual.mode}")
    group.add_argument(
        "--no-robust", dest="robust", action="store_const", const=False, help="stubs without checks of counts"
    )
    group.add_argument(
        "--rpcss", action="store_const", const=True, help="[enable_allocate] for every procedure"
    )
    group.add_argument(
        "--no-app-config",
        dest="app_config",
        action="store_const",
        const=False,
        help="no ACF attributes in the IDL file",
    )
    syntax = group.add_mutually_exclusive_group()
    syntax.add_argument(
        "--syntax", dest="transfer_syntax", choices=("ndr20", "ndr64"), help="the transfer syntax"
    )
    syntax.add_argument(
        "--ndr64",
        dest="transfer_syntax",
        action="store_const",
        const="ndr64",
        help="the same as --syntax ndr64",
    )
    add_folders(group)


def asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what the options ask for, under the keys of a scenario's ``environment``."""
    from rpcmemkit.idl.switches import Switches

    given = {name: value for name, value in vars(arguments).items() if value is not None}
    settings = {name: value for name, value in given.items() if name in _SETTINGS}
    switches = Switches.__dataclass_fields__.keys() - settings
    return {**settings, "midl": {name: value for name, value in given.items() if name in switches}}


def environment(arguments: argparse.Namespace) -> Environment:
    """Return the environment that the options ask for.

    Raises:
        UsageError: an option has a value that cannot be.
    """
    from rpcmemkit.environment import environment_from

    return environment_from(asked(arguments))


def apply(arguments: argparse.Namespace, scenario: Scenario) -> Scenario:
    """Put what the options ask for into a scenario.

    Raises:
        UsageError: an option has a value that cannot be, or cannot apply to a scenario.
    """
    if getattr(arguments, "acf", None):
        raise UsageError(
            "--acf cannot be used with a scenario: it brings its attributes itself, under the key `acf`"
        )
    environment(arguments)
    wanted = asked(arguments)
    if "pointer_size" in wanted:
        wanted |= dict.fromkeys(("client_pointer_size", "server_pointer_size"), wanted["pointer_size"])
    midl = {**(scenario.environment.get("midl") or {}), **wanted["midl"]}
    scenario.environment = {**scenario.environment, **wanted, "midl": midl}
    scenario.interface = getattr(arguments, "interface", None) or scenario.interface
    return scenario
