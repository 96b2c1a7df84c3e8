"""Trend features that TA-Lib lacks, against their formulas in numpy or charts small enough for a pencil."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import talib

from truewind.features import columns

Bars = dict[str, np.ndarray]


def market(rows: int = 600, seed: int = 3) -> Bars:
    draw = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(draw.normal(0.0, 0.02, rows)))
    spread = draw.exponential(0.01, (2, rows))
    return {
        "close": close,
        "high": close * (1.0 + spread[0]),
        "low": close * (1.0 - spread[1]),
        "volume": draw.exponential(5.0, rows),
    }


def one(spec: str, bars: Bars) -> np.ndarray:
    (values,) = columns([spec], bars).values()
    return values


def over(values: np.ndarray, length: int, reduce: Callable[..., np.ndarray]) -> np.ndarray:
    """`reduce` of every window of `length` values, NaN before the first."""
    windows = np.lib.stride_tricks.sliding_window_view(values, length)
    return np.concatenate([np.full(length - 1, np.nan), reduce(windows, axis=1)])


def equal(found: np.ndarray, expected: np.ndarray, slack: float = 1e-12) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=slack)


@pytest.mark.parametrize("length", [2, 9, 16, 55])
def test_hma_is_its_formula_in_weighted_averages(length: int) -> None:
    """TA-Lib's WMA where it has one; a mean of one value is that value."""
    close = market()["close"]

    def weighted(values: np.ndarray, n: int) -> np.ndarray:
        return talib.WMA(values, n) if n > 1 else values

    twice = 2.0 * weighted(close, length // 2) - weighted(close, length)
    equal(one(f"hma({length})", market()), weighted(twice, int(math.sqrt(length))))


def test_vwma_weighs_by_volume_and_is_nothing_without_any() -> None:
    """By hand: (10·1 + 20·3) / 4 = 17.5; two bars without trades leave the second window empty."""
    bars = {"close": np.array([10.0, 20.0, 30.0, 40.0]), "volume": np.array([1.0, 3.0, 0.0, 0.0])}
    np.testing.assert_array_equal(one("vwma(2)", bars), [np.nan, 17.5, 20.0, np.nan])
    bars = market()
    money, traded = (over(values, 20, np.sum) for values in (bars["close"] * bars["volume"], bars["volume"]))
    equal(one("vwma(20)", bars), money / traded)


def test_distance_is_relative_to_the_average_and_exactly_zero_in_a_flat_market() -> None:
    close = market()["close"]
    equal(one("distance(20)", market()), close / over(close, 20, np.mean) - 1.0)
    flat = one("distance(20)", {"close": np.full(60, 0.1)})
    assert (flat[19:] == 0.0).all()


def test_crossings_by_hand() -> None:
    """Means of 1 and 2 rows: the fast one is above while the price rises. A touch from above (5, 5) is no crossing, the
    first row with both means is none either, and a flat market, whose sums would differ in the last bit, has none."""
    close = np.array([1.0, 2.0, 3.0, 2.0, 1.0, 2.0, 5.0, 5.0, 6.0, 4.0])
    expected = [np.nan, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    np.testing.assert_array_equal(one("crossover(1, 2)", {"close": close}), expected)
    assert (one("crossover(5, 20)", {"close": np.full(90, 0.1)})[19:] == 0.0).all()


@pytest.mark.parametrize(("fast", "slow"), [(5, 20), (20, 5), (3, 50)])
def test_crossings_are_the_changes_of_side(fast: int, slow: int) -> None:
    close = market(3_000)["close"]
    side = np.sign(over(close, fast, np.mean) - over(close, slow, np.mean))
    before = np.concatenate([[np.nan], side[:-1]])
    expected = np.where(np.isnan(side), np.nan, np.where(~np.isnan(before) & (side != before), side, 0.0))
    np.testing.assert_array_equal(one(f"crossover({fast}, {slow})", {"close": close}), expected)


def test_trend_strength_is_kaufmans_ratio_with_its_sign() -> None:
    """A rise without a step back is 1; up 1, down 3 is a net −2 on a way of 4; flat has none."""
    close = np.array([1.0, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(one("trend_strength(2)", {"close": close}), [np.nan, np.nan, 1, 1, -0.5, -1, np.nan])
    moves = np.diff(market()["close"])
    ratio = over(moves, 14, np.sum) / over(abs(moves), 14, np.sum)
    equal(one("trend_strength(14)", market()), np.concatenate([[np.nan], ratio]))


@pytest.mark.parametrize(("length", "width"), [(10, 3.0), (1, 0.5), (7, 1.0)])
def test_supertrend_follows_the_published_rules(length: int, width: float) -> None:
    """The rules of the charting language, written over whole columns of TA-Lib's ATR."""
    bars = market()
    high, low, close = bars["high"], bars["low"], bars["close"]
    mean = talib.ATR(high, low, close, length)
    upper, lower = (high + low) / 2 + width * mean, (high + low) / 2 - width * mean
    line, side = np.full((2, len(close)), np.nan)
    for t in range(length, len(close)):
        if t > length:
            lower[t] = lower[t] if lower[t] > lower[t - 1] or close[t - 1] < lower[t - 1] else lower[t - 1]
            upper[t] = upper[t] if upper[t] < upper[t - 1] or close[t - 1] > upper[t - 1] else upper[t - 1]
        if t == length:
            side[t] = -1
        elif line[t - 1] == upper[t - 1]:
            side[t] = 1 if close[t] > upper[t] else -1
        else:
            side[t] = -1 if close[t] < lower[t] else 1
        line[t] = lower[t] if side[t] > 0 else upper[t]
    found = columns([f"supertrend({length}, {width})"], bars)
    equal(found[f"supertrend_{length}_{width:g}.line"], line)
    np.testing.assert_array_equal(found[f"supertrend_{length}_{width:g}.direction"], side)
    assert {-1.0, 1.0} <= set(side)


def test_departures_from_ta_lib_where_nothing_has_moved() -> None:
    """TA-Lib writes 0 for 0/0; here it is no value."""
    flat = np.full(60, 7.0)
    bars = {"high": flat, "low": flat, "close": flat}
    assert (talib.ADX(flat, flat, flat, 14)[27:] == 0.0).all()
    for spec in ("adx(14)", "dmi(14)", "cci(20)", "stochastic(14, 3, 3)", "williams_r(14)", "ultimate(7, 14, 28)"):
        for values in columns([spec], bars).values():
            assert np.isnan(values).all(), spec
    assert (one("kama(10)", bars)[10:] == 7.0).all()
    assert (one("wma(10)", bars)[9:] == 7.0).all()


@pytest.mark.parametrize("length", [2, 3, 14, 100])
def test_lines_are_those_of_least_squares(length: int) -> None:
    """numpy's polynomial fit through each window: the slope, the line at the last row, and the squared correlation."""
    close = market()["close"]
    found = columns([f"linreg({length})"], {"close": close})
    slope, start = np.polyfit(np.arange(length), np.lib.stride_tricks.sliding_window_view(close, length).T, 1)
    equal(found[f"linreg_{length}.slope"][length - 1 :], slope, 1e-11)
    equal(found[f"linreg_{length}.value"][length - 1 :], start + slope * (length - 1))
    squared = over(
        close, length, lambda rows, axis: np.array([np.corrcoef(range(length), row)[0, 1] ** 2 for row in rows])
    )
    equal(found[f"linreg_{length}.r2"], squared, 1e-9)


def test_lines_of_a_market_far_from_zero_keep_their_digits() -> None:
    """A price of 1e9 that rises by 0.5 a row: sums of squares would leave no digit of the fit."""
    found = columns(["linreg(20)"], {"close": 1e9 + 0.5 * np.arange(200)})
    assert (found["linreg_20.slope"][19:] == 0.5).all()
    assert (found["linreg_20.r2"][19:] == 1.0).all()
    assert np.isnan(columns(["linreg(20)"], {"close": np.full(50, 0.1)})["linreg_20.r2"]).all()


def test_ichimoku_draws_its_cloud_ahead() -> None:
    """Middles of extremes by numpy; the spans stand base − 1 rows later."""
    bars = market()
    found = columns(["ichimoku(9, 26, 52)"], bars)

    def middle(length: int) -> np.ndarray:
        return (over(bars["high"], length, np.max) + over(bars["low"], length, np.min)) / 2

    def later(values: np.ndarray) -> np.ndarray:
        return np.concatenate([np.full(25, np.nan), values[:-25]])

    equal(found["ichimoku_9_26_52.conversion"], middle(9))
    equal(found["ichimoku_9_26_52.base"], middle(26))
    equal(found["ichimoku_9_26_52.span_a"], later((middle(9) + middle(26)) / 2))
    equal(found["ichimoku_9_26_52.span_b"], later(middle(52)))


def test_divergence_is_the_rsi_left_behind_at_a_new_extreme() -> None:
    """TA-Lib's RSI and numpy's extremes of the rows before."""
    close = market()["close"]
    rsi = talib.RSI(close, 14)

    def before(values: np.ndarray, reduce: Callable[..., np.ndarray]) -> np.ndarray:
        return np.concatenate([[np.nan], over(values, 20, reduce)[:-1]])

    expected = np.where(np.isnan(before(rsi, np.max)), np.nan, 0.0)
    short = (close > before(close, np.max)) & (rsi < before(rsi, np.max))
    long = (close < before(close, np.min)) & (rsi > before(rsi, np.min))
    expected[short] = (rsi - before(rsi, np.max))[short]
    expected[long] = (rsi - before(rsi, np.min))[long]
    equal(one("divergence(14, 20)", market()), expected, 1e-9)
    assert short.any()
    assert long.any()


@pytest.mark.parametrize("length", [20, 200])
def test_hurst_is_the_growth_of_moves_with_their_time(length: int) -> None:
    """numpy's fit through the five points of each row; a steady rise moves in proportion to time: 1."""
    level = np.log(market()["close"])
    lags = np.array([1, 2, 4, 8, 16])
    squares = [np.concatenate([np.full(lag, np.nan), (level[lag:] - level[:-lag]) ** 2]) for lag in lags]
    means = np.array([over(values, length, np.mean) for values in squares])
    expected = np.full(len(level), np.nan)
    expected[length + 15 :] = np.polyfit(np.log(lags), np.log(means[:, length + 15 :]), 1)[0] / 2
    equal(one(f"hurst({length})", market()), expected, 1e-9)
    rise = one("hurst(20)", {"close": 1.01 ** np.arange(100)})
    np.testing.assert_allclose(rise[35:], 1.0, rtol=1e-9)
    walks = [one("hurst(1000)", market(1_016, seed))[-1] for seed in range(40)]
    assert abs(np.mean(walks) - 0.5) < 0.03
