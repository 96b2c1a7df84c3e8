"""Luck: how likely it is that a run looks so good only because so much was tried.

    what the ledger knows of its like → Crowd ┐
    the run's own daily returns → Moments     ┴► Luck → words, evidence for the gate, a section of the report

A crowd is reckoned when a run ends and is kept in its folder, since the ledger goes on growing; all else follows from
it. What is not known is said, not guessed: without a ledger nobody can tell how much was tried.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from truewind.analytics.daily import daily
from truewind.analytics.gate import Evidence, GateSettings, Judgement, judge
from truewind.analytics.report import Report
from truewind.numerics import significance
from truewind.numerics.clusters import clusters, equivalent_trials
from truewind.numerics.overfit import cscv, superior
from truewind.numerics.performance import NAN, Floats, Ints
from truewind.numerics.significance import Moments
from truewind.numerics.sketch import sketches

if TYPE_CHECKING:
    from truewind.storage.trials import Related

FEWEST_DAYS = 30  # below that, a Sharpe ratio is nowhere near normal, and its error unknown
_BINS = 40


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """All that was tried in the place of a run, itself among it; what was deleted counts too. Sharpe ratios of a day.

    tried: how many. deleted: tombstones among them. silent: those without a Sharpe ratio (they never traded, or ran
    for too short). different: clusters of correlated trials. equivalent: how many independent trials would have
    so lucky a best one (see `numerics.clusters`). spread: standard deviation of Sharpe ratios across clusters, each by
    the mean of its members; None below two. edges, counts: a histogram of all Sharpe ratios. best: the greatest.
    """

    tried: int
    deleted: int
    silent: int
    different: int
    equivalent: float
    spread: float | None
    best: float | None
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


class Luck(msgspec.Struct, frozen=True, kw_only=True):
    """Sharpe ratios of a day; `year`: trading days. Each figure is NaN where it is not defined, and `reason` says why.

    probabilistic: the chance that the true Sharpe ratio is above 0, had this been the only try. threshold: what the
    best of `crowd.different` independent tries shows by luck. deflated: the chance that the true one is above that.
    chance: that the best of all tries looks as good as this one by luck alone. haircut: the Sharpe ratio that would say
    as much if it were the only try. needed_days: minimum track record against 0, at 95 %.
    """

    moments: Moments
    year: int
    crowd: Crowd | None
    probabilistic: float = NAN
    threshold: float = NAN
    deflated: float = NAN
    chance: float = NAN
    haircut: float = NAN
    needed_days: float = NAN
    reason: str = ""


def crowd(related: "Related") -> Crowd:
    """What matters of the trials that a ledger holds beside a run: see `TrialLedger.related`."""
    return _crowd(related.sharpes, related.sketches, related.deleted)


def _crowd(sharpes: Floats, sketches: NDArray[np.float32], deleted: int = 0) -> Crowd:
    tried = len(sharpes)
    known = np.isfinite(sharpes)
    sharpes, rows = sharpes[known], sketches[known]
    labels = clusters(rows)
    count = int(labels.max(initial=-1)) + 1
    spread = None
    if count > 1:
        members = labels >= 0
        sums = np.bincount(labels[members], weights=sharpes[members], minlength=count)
        spread = float(np.std(sums / np.bincount(labels[members], minlength=count), ddof=1))
    edges, counts = np.empty(0), np.empty(0)
    if len(sharpes):
        # The few that lost fastest would flatten all others into one bar: they stand in the first bin.
        low, high = float(np.quantile(sharpes, 0.005)), float(sharpes.max())
        shown = np.clip(sharpes, low, high)
        counts, edges = np.histogram(shown, bins=min(_BINS, max(5, math.isqrt(len(shown)))))
    return Crowd(
        tried=tried,
        deleted=deleted,
        silent=int((~known).sum()),
        different=count,
        equivalent=equivalent_trials(rows),
        spread=spread,
        best=float(sharpes.max()) if len(sharpes) else None,
        edges=tuple(edges.tolist()),
        counts=tuple(int(each) for each in counts),
    )


def known(report: Report) -> Crowd | None:
    """The crowd that a run's folder tells of; None where it was not recorded."""
    told: Mapping[str, Any] | None = report.trials
    if not told or "equivalent" not in told:
        return None
    return msgspec.convert({name: told[name] for name in Crowd.__struct_fields__ if name in told}, Crowd)


def assess(report: Report) -> Luck:
    """How much luck is in a run, by its folder."""
    own = daily(report)
    return luck_of(significance.moments(own.returns), own.year, known(report), own.reason)


def luck_of(moments: Moments, year: int, beside: Crowd | None, reason: str = "") -> Luck:
    """How much luck is in returns of these moments, chosen from that crowd. reason: why there are no returns, if so."""
    if not reason and moments.periods < FEWEST_DAYS:
        reason = f"{moments.periods} daily returns are too few to say anything of luck, {FEWEST_DAYS} are needed"
    if not reason and math.isnan(moments.sharpe):
        reason = "equity does not vary from day to day"
    if reason:
        return Luck(moments=moments, year=year, crowd=beside, reason=reason)
    days, sharpe, shape = moments.periods, moments.sharpe, (moments.skew, moments.kurtosis)
    alone = Luck(
        moments=moments,
        year=year,
        crowd=beside,
        probabilistic=significance.probabilistic_sharpe(sharpe, 0.0, days, *shape),
        needed_days=significance.minimum_track_record(sharpe, 0.0, *shape),
        reason="the run was not recorded in the ledger of trials, so nobody knows how much was tried",
    )
    if beside is None:
        return alone
    # Clusters that happen to be alike must not make luck seem smaller than the error of a single Sharpe ratio.
    variance = max((beside.spread or 0.0) ** 2, 1.0 / days)
    tries = max(beside.different, 1)
    single = significance.normal_cdf(-significance.z_score(sharpe, 0.0, days, *shape))
    return msgspec.structs.replace(
        alone,
        reason="",
        threshold=significance.expected_maximum(variance, tries),
        deflated=significance.deflated_sharpe(sharpe, variance, tries, days, *shape),
        chance=significance.family_wise(single, max(beside.equivalent, 1.0)),
        haircut=significance.haircut_sharpe(sharpe, max(beside.equivalent, 1.0), days, *shape),
    )


