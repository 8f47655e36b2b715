"""The command line: ``rpcmemkit run | verify | render | explain | check | rules | claims``.

Results go to stdout, everything else to stderr. Exit codes: 0 all is well; 1 a file differs, or an interface has
errors; 2 the command could not do its work; 141 whoever read the output has gone (as SIGPIPE tells it, so quietly).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from rpcmemkit.cli import calls, interfaces, reference
from rpcmemkit.cli.common import READER_GONE, Parser, fail, say
from rpcmemkit.errors import RpcMemKitError

EXAMPLES = """\
examples:
  rpcmemkit run prune.yaml                  the memory story of every call of a scenario
  rpcmemkit run prune.yaml --json           what happened, under the keys of `expect`
  rpcmemkit verify tests/conformance        does what the files expect come true?
  rpcmemkit render prune.yaml -o call.svg   a picture of the call
  rpcmemkit rules server-reuses-buffer      what a rule says, and where it is documented
  rpcmemkit explain catalog.idl             who allocates and who frees, pointer by pointer
  rpcmemkit check catalog.idl               errors and warnings of an interface
  rpcmemkit claims M-060                    a fact, and the tests that prove it

FILE may be - for standard input.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; no error ends in a traceback."""
    _occupy_closed_streams()
    if sys.stdout is None:
        return fail("standard output is closed: results have nowhere to go")
    _tolerate_narrow_encodings()
    try:
        return _carry_out(argv)
    except BrokenPipeError:
        return READER_GONE
    except KeyboardInterrupt:
        return fail("interrupted")
    except OSError as error:
        return fail(f"{error.filename or 'output'}: {error.strerror or error}")
    except RecursionError:
        return fail("this is nested too deep for Python's own stack")
    except MemoryError:
        return fail("there is not enough memory for this")
    except RpcMemKitError as error:
        return fail(str(error))
    finally:
        _abandon_unwritable_streams()


def _carry_out(argv: Sequence[str] | None) -> int:
    """Run the command that is asked for. What is printed has been written when this returns."""
    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.command(arguments)
    except SystemExit:  # help, the version, or wrong usage
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


def _occupy_closed_streams() -> None:
    """A file that is opened later must not become a standard stream of this process or of one that it starts."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(handle)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # for as long as the process lives


def _tolerate_narrow_encodings() -> None:
    """A console that has no arrow or ellipsis gets a question mark, not an exception."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _abandon_unwritable_streams() -> None:
    """Let nothing be written, and fail, when the interpreter flushes its streams at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="rpcmemkit",
        description="Shows who allocates and who frees every byte of a Microsoft RPC call, by running the call.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and leave")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (calls, interfaces, reference):
        group.add(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: Any, **also: Any) -> None:
        from rpcmemkit import __version__

        say(f"rpcmemkit {__version__}")
        parser.exit()
