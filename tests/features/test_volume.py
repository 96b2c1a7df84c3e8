"""Volume: against TA-Lib, against polars, and by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from truewind.features import columns
from truewind.features.checks import sample_bars

Bars = dict[str, np.ndarray]
RECORDED = ("genetrader/BTC_USDT-1h.feather", "market-swarm/DOGE_USDT_USDT-1m-futures.feather")
HIGH_TO_VOLUME = ("high", "low", "close", "volume")


def fields(bars: Bars, names: tuple[str, ...] = HIGH_TO_VOLUME) -> list[np.ndarray]:
    return [bars[name] for name in names]


PEERS: dict[str, Callable[[Bars], np.ndarray]] = {
    "obv": lambda bars: talib.OBV(*fields(bars, ("close", "volume"))),
    "volume_roc(7)": lambda bars: talib.ROC(bars["volume"], 7),
    "mfi(14)": lambda bars: talib.MFI(*fields(bars), 14),
    "mfi(2)": lambda bars: talib.MFI(*fields(bars), 2),
    "ad": lambda bars: talib.AD(*fields(bars)),
    "chaikin(3, 10)": lambda bars: talib.ADOSC(*fields(bars), 3, 10),
    "chaikin(21, 4)": lambda bars: talib.ADOSC(*fields(bars), 21, 4),
}


def agree(spec: str, bars: Bars) -> None:
    """Where nothing moved TA-Lib writes 0 for 0/0. Its sums of money leave residues, of which 1e-10 of 100 are allowed
    for; an oscillator is as exact as the lines whose difference it is."""
    (ours,) = columns([spec], bars).values()
    theirs = PEERS[spec](bars)
    if not spec.startswith(("ad", "obv", "chaikin")):
        theirs = np.where((theirs == 0.0) & np.isnan(ours), np.nan, theirs)
    slack = {"mfi": 1e-10, "cha": 1e-13 * np.max(np.abs(talib.AD(*fields(bars))))}.get(spec[:3], 0.0)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=slack)


@pytest.mark.parametrize("spec", PEERS)
def test_equal_to_ta_lib_on_a_made_up_market(spec: str) -> None:
    """Flat and untraded rows included, and data that just suffice."""
    for rows in (2_000, 40, 22, 15, 3, 1):
        agree(spec, sample_bars(rows, HIGH_TO_VOLUME))


@pytest.mark.parametrize("file", RECORDED)
def test_equal_to_ta_lib_on_recorded_bars(shared: Path, file: str) -> None:
    table = pl.read_ipc(shared / file)
    for spec in PEERS:
        agree(spec, {name: table[name].to_numpy() for name in HIGH_TO_VOLUME})


def test_a_typical_price_that_differs_by_rounding_has_not_moved() -> None:
    """0.14 + 0.10 + 0.11 and 0.13 + 0.10 + 0.12 differ in their last bits: of what moved, all rose in the third row."""
    bars = {"high": [0.14, 0.13, 0.3], "low": [0.1, 0.1, 0.3], "close": [0.11, 0.12, 0.3], "volume": [1.0, 9.0, 1.0]}
    assert (0.14 + 0.1 + 0.11) / 3.0 != (0.13 + 0.1 + 0.12) / 3.0
    assert columns(["mfi(2)"], bars)["mfi_2"][2] == 100.0


def test_chaikin_money_flow_by_hand() -> None:
    """Closes at the high, in the middle and at a quarter: +10, 0 and −½ · 30 = −15 of 60 traded are −1/12."""
    bars = {"high": [2.0, 2.0, 4.0], "low": [1.0, 0.0, 0.0], "close": [2.0, 1.0, 1.0], "volume": [10.0, 20.0, 30.0]}
    found = columns(["chaikin_flow(3)"], bars)["chaikin_flow_3"]
    np.testing.assert_allclose(found, [np.nan, np.nan, -1.0 / 12.0], rtol=1e-15)


def hourly(rows: int, first: int = 0) -> Bars:
    """An hourly market from 2024-01-01 on, or `first` hours later."""
    bars = sample_bars(rows, HIGH_TO_VOLUME)
    return {"ts": 1_704_067_200e6 + 3_600e6 * np.arange(first, first + rows), **bars}


def by_day(bars: Bars, start: int) -> np.ndarray:
    """VWAP of sessions as polars sums it up."""
    typical = (pl.col("high") + pl.col("low") + pl.col("close")) / 3.0
    session = (pl.col("ts").cast(pl.Int64) - start * 60_000_000) // 86_400_000_000
    money = (typical * pl.col("volume")).cum_sum().over(session)
    return pl.DataFrame(bars).select(money / pl.col("volume").cum_sum().over(session)).to_series().to_numpy()


@pytest.mark.parametrize("start", [0, 60, 870])
def test_the_session_vwap_begins_anew_each_day(start: int) -> None:
    """Against polars; the day on which the data begin has no value unless they begin with it."""
    bars = hourly(500)
    found = columns([f"vwap({start})"], bars)[f"vwap_{start}"]
    expected = by_day(bars, start)
    missing = 0 if start == 0 else -(-start // 60)  # the session of the day before is seen from its last hours only
    assert np.isnan(found[:missing]).all()
    np.testing.assert_allclose(found[missing:], expected[missing:], rtol=1e-12)


def test_the_rolling_vwap_is_that_of_the_window() -> None:
    bars = hourly(300)
    typical = pl.Series((bars["high"] + bars["low"] + bars["close"]) / 3.0)
    money, traded = (typical * bars["volume"]).rolling_sum(24), pl.Series(bars["volume"]).rolling_sum(24)
    expected = (money / traded).to_numpy()
    found = columns(["rolling_vwap(24)"], bars)["rolling_vwap_24"]
    traded_none = np.array([total is not None and total < 1e-9 for total in traded])
    assert np.isnan(found[traded_none]).all()
    np.testing.assert_allclose(found[~traded_none], expected[~traded_none], rtol=1e-9)


def test_the_anchored_vwap_knows_all_since_the_anchor_or_says_nothing() -> None:
    """From the eleventh hour on the mean of what was traded; data that begin later never have it."""
    anchor = 1_704_067_200 + 10 * 3_600
    name = f"anchored_vwap_{anchor}"
    bars = hourly(60)
    found = columns([f"anchored_vwap({anchor})"], bars)[name]
    typical = (bars["high"] + bars["low"] + bars["close"]) / 3.0
    money = np.cumsum((typical * bars["volume"])[10:]) / np.cumsum(bars["volume"][10:])
    assert np.isnan(found[:10]).all()
    np.testing.assert_allclose(found[10:], money, rtol=1e-12)
    assert np.isnan(columns([f"anchored_vwap({anchor})"], hourly(60, first=11))[name]).all()
    assert not np.isnan(columns([f"anchored_vwap({anchor})"], hourly(60, first=10))[name]).any()


def test_relative_volume_compares_with_the_same_hour_of_the_days_before() -> None:
    """Against polars: the mean of the last five bars of the hour, shifted by one."""
    bars = hourly(400)
    usual = pl.col("volume").rolling_mean(5).shift(1).over(pl.col("ts").cast(pl.Int64) // 3_600_000_000 % 24)
    expected = pl.DataFrame(bars).select(pl.col("volume") / usual).to_series()
    found = columns(["relative_volume(5, 60)"], bars)["relative_volume_5_60"]
    known = expected.is_finite().fill_null(False).to_numpy()
    assert np.isnan(found[:120]).all()
    np.testing.assert_allclose(found[known], expected.to_numpy()[known], rtol=1e-9)


def test_relative_volume_by_hand() -> None:
    """Twelve-hour bars: mornings of 10 and 20 make 30 twice the usual; evenings of 0 make nothing comparable."""
    bars = {"ts": 43_200e6 * np.arange(6), "volume": [10.0, 0.0, 20.0, 0.0, 30.0, 5.0]}
    found = columns(["relative_volume(2, 720)"], bars)["relative_volume_2_720"]
    np.testing.assert_array_equal(found, [np.nan] * 4 + [2.0, np.nan])


def test_the_profile_by_hand() -> None:
    """Prices 0 to 10 in five buckets of 2. A bar from 0 to 10 lays 2 in each, one from 4 to 8 lays 3 and 3, one that
    stands at 5 lays 6: 2, 2, 11, 5, 2 of 22. The middle bucket leads; 70 % are 15.4, and its upper neighbour makes 16.
    """
    bars = {"high": [10.0, 8.0, 5.0], "low": [0.0, 4.0, 5.0], "volume": [10.0, 6.0, 6.0]}
    found = columns(["volume_profile(3, 5)"], bars)
    assert [found[f"volume_profile_3_5.{name}"][2] for name in ("poc", "low", "high")] == [5.0, 4.0, 8.0]


def shares(high: np.ndarray, low: np.ndarray, volume: np.ndarray, buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """Volume a bucket, and the buckets' edges: every overlap of every bar with every bucket."""
    edges = np.linspace(low.min(), high.max(), buckets + 1)
    upper = np.minimum(high[:, None], edges[None, 1:])
    lower = np.maximum(low[:, None], edges[None, :-1])
    return (volume[:, None] * np.clip(upper - lower, 0.0, None) / (high - low)[:, None]).sum(0), edges


