"""Network Data Representation: the way from memory to stub data and back."""

from rpcmemkit.ndr.aliases import FullPointers
from rpcmemkit.ndr.marshal import Marshaller
from rpcmemkit.ndr.unmarshal import (
    EXISTING,
    LIMIT,
    NUMBER,
    PATH,
    PLAN,
    Shape,
    Storage,
    Unmarshaller,
    Waiting,
    existing_string_length,
)

__all__ = [
    "EXISTING",
    "LIMIT",
    "NUMBER",
    "PATH",
    "PLAN",
    "FullPointers",
    "Marshaller",
    "Shape",
    "Storage",
    "Unmarshaller",
    "Waiting",
    "existing_string_length",
]
