"""US equities by the real alpaca-py, over HTTP, from a server that answers in the documented shapes.

Nothing of Alpaca was recorded: rows are written by hand after docs.alpaca.markets.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from aiohttp import web

from market.history import contract
from market.history.json_server import Answer, serving
from truewind.domain.clock import parse_ts_us
from truewind.domain.instrument import Kind
from truewind.domain.timeframe import DAY_US, HOUR_US
from truewind.errors import ConfigError, LimitedError, NetworkError, ProtocolError, RejectedError, UnreachableError
from truewind.market.history import alpaca
from truewind.market.history.alpaca import KEY, SECRET, Alpaca
from truewind.market.history.provider import Chunk
from truewind.storage.schema import SeriesKey
from truewind.venues.binance.hosts import Hosts

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("alpaca")
START = parse_ts_us("2024-03-08T14:30")
NOW = parse_ts_us("2024-06-01")


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv(KEY, "the-key")
    monkeypatch.setenv(SECRET, "the-secret")


def fetched(routes: Mapping[str, Answer], key: SeriesKey, start: int, end: int, now: int = NOW) -> list[Chunk]:
    """Chunks from a server with these routes."""

    async def go() -> list[Chunk]:
        async with (
            serving(routes) as (address, _),
            Alpaca("alpaca", Hosts(*[address] * 6), lambda: now) as provider,
        ):
            provider._connected()._retry_wait = 0
            return await contract.fetched(provider, key, start, end)

    chunks = asyncio.run(go())
    assert [chunk.end_us for chunk in chunks[:-1]] == [chunk.start_us for chunk in chunks[1:]]
    for chunk in chunks:
        assert chunk.rows["ts"].to_physical().is_between(chunk.start_us, chunk.end_us, closed="left").all()
    return chunks


def paged(kind: str, rows: list[dict[str, Any]], size: int) -> Answer:
    """Pages of rows by token, between start and end, as the documents have it."""

    def answer(query: Mapping[str, str]) -> Any:
        inside = [row for row in rows if query["start"][:19] <= row["t"][:19] < query["end"][:19]]
        at = int(query.get("page_token", 0))
        following = str(at + size) if at + size < len(inside) else None
        return {kind: {"AAPL": inside[at : at + size]}, "next_page_token": following, "currency": "USD"}

    return answer


def test_minutes_come_in_pages():
    rows = [
        {
            "t": f"2024-03-08T14:{30 + i}:00Z",
            "o": 170.0,
            "h": 171.0,
            "l": 169.0,
            "c": 170.5,
            "v": 100,
            "n": 7,
            "vw": 170.2,
        }
        for i in range(25)
    ]
    key = SeriesKey("bars", "alpaca", "AAPL", "1m")
    chunks = fetched({"/v2/stocks/bars": paged("bars", rows, 10)}, key, START, START + HOUR_US)
    assert len(chunks) == 3
    table = pl.concat(chunk.rows for chunk in chunks)
    assert table.height == 25
    assert table.row(0)[1:] == (170.0, 171.0, 169.0, 170.5, 100.0, 17020.0, 7.0)
    assert (chunks[0].start_us, chunks[-1].end_us) == (START, START + HOUR_US)


def test_days_are_dates_whatever_the_clocks_in_new_york_show():
    """Days are stamped with New York's midnight: 05:00 UTC in winter, 04:00 from 10 March on."""
    bar = {"o": 1.0, "h": 2.0, "l": 0.5, "c": 1.5, "v": 10, "n": 1, "vw": 1.2}
    stamps = ["2024-03-07T05:00:00Z", "2024-03-08T05:00:00Z", "2024-03-11T04:00:00Z"]
    rows = [{"t": stamp, **bar} for stamp in stamps]
    key = SeriesKey("bars", "alpaca", "AAPL", "1d")
    start, end = parse_ts_us("2024-03-08"), parse_ts_us("2024-03-12")
    (chunk,) = fetched({"/v2/stocks/bars": paged("bars", rows, 9)}, key, start, end)
    assert [str(ts)[:19] for ts in chunk.rows["ts"]] == ["2024-03-08 00:00:00", "2024-03-11 00:00:00"]


PRICES = [10.0, 10.0, 10.1, 10.1, 10.0, 10.0, 10.2]
SIDES = [1, 1, 1, 1, -1, -1, 1]  # by hand: the first two have nothing before them


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_sides_of_trades_are_the_tick_rule_wherever_pages_end(size):
    """Two trades share the last moment of a page; one is cancelled."""
    rows = [
        {"t": f"2024-03-08T14:30:0{i // 2}.123456789Z", "x": "V", "p": price, "s": 100, "c": ["@"], "i": 5, "z": "C"}
        for i, price in enumerate(PRICES)
    ]
    rows.insert(3, rows[3] | {"p": 99.0, "u": "canceled"})
    key = SeriesKey("trades", "alpaca", "AAPL")
    chunks = fetched({"/v2/stocks/trades": paged("trades", rows, size)}, key, START, START + HOUR_US)
    table = pl.concat(chunk.rows for chunk in chunks)
    assert table["price"].to_list() == PRICES
    assert table["side"].to_list() == SIDES
    assert str(table["ts"][0]) == "2024-03-08 14:30:00.123456+00:00"
    later = START + 2_000_000
    part = pl.concat(
        c.rows for c in fetched({"/v2/stocks/trades": paged("trades", rows, size)}, key, later, later + HOUR_US)
    )
    assert part["side"].to_list() == SIDES[4:]  # wherever the download begins


