"""Overfitting

The probability of backtest overfitting by combinatorially symmetric cross-validation: daily returns of 1,000 trials
over 1,000 days, in 16 blocks, which makes 12,870 splits, each with the Sharpe ratios of all trials in both halves; on
one core. Trials are noise, so that the probability must lie near a half.
"""

import sys
from collections.abc import Iterator

from harness import Row, main, row, run


def rows(quick: bool) -> Iterator[Row]:
    days, trials, blocks = (200, 50, 8) if quick else (1_000, 1_000, 16)

    def near_a_half(answer):
        return 0.2 < answer["probability"] < 0.8

    ours = run(sys.executable, "ours_overfit.py", days, trials, blocks, 1 if quick else 5)
    yield row(f"CSCV, {blocks} blocks × {trials:,} trials", "trials", ours, {}, near_a_half)


if __name__ == "__main__":
    main(rows, __doc__)
