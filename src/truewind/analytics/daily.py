"""Daily returns of a run and of its benchmark, on which statistics of a report go."""

from typing import NamedTuple

import numpy as np
import polars as pl

from truewind.analytics.report import Report
from truewind.numerics import performance
from truewind.numerics.floats import floats
from truewind.numerics.performance import Floats, Ints


class Daily(NamedTuple):
    """days: UTC day numbers, rising. returns: simple, of each. year: trading days. reason: why there are none, or "".

    After ruin there are no returns: those that are not finite are left out, and `ruined` says so.
    """

    days: Ints
    returns: Floats
    year: int
    reason: str
    ruined: bool = False


def daily(report: Report) -> Daily:
    """The run's own."""
    return _daily(report, report.equity)


def market(report: Report) -> Daily:
    """Those of the run's benchmark: the same money, bought at the start and held."""
    if report.benchmark is None or report.benchmark.is_empty():
        return Daily(np.zeros(0, np.int64), np.zeros(0), _year(report), "the run has no benchmark")
    return _daily(report, report.benchmark)


def _daily(report: Report, table: pl.DataFrame) -> Daily:
    year = _year(report)
    none = np.zeros(0, np.int64), np.zeros(0), year
    if table.is_empty():
        return Daily(*none, "the run has no rows")
    ts = table["ts"].dt.epoch("us").to_numpy()
    values = floats(table["equity"])
    initial = float(report.summary.get("initial_equity") or values[0])
    days, returns = performance.returns_by_calendar(ts, values, initial, year)
    if not len(days):
        return Daily(*none, "the run has no daily returns: it lasted less than a day, or its rows lie too far apart")
    known = np.isfinite(returns)
    return Daily(days[known], returns[known], year, "", bool(not known.all()))


def _year(report: Report) -> int:
    return int(report.summary.get("days_per_year") or performance.EVERY_DAY)
