"""One-second bars from trades by polars. usage: polars_trade_bars.py TRADES REPEATS"""

import sys

import polars as pl

import workload as w


def main(n: int, repeats: int) -> None:
    table = (
        pl.DataFrame(w.trades(n))
        .with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")), pl.col("side").cast(pl.Int8))
        .set_sorted("ts")
    )
    price, quantity = pl.col("price"), pl.col("quantity")
    bars = table.lazy().group_by_dynamic("ts", every="1s").agg(
        price.first().alias("open"),
        price.max().alias("high"),
        price.min().alias("low"),
        price.last().alias("close"),
        quantity.sum().alias("volume"),
        (price * quantity).sum().alias("quote_volume"),
        pl.len().cast(pl.Float64).alias("trades"),
        quantity.filter(pl.col("side") > 0).sum().alias("taker_buy_volume"),
    )  # fmt: skip
    w.tell_bars(n, pl.__version__, repeats, bars.collect)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
