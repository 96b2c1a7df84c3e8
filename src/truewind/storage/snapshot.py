"""Snapshot: which data a result was made from, as one short id that is the same wherever the same data lies."""

from collections.abc import Iterable

import msgspec

from truewind.storage.content import hash_of_hashes
from truewind.storage.manifest import Manifest, missing_steps
from truewind.storage.schema import SeriesKey


class SeriesInfo(msgspec.Struct, frozen=True):
    """One series as it stands now.

    start_us, end_us: ts of the first and the last row, both inclusive. gaps: number of missing ranges between them;
    missing: how many rows these lack. content_hash: None while a month of it is in several files, which a snapshot
    joins. bytes: size on disk. columns: those that have any value.
    """

    key: SeriesKey
    rows: int
    start_us: int
    end_us: int
    gaps: int
    missing: int
    content_hash: str | None
    bytes: int
    columns: tuple[str, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """Several series at one moment. id: hash of the content hashes of the series and their names."""

    id: str
    series: tuple[SeriesInfo, ...]


def series_info(manifest: Manifest) -> SeriesInfo:
    gaps, step = list(manifest.gaps()), manifest.key.step_us
    return SeriesInfo(
        key=manifest.key,
        rows=manifest.rows,
        start_us=manifest.start_us,
        end_us=manifest.end_us,
        gaps=len(gaps),
        missing=sum(missing_steps(gap, step) for gap in gaps),
        content_hash=None if manifest.scattered else manifest.content_hash,
        bytes=sum(partition.bytes for partition in manifest.partitions),
        columns=tuple(manifest.columns),
    )


def snapshot_of(series: Iterable[SeriesInfo]) -> Snapshot:
    """The snapshot of `series`, all of them with a content hash, whatever order they come in."""
    ordered = tuple(sorted(series, key=lambda info: info.key.path))
    return Snapshot(hash_of_hashes((info.key.path, info.content_hash or "") for info in ordered), ordered)
