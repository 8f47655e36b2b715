"""Running a scenario: each step is a remote call, or something the client application does between calls."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from rpcmemkit.audit import Audit, deeds, leaked_in
from rpcmemkit.call import Call, Departure, Session, rundowns_in
from rpcmemkit.environment import Environment, environment_from
from rpcmemkit.errors import IdlError, MemoryFault, RpcError, UsageError
from rpcmemkit.kinds import BlockKind, EventKind
from rpcmemkit.memory import AddressSpace
from rpcmemkit.operations import IN_FORCE, Operations
from rpcmemkit.paths import c_text, resolve, storage_label
from rpcmemkit.plan import ArrayPlan, Plan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.program import Program
from rpcmemkit.reader import Reader
from rpcmemkit.scenario.document import Path
from rpcmemkit.scenario.load import Scenario
from rpcmemkit.scenario.package import Package, findings, package_observed
from rpcmemkit.scenario.sessions import open_sessions
from rpcmemkit.status import INVALID_USER_BUFFER, status_code, status_name
from rpcmemkit.stubs.contexts import handle_types
from rpcmemkit.stubs.server import Routine, ServerCall
from rpcmemkit.trace import Event, HandleName, Kept, PackageCall, Trace
from rpcmemkit.values import UNWRITTEN, Labels, element_count, storage_size
from rpcmemkit.walk import Place, reach

Action: TypeAlias = "Mapping[str, Any]"
Root: TypeAlias = "Callable[[str], Place | None]"
VERBS = (
    "set",
    "allocate",
    "point",
    "free",
    "keep",
    "raise",
    "return",
    "rpcss",
    "thread",
    "disconnect",
    "destroy_context",
)


@dataclass
class Outcome:
    """One call of a scenario, the how-manyth it is, and what the file expects of it."""

    call: Call
    expect: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.call)

    def observed(self) -> dict[str, Any]:
        """Return what happened under the keys of ``expect``."""
        call, audit = self.call, self.audit
        result: dict[str, Any] = {"call": call.procedure.name, "status": status_of(call)}
        if entry := Moment.on_entry(call):
            result["server_sees"] = entry.values()
            result["server_storage"] = audit.server_storage
        result["client_after"] = Moment.after(call).values()
        for key in ("client_allocations", "client_frees", "server_allocations", "server_frees"):
            result[key] = getattr(audit, key)
        result["orphaned"] = audit.orphaned
        result["server_leaked"] = audit.server_leaked
        if audit.unwritten_sent or "unwritten_sent" in self.expect:
            result["unwritten_sent"] = audit.unwritten_sent
        package = package_observed(call.trace).items()
        result.update({key: value for key, value in package if value or key in self.expect})
        if (rundowns := rundowns_in(call.trace)) or "rundowns" in self.expect:
            result["rundowns"] = rundowns
        for key in ("request", "response"):
            if key in call.trace.messages:
                result[key] = call.trace.messages[key].data.hex()
        return result


@dataclass
class ClientStep:
    """What the client application did between two calls.

    ``observed`` is under the keys of ``expect``; ``places`` are what it could reach before the step or after it, by address.
    """

    trace: Trace
    observed: dict[str, Any]
    places: dict[int, Place]
    labels: Labels


def as_step(happened: Outcome | ClientStep | Departure) -> dict[str, Any]:
    """Return what came of a step as plain data: ``call``, its number, with ``observed``; ``client``; or ``disconnect``.

    ``done`` is what the routine or the application did to memory and with the RpcSs package, in order.
    """
    if isinstance(happened, Outcome):
        done = [_deed(event, happened.audit.server_places) for event in deeds(happened.call.trace, "routine")]
        return {"call": happened.number, "done": done, "observed": happened.observed()}
    if isinstance(happened, ClientStep):
        done = [
            _deed(event, happened.places, happened.labels) for event in deeds(happened.trace, "application")
        ]
        return {"client": happened.observed, "done": done}
    return {"disconnect": departed(happened)}


def _deed(event: Event, places: Mapping[int, Place], labels: Labels | None = None) -> dict[str, Any]:
    place = places.get(event.address)
    name = (labels.name(event.address) if labels else None) or (storage_label(place) if place else None)
    deed = {
        "kind": event.kind,
        "storage": name,
        "address": event.address or None,
        "bytes": event.size or None,
    }
    deed |= {"rule": event.rule or None, "detail": _detail(event)}
    return {key: value for key, value in deed.items() if value is not None}


def _detail(event: Event) -> Any:
    """Return as data what is known of an event beside memory."""
    match event.detail:
        case RpcError(name=name):
            return name
        case HandleName() | Kept() as told:
            return str(told)
        case PackageCall() as call:
            return call.name, *call[2:]
        case told:
            return None if event.kind == EventKind.WRITE else told


def departed(departure: Departure) -> dict[str, Any]:
    """Return what a departure of the client did, under the keys of ``expect``."""
    return {
        "rundowns": departure.rundowns,
        "server_leaked": len(leaked_in(departure.trace)),
        "faults": package_observed(departure.trace)["faults"],
    }


def status_of(call: Call) -> str | int:
    """Return ``ok``, the exception's name, or its number when the routine raised it."""
    if not call.status:
        return "ok"
    raised = list(call.trace.select(EventKind.RAISE, side="server", actor="routine"))
    chosen = raised and raised[-1].of(RpcError).rule == "server-exception-reaches-client"
    return call.status if chosen else status_name(call.status)


