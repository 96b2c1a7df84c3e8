"""ETH cluster bot: the side of the nearest state, held for the horizon at least, and nothing without a state."""

import math
from types import SimpleNamespace

import pytest

from truewind.domain.position import Position
from truewind.domain.signal import Want
from truewind.errors import ConfigError, MissingFileError
from truewind.strategies.crypto.eth_cluster import FEATURES, OWN_MODEL, EthCluster
from truewind.strategies.fitted import MarketStates, read_states

HOUR = 3_600_000_000
NOW = 1000 * HOUR
# Three states of the market by the day's return alone: up (long), still (flat), down (short). Six hours of horizon.
UP, STILL, DOWN = 0.1, 0.0, -0.1
CENTRES = [(UP / 0.05, 0.0, 0.0, 0.0, 0.0), (0.0,) * 5, (DOWN / 0.05, 0.0, 0.0, 0.0, 0.0)]


@pytest.fixture
def bot(tmp_path):
    """A bot with these states."""
    states = [
        {"side": side, "forward": 0.01 * side, "rows": 50, "centre": centre}
        for side, centre in zip((1, 0, -1), CENTRES, strict=True)
    ]
    model = MarketStates(
        features=FEATURES, mean=(0.0,) * 5, deviation=(0.05, 0.1, 1.0, 1.0, 1.0), states=states, horizon=6,
        hurdle=0.002, venue="test", symbol="ETHUSDT", timeframe="1h", start="2024-01-01", end="2024-02-01", rows=150,
        data_snapshot="abc", seed=1, code_version="1",
    )  # fmt: skip
    (tmp_path / "states.json").write_bytes(model.to_json())
    return lambda **params: EthCluster(model=str(tmp_path / "states.json"), **params)


def row(moved, close=100.0, spread=2.0, week=0.0):
    return SimpleNamespace(
        ts_event=NOW, close=close, range=spread, moved_day=moved, moved_week=week, volatility=0.0, trend=0.0,
        activity=0.0,
    )  # fmt: skip


def at(side, hours=0):
    return Position(side, float(side), 100.0, math.nan, NOW - hours * HOUR if side else 0)


@pytest.mark.parametrize(
    ("held", "hours", "moved", "short", "side", "stop", "state"),
    [
        (0, 0, UP, True, Want.LONG, 94.0, 1),
        (0, 0, 0.051, True, Want.LONG, 94.0, 1),  # just nearer to 0.1 than to 0
        (0, 0, 0.049, True, Want.FLAT, None, 2),
        (0, 0, DOWN, True, Want.SHORT, 106.0, 3),
        (0, 0, DOWN, False, Want.FLAT, None, 3),
        (1, 2, UP, True, Want.LONG, None, 1),
        (1, 9, UP, True, Want.LONG, None, 1),
        (1, 5, STILL, True, Want.LONG, None, 2),  # within the horizon
        (1, 6, STILL, True, Want.FLAT, None, 2),
        (1, 2, DOWN, True, Want.SHORT, 106.0, 3),  # the opposite side turns at once
        (1, 2, DOWN, False, Want.LONG, None, 3),
        (1, 6, DOWN, False, Want.FLAT, None, 3),
        (-1, 2, UP, True, Want.LONG, 94.0, 1),
        (-1, 2, STILL, True, Want.SHORT, None, 2),
    ],
)
def test_the_rules_by_hand(bot, held, hours, moved, short, side, stop, state):
    """Three ranges of 2 to the stop; six hours of horizon."""
    strategy = bot(stop=3.0, short=short)
    signal = strategy.decide(row(moved), at(held, hours), strategy.values)
    assert (signal.side, signal.reason) == (side, state)
    assert math.isnan(signal.stop) if stop is None else signal.stop == stop


@pytest.mark.parametrize("bar", [row(math.nan), row(UP, week=math.nan), row(UP, spread=0.0), row(UP, spread=math.nan),
                                 row(UP, spread=40.0)])  # fmt: skip
def test_without_all_features_it_waits(bot, bar):
    """Warming up, a dead market, or a range so wide that the stop would lie below zero."""
    strategy = bot(stop=3.0)
    assert strategy.decide(bar, at(0), strategy.values).side == Want.HOLD


def test_the_model_that_comes_along_is_sound_and_of_these_features():
    """Named in the run, and its hash is that of its content."""
    model = read_states(OWN_MODEL, FEATURES)
    strategy = EthCluster()
    assert strategy.fitted == model.fitted("eth_cluster.json")
    assert (model.venue, model.symbol, model.timeframe, model.seed) == ("binance", "ETHUSDT", "1h", 42)
    assert len(strategy.values.centres) == len(model.states) * len(FEATURES)
    assert [state.forward for state in model.states] == sorted((s.forward for s in model.states), reverse=True)


@pytest.mark.parametrize(
    ("params", "error"),
    [({"model": "nowhere.json"}, MissingFileError), ({"stop": 0.0}, ConfigError), ({"modell": "x"}, ConfigError)],
)
def test_what_cannot_be_is_refused(params, error):
    """No file, out of bounds, misspelt."""
    with pytest.raises(error):
        EthCluster(**params)
