"""Difference: whether one of two series over the same days has the higher Sharpe ratio, or only looks so.

Two strategies on one market rise and fall together, so their Sharpe ratios cannot be held against each other by the
error of each: what counts is the error of the difference, which their correlation makes smaller.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from truewind.numerics.performance import NAN, NO_VARIATION, Floats

FEWEST = 30  # returns; below that the error of a Sharpe ratio is not known well enough


class Difference(NamedTuple):
    """value: Sharpe ratio of the first less that of the second, of a day. error: its standard error. p: the chance of
    a difference at least so large, either way, if there were none. All NaN where they are not defined.
    """

    value: float
    error: float
    p: float


def sharpe_difference(first: Floats, second: Floats) -> Difference:
    """The difference of the Sharpe ratios of paired returns, with an error that holds for fat tails and dependence.

    Delta method over first and second moments with their long-run covariance: Ledoit, O. and Wolf, M. (2008), "Robust
    performance hypothesis testing with the Sharpe ratio", Journal of Empirical Finance 15(5), section 3.1, with the
    quadratic spectral kernel, the bandwidth that Andrews (1991) finds by an AR(1) fit, and their T / (T − 4).
    As in their paper, deviations are of the population (ddof 0).
    NaN for fewer than `FEWEST` pairs, a NaN among them, returns that do not vary, and equal series.
    """
    count = len(first)
    if len(second) != count:
        raise ValueError(f"{count} and {len(second)} returns are no pairs")
    nothing = Difference(NAN, NAN, NAN)
    if count < FEWEST or not (np.isfinite(first).all() and np.isfinite(second).all()):
        return nothing
    parts = []
    for returns in (first, second):
        mean, square = float(np.mean(returns)), float(np.mean(returns * returns))
        deviation = float(np.std(returns))
        if not deviation > NO_VARIATION:
            return nothing
        # How much each day moves the Sharpe ratio: the gradient by mean and mean square, times that day's deviations.
        influence = square / deviation**3 * (returns - mean) - 0.5 * mean / deviation**3 * (returns * returns - square)
        parts.append((mean / deviation, influence))
    (one, moved), (other, moved_other) = parts
    if np.array_equal(first, second):
        return Difference(0.0, NAN, NAN)
    variance = long_run_variance(moved - moved_other) * count / (count - 4)
    if not variance > 0:
        return Difference(one - other, NAN, NAN)
    error = math.sqrt(variance / count)
    return Difference(one - other, error, math.erfc(abs(one - other) / error / math.sqrt(2.0)))


def long_run_variance(series: Floats, bandwidth: float | None = None) -> float:
    """Variance of √n times the mean of a series whose values depend on each other.

    Σ k(j / bandwidth) γ(j) over all lags j with the quadratic spectral kernel: Andrews, D. (1991), "Heteroskedasticity
    and Autocorrelation Consistent Covariance Matrix Estimation", Econometrica 59(3), eq. 2.7; bandwidth, unless it is
    given, by eq. 6.2 and 6.4. 0 means that only the variance itself counts. NaN for fewer than two values.
    """
    count = len(series)
    if count < 2:
        return NAN
    apart = np.asarray(series, np.float64) - np.mean(series)
    gammas = _autocovariances(apart)
    if bandwidth is None:
        bandwidth = _andrews(apart)
    if not bandwidth > 0:
        return float(gammas[0])
    x = 6.0 * math.pi / 5.0 * np.arange(1, count) / bandwidth
    weights = 3.0 / (x * x) * (np.sin(x) / x - np.cos(x))
    return float(gammas[0] + 2.0 * np.dot(weights, gammas[1:]))


def _autocovariances(apart: Floats) -> Floats:
    """Of all lags from 0 on, each a sum over the pairs divided by the number of values."""
    count = len(apart)
    size = 1 << (2 * count - 1).bit_length()
    transformed = np.fft.rfft(apart, size)
    found: Floats = np.fft.irfft(transformed * np.conj(transformed), size)[:count] / count
    return found


def _andrews(apart: Floats) -> float:
    """1.3221 (α n)^(1/5), α = 4ρ² / (1 − ρ)⁴ of the AR(1) with the autocorrelation ρ."""
    square = float(np.dot(apart[:-1], apart[:-1]))
    found = float(np.dot(apart[1:], apart[:-1])) / square if square > 0 else 0.0
    rho = min(max(found, -0.97), 0.97)  # beyond, the fit says more of its own error than of the series
    return float(1.3221 * (4.0 * rho * rho / (1.0 - rho) ** 4 * len(apart)) ** 0.2)


def holm(chances: Sequence[float]) -> list[float]:
    """Chances of several tests, raised for their number: Holm, S. (1979), Scandinavian Journal of Statistics 6(2).

    The smallest of n counts n-fold, the next n − 1-fold …, none is below one before it. NaN stays and does not count.
    """
    order = sorted((chance, place) for place, chance in enumerate(chances) if not math.isnan(chance))
    found, highest = [NAN] * len(chances), 0.0
    for number, (chance, place) in enumerate(order):
        highest = max(highest, min(1.0, chance * (len(order) - number)))
        found[place] = highest
    return found
