"""The stored tables of the grammar are those that lark would make, and nobody is bound to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rpcmemkit import compile_idl
from rpcmemkit.data import packaged
from rpcmemkit.idl import grammar, parse


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> Any:
    """How often the parser is built from the grammar instead of from tables."""
    built: list[str] = []
    build = grammar.build

    def counting(text: str, transformer: Any = None) -> Any:
        built.append(text)
        return build(text, transformer)

    monkeypatch.setattr(grammar, "build", counting)
    parse._lark.cache_clear()
    yield built
    parse._lark.cache_clear()


def test_the_stored_tables_are_those_of_the_grammar() -> None:
    stored = json.loads(packaged("rpcmemkit.idl", grammar.TABLES))
    made = json.loads(json.dumps(grammar.tables()))
    assert stored == made, "the grammar or lark has changed: run `make grammar`"


def test_a_parser_from_tables_is_the_parser_of_the_grammar(anew: list[str]) -> None:
    loaded, built = grammar.parser(None), grammar.build(grammar._grammar())
    assert loaded.rules == built.rules
    assert [repr(each) for each in loaded.terminals] == [repr(each) for each in built.terminals]
    text = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { long f([in, size_is(n * 2)] char *c, int n); }"
    assert loaded.parse(text, start="idl") == built.parse(text, start="idl")
    assert len(anew) == 1


def test_nothing_is_built_to_compile(anew: list[str]) -> None:
    assert compile_idl("interface i { void f(); }").interface.name == "i"
    assert not anew


@pytest.mark.parametrize("change", [{"lark": "1.1.9"}, {"grammar": 0}])
def test_tables_of_another_lark_or_grammar_are_not_used(
    change: dict[str, Any], anew: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = json.loads(packaged("rpcmemkit.idl", grammar.TABLES))
    other = json.dumps({"made_from": stored["made_from"] | change})
    monkeypatch.setattr(
        grammar,
        "packaged",
        lambda package, name: other if name == grammar.TABLES else packaged(package, name),
    )
    assert compile_idl("interface i { void f(); }").interface.name == "i"
    assert len(anew) == 1
