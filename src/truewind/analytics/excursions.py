"""Excursions: how far prices went against a trade and for it while it was open (MAE and MFE).

Sweeney, J. (1996), Maximum Adverse Excursion: Analyzing Price Fluctuations for Trading Management.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from truewind.numerics.jit import kernel
from truewind.numerics.performance import Floats, Ints

COLUMNS = ("mae", "mfe", "mae_money", "mfe_money")
_AT_OPEN, _INSIDE, _THROUGH = 0, 1, 2  # when in its last bar a trade ended: never means held through it


class Bars(NamedTuple):
    """Of one symbol: rows: their numbers in the run's timeline, rising; known: when each ends, µs; prices."""

    rows: Ints
    known: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats


def with_excursions(
    trades: pl.DataFrame,
    bars: Mapping[str, Bars],
    multipliers: Mapping[str, float] | None = None,
    inverse: Collection[str] = (),
    splits: Mapping[str, Collection[int]] | None = None,
) -> pl.DataFrame:
    """`trades` (as `round_trips` returns them, with `first_bar` and `last_bar`, which are dropped) with `COLUMNS`.

    mae, mfe: how far the worst and the best price lay from the average entry, as fractions of it, both ≥ 0; mae_money,
    mfe_money: what that was worth on the largest quantity, before costs (over `risk` they are in R). A trade that was
    entered in parts has them as if all had been held all the time. Null without bars, and where a split lies between.

    Of a bar that was held from its opening to its end its high and low count. A fill stamped before the end of its bar
    happened at the opening; of one stamped at the end nobody knows when in the bar it happened: then only what was
    certainly seen counts, the close after an entry, the opening before an exit, and the prices traded. So neither holds
    a price from before the entry or after the exit, and both may be too small by what one bar hides.
    """
    found = {name: np.full(len(trades), math.nan) for name in COLUMNS}
    for symbol, own in bars.items():
        at = np.flatnonzero((trades["symbol"] == symbol).to_numpy())
        if not len(at) or not len(own.rows):
            continue
        mine = trades[at]
        low, high = _reached(mine, own)
        entry, exit_, side = (mine[name].cast(pl.Float64).to_numpy() for name in ("entry", "exit", "side"))
        low, high = np.minimum(np.minimum(low, entry), exit_), np.maximum(np.maximum(high, entry), exit_)
        worst, best = np.where(side > 0, low, high), np.where(side > 0, high, low)
        size = mine["quantity"].to_numpy() * (multipliers or {}).get(symbol, 1.0)
        turned = symbol in inverse
        for name, price in (("mae", worst), ("mfe", best)):
            found[name][at] = np.abs(price / entry - 1.0)
            found[f"{name}_money"][at] = size * np.abs(1.0 / price - 1.0 / entry if turned else price - entry)
        broken = at[_spans_one_of(mine, (splits or {}).get(symbol, ()))]
        for name in COLUMNS:
            found[name][broken] = math.nan
    return trades.drop("first_bar", "last_bar").with_columns(
        pl.Series(name, values).fill_nan(None) for name, values in found.items()
    )


def _reached(trades: pl.DataFrame, bars: Bars) -> tuple[Floats, Floats]:
    """Lowest and highest price of each trade's bars that were certainly seen; ±inf where there is none."""
    first = np.searchsorted(bars.rows, trades["first_bar"].to_numpy())
    is_open = trades["open"].to_numpy()
    last = np.where(is_open, len(bars.rows) - 1, np.searchsorted(bars.rows, trades["last_bar"].to_numpy()))
    opened, closed = (trades[name].dt.epoch("us").fill_null(0).to_numpy() for name in ("opened", "closed"))
    from_open = opened < bars.known[first]
    until = np.where(is_open, _THROUGH, np.where(closed < bars.known[last], _AT_OPEN, _INSIDE))
    low, high = np.full(len(trades), np.inf), np.full(len(trades), -np.inf)
    reach(bars.open, bars.high, bars.low, bars.close, first, last, from_open, until, low, high)
    return low, high


def _spans_one_of(trades: pl.DataFrame, moments: Collection[int]) -> np.ndarray:
    """Whether each trade was open at one of `moments` (µs)."""
    hit = np.zeros(len(trades), bool)
    opened = trades["opened"].dt.epoch("us").to_numpy()
    closed = trades["closed"].dt.epoch("us").fill_null(np.iinfo(np.int64).max).to_numpy()
    for moment in moments:
        hit |= (opened < moment) & (moment <= closed)
    return hit


@kernel
def reach(
    opens: Any,
    highs: Any,
    lows: Any,
    closes: Any,
    first: Any,
    last: Any,
    from_open: Any,
    until: Any,
    low: Any,
    high: Any,
) -> None:
    """Fill `low` and `high` of each trade from its bars `first` … `last`; see `with_excursions`."""
    for trade in range(len(first)):
        least, most = low[trade], high[trade]
        for i in range(first[trade], last[trade] + 1):
            begun = i > first[trade] or from_open[trade]
            ended = i == last[trade] and until[trade] != _THROUGH
            if begun and not ended:
                least, most = min(least, lows[i]), max(most, highs[i])
            elif begun:
                least, most = min(least, opens[i]), max(most, opens[i])
            elif not ended:
                least, most = min(least, closes[i]), max(most, closes[i])
        low[trade], high[trade] = least, most
