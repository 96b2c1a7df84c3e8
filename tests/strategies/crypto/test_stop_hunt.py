"""Stop hunt: a sweep that is reclaimed is traded away from, the stop beyond the wick, targets at open swings."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from recorded import assert_lanes_agree, assert_the_future_moves_nothing, feather, played
from scripted import columns
from truewind.domain.order import OrderType
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Want
from truewind.engine.engine import Engine
from truewind.errors import ConfigError
from truewind.strategies.crypto.stop_hunt import Reason, StopHunt

NAN = math.nan
FLAT = Position(0, 0.0, NAN, NAN, 0)
FIVE_MINUTES = 300_000_000


def row(side=1, **changes):
    """A swing at 1000 was run to 990 and reclaimed: close 1004, true range 8, open swings 1040, 1060 and 1100 away."""
    fields = {
        "ts": 0, "ts_event": FIVE_MINUTES, "close": 1004.0, "range": 8.0, "regime": 0.0,
        "sweep_event": 1.0, "sweep_level": 1000.0, "sweep_extreme": 990.0,
        "open_high_1": 1040.0, "open_high_2": 1060.0, "open_high_3": 1100.0,
        "open_low_1": 980.0, "open_low_2": NAN, "open_low_3": NAN,
        "lows_taken": 1 / 3, "highs_taken": 0.0, "hours_europe": 1.0, "hours_us": 0.0,
    } | changes  # fmt: skip
    if side < 0:  # the same upside down
        top = 2000.0
        for name in ("close", "sweep_level", "sweep_extreme"):
            fields[name] = top - fields[name]
        for place in (1, 2, 3):
            high, low = fields[f"open_high_{place}"], fields[f"open_low_{place}"]
            fields[f"open_high_{place}"], fields[f"open_low_{place}"] = top - low, top - high
        fields["sweep_event"] = -fields["sweep_event"]
        fields["lows_taken"], fields["highs_taken"] = fields["highs_taken"], fields["lows_taken"]
    return SimpleNamespace(**fields)


def decide(bar, position=FLAT, **params):
    strategy = StopHunt(**params)
    return strategy.decide(bar, position, strategy.values)


def test_a_reclaimed_sweep_is_bought_with_the_stop_beyond_the_wick():
    """Stop a quarter of 8 below 990; risk 16, and 1040 is 36 away, 2.25 risks; 48 bars of five minutes."""
    signal = decide(row())
    assert signal.side == Want.LONG
    assert math.isnan(signal.entry)
    assert signal.stop == 988.0
    assert signal[4:7] == (1040.0, 1060.0, 1100.0)
    assert math.isnan(signal.target_4)
    assert signal.horizon_us == 48 * FIVE_MINUTES
    assert signal.reason == Reason.SWING_LOW


def test_upside_down_it_is_sold():
    """All distances the same."""
    signal = decide(row(side=-1))
    assert signal.side == Want.SHORT
    assert signal.stop == 1012.0
    assert signal[4:7] == (960.0, 940.0, 900.0)
    assert signal.reason == Reason.SWING_HIGH


@pytest.mark.parametrize(
    ("changes", "params", "trades"),
    [
        ({"sweep_event": 0.0}, {}, False),
        ({"sweep_event": NAN}, {}, False),
        ({"range": NAN}, {}, False),
        ({"range": 0.0}, {}, False),
        ({"open_high_1": 1036.0}, {}, True),  # two risks to the tick
        ({"open_high_1": 1035.9}, {}, False),
        ({"open_high_1": 1035.9}, {"reward": 1.5}, True),
        ({"open_high_1": NAN}, {}, False),  # nothing known to wait above
        ({"open_high_2": NAN, "open_high_3": NAN}, {}, True),
        ({}, {"least_stop": 0.0159}, True),  # 16 of 1004 is 0.01594
        ({}, {"least_stop": 0.0162}, False),
        ({"range": 8000.0}, {}, False),  # the stop would be below nothing
        ({"regime": 1.0}, {}, False),
        ({"regime": 1.0}, {"regime": 1}, True),
        ({"regime": NAN}, {"regime": 1}, False),
        ({}, {"pool": 2}, False),
        ({"lows_taken": 2 / 3}, {"pool": 2}, True),
        ({"lows_taken": 2.0}, {"pool": 2, "within": 1}, True),
        ({"highs_taken": 1.0}, {"pool": 2}, False),  # on the other side
        ({"lows_taken": NAN}, {}, False),
        ({"hours_us": 1.0}, {"new_york": False}, True),  # London works as well
        ({}, {"london": False}, False),
        ({"hours_europe": 0.0, "hours_us": 1.0}, {"london": False}, True),
        ({"hours_europe": 0.0}, {}, False),
        ({"hours_europe": 0.0}, {"off_hours": True}, True),
        ({"hours_europe": NAN, "hours_us": NAN}, {"off_hours": True}, False),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_what_is_traded_and_what_is_refused(side, changes, params, trades):
    """Each filter by itself, on both sides."""
    signal = decide(row(side, **changes), **params)
    assert signal.side == (side if trades else Want.HOLD)


@pytest.mark.parametrize("held", [1, -1])
def test_what_is_held_is_left_to_its_exits(held):
    """No second entry, no turn, and no stop that moves."""
    assert decide(row(), Position(held, float(held), 1000.0, 990.0, 0)) == HOLD
    assert decide(row(-1), Position(held, float(held), 1000.0, 990.0, 0)) == HOLD


def test_equal_lows_are_told_apart():
    """The report names what was swept."""
    assert decide(row(lows_taken=2 / 3)).reason == Reason.EQUAL_LOWS
    assert decide(row(-1, lows_taken=1.0)).reason == Reason.EQUAL_HIGHS


@pytest.mark.parametrize("params", [{"left": 0}, {"reward": 0.0}, {"regime": 2}, {"hold": 0}, {"buffer": -0.1}])
def test_impossible_parameters_are_refused(params):
    """Out of bounds."""
    with pytest.raises(ConfigError, match=list(params)[-1]):
        StopHunt(**params)


def hunted():
    """A market drawn by hand, on a Sunday and the Monday after, bars of five minutes: 300 of idling between 1019 and
    1021, a peak at 1060, a low at 1000, and a run to 996 that closes at 1003. Also the run's row."""
    path = [1020.0 + (-1) ** i for i in range(300)]
    path += list(np.linspace(1020, 1060, 9)) + list(np.linspace(1055, 1000, 12)) + list(np.linspace(1004, 1016, 4))
    path += [1014.0, 1012.0, 1008.0, 1006.0]
    candles = [(a, max(a, b), min(a, b), b) for a, b in zip([1020.0, *path], path, strict=False)]
    candles += [(1006.0, 1006.0, 996.0, 1003.0)]  # the sweep and the reclaim
    candles += [(1003.0 + 4 * i, 1007.0 + 4 * i, 1003.0 + 4 * i, 1007.0 + 4 * i) for i in range(15)]
    sunday = int(np.datetime64("2024-01-07T00:00", "us").astype(np.int64))
    return columns(candles, start=sunday, step=FIVE_MINUTES), len(path)


