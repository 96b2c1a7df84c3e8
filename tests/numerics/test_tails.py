"""Jarque–Bera is scipy's; Hill's index finds the power of a Pareto distribution again."""

import math

import numpy as np
import pytest
from scipy import stats

from truewind.numerics.tails import hill, jarque_bera


def test_jarque_bera_is_scipys():
    for values in (np.random.RandomState(1).standard_normal(200), np.random.RandomState(2).standard_t(3, 400)):
        assert jarque_bera(values) == pytest.approx(tuple(stats.jarque_bera(values)), rel=1e-9)


@pytest.mark.parametrize("power", [1.5, 3.0, 6.0])
def test_hill_finds_the_power_of_a_pareto_tail(power):
    """Within four standard errors index / √k of the true power."""
    index, k = hill(np.random.RandomState(3).pareto(power, 40_000) + 1.0)
    assert k == 2000
    assert index == pytest.approx(power, abs=4.0 * power / math.sqrt(k))


def test_hill_by_hand():
    """Of 200 values the ten largest: 1 / mean of ln(x / 11th), with x = 2^i."""
    values = np.concatenate([np.full(189, 0.5), [1.0], 2.0 ** np.arange(1, 11)])
    assert hill(values) == (pytest.approx(1.0 / (5.5 * math.log(2.0))), 10)


@pytest.mark.parametrize("values", [[], [0.01] * 19, [0.01] * 500, [math.nan] * 500, [0.0] * 500])
def test_what_is_not_defined_is_nan(values):
    assert math.isnan(jarque_bera(np.array(values))[1])
    assert math.isnan(hill(np.array(values))[0])
