"""Filling: what an order gets when its price is there, and what it costs."""

import math

from truewind.domain.fill import FillKind
from truewind.domain.order import Event, Reason, SelfTrade, TimeInForce
from truewind.domain.position import CROSS
from truewind.execution.simulated.impact import impact
from truewind.execution.simulated.lifecycle import (
    cancel_siblings,
    change_order,
    end_order,
    end_parent,
    rests,
    wake_children,
)
from truewind.execution.simulated.valuation import symbol_at
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.conversion import backing
from truewind.portfolio.fees import book_base_fee, takes_base, whole_steps
from truewind.portfolio.ledger import RATE_SCALE, book_fill
from truewind.portfolio.margin import cross_equity, cross_wallet, notional_at, unrealised
from truewind.portfolio.settlement import note_sale, unsettled
from truewind.portfolio.shares import share_fill
from truewind.portfolio.state import (
    account_of,
    costs_of,
    fills_of,
    instruments_of,
    margins_of,
    orders_of,
    positions_of,
    tiers_of,
    times_of,
    volumes_of,
)
from truewind.portfolio.tiers import notional_allowed
from truewind.portfolio.worth import lot_worth

_REJECT = int(Event.REJECT)
_PARTIAL_FILL, _FILL = int(Event.PARTIAL_FILL), int(Event.FILL)
_EXPIRE = int(Event.EXPIRE)
_TRADE = FillKind.TRADE
_NONE = int(Reason.NONE)
_NO_SHORT, _INSUFFICIENT = int(Reason.NO_SHORT), int(Reason.INSUFFICIENT_BALANCE)
_NOTHING_TO_REDUCE, _LEVERAGE_LIMIT = int(Reason.NOTHING_TO_REDUCE), int(Reason.LEVERAGE_LIMIT)
_NOT_FILLED_AT_ONCE, _FOK = int(Reason.NOT_FILLED_AT_ONCE), int(TimeInForce.FOK)
ALL = 1 << 62  # more lots than there are
_SELF_TRADE = int(Reason.SELF_TRADE)
_EXPIRE_TAKER, _EXPIRE_MAKER = int(SelfTrade.EXPIRE_TAKER), int(SelfTrade.EXPIRE_MAKER)
_FORGIVEN = 1.0 + 1e-12  # a volume of whole lots is still whole after its roundings as a float


@kernel
def check_leg(state: int, leg: int, lots: int, price: float, tied: int = 0) -> int:
    """Whether the venue lets `leg` come to `lots` at `price`: NONE, or the Reason.

    The tier of the new position must allow the leverage that is set, and the margin balance must cover the initial
    margin of all cross positions, or what is free of it the addition to an isolated wallet and the fee. tied: ledger
    units that are not there to be spent.
    """
    instruments, margins, positions = instruments_of(state), margins_of(state), positions_of(state)
    symbol = positions[leg]["symbol"]
    terms, instrument = margins[symbol], instruments[symbol]
    notional = abs(lots) * lot_worth(price, instrument)
    allowed = notional_allowed(tiers_of(state), terms["first_tier"], terms["last_tier"], terms["leverage"])
    if instrument["can_short"] and notional > allowed:
        return _LEVERAGE_LIMIT
    required = 0.0
    free = cross_equity(cross_wallet(backing(state), positions), positions, instruments)
    for other in range(len(positions) if len(positions) > 1 else 0):
        position = positions[other]
        if other != leg and position["lots"] != 0 and position["wallet"] == CROSS:
            whose = position["symbol"]
            required += notional_at(position, instruments[whose], position["mark"]) / margins[whose]["leverage"]
    position = positions[leg]
    if position["wallet"] != CROSS:
        held = abs(position["lots"])
        if lots * position["lots"] < 0:  # it turns: what its wallet holds is free first
            free += position["wallet"] + unrealised(position, instrument, price)
            held = 0
        notional = (abs(lots) - held) * lot_worth(price, instrument)
        free -= notional * (terms["taker"] / RATE_SCALE)
    free -= tied
    return _INSUFFICIENT if required + notional / terms["leverage"] > free else _NONE


@kernel(inline=True)
def slippage(state: int, symbol: int, row: int, reference: int, lots: int) -> int:
    """Ticks by which an order that takes liquidity fares worse than `reference`: half the spread and its impact."""
    costs = costs_of(state)
    spread = (reference * costs["half_spread"] + RATE_SCALE - 1) // RATE_SCALE
    return int(spread + math.ceil(reference * impact(state, symbol, row, lots)))


