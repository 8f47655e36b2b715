"""A picture in words: the text alternative of the drawing, made from the same data and saying the same.

An outline is a list of sections; each has a heading, a sentence, and lines that may have lines of their own. Plain text
and HTML are two ways to write it down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from rpcmemkit.annotate import bytes_text
from rpcmemkit.draw.model import Arrow, Block, Bytes, Column, Field, Gap, Item, Part, Picture
from rpcmemkit.draw.storage import DANGLING, MEANINGS, OWNERS
from rpcmemkit.errors import counted


@dataclass(slots=True)
class Entry:
    """A line of an outline and the lines below it."""

    text: str
    below: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """What an outline says about one column, or about the whole."""

    heading: str
    note: str
    entries: list[Entry] = field(default_factory=list)


def title(picture: Picture) -> str:
    """Name a picture in one line."""
    return picture.step or f"{picture.procedure}: who allocates and who frees"


def summary(picture: Picture) -> str:
    """Say in a few sentences what a picture shows; for a step, what its active columns hold."""
    if not picture.step:
        return f"{picture.signature}. {picture.verdict}"
    shown = [c for c in picture.columns if c.key in picture.active]
    return f"{picture.step}. " + " ".join(f"{c.title}: {_contents(c)}." for c in shown)


def _contents(column: Column) -> str:
    blocks = [item for item in column.items if isinstance(item, Block)]
    if not blocks:
        return column.note
    names = [f"{block.label}{' ' + ' '.join(block.words) if block.words else ''}" for block in blocks]
    return ", ".join(names)


def outline(picture: Picture) -> list[Section]:
    """Return everything a picture shows, in reading order."""
    labels = _labels(picture)
    head = Section(picture.signature, picture.verdict, [Entry(str(counts)) for counts in picture.counts])
    sections = [head]
    for number, column in enumerate(picture.columns, 1):
        if column.items or column.note:
            arrows = {(a.source, a.field): a for a in picture.arrows if a.column == column.key}
            entries = [_entry(item, arrows, labels) for item in column.items]
            sections.append(Section(f"{number}. {column.title}", column.note, entries))
    words = [Entry(f"{word}: {MEANINGS[word]}") for word in picture.words]
    return [*sections, Section("Words", "", words)] if words else sections


def _labels(picture: Picture) -> dict[str, str]:
    """Return what arrows lead to, by id, in words."""
    labels: dict[str, str] = {}
    for column in picture.columns:
        for item in column.items:
            if isinstance(item, Gap):
                labels[item.id] = "what is left out"
            elif isinstance(item, Block):
                labels[item.id] = item.label
                labels.update(
                    (part.id, part.label if isinstance(part, Part) else part.text) for part in item.parts
                )
    return labels


def _entry(item: Item, arrows: dict[tuple[str, int | None], Arrow], labels: dict[str, str]) -> Entry:
    if isinstance(item, Bytes):
        return Entry(f"{item.offset}: {bytes_text(item.data)} {item.meaning}")
    if isinstance(item, Gap):
        return Entry(item.text)
    return Entry(
        _block(item), [line for part in item.parts for line in _part(part, item.compound, arrows, labels)]
    )


def _block(block: Block) -> str:
    words = f" {', '.join(block.words)}:" if block.words else ":"
    size = counted(block.size, "byte")
    duty = "" if block.owner == "variable" else f"; {block.duty}"
    return f"{block.label}{words} {size} at {block.address:#x}, {OWNERS[block.owner]}{duty}."


def _part(
    part: Part | Gap, compound: bool, arrows: dict[tuple[str, int | None], Arrow], labels: dict[str, str]
) -> Iterator[str]:
    if isinstance(part, Gap):
        yield part.text
        return
    if compound:
        yield f"{part.label} at {part.address:#x}{f', {part.type}' if part.type else ''}:"
    for index, value in enumerate(part.fields):
        yield _field(value, arrows.get((part.id, index)), labels)


def _field(value: Field, arrow: Arrow | None, labels: dict[str, str]) -> str:
    if value.offset is None:
        return f"… {value.text}"
    name = f" {value.name}" if value.name else ""
    leads = f", leads to {labels.get(arrow.target, 'nothing shown')}" if arrow else ""
    dangling = f", {DANGLING}" if value.dangling else ""
    was = f" (was {value.was})" if value.was else ""
    return f"+{value.offset}{name} = {value.text}{was}{leads}{dangling}"


def as_text(sections: list[Section]) -> str:
    """Write an outline as plain text."""
    lines: list[str] = []
    for section in sections:
        lines += ["", section.heading] if lines else [section.heading]
        lines += [f"  {section.note}"] if section.note else []
        for entry in section.entries:
            lines += [f"  - {entry.text}", *(f"      {line}" for line in entry.below)]
    return "\n".join(lines)


def as_html(sections: list[Section]) -> str:
    """Write an outline as HTML, with paragraphs for headings so that a page's own outline stays whole."""
    return "".join(_section(section) for section in sections)


def _section(section: Section) -> str:
    note = f" {escape(section.note)}" if section.note else ""
    items = "".join(f"<li>{escape(entry.text)}{_list(entry.below)}</li>" for entry in section.entries)
    return f"<p><b>{escape(section.heading)}</b>{note}</p>" + (f"<ul>{items}</ul>" if items else "")


def _list(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def describe(picture: Picture) -> str:
    """Return the text alternative of a picture.

    Everything that the drawing shows is in it, and nothing else: both are made from the same model.
    """
    return as_text(outline(picture))


__all__ = ["as_html", "as_text", "describe", "outline", "summary", "title"]
