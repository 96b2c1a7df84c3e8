"""Performance: what became of the money, over time, by month and by day."""

import math

import numpy as np
import polars as pl

from truewind.analytics import plots
from truewind.analytics.document import Block, HeatMap, Histogram, Lines, Section, Series, Text
from truewind.analytics.report import Report
from truewind.numerics import performance
from truewind.numerics.performance import Floats, Ints

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def section(report: Report) -> Section:
    """Curves, months and daily returns."""
    initial = float(report.summary["initial_equity"])
    ts, equity = times(report.equity), floats(report.equity["equity"])
    _, returns = performance.daily_returns(ts, equity, initial, every_day=report.summary["days_per_year"] >= 365)
    blocks = [*_curves(report, ts, equity, initial), _months(ts, equity, initial), _returns(returns)]
    return Section(id="performance", title="Performance", blocks=tuple(blocks))


def times(table: pl.DataFrame) -> Ints:
    """Its `ts` as int64 µs."""
    return table["ts"].dt.epoch("us").to_numpy()


def floats(column: pl.Series) -> Floats:
    """The column as float64, nulls as NaN."""
    return column.cast(pl.Float64).fill_null(math.nan).to_numpy()


def _curves(report: Report, ts: Ints, equity: Floats, initial: float) -> list[Block]:
    """Equity beside what was held, and below its highest, at common times."""
    series = [Series(name=report.name, values=equity)]
    held = report.benchmark
    if held is not None and not held.is_empty():
        rows = np.searchsorted(times(held), ts, side="right") - 1
        known = floats(held["equity"])[np.maximum(rows, 0)]
        series.append(Series(name="buy and hold", values=np.where(rows >= 0, known, math.nan), role="held"))
    below = -performance.drawdowns(equity, initial)
    return [
        Lines(
            title="Equity against buy-and-hold" if len(series) > 1 else "Equity",
            kind="money",
            ts_us=ts,
            series=tuple(series),
            choose_log=True,
        ),
        Lines(
            title="Underwater: how far below its highest",
            kind="fraction",
            ts_us=ts,
            series=(Series(name="drawdown", values=below),),
            under=True,
        ),
    ]


def _months(ts: Ints, equity: Floats, initial: float) -> Block:
    years = plots.monthly_returns(ts, equity, initial)
    if not years:
        return Text(sentences=("No month to show.",), tone="quiet")
    return HeatMap(
        title="Monthly returns",
        rows=tuple(str(year.year) for year in years),
        columns=_MONTHS,
        values=np.array([year.months for year in years], np.float64),
        kind="fraction",
        totals=np.array([year.total for year in years], np.float64),
        total_label="Year",
        note="Percent, by UTC month; the first and last may be parts of months.",
    )


def _returns(returns: Floats) -> Block:
    found = plots.histogram(returns)
    if found is None:
        return Text(sentences=("Fewer than two days on which equity changed: no returns to draw.",), tone="quiet")
    note = f"{len(returns):,} days; the line is a normal distribution of the same mean and deviation."
    if found.unchanged:
        note += f" {found.unchanged:,} days without any change are not drawn."
    if found.beyond:
        note += f" The outermost bars hold the {found.beyond:,} beyond the edge."
    return Histogram(
        title="Daily returns",
        edges=np.array(found.edges),
        counts=np.array(found.counts, np.float64),
        kind="fraction",
        curve_at=np.array(found.curve_at),
        curve=np.array(found.curve),
        curve_name="normal distribution" if found.curve else "",
        note=note,
    )
