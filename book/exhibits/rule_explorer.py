"""The rule explorer: a declaration of one pointer, a situation, and what then happens, by running it.

Every combination of :data:`AXES` becomes an interface text, which is compiled and called. Nothing is known here of the
rules: what is shown comes from the compiler's diagnostics, from the call, its audit and its events, and from the contract.
Sources: summary-of-memory-allocation-rules.md, top-level-and-embedded-pointers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import Any, NamedTuple

from exhibits.parts import Exhibit, chooser, listing, number, page, refused
from rpcmemkit.audit import Audit
from rpcmemkit.call import Call, Session
from rpcmemkit.contract import Act, Promise, contract
from rpcmemkit.draw import Builder
from rpcmemkit.draw.build import status_text
from rpcmemkit.errors import Diagnostic, IdlError, UsageError
from rpcmemkit.kinds import EventKind
from rpcmemkit.notebook import Shown, sketch, table
from rpcmemkit.operations import Operations
from rpcmemkit.paths import resolve
from rpcmemkit.rules import RULES
from rpcmemkit.stubs.server import Routine, ServerCall
from rpcmemkit.walk import Place

PARAMETER, MEMBER, BEHIND, RESULT = (
    "the parameter",
    "a member of a structure",
    "behind another pointer",
    "the result",
)
NULL, STORAGE = "null", "names storage"
NOTHING, WRITE, CLEAR, REPLACE = (
    "leaves it alone",
    "writes into what it names",
    "sets it to null",
    "points it to a new block",
)

AXES: dict[str, tuple[str, ...]] = {
    "Direction": ("[in]", "[in, out]", "[out]"),
    "Attribute": ("none", "[ref]", "[unique]", "[ptr]"),
    "The pointer is": (PARAMETER, MEMBER, BEHIND, RESULT),
    "Before the call": (NULL, STORAGE),
    "The routine": (NOTHING, WRITE, CLEAR, REPLACE),
}
"""What can be chosen, list by list."""

START = ("[in, out]", "[unique]", MEMBER, STORAGE, WRITE)

HEAD = """[ uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e40), pointer_default(unique) ]
interface explored
{
  typedef struct item { long number; } item;
"""
"""How every interface of the explorer begins."""

NO_STORAGE = "A result names nothing before the call: there is no storage to pass"

PATHS = {PARAMETER: "p", MEMBER: "b.p", BEHIND: "*p", RESULT: "return"}
"""Where the explored pointer is in the call."""


class Choice(NamedTuple):
    """One option of each axis."""

    direction: str
    attribute: str
    level: str
    before: str
    routine: str

    @property
    def idl(self) -> str:
        """The lines of the interface that the choice makes. A result has no direction: it comes back."""
        mark = "" if self.attribute == "none" else self.attribute + " "
        way = self.direction
        both = way if not mark else f"{way[:-1]}, {self.attribute[1:]}"
        return {
            PARAMETER: f"  void Call({both} item *p);",
            MEMBER: f"  typedef struct box {{ {mark}item *p; }} box;\n  void Call({way} box *b);",
            BEHIND: f"  typedef {mark}item *ITEM;\n  void Call({way} ITEM *p);",
            RESULT: f"  {mark}item *Call();",
        }[self.level]

    @property
    def arguments(self) -> dict[str, Any]:
        """What the client passes."""
        value: Any = None if self.before == NULL else {"$label": "old", "$value": {"number": 1}}
        known: dict[str, dict[str, Any]] = {
            PARAMETER: {"p": value},
            MEMBER: {"b": {"p": value}},
            BEHIND: {"p": {"$label": "slot", "$value": value}},
            RESULT: {},
        }
        return known[self.level]


def choices() -> list[Choice]:
    """Return every combination, in the order of the axes."""
    return [Choice(*options) for options in product(*AXES.values())]


# --- running a choice ----------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Explored(Exhibit):
    """What comes of a choice: a diagnostic of the compiler, a refusal by the library, or a call."""

    choice: Choice
    diagnostic: Diagnostic | None = None
    refusal: str = ""
    session: Session | None = None
    call: Call | None = None

    @property
    def path(self) -> str:
        return PATHS[self.choice.level]

    @cached_property
    def audit(self) -> Audit:
        assert self.call is not None
        return Audit(self.call)

    @property
    def promise(self) -> Promise:
        """What the declaration promises for the pointer."""
        assert self.session is not None
        return contract(self.session.interface, "Call", self.session.environment)[self.path]

    @property
    def client_after(self) -> str:
        """What the client's pointer names after the call, compared with before."""
        before, after = self._held("client before"), self._held("client after")
        made = {
            event.address
            for event in self.audit.trace.select(EventKind.ALLOCATE, side="client", actor="stub")
        }
        if not after:
            return "null"
        if after in made:
            return "new storage"
        return "the same storage" if after == before else "other storage"

