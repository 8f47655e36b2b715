"""Deriving a contract from a declaration, with the same plans and the same decisions that the stubs use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

from rpcmemkit import types
from rpcmemkit.annotate import type_name
from rpcmemkit.contract.promises import (
    CONTEXT_RECORD,
    CONTEXT_TABLE,
    NOTHING,
    OWN,
    STUB_MEMORY,
    Act,
    Cell,
    ClientSide,
    Contract,
    Parts,
    Promise,
    ServerSide,
    require_procedure,
    usual_environment,
)
from rpcmemkit.contract.spots import Spot, how_many, leaves, spots
from rpcmemkit.contract.steps import compiled
from rpcmemkit.environment import Environment
from rpcmemkit.errors import UsageError
from rpcmemkit.plan import (
    ArrayPlan,
    ContextPlan,
    ConvertedPlan,
    PipePlan,
    Plan,
    PointerPlan,
)
from rpcmemkit.program import deallocator_of, default_allocator
from rpcmemkit.stubs.decisions import (
    ALLOCATED,
    EXISTING,
    NEW,
    STUB,
    TOP,
    Above,
    Decision,
    Reading,
    comes_back,
    dce_provides,
    inbound,
    provided,
    replaces,
)
from rpcmemkit.stubs.frame import Frame

RELEASE = Act("stub", "RpcSsDisableAllocate", "environment-released-at-end")
"""What the server stub does to all that came from the RpcSs environment which it has set up."""

CONVERSIONS = {
    "object": (
        ("to-xmit-allocates", "free-xmit-after-marshalling"),
        "from-xmit-fills-root",
        "free-inst-below-root",
    ),
    "bytes": (("user-marshal-writes",), "user-unmarshal-reads", "user-free-on-server"),
}
"""For [transmit_as] and [represent_as], and for the user-marshalled types: the rules of sending, receiving, the end."""

WHOLE_BLOCKS = frozenset({"all-nodes-one-block", "byte-count-sizes-buffer"})
"""The rules by which a stub allocates a whole graph by one call, and frees it by one."""

MOST, DEEPEST = 10_000, 64
"""What a contract tells of a parameter: so many pointers, and so many types below each other."""

MANY = 100
"""From so many pointers of a parameter on, each type is told of once: types that name each other have many paths."""


class _Below(NamedTuple):
    """What the pointers above a pointer decide for it: what the stubs ask of them, and what only a contract tells.

    ``kept``: [allocate(dont_free)] is in force; ``provided``: the server stub provides zeroed storage for its referent;
    ``replaced``: the client stub frees the referent before anything comes back;
    ``cut``: a lowered count or another union arm may leave the pointer behind;
    ``fresh``: the client stub may have allocated that storage; ``lost``: the client may lose it;
    ``aliased``: a full pointer of the result leads here, perhaps into what the client passed;
    ``head``: the pointer with [allocate(all_nodes)] that points to the block.
    """

    above: Above = TOP
    kept: bool = False
    provided: bool = True
    replaced: bool = False
    cut: bool = False
    fresh: bool = False
    lost: bool = False
    aliased: bool = False
    head: Parts | None = None

    @property
    def top(self) -> bool:
        return self.above.top

    @property
    def block(self) -> bool:
        return self.above.block

    def at(self, pointer: PointerPlan, parts: Parts) -> _Below:
        """Return what is in force at a pointer and below it, its own memory attributes included."""
        head = self.head or (parts if pointer.type.all_nodes else None)
        kept = self.kept or pointer.type.dont_free
        replaced = self.replaced or replaces(pointer, self.above)
        return self._replace(above=self.above.at(pointer), kept=kept, replaced=replaced, head=head)


_Chain: TypeAlias = "dict[tuple[int, _Below], Parts]"
"""The referents that are being told of, with what is in force, and the path of the pointer that names each."""


@dataclass(frozen=True, slots=True)
class _Setting:
    """What holds for the whole procedure."""

    reading: Reading
    environment: bool
    is_object: bool
    reflects_deletions: bool
    given: frozenset[str]
    """The parameters that are [in] only: a call does not change their values."""

    @property
    def allocator(self) -> str:
        return default_allocator(self.reading.osf, self.is_object)

    @property
    def deallocator(self) -> str:
        return deallocator_of(self.allocator)

    @property
    def client_allocators(self) -> tuple[str, ...]:
        """What the client stub may use; RpcSs if it is sensitive to an environment that the application has enabled."""
        return (self.allocator, *(("RpcSsAllocate",) if self.environment else ()))

    @property
    def server_allocator(self) -> str:
        return "RpcSsAllocate" if self.environment else self.allocator


class _Parameter:
    """Collects the promises for the pointers of one parameter, or of the result."""

    def __init__(self, setting: _Setting, parameter: types.Parameter | None) -> None:
        self.setting = setting
        self.is_in = parameter is not None and parameter.is_in
        self.is_out = parameter is None or parameter.is_out
        self.is_result = parameter is None
        self.byte_count = parameter is not None and "byte_count" in parameter.attributes
        self.partial = isinstance(parameter, types.Parameter) and _is_partial(parameter.type)
        self.rows: dict[Parts, Promise] = {}
        self.referents: dict[Parts, int] = {}
        self.told: dict[tuple[int, _Below], Parts] = {}
        self.counts: dict[int, int] = {}

    @property
    def direction(self) -> str:
        names = [name for name, given in (("in", self.is_in), ("out", self.is_out)) if given]
        return "return" if self.is_result else ",".join(names)

    @property
    def _cleared(self) -> bool:
        """Whether the client stub zeroes the storage before the call: the proxies of [object] interfaces do."""
        return self.setting.is_object and self.direction == "out"

    @property
    def _zeroed(self) -> bool:
        """Whether the server stub makes room for the parameter instead of unmarshalling it."""
        return self.partial or not (self.is_in or self.is_result)

    def follow(self, client: Plan, server: Plan, parts: Parts, below: _Below, chain: _Chain) -> None:
        """Tell of the pointers inside a value, and of what they name."""
        if len(self.rows) + how_many(client, self.counts) > MOST:
            raise UsageError(f"{parts[0]} leads to more than {MOST:,} pointers: a contract tells of no more")
        if len(chain) > DEEPEST:
            raise UsageError(
                f"{parts[0]} leads through more than {DEEPEST} types, one pointed to by the other: a contract tells of no "
                f"more. Declare a procedure with a pointer to {type_name(client)} to read on from there"
            )
        given = frozenset() if any(part.startswith(".") for part in parts) else self.setting.given
        kept = {spot.parts for spot in spots(client, parts, given) if not spot.loose}
        for spot, (_, twin, _) in zip(spots(client, parts), spots(server, parts), strict=True):
            osf = self.setting.reading.osf
            filled = below.top or (below.provided and osf and dce_provides(server, twin))
            here = below.at(spot.plan, spot.parts)
            cut = spot.parts not in kept and not (below.replaced and self.is_in)
            replaced = here.replaced and self.is_in
            here = here._replace(provided=filled and self._zeroed, replaced=replaced, cut=cut)
            self._tell(spot, twin, here, chain)
        for where, leaf, _ in leaves(client, parts, False):
            match leaf:
                case ContextPlan():
                    kind, sides = "context handle", self._context(leaf)
                case PipePlan():
                    kind, sides = "pipe", self._pipe()
                case ConvertedPlan():
                    kind, sides = leaf.type.how, self._converted(leaf)
                case _:
                    continue
            self.rows[where] = Promise(where, kind, self.direction, type_name(leaf), *sides)

    def _tell(self, spot: Spot, server: PointerPlan, here: _Below, chain: _Chain) -> None:
        own = self._client(spot, here)
        inner = here._replace(
            above=here.above.below(),
            fresh=any(act.by == "stub" for act in own.allocates),
            cut=False,
            lost=bool(own.lost.outcomes),
            aliased=self.is_result and (here.aliased or spot.plan.is_full),
        )
        target = spot.plan.target
        key = id(target), inner
        again = chain.get(key)
        if again is None and len(self.rows) >= MANY:
            again = self.told.setdefault(key, spot.parts)
            again = None if again == spot.parts else again
        self.referents[spot.parts] = id(target)
        self.rows[spot.parts] = Promise(
            spot.parts,
            spot.plan.type.kind.value,
            self.direction,
            type_name(spot.plan),
            own,
            self._server(server, here, spot.parts),
            _note(spot, here, self.byte_count),
            again,
            None if here.head == spot.parts else here.head,
        )
        if again is None:
            deeper = (
                (*spot.parts, "*")
                if isinstance(target, PointerPlan | ContextPlan | ConvertedPlan)
                else spot.parts
            )
            self.follow(target, server.target, deeper, inner, {**chain, key: spot.parts})

    # --- what is no pointer to the stubs ---

    def _context(self, plan: ContextPlan) -> tuple[ClientSide, ServerSide]:
        """A context handle: a record on the client, and state on the server that outlives the call."""
        own, allocator = "context-client-record", self.setting.server_allocator
        drops = Act("application", "RpcSsDestroyClientContext", "context-client-reset")
        discards = Act("routine", deallocator_of(allocator), "routine-frees")
        run_down = "context-run-down" if plan.type.is_type else "context-without-run-down"
        runs_down = (Act("stub", CONTEXT_TABLE, run_down),) * plan.type.is_type
        lost = {"context-state-stays": "kept"}
        record = Cell(("storage",), ("context-in-not-null",))
        made = opens = closes = tuple[Act, ...]()
        if self.is_out:
            record = Cell(("storage", "null"), (own,))
            made = (Act("stub", CONTEXT_RECORD, own),)
            state = Act("routine", allocator, "routine-allocates")
            opens = (state, Act("stub", CONTEXT_TABLE, "context-opened-by-value"))
            released = (RELEASE,) * self.setting.environment
            closes = (*released, Act("stub", CONTEXT_TABLE, "context-closed-by-null"))
        if self.is_in and self.is_out:  # the routine may null or replace the handle, its state not freed
            lost["context-closed-by-null"] = "leaked"
        if not plan.type.is_type:
            lost[run_down] = "leaked"
        before = record if self.is_in or self.is_result else Cell(("null",), (own,))
        entry = ("allocated",) * self.is_in + ("null",) * (self.is_out and not self.is_result)
        return (
            ClientSide(before, record, made, (*made, drops), NOTHING),
            ServerSide(
                Cell(entry, ("context-token-travels",)),
                opens,
                (discards, *closes, *runs_down),
                Cell(tuple(dict.fromkeys(lost.values())), tuple(lost)),
            ),
        )

    def _pipe(self) -> tuple[ClientSide, ServerSide]:
        """A pipe: the application gives the client stub a buffer for each chunk, the server stub has its own."""
        held = Cell(("storage",), ("pipe-alloc-by-application",))
        given = Act("application", "its alloc procedure", "pipe-alloc-by-application")
        buffer = Act("stub", STUB_MEMORY, "pipe-buffer-of-server-stub")
        return (
            ClientSide(held, held, (given,), (Act("application", OWN, "client-owns"),), NOTHING),
            ServerSide(Cell(("stub",), ("pipe-buffer-of-server-stub",)), (buffer,), (), NOTHING),
        )

    def _converted(self, plan: ConvertedPlan) -> tuple[ClientSide, ServerSide]:
        """A converted type: the application's routines allocate and free what the stubs do not know."""
        sends, fills, done = CONVERSIONS["bytes" if plan.by_bytes else "object"]
        makes = Act("conversion", self.setting.allocator, "conversion-allocates")
        frees = Act("conversion", self.setting.deallocator, "conversion-frees")
        there = (*(sends if self.is_in else ()), *((fills,) if self.is_out else ()))
        here = (*((fills,) if self.is_in else ()), *(sends if self.is_out else ()), done)
        own = Act("application", OWN, "client-owns")
        null = isinstance(plan.presented, PointerPlan)  # the routines get its address, and decide
        held = Cell(
            ("storage", "null") if null else ("storage",),
            ("client-owns", *(("may-be-null",) if null else ()), *there),
        )
        lost = Cell(("orphaned",), ("client-never-frees-orphans",)) if self.is_out and self.is_in else NOTHING
        return (
            ClientSide(held, held, (own, makes), (own, frees), lost),
            ServerSide(Cell(("converted",), here), (makes,), (frees,), NOTHING),
        )

    # --- the client ---

    def _client(self, spot: Spot, here: _Below) -> ClientSide:
        decided = self._decided(spot, here)
        made = tuple(
            Act("stub", name, decision.rule)
            for decision in decided
            if decision.where == NEW
            for name in self.setting.client_allocators
        )
        own, freed = self._owned(spot, here)
        return ClientSide(
            before=self._before(spot, here),
            after=self._after(spot, here, decided),
            allocates=(*own, *made),
            frees=(*freed, *self._freed_by_client(spot, here, made)),
            lost=self._orphan(spot, here),
        )

    def _owned(self, spot: Spot, here: _Below) -> tuple[tuple[Act, ...], tuple[Act, ...]]:
        """Who allocates and who frees what is there before the call."""
        if self.is_result:
            return (), ()
        if here.replaced:
            made = Act("application", self.setting.allocator, "object-pointer-replaced")
            return (made,), (Act("stub", self.setting.deallocator, "object-pointer-replaced"),)
        own = Act("application", OWN, "client-owns")
        if self.setting.reflects_deletions and spot.plan.is_full:
            return (own,), (own, Act("stub", self.setting.deallocator, "reflected-deletions-freed"))
        return (own,), (own,)

    def _freed_by_client(self, spot: Spot, here: _Below, made: tuple[Act, ...]) -> tuple[Act, ...]:
        """What the application frees of the client stub's: what lies inside a block goes with the block's head.

        A top-level head was passed by value and is no part of the block, which begins with whatever comes first.
        """
        head = here.head or spot.parts
        if head != spot.parts and (self.is_result or len(head) > 1):
            return ()
        acts = (Act("application", deallocator_of(act.using), "client-owns") for act in made)
        return tuple(dict.fromkeys(acts))

    def _before(self, spot: Spot, here: _Below) -> Cell:
        if self.is_result:
            return NOTHING
        if spot.plan.is_ref and (self.is_in or here.top):
            return Cell(("storage",), ("client-owns", "ref-never-null"))
        sized = here.top and isinstance(spot.plan.target, ArrayPlan) and spot.plan.target.size_of
        rules = ("client-owns", "may-be-null", *(("null-needs-zero-size",) if sized else ()))
        return Cell(("storage", "null"), rules)

    def _after(self, spot: Spot, here: _Below, decided: tuple[Decision, ...]) -> Cell:
        """Where the data is after the call; a full pointer may point to what another one points to."""
        null, rule = ((), "ref-never-null") if spot.plan.is_ref else (("null",), "may-be-null")
        if not self.is_out:
            return Cell((EXISTING, *null), ("client-owns", rule))
        places = dict.fromkeys(decision.where for decision in decided)
        if here.aliased or spot.plan.is_full:
            places[EXISTING] = None
        first = ["proxy-zeroes-out"] * (self._cleared and NEW in places)
        first += ["object-pointer-replaced"] * here.replaced
        rules = dict.fromkeys((*first, *(decision.rule for decision in decided)))
        return Cell((*places, *null), (*rules, rule))

    def _decided(self, spot: Spot, here: _Below) -> tuple[Decision, ...]:
        """Return what the client stub may do with what comes back: write it where it was, put it into a new block."""
        if not self.is_out:
            return ()
        if self.byte_count:
            return (Decision(EXISTING, "client-overwrites-existing"),)
        passed = here.top and not self.is_result
        gone = self.is_result or self._cleared or here.replaced
        given = spot.plan.is_ref and self.is_in and not (here.fresh or here.cut or here.replaced)
        held = passed or not gone or (here.replaced and replaces(spot.plan, here.above))
        cases = [True] * held + [False] * (not passed and not given)
        found = (comes_back(spot.plan, here.above, held=held, result=self.is_result) for held in cases)
        return tuple(dict.fromkeys(found))

    def _orphan(self, spot: Spot, here: _Below) -> Cell:
        left = here.cut or here.lost
        unsettled = left or (here.block and not here.replaced) or self.byte_count
        kept = (spot.plan.is_ref or here.replaced) and not unsettled and not self._cleared
        if not self.is_out or self.is_result or here.top or kept:
            return NOTHING
        if self._cleared:
            return Cell(("orphaned",), ("proxy-zeroes-out", "client-never-frees-orphans"))
        if left and self.setting.is_object and (spot.plan.is_ref or here.replaced):
            return Cell(("orphaned",), ("object-pointer-left-behind",))
        return Cell(("orphaned",), ("client-never-frees-orphans",))

    # --- the server ---

    def _server(self, pointer: PointerPlan, here: _Below, parts: Parts) -> ServerSide:
        above = here.above if len(parts) == 1 else here.above.below()  # a structure may be passed by value
        entry = self._entry(pointer, here, above)
        made, freed = self._made_on_server(entry, here), self._freed_on_server(entry, here)
        return ServerSide(entry, made, freed, self._leak(entry, here))

    def _entry(self, pointer: PointerPlan, here: _Below, above: Above) -> Cell:
        if self.is_result:
            return NOTHING
        if here.provided:
            return self._provided(pointer)
        if self._zeroed:
            return Cell(("null",), ("server-zeroes-out",))
        if not pointer.travels:
            return Cell(("null",), ("ignored-not-sent",))
        where, rule = inbound(pointer, above, self.setting.reading)
        null = () if pointer.is_ref else ("null",)
        return Cell((where, *null), (rule, "may-be-null" if null else "ref-never-null"))

    def _provided(self, pointer: PointerPlan) -> Cell:
        where, rule = provided(pointer, self.setting.reading, sized=self.byte_count)
        rules = (rule,) if self.byte_count else tuple(dict.fromkeys((rule, "server-zeroes-out")))
        if self.partial:
            return Cell((where, "null"), (*rules, "partial-ignore-sends-nullness"))
        return Cell((where,), rules)

    def _made_on_server(self, entry: Cell, here: _Below) -> tuple[Act, ...]:
        places = {ALLOCATED: self.setting.server_allocator, STUB: STUB_MEMORY}
        made = [
            Act("stub", using, entry.rules[0]) for place, using in places.items() if place in entry.outcomes
        ]
        if not here.top or self.is_result:
            made.append(Act("routine", self.setting.server_allocator, "routine-allocates"))
        return tuple(made)

    def _freed_on_server(self, entry: Cell, here: _Below) -> tuple[Act, ...]:
        """Who frees what was allocated; the receive buffer and the stub's own memory go with the call."""
        setting = self.setting
        if here.top and not self.is_result and "allocated" not in entry.outcomes:
            return ()
        if here.kept and not setting.environment:
            return (Act("application", setting.deallocator, "dont-free-keeps"),)
        whole = [rule for rule in entry.rules if rule in WHOLE_BLOCKS]
        dropped = () if here.top or whole or "allocated" not in entry.outcomes else ("routine-frees",)
        if setting.environment:
            return (RELEASE, *(Act("routine", "RpcSsFree", rule) for rule in dropped))
        rules = [*whole, *([] if here.top and whole else ["server-frees-after-reply"])]
        stub = (Act("stub", setting.deallocator, rule) for rule in rules)
        return (*stub, *(Act("routine", setting.deallocator, rule) for rule in dropped))

    def _leak(self, entry: Cell, here: _Below) -> Cell:
        """What the routine unlinks is out of the clean-up's reach; an environment is released as a whole."""
        if here.kept and not self.setting.environment:
            unlinked = () if here.top else ("leaked",)
            return Cell(("kept", *unlinked), ("dont-free-keeps",))
        safe = here.top or self.is_result or here.block or self.setting.environment
        if safe or "allocated" not in entry.outcomes:
            return NOTHING
        return Cell(("leaked",), ("server-frees-after-reply",))


