"""EMA cross in truewind's event lane. usage: ours_ema.py BARS REPEATS [declared | sleeping]

The watch covers what a backtest does once the bars are in memory: timeline, engine, the run with its risk gate,
ledger and per-bar equity, and the journal written and synced to disk. "declared": the strategy says that it reads the
close only. "sleeping": the averages are a compiled feature, and Python is called only on the bars where they cross;
computing the feature is inside the watch.
"""

import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import numpy as np

import workload as w
from truewind import Strategy, __version__, features
from truewind.domain.fill import FillKind
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.order import Event
from truewind.engine.engine import Engine
from truewind.engine.merge import merge
from truewind.execution.simulated.costs import CostSettings
from truewind.risk.gate import RiskSettings
from truewind.storage.journal import JournalWriter

INSTRUMENT = Instrument(
    symbol="BTCUSDT",
    venue="synthetic",
    kind=Kind.PERPETUAL,
    base="BTC",
    quote="USDT",
    tick_size=Decimal("0.01"),
    lot_size=Decimal("0.001"),
)
LEVERAGE = 1.0
# What the peers do not know is switched off.
FEES = {"maker_fee": w.FEE, "taker_fee": w.FEE, "half_spread_bps": 0.0, "impact": 0.0, "volume_share": None}
COSTS = CostSettings(**FEES).record(LEVERAGE)
# The fees of five million bars cost a third of the account: the halt on drawdown stays on guard, further out. The peers
# turn as often as the averages cross.
LIMITS = RiskSettings(max_drawdown=0.9, cooldown_minutes=None).record(LEVERAGE)


class EmaCross(Strategy):
    """Plain Python on every bar; one reversing order a flip."""

    def on_start(self) -> None:
        self.a, self.b = 2.0 / (w.FAST + 1.0), 2.0 / (w.SLOW + 1.0)
        self.fast = self.slow = 0.0
        self.side = self.seen = 0

    def on_bar(self, bar) -> None:
        close = bar.close
        if self.seen:
            self.fast = self.a * close + (1.0 - self.a) * self.fast
            self.slow = self.b * close + (1.0 - self.b) * self.slow
        else:
            self.fast = self.slow = close
        self.seen += 1
        side = 1 if self.fast >= self.slow else -1
        if side != self.side and self.seen >= w.SLOW:
            quantity = 2.0 if self.side else 1.0
            self.side = side
            if side > 0:
                self.buy(quantity)
            else:
                self.sell(quantity)


class Declared(EmaCross):
    """The same, on bars that have no other field."""

    fields = ("close",)


class Sleeper(Strategy):
    """The same, called only where the averages cross."""

    wakes_on = "turn"

    def on_start(self) -> None:
        self.seen = 0

    def on_bar(self, bar) -> None:
        quantity = 2.0 if self.seen else 1.0
        self.seen += 1
        if bar.turn > 0.0:
            self.buy(quantity)
        else:
            self.sell(quantity)


def main(n: int, repeats: int, strategy: type[Strategy]) -> None:
    columns = w.bars(n)
    backtest(w.bars(1_000), strategy)  # compiles what is not in the disk cache yet

    def run() -> tuple[float, Engine]:
        start = time.perf_counter()
        engine = backtest(columns, strategy)
        return time.perf_counter() - start, engine

    seconds, engine, rss = w.measure(run, repeats)
    trades = engine.fills[engine.fills["kind"] == FillKind.TRADE]
    lot = float(INSTRUMENT.lot_size)
    changes, position = w.changes_of_target((trades["side"] * trades["lots"] * lot).tolist())
    w.tell(
        n,
        __version__,
        seconds,
        rss_mb=rss,
        calls=engine.strategy.seen,
        orders=int(np.count_nonzero(engine.events["event"] == Event.SUBMIT)),
        changes=changes,
        position=position,
        equity=float(engine.equity[-1]),
    )


def backtest(columns: w.Bars, strategy: type[Strategy]) -> Engine:
    if strategy is Sleeper:
        (turn,) = features.columns([f"crossing:Crossing({w.FAST}, {w.SLOW})"], columns).values()
        columns = {**columns, "turn": turn}
    with tempfile.TemporaryDirectory(prefix="truewind-bench-") as folder:
        journal = JournalWriter(Path(folder) / "journal.twj")
        engine = Engine(
            merge({INSTRUMENT.symbol: columns}, {INSTRUMENT.symbol: w.MINUTE_US}),
            [INSTRUMENT],
            strategy(),
            cash=w.CASH,
            currency="USDT",
            costs=COSTS,
            limits=LIMITS,
            journal=journal,
        )
        engine.run()
        journal.close()
    return engine


if __name__ == "__main__":
    chosen = {"declared": Declared, "sleeping": Sleeper}[sys.argv[3]] if sys.argv[3:] else EmaCross
    main(int(sys.argv[1]), int(sys.argv[2]), chosen)
