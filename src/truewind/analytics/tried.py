"""Tried: trials of the ledger, each judged by all that was tried in its place."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from truewind.analytics.luck import Crowd, Luck, crowd, luck_of
from truewind.errors import ConfigError, suggest
from truewind.numerics.performance import EVERY_DAY
from truewind.numerics.significance import Moments
from truewind.storage.trials import Trial, TrialLedger

_LESS_IS_BETTER = ("max_drawdown", "max_drawdown_days", "volatility", "fees", "slippage")


class Judged(NamedTuple):
    """A trial, and how much luck is in it."""

    trial: Trial
    luck: Luck


def judged(ledger: TrialLedger, trials: Iterable[Trial]) -> list[Judged]:
    """Trials with the luck that is in them: those of equal family, universe and span share one crowd."""
    crowds: dict[tuple[str, tuple[str, ...], int, int], Crowd] = {}
    found = []
    for trial in trials:
        like = trial.family, trial.universe, trial.start_us, trial.end_us
        if like not in crowds:
            crowds[like] = crowd(ledger.related(*like))
        moments = Moments(trial.days, trial.sharpe, trial.skew, trial.kurtosis)
        reason = "" if trial.days else "the trial has no daily returns"
        beside = crowds[like] if crowds[like].tried else None  # none: a fold or a session, which counts for nothing
        found.append(Judged(trial, luck_of(moments, days_a_year(trial), beside, reason)))
    return found


def ranked(trials: Sequence[Trial], by: str) -> list[Trial]:
    """Trials by a metric, the best first, without those of which it is not defined.

    Raises ConfigError for a metric that none of them has.
    """
    names = {name for trial in trials for name in trial.metrics}
    if trials and by not in names:
        raise ConfigError(f"No trial has a figure '{by}'", remedy=suggest(by, names))
    known = [(value, trial) for trial in trials if (value := trial.metrics.get(by)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=by not in _LESS_IS_BETTER)
    return [trial for _, trial in known]


def days_a_year(trial: Trial) -> int:
    """Trading days by which its figures are annualised: what it says, or what its two Sharpe ratios say."""
    told, yearly = trial.metrics.get("days_per_year"), trial.metrics.get("sharpe")
    if told is not None:
        return int(told)
    if yearly is None or math.isnan(trial.sharpe) or trial.sharpe == 0.0:
        return EVERY_DAY
    return round((yearly / trial.sharpe) ** 2)
