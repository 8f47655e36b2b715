"""A program on one side of the call: its memory, its allocator pairs, its threads and their RpcSs environments.

The pair ``midl_user_allocate``/``midl_user_free`` is the program's own to replace (the-midl-user-allocate-function.md,
the-midl-user-free-function.md): any functions will do that allocate in the program's memory, return 0 when they
cannot, and free what they allocated. Which pair is *in force* follows from the stub at work, see :attr:`Program.pair`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import wraps
from threading import RLock
from typing import Any, NamedTuple, TypeVar

from rpcmemkit.errors import MemoryFault, OfThisProcess, RpcError, UsageError, counted
from rpcmemkit.kinds import BlockKind, EventKind, FaultKind
from rpcmemkit.ledger import Row
from rpcmemkit.memory import AddressSpace
from rpcmemkit.paths import c_text
from rpcmemkit.status import OUT_OF_MEMORY
from rpcmemkit.trace import Run, Trace

LARGEST_BLOCK = 1 << 28  # bytes; who asks for more finds no memory
UNSENT_LIMIT = 4 << 20  # bytes a stub makes room for beyond what the size of the message justifies
OUT_LIMIT = 32 << 20
"""Bytes of [out] storage that a stub provides because a request says how large it is. Only here a few bytes may ask for much."""
DISABLING = ("RpcSsDisableAllocate", "RpcSmDisableAllocate")
"""The functions that release a whole environment: what they free was not freed block by block."""

_FUNCTIONS = {
    "midl_user_allocate": (BlockKind.MIDL_USER, "midl_user_free"),
    "RpcSsAllocate": (BlockKind.RPCSS, "RpcSsFree"),
    "RpcSmAllocate": (BlockKind.RPCSS, "RpcSmFree"),
    "CoTaskMemAlloc": (BlockKind.TASK, "CoTaskMemFree"),
    "malloc": (BlockKind.APPLICATION, "free"),
}
"""Every allocator there is: the kind of its blocks, and the deallocator that belongs to it."""

ALLOCATORS = tuple(_FUNCTIONS)
_FREES = dict(_FUNCTIONS.values())
DEALLOCATORS = {free: allocate for allocate, (_, free) in _FUNCTIONS.items()}


def default_allocator(osf: bool, is_object: bool) -> str:
    """Return the allocator of stubs that use no RpcSs environment."""
    return "CoTaskMemAlloc" if is_object else "malloc" if osf else "midl_user_allocate"


def deallocator_of(allocator: str) -> str:
    """Return the name of the deallocator that belongs to an allocator."""
    return _FUNCTIONS[allocator][1]


PATIENCE = 5.0
"""Seconds for which a thread waits for another one that does nothing."""


class Turn:
    """Whose turn it is: two programs with one interface between them do one thing at a time.

    What one thread of Python does to them, a call above all, is in one trace. Another thread waits until it is done; the
    same thread may go on, as a routine does that makes a call. (The threads of :class:`Thread` are simulated ones.)
    """

    def __init__(self, *programs: Program) -> None:
        self._lock = RLock()
        self._programs = programs

    def __enter__(self) -> None:
        if self._lock.acquire(blocking=False):
            return
        done = self._done()
        while not self._lock.acquire(timeout=PATIENCE):
            if done == (done := self._done()):
                raise UsageError(
                    f"another thread has been in a call of this session for {PATIENCE:g} seconds and does nothing: if its "
                    "routine waits for this thread, neither goes on; make the call in the routine's own thread, or in a "
                    "session of its own"
                )

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    def _done(self) -> list[tuple[int, int]]:
        return [(id(program.space.trace), program.space.trace.now) for program in self._programs]


Method = TypeVar("Method", bound=Callable[..., Any])


def in_turn(method: Method) -> Method:
    """Let a method of something that has a ``turn`` wait for it."""

    @wraps(method)
    def waiting(self: Any, *arguments: Any, **named: Any) -> Any:
        with self.turn:
            return method(self, *arguments, **named)

    return waiting  # type: ignore[return-value]


class Pair(NamedTuple):
    """An allocator and its deallocator: the names they have in the trace, and the functions."""

    name: str
    free_name: str
    allocate: Callable[[int], int]
    free: Callable[[int], None]


@dataclass(eq=False)
class MemoryEnvironment:
    """One RpcSs memory environment: what was allocated in it, by address, since each enable call that is still open.

    ``number`` is its thread handle; ``owner`` is ``stub`` or ``application``, whoever set it up.
    """

    number: int
    owner: str
    levels: list[dict[int, int]] = field(default_factory=lambda: [{}])

    @property
    def blocks(self) -> dict[int, int]:
        """The size of every block, freed for later or not, by its address."""
        return {address: size for level in self.levels for address, size in level.items()}

    def level_of(self, address: int) -> dict[int, int] | None:
        """Return the level that a block was allocated in, or ``None`` if it is none of this environment."""
        return next((level for level in reversed(self.levels) if address in level), None)


@dataclass(eq=False)
class Thread:
    """One simulated thread: its memory environment, and the pair that it has set for its client stubs."""

    name: str
    environment: MemoryEnvironment | None = None
    client_pair: Pair | None = None


class Program(OfThisProcess):
    """The client or the server program.

    ``fail_after`` lets that many allocator calls succeed and makes every later one return a null pointer. ``osf``
    selects DCE's memory management, ``is_object`` COM's task allocator, the pair of ``[object]`` interfaces.
    """

    def __init__(
        self,
        side: str,
        pointer_size: int = 8,
        fail_after: int | None = None,
        *,
        osf: bool = False,
        is_object: bool = False,
    ) -> None:
        self.space = AddressSpace(side, pointer_size)
        self.space.describe = c_text
        self.turn = Turn(self)
        self.side = side
        self.fail_after = fail_after
        self.osf = osf
        self.default = default_allocator(osf, is_object)
        self.calls = 0
        self._remote_calls = 0
        self.midl_user_allocate: Callable[[int], int] = self.heap_allocate
        self.midl_user_free: Callable[[int], None] = self.heap_free
        self.pairs = {name: self._pair(name) for name in ALLOCATORS}
        self.thread = Thread("main")
        self.threads = {"main": self.thread}
        self.environments: dict[int, MemoryEnvironment] = {}
        """The memory environments that exist, by thread handle."""
        self.sensitive = osf
        """Whether the client stub that ran last looks at the RpcSs environment (enable-allocate.md)."""
        self._served: list[tuple[Thread, MemoryEnvironment | None, MemoryEnvironment]] = []
        self._made_environments = 0
        self._in_client_stub = side == "client"

    @property
    def trace(self) -> Trace:
        return self.space.trace

    @contextmanager
    def remote_call(self) -> Iterator[None]:
        """A remote call is under way, perhaps inside another: a routine may make some. The outer one keeps its trace."""
        with self.turn:
            outer = self.space.trace
            self._remote_calls += 1
            try:
                yield
            finally:
                self._remote_calls -= 1
                if self._remote_calls:
                    self.space.trace = outer
                else:
                    self.space.forget()

    # --- the pairs ---

    def _pair(self, name: str) -> Pair:
        kind, free_name = _FUNCTIONS[name]

        def allocate(size: int) -> int:
            if kind is BlockKind.MIDL_USER:
                return self.midl_user_allocate(size)
            if kind is BlockKind.RPCSS:
                return self.environment_allocate(size, name)
            return self.space.add_block(size, kind)

        def free(address: int) -> None:
            if kind is BlockKind.MIDL_USER:
                self.midl_user_free(address)
            elif kind is BlockKind.RPCSS:
                self.environment_free(address, free_name)
            else:
                self._heap_free(address, kind)

        allocate.__name__, free.__name__ = name, free_name
        return Pair(name, free_name, allocate, free)

    @property
    def pair(self) -> Pair:
        """The pair in force: that of the stub at work, which the code around it does well to use too.

        A server stub uses the RpcSs package in an environment of its own. A client stub uses what its thread has set
        with ``RpcSmSetClientAllocFree``, then the package if it is sensitive to it and there is an environment. Else
        it is the default: ``midl_user_allocate``, COM's task allocator for ``[object]``, ``malloc`` in DCE mode.

        Sources: rpcss-memory-management-package.md, enable-allocate.md, nf-rpcndr-rpcsmsetclientallocfree.md.
        """
        if self._in_client_stub:
            if self.thread.client_pair:
                return self.thread.client_pair
            if self.sensitive and self.environment:
                return self.pairs["RpcSsAllocate"]
        elif self._served:
            return self.pairs["RpcSsAllocate"]
        return self.pairs[self.default]

    def row_kind(self, *, freeing: bool = False) -> BlockKind | None:
        """Return the kind of the blocks that the pair in force handles many at a time, or ``None``.

        Functions of the application's, an environment and an allocator that is to fail are called for each block.
        """
        pair = self.pair
        if self.pairs.get(pair.name) is not pair:
            return None
        kind = _FUNCTIONS[pair.name][0]
        own = (
            self.midl_user_free == self.heap_free
            if freeing
            else self.midl_user_allocate == self.heap_allocate
        )
        if (
            kind is BlockKind.RPCSS
            or (kind is BlockKind.MIDL_USER and not own)
            or (self.fail_after is not None and not freeing)
        ):
            return None
        return kind

    def allocate_row(self, data: bytes | bytearray, sizes: Sequence[int]) -> Row:
        """As the pair in force does it for each of the sizes; the blocks hold ``data`` already. Nothing is noted."""
        kind = self.row_kind()
        assert kind is not None
        return self.space.add_blocks(data, sizes, kind)

    def free_row(self, addresses: Sequence[int], actor: str, rule: str) -> bool:
        """Free many blocks at once, as :meth:`free` does one by one; return ``False``, with nothing done, if that cannot be."""
        row = (
            self.space.row_of(addresses, kind)
            if (kind := self.row_kind(freeing=True)) and addresses
            else None
        )
        if row is None:
            return False
        blocks = Row(self.space.ledger, row)
        extents: Sequence[int] = blocks.sizes
        if list(blocks) != list(addresses):
            room = dict(zip(blocks, extents, strict=True))
            extents = list(map(room.__getitem__, addresses))
        else:
            addresses = blocks
        self.space.drop_row(row)
        like = (EventKind.FREE, self.side, actor, 0, 0, rule, self.pair.free_name)
        self.space.trace.raw.append(Run.of_blocks(like, addresses, extents))
        return True

    @contextmanager
    def client_stub(self, sensitive: bool) -> Iterator[None]:
        """A client stub of this program is at work, perhaps inside a manager routine (a nested call)."""
        before, self._in_client_stub, self.sensitive = self._in_client_stub, True, sensitive
        try:
            yield
        finally:
            self._in_client_stub = before

    def heap_allocate(self, size: int) -> int:
        """Return a new block of ``size`` bytes, aligned to 8: the kit's own ``midl_user_allocate``."""
        with self.turn:
            return self.space.add_block(size, BlockKind.MIDL_USER)

    def heap_free(self, address: int) -> None:
        """Free a block of :meth:`heap_allocate`: the kit's own ``midl_user_free``. It leaves a null pointer alone, as C's ``free`` does.

        Raises:
            MemoryFault: the address is not that of a live block of this allocator.
        """
        if address:
            with self.turn:
                self._heap_free(address, BlockKind.MIDL_USER)

    def _heap_free(self, address: int, kind: BlockKind) -> None:
        self.check_free(address, kind)
        self.space.drop_block(address)

    def check_free(self, address: int, kind: BlockKind, function: str = "") -> None:
        """Raise the :class:`MemoryFault` that freeing ``address`` would be, with the deallocator of ``kind``.

        ``function`` is its name, where ``kind`` has more than one.
        """
        if self.space.is_allocated(address, kind) and kind.heap:
            return
        block = self.space.block(address)
        if block is None:
            raise self.space.fault(FaultKind.NOT_ALLOCATED, address, f"free of {self.space.nowhere(address)}")
        if not block.kind.heap:
            raise self.space.fault(
                FaultKind(block.kind), address, f"free of {address:#x}, which {block.kind.frees}"
            )
        if block.address != address:
            raise self.space.fault(
                FaultKind.INSIDE_A_BLOCK,
                address,
                f"free of {address:#x}, {counted(address - block.address, 'byte')} into a block of {block.size}",
            )
        if not block.live or self.space.is_marked(address):
            raise self.space.fault(
                FaultKind.DOUBLE_FREE, address, f"the block at {address:#x} was freed before"
            )
        if block.kind is not kind:
            came, right = block.kind.gave, block.kind.frees
            raise self.space.fault(
                FaultKind.MISMATCHED_FREE,
                address,
                f"{function or _FREES[kind]} cannot free the block at {address:#x}, it came from {came}: "
                f"{right} would be right",
            )

    # --- what stubs and routines call ---

    def allocate(self, size: int, actor: str, rule: str) -> int:
        """Call the allocator in force and return the block's address.

        Raises:
            RpcError: RPC_S_OUT_OF_MEMORY, the allocator returned a null pointer.
        """
        address = self.try_allocate(size, actor, rule)
        if not address:
            raise no_memory(size)
        return address

    @in_turn
    def try_allocate(self, size: int, actor: str, rule: str, pair: Pair | None = None) -> int:
        """As :meth:`allocate`, but a failure is a null pointer: what the application itself sees.

        Raises:
            UsageError: ``pair`` is that of the RpcSs package, and the thread has no environment.
        """
        pair = pair or self.pair
        exhausted = size > LARGEST_BLOCK or (self.fail_after is not None and self.exhausted)
        self.calls += 1
        address = 0 if exhausted else pair.allocate(size)
        self.space.trace.raw.append((EventKind.ALLOCATE, self.side, actor, address, size, rule, pair.name))
        return address

    @property
    def exhausted(self) -> bool:
        """Whether the next allocator call will find no memory."""
        return self.fail_after is not None and self.calls >= self.fail_after

    @in_turn
    def free(self, address: int, actor: str, rule: str, pair: Pair | None = None) -> None:
        """Call the deallocator in force, or that of ``pair``. A null pointer is left alone.

        Raises:
            MemoryFault: the block may not be freed with it.
            UsageError: ``pair`` is that of the RpcSs package, and the thread has no environment.
        """
        if not address:
            return
        pair = pair or self.pair
        block = self.space.block(address)
        try:
            pair.free(address)
        except MemoryFault:
            self.space.trace.blame(actor, rule)
            raise
        kind = EventKind.MARK if self.space.is_marked(address) else EventKind.FREE
        size = block.size if block else 0
        self._note_who_freed(address, actor)
        self.space.trace.raw.append((kind, self.side, actor, address, size, rule, pair.free_name))

    def freed_by_routine(self, address: int) -> bool:
        """Whether a routine freed the block at ``address``, in this call or an earlier one."""
        index = self.space.ledger.index(address)
        return index >= 0 and bool(self.space.ledger.by_routine[index])

    def _note_who_freed(self, address: int, actor: str) -> None:
        if actor == "routine":
            self.space.ledger.by_routine[self.space.ledger.index(address)] = True

    def release(self, address: int, actor: str, rule: str) -> None:
        """Free storage with what fits it: the application's own with ``free``, other with the deallocator in force.

        Raises:
            MemoryFault: it may not be freed.
        """
        block = self.space.block(address)
        own = block is not None and block.kind is BlockKind.APPLICATION
        self.free(address, actor, rule, self.pairs["malloc"] if own else None)

    @in_turn
    def allocate_private(self, size: int, actor: str) -> int:
        """Allocate from the application's own memory, which no stub knows how to free."""
        address = self.space.add_block(size, BlockKind.PRIVATE)
        self.trace.raw.append((EventKind.ALLOCATE, self.side, actor, address, size, "", "private"))
        return address

    # --- the RpcSs environment ---

    @property
    def environment(self) -> MemoryEnvironment | None:
        """The memory environment of the current thread, or ``None``."""
        environment = self.thread.environment
        return environment if environment and environment.number in self.environments else None

    def enable_environment(self, owner: str = "stub") -> MemoryEnvironment:
        """Set up the memory environment (rpcss-memory-management-package.md).

        The application opens a new level in the environment of its thread if there is one: enable and disable are
        pairs. A stub gets an environment of its own, until :meth:`disable_environment` restores what was before.
        """
        before = self.environment
        if owner != "stub" and before:
            before.levels.append({})
            return before
        self._made_environments += 1
        environment = MemoryEnvironment(self._made_environments, owner)
        self.environments[environment.number] = self.thread.environment = environment
        if owner == "stub":
            self._served.append((self.thread, before, environment))
        return environment

    def disable_environment(self, actor: str, rule: str) -> None:
        """Release everything allocated in the stub's environment, reachable or not, and the environment itself."""
        if not self._served:
            return
        self.thread, before, environment = self._served.pop()
        while environment.levels:
            self._close_level(environment, actor, rule, "RpcSsDisableAllocate")
        self.thread.environment = before

    def close_environment(self, actor: str, rule: str, function: str) -> None:
        """Release what the thread's environment gave since the last enable call, and with the first one the whole.

        Raises:
            UsageError: there is no enable call that this could be the pair of.
        """
        environment = self.environment
        if environment is None or (environment.owner == "stub" and len(environment.levels) == 1):
            whose = "the environment is the stub's" if environment else "there is no environment"
            raise UsageError(f"{function} goes with RpcSmEnableAllocate, as a pair: {whose}")
        self._close_level(environment, actor, rule, function)

    def _close_level(self, environment: MemoryEnvironment, actor: str, rule: str, function: str) -> None:
        for address, size in environment.levels.pop().items():
            self.space.drop_block(address)
            self._note_who_freed(address, actor)
            self.trace.raw.append((EventKind.FREE, self.side, actor, address, size, rule, function))
        if not environment.levels:
            del self.environments[environment.number]

    def environment_allocate(self, size: int, function: str) -> int:
        """Return a new block of the thread's environment.

        Raises:
            UsageError: the thread has none; what happens then is not documented (nf-rpcndr-rpcsmallocate.md).
        """
        level = self._needed(function).levels[-1]
        address = self.space.add_block(size, BlockKind.RPCSS)
        level[address] = size
        return address

    def environment_free(self, address: int, function: str) -> None:
        """Mark a block of the thread's environment as freed; DCE frees it at once (nf-rpcndr-rpcsmfree.md).

        Raises:
            MemoryFault: it is no block of this environment, or was freed before.
            UsageError: the thread has no environment.
        """
        environment = self._needed(function)
        self.check_free(address, BlockKind.RPCSS, function)
        level = environment.level_of(address)
        if level is None:
            owner = next((each.number for each in self.environments.values() if each.level_of(address)), 0)
            raise self.space.fault(
                FaultKind.WRONG_THREAD_HANDLE,
                address,
                f"{function} of {address:#x} under the thread handle {environment.number}, "
                f"it was allocated under {owner}: RpcSmSetThreadHandle({owner}) comes first",
            )
        if self.osf:
            self.space.drop_block(address)
            del level[address]
        else:
            self.space.mark_block(address)

    def _needed(self, function: str) -> MemoryEnvironment:
        environment = self.environment
        if environment is None:
            raise UsageError(f"{function} needs the RpcSs environment: {self._how_to_get_one()}")
        return environment

    def _how_to_get_one(self) -> str:
        """Say how this thread comes to an environment: another thread may have one that it can share."""
        enabled = self.environments.values()
        others = [each.name for each in self.threads.values() if each.environment in enabled]
        if others:
            return (
                f"the thread {others[0]} has one, the thread {self.thread.name} has not; call RpcSmGetThreadHandle "
                f"there and RpcSmSetThreadHandle here, or RpcSmEnableAllocate"
            )
        return "put [enable_allocate] in the ACF, or use osf: true, or call RpcSmEnableAllocate first"

    def switch_thread(self, name: str) -> Thread:
        """Go on as the thread called ``name``; it is started, without an environment, if there is none."""
        self.thread = self.threads.setdefault(name, Thread(name))
        return self.thread

    @contextmanager
    def in_thread(self, name: str) -> Iterator[Thread]:
        """As :meth:`switch_thread`, and come back at the end."""
        before = self.thread
        try:
            yield self.switch_thread(name)
        finally:
            self.thread = before

    def guarded_free(self, address: int, actor: str, rule: str) -> None:
        """Free ``address`` in a clean-up that must go on: a fault stays in the trace."""
        try:
            self.free(address, actor, rule)
        except MemoryFault:
            return

    def __repr__(self) -> str:
        return f"<Program {self.side}: {self.space!r}>"


