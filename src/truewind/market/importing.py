"""Importing: files that users have → sniff → parse → validate → quarantine → lake, with a report of every row.

A file that cannot be placed is refused with the reason, and the others go on. Importing a file twice changes nothing.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
import polars as pl

from truewind.domain.timeframe import timeframe_us
from truewind.errors import DataError, FormatError, InstrumentError, MissingFileError, UnknownSeriesError
from truewind.market.files.container import Member, find_files, members
from truewind.market.files.names import Hints, read_names
from truewind.market.files.parse import parse
from truewind.market.files.table import ROW, read_table
from truewind.market.formats import read_known
from truewind.market.formats.part import Part
from truewind.market.infer import infer_instrument, price_decimals, quantity_decimals
from truewind.market.place import WRONG_SYMBOL, Options, Placed, place
from truewind.market.recordings.importing import BookImport
from truewind.market.recordings.recording import is_book, read_raw
from truewind.market.report import FileReport, ImportReport, Refusal
from truewind.market.sniff import BAR_KINDS, beside, sniff
from truewind.market.validate import Verdict, check_skips, is_unfinished, validate
from truewind.storage.lake import Lake
from truewind.storage.schema import SeriesKey

Progress = Callable[[str, int, int], None]  # file, how many are done, how many there are
_MOST = 0.5  # a file most of whose rows are refused is misunderstood, not damaged


def import_files(
    lake: Lake,
    paths: Iterable[str | Path],
    *,
    venue: str | None = None,
    symbol: str | None = None,
    timeframe: str | None = None,
    kind: str | None = None,
    columns: Mapping[str, str] | None = None,
    skip: Collection[str] = (),
    base_latency_ms: float | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Put files, and all files below folders, into the lake.

    venue, symbol, timeframe, kind: what neither contents nor names say; they hold for all files of the call.
    columns: our column name → the file's (column_1, column_2 … in a file without header).
    skip: names of checks to leave out. base_latency_ms: of raw recordings, how long the quickest message took, where
    the recorder's clock was behind the venue's. All recordings of a symbol are one, in whatever order.
    What is wrong with a file is told in the report. Raises MissingFileError for a path that does not exist, ConfigError
    for an unknown check or timeframe, StorageError if the lake cannot be written.
    """
    check_skips(skip)
    if timeframe is not None:
        timeframe_us(timeframe)
    options = Options(venue=venue, symbol=symbol, timeframe=timeframe, kind=kind, columns=columns)
    files = sorted(find_files([Path(path) for path in paths]), key=_shortest_first)
    latency = None if base_latency_ms is None else round(base_latency_ms * 1000)
    job = _Import(lake, options, skip, latency, alone=len(files) == 1)
    for done, path in enumerate(files):
        if progress:
            progress(path.name, done, len(files))
        job.add(path)
    if progress:
        progress("", len(files), len(files))
    return job.finish()


def _shortest_first(path: Path) -> tuple[int, str]:
    """Short bars before long ones, so that the last long bar can be checked against them."""
    named = read_names((path.name,)).timeframe
    return (timeframe_us(named) if named else 0, str(path))


