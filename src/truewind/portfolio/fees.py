"""Fees: how much, by the rates in force, and in which currency.

Binance: derivatives charge in the settlement currency (FAQ 360033544231); spot takes the fee out of what is received,
base asset on a buy, quote asset on a sale, or in BNB at a discount if the account holds enough of it (fee schedule).
Fees are rounded to the nearest ledger unit, a half up; the venue does not publish its rounding.

A fee in the base asset is booked as what it is, a sale at the price of the purchase whose whole proceeds are the fee.
So that it can be taken out exactly, a spot position is counted in the smallest unit of its asset (`divisible`) and
only orders keep to the venue's lot.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from truewind.domain.fill import FillKind
from truewind.domain.instrument import Instrument, Kind, currency_precision
from truewind.domain.terms import FEE, FeeRates
from truewind.errors import ConfigError
from truewind.numerics.exact import mul_div
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE, book_fill
from truewind.portfolio.margin import Margin, refresh_terms
from truewind.portfolio.state import instruments_of, margins_of

_FEE = FillKind.FEE


def fee_rows(rates: Sequence[FeeRates], discount: Decimal = Decimal(0)) -> np.ndarray:
    """Dated rates as FEE records; discount: fraction taken off what is positive (BNB: 0.25 on spot, 0.10 on USD-M)."""
    rows = []
    for rate in sorted(rates):
        paid = [value * (1 - discount) if value > 0 else value for value in (rate.maker, rate.taker)]
        rows.append((rate.since_us, *(round(value * RATE_SCALE) for value in paid)))
    return np.array(rows, FEE)


def with_fees(
    margin: Margin, instruments: Sequence[Instrument], tables: Mapping[str, np.ndarray], *, received: bool
) -> Margin:
    """`margin`, with the FEE rows of each instrument by id. received: spot purchases pay in what they receive.

    Raises ConfigError for an instrument without rates.
    """
    parts, rows = [], 0
    for terms, instrument in zip(margin.margins, instruments, strict=True):
        if instrument.id not in tables:
            raise ConfigError(f"No fees of {instrument.id} are known", remedy="Set costs.fees to fixed")
        parts.append(tables[instrument.id])
        terms["first_fee"], terms["last_fee"] = rows, rows + len(parts[-1])
        terms["received"] = received and instrument.kind is Kind.SPOT
        rows += len(parts[-1])
    fees = np.concatenate(parts)
    refresh_terms(margin.margins, margin.tiers, fees, 0)
    return margin._replace(fees=fees)


def divisible(instrument: Instrument) -> Instrument:
    """`instrument` with lots of its base currency's smallest unit; orders keep to the lots that it has."""
    unit = Decimal(1).scaleb(-currency_precision(instrument.base))
    if instrument.kind is not Kind.SPOT or instrument.lot_size <= unit:
        return instrument
    return msgspec.structs.replace(instrument, lot_size=unit, order_step=instrument.lot_size)


@kernel(inline=True)
def takes_base(state: int, symbol: int, side: int) -> bool:
    """Whether the fee of this trade comes out of what is bought."""
    return bool(side > 0 and margins_of(state)[symbol]["received"])


@kernel
def book_base_fee(state: int, ts: int, row: int, order: int, leg: int, price: int, lots: int, rate: int) -> None:
    """Take the fee of a purchase of `lots` at `price` out of them, rounded to the nearest lot."""
    fee = mul_div(lots, rate, RATE_SCALE)
    if fee > 0:
        book_fill(state, ts, row, order, leg, _FEE, -1, 0, price, fee, price, RATE_SCALE, 0)


@kernel(inline=True)
def whole_steps(state: int, symbol: int, lots: int) -> int:
    """Of `lots` ≥ 0 those that an order may have."""
    step: Any = instruments_of(state)[symbol]["step"]
    return int(lots - lots % step) if step > 1 else lots