    def _held(self, moment: str) -> int:
        assert self.call is not None
        space = self.call.space(moment)
        place = resolve(space, self.path, self.call.arguments.get)
        return space.pointer_at(place.address)

    @property
    def rules(self) -> list[str]:
        """The ids of the rules at work: those of the events and of the exception, and those behind what was lost."""
        assert self.call is not None
        found = [event.rule for event in self.call.trace]
        found += self.promise.client.lost.rules if self.audit.orphaned else ()
        found += self.promise.server.lost.rules if self.audit.server_leaked else ()
        return [rule for rule in dict.fromkeys(found) if rule in RULES]

    @property
    def shown(self) -> Shown:
        """The declaration, the outcome, a sketch, the contract and the rules."""
        lines = listing(self.choice.idl)
        if self.diagnostic is not None:
            remedy = [("Remedy", [self.diagnostic.remedy])] if self.diagnostic.remedy else []
            return page(lines, refused(self.diagnostic), None, remedy)
        if self.call is None:
            return page(lines, f"{self.refusal}.")
        sections = [("What happened", _outcome(self)), ("The contract", _contract(self.promise))]
        sections.append(("Rules at work", [f"{rule}: {RULES[rule].statement}" for rule in self.rules]))
        return page(lines, Builder(self.call).whole().verdict, sketch(self.call, styled=False), sections)


def explore(*options: str) -> Explored:
    """Compile and run one combination: an option of each axis, in their order.

    Raises:
        UsageError: an axis has no such option.
    """
    for given, (name, known) in zip(options, AXES.items(), strict=False):
        if given not in known:
            raise UsageError(f"{name}: {given!r} is none of {', '.join(known)}")
    if len(options) != len(AXES):
        raise UsageError(f"give one option of each of {', '.join(AXES)}")
    return _explored(Choice(*options))


@cache
def _explored(choice: Choice) -> Explored:
    try:
        session = Session(f"{HEAD}{choice.idl}\n}}", file="explored.idl")
    except IdlError as error:
        return Explored(choice, diagnostic=error.diagnostics[0])
    if choice.level == RESULT and choice.before == STORAGE:
        return Explored(choice, refusal=NO_STORAGE)
    session.set_routine("Call", _routine(choice))
    try:
        call = session.try_call("Call", choice.arguments)
    except UsageError as error:
        return Explored(choice, refusal=f"There is no such call: {error}")
    return Explored(choice, session=session, call=call)


ROUTINES: dict[str, Callable[[Operations, Place], object]] = {
    NOTHING: lambda operations, place: None,
    WRITE: lambda operations, place: operations.set(place, {"number": 2}),
    CLEAR: lambda operations, place: operations.set(place, None),
    REPLACE: lambda operations, place: operations.allocate(place, {"number": 3}),
}
"""What the routine does to the explored pointer."""


def _routine(choice: Choice) -> Routine:
    def run(call: ServerCall) -> None:
        def root(name: str) -> Place | None:
            return call.result if name == "return" else call.place(name)

        place = resolve(call.program.space, PATHS[choice.level], root)
        ROUTINES[choice.routine](Operations(call.program, "routine"), place)

