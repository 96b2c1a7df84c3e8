"""Content hash: what a table says, whatever file or library version says it.

SHA-256, first 32 hex digits, over per column, in stored order: the line "name type rows\\n"; one byte 0 if no value is
null, else 1 and the bitmap of values that are there (least significant bit first); then the values, little-endian,
nulls as 0. Types: f8 (−0 as 0), i8, i1, us (int64 microseconds since 1970, UTC).
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl

from truewind.storage.schema import TS

_TYPES: dict[pl.DataType, tuple[str, str]] = {
    pl.Float64(): ("f8", "<f8"),
    pl.Int64(): ("i8", "<i8"),
    pl.Int8(): ("i1", "<i1"),
    TS: ("us", "<i8"),
}
_DIGITS = 32


def content_hash(table: pl.DataFrame) -> str:
    """The content hash of a table in stored form."""
    digest = hashlib.sha256()
    for column in table:
        name, layout = _TYPES[column.dtype]
        digest.update(f"{column.name} {name} {len(column)}\n".encode())
        values = column.to_physical()
        if column.null_count():
            there = column.is_not_null().to_numpy()
            digest.update(b"\x01" + np.packbits(there, bitorder="little").tobytes())
            values = values.fill_null(0)
        else:
            digest.update(b"\x00")
        array = values.to_numpy()
        if name == "f8":
            array = array + 0.0  # -0.0 + 0.0 is 0.0
        digest.update(np.ascontiguousarray(array, dtype=layout).data)
    return digest.hexdigest()[:_DIGITS]


def hash_of_hashes(named: Iterable[tuple[str, str]]) -> str:
    """The hash of (name, hash) pairs in the order given, one "name hash\\n" line each."""
    digest = hashlib.sha256()
    for name, value in named:
        digest.update(f"{name} {value}\n".encode())
    return digest.hexdigest()[:_DIGITS]
