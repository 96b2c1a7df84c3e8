"""Refused rows are kept once, with their reasons."""

import polars as pl
import pytest

from truewind.errors import CorruptError, SchemaError
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

KEY = SeriesKey("bars", "binance", "BTC/USDT", "1h")


def refused(**columns):
    n = len(next(iter(columns.values())))
    return pl.DataFrame(columns | {"reason": ["negative price"] * n, "source": ["file.csv"] * n})


def test_a_second_import_adds_nothing_and_a_longer_one_only_its_new_rows(tmp_path):
    """Rows already kept are not kept again; the counts say so."""
    lake = Lake(tmp_path)
    assert lake.quarantine(KEY, refused(close=[-1.0, float("nan")])) == 2
    assert lake.quarantine(KEY, refused(close=[-1.0, float("nan")])) == 0
    assert lake.quarantine(KEY, refused(close=[-1.0, float("nan"), -3.0])) == 1
    kept = lake.quarantined(KEY)["close"]
    assert sorted(kept.drop_nans()) == [-3.0, -1.0]
    assert len(kept) == 3


def test_equal_rows_of_one_file_all_count(tmp_path):
    """Three copies of a row are three refused rows, once."""
    lake = Lake(tmp_path)
    assert lake.quarantine(KEY, refused(close=[1.0, 1.0, 1.0])) == 3
    assert lake.quarantine(KEY, refused(close=[1.0, 1.0])) == 0
    assert lake.quarantined(KEY).height == 3


def test_sources_may_disagree_on_types_and_columns(tmp_path):
    """What one source gives as number and the other as text is kept as both came, and shown as text."""
    lake = Lake(tmp_path)
    assert lake.quarantine(KEY, refused(close=[-1.5])) == 1
    assert lake.quarantine(KEY, refused(close=["n/a"], volume=[2.0])) == 1
    assert lake.quarantine(KEY, refused(close=["n/a"], volume=[2.0])) == 0
    kept = lake.quarantined(KEY).sort("volume", nulls_last=False)
    assert kept["close"].to_list() == ["-1.5", "n/a"]
    assert kept["volume"].to_list() == [None, 2.0]
    assert set(kept["reason"]) == {"negative price"}


def test_rows_without_a_reason_are_not_taken(tmp_path):
    """Reason and source are required; no rows are fine."""
    lake = Lake(tmp_path)
    with pytest.raises(SchemaError, match="lack the column 'source'"):
        lake.quarantine(KEY, refused(close=[1.0]).drop("source"))
    assert lake.quarantine(KEY, refused(close=[1.0]).clear()) == 0
    assert lake.quarantined(KEY).is_empty()
    assert lake.quarantined(KEY).columns == ["reason", "source"]


def test_a_damaged_file_is_named(tmp_path):
    """CorruptError says which file."""
    lake = Lake(tmp_path)
    lake.quarantine(KEY, refused(close=[1.0]))
    (path,) = (tmp_path / "quarantine").rglob("*.parquet")
    path.write_bytes(b"PAR1")
    with pytest.raises(CorruptError, match=path.name):
        lake.quarantined(KEY)
