"""New random calls by the thousand, each held to every invariant: ``python -m tests.random_calls --cases 20000``.

A round of a hundred cases ends at its first finding, which is printed as a scenario file with the seed of its round; the next
round goes on. With ``--shrink`` findings are made small first, which may take minutes each: do that with one round's seed.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from random import SystemRandom

from hypothesis import Phase, given, seed, settings

from tests.strategies import cases, thorough
from tests.test_invariants import TALLY, hold

ROUND = 100


def one_round(number: int, count: int, shrink: bool) -> str:
    """Draw a round of cases; return what was found, or nothing."""
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    fresh = settings(thorough(count), derandomize=False, phases=phases, print_blob=False)
    try:
        seed(number)(fresh(given(cases())(hold)))()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
        return "".join(traceback.format_exception(error, limit=-4, chain=False))
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000, help="how many cases (2,000)")
    parser.add_argument(
        "--seed", type=int, default=SystemRandom().randrange(1 << 32), help="of the first round"
    )
    parser.add_argument("--shrink", action="store_true", help="make findings small before they are printed")
    options = parser.parse_args()
    findings = 0
    print(f"seed {options.seed}", flush=True)
    for drawn in range(0, options.cases, ROUND):
        number = options.seed + drawn // ROUND
        if found := one_round(number, min(ROUND, options.cases - drawn), options.shrink):
            findings += 1
            print(f"--- a finding: --seed {number} --cases {ROUND}\n{found}", flush=True)
        told = ", ".join(f"{TALLY[what]:,} {what}" for what in ("cases", "calls", "environments"))
        print(f"{told}; {findings} findings; {time.process_time():,.0f} s of CPU", flush=True)
    return int(findings > 0)


if __name__ == "__main__":
    sys.exit(main())
