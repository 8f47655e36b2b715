"""The same data in impacket, whose structures are written by hand as its users write them."""

from __future__ import annotations

from typing import Any

from impacket.dcerpc.v5.dtypes import LONG, LPWSTR, SHORT, ULONG
from impacket.dcerpc.v5.ndr import (
    NDRCALL,
    NDRPOINTER,
    NDRPOINTERNULL,
    NDRSTRUCT,
    NDRUniConformantArray,
)


class Numbers(NDRUniConformantArray):
    item = "<L"


class PNumbers(NDRPOINTER):
    referent = (("Data", Numbers),)


class Named(NDRSTRUCT):
    structure = (("id", ULONG), ("name", LPWSTR))


class NamedArray(NDRUniConformantArray):
    item = Named


class PNamedArray(NDRPOINTER):
    referent = (("Data", NamedArray),)


class Flat(NDRSTRUCT):
    structure = (("x", LONG), ("y", SHORT), ("z", SHORT))


class FlatArray(NDRUniConformantArray):
    item = Flat


class PFlatArray(NDRPOINTER):
    referent = (("Data", FlatArray),)


class _Linked(NDRSTRUCT):
    """A structure with pointers to its own kind: their class is set when one is read, as in impacket's own drsuapi.py."""

    links: tuple[str, ...] = ()

    def fromString(self, data: Any, offset: int = 0) -> Any:  # noqa: N802
        for link in self.links:
            self.fields[link] = POINTERS[type(self)](isNDR64=self._isNDR64)
        return NDRSTRUCT.fromString(self, data, offset)


class TreeNode(_Linked):
    structure = (("value", LONG), ("left", NDRPOINTER), ("right", NDRPOINTER))
    links = ("left", "right")


class PTreeNode(NDRPOINTER):
    referent = (("Data", TreeNode),)


class ListNode(_Linked):
    structure = (("value", LONG), ("next", NDRPOINTER))
    links = ("next",)


class PListNode(NDRPOINTER):
    referent = (("Data", ListNode),)


POINTERS = {TreeNode: PTreeNode, ListNode: PListNode}


def _request(type_: Any) -> Any:
    class Request(NDRCALL):
        opnum = 0
        structure = (("n", LONG), ("a", type_))

    return Request


REQUESTS = {
    "P1": _request(Numbers),
    "P2": _request(NamedArray),
    "P3": _request(TreeNode),
    "P4": _request(ListNode),
    "P5": _request(FlatArray),
}


def _node(type_: Any, value: Any) -> Any:
    """Nodes are made from the leaves to the root, so that making them does not recurse."""
    order, pending = [], [value]
    while pending:
        node = pending.pop()
        order.append(node)
        pending += [node[link] for link in type_.links if node[link]]
    made: dict[int, Any] = {}
    for node in reversed(order):
        ours = made[id(node)] = type_()
        ours["value"] = node["value"]
        for link in type_.links:
            ours.fields[link] = POINTERS[type_]() if node[link] else NDRPOINTERNULL()
            if node[link]:
                ours.fields[link].fields["Data"] = made[id(node[link])]
    return made[id(value)]


def request(name: str, arguments: dict[str, Any]) -> Any:
    """Return a filled request: its ``getData()`` marshals."""
    made = REQUESTS[name]()
    made["n"] = arguments["n"]
    value = arguments["a"]
    if name == "P1":
        made["a"] = value
    elif name == "P3":
        made["a"] = _node(TreeNode, value)
    elif name == "P4":
        made["a"] = _node(ListNode, value)
    else:
        for each in value:
            item = Named() if name == "P2" else Flat()
            for key, field in each.items():
                item[key] = f"{field}\0" if key == "name" else field
            made["a"].append(item)
    return made


def unmarshal(name: str, data: bytes) -> Any:
    """Read a request as impacket's servers do."""
    return REQUESTS[name](data)
