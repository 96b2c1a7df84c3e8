"""Fees: how much, by the tier in force, and in which currency; and spot trades on one balance a currency.

Binance: derivatives charge in the settlement currency (FAQ 360033544231); spot takes the fee out of what is received,
base asset on a buy, quote asset on a sale, or in BNB at a discount if the account holds enough of it (fee schedule).
Fees are rounded to the nearest ledger unit, a half up; the venue does not publish its rounding.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from truewind.domain.instrument import Instrument, currency_precision
from truewind.domain.terms import FEE, FeeRates
from truewind.errors import ConfigError
from truewind.numerics.exact import mul_div
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE

# A spot symbol's currencies as indices of the balances; base units = lots · base_num / base_den.
SPOT = np.dtype([("base", np.int64), ("quote", np.int64), ("base_num", np.int64), ("base_den", np.int64)], align=True)


def fee_rows(rates: Sequence[FeeRates], discount: Decimal = Decimal(0)) -> np.ndarray:
    """Dated rates as FEE records; discount: fraction taken off what is positive (BNB: 0.25 on spot, 0.10 on USD-M)."""
    rows = []
    for rate in sorted(rates):
        paid = [value * (1 - discount) if value > 0 else value for value in (rate.maker, rate.taker)]
        rows.append((rate.since_us, *(round(value * RATE_SCALE) for value in paid)))
    return np.array(rows, FEE)


def spot_row(instrument: Instrument, currencies: Sequence[str]) -> np.ndarray:
    """`instrument`'s SPOT record for balances in this order of currencies. Raises ConfigError."""
    missing = {instrument.base, instrument.quote} - set(currencies)
    if missing:
        raise ConfigError(
            f"{instrument.id} needs a balance in {', '.join(sorted(missing))}",
            remedy="Add it to the account's currencies",
        )
    units = Fraction(instrument.lot_size * instrument.multiplier) * 10 ** currency_precision(instrument.base)
    row = np.zeros(1, SPOT)
    row[0] = (
        list(currencies).index(instrument.base), list(currencies).index(instrument.quote), units.numerator,
        units.denominator,
    )  # fmt: skip
    return row


@kernel
def fee_rate(fees: Any, ts: int, maker: bool) -> int:
    """Rate in force at `ts`; before the first date the first rate holds."""
    row = 0
    while row + 1 < len(fees) and fees[row + 1]["since"] <= ts:
        row += 1
    return int(fees[row]["maker"] if maker else fees[row]["taker"])


@kernel
def fee_on(amount: int, rate: int) -> int:
    """Ledger units charged on `amount` ledger units, rounded once."""
    return mul_div(amount, rate, RATE_SCALE)


@kernel
def base_units(lots: int, spot: Any) -> int:
    """Ledger units of the base currency in `lots`."""
    return mul_div(lots, spot["base_num"], spot["base_den"])


@kernel
def spot_fee(
    balances: Any, side: int, base: int, quote: int, rate: int, spot: Any, token: int, token_price: float,
    token_rate: int,
) -> tuple[int, int]:  # fmt: skip
    """(currency index, ledger units) of a spot fee for trading `base` against `quote` ledger units.

    token: index of the balance that fees are paid from at `token_rate` (already discounted) if it suffices, -1 for
    none; token_price: quote ledger units for one of its ledger units.
    """
    if token >= 0 and token_price > 0.0:
        units = int(np.ceil(quote * (token_rate / RATE_SCALE) / token_price - 1e-9))
        after = balances[token]
        if token == spot["base"]:
            after += side * base
        elif token == spot["quote"]:
            after -= side * quote
        if units <= after:
            return token, units
    if side > 0:
        return int(spot["base"]), fee_on(base, rate)
    return int(spot["quote"]), fee_on(quote, rate)


@kernel
def book_spot(balances: Any, side: int, base: int, quote: int, spot: Any, currency: int, fee: int) -> bool:
    """Exchange `base` and `quote` ledger units and take the fee, in place; False (nothing changed) if they are too few.

    balances: int64 ledger units a currency, never below zero.
    """
    base_change, quote_change = side * base, -side * quote
    for i in range(len(balances)):
        after = balances[i]
        if i == spot["base"]:
            after += base_change
        if i == spot["quote"]:
            after += quote_change
        if i == currency:
            after -= fee
        if after < 0:
            return False
    balances[spot["base"]] += base_change
    balances[spot["quote"]] += quote_change
    balances[currency] -= fee
    return True
