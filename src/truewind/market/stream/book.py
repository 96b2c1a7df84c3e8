"""A symbol's order book as streams tell it, kept in integers: snapshots and updates in the order in which they come."""

import numpy as np

from truewind.domain.book import BOOK_EVENT, BookKind
from truewind.domain.instrument import Instrument
from truewind.market.book.steps import in_lots, in_ticks
from truewind.market.stream.events import Depth
from truewind.numerics.book import Book


class LocalBook:
    """The book of one symbol. sequence: the last update in it, −1 while it is not known.

    Fed with the `Depth` events of `BinanceStreams`, which come complete and in order: the first is a snapshot.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument, self.sequence, self.ts_event = instrument, -1, 0
        self._book = Book()
        self._tick, self._lot = instrument.tick_size.as_integer_ratio(), instrument.lot_size.as_integer_ratio()

    @property
    def is_known(self) -> bool:
        """Whether a snapshot has come, and every update since."""
        return self.sequence >= 0

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is not below the best ask, which no sound book is after a whole message."""
        return self._book.is_crossed

    @property
    def best_bid(self) -> float | None:
        """The highest price at which someone buys; None if nobody does."""
        ticks = self._book.best_bid
        return None if ticks is None else _worth(ticks, self._tick)

    @property
    def best_ask(self) -> float | None:
        """The lowest price at which someone sells; None if nobody does."""
        ticks = self._book.best_ask
        return None if ticks is None else _worth(ticks, self._tick)

    def apply(self, event: Depth) -> bool:
        """Bring the book up to date; False for an update of a book that is not known, which changes nothing.

        Raises ValidationError for a price off the instrument's ticks: the book is then unknown until a snapshot.
        """
        if not (self.is_known or event.is_snapshot):
            return False
        self.sequence = -1  # while it is neither the old book nor the new one
        if event.is_snapshot:
            self._book.clear()
        levels = np.array(event.bids + event.asks, float).reshape(-1, 2)
        rows = np.zeros(len(levels), BOOK_EVENT)
        rows["ts_event"], rows["ts_recv"], rows["kind"] = event.ts_event, event.ts_recv, BookKind.LEVEL
        rows["side"] = -1
        rows["side"][: len(event.bids)] = 1
        rows["ticks"] = in_ticks(self.instrument, levels[:, 0], rows["ts_event"])
        rows["lots"], _ = in_lots(self.instrument, levels[:, 1])
        self._book.apply(rows)
        self.sequence, self.ts_event = event.sequence, event.ts_event
        return True

    def levels(self, side: int, count: int | None = None) -> list[tuple[float, float]]:
        """(price, quantity) of a side (+1 bids, −1 asks), best first; all of them, or the best `count`."""
        ticks, lots = self._book.depth(side)
        return [
            (_worth(price, self._tick), _worth(quantity, self._lot))
            for price, quantity in zip(ticks[:count].tolist(), lots[:count].tolist(), strict=True)
        ]


def _worth(steps: int, step: tuple[int, int]) -> float:
    """So many steps as the float nearest to their decimal: the one that the venue's text is read as."""
    return steps * step[0] / step[1]
