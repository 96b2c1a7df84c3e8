"""Performance: what became of the money, over time, by month and by day."""

import math

import numpy as np
import polars as pl

from truewind.analytics import plots
from truewind.analytics.daily import Daily, daily, market
from truewind.analytics.document import (
    Bars,
    Block,
    Column,
    HeatMap,
    Histogram,
    Lines,
    Section,
    Series,
    Table,
    Text,
    Tile,
    Tiles,
)
from truewind.analytics.figures import Kind
from truewind.analytics.report import Report
from truewind.domain.timeframe import DAY_US
from truewind.numerics import performance
from truewind.numerics.benchmark import against, align
from truewind.numerics.floats import floats
from truewind.numerics.measures import Measures, measure
from truewind.numerics.performance import Floats, Ints

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


_ALWAYS, _QUARTER = 90, 63  # days of a rolling window, where a market never closes and where it has sessions
_WORST = 5  # drawdowns that are listed


def section(report: Report) -> Section:
    """Curves, months, years and days, then what they come to beside what was held."""
    initial = float(report.summary["initial_equity"])
    ts, equity = times(report.equity), floats(report.equity["equity"])
    own, held = daily(report), market(report)
    years = plots.monthly_returns(ts, equity, initial)
    blocks = [
        *_curves(report, ts, equity, initial),
        _months(years),
        *_years(years),
        _returns(own.returns),
        *_rolling(own),
        *_measures(own, held),
        *_against(own, held),
        _drawdowns(ts, equity, initial),
    ]
    return Section(id="performance", title="Performance", blocks=tuple(blocks))


def times(table: pl.DataFrame) -> Ints:
    """Its `ts` as int64 µs."""
    return table["ts"].dt.epoch("us").to_numpy()


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


def _months(years: list[plots.Year]) -> Block:
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


def _years(years: list[plots.Year]) -> list[Block]:
    if len(years) < 2:  # of one year the months' table says all
        return []
    return [
        Bars(
            title="Yearly returns",
            labels=tuple(str(year.year) for year in years),
            values=np.array([year.total for year in years], np.float64),
            kind="fraction",
            note="The first and the last may be parts of years.",
        )
    ]


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


def _rolling(own: Daily) -> list[Block]:
    """How Sharpe ratio and volatility went, over a window of a quarter or so."""
    window = _ALWAYS if own.year >= performance.EVERY_DAY else _QUARTER
    if len(own.returns) < 2 * window:
        said = own.reason or f"{len(own.returns):,} daily returns are fewer than two windows of {window}"
        return [Text(sentences=(f"Rolling figures are not defined: {said}.",), tone="quiet")]
    spread, ratio = (values[window - 1 :] for values in performance.rolling(own.returns, window, own.year))
    ts = (own.days[window - 1 :] + 1) * DAY_US
    zero = Series(name="zero", values=np.zeros(len(ts)), role="limit")
    title = f"of the last {window} days"
    return [
        Lines(
            title=f"Sharpe ratio {title}",
            kind="ratio",
            ts_us=ts,
            series=(Series(name="Sharpe ratio", values=ratio), zero),
        ),
        Lines(
            title=f"Volatility {title}",
            kind="fraction",
            ts_us=ts,
            series=(Series(name="volatility", values=spread),),
            note="Annualised. Each point looks back only.",
        ),
    ]


def _measures(own: Daily, held: Daily) -> list[Block]:
    """What daily returns come to, of the run and of what was held, each on its own days."""
    if own.reason or not len(own.returns):
        return []
    both = [measure(own.returns, own.year)]
    if len(held.returns):
        both.append(measure(held.returns, held.year))
    note = "Of daily returns, annualised by trading days; the summary's CAGR goes by the calendar."
    return [
        _side_by_side("returns", "Return and risk by days", "fraction", [_fractions(one) for one in both], note),
        _side_by_side("ratios", "Ratios by days", "ratio", [_ratios(one) for one in both]),
    ]


