"""Measures of liquidity against their published formulas, by hand or in numpy, and against known markets."""

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from truewind.features import columns

NAN = float("nan")


def one(spec: str, rows: dict) -> np.ndarray:
    return next(iter(columns([spec], rows).values()))


def market(rows: int, seed: int = 1) -> dict[str, np.ndarray]:
    """A random walk with volume of both sides."""
    draw = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.01, rows)))
    volume = draw.exponential(10.0, rows)
    return {
        "close": close,
        "high": close * (1.0 + draw.exponential(0.005, rows)),
        "low": close * (1.0 - draw.exponential(0.005, rows)),
        "volume": volume,
        "quote_volume": volume * close,
        "taker_buy_volume": volume * draw.random(rows),
    }


def test_price_impact_by_hand() -> None:
    """+10 % while bought, −10 % while sold, +1/9 while sold, 0 in balance: means of three 1/10 + 1/10 − 1/9, …"""
    rows = {
        "close": [10.0, 11.0, 9.9, 11.0, 11.0],
        "volume": [1.0, 2.0, 2.0, 2.0, 2.0],
        "taker_buy_volume": [1.0, 2.0, 0.0, 0.5, 1.0],
    }
    found = one("price_impact(3)", rows)
    np.testing.assert_allclose(found[3:], [(0.1 + 0.1 - 1 / 9) / 3, (0.1 - 1 / 9 + 0.0) / 3], rtol=1e-12)
    assert np.isnan(found[:3]).all()


def test_kyle_lambda_by_hand_and_by_numpy() -> None:
    """Changes 2, −1, 1 on signed volumes 4, −2, 1: means 2/3 and 1; Σ(x − x̄)(y − ȳ) = 11 − 2 = 9, Σ(x − x̄)² = 18."""
    rows = {"close": [1.0, 3.0, 2.0, 3.0], "volume": [4.0, 4.0, 4.0, 4.0], "taker_buy_volume": [2.0, 4.0, 1.0, 2.5]}
    assert one("kyle_lambda(3)", rows)[3] == pytest.approx(9 / 18, rel=1e-12)
    rows = market(500)
    found = one("kyle_lambda(50)", rows)
    signed, moved = 2 * rows["taker_buy_volume"] - rows["volume"], np.diff(rows["close"])
    for row in (50, 51, 99, 100, 101, 499):
        slope, _ = np.polyfit(signed[row - 49 : row + 1], moved[row - 50 : row], 1)
        assert found[row] == pytest.approx(slope, rel=1e-9)
    assert np.isnan(found[:50]).all()


def test_kyle_lambda_finds_the_impact_of_a_market_that_has_one() -> None:
    """Each unit bought lifts the price by 0.03, and nothing else moves it."""
    rows = market(300)
    rows["close"] = 1_000.0 + 0.03 * np.cumsum(2 * rows["taker_buy_volume"] - rows["volume"])
    np.testing.assert_allclose(one("kyle_lambda(100)", rows)[100:], 0.03, rtol=1e-9)
    rows["taker_buy_volume"] = rows["volume"] * 0.5  # signed volume never varies
    assert np.isnan(one("kyle_lambda(100)", rows)).all()


def test_amihud_by_hand() -> None:
    """|returns| 0.1 for 1,000, 0.1 for 500; a bar without trades is passed over, though its price counts."""
    rows = {"close": [10.0, 11.0, 9.9, 9.9, 19.8], "quote_volume": [1.0, 1_000.0, 500.0, 0.0, 2_000.0]}
    found = one("amihud(2)", rows)
    np.testing.assert_allclose(found, [NAN, NAN, 1.5e-4, NAN, (2e-4 + 5e-4) / 2], rtol=1e-12)


def test_roll_by_hand() -> None:
    """Prices that bounce between 10 and 11: changes 1, −1, 1, −1, 1. Of the pairs (1, −1), (−1, 1), (1, −1) the means
    are 1/3 and −1/3, the covariance (−3 + 1/3)/2 = −4/3 and the spread 2√(4/3)."""
    found = one("roll_spread(3)", {"close": [10.0, 11.0, 10.0, 11.0, 10.0, 11.0]})
    assert np.isnan(found[:4]).all()
    np.testing.assert_allclose(found[4:], 2 * math.sqrt(4 / 3), rtol=1e-12)


def test_roll_finds_the_spread_of_a_bouncing_market() -> None:
    """A value that walks, traded at ± half a spread of 0.2 with equal chance; no spread, or a trend, gives none."""
    draw = np.random.default_rng(9)
    value = 100.0 + np.cumsum(draw.normal(0.0, 0.02, 40_000))
    price = value + 0.1 * (draw.integers(0, 2, 40_000) * 2 - 1)
    assert one("roll_spread(20000)", {"close": price})[-1] == pytest.approx(0.2, rel=0.02)
    assert np.isnan(one("roll_spread(60)", {"close": np.arange(200.0) ** 2})).all()
    change = np.diff(price)
    wanted = 2 * math.sqrt(-np.cov(change[1:][-500:], change[:-1][-500:])[0, 1])
    assert one("roll_spread(500)", {"close": price})[-1] == pytest.approx(wanted, rel=1e-9)


