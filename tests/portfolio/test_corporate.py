"""Corporate actions: what is held changes, its worth does not."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.instrument import Instrument, Kind, instrument_row
from truewind.portfolio.corporate import cash_in_lieu, dividend, split


def share(lot: str = "1") -> np.ndarray:
    return instrument_row(
        Instrument(
            symbol="AAPL",
            venue="nasdaq",
            kind=Kind.EQUITY,
            base="AAPL",
            quote="USD",
            tick_size=Decimal("0.01"),
            lot_size=Decimal(lot),
            calendar="us_equities",
        )
    )[0]


def test_four_for_one() -> None:
    """Apple, 31 August 2020: 100 shares became 400, at the same cost."""
    assert split(100, 4_999_000, 4, 1) == (400, 4_999_000, 0, 0)
    assert split(-100, -4_999_000, 4, 1) == (-400, -4_999_000, 0, 0)


def test_one_for_eight_leaves_a_fraction() -> None:
    """General Electric, 2 August 2021: 100 shares became 12 and half a share, which was paid out.

    By hand, at 104.00 dollars: half of it is 52.00. Of a cost of 1,300.00 a 25th (0.5 of 12.5) is released: 52.00.
    """
    lots, cost, fraction, released = split(100, 130_000, 1, 8)
    assert (lots, cost, fraction, released) == (12, 124_800, 4, 5_200)
    assert cash_in_lieu(fraction, 8, 10_400, share()) == 5_200
    assert cash_in_lieu(-fraction, 8, 10_400, share()) == -5_200


@given(st.integers(-(10**9), 10**9), st.integers(-(10**12), 10**12), st.integers(1, 50), st.integers(1, 50))
def test_nothing_is_lost_in_a_split(lots: int, cost: int, new: int, old: int) -> None:
    """Kept lots and fraction are exactly the entitlement; kept and released cost are exactly the cost."""
    kept, left, fraction, released = split(lots, cost, new, old)
    assert Fraction(kept) + Fraction(fraction, old) == Fraction(lots * new, old)
    assert left + released == cost
    assert abs(fraction) < old
    assert fraction == 0 or (fraction > 0) == (lots > 0)


@given(st.integers(1, 10**6), st.integers(1, 20), st.integers(1, 20))
def test_a_split_and_its_opposite_give_back_what_was_held(lots: int, new: int, old: int) -> None:
    """Where no fraction falls out, reversing a split restores the position."""
    kept, cost, fraction, _ = split(lots * old, 12_345, new, old)
    assert fraction == 0
    assert split(kept, cost, old, new) == (lots * old, 12_345, 0, 0)


def test_dividends_are_paid_by_the_short_seller() -> None:
    """By hand: 0.2425 dollars on 150 shares is 36.375, booked as 36.38; half shares get half."""
    assert dividend(150, 2_425, 100, share()) == 3_638
    assert dividend(-150, 2_425, 100, share()) == -3_638
    assert dividend(300, 2_425, 100, share("0.5")) == 3_638
