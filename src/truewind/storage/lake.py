"""The lake: market data as Parquet files by month, each series with a manifest that changes all at once.

    raw/{kind}/venue=…/symbol=…/[timeframe=…/]_manifest.json
                                              month=YYYY-MM/{content hash}-{bytes}.parquet
    quarantine/…    meta/instruments/…    meta/snapshots/…    meta/{record}/{part}.parquet

Writers of one series take turns; readers never wait. Files that a write has replaced stay for GRACE_S, so that readers
who took the manifest before are not disturbed.
"""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from truewind.domain.instrument import Instrument
from truewind.errors import (
    ConfigError,
    CorruptError,
    EmptyRangeError,
    MissingFileError,
    SchemaError,
    StorageError,
    UnknownSeriesError,
    suggest,
)
from truewind.storage import instruments, ledger, quarantine, records
from truewind.storage import manifest as manifests
from truewind.storage.blobs import open_blobs
from truewind.storage.content import content_hash
from truewind.storage.ledger import Span
from truewind.storage.manifest import Manifest, Partition, gaps_within
from truewind.storage.merge import merge
from truewind.storage.schema import KINDS, LAYERS, TS, SeriesKey, readable, row_key, segment_value, validate
from truewind.storage.snapshot import SeriesInfo, Snapshot, series_info, snapshot_of

GRACE_S = 900.0
_SNAPSHOTS = "meta/snapshots"


