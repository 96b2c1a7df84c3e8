"""Filling: what an order gets when its price is there, and what it costs; funding as it falls due."""

import math

from truewind.domain.fill import FillKind
from truewind.domain.order import Event, Reason
from truewind.execution.simulated.impact import impact
from truewind.execution.simulated.lifecycle import cancel_siblings, change_order, end_order, wake_children
from truewind.execution.simulated.valuation import equity_now
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE, book_fill, book_funding, worth_per_lot
from truewind.portfolio.state import (
    costs_of,
    funding_of,
    instruments_of,
    orders_of,
    positions_of,
)

_REJECT = int(Event.REJECT)
_PARTIAL_FILL, _FILL = int(Event.PARTIAL_FILL), int(Event.FILL)
_EXPIRE = int(Event.EXPIRE)
_TRADE = FillKind.TRADE
_NONE = int(Reason.NONE)
_NO_SHORT, _INSUFFICIENT = int(Reason.NO_SHORT), int(Reason.INSUFFICIENT_BALANCE)
_NOTHING_TO_REDUCE = int(Reason.NOTHING_TO_REDUCE)


@kernel
def can_afford(state: int, symbol: int, lots: int, price: float) -> bool:
    """Whether equity covers the initial margin of all positions if `symbol` held `lots` at `price`."""
    instruments = instruments_of(state)
    positions = positions_of(state)
    costs = costs_of(state)
    required = 0.0
    for other in range(len(positions)):
        held, at = positions[other]["lots"], positions[other]["close"]
        if other == symbol:
            held, at = lots, price
        if held != 0:
            required += abs(held) * worth_per_lot(instruments[other]) * at
    return bool(required <= costs["leverage"] * equity_now(state))


@kernel
def slippage(state: int, symbol: int, row: int, reference: int, lots: int) -> int:
    """Ticks by which an order that takes liquidity fares worse than `reference`: half the spread and its impact."""
    costs = costs_of(state)
    spread = (reference * costs["half_spread"] + RATE_SCALE - 1) // RATE_SCALE
    return int(spread + math.ceil(reference * impact(state, symbol, row, lots)))


@kernel
def execute(state: int, j: int, reference: int, worst: int, maker: int, ts: int, row: int) -> int:
    """Fill order `j` at `reference` ticks (plus slippage for a taker, no worse than `worst` if that is not 0).

    Returns the number of lots by which the position was opened or added to; 0 if it shrank or the order ended.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    orders = orders_of(state)
    costs = costs_of(state)
    order = orders[j]
    symbol, side = order["symbol"], order["side"]
    position, instrument = positions[symbol], instruments[symbol]
    held = int(position["lots"])
    reducible = abs(held) if held * side < 0 else 0
    wanted = int(order["lots"])
    lots = min(wanted, reducible) if order["reduce_only"] else wanted
    if lots == 0:
        end_order(state, j, ts, row, _EXPIRE, _NOTHING_TO_REDUCE)
        return 0
    price = reference
    if not maker:
        price += side * slippage(state, symbol, row, reference, lots)
        if worst != 0 and (price - worst) * side > 0:
            price = worst
        price = max(price, 1)
    opening = lots - min(lots, reducible)
    if opening > 0:
        refusal = _NONE
        if not instrument["can_short"] and held + side * lots < 0:
            refusal = _NO_SHORT
        else:
            at = to_price(price, instrument["tick_num"], instrument["tick_den"])
            if not can_afford(state, symbol, held + side * lots, at):
                refusal = _INSUFFICIENT
        if refusal != _NONE:
            end_order(state, j, ts, row, _REJECT, refusal)
            return 0
    fee_rate = costs["maker"] if maker else costs["taker"]
    booked = book_fill(
        state, ts, row, order["id"], symbol, _TRADE, side, maker, price, lots, reference, fee_rate, order["tag"]
    )
    if not booked:
        return 0
    order["filled"] = lots
    if lots < wanted:
        change_order(state, j, ts, row, _PARTIAL_FILL, _NONE, lots)
        change_order(state, j, ts, row, _EXPIRE, _NOTHING_TO_REDUCE, wanted - lots)
    else:
        change_order(state, j, ts, row, _FILL, _NONE, lots)
    wake_children(state, order["id"], lots, reference, ts, row)
    if order["group"] != 0:
        cancel_siblings(state, order["group"], ts, row)
    return opening


@kernel
def pay_funding(state: int, until: int, row: int, open_ticks: int, symbol: int) -> None:
    """Settle all funding of `symbol` due at or before `until`, at its mark price or, lacking one, the bar's open."""
    funding = funding_of(state)
    positions = positions_of(state)
    position = positions[symbol]
    while position["next_funding"] < position["last_funding"] and funding[position["next_funding"]]["ts"] <= until:
        due = funding[position["next_funding"]]
        if position["lots"] != 0 and due["rate"] != 0:
            mark = due["mark"] if due["mark"] > 0 else open_ticks
            if not book_funding(state, due["ts"], row, symbol, mark, due["rate"]):
                return
        position["next_funding"] += 1
