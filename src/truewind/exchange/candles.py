"""Klines: tables of bars as the venue writes them, found by time, the unfinished one included."""

from functools import lru_cache
from typing import Literal

import numpy as np
import polars as pl

from truewind.domain.timeframe import DAY_US, timeframe_us
from truewind.storage.schema import TS

# What the venue calls its intervals; "1M" is a calendar month.
INTERVALS = ("1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M")
_CHUNK = 1000
_EVERY = {"1M": "1mo"}
SUMS = ("volume", "quote_volume", "trades", "taker_buy_volume")
Unit = Literal["ms", "us"]


def length_us(interval: str) -> int:
    """Of an interval; a month counts as 31 days (see `closes_us`)."""
    return 31 * DAY_US if interval == "1M" else timeframe_us(interval)


def opens_us(interval: str, ts_us: int) -> int:
    """When the bar of `interval` that holds a time opened."""
    moment = pl.Series([ts_us]).cast(pl.Datetime("us"))
    if interval in ("1w", "1M"):
        return int(moment.dt.truncate(_EVERY.get(interval, interval)).to_physical()[0])
    step = length_us(interval)
    return ts_us - ts_us % step


def closes_us(interval: str, open_us: int) -> int:
    """The first moment after the bar."""
    if interval == "1M":
        moment = pl.Series([open_us]).cast(pl.Datetime("us"))
        return int(moment.dt.offset_by("1mo").to_physical()[0])
    return open_us + length_us(interval)


def complete(bars: pl.DataFrame, tick: float, lot: float) -> pl.DataFrame:
    """`bars` with every column, `ts` as integer µs: what a source does not say is made up by a fixed rule.

    quote_volume: volume at the mean of the four prices; taker_buy_volume: half, in whole lots; trades: up to twelve.
    """
    typical = (pl.col("open") + pl.col("high") + pl.col("low") + pl.col("close")) / 4
    lots = (pl.col("volume") / lot).round()
    made = {
        "quote_volume": pl.col("volume") * typical,
        "trades": lots.clip(0, 12),
        "taker_buy_volume": (lots / 2).floor() * lot,
    }
    return bars.with_columns(pl.col("ts").to_physical()).select(
        "ts",
        "open",
        "high",
        "low",
        "close",
        "volume",
        *(
            pl.coalesce(name, rule).alias(name) if name in bars.columns else rule.alias(name)
            for name, rule in made.items()
        ),
    )


def longer(bars: pl.DataFrame, interval: str) -> pl.DataFrame:
    """Completed bars (ts as integers) as bars of a longer interval, from whatever a bucket has."""
    every = pl.col("ts").cast(pl.Datetime("us")).dt.truncate(_EVERY.get(interval, interval)).to_physical()
    return (
        bars.group_by(every.alias("bucket"), maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            *(pl.col(name).sum() for name in SUMS if name in bars.columns),
        )
        .rename({"bucket": "ts"})
    )


def of_trades(trades: pl.DataFrame, interval: str) -> pl.DataFrame:
    """Bars of trades (ts, price, quantity, side), completed."""
    bucket = pl.col("ts").dt.truncate(_EVERY.get(interval, interval)).alias("bucket")
    worth = pl.col("price") * pl.col("quantity")
    return (
        trades.group_by(bucket, maintain_order=True)
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.col("quantity").sum().alias("volume"),
            worth.sum().alias("quote_volume"),
            pl.len().cast(pl.Float64).alias("trades"),
            pl.col("quantity").filter(pl.col("side") > 0).sum().alias("taker_buy_volume"),
        )
        .rename({"bucket": "ts"})
        .with_columns(pl.col("ts").cast(TS).to_physical())
    )


class Klines:
    """One series of completed bars, ready to be answered. decimals: of prices, quantities, and their products.

    Bars of prices alone (mark, index, premium) have no volume; the venue writes zeros there and 60 for the count.
    """

    def __init__(self, bars: pl.DataFrame, interval: str, decimals: tuple[int, int, int]) -> None:
        self.bars = bars
        self.interval = interval
        self.ts = bars["ts"].to_numpy()
        self.decimals = decimals
        self.chunk = lru_cache(maxsize=8)(self._chunk)

    def between(self, first_us: int, last_us: int) -> tuple[int, int]:
        """Rows whose bars open within [first, last], as a half-open range."""
        return int(np.searchsorted(self.ts, first_us)), int(np.searchsorted(self.ts, last_us, side="right"))

    def rows(self, start: int, stop: int, unit: Unit) -> list[str]:
        """Rows as JSON arrays."""
        found: list[str] = []
        for chunk in range(start // _CHUNK, -(-stop // _CHUNK)):
            base = chunk * _CHUNK
            found += self.chunk(chunk, unit)[max(0, start - base) : max(0, stop - base)]
        return found

    def _chunk(self, number: int, unit: Unit) -> list[str]:
        return written(self.bars[number * _CHUNK : (number + 1) * _CHUNK], self.interval, self.decimals, unit)


def written(bars: pl.DataFrame, interval: str, decimals: tuple[int, int, int], unit: Unit = "ms") -> list[str]:
    """Completed bars as the venue's arrays of JSON."""
    scale = 1000 if unit == "ms" else 1
    if interval == "1M":
        ends = pl.col("ts").cast(pl.Datetime("us")).dt.offset_by("1mo").to_physical()
    else:
        ends = pl.col("ts") + length_us(interval)
    prices = [text(name, decimals[0]) for name in ("open", "high", "low", "close")]
    head = (pl.col("ts") // scale, *prices)
    close = ends // scale - 1
    if "volume" not in bars.columns:
        shape = '[{},"{}","{}","{}","{}","0",{},"0",60,"0","0","0"]'
        return bars.select(pl.format(shape, *head, close)).to_series().to_list()
    bought = taker_quote().alias("taker_quote")
    bars = bars.with_columns(bought)
    shape = '[{},"{}","{}","{}","{}","{}",{},"{}",{},"{}","{}","0"]'
    line = pl.format(
        shape,
        *head,
        text("volume", decimals[1]),
        close,
        text("quote_volume", decimals[2]),
        pl.col("trades").round().cast(pl.Int64),
        text("taker_buy_volume", decimals[1]),
        text("taker_quote", decimals[2]),
    )
    return bars.select(line).to_series().to_list()


def taker_quote() -> pl.Expr:
    """What takers bought, in quote: the lake does not keep it, so it is their share of the whole."""
    share = pl.col("taker_buy_volume") / pl.col("volume")
    return pl.when(pl.col("volume") > 0).then(pl.col("quote_volume") * share).otherwise(0.0)


def text(name: str, decimals: int) -> pl.Expr:
    """A column of numbers as texts with so many decimals."""
    return pl.col(name).cast(pl.Decimal(38, decimals)).cast(pl.String)
