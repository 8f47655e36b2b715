"""The comparer: one list under every memory model, measured.

The same list of nodes is received or sent by one call; only the attributes differ. Counts and bytes come from the call's
events and snapshots, what the contract says from the contract, and what can go wrong from a run in which it goes wrong.
Sources: memory-management-models.md and the page of each model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import Any, NamedTuple

from exhibits.parts import Exhibit, chooser, listing, number, one_line_acf, page, refused
from exhibits.rule_explorer import who
from rpcmemkit.audit import Audit
from rpcmemkit.call import Call, Session
from rpcmemkit.contract import Contract, contract
from rpcmemkit.draw import Builder
from rpcmemkit.draw.build import status_text
from rpcmemkit.environment import Environment
from rpcmemkit.errors import Diagnostic, IdlError, MemoryFault, counted
from rpcmemkit.idl import compile_idl
from rpcmemkit.kinds import EventKind
from rpcmemkit.ledger import Block
from rpcmemkit.notebook import Shown, sketch, table
from rpcmemkit.operations import Operations
from rpcmemkit.paths import resolve
from rpcmemkit.plan import PointerPlan, StructPlan
from rpcmemkit.stubs.server import Routine, ServerCall
from rpcmemkit.trace import Fault
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


def chain(count: int, first: int = 1) -> Any:
    """Return a list of that many nodes as Python values, numbered from ``first``."""
    found: Any = None
    for value in range(first + count - 1, first - 1, -1):
        found = {"value": value, "next": found}
    return found


# --- the models -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Model:
    """A memory model: the attribute file of each side, what is called, and what somebody often does wrong under it.

    ``{procedure}`` in an attribute file stands for the name of the procedure. ``outcome`` makes the mistake and says what
    came of it. A model with procedures of its own also knows what their client passes and what their routine does.
    """

    client: str
    server: str
    page: str
    mistake: str
    outcome: Callable[[Setting], str]

    @property
    def idl(self) -> Mapping[str, str]:
        """The procedure that the client calls to receive a list, and to send one."""
        return PLAIN

    def arguments(self, setting: Setting, session: Session) -> dict[str, Any]:
        """Return what the client passes."""
        return {"list": chain(setting.nodes)} if setting.way == SEND else {}

    def serve(self, setting: Setting, call: ServerCall) -> None:
        """Do what the routine does: make the list that the client receives."""
        if setting.way == RECEIVE:
            _make(call, "*list", chain(setting.nodes))


class ByteCountModel(Model):
    """The client passes a buffer, and its size in bytes."""

    @property
    def idl(self) -> Mapping[str, str]:
        return {
            RECEIVE: "  void Fetch([in] long size, [out] node *list);",
            SEND: "  void Store([in] long size, [in] node *list);",
        }

    def arguments(self, setting: Setting, session: Session) -> dict[str, Any]:
        return {"size": _room(setting, session)}

    def serve(self, setting: Setting, call: ServerCall) -> None:
        Operations(call.program, "routine").set(_at(call, "list"), {"value": 1})
        if setting.nodes > 1:
            _make(call, "list.next", chain(setting.nodes - 1, first=2))


class ContextModel(Model):
    """The list stays on the server, and the client has a handle of it."""

    @property
    def idl(self) -> Mapping[str, str]:
        kept = "  typedef [context_handle] node *KEPT_LIST;\n"
        return {
            RECEIVE: f"{kept}  void Fetch([out] KEPT_LIST *list);",
            SEND: f"{kept}  void Store([in] LIST list, [out] KEPT_LIST *kept);",
        }

    def arguments(self, setting: Setting, session: Session) -> dict[str, Any]:
        return super().arguments(setting, session) or {"list": {"$context": "kept"}}

    def serve(self, setting: Setting, call: ServerCall) -> None:
        _make(call, "*list" if setting.way == RECEIVE else "*kept", chain(setting.nodes))


def _at(call: ServerCall, path: str) -> Place:
    return resolve(call.program.space, path, call.place)


def _make(call: ServerCall, path: str, value: Any) -> None:
    Operations(call.program, "routine").allocate(_at(call, path), value)


def _room(setting: Setting, session: Session) -> int:
    """Return how many bytes a [byte_count] buffer for the list needs on the client: every node at a multiple of 8."""
    plan = session.procedures[setting.procedure].plan.by_name["list"].plan
    assert isinstance(plan, PointerPlan)
    return setting.nodes * -(-plan.target.size // 8) * 8


# --- what can go wrong ----------------------------------------------------------------------------


def _free_head_only(setting: Setting) -> str:
    measured = run(setting)
    _free_on_client(measured, "*list")
    assert measured.session is not None
    blocks = [measured.session.client.space.block(block.address) for block in measured.list_blocks]
    live = sum(bool(block and block.live) for block in blocks)
    return f"{live} of {setting.nodes} nodes stay allocated on the client"


def _free_each(setting: Setting) -> str:
    paths = ["*list" + ".next" * depth for depth in reversed(range(setting.nodes))]
    return _faults(lambda: _free_on_client(run(setting), *paths))


def _free_inner_node(setting: Setting) -> str:
    return _free_in_routine(setting, "list" + ".next" * (setting.nodes - 1))


def _free_without_clearing(setting: Setting) -> str:
    return _free_in_routine(setting, "list")


def _buffer_too_small(setting: Setting) -> str:
    session = setting.session()
    call = session.try_call(setting.procedure, {"size": _room(setting, session) - 8})
    return f"status {status_text(call)}"


def _never_freed(setting: Setting) -> str:
    session, _ = _sent(setting, times=10)
    return f"{_blocks(session)} allocated on the server"


def _keep_pointer(setting: Setting) -> str:
    kept: list[int] = []

    def routine(call: ServerCall) -> None:
        kept.append(call.program.space.pointer_at(_at(call, "list").address))

    session, _ = _sent(setting, routine)
    return _faults(lambda: session.server.space.check(kept[0], 4, "read of the kept list"))


def _never_closed(setting: Setting) -> str:
    session = run(setting).session
    assert session is not None
    told = ", ".join(session.disconnect().rundowns) or "nothing"
    return f"run down: {told}; {_blocks(session)} still allocated on the server"


def _sent(setting: Setting, routine: Routine | None = None, times: int = 1) -> tuple[Session, Call]:
    """Send the list, to a routine of one's own and several times, and return the last call."""
    setting = setting._replace(way=SEND)
    session = setting.session()
    if routine:
        session.set_routine(setting.procedure, routine)
    calls = [session.try_call(setting.procedure, {"list": chain(setting.nodes)}) for _ in range(times)]
    return session, calls[-1]


