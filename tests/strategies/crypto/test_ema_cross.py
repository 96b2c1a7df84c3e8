"""EMA cross: the side on which the fast average lies."""

import math
from types import SimpleNamespace

import pytest

from scripted import columns, done, play
from truewind import features
from truewind.domain.position import Position
from truewind.domain.signal import Want
from truewind.errors import ConfigError
from truewind.strategies.crypto.ema_cross import EmaCross
from truewind.strategies.sizing import SizingSettings

NOTHING = Position(0, 0.0, math.nan, math.nan, 0)


@pytest.mark.parametrize(
    ("fast", "slow", "short", "side"),
    [
        (101.0, 100.0, True, Want.LONG),
        (100.0, 100.0, True, Want.LONG),
        (99.0, 100.0, True, Want.SHORT),
        (99.0, 100.0, False, Want.FLAT),
        (99.0, math.nan, True, Want.HOLD),
        (math.nan, math.nan, True, Want.HOLD),
    ],
)
def test_the_side_follows_the_averages(fast, slow, short, side):
    """Above or equal long, below short, or flat where shorts are off; nothing while they warm up."""
    strategy = EmaCross(fast=3, slow=8, short=short)
    assert strategy.decide(SimpleNamespace(fast=fast, slow=slow), NOTHING, strategy.values).side == side


def test_it_reads_two_averages():
    """Of the lengths asked for."""
    assert EmaCross(fast=3, slow=8).features() == {"fast": "ema(3)", "slow": "ema(8)"}


@pytest.mark.parametrize("params", [{"fast": 30, "slow": 30}, {"fast": 40, "slow": 30}, {"fast": 1}, {"fats": 3}])
def test_lengths_that_make_no_cross_are_refused(params):
    """The fast one must be shorter; misspelt names are told."""
    with pytest.raises(ConfigError, match="fast"):
        EmaCross(**params)


def test_it_turns_when_the_averages_cross():
    """A rise and a fall: long, then short, on the bars after the crosses that a plain loop finds."""
    closes = [100.0] * 8 + [100.0 + i for i in range(1, 15)] + [114.0 - 2 * i for i in range(1, 25)]
    bars = columns([(c, c + 1, c - 1, c) for c in closes])
    table = bars | {
        name: features.columns([spec], bars)[column]
        for name, spec, column in (("fast", "ema(3)", "ema_3"), ("slow", "ema(8)", "ema_8"))
    }
    strategy = EmaCross(fast=3, slow=8)
    strategy.sizing = SizingSettings(method="fixed", value=1.0)
    engine = play({"BTCUSDT": table}, strategy)
    fast, slow, sides = closes[0], closes[0], []
    for close in closes:
        fast, slow = fast + (close - fast) * 2 / 4, slow + (close - slow) * 2 / 9
        sides.append(1 if fast >= slow else -1)
    turn = sides.index(-1)
    assert [(fill.side, fill.lots) for fill in done(engine)] == [(1, 1000), (-1, 2000)]
    assert done(engine)[1].row == pytest.approx(turn + 1, abs=1)
