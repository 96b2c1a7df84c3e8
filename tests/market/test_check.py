"""What `data check` says of a stored series is true of it."""

import json
from datetime import timedelta

import polars as pl
import pytest

from market.samples import MINUTE_US, START_US, make_bars
from truewind.errors import UnknownSeriesError
from truewind.market.check import check_series
from truewind.market.importing import import_files
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

MINUTES = SeriesKey("bars", "binance", "BTCUSDT", "1m")
DAYS = SeriesKey("bars", "binance", "BTCUSDT", "1d")


def test_a_whole_series_has_full_months_and_no_findings(lake: Lake):
    lake.write(DAYS, make_bars(60, step_us=1440 * MINUTE_US))
    report = check_series(lake, DAYS)
    assert [(m.month, m.rows, m.expected) for m in report.months] == [("2024-01", 31, 31), ("2024-02", 29, 29)]
    assert [m.coverage for m in report.months] == [1.0, 1.0]
    assert (report.rows, report.missing, report.findings, report.quarantined) == (60, 0, [], {})


def test_months_without_a_row_are_shown_and_the_first_and_last_count_from_their_rows(lake: Lake):
    bars = make_bars(100, step_us=1440 * MINUTE_US, start_us=START_US + 20 * 1440 * MINUTE_US)
    lake.write(DAYS, bars.filter(pl.col("ts").dt.month() != 2))
    report = check_series(lake, DAYS)
    assert [(m.month, m.rows, m.expected) for m in report.months] == [
        ("2024-01", 11, 11),
        ("2024-02", 0, 29),
        ("2024-03", 31, 31),
        ("2024-04", 29, 29),
    ]
    assert report.missing == 29
    assert [(f.check, f.count) for f in report.findings] == [("gap", 1)]


def test_gaps_and_quarantine_are_listed(lake: Lake):
    lake.write(MINUTES, make_bars(30).filter(~pl.int_range(pl.len()).is_in([3, 8, 9])))
    lake.quarantine(MINUTES, make_bars(30)[3:4].with_columns(reason=pl.lit("high_low"), source=pl.lit("x.csv:4")))
    plain = check_series(lake, MINUTES).as_dict()
    assert plain["gaps"] == [
        {"ts_from": "2024-01-01 00:03:00", "ts_to": "2024-01-01 00:04:00", "missing": 1, "reason": "quarantined"},
        {"ts_from": "2024-01-01 00:08:00", "ts_to": "2024-01-01 00:10:00", "missing": 2, "reason": "missing"},
    ]
    assert plain["quarantined"] == {"high_low": 1}
    assert plain["missing"] == 3
    assert plain["findings"][0]["first"] == "2024-01-01 00:04:00"
    json.dumps(plain)


def test_the_last_bar_is_held_against_shorter_ones(lake: Lake):
    hour = SeriesKey("bars", "binance", "BTCUSDT", "1h")
    lake.write(MINUTES, make_bars(120))
    last = (
        make_bars(2, step_us=60 * MINUTE_US)
        .drop("quote_volume", "taker_buy_volume")
        .with_columns(volume=pl.lit(1.0), high=pl.lit(2000.0), low=pl.lit(1.0))
    )
    lake.write(hour, last)
    assert [(f.check, f.first_us) for f in check_series(lake, hour).findings] == [
        ("unfinished_bar", START_US + 60 * MINUTE_US)
    ]
    lake.write(hour, last.with_columns(volume=pl.lit(1e9)))
    assert check_series(lake, hour).findings == []
    assert check_series(lake, MINUTES).findings == []
    later = last.with_columns(pl.col("ts") + timedelta(days=1))
    lake.write(hour, later)
    assert [f.check for f in check_series(lake, hour).findings] == ["gap"]


def test_a_changed_funding_interval_is_told(lake: Lake):
    """It is data: of 539 symbols 26 changed it within weeks (README, note 6)."""
    key = SeriesKey("funding", "binance_usdm", "ANKRUSDT")
    hours = [0, 8, 16, 24, 28, 32]
    table = pl.DataFrame({"ts": [START_US + h * 60 * MINUTE_US + 7_000 * (h % 3) for h in hours], "rate": [0.0001] * 6})
    lake.write(key, table.with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC"))))
    (found,) = check_series(lake, key).findings
    assert (found.check, found.count, found.detail) == ("funding_interval", 1, "8 h × 3, 4 h × 2")
    lake.write(key, table.with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC"))).head(4), mode="overwrite")
    assert check_series(lake, key).findings == []


def test_recorded_thin_markets_are_described(shared, lake: Lake):
    """Kraken leaves still minutes out, Binance.US fills them (README, note 11)."""
    import_files(lake, [shared / "iaqf"])
    kraken = check_series(lake, SeriesKey("bars", "kraken", "BTCUSDC", "1m"))
    assert kraken.gaps.height == 26_746
    assert kraken.rows + kraken.missing == (90 * 24 * 60)  # the first quarter, from its first minute to its last
    filled = check_series(lake, SeriesKey("bars", "binanceus", "BTCUSDC", "1m"))
    assert {f.check: f.count for f in filled.findings}["zero_volume"] == 12_971
    assert filled.missing == 0
    assert [(m.month, m.rows, m.expected) for m in filled.months] == [("2023-03", 30_240, 30_240)]


def test_an_unknown_series_is_an_error(lake: Lake):
    lake.write(MINUTES, make_bars(3))
    with pytest.raises(UnknownSeriesError):
        check_series(lake, DAYS)