class _Import:
    """The state of one call: what was told so far, and what was seen of each symbol's prices."""

    def __init__(
        self, lake: Lake, options: Options, skip: Collection[str], latency_us: int | None, *, alone: bool
    ) -> None:
        self.lake, self.options, self.skip, self.alone = lake, options, skip, alone
        self.books = BookImport(lake, options.venue, options.symbol, latency_us)
        self.files: list[FileReport] = []
        self.refused: list[Refusal] = []
        self.steps: dict[tuple[str, str], list[int]] = {}  # venue, symbol → decimals of price and of quantity
        try:
            self.keys = {info.key for info in lake.series()}
        except MissingFileError:
            self.keys = set()  # the first write makes the lake

    def add(self, path: Path) -> None:
        label = path.name
        try:
            for member in members(path):
                label = member.label
                try:
                    self.add_member(member)
                except DataError as error:
                    self.refused.append(Refusal.of(label, error))
        except FormatError as error:
            self.refused.append(Refusal.of(label, error))

    def add_member(self, member: Member) -> None:
        if self.options.kind == "book" or (self.options.kind is None and is_book(member)):
            self.books.add(read_raw(member))
            return
        known = read_known(member, self.options)
        if known is not None:
            for part in known:
                placed = self.said(part, member)
                self.files.append(self.store(placed, self.judge(placed, member), member.label, part.format))
            return
        hints = read_names(member.names, member.folders)
        self.check_symbol_option(member, hints)
        raw = read_table(member)
        layout = sniff(raw, hints, kind=self.options.kind, columns=self.options.columns)
        for rows, what in [(raw, layout), *(beside(raw) if layout.kind == "bars" else ())]:
            for placed in place(parse(rows, what), what, hints, self.options, member.label):
                verdict = self.judge(placed, member)
                self.files.append(self.store(placed, verdict, member.label, what.format))

    def said(self, part: Part, member: Member) -> Placed:
        """A part as a series, under the venue and symbol that the user said."""
        wanted = self.options.symbol
        if wanted and wanted != part.key.symbol and not (self.alone and member.alone):
            raise FormatError(
                f"{member.label} is {part.key.symbol}, but symbol={wanted} was given for all files",
                remedy="Import it by itself, or leave the symbol out",
            )
        key = msgspec.structs.replace(
            part.key, venue=self.options.venue or part.key.venue, symbol=wanted or part.key.symbol
        )
        return Placed(key, part.rows, part.rows.clear(), list(part.assumed))

    def check_symbol_option(self, member: Member, hints: Hints) -> None:
        """One symbol for many files would pour different instruments into one series."""
        wanted = self.options.symbol
        if wanted and hints.symbol and hints.symbol != wanted and not (self.alone and member.alone):
            raise FormatError(
                f"{member.label} is named for {hints.symbol}, but symbol={wanted} was given for all files",
                remedy="Import it by itself, or leave the symbol out",
            )

    def judge(self, placed: Placed, member: Member) -> Verdict:
        key = placed.key
        verdict = validate(key, placed.rows, skip=self.skip)
        rows, refused = verdict.rows, verdict.refused
        if key.kind in BAR_KINDS and not rows.is_empty() and "unfinished_bar" not in self.skip:
            last = rows.row(-1, named=True)
            if is_unfinished(key, last, written_us=member.written_us, shorter=self.shorter_bars(key, rows)):
                mark = (
                    placed.rows.filter(pl.col("ts") == last["ts"]).tail(1).with_columns(reason=pl.lit("unfinished_bar"))
                )
                rows, refused = rows.head(-1), pl.concat([refused, mark])
        strays = placed.strays.with_columns(reason=pl.lit(WRONG_SYMBOL))
        judged = Verdict(rows, pl.concat([refused, strays]), verdict.duplicates, verdict.findings)
        total = placed.rows.height + strays.height
        if judged.refused.height > _MOST * total:
            reasons = ", ".join(f"{name} {count}" for name, count in judged.reasons.items())
            raise FormatError(
                f"{member.label}: {judged.refused.height} of {total} rows were refused as {key}: {reasons}",
                remedy="Check that the file is what was understood; columns, timeframe and skip can say otherwise",
            )
        return judged

    def shorter_bars(self, key: SeriesKey, rows: pl.DataFrame) -> pl.DataFrame | None:
        """Stored bars of the shortest timeframe from inside the last of `rows`, None if there are none."""
        if key.kind != "bars":
            return None
        same = (key.kind, key.venue, key.symbol)
        known = [k for k in self.keys if (k.kind, k.venue, k.symbol) == same and k.step_us < key.step_us]
        begin = int(rows["ts"].to_physical()[-1])
        for other in sorted(known, key=lambda k: k.step_us):
            try:
                return self.lake.read(other, start_us=begin, end_us=begin + key.step_us)
            except DataError:
                continue  # it ends before this bar begins
        return None

    def store(self, placed: Placed, verdict: Verdict, label: str, form: str) -> FileReport:
        key, rows = placed.key, verdict.rows
        written = self.lake.write(key, rows)
        if not verdict.refused.is_empty():
            source = pl.format("{}:{}", pl.lit(label), pl.col(ROW)).alias("source")
            self.lake.quarantine(key, verdict.refused.with_columns(source).drop(ROW, "close_time", strict=False))
        if not rows.is_empty():
            self.keys.add(key)
            self.note_steps(key, rows)
        times = rows["ts"].to_physical()
        return FileReport(
            file=label,
            format=form,
            key=key,
            read=placed.rows.height + placed.strays.height,
            stored=written.added,
            duplicates=verdict.duplicates + written.duplicates,
            replaced=written.replaced,
            quarantined=verdict.reasons,
            warnings=verdict.findings,
            first_us=times[0] if len(times) else None,
            last_us=times[-1] if len(times) else None,
            assumed=placed.assumed,
        )

    def note_steps(self, key: SeriesKey, rows: pl.DataFrame) -> None:
        if key.kind not in ("bars", "trades", "quotes", "book"):
            return  # mark and index prices are finer than what can be traded
        seen = self.steps.setdefault((key.venue, key.symbol), [0, 0])
        seen[:] = max(seen[0], price_decimals(rows)), max(seen[1], quantity_decimals(rows))

    def store_books(self) -> None:
        for stored in self.books.store():
            if isinstance(stored, Refusal):
                self.refused.append(stored)
            else:
                report, rows = stored
                self.files.append(report)
                self.note_steps(report.key, rows.filter(pl.col("side") != 0))

    def finish(self) -> ImportReport:
        self.store_books()
        instruments: list[str] = []
        notes: list[str] = []
        for (venue, symbol), (price, quantity) in sorted(self.steps.items()):
            try:
                self.settle_instrument(venue, symbol, price, quantity, instruments, notes)
            except InstrumentError as error:
                notes.append(str(error))
        return ImportReport(files=self.files, refused=self.refused, instruments=instruments, notes=notes)

    def settle_instrument(
        self, venue: str, symbol: str, price: int, quantity: int, instruments: list[str], notes: list[str]
    ) -> None:
        """Infer an instrument where the lake has none; refine an inferred one; note where a given one is coarser."""
        try:
            known = self.lake.instrument(venue, symbol)
        except UnknownSeriesError:
            made = infer_instrument(venue, symbol, price, quantity)
            self.lake.put_instrument(made)
            instruments.append(f"{made.id}: tick {made.tick_size:f}, lot {made.lot_size:f}, inferred from the data")
            return
        tick = min(known.tick_size, Decimal(1).scaleb(-price))
        lot = min(known.lot_size, Decimal(1).scaleb(-quantity))
        if (tick, lot) == (known.tick_size, known.lot_size):
            return
        finer = f"{known.id}: the data are finer (tick {tick:f}, lot {lot:f}) than the instrument"
        was = f"(tick {known.tick_size:f}, lot {known.lot_size:f})"
        if known.inferred:
            refined = infer_instrument(venue, symbol, -int(tick.adjusted()), -int(lot.adjusted()))
            self.lake.put_instrument(refined)
            notes.append(f"{finer} inferred before {was}, which was refined")
        else:
            notes.append(f"{finer} that the venue gave {was}, which stays")
