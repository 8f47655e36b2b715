"""The two tables that sum up the rules, made by running every row (summary-of-memory-allocation-rules.md).

The rows are in ``summary.yaml``: declarations and situations, no results. What the tables say of a row is what its
calls did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from exhibits.parts import one_line_acf
from rpcmemkit.audit import Audit
from rpcmemkit.call import Call
from rpcmemkit.draw.build import status_text
from rpcmemkit.errors import Diagnostic, IdlError, UsageError, counted
from rpcmemkit.given import meant
from rpcmemkit.kinds import EventKind
from rpcmemkit.notebook import Shown, table
from rpcmemkit.rules import RULES
from rpcmemkit.scenario import Run, Scenario

HEAD = "[ uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e42), pointer_default(unique) ]\ninterface summed_up\n{\n"


@dataclass(frozen=True)
class Case:
    """One call of a row, or one declaration that the compiler refuses. ``side`` is the one that it is about."""

    side: str
    say: str
    call: Call | None = None
    diagnostic: Diagnostic | None = None

    @property
    def happened(self) -> str:
        """What happened, on the side that the case is about."""
        if self.call is None:
            found = self.diagnostic
            assert found is not None
            return f"refused, MIDL{found.midl}: {found.message}" if found.midl else f"refused: {found}"
        audit = Audit(self.call)
        told = [status_text(self.call)] if self.call.status else []
        told += _on_server(audit) if self.side == "server" else _on_client(audit)
        return "; ".join(told)


def _on_client(audit: Audit) -> list[str]:
    lost = f"orphaned: {', '.join(audit.orphaned_names)}" if audit.orphaned else "nothing orphaned"
    return [f"stub allocates {audit.client_allocations}, frees {audit.client_frees}", lost]


def _on_server(audit: Audit) -> list[str]:
    made = [event for event in audit.trace.select(EventKind.ALLOCATE, side="server") if event.address]
    by = {who: sum(event.actor == who for event in made) for who in ("stub", "routine")}
    size = sum(event.size for event in made)
    space = audit.call.space("server after")
    left = sum(bool((block := space.block(event.address)) and block.live) for event in made)
    return [
        f"stub allocates {by['stub']}, routine {by['routine']} ({counted(size, 'byte')})",
        f"{audit.server_frees} freed, {left} left" + (f", {audit.server_leaked} leaked" * bool(left)),
    ]


@dataclass(frozen=True)
class Row:
    """One row of a table: its element, the ids of the rules that it stands for, and its cases."""

    id: str
    element: str
    rules: tuple[str, ...]
    cases: tuple[Case, ...] = field(repr=False)

    @property
    def calls(self) -> list[Call]:
        """The calls that were made for the row."""
        return [case.call for case in self.cases if case.call is not None]

    def __repr__(self) -> str:
        both = len({case.side for case in self.cases}) > 1
        told = [f"  {f'{one.side}, ' * both}{one.say}: {one.happened}" for one in self.cases]
        return "\n".join([self.element, *told])


# --- running the rows ------------------------------------------------------------------------------


def rows(number: int) -> list[Row]:
    """Return the rows of table 1 (pointers) or 2 (attributes), each with what its calls did.

    Raises:
        UsageError: there is no such table.
    """
    if number not in (1, 2):
        raise UsageError(f"there are tables 1 and 2, not {number!r}")
    return list(_rows(f"table-{number}").values())


def row(id_: str) -> Row:
    """Return a row by its id.

    Raises:
        UsageError: no row has it.
    """
    known = {**_rows("table-1"), **_rows("table-2")}
    if id_ not in known:
        raise UsageError(f"no row is called {id_!r}{meant(id_, known)}")
    return known[id_]


@cache
def _rows(name: str) -> dict[str, Row]:
    tables = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return {entry["id"]: _row(entry) for entry in tables[name]}


def _row(entry: Mapping[str, Any]) -> Row:
    cases = tuple(case for run in entry["runs"] for case in _cases(entry["id"], run))
    return Row(entry["id"], entry["element"], tuple(entry["rules"]), cases)


def _cases(name: str, run: Mapping[str, Any]) -> Iterator[Case]:
    side = run.get("side", "client")
    try:
        outcomes = Run(_scenario(name, run)).outcomes()
    except IdlError as error:
        yield Case(side, run["say"], diagnostic=error.diagnostics[0])
        return
    for step, outcome in zip(run["calls"], outcomes, strict=True):
        yield Case(side, step["say"], outcome.call)


def _scenario(name: str, run: Mapping[str, Any]) -> Scenario:
    steps = [{key: value for key, value in step.items() if key != "say"} for step in run.get("calls", ())]
    acf = one_line_acf("summed_up", run.get("acf", ""))
    return Scenario(name, "", f"{HEAD}{run['declare']}}}", acf, run.get("environment") or {}, {}, steps)


# --- the tables ------------------------------------------------------------------------------------


def summary_table(number: int) -> Shown:
    """Return table 1 (pointers) or 2 (attributes) of the summary: every row with its calls, what they did, and the rules.

    Raises:
        UsageError: there is no such table.
    """
    both = number == 2
    body = [line for one in rows(number) for line in _lines(one, both)]
    heads = ("element", *(("side",) if both else ()), "situation", "what happened", "rule")
    told = {1: "Pointers", 2: "Attributes"}[number]
    return table(f"{told}, and what they do to memory", heads, body)


def _lines(one: Row, sides: bool) -> Iterator[tuple[str, ...]]:
    for count, case in enumerate(one.cases):
        element = "" if count else one.element
        rule = "" if count else ", ".join(one.rules)
        yield (element, *((case.side,) if sides else ()), case.say, case.happened, rule)


def rules_table(number: int) -> Shown:
    """Return the rules behind the rows of a table, each with its statement.

    Raises:
        UsageError: there is no such table.
    """
    cited = dict.fromkeys(rule for one in rows(number) for rule in one.rules)
    return table(
        "The rules behind it", ("rule", "what it says"), [(id_, RULES[id_].statement) for id_ in cited]
    )
