"""Quiet rows: bounds within which nothing can happen to a symbol, and the search for the next row that leaves them."""

from typing import Any

import numpy as np

from truewind.domain.clock import NEVER
from truewind.domain.order import OrderType, Status, TriggerSource
from truewind.domain.position import CROSS
from truewind.execution.simulated.lifecycle import rests, takes, waits
from truewind.execution.simulated.valuation import equity_now, exposure_of
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.bounds import cross_share, isolated_slack, safe_prices
from truewind.portfolio.latches import safe_move
from truewind.portfolio.margin import cross_wallet
from truewind.portfolio.state import (
    account_of,
    breakers_of,
    dues_of,
    instruments_of,
    limits_of,
    margins_of,
    marks_of,
    orders_of,
    positions_of,
    prices_of,
    tiers_of,
    times_of,
)
from truewind.portfolio.worth import coordinate

_TRAILING = int(OrderType.TRAILING_STOP)
_SUBMITTED = int(Status.SUBMITTED)
_HAIR = 1.0 - 1e-9  # so that rounding never hides a case
_BY_MARK, _BY_INDEX = int(TriggerSource.MARK), int(TriggerSource.INDEX)


@kernel(inline=True)
def stirs(
    k: int, low_at: float, high_at: float, due_at: int, mark_low_at: float, mark_high_at: float, wake: int, times: Any,
    prices: Any, marks: Any, marked: int,
) -> bool:  # fmt: skip
    """Whether something may happen to the symbol of row `k`, whose first leg has these bounds."""
    if prices[2][k] <= low_at or prices[1][k] >= high_at or times[1][k] >= due_at or wake != 0:
        return True
    return bool(marked != 0 and (marks[2][k] <= mark_low_at or marks[1][k] >= mark_high_at))


@kernel(inline=True)
def bounds_of(position: Any) -> tuple[float, float, int, float, float, int]:
    """The bounds of a symbol's first leg, as `stirs` takes them."""
    return (
        position["low_at"], position["high_at"], position["due_at"], position["mark_low_at"], position["mark_high_at"],
        position["wake"],
    )  # fmt: skip


@kernel
def scan(state: int, first: int, last: int) -> int:
    """First row in [first, last) on which something may happen to its symbol; `last` if none."""
    times, prices, marks = times_of(state), prices_of(state), marks_of(state)
    positions = positions_of(state)
    marked = account_of(state)["marked"]
    if len(instruments_of(state)) == 1:
        bounds = bounds_of(positions[0])
        for k in range(first, last):
            if stirs(k, *bounds, times, prices, marks, marked):
                return k
        return last
    for k in range(first, last):
        if stirs(k, *bounds_of(positions[times[2][k]]), times, prices, marks, marked):
            return k
    return last


@kernel
def set_bounds(state: int) -> None:
    """For each symbol: the prices and the time before which nothing can happen to it."""
    dues = dues_of(state)
    instruments = instruments_of(state)
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    symbols = len(instruments)
    breakers = breakers_of(state)
    by_day = limits_of(state)["on_daily_loss"] != 0.0 and breakers["day_ends"] < NEVER
    if account["bounded"] != account["booked"]:
        set_safe_marks(state)
    for symbol in range(symbols):
        position = positions[symbol]
        position["low_at"] = -np.inf
        position["high_at"] = np.inf
        position["mark_low_at"] = position["safe_low"]
        position["mark_high_at"] = position["safe_high"]
        position["wake"] = 1 if position["safe_low"] >= position["safe_high"] else 0
        position["due_at"] = min(position["changes_at"], account["rates_at"])
    for leg in range(len(positions)):
        if positions[leg]["lots"] != 0:
            symbol = positions[leg]["symbol"]
            position = positions[symbol]
            if position["next_due"] < position["last_due"]:
                position["due_at"] = min(position["due_at"], dues[position["next_due"]]["ts"])
            if instruments[symbol]["can_short"]:
                position["due_at"] = min(position["due_at"], account["terms_at"])
            if by_day:  # the first row of a day: that has a floor of its own
                position["due_at"] = min(position["due_at"], breakers["day_ends"] + 1)
    for j in range(account["orders"]):
        order = orders[j]
        position, instrument = positions[order["symbol"]], instruments[order["symbol"]]
        if order["expires"] > 0:
            position["due_at"] = min(position["due_at"], order["expires"])
        if order["status"] == _SUBMITTED or takes(order) or (order["type"] == _TRAILING and waits(order)):
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


