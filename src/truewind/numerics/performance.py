"""Performance: how a series of equity did. Pure functions over float64 arrays and int64 µs; used by reports,
model selection and monitoring alike.

What every function here keeps to:
- Fractions, not percent: 0.12 is 12 %. Drawdowns are positive fractions of the peak.
- Undefined is NaN, never infinity and never a silent zero: too few values, no variation, no loss to divide by.
  NaN going in is NaN coming out.
- The equity before the first row is `initial`, the cash that the account was opened with.
- A UTC day is the half-open span (00:00, 24:00]: equity stamped at midnight is known when the day that ends there
  closes, and belongs to it. (A bar's equity is stamped at the bar's end.)
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from truewind.domain.timeframe import DAY_US

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NAN = math.nan
YEAR_US = 365.25 * DAY_US
EVERY_DAY = 365  # a market with this many trading days a year has no sessions
# Returns lie near 1 and carry a rounding error of about 1e-16: a spread below this is noise, not variation.
NO_VARIATION = 1e-14


class Drawdown(NamedTuple):
    """One fall from a peak. depth: positive fraction of the peak, 0 if equity never fell, NaN if undefined.

    peak_us: the last time that equity stood at the peak. trough_us: when it was deepest.
    end_us: first time back at the peak, or the last row where it never came back (`recovered` False).
    """

    depth: float
    peak_us: int
    trough_us: int
    end_us: int
    recovered: bool

    @property
    def days(self) -> float:
        """Length from peak to recovery (or to the end) in days."""
        return (self.end_us - self.peak_us) / DAY_US


def day_index(ts_us: Ints) -> Ints:
    """UTC days since 1970-01-01 that the times fall in; midnight belongs to the day that it ends."""
    return (np.asarray(ts_us, np.int64) - 1) // DAY_US


def day_closes(ts_us: Ints, equity: Floats) -> tuple[Ints, Floats]:
    """The days that have a row, and the last equity of each. `ts_us` must ascend; empty in, empty out."""
    days = day_index(ts_us)
    if not len(days):
        return days, np.asarray(equity, np.float64)
    last = np.append(np.flatnonzero(np.diff(days)), len(days) - 1)
    return days[last], np.asarray(equity, np.float64)[last]


def daily_returns(ts_us: Ints, equity: Floats, initial: float, *, every_day: bool) -> tuple[Ints, Floats]:
    """UTC days and the simple return of each, the first one measured from `initial`.

    every_day: the market trades every day, so a day without a row (a gap, a weekly bar) returned 0. Otherwise only
    days with a row count, as is the field's custom for markets with sessions.
    A return from equity that is not positive is NaN: after ruin there is nothing to earn a return on.
    """
    days, closes = day_closes(ts_us, equity)
    returns = simple_returns(closes, initial)
    if not every_day or not len(days):
        return days, returns
    filled = np.zeros(int(days[-1] - days[0]) + 1)
    filled[days - days[0]] = returns
    return np.arange(days[0], days[-1] + 1), filled


def returns_by_calendar(ts_us: Ints, equity: Floats, initial: float, days_per_year: float) -> tuple[Ints, Floats]:
    """`daily_returns` by a market's calendar; empty where the rows do not tell of days (`tells_days`)."""
    days, returns = daily_returns(ts_us, equity, initial, every_day=days_per_year >= EVERY_DAY)
    if len(days) and not tells_days(int(ts_us[-1] - ts_us[0]), len(returns), days_per_year):
        return days[:0], returns[:0]
    return days, returns


def tells_days(elapsed_us: int, count: int, days_per_year: float) -> bool:
    """Whether rows that span `elapsed_us` and gave `count` daily returns can speak of days at all.

    Not within a single day: two halves of it are no two days. And not where a market with sessions has rows four days
    apart on average: days without a row are holidays there, and weekly rows would pass for daily ones.
    """
    rare = days_per_year < EVERY_DAY and count > 1 and elapsed_us / (count - 1) > 4 * DAY_US
    return elapsed_us >= DAY_US and not rare


