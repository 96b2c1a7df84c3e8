"""Lake

One series of a million one-minute bars in a temporary lake, files in the page cache. Reading takes two of the six
columns, as a backtest or a feature does; writing stores all six. Beside it, the libraries that the lake is built on,
without what the lake adds: polars with one plain Parquet file, pyarrow with a hive-partitioned dataset by month. The
lake reads by its manifest; it writes month by month to a temporary name, checks schema and order, and records rows,
span, gaps and a content hash.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import workload
from harness import Answer, Row, main, row, size_name

COLUMNS = ["ts", "close"]
REPEATS = 9


def timed(release: str, n: int, repeats: int, work: Callable[[], object], before: Callable[[], object]) -> Answer:
    """An answer for a work done in this process; `before` is not timed, and neither is the first run."""
    seconds = []
    for _ in range(repeats + 1):
        before()
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return workload.answer(n, release, seconds[1:])


def rows(quick: bool) -> Iterator[Row]:
    import polars as pl
    import pyarrow as pa
    import pyarrow.dataset as ds

    from truewind import Lake
    from truewind.storage.schema import SeriesKey

    n, repeats = (2_000, 1) if quick else (1_000_000, REPEATS)
    table = pl.DataFrame(workload.bars(n)).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
    key = SeriesKey(kind="bars", venue="synthetic", symbol="BTCUSDT", timeframe="1m")
    folder = Path(tempfile.mkdtemp(prefix="truewind-bench-"))
    lake_home, file, hive = folder / "lake", folder / "bars.parquet", folder / "hive"
    months = table.with_columns(pl.col("ts").dt.strftime("%Y-%m").alias("month")).to_arrow()
    partitioning = ds.partitioning(pa.schema([("month", pa.string())]), flavor="hive")

    def empty() -> None:
        for path in (lake_home, hive):
            shutil.rmtree(path, ignore_errors=True)
        file.unlink(missing_ok=True)

    def nothing() -> None:
        pass

    def ours_write() -> object:
        return Lake(lake_home).write(key, table)

    def polars_write() -> None:
        table.write_parquet(file, compression="snappy")

    def pyarrow_write() -> None:
        ds.write_dataset(months, hive, format="parquet", partitioning=partitioning)

    def ours_read() -> object:
        return Lake(lake_home).read(key, columns=COLUMNS)

    def polars_read() -> object:
        return pl.scan_parquet(file).select(COLUMNS).collect()

    def pyarrow_read() -> object:
        return ds.dataset(hive, format="parquet", partitioning=partitioning).to_table(columns=COLUMNS)

    def works(before: Callable[[], object], *three: Callable[[], object]) -> tuple[Answer, dict[str, Answer]]:
        names = ("truewind", "polars", "pyarrow")
        ours, *peers = (timed(version(name), n, repeats, work, before) for name, work in zip(names, three, strict=True))
        return ours, dict(zip(names[1:], peers, strict=True))

    try:
        written = works(empty, ours_write, polars_write, pyarrow_write)
        empty()
        for store in (ours_write, polars_write, pyarrow_write):
            store()
        read = works(nothing, ours_read, polars_read, pyarrow_read)
        ours_read_rows = len(ours_read())
        if ours_read_rows != n:
            sys.exit(f"the lake gave {ours_read_rows} rows of {n}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    yield row(f"lake read, 2 columns of {size_name(n)} bars", "rows", *read)
    yield row(f"lake write, {size_name(n)} bars", "rows", *written)


if __name__ == "__main__":
    main(rows, __doc__)
