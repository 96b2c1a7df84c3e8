"""REST replies as tables: recorded ones to the digit, damaged ones never as a wrong row."""

import gzip
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.errors import ProtocolError
from truewind.venues.binance import payloads

Decode = Callable[[bytes], pl.DataFrame]
OPEN = 1_700_000_040_000
KLINE = [OPEN, "100.5", "101", "99.25", "100", "12.5", OPEN + 59_999, "1250.75", 42, "6.25", "625.5", "0"]
AGG = {"a": 7, "p": "100.5", "q": "0.25", "f": 1, "l": 2, "T": OPEN, "m": True, "M": True}


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(
        gzip.decompress((shared / "gocryptotrader" / "binance_rest_public_get.json.gz").read_bytes())
    )
    return found


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def check(frame: pl.DataFrame, column: str, expected: list[Any]) -> None:
    """Column by column against what Python's own json and float make of the reply."""
    got = frame[column].to_physical() if column in ("ts", "close_time") else frame[column]
    assert got.to_list() == expected, column


def ms(values: list[Any]) -> list[int]:
    return [int(value) * 1000 for value in values]


@pytest.mark.parametrize("path", ["/api/v3/klines", "/fapi/v1/klines"])
def test_recorded_klines_come_to_the_digit(recorded: dict[str, list[dict[str, Any]]], path: str) -> None:
    """Every recorded reply of both markets, whatever its length."""
    for reply in recorded[path]:
        rows, frame = reply["data"], payloads.klines(encoded(reply["data"]))
        check(frame, "ts", ms([row[0] for row in rows]))
        check(frame, "close_time", ms([row[6] for row in rows]))
        for at, name in {1: "open", 2: "high", 3: "low", 4: "close", 5: "volume", 7: "quote_volume"}.items():
            check(frame, name, [float(row[at]) for row in rows])
        check(frame, "trades", [float(row[8]) for row in rows])
        check(frame, "taker_buy_volume", [float(row[9]) for row in rows])


@pytest.mark.parametrize("path", ["/api/v3/aggTrades", "/fapi/v1/aggTrades"])
def test_recorded_aggregates_come_to_the_digit_or_not_at_all(
    recorded: dict[str, list[dict[str, Any]]], path: str
) -> None:
    """Some replies were edited by hand, with an empty name in place of `m`: who bought is not guessed."""
    edited = 0
    for reply in recorded[path]:
        rows = reply["data"]
        if not all("m" in row for row in rows):
            with pytest.raises(ProtocolError, match="`m`"):
                payloads.agg_trades(encoded(rows))
            edited += 1
            continue
        frame = payloads.agg_trades(encoded(rows))
        check(frame, "ts", ms([row["T"] for row in rows]))
        check(frame, "price", [float(row["p"]) for row in rows])
        check(frame, "quantity", [float(row["q"]) for row in rows])
        check(frame, "side", [-1 if row["m"] else 1 for row in rows])  # the buyer was the maker: the taker sold
        check(frame, "id", [row["a"] for row in rows])
    assert (edited > 0) == path.startswith("/api")


