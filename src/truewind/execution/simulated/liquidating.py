"""Liquidating: when the venue takes a position away, at which mark price, how much of it, and what that costs.

The formulas are in `portfolio.margin` and `portfolio.liquidation`; here they meet a bar. The mark price is assumed to
go through every value between its extremes; which comes first, and what another symbol did meanwhile, is not known.
"""

from typing import Any

import numpy as np

from truewind.domain.fill import FillKind
from truewind.domain.order import TRANSITIONS, Event, Reason
from truewind.domain.position import CROSS
from truewind.execution.simulated.filling import slippage
from truewind.execution.simulated.lifecycle import end_order
from truewind.execution.simulated.quiet import is_safe
from truewind.numerics.exact import mul_div, to_ticks
from truewind.numerics.jit import kernel
from truewind.portfolio.conversion import backing
from truewind.portfolio.ledger import RATE_SCALE, book_fill, book_payment, charge
from truewind.portfolio.liquidation import clear, lots_to_liquidate, lots_to_lower_tier
from truewind.portfolio.margin import (
    cross_equity,
    cross_maintenance,
    cross_wallet,
    isolated_liquidation_price,
    leg_maintenance,
    liquidation_prices,
    unrealised,
)
from truewind.portfolio.shares import share_liquidation
from truewind.portfolio.state import (
    account_of,
    fills_of,
    instruments_of,
    margins_of,
    marks_of,
    orders_of,
    positions_of,
    prices_of,
    tiers_of,
    times_of,
)

_LIQUIDATION, _INSURANCE = FillKind.LIQUIDATION, FillKind.INSURANCE
_CANCEL, _BY_LIQUIDATION = int(Event.CANCEL), int(Reason.LIQUIDATION)
_HAIR = 1e-9  # so that rounding never hides a case from the formulas, which decide


@kernel
def in_danger(state: int, symbol: int, at: float) -> bool:
    """Whether a wallet that holds `symbol` might not exceed its maintenance margin with the mark at `at`."""
    instruments, margins, tiers = instruments_of(state), margins_of(state), tiers_of(state)
    positions = positions_of(state)
    before = positions[symbol]["mark"]
    set_mark(symbol, at, positions, len(instruments))
    danger = False
    cross = False
    for leg in range(symbol, len(positions), len(instruments)):
        position = positions[leg]
        if position["lots"] == 0:
            continue
        if position["wallet"] == CROSS:
            cross = True
        else:
            equity = position["wallet"] + unrealised(position, instruments[symbol], at)
            danger = danger or equity <= leg_maintenance(position, instruments, margins, tiers) + _HAIR * abs(equity)
    if cross:
        equity = cross_equity(cross_wallet(backing(state), positions), positions, instruments)
        required = cross_maintenance(positions, instruments, margins, tiers)
        danger = danger or equity <= required + _HAIR * (abs(equity) + required)
    set_mark(symbol, before, positions, len(instruments))
    return danger


@kernel
def set_mark(symbol: int, at: float, positions: Any, symbols: int) -> None:
    """Write the mark price of `symbol` into all its legs."""
    for leg in range(symbol, len(positions), symbols):
        positions[leg]["mark"] = at


@kernel
def danger_ahead(state: int, symbol: int, opening: float, high: float, low: float) -> tuple[int, float]:
    """The leg of `symbol` that is liquidated first as its mark goes out from `opening` to `high` and `low`, and where.

    (-1, NaN) if none. An account that no price of this symbol could save is liquidated at `opening`.
    """
    instruments, margins, tiers = instruments_of(state), margins_of(state), tiers_of(state)
    positions = positions_of(state)
    first, at, shortest = -1, np.nan, np.inf
    for leg in range(symbol, len(positions), len(instruments)):
        position = positions[leg]
        if position["lots"] == 0 or not instruments[symbol]["can_short"]:
            continue
        if not in_danger(state, symbol, low if position["lots"] > 0 else high):
            continue
        if position["wallet"] == CROSS:
            wallet = cross_wallet(backing(state), positions)
            below, above = liquidation_prices(wallet, symbol, positions, instruments, margins, tiers)
            if below != below and above != above:
                below = above = opening
            price = below if position["lots"] > 0 else above
        else:
            price = isolated_liquidation_price(position, instruments, margins, tiers)
        if position["lots"] > 0:
            reached = low <= price
            price = min(price, opening)
        else:
            reached = high >= price
            price = max(price, opening)
        if reached and abs(price - opening) < shortest:
            first, at, shortest = leg, price, abs(price - opening)
    return first, at


