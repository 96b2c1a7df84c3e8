"""What lots are worth: exact fractions rounded once, linear and inverse."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import UNIT, inverse, linear
from truewind.domain.instrument import instrument_row
from truewind.portfolio.worth import average_entry, coordinate, exposure, gains_with_price, lot_worth, worth_of


def half_up(value: Fraction) -> int:
    return int(value + Fraction(1, 2))


@given(st.integers(1, 10**7), st.integers(0, 10**7))
def test_linear_worth(ticks: int, lots: int) -> None:
    """Size × price, rounded once to the ledger unit."""
    instrument = linear()
    exact = Fraction(ticks, 100) * Fraction(lots, 1000) * UNIT
    assert worth_of(ticks, lots, instrument_row(instrument)[0]) == half_up(exact)


@given(
    st.integers(1_000, 10**7),
    st.integers(0, 10**8),
    st.sampled_from(["1", "10", "100"]),
    st.sampled_from(["0.1", "0.5", "0.001", "0.3"]),
)
def test_inverse_worth(ticks: int, lots: int, multiplier: str, tick: str) -> None:
    """Size ÷ price, rounded once to the ledger unit of the coin."""
    instrument = inverse(multiplier, tick)
    exact = Fraction(lots) * Fraction(multiplier) / (ticks * Fraction(tick)) * UNIT
    assert worth_of(ticks, lots, instrument_row(instrument)[0]) == half_up(exact)
    assert half_up(Fraction(instrument.notional(ticks, lots)) * UNIT) == half_up(exact)


def test_what_does_not_fit_is_refused() -> None:
    """Beyond 64 bits there is no worth, and none at a price of nothing."""
    row, turned = instrument_row(linear())[0], instrument_row(inverse())[0]
    assert worth_of(2**40, 2**40, row) == -1
    assert worth_of(1, 2**27, turned) == -1
    assert worth_of(1_000, 2**27, turned) == 2**27 * 10**8
    assert worth_of(2**53, 1, turned) == -1
    assert worth_of(0, 1, turned) == -1


def test_the_most_that_fits() -> None:
    """100 dollars at a tick of 0.1 are 1,000 BTC, 1e11 units: 45 million are half of 9e18, one more is too much.

    A price of 9e18 / 2048 ticks is one too many. In another currency 6e18 units at 1.5 are just 9e18; of nothing, 0.
    """
    turned, row = instrument_row(inverse())[0], instrument_row(linear())
    assert worth_of(1, 1, turned) == 10**11
    assert worth_of(1, 45_000_000, turned) == 45 * 10**17
    assert worth_of(1, 45_000_001, turned) == -1
    most = 9 * 10**18 // 2048
    assert (worth_of(most - 1, 10**7, turned), worth_of(most, 10**7, turned)) == (228, -1)
    row["rate"] = 1.5
    assert worth_of(10**9, 6 * 10**6, row[0]) == 9 * 10**18
    assert worth_of(10**9, 0, row[0]) == 0


def test_half_a_unit() -> None:
    """0.0001 × 0.00005 is half of 1e-8: three of them are 1.5 units, 2 when rounded; four are 2."""
    row = instrument_row(linear(tick="0.0001", lot="0.00005"))[0]
    assert [worth_of(1, lots, row) for lots in (1, 3, 4)] == [1, 2, 2]


@given(st.sampled_from([1, -1]), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**5))
def test_the_side_on_which_cost_is_booked(side: int, entry: int, exit_price: int, lots: int) -> None:
    """Booking worth with `gains_with_price` as its sign gives the published profit, linear and inverse.

    Linear: size × (exit − entry) × direction; inverse: size × (1/entry − 1/exit) × direction (Binance, A Beginner's
    Guide to Futures Trading, 360039304272).
    """
    for instrument in (linear(), inverse()):
        row = instrument_row(instrument)[0]
        bought = gains_with_price(side, row) * worth_of(entry, lots, row)
        sold = gains_with_price(-side, row) * worth_of(exit_price, lots, row)
        size = Fraction(lots) * Fraction(instrument.lot_size) * Fraction(instrument.multiplier)
        first, last = (Fraction(instrument.price(ticks)) for ticks in (entry, exit_price))
        expected = size * (1 / first - 1 / last) if instrument.inverse else size * (last - first)
        assert abs(-(bought + sold) - side * expected * UNIT) <= 1


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.sampled_from([Fraction(1, 2), Fraction(5, 4), Fraction(3)]))
def test_worth_in_another_currency(ticks: int, lots: int, rate: Fraction) -> None:
    """Rounded to its own unit, then, at the rate, half up to the account's."""
    row = instrument_row(linear())
    row["rate"] = float(rate)
    own = half_up(Fraction(ticks, 100) * Fraction(lots, 1000) * UNIT)
    assert worth_of(ticks, lots, row[0]) == half_up(own * rate)


def test_what_does_not_fit_at_a_rate_is_refused() -> None:
    """5e18 units fit, twice as many do not; and what has no worth of its own has none at any rate."""
    row = instrument_row(linear())
    row["rate"] = 1.5
    assert worth_of(10**9, 5 * 10**6, row[0]) == 75 * 10**17
    row["rate"] = 2.0
    assert worth_of(10**9, 5 * 10**6, row[0]) == -1
    assert worth_of(2**40, 2**40, row[0]) == -1


def test_what_a_lot_is_worth() -> None:
    """0.001 BTC at 50,000: 50 USDT, and as much exposed for each dollar as 0.001 BTC; 100 dollars at 10,000: 0.01 BTC,
    exposed the other way to the reciprocal of the price. Entries of 2 lots that cost 100 USDT, and −0.02 BTC.
    """
    row, turned = instrument_row(linear())[0], instrument_row(inverse())[0]
    assert lot_worth(50_000.0, row) == 50 * UNIT
    assert lot_worth(10_000.0, turned) == pytest.approx(0.01 * UNIT)
    assert (coordinate(50_000.0, row), coordinate(50_000.0, turned)) == (50_000.0, 1 / 50_000.0)
    assert (exposure(2, row), exposure(2, turned)) == (0.002 * UNIT, -200 * UNIT)
    assert average_entry(2, 100 * UNIT, row) == 50_000.0
    assert average_entry(2, -2 * UNIT // 100, turned) == pytest.approx(10_000.0)
    assert average_entry(1, 50 * UNIT, row) == 50_000.0


@pytest.mark.parametrize(("contracts", "entry"), [(10_000, "8000"), (10_000, "23000")])
def test_worth_of_published_positions(contracts: int, entry: str) -> None:
    """Bybit (Perpetual Contracts Quotes; What is Inverse Contract): 10,000 ÷ 8,000 = 1.25 BTC, ÷ 23,000 ≈ 0.435 BTC."""
    worth = worth_of(int(Decimal(entry) * 10), contracts, instrument_row(inverse("1"))[0])
    assert round(worth / UNIT, 3) == {"8000": 1.25, "23000": 0.435}[entry]