def among(days: Ints, returns: NDArray[np.floating], trial: int, year: int) -> Evidence:
    """What a sweep alone tells the gate of the trial that was chosen in it.

    returns: (trials × days) of every trial, NaN where one has none. trial: the row of the one that is judged. It is
    tested by Hansen's test against all others, by CSCV, and by the crowd that the sweep is, as a ledger would have it.
    """
    table = np.asarray(returns, np.float64)
    sharpes = np.array([significance.moments(row).sharpe for row in table])
    beside = _crowd(sharpes, sketches(days, table))
    own = luck_of(significance.moments(table[trial]), year, beside)
    tested, chosen = superior(table.T, of=trial), cscv(table.T)
    return Evidence(
        tried=len(table),
        luck=own.chance,
        superior=tested.consistent,
        tested=len(table),
        deflated=own.deflated,
        overfit=chosen.probability,
        overfit_loss=chosen.loss,
        days=own.moments.periods,
        needed_days=None if own.reason else own.needed_days,
        reasons={"luck": own.reason or tested.reason, "overfit": chosen.reason},
    )


def words(found: Luck) -> tuple[str, ...]:
    """What a reader must know of luck, in sentences: how much was tried, what luck alone gives, and the chances."""
    beside = found.crowd
    if found.reason or beside is None:
        return (f"How much of it is luck is not defined: {found.reason}.",)
    if beside.tried < 2:
        return (
            "The only variant of this strategy tried on these markets and dates, as far as the ledger knows.",
            f"Chance that its true Sharpe ratio is above zero: {percent(found.probabilistic)}.",
        )
    gone = f" ({beside.deleted:,} of them deleted since)" if beside.deleted else ""
    tried = f"Of {beside.tried:,} variants tried{gone}"
    if beside.different < 2:
        return (
            f"{tried} all are shades of one; the best of them would look as good by luck alone with a chance of "
            f"{percent(found.chance)}.",
            f"Chance that its true Sharpe ratio is above zero, were it the only one: {percent(found.probabilistic)}.",
        )
    year = math.sqrt(found.year)
    return (
        f"{tried}, about {beside.different:,} are different ones; the best of so many would show a Sharpe ratio of "
        f"{found.threshold * year:.1f} by luck alone, and this one shows {found.moments.sharpe * year:.1f}.",
        f"Chance that this one is better than luck: {percent(found.deflated)}.",
    )


def in_short(found: Luck) -> str:
    """What stands beside a Sharpe ratio where there is no room for sentences."""
    beside = found.crowd
    if beside is None or found.reason:
        return ""
    return f"deflated {percent(found.deflated)}; of {beside.tried:,} tried, {beside.different:,} different"


def facts(found: Luck) -> dict[str, Any]:
    """The figures for programs, None where one is not defined, Sharpe ratios annualised."""
    beside, year = found.crowd, math.sqrt(found.year)
    figures = {
        "deflated": found.deflated,
        "probabilistic": found.probabilistic,
        "threshold": found.threshold * year,
        "haircut": found.haircut * year,
        "chance": found.chance,
    }
    return {
        "tried": beside.tried if beside else None,
        "deleted": beside.deleted if beside else None,
        "different": beside.different if beside else None,
        **{name: None if math.isnan(value) else value for name, value in figures.items()},
        "not_defined": found.reason or None,
    }


def evidence(report: Report, found: Luck) -> Evidence:
    """What a run and the ledger, without a validation, tell the gate."""
    summary = report.summary
    defined = not math.isnan(found.chance)
    return Evidence(
        tried=found.crowd.tried if found.crowd else None,
        luck=found.chance if defined else None,
        deflated=found.deflated if defined else None,
        days=found.moments.periods,
        needed_days=None if math.isnan(found.probabilistic) else found.needed_days,
        trades=summary.get("trades"),
        drawdown=summary.get("max_drawdown"),
        reasons={"luck": found.reason, "drawdown": "equity was never valued"},
    )


def judged(report: Report, found: Luck | None = None) -> Judgement:
    """The gate's verdict on a run, by all that its folder holds: run, ledger and, if there is one, validation.

    `validation.json` may hold `evidence` (fields of `gate.Evidence`; what is None there adds nothing) and `gate`
    (settings). An older or newer version's fields are passed over.
    """
    told = evidence(report, found or assess(report))
    validation = getattr(report, "validation", None) or {}
    later = {
        name: value
        for name, value in (validation.get("evidence") or {}).items()
        if value is not None and name in Evidence.__struct_fields__
    }
    reasons = {**told.reasons, **later.pop("reasons", {})}
    return judge(msgspec.structs.replace(told, **later, reasons=reasons), GateSettings(**validation.get("gate") or {}))


def percent(chance: float) -> str:
    """A chance in words' precision: never 0 % or 100 %, which nothing ever is."""
    if math.isnan(chance):
        return "not defined"
    if chance < 0.01:
        return "under 1 %"
    return "over 99 %" if chance > 0.99 else f"{chance * 100:.0f} %"
