"""MIDL's command line, as far as it decides what a text means (general-midl-command-line-syntax.md)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rpcmemkit.errors import UsageError
from rpcmemkit.idl.attributes import row

MODES = ("Oi", "Oic", "Oif", "Oicf", "Os")
_TARGET = re.compile(r"NT(\d{2,3})")

# The first /target level that has a feature (-target.md, range.md); of an attribute its row says it.
_SINCE = {
    "robust": 50,
    "range on a size": 60,
    "context handles inside data": 60,
    "MIDL2465": 60,  # before, the same mistake was MIDL2043
}


@dataclass(frozen=True, slots=True)
class Switches:
    """The switches of one compilation; the defaults are those of a current compiler.

    ``target`` is the oldest system that the stubs must run on (/target, ``"NT50"`` to ``"NT62"`` and later), ``mode``
    one of ``MODES`` (-oi.md, -os.md), ``robust`` is off with /no_robust, ``ndr64`` asks for a stub that speaks
    NDR64 (-protocol.md), ``maybenull_sizeis`` is that option of -backward-compat.md. ``app_config`` is on here,
    unlike in MIDL: one text is enough for an example (-app-config.md).

    Files that a text imports or includes are looked for beside it and in ``include_dirs`` (-i.md), and must lie below one
    of these folders unless ``include_anywhere`` is set.

    Raises :class:`~rpcmemkit.errors.UsageError` for a target, mode or folder that does not exist.
    """

    target: str = "NT62"
    mode: str = "Oicf"
    robust: bool = True
    osf: bool = False
    rpcss: bool = False
    app_config: bool = True
    ndr64: bool = False
    maybenull_sizeis: bool = False
    include_dirs: Sequence[str | Path] = ()
    include_anywhere: bool = False

    def __post_init__(self) -> None:
        if not _TARGET.fullmatch(str(self.target)):
            raise UsageError(f"{self.target!r} is not a /target level: write NT50, NT51, NT60, NT61 or NT62")
        if self.mode not in MODES:
            raise UsageError(f"{self.mode!r} is not a mode: use one of {', '.join(MODES)}")
        for folder in self.include_dirs:
            if not Path(folder).is_dir():
                raise UsageError(f"{folder}: there is no such folder to look for imports in")
        object.__setattr__(self, "include_dirs", tuple(map(str, self.include_dirs)))

    @property
    def level(self) -> int:
        """The target's number: levels are ordered by it."""
        return int(self.target[2:])

    def has(self, feature: str) -> bool:
        """Whether the target is new enough for an attribute or another feature."""
        return self.level >= _SINCE.get(feature, row(feature).since)

    @property
    def checks(self) -> bool:
        """Whether stubs check what /robust checks; asking for it switches to /Oicf (MIDL2370)."""
        return self.robust and self.has("robust")

    @property
    def effective_mode(self) -> str:
        """The mode that stubs are really made in."""
        return "Oicf" if self.checks and self.mode not in ("Oif", "Oicf") else self.mode
