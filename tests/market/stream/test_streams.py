"""Streams end to end over real connections: what is said arrives, in order, once, and complete."""

import asyncio
from collections.abc import Sequence

from market.stream.scripted import T0, Venue, kline, trade
from truewind.domain.market import Bar, Trade
from truewind.market.stream.binance import BinanceStreams
from truewind.market.stream.events import Forming, StreamEvent
from truewind.market.stream.merge import Timeline
from truewind.market.stream.pool import Settings

QUICK = Settings(backoff_s=(0.01, 0.05), overlap_s=0.05, timeout_s=2.0)


async def heard(streams: BinanceStreams, count: int) -> list[StreamEvent]:
    async with asyncio.timeout(10):
        return [await anext(streams.timeline) for _ in range(count)]


def ids(events: Sequence[StreamEvent]) -> list[int]:
    return [event.sequence for event in events if isinstance(event, Trade)]


def test_trades_arrive_as_they_were_said() -> None:
    async def scene() -> None:
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", ["btcusdt@aggTrade"]) as streams:
            await venue.listeners("btcusdt@aggTrade")
            for number in range(5):
                await venue.trade(number)
            events = await heard(streams, 5)
            assert ids(events) == [0, 1, 2, 3, 4]
            first = events[0]
            assert isinstance(first, Trade)
            assert (first.ts_event, first.price, first.quantity, first.side) == (T0 * 1000, 100.5, 0.1, -1)
            assert first.ts_recv > first.ts_event
            assert venue.subscriptions == [("/market/stream", ["btcusdt@aggTrade"])]

    asyncio.run(scene())


def test_a_closed_bar_is_a_bar_and_an_open_one_forms() -> None:
    async def scene() -> None:
        async with Venue() as venue, BinanceStreams(venue.hosts, "spot", ["btcusdt@kline_1m"]) as streams:
            await venue.listeners("btcusdt@kline_1m")
            await venue.say("btcusdt@kline_1m", kline(0, False))
            await venue.say("btcusdt@kline_1m", kline(0, True))
            forming, closed = await heard(streams, 2)
            assert isinstance(forming, Forming)
            assert isinstance(closed, Bar)
            assert (closed.ts, closed.ts_event) == (T0 * 1000, (T0 + 60_000) * 1000)
            assert (closed.open, closed.high, closed.low, closed.close) == (100.0, 110.0, 90.0, 101.0)
            assert forming.ts_event == (T0 + 30_000) * 1000

    asyncio.run(scene())


def test_missed_trades_are_asked_for_and_come_in_order() -> None:
    async def scene() -> None:
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", ["btcusdt@aggTrade"]) as streams:
            await venue.listeners("btcusdt@aggTrade")
            for number in range(10):
                await venue.trade(number, heard=number not in (3, 4, 8))
            assert ids(await heard(streams, 10)) == list(range(10))
            status = streams.status
            assert (status.repaired, status.lost) == (3, 0)

    asyncio.run(scene())


def test_what_happened_while_the_connection_was_lost_is_asked_for() -> None:
    async def scene() -> None:
        async with (
            Venue() as venue,
            BinanceStreams(venue.hosts, "usdm", ["btcusdt@aggTrade", "btcusdt@kline_1m"], settings=QUICK) as streams,
        ):
            await venue.listeners("btcusdt@aggTrade")
            await venue.trade(0)
            venue.bars = [kline(number, True) for number in range(4)]
            await venue.say("btcusdt@kline_1m", venue.bars[0])
            events = await heard(streams, 2)
            await venue.hang_up()
            await venue.trade(1, heard=False)
            await venue.listeners("btcusdt@aggTrade")
            await venue.trade(2)
            await venue.say("btcusdt@kline_1m", kline(3, False))
            events += await heard(streams, 4)
            assert ids(events) == [0, 1, 2]
            assert [event.ts for event in events if isinstance(event, Bar)] == [
                (T0 + 60_000 * number) * 1000 for number in range(3)
            ]
            assert streams.status.reconnects == 1

    asyncio.run(scene())


def test_duplicates_and_order() -> None:
    async def scene() -> None:
        async with Venue() as venue, BinanceStreams(venue.hosts, "usdm", ["btcusdt@aggTrade"]) as streams:
            await venue.listeners("btcusdt@aggTrade")
            for number in (0, 1, 1, 3, 2, 2, 4, 0):
                await venue.say("btcusdt@aggTrade", trade(number))
            assert ids(await heard(streams, 5)) == [0, 1, 2, 3, 4]
            await asyncio.sleep(0.05)
            assert streams.status.duplicates == 3
            assert venue.requests == []  # what was merely overtaken is not asked for

    asyncio.run(scene())


def test_two_markets_on_one_timeline() -> None:
    async def scene() -> None:
        timeline = Timeline()
        async with (
            Venue() as spot,
            Venue() as futures,
            BinanceStreams(spot.hosts, "spot", ["btcusdt@aggTrade"], timeline=timeline),
            BinanceStreams(futures.hosts, "usdm", ["btcusdt@kline_1m"], timeline=timeline) as streams,
        ):
            await spot.listeners("btcusdt@aggTrade")
            await futures.listeners("btcusdt@kline_1m")
            for number in range(3):
                await spot.trade(number)
                await futures.say("btcusdt@kline_1m", kline(number, True))
            events = await heard(streams, 6)
            assert ids(events) == [0, 1, 2]
            assert sum(isinstance(event, Bar) for event in events) == 3
            receipts = [event.ts_recv for event in events]
            assert receipts == sorted(receipts)

    asyncio.run(scene())
