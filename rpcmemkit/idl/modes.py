"""What the mode of the stubs cannot do: MIDL warns and takes another (-oi.md, -os.md)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rpcmemkit.idl import syntax as s
from rpcmemkit.idl.declared import Declared
from rpcmemkit.idl.findings import Finding
from rpcmemkit.idl.levels import Level

if TYPE_CHECKING:
    from rpcmemkit.idl.resolve import Resolver

_NEW = ("Oif", "Oicf")  # the interpreter with fast format strings
_NOTIFY = ("notify", "notify_flag")


def check_modes(
    resolver: Resolver, parameters: list[Declared], result: Declared, extra: s.Attributes
) -> None:
    """Warn of everything in a procedure that moves its stubs to another mode; ``extra`` are its ACF attributes."""
    mode = resolver.switches.effective_mode
    if mode in ("Oi", "Oic") and (result.attributes.get(*_NOTIFY) or extra.get(*_NOTIFY)):
        resolver.complain(Finding.NOTIFY_MODE, result, None)
    if mode not in _NEW:
        for declared in parameters:
            if any(_open_grid(outer, inner) for outer, inner in pairwise(declared.levels)):
                resolver.complain(Finding.OPEN_GRID_MODE, declared, None)


def _open_grid(outer: Level, inner: Level) -> bool:
    """Whether two neighbouring levels are dimensions, not both of fixed size."""
    dimensions = all(level.form == "array" or level.size is not None for level in (outer, inner))
    return dimensions and any(level.counted and not level.string for level in (outer, inner))
