"""Fused multiply-add rounds once, in kernels and from Python."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from truewind.numerics.fma import fma
from truewind.numerics.jit import kernel

numbers = st.floats(-1e60, 1e60, allow_nan=False).filter(lambda x: x == 0.0 or abs(x) > 1e-60)


@kernel
def fused(a: float, b: float, c: float) -> float:
    return fma(a, b, c)


@given(numbers, numbers, numbers)
def test_it_is_the_exact_result_rounded_once(a: float, b: float, c: float) -> None:
    """The float nearest to a·b + c in exact arithmetic; two roundings would miss it."""
    exact = float(Fraction(a) * Fraction(b) + Fraction(c))
    assert fma(a, b, c) == exact
    assert fused(a, b, c) == exact
