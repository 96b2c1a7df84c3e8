"""Other exchanges by the real ccxt over HTTP: recorded replies of Kraken and OKX; where nothing was recorded, replies
in the documented shape that follow the documented rules for starts, ends, limits and order."""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from market.history import contract
from market.history.json_server import Answer, serving
from profiles import examples
from truewind.domain.clock import parse_ts_us
from truewind.domain.instrument import Instrument, Kind
from truewind.errors import (
    ConfigError,
    LimitedError,
    ProtocolError,
    RejectedError,
    TruewindError,
    UnknownSeriesError,
    UnreachableError,
)
from truewind.market.history.ccxt import CcxtProvider
from truewind.market.history.provider import Chunk
from truewind.market.history.sources import sources_of
from truewind.storage.schema import SeriesKey
from truewind.venues.binance.hosts import Hosts

HOUR_US, MINUTE_US = 3_600_000_000, 60_000_000
START_US = parse_ts_us("2024-01-01")
NOW_US = parse_ts_us("2024-03-01")
Rows = list[list[Any]]


def at(address: str) -> Hosts:
    """All hosts at one address."""
    return Hosts(address, address, address, address, address, address)


def fetched(
    venue: str, routes: Mapping[str, Answer], key: SeriesKey, start_us: int, end_us: int, now_us: int = NOW_US
) -> tuple[list[Chunk], list[tuple[str, dict[str, str]]]]:
    """Chunks of a series from a server with these routes, and what it was asked. Chunks must follow each other."""

    async def go() -> tuple[list[Chunk], list[tuple[str, dict[str, str]]]]:
        async with serving(routes) as (address, asked), CcxtProvider(venue, at(address), lambda: now_us) as provider:
            provider._client.enableRateLimit = False
            chunks = await contract.fetched(provider, key, start_us, end_us)
        return chunks, asked

    chunks, asked = asyncio.run(go())
    last = start_us
    for chunk in chunks:
        assert last <= chunk.start_us < chunk.end_us <= end_us
        times = chunk.rows["ts"].to_physical()
        assert times.is_sorted()
        assert times.is_between(chunk.start_us, chunk.end_us, closed="left").all()
        last = chunk.end_us
    return chunks, asked


def table(chunks: list[Chunk]) -> pl.DataFrame:
    return pl.concat(chunk.rows for chunk in chunks)


def described(venue: str, routes: Mapping[str, Answer], *symbols: str) -> list[Instrument]:
    async def go() -> list[Instrument]:
        async with serving(routes) as (address, _), CcxtProvider(venue, at(address)) as provider:
            return await provider.instruments(symbols)

    return asyncio.run(go())


# ── Kraken: recorded bars and trades ────────────────────────────────────────────────────────────────────────────────

PAIR = {
    "XBTUSDT": {
        "altname": "XBTUSDT", "wsname": "XBT/USDT", "base": "XXBT", "quote": "USDT", "pair_decimals": 1,
        "lot_decimals": 8, "cost_decimals": 8, "ordermin": "0.00005", "costmin": "0.5", "tick_size": "0.1",
        "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "status": "online",
    }
}  # fmt: skip


def recorded(shared: Path, name: str) -> Any:
    return json.loads(gzip.decompress((shared / "nautilus" / name).read_bytes()))


def kraken(shared: Path) -> dict[str, Answer]:
    """Recorded rows; of trades, pages of what comes after a token, in nanoseconds."""
    bars, trades = recorded(shared, "kraken_rest_ohlc.json.gz"), recorded(shared, "kraken_rest_trades.json.gz")
    rows = trades["result"]["XBTUSDT"]

    def after(query: Mapping[str, str]) -> Any:
        page = [row for row in rows if round(row[2] * 1e6) * 1000 > int(query["since"])][:300]
        last = round(page[-1][2] * 1e6) * 1000 if page else query["since"]
        return {"error": [], "result": {"XBTUSDT": page, "last": str(last)}}

    return {
        "/0/public/AssetPairs": lambda _: {"error": [], "result": PAIR},
        "/0/public/OHLC": lambda _: bars,
        "/0/public/Trades": after,
    }


