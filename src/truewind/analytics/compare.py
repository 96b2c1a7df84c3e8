"""Compare: several runs in one document, over the days that all of them have.

Runs differ in span, calendar, bar and currency. So what is held side by side are daily closes on common days, rebased
to 1 before the first of them; figures of whole runs stand apart from these. Which run is best was chosen after the
fact, so the document says whether the difference could be luck, and how much was tried for each.
"""

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from truewind.analytics import figures, luck, plots
from truewind.analytics.document import (
    Block,
    Column,
    Document,
    HeatMap,
    Lines,
    Section,
    Series,
    Table,
    Text,
)
from truewind.analytics.report import Report
from truewind.domain.timeframe import DAY_US
from truewind.errors import ConfigError
from truewind.numerics import performance
from truewind.numerics.difference import FEWEST, holm, sharpe_difference
from truewind.numerics.floats import floats
from truewind.numerics.performance import NAN, Floats, Ints

MOST = 12  # runs: more lines than that nobody can tell apart
_LETTERS = "ABCDEFGHIJKL"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_GREATEST = ("net_return", "cagr", "sharpe", "sortino", "calmar", "win_rate", "profit_factor", "average_r")
_LEAST = ("max_drawdown", "max_drawdown_days")
_WHOLE = ("net_return", "benchmark_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown")
_TRADING = ("trades", "win_rate", "profit_factor", "average_r", "exposure", "turnover", "fees", "slippage", "funding")
_RARE = 0.8  # of the calendar's trading days: with fewer common days, a year has as many as there are


class Run(NamedTuple):
    """One of the runs. key: of its folder. label: what it is called here, its letter first; given by `compare`."""

    key: str
    report: Report
    label: str = ""

    @property
    def summary(self) -> Mapping[str, Any]:
        return self.report.summary


class Common(NamedTuple):
    """Daily closes on the days that all runs have. days: UTC day numbers. growth: runs × days, rebased to 1 before the
    first day; returns: of each day against the one before. year: such days in a year.
    """

    days: Ints
    growth: Floats
    returns: Floats
    year: float

    @property
    def ts_us(self) -> Ints:
        """When each day closes."""
        return (self.days + 1) * DAY_US


def compare(runs: Sequence[Run]) -> Document:
    """The runs side by side. Raises ConfigError for fewer than two, more than `MOST`, or one named twice."""
    keys = [run.key for run in runs]
    if not 2 <= len(runs) <= MOST:
        counted = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        raise ConfigError(f"Cannot compare {counted}", remedy=f"Name two to {MOST} runs")
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ConfigError(f"Run {twice[0]} is named twice", remedy="Name each run once")
    common = common_days([run.report for run in runs])
    runs = _labelled(runs)
    sections = (_side_by_side(runs, common), _curves(runs, common), _likeness(runs, common), _settings(runs))
    names = list(dict.fromkeys(run.report.name for run in runs))
    variants = f"{names[0]}: {len(runs)} runs" if len(names) == 1 else f"{len(runs)} runs"
    notes = _notes(runs, common)
    return Document(
        name=" · ".join(names) if len(names) == len(runs) <= 3 else variants,
        overline="Comparison of runs",
        subtitle=_span(common) if len(common.days) else "no day in common",
        verdict=_verdict(runs, common),
        passed=None,
        warnings=len(notes),
        sections=sections,
    )


def common_days(reports: Sequence[Report]) -> Common:
    """What the runs did on the days that all of them have; NaN where equity is not a number, or was lost before."""
    closes = [_closes(report) for report in reports]
    days = closes[0][0]
    for own, _ in closes[1:]:
        days = np.intersect1d(days, own)
    growth, returns = np.empty((len(reports), len(days))), np.empty((len(reports), len(days)))
    for row, (report, (own, values)) in enumerate(zip(reports, closes, strict=True)):
        first = int(np.searchsorted(own, days[0])) if len(days) else 0
        base = float(values[first - 1]) if first else float(report.summary["initial_equity"])
        chosen = values[np.searchsorted(own, days)]
        growth[row] = chosen / base if base > 0 else NAN
        returns[row] = performance.simple_returns(chosen, base)
    year = float(min(report.summary["days_per_year"] for report in reports))
    if len(days) > 1:
        found = (len(days) - 1) / ((days[-1] - days[0]) * DAY_US / performance.YEAR_US)
        year = found if found < _RARE * year else year
    return Common(days, growth, returns, year)


