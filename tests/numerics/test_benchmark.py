"""Benchmark: two calendars on common days, and what is not defined. Values of other packages: tests/answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.benchmark import against, align

DAYS = st.sets(st.integers(0, 30), min_size=1).map(lambda days: np.array(sorted(days), np.int64))


def test_a_market_that_rests_at_weekends():
    """Thursday to Tuesday against a market without Saturday and Sunday: Monday holds what three days earned."""
    days, returns = np.arange(6), np.array([0.1, 0.2, 0.1, -0.1, 0.3, 0.05])
    found = align(days, returns, np.array([0, 1, 4, 5]), np.array([0.01, 0.02, 0.03, 0.04]))
    assert found.days.tolist() == [0, 1, 4, 5]
    assert found.own == pytest.approx([0.1, 0.2, 1.1 * 0.9 * 1.3 - 1.0, 0.05])
    assert found.other == pytest.approx([0.01, 0.02, 0.03, 0.04])
    assert (found.joined, found.other_joined, found.left_out) == (2, 0, 0)


def test_one_begins_before_the_other():
    """Both begin with the first common close, and what lies before it, that day included, is left out and counted."""
    found = align(np.arange(2, 6), np.array([0.1, 0.2, 0.3, 0.4]), np.arange(7), np.arange(7) / 100)
    assert found.days.tolist() == [3, 4, 5]
    assert found.own == pytest.approx([0.2, 0.3, 0.4])
    assert found.other == pytest.approx([0.03, 0.04, 0.05])
    assert found.left_out == 1 + 3 + 1


@given(DAYS, DAYS, st.randoms())
def test_nothing_is_lost_between_the_first_and_last_common_day(days, other_days, chance):
    """What both have grown to over the common spans is what they grow to between their ends; all days are counted."""
    own, other = (np.array([chance.uniform(-0.2, 0.3) for _ in each]) for each in (days, other_days))
    found = align(days, own, other_days, other)
    spans = len(found.days)
    assert len(found.own) == len(found.other) == spans
    counted = 2 * spans + found.joined + found.other_joined + found.left_out
    assert counted == len(days) + len(other_days)
    if spans and not found.left_out:
        assert np.prod(1 + found.own) == pytest.approx(np.prod(1 + own))
        assert np.prod(1 + found.other) == pytest.approx(np.prod(1 + other))


def test_one_day_that_both_have():
    """It is the first of both, so that its return is over the same span."""
    found = align(np.array([5]), np.array([0.1]), np.array([5]), np.array([0.2]))
    assert (found.days.tolist(), found.own, found.other) == ([5], pytest.approx([0.1]), pytest.approx([0.2]))
    assert (found.joined, found.other_joined, found.left_out) == (0, 0, 0)


def test_no_common_day():
    found = align(np.array([1, 3]), np.zeros(2), np.array([2, 4]), np.zeros(2))
    assert (len(found.own), found.left_out) == (0, 4)


def test_the_market_itself():
    """Beta 1, correlation 1, no alpha, nothing active; half of it has half the beta."""
    market = np.random.default_rng(2).normal(0.001, 0.02, 300)
    same = against(market, market, 252)
    assert (same.beta, same.correlation, same.up_capture, same.down_capture) == pytest.approx((1, 1, 1, 1))
    assert (same.alpha, same.tracking_error) == pytest.approx((0, 0), abs=1e-12)
    assert math.isnan(same.information_ratio)
    assert against(0.5 * market, market, 252).beta == pytest.approx(0.5)


def test_two_days_by_hand():
    """+2 % and −1 % against +1 % and −2 %: always 1 % more, so beta 1, and half or twice what the market does."""
    found = against(np.array([0.02, -0.01]), np.array([0.01, -0.02]), 100)
    assert found.days == 2
    assert (found.beta, found.correlation, found.alpha, found.active_return) == pytest.approx((1, 1, 1, 1))
    assert (found.up_capture, found.down_capture) == pytest.approx((2, 0.5))


def test_three_days_by_hand():
    """3, −1 and 2 % against 1, −1 and 3 %: active 2, 0 and −1 %, mean ⅓ %, deviation √(7/3) %, over 4 days a year.

    Means 4/3 and 1 %: beta = (5/3 · 0 + 7/3 · 2 + 2/3 · 2) / (0 + 4 + 4) = 3/4, variances 26/9 and 8/3.
    """
    found = against(np.array([0.03, -0.01, 0.02]), np.array([0.01, -0.01, 0.03]), 4)
    assert found.active_return == pytest.approx(0.04 / 3)
    assert found.tracking_error == pytest.approx(0.02 * math.sqrt(7 / 3))
    assert found.information_ratio == pytest.approx(2 / 3 / math.sqrt(7 / 3))
    assert found.beta == pytest.approx(3 / 4)
    assert found.correlation == pytest.approx(2 / math.sqrt(26 / 9 * 8 / 3))
    assert found.alpha == pytest.approx(4 * (0.04 / 3 - 0.75 * 0.01))


def test_the_same_excess_every_day_is_no_tracking_error():
    """What the rounding of the returns leaves is no variation."""
    market = np.random.default_rng(2).normal(0.001, 0.02, 300)
    found = against(market + 0.01, market, 252)
    assert found.tracking_error == 0.0
    assert math.isnan(found.information_ratio)


@pytest.mark.parametrize("lost", [-1.0, -1.5])
def test_after_ruin_nothing_is_captured(lost):
    """Neither where the account is lost on a day that the market rose, nor with a market that lost all."""
    found = against(np.array([lost, -0.1, 0.1]), np.array([0.1, -0.1, 0.2]), 252)
    assert math.isnan(found.up_capture)
    assert found.down_capture == pytest.approx(1.0)
    found = against(np.array([0.1, -0.1, 0.1]), np.array([0.1, lost, 0.2]), 252)
    assert math.isnan(found.down_capture)
    assert found.up_capture == pytest.approx(0.1 / (math.sqrt(1.1 * 1.2) - 1.0))


def test_not_defined():
    """A market that does not move, one that never fell, NaN, and a single day."""
    own = np.array([0.1, -0.1, 0.2])
    still = against(own, np.zeros(3), 252)
    assert all(math.isnan(getattr(still, name)) for name in ("alpha", "beta", "correlation", "up_capture"))
    assert not math.isnan(still.tracking_error)
    assert math.isnan(against(own, np.array([0.1, 0.2, 0.3]), 252).down_capture)
    for found in (against(own, np.array([0.1, np.nan, 0.1]), 252), against(own[:1], own[:1], 252)):
        assert all(math.isnan(value) for value in found[1:])
    assert against(own[:1], own[:1], 252).days == 1
