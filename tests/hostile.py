"""Hostile input by the million, at every door: ``python -m tests.hostile --inputs 1000000 --seed 1``.

Each harness throws something wrong at one door and says what must hold whatever it was. The seed and the number of a throw give
it again (``--only scenario --seed 1 --at 4711``). Broken promises are printed; the exit status is 1 if there are any.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from rpcmemkit import Audit, RpcError, Session, UsageError
from rpcmemkit.cli import main as command_line
from rpcmemkit.scenario import find_files
from tests import test_doors as doors
from tests.engine import hostile as messages
from tests.engine.helpers import NODE as LIST_NODE
from tests.engine.helpers import TREE, linked, open_session
from tests.idl import test_fuzz as fuzz
from tests.scenario import test_hostile as scenarios

MOST_MEMORY = 192 << 20
ROOT = Path(__file__).parents[1]


# --- messages, scenarios, texts, values -------------------------------------------------------------------


@lru_cache(maxsize=1)
def _targets() -> list[tuple[str, Callable[[], messages.Target]]]:
    return list(messages.targets())


def damaged_messages(chance: random.Random) -> int:
    """Messages with wrong bytes, to either stub: a value or an RpcError, no leak, no fault, no more memory than is justified."""
    name, make = chance.choice(_targets())
    sent, found = messages.attack(name, make, 20, chance.randrange(1 << 32))
    assert not found, "\n".join(found)
    return sent


def scenario_files(chance: random.Random) -> int:
    """Files with one wrong value: a located refusal or a verdict."""
    told, text = scenarios.gone_wrong(chance)
    try:
        scenarios.carry_out(text)
    except Exception as error:
        raise AssertionError(told) from error
    return 1


def interface_texts(chance: random.Random) -> int:
    """IDL and ACF texts, directives and constants: an interface that can be explained, or located findings."""
    chance.choice(fuzz.HARNESSES)(chance)
    return 1


def python_values(chance: random.Random) -> int:
    """Wrong values at every door of the Python API: an error of the library's own."""
    value, door = chance.choice(doors.VALUES), chance.randrange(3)
    if chance.random() < 0.5:
        value = chance.choice(([value], {"value": value}, {"left": value}, {"$value": value}, (value, value)))
    if door == 0:
        body, others = doors.TYPES[chance.choice(list(doors.TYPES))]
        session = open_session(body)
        doors.knock(lambda: session.try_call("f", {**others, "p": value}))
    elif door == 1:
        session = open_session(TREE + "void f([in, out] node *p);")
        doors.knock(lambda: doors.SESSION[chance.choice(list(doors.SESSION))](session, value))
    else:
        act = doors.ROUTINE[chance.choice(list(doors.ROUTINE))]
        session = open_session(TREE + "void f([in, out] node *p);", lambda call, p: act(call, p, value))
        doors.knock(lambda: session.call("f", p=doors.NODE))
    return 1


# --- output that fails -----------------------------------------------------------------------------------------


class Failing(io.RawIOBase):
    """A stream that takes some bytes and then fails."""

    def __init__(self, room: int, code: int, handle: int) -> None:
        self.room, self.code, self.handle = room, code, handle

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.handle

    def write(self, data: Any) -> int:
        if self.room <= 0:
            raise OSError(self.code, os.strerror(self.code))
        taken = min(len(data), self.room)
        self.room -= taken
        return taken


COMMANDS = ("run", "verify", "check", "explain", "render", "rules", "claims", "--help", "nonsense")
FAILURES = (errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EFBIG, errno.EBADF)


@lru_cache(maxsize=1)
def _files() -> list[Path]:
    return [*find_files([ROOT / "tests" / "scenarios"]), *sorted((ROOT / "book" / "examples").glob("*.idl"))]


