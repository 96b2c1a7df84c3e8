"""Monte Carlo of a finished run: its days in other orders, its trades in another order, its trades at other times."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

from truewind.analytics.daily import Daily
from truewind.numerics import bootstrap
from truewind.numerics.bootstrap import Paths
from truewind.numerics.entries import random_entries
from truewind.numerics.performance import NAN, Floats, Ints

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
RUIN = 0.5  # of the money that was there at first
_SEED = 20_260_101  # any number: equal runs must give equal reports
_WORK = 3_000_000  # days or trades drawn in all: as many paths as these allow
_MOST, _LEAST = 5_000, 500
_POINTS = 100  # of a fan


class Resampled(NamedTuple):
    """Stationary block bootstrap of the daily returns. block: mean days of a block. fan: (quantiles × points) worths
    of a start of 1 at `steps` days. limit: drawdown whose chance is asked for besides the run's own.
    """

    paths: Paths
    block: float
    fan: Floats
    growth: float
    depth: float
    sharpe: float


class Shuffled(NamedTuple):
    """The closed trades in other orders: drawdowns at closed trades of each order, and that of the order that was."""

    depths: Floats
    depth: float
    trades: int


class RandomEntries(NamedTuple):
    """The trades at random times. own: what they brought before costs, summed, as a fraction of equity; drawn: what
    each draw brought. p: share of draws that did at least as well. reason: why there is none.
    """

    own: float
    drawn: Floats
    p: float
    trades: int
    reason: str = ""


def resampled(own: Daily) -> Resampled | None:
    """None for fewer than 20 days, or days that do not vary: there is nothing to draw from.

    Blocks are as long as the returns or their squares ask for, whichever is longer: drawdowns hang on wild days coming
    together, which the returns themselves hardly show.
    """
    returns = own.returns
    if len(returns) < 20 or not float(np.std(returns)) > 1e-14:
        return None
    block = max(bootstrap.block_length(returns).stationary, bootstrap.block_length(returns**2).stationary)
    paths = bootstrap.paths(returns, _count(len(returns)), block=block, seed=_SEED, points=_POINTS)
    worth = np.cumprod(1.0 + returns)
    peaks = np.maximum.accumulate(np.concatenate(([1.0], worth)))[1:]
    ratio = float(np.mean(returns)) / float(np.std(returns, ddof=1))
    return Resampled(
        paths, block, bootstrap.bands(paths.curves, QUANTILES), float(worth[-1]) - 1.0,
        float(np.max(1.0 - worth / peaks)), ratio,
    )  # fmt: skip


def shuffled(returns: Floats) -> Shuffled | None:
    """Of trades' results as fractions of the equity before them. None for fewer than ten."""
    if len(returns) < 10:
        return None
    paths = bootstrap.shuffles(returns, _count(len(returns)), seed=_SEED)
    worth = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    depth = float(np.max(1.0 - worth / np.maximum.accumulate(worth)))
    return Shuffled(paths.depth, depth, len(returns))


def trade_returns(trades: pl.DataFrame, equity: pl.DataFrame) -> Floats:
    """(closed trades,) net result over the equity when each was opened, by the time at which they were closed."""
    closed = _with_equity(trades.filter(~pl.col("open")), equity)
    found: Floats = closed.sort("closed")["net_pnl"].to_numpy() / closed.sort("closed")["before"].to_numpy()
    return found[np.isfinite(found)]


def at_random_times(trades: pl.DataFrame, equity: pl.DataFrame, candles: Mapping[str, pl.DataFrame]) -> RandomEntries:
    """Were the entries better than any? The closed trades keep side, size and holding time, and begin at random.

    Both sides are without fees, slippage and funding. Small p: the times were well chosen, or luck of that size.
    """
    closed = _with_equity(trades.filter(~pl.col("open")), equity)
    if len(closed) < 10:
        return _untested(f"{len(closed)} closed trades are too few to test their times")
    own, drawn, tested = 0.0, np.zeros(_count(len(closed))), 0
    for number, (symbol, part) in enumerate(sorted(closed.group_by("symbol"), key=lambda group: str(group[0][0]))):
        bars = candles.get(str(symbol[0]))
        if bars is None or len(bars) < 2:
            return _untested(f"there are no candles of {symbol[0]}")
        ts = bars["ts"].dt.epoch("us").to_numpy()
        opened, ended = (_at(ts, part[name]) for name in ("opened", "closed"))
        lasted = (part["closed"] - part["opened"]).dt.total_microseconds().to_numpy()
        if float(np.median(lasted)) < float(np.median(np.diff(ts))):
            return _untested(f"most trades of {symbol[0]} are shorter than the candles that the run kept")
        weights = part["side"].to_numpy() * _notional(part) / part["before"].to_numpy()
        brought = (part["gross_pnl"] + part["slippage"]).to_numpy() / part["before"].to_numpy()
        known = np.isfinite(weights) & np.isfinite(brought)
        own += float(brought[known].sum())
        tested += int(known.sum())
        holding = np.maximum(ended - opened, 1)[known]
        drawn += random_entries(bars["close"].to_numpy(), holding, weights[known], len(drawn), seed=_SEED + number)
    if not np.isfinite(drawn).all():
        return _untested("a candle has no price")
    return RandomEntries(own, drawn, (1.0 + float((drawn >= own).sum())) / (len(drawn) + 1.0), tested)


def _untested(reason: str) -> RandomEntries:
    return RandomEntries(NAN, np.zeros(0), NAN, 0, reason)


def _count(length: int) -> int:
    """How many paths of that length."""
    return min(max(_WORK // max(length, 1), _LEAST), _MOST)


def _at(ts: Ints, moments: pl.Series) -> Ints:
    found: Ints = np.maximum(np.searchsorted(ts, moments.dt.epoch("us").to_numpy(), side="right") - 1, 0)
    return found


def _notional(part: pl.DataFrame) -> Floats:
    """What was put into each trade: its result over its return, where that says it, else quantity × price."""
    told = np.abs(part["net_pnl"].to_numpy() / part["return"].to_numpy())
    plain = (part["quantity"] * part["entry"]).to_numpy()
    known = np.isfinite(told)
    unit = float(np.median(told[known] / plain[known])) if known.any() else 1.0
    found: Floats = np.where(known, told, plain * unit)
    return found


def _with_equity(trades: pl.DataFrame, equity: pl.DataFrame) -> pl.DataFrame:
    """`trades` with `before`: the equity when each was opened."""
    known = equity.select(opened="ts", before="equity").sort("opened")
    return trades.sort("opened").join_asof(known, on="opened", strategy="backward").filter(pl.col("before") > 0)
