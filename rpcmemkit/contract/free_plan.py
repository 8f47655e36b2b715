"""What the client owes after a call: the frees, as C and as steps that the kit carries out (the-midl-user-free-function.md).

What the application passed stays its own. What the client stub allocated below [out] and [in, out] parameters, and
for the result, the application frees: inner storage first, each block once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rpcmemkit.call import Call, Session
from rpcmemkit.contract.c_code import c_code
from rpcmemkit.contract.steps import Owed, Step
from rpcmemkit.errors import UsageError
from rpcmemkit.kinds import EventKind
from rpcmemkit.plan import PointerPlan
from rpcmemkit.walk import Place, pointers_in, reach, referent


@dataclass(frozen=True, slots=True)
class Freed:
    """What a plan freed, by address: what the application could reach, and what only the trace still knew.

    After a call that failed half-way the stub may leave storage that no pointer names: a real client leaks it.
    """

    addresses: tuple[int, ...]
    beyond_reach: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return len(self.addresses) + len(self.beyond_reach)


class FreePlan(Owed):
    """The frees that the client owes after a call of one procedure, as C and as steps that run."""

    @property
    def c(self) -> str:
        """The plan as C: one function for the procedure, and those of the types it needs."""
        return c_code([self])

    def run(self, session: Session, call: Call | None = None) -> Freed:
        """Free what is owed after a call, by default the session's last; a call that failed may owe less, or nothing.

        Every free is an event of the call's trace: the actor is ``application``, the rule ``client-owns``. Pointers in
        the client's own storage that named what is gone are null afterwards.

        Raises:
            UsageError: there was no call, or it was one of another procedure.
            MemoryFault: the storage was freed before.
        """
        call = call or session.last
        if call is None or call.procedure.name != self.procedure:
            raise UsageError(f"this plan is for calls of {self.procedure}")
        return _Running(session, call).run(self.steps)


# --- carrying it out ----------------------------------------------------------------------------


class _Running:
    """One plan at work on the client's memory after a call."""

    def __init__(self, session: Session, call: Call) -> None:
        self.program = session.client
        self.space = session.client.space
        self.call = call
        self.made = {
            event.address: event.of(str)
            for event in call.trace.select(EventKind.ALLOCATE, side="client", actor="stub")
            if event.address
        }

    def run(self, steps: Iterable[Step]) -> Freed:
        roots = [root for step in steps if step.action.startswith("free") for root in self._roots(step)]
        reached = reach(self.space, roots, lambda pointer: pointer.travels)
        owed = [address for address in reversed(reached) if self._is_owed(address)]
        for address in owed:
            self._free(address)
        self._clear(roots, reached, owed)
        rest = [address for address in reversed(self.made) if self._is_owed(address)]
        for address in rest:
            self._free(address)
        return Freed(tuple(owed), tuple(rest))

    def _roots(self, step: Step) -> list[Place]:
        place = self.call.client_frame.place(step.name, self.call.frame_address)
        if step.action == "free" or not isinstance(place.plan, PointerPlan):
            return [place]
        own = referent(self.space, place)
        return [own] if own is not None else []

    def _is_owed(self, address: int) -> bool:
        block = self.space.block(address)
        return address in self.made and block is not None and block.live

    def _free(self, address: int) -> None:
        self.program.free(address, "application", "client-owns", self.program.pairs[self.made[address]])

    def _clear(self, roots: list[Place], reached: dict[int, Place], owed: list[int]) -> None:
        """Null the pointers of what stays that named what is gone."""
        gone = set(owed)
        stays = [place for address, place in reached.items() if self.space.capacity(address)]
        for place in (*roots, *stays):
            for pointer in pointers_in(self.space, place):
                if self.space.pointer_at(pointer.address) in gone:
                    self.space.set_pointer(pointer.address, 0)
