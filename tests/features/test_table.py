"""A feature table carries when each bar opened and when it was known."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from truewind.errors import ConfigError, FeatureError
from truewind.features import compute

UTC = dt.UTC
START = dt.datetime(2024, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def bars(minutes: list[int], close: list[float | None]) -> pl.DataFrame:
    ts = [START + dt.timedelta(minutes=minute) for minute in minutes]
    return pl.DataFrame({"ts": pl.Series(ts, dtype=TIME), "close": pl.Series(close, dtype=pl.Float64)})


def test_a_bar_is_known_when_it_is_over() -> None:
    """The usual step is five minutes, also across a gap; each row is known five minutes after its open."""
    table = compute(bars([0, 5, 10, 30, 35], [1.0, 2.0, 3.0, 4.0, 5.0]), ["sma(2)", "returns"])
    assert table.columns == ["ts", "ts_known", "sma_2", "returns_1"]
    assert table.schema["ts"] == table.schema["ts_known"] == TIME
    assert (table["ts_known"] - table["ts"]).unique().to_list() == [dt.timedelta(minutes=5)]
    assert table["sma_2"].to_list()[1:] == [1.5, 2.5, 3.5, 4.5]
    assert np.isnan(table["sma_2"][0])


def test_a_given_timeframe_is_taken_as_given() -> None:
    table = compute(bars([0, 5], [1.0, 2.0]), ["sma(2)"], timeframe="1h")
    assert table["ts_known"][0] == START + dt.timedelta(hours=1)
    with pytest.raises(ConfigError, match="Unknown timeframe"):
        compute(bars([0, 5], [1.0, 2.0]), ["sma(2)"], timeframe="5 minutes")


def test_one_bar_does_not_say_when_it_was_known() -> None:
    """Null, not a guess; none at all gives an empty table of the same columns."""
    one = compute(bars([0], [1.0]), ["sma(1)"])
    assert one["ts_known"].to_list() == [None]
    assert one["sma_1"].to_list() == [1.0]
    none = compute(bars([], []), ["sma(1)"])
    assert none.schema == one.schema
    assert none.height == 0


def test_rows_that_bring_their_own_time_of_knowledge_keep_it() -> None:
    """Bars by volume may share a moment, and each is known with its last trade; no row before the rows behind it."""
    at = [START + dt.timedelta(seconds=second) for second in (0, 0, 1, 9)]
    known = [START + dt.timedelta(seconds=second) for second in (0, 3, 2, 20)]
    table = pl.DataFrame({"ts": at, "ts_known": known, "close": [1.0, 2.0, 3.0, 4.0]})
    found = compute(table, ["sma(2)"])
    assert found["ts"].to_list() == at
    assert found["ts_known"].to_list() == [known[0], known[1], known[1], known[3]]
    assert found["sma_2"].to_list()[1:] == [1.5, 2.5, 3.5]
    with pytest.raises(FeatureError, match="ts does not rise at row 1"):
        compute(table.drop("ts_known"), ["sma(2)"])
    with pytest.raises(FeatureError, match="ts does not rise at row 3"):
        compute(table[[0, 1, 3, 2]], ["sma(2)"])


def test_null_and_nan_are_both_missing() -> None:
    table = compute(bars([0, 1, 2, 3], [1.0, None, float("nan"), 3.0]), ["sma(2)"])
    assert table["sma_2"].null_count() == 0
    assert table["sma_2"].is_nan().to_list() == [True, True, True, False]
    assert table["sma_2"][3] == 2.0


def test_arrays_and_other_column_types_give_the_same_table() -> None:
    """A mapping of arrays, int64 µs or datetime64, and integer or naive columns are the same bars."""
    expected = compute(bars([0, 1, 2], [1.0, 2.0, 4.0]), ["sma(2)"])
    stamps = np.array(["2024-01-01T00:00", "2024-01-01T00:01", "2024-01-01T00:02"], "datetime64[ms]")
    close = np.array([1, 2, 4])
    for ts in (stamps, stamps.astype("datetime64[us]").astype(np.int64)):
        assert compute({"ts": ts, "close": close}, ["sma(2)"]).equals(expected, null_equal=True)
    assert compute(pl.DataFrame({"ts": stamps, "close": close}), ["sma(2)"]).equals(expected, null_equal=True)


@pytest.mark.parametrize("minutes", [[0, 2, 1], [0, 1, 1]])
def test_times_that_do_not_rise_are_refused(minutes: list[int]) -> None:
    with pytest.raises(FeatureError, match="ts does not rise at row 2"):
        compute(bars(minutes, [1.0, 2.0, 3.0]), ["sma(2)"])


def test_what_is_missing_is_named() -> None:
    table = bars([0, 1], [1.0, 2.0])
    with pytest.raises(FeatureError, match=r"atr\(14\) reads 'high', which is not there"):
        compute(table, ["atr(14)"])
    with pytest.raises(FeatureError, match="The bars have no 'ts'"):
        compute(table.drop("ts"), ["sma(2)"])
    with pytest.raises(FeatureError, match="'close' does not hold numbers"):
        compute(table.with_columns(close=pl.lit("dear")), ["sma(2)"])
    with pytest.raises(FeatureError, match="'close' has 1 rows, 'ts' has 2"):
        compute({"ts": np.array([0, 60]), "close": np.array([1.0])}, ["sma(2)"])
