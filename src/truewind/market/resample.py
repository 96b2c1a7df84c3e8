"""Resampling: longer bars from shorter ones.

A bar's open is the first, its close the last, high and low the extremes, volumes and counts the sums; buckets lie on
the UTC grid, weeks from Monday. No bar is made for a bucket without data, and none that may not be over: see below.
"""

import polars as pl

from truewind.domain.clock import iso
from truewind.domain.timeframe import origin_us, timeframe_us
from truewind.errors import ConfigError, ValidationError

_SUMS = ("volume", "quote_volume", "trades", "taker_buy_volume")


def resample(bars: pl.DataFrame, source: str, target: str, *, counts: bool = False) -> pl.DataFrame:
    """`bars` of timeframe `source` (sorted by ts) as bars of `target`.

    The first bucket is left out if the data begin inside it, the last if they end inside it: such a bar would look
    like a finished one. A bucket that lacks source bars in its middle is kept, as a venue prints it when nothing was
    traded; with `counts` a column `bars` says of how many source bars each was made. A sum is null if a part of it is.

    Raises ConfigError if `target` is no whole multiple of `source`, ValidationError if rows are not sorted or lie off
    the source's grid.
    """
    step, length = timeframe_us(source), timeframe_us(target)
    if length % step:
        raise ConfigError(
            f"{target} bars cannot be made of {source} bars",
            remedy="Take a target that is a whole multiple of the source",
        )
    stamps = bars["ts"].to_physical()
    wrong = (stamps.diff() <= 0).fill_null(False) | ((stamps - origin_us(step)) % step != 0)
    if wrong.any():
        when = iso(stamps.filter(wrong)[0])
        raise ValidationError(
            f"Bars are unsorted, repeated or off the {source} grid at {when}",
            remedy="Run `truewind data check`",
            ts=when,
        )
    result = (
        bars.with_columns(_bucket(length).alias("bucket"))
        .group_by("bucket", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            *(_sum(name) for name in _SUMS if name in bars.columns),
            pl.len().cast(pl.Int64).alias("bars"),
            pl.col("ts").first().alias("first"),
            pl.col("ts").last().alias("last"),
        )
        .rename({"bucket": "ts"})
    )
    position, ends = pl.int_range(pl.len()), pl.col("last").to_physical() + step
    begins_inside = (position == 0) & (pl.col("first") > pl.col("ts"))
    ends_inside = (position == pl.len() - 1) & (ends < pl.col("ts").to_physical() + length)
    kept = result.filter(~begins_inside & ~ends_inside)
    return kept.drop("first", "last") if counts else kept.drop("first", "last", "bars")


def _bucket(length_us: int) -> pl.Expr:
    """The open of the bucket that `ts` lies in."""
    ts = pl.col("ts").to_physical() - origin_us(length_us)
    return (ts - ts % length_us + origin_us(length_us)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _sum(name: str) -> pl.Expr:
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum()).alias(name)
