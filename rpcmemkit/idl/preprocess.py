"""From the text of a file to the text the grammar reads: comments blanked out, macros expanded, directives obeyed.

Blanking keeps every offset, so that positions stay those of the file. A text without directives is done then; all
others go through :mod:`rpcmemkit.idl.expansion`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.report import Report
from rpcmemkit.idl.source import Folders, Mark, Source

# What the Microsoft compiler defines on its own.
PREDEFINED: Mapping[str, str] = {"__midl": "801", "_WIN32": "1"}

_SKIPPED = re.compile(
    r"""
    (?P<comment> /\*.*?\*/ | //[^\n]* )
  | (?P<string>  "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)+' )
  | (?P<directive> ^[ \t]*\#[ \t]*(?:error|if|elif|pragma)\b[^\n]* )
  | (?P<open_comment> /\* )
  | (?P<open_string> ["'] )
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
_COMMENT_IN_LINE = re.compile(r"/\*.*?(?:\*/|$)|//.*")
_PACK = re.compile(r"pack\s*\(\s*(push|pop)?\s*(?:,?\s*[A-Za-z_]\w*)?\s*,?\s*(\d+)?\s*\)")
_END_MARK = re.compile(r"\x1a\s*\Z")
_VISIBLE = re.compile(r"[^\n]")
_PACK_LEVELS = (1, 2, 4, 8, 16)


def read_source(
    text: str,
    file: str,
    report: Report,
    *,
    folders: Folders | None = None,
    defines: Mapping[str, str] | None = None,
) -> Source:
    """Prepare ``text`` for the grammar. Problems go to ``report``; the result is always usable."""
    text = _lines(text.removeprefix("\ufeff"))
    source = Source(file, text, [Mark(0, file, 1)], {file: text.split("\n")})

    def prepare(text: str, file: str) -> str:
        return _without_comments(_lines(text), file, report)

    def complain(finding: Finding, file: str, line: int, **details: Any) -> None:
        report.at_line(finding, source, file, line, **details)

    if "#" not in text and "\\\n" not in text and not defines:
        source.text = prepare(text, file)
        return source
    from rpcmemkit.idl.expansion import Expansion

    expansion = Expansion(prepare, complain, folders or Folders(), {**PREDEFINED, **(defines or {})})
    source.originals = expansion.originals
    expansion.run(text, file)
    source.text = expansion.text
    source.marks = expansion.marks or source.marks
    _pack_levels(source, expansion.pragmas, report)
    return source


def _lines(text: str) -> str:
    """Lines end with a line feed; other white space is blanks and tabs. A Ctrl-Z ends the files of old editors."""
    return (
        _END_MARK.sub("", text)
        .replace("\r\n", "\n")
        .replace("\r", "\n")
        .replace("\f", " ")
        .replace("\v", " ")
    )


def _without_comments(text: str, file: str, report: Report) -> str:
    """Turn comments into spaces; complain about quotes and comments that stay open."""
    plain = Source(file, text, [Mark(0, file, 1)], {file: text.split("\n")})

    def replace(match: re.Match[str]) -> str:
        kind, found = match.lastgroup, match.group()
        if kind == "string":
            return found
        if kind == "directive":  # an apostrophe in "#error don't" opens nothing
            return _COMMENT_IN_LINE.sub(lambda inner: " " * len(inner.group()), found)
        if kind != "comment":
            report.add(
                Finding.OPEN_COMMENT if kind == "open_comment" else Finding.OPEN_QUOTE,
                plain,
                match.start(),
                len(found),
            )
        return _VISIBLE.sub(" ", found)

    return _SKIPPED.sub(replace, text)


def _pack_levels(source: Source, pragmas: list[tuple[int, str]], report: Report) -> None:
    """``#pragma pack``: (n) sets, (push, n) saves and sets, (pop) restores, () is the natural alignment."""
    saved: list[int | None] = []
    for at, text in pragmas:
        match = _PACK.match(text)
        if match is None:
            continue
        action, number = match[1], int(match[2][:9]) if match[2] else None
        current = source.packing[-1][1] if source.packing else None
        if number is not None and number not in _PACK_LEVELS:
            report.add(Finding.BAD_PACKING, source, at, level=number)
            continue
        if action == "push":
            saved.append(current)
            number = number if number is not None else current
        elif action == "pop":
            number = saved.pop() if saved else None
        source.packing.append((at, number))
