"""A contract for people and for programs: tables with numbered rules, and JSON.

The JSON of :func:`as_data` is stable: keys are added, never renamed. Paths, outcomes and rule ids are those of
:mod:`rpcmemkit.contract`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from rpcmemkit.contract.promises import (
    STUB_MEMORY,
    Act,
    Cell,
    Contract,
    Promise,
    cited,
    parts_in_c,
    parts_text,
)
from rpcmemkit.environment import Environment
from rpcmemkit.program import ALLOCATORS, deallocator_of
from rpcmemkit.prose import table_text
from rpcmemkit.rules import RULES
from rpcmemkit.stubs.statuses import variables

RETURNED = {"storage": "place", "new storage": "new"}
NULL_RULES = frozenset({"may-be-null", "ref-never-null", "null-needs-zero-size"})
WORDS = "program: the application itself. place: what the client's pointer named before. new: from the client stub."
WHICH_PAIR = (
    "The client stub calls RpcSsAllocate once the program has enabled the RpcSs environment of its thread, else the other "
    "allocator; RpcSmClientFree frees what comes from either."
)
WHO = {"application": "program"}
ENTRY = {"buffer": "receive buffer", "stub": "stub memory"}


class Sheet(NamedTuple):
    """One side of a contract as a table of text. Numbers in brackets lead to ``rules`` of :class:`Sheets`."""

    caption: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]


class Sheets(NamedTuple):
    """A contract as text: what was declared, the two sides, remarks, and the rules by number."""

    title: str
    sides: tuple[Sheet, Sheet]
    remarks: list[str]
    rules: list[tuple[str, str]]


def sheets(contract: Contract, numbers: dict[str, int] | None = None) -> Sheets:
    """Return a contract as text, laid out for tables. ``numbers`` are those that its rules have in a larger text."""
    numbers = numbers or _numbers([contract])
    rules = _legend([contract], {rule: numbers[rule] for rule in contract.rules})
    sides = (
        Sheet(
            "On the client" + _tools(contract, lambda promise: promise.client.allocates),
            ("pointer", "class", "null?", "data back in", "allocates", "frees", "lost?"),
            [_client_row(promise, numbers) for promise in contract.promises],
        ),
        Sheet(
            "On the server" + _tools(contract, lambda promise: promise.server.allocates),
            ("pointer", "on entry in", "allocates", "frees", "lost?"),
            [_server_row(promise, numbers) for promise in contract.promises],
        ),
    )
    return Sheets(_title(contract), sides, remarks(contract), rules)


def _numbers(contracts: Sequence[Contract]) -> dict[str, int]:
    """Return a number for each rule that is cited, in the order of the first citation."""
    found = dict.fromkeys(rule for contract in contracts for rule in contract.rules)
    return {rule: number for number, rule in enumerate(found, 1)}


def _legend(contracts: Sequence[Contract], numbers: dict[str, int]) -> list[tuple[str, str]]:
    """Return what each rule says; contracts under different allocators have it said for each."""
    return [
        (
            f"[{number}]",
            f"{rule}: {' '.join(dict.fromkeys(_told(each, rule) for each in contracts if rule in each.rules))}",
        )
        for rule, number in numbers.items()
    ]


def _tools(contract: Contract, acts: Callable[[Promise], tuple[Act, ...]]) -> str:
    """Return the allocators of a side, other than the application's own, and what frees their storage."""
    used = dict.fromkeys(act.using for promise in contract.promises for act in acts(promise))
    told = [f"{name} and {deallocator_of(name)}" for name in used if name in ALLOCATORS]
    return f" ({'; '.join(told)})" if told else ""


def _title(contract: Contract) -> str:
    env = contract.environment
    syntax = env.transfer_syntax + (", DCE" if env.osf else "")
    bits = f"{env.client_pointer_size * 8}-bit client, {env.server_pointer_size * 8}-bit server, {syntax}"
    return f"{contract.procedure.declaration or contract.procedure.name}  ({bits})"


