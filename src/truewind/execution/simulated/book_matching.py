"""Matching on an order book: the venue's rules for our orders among the displayed ones, compiled.

The recorded market does not know of us. So an order of ours takes displayed lots once and they are gone for our other
orders (`TAKEN`); a resting order fills from trades that go beyond those before it in the queue, or when the other side
comes to display lots at its price. What we do moves nobody else: keep orders small against what is displayed.

Kernels get at their arrays by `handle` (`book_state`). s: row of a side's book, 0 bids, 1 asks; key: mirrored price.
"""

from typing import Any

from truewind.domain.fill import FillKind
from truewind.domain.order import TRANSITIONS, Event, OrderType, Reason, Status, TimeInForce
from truewind.execution.simulated.book_state import (
    MARKS,
    Report,
    book_at,
    lane_at,
    mail_at,
    money_at,
    orders_at,
    own_at,
    rules_at,
)
from truewind.execution.simulated.latency import REPLY, delay
from truewind.execution.simulated.queue import after_update
from truewind.numerics.book import NO_KEY, lots_at, next_key
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import book_fill
from truewind.portfolio.worth import coordinate, exposure, lot_worth

_MARKET = int(OrderType.MARKET)
_IOC, _FOK = int(TimeInForce.IOC), int(TimeInForce.FOK)
_ACCEPTED_STATUS, _PARTIAL_STATUS = int(Status.ACCEPTED), int(Status.PARTIALLY_FILLED)
_REJECT, _ACCEPT, _CANCEL, _EXPIRE = int(Event.REJECT), int(Event.ACCEPT), int(Event.CANCEL), int(Event.EXPIRE)
_PARTIAL_FILL, _FILL = int(Event.PARTIAL_FILL), int(Event.FILL)
_ACCEPTED, _REJECTED = int(Report.ACCEPTED), int(Report.REJECTED)
_PARTIALLY_FILLED, _FILLED = int(Report.PARTIALLY_FILLED), int(Report.FILLED)
_CANCELLED, _EXPIRED, _AMENDED = int(Report.CANCELLED), int(Report.EXPIRED), int(Report.AMENDED)
_CANCEL_REJECTED, _AMEND_REJECTED = int(Report.CANCEL_REJECTED), int(Report.AMEND_REJECTED)
_NONE, _WOULD_TAKE, _NOT_WHOLE = int(Reason.NONE), int(Reason.WOULD_TAKE), int(Reason.NOT_FILLED_AT_ONCE)
_NO_LIQUIDITY, _SELF_TRADE, _UNKNOWN = int(Reason.NO_LIQUIDITY), int(Reason.SELF_TRADE), int(Reason.UNKNOWN_ORDER)
_NO_SHORT, _NO_FUNDS = int(Reason.NO_SHORT), int(Reason.INSUFFICIENT_BALANCE)
_TOO_FEW, _TOO_MANY = int(Reason.BELOW_MIN_QUANTITY), int(Reason.ABOVE_MAX_QUANTITY)
_TOO_SMALL, _BY_STRATEGY, _IMMEDIATE = (
    int(Reason.BELOW_MIN_NOTIONAL),
    int(Reason.BY_STRATEGY),
    int(Reason.TIME_IN_FORCE),
)
_TRADE = FillKind.TRADE
_ANY_KEY = 1 << 61  # of a market order: every price is good enough


# -- the order and its reports ------------------------------------------------------------------------------------


@kernel
def find(handle: int, order_id: int) -> int:
    """Row of the order `order_id`, or −1."""
    orders, _, _ = orders_at(handle)
    i = order_id & (len(orders) - 1)
    return int(i) if order_id > 0 and orders[i]["id"] == order_id else -1


@kernel(inline=True)
def write(
    row: Any, order: Any, kind: int, ts: int, ts_recv: int, ticks: int, lots: int, maker: int, reason: int
) -> None:
    """Fill a REPORT row."""
    row["ts"], row["ts_recv"], row["kind"] = ts, ts_recv, kind
    row["order"], row["side"], row["type"], row["tif"] = order["id"], order["side"], order["type"], order["tif"]
    row["ticks"], row["lots"], row["filled"] = ticks, lots, order["filled"]
    row["maker"], row["reason"], row["tag"] = maker, reason, order["tag"]


