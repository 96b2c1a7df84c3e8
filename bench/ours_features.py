"""Features in truewind. usage: ours_features.py batch|stream BARS REPEATS"""

import json
import sys
from collections import deque
from collections.abc import Callable

import workload as w
from truewind import __version__, features
from truewind.domain.market import Bar

BATCH = (
    "sma(20)",
    "ema(20)",
    "rsi(14)",
    "atr(14)",
    "macd(12, 26, 9)",
    "bollinger(20, 2)",
    "stochastic(14, 3, 3)",
    "adx(14)",
    "highest(20)",
    "lowest(20)",
    "returns(1)",
    "roc(10)",
)
STREAM = ("sma(20)", "ema(20)", "rsi(14)", "atr(14)")
ALL = "all four"


def batch(table: w.Bars) -> dict[str, Callable[[], float]]:
    """Arrays in, arrays out: what TA-Lib's functions do, from a fresh state each time."""

    def over(spec: str) -> Callable[[], float]:
        return lambda: next(iter(features.columns([spec], table).values()))[-1]

    return {spec: over(spec) for spec in BATCH}


def stream(table: w.Bars) -> dict[str, Callable[[], float]]:
    """One `update` a bar; the bars are made before."""
    names = ("open", "high", "low", "close", "volume")
    rows = zip(table["ts"].tolist(), *(table[name].tolist() for name in names), strict=True)
    bars = [Bar("BTCUSDT", ts, ts + w.MINUTE_US, ts + w.MINUTE_US, *values) for ts, *values in rows]

    def over(*specs: str) -> Callable[[], float]:
        return lambda: deque(map(features.stream(specs).update, bars), maxlen=1)[0][-1]

    hundred = [f"{name}({length})" for length in range(5, 30) for name in ("sma", "ema", "rsi", "atr")]

    def as_array() -> float:
        return deque(map(features.stream(hundred).vector, bars), maxlen=1)[0][-1]

    rows_of_many = {"a row of 100 states": over(*hundred), "a row of 100 states as an array": as_array}
    return {**{spec: over(spec) for spec in STREAM}, ALL: over(*STREAM), **rows_of_many}


if __name__ == "__main__":
    mode, n, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    works = {"batch": batch, "stream": stream}[mode](w.bars(n))
    print(json.dumps(w.each(works, n, __version__, repeats)))
