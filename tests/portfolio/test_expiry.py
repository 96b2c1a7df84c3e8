"""The end of a contract: the mean index price of its last minutes, a reading a second."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.portfolio.expiry import SECOND_US, settlement_price

AT = 1_000_000 * SECOND_US


def test_a_reading_every_second_is_averaged() -> None:
    """1,800 readings of 1, 2, … 1,800 in the last half hour: their mean is 900.5; what came before does not count."""
    times = AT + (np.arange(-3599, 1, dtype=np.int64)) * SECOND_US
    index = np.concatenate([np.full(1800, 1e9), np.arange(1.0, 1801.0)])
    assert settlement_price(times, index, AT, 1800 * SECOND_US) == 900.5


def test_a_price_holds_until_the_next() -> None:
    """Coarse values: 100 from the start of the hour, 160 from its last 6 minutes on.

    The reading at 54:00 is already 160, so of 3,600 readings (the last at 60:00) 361 are 160.
    """
    times = np.array([AT - 3600 * SECOND_US, AT - 360 * SECOND_US])
    price = settlement_price(times, np.array([100.0, 160.0]), AT, 3600 * SECOND_US)
    assert price == pytest.approx((3239 * 100 + 361 * 160) / 3600, rel=1e-12)


def test_later_prices_do_not_count() -> None:
    """A price after the settlement cannot have been in its mean."""
    times = np.array([AT - 10 * SECOND_US, AT + 1])
    assert settlement_price(times, np.array([50.0, 99.0]), AT, 60 * SECOND_US) == 50.0


def test_without_a_price_there_is_no_settlement_price() -> None:
    """No value yet, or only unknown ones: NaN, not a guess."""
    assert math.isnan(settlement_price(np.zeros(0, np.int64), np.zeros(0), AT, 60 * SECOND_US))
    assert math.isnan(settlement_price(np.array([AT - SECOND_US]), np.array([np.nan]), AT, 60 * SECOND_US))


@given(st.lists(st.floats(1, 1e5), min_size=1, max_size=50), st.integers(1, 3600))
def test_the_mean_lies_between_its_prices(index: list[float], seconds: int) -> None:
    """Whatever the readings, the settlement price is within their range."""
    times = AT - np.arange(len(index) - 1, -1, -1, dtype=np.int64) * 17 * SECOND_US
    price = settlement_price(times, np.array(index), AT, seconds * SECOND_US)
    assert min(index) * (1 - 1e-12) <= price <= max(index) * (1 + 1e-12)