def test_recorded_trades_depth_and_statistics(recorded: dict[str, list[dict[str, Any]]]) -> None:
    """All other replies that have a table."""
    for path in ("/api/v3/trades", "/fapi/v1/trades", "/api/v3/historicalTrades"):
        for reply in recorded[path]:
            rows, frame = reply["data"], payloads.trades(encoded(reply["data"]))
            check(frame, "id", [row["id"] for row in rows])
            check(frame, "price", [float(row["price"]) for row in rows])
            check(frame, "side", [-1 if row["isBuyerMaker"] else 1 for row in rows])
    for path in ("/api/v3/depth", "/fapi/v1/depth"):
        for reply in recorded[path]:
            book, frame = reply["data"], payloads.depth(encoded(reply["data"]), OPEN * 1000)
            levels = book["bids"] + book["asks"]
            check(frame, "price", [float(price) for price, _ in levels])
            check(frame, "quantity", [float(quantity) for _, quantity in levels])
            check(frame, "side", [1] * len(book["bids"]) + [-1] * len(book["asks"]))
            check(frame, "ts", [book.get("T", OPEN) * 1000] * len(levels))
    for reply in recorded["/fapi/v1/fundingRate"]:
        symbol = parse_qs(reply["queryString"])["symbol"][0]
        if reply["data"] is None:
            with pytest.raises(ProtocolError):
                payloads.funding_rates(b"null", symbol)
            continue
        rows, frame = reply["data"], payloads.funding_rates(encoded(reply["data"]), symbol)
        check(frame, "rate", [float(row["fundingRate"]) for row in rows])
        check(frame, "ts", ms([row["fundingTime"] for row in rows]))
    for path, decode in {
        "topLongShortAccountRatio": payloads.ratios,
        "globalLongShortAccountRatio": payloads.ratios,
        "takerlongshortRatio": payloads.taker_ratios,
    }.items():
        for reply in recorded[f"/futures/data/{path}"]:
            rows, frame = reply["data"], decode(encoded(reply["data"]), "accounts")
            name = "buySellRatio" if decode is payloads.taker_ratios else "longShortRatio"
            check(frame, "accounts", [float(row[name]) for row in rows])
            check(frame, "ts", ms([row["timestamp"] for row in rows]))
    for reply in recorded["/futures/data/openInterestHist"]:
        rows = reply["data"]
        if "symbol" not in rows[0]:  # coin-margined contracts: another reply
            with pytest.raises(ProtocolError):
                payloads.open_interest_history(encoded(rows), "BTCUSD")
            continue
        frame = payloads.open_interest_history(encoded(rows), rows[0]["symbol"])
        check(frame, "open_interest", [float(row["sumOpenInterest"]) for row in rows])
        check(frame, "open_interest_value", [float(row["sumOpenInterestValue"]) for row in rows])


def test_documented_replies_parse(shared: Path) -> None:
    """The examples of Binance's own documents, as far as they are history; stamps may be text there."""
    items = json.loads((shared.parent / "payloads" / "nautilus_binance_futures_http.json").read_text())["items"]
    known = {item["name"].removeprefix("http_futures_market_"): item["payload"] for item in items}
    for name, decode, rows in (
        ("agg_trades", payloads.agg_trades, 1),
        ("klines", payloads.klines, 1),
        ("mark_price_klines", payloads.price_klines, 1),
        ("index_price_klines", payloads.price_klines, 1),
        ("trades", payloads.trades, 1),
        ("open_interest", payloads.open_interest, 1),
        ("taker_long_short_ratio", lambda data: payloads.taker_ratios(data, "taker_volume"), 2),
        ("top_long_short_account_ratio", lambda data: payloads.ratios(data, "top_accounts"), 2),
        ("open_interest_historical", lambda data: payloads.open_interest_history(data, "BTCUSDT"), 2),
        ("funding_rate", lambda data: payloads.funding_rates(data, "BTCUSDT"), 2),
        ("depth", lambda data: payloads.depth(data, OPEN * 1000), 2),
    ):
        assert decode(encoded(known[name])).height == rows, name


def test_newer_protocols_are_read() -> None:
    """Unknown fields and further values in a row are passed over; numbers may be numbers."""
    newer = [*KLINE, "something", {"new": 1}]
    assert payloads.klines(encoded([newer])).equals(payloads.klines(encoded([KLINE])))
    bare = [OPEN, 100.5, 101, 99.25, 100, 12.5, OPEN + 59_999, 1250.75, "42", 6.25, 625.5, 0]
    assert payloads.klines(encoded([bare])).equals(payloads.klines(encoded([KLINE])))
    assert payloads.agg_trades(encoded([AGG | {"nq": "0.1", "x": None}])).equals(payloads.agg_trades(encoded([AGG])))


