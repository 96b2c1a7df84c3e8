"""Worst windows and crashes are those that a search over all days by hand finds."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.analytics.crashes import CRASHES, WINDOWS, over, through, worst

EPOCH = date(1970, 1, 1)


@given(st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=40), st.data(), st.sampled_from([1, 3, 7]))
def test_the_worst_window_is_the_worst_of_all(returns, data, length):
    """Over any days with a return (weekends left out or not): no stretch of `length` calendar days lost more."""
    steps = data.draw(st.lists(st.integers(1, 4), min_size=len(returns), max_size=len(returns)))
    days, returns = 20_000 + np.cumsum(steps), np.array(returns)
    found = worst(days, returns, "x", length)
    if days[-1] - days[0] + 1 < length:
        assert math.isnan(found.growth)
        return
    every = [
        math.prod(1.0 + r for day, r in zip(days, returns, strict=True) if end - length < day <= end) - 1.0
        for end in days
        if end - days[0] + 1 >= length
    ]
    assert found.growth == pytest.approx(min(every), abs=1e-12)
    assert found.last - found.first < length
    assert found.growth == pytest.approx(over(days, returns, found.first, found.last), abs=1e-12)
    assert found.fall >= -found.growth - 1e-12


def test_a_crash_by_hand():
    """May 2022: −10 % and +5 % inside, a gain before that does not count."""
    first = (date(2022, 5, 1) - EPOCH).days
    returns = np.zeros(30)
    returns[3], returns[4], returns[11] = 0.5, -0.1, 0.05  # 4, 5 and 12 May
    luna = next(crash for crash in CRASHES if "Luna" in crash.name)
    found = through(luna, np.arange(first, first + 30), returns)
    assert (found.growth, found.fall) == pytest.approx((0.9 * 1.05 - 1.0, 0.1))
    assert EPOCH + timedelta(days=found.first) == luna.first


def test_a_crash_that_the_run_saw_only_in_part_does_not_count():
    luna = next(crash for crash in CRASHES if "Luna" in crash.name)
    first = (luna.first - EPOCH).days
    assert through(luna, np.arange(first + 1, first + 90), np.zeros(89)) is None
    assert through(luna, np.arange(first - 90, first + 2), np.zeros(92)) is None
    assert through(luna, np.zeros(0, np.int64), np.zeros(0)) is None


def test_the_table_of_crashes_is_in_order():
    assert all(crash.first <= crash.last for crash in CRASHES)
    assert [crash.first for crash in CRASHES] == sorted(crash.first for crash in CRASHES)
    assert all(crash.source and crash.what for crash in CRASHES)
    assert [length for _, length in WINDOWS] == [1, 7, 30, 91]
