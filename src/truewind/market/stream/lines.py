"""One stream each, put in order: duplicates dropped, what is missing asked for, what cannot come back told as `Lost`.

A line is given events in the order in which they were read, and emits them. In order: nothing overtakes what is
missing, until it has come or was given up. Else, for a recorder, all is emitted at once, and what was missing later.
"""

import heapq
from bisect import insort
from collections import deque
from collections.abc import Callable
from typing import Protocol

import msgspec

from truewind.domain.market import Bar, Quote, Trade
from truewind.domain.timeframe import DAY_US, SECOND_US, origin_us
from truewind.market.book.chain import Chain, Verdict, joins
from truewind.market.stream.events import (
    DayTicker,
    Depth,
    Forced,
    Forming,
    Lost,
    MarkPrice,
    OpenInterest,
    Partial,
    StreamEvent,
)
from truewind.market.stream.sequence import Holes
from truewind.storage.schema import SeriesKey

Emit = Callable[[StreamEvent], None]
AWAY = "nobody listened"
REACH_US = DAY_US  # who comes back later than this begins anew
_MOST_WAITING = 10_000  # updates of a book that wait for a snapshot
_RECENT = 256  # messages among which a recorder looks for one that comes twice
_SLACK_US = SECOND_US  # by how much streams of one venue may run ahead of each other


class Mender(Protocol):
    """Who asks the venue for what a line misses; answers come back through the line's own methods."""

    def numbers(self, line: "NumberedLine") -> None:
        """The line has holes."""

    def latest(self, line: "NumberedLine") -> None:
        """The line was not heard for a while: there may be more than it knows."""

    def snapshot(self, line: "BookLine") -> None:
        """The line has updates that do not follow: if they stay so, it needs the book as it is."""


class Counts:
    """What lines did, of all streams together."""

    def __init__(self) -> None:
        self.duplicates = self.repaired = self.holes = self.lost = 0


class State(msgspec.Struct, frozen=True):
    """What another process needs to go on with a line. last_ts: of its latest event; lost_from: since when it hears
    nothing, 0 if it does; high, holes: see `Holes`."""

    last_ts: int = 0
    lost_from: int = 0
    high: int = -1
    holes: tuple[tuple[int, int], ...] = ()


class Line:
    """What lines have in common. key: of the lake series that holds the stream. last_ts: of the latest event.

    lost_from: since when events are missing that will not come back, 0 while none are; why: the reason.
    """

    def __init__(self, key: SeriesKey, emit: Emit, counts: Counts) -> None:
        self.key, self.emit, self.counts = key, emit, counts
        self.last_ts = self.lost_from = 0
        self.why = ""

    def broken(self, watermark_us: int, why: str) -> None:
        """Nothing is heard any more. watermark_us: the latest time that any stream of the venue has told."""

    def opened(self, again: bool) -> None:
        """The stream is live; again: it was before."""

    def settle(self, watermark_us: int) -> None:
        """Some seconds after `opened`: time for those who would else wait long for their next message."""

    def state(self) -> State:
        return State(self.last_ts, self.lost_from)

    def resume(self, state: State, watermark_us: int) -> None:
        """Go on from a state, as if the connection had been lost then. To be called before the first event."""
        self.last_ts, self.lost_from, self.why = state.last_ts, state.lost_from, AWAY
        self.broken(watermark_us, AWAY)

    def lose(self, start_us: int, end_us: int, ts_recv: int) -> None:
        """Tell that start_us … end_us is lost, and that nothing more is."""
        self.lost_from = 0
        if end_us > start_us:
            self.counts.lost += 1
            self.emit(Lost(self.key, start_us, end_us, ts_recv, self.why))


