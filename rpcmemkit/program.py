"""A program on one side of the call: its memory and the allocator pair its stubs use.

The pair is the program's own to replace, as ``midl_user_allocate`` and ``midl_user_free`` are
(the-midl-user-allocate-function.md, the-midl-user-free-function.md): any functions will do that allocate in the
program's memory, return 0 when they cannot, and free what they allocated.
"""

from __future__ import annotations

from collections.abc import Callable

from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.memory import HEAPS, AddressSpace
from rpcmemkit.trace import Trace

OUT_OF_MEMORY = 14
UNSENT_LIMIT = 4 << 20  # octets a stub makes room for beyond what the size of the message justifies
_WHY = {
    "receive buffer": "lies in the received data: no allocator gave it out",
    "stack": "is the stub's own memory",
    "global": "is a global variable",
}


class Program:
    """The client or the server program.

    ``fail_after`` lets that many allocator calls succeed and makes every later one return a null pointer.
    """

    def __init__(self, side: str, pointer_size: int = 8, fail_after: int | None = None) -> None:
        self.space = AddressSpace(side, pointer_size)
        self.side = side
        self.fail_after = fail_after
        self.calls = 0
        self.midl_user_allocate: Callable[[int], int] = self.heap_allocate
        self.midl_user_free: Callable[[int], None] = self.heap_free
        self.environment: dict[int, int] | None = None
        """The blocks of the RpcSs memory environment while a stub has one set up, by address."""
        self.kept: set[int] = set()

    @property
    def trace(self) -> Trace:
        return self.space.trace

    # --- the default pair ---

    def heap_allocate(self, size: int) -> int:
        """Return a new block of ``size`` octets, aligned to 8: the kit's own ``midl_user_allocate``."""
        return self.space.add_block(size, "midl_user")

    def heap_free(self, address: int) -> None:
        """Free a block of :meth:`heap_allocate`: the kit's own ``midl_user_free``.

        Raises:
            MemoryFault: the address is not that of a live block of this allocator.
        """
        self.check_free(address, "midl_user")
        self.space.drop_block(address)

    def check_free(self, address: int, kind: str) -> None:
        """Raise the :class:`MemoryFault` that freeing ``address`` with the allocator of ``kind`` would be."""
        block = self.space.block(address)
        if block is None:
            raise self.space.fault(
                "not allocated", address, f"free of {address:#x}, which belongs to no block"
            )
        if block.kind not in HEAPS:
            raise self.space.fault(block.kind, address, f"free of {address:#x}, which {_WHY[block.kind]}")
        if block.address != address:
            raise self.space.fault(
                "inside a block",
                address,
                f"free of {address:#x}, {address - block.address} octets into a block of {block.size}",
            )
        if not block.live:
            raise self.space.fault("double free", address, f"the block at {address:#x} was freed before")
        if block.kind != kind:
            raise self.space.fault(
                "mismatched free",
                address,
                f"{kind} cannot free the block at {address:#x}, it came from {block.kind}",
            )

    # --- what stubs and routines call ---

    def allocate(self, size: int, actor: str, rule: str) -> int:
        """Call the allocator in force and return the block's address.

        Raises:
            RpcError: RPC_S_OUT_OF_MEMORY, the allocator returned a null pointer.
        """
        address = self.try_allocate(size, actor, rule)
        if not address:
            raise RpcError(OUT_OF_MEMORY, f"the allocator has no {size} octets", rule="allocator-null-raises")
        return address

    def try_allocate(self, size: int, actor: str, rule: str) -> int:
        """As :meth:`allocate`, but a failure is a null pointer: what the application itself sees."""
        name = "midl_user_allocate" if self.environment is None else "RpcSsAllocate"
        failing = self.fail_after is not None and self.calls >= self.fail_after
        self.calls += 1
        if failing:
            address = 0
        elif self.environment is None:
            address = self.midl_user_allocate(size)
        else:
            address = self.space.add_block(size, "RpcSs")
            self.environment[address] = size
        self.trace.raw.append(("allocate", self.side, actor, address, size, rule, name))
        return address

    def free(self, address: int, actor: str, rule: str) -> None:
        """Call the deallocator in force. A null pointer is left alone.

        Raises:
            MemoryFault: the block may not be freed with it.
        """
        if not address:
            return
        block = self.space.block(address)
        size = block.size if block else 0
        if self.environment is None:
            name = "midl_user_free"
            self.midl_user_free(address)
        else:
            name = "RpcSsFree"
            self.check_free(address, "RpcSs")
            self.space.drop_block(address)
            del self.environment[address]
        self.trace.raw.append(("free", self.side, actor, address, size, rule, name))

    def allocate_private(self, size: int, actor: str) -> int:
        """Allocate from the application's own memory, which no stub knows how to free."""
        address = self.space.add_block(size, "private")
        self.trace.raw.append(("allocate", self.side, actor, address, size, "", "private"))
        return address

    # --- the RpcSs environment ---

    def enable_environment(self) -> None:
        """Set up the RpcSs memory environment (rpcss-memory-management-package.md)."""
        self.environment = {}

    def disable_environment(self, actor: str, rule: str) -> None:
        """Release everything allocated in the environment, reachable or not, and the environment itself."""
        for address, size in (self.environment or {}).items():
            self.space.drop_block(address)
            self.trace.raw.append(("free", self.side, actor, address, size, rule, "RpcSsDisableAllocate"))
        self.environment = None

    def guarded_free(self, address: int, actor: str, rule: str) -> None:
        """Free ``address`` in a clean-up that must go on: a fault stays in the trace."""
        try:
            self.free(address, actor, rule)
        except MemoryFault:
            return

    def __repr__(self) -> str:
        return f"<Program {self.side}: {self.space!r}>"


class StubAllocator:
    """What a stub allocates for one message: no more than the ``received`` octets can justify, and noted in ``made``."""

    def __init__(self, program: Program, received: int) -> None:
        self.program = program
        self.made: list[int] = []
        self._left = UNSENT_LIMIT + 64 * received

    def allocate(self, size: int, rule: str) -> int:
        """Return a new block.

        Raises:
            RpcError: RPC_S_OUT_OF_MEMORY, from the allocator or because the message asks for too much.
        """
        self._left -= size
        if self._left < 0:
            raise RpcError(
                OUT_OF_MEMORY,
                f"the message asks for {size} octets that it does not send",
                rule="bad-data-rejected",
            )
        address = self.program.allocate(size, "stub", rule)
        self.made.append(address)
        return address
