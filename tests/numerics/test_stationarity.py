"""Unit-root and stationarity tests give statsmodels' statistics, lags and p-values, and say so where they cannot."""

import math
import warnings

import numpy as np
import pytest
from statsmodels.tsa import stattools

from truewind.numerics.stationarity import adf, kpss


def autoregressive(phi: float, n: int, seed: int) -> np.ndarray:
    noise = np.random.RandomState(seed).standard_normal(n)
    x = np.zeros(n)
    for i in range(n):
        x[i] = (phi * x[i - 1] if i else 0.0) + noise[i]
    return x


SERIES = [(0.5, 500, 1), (0.98, 300, 2), (1.0, 400, 3), (0.0, 1000, 4), (1.0, 60, 5), (0.95, 30, 6), (-0.8, 80, 7)]


@pytest.mark.parametrize(("phi", "n", "seed"), SERIES)
def test_both_agree_with_statsmodels(phi, n, seed):
    """`adfuller` with the lag by AIC, and `kpss` with automatic lags."""
    x = autoregressive(phi, n, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a p-value lies beyond the table
        unit_root, level = stattools.adfuller(x), stattools.kpss(x, nlags="auto")
    found = adf(x)
    assert (found.statistic, found.lags) == (pytest.approx(unit_root[0], rel=1e-9), unit_root[2])
    assert found.p == pytest.approx(unit_root[1], rel=1e-9)
    assert kpss(x) == pytest.approx((level[0], level[1], level[2]), rel=1e-9)


def test_a_random_walk_wanders_and_its_steps_do_not():
    steps = np.random.RandomState(9).standard_normal(800)
    walk = np.cumsum(steps)
    assert adf(walk).p > 0.1
    assert kpss(walk).p == 0.01
    assert adf(steps).p < 1e-6
    assert kpss(steps).p == 0.1


@pytest.mark.parametrize("values", [[], [1.0], [0.0] * 100, [1.0, math.nan] * 50, list(range(19)), [5.0] * 99 + [5.0]])
def test_what_cannot_be_tested_is_nan(values):
    for found in (adf(np.array(values, float)), kpss(np.array(values, float))):
        assert math.isnan(found.statistic)
        assert math.isnan(found.p)


def test_a_straight_line_leaves_nothing_to_test():
    """Lagged values explain it exactly: no residual, no statistic."""
    assert math.isnan(adf(np.arange(100.0)).p)
