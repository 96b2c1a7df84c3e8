"""Rolling statistics against exact arithmetic over the window itself."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.ring import lag
from truewind.numerics.rolling import rolling_max, rolling_mean, rolling_min, rolling_sum, rolling_sums

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
lengths = st.integers(1, 20)


def walked(step: Any, xs: list[float], length: int, *state: float) -> list[float]:
    """Outputs of the Python face of `step`, row by row."""
    window = np.zeros(length)
    outputs = []
    for x in xs:
        output, *state = step.py_func(x, length, *state, window)
        outputs.append(output)
    return outputs


def windows(xs: list[float], length: int) -> list[list[float] | None]:
    return [None if end < length else xs[end - length : end] for end in range(1, len(xs) + 1)]


@given(values, lengths)
def test_sum_and_mean_are_within_rounding_of_the_exact_ones(xs: list[float], length: int) -> None:
    """The error is that of adding `length` numbers once, however long the walk."""
    sums = walked(rolling_sum, xs, length, 0, 0, 0.0)
    means = walked(rolling_mean, xs, length, 0, 0, 0.0)
    for total, mean, window in zip(sums, means, windows(xs, length), strict=True):
        if window is None:
            assert math.isnan(total)
            assert math.isnan(mean)
            continue
        exact = sum(map(Fraction, window))
        slack = length * 2.3e-16 * sum(map(abs, window))
        assert abs(Fraction(total) - exact) <= slack
        assert abs(Fraction(mean) - exact / length) <= slack


@given(values, lengths)
def test_two_sums_at_once_are_the_two_sums(xs: list[float], length: int) -> None:
    """Bit for bit, of any values and of their squares."""
    window, state = np.zeros(2 * length), (0, 0, 0.0, 0.0)
    both = []
    for x in xs:
        first, second, *state = rolling_sums.py_func(x, x * x, length, *state, window)
        both.append((first, second))
    apart = zip(*(walked(rolling_sum, values, length, 0, 0, 0.0) for values in (xs, [x * x for x in xs])), strict=True)
    np.testing.assert_array_equal(both, list(apart))


@pytest.mark.parametrize(("step", "first", "choose"), [(rolling_max, -math.inf, max), (rolling_min, math.inf, min)])
@given(xs=values, length=lengths)
def test_extremes_are_those_of_the_window(
    step: Any, first: float, choose: Callable[[list[float]], float], xs: list[float], length: int
) -> None:
    for found, window in zip(walked(step, xs, length, 0, 0, first), windows(xs, length), strict=True):
        assert math.isnan(found) if window is None else found == choose(window)


@given(values, lengths)
def test_lag_gives_back_what_was_seen_before(xs: list[float], length: int) -> None:
    found = walked(lag, xs, length, 0, 0)
    assert all(math.isnan(value) for value in found[:length])
    assert found[length:] == xs[: max(len(xs) - length, 0)]


def test_a_huge_value_leaves_nothing_behind() -> None:
    """Would fail for a running sum, which loses the small values when 1e17 enters and never gets them back."""
    means = walked(rolling_mean, [1.0, 1e17, *[1.0] * 10], 3, 0, 0, 0.0)
    assert means[4:] == [1.0] * 8
