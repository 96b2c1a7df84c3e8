"""Steps and currencies come out of prices and names, or it is said that they do not."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.instrument import Kind
from truewind.errors import InstrumentError
from truewind.market.infer import decimals, infer_instrument, price_decimals, quantity_decimals


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=50), st.integers(0, 8))
def test_the_finest_decimal_is_that_of_the_shortest_texts(units, places):
    """Oracle: decimal arithmetic on the same numbers."""
    exact = [Decimal(unit).scaleb(-places).normalize() for unit in units]
    finest = max(max(0, -int(number.as_tuple().exponent)) for number in exact)
    assert decimals(pl.Series([float(number) for number in exact]), 8) == finest


def test_the_noise_of_arithmetic_is_no_decimal():
    assert decimals(pl.Series([0.1 + 0.2, 0.0009683000000000001]), 12) == 7


def test_more_digits_than_prices_have_are_cut():
    rows = pl.DataFrame({"price": [60_000.123456789], "quantity": [0.123456789]})
    assert (price_decimals(rows), quantity_decimals(rows)) == (5, 8)
    assert price_decimals(pl.DataFrame({"price": [0.00001234]})) == 8
    assert price_decimals(pl.DataFrame({"price": [0.0]})) == 0


def test_an_inferred_instrument_says_that_it_is():
    made = infer_instrument("binance_usdm", "1000SHIBUSDT", 6, 0)
    assert (made.kind, made.base, made.quote) == (Kind.PERPETUAL, "1000SHIB", "USDT")
    assert (made.tick_size, made.lot_size, made.inferred) == (Decimal("0.000001"), Decimal(1), True)
    assert infer_instrument("kraken", "ETHEUR", 2, 8).kind is Kind.SPOT


@pytest.mark.parametrize(
    ("venue", "symbol", "says"), [("us", "GOOG", "no known quote"), ("binance_coinm", "BTCUSD_PERP", "contract size")]
)
def test_what_the_name_does_not_tell_is_not_guessed(venue, symbol, says):
    with pytest.raises(InstrumentError, match=says):
        infer_instrument(venue, symbol, 1, 1)
