"""Breakout: new extremes of closes open, the opposite ones of fewer bars close, the stop lies some ranges away."""

import math
from types import SimpleNamespace

import pytest

from truewind.domain.position import Position
from truewind.domain.signal import Want
from truewind.errors import ConfigError
from truewind.strategies.crypto.breakout import Breakout


def at(side):
    return Position(side, float(side), math.nan, math.nan, 0)


def row(close, entry=(90.0, 110.0), leave=(95.0, 105.0), spread=4.0):
    return SimpleNamespace(
        close=close, entry_low=entry[0], entry_high=entry[1], exit_low=leave[0], exit_high=leave[1], range=spread
    )


@pytest.mark.parametrize(
    ("held", "close", "short", "side", "stop"),
    [
        (0, 110.0, True, Want.LONG, 102.0),
        (0, 109.9, True, Want.HOLD, None),
        (0, 90.0, True, Want.SHORT, 98.0),
        (0, 90.0, False, Want.HOLD, None),
        (1, 110.0, True, Want.HOLD, None),
        (1, 95.0, True, Want.FLAT, None),
        (1, 90.0, True, Want.SHORT, 98.0),
        (1, 90.0, False, Want.FLAT, None),
        (-1, 105.0, True, Want.FLAT, None),
        (-1, 110.0, True, Want.LONG, 102.0),
        (-1, 90.0, True, Want.HOLD, None),
    ],
)
def test_the_rules_by_hand(held, close, short, side, stop):
    """Channel 90 to 110, exits at 95 and 105, two ranges of 4 to the stop."""
    strategy = Breakout(stop=2.0, short=short)
    signal = strategy.decide(row(close), at(held), strategy.values)
    assert signal.side == side
    if stop is None:
        assert math.isnan(signal.stop)
    else:
        assert signal.stop == stop


@pytest.mark.parametrize("bar", [row(110.0, entry=(math.nan, math.nan)), row(110.0, spread=0.0),
                                 row(110.0, spread=math.nan)])  # fmt: skip
def test_without_a_channel_or_a_range_it_waits(bar):
    """Warming up, or a market that does not move."""
    strategy = Breakout()
    assert strategy.decide(bar, at(0), strategy.values).side == Want.HOLD


def test_it_reads_channels_of_closes_and_the_range():
    """Of the lengths asked for."""
    assert Breakout(entry=20, exit=10, atr=7).features() == {
        "entry_high": "highest(20, close)", "entry_low": "lowest(20, close)", "exit_high": "highest(10, close)",
        "exit_low": "lowest(10, close)", "range": "atr(7)",
    }  # fmt: skip


@pytest.mark.parametrize("params", [{"entry": 1}, {"stop": 0.0}, {"stop": math.nan}, {"atr": 1.5}, {"entri": 3}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds, no number, or misspelt."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        Breakout(**params)
