"""The index of words: wherever a chapter links a word to the glossary, the index leads to that section of it."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform


class IndexTerms(SphinxTransform):
    """Put an index entry ``word; Title of the chapter`` at the start of each section that links the word."""

    default_priority = 500

    def apply(self, **_: Any) -> None:
        title = next(iter(self.document.findall(nodes.title)), None)
        met: set[tuple[str, str]] = set()
        for link in list(self.document.findall(addnodes.pending_xref)):
            section = _section_of(link)
            if link.get("reftype") != "term" or title is None or section is None or _in_glossary(link):
                continue
            key = link["reftarget"], section["ids"][0]
            if key not in met:
                met.add(key)
                entry = ("single", f"{key[0]}; {title.astext()}", key[1], "", None)
                section.insert(1, addnodes.index(entries=[entry]))


def _section_of(node: nodes.Node) -> nodes.section | None:
    while node is not None and not (isinstance(node, nodes.section) and node["ids"]):
        node = node.parent
    return node


def _in_glossary(node: nodes.Node) -> bool:
    while node is not None and not isinstance(node, addnodes.glossary):
        node = node.parent
    return node is not None


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_transform(IndexTerms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
