"""The server half in a process of its own: reads requests as JSON from standard input, writes the replies.

It gets the text of an interface and bytes, and nothing else (design.md, promise 2).
"""

from __future__ import annotations

import json
import sys

from rpcmemkit.idl import compile_idl
from rpcmemkit.plan import Planner
from rpcmemkit.program import Program
from rpcmemkit.stubs.frame import Procedures
from rpcmemkit.stubs.server import ServerStub
from rpcmemkit.views import RoutineCall
from tests.engine.constructs import CONSTRUCTS
from tests.engine.helpers import idl_text


def serve_one(name: str, request: bytes) -> list[object]:
    construct = CONSTRUCTS[name]
    interface = compile_idl(idl_text(construct.body), None).interface
    planner = Planner()
    stub = ServerStub(Program("server"), Procedures(interface, planner), planner)

    def routine(server_call: object) -> None:
        call = RoutineCall(server_call)  # type: ignore[arg-type]
        names = [parameter.name for parameter in interface.procedures["f"].parameters]
        call.set_result(construct.routine(call, *[call.argument(each) for each in names]))

    if construct.routine:
        stub.routines["f"] = routine
    reply = stub.dispatch(0, request)
    return [reply.status, reply.data.hex()]


if __name__ == "__main__":
    requests = json.load(sys.stdin)
    json.dump({name: serve_one(name, bytes.fromhex(data)) for name, data in requests.items()}, sys.stdout)