def _closes(report: Report) -> tuple[Ints, Floats]:
    ts = report.equity["ts"].dt.epoch("us").to_numpy()
    return performance.day_closes(ts, floats(report.equity["equity"]))


def _labelled(runs: Sequence[Run]) -> list[Run]:
    """Each with a letter and its name; runs of one name by the one or two settings in which they differ."""
    names = [run.report.name for run in runs]
    if len(set(names)) < len(names):
        rows = [row for row in _differing(runs) if row[0] != "name" and not row[0].startswith("(")]
        apart = [", ".join(f"{row[0].rpartition('.')[2]} {row[n + 1]}" for row in rows) for n in range(len(runs))]
        names = apart if 1 <= len(rows) <= 2 and max(map(len, apart)) <= 40 else [run.key for run in runs]
    return [run._replace(label=f"{_LETTERS[n]}: {names[n]}") for n, run in enumerate(runs)]


def _span(common: Common) -> str:
    first, last = (str(np.datetime64(int(day), "D")) for day in (common.days[0], common.days[-1]))
    days = len(common.days)
    return f"{days:,} common {'day' if days == 1 else 'days'}, {first} to {last}"


# ---- words -----------------------------------------------------------------------------------------------------------


def _verdict(runs: Sequence[Run], common: Common) -> tuple[str, ...]:
    """Which did best on common days, and whether that could be luck."""
    if len(common.days) < FEWEST:
        days = {0: "no day", 1: "1 day"}.get(len(common.days), f"{len(common.days)} days")
        return (f"These runs have {days} in common, too few to say which is better: {FEWEST} are needed.",)
    sharpes = [performance.sharpe(returns, common.year) for returns in common.returns]
    known = [number for number, value in enumerate(sharpes) if not math.isnan(value)]
    if len(known) < 2:
        return ("Which did best is not defined: fewer than two of them have a Sharpe ratio on the common days.",)
    best, second = sorted(known, key=lambda number: -sharpes[number])[:2]
    made = common.growth[best, -1] - 1.0
    if all(np.array_equal(common.returns[0], other) for other in common.returns[1:]):
        return (f"On the {len(common.days):,} days that all have, these runs did exactly the same.",)
    said = (
        f"On the {len(common.days):,} days that all have, {runs[best].label} did best for its risk: Sharpe "
        f"ratio {sharpes[best]:.2f}, return {figures.percent(made)}; next is {runs[second].label} with "
        f"{sharpes[second]:.2f}."
    )
    chances = [found.p for found in _tests(common)]
    p = dict(zip(_pairs(len(runs)), holm(chances), strict=True))[min(best, second), max(best, second)]
    if math.isnan(p):
        return said, "Whether that could be luck is not defined: their returns are the same, or do not allow a test."
    told = "under 1 %" if p < 0.01 else f"{p * 100:.0f} %"
    could = "is hard to explain by luck" if p < 0.05 else "can well be luck"
    apart = f"That difference {could}: two equally good ones would lie at least so far apart in {told} of cases."
    return said, apart, *_chosen(runs[best])


def _chosen(run: Run) -> tuple[str, ...]:
    """What a test of two runs does not know: that one of them was chosen among many."""
    found = luck.assess(run.report)
    if found.crowd is None or found.crowd.tried < 2 or found.reason:
        return ()
    chance = luck.percent(found.deflated)
    return (
        f"But {run.label} is one of {found.crowd.tried:,} variants tried, of which this knows nothing: "
        f"the chance that it is better than luck is {chance}.",
    )


