"""Momentum features that TA-Lib lacks."""

import numpy as np
import talib

from truewind.features import columns


def test_tsi_is_a_ratio_of_means_smoothed_twice() -> None:
    """TA-Lib's EMA, seeded by means too, over the changes and their sizes."""
    close = 50.0 + np.cumsum(np.random.default_rng(1).normal(0.0, 1.0, 400))
    moves = np.diff(close)

    def twice(values: np.ndarray) -> np.ndarray:
        once = talib.EMA(values, 25)
        again = talib.EMA(once[24:], 13)
        return np.concatenate([np.full(25, np.nan), again])

    found = columns(["tsi(25, 13)"], {"close": close})["tsi_25_13"]
    np.testing.assert_allclose(found, 100.0 * twice(moves) / twice(abs(moves)), rtol=1e-9, atol=1e-10)


def test_an_unbroken_rise_is_the_strongest_and_a_still_market_has_no_strength() -> None:
    rise = columns(["tsi(5, 3)"], {"close": np.arange(1.0, 30.0)})["tsi_5_3"]
    np.testing.assert_allclose(rise[7:], 100.0, rtol=1e-12)
    assert np.isnan(columns(["tsi(5, 3)"], {"close": np.full(30, 2.0)})["tsi_5_3"]).all()


def test_the_stochastic_leaves_bars_without_a_range_out_of_its_means() -> None:
    """By hand, range of 1 bar, means of 2: places 50, 100, none, 0, so k is 75 and then (100 + 0) / 2."""
    bars = {
        "high": np.array([2.0, 2.0, 1.0, 2.0]),
        "low": np.array([1.0, 1.0, 1.0, 1.0]),
        "close": np.array([1.5, 2.0, 1.0, 1.0]),
    }
    found = columns(["stochastic(1, 2, 1)"], bars)["stochastic_1_2_1.k"]
    np.testing.assert_array_equal(found, [np.nan, 75.0, np.nan, 50.0])
