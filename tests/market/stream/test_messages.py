"""Messages: what streams are called, what they say, and what they cannot; the examples are the venue's documents'."""

import asyncio
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clocks import StandingClock
from truewind.domain.market import Bar, Quote, Trade
from truewind.errors import ConfigError, ProtocolError
from truewind.market.stream.binance import BinanceStreams, series_of
from truewind.market.stream.events import Depth, Forced, MarkPrice, Partial, StreamEvent
from truewind.storage.schema import SeriesKey
from truewind.venues.binance.hosts import MAINNET
from truewind.venues.binance.messages import micros, parse_stream

NOW = 1_700_000_100_000_000
MS = 1_700_000_040_000

# Spot and USD-M documents' examples, with times that are times. stream → payload
EXAMPLES: dict[tuple[str, str], object] = {
    ("spot", "bnbbtc@aggTrade"): {
        "e": "aggTrade",
        "E": MS,
        "s": "BNBBTC",
        "a": 12345,
        "p": "0.001",
        "q": "100",
        "f": 100,
        "l": 105,
        "T": MS,
        "m": True,
        "M": True,
    },
    ("spot", "bnbbtc@bookTicker"): {
        "u": 400900217,
        "s": "BNBBTC",
        "b": "25.35190000",
        "B": "31.21000000",
        "a": "25.36520000",
        "A": "40.66000000",
    },
    ("spot", "bnbbtc@depth5@100ms"): {
        "lastUpdateId": 160,
        "bids": [["0.0024", "10"]],
        "asks": [["0.0026", "100"]],
    },
    ("spot", "bnbbtc@kline_1m"): {
        "e": "kline",
        "E": MS + 60_000,
        "s": "BNBBTC",
        "k": {
            "t": MS,
            "T": MS + 59_999,
            "s": "BNBBTC",
            "i": "1m",
            "f": 100,
            "L": 200,
            "o": "0.0010",
            "c": "0.0020",
            "h": "0.0025",
            "l": "0.0010",
            "v": "1000",
            "n": 100,
            "x": True,
            "q": "1.0000",
            "V": "500",
            "Q": "0.500",
            "B": "123456",
        },
    },
    ("usdm", "btcusdt@forceOrder"): {
        "e": "forceOrder",
        "E": MS,
        "o": {
            "s": "BTCUSDT",
            "S": "SELL",
            "o": "LIMIT",
            "f": "IOC",
            "q": "0.014",
            "p": "9910",
            "ap": "9910",
            "X": "FILLED",
            "l": "0.014",
            "z": "0.014",
            "T": MS,
        },
    },
    ("usdm", "btcusdt@markPrice@1s"): {
        "e": "markPriceUpdate",
        "E": MS,
        "s": "BTCUSDT",
        "p": "11794.15000000",
        "i": "11784.62659091",
        "P": "11784.25641265",
        "r": "0.00038167",
        "T": MS + 3_600_000,
    },
}


def streams(market: str, names: list[str], heard: list[StreamEvent]) -> BinanceStreams:
    clock = StandingClock(NOW)
    return BinanceStreams(MAINNET, market, names, clock=clock, emit=heard.append, in_order=False)


def told(market: str, name: str, *payloads: object) -> tuple[list[StreamEvent], int]:
    """Events of messages, and how many were refused."""

    async def scene() -> tuple[list[StreamEvent], int]:
        heard: list[StreamEvent] = []
        feed = streams(market, [name], heard)
        for payload in payloads:
            feed.text(json.dumps({"stream": name, "data": payload}).encode())
        await feed.repairs.stop()
        return heard, feed.status.refused

    return asyncio.run(scene())


def test_examples_of_the_documents_become_events() -> None:
    events = {name: told(market, name, payload)[0][0] for (market, name), payload in EXAMPLES.items()}
    us = MS * 1000
    assert events["bnbbtc@aggTrade"] == Trade("BNBBTC", us, NOW, 0.001, 100.0, -1, 12345)
    assert events["bnbbtc@bookTicker"] == Quote("BNBBTC", NOW, NOW, 25.3519, 31.21, 25.3652, 40.66, 400900217)
    assert events["bnbbtc@depth5@100ms"] == Partial("BNBBTC", NOW, NOW, 160, [(0.0024, 10.0)], [(0.0026, 100.0)])
    assert events["btcusdt@forceOrder"] == Forced("BTCUSDT", us, NOW, -1, 9910.0, 0.014, 9910.0)
    mark = MarkPrice("BTCUSDT", us, NOW, 11794.15, 11784.62659091, 0.00038167, us + 3_600_000_000)
    assert events["btcusdt@markPrice@1s"] == mark
    bar = Bar(
        *("BNBBTC", us, us + 60_000_000, NOW, 0.001, 0.0025, 0.001, 0.002, 1000.0, 1.0, 100.0, 500.0),
    )
    assert events["bnbbtc@kline_1m"] == bar