@kernel
def liquidate(state: int, leg: int, mark: float, ts: int, row: int) -> None:
    """Take `leg` down a tier, or further if the margin needs it; orders of its wallet are withdrawn first.

    It is executed at the mark, or the nearest price that traded in the bar, with slippage. The clearance fee takes no
    more than there is; a loss beyond the margin is the insurance fund's.
    """
    instruments, margins, tiers = instruments_of(state), margins_of(state), tiers_of(state)
    positions, prices, money = positions_of(state), prices_of(state), account_of(state)
    position = positions[leg]
    symbol = position["symbol"]
    instrument, terms = instruments[symbol], margins[symbol]
    isolated = position["wallet"] != CROSS
    orders = orders_of(state)
    for j in range(money["orders"]):
        if (orders[j]["symbol"] == symbol or not isolated) and TRANSITIONS[orders[j]["status"], _CANCEL] >= 0:
            end_order(state, j, ts, row, _CANCEL, _BY_LIQUIDATION)
    set_mark(symbol, mark, positions, len(instruments))
    side = -1 if position["lots"] > 0 else 1
    traded = min(max(mark, prices[2][row]), prices[1][row])
    reference = max(1, to_ticks(traded, instrument["tick_num"], instrument["tick_den"], side))
    lots = int(abs(position["lots"]))
    price = max(1, reference + side * slippage(state, symbol, row, reference, lots))
    if terms["partial"]:
        own = leg_maintenance(position, instruments, margins, tiers)
        others = 0.0
        equity = position["wallet"] + unrealised(position, instrument, mark)
        if not isolated:
            others = cross_maintenance(positions, instruments, margins, tiers) - own
            equity = cross_equity(cross_wallet(money["cash"] + money["collateral"], positions), positions, instruments)
        loss = terms["liquidation_fee"] / RATE_SCALE + abs(price / reference - 1.0)
        least = lots_to_liquidate(equity, others, position, mark, loss, instrument, terms, tiers)
        lots = max(1, least, lots_to_lower_tier(position, mark, instrument, terms, tiers))
        price = max(1, reference + side * slippage(state, symbol, row, reference, lots))
    wallet = int(position["wallet"])
    if not book_fill(state, ts, row, 0, leg, _LIQUIDATION, side, 0, price, lots, reference, 0, 0):
        return
    last = money["fills"] - 1
    booked = fills_of(state)[last]
    fee = mul_div(booked["notional"], terms["liquidation_fee"], RATE_SCALE)
    if isolated:
        balance = wallet + int(booked["realised"])
    else:
        balance = cross_wallet(money["cash"] + money["collateral"], positions)
        for other in range(len(positions)):
            if positions[other]["wallet"] == CROSS and positions[other]["lots"] != 0:
                charge(state, leg, fee)  # the account lives on; what else it holds backs it
                share_liquidation(state, last, 0)
                return
    left, charged, change = clear(balance, fee)
    charge(state, leg, charged)
    if isolated:
        position["wallet"] = left if position["lots"] != 0 else 0
    if change < 0:
        book_payment(state, ts, row, leg, _INSURANCE, price, 0, -change)
    share_liquidation(state, last, max(0, -change))


@kernel(inline=True)
def liquidate_open(state: int, symbol: int, k: int) -> None:
    """Take away what the opening mark of bar `k` has used up, before any order of ours can be executed there."""
    opening, ts = marks_of(state)[0][k], times_of(state)[0][k]
    if is_safe(state, symbol, opening, opening):
        return
    leg, mark = danger_ahead(state, symbol, opening, opening, opening)
    while leg >= 0 and account_of(state)["overflow"] == 0:
        liquidate(state, leg, mark, ts, k)
        leg, mark = danger_ahead(state, symbol, opening, opening, opening)
