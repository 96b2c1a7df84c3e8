"""Replay: what a backtest reads of the lake, and what it refuses or warns of."""

import datetime as dt
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from scripted import MINUTE, flat
from truewind import features
from truewind.backtest.data import DataSettings
from truewind.backtest.reads import fields_of, named
from truewind.backtest.replay import replay
from truewind.config import parse
from truewind.domain.clock import parse_ts_us
from truewind.errors import ConfigError, EmptyRangeError, FeatureError, TruewindError, UnknownSeriesError
from truewind.market.importing import import_files
from truewind.storage.schema import SeriesKey

START = parse_ts_us("2024-01-01")
BARS = [flat(100 + i) for i in range(30)]


def settings(**how):
    return parse(DataSettings, {"venue": "test", "symbols": "BTCUSDT", "timeframe": "1m"} | how)


def test_all_there_is(lake, store):
    """Without start and end: every bar, in order, with its times; the snapshot names the data."""
    store("BTCUSDT", BARS, kind="spot")
    source = replay(lake, settings(), {})
    assert len(source.timeline) == 30
    assert source.timeline.times[0].tolist() == [START + i * MINUTE for i in range(30)]
    assert (source.timeline.times[1] - source.timeline.times[0] == MINUTE).all()
    assert source.snapshot.id == lake.snapshot().id
    assert source.warnings == []


def test_start_is_inclusive_and_end_exclusive(lake, store):
    """00:05 to 00:10 are five bars; dates as YAML reads them work too."""
    store("BTCUSDT", BARS, kind="spot")
    source = replay(lake, settings(start="2024-01-01T00:05", end="2024-01-01T00:10"), {})
    assert source.timeline.prices[3].tolist() == [105, 106, 107, 108, 109]
    source = replay(lake, settings(start=dt.date(2024, 1, 1), end=dt.datetime(2024, 1, 1, 0, 3)), {})
    assert len(source.timeline) == 3


def test_features_are_warm_at_the_start_and_the_same_as_without_one(lake, store):
    """A moving average over bars before the start, equal to the one reckoned over all."""
    store("BTCUSDT", BARS, kind="spot")
    whole = replay(lake, settings(), {"mean": "sma(5)"}).timeline.columns["mean"]
    late = replay(lake, settings(start="2024-01-01T00:10"), {"mean": "sma(5)"}).timeline.columns["mean"]
    assert late.tolist() == whole[10:].tolist()
    assert late[0] == 108.0  # closes 106 … 110
    assert np.isnan(whole[:4]).all()


def test_no_feature_looks_ahead(lake, store):
    """The bars after T may be anything: features until T are the same."""
    store("AAA", BARS, kind="spot")
    store("BBB", BARS[:15] + [flat(5)] * 15, kind="spot")
    reads = {"fast": "ema(3)", "top": "highest(4, close)", "range": "atr(3)", "rsi": "rsi(3)"}
    columns = [replay(lake, settings(symbols=name), reads).timeline.columns for name in ("AAA", "BBB")]
    for name in reads:
        assert columns[0][name][:15].tobytes() == columns[1][name][:15].tobytes()


def test_outputs_of_one_feature_are_fields_of_their_own():
    """Bare specs get their column's name."""
    assert named(["ema(20)", "atr(14)"]) == {"ema_20": "ema(20)", "atr_14": "atr(14)"}
    assert named({"fast": "ema(20)"}) == {"fast": "ema(20)"}
    assert list(fields_of({"bands": "bollinger(20, 2)"})) == ["bands_lower", "bands_middle", "bands_upper"]


def test_the_point_of_a_number_does_not_begin_an_output():
    """Whether the feature has several outputs or one."""
    assert list(fields_of({"bands": "bollinger(20, 2.5)"})) == ["bands_lower", "bands_middle", "bands_upper"]
    assert list(fields_of({"wild": "ewma_volatility(0.94)"})) == ["wild"]
    assert list(named(["ewma_volatility(0.94)"])) == ["ewma_volatility_0_94"]