class Moment(NamedTuple):
    """The arguments of a call on one side at one moment; on the client storage has names."""

    space: AddressSpace
    places: Mapping[str, Place]
    labels: Labels | None = None

    @classmethod
    def on_entry(cls, call: Call, *, every: bool = False) -> Moment | None:
        """Return the [in] and [in,out] arguments, or ``every`` one, as the routine found them; ``None`` if it was not called."""
        if "server entry" not in call.trace.snapshots:
            return None
        frame, address = call.server_frame, call.trace.snapshots["server entry"].frame
        names = frame.plan.by_name if every else [name for name, _, _ in frame.inputs]
        return cls(call.space("server entry"), {name: frame.place(name, address) for name in names})

    @classmethod
    def after(cls, call: Call) -> Moment:
        """Return the client's arguments, and the result if there is one, after the call."""
        places = {
            name: place for name, place in call.arguments.items() if name != "return" or not call.status
        }
        return cls(call.space("client after"), places, call.labels)

    def values(self) -> dict[str, Any]:
        return Reader(self.space, self.labels).read(self.places)


def environment_of(scenario: Scenario) -> Environment:
    """Return the session's environment that a scenario asks for."""
    return environment_from({"reading": _observed_reading(scenario), **scenario.environment})


def _observed_reading(scenario: Scenario) -> str:
    """Return whose stubs a scenario is about if it does not say so: those on which it was observed."""
    return "wine" if any(source.startswith("observed: wine") for source in scenario.source) else "midl"


