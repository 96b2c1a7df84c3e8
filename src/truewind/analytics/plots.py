"""Plots: what a report draws, reduced to the numbers that are drawn. No markup here; templates and script draw."""

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist

import msgspec
import numpy as np
import polars as pl

from truewind.numerics import performance
from truewind.numerics.performance import Floats, Ints


def keep_extremes(columns: Sequence[Floats], limit: int) -> Ints:
    """Row numbers, ascending, of at most `limit` rows that keep the look of each column; all if they are few enough.

    The rows are cut into stretches of one length, and from each the rows are kept where a column is lowest or highest,
    and others evenly spaced until every stretch gives as many: charts that space points evenly then show time evenly.
    The first and last row are kept. NaN never counts as an extreme.
    """
    rows, each = len(columns[0]), 2 * len(columns)
    if rows <= limit:
        return np.arange(rows)
    edges = np.linspace(0, rows, max(1, (limit - 2) // each) + 1).astype(np.int64)
    lows = [np.where(np.isnan(column), np.inf, column) for column in columns]
    highs = [np.where(np.isnan(column), -np.inf, column) for column in columns]
    kept = {0, rows - 1}
    for start, end in itertools.pairwise(edges.tolist()):
        part = {start + int(low[start:end].argmin()) for low in lows}
        part |= {start + int(high[start:end].argmax()) for high in highs}
        for i in range(each):
            if len(part) >= each:
                break
            part.add(start + i * (end - 1 - start) // (each - 1))
        kept |= part
    return np.array(sorted(kept), np.int64)


class Year(msgspec.Struct, frozen=True):
    """A calendar year of monthly returns: twelve fractions, None in months without a day, and the year's total."""

    year: int
    months: list[float | None]
    total: float | None


def monthly_returns(ts_us: Ints, equity: Floats, initial: float) -> list[Year]:
    """Returns by UTC month and year; the first month is measured from `initial`. Oldest year first."""
    days, closes = performance.day_closes(ts_us, equity)
    if not len(days):
        return []
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)  # since 1970-01
    years = months // 12 + 1970
    by_month = _returns_by(months, closes, initial)
    by_year = _returns_by(years, closes, initial)
    return [
        Year(int(year), [by_month.get((int(year) - 1970) * 12 + month) for month in range(12)], by_year[int(year)])
        for year in np.unique(years)
    ]


def _returns_by(periods: Ints, closes: Floats, initial: float) -> dict[int, float | None]:
    last = np.append(np.flatnonzero(np.diff(periods)), len(periods) - 1)
    returns = performance.simple_returns(closes[last], initial)
    return {
        int(period): None if math.isnan(value) else float(value)
        for period, value in zip(periods[last], returns, strict=True)
    }


class Histogram(msgspec.Struct, frozen=True):
    """Counts of daily returns in equal bins around 0, and the normal curve of the same mean and deviation.

    edges: one more than counts; the outer bins also hold everything beyond (`beyond` returns lie there).
    curve: expected count a bin at each of the points `curve_at`, empty if the returns do not vary.
    unchanged: days with a return of exactly 0, which are left out (a strategy that is mostly flat has little else).
    """

    edges: list[float]
    counts: list[int]
    curve_at: list[float]
    curve: list[float]
    mean: float
    unchanged: int
    beyond: int


def histogram(returns: Floats, bins: int = 40) -> Histogram | None:
    """The histogram of `returns` that moved at all; None if fewer than two did. `bins` is even: 0 is an edge."""
    returns = returns[np.isfinite(returns)]
    moved = returns[returns != 0.0]
    if len(moved) < 2:
        return None
    reach = float(np.quantile(np.abs(moved), 0.995))
    edges = np.linspace(-reach, reach, bins + 1)
    counts, _ = np.histogram(np.clip(moved, -reach, reach), edges)
    mean, deviation = float(np.mean(moved)), float(np.std(moved, ddof=1))
    curve_at = np.linspace(-reach, reach, 121) if deviation > 0 else np.empty(0)
    scale = len(moved) * 2 * reach / bins
    return Histogram(
        edges=edges.tolist(),
        counts=counts.tolist(),
        curve_at=curve_at.tolist(),
        curve=[scale * NormalDist(mean, deviation).pdf(x) for x in curve_at],
        mean=mean,
        unchanged=len(returns) - len(moved),
        beyond=int((np.abs(moved) > reach).sum()),
    )


def thin_candles(candles: pl.DataFrame, limit: int) -> pl.DataFrame:
    """`candles` (ts, open, high, low, close) merged in equal groups of neighbours until at most `limit` are left."""
    if len(candles) <= limit:
        return candles.select("ts", "open", "high", "low", "close")
    size = -(-len(candles) // limit)
    return (
        candles.with_row_index("row")
        .group_by(pl.col("row") // size, maintain_order=True)
        .agg(
            pl.col("ts", "open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
        )
        .drop("row")
    )
