"""The argument frame of a procedure: a structure in memory whose members are the parameters and the result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rpcmemkit import types
from rpcmemkit.errors import RpcError, UsageError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.plan import (
    ArrayPlan,
    OpaquePlan,
    PipePlan,
    Plan,
    Planner,
    PointerPlan,
    StructPlan,
    compile_lazily,
)
from rpcmemkit.status import BAD_STUB_DATA, INVALID_BOUND
from rpcmemkit.walk import Place, presented

LARGEST_FRAME = 1 << 20  # bytes: the stack that a thread of Windows has unless it asks for more


class Argument(NamedTuple):
    """An argument of a procedure, or its result: its name, its plan, its offset in the frame."""

    name: str
    plan: Plan
    offset: int

    def at(self, frame: int) -> Place:
        """Return its place in the frame at an address, as the stubs see it."""
        return Place(self.plan, frame + self.offset, frame, (None, self.name))


@dataclass(eq=False)
class Frame:
    """A procedure compiled for one side: where each argument lies, and in which message it travels."""

    procedure: types.Procedure
    plan: StructPlan
    interface: types.Interface

    def __post_init__(self) -> None:
        self.all = [Argument(m.name, m.plan, m.offset) for m in self.plan.members]
        given = list(zip(self.procedure.parameters, self.all, strict=False))  # behind them comes the result
        pipes = [(p, pipe) for p, argument in given if (pipe := _pipe(argument.plan))]
        self.input_pipes = [(p.name, pipe) for p, pipe in pipes if p.is_in]
        self.output_pipes = [(p.name, pipe) for p, pipe in pipes if p.is_out]
        sent = [(p, a) for p, a in given if not _pipe(a.plan) and not isinstance(a.plan, OpaquePlan)]
        self.inputs = [argument for p, argument in sent if p.is_in]
        self.result = self.all[len(given)] if len(self.all) > len(given) else None
        self.outputs = [argument for p, argument in sent if p.is_out]
        self.outputs += [self.result] if self.result else []
        self.pure_outputs = [argument for p, argument in sent if p.is_out and not p.is_in]
        self.out_only = {p.name for p, _ in given if not p.is_in}
        self.in_only = {p.name for p, _ in given if not p.is_out}
        self.partial = {
            p.name for p, _ in sent if isinstance(p.type, types.Pointer) and p.type.partial_ignore
        }
        """The [partial_ignore] parameters: of them only whether they are null goes to the server."""
        self._byte_counts = {
            p.name: compile_lazily(types.Name(str(p.attributes["byte_count"])), self.plan)
            for p, _ in sent
            if "byte_count" in p.attributes
        }

    @cached_property
    def converted(self) -> list[types.Converted]:
        """The converted types of the interface."""
        return types.converted_types(self.interface)

    @cached_property
    def enables_environment(self) -> bool:
        """Whether the stub sets up the RpcSs environment for this procedure ([enable_allocate])."""
        return any("enable_allocate" in owner.attributes for owner in (self.procedure, self.interface))

    @property
    def reflects_deletions(self) -> bool:
        """Whether the client frees what the routine freed ([reflect_deletions], a DCE attribute)."""
        return "reflect_deletions" in self.procedure.attributes

    def byte_count(self, space: AddressSpace, name: str, frame: int) -> int | None:
        """Return the bytes of the buffer that the application passes for a [byte_count] parameter, else ``None``.

        Raises:
            RpcError: RPC_X_INVALID_BOUND, the count is negative.
        """
        count = self._byte_counts.get(name)
        size = None if count is None else count(space, frame)
        if size is not None and size < 0:
            raise RpcError(
                INVALID_BOUND, f"the byte count is {size}", path=name, rule="negative-bounds-raise"
            )
        return size

    def places(self, address: int) -> dict[str, Place]:
        """Return the places of all arguments, and of the result as ``return``, in a frame, as programs see them."""
        return {each.name: presented(each.at(address)) for each in self.all}

    def place(self, name: str, address: int) -> Place:
        """Return one of :meth:`places`."""
        member = self.plan.by_name[name]
        return presented(Place(member.plan, address + member.offset, address, (None, member.name)))

    def check_nulls(self, space: AddressSpace, arguments: Iterable[Argument], frame: int) -> None:
        """Refuse a null top-level pointer whose size attribute is not 0 (mccp-buffer-protection.md).

        Raises:
            RpcError: RPC_X_BAD_STUB_DATA.
        """
        for name, plan, offset in arguments:
            if not isinstance(plan, PointerPlan) or plan.is_ref or space.pointer_at(frame + offset):
                continue
            parameter = next(p for p in self.procedure.parameters if p.name == name)
            owners = (parameter, self.procedure, self.interface)
            if any("disable_consistency_check" in owner.attributes for owner in owners):
                continue
            target = plan.target
            if isinstance(target, ArrayPlan) and target.size_of and target.count(space, frame):
                why = "a null pointer, but its size is not 0"
                raise RpcError(BAD_STUB_DATA, why, path=name, rule="null-needs-zero-size")


def _pipe(plan: Plan) -> PipePlan | None:
    """Return the plan of a pipe, passed by value or by reference."""
    if isinstance(plan, PointerPlan) and isinstance(plan.type.target, types.Opaque):
        plan = plan.target
    return plan if isinstance(plan, PipePlan) else None


class Procedures:
    """The procedures of an interface, each compiled to its frame when first called."""

    def __init__(self, interface: types.Interface, planner: Planner) -> None:
        self.interface = interface
        self.planner = planner
        self._frames: dict[str, Frame] = {}
        self._names = {procedure.opnum: name for name, procedure in interface.procedures.items()}

    def __getitem__(self, name: str) -> Frame:
        """Return the frame of a procedure.

        Raises:
            KeyError: there is no procedure of that name.
            UsageError: a parameter's type cannot be marshalled by this kit.
        """
        frame = self._frames.get(name)
        if frame is None:
            frame = self._frames[name] = self.compile(self.interface.procedures[name])
        return frame

    def by_number(self, opnum: int) -> Frame | None:
        """Return the frame of an operation number, or ``None``."""
        name = self._names.get(opnum)
        return None if name is None else self[name]

    def compile(self, procedure: types.Procedure) -> Frame:
        """Return the frame of any procedure of this program, also one that no client can call.

        Raises:
            UsageError: a parameter's type cannot be marshalled by this kit, or the stack has no room for the arguments.
        """
        if procedure.serializes:
            raise UsageError(
                f"{procedure.name} is no remote call: [encode] and [decode] make it serialize data into a buffer of the "
                "application's, or from one, which this kit does not do (serialization-services.md)"
            )
        plan = StructPlan(types.Struct(procedure.name))
        members = [(parameter.name, parameter.type) for parameter in procedure.parameters]
        if procedure.result is not None:
            members.append(("return", procedure.result))
        out = [parameter.name for parameter in procedure.parameters if parameter.is_out]
        self.planner.lay_out(plan, members, [*out, "return"] if self.interface.is_object else ())
        if plan.size > LARGEST_FRAME:
            largest = max(plan.members, key=lambda member: member.plan.size)
            raise UsageError(
                f"{procedure.name}: the arguments take {plan.size} bytes by value, a thread's stack has "
                f"{LARGEST_FRAME}; pass {largest.name}, of {largest.plan.size} bytes, by a pointer"
            )
        return Frame(procedure, plan, self.interface)
