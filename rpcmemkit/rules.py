"""The rules of RPC memory management as data: what events, errors and the book cite by id.

The rows are in ``data/rules.yaml``. Each says in one sentence what happens, on which side, when, where it is documented, and
which claims of the project's table it covers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from rpcmemkit.data import yaml_table

_PAIR = re.compile(r"\bmidl_user_(?:allocate|free)\b")


@dataclass(frozen=True, slots=True, repr=False)
class Rule:
    """One rule. ``side`` is ``client``, ``server``, ``both`` or ``wire``; ``when`` is what triggers it, ``then`` what follows."""

    id: str
    side: str
    statement: str
    sources: tuple[str, ...]
    claims: tuple[str, ...]
    when: str
    then: str

    def under(self, allocate: str, free: str) -> Rule:
        """Return the rule in the words of the pair in force: the table tells of the one that most stubs call."""
        pair = {"midl_user_allocate": allocate, "midl_user_free": free}
        statement, then = (
            _PAIR.sub(lambda found: pair[found.group()], text) for text in (self.statement, self.then)
        )
        return replace(self, statement=statement, then=then)

    def __repr__(self) -> str:
        from textwrap import wrap

        lines = wrap(self.statement, 74) + wrap("source: " + ", ".join(self.sources), 74)
        return "\n  ".join([f"{self.id} ({self.side})", *lines])


class Rules(Mapping[str, Rule]):
    """All rules by id, in the order of the table; it is read when somebody first asks."""

    @cached_property
    def _table(self) -> dict[str, Rule]:
        return {id_: _rule(id_, **row) for id_, row in yaml_table("rules.yaml").items()}

    def __getitem__(self, id_: str) -> Rule:
        return self._table[id_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        return f"<{len(self)} rules>"


def _rule(
    id_: str, *, side: str, statement: str, when: str, then: str, sources: list[str], claims: list[str]
) -> Rule:
    return Rule(id_, side, statement, tuple(sources), tuple(claims), when, then)


RULES = Rules()
