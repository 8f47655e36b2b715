"""The sessions of a scenario: one for each interface that its calls use, between the same two programs."""

from __future__ import annotations

from rpcmemkit import given
from rpcmemkit.call import Session
from rpcmemkit.environment import Environment
from rpcmemkit.errors import UsageError
from rpcmemkit.scenario.document import Path
from rpcmemkit.scenario.load import Scenario
from rpcmemkit.types import Interface


def open_sessions(scenario: Scenario, environment: Environment) -> dict[int, Session]:
    """Return the session of each call by the number of its step; the first one is the peer of the others.

    Without a call there is one session, number 0.

    Raises:
        IdlError: the text does not compile.
        ScenarioError: it is not clear which of several interfaces a call means, or there is none of that name.
    """
    first = _open(scenario, environment, scenario.interface)
    interfaces = first.compilation.interfaces
    by_name: dict[str, Session] = {}
    found: dict[int, Session] = {}
    for number, step in enumerate(scenario.steps):
        if "call" not in step:
            continue
        name = _meant(scenario, number, interfaces, first.interface)
        if name not in by_name and not by_name:
            by_name[name] = first if name == first.interface.name else _open(scenario, environment, name)
        elif name not in by_name:
            by_name[name] = _beside(scenario, number, next(iter(by_name.values())), name)
        found[number] = by_name[name]
    return found or {0: first}


def _open(scenario: Scenario, environment: Environment, interface: str | None) -> Session:
    try:
        session = Session(scenario.idl, scenario.acf, environment, scenario.idl_file, interface=interface)
        session.labels.numbered = True
        return session
    except UsageError as error:
        raise scenario.error(("interface" if interface else "idl",), str(error)) from error


def _beside(scenario: Scenario, number: int, first: Session, name: str) -> Session:
    try:
        session = first.also(scenario.idl, scenario.acf, scenario.idl_file, interface=name)
    except UsageError as error:
        raise scenario.error(("steps", number, "call"), str(error)) from error
    session.memory = first.memory
    return session


def _meant(scenario: Scenario, number: int, interfaces: list[Interface], usual: Interface) -> str:
    """Return the interface of a call: the one that the step or the file names, else the one that has the procedure."""
    step = scenario.steps[number]
    if "interface" in step:
        return _known(scenario, ("steps", number, "interface"), str(step["interface"]), interfaces)
    holders = [each for each in interfaces if step["call"] in each.procedures]
    if scenario.interface or not holders or len(interfaces) == 1:
        return usual.name
    if len({id(each.procedures[step["call"]]) for each in holders}) > 1:
        names = " and ".join(each.name for each in holders)
        raise scenario.error(
            ("steps", number, "call"),
            f"the interfaces {names} each have a procedure {step['call']}",
            remedy="say which with `interface:`, for this step or for the file",
        )
    return (
        usual.name if usual in holders else holders[0].name
    )  # a method that others inherit is the same in each


def _known(scenario: Scenario, path: Path, name: str, interfaces: list[Interface]) -> str:
    names = [each.name for each in interfaces]
    if name not in names:
        raise scenario.error(path, f"the text defines no interface {name}{given.meant(name, names)}")
    return name
