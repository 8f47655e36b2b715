"""What application code does to memory: set, allocate, point, free. Used by routines, views and scenario files."""

from __future__ import annotations

from typing import Any

from rpcmemkit.errors import RpcError, UsageError
from rpcmemkit.paths import value_place
from rpcmemkit.plan import ArrayPlan, Plan, PointerPlan
from rpcmemkit.program import OUT_OF_MEMORY, Program
from rpcmemkit.trace import path_text
from rpcmemkit.values import Labels, Writer, elements_of, storage_size
from rpcmemkit.walk import Place

ALLOCATORS = ("midl_user_allocate", "RpcSmAllocate", "RpcSsAllocate", "private")


class Operations:
    """Memory operations of one actor, ``routine`` on the server or ``application`` on the client."""

    def __init__(self, program: Program, actor: str, labels: Labels | None = None) -> None:
        self.program = program
        self.actor = actor
        self.labels = labels

    def set(self, place: Place, value: Any) -> None:
        """Write a value in place: through pointers, except that ``None`` makes the pointer itself null.

        Raises:
            UsageError: the value does not fit the type.
            MemoryFault: the place may not be written.
        """
        path = path_text(place.path)
        if value is not None:
            place = value_place(self.program.space, place, path)
        elif not isinstance(place.plan, PointerPlan):
            raise UsageError(f"{path}: only a pointer can be null")
        if isinstance(place.plan, ArrayPlan):
            self._check_room(place, place.plan, value)
        self._write(place, value, lambda size: self._allocate(size, "midl_user_allocate"))

    def allocate(self, place: Place, value: Any, allocator: str = "midl_user_allocate") -> int:
        """Allocate new storage for a value, write it there, and make the pointer at ``place`` name it.

        Raises:
            UsageError: the place holds no pointer, or the allocator needs an environment that nobody set up.
            RpcError: RPC_S_OUT_OF_MEMORY, as a careful routine would raise it.
        """
        if not isinstance(place.plan, PointerPlan):
            raise UsageError(f"{path_text(place.path)}: only a pointer can name new storage")
        target = place.plan.target
        address = self._allocate(storage_size(target, value, place.path), allocator)
        self.program.space.set_pointer(place.address, address)
        self._note("write", place.address, place.plan.size)
        inner = Place(target, address, place.scope, place.path)
        if value is not None:
            self._clear(target, address)
            self._write(inner, value, lambda size: self._allocate(size, allocator))
        return address

    def point(self, place: Place, other: Place) -> None:
        """Make the pointer at ``place`` equal to the one at ``other``."""
        if not isinstance(place.plan, PointerPlan) or not isinstance(other.plan, PointerPlan):
            where = place if not isinstance(place.plan, PointerPlan) else other
            raise UsageError(f"{path_text(where.path)}: there is no pointer")
        self.assign(place, self.program.space.pointer_at(other.address))

    def assign(self, place: Place, address: int) -> None:
        """Store an address in the pointer at ``place``."""
        self.program.space.set_pointer(place.address, address)
        self._note("write", place.address, place.plan.size)

    def free(self, place: Place) -> int:
        """Free the storage that the pointer at ``place`` names, and return its address. The pointer keeps its value.

        Raises:
            MemoryFault: the storage may not be freed.
        """
        if not isinstance(place.plan, PointerPlan):
            raise UsageError(f"{path_text(place.path)}: only what a pointer names can be freed")
        return self.free_at(self.program.space.pointer_at(place.address))

    def free_at(self, address: int) -> int:
        """Free the storage at ``address``, and return it. What the application allocated for itself goes the same way.

        Raises:
            MemoryFault: the storage may not be freed.
        """
        space = self.program.space
        block = space.block(address)
        rule = "routine-frees" if self.actor == "routine" else "client-owns"
        if block is None or block.kind != "application":
            self.program.free(address, self.actor, rule)
            return address
        self.program.check_free(address, "application")
        space.drop_block(address)
        space.trace.add("free", self.program.side, self.actor, address, block.size, rule, "free")
        return address

    def result_storage(self, place: Place, value: Any) -> None:
        """Write a function's result: a structure behind a pointer is new storage from the routine's allocator."""
        if isinstance(place.plan, PointerPlan) and value is not None:
            self.allocate(place, value)
        else:
            self._write(place, value, lambda size: self._allocate(size, "midl_user_allocate"))

    # --- helpers ---

    def _allocate(self, size: int, allocator: str) -> int:
        if allocator not in ALLOCATORS:
            raise UsageError(f"no allocator is called {allocator!r}; there are: {', '.join(ALLOCATORS)}")
        if allocator == "private":
            return self.program.allocate_private(size, self.actor)
        if allocator != "midl_user_allocate" and self.program.environment is None:
            raise UsageError(
                f"{allocator} needs the RpcSs environment: put [enable_allocate] in the ACF, or use osf: true"
            )
        address = self.program.try_allocate(size, self.actor, f"{self.actor}-allocates")
        if not address:
            raise RpcError(
                OUT_OF_MEMORY, "the allocator returned a null pointer", rule="allocator-null-raises"
            )
        return address

    def _clear(self, plan: Plan, address: int) -> None:
        size = self.program.space.capacity(address)
        self.program.space.write(address, bytes(size))

    def _check_room(self, place: Place, plan: ArrayPlan, value: Any) -> None:
        items = elements_of(plan, value, place.path)
        needed = len(items) if isinstance(items, bytes) else len(items) * plan.stride
        self.program.space.check(place.address, needed, f"write of {needed} octets")

    def _write(self, place: Place, value: Any, allocate: Any) -> None:
        writer = Writer(self.program.space, allocate, self.labels)
        writer.write(place, value)
        writer.finish()
        self._note("write", place.address, max(place.plan.size, 1))

    def _note(self, kind: str, address: int, size: int) -> None:
        self.program.trace.raw.append((kind, self.program.side, self.actor, address, size, "", None))
