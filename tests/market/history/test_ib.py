"""Interactive Brokers by the real ib_async, over a socket, from a small TWS that speaks the protocol.

Nothing of it was recorded, and no account was at hand: subscriptions, pacing as the servers enforce it, and the shape
of rare messages could not be tried.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from market.history import contract
from market.history.fake_tws import Fields, bars, details, error, request_of, ticks, tws, window
from truewind.domain.clock import parse_ts_us
from truewind.domain.instrument import Kind
from truewind.domain.timeframe import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from truewind.errors import ConfigError, LimitedError, RejectedError, UnknownSeriesError, UnreachableError
from truewind.market.history import ib
from truewind.market.history.ib import ADDRESS, InteractiveBrokers, Pace, ib_provider
from truewind.market.history.provider import Chunk
from truewind.storage.schema import SeriesKey
from truewind.venues.binance.hosts import MAINNET, TESTNET

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("ib_async")
START = parse_ts_us("2024-03-08T14:30")
NOW = parse_ts_us("2024-06-01")


def fetched(
    answer: Callable[[Fields], Any], key: SeriesKey, start: int, end: int, now: int = NOW
) -> tuple[list[Chunk], list[Fields]]:
    """Chunks from a TWS that answers so, and what it was asked."""

    async def go() -> tuple[list[Chunk], list[Fields]]:
        async with tws(answer) as (address, asked), InteractiveBrokers("ib", address, lambda: now) as provider:
            return await contract.fetched(provider, key, start, end), asked

    chunks, asked = asyncio.run(go())
    assert [chunk.end_us for chunk in chunks[:-1]] == [chunk.start_us for chunk in chunks[1:]]
    for chunk in chunks:
        assert chunk.rows["ts"].to_physical().is_between(chunk.start_us, chunk.end_us, closed="left").all()
    return chunks, asked


def minutes(fields: Fields) -> Any:
    """A bar for each minute before the end that was asked for, as far as the length says, and one more before that."""
    wanted = window(fields)
    end = datetime.strptime(wanted["end"], "%Y%m%d %H:%M:%S UTC").replace(tzinfo=UTC)
    stop = round(end.timestamp())
    count = int(wanted["length"].split()[0]) // 60 + 1
    rows = [(stop - 60 * i, 1.1, 1.2, 1.0, 1.15, -1, -1, -1) for i in range(count, 0, -1)]
    return bars(request_of(fields), rows)


def test_minutes_of_currencies_come_window_by_window():
    """Three days: three requests of a day each; bars are of the middle, and have no volume."""
    start = parse_ts_us("2024-03-05")
    chunks, asked = fetched(minutes, SeriesKey("bars", "ib", "EUR.USD", "1m"), start, start + 5 * DAY_US // 2)
    table = pl.concat(chunk.rows for chunk in chunks)
    assert table.height == 5 * 1440 // 2
    assert table["ts"].to_physical().diff().drop_nulls().unique().to_list() == [MINUTE_US]
    assert table.row(0)[1:] == (1.1, 1.2, 1.0, 1.15, 0.0)
    wants = [window(fields) for fields in asked]
    assert [want["length"] for want in wants] == ["86400 S", "86400 S", "43200 S"]
    assert {(want["symbol"], want["kind"], want["what"], want["size"]) for want in wants} == {
        ("EUR", "CASH", "MIDPOINT", "1 min")
    }
    assert wants[0]["end"] == "20240306 00:00:00 UTC"


def test_days_of_shares_and_indices_are_sessions():
    def answer(fields: Fields) -> Any:
        days = ["20240306", "20240307", "20240308", "20240311"]
        return bars(request_of(fields), [(day, 10, 12, 9, 11, 1000.5, 10.5, 7) for day in days])

    start, end = parse_ts_us("2024-03-07"), parse_ts_us("2024-03-11")
    for symbol, kind in (("AAPL", "STK"), ("^SPX@CBOE", "IND")):
        (chunk,), (asked,) = fetched(answer, SeriesKey("bars", "ib", symbol, "1d"), start, end)
        assert [str(ts)[:10] for ts in chunk.rows["ts"]] == ["2024-03-07", "2024-03-08"]
        assert chunk.rows["volume"].to_list() == [1000.5, 1000.5]
        want = window(asked)
        assert (want["kind"], want["length"], want["session"], want["what"]) == (kind, "4 D", "1", "TRADES")


def test_no_data_is_an_answer():
    def answer(fields: Fields) -> Any:
        words = "Historical Market Data Service error message:HMDS query returned no data: AAPL@SMART Trades"
        return error(request_of(fields), 162, words)

    (chunk,), _ = fetched(answer, SeriesKey("bars", "ib", "AAPL", "1h"), START, START + DAY_US)
    assert (chunk.rows.height, chunk.end_us) == (0, START + DAY_US)


def seconds(count: int) -> list[tuple[int, float]]:
    """Times and prices of ticks: three a second, going up and down."""
    return [(START // SECOND_US + i // 3, 10.0 + (i % 7) / 10) for i in range(count)]


def from_start(fields: Fields, rows: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Of rows the first 1,000 from the start that a request for ticks (96) names."""
    start = datetime.strptime(fields[15], "%Y%m%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp()
    return [row for row in rows if row[0] >= start][:1000]


def test_quotes_come_in_pages_that_end_in_the_midst_of_a_second():
    rows = seconds(2500)

    def answer(fields: Fields) -> Any:
        assert fields[18] == "BID_ASK"
        page = [(ts, 0, price, price + 0.01, 3 + i, 4) for i, (ts, price) in enumerate(from_start(fields, rows))]
        return ticks(97, request_of(fields), page)

    chunks, asked = fetched(answer, SeriesKey("quotes", "ib", "EUR.USD"), START, START + HOUR_US)
    table = pl.concat(chunk.rows for chunk in chunks)
    assert table["bid"].to_list() == [price for _, price in rows]
    assert table["ts"].to_physical().to_list() == [ts * SECOND_US for ts, _ in rows]
    assert table.row(0)[1:] == (10.0, 3.0, 10.01, 4.0)
    assert len(asked) == 3
    assert (chunks[0].start_us, chunks[-1].end_us) == (START, START + HOUR_US)


def test_sides_of_trades_do_not_depend_on_the_start():
    rows = seconds(1500)

    def answer(fields: Fields) -> Any:
        page = [(ts, 0, price, 100, "NASDAQ", "") for ts, price in from_start(fields, rows)]
        return ticks(98, request_of(fields), page)

    key = SeriesKey("trades", "ib", "AAPL")
    whole = pl.concat(chunk.rows for chunk in fetched(answer, key, START, START + HOUR_US)[0])
    # By hand: up six times a tenth, then down at once.
    assert whole["side"].to_list() == [1 if i % 7 or i == 0 else -1 for i in range(1500)]
    later = START + 200 * SECOND_US
    part = pl.concat(chunk.rows for chunk in fetched(answer, key, later, START + HOUR_US)[0])
    assert part.equals(whole.filter(pl.col("ts").to_physical() >= later))


def test_instruments():
    def answer(fields: Fields) -> Any:
        return details(request_of(fields), "EUR", "CASH", "USD", "0.00005")

    async def go() -> Any:
        async with tws(answer) as (address, _), InteractiveBrokers("ib", address) as provider:
            return await provider.instruments(["EUR.USD"])

    (found,) = asyncio.run(go())
    assert (found.kind, found.base, found.quote, found.calendar) == (Kind.FX, "EUR", "USD", "fx")
    assert found.tick_size == Decimal("0.00005")


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        (200, "No security definition has been found for the request", UnknownSeriesError),
        (162, "Historical Market Data Service error message:API historical data query pacing violation", LimitedError),
        (162, "Historical Market Data Service error message:No market data permissions for ISLAND STK", RejectedError),
        (504, "Not connected", RejectedError),
    ],
)
def test_refusals_are_our_errors(code, words, expected):
    with pytest.raises(expected, match="AAPL"):
        fetched(
            lambda fields: error(request_of(fields), code, words), SeriesKey("bars", "ib", "AAPL", "1d"), START, NOW
        )


