"""Sides of trades that were reported without an aggressor: the tick rule, which needs the trades only.

Higher than the trade before: bought; lower: sold; equal: as the one before. It begins anew each UTC day, so that sides
do not depend on where a download began. Source: Lee and Ready, "Inferring Trade Direction from Intraday Data" (1991).
"""

import polars as pl


def with_sides(table: pl.DataFrame, before: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Trades with sides by the tick rule, going on from the last trade before; and the last one now.

    The first of a day, and those at its price, have nothing to be compared with: they count as bought.
    """
    table = table.with_columns(pl.lit(None, pl.Int8).alias("side"))
    joined = table if before is None else pl.concat([before, table])
    day = pl.col("ts").dt.date()
    sign = pl.col("price").diff().over(day).sign().cast(pl.Int8)
    known = pl.when(pl.col("side").is_not_null()).then("side").when(sign != 0).then(sign)
    sides = joined.with_columns(known.forward_fill().over(day).fill_null(1).alias("side"))
    return (sides if before is None else sides.slice(1)), (sides.tail(1) if sides.height else None)
