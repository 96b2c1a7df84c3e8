"""Splits: which observations are learned from, and which are kept to be tested on. Pure functions over int64.

An observation i is made at `t0[i]`, and what became of it (its label) is known at `t1[i]` ≥ `t0[i]`; both in any unit
of time that the caller likes, as long as embargoes are in the same. Observations are in the order of t0.

Two things leak from a test into training, and are taken out of it (López de Prado, M. (2018), *Advances in Financial
Machine Learning*, Wiley, chapter 7):
- purge: labels that overlap the span of a test's labels were made from the same prices. Spans are closed: a label that
  ends at the moment when a test begins is out, too.
- embargo: what follows right upon a test is correlated with it, though no label overlaps. It holds after a test only.
"""

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from truewind.numerics.performance import Ints


class Window(NamedTuple):
    """One step of a walk-forward: half-open spans of time to learn from, and to test on."""

    train_start: int
    train_end: int
    test_start: int
    test_end: int


class Split(NamedTuple):
    """One way to divide the observations. train, test: their numbers, ascending. groups: those that are tested."""

    train: Ints
    test: Ints
    groups: tuple[int, ...]


def walk_forward(
    start: int, end: int, *, train: int, test: int, embargo: int = 0, anchored: bool = False
) -> list[Window]:
    """Windows that follow each other through [start, end): train, then a gap of `embargo`, then test.

    Tests follow upon each other without a gap and do not overlap. anchored: every training begins at `start` and grows
    by `test` from one to the next; otherwise (rolling) all are `train` long. What is left at the end is a last, shorter
    test if it is at least half of one. Empty if there is no room for one window.
    Raises ValueError for lengths that are not positive, and for a negative embargo.
    """
    if train <= 0 or test <= 0 or embargo < 0:
        raise ValueError(f"train {train} and test {test} must be positive, embargo {embargo} not negative")
    found, begin = [], start + train + embargo
    while 2 * (end - begin) >= test and begin < end:
        learned = begin - embargo
        found.append(Window(start if anchored else learned - train, learned, begin, min(begin + test, end)))
        begin += test
    return found


def group_edges(count: int, groups: int) -> Ints:
    """The first observation of each of `groups` groups as equal as can be, and `count`; the first ones are larger.

    Raises ValueError for fewer than one observation a group.
    """
    if not 1 <= groups <= count:
        raise ValueError(f"{count} observations make no {groups} groups")
    sizes = np.full(groups, count // groups, np.int64)
    sizes[: count % groups] += 1
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))


def path_count(groups: int, tested: int) -> int:
    """How often each group is tested, and so how many whole paths the splits make: φ = C(N, k) · k / N."""
    return comb(groups, tested) * tested // groups


def purged(t0: Ints, t1: Ints, first: int, last: int, embargo: int = 0) -> NDArray[np.bool_]:
    """Which observations may be learned from where those from number `first` to `last` (both) are tested on.

    Out are those tested, those whose label overlaps the closed span from the first t0 to the greatest t1 of them, and
    those that begin within `embargo` after that span.
    """
    begin, end = t0[first], int(t1[first : last + 1].max())
    # Written so that no sum overflows where an embargo is "for ever".
    kept: NDArray[np.bool_] = (t1 < begin) | ((t0 > end) & (t0 - end > embargo))
    kept[first : last + 1] = False
    return kept


def combinatorial(t0: Ints, t1: Ints, *, groups: int = 6, tested: int = 2, embargo: int = 0) -> list[Split]:
    """Combinatorial purged cross-validation (ibid., chapter 12): all ways to test `tested` of `groups` groups of
    observations that follow each other, with what remains of the others, purged and embargoed, to learn from.

    In the order of `itertools.combinations`, as `paths` counts them. A training set may be empty where labels are long.
    Raises ValueError for times that do not ascend, labels that end before they begin, and impossible counts.
    """
    t0, t1 = np.asarray(t0, np.int64), np.asarray(t1, np.int64)
    if t0.shape != t1.shape or (np.diff(t0) < 0).any() or (t1 < t0).any():
        raise ValueError("t0 must ascend, and each t1 be at or after its t0")
    if not 1 <= tested < groups:
        raise ValueError(f"{tested} of {groups} groups leave nothing to learn from, or nothing to test on")
    edges = group_edges(len(t0), groups)
    free = [purged(t0, t1, int(edges[g]), int(edges[g + 1]) - 1, embargo) for g in range(groups)]
    found = []
    for chosen in combinations(range(groups), tested):
        train = np.logical_and.reduce([free[g] for g in chosen])
        test = np.concatenate([np.arange(edges[g], edges[g + 1]) for g in chosen])
        found.append(Split(np.flatnonzero(train), test, chosen))
    return found


def paths(groups: int, tested: int) -> Ints:
    """Of each path (row) and group (column) the number of the split that tests the group in this path.

    A path takes every group once; a split gives each of its groups to one path. Paths × groups, as in figure 12.1.
    """
    found = np.zeros((path_count(groups, tested), groups), np.int64)
    used = [0] * groups
    for number, chosen in enumerate(combinations(range(groups), tested)):
        for group in chosen:
            found[used[group], group] = number
            used[group] += 1
    return found
