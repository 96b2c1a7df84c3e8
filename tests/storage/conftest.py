"""Tables that the storage tests write."""

from collections.abc import Callable

import polars as pl
import pytest

UTC_US = pl.Datetime("us", "UTC")


def _bars(times_us: list[int], **columns: list[float | None]) -> pl.DataFrame:
    n = len(times_us)
    values = {"open": [10.0] * n, "high": [12.0] * n, "low": [9.0] * n, "close": [11.0] * n, "volume": [1.5] * n}
    types = {"ts": pl.Int64} | dict.fromkeys((values | columns), pl.Float64)
    return pl.DataFrame({"ts": times_us, **(values | columns)}, schema=types).with_columns(pl.col("ts").cast(UTC_US))


@pytest.fixture(scope="session")
def bars() -> Callable[..., pl.DataFrame]:
    """bars([ts_us, …], close=[…]) → a bars table with these opens."""
    return _bars