@pytest.mark.parametrize("field", ["close", "volume", "ts", "ts_event", "symbol", "trades"])
def test_a_feature_may_not_hide_a_field_of_the_bar(field, lake, store):
    """Names that a bar has already."""
    store("BTCUSDT", BARS, kind="spot")
    with pytest.raises(ConfigError, match=field):
        replay(lake, settings(), {field: "sma(3)"})


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        ({"venue": "tset"}, UnknownSeriesError, "test"),
        ({"symbols": "BTCUSD"}, UnknownSeriesError, "BTCUSDT"),
        ({"timeframe": "5m"}, UnknownSeriesError, "1m"),
        ({"timeframe": "1month"}, ConfigError, "1month"),
        ({"symbols": []}, ConfigError, "symbols"),
        ({"symbols": ["BTCUSDT", "BTCUSDT"]}, ConfigError, "twice"),
        ({"start": "2024-01-02", "end": "2024-01-01"}, ConfigError, "2024-01-01"),
        ({"start": "2024-01-02", "end": "2024-01-02"}, ConfigError, "2024-01-02"),
        ({"start": "yesterday"}, ConfigError, "yesterday"),
        ({"start": "2030-01-01"}, EmptyRangeError, "2030"),
        ({"end": "2020-01-01"}, EmptyRangeError, "2020"),
        ({"symbol": "BTCUSDT"}, ConfigError, "symbols"),
    ],
)
def test_bad_input_is_told(wrong, error, says, lake, store):
    """The class of the error, and the name of what was meant or is wrong."""
    store("BTCUSDT", BARS, kind="spot")
    with pytest.raises(error, match=says):
        replay(lake, settings(**wrong), {})


def test_an_unknown_feature_is_told(lake, store):
    """With the closest name."""
    store("BTCUSDT", BARS, kind="spot")
    with pytest.raises(FeatureError, match="ema"):
        replay(lake, settings(), {"fast": "emma(3)"})


def test_a_start_after_the_last_bar_of_one_symbol_is_told(lake, store):
    """Even when another symbol has bars, and warm-up bars exist."""
    store("AAA", BARS, kind="spot")
    store("BBB", BARS[:5], kind="spot")
    with pytest.raises(EmptyRangeError, match="BBB"):
        replay(lake, settings(symbols=["AAA", "BBB"], start="2024-01-01T00:10"), {"mean": "sma(8)"})


def test_impossible_prices_are_refused(lake, store):
    """NaN cannot be written into the lake; a high below the low is stopped before the run."""
    with pytest.raises(TruewindError, match="open"):
        store("AAA", [flat(100), (float("nan"), 1, 1, 1)])
    store("BBB", [flat(100), (100, 99, 98, 99)])
    with pytest.raises(TruewindError, match="BBB"):
        replay(lake, settings(symbols="BBB"), {})


def test_gaps_are_told(lake, store):
    """Three bars missing in two gaps, the longest after 00:03."""
    store("BTCUSDT", BARS[:6], minutes=[0, 1, 3, 6, 7, 8], kind="spot")
    (warning,) = replay(lake, settings(), {}).warnings
    assert "3 bars are missing in 2 gaps" in warning
    assert "2024-01-01 00:03" in warning


def test_guessed_steps_are_told(lake, store):
    """The reader of a report must know that tick and lot are guesses."""
    store("BTCUSDT", BARS, kind="spot", inferred=True, tick="0.50")
    (warning,) = replay(lake, settings(), {}).warnings
    assert "tick 0.5 and lot 0.001" in warning


def test_funding_is_due_at_the_hour_even_if_stamped_late(lake, store):
    """00:08:00.009 counts as 00:08; rates in 1e-8, marks in ticks, a missing mark is 0."""
    store("BTCUSDT", BARS, funding=[(5, 0.0001, 100.26), (8 + 0.009 / 60, -0.00075, None), (20.5, 0.0003, 7.0)])
    rows = replay(lake, settings(), {}).dues["BTCUSDT"]
    assert ((rows["ts"] - START) / MINUTE).tolist() == [5, 8, 20.5]
    assert rows["amount"].tolist() == [10_000, -75_000, 30_000]
    assert rows["price"].tolist() == [1003, 0, 70]


def test_without_funding_rates_a_perpetual_is_warned_of(lake, store):
    """None at all, none in the period, and too few of them."""
    store("AAA", BARS)
    (warning,) = replay(lake, settings(symbols="AAA"), {}).warnings
    assert "no funding" in warning
    store("BBB", BARS, funding=[(-500, 0.0001, None)])
    (warning,) = replay(lake, settings(symbols="BBB"), {}).warnings
    assert "no funding" in warning


def test_rates_that_cover_only_part_of_the_bars_are_told(lake, store):
    """Three days of hourly bars, funding on the last alone: two days are not charged, and the report says so."""
    hours = [flat(100)] * 72
    store("AAA", hours, minutes=range(0, 72 * 60, 60), timeframe="1h", funding=[(48 * 60, 1e-4, None),
                                                                               (60 * 60, 1e-4, None)])  # fmt: skip
    (warning,) = replay(lake, settings(symbols="AAA", timeframe="1h"), {}).warnings
    assert "2.0 days from 2024-01-01 00:00:00" in warning
    store("BBB", hours, minutes=range(0, 72 * 60, 60), timeframe="1h",
          funding=[(minute, 1e-4, None) for minute in range(0, 72 * 60, 480)])  # fmt: skip
    assert replay(lake, settings(symbols="BBB", timeframe="1h"), {}).warnings == []


