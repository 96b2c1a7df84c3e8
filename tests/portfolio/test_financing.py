"""Financing: borrowed shares and currencies held overnight, by published examples."""

from decimal import Decimal

import numpy as np

from truewind.domain.instrument import Instrument, Kind, instrument_row
from truewind.portfolio.financing import borrow_collateral, borrow_fee, nights_charged, swap


def pair(base: str, quote: str, tick: str) -> np.ndarray:
    """A currency pair in lots of 1,000 base units."""
    return instrument_row(
        Instrument(
            symbol=base + quote,
            venue="fx",
            kind=Kind.FX,
            base=base,
            quote=quote,
            tick_size=Decimal(tick),
            lot_size=Decimal(1000),
            calendar="fx",
        )
    )[0]


def test_swap_over_wednesday() -> None:
    """help.fnmarkets.com, How do you calculate swaps: long 1 lot EURUSD at −13.472 points from Tuesday to Thursday.

    It lists one night for Tuesday and three for Wednesday, then charges five and prints −67.36 dollars: the amount of
    five nights is reproduced, and the four that the rule gives.
    """
    eurusd = pair("EUR", "USD", "0.00001")
    nights = sum(nights_charged(day, 2) for day in (1, 2))
    assert nights == 4
    assert swap(100, -13_472, 1000, nights, eurusd) == -5_389  # −53.888 dollars in cents
    assert swap(100, -13_472, 1000, 5, eurusd) == -6_736


def test_swap_of_two_lots() -> None:
    """Amalga help center KA-01041: long 2 lots AUDUSD for one night at −5.47 points: −10.94 dollars."""
    assert swap(200, -547, 100, nights_charged(0, 2), pair("AUD", "USD", "0.00001")) == -1_094


def test_a_short_is_charged_by_its_own_rate() -> None:
    """Brokers quote a rate for each side, so the size counts without its sign."""
    assert swap(-200, -547, 100, 1, pair("AUD", "USD", "0.00001")) == -1_094


def test_a_week_has_seven_nights() -> None:
    """The triple night stands in for the weekend, whichever weekday it is."""
    assert sum(nights_charged(day, 2) for day in range(7)) == 7
    assert sum(nights_charged(day, 3) for day in range(7)) == 7
    assert [nights_charged(day, 2) for day in range(7)] == [1, 1, 3, 1, 1, 0, 0]


def test_borrowed_shares_are_secured_in_whole_dollars() -> None:
    """Interactive Brokers' convention as worked on elitetrader.com (topic 359402): 42.80 × 102 % rounds up to 44."""
    assert borrow_collateral(42.8, 3_700) == 44 * 3_700
    assert borrow_collateral(50.0, 1) == 51  # exactly 51, not 52 by float dust


def test_borrow_fee_of_a_year_has_360_days() -> None:
    """By hand: 162,800 dollars at 0.29 % a year for one day is 162,800 × 0.0029 ÷ 360 = 1.3114, booked as 1.31."""
    assert borrow_fee(16_280_000, 290_000, 1) == 131
    assert borrow_fee(16_280_000, 290_000, 3) == 393
