"""BTC trend bot: in beyond the channel where there is a trend, out at a stop that hangs from the highest high."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from scripted import columns, done, play
from truewind.domain.position import Position
from truewind.domain.signal import Want
from truewind.errors import ConfigError
from truewind.strategies.crypto.btc_trend import BtcTrend, Why
from truewind.strategies.sizing import SizingSettings


def at(side):
    return Position(side, float(side), math.nan, math.nan, 0)


def row(close, channel=(90.0, 110.0), exits=(88.0, 112.0), strength=30.0, spread=4.0):
    return SimpleNamespace(
        close=close, lower=channel[0], upper=channel[1], floor=exits[0], ceiling=exits[1], strength=strength,
        range=spread,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "close", "short", "side", "stop", "reason"),
    [
        (0, 111.0, True, Want.LONG, 100.0, Why.NEW_HIGH),  # 112 − 3 · 4
        (0, 115.0, True, Want.LONG, 103.0, Why.NEW_HIGH),  # the close is above the highest high of whole days
        (0, 110.0, True, Want.HOLD, None, 0),
        (0, 89.0, True, Want.SHORT, 100.0, Why.NEW_LOW),  # 88 + 3 · 4
        (0, 80.0, True, Want.SHORT, 92.0, Why.NEW_LOW),
        (0, 89.0, False, Want.HOLD, None, 0),
        (1, 105.0, True, Want.LONG, 100.0, Why.CHANDELIER),
        (1, 120.0, True, Want.LONG, 108.0, Why.CHANDELIER),
        (1, 100.0, True, Want.FLAT, None, Why.CHANDELIER),
        (1, 89.0, True, Want.FLAT, None, Why.CHANDELIER),
        (-1, 95.0, True, Want.SHORT, 100.0, Why.CHANDELIER),
        (-1, 100.0, True, Want.FLAT, None, Why.CHANDELIER),
    ],
)
def test_the_rules_by_hand(held, close, short, side, stop, reason):
    """Channel 90 to 110, highest high 112, lowest low 88, three ranges of 4."""
    strategy = BtcTrend(stop=3.0, short=short)
    signal = strategy.decide(row(close), at(held), strategy.values)
    assert (signal.side, signal.reason) == (side, reason)
    assert math.isnan(signal.stop) if stop is None else signal.stop == stop


@pytest.mark.parametrize("strength", [24.9, math.nan])
def test_without_a_trend_it_does_not_enter_but_goes_on_guarding(strength):
    """The index says whether to enter, and nothing else."""
    strategy = BtcTrend()
    assert strategy.decide(row(111.0, strength=strength), at(0), strategy.values).side == Want.HOLD
    assert strategy.decide(row(111.0, strength=strength), at(1), strategy.values).stop == 100.0


@pytest.mark.parametrize(
    "bar",
    [
        row(111.0, channel=(math.nan, math.nan)),
        row(111.0, exits=(math.nan, math.nan)),
        row(111.0, spread=0.0),
        row(111.0, spread=math.nan),
        row(111.0, spread=40.0),
    ],
)
def test_without_a_channel_or_a_range_it_waits(bar):
    """Warming up, a dead market, or a range so wide that the stop would lie below zero."""
    strategy = BtcTrend()
    assert strategy.decide(bar, at(0), strategy.values).side == Want.HOLD


def test_the_stop_rises_with_the_price_and_never_falls():
    """Up by 1 a bar from 100, then down: the stop is three ranges of 2 below the highest close, and takes it out."""
    closes = [100.0] * 3 + [101.0 + i for i in range(12)] + [111.0 - i for i in range(12)]
    bars = columns([(c, c + 0.1, c - 0.1, c) for c in closes])
    count = len(closes)
    spread = [2.0] * 12 + [4.0] * (count - 12)  # a wider range would move the stop away: it stays
    table = bars | {
        "upper": [100.5] * count, "lower": [0.0] * count, "floor": [0.0] * count, "ceiling": [100.5] * count,
        "strength": [30.0] * count, "range": spread,
    }  # fmt: skip
    strategy = BtcTrend(stop=3.0)
    strategy.sizing = SizingSettings(method="fixed", value=1.0)
    engine = play({"BTCUSDT": {name: np.asarray(values) for name, values in table.items()}}, strategy)
    # In at the open after the first close above 100.5. At row 11, the last with the narrow range, the close is 109:
    # the stop is 103. Later highs (112 − 12) would give less. The fall reaches 103 in row 23, whose low is 102.9.
    assert [(fill.row, fill.side, fill.price) for fill in done(engine)] == [(4, 1, 102.0), (23, -1, 103.0)]


def test_it_reads_whole_days():
    """Of the lengths asked for."""
    assert BtcTrend(entry=10, adx=7, exit=11).features() == {
        "upper": "highest(10)@1d", "lower": "lowest(10)@1d", "strength": "adx(7)@1d", "ceiling": "highest(11)@1d",
        "floor": "lowest(11)@1d", "range": "atr(11)@1d",
    }  # fmt: skip


@pytest.mark.parametrize("params", [{"entry": 1}, {"strength": 101.0}, {"stop": 0.0}, {"exit": 1.5}, {"entri": 3}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds, no whole number, or misspelt."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        BtcTrend(**params)
