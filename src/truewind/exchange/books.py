"""The order book of a symbol: recorded where the lake has it, made up around the trades where not."""

from collections.abc import Callable
from typing import Protocol

import msgspec
import numpy as np
import polars as pl

from truewind.exchange.depth import DEPTH, EVERY_US, IDS, MadeBook
from truewind.exchange.events import Depth
from truewind.exchange.numbers import Numbers
from truewind.exchange.sources import Source

Levels = list[tuple[int, int]]
_UPDATE, _SNAPSHOT = 0, 4


class BookState(msgspec.Struct, frozen=True):
    """The book at a time, best prices first: (ticks, lots). id: of the last update in it; ts_us: when that was."""

    id: int
    ts_us: int
    bids: Levels
    asks: Levels


class SymbolBook(Protocol):
    def at(self, now_us: int, depth: int = DEPTH) -> BookState: ...
    def updates(self, after_us: int, until_us: int) -> list[Depth]: ...


class FreeBook:
    """Made around the trades. bids: the best bids before given times (µs, ascending)."""

    def __init__(self, symbol: str, seed: int, mean: float, bids: Callable[[np.ndarray], np.ndarray]) -> None:
        self._symbol = symbol
        self._made = MadeBook(seed, mean)
        self._bids = bids

    def at(self, now_us: int, depth: int = DEPTH) -> BookState:
        """The best `depth` levels."""
        moment = now_us // EVERY_US
        bid = int(self._bids(np.array([moment * EVERY_US]))[0])
        sides = []
        for side in (1, -1):
            ticks, lots = self._made.side(side, bid, moment, depth)
            sides.append(list(zip(ticks.tolist(), lots.tolist(), strict=True)))
        return BookState(moment * IDS, moment * EVERY_US, sides[0], sides[1])

    def updates(self, after_us: int, until_us: int) -> list[Depth]:
        first, last = after_us // EVERY_US + 1, until_us // EVERY_US
        if last < first:
            return []
        count = last - first + 1
        bids = self._bids(np.arange(first - 1, last + 1) * EVERY_US)
        levels: list[tuple[Levels, Levels]] = [([], []) for _ in range(count)]
        for s, side in enumerate((1, -1)):
            places, ticks, lots = self._made.changes(side, bids, first)
            for place, price, quantity in zip(places.tolist(), ticks.tolist(), lots.tolist(), strict=True):
                levels[place][s].append((price, quantity))
        best = self._made.best(bids[1:], first)
        return [
            Depth(
                self._symbol,
                (first + i) * EVERY_US,
                last_id - IDS + 1,
                last_id,
                last_id - IDS,
                *levels[i],
                best=best[i],
            )
            for i, last_id in enumerate(range(first * IDS, last * IDS + 1, IDS))
        ]


class RecordedBook:
    """As it was recorded: snapshots and updates with the venue's own ids. Empty before the first snapshot."""

    def __init__(self, source: Source, numbers: Numbers) -> None:
        self._source = source
        self._symbol = source.about.symbol
        self._numbers = numbers
        self._begin = (source.span("book") or (0, 0))[0]
        self._now_us = self._begin - 1
        self._sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._latest = (0, 0)

    def at(self, now_us: int, depth: int = 0) -> BookState:
        """All levels, whatever `depth` is."""
        if now_us < self._now_us:
            self._forget()
        for update in self.updates(self._now_us, now_us):
            if update.restarts:
                self._sides = ({}, {})
            for side, levels in zip(self._sides, (update.bids, update.asks), strict=True):
                for ticks, lots in levels:
                    if lots:
                        side[ticks] = lots
                    else:
                        side.pop(ticks, None)
            self._latest = (update.final, update.ts_us)
        self._now_us = max(self._now_us, now_us)
        bids, asks = self._sides
        return BookState(*self._latest, sorted(bids.items(), reverse=True), sorted(asks.items()))

    def updates(self, after_us: int, until_us: int) -> list[Depth]:
        if until_us < self._begin:
            return []
        rows = self._source.rows("book", max(after_us + 1, self._begin), until_us + 1)
        rows = rows.filter(pl.col("kind").is_in([_UPDATE, _SNAPSHOT]))
        numbers = [name for name in ("first", "previous") if name in rows.columns]
        found = []
        for (ts, kind, final), part in rows.with_columns(pl.col("ts").to_physical()).group_by(
            ["ts", "kind", "id"], maintain_order=True
        ):
            ids = dict.fromkeys(("first", "previous"), int(final)) | {
                name: value for name in numbers if (value := part[name][0]) is not None
            }
            bids, asks = (self._levels(part.filter(pl.col("side") == side)) for side in (1, -1))
            found.append(
                Depth(self._symbol, int(ts), ids["first"], int(final), ids["previous"], bids, asks, kind == _SNAPSHOT)
            )
        return found

    def _levels(self, rows: pl.DataFrame) -> Levels:
        numbers = self._numbers
        ticks = np.round(rows["price"].to_numpy() / numbers.tick_size).astype(np.int64)
        lots = np.round(rows["quantity"].to_numpy() / numbers.lot_size).astype(np.int64)
        return list(zip(ticks.tolist(), lots.tolist(), strict=True))

    def _forget(self) -> None:
        self._now_us = self._begin - 1
        self._sides = ({}, {})
        self._latest = (0, 0)