@kernel
def note(
    handle: int, i: int, kind: int, ts: int, ts_recv: int, ticks: int, lots: int, maker: int, reason: int
) -> None:  # fmt: skip
    """Append a REPORT row about the order in row `i` to the history."""
    orders, _, _ = orders_at(handle)
    _, _, reports = mail_at(handle)
    _, _, account, _, _ = money_at(handle)
    write(reports[account[0]["events"]], orders[i], kind, ts, ts_recv, ticks, lots, maker, reason)
    account[0]["events"] += 1


@kernel
def tell(handle: int, i: int, kind: int, ts: int, ticks: int, lots: int, maker: int, reason: int) -> None:
    """Report what happened to the order in row `i` at `ts`: the strategy knows it a reply's latency later.

    Replies travel on one connection, so none overtakes another.
    """
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    _, replies, _ = mail_at(handle)
    _, latency, trips = rules_at(handle)
    order = orders[i]
    order["replies"] += 1
    known = max(lane["reply_ts"], ts + delay(latency, trips, REPLY, ts, order["id"], order["replies"]))
    lane["reply_ts"] = known
    note(handle, i, kind, ts, known, ticks, lots, maker, reason)
    # Written twice, not copied: copying a record costs twenty times as much.
    write(replies[lane["last_reply"]], order, kind, ts, known, ticks, lots, maker, reason)
    lane["last_reply"] += 1


@kernel
def refuse_unknown(handle: int, order_id: int, kind: int, ts: int) -> None:
    """Reply to a request about an order that the venue does not know."""
    lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    nobody = orders[len(orders) - 1]  # the last row is never used by an order
    nobody["id"], nobody["tag"] = order_id, 0
    tell(handle, len(orders) - 1, kind, ts, 0, 0, 0, _UNKNOWN)
    nobody["id"] = 0


@kernel
def change(handle: int, i: int, event: int) -> None:
    """Move the order along its life cycle. An illegal step is a bug: it raises the account's flag."""
    orders, _, _ = orders_at(handle)
    _, _, account, _, _ = money_at(handle)
    following = TRANSITIONS[orders[i]["status"], event]
    if following < 0:
        account[0]["overflow"] = 2
    else:
        orders[i]["status"] = following


@kernel
def finish(handle: int, i: int, event: int, kind: int, ts: int, reason: int) -> None:
    """End an order that does not rest."""
    orders, _, _ = orders_at(handle)
    order = orders[i]
    change(handle, i, event)
    tell(handle, i, kind, ts, order["ticks"], order["lots"] - order["filled"], 0, reason)


@kernel
def fill(handle: int, i: int, ticks: int, lots: int, maker: int, ts: int, reference: int) -> bool:
    """Execute `lots` of the order at `ticks`; False if the money does not fit 64 bits (the account is flagged)."""
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    venue = rules_at(handle)[0][0]
    order = orders[i]
    rate = venue["maker"] if maker else venue["taker"]
    if not book_fill(
        handle, ts, lane["event"], order["id"], 0, _TRADE, order["side"], maker, ticks, lots, reference, rate,
        order["tag"],
    ):  # fmt: skip
        return False
    order["filled"] += lots
    if order["filled"] == order["lots"]:
        change(handle, i, _FILL)
        tell(handle, i, _FILLED, ts, ticks, lots, maker, _NONE)
    else:
        change(handle, i, _PARTIAL_FILL)
        tell(handle, i, _PARTIALLY_FILLED, ts, ticks, lots, maker, _NONE)
    return True


# -- resting orders -----------------------------------------------------------------------------------------------


@kernel(inline=True)
def own_best(lane: Any, s: int) -> int:
    """Best key of our resting orders of side `s`, or NO_KEY."""
    return int(lane["own_bid"]) if s == 0 else int(lane["own_ask"])