def test_streams_of_all_symbols() -> None:
    mark = EXAMPLES["usdm", "btcusdt@markPrice@1s"]
    assert isinstance(mark, dict)
    heard, refused = told("usdm", "!markPrice@arr@1s", [mark, mark | {"s": "ETHUSDT"}, mark | {"r": "", "T": 0}])
    assert [event.symbol for event in heard] == ["BTCUSDT", "ETHUSDT"]  # the third is of a time that was told
    assert refused == 0
    delivery, _ = told("usdm", "!markPrice@arr", [mark | {"s": "BTCUSDT_260327", "r": "", "T": 0}])
    assert isinstance(delivery[0], MarkPrice)
    assert math.isnan(delivery[0].funding_rate)
    forced, _ = told("usdm", "!forceOrder@arr", EXAMPLES["usdm", "btcusdt@forceOrder"])
    assert isinstance(forced[0], Forced)


@pytest.mark.parametrize(
    "wrong",
    [
        {"p": "0"},
        {"p": "-1"},
        {"p": "nan"},
        {"q": "inf"},
        {"q": "0"},
        {"p": None},
        {"a": -1},
        {"a": 1 << 63},
        {"a": "x"},
        {"T": MS // 1000},  # seconds
        {"T": MS * 1_000_000},  # nanoseconds
        {"T": NOW // 1000 + 61_000},  # the future
        {"s": "BNBUSDT"},
        {"m": "yes"},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    sound = EXAMPLES["spot", "bnbbtc@aggTrade"]
    assert isinstance(sound, dict)
    assert told("spot", "bnbbtc@aggTrade", sound | wrong) == ([], 1)
    assert told("spot", "bnbbtc@aggTrade", {k: v for k, v in sound.items() if k not in wrong}) == ([], 1)


def test_a_venue_whose_clock_runs_ahead_is_followed_but_no_single_message() -> None:
    """A replay may be faster than we are; what is a minute after all that was said before is damaged."""
    sound = EXAMPLES["spot", "bnbbtc@aggTrade"]
    assert isinstance(sound, dict)
    ahead = [sound | {"a": number, "T": NOW // 1000 + 50_000 * number} for number in range(5)]
    heard, refused = told("spot", "bnbbtc@aggTrade", *ahead, sound | {"a": 5, "T": NOW // 1000 + 300_000})
    assert (len(heard), refused) == (5, 1)


def test_times_are_milliseconds_or_microseconds() -> None:
    assert micros(MS, "x") == micros(MS * 1000, "x") == MS * 1000
    for stamp in (0, MS // 1000, MS * 1_000_000):
        with pytest.raises(ProtocolError, match="neither in milliseconds"):
            micros(stamp, "x")


def test_names_of_streams() -> None:
    assert series_of("usdm", "btcusdt@kline_4h") == SeriesKey("bars", "binance_usdm", "BTCUSDT", "4h")
    assert series_of("spot", "btcusdt@depth@100ms") == SeriesKey("book", "binance", "BTCUSDT")
    assert parse_stream("usdm", "btcusdt@depth20@500ms").levels == 20
    assert [parse_stream("usdm", f"btcusdt@{what}").route for what in ("bookTicker", "aggTrade")] == [
        "/public",
        "/market",
    ]
    for market, name in [
        ("spot", "btcusdt@markPrice"),
        ("spot", "btcusdt@openInterest"),
        ("usdm", "BTCUSDT@aggTrade"),
        ("usdm", "btcusdt"),
        ("usdm", "btcusdt@kline_1M"),
        ("usdm", "btcusdt@depth7"),
    ]:
        with pytest.raises(ConfigError, match="no stream"):
            series_of(market, name)


NAMES = ["btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@depth@0ms", "btcusdt@bookTicker", "!markPrice@arr@1s"]
SEEDS = [
    json.dumps({"stream": name, "data": payload}).replace("BNBBTC", "BTCUSDT").replace("bnbbtc", "btcusdt").encode()
    for (_, name), payload in EXAMPLES.items()
]


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4)), max_size=4),
)
@example(b"", [])
@example(b'{"stream":"', [])
@example(b'{"stream":"btcusdt@aggTrade"}', [])
@example(b"\xff\xfe", [])
def test_damaged_messages_never_raise_and_never_become_what_cannot_be(
    seed: bytes, damage: list[tuple[int, int, bytes]]
) -> None:
    text = bytearray(seed)
    for at, cut, put in damage:
        text[at : at + cut] = put

    async def scene() -> list[StreamEvent]:
        heard: list[StreamEvent] = []
        feed = streams("usdm", NAMES, heard)
        feed.text(bytes(text))
        feed.pool.lanes[0]._text(bytes(text))
        await feed.repairs.stop()
        return heard

    for event in asyncio.run(scene()):
        assert 0 < event.ts_event <= NOW + 60_000_000
        if isinstance(event, Trade):
            assert 0.0 < event.price < math.inf
            assert 0.0 < event.quantity < math.inf
            assert event.symbol == "BTCUSDT"
        elif isinstance(event, Bar):
            assert 0.0 < event.low <= min(event.open, event.close) <= max(event.open, event.close) <= event.high
        elif isinstance(event, Quote):
            assert 0.0 < event.bid < event.ask < math.inf
        elif isinstance(event, Depth):
            assert all(price > 0.0 and quantity >= 0.0 for price, quantity in [*event.bids, *event.asks])