def changed(row: list[Any], at: int, value: object) -> list[Any]:
    return [*row[:at], value, *row[at + 1 :]]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b" ",
        b"<html><head><title>502 Bad Gateway</title></head></html>",
        b"null",
        b"{}",
        b'{"code":-1121,"msg":"Invalid symbol."}',
        b"[[1,2",
        b"\xff\xfe[",
        b"[" * 100_000,
        encoded(KLINE),
        encoded([KLINE[:9]]),
        encoded([None]),
        encoded([changed(KLINE, 1, None)]),
        encoded([changed(KLINE, 1, "abc")]),
        encoded([changed(KLINE, 1, "")]),
        encoded([changed(KLINE, 1, "1_000")]),
        encoded([changed(KLINE, 1, True)]),
        encoded([changed(KLINE, 1, ["1"])]),
        encoded([changed(KLINE, 0, OPEN // 1000)]),  # seconds
        encoded([changed(KLINE, 0, OPEN * 1000)]),  # microseconds
        encoded([changed(KLINE, 0, OPEN * 1_000_000)]),  # nanoseconds
        encoded([changed(KLINE, 0, -OPEN)]),
        encoded([changed(KLINE, 0, OPEN + 0.5)]),
        encoded([changed(KLINE, 0, 1 << 70)]),
        encoded([changed(KLINE, 6, "soon")]),
    ],
)
def test_what_has_another_shape_is_an_error(bad: bytes) -> None:
    """The whole reply, with the place in it, and never with more of it than a line."""
    with pytest.raises(ProtocolError) as caught:
        payloads.klines(bad)
    assert len(str(caught.value)) < 400
    assert len(caught.value.facts["reply"]) <= 160


def test_what_has_the_right_shape_and_a_senseless_value_stays_for_validation() -> None:
    """Negative prices as they are, NaN as no value: rows that quarantine will keep."""
    frame = payloads.klines(encoded([changed(KLINE, 3, "-5"), changed(KLINE, 4, "nan"), changed(KLINE, 2, "Infinity")]))
    assert frame["low"].to_list() == [-5.0, 99.25, 99.25]
    assert frame["close"].to_list() == [100.0, None, 100.0]
    assert frame["high"].to_list() == [101.0, 101.0, math.inf]


def test_rows_of_another_symbol_are_refused() -> None:
    """A symbol that was renamed, or a proxy that mixes replies up."""
    row = {"symbol": "LUNAUSDT", "fundingTime": OPEN, "fundingRate": "0.0001", "markPrice": ""}
    assert payloads.funding_rates(encoded([row]), "LUNAUSDT")["mark_price"].to_list() == [None]
    with pytest.raises(ProtocolError, match="LUNAUSDT"):
        payloads.funding_rates(encoded([row]), "LUNA2USDT")
    with pytest.raises(ProtocolError, match="1_0"):
        payloads.funding_rates(encoded([row | {"markPrice": "1_0"}]), "LUNAUSDT")


numbers = st.decimals(min_value=0, max_value=10**9, places=8, allow_nan=False).map(lambda value: f"{value:f}")


@given(st.lists(st.tuples(*[numbers] * 5), max_size=5))
def test_any_decimal_is_the_nearest_float(values: list[tuple[str, ...]]) -> None:
    """As Python's own float reads it."""
    rows = [[OPEN + 60_000 * i, *row, OPEN + 60_000 * i + 59_999, *KLINE[7:]] for i, row in enumerate(values)]
    frame = payloads.klines(encoded(rows))
    for at, name in enumerate(("open", "high", "low", "close", "volume")):
        assert frame[name].to_list() == [float(row[at]) for row in values]


@given(st.data())
def test_damage_is_an_error_or_changes_only_what_was_damaged(data: st.DataObject) -> None:
    """Bytes cut, overwritten or put in at any place: an error, or a table that json agrees with."""
    reply = bytearray(encoded([AGG, AGG | {"a": 8, "m": False}, AGG | {"a": 9}]))
    at = data.draw(st.integers(0, len(reply) - 1))
    how = data.draw(st.sampled_from(["cut", "write", "insert"]))
    if how == "cut":
        del reply[at:]
    else:
        reply[at : at + (how == "write")] = data.draw(st.binary(min_size=1, max_size=3))
    try:
        frame = payloads.agg_trades(bytes(reply))
    except ProtocolError:
        return
    rows = json.loads(reply.decode("utf-8", "replace"))  # in fields that are passed over, anything may be
    check(frame, "ts", ms([row["T"] for row in rows]))
    check(frame, "price", [float(row["p"]) for row in rows])
    check(frame, "id", [int(row["a"]) for row in rows])


@given(st.binary(max_size=200))
def test_no_reply_makes_a_decoder_crash(data: bytes) -> None:
    """Anything at all: a table or a ProtocolError."""
    for decode in (
        payloads.klines,
        payloads.agg_trades,
        payloads.trades,
        payloads.server_time_us,
        payloads.exchange_information,
        lambda reply: payloads.depth(reply, OPEN),
        lambda reply: payloads.funding_rates(reply, "X"),
    ):
        try:
            decode(data)
        except ProtocolError:
            continue
