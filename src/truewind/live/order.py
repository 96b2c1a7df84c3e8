"""Order: what several streams bring, put into the order in which it happened, as far as one can wait for that.

A backtest sees all symbols' rows in event order. Live they come as the network brings them, so an event is held back
until no symbol can bring an earlier one, but never for longer than `patience`.
"""

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from msgspec.structs import replace

from truewind.domain.market import Bar, Trade

Told = Bar | Trade


class Place(NamedTuple):
    """Where an event stands among the others: as in `domain.events.sort_key`."""

    ts_event: int
    symbol: int
    sequence: int


class Orderer:
    """Events in, events in order out. symbols: in the order that decides between those of one time.

    What comes later than `patience_us` allows: a bar is left out (`dropped`), since a later one has been acted on; a
    trade is let in as if it had happened a microsecond after the last one that was (`lifted`), since none may be lost.
    """

    def __init__(self, symbols: Sequence[str], patience_us: int) -> None:
        self._index = {symbol: i for i, symbol in enumerate(symbols)}
        self._patience_us = patience_us
        self._pending: list[tuple[Place, int, int, Told]] = []
        self._heard = [(0, 0)] * len(self._index)  # how far each symbol has come: no event before it is to be expected
        self._last = Place(-1, 0, 0)
        self._count = 0
        self.dropped = 0
        self.lifted = 0

    def add(self, event: Told, now_us: int) -> None:
        """An event of one of the symbols has come."""
        place = self._place(event)
        if place <= self._last:
            if isinstance(event, Bar):
                self.dropped += 1
                return
            self.lifted += 1
            event = replace(event, ts_event=self._last.ts_event + 1)
            place = self._place(event)
            self._last = place  # another late one comes after this one, whatever its number is
        # A time has one bar of a symbol, but it may have more trades.
        upto = len(self._index) if isinstance(event, Bar) else place.symbol
        self._heard[place.symbol] = max(self._heard[place.symbol], (place.ts_event, upto))
        self._count += 1
        heapq.heappush(self._pending, (place, now_us + self._patience_us, self._count, event))

    def ready(self, now_us: int) -> list[Told]:
        """The events that nothing can come before any more, or that have waited long enough, and all before them."""
        found: list[Told] = []
        while self._pending and (self._pending[0][1] <= now_us or self._is_next(self._pending[0][0])):
            place, _, _, event = heapq.heappop(self._pending)
            self._last = max(self._last, place)
            found.append(event)
        return found

    def rest(self) -> list[Told]:
        """All that is held back, in order: nothing more will come."""
        return [heapq.heappop(self._pending)[3] for _ in range(len(self._pending))]

    def due_us(self) -> int | None:
        """When the first of those held back has waited long enough; None if there are none."""
        return self._pending[0][1] if self._pending else None

    def _is_next(self, place: Place) -> bool:
        """Whether every other symbol has come as far as this place."""
        return all(heard >= (place.ts_event, place.symbol) for i, heard in enumerate(self._heard) if i != place.symbol)

    def _place(self, event: Told) -> Place:
        return Place(event.ts_event, self._index[event.symbol], 0 if isinstance(event, Bar) else event.sequence)
