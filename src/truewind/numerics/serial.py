"""Serial dependence: whether a value says something about those that follow it. Undefined is NaN."""

import math
from typing import NamedTuple

import numpy as np

from truewind.numerics.performance import NAN, NO_VARIATION, Floats


class Runs(NamedTuple):
    """runs: stretches of values on one side of the median. expected: in a random order. z: how far apart, in
    deviations; p: two-sided.
    """

    runs: int
    expected: float
    z: float
    p: float


def autocorrelations(values: Floats, lags: int) -> Floats:
    """(lags,) autocorrelations at lags 1 … `lags`: Σ (x_t − x̄)(x_t+k − x̄) / Σ (x_t − x̄)². In a series without any
    they lie within ±1.96 / √n in 95 % of cases. NaN for lags not below n, values that do not vary or are not finite.
    """
    series = np.asarray(values, np.float64)
    n, found = len(series), np.full(lags, NAN)
    if n < 2 or not np.isfinite(series).all() or not float(np.std(series)) > NO_VARIATION:
        return found
    apart = series - series.mean()
    total = float(apart @ apart)
    for lag in range(1, min(lags, n - 1) + 1):
        found[lag - 1] = float(apart[lag:] @ apart[: n - lag]) / total
    return found


def ljung_box(values: Floats, lags: int = 10) -> tuple[float, float]:
    """Statistic and p-value of the test that the first `lags` (even) autocorrelations are all zero.

    Ljung, G. M. and Box, G. E. P. (1978), "On a measure of lack of fit in time series models", Biometrika 65. Not
    defined for fewer than four values a lag, and as `autocorrelations`.
    """
    n = len(values)
    if n < 4 * lags:
        return NAN, NAN
    found = autocorrelations(values, lags)
    statistic = n * (n + 2.0) * float(np.sum(found**2 / (n - np.arange(1, lags + 1))))
    return statistic, chi_square_above(statistic, lags)


def chi_square_above(x: float, freedom: int) -> float:
    """P(χ² > x) for an even number of degrees of freedom: e^(−x/2) Σ (x/2)^i / i!, i < freedom / 2."""
    if not x >= 0.0:
        return NAN
    term, total = 1.0, 0.0
    for i in range(freedom // 2):
        total += term
        term *= x / 2.0 / (i + 1)
    return math.exp(-x / 2.0) * total if x < 1400.0 else 0.0


def runs_test(values: Floats) -> Runs:
    """Whether values above and below the median follow each other at random: fewer runs mean that they persist.

    Wald, A. and Wolfowitz, J. (1940), "On a test whether two samples are from the same population", Annals of
    Mathematical Statistics 11, by the normal approximation. Values at the median are left out. Not defined for fewer
    than ten on either side.
    """
    series = np.asarray(values, np.float64)
    if not len(series) or not np.isfinite(series).all():
        return Runs(0, NAN, NAN, NAN)
    apart = series - np.median(series)
    above = apart[apart != 0.0] > 0.0
    one, other = int(above.sum()), int((~above).sum())
    runs = int(np.count_nonzero(above[1:] != above[:-1])) + 1 if len(above) else 0
    if min(one, other) < 10:
        return Runs(runs, NAN, NAN, NAN)
    n, twice = one + other, 2.0 * one * other
    expected = twice / n + 1.0
    z = (runs - expected) / math.sqrt(twice * (twice - n) / (n * n * (n - 1.0)))
    return Runs(runs, expected, z, math.erfc(abs(z) / math.sqrt(2.0)))


def rank_correlation(x: Floats, y: Floats) -> float:
    """Spearman's rank correlation; equal values share their mean rank. NaN for fewer than three pairs, values that do
    not vary, and NaN among them.
    """
    one, other = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if len(one) < 3 or np.isnan(one).any() or np.isnan(other).any():
        return NAN
    one, other = _ranks(one), _ranks(other)
    one, other = one - one.mean(), other - other.mean()
    spread = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / spread if spread > 0.0 else NAN


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - 0.5 * (counts - 1.0))[place]
    return ranks