def _side_by_side(name: str, title: str, kind: Kind, listed: list[dict[str, float]], note: str = "") -> Table:
    heads = (Column(label="Figure"), Column(label="This run", kind=kind), Column(label="Buy and hold", kind=kind))
    rows = tuple((label, *(one[label] for one in listed)) for label in listed[0])
    return Table(name=name, title=title, columns=heads[: 1 + len(listed)], rows=rows, note=note)


def _fractions(one: Measures) -> dict[str, float]:
    return {
        "Total return": one.total,
        "Annualised return": one.annual,
        "Volatility": one.volatility,
        "Downside deviation": one.downside,
        "Best day": one.best,
        "Worst day": one.worst,
        "Days with a gain": one.positive,
        "Max drawdown by days": one.max_drawdown,
        "Ulcer index": one.ulcer,
    }


def _ratios(one: Measures) -> dict[str, float]:
    return {
        "Sharpe ratio": one.sharpe,
        "Sortino ratio": one.sortino,
        "Calmar ratio": one.calmar,
        "Omega": one.omega,
        "Gain to pain": one.gain_to_pain,
        "Tail ratio (95 % over 5 %)": one.tail_ratio,
        "Common sense ratio": one.common_sense,
        "Skew": one.spread.skew,
        "Kurtosis (3 is normal)": one.spread.kurtosis,
        "Stability (R² of log equity)": one.stability,
        "Kelly leverage": one.kelly,
    }


def _against(own: Daily, held: Daily) -> list[Block]:
    """Beta and its like, on the days that both have."""
    title = "Against buy and hold"
    if held.reason or own.reason:
        return [Text(sentences=(f"Not defined: {own.reason or held.reason}.",), title=title, tone="quiet")]
    common = align(own.days, own.returns, held.days, held.returns)
    found = against(common.own, common.other, own.year)
    said = f"On {found.days:,} common days."
    if common.joined or common.other_joined:
        said += (
            f" Returns of {common.joined + common.other_joined:,} days that only one has are part of the next one's."
        )
    if common.left_out:
        said += f" {common.left_out:,} days before the first or after the last are left out."
    tiles = (
        Tile(label="Alpha a year", value=found.alpha, kind="fraction", meaning="Mean return less beta × the market's"),
        Tile(label="Beta", value=found.beta, kind="ratio", meaning="Part of the market's moves that it takes along"),
        Tile(label="Correlation", value=found.correlation, kind="ratio", meaning="Of daily returns"),
        Tile(label="Return above it a year", value=found.active_return, kind="fraction", meaning="Mean difference"),
        Tile(
            label="Tracking error", value=found.tracking_error, kind="fraction", meaning="Volatility of the difference"
        ),
        Tile(label="Information ratio", value=found.information_ratio, kind="ratio", meaning="The one over the other"),
        Tile(label="Up capture", value=found.up_capture, kind="ratio", meaning="Of the market's mean rising day"),
        Tile(label="Down capture", value=found.down_capture, kind="ratio", meaning="Of the market's mean falling day"),
    )
    return [Text(sentences=(said,), title=title), Tiles(tiles=tiles, small=True)]


def _drawdowns(ts: Ints, equity: Floats, initial: float) -> Block:
    """The deepest falls with their times."""
    found = performance.falls(ts, equity, initial)
    rows = tuple(
        (fall.depth, fall.peak_us, fall.trough_us, fall.end_us if fall.recovered else None, fall.days)
        for fall in found[:_WORST]
    )
    columns = (
        Column(label="Depth", kind="fraction"),
        Column(label="Peak (UTC)", kind="moment"),
        Column(label="Trough", kind="moment"),
        Column(label="Recovered", kind="moment"),
        Column(label="Lasted", kind="days", meaning="From the peak to recovery, or to the end"),
    )
    none = "Equity never fell." if np.isfinite(equity).all() else "Not defined: equity is not a number everywhere."
    note = f"The deepest of {len(found):,}; a dash where it had not recovered." if found else none
    return Table(name="drawdowns", title="Deepest drawdowns", columns=columns, rows=rows, note=note)
