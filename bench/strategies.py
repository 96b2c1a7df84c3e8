"""Built-in strategies

Every built-in strategy given as `decide`, with its defaults, over a million made-up minutes in the compiled lane:
decisions, sizing, exits, the default risk rules, matching and the ledger. The features that they read are
computed before (their speed is measured above). No other tool has them to run beside.
"""

import sys
from collections.abc import Iterator

from harness import Row, main, row, run, size_name
from truewind.strategies.base import SignalStrategy, locate
from truewind.strategies.catalogue import names, path_of

REPEATS = 7


def rows(quick: bool) -> Iterator[Row]:
    n = 5_000 if quick else 1_000_000
    for name in names():
        kind = locate(path_of(name))
        if issubclass(kind, SignalStrategy):
            ours = run(sys.executable, "ours_strategies.py", name, n, 1 if quick else REPEATS)
            yield row(f"{name.replace('_', ' ')} {size_name(n)}", "bars", ours, {})


if __name__ == "__main__":
    main(rows, __doc__)
