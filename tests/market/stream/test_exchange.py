"""Streams of the local exchange: its own REST answers say the same."""

import asyncio
import json

import aiohttp
import pytest

from truewind.exchange import LocalExchange
from truewind.market.history.binance import BinanceRest
from truewind.market.stream.binance import BinanceStreams
from truewind.market.stream.book import LocalBook
from truewind.market.stream.events import Depth

PATHS = {"spot": "/api/v3/depth", "usdm": "/fapi/v1/depth"}


@pytest.mark.parametrize(("market", "venue"), [("spot", "binance"), ("usdm", "binance_usdm")])
def test_the_local_book_is_the_one_that_the_venue_shows(exchange: LocalExchange, market: str, venue: str) -> None:
    """Kept from a snapshot and updates, level by level equal to a snapshot that is taken at the same update."""
    host = exchange.hosts.spot_rest if market == "spot" else exchange.hosts.usdm_rest

    async def scene() -> int:
        async with BinanceRest(venue, exchange.hosts) as rest:
            (instrument,) = await rest.instruments(["BTCUSDT"])
        book, shown, agreed = LocalBook(instrument), {}, 0
        async with (
            BinanceStreams(exchange.hosts, market, ["btcusdt@depth@100ms"]) as streams,
            aiohttp.ClientSession() as session,
            asyncio.timeout(60),  # the exchange may compile its kernels first
        ):
            async for event in streams:
                assert isinstance(event, Depth)
                assert book.apply(event)
                assert not book.is_crossed
                if len(shown) < 20:
                    async with session.get(f"{host}{PATHS[market]}?symbol=BTCUSDT&limit=100") as reply:
                        answer = json.loads(await reply.read())
                        shown[answer["lastUpdateId"]] = answer
                told = shown.pop(book.sequence, None)
                if told is not None:
                    for side, name in ((1, "bids"), (-1, "asks")):
                        levels = [(float(price), float(quantity)) for price, quantity in told[name]]
                        for ours, theirs in zip(book.levels(side, 20), levels[:20], strict=True):
                            assert ours == theirs
                    agreed += 1
                if agreed == 3:
                    return agreed
        return agreed

    assert asyncio.run(scene()) == 3
