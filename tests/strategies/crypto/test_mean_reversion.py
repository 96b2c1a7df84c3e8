"""Mean reversion: against a move beyond the band, with the trend, and out at the mean."""

import math
from types import SimpleNamespace

import pytest

from truewind.domain.position import Position
from truewind.domain.signal import Want
from truewind.errors import ConfigError
from truewind.strategies.crypto.mean_reversion import MeanReversion, Why

HOUR = 3_600_000_000


def at(side):
    return Position(side, float(side), math.nan, math.nan, 0)


def row(close, trend=90.0, bands=(96.0, 100.0, 104.0), spread=2.0):
    lower, middle, upper = bands
    return SimpleNamespace(
        ts=5 * HOUR, ts_event=6 * HOUR, close=close, trend=trend, range=spread,
        bands_lower=lower, bands_middle=middle, bands_upper=upper,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "close", "trend", "short", "side", "stop", "reason"),
    [
        (0, 95.0, 90.0, False, Want.LONG, 91.0, Why.FELL_FAR),
        (0, 96.0, 90.0, False, Want.HOLD, None, 0),
        (0, 95.0, 95.0, False, Want.HOLD, None, 0),
        (0, 95.0, 99.0, True, Want.HOLD, None, 0),
        (0, 105.0, 110.0, True, Want.SHORT, 109.0, Why.ROSE_FAR),
        (0, 105.0, 110.0, False, Want.HOLD, None, 0),
        (0, 105.0, 90.0, True, Want.HOLD, None, 0),
        (1, 95.0, 90.0, False, Want.HOLD, None, 0),
        (1, 95.0, 96.0, False, Want.FLAT, None, Why.TREND_TURNED),
        (-1, 105.0, 110.0, True, Want.HOLD, None, 0),
        (-1, 111.0, 110.0, True, Want.FLAT, None, Why.TREND_TURNED),
    ],
)
def test_the_rules_by_hand(held, close, trend, short, side, stop, reason):
    """Bands 96 to 104 around 100, two ranges of 2 to the stop, 7 hours of patience."""
    strategy = MeanReversion(stop=2.0, patience=7, short=short)
    signal = strategy.decide(row(close, trend), at(held), strategy.values)
    assert (signal.side, signal.reason) == (side, reason)
    if stop is None:
        assert math.isnan(signal.stop)
    else:
        assert (signal.stop, signal.target_1, signal.horizon_us) == (stop, 100.0, 7 * HOUR)
        assert math.isnan(signal.target_2)


@pytest.mark.parametrize(
    "bar",
    [
        row(95.0, trend=math.nan),
        row(95.0, bands=(math.nan, math.nan, math.nan)),
        row(95.0, spread=0.0),
        row(95.0, spread=math.nan),
    ],
)
@pytest.mark.parametrize("held", [-1, 0, 1])
def test_without_bands_trend_or_range_it_waits(bar, held):
    """Warming up, or a dead market: nothing is entered, and nothing left."""
    strategy = MeanReversion(stop=2.0)
    assert strategy.decide(bar, at(held), strategy.values).side == Want.HOLD


def test_a_range_as_large_as_the_price_is_no_measure():
    """The stop would lie below zero."""
    strategy = MeanReversion(stop=2.0)
    assert strategy.decide(row(95.0, spread=47.5), at(0), strategy.values).side == Want.HOLD


def test_it_reads_bands_trend_and_range():
    """Of the lengths asked for."""
    assert MeanReversion(length=10, deviations=1.5, trend=100, atr=7).features() == {
        "bands": "bollinger(10, 1.5)", "trend": "sma(100)", "range": "atr(7)",
    }  # fmt: skip


@pytest.mark.parametrize("params", [{"length": 1}, {"deviations": 0.01}, {"patience": 0}, {"stop": math.nan}, {"n": 3}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds, no number, or misspelt."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        MeanReversion(**params)
