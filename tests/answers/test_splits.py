"""Splits against published counts, figures and another library."""

import numpy as np
import pytest
from sklearn.model_selection import TimeSeriesSplit

from truewind.numerics.splits import combinatorial, path_count, paths, walk_forward

# López de Prado (2018), section 12.3 and 12.4.1: φ[N, k] = k/N · C(N, k); φ[N, 2] = N − 1; φ[N, N/2] = C(N, N/2) / 2.
COUNTS = {(6, 2): (15, 5), (10, 2): (45, 9), (6, 1): (6, 1), (10, 5): (252, 126), (16, 2): (120, 15)}


@pytest.mark.parametrize(("groups", "tested"), COUNTS)
def test_published_numbers_of_splits_and_paths(groups: int, tested: int) -> None:
    """C(N, k) splits and φ paths."""
    t0 = np.arange(64)
    assert len(combinatorial(t0, t0, groups=groups, tested=tested)) == COUNTS[groups, tested][0]
    assert path_count(groups, tested) == COUNTS[groups, tested][1]
    assert paths(groups, tested).shape == (COUNTS[groups, tested][1], groups)


def test_the_published_assignment_of_groups_to_paths() -> None:
    """Figures 12.1 and 12.2: with N = 6, k = 2 path 1 is made of G1 and G2 of split S1, G3 of S2, … G6 of S5; path 2 of
    G1 of S2, G2 of S6, G3 of S6, G4 of S7, G5 of S8, G6 of S9 (splits counted from 1).
    """
    found = paths(6, 2) + 1
    assert found[0].tolist() == [1, 1, 2, 3, 4, 5]
    assert found[1].tolist() == [2, 6, 6, 7, 8, 9]
    assert found[4].tolist() == [5, 9, 12, 14, 15, 15]


@pytest.mark.parametrize("gap", [0, 3])
@pytest.mark.parametrize("anchored", [True, False])
def test_walk_forward_is_that_of_scikit_learn(anchored: bool, gap: int) -> None:
    """Where all tests are of one length: TimeSeriesSplit(n_splits=5, test_size=10, gap), rolling by max_train_size."""
    rows, first = 100, 100 - 5 * 10 - gap
    theirs = TimeSeriesSplit(n_splits=5, test_size=10, gap=gap, max_train_size=None if anchored else first)
    ours = walk_forward(0, rows, train=first, test=10, embargo=gap, anchored=anchored)
    assert len(ours) == 5
    for window, (train, test) in zip(ours, theirs.split(np.arange(rows)), strict=True):
        assert np.arange(window.train_start, window.train_end).tolist() == train.tolist()
        assert np.arange(window.test_start, window.test_end).tolist() == test.tolist()
