"""Benchmark: how returns did against those of a market, on days that both have. Undefined is NaN."""

import math
from typing import NamedTuple

import numpy as np

from truewind.numerics.performance import NAN, NO_VARIATION, Floats, Ints


class Aligned(NamedTuple):
    """Returns of both over the same spans, which end on common days. joined, other_joined: days of the one that the
    other does not have, and whose returns are part of the next common day's. left_out: days of both, before the first
    common day or after the last.
    """

    days: Ints
    own: Floats
    other: Floats
    joined: int
    other_joined: int
    left_out: int


class Relative(NamedTuple):
    """Against a market m, `year` periods a year.

    alpha: (mean(r) − beta × mean(m)) × year; beta: cov(r, m) / var(m) (Jensen, M. C. (1968), "The Performance of Mutual
    Funds", Journal of Finance 23(2), at a risk-free rate of 0). correlation: Pearson's. active_return: mean(r − m) ×
    year; tracking_error: deviation (ddof 1) of r − m × √year; information_ratio: the one over the other (Goodwin, T. H.
    (1998), "The Information Ratio", Financial Analysts Journal 54(4)). up_capture, down_capture: the geometric mean of
    r over that of m, on days on which m rose, and on which it fell (as Morningstar, but not annualised: a ratio of two
    numbers that have been raised to a power says another thing). days: how many.
    """

    days: int
    alpha: float
    beta: float
    correlation: float
    active_return: float
    tracking_error: float
    information_ratio: float
    up_capture: float
    down_capture: float


def align(days: Ints, returns: Floats, other_days: Ints, other: Floats) -> Aligned:
    """Both series on their common days; days rise.

    Calendars may differ and nothing is lost by it: what one earns on a day that the other does not have is compounded
    into its next common one. Only where one starts or ends before the other is something left out: then both begin with
    the first common day's close, unless both have their first return on it. NaN spreads to the span that it is part of.
    """
    common, mine, its = np.intersect1d(days, other_days, assume_unique=True, return_indices=True)
    together = len(common) > 0 and mine[0] == 0 and its[0] == 0
    first = 0 if together else 1
    if len(common) <= first:
        return Aligned(common[:0], np.zeros(0), np.zeros(0), 0, 0, len(days) + len(other_days))
    own, own_count = _joined(returns, mine, first)
    held, held_count = _joined(other, its, first)
    spans, outside = len(common) - first, len(days) - own_count + len(other_days) - held_count
    return Aligned(common[first:], own, held, own_count - spans, held_count - spans, outside)


def against(own: Floats, other: Floats, year: float) -> Relative:
    """`Relative` of float64 (n,) returns over the same spans. NaN where there are fewer than two, where one is NaN, and
    where what is divided by does not vary; a capture where the market never rose (fell), or returns below −1.
    """
    count = len(own)
    if count < 2 or np.isnan(own).any() or np.isnan(other).any():
        return Relative(count, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN)
    mean, market = float(np.mean(own)), float(np.mean(other))
    apart, beside = own - mean, other - market
    covariance = float(np.mean(apart * beside))
    spread, width = math.sqrt(float(np.mean(apart**2))), math.sqrt(float(np.mean(beside**2)))
    active = own - other
    error = float(np.std(active, ddof=1))
    beta = covariance / width**2 if width > NO_VARIATION else NAN
    return Relative(
        days=count,
        alpha=(mean - beta * market) * year,
        beta=beta,
        correlation=covariance / (spread * width) if min(spread, width) > NO_VARIATION else NAN,
        active_return=float(np.mean(active)) * year,
        tracking_error=error * math.sqrt(year) if error > NO_VARIATION else 0.0,
        information_ratio=float(np.mean(active)) / error * math.sqrt(year) if error > NO_VARIATION else NAN,
        up_capture=_capture(own, other, other > 0),
        down_capture=_capture(own, other, other < 0),
    )


def _joined(returns: Floats, ends: Ints, first: int) -> tuple[Floats, int]:
    """The returns compounded over each span that ends with one of `ends`, and how many returns that are. The first span
    is the one before `ends[0]`, which is left out if `first` is 1.
    """
    starts, stop = np.append(0, ends[:-1] + 1)[first:], int(ends[-1]) + 1
    grown: Floats = np.multiply.reduceat(1.0 + returns[:stop], starts)
    return grown - 1.0, stop - int(starts[0])


def _capture(own: Floats, other: Floats, chosen: np.ndarray) -> float:
    if not chosen.any() or own[chosen].min() <= -1.0 or other[chosen].min() <= -1.0:
        return NAN
    return math.expm1(float(np.mean(np.log1p(own[chosen])))) / math.expm1(float(np.mean(np.log1p(other[chosen]))))
