"""Bootstrap

Stationary block bootstrap of 2,000 daily returns, 20 days a block on average: 10,000 paths, each with its return, its
deepest drawdown and its Sharpe ratio, on one core. Beside us the same by arch, which draws the paths and calls a numpy
function on each. The means of all three figures must agree within four standard errors of so many paths.
"""

import math
import sys
from collections.abc import Iterator

from harness import Row, ask, main, row, run


def rows(quick: bool) -> Iterator[Row]:
    days, paths = 2_000, 200 if quick else 10_000
    given = (days, paths, 20, 1 if quick else 5)
    ours = run(sys.executable, "ours_bootstrap.py", *given)

    def same(answer):
        return all(
            abs(found - own) <= 4.0 * math.hypot(error, other)
            for found, error, own, other in zip(
                answer["means"], answer["errors"], ours["means"], ours["errors"], strict=True
            )
        )

    work = f"{paths:,} paths × {days:,} days"
    yield row(work, "paths", ours, {"arch": ask("arch", "peers/arch_bootstrap.py", *given)}, same)


if __name__ == "__main__":
    main(rows, __doc__)
