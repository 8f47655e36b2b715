"""Tables, lists and pictures of a call: HTML, and a text that means something by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from typing import Any

from rpcmemkit.annotate import Direction, bytes_text, rows
from rpcmemkit.audit import Audit
from rpcmemkit.call import Call, Session
from rpcmemkit.contract import Contract, as_text, contract, sheets
from rpcmemkit.draw import Builder, CallPicture, steps
from rpcmemkit.draw.build import LIMIT, signature, status_text
from rpcmemkit.draw.model import Block, Gap, parts
from rpcmemkit.draw.sketch import COLUMNS, Sketch
from rpcmemkit.draw.storage import AFTER, BEFORE, ENTRY, OWNERS
from rpcmemkit.draw.svg import STYLE
from rpcmemkit.errors import RpcError, UsageError
from rpcmemkit.kinds import EventKind
from rpcmemkit.paths import c_text
from rpcmemkit.status import status_name
from rpcmemkit.trace import Event, Fault, PackageCall, Span

EVENT_LIMIT = 60
"""How many events a table shows before it is cut."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Something to show: HTML, and the same as text."""

    html: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def show(call: Call, *, limit: int = LIMIT, wide: bool = False) -> CallPicture:
    """Show the picture of a call."""
    return CallPicture(call, limit=limit, wide=wide)


def sketch(
    call: Call, *, columns: Sequence[str] = COLUMNS, brief: bool = False, styled: bool = True
) -> Shown:
    """Return a small picture of what a call did to memory; its text says the same.

    ``columns`` are some of ``before``, ``server`` and ``after``. ``brief`` makes a cell of every value. Many sketches may
    share one style: ``styled=False``.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    small = Sketch(call, columns=columns, brief=brief)
    return Shown(STYLE * styled + small.html, small.text)


# --- steps ---------------------------------------------------------------------------------------


def steps_table(call: Call) -> Shown:
    """Return all steps of a call as a list to read: what a printer and a screen reader get below a stepper."""
    told = steps(call)
    items = "".join(
        f"<li><b>{escape(s.label)}.</b> {escape(s.text)}{items_html(s.details)}</li>" for s in told
    )
    lines = [
        line for s in told for line in (f"{s.number}. {s.label}. {s.text}", *(f"   - {d}" for d in s.details))
    ]
    return Shown(f'<ol class="rpcmemkit-steps">{items}</ol>', "\n".join(lines))


def items_html(texts: Sequence[str]) -> str:
    """Return texts as a list, or nothing."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>" if texts else ""


# --- tables --------------------------------------------------------------------------------------


def table(caption: str, head: Sequence[str], body: Iterable[Sequence[object]]) -> Shown:
    """Return a table as HTML and as aligned text."""
    lines = [[str(cell) for cell in line] for line in body]
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines)
    html = framed(caption, head, cells)
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    text = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in [list(head), *lines]]
    return Shown(html, "\n".join([caption, *text]))


