"""The comparer: one list under every memory model, measured.

The same list of nodes is received or sent by one call; only the attributes differ. Counts and octets come from the call's
events and snapshots, what the contract says from the contract, and what can go wrong from a run in which it goes wrong.
Sources: memory-management-models.md and the page of each model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from html import escape
from itertools import product
from typing import Any, NamedTuple

from rpcmemkit.audit import Audit
from rpcmemkit.call import Call, Session
from rpcmemkit.contract import Contract, contract
from rpcmemkit.draw import Builder
from rpcmemkit.draw.build import status_text
from rpcmemkit.draw.svg import STYLE
from rpcmemkit.environment import Environment
from rpcmemkit.errors import Diagnostic, IdlError, MemoryFault, counted
from rpcmemkit.idl import compile_idl
from rpcmemkit.memory import HEAPS, Block
from rpcmemkit.notebook.bench import one_line_acf
from rpcmemkit.notebook.rule_explorer import who
from rpcmemkit.notebook.tables import Shown, items_html, sketch, table
from rpcmemkit.notebook.widgets import choose
from rpcmemkit.operations import Operations
from rpcmemkit.paths import resolve
from rpcmemkit.plan import PointerPlan, StructPlan
from rpcmemkit.stubs.serving import Routine, ServerCall
from rpcmemkit.walk import Place, reach

RECEIVE, SEND = "receives it", "sends it"
SERVERS = {"64 bits": 8, "32 bits": 4}
HEAD = """[ uuid(6f2a3c10-11d4-4a57-9d3e-0a5b6c7d8e41), pointer_default(unique) ]
interface models
{
  typedef struct node node;
  typedef node *LIST;
  struct node { long value; LIST next; };
"""
PLAIN = {RECEIVE: "  void Fetch([out] LIST *list);", SEND: "  void Store([in] LIST list);"}
PROCEDURES = {RECEIVE: "Fetch", SEND: "Store"}
COUNTED = {
    RECEIVE: "  void Fetch([in] long size, [out] node *list);",
    SEND: "  void Store([in] long size, [in] node *list);",
}
KEPT_LIST = "  typedef [context_handle] node *KEPT_LIST;\n"
STATEFUL = {
    RECEIVE: f"{KEPT_LIST}  void Fetch([out] KEPT_LIST *list);",
    SEND: f"{KEPT_LIST}  void Store([in] LIST list, [out] KEPT_LIST *kept);",
}


class Model(NamedTuple):
    """A memory model: the attribute file of each side, and the procedures, where they differ from the plain ones.

    ``{procedure}`` in an attribute file stands for the name of the procedure.
    """

    client: str = ""
    server: str = ""
    idl: Mapping[str, str] = PLAIN
    page: str = "node-by-node-allocation-and-deallocation.md"


def _both(line: str, page: str, idl: Mapping[str, str] = PLAIN) -> Model:
    return Model(line, line, idl, page)


ALL_NODES = "typedef [allocate(all_nodes)] LIST;"
BUFFERS = "stub-allocated-buffers.md"
NODES, BYTE_COUNT, FORCED, KEPT, RPCSS, CONTEXT = (
    "node by node",
    "byte_count",
    "force_allocate",
    "allocate(dont_free)",
    "enable_allocate",
    "context handle",
)
ALL, ALL_CLIENT, ALL_SERVER = "allocate(all_nodes)", "all_nodes, client only", "all_nodes, server only"

MODELS: dict[str, Model] = {
    NODES: Model(),
    ALL: _both(ALL_NODES, BUFFERS),
    ALL_CLIENT: Model(client=ALL_NODES, page=BUFFERS),
    ALL_SERVER: Model(server=ALL_NODES, page=BUFFERS),
    BYTE_COUNT: _both("{procedure}([byte_count(size)] list);", "application-allocated-buffer.md", COUNTED),
    FORCED: _both("typedef [force_allocate] LIST;", "server-stub-memory-management.md"),
    KEPT: _both("typedef [allocate(dont_free)] LIST;", "persistent-storage-on-the-server.md"),
    RPCSS: _both("[enable_allocate]", "rpcss-memory-management-package.md"),
    CONTEXT: _both("", "server-development-using-context-handles.md", STATEFUL),
}
"""The memory models by name."""

AXES: dict[str, tuple[str, ...]] = {
    "Memory model": tuple(MODELS),
    "The client": (RECEIVE, SEND),
    "Nodes": ("1", "3", "8"),
    "Server": tuple(SERVERS),
}
START = (NODES, RECEIVE, "3", "64 bits")


def acf_text(line: str, procedure: str) -> str | None:
    """Return an attribute file of one line, or none at all."""
    return one_line_acf("models", line.format(procedure=procedure)) if line else None


def chain(count: int) -> Any:
    """Return a list of nodes with the values 1 to ``count``, as Python values."""
    found: Any = None
    for value in range(count, 0, -1):
        found = {"value": value, "next": found}
    return found


# --- running a model ------------------------------------------------------------------------------


class Setting(NamedTuple):
    """One combination: the model, the way of the list, the number of nodes, the pointer size of the server."""

    model: str
    way: str
    nodes: int
    server: int

    @property
    def procedure(self) -> str:
        return PROCEDURES[self.way]

    @property
    def idl(self) -> str:
        return MODELS[self.model].idl[self.way]

    def session(self) -> Session:
        """Return a session whose two stubs go by the attribute files of their sides.

