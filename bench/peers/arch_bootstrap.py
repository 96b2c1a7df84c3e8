"""Statistics of resampled paths by arch. usage: arch_bootstrap.py DAYS PATHS BLOCK REPEATS"""

import sys
import time

import arch
import numpy as np
from arch.bootstrap import StationaryBootstrap

import workload as w


def figures(returns):
    worth = np.cumprod(1.0 + returns)
    peaks = np.maximum(np.maximum.accumulate(worth), 1.0)
    return np.array([worth[-1] - 1.0, (1.0 - worth / peaks).max(), returns.mean() / returns.std(ddof=1)])


def main(days: int, count: int, block: int, repeats: int) -> None:
    returns = w.daily_returns(days)

    def run():
        drawn = StationaryBootstrap(block, returns, seed=w.SEED)
        start = time.perf_counter()
        found = drawn.apply(figures, reps=count)
        return time.perf_counter() - start, found

    StationaryBootstrap(block, returns, seed=1).apply(figures, reps=2)
    seconds, found, rss = w.measure(run, repeats)
    errors = found.std(axis=0) / np.sqrt(count)
    w.tell(count, arch.__version__, seconds, rss_mb=rss, means=found.mean(axis=0).tolist(), errors=errors.tolist())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
