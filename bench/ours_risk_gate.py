"""What the risk gate costs an order. usage: ours_risk_gate.py gate|order default|all|none SYMBOLS ORDERS REPEATS

Every symbol is held with a stop and has a limit order far below the market. gate: the kernels that gather what the
rules look at and judge, called in a compiled loop. order: `Desk.submit` and `Desk.cancel` from Python.
"""

import sys
import time

import numpy as np
from msgspec.structs import replace

import workload as w
from ours_ema import COSTS, INSTRUMENT
from truewind import __version__
from truewind.domain.order import OrderType, Side
from truewind.engine.engine import Engine
from truewind.engine.intake import draft
from truewind.engine.limiting import limit_order
from truewind.engine.merge import merge
from truewind.numerics.jit import kernel
from truewind.portfolio.state import orders_of, positions_of
from truewind.risk.breakers import refuse
from truewind.risk.gate import VOLATILITY, RiskSettings
from truewind.strategies.base import Strategy

BARS, LEVERAGE = 3_000, 10.0
WIDE = {"max_exposure": 1.0, "max_correlated": 100, "max_position": 1.0, "max_gross": 100.0, "cooldown_minutes": None}
FURTHER = {
    "min_stop_distance": 0.001, "max_stop_distance": 0.5, "max_volume_share": 1.0, "min_liquidation_distance": 0.01,
    "volatility_target": 0.001, "max_net": 100.0, "max_concentration": 0.9, "max_margin_use": 0.9, "max_cluster": 100.0,
    "max_correlated": 2, "max_var": 1.0, "max_shortfall": 1.0, "max_orders_per_minute": 10**9, "max_order": 10.0,
    "max_data_age_s": 3600.0, "max_volatility": 1.0, "max_bar_move": 1.0, "duplicate_minutes": 1.0,
}  # fmt: skip
RULES = {
    "default": RiskSettings(**WIDE), "all": RiskSettings(**WIDE | FURTHER), "none": RiskSettings.unlimited()
}  # fmt: skip


@kernel
def ask(state: int, j: int, k: int, now: int, count: int) -> int:
    """Judge the order in row `j` so many times; lots that were allowed, in all."""
    order = orders_of(state)[j]
    at = positions_of(state)[order["symbol"]]["close"]
    lots = 0
    for _ in range(count):
        allowed, _, _ = limit_order(state, order, k, order["lots"], at, refuse(state, order, k, now, at))
        lots += allowed
    return lots


class Holder(Strategy):
    """Holds a little of everything; on the last bar it is timed."""

    seconds = 0.0

    def __init__(self, what: str, count: int) -> None:
        super().__init__()
        self.what, self.count, self.row = what, count, 0

    def on_bar(self, bar: object) -> None:
        self.row += 1
        symbols = self.desk.symbols
        if self.row == 2_000 * len(symbols):
            for symbol in symbols:
                price = bar.close
                self.desk.submit(symbol, Side.BUY, 0.01)
                self.desk.submit(symbol, Side.SELL, 0.01, OrderType.STOP, price * 0.5, reduce_only=True)
                self.desk.submit(symbol, Side.BUY, 0.01, OrderType.LIMIT, price * 0.6, protect=price * 0.5)
        elif self.row == (BARS - 10) * len(symbols):
            self.time_gate(bar) if self.what == "gate" else self.time_orders(bar)

    def time_gate(self, bar: object) -> None:
        engine = self.desk
        state, row = engine.state, engine._row
        j = draft(state.handle, 0, 1, 0, 10)
        state.orders[j]["protect"] = int(bar.close * 0.98 * 100)
        ask(state.handle, j, row, engine.now_us, 1)
        start = time.perf_counter()
        assert ask(state.handle, j, row, engine.now_us, self.count) == 10 * self.count
        self.seconds = time.perf_counter() - start

    def time_orders(self, bar: object) -> None:
        desk, symbol, price, protect = self.desk, self.desk.symbols[0], bar.close * 0.7, bar.close * 0.6
        start = time.perf_counter()
        for _ in range(self.count):
            order = desk.submit(symbol, Side.BUY, 0.01, OrderType.LIMIT, price, protect=protect)
            desk.cancel(order)
        self.seconds = time.perf_counter() - start


def main(what: str, rules: str, symbols: int, count: int, repeats: int) -> None:
    random = np.random.default_rng(3)
    tables = {}
    for i in range(symbols):
        table = dict(w.bars(BARS))
        factor = np.exp(np.cumsum(random.normal(0.0, 1e-3, BARS)))
        tables[f"S{i}"] = table | {name: table[name] * factor for name in ("open", "high", "low", "close")}
    timeline = merge(tables, dict.fromkeys(tables, w.MINUTE_US))
    if rules == "all":
        timeline.columns[VOLATILITY] = np.full(len(timeline), 1e-3)
    instruments = [replace(INSTRUMENT, symbol=name) for name in tables]
    limits = RULES[rules].record(LEVERAGE)

    def run() -> tuple[float, Engine]:
        strategy = Holder(what, count)
        engine = Engine(timeline, instruments, strategy, cash=w.CASH, currency="USDT", costs=COSTS, limits=limits)
        engine.run()
        return strategy.seconds, engine

    run()
    seconds, _, rss = w.measure(run, repeats)
    w.tell(count, __version__, seconds, rss_mb=rss, orders=count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
