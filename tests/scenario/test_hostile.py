"""Scenario files with one value gone wrong: each ends in a located error or in a verdict, never in a traceback."""

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from rpcmemkit.errors import ScenarioError
from rpcmemkit.scenario import Outcome, Run, as_step, parse_scenario, verify
from rpcmemkit.story import tell

FILES = sorted((Path(__file__).parent.parent / "conformance").rglob("*.yaml"))
TRIES = 250
DEEP: Any = []
for _ in range(150):
    DEEP = [DEEP]
HOSTILE: tuple[Any, ...] = (
    *(2**31, 2**64, 2**70, -1, -(2**70), 1.5, 1e400, -math.inf, math.nan, True, False, None),
    *(
        "",
        "x",
        "x" * 5000,
        "\x01",
        "\x1b[31m",
        "\ud800",
        "0x7fffffffffffffff",
        "2026-01-01",
        "1e5",
        "*p.q",
        "((p",
        "p[99999999999]",
    ),
    *([], {}, [[]], [None], [2**70], ["\ud800"], {"": 1}, {"a": 1}, {"\x01": 1}, DEEP),
    *({"$label": text, "$value": 1} for text in ("L", "\x01", "\ud800", "x" * 5000, 2**70)),
    *({"$alias": text} for text in ("nobody", "\x01", "")),
    *({"$hex": text} for text in ("0", "00ff", "\u200300", "zz", 2**70)),
    *({"$case": case, "$value": 1} for case in (2**70, -1, "default", "nobody", True)),
    *(
        {"$allocated": size, "$elements": each}
        for size in (0, 3, 2**70)
        for each in ([], [1], [2**70], "ab", {"$hex": "00"}, [{}])
    ),
    *(
        {"$new": True},
        {"$new": True, "$value": None},
        {"$context": "c"},
        {"$value": 1},
        {"$elements": [1]},
        {"$unknown": 1},
    ),
)


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a file but the interface."""
    if path and path[-1] in ("idl", "acf", "about"):
        return
    if path:
        yield path
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield from places(value, (*path, key))


def replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    data = copy.deepcopy(data)
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return data


def carry_out(text: str) -> str:
    """Do all that a command does with a file; return how it ends."""
    refused = _refusal(text)
    if refused is not None:
        assert refused.line, str(refused)
        str(refused).encode("utf-8")
        return "refused"
    scenario = parse_scenario(text, "hostile.yaml")
    report = verify(scenario)
    json.dumps(report.as_data()).encode("utf-8")
    str(report.differences).encode("utf-8")
    assert not report.error or "hostile.yaml" in report.error, report.error
    if report.error:
        return "located"
    if scenario.expect_error is not None:
        return report.result
    for happened in Run(scenario).happenings():
        json.dumps(as_step(happened)).encode("utf-8")
        if isinstance(happened, Outcome):
            str(tell(happened.call)).encode("utf-8")
    return report.result


def _refusal(text: str) -> ScenarioError | None:
    try:
        parse_scenario(text, "hostile.yaml")
    except ScenarioError as error:
        return error
    return None


def gone_wrong(random: Random) -> tuple[str, str]:
    """Return what was done to which file, and the file's text."""
    file = random.choice(FILES)
    data = yaml.safe_load(file.read_text(encoding="utf-8"))
    path = random.choice(list(places(data)))
    value = random.choice(HOSTILE)
    text = yaml.safe_dump(replaced(data, path, value), sort_keys=False, allow_unicode=False)
    return f"{file.name}: {path} = {str(value)[:80]!r}", text


def test_one_value_gone_wrong() -> None:
    random = Random(TRIES)
    ends: dict[str, int] = {}
    for _ in range(TRIES):
        told, text = gone_wrong(random)
        try:
            end = carry_out(text)
        except Exception as error:
            raise AssertionError(f"{told}: {error!r}") from error
        ends[end] = ends.get(end, 0) + 1
    assert {"refused", "located"} <= ends.keys()


HEAD = "scenario: x\nidl: |\n  interface i { void f([in] long n); }\n"
LAUGHS = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 10))


@pytest.mark.parametrize(
    "rest",
    [
        "steps: [{call: f, arguments: {<<: {n: 1}}}]",
        "steps: &s [{call: f, arguments: {n: *s}}]",
        "steps: [{call: f, arguments: {n: *nobody}}]",
        "steps: [{call: f, arguments: {n: 1, n: 2}}]",
        "steps: [{call: f, arguments: {[1]: 2}}]",
        "steps: [{call: f, arguments: {1: 2}}]",
        "steps: [{call: f, arguments: {null: 2}}]",
        "steps: [{call: f, arguments: {n: !!binary aGk=}}]",
        "steps: [{call: f, arguments: {n: !!timestamp 2026-01-01}}]",
        "steps: [{call: f, arguments: {n: !!python/object/apply:os.getcwd []}}]",
        "steps: [{call: f, arguments: {n: 2026-01-01}}]",
        "steps: [{call: f, arguments: {n: " + "[" * 1000 + "]" * 1000 + "}}]",
        "steps: [{call: f, arguments: {n: " + "9" * 5000 + "}}]",
        "steps: [{call: f, arguments: {n: .nan}}]",
        "steps: [{call: f, arguments: {n: -.inf}}]",
        f"b0: &b0 x\n{LAUGHS}steps: [{{call: f, arguments: {{n: *b9}}}}]",
        "steps: [{call: f}]\n---\nscenario: y",
        "steps: [{call: f, arguments: {n: 1}\n",
        "steps: \x00",
    ],
)
def test_yaml_that_no_scenario_needs(rest: str) -> None:
    """Merge keys, cycles, laughs, tags, keys that are no words, numbers beyond all types."""
    assert carry_out(HEAD + rest) in {"refused", "located"}
