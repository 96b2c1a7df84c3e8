"""A sweep of EMA pairs in vectorbt, its Rust engine. usage: vectorbt_sweep.py BARS FASTS SLOWS REPEATS"""

import itertools
import sys
import time

import numpy as np
import pandas as pd
import vectorbt as vbt

import workload as w


def main(n: int, fasts: list[int], slows: list[int], repeats: int) -> None:
    table = w.bars(n)
    close = pd.Series(table["close"], index=pd.to_datetime(table["ts"], unit="us"))
    pairs = list(itertools.product(fasts, slows))
    columns = pd.MultiIndex.from_tuples(pairs, names=["fast", "slow"])

    def simulate(count: int):
        part = close.iloc[:count]
        fast = vbt.MA.run(
            part, [pair[0] for pair in pairs], ewm=True, short_name="fast", hide_params=None
        ).ma.to_numpy()
        slow = vbt.MA.run(part, [pair[1] for pair in pairs], ewm=True, short_name="slow").ma.to_numpy()
        known = np.arange(len(part))[:, None] >= np.array([pair[1] for pair in pairs]) - 1
        long = pd.DataFrame((fast >= slow) & known, index=part.index, columns=columns)
        short = pd.DataFrame((fast < slow) & known, index=part.index, columns=columns)
        made = vbt.Portfolio.from_signals(
            part, entries=long, short_entries=short, init_cash=w.CASH, fees=w.FEE, size=1.0, freq="1min", engine="rust"
        )
        return made, made.total_return()

    def run():
        start = time.perf_counter()
        made, total = simulate(n)
        return time.perf_counter() - start, (made, total)

    simulate(2_000)
    seconds, (made, total), rss = w.measure(run, repeats)
    w.tell(n * len(pairs), vbt.__version__, seconds, rss_mb=rss, orders=int(made.orders.count().sum()),
           equity=w.CASH * (1.0 + float(total.mean())))  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]), *(list(range(*map(int, text.split(":")))) for text in sys.argv[2:4]), int(sys.argv[4]))
