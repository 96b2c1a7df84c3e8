"""Public REST of the local exchange: the venue's shapes, rules and refusals."""

import gzip
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from truewind.exchange import LocalExchange
from truewind.exchange.accounts import LOCAL_KEY

# Recorded under these paths, and asked here with the symbols that the local exchange has.
_SPOT = (
    "avgPrice",
    "depth",
    "historicalTrades",
    "klines",
    "ticker/24hr",
    "ticker/bookTicker",
    "ticker/price",
    "trades",
)
_USDM = (
    *("depth", "klines", "openInterest", "premiumIndex", "ticker/24hr", "ticker/bookTicker", "ticker/price"),
    *("time", "fundingRate", "aggTrades", "trades"),
)
_STATISTICS = (*("globalLongShortAccountRatio", "openInterestHist", "takerlongshortRatio", "topLongShortAccountRatio"),)


def ask(host: str, path: str, *, key: str = "") -> tuple[int, Any]:
    request = urllib.request.Request(host + path, headers={"X-MBX-APIKEY": key} if key else {})
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def shape(value: Any) -> Any:
    """Keys and types, of a list its first item's."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return (
            [shape(value[0])] if value and isinstance(value[0], (dict, list)) else [shape(item) for item in value[:12]]
        )
    return type(value).__name__


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Any]:
    with gzip.open(shared / "gocryptotrader" / "binance_rest_public_get.json.gz") as file:
        found: dict[str, Any] = json.load(file)
    return found


def _query(path: str) -> str:
    extra = {"klines": "&interval=1m&limit=3"}.get(path.rpartition("/")[2], "")
    return f"?symbol=BTCUSDT{extra}" + ("&period=5m" if "Ratio" in path or path.endswith("Hist") else "")


@pytest.mark.parametrize(
    ("market", "path"),
    [("spot", f"/api/v3/{name}") for name in _SPOT]
    + [("usdm", f"/fapi/v1/{name}") for name in _USDM]
    + [("usdm", f"/futures/data/{name}") for name in _STATISTICS],
)
def test_shapes_are_those_recorded(exchange: LocalExchange, recorded: dict[str, Any], market: str, path: str) -> None:
    """Every key that was recorded is answered, with its type; newer keys may come along."""
    host = exchange.hosts.spot_rest if market == "spot" else exchange.hosts.usdm_rest
    status, answer = ask(host, path + (_query(path) if path != "/fapi/v1/time" else ""), key=LOCAL_KEY)
    assert status == 200, answer
    replies = [entry["data"] for entry in recorded[path] if entry["data"] and "symbol=BTCUSDT" in entry["queryString"]]
    replies = replies or [recorded[path][0]["data"]]
    sample = max((reply for reply in replies if "code" not in reply), key=len)
    wanted, found = shape(sample), shape(answer)
    if isinstance(wanted, list):
        wanted, found = wanted[0], found[0]
    if isinstance(wanted, dict):
        found = {name: value for name, value in found.items() if name in wanted}
    assert found == wanted


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v3/klines?symbol=NOSUCH&interval=1m", 400, -1121),
        ("/api/v3/klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("/api/v3/klines?symbol=BTCUSDT", 400, -1102),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=x", 400, -1100),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=0", 400, -1130),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=2&endTime=1", 400, -1128),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=", 400, -1105),
        ("/api/v3/depth?symbol=BTCUSDT&colour=red", 400, -1104),
        ("/api/v3/nonsense", 404, -5000),
    ],
)
def test_mistakes_have_the_venues_codes(exchange: LocalExchange, path: str, status: int, code: int) -> None:
    """Codes of `errors.md`."""
    found, answer = ask(exchange.hosts.spot_rest, path)
    assert (found, answer["code"]) == (status, code)


def test_exchange_info_reads_back_as_the_instruments(exchange: LocalExchange) -> None:
    """Our own reader of exchangeInfo finds the steps again."""
    from truewind.venues.binance.instruments import instruments

    for market, path, venue in (
        ("spot", "/api/v3/exchangeInfo", "binance"),
        ("usdm", "/fapi/v1/exchangeInfo", "binance_usdm"),
    ):
        host = getattr(exchange.hosts, f"{market}_rest")
        found = {about.symbol: about for about in instruments(ask(host, path)[1], venue)}
        for symbol, tape in exchange.markets[market].tapes.items():
            assert (found[symbol].tick_size, found[symbol].lot_size) == (tape.about.tick_size, tape.about.lot_size)
            assert found[symbol].min_notional == tape.about.min_notional
            assert found[symbol].kind == tape.about.kind


_DOCUMENTED = {
    "agg_trades": "/fapi/v1/aggTrades",
    "book_ticker": "/fapi/v1/ticker/bookTicker",
    "depth": "/fapi/v1/depth",
    "exchange_info": "/fapi/v1/exchangeInfo",
    "funding_rate": "/fapi/v1/fundingRate",
    "global_long_short_account_ratio": "/futures/data/globalLongShortAccountRatio",
    "historical_trades": "/fapi/v1/historicalTrades",
    "index_price_klines": "/fapi/v1/indexPriceKlines",
    "klines": "/fapi/v1/klines",
    "mark_price_klines": "/fapi/v1/markPriceKlines",
    "open_interest": "/fapi/v1/openInterest",
    "open_interest_historical": "/futures/data/openInterestHist",
    "premium_index": "/fapi/v1/premiumIndex",
    "taker_long_short_ratio": "/futures/data/takerlongshortRatio",
    "ticker_24hr": "/fapi/v1/ticker/24hr",
    "ticker_price": "/fapi/v1/ticker/price",
    "top_long_short_account_ratio": "/futures/data/topLongShortAccountRatio",
    "top_long_short_position_ratio": "/futures/data/topLongShortPositionRatio",
    "trades": "/fapi/v1/trades",
}
_GONE = {"settlePlan"}  # no longer in the replies of 2025
# Those examples write times as text here, the recordings as numbers.
_AS_RECORDED = {"timestamp": "int"}


@pytest.mark.parametrize("name", _DOCUMENTED)
def test_shapes_are_those_of_the_documents(exchange: LocalExchange, shared: Path, name: str) -> None:
    """The venue's own examples: every key, and its type."""
    items = json.loads((shared.parent / "payloads" / "nautilus_binance_futures_http.json").read_text())["items"]
    wanted = shape(next(item["payload"] for item in items if item["name"] == f"http_futures_market_{name}"))
    path = _DOCUMENTED[name]
    query = "?pair=BTCUSDT&interval=1m&limit=3" if "index_price" in name else _query(path)
    query = query if name != "exchange_info" else ""
    query += "&interval=1m&limit=3" if name == "mark_price_klines" else ""
    status, answer = ask(exchange.hosts.usdm_rest, path + query, key=LOCAL_KEY)
    assert status == 200, answer
    found = shape(answer)
    if isinstance(wanted, list):
        wanted, found = wanted[0], found[0]
    if isinstance(wanted, dict):
        wanted |= {key: kind for key, kind in _AS_RECORDED.items() if key in wanted}
        missing = _without(found, wanted)
        assert missing == {}, missing
    else:
        assert found == wanted


def _without(found: Any, wanted: Any) -> dict[str, Any]:
    """What of `wanted` is not in `found`, or of another type; filters and symbols by their first item."""
    if not isinstance(wanted, dict):
        return {}
    missing = {key: kind for key, kind in wanted.items() if key not in found and key not in _GONE}
    for key in wanted.keys() & found.keys():
        if isinstance(wanted[key], str) and found[key] != wanted[key]:
            missing[key] = (wanted[key], found[key])
        if isinstance(wanted[key], list) and wanted[key] and found[key]:
            missing |= _without(found[key][0], wanted[key][0])
    return missing
