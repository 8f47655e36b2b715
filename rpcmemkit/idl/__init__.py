"""The front end: IDL and ACF text becomes :mod:`rpcmemkit.types`.

>>> compile_idl("[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { short Get([in] long n); }").interface.name
'i'
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from rpcmemkit.errors import UsageError
from rpcmemkit.files import is_file, read_text
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
    acf_file: str | None = None,
    switches: Switches = _USUAL,
    defines: Mapping[str, str] | None = None,
) -> Compilation:
    """Compile IDL text, with its ACF text if there is one.

    ``switches`` are those of MIDL's command line, such as ``Switches(osf=True)`` for the rules and defaults of DCE.
    Imports are looked for beside ``file`` and in the switches' ``include_dirs``. ``acf_file`` is called like ``file`` unless said.

    Raises:
        IdlError: with every error found.
    """
    from rpcmemkit.idl.compilation import Options, compile_unit, parse_text

    options = Options(Path(file).parent, dict(defines or {}), switches)
    return compile_unit(
        parse_text(text, file, options), acf, acf_file or str(Path(file).with_suffix(".acf")), options
    )


def compile_file(
    path: str | Path,
    acf: str | Path | None = None,
    *,
    switches: Switches = _USUAL,
    defines: Mapping[str, str] | None = None,
) -> Compilation:
    """Compile an IDL file, with the ``.acf`` file beside it unless ``acf`` names another (-acf.md).

    Upper and lower case make no difference to the name of the file beside it, as on Windows.

    Raises:
        IdlError: with every error found.
        UsageError: ``path`` is no path, or not an ordinary file.
        OSError: the file cannot be read.
    """
    from rpcmemkit.idl.compilation import Options, compile_unit, parse_file

    path = _path(path)
    options = Options(path.parent, dict(defines or {}), switches)
    unit = parse_file(path, options)  # first: what has no name of its own, such as a folder, ends here
    beside = _path(acf) if acf is not None else acf_beside(path)
    return compile_unit(unit, read_text(beside) if beside else None, str(beside), options)


def acf_beside(path: Path) -> Path | None:
    """Return the attribute file beside an IDL file, whatever the case of its name, or ``None``."""
    return next(iter(acfs_beside(path)), None)


def acfs_beside(path: Path) -> list[Path]:
    """Return the attribute files beside an IDL file, the one that is taken first: the exact name goes before others."""
    wanted = path.with_suffix(".acf")
    name = wanted.name.casefold()
    try:
        found = sorted(each for each in path.parent.iterdir() if each.name.casefold() == name)
    except OSError:  # a folder may let its files be read and not be listed
        found = [wanted]
    return sorted(filter(is_file, found), key=lambda each: each.name != wanted.name)


def _path(given: object) -> Path:
    if not isinstance(given, (str, Path)) or "\0" in str(given):
        raise UsageError(f"{given!r} is not the path of a file")
    return Path(given)