def _is_partial(type_: types.Type) -> bool:
    return isinstance(type_, types.Pointer) and type_.partial_ignore


def _note(spot: Spot, here: _Below, byte_count: bool) -> str:
    if byte_count:
        return "laid out in the application's buffer"
    if here.block:
        return "part of one block"
    return "only where the data has it" if spot.loose else ""


def _folded(promises: list[Promise], referents: dict[Parts, int]) -> list[Promise]:
    """Leave out what a type that contains itself only repeats: if the pointers in a node are told of as in an outer one."""
    below: dict[Parts, list[Promise]] = {}
    for promise in promises:
        holder = next((at for at in _above(promise.parts) if at in referents), ())
        below.setdefault(holder, []).append(promise)
    gone: dict[Parts, Parts] = {}
    kept: list[Promise] = []
    for promise in promises:
        if any(at in gone for at in _above(promise.parts)):
            continue
        if promise.again is None and (outer := _outer(promise.parts, referents, below)):
            gone[promise.parts] = outer
            promise = replace(promise, again=outer)
        kept.append(promise)
    return [
        promise if promise.again is None else replace(promise, again=_moved(promise.again, gone))
        for promise in kept
    ]


def _moved(parts: Parts | None, gone: dict[Parts, Parts]) -> Parts | None:
    """Return where a path is told of when the rows below some others were left out."""
    while parts is not None:
        found = next((at for at in _above(parts) if at in gone), None)
        if found is None:
            break
        parts = gone[found] + parts[len(found) :]
    return parts


