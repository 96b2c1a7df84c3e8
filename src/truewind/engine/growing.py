"""Timelines that grow: rows that come in while the engine runs, in paper and live sessions.

The engine asks for the next rows when it is done with those before, and waits as long as there are none. Rows are
given in event order by a source that is a plain iterator; it may block, in a thread of its own.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from truewind.domain.clock import iso
from truewind.engine.merge import PRICES, Tape, Timeline
from truewind.errors import DataError

Rows = Mapping[str, np.ndarray]  # by name: ts, ts_event, symbol (its index), ts_recv, and the columns of bars or trades
_MARKS = tuple(f"mark_{name}" for name in PRICES)
_TIMES = ("ts", "ts_event", "ts_recv", "symbol")


class Growing(Timeline):
    """A timeline of which the `first` rows are known, and `source` brings the others.

    first, and what source yields: int64 ts, ts_event, symbol and ts_recv (when the strategy is shown the row, not
    before it happened); of bars open, high, low, close, volume … and features (float64), of trades price, quantity
    (float64), side and sequence (int64). Bars may have mark_open, mark_high, mark_low and mark_close, NaN where the
    traded prices stand in. All have the columns of `first`. Rows follow those before by ts_event; where they do not,
    `arriving` raises DataError. fall_due: what comes due for the holders of a symbol, told before the row in which it
    does.
    """

    def __init__(self, symbols: Sequence[str], first: Rows, source: Iterator[Rows]) -> None:
        self._source = source
        self._rows = 0
        self._room = {name: np.empty(0, column.dtype) for name, column in first.items()}
        self._dues: list[tuple[str, np.ndarray]] = []
        self._append(first)
        super().__init__(symbols, *self._columns())
        self._show()

    def arriving(self) -> Iterator[int]:
        yield 0
        for rows in self._source:
            known = self._rows
            self._append(rows)
            self._show()
            yield known

    def fall_due(self, symbol: str, due: np.ndarray) -> None:
        """A DUE row of a symbol has become known."""
        self._dues.append((symbol, due))

    def dues(self) -> list[tuple[str, np.ndarray]]:
        """The DUE rows, with their symbols, that have become known since this was last asked."""
        found, self._dues = self._dues, []
        return found

    def _append(self, rows: Rows) -> None:
        known, more = self._rows, len(rows["ts"])
        last = int(self._room["ts_event"][known - 1]) if known else int(rows["ts_event"][0])
        falls = np.diff(rows["ts_event"], prepend=last) < 0
        if falls.any():
            row = int(falls.argmax())
            symbol, ts = self.symbols[int(rows["symbol"][row])], int(rows["ts_event"][row])
            raise DataError(
                f"{symbol}: the live feed hands on a row of {iso(ts)} after later ones",
                remedy="Let the feed order its rows before it hands them on",
                symbol=symbol,
                ts=ts,
            )
        for name, room in self._room.items():
            if known + more > len(room):
                self._room[name] = np.empty(2 * (known + more), room.dtype)
                self._room[name][:known] = room[:known]
            self._room[name][known : known + more] = rows[name]
            if name in _MARKS:
                price = rows[name.removeprefix("mark_")]
                self._room[name][known : known + more] = np.where(np.isnan(rows[name]), price, rows[name])
        self._rows += more

    def _columns(self) -> tuple[list[np.ndarray], list[np.ndarray], dict[str, np.ndarray]]:
        """times, prices and further columns of the rows so far, as `Timeline` has them."""
        laid = {name: room[: self._rows] for name, room in self._room.items()}
        priced = ("price",) * 4 if self.callback == "on_trade" else PRICES
        times = [laid[name] for name in ("ts", "ts_event", "symbol")]
        further = {name: laid[name] for name in laid if name not in (*_TIMES, *priced, *_MARKS)}
        return times, [laid[name] for name in priced], further

    def _show(self) -> None:
        times, prices, further = self._columns()
        self.times, self.prices, self.marks, self.indices, self.columns = times, prices, prices, prices, further
        if _MARKS[0] in self._room:
            self.marks = [self._room[name][: self._rows] for name in _MARKS]
        self.volumes = further.get("volume", further.get("quantity", np.zeros(0)))
        self.counts = further.get("trades", np.zeros(0))
        self.received = self._room["ts_recv"][: self._rows]


class GrowingBars(Growing):
    """Bars as they close."""


class GrowingTape(Growing, Tape):
    """Trades as they are told."""
