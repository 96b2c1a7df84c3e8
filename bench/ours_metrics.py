"""Every metric that truewind has of one series of returns. usage: ours_metrics.py RETURNS REPEATS"""

import sys
import time

import workload as w
from truewind import __version__
from truewind.numerics.measures import Measures, measure


def main(n: int, repeats: int) -> None:
    returns = w.returns(n)

    def run() -> tuple[float, Measures]:
        start = time.perf_counter()
        found = measure(returns, w.MINUTES_A_YEAR)
        return time.perf_counter() - start, found

    run()  # compiles what is not in the disk cache yet
    seconds, found, rss = w.measure(run, repeats)
    same = ("total", "volatility", "sharpe", "sortino", "max_drawdown", "omega", "tail_ratio")
    told = {name: getattr(found, name) for name in same}
    w.tell(1, __version__, seconds, rss_mb=rss, found=told)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
