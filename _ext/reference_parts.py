"""What the reference pages are made of: entries with anchors, lists of facts, links, and the data they are written from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx import addnodes

PACKAGE = "rpcmemkit"


# --- plain parts ---------------------------------------------------------------------------------


def text(words: str) -> nodes.Text:
    return nodes.Text(words)


def literal(words: str) -> nodes.literal:
    return nodes.literal(words, words)


def paragraph(*parts: str | nodes.Node, classes: Sequence[str] = ()) -> nodes.paragraph:
    made = nodes.paragraph("", "", *(text(part) if isinstance(part, str) else part for part in parts))
    made["classes"] += list(classes)
    return made


def code(source: str, language: str) -> nodes.literal_block:
    """A listing; what its lexer does not know is shown all the same."""
    return nodes.literal_block(source, source, language=language, force=True)


def bullets(lines: Iterable[Sequence[nodes.Node]]) -> nodes.bullet_list:
    items = [nodes.list_item("", nodes.paragraph("", "", *line)) for line in lines]
    return nodes.bullet_list("", *items)


def joined(parts: Iterable[nodes.Node]) -> list[nodes.Node]:
    """Inline parts with commas between them."""
    made: list[nodes.Node] = []
    for part in parts:
        made += [text(", "), part] if made else [part]
    return made


def fields(*facts: tuple[str, Sequence[nodes.Node]]) -> nodes.field_list:
    """Facts with their names; those without a value are left out."""
    made = nodes.field_list()
    for name, parts in facts:
        if parts:
            whole = isinstance(parts[0], nodes.bullet_list)
            body = nodes.field_body("", *(parts if whole else [nodes.paragraph("", "", *parts)]))
            made += nodes.field("", nodes.field_name("", name), body)
    return made


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> nodes.table:
    """A table with one line of heads."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in heads), cols=len(heads))
    group += nodes.thead("", _row(heads))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group)


