"""The work that every engine is given, and what a faithful engine must make of it. numpy only: peers' environments
import it.

Market: one-minute bars from numpy's default_rng(42). Prices have 2 decimals and volumes 6, so that engines with
fixed-precision numbers see exactly what engines with floats see. A bar opens at the close before it, so a fill at the
next open and a fill at the deciding close cost the same money, and final equities can be compared.

Strategy: always in the market with one unit, long while EMA(10) >= EMA(30) of the close, else short; both averages
start at the first close and are used from bar 30 on. Fee 0.1 % of the notional, no slippage.
"""

import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

SEED = 42
T0_US = 1_672_531_200_000_000  # 2023-01-01T00:00:00Z
MINUTE_US = 60_000_000
FAST, SLOW = 10, 30
CASH = 100_000_000.0  # more than five million bars of fees can eat
FEE = 0.001
# Shorter histories are the first bars of this many, so that 100,000 bars are the start of the million.
FULL = 1_000_000

Bars = dict[str, np.ndarray]


def bars(n: int) -> Bars:
    """`ts` (open, int64 µs UTC), `open high low close volume` (float64), each of length n."""
    total = max(n, FULL)
    rng = np.random.default_rng(SEED)
    # Draws are made for the whole, so that a short history is the start of a long one, and cut at once to save memory.
    close = np.round(30_000.0 * np.exp(np.cumsum(rng.normal(0.0, 5e-4, total))), 2)[:n].copy()
    above = np.abs(rng.normal(0.0, 2e-4, total))[:n].copy()
    below = np.abs(rng.normal(0.0, 2e-4, total))[:n].copy()
    volume = np.maximum(np.round(rng.lognormal(0.0, 1.0, total)[:n], 6), 0.001)
    opening = np.concatenate(([30_000.0], close[:-1]))
    return {
        "ts": T0_US + np.arange(n, dtype=np.int64) * MINUTE_US,
        "open": opening,
        "high": np.round(np.maximum(opening, close) * (1 + above), 2),
        "low": np.round(np.minimum(opening, close) * (1 - below), 2),
        "close": close,
        "volume": volume,
    }


def daily_returns(n: int) -> np.ndarray:
    """(n,) simple returns of days: 0.05 % ± 1 % (or 2 %, in every fourth hundred)."""
    rng = np.random.default_rng(SEED)
    return 0.0005 + 0.01 * np.where(np.arange(n) % 400 < 300, 1.0, 2.0) * rng.standard_normal(n)


def trades(n: int) -> Bars:
    """`ts` (int64 µs UTC, 50 ms apart on average), `price`, `quantity`, `side` (+1 the buyer was the aggressor)."""
    rng = np.random.default_rng(SEED)
    return {
        "ts": T0_US + np.cumsum(rng.exponential(50_000.0, n).astype(np.int64) + 1),
        "price": np.round(30_000.0 * np.exp(np.cumsum(rng.normal(0.0, 1e-5, n))), 2),
        "quantity": np.maximum(np.round(rng.lognormal(-3.0, 1.0, n), 6), 1e-6),
        "side": rng.integers(0, 2, n) * 2 - 1,
    }


class Outcome(NamedTuple):
    """What the strategy must have done: how often the signed target changed, what it held at the end and was worth."""

    changes: int
    position: int
    equity: float

    def met_by(self, answer: dict[str, Any]) -> bool:
        """Whether a runner did this very work: same changes of target, same position, same money to a millionth."""
        return (
            answer["changes"] == self.changes
            and answer["position"] == self.position
            and abs(answer["equity"] - self.equity) <= 1e-6 * abs(self.equity)
        )


def ema(values: Iterable[float], period: int) -> list[float]:
    """y ← a·x + (1 − a)·y with a = 2 / (period + 1), starting at the first value."""
    a = 2.0 / (period + 1.0)
    out: list[float] = []
    for x in values:
        out.append(a * x + (1.0 - a) * out[-1] if out else x)
    return out


