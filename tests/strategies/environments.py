"""The environments in which a case runs, and which of them have the same rules."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from hypothesis import strategies as st

Environment = dict[str, Any]
PLAIN: Environment = {}
EVERY: list[Environment] = [
    {
        "client_pointer_size": client,
        "server_pointer_size": server,
        "transfer_syntax": syntax,
        "byte_order": order,
        "osf": osf,
    }
    for osf, syntax, order, server, client in product(
        (False, True), ("ndr20", "ndr64"), ("little", "big"), (8, 4), (8, 4)
    )
    if not (osf and syntax == "ndr64")  # DCE has no NDR64
]


def rules_of(environment: Environment) -> tuple[Any, ...]:
    """What decides how the server's memory is used: two environments that agree here have the same story."""
    return tuple(environment[key] for key in ("server_pointer_size", "transfer_syntax", "osf"))


def environments(fits: Callable[[Environment], bool]) -> st.SearchStrategy[Environment]:
    """One environment; shrinks to 64 bits, NDR 2.0, little-endian."""
    return st.sampled_from([each for each in EVERY if fits(each)])
