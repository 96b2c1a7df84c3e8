"""A lake of one's own with a few minute bars, for runs whose results are known."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from scripted import perpetual, spot
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

START = datetime(2024, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def at(minutes):
    return START + timedelta(minutes=minutes)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "data")


@pytest.fixture
def store(lake):
    """store(symbol, candles, …): writes bars (and funding, as (minute, rate, mark)) and the instrument."""

    def write(symbol, candles, *, minutes=None, funding=None, kind="perpetual", venue="test", timeframe="1m", **more):
        minutes = range(len(candles)) if minutes is None else minutes
        table = pl.DataFrame(
            {
                "ts": pl.Series([at(minute) for minute in minutes]).cast(TIME),
                **{name: [float(bar[i]) for bar in candles] for i, name in enumerate(("open", "high", "low", "close"))},
                "volume": [1.0] * len(candles),
            }
        )
        lake.write(SeriesKey("bars", venue, symbol, timeframe), table)
        make = spot if kind == "spot" else perpetual
        lake.put_instrument(make(symbol, venue=venue, **more))
        if funding:
            rows = {
                "ts": pl.Series([at(minute) for minute, _, _ in funding]).cast(TIME),
                "rate": [rate for _, rate, _ in funding],
                "mark_price": pl.Series([mark for _, _, mark in funding], dtype=pl.Float64),
            }
            lake.write(SeriesKey("funding", venue, symbol), pl.DataFrame(rows))

    return write