def _told(contract: Contract, rule: str) -> str:
    if rule not in RULES:
        return ""
    told = contract.told(rule)
    return f"When {told.when}, {told.then}."


def remarks(contract: Contract) -> list[str]:
    """Return what belongs to no pointer, or to several: recursion, values, context handles."""
    found = []
    for promise in contract.promises:
        if promise.again is not None:
            inside = promise.parts[: len(promise.again)] == promise.again
            why = "the type contains itself" if inside else "it is the same type"
            found.append(f"What lies below {promise.name} is told at {parts_in_c(promise.again)}: {why}.")
        if promise.note:
            found.append(f"{promise.name}: {promise.note}.")
    if contract.promises:
        found.append(WORDS)
    found += _stored(contract)
    if any(act.using == "RpcSsAllocate" for promise in contract.promises for act in promise.client.allocates):
        found.append(WHICH_PAIR)
    if contract.values:
        found.append(
            f"No pointers: {', '.join(contract.values)}. Copied; there is nothing to allocate or to free."
        )
    return found


def _stored(contract: Contract) -> list[str]:
    """Say which exceptions are values."""
    kinds = {"comm_status": "of communication", "fault_status": "of the call itself"}
    later = (
        " After that, RpcAsyncCompleteCall returns the code."
        if "async" in contract.procedure.attributes
        else ""
    )
    return [
        f"[{attribute}]: an exception {kinds[attribute]} is not raised; {'the result' if name == 'return' else name} "
        f"is its code, and other [out] data is not valid then.{later}"
        for attribute, name in variables(contract.procedure).items()
    ]


def _client_row(promise: Promise, numbers: dict[str, int]) -> tuple[str, ...]:
    side = promise.client
    return (
        promise.name,
        f"{promise.kind}, top" if promise.level == "top-level" else promise.kind,
        _nulls(side.before, side.after, numbers),
        _returns(promise, numbers),
        _acts(side.allocates, numbers),
        _with_block(promise, _acts(side.frees, numbers)),
        _cell(side.lost, numbers),
    )


def _with_block(promise: Promise, freed: str) -> str:
    """Return who frees; what lies in one block with others goes with the pointer that names the block."""
    if promise.head is None or promise.direction == "in":
        return freed
    head = parts_in_c(promise.head)
    if len(promise.head) == 1 and promise.direction != "return":  # the parameter was passed by value
        return f"{freed}, one block for all below {head}"
    return f"with {head}" if promise.direction == "return" else f"{freed}; with {head}"


def _returns(promise: Promise, numbers: dict[str, int]) -> str:
    """Return where the data lies that comes back, if any does."""
    after = promise.client.after
    if promise.direction == "in":
        return "-"
    words = [RETURNED[outcome] for outcome in after.outcomes if outcome in RETURNED]
    return " or ".join(words) + _marks([rule for rule in after.rules if rule not in NULL_RULES], numbers)


def _server_row(promise: Promise, numbers: dict[str, int]) -> tuple[str, ...]:
    side = promise.server
    return (
        promise.name,
        _cell(side.entry, numbers, "-"),
        _acts(side.allocates, numbers),
        _acts(side.frees, numbers),
        _cell(side.lost, numbers),
    )


def _nulls(before: Cell, after: Cell, numbers: dict[str, int]) -> str:
    words = {(True, True): "yes", (True, False): "before", (False, True): "after", (False, False): "no"}
    text = words["null" in before.outcomes, "null" in after.outcomes]
    rules = [rule for rule in (*before.rules, *after.rules) if rule in NULL_RULES]
    return text + _marks(rules, numbers)


def _cell(cell: Cell, numbers: dict[str, int], nothing: str = "no") -> str:
    words = [ENTRY.get(outcome, outcome) for outcome in cell.outcomes]
    return (" or ".join(words) or nothing) + _marks(cell.rules, numbers)


