"""Strategies out of parts: what each part says, by hand, and what becomes of them together."""

import importlib.util
import math
from collections import namedtuple
from pathlib import Path

import pytest

from truewind.backtest.settings import load_config
from truewind.config import parse
from truewind.domain.position import Position
from truewind.domain.signal import HOLD, Signal, Want
from truewind.errors import ConfigError
from truewind.strategies import entries, exits, filters
from truewind.strategies.parts import PartsSettings, Reason, assemble, nearest, source, strictest

NAN = math.nan
HOUR = 3_600_000_000
FLAT = Position(0, 0.0, NAN, NAN, 0)


# -- entries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fast", "slow", "before", "side"),
    [
        (101.0, 100.0, (99.0, 100.0), 1),  # from below to above
        (101.0, 100.0, (100.0, 100.0), 1),  # from equal to above
        (101.0, 100.0, (100.5, 100.0), 0),  # above already
        (99.0, 100.0, (101.0, 100.0), -1),
        (100.0, 100.0, (99.0, 100.0), 0),  # touched, not crossed
        (101.0, 100.0, (NAN, 100.0), 0),
        (NAN, 100.0, (99.0, 100.0), 0),
        (0.3, 0.2, (0.1, 0.2), 1),  # what has no exact binary form
    ],
)
def test_a_crossover_is_the_bar_of_the_crossing(fast, slow, before, side):
    assert entries.Crossover.side(fast, slow, fast - before[0], slow - before[1]) == side


@pytest.mark.parametrize(
    ("close", "top", "bottom", "side"),
    [(110, 110, 90, 1), (90, 110, 90, -1), (100, 110, 90, 0), (100, 100, 100, 0), (100, NAN, NAN, 0)],
)
def test_a_breakout_closes_at_the_edge_of_its_channel(close, top, bottom, side):
    """In a dead market every close is highest and lowest: no breakout."""
    assert entries.Breakout.side(close, top, bottom) == side


@pytest.mark.parametrize(("of", "reversal"), [(25.0, 1), (30.0, 0), (50.0, 0), (70.0, 0), (75.0, -1), (NAN, 0)])
def test_a_threshold_trades_against_or_with(of, reversal):
    assert entries.Threshold.side(of, 30.0, 70.0, 0) == reversal
    assert entries.Threshold.side(of, 30.0, 70.0, 1) == -reversal


def test_a_threshold_may_have_one_bound():
    assert entries.Threshold.side(1e9, 30.0, NAN, 0) == 0
    assert entries.Threshold.side(-1e9, NAN, 70.0, 0) == 0


@pytest.mark.parametrize(("of", "side"), [(1.0, 1), (-1.0, -1), (0.0, 0), (NAN, 0)])
def test_a_pattern_is_what_its_feature_says(of, side):
    assert entries.Pattern.side(of) == side


@pytest.mark.parametrize(("lower", "upper", "side"), [(0.7, 0.1, 1), (0.1, 0.6, -1), (0.5, 0.4, 0), (NAN, NAN, 0)])
def test_a_pin_bar_is_mostly_wick(lower, upper, side):
    assert entries.PinBar.side(lower, upper, 0.6) == side


@pytest.mark.parametrize(
    ("before", "now", "side"),
    [
        ((102.0, 100.0), (99.5, 103.0), 1),  # a rise covers a fall
        ((100.0, 102.0), (102.5, 99.0), -1),
        ((102.0, 100.0), (100.5, 103.0), 0),  # opens inside
        ((100.0, 102.0), (99.5, 103.0), 0),  # both rise
        ((NAN, NAN), (99.5, 103.0), 0),
    ],
)
def test_engulfing_covers_the_other_colour(before, now, side):
    (open_before, close_before), (opened, close) = before, now
    shape = 1.0 if close > opened else -1.0  # bars without wicks
    changes = opened - open_before, close - close_before
    assert entries.Engulfing.side(opened, close, shape, *changes, 0.5) == side
    assert entries.Engulfing.side(opened, close, 0.4 * shape, *changes, 0.5) == 0  # mostly wick