def test_spot_has_no_funding(lake, store):
    """Even if the lake has rates of that name."""
    store("BTCUSDT", BARS, kind="spot", funding=[(5, 0.0001, None)])
    assert replay(lake, settings(), {}).dues == {}


def test_steps_are_the_instruments(lake, store):
    """Each symbol has its own."""
    store("AAA", BARS, tick="0.5")
    store("BBB", BARS, lot="1")
    steps = [(i.tick_size, i.lot_size) for i in replay(lake, settings(symbols=["AAA", "BBB"]), {}).instruments]
    assert steps == [(Decimal("0.5"), Decimal("0.001")), (Decimal("0.1"), Decimal(1))]


def test_the_warm_up_is_what_the_features_say():
    """Enough for the longest of them."""
    assert features.warmup(["sma(5)", "sma(12)"]) >= 11


def store_beside(lake, kind, candles, minutes, symbol="BTCUSDT"):
    table = {name: [float(bar[i]) for bar in candles] for i, name in enumerate(("open", "high", "low", "close"))}
    ts = pl.Series([START + minute * MINUTE for minute in minutes]).cast(pl.Datetime("us", "UTC"))
    lake.write(SeriesKey(kind, "test", symbol, "1m"), pl.DataFrame({"ts": ts, **table}))


@pytest.mark.parametrize(("kind", "layer"), [("mark_bars", "marks"), ("index_bars", "indices")])
def test_mark_and_index_prices_lie_beside_the_bars(kind, layer, lake, store):
    """Each on the row of its own time and symbol; where one is missing what traded stands in, and is counted."""
    store("BTCUSDT", [(100, 101, 99, 100)] * 4)
    store("ETHUSDT", [(50, 51, 49, 50)] * 4)
    store_beside(lake, kind, [(200, 203, 198, 201), (300, 303, 298, 301)], [1, 3])
    asked = settings(symbols=["BTCUSDT", "ETHUSDT"])
    found = replay(lake, asked, {})
    rows = list(zip(found.timeline.times[2], *getattr(found.timeline, layer), strict=True))
    traded = (100, 101, 99, 100)
    expected = [traded, (200, 203, 198, 201), traded, (300, 303, 298, 301)]
    assert [row[1:] for row in rows if row[0] == 0] == expected
    assert [row[1:] for row in rows if row[0] == 1] == [(50, 51, 49, 50)] * 4
    which = kind.partition("_")[0]
    said = [warning for warning in found.warnings if f"no {which} price" in warning]
    assert len(said) == 1
    assert "BTCUSDT: 2 of 4 bars" in said[0]
    assert "2024-01-01 00:00" in said[0]
    assert (
        found.snapshot.id != replay(lake, settings(symbols=["BTCUSDT", "ETHUSDT"], **{which: "last"}), {}).snapshot.id
    )


def test_without_mark_prices_the_traded_ones_are_not_copied(lake, store):
    """`marks is prices` is how the engine knows that there are none."""
    store("BTCUSDT", BARS)
    store_beside(lake, "mark_bars", [(1, 1, 1, 1)], [0])
    for asked in (settings(mark="last"), settings(start="2024-01-01T00:01:00")):
        timeline = replay(lake, asked, {}).timeline
        assert timeline.marks is timeline.prices
        assert timeline.indices is timeline.prices


def test_recorded_mark_prices(lake, shared):
    """XRPUSDT perpetual and its mark price, as recorded: row for row those of the file."""
    folder = shared / "freqtrade"
    files = [folder / f"futures__XRP_USDT_USDT-1h-{name}.feather" for name in ("futures", "mark")]
    import_files(lake, files)
    found = replay(lake, DataSettings(venue="binance_usdm", symbols="XRPUSDT", timeframe="1h"), {}).timeline
    recorded = pl.read_ipc(folder / "futures__XRP_USDT_USDT-1h-mark.feather")
    recorded = recorded.with_columns(pl.col("date").dt.epoch("us").alias("ts"))
    mine = pl.DataFrame({"ts": found.times[0], "low": found.marks[2], "traded": found.prices[2]})
    both = mine.join(recorded, on="ts", suffix="_recorded")
    assert len(both) == 57  # hours of the recording that have both
    assert (both["low"] == both["low_recorded"]).all()
    assert (both["low"] != both["traded"]).sum() > len(both) / 2
