"""Filters as kernels read them: on the strict side of every limit."""

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.filters import FILTERS, Filters
from truewind.domain.instrument import Instrument, Kind, filters_row, instrument_row

MOST = np.iinfo(np.int64).max
amounts = st.decimals("0.001", "100000", places=7)


def listed(**changes: object) -> Instrument:
    values = {
        "symbol": "BTCUSDT", "venue": "v", "kind": Kind.PERPETUAL, "base": "BTC", "quote": "USDT",
        "tick_size": Decimal("0.05"), "lot_size": Decimal("0.003"),
    }  # fmt: skip
    return Instrument(**(values | changes))


@given(amounts, amounts, amounts, amounts)
def test_limits_between_two_steps_go_to_the_strict_side(a: Decimal, b: Decimal, c: Decimal, d: Decimal) -> None:
    """What the record lets through the venue's limits do, and one step beyond the record they do not."""
    rules = Filters(min_price=a, max_price=a + b, market_min_quantity=c, market_max_quantity=c + d, max_position=d)
    instrument = listed(filters=rules)
    rule = filters_row(instrument)[0]
    least, most = int(rule["min_price"]), int(rule["max_price"])
    assert instrument.price(least - 1) < a <= instrument.price(least)
    assert instrument.price(most) <= a + b < instrument.price(most + 1)
    least, most = int(rule["market_min_lots"]), int(rule["market_max_lots"])
    assert instrument.quantity(least - 1) < c <= instrument.quantity(least)
    assert instrument.quantity(most) <= c + d < instrument.quantity(most + 1)
    held = int(rule["max_position"])
    assert instrument.quantity(held) <= d < instrument.quantity(held + 1)


def test_no_rule_is_no_limit() -> None:
    """An instrument without filters: lower limits of one step or nothing, upper limits that nothing reaches."""
    rule = filters_row(listed())[0]
    lower = ("min_price", "min_lots", "market_step")
    upper = (
        "max_price",
        "max_lots",
        "market_max_lots",
        "max_notional",
        "max_orders",
        "max_conditional",
        "max_icebergs",
    )
    upper += ("iceberg_parts", "max_position", "max_trailing_above", "max_trailing_below")
    assert all(rule[name] == 1 for name in lower)
    assert all(rule[name] == MOST for name in upper)
    assert rule["bid_up"] == rule["ask_up"] == np.inf
    others = set(FILTERS.names or ()) - set(lower) - set(upper) - {"bid_up", "ask_up", "market_min_notional"}
    assert all(rule[name] == 0 for name in others)


def test_what_is_inverse() -> None:
    """Only a contract that is settled in the coin it prices; a coin-settled pair of two coins is not, nor is spot."""
    assert listed(settle="BTC").inverse
    assert listed(settle="BTC", kind=Kind.FUTURE).inverse
    assert not listed(settle="USDT").inverse
    assert not listed().inverse
    assert not listed(settle="BTC", kind=Kind.SPOT).inverse
    assert not listed(settle="ETH").inverse
    assert instrument_row(listed(settle="BTC"))["inverse"].tolist() == [1]
    assert listed(settle="BTC", multiplier=Decimal(100)).notional(1_000_000, 1_000) == Decimal("0.006")