@kernel(inline=True)
def is_safe(state: int, symbol: int, high: float, low: float) -> bool:
    """Whether nothing of `symbol` can be liquidated between these marks; old safe marks are reckoned anew."""
    account = account_of(state)
    if account["bounded"] != account["booked"]:
        set_safe_marks(state)
    position = positions_of(state)[symbol]
    return bool(low > position["safe_low"] and high < position["safe_high"])


@kernel
def set_safe_marks(state: int) -> None:
    """The marks between which no wallet can come to its maintenance margin, whichever way they combine, nor equity to
    where a breaker flattens.

    Each cross position, spot too, may use up an equal share of what equity exceeds the maintenance margin by, an
    isolated one what its own wallet does. They hold as long as no position and no wallet changes. A symbol that has
    nothing to lose has none: it must be looked at on every row.
    """
    instruments, positions, account = instruments_of(state), positions_of(state), account_of(state)
    account["bounded"] = account["booked"]
    margined = False
    for symbol in range(len(instruments)):
        positions[symbol]["safe_low"], positions[symbol]["safe_high"] = -np.inf, np.inf
    for leg in range(len(positions)):
        if positions[leg]["lots"] != 0 and instruments[positions[leg]["symbol"]]["can_short"]:
            margined = True
            break
    if margined:
        set_liquidation_marks(state)
    set_breaker_marks(state)


@kernel(inline=True)
def set_liquidation_marks(state: int) -> None:
    """Narrow the safe marks to those between which nothing can be liquidated."""
    instruments, margins, tiers = instruments_of(state), margins_of(state), tiers_of(state)
    positions, account = positions_of(state), account_of(state)
    wallet = cross_wallet(account["cash"] + account["collateral"], positions)
    share = cross_share(wallet, positions, instruments, margins, tiers)
    for leg in range(len(positions)):
        own = positions[leg]
        if own["lots"] == 0:
            continue
        slack = share
        if own["wallet"] != CROSS:
            slack = isolated_slack(own, instruments, margins, tiers)
        position = positions[own["symbol"]]
        low = high = own["mark"]
        if slack > 0.0:
            low, high = safe_prices(slack, own, instruments, margins, tiers)
        position["safe_low"] = max(position["safe_low"], low)
        position["safe_high"] = min(position["safe_high"], high)


@kernel(inline=True)
def set_breaker_marks(state: int) -> None:
    """Narrow the safe marks to those between which equity cannot come to where a breaker flattens.

    Each symbol that is held may move it by an equal part of what there is above that.
    """
    instruments, positions, limit = instruments_of(state), positions_of(state), limits_of(state)
    if limit["on_drawdown"] == 0.0 and limit["on_daily_loss"] == 0.0:
        return
    move = safe_move(state, equity_now(state))
    if move == np.inf:
        return
    held = 0
    for symbol in range(len(instruments)):
        held += 1 if exposure_of(symbol, positions, instruments) != 0.0 else 0
    for symbol in range(len(instruments)):
        gains, position, instrument = (
            exposure_of(symbol, positions, instruments),
            positions[symbol],
            instruments[symbol],
        )
        if gains == 0.0:
            continue
        low = high = float(position["mark"])
        if move > 0.0:
            at, most = coordinate(low, instrument), move / held / abs(gains) * _HAIR
            low, high = max(0.0, at - most), at + most
            if instrument["inverse"]:
                low, high = 1.0 / high, (1.0 / low if low > 0.0 else np.inf)
        position["safe_low"] = max(position["safe_low"], low)
        position["safe_high"] = min(position["safe_high"], high)
