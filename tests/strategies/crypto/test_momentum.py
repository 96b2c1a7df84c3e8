"""Momentum: the side of the past return, a stop some volatilities away, and no opinion without a past."""

import math
from types import SimpleNamespace

import pytest

from truewind.domain.position import Position
from truewind.domain.signal import Want
from truewind.errors import ConfigError
from truewind.strategies.crypto.momentum import Momentum, Why


def at(side):
    return Position(side, float(side), math.nan, math.nan, 0)


def row(moved, close=100.0, daily=0.04):
    return SimpleNamespace(close=close, moved=moved, daily=daily)


@pytest.mark.parametrize(
    ("held", "moved", "short", "side", "stop", "reason"),
    [
        (0, 0.2, True, Want.LONG, 90.0, Why.ROSE),
        (0, -0.2, True, Want.SHORT, 110.0, Why.FELL),
        (0, -0.2, False, Want.FLAT, None, Why.FELL),
        (1, -0.2, False, Want.FLAT, None, Why.FELL),
        (1, -0.2, True, Want.SHORT, 110.0, Why.FELL),
        (-1, 0.2, True, Want.LONG, 90.0, Why.ROSE),
        (1, 0.2, True, Want.LONG, None, Why.ROSE),
        (-1, -0.2, True, Want.SHORT, None, Why.FELL),
        (0, 0.0, True, Want.HOLD, None, 0),
        (1, 0.0, True, Want.HOLD, None, 0),
    ],
)
def test_the_rules_by_hand(held, moved, short, side, stop, reason):
    """2.5 daily volatilities of 4 % are 10 from a price of 100; what is held keeps the stop that it has."""
    strategy = Momentum(stop=2.5, short=short)
    signal = strategy.decide(row(moved), at(held), strategy.values)
    assert (signal.side, signal.reason) == (side, reason)
    assert math.isnan(signal.stop) if stop is None else signal.stop == pytest.approx(stop, rel=1e-15)


@pytest.mark.parametrize("bar", [row(math.nan), row(0.2, daily=math.nan), row(0.2, daily=0.0), row(0.2, daily=0.5)])
def test_without_a_past_or_a_volatility_it_waits(bar):
    """Warming up, a dead market, or one so wild that the stop would lie below zero."""
    strategy = Momentum(stop=2.5)
    assert strategy.decide(bar, at(0), strategy.values).side == Want.HOLD


def test_it_reads_whole_days():
    """The centre of mass of an exponential mean is decay / (1 − decay): 60 days are a decay of 60/61."""
    assert Momentum(look_back=28, volatility=60).features() == {
        "moved": "returns(28)@1d", "daily": "ewma_volatility(0.983607)@1d",
    }  # fmt: skip
    assert pytest.approx(60, abs=0.01) == 0.983607 / (1 - 0.983607)


@pytest.mark.parametrize("params", [{"look_back": 1}, {"stop": 0.0}, {"volatility": 0}, {"lookback": 3}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds, or misspelt."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        Momentum(**params)