class Run:
    """A scenario being carried out.

    Raises:
        IdlError: the interface does not compile; the places are those in the scenario file.
        ScenarioError: the client's memory cannot be laid out.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.sessions = _open(scenario)
        self.session = next(iter(self.sessions.values()))
        self.globals: dict[str, Place] = {}
        self.packages = {each.side: Package(each) for each in (self.session.client, self.session.server)}
        with _located(scenario, ("memory",), values=True):
            _Layout(self).all()
        for name, actions in scenario.rundown.items():
            with _located(scenario, ("rundown", name)):
                self._set_rundown(name, _Script(self, ("rundown", name), actions).run)

    def _set_rundown(self, name: str, routine: Routine) -> None:
        """Register a run-down routine with each interface that has the type, and complain if none has."""
        sessions = list(dict.fromkeys(self.sessions.values()))
        known = [each for each in sessions if name in handle_types(each.interface)]
        for session in known or sessions[:1]:
            session.set_rundown(name, routine)

    def outcomes(self) -> Iterator[Outcome]:
        """As :meth:`happenings`, the calls alone."""
        return (happened for happened in self.happenings() if isinstance(happened, Outcome))

    def happenings(self) -> Iterator[Outcome | ClientStep | Departure]:
        """Carry out the steps and yield what comes of each: a call, what the client does by itself, its departure.

        Raises:
            ScenarioError: a step cannot be carried out: a path, label or value that fits nothing.
        """
        number = 0
        for index, step in enumerate(self.scenario.steps):
            if "call" in step:
                number += 1
                yield self._call(("steps", index), step, number)
            elif "client" in step:
                yield self._client(index, step)
            else:
                yield self.session.disconnect()

    @property
    def findings(self) -> list[str]:
        """What the application code has left undone by now: environments enabled and never disabled."""
        return [text for package in self.packages.values() for text in findings(package.program)]

    def _call(self, path: Path, step: Mapping[str, Any], number: int) -> Outcome:
        script = _Script(self, (*path, "server"), step.get("server") or [])
        session = self.sessions[int(path[1])]
        with _located(self.scenario, (*path, "call")):
            session.set_routine(step["call"], script.run)
        with _located(self.scenario, (*path, "arguments"), values=True):
            call = session.try_call(step["call"], step.get("arguments") or {})
        self.session.last = session.last
        return Outcome(call, step.get("expect") or {}, number)

    def _client(self, step: int, data: Mapping[str, Any]) -> ClientStep:
        program = self.session.client
        before = self._reached()
        trace = program.space.trace = Trace()  # what the application does now is not part of the last call
        operations = Operations(program, "application", self.session.labels)
        foreseen = not {"status", "faults"}.isdisjoint(data.get("expect") or {})
        try:
            for index, action in enumerate(data["client"] or []):
                with _located(
                    self.scenario, ("steps", step, "client", index, _verb(action)), faults=not foreseen
                ):
                    if "destroy_context" in action:
                        self.session.destroy_client_context(action["destroy_context"])
                    else:
                        _act(operations, action, self._root, self.packages["client"])
        except RpcError as error:
            trace.status = error.code
        except MemoryFault:
            trace.status = INVALID_USER_BUFFER
        status = status_name(trace.status) if trace.status else "ok"
        observed = {"status": status, **package_observed(trace)}
        return ClientStep(trace, observed, {**self._reached(), **before}, self.session.labels.copy())

    def _reached(self) -> dict[int, Place]:
        """Return what the client's variables lead to."""
        roots = {**self.session.memory, **(self.session.last.arguments if self.session.last else {})}
        try:
            return reach(self.session.client.space, roots.values())
        except (MemoryFault, RpcError):
            return {}

    def _root(self, name: str) -> Place | None:
        if name in self.session.memory:
            return self.session.memory[name]
        return self.session.last.arguments.get(name) if self.session.last else None


def _open(scenario: Scenario) -> dict[int, Session]:
    try:
        with _located(scenario, ("environment",)):
            environment = environment_of(scenario)
        return open_sessions(scenario, environment)
    except IdlError as error:
        raise scenario.translate(error) from None


@contextmanager
def _located(scenario: Scenario, path: Path, *, values: bool = False, faults: bool = False) -> Iterator[None]:
    """Say of what cannot be done where the file asks for it.

    With ``values`` the error's own path leads on to the value at fault. With ``faults``, and where values are laid out,
    memory faults are meant too: in a call they are the call's outcome, but nobody survives the application's own.
    """
    try:
        yield
    except UsageError as error:
        where = scenario.value_path(path, str(error).split(":", 1)[0]) if values else path
        raise scenario.error(where, str(error)) from error
    except (MemoryFault, RpcError) as error:
        if not (faults or values):
            raise
        raise scenario.error(path, f"the client application would crash here: {error}") from error


def _verb(action: Action) -> str:
    return next(verb for verb in VERBS if verb in action)