@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(2, 30))
def test_the_profile_leads_at_its_point_of_control_and_holds_its_share(seed: int, length: int, buckets: int) -> None:
    """By its definition, from all overlaps of each window: no bucket has more than that of the point of control; the
    value area holds 70 % and would not without its last bucket. Prices keep to a level, so that ranges last."""
    draw = np.random.default_rng(seed)
    low = 100.0 + draw.normal(0.0, 1.0, 3 * length)
    high, volume = low + draw.exponential(1.0, 3 * length) + 0.01, draw.exponential(5.0, 3 * length)
    found = columns([f"volume_profile({length}, {buckets})"], {"high": high, "low": low, "volume": volume})
    for row in range(length - 1, 3 * length, 3):
        window = slice(row - length + 1, row + 1)
        poc, bottom, top = (found[f"volume_profile_{length}_{buckets}.{name}"][row] for name in ("poc", "low", "high"))
        laid, edges = shares(high[window], low[window], volume[window], buckets)
        centre = int(np.searchsorted(edges, poc)) - 1
        first, last = int(np.argmin(abs(edges - bottom))), int(np.argmin(abs(edges - top)))
        assert laid[centre] >= laid.max() * (1.0 - 1e-6)
        inside = laid[first:last].sum()
        assert first <= centre < last
        assert inside >= 0.7 * laid.sum() * (1.0 - 1e-6)
        if last - first > 1:
            assert inside - max(laid[first], laid[last - 1]) < 0.7 * laid.sum() * (1.0 + 1e-6)
