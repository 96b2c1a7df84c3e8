"""Market structure on charts drawn by hand, and against definitions applied without thought for speed."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.features import columns

NAN = np.nan
Bars = dict[str, np.ndarray]


def chart(*bars: tuple[float, float, float]) -> Bars:
    """Bars as (high, low, close)."""
    high, low, close = np.array(bars, float).T.copy()
    return {"high": high, "low": low, "close": close}


def zigzag(*turns: int) -> Bars:
    """Closes that go from turn to turn in steps of 1, each bar from half below its close to half above."""
    close = [float(turns[0])]
    for turn in turns[1:]:
        step = 1 if turn > close[-1] else -1
        close += [float(price) for price in range(int(close[-1]) + step, turn + step, step)]
    return chart(*((price + 0.5, price - 0.5, price) for price in close))


def outputs(spec: str, bars: Bars) -> dict[str, np.ndarray]:
    return {name.rpartition(".")[2]: values for name, values in columns([spec], bars).items()}


# Peaks at 14, 17 and 19 in rows 4, 11 and 19; troughs at 12 and 14 in rows 6 and 14; then a fall to 12 in row 26.
RISING = zigzag(10, 14, 12, 17, 14, 19, 12)


def test_swings_count_from_the_row_that_confirms_them() -> None:
    """Two bars after the peak of row 4 its high, 14.5, is known; each later swing likewise."""
    found = outputs("swing(2, 2)", RISING)
    np.testing.assert_array_equal(found["high"], [NAN] * 6 + [14.5] * 7 + [17.5] * 8 + [19.5] * 6)
    np.testing.assert_array_equal(found["low"], [NAN] * 8 + [11.5] * 8 + [13.5] * 11)
    np.testing.assert_array_equal(found["high_age"], [NAN] * 6 + [*range(2, 9), *range(2, 10), *range(2, 8)])
    np.testing.assert_array_equal(found["low_age"], [NAN] * 8 + [*range(2, 10), *range(2, 13)])


def test_of_equal_highs_side_by_side_the_first_is_the_swing() -> None:
    """Highs 1 3 3 2: the first 3 is above what came before and below nothing after; a flat market has no swings."""
    highs = [1.0, 3.0, 3.0, 2.0]
    found = outputs("swing(1, 1)", {"high": np.array(highs), "low": np.zeros(4)})
    np.testing.assert_array_equal(found["high"], [NAN, NAN, 3.0, 3.0])
    np.testing.assert_array_equal(found["high_age"], [NAN, NAN, 1.0, 2.0])
    assert np.isnan(found["low"]).all()


prices = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def drawn(rows: list[tuple[int, int, int]]) -> Bars:
    """Bars of whole prices, so that equal ones are frequent: (low, body above it, wick above the close)."""
    return chart(*((low + body + wick, low, low + body) for low, body, wick in rows))


@given(prices, st.integers(1, 4), st.integers(1, 4))
def test_swings_by_their_definition(rows: list[tuple[int, int, int]], left: int, right: int) -> None:
    """For every row: the last one at least `right` rows ago that stands above its neighbours."""
    bars = drawn(rows)
    found = outputs(f"swing({left}, {right})", bars)
    for name, values in (("high", bars["high"]), ("low", -bars["low"])):
        last, age = NAN, NAN
        for row in range(len(values)):
            age += 1.0
            bar = row - right
            before, after = values[bar - left : bar], values[bar + 1 : row + 1]
            if bar >= left and values[bar] > before.max() and values[bar] >= after.max():
                last, age = values[bar], right
            np.testing.assert_equal(found[name][row], last if name == "high" else -last)
            np.testing.assert_equal(found[f"{name}_age"][row], age)


def test_the_trend_needs_two_swings_of_each_kind() -> None:
    """Highs 14.5 and 17.5, lows 11.5 and 13.5, the last known in row 16; upside down they fall."""
    rising = columns(["swing_trend(2, 2)"], RISING)["swing_trend_2_2"]
    np.testing.assert_array_equal(rising, [NAN] * 16 + [1.0] * 11)
    falling = columns(["swing_trend(2, 2)"], mirrored(RISING))["swing_trend_2_2"]
    np.testing.assert_array_equal(falling, [NAN] * 16 + [-1.0] * 11)
    widening = columns(["swing_trend(1, 1)"], zigzag(10, 12, 9, 13, 8, 14))["swing_trend_1_1"]
    assert widening[-1] == 0.0


def test_a_swing_is_broken_once_and_against_the_last_break_is_a_change() -> None:
    """Row 9 closes at 15 above 14.5, row 18 at 18 above 17.5, row 25 at 13 below 13.5, against the two before it."""
    found = outputs("structure_break(2, 2)", RISING)
    event, change, level = np.zeros(27), np.zeros(27), np.full(27, NAN)
    event[[9, 18, 25]] = 1.0, 1.0, -1.0
    change[25] = 1.0
    level[[9, 18, 25]] = 14.5, 17.5, 13.5
    event[:8] = change[:8] = NAN  # until row 8 no swing low is known
    np.testing.assert_array_equal(found["event"], event)
    np.testing.assert_array_equal(found["change"], change)
    np.testing.assert_array_equal(found["level"], level)
    np.testing.assert_array_equal(found["direction"], [NAN] * 9 + [1.0] * 16 + [-1.0] * 2)


def highs(*values: float) -> Bars:
    """Highs as given over lows that fall for ever and so make no swings; closes one below the highs."""
    return chart(*((high, 50.0 - row, high - 1.0) for row, high in enumerate(values)))


def test_swings_near_a_level_touch_it() -> None:
    """100 and 100.4 are within 1 %: one level at their mean with two touches, resistance up to a close above."""
    bars = highs(99.0, 100.0, 99.0, 99.5, 100.4, 99.0, 102.0, 110.0)
    found = outputs("support_resistance(1, 1, 0.01, 5)", bars)
    np.testing.assert_allclose(found["resistance"], [NAN, NAN, 100.0, 100.0, 100.0, 100.2, NAN, NAN])
    np.testing.assert_array_equal(found["resistance_touches"], [NAN, NAN, 1.0, 1.0, 1.0, 2.0, NAN, NAN])
    np.testing.assert_allclose(found["support"], [NAN] * 6 + [100.2] * 2)
    np.testing.assert_array_equal(found["support_touches"], [NAN] * 6 + [2.0] * 2)


def test_the_level_longest_untouched_makes_room() -> None:
    """Swings at 100, 120, 100 again and 140 with room for two: 120 goes, for 100 was touched after it."""
    bars = highs(90.0, 100.0, 90.0, 120.0, 90.0, 100.0, 90.0, 140.0, 90.0, 131.0)
    found = outputs("support_resistance(1, 1, 0.01, 2)", bars)
    assert found["support"][-1] == 100.0
    assert found["support_touches"][-1] == 2.0
    assert found["resistance"][-1] == 140.0
    nearer = outputs("support_resistance(1, 1, 0.01, 3)", bars)
    assert nearer["support"][-1] == 120.0


def test_a_range_is_narrow_for_its_price() -> None:
    """Of two bars each: 9.9 to 10.5 is less than a tenth of 10.2; 9.9 to 12 is more than that of 10.95; a flat window
    is a range without a position."""
    bars = chart((10.0, 10.0, 10.0), (10.5, 9.9, 10.2), (12.0, 10.0, 12.0), (7.0, 7.0, 7.0), (7.0, 7.0, 7.0))
    found = outputs("trading_range(2, 0.1)", bars)
    np.testing.assert_array_equal(found["high"], [NAN, 10.5, 12.0, 12.0, 7.0])
    np.testing.assert_array_equal(found["low"], [NAN, 9.9, 9.9, 7.0, 7.0])
    np.testing.assert_allclose(found["position"], [NAN, 0.5, 1.0, 0.0, NAN])
    np.testing.assert_array_equal(found["rows"], [NAN, 1.0, 0.0, 0.0, 1.0])


def test_equal_highs_are_a_pool_until_they_are_taken() -> None:
    """100 and 100.4 are a pool at 100.4 from the second's confirmation on; 101.5 is more than 1 % beyond it; a lone
    swing is none."""
    bars = highs(99.0, 100.0, 99.0, 99.5, 100.4, 99.0, 99.0, 101.5, 99.0)
    found = outputs("equal_swings(1, 1, 0.01)", bars)
    np.testing.assert_array_equal(found["high"], [NAN] * 5 + [100.4, 100.4, NAN, NAN])
    np.testing.assert_array_equal(found["high_count"], [NAN, NAN, 0.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.0])
    apart = outputs("equal_swings(1, 1, 0.001)", bars)
    assert np.isnan(apart["high"]).all()


# A swing low at 3 in row 1, known in row 2; row 4 trades at 2.5.
STOPS = [(8.0, 5.0, 6.0), (8.0, 3.0, 5.0), (8.0, 5.0, 6.0), (8.0, 4.0, 4.5)]


@pytest.mark.parametrize(
    ("rows", "within", "event", "extreme"),
    [
        ([(8.0, 2.5, 3.5), (8.0, 2.0, 4.0)], 1, {4: 1.0}, 2.5),  # in one bar, and a level is swept once
        ([(8.0, 2.5, 2.8), (8.0, 2.6, 3.5)], 2, {5: 1.0}, 2.5),  # a bar later; the extreme is that of both
        ([(8.0, 2.5, 2.8), (8.0, 2.2, 3.5)], 2, {5: 1.0}, 2.2),
        ([(8.0, 2.5, 2.8), (8.0, 2.6, 3.5)], 1, {}, NAN),  # too late: a break
        ([(8.0, 3.0, 3.5), (8.0, 3.0, 3.5)], 3, {}, NAN),  # touched, not swept
        ([(8.0, 2.5, 3.0), (8.0, 4.0, 5.0)], 1, {}, NAN),  # closed at the level, not above it
    ],
)
def test_stops_below_a_swing_are_run_and_the_level_reclaimed(
    rows: list[tuple[float, float, float]], within: int, event: dict[int, float], extreme: float
) -> None:
    """And the same upside down."""
    bars = chart(*STOPS, *rows)
    wanted = np.array([NAN, NAN, *(event.get(row, 0.0) for row in range(2, 6))])
    for sign, market in ((1.0, bars), (-1.0, mirrored(bars))):
        found = outputs(f"sweep(1, 1, {within})", market)
        np.testing.assert_array_equal(found["event"], sign * wanted)
        for row in event:
            assert found["level"][row] == (3.0 if sign > 0 else TOP - 3.0)
            assert found["extreme"][row] == (extreme if sign > 0 else TOP - extreme)
        quiet = np.nan_to_num(wanted) == 0.0
        assert np.isnan(found["level"][quiet]).all()
        assert np.isnan(found["extreme"][quiet]).all()


def test_every_sweep_of_a_recorded_market_is_one(shared: Path) -> None:
    """A month of minutes: each event has traded beyond a swing that was confirmed before and closed back, at once; the
    extreme is the bar's own; and both sides are hunted some hundreds of times."""
    table = pl.read_ipc(shared / "market-swarm/BTC_USDT_USDT-1m-futures.feather")
    bars = {name: table[name].to_numpy() for name in ("high", "low", "close")}
    found, swing = outputs("sweep(3, 3, 1)", bars), outputs("swing(3, 3)", bars)
    for sign, side in ((1.0, "low"), (-1.0, "high")):
        rows = np.flatnonzero(found["event"] == sign)
        level, extreme = found["level"][rows], found["extreme"][rows]
        assert len(rows) > 300
        assert (level == swing[side][rows - 1]).all()
        assert (sign * (bars["close"][rows] - level) > 0.0).all()
        assert (sign * (level - extreme) > 0.0).all()
        assert (extreme == bars[side][rows]).all()


