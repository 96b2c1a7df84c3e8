"""Instruments: decimals become integers and back without losing anything."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truewind.domain.instrument import Instrument, Kind, currency_precision, instrument_row
from truewind.errors import InstrumentError

steps = st.sampled_from([Decimal(text) for text in ("0.00000001", "0.0001", "0.001", "0.01", "0.1", "0.25", "1", "5")])
multipliers = st.sampled_from([Decimal(text) for text in ("1", "0.001", "10", "100")])


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    return Instrument(
        symbol="X",
        venue="v",
        kind=Kind.PERPETUAL,
        base="X",
        quote=draw(st.sampled_from(["USDT", "USD", "JPY"])),
        tick_size=draw(steps),
        lot_size=draw(steps),
        multiplier=draw(multipliers),
    )


def btc(**changes: object) -> Instrument:
    values = {
        "symbol": "BTCUSDT",
        "venue": "binance",
        "kind": Kind.SPOT,
        "base": "BTC",
        "quote": "USDT",
        "tick_size": Decimal("0.01"),
        "lot_size": Decimal("0.00001"),
    }
    return Instrument(**(values | changes))


@given(instruments(), st.integers(-(10**12), 10**12))
def test_steps_come_back_as_they_went(instrument: Instrument, steps: int) -> None:
    """Any number of ticks or lots survives the way to a decimal and back, whatever the rounding."""
    for rounding in (ROUND_FLOOR, ROUND_CEILING):
        assert instrument.ticks(instrument.price(steps), rounding) == steps
        assert instrument.lots(instrument.quantity(steps), rounding) == steps


@given(instruments(), st.decimals("-1e9", "1e9", places=9))
def test_rounding_stays_within_one_step(instrument: Instrument, value: Decimal) -> None:
    """Nearest is at most half a step away, down is below, up is above: in exact fractions."""
    exact, tick, lot = Fraction(value), Fraction(instrument.tick_size), Fraction(instrument.lot_size)
    assert abs(instrument.ticks(value) * tick - exact) <= tick / 2
    assert 0 <= exact - instrument.lots(value) * lot < lot
    assert 0 <= instrument.lots(value, ROUND_CEILING) * lot - exact < lot


@given(instruments(), st.integers(0, 10**9), st.integers(-(10**9), 10**9))
def test_worth_is_exact(instrument: Instrument, ticks: int, lots: int) -> None:
    """Notional and ledger units equal price × quantity × multiplier in exact fractions."""
    price, quantity = ticks * Fraction(instrument.tick_size), lots * Fraction(instrument.lot_size)
    worth = price * quantity * Fraction(instrument.multiplier)
    assert Fraction(instrument.notional(ticks, lots)) == worth
    places = {"USDT": 8, "USD": 2, "JPY": 0}[instrument.quote]
    assert ticks * lots * instrument.unit_value() == worth * 10**places


@given(instruments())
def test_the_kernel_record_holds_the_same_fractions(instrument: Instrument) -> None:
    """numerator / denominator of the record are the tick, the lot and the unit value; what does not fit is refused."""
    if instrument.unit_value().denominator >= 2**63:
        with pytest.raises(InstrumentError, match="does not fit 64 bits"):
            instrument_row(instrument)
        return
    row = instrument_row(instrument)[0]
    assert Fraction(int(row["tick_num"]), int(row["tick_den"])) == Fraction(instrument.tick_size)
    assert Fraction(int(row["lot_num"]), int(row["lot_den"])) == Fraction(instrument.lot_size)
    assert Fraction(int(row["unit_num"]), int(row["unit_den"])) == instrument.unit_value()


@pytest.mark.parametrize(
    ("price", "ticks"),
    [("42000.01", 4_200_001), (42000.01, 4_200_001), (0.1 + 0.2, 30), (Decimal("0.005"), 0), (Decimal("0.015"), 2)],
)
def test_prices_in_ticks_by_hand(price: Decimal | str | float, ticks: int) -> None:
    """A float is read by its shortest decimal form; halves go to the even tick."""
    assert btc().ticks(price) == ticks


def test_order_limits_in_lots() -> None:
    """The least quantity is rounded up, the greatest down, at least one lot; no maximum is the largest int64."""
    limited = btc(min_quantity=Decimal("0.000015"), max_quantity=Decimal("9000.000019"))
    assert (limited.min_lots(), limited.max_lots()) == (2, 900_000_001)
    assert (btc().min_lots(), btc().max_lots()) == (1, 2**63 - 1)
    assert instrument_row(btc(min_notional=Decimal("5.000000001")))[0]["min_notional"] == 500_000_001


def test_money_is_in_the_settlement_currency() -> None:
    """An inverse contract settles in its coin; all others in the quote currency, with the currency's precision."""
    assert btc().currency == "USDT"
    assert btc(settle="BTC").currency == "BTC"
    assert [currency_precision(name) for name in ("USDT", "BTC", "USD", "JPY")] == [8, 8, 2, 0]
    assert btc().id == "BTCUSDT.binance"


def test_only_spot_cannot_be_sold_short() -> None:
    """Spot must be owned before it is sold; everything else may be short."""
    assert [kind for kind in Kind if not btc(kind=kind).can_short] == [Kind.SPOT]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "abc", float("nan"), float("-inf"), None])
def test_what_is_no_number_is_refused(value: object) -> None:
    """NaN, infinity and words are errors that name the instrument, never a guess."""
    with pytest.raises(InstrumentError, match=r"BTCUSDT\.binance: price"):
        btc().ticks(value)


@pytest.mark.parametrize("name", ["tick_size", "lot_size", "multiplier"])
@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity"])
def test_an_instrument_needs_positive_steps(name: str, value: str) -> None:
    """Steps and multiplier must be positive and finite."""
    with pytest.raises(InstrumentError, match=name):
        btc(**{name: Decimal(value)})


def test_steps_that_do_not_fit_64_bits_are_refused() -> None:
    """A record for kernels is never wrapped around."""
    with pytest.raises(InstrumentError, match="tick_den = 100000000000000000000 does not fit 64 bits"):
        instrument_row(btc(tick_size=Decimal("1e-20")))
