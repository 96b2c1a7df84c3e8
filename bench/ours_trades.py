"""Trades in truewind's event lane, to a callback that does nothing. usage: ours_trades.py TRADES REPEATS

The watch covers laying out the tape, the engine and the run.
"""

import sys
import time

import workload as w
from ours_ema import COSTS, INSTRUMENT, LIMITS
from truewind import Strategy, __version__
from truewind.engine.engine import Engine
from truewind.engine.merge import merge_trades


class Nothing(Strategy):
    """Is called with a fresh trade each time, and does nothing."""

    def on_trade(self, trade) -> None:
        pass


class Count(Nothing):
    """Counts the calls: run once, outside the watch, to show that there are as many as trades."""

    calls = 0

    def on_trade(self, trade) -> None:
        self.calls += 1


def main(n: int, repeats: int) -> None:
    columns = w.trades(n)
    counter = Count()
    backtest({name: values[:1_000] for name, values in columns.items()}, counter)
    assert counter.calls == min(n, 1_000)

    def run() -> tuple[float, None]:
        start = time.perf_counter()
        backtest(columns, Nothing())
        return time.perf_counter() - start, None

    seconds, _, rss = w.measure(run, repeats)
    w.tell(n, __version__, seconds, rss_mb=rss, orders=0)


def backtest(columns: w.Bars, strategy: Strategy) -> None:
    tape = merge_trades({INSTRUMENT.symbol: columns})
    Engine(tape, [INSTRUMENT], strategy, cash=w.CASH, currency="USDT", costs=COSTS, limits=LIMITS).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
