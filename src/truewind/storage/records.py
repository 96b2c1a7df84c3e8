"""Records: small tables about the data, in meta/{name}/, a Parquet file for each part that was ever written.

A part is written at once and replaces the one of its name; what has names of its own, such as runs, is only added to.
"""

import io
import re

import polars as pl

from truewind.errors import ConfigError, CorruptError
from truewind.storage.blobs import Blobs

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


def put(blobs: Blobs, name: str, part: str, table: pl.DataFrame) -> None:
    """Keep a part. Raises ConfigError for a name that no file can have, StorageError."""
    for text in (name, part):
        if not _NAME.fullmatch(text):
            raise ConfigError(f"{text!r} is no name of a record", remedy="Use letters, digits, _ . and -")
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="snappy")
    blobs.write(f"meta/{name}/{part}.parquet", buffer.getvalue())


def get(blobs: Blobs, name: str) -> pl.DataFrame:
    """All parts below each other, by their names; empty if there are none. Raises CorruptError."""
    entries = blobs.entries(f"meta/{name}")
    names = [f"meta/{name}/{entry.name}" for entry in entries if entry.name.endswith(".parquet")]
    tables = []
    for file, data in zip(names, blobs.read_many(names), strict=True):
        try:
            tables.append(pl.read_parquet(io.BytesIO(data or b""), hive_partitioning=False))
        except (pl.exceptions.PolarsError, OSError) as error:
            location = blobs.location(file)
            raise CorruptError(f"{location} cannot be read: {error}", remedy="Remove it", path=location) from None
    return pl.concat(tables, how="diagonal_relaxed") if tables else pl.DataFrame()