def test_kraken_gives_its_last_bars_only_and_says_for_which_time(shared):
    """720 of the 721 recorded minutes were over; 12:17 is the first that the reply has."""
    start, end = parse_ts_us("2025-11-10T00:00"), parse_ts_us("2025-11-11T01:00")
    now = parse_ts_us("2025-11-11T00:17:30")
    (chunk,), _ = fetched("kraken", kraken(shared), SeriesKey("bars", "kraken", "XBTUSDT", "1m"), start, end, now)
    assert (chunk.start_us, chunk.end_us) == (parse_ts_us("2025-11-10T12:17"), parse_ts_us("2025-11-11T00:17"))
    assert chunk.rows.height == 720
    assert chunk.rows.row(0)[1:] == (106038.2, 106038.2, 106038.2, 106038.2, 0.0)


def test_trades_of_kraken_are_walked_by_their_tokens(shared):
    """All 1,000, in pages, to the microsecond, with their numbers."""
    rows = recorded(shared, "kraken_rest_trades.json.gz")["result"]["XBTUSDT"]
    start, end = parse_ts_us("2025-11-10T12:00"), parse_ts_us("2025-11-11T00:30")
    key = SeriesKey("trades", "kraken", "XBTUSDT")
    chunks, asked = fetched("kraken", kraken(shared), key, start, end, parse_ts_us("2025-11-11T00:30"))
    found = table(chunks)
    assert found["id"].to_list() == [row[6] for row in rows]
    assert found["ts"].to_physical().to_list() == [round(row[2] * 1e6) for row in rows]
    assert found["price"].to_list() == [float(row[0]) for row in rows]
    assert set(found["side"]) == {1, -1}
    assert len(asked) >= 5
    assert (chunks[0].start_us, chunks[-1].end_us) == (start, end)


def test_instruments_of_kraken(shared):
    (found,) = described("kraken", kraken(shared), "XBTUSDT")
    assert (found.base, found.quote, found.kind) == ("BTC", "USDT", Kind.SPOT)
    assert (found.tick_size, found.lot_size) == (Decimal("0.1"), Decimal("0.00000001"))
    assert (found.min_quantity, found.min_notional) == (Decimal("0.00005"), Decimal("0.5"))


# ── OKX: recorded instruments, documented rows ──────────────────────────────────────────────────────────────────────


def okx_instruments(shared: Path) -> Answer:
    """The replies recorded in May 2022, by type."""
    lines = gzip.decompress((shared / "cryptofeed" / "OKX.0.txt.gz").read_bytes()).decode().splitlines()
    replies = {}
    for line in lines:
        url, arrow, rest = line.partition(" -> ")
        if arrow:
            replies.setdefault(url.partition("instType=")[2], json.loads(rest.partition(": ")[2]))
    return lambda query: replies[query["instType"]]


def okx_page(rows: Rows, time: Callable[[Any], int], most: int) -> Answer:
    """Rows newer than `before` and older than `after` (ms, both excluded), the newest first."""

    def answer(query: Mapping[str, str]) -> Any:
        low, high = int(query.get("before", -1)), int(query.get("after", 1 << 62))
        page = [row for row in rows if low < time(row) < high]
        page.sort(key=time, reverse=True)
        return {"code": "0", "msg": "", "data": page[: min(most, int(query.get("limit", 100)))]}

    return answer


def test_instruments_of_okx_as_recorded(shared):
    """2022: a linear contract of 0.01 BTC is told in BTC; of an inverse one 100 dollars."""
    routes = {"/api/v5/public/instruments": okx_instruments(shared)}
    spot, linear, inverse, dated = described(
        "okx", routes, "BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP", "BTC-USD-220527"
    )
    assert (spot.kind, spot.tick_size, spot.lot_size) == (Kind.SPOT, Decimal("0.1"), Decimal("0.00000001"))
    assert (linear.kind, linear.lot_size, linear.multiplier) == (Kind.PERPETUAL, Decimal("0.01"), 1)
    assert (linear.settle, linear.inverse) == ("USDT", False)
    assert (inverse.multiplier, inverse.lot_size, inverse.inverse) == (100, 1, True)
    assert dated.expiry_us == parse_ts_us("2022-05-27T08:00")


