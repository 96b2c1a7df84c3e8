"""Fees by date and currency, and spot trades on balances."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from truewind.domain.instrument import Instrument, Kind
from truewind.domain.terms import FeeRates
from truewind.errors import ConfigError
from truewind.execution.simulated.fees import base_units, book_spot, fee_on, fee_rate, fee_rows, spot_fee, spot_row

CURRENCIES = ("USDT", "BTC", "BNB")
USDT, BTC, BNB = range(3)
UNIT = 100_000_000
BTCUSDT = Instrument(
    symbol="BTCUSDT", venue="binance", kind=Kind.SPOT, base="BTC", quote="USDT", tick_size=Decimal("0.01"),
    lot_size=Decimal("0.00001"),
)  # fmt: skip
SPOT = spot_row(BTCUSDT, CURRENCIES)[0]
RATE = 100_000  # 0.1 %


def balances(usdt: float = 0, btc: float = 0, bnb: float = 0) -> np.ndarray:
    return np.array([round(amount * UNIT) for amount in (usdt, btc, bnb)], np.int64)


@given(st.integers(-(10**15), 10**15), st.integers(-(10**6), 10**7))
def test_a_fee_is_rounded_once(amount: int, rate: int) -> None:
    """Amount × rate to the nearest ledger unit, a half away from zero."""
    exact = Fraction(amount * rate, UNIT)
    nearest = int(abs(exact) + Fraction(1, 2))
    assert fee_on(amount, rate) == (nearest if exact >= 0 else -nearest)


def test_rates_by_date() -> None:
    """Before its first date the first rate holds; from its own moment each later one."""
    rates = [FeeRates(100, Decimal("0.0002"), Decimal("0.0005")), FeeRates(50, Decimal("0.0002"), Decimal("0.0004"))]
    fees = fee_rows(rates)
    assert [fee_rate(fees, ts, False) for ts in (0, 50, 99, 100, 10**9)] == [40_000, 40_000, 40_000, 50_000, 50_000]
    assert fee_rate(fees, 100, True) == 20_000


def test_a_discount_is_taken_off_fees_not_off_rebates() -> None:
    """10 % off 0.05 % is 0.045 %; a maker's rebate stays whole."""
    fees = fee_rows([FeeRates(0, Decimal("-0.0001"), Decimal("0.0005"))], Decimal("0.1"))
    assert (fee_rate(fees, 0, True), fee_rate(fees, 0, False)) == (-10_000, 45_000)


def test_a_purchase_pays_in_what_it_receives() -> None:
    """By hand: 0.5 BTC for 25,000 USDT at 0.1 %: the fee is 0.0005 BTC, so 0.4995 BTC arrive; a sale pays 25 USDT."""
    assert base_units(50_000, SPOT) == UNIT // 2
    wallet = balances(usdt=25_000)
    assert spot_fee(wallet, 1, UNIT // 2, 25_000 * UNIT, RATE, SPOT, -1, 0.0, 0) == (BTC, 50_000)
    assert book_spot(wallet, 1, UNIT // 2, 25_000 * UNIT, SPOT, BTC, 50_000)
    assert wallet.tolist() == [0, 49_950_000, 0]
    assert spot_fee(wallet, -1, UNIT // 2, 25_000 * UNIT, RATE, SPOT, -1, 0.0, 0) == (USDT, 25 * UNIT)


def test_bnb_pays_where_it_suffices() -> None:
    """By hand: 25,000 USDT at 0.075 % are 18.75 USDT, at 300 a BNB 0.0625 BNB; with less the coin bought pays."""
    trade = (1, UNIT // 2, 25_000 * UNIT, RATE, SPOT, BNB, 300.0, 75_000)
    assert spot_fee(balances(25_000, 0, 0.0625), *trade) == (BNB, 6_250_000)
    assert spot_fee(balances(25_000, 0, 0.06249999), *trade) == (BTC, 50_000)


def test_bnb_that_is_traded_itself_can_pay() -> None:
    """Buying BNB the fee may come out of what arrives; selling all of it nothing is left to pay with."""
    bnb = Instrument(
        symbol="BNBUSDT", venue="binance", kind=Kind.SPOT, base="BNB", quote="USDT", tick_size=Decimal("0.1"),
        lot_size=Decimal("0.001"),
    )  # fmt: skip
    spot = spot_row(bnb, CURRENCIES)[0]
    trade = (UNIT, 300 * UNIT, RATE, spot, BNB, 300.0, 75_000)
    assert spot_fee(balances(300), 1, *trade) == (BNB, 75_000)
    assert spot_fee(balances(0, 0, 1), -1, *trade) == (USDT, 30_000_000)


def test_bnb_that_is_spent_cannot_pay() -> None:
    """By hand: 300 BNB buy 1 BTC and 0.225 more would be the fee; with 300.1 too little is left, and the coin pays."""
    pair = Instrument(
        symbol="BTCBNB", venue="binance", kind=Kind.SPOT, base="BTC", quote="BNB", tick_size=Decimal("0.01"),
        lot_size=Decimal("0.00001"),
    )  # fmt: skip
    spot = spot_row(pair, CURRENCIES)[0]
    trade = (UNIT, 300 * UNIT, RATE, spot, BNB, 1.0, 75_000)
    assert spot_fee(balances(0, 0, 300.225), 1, *trade) == (BNB, 22_500_000)
    assert spot_fee(balances(0, 0, 300.1), 1, *trade) == (BTC, 100_000)
    assert spot_fee(balances(0, 1, 0), -1, *trade) == (BNB, 22_500_000)


@given(
    st.lists(st.integers(0, 10**12), min_size=3, max_size=3),
    st.sampled_from([1, -1]),
    st.integers(1, 10**12),
    st.integers(1, 10**12),
    st.integers(0, 2),
    st.integers(0, 10**9),
)
def test_a_trade_exchanges_exactly_or_not_at_all(
    held: list[int], side: int, base: int, quote: int, currency: int, fee: int
) -> None:
    """No balance falls below zero; what is booked is the exchange less the fee; a refusal changes nothing."""
    wallet = np.array(held, np.int64)
    expected = wallet.copy()
    expected[BTC] += side * base
    expected[USDT] -= side * quote
    expected[currency] -= fee
    done = book_spot(wallet, side, base, quote, SPOT, currency, fee)
    assert done == bool((expected >= 0).all())
    np.testing.assert_array_equal(wallet, expected if done else held)


@given(st.floats(0.01, 1e5), st.integers(1, 10**13), st.integers(0, 10**12))
def test_bnb_is_never_short_changed(price: float, quote: int, bnb: int) -> None:
    """What is paid in BNB is worth at least the discounted fee, and at most one ledger unit more than that."""
    currency, units = spot_fee(
        np.array([0, 0, bnb], np.int64), -1, 1, quote, RATE, SPOT, BNB, price, 75_000
    )  # fmt: skip
    assume(currency == BNB)
    owed = quote * 75_000 / UNIT
    assert units <= bnb
    assert owed <= units * price * (1 + 1e-12) + 1e-6 * price
    assert (units - 1) * price <= owed * (1 + 1e-12)


def test_a_missing_currency_is_named() -> None:
    """An account without the base currency cannot trade the pair."""
    with pytest.raises(ConfigError, match=r"BTCUSDT\.binance needs a balance in BTC"):
        spot_row(BTCUSDT, ("USDT",))
