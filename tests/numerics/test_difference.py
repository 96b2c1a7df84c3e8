"""Differences of Sharpe ratios: against a closed form, other libraries, and how often they err on series alike."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics import difference
from truewind.numerics.difference import holm, long_run_variance, sharpe_difference


def pairs(count: int, seed: int, means: tuple[float, float] = (0.0, 0.0), correlation: float = 0.6) -> np.ndarray:
    """Normal returns, two columns, deviation 1 %."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, 2)) @ np.linalg.cholesky([[1.0, correlation], [correlation, 1.0]]).T
    return 0.01 * (mixed + means)


def memmel(one: float, other: float, correlation: float, count: int) -> float:
    """Standard error of the difference for independent normal returns: Memmel, C. (2003), "Performance Hypothesis
    Testing with the Sharpe Ratio", Finance Letters 1: the correction of Jobson and Korkie (1981).
    """
    variance = 2 - 2 * correlation + 0.5 * (one**2 + other**2 - 2 * one * other * correlation**2)
    return math.sqrt(variance / count)


@pytest.mark.parametrize(
    ("means", "correlation"), [((0.0, 0.0), 0.6), ((0.3, 0.1), 0.0), ((1.0, 0.5), 0.9), ((0.8, -0.4), -0.5)]
)
def test_for_normal_returns_the_error_is_memmels(means: tuple[float, float], correlation: float) -> None:
    """100,000 days: the estimate is within 2 % of the closed form, which is a hand calculation from the truth."""
    first, second = pairs(100_000, 1, means, correlation).T
    found = sharpe_difference(first, second)
    assert found.error == pytest.approx(memmel(*means, correlation, 100_000), rel=0.02)
    assert found.value == pytest.approx(means[0] - means[1], abs=4 * found.error)


def test_memmels_error_by_hand() -> None:
    """SR 1 and 0.5, correlation 0.9, 400 days: 2 − 1.8 + ½ (1 + 0.25 − 0.81) = 0.42; √(0.42 / 400) = 0.0324."""
    assert memmel(1.0, 0.5, 0.9, 400) == pytest.approx(0.032404, abs=1e-6)


def test_long_run_variance_is_archs() -> None:
    """cov.long_run of arch 8.0's QuadraticSpectral(x, bandwidth, df_adjust=0) on x[t] = sin(t²) + t/50, t = 0 … 49."""
    t = np.arange(50.0)
    x = np.sin(t * t) + t / 50
    known = {1.5: 0.5635307605436896, 4.0: 0.7279251107164971, 11.0: 1.1988368590752385}
    for bandwidth, expected in known.items():
        assert long_run_variance(x, bandwidth) == pytest.approx(expected, rel=1e-9)
    assert long_run_variance(x, 0.0) == pytest.approx(np.var(x), rel=1e-12)


def test_of_a_moving_average_the_long_run_variance_is_known() -> None:
    """x[t] = e[t] + ½ e[t−1]: (1 + ½)² = 2.25, where the variance alone is 1.25."""
    e = np.random.default_rng(3).normal(size=200_001)
    assert long_run_variance(e[1:] + 0.5 * e[:-1]) == pytest.approx(2.25, rel=0.05)


def test_equal_strategies_are_called_different_as_seldom_as_promised() -> None:
    """2,000 pairs of 500 days with the same true Sharpe ratio, fat-tailed: about 5 % have p < 0.05."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(2_000):
        common, own = rng.standard_t(5, size=500), rng.standard_t(5, size=(2, 500))
        first, second = 0.01 * (0.05 + common + own)
        hits += sharpe_difference(first, second).p < 0.05
    assert 0.035 < hits / 2_000 < 0.07


def test_strategies_that_differ_are_found() -> None:
    """Annual Sharpe ratios 2.5 and 0.5 over six years, correlation 0.6: the better one is told from the other."""
    first, second = pairs(2_190, 5, (2.5 / 365**0.5, 0.5 / 365**0.5)).T
    assert sharpe_difference(first, second).p < 0.01
    assert sharpe_difference(first, second).value > 0


@given(st.integers(0, 10_000), st.floats(0.1, 10.0))
def test_it_turns_about_and_knows_no_unit(seed: int, scale: float) -> None:
    """The other way round the sign changes; leverage changes nothing; chances lie in [0, 1]."""
    first, second = pairs(60, seed, (0.1, 0.0)).T
    there, back = sharpe_difference(first, second), sharpe_difference(second * scale, first * scale)
    assert back.value == pytest.approx(-there.value)
    assert back.error == pytest.approx(there.error)
    assert 0 <= there.p <= 1


def test_what_is_not_defined() -> None:
    """Too few, NaN, no variation: nothing; equal series differ by nothing, which no error belongs to."""
    first, second = pairs(60, 1).T
    short = difference.FEWEST - 1
    assert all(map(math.isnan, sharpe_difference(first[:short], second[:short])))
    assert all(map(math.isnan, sharpe_difference(np.full(60, 0.01), second)))
    assert all(map(math.isnan, sharpe_difference(np.where(np.arange(60) == 3, np.nan, first), second)))
    same = sharpe_difference(first, first)
    assert (same.value, math.isnan(same.error), math.isnan(same.p)) == (0.0, True, True)
    assert math.isnan(sharpe_difference(first, 2 * first).p) or sharpe_difference(first, 2 * first).p > 0.999
    with pytest.raises(ValueError, match="no pairs"):
        sharpe_difference(first, second[1:])
    assert math.isnan(long_run_variance(np.array([1.0])))


def test_holm_as_in_the_textbook() -> None:
    """0.01, 0.04, 0.03 → 3 × 0.01, then 2 × 0.03, then no less than that."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    found = holm([math.nan, 0.6, 0.7])
    assert math.isnan(found[0])
    assert found[1:] == [1.0, 1.0]
    assert holm([]) == []
