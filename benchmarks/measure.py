"""One measurement a process: ``python benchmarks/measure.py KIND SHAPE SCALE ROUNDS`` prints its figures as JSON.

Time is processor time, the least of the rounds where there are several. Both sides of a comparison are measured in turn
in one process. Tracing is on and every pointer is checked, as in any other call.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from shapes import SHAPES  # noqa: E402

from rpcmemkit import Audit, Call, Session, Trace  # noqa: E402
from rpcmemkit.stubs.client import Calling  # noqa: E402
from rpcmemkit.stubs.server import Serving  # noqa: E402

Figures = dict[str, float]
WARM = 20  # elements of the first call in a session: plans are compiled in it


def timed(action: Callable[[], object]) -> float:
    """The processor time of an action, in µs."""
    gc.collect()
    start = process_time()
    kept = action()
    taken = process_time() - start
    del kept
    return taken * 1e6


def fresh(name: str) -> Session:
    """A session that has done its first call."""
    session = Session(SHAPES[name].idl)
    call = session.call("f", **SHAPES[name].arguments(WARM))
    Audit(call)
    return session


class Ours:
    """One call whose request is marshalled again and again as the client stub does it, and read as the server does."""

    def __init__(self, name: str, arguments: dict[str, Any]) -> None:
        self.name = name
        self.session = fresh(name)
        self.call = self.session.call("f", **arguments)

    def marshal(self) -> bytes:
        call, stub = self.call, self.session.client_stub
        stub.program.space.trace = Trace()
        return Calling(stub, call.client_frame, call.frame_address, {}).marshal()

    def reader(self) -> Callable[[], object]:
        """A server that has got the request and has not looked at it yet."""
        session = fresh(self.name)
        stub = session.server_stub
        stub.program.space.trace = Trace()
        serving = Serving(stub, stub.procedures["f"], self.call.request)
        return serving.unmarshal


def compare(name: str, count: int, rounds: int) -> Figures:
    """Marshalling and unmarshalling, ours and impacket's in turn, in µs an element."""
    import peer

    sys.setrecursionlimit(10**7)  # for impacket
    arguments = SHAPES[name].arguments(count)
    ours, theirs = Ours(name, arguments), peer.request(name, arguments)
    data = theirs.getData()
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for key, action in (
            ("marshal", ours.marshal),
            ("their marshal", theirs.getData),
            ("unmarshal", ours.reader()),
            ("their unmarshal", lambda: peer.unmarshal(name, data)),
        ):
            figures.setdefault(key, []).append(timed(action) / count)
    best = {key: min(times) for key, times in figures.items()}
    for key in ("marshal", "unmarshal"):
        best[f"{key} ratio"] = best[f"their {key}"] / best[key]
    return best


def alone(name: str, count: int, rounds: int) -> Figures:
    """Marshalling and unmarshalling without a peer, in µs an element, at the recursion limit that Python comes with."""
    ours = Ours(name, SHAPES[name].arguments(count))
    marshal = min(timed(ours.marshal) for _ in range(rounds))
    unmarshal = min(timed(ours.reader()) for _ in range(rounds))
    return {"marshal": marshal / count, "unmarshal": unmarshal / count}


def whole(name: str, count: int, rounds: int) -> Figures:
    """A call from Python values to Python values, then its audit with the story's counts, in µs an element."""
    from rpcmemkit.story import counts

    arguments = SHAPES[name].arguments(count)
    calls, audits = [], []
    for _ in range(rounds):
        session = fresh(name)
        made: list[Call] = []

        def run(session: Session = session, made: list[Call] = made) -> object:
            made.append(session.call("f", **arguments))
            return made[0].values

        def audit(made: list[Call] = made) -> object:
            audited = Audit(made[0])
            return audited.clean, counts(audited)

        calls.append(timed(run))
        audits.append(timed(audit))
    return {"call": min(calls) / count, "audit": min(audits) / count}


def memory(name: str, count: int, rounds: int) -> Figures:
    """What a session holds after a call with all its records, in bytes an element, without the values passed in."""
    arguments = SHAPES[name].arguments(count)
    session = fresh(name)
    gc.collect()
    tracemalloc.start()
    session.call("f", **arguments)
    gc.collect()
    return {"memory": tracemalloc.get_traced_memory()[0] / count}


def series(name: str, count: int, rounds: int) -> Figures:
    """Many small calls in one session: the first and the last thousand, in µs a call."""
    idl = SHAPES["P4"].idl.replace("void f([in] long n, [in] node *a)", "void f([in, out] node *a)")
    session = Session(idl)
    value = {"value": 1, "next": {"value": 2, "next": None}}
    session.call("f", a=value)
    part = min(1000, count)

    def calls() -> None:
        for _ in range(part):
            session.call("f", a=value)

    times = [timed(calls) for _ in range(count // part)]
    return {"first": times[0] / part, "last": times[-1] / part}


KINDS = {each.__name__: each for each in (compare, alone, whole, memory, series)}


def main() -> None:
    kind, name, count, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    print(json.dumps(KINDS[kind](name, count, rounds)))


if __name__ == "__main__":
    if sys.argv[1] == "compare":  # impacket calls itself for each node
        threading.stack_size(1 << 29)
        worker = threading.Thread(target=main)
        worker.start()
        worker.join()
    else:
        main()
