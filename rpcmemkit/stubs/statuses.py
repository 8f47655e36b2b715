"""The status attributes: an exception becomes a value, stored or returned instead of raised (comm-status.md, fault-status.md)."""

from __future__ import annotations

from rpcmemkit.errors import RpcError
from rpcmemkit.kinds import EventKind
from rpcmemkit.program import Program
from rpcmemkit.stubs.frame import Frame
from rpcmemkit.types import Procedure

COMMUNICATION = frozenset({6, 1702, 1717, 1722, 1723, 1727, 1728, 1730, 1732, 1745, 1753, 1820})
"""The codes that tell of the way to the server; every other tells of the call itself. Source: NdrMapCommAndFaultStatus
as Wine has it (ndr_clientserver.c); the pages only say that the two kinds have no code in common."""

ATTRIBUTES = ("comm_status", "fault_status")
SIZE = 4  # bytes of an error_status_t


def status_variable(frame: Frame, code: int) -> str | None:
    """Return the parameter that takes a code, ``return`` for the result, or ``None`` if the code is to be raised."""
    return variables(frame.procedure).get(ATTRIBUTES[code not in COMMUNICATION])


def variables(procedure: Procedure) -> dict[str, str]:
    """Return the parameter of each status attribute of a procedure, ``return`` for its result."""
    found = {
        attribute: parameter.name
        for parameter in procedure.parameters
        for attribute in ATTRIBUTES
        if attribute in parameter.attributes
    }
    own = (each for each in ATTRIBUTES if each in procedure.attributes and procedure.result is not None)
    return found | dict.fromkeys(own, "return")


def store_status(program: Program, frame: Frame, address: int, error: RpcError) -> bool:
    """Let an exception become the value that the status attributes say; return whether there is one."""
    name = status_variable(frame, error.code)
    if name is None:
        return False
    variable = address + frame.plan.by_name[name].offset
    if name != "return":
        variable = program.space.pointer_at(variable)
    program.space.write(variable, error.code.to_bytes(SIZE, "little"))
    program.trace.add(EventKind.STATUS, program.side, "stub", variable, SIZE, "status-stored", error)
    return True
