"""Generated bars, and files in the layouts that venues publish."""

import io
import zipfile

import numpy as np
import polars as pl

MINUTE_US = 60_000_000
START_US = 1_704_067_200_000_000  # 2024-01-01
KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)


def make_bars(rows: int = 100, *, step_us: int = MINUTE_US, start_us: int = START_US, seed: int = 0) -> pl.DataFrame:
    """Bars with two decimals in prices and three in volumes, all columns of the lake."""
    rng = np.random.default_rng(seed)
    close = np.round(1000 + rng.normal(0, 1, rows).cumsum(), 2)
    open_ = np.concatenate([[1000.0], close[:-1]])
    high = np.round(np.maximum(open_, close) + rng.integers(0, 50, rows) / 100, 2)
    low = np.round(np.minimum(open_, close) - rng.integers(0, 50, rows) / 100, 2)
    volume = rng.integers(1, 100_000, rows) / 1000
    return pl.DataFrame(
        {
            "ts": np.arange(rows) * step_us + start_us,
            "open": open_,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
            "quote_volume": np.round(volume * close, 5),
            "trades": rng.integers(1, 500, rows).astype(float),
            "taker_buy_volume": np.minimum(volume, rng.integers(0, 1000, rows) / 1000),
        }
    ).with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))


def as_klines(bars: pl.DataFrame, *, unit: str = "ms", header: bool = False, step_us: int = MINUTE_US) -> str:
    """`bars` as Binance's public archive writes them: 12 columns, stamps in ms or µs, with or without header."""
    scale = {"ms": 1000, "us": 1}[unit]
    lines = [KLINE_HEADER] if header else []
    for ts, o, h, low, c, v, q, n, tb in bars.with_columns(pl.col("ts").to_physical()).rows():
        close_time = (ts + step_us) // scale - 1
        prices = ",".join(f"{price:.8f}" for price in (o, h, low, c, v))
        lines.append(f"{ts // scale},{prices},{close_time},{q:.8f},{int(n)},{tb:.8f},{tb * c:.8f},0")
    return "\n".join(lines) + "\n"


def zipped(**files: str | bytes) -> bytes:
    """A zip with the given members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()
