"""The RpcSs package as code calls it: memory environments, thread handles, the client stubs' pair.

Two faces of one implementation: :class:`RpcSs` raises what goes wrong, as the ``RpcSs…`` functions do, and
:class:`RpcSm` returns it as a status, as the ``RpcSm…`` functions do. The package is obsolete on Windows; DCE programs
live by it (rpcss-memory-management-package.md, nf-rpcndr-rpcsm*.md, nf-rpcndr-rpcss*.md).

What the pages leave open is a :class:`~rpcmemkit.errors.UsageError`: a function that needs an environment where there
is none, a disable call without its enable call, a thread handle of an environment that was released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from rpcmemkit import given
from rpcmemkit.errors import RpcError, UsageError
from rpcmemkit.kinds import EventKind
from rpcmemkit.program import LARGEST_BLOCK, MemoryEnvironment, Pair, Program
from rpcmemkit.status import INVALID_ARG, OUT_OF_MEMORY
from rpcmemkit.trace import PackageCall

OK = 0
Allocate = Callable[[int], int]
Free = Callable[[int], None]


class RpcSs:
    """The functions that raise. ``actor`` is who calls them: ``routine`` or ``application``; ``prefix`` begins their names."""

    def __init__(self, program: Program, actor: str = "application", prefix: str = "RpcSs") -> None:
        self.program = program
        self.actor = actor
        self.prefix = prefix

    # --- the environment ---

    def enable_allocate(self) -> None:
        """Set up the memory environment of this thread, or open a further level in the one it has.

        Raises:
            RpcError: RPC_S_OUT_OF_MEMORY.

        Source: nf-rpcndr-rpcssenableallocate.md.
        """
        with self._noted("EnableAllocate"):
            self._need_memory()
            self.program.enable_environment("application")

    def disable_allocate(self) -> None:
        """Release all that was allocated in the environment since its last enable call, marked or not.

        Raises:
            UsageError: there is no enable call that it could be the pair of.

        Source: nf-rpcndr-rpcssdisableallocate.md.
        """
        with self._noted("DisableAllocate"):
            function = f"{self.prefix}DisableAllocate"
            self.program.close_environment(self.actor, "environment-frees-since-enable", function)

    def allocate(self, size: int) -> int:
        """Return the address of a new block of ``size`` bytes in the environment.

        Raises:
            RpcError: RPC_S_OUT_OF_MEMORY.
            UsageError: the thread has no environment, or ``size`` is no number of bytes.

        Source: nf-rpcndr-rpcssallocate.md.
        """
        given.number(f"the size for {self.prefix}Allocate", size, "a number of bytes")
        with self._noted("Allocate"):
            if size > LARGEST_BLOCK:
                raise self._out_of_memory()
            address = self.program.try_allocate(size, self.actor, "environment-allocates", self._pair)
            if not address:
                raise self._out_of_memory()
        return address

    def free(self, address: int) -> None:
        """Mark a block of the environment as freed; its memory comes back with the disable call. DCE frees at once.

        Raises:
            MemoryFault: it is no block of this thread's environment, or was freed before.
            UsageError: the thread has no environment.

        Source: nf-rpcndr-rpcsmfree.md.
        """
        given.number(f"what {self.prefix}Free gets", address, "an address")
        with self._noted("Free"):
            self.program.free(address, self.actor, "environment-marks-freed", self._pair)

    # --- threads ---

    def get_thread_handle(self) -> int:
        """Return the handle of this thread's environment, or 0 if it has none (nf-rpcndr-rpcssgetthreadhandle.md)."""
        with self._noted("GetThreadHandle"):
            environment = self.program.environment
        return environment.number if environment else 0

    def set_thread_handle(self, handle: int) -> None:
        """Make the environment of ``handle`` that of this thread; 0 leaves it without one.

        Raises:
            UsageError: no such environment exists.

        Source: nf-rpcndr-rpcsssetthreadhandle.md.
        """
        given.number("the thread handle", handle, "what GetThreadHandle gave")
        with self._noted("SetThreadHandle"):
            self.program.thread.environment = self._of_handle(handle)

    def _of_handle(self, handle: int) -> MemoryEnvironment | None:
        if handle and handle not in self.program.environments:
            raise UsageError(f"{handle} is not the thread handle of an environment that exists")
        return self.program.environments.get(handle)

    # --- the client stubs' pair ---

    def set_client_alloc_free(self, allocate: Allocate | None, free: Free | None) -> None:
        """Make the client stubs of this thread call ``allocate`` and ``free``.

        Raises:
            RpcError: RPC_S_OUT_OF_MEMORY.
            UsageError: one of the two is null; what happens then is not documented.

        Source: nf-rpcndr-rpcsssetclientallocfree.md.
        """
        if allocate is None or free is None:
            raise UsageError(f"{self.prefix}SetClientAllocFree takes two functions")
        pair = _pair(allocate, free)
        with self._noted("SetClientAllocFree"):
            self._need_memory()
            self.program.thread.client_pair = pair

    def swap_client_alloc_free(self, allocate: Allocate | None, free: Free | None) -> tuple[Allocate, Free]:
        """As :meth:`set_client_alloc_free`; return the pair that was in force, so that it can be restored.

        Raises:
            RpcError: RPC_S_INVALID_ARG, one of the two is null; RPC_S_OUT_OF_MEMORY.

        Source: nf-rpcndr-rpcsmswapclientallocfree.md, nf-rpcndr-rpcssswapclientallocfree.md.
        """
        with self._noted("SwapClientAllocFree"), self.program.client_stub(self.program.sensitive):
            if allocate is None or free is None:
                raise RpcError(INVALID_ARG, rule="client-pair-replaced")
            self._need_memory()
            before = self.program.pair
            self.program.thread.client_pair = _pair(allocate, free)
        return before.allocate, before.free

    def client_free(self, address: int) -> None:
        """Free what a client stub of this thread returned, with the deallocator that its stubs use.

        Raises:
            MemoryFault: it came from another allocator, or from another thread's environment.

        Source: nf-rpcndr-rpcsmclientfree.md.
        """
        given.number(f"what {self.prefix}ClientFree gets", address, "an address")
        with self._noted("ClientFree"), self.program.client_stub(self.program.sensitive):
            self.program.free(address, self.actor, "client-frees-through-package")

    # --- helpers ---

    @property
    def _pair(self) -> Pair:
        return self.program.pairs[f"{self.prefix}Allocate"]

    def _need_memory(self) -> None:
        if self.program.exhausted:
            raise self._out_of_memory()

    def _out_of_memory(self) -> RpcError:
        return RpcError(OUT_OF_MEMORY, rule="allocator-null-raises")

    @contextmanager
    def _noted(self, function: str) -> Iterator[None]:
        """Record the call with the status it ends in; the detail is the function and the status."""
        try:
            yield
        except RpcError as error:
            self._note(function, error.code)
            raise
        self._note(function, OK)

    def _note(self, function: str, code: int) -> None:
        program, environment = self.program, self.program.environment
        number = environment.number if environment else 0
        detail = PackageCall(self.prefix, function, code, number, program.thread.name)
        rule = _RULES.get(function, "environment-of-a-thread")
        program.trace.add(EventKind.RPCSS, program.side, self.actor, 0, 0, rule, detail)


