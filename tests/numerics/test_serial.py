"""Autocorrelation, Ljung–Box, runs and rank correlation give what statsmodels and scipy give."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.sandbox.stats.runs import runstest_1samp
from statsmodels.stats.diagnostic import acorr_ljungbox
from statsmodels.tsa.stattools import acf

from truewind.numerics.serial import autocorrelations, chi_square_above, ljung_box, rank_correlation, runs_test

WALK = np.cumsum(np.random.RandomState(4).standard_normal(300)) * 0.1 + np.random.RandomState(5).standard_normal(300)


def test_autocorrelations_are_those_of_statsmodels():
    assert autocorrelations(WALK, 12) == pytest.approx(acf(WALK, nlags=12)[1:], rel=1e-10)


def test_ljung_box_is_that_of_statsmodels():
    for values in (WALK, np.random.RandomState(6).standard_normal(200)):
        assert ljung_box(values, 10) == pytest.approx(acorr_ljungbox(values, [10]).values[0], rel=1e-9)


@given(st.floats(0.0, 200.0), st.sampled_from([2, 4, 10, 20]))
def test_the_tail_of_chi_square_is_scipys(x, freedom):
    assert chi_square_above(x, freedom) == pytest.approx(stats.chi2.sf(x, freedom), rel=1e-9, abs=1e-300)


def test_runs_are_those_of_statsmodels():
    for values in (WALK, np.random.RandomState(7).standard_normal(101)[:100]):
        z, p = runstest_1samp(values, cutoff="median", correction=False)
        assert runs_test(values)[2:] == pytest.approx((z, p))


def test_runs_by_hand():
    """Ten up, ten down: two runs where chance gives 2·10·10/20 + 1 = 11."""
    found = runs_test(np.array([1.0] * 10 + [-1.0] * 10))
    assert (found.runs, found.expected) == (2, 11.0)
    assert found.z == pytest.approx((2 - 11) / math.sqrt(200 * 180 / (400 * 19)))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=3, max_size=30))
def test_rank_correlation_is_scipys(pairs):
    """Ties share their mean rank; where one side does not vary nothing is defined."""
    x, y = np.array(pairs, float).T
    found = rank_correlation(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("values", [[], [1.0], [0.0] * 60, [1.0, math.nan] * 40])
def test_what_is_not_defined_is_nan(values):
    values = np.array(values)
    assert np.isnan(autocorrelations(values, 5)).all()
    assert np.isnan(ljung_box(values)).all()
    assert math.isnan(runs_test(values).p)
    assert math.isnan(rank_correlation(values, values))


def test_lags_beyond_the_series_are_nan():
    assert np.isnan(autocorrelations(np.array([1.0, 2.0, 0.0]), 5)).tolist() == [False, False, True, True, True]