def test_a_bar_that_reclaims_both_sides_says_nothing() -> None:
    """Swing low 3 and swing high 9 in row 1; row 3 runs the stops of both and closes between."""
    bars = chart((8.0, 5.0, 6.0), (9.0, 3.0, 5.0), (8.0, 5.0, 6.0), (10.0, 2.0, 5.0), (10.5, 1.0, 5.0))
    np.testing.assert_array_equal(outputs("sweep(1, 1, 1)", bars)["event"], [NAN, NAN, 0.0, 0.0, 0.0])


def test_swings_stay_open_until_a_bar_trades_beyond_them() -> None:
    """Peaks of 14.5, 17.5 and 19.5: a high of 15.5 in row 9 takes the first, 18.5 in row 18 the second. The lows of
    11.5 and 13.5 are below the market until row 26, whose low of 11.5 runs the younger and touches the older."""
    found = outputs("open_swings(2, 2)", RISING)
    np.testing.assert_array_equal(
        found["high_1"], [NAN] * 6 + [14.5] * 3 + [NAN] * 4 + [17.5] * 5 + [NAN] * 3 + [19.5] * 6
    )
    np.testing.assert_array_equal(found["low_1"], [NAN] * 8 + [11.5] * 8 + [13.5] * 9 + [11.5] * 2)
    np.testing.assert_array_equal(found["low_2"], [NAN] * 16 + [11.5] * 9 + [NAN] * 2)
    assert np.isnan(found["high_2"]).all()


