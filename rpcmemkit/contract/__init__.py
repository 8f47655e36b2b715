"""What a declaration promises about memory, before any call: who allocates, who frees, where data lives, what can be lost.

A :class:`Contract` is made from the same plans and the same decisions that the stubs use. Each of its
:class:`Promise` rows tells of one pointer of a procedure, on both sides, with the ids of the rules behind it. A
:class:`FreePlan` says what the client owes after a call.
"""

from rpcmemkit.contract.c_code import c_code
from rpcmemkit.contract.derive import contract, contracts
from rpcmemkit.contract.explain import as_data, as_text, as_texts, sheets
from rpcmemkit.contract.free_plan import Freed, FreePlan
from rpcmemkit.contract.promises import OWN, STUB_MEMORY, Act, Cell, Contract, Promise, path_parts
from rpcmemkit.contract.steps import Step

__all__ = [
    "OWN",
    "STUB_MEMORY",
    "Act",
    "Cell",
    "Contract",
    "FreePlan",
    "Freed",
    "Promise",
    "Step",
    "as_data",
    "as_text",
    "as_texts",
    "c_code",
    "contract",
    "contracts",
    "path_parts",
    "sheets",
]
