"""Statistics of daily returns: their shape, what they say about each other, regimes of the market, persistence.

What is not defined is NaN, or None where a whole part is missing; the section says why.
"""

import math
from typing import NamedTuple

import numpy as np

from truewind.analytics.daily import Daily
from truewind.numerics import performance
from truewind.numerics.markov import two_states
from truewind.numerics.performance import NAN, Floats
from truewind.numerics.serial import Runs, rank_correlation, runs_test
from truewind.numerics.tails import hill, jarque_bera

TAIL = 0.05  # share of days that Hill's index looks at on each side
_LEAST_WINDOWS = 6  # neighbours whose ranks are compared


class Shape(NamedTuple):
    """How returns are distributed. kurtosis: 3 for a normal one. normal_p: chance of such a skew and kurtosis among
    normal days. loss_index, gain_index: Hill's tail indices, from `tail_days` days each.
    """

    days: int
    mean: float
    median: float
    deviation: float
    skew: float
    kurtosis: float
    jarque_bera: float
    normal_p: float
    loss_index: float
    gain_index: float
    tail_days: int


class Regime(NamedTuple):
    """A state of the market and how the run did in it. share: of the days. lasts: expected days in a row.

    Growth and volatility a year, from the means and deviations of the days; sharpe: of the run.
    """

    name: str
    days: int
    share: float
    lasts: float
    market_growth: float
    market_volatility: float
    growth: float
    volatility: float
    sharpe: float


class Stretch(NamedTuple):
    """A part of the run: its UTC day numbers, both included, growth and annualised Sharpe ratio."""

    name: str
    first: int
    last: int
    growth: float
    sharpe: float


class Persistence(NamedTuple):
    """Whether good times followed good times. halves, quarters: of the run. window: days of the windows whose Sharpe
    ratios are compared with those of the next ones by rank; correlation, p (two-sided), windows: what came out.
    """

    halves: tuple[Stretch, ...]
    quarters: tuple[Stretch, ...]
    window: int
    windows: int
    correlation: float
    p: float
    runs: Runs


def shape(returns: Floats) -> Shape:
    """Of daily returns that are finite."""
    n = len(returns)
    mean, deviation = (float(np.mean(returns)), float(np.std(returns, ddof=1))) if n > 1 else (NAN, NAN)
    skew = kurtosis = NAN
    if deviation > 1e-14:
        scores = (returns - mean) / np.std(returns)
        skew, kurtosis = float(np.mean(scores**3)), float(np.mean(scores**4))
    statistic, p = jarque_bera(returns)
    losses, tail = hill(-returns, TAIL)
    gains, _ = hill(returns, TAIL)
    median = float(np.median(returns)) if n else NAN
    return Shape(n, mean, median, deviation, skew, kurtosis, statistic, p, losses, gains, tail)


def regimes(own: Daily, market: Daily) -> tuple[Regime, ...] | None:
    """Calm and wild days of the market, found by a hidden Markov model in its own returns, and the run in each.

    A day belongs to the state that is the likelier one given all days, those after it too: this describes, and could
    not have been traded. None where the market shows no two states (see `two_states`).
    """
    days, mine, others = np.intersect1d(own.days, market.days, assume_unique=True, return_indices=True)
    states = two_states(market.returns)
    if states is None or not len(days):
        return None
    wild = states.wild[others] > 0.5
    found = []
    for number, name in enumerate(("calm", "wild")):
        inside = wild if number else ~wild
        returns, held = own.returns[mine][inside], market.returns[others][inside]
        lasts = 1.0 / (1.0 - states.stays[number])
        found.append(
            Regime(
                name, int(inside.sum()), float(inside.mean()), lasts, _yearly(held, own.year),
                performance.volatility(held, own.year), _yearly(returns, own.year),
                performance.volatility(returns, own.year), performance.sharpe(returns, own.year),
            )
        )  # fmt: skip
    return tuple(found)


def persistence(own: Daily) -> Persistence:
    """Of the run's own days. Windows are months (30 days, or 21 with sessions)."""
    window = 30 if own.year >= 365 else 21
    count = len(own.returns) // window
    cut = own.returns[len(own.returns) - count * window :]  # whole windows, the last one ending with the run
    ratios = np.array([performance.sharpe(part, own.year) for part in cut.reshape(count, window)])
    earlier, later = ratios[:-1], ratios[1:]
    known = ~np.isnan(earlier) & ~np.isnan(later) if count > 1 else np.zeros(0, bool)
    correlation = p = NAN
    pairs = int(known.sum())
    if pairs >= _LEAST_WINDOWS:
        correlation = rank_correlation(earlier[known], later[known])
        p = math.erfc(abs(correlation) * math.sqrt(pairs - 1) / math.sqrt(2.0))
    halves, quarters = (
        _stretches(own, 2, ("First half", "Second half")),
        _stretches(own, 4, ("1st", "2nd", "3rd", "4th")),
    )
    return Persistence(halves, quarters, window, pairs, correlation, p, runs_test(own.returns))


def _stretches(own: Daily, count: int, names: tuple[str, ...]) -> tuple[Stretch, ...]:
    if len(own.returns) < 2 * count:
        return ()
    bounds = np.linspace(0, len(own.returns), count + 1).astype(int)
    found = []
    for name, first, last in zip(names, bounds[:-1], bounds[1:], strict=True):
        part = own.returns[first:last]
        growth = float(np.prod(1.0 + part)) - 1.0
        stretch = int(own.days[first]), int(own.days[last - 1])
        found.append(Stretch(name, *stretch, growth, performance.sharpe(part, own.year)))
    return tuple(found)


def _yearly(returns: Floats, year: int) -> float:
    return float(np.mean(returns)) * year if len(returns) else NAN
