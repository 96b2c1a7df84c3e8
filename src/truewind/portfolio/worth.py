"""What lots are worth in ledger units, exactly: linear contracts and inverse ones.

A linear contract is worth size × price in the quote currency; an inverse one, whose size is in the quote currency,
size ÷ price in the coin that it is settled in (Binance "COIN-M Futures Contract Specifications"; FAQ 360033544231:
notional = contracts × contract size ÷ price).
"""

from typing import Any

import numpy as np

from truewind.numerics.exact import SAFE_INT64, fits, mul_div
from truewind.numerics.jit import kernel


@kernel(inline=True)
def worth_of(ticks: int, lots: int, instrument: Any) -> int:
    """Worth of `lots` ≥ 0 at `ticks` > 0 in the account's currency; -1 if it does not fit 64 bits.

    Rounded once; in another currency than the account's a second time, when it is converted.
    """
    if instrument["rate"] != 1.0:
        own = own_worth(ticks, lots, instrument)
        worth = own * instrument["rate"]
        return -1 if own < 0 or worth > SAFE_INT64 else int(np.floor(worth + 0.5))
    return own_worth(ticks, lots, instrument)


@kernel(inline=True)
def own_worth(ticks: int, lots: int, instrument: Any) -> int:
    """`worth_of` in the currency that the instrument is settled in."""
    if instrument["inverse"]:
        # mul_div wants a result below 2**62 and a divisor below 2**52; either is passed only by absurd orders.
        if ticks <= 0 or not fits(ticks, instrument["unit_den"], 2048):
            return -1
        divisor = ticks * instrument["unit_den"]
        if 2.0 * lots * instrument["unit_num"] / divisor > SAFE_INT64:
            return -1
        return mul_div(lots, instrument["unit_num"], divisor)
    if not fits(ticks, lots, instrument["unit_num"]):
        return -1
    if instrument["unit_den"] == 1:  # the usual case, and division is slow
        return int(ticks * lots * instrument["unit_num"])
    return mul_div(ticks * lots, instrument["unit_num"], instrument["unit_den"])


@kernel(inline=True)
def gains_with_price(side: int, instrument: Any) -> int:
    """The side (+1, -1) on which a fill enters the cost of a position: turned round for inverse contracts.

    A buyer of an inverse contract owes dollars and holds coins: measured in coins the contract's worth falls as its
    price rises, so that its profit is that of a seller of something worth size ÷ price.
    """
    return -side if instrument["inverse"] else side


@kernel
def average_entry(lots: int, cost: int, instrument: Any) -> float:
    """Average entry price in quote units, NaN if nothing is held: cost ÷ size, of an inverse contract size ÷ cost."""
    if lots == 0:
        return np.nan
    size = lots * float(instrument["worth"])
    return float(-size / cost if instrument["inverse"] else cost / size)


@kernel(inline=True)
def coordinate(price: float, instrument: Any) -> float:
    """What profit is linear in: the price, of an inverse contract its reciprocal."""
    return 1.0 / price if instrument["inverse"] else price


@kernel(inline=True)
def exposure(lots: int, instrument: Any) -> float:
    """Ledger units that `lots` gain per unit of the coordinate."""
    size = lots * float(instrument["worth"])
    return -size if instrument["inverse"] else size


@kernel(inline=True)
def lot_worth(price: float, instrument: Any) -> float:
    """Notional of one lot at `price`, in ledger units."""
    return float(instrument["worth"]) * coordinate(price, instrument)