def outputs(chance: random.Random) -> int:
    """Streams and disks that fail half-way: an exit code and at most a sentence; a picture is written whole or not at all."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "old.svg")
        picture.write_text("the old one", encoding="utf-8")
        command = chance.choice(COMMANDS)
        arguments = [
            command,
            *([] if command[0] in "-cnr" and command not in READERS else [str(chance.choice(_files()))]),
        ]
        arguments += ["-o", chance.choice(("-", str(picture)))] if command == "render" else []
        arguments += ["--json"] if command in ("run", "verify", "explain") and chance.random() < 0.3 else []
        with room_on_disk(chance.randrange(1, 60_000) if command == "render" else 0):
            code = _with_failing_streams(chance, arguments)
        assert code in (0, 1, 2, 141), (arguments, code)
        after = picture.read_text(encoding="utf-8")
        assert after == "the old one" or after.rstrip().endswith("</svg>"), (arguments, after[-80:])
        left = [each.name for each in Path(folder).iterdir()]
        assert left == ["old.svg"], (arguments, left)
    return 1


READERS = ("run", "verify", "check", "explain", "render")


@contextmanager
def room_on_disk(size: int) -> Any:
    """Let no file grow beyond a size, as on a full disk; 0: as large as it likes."""
    if not size or os.name != "posix":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    was = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, was)


def _with_failing_streams(chance: random.Random, arguments: list[str]) -> Any:
    handles = [os.open(os.devnull, os.O_WRONLY) for _ in range(2)]
    streams = [
        io.TextIOWrapper(
            io.BufferedWriter(
                Failing(chance.choice((0, 1, 100, 5000, 1 << 30)), chance.choice(FAILURES), each)
            ),
            "utf-8",
        )
        for each in handles
    ]
    try:
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            return command_line(arguments)
    except SystemExit as left:
        return left.code
    finally:
        for stream in streams:
            with suppress(OSError, ValueError):
                stream.close()
        for each in handles:
            with suppress(OSError):
                os.close(each)


# --- threads ---------------------------------------------------------------------------------------------------


def threads(chance: random.Random) -> int:
    """Threads that use one session at once: each has the result and the audit of its own calls."""
    session = open_session(LIST_NODE + "long f([in, out] node *head, [in] long n);", lambda call, head, n: n)
    before, failed = sys.getswitchinterval(), list[BaseException]()
    works = [random.Random(chance.random()) for _ in range(chance.randrange(2, 5))]

    def run(mine: random.Random) -> None:
        try:
            for _ in range(10):
                _one_deed(session, mine)
        except BaseException as error:  # noqa: BLE001 (it is reported)
            failed.append(error)

    sys.setswitchinterval(1e-6)
    try:
        every = [threading.Thread(target=run, args=(work,)) for work in works]
        for thread in every:
            thread.start()
        for thread in every:
            thread.join(120)
        assert not any(thread.is_alive() for thread in every), "a thread waits for ever"
    finally:
        sys.setswitchinterval(before)
    assert not failed, failed
    return 10 * len(works)


def _one_deed(session: Session, mine: random.Random) -> None:
    """Call, pass something wrong, allocate and free: whatever it is, nobody else must notice."""
    number, length = mine.randrange(1000), mine.randrange(1, 9)
    deed = mine.randrange(4)
    if deed == 0:
        with suppress(UsageError, RpcError):
            session.call("f", head={"value": "no number"}, n=number)
    elif deed == 1:
        session.client.midl_user_free(session.client.midl_user_allocate(length))
    else:
        call = session.call("f", head=linked(length), n=number)
        audit = Audit(call)
        assert (call.result, audit.server_allocations, audit.clean) == (number, length, True), repr(audit)


# --- all of them -----------------------------------------------------------------------------------------------


class Harness(NamedTuple):
    """A harness, and its share of a hundred inputs: what takes long comes less often."""

    throw: Callable[[random.Random], int]
    share: int


HARNESSES = {
    "messages": Harness(damaged_messages, 70),
    "texts": Harness(interface_texts, 14),
    "values": Harness(python_values, 8),
    "scenarios": Harness(scenario_files, 4),
    "threads": Harness(threads, 3),
    "outputs": Harness(outputs, 1),
}


def throw(name: str, seed: int, at: int, measure: bool = False) -> tuple[int, str]:
    """Let a harness make one throw; return how many inputs that was, and what promise was broken."""
    if measure:
        tracemalloc.reset_peak()
    try:
        sent = HARNESSES[name].throw(random.Random(f"{seed} {name} {at}"))
    except Exception:  # noqa: BLE001 (whatever it is, it is a finding)
        return 1, traceback.format_exc(limit=-6)
    if measure and tracemalloc.get_traced_memory()[1] > MOST_MEMORY:
        return sent, f"{tracemalloc.get_traced_memory()[1] >> 20} MiB\n"
    return sent, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many in all (1,000,000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=HARNESSES, help="one harness alone")
    parser.add_argument("--at", type=int, help="one throw of it, again")
    parser.add_argument(
        "--memory", action="store_true", help="measure memory too, which takes three times as long"
    )
    options = parser.parse_args()
    chosen = {name: each for name, each in HARNESSES.items() if options.only in (None, name)}
    if options.memory:
        tracemalloc.start()
    if options.at is not None:
        broken = {name: throw(name, options.seed, options.at)[1] for name in chosen}
        print("".join(broken.values()) or "every promise holds")
        return int(any(broken.values()))
    return _all(chosen, options.inputs, options.seed, options.memory)


def _all(chosen: dict[str, Harness], inputs: int, seed: int, measure: bool) -> int:
    sent, at, broken = dict.fromkeys(chosen, 0), dict.fromkeys(chosen, 0), dict.fromkeys(chosen, 0)
    shares, told = sum(each.share for each in chosen.values()), time.monotonic()
    while sum(sent.values()) < inputs:
        name = min(chosen, key=lambda each: sent[each] / chosen[each].share)  # whoever is furthest behind
        count, found = throw(name, seed, at[name], measure)
        if found:
            broken[name] += 1
            print(f"--- broken: --only {name} --seed {seed} --at {at[name]}\n{found}", flush=True)
        sent[name] += count
        at[name] += 1
        if time.monotonic() - told > 60:
            told = time.monotonic()
            _tell(sent, broken, seed)
    assert shares
    _tell(sent, broken, seed)
    return int(any(broken.values()))


def _tell(sent: dict[str, int], broken: dict[str, int], seed: int) -> None:
    parts = ", ".join(f"{name} {count:,}" for name, count in sent.items())
    print(
        f"seed {seed}: {sum(sent.values()):,} inputs ({parts}); {sum(broken.values())} broken promises; "
        f"{time.process_time():,.0f} s of CPU",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
