"""What a compiled strategy may ask and do in the order-book lane. Every function takes the lane's handle first.

Prices are ticks, quantities lots, times µs. What is known is known by the feed and by replies: an order that was filled
at the venue a moment ago still works here until the reply has come.
"""

import math
from typing import Any

from truewind.domain.book import Report
from truewind.domain.order import OrderType, Reason, Status, TimeInForce
from truewind.engine.book_limiting import note_verdict, own_of
from truewind.execution.simulated.book_orders import find, is_tied, note, put_request, rate_at
from truewind.execution.simulated.book_state import (
    ALL_FILLED,
    NOT_ALL,
    NOWHERE,
    Request,
    known_book_at,
    lane_at,
    mail_at,
    money_at,
    orders_at,
    rules_at,
    timeline_at,
)
from truewind.execution.simulated.book_triggers import source_of
from truewind.execution.simulated.latency import ENTRY, delay
from truewind.numerics.book import NO_KEY, lots_at, next_key
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.state import limits_of
from truewind.portfolio.worth import lot_worth
from truewind.risk.breakers import latched
from truewind.risk.judging import Asked, Portfolio, judge
from truewind.strategies.book import BookOrder, BookReport, BookTrade

POST_ONLY, REDUCE_ONLY = 1, 2  # flags of an order
_MARKET, _LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
_STOP, _STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
_TAKE_PROFIT, _TAKE_PROFIT_LIMIT = int(OrderType.TAKE_PROFIT), int(OrderType.TAKE_PROFIT_LIMIT)
_SUBMITTED, _ACCEPTED, _PARTIAL = int(Status.SUBMITTED), int(Status.ACCEPTED), int(Status.PARTIALLY_FILLED)
_TRIGGERED, _HELD, _FILLED = int(Status.TRIGGERED), int(Status.HELD), int(Status.FILLED)
_REJECTED, _CANCELLED, _EXPIRED = int(Status.REJECTED), int(Status.CANCELLED), int(Status.EXPIRED)
_TRAILING = int(OrderType.TRAILING_STOP)
_SENT, _KEPT = int(Report.SUBMITTED), int(Report.HELD)
_NEW, _CANCEL, _AMEND = int(Request.NEW), int(Request.CANCEL), int(Request.AMEND)
_NONE = int(Reason.NONE)
_DEPTH_LEVELS = 10  # prices of the other side that an order is measured by
_IOC, _GTD = int(TimeInForce.IOC), int(TimeInForce.GTD)


@kernel
def now_us(handle: int) -> int:
    """The time here."""
    return int(lane_at(handle)[0]["now"])


@kernel
def best_bid(handle: int) -> int:
    """Ticks of the best bid, 0 if there is none."""
    sides, _, _ = known_book_at(handle)
    key = sides[0]["best"]
    return int(key) if key != NO_KEY else 0


@kernel
def best_ask(handle: int) -> int:
    """Ticks of the best ask, 0 if there is none."""
    sides, _, _ = known_book_at(handle)
    key = sides[1]["best"]
    return int(-key) if key != NO_KEY else 0


@kernel
def displayed(handle: int, side: int, ticks: int) -> int:
    """Lots displayed at a price; side: +1 bids, −1 asks."""
    sides, levels, far = known_book_at(handle)
    return lots_at(sides, levels, far, 0 if side > 0 else 1, ticks if side > 0 else -ticks)


@kernel
def next_level(handle: int, side: int, ticks: int) -> int:
    """Ticks of the next displayed price that is worse than `ticks`, 0 if there is none."""
    sides, levels, far = known_book_at(handle)
    key = next_key(sides, levels, far, 0 if side > 0 else 1, ticks if side > 0 else -ticks)
    return int(abs(key)) if key != NO_KEY else 0


@kernel
def position(handle: int) -> int:
    """Lots held, signed, by the fills that are known; in hedge mode of both sides together."""
    lane = lane_at(handle)[0]
    return int(lane["position"] + lane["short"])


@kernel
def side_held(handle: int, side: int) -> int:
    """As `position`, of the long (+1) or the short side (−1); in one-way mode 0 for the side that is not held."""
    lane = lane_at(handle)[0]
    if lane["legs"] == 2:
        return int(lane["position"] if side > 0 else lane["short"])
    return int(max(lane["position"], 0) if side > 0 else min(lane["position"], 0))


