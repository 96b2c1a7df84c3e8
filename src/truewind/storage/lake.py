"""The lake: market data as Parquet files by month, each series with a manifest that changes all at once.

    raw/{kind}/venue=…/symbol=…/[timeframe=…/]_manifest.json
                                              month=YYYY-MM/{content hash}-{bytes}.parquet
    quarantine/…    meta/instruments/…    meta/snapshots/…    meta/{record}/{part}.parquet

Writers of one series take turns; readers never wait. Files that a write has replaced stay for GRACE_S, so that readers
who took the manifest before are not disturbed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import polars as pl

from truewind.domain.instrument import Instrument
from truewind.errors import ConfigError, CorruptError, EmptyRangeError, MissingFileError, UnknownSeriesError, suggest
from truewind.storage import instruments, ledger, quarantine, reading, records, writing
from truewind.storage import manifest as manifests
from truewind.storage.blobs import open_blobs
from truewind.storage.content import content_hash
from truewind.storage.ledger import Span
from truewind.storage.manifest import Manifest, Partition
from truewind.storage.schema import LAYERS, SeriesKey, key_of, place, validate
from truewind.storage.snapshot import SeriesInfo, Snapshot, series_info, snapshot_of
from truewind.storage.writing import Written

__all__ = ["Lake", "Written"]

GRACE_S = 900.0
_SNAPSHOTS = "meta/snapshots"


class Lake:
    """Market data of many venues and symbols below one folder, which the first write makes."""

    def __init__(self, url: str | Path = "data") -> None:
        self.url = url
        self._blobs = open_blobs(url)

    def __repr__(self) -> str:
        return f"Lake({str(self.url)!r})"

    # ── series ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, key: SeriesKey, table: pl.DataFrame, *, mode: Literal["append", "overwrite"] = "append") -> Written:
        """Put rows into a series; all of them or, on any error, none.

        append: rows whose key is stored already replace the stored ones where values differ (see `storage.merge`).
        overwrite: the months that occur in `table` consist of its rows afterwards; other months stay.
        Raises SchemaError and ValidationError (see `validate`), LockedError if another process keeps writing the same
        series, StorageError if the disk refuses, CorruptError if a month to be appended to is damaged.
        """
        table = validate(key, table)
        if table.is_empty():
            return Written()
        with self._blobs.lock(key.path):
            _, stored = writing.tidy(self._blobs, key, self._load(key), GRACE_S)
            return writing.write_months(self._blobs, stored or Manifest(key), table, mode)

    def scan(
        self,
        key: SeriesKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Rows with start_us ≤ ts < end_us, in time order, to be collected within GRACE_S.

        Only the months concerned are opened, and of them only what is needed. Columns that a month lacks are null.
        Raises UnknownSeriesError, SchemaError for an unknown column, ConfigError if end ≤ start, EmptyRangeError if the
        series has nothing there, CorruptError if a file is missing or has another size than it was written with.
        """
        return reading.scan(self._blobs, self._manifest(key), start_us, end_us, columns)

    def scan_many(
        self,
        keys: Sequence[SeriesKey],
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """Like `scan`, of series that differ by nothing but the symbol: one table, `symbol` in front of the columns.

        Symbol by symbol in the order given, each in time order. Symbols without a row in the range are left out; a
        column that only some series have is null in the others. Raises as `scan`, EmptyRangeError if no symbol has
        anything there, and ConfigError if there is no key or they differ by more.
        """
        if not keys:
            raise ConfigError("No series to scan", remedy="Name at least one")
        return reading.scan_many(self._blobs, self._manifests(list(dict.fromkeys(keys))), start_us, end_us, columns)

    def read(
        self,
        key: SeriesKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Like `scan`, collected, never empty, each column in one piece of memory.

        Raises EmptyRangeError also if no single row lies between start and end, CorruptError if a file is damaged.
        """
        manifest = self._manifest(key)
        while True:
            try:
                table = reading.collect(self._blobs, manifest, start_us, end_us, columns)
                break
            except CorruptError:
                latest = self._manifest(key)
                if latest == manifest:
                    raise
                manifest = latest  # its files were replaced and removed while we read
        if table.is_empty():
            raise reading.nothing_there(manifest, start_us, end_us)
        return table

    def find(
        self,
        key: SeriesKey,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame | None:
        """Like `read`, but None where there is no such series, or no row of it between start and end.

        For what one can do without: the error of `read` goes through the whole lake to say what there is instead.
        """
        if self._load(key) is None:
            return None
        try:
            return self.read(key, start_us=start_us, end_us=end_us, columns=columns)
        except EmptyRangeError:
            return None

    def series(
        self,
        *,
        kind: str | None = None,
        venue: str | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
    ) -> list[SeriesInfo]:
        """All series, or those with the given kind, venue, symbol and timeframe, sorted by key."""
        self._require_lake()
        wanted = {"kind": kind, "venue": venue, "symbol": symbol, "timeframe": timeframe}
        keys = sorted(
            key
            for key in self._keys(below=place(kind, venue, symbol))
            if all(value is None or getattr(key, name) == value for name, value in wanted.items())
        )
        return [series_info(manifest) for manifest in self._load_many(keys) if manifest]

    def gaps(self, key: SeriesKey) -> pl.DataFrame:
        """What is missing and why: ts_from (first missing ts), ts_to (first ts after it), missing (rows), reason.

        Between the first and the last row of a series with a timeframe; of others, what the gap ledger knows to be
        missing, `missing` then being null. A series without rows is one gap, as far as its ledger reaches. reason:
        "quarantined" where refused rows of the series lie in the range, else what `storage.ledger` finds: "venue down",
        "no trades", "lost", "missing" (asked for and not there), "not downloaded". Raises UnknownSeriesError if neither
        rows nor ledger are there, CorruptError.
        """
        manifest, spans = self._load(key), self.spans(key)
        if manifest is None and not spans:
            raise self._unknown(key)
        ranges = manifest.gaps() if manifest else [(spans[0].start_us, max(span.end_us for span in spans))]
        return ledger.gaps(key, ranges, spans, lambda: self.quarantined(key))

    def note_span(self, key: SeriesKey, start_us: int, end_us: int, what: str, source: str = "") -> None:
        """Put into the gap ledger what is known of [start_us, end_us): "asked", "empty", "down" or "lost".

        The series need not have rows. What is there already is not written again, and an empty range says nothing.
        Note rows as asked for once they are written. Raises ConfigError, CorruptError, LockedError, StorageError.
        """
        new = ledger.checked(Span(start_us, end_us, what, source))
        with self._blobs.lock(key.path):
            before = self.spans(key)
            after = list(ledger.including(before, [new]))
            if after != before:
                self._blobs.write(f"{key.path}/{ledger.NAME}", ledger.encode(key, tuple(after)))

    def spans(self, key: SeriesKey) -> list[Span]:
        """The gap ledger of a series, in order of time; empty if nothing was noted. Raises CorruptError."""
        name = f"{key.path}/{ledger.NAME}"
        data = self._blobs.read(name)
        return [] if data is None else list(ledger.decode(data, key, self._blobs.location(name)))

    def unasked(self, key: SeriesKey, start_us: int, end_us: int) -> list[tuple[int, int]]:
        """The ranges within [start_us, end_us) that no source was asked for yet, in order of time."""
        return ledger.unasked(self.spans(key), start_us, end_us)

    def verify(self, key: SeriesKey) -> SeriesInfo:
        """Read every file of a series and compare it with the manifest. Raises CorruptError for the first bad file."""
        manifest = self._manifest(key)
        for partition in manifest.partitions:
            table = reading.collect(self._blobs, Manifest(key, (partition,)), None, None, partition.columns)
            found = (table.height, content_hash(table))
            if found != (partition.rows, partition.content_hash):
                raise reading.corrupt(self._blobs, manifest, partition, "its content is not what was written")
        return series_info(manifest)

    def vacuum(self) -> int:
        """Remove files that no series needs any more, without the usual grace for readers; returns how many."""
        self._require_lake()
        removed = 0
        for key in sorted(self._keys("month=")):
            with self._blobs.lock(key.path):
                removed += writing.tidy(self._blobs, key, self._load(key), 0.0)[0]
        return removed

    def remove(self, key: SeriesKey) -> None:
        """Forget a series; its files stay for readers as long as replaced ones do. Nothing happens if there is none."""
        with self._blobs.lock(key.path):
            stored = self._load(key)
            self._blobs.remove(f"{key.path}/{ledger.NAME}")
            if stored is not None:
                for file in stored.files:
                    self._blobs.retire(f"{key.path}/{file}")
                self._blobs.remove(f"{key.path}/{manifests.NAME}")

    def put_note(self, key: SeriesKey, name: str, data: bytes) -> None:
        """Keep a small file beside a series, in place of the one of that name: what a later run needs to go on."""
        with self._blobs.lock(key.path):
            self._blobs.write(f"{key.path}/_{name}", data)

    def note(self, key: SeriesKey, name: str) -> bytes | None:
        """What `put_note` has kept; None if nothing."""
        return self._blobs.read(f"{key.path}/_{name}")

    def parts(self, key: SeriesKey) -> tuple[Partition, ...]:
        """The files of a series in time order, one or several of each month. Raises UnknownSeriesError."""
        return self._manifest(key).partitions

    # ── beside the series ───────────────────────────────────────────────────────────────────────────────────────────

    def quarantine(self, key: SeriesKey, rows: pl.DataFrame) -> int:
        """Keep refused rows of a series, with columns `reason` and `source`; returns how many were not yet kept."""
        return quarantine.put(self._blobs, key, rows)

    def quarantined(self, key: SeriesKey) -> pl.DataFrame:
        """The refused rows of a series; empty if there are none."""
        return quarantine.get(self._blobs, key)

    def put_instrument(self, instrument: Instrument) -> None:
        """Keep an instrument, in place of the one with its venue and symbol."""
        instruments.put(self._blobs, instrument)

    def instrument(self, venue: str, symbol: str) -> Instrument:
        """The instrument of a venue. Raises UnknownSeriesError with the closest name, CorruptError."""
        self._require_lake()
        return instruments.get(self._blobs, venue, symbol, self.url)

    def put_record(self, name: str, part: str, table: pl.DataFrame) -> None:
        """Keep a part of a table about the data, `meta/{name}/{part}.parquet`, in place of the one of that name."""
        records.put(self._blobs, name, part, table)

    def records(self, name: str) -> pl.DataFrame:
        """All parts of a table about the data, such as "metric_runs"; empty if there are none. Raises CorruptError."""
        return records.get(self._blobs, name)

    def snapshot(self, keys: Sequence[SeriesKey] | None = None) -> Snapshot:
        """The state of the given series, or of all; saved by its id in meta/snapshots/.

        Months in several files are joined for it. Raises UnknownSeriesError, CorruptError, and LockedError if a series
        that has to be joined keeps being written.
        """
        if keys is None:
            series = self.series()
            if not series:
                raise UnknownSeriesError(f"The lake {self.url} is empty", remedy="Import data first")
        else:
            series = [series_info(manifest) for manifest in self._manifests(list(dict.fromkeys(keys)))]
        snapshot = snapshot_of(info if info.content_hash else self._joined(info.key) for info in series)
        name = f"{_SNAPSHOTS}/{snapshot.id}.json"
        if self._blobs.size(name) is None:
            self._blobs.write(name, msgspec.json.format(msgspec.json.encode(snapshot), indent=2))
        return snapshot

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _load(self, key: SeriesKey) -> Manifest | None:
        return next(iter(self._load_many([key])))

    def _load_many(self, keys: Sequence[SeriesKey]) -> Iterator[Manifest | None]:
        names = [f"{key.path}/{manifests.NAME}" for key in keys]
        found = self._blobs.read_many(names) if len(names) > 1 else [self._blobs.read(name) for name in names]
        for key, name, data in zip(keys, names, found, strict=True):
            yield None if data is None else manifests.decode(data, key, self._blobs.location(name))

    def _manifest(self, key: SeriesKey) -> Manifest:
        return self._manifests([key])[0]

    def _manifests(self, keys: Sequence[SeriesKey]) -> list[Manifest]:
        found = []
        for key, manifest in zip(keys, self._load_many(keys), strict=True):
            if manifest is None:
                raise self._unknown(key)
            found.append(manifest)
        return found

    def _joined(self, key: SeriesKey) -> SeriesInfo:
        """The series with its files of one month joined, month by month; the lock is held only to put them there."""
        manifest = self._manifest(key)
        for month in manifest.scattered:
            work = writing.joined(self._blobs, manifest, month)
            with self._blobs.lock(key.path):
                writing.put_joined(self._blobs, self._manifest(key), work)
            manifest = manifest.replacing({month: (work.whole,)})
        return series_info(manifest)

    def _keys(self, start: str = manifests.NAME, below: str = "") -> Iterator[SeriesKey]:
        """Keys of all folders with something whose name starts so; below: of a layer only this folder."""
        for layer in LAYERS:
            for folder in self._blobs.folders_with(start, layer + below):
                key = key_of(folder)
                if key is not None:
                    yield key

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _require_lake(self) -> None:
        if not self._blobs.exists():
            raise MissingFileError(
                f"No lake at {self.url}", remedy="Import data first, or check the path", path=self.url
            )

    def _unknown(self, key: SeriesKey) -> UnknownSeriesError | MissingFileError:
        """The error for a series that is not there: it says which part of the key is unknown and what there is."""
        self._require_lake()
        there = sorted(self._keys())
        if not there:
            return UnknownSeriesError(f"The lake {self.url} is empty", remedy="Import data first")
        found: list[str] = []
        for part in ("venue", "symbol", "kind", "timeframe", "layer"):
            known = {getattr(other, part) for other in there}
            wanted = getattr(key, part)
            if wanted not in known:
                return UnknownSeriesError(
                    f"No {part} '{wanted}'{' of ' if found else ''}{' '.join(found)} in the lake {self.url}",
                    remedy=suggest(wanted, known),
                    series=str(key),
                    known=", ".join(sorted(known)),
                )
            there = [other for other in there if getattr(other, part) == wanted]
            found.append(wanted)
        return UnknownSeriesError(f"{key} was not in the lake {self.url}", remedy="It is by now: try again")
