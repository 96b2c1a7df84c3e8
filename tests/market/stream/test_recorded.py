"""Recorded frames of Binance: all are read, books built from them never cross and agree with the best prices."""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from clocks import StandingClock
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.market import Bar, Quote, Trade
from truewind.errors import ProtocolError
from truewind.market.stream.binance import BinanceStreams
from truewind.market.stream.book import LocalBook
from truewind.market.stream.events import Depth, Forming, StreamEvent
from truewind.venues.binance.hosts import MAINNET
from truewind.venues.binance.messages import message_decoder, parse_stream

FAST_BOOKS = {  # file → market, symbol, tick, lot
    "usdm__btcusdt_20240808": ("usdm", "BTCUSDT", "0.1", "0.001"),
    "spot__btcusdt_20240808": ("spot", "BTCUSDT", "0.01", "0.00001"),
    "spot__ethusdt_20240808": ("spot", "ETHUSDT", "0.01", "0.0001"),
}


class Snapshots:
    """A venue whose depth snapshots come when a test says so."""

    def __init__(self) -> None:
        self.given: dict[str, Depth] = {}

    async def depth(self, symbol: str) -> Depth:
        while symbol not in self.given:
            await asyncio.sleep(0)
        return self.given.pop(symbol)


def lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with gzip.open(path) as file:
        for line in islice(file, 40_000):
            stamp, _, payload = line.rstrip().partition(b" ")
            yield int(stamp) // 1000, payload


def depth_of(symbol: str, payload: bytes, now: int) -> Depth:
    told = json.loads(payload)
    sides = ([(float(p), float(q)) for p, q in told[side]] for side in ("bids", "asks"))
    return Depth(symbol, now, now, told["lastUpdateId"], *sides, is_snapshot=True)


@pytest.mark.parametrize("name", FAST_BOOKS)
def test_recordings_are_read_whole_and_books_agree_with_best_prices(shared: Path, name: str) -> None:
    market, symbol, tick, lot = FAST_BOOKS[name]
    step = {"tick_size": Decimal(tick), "lot_size": Decimal(lot)}
    kind = Kind.SPOT if market == "spot" else Kind.PERPETUAL
    book = LocalBook(Instrument(symbol=symbol, venue="v", kind=kind, base="BTC", quote="USDT", **step))
    said: Counter[str] = Counter()
    heard: Counter[str] = Counter()
    quotes: dict[int, Quote] = {}
    agreed = 0

    def take(event: StreamEvent) -> None:
        nonlocal agreed
        heard[type(event).__name__] += 1
        if isinstance(event, Quote):
            quotes[event.sequence] = event
        elif isinstance(event, Depth):
            assert book.apply(event)
            assert not book.is_crossed
            best = quotes.pop(event.sequence, None)
            if best is not None:
                assert (best.bid, best.ask) == (book.best_bid, book.best_ask)
                agreed += 1

    async def scene() -> BinanceStreams:
        clock, history = StandingClock(), Snapshots()
        speed = "100ms" if market == "spot" else "0ms"
        names = [f"{symbol.lower()}@{what}" for what in (f"depth@{speed}", "bookTicker", "trade")]
        streams = BinanceStreams(MAINNET, market, names, clock=clock, emit=take)
        streams.repairs.history = history
        streams.opened(names, again=False)
        for now, payload in lines(shared / "hftbacktest" / f"{name}.gz"):
            clock.now = max(now, clock.now)
            if payload.startswith(b'{"stream"'):
                said[payload[11 : payload.index(b'"', 11)].decode().split("@")[1]] += 1
                streams.text(payload)
            else:
                history.given[symbol] = depth_of(symbol, payload, now)
                for _ in range(5):
                    await asyncio.sleep(0.002)
        await streams.repairs.stop()
        return streams

    streams = asyncio.run(scene())
    assert streams.status.refused == 0
    assert heard["Quote"] == said["bookTicker"]
    assert heard["Trade"] + streams.status.duplicates == said["trade"]
    assert streams.status.duplicates == 0
    assert heard["Depth"] > 0.98 * said["depth"]  # those before the snapshot are in it
    assert agreed > 200
    assert streams.status.lost == 0


