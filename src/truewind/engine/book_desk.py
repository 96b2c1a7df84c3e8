"""What a compiled strategy may ask and do in the order-book lane. Every function takes the lane's handle first.

Prices are ticks, quantities lots, times µs. What is known is known by the feed and by replies: an order that was filled
at the venue a moment ago still works here until the reply has come.
"""

from truewind.domain.book import Report
from truewind.domain.order import OrderType, Status, TimeInForce
from truewind.execution.simulated.book_matching import put_request
from truewind.execution.simulated.book_orders import find, note, rate_at
from truewind.execution.simulated.book_state import (
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
from truewind.execution.simulated.latency import ENTRY, delay
from truewind.numerics.book import NO_KEY, lots_at, next_key
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.state import limits_of
from truewind.portfolio.worth import lot_worth
from truewind.risk.gate import judge
from truewind.strategies.book import BookOrder, BookReport, BookTrade

POST_ONLY, REDUCE_ONLY = 1, 2  # flags of an order
_MARKET, _LIMIT = int(OrderType.MARKET), int(OrderType.LIMIT)
_STOP, _STOP_LIMIT = int(OrderType.STOP), int(OrderType.STOP_LIMIT)
_TAKE_PROFIT, _TAKE_PROFIT_LIMIT = int(OrderType.TAKE_PROFIT), int(OrderType.TAKE_PROFIT_LIMIT)
_SUBMITTED, _ACCEPTED, _PARTIAL = int(Status.SUBMITTED), int(Status.ACCEPTED), int(Status.PARTIALLY_FILLED)
_TRIGGERED = int(Status.TRIGGERED)
_SENT = int(Report.SUBMITTED)
_NEW, _CANCEL, _AMEND = int(Request.NEW), int(Request.CANCEL), int(Request.AMEND)
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
    """Lots held, signed, by the fills that are known."""
    return int(lane_at(handle)[0]["position"])


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
def post(handle: int, kind: int, order_id: int, ticks: int, lots: int, purpose: int) -> None:
    """Put a request on its way. Requests are independent: one sent later may arrive first."""
    lane = lane_at(handle)[0]
    _, latency, trips = rules_at(handle)
    now = lane["now"]
    arrives = now + delay(latency, trips, ENTRY, now, order_id, purpose, rate_at(handle, ENTRY, now))
    put_request(handle, arrives, kind, order_id, ticks, lots)
    lane["sent"] += 1


@kernel
def allowed(handle: int, side: int, lots: int, ticks: int, row: int) -> int:
    """Lots that the risk gate lets through; orders of this side that are not known to have ended count as filled.

    ticks: of the limit, 0 at market. row: of the order that this one stands for (an amendment), else −1.
    """
    lane = lane_at(handle)[0]
    orders, _, rows = orders_at(handle)
    instruments, _, account, _, _ = money_at(handle)
    ahead = side * lane["position"]
    for j in range(lane["working"]):
        order = orders[rows[j]]
        if order["side"] == side and rows[j] != row and not order["reduce_only"]:
            ahead += order["lots"] - order["known_filled"]
    reducing = min(lots, max(0, -ahead))
    if reducing == lots:
        return lots
    if ticks == 0:
        ticks = best_ask(handle) if side > 0 else best_bid(handle)
    instrument, money = instruments[0], account[0]
    worth = lot_worth(to_price(ticks, instrument["tick_num"], instrument["tick_den"]), instrument)
    opening, _ = judge(
        limits_of(handle), money["equity"], money["halted"], lots - reducing, max(0, ahead) * worth, 0.0, worth
    )
    return int(reducing + opening)


@kernel
def send(
    handle: int,
    side: int,
    kind: int,
    ticks: int,
    trigger: int,
    lots: int,
    tif: int,
    flags: int,
    shown: int,
    expires_us: int,
    tag: int,
) -> int:
    """Send an order. Returns its id, or 0 if it was not sent; `denied` counts those.

    That is so if it cannot be an order (lots or prices below 1), if the requests that one wake may send are used up, if
    half of the order table is in use, or if the risk gate leaves nothing of it; it may leave less than was asked for.
    ticks: 0 at market; trigger: 0 for none; flags: POST_ONLY, REDUCE_ONLY; shown: lots that an iceberg displays at
    once, 0 for all; expires_us: of GTD orders.
    """
    lane = lane_at(handle)[0]
    orders, _, rows = orders_at(handle)
    count = len(orders)
    sound = lots > 0 and (side == 1 or side == -1) and 0 <= tif <= _GTD and shown >= 0
    sound = sound and 0 <= ticks < 1 << 31 and 0 <= trigger < 1 << 31
    sound = sound and (ticks > 0) == (kind in (_LIMIT, _STOP_LIMIT, _TAKE_PROFIT_LIMIT))
    sound = sound and (trigger > 0) == (kind >= _STOP)
    sound = sound and lane["sent"] < lane["burst"] and 2 * lane["working"] < count
    if sound and not flags & REDUCE_ONLY:
        lots = allowed(handle, side, lots, ticks if ticks > 0 else trigger, -1)
    if not sound or lots < 1:
        lane["denied"] += 1
        return 0
    order_id = lane["next_id"] + 1
    while orders[order_id & (count - 1)]["id"] != 0 or order_id & (count - 1) == count - 1:
        order_id += 1
    lane["next_id"] = order_id
    i = order_id & (count - 1)
    order = orders[i]
    order["id"], order["side"], order["type"], order["tif"] = order_id, side, kind, tif
    order["post_only"], order["reduce_only"] = flags & POST_ONLY, int(flags & REDUCE_ONLY != 0)
    order["ticks"], order["key"] = ticks, ticks if side > 0 else -ticks
    order["trigger"] = trigger
    order["rising"] = side if kind <= _STOP_LIMIT else -side
    order["place"] = NOWHERE
    order["shown"] = shown if shown < lots else 0
    order["slice"], order["expires"] = 0, expires_us
    order["lots"], order["tag"] = lots, tag
    order["filled"] = order["known_filled"] = order["traded"] = order["pending"] = 0
    order["requests"] = order["replies"] = 0
    order["ahead"] = 0.0
    order["status"] = order["known"] = _SUBMITTED
    rows[lane["working"]] = i
    lane["working"] += 1
    note(handle, i, _SENT, lane["now"], lane["now"], order["ticks"], lots, 0, 0)
    post(handle, _NEW, order_id, order["ticks"], lots, 0)
    return int(order_id)


@kernel
def limit(handle: int, side: int, ticks: int, lots: int, tif: int, flags: int, tag: int) -> int:
    """Send a limit order; tif: GTC, IOC or FOK; POST_ONLY: rejected where it would take. See `send`."""
    return send(handle, side, _LIMIT, ticks, 0, lots, tif, flags, 0, 0, tag)


@kernel
def market(handle: int, side: int, lots: int, flags: int, tag: int) -> int:
    """Send a market order. See `send`."""
    return send(handle, side, _MARKET, 0, 0, lots, _IOC, flags, 0, 0, tag)


@kernel
def stop(handle: int, side: int, trigger: int, ticks: int, lots: int, flags: int, tag: int) -> int:
    """Send an order that comes to the market once a trade goes against it to its trigger; ticks: its limit, or 0."""
    return send(handle, side, _STOP if ticks == 0 else _STOP_LIMIT, ticks, trigger, lots, 0, flags, 0, 0, tag)


@kernel
def take_profit(handle: int, side: int, trigger: int, ticks: int, lots: int, flags: int, tag: int) -> int:
    """As `stop`, once a trade goes in its favour."""
    kind = _TAKE_PROFIT if ticks == 0 else _TAKE_PROFIT_LIMIT
    return send(handle, side, kind, ticks, trigger, lots, 0, flags, 0, 0, tag)


@kernel
def iceberg(handle: int, side: int, ticks: int, lots: int, shown: int, tag: int) -> int:
    """Send a limit order that displays `shown` of its lots at once: spot only, as at the venue."""
    return send(handle, side, _LIMIT, ticks, 0, lots, 0, 0, shown, 0, tag)


@kernel
def cancel(handle: int, order_id: int) -> bool:
    """Ask the venue to cancel; False if no such order is known to work, or the burst is used up."""
    return change_order(handle, order_id, _CANCEL, 0, 0)


@kernel
def amend(handle: int, order_id: int, ticks: int, lots: int) -> bool:
    """Ask the venue for another price or total quantity; False as for `cancel`, or if no order may have them.

    Of an order that goes to market, only the quantity changes.
    """
    i = find(handle, order_id)
    if i < 0 or lots < 1 or not 0 < ticks < 1 << 31:
        return False
    orders, _, _ = orders_at(handle)
    order = orders[i]
    more = 0 if order["reduce_only"] else lots - order["known_filled"]
    if more > 0 and allowed(handle, order["side"], more, ticks, i) < more:
        return False
    return change_order(handle, order_id, _AMEND, ticks, lots)


@kernel
def change_order(handle: int, order_id: int, kind: int, ticks: int, lots: int) -> bool:
    """Send a request about an order that exists."""
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    i = find(handle, order_id)
    if i < 0 or lane["sent"] >= lane["burst"]:
        return False
    order = orders[i]
    order["pending"] += 1
    order["requests"] += 1
    post(handle, kind, order_id, ticks, lots, order["requests"])
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
