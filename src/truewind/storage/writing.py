"""Writing: rows become files of months, and a manifest that names them; all of it under the lock of the series.

A month is one file, or several in order of time while it grows: rows that come after what is stored get a file of their
own, which is joined with the ones before once these are not much longer, so that each row is written a few times and
not at every append. Which rows share a file is no part of what a series says: `joined` makes one of them.
"""

import io
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import polars as pl

from truewind.errors import SchemaError, StorageError
from truewind.storage import manifest as manifests
from truewind.storage import reading
from truewind.storage.blobs import Blobs
from truewind.storage.content import content_hash
from truewind.storage.manifest import Manifest, Partition, gaps_within
from truewind.storage.merge import merge
from truewind.storage.schema import SeriesKey, row_key

APART_ROWS = 1_000_000  # shorter files are joined with what follows: writing them again costs less than another file
_GROUP_ROWS = (10_080, 131_072)  # a week of minutes: days can be cut out, and full reads hardly notice the groups
_GROUPS = 15

_Piece = Partition | pl.DataFrame  # of a month: a file that stays, or rows that will be one


class Written(msgspec.Struct, frozen=True):
    """What a write did, in rows: new ones, identical ones that were there, changed ones that took the place of others.

    With mode="overwrite" the rows of the months concerned are `added` and those that stood there `replaced`.
    partitions: how many months changed.
    """

    added: int = 0
    duplicates: int = 0
    replaced: int = 0
    partitions: int = 0


def write_months(blobs: Blobs, stored: Manifest, table: pl.DataFrame, mode: str) -> Written:
    """Put a table in stored form into the series, as `Lake.write` says."""
    months = list(_by_month(table))
    _require_same_key(stored, table, {month for month, _ in months} if mode == "overwrite" else set())
    changed: dict[str, tuple[Partition, ...]] = {}
    counts = np.zeros(3, np.int64)  # added, duplicates, replaced
    files = _Files(blobs, stored)
    try:
        for month, rows in months:
            old = stored.month(month)
            if mode == "overwrite":
                counts += (rows.height, 0, sum(part.rows for part in old))
                changed[month] = (files.put(month, rows),)
                continue
            done, pieces = _appended(blobs, stored, old, rows)
            counts += done
            if pieces is not None:
                changed[month] = tuple(files.put(month, p) if isinstance(p, pl.DataFrame) else p for p in pieces)
        if changed:
            swap(blobs, stored, stored.replacing(changed))
    except BaseException:  # also a keyboard interrupt: give the space back, unless the swap was already done
        files.forget()
        raise
    added, duplicates, replaced = counts.tolist()
    return Written(added, duplicates, replaced, len(changed))


class Joined(msgspec.Struct, frozen=True):
    """The files of one month as one: `parts` became `whole`, whose bytes nobody has written yet."""

    parts: tuple[Partition, ...]
    whole: Partition
    data: bytes


def joined(blobs: Blobs, stored: Manifest, month: str) -> Joined:
    """A month as one file. This takes a while and needs no lock: it only reads."""
    parts = stored.month(month)
    return Joined(parts, *_encoded(stored.key, month, reading.rows_of(blobs, stored.key, parts)))


def put_joined(blobs: Blobs, stored: Manifest, work: Joined) -> None:
    """Put the joined file in place of those it was made of, if `stored` still has these."""
    month, now = work.whole.month, stored.month(work.whole.month)
    if now[: len(work.parts)] == work.parts:
        blobs.write(f"{stored.key.path}/{work.whole.file}", work.data)
        swap(blobs, stored, stored.replacing({month: (work.whole, *now[len(work.parts) :])}))


def swap(blobs: Blobs, stored: Manifest, now: Manifest) -> None:
    """Make `now` the state that readers see; the grace of the files that only `stored` has begins."""
    for file in stored.files - now.files:
        blobs.retire(f"{stored.key.path}/{file}")
    blobs.write(f"{now.key.path}/{manifests.NAME}", manifests.encode(now))


