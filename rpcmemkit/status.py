"""Status and exception codes (rpc-return-values.md, system-error-codes pages): names, numbers, meanings."""

from __future__ import annotations

from typing import NamedTuple


class Status(NamedTuple):
    """One code: its preferred name, its number, what it means here, other names of the same number."""

    name: str
    code: int
    meaning: str
    aliases: tuple[str, ...] = ()


STATUSES: tuple[Status, ...] = (
    Status("RPC_S_OK", 0, "success"),
    Status("RPC_S_ACCESS_DENIED", 5, "call not permitted", ("ERROR_ACCESS_DENIED",)),
    Status("RPC_X_SS_CONTEXT_MISMATCH", 6, "unknown context handle", ("ERROR_INVALID_HANDLE",)),
    Status(
        "RPC_S_OUT_OF_MEMORY",
        14,
        "the allocator returned a null pointer",
        ("RPC_X_NO_MEMORY", "RPC_X_PIPE_APP_MEMORY", "ERROR_OUTOFMEMORY"),
    ),
    Status("RPC_S_INVALID_ARG", 87, "bad argument", ("ERROR_INVALID_PARAMETER",)),
    Status("RPC_S_BUFFER_TOO_SMALL", 122, "the caller's buffer is too small", ("ERROR_INSUFFICIENT_BUFFER",)),
    Status("RPC_S_ASYNC_CALL_PENDING", 997, "the asynchronous call is not complete", ("ERROR_IO_PENDING",)),
    Status(
        "RPC_S_SERVER_OUT_OF_MEMORY", 1130, "the server lacks memory", ("ERROR_NOT_ENOUGH_SERVER_MEMORY",)
    ),
    Status("RPC_S_SERVER_UNAVAILABLE", 1722, "the server cannot be reached"),
    Status("RPC_S_CALL_FAILED", 1726, "the call failed and may have executed"),
    Status("RPC_S_CALL_FAILED_DNE", 1727, "the call failed and did not execute"),
    Status("RPC_X_INVALID_TAG", 1733, "a union discriminant selects no arm", ("RPC_S_INVALID_TAG",)),
    Status("RPC_X_INVALID_BOUND", 1734, "array bounds contradict each other", ("RPC_S_INVALID_BOUND",)),
    Status("RPC_S_STRING_TOO_LONG", 1743, "the string is too long"),
    Status("RPC_S_PROCNUM_OUT_OF_RANGE", 1745, "the operation number is unknown"),
    Status("RPC_S_INTERNAL_ERROR", 1766, "internal error"),
    Status("RPC_S_ADDRESS_ERROR", 1768, "an addressing error occurred on the server"),
    Status("RPC_X_SS_IN_NULL_CONTEXT", 1775, "a null [in] context handle"),
    Status("RPC_X_SS_CONTEXT_DAMAGED", 1777, "the context handle changed during the call"),
    Status("RPC_X_SS_HANDLES_MISMATCH", 1778, "the binding handles of a call differ"),
    Status("RPC_X_SS_CANNOT_GET_CALL_HANDLE", 1779, "no call handle"),
    Status("RPC_X_NULL_REF_POINTER", 1780, "a reference pointer is null"),
    Status(
        "RPC_X_ENUM_VALUE_OUT_OF_RANGE",
        1781,
        "an enumeration value does not fit",
        ("RPC_X_ENUM_VALUE_TOO_LARGE",),
    ),
    Status("RPC_X_BYTE_COUNT_TOO_SMALL", 1782, "the byte_count buffer is too small"),
    Status("RPC_X_BAD_STUB_DATA", 1783, "the data does not fit the interface, or the client's buffer"),
    Status("ERROR_INVALID_USER_BUFFER", 1784, "the pointer is not a valid buffer", ("RPC_X_INVALID_BUFFER",)),
    Status("RPC_S_CALL_IN_PROGRESS", 1791, "a call is in progress"),
    Status("RPC_S_CALL_CANCELLED", 1818, "the call was cancelled"),
    Status("RPC_X_INVALID_ES_ACTION", 1827, "wrong use of a serializing handle"),
    Status("RPC_X_WRONG_ES_VERSION", 1828, "version of the serializing package"),
    Status("RPC_X_WRONG_STUB_VERSION", 1829, "version of the stub"),
    Status("RPC_X_INVALID_PIPE_OBJECT", 1830, "bad pipe"),
    Status("RPC_X_WRONG_PIPE_ORDER", 1831, "pipes used out of order", ("RPC_X_INVALID_PIPE_OPERATION",)),
    Status("RPC_X_WRONG_PIPE_VERSION", 1832, "version of the pipe"),
    Status("RPC_S_INVALID_ASYNC_HANDLE", 1914, "bad asynchronous handle"),
    Status("RPC_S_INVALID_ASYNC_CALL", 1915, "the handle cannot be used for this call"),
    Status("RPC_X_PIPE_CLOSED", 1916, "the pipe is closed"),
    Status("RPC_X_PIPE_DISCIPLINE_ERROR", 1917, "the pipe was used out of order"),
    Status("RPC_X_PIPE_EMPTY", 1918, "the pipe is empty"),
)

