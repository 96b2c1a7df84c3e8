"""Building features

`truewind features build`: 150 features of one-minute bars from the lake, into the lake, month by month; inside the
watch are reading, computing, writing Parquet, hashing and the saved state. Rows are counted per ten features and core,
so that the figure does not hang on how many features there are. Memory is the peak of the whole process. The second row
appends a day to what is there: it goes on from the saved state.
"""

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import workload as w
from harness import Answer, Row, main, row, run, size_name

SYMBOLS, BARS, FEATURES, DAY = 2, 1_000_000, 150, 1_440
KINDS = ("sma", "ema", "rsi", "atr", "roc", "returns", "highest", "lowest", "williams_r", "momentum")


def rows(quick: bool) -> Iterator[Row]:
    symbols, n = (1, 3_000) if quick else (SYMBOLS, BARS)
    answers = run(sys.executable, "feature_build.py", "measure", symbols, n)
    work = f"{FEATURES} features, {symbols} × {size_name(n)} bars"
    yield row(f"{work}, rows × 10 features a core", "rows", answers["build"], {})
    yield row(f"{work}, a day more", "rows", answers["append"], {})


def measure(symbols: int, n: int) -> dict[str, Answer]:
    """Build all but the last day, then append it. One time each: a build is long enough to be its own mean."""
    import polars as pl

    from truewind import Lake, __version__
    from truewind.research.build import build
    from truewind.storage.schema import SeriesKey

    folder = Path(tempfile.mkdtemp(prefix="truewind-bench-"))
    try:
        lake = Lake(folder)
        table = pl.DataFrame(w.bars(n)).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
        names = [f"S{i}" for i in range(symbols)]
        keys = [SeriesKey("bars", "synthetic", name, "1m") for name in names]
        recipe = {
            "name": "bench",
            "data": {"venue": "synthetic", "symbols": names, "timeframe": "1m"},
            "features": [f"{kind}({5 + 3 * i})" for i in range(FEATURES // len(KINDS)) for kind in KINDS],
        }
        cores = min(os.cpu_count() or 1, symbols)
        for key in keys:
            lake.write(key, table[:DAY])
        build(recipe, lake=lake, workers=cores)  # uncounted: what it compiles on first use is not its speed
        found = {}
        for name, part in (("build", table[:-DAY]), ("append", table)):
            for key in keys:
                lake.write(key, part)
            start = time.perf_counter()
            done = build(recipe, lake=lake, workers=cores, anew=name == "build")
            seconds = time.perf_counter() - start
            found[name] = w.answer(int(done.rows * FEATURES / 10 / cores), __version__, [seconds])
            found[name]["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return found
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]), int(sys.argv[3]))))
    else:
        main(rows, __doc__)
