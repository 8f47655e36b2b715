"""The parser of interface texts, from tables that were made ahead.

To turn a grammar into the tables of an LALR parser takes longer than everything else that a short program does, and gives
the same tables each time. They are stored beside the grammar, as plain JSON: ``make grammar`` writes them. Tables of
another grammar or of another version of lark are not used: the parser is built anew then, which is only slower.
"""

from __future__ import annotations

import json
from binascii import crc32
from functools import cache
from pathlib import Path
from typing import Any

import lark
from lark.grammar import NonTerminal, Rule, RuleOptions, Symbol, Terminal
from lark.lexer import TerminalDef, Token

from rpcmemkit.data import packaged

GRAMMAR, TABLES = "grammar.lark", "grammar.json"
_ENDLESS = 0xFFFFFFFF
_HERE = "rpcmemkit.idl"

_TYPE_WORDS = "unsigned|signed|long|short|int|char|small|hyper|float|double|void|__int64|__int32|__int16|__int8|__int3264"
_QUALIFIERS = (
    "const|volatile|extern|static|inline|__stdcall|_stdcall|__cdecl|_cdecl|__fastcall|stdcall|cdecl|pascal"
    "|STDMETHODCALLTYPE|WINAPI|CALLBACK|APIENTRY|__RPC_FAR|__RPC_API|RPC_ENTRY|far|near|__unaligned|restrict"
)

# The words that MIDL reserves outside of brackets (reserved-keywords.md). Its system files name types SAFEARRAY and boolean,
# and TRUE and NULL are names of constants.
RESERVED = (
    "auto|case|coclass|contract|cpp_quote|declare_guid|default|dispinterface|enum|import|importlib|include|interface|library"
    "|methods|midl_pragma|module|pipe|private_char_16|private_char_8|properties|register|sizeof|struct|switch|typedef|union"
    "|__alignof|__asm|__declspec|__float80|__float128|__int128"
    f"|{_TYPE_WORDS}|{_QUALIFIERS}"
)
RESERVED_TYPES = frozenset(["boolean", "byte", "handle_t"])
"""Types that the grammar has as names, and that are no names for anything else."""
_IN_BRACKETS = "case|const|contract|default|enum|interface|sizeof|static|struct|union|volatile"  # attributes and parts of types


def parser(transformer: Any) -> lark.Lark:
    """Return the parser, whose rules call the methods of ``transformer``."""
    grammar = _grammar()
    stored = json.loads(packaged(_HERE, TABLES))
    if stored["made_from"] != _made_from(grammar):
        return build(grammar, transformer)
    data, memo = _unpacked(stored)
    loaded: lark.Lark = lark.Lark._load_from_dict(  # type: ignore[no-untyped-call]
        data, memo, transformer=transformer, lexer_callbacks=_CALLBACKS
    )
    return loaded


def build(grammar: str, transformer: Any = None) -> lark.Lark:
    """Return the parser of a grammar without the help of any table."""
    return lark.Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        start=["idl", "acf"],
        maybe_placeholders=True,
        transformer=transformer,
        lexer_callbacks=_CALLBACKS,
    )


def _unless_reserved(name: Token) -> Token:
    """No reserved word is a name. To say so in the pattern would take most of the time that its compilation takes."""
    reserved = name.partition(".")[0].rstrip() in _RESERVED_WORDS
    return Token.new_borrow_pos("RESERVED", name, name) if reserved else name


_RESERVED_WORDS = frozenset(RESERVED.split("|"))
_CALLBACKS = {"NAME": _unless_reserved}


def tables() -> dict[str, Any]:
    """Return what is stored: the same for the same grammar, whatever the order of Python's sets."""
    grammar = _grammar()
    data, memo = build(grammar).memo_serialize([TerminalDef, Rule])
    data["options"]["lexer_callbacks"] = {}
    return {
        "made_from": _made_from(grammar),
        "table": _packed_table(data["parser"].pop("parser")),
        "rules_and_terminals": [
            _packed_rule(row) if "origin" in row else _packed_terminal(row) for row in memo.values()
        ],
        "rest": data,
    }


