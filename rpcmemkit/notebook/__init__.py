"""What a notebook shows of a call: pictures, steppers and tables, each with a text that means something by itself.

Everything works in a published page without a kernel: a stepper is a player, a slider and a stack of pictures, linked
in the browser. Outputs depend on the call alone. ``%load_ext rpcmemkit.notebook`` lets calls, audits and sessions show
themselves as tables.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rpcmemkit.audit import Audit
from rpcmemkit.call import Call, Session
from rpcmemkit.contract import Contract
from rpcmemkit.notebook.bench import interface_report, report, scenario_report, workbench
from rpcmemkit.notebook.tables import (
    Shown,
    audit_table,
    bytes_table,
    call_table,
    contract_table,
    events_table,
    memory_table,
    session_table,
    show,
    sketch,
    steps_table,
    table,
)
from rpcmemkit.notebook.widgets import choose, stepper

REPRESENTATIONS: dict[type, Callable[[Any], Shown]] = {
    Audit: audit_table,
    Call: call_table,
    Contract: contract_table,
    Session: session_table,
}


def load_ipython_extension(ipython: Any) -> None:
    """Let IPython show audits, calls and sessions as tables, and know ``%%idl``, ``%%acf`` and ``%%scenario``."""
    from rpcmemkit.notebook.magics import Bench

    Bench(ipython).register()
    for kind, represent in REPRESENTATIONS.items():
        formatters = ipython.display_formatter.formatters
        formatters["text/html"].for_type(kind, lambda thing, represent=represent: represent(thing).html)
        formatters["text/plain"].for_type(
            kind, lambda thing, printer, cycle, represent=represent: printer.text(represent(thing).text)
        )


__all__ = [
    "Shown",
    "audit_table",
    "bytes_table",
    "call_table",
    "choose",
    "contract_table",
    "events_table",
    "interface_report",
    "memory_table",
    "report",
    "scenario_report",
    "session_table",
    "show",
    "sketch",
    "stepper",
    "steps_table",
    "table",
    "workbench",
]