def tidy(blobs: Blobs, key: SeriesKey, stored: Manifest | None, grace_s: float) -> tuple[int, Manifest | None]:
    """Remove temporaries, and files that are not in `stored` and older than the grace: how many, and what is stored.

    If there are any, the manifest is written anew before: a writer who lost his lock unnoticed and whose files they are
    can then no longer put his in its place.
    """
    blobs.sweep(key.path)
    needed = stored.files if stored else frozenset()
    old = [file for file, age in blobs.below(key.path).items() if "/" in file and age >= grace_s and file not in needed]
    if old and stored:
        stored = stored.replacing({})
        blobs.write(f"{key.path}/{manifests.NAME}", manifests.encode(stored))
    for file in old:
        blobs.remove(f"{key.path}/{file}")
    return len(old), stored


class _Files:
    """The files that one write has made so far."""

    def __init__(self, blobs: Blobs, stored: Manifest) -> None:
        self._blobs, self._stored = blobs, stored
        self._made: list[Partition] = []

    def put(self, month: str, rows: pl.DataFrame) -> Partition:
        key = self._stored.key
        partition, data = _encoded(key, month, rows)
        self._made.append(partition)
        self._blobs.write(f"{key.path}/{partition.file}", data)
        return partition

    def forget(self) -> None:
        """Remove those that no manifest names; what cannot be reached now goes with a later write."""
        key = self._stored.key
        name = f"{key.path}/{manifests.NAME}"
        try:
            data = self._blobs.read(name)
            current = manifests.decode(data, key, name).files if data else frozenset()
            for partition in self._made:
                if partition.file not in current:
                    self._blobs.remove(f"{key.path}/{partition.file}")
        except StorageError:
            pass


def _appended(
    blobs: Blobs, stored: Manifest, parts: Sequence[Partition], rows: pl.DataFrame
) -> tuple[tuple[int, int, int], list[_Piece] | None]:
    """A month with new rows: (added, duplicates, replaced), and its pieces in order, None if nothing changes."""
    first, last = rows["ts"].to_physical()[0], rows["ts"].to_physical()[-1]
    at = sum(part.end_us < first for part in parts)
    until = len(parts) - sum(part.start_us > last for part in parts)
    counts = (rows.height, 0, 0)
    if until > at:
        before = reading.rows_of(blobs, stored.key, parts[at:until])
        merged = merge(stored.key.about.holding([*before.columns, *rows.columns]), before, rows)
        counts, rows = (merged.added, merged.duplicates, merged.replaced), merged.table
        if not merged.added and not merged.replaced:
            return counts, None
    return counts, _few(blobs, stored, [*parts[:at], rows, *parts[until:]])


def _few(blobs: Blobs, stored: Manifest, pieces: Sequence[_Piece]) -> list[_Piece]:
    """Neighbours joined until each piece is long, and at least twice as long as the next."""
    groups: list[list[_Piece]] = []
    for piece in pieces:
        groups.append([piece])
        while len(groups) > 1 and _length(groups[-2]) < max(APART_ROWS, 2 * _length(groups[-1])):
            last = groups.pop()
            groups[-1] += last
    return [group[0] if len(group) == 1 else _together(blobs, stored, group) for group in groups]


def _length(group: Sequence[_Piece]) -> int:
    return sum(piece.height if isinstance(piece, pl.DataFrame) else piece.rows for piece in group)


def _together(blobs: Blobs, stored: Manifest, group: Sequence[_Piece]) -> pl.DataFrame:
    tables = [
        piece if isinstance(piece, pl.DataFrame) else reading.rows_of(blobs, stored.key, [piece]) for piece in group
    ]
    present = dict.fromkeys(name for table in tables for name in table.columns)
    names = stored.key.about.holding(present).columns
    return pl.concat(tables, how="diagonal").select(name for name in names if name in present).rechunk()


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
    shortest, longest = _GROUP_ROWS
    rows.write_parquet(buffer, compression="snappy", row_group_size=min(max(rows.height // _GROUPS, shortest), longest))
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