def _outer(parts: Parts, referents: dict[Parts, int], below: dict[Parts, list[Promise]]) -> Parts | None:
    """Return the pointer further up that names the same type and has the same told of the pointers in it."""
    own = below.get(parts, [])
    if not own or any(inner.again != parts for inner in own):
        return None
    for at in reversed([*_above(parts)]):
        same = referents.get(at) == referents[parts]
        if same and _told(below.get(at, []), at) == _told(own, parts):
            return at
    return None


def _told(promises: list[Promise], below: Parts) -> list[tuple[object, ...]]:
    return [(p.parts[len(below) :], p.client, p.server, p.note) for p in promises]


def _above(parts: Parts) -> Iterator[Parts]:
    """Yield the paths that a path leads through, the nearest first."""
    return (parts[:length] for length in range(len(parts) - 1, 0, -1))


def _aliased(promises: list[Promise]) -> Iterator[Promise]:
    """Full pointers may name the same storage: each may find it where another of them made the stub put it."""
    full = [p for p in promises if p.kind == "ptr" and "in" in p.direction.split(",")]
    places = dict.fromkeys(place for p in full for place in p.server.entry.outcomes if place != "null")
    for promise in promises:
        own = promise.server.entry
        if promise in full and not set(places) <= set(own.outcomes):
            null = tuple(outcome for outcome in own.outcomes if outcome == "null")
            entry = replace(own, outcomes=(*places, *null))
            promise = replace(promise, server=replace(promise.server, entry=entry))
        yield promise


