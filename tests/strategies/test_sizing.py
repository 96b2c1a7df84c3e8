"""Sizing: how much, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.config import parse
from truewind.errors import ConfigError
from truewind.strategies.sizing import SizingSettings

AMOUNTS = st.floats(0.01, 1e9)


@pytest.mark.parametrize(
    ("method", "value", "quantity"),
    [
        ("fixed", 0.25, 0.25),
        ("fraction", 0.5, 50.0),  # half of 10 000 at 100
        ("risk", 0.005, 10.0),  # 50 lost over a distance of 5
    ],
)
def test_each_method_by_hand(method, value, quantity):
    """Equity 10 000, price 100, stop 95."""
    assert SizingSettings(method=method, value=value).quantity(10_000.0, 100.0, 95.0) == quantity


@given(AMOUNTS, AMOUNTS, AMOUNTS, st.floats(0.0001, 0.2))
def test_a_risk_size_loses_what_it_says(equity, price, distance, value):
    """Long or short: quantity × distance is the fraction of equity."""
    sizing = SizingSettings(method="risk", value=value)
    for stop in (price - distance, price + distance):
        if stop != price:
            assert sizing.quantity(equity, price, stop) * abs(price - stop) == pytest.approx(value * equity)


@pytest.mark.parametrize("method", ["fixed", "fraction", "risk"])
@pytest.mark.parametrize(
    ("equity", "price"), [(0.0, 100.0), (-5.0, 100.0), (math.nan, 100.0), (100.0, 0.0), (100.0, -1.0), (1.0, math.nan)]
)
def test_without_equity_or_price_there_is_no_size(method, equity, price):
    """Zero, negative or NaN: nothing is held, whatever the method."""
    assert SizingSettings(method=method, value=0.1).quantity(equity, price, 95.0) == 0.0


@pytest.mark.parametrize("stop", [math.nan, 100.0, math.inf])
def test_a_risk_without_a_distance_has_no_size(stop):
    """No stop, a stop at the price, one at infinity."""
    assert SizingSettings(method="risk", value=0.01).quantity(1000.0, 100.0, stop) == 0.0


@pytest.mark.parametrize(
    "wrong", [{"method": "kelly"}, {"value": 0.0}, {"value": -1}, {"method": "risk", "value": 0.5}, {"valeu": 1}]
)
def test_impossible_sizes_are_refused(wrong):
    """An unknown method, nothing, less than nothing, and half of everything on one trade."""
    with pytest.raises(ConfigError):
        parse(SizingSettings, wrong)