@kernel
def leg_for(handle: int, side: int, reduce_only: int) -> int:
    """The position that an order is for: in hedge mode purchases open the long one and reduce the short one."""
    return int(lane_at(handle)[0]["legs"] == 2 and (side < 0) != (reduce_only != 0))


@kernel
def working(handle: int) -> int:
    """How many orders are not known to have ended."""
    return int(lane_at(handle)[0]["working"])


@kernel
def order_at(handle: int, j: int) -> BookOrder:
    """The `j`-th of them, oldest first."""
    orders, _, rows = orders_at(handle)
    order = orders[rows[j]]
    rests = order["known"] == _ACCEPTED or order["known"] == _PARTIAL or order["known"] == _TRIGGERED
    return BookOrder(
        order["id"], order["side"], order["ticks"], order["lots"], order["known_filled"], order["tag"],
        bool(rests and order["pending"] == 0), order["trigger"],
    )  # fmt: skip


@kernel
def post(
    handle: int, kind: int, order_id: int, ticks: int, lots: int, purpose: int, trigger: int = 0, trail: int = 0
) -> None:  # fmt: skip
    """Put a request on its way. Requests are independent: one sent later may arrive first."""
    lane = lane_at(handle)[0]
    _, latency, trips = rules_at(handle)
    now = lane["now"]
    arrives = now + delay(latency, trips, ENTRY, now, order_id, purpose, rate_at(handle, ENTRY, now))
    put_request(handle, arrives, kind, order_id, ticks, lots, trigger, trail)
    lane["sent"] += 1


@kernel
def allowed(handle: int, side: int, lots: int, ticks: int, row: int) -> tuple[int, int]:
    """Lots that the risk gate lets through, and the Reason if they are fewer.

    Orders of this side that are not known to have ended count as filled.

    ticks: of the limit, 0 at market. row: of the order that this one stands for (an amendment), else −1.
    """
    lane = lane_at(handle)[0]
    orders, _, rows = orders_at(handle)
    instruments, _, account, _, _ = money_at(handle)
    leg = leg_for(handle, side, 0)
    ahead = side * (lane["short"] if leg else lane["position"])
    others = opposite = abs(lane["position"] if leg else lane["short"])
    for j in range(lane["working"]):
        order = orders[rows[j]]
        if rows[j] != row and not order["reduce_only"]:
            if order["side"] == side:
                ahead += order["lots"] - order["known_filled"]
            elif lane["legs"] == 2:
                others += order["lots"] - order["known_filled"]
    reducing = min(lots, max(0, -ahead))
    if reducing == lots:
        return lots, _NONE
    if ticks == 0:
        ticks = best_ask(handle) if side > 0 else best_bid(handle)
    instrument, money = instruments[0], account[0]
    price = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
    worth = lot_worth(price, instrument)
    asked = Asked(side, price, worth, math.nan, math.nan, 1.0)
    depth = float(depth_of(handle, -side)) if limits_of(handle)["max_depth_share"] < math.inf else math.inf
    own = own_of(handle, max(0, ahead) * worth, money["equity"], depth)
    gross, leverage = others * worth, own.leverage
    barred = latched(handle, 0)
    portfolio = Portfolio(
        money["equity"], barred, gross, gross / leverage, -opposite * worth, 1 if others else 0, gross, 0.0, 0.0, 0.0
    )  # fmt: skip
    opening, reason = judge(limits_of(handle), asked, own, portfolio, lots - reducing)
    return int(reducing + opening), int(reason)


@kernel
def depth_of(handle: int, side: int) -> int:
    """Lots displayed at the ten best prices of a side; side: +1 bids, −1 asks."""
    ticks, lots = best_bid(handle) if side > 0 else best_ask(handle), 0
    for _ in range(_DEPTH_LEVELS):
        if ticks == 0:
            break
        lots += displayed(handle, side, ticks)
        ticks = next_level(handle, side, ticks)
    return lots