        Raises:
            IdlError: the model does not allow it.
        """
        model = MODELS[self.model]
        acfs = [acf_text(line, self.procedure) for line in (model.client, model.server)]
        env = Environment(server_pointer_size=self.server)
        session = Session(f"{HEAD}{self.idl}\n}}", acfs[0], env)
        if acfs[0] != acfs[1]:  # the server was built with an attribute file of its own
            session.server_stub = session.also(f"{HEAD}{self.idl}\n}}", acfs[1]).server_stub
        session.set_routine(self.procedure, self.routine())
        return session

    def routine(self) -> Routine:
        """Return what the server does: it makes the list that the client receives, or keeps state."""
        value = chain(self.nodes)

        def run(call: ServerCall) -> None:
            operations = Operations(call.program, "routine")
            at = {
                (CONTEXT, RECEIVE): "*list",
                (CONTEXT, SEND): "*kept",
                (BYTE_COUNT, RECEIVE): "list",
            }.get((self.model, self.way), "*list" if self.way == RECEIVE else "")
            if self.model == BYTE_COUNT:
                operations.set(_at(call, at), {"value": 1})
                if self.nodes > 1:
                    operations.allocate(_at(call, "list.next"), value["next"] | {"value": 2})
            elif at:
                operations.allocate(_at(call, at), value)

        return run

    def room(self, session: Session) -> int:
        """Return how many octets a [byte_count] buffer for the list needs on the client: every node at a multiple of 8."""
        plan = session.procedures[self.procedure].plan.by_name["list"].plan
        assert isinstance(plan, PointerPlan)
        return self.nodes * -(-plan.target.size // 8) * 8

    def arguments(self, session: Session) -> dict[str, Any]:
        """Return what the client passes."""
        if self.way == SEND:
            return {"list": chain(self.nodes)}
        if self.model == BYTE_COUNT:
            return {"size": self.room(session)}
        return {"list": {"$context": "kept"}} if self.model == CONTEXT else {}


def _at(call: ServerCall, path: str) -> Place:
    return resolve(call.program.space, path, call.place)


@dataclass(frozen=True, repr=False)
class Measured:
    """What a call of one setting cost; or the diagnostic, where it does not compile."""

    setting: Setting
    diagnostic: Diagnostic | None = None
    session: Session | None = None
    call: Call | None = None

    @cached_property
    def audit(self) -> Audit:
        assert self.call is not None
        return Audit(self.call)

    @property
    def frees(self) -> list[str]:
        """Who frees what the list's pointers name, by the contract that each side's stubs were built to."""
        sides = [self._contract(line) for line in MODELS[self.setting.model][:2]]
        return [
            f"{client.name}: client frees: {who(client.client.frees)}; server frees: {who(server.server.frees)}"
            for client, server in zip(*(one.promises for one in sides), strict=True)
            if client.path in ("list", "*list", "kept")
        ]

    def _contract(self, line: str) -> Contract:
        assert self.session is not None
        acf = acf_text(line, self.setting.procedure)
        return contract(
            compile_idl(self.session.idl, acf).interface, self.setting.procedure, self.session.environment
        )

    # --- the client ---

    @property
    def stub_calls(self) -> int:
        """How often the client stub called the allocator."""
        return self.audit.client_allocations

    @property
    def stub_octets(self) -> int:
        """How many octets the client stub allocated."""
        return _octets(self.audit.trace.select("allocate", side="client", actor="stub"))

    @property
    def list_blocks(self) -> list[Block]:
        """The client's blocks that hold the list after the call: as many frees are the application's."""
        assert self.call is not None
        space = self.call.space("client after")
        roots = self.call.roots.values()
        held = [place for place in reach(space, roots).values() if isinstance(place.plan, StructPlan)]
        blocks = {block.address: block for place in held if (block := space.block(place.address))}
        return [block for block in blocks.values() if block.live and block.kind in HEAPS]

    # --- the server ---

    @property
    def server_stub_calls(self) -> int:
        """How often the server stub called the allocator."""
        return sum(1 for _ in self.audit.trace.select("allocate", side="server", actor="stub"))

    @property
    def routine_calls(self) -> int:
        """How often the routine called it."""
        return self.audit.server_allocations - self.server_stub_calls

    @property
    def server_octets(self) -> int:
        """How many octets stub and routine allocated."""
        return _octets(self.audit.trace.select("allocate", side="server"))

    @property
    def server_frees(self) -> int:
        return self.audit.server_frees

    @property
    def left(self) -> int:
        """How many blocks of this call are still allocated on the server."""
        assert self.call is not None
        space = self.call.space("server after")
        made = (event.address for event in self.audit.trace.select("allocate", side="server"))
        return sum(bool((block := space.block(address)) and block.live) for address in made)

    # --- between them ---

    @property
    def wire(self) -> int:
        """How many octets of NDR data request and response have."""
        assert self.call is not None
        return len(self.call.request) + len(self.call.response)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        one = shown(self)
        return {"text/html": STYLE + one.html, "text/plain": one.text}

    def __repr__(self) -> str:
        return shown(self).text


def _octets(events: Iterable[Any]) -> int:
    return sum(event.size for event in events if event.address)


def measure(model: str, way: str = RECEIVE, nodes: int = 3, server: int = 8) -> Measured:
    """Run a list through one memory model and return what it cost.