def _free_in_routine(setting: Setting, path: str) -> str:
    def routine(call: ServerCall) -> None:
        Operations(call.program, "routine").free(_at(call, path))

    _, call = _sent(setting, routine)
    faults = [f"; {event.side}: {event.of(Fault).kind}" for event in Audit(call).faults]
    return f"status {status_text(call)}" + "".join(faults[:1])


def _free_on_client(measured: Measured, *paths: str) -> None:
    assert measured.session is not None
    assert measured.call is not None
    client = measured.session.client
    for path in paths:
        place = resolve(client.space, path, measured.call.arguments.get)
        Operations(client, "application").free(place, "midl_user_free")


def _blocks(session: Session) -> str:
    """Say how many heap blocks the server has now."""
    ledger = session.server.space.ledger
    blocks = (ledger[index] for index in range(len(ledger)))
    return counted(sum(block.live and block.kind.heap for block in blocks), "block")


def _faults(act: Callable[[], object]) -> str:
    try:
        act()
    except MemoryFault as fault:
        return f"{fault.side}: {fault.kind}"
    return "no fault"


ALL_NODES = "typedef [allocate(all_nodes)] LIST;"
COUNTED = "{procedure}([byte_count(size)] list);"
FORCE = "typedef [force_allocate] LIST;"
DONT_FREE = "typedef [allocate(dont_free)] LIST;"
ENABLE = "[enable_allocate]"
BUFFERS = "stub-allocated-buffers.md"

NODES, BYTE_COUNT, FORCED, KEPT, RPCSS, CONTEXT = (
    "node by node",
    "byte_count",
    "force_allocate",
    "allocate(dont_free)",
    "enable_allocate",
    "context handle",
)
ALL, ALL_CLIENT, ALL_SERVER = ("allocate(all_nodes)", "all_nodes, client only", "all_nodes, server only")

MODELS: dict[str, Model] = {
    NODES: Model(
        "", "", "node-by-node-allocation-and-deallocation.md",
        "the client frees the first node only", _free_head_only,
    ),
    ALL: Model(ALL_NODES, ALL_NODES, BUFFERS, "the client frees each node", _free_each),
    ALL_CLIENT: Model(ALL_NODES, "", BUFFERS, "the client frees each node", _free_each),
    ALL_SERVER: Model(
        "", ALL_NODES, BUFFERS,
        "the routine frees the last node of a list sent", _free_inner_node,
    ),
    BYTE_COUNT: ByteCountModel(
        COUNTED, COUNTED, "application-allocated-buffer.md",
        "the buffer is 8 bytes too small", _buffer_too_small,
    ),
    FORCED: Model(
        FORCE, FORCE, "server-stub-memory-management.md",
        "the routine frees the list sent and leaves its pointer set", _free_without_clearing,
    ),
    KEPT: Model(
        DONT_FREE, DONT_FREE, "persistent-storage-on-the-server.md",
        "nobody frees what ten calls sent", _never_freed,
    ),
    RPCSS: Model(
        ENABLE, ENABLE, "rpcss-memory-management-package.md",
        "the server keeps a pointer to the list sent and reads it after the call", _keep_pointer,
    ),
    CONTEXT: ContextModel(
        "", "", "server-development-using-context-handles.md",
        "the client goes away, and there is no run-down routine", _never_closed,
    ),
}  # fmt: skip
"""The memory models by name."""

