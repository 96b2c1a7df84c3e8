"""Lakes to test strategies on: one that reads everything once, and one whose rows are changed as they are read."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from truewind.domain.instrument import Instrument
from truewind.domain.timeframe import SECOND_US
from truewind.errors import DataError, EmptyRangeError
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.snapshot import SeriesInfo, Snapshot

Change = Callable[[SeriesKey, pl.DataFrame], pl.DataFrame]

_PRICES = ("open", "high", "low", "close", "price", "bid", "ask", "mark_price", "index_price")
_TIMES = ("ts", "ts_recv", "id", "next_funding_ts")
_FUNDING_LATE_US = 60 * SECOND_US  # a settlement is told of some time after the hour that it is for


class Remembered(Lake):
    """`lake`, of which everything is read once, and what is not there is looked for once."""

    def __init__(self, lake: Lake) -> None:
        self.url, self._blobs, self._lake = lake.url, lake._blobs, lake
        self._known: dict[Any, Any] = {}

    def read(self, key: SeriesKey, **how: Any) -> pl.DataFrame:
        columns = how.get("columns")
        wanted = (key, how.get("start_us"), how.get("end_us"), None if columns is None else tuple(columns))
        found: pl.DataFrame = self._once(wanted, lambda: self._lake.read(key, **how))
        return found

    def series(self, **which: Any) -> list[SeriesInfo]:
        found: list[SeriesInfo] = self._once(tuple(sorted(which.items())), lambda: self._lake.series(**which))
        return found

    def snapshot(self, keys: Sequence[SeriesKey] | None = None) -> Snapshot:
        wanted = None if keys is None else tuple(keys)
        found: Snapshot = self._once(("snapshot", wanted), lambda: self._lake.snapshot(keys))
        return found

    def instrument(self, venue: str, symbol: str) -> Instrument:
        found: Instrument = self._once(("instrument", venue, symbol), lambda: self._lake.instrument(venue, symbol))
        return found

    def _once(self, wanted: Any, make: Callable[[], Any]) -> Any:
        if wanted not in self._known:
            try:
                self._known[wanted] = make()
            except DataError as error:
                self._known[wanted] = error
        found = self._known[wanted]
        if isinstance(found, DataError):
            raise found
        return found


class Changed(Remembered):
    """`lake`, read through `change`; nothing that is stored is touched."""

    def __init__(self, lake: Lake, change: Change) -> None:
        super().__init__(lake)
        self._change = change

    def read(self, key: SeriesKey, **how: Any) -> pl.DataFrame:
        table = self._change(key, self._lake.read(key, **how))
        if table.is_empty():
            raise EmptyRangeError(
                f"{key} has nothing left after the change", remedy="Read a longer span", series=str(key)
            )
        return table


def future(cut_us: int, seed: int) -> Change:
    """Everything that is known only after `cut_us` is different: prices by tens of percent, all else by more.

    Of a bar that has begun before, the open is known and stays.
    """

    def change(key: SeriesKey, table: pl.DataFrame) -> pl.DataFrame:
        later = pl.Series(known_us(key, table) > cut_us)
        ts = table["ts"].to_physical().to_numpy()
        draw = _uniform(ts, zlib.crc32(f"{seed} {key.symbol}".encode()))
        price, other = pl.Series(np.exp(0.6 * draw - 0.3)), pl.Series(4.0 * _uniform(ts, seed) + 0.1)
        begun = pl.Series(ts < cut_us) if key.timeframe else pl.Series(np.zeros(len(ts), bool))
        factors = {name: price for name in table.columns if name in _PRICES}
        for name in table.columns:
            if name not in (*_PRICES, *_TIMES) and table[name].dtype == pl.Float64:
                factors[name] = -other if name.endswith("rate") else other
        changed = table.with_columns(
            pl.when(later & ~begun if name == "open" else later)
            .then(pl.col(name) * factor)
            .otherwise(pl.col(name))
            .alias(name)
            for name, factor in factors.items()
        )
        if not {"open", "high", "low"} <= set(table.columns):
            return changed
        high, low = pl.max_horizontal("open", "high"), pl.min_horizontal("open", "low")
        return changed.with_columns(high=high, low=low)

    return change


def more_displayed(cut_us: int) -> Change:
    """After `cut_us` everything that is displayed in a book or traded is three times as large."""

    def change(key: SeriesKey, table: pl.DataFrame) -> pl.DataFrame:
        later = pl.Series(known_us(key, table) > cut_us)
        return table.with_columns(
            pl.when(later).then(pl.col(name) * 3.0).otherwise(pl.col(name)).alias(name)
            for name in table.columns
            if name.endswith("quantity")
        )

    return change


def gapped(factors: Mapping[tuple[str, str], float], cut_us: int) -> Change:
    """After `cut_us` all prices of some symbols, by (venue, symbol), are `factors` of what they were: a gap that stays.

    Of a bar that has begun before, the open stays.
    """

    def change(key: SeriesKey, table: pl.DataFrame) -> pl.DataFrame:
        factor = factors.get((key.venue, key.symbol))
        prices = [name for name in table.columns if name in _PRICES]
        if factor is None or not prices:
            return table
        later = pl.Series(known_us(key, table) > cut_us)
        begun = pl.Series(table["ts"].to_physical().to_numpy() < cut_us)
        moved = table.with_columns(
            pl.when(later & ~begun if name == "open" else later)
            .then(pl.col(name) * factor)
            .otherwise(pl.col(name))
            .alias(name)
            for name in prices
        )
        if not {"open", "high", "low", "close"} <= set(table.columns):
            return moved
        high, low = pl.max_horizontal("open", "high", "close"), pl.min_horizontal("open", "low", "close")
        return moved.with_columns(high=high, low=low)

    return change


def before(cut_us: int) -> Change:
    """Only what is known by `cut_us` is there."""
    return lambda key, table: table.filter(pl.Series(known_us(key, table) <= cut_us))


def dead(key: SeriesKey, table: pl.DataFrame) -> pl.DataFrame:
    """All prices are the first one, and nothing is traded."""
    first = table["open" if "open" in table.columns else "price"][0] if "close" in table.columns else None
    return table.with_columns(
        pl.lit(first).alias(name) if name in _PRICES and first is not None else pl.lit(0.0).alias(name)
        for name in table.columns
        if key.timeframe and table[name].dtype == pl.Float64
    )


def known_us(key: SeriesKey, table: pl.DataFrame) -> np.ndarray:
    """When each row is known: a bar at its end, everything else when it happens."""
    ts: np.ndarray = table["ts"].to_physical().to_numpy()
    if key.timeframe:
        return ts + key.step_us
    return ts - _FUNDING_LATE_US if key.kind == "funding" else ts


def _uniform(ts: np.ndarray, seed: int) -> np.ndarray:
    """A number in [0, 1) for each time, the same whatever else is read: SplitMix64's finalizer (Steele et al. 2014)."""
    x = ts.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / 2.0**53
