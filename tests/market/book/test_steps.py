"""Floats as ticks and lots: exactly the decimals that the source wrote, and nothing in between."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.instrument import Instrument, Kind
from truewind.errors import ValidationError
from truewind.market.book.steps import in_lots, in_ticks

MOMENT = 1_700_000_000_000_000


def instrument(tick: Decimal, lot: Decimal) -> Instrument:
    return Instrument(symbol="XUSDT", venue="v", kind=Kind.SPOT, base="X", quote="USDT", tick_size=tick, lot_size=lot)


@given(
    st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=30),
    st.sampled_from(["0.01", "0.1", "0.00000001", "0.25", "0.0005", "5", "1"]),
)
def test_a_decimal_multiple_read_as_a_float_is_that_multiple(steps: list[int], step: str) -> None:
    """What a venue writes, `ticks · tick` as a decimal, gives `ticks` again: by exact arithmetic on both ways."""
    about = instrument(Decimal(step), Decimal(step))
    values = np.array([float(Decimal(step) * count) for count in steps])
    assert in_ticks(about, values, np.full(len(steps), MOMENT)).tolist() == steps
    lots, odd = in_lots(about, values)
    assert (lots.tolist(), odd) == (steps, 0)


@given(st.integers(1, 10**6), st.integers(1, 99))
def test_a_price_between_two_ticks_is_refused_with_its_time(whole: int, part: int) -> None:
    about = instrument(Decimal("0.01"), Decimal("0.001"))
    odd = float(Decimal(whole) / 100 + Decimal(part) / 10_000)
    prices = np.array([whole / 100, odd, whole / 100])
    with pytest.raises(ValidationError, match=r"v:XUSDT|XUSDT") as told:
        in_ticks(about, prices, MOMENT + np.arange(3))
    assert "no multiple of 0.01" in str(told.value)
    assert "(1 such rows)" in str(told.value)
    assert told.value.facts["ts"] == MOMENT + 1


def test_a_price_beyond_what_a_book_can_hold_is_refused() -> None:
    about = instrument(Decimal("0.01"), Decimal("0.001"))
    with pytest.raises(ValidationError, match="more than 2³¹ times the tick"):
        in_ticks(about, np.array([2**31 / 100]), np.array([MOMENT]))


@given(st.integers(0, 10**9), st.integers(1, 9))
def test_a_quantity_between_two_lots_is_rounded_down_and_counted(whole: int, tenth: int) -> None:
    about = instrument(Decimal("0.01"), Decimal("0.1"))
    values = np.array([float(Decimal(whole) / 10), float(Decimal(whole) / 10 + Decimal(tenth) / 100)])
    lots, odd = in_lots(about, values)
    assert (lots.tolist(), odd) == ([whole, whole], 1)
