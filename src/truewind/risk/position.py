"""What a position may lose: at its stop, and before the venue takes it."""

import math
from typing import Any

from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.worth import lot_worth

_HAIR = 1e-9  # of a tick, for the rounding of floats


@kernel(inline=True)
def traded_at(price: float, side: int, half_spread: int, instrument: Any) -> float:
    """What is paid (side 1) or got (−1) at the market where that stands at `price`: half the spread worse.

    half_spread: in 1e-8 of the price; rounded away to whole ticks, as the simulated venue does.
    """
    ticks = price * instrument["tick_den"] / instrument["tick_num"]
    away = math.ceil(ticks * half_spread / RATE_SCALE - _HAIR)
    return float((ticks + side * away) * instrument["tick_num"] / instrument["tick_den"])


@kernel(inline=True)
def loss_of_lot(side: int, entry: float, stop: float, taker: int, half_spread: int, instrument: Any) -> float:
    """Ledger units that one lot on `side` loses from the price `entry` to `stop`, with the costs of both ways.

    taker: fee in 1e-8 of notional. Neither the impact of large orders is in it, nor a gap beyond the stop.
    """
    entered = lot_worth(traded_at(entry, side, half_spread, instrument), instrument)
    left = lot_worth(traded_at(stop, -side, half_spread, instrument), instrument)
    return abs(entered - left) + taker / RATE_SCALE * (entered + left)


@kernel
def most_notional(spare: float, fixed: float, slope: float, terms: Any, tiers: Any) -> float:
    """The largest notional N with N · (fixed + slope · rate) − cum ≤ spare, with rate and cum of the tier it lies in.

    Rates rise with size and cum makes maintenance margin continuous: it is the most of what all tiers would ask for, so
    the bound holds if it does in each of them.
    """
    most = math.inf
    for row in range(terms["first_tier"], terms["last_tier"]):
        each = fixed + slope * (tiers[row]["rate"] / RATE_SCALE)
        if each > 0.0:
            most = min(most, (spare + tiers[row]["cum"]) / each)
    return most


@kernel
def notional_carried(allowed: float, terms: Any, tiers: Any) -> float:
    """The largest position whose maintenance margin is no more than `allowed` ledger units."""
    return most_notional(allowed, 0.0, 1.0, terms, tiers)


@kernel
def notional_safe(equity: float, distance: float, inverse: bool, leverage: float, terms: Any, tiers: Any) -> float:
    """The largest position that is not liquidated before its price has moved by `distance`, a fraction of it.

    An estimate: equity (less the maintenance margin of what else is held, which stands still) pays for the move, and
    the maintenance margin is that of the price moved against a short position. An isolated position has its initial
    margin only, notional ÷ leverage, so that it is safe at any size or at none that its tier does not let be.
    """
    move = distance / (1.0 - distance) if inverse else distance  # of what profit is linear in, the farther way
    if not terms["isolated"]:
        return most_notional(equity, move, 1.0 + move, terms, tiers)
    for row in range(terms["first_tier"], terms["last_tier"]):
        if move + (1.0 + move) * (tiers[row]["rate"] / RATE_SCALE) > 1.0 / leverage:
            return float(tiers[row]["floor"])
    return math.inf


@kernel(inline=True)
def turned_leverage(base: float, target: float, measured: float, most: float) -> float:
    """clamp(base · target ÷ measured volatility, 1, most): the calm is held with more. NaN if it is not known."""
    if not measured >= 0.0:
        return math.nan
    return min(max(base * target / measured, 1.0), most) if measured > 0.0 else most