@pytest.mark.parametrize(
    ("of", "side", "confidence"), [(0.9, 1, 0.9), (0.1, -1, 0.9), (0.5, 0, 0), (NAN, 0, 0), (1.5, 0, 0), (-0.5, 0, 0)]
)
def test_a_probability_gives_side_and_confidence(of, side, confidence):
    """What is no probability says nothing."""
    assert entries.Probability.side(of, 0.8, 0.8) == side
    assert entries.Probability.side(of, 0.8, NAN) == max(0, side)
    if side:
        assert entries.Probability.confidence(side, of) == pytest.approx(confidence)


# -- exits ---------------------------------------------------------------------------------------------------------


def test_first_stops_by_hand():
    assert exits.FixedStop.first(1, 200.0, 2.0) == 196.0
    assert exits.FixedStop.first(-1, 200.0, 2.0) == 204.0
    assert exits.AtrStop.first(1, 100.0, 3.0, 2.0) == 94.0
    assert exits.AtrStop.first(-1, 100.0, 3.0, 2.0) == 106.0
    assert exits.Trailing.first(1, 200.0, 5.0) == 190.0
    assert exits.AtrTrailing.first(-1, 100.0, 3.0, 2.0) == 106.0
    assert exits.Chandelier.first(1, 120.0, 90.0, 4.0, 3.0) == 108.0  # Le Beau: highest high less three ranges
    assert exits.Chandelier.first(-1, 120.0, 90.0, 4.0, 3.0) == 102.0


def test_moved_stops_by_hand():
    """Trailing stops follow the bar's extreme; break-even waits for its gain, in R, by the close."""
    assert exits.Trailing.moved(1, 200.0, 150.0, 5.0) == 190.0
    assert exits.Trailing.moved(-1, 200.0, 100.0, 5.0) == 105.0
    assert exits.AtrTrailing.moved(1, 110.0, 100.0, 3.0, 2.0) == 104.0
    assert exits.AtrTrailing.moved(-1, 110.0, 100.0, 3.0, 2.0) == 106.0
    assert exits.Chandelier.moved(1, 120.0, 90.0, 4.0, 3.0) == 108.0
    assert exits.BreakEven.moved(1, 110.0, 100.0, 10.0, 1.0, 0.0) == 100.0
    assert exits.BreakEven.moved(1, 110.0, 100.0, 10.0, 1.0, 0.1) == 101.0
    assert exits.BreakEven.moved(-1, 90.0, 100.0, 10.0, 1.0, 0.1) == 99.0
    assert math.isnan(exits.BreakEven.moved(1, 109.9, 100.0, 10.0, 1.0, 0.0))
    assert math.isnan(exits.BreakEven.moved(1, 150.0, 100.0, NAN, 1.0, 0.0))  # the entry had no stop


def test_targets_by_hand():
    """In R they lie at multiples of the distance to the stop, else in percent; a short cannot earn more than all."""
    assert exits.Ladder.target(1, 100.0, 95.0, 2.0, 0) == 110.0
    assert exits.Ladder.target(-1, 100.0, 105.0, 3.0, 0) == 85.0
    assert exits.Ladder.target(1, 100.0, NAN, 2.0, 1) == 102.0
    assert math.isnan(exits.Ladder.target(-1, 100.0, 160.0, 2.0, 0))
    assert math.isnan(exits.Ladder.target(1, 1e17, 1e17 - 16, 0.01, 0))  # too near to be another number


def test_the_nearest_stop_counts():
    assert nearest(1, 95.0, 97.0) == 97.0
    assert nearest(-1, 105.0, 103.0) == 103.0
    assert nearest(1, NAN, 97.0) == 97.0
    assert nearest(1, 95.0, NAN) == 95.0
    assert nearest(-1, 95.0, -3.0) == 95.0  # no price
    assert strictest(1, 95.0, 97.0) == 97.0
    assert math.isnan(strictest(1, 95.0, NAN))
    assert math.isnan(strictest(1, NAN, 95.0))


