"""Interfaces with converted types and honest routines for them, for the tests of conversions."""

from __future__ import annotations

import struct
from typing import Any

from rpcmemkit import Call, Session
from tests.engine.helpers import open_session

LIST = """
typedef struct { short n; [size_is(n)] short a[]; } SHORTS;
typedef struct link { short v; struct link *next; } LINK;
typedef [transmit_as(SHORTS)] LINK LIST;
"""
LOCAL = """
typedef long LONG2[2];
typedef struct box { long data; struct box *next; } BOX, *PBOX;
"""
LOCAL_ACF = "typedef [represent_as(PBOX)] LONG2;"
FOUR = """
typedef struct { short low; short high; } HALVES;
typedef [wire_marshal(HALVES)] unsigned long FOUR;
"""
TEXT = """
typedef struct { long size; [size_is(size)] byte *bytes; } BLOB;
typedef BLOB *PBLOB;
typedef struct { [string] char *text; long extra; } TEXT;
typedef [wire_marshal(PBLOB)] TEXT WTEXT;
"""


def linked(*values: int) -> Any:
    """A LINK list as nested maps."""
    node = None
    for value in reversed(values):
        node = {"v": value, "next": node}
    return node


# --- LIST, transmitted as SHORTS ---


def values_of(node: Any) -> list[int]:
    found = []
    while node is not None:
        found.append(node.v)
        node = node.next
    return found


def to_xmit(call: Any, obj: Any, sent: Any) -> None:
    values = values_of(obj)
    sent[0] = call.new({"n": len(values), "a": values})


def from_xmit(call: Any, sent: Any, obj: Any) -> None:
    obj.v, obj.next = sent.a[0], None
    for index in range(1, sent.n):
        obj.next = call.new({"v": sent.a[index], "next": None})
        obj = obj.next


def free_xmit(call: Any, sent: Any) -> None:
    call.free(sent)


def free_inst(call: Any, obj: Any) -> None:
    node = obj.next
    while node is not None:
        after = node.next
        call.free(node)
        node = after


HONEST = {"to_xmit": to_xmit, "from_xmit": from_xmit, "free_xmit": free_xmit, "free_inst": free_inst}


def list_session(body: str, routine: Any = None, acf: str | None = None, **environment: Any) -> Session:
    """A session whose LIST has the honest routines."""
    session = open_session(LIST + body, routine, acf, **environment)
    session.conversion("LIST", **HONEST)
    return session


# --- LONG2, represented as PBOX ---


def from_local(call: Any, local: Any, named: Any) -> None:
    box = local[0]
    named[0] = call.new([box.data, box.next.data])


def to_local(call: Any, named: Any, local: Any) -> None:
    local[0] = call.new({"data": named[0], "next": {"data": named[1], "next": None}})


def free_named(call: Any, named: Any) -> None:
    call.free(named)


def free_local(call: Any, local: Any) -> None:
    call.free(local[0].next)
    call.free(local[0])


def local_session(body: str, routine: Any = None, **environment: Any) -> Session:
    session = open_session(LOCAL + body, routine, LOCAL_ACF, **environment)
    session.conversion(
        "LONG2", from_local=from_local, to_local=to_local, free_inst=free_named, free_local=free_local
    )
    return session


def boxes(first: int, second: int) -> Any:
    return {"data": first, "next": {"data": second, "next": None}}


# --- FOUR and WTEXT, user marshalled ---


def four(**others: Any) -> dict[str, Any]:
    """The routines of FOUR; a keyword replaces one."""

    def unmarshal(call: Any, flags: int, buffer: Any, obj: Any) -> Any:
        obj[0] = struct.unpack("<I", buffer.read(4))[0]
        return buffer

    return {
        "UserSize": lambda call, flags, start, obj: start + 4,
        "UserMarshal": lambda call, flags, buffer, obj: buffer.write(struct.pack("<I", obj[0])),
        "UserUnmarshal": unmarshal,
        "UserFree": lambda call, flags, obj: None,
        **others,
    }


def text(**others: Any) -> dict[str, Any]:
    """The routines of WTEXT: the bytes of a BLOB, its pointer and all."""

    def size(call: Any, flags: int, start: int, obj: Any) -> int:
        return start + 16 + len(obj.text())

    def marshal(call: Any, flags: int, buffer: Any, obj: Any) -> Any:
        data = obj.text().encode("latin-1")
        buffer.write(struct.pack("<III", len(data), 1, len(data))).write(data)
        return buffer.address

    def unmarshal(call: Any, flags: int, buffer: Any, obj: Any) -> Any:
        count = struct.unpack("<III", buffer.read(12))[0]
        obj.text = call.new(buffer.read(count).decode("latin-1"))
        obj.extra = count
        return buffer

    def free(call: Any, flags: int, obj: Any) -> None:
        call.free(obj.text)

    return {"UserSize": size, "UserMarshal": marshal, "UserUnmarshal": unmarshal, "UserFree": free, **others}


# --- what happened ---


def converted(call: Call, side: str) -> list[str]:
    """The conversion routines that a side's stub called, in order."""
    return [event.detail for event in call.trace.select("convert", side=side)]


def balance(call: Call, side: str) -> tuple[int, int]:
    """How often the conversion routines of a side allocated and freed."""
    kinds = [event.kind for event in call.trace.select("allocate", "free", side=side, actor="conversion")]
    return kinds.count("allocate"), kinds.count("free")


def faults(call: Call) -> list[str]:
    return [event.detail[0] for event in call.trace.select("fault")]
