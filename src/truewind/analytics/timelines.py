"""Timelines: what the page's script draws of long times: curves, and candles with entries and exits, thinned."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from truewind.analytics import figures, plots
from truewind.analytics.document import Candles, Lines
from truewind.numerics.floats import floats
from truewind.numerics.performance import Floats, Ints

# However many curves and symbols there are, the page stays below 3 MB: what is drawn of each is a share of the whole.
VALUES_IN_ALL, MAX_VALUES = 60_000, 12_000  # of all curves, and of those of one time axis
MAX_POINTS = 4_000  # of a curve
CANDLES_IN_ALL, MAX_CANDLES = 25_000, 5_000  # of all symbols, and of one
MARKED_IN_ALL, MAX_MARKED = 5_000, 1_000  # trades marked on the candles of all symbols, and of one


def curves(blocks: Sequence[Lines], names: Sequence[str], most: int = MAX_VALUES) -> dict[str, Any]:
    """Curves over common times (`ts_us` of them all), thinned together, so that their charts move together.

    names: of the elements that they are drawn in. most: values of all of them together. Times are in seconds: the
    first, then steps.
    """
    columns = [np.asarray(one.values, np.float64) for block in blocks for one in block.series]
    ts = np.asarray(blocks[0].ts_us, np.int64)
    kept = plots.keep_extremes(columns, min(MAX_POINTS, most // max(1, len(columns))))
    kept = kept[np.append(np.diff(ts[kept] // 1_000_000) > 0, True)]  # charts count in seconds: of one the last row
    values = iter(columns)
    return {
        "time": _steps(ts[kept] // 1_000_000),
        "charts": [
            {
                "id": name,
                "kind": block.kind,
                "under": block.under,
                "series": [
                    {"name": one.name, "role": one.role, "values": rounded(next(values)[kept])} for one in block.series
                ],
            }
            for name, block in zip(names, blocks, strict=True)
        ],
    }


def candles(block: Candles) -> dict[str, Any]:
    """By symbol the columns of its candles, and its trades as [candle of entry, of exit or None, side, won]."""
    drawn = drawn_symbols(block)
    limit = min(MAX_CANDLES, CANDLES_IN_ALL // max(1, len(drawn)))
    marked = max_marked(drawn)
    result = {}
    for symbol in drawn:
        table = plots.thin_candles(block.candles[symbol], limit)
        opens = table["ts"].dt.epoch("s").to_numpy()
        prices = {name: rounded(floats(table[name]), 8) for name in ("open", "high", "low", "close")}
        decimals = len(figures.price(float(floats(table["close"])[-1])).partition(".")[2])
        result[symbol] = {
            "time": _steps(opens),
            **prices,
            "decimals": decimals,
            "marks": _marks(block.trades.filter(pl.col("symbol") == symbol).tail(marked), opens * 1_000_000),
        }
    return result


def drawn_symbols(block: Candles) -> list[str]:
    """Of very many symbols the first ones, so that each candle can be told from the next."""
    found = [symbol for symbol, table in block.candles.items() if not table.is_empty()]
    return found[: CANDLES_IN_ALL // 500]


def max_marked(drawn: Sequence[str]) -> int:
    """Trades that are marked on the candles of each symbol, the latest."""
    return min(MAX_MARKED, MARKED_IN_ALL // max(1, len(drawn)))


def crowded(trades: pl.DataFrame, drawn: Sequence[str]) -> list[str]:
    """Symbols with more trades than are marked."""
    counts: Mapping[str, int] = dict(trades.group_by("symbol").len().iter_rows())
    return [symbol for symbol in drawn if counts.get(symbol, 0) > max_marked(drawn)]


def _marks(mine: pl.DataFrame, opens: Ints) -> list[list[Any]]:
    """A fill stamped at the end of a bar happened inside it, so it is shown on the candle that ends there."""

    def candle(moments: pl.Series) -> list[int | None]:
        return [
            None if moment is None else max(0, int(np.searchsorted(opens, moment)) - 1)
            for moment in moments.dt.epoch("us").to_list()
        ]

    return [
        [entry, exit_, side, int(net > 0)]
        for entry, exit_, side, net in zip(
            candle(mine["opened"]), candle(mine["closed"]), mine["side"], mine["net_pnl"], strict=True
        )
    ]


def rounded(values: Floats, digits: int = 7) -> list[float | None]:
    """Significant digits that a picture can show; None for what is not a number."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values.tolist()]


def _steps(seconds: Ints) -> list[int]:
    steps: list[int] = np.diff(seconds, prepend=0).tolist()
    return steps