    ``model`` is one of ``MODELS``, ``way`` is ``receives it`` or ``sends it``, ``server`` the server's pointer size.
    """
    return _measured(Setting(model, way, nodes, server))


@cache
def _measured(setting: Setting) -> Measured:
    try:
        session = setting.session()
    except IdlError as error:
        return Measured(setting, error.diagnostics[0])
    call = session.try_call(setting.procedure, setting.arguments(session))
    return Measured(setting, None, session, call)


# --- what can go wrong ----------------------------------------------------------------------------


class Mistake(NamedTuple):
    """What somebody does wrong under a model, and what comes of it when it is run."""

    done: str
    run: Callable[[Setting], str]


def mistake(model: str, nodes: int = 3, server: int = 8) -> tuple[str, str]:
    """Return the usual mistake under a model, and what came of it when it was made with a list of that many nodes."""
    done, run = MISTAKES[model]
    return done, run(Setting(model, RECEIVE, nodes, server))


def _free_head_only(setting: Setting) -> str:
    measured = _fresh(setting)
    _free_on_client(measured, ["*list"])
    return f"{_live(measured)} of {setting.nodes} nodes stay allocated on the client"


def _free_each(setting: Setting) -> str:
    measured = _fresh(setting)
    paths = ["*list" + ".next" * depth for depth in reversed(range(setting.nodes))]
    return _faults(lambda: _free_on_client(measured, paths))


def _free_inner_node(setting: Setting) -> str:
    def routine(call: ServerCall) -> None:
        Operations(call.program, "routine").free(_at(call, "list" + ".next" * (setting.nodes - 1)))

    return _sent(setting, routine)


def _free_without_clearing(setting: Setting) -> str:
    def routine(call: ServerCall) -> None:
        Operations(call.program, "routine").free(_at(call, "list"))

    return _sent(setting, routine)


def _buffer_too_small(setting: Setting) -> str:
    session = setting.session()
    call = session.try_call(setting.procedure, {"size": setting.room(session) - 8})
    return f"status {status_text(call)}"


def _never_freed(setting: Setting) -> str:
    session = setting._replace(way=SEND).session()
    for _ in range(10):
        session.try_call("Store", {"list": chain(setting.nodes)})
    return f"{_blocks(session)} allocated on the server"


def _keep_pointer(setting: Setting) -> str:
    kept: list[int] = []

    def routine(call: ServerCall) -> None:
        kept.append(call.program.space.pointer_at(_at(call, "list").address))

    session = setting._replace(way=SEND).session()
    session.set_routine("Store", routine)
    session.try_call("Store", {"list": chain(setting.nodes)})
    return _faults(lambda: session.server.space.check(kept[0], 4, "read of the kept list"))


def _never_closed(setting: Setting) -> str:
    measured = _fresh(setting)
    assert measured.session is not None
    gone = measured.session.disconnect()
    told = ", ".join(gone.rundowns) or "nothing"
    return f"run down: {told}; {_blocks(measured.session)} still allocated on the server"


MISTAKES: dict[str, Mistake] = {
    NODES: Mistake("the client frees the first node only", _free_head_only),
    ALL: Mistake("the client frees each node", _free_each),
    ALL_CLIENT: Mistake("the client frees each node", _free_each),
    ALL_SERVER: Mistake("the routine frees the last node of a list sent", _free_inner_node),
    BYTE_COUNT: Mistake("the buffer is 8 octets too small", _buffer_too_small),
    FORCED: Mistake("the routine frees the list sent and leaves its pointer set", _free_without_clearing),
    KEPT: Mistake("nobody frees what ten calls sent", _never_freed),
    RPCSS: Mistake("the server keeps a pointer to the list sent and reads it after the call", _keep_pointer),
    CONTEXT: Mistake("the client goes away, and there is no run-down routine", _never_closed),
}


def _fresh(setting: Setting) -> Measured:
    """Return a call of its own, whose memory may be spoiled."""
    measured: Measured = _measured.__wrapped__(setting)
    return measured


def _sent(setting: Setting, routine: Routine) -> str:
    session = setting._replace(way=SEND).session()
    session.set_routine("Store", routine)
    call = session.try_call("Store", {"list": chain(setting.nodes)})
    faults = [f"{event.side}: {event.detail[0]}" for event in Audit(call).faults]
    return f"status {status_text(call)}" + (f"; {faults[0]}" if faults else "")


def _free_on_client(measured: Measured, paths: Sequence[str]) -> None:
    assert measured.session is not None
    assert measured.call is not None
    operations = Operations(measured.session.client, "application")
    for path in paths:
        operations.free(
            resolve(measured.session.client.space, path, measured.call.arguments.get), "midl_user_free"
        )


def _live(measured: Measured) -> int:
    assert measured.session is not None
    blocks = [measured.session.client.space.block(block.address) for block in measured.list_blocks]
    return sum(bool(block and block.live) for block in blocks)


def _blocks(session: Session) -> str:
    """Say how many heap blocks the server has now."""
    ledger = session.server.space.ledger
    blocks = (ledger[index] for index in range(len(ledger)))
    return counted(sum(block.live and block.kind in HEAPS for block in blocks), "block")


def _faults(run: Callable[[], object]) -> str:
    try:
        run()
    except MemoryFault as fault:
        return f"{fault.side}: {fault.kind}"
    return "no fault"


# --- telling it ----------------------------------------------------------------------------------


def comparer() -> Any:
    """Return the comparer as a widget: a memory model, the way of the list, its length, the server; below, what it costs.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    known: dict[str, Shown] = {}

