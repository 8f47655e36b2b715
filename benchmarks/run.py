"""How long the engine takes for a few payload shapes, and how much memory: ``python benchmarks/run.py``.

Every shape runs in a process of its own, so that the peak memory is its own. The figures are microseconds per element,
the best of several rounds: marshalling the request on the client, unmarshalling it on the server, and one whole call
with its trace, routine, response and clean-up. They are for comparing on one machine; no test depends on them.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rpcmemkit import Environment, Program, Session  # noqa: E402
from rpcmemkit.ndr import FullPointers, Marshaller, Unmarshaller  # noqa: E402
from rpcmemkit.stubs.frame import Frame  # noqa: E402
from rpcmemkit.stubs.models import ServerNodes  # noqa: E402
from rpcmemkit.trace import Trace  # noqa: E402

HEADER = "[uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)] interface bench {"
ARRAY = "void f([in] long n, [in, size_is(n)] unsigned long *a);"
NAMED = """typedef struct { unsigned long id; [string] wchar_t *name; } named;
    void f([in] long n, [in, size_is(n)] named *a);"""
TREE = (
    "typedef struct node { long value; struct node *left, *right; } node; void f([in] long n, [in] node *a);"
)
LIST = "typedef struct node { long value; struct node *next; } node; void f([in] long n, [in] node *a);"
GAPS = "typedef struct {{ {0} a; {1} b; }} pair; void f([in] long n, [in, size_is(n)] pair *a);"


class Shape(NamedTuple):
    """What is sent: the interface, how many elements, and a function that makes the argument."""

    title: str
    body: str
    elements: int
    value: Callable[[int], Any]


def chain(count: int) -> Any:
    node: Any = None
    for value in range(count):
        node = {"value": value, "next": node}
    return node


def tree(count: int) -> Any:
    nodes: list[Any] = [{"value": number, "left": None, "right": None} for number in range(count)]
    for number, node in enumerate(nodes):
        for side, child in (("left", 2 * number + 1), ("right", 2 * number + 2)):
            node[side] = nodes[child] if child < count else None
    return nodes[0]


def pairs(count: int) -> Any:
    return [{"a": number & 0x7F, "b": number} for number in range(count)]


SHAPES = {
    "P1": Shape("array of u32", ARRAY, 100_000, lambda count: list(range(count))),
    "P1M": Shape("array of u32", ARRAY, 1_000_000, lambda count: list(range(count))),
    "P2": Shape(
        "structures with wide strings",
        NAMED,
        20_000,
        lambda count: [{"id": number, "name": f"user{number:06}"} for number in range(count)],
    ),
    "P3": Shape("tree", TREE, 100_000, tree),
    "P4": Shape("list", LIST, 100_000, chain),
    "P5": Shape("structures, 8 bytes, gap inside", GAPS.format("short", "long"), 100_000, pairs),
    "P5w": Shape("structures, 12 bytes sent, 16 in memory", GAPS.format("hyper", "long"), 100_000, pairs),
}


def best(rounds: int, action: Callable[[], object]) -> float:
    """The shortest of several runs, in seconds."""
    times = []
    for _ in range(rounds):
        gc.collect()
        start = perf_counter()
        action()
        times.append(perf_counter() - start)
    return min(times)


def marshal(session: Session, frame: Frame, address: int) -> bytes:
    """As the client stub does it, without the rest of the call."""
    space = session.client.space
    space.trace = Trace()
    writer = Marshaller(space, session.planner, FullPointers(), "in-data-travels")
    for name, plan, offset in frame.inputs:
        writer.parameter(plan, address + offset, address, name)
    return bytes(writer.out)


def unmarshal(session: Session, request: bytes) -> None:
    """As the server stub does it, into a new program."""
    stub = session.server_stub
    program = Program("server", session.environment.server_pointer_size)
    space, frame = program.space, stub.procedures["f"]
    buffer = space.add_block(len(request), "receive buffer")
    space.write(buffer, request)
    address = space.add_block(frame.plan.size, "stack", fill=0)
    storage = ServerNodes(program, buffer, len(request), reuse=True)
    reader = Unmarshaller(space, stub.planner, FullPointers(), request, storage, address)
    for name, plan, offset in frame.inputs:
        reader.parameter(plan, address + offset, name, 0, True)
    reader.finish()


def measure(name: str, rounds: int, pointer_size: int, scale: float) -> dict[str, float]:
    """The figures of one shape."""
    shape = SHAPES[name]
    count = max(int(shape.elements * scale), 1)
    environment = Environment(pointer_size, pointer_size)
    arguments = {"n": count, "a": shape.value(count)}
    session = Session(f"{HEADER}{shape.body}}}", environment=environment)
    whole = best(1, lambda: session.call("f", **arguments))
    assert session.last is not None
    frame, address = session.last.client_frame, session.last.frame_address
    request = session.last.request
    times = (
        best(rounds, lambda: marshal(session, frame, address)),
        best(rounds, lambda: unmarshal(session, request)),
        whole,
    )
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    micro = {
        key: seconds * 1e6 / count
        for key, seconds in zip(("marshal", "unmarshal", "call"), times, strict=True)
    }
    return {"count": count, **micro, "bytes": len(request), "megabytes": megabytes}


NODE = "typedef struct node { long value; struct node *next; } node; "


def grow(call: Any, made: Any) -> None:
    made[0] = call.new({"value": 1, "next": {"value": 2, "next": None}})


SERIES: dict[str, tuple[str, Callable[[], dict[str, Any]], Any]] = {
    "a number": ("long f([in] long n);", lambda: {"n": 1}, lambda call, n: n),
    "a list, in place": (NODE + "void f([in, out] node *a);", lambda: {"a": chain(3)}, lambda call, a: None),
    "a list that the client keeps": (NODE + "void f([out] node **made);", dict, grow),
}
"""Small calls that are made many times in one session: the interface, the arguments, the routine."""


def series(title: str, count: int) -> tuple[float, float, float]:
    """Processor time of the first and of the last thousand calls, in µs each, and the peak of memory."""
    body, arguments, routine = SERIES[title]
    session = Session(f"{HEADER}{body}}}")
    routine.__name__ = "f"
    session.routine(routine)
    times = []
    for _ in range(count // 1000):
        start = process_time()
        for _ in range(1000):
            session.call("f", **arguments())
        times.append((process_time() - start) * 1000)
    return times[0], times[-1], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(name: str, options: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", name, "--rounds", str(options.rounds)]
    command += ["--pointer-size", str(options.pointer_size), "--scale", str(options.scale)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "shapes", nargs="*", default=[*SHAPES], help=f"which of {', '.join(SHAPES)}; all by default"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the best counts (3)")
    parser.add_argument("--pointer-size", type=int, choices=(4, 8), default=8, help="of both sides (8)")
    parser.add_argument("--scale", type=float, default=1.0, help="a factor for the number of elements (1)")
    parser.add_argument(
        "--calls", type=int, metavar="N", help="instead: N small calls in one session, the first and the last"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.rounds, options.pointer_size, options.scale)))
        return
    if options.calls:
        for title in SERIES:
            first, last, megabytes = series(title, options.calls)
            print(
                f"{title:30} first 1,000: {first:6.0f} µs a call, last: {last:6.0f}, peak {megabytes:.0f} MB"
            )
        return
    if unknown := set(options.shapes) - set(SHAPES):
        parser.error(f"no shape is called {', '.join(sorted(unknown))}")
    print(f"µs per element, best of {options.rounds}, {options.pointer_size}-byte pointers, NDR 2.0")
    print(
        f"{'shape':45} {'elements':>9} {'bytes':>10} {'marshal':>8} {'unmarshal':>9} {'call':>8} {'peak MB':>8}"
    )
    for name in options.shapes:
        row = in_own_process(name, options)
        print(
            f"{name + ' ' + SHAPES[name].title:45} {row['count']:9.0f} {row['bytes']:10.0f} {row['marshal']:8.4f}"
            f" {row['unmarshal']:9.4f} {row['call']:8.2f} {row['megabytes']:8.0f}"
        )


if __name__ == "__main__":
    main()
