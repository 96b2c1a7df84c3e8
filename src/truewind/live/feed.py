"""The feed of a session: closed bars or trades from live streams, as rows for a timeline that grows.

Streams are read in the event loop, the engine runs in a thread of its own and takes what has come since it last asked.
Features are computed bar by bar by the same kernels as in a backtest.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace

from truewind.domain.clock import VenueClock
from truewind.domain.market import Bar, Funding
from truewind.engine.growing import Rows
from truewind.features.streaming import Stream
from truewind.live.marks import Marks
from truewind.live.order import Orderer, Told
from truewind.market.stream.events import MarkPrice

MARK_COLUMNS = ("mark_open", "mark_high", "mark_low", "mark_close")
BAR_COLUMNS = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume")
TRADE_COLUMNS = ("price", "quantity", "side", "sequence")
_WHOLE = ("ts", "ts_event", "ts_recv", "symbol", "side", "sequence")
Fields = Mapping[str, str]  # field of a row → the feature's column


class Feed:
    """Events in, by `put`, from the event loop; rows out, by `first` and `rows`, in the engine's thread.

    patience_us: see `Orderer`; of our time, however fast the venue's runs.

    symbols: those of the session, in its order. streams: the features that bars get, by symbol; fields: what they are
    called there. marks: folds mark prices, on bars. length_us: in market time, what happens later is not handed on.
    count: rows handed on so far.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        clock: VenueClock,
        patience_us: int,
        *,
        length_us: int | None = None,
        streams: Mapping[str, Stream] | None = None,
        fields: Fields | None = None,
        marks: Marks | None = None,
    ) -> None:
        self.symbols = list(symbols)
        self.orderer = Orderer(symbols, round(patience_us * clock.speed))
        self.count = 0
        self._index = {symbol: i for i, symbol in enumerate(symbols)}
        self._clock = clock
        self._streams = streams or {}
        self._fields = fields or {}
        self._marks = marks
        self._fallen: list[Funding] = []
        self._known_us = 0  # when the last row handed on was known
        self._news = threading.Condition()
        self._called = False  # somebody wants the engine's thread, whether rows come or not
        self._over = False  # nothing more will come
        self._ended = False  # nothing more is wanted
        self._length_us = length_us
        self._until_us: int | None = None
        self._received = 0

    def put(self, event: Told | MarkPrice) -> None:
        """An event of one of the symbols has come."""
        with self._news:
            if isinstance(event, MarkPrice):
                fallen = self._marks.hear(event) if self._marks is not None else None
                self._fallen += [] if fallen is None else [fallen]
                return
            self.orderer.add(event, self._clock.now_us())
            self._news.notify()

    def funded(self) -> list[Funding]:
        """What funding has fallen due since this was last asked.

        What one hears of so late that rows after it have been acted on falls due with the rows that come.
        """
        with self._news:
            found, self._fallen = self._fallen, []
            return [replace(due, ts_event=max(due.ts_event, self._known_us)) for due in found]

    def close(self) -> None:
        """Nothing more will come: what is held back is handed on, and the rows end."""
        with self._news:
            self._over = True
            self._news.notify()

    def call(self) -> None:
        """Let who waits for rows come back without any."""
        with self._news:
            self._called = True
            self._news.notify()

    def first(self) -> list[Told]:
        """The first events, as many as it takes until every symbol has had one; fewer if the feed is closed before."""
        found: list[Told] = []
        missing = set(self.symbols)
        while missing:
            more = self._wait()
            if not more:
                break
            missing -= {event.symbol for event in more}
            found += more
        return found

    def rows(self) -> Iterator[Rows]:
        """What comes after that, all that is there at once, until the feed is closed or the session's time is over.

        Nothing at once where somebody has called.
        """
        while True:
            events = self._wait()
            if events:
                yield self.table(events)
            elif self._called:
                self._called = False
                yield {}
            else:
                return

    def table(self, events: Sequence[Told]) -> dict[str, np.ndarray]:
        """The columns of some events, with their features; they are received now, but not before they happened."""
        names = BAR_COLUMNS if isinstance(events[0], Bar) else TRADE_COLUMNS
        now = self._clock.now_us()
        columns: dict[str, list[Any]] = {name: [] for name in ("ts", "ts_event", "ts_recv", "symbol", *names)}
        computed: dict[str, list[float]] = {field: [] for field in self._fields}
        for event in events:
            self._received = max(self._received, now, event.ts_event)
            for name, column in columns.items():
                if name == "symbol":
                    column.append(self._index[event.symbol])
                else:
                    column.append(self._received if name == "ts_recv" else getattr(event, name))
            if event.symbol in self._streams:
                stream = self._streams[event.symbol]
                values = dict(zip(stream.columns, stream.update(event), strict=True))
                for field, name in self._fields.items():
                    computed[field].append(values[name])
        if self._marks is not None:
            with self._news:
                marks = [self._marks.take(event.symbol, event.ts) for event in events]
            computed |= dict(zip(MARK_COLUMNS, map(list, zip(*marks, strict=True)), strict=True))
        self._known_us = events[-1].ts_event
        self.count += len(events)
        whole = {name: np.array(column, np.int64 if name in _WHOLE else float) for name, column in columns.items()}
        return whole | {field: np.array(column, float) for field, column in computed.items()}

    def _wait(self) -> list[Told]:
        """The next events in order; none when there will be no more."""
        with self._news:
            while not self._ended:
                now = self._clock.now_us()
                found = self.orderer.rest() if self._over else self.orderer.ready(now)
                if found and self._length_us is not None:
                    until = self._until_us = self._until_us or found[0].ts + self._length_us
                    self._ended = found[-1].ts_event > until
                    found = [event for event in found if event.ts_event <= until]
                if found or self._over or self._called:
                    return found
                due = self.orderer.due_us()
                if not self._ended:
                    self._news.wait(None if due is None else max((due - now) / 1e6 / self._clock.speed, 0.001))
            return []