def slow_corwin_schultz(high: float, low: float, high_before: float, low_before: float, close_before: float) -> float:
    """The paper's equations 10, 14 and 18, with its correction for overnight moves."""
    if low > close_before:
        high, low = high - (low - close_before), close_before
    elif high < close_before:
        high, low = close_before, low + (close_before - high)
    beta = math.log(high / low) ** 2 + math.log(high_before / low_before) ** 2
    gamma = math.log(max(high, high_before) / min(low, low_before)) ** 2
    constant = 3 - 2 * math.sqrt(2)
    alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / constant - math.sqrt(gamma / constant)
    return max(0.0, 2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha)))


def test_corwin_schultz_by_its_equations(shared: Path) -> None:
    """On random bars and on a year of recorded ones, gaps above and below the last close included."""
    recorded = pl.read_ipc(shared / "genetrader" / "BTC_USDT-1d.feather")
    for rows in (market(400), {name: recorded[name].to_numpy() for name in ("high", "low", "close")}):
        high, low, close = (rows[name].tolist() for name in ("high", "low", "close"))
        pairs = [
            slow_corwin_schultz(high[i], low[i], high[i - 1], low[i - 1], close[i - 1]) for i in range(1, len(high))
        ]
        for length in (1, 21):
            found = one(f"corwin_schultz({length})", rows)
            wanted = np.convolve(pairs, np.ones(length) / length, "valid")
            assert np.isnan(found[:length]).all()
            np.testing.assert_allclose(found[length:], wanted, rtol=1e-9, atol=1e-15)


def test_corwin_schultz_of_a_spread_and_no_volatility() -> None:
    """Where only the bounce makes the range, high/low of one bar and of two are the same, and S is the spread: with
    ln(H/L) = s: β = 2s², γ = s², α = s(2 − √2 − 1)/(3 − 2√2)… = s, and 2 tanh(s/2) = 2(H − L)/(H + L)."""
    rows = {"high": np.full(10, 101.0), "low": np.full(10, 99.0), "close": np.full(10, 100.0)}
    np.testing.assert_allclose(one("corwin_schultz(3)", rows)[3:], 2 * (101 - 99) / (101 + 99), rtol=1e-9)


def test_vpin_by_hand() -> None:
    """Buckets of 10. Bars: 6 units all bought; 8 half bought, of which 4 fill the first bucket (6 + 0 of 10) and 4
    begin the second; 36 all sold: 6 fill the second (−6), three more are full (−10 each), nothing is left over."""
    rows = {"volume": [6.0, 8.0, 36.0, 0.0, 5.0], "taker_buy_volume": [6.0, 4.0, 0.0, 0.0, 5.0]}
    np.testing.assert_allclose(one("vpin(1, 10)", rows), [NAN, 0.6, 1.0, 1.0, 1.0], rtol=1e-12)
    np.testing.assert_allclose(one("vpin(5, 10)", rows)[2:], [(6 + 6 + 30) / 50] * 3, rtol=1e-12)
    assert np.isnan(one("vpin(6, 10)", rows)).all()


def test_vpin_of_volume_bars_is_a_ratio_of_sums() -> None:
    """Bars of exactly one bucket each: Σ|2 b − v| / Σv over the last 20."""
    draw = np.random.default_rng(5)
    bought = draw.random(200) * 64.0
    found = one("vpin(20, 64)", {"volume": np.full(200, 64.0), "taker_buy_volume": bought})
    wanted = np.convolve(np.abs(2 * bought - 64.0), np.ones(20), "valid") / (20 * 64.0)
    np.testing.assert_allclose(found[19:], wanted, rtol=1e-12)


def test_vpin_does_not_depend_on_how_volume_is_cut_into_bars() -> None:
    """A bar, and the same bar as four with the same share of buyers, fill the same buckets."""
    draw = np.random.default_rng(6)
    volume, share = draw.exponential(30.0, 300), draw.random(300)
    whole = one("vpin(10, 50)", {"volume": volume, "taker_buy_volume": volume * share})
    quarters = np.repeat(volume / 4, 4)
    cut = one("vpin(10, 50)", {"volume": quarters, "taker_buy_volume": quarters * np.repeat(share, 4)})[3::4]
    np.testing.assert_allclose(cut, whole, rtol=1e-9)
    assert np.isfinite(whole[-1])