_BY_CODE = {status.code: status for status in STATUSES}
_BY_NAME = {name: status for status in STATUSES for name in (status.name, *status.aliases)}


def status_name(code: int) -> str:
    """Return the preferred name of ``code``, or the number in decimal when it has none here."""
    status = _BY_CODE.get(code)
    return status.name if status else str(code)


def status_code(name: str | int) -> int:
    """Return the number of a status given by any of its names or as a number.

    Raises:
        KeyError: the name is not in the table.
    """
    if isinstance(name, int):
        return name
    if name == "ok":
        return 0
    return int(name) if name.lstrip("-").isdigit() else _BY_NAME[name].code


def status_meaning(code: int) -> str:
    """Return what ``code`` means in one phrase, or an empty string."""
    status = _BY_CODE.get(code)
    return status.meaning if status else ""


# --- the codes that the kit itself raises or looks for ---------------------------------------------

OUT_OF_MEMORY = status_code("RPC_S_OUT_OF_MEMORY")
INVALID_ARG = status_code("RPC_S_INVALID_ARG")
PENDING = status_code("RPC_S_ASYNC_CALL_PENDING")
SERVER_OUT_OF_MEMORY = status_code("RPC_S_SERVER_OUT_OF_MEMORY")
CALL_FAILED = status_code("RPC_S_CALL_FAILED")
INVALID_TAG = status_code("RPC_X_INVALID_TAG")
INVALID_BOUND = status_code("RPC_X_INVALID_BOUND")
PROCNUM_OUT_OF_RANGE = status_code("RPC_S_PROCNUM_OUT_OF_RANGE")
INTERNAL_ERROR = status_code("RPC_S_INTERNAL_ERROR")
IN_NULL_CONTEXT = status_code("RPC_X_SS_IN_NULL_CONTEXT")
CONTEXT_DAMAGED = status_code("RPC_X_SS_CONTEXT_DAMAGED")
CONTEXT_MISMATCH = status_code("RPC_X_SS_CONTEXT_MISMATCH")
NULL_REF_POINTER = status_code("RPC_X_NULL_REF_POINTER")
ENUM_OUT_OF_RANGE = status_code("RPC_X_ENUM_VALUE_OUT_OF_RANGE")
BYTE_COUNT_TOO_SMALL = status_code("RPC_X_BYTE_COUNT_TOO_SMALL")
BAD_STUB_DATA = status_code("RPC_X_BAD_STUB_DATA")
INVALID_USER_BUFFER = status_code("ERROR_INVALID_USER_BUFFER")
CALL_IN_PROGRESS = status_code("RPC_S_CALL_IN_PROGRESS")
CANCELLED = status_code("RPC_S_CALL_CANCELLED")
INVALID_PIPE_OBJECT = status_code("RPC_X_INVALID_PIPE_OBJECT")
WRONG_PIPE_ORDER = status_code("RPC_X_WRONG_PIPE_ORDER")
INVALID_ASYNC_HANDLE = status_code("RPC_S_INVALID_ASYNC_HANDLE")
PIPE_CLOSED = status_code("RPC_X_PIPE_CLOSED")
PIPE_DISCIPLINE_ERROR = status_code("RPC_X_PIPE_DISCIPLINE_ERROR")
PIPE_EMPTY = status_code("RPC_X_PIPE_EMPTY")
PIPE_APP_MEMORY = status_code("RPC_X_PIPE_APP_MEMORY")
