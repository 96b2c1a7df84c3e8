"""Exponential recursions against their definition in exact arithmetic."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.ewm import ema, wilder


def walked(step: Any, xs: list[float], length: int) -> list[float]:
    count, value = 0, 0.0
    outputs = []
    for x in xs:
        output, count, value = step.py_func(x, length, count, value)
        outputs.append(output)
    return outputs


@pytest.mark.parametrize(("step", "weight"), [(ema, lambda n: Fraction(2, n + 1)), (wilder, lambda n: Fraction(1, n))])
@given(xs=st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50), length=st.integers(1, 20))
def test_it_is_the_recursion_from_the_mean_of_the_first_values(
    step: Any, weight: Any, xs: list[float], length: int
) -> None:
    """y = y + α (x − y) from the plain mean of the first `length` values, NaN before."""
    alpha = weight(length)
    found = walked(step, xs, length)
    assert all(math.isnan(value) for value in found[: length - 1])
    if len(xs) >= length:
        exact = sum(map(Fraction, xs[:length])) / length
        assert found[length - 1] == pytest.approx(float(exact), rel=1e-12)
        for x, value in zip(xs[length:], found[length:], strict=True):
            exact += alpha * (Fraction(x) - exact)
            assert value == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize(("step", "rows_per_length"), [(ema, 10.4), (wilder, 20.8)])
def test_the_seed_is_forgotten_after_the_stated_number_of_rows(step: Any, rows_per_length: float) -> None:
    """Started from 1 instead of 0, then fed zeros, less than 1e-9 is left after the rows that the docstring states."""
    length = 30
    left = walked(step, [1.0] * length + [0.0] * round(rows_per_length * (length + 1)), length)
    assert left[-1] < 1e-9 < left[len(left) // 2]
