"""Clusters: near copies count once, independent trials each; the equivalent number gives the error that it promises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import examples
from truewind.numerics.clusters import clusters, equivalent_trials
from truewind.numerics.significance import family_wise, normal_cdf
from truewind.numerics.sketch import sketches

DAYS = np.arange(19_000, 20_000)


def groups(seed: int, count: int, copies: int, noise: float = 0.05) -> np.ndarray:
    draws = np.random.default_rng(seed)
    ideas = np.repeat(draws.normal(size=(count, len(DAYS))), copies, axis=0)
    return sketches(DAYS, ideas + noise * draws.normal(size=ideas.shape))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 12))
@examples(30)
def test_near_copies_are_one(seed, count, copies):
    rows = groups(seed, count, copies)
    labels = clusters(rows)
    assert labels.tolist() == np.repeat(np.arange(count), copies).tolist()
    assert 0.7 * count < equivalent_trials(rows) < 2.2 * count


def test_independent_trials_are_as_many_as_they_are():
    rows = groups(1, 1000, 1)
    assert clusters(rows).max() + 1 == 1000
    assert equivalent_trials(rows) == pytest.approx(1000, rel=0.2)


def test_one_trial_is_one_and_none_is_none():
    one = groups(2, 1, 1)
    assert clusters(one).tolist() == [0]
    assert equivalent_trials(one) == 1.0
    flat = np.zeros((3, 128), np.float32)
    assert clusters(flat).tolist() == [-1, -1, -1]
    assert equivalent_trials(flat) == 0.0
    assert clusters(flat[:0]).tolist() == []
    mixed = np.concatenate((flat, one, flat))
    assert clusters(mixed).tolist() == [-1, -1, -1, 0, -1, -1, -1]
    assert equivalent_trials(mixed) == 1.0


def test_copies_change_nothing():
    rows = groups(3, 200, 1)
    many = np.tile(rows, (6, 1))  # more than are joined at a time
    assert clusters(many).tolist() == np.tile(clusters(rows), 6).tolist()
    assert equivalent_trials(many) == pytest.approx(equivalent_trials(rows), rel=1e-6)


def test_a_member_joins_the_leader_that_is_nearest():
    rows = np.zeros((4, 128), np.float32)
    rows[0, 0] = rows[1, 1] = rows[2, 2] = 1.0
    rows[3, :2] = 0.71, 0.75
    assert clusters(rows, joined=0.5).tolist() == [0, 1, 2, 1]


@pytest.mark.parametrize("common", [0.0, 0.5, 0.9])
def test_the_family_wise_error_is_exact(common):
    """Trials of no skill, correlated by `common`: the best one is significant at 5 % in 5 % of all samples."""
    draws = np.random.default_rng(4)
    trials, days, samples = 100, 250, 1500
    market = draws.normal(size=(samples, 1, days))
    alarms = []
    for sample in range(samples):
        returns = math.sqrt(common) * market[sample] + math.sqrt(1 - common) * draws.normal(size=(trials, days))
        if sample == 0:
            effective = equivalent_trials(sketches(DAYS[:days], returns))
        best = (returns.mean(axis=1) / returns.std(axis=1, ddof=1)).max() * math.sqrt(days)
        alarms.append(family_wise(normal_cdf(-best), effective) <= 0.05)
    # The number comes from one sample and its sketches; between 3 % and 7.5 % is what that allows.
    assert 0.03 < np.mean(alarms) < 0.075
