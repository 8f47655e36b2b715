"""Running a scenario: each step is a remote call, or something the client application does between calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rpcmemkit import types
from rpcmemkit.audit import Audit
from rpcmemkit.call import Call, Environment, Session
from rpcmemkit.errors import RpcError, UsageError
from rpcmemkit.operations import Operations
from rpcmemkit.paths import resolve
from rpcmemkit.plan import ArrayPlan, Plan, PointerPlan, StructPlan, UnionPlan
from rpcmemkit.program import Program
from rpcmemkit.reader import Reader
from rpcmemkit.scenario.load import Scenario
from rpcmemkit.server import ServerCall
from rpcmemkit.status import status_name
from rpcmemkit.values import Labels, Writer, storage_size
from rpcmemkit.walk import Place


@dataclass
class Outcome:
    """One call of a scenario and what the file expects of it."""

    call: Call
    expect: Mapping[str, Any] = field(default_factory=dict)

    @property
    def audit(self) -> Audit:
        return Audit(self.call)

    def observed(self) -> dict[str, Any]:
        """Return what happened under the keys of ``expect``."""
        call, audit = self.call, self.audit
        result: dict[str, Any] = {"call": call.procedure.name, "status": status_of(call)}
        if "server entry" in call.trace.snapshots:
            result["server_sees"] = server_sees(call)
            result["server_storage"] = audit.server_storage
        result["client_after"] = client_after(call)
        for key in ("client_allocations", "client_frees", "server_allocations", "server_frees"):
            result[key] = getattr(audit, key)
        result["orphaned"] = audit.orphaned
        result["server_leaked"] = audit.server_leaked
        for key, message in call.trace.messages.items():
            result[key] = message.data.hex()
        return result


def status_of(call: Call) -> str | int:
    """Return ``ok``, the exception's name, or its number when the routine raised it."""
    if not call.status:
        return "ok"
    raised = list(call.trace.select("raise", side="server", actor="routine"))
    chosen = raised and raised[-1].detail.rule == "server-exception-reaches-client"
    return call.status if chosen else status_name(call.status)


def server_sees(call: Call) -> dict[str, Any]:
    """Return the [in] and [in,out] arguments as the routine found them."""
    frame = call.trace.snapshots["server entry"].frame
    places = {name: call.server_frame.place(name, frame) for name, _, _ in call.server_frame.inputs}
    return Reader(call.space("server entry")).read(places)


def client_after(call: Call) -> dict[str, Any]:
    """Return the client's arguments, and the result, after the call."""
    places = {name: place for name, place in call.arguments.items() if name != "return" or not call.status}
    return Reader(call.space("client after"), call.labels).read(places)


def environment_of(scenario: Scenario) -> Environment:
    """Return the session's environment that a scenario asks for."""
    given = scenario.environment
    both = given.get("pointer_size", 8)
    allocator = given.get("midl_user_allocate", {})
    return Environment(
        client_pointer_size=given.get("client_pointer_size", both),
        server_pointer_size=given.get("server_pointer_size", both),
        transfer_syntax=given.get("transfer_syntax", "ndr20"),
        byte_order=given.get("byte_order", "little"),
        osf=given.get("osf", False),
        fail_after=allocator.get("fail_after"),
        client_fail_after=allocator.get("client_fail_after"),
    )


