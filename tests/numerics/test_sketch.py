"""Sketches: dot products are correlations on common days, whatever else the series hold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.sketch import DIRECTIONS, sketch, sketches

DAYS = np.arange(20_000, 21_000)


def series(seed: int, count: int = 1000) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, count) * 0.01


@given(st.integers(0, 2**32 - 1), st.floats(-1, 1))
def test_dot_products_are_correlations(seed, weight):
    one, other = series(seed), series(seed + 1)
    other = weight * one + (1 - abs(weight)) * other
    found = float(sketch(DAYS, one) @ sketch(DAYS, other))
    # A random direction errs by √((1 + ρ²) / 128); five of those.
    assert abs(found - np.corrcoef(one, other)[0, 1]) < 5 * np.sqrt(2 / DIRECTIONS)


def test_the_error_is_as_said():
    one = np.array([series(seed) for seed in range(200)])
    made = sketches(DAYS, one)
    apart = (made @ made.T - np.corrcoef(one))[np.triu_indices(200, 1)]
    assert abs(apart.mean()) < 0.01
    assert 0.07 < apart.std() < 0.1


def test_scale_level_and_order_of_days_do_not_matter():
    one = series(1)
    made = sketch(DAYS, one)
    assert np.allclose(sketch(DAYS, 3 * one + 0.1), made, atol=1e-6)
    shuffled = np.random.default_rng(2).permutation(1000)
    assert np.allclose(sketch(DAYS[shuffled], one[shuffled]), made, atol=1e-6)


def test_series_meet_on_the_days_that_they_share():
    one = series(1)
    early, late = sketch(DAYS[:500], one[:500]), sketch(DAYS[500:], one[500:])
    assert abs(float(early @ late)) < 0.45
    half = one.copy()
    half[500:] = np.nan
    assert np.allclose(sketch(DAYS, half), early, atol=1e-6)


def test_what_does_not_vary_is_zero():
    table = np.array([np.zeros(1000), np.full(1000, 0.3), np.full(1000, np.nan), series(3)])
    table[3, 1:] = np.nan
    assert not sketches(DAYS, table).any()
    assert sketches(DAYS, np.empty((0, 1000))).shape == (0, DIRECTIONS)
    assert not sketch(DAYS[:0], np.empty(0)).any()
    assert sketch(DAYS, series(1)).dtype == np.float32


def test_a_sketch_means_the_same_for_ever():
    """A ledger keeps sketches for years: these signs were drawn once, and must never change."""
    made = sketch(np.array([19_000, 19_001, 19_002]), np.array([0.0, 0.0, 3.0]))
    assert made.shape == (DIRECTIONS,)
    assert np.round(made[:6] * np.sqrt(DIRECTIONS * 6)).astype(int).tolist() == [4, -4, 4, 2, -2, 4]
