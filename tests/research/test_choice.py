"""Choice on many paths: what is chosen has not seen what it is tested on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics import performance
from truewind.numerics.splits import combinatorial, group_edges, paths
from truewind.research.choice import cross_validate, held_until


def noise(trials, days, seed=1, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 0.01, (trials, days))


@given(st.integers(2, 6), st.integers(60, 90), st.integers(0, 1000), st.integers(0, 3))
def test_paths_are_those_of_a_plain_loop(trials, count, seed, hold):
    """Split by split, path by path, group by group, with the best of each training."""
    days, returns = np.arange(count) + 19_000, noise(trials, count, seed)
    found = cross_validate(days, returns, 365, until=days + hold, embargo_days=2, groups=6, tested=2)
    best = [
        int(np.argmax([performance.sharpe(row[split.train], 365) for row in returns]))
        for split in combinatorial(days, days + hold, groups=6, tested=2, embargo=2)
    ]
    edges = group_edges(count, 6)
    for number, path in enumerate(paths(6, 2)):
        made = np.concatenate([returns[best[split], edges[g] : edges[g + 1]] for g, split in enumerate(path)])
        assert found.sharpes[number] == pytest.approx(performance.sharpe(made, 365))
        assert found.returns[number] == pytest.approx(np.prod(1 + made) - 1)
    assert found.splits == 15
    assert found.chosen == len(set(best))


def test_one_trial_that_is_truly_better_is_chosen_everywhere():
    """All paths are then its own."""
    returns = noise(20, 600)
    returns[7] += 0.01
    days = np.arange(600)
    found = cross_validate(days, returns, 365)
    assert found.chosen == 1
    np.testing.assert_allclose(found.sharpes, performance.sharpe(returns[7], 365))
    assert found.median == pytest.approx(found.hindsight)
    assert found.loss == 0.0


def test_choosing_among_noise_earns_nothing():
    """The best of a hundred shows a Sharpe ratio of about two in hindsight, and none on the paths."""
    medians, hindsight = [], []
    for seed in range(12):
        found = cross_validate(np.arange(500), noise(100, 500, seed), 365)
        medians.append(found.median)
        hindsight.append(found.hindsight)
    assert min(hindsight) > 1.2
    # A path of 500 days has an error of √(365/500) ≈ 0.85; the mean of twelve about 0.25.
    assert abs(np.mean(medians)) < 0.75


def test_a_day_reaches_as_far_as_its_positions():
    """One from the 2nd to the 5th day, one from the 4th to the 6th, none on the others."""
    days = np.arange(1, 9)
    assert held_until(days, np.array([2, 4]), np.array([5, 6])).tolist() == [1, 5, 5, 6, 6, 6, 7, 8]


@pytest.mark.parametrize(
    ("returns", "hold", "why"),
    [
        (np.zeros((0, 90)), 0, "no trial has daily returns"),
        (noise(1, 90), 0, "one trial only"),
        (np.full((3, 90), np.nan), 0, "no trial has daily returns"),
        (noise(3, 12), 0, "12 days are too few"),
        (np.zeros((3, 90)), 0, "no trial's returns vary"),
        (noise(3, 90), 1000, "leaves no day to learn from"),
    ],
)
def test_what_is_not_defined_says_why(returns, hold, why):
    """No paths, and NaN for what would be read from them."""
    days = np.arange(returns.shape[1])
    found = cross_validate(days, returns, 365, until=days + hold)
    assert why in found.reason
    assert np.isnan(found.median)
    assert np.isnan(found.loss)


def test_days_after_ruin_return_nothing():
    """A trial that was ruined is a bad choice, not an unknown one."""
    returns = noise(2, 120, mean=0.001)
    returns[0, 40], returns[0, 41:] = -1.0, np.nan
    found = cross_validate(np.arange(120), returns, 365)
    assert np.isfinite(found.sharpes).all()
