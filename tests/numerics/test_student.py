"""Student's t: against scipy, and against what every table of it begins with."""

import math

import pytest
from scipy import stats

from truewind.numerics.student import quantile, within


def test_the_first_lines_of_every_table():
    """Quantiles of 95 % on both sides, as tables print them (Abramowitz and Stegun, table 26.10)."""
    assert [round(quantile(0.95, degrees), 3) for degrees in (1, 2, 3, 10, 30)] == [12.706, 4.303, 3.182, 2.228, 2.042]


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 29, 30, 250, 1000, 1001, 20_000])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_quantiles_are_those_of_scipy(degrees, confidence):
    assert quantile(confidence, degrees) == pytest.approx(stats.t.ppf(0.5 + confidence / 2, degrees), rel=1e-8)


def test_the_share_within_is_that_of_scipy():
    for degrees in range(1, 40):
        assert within(1.5, degrees) == pytest.approx(1 - 2 * stats.t.sf(1.5, degrees), abs=1e-13)


def test_nothing_is_known_without_a_degree_of_freedom():
    assert math.isnan(quantile(0.95, 0))
