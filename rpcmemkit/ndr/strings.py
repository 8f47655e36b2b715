"""Measuring strings in memory."""

from __future__ import annotations

from rpcmemkit.errors import MemoryFault, RpcError
from rpcmemkit.memory import AddressSpace
from rpcmemkit.plan import ArrayPlan
from rpcmemkit.status import INVALID_BOUND


def string_length(space: AddressSpace, plan: ArrayPlan, address: int) -> int:
    """Return the number of characters up to and including the terminator.

    Raises:
        MemoryFault: the address is not in a live block.
        RpcError: RPC_X_INVALID_BOUND, there is no terminator in the block.
    """
    width = plan.stride
    room, start, data = space.capacity(address), address - space.base, space.data
    if room < width:
        space.check(address, width, "read of a string")
    end, terminator = start + room, bytes(width)
    if plan.bound is not None:
        end = min(end, start + plan.bound * width)
    at = data.find(terminator, start, end)
    while at >= 0 and (at - start) % width:
        at = data.find(terminator, at + 1, end)
    if at < 0:
        raise RpcError(
            INVALID_BOUND, "the string has no terminator in its storage", rule="string-measures-itself"
        )
    return (at - start) // width + 1


def existing_string_length(space: AddressSpace, plan: ArrayPlan, address: int) -> int | None:
    """Return the room that a string takes now, or ``None`` when nothing is terminated there."""
    try:
        return string_length(space, plan, address)
    except (RpcError, MemoryFault):
        return None