def framed(caption: str, head: Sequence[str], rows_html: str) -> str:
    """Return rows of HTML as a table with a caption and column heads."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return f'<table class="dataframe rpcmemkit-table"><caption>{escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows_html}</tbody></table>'


def bytes_table(call: Call, direction: Direction) -> Shown:
    """Return the bytes of a request or a response, field by field."""
    found = rows(call, direction)
    size = len(call.trace.messages[direction].data) if direction in call.trace.messages else 0
    body = [(row.offset, bytes_text(row.data), row.what, row.shown) for row in found]
    return table(
        f"The {direction} of {call.procedure.name}: {size} bytes",
        ("offset", "bytes", "what", "value"),
        body,
    )


MOMENTS = {
    "client before": ("before", BEFORE),
    "client after": ("after", AFTER),
    "server entry": ("server", ENTRY),
}


def memory_table(call: Call, moment: str, *, limit: int = 40) -> Shown:
    """Return the memory of ``client before``, ``client after``, ``server entry``, ``server exit`` or ``server after``.

    Raises:
        UsageError: the call has no such moment.
    """
    if moment not in call.trace.snapshots:
        raise UsageError(f"this call has no {moment!r}; it has {', '.join(call.trace.snapshots)}")
    builder = Builder(call, limit)
    key, wanted = MOMENTS.get(moment, ("server", builder.server.served))
    if moment == "server after":
        wanted = builder.server.cleaned
    items = builder.memory(key, wanted).column.items
    body = [line for item in items if isinstance(item, Block | Gap) for line in _memory_lines(item)]
    head = ("block", "address", "field", "value", "allocated by", "to be freed", "state")
    return table(f"{call.procedure.name}: {moment}", head, body)


def _memory_lines(item: Block | Gap) -> Iterable[Sequence[object]]:
    if isinstance(item, Gap):
        yield (item.text, "", "", "", "", "", "")
        return
    yield (
        item.label,
        f"{item.address:#x}",
        "",
        f"{item.size} bytes",
        OWNERS[item.owner],
        item.duty,
        " ".join(item.words),
    )
    for part in parts(item):
        for field in part.fields:
            address = "" if field.offset is None else f"{part.address + field.offset:#x}"
            state = "DANGLING" if field.dangling else ""
            yield (
                "",
                address,
                f"{part.label} {field.name}" if item.compound else field.name,
                field.text,
                "",
                "",
                state,
            )


def events_table(call: Call, *, limit: int = EVENT_LIMIT) -> Shown:
    """Return what happened during a call, in order, with the id of the rule that caused it."""
    lies = call.space("server entry").lies if "server entry" in call.trace.snapshots else int
    body = [_event(number, event, lies) for number, event in enumerate(islice(call.trace, limit), 1)]
    left_out = len(call.trace) - len(body)
    if left_out:
        body.append(("…", f"{left_out:,} more", "", "", "", "", ""))
    head = ("no.", "event", "side", "by", "address", "bytes", "rule")
    return table(f"{call.procedure.name}: {len(call.trace)} events", head, body)


def _event(number: int, event: Event, lies: Callable[[int], int]) -> tuple[object, ...]:
    address = f"{lies(event.address):#x}" if event.address else ""
    name = f"{event.kind} {_detail(event)}".strip()
    return number, name, event.side, event.actor, address, event.size or "", event.rule


NAMED = frozenset(
    [
        EventKind.ALLOCATE,
        EventKind.FREE,
        EventKind.OPEN,
        EventKind.CLOSE,
        EventKind.CHANGE,
        EventKind.RUN_DOWN,
        EventKind.LOSE,
        EventKind.MARK,
        EventKind.CONVERT,
        EventKind.PIPE,
        EventKind.CANCEL,
    ]
)
"""Events whose detail is a name to be shown as it is."""


def _detail(event: Event) -> str:
    """Return an event's detail in a few words."""
    match event.detail:
        case detail if event.kind in NAMED:
            return f"({detail})"
        case PackageCall(status=status) as call:
            return f"({call.name}: {status_name(status)})"
        case Span(offset=offset, path=path):
            return f"{c_text(path)} at {offset}"
        case Fault(why=why):
            return f"({why})"
        case RpcError(name=name) if event.kind == EventKind.RAISE:
            return f"({name})"
    return c_text(event.path) if event.kind in (EventKind.REUSE, EventKind.STACK) else ""


def _beside(audit: Audit) -> Iterator[tuple[str, str]]:
    """Yield what became of server blocks beside being freed one by one, where there are such."""
    if audit.server_marked:
        yield "server only marked as freed", str(audit.server_marked)
    if audit.server_released:
        yield "server released with the environment", str(audit.server_released)


def audit_table(audit: Audit) -> Shown:
    """Return the verdict on a call as a table."""
    body = [
        ("status", status_text(audit.call)),
        ("client stub allocated / freed", f"{audit.client_allocations} / {audit.client_frees}"),
        ("server allocated / freed", f"{audit.server_allocations} / {audit.server_frees}"),
        *_beside(audit),
        ("orphaned on the client", ", ".join(audit.orphaned_names) or "nothing"),
        ("leaked on the server", ", ".join(f"{block.address:#x}" for block in audit.leaked) or "nothing"),
        (
            "dangling on the client",
            ", ".join(found.path for found in audit.dangling if found.side == "client") or "nothing",
        ),
        *[(f"dangling on the {each.side}", each.path) for each in audit.dangling if each.side == "server"],
        ("memory faults", ", ".join(event.of(Fault).why for event in audit.faults) or "none"),
    ]
    return table(f"Audit of {audit.call.procedure.name}", ("question", "answer"), body)


def call_table(call: Call) -> Shown:
    """Return a call's outcome as a table: its status, and every argument after it."""
    body = [("status", status_text(call)), *((name, repr(value)) for name, value in call.values.items())]
    return table(signature(call), ("argument", "after the call"), body)


def contract_table(source: Contract | Session, procedure: str | None = None) -> Shown:
    """Return who allocates and who frees each pointer of a procedure, on both sides, with the rules behind it.

    ``source`` is a contract, or a session and ``procedure`` one of its interface's.

    Raises:
        UsageError: the interface has no such procedure.
    """
    if isinstance(source, Session):
        source = contract(
            source.interface, procedure or next(iter(source.interface.procedures)), source.environment
        )
    told = sheets(source)
    parts = [table(f"{told.title}: {side.caption}", side.heads, side.rows) for side in told.sides]
    notes = Shown(items_html(told.remarks), "\n".join(told.remarks))
    legend = table("Rules", ("no.", "rule"), told.rules)
    shown = [*parts, notes, legend] if source.promises else [notes]
    return Shown("".join(part.html for part in shown), as_text(source))


def session_table(session: Session) -> Shown:
    """Return the procedures of a session's interface with the directions of their parameters."""
    body = []
    for name, procedure in session.interface.procedures.items():
        ways = [
            f"[{'in' * p.is_in}{', ' * (p.is_in and p.is_out)}{'out' * p.is_out}] {p.name}"
            for p in procedure.parameters
        ]
        body.append((procedure.opnum, name, ", ".join(ways) or "none"))
    return table(f"Interface {session.interface.name}", ("number", "procedure", "parameters"), body)
