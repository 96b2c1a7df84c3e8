"""Reordered markets: the bars of a run in another order, for all who read them.

Each bar's moves (from the last close to its open, and from there to its high, low and close) are kept; their order is
not. All symbols follow one order, so that what they do together stays together.
"""

from typing import Any, NamedTuple

import numpy as np
import polars as pl

from truewind.backtest.changed import Remembered
from truewind.errors import EmptyRangeError
from truewind.numerics.performance import Ints
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

_OF_TIME = ("ts", "ts_recv")  # columns that belong to a time, and not to what happened in it


class Reordering(NamedTuple):
    """How bars are put into another order. timeframe: of those that are. grid: moments at which the run's bars open;
    end_us: when the last one ends. Market `number` follows from seed and number.

    block: neighbours that stay together. drift: every bar comes once, so that prices end where they ended. Without,
    bars are drawn with replacement and lose their mean: a market of which nothing can be known, while one that must end
    where it began is known to come back.
    """

    timeframe: str
    grid: Ints
    end_us: int
    seed: int
    block: int
    drift: bool

    def order(self, number: int) -> Ints:
        """(moments,) with drift where each moment goes, without it which moment comes to each place."""
        count, random = len(self.grid), np.random.default_rng([self.seed, number])
        blocks = -(-count // self.block)
        if not self.drift:
            starts = random.integers(0, max(count - self.block, 0) + 1, blocks)
            return (starts[:, None] + np.arange(self.block)).reshape(-1)[:count]
        places = random.permutation(blocks)
        found = np.empty(count, np.int64)
        found[np.lexsort((np.arange(count), places[np.arange(count) // self.block]))] = np.arange(count)
        return found

    def rows(self, ts: Ints, order: Ints) -> Ints:
        """The rows of a symbol, whose bars open at `ts`, in their new order."""
        place = np.minimum(np.searchsorted(self.grid, ts), len(self.grid) - 1)
        if self.drift:
            return np.argsort(order[place], kind="stable")
        moments = self.grid[order[place]]
        found = np.minimum(np.searchsorted(ts, moments), len(ts) - 1)
        # A moment that this symbol does not have is any one that it has: its first bar must not stand for all of them.
        return np.where(ts[found] == moments, found, order[place] % len(ts))


class Market(Remembered):
    """`lake` with the bars of a run in another order; nothing that is stored is touched."""

    def __init__(self, lake: Lake, how: Reordering, number: int) -> None:
        super().__init__(lake)
        self._how, self._order = how, how.order(number)
        self._whole: dict[SeriesKey, pl.DataFrame] = {}

    def read(self, key: SeriesKey, **how: Any) -> pl.DataFrame:
        table = self._lake.read(key, **how)
        if key.kind != "bars" or key.timeframe != self._how.timeframe:
            return table
        if key not in self._whole:
            first, end = int(self._how.grid[0]), self._how.end_us
            try:
                whole = self._lake.read(key, start_us=first, end_us=end)
            except EmptyRangeError:
                return table
            rows = self._how.rows(whole["ts"].to_physical().to_numpy(), self._order)
            self._whole[key] = reordered(whole, rows, self._how.drift)
        ts, inside = table["ts"].to_physical().to_numpy(), self._whole[key]
        made = inside["ts"].to_physical().to_numpy()
        first, last = (int(np.searchsorted(ts, at)) for at in (made[0], made[-1] + 1))
        if first == last:
            return table
        begin, end = (int(np.searchsorted(made, at)) for at in (ts[first], ts[last - 1] + 1))
        return pl.concat([table[:first], inside[begin:end].select(table.columns), table[last:]])


def reordered(table: pl.DataFrame, rows: Ints, drift: bool) -> pl.DataFrame:
    """Bars made of the moves of `rows`. All that belongs to a bar but its time moves with it; prices begin at the first
    open and, with drift and every row once, end at the last close. Without drift the mean simple return of a bar is 0.
    """
    prices = {name: table[name].to_numpy() for name in ("open", "high", "low", "close")}
    begin = prices["open"][0]
    gaps = np.log(prices["open"] / np.concatenate(([begin], prices["close"][:-1])))
    bodies = np.log(prices["close"] / prices["open"])
    if not drift:
        gaps = gaps - float(np.log(np.mean(np.exp(gaps + bodies))))
    closes = begin * np.exp(np.cumsum(gaps[rows] + bodies[rows]))
    opens = np.concatenate(([begin], closes[:-1])) * np.exp(gaps[rows])
    scale = opens / prices["open"][rows]
    made = {"open": opens, "close": closes, "high": prices["high"][rows] * scale, "low": prices["low"][rows] * scale}
    # Rounding must not leave a close above the high.
    made["high"] = np.maximum(made["high"], np.maximum(opens, closes))
    made["low"] = np.minimum(made["low"], np.minimum(opens, closes))
    return table.select(
        column
        if column.name in _OF_TIME
        else (pl.Series(column.name, made[column.name]) if column.name in made else column.gather(rows))
        for column in table.iter_columns()
    )
