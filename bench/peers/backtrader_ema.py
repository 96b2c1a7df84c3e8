"""EMA cross in backtrader. usage: backtrader_ema.py BARS REPEATS

Its own EMA starts from a simple mean, which crosses at other bars; the averages are therefore kept in `next`.
"""

import sys
import time

import backtrader as bt
import pandas as pd

import workload as w


class EmaCross(bt.Strategy):
    def __init__(self):
        self.a, self.b = 2.0 / (w.FAST + 1.0), 2.0 / (w.SLOW + 1.0)
        self.fast = self.slow = None
        self.side = 0
        self.seen = 0

    def next(self):
        close = self.data.close[0]
        if self.seen:
            self.fast = self.a * close + (1.0 - self.a) * self.fast
            self.slow = self.b * close + (1.0 - self.b) * self.slow
        else:
            self.fast = self.slow = close
        self.seen += 1
        side = 1 if self.fast >= self.slow else -1
        if side != self.side and self.seen >= w.SLOW:
            self.side = side
            self.order_target_size(target=side)


def main(n: int, repeats: int) -> None:
    table = w.bars(n)
    index = pd.to_datetime(table.pop("ts"), unit="us")
    frame = pd.DataFrame(table, index=index)

    def run():
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.addstrategy(EmaCross)
        cerebro.adddata(bt.feeds.PandasData(dataname=frame))
        cerebro.broker.setcash(w.CASH)
        cerebro.broker.setcommission(commission=w.FEE)
        start = time.perf_counter()
        strategy = cerebro.run()[0]
        return time.perf_counter() - start, (cerebro, strategy)

    seconds, (cerebro, strategy), rss = w.measure(run, repeats)
    orders = sorted(cerebro.broker.orders, key=lambda order: order.ref)
    changes, position = w.changes_of_target(order.executed.size for order in orders)
    w.tell(
        n,
        bt.__version__,
        seconds,
        rss_mb=rss,
        calls=strategy.seen,
        orders=len(orders),
        changes=changes,
        position=position,
        equity=cerebro.broker.getvalue(),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
