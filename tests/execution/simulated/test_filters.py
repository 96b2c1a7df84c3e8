"""Filters: what passes is what the venue's own words allow, checked in exact decimals."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import linear
from truewind.domain.filters import Filters
from truewind.domain.instrument import Instrument, Kind, filters_row, instrument_row
from truewind.domain.order import Reason
from truewind.execution.simulated.filters import (
    check_counts,
    check_filters,
    check_iceberg,
    check_price,
    check_trailing,
)
from truewind.venues.binance.instruments import instruments

SPOT = Instrument(
    symbol="BTCUSDT", venue="binance", kind=Kind.SPOT, base="BTC", quote="USDT", tick_size=Decimal("0.01"),
    lot_size=Decimal("0.00001"), min_quantity=Decimal("0.00001"), max_quantity=Decimal(9000), min_notional=Decimal(5),
    filters=Filters(
        min_price=Decimal("0.01"), max_price=Decimal(1_000_000), bid_up=Decimal("1.2"), bid_down=Decimal("0.2"),
        ask_up=Decimal(5), ask_down=Decimal("0.8"), band_minutes=5, market_max_quantity=Decimal("97.5"),
        max_notional=Decimal(9_000_000), max_orders=200, max_conditional=5, iceberg_parts=10, max_icebergs=3,
        max_position=Decimal(50), trailing_above=(10, 2000), trailing_below=(10, 1500),
    ),
)  # fmt: skip
RULE, ROW = filters_row(SPOT)[0], instrument_row(SPOT)[0]


def check(
    side: int = 1, quantity: str = "1", price: str = "50000", trigger: str = "0", market: bool = False,
    reduce_only: bool = False, reference: float = 50_000.0, held: str = "0",
) -> Reason:  # fmt: skip
    lots, at, trip = SPOT.lots(quantity), 0 if market else SPOT.ticks(price), SPOT.ticks(trigger)
    return Reason(
        check_filters(RULE, ROW, side, lots, at, trip, market, reduce_only, reference, SPOT.lots(held))
    )  # fmt: skip


def allowed(side: int, quantity: Decimal, price: Decimal, reference: Decimal, market: bool) -> bool:
    """The rules of binance-spot-api-docs `filters.md`, word by word, in decimals."""
    rules = SPOT.filters
    if not market:
        up, down = (rules.bid_up, rules.bid_down) if side > 0 else (rules.ask_up, rules.ask_down)
        if not (rules.min_price <= price <= rules.max_price and reference * down <= price <= reference * up):
            return False
    if not SPOT.min_quantity <= quantity <= SPOT.max_quantity:
        return False
    if market and quantity > rules.market_max_quantity:
        return False
    worth = quantity * (reference if market else price)
    if worth < SPOT.min_notional or (worth > rules.max_notional and not market):
        return False
    return side < 0 or quantity <= rules.max_position


@given(
    st.sampled_from([1, -1]),
    st.integers(1, 10_000_000) | st.integers(1, 200),
    st.integers(1, 30_000_000),
    st.integers(1, 30_000_000),
    st.booleans(),
)
def test_an_order_passes_just_when_the_rules_allow_it(
    side: int, lots: int, price: int, reference: int, market: bool
) -> None:
    """Any side, size, price and reference: the kernel agrees with the rules in decimals."""
    quantity, at, mean = SPOT.quantity(lots), SPOT.price(price), SPOT.price(reference)
    found = check_filters(RULE, ROW, side, lots, 0 if market else price, 0, market, False, float(mean), 0)
    assert (found == Reason.NONE) == allowed(side, quantity, at, mean, market)


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({}, Reason.NONE),
        ({"price": "0"}, Reason.BAD_PRICE),
        ({"price": "1000000.01", "reference": 900_000.0}, Reason.ABOVE_MAX_PRICE),
        ({"price": "60000"}, Reason.NONE),
        ({"price": "60000.01"}, Reason.ABOVE_PRICE_BAND),
        ({"price": "39999.99", "side": -1}, Reason.BELOW_PRICE_BAND),
        ({"price": "39999.99", "side": -1, "reference": float("nan")}, Reason.NONE),
        ({"trigger": "60000.01", "market": True}, Reason.ABOVE_PRICE_BAND),
        ({"quantity": "0"}, Reason.BELOW_MIN_QUANTITY),
        ({"quantity": "9000.00001", "market": True}, Reason.ABOVE_MAX_QUANTITY),
        ({"quantity": "97.50001", "market": True}, Reason.MARKET_QUANTITY),
        ({"quantity": "0.00009"}, Reason.BELOW_MIN_NOTIONAL),
        ({"quantity": "0.00009", "market": True}, Reason.BELOW_MIN_NOTIONAL),
        ({"quantity": "0.00009", "reduce_only": True}, Reason.NONE),
        ({"quantity": "200", "side": -1}, Reason.ABOVE_MAX_NOTIONAL),
        ({"quantity": "1", "market": True, "reference": float("nan")}, Reason.NO_PRICE),
        ({"quantity": "2", "held": "48"}, Reason.NONE),
        ({"quantity": "2", "held": "48.00001"}, Reason.POSITION_LIMIT),
        ({"quantity": "2", "held": "48.00001", "side": -1}, Reason.NONE),
    ],
)
def test_the_reason_names_the_rule(order: dict, reason: Reason) -> None:
    """Each rule at its edge and one step beyond it."""
    assert check(**order) == reason


def test_the_band_is_not_broken_by_rounding() -> None:
    """A price of exactly reference × multiple passes, though the float product may be a hair less."""
    for cents in range(1, 400_000, 37):
        reference = SPOT.price(cents)
        top = SPOT.ticks(reference * SPOT.filters.bid_up, "ROUND_FLOOR")
        if top * SPOT.tick_size == reference * SPOT.filters.bid_up:
            assert check_price(RULE, ROW, 1, top, float(reference)) == Reason.NONE


def test_prices_of_futures_are_bound_from_below() -> None:
    """BTCUSDT of July 2021: no price below 556.72; a worth that fits no ledger is too large."""
    listed = Instrument(
        symbol="BTCUSDT", venue="binance_usdm", kind=Kind.PERPETUAL, base="BTC", quote="USDT",
        tick_size=Decimal("0.01"), lot_size=Decimal("0.001"), filters=Filters(min_price=Decimal("556.72")),
    )  # fmt: skip
    rule, row = filters_row(listed)[0], instrument_row(listed)[0]
    assert [check_price(rule, row, 1, price, 600.0) for price in (55_671, 55_672)] == [
        Reason.BELOW_MIN_PRICE, Reason.NONE,
    ]  # fmt: skip
    assert check_filters(rule, row, 1, 2**50, 10**6, 0, False, False, 1e4, 0) == Reason.ABOVE_MAX_NOTIONAL


def test_market_steps() -> None:
    """A market lot size coarser than the lot size holds for market orders only."""
    coarse = Instrument(
        symbol="X", venue="v", kind=Kind.PERPETUAL, base="X", quote="USDT", tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
        filters=Filters(market_lot_size=Decimal("0.01"), market_min_quantity=Decimal("0.02")),
    )  # fmt: skip
    rule, row = filters_row(coarse)[0], instrument_row(coarse)[0]
    found = [check_filters(rule, row, 1, lots, 0, 0, True, False, 100.0, 0) for lots in (10, 20, 25)]
    assert found == [Reason.MARKET_QUANTITY, Reason.NONE, Reason.OFF_STEP]
    assert check_filters(rule, row, 1, 25, 1_000, 0, False, False, 100.0, 0) == Reason.NONE


@pytest.mark.parametrize(
    ("counts", "kind", "reason"),
    [
        ((199, 4, 2), 0, Reason.NONE),
        ((200, 0, 0), 0, Reason.TOO_MANY_ORDERS),
        ((100, 5, 0), 1, Reason.TOO_MANY_CONDITIONAL),
        ((100, 5, 0), 0, Reason.NONE),
        ((100, 0, 3), 2, Reason.TOO_MANY_ICEBERGS),
    ],
)
def test_counts(counts: tuple[int, int, int], kind: int, reason: Reason) -> None:
    """So many orders may be open, and so many of them conditional or icebergs."""
    assert check_counts(RULE, *counts, kind) == reason


def test_icebergs_and_trailing_stops() -> None:
    """ICEBERG_PARTS is CEIL(qty / icebergQty); TRAILING_DELTA has its own limits above and below the market."""
    assert [check_iceberg(RULE, 100, shown) for shown in (10, 9, 0)] == [
        Reason.NONE, Reason.ICEBERG_PARTS, Reason.BELOW_MIN_QUANTITY,
    ]  # fmt: skip
    assert [check_trailing(RULE, points, True) for points in (9, 10, 2000, 2001)] == [
        Reason.TRAILING_DISTANCE, Reason.NONE, Reason.NONE, Reason.TRAILING_DISTANCE,
    ]  # fmt: skip
    assert check_trailing(RULE, 1501, False) == Reason.TRAILING_DISTANCE


def test_no_rules_refuse_nothing() -> None:
    """An instrument without filters takes any positive price and quantity."""
    rule, row = filters_row(linear())[0], instrument_row(linear())[0]
    for side in (1, -1):
        assert check_filters(rule, row, side, 1, 1, 0, False, False, 1e6, 0) == Reason.NONE
        assert check_filters(rule, row, side, 10**9, 10**6, 0, False, False, 1.0, 10**15) == Reason.NONE


def test_every_recorded_instrument_takes_a_plain_order(shared: Path) -> None:
    """Of each USD-M symbol recorded in 2021 a plain order passes; at twice or half the mark, or of nothing, not."""
    with gzip.open(shared / "cryptofeed" / "BINANCE_FUTURES.0.txt.gz", "rt") as lines:
        info = next(json.loads(line[line.index("{") :]) for line in lines if '"symbols"' in line)
    for instrument in instruments(info, "binance_usdm"):
        rule, row = filters_row(instrument)[0], instrument_row(instrument)[0]
        mark = float(instrument.filters.min_price) * 20
        price = instrument.ticks(mark)
        lots = max(instrument.min_lots(), -(-int(6 / (float(instrument.lot_size) * mark)) // 1) + 1)
        assert check_filters(rule, row, 1, lots, price, 0, False, False, mark, 0) == Reason.NONE, instrument.symbol
        assert check_filters(rule, row, 1, lots, price * 2, 0, False, False, mark, 0) == Reason.ABOVE_PRICE_BAND
        assert check_filters(rule, row, -1, lots, price // 2, 0, False, False, mark, 0) == Reason.BELOW_PRICE_BAND
        assert check_filters(rule, row, 1, 0, price, 0, False, False, mark, 0) == Reason.BELOW_MIN_QUANTITY
