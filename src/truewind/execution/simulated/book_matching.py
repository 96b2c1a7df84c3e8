"""Matching on an order book: what the venue does with our requests when they arrive, compiled.

How our resting orders fill afterwards: `book_resting`. Kernels get at their arrays by `handle` (`book_state`). s: row
of a side's book, 0 bids, 1 asks; key: mirrored price.
"""

from truewind.domain.book import Report
from truewind.domain.order import Event, Reason, SelfTrade, Status, TimeInForce
from truewind.execution.simulated.book_orders import fill, finish
from truewind.execution.simulated.book_resting import (
    available,
    own_best,
    reducible,
    rest,
    take_level,
    withdraw,
)
from truewind.execution.simulated.book_state import (
    Request,
    book_at,
    lane_at,
    money_at,
    orders_at,
    rules_at,
)
from truewind.numerics.book import NO_KEY, next_key
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.state import instruments_of, rules_of
from truewind.portfolio.worth import coordinate, exposure, lot_worth

_IOC, _FOK, _GTD = int(TimeInForce.IOC), int(TimeInForce.FOK), int(TimeInForce.GTD)
_ACCEPTED_STATUS, _PARTIAL_STATUS = int(Status.ACCEPTED), int(Status.PARTIALLY_FILLED)
_TRIGGERED_STATUS = int(Status.TRIGGERED)
_REJECT, _ACCEPT, _CANCEL, _EXPIRE = int(Event.REJECT), int(Event.ACCEPT), int(Event.CANCEL), int(Event.EXPIRE)
_TRIGGER, _TRIGGERED = int(Event.TRIGGER), int(Report.TRIGGERED)
_ACCEPTED, _REJECTED = int(Report.ACCEPTED), int(Report.REJECTED)
_CANCELLED, _EXPIRED, _AMENDED = int(Report.CANCELLED), int(Report.EXPIRED), int(Report.AMENDED)
_CANCEL_REJECTED, _AMEND_REJECTED = int(Report.CANCEL_REJECTED), int(Report.AMEND_REJECTED)
_NONE, _WOULD_TAKE, _NOT_WHOLE = int(Reason.NONE), int(Reason.WOULD_TAKE), int(Reason.NOT_FILLED_AT_ONCE)
_NO_LIQUIDITY, _SELF_TRADE, _WOULD_TRIGGER = (
    int(Reason.NO_LIQUIDITY),
    int(Reason.SELF_TRADE),
    int(Reason.WOULD_TRIGGER),
)
_NO_SHORT, _NO_FUNDS = int(Reason.NO_SHORT), int(Reason.INSUFFICIENT_BALANCE)
_REDUCE_ONLY, _NOTHING_TO_REDUCE = int(Reason.REDUCE_ONLY), int(Reason.NOTHING_TO_REDUCE)
_NO_ICEBERG = int(Reason.ICEBERG_PARTS)
_TOO_FEW, _TOO_MANY = int(Reason.BELOW_MIN_QUANTITY), int(Reason.ABOVE_MAX_QUANTITY)
_TOO_SMALL, _BY_STRATEGY, _IMMEDIATE = (
    int(Reason.BELOW_MIN_NOTIONAL),
    int(Reason.BY_STRATEGY),
    int(Reason.TIME_IN_FORCE),
)
_COME, _EXPIRY = int(Request.COME), int(Request.EXPIRY)
_EXPIRE_TAKER, _EXPIRE_MAKER = int(SelfTrade.EXPIRE_TAKER), int(SelfTrade.EXPIRE_MAKER)
_ANY_KEY = 1 << 61  # of an order without a limit: every price is good enough


@kernel
def equity_now(handle: int) -> float:
    """Equity in ledger units at the middle of the venue's book, or at the last price known where a side is empty."""
    sides, _, _ = book_at(handle)
    instruments, positions, account, _, _ = money_at(handle)
    position, instrument = positions[0], instruments[0]
    bid, ask = sides[0]["best"], -sides[1]["best"]
    if bid != NO_KEY and -ask != NO_KEY:
        position["close"] = (bid + ask) * 0.5 * instrument["tick_num"] / instrument["tick_den"]
    worth = float(account[0]["cash"])
    if position["lots"] != 0:
        worth += exposure(position["lots"], instrument) * coordinate(position["close"], instrument) - position["cost"]
    return worth


