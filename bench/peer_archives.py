"""Other ways to the rows of archive zips, in this environment.

usage: python peer_archives.py polars|pandas KIND CORES FILE… (cores 0: all)

polars: reads the unpacked text, all columns, as fast as it can; nothing is checked, nothing is kept. pandas: what
scripts for the archive do: unzip, read_csv, drop what comes twice, write Parquet.
"""

import io
import os
import resource
import sys
import tempfile
import time
import zipfile

import workload


def by_polars(kind: str, files: list[str]) -> tuple[int, float, str]:
    import polars as pl

    texts = [unpacked(path) for path in files]
    pl.read_csv(texts[0])
    begin = time.perf_counter()
    rows = sum(pl.read_csv(text).height for text in texts)
    return rows, time.perf_counter() - begin, pl.__version__


def by_pandas(kind: str, files: list[str]) -> tuple[int, float, str]:
    import pandas as pd

    moment, number = {"bars": ("open_time", "open_time"), "trades": ("transact_time", "agg_trade_id")}[kind]
    rows = 0
    with tempfile.TemporaryDirectory(prefix="truewind-bench-") as folder:
        begin = time.perf_counter()
        for path in files:
            table = pd.read_csv(io.BytesIO(unpacked(path))).drop_duplicates(number)
            table[moment] = pd.to_datetime(table[moment], unit="ms", utc=True)
            table.to_parquet(f"{folder}/{os.path.basename(path)}")
            rows += len(table)
        seconds = time.perf_counter() - begin
    return rows, seconds, pd.__version__


def unpacked(path: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def main(name: str, kind: str, cores: int, files: list[str]) -> None:
    if cores:  # before polars is loaded, which asks how many there are
        os.sched_setaffinity(0, range(cores))
        os.environ["POLARS_MAX_THREADS"] = str(cores)
    rows, seconds, version = {"polars": by_polars, "pandas": by_pandas}[name](kind, files)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    workload.tell(rows, version, [seconds], rss_mb=peak)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