def reference(table: Bars) -> Outcome:
    """The cross in plain Python, independent of any engine: decided at each close, filled at the next open.

    A change decided on the last bar has no bar to fill on, so it is not counted.
    """
    close, opening = table["close"].tolist(), table["open"].tolist()
    fast, slow = ema(close, FAST), ema(close, SLOW)
    position, changes, cash = 0, 0, CASH
    for i in range(SLOW - 1, len(close) - 1):
        target = 1 if fast[i] >= slow[i] else -1
        if target != position:
            traded, price = target - position, opening[i + 1]
            cash -= traded * price + FEE * abs(traded) * price
            position, changes = target, changes + 1
    return Outcome(changes, position, cash + position * close[-1])


def changes_of_target(traded: Iterable[float]) -> tuple[int, float]:
    """(signed target changes, final position) from signed fill quantities in order of time.

    A flip made of a close and an open, and one made by a single reversing order, both count once.
    """
    held, side, changes = 0.0, 0, 0
    for quantity in traded:
        held = round(held + quantity, 9)
        now = (held > 0) - (held < 0)
        if now and now != side:
            side, changes = now, changes + 1
    return changes, held


def peak_rss_mb() -> float:
    """Most memory this process has ever held, in MB, with its input data and libraries."""
    try:
        with open("/proc/self/status") as status:
            # Not ru_maxrss: Linux carries the parent's peak over into it when a process is started.
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024.0
    except (OSError, StopIteration):
        scale = 2**20 if sys.platform == "darwin" else 1024.0
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


MINUTES_A_YEAR = 365 * 1440


def returns(n: int) -> np.ndarray:
    """float64 (n,) returns of one-minute bars with thick tails."""
    return np.random.default_rng(7).standard_t(4, n) * 1e-4


def measure(run: Callable[[], tuple[float, Any]], repeats: int) -> tuple[list[float], Any, float]:
    """Call `run` → (seconds, result) `repeats` times: (all seconds, last result, peak MB after the first run).

    `run` times itself, so that only the engine is inside the watch. Memory is read after one
    run, as a user would see it.
    """
    seconds: list[float] = []
    result: Any = None
    rss = 0.0
    for i in range(repeats):
        result = None  # let the last run's objects go before the next one starts
        gc.collect()
        elapsed, result = run()
        seconds.append(elapsed)
        rss = rss if i else peak_rss_mb()
    return seconds, result, rss


def answer(n: int, version: str, seconds: list[float], **facts: Any) -> dict[str, Any]:
    """What a runner tells the harness. seconds: of each run over n items; per_s is n over their median."""
    return {"n": n, "version": version, "per_s": n / statistics.median(seconds), "seconds": seconds, **facts}


def tell(n: int, version: str, seconds: list[float], **facts: Any) -> None:
    """Print the answer as one JSON line."""
    print(json.dumps(answer(n, version, seconds, **facts)), flush=True)


def each(works: dict[str, Callable[[], float]], n: int, version: str, repeats: int) -> dict[str, dict[str, Any]]:
    """An answer for each of several small works, by name. A work goes over n items and returns its last value, `last`.

    Each is run once uncounted: what it compiles or loads on first use is not its speed.
    """
    answers = {}
    for name, work in works.items():
        work()

        def run(work: Callable[[], float] = work) -> tuple[float, float]:
            for _ in range(3):  # what was done since, the garbage collection among it, has emptied the caches
                work()
            start = time.perf_counter()
            last = work()
            return time.perf_counter() - start, last

        seconds, last, rss = measure(run, repeats)
        answers[name] = answer(n, version, seconds, rss_mb=rss, last=float(last))
    return answers


BAR_COLUMNS = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume")


def tell_bars(n: int, version: str, repeats: int, work: Callable[[], Any]) -> None:
    """Measure `work`, which makes a table of bars from n trades, and print the answer with what its columns add up to.

    It is run once uncounted.
    """
    work()

    def run() -> tuple[float, Any]:
        start = time.perf_counter()
        table = work()
        return time.perf_counter() - start, table

    seconds, table, rss = measure(run, repeats)
    sums = [float(len(table["ts"])), *(float(np.sum(np.asarray(table[name]))) for name in BAR_COLUMNS)]
    tell(n, version, seconds, rss_mb=rss, sums=sums)