AXES: dict[str, tuple[str, ...]] = {
    "Memory model": tuple(MODELS),
    "The client": (RECEIVE, SEND),
    "Nodes": ("1", "3", "8"),
    "Server": tuple(SERVERS),
}
START = (NODES, RECEIVE, "3", "64 bits")


# --- running a model ------------------------------------------------------------------------------


class Setting(NamedTuple):
    """One combination: the model, the way of the list, the number of nodes, the pointer size of the server."""

    model: Model
    way: str
    nodes: int
    server: int

    @property
    def procedure(self) -> str:
        return PROCEDURES[self.way]

    @property
    def idl(self) -> str:
        return f"{HEAD}{self.model.idl[self.way]}\n}}"

    @property
    def lines(self) -> tuple[str, str]:
        """The line of the client's attribute file, and of the server's."""
        client, server = (
            line.format(procedure=self.procedure) for line in (self.model.client, self.model.server)
        )
        return client, server

    def session(self) -> Session:
        """Return a session whose two stubs go by the attribute files of their sides.

        Raises:
            IdlError: the model does not allow it.
        """
        client, server = (one_line_acf("models", line) for line in self.lines)
        session = Session(self.idl, client, Environment(server_pointer_size=self.server))
        if client != server:  # the server was built with an attribute file of its own
            session.server_stub = session.also(self.idl, server).server_stub
        session.set_routine(self.procedure, lambda call: self.model.serve(self, call))
        return session


@dataclass(frozen=True, repr=False)
class Measured(Exhibit):
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
        sides = [self._contract(line) for line in self.setting.lines]
        return [
            f"{client.name}: client frees: {who(client.client.frees)}; server frees: {who(server.server.frees)}"
            for client, server in zip(*(one.promises for one in sides), strict=True)
            if client.path in ("list", "*list", "kept")
        ]

    def _contract(self, line: str) -> Contract:
        assert self.session is not None
        compiled = compile_idl(self.setting.idl, one_line_acf("models", line))
        return contract(compiled.interface, self.setting.procedure, self.session.environment)

    # --- the client ---

    @property
    def stub_calls(self) -> int:
        """How often the client stub called the allocator."""
        return self.audit.client_allocations

    @property
    def stub_bytes(self) -> int:
        """How many bytes the client stub allocated."""
        return _bytes(self.audit.trace.select(EventKind.ALLOCATE, side="client", actor="stub"))

    @property
    def list_blocks(self) -> list[Block]:
        """The client's blocks that hold the list after the call: as many frees are the application's."""
        assert self.call is not None
        space = self.call.space("client after")
        roots = self.call.roots.values()
        held = [place for place in reach(space, roots).values() if isinstance(place.plan, StructPlan)]
        blocks = {block.address: block for place in held if (block := space.block(place.address))}
        return [block for block in blocks.values() if block.live and block.kind.heap]

    # --- the server ---

    @property
    def server_stub_calls(self) -> int:
        """How often the server stub called the allocator."""
        return sum(1 for _ in self.audit.trace.select(EventKind.ALLOCATE, side="server", actor="stub"))

    @property
    def routine_calls(self) -> int:
        """How often the routine called it."""
        return self.audit.server_allocations - self.server_stub_calls

    @property
    def server_bytes(self) -> int:
        """How many bytes stub and routine allocated."""
        return _bytes(self.audit.trace.select(EventKind.ALLOCATE, side="server"))

    @property
    def server_frees(self) -> int:
        return self.audit.server_frees

    @property
    def left(self) -> int:
        """How many blocks of this call are still allocated on the server."""
        assert self.call is not None
        space = self.call.space("server after")
        made = (event.address for event in self.audit.trace.select(EventKind.ALLOCATE, side="server"))
        return sum(bool((block := space.block(address)) and block.live) for address in made)

    # --- between them ---

    @property
    def wire(self) -> int:
        """How many bytes of NDR data request and response have."""
        assert self.call is not None
        return len(self.call.request) + len(self.call.response)

    # --- together ---

    @property
    def costs(self) -> tuple[object, ...]:
        """The figures below :data:`COSTS`; where it does not compile, MIDL's number alone."""
        if self.diagnostic is not None:
            return (number(self.diagnostic), *[""] * (len(COSTS) - 1))
        client = (self.stub_calls, self.stub_bytes, len(self.list_blocks))
        server = (
            self.server_stub_calls,
            self.routine_calls,
            self.server_bytes,
            self.server_frees,
            self.left,
        )
        return (*client, self.wire, *server)

    @property
    def shown(self) -> Shown:
        """The declaration, the costs, a sketch, who frees, and what can go wrong."""
        files = zip(("client's attribute file", "server's"), self.setting.lines, strict=True)
        acf = [f"/* {file} */ {line}" for file, line in files if line]
        idl = "\n".join([listing(self.setting.model.idl[self.setting.way]), *acf])
        if self.diagnostic is not None:
            return page(idl, refused(self.diagnostic))
        assert self.call is not None
        items = [f"{name}: {value}" for name, value in zip(COSTS, self.costs, strict=True)] + self.frees
        wrong = self.setting._replace(way=RECEIVE)
        items.append(f"what can go wrong: {wrong.model.mistake}: {wrong.model.outcome(wrong)}")
        picture = sketch(self.call, brief=True, styled=False)
        return page(idl, Builder(self.call).whole().verdict, picture, [("", items)])


