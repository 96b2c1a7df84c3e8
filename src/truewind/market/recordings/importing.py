"""Order books into the lake: all files of one import that speak of one symbol are one recording."""

from collections.abc import Iterator
from decimal import Decimal

import polars as pl

from truewind.domain.instrument import Instrument, Kind
from truewind.errors import (
    DataError,
    EmptyRangeError,
    FormatError,
    InstrumentError,
    UnknownSeriesError,
    ValidationError,
)
from truewind.market.book.assemble import assemble
from truewind.market.infer import price_decimals, quantity_decimals
from truewind.market.place import WRONG_SYMBOL
from truewind.market.recordings.recording import RawBook
from truewind.market.recordings.rows import QUOTE, TRADE, judge, table_of
from truewind.market.report import FileReport, Refusal
from truewind.market.validate import Finding
from truewind.numerics.book import Book
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

_MS = 1000.0


class BookImport:
    """Collects what files hold, and stores it symbol by symbol. base_latency_us: see `rows.judge`."""

    def __init__(self, lake: Lake, venue: str | None, symbol: str | None, base_latency_us: int | None) -> None:
        self.lake, self.venue, self.symbol, self.base_latency_us = lake, venue, symbol, base_latency_us
        self._raws: list[RawBook] = []

    def add(self, raw: RawBook) -> None:
        """Take a file. Raises EmptyRangeError for one that tells nothing of a book."""
        if raw.rows.is_empty() and raw.strays.is_empty():
            told = ", ".join(f"{what} {count}" for what, count in raw.others.items())
            raise EmptyRangeError(
                f"{raw.label} is a recording without depth, trades and quotes ({told or 'answers to other questions'})",
                remedy="Leave it out",
            )
        self._raws.append(raw)

    def store(self) -> Iterator[tuple[FileReport, pl.DataFrame] | Refusal]:
        """Of every symbol the report and the rows that are now in the lake, or why it was not imported."""
        for (venue, symbol), raws in self._by_symbol().items():
            label = ", ".join(dict.fromkeys(raw.label for raw in raws))
            try:
                yield self._store(venue, symbol, raws, label)
            except DataError as error:
                yield Refusal.of(f"{symbol} of {label}" if symbol else label, error)

    def _by_symbol(self) -> dict[tuple[str, str], list[RawBook]]:
        """Raw rows by venue and symbol, "" where nothing says it."""
        parts: dict[tuple[str, str], list[RawBook]] = {}
        said: dict[str, set[str]] = {}
        for raw in self._raws:
            for symbol in raw.rows["symbol"].unique().sort():
                said.setdefault(symbol, set()).add(raw.venue)
        for raw in self._raws:
            for (symbol,), rows in raw.rows.group_by("symbol", maintain_order=True):
                if self.symbol and symbol and symbol != self.symbol:
                    continue
                others = said[str(symbol)] - {""}
                venue = self.venue or raw.venue or (others.pop() if len(others) == 1 else "")
                name = str(symbol) or self.symbol or ""
                part = RawBook(raw.label, raw.format, raw.venue, rows, raw.strays, raw.others)
                parts.setdefault((venue, name), []).append(part)
        return parts

    def _store(self, venue: str, symbol: str, raws: list[RawBook], label: str) -> tuple[FileReport, pl.DataFrame]:
        if not symbol:
            raise FormatError(f"{label}: nothing says which symbol it is", remedy="Give symbol, as in --symbol BTCUSDT")
        if not venue:
            raise FormatError(f"{label}: nothing says which venue it is from", remedy="Give venue, as --venue binance")
        key = SeriesKey("book", venue, symbol)
        rows = pl.concat([raw.rows for raw in raws]).sort("recv_us", maintain_order=True)
        judged = judge(rows, str(key), self.base_latency_us)
        quotes = int((judged.rows["kind"] == QUOTE).sum())
        table = table_of(judged.rows)
        if table.is_empty():
            raise EmptyRangeError(f"{label}: no row of {key} is sound", remedy="See what is in the file")
        strays = pl.concat([raw.strays for raw in raws]).with_columns(reason=pl.lit(WRONG_SYMBOL))
        refused = pl.concat([judged.refused, strays])
        written = self.lake.write(key, table)
        if not refused.is_empty():
            self.lake.quarantine(key, refused)
        assumed = [] if self.venue else [f"venue {venue}: by the shape of its messages, or the file's name"]
        if judged.clock_us:
            assumed.append(
                f"the recorder's clock was {-(judged.latency_us - (self.base_latency_us or 0)) / _MS:g} ms behind the "
                f"venue's: the quickest message took {(self.base_latency_us or 0) / _MS:g} ms"
            )
        if quotes:
            assumed.append(f"{symbol}: {quotes:,} rows of best prices are told by the depth, and were not kept")
        counts = refused["reason"].value_counts(sort=True)
        report = FileReport(
            file=label,
            format=", ".join(dict.fromkeys(raw.format for raw in raws)),
            key=key,
            read=rows.height + strays.height - quotes,
            stored=written.added,
            duplicates=written.duplicates + judged.duplicates,
            replaced=written.replaced,
            quarantined=dict(zip(counts["reason"], counts["count"], strict=True)),
            warnings=find_in_book(self.lake, key, table),
            first_us=table["ts"].to_physical()[0],
            last_us=table["ts"].to_physical()[-1],
            assumed=assumed,
        )
        return report, table


def _steps(lake: Lake, key: SeriesKey, table: pl.DataFrame) -> Instrument:
    """The instrument, or where the lake has none one that has the ticks and lots of the data."""
    try:
        return lake.instrument(key.venue, key.symbol)
    except (UnknownSeriesError, InstrumentError):
        told = table.filter(pl.col("side") != 0)
        return Instrument(
            symbol=key.symbol,
            venue=key.venue,
            kind=Kind.SPOT,
            base=key.symbol,
            quote=key.symbol,
            tick_size=Decimal(1).scaleb(-price_decimals(told)),
            lot_size=Decimal(1).scaleb(-quantity_decimals(told)),
        )


def find_in_book(lake: Lake, key: SeriesKey, table: pl.DataFrame) -> list[Finding]:
    """What a reader must know of a book: missing updates, no snapshot, crossed prices, quantities of older lots."""
    instrument = _steps(lake, key, table)
    times = table["ts"].to_physical()
    try:
        book = assemble(table, instrument)
    except ValidationError as error:
        depth = table.filter(pl.col("kind") != TRADE)["ts"].to_physical()
        return [Finding("book_unknown", len(depth), depth[0], depth[-1], error.message)]
    findings = []
    if book.gaps:
        detail = f"after update {book.gaps[0].last_id} came {book.gaps[0].next_id}"
        first, last = book.gaps[0].ts_event, book.gaps[-1].ts_event
        findings.append(Finding("missing_updates", len(book.gaps), first, last, detail))
    if book.unused:
        findings.append(
            Finding("unused_updates", book.unused, times[0], times[-1], "messages that no snapshot reaches")
        )
    check = Book()
    check.apply(book.events)
    if check.crossed[0]:
        ts = book.events["ts_event"]
        findings.append(
            Finding("crossed_book", int(check.crossed[0]), int(ts[check.crossed[1]]), int(ts[-1]), "bid not below ask")
        )
    if book.rounded:
        findings.append(
            Finding("odd_quantity", book.rounded, times[0], times[-1], f"no whole lots of {instrument.lot_size}")
        )
    return findings