def _row(cells: Sequence[object]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", paragraph(str(cell))) for cell in cells))


def plain(words: str) -> str:
    """A text of several lines as one."""
    return " ".join(words.split())


def anchor_of(id_: str) -> str:
    """The anchor of an id; docutils itself would take the number off ``32-is-64``."""
    return re.sub(r"[^a-z0-9]+", "-", id_.lower()).strip("-")


# --- data ----------------------------------------------------------------------------------------


def groups(file: str) -> list[tuple[str, list[str]]]:
    """The headings of a table that ships with the package (``# --- the client ---``), each with the ids below it."""
    from rpcmemkit.data import text_of

    found: list[tuple[str, list[str]]] = []
    for heading, id_ in re.findall(r"^# --- (.+?) ---$|^([a-z0-9-]+):$", text_of(file), re.MULTILINE):
        if heading:
            found.append((heading[0].upper() + heading[1:], []))
        else:
            found[-1][1].append(id_)
    return found


@cache
def raised() -> dict[int, tuple[tuple[str, ...], tuple[str, ...]]]:
    """For each status the modules of the kit that name it, and the rules that are cited where it is raised."""
    import rpcmemkit
    from rpcmemkit import status

    package = Path(rpcmemkit.__file__).parent
    modules: dict[int, list[str]] = {}
    rules: dict[int, list[str]] = {}
    for file in sorted(package.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        codes = {
            alias.name: getattr(status, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "rpcmemkit.status"
            for alias in node.names
            if alias.name.isupper() and isinstance(getattr(status, alias.name), int)
        }
        name = ".".join((PACKAGE, *file.relative_to(package).with_suffix("").parts))
        for value in codes.values():
            modules.setdefault(value, []).append(name)
        for value, rule in _cited(tree, codes):
            rules.setdefault(value, []).append(rule)
    return {
        value: (tuple(dict.fromkeys(names)), tuple(dict.fromkeys(rules.get(value, ()))))
        for value, names in modules.items()
    }


def _cited(tree: ast.AST, codes: dict[str, int]) -> Iterator[tuple[int, str]]:
    """Each ``RpcError(CODE, …, rule="id")`` of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Name):
            code = codes.get(node.args[0].id)
            rules = [each.value for each in node.keywords if each.arg == "rule"]
            for rule in rules:
                if code is not None and isinstance(rule, ast.Constant) and rule.value:
                    yield code, rule.value


# --- entries on a page ---------------------------------------------------------------------------


class Page:
    """The page that is being written: it makes entries and links, and knows the sources of the book."""

    def __init__(self, environment: Any, document: nodes.document, rest: str = "") -> None:
        self.environment = environment
        self.document = document
        self.rest = rest

    # --- sources

    def path(self, name: str) -> Path:
        """A file of the tree that is built, which makes the page depend on it."""
        path = Path(self.environment.srcdir) / name
        self.environment.note_dependency(str(path))
        return path

    def yaml(self, name: str) -> Any:
        return yaml.safe_load(self.path(name).read_text(encoding="utf-8"))

    def questions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every question with the name of its chapter."""
        folder = Path(self.environment.srcdir) / "book/questions"
        for file in sorted(folder.glob("*.yaml")):
            if file.stem != "misconceptions":
                for question in self.yaml(f"book/questions/{file.name}"):
                    yield file.stem, question

    def chapters_that_match(self, pattern: str) -> dict[str, list[str]]:
        """For each text that a pattern finds in notebooks of the book, the names of those chapters."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.environment.found_docs):
            file = Path(self.environment.doc2path(name))
            if file.suffix == ".ipynb":
                self.environment.note_dependency(str(file))
                for each in dict.fromkeys(re.findall(pattern, file.read_text(encoding="utf-8"))):
                    found.setdefault(each, []).append(file.stem)
        return found

    def files_with_status(self) -> dict[int, list[str]]:
        """The scenario files in which a call is expected to end with a status."""
        from rpcmemkit.status import status_code

        root = Path(self.environment.srcdir)
        found: dict[int, list[str]] = {}
        for folder in ("tests/scenarios", "tests/conformance"):
            for file in sorted((root / folder).rglob("*.yaml")):
                # Loading all of them as YAML would take longer than the rest of the page.
                for name in re.findall(r"^\s+status: (\w+)$", file.read_text(encoding="utf-8"), re.MULTILINE):
                    files = found.setdefault(status_code(name), [])
                    if (path := file.relative_to(root).as_posix()) not in files:
                        files.append(path)
        return found

    # --- parts

    def section(self, title: str, below: Sequence[nodes.Node]) -> nodes.section:
        """A section with an anchor of its own."""
        made = nodes.section("", nodes.title(title, title), *below, ids=[nodes.make_id(title)])
        made["names"] = [nodes.fully_normalize_name(title)]
        return made

    def entry(
        self,
        kind: str,
        id_: str,
        name: str,
        remark: str,
        *,
        index: Sequence[str] = (),
        body: Sequence[nodes.Node] = (),
    ) -> addnodes.desc:
        """An entry: its name with an anchor, a permanent link, a label ``KIND:ID`` and index entries; below it its body."""
        anchor = anchor_of(id_)
        signature = addnodes.desc_signature("", "", ids=[anchor], classes=[f"rpcmemkit-{kind}"])
        signature += [addnodes.desc_name(name, name)]
        if remark:
            signature += [addnodes.desc_annotation("", "", text(f" {remark}"))]
        entry_ = addnodes.desc("", signature, addnodes.desc_content("", *body))
        entry_["domain"], entry_["objtype"], entry_["desctype"] = "std", kind, kind
        entry_["noindex"] = entry_["no-index"] = True
        entries = [("single", words, anchor, "main", None) for words in index]
        if entries:
            signature.insert(0, addnodes.index(entries=entries))
        labels = self.environment.get_domain("std")
        labels.note_hyperlink_target(f"{kind}:{id_.lower()}", self.environment.docname, anchor, name)
        self.document.note_explicit_target(signature, signature)
        return entry_

    # --- links

    def ref(self, kind: str, id_: str, words: str = "") -> addnodes.pending_xref:
        """A link to an entry, on whatever page it is."""
        return self.label(f"{kind}:{id_.lower()}", words or id_)

    def label(self, name: str, words: str) -> addnodes.pending_xref:
        """A link to a label, on whatever page it is."""
        shown = nodes.inline(words, words, classes=["std", "std-ref"])
        return self._pending(shown, "ref", name, explicit=True)

    def source(self, cited: str) -> nodes.Node:
        """A page of the documentation that is cited, perhaps with a place in it, as a link; anything else as it is."""
        name, *rest = re.split(r"(?<=\.md)(?=\W)", cited, maxsplit=1)
        from rpcmemkit.data import documentation

        found = documentation().get(name)
        if found is None:
            return text(cited)
        shown = "".join([found.title, *rest])
        return nodes.reference("", "", text(shown), refuri=found.address, internal=False, reftitle=name)

    def chapter(self, name: str) -> nodes.Node:
        """A link to a chapter by its title, or its name where the chapter is not part of this build."""
        if f"book/{name}" not in self.environment.found_docs:
            return text(name)
        return self._pending(nodes.inline("", name), "doc", f"/book/{name}", explicit=False)

    def _pending(self, shown: nodes.Node, role: str, target: str, *, explicit: bool) -> addnodes.pending_xref:
        facts = {"refdomain": "std", "reftype": role, "reftarget": target, "refexplicit": explicit}
        return addnodes.pending_xref("", shown, **facts, refwarn=True, refdoc=self.environment.docname)

    def to_question(self, chapter: str, id_: str, words: str) -> nodes.Node:
        """A link to a question inside of its chapter."""
        docname = f"book/{chapter}"
        if docname not in self.environment.found_docs:
            return text(words)
        builder = self.environment.app.builder
        uri = builder.get_relative_uri(self.environment.docname, docname) + f"#quiz-{id_}"
        return nodes.reference("", "", text(words), refuri=uri, internal=True)
