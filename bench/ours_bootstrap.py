"""Statistics of resampled paths. usage: ours_bootstrap.py DAYS PATHS BLOCK REPEATS"""

import sys
import time

import numpy as np

import workload as w
from truewind import __version__
from truewind.numerics.bootstrap import Paths, paths


def main(days: int, count: int, block: int, repeats: int) -> None:
    returns = w.daily_returns(days)
    paths(returns, 2, block=block, seed=1)

    def run() -> tuple[float, Paths]:
        start = time.perf_counter()
        found = paths(returns, count, block=block, seed=w.SEED)
        return time.perf_counter() - start, found

    seconds, found, rss = w.measure(run, repeats)
    figures = np.array([found.growth, found.depth, found.sharpe])
    errors = figures.std(axis=1) / np.sqrt(count)
    w.tell(count, __version__, seconds, rss_mb=rss, means=figures.mean(axis=1).tolist(), errors=errors.tolist())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