# -- filters -------------------------------------------------------------------------------------------------------

FRIDAY = 1_704_412_800_000_000  # 2024-01-05T00:00Z


@pytest.mark.parametrize(
    ("day", "hour", "limits", "weekends", "passes"),
    [
        (0, 7.0, (7.0, 20.0), True, True),
        (0, 20.0, (7.0, 20.0), True, False),
        (0, 6.99, (7.0, 20.0), True, False),
        (0, 23.0, (22.0, 4.0), True, True),  # over midnight
        (0, 3.0, (22.0, 4.0), True, True),
        (0, 4.0, (22.0, 4.0), True, False),
        (0, 12.0, (7.0, 20.0), False, True),
        (1, 12.0, (7.0, 20.0), False, False),  # Saturday
        (2, 12.0, (7.0, 20.0), False, False),
        (3, 12.0, (7.0, 20.0), False, True),
        (1, 12.0, (7.0, 20.0), True, True),
    ],
)
def test_a_session_is_a_part_of_the_day(day, hour, limits, weekends, passes):
    now = FRIDAY + day * 24 * HOUR + round(hour * HOUR)
    assert filters.Session.passes(now, *limits, weekends) == passes


def test_filters_by_hand():
    assert filters.Market.passes(1.0)
    assert not filters.Market.passes(0.0)
    for regime, allowed in ((-1.0, (True, False, False)), (0.0, (False, True, False)), (1.0, (False, False, True))):
        assert filters.Volatility.passes(regime, *allowed)
        assert not filters.Volatility.passes(regime, *(not each for each in allowed))
    assert filters.Spread.passes(0.0009, 10.0)
    assert not filters.Spread.passes(0.0011, 10.0)
    assert filters.Funding.passes(1, 0.0004, 0.0005)
    assert not filters.Funding.passes(1, 0.0006, 0.0005)
    assert filters.Funding.passes(-1, 0.0006, 0.0005)  # shorts are paid
    assert not filters.Funding.passes(-1, -0.0006, 0.0005)
    assert filters.Within.passes(5.0, 5.0, NAN)
    assert not filters.Within.passes(4.9, 5.0, NAN)
    assert filters.Within.passes(5.0, NAN, 5.0)
    assert not filters.Within.passes(5.1, NAN, 5.0)


def test_what_is_not_known_does_not_pass():
    assert not filters.Market.passes(NAN)
    assert not filters.Volatility.passes(NAN, True, True, True)
    assert not filters.Spread.passes(NAN, 10.0)
    assert not filters.Funding.passes(1, NAN, 0.0005)
    assert not filters.Within.passes(NAN, 0.0, 1.0)


# -- together --------------------------------------------------------------------------------------------------------


def made(**parts):
    return assemble(parse(PartsSettings, parts))


def decide(strategy, position=FLAT, **row):
    """What it says of a row of these fields, an hour long."""
    row = {"ts": 0, "ts_event": HOUR, **row}
    return strategy.decide(namedtuple("Row", row)(**row), position, strategy.values)


THRESHOLD = {"threshold": {"of": "volume", "low": 30, "high": 70}}


def test_an_entry_has_the_nearest_stop_targets_and_horizon():
    """Close 100, fixed stop at 96, ATR stop at 97: R is 3."""
    strategy = made(
        entry=THRESHOLD,
        exits=[{"fixed_stop": {"percent": 4}}, {"atr_stop": {"multiple": 1.5}}, {"ladder": {"at": [1, 2]}},
               {"time_stop": {"bars": 10}}],
    )  # fmt: skip
    said = decide(strategy, volume=20.0, close=100.0, atr_stop_range=2.0)
    assert said[:6] == (Want.LONG, 1.0, pytest.approx(NAN, nan_ok=True), 97.0, 103.0, 106.0)
    assert (said.horizon_us, said.reason) == (10 * HOUR, Reason.ENTRY)
    said = decide(strategy, volume=80.0, close=100.0, atr_stop_range=3.0)
    assert (said.side, said.stop, said.target_1, said.target_2) == (Want.SHORT, 104.0, 96.0, 92.0)