def _acts(acts: Sequence[Act], numbers: dict[str, int]) -> str:
    """Return who does it, each under the rules that say so."""
    rules: dict[str, list[str]] = {}
    for act in acts:
        name = f"{act.by}, own memory" if act.using == STUB_MEMORY else WHO.get(act.by, act.by)
        rules.setdefault(name, []).append(act.rule)
    return "; ".join(f"{who}{_marks(cited, numbers)}" for who, cited in rules.items()) or "nobody"


def _marks(rules: Iterable[str], numbers: dict[str, int]) -> str:
    return "".join(f" [{numbers[rule]}]" for rule in dict.fromkeys(rules))


def as_text(contract: Contract | Sequence[Contract], width: int = 100) -> str:
    """Return a contract, or several, as tables of at most ``width`` columns, with each rule told once at the end."""
    (tables,), legend = as_texts([[contract] if isinstance(contract, Contract) else contract], width)
    return f"{tables}\n\n{legend}" if legend else tables


def as_texts(groups: Sequence[Sequence[Contract]], width: int = 100) -> tuple[list[str], str]:
    """Return the tables of each group of contracts, and what the rules of all say."""
    all_ = [contract for group in groups for contract in group]
    numbers = _numbers(all_)
    parts = ["\n\n\n".join(_tables(each, numbers, width) for each in group) for group in groups]
    return parts, table_text(None, _legend(all_, numbers), width) if numbers else ""


def _tables(contract: Contract, numbers: dict[str, int], width: int) -> str:
    told = sheets(contract, numbers)
    parts = [textwrap.fill(told.title, width)]
    if contract.promises:
        parts += [f"{side.caption}\n{table_text(side.heads, side.rows, width)}" for side in told.sides]
    parts += ["\n".join(textwrap.fill(text, width, subsequent_indent="  ") for text in told.remarks)]
    return "\n\n".join(part for part in parts if part)


# --- JSON -------------------------------------------------------------------------------------


def as_data(contract: Contract) -> dict[str, Any]:
    """Return a contract as plain data for JSON.

    ``pointers`` is a list in marshalling order. Each has ``path``, ``class`` (``ref``, ``unique``, ``ptr``), ``level``,
    ``direction``, ``type``, ``note``, ``continued_at`` (a path, where a type contains itself), ``block`` (the path of the
    pointer that names the block in which its referent lies), ``client``, ``server`` and the ids of its ``rules``. A side holds cells, ``{"outcomes": [...], "rules": [...]}``, and lists of acts,
    ``{"by": …, "using": …, "rule": …}``.
    """
    told = [contract.told(rule) for rule in contract.rules if rule in RULES]
    return {
        "procedure": contract.procedure.name,
        "declaration": contract.procedure.declaration,
        "environment": _environment_data(contract.environment),
        "pointers": [_promise_data(promise) for promise in contract.promises],
        "values": list(contract.values),
        "handles": list(contract.handles),
        "statuses": variables(contract.procedure),
        "rules": {rule.id: {"when": rule.when, "then": rule.then} for rule in told},
    }


def _environment_data(environment: Environment) -> dict[str, Any]:
    data = asdict(environment)
    data["midl"]["include_dirs"] = list(data["midl"]["include_dirs"])
    return data


def _promise_data(promise: Promise) -> dict[str, Any]:
    return {
        "path": promise.path,
        "class": promise.kind,
        "level": promise.level,
        "direction": promise.direction,
        "type": promise.type,
        "note": promise.note,
        "continued_at": None if promise.again is None else parts_text(promise.again),
        "block": None if promise.head is None else parts_text(promise.head),
        "client": _side_data(promise.client),
        "server": _side_data(promise.server),
        "rules": list(dict.fromkeys(cited(promise))),
    }


def _side_data(side: Any) -> dict[str, Any]:
    return {name: _plain(getattr(side, name)) for name in side.__slots__}


def _plain(value: Cell | tuple[Act, ...]) -> Any:
    if isinstance(value, Cell):
        return {"outcomes": list(value.outcomes), "rules": list(value.rules)}
    return [act._asdict() for act in value]