def _notes(runs: Sequence[Run], common: Common) -> list[str]:
    """What makes these runs hard to compare."""
    notes = []
    spans = {(run.summary["start"], run.summary["end"]) for run in runs}
    if len(spans) > 1 and len(common.days):
        notes.append(f"The runs have different spans: curves and differences are of their {_span(common)}.")
    if not len(common.days):
        notes.append("The runs have no day in common: nothing is drawn, and figures are of different times.")
    years = {run.summary["days_per_year"] for run in runs}
    if len(years) > 1:
        shown = " and ".join(str(year) for year in sorted(years))
        notes.append(f"The calendars differ ({shown} days a year): a return on a common day may be of several days.")
    currencies = sorted({run.report.info.get("currency", "") for run in runs} - {""})
    if len(currencies) > 1:
        notes.append(f"Money is in {' and '.join(currencies)}: returns are those of each account in its own currency.")
    for key, what in (("data_snapshot", "read different data"), ("code_version", "come from different code")):
        if len({run.report.info.get(key) for run in runs}) > 1:
            notes.append(f"The runs {what}: part of a difference may come from there.")
    lost = [run.label for n, run in enumerate(runs) if not np.isfinite(common.returns[n]).all()]
    if lost and len(common.days):
        notes.append(f"Equity is not a number or was lost: {', '.join(lost)}. What follows from there is not defined.")
    return notes


# ---- sections --------------------------------------------------------------------------------------------------------


def _side_by_side(runs: Sequence[Run], common: Common) -> Section:
    notes = _notes(runs, common)
    blocks: list[Block] = [Text(sentences=tuple(notes), tone="warning", bullets=True)] if notes else []
    blocks.append(_runs(runs))
    if len(common.days) > 1:
        blocks.append(_on_common_days(runs, common))
    blocks.append(_of_whole_runs(runs, "whole_runs", "Each run as a whole", _WHOLE))
    blocks.append(_of_whole_runs(runs, "trading", "Trades and costs of each run", _TRADING))
    blocks += [_tried(runs)]
    return Section(id="figures", title="Side by side", blocks=tuple(blocks))


def _on_common_days(runs: Sequence[Run], common: Common) -> Table:
    names = ("net_return", "cagr", "volatility", "sharpe", "sortino", "calmar", "max_drawdown")
    elapsed = float(common.days[-1] - common.days[0] + 1) * DAY_US
    rows = []
    for growth, returns in zip(common.growth, common.returns, strict=True):
        grown, fall = performance.cagr(1.0, float(growth[-1]), elapsed), performance.max_drawdown(growth, 1.0)
        rows.append(
            (
                float(growth[-1]) - 1.0,
                grown,
                performance.volatility(returns, common.year),
                performance.sharpe(returns, common.year),
                performance.sortino(returns, common.year),
                performance.calmar(grown, fall),
                fall,
            )
        )
    labels = [run.label for run in runs]
    table = [(label, *row) for label, row in zip(labels, rows, strict=True)]
    if len(runs) == 2:
        table.append(("A less B", *(one - other for one, other in zip(*rows, strict=True))))
    return Table(
        name="common_days",
        title="On common days",
        columns=(Column(label="Run"), *(_column(name) for name in names)),
        rows=tuple(table),
        best=_best(names, rows),
        bold=(2,) if len(runs) == 2 else (),
        note=f"{_span(common)}; daily closes, a year has {common.year:.0f} of them. In bold the best of each column.",
    )


def _runs(runs: Sequence[Run]) -> Table:
    """Which runs they are."""
    when = dt.datetime.fromisoformat
    return Table(
        name="runs",
        columns=(
            *(Column(label="Run"), Column(label="Id"), Column(label="Start", kind="moment")),
            *(Column(label="End", kind="moment"), Column(label="Currency"), Column(label="Rows", kind="count")),
        ),
        rows=tuple(
            (
                *(run.label, run.key, when(run.summary["start"]), when(run.summary["end"])),
                *(run.report.info.get("currency", ""), run.summary["bars"]),
            )
            for run in runs
        ),
    )


def _of_whole_runs(runs: Sequence[Run], name: str, title: str, names: Sequence[str]) -> Table:
    shown = [one for one in names if any(run.summary.get(one) is not None for run in runs)]
    rows = [tuple(run.summary.get(one) for one in shown) for run in runs]
    return Table(
        name=name,
        title=title,
        columns=(Column(label="Run"), *(_column(one) for one in shown)),
        rows=tuple((run.label, *row) for run, row in zip(runs, rows, strict=True)),
        best=_best(shown, rows),
        note="A dash: not defined; the run's own report says why.",
    )


