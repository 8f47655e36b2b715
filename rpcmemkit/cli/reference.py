"""The commands that show the reference: ``rules`` and ``claims``."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rpcmemkit.cli.common import OK, as_json, command, fail, say, width
from rpcmemkit.errors import counted

if TYPE_CHECKING:
    from rpcmemkit.claims import Claim
    from rpcmemkit.rules import Rule


def add(commands: Any) -> None:
    """Add the commands to the parser."""
    _add_rules(commands)
    _add_claims(commands)


def _add_rules(commands: Any) -> None:
    summary = "list the rules of memory management"
    parser = command(commands, "rules", rules, summary, "rpcmemkit rules server-reuses-buffer")
    parser.add_argument("id", metavar="ID", nargs="?", help="one rule, in full")


def _add_claims(commands: Any) -> None:
    summary = "list the facts of memory management and the evidence for each"
    parser = command(commands, "claims", claims, summary, "rpcmemkit claims M-060")
    parser.add_argument(
        "id", metavar="ID", nargs="*", help="some claims, in full; unless given, all in a table"
    )
    parser.add_argument("--topic", metavar="TOPIC", help="those of one topic, such as models or orphaning")
    parser.add_argument(
        "--missing", action="store_true", help="those that could be tested but have no evidence"
    )
    parser.add_argument("--json", action="store_true", help="print the claims as JSON")


# --- rules ------------------------------------------------------------------------------------


def rules(arguments: argparse.Namespace) -> int:
    """``rpcmemkit rules``: 0, or 2 if there is no such rule."""
    from rpcmemkit import given
    from rpcmemkit.prose import table_text
    from rpcmemkit.rules import RULES

    if arguments.id is None:
        cells = [(rule.id, rule.side, rule.when, rule.then) for rule in RULES.values()]
        say(table_text(("rule", "side", "when", "then"), cells, width()))
        return OK
    if arguments.id not in RULES:
        hint = given.hint(arguments.id, RULES, "try: rpcmemkit rules")
        return fail(f"there is no rule {arguments.id!r}; {hint}")
    say(_rule_text(RULES[arguments.id]))
    return OK


def _rule_text(rule: Rule) -> str:
    facts = {
        "when": rule.when,
        "then": rule.then,
        "side": rule.side,
        "sources": ", ".join(rule.sources),
        "claims": ", ".join(rule.claims),
    }
    return _sheet(rule.id, rule.statement, facts)


def _sheet(id_: str, statement: str, facts: Mapping[str, str]) -> str:
    """Return what is told of a rule or a claim: below its statement, the facts that there are."""
    from rpcmemkit.prose import table_text

    table = table_text(None, [fact for fact in facts.items() if fact[1]], width())
    return f"{id_}\n\n{textwrap.fill(statement, width())}\n\n{table}"


# --- claims -----------------------------------------------------------------------------------


def claims(arguments: argparse.Namespace) -> int:
    """``rpcmemkit claims``: 0, or 2 if there is no such claim or topic."""
    from rpcmemkit.claims import claims as table

    known = table()
    for id_ in arguments.id:
        if id_ not in known:
            return fail(
                f"there is no claim {id_!r}; they are called {next(iter(known))} to {list(known)[-1]}"
            )
    topics = list(dict.fromkeys(claim.topic for claim in known.values()))
    if arguments.topic and arguments.topic not in topics:
        return fail(f"there is no topic {arguments.topic!r}; there are: {', '.join(topics)}")
    chosen = [known[id_] for id_ in arguments.id] or list(known.values())
    chosen = [claim for claim in chosen if arguments.topic in (None, claim.topic)]
    if arguments.missing:
        chosen = [claim for claim in chosen if claim.testable and not claim.proven]
    if arguments.json:
        say(as_json([claim.as_json() for claim in chosen]))
    elif arguments.id:
        say("\n\n".join(_claim_text(claim) for claim in chosen))
    else:
        say(_claims_text(chosen))
    return OK


def _claims_text(chosen: Iterable[Claim]) -> str:
    from rpcmemkit.prose import table_text

    chosen = list(chosen)
    testable = [claim for claim in chosen if claim.testable]
    proven = sum(claim.proven for claim in testable)
    tally = f"{len(chosen)} claims, {len(testable)} of them testable, {proven} with evidence"
    cells = [(claim.id, claim.topic, claim.statement, _evidence(claim)) for claim in chosen]
    return (
        table_text(("claim", "topic", "statement", "evidence"), cells, width()) + f"\n\n{tally}"
        if cells
        else tally
    )


def _evidence(claim: Claim) -> str:
    """Return how much evidence there is: ``3 tests, 2 scenarios``."""
    if not claim.testable:
        return "told only"
    kinds = [("test", len(claim.tests)), ("scenario", len(claim.scenarios))]
    return ", ".join(counted(n, kind) for kind, n in kinds if n) or "none"


def _claim_text(claim: Claim) -> str:
    facts = {
        "when": claim.when,
        "then": claim.then,
        "note": claim.note,
        "side": claim.side,
        "topic": claim.topic,
        "sources": ", ".join(claim.source),
        "rules": ", ".join(claim.rules),
        "evidence": "" if claim.proven else _evidence(claim),
    }
    proofs = "\n".join(_proofs(claim))
    return _sheet(claim.id, claim.statement, facts) + f"\n\n{proofs}" * bool(proofs)


def _proofs(claim: Claim) -> list[str]:
    """Return a line for each proof, however wide: its id can be pasted into a shell."""
    found = [("test", each) for each in claim.tests] + [("scenario", each) for each in claim.scenarios]
    return [f"{kind:<8}  {shlex.quote(each)}" for kind, each in found]