@pytest.mark.parametrize("range", [NAN, 0.0, 60.0])
def test_without_a_sane_stop_there_is_no_entry(range):
    """Not known yet, a dead market, and a range that puts the stop of a long below zero."""
    strategy = made(entry=THRESHOLD, exits=[{"atr_stop": {"multiple": 2}}, {"fixed_stop": {"percent": 99}}])
    alone = made(entry=THRESHOLD, exits=[{"atr_stop": {"multiple": 2}}])
    assert decide(alone, volume=20.0, close=100.0, atr_stop_range=range) == HOLD
    if range != 60.0:
        assert decide(strategy, volume=20.0, close=100.0, atr_stop_range=range) == HOLD


def test_while_held_stops_move_and_entries_are_not_heard():
    strategy = made(entry=THRESHOLD, exits=[{"trailing": {"percent": 10}}, {"break_even": {"after": 1}}])
    held = Position(1, 2.0, 100.0, 90.0, 0, 10.0)
    said = decide(strategy, held, volume=80.0, close=105.0, high=106.0, low=99.0)
    assert said == Signal(Want.LONG, stop=pytest.approx(95.4), reason=Reason.STAYS)
    said = decide(strategy, held, volume=80.0, close=110.0, high=110.0, low=99.0)
    assert said.stop == 100.0  # break-even is nearer than 99
    said = decide(strategy, held, volume=50.0, close=105.0, high=120.0, low=99.0)
    assert said == Signal(Want.FLAT, reason=Reason.BEYOND_STOP)  # 120 less a tenth is above the close


def test_opposite_turns_where_it_may():
    """Both ways it turns; long only, or filtered, it leaves; without the part it stays."""
    stop = {"fixed_stop": {"percent": 4}}
    held = Position(1, 2.0, 100.0, 96.0, 0, 4.0)
    row = {"volume": 80.0, "close": 100.0}
    said = decide(made(entry=THRESHOLD, exits=[stop, "opposite"]), held, **row)
    assert (said.side, said.stop) == (Want.SHORT, 104.0)
    leaves = Signal(Want.FLAT, reason=Reason.OPPOSITE)
    assert decide(made(entry=THRESHOLD, exits=[stop, "opposite"], direction="long"), held, **row) == leaves
    filtered = made(entry=THRESHOLD, exits=[stop, "opposite"], filters=[{"within": {"of": "close", "high": 50}}])
    assert decide(filtered, held, **row) == leaves
    assert decide(made(entry=THRESHOLD, exits=[stop]), held, **row).side == Want.LONG


@pytest.mark.parametrize(("direction", "sides"), [("both", (1, -1)), ("long", (1, 2)), ("short", (2, -1))])
def test_direction_is_what_may_be_entered(direction, sides):
    strategy = made(entry=THRESHOLD, exits=["fixed_stop"], direction=direction)
    assert tuple(decide(strategy, volume=volume, close=100.0).side for volume in (20.0, 80.0)) == sides


def test_equal_choices_share_one_decide():
    """So that a sweep over settings compiles once."""
    one = made(entry="crossover", exits=[{"atr_stop": {"multiple": 2}}])
    other = made(entry={"crossover": {"fast": "ema(3)"}}, exits=[{"atr_stop": {"multiple": 3, "length": 5}}])
    assert one.decide is other.decide
    assert one.values != other.values
    assert one.features() != other.features()