def contract(interface: types.Interface, procedure: str, environment: Environment | None = None) -> Contract:
    """Return what the declaration of a procedure promises.

    Raises:
        UsageError: this is no interface, it has no such procedure, or a type cannot be marshalled by this kit.
    """
    require_procedure(interface, procedure)
    environment = environment or usual_environment(interface)
    client, server = _frames(interface, procedure, environment)
    rpcss = environment.osf or server.enables_environment
    parameters = {parameter.name: parameter for parameter in client.procedure.parameters}
    given = frozenset(name for name, parameter in parameters.items() if not parameter.is_out)
    setting = _Setting(environment.rules, rpcss, interface.is_object, server.reflects_deletions, given)
    promises: list[Promise] = []
    values, handles = [], []
    for (name, plan, _), (_, other, _) in zip(client.all, server.all, strict=True):
        told = _Parameter(setting, parameters.get(name))
        try:
            told.follow(plan, other, (name,), _Below(), {})
        except UsageError as error:
            raise UsageError(f"{procedure}: {error}") from None
        promises += _folded(list(told.rows.values()), told.referents)
        if any(row.kind == "context handle" for row in told.rows.values()):
            handles.append(name)
        if not told.rows and not isinstance(plan.type, types.Opaque):
            values.append(name)
    return Contract(
        client.procedure,
        environment,
        tuple(_aliased(promises)),
        tuple(values),
        tuple(handles),
        (setting.allocator, setting.server_allocator),
    )


def contracts(
    interface: types.Interface, environment: Environment | None = None
) -> tuple[list[Contract], dict[str, str]]:
    """Return the contracts of all procedures; and of those that the kit cannot marshal, why not, by name."""
    found, refused = [], {}
    for name in interface.procedures:
        try:
            found.append(contract(interface, name, environment))
        except UsageError as error:
            refused[name] = str(error)
    return found, refused


def _frames(interface: types.Interface, procedure: str, environment: Environment) -> tuple[Frame, Frame]:
    """Return a procedure compiled for the client and for the server."""
    try:
        client, server = (side[procedure] for side in compiled(interface, environment))
    except UsageError as error:
        compiled.cache_clear()  # what was begun is not gone on with
        said = str(error)
        raise UsageError(said if said.startswith(procedure + " ") else f"{procedure}: {said}") from None
    return client, server
