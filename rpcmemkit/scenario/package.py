"""The RpcSs package in scenario files: its functions as actions, what is observed of them, what is left undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rpcmemkit.audit import balance, returned
from rpcmemkit.errors import UsageError
from rpcmemkit.kinds import EventKind
from rpcmemkit.plan import PointerPlan
from rpcmemkit.program import Program
from rpcmemkit.rpcss import RpcSm, RpcSs
from rpcmemkit.trace import Fault, Trace
from rpcmemkit.walk import Place


class Package:
    """Carries out the ``rpcss`` actions of one side, and remembers the blocks, handles and pairs that they name."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.names: dict[tuple[str, str], Any] = {}
        """What ``as`` has named: by the key that takes it, ``block``, ``handle`` or ``pair``, and the name."""

    def act(self, actor: str, action: Mapping[str, Any], resolve: Callable[[str], Place]) -> None:
        """Call one function of the package, the raising or the returning one as its name says.

        Raises:
            UsageError: an argument is missing, or names nothing.
            RpcError, MemoryFault: what the function raises.
        """
        function = action["rpcss"]
        face: Any = (RpcSm if function.startswith("RpcSm") else RpcSs)(self.program, actor)
        match function[5:]:
            case "EnableAllocate":
                face.enable_allocate()
            case "DisableAllocate":
                face.disable_allocate()
            case "Allocate":
                self._keep(action, "block", face.allocate(self._given(action, "size")))
            case "Free":
                face.free(self._block(action, resolve))
            case "ClientFree":
                face.client_free(self._block(action, resolve))
            case "GetThreadHandle":
                self._keep(action, "handle", face.get_thread_handle())
            case "SetThreadHandle":
                face.set_thread_handle(self._named(action, "handle") or 0)
            case "SetClientAllocFree":
                face.set_client_alloc_free(*self._pair(action))
            case _:
                self._keep(action, "pair", face.swap_client_alloc_free(*self._pair(action)))

    def _keep(self, action: Mapping[str, Any], key: str, result: Any) -> None:
        """Remember a result; the functions that return a status return it beside the result."""
        if "as" in action:
            self.names[key, action["as"]] = result[0] if action["rpcss"].startswith("RpcSm") else result
            if key == "block":
                self._note(action["as"])

    def _given(self, action: Mapping[str, Any], key: str) -> Any:
        if key not in action:
            raise UsageError(f"{action['rpcss']} takes `{key}`")
        return action[key]

    def _named(self, action: Mapping[str, Any], key: str) -> Any:
        """Return what ``as`` has called by the name under ``key``; null stands for none."""
        name = self._given(action, key)
        if name is None:
            return None
        if (key, name) not in self.names:
            known = ", ".join(other for kind, other in self.names if kind == key) or "nothing yet"
            raise UsageError(f"no {key} was called {name!r} by an `as` before; there is: {known}")
        return self.names[key, name]

    def _block(self, action: Mapping[str, Any], resolve: Callable[[str], Place]) -> int:
        """Return the address behind ``block``: a name from ``as``, else the path of a pointer."""
        name = self._given(action, "block")
        if ("block", name) in self.names:
            self._note(name)
            return int(self.names["block", name])
        place = resolve(name)
        if not isinstance(place.plan, PointerPlan):
            raise UsageError(f"{name}: only what a pointer names can be freed")
        return self.program.space.pointer_at(place.address)

    def _note(self, name: str) -> None:
        """Say in the trace what a block is called."""
        side, address = self.program.side, int(self.names["block", name])
        if address:
            self.program.trace.add(EventKind.NAME, side, "", address, 0, "", name)

    def _pair(self, action: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the two functions behind ``pair``: an allocator's name, one from ``as``, or null for no functions."""
        known = self.program.pairs.get(self._given(action, "pair"))
        if known:
            return known.allocate, known.free
        return self._named(action, "pair") or (None, None)


def package_observed(trace: Trace) -> dict[str, Any]:
    """Return what a step did with the package, and its memory faults, under the keys of ``expect``."""
    return {
        "faults": [event.of(Fault).kind for event in trace.select(EventKind.FAULT)],
        "marked": sum(1 for _ in trace.select(EventKind.MARK)),
        "statuses": returned(trace),
        "environments_left": balance(trace),
    }


def findings(program: Program) -> list[str]:
    """Return a sentence for every environment that the application of a side has enabled and not disabled."""
    return [
        f"{program.side}: RpcSs environment {each.number} is still enabled, "
        f"for want of RpcSmDisableAllocate ({_times(len(each.levels))}); "
        f"bytes that wait in it: {sum(each.blocks.values())}"
        for each in program.environments.values()
        if each.owner == "application"
    ]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
