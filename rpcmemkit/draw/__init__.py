"""Pictures of calls."""

from rpcmemkit.draw.build import picture