@kernel
def set_own_best(lane: Any, s: int, key: int) -> None:
    if s == 0:
        lane["own_bid"] = key
    else:
        lane["own_ask"] = key


@kernel
def rest(handle: int, i: int) -> None:
    """Put the order at the end of its queue."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    marks, _ = own_at(handle)
    sides, levels, far = book_at(handle)
    order = orders[i]
    s = 0 if order["side"] > 0 else 1
    order["ahead"] = float(lots_at(sides, levels, far, s, order["key"]))
    order["traded"] = 0
    resting[lane["resting"]] = i
    lane["resting"] += 1
    marks[s, order["key"] & (MARKS - 1)] += 1
    set_own_best(lane, s, max(own_best(lane, s), order["key"]))


@kernel
def lift(handle: int, i: int) -> None:
    """Take the order out of the book; the others keep their order."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    marks, _ = own_at(handle)
    order = orders[i]
    s = 0 if order["side"] > 0 else 1
    kept = 0
    best = NO_KEY
    for j in range(lane["resting"]):
        other = resting[j]
        if other != i:
            resting[kept] = other
            kept += 1
            if orders[other]["side"] == order["side"]:
                best = max(best, orders[other]["key"])
    lane["resting"] = kept
    marks[s, order["key"] & (MARKS - 1)] -= 1
    set_own_best(lane, s, best)


@kernel
def touch(handle: int, s: int, key: int, before: int, now: int) -> None:
    """A level near something of ours went from `before` to `now` lots."""
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    marks, taken = own_at(handle)
    venue = rules_at(handle)[0][0]
    side = 1 if s == 0 else -1
    for j in range(lane["resting"]):
        order = orders[resting[j]]
        if order["key"] == key and order["side"] == side:
            order["ahead"] = after_update(
                venue["queue"], venue["exponent"], order["ahead"], order["traded"], before, now
            )
            order["traded"] = 0
    j = 0
    while j < lane["taken"]:
        mine = taken[j]
        if mine["key"] == key and mine["side"] == s:
            mine["lots"] = min(mine["lots"], now)
            if mine["lots"] == 0:
                lane["taken"] -= 1
                taken[j] = taken[lane["taken"]]
                marks[s, key & (MARKS - 1)] -= 1
                continue
        j += 1


@kernel
def hit(handle: int, s: int, key: int, lots: int, ts: int) -> None:
    """A trade of `lots` at `key` took from side `s`: our orders there at that price or better have their share.

    Best price first, at one price the older first; together they never get more than was traded (unless orders fill
    whole). At a better price nobody stands before us any more, or the trade would not have come to `key`.
    """
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    venue = rules_at(handle)[0][0]
    side = 1 if s == 0 else -1
    left = lots
    at = own_best(lane, s)
    while at != NO_KEY and at >= key:
        following = NO_KEY
        j = 0
        while j < lane["resting"]:
            i = resting[j]
            order = orders[i]
            j += 1
            if order["side"] != side or order["key"] < key or order["key"] > at:
                continue
            if order["key"] < at:
                following = max(following, order["key"])
                continue
            reach = left
            if at == key:
                reach = int(max(0.0, left - order["ahead"]))
                order["ahead"] = max(0.0, order["ahead"] - left)
                order["traded"] += lots
            if reach <= 0:
                continue
            wanted = order["lots"] - order["filled"]
            amount = wanted if venue["whole"] else min(wanted, reach)
            if not venue["whole"]:
                left -= amount
            if fill(handle, i, order["ticks"], amount, 1, ts, order["ticks"]) and amount == wanted:
                lift(handle, i)
                j -= 1
        at = following


