"""Measures: what a series of returns comes to, all at once, in machine code: for reports and for each trial of a sweep.

Units, signs and what is not defined are as in `numerics.performance`.
"""

import math
from typing import Any, NamedTuple

from truewind.numerics.jit import kernel

NO_VARIATION = 1e-14  # returns lie near 1 and carry a rounding error of about 1e-16: a spread below this is noise
_NAN = math.nan


class Spread(NamedTuple):
    """How returns are spread. deviation: sample standard deviation (ddof 1). downside: √mean(min(r, 0)²) over all.

    skew, kurtosis: m3 / m2^1.5 and m4 / m2² of the population moments, as Bailey and López de Prado (2012), "The Sharpe
    Ratio Efficient Frontier", Journal of Risk 15(2), put them into the deviation of a Sharpe ratio: a normal
    distribution has kurtosis 3.
    """

    mean: float
    deviation: float
    downside: float
    skew: float
    kurtosis: float


@kernel
def spread(values: Any) -> tuple[float, float, float, float, float]:
    """The fields of `Spread` of float64 (n,). Deviations are from the mean, which is reckoned first: nothing cancels.

    All are NaN where a value is NaN; all but the mean with fewer than two; skew and kurtosis where nothing varies.
    """
    count = len(values)
    if count == 0:
        return _NAN, _NAN, _NAN, _NAN, _NAN
    total = 0.0
    for i in range(count):
        total += values[i]
    mean = total / count
    if count < 2:
        return mean, _NAN, _NAN, _NAN, _NAN
    second = third = fourth = below = 0.0
    for i in range(count):
        value = values[i]
        apart = value - mean
        square = apart * apart
        second += square
        third += square * apart
        fourth += square * square
        least = min(value, 0.0)
        below += least * least
    deviation, downside = math.sqrt(second / (count - 1)), math.sqrt(below / count)
    if math.isnan(second):
        return mean, deviation, _NAN, _NAN, _NAN
    if not deviation > NO_VARIATION:
        return mean, deviation, downside, _NAN, _NAN
    second /= count
    return mean, deviation, downside, third / count / second**1.5, fourth / count / (second * second)


@kernel
def annualised(found: tuple[float, float, float, float, float], days_per_year: float) -> tuple[float, float, float]:
    """Volatility, Sharpe and Sortino ratio from the `spread` of daily returns, as `performance` has them."""
    mean, deviation, downside = found[0], found[1], found[2]
    root = math.sqrt(days_per_year)
    volatility = 0.0 if deviation <= NO_VARIATION else deviation * root
    sharpe = mean / deviation * root if deviation > NO_VARIATION else _NAN
    sortino = mean / downside * root if downside > NO_VARIATION else _NAN
    return volatility, sharpe, sortino
