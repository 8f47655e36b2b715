"""The table of rules and the code hold each other: what is cited exists, what exists is cited."""

import ast
import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import pytest
import yaml

import rpcmemkit
from rpcmemkit import RULES

PACKAGE = Path(rpcmemkit.__file__).parent
ACTORS = ("routine", "application", "conversion")
NOT_RULES = re.compile(r"utf-|latin-|bytes-|rpcmemkit-|graphviz-")
SHAPE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")


@cache
def nodes():
    """The syntax of the whole package, with the file in which each part stands."""
    return [
        (file.name, node)
        for file in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    ]


@cache
def constants():
    """Every string in the code of the package."""
    return {
        node.value for _, node in nodes() if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@cache
def cited():
    """The rule ids that code names in full, and those that it forms from an actor: f"{actor}-allocates"."""
    ends = {text for text in constants() if text in {"-allocates", "-frees"}}
    return constants() | {actor + end for actor in ACTORS for end in ends}


def rule_arguments():
    """Every constant that the code passes or stores as a rule: ``rule="…"``."""
    for file, node in nodes():
        if isinstance(node, ast.keyword) and node.arg == "rule" and isinstance(node.value, ast.Constant):
            yield f"{file}:{node.value.lineno}", node.value.value


def test_every_rule_is_cited_by_code():
    assert [id_ for id_ in RULES if id_ not in cited()] == []


def test_every_cited_rule_exists():
    named = list(rule_arguments())
    assert len(named) > 20
    assert [where for where, id_ in named if id_ and id_ not in RULES] == []


def test_no_id_is_misspelt():
    """A string of the form of an id that is close to one is one."""
    shaped = {text for text in constants() if SHAPE.fullmatch(text) and not NOT_RULES.match(text)}
    unknown = shaped - set(RULES)
    close = {text: get_close_matches(text, RULES, 1, 0.85) for text in unknown}
    assert {text: meant for text, meant in close.items() if meant} == {}


@pytest.mark.parametrize("id_", RULES)
def test_a_rule_says_everything(id_):
    rule = RULES[id_]
    assert rule.side in {"client", "server", "both", "wire"}
    assert rule.statement.endswith(".")
    assert rule.when
    assert rule.then
    assert not rule.when.endswith(".")
    assert not rule.then.endswith(".")
    assert rule.statement not in (rule.when, rule.then)
    assert rule.sources
    assert all(re.fullmatch(r"M-\d{3}", claim) for claim in rule.claims)


def test_nothing_is_stated_twice():
    statements = [rule.statement for rule in RULES.values()]
    assert len(set(statements)) == len(statements)
    halves = [(rule.when, rule.then) for rule in RULES.values()]
    assert len(set(halves)) == len(halves)


def test_ids_are_unique_in_the_file():
    text = (PACKAGE / "data" / "rules.yaml").read_text(encoding="utf-8")
    ids = re.findall(r"^([a-z0-9-]+):$", text, re.MULTILINE)
    assert ids == list(RULES)
    assert len(set(ids)) == len(ids) == len(yaml.safe_load(text))


def test_no_statement_of_a_rule_is_repeated_in_code():
    told = [rule.id for rule in RULES.values() if {rule.statement, rule.when, rule.then} & constants()]
    assert told == []