_RULES = {
    "EnableAllocate": "environment-pairs",
    "DisableAllocate": "environment-pairs",
    "Allocate": "environment-allocates",
    "Free": "environment-marks-freed",
    "SetClientAllocFree": "client-pair-replaced",
    "SwapClientAllocFree": "client-pair-replaced",
    "ClientFree": "client-frees-through-package",
}


def _with_status(function: Callable[..., Any], otherwise: Any) -> Callable[..., tuple[Any, int]]:
    """Return a function that returns RPC_S_OK beside the result, or ``otherwise`` and the status that is raised."""

    @wraps(function)
    def returning(self: RpcSm, *arguments: Any, **named: Any) -> tuple[Any, int]:
        try:
            return function(self._functions, *arguments, **named), OK
        except RpcError as error:
            return otherwise, error.code

    return returning


def _status_of(function: Callable[..., None]) -> Callable[..., int]:
    """Return a function that returns RPC_S_OK, or the status that is raised."""
    returning = _with_status(function, None)

    @wraps(function)
    def status(self: RpcSm, *arguments: Any, **named: Any) -> int:
        return returning(self, *arguments, **named)[1]

    return status


class RpcSm:
    """The functions that return a status: each does what that of :class:`RpcSs` does, and returns what it raises.

    Those that have a result return it with the status: 0, or of the swapped pair ``None``, where there is none.
    Sources: nf-rpcndr-rpcsm*.md, a page for each.
    """

    def __init__(self, program: Program, actor: str = "application") -> None:
        self._functions = RpcSs(program, actor, "RpcSm")

    enable_allocate = _status_of(RpcSs.enable_allocate)
    disable_allocate = _status_of(RpcSs.disable_allocate)
    allocate = _with_status(RpcSs.allocate, 0)
    free = _status_of(RpcSs.free)
    get_thread_handle = _with_status(RpcSs.get_thread_handle, 0)
    set_thread_handle = _status_of(RpcSs.set_thread_handle)
    set_client_alloc_free = _status_of(RpcSs.set_client_alloc_free)
    swap_client_alloc_free = _with_status(RpcSs.swap_client_alloc_free, None)
    client_free = _status_of(RpcSs.client_free)


def _pair(allocate: Allocate, free: Free) -> Pair:
    given.function("the allocator of the pair", allocate, ("size",))
    given.function("the deallocator of the pair", free, ("address",))
    return Pair(_name_of(allocate, "ClientAlloc"), _name_of(free, "ClientFree"), allocate, free)


def _name_of(function: Callable[..., Any], otherwise: str) -> str:
    name = str(getattr(function, "__name__", otherwise))
    return name if name.isidentifier() else otherwise
