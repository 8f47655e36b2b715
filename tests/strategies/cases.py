"""A case: an interface and calls of it as a scenario, which prints as the file that hands it on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import zip_longest
from typing import Any, TypeAlias
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
from tests.strategies.values import OPENED, ROOMY, Values

Expects: TypeAlias = "Sequence[dict[str, Any]]"
"""What is expected of each call."""

_compile_once = lru_cache(maxsize=8)(compile_idl)


@contextmanager
def compiled_once() -> Iterator[None]:
    """Let the sessions of one case share what the compiler gives: it would take most of the time."""
    with patch("rpcmemkit.call.compile_idl", _compile_once):
        yield


@dataclass
class Invocation:
    """One call: what the client passes, and what the routine does."""

    arguments: dict[str, Any]
    procedure: str = "f"
    actions: list[dict[str, Any]] = field(default_factory=list)
    frees_given: bool = False
    points: bool = False

    @property
    def begins_later(self) -> bool:
        """Whether some array is transmitted from an element that is not the first; those before it are nobody's business."""
        return bool(re.search(r"_f': [1-9]", f"{self.arguments}{self.actions}"))

    def step(self, expect: dict[str, Any] | None = None) -> dict[str, Any]:
        step = {"call": self.procedure, "arguments": self.arguments, "server": self.actions}
        return deepcopy(step | ({"expect": expect} if expect is not None else {}))


@dataclass(repr=False)
class Case:
    """An interface, one call or several in one session, and the environment in which their routines were drawn.

    ``limits`` says how many allocator calls of a side succeed; with ``package`` the client has an RpcSs environment.
    """

    interface: Interface
    environment: Environment
    careful: bool
    shares: bool
    limits: dict[str, int]
    package: bool
    calls: list[Invocation] = field(default_factory=list)

    def scenario(self, environment: Environment, expects: Expects = ()) -> Scenario:
        return Scenario(
            name="random",
            about="",
            idl=self.interface.idl,
            acf=self.interface.acf,
            environment=self.limited(environment),
            memory={},
            steps=self.steps(expects),
        )

    def limited(self, environment: Environment) -> Environment:
        return environment | ({"midl_user_allocate": self.limits} if self.limits else {})

    def steps(self, expects: Expects = ()) -> list[dict[str, Any]]:
        """The calls, in an environment of the client's if it has one."""
        steps = [call.step(expect) for call, expect in zip_longest(self.calls, expects) if call]
        if not self.package:
            return steps
        around = [{"client": [{"rpcss": f"RpcSs{what}Allocate"}]} for what in ("Enable", "Disable")]
        return [around[0], *steps, around[1]]

    def open(self, environment: Environment) -> Run:
        """Lay the case out, ready to be carried out."""
        with compiled_once():
            return Run(self.scenario(environment))

    def run(self, environment: Environment) -> tuple[Run, list[Outcome]]:
        """Carry the case out."""
        run = self.open(environment)
        return run, list(run.outcomes())

    def compiles(self, environment: Environment) -> bool:
        """Whether the compiler takes the interface; DCE refuses some of what Microsoft's takes."""
        if not self.interface.fits(environment):
            return False
        return self.is_dce if environment["osf"] else True

    @cached_property
    def is_dce(self) -> bool:
        """Whether DCE's compiler takes the interface."""
        try:
            self.open({"osf": True})
        except IdlError:
            return False
        return True

    def text(self, environment: Environment, expects: Expects = ()) -> str:
        """The case as a scenario file."""
        data: dict[str, Any] = {"scenario": "random", "idl": self.interface.idl, "acf": self.interface.acf}
        data |= {"environment": self.limited(environment), "steps": self.steps(expects)}
        return as_yaml({key: value for key, value in data.items() if value})

    @property
    def cramped(self) -> bool:
        """Whether some buffer may be too small: it depends on the size of pointers."""
        buffers = [f"{name}_b" for name in self.interface.buffers]
        return any(call.arguments.get(name, ROOMY) < ROOMY for call in self.calls for name in buffers)

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


LIMITS = st.dictionaries(st.sampled_from(("fail_after", "client_fail_after")), st.integers(0, 6), min_size=1)


@st.composite
def cases(draw: Any, careful: bool | None = None, package: bool | None = None) -> Case:
    """Calls of random interfaces."""
    interface = draw(interfaces())
    case = Case(
        interface,
        draw(environments(interface.fits)),
        careful=draw(st.booleans()) if careful is None else careful,
        shares=draw(st.integers(0, 3)) == 3,
        limits=draw(LIMITS) if draw(st.integers(0, 5)) == 5 else {},
        package=interface.enables and (draw(st.booleans()) if package is None else package),
    )
    if not case.compiles(case.environment):
        reject()
    if case.package and "client_fail_after" in case.limits:
        case.limits["client_fail_after"] += 1  # the environment itself takes one
    if interface.handle:
        state = Values(draw, interface, depth=2).value(interface.handle.target, {}, 1)
        opening = [{"allocate": "*h", "value": state}]
        case.calls.append(Invocation({"h": {"$context": OPENED}}, "Open", opening))
    run = case.open(case.environment)
    happenings = run.happenings()
    for _ in range(len(case.calls) + case.package):
        next(happenings)
    for number in range(draw(st.sampled_from((1, 1, 2, 3)))):
        case.calls.append(drawn(draw, case, run, f"s{number}_"))
    return case


def drawn(draw: Any, case: Case, run: Run, prefix: str) -> Invocation:
    """Carry a call out while it is drawn."""
    values = Values(draw, case.interface, shares=case.shares, labels=True, prefix=prefix)
    call = Invocation(values.arguments())
    player = Player(draw, case.interface, case.careful)
    run.session.set_routine("f", player)
    run.session.try_call("f", deepcopy(call.arguments))
    call.actions, call.frees_given, call.points = player.actions, player.frees_given, player.shared
    return call
