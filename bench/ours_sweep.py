"""A sweep of EMA pairs in truewind. usage: ours_sweep.py BARS FASTS SLOWS REPEATS

The watch covers the whole call: reading the lake, features, trials on all cores, writing the results and the picture,
and recording every trial in the ledger of trials.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

import workload as w
from ours_ema import FEES, INSTRUMENT
from truewind import Lake, __version__
from truewind.research.sweeps import Sweep, sweep
from truewind.storage.schema import SeriesKey


def main(n: int, fasts: list[int], slows: list[int], repeats: int) -> None:
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="truewind-bench-") as folder:
        lake = Lake(Path(folder) / "lake")
        bars = pl.DataFrame(w.bars(n)).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
        lake.write(SeriesKey("bars", INSTRUMENT.venue, INSTRUMENT.symbol, "1m"), bars)
        lake.put_instrument(INSTRUMENT)
        config = {
            "name": "EMA pairs",
            "data": {"venue": INSTRUMENT.venue, "symbols": [INSTRUMENT.symbol], "timeframe": "1m"},
            "strategy": {"path": "averages:Cross"},
            "account": {"cash": w.CASH, "leverage": 1.0},
            "sizing": {"method": "fixed", "value": 1.0},
            "costs": FEES,
            "risk": {"max_drawdown": 0.9, "cooldown_minutes": None},  # the peer turns as often as the averages cross
        }
        runs = iter(range(1_000))

        def run(pairs: tuple[list[int], list[int]] = (fasts, slows)) -> tuple[float, Sweep]:
            grid = {"strategy.params.fast": pairs[0], "strategy.params.slow": pairs[1]}
            out = Path(folder) / f"sweep{next(runs)}"
            start = time.perf_counter()
            done = sweep(config, grid, lake=lake, out=out, database=Path(folder) / "trials.db")
            return time.perf_counter() - start, done

        run(([10], [30, 31]))  # compiles what is not in the disk cache yet
        seconds, done, rss = w.measure(run, repeats)
    table = done.table
    work = n * len(fasts) * len(slows)
    w.tell(
        work, __version__, seconds, rss_mb=rss, orders=int(table["orders"].sum()), equity=table["final_equity"].mean()
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), *(list(range(*map(int, text.split(":")))) for text in sys.argv[2:4]), int(sys.argv[4]))