def test_silence_is_told(monkeypatch):
    monkeypatch.setattr(ib, "_PATIENCE_S", 0.05)
    with pytest.raises(UnreachableError, match="does not answer"):
        fetched(lambda _: [], SeriesKey("bars", "ib", "AAPL", "1d"), START, NOW)


def test_nobody_there():
    async def go() -> None:
        async with InteractiveBrokers("ib", "127.0.0.1:9") as provider:
            await provider.instruments(["AAPL"])

    with pytest.raises(UnreachableError, match=ADDRESS):
        asyncio.run(go())


def test_no_more_than_sixty_requests_in_ten_minutes():
    """By a clock that only sleeping moves: 150 turns, and every stretch of ten minutes counted."""
    now, made = 0.0, []

    async def sleep(duration: float) -> None:
        nonlocal now
        now += duration

    async def go() -> None:
        nonlocal now
        pace = Pace(now_s=lambda: now, sleep=sleep)
        for _ in range(150):
            await pace.turn()
            made.append(now)
            now += 0.25

    asyncio.run(go())
    assert max(sum(begin <= at < begin + 600 for at in made) for begin in made) == 60
    assert made[-1] < 1300


@pytest.mark.parametrize("symbol", ["", "^SPX", "EURO.USD", "BTC/USD"])
def test_what_is_no_symbol(symbol):
    with pytest.raises(ConfigError, match="no symbol"):
        ib._contract(symbol)


def test_where_it_is(monkeypatch):
    monkeypatch.delenv(ADDRESS, raising=False)
    assert vars(ib_provider("ib", MAINNET))["_port"] == 4001
    assert vars(ib_provider("ib", TESTNET))["_port"] == 4002
    monkeypatch.setenv(ADDRESS, "elsewhere")
    with pytest.raises(ConfigError, match="no address"):
        ib_provider("ib", MAINNET)
    with pytest.raises(ConfigError, match="only shares"):
        fetched(lambda _: [], SeriesKey("trades", "ib", "EUR.USD"), START, NOW)