@given(prices, st.integers(1, 3), st.integers(1, 3))
def test_open_swings_by_their_definition(rows: list[tuple[int, int, int]], left: int, right: int) -> None:
    """For every row: all bars that stood above their neighbours and no bar has passed since, the youngest first."""
    bars = drawn(rows)
    found = outputs(f"open_swings({left}, {right})", bars)
    for name, sign, values in (("high", 1.0, bars["high"]), ("low", -1.0, -bars["low"])):
        before: list[float] = []
        for row in range(len(values)):
            open_ones = [
                values[bar]
                for bar in range(row - right, left - 1, -1)
                if values[bar] > values[bar - left : bar].max() and values[bar] >= values[bar + 1 : row + 1].max()
            ]
            wanted = [sign * value for value in open_ones[:3]]
            got = [found[f"{name}_{place}"][row] for place in (1, 2, 3)]
            np.testing.assert_equal(got, wanted + [NAN] * (3 - len(wanted)))
            taken = sum(price < values[row] for price in before)
            np.testing.assert_equal(found[f"{name}s_taken"][row], taken if row >= left + right else NAN)
            before = open_ones


def test_of_more_open_swings_than_are_kept_the_oldest_go() -> None:
    """Forty peaks, each lower than the one before: 32 are kept, and a market that climbs through 31 finds one left."""
    highs = np.array([x for peak in range(140, 100, -1) for x in (peak, peak - 1.5)], float)
    bars = {"high": np.append([100.0, *highs], [131.5, 131.9]), "low": np.full(83, 1.0)}
    found = outputs("open_swings(1, 1)", bars)
    np.testing.assert_array_equal([found[f"high_{place}"][80] for place in (1, 2, 3)], [101.0, 102.0, 103.0])
    np.testing.assert_array_equal([found[f"high_{place}"][82] for place in (1, 2)], [132.0, NAN])


