"""One backtest of growing size. usage: ours_scaling.py event|compiled SYMBOLS BARS SLOW REPEATS

The EMA cross (lengths SLOW ÷ 3 and SLOW) on so many symbols of one account, so many bars each. The watch covers what a
backtest does before its results are written: reading the lake, features, timeline, the lane with risk gate and ledger,
and the journal.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

import workload as w
from ours_ema import FEES, INSTRUMENT
from truewind import Lake, __version__
from truewind.backtest.bar_run import BarJob
from truewind.backtest.run import load_config
from truewind.domain.order import Event
from truewind.storage.journal import JournalWriter
from truewind.storage.schema import SeriesKey


def fill(lake: Lake, symbols: int, bars: int) -> list[str]:
    """So many symbols with bars at the same times, each from another place of one long history; their names."""
    whole = w.bars(symbols * bars)
    names = [f"S{number:03d}USDT" for number in range(symbols)]
    for number, name in enumerate(names):
        part = {column: values[number * bars : (number + 1) * bars] for column, values in whole.items()}
        part["ts"] = whole["ts"][:bars]
        table = pl.DataFrame(part).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
        lake.write(SeriesKey("bars", INSTRUMENT.venue, name, "1m"), table)
        lake.put_instrument(msgspec.structs.replace(INSTRUMENT, symbol=name, base=name.removesuffix("USDT")))
    return names


def main(lane: str, symbols: int, bars: int, slow: int, repeats: int) -> None:
    logging.disable()
    with tempfile.TemporaryDirectory(prefix="truewind-bench-") as folder:
        lake = Lake(Path(folder) / "lake")
        names = fill(lake, symbols, bars)
        settings = load_config(
            {
                "name": "scaling",
                "lane": lane,
                "data": {"venue": INSTRUMENT.venue, "symbols": names, "timeframe": "1m"},
                "strategy": {"path": "averages:Cross", "params": {"fast": slow // 3, "slow": slow}},
                "account": {"cash": w.CASH * symbols, "leverage": 1.0},
                "sizing": {"method": "fixed", "value": 1.0},
                "costs": FEES,
                "risk": {"max_drawdown": 0.9, "cooldown_minutes": None},
            }
        )

        def run() -> tuple[float, BarJob]:
            path = Path(folder) / "journal.twj"
            path.unlink(missing_ok=True)  # one that is there is read and proved first
            start = time.perf_counter()
            job = BarJob(settings, lake)
            with JournalWriter(path) as journal:
                job.run(journal, lambda stage, done, total: None)
            return time.perf_counter() - start, job

        run()  # compiles what is not in the disk cache yet
        seconds, job, rss = w.measure(run, repeats)
    orders = int(np.count_nonzero(job.engine.events["event"] == Event.SUBMIT))
    w.tell(symbols * bars, __version__, seconds, rss_mb=rss, orders=orders, equity=float(job.engine.equity[-1]))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