@dataclass
class _Script:
    """A server routine told as a list of actions."""

    of: Run
    path: Path
    actions: list[Action]

    def run(self, call: ServerCall) -> None:
        """Carry out the actions.

        Raises:
            ScenarioError: one of them makes no sense.
            MemoryFault, RpcError: what the routine itself does wrong, or raises.
        """
        operations = Operations(call.program, "routine", zeroes=False)
        frame = call.frame.plan.by_name

        def root(name: str) -> Place | None:
            if name.startswith("$global."):
                return self.of.globals.get(name.removeprefix("$global."))
            if name == "return":
                return call.result
            return call.place(name) if name in frame else None

        started_in = call.program.thread
        try:
            for index, action in enumerate(self.actions):
                path = (*self.path, index, _verb(action))
                with _located(self.of.scenario, path):
                    self._act(operations, call, action, root)
        except MemoryFault:
            call.program.space.trace.locate(self.of.scenario.place(path))
            raise
        finally:
            call.program.thread = started_in
            self._note_kept(call.program)

    def _act(self, operations: Operations, call: ServerCall, action: Action, root: Root) -> None:
        if "raise" in action:
            raise RpcError(_code(action["raise"]), rule="server-exception-reaches-client")
        if "return" in action:
            if call.result is None:
                raise UsageError(f"{call.frame.procedure.name} returns void")
            operations.result_storage(call.result, action["return"])
        elif "disconnect" in action:
            self.of.session.disconnect()
        elif "destroy_context" in action:
            raise UsageError(
                "RpcSsDestroyClientContext is a function for clients: write it in a `client` step"
            )
        elif "keep" in action:
            self._keep(call.program, action["keep"], root)
        else:
            _act(operations, action, root, self.of.packages["server"])

    def _keep(self, program: Program, path: str, root: Root) -> None:
        """Remember a pointer in a server global of its name."""
        place = resolve(program.space, path, root)
        if not isinstance(place.plan, PointerPlan):
            raise UsageError(f"keep: {path!r} is no pointer")
        name = re.sub(r"\W+", "_", path.replace("$global.", "")).strip("_")
        address = program.space.add_block(place.plan.size, BlockKind.GLOBAL, fill=0)
        program.space.set_pointer(address, program.space.pointer_at(place.address))
        self.of.globals[name] = Place(place.plan, address, place.scope, (None, f"$global.{name}"))
        kept = Kept(c_text(place.path), f"$global.{name}")
        program.trace.add(EventKind.REMEMBER, "server", "routine", address, place.plan.size, "", kept)

    def _note_kept(self, program: Program) -> None:
        """What the globals reach is kept on purpose, not leaked."""
        for address, place in reach(program.space, self.of.globals.values()).items():
            program.trace.add(EventKind.KEEP, "server", "routine", address, place.plan.size, "")


def _code(status: str | int) -> int:
    try:
        return status_code(status)
    except KeyError:
        raise UsageError(f"no exception is called {status!r}; its number will do") from None


def _act(operations: Operations, action: Action, root: Root, package: Package) -> None:
    """Carry out what routines and applications have in common."""
    space = operations.program.space
    match _verb(action):
        case "set":
            operations.set(resolve(space, action["set"], root), action["to"])
        case "allocate":
            allocator = action.get("with", IN_FORCE)
            operations.allocate(
                resolve(space, action["allocate"], root), action.get("value", UNWRITTEN), allocator
            )
        case "point":
            operations.point(resolve(space, action["point"], root), resolve(space, action["at"], root))
        case "free":
            operations.free(resolve(space, action["free"], root), action.get("with", IN_FORCE))
        case "rpcss":
            package.act(operations.actor, action, lambda path: resolve(space, path, root))
        case "thread":
            operations.program.switch_thread(action["thread"])


# --- memory set up before the first step ------------------------------------------------------


