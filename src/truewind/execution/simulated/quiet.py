"""Quiet rows: bounds within which nothing can happen to a symbol, and the search for the next row that leaves them."""

import numpy as np

from truewind.domain.order import OrderType, Status
from truewind.execution.simulated.lifecycle import rests, waits
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE, worth_per_lot
from truewind.portfolio.state import (
    account_of,
    costs_of,
    funding_of,
    instruments_of,
    orders_of,
    positions_of,
    prices_of,
    times_of,
)

NEVER = np.iinfo(np.int64).max
_TRAILING = int(OrderType.TRAILING_STOP)
_SUBMITTED = int(Status.SUBMITTED)


@kernel
def scan(state: int, first: int, last: int) -> int:
    """First row in [first, last) on which something may happen to its symbol; `last` if none."""
    times = times_of(state)
    prices = prices_of(state)
    positions = positions_of(state)
    if len(positions) == 1:  # the same test with its bounds in registers
        only = positions[0]
        low_at, high_at, due_at = only["low_at"], only["high_at"], only["due_at"]
        if only["wake"]:
            return min(first, last)
        for k in range(first, last):
            if prices[2][k] <= low_at or prices[1][k] >= high_at or times[1][k] >= due_at:
                return k
        return last
    for k in range(first, last):
        position = positions[times[2][k]]
        if (
            position["wake"]
            or prices[2][k] <= position["low_at"]
            or prices[1][k] >= position["high_at"]
            or times[1][k] >= position["due_at"]
        ):
            return k
    return last


@kernel
def set_bounds(state: int) -> None:
    """For each symbol: the prices and the time before which nothing can happen to it.

    Margin: each position, spot too, may use up an equal share of what equity exceeds the maintenance margin by. While
    all stay within their shares nobody can be liquidated, whichever way the prices combine.
    """
    funding = funding_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    costs = costs_of(state)
    rate = costs["maintenance"] / RATE_SCALE
    slack = account["equity"]
    held = 0
    margined = False
    for symbol in range(len(positions)):
        position = positions[symbol]
        position["wake"] = 0
        position["low_at"] = -np.inf
        position["high_at"] = np.inf
        position["due_at"] = NEVER
        if position["lots"] != 0:
            if position["next_funding"] < position["last_funding"]:
                position["due_at"] = funding[position["next_funding"]]["ts"]
            held += 1
            if instruments[symbol]["can_short"]:
                margined = True
                slack -= abs(position["lots"]) * worth_per_lot(instruments[symbol]) * position["close"] * rate
    for j in range(account["orders"]):
        order = orders[j]
        position, instrument = positions[order["symbol"]], instruments[order["symbol"]]
        if order["expires"] > 0:
            position["due_at"] = min(position["due_at"], order["expires"])
        if order["status"] == _SUBMITTED or (order["type"] == _TRAILING and waits(order)):
            position["wake"] = 1
        elif waits(order) or rests(order):
            ticks = order["trigger"] if waits(order) else order["price"]
            at = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
            rising = order["rising"] > 0 if waits(order) else order["side"] < 0
            if rising:
                position["high_at"] = min(position["high_at"], at)
            else:
                position["low_at"] = max(position["low_at"], at)
    for symbol in range(len(positions)):
        position = positions[symbol]
        if position["lots"] != 0 and margined:
            if slack <= 0.0:
                position["wake"] = 1
                continue
            exposure = abs(position["lots"]) * worth_per_lot(instruments[symbol])
            reach = slack / held / (exposure * (1.0 + rate))
            if position["lots"] > 0:
                position["low_at"] = max(position["low_at"], position["close"] - reach)
            else:
                position["high_at"] = min(position["high_at"], position["close"] + reach)
