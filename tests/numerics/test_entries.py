"""Trades at random times: they fit the market, do not overlap, and bring on average what the market brings."""

import itertools
import math

import numpy as np
import pytest

from truewind.numerics import entries
from truewind.numerics.entries import random_entries


def test_every_way_to_place_the_trades_comes_about():
    """Two trades of one bar in a market of three steps: three places without overlap, two orders; sums by hand."""
    closes = np.array([1.0, 2.0, 3.0, 6.0])
    steps = closes[1:] / closes[:-1] - 1.0
    weights = np.array([1.0, -0.1])
    expected = {round(weights[0] * steps[i] + weights[1] * steps[j], 9) for i, j in itertools.permutations(range(3), 2)}
    found = random_entries(closes, np.array([1, 1]), weights, 3000, seed=1)
    assert set(np.round(found, 9)) == expected


def test_a_market_that_is_filled_leaves_one_sum():
    """Held all the time, in whatever order: the growth of log-like small steps adds up to the same."""
    closes = np.array([100.0, 101.0, 102.0, 103.0])
    found = random_entries(closes, np.array([3]), np.array([2.0]), 50, seed=1)
    assert found == pytest.approx(2.0 * 0.03)


def test_trades_without_skill_earn_the_drift():
    """Long for five bars at random in a market that grows 0.1 % a bar: 20 × (1.001⁵ − 1) every time."""
    closes = 1.001 ** np.arange(1000)
    found = random_entries(closes, np.full(20, 5), np.ones(20), 100, seed=3)
    assert found == pytest.approx(20 * (1.001**5 - 1.0))


def test_trades_that_must_overlap_begin_each_by_itself():
    closes = 1.0 + 0.1 * np.sin(np.arange(50))
    found = random_entries(closes, np.full(30, 10), np.ones(30), 200, seed=3)
    assert np.isfinite(found).all()
    assert found.std() > 0.0


def test_longer_than_the_market_is_cut_to_it():
    assert random_entries(np.array([1.0, 2.0]), np.array([7]), np.array([1.0]), 3, seed=1).tolist() == [1.0] * 3


@pytest.mark.parametrize("closes", [[], [1.0], [1.0, 0.0, 2.0], [1.0, math.nan]])
def test_no_market_no_sum(closes):
    assert np.isnan(random_entries(np.array(closes), np.array([1]), np.array([1.0]), 3, seed=1)).all()


def test_plain_python_gives_the_same_bits():
    closes, sums = 1.0 + 0.1 * np.sin(np.arange(40)), (np.zeros(5), np.zeros(5))
    arguments = closes, np.array([3, 4, 5]), np.array([1.0, -1.0, 0.5]), 9
    entries._enter(*arguments, sums[0])
    entries._enter.py_func(*arguments, sums[1])
    assert sums[0].tobytes() == sums[1].tobytes()
