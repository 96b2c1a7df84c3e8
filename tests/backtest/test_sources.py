"""What a report is told of the data: rows, gaps with their reason, refused rows."""

import datetime as dt

import polars as pl

from truewind.backtest.sources import sources
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

BARS = SeriesKey("bars", "binance", "BTCUSDT", "1h")
HOUR = 3_600_000_000
START = int(dt.datetime(2024, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000


def bars(hours):
    flat = [100.0] * len(hours)
    table = {
        "ts": [START + hour * HOUR for hour in hours],
        **dict.fromkeys(("open", "high", "low", "close", "volume"), flat),
    }
    return pl.DataFrame(table).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))


def test_gaps_are_told_with_their_reason_and_refused_rows_are_counted(tmp_path):
    """Ten hours without the third, which was refused, and the sixth and seventh, of which nothing is known."""
    lake = Lake(tmp_path)
    lake.write(BARS, bars([0, 1, 3, 4, 7, 8, 9]))
    lake.quarantine(BARS, bars([2]).with_columns(reason=pl.lit("high below low"), source=pl.lit("x")))
    (found,) = sources(lake, lake.snapshot([BARS]))["series"]
    assert found["symbol"] == "BTCUSDT"
    assert (found["rows"], found["gaps"], found["missing"]) == (7, 2, 3)
    assert found["why"] == {"missing": 2, "quarantined": 1}
    assert found["quarantined"] == {"high below low": 1}
    assert (found["start"], found["end"]) == ("2024-01-01 00:00:00", "2024-01-01 09:00:00")


def test_a_whole_series_has_no_reasons(tmp_path):
    lake = Lake(tmp_path)
    lake.write(BARS, bars(range(5)))
    (found,) = sources(lake, lake.snapshot([BARS]))["series"]
    assert (found["missing"], found["why"], found["quarantined"]) == (0, {}, {})