class NumberedLine(Line):
    """Events that the venue numbers without holes and gives again: trades by id, closed bars by their time."""

    def __init__(self, key: SeriesKey, emit: Emit, counts: Counts, mender: Mender, *, in_order: bool) -> None:
        super().__init__(key, emit, counts)
        self.holes = Holes()
        self.in_order = in_order
        self._resumed = False
        self._mender = mender
        self._waiting: list[tuple[int, Trade | Bar]] = []

    def number(self, event: Trade | Bar) -> int:
        raise NotImplementedError

    def take(self, event: Trade | Bar, repaired: bool = False) -> None:
        number = self.number(event)
        if self._resumed and not repaired:
            self._resumed = False
            if event.ts_event - self.last_ts > REACH_US:
                self.holes = Holes()  # that is history, not a hole
        before = self.holes.high
        if not self.holes.see(number):
            self.counts.duplicates += not repaired
            return
        self.counts.repaired += repaired
        if self.holes and number > before + 1 > 0 and not repaired:
            self.counts.holes += 1
            self._mender.numbers(self)
        if self.in_order and (self.holes or self._waiting):
            heapq.heappush(self._waiting, (number, event))
            self._release()
        else:
            self._pass(event)

    def give_up(self, first: int, last: int, ts_recv: int, why: str) -> None:
        """The numbers first … last will not come. `why` empty: the venue has none such, and nothing is lost."""
        if not self.holes.forget(first, last):
            return
        if why:
            after = self._waiting[0][1].ts_event if self._waiting else self.last_ts + 2
            self.why = why
            self.lose(self.last_ts + 1, max(after, self.last_ts + 2), ts_recv)
        self._release()

    def opened(self, again: bool) -> None:
        if again and self.holes.high >= 0:
            self._mender.latest(self)

    def state(self) -> State:
        return State(self.last_ts, 0, self.holes.high, tuple(self.holes.intervals))

    def resume(self, state: State, watermark_us: int) -> None:
        self.holes = Holes(state.high, list(state.holes))
        self.last_ts, self._resumed = state.last_ts, state.high >= 0
        if self.holes:
            self._mender.numbers(self)

    def _release(self) -> None:
        while self._waiting and self._waiting[0][0] < self.holes.least:
            self._pass(heapq.heappop(self._waiting)[1])

    def _pass(self, event: Trade | Bar) -> None:
        if event.ts_event > self.last_ts:
            self.last_ts = event.ts_event
        self.emit(event)


class TradeLine(NumberedLine):
    """Aggregate trades of a symbol, which its ids number without holes."""

    def number(self, event: Trade | Bar) -> int:
        return event.sequence  # type: ignore[union-attr]  # a line of trades takes trades only

    def take(self, event: Trade | Bar, repaired: bool = False) -> None:
        holes = self.holes
        number: int = event.sequence  # type: ignore[union-attr]  # as above; a call more would be felt
        if number == holes.high + 1 and not self._resumed and not self._waiting and not holes:
            holes.high += 1
            if event.ts_event > self.last_ts:
                self.last_ts = event.ts_event
            self.counts.repaired += repaired
            self.emit(event)
        else:
            super().take(event, repaired)


class BarLine(NumberedLine):
    """Closed bars of one length, and between them the one that forms."""

    def __init__(self, key: SeriesKey, emit: Emit, counts: Counts, mender: Mender, *, in_order: bool) -> None:
        super().__init__(key, emit, counts, mender, in_order=in_order)
        self.step_us = key.step_us
        self._origin_us = origin_us(key.step_us)

    def number(self, event: Trade | Bar) -> int:
        return self.number_at(event.ts)

    def number_at(self, ts: int) -> int:
        """Of the bar that opens at `ts`."""
        return (ts - self._origin_us) // self.step_us

    def opens_at(self, number: int) -> int:
        return number * self.step_us + self._origin_us

    def form(self, event: Forming) -> None:
        """A bar that is not closed: all before it are, so they must have come."""
        number = self.number_at(event.bar.ts)
        holes = self.holes
        if holes.high < 0:
            holes.high = number - 1
        elif number <= holes.high:
            self.counts.duplicates += 1
            return
        elif number > holes.high + 1:
            holes.expect(number)
            self.counts.holes += 1
            self._mender.numbers(self)
        if not (self.in_order and holes):
            self.emit(event)


class PlainLine(Line):
    """Events that no request brings back: quotes, marks, liquidations, open interest.

    period_us: at most so far apart are two of them, where the venue says so; more apart, one between them is lost.
    is_sparse: they come when something rare happens, so silence says little.
    """

    def __init__(
        self,
        key: SeriesKey,
        emit: Emit,
        counts: Counts,
        *,
        in_order: bool,
        period_us: int = 0,
        is_sparse: bool = False,
    ) -> None:
        super().__init__(key, emit, counts)
        self.in_order, self.period_us, self.is_sparse = in_order, period_us, is_sparse
        self._last = (-1, -1)
        self._recent: deque[tuple[int, int]] = deque(maxlen=_RECENT)

    def take(self, event: Quote | MarkPrice | Forced | OpenInterest | Partial | Trade | DayTicker) -> None:
        ts = event.ts_event
        if isinstance(event, Quote | Partial | Trade):
            mark = (event.sequence, 0)
        else:
            mark = (ts, hash((event.side, event.price, event.quantity)) if isinstance(event, Forced) else 0)
        if mark[0] <= self._last[0] and (mark == self._last or self._is_old(mark)):
            self.counts.duplicates += 1
            return
        if not self.in_order:
            self._recent.append(mark)
        if self.lost_from:
            self.lose(self.lost_from, ts, event.ts_recv)
        elif self.period_us and 0 < self.last_ts < ts - self.period_us:
            self.why = "messages are missing"
            self.lose(self.last_ts + 1, ts, event.ts_recv)
        self._last = max(self._last, mark)
        if ts > self.last_ts:
            self.last_ts = ts
        self.emit(event)

    def _is_old(self, mark: tuple[int, int]) -> bool:
        """Of what was overtaken a recorder wants to know, a strategy not."""
        return mark[0] < self._last[0] if self.in_order else mark in self._recent

    def broken(self, watermark_us: int, why: str) -> None:
        if self.lost_from:
            return
        start = self.last_ts + 1 if self.last_ts else 0
        if self.is_sparse and watermark_us:
            start = max(start, watermark_us - _SLACK_US)
        self.lost_from, self.why = start, why
        self._last = (-1, -1)  # a venue that starts anew may count anew

    def settle(self, watermark_us: int) -> None:
        if self.is_sparse and 0 < self.lost_from < watermark_us:
            self.lose(self.lost_from, watermark_us + _SLACK_US, watermark_us)


