"""Network Data Representation: the way from memory to stub data and back."""

from rpcmemkit.ndr.aliases import FullPointers
from rpcmemkit.ndr.handlers import Handler, Handlers
from rpcmemkit.ndr.marshal import Marshaller, located
from rpcmemkit.ndr.storage import Shape, Storage, Waiting
from rpcmemkit.ndr.strings import existing_string_length
from rpcmemkit.ndr.unmarshal import Unmarshaller, discriminant_at

__all__ = [
    "FullPointers",
    "Handler",
    "Handlers",
    "Marshaller",
    "Shape",
    "Storage",
    "Unmarshaller",
    "Waiting",
    "discriminant_at",
    "existing_string_length",
    "located",
]
