"""Section: risk and stress: how bad it was, how bad it could have been, and whether the days look like luck."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml

from truewind.analytics import crashes, monte_carlo, statistics
from truewind.analytics.daily import Daily, daily, market
from truewind.analytics.document import Band, Bars, Block, Column, Lines, Section, Series, Table, Text, Tile, Tiles
from truewind.analytics.monte_carlo import QUANTILES, RUIN, RandomEntries, Resampled, Shuffled
from truewind.analytics.report import Report
from truewind.domain.clock import iso
from truewind.domain.timeframe import DAY_US
from truewind.numerics.measures import Tail, tail_of
from truewind.numerics.performance import NAN, Floats
from truewind.numerics.serial import autocorrelations, ljung_box
from truewind.numerics.stationarity import Tested, adf, kpss

_LAGS = 20
_BOX = 10  # lags of the Ljung–Box test
_ELSEWHERE = {
    "permuted": "The same strategy on markets in another order",
    "noise": "The same strategy on markets of noise",
}
_SHARES = (0.05, 0.025, 0.01)  # of the days, the worst


def section(report: Report) -> Section | None:
    """Everything about risk that follows from what the run left; what only new runs can tell, if they were made."""
    own, held = daily(report), market(report)
    if not len(own.returns):
        reason = own.reason or "equity was not positive on any day"
        said = Text(sentences=(f"Risk by days is not defined: {reason}.",))
        return Section(id="risk", title="Risk and stress", blocks=(said, *_again(report)))
    paths = monte_carlo.resampled(own)
    entries = monte_carlo.at_random_times(report.trades, report.equity, report.candles)
    trades = monte_carlo.shuffled(monte_carlo.trade_returns(report.trades, report.equity))
    blocks: list[Block] = [_tiles(report, own, paths, entries)]
    if own.ruined:
        blocks.append(Text(sentences=("The account was ruined: days after that have no return and do not count here.",),
                           tone="warning"))  # fmt: skip
    blocks += [_tails(own), _worst(own, held), *_crashes(own, held), *_fan(report, own, paths, trades)]
    blocks += [*_again(report), *_shape(own), *_dependence(own), _stationarity(own), *_regimes(own, held)]
    blocks += _persistence(own)
    return Section(id="risk", title="Risk and stress", blocks=tuple(blocks))


# -- how bad it was ----------------------------------------------------------------------------------------------------


def _tiles(report: Report, own: Daily, paths: Resampled | None, entries: RandomEntries) -> Tiles:
    value, shortfall = _tail(own.returns, _SHARES[0])[1:3]
    limit = _limit(report)
    chance, loss, what = None, None, "Chance of a drawdown"
    reason = "Not defined: the days are too few, or do not vary"
    if paths is not None:
        loss = float((paths.paths.growth < 0.0).mean())
        chance = _over(paths, limit or paths.depth)
        what = f"Chance of a drawdown over {limit or paths.depth:.0%}"
        reason = "Share of resampled runs of the same length"
    timing = f"Share of {len(entries.drawn):,} draws in which the same trades at random times brought as much"
    return Tiles(
        tiles=(
            Tile(label="Value at risk of a day", value=value, kind="fraction", meaning="Lost or more on one day in 20"),
            Tile(label="Expected shortfall", value=shortfall, kind="fraction", meaning="Mean of the worst 5 % of days"),
            Tile(label="Worst day", value=float(own.returns.min()), kind="fraction", tone="sign"),
            Tile(label="Chance of a loss", value=loss, kind="fraction", meaning=reason),
            Tile(label=what, value=chance, kind="fraction", meaning=reason),
            Tile(
                label="Random times do as well", value=None if entries.reason else entries.p, kind="fraction",
                meaning=f"Not defined: {entries.reason}" if entries.reason else timing,
            ),
        )
    )  # fmt: skip


def _tails(own: Daily) -> Table:
    """Value at risk and expected shortfall, by the days that were and by a normal distribution."""
    rows = []
    for share in _SHARES:
        found = _tail(own.returns, share)
        count = int((own.returns <= -found.value_at_risk).sum()) if math.isfinite(found.value_at_risk) else 0
        rows.append((1.0 - share, *found[1:], count))
    return Table(
        name="value_at_risk",
        title="Loss of a day that is not exceeded with a given confidence",
        columns=(
            Column(label="Confidence", kind="fraction"),
            Column(label="Value at risk", kind="fraction", meaning="Quantile of the daily losses that were"),
            Column(label="Expected shortfall", kind="fraction", meaning="Mean of the losses at least as large"),
            Column(label="If normal: VaR", kind="fraction", meaning="Of a normal distribution with the same deviation"),
            Column(label="If normal: shortfall", kind="fraction"),
            Column(label="Cornish–Fisher", kind="fraction", meaning="Normal quantile, bent by skew and kurtosis"),
            Column(label="Days", kind="count", meaning="On which at least the value at risk was lost"),
        ),
        rows=tuple(rows),
        note="Where the days lost more than a normal distribution would, its tails are too thin for them. Not defined "
        "where less than one day lies beyond.",
    )


def _worst(own: Daily, held: Daily) -> Table:
    rows = []
    for name, length in crashes.WINDOWS:
        found = crashes.worst(own.days, own.returns, name, length)
        there = found.first > 0
        benchmark = crashes.over(held.days, held.returns, found.first, found.last) if there else NAN
        span = (_day(found.first), _day(found.last)) if there else ("–", "–")
        rows.append((f"Worst {name[2:]}", *span, found.growth, found.fall, benchmark))
    return Table(
        name="worst_windows",
        title="Worst windows",
        columns=(*_SPAN, Column(label="Return", kind="fraction", tone="sign"),
                 Column(label="Drawdown inside", kind="fraction"), _HELD),
        rows=tuple(rows),
        note="Calendar days, both ends included; a dash where the run is shorter than the window.",
    )  # fmt: skip


def _crashes(own: Daily, held: Daily) -> list[Block]:
    rows, sources = [], []
    for crash in crashes.CRASHES:
        found = crashes.through(crash, own.days, own.returns)
        if found is not None:
            benchmark = crashes.over(held.days, held.returns, found.first, found.last)
            days = crash.first.isoformat(), crash.last.isoformat()
            rows.append((crash.name, *days, found.growth, found.fall, benchmark, crash.what))
            sources.append(f"{crash.name}: {crash.source}")
    if not rows:
        return [Text(sentences=("None of the crashes that are remembered lies wholly within this run.",))]
    return [
        Table(
            name="crashes",
            title="Historical crashes",
            columns=(
                *_SPAN, Column(label="Return", kind="fraction", tone="sign"),
                Column(label="Drawdown inside", kind="fraction"), _HELD,
                Column(label="What it was"),
            ),
            rows=tuple(rows),
            note=f"Crashes of all markets are shown, whatever was traded. Sources: {'; '.join(sources)}.",
        )
    ]  # fmt: skip


# -- how bad it could have been ----------------------------------------------------------------------------------------


def _fan(report: Report, own: Daily, found: Resampled | None, trades: Shuffled | None) -> list[Block]:
    if found is None:
        return [Text(sentences=("Monte Carlo is not defined: it needs 20 days of returns that vary.",))]
    at = np.concatenate(([own.days[0]], own.days[found.paths.steps - 1] + 1)) * DAY_US
    fan = np.column_stack([np.zeros(len(QUANTILES)), found.fan - 1.0])
    worth = np.concatenate(([0.0], np.cumprod(1.0 + own.returns) - 1.0))[np.concatenate(([0], found.paths.steps))]
    count = len(found.paths.growth)
    lines = Lines(
        title=f"{count:,} runs out of the same days",
        series=(Series(name="this run", values=worth), Series(name="median", values=fan[2], role="held")),
        kind="fraction",
        ts_us=at,
        bands=(Band(name="90 % of runs", low=fan[0], high=fan[4]), Band(name="half of runs", low=fan[1], high=fan[3])),
        note=f"Stationary block bootstrap of the daily returns, {found.block:.1f} days a block on average. It redraws "
        "the days that were: if they were lucky, so are all of these runs.",
    )
    year = math.sqrt(own.year)
    rows: list[tuple[Any, ...]] = [
        ("Return", found.growth, *_quantiles(found.paths.growth)),
        ("Max drawdown by days", found.depth, *_quantiles(found.paths.depth)),
    ]
    if trades is not None:
        rows.append(("Max drawdown, trades in another order", trades.depth, *_quantiles(trades.depths)))
    sharpe = ("Sharpe", found.sharpe * year, *(value * year for value in _quantiles(found.paths.sharpe)))
    spread = [Column(label=f"{quantile * 100:.0f} %", kind="fraction") for quantile in QUANTILES]
    ratios = [Column(label=f"{quantile * 100:.0f} %", kind="ratio") for quantile in QUANTILES]
    own_column = Column(label="This run", kind="fraction")
    return [
        lines,
        Table(name="monte_carlo", title="What else could have come of it", rows=tuple(rows),
              columns=(Column(label="Figure"), own_column, *spread),
              note="" if trades else "Trades in another order: not defined for fewer than ten closed trades."),
        Table(name="monte_carlo_sharpe", rows=(sharpe,),
              columns=(Column(label="Figure"), Column(label="This run", kind="ratio"), *ratios)),
        _chances(report, found),
    ]  # fmt: skip


def _chances(report: Report, found: Resampled) -> Table:
    limit = _limit(report)
    rows: list[tuple[str, float]] = [("A loss at the end", float((found.paths.growth < 0.0).mean()))]
    if limit:
        rows.append((f"A drawdown over {limit:.0%}, the limit of the run's risk rules", _over(found, limit)))
    rows += [
        (f"A drawdown over its own {found.depth:.1%}", _over(found, found.depth)),
        ("A drawdown over half", _over(found, 0.5)),
        (f"Ruin: {RUIN:.0%} of the money gone at some time", float((found.paths.lowest <= 1.0 - RUIN).mean())),
    ]
    return Table(
        name="chances", title="Chances in a run of the same length",
        columns=(Column(label="Event"), Column(label="Share of resampled runs", kind="fraction")), rows=tuple(rows),
    )  # fmt: skip


def _again(report: Report) -> list[Block]:
    """Stress runs and permuted markets, from `validation.json`: what can only be told by running again."""
    told: Mapping[str, Any] = report.validation or {}
    blocks: list[Block] = []
    if stress := told.get("stress"):
        names = ("net_return", "sharpe", "max_drawdown", "trades")
        base = stress[0]
        rows = []
        for row in stress:
            change = None if None in (row["net_return"], base["net_return"]) else row["net_return"] - base["net_return"]
            rows.append((row["name"], *(row[name] for name in names), change, row["note"]))
        columns = (
            Column(label="Shock"), Column(label="Return", kind="fraction", tone="sign"),
            Column(label="Sharpe", kind="ratio"), Column(label="Max drawdown", kind="fraction"),
            Column(label="Trades", kind="count"), Column(label="Change", kind="fraction", tone="sign"),
            Column(label="What was done", tone="quiet"),
        )  # fmt: skip
        blocks.append(Table(name="stress", title="The same run under shocks", columns=columns, rows=tuple(rows)))
    for name, title in _ELSEWHERE.items():
        if found := told.get(name):
            # With drift a large p is bad: as good without patterns. Without it a small one is: it earns from noise.
            known = found["p"] is not None
            doubtful = known and (found["p"] > 0.05 if name == "permuted" else found["p"] <= 0.05)
            blocks.append(Text(title=title, sentences=tuple(found["said"]), tone="warning" if doubtful else "plain"))
    if not blocks:
        blocks.append(
            Text(
                sentences=(
                    "How it stands shocks in costs, latency and funding, and whether it earns as much on markets "
                    "without patterns, is told by “truewind stress” and “truewind validate”.",
                ),
                tone="quiet",
            )
        )
    return blocks


# -- what the days look like -------------------------------------------------------------------------------------------


def _shape(own: Daily) -> list[Block]:
    found = statistics.shape(own.returns)
    tail = f"Power by which the largest {found.tail_days} thin out: the smaller, the thicker (normal: none; 3 is usual)"
    if found.tail_days < 10:
        tail = "Not defined: fewer than ten days are 5 % of all"
    normal = "Chance of such a skew and kurtosis in normal days (Jarque–Bera)"
    if math.isnan(found.normal_p):
        normal = "Not defined: days are too few, or do not vary"
    said = "Whether they are normal is not defined: days are too few, or do not vary."
    if math.isfinite(found.normal_p):
        said = (
            "They may be normal." if found.normal_p > 0.05 else "They are not normal: models that suppose so are wrong."
        )
    figures = Tiles(
        small=True,
        tiles=(
            Tile(label="Mean day", value=found.mean, kind="fraction"),
            Tile(label="Median day", value=found.median, kind="fraction"),
            Tile(label="Deviation of a day", value=found.deviation, kind="fraction"),
            Tile(label="Skew", value=found.skew, kind="ratio", meaning="Below 0: the large days are losses"),
            Tile(label="Kurtosis", value=found.kurtosis, kind="ratio", meaning="3 if normal; above: more extreme days"),
            Tile(label="Normal after all", value=found.normal_p, kind="fraction", meaning=normal),
            Tile(label="Tail of losses", value=found.loss_index, kind="ratio", meaning=tail),
            Tile(label="Tail of gains", value=found.gain_index, kind="ratio", meaning=tail),
        ),
    )  # fmt: skip
    return [Text(title="How the days are distributed", sentences=(said,)), figures]


def _dependence(own: Daily) -> list[Block]:
    blocks: list[Block] = []
    n = len(own.returns)
    if n < 4 * _BOX:
        return [Text(sentences=(f"Autocorrelation is not defined: {n} days are fewer than {4 * _BOX}.",))]
    for what, values in (("returns", own.returns), ("squared returns", own.returns**2)):
        found = autocorrelations(values, _LAGS)
        _, p = ljung_box(values, _BOX)
        if math.isnan(p):
            return [Text(sentences=("Autocorrelation is not defined: the days do not vary.",))]
        edge = 1.96 / math.sqrt(n)
        meaning = "a day says something about those after it" if what == "returns" else "wild days come together"
        verdict = meaning if p < 0.05 else "no dependence is seen"
        blocks.append(
            Bars(
                title=f"Autocorrelation of daily {what}",
                labels=tuple(str(lag) for lag in range(1, _LAGS + 1)),
                values=found,
                kind="ratio",
                low=found - edge,
                high=found + edge,
                note=f"By lag in days, with 95 % bounds for days that are independent. Chance of all first {_BOX} if "
                f"there is none (Ljung–Box): {p:.2%}; {verdict}.",
            )
        )
    return blocks


def _stationarity(own: Daily) -> Table:
    log_worth = np.log(np.maximum(np.cumprod(1.0 + own.returns), 1e-300))
    rows = []
    for name, values in (("daily returns", own.returns), ("logarithm of equity", log_worth)):
        root, level = adf(values), kpss(values)
        rows.append((name, root.statistic, root.p, level.statistic, level.p, _judged(root, level)))
    return Table(
        name="stationarity",
        title="Stationarity",
        columns=(
            Column(label="Series"), Column(label="ADF", kind="ratio", meaning="Augmented Dickey–Fuller, a constant"),
            Column(label="p", kind="fraction", meaning="Small: it comes back, and does not wander off"),
            Column(label="KPSS", kind="ratio", meaning="Around a level"),
            Column(label="p", kind="fraction", meaning="Small: it does not keep to a level; between 1 and 10 %"),
            Column(label="In words"),
        ),
        rows=tuple(rows),
        note="Equity that earns is expected to wander; returns that wander would be earned in some times only.",
    )  # fmt: skip


def _judged(root: Tested, level: Tested) -> str:
    if math.isnan(root.p) or math.isnan(level.p):
        return "not defined: days are too few, or do not vary"
    if root.p < 0.05:
        return "keeps to one level" if level.p > 0.05 else "comes back, but its level shifts"
    return "cannot be told" if level.p > 0.05 else "wanders off"


def _regimes(own: Daily, held: Daily) -> list[Block]:
    found = statistics.regimes(own, held)
    if found is None:
        reason = held.reason or "it takes 100 days of the market that vary"
        return [Text(sentences=(f"Regimes of the market are not defined: {reason}.",))]
    rows = tuple((each.name, each.share, each.days, each.lasts, *each[4:]) for each in found)
    return [
        Table(
            name="regimes",
            title="Calm and wild markets",
            columns=(
                Column(label="Market"), Column(label="Share", kind="fraction"), Column(label="Days", kind="count"),
                Column(label="Lasts", kind="days", meaning="Expected days in a row"),
                Column(label="Market a year", kind="fraction", tone="sign"),
                Column(label="Market volatility", kind="fraction"),
                Column(label="Run a year", kind="fraction", tone="sign", meaning="Mean day × days a year"),
                Column(label="Run volatility", kind="fraction"), Column(label="Run Sharpe", kind="ratio"),
            ),
            rows=rows,
            note="Two states of a hidden Markov model, fitted to all days of the benchmark: told in hindsight, not "
            "to be traded.",
        )
    ]  # fmt: skip


def _persistence(own: Daily) -> list[Block]:
    found = statistics.persistence(own)
    stretches = (*found.halves, *found.quarters)
    if not stretches:
        return [Text(sentences=("Persistence is not defined: there are too few days to compare.",))]
    rows = []
    for each in stretches:
        name = each.name if "half" in each.name else f"{each.name} quarter"
        rows.append((name, _day(each.first), _day(each.last), each.growth, each.sharpe))
    said = f"Good {found.window}-day windows following good ones: not defined, there are too few of them."
    if math.isfinite(found.correlation):
        said = (
            f"Sharpe ratios of {found.windows} neighbouring {found.window}-day windows have a rank correlation of "
            f"{found.correlation:.2f} (chance {found.p:.0%})."
        )
    runs = "Days above and below the median: not defined, they are too few."
    if math.isfinite(found.runs.p):
        order = "as in a random order" if found.runs.p > 0.05 else "not as in a random order"
        runs = (
            f"Days above and below the median change sides {found.runs.runs} times, where chance gives "
            f"{found.runs.expected:.0f}: {order} (chance {found.runs.p:.0%})."
        )
    columns = (*_SPAN, Column(label="Return", kind="fraction", tone="sign"), Column(label="Sharpe", kind="ratio"))
    note = f"{said} {runs}"
    return [Table(name="persistence", title="Did it last?", columns=columns, rows=tuple(rows), note=note)]


# -- small things ------------------------------------------------------------------------------------------------------

_SPAN = (Column(label="Window"), Column(label="From"), Column(label="To"))
_HELD = Column(label="Buy and hold", kind="fraction", tone="sign", meaning="The benchmark over the same days")


def _tail(returns: Floats, share: float) -> Tail:
    """The worst days; NaN where less than one day lies beyond."""
    return tail_of(returns, share) if len(returns) * share >= 1.0 else Tail(share, *[NAN] * 5)


def _limit(report: Report) -> float | None:
    """The drawdown at which the run's own risk rules stop it; None where they do not."""
    settings = yaml.safe_load(report.config_yaml)
    rules = settings.get("risk") if isinstance(settings, dict) else None
    limit = rules.get("max_drawdown") if isinstance(rules, dict) else None
    return float(limit) if isinstance(limit, int | float) and 0.0 < limit < 1.0 else None


def _over(found: Resampled, depth: float) -> float:
    return float((found.paths.depth > depth).mean())


def _quantiles(values: Floats) -> list[float]:
    known = values[np.isfinite(values)]
    return [float(value) for value in np.quantile(known, QUANTILES)] if len(known) else [NAN] * len(QUANTILES)


def _day(number: int) -> str:
    return iso(number * DAY_US)[:10]