def simple_returns(values: Floats, initial: float) -> Floats:
    """values[i] / values[i-1] − 1, the first against `initial`; NaN where the earlier value is not positive."""
    values = np.asarray(values, np.float64)
    before = np.concatenate(([initial], values))[:-1]
    ratios: Floats = np.divide(values, before, out=np.full(len(values), NAN), where=before > 0)
    return ratios - 1.0


def volatility(returns: Floats, days_per_year: float) -> float:
    """Annualised volatility: sample standard deviation (ddof 1) of daily returns × √days_per_year.

    Constant returns have volatility 0. NaN for fewer than two returns.
    """
    deviation = _deviation(returns)
    return 0.0 if deviation <= NO_VARIATION else deviation * math.sqrt(days_per_year)


def sharpe(returns: Floats, days_per_year: float) -> float:
    """Annualised Sharpe ratio at a risk-free rate of 0: mean / sample standard deviation × √days_per_year.

    Sharpe, W. F. (1994), "The Sharpe Ratio", Journal of Portfolio Management 21(1).
    NaN for fewer than two returns, and for returns that do not vary.
    """
    deviation = _deviation(returns)
    if not deviation > NO_VARIATION:
        return NAN
    return float(np.mean(returns)) / deviation * math.sqrt(days_per_year)


def sortino(returns: Floats, days_per_year: float) -> float:
    """Annualised Sortino ratio at a target of 0: mean / downside deviation × √days_per_year.

    The downside deviation is √mean(min(r, 0)²) over *all* days, those without a loss counting as 0 (Sortino, F. A.
    and Price, L. N. (1994), "Performance Measurement in a Downside Risk Framework", Journal of Investing 3(3)).
    NaN for fewer than two returns, and when no day lost.
    """
    returns = np.asarray(returns, np.float64)
    if len(returns) < 2:
        return NAN
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    if not downside > NO_VARIATION:
        return NAN
    return float(np.mean(returns)) / downside * math.sqrt(days_per_year)


def cagr(initial: float, final: float, elapsed_us: float) -> float:
    """Compound annual growth rate by calendar time: (final / initial)^(365.25 days / elapsed) − 1.

    −1 if all is lost. NaN without elapsed time, from an initial that is not positive, to a final below 0, and where
    a short span would compound beyond what a float holds.
    """
    if not (initial > 0 and final >= 0 and elapsed_us > 0):
        return NAN
    try:
        growth = (final / initial) ** (YEAR_US / elapsed_us)
    except OverflowError:
        return NAN
    return growth - 1.0 if math.isfinite(growth) else NAN


def drawdowns(equity: Floats, initial: float) -> Floats:
    """How far each value lies below the highest so far (`initial` included), as a positive fraction of that peak.

    In [0, 1] while equity is not negative; above 1 where the account owes money. From the first NaN on, NaN.
    """
    equity = np.asarray(equity, np.float64)
    peaks = np.maximum.accumulate(np.concatenate(([initial], equity)))[1:]
    below: Floats = np.divide(peaks - equity, peaks, out=np.full(len(equity), NAN), where=peaks > 0)
    return below


def max_drawdown(equity: Floats, initial: float) -> float:
    """The largest of `drawdowns`; 0 if equity never fell, NaN if empty."""
    return float(np.max(drawdowns(equity, initial))) if len(equity) else NAN


def deepest_drawdown(ts_us: Ints, equity: Floats, initial: float) -> Drawdown:
    """The deepest fall with its times. A fall from `initial` itself is taken to start at the first row.

    Of equally deep falls the first. `depth` is NaN for an empty or NaN series (times are then 0).
    """
    below = drawdowns(equity, initial)
    if not len(below) or np.isnan(below).any():
        return Drawdown(NAN, 0, 0, 0, False)
    trough = int(np.argmax(below))
    if below[trough] == 0.0:
        return Drawdown(0.0, int(ts_us[-1]), int(ts_us[-1]), int(ts_us[-1]), True)
    at_peak = np.flatnonzero(below[:trough] == 0.0)
    peak = int(at_peak[-1]) if len(at_peak) else 0
    back = np.flatnonzero(below[trough:] == 0.0)
    end = trough + int(back[0]) if len(back) else len(below) - 1
    return Drawdown(float(below[trough]), int(ts_us[peak]), int(ts_us[trough]), int(ts_us[end]), bool(len(back)))


