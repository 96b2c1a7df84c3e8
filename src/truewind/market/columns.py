"""Columns beside a bar's own: what else was known when each bar closed, from the other series of its symbol.

    mark, index               close of the last mark and index bar that was over (same timeframe, or else a longer one)
    funding_rate, funding_ts  the last funding and when it was
    next_funding_ts           when the next one is due, at the distance of the last two
    open_interest             the last one
    long_short_ratio          of all accounts, the last one
    liquidated_long           what was liquidated of long positions while the bar was open, in base units; and
    liquidated_short          of short ones

Each is the last value whose time of receipt is not after the close of the bar, so a slower series stands still between
its rows and never looks ahead; what was liquidated is a sum, of what was received by the close. NaN before the first
row of its series, and sums after the last one, too.
"""

from collections.abc import Callable, Iterable

import numpy as np
import polars as pl

from truewind.errors import SchemaError, UnknownSeriesError, suggest
from truewind.numerics.floats import floats
from truewind.storage.lake import Lake
from truewind.storage.schema import KINDS, SeriesKey

Columns = dict[str, np.ndarray]


def bar_columns(
    lake: Lake, bars: SeriesKey, names: Iterable[str], *, start_us: int | None = None, end_us: int | None = None
) -> Columns:
    """`ts` (int64 µs) and the columns `names` (float64, NaN where there is nothing) of the bars in [start, end).

    Raises UnknownSeriesError, EmptyRangeError, and SchemaError for a column that no series of the symbol has.
    """
    wanted = [name for name in dict.fromkeys(names) if name != "ts"]
    own = [name for name in wanted if name in KINDS["bars"].columns]
    others = [name for name in wanted if name not in own]
    for name in others:
        if name not in _SOURCES:
            known = [name for name, _ in (*KINDS["bars"].required, *KINDS["bars"].optional)]
            raise SchemaError(
                f"No series has a column '{name}'", remedy=suggest(name, [*known, *_SOURCES]), column=name
            )
    table = lake.read(bars, start_us=start_us, end_us=end_us, columns=["ts", *own])
    found = {name: floats(table[name]) for name in own}
    times = table["ts"].to_physical().to_numpy()
    found.update(columns_beside(lake, bars, times + bars.step_us, others))
    return {"ts": times, **{name: found[name] for name in wanted}}


def columns_beside(lake: Lake, bars: SeriesKey, closes: np.ndarray, names: Iterable[str]) -> Columns:
    """Those of the columns above that are asked for, at these closes of bars, which need not be stored themselves.

    Raises UnknownSeriesError, and EmptyRangeError if nothing was known by the last close.
    """
    wanted, found = list(names), {}
    for source in dict.fromkeys(_SOURCES[name] for name in wanted):
        found.update(source(lake, bars, closes, [name for name in wanted if _SOURCES[name] is source]))
    return found


def series_beside(lake: Lake, bars: SeriesKey) -> dict[str, SeriesKey]:
    """The columns above that the symbol of these bars has, each with the series that it is read from."""
    found = {name: key for name in ("mark", "index") if (key := _price_series(lake, bars, name)) is not None}
    for kind, source in _READERS.items():
        if lake.series(kind=kind, venue=bars.venue, symbol=bars.symbol):
            key = SeriesKey(kind, bars.venue, bars.symbol)
            found |= dict.fromkeys((name for name, reader in _SOURCES.items() if reader is source), key)
    return found


def _prices(lake: Lake, bars: SeriesKey, closes: np.ndarray, names: list[str]) -> Columns:
    """Mark or index: the close of the last bar that was over."""
    found = {}
    for name in names:
        key = _price_series(lake, bars, name)
        if key is None:
            raise UnknownSeriesError(
                f"'{name}' is read, but {bars.venue} {bars.symbol} has no {name}_bars",
                remedy="Import them, or read less",
            )
        table = _until(lake, key, closes, ["ts", "close"])
        found[name] = _last(table["ts"].to_physical().to_numpy() + key.step_us, floats(table["close"]), closes)
    return found


def _price_series(lake: Lake, bars: SeriesKey, name: str) -> SeriesKey | None:
    """Mark or index bars of the bars' own timeframe, else of the next longer one, else of the longest there is."""
    there = [info.key for info in lake.series(kind=f"{name}_bars", venue=bars.venue, symbol=bars.symbol)]
    return min(there, key=lambda key: (key.step_us < bars.step_us, abs(key.step_us - bars.step_us)), default=None)