@pytest.mark.parametrize(("file", "market"), [("BINANCE", "spot"), ("BINANCE_FUTURES", "usdm")])
def test_frames_of_cryptofeed_become_events(shared: Path, file: str, market: str) -> None:
    """Four symbols with depth, best prices, bars and trades; books join the recorded snapshots."""
    with gzip.open(shared / "cryptofeed" / f"{file}.ws.1.0.txt.gz", "rt") as recorded:
        head, *frames = recorded.read().splitlines()
    names = head.partition("streams=")[2].partition(" ")[0].split("/")
    snapshots: dict[str, Depth] = {}
    with gzip.open(shared / "cryptofeed" / f"{file}.http.0.0.txt.gz", "rt") as recorded:
        for line in recorded:
            url, arrow, rest = line.partition(" -> ")
            stamp, _, payload = rest.partition(": ")
            if arrow and "depth?symbol=" in url:
                symbol = url.partition("symbol=")[2].partition("&")[0]
                snapshots[symbol] = depth_of(symbol, payload.encode(), int(float(stamp) * 1e6))
    heard: list[StreamEvent] = []

    async def scene() -> BinanceStreams:
        clock, history = StandingClock(), Snapshots()
        streams = BinanceStreams(MAINNET, market, names, clock=clock, emit=heard.append)
        streams.repairs.history = history
        streams.opened(names, again=False)
        for line in filter(None, frames):
            stamp, _, payload = line.partition(": ")
            clock.now = max(clock.now, int(float(stamp) * 1e6))
            streams.text(payload.encode())
            for symbol in [s for s, snapshot in snapshots.items() if snapshot.ts_recv <= clock.now_us()]:
                history.given[symbol] = snapshots.pop(symbol)
            await asyncio.sleep(0.0005)
        await streams.repairs.stop()
        return streams

    streams = asyncio.run(scene())
    assert streams.status.refused == 0
    said = Counter(
        json.loads(line.partition(": ")[2])["data"]["e" if market == "usdm" else "s"] for line in filter(None, frames)
    )
    kinds = Counter(type(event) for event in heard)
    assert kinds[Quote] > 0
    assert kinds[Forming] + kinds[Bar] > 0
    if market == "usdm":
        assert kinds[Trade] == said["aggTrade"]
        assert kinds[Quote] == said["bookTicker"]
    assert {event.symbol for event in heard if isinstance(event, Depth) and event.is_snapshot} == {
        name.split("@")[0].upper() for name in names
    }


def test_payloads_of_the_documents_are_read(shared: Path) -> None:
    items = json.loads((shared.parent / "payloads" / "nautilus_binance_futures_ws_market.json").read_text())["items"]
    channels = {
        "aggTrade": "aggTrade",
        "bookTicker": "bookTicker",
        "depthUpdate": "depth",
        "kline": "kline_1m",
        "forceOrder": "forceOrder",
        "markPriceUpdate": "markPrice@1s",
        "24hrTicker": "ticker",
        "trade": "trade",
    }
    for item in items:
        payload: dict[str, Any] = item["payload"]
        stream = parse_stream("usdm", f"btcusdt@{channels[payload['e']]}")
        frame = json.dumps({"stream": stream.name, "data": payload}).encode()
        assert message_decoder(stream)(frame) is not None
        for name in payload:  # a field that is needed is missed, one that is not is not
            without = {key: value for key, value in payload.items() if key != name}
            try:
                message_decoder(stream)(json.dumps({"stream": stream.name, "data": without}).encode())
            except ProtocolError as error:
                if f"`{name}`" not in str(error):
                    raise
