"""Quiet rows: bounds within which nothing can happen to a symbol, and the search for the next row that leaves them."""

import numpy as np

from truewind.domain.order import OrderType, Status, TriggerSource
from truewind.domain.position import CROSS
from truewind.execution.simulated.lifecycle import rests, waits
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.bounds import cross_share, isolated_slack, safe_prices
from truewind.portfolio.margin import cross_wallet
from truewind.portfolio.state import (
    account_of,
    funding_of,
    instruments_of,
    margins_of,
    marks_of,
    orders_of,
    positions_of,
    prices_of,
    tiers_of,
    times_of,
)

NEVER = np.iinfo(np.int64).max
_TRAILING = int(OrderType.TRAILING_STOP)
_SUBMITTED = int(Status.SUBMITTED)
_BY_MARK, _BY_INDEX = int(TriggerSource.MARK), int(TriggerSource.INDEX)


@kernel
def scan(state: int, first: int, last: int) -> int:
    """First row in [first, last) on which something may happen to its symbol; `last` if none."""
    times = times_of(state)
    prices, marks = prices_of(state), marks_of(state)
    positions = positions_of(state)
    marked = account_of(state)["marked"]
    if len(instruments_of(state)) == 1 and not marked:  # the same test with its bounds in registers
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
        if marked and (marks[2][k] <= position["mark_low_at"] or marks[1][k] >= position["mark_high_at"]):
            return k
    return last


@kernel
def set_bounds(state: int) -> None:
    """For each symbol: the prices and the time before which nothing can happen to it."""
    funding = funding_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    symbols = len(instruments)
    margined = False
    for symbol in range(symbols):
        position = positions[symbol]
        position["wake"] = 0
        position["low_at"] = position["mark_low_at"] = -np.inf
        position["high_at"] = position["mark_high_at"] = np.inf
        position["due_at"] = NEVER
    for leg in range(len(positions)):
        if positions[leg]["lots"] != 0:
            symbol = positions[leg]["symbol"]
            position = positions[symbol]
            if position["next_funding"] < position["last_funding"]:
                position["due_at"] = funding[position["next_funding"]]["ts"]
            if instruments[symbol]["can_short"]:
                margined = True
                position["due_at"] = min(position["due_at"], account["tiers_at"])
    if margined:
        set_margin_bounds(state)
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
            if waits(order) and order["source"] == _BY_MARK:
                if rising:
                    position["mark_high_at"] = min(position["mark_high_at"], at)
                else:
                    position["mark_low_at"] = max(position["mark_low_at"], at)
            elif waits(order) and order["source"] == _BY_INDEX:
                position["wake"] = 1
            elif rising:
                position["high_at"] = min(position["high_at"], at)
            else:
                position["low_at"] = max(position["low_at"], at)
    if not account["marked"]:
        for symbol in range(symbols):
            position = positions[symbol]
            position["low_at"] = max(position["low_at"], position["mark_low_at"])
            position["high_at"] = min(position["high_at"], position["mark_high_at"])


@kernel
def set_margin_bounds(state: int) -> None:
    """The marks between which no wallet can come to its maintenance margin, whichever way they combine.

    Each cross position, spot too, may use up an equal share of what equity exceeds the maintenance margin by, an
    isolated one what its own wallet does. A symbol that has nothing to lose wakes on its next row.
    """
    instruments, margins, tiers = instruments_of(state), margins_of(state), tiers_of(state)
    positions = positions_of(state)
    wallet = cross_wallet(account_of(state)["cash"], positions)
    share = cross_share(wallet, positions, instruments, margins, tiers)
    for leg in range(len(positions)):
        own = positions[leg]
        if own["lots"] == 0:
            continue
        slack = share
        if own["wallet"] != CROSS:
            slack = isolated_slack(own, instruments, margins, tiers)
        position = positions[own["symbol"]]
        if not slack > 0.0:
            position["wake"] = 1
            continue
        low, high = safe_prices(slack, own, instruments, margins, tiers)
        position["mark_low_at"] = max(position["mark_low_at"], low)
        position["mark_high_at"] = min(position["mark_high_at"], high)
