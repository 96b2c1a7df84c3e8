"""Shape, regimes and persistence of returns whose truth is known."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from truewind.analytics.daily import Daily
from truewind.analytics.statistics import persistence, regimes, shape


def daily(returns, year=365, first=19_000) -> Daily:
    returns = np.asarray(returns, float)
    return Daily(np.arange(first, first + len(returns)), returns, year, "")


def test_the_shape_is_scipys():
    returns = np.random.RandomState(1).standard_t(4, 1000) * 0.01
    found = shape(returns)
    assert found.skew == pytest.approx(stats.skew(returns))
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))
    assert found.jarque_bera == pytest.approx(stats.jarque_bera(returns).statistic)
    assert 2.0 < found.loss_index < 7.0
    assert found.tail_days == 50


@pytest.mark.parametrize("returns", [[], [0.01], [0.0] * 50, [0.01] * 300])
def test_a_shape_that_is_not_defined_is_nan(returns):
    found = shape(np.array(returns))
    assert math.isnan(found.skew)
    assert math.isnan(found.normal_p)


def test_a_run_that_earns_in_wild_markets_only_is_seen():
    """400 calm days and 200 wild ones; the run earns 0.5 % ± 0.1 % on wild days and nothing on calm ones."""
    rng = np.random.RandomState(2)
    market = np.concatenate([rng.randn(200) * 0.005, rng.randn(200) * 0.05, rng.randn(200) * 0.005])
    own = np.zeros(600)
    own[200:400] = 0.005 + 0.001 * rng.randn(200)
    calm, wild = regimes(daily(own), daily(market))
    assert (calm.name, wild.name) == ("calm", "wild")
    assert calm.days + wild.days == 600
    assert wild.days == pytest.approx(200, abs=10)
    assert wild.growth == pytest.approx(0.005 * 365, rel=0.05)
    assert abs(calm.growth) < 0.1
    assert wild.market_volatility == pytest.approx(0.05 * math.sqrt(365), rel=0.15)
    assert calm.lasts > 20


def test_regimes_go_by_the_days_that_both_have():
    rng = np.random.RandomState(3)
    market = daily(rng.randn(300) * np.where(np.arange(300) < 150, 0.005, 0.03))
    found = regimes(daily(np.full(100, 0.001), first=19_100), market)
    assert sum(regime.days for regime in found) == 100


def test_no_market_no_regimes():
    nothing = Daily(np.zeros(0, np.int64), np.zeros(0), 365, "the run has no benchmark")
    assert regimes(daily(np.ones(200) * 0.01), nothing) is None
    assert regimes(nothing, daily(np.random.RandomState(1).randn(200))) is None


def test_persistence_of_good_and_bad_times():
    """Months whose mean drifts slowly from good to bad: neighbours rank alike; days are not in a random order."""
    rng, n = np.random.RandomState(4), 1800
    drifting = 0.01 * np.cos(np.arange(n) / n * 2 * math.pi) + 0.005 * rng.randn(n)
    found = persistence(daily(drifting))
    assert found.correlation > 0.7
    assert found.p < 0.01
    assert found.runs.p < 0.01
    assert found.runs.runs < found.runs.expected
    still = persistence(daily(0.005 * rng.randn(n)))
    assert still.p > 0.01
    assert still.runs.p > 0.01


def test_halves_and_quarters_multiply_to_the_whole():
    returns = np.random.RandomState(5).randn(101) * 0.02
    found = persistence(daily(returns))
    for parts in (found.halves, found.quarters):
        assert math.prod(1.0 + part.growth for part in parts) == pytest.approx(np.prod(1.0 + returns))
        assert (parts[0].first, parts[-1].last) == (19_000, 19_100)
        assert all(one.last + 1 == other.first for one, other in itertools.pairwise(parts))


@pytest.mark.parametrize("returns", [[], [0.01], [0.0] * 400])
def test_persistence_that_is_not_defined(returns):
    found = persistence(daily(returns))
    assert math.isnan(found.correlation)
    assert math.isnan(found.runs.p)
