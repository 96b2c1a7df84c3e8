"""Replay of an order book: the lake's rows of one symbol as events, cut to the period, with what belongs to them."""

from typing import NamedTuple

import numpy as np

from truewind.backtest.data import DataSettings
from truewind.backtest.dues import funding_dues, uncharged
from truewind.domain.clock import iso
from truewind.domain.due import DUE
from truewind.domain.instrument import Instrument, Kind
from truewind.domain.timeframe import DAY_US, SECOND_US
from truewind.errors import ConfigError, EmptyRangeError
from truewind.execution.simulated.book_state import MARK
from truewind.market.book.assemble import BookEvents, assemble, from_moment
from truewind.market.book.quotes import quote_events
from truewind.numerics.book import Book
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.snapshot import Snapshot


class BookReplay(NamedTuple):
    """What a run on an order book goes over. warnings: what a reader must know of the data."""

    events: np.ndarray
    instrument: Instrument
    funding: np.ndarray
    marks: np.ndarray
    indices: np.ndarray
    snapshot: Snapshot
    warnings: list[str]


def replay_book(lake: Lake, data: DataSettings) -> BookReplay:
    """Read what `data` asks for; what happened before its start makes the book with which the run begins.

    Raises UnknownSeriesError, EmptyRangeError, ConfigError, and ValidationError where the book never stands.
    """
    if len(data.symbols) != 1:
        raise ConfigError(
            f"A run on an order book has one symbol, not {len(data.symbols)}", remedy="Run each by itself"
        )
    start, end = data.span_us()
    key = SeriesKey(data.kind, data.venue, data.symbols[0])
    instrument = lake.instrument(data.venue, data.symbols[0])
    keys = [key]
    book = (
        _quotes(lake, key, instrument, end, keys)
        if data.kind == "quotes"
        else assemble(lake.read(key, end_us=end), instrument)
    )
    events = book.events if start is None else from_moment(book.events, start)
    if not len(events):
        raise EmptyRangeError(
            f"{key} has nothing from {data.start} on", remedy="See `truewind data list`", series=str(key)
        )
    warnings = _warnings(book, events, instrument, start)
    if data.kind == "quotes" and len(keys) == 1:
        warnings.append(
            f"{instrument.symbol}: no trades beside the quotes in the lake; what rests fills when it is crossed"
        )
    span = int(events["ts_event"][0]), int(events["ts_event"][-1])
    funding = _funding(lake, instrument, *span, keys, warnings)
    wanted = data.mark == "auto", data.index == "auto"
    marks, indices = (
        _references(lake, kind, instrument, *span, keys) if asked else np.zeros(0, MARK)
        for kind, asked in zip(("mark_bars", "index_bars"), wanted, strict=True)
    )
    return BookReplay(events, instrument, funding, marks, indices, lake.snapshot(keys), warnings)


def _quotes(lake: Lake, key: SeriesKey, instrument: Instrument, end: int | None, keys: list[SeriesKey]) -> BookEvents:
    """Best prices as a book of one level, with the trades that the lake has of the symbol; adds to keys."""
    quotes = lake.read(key, end_us=end)
    beside = SeriesKey("trades", key.venue, key.symbol)
    trades = lake.find(beside, start_us=int(quotes["ts"].to_physical()[0]), end_us=end)
    if trades is not None:
        keys.append(beside)
    events = quote_events(quotes, trades, instrument)
    return BookEvents(events, np.zeros(len(events), np.int64), [], 0, 0)


def _funding(
    lake: Lake, instrument: Instrument, first: int, last: int, keys: list[SeriesKey], warnings: list[str]
) -> np.ndarray:
    """DUE rows due after the first event, until the last one."""
    if instrument.kind is not Kind.PERPETUAL:
        return np.zeros(0, DUE)
    key = SeriesKey("funding", instrument.venue, instrument.symbol)
    rows = funding_dues(lake, key, instrument, first, last + 1)
    if rows is None:
        if last - first > DAY_US:
            warnings.append(f"{instrument.symbol}: no funding rates for this period in the lake; none are charged")
        return np.zeros(0, DUE)
    keys.append(key)
    warnings += uncharged(rows["ts"], first, last, instrument.symbol)
    return rows


def _references(
    lake: Lake, kind: str, instrument: Instrument, first: int, last: int, keys: list[SeriesKey]
) -> np.ndarray:
    """MARK rows: open and close of the shortest bars of this kind that the lake has of this period, none if none."""
    known = lake.series(kind=kind, venue=instrument.venue, symbol=instrument.symbol)
    for info in sorted(known, key=lambda info: info.key.step_us):
        length = info.key.step_us
        table = lake.find(info.key, start_us=first - length, end_us=last, columns=["ts", "open", "close"])
        if table is None:
            continue
        keys.append(info.key)
        ts = table["ts"].to_physical().to_numpy()
        marks = np.zeros(2 * len(ts), MARK)
        marks["ts"][0::2], marks["price"][0::2] = ts, table["open"].to_numpy()
        marks["ts"][1::2], marks["price"][1::2] = ts + length, table["close"].to_numpy()
        kept = np.isfinite(marks["price"]) & (marks["ts"] > first) & (marks["ts"] <= last)
        return np.ascontiguousarray(marks[kept])
    return np.zeros(0, MARK)


def _warnings(book: BookEvents, events: np.ndarray, instrument: Instrument, start: int | None) -> list[str]:
    symbol = instrument.symbol
    warnings = []
    if instrument.inferred:
        warnings.append(
            f"{symbol}: tick {instrument.tick_size.normalize():f} and lot {instrument.lot_size.normalize():f} were "
            "inferred from the data; the venue's minimum notional is not known"
        )
    gaps = [gap for gap in book.gaps if start is None or gap.ts_event >= start]
    if gaps:
        warnings.append(
            f"{symbol}: updates are missing in {len(gaps)} places, the first at {iso(gaps[0].ts_event)}; from there to "
            "the next snapshot the book is empty and nothing fills but against trades"
        )
    check = Book()
    check.apply(events)
    if check.crossed[0]:
        when = iso(int(events["ts_event"][check.crossed[1]]))
        warnings.append(f"{symbol}: {check.crossed[0]} messages left the book crossed, the first at {when}")
    span = int(events["ts_event"][-1] - events["ts_event"][0])
    late = int(np.median(events["ts_recv"] - events["ts_event"]))
    if late > SECOND_US:
        warnings.append(f"{symbol}: half of the data was received more than {late / SECOND_US:.1f} s after it happened")
    if span == 0:
        warnings.append(f"{symbol}: all of the data happened at one moment")
    return warnings
