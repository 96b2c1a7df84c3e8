"""Trend features that TA-Lib lacks, against their formulas in numpy and pandas or charts small enough for a pencil."""

import math

import numpy as np
import pandas as pd
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


def equal(found: np.ndarray, expected: np.ndarray | pd.Series, slack: float = 1e-12) -> None:
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-9, atol=slack)


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
    money, traded = (pd.Series(values).rolling(20).sum() for values in (bars["close"] * bars["volume"], bars["volume"]))
    equal(one("vwma(20)", bars), money / traded)


def test_distance_is_relative_to_the_average_and_exactly_zero_in_a_flat_market() -> None:
    close = market()["close"]
    equal(one("distance(20)", market()), close / pd.Series(close).rolling(20).mean() - 1.0)
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
    close = pd.Series(market(3_000)["close"])
    side = np.sign(close.rolling(fast).mean() - close.rolling(slow).mean())
    expected = np.where(side.isna(), np.nan, np.where(side.shift().notna() & (side != side.shift()), side, 0.0))
    np.testing.assert_array_equal(one(f"crossover({fast}, {slow})", {"close": close.to_numpy()}), expected)


def test_trend_strength_is_kaufmans_ratio_with_its_sign() -> None:
    """A rise without a step back is 1; up 1, down 3 is a net −2 on a way of 4; flat has none."""
    close = np.array([1.0, 2.0, 3.0, 4.0, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(one("trend_strength(2)", {"close": close}), [np.nan, np.nan, 1, 1, -0.5, -1, np.nan])
    moves = pd.Series(market()["close"]).diff()
    equal(one("trend_strength(14)", market()), moves.rolling(14).sum() / moves.abs().rolling(14).sum())


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
