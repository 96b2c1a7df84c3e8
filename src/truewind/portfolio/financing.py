"""What it costs to hold what is not one's own: borrowed shares, and currencies overnight."""

import math
from typing import Any

from truewind.numerics.exact import mul_div
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE

WEDNESDAY = 2
SATURDAY = 5


@kernel
def borrow_collateral(price: float, shares: float) -> float:
    """Cash that secures borrowed shares: 102 % of the last settlement price, in whole currency rounded up, a share.

    The US convention as Interactive Brokers applies it (ibkrguides.com, "Borrow Fee Details").
    """
    return float(math.ceil(price * 1.02 - 1e-9) * shares)


@kernel
def borrow_fee(collateral: int, rate: int, days: int) -> int:
    """Ledger units owed for `days` calendar days: collateral × rate ÷ 360; rate a year in 1e-8."""
    return mul_div(collateral, rate * days, RATE_SCALE * 360)


@kernel
def nights_charged(weekday: int, triple: int) -> int:
    """Nights of interest that are booked for holding over the end of `weekday` (Monday 0).

    Currencies settle two business days later, so that the night of Wednesday moves settlement over the weekend: it
    counts three. `triple`: that day, 2 unless the pair settles in one (USDCAD: 3, Thursday). None at weekends.
    """
    if weekday >= SATURDAY:
        return 0
    return 3 if weekday == triple else 1


@kernel
def swap(lots: int, points: int, point_scale: int, nights: int, instrument: Any) -> int:
    """Ledger units of the quote currency received (negative: paid) for `nights` nights.

    points ÷ point_scale: the broker's swap in ticks for the side that is held, long or short, so that the size counts
    without its sign.
    """
    return mul_div(
        abs(lots) * nights * points, instrument["unit_num"], instrument["unit_den"] * point_scale
    )  # fmt: skip
