"""One-second bars from trades in truewind. usage: ours_trade_bars.py TRADES REPEATS"""

import sys

import polars as pl

import workload as w
from truewind import __version__
from truewind.features import bars_from_trades


def main(n: int, repeats: int) -> None:
    table = pl.DataFrame(w.trades(n)).with_columns(
        pl.col("ts").cast(pl.Datetime("us", "UTC")), pl.col("side").cast(pl.Int8)
    )
    w.tell_bars(n, __version__, repeats, lambda: bars_from_trades(table, every="1s", until_us=2**62))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
