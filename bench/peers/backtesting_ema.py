"""EMA cross in backtesting.py. usage: backtesting_ema.py BARS REPEATS

The averages are given to `self.I` before the loop, this library's own way and its fastest: `next` only reads them.
"""

import sys
import time
import warnings

import backtesting
import pandas as pd
from backtesting import Backtest, Strategy

import workload as w

warnings.filterwarnings("ignore")  # its warnings about open trades at the end, printed once a run


class EmaCross(Strategy):
    def init(self):
        self.fast = self.I(w.ema, self.data.Close, w.FAST)
        self.slow = self.I(w.ema, self.data.Close, w.SLOW)
        self.side = 0
        self.traded = []
        self.seen = 0

    def next(self):
        self.seen += 1
        side = 1 if self.fast[-1] >= self.slow[-1] else -1
        if side != self.side and len(self.data) >= w.SLOW:
            self.side = side
            if side > 0:
                self.buy(size=1)
            else:
                self.sell(size=1)


def main(n: int, repeats: int) -> None:
    table = w.bars(n)
    index = pd.to_datetime(table.pop("ts"), unit="us")
    frame = pd.DataFrame({name.capitalize(): column for name, column in table.items()}, index=index)

    def run():
        test = Backtest(frame, EmaCross, cash=w.CASH, commission=w.FEE, exclusive_orders=True, trade_on_close=False)
        start = time.perf_counter()
        stats = test.run()
        return time.perf_counter() - start, stats

    seconds, stats, rss = w.measure(run, repeats)
    strategy = stats["_strategy"]
    still_open = strategy.trades
    # Each trade is one stay in the market; all but the first were entered by closing the one before: two orders a flip.
    entered = [(bar, size) for bar, size in zip(stats["_trades"].EntryBar, stats["_trades"].Size, strict=True)]
    entered += [(trade.entry_bar, trade.size) for trade in still_open]
    sides = [1 if size > 0 else -1 for _, size in sorted(entered)]
    changes = sum(1 for a, b in zip([0, *sides], sides, strict=False) if a != b)
    w.tell(
        n,
        backtesting.__version__,
        seconds,
        rss_mb=rss,
        calls=strategy.seen,
        orders=len(entered) + len(stats["_trades"]),
        changes=changes,
        position=float(strategy.position.size),
        equity=float(strategy.equity),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