def test_quotes():
    rows = [{"t": "2024-03-08T14:30:01Z", "bp": 9.9, "bs": 2, "ap": 10.0, "as": 3, "bx": "Q", "ax": "P", "c": ["R"]}]
    routes = {"/v2/stocks/quotes": paged("quotes", rows, 9)}
    (chunk,) = fetched(routes, SeriesKey("quotes", "alpaca", "AAPL"), START, START + HOUR_US)
    assert chunk.rows.row(0)[1:] == (9.9, 2.0, 10.0, 3.0)


def test_dividends_and_splits():
    """AAPL's dividend of February 2024 with a second one on the day, and its split of 2020: four for one."""
    actions = {
        "cash_dividends": [
            {"symbol": "AAPL", "rate": 0.24, "special": False, "ex_date": "2024-02-09", "payable_date": "2024-02-15"},
            {"symbol": "AAPL", "rate": 0.01, "special": True, "ex_date": "2024-02-09", "payable_date": "2024-02-15"},
        ],
        "forward_splits": [{"symbol": "AAPL", "new_rate": 4, "old_rate": 1, "ex_date": "2020-08-31"}],
        "reverse_splits": [{"symbol": "AAPL", "new_rate": 1, "old_rate": 10, "ex_date": "2021-08-31"}],
    }

    def answer(query: Mapping[str, str]) -> Any:
        wanted = [f"{kind}s" for kind in query["types"].split(",")]
        return {"corporate_actions": {kind: actions[kind] for kind in wanted}, "next_page_token": None}

    routes = {"/v1/corporate-actions": answer}
    span = parse_ts_us("2020-01-01"), parse_ts_us("2024-05-01")
    (paid,) = fetched(routes, SeriesKey("dividends", "alpaca", "AAPL"), *span)
    assert [(str(ts)[:10], amount) for ts, amount in paid.rows.iter_rows()] == [("2024-02-09", 0.25)]
    (split,) = fetched(routes, SeriesKey("splits", "alpaca", "AAPL"), *span)
    assert split.rows["split"].to_list() == [4.0, 0.1]


def test_a_bar_that_is_not_over_is_left():
    rows = [{"t": f"2024-03-08T14:{30 + i}:00Z", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1} for i in range(10)]
    key = SeriesKey("bars", "alpaca", "AAPL", "1m")
    now = START + 5 * 60_000_000 + 1
    (chunk,) = fetched({"/v2/stocks/bars": paged("bars", rows, 99)}, key, START, START + HOUR_US, now)
    assert (chunk.rows.height, chunk.end_us) == (5, START + 5 * 60_000_000)
    assert fetched({}, key, NOW + DAY_US, NOW + 2 * DAY_US) == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (lambda _: web.json_response({"message": "forbidden."}, status=403), RejectedError),
        (lambda _: web.json_response({"message": "invalid symbol"}, status=400), RejectedError),
        (lambda _: web.json_response({"message": "too many requests."}, status=429), LimitedError),
        (lambda _: web.Response(text="<html>bad gateway</html>", status=502), UnreachableError),
        (lambda _: web.Response(text="<html>hotel</html>"), ProtocolError),
        (lambda _: [1, 2], ProtocolError),
        (lambda _: {"bars": {}, "next_page_token": "again"}, ProtocolError),
        (lambda _: {"bars": {"AAPL": [{"t": "yesterday"}]}}, ProtocolError),
        (lambda _: {"bars": {"AAPL": [{"t": "yesterday", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1}]}}, ProtocolError),
    ],
)
def test_errors_are_ours_and_tell_no_key(reply, error):
    key = SeriesKey("bars", "alpaca", "AAPL", "1m")
    with pytest.raises(error) as caught:
        fetched({"/v2/stocks/bars": reply}, key, START, START + HOUR_US)
    assert isinstance(caught.value, NetworkError)
    assert "the-secret" not in str(caught.value.as_dict())


def test_without_a_key_it_says_what_to_do(monkeypatch):
    monkeypatch.delenv(SECRET)

    with pytest.raises(ConfigError, match=SECRET):
        fetched({}, SeriesKey("bars", "alpaca", "AAPL", "1m"), START, NOW)
    assert "the-key" not in repr(vars(Alpaca("alpaca")))
    assert alpaca.alpaca_provider("alpaca", Hosts(*[""] * 6)).offer(SeriesKey("bars", "alpaca", "AAPL", "1d"))


def test_instruments_are_shares():
    (found,) = asyncio.run(Alpaca("alpaca").instruments(["AAPL"]))
    assert (found.kind, found.quote, found.calendar) == (Kind.EQUITY, "USD", "us_equities")