@kernel
def draft(handle: int, side: int, kind: int, ticks: int, trigger: int, lots: int, tag: int) -> None:
    """Write a plain order that `send` sends: good till cancelled, by itself, all of it shown, by the traded price.

    kind: an OrderType. ticks: 0 at market. trigger: 0 for none. `terms`, `tie` and `by` say what else it is; until it
    is sent nobody knows of it, and the next draft takes its place.
    """
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    count = len(orders)
    order_id = lane["next_id"] + 1
    while orders[order_id & (count - 1)]["id"] != 0 or order_id & (count - 1) == count - 1:
        order_id += 1
    lane["drafted"] = order_id
    order = orders[order_id & (count - 1)]
    order["side"], order["type"], order["tif"] = side, kind, 0
    order["post_only"] = order["reduce_only"] = 0
    order["ticks"], order["key"] = ticks, ticks if side > 0 else -ticks
    order["trigger"] = trigger
    order["rising"] = -side if kind in (_TAKE_PROFIT, _TAKE_PROFIT_LIMIT) else side
    order["source"] = order["trail"] = order["trail_rate"] = order["activation"] = order["best"] = 0
    order["parent"] = order["group"] = order["fed"] = order["led"] = order["doom"] = 0
    order["place"] = NOWHERE
    order["shown"] = order["slice"] = order["expires"] = 0
    order["lots"], order["tag"] = lots, tag
    order["filled"] = order["known_filled"] = order["traded"] = order["pending"] = 0
    order["requests"] = order["replies"] = 0
    order["ahead"] = 0.0


@kernel(inline=True)
def drafted(handle: int) -> Any:
    """The drafted order's BOOK_ORDER record."""
    orders, _, _ = orders_at(handle)
    return orders[lane_at(handle)[0]["drafted"] & (len(orders) - 1)]


@kernel
def terms(handle: int, tif: int, flags: int, shown: int, expires_us: int) -> None:
    """Say of the drafted order: tif: a TimeInForce; flags: POST_ONLY, REDUCE_ONLY; shown: lots that an iceberg displays
    at once, 0 for all; expires_us: of GTD orders."""
    order = drafted(handle)
    order["tif"], order["expires"] = tif, expires_us
    order["post_only"], order["reduce_only"] = flags & POST_ONLY, int(flags & REDUCE_ONLY != 0)
    order["shown"] = shown if shown < order["lots"] else 0


@kernel
def tie(handle: int, parent: int, group: int) -> None:
    """Say of the drafted order: it waits until the order `parent` has filled (0: for none); orders of one `group`, a
    number of the strategy's own (0: none), cancel each other when one of them fills."""
    order = drafted(handle)
    order["parent"], order["group"] = parent, group


@kernel
def by(handle: int, source: int) -> None:
    """Say whose price the drafted order's trigger waits for: a TriggerSource."""
    order = drafted(handle)
    order["source"] = source_of(handle, source)


@kernel
def trail(handle: int, distance: int, rate: int, activation: int) -> None:
    """Say how the drafted trailing stop follows: `distance` ticks behind the best price, or if that is 0 `rate` in 1e-8
    of the price; from the price of `activation` ticks on, 0 for at once."""
    order = drafted(handle)
    order["trail"], order["trail_rate"] = (distance, 0) if distance > 0 else (rate, 1)
    order["activation"] = activation


@kernel
def is_sound(handle: int, order: Any) -> bool:
    """Whether there can be such an order."""
    kind, ticks, trigger = order["type"], order["ticks"], order["trigger"]
    sound = order["lots"] > 0 and abs(order["side"]) == 1 and 0 <= order["tif"] <= _GTD and order["shown"] >= 0
    sound = sound and 0 <= ticks < 1 << 31 and 0 <= trigger < 1 << 31
    sound = sound and (ticks > 0) == (kind in (_LIMIT, _STOP_LIMIT, _TAKE_PROFIT_LIMIT))
    sound = sound and (trigger > 0) == (_STOP <= kind < _TRAILING) and (order["trail"] > 0) == (kind == _TRAILING)
    sound = sound and 0 <= order["trail"] < 1 << 31 and 0 <= order["activation"] < 1 << 31
    if sound and order["parent"] != 0:
        i = find(handle, order["parent"])
        sound = i >= 0 and orders_at(handle)[0][i]["parent"] == 0
    return bool(sound)


