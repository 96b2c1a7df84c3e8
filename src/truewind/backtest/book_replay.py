"""Replay of an order book: the lake's rows of one symbol as events, cut to the period, with what belongs to them."""

from typing import NamedTuple

import numpy as np

from truewind.backtest.replay import DataSettings
from truewind.domain.clock import iso
from truewind.domain.instrument import Instrument
from truewind.domain.timeframe import SECOND_US
from truewind.errors import ConfigError, EmptyRangeError
from truewind.market.recordings.assemble import BookEvents, assemble, from_moment
from truewind.numerics.book import Book
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey
from truewind.storage.snapshot import Snapshot


class BookReplay(NamedTuple):
    """What a run on an order book goes over. warnings: what a reader must know of the data."""

    events: np.ndarray
    instrument: Instrument
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
    key = SeriesKey("book", data.venue, data.symbols[0])
    instrument = lake.instrument(data.venue, data.symbols[0])
    book = assemble(lake.read(key, end_us=end), instrument)
    events = book.events if start is None else from_moment(book.events, start)
    if not len(events):
        raise EmptyRangeError(
            f"{key} has nothing from {data.start} on", remedy="See `truewind data list`", series=str(key)
        )
    return BookReplay(events, instrument, lake.snapshot([key]), _warnings(book, events, instrument, start))


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