class Written(msgspec.Struct, frozen=True):
    """What a write did, in rows: new ones, identical ones that were there, changed ones that took the place of others.

    With mode="overwrite" the rows of the months concerned are `added` and those that stood there `replaced`.
    partitions: how many months got a new file.
    """

    added: int = 0
    duplicates: int = 0
    replaced: int = 0
    partitions: int = 0


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
            stored = self._load(key) or Manifest(key)
            self._tidy(key, stored, GRACE_S)
            months = list(_by_month(table))
            _require_same_key(stored, table, {month for month, _ in months} if mode == "overwrite" else set())
            return self._write_months(stored, months, mode)

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
        return self._scan(self._manifest(key), start_us, end_us, columns)

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
                table = self._collect(manifest, start_us, end_us, columns)
                break
            except CorruptError:
                latest = self._manifest(key)
                if latest == manifest:
                    raise
                manifest = latest  # its files were replaced and removed while we read
        if table.is_empty():
            raise _nothing_there(manifest, start_us, end_us)
        return table

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
            for key in self._keys()
            if all(value is None or getattr(key, name) == value for name, value in wanted.items())
        )
        return [series_info(manifest) for manifest in map(self._load, keys) if manifest]

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
            table = self._collect(Manifest(key, (partition,)), None, None, partition.columns)
            found = (table.height, content_hash(table))
            if found != (partition.rows, partition.content_hash):
                raise self._corrupt(manifest, partition, "its content is not what was written")
        return series_info(manifest)

    def vacuum(self) -> int:
        """Remove files that no series needs any more, without the usual grace for readers; returns how many."""
        self._require_lake()
        removed = 0
        for key in list(self._keys()):
            with self._blobs.lock(key.path):
                removed += self._tidy(key, self._load(key) or Manifest(key), 0.0)
        return removed

    def remove(self, key: SeriesKey) -> None:
        """Forget a series; its files stay for readers as long as replaced ones do. Nothing happens if there is none."""
        with self._blobs.lock(key.path):
            stored = self._load(key)
            self._blobs.remove(f"{key.path}/{ledger.NAME}")
            if stored is not None:
                for file in stored.files:
                    self._blobs.touch(f"{key.path}/{file}")
                self._blobs.remove(f"{key.path}/{manifests.NAME}")

    def put_note(self, key: SeriesKey, name: str, data: bytes) -> None:
        """Keep a small file beside a series, in place of the one of that name: what a later run needs to go on."""
        with self._blobs.lock(key.path):
            self._blobs.write(f"{key.path}/_{name}", data)

    def note(self, key: SeriesKey, name: str) -> bytes | None:
        """What `put_note` has kept; None if nothing."""
        return self._blobs.read(f"{key.path}/_{name}")

    def parts(self, key: SeriesKey) -> tuple[Partition, ...]:
        """The months of a series. Raises UnknownSeriesError."""
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
        """The state of the given series, or of all; saved by its id in meta/snapshots/. Raises UnknownSeriesError."""
        if keys is None:
            series = self.series()
            if not series:
                raise UnknownSeriesError(f"The lake {self.url} is empty", remedy="Import data first")
        else:
            series = [series_info(self._manifest(key)) for key in dict.fromkeys(keys)]
        snapshot = snapshot_of(series)
        name = f"{_SNAPSHOTS}/{snapshot.id}.json"
        if self._blobs.size(name) is None:
            self._blobs.write(name, msgspec.json.format(msgspec.json.encode(snapshot), indent=2))
        return snapshot

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _load(self, key: SeriesKey) -> Manifest | None:
        name = f"{key.path}/{manifests.NAME}"
        data = self._blobs.read(name)
        return None if data is None else manifests.decode(data, key, self._blobs.location(name))

    def _manifest(self, key: SeriesKey) -> Manifest:
        manifest = self._load(key)
        if manifest is None:
            raise self._unknown(key)
        return manifest

    def _scan(
        self, manifest: Manifest, start_us: int | None, end_us: int | None, columns: Sequence[str] | None
    ) -> pl.LazyFrame:
        key = manifest.key
        if start_us is not None and end_us is not None and end_us <= start_us:
            raise ConfigError(
                f"The end {readable(end_us)} is not after the start {readable(start_us)}", remedy="Swap or widen them"
            )
        present = manifest.columns
        for name in columns or ():
            if name not in present:
                raise SchemaError(f"{key} has no column '{name}'", remedy=suggest(name, present), column=name)
        partitions = manifest.between(start_us, end_us)
        if not partitions:
            raise _nothing_there(manifest, start_us, end_us)
        for partition in partitions:
            size = self._blobs.size(f"{key.path}/{partition.file}")
            if size != partition.bytes:
                what = "the file is missing" if size is None else f"{size} bytes, {partition.bytes} were written"
                raise self._corrupt(manifest, partition, what)
        types = key.about.holding(present).columns
        frame = pl.scan_parquet(
            [self._blobs.location(f"{key.path}/{partition.file}") for partition in partitions],
            schema={name: types[name] for name in present},
            missing_columns="insert",
            hive_partitioning=False,
            glob=False,
        )
        if start_us is not None and start_us > partitions[0].start_us:
            frame = frame.filter(pl.col("ts") >= pl.lit(start_us, TS))
        if end_us is not None and end_us <= partitions[-1].end_us:
            frame = frame.filter(pl.col("ts") < pl.lit(end_us, TS))
        return frame if columns is None else frame.select(columns)

    def _collect(
        self, manifest: Manifest, start_us: int | None, end_us: int | None, columns: Sequence[str] | None
    ) -> pl.DataFrame:
        frame = self._scan(manifest, start_us, end_us, columns)
        try:
            return frame.collect().rechunk()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            for partition in manifest.between(start_us, end_us):
                location = self._blobs.location(f"{manifest.key.path}/{partition.file}")
                try:
                    pl.read_parquet(location, hive_partitioning=False, glob=False)
                except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as reason:
                    raise self._corrupt(manifest, partition, str(reason)) from None
            raise StorageError(f"Cannot read {manifest.key}: {error}", remedy="Try again") from error

    def _keys(self) -> Iterator[SeriesKey]:
        """Keys of all folders that may hold a series."""
        for layer in LAYERS:
            sets = (
                [entry.name for entry in self._blobs.entries(layer) if entry.is_folder]
                if layer == "features"
                else KINDS
            )
            for kind in sets:
                for venue, in_venue in self._values(f"{layer}/{kind}"):
                    for symbol, in_symbol in self._values(in_venue):
                        if layer != "features" and not KINDS[kind].has_timeframe:
                            yield SeriesKey(kind, venue, symbol, layer=layer)
                            continue
                        for timeframe, _ in self._values(in_symbol):
                            yield SeriesKey(kind, venue, symbol, timeframe, layer)

    def _values(self, folder: str) -> Iterator[tuple[str, str]]:
        """Values and paths of the hive segments in a folder."""
        for entry in self._blobs.entries(folder):
            value = segment_value(entry.name) if entry.is_folder else None
            if value:
                yield value, f"{folder}/{entry.name}"

    # ── writing, under the lock of the series ───────────────────────────────────────────────────────────────────────

    def _write_months(self, stored: Manifest, months: list[tuple[str, pl.DataFrame]], mode: str) -> Written:
        changed: dict[str, Partition] = {}
        counts = np.zeros(3, np.int64)  # added, duplicates, replaced
        try:
            for month, rows in months:
                old = stored.partition(month)
                if old is None or mode == "overwrite":
                    table = rows
                    counts += (rows.height, 0, old.rows if old else 0)
                else:
                    before = self._collect(Manifest(stored.key, (old,)), None, None, None)
                    merged = merge(stored.key.about.holding([*before.columns, *rows.columns]), before, rows)
                    counts += (merged.added, merged.duplicates, merged.replaced)
                    table = merged.table
                    if not merged.added and not merged.replaced:
                        continue
                changed[month], data = _encoded(stored.key, month, table)
                self._blobs.write(f"{stored.key.path}/{changed[month].file}", data)
            if changed:
                self._swap(stored, stored.replacing(changed))
        except BaseException:  # also a keyboard interrupt: give the space back, unless the swap was already done
            self._forget(stored.key, changed.values(), self._load(stored.key) or Manifest(stored.key))
            raise
        added, duplicates, replaced = counts.tolist()
        return Written(added, duplicates, replaced, len(changed))

    def _swap(self, stored: Manifest, now: Manifest) -> None:
        """Make `now` the state that readers see; the grace of the files that only `stored` has begins."""
        for file in stored.files - now.files:
            self._blobs.touch(f"{stored.key.path}/{file}")
        self._blobs.write(f"{now.key.path}/{manifests.NAME}", manifests.encode(now))

    def _forget(self, key: SeriesKey, partitions: Iterable[Partition], current: Manifest) -> None:
        for partition in partitions:
            if partition.file not in current.files:
                self._blobs.remove(f"{key.path}/{partition.file}")

    def _tidy(self, key: SeriesKey, manifest: Manifest, grace_s: float) -> int:
        """Remove temporaries, and files that are not in `manifest` and older than the grace."""
        removed, needed = 0, manifest.files
        self._blobs.sweep(key.path)
        for month in self._blobs.entries(key.path):
            if month.is_folder:
                self._blobs.sweep(f"{key.path}/{month.name}")
                for file in self._blobs.entries(f"{key.path}/{month.name}"):
                    if f"{month.name}/{file.name}" not in needed and file.age_s >= grace_s:
                        self._blobs.remove(f"{key.path}/{month.name}/{file.name}")
                        removed += 1
        return removed

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _require_lake(self) -> None:
        if not self._blobs.exists():
            raise MissingFileError(
                f"No lake at {self.url}", remedy="Import data first, or check the path", path=self.url
            )

    def _unknown(self, key: SeriesKey) -> UnknownSeriesError | MissingFileError:
        """The error for a series that is not there: it says which part of the key is unknown and what there is."""
        self._require_lake()
        there = [info.key for info in self.series()]
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

    def _corrupt(self, manifest: Manifest, partition: Partition, what: str) -> CorruptError:
        location = self._blobs.location(f"{manifest.key.path}/{partition.file}")
        return CorruptError(
            f"{location} is damaged: {what}",
            remedy=f"Import {partition.month} of {manifest.key} again with mode 'overwrite'",
            path=location,
            series=str(manifest.key),
            month=partition.month,
        )


