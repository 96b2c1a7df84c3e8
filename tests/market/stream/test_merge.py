"""The timeline: nothing that counts is left out, what is left out is counted, and reading stops when it must."""

import asyncio
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.market import Bar, Quote, Trade
from truewind.errors import UnreachableError
from truewind.market.stream.events import Depth, Forming, StreamEvent
from truewind.market.stream.merge import Timeline, conflated

SYMBOLS = ("A", "B")


def events_of(drawn: list[tuple[str, int]]) -> list[StreamEvent]:
    """Events of two symbols; a book's updates follow each other."""
    events: list[StreamEvent] = []
    for at, (what, which) in enumerate(drawn, start=1):
        symbol = SYMBOLS[which % 2]
        price = 100.0 + which
        if what == "trade":
            events.append(Trade(symbol, at, at, price, 1.0, 1, at))
        elif what == "quote":
            events.append(Quote(symbol, at, at, price, 1.0, price + 1, 1.0, at))
        elif what == "bar":
            events.append(Bar(symbol, at, at + 1, at, 1.0, 1.0, 1.0, 1.0, 1.0))
        elif what == "forming":
            events.append(Forming(Bar(symbol, at, at + 1, at, 1.0, 1.0, 1.0, 1.0, 1.0), "1m"))
        else:
            is_snapshot = what == "snapshot"
            events.append(Depth(symbol, at, at, at, [(price, float(which % 3))], [], at, at - 1, is_snapshot))
    return events


DRAWN = st.lists(
    st.tuples(st.sampled_from(["trade", "quote", "bar", "forming", "update", "update", "snapshot"]), st.integers(0, 9)),
    max_size=60,
)


def book_after(events: list[StreamEvent], symbol: str) -> dict[float, float]:
    """Bids of a symbol, level by level."""
    book: dict[float, float] = {}
    for event in events:
        if isinstance(event, Depth) and event.symbol == symbol:
            book = {} if event.is_snapshot else book
            book |= dict(event.bids)
    return {price: quantity for price, quantity in book.items() if quantity}


@given(DRAWN)
def test_conflation_keeps_trades_bars_the_last_quote_and_the_book(drawn: list[tuple[str, int]]) -> None:
    before = events_of(drawn)
    after = list(conflated(deque(before)))
    for kind in (Trade, Bar):
        assert [e for e in after if type(e) is kind] == [e for e in before if type(e) is kind]
    for symbol in SYMBOLS:
        for kind in (Quote, Forming):
            said = [e for e in before if type(e) is kind and e.symbol == symbol]
            assert [e for e in after if type(e) is kind and e.symbol == symbol] == said[-1:]
        assert book_after(after, symbol) == book_after(before, symbol)
    times = [e.ts_recv for e in after]
    assert times == sorted(times)
    assert list(conflated(deque(after))) == after


@given(DRAWN, st.integers(4, 20), st.lists(st.integers(0, 8), min_size=1, max_size=20))
def test_a_slow_reader_gets_every_trade_once_and_in_order(
    drawn: list[tuple[str, int]], limit: int, bites: list[int]
) -> None:
    events = events_of(drawn)

    async def scene() -> tuple[list[StreamEvent], Timeline]:
        timeline = Timeline(limit)
        got: list[StreamEvent] = []

        async def read() -> None:
            turn = 0
            async for event in timeline:
                got.append(event)
                turn += 1
                if turn % (1 + bites[turn % len(bites)]) == 0:
                    await asyncio.sleep(0)

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        for number, event in enumerate(events):
            timeline.put(event)
            if number % (1 + bites[number % len(bites)]) == 0:
                await asyncio.sleep(0)
        timeline.end()
        await reader
        return got, timeline

    got, timeline = asyncio.run(scene())
    assert [e for e in got if isinstance(e, Trade | Bar)] == [e for e in events if isinstance(e, Trade | Bar)]
    assert len(got) + timeline.pressure.conflated == len(events)
    for symbol in SYMBOLS:
        assert book_after(got, symbol) == book_after(events, symbol)


def test_reading_stops_when_trades_pile_up_and_goes_on_when_there_is_room() -> None:
    async def scene() -> list[str]:
        said: list[str] = []
        timeline = Timeline(10)
        timeline.attach(lambda: said.append("pause"), lambda: said.append("resume"))
        for event in events_of([("trade", 0)] * 25):
            timeline.put(event)
        assert said == ["pause"]
        for _ in range(20):
            await anext(timeline)
        assert len(timeline) == 5
        assert timeline.pressure.deepest > 10
        return said

    assert asyncio.run(scene()) == ["pause", "resume"]


def test_an_error_comes_after_the_last_event() -> None:
    async def scene() -> None:
        timeline = Timeline(10)
        timeline.put(events_of([("trade", 0)])[0])
        timeline.end(UnreachableError("gone"))
        assert (await anext(timeline)).ts_recv == 1
        with pytest.raises(UnreachableError):
            await anext(timeline)

    asyncio.run(scene())


def test_what_waited_counts_as_received_with_what_it_waited_for() -> None:
    async def scene() -> list[int]:
        timeline = Timeline(10)
        early, late = events_of([("trade", 0), ("forming", 0)])
        timeline.put(late)
        timeline.put(early)
        return [(await anext(timeline)).ts_recv for _ in range(2)]

    assert asyncio.run(scene()) == [2, 2]