@kernel
def refused_by_funds(handle: int, i: int) -> int:
    """Why the account could not carry it if this order and all others of its side filled; NONE if it could."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    venue = rules_at(handle)[0][0]
    instruments, positions, _, _, _ = money_at(handle)
    order, instrument = orders[i], instruments[0]
    if order["reduce_only"]:
        return _NONE if reducible(handle, order) > 0 else _REDUCE_ONLY
    after = order["side"] * positions[0]["lots"] + order["lots"] - order["filled"]
    for j in range(lane["resting"]):
        other = orders[resting[j]]
        if other["side"] == order["side"] and resting[j] != i and not other["reduce_only"]:
            after += other["lots"] - other["filled"]
    if after <= 0:
        return _NONE
    if order["side"] < 0 and not instrument["can_short"]:
        return _NO_SHORT
    worth = equity_now(handle)
    price = positions[0]["close"]
    if order["ticks"] > 0:
        limit = to_price(order["ticks"], instrument["tick_num"], instrument["tick_den"])
        if price != price or (order["side"] > 0 and limit > price):
            price = limit
    return _NONE if after * lot_worth(price, instrument) <= venue["leverage"] * worth else _NO_FUNDS


@kernel
def refused_by_filters(handle: int, i: int) -> int:
    """Which of the instrument's limits of quantity and notional the order breaks, or NONE."""
    sides, _, _ = book_at(handle)
    orders, _, _ = orders_at(handle)
    instruments, _, _, _, _ = money_at(handle)
    order, instrument = orders[i], instruments[0]
    if order["lots"] < instrument["min_lots"]:
        return _TOO_FEW
    if order["lots"] > instrument["max_lots"]:
        return _TOO_MANY
    ticks = order["ticks"]
    if ticks == 0:
        best = sides[1 if order["side"] > 0 else 0]["best"]
        if best == NO_KEY:
            return _NONE
        ticks = abs(best)
    price = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
    enough = order["reduce_only"] or order["lots"] * lot_worth(price, instrument) >= instrument["min_notional"]
    return _NONE if enough else _TOO_SMALL


@kernel
def refused(handle: int, i: int) -> int:
    """Why the venue does not take the order as it now stands; NONE if it does."""
    orders, _, _ = orders_at(handle)
    sides, _, _ = book_at(handle)
    order = orders[i]
    reason = refused_by_filters(handle, i)
    if reason != _NONE:
        return reason
    if order["shown"] > 0:
        parts = (order["lots"] + order["shown"] - 1) // order["shown"]
        if instruments_of(handle)[0]["can_short"] or parts > rules_of(handle)[0]["iceberg_parts"]:
            return _NO_ICEBERG
    if order["post_only"] and order["key"] + sides[1 if order["side"] > 0 else 0]["best"] >= 0:
        return _WOULD_TAKE
    return refused_by_funds(handle, i)


@kernel
def match(handle: int, i: int, ts: int) -> None:
    """Let an accepted order take what it can and may; the rest rests or expires.

    Before it comes to a price at which an order of our own rests, self-trade prevention ends one of the two, or both.
    """
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    sides, levels, far = book_at(handle)
    prevents = rules_at(handle)[0][0]["self_trade"]
    order = orders[i]
    other = 1 if order["side"] > 0 else 0
    limit = _ANY_KEY if order["ticks"] == 0 else order["key"]
    wanted = reducible(handle, order)
    worst = own_best(lane, other) if prevents != _EXPIRE_MAKER else NO_KEY
    if order["tif"] == _FOK and available(handle, other, limit, worst, wanted) < order["lots"]:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _NOT_WHOLE)
        return
    key = sides[other]["best"]
    reference = abs(key)
    while wanted > 0:
        worst = own_best(lane, other)
        while wanted > 0 and key != NO_KEY and key + limit >= 0 and key > worst:
            amount = take_level(handle, other, key, wanted)
            if amount > 0:
                if not fill(handle, i, abs(key), amount, 0, ts, reference):
                    return
                wanted -= amount
            key = next_key(sides, levels, far, other, key)
        if wanted == 0 or worst == NO_KEY or worst + limit < 0:
            break
        if prevents != _EXPIRE_TAKER:
            withdraw(handle, other, worst, _EXPIRE, _EXPIRED, _SELF_TRADE, ts)
        if prevents != _EXPIRE_MAKER:
            finish(handle, i, _EXPIRE, _EXPIRED, ts, _SELF_TRADE)
            return
    left = order["lots"] - order["filled"]
    if left == 0:
        return
    if order["reduce_only"] and reducible(handle, order) == 0:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _NOTHING_TO_REDUCE)
    elif order["ticks"] == 0:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _NO_LIQUIDITY)
    elif order["tif"] == _IOC or order["tif"] == _FOK:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _IMMEDIATE)
    else:
        rest(handle, i)
