"""Columns of tables as arrays of floats."""

import polars as pl

from truewind.numerics.performance import Floats


def floats(column: pl.Series) -> Floats:
    """A column of numbers as float64, nulls as NaN."""
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