@contextmanager
def nested(*programs: Program) -> Iterator[None]:
    """As :meth:`Program.remote_call`, for the programs of both sides."""
    with ExitStack() as stack:
        for program in programs:
            stack.enter_context(program.remote_call())
        yield


def no_memory(size: int) -> RpcError:
    """Return the exception for an allocator that returned a null pointer."""
    return RpcError(
        OUT_OF_MEMORY, f"the allocator has no {counted(size, 'byte')}", rule="allocator-null-raises"
    )


class Allowance:
    """The bytes that a stub makes room for on behalf of one message: no more than those ``received`` can justify."""

    def __init__(self, received: int) -> None:
        self.left = UNSENT_LIMIT + 64 * received
        self.left_for_out = OUT_LIMIT

    def grant(self, size: int) -> None:
        """Let the next ``size`` bytes be [out] storage: up to :data:`OUT_LIMIT` of it the message need not justify."""
        granted = min(size, self.left_for_out)
        self.left_for_out -= granted
        self.left += granted

    def take(self, size: int) -> None:
        """Count ``size`` bytes more. Raises :class:`RpcError`, RPC_S_OUT_OF_MEMORY, when that is too many."""
        self.left -= size
        if self.left < 0:
            raise RpcError(
                OUT_OF_MEMORY,
                f"the message asks for {counted(size, 'byte')} that it does not send",
                rule="bad-data-rejected",
            )


