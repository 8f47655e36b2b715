"""Cell magics: ``%%idl``, ``%%acf`` and ``%%scenario`` show what comes of the text in a cell.

``%load_ext rpcmemkit.notebook`` brings them. Each takes a name, so that a notebook can hold several interfaces, and
the options of an environment; ``%%idl tree`` also binds ``tree`` to a session, ready for calls.
"""

from __future__ import annotations

import argparse
import keyword
import shlex
from dataclasses import dataclass
from typing import Any, NoReturn

from rpcmemkit.call import Session
from rpcmemkit.environment import Environment
from rpcmemkit.errors import RpcMemKitError, UsageError
from rpcmemkit.notebook.bench import interface_report, scenario_report, trouble
from rpcmemkit.notebook.tables import Shown


class Line(argparse.ArgumentParser):
    """The options on the first line of a cell."""

    def __init__(self, magic: str) -> None:
        super().__init__(f"%%{magic}", add_help=False)
        self.add_argument("name", nargs="?", default="interface")

    def error(self, message: str) -> NoReturn:
        """Raise instead of ending the kernel."""
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def _line_of_idl() -> Line:
    line = Line("idl")
    line.add_argument("--interface", help="the interface to call, where the text defines several")
    line.add_argument("--client", type=int, choices=(4, 8), default=8, help="bytes of a client's pointer")
    line.add_argument("--server", type=int, choices=(4, 8), default=8, help="bytes of a server's pointer")
    line.add_argument("--syntax", choices=("ndr20", "ndr64"), default="ndr20", help="the transfer syntax")
    line.add_argument("--osf", action="store_true", help="the rules and defaults of DCE")
    return line


def _words(text: str) -> list[str]:
    """Return the words of a line, as a shell takes them apart."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"{text}: {str(error).lower()}; write a name and options, such as: tree --osf"
        ) from None


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UsageError(f"{name!r} cannot be the name of a variable; take a word of letters, digits and _")


LINES = {"idl": _line_of_idl(), "acf": Line("acf"), "scenario": Line("scenario")}


@dataclass
class Source:
    """The texts of one interface, and where it is compiled for."""

    idl: str
    environment: Environment
    acf: str | None = None
    interface: str | None = None


class Bench:
    """The texts that the cells of one notebook brought, by name."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.sources: dict[str, Source] = {}

    def register(self) -> None:
        """Make the magics known to the shell."""
        for name, line in LINES.items():
            self.shell.register_magic_function(self._magic(name, line), "cell", name)

    def _magic(self, name: str, line: Line) -> Any:
        def magic(text: str, cell: str) -> Shown:
            try:
                given = line.parse_args(_words(text))
                _check_name(given.name)
                shown: Shown = getattr(self, name)(given, cell)
            except RpcMemKitError as error:
                return trouble(error)
            return shown

        magic.__doc__ = getattr(self, name).__doc__ + f"\n\n{line.format_help()}"
        return magic

    def idl(self, given: argparse.Namespace, cell: str) -> Shown:
        """Compile an interface, bind a session to its name, and show what the interface promises."""
        environment = Environment(given.client, given.server, given.syntax, osf=given.osf)
        self.sources[given.name] = Source(cell, environment, interface=given.interface)
        return self._promise(given.name)

    def acf(self, given: argparse.Namespace, cell: str) -> Shown:
        """Compile an interface again, with attributes of one side's own."""
        if given.name not in self.sources:
            raise UsageError(f"%%acf comes after %%idl: there is no interface {given.name!r} yet")
        self.sources[given.name].acf = cell
        return self._promise(given.name)

    def scenario(self, given: argparse.Namespace, cell: str) -> Shown:
        """Run calls that are told as data, and compare what they expect with what happens."""
        source = self.sources.get(given.name, Source("", Environment()))
        return scenario_report(cell, source.idl, source.acf, source.environment)

    def _promise(self, name: str) -> Shown:
        source = self.sources[name]
        self.shell.user_ns[name] = Session(
            source.idl, source.acf, source.environment, interface=source.interface
        )
        return interface_report(source.idl, source.acf, source.environment)