def test_bars_of_okx_come_in_windows(shared):
    """Ends are excluded and the newest come first: 700 hours, none twice, none lost."""
    rows = [
        [str((START_US + i * HOUR_US) // 1000), f"{i + 2}", f"{i + 4}", f"{i + 1}", f"{i + 3}", "10", "0.1", "5", "1"]
        for i in range(700)
    ]
    page = okx_page(rows, lambda row: int(row[0]), 300)
    routes = {
        "/api/v5/public/instruments": okx_instruments(shared),
        "/api/v5/market/candles": page,
        "/api/v5/market/history-candles": page,
    }
    key = SeriesKey("bars", "okx", "BTC-USDT", "1h")
    chunks, _ = fetched("okx", routes, key, START_US, START_US + 720 * HOUR_US)
    assert table(chunks)["open"].to_list() == [float(i + 2) for i in range(700)]
    assert [chunk.rows.height for chunk in chunks] == [300, 300, 100]
    assert table(chunks)["volume"][0] == 10.0  # spot: base units


def test_trades_of_okx_are_walked_back_by_their_numbers(shared):
    """Several share a millisecond, also at the edges of pages. Contracts of 0.01 BTC become BTC."""
    rows: list[dict[str, str]] = [
        {
            "instId": "BTC-USDT-SWAP", "side": "buy" if i % 3 else "sell", "sz": "5", "px": f"{40000 + i}",
            "tradeId": str(7000 + i), "ts": str(START_US // 1000 + i // 150 * 40_000),
        }
        for i in range(600)
    ]  # fmt: skip

    def answer(query: Mapping[str, str]) -> Any:
        field, bound = ("ts", int(query["after"])) if query["type"] == "2" else ("tradeId", int(query["after"]))
        older = [row for row in rows if int(row[field]) < bound]
        return {"code": "0", "msg": "", "data": sorted(older, key=lambda row: -int(row["tradeId"]))[:100]}

    routes = {
        "/api/v5/public/instruments": okx_instruments(shared),
        "/api/v5/market/history-trades": answer,
    }
    key = SeriesKey("trades", "okx", "BTC-USDT-SWAP")
    chunks, _ = fetched("okx", routes, key, START_US, START_US + 2 * HOUR_US)
    found = table(chunks)
    assert found["id"].to_list() == list(range(7000, 7600))
    assert found["quantity"].unique().to_list() == [0.05]
    assert found["side"].to_list()[:4] == [-1, 1, 1, -1]
    assert [(chunk.start_us - START_US) // HOUR_US for chunk in chunks] == [0, 1]


def test_funding_of_okx_reaches_back_three_months(shared):
    rows = [
        {
            "instType": "SWAP", "instId": "BTC-USDT-SWAP", "fundingRate": "0.5", "realizedRate": f"0.000{i % 9 + 1}",
            "fundingTime": str((START_US + i * 8 * HOUR_US) // 1000),
        }
        for i in range(150)
    ]  # fmt: skip
    routes = {
        "/api/v5/public/instruments": okx_instruments(shared),
        "/api/v5/public/funding-rate-history": okx_page(rows, lambda row: int(row["fundingTime"]), 100),
    }
    key = SeriesKey("funding", "okx", "BTC-USDT-SWAP")
    chunks, _ = fetched("okx", routes, key, parse_ts_us("2023-06-01"), NOW_US)
    assert chunks[0].start_us == NOW_US - 90 * 24 * HOUR_US
    assert table(chunks)["rate"].to_list() == [float(row["realizedRate"]) for row in rows]


# ── Bybit: documented shapes and rules ──────────────────────────────────────────────────────────────────────────────


def bybit_market(category: str) -> dict[str, Any]:
    about = {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading"}
    if category == "spot":
        lot = {
            "basePrecision": "0.000001",
            "quotePrecision": "0.0000001",
            "minOrderQty": "0.000011",
            "minOrderAmt": "5",
        }
        return about | {"marginTrading": "utaOnly", "lotSizeFilter": lot, "priceFilter": {"tickSize": "0.01"}}
    lot = {"qtyStep": "0.001", "minOrderQty": "0.001", "maxOrderQty": "1190", "minNotionalValue": "5"}
    return about | {
        "contractType": "LinearPerpetual", "settleCoin": "USDT", "launchTime": "1585526400000", "deliveryTime": "0",
        "priceScale": "2", "fundingInterval": 480, "lotSizeFilter": lot,
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100", "leverageStep": "0.01"},
    }  # fmt: skip


def bybit_ok(rows: Any, category: str = "linear") -> Any:
    result = {"category": category, "list": rows, "nextPageCursor": ""}
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": 1}


def bybit(
    path: str, rows: Rows, time: Callable[[Any], int], start: str = "start", end: str = "end"
) -> dict[str, Answer]:
    """Rows between start and end (ms, both included), the newest first, from the newest."""

    def answer(query: Mapping[str, str]) -> Any:
        page = [row for row in rows if int(query[start]) <= time(row) <= int(query[end])]
        page.sort(key=time, reverse=True)
        return bybit_ok(page[: int(query["limit"])])

    def markets(query: Mapping[str, str]) -> Any:
        there = query["category"] != "inverse" and query.get("status") != "PreLaunch"
        return bybit_ok([bybit_market(query["category"])] if there else [], query["category"])

    return {"/v5/market/instruments-info": markets, path: answer}


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("bars", "kline"),
        ("mark_bars", "mark-price-kline"),
        ("index_bars", "index-price-kline"),
        ("premium_index", "premium-index-price-kline"),
    ],
)
def test_bars_of_bybit_come_in_windows(kind, path):
    rows = [
        [str((START_US + i * MINUTE_US) // 1000), f"{i + 2}", f"{i + 4}", f"{i + 1}", f"{i + 3}", "1.5", "60000"]
        for i in range(2500)
    ]
    routes = bybit(f"/v5/market/{path}", rows, lambda row: int(row[0]))
    key = SeriesKey(kind, "bybit_swap", "BTCUSDT", "1m")
    chunks, asked = fetched("bybit_swap", routes, key, START_US, START_US + 3000 * MINUTE_US)
    assert table(chunks)["close"].to_list() == [float(i + 3) for i in range(2500)]
    assert ("volume" in table(chunks).columns) == (kind == "bars")
    assert {query["category"] for path, query in asked if "kline" in path} == {"linear"}
    assert [(chunk.start_us, chunk.end_us) for chunk in chunks][-1][1] == START_US + 3000 * MINUTE_US


def test_a_symbol_that_is_two_things_is_spot_unless_the_venue_says_more():
    routes = bybit("/v5/market/kline", [], lambda row: int(row[0]))
    (spot,), (swap,) = described("bybit", routes, "BTCUSDT"), described("bybit_swap", routes, "BTCUSDT")
    assert (spot.kind, spot.tick_size, spot.venue) == (Kind.SPOT, Decimal("0.01"), "bybit")
    assert (swap.kind, swap.lot_size, swap.settle) == (Kind.PERPETUAL, Decimal("0.001"), "USDT")
    with pytest.raises(UnknownSeriesError, match="Did you mean 'BTCUSDT'"):
        described("bybit", routes, "BTCUSD")
    with pytest.raises(ConfigError, match="Write BTCUSDT"):
        described("bybit", routes, "BTC/USDT")


def test_a_bar_that_is_not_over_is_left_to_the_next_time():
    rows = [[str((START_US + i * MINUTE_US) // 1000), "2", "4", "1", "3", "1", "1"] for i in range(10)]
    routes = bybit("/v5/market/kline", rows, lambda row: int(row[0]))
    key = SeriesKey("bars", "bybit", "BTCUSDT", "1m")
    now = START_US + 5 * MINUTE_US + 30_000_000
    (chunk,), _ = fetched("bybit", routes, key, START_US, START_US + HOUR_US, now)
    assert (chunk.rows.height, chunk.end_us) == (5, START_US + 5 * MINUTE_US)


def test_funding_and_open_interest_of_bybit():
    rates: list[Any] = [
        {
            "symbol": "BTCUSDT", "fundingRate": f"-0.000{i % 9 + 1}",
            "fundingRateTimestamp": str((START_US + i * HOUR_US) // 1000),
        }
        for i in range(500)
    ]  # fmt: skip
    path, end_us = "/v5/market/funding/history", START_US + 520 * HOUR_US
    routes = bybit(path, rates, lambda row: int(row["fundingRateTimestamp"]), "startTime", "endTime")
    key = SeriesKey("funding", "bybit_swap", "BTCUSDT")
    chunks, _ = fetched("bybit_swap", routes, key, START_US, end_us)
    assert table(chunks)["rate"].to_list() == [float(row["fundingRate"]) for row in rates]
    interest: list[Any] = [
        {"openInterest": f"{i + 0.25}", "timestamp": str((START_US + i * 5 * MINUTE_US) // 1000)} for i in range(450)
    ]
    routes = bybit("/v5/market/open-interest", interest, lambda row: int(row["timestamp"]), "startTime", "endTime")
    key = SeriesKey("open_interest", "bybit_swap", "BTCUSDT")
    chunks, _ = fetched("bybit_swap", routes, key, START_US, START_US + 500 * 5 * MINUTE_US)
    assert table(chunks)["open_interest"].to_list() == [i + 0.25 for i in range(450)]


def test_the_recent_trades_of_bybit_are_no_history():
    """A UUID is no number: rows then go by time and order. Of time before the page nothing is claimed."""
    first = NOW_US - 10 * MINUTE_US
    rows = [
        {
            "execId": f"a-{i}", "symbol": "BTCUSDT", "price": "40000", "size": "0.5", "side": "Sell",
            "time": str((first + i * 1_000_000) // 1000), "isBlockTrade": False,
        }
        for i in range(60)
    ]  # fmt: skip
    routes = bybit("/v5/market/recent-trade", [], lambda row: 0)
    routes["/v5/market/recent-trade"] = lambda _: bybit_ok(rows[::-1])
    key = SeriesKey("trades", "bybit", "BTCUSDT")
    (chunk,), _ = fetched("bybit", routes, key, START_US, NOW_US)
    assert chunk.start_us == first + 1
    assert (chunk.rows.height, chunk.rows.columns) == (59, ["ts", "price", "quantity", "side"])


# ── exchanges of which nothing particular is known ──────────────────────────────────────────────────────────────────


def binanceus(rows: Rows, *, obeys: bool) -> dict[str, Answer]:
    """Klines from startTime on, or, where it is not obeyed, the newest."""
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01", "minPrice": "0.01", "maxPrice": "100000"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "9000"},
    ]
    symbol = {
        "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT", "filters": filters,
        "permissionSets": [["SPOT"]], "isSpotTradingAllowed": True,
    }  # fmt: skip

    def klines(query: Mapping[str, str]) -> Any:
        later = [row for row in rows if row[0] >= int(query["startTime"])]
        most = int(query["limit"])
        return later[:most] if obeys else rows[-most:]

    return {"/api/v3/exchangeInfo": lambda _: {"symbols": [symbol]}, "/api/v3/klines": klines}


@pytest.mark.parametrize("obeys", [True, False])
def test_of_an_exchange_that_ignores_the_start_nothing_is_claimed_that_it_did_not_say(obeys):
    """1,200 minutes of which the first has none; the one page of a deaf exchange holds the last 500."""
    rows = [
        [(START_US + i * MINUTE_US) // 1000, "2", "4", "1", "3", "1", 0, "1", 1, "1", "1", "0"] for i in range(1, 1201)
    ]
    key = SeriesKey("bars", "binanceus", "BTCUSDT", "1m")
    end = START_US + 1201 * MINUTE_US
    chunks, _ = fetched("binanceus", binanceus(rows, obeys=obeys), key, START_US, end)
    covered = sum(chunk.end_us - chunk.start_us for chunk in chunks) // MINUTE_US
    assert covered == table(chunks).height == (1200 if obeys else 500)


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (lambda _: web.json_response({"retCode": 10006, "retMsg": "Too many visits!"}), LimitedError),
        (
            lambda _: web.Response(text="<html>maintenance</html>", content_type="text/html", status=503),
            UnreachableError,
        ),
        (lambda _: web.json_response({"retCode": 10001, "retMsg": "params error"}), RejectedError),
        (lambda _: web.Response(text='{"retCode": 0, "result": {"li', content_type="application/json"), ProtocolError),
    ],
)
def test_errors_are_ours_and_name_the_exchange(monkeypatch, reply, error):
    monkeypatch.setattr("truewind.market.history.ccxt._PAUSE_MS", 1)
    routes = bybit("/v5/market/kline", [], lambda row: 0) | {"/v5/market/kline": reply}
    key = SeriesKey("bars", "bybit", "BTCUSDT", "1m")
    with pytest.raises(error, match="bybit"):
        fetched("bybit", routes, key, START_US, START_US + HOUR_US)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=12,
)
NAMED = st.fixed_dictionaries({}, optional=dict.fromkeys(("list", "data", "XBTUSDT", "last", "category"), JSON))
REPLY = st.one_of(
    JSON,
    st.fixed_dictionaries({"retCode": st.just(0), "result": st.one_of(JSON, NAMED)}),
    st.fixed_dictionaries({"code": st.just("0"), "data": JSON}),
    st.fixed_dictionaries({"error": st.just([]), "result": st.one_of(JSON, NAMED)}),
)


@given(
    st.sampled_from(
        ["bybit kline bars", "bybit recent-trade trades", "okx history-trades trades", "kraken Trades trades"]
    ),
    REPLY,
)
@examples(12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_senseless_replies_are_errors_of_ours_or_hold_nothing(shared, monkeypatch, where, reply):
    """Whatever JSON comes: a TruewindError, or rows in order of time that lie where the chunk says."""
    monkeypatch.setattr("truewind.market.history.ccxt._PAUSE_MS", 1)
    venue, path, kind = where.split()
    routes = {
        "bybit": bybit("/v5/market/kline", [], lambda row: 0),
        "okx": {"/api/v5/public/instruments": okx_instruments(shared)},
        "kraken": kraken(shared),
    }[venue]
    prefix = {"bybit": "/v5/market/", "okx": "/api/v5/market/", "kraken": "/0/public/"}[venue]
    symbol = {"bybit": "BTCUSDT", "okx": "BTC-USDT", "kraken": "XBTUSDT"}[venue]
    key = SeriesKey(kind, venue, symbol, "1h" if kind == "bars" else "")
    with suppress(TruewindError):
        fetched(venue, routes | {f"{prefix}{path}": lambda _: reply}, key, START_US, START_US + HOUR_US)


@pytest.mark.parametrize("last", ["0", "1704067199999999999"])
def test_pages_that_go_back_end_in_an_error(shared, last):
    trade = ["40000.0", "0.1", START_US / 1e6 + 1, "b", "l", "", 7]
    reply = {"error": [], "result": {"XBTUSDT": [trade], "last": last}}
    routes = kraken(shared) | {"/0/public/Trades": lambda _: reply}
    with pytest.raises(ProtocolError, match="before this one"):
        fetched("kraken", routes, SeriesKey("trades", "kraken", "XBTUSDT"), START_US + 5, START_US + HOUR_US)


def test_a_server_that_is_not_there(monkeypatch):
    monkeypatch.setattr("truewind.market.history.ccxt._PAUSE_MS", 1)
    with pytest.raises(UnreachableError, match="bybit"):
        asyncio.run(_nowhere())


async def _nowhere() -> None:
    async with CcxtProvider("bybit", at("http://127.0.0.1:9")) as provider:
        await provider.instruments(["BTCUSDT"])


def test_any_exchange_of_ccxt_is_a_venue():
    async def go() -> None:
        (provider,) = sources_of("okx")
        async with provider:
            assert {offer.kind for offer in provider.offers} >= {"bars", "trades", "funding", "open_interest"}
            assert provider.offer(SeriesKey("bars", "okx", "BTC-USDT", "1h")) is not None
        with pytest.raises(ConfigError, match="kraken"):
            sources_of("krakn")

    asyncio.run(go())