class _Layout:
    """Stores the ``memory`` entries, each with the type of the first pointer that names it."""

    def __init__(self, run: Run) -> None:
        self.session, self.sessions, self.scenario = run.session, run.sessions, run.scenario
        self.types: dict[str, PointerPlan] = {}

    def all(self) -> None:
        """Store every entry. All have storage before the first is written: they may name one another.

        Raises:
            UsageError: nothing says which type an entry has, or its value does not fit.
        """
        entries = self.scenario.memory
        while len(self.types) < len(entries):
            found = {
                name: plan for name in entries if name not in self.types and (plan := self._type_of(name))
            }
            if not found:
                name = next(name for name in entries if name not in self.types)
                raise UsageError(f"{name}: no argument names it with $alias, so its type is unknown")
            self.types.update(found)
        places = [self._reserve(name) for name in entries]
        for place, value in zip(places, entries.values(), strict=True):
            writer = self.session.writer(fresh=self.session.client.space.base)
            writer.write(place, _unlabelled(value))
            writer.finish()

    def _type_of(self, name: str) -> PointerPlan | None:
        label = _label_of(name, self.scenario.memory[name])
        found = (_find_alias(plan, value, label) for plan, value in self._pointers())
        return next(filter(None, found), None)

    def _pointers(self) -> Iterator[tuple[Plan, Any]]:
        """Yield what may name an entry: the arguments of all calls, then the entries whose type is known."""
        for number, step in enumerate(self.scenario.steps):
            procedures = self.sessions.get(number, self.session).procedures
            if step.get("call") in procedures.interface.procedures:
                members = procedures[step["call"]].plan.by_name
                given = step.get("arguments") or {}
                yield from ((members[name].plan, value) for name, value in given.items() if name in members)
        for name, pointer in self.types.items():
            yield pointer, self.scenario.memory[name]

    def _reserve(self, name: str) -> Place:
        """Allocate an entry's storage and a variable that names it; return the place of its value."""
        value, pointer = self.scenario.memory[name], self.types[name]
        inner = _unlabelled(value)
        space = self.session.client.space
        variable = space.add_block(pointer.size, BlockKind.STACK, fill=0)
        place = Place(_measured(pointer, inner), variable, variable, (None, name))
        address = self.session.allocate(storage_size(pointer.target, inner, place.path))
        space.set_pointer(variable, address)
        self.session.labels.give(_label_of(name, value), address)
        self.session.memory[name] = place
        return Place(pointer.target, address, address, (None, name))


def _label_of(name: str, value: Any) -> str:
    return str(value.get("$label", name)) if isinstance(value, Mapping) else name


def _unlabelled(value: Any) -> Any:
    return value.get("$value") if isinstance(value, Mapping) and "$label" in value else value


def _measured(pointer: PointerPlan, value: Any) -> PointerPlan:
    """Return the pointer with the size of its array fixed: the variable stands alone, away from its size attribute."""
    array = pointer.target
    if not isinstance(array, ArrayPlan) or array.size_of is None:
        return pointer
    fixed = replace(array, bound=element_count(array, value), size_of=None, length_of=None, first_of=None)
    return replace(pointer, compile_target=lambda: fixed)


def _find_alias(plan: Plan, value: Any, label: str) -> PointerPlan | None:
    """Return the pointer type at the place of ``{$alias: label}`` in a value."""
    pending: list[tuple[Plan, Any]] = [(plan, value)]
    while pending:
        here, item = pending.pop()
        if isinstance(here, PointerPlan) and isinstance(item, Mapping) and item.get("$alias") == label:
            return here
        pending += reversed(_inside(here, item))
    return None


def _inside(plan: Plan, value: Any) -> list[tuple[Plan, Any]]:
    """Return the parts of a value with their plans."""
    if isinstance(plan, PointerPlan):
        inner = _unlabelled(value)
        return [] if inner is None else [(plan.target, inner)]
    if isinstance(plan, ArrayPlan):
        elements = value.get("$elements") if isinstance(value, Mapping) else value
        return [(plan.element, item) for item in elements] if isinstance(elements, list) else []
    if not isinstance(value, Mapping):
        return []
    if isinstance(plan, StructPlan):
        return [(plan.by_name[name].plan, item) for name, item in value.items() if name in plan.by_name]
    if isinstance(plan, UnionPlan):
        arms = {id(arm.plan): arm.plan for arm in (*plan.arms.values(), plan.default) if arm and arm.plan}
        return [(arm, value.get("$value")) for arm in arms.values()]
    return []