@kernel
def meets_itself(state: int, j: int, price: int, ts: int, row: int) -> bool:
    """Self-trade prevention, before order `j` takes liquidity at `price` ticks: whether it is ended.

    It would meet the orders of ours that rest on the other side at this price, or one that is better for it.
    """
    orders = orders_of(state)
    order = orders[j]
    met = False
    for i in range(account_of(state)["orders"]):
        other = orders[i]
        if other["symbol"] != order["symbol"] or other["side"] == order["side"] or not rests(other):
            continue
        if (price - other["price"]) * order["side"] >= 0:
            met = True
            if order["self_trade"] != _EXPIRE_TAKER:
                end_order(state, i, ts, row, _EXPIRE, _SELF_TRADE)
    ends = met and order["self_trade"] != _EXPIRE_MAKER
    if ends:
        end_order(state, j, ts, row, _EXPIRE, _SELF_TRADE)
    return bool(ends)


@kernel
def execute(state: int, j: int, reference: int, worst: int, maker: int, ts: int, row: int, most: int = ALL) -> int:
    """Fill order `j` at `reference` ticks (plus slippage for a taker, no worse than `worst` if that is not 0).

    It gets what is left of the row's volume, and no more than `most`; fill or kill is that or nothing. Returns the
    number of lots by which the position was opened or added to; 0 if it shrank, nothing was left, or the order ended.
    """
    instruments = instruments_of(state)
    positions = positions_of(state)
    orders = orders_of(state)
    order = orders[j]
    symbol, side, leg = order["symbol"], order["side"], order["leg"]
    instrument = instruments[symbol]
    held = int(positions[leg]["lots"])
    reducible = abs(held) if held * side < 0 else 0
    if order["closes"]:
        order["lots"] = order["filled"] + reducible
    wanted = int(order["lots"] - order["filled"])
    allowed = whole_steps(state, symbol, min(wanted, reducible)) if order["reduce_only"] else wanted
    if allowed == 0:
        end_order(state, j, ts, row, _EXPIRE, _NOTHING_TO_REDUCE)
        if order["parent"] != 0:
            end_parent(state, order["parent"], ts, row)
        return 0
    lots = min(allowed, most, int(positions[symbol]["left"]))
    if lots < allowed and order["tif"] == _FOK:
        end_order(state, j, ts, row, _EXPIRE, _NOT_FILLED_AT_ONCE)
        return 0
    if lots == 0:
        return 0
    price = reference
    if not maker:
        price += side * slippage(state, symbol, row, reference, lots)
        if worst != 0 and (price - worst) * side > 0:
            price = worst
        price = max(price, 1)
        if order["self_trade"] and meets_itself(state, j, price, ts, row):
            return 0
    opening = lots - min(lots, reducible)
    if opening > 0:
        if not instrument["can_short"] and held + side * lots < 0:
            refusal = _NO_SHORT
        else:
            at = to_price(price, instrument["tick_num"], instrument["tick_den"])
            refusal = check_leg(state, leg, held + side * lots, at, unsettled(state, ts))
        if refusal != _NONE:
            end_order(state, j, ts, row, _REJECT if order["filled"] == 0 else _EXPIRE, refusal)
            return 0
    terms = margins_of(state)[symbol]
    rate, in_base = int(terms["maker"] if maker else terms["taker"]), takes_base(state, symbol, side)
    fee_rate = 0 if in_base else rate
    booked = book_fill(
        state, ts, row, order["id"], leg, _TRADE, side, maker, price, lots, reference, fee_rate, order["tag"]
    )
    if not booked:
        return 0
    if opening < lots and side < 0:
        note_sale(state, ts, fills_of(state)[account_of(state)["fills"] - 1]["notional"])
    share_fill(state, order["owner"])
    if in_base:
        book_base_fee(state, ts, row, order["id"], leg, price, lots, rate)
        share_fill(state, order["owner"])
    positions[symbol]["left"] -= lots
    order["filled"] += lots
    change_order(state, j, ts, row, _FILL if lots == wanted else _PARTIAL_FILL, _NONE, lots)
    wake_children(state, j, reference, ts, row)
    if lots < wanted and order["reduce_only"] and lots == reducible:
        end_order(state, j, ts, row, _EXPIRE, _NOTHING_TO_REDUCE)
    if order["group"] != 0:
        cancel_siblings(state, j, ts, row)
    if order["parent"] != 0:
        end_parent(state, order["parent"], ts, row)
    return opening


@kernel(inline=True)
def lots_on_offer(state: int, k: int) -> int:
    """Lots that orders may take of row `k`: a share of its volume, all there are where it is not known or not asked."""
    share, volumes = costs_of(state)["volume_share"], volumes_of(state)
    times = times_of(state)
    if share == math.inf or len(volumes) == 0 or volumes[k] != volumes[k] or times[0][k] == times[1][k]:
        return ALL
    instrument = instruments_of(state)[symbol_at(state, k)]
    lots = volumes[k] * share * instrument["lot_den"] / instrument["lot_num"]
    return int(lots * _FORGIVEN) if lots < ALL else ALL
