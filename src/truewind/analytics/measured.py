"""Measured: figures of a run's daily returns, of its trades, of what it held and against its benchmark.

Each is given with why it is not defined, if it is not: where a number is reckoned it is known what was missing.
"""

import math
from typing import Any

import numpy as np
import polars as pl

from truewind.analytics import plots
from truewind.domain.timeframe import HOUR_US
from truewind.numerics import performance, trading
from truewind.numerics.benchmark import Aligned, against, align
from truewind.numerics.floats import floats
from truewind.numerics.measures import measure
from truewind.numerics.performance import NAN, Floats, Ints

Told = dict[str, tuple[Any, str]]  # by the figure's name its value, and why it is not defined where it is not a number

FEW_DAYS = "needs two daily returns"
STILL = "daily returns do not vary"
NO_TRADE = "no trade was closed"
_NO_STOP = "no closed trade had a protective stop"


def of_days(ts: Ints, equity: Floats, initial: float, returns: Floats, days_per_year: int, broken: str) -> Told:
    """Of the daily returns. broken: why all of them are worthless (ruin, NaN), or ""."""
    found = measure(returns, days_per_year)
    years = plots.monthly_returns(ts, equity, initial) if len(returns) else []
    months = np.array([month for year in years for month in year.months if month is not None], np.float64)
    falls = performance.falls(*_daily_closes(ts, equity), initial) if len(returns) else []
    why = broken or (FEW_DAYS if len(returns) < 2 else "")
    tail = found.tail
    return {
        "best_day": (found.best, why),
        "worst_day": (found.worst, why),
        "winning_days": (found.positive, why),
        "downside_deviation": (found.downside, why),
        "omega": (found.omega, why or "no day lost"),
        "gain_to_pain": (measure(months, 12).gain_to_pain, why or "no month lost"),
        "tail_ratio": (found.tail_ratio, why or "too few days won or lost"),
        "common_sense": (found.common_sense, why or "too few days won or lost"),
        "kelly": (found.kelly, why or STILL),
        "stability": (found.stability, why or STILL),
        "skew": (found.spread.skew, why or STILL),
        "kurtosis": (found.spread.kurtosis, why or STILL),
        "value_at_risk": (tail.value_at_risk, why),
        "expected_shortfall": (tail.shortfall, why),
        "normal_value_at_risk": (tail.normal, why),
        "cornish_fisher_value_at_risk": (
            tail.cornish_fisher,
            why or (STILL if math.isnan(found.spread.skew) else "daily returns are too far from normal"),
        ),
        "ulcer": (found.ulcer, why),
        "average_drawdown": (_mean([fall.depth for fall in falls]), why or "equity never fell from day to day"),
        "longest_drawdown_days": (
            max((fall.days for fall in falls), default=NAN),
            why or "equity never fell from day to day",
        ),
    }


def _daily_closes(ts: Ints, equity: Floats) -> tuple[Ints, Floats]:
    """The last row of each UTC day."""
    days = performance.day_index(ts)
    last = np.append(np.flatnonzero(np.diff(days)), len(days) - 1)
    return ts[last], equity[last]


def beside(
    days: Ints, returns: Floats, table: pl.DataFrame | None, initial: float, days_per_year: int
) -> tuple[Aligned, str]:
    """The run's daily returns and those of a benchmark (`ts`, `equity`) on common days, or why there are none."""
    nothing = align(days[:0], returns[:0], days[:0], returns[:0])
    if table is None or table.is_empty():
        return nothing, "nothing was given to compare with"
    if len(returns) < 2:
        return nothing, FEW_DAYS
    values = floats(table["equity"])
    every = days_per_year >= performance.EVERY_DAY
    other_days, other = performance.daily_returns(
        table["ts"].dt.epoch("us").to_numpy(), values, initial, every_day=every
    )
    known, other_known = np.isfinite(returns), np.isfinite(other)
    found = align(days[known], returns[known], other_days[other_known], other[other_known])
    return found, "" if len(found.days) > 1 else "the run and its benchmark have fewer than two days in common"


def of_benchmark(both: Aligned, why: str, days_per_year: int) -> Told:
    """Against the market, as `beside` has joined them."""
    found = against(both.own, both.other, days_per_year)
    still = why or "the benchmark did not move"
    return {
        "alpha": (found.alpha, still),
        "beta": (found.beta, still),
        "correlation": (found.correlation, why or "the run or its benchmark did not move"),
        "tracking_error": (found.tracking_error, why),
        "information_ratio": (found.information_ratio, why or "the run did what its benchmark did"),
        "up_capture": (found.up_capture, why or "the benchmark never rose"),
        "down_capture": (found.down_capture, why or "the benchmark never fell"),
    }


def of_trades(closed: pl.DataFrame) -> Told:
    """Of closed round trips."""
    pnl = floats(closed["net_pnl"])
    multiples = floats(closed["r_multiple"].drop_nulls())
    hours = (closed["closed"] - closed["opened"]).dt.total_microseconds().to_numpy() / HOUR_US
    order = np.argsort(closed["closed"].dt.epoch("us").to_numpy(), kind="stable")
    runs = trading.streaks(pnl[order])
    none = NO_TRADE if closed.is_empty() else ""
    unmatched = none or "no closed trade won, or none lost"
    no_stop = none or _NO_STOP
    told: Told = {
        "loss_rate": (trading.loss_rate(pnl), none),
        "payoff": (trading.payoff(pnl), unmatched),
        "kelly_of_trades": (trading.kelly_fraction(pnl), unmatched),
        "median_r": (_median(multiples), no_stop),
        "system_quality": (trading.system_quality(multiples), no_stop if not len(multiples) else "R does not vary"),
        "median_holding_hours": (_median(hours), none),
        "winning_streak": (runs.wins, ""),
        "losing_streak": (runs.losses, ""),
        "long_trades": (int((closed["side"] > 0).sum()), ""),
        "short_trades": (int((closed["side"] < 0).sum()), ""),
    }
    for name in ("mae", "mfe"):
        known = floats(closed[name].drop_nulls()) if name in closed.columns else np.zeros(0)
        told[f"average_{name}"] = (_mean(known), none or "prices while trades were open are not known")
    return told


def of_exposure(ts: Ints, equity: pl.DataFrame, leverage: float | None) -> Told:
    """Of what was held, against equity, each row holding until the next.

    leverage: initial margin is notional ÷ leverage; None where what is bought is paid for in full.
    """
    worth, gross = floats(equity["equity"]), floats(equity["gross"])
    net = floats(equity["net"]) if "net" in equity.columns else np.full(len(gross), NAN)
    spans = np.diff(ts).astype(np.float64)
    whole = spans.sum()
    sound = bool((worth > 0).all() and np.isfinite(gross).all())
    why = "the run has a single row" if whole <= 0 else "" if sound else "equity was not positive throughout"

    def mean(values: Floats) -> float:
        return float((values[:-1] / worth[:-1]) @ spans / whole) if not why else NAN

    reach = gross / worth if not why else np.zeros(0)
    most = float(reach.max()) if len(reach) else NAN
    return {
        "average_gross": (mean(gross), why),
        "average_net": (mean(net), why or "which side was held is not known"),
        "max_gross": (most, why),
        "max_margin_use": (most / leverage if leverage else NAN, why or "nothing is bought on margin"),
        "least_cushion": (1.0 / most if most > 0 else NAN, why or "nothing was held"),
    }


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else NAN


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else NAN
