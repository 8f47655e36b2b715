"""How a session is set up: pointer sizes, transfer syntax, byte order, and whose rules the stubs follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rpcmemkit import given
from rpcmemkit.idl import Switches
from rpcmemkit.plan import SYNTAXES, Planner
from rpcmemkit.stubs.decisions import Reading

READINGS = ("midl", "wine")


@dataclass(frozen=True)
class Environment:
    """How a session is set up; the defaults are a 64-bit client and server that speak NDR 2.0.

    ``reading`` says whose stubs they are where those differ: ``midl``, as MIDL's format strings have it, or ``wine``.
    ``fail_after`` and ``client_fail_after`` let that many allocator calls of a side succeed, and no more. ``midl`` are
    further switches for the compiler; DCE mode and the transfer syntax it takes from here.

    Big-endian NDR64 is the kit's own: MS-RPCE 2.2.5 knows NDR64 as little-endian only.

    Raises :class:`~rpcmemkit.errors.UsageError` for a size, syntax, order, number or switch that does not exist.
    """

    client_pointer_size: int = 8
    server_pointer_size: int = 8
    transfer_syntax: str = "ndr20"
    byte_order: str = "little"
    osf: bool = False
    reading: str = "midl"
    fail_after: int | None = None
    client_fail_after: int | None = None
    midl: Switches = field(default_factory=Switches)

    def __post_init__(self) -> None:
        for side in ("client", "server"):
            given.one_of(f"{side}_pointer_size", getattr(self, f"{side}_pointer_size"), (4, 8))
        given.one_of("transfer_syntax", self.transfer_syntax, SYNTAXES)
        given.one_of("byte_order", self.byte_order, ("little", "big"))
        given.one_of("osf", self.osf, (False, True))
        given.one_of("reading", self.reading, READINGS)
        for limit in ("fail_after", "client_fail_after"):
            if getattr(self, limit) is not None:
                given.number(limit, getattr(self, limit), "a number of allocator calls, or None")
        given.instance("midl", self.midl, Switches, "Switches(…)")

    @property
    def switches(self) -> Switches:
        """What the compiler has to know of the environment."""
        return replace(self.midl, osf=self.osf, ndr64=self.transfer_syntax == "ndr64")

    @property
    def rules(self) -> Reading:
        """Whose rules the stubs follow."""
        return Reading(self.osf, self.reading == "wine")

    def planner(self, pointer_size: int) -> Planner:
        big_endian = self.byte_order == "big"
        return Planner(pointer_size, SYNTAXES[self.transfer_syntax], big_endian, reading=self.reading)


def environment_from(keys: Mapping[str, Any]) -> Environment:
    """Return the environment that the keys of a scenario's ``environment`` describe."""
    both = keys.get("pointer_size", 8)
    allocator = keys.get("midl_user_allocate") or {}
    return Environment(
        client_pointer_size=keys.get("client_pointer_size", both),
        server_pointer_size=keys.get("server_pointer_size", both),
        transfer_syntax=keys.get("transfer_syntax", "ndr20"),
        byte_order=keys.get("byte_order", "little"),
        osf=keys.get("osf", False),
        reading=keys.get("reading", "midl"),
        fail_after=allocator.get("fail_after"),
        client_fail_after=allocator.get("client_fail_after"),
        midl=Switches(**(keys.get("midl") or {})),
    )