def _bytes(events: Iterable[Any]) -> int:
    return sum(event.size for event in events if event.address)


def run(setting: Setting) -> Measured:
    """Make the call of a setting anew: its memory may be spoiled."""
    try:
        session = setting.session()
    except IdlError as error:
        return Measured(setting, error.diagnostics[0])
    call = session.try_call(setting.procedure, setting.model.arguments(setting, session))
    return Measured(setting, None, session, call)


_once = cache(run)


def measure(model: str, way: str = RECEIVE, nodes: int = 3, server: int = 8) -> Measured:
    """Run a list through one memory model and return what it cost.

    ``model`` is one of ``MODELS``, ``way`` is ``receives it`` or ``sends it``, ``server`` the server's pointer size.
    """
    return _once(Setting(MODELS[model], way, nodes, server))


def mistake(model: str, nodes: int = 3, server: int = 8) -> tuple[str, str]:
    """Return the usual mistake under a model, and what came of it when it was made with a list of that many nodes."""
    setting = Setting(MODELS[model], RECEIVE, nodes, server)
    return setting.model.mistake, setting.model.outcome(setting)


# --- telling it ----------------------------------------------------------------------------------

HEADS = ("model", "the client", "nodes", "server")
COSTS = (
    "client stub allocates",
    "bytes it allocates",
    "blocks the client frees",
    "bytes on the wire",
    "server stub allocates",
    "routine allocates",
    "bytes on the server",
    "server frees",
    "left on the server",
)


def _measure(model: str, way: str, nodes: str, server: str) -> Measured:
    """Measure one option of each axis."""
    return measure(model, way, int(nodes), SERVERS[server])


def comparer() -> Any:
    """Return the comparer as a widget: a memory model, the way of the list, its length, the server; below, what it costs.

    Raises:
        UsageError: the extra ``book`` is not installed.
    """
    return chooser(AXES, START, "the declaration, the costs, a sketch, who frees", _measure)


def comparison_table(*, way: str | None = None, nodes: int | None = None, server: int | None = None) -> Shown:
    """Return what every setting costs as one table to read; what is given leaves the other rows and its column out."""
    bits = next((name for name, size in SERVERS.items() if size == server), None)
    given = (None, way, nodes and str(nodes), bits)
    axes = [(pick,) if pick else options for pick, options in zip(given, AXES.values(), strict=True)]

    def free(cells: Iterable[str]) -> list[str]:
        return [cell for cell, pick in zip(cells, given, strict=True) if not pick]

    body = [[*free(options), *_measure(*options).costs] for options in product(*axes)]
    told = ", ".join(f"{name}: {pick}" for name, pick in zip(HEADS, given, strict=True) if pick)
    return table(
        f"A list under each memory model{f' ({told})' if told else ''}", [*free(HEADS), *COSTS], body
    )


def models_table() -> Shown:
    """Return the models with the line that each side's attribute file has for the receiving procedure."""
    body = [
        (name, *(line or "-" for line in Setting(model, RECEIVE, 1, 8).lines), model.page)
        for name, model in MODELS.items()
    ]
    heads = ("model", "the client's attribute file", "the server's", "page of the documentation")
    return table("The memory models", heads, body)


def mistakes_table(nodes: int = 3) -> Shown:
    """Return for every model the usual mistake, and what came of it when it was made."""
    body = [(name, *mistake(name, nodes)) for name in MODELS]
    return table(f"What goes wrong: a list of {nodes}", ("model", "somebody does this", "and"), body)
