"""Matching on an order book: what the venue does with our requests when they arrive, compiled.

How our resting orders fill afterwards: `book_resting`. Kernels get at their arrays by `handle` (`book_state`). s: row
of a side's book, 0 bids, 1 asks; key: mirrored price.
"""

from truewind.domain.book import Report
from truewind.domain.order import Event, OrderType, Reason, SelfTrade, Status, TimeInForce
from truewind.execution.simulated.book_orders import fill, finish
from truewind.execution.simulated.book_resting import (
    available,
    own_best,
    reducible,
    rest,
    take_level,
    withdraw,
)
from truewind.execution.simulated.book_state import book_at, lane_at, money_at, orders_at, rules_at
from truewind.execution.simulated.filling import check_leg
from truewind.execution.simulated.filters import check_counts, check_filters, check_iceberg, check_quantity
from truewind.numerics.book import NO_KEY, next_key
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.state import instruments_of, rules_of
from truewind.portfolio.worth import coordinate, exposure

_STOP = int(OrderType.STOP)
_IOC, _FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
_ACCEPTED_STATUS, _PARTIAL_STATUS = int(Status.ACCEPTED), int(Status.PARTIALLY_FILLED)
_TRIGGERED_STATUS = int(Status.TRIGGERED)
_EXPIRE, _EXPIRED = int(Event.EXPIRE), int(Report.EXPIRED)
_NONE, _WOULD_TAKE, _NOT_WHOLE = int(Reason.NONE), int(Reason.WOULD_TAKE), int(Reason.NOT_FILLED_AT_ONCE)
_NO_LIQUIDITY, _SELF_TRADE = int(Reason.NO_LIQUIDITY), int(Reason.SELF_TRADE)
_NO_SHORT, _NO_ICEBERG, _IMMEDIATE = int(Reason.NO_SHORT), int(Reason.ICEBERG_PARTS), int(Reason.TIME_IN_FORCE)
_REDUCE_ONLY, _NOTHING_TO_REDUCE = int(Reason.REDUCE_ONLY), int(Reason.NOTHING_TO_REDUCE)
_EXPIRE_TAKER, _EXPIRE_MAKER = int(SelfTrade.EXPIRE_TAKER), int(SelfTrade.EXPIRE_MAKER)
_ANY_KEY = 1 << 61  # of an order without a limit: every price is good enough


@kernel
def equity_now(handle: int) -> float:
    """Equity in ledger units at the middle of the venue's book, or at the last price known where a side is empty."""
    lane = lane_at(handle)[0]
    sides, _, _ = book_at(handle)
    instruments, positions, account, _, _ = money_at(handle)
    first, instrument = positions[0], instruments[0]
    bid, ask = sides[0]["best"], -sides[1]["best"]
    if bid != NO_KEY and -ask != NO_KEY:
        first["close"] = (bid + ask) * 0.5 * instrument["tick_num"] / instrument["tick_den"]
    elif first["close"] != first["close"]:
        ticks = max(bid, 0) if bid != NO_KEY else (ask if -ask != NO_KEY else lane["last"])
        if ticks > 0:
            first["close"] = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
    worth = float(account[0]["cash"])
    for leg in range(lane["legs"]):
        position = positions[leg]
        if position["lots"] != 0:
            u = coordinate(first["close"], instrument)
            worth += exposure(position["lots"], instrument) * u - position["cost"]
    return worth


@kernel
def mark_now(handle: int) -> float:
    """What the venue reckons margin and price bands by: the mark price, or where the run has none the middle; NaN if
    nothing is known yet."""
    lane = lane_at(handle)[0]
    positions = money_at(handle)[1]
    if lane["mark"] == 0:
        equity_now(handle)
        for leg in range(lane["legs"]):
            positions[leg]["mark"] = positions[0]["close"]
    return float(positions[0]["mark"])


@kernel
def on_order(handle: int, side: int, leg: int, i: int) -> int:
    """Lots that our resting orders of a side may still add to `leg`, but for the order in row `i`."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    lots = 0
    for j in range(lane["resting"]):
        other = orders[resting[j]]
        if other["side"] == side and other["leg"] == leg and resting[j] != i and not other["reduce_only"]:
            lots += other["lots"] - other["filled"]
    return int(lots)


@kernel
def refused_by_funds(handle: int, i: int) -> int:
    """Why the account could not carry it if this order and all others of its side filled; NONE if it could."""
    orders, _, _ = orders_at(handle)
    instruments, positions, _, _, _ = money_at(handle)
    order, instrument = orders[i], instruments[0]
    side, leg = order["side"], order["leg"]
    if order["reduce_only"]:
        return _NONE if reducible(handle, order) > 0 else _REDUCE_ONLY
    after = side * positions[leg]["lots"] + order["lots"] - order["filled"] + on_order(handle, side, leg, i)
    if after <= 0:
        return _NONE
    if side < 0 and not instrument["can_short"]:
        return _NO_SHORT
    mark_now(handle)
    if lane_at(handle)[0]["mark"] > 0:  # else that was the middle, which `close` holds by now
        equity_now(handle)
    price = positions[0]["close"]
    if order["ticks"] > 0:
        limit = to_price(order["ticks"], instrument["tick_num"], instrument["tick_den"])
        if price != price or (side > 0 and limit > price):
            price = limit
    return int(check_leg(handle, leg, side * after, price))


@kernel
def refused_by_filters(handle: int, i: int) -> int:
    """Which of the venue's filters the order breaks, or NONE. Price bands are around the mark price."""
    orders, _, _ = orders_at(handle)
    instruments, positions, _, _, _ = money_at(handle)
    order, instrument, rule = orders[i], instruments[0], rules_of(handle)[0]
    side, leg, market = order["side"], order["leg"], order["ticks"] == 0
    reference = mark_now(handle)
    if market and order["trigger"] == 0 and reference != reference:
        return int(check_quantity(rule, order["lots"], True))  # there is nobody to trade with, as it will find
    held = side * positions[leg]["lots"]
    reduces = order["reduce_only"] != 0 or (held < 0 and order["lots"] <= -held)
    trigger = order["trigger"] if order["status"] != _TRIGGERED_STATUS else 0
    return int(
        check_filters(
            rule, instrument, side, order["lots"], order["ticks"], trigger, market, reduces, reference,
            positions[leg]["lots"] + on_order(handle, 1, leg, i),
        )
    )  # fmt: skip


@kernel
def refused_by_counts(handle: int, i: int) -> int:
    """Whether the venue has as many orders of ours as it takes before it has this one: NONE, or the Reason."""
    lane = lane_at(handle)[0]
    orders, _, rows = orders_at(handle)
    order = orders[i]
    working = conditional = icebergs = 0
    for j in range(lane["working"]):
        other = orders[rows[j]]
        if other["status"] in (_ACCEPTED_STATUS, _PARTIAL_STATUS, _TRIGGERED_STATUS):
            working += 1
            conditional += int(other["type"] >= _STOP)
            icebergs += int(other["shown"] > 0)
    kind = 2 if order["shown"] > 0 else int(order["type"] >= _STOP)
    return int(check_counts(rules_of(handle)[0], working, conditional, icebergs, kind))


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
        reason = _NO_ICEBERG
        if not instruments_of(handle)[0]["can_short"]:
            reason = check_iceberg(rules_of(handle)[0], order["lots"], order["shown"])
        if reason != _NONE:
            return int(reason)
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
    if order["tif"] == _FOK and available(handle, other, limit, worst, wanted) < wanted:
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
