"""Reading: a manifest and a range of time become a lazy table; what is wrong with its files becomes an error."""

import io
from collections.abc import Iterable, Sequence

import polars as pl

from truewind.errors import ConfigError, CorruptError, EmptyRangeError, SchemaError, StorageError, suggest
from truewind.storage.blobs import Blobs
from truewind.storage.manifest import Manifest, Partition
from truewind.storage.schema import TS, SeriesKey, readable

_REFUSALS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


def scan(
    blobs: Blobs, manifest: Manifest, start_us: int | None, end_us: int | None, columns: Sequence[str] | None
) -> pl.LazyFrame:
    """See `Lake.scan`."""
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
        raise nothing_there(manifest, start_us, end_us)
    if not blobs.whole:
        check_sizes(blobs, manifest, partitions)
    types = key.about.holding(present).columns
    frame = pl.scan_parquet(
        [blobs.location(f"{key.path}/{partition.file}") for partition in partitions],
        schema={name: types[name] for name in present},
        missing_columns="insert",
        hive_partitioning=False,
        glob=False,
        **blobs.scan_options,
    )
    if start_us is not None and start_us > partitions[0].start_us:
        frame = frame.filter(pl.col("ts") >= pl.lit(start_us, TS))
    if end_us is not None and end_us <= partitions[-1].end_us:
        frame = frame.filter(pl.col("ts") < pl.lit(end_us, TS))
    return frame if columns is None else frame.select(columns)


def scan_many(
    blobs: Blobs,
    manifests: Sequence[Manifest],
    start_us: int | None,
    end_us: int | None,
    columns: Sequence[str] | None,
) -> pl.LazyFrame:
    """See `Lake.scan_many`."""
    first = manifests[0].key
    for key in (manifest.key for manifest in manifests):
        if (key.layer, key.kind, key.venue, key.timeframe) != (first.layer, first.kind, first.venue, first.timeframe):
            raise ConfigError(f"{key} and {first} differ by more than the symbol", remedy="Scan them one by one")
    found = dict.fromkeys(name for manifest in manifests for name in manifest.columns)
    types = first.about.holding(found).columns
    names = [name for name in types if name in found] if columns is None else list(columns)
    for name in names:
        if name not in found:
            raise SchemaError(f"{first} has no column '{name}'", remedy=suggest(name, found), column=name)
    frames = []
    for manifest in manifests:
        if not manifest.between(start_us, end_us):
            continue
        there = set(manifest.columns)
        frame = scan(blobs, manifest, start_us, end_us, None)
        values = [pl.col(name) if name in there else pl.lit(None, types[name]).alias(name) for name in names]
        frames.append(frame.select(pl.lit(manifest.key.symbol).alias("symbol"), *values))
    if not frames:
        raise nothing_there(manifests[0], start_us, end_us)
    return pl.concat(frames)


def collect(
    blobs: Blobs, manifest: Manifest, start_us: int | None, end_us: int | None, columns: Sequence[str] | None
) -> pl.DataFrame:
    """See `Lake.read`; the table may be empty. What polars says of a store is not repeated: it may quote requests."""
    frame = scan(blobs, manifest, start_us, end_us, columns)
    try:
        return frame.collect().rechunk()
    except _REFUSALS as error:
        partitions = manifest.between(start_us, end_us)
        check_sizes(blobs, manifest, partitions)
        for partition in partitions:
            table(blobs, manifest, partition)
        why = "the store did not give all it has" if blobs.whole else str(error)
        raise StorageError(f"Cannot read {manifest.key}: {why}", remedy="Try again") from None


def rows_of(blobs: Blobs, key: SeriesKey, parts: Sequence[Partition]) -> pl.DataFrame:
    """All rows of some files of a series. Raises CorruptError."""
    manifest = Manifest(key, tuple(parts))
    if not blobs.whole or len(parts) > 1:
        return collect(blobs, manifest, None, None, None)
    check_sizes(blobs, manifest, parts)
    return table(blobs, manifest, parts[0])  # one request, where a scan makes several


def table(blobs: Blobs, manifest: Manifest, partition: Partition) -> pl.DataFrame:
    """One file, as it is. Raises CorruptError."""
    data = blobs.read(f"{manifest.key.path}/{partition.file}")
    if data is None:
        raise corrupt(blobs, manifest, partition, "the file is missing")
    try:
        return pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except _REFUSALS as error:
        raise corrupt(blobs, manifest, partition, str(error)) from None


def check_sizes(blobs: Blobs, manifest: Manifest, partitions: Iterable[Partition]) -> None:
    """Raises CorruptError for the first file that is missing, or not as long as it was written."""
    for partition in partitions:
        size = blobs.size(f"{manifest.key.path}/{partition.file}")
        if size != partition.bytes:
            what = "the file is missing" if size is None else f"{size} bytes, {partition.bytes} were written"
            raise corrupt(blobs, manifest, partition, what)


def corrupt(blobs: Blobs, manifest: Manifest, partition: Partition, what: str) -> CorruptError:
    location = blobs.location(f"{manifest.key.path}/{partition.file}")
    return CorruptError(
        f"{location} is damaged: {what}",
        remedy=f"Import {partition.month} of {manifest.key} again with mode 'overwrite'",
        path=location,
        series=str(manifest.key),
        month=partition.month,
    )


def nothing_there(manifest: Manifest, start_us: int | None, end_us: int | None) -> EmptyRangeError:
    start = "the beginning" if start_us is None else readable(start_us)
    end = "the end" if end_us is None else readable(end_us)
    return EmptyRangeError(
        f"{manifest.key} has no rows from {start} to {end}",
        remedy=f"It has rows from {readable(manifest.start_us)} to {readable(manifest.end_us)}",
        series=str(manifest.key),
        start_us=manifest.start_us,
        end_us=manifest.end_us,
    )