    def leaf(model: str, way: str, nodes: str, server: str) -> Shown:
        one = shown(measure(model, way, int(nodes), SERVERS[server]))
        return known.setdefault(one.html, one)

    text = f"Lists: {', '.join(AXES)}. Below them: the declaration, the costs, a sketch, who frees. First shown:\n"
    return choose(AXES, leaf, start=START, text=text + leaf(*START).text)


def shown(measured: Measured) -> Shown:
    """Return all that is to say of a setting."""
    setting = measured.setting
    model = MODELS[setting.model]
    acf = [
        f"/* {side} */ {line.format(procedure=setting.procedure)}"
        for side, line in (("client's attribute file", model.client), ("server's", model.server))
        if line
    ]
    idl = "\n".join([setting.idl.replace("  ", "", 1).replace("\n  ", "\n"), *acf])
    found = measured.diagnostic
    if found is not None:
        number = f", MIDL{found.midl}" if found.midl else ""
        heading = f"It does not compile ({found.code}{number}): {found.message}."
        return Shown(_page(idl, heading, "", []), f"{idl}\n{heading}")
    assert measured.call is not None
    heading = Builder(measured.call).whole().verdict
    picture = sketch(measured.call, brief=True, styled=False)
    items = [f"{name}: {value}" for name, value in zip(HEADS[4:], _costs(measured), strict=True)]
    items += measured.frees
    wrong = "{}: {}".format(*mistake(setting.model, setting.nodes, setting.server))
    items.append(f"what can go wrong: {wrong}")
    return Shown(_page(idl, heading, picture.html, items), "\n".join([idl, heading, picture.text, *items]))


def _page(idl: str, heading: str, picture: str, items: Sequence[str]) -> str:
    return f'<div class="rpcmemkit-step"><pre style="overflow-x:auto">{escape(idl)}</pre><p><b>{escape(heading)}</b></p>{picture}{items_html(items)}</div>'


HEADS = (
    *(
        "model",
        "the client",
        "nodes",
        "server",
        "client stub allocates",
        "octets it allocates",
        "blocks the client frees",
    ),
    *("octets on the wire", "server stub allocates", "routine allocates", "octets on the server"),
    *("server frees", "left on the server"),
)


def _costs(measured: Measured) -> tuple[object, ...]:
    return (
        measured.stub_calls,
        measured.stub_octets,
        len(measured.list_blocks),
        measured.wire,
        measured.server_stub_calls,
        measured.routine_calls,
        measured.server_octets,
        measured.server_frees,
        measured.left,
    )


def comparison_table(*, way: str | None = None, nodes: int | None = None, server: int | None = None) -> Shown:
    """Return what every setting costs as one table to read; what is given leaves the other rows and its column out."""
    body = []
    chosen = {"The client": way, "Nodes": nodes and str(nodes), "Server": _name(server)}
    axes = {name: (pick,) if (pick := chosen.get(name)) else options for name, options in AXES.items()}
    kept = [column for column, name in enumerate(axes) if not chosen.get(name)]
    columns = [*kept, *range(len(axes), len(HEADS))]
    for model, sent, count, bits in product(*axes.values()):
        measured = measure(model, sent, int(count), SERVERS[bits])
        found = measured.diagnostic
        refused = (f"MIDL{found.midl}" if found.midl else found.code,) if found else ()
        costs = (*refused, *[""] * 8) if refused else _costs(measured)
        row = (model, sent, count, bits, *costs)
        body.append([row[column] for column in columns])
    told = ", ".join(f"{name.lower()}: {pick}" for name, pick in chosen.items() if pick)
    caption = f"A list under each memory model{' (' + told + ')' if told else ''}"
    return table(caption, [HEADS[column] for column in columns], body)


def _name(server: int | None) -> str | None:
    return next((name for name, size in SERVERS.items() if size == server), None)


def models_table() -> Shown:
    """Return the models with the line that each side's attribute file has for the receiving procedure."""
    body = [
        (name, *((line.format(procedure="Fetch") or "-") for line in model[:2]), model.page)
        for name, model in MODELS.items()
    ]
    heads = ("model", "the client's attribute file", "the server's", "page of the documentation")
    return table("The memory models", heads, body)


def mistakes_table(nodes: int = 3) -> Shown:
    """Return for every model the usual mistake, and what came of it when it was made."""
    body = [(name, *mistake(name, nodes)) for name in MODELS]
    return table(f"What goes wrong: a list of {nodes}", ("model", "somebody does this", "and"), body)