class Run:
    """A scenario being carried out."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.session = Session(
            scenario.idl, scenario.acf, environment_of(scenario), file=f"{scenario.name}.idl"
        )
        self.globals: dict[str, Place] = {}
        _lay_out_memory(self.session, scenario)

    def outcomes(self) -> Iterator[Outcome]:
        """Carry out the steps and yield the outcome of every call.

        Raises:
            UsageError: a step cannot be carried out: a path, label or value that fits nothing.
        """
        for number, step in enumerate(self.scenario.steps, 1):
            try:
                if "call" in step:
                    yield self._call(step)
                else:
                    self._client(step["client"])
            except UsageError as error:
                raise UsageError(f"step {number}: {error}") from error

    def _call(self, step: Mapping[str, Any]) -> Outcome:
        self.session.set_routine(step["call"], _Script(step.get("server") or [], self.globals).run)
        call = self.session.try_call(step["call"], step.get("arguments") or {})
        return Outcome(call, step.get("expect") or {})

    def _client(self, actions: list[Mapping[str, Any]]) -> None:
        program = self.session.client
        operations = Operations(program, "application", self.session.labels)
        for action in actions:
            _act(operations, action, self._root)

    def _root(self, name: str) -> Place | None:
        if name in self.session.memory:
            return self.session.memory[name]
        return self.session.last.arguments.get(name) if self.session.last else None


class _Script:
    """A server routine told as a list of actions."""

    def __init__(self, actions: list[Mapping[str, Any]], global_variables: dict[str, Place]) -> None:
        self.actions = actions
        self.globals = global_variables

    def run(self, call: ServerCall) -> None:
        operations = Operations(call.program, "routine")
        frame = call.frame.plan.by_name

        def root(name: str) -> Place | None:
            if name.startswith("$global."):
                return self.globals.get(name.removeprefix("$global."))
            return call.place(name) if name in frame else None

        try:
            for action in self.actions:
                if "raise" in action:
                    raise RpcError(int(action["raise"]), rule="server-exception-reaches-client")
                if "return" in action:
                    self._return(operations, call, action["return"], root)
                elif "keep" in action:
                    self._keep(call.program, action["keep"], root)
                else:
                    _act(operations, action, root)
        finally:
            self._note_kept(call.program)

    def _return(self, operations: Operations, call: ServerCall, value: Any, root: Any) -> None:
        if call.result is None:
            raise UsageError(f"{call.frame.procedure.name} returns void")
        operations.result_storage(call.result, value)

    def _keep(self, program: Program, path: str, root: Any) -> None:
        """Remember a pointer in a server global of its name."""
        place = resolve(program.space, path, root)
        if not isinstance(place.plan, PointerPlan):
            raise UsageError(f"keep: {path!r} is no pointer")
        name = path.lstrip("*").removeprefix("$global.").replace(".", "_").replace("[", "_").replace("]", "")
        address = program.space.add_block(place.plan.size, "global", fill=0)
        program.space.set_pointer(address, program.space.pointer_at(place.address))
        self.globals[name] = Place(place.plan, address, place.scope, (None, f"$global.{name}"))

    def _note_kept(self, program: Program) -> None:
        """What the globals reach is kept on purpose, not leaked."""
        from rpcmemkit.walk import reach

        for address, place in reach(program.space, self.globals.values()).items():
            program.trace.add("keep", "server", "routine", address, place.plan.size, "")


def _act(operations: Operations, action: Mapping[str, Any], root: Any) -> None:
    space = operations.program.space
    if "set" in action:
        operations.set(resolve(space, action["set"], root), action.get("to"))
    elif "allocate" in action:
        allocator = action.get("with", "midl_user_allocate")
        operations.allocate(resolve(space, action["allocate"], root), action.get("value"), allocator)
    elif "point" in action:
        operations.point(resolve(space, action["point"], root), resolve(space, action["at"], root))
    elif "free" in action:
        operations.free(resolve(space, action["free"], root))
    else:
        raise UsageError(f"unknown action {', '.join(action)}")


# --- memory set up before the first step ------------------------------------------------------


def _lay_out_memory(session: Session, scenario: Scenario) -> None:
    """Store the ``memory`` entries, each with the type of the first pointer that names it."""
    waiting = dict(scenario.memory)
    while waiting:
        typed = {name: plan for name, value in waiting.items() if (plan := _type_of(session, scenario, name, value))}
        if not typed:
            raise UsageError(f"memory: no argument names {', '.join(waiting)}, so its type is unknown")
        for name, pointer in typed.items():
            _lay_out_entry(session, name, waiting.pop(name), pointer)


def _type_of(session: Session, scenario: Scenario, name: str, value: Any) -> PointerPlan | None:
    label = value.get("$label", name) if isinstance(value, Mapping) else name
    for step in scenario.steps:
        if "call" not in step:
            continue
        frame = session.procedures[step["call"]]
        for argument, given in (step.get("arguments") or {}).items():
            member = frame.plan.by_name.get(argument)
            found = _find_alias(member.plan, given, label) if member else None
            if found:
                return found
    for place in session.memory.values():
        pointer = place.plan
        assert isinstance(pointer, PointerPlan)
        found = _find_alias(pointer, scenario.memory[str(place.path and place.path[1])], label)
        if found:
            return found
    return None


def _find_alias(plan: Plan, value: Any, label: str) -> PointerPlan | None:
    """Return the pointer type at the place of ``{$alias: label}`` in a value."""
    pending: list[tuple[Plan, Any]] = [(plan, value)]
    while pending:
        here, item = pending.pop()
        if isinstance(here, PointerPlan):
            if isinstance(item, Mapping) and item.get("$alias") == label:
                return here
            inner = item.get("$value") if isinstance(item, Mapping) and "$label" in item else item
            if inner is not None:
                pending.append((here.target, inner))
        elif isinstance(here, StructPlan) and isinstance(item, Mapping):
            pending += [(here.by_name[name].plan, v) for name, v in item.items() if name in here.by_name]
        elif isinstance(here, ArrayPlan):
            elements = item.get("$elements", []) if isinstance(item, Mapping) else item
            pending += [(here.element, v) for v in elements] if isinstance(elements, list) else []
        elif isinstance(here, UnionPlan) and isinstance(item, Mapping):
            arms = [arm.plan for arm in (*here.arms.values(), here.default) if arm and arm.plan]
            pending += [(arm, item.get("$value")) for arm in arms]
    return None


def _lay_out_entry(session: Session, name: str, value: Any, pointer: PointerPlan) -> None:
    label, inner = name, value
    if isinstance(value, Mapping) and "$label" in value:
        label, inner = str(value["$label"]), value.get("$value")
    space = session.client.space
    variable = space.add_block(pointer.size, "stack", fill=0)
    place = Place(pointer, variable, variable, (None, name))
    address = session.allocate(storage_size(pointer.target, inner, place.path))
    space.set_pointer(variable, address)
    target = Place(pointer.target, address, address, (None, name))
    session.labels.add(label, target)
    writer = Writer(space, session.allocate, session.labels)
    writer.write(target, inner)
    writer.finish()
    session.memory[name] = place


__all__ = ["Labels", "Outcome", "Run", "client_after", "environment_of", "server_sees", "status_of", "types"]
