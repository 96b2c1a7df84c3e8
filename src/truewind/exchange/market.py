"""What is traded on one market (spot or USD-M), up to its time; and telling those who listen.

A venue that matches orders is put upon it: `watch` the symbols with open orders, `listen` for events, ask `book` and
`tape` for the rest. Nobody's orders move this market.
"""

import heapq
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping

from truewind.domain.timeframe import MINUTE_US
from truewind.exchange.books import BookState
from truewind.exchange.events import BEAT_US, RANK, Beat, Depth, Event, Marked, Quoted, Traded
from truewind.exchange.replies import bad_symbol
from truewind.exchange.sources import Source
from truewind.exchange.tape import Tape
from truewind.venues.binance.endpoints import SPOT

Listener = Callable[[Event], None]
ALL = tuple(RANK)
MOST_ROWS = 8_000_000  # bars in memory, some 600 MB


class Market:
    """Symbols and their tapes, shown up to `now_us`. The same seed makes the same market."""

    def __init__(self, name: str, sources: Mapping[str, Source], now_us: int, *, seed: int) -> None:
        self.name = name
        self.spot = name == SPOT
        self.tapes = {symbol: Tape(source, spot=self.spot, seed=seed) for symbol, source in sorted(sources.items())}
        self.now_us = now_us
        self.events = 0
        self._watched: dict[str, Counter[type]] = {}
        self._used: OrderedDict[str, None] = OrderedDict()
        self._listeners: list[Listener] = []

    def at(self, now_us: int) -> "Market":
        """The same tapes at another time, with nobody watching or listening."""
        other = Market(self.name, {}, now_us, seed=0)
        other.tapes = self.tapes
        return other

    @property
    def end_us(self) -> int:
        """When the last of the symbols ends."""
        return max((tape.span[1] for tape in self.tapes.values()), default=0)

    def tape(self, symbol: str) -> Tape:
        """Raises RefusedError (-1121) for a symbol that is not traded."""
        try:
            tape = self.tapes[symbol]
        except KeyError:
            raise bad_symbol() from None
        self._used[symbol] = None
        self._used.move_to_end(symbol)
        self._make_room()
        return tape

    def _make_room(self) -> None:
        """Let go of the symbols that were asked for longest ago, if many rows are in memory."""
        rows = sum(self.tapes[symbol].rows for symbol in self._used)
        for symbol in list(self._used)[:-1]:
            if rows <= MOST_ROWS:
                return
            if symbol not in self._watched:
                rows -= self.tapes[symbol].rows
                self.tapes[symbol].forget()
                del self._used[symbol]

    def book(self, symbol: str) -> BookState:
        """The book now. Raises RefusedError."""
        return self.tape(symbol).book.at(self.now_us)

    def last_ticks(self, symbol: str) -> int:
        """The last price. Raises RefusedError."""
        return self.tape(symbol).last_ticks(self.now_us + 1)

    def mark(self, symbol: str) -> Marked | None:
        """The mark price now. Raises RefusedError."""
        return self.tape(symbol).marks.at(self.now_us)

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every event of watched symbols, in the order of time, as the market advances."""
        self._listeners.append(listener)

    def watch(self, symbol: str, kinds: Iterable[type] = ALL) -> None:
        """Let events of some kinds happen; as often as they are watched they must be unwatched to be let go."""
        self.tape(symbol)
        self._watched.setdefault(symbol, Counter()).update(list(kinds))

    def unwatch(self, symbol: str, kinds: Iterable[type] = ALL) -> None:
        left = self._watched[symbol]
        left.subtract(list(kinds))
        for kind in [kind for kind, count in left.items() if count <= 0]:
            del left[kind]
        if not left:
            del self._watched[symbol]

    def advance(self, now_us: int) -> None:
        """Let time pass. Nothing happens if it has passed already."""
        while self.now_us < now_us:
            until = min(now_us, (self.now_us // MINUTE_US + 1) * MINUTE_US)
            for event in self._between(self.now_us, until):
                self.now_us = max(self.now_us, event.ts_us)
                self.events += 1
                for listener in self._listeners:
                    listener(event)
            self.now_us = until

    def _between(self, after_us: int, until_us: int) -> Iterable[Event]:
        parts = [
            self._happens(self.tapes[symbol], kinds, after_us, until_us)
            for symbol, kinds in sorted(self._watched.items())
        ]
        return heapq.merge(*parts, key=_order)

    def _happens(self, tape: Tape, kinds: Collection[type], after_us: int, until_us: int) -> list[Event]:
        """Only what somebody watches is made: books cost most."""
        events: list[Event] = []
        if Traded in kinds:
            events += [Traded(tape.symbol, *row) for row in tape.trades(after_us + 1, until_us + 1).tolist()]
        if Depth in kinds:
            events += tape.book.updates(after_us, until_us)
        if Beat in kinds:
            beats = range(after_us // BEAT_US + 1, until_us // BEAT_US + 1)
            events += [Beat(tape.symbol, beat * BEAT_US) for beat in beats]
        if Quoted in kinds and tape.has_quotes:
            events += tape.quotes(after_us, until_us)
        if not self.spot:
            events += tape.marks.events(after_us, until_us, kinds)
        events.sort(key=_order)
        return events


def _order(event: Event) -> tuple[int, int]:
    return event.ts_us, RANK[type(event)]