def _by_month(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """A sorted table cut at the months of `ts`, UTC, each piece with its name such as "2024-01"."""
    times = table["ts"].to_physical().to_numpy()
    first, last = times[[0, -1]].astype("M8[us]").astype("M8[M]")
    months = np.arange(first, last + 1)
    edges = np.searchsorted(times, np.append(months, last + 1).astype("M8[us]").astype(np.int64))
    for month, start, end in zip(months, edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if end > start:
            yield str(month), table[start:end]


def _encoded(key: SeriesKey, month: str, rows: pl.DataFrame) -> tuple[Partition, bytes]:
    """A partition and its Parquet bytes."""
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="snappy")
    data = buffer.getvalue()
    ts = rows["ts"].to_physical()
    partition = Partition(
        month=month,
        rows=rows.height,
        start_us=ts[0],
        end_us=ts[-1],
        bytes=len(data),
        content_hash=content_hash(rows),
        columns=tuple(rows.columns),
        gaps=gaps_within(ts, key.step_us) if key.step_us else (),
    )
    return partition, data


def _require_same_key(stored: Manifest, table: pl.DataFrame, leaving: set[str]) -> None:
    """Rows that are named by an id and rows that are not cannot be told apart in one series."""
    staying = Manifest(stored.key, tuple(part for part in stored.partitions if part.month not in leaving))
    given = row_key(stored.key.about, table.columns)
    if staying.partitions and staying.row_key != given:
        raise SchemaError(
            f"{stored.key} is stored by {' and '.join(staying.row_key)}, the new rows have {' and '.join(given)}",
            remedy="Bring the missing column, or keep the two sources apart by venue name",
        )


def _nothing_there(manifest: Manifest, start_us: int | None, end_us: int | None) -> EmptyRangeError:
    start = "the beginning" if start_us is None else readable(start_us)
    end = "the end" if end_us is None else readable(end_us)
    return EmptyRangeError(
        f"{manifest.key} has no rows from {start} to {end}",
        remedy=f"It has rows from {readable(manifest.start_us)} to {readable(manifest.end_us)}",
        series=str(manifest.key),
        start_us=manifest.start_us,
        end_us=manifest.end_us,
    )