def test_a_gap_is_filled_from_the_markets_side() -> None:
    """Highs 10, 14, 18 over lows 8, 10, 15: 10 to 15 was left open. A low of 13 leaves 10 to 13; one of 10 nothing."""
    bars = chart((10.0, 8.0, 9.0), (14.0, 10.0, 14.0), (18.0, 15.0, 17.0), (17.0, 13.0, 14.0), (15.0, 10.0, 12.0))
    found = outputs("fair_value_gap", bars)
    np.testing.assert_array_equal(found["bull_low"], [NAN, NAN, 10.0, 10.0, NAN])
    np.testing.assert_array_equal(found["bull_high"], [NAN, NAN, 15.0, 13.0, NAN])
    assert np.isnan(found["bear_low"]).all()
    np.testing.assert_array_equal(outputs("fair_value_gap(0.5)", bars)["bull_low"], found["bull_low"])
    assert np.isnan(outputs("fair_value_gap(0.51)", bars)["bull_low"]).all()  # 5 is half of 10


@given(prices)
def test_gaps_by_their_definition(rows: list[tuple[int, int, int]]) -> None:
    """For every row, what all later lows have left of every gap so far, the nearest of it."""
    bars = drawn(rows)
    found = outputs("fair_value_gap", bars)
    high, low = bars["high"], bars["low"]
    for row in range(len(high)):
        best = (NAN, NAN)
        for third in range(2, row + 1):
            bottom, top = high[third - 2], min(low[third], low[third + 1 : row + 1].min(initial=np.inf))
            if low[third] > bottom and top > bottom and not best[1] > top:
                best = (bottom, top)
        np.testing.assert_equal(found["bull_high"][row], best[1])
        if not np.isnan(best[1]):
            assert found["bull_low"][row] < best[1]


TOP = 64.0


def mirrored(bars: Bars) -> Bars:
    """The chart upside down."""
    return {"high": TOP - bars["low"], "low": TOP - bars["high"], "close": TOP - bars["close"]}


@given(prices, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_highs_and_lows_are_treated_alike(rows: list[tuple[int, int, int]], left: int, right: int, within: int) -> None:
    """Upside down the same things happen, with the sides exchanged."""
    bars = drawn(rows)
    for spec, pairs, signs in (
        (f"swing({left}, {right})", {"high": "low", "high_age": "low_age"}, ()),
        (f"equal_swings({left}, {right}, 0)", {"high": "low", "high_count": "low_count"}, ()),
        ("fair_value_gap", {"bull_low": "bear_high", "bull_high": "bear_low"}, ()),
        (f"open_swings({left}, {right})", {"high_1": "low_1", "high_3": "low_3", "highs_taken": "lows_taken"}, ()),
        (f"sweep({left}, {right}, {within})", {"level": "level", "extreme": "extreme"}, ("event",)),
        (f"structure_break({left}, {right})", {"level": "level", "change": "change"}, ("event", "direction")),
    ):
        here, there = outputs(spec, bars), outputs(spec, mirrored(bars))
        for one, other in pairs.items():
            same = one.endswith(("age", "count", "change", "taken"))
            np.testing.assert_array_equal(here[one], there[other] if same else TOP - there[other])
            np.testing.assert_array_equal(here[other], there[one] if same else TOP - there[one])
        for name in signs:
            np.testing.assert_array_equal(here[name], -there[name])
