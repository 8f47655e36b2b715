"""Asynchronous calls: the memory of both sides while a call is pending, and who lets go of it when.

The client's [out] and [in, out] storage and its asynchronous handle belong to the call until RpcAsyncCompleteCall says
anything but RPC_S_ASYNC_CALL_PENDING (making-the-asynchronous-call.md, nf-rpcasync-rpcasynccompletecall.md). On the
server the parameters live until the routine's side completes or aborts the call, and not a moment longer
(sending-the-asynchronous-reply.md, handling-asynchronous-calls.md).

Only the stub that begins a call raises exceptions, and these a status attribute makes a value, as everywhere. Later failures are
what RpcAsyncCompleteCall returns: nothing is raised, so nothing is stored (error-handling.md; Wine's ndr_async_client_call).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rpcmemkit.errors import MemoryFault, OfThisProcess, RpcError
from rpcmemkit.kinds import EventKind
from rpcmemkit.program import in_turn
from rpcmemkit.status import CANCELLED, INVALID_ASYNC_HANDLE, PENDING
from rpcmemkit.stubs.client import Calling
from rpcmemkit.stubs.server import Reply, ServerStub, Serving
from rpcmemkit.trace import Trace

STATE_SIZE = {4: 68, 8: 112}
"""The bytes of an RPC_ASYNC_STATE, by pointer size (ns-rpcasync-rpc_async_state.md)."""


class AsyncCall(OfThisProcess):
    """A pending call as the client knows it. ``state`` is the address of its RPC_ASYNC_STATE, which it allocated.

    ``call`` is the finished :class:`rpcmemkit.call.Call` once :meth:`complete` has returned something else than 997.
    """

    def __init__(
        self,
        calling: Calling,
        state: int,
        join: Callable[[Trace, Reply], None],
        close: Callable[[RpcError | MemoryFault | None], Any],
    ) -> None:
        self.calling = calling
        self.turn = calling.program.turn
        self.space = calling.space
        self.state = state
        self.trace = self.space.trace
        self.call: Any = None
        self.server: Serving | None = None
        self._join = join
        self._close = close
        self._cut_off = False

    def send(self, server: ServerStub) -> None:
        """Marshal the request and start the server's half.

        If a status attribute has made an exception a value, the call has ended: ``call`` tells.

        Raises:
            RpcError, MemoryFault: of the client stub; the call has not begun, and nothing needs to be completed.
        """
        with self.calling.in_stub():
            try:
                request = self.calling.marshal()
            except RpcError as error:
                if not self.calling.settle(error):
                    raise
                self.call = self._close(None)
                return
        self.server = server.begin(server.procedures[self.calling.frame.procedure.name], request)

    @property
    def status(self) -> int:
        """RpcAsyncGetCallStatus: RPC_S_ASYNC_CALL_PENDING until the reply is there, then what the call ended with."""
        reply = self._reply()
        return PENDING if reply is None else reply.status

    @in_turn
    def complete(self) -> int:
        """RpcAsyncCompleteCall: receive the reply into the storage that was passed when the call began.

        Returns RPC_S_OK, RPC_S_ASYNC_CALL_PENDING as long as there is no reply, or the status that the call ended with.
        Only after RPC_S_OK the [out] data is valid. After an end the handle may not be used: RPC_S_INVALID_ASYNC_HANDLE.

        Raises:
            MemoryFault: the client has freed the handle.
        """
        self.space.check(self.state, STATE_SIZE[self.space.pointer_size], "use of the asynchronous handle")
        if self.call is not None:
            return INVALID_ASYNC_HANDLE
        reply = self._reply()
        if reply is None:
            return PENDING
        assert self.server is not None
        with self.calling.program.remote_call():
            self.space.trace = self.trace
            self._join(self.server.trace, reply)
            self.call = self._close(self._receive(reply))
        return int(self.call.status)

    @in_turn
    def cancel(self, *, abort: bool = False) -> None:
        """RpcAsyncCancelCall: tell the server; with ``abort`` also stop waiting for it. The buffers stay the call's."""
        rule = "async-cancel-keeps-buffers"
        if self.server is None:
            return
        self.trace.add(
            EventKind.CANCEL, "client", "application", self.state, 0, rule, "abortive" if abort else ""
        )
        self.server.cancelled = True
        self._cut_off = abort and self.server.reply is None

    def _reply(self) -> Reply | None:
        if self.server is None:
            return Reply(INVALID_ASYNC_HANDLE, b"")
        return Reply(CANCELLED, b"") if self._cut_off else self.server.reply

    def _receive(self, reply: Reply) -> RpcError | MemoryFault | None:
        """Unmarshal the reply; return the exception that ends the call."""
        try:
            with self.calling.in_stub():
                self.calling.receive(*reply)
        except (RpcError, MemoryFault) as error:
            return error
        return None

    def __repr__(self) -> str:
        return f"<AsyncCall {self.calling.frame.procedure.name}: {'ended' if self.call else 'pending'}>"
