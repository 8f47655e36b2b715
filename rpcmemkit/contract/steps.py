"""What the client owes after a call, step by step: for each parameter, and for the result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from rpcmemkit import types
from rpcmemkit.contract.promises import require_procedure, usual_environment
from rpcmemkit.contract.spots import spots
from rpcmemkit.environment import Environment
from rpcmemkit.errors import UsageError
from rpcmemkit.plan import Plan, PointerPlan
from rpcmemkit.program import deallocator_of, default_allocator
from rpcmemkit.stubs.frame import Frame, Procedures


@lru_cache(maxsize=2)
def compiled(interface: types.Interface, environment: Environment) -> tuple[Procedures, Procedures]:
    """Return what the client and the server compile, each type once for all procedures that use it."""
    sizes = environment.client_pointer_size, environment.server_pointer_size
    sides = {size: Procedures(interface, environment.planner(size)) for size in set(sizes)}
    return sides[sizes[0]], sides[sizes[1]]


class Step(NamedTuple):
    """What is owed for one parameter, or for the result.

    ``action``: ``free`` (the storage and everything below), ``free below`` (a parameter's own storage is the client's),
    ``free block`` (everything below is one block), ``close`` (a context handle), or ``keep``. ``rule`` says why.
    """

    name: str
    action: str
    rule: str


@dataclass(frozen=True)
class Owed:
    """What the client has to free after a call of one procedure.

    Raises :class:`~rpcmemkit.errors.UsageError` if this is no interface, or it has no such procedure.
    """

    interface: types.Interface
    procedure: str
    environment: Environment | None = None

    def __post_init__(self) -> None:
        require_procedure(self.interface, self.procedure)

    @cached_property
    def _setting(self) -> Environment:
        return self.environment or usual_environment(self.interface)

    @cached_property
    def frame(self) -> Frame:
        """The procedure compiled for the client."""
        try:
            return compiled(self.interface, self._setting)[0][self.procedure]
        except UsageError:
            compiled.cache_clear()  # what was begun is not gone on with
            raise

    @property
    def deallocator(self) -> str:
        """The name of the function that frees what the client stub allocated.

        A stub that goes by the thread's RpcSs environment leaves open which pair it calls: RpcSmClientFree fits both
        (nf-rpcndr-rpcsmclientfree.md).
        """
        if self._setting.osf or self.frame.enables_environment:
            return "RpcSmClientFree"
        return deallocator_of(default_allocator(False, self.interface.is_object))

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is owed, parameter by parameter, the result last."""
        given = {parameter.name: parameter for parameter in self.frame.procedure.parameters}
        return tuple(_step_of(name, plan, given.get(name)) for name, plan, _ in self.frame.all)


def _step_of(name: str, plan: Plan, parameter: types.Parameter | None) -> Step:
    if _is_context_handle(plan):
        return Step(name, "close", "client-owns")
    if parameter is not None and "byte_count" in parameter.attributes:
        return Step(name, "keep", "byte-count-in-place")
    is_out = parameter is None or parameter.is_out
    if not is_out or next(spots(plan, ()), None) is None:
        return Step(name, "keep", "client-owns")
    if parameter is None:
        return Step(name, "free", "client-owns")
    if isinstance(plan, PointerPlan) and plan.type.all_nodes:
        return Step(name, "free block", "all-nodes-one-block")
    return Step(name, "free below" if holds_pointers(below(plan)) else "keep", "client-owns")


def below(plan: Plan) -> Plan:
    """Return what a parameter's own storage holds: of a pointer, its referent."""
    return plan.target if isinstance(plan, PointerPlan) else plan


def holds_pointers(plan: Plan) -> bool:
    return any(spot.plan.travels for spot in spots(plan, ()))


def _is_context_handle(plan: Plan) -> bool:
    while isinstance(plan, PointerPlan):
        plan = plan.target
    return isinstance(plan.type, types.ContextHandle)
