"""Views: typed memory that reads and writes like Python objects, for routines and for looking at results.

``node.left.value`` reads through pointers, ``node.left = None`` makes a pointer null, ``node.left = node.right``
makes two pointers equal, ``node.left = call.new({...})`` allocates, and ``count[0] = 3`` is C's ``*count = 3``.
A null pointer reads as ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from rpcmemkit import given
from rpcmemkit.errors import OfThisProcess, RpcError, UsageError
from rpcmemkit.kinds import EventKind
from rpcmemkit.operations import IN_FORCE, Operations
from rpcmemkit.paths import c_text, step, value_place
from rpcmemkit.plan import ArrayPlan, BasePlan, PointerPlan, StructPlan
from rpcmemkit.program import Method, Program, Turn, in_turn
from rpcmemkit.reader import Reader
from rpcmemkit.records import equal, shown
from rpcmemkit.rpcss import RpcSm, RpcSs
from rpcmemkit.stubs.pipes import PipeEnd
from rpcmemkit.stubs.server import ServerCall, Serving
from rpcmemkit.values import UNWRITTEN, python_scalar
from rpcmemkit.walk import Place, presented, range_at


@dataclass(frozen=True)
class New:
    """A value for which storage is allocated when it is assigned to a pointer."""

    value: Any
    allocator: str = IN_FORCE


def _in_turn(method: Method) -> Method:
    """Let a method of a view wait for the turn of its session: another thread of Python may be in a call."""

    @wraps(method)
    def waiting(self: View, *arguments: Any) -> Any:
        with self._operations.program.turn:
            return method(self, *arguments)

    return waiting  # type: ignore[return-value]


class View(OfThisProcess):
    """One typed place in memory. The view of a pointer is its value: it stays when the pointer is changed later."""

    __slots__ = ("_address", "_operations", "_place")
    _stays = "it looks at memory of its session; calling it, view(), gives a plain value"

    def __init__(self, operations: Operations, place: Place) -> None:
        address = place.address
        if isinstance(place.plan, PointerPlan):
            address = operations.program.space.pointer_at(address)
        object.__setattr__(self, "_operations", operations)
        object.__setattr__(self, "_place", place)
        object.__setattr__(self, "_address", address)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        with self._operations.program.turn:
            return _show(self._operations, self._step("." + name))

    @_in_turn
    def __setattr__(self, name: str, value: Any) -> None:
        _assign(self._operations, self._step("." + name), value)

    @_in_turn
    def __getitem__(self, index: int) -> Any:
        return _show(self._operations, self._element(index))

    @_in_turn
    def __setitem__(self, index: int, value: Any) -> None:
        _assign(self._operations, self._element(index), value)

    @_in_turn
    def __call__(self) -> Any:
        """Return the whole value as plain Python data."""
        space, place = self._operations.program.space, self._place
        if not isinstance(place.plan, PointerPlan) or space.pointer_at(place.address) != self._address:
            place = self._target()
        return Reader(space).read({"value": place})["value"]

    @_in_turn
    def __len__(self) -> int:
        place = self._target()
        if not isinstance(place.plan, ArrayPlan):
            raise TypeError(f"{c_text(place.path)} is not an array")
        return sum(range_at(self._operations.program.space, place.plan, place))

    def __bool__(self) -> bool:
        return True  # a null pointer reads as None, so what can be seen is there

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, View):
            return address_of(self) == address_of(other)
        return equal(self(), other)

    def __hash__(self) -> int:
        return hash(address_of(self))

    @_in_turn
    def __dir__(self) -> list[str]:
        plan = value_place(self._operations.program.space, self._target(), c_text(self._place.path)).plan
        return [*plan.by_name] if isinstance(plan, StructPlan) else []

    def __repr__(self) -> str:
        lies = self._operations.program.space.lies(address_of(self))
        return f"<{c_text(self._place.path)} at {lies:#x}: {shown(self())}>"

    def _target(self) -> Place:
        """Return what the view's pointer names, or its own place if it is no pointer: C's ``*p``."""
        place: Place = self._place
        if not isinstance(place.plan, PointerPlan):
            return place
        return presented(place._replace(plan=place.plan.target, address=self._address))

    def _step(self, part: str) -> Place:
        return step(self._operations.program.space, self._target(), part, f"here{part}")

    def _element(self, index: int) -> Place:
        place = self._target()
        given.instance(f"the index of {c_text(place.path)}", index, int, "a number")
        if isinstance(place.plan, ArrayPlan):
            given.number(f"the index of {c_text(place.path)}", index)
            return self._step(f"[{index}]")
        if index == 0:
            return place
        raise IndexError(f"{c_text(place.path)} is a single value: only [0] exists")


def address_of(view: View) -> int:
    """Return the address a view stands for: what its pointer holds, or where its value lies."""
    address: int = given.instance("address_of", view, View, "a view")._address
    return address


def _show(operations: Operations, place: Place) -> Any:
    space = operations.program.space
    operations.program.trace.raw.append(
        (EventKind.READ, operations.program.side, operations.actor, place.address, place.plan.size, "", None)
    )
    if isinstance(place.plan, BasePlan):
        return python_scalar(place.plan, space.read(place.address, place.plan.size))
    if isinstance(place.plan, PointerPlan) and not space.pointer_at(place.address):
        return None
    return View(operations, place)


def _assign(operations: Operations, place: Place, value: Any) -> None:
    if isinstance(value, New):
        operations.allocate(place, UNWRITTEN if value.value is None else value.value, value.allocator)
    elif isinstance(value, View) and isinstance(place.plan, PointerPlan):
        operations.assign(place, address_of(value))
    else:
        operations.set(place, value() if isinstance(value, View) else _plain(value))


def _plain(value: Any) -> Any:
    """Return a value in which nothing is New: a plain dict or list says as much.

    Raises:
        UsageError: there is one inside.
    """
    pending, met = [value], set()
    while pending:
        item = pending.pop()
        if isinstance(item, New):
            raise UsageError(
                "call.new(…) inside a value: a plain dict or list there is enough, it gets new storage too"
            )
        if isinstance(item, Mapping | list | tuple) and id(item) not in met:
            met.add(id(item))
            pending += item.values() if isinstance(item, Mapping) else item
    return value


class Allocating:
    """What code that RPC calls may do with memory."""

    operations: Operations

    @property
    def turn(self) -> Turn:
        return self.operations.program.turn

    def new(self, value: Any, allocator: str = IN_FORCE) -> New:
        """Return a value for new storage; assigning it to a pointer allocates, with the allocator in force or another.

        Dicts and lists inside get new storage too. Members that they leave out are 0, as in an initializer of C; one that is
        :data:`rpcmemkit.UNWRITTEN`, or the whole value, stays as the allocator gives it. An assignment without ``new``, ``p.next = {…}``,
        writes to what the pointer names, and that faults when it is null.

        Raises:
            UsageError: there is another ``call.new(…)`` inside the value.
        """
        return New(_plain(value), allocator)

    @in_turn
    def free(self, view: View | None, deallocator: str = IN_FORCE) -> None:
        """Free what the view's pointer names, with the deallocator in force or another. ``None`` is left alone.

        Raises:
            MemoryFault: it may not be freed.
        """
        if view is not None:
            self.operations.free_at(address_of(view), deallocator)


class RoutineCall(Allocating):
    """What a Python routine gets first: the RPC functions a server routine may call."""

    def __init__(self, call: ServerCall) -> None:
        self._call = call
        self.operations = Operations(call.program, "routine")
        self.rpcss = RpcSs(call.program, "routine")
        """The RpcSs functions, which raise what goes wrong."""
        self.rpcsm = RpcSm(call.program, "routine")
        """The RpcSm functions, which return it."""

    @in_turn
    def argument(self, name: str) -> Any:
        """Return an argument: a number, ``None`` for a null pointer, a :class:`PipeEnd`, else a view."""
        given.known("the argument", name, self._call.frame.plan.by_name)
        if self._call.pipes is not None and name in self._call.pipes:
            return PipeEnd(self._call.pipes, name)
        place = self._call.place(name)
        if isinstance(place.plan, BasePlan):
            return python_scalar(place.plan, self._call.program.space.read(place.address, place.plan.size))
        if isinstance(place.plan, PointerPlan) and not self._call.program.space.pointer_at(place.address):
            return None
        return View(self.operations, place)

    # --- asynchronous calls ---

    @in_turn
    def complete(self, result: Any = None) -> int:
        """RpcAsyncCompleteCall: send the reply and let go of the parameters; return the status that the client gets.

        Raises:
            RpcError: RPC_S_INVALID_ASYNC_HANDLE, the call has ended before.
            UsageError: the call is not asynchronous.
        """
        handle = self._handle()
        if result is not None:
            self.set_result(result)
        return handle.complete()

    @in_turn
    def abort(self, code: int) -> None:
        """RpcAsyncAbortCall: let go of the parameters; the client gets the exception ``code``. Raises as :meth:`complete`."""
        self._handle().abort(_exception(code))

    def test_cancel(self) -> int:
        """RpcServerTestCancel: 0 if the client has cancelled the call, else RPC_S_CALL_IN_PROGRESS (1791)."""
        return self._handle().test_cancel()

    def _handle(self) -> Serving:
        if self._call.handle is None:
            raise UsageError("the call is not asynchronous: begin it with session.begin(…)")
        return self._call.handle

    def raise_exception(self, code: int) -> None:
        """End the call as ``RpcRaiseException(code)`` does.

        Raises:
            RpcError: always.
            UsageError: ``code`` is no number of 32 bits.
        """
        raise RpcError(_exception(code), rule="server-exception-reaches-client")

    @in_turn
    def set_result(self, value: Any) -> None:
        """Store what the function returns."""
        place = self._call.result
        if place is None:
            if value is not None:
                raise UsageError(f"{self._call.frame.procedure.name} returns void, not {value!r}")
        elif isinstance(value, View) and isinstance(place.plan, PointerPlan):
            self.operations.assign(place, address_of(value))
        elif value is not None:
            made = value if isinstance(value, New) else New(_plain(value))
            self.operations.result_storage(place, made.value, made.allocator)


def _exception(code: int) -> int:
    return given.number("an exception code", code, "a number of 32 bits, such as 1726", most=0xFFFFFFFF)


class ConversionCall(Allocating):
    """What a conversion routine gets first: the allocator of the program in which it runs."""

    def __init__(self, program: Program) -> None:
        self.operations = Operations(program, "conversion")

    @classmethod
    def of(cls, program: Program, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the routine as the stub calls it: its pointers become views."""

        def run(*arguments: Any) -> Any:
            call = cls(program)
            given = [View(call.operations, each) if isinstance(each, Place) else each for each in arguments]
            return function(call, *given)

        return run
