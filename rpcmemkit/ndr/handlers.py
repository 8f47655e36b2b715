"""What a stub moves in a way of its own: values whose bytes are not those of a level, such as a context handle."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from rpcmemkit.plan import Plan
from rpcmemkit.trace import Path

if TYPE_CHECKING:
    from rpcmemkit.ndr.marshal import Marshaller
    from rpcmemkit.ndr.unmarshal import Unmarshaller


class Handler(Protocol):
    """Moves the values of one kind of plan. Each stub has its own handlers, for each call anew."""

    def marshal(self, writer: Marshaller, plan: Any, address: int, scope: int, path: Path | None) -> None:
        """Write the value at ``address`` into the message."""

    def unmarshal(
        self, reader: Unmarshaller, plan: Any, address: int, scope: int, path: Path | None, new: bool
    ) -> None:
        """Read the value from the message and put it at ``address``; ``new`` says that the storage is new."""


Handlers: TypeAlias = "Mapping[type[Plan], Handler]"

NO_HANDLERS: Handlers = MappingProxyType({})
