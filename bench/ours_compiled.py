"""EMA cross in truewind's compiled lane. usage: ours_compiled.py BARS REPEATS [bracketed]

The watch covers what vectorbt's does: from bars in memory to indicators, orders, fills and equity of every bar; here
also the risk gate, the ledger and the books' proof. The bars lie on a timeline before, as vectorbt's lie in a series.
"""

import sys
import time

import numpy as np

import workload as w
from averages import Bracketed, Cross
from ours_ema import COSTS, INSTRUMENT, LIMITS
from truewind import __version__, features
from truewind.domain.fill import FillKind
from truewind.domain.order import Event
from truewind.engine.compiled import CompiledEngine
from truewind.engine.merge import Timeline, merge
from truewind.strategies.base import SignalStrategy
from truewind.strategies.sizing import SizingSettings


def backtest(timeline: Timeline, close: np.ndarray, strategy: SignalStrategy) -> CompiledEngine:
    reads = strategy.features()
    computed = features.columns(list(reads.values()), {"close": close})
    timeline.columns = dict(zip(reads, computed.values(), strict=True))
    strategy.sizing = SizingSettings(method="fixed", value=1.0)
    engine = CompiledEngine(timeline, [INSTRUMENT], strategy, cash=w.CASH, currency="USDT", costs=COSTS, limits=LIMITS)
    engine.run()
    return engine


def main(n: int, repeats: int, kind: type[SignalStrategy]) -> None:
    table = w.bars(n)
    timeline = merge({INSTRUMENT.symbol: table}, {INSTRUMENT.symbol: w.MINUTE_US})

    def run() -> tuple[float, CompiledEngine]:
        start = time.perf_counter()
        engine = backtest(timeline, table["close"], kind())
        return time.perf_counter() - start, engine

    run()  # compiles what is not in the disk cache yet
    seconds, engine, rss = w.measure(run, repeats)
    trades = engine.fills[engine.fills["kind"] == FillKind.TRADE]
    lot = float(INSTRUMENT.lot_size)
    changes, position = w.changes_of_target((trades["side"] * trades["lots"] * lot).tolist())
    w.tell(
        n,
        __version__,
        seconds,
        rss_mb=rss,
        orders=int(np.count_nonzero(engine.events["event"] == Event.SUBMIT)),
        changes=changes,
        position=position,
        equity=float(engine.equity[-1]),
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Bracketed if sys.argv[3:] == ["bracketed"] else Cross)