@kernel
def take_level(handle: int, s: int, key: int, wanted: int) -> int:
    """Take up to `wanted` of what is displayed at `key` and not taken by us before; how many there were."""
    lane = lane_at(handle)[0]
    marks, taken = own_at(handle)
    sides, levels, far = book_at(handle)
    displayed = lots_at(sides, levels, far, s, key)
    found = -1
    if marks[s, key & (MARKS - 1)] > 0:
        for j in range(lane["taken"]):
            if taken[j]["key"] == key and taken[j]["side"] == s:
                found = j
                displayed -= taken[j]["lots"]
    amount = min(wanted, displayed)
    if amount <= 0:
        return 0
    if found < 0:
        if lane["taken"] == len(taken):  # what cannot be remembered is not taken; there is room after the next flush
            return 0
        found = lane["taken"]
        taken[found]["side"], taken[found]["key"], taken[found]["lots"] = s, key, 0
        lane["taken"] += 1
        marks[s, key & (MARKS - 1)] += 1
    taken[found]["lots"] += amount
    return int(amount)


@kernel
def available(handle: int, s: int, own_key: int, worst: int, wanted: int) -> int:
    """Lots that an order of the other side could take now, counted up to `wanted`.

    own_key: mirrored price of that order; worst: key of our own best order on side `s`, at which it must stop.
    """
    lane = lane_at(handle)[0]
    marks, taken = own_at(handle)
    sides, levels, far = book_at(handle)
    total = 0
    key = sides[s]["best"]
    while key != NO_KEY and key + own_key >= 0 and key > worst and total < wanted:
        total += lots_at(sides, levels, far, s, key)
        if marks[s, key & (MARKS - 1)] > 0:
            for j in range(lane["taken"]):
                if taken[j]["key"] == key and taken[j]["side"] == s:
                    total -= taken[j]["lots"]
        key = next_key(sides, levels, far, s, key)
    return int(total)


@kernel
def meet(handle: int, s: int, ts: int) -> None:
    """The other side displays lots at the price of resting orders of side `s`: they would have met ours.

    Best and oldest first, at our own price, no more than is displayed (unless orders fill whole).
    """
    lane = lane_at(handle)[0]
    orders, resting, _ = orders_at(handle)
    venue = rules_at(handle)[0][0]
    sides, levels, far = book_at(handle)
    side, other = (1 if s == 0 else -1), 1 - s
    at = own_best(lane, s)
    while at != NO_KEY and at + sides[other]["best"] >= 0:
        following = NO_KEY
        j = 0
        while j < lane["resting"]:
            i = resting[j]
            order = orders[i]
            j += 1
            if order["side"] != side or order["key"] > at:
                continue
            if order["key"] < at:
                following = max(following, order["key"])
                continue
            wanted = order["lots"] - order["filled"]
            amount = wanted if venue["whole"] else 0
            key = sides[other]["best"]
            while amount < wanted and key != NO_KEY and key + at >= 0:
                amount += take_level(handle, other, key, wanted - amount)
                key = next_key(sides, levels, far, other, key)
            if (
                amount > 0
                and fill(handle, i, order["ticks"], amount, 1, ts, order["ticks"])
                and order["filled"] == order["lots"]
            ):
                lift(handle, i)
                j -= 1
        at = following


# -- arriving requests --------------------------------------------------------------------------------------------


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
    after = order["side"] * positions[0]["lots"] + order["lots"] - order["filled"]
    for j in range(lane["resting"]):
        other = orders[resting[j]]
        if other["side"] == order["side"] and resting[j] != i:
            after += other["lots"] - other["filled"]
    if after <= 0:
        return _NONE
    if order["side"] < 0 and not instrument["can_short"]:
        return _NO_SHORT
    worth = equity_now(handle)
    price = positions[0]["close"]
    if order["type"] != _MARKET:
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
    if order["type"] == _MARKET:
        best = sides[1 if order["side"] > 0 else 0]["best"]
        if best == NO_KEY:
            return _NONE
        ticks = abs(best)
    price = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
    enough = order["lots"] * lot_worth(price, instrument) >= instrument["min_notional"]
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
    if order["post_only"] and order["key"] + sides[1 if order["side"] > 0 else 0]["best"] >= 0:
        return _WOULD_TAKE
    return refused_by_funds(handle, i)


