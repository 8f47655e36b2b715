"""Scenarios: remote calls told as data in YAML files, run and verified.

>>> scenario = parse_scenario('''
... scenario: add-two
... idl: |
...   [uuid(3d1f0a52-6d0c-4c6e-9a6f-2b8f6a0d1802)] interface i { long Add([in] long a, [in] long b); }
... steps:
... - call: Add
...   arguments: {a: 2, b: 3}
...   server: [{return: 5}]
...   expect: {status: ok, client_after: {return: 5}, request: "0200000003000000"}
... ''')
>>> verify(scenario).result
'agree'
"""

from rpcmemkit.errors import ScenarioError
from rpcmemkit.scenario.compare import Difference, differences
from rpcmemkit.scenario.load import Scenario, load_scenario, parse_bytes, parse_scenario
from rpcmemkit.scenario.run import ClientStep, Outcome, Run, as_step
from rpcmemkit.scenario.verify import Disagreement, Report, find_files, verify, verify_file

__all__ = [
    "ClientStep",
    "Difference",
    "Disagreement",
    "Outcome",
    "Report",
    "Run",
    "Scenario",
    "ScenarioError",
    "as_step",
    "differences",
    "find_files",
    "load_scenario",
    "parse_bytes",
    "parse_scenario",
    "verify",
    "verify_file",
]
