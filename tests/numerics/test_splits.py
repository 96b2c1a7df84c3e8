"""Splits: what is learned from has seen nothing of what is tested on, and nothing is tested twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.splits import combinatorial, group_edges, path_count, paths, purged, walk_forward


@st.composite
def labelled(draw):
    """t0, t1: observations at times that may repeat, with labels of any length."""
    steps = draw(st.lists(st.integers(0, 5), min_size=8, max_size=60))
    t0 = np.cumsum(np.array(steps, np.int64))
    lengths = draw(st.lists(st.integers(0, 12), min_size=len(steps), max_size=len(steps)))
    return t0, t0 + np.array(lengths, np.int64)


@st.composite
def divisions(draw):
    groups = draw(st.integers(2, 7))
    return groups, draw(st.integers(1, groups - 1))


@given(labelled(), divisions(), st.integers(0, 10))
def test_the_purge_is_that_of_a_comparison_of_all_with_all(times, division, embargo):
    """Every pair by itself: which training labels touch the span of a tested group, or begin in its embargo."""
    (t0, t1), (groups, tested) = times, division
    edges = group_edges(len(t0), groups)
    for split in combinatorial(t0, t1, groups=groups, tested=tested, embargo=embargo):
        allowed = []
        for i in range(len(t0)):
            ok = i not in split.test
            for group in split.groups:
                members = range(edges[group], edges[group + 1])
                begin, end = min(t0[j] for j in members), max(t1[j] for j in members)
                touches = t0[i] <= end and begin <= t1[i]
                ok = ok and not touches and not end < t0[i] <= end + embargo
            if ok:
                allowed.append(i)
        assert split.train.tolist() == allowed


@given(labelled(), divisions(), st.integers(0, 10))
def test_no_training_label_overlaps_a_tested_one_or_follows_it_too_soon(times, division, embargo):
    """Label by label, which is what leaks."""
    (t0, t1), (groups, tested) = times, division
    for split in combinatorial(t0, t1, groups=groups, tested=tested, embargo=embargo):
        for j in split.test:
            assert not ((t0[split.train] <= t1[j]) & (t1[split.train] >= t0[j])).any()
            after = t0[split.train] - t1[j]
            assert not ((after > 0) & (after <= embargo)).any()


@given(labelled(), divisions())
def test_every_path_tests_every_observation_once(times, division):
    """And every split gives each of its groups to one path."""
    (t0, t1), (groups, tested) = times, division
    splits, edges = combinatorial(t0, t1, groups=groups, tested=tested), group_edges(len(t0), groups)
    given_out = []
    for path in paths(groups, tested):
        seen = []
        for group, number in enumerate(path):
            assert group in splits[number].groups
            given_out.append((group, number))
            seen += [i for i in splits[number].test if edges[group] <= i < edges[group + 1]]
        assert seen == list(range(len(t0)))
    assert len(set(given_out)) == len(given_out) == path_count(groups, tested) * groups


@given(
    st.integers(-50, 50), st.integers(1, 300), st.integers(1, 60), st.integers(1, 40), st.integers(0, 9), st.booleans()
)
def test_windows_go_forward(start, length, train, test, embargo, anchored):
    """Tests follow each other to the end, a gap after their training; anchored trainings grow, rolling ones do not."""
    windows = walk_forward(start, start + length, train=train, test=test, embargo=embargo, anchored=anchored)
    begin = start + train + embargo
    for number, window in enumerate(windows):
        assert window.test_start == begin + number * test
        assert window.train_end == window.test_start - embargo
        assert window.train_start == (start if anchored else start + number * test)
        assert window.train_end - window.train_start == train + (number * test if anchored else 0)
        assert window.test_end <= start + length
    assert all(window.test_end - window.test_start == test for window in windows[:-1])
    left = start + length - (windows[-1].test_end if windows else begin)
    assert left <= 0 or 2 * left < test


def test_an_endless_embargo_leaves_what_came_before():
    """No sum overflows."""
    t0 = np.arange(10)
    assert purged(t0, t0, 4, 5, np.iinfo(np.int64).max).nonzero()[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("t0", "t1", "groups", "tested", "why"),
    [
        ([1, 0], [1, 1], 2, 1, "ascend"),
        ([0, 1], [0, 0], 2, 1, "after its t0"),
        ([0, 1], [0, 1], 3, 1, "2 observations"),
        ([0, 1], [0, 1], 2, 2, "2 of 2 groups"),
        ([], [], 2, 1, "0 observations"),
    ],
)
def test_impossible_divisions_are_refused(t0, t1, groups, tested, why):
    """Times in disorder, labels that end before they begin, too few observations, nothing to learn from."""
    with pytest.raises(ValueError, match=why):
        combinatorial(np.array(t0, np.int64), np.array(t1, np.int64), groups=groups, tested=tested)


def test_a_walk_without_length_is_refused():
    """Lengths are positive."""
    with pytest.raises(ValueError, match="positive"):
        walk_forward(0, 10, train=0, test=1)
