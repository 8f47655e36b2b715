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
from rpcmemkit.cli.common import READER_GONE, fail

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
    from rpcmemkit.errors import RpcMemKitError

    _tolerate_narrow_encodings()
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        return READER_GONE
    except KeyboardInterrupt:
        return fail("interrupted")
    except OSError as error:
        return fail(f"{error.filename or 'output'}: {error.strerror or error}")
    except RpcMemKitError as error:
        return fail(str(error))
    return code


def _tolerate_narrow_encodings() -> None:
    """A console that has no arrow or ellipsis gets a question mark, not an exception."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _abandon_stdout() -> None:
    """Let nothing be written when the interpreter flushes stdout at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
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

        print(f"rpcmemkit {__version__}")
        parser.exit()
