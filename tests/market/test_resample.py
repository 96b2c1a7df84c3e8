"""Longer bars are exactly what the venue would have printed."""

import io
import zipfile

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from market.samples import MINUTE_US, START_US, make_bars
from truewind.errors import ConfigError, ValidationError
from truewind.market.resample import resample

PRICES = ["open", "high", "low", "close"]
TS = pl.Datetime("us", "UTC")


def feather(path) -> pl.DataFrame:
    return pl.read_ipc(path).select(pl.col("date").cast(TS).alias("ts"), *PRICES, "volume")


def gravestone(shared, timeframe: str, symbol: str) -> pl.DataFrame:
    with zipfile.ZipFile(shared / "gravestone" / f"usdm_klines_{timeframe}.zip") as archive:
        data = archive.read(f"{timeframe}/{symbol}.csv")
    table = pl.read_csv(io.BytesIO(data), infer_schema_length=None)
    return table.select(
        (pl.col("timestamp") * 1000).cast(TS).alias("ts"),
        pl.col(*PRICES, "volume", "quote_volume", "trades").cast(float),
    )


def assert_same(found: pl.DataFrame, wanted: pl.DataFrame) -> None:
    """Prices and counts to the bit, volumes to the rounding of a sum."""
    exact = [name for name in ("ts", *PRICES, "trades") if name in wanted.columns]
    assert_frame_equal(found.select(exact), wanted.select(exact))
    assert_frame_equal(found.select("volume"), wanted.select("volume"), rel_tol=1e-12, abs_tol=1e-9)


@pytest.mark.parametrize("symbol", ["BTC", "ETH", "SOL"])
def test_recorded_5m_bars_make_the_recorded_1h_bars(shared, symbol):
    """genetrader: all complete hours agree (README, note 19)."""
    made = resample(feather(shared / "genetrader" / f"{symbol}_USDT-5m.feather"), "5m", "1h")
    own = feather(shared / "genetrader" / f"{symbol}_USDT-1h.feather")
    both = own.filter(pl.col("ts") <= made["ts"][-1])
    assert both.height > 5_900
    assert_same(made.filter(pl.col("ts") <= own["ts"][-1]), both)


@pytest.mark.parametrize("symbol", ["BTC", "ETH", "SOL"])
def test_recorded_1m_bars_make_the_recorded_5m_bars(shared, symbol):
    """market-swarm: the 1m bars begin at 10:33, so the 5m bar of 10:30 is left out, and 10:35 is the first of both."""
    made = resample(feather(shared / "market-swarm" / f"{symbol}_USDT_USDT-1m-futures.feather"), "1m", "5m")
    own = feather(shared / "market-swarm" / f"{symbol}_USDT_USDT-5m-futures.feather")
    assert made["ts"][0] == own["ts"][0]
    assert made.height >= own.height - 1
    last = min(made["ts"][-1], own["ts"][-1])
    assert_same(made.filter(pl.col("ts") <= last), own.filter(pl.col("ts") <= last))


@pytest.mark.parametrize(("source", "target"), [("1h", "4h"), ("4h", "1d"), ("1h", "1d")])
def test_complete_recorded_futures_bars_agree_over_three_timeframes(shared, source, target):
    """gravestone BTC: all but the bar that was fetched before it was over (README, note 7)."""
    made = resample(gravestone(shared, source, "BTCUSDT"), source, target)
    own = gravestone(shared, target, "BTCUSDT")
    assert_same(made.head(-1), own.filter(pl.col("ts").is_between(made["ts"][0], made["ts"][-2])))
    assert made.height > 180


def test_a_resampled_bar_by_hand():
    bars = make_bars(3)
    made = resample(bars, "1m", "3m")
    assert made["ts"].to_list() == [bars["ts"][0]]
    assert made["open"][0] == bars["open"][0]
    assert made["close"][0] == bars["close"][2]
    assert made["high"][0] == max(bars["high"])
    assert made["low"][0] == min(bars["low"])
    assert made["trades"][0] == sum(bars["trades"])
    assert made.columns == bars.columns


@given(st.integers(1, 400), st.integers(0, 60), st.sampled_from(["3m", "5m", "15m", "1h"]))
def test_only_buckets_that_the_data_cover_to_both_edges_are_given(rows, shift, target):
    """Over consecutive bars every bucket given holds all of its bars, and no complete one is left out."""
    bars = make_bars(rows, start_us=START_US + shift * MINUTE_US)
    made = resample(bars, "1m", target, counts=True)
    step = {"3m": 3, "5m": 5, "15m": 15, "1h": 60}[target]
    first = -(-shift // step)
    last = (shift + rows) // step
    assert made.height == max(0, last - first)
    assert (made["bars"] == step).all()


@given(st.sets(st.integers(0, 59), min_size=1, max_size=60))
def test_holes_inside_a_bucket_keep_the_bar_and_show_in_the_count(present):
    """A bar with both edge minutes there is given however many are missing between them."""
    bars = make_bars(60)[sorted(present | {0, 59})]
    made = resample(bars, "1m", "1h", counts=True)
    assert made["bars"].to_list() == [bars.height]
    assert made["volume"][0] == pytest.approx(sum(bars["volume"]), rel=1e-12)


@given(st.integers(2, 200), st.integers(0, 100))
def test_two_steps_are_one(rows, shift):
    """1m → 5m → 15m gives the bars of 1m → 15m, wherever both are given."""
    bars = make_bars(rows, start_us=START_US + shift * MINUTE_US)
    direct = resample(bars, "1m", "15m")
    twice = resample(resample(bars, "1m", "5m"), "5m", "15m")
    assert_frame_equal(twice, direct, rel_tol=1e-12)


def test_a_sum_with_an_unknown_part_is_unknown():
    bars = make_bars(10).with_columns(quote_volume=pl.when(pl.int_range(10) != 7).then("quote_volume"))
    assert resample(bars, "1m", "5m")["quote_volume"].is_null().to_list() == [False, True]


def test_weeks_open_on_monday():
    bars = make_bars(21, step_us=1440 * MINUTE_US)  # from Monday 2024-01-01
    made = resample(bars, "1d", "1w")
    assert [ts.isoformat()[:10] for ts in made["ts"]] == ["2024-01-01", "2024-01-08", "2024-01-15"]


def test_what_is_no_multiple_is_refused():
    for source, target in (("5m", "1m"), ("3m", "5m"), ("1w", "1d"), ("3d", "1w")):
        with pytest.raises(ConfigError, match="cannot be made"):
            resample(make_bars(10), source, target)


def test_unsorted_and_repeated_and_off_grid_bars_are_refused():
    bars = make_bars(10)
    shifted = bars.with_columns(pl.col("ts") + pl.duration(seconds=1))
    for wrong in (bars.reverse(), pl.concat([bars, bars]).sort("ts"), shifted):
        with pytest.raises(ValidationError, match="2024-01-01"):
            resample(wrong, "1m", "5m")


def test_one_timeframe_to_itself_changes_nothing():
    bars = make_bars(10)
    assert_frame_equal(resample(bars, "1m", "1m"), bars)
