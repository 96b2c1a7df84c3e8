"""What a reader of a tool's files hands on: rows of one series, as `validate` wants them."""

import msgspec
import polars as pl

from truewind.storage.schema import SeriesKey


class Part(msgspec.Struct, frozen=True):
    """rows: the series' columns and `__row__`, in file order. format: as reports call it. assumed: in words."""

    key: SeriesKey
    rows: pl.DataFrame
    format: str
    assumed: tuple[str, ...] = ()
