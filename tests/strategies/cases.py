"""A case: an interface and a call of it as a scenario, which prints as the file that hands it on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from unittest.mock import patch

import yaml
from hypothesis import reject
from hypothesis import strategies as st

from rpcmemkit.errors import IdlError
from rpcmemkit.idl import compile_idl
from rpcmemkit.scenario import Run
from rpcmemkit.scenario.load import Scenario
from rpcmemkit.scenario.run import Outcome
from tests.strategies.environments import Environment, environments
from tests.strategies.routines import Player
from tests.strategies.types import Interface, interfaces
from tests.strategies.values import Values

_compile_once = lru_cache(maxsize=32)(compile_idl)


@contextmanager
def compiled_once() -> Iterator[None]:
    """Let the sessions of one case share what the compiler gives: it would take most of the time."""
    with patch("rpcmemkit.call.compile_idl", _compile_once):
        yield


@dataclass(repr=False)
class Case:
    """An interface, one call, and the environment in which the routine was drawn."""

    interface: Interface
    arguments: dict[str, Any]
    environment: Environment
    careful: bool
    shares: bool
    actions: list[dict[str, Any]] = field(default_factory=list)
    frees_given: bool = False
    points: bool = False

    def scenario(self, environment: Environment, expect: dict[str, Any] | None = None) -> Scenario:
        return Scenario(
            name="random",
            about="",
            idl=self.interface.idl,
            acf=self.interface.acf,
            environment=environment,
            memory={},
            steps=[self.step(expect)],
        )

    def step(self, expect: dict[str, Any] | None = None) -> dict[str, Any]:
        step = {"call": "f", "arguments": self.arguments, "server": self.actions}
        return deepcopy(step | ({"expect": expect} if expect is not None else {}))

    def run(self, environment: Environment) -> tuple[Run, Outcome]:
        """Carry the case out."""
        with compiled_once():
            run = Run(self.scenario(environment))
        return run, next(run.outcomes())

    def compiles(self, environment: Environment) -> bool:
        """Whether the compiler takes the interface; DCE refuses some of what Microsoft's takes."""
        if not environment["osf"]:
            return True
        try:
            with compiled_once():
                Run(self.scenario(environment))
        except IdlError:
            return False
        return True

    def text(self, environment: Environment, expect: dict[str, Any] | None = None) -> str:
        """The case as a scenario file."""
        data: dict[str, Any] = {"scenario": "random", "idl": self.interface.idl, "acf": self.interface.acf}
        data |= {"environment": environment, "steps": [self.step(expect)]}
        return as_yaml({key: value for key, value in data.items() if value})

    @property
    def begins_later(self) -> bool:
        """Whether some array is transmitted from an element that is not the first; those before it are nobody's business."""
        return bool(re.search(r"_f': [1-9]", f"{self.arguments}{self.actions}"))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis prints of a failing case: a scenario file."""
        printer.text(repr(self))

    def __repr__(self) -> str:
        return f"\n{self.text(self.environment)}"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_yaml(data: Any) -> str:
    return yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True
    )


@st.composite
def cases(draw: Any, careful: bool | None = None) -> Case:
    """Calls of random interfaces."""
    interface = draw(interfaces())
    shares = draw(st.integers(0, 3)) == 3
    arguments = Values(draw, interface, shares=shares, labels=True).arguments()
    case = Case(
        interface,
        arguments,
        draw(environments()),
        draw(st.booleans()) if careful is None else careful,
        shares,
    )
    if not case.compiles(case.environment):
        reject()
    player = Player(draw, interface, case.careful)
    with compiled_once():
        run = Run(case.scenario(case.environment))
    run.session.set_routine("f", player)
    run.session.try_call("f", case.step()["arguments"])
    case.actions, case.frees_given, case.points = player.actions, player.frees_given, player.shared
    return case
