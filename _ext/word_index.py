"""The index of words: wherever a page links a word to the glossary, or names a function of Windows, the index leads there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

FUNCTION = re.compile(
    r"((?:CoTaskMem|Rpc(?:Ss|Sm|Async|Raise)|SafeArray|Sys(?:Alloc|Free)|NetApiBuffer|LsaFree|FwpmFree)[A-Z]\w+)(?:\(\))?"
)


class IndexTerms(SphinxTransform):
    """Put an index entry ``word; Title of the page`` at the start of each section that has the word."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        title = next(iter(self.document.findall(nodes.title)), None)
        met: set[tuple[str, str]] = set()
        for word, place in list(self._words()) if title is not None else ():
            key = word, place["ids"][0]
            if key not in met:
                met.add(key)
                entry = ("single", f"{word}; {title.astext()}", key[1], "", None)
                place.insert(1 if isinstance(place, nodes.section) else 0, addnodes.index(entries=[entry]))

    def _words(self) -> Iterator[tuple[str, nodes.Element]]:
        """Each word with the section, or the entry of the glossary, where it stands."""
        for link in self.document.findall(addnodes.pending_xref):
            section = _section_of(link)
            if link.get("reftype") == "term" and section is not None and _entry_of(link) is None:
                yield link["reftarget"], section
        for literal in self.document.findall(nodes.literal):
            named = FUNCTION.fullmatch(literal.astext())
            place = _entry_of(literal) or _section_of(literal)
            if named and place is not None:
                yield named[1], place


def _section_of(node: nodes.Node) -> nodes.section | None:
    while node is not None and not (isinstance(node, nodes.section) and node["ids"]):
        node = node.parent
    return node


def _entry_of(node: nodes.Node) -> nodes.term | None:
    """The word of the glossary that a node explains, if it stands in the glossary."""
    item: nodes.Node | None = None
    while node is not None and not isinstance(node, addnodes.glossary):
        item = node if isinstance(node, nodes.definition_list_item) else item
        node = node.parent
    return item[0] if node is not None and item is not None and item[0]["ids"] else None


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_transform(IndexTerms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
