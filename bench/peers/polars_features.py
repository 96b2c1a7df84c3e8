"""The same features as polars expressions. usage: polars_features.py BARS REPEATS"""

import json
import sys

import polars as pl

import workload as w


def works(table):
    frame = pl.DataFrame({name: table[name] for name in ("high", "low", "close")})
    high, low, close = pl.col("high"), pl.col("low"), pl.col("close")
    moved = close.diff()
    gain, size = moved.clip(0.0).ewm_mean(alpha=1 / 14, adjust=False), moved.abs().ewm_mean(alpha=1 / 14, adjust=False)
    before = close.shift(1)
    span = pl.max_horizontal(high, before) - pl.min_horizontal(low, before)
    line = close.ewm_mean(span=12, adjust=False) - close.ewm_mean(span=26, adjust=False)
    middle, deviation = close.rolling_mean(20), close.rolling_std(20, ddof=0)
    lowest, highest = low.rolling_min(14), high.rolling_max(14)
    fast = (100.0 * (close - lowest) / (highest - lowest)).rolling_mean(3)
    expressions = {
        "sma(20)": [close.rolling_mean(20)],
        "ema(20)": [close.ewm_mean(span=20, adjust=False)],
        "rsi(14)": [100.0 * gain / size],
        "atr(14)": [span.ewm_mean(alpha=1 / 14, adjust=False)],
        "macd(12, 26, 9)": [line, line.ewm_mean(span=9, adjust=False)],
        "bollinger(20, 2)": [middle - 2.0 * deviation, middle, middle + 2.0 * deviation],
        "stochastic(14, 3, 3)": [fast, fast.rolling_mean(3)],
        "highest(20)": [high.rolling_max(20)],
        "lowest(20)": [low.rolling_min(20)],
        "returns(1)": [close.pct_change(1)],
        "roc(10)": [100.0 * close.pct_change(10)],
    }

    def over(columns):
        return lambda: frame.select(column.alias(str(i)) for i, column in enumerate(columns))[-1, 0]

    return {name: over(columns) for name, columns in expressions.items()}


if __name__ == "__main__":
    n, repeats = int(sys.argv[1]), int(sys.argv[2])
    print(json.dumps(w.each(works(w.bars(n)), n, pl.__version__, repeats)))