    return run


# --- telling it ----------------------------------------------------------------------------------


def explorer() -> Any:
    """Return the explorer as a widget: five lists, and below them what happens.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    below = "the declaration, what happened, a sketch, the contract, the rules"
    return chooser(AXES, START, below, explore)


def _outcome(explored: Explored) -> list[str]:
    assert explored.call is not None
    audit, call = explored.audit, explored.call
    entry = audit.server_storage.get(explored.path)
    place = {"buffer": "the receive buffer", "allocated": "a block of its own", "stub": "stub memory"}
    told = [f"status: {status_text(call)}"]
    if call.error is not None:
        told.append(str(call.error))
    told.append(f"the client's pointer: {explored.choice.before} before, {explored.client_after} after")
    if "server entry" in call.trace.snapshots and explored.path != "return":
        told.append(f"on the server it named {place.get(entry or '', 'nothing: it was null')}")
    told += [str(counts) for counts in Builder(call).tally]
    return told


def _contract(promise: Promise) -> list[str]:
    way = "" if promise.level == "top-level" and promise.direction == "return" else f", {promise.level}"
    return [
        f"class: {promise.kind}{way}",
        f"client: allocates: {who(promise.client.allocates)}; frees: {who(promise.client.frees)}",
        f"server: allocates: {who(promise.server.allocates)}; frees: {who(promise.server.frees)}",
    ]


def who(acts: Iterable[Act]) -> str:
    """Return who does something, each with the allocators or deallocators that are used."""
    tools: dict[str, dict[str, None]] = {}
    for act in acts:
        tools.setdefault(act.by, {})[act.using] = None
    return " or ".join(f"the {by} ({', '.join(used)})" for by, used in tools.items()) or "nobody"


# --- one table -----------------------------------------------------------------------------------

HEADS = (
    *("direction", "attribute", "the pointer is", "before", "the routine"),
    *("status", "client after", "client stub allocates", "orphaned"),
    *("server allocates", "frees", "leaks"),
)
ANY = "any"
TALL = (
    "<style>.rpcmemkit-tall{{max-height:32em;overflow:auto}}"
    "@media print{{.rpcmemkit-tall{{max-height:none;overflow:visible}}}}</style>"
    '<div class="rpcmemkit-tall" role="region" tabindex="0" aria-label="{caption}">{table}</div>'
)
"""A box for a long table: it scrolls on the screen, and is whole on paper."""


def explorer_rows() -> list[tuple[str, ...]]:
    """Return the rows of :func:`explorer_table`; ``any`` stands for all options of an axis."""
    rows = []
    for level, direction, attribute in product(AXES["The pointer is"], AXES["Direction"], AXES["Attribute"]):
        if level == RESULT and direction != AXES["Direction"][0]:
            continue  # the direction makes no difference
        head = (ANY if level == RESULT else direction, attribute, level)
        situations = [
            (before, routine, cells(explore(direction, attribute, level, before, routine)))
            for before, routine in product(AXES["Before the call"], AXES["The routine"])
        ]
        rows += [(*head, before, routine, *told) for before, routine, told in _merged(situations)]
    return rows


Situation = tuple[str, str, tuple[str, ...]]


def _merged(situations: list[Situation]) -> list[Situation]:
    """Join situations with the same outcome, where they are all options of an axis."""
    if len({told for _, _, told in situations}) == 1:
        return [(ANY, ANY, situations[0][2])]
    found: list[Situation] = []
    for before in AXES["Before the call"]:
        own = [each for each in situations if each[0] == before]
        same = len({told for _, _, told in own}) == 1
        found += [(before, ANY, own[0][2])] if same else own
    return found


def cells(explored: Explored) -> tuple[str, ...]:
    """Return what the table says of the outcome of a choice."""
    if explored.call is None:
        found = explored.diagnostic
        return (f"{number(found)}: {found.message}" if found else explored.refusal, *[""] * 6)
    audit = explored.audit
    counts = (audit.server_allocations, audit.server_frees, audit.server_leaked)
    return (
        status_text(explored.call),
        explored.client_after,
        str(audit.client_allocations),
        ", ".join(audit.orphaned_names) or "nothing",
        *map(str, counts),
    )


def explorer_table() -> Shown:
    """Return every combination of the explorer and its outcome as one table to read, in a box that scrolls."""
    caption = "Every pointer, every situation, and what happened"
    whole = table(caption, HEADS, explorer_rows())
    return Shown(TALL.format(caption=caption, table=whole.html), whole.text)
