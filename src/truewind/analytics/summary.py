"""Summary: the figures of a run, as plain values that JSON can hold."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from truewind.analytics import measured
from truewind.analytics.figures import FIGURES, show
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.errors import EmptyRangeError
from truewind.numerics import performance
from truewind.numerics.floats import floats

if TYPE_CHECKING:
    from rich.table import Table

# What is paid to, or by, who holds something: the kind of fill, and the figure that sums it.
PAYMENTS = {"funding": "funding", "dividend": "dividends", "borrow": "borrow_fees", "swap": "swaps"}
_SELDOM = ("dividends", "borrow_fees", "swaps")  # not shown where there are none
_SHORT = "a run of less than a day says nothing of a year"

# What a terminal shows, in this order; the rest of a summary is for programs.
_TABLE = (
    ("net_return", "benchmark_return", "cagr", "volatility", "sharpe", "sortino", "calmar"),
    ("max_drawdown", "max_drawdown_days", "expected_shortfall", "beta", "alpha"),
    ("exposure", "max_gross", "turnover"),
    (
        "trades",
        "open_trades",
        "win_rate",
        "payoff",
        "profit_factor",
        "expectancy",
        "average_r",
        "average_holding_hours",
    ),
    ("orders", "fills", "fees", "slippage", "funding", "dividends", "borrow_fees", "swaps"),
    ("initial_equity", "final_equity", "start", "end", "bars"),
)


def summarise(
    equity: pl.DataFrame,
    trades: pl.DataFrame,
    fills: pl.DataFrame,
    orders: pl.DataFrame,
    *,
    initial: float,
    days_per_year: int,
    benchmark: pl.DataFrame | None,
    leverage: float | None = None,
) -> dict[str, Any]:
    """The figures of a run from its tables; names, units and meanings are in `analytics.figures`.

    initial: cash before the first bar. days_per_year: of the instruments' calendar. benchmark: `ts`, `equity` of the
    same money held, or None. leverage: by which initial margin is reckoned, None without margin. `sharpe`, `sortino`
    and `volatility` come from daily UTC returns whatever the bar; figures of trades count closed round trips only.
    `net_return`, `max_drawdown`, `win_rate` … are fractions.

    A figure that is not defined is None, and `not_defined` says why: [{"metric": …, "reason": …}].
    Raises EmptyRangeError if `equity` has no row.
    """
    if equity.is_empty():
        raise EmptyRangeError("The equity table has no row", remedy="Run over a span that holds bars")
    ts = equity["ts"].dt.epoch("us").to_numpy()
    values = floats(equity["equity"])
    final, elapsed = float(values[-1]), int(ts[-1] - ts[0])
    days, returns = performance.returns_by_calendar(ts, values, initial, days_per_year)
    fall = performance.deepest_drawdown(ts, values, initial)
    growth = performance.cagr(initial, final, elapsed) if elapsed >= DAY_US else math.nan

    executed = fills.filter((pl.col("quantity") > 0) & ~pl.col("kind").is_in(["split", "fee"]))
    received = {kind: float(fills["realised"].filter(fills["kind"] == kind).sum()) for kind in PAYMENTS}
    closed = trades.filter(~pl.col("open"))
    found: dict[str, Any] = {
        "initial_equity": float(initial),
        "final_equity": final,
        "net_return": final / initial - 1.0 if initial > 0 else math.nan,
        "cagr": growth,
        "volatility": performance.volatility(returns, days_per_year),
        "sharpe": performance.sharpe(returns, days_per_year),
        "sortino": performance.sortino(returns, days_per_year),
        "calmar": performance.calmar(growth, fall.depth),
        "max_drawdown": fall.depth,
        "max_drawdown_days": fall.days if not math.isnan(fall.depth) else math.nan,
        "max_drawdown_recovered": fall.recovered,
        **_of_trades(closed, len(trades) - len(closed)),
        "exposure": _exposure(ts, floats(equity["gross"])),
        "turnover": _turnover(float(executed["notional"].sum()), values, elapsed),
        "orders": len(orders),
        "fills": len(executed),
        "fees": float(fills["fee"].sum()),
        "slippage": float(executed["slippage"].sum()),
        **{name: received[kind] for kind, name in PAYMENTS.items()},
        "benchmark_return": _benchmark_return(benchmark, initial),
        "start": _iso(equity["ts"][0]),
        "end": _iso(equity["ts"][-1]),
        "days": elapsed / DAY_US,
        "bars": len(equity),
        "days_per_year": days_per_year,
    }
    reasons = _Reasons(equity, returns, initial, final, elapsed, fall.depth, closed)
    broken = reasons.bad or reasons.ruined
    told = measured.of_days(ts, values, initial, returns, days_per_year, broken)
    both, apart = measured.beside(days, returns, benchmark, initial, days_per_year)
    told |= measured.of_benchmark(both, apart if benchmark is None else broken or apart, days_per_year)
    told |= measured.of_trades(closed) | measured.of_exposure(ts, equity, leverage)
    found |= {name: value for name, (value, _) in told.items()}
    undefined = [name for name, value in found.items() if isinstance(value, float) and not math.isfinite(value)]
    summary = {name: None if name in undefined else value for name, value in found.items()}
    why = {name: told[name][1] if name in told else reasons.of(name) for name in undefined}
    summary["not_defined"] = [{"metric": name, "reason": why[name]} for name in undefined]
    return summary


def _of_trades(closed: pl.DataFrame, still_open: int) -> dict[str, Any]:
    """What closed round trips came to."""
    pnl = floats(closed["net_pnl"])
    held = (closed["closed"] - closed["opened"]).dt.total_microseconds()
    return {
        "trades": len(closed),
        "open_trades": still_open,
        "win_rate": performance.win_rate(pnl),
        "profit_factor": performance.profit_factor(pnl),
        "expectancy": performance.expectancy(pnl),
        "average_r": _mean(closed["r_multiple"].drop_nulls()),
        "average_win": _mean(closed["net_pnl"].filter(closed["net_pnl"] > 0)),
        "average_loss": _mean(closed["net_pnl"].filter(closed["net_pnl"] < 0)),
        "best_trade": float(pnl.max()) if len(pnl) else math.nan,
        "worst_trade": float(pnl.min()) if len(pnl) else math.nan,
        "average_holding_hours": _mean(held) / HOUR_US,
    }


def table(summary: dict[str, Any], notes: Mapping[str, str] | None = None) -> "Table":
    """The summary for a terminal: figures in groups, a dash and the reason where one is not defined.

    notes: what to say beside figures that are, by name.
    """
    from rich.table import Table
    from rich.text import Text

    why = {**(notes or {}), **{item["metric"]: item["reason"] for item in summary["not_defined"]}}
    shown = Table(box=None, show_header=False, pad_edge=False)
    shown.add_column("figure", style="dim", no_wrap=True)
    shown.add_column("value", justify="right", no_wrap=True)
    shown.add_column("note", style="dim")
    for number, group in enumerate(_TABLE):
        if number:
            shown.add_row()
        for name in group:
            if name in _SELDOM and not summary[name]:
                continue
            good = name in ("net_return", "benchmark_return", "cagr") and summary[name] is not None
            style = ("blue" if summary[name] >= 0 else "dark_orange") if good else ""
            style += " bold" if name in ("net_return", "sharpe", "max_drawdown") else ""
            shown.add_row(FIGURES[name].label, Text(show(name, summary[name]), style=style.strip()), why.get(name, ""))
    return shown


class _Reasons:
    """Why a figure is not defined, in words."""

    def __init__(
        self,
        equity: pl.DataFrame,
        returns: performance.Floats,
        initial: float,
        final: float,
        elapsed: int,
        depth: float,
        closed: pl.DataFrame,
    ) -> None:
        values = equity["equity"]
        bad = equity.filter(values.is_null() | values.is_nan() | values.is_infinite())
        ruined = equity.filter(values <= 0)
        self.bad = f"equity is not a number at {_iso(bad['ts'][0])}" if len(bad) else ""
        self.ruined = f"equity fell to zero or below at {_iso(ruined['ts'][0])}" if len(ruined) else ""
        self.returns, self.initial, self.final, self.elapsed = returns, initial, final, elapsed
        self.depth, self.closed = depth, closed

    def of(self, name: str) -> str:
        if name in ("volatility", "sharpe", "sortino", "cagr", "calmar", "max_drawdown", "max_drawdown_days"):
            return self.bad or self._of_equity(name)
        if name in ("final_equity", "net_return"):
            return self.bad or "there was no money to begin with"
        if name == "benchmark_return":
            return "nothing was given to compare with"
        if name == "exposure":
            return "the run has a single row, or a gross exposure that is not a number"
        if name == "turnover":
            return self.bad or ("the run has a single row" if not self.elapsed else "mean equity is not positive")
        if self.closed.is_empty():
            return measured.NO_TRADE
        return {
            "profit_factor": "no closed trade lost",
            "average_r": "no closed trade had a protective stop",
            "average_win": "no closed trade won",
            "average_loss": "no closed trade lost",
        }.get(name, "a closed trade's result is not a number")

    def _of_equity(self, name: str) -> str:
        if name in ("cagr", "calmar") and not self.elapsed:
            return "the run has a single row"
        if name in ("cagr", "calmar") and 0 < self.elapsed < DAY_US:
            return _SHORT
        if name == "calmar" and self.depth == 0:
            return "equity never fell"
        if name == "cagr" or (name == "calmar" and self.final < 0):
            return "equity ended below zero" if self.final < 0 else "the run is too short to compound over a year"
        if name == "calmar":
            return "the run is too short to compound over a year"
        if self.ruined:
            return self.ruined
        if len(self.returns) < 2:
            return measured.FEW_DAYS
        return "no day lost" if name == "sortino" else measured.STILL


def _mean(column: pl.Series) -> float:
    return float(np.mean(column.to_numpy())) if len(column) else math.nan


def _exposure(ts: performance.Ints, gross: performance.Floats) -> float:
    """Share of the time from first to last row in which something was held, each row holding until the next."""
    if len(ts) < 2 or np.isnan(gross).any():
        return math.nan
    spans = np.diff(ts)
    return float(spans[gross[:-1] > 0].sum() / spans.sum())


def _turnover(notional: float, equity: performance.Floats, elapsed: int) -> float:
    """Traded notional (buys and sells) over mean equity, a year of 365.25 days."""
    mean = float(np.mean(equity))
    return notional / mean / (elapsed / performance.YEAR_US) if mean > 0 and elapsed > 0 else math.nan


def _benchmark_return(benchmark: pl.DataFrame | None, initial: float) -> float:
    if benchmark is None or benchmark.is_empty() or not initial > 0:
        return math.nan
    return float(floats(benchmark["equity"])[-1]) / initial - 1.0


def _iso(moment: Any) -> str:
    """UTC as "2024-01-31T12:00:00Z", with fractions only where there are some."""
    return str(moment.isoformat()).replace("+00:00", "Z")
