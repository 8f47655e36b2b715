"""Files, read and written so that nobody loses one: ordinary files only, of a bounded size, replaced whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from rpcmemkit.errors import UsageError

LARGEST = 16 << 20  # bytes; what this package reads is written by hand

_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SAMPLE = 64  # bytes that tell UTF-16 from a text that happens to contain a zero

_KERNEL = ("/proc/", "/sys/")  # reading /proc/kmsg takes messages away, and never ends
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read_bytes(path: str | Path) -> bytes:
    """Return what an ordinary file holds.

    Raises:
        UsageError: it is a device, a pipe or a socket, larger than ``LARGEST``, or no name for a file.
        OSError: it is a folder, or cannot be read.
    """
    if "\0" in str(path):
        raise UsageError(f"{str(path)!r} is not the path of a file")
    _check(
        path, Path(path).stat()
    )  # before it is opened: opening a pipe or a device may already do something
    with Path(path).open("rb") as stream:
        found = os.fstat(stream.fileno())
        _check(path, found)
        return stream.read(found.st_size)


def read_text(path: str | Path) -> str:
    """As :func:`read_bytes`, as UTF-8, with or without its mark; bytes that are none of it become U+FFFD.

    Raises:
        UsageError: as above; or it is text of 16 bits a character, which looks like noise otherwise.
    """
    data = read_bytes(path)
    if data.startswith(_WIDE_MARKS) or _is_wide(data[:_SAMPLE]):
        raise UsageError(f"{path}: this is UTF-16 text; save it as UTF-8")
    return data.decode("utf-8-sig", "replace")


def _is_wide(data: bytes) -> bool:
    """Whether one half of the bytes is all zero and the other is not: letters of 16 bits."""
    even, odd = data[::2], data[1::2]
    return len(data) > 1 and any(data) and (not any(even) or not any(odd))


def _check(path: str | Path, found: os.stat_result) -> None:
    if os.path.realpath(path).startswith(_KERNEL):
        raise UsageError(f"{path}: this is made by the kernel; only ordinary files are read")
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(Path(path)))
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something special")
        raise UsageError(f"{path}: this is {kind}; only ordinary files are read")
    if found.st_size > LARGEST:
        raise UsageError(f"{path}: {too_large()}")


def too_large() -> str:
    """Return the words for a file of more than ``LARGEST`` bytes."""
    return f"the file is larger than {LARGEST >> 20} MiB"


def reason(error: Exception) -> str:
    """Return why a file cannot be read or written, without its name where that is known anyway."""
    return getattr(error, "strerror", None) or str(error)


def is_file(path: Path) -> bool:
    """Whether there is a file to read; a name that no file system takes names none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def write_text(path: str | Path, text: str, inputs: Iterable[str | Path | int] = ()) -> None:
    """Write a file beside its place and put it there when it is complete: a full disk leaves the old one as it was.

    A link keeps its place, the file that it leads to is replaced. A device or a pipe is written to as it is.

    Raises:
        UsageError: the file is one of ``inputs``, by whatever name; a number is an open file.
        OSError: it cannot be written.
    """
    target = Path(os.path.realpath(path))
    for each in inputs:
        if _same(target, each):
            raise UsageError(f"{path}: this file is read here; write to another one")
    data = text.encode("utf-8", "replace")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            _replace(target, data)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # not the one beside it
        raise


def _same(target: Path, other: str | Path | int) -> bool:
    try:
        return os.path.samestat(target.stat(), os.stat(other))  # noqa: PTH116  # an open file has no path
    except (OSError, ValueError):
        return False


def _replace(target: Path, data: bytes) -> None:
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
    from tempfile import mkstemp

    handle, name = mkstemp(dir=target.parent, prefix=f".{target.name[:64]}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(handle)
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
