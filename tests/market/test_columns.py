"""Columns beside bars: what was known by each close, and nothing that came later."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from truewind.errors import SchemaError, UnknownSeriesError
from truewind.market.columns import bar_columns, series_beside
from truewind.storage.lake import Lake
from truewind.storage.schema import TS, SeriesKey

START = datetime(2024, 1, 1, tzinfo=UTC)
BARS = SeriesKey("bars", "binance_usdm", "BTCUSDT", "1m")


def times(*seconds: float) -> pl.Series:
    return pl.Series("ts", [START + timedelta(seconds=second) for second in seconds]).cast(TS)


def key(kind: str) -> SeriesKey:
    return SeriesKey(kind, "binance_usdm", "BTCUSDT")


@pytest.fixture
def lake(tmp_path):
    """Five minutes of bars that close at 60, 120, 180, 240 and 300 seconds."""
    found = Lake(tmp_path)
    flat = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * 5)
    found.write(BARS, pl.DataFrame({"ts": times(0, 60, 120, 180, 240), **flat}))
    return found


def test_open_interest_stands_still_until_the_next_is_known(lake) -> None:
    """What happened at the close counts; what was received after it does not, whenever it happened."""
    table = pl.DataFrame({"ts": times(60, 150, 230), "open_interest": [10.0, 20.0, 30.0]})
    lake.write(key("open_interest"), table.with_columns(ts_recv=times(60, 181, 235)))
    found = bar_columns(lake, BARS, ["open_interest"])["open_interest"]
    assert found.tolist() == [10.0, 10.0, 10.0, 30.0, 30.0]


def test_the_ratio_is_that_of_all_accounts(lake) -> None:
    """Rows that tell other ratios only say nothing of it."""
    table = pl.DataFrame({"ts": times(90, 150), "accounts": [1.5, None], "top_accounts": [2.0, 3.0]})
    lake.write(key("long_short"), table)
    found = bar_columns(lake, BARS, ["long_short_ratio"])["long_short_ratio"]
    assert np.array_equal(found, [np.nan, 1.5, 1.5, 1.5, 1.5], equal_nan=True)


def test_liquidations_are_summed_by_bar_and_side(lake) -> None:
    """A sale closes a long. Before the first one, and after the last, nobody knows whether there were any."""
    table = pl.DataFrame(
        {
            "ts": times(60, 61, 100, 121, 179, 240),
            "side": pl.Series([-1, -1, 1, -1, -1, 1], dtype=pl.Int8),
            "price": [1.0] * 6,
            "quantity": [7.0, 0.1, 0.2, 0.4, 0.8, 5.0],
            "ts_recv": times(60, 61, 100, 121, 181, 240),
        }
    )
    lake.write(key("liquidations"), table)
    found = bar_columns(lake, BARS, ["liquidated_long", "liquidated_short"])
    assert np.array_equal(found["liquidated_long"], [np.nan, 0.1, 0.4, 0.8, np.nan], equal_nan=True)
    assert np.array_equal(found["liquidated_short"], [np.nan, 0.2, 0.0, 5.0, np.nan], equal_nan=True)


def test_what_there_is_and_what_there_is_not(lake) -> None:
    assert series_beside(lake, BARS) == {}
    lake.write(key("open_interest"), pl.DataFrame({"ts": times(60), "open_interest": [10.0]}))
    assert series_beside(lake, BARS) == {"open_interest": key("open_interest")}
    with pytest.raises(UnknownSeriesError, match="liquidations"):
        bar_columns(lake, BARS, ["liquidated_long"])
    with pytest.raises(SchemaError, match="open_interest"):
        bar_columns(lake, BARS, ["open_interests"])
