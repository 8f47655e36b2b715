"""rpcmemkit: who allocates and who frees every byte of a Microsoft RPC call, proved by running the call.

>>> import rpcmemkit
>>> session = rpcmemkit.Session('''
... [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802), pointer_default(unique)]
... interface shop { typedef struct { long cents; } PRICE; void Discount([in, out] PRICE *price); }''')
>>> @session.routine
... def Discount(call, price):
...     price.cents = price.cents - 100
>>> call = session.call("Discount", price={"cents": 950})
>>> call["price"]
{'cents': 850}
>>> rpcmemkit.Audit(call)
Audit of Discount: ok
  client stub  0 allocated, 0 freed, 0 orphaned
  server       0 allocated, 0 freed, 0 leaked
"""

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this
if TYPE_CHECKING:
    from rpcmemkit.audit import Audit
    from rpcmemkit.call import Call, Session
    from rpcmemkit.environment import Environment
    from rpcmemkit.errors import Diagnostic, IdlError, MemoryFault, RpcError, RpcMemKitError, UsageError
    from rpcmemkit.idl import Switches, compile_file, compile_idl
    from rpcmemkit.ledger import Block
    from rpcmemkit.memory import AddressSpace
    from rpcmemkit.program import Program
    from rpcmemkit.rpcss import RpcSm, RpcSs
    from rpcmemkit.rules import RULES, Rule
    from rpcmemkit.stubs.server import Reply, ServerStub
    from rpcmemkit.trace import Event, Trace
    from rpcmemkit.values import UNWRITTEN
    from rpcmemkit.views import View, address_of

__version__ = "0.1.0"

__all__ = [
    "RULES",
    "UNWRITTEN",
    "AddressSpace",
    "Audit",
    "Block",
    "Call",
    "Diagnostic",
    "Environment",
    "Event",
    "IdlError",
    "MemoryFault",
    "Program",
    "Reply",
    "RpcError",
    "RpcMemKitError",
    "RpcSm",
    "RpcSs",
    "Rule",
    "ServerStub",
    "Session",
    "Switches",
    "Trace",
    "UsageError",
    "View",
    "address_of",
    "compile_file",
    "compile_idl",
]

_HOMES = {
    "audit": "Audit",
    "call": "Call, Session",
    "environment": "Environment",
    "errors": "Diagnostic, IdlError, MemoryFault, RpcError, RpcMemKitError, UsageError",
    "idl": "Switches, compile_file, compile_idl",
    "ledger": "Block",
    "memory": "AddressSpace",
    "program": "Program",
    "rpcss": "RpcSm, RpcSs",
    "rules": "RULES, Rule",
    "stubs.server": "Reply, ServerStub",
    "trace": "Event, Trace",
    "values": "UNWRITTEN",
    "views": "View, address_of",
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: who only wants the version or a table need not load the engine."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names.split(", "):
            value: object = getattr(import_module(f"{__name__}.{home}"), name)
            globals()[name] = value
            return value
    if any(home.split(".")[0] == name for home in _HOMES):  # a module that a name comes from
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