class BookLine(Line):
    """A book by the venue's rules: updates wait for a snapshot that they join, and a hole in their chain asks for
    another one. In order, nothing is emitted of a book that is not known. last_ts: up to when it is known."""

    def __init__(self, key: SeriesKey, emit: Emit, counts: Counts, mender: Mender, *, in_order: bool) -> None:
        super().__init__(key, emit, counts)
        self.in_order = in_order
        self._mender = mender
        self._chain = Chain()
        self._waiting: list[Depth] = []  # for a snapshot
        self._early: list[Depth] = []  # for updates that they have overtaken
        self._seen = -1

    def take(self, event: Depth) -> None:
        last = self._chain.last
        if event.sequence > self._seen:
            self._seen = event.sequence
        elif not self._is_overtaken(event.sequence):
            self.counts.duplicates += 1
            return
        if not self.in_order:
            self.emit(event)
        if last is None:
            insort(self._waiting, event, key=_sequence)
            if len(self._waiting) > _MOST_WAITING:  # no snapshot can be had for long: one will not be that old
                del self._waiting[: _MOST_WAITING // 2]
        elif self._follows(event):
            while self._early and self._follows(self._early[0]):
                del self._early[0]

    def snapshot(self, event: Depth) -> bool:
        """Join a snapshot with the updates that wait; False if it is older than all of them: a newer one is needed."""
        waiting = self._waiting
        if waiting and not joins(event.sequence, waiting[0].first, _previous(waiting[0])):
            return False
        behind = sum(update.sequence <= event.sequence for update in waiting)
        # The book after the last update that it holds: on spot the venue tells no time of it.
        at = (waiting[behind - 1] if behind else waiting[0] if waiting else event).ts_event
        self._chain.snapshot(event.sequence)
        self.counts.repaired += bool(self.lost_from)
        self.emit(Depth(event.symbol, at, event.ts_recv, event.sequence, event.bids, event.asks, is_snapshot=True))
        if self.lost_from:
            self.lose(self.lost_from, at, event.ts_recv)
        self.last_ts = max(self.last_ts, at)
        self._waiting = []
        for update in waiting[behind:]:
            self._follows(update)
        return True

    @property
    def needs_snapshot(self) -> bool:
        return self._chain.last is None

    @property
    def has_waiting(self) -> bool:
        return bool(self._waiting)

    @property
    def has_early(self) -> bool:
        return bool(self._early)

    def give_up(self) -> None:
        """What was overtaken does not come any more: the book is unknown."""
        self.broken(0, "updates are missing")
        self._waiting, self._early = self._early, []
        self._chain.last = None

    def broken(self, watermark_us: int, why: str) -> None:
        self.lost_from = self.lost_from or (self.last_ts + 1 if self.last_ts else 0)
        self.why = why

    def opened(self, again: bool) -> None:
        """After a break the chain itself tells whether anything is missing."""
        if self._chain.last is None:
            self._mender.snapshot(self)

    def _is_overtaken(self, sequence: int) -> bool:
        """Whether an update that is older than others is one that they have overtaken."""
        kept, after = (self._waiting, -1) if self._chain.last is None else (self._early, self._chain.last)
        return bool(kept) and after < sequence < kept[-1].sequence and all(sequence != e.sequence for e in kept)

    def _follows(self, event: Depth) -> bool:
        """Whether the update follows on the book as it is known; else it is kept until those between have come."""
        chain = self._chain
        last = chain.last
        verdict = chain.update(event.first, event.sequence, _previous(event))
        if verdict is Verdict.GAP and last is not None:
            chain.snapshot(last)
            if event not in self._early:
                self.counts.holes += not self._early
                insort(self._early, event, key=_sequence)
            self._mender.snapshot(self)
            return False
        if verdict is Verdict.APPLY:
            self.lost_from = 0  # if the chain holds after a break, nothing was missed
            self.last_ts = max(self.last_ts, event.ts_event)
            if self.in_order:
                self.emit(event)
        return True


def _sequence(event: Depth) -> int:
    return event.sequence


def _previous(event: Depth) -> int | None:
    return event.previous if event.previous >= 0 else None
