"""Manifest: what a series consists of, in one small file that changes all at once.

Partition files are named by their content and never change. A reader takes one manifest and sees one state, whatever
is written meanwhile. For series with a timeframe it tells the steps between first and last row that are missing, as
half-open ranges [from, to) of µs; why they are, the gap ledger tells.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import msgspec
import numpy as np
import polars as pl

from truewind.errors import ConfigError, CorruptError
from truewind.storage.content import hash_of_hashes
from truewind.storage.schema import SeriesKey, row_key

NAME = "_manifest.json"  # other readers of hive folders pass over names that begin with _
VERSION = 2  # since months may have several files; manifests without such a month are still written as version 1


class Partition(msgspec.Struct, frozen=True):
    """One month of a series, or a part of one: one file.

    start_us, end_us: first and last ts, both inclusive. gaps: those between its rows.
    """

    month: str
    rows: int
    start_us: int
    end_us: int
    bytes: int
    content_hash: str
    columns: tuple[str, ...]
    gaps: tuple[tuple[int, int], ...] = ()

    @property
    def file(self) -> str:
        """The partition's file, relative to its series. Parquet writers differ: one content, several lengths."""
        return f"month={self.month}/{self.content_hash}-{self.bytes}.parquet"


class Manifest(msgspec.Struct, frozen=True):
    """All partitions of a series, in time order; none of them begins before the one before has ended.

    serial: how often it was replaced, so that no two states of a series have the same bytes.
    """

    key: SeriesKey
    partitions: Annotated[tuple[Partition, ...], msgspec.Meta(min_length=1)] = ()
    version: int = 1
    serial: int = 0

    @property
    def rows(self) -> int:
        return sum(partition.rows for partition in self.partitions)

    @property
    def start_us(self) -> int:
        return self.partitions[0].start_us

    @property
    def end_us(self) -> int:
        return self.partitions[-1].end_us

    @property
    def columns(self) -> list[str]:
        """Columns that any partition has, in stored order."""
        present = dict.fromkeys(name for columns in {p.columns: 0 for p in self.partitions} for name in columns)
        return [name for name in self.key.about.holding(present).columns if name in present]

    @property
    def row_key(self) -> tuple[str, ...]:
        return row_key(self.key.about, self.columns)

    @property
    def scattered(self) -> list[str]:
        """The months that are several files. While there are any, the series has no content hash."""
        counts = Counter(partition.month for partition in self.partitions)
        return [month for month, count in counts.items() if count > 1]

    @property
    def content_hash(self) -> str:
        return hash_of_hashes((partition.month, partition.content_hash) for partition in self.partitions)

    @property
    def files(self) -> frozenset[str]:
        return frozenset(partition.file for partition in self.partitions)

    def month(self, month: str) -> tuple[Partition, ...]:
        """The files of a month, in time order."""
        return tuple(partition for partition in self.partitions if partition.month == month)

    def between(self, start_us: int | None, end_us: int | None) -> list[Partition]:
        """Partitions that may hold rows of [start_us, end_us)."""
        return [
            partition
            for partition in self.partitions
            if (start_us is None or partition.end_us >= start_us) and (end_us is None or partition.start_us < end_us)
        ]

    def gaps(self) -> Iterator[tuple[int, int]]:
        """Missing ranges in time order, those across the edges of partitions too."""
        step, last = self.key.step_us, None
        for partition in self.partitions:
            if step and last is not None and partition.start_us - last > step:
                yield last + step, partition.start_us
            yield from partition.gaps
            last = partition.end_us

    def replacing(self, months: Mapping[str, Sequence[Partition]]) -> "Manifest":
        """The state after this one: the given months consist of the given files."""
        staying = [partition for partition in self.partitions if partition.month not in months]
        changed = [partition for files in months.values() for partition in files]
        now = tuple(sorted(staying + changed, key=lambda partition: partition.start_us))
        after = Manifest(self.key, now, VERSION, self.serial + 1)
        return after if after.scattered else msgspec.structs.replace(after, version=1)


def missing_steps(gap: tuple[int, int], step_us: int) -> int:
    """How many rows a gap lacks; a last step that is cut short counts."""
    return -((gap[0] - gap[1]) // step_us)


def gaps_within(ts: pl.Series, step_us: int) -> tuple[tuple[int, int], ...]:
    """Gaps between sorted times, at most `step_us` apart where there is none."""
    times = ts.to_physical().to_numpy()
    at = np.flatnonzero(np.diff(times) > step_us)
    return tuple(zip((times[at] + step_us).tolist(), times[at + 1].tolist(), strict=True))


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.encode(manifest)


def decode(data: bytes, key: SeriesKey, location: str) -> Manifest:
    """The manifest of `key` in `data`. Raises CorruptError if it is none, or of another series or version."""
    remedy = "Remove the folder it lies in and import the series again"
    try:
        manifest = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, ConfigError) as error:
        if (version := _version(data)) > VERSION:
            raise _newer(version, location) from None
        raise CorruptError(f"{location} is no manifest: {error}", remedy=remedy, path=location) from None
    if manifest.version > VERSION:
        raise _newer(manifest.version, location)
    if manifest.key != key:  # a folder was renamed, or the file system does not tell capitals apart
        raise CorruptError(f"{location} is the manifest of {manifest.key}, not of {key}", remedy=remedy, path=location)
    return manifest


def _newer(version: int, location: str) -> CorruptError:
    return CorruptError(
        f"{location} has version {version}, this truewind reads up to {VERSION}",
        remedy="Use the truewind that wrote it",
        path=location,
    )


class _Version(msgspec.Struct):
    version: int


def _version(data: bytes) -> int:
    """The version that bytes which are no manifest of ours say to have; 0 if none."""
    try:
        return msgspec.json.decode(data, type=_Version).version
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0


_DECODER = msgspec.json.Decoder(Manifest)
