"""The timeline of a strategy: events of all streams in the order in which they became known, in a bounded buffer.

Whoever is slower than the market gets fewer quotes and books, never fewer trades or bars: of a symbol's quotes (partial
depths, forming bars, marks, tickers) that wait only the latest is kept, its book's updates are made one, and all of
that is counted. If that does not help, reading stops until there is room, and the venue feels it.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from truewind.domain.market import Quote
from truewind.errors import TruewindError
from truewind.market.stream.events import DayTicker, Depth, Forming, MarkPrice, OpenInterest, Partial, StreamEvent

_LATEST_ONLY = (Quote, Partial, Forming, MarkPrice, OpenInterest, DayTicker)


class Pressure(msgspec.Struct):
    """How hard it was to keep up. conflated: events left out. deepest: of events that waited. pauses: times that
    reading stopped."""

    conflated: int = 0
    deepest: int = 0
    pauses: int = 0


class Timeline:
    """Takes events by `put`, gives them by iteration. limit: events that may wait. Several sources may share one."""

    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.pressure = Pressure()
        self._events: deque[StreamEvent] = deque()
        self._sources: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self._paused = self._ended = False
        self._error: TruewindError | None = None
        self._wake: asyncio.Future[None] | None = None
        self._next_squeeze = limit
        self._latest = 0  # receipt

    def __len__(self) -> int:
        return len(self._events)

    def attach(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """Be told when reading must stop, and when it may go on."""
        self._sources.append((pause, resume))

    def put(self, event: StreamEvent) -> None:
        """Add the latest event. One that had to wait for others counts as received with them."""
        if event.ts_recv < self._latest:
            event = _received(event, self._latest)
        else:
            self._latest = event.ts_recv
        events = self._events
        events.append(event)
        if len(events) > self._next_squeeze:
            self._squeeze()
        wake = self._wake
        if wake is not None and not wake.done():
            wake.set_result(None)

    def end(self, error: TruewindError | None = None) -> None:
        """No more events come; readers are told `error` after the last one."""
        self._ended, self._error = True, self._error or error
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def __aiter__(self) -> "Timeline":
        return self

    async def __anext__(self) -> StreamEvent:
        events = self._events
        while not events:
            if self._ended:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        event = events.popleft()
        if self._paused and 2 * len(events) <= self.limit:
            self._paused = False
            self._next_squeeze = self.limit
            for _, resume in self._sources:
                resume()
        return event

    def _squeeze(self) -> None:
        """Conflate what may be; if it was not enough, stop reading."""
        before = len(self._events)
        self.pressure.deepest = max(self.pressure.deepest, before)
        kept = conflated(self._events)
        self._events.clear()  # in place: a reader may hold it
        self._events.extend(kept)
        after = len(kept)
        self.pressure.conflated += before - after
        if 4 * after > 3 * self.limit and not self._paused:
            self._paused = True
            self.pressure.pauses += 1
            for pause, _ in self._sources:
                pause()
        # What was read already still comes. Looking again at twice as many keeps the cost of an event constant.
        self._next_squeeze = max(self.limit, 2 * after)


def _received(event: StreamEvent, ts_recv: int) -> StreamEvent:
    if isinstance(event, Forming):
        return Forming(msgspec.structs.replace(event.bar, ts_recv=ts_recv), event.timeframe)
    return msgspec.structs.replace(event, ts_recv=ts_recv)


def conflated(events: deque[StreamEvent]) -> deque[StreamEvent]:
    """`events` with of each symbol's quotes and the like only the last, and its book's updates made one; in order."""
    kept: list[StreamEvent] = []
    later: dict[tuple[type, str, str], int] = {}  # where the later event of that kind stands in `kept`
    name: tuple[type, str, str]
    for event in reversed(events):
        kind = type(event)
        if kind is Depth:
            name = (kind, event.symbol, "")
            at = later.get(name)
            if at is not None:
                joined = _joined(event, kept[at])  # type: ignore[arg-type]  # by its name a Depth
                if joined is not None:
                    kept[at] = joined
                    continue
            later[name] = len(kept)
        elif kind in _LATEST_ONLY:
            name = (kind, event.symbol, event.timeframe if isinstance(event, Forming) else "")
            if name in later:
                continue
            later[name] = len(kept)
        kept.append(event)
    return deque(reversed(kept))


def _joined(first: Depth, then: Depth) -> Depth | None:
    """Two updates that follow each other as one; None where they cannot be: a snapshot stays what the venue told."""
    if then.is_snapshot:
        return then  # what was before it says nothing any more
    if first.is_snapshot:
        return None
    bids, asks = (dict(levels) | dict(newer) for levels, newer in ((first.bids, then.bids), (first.asks, then.asks)))
    return Depth(
        then.symbol,
        then.ts_event,
        then.ts_recv,
        then.sequence,
        list(bids.items()),
        list(asks.items()),
        first.first,
        first.previous,
    )
