"""Corporate actions: positions and cash are adjusted, prices stay as they were traded.

A backtest on adjusted prices buys at prices that nobody paid, and its lots, fees and price filters are wrong by the
same factor. Here the price of the day stands, and on the ex date the holding changes instead.
"""

from typing import Any

from truewind.numerics.exact import mul_div
from truewind.numerics.jit import kernel


@kernel
def split(lots: int, cost: int, new: int, old: int) -> tuple[int, int, int, int]:
    """`new` shares for `old` held (2 for 1; a reverse split is 1 for 10): (lots, cost, fraction, cost released).

    The cost of what is kept stays; a fraction of a lot that is left over, in units of 1/old lot and signed like the
    position, is paid out in cash by `cash_in_lieu`, and its share of the cost is released.
    """
    side = 1 if lots >= 0 else -1
    total = abs(lots) * new
    kept, fraction = total // old, total % old
    if fraction == 0:
        return side * kept, cost, 0, 0
    released = mul_div(cost, fraction, total)
    return side * kept, cost - released, side * fraction, released


@kernel
def cash_in_lieu(fraction: int, old: int, price: int, instrument: Any) -> int:
    """Ledger units paid for `fraction`/`old` lots at `price` ticks of the new shares; negative for a short."""
    worth = mul_div(abs(fraction) * price, instrument["unit_num"], instrument["unit_den"] * old)
    return worth if fraction >= 0 else -worth


@kernel
def dividend(lots: int, amount: int, scale: int, instrument: Any) -> int:
    """Ledger units received on the ex date for `lots` held the evening before; the short seller pays.

    amount / scale: cash a share in ledger units (dividends have more decimals than money). Rounded once.
    """
    shares = abs(lots) * instrument["lot_num"]
    paid = mul_div(shares, amount, instrument["lot_den"] * scale)
    return paid if lots >= 0 else -paid
