"""Rolling moments and lines against exact arithmetic over the window itself."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.extremes import rolling_max_age
from truewind.numerics.moments import (
    rolling_centre,
    rolling_line,
    rolling_mean_deviation,
    rolling_moments,
    rolling_slope,
    rolling_weighted,
)

prices = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))  # squares of what is smaller than a digit of a price vanish
values = st.lists(prices, min_size=1, max_size=60)
far = st.builds(lambda xs, level: [x + level for x in xs], values, st.sampled_from([0.0, 1e9, -1e12]))
lengths = st.integers(1, 20)
EPSILON = 2.3e-16


def walked(step: Any, outputs: int, xs: list[float], length: int, memory: int, *state: float) -> list[list[float]]:
    """Outputs of the Python face of `step`, row by row."""
    window = np.zeros(memory * length)
    found = []
    for x in xs:
        row = step.py_func(x, length, *state, window)
        found.append(list(row[:outputs]))
        state = row[outputs:]
    return found


def windows(xs: list[float], length: int) -> list[list[Fraction] | None]:
    return [None if end < length else list(map(Fraction, xs[end - length : end])) for end in range(1, len(xs) + 1)]


@given(far, lengths)
def test_mean_and_variance_keep_their_digits_at_any_level(xs: list[float], length: int) -> None:
    """The error is of the deviations, not of the values: 1e12 + noise has the variance of the noise."""
    centres = walked(rolling_centre, 1, xs, length, 1, 0, 0, 0.0, 0.0)
    moments = walked(rolling_moments, 2, xs, length, 2, 0, 0, 0.0, 0.0, 0.0)
    for (centre,), (mean, variance), window in zip(centres, moments, windows(xs, length), strict=True):
        if window is None:
            assert math.isnan(centre)
            assert math.isnan(mean)
            assert math.isnan(variance)
            continue
        exact = sum(window) / length
        square = sum((x - exact) ** 2 for x in window) / length
        slack = EPSILON * (abs(exact) + 4 * length * (max(window) - min(window)))
        assert abs(Fraction(centre) - exact) <= slack
        assert abs(Fraction(mean) - exact) <= slack
        assert abs(Fraction(variance) - square) <= 8 * EPSILON * length * length * square


@given(far, st.integers(2, 20))
def test_lines_are_those_of_least_squares(xs: list[float], length: int) -> None:
    """Σ (i − ī)(x − x̄) / Σ (i − ī)² in fractions, within the rounding of the window's range."""
    found = walked(rolling_line, 3, xs, length, 3, 0, 0, 0.0, 0.0, 0.0, 0.0)
    slopes = walked(rolling_slope, 1, xs, length, 1, 0, 0, 0.0, 0.0, 0.0)
    for (mean, slope, spread), (alone,), window in zip(found, slopes, windows(xs, length), strict=True):
        assert alone == slope or (math.isnan(alone) and math.isnan(slope))
        if window is None:
            assert math.isnan(slope)
            continue
        exact, middle = sum(window) / length, Fraction(length - 1, 2)
        across = sum((i - middle) * (x - exact) for i, x in enumerate(window))
        square = sum((x - exact) ** 2 for x in window)
        slack = 8 * EPSILON * length * (max(window) - min(window))
        assert abs(Fraction(mean) - exact) <= slack + EPSILON * abs(exact)
        assert abs(Fraction(slope) - across / sum((i - middle) ** 2 for i in range(length))) <= slack
        assert abs(Fraction(spread) - square) <= 8 * EPSILON * length * length * square


@given(values, lengths)
def test_weighted_sums_are_within_rounding_of_the_exact_ones(xs: list[float], length: int) -> None:
    for (found,), window in zip(
        walked(rolling_weighted, 1, xs, length, 1, 0, 0, 0.0, 0.0), windows(xs, length), strict=True
    ):
        if window is None:
            assert math.isnan(found)
            continue
        terms = [(i + 1) * x for i, x in enumerate(window)]
        assert abs(Fraction(found) - sum(terms)) <= 4 * length * EPSILON * length * sum(map(abs, window))


@given(far, lengths)
def test_mean_deviations_are_within_rounding_of_the_exact_ones(xs: list[float], length: int) -> None:
    found = walked(rolling_mean_deviation, 2, xs, length, 1, 0, 0)
    for (above, spread), window in zip(found, windows(xs, length), strict=True):
        if window is None:
            assert math.isnan(above)
            continue
        mean = sum(window) / length
        slack = 4 * EPSILON * length * (max(window) - min(window))
        assert abs(Fraction(above) - (window[-1] - mean)) <= slack
        assert abs(Fraction(spread) - sum(abs(x - mean) for x in window) / length) <= slack


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, -1.0]), min_size=1, max_size=60), lengths)
def test_ages_are_counted_from_the_latest_of_equal_extremes(xs: list[float], length: int) -> None:
    found = walked(rolling_max_age, 1, xs, length, 2, 0, 0, -math.inf, 0)
    for (age,), window in zip(found, windows(xs, length), strict=True):
        assert math.isnan(age) if window is None else age == window[::-1].index(max(window))


@pytest.mark.parametrize("level", [0.1, 1e-9, 123456.789])
@pytest.mark.parametrize("length", [1, 3, 20])
def test_equal_values_have_their_own_mean_and_no_variance_to_the_bit(level: float, length: int) -> None:
    """Also after a jump, at the first window that lies wholly behind it."""
    xs = [7.0] * 25 + [level] * 90
    moments = walked(rolling_moments, 2, xs, length, 2, 0, 0, 0.0, 0.0, 0.0)
    lines = walked(rolling_line, 3, xs, length, 3, 0, 0, 0.0, 0.0, 0.0, 0.0) if length > 1 else []
    for row in range(25 + length - 1, len(xs)):
        assert moments[row] == [level, 0.0]
        if length > 1:
            assert lines[row] == [level, 0.0, 0.0]