def falls(ts_us: Ints, equity: Floats, initial: float) -> list[Drawdown]:
    """Every fall from a peak, the deepest first (of equally deep ones the earlier); none for an empty or NaN series.

    A fall from `initial` itself is taken to start at the first row.
    """
    below = drawdowns(equity, initial)
    if not len(below) or np.isnan(below).any():
        return []
    under = np.concatenate(([False], below > 0.0, [False]))
    edges = np.flatnonzero(under[1:] != under[:-1])
    found = []
    for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        trough = start + int(np.argmax(below[start:end]))
        recovered = end < len(below)
        peak, last = max(0, start - 1), end if recovered else end - 1
        times = int(ts_us[peak]), int(ts_us[trough]), int(ts_us[last])
        found.append(Drawdown(float(below[trough]), *times, recovered))
    return sorted(found, key=lambda fall: -fall.depth)


def rolling(returns: Floats, window: int, days_per_year: float) -> tuple[Floats, Floats]:
    """Annualised volatility and Sharpe ratio of the last `window` daily returns at each day; NaN before there are as
    many, where one of them is NaN, and (Sharpe) where they do not vary.
    """
    returns = np.asarray(returns, np.float64)
    spread, ratio = np.full(len(returns), NAN), np.full(len(returns), NAN)
    if 2 <= window <= len(returns):
        windows = np.lib.stride_tricks.sliding_window_view(returns, window)
        deviation, mean = np.std(windows, axis=1, ddof=1), np.mean(windows, axis=1)
        varies = deviation > NO_VARIATION
        spread[window - 1 :] = np.where(varies | np.isnan(deviation), deviation, 0.0) * math.sqrt(days_per_year)
        np.divide(mean, deviation, out=ratio[window - 1 :], where=varies)
        ratio *= math.sqrt(days_per_year)
    return spread, ratio


def calmar(growth: float, depth: float) -> float:
    """CAGR / maximum drawdown (Young, T. W. (1991), "Calmar Ratio", Futures). NaN if equity never fell, and where the
    ratio is beyond what a float holds.
    """
    ratio = float(growth) / float(depth) if depth > 0 else NAN
    return ratio if math.isfinite(ratio) else NAN


def ulcer_index(below: Floats) -> float:
    """√mean(drawdown²), a fraction (Martin, P. and McCann, B. (1989), The Investor's Guide to Fidelity Funds).

    Takes `drawdowns`; NaN if empty.
    """
    return math.sqrt(float(np.mean(np.square(below)))) if len(below) else NAN


def win_rate(pnl: Floats) -> float:
    """Share of trades that made money, costs included; one of exactly 0 did not. NaN without trades."""
    return _mean((np.asarray(pnl) > 0).astype(np.float64)) if not np.isnan(pnl).any() else NAN


def profit_factor(pnl: Floats) -> float:
    """Money won by the winners / money lost by the losers. NaN if nothing was lost."""
    pnl = np.asarray(pnl, np.float64)
    lost = -float(np.sum(np.minimum(pnl, 0.0)))
    return float(np.sum(np.maximum(pnl, 0.0))) / lost if lost > 0 else NAN


def expectancy(pnl: Floats) -> float:
    """Mean result of a trade, in money. NaN without trades."""
    return _mean(np.asarray(pnl, np.float64))


def _mean(values: Floats) -> float:
    return float(np.mean(values)) if len(values) else NAN


def _deviation(returns: Floats) -> float:
    return float(np.std(returns, ddof=1)) if len(returns) > 1 else NAN
