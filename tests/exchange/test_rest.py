"""Public REST of the local exchange: the venue's shapes, rules and refusals."""

import gzip
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from truewind.exchange import LocalExchange

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
    status, answer = ask(host, path + (_query(path) if path != "/fapi/v1/time" else ""), key="any")
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
