"""Merging: the bars or the trades of many symbols become one timeline in the order of `domain.events.sort_key`."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Any, cast

import msgspec
import numpy as np

from truewind.domain.clock import iso
from truewind.domain.market import Bar, Trade
from truewind.errors import ConfigError, DataError, suggest
from truewind.numerics.jit import kernel

TS, TS_EVENT, SYMBOL = 0, 1, 2
OPEN, HIGH, LOW, CLOSE = 0, 1, 2, 3
CHUNK = 4096  # bars turned into Python objects at a time: enough to amortise, small enough to stay in cache
PRICES = ("open", "high", "low", "close")
_INTEGERS = ("ts", "side", "id", "ts_recv")
_OPTIONAL = ("volume", "quote_volume", "trades", "taker_buy_volume")
_SAME = {"ts_recv": "ts_event"}  # where the feed takes no time what has happened is known at once


Columns = Mapping[str, np.ndarray]  # of one symbol, by name


class Timeline:
    """All bars of a run, merged, as columns.

    times: three int64 columns: open time, event time, symbol index. prices: four float64 columns: open, high, low,
    close; marks and indices: the same of the mark and of the index price, the traded prices where there are none.
    columns: further float64 columns by name (volume …, and the features that the strategy reads).
    callback: the strategy's method that the rows are for. kind: what it is given. wanted: the rows on which it is
    called, None for all. volumes: float64, of each row; empty if not known. counts: the same of trades in a bar.
    received: int64, when each row is shown to the strategy: the event times, unless the feed takes time (`receive`).
    told: int64, when each row was received where it was recorded, 0 where nobody knows; None if none was.
    order: the rows as they are received, None if that is as they happen.
    """

    callback = "on_bar"
    kind: type[Any] = Bar
    wanted: np.ndarray | None = None
    order: np.ndarray | None = None
    told: np.ndarray | None = None

    def __init__(
        self,
        symbols: Sequence[str],
        times: Sequence[np.ndarray],
        prices: Sequence[np.ndarray],
        columns: Mapping[str, np.ndarray],
        marks: Sequence[np.ndarray] | None = None,
        indices: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.symbols = list(symbols)
        self.times = times
        self.prices = prices
        self.marks = marks or prices
        self.indices = indices or prices
        self.columns = dict(columns)
        self.volumes = self.columns.get("volume", self.columns.get("quantity", np.zeros(0)))
        self.counts = self.columns.get("trades", np.zeros(0))
        self.received = times[TS_EVENT]

    def __len__(self) -> int:
        return len(self.times[0])

    @property
    def length_us(self) -> int:
        """How long the bars are that are decided on."""
        return int(self.times[TS_EVENT][0] - self.times[TS][0])

    def arriving(self) -> Iterator[int]:
        """The first of the rows that are there, each time there are more: 0, once, where all are known beforehand."""
        yield 0

    def dues(self) -> list[tuple[str, np.ndarray]]:
        """DUE rows, with their symbols, that became known with the rows that are new: none where all are known."""
        return []

    def receive(self, received: np.ndarray) -> None:
        """Let the strategy be shown each row at `received`, which is not before it happened."""
        self.received, self.order = received, None
        if unordered(received, 0):
            self.order = np.argsort(received, kind="stable")

    def table(self) -> dict[str, np.ndarray]:
        """The column of each field of a row, but for its symbol and what no source has told."""
        times = {"ts": self.times[TS], "ts_event": self.times[TS_EVENT]}
        return {**times, **dict(zip(PRICES, self.prices, strict=True)), **self.columns}

    def row_type(self, fields: Iterable[str] | None = None) -> type[Any]:
        """The type of this timeline's rows: `kind`, with a field for each feature if there are any. Columns that
        sizing and risk rules read, which have a blank in their names, are no fields.

        fields: those of `kind` that it shall have, left out: all. Raises ConfigError for one that `kind` has not.
        """
        kind: Any = self.kind  # as a key of the cache, which takes it for no type
        return cast(
            "type[Any]",
            _row_type(kind, tuple(filter(str.isidentifier, self.columns)), None if fields is None else tuple(fields)),
        )

    def chunks(
        self, wanted: np.ndarray | None = None, fields: Iterable[str] | None = None
    ) -> Iterator[tuple[Sequence[int], Iterator[Any]]]:
        """(row numbers, rows) for stretches of the timeline, or of the rows `wanted` (int64, rising).

        Rows are fresh immutable objects, made just before they are used; fields: see `row_type`.
        """
        row_type, table = self.row_type(fields), self.table()
        same = _SAME
        if self.received is not self.times[TS_EVENT]:
            same, table = {}, table | {"ts_recv": self.received}
        names = list(row_type.__struct_fields__)
        while names[-1:] and row_type is self.kind and same.get(names[-1], names[-1]) not in table:
            names.pop()  # trailing fields that no column fills keep their default
        read = [same.get(name, name) for name in names]
        constant: dict[str, Any] = {name: repeat(math.nan) for name in read if name not in table}
        constant["symbol"] = repeat(self.symbols[0])
        columns = {name: table[name] for name in read if name in table}
        for first in range(0, len(self) if wanted is None else len(wanted), CHUNK):
            part: Any = slice(first, min(first + CHUNK, len(self))) if wanted is None else wanted[first : first + CHUNK]
            rows = range(part.start, part.stop) if wanted is None else part.tolist()
            lists: dict[str, Any] = {name: column[part].tolist() for name, column in columns.items()}
            if len(self.symbols) > 1 and "symbol" in constant:
                lists["symbol"] = map(self.symbols.__getitem__, self.times[SYMBOL][part].tolist())
            given = constant | lists
            yield rows, map(row_type, *(given[name] for name in read))


class Tape(Timeline):
    """All trades of a run, merged. A trade is a bar of no length: everything in it happened at one price and time.

    columns: `quantity`, `side` (+1 the buyer was the aggressor) and `sequence` (the source's number) if the
    source has any.
    """

    callback = "on_trade"
    kind = Trade

    def table(self) -> dict[str, np.ndarray]:
        return {"ts_event": self.times[TS], "price": self.prices[CLOSE], **self.columns}


@lru_cache
def _row_type(kind: Any, columns: tuple[str, ...], fields: tuple[str, ...] | None) -> Any:
    own = kind.__struct_fields__
    extra = [(name, float, math.nan) for name in columns if name not in own]
    if fields is None:
        if not extra:
            return kind
        row_type: Any = msgspec.defstruct("Row", extra, bases=(kind,), frozen=True, gc=False)
        return row_type
    for name in fields:
        if name not in own:
            raise ConfigError(
                f"A strategy's fields name '{name}', which a {kind.__name__} has not", remedy=suggest(name, own)
            )
    chosen = [(name, Any) for name in own if name in fields]
    return msgspec.defstruct(kind.__name__, [*chosen, *extra], frozen=True, gc=False)


def merge_trades(trades: Mapping[str, Columns]) -> Tape:
    """One tape from each symbol's columns (`ts` int64 µs, price, quantity, side, optionally id).

    Trades at the same time keep the source's order, and symbols the given one. The columns of a single symbol are not
    copied: leave them as they are while the tape is in use. Raises DataError for a symbol without trades, with times
    that fall, or with prices that are not positive numbers.
    """
    whole = {symbol: {name: _whole(name, columns[name]) for name in columns} for symbol, columns in trades.items()}
    for symbol, columns in whole.items():
        ts, price = columns["ts"], columns["price"]
        if len(ts) == 0:
            raise DataError(f"{symbol} has no trades", remedy="Choose another period or symbol", symbol=symbol)
        if misprints(ts, price):
            good = (price > 0.0) & (price < np.inf)
            good[1:] &= ts[1:] >= ts[:-1]
            row = int(np.argmin(good))
            raise DataError(
                f"{symbol}: the trade in row {row}, {price[row]:g} at {iso(int(ts[row]))}, has no price, or is older "
                "than the one before",
                remedy="Sort the trades, and leave out what is none",
                symbol=symbol,
                row=row,
            )
    order = _event_order(whole, dict.fromkeys(whole, 0))
    times, price = _lay(whole, "ts", order), _lay(whole, "price", order)
    merged = {name: _lay(whole, name, order) for name in ("quantity", "side")}
    if any("id" in columns for columns in whole.values()):
        merged["sequence"] = _lay(whole, "id", order)
    tape = Tape(list(trades), (times, times, _symbols(whole, order)), (price,) * 4, merged)
    tape.told = _told(whole, order)
    return tape


def merge(
    bars: Mapping[str, Columns],
    lengths_us: Mapping[str, int],
    marks: Mapping[str, Columns] | None = None,
    indices: Mapping[str, Columns] | None = None,
) -> Timeline:
    """One timeline from each symbol's columns (`ts` int64 µs, open, high, low, close, volume, features …).

    lengths_us: timeframe of each symbol. marks, indices: open, high, low and close of the mark and the index price on
    each symbol's rows; where a symbol has none, or a row is NaN, the traded prices stand in. A column that some symbol
    lacks is NaN there. Symbols keep their given order, which decides among bars that are known at the same time. The
    columns of a single symbol are not copied: leave them as they are while the timeline is in use. Raises DataError for
    a symbol without bars, with times that do not rise, or with prices that are not positive numbers between low and
    high.
    """
    whole = {symbol: {name: _whole(name, columns[name]) for name in columns} for symbol, columns in bars.items()}
    names: list[str] = []
    for symbol, columns in whole.items():
        ts = columns["ts"]
        if len(ts) == 0:
            raise DataError(f"{symbol} has no bars", remedy="Choose another period or symbol", symbol=symbol)
        if unordered(ts, 1):
            row = int(np.argmax(np.diff(ts) <= 0)) + 1
            raise DataError(
                f"{symbol}: the bar in row {row}, of {iso(int(ts[row]))}, does not come after the one before",
                remedy="Sort by ts and leave double rows out",
                symbol=symbol,
                row=row,
            )
        _check_prices(symbol, columns)
        names += [name for name in columns if name not in (*PRICES, "ts", "ts_recv", *names)]
    names.sort(key=lambda name: _OPTIONAL.index(name) if name in _OPTIONAL else len(_OPTIONAL))
    order = _event_order(whole, lengths_us)
    known = {symbol: {"ts": columns["ts"] + lengths_us[symbol]} for symbol, columns in whole.items()}
    times = _lay(whole, "ts", order), _lay(known, "ts", order), _symbols(whole, order)
    prices = [_lay(whole, name, order) for name in PRICES]
    merged = {name: _lay(whole, name, order) for name in names}
    beside = [_beside(prices, layer, whole, order) if layer else None for layer in (marks, indices)]
    timeline = Timeline(list(bars), times, prices, merged, *beside)
    timeline.told = _told(whole, order)
    return timeline


def _told(rows: Mapping[str, Columns], order: np.ndarray | None) -> np.ndarray | None:
    return _lay(rows, "ts_recv", order) if any("ts_recv" in columns for columns in rows.values()) else None


def _whole(name: str, column: np.ndarray) -> np.ndarray:
    """`column` as kernels take it: itself, or if it is of another type, in pieces or read-only, a copy."""
    return np.require(column, np.int64 if name in _INTEGERS else np.float64, ["C", "A", "W"])


def _lay(rows: Mapping[str, Columns], name: str, order: np.ndarray | None) -> np.ndarray:
    """The column `name` of all symbols on the timeline; NaN (of integers 0) where a symbol has none."""
    missing = 0 if name in _INTEGERS else math.nan
    parts = [columns[name] if name in columns else np.full(len(columns["ts"]), missing) for columns in rows.values()]
    return parts[0] if order is None else np.concatenate(parts)[order]


def _symbols(rows: Mapping[str, Columns], order: np.ndarray | None) -> np.ndarray:
    """Index of each row's symbol on the timeline; of a single symbol zeros, which cost no memory until written to."""
    counts = [len(columns["ts"]) for columns in rows.values()]
    return np.zeros(sum(counts), np.int64) if order is None else np.repeat(np.arange(len(counts)), counts)[order]


@kernel
def unordered(ts: Any, least: int) -> bool:
    """Whether some time is less than `least` after the one before."""
    bad = 0
    for i in range(1, len(ts)):
        bad += ts[i] - ts[i - 1] < least
    return bad > 0


@kernel
def misprints(ts: Any, price: Any) -> bool:
    """Whether some trade is older than the one before, or has no price."""
    bad = 0
    for i in range(len(ts)):
        bad += 1 - ((price[i] > 0.0) & (price[i] < np.inf))
    for i in range(1, len(ts)):
        bad += ts[i] < ts[i - 1]
    return bad > 0


@kernel
def misshapen(open_: Any, high: Any, low: Any, close: Any) -> bool:
    """Whether some bar breaks 0 < low ≤ open, close ≤ high < ∞. Without a branch, so that it costs 1 ns a bar."""
    bad = 0
    for i in range(len(low)):
        lowest = (low[i] > 0.0) & (low[i] <= open_[i]) & (low[i] <= close[i])
        bad += 1 - (lowest & (open_[i] <= high[i]) & (close[i] <= high[i]) & (high[i] < np.inf))
    return bad > 0


def _beside(
    prices: Sequence[np.ndarray], layer: Mapping[str, Columns], bars: Mapping[str, Columns], order: np.ndarray | None
) -> list[np.ndarray]:
    """`prices` of the timeline, with those of `layer` in their place wherever it has a bar."""
    found = [column.copy() for column in prices]
    place = np.arange(len(prices[0]))  # on the timeline, of each row of the symbols laid end to end
    if order is not None:
        place[order] = place.copy()
    start = 0
    for symbol, columns in bars.items():
        rows = place[start : start + len(columns["ts"])]
        start += len(rows)
        if symbol in layer:
            known = ~np.isnan([layer[symbol][name] for name in PRICES]).any(axis=0)
            whole = {"ts": columns["ts"][known], **{name: layer[symbol][name][known] for name in PRICES}}
            _check_prices(symbol, whole)
            for column, name in zip(found, PRICES, strict=True):
                column[rows[known]] = whole[name]
    return found


def _check_prices(symbol: str, columns: Columns) -> None:
    """Matching relies on 0 < low ≤ open, close ≤ high < ∞; what is not so is no bar."""
    open_, high, low, close = (columns[name] for name in PRICES)
    if misshapen(open_, high, low, close):
        good = (low > 0.0) & (low <= open_) & (low <= close) & (open_ <= high) & (close <= high) & (high < np.inf)
        row = int(np.argmin(good))
        raise DataError(
            f"{symbol}: open {open_[row]:g}, high {high[row]:g}, low {low[row]:g}, close {close[row]:g} in row {row} "
            f"at {iso(int(columns['ts'][row]))} are not the prices of a bar ({int((~good).sum())} such rows)",
            remedy="See `truewind data check`; mend or leave out these rows",
            symbol=symbol,
            row=row,
        )


def _event_order(bars: Mapping[str, Columns], lengths_us: Mapping[str, int]) -> np.ndarray | None:
    """Which of the rows of the symbols laid end to end comes next on the timeline; None if they are in order already.

    Rows are fetched in this order, and not sent to their places: writes that jump cost ten times as much as such reads.
    """
    if len(bars) == 1:
        return None
    event = np.concatenate([columns["ts"] + lengths_us[symbol] for symbol, columns in bars.items()])
    length = np.concatenate([np.full(len(columns["ts"]), -lengths_us[symbol]) for symbol, columns in bars.items()])
    found: np.ndarray = np.lexsort((length, event))  # stable: symbols keep their order at equal keys
    return found
