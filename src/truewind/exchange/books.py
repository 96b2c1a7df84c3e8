"""The order book of a symbol: recorded where the lake has it, made up around the trades where not."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from heapq import nlargest, nsmallest
from itertools import pairwise
from typing import Protocol

import msgspec
import numpy as np
import polars as pl

from truewind.domain.book import BookKind
from truewind.domain.timeframe import MINUTE_US
from truewind.exchange.depth import DEPTH, EVERY_US, IDS, MadeBook
from truewind.exchange.events import Depth
from truewind.exchange.numbers import Numbers
from truewind.exchange.sources import Source

Levels = list[tuple[int, int]]
Touch = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
_DEPTH = [int(BookKind.LEVEL), int(BookKind.SNAPSHOT)]
_FEW = 20


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
    """Made around the market. touch: before given times (µs, ascending) the best bids, and the ticks below the best
    asks."""

    def __init__(self, symbol: str, seed: int, mean: float, touch: Touch) -> None:
        self._symbol = symbol
        self._made = MadeBook(seed, mean)
        self._touch = touch

    def at(self, now_us: int, depth: int = DEPTH) -> BookState:
        """The best `depth` levels."""
        moment = now_us // EVERY_US
        sides = []
        for side, near in zip((1, -1), self._touch(np.array([moment * EVERY_US])), strict=True):
            ticks, lots = self._made.side(side, int(near[0]), moment, depth)
            sides.append(list(zip(ticks.tolist(), lots.tolist(), strict=True)))
        return BookState(moment * IDS, moment * EVERY_US, sides[0], sides[1])

    def updates(self, after_us: int, until_us: int) -> list[Depth]:
        first, last = after_us // EVERY_US + 1, until_us // EVERY_US
        if last < first:
            return []
        touch = self._touch(np.arange(first - 1, last + 1) * EVERY_US)
        levels: list[tuple[Levels, Levels]] = [([], []) for _ in range(last - first + 1)]
        for s, side in enumerate((1, -1)):
            places, ticks, lots = self._made.changes(side, touch[s], first)
            for place, price, quantity in zip(places.tolist(), ticks.tolist(), lots.tolist(), strict=True):
                levels[place][s].append((price, quantity))
        best = self._made.best((touch[0][1:], touch[1][1:]), first)
        found = []
        for i, final in enumerate(range(first * IDS, last * IDS + 1, IDS)):
            ids = (final - IDS + 1, final, final - IDS)
            found.append(Depth(self._symbol, (first + i) * EVERY_US, *ids, *levels[i], best=best[i]))
        return found


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
        self._read: tuple[int, int, list[Depth]] = (0, -1, [])

    def at(self, now_us: int, depth: int = 0) -> BookState:
        """The best `depth` levels, all for 0."""
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
        if 0 < depth <= _FEW:  # what streams ask for at every update
            best_bids, best_asks = nlargest(depth, bids.items()), nsmallest(depth, asks.items())
            return BookState(*self._latest, best_bids, best_asks)
        return BookState(*self._latest, sorted(bids.items(), reverse=True), sorted(asks.items()))

    def updates(self, after_us: int, until_us: int) -> list[Depth]:
        if until_us < self._begin or until_us <= after_us:
            return []
        first, last, messages = self._read
        if not (first <= after_us and until_us <= last):
            last = max(until_us, after_us + MINUTE_US)  # who asks for a moment asks for the next one soon
            rows = self._source.rows("book", max(after_us + 1, self._begin), last + 1)
            rows = rows.filter(pl.col("kind").is_in(_DEPTH))
            messages = list(self._messages(rows)) if rows.height else []
            self._read = (after_us, last, messages)
        begin, end = (bisect_right(messages, time, key=lambda told: told.ts_us) for time in (after_us, until_us))
        return messages[begin:end]

    def _messages(self, rows: pl.DataFrame) -> Iterator[Depth]:
        """Rows of one message follow each other; those without a side change nothing."""
        named = [rows[name].to_physical().to_numpy() for name in ("ts", "kind", "id")]
        changed = np.any([column[1:] != column[:-1] for column in named], axis=0)
        edges = np.concatenate([[0], np.flatnonzero(changed) + 1, [rows.height]]).tolist()
        ts, kinds, finals = (column.tolist() for column in named)
        sides = rows["side"].to_list()
        ticks = self._numbers.all_ticks(rows["price"].to_numpy()).tolist()
        lots = self._numbers.all_lots(rows["quantity"].to_numpy()).tolist()
        first, previous = (self._ids(rows, name) for name in ("first", "previous"))
        for begin, end in pairwise(edges):
            bids = [(ticks[row], lots[row]) for row in range(begin, end) if sides[row] > 0]
            asks = [(ticks[row], lots[row]) for row in range(begin, end) if sides[row] < 0]
            whole = kinds[begin] == BookKind.SNAPSHOT
            yield Depth(
                self._symbol, ts[begin], first[begin], finals[begin], previous[begin], bids, asks, restarts=whole
            )

    def _ids(self, rows: pl.DataFrame, name: str) -> list[int]:
        """A column of ids; where the venue gave none, the one before the message's first, or its last."""
        given = pl.col(name) if name in rows.columns else pl.lit(None, pl.Int64)
        begin = pl.col("first") if "first" in rows.columns else pl.col("id")
        usual = pl.coalesce(begin, "id") - 1 if name == "previous" else pl.col("id")
        return rows.select(pl.coalesce(given, usual)).to_series().to_list()

    def _forget(self) -> None:
        self._now_us = self._begin - 1
        self._sides = ({}, {})
        self._latest = (0, 0)
