"""Merging: the bars of many symbols become one timeline in the order of `domain.events.sort_key`."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, cast

import msgspec
import numpy as np

from truewind.domain.clock import iso
from truewind.domain.market import Bar
from truewind.errors import DataError

TS, TS_EVENT, SYMBOL = 0, 1, 2
OPEN, HIGH, LOW, CLOSE = 0, 1, 2, 3
CHUNK = 4096  # bars turned into Python objects at a time: enough to amortise, small enough to stay in cache
_PRICES = ("open", "high", "low", "close")
_OPTIONAL = ("volume", "quote_volume", "trades", "taker_buy_volume")


class Timeline:
    """All bars of a run, merged, as columns.

    times: int64 (3, rows): open time, event time, symbol index. prices: float64 (4, rows): open, high, low, close.
    columns: further float64 columns by name (volume …, and the features that the strategy reads).
    """

    def __init__(
        self, symbols: Sequence[str], times: np.ndarray, prices: np.ndarray, columns: Mapping[str, np.ndarray]
    ) -> None:
        self.symbols = list(symbols)
        self.times = times
        self.prices = prices
        self.columns = dict(columns)

    def __len__(self) -> int:
        return int(self.times.shape[1])

    def row_type(self) -> type[Bar]:
        """The type of this timeline's bars: `Bar`, with a field for each feature if there are any."""
        extra = [name for name in self.columns if name not in _OPTIONAL]
        if not extra:
            return Bar
        row_type: Any = msgspec.defstruct(
            "Row", [(name, float, math.nan) for name in extra], bases=(Bar,), frozen=True, gc=False
        )
        return cast("type[Bar]", row_type)

    def chunks(self, wanted: np.ndarray | None = None) -> Iterator[tuple[Sequence[int], Iterator[Bar]]]:
        """(rows, bars) for stretches of the timeline, or of the rows `wanted` (int64, rising).

        Bars are fresh immutable objects, made just before they are used.
        """
        row_type = self.row_type()
        nan = repeat(math.nan)
        extra = [name for name in self.columns if name not in _OPTIONAL]
        # Trailing fields that no column fills keep their default, unless features follow them.
        filled = [name for name in _OPTIONAL if name in self.columns or extra]
        while filled and filled[-1] not in self.columns and not extra:
            filled.pop()
        for first in range(0, len(self) if wanted is None else len(wanted), CHUNK):
            rows: Sequence[int]
            part: Any
            if wanted is None:
                rows = range(first, min(first + CHUNK, len(self)))
                part = slice(first, first + CHUNK)
            else:
                part = wanted[first : first + CHUNK]
                rows = part.tolist()
            ts_event = self.times[TS_EVENT, part].tolist()
            symbols: Any
            if len(self.symbols) == 1:
                symbols = repeat(self.symbols[0])
            else:
                symbols = map(self.symbols.__getitem__, self.times[SYMBOL, part].tolist())
            values: list[Any] = [symbols, self.times[TS, part].tolist(), ts_event, ts_event]
            values += [self.prices[i, part].tolist() for i in range(4)]
            for name in [*filled, *extra]:
                values.append(self.columns[name][part].tolist() if name in self.columns else nan)
            yield rows, map(row_type, *values)


def merge(bars: Mapping[str, Mapping[str, np.ndarray]], lengths_us: Mapping[str, int]) -> Timeline:
    """One timeline from each symbol's columns (`ts` int64 µs, open, high, low, close, volume, features …).

    lengths_us: timeframe of each symbol. A column that some symbol lacks is NaN there. Symbols keep their given order,
    which decides among bars that are known at the same time. Raises DataError for a symbol without bars, with times
    that do not rise, or with prices that are not positive numbers between low and high.
    """
    symbols = list(bars)
    names: list[str] = []
    for symbol, columns in bars.items():
        ts = columns["ts"]
        if len(ts) == 0:
            raise DataError(f"{symbol} has no bars", remedy="Choose another period or symbol", symbol=symbol)
        if len(ts) > 1 and not (np.diff(ts) > 0).all():
            row = int(np.argmax(np.diff(ts) <= 0)) + 1
            raise DataError(f"{symbol}: bar times do not rise at row {row}", remedy="Sort and de-duplicate", row=row)
        _check_prices(symbol, columns)
        names += [name for name in columns if name not in (*_PRICES, "ts", *names)]
    names.sort(key=lambda name: _OPTIONAL.index(name) if name in _OPTIONAL else len(_OPTIONAL))
    total = sum(len(columns["ts"]) for columns in bars.values())
    times = np.empty((3, total), np.int64)
    prices = np.empty((4, total), np.float64)
    merged = {name: np.empty(total, np.float64) for name in names}
    order = _event_order(bars, lengths_us)
    start = 0
    for index, (symbol, columns) in enumerate(bars.items()):
        stop = start + len(columns["ts"])
        to: Any = slice(start, stop) if order is None else order[start:stop]
        times[TS, to] = columns["ts"]
        times[TS_EVENT, to] = columns["ts"] + lengths_us[symbol]
        times[SYMBOL, to] = index
        for i, name in enumerate(_PRICES):
            prices[i, to] = columns[name]
        for name in names:
            merged[name][to] = columns.get(name, np.nan)
        start = stop
    return Timeline(symbols, times, prices, merged)


def _check_prices(symbol: str, columns: Mapping[str, np.ndarray]) -> None:
    """Matching relies on 0 < low ≤ open, close ≤ high < ∞; what is not so is no bar."""
    open_, high, low, close = (columns[name] for name in _PRICES)
    good = (low > 0.0) & (low <= open_) & (low <= close) & (open_ <= high) & (close <= high) & (high < np.inf)
    if not good.all():
        row = int(np.argmin(good))
        raise DataError(
            f"{symbol}: open {open_[row]:g}, high {high[row]:g}, low {low[row]:g}, close {close[row]:g} in row {row} "
            f"at {iso(int(columns['ts'][row]))} are not the prices of a bar ({int((~good).sum())} such rows)",
            remedy="See `truewind data check`; mend or leave out these rows",
            symbol=symbol,
            row=row,
        )


def _event_order(bars: Mapping[str, Mapping[str, np.ndarray]], lengths_us: Mapping[str, int]) -> np.ndarray | None:
    """Where each row of the symbols laid end to end goes on the timeline; None if they are in order already."""
    if len(bars) == 1:
        return None
    event = np.concatenate([columns["ts"] + lengths_us[symbol] for symbol, columns in bars.items()])
    length = np.concatenate([np.full(len(columns["ts"]), -lengths_us[symbol]) for symbol, columns in bars.items()])
    source = np.lexsort((length, event))  # stable: symbols keep their order at equal keys
    target = np.empty_like(source)
    target[source] = np.arange(len(source))
    return target
