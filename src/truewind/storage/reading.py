"""Reading: a manifest and a range of time become a lazy table; what is wrong with its files becomes an error."""

import io
from collections.abc import Iterable, Sequence

import polars as pl

from truewind.errors import ConfigError, CorruptError, EmptyRangeError, SchemaError, StorageError, suggest
from truewind.storage.blobs import Blobs
from truewind.storage.manifest import Manifest, Partition
from truewind.storage.schema import TS, SeriesKey, readable

_PATH = "__path"
_REFUSALS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


def scan(
    blobs: Blobs, manifest: Manifest, start_us: int | None, end_us: int | None, columns: Sequence[str] | None
) -> pl.LazyFrame:
    """See `Lake.scan`."""
    return _scan(blobs, [manifest], start_us, end_us, columns)[0]


def scan_many(
    blobs: Blobs,
    manifests: Sequence[Manifest],
    start_us: int | None,
    end_us: int | None,
    columns: Sequence[str] | None,
) -> pl.LazyFrame:
    """See `Lake.scan_many`. One scan of all files: a scan for each symbol costs several times as much."""
    first = manifests[0].key
    for key in (manifest.key for manifest in manifests):
        if (key.layer, key.kind, key.venue, key.timeframe) != (first.layer, first.kind, first.venue, first.timeframe):
            raise ConfigError(f"{key} and {first} differ by more than the symbol", remedy="Scan them one by one")
    frame, symbols = _scan(blobs, manifests, start_us, end_us, columns, _PATH)
    symbol = pl.col(_PATH).replace_strict(symbols, return_dtype=pl.String).alias("symbol")
    return frame.select(symbol, pl.exclude(_PATH))


def _scan(
    blobs: Blobs,
    manifests: Sequence[Manifest],
    start_us: int | None,
    end_us: int | None,
    columns: Sequence[str] | None,
    path_column: str | None = None,
) -> tuple[pl.LazyFrame, dict[str, str]]:
    """Rows of all the series below each other, and the symbol of each file; path_column: where a row says its file."""
    key = manifests[0].key
    if start_us is not None and end_us is not None and end_us <= start_us:
        raise ConfigError(
            f"The end {readable(end_us)} is not after the start {readable(start_us)}", remedy="Swap or widen them"
        )
    found = dict.fromkeys(name for manifest in manifests for name in manifest.columns)
    types = key.about.holding(found).columns
    present = [name for name in types if name in found]
    for name in columns or ():
        if name not in present:
            raise SchemaError(f"{key} has no column '{name}'", remedy=suggest(name, present), column=name)
    chosen = [(manifest, part) for manifest in manifests for part in manifest.between(start_us, end_us)]
    if not chosen:
        raise nothing_there(manifests[0], start_us, end_us)
    if not blobs.whole:
        for manifest, part in chosen:
            check_sizes(blobs, manifest, [part])
    symbols = {blobs.location(f"{manifest.key.path}/{part.file}"): manifest.key.symbol for manifest, part in chosen}
    frame = pl.scan_parquet(
        list(symbols),
        schema={name: types[name] for name in present},
        missing_columns="insert",
        hive_partitioning=False,
        glob=False,
        include_file_paths=path_column,
        **blobs.scan_options,
    )
    if start_us is not None and start_us > min(part.start_us for _, part in chosen):
        frame = frame.filter(pl.col("ts") >= pl.lit(start_us, TS))
    if end_us is not None and end_us <= max(part.end_us for _, part in chosen):
        frame = frame.filter(pl.col("ts") < pl.lit(end_us, TS))
    if columns is None:
        return frame, symbols
    return frame.select(*columns, *([path_column] if path_column else [])), symbols


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
