"""Stationarity: whether a series wanders off (unit root) or comes back to a level. Tests with p-values, numpy only."""

import math
from typing import NamedTuple

import numpy as np

from truewind.numerics.performance import NAN, NO_VARIATION, Floats

_EXACT = 1e-20  # of the squared changes: a residual below is rounding
_LEAST = 20  # values below which neither test says anything
# MacKinnon, J. G. (1994), "Approximate Asymptotic Distribution Functions for Unit-Root and Cointegration Tests", JBES
# 12: the normal quantile of the p-value is a polynomial of the statistic, another one on each side of a bend. With a
# constant, one series.
_BEND, _LEFT, _RIGHT = -1.61, -18.83, 2.74
_SMALL, _LARGE = (2.1659, 1.4412, 0.038269), (1.7339, 0.93202, -0.12745, -0.010368)
# Kwiatkowski, D. et al. (1992), "Testing the null hypothesis of stationarity", Journal of Econometrics 54, table 1.
_KPSS_VALUES, _KPSS_P = (0.347, 0.463, 0.574, 0.739), (0.10, 0.05, 0.025, 0.01)


class Tested(NamedTuple):
    """A test's statistic, its p-value, and how many lags it took into account; NaN where it is not defined."""

    statistic: float
    p: float
    lags: int


_UNDEFINED = Tested(NAN, NAN, 0)


def adf(values: Floats) -> Tested:
    """Augmented Dickey–Fuller test with a constant; a small p-value speaks against a unit root.

    Dickey, D. A. and Fuller, W. A. (1979), JASA 74; the number of lagged differences is that of the least AIC among
    those up to 12 (n/100)^¼ (Schwert 1989). Not defined for fewer than 20 values, values that are not finite or do not
    vary, and for series that lagged values explain exactly.
    """
    series = np.asarray(values, np.float64)
    if not _testable(series):
        return _UNDEFINED
    change = np.diff(series)
    n = len(change)
    most = min(math.ceil(12.0 * ((n + 1) / 100.0) ** 0.25), (n + 1) // 2 - 2)
    # One triangle holds the squared residuals of all numbers of lags: those of the rows below each.
    triangle = _triangle(series, change, most, most)
    residuals = np.cumsum(triangle[::-1, -1] ** 2)[::-1][2:]
    rows = n - most
    if not residuals[: most + 1].min() > _EXACT * float(change @ change):
        return _UNDEFINED
    chosen = int(np.argmin(rows * np.log(residuals[: most + 1] / rows) + 2.0 * np.arange(most + 1)))
    final = _triangle(series, change, chosen, chosen, level_last=True)
    regressors = chosen + 2
    error = math.sqrt(float(final[regressors, -1]) ** 2 / (n - chosen - regressors))
    statistic = float(final[regressors - 1, -1] * np.sign(final[regressors - 1, regressors - 1])) / error
    return Tested(statistic, _mackinnon(statistic), chosen)


def kpss(values: Floats) -> Tested:
    """KPSS test around a level; a small p-value speaks *against* stationarity. The opposite question to `adf`.

    Its long-run variance takes in as many lags as Hobijn, B., Franses, P. H. and Ooms, M. (1998), "Generalizations of
    the KPSS-test for stationarity", find. The p-value is interpolated in the published table, which ends at 0.01 and
    0.10: those mean "at most" and "at least". Not defined as `adf`.
    """
    series = np.asarray(values, np.float64)
    if not _testable(series):
        return _UNDEFINED
    n, apart = len(series), series - series.mean()

    def covariance(lag: int) -> float:
        return float(apart[lag:] @ apart[: n - lag]) / n

    reach = int(n ** (2.0 / 9.0))
    level = covariance(0) + 2.0 * sum(covariance(lag) for lag in range(1, reach + 1))
    slope = 2.0 * sum(lag * covariance(lag) for lag in range(1, reach + 1))
    lags = min(int(1.1447 * math.cbrt((slope / level) ** 2) * n ** (1.0 / 3.0)), n - 1) if level != 0.0 else 0
    weights = (2.0 * (1.0 - lag / (lags + 1.0)) * covariance(lag) for lag in range(1, lags + 1))
    variance = covariance(0) + sum(weights)
    if not variance > 0.0:
        return _UNDEFINED
    statistic = float(np.sum(np.cumsum(apart) ** 2)) / (n * n * variance)
    return Tested(statistic, float(np.interp(statistic, _KPSS_VALUES, _KPSS_P)), lags)


def _testable(series: Floats) -> bool:
    return len(series) >= _LEAST and bool(np.isfinite(series).all()) and float(np.std(series)) > NO_VARIATION


def _triangle(series: Floats, change: Floats, lags: int, skip: int, *, level_last: bool = False) -> Floats:
    """R of the QR decomposition of constant, level, lagged changes and, last, the changes after the first `skip`."""
    rows = len(change) - skip
    lagged = [change[skip - lag : len(change) - lag] for lag in range(1, lags + 1)]
    level, constant = series[skip:-1], np.ones(rows)
    regressors = [constant, *lagged, level] if level_last else [constant, level, *lagged]
    return np.asarray(np.linalg.qr(np.column_stack([*regressors, change[skip:]]), mode="r"), np.float64)


def _mackinnon(statistic: float) -> float:
    if statistic > _RIGHT:
        return 1.0
    if statistic < _LEFT:
        return 0.0
    terms = _SMALL if statistic <= _BEND else _LARGE
    quantile = sum(term * statistic**power for power, term in enumerate(terms))
    return 0.5 * math.erfc(-quantile / math.sqrt(2.0))
