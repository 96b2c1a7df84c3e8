"""Two ways to the same history: our own client and ccxt, both from the local exchange over HTTP."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from market.history import contract
from truewind.domain.timeframe import HOUR_US, MINUTE_US
from truewind.exchange import LocalExchange
from truewind.market.history.binance import BinanceRest
from truewind.market.history.ccxt import CcxtProvider
from truewind.market.history.provider import DataProvider
from truewind.storage.schema import SeriesKey

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("ccxt")


async def rows(provider: DataProvider, key: SeriesKey, start: int, end: int) -> pl.DataFrame:
    async with provider:
        tables = [chunk.rows for chunk in await contract.fetched(provider, key, start, end)]
    return pl.concat(table for table in tables if table.height)


@pytest.fixture(scope="module")
def still(start_exchange: Callable[..., AbstractContextManager[LocalExchange]]):
    """An exchange whose time stands still, so that both see the same."""
    with start_exchange(limits=False, speed=0) as exchange:
        yield exchange


@pytest.mark.parametrize(
    ("venue", "named", "kind", "timeframe", "hours"),
    [
        ("binance", "binance", "bars", "1m", 25),
        ("binance", "binance", "trades", "", 1),
        ("binance_usdm", "binanceusdm", "bars", "5m", 48),
        ("binance_usdm", "binanceusdm", "mark_bars", "1m", 5),
        ("binance_usdm", "binanceusdm", "funding", "", 48),
    ],
)
def test_ccxt_and_our_own_client_bring_the_same(still, venue, named, kind, timeframe, hours):
    now = still.clock.now_us() // HOUR_US * HOUR_US - HOUR_US  # our own client waits for a bar to be surely over
    start = now - hours * HOUR_US

    async def both() -> list[pl.DataFrame]:
        sources = [BinanceRest(venue, still.hosts), CcxtProvider(named, still.hosts, still.clock.now_us)]
        keys = [SeriesKey(kind, name, "BTCUSDT", timeframe) for name in (venue, named)]
        return [await rows(source, key, start, now) for source, key in zip(sources, keys, strict=True)]

    ours, theirs = asyncio.run(both())
    common = [name for name in theirs.columns if name in ours.columns]
    assert {"ts"} < set(common)
    if kind == "funding":  # times are some milliseconds late, of which ccxt tells as many
        ours = ours.with_columns(pl.col("ts").dt.truncate("1ms"))
    assert_frame_equal(ours.select(common).sort(common), theirs.select(common).sort(common))
    assert timeframe != "1m" or theirs.height == hours * HOUR_US // MINUTE_US