def test_the_trade_on_a_chart_drawn_by_hand():
    """Bought at the open after the reclaim and half a spread, with one target, for one swing high is open: 1060, past
    which the 15th bar trades. The stop's quarter range is of the ATR there, so only its side of the wick is asked."""
    bars, swept = hunted()
    hunt = lambda: StopHunt(least_stop=0.0, off_hours=True, regime=1)  # noqa: E731
    engine = played(Engine, hunt, bars, "5m", FIVE_MINUTES)
    fills = engine.fills
    assert [int(fill["row"]) for fill in fills] == [swept + 1, swept + 15]
    assert [int(fill["price"]) for fill in fills] == [10031, 10600]
    stops = [event for event in engine.events if event["type"] == OrderType.STOP]
    assert 9900 < stops[0]["trigger"] < 9960
    assert not played(Engine, lambda: StopHunt(least_stop=0.0, regime=1), bars, "5m", FIVE_MINUTES).fills.size


def test_a_dead_market_and_a_short_history_give_no_trade():
    """Flat prices; and fewer bars than the features need."""
    dead = columns([(100.0, 100.0, 100.0, 100.0)] * 400, step=FIVE_MINUTES)
    assert not played(Engine, StopHunt, dead, "5m", FIVE_MINUTES).fills.size
    bars, _ = hunted()
    short = {name: values[:20] for name, values in bars.items()}
    assert not played(Engine, StopHunt, short, "5m", FIVE_MINUTES).fills.size


@pytest.fixture(scope="module")
def spring(shared):
    """BTCUSDT perpetual, a month of five minutes."""
    return feather(shared / "market-swarm/BTC_USDT_USDT-5m-futures.feather")


def hunt():
    return StopHunt(reward=1.0, off_hours=True, regime=1)


def test_both_lanes_do_the_same_on_a_recorded_market(spring):
    """With all hours and half the reward asked for, so that there is much to compare."""
    engine = assert_lanes_agree(hunt, spring, "5m", FIVE_MINUTES)
    assert len(engine.fills) > 40


def test_it_does_not_look_ahead(spring):
    """Another future, the same past."""
    assert_the_future_moves_nothing(hunt, spring, 4000, "5m", FIVE_MINUTES)


def test_every_entry_on_a_recorded_market_follows_a_reclaim(spring):
    """Looked up in the bars themselves: before each entry a bar closed inside a level that it, or one of the two before
    it, had traded beyond, and its stop lies beyond the farthest price of those three."""
    engine = played(Engine, StopHunt, spring, "5m", FIVE_MINUTES)
    opened = [fill for fill in engine.fills if abs(fill["position"]) == fill["lots"]]
    assert len(opened) > 4
    for fill in opened:
        reclaim, side = int(fill["row"]) - 1, int(fill["side"])
        stop = next(
            event["trigger"] for event in engine.events
            if event["type"] == OrderType.STOP and event["row"] == reclaim and event["side"] == -side
        )  # fmt: skip
        wick = slice(reclaim - 2, reclaim + 1)
        if side > 0:
            assert stop / 10 < spring["low"][wick].min()
        else:
            assert stop / 10 > spring["high"][wick].max()