def _funding(lake: Lake, bars: SeriesKey, closes: np.ndarray, names: list[str]) -> Columns:
    table = _until(lake, SeriesKey("funding", bars.venue, bars.symbol), closes, None)
    ts, known = table["ts"].to_physical().to_numpy(), _known(table)
    distance = np.diff(ts, prepend=np.nan)
    values = {"funding_rate": floats(table["rate"]), "funding_ts": ts.astype(float), "next_funding_ts": ts + distance}
    return {name: _last(known, values[name], closes) for name in names}


def _open_interest(lake: Lake, bars: SeriesKey, closes: np.ndarray, names: list[str]) -> Columns:
    table = _until(lake, SeriesKey("open_interest", bars.venue, bars.symbol), closes, None)
    return dict.fromkeys(names, _last(_known(table), floats(table["open_interest"]), closes))


def _long_short(lake: Lake, bars: SeriesKey, closes: np.ndarray, names: list[str]) -> Columns:
    table = _until(lake, SeriesKey("long_short", bars.venue, bars.symbol), closes, None)
    if "accounts" not in table.columns:
        raise UnknownSeriesError(
            f"long_short of {bars.symbol} has no ratio of accounts", remedy="Download it, or read less"
        )
    told = table.filter(pl.col("accounts").is_not_null())
    return dict.fromkeys(names, _last(_known(told), floats(told["accounts"]), closes))


def _liquidations(lake: Lake, bars: SeriesKey, closes: np.ndarray, names: list[str]) -> Columns:
    table = _until(lake, SeriesKey("liquidations", bars.venue, bars.symbol), closes, None)
    known = _known(table)
    place = np.searchsorted(closes, known)  # the bar by whose close it was known
    counted = (place < len(closes)) & (known > closes[np.minimum(place, len(closes) - 1)] - bars.step_us)
    watched = (closes - bars.step_us >= known.min()) & (closes <= known.max())
    found = {}
    for name, side in (("liquidated_long", -1), ("liquidated_short", 1)):
        weights = np.where(table["side"].to_numpy() == side, table["quantity"].to_numpy(), 0.0)
        sums = np.bincount(place[counted], weights[counted], len(closes))
        found[name] = np.where(watched, sums, np.nan)
    return {name: found[name] for name in names}


def _known(table: pl.DataFrame) -> np.ndarray:
    """When each row was known: when it was received, and where that is not told, when it happened."""
    told = pl.max_horizontal("^(ts|ts_recv)$") if "ts_recv" in table.columns else pl.col("ts")
    known: np.ndarray = table.select(told.to_physical()).to_series().to_numpy()
    return known


def _until(lake: Lake, key: SeriesKey, closes: np.ndarray, columns: list[str] | None) -> pl.DataFrame:
    """The rows of a slower series up to the last close: all from its beginning, as the last one known may be old."""
    return lake.read(key, end_us=int(closes[-1]) + 1, columns=columns)


def _last(known: np.ndarray, values: np.ndarray, closes: np.ndarray) -> np.ndarray:
    """The value last known at each close, NaN before the first."""
    latest = np.maximum.accumulate(known) if len(known) else known
    place = np.searchsorted(latest, closes, side="right") - 1
    return np.where(place >= 0, values[np.maximum(place, 0)], np.nan)


_SOURCES: dict[str, Callable[[Lake, SeriesKey, np.ndarray, list[str]], Columns]] = {
    **dict.fromkeys(("mark", "index"), _prices),
    **dict.fromkeys(("funding_rate", "funding_ts", "next_funding_ts"), _funding),
    "open_interest": _open_interest,
    "long_short_ratio": _long_short,
    **dict.fromkeys(("liquidated_long", "liquidated_short"), _liquidations),
}
_READERS = {
    "funding": _funding,
    "open_interest": _open_interest,
    "long_short": _long_short,
    "liquidations": _liquidations,
}

# The columns, each with the kind of series that it comes from.
BESIDE: dict[str, str] = {
    name: next((kind for kind, reader in _READERS.items() if reader is source), f"{name}_bars")
    for name, source in _SOURCES.items()
}
