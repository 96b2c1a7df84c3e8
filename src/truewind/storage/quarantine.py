"""Quarantine: refused rows, kept as they came, each with the reason and the source, so that none is lost silently."""

import hashlib
import io

import polars as pl

from truewind.errors import CorruptError, SchemaError
from truewind.storage.blobs import Blobs
from truewind.storage.schema import SeriesKey

_NUMBER, _NEW = "__number", "__new"


def put(blobs: Blobs, key: SeriesKey, rows: pl.DataFrame) -> int:
    """Keep `rows`; returns how many were not yet there, so that a second import of one file adds nothing.

    Any columns will do, `reason` and `source` must be among them. Raises SchemaError, StorageError, LockedError.
    """
    for name in ("reason", "source"):
        if name not in rows.columns:
            raise SchemaError(f"Quarantined rows of {key} lack the column '{name}'", remedy="Say why and whence")
    if rows.is_empty():
        return 0
    folder = _folder(key)
    with blobs.lock(folder):
        blobs.sweep(folder)
        fresh = _not_in(get(blobs, key), rows)
        if not fresh.is_empty():
            buffer = io.BytesIO()
            fresh.write_parquet(buffer, compression="snappy")
            data = buffer.getvalue()
            blobs.write(f"{folder}/{hashlib.sha256(data).hexdigest()[:32]}.parquet", data)
        return fresh.height


def get(blobs: Blobs, key: SeriesKey) -> pl.DataFrame:
    """All quarantined rows of a series; columns that sources disagree on become text. Raises CorruptError."""
    names = [f"{_folder(key)}/{entry.name}" for entry in blobs.entries(_folder(key)) if entry.name.endswith(".parquet")]
    tables = []
    for name, data in zip(names, blobs.read_many(names), strict=True):
        try:
            tables.append(pl.read_parquet(io.BytesIO(data or b""), hive_partitioning=False))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise CorruptError(
                f"{blobs.location(name)} cannot be read: {error}", remedy="Remove the file and import its source again"
            ) from None
    return _stacked(tables) if tables else pl.DataFrame(schema={"reason": pl.String, "source": pl.String})


def _folder(key: SeriesKey) -> str:
    return f"quarantine/{key.path}"


def _stacked(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """`tables` below each other; a column that has several types is turned into text in all of them."""
    types: dict[str, set[pl.DataType]] = {}
    for table in tables:
        for name, dtype in table.schema.items():
            types.setdefault(name, set()).add(dtype)
    mixed = {name for name, found in types.items() if len(found) > 1}
    return pl.concat(
        [table.with_columns(pl.col(*(mixed & set(table.columns))).cast(pl.String)) for table in tables]
        if mixed
        else tables,
        how="diagonal",
    )


def _not_in(stored: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The `rows` that are not in `stored`; a row that comes n times counts n times."""
    both = _stacked([stored, rows])
    names = both.columns
    flag = pl.int_range(pl.len()) >= stored.height
    numbered = both.with_columns(flag.alias(_NEW)).with_columns(
        pl.int_range(pl.len()).over(*names, _NEW).alias(_NUMBER)
    )
    first = numbered.with_row_index("__row").unique([*names, _NUMBER], keep="first", maintain_order=True)
    at = first.filter(_NEW)["__row"] - stored.height
    return rows[at]
