"""Order books as tables: the first levels after each message of depth, or at every tick of a clock.

    recording = read_recording(paths, instrument, base_latency_us=1_000)
    table = book_levels(recording.events, instrument, levels=10, every_ms=100)
    compute(table, ["book_imbalance(5)", "ofi(10)", "depth_within(5)"])

A `book` series of the lake becomes events by `truewind.market.book.assemble`.
Columns: `ts`, `ts_known`, the best prices `bid bid_quantity ask ask_quantity`, and level by level `bid_1` (the same
again) `bid_quantity_1 ask_1 ask_quantity_1` … A level that is not there is null. `ts` is the venue's time and
`ts_known` when all that the row tells had been received: a strategy that acts on a row before then looks ahead.
"""

from collections.abc import Iterator
from fractions import Fraction

import msgspec
import numpy as np
import polars as pl

from truewind.domain.book import BOOK_EVENT
from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument
from truewind.errors import FeatureError, ValidationError
from truewind.features.book import MAX_LEVELS, TOP
from truewind.numerics.book import BOOK_SIDE, Book
from truewind.numerics.depth import NEVER_YET, sample

TIME = pl.Datetime("us", "UTC")
_ROOM = 1 << 16  # rows written at a time


class _Saved(msgspec.Struct, forbid_unknown_fields=True):
    """A sampler on paper. clock: its moments and the time of the last event; the rest are the arrays of the book."""

    levels: int
    every_us: int
    clock: list[int]
    sides: bytes
    window: bytes
    far: bytes


class BookSampler:
    """The first `levels` levels of a book whose events come piece by piece; the pieces do not matter.

    every_ms: write the book down at every whole multiple of so many milliseconds, as it was after all that happened up
    to then; 0: after each message of depth, however many there are of one moment. Where updates are missing the book is
    unknown, and rows are null until a snapshot. Raises FeatureError for a number of levels or a clock that cannot be.
    """

    def __init__(self, instrument: Instrument, levels: int = 10, every_ms: float = 0) -> None:
        every_us = every_ms * 1_000
        if not 1 <= levels <= MAX_LEVELS or every_us < 0 or every_us != int(every_us):
            raise FeatureError(
                f"{levels} levels every {every_ms} ms are no sample of a book",
                remedy=f"Take 1 to {MAX_LEVELS} levels, and 0 or more whole microseconds",
            )
        self.levels, self.every_us = levels, int(every_us)
        steps = (Fraction(instrument.tick_size), Fraction(instrument.lot_size))
        self._units = np.array([part for step in steps for part in (step.numerator, step.denominator)], float)
        self._book = Book()
        self._clock = np.full(2, NEVER_YET)
        self._last = NEVER_YET

    def extend(self, events: np.ndarray) -> pl.DataFrame:
        """The rows that the next events make. events: BOOK_EVENT rows, as recordings and the lake's books give them.

        A moment of the clock is written down once something has happened after it. Raises ValidationError where time
        goes back; the sampler is then as it was.
        """
        if events.dtype != BOOK_EVENT:
            raise FeatureError("These are no events of an order book", remedy="Give BOOK_EVENT rows")
        ts = np.concatenate([[self._last], events["ts_event"]])
        back = np.flatnonzero(ts[1:] < ts[:-1])
        if back.size:
            row = int(back[0])
            raise ValidationError(
                f"Book: time goes back in row {row} at {iso(int(ts[row + 1]))}", remedy="Sort by ts_event", row=row
            )
        self._last = int(ts[-1])
        return pl.concat([self._table(*part) for part in self._parts(events)], rechunk=True)

    def save(self) -> bytes:
        """The state after the events so far, to go on from by `load`."""
        arrays = (array.tobytes() for array in self._book.arrays)
        return msgspec.msgpack.encode(_Saved(self.levels, self.every_us, [*self._clock.tolist(), self._last], *arrays))

    def load(self, saved: bytes) -> None:
        """Go on from a saved state. Raises FeatureError if it is damaged or of another sample."""
        try:
            found = msgspec.msgpack.decode(saved, type=_Saved)
        except msgspec.MsgspecError as error:
            raise FeatureError(f"The saved book is damaged: {error}", remedy="Begin anew from a snapshot") from None
        if (found.levels, found.every_us) != (self.levels, self.every_us):
            raise FeatureError(
                f"The saved book is of {found.levels} levels every {found.every_us} µs",
                remedy="Begin anew from a snapshot",
            )
        self._book.sides = np.frombuffer(found.sides, BOOK_SIDE).copy()
        self._book.levels = np.frombuffer(found.window, np.int64).reshape(2, -1).copy()
        self._book.far = np.frombuffer(found.far, np.int64).reshape(4, -1).copy()
        self._clock[:], self._last = found.clock[:2], found.clock[2]

    def _parts(self, events: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """ts, known and levels of the rows that the events make, as many at a time as there is room, at least once."""
        row = 0
        while True:
            room = min(_ROOM, len(events) - row + 1) if not self.every_us else _ROOM
            ts, known, out = np.empty(room, np.int64), np.empty(room, np.int64), np.empty((4 * self.levels, room))
            row, count = sample(
                events, row, len(events), *self._book.arrays, self.every_us, self._clock, self._units, ts, known, out, 0
            )
            yield ts[:count], known[:count], out[:, :count]
            if row == len(events):
                return
            if count < room:
                self._book.grow()

    def _table(self, ts: np.ndarray, known: np.ndarray, out: np.ndarray) -> pl.DataFrame:
        columns = {"ts": pl.Series(ts).cast(TIME), "ts_known": pl.Series(known).cast(TIME)}
        columns |= {name: pl.Series(out[i]).fill_nan(None) for i, name in enumerate(TOP)}
        columns |= {f"{TOP[i % 4]}_{i // 4 + 1}": pl.Series(out[i]).fill_nan(None) for i in range(len(out))}
        return pl.DataFrame(columns)


def book_levels(events: np.ndarray, instrument: Instrument, *, levels: int = 10, every_ms: float = 0) -> pl.DataFrame:
    """The first `levels` levels of a book as a table; see `BookSampler`."""
    return BookSampler(instrument, levels, every_ms).extend(events)
