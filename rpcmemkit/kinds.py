"""The kinds of what is recorded: events, faults and blocks of memory. Each is named here and nowhere else.

A kind is text as well, so that JSON, tables and the callers of ``trace.select("free")`` need no table of names. What is
to be said of a kind of block stands in its row.
"""

from __future__ import annotations

from enum import Enum


class Kind(str, Enum):
    """Text that belongs to a closed list; it prints as that text in every version of Python."""

    __repr__ = str.__repr__
    __str__ = str.__str__
    __format__ = str.__format__  # type: ignore[assignment]  # the same, with a name less


class EventKind(Kind):
    """What happened."""

    ALLOCATE = "allocate"
    FREE = "free"
    MARK = "mark"
    """Freed, but only when the RpcSs environment ends."""
    MARSHAL = "marshal"
    """Memory was read into a message."""
    UNMARSHAL = "unmarshal"
    """A message was written into memory."""
    REUSE = "reuse"
    """A referent stays in the receive buffer."""
    STACK = "stack"
    """A referent lies in the stub's own memory."""
    READ = "read"
    WRITE = "write"
    UNWRITTEN = "unwritten"
    """New memory that nobody wrote."""
    FAULT = "fault"
    RAISE = "raise"
    STATUS = "status"
    """A status attribute made a value of an exception."""
    OPEN = "open"
    """Of a context handle, as the next four."""
    CLOSE = "close"
    CHANGE = "change"
    """It gets another state; the event has the old one."""
    RUN_DOWN = "run-down"
    LOSE = "lose"
    """No run-down routine is there for the handle of a client that has gone."""
    RPCSS = "rpcss"
    """A function of the RpcSs package returned or raised."""
    CONVERT = "convert"
    """A stub calls a routine of a converted type."""
    PIPE = "pipe"
    """A stub has a buffer for the elements of a pipe."""
    CANCEL = "cancel"
    """Of an asynchronous call."""
    NOTIFY = "notify"
    """A ``[notify]`` or ``[notify_flag]`` routine runs."""
    DISCONNECT = "disconnect"
    """The client goes away while its call is executing."""
    NO_ROUTINE = "no routine"
    """None was registered: one that does nothing runs."""
    NAME = "name"
    """What a scenario calls a block."""
    REMEMBER = "remember"
    """The routine copies a pointer into a global variable."""
    KEEP = "keep"
    """Somebody keeps a block on purpose, for later calls."""


class FaultKind(Kind):
    """What is wrong with an access to memory, or with a free."""

    NULL = "null"
    UNMAPPED = "unmapped"
    USE_AFTER_FREE = "use after free"
    OUT_OF_BOUNDS = "out of bounds"
    NOT_ALLOCATED = "not allocated"
    INSIDE_A_BLOCK = "inside a block"
    DOUBLE_FREE = "double free"
    MISMATCHED_FREE = "mismatched free"
    WRONG_THREAD_HANDLE = "wrong thread handle"
    STACK_OVERFLOW = "stack overflow"
    # what a deallocator was given that no allocator gave out
    RECEIVE_BUFFER = "receive buffer"
    STACK = "stack"
    GLOBAL = "global"
    CONTEXT = "context"


class BlockKind(Kind):
    """What a block of memory is: whose, and from which heap if from one."""

    called: str
    """Its name in a story."""
    gave: str
    """The allocator that gave it out, if one did."""
    frees: str
    """The deallocator that takes it; of a block that no allocator gave, why none does."""
    seen: str
    """Its name in the ``expect`` of a call file."""
    drawn: str
    """The key of its colour, empty where that depends on who asked for the block."""

    # fmt: off
    APPLICATION = (
        "application", "your application", "the application's malloc", "the application's free",
        "application", "application",
    )
    MIDL_USER = "midl_user", "midl_user_allocate", "midl_user_allocate", "midl_user_free", "allocated", ""
    RECEIVE_BUFFER = (
        "receive buffer", "the receive buffer", "", "lies in the received data: no allocator gave it out",
        "buffer", "buffer",
    )
    STACK = "stack", "the stub's own memory", "", "is the stub's own memory", "stub", ""
    RPCSS = (
        "RpcSs", "RpcSsAllocate", "an RpcSs environment",
        "RpcSmFree, or RpcSmDisableAllocate for the whole environment,", "allocated", "rpcss",
    )
    PRIVATE = (
        "private", "the routine's own allocator", "an allocator of the routine's own",
        "the deallocator of that allocator", "allocated", "private",
    )
    GLOBAL = "global", "a global variable", "", "is a global variable", "stub", "global"
    TASK = "task", "CoTaskMemAlloc", "CoTaskMemAlloc", "CoTaskMemFree", "allocated", "task"
    CONTEXT = (
        "context", "the stub's record of a context handle", "",
        "is the stub's own record of a context handle", "context", "",
    )
    # fmt: on

    def __new__(cls, name: str, *words: str) -> BlockKind:
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.called, kind.gave, kind.frees, kind.seen, kind.drawn = words
        return kind

    @property
    def heap(self) -> bool:
        """Whether an allocator gave the block out, and a deallocator takes it back."""
        return bool(self.gave)
