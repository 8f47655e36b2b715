"""The front end: IDL and ACF text becomes :mod:`rpcmemkit.types`.

>>> compile_idl("[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { short Get([in] long n); }").interface.name
'i'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rpcmemkit.errors import UsageError
from rpcmemkit.idl.switches import Switches

if TYPE_CHECKING:
    from rpcmemkit.idl.compilation import Compilation

__all__ = ["Switches", "compile_file", "compile_idl"]

_USUAL = Switches()


def compile_idl(
    text: str,
    acf: str | None = None,
    *,
    file: str = "interface.idl",
    acf_file: str = "interface.acf",
    switches: Switches = _USUAL,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
) -> Compilation:
    """Compile IDL text, with its ACF text if there is one.

    ``switches`` are those of MIDL's command line, such as ``Switches(osf=True)`` for the rules and defaults of DCE.
    Imports are looked for beside ``file`` and in ``include_dirs``.

    Raises:
        IdlError: with every error found.
        UsageError: a folder of ``include_dirs`` does not exist.
    """
    from rpcmemkit.idl.compilation import Options, compile_unit, parse_text

    options = Options(tuple(include_dirs), dict(defines or {}), switches)
    return compile_unit(parse_text(text, file, options), acf, acf_file, options)


def compile_file(
    path: str | Path,
    acf: str | Path | None = None,
    *,
    switches: Switches = _USUAL,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
) -> Compilation:
    """Compile an IDL file, with the ``.acf`` file beside it unless ``acf`` names another (-acf.md).

    Raises:
        IdlError: with every error found.
        UsageError: ``path`` is no path, or a folder of ``include_dirs`` does not exist.
        OSError: the file cannot be read.
    """
    from rpcmemkit.idl.compilation import Options, compile_unit, parse_file

    path = _path(path)
    options = Options(tuple(include_dirs), dict(defines or {}), switches)
    unit = parse_file(path, options)  # first: what has no name of its own, such as a folder, ends here
    beside = Path(acf) if acf is not None else path.with_suffix(".acf")
    text = (
        beside.read_text(encoding="utf-8", errors="replace") if acf is not None or beside.is_file() else None
    )
    return compile_unit(unit, text, str(beside), options)


def _path(given: object) -> Path:
    if not isinstance(given, (str, Path)) or "\0" in str(given):
        raise UsageError(f"{given!r} is not the path of a file")
    return Path(given)
