"""Scans and appends of the lake

A year of one-minute bars of each of 100 symbols; asked for is one day of all of them, all columns, as one table. A work
is everything from a fresh `Lake` to the rows: manifests, files, rows. Beside it the same files read as hive folders,
told the month: polars by a glob, pyarrow as a dataset. Then a month of ten million trades to which a recorder adds a
thousand at a time: a work is one append, durable on disk; the slowest of them, in which files were joined, counts too.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

import workload
from harness import Answer, Row, main, row

REPEATS = 9
DAY_US = 86_400_000_000
YEAR_MINUTES = 525_600


def days(quick: bool, home: Path) -> Row:
    """One day of many symbols."""
    import polars as pl
    import pyarrow.dataset as ds

    from truewind import Lake
    from truewind.storage.schema import SeriesKey

    symbols, minutes = (3, 50_000) if quick else (100, YEAR_MINUTES)
    table = pl.DataFrame(workload.bars(minutes)).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
    keys = [SeriesKey("bars", "synthetic", f"S{number:03}USDT", "1m") for number in range(symbols)]
    for key in keys:
        Lake(home).write(key, table)
    first = workload.T0_US + minutes // 2 // 1440 * DAY_US
    bounds = [datetime.fromtimestamp(us / 1e6, UTC) for us in (first, first + DAY_US)]
    month = f"{bounds[0]:%Y-%m}"

    def ours() -> int:
        return Lake(home).scan_many(keys, start_us=first, end_us=first + DAY_US).collect().height

    def by_polars() -> int:
        frame = pl.scan_parquet(home / "raw/**/*.parquet", hive_partitioning=True, try_parse_hive_dates=False)
        day = (pl.col("month") == month) & (pl.col("ts") >= bounds[0]) & (pl.col("ts") < bounds[1])
        return frame.filter(day).collect().height

    def by_pyarrow() -> int:
        found = ds.dataset(home / "raw", format="parquet", partitioning="hive", exclude_invalid_files=True)
        day = (ds.field("month") == month) & (ds.field("ts") >= bounds[0]) & (ds.field("ts") < bounds[1])
        return int(found.to_table(filter=day).num_rows)

    answers: dict[str, Answer] = {}
    for name, work in (("truewind", ours), ("polars", by_polars), ("pyarrow", by_pyarrow)):
        seconds = []
        for _ in range(2 if quick else REPEATS + 1):
            start = time.perf_counter()
            rows_found = work()
            seconds.append(time.perf_counter() - start)
        answers[name] = workload.answer(1, version(name), seconds[1:], rows=rows_found)
    wanted = symbols * 1440
    title = f"one day of {symbols} symbols out of {12 * minutes / YEAR_MINUTES:.2g} months of minutes"
    return row(title, "scans", answers.pop("truewind"), answers, same=lambda answer: answer["rows"] == wanted)


def appends(quick: bool, home: Path) -> Row:
    """Small writes at the end of a long month."""
    import polars as pl

    from truewind import Lake
    from truewind.storage.schema import SeriesKey

    stored, times = (20_000, 3) if quick else (10_000_000, 300)
    lake, key, rng = Lake(home), SeriesKey("trades", "synthetic", "BTCUSDT"), np.random.default_rng(workload.SEED)

    def trades(first: int, n: int) -> pl.DataFrame:
        ids = np.arange(first, first + n)
        price, quantity = np.round(rng.normal(30_000, 10, n), 2), np.round(rng.exponential(0.1, n), 3)
        table = pl.DataFrame({"ts": workload.T0_US + ids * 100_000, "price": price, "quantity": quantity, "id": ids})
        return table.with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")), side=pl.lit(1, pl.Int8))

    lake.write(key, trades(0, stored))
    seconds = []
    for number in range(times):
        rows_new = trades(stored + 1_000 * number, 1_000)
        start = time.perf_counter()
        lake.write(key, rows_new)
        seconds.append(time.perf_counter() - start)
    mean = workload.answer(1, version("truewind"), [float(np.mean(seconds))])
    return row(f"append of 1,000 trades to a month of {stored:,}", "appends", mean, {})


def rows(quick: bool) -> Iterator[Row]:
    for work in (days, appends):
        folder = Path(tempfile.mkdtemp(prefix="truewind-bench-"))
        try:
            yield work(quick, folder / "lake")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(rows, __doc__)
