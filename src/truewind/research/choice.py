"""Choice: the best of the trials, chosen in one part of the past and traded in the others, on many paths.

What is cross-validated is the choice, not a strategy: in each split of combinatorial purged cross-validation the trial
with the best Sharpe ratio on the training days is chosen, and its returns on the tested days are what came of it. Put
together to paths that test every day once, they give a distribution where a walk-forward gives one number (López de
Prado 2018, chapter 12). Later days take part in choosing for earlier ones, so that it is no simulation of trading; but
no day is both learned from and tested, and none whose positions reach into a test, or follow right upon one.
"""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from truewind.numerics import performance
from truewind.numerics.performance import NAN, Floats, Ints
from truewind.numerics.splits import combinatorial, group_edges, paths

GROUPS, TESTED = 12, 3  # 220 splits, 55 paths
_DAYS = 5  # of a group, at least


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What came of choosing. sharpes (annualised), returns (net, of the whole time): of each path. hindsight: the best
    trial's Sharpe ratio over all days. chosen: how many different trials were. held_days: how much later than its day
    a day's positions are over, on average. purged: mean share of days outside of the test that may not be learned from.
    reason: why there are no paths, "" if there are.
    """

    groups: int
    tested: int
    splits: int
    sharpes: Floats
    returns: Floats
    hindsight: float
    chosen: int
    held_days: float
    embargo_days: int
    purged: float
    reason: str = ""

    @property
    def median(self) -> float:
        return float(np.median(self.sharpes)) if len(self.sharpes) else NAN

    @property
    def loss(self) -> float:
        """Share of paths that lost money."""
        return float(np.mean(self.returns < 0.0)) if len(self.returns) else NAN


def cross_validate(
    days: Ints,
    returns: NDArray[np.floating],
    days_per_year: int,
    *,
    until: Ints | None = None,
    embargo_days: int = 0,
    groups: int = GROUPS,
    tested: int = TESTED,
) -> Choice:
    """The paths of choosing among trials by their daily returns (trials × days). until: of each day the day on which
    the positions are over that are held on it (see `held_until`), by which days are purged; left out: the same day.
    A trial without a single return takes no part; days after ruin returned nothing.
    """
    until = days if until is None else until
    held = float(np.mean(until - days)) if len(days) else NAN
    groups = min(groups, len(days) // _DAYS)
    table = np.asarray(returns, np.float64)
    table = table[np.isfinite(table).any(axis=1)] if table.size else table.reshape(0, 0)
    table = np.where(np.isfinite(table), table, 0.0)
    reason = ""
    if len(table) < 2:
        reason = "there is one trial only, and nothing to choose from" if len(table) else "no trial has daily returns"
    elif groups <= tested:
        reason = f"{len(days)} days are too few, {(tested + 1) * _DAYS} are needed"
    if reason:
        return _nothing(groups, tested, held, embargo_days, reason)
    splits = combinatorial(days, until, groups=groups, tested=tested, embargo=embargo_days)
    chosen, gone = np.zeros(len(splits), np.int64), np.zeros(len(splits))
    for number, split in enumerate(splits):
        outside = len(days) - len(split.test)
        gone[number] = 1.0 - len(split.train) / outside
        values = _sharpes(table[:, split.train])
        if np.isnan(values).all():
            long = f"positions are held for {held:.0f} more days on average, which leaves no day to learn from"
            reason = "no trial's returns vary" if len(split.train) > 1 else long
            return _nothing(groups, tested, held, embargo_days, reason)
        chosen[number] = np.nanargmax(values)
    edges = group_edges(len(days), groups)
    made = np.array(
        [
            np.concatenate([table[chosen[split], edges[g] : edges[g + 1]] for g, split in enumerate(path)])
            for path in paths(groups, tested)
        ]
    )
    year = math.sqrt(days_per_year)
    return Choice(
        groups=groups,
        tested=tested,
        splits=len(splits),
        sharpes=np.array([performance.sharpe(path, days_per_year) for path in made]),
        returns=np.prod(1.0 + made, axis=1) - 1.0,
        hindsight=float(np.nanmax(_sharpes(table))) * year,
        chosen=len(np.unique(chosen)),
        held_days=held,
        embargo_days=embargo_days,
        purged=float(gone.mean()),
    )


def held_until(days: Ints, entries: Ints, exits: Ints) -> Ints:
    """Of each day the latest day on which a position ends that is held on it; the day itself where none is.

    entries, exits: days on which positions were opened and closed. The label of a day in the sense of the purge.
    """
    found = days.copy()
    for entry, end in zip(entries.tolist(), exits.tolist(), strict=True):
        first, last = np.searchsorted(days, entry), np.searchsorted(days, end, side="right")
        found[first:last] = np.maximum(found[first:last], end)
    return found


def _sharpes(table: Floats) -> Floats:
    """Of each trial, not annualised; NaN for fewer than two days, and where nothing varies."""
    if table.shape[1] < 2:
        return np.full(len(table), NAN)
    deviation = np.std(table, axis=1, ddof=1)
    found: Floats = np.divide(table.mean(axis=1), deviation, out=np.full(len(table), NAN), where=deviation > 1e-14)
    return found


def _nothing(groups: int, tested: int, held: float, embargo_days: int, reason: str) -> Choice:
    return Choice(
        groups=groups, tested=tested, splits=0, sharpes=np.zeros(0), returns=np.zeros(0), hindsight=NAN, chosen=0,
        held_days=held, embargo_days=embargo_days, purged=NAN, reason=reason,
    )  # fmt: skip
