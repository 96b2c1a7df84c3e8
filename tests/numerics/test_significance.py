"""Significance: against simulation, scipy and each other; papers' numbers are in tests/answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from truewind.numerics import significance as luck
from truewind.numerics.performance import sharpe

RATIOS = st.floats(-0.5, 0.5)
COUNTS = st.integers(3, 5000)


def test_moments_are_those_of_scipy():
    returns = np.random.default_rng(1).gamma(2.0, 0.01, 300) - 0.015
    found = luck.moments(np.append(returns, [np.nan, np.inf]))
    assert found.periods == 300
    assert found.sharpe == pytest.approx(sharpe(returns, 1))
    assert found.skew == pytest.approx(stats.skew(returns))
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))


@pytest.mark.parametrize("returns", [[], [0.1], [0.0] * 50, [0.01] * 50, [np.nan] * 9])
def test_moments_of_what_does_not_vary(returns):
    found = luck.moments(np.array(returns))
    assert math.isnan(found.sharpe)
    assert math.isnan(found.skew)
    assert math.isnan(found.kurtosis)


def test_the_error_is_that_of_simulated_sharpe_ratios():
    draws = np.random.default_rng(2)
    returns = draws.gamma(4.0, 1.0, (20_000, 250)) - 3.0  # skew 1, kurtosis 4.5, a Sharpe ratio of 0.5
    found = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    assert found.std() == pytest.approx(luck.sharpe_error(0.5, 250, 1.0, 4.5), rel=0.03)


@given(RATIOS, RATIOS, COUNTS, st.floats(-3, 3), st.floats(0, 20))
def test_minimum_track_record_is_where_the_probability_is_reached(one, other, count, skew, excess):
    kurtosis = skew * skew + 1 + excess + 1e-3
    found = luck.minimum_track_record(one, other, skew, kurtosis, 0.9)
    if not one > other + 1e-3:
        assert math.isnan(found) or one > other
        return
    whole = math.ceil(found)
    if 2 < whole < 10**8:
        assert luck.probabilistic_sharpe(one, other, whole, skew, kurtosis) >= 0.9 - 1e-9
        assert whole < 4 or luck.probabilistic_sharpe(one, other, whole - 2, skew, kurtosis) < 0.9


@pytest.mark.parametrize("trials", [2, 10, 100, 1000])
def test_expected_maximum_is_that_of_normal_numbers(trials):
    best = np.random.default_rng(3).normal(0, 0.05, (20_000, trials)).max(axis=1).mean()
    # The paper's formula is asymptotic: 8 % off for two trials, 2 % for ten, less for more.
    assert luck.expected_maximum(0.05**2, trials) == pytest.approx(best, rel=0.09 if trials == 2 else 0.03)


@given(st.floats(1, 1e7), st.floats(1, 1e7))
def test_more_trials_more_luck(one, other):
    few, many = sorted((one, other))
    assert 0.0 <= luck.expected_maximum(1.0, few) <= luck.expected_maximum(1.0, many) + 1e-12
    assert luck.deflated_sharpe(0.1, 0.01, few, 500) >= luck.deflated_sharpe(0.1, 0.01, many, 500) - 1e-12
    assert luck.family_wise(0.01, few) <= luck.family_wise(0.01, many)


def test_one_trial_is_not_deflated():
    assert luck.expected_maximum(4.0, 1) == 0.0
    assert luck.deflated_sharpe(0.1, 4.0, 1, 400) == luck.probabilistic_sharpe(0.1, 0.0, 400)
    assert luck.haircut_sharpe(0.1, 1, 400) == pytest.approx(0.1)
    assert luck.family_wise(0.3, 1) == pytest.approx(0.3)


def test_family_wise_error():
    assert luck.family_wise(0.05, 10) == pytest.approx(1 - 0.95**10)
    assert luck.family_wise(1e-18, 1000) == pytest.approx(1e-15)
    assert (luck.family_wise(0.0, 5), luck.family_wise(1.0, 5)) == (0.0, 1.0)


@given(RATIOS, st.floats(1, 1e5), COUNTS)
def test_a_haircut_leaves_what_one_trial_would_have_to_show(ratio, trials, count):
    left = luck.haircut_sharpe(ratio, trials, count)
    assert 0.0 <= left <= max(ratio, 0.0) + 1e-9
    chance = luck.family_wise(1 - luck.probabilistic_sharpe(ratio, 0.0, count), trials)
    if left > 1e-3 and chance > 1e-8:
        error = luck.sharpe_error(ratio, count)
        assert stats.norm.sf(left / error) == pytest.approx(chance, rel=1e-3)


def test_what_is_not_defined_is_nan():
    nan = math.nan
    assert math.isnan(luck.probabilistic_sharpe(nan, 0, 100))
    assert math.isnan(luck.probabilistic_sharpe(0.1, 0, 1))
    assert math.isnan(luck.probabilistic_sharpe(1.0, 0, 100, 2.0, 5.0))  # the error is exactly 0
    assert math.isnan(luck.minimum_track_record(0.1, 0.1))
    assert math.isnan(luck.minimum_track_record(nan, 0.1))
    assert math.isnan(luck.expected_maximum(nan, 10))
    assert math.isnan(luck.expected_maximum(1.0, 0))
    assert math.isnan(luck.family_wise(nan, 10))
    assert math.isnan(luck.haircut_sharpe(nan, 10, 100))
    assert math.isnan(luck.normal_quantile(0.0))
    assert math.isnan(luck.normal_cdf(nan))


@given(st.floats(-8, 8))
def test_the_normal_distribution_is_that_of_scipy(z):
    assert luck.normal_cdf(z) == pytest.approx(stats.norm.cdf(z), rel=1e-12)
    assert luck.normal_quantile(stats.norm.cdf(z)) == pytest.approx(stats.norm.ppf(stats.norm.cdf(z)), abs=1e-8)