def test_the_source_can_be_read():
    parts = parse(PartsSettings, {"entry": "breakout", "exits": ["atr_stop"], "filters": ["session"]})
    text = source(parts)
    assert text.startswith(
        'def decide(row, position, params):\n    """Enter by breakout while session; leave by atr_stop."""'
    )
    assert "breakout_side(close, row.breakout_top, row.breakout_bottom)" in text


# -- YAML --------------------------------------------------------------------------------------------------------------

CONFIG = {"name": "x", "data": {"venue": "v", "symbols": ["A"], "timeframe": "1h"}}


def test_a_config_with_parts_survives_being_written():
    """What a run's folder keeps can be run again, and a part without settings may be a bare name."""
    given = {
        "entry": "breakout",
        "exits": [{"trailing": None}, "opposite"],
        "filters": [{"session": {"from": 7, "to": 20}}],
    }
    settings = load_config(CONFIG | {"strategy": {"parts": given}})
    kept = settings.model_dump(mode="json")
    assert kept["strategy"]["parts"]["filters"] == [{"session": {"from": 7.0, "to": 20.0, "weekends": True}}]
    assert set(kept["strategy"]) == {"parts"}
    assert load_config(kept) == settings


GOOD = {"entry": "breakout", "exits": ["atr_stop"]}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"entry": {"brakeout": {}}}, r"unknown key 'strategy.parts.entry.brakeout'. Did you mean 'breakout'"),
        ({"exits": [{"atr_stop": {"multple": 2}}]}, r"exits.0.atr_stop.multple'. Did you mean 'multiple'"),
        ({"filters": [{"session": {"form": 7}}]}, r"filters.0.session.form'. Did you mean 'from'"),
        ({"filters": [{"sesion": {}}]}, r"filters.0.sesion'. Did you mean 'session'"),
        ({"filter": []}, r"unknown key 'strategy.parts.filter'. Did you mean 'filters'"),
        ({"entry": {"breakout": {"length": 1}}}, r"breakout.length' .length of the channel.*: input should be greater"),
        ({"entry": {"crossover": {"fast": "emma(3)"}}}, r"fast' .*: unknown feature 'emma'. Did you mean 'ema'"),
        ({"entry": {"crossover": {"fast": "macd"}}}, r"crossover.fast' .*: macd has several outputs: write macd.line"),
        ({"entry": {"crossover": {"fast": "ema(3).line"}}}, r"ema\(3\) has one output only"),
        ({"entry": {"breakout": {}, "pattern": {}}}, r"strategy.parts.entry': give exactly one entry of crossover"),
        ({"exits": []}, "give at least one"),
        ({"exits": ["break_even"]}, "break_even counts in R"),
        ({"exits": ["ladder"]}, "ladder counts in R"),
        ({"exits": ["atr_stop", "atr_stop"]}, "atr_stop is given twice"),
        ({"exits": ["atr_stop", {"ladder": {"at": [2, 1]}}]}, "each more than the one before"),
        ({"exits": ["atr_stop", {"ladder": {"at": [1, 2, 3, 4, 5]}}]}, "one to 4 targets"),
        ({"entry": {"threshold": {"low": 70, "high": 30}}}, "low .70. must be less than high"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_place(parts, said):
    with pytest.raises(ConfigError, match=said):
        load_config(CONFIG | {"strategy": {"parts": GOOD | parts}})


@pytest.mark.parametrize("strategy", [{}, {"path": "a:B", "parts": GOOD}, {"parts": GOOD, "params": {"x": 1}}])
def test_a_strategy_is_a_path_or_parts(strategy):
    with pytest.raises(ConfigError, match="give a path"):
        load_config(CONFIG | {"strategy": strategy})


def test_the_page_of_parts_is_that_of_the_docstrings():
    """`make docs` would write the page that is there: every part with its settings, defaults and bounds."""
    docs = Path(__file__).parents[2] / "docs"
    spec = importlib.util.spec_from_file_location("make_parts", docs / "make_parts.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert (docs / "strategy-parts.md").read_text(encoding="utf-8") == maker.page(), "run make docs"