@kernel
def send(handle: int) -> int:
    """Send the drafted order. Returns its id, or 0 if it was not sent; `denied` counts those.

    That is so if it cannot be an order (lots or prices below 1, a parent that is not known to work), if the requests
    that one wake may send are used up, if half of the order table is in use, or if the risk gate leaves nothing of it;
    it may leave less than was asked for.
    """
    lane = lane_at(handle)[0]
    orders, _, rows = orders_at(handle)
    order_id = lane["drafted"]
    i = order_id & (len(orders) - 1)
    order = orders[i]
    sound = lane["sent"] < lane["burst"] and 2 * lane["working"] < len(orders) and is_sound(handle, order)
    if sound and not order["reduce_only"]:
        asked, ticks = order["lots"], order["ticks"] if order["ticks"] > 0 else order["trigger"]
        order["lots"], reason = allowed(handle, order["side"], asked, ticks, -1)
        if reason != _NONE:
            note_verdict(handle, order_id if order["lots"] > 0 else 0, order, asked, order["lots"], ticks, reason)
    if not sound or order["lots"] < 1:
        lane["denied"] += 1
        return 0
    order["id"] = lane["next_id"] = order_id
    order["leg"] = leg_for(handle, order["side"], order["reduce_only"])
    order["asked"] = order["lots"]
    rows[lane["working"]] = i
    lane["working"] += 1
    lane["tied"] += is_tied(order)
    if order["parent"] != 0:  # what the parent has done so far nobody here need know: it counts when this one arrives
        parent = orders[find(handle, order["parent"])]
        order["fed"], order["led"] = parent["filled"], fate(parent["status"])
    order["status"] = order["known"] = _HELD if order["parent"] != 0 else _SUBMITTED
    kept = _KEPT if order["parent"] != 0 else _SENT
    note(handle, i, kept, lane["now"], lane["now"], order["ticks"], order["lots"], 0, 0)
    post(handle, _NEW, order_id, order["ticks"], order["lots"], 0)
    return int(order_id)


@kernel
def fate(status: int) -> int:
    """How an order of this status has ended: ALL_FILLED, NOT_ALL, or 0 while it works."""
    if status == _FILLED:
        return ALL_FILLED
    return NOT_ALL if status in (_REJECTED, _CANCELLED, _EXPIRED) else 0


@kernel
def plain(
    handle: int, side: int, kind: int, ticks: int, trigger: int, lots: int, tif: int, flags: int, tag: int
) -> int:
    """Draft and send an order without ties."""
    draft(handle, side, kind, ticks, trigger, lots, tag)
    terms(handle, tif, flags, 0, 0)
    return send(handle)


@kernel
def limit(handle: int, side: int, ticks: int, lots: int, tif: int, flags: int, tag: int) -> int:
    """Send a limit order; tif: GTC, IOC or FOK; POST_ONLY: rejected where it would take. See `send`."""
    return plain(handle, side, _LIMIT, ticks, 0, lots, tif, flags, tag)


@kernel
def market(handle: int, side: int, lots: int, flags: int, tag: int) -> int:
    """Send a market order. See `send`."""
    return plain(handle, side, _MARKET, 0, 0, lots, _IOC, flags, tag)


@kernel
def stop(handle: int, side: int, trigger: int, ticks: int, lots: int, flags: int, tag: int) -> int:
    """Send an order that comes to the market once a trade goes against it to its trigger; ticks: its limit, or 0."""
    return plain(handle, side, _STOP if ticks == 0 else _STOP_LIMIT, ticks, trigger, lots, 0, flags, tag)


@kernel
def take_profit(handle: int, side: int, trigger: int, ticks: int, lots: int, flags: int, tag: int) -> int:
    """As `stop`, once a trade goes in its favour."""
    kind = _TAKE_PROFIT if ticks == 0 else _TAKE_PROFIT_LIMIT
    return plain(handle, side, kind, ticks, trigger, lots, 0, flags, tag)


