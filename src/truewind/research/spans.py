"""Spans: one backtest on part of its data, from flat to flat, and what it came to.

What is held at the end of a span is closed there: its equity pays for that what taking liquidity costs (taker fee and
half the spread, of the notional held). So spans can be put one behind the other, as if each had been traded alone.
"""

from typing import Any, NamedTuple

import numpy as np

from truewind.backtest import tables
from truewind.backtest.bar_run import BarJob
from truewind.backtest.settings import BacktestSettings
from truewind.domain.calendar import calendar
from truewind.domain.clock import iso
from truewind.domain.fill import FillKind
from truewind.errors import ConfigError
from truewind.numerics import performance
from truewind.numerics.performance import Floats, Ints
from truewind.storage.lake import Lake


class Ran(NamedTuple):
    """One run. ts_us, equity: at each moment at which bars became known, the cost of closing in the last.

    days, returns: of UTC days, as `performance.daily_returns`. trades: round trips, those closed at the end among them;
    closed: how many those were.
    """

    ts_us: Ints
    equity: Floats
    initial: float
    days: Ints
    returns: Floats
    days_per_year: int
    trades: int
    closed: int
    fees: float

    def figures(self) -> dict[str, Any]:
        """What a trial of a sweep has, as far as a table of trials needs it."""
        return {
            "final_equity": float(self.equity[-1]),
            "net_return": float(self.equity[-1]) / self.initial - 1.0,
            "sharpe": performance.sharpe(self.returns, self.days_per_year),
            "max_drawdown": performance.max_drawdown(self.equity, self.initial),
            "trades": self.trades,
            "fees": self.fees,
        }


def between(data: dict[str, Any], start_us: int, end_us: int) -> dict[str, Any]:
    """A config's values with the half-open span in its data."""
    wanted = {**data["data"], "start": iso(start_us), "end": iso(end_us)}
    return {**data, "data": wanted}


def run_span(settings: BacktestSettings, lake: Lake) -> Ran:
    """Run a backtest on bars or trades, on the span that its data name; nothing is written.

    Features are warmed up by what lies before. Raises as `backtest.run.run`, and ConfigError for a run on a book.
    """
    if settings.data.on_book:
        raise ConfigError(
            "A recording of an order book is too short to be divided", remedy="Walk forward on bars or trades"
        )
    engine = BarJob(settings, lake).engine
    engine.run()
    units = tables.Units(engine.instruments, engine.state.instruments, engine.state.scale)
    table = tables.equity_table(engine, engine.fills, units)
    equity, ts_us = table["equity"].to_numpy().copy(), table["ts"].to_physical().to_numpy()
    equity[-1] -= table["gross"][-1] * (settings.costs.taker_fee + settings.costs.half_spread_bps / 10_000)
    initial = float(engine.state.account[0]["start"]) / engine.state.scale
    year = max(calendar(instrument.calendar).days_per_year for instrument in engine.instruments)
    days, returns = performance.daily_returns(ts_us, equity, initial, every_day=year >= performance.EVERY_DAY)
    ended, still = _round_trips(engine.fills, engine.state.instruments["step"])
    fees = float(engine.state.account[0]["fees"] / engine.state.scale)
    return Ran(ts_us, equity, initial, days, returns, year, ended + still, still, fees)


def _round_trips(fills: np.ndarray, steps: np.ndarray) -> tuple[int, int]:
    """Positions that were closed, and those still open; dust is no position."""
    ended = still = 0
    traded = fills[(fills["lots"] != 0) & (fills["kind"] != FillKind.SPLIT) & (fills["kind"] != FillKind.FEE)]
    for leg in np.unique(traded["leg"]).tolist():
        own = traded[traded["leg"] == leg]
        after = np.sign(own["position"]) * (np.abs(own["position"]) >= steps[leg % len(steps)])
        before = np.concatenate((np.zeros(1, np.int64), after[:-1]))
        ended += int(np.count_nonzero((before != 0) & (after != before)))
        still += int(after[-1] != 0)
    return ended, still