def _column(name: str) -> Column:
    figure = figures.FIGURES[name]
    return Column(label=figure.label, kind=figure.kind, meaning=figure.meaning)


def _best(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> tuple[tuple[int, int], ...]:
    """(row, column) of the best figures, the run's label being column 0; none where all are equal."""
    found = []
    for place, name in enumerate(names):
        known = {n: row[place] for n, row in enumerate(rows) if row[place] is not None and not math.isnan(row[place])}
        if name not in _GREATEST + _LEAST or len(known) < 2 or len(set(known.values())) < 2:
            continue
        wanted = (max if name in _GREATEST else min)(known.values())
        found += [(n, place + 1) for n, value in known.items() if value == wanted]
    return tuple(found)


def _tried(runs: Sequence[Run]) -> Table:
    """How much was tried for each, and how likely it is more than luck."""
    rows: list[tuple[Any, ...]] = []
    for run in runs:
        found = luck.assess(run.report)
        crowd, root = found.crowd, math.sqrt(found.year)
        rows.append(
            (
                run.label,
                found.moments.periods,
                found.moments.sharpe * root,
                crowd.tried if crowd else None,
                crowd.different if crowd else None,
                found.threshold * root,
                found.probabilistic,
                found.deflated,
                found.reason or "",
            )
        )
    columns: tuple[Column, ...] = (
        *(Column(label="Run"), Column(label="Days", kind="count"), Column(label="Sharpe", kind="ratio")),
        Column(label="Tried", kind="count", meaning="Related trials that the ledger knows"),
        Column(label="Different", kind="count", meaning="Clusters of correlated trials among them"),
        Column(label="Luck's best", kind="ratio", meaning="Sharpe ratio that the best of so many shows by luck alone"),
        Column(label="Above 0", kind="fraction", meaning="Probabilistic Sharpe ratio: the only one tried"),
        Column(label="Above luck", kind="fraction", meaning="Deflated Sharpe ratio"),
        Column(label="Why not defined"),
    )
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return Table(
        name="tried",
        title="How much was tried for each",
        columns=columns,
        rows=tuple(rows),
        note="Chances that the true Sharpe ratio is above 0, and above what luck gives the best of all that was tried "
        "(deflated Sharpe ratio), over each run's own days. Choosing among the runs here is one more choice.",
    )


def _curves(runs: Sequence[Run], common: Common) -> Section:
    if len(common.days) < 2:
        return Section(id="curves", title="Curves", blocks=(Text(sentences=("Fewer than two common days.",)),))
    labels = [run.label for run in runs]
    ts = np.concatenate(([common.days[0] * DAY_US], common.ts_us))
    growth = np.column_stack([np.ones(len(runs)), common.growth])
    below = [-performance.drawdowns(values, 1.0) for values in growth]
    grown = tuple(Series(name=label, values=values, role="other") for label, values in zip(labels, growth, strict=True))
    fallen = tuple(Series(name=label, values=values, role="other") for label, values in zip(labels, below, strict=True))
    money = Lines(title="Growth of 1", kind="ratio", ts_us=ts, series=grown, choose_log=True, note=_span(common))
    falls = Lines(title="Below the highest so far", kind="fraction", ts_us=ts, series=fallen)
    return Section(id="curves", title="Curves", blocks=(money, falls, _months(labels, common)))


def _months(labels: Sequence[str], common: Common) -> Table:
    by_run = [plots.monthly_returns(common.ts_us, growth, 1.0) for growth in common.growth]
    rows = [
        (f"{years[0].year} {month}", *(year.months[place] for year in years))
        for years in reversed(list(zip(*by_run, strict=True)))
        for place, month in reversed(list(enumerate(_MONTHS)))
        if any(year.months[place] is not None for year in years)
    ]
    return Table(
        name="months",
        title="Months, the latest first",
        columns=(
            Column(label="Month"),
            *(Column(label=label[0], kind="fraction", tone="sign", meaning=label) for label in labels),
        ),
        rows=tuple(rows),
        folded=len(rows) > 24,
        note="Of common days; the first and the last may be parts of months.",
    )


def _likeness(runs: Sequence[Run], common: Common) -> Section:
    """How much the runs move together, and whether their Sharpe ratios differ."""
    title = "Likeness and difference"
    if len(common.days) < 3:
        return Section(id="likeness", title=title, blocks=(Text(sentences=("Fewer than three common days.",)),))
    letters = tuple(_LETTERS[: len(runs)])
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.atleast_2d(np.corrcoef(common.returns))
    field = HeatMap(
        title="Correlation of daily returns",
        rows=tuple(run.label for run in runs),
        columns=letters,
        values=correlations,
        kind="ratio",
    )
    return Section(id="likeness", title=title, blocks=(field, _differences(runs, common)))


def _pairs(count: int) -> list[tuple[int, int]]:
    return [(one, other) for one in range(count) for other in range(one + 1, count)]


def _tests(common: Common) -> list[Any]:
    return [sharpe_difference(common.returns[a], common.returns[b]) for a, b in _pairs(len(common.returns))]


def _differences(runs: Sequence[Run], common: Common) -> Table:
    tests, root = _tests(common), math.sqrt(common.year)
    adjusted = holm([found.p for found in tests])
    rows = [
        (f"{_LETTERS[a]} less {_LETTERS[b]}", found.value * root, found.error * root, found.p, chance)
        for (a, b), found, chance in zip(_pairs(len(runs)), tests, adjusted, strict=True)
    ]
    return Table(
        name="differences",
        title="Differences of Sharpe ratios",
        columns=(
            *(Column(label="Pair"), Column(label="Difference", kind="ratio", tone="sign")),
            Column(label="Standard error", kind="ratio"),
            Column(label="p", kind="fraction", meaning="Chance of such a difference if there were none"),
            Column(label="p of all pairs", kind="fraction", meaning="Raised for the number of pairs (Holm)"),
        ),
        rows=tuple(rows),
        note="Annualised; p: how often a difference at least so large would come if the true ratios were equal, by "
        "Ledoit and Wolf (2008), which allows for fat tails, dependence and the runs' correlation. "
        f"Not defined below {FEWEST} common days, and where a run does not vary or was ruined.",
    )


def _settings(runs: Sequence[Run]) -> Section:
    """The settings in which the runs differ, and only these."""
    rows = tuple(_differing(runs))
    same = len({key for run in runs for key in _told(run)}) - len(rows)
    columns = (Column(label="Setting"), *(Column(label=run.label[0], meaning=run.label) for run in runs))
    note = f"{same:,} others are the same. A dash: the setting is not there."
    if not rows:
        note = f"All {same:,} settings, data and code are the same."
    table = Table(name="settings", columns=columns, rows=rows, note=note)
    return Section(id="settings", title="What differs in settings, data and code", blocks=(table,))


def _differing(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """Of each setting that is not the same in all runs: its dotted key and its value in each."""
    told = [_told(run) for run in runs]
    rows = [(key, *(_setting(one, key) for one in told)) for key in dict.fromkeys(key for one in told for key in one)]
    return [row for row in rows if len(set(row[1:])) > 1]


def _told(run: Run) -> dict[str, Any]:
    """A run's settings by their dotted keys, and what data and code it comes from."""
    import yaml

    return flat(yaml.safe_load(run.report.config_yaml) or {}) | _made_by(run)


def _made_by(run: Run) -> dict[str, Any]:
    return {
        name: run.report.info[key]
        for key, name in (("data_snapshot", "(data snapshot)"), ("code_version", "(code version)"))
        if key in run.report.info
    }


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Settings by their dotted keys: {"data": {"start": …}} as {"data.start": …}; lists of parts by their number."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{above}{key}"
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            value = {str(number): item for number, item in enumerate(value)}
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{name}.")
        else:
            found[name] = value
    return found


def _setting(told: Mapping[str, Any], key: str) -> str:
    """As in YAML, on one line; a dash where it is not there."""
    if key not in told:
        return figures.NOT_DEFINED
    value = told[key]
    if isinstance(value, str):
        return value or '""'
    return orjson.dumps(value, default=str).decode()