@kernel
def iceberg(handle: int, side: int, ticks: int, lots: int, shown: int, tag: int) -> int:
    """Send a limit order that displays `shown` of its lots at once: spot only, as at the venue."""
    draft(handle, side, _LIMIT, ticks, 0, lots, tag)
    terms(handle, 0, 0, shown, 0)
    return send(handle)


@kernel
def trailing_stop(handle: int, side: int, distance: int, lots: int, flags: int, tag: int) -> int:
    """Send a stop whose trigger follows the best traded price at a distance of ticks. See `send`."""
    draft(handle, side, _TRAILING, 0, 0, lots, tag)
    terms(handle, 0, flags, 0, 0)
    trail(handle, distance, 0, 0)
    return send(handle)


@kernel
def protect(handle: int, order_id: int, stop_loss: int, take_profit: int) -> None:
    """Send a stop and a target (ticks; 0 for none) that reduce what the order `order_id` will have filled."""
    i = find(handle, order_id)
    if i < 0:
        return
    order = orders_at(handle)[0][i]
    side, lots, tag = -order["side"], order["lots"], order["tag"]
    if stop_loss != 0:
        draft(handle, side, _STOP, 0, stop_loss, lots, tag)
        terms(handle, 0, REDUCE_ONLY, 0, 0)
        tie(handle, order_id, 0)
        send(handle)
    if take_profit != 0:
        draft(handle, side, _LIMIT, take_profit, 0, lots, tag)
        terms(handle, 0, REDUCE_ONLY, 0, 0)
        tie(handle, order_id, 0)
        send(handle)


@kernel
def cancel(handle: int, order_id: int) -> bool:
    """Ask the venue to cancel; False if no such order is known to work, or the burst is used up."""
    return change_order(handle, order_id, _CANCEL, 0, 0, 0, 0)


@kernel
def amend(handle: int, order_id: int, ticks: int, lots: int, trigger: int = 0, trail: int = 0) -> bool:
    """Ask the venue for another price, total quantity, trigger or trailing distance; 0 keeps what the order has.

    False as for `cancel`, or if no order may have them. Of an order without a limit the price stays none, and only one
    that still waits has a trigger to change.
    """
    i = find(handle, order_id)
    most = max(ticks, trigger, trail)
    if i < 0 or min(ticks, lots, trigger, trail) < 0 or max(most, lots) == 0 or most >= 1 << 31:
        return False
    orders, _, _ = orders_at(handle)
    order = orders[i]
    more = 0 if order["reduce_only"] else (lots if lots > 0 else order["lots"]) - order["known_filled"]
    if more > 0:
        at = ticks if ticks > 0 else order["ticks"]
        granted, reason = allowed(handle, order["side"], more, at, i)
        if granted < more:
            note_verdict(handle, order_id, order, more, 0, at, reason)
            return False
    return change_order(handle, order_id, _AMEND, ticks, lots, trigger, trail)


@kernel
def change_order(handle: int, order_id: int, kind: int, ticks: int, lots: int, trigger: int, trail: int) -> bool:
    """Send a request about an order that exists."""
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    i = find(handle, order_id)
    if i < 0 or lane["sent"] >= lane["burst"]:
        return False
    order = orders[i]
    order["pending"] += 1
    order["requests"] += 1
    post(handle, kind, order_id, ticks, lots, order["requests"], trigger, trail)
    return True


@kernel
def trade(handle: int) -> BookTrade:
    """The trade that the strategy was woken by."""
    events, _ = timeline_at(handle)
    event = events[lane_at(handle)[0]["woken_by"]]
    return BookTrade(event["ts_event"], int(event["ticks"]), event["lots"], int(event["side"]))


@kernel
def report(handle: int) -> BookReport:
    """The report that the strategy was woken by."""
    _, replies, _ = mail_at(handle)
    row = replies[lane_at(handle)[0]["woken_by"]]
    return BookReport(
        row["ts"], row["kind"], row["order"], row["side"], row["ticks"], row["lots"], row["filled"], row["maker"],
        row["reason"], row["tag"],
    )  # fmt: skip


@kernel
def cash(handle: int) -> int:
    """The wallet at the venue, in ledger units."""
    _, _, account, _, _ = money_at(handle)
    return int(account[0]["cash"])
