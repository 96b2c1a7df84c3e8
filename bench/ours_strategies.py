"""A built-in strategy in the compiled lane, with its defaults. usage: ours_strategies.py NAME BARS REPEATS

Features are computed before the watch starts; it covers the lane: decide on every bar, sizing by the stop (a tenth of
equity where a strategy has none), exits, the default risk rules, matching, ledger, and the books' proof.
"""

import sys
import time

import numpy as np

import workload as w
from ours_ema import COSTS, INSTRUMENT
from truewind import __version__, features
from truewind.backtest.reads import fields_of, named
from truewind.domain.order import Event
from truewind.engine.compiled import CompiledEngine
from truewind.engine.merge import merge
from truewind.risk.gate import RiskSettings
from truewind.strategies.base import SignalStrategy, load
from truewind.strategies.sizing import SizingSettings

LEVERAGE = 10.0


def main(name: str, n: int, repeats: int) -> None:
    table = w.bars(n)
    timeline = merge({INSTRUMENT.symbol: table}, {INSTRUMENT.symbol: w.MINUTE_US})
    limits = RiskSettings(max_drawdown=0.9).record(LEVERAGE)

    def strategy() -> SignalStrategy:
        made = load(name, {})
        assert isinstance(made, SignalStrategy)
        made.sizing = SizingSettings(method="fraction", value=0.1) if name == "ema_cross" else SizingSettings()
        return made

    reads = named(strategy().features())
    computed = features.columns(list(reads.values()), table, timeframe="1m")
    timeline.columns |= {field: computed[column] for field, column in fields_of(reads).items()}

    def run() -> tuple[float, CompiledEngine]:
        start = time.perf_counter()
        engine = CompiledEngine(
            timeline, [INSTRUMENT], strategy(), cash=w.CASH, currency="USDT", costs=COSTS, limits=limits
        )
        engine.run()
        return time.perf_counter() - start, engine

    run()  # compiles what is not in the disk cache yet
    seconds, engine, rss = w.measure(run, repeats)
    sent = int(np.count_nonzero(engine.events["event"] == Event.SUBMIT))
    w.tell(n, __version__, seconds, rss_mb=rss, orders=sent)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
