"""The shape of a bar: against TA-Lib and by hand."""

import numpy as np
import pytest
import talib

from truewind.features import columns
from truewind.features.checks import sample_bars

PEERS = {"typical_price": talib.TYPPRICE, "weighted_price": talib.WCLPRICE, "median_price": talib.MEDPRICE}


@pytest.mark.parametrize("name", [*PEERS, "average_price"])
def test_prices_of_a_bar_are_those_of_ta_lib(name: str) -> None:
    bars = sample_bars(500)
    fields = [bars[field] for field in ("high", "low", "close")[: 2 if name == "median_price" else 3]]
    theirs = PEERS[name](*fields) if name in PEERS else talib.AVGPRICE(bars["open"], *fields)
    np.testing.assert_allclose(columns([name], bars)[name], theirs, rtol=1e-15)


def test_the_candle_by_hand() -> None:
    """From 10 to 14 with open 11 and close 13: the body is half of the range, each wick a quarter; falling, the body
    turns its sign; without range there is no shape."""
    bars = {"open": [11.0, 13.0, 5.0], "high": [14.0, 14.0, 5.0], "low": [10.0, 10.0, 5.0], "close": [13.0, 11.0, 5.0]}
    found = columns(["candle"], bars)
    np.testing.assert_array_equal(found["candle.body"], [0.5, -0.5, np.nan])
    np.testing.assert_array_equal(found["candle.upper"], [0.25, 0.25, np.nan])
    np.testing.assert_array_equal(found["candle.lower"], [0.25, 0.25, np.nan])


def test_the_gap_by_hand() -> None:
    """Closed at 100 and opened at 103: 3 %; closed at 104 and opened there: none; nothing to compare with 0."""
    found = columns(["gap"], {"open": [99.0, 103.0, 104.0, 1.0], "close": [100.0, 104.0, 0.0, 1.0]})
    np.testing.assert_allclose(found["gap"], [np.nan, 0.03, 0.0, np.nan])
