"""Exact integer arithmetic: compiled 64-bit code and Python's unbounded integers agree."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

from hypothesis import assume, example, given
from hypothesis import strategies as st

from truewind.numerics.exact import fits, mul_div, to_price, to_ticks

INT64 = 2**63 - 1


def rounded(x: Fraction) -> int:
    """Half away from zero."""
    whole = int(abs(x) + Fraction(1, 2))
    return whole if x >= 0 else -whole


@given(st.integers(-INT64, INT64), st.integers(-INT64, INT64), st.integers(1, 2**52 - 1))
@example(10**18, 5 * 10**7 - 1, 10**8)  # a fee on ten billion USDT
@example(3, 1, 2)
@example(-3, 1, 2)
@example(2**62 - 1, 2**52 - 1, 2**52 - 1)
@example(4611686018427387391, 2251799813685247, 2251799813685249)
def test_mul_div_is_the_rounded_quotient(a, b, c):
    """a·b/c, half away from zero, wherever the result is below 2**62."""
    exact = rounded(Fraction(a * b, c))
    assume(abs(exact) < 2**62)
    assert mul_div(a, b, c) == exact


@given(st.integers(1, 2**61), st.integers(1, 2**52 - 2), st.integers(1, 2**52 - 1))
def test_mul_div_near_the_largest_results(q, c, b):
    """Where the float quotient is off most: a is chosen so that a·b/c lies near q."""
    a = q * c // b
    assume(0 < a <= INT64)
    assert mul_div(a, b, c) == rounded(Fraction(a * b, c))


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_parts_never_add_up_to_more_than_a_unit_off(amount, parts):
    """An amount released by one of `parts` keeps sign and order: nothing is made of nothing."""
    part = mul_div(amount, 1, parts)
    assert abs(Fraction(amount, parts) - part) <= Fraction(1, 2)


@given(st.integers(0, INT64), st.integers(0, INT64), st.integers(1, INT64))
def test_what_fits_does_not_wrap(a, b, c):
    """A yes is a promise about the exact product; a no within a tenth of the limit is not."""
    if fits(a, b, c):
        assert a * b * c <= INT64
    else:
        assert a * b * c > 8 * 10**18


STEPS = st.sampled_from(["0.01", "0.1", "1", "0.5", "0.25", "0.00000001", "0.0001", "5", "25"])


@given(st.integers(1, 10**9), STEPS, st.sampled_from([-1, 1]))
def test_a_price_on_a_tick_stays_there(ticks, step, side):
    """The nearest float of a decimal price comes back as its ticks, whichever side asks, and the other way round."""
    tick = Fraction(step)
    price = float(Decimal(step) * ticks)
    assert to_ticks(price, tick.numerator, tick.denominator, side) == ticks
    assert to_price(ticks, tick.numerator, tick.denominator) == price


@given(st.decimals("0.01", "100000", places=5), STEPS.filter(lambda s: Decimal(s) >= Decimal("0.0001")))
def test_a_price_between_ticks_is_rounded_against_us(price, step):
    """Up for a buyer, down for a seller; a millionth of a tick is what floats may be off."""
    tick = Fraction(step)
    steps = price / Decimal(step)
    assume(not 0 < abs(steps - round(steps)) < Decimal("0.000002"))
    up, down = (int(steps.to_integral_value(how)) for how in (ROUND_CEILING, ROUND_FLOOR))
    assert to_ticks(float(price), tick.numerator, tick.denominator, 1) == up
    assert to_ticks(float(price), tick.numerator, tick.denominator, -1) == down
