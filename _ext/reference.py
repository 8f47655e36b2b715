"""Pages that are looked up rather than read, written from the library's own data at every build.

``{reference} rules`` in a page becomes an entry for each rule: an anchor, a permanent link, an index entry, and a label that
other pages can name (``{ref}`server-reuses-buffer <rule:server-reuses-buffer>```). The other kinds are in :data:`KINDS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

import reference_commands
import reference_parts as parts
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

Writer = Callable[[parts.Page], Sequence[nodes.Node]]

KINDS: dict[str, Writer] = {}


def kind(name: str) -> Callable[[Writer], Writer]:
    """Enter a function into the table of kinds."""

    def enter(function: Writer) -> Writer:
        KINDS[name] = function
        return function

    return enter


# --- rules and the evidence for what they say ----------------------------------------------------


@kind("rules")
def rules(page: parts.Page) -> Sequence[nodes.Node]:
    """Every rule, below the headings of its table, with the chapters that cite it."""
    from rpcmemkit import RULES

    cited = page.chapters_that_match(r'RULES\[\\?["\']([a-z0-9-]+)\\?["\']\]')
    made = []
    for heading, ids in parts.groups("rules.yaml"):
        below = [
            page.entry(
                "rule",
                id_,
                id_,
                RULES[id_].side,
                index=[f"{id_} (rule)", f"rule; {id_}"],
                body=[
                    parts.paragraph(RULES[id_].statement),
                    parts.fields(
                        ("When", [parts.text(RULES[id_].when)]),
                        ("Then", [parts.text(RULES[id_].then)]),
                        ("Sources", parts.joined(map(page.source, RULES[id_].sources))),
                        ("Claims", parts.joined(page.ref("claim", claim) for claim in RULES[id_].claims)),
                        ("Chapters", parts.joined(map(page.chapter, cited.get(id_, ())))),
                    ),
                ],
            )
            for id_ in ids
        ]
        made.append(page.section(heading, below))
    return made


@kind("evidence")
def evidence(page: parts.Page) -> Sequence[nodes.Node]:
    """Every claim by topic: what it says, how it is checked, and the tests and scenario files that prove it."""
    from rpcmemkit.claims import claims

    topics: dict[str, list[Any]] = {}
    for claim in claims().values():
        topics.setdefault(claim.topic, []).append(claim)
    rows = [
        (
            topic.replace("supporting-", ""),
            len(told),
            sum(claim.testable for claim in told),
            sum(claim.proven for claim in told),
        )
        for topic, told in topics.items()
    ]
    total = ("together", *(sum(row[column] for row in rows) for column in (1, 2, 3)))
    table = parts.table(("Topic", "Claims", "Testable", "With evidence"), [*rows, total])
    sections = [
        page.section(_topic(name), [_claim(page, each) for each in told]) for name, told in topics.items()
    ]
    return [table, *sections]


def _topic(name: str) -> str:
    words = name.replace("supporting-", "").replace("-", " ")
    return words[0].upper() + words[1:]


def _claim(page: parts.Page, claim: Any) -> nodes.Node:
    told = "told only" if not claim.testable else ", ".join(claim.verify)
    proofs = [parts.literal(each) for each in (*claim.scenarios, *claim.tests)]
    return page.entry(
        "claim",
        claim.id,
        claim.id,
        told,
        index=[f"{claim.id} (claim)"],
        body=[
            parts.paragraph(claim.statement),
            parts.fields(
                ("When", [parts.text(claim.when)] if claim.when else []),
                ("Then", [parts.text(claim.then)] if claim.then else []),
                ("Side", [parts.text(claim.side)] if claim.side else []),
                ("Note", [parts.text(claim.note)] if claim.note else []),
                ("Sources", parts.joined(map(page.source, claim.source))),
                ("Rules", parts.joined(page.ref("rule", rule) for rule in claim.rules)),
                ("Evidence", [parts.bullets([proof] for proof in proofs)] if proofs else []),
            ),
        ],
    )


# --- what goes wrong -----------------------------------------------------------------------------


@kind("status-codes")
def status_codes(page: parts.Page) -> Sequence[nodes.Node]:
    """Every status code by its number, with what it tells and where the kit raises it."""
    from rpcmemkit.data import yaml_table
    from rpcmemkit.status import STATUSES

    table = yaml_table("statuses.yaml")
    sites, files = parts.raised(), page.files_with_status()
    made = []
    for status in STATUSES:
        modules, rules_ = sites.get(status.code, ((), ()))
        body = [
            parts.paragraph(
                f"{status.meaning[0].upper()}{status.meaning[1:]}. {table[status.name]['tells']}"
            ),
            parts.fields(
                ("Other names", parts.joined(map(parts.literal, status.aliases))),
                ("HRESULT", parts.joined(map(parts.literal, _hresult(status.code)))),
                ("Rules", parts.joined(page.ref("rule", rule) for rule in rules_)),
                ("Modules", parts.joined(map(parts.literal, modules)) or _by_application()),
                ("Pages", parts.joined(map(page.source, table[status.name]["pages"]))),
                ("Files", _some(files.get(status.code, []))),
            ),
        ]
        words = [f"{name} ({status.code})" for name in (status.name, *status.aliases)]
        number = f"{status.code} (0x{status.code:X})"
        forms = [str(status.code), f"0x{status.code:X}", *_hresult(status.code)]
        # Each form is a word of its own in the index, so that the search leads straight to the entry.
        index = [*words, f"status code; {number}", *(f"{form}; {status.name}" for form in forms)]
        made.append(page.entry("status", status.name, status.name, number, index=index, body=body))
    return made


def _hresult(code: int) -> list[str]:
    """The form in which COM and most logs show a code: facility 7, which is Win32, and the failure bit."""
    return [f"0x{0x80070000 | code:08X}"] if 0 < code < 0x10000 else []


def _by_application() -> list[nodes.Node]:
    return [parts.text("nowhere by the kit itself; a routine may raise it")]


def _some(paths: Sequence[str], most: int = 3) -> list[nodes.Node]:
    """The first few of the files, and how many more there are."""
    shown = [[parts.literal(path)] for path in paths[:most]]
    more = [[parts.text(f"and {len(paths) - most} more")]] if len(paths) > most else []
    return [parts.bullets([*shown, *more])] if shown else []


GROUPS = {
    "1": "Text and syntax",
    "2": "Names and types",
    "3": "Directions, pointers and arrays",
    "4": "Attribute files and memory attributes",
}


@kind("diagnostics")
def diagnostics(page: parts.Page) -> Sequence[nodes.Node]:
    """Every finding of the front end: what it means, how to mend it, and the smallest text that earns it."""
    from rpcmemkit.idl.findings import findings

    by_number = sorted((finding.midl, code) for code, finding in findings().items() if finding.midl)
    links = parts.joined(page.ref("diagnostic", code, f"MIDL{number} → {code}") for number, code in by_number)
    made: list[nodes.Node] = [
        page.section("By MIDL's number", [parts.paragraph(*links, classes=["rpcmemkit-numbers"])])
    ]
    for digit, title in GROUPS.items():
        codes = sorted(code for code in findings() if code[3] == digit)
        made.append(page.section(title, [_diagnostic(page, findings()[code]) for code in codes]))
    return made


def _diagnostic(page: parts.Page, finding: Any) -> nodes.Node:
    from rpcmemkit.idl.examples import examples

    example = examples()[finding.code]
    printed = example.finding()
    number = [f"MIDL{finding.midl}"] if finding.midl else []
    body = [
        parts.paragraph(*_template(finding.title)),
        *_listing(example.wrong, ""),
        parts.code(str(printed), "text"),
        *_listing(example.mended, "Compiles:"),
        parts.fields(
            ("Remedy", _template(finding.remedy)),
            ("Claims", parts.joined(page.ref("claim", claim) for claim in finding.claims)),
            ("Pages", parts.joined(map(page.source, dict.fromkeys([finding.page, *_numbered(finding)])))),
        ),
    ]
    kind_ = ", ".join([*number, finding.severity])
    index = [f"{finding.code} (finding)", *(f"{each}; {finding.code}" for each in number)]
    return page.entry("diagnostic", finding.code, finding.code, kind_, index=index, body=body)


def _template(words: str) -> list[nodes.Node]:
    """A message with its gaps, such as ``{name}``, in italics; one that is a gap and nothing else says nothing."""
    pieces = re.split(r"\{(\w+)\}", words)
    if not "".join(pieces[::2]).strip():
        return []
    made = [nodes.emphasis(piece, piece) if at % 2 else parts.text(piece) for at, piece in enumerate(pieces)]
    return [node for node in made if node.astext()]


def _numbered(finding: Any) -> list[str]:
    return ["compiler-errors.md"] if finding.midl else []


def _listing(listing: Any, caption: str) -> list[nodes.Node]:
    """A text with the switches it is compiled with; names of files only where there are several."""
    made: list[nodes.Node] = []
    switches = ", ".join(f"{name}={value!r}" for name, value in listing.switches.items())
    words = " ".join(part for part in (caption, f"With Switches({switches}):" if switches else "") if part)
    if words:
        made.append(parts.paragraph(words))
    for name, text in listing.files.items():
        if len(listing.files) > 1:
            made.append(parts.paragraph(parts.literal(name)))
        made.append(parts.code(text.rstrip("\n"), "c"))
    return made


# --- questions -----------------------------------------------------------------------------------


@kind("misconceptions")
def misconceptions(page: parts.Page) -> Sequence[nodes.Node]:
    """Every belief that a wrong answer stands for, and the questions that offer it, chapter by chapter."""
    beliefs = page.yaml("book/questions/misconceptions.yaml")
    asked = page.chapters_that_match(r"\((q\d+)\)=")
    offered: dict[str, dict[str, list[nodes.Node]]] = {}
    for chapter, question in page.questions():
        for name in dict.fromkeys(answer.get("misconception") for answer in question["answers"]):
            link = page.to_question(chapter, question["id"], question["id"])
            offered.setdefault(name, {}).setdefault(chapter, []).append(link)
    return [
        page.entry(
            "misconception",
            name,
            row["belief"],
            name,
            index=[f"{name} (misconception)", f"misconception; {name}"],
            body=[
                parts.fields(
                    ("Shown", [_asked(page, row["asked"], asked)]),
                    ("Tested", [parts.bullets(_tests(page, offered[name]))] if name in offered else []),
                )
            ],
        )
        for name, row in beliefs.items()
    ]


def _tests(page: parts.Page, by_chapter: dict[str, list[nodes.Node]]) -> list[list[nodes.Node]]:
    return [
        [page.chapter(name), parts.text(": "), *parts.joined(links)] for name, links in by_chapter.items()
    ]


def _asked(page: parts.Page, where: str, asked: Container[str]) -> nodes.Node:
    """Where a belief shows: a page of the documentation, a question of the readers, or a number of MIDL."""
    from rpcmemkit.idl.findings import findings

    if where.endswith(".md"):
        return page.source(where)
    if where.lower() in asked:
        return page.label(where.lower(), f"Question {where[1:]} of the readers")
    for code, finding in findings().items():
        if where == f"MIDL{finding.midl}":
            return page.ref("diagnostic", code, where)
    return parts.text(where)


@kind("questions")
def questions(page: parts.Page) -> Sequence[nodes.Node]:
    """Every question by chapter, with the misconceptions that it looks for."""
    chapters: dict[str, list[list[nodes.Node]]] = {}
    for chapter, question in page.questions():
        named = [answer["misconception"] for answer in question["answers"] if answer.get("misconception")]
        links = parts.joined(page.ref("misconception", name) for name in dict.fromkeys(named))
        link = page.to_question(chapter, question["id"], parts.plain(question["prompt"]))
        chapters.setdefault(chapter, []).append([link, parts.text(" – "), *links])
    made: list[nodes.Node] = []
    for chapter, lines in chapters.items():
        made += [parts.paragraph(page.chapter(chapter)), parts.bullets(lines)]
    return made


# --- the command line, how to cite ---------------------------------------------------------------


@kind("command")
def command(page: parts.Page) -> Sequence[nodes.Node]:
    """The usage and every option of one command, or of the program itself when none is named."""
    return reference_commands.describe(page, page.rest)


@kind("citation")
def citation(page: parts.Page) -> Sequence[nodes.Node]:
    """How to cite the project: as text, and as BibTeX."""
    cff = page.yaml("CITATION.cff")
    authors = " and ".join(each["name"] for each in cff["authors"])
    year = page.environment.config.copyright.split(",")[0]
    text = f"{authors}, {cff['title']}, version {cff['version']}, {year}."
    lines = [
        f"  author  = {{{{{authors}}}}},",
        f"  title   = {{{{{cff['title']}}}}},",
        f"  version = {{{cff['version']}}},",
        f"  year    = {{{year}}},",
        f"  note    = {{License: {cff['license']} (code), CC-BY-4.0 (text)}},",
    ]
    bibtex = "\n".join(["@software{rpcmemkit,", *lines, "}"])
    return [
        page.section("As text", [parts.paragraph(text)]),
        page.section("As BibTeX", [parts.code(bibtex, "bibtex")]),
        page.section("What it is", [parts.paragraph(" ".join(cff["abstract"].split()))]),
    ]


# --- how long it takes ---------------------------------------------------------------------------

TIME = r"\*\*Time:\*\* about (\d+) minutes with the questions"
SHORT_WAY = ("one-call", "summary")


@kind("times")
def times(page: parts.Page) -> Sequence[nodes.Node]:
    """How long the chapters take, by what each says at its head."""
    found = page.chapters_that_match(TIME)
    minutes = {name: int(told) for told, names in found.items() for name in names}
    if not minutes:
        return [parts.paragraph("The head of each chapter tells how long it takes.")]
    way = sum(minutes.get(name, 0) for name in SHORT_WAY)
    return [
        parts.paragraph(
            f"The {len(minutes)} chapters take {min(minutes.values())} to {max(minutes.values())} minutes each, with"
            f" their questions and exercises, and about {round(sum(minutes.values()) / 60)} hours together. The"
            f" first one and the summary alone take about {way} minutes."
        )
    ]


class Reference(SphinxDirective):
    """``{reference} KIND [WHAT]``: a part of the reference."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, *rest = self.arguments
        if name not in KINDS:
            raise self.error(f"there is no reference {name!r}; there are: {', '.join(sorted(KINDS))}")
        page = parts.Page(self.env, self.state.document, *rest)
        return list(KINDS[name](page))


class Terminal(SphinxDirective):
    """``{terminal}``: commands, one a line, and what they print when they are run beside the example files."""

    has_content = True
    option_spec = {"exit": directives.nonnegative_int, "lines": directives.positive_int}  # noqa: RUF012 (Sphinx's form)

    def run(self) -> list[nodes.Node]:
        folder = parts.Page(self.env, self.state.document).path("book/examples")
        shown: list[str] = []
        for line in self.content:
            code, printed = reference_commands.run(line, folder)
            if code != self.options.get("exit", 0):
                raise self.error(f"{line}: exit code {code}\n{printed}")
            shown += [f"$ {line}", *_cut(printed.splitlines(), self.options.get("lines"))]
        return [parts.code("\n".join(shown), "console")]


def _cut(lines: Sequence[str], most: int | None) -> Iterable[str]:
    if most is None or len(lines) <= most:
        return lines
    return [*lines[:most], f"… ({len(lines) - most} more lines)"]


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_directive("reference", Reference)
    app.add_directive("terminal", Terminal)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