@kernel
def match(handle: int, i: int, ts: int) -> None:
    """Let an accepted order take what it can and may; the rest rests or expires."""
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    sides, levels, far = book_at(handle)
    order = orders[i]
    other = 1 if order["side"] > 0 else 0
    limit = _ANY_KEY if order["type"] == _MARKET else order["key"]
    worst = own_best(lane, other)
    wanted = order["lots"] - order["filled"]
    if order["tif"] == _FOK and available(handle, other, limit, worst, wanted) < wanted:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _NOT_WHOLE)
        return
    key = sides[other]["best"]
    reference = abs(key)
    while wanted > 0 and key != NO_KEY and key + limit >= 0 and key > worst:
        amount = take_level(handle, other, key, wanted)
        if amount > 0:
            if not fill(handle, i, abs(key), amount, 0, ts, reference):
                return
            wanted -= amount
        key = next_key(sides, levels, far, other, key)
    if wanted == 0:
        return
    if worst != NO_KEY and worst + limit >= 0:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _SELF_TRADE)
    elif order["type"] == _MARKET:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _NO_LIQUIDITY)
    elif order["tif"] == _IOC or order["tif"] == _FOK:
        finish(handle, i, _EXPIRE, _EXPIRED, ts, _IMMEDIATE)
    else:
        rest(handle, i)


@kernel
def arrive_new(handle: int, order_id: int, ts: int) -> None:
    """A new order reaches the venue."""
    i = find(handle, order_id)
    orders, _, _ = orders_at(handle)
    order = orders[i]
    reason = refused(handle, i)
    if reason != _NONE:
        finish(handle, i, _REJECT, _REJECTED, ts, reason)
        return
    change(handle, i, _ACCEPT)
    tell(handle, i, _ACCEPTED, ts, order["ticks"], order["lots"], 0, _NONE)
    match(handle, i, ts)


@kernel
def works(handle: int, i: int) -> bool:
    """Whether row `i` is an order that rests at the venue."""
    if i < 0:
        return False
    orders, _, _ = orders_at(handle)
    status = orders[i]["status"]
    return bool(status in (_ACCEPTED_STATUS, _PARTIAL_STATUS))


@kernel
def arrive_cancel(handle: int, order_id: int, ts: int) -> None:
    """A cancel reaches the venue: too late, or before its order, it finds none."""
    i = find(handle, order_id)
    if not works(handle, i):
        refuse_unknown(handle, order_id, _CANCEL_REJECTED, ts)
        return
    lift(handle, i)
    finish(handle, i, _CANCEL, _CANCELLED, ts, _BY_STRATEGY)


@kernel
def arrive_amend(handle: int, order_id: int, ticks: int, lots: int, ts: int) -> None:
    """An amendment reaches the venue. Less quantity keeps the place in the queue, everything else loses it.

    An amendment to no more than has filled cancels the rest, as on USD-M futures.
    """
    i = find(handle, order_id)
    if not works(handle, i):
        refuse_unknown(handle, order_id, _AMEND_REJECTED, ts)
        return
    orders, _, _ = orders_at(handle)
    order = orders[i]
    if lots <= order["filled"]:
        lift(handle, i)
        finish(handle, i, _CANCEL, _CANCELLED, ts, _BY_STRATEGY)
        return
    if ticks == order["ticks"] and lots <= order["lots"]:
        order["lots"] = lots
        tell(handle, i, _AMENDED, ts, ticks, lots, 0, _NONE)
        return
    old_ticks, old_key, old_lots = order["ticks"], order["key"], order["lots"]
    key = ticks if order["side"] > 0 else -ticks
    order["ticks"], order["key"], order["lots"] = ticks, key, lots
    reason = refused(handle, i)
    order["ticks"], order["key"], order["lots"] = old_ticks, old_key, old_lots
    if reason != _NONE:
        tell(handle, i, _AMEND_REJECTED, ts, ticks, lots, 0, reason)
        return
    lift(handle, i)
    order["ticks"], order["key"], order["lots"] = ticks, key, lots
    tell(handle, i, _AMENDED, ts, ticks, lots, 0, _NONE)
    match(handle, i, ts)
