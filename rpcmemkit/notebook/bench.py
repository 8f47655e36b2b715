"""A bench for interfaces of your own: IDL, ACF and a scenario in, contract, free plan, calls and findings out.

Nothing is raised for what is wrong with a text: it is shown, with its place and its remedy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from textwrap import indent
from typing import Any

from rpcmemkit.audit import Audit
from rpcmemkit.call import Departure
from rpcmemkit.contract import FreePlan, c_code, contracts
from rpcmemkit.environment import Environment
from rpcmemkit.errors import RpcMemKitError
from rpcmemkit.idl import compile_idl
from rpcmemkit.idl.compilation import Compilation
from rpcmemkit.notebook.tables import Shown, audit_table, contract_table, show, table
from rpcmemkit.notebook.widgets import described, toolkit
from rpcmemkit.scenario import ClientStep, Outcome, Report, Run, Scenario, parse_scenario, verify
from rpcmemkit.scenario.run import environment_of
from rpcmemkit.story import tell_client, tell_departure

DEFAULT = Environment()


def listing(text: str, caption: str) -> Shown:
    """Return text as it stands, below a caption."""
    html = f'<p><b>{escape(caption)}</b></p><pre class="rpcmemkit-listing" tabindex="0">{escape(text)}</pre>'
    return Shown(html, f"{caption}\n{text}")


def together(parts: Sequence[Shown]) -> Shown:
    """Return several things to show as one."""
    return Shown("".join(part.html for part in parts), "\n\n".join(part.text for part in parts))


def trouble(error: RpcMemKitError) -> Shown:
    """Return what is wrong with a text: place, rule and remedy, without a traceback."""
    return listing(str(error), "This cannot be used as it stands.")


# --- an interface --------------------------------------------------------------------------------


def interface_report(idl: str, acf: str | None = None, environment: Environment = DEFAULT) -> Shown:
    """Return what the interfaces of a text promise: warnings, a contract for each procedure, the client's free plans."""
    try:
        compiled = compile_idl(idl, acf, switches=environment.switches)
        return together(list(_promises(compiled, environment)))
    except RpcMemKitError as error:
        return trouble(error)


def _promises(compiled: Compilation, environment: Environment) -> Iterator[Shown]:
    if compiled.warnings:
        yield listing("\n".join(map(str, compiled.warnings)), "The compiler warns.")
    several = len(compiled.named()) > 1
    for interface in compiled.named():
        told, refused = contracts(interface, environment)
        yield from (contract_table(each) for each in told)
        if told:
            plans = [FreePlan(interface, each.procedure.name, environment) for each in told]
            of = f" of {interface.name}" if several else ""
            yield listing(c_code(plans), f"The client's free plan{of}, as C")
        yield from (listing(why, f"{name} is not explained.") for name, why in refused.items())


# --- a scenario ----------------------------------------------------------------------------------


def scenario_report(
    text: str, idl: str = "", acf: str | None = None, environment: Environment = DEFAULT
) -> Shown:
    """Return what happens in a scenario: each call with its picture and its audit, and what it expected in vain.

    ``idl``, ``acf`` and ``environment`` are used where the text brings none of its own.
    """
    try:
        scenario = parse_scenario(completed(text, idl, acf, environment))
        return together([*_happened(scenario), _verdict(verify(scenario))])
    except RpcMemKitError as error:
        return trouble(error)


SETTINGS = ("client_pointer_size", "server_pointer_size", "transfer_syntax", "osf")


def completed(text: str, idl: str, acf: str | None, environment: Environment = DEFAULT) -> str:
    """Return a scenario with what it lacks of name, texts and settings behind its own lines, which keep their numbers."""
    settings = {name: getattr(environment, name) for name in SETTINGS}
    lacking = {
        "scenario": "workbench",
        "idl": block(idl),
        "acf": block(acf or ""),
        "environment": json.dumps(settings),
    }
    keys = {line.partition(":")[0] for line in text.splitlines() if not line.startswith((" ", "#", "-"))}
    added = [f"{key}: {value}" for key, value in lacking.items() if key not in keys and value.strip()]
    return "\n".join([text.rstrip("\n"), *added])


def block(text: str) -> str:
    """Return text as a literal block of YAML; nothing for nothing."""
    return "|2\n" + indent(text.strip("\n") + "\n", "  ") if text.strip() else ""


def _happened(scenario: Scenario) -> Iterator[Shown]:
    if scenario.expect_error is not None:
        return  # nothing runs: the verdict tells whether it is refused as it should be
    for happened in Run(scenario).happenings():
        if isinstance(happened, Outcome):
            pictured = show(happened.call)._repr_mimebundle_()
            yield Shown(pictured["text/html"], pictured["text/plain"])
            yield audit_table(Audit(happened.call))
        elif isinstance(happened, ClientStep):
            yield listing(tell_client(happened).text(), "The client by itself")
        elif isinstance(happened, Departure):
            yield listing(tell_departure(happened).text(), "The client goes away")


def _verdict(report: Report) -> Shown:
    rows = [("result", report.result), *(("difference", str(each)) for each in report.differences)]
    rows += [("finding", each) for each in report.findings] + [("error", report.error)] * bool(report.error)
    return table(f"What {report.scenario or 'the scenario'} expects", ("what", "verdict"), rows)


def report(idl: str, acf: str = "", scenario: str = "") -> Shown:
    """Return everything about an interface and a scenario, under the scenario's own environment if it names one."""
    environment = DEFAULT
    if scenario.strip():
        try:
            environment = environment_of(parse_scenario(completed(scenario, idl, acf)))
        except RpcMemKitError as error:
            return trouble(error)
    parts = [interface_report(idl, acf or None, environment)]
    if scenario.strip():
        parts.append(scenario_report(scenario, idl, acf or None))
    return together(parts)


# --- the widget ----------------------------------------------------------------------------------


def workbench(idl: str, acf: str = "", scenario: str = "") -> Any:
    """Return a form for the three texts, and below it what comes of them.

    The button needs a kernel. Show :func:`report` of the same texts below it, for pages without one.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    widgets = toolkit()
    wide = widgets.Layout(width="100%")
    fields = [
        widgets.Textarea(value=text.strip("\n"), description=name, rows=rows, layout=wide)
        for name, text, rows in (("IDL", idl, 9), ("ACF", acf, 3), ("Scenario", scenario, 9))
    ]
    button = widgets.Button(description="Run", button_style="primary")
    found = widgets.HTML("<p>Nothing has been run yet.</p>")

    def run(_: Any) -> None:
        found.value = report(*(field.value for field in fields)).html

    button.on_click(run)
    told = "\n\n".join(f"{field.description}:\n{field.value}" for field in fields)
    return described(widgets.VBox)([*fields, button, found], f"A form with a button, Run.\n\n{told}")