class StubAllocator:
    """What a stub allocates for one message: within its ``allowance``, and noted in ``made``."""

    def __init__(self, program: Program, received: int) -> None:
        self.program = program
        self._made: list[Sequence[int]] = []
        self.allowance = Allowance(received)

    def allocate(self, size: int, rule: str) -> int:
        """Return a new block.

        Raises:
            RpcError: RPC_S_OUT_OF_MEMORY, from the allocator or because the message asks for too much.
        """
        self.allowance.take(size)
        address = self.program.try_allocate(size, "stub", rule)
        if not address:
            raise no_memory(size)
        self._made.append((address,))
        return address

    def allocate_row(self, data: bytes | bytearray, sizes: Sequence[int]) -> Row | None:
        """Return new blocks that hold ``data``, or ``None`` if some might be refused; :meth:`note_row` says that they stay."""
        if not sizes:
            return Row(self.program.space.ledger, range(0))
        if sum(sizes) > self.allowance.left or max(sizes) > LARGEST_BLOCK:
            return None
        return self.program.allocate_row(data, sizes)

    def note_row(self, addresses: Row) -> None:
        """Count blocks that were allocated together."""
        self.allowance.take(sum(addresses.sizes))
        self.program.calls += len(addresses)
        self._made.append(addresses)

    @property
    def made(self) -> list[int]:
        """Every block, in order."""
        return [address for row in self._made for address in row]
