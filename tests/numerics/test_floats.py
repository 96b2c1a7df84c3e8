"""Columns as floats."""

import numpy as np
import polars as pl
import pytest

from truewind.numerics.floats import floats


@pytest.mark.parametrize("kind", [pl.Float64, pl.Float32, pl.Int64, pl.UInt8, pl.Decimal(10, 2), pl.Boolean])
def test_a_column_of_any_numbers_is_float64_and_a_null_is_nan(kind):
    """Whatever a table keeps numbers as, a kernel gets float64; what is missing is NaN, never 0."""
    found = floats(pl.Series([1, None, 0], dtype=pl.Int64).cast(kind))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [1.0, np.nan, 0.0])


def test_a_column_without_values_is_all_missing():
    """A column of nulls that nobody has typed is as long as it was, and NaN."""
    np.testing.assert_array_equal(floats(pl.Series([None, None])), [np.nan, np.nan])