def _grammar() -> str:
    text = packaged(_HERE, GRAMMAR)
    for name, words in (
        ("_WORD_", _TYPE_WORDS),
        ("_QUALIFIER_", _QUALIFIERS),
        ("_IN_BRACKETS_", _IN_BRACKETS),
    ):
        text = text.replace(name, words)
    return text


def _made_from(grammar: str) -> dict[str, Any]:
    return {"lark": lark.__version__, "grammar": crc32(grammar.encode())}


def _unpacked(stored: dict[str, Any]) -> tuple[dict[str, Any], dict[int, Any]]:
    """Return what lark loads: its data, and the rules and terminals by number."""
    data, table = stored["rest"], stored["table"]
    data["parser"]["parser"] = {
        **table,
        "tokens": dict(enumerate(table["tokens"])),
        "states": {number: _unpacked_state(row) for number, row in enumerate(table["states"])},
    }
    rows = enumerate(stored["rules_and_terminals"])
    return data, {number: _rule(*row) if isinstance(row, list) else row for number, row in rows}


# lark's table has an action for each state and token: (0, the state to go to) or (1, the rule to reduce by). In ours, a
# state is a list of [action, token, token, …]; a rule is the complement of its number, so that it is below zero.


def _packed_table(table: dict[str, Any]) -> dict[str, Any]:
    """Return lark's table in the short form, the states in the order in which they are reached."""
    names, states = table["tokens"], table["states"]
    tokens = sorted(names.values())
    pending = sorted(table["start_states"].values(), key=list(table["start_states"].values()).index)
    numbers: dict[int, int] = {}
    rows = []
    for state in pending:  # it grows
        if state not in numbers:
            numbers[state] = len(numbers)
            rows.append(sorted((names[token], action) for token, action in states[state].items()))
            pending += [target for _, (reduces, target) in rows[-1] if not reduces]
    return {
        "tokens": tokens,
        "start_states": {name: numbers[state] for name, state in table["start_states"].items()},
        "end_states": {name: numbers[state] for name, state in sorted(table["end_states"].items())},
        "states": [_packed_state(row, tokens, numbers) for row in rows],
    }


def _packed_state(
    row: list[tuple[str, tuple[int, Any]]], tokens: list[str], numbers: dict[int, int]
) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for name, (reduces, target) in row:
        action = ~target["@"] if reduces else numbers[target]
        groups.setdefault(action, [action]).append(tokens.index(name))
    return list(groups.values())


def _unpacked_state(row: list[list[int]]) -> dict[int, tuple[int, Any]]:
    actions = {}
    for code, *tokens in row:
        action = (0, code) if code >= 0 else (1, {"@": ~code})
        actions.update(dict.fromkeys(tokens, action))
    return actions


# A rule is a list: its name, "attributes INTERFACE NAME" with an exclamation mark at each token that the tree leaves out,
# and the rest of what lark knows about it.


def _packed_terminal(terminal: dict[str, Any]) -> dict[str, Any]:
    """Return a terminal without what differs from Python to Python: how long a match without an end may be."""
    pattern = terminal["pattern"]
    if "_width" not in pattern:
        return terminal
    widths = [min(width, _ENDLESS) for width in pattern["_width"]]
    return {**terminal, "pattern": {**pattern, "_width": widths}}


def _packed_rule(rule: dict[str, Any]) -> list[Any]:
    symbols = " ".join(each["name"] + "!" * each.get("filter_out", False) for each in rule["expansion"])
    options = [rule["options"][name] for name in RuleOptions.__serialize_fields__]
    return [rule["origin"]["name"], symbols, rule["order"], rule["alias"], options]


def _rule(name: str, symbols: str, order: int, alias: str | None, options: list[Any]) -> Rule:
    return Rule(NonTerminal(name), [*map(_symbol, symbols.split())], order, alias, RuleOptions(*options))


@cache
def _symbol(text: str) -> Symbol:
    name = text.rstrip("!")
    return Terminal(name, text != name) if name.isupper() else NonTerminal(name)


def write_tables() -> None:
    """Store the tables, a state, a rule or a terminal a line."""
    text = json.dumps(tables(), separators=(",", ":")).replace("]],[[", "]],\n[[")
    Path(__file__).with_name(TABLES).write_text(text.replace(']],["', ']],\n["') + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_tables()
