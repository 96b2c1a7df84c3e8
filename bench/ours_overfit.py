"""Probability of backtest overfitting of trials that are noise. usage: ours_overfit.py DAYS TRIALS BLOCKS REPEATS"""

import sys
import time

import numpy as np

import workload as w
from truewind import __version__
from truewind.numerics.overfit import Overfit, cscv


def main(days: int, trials: int, blocks: int, repeats: int) -> None:
    returns = np.random.default_rng(w.SEED).normal(0.0, 0.01, (days, trials))
    cscv(returns[:, :2], blocks)

    def run() -> tuple[float, Overfit]:
        start = time.perf_counter()
        found = cscv(returns, blocks)
        return time.perf_counter() - start, found

    seconds, found, rss = w.measure(run, repeats)
    w.tell(trials, __version__, seconds, rss_mb=rss, probability=found.probability)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
