"""The life of an order in the order-book lane: its steps, the venue's replies, and what a fill moves.

Kernels get at their arrays by `handle` (`book_state`); `i` is the order's row.
"""

from typing import Any

from truewind.domain.book import Report
from truewind.domain.fill import FillKind
from truewind.domain.order import TRANSITIONS, Event, Reason
from truewind.execution.simulated.book_state import (
    ALL_FILLED,
    NOT_ALL,
    Request,
    lane_at,
    mail_at,
    money_at,
    orders_at,
    rules_at,
    timeline_at,
)
from truewind.execution.simulated.latency import REPLY, busy, delay
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import book_fill
from truewind.portfolio.state import margins_of

_PARTIAL_FILL, _FILL = int(Event.PARTIAL_FILL), int(Event.FILL)
_PARTIALLY_FILLED, _FILLED = int(Report.PARTIALLY_FILLED), int(Report.FILLED)
_NONE, _UNKNOWN = int(Reason.NONE), int(Reason.UNKNOWN_ORDER)
_SIBLING_FILLED, _EXITED = int(Reason.SIBLING_FILLED), int(Reason.EXITED)
_NOTHING_TO_REDUCE, _FOLLOW = int(Reason.NOTHING_TO_REDUCE), int(Request.FOLLOW)
_TRADE = FillKind.TRADE


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
    row["reduce_only"], row["trigger"] = order["reduce_only"], order["trigger"]
    row["ticks"], row["lots"], row["filled"] = ticks, lots, order["filled"]
    row["maker"], row["reason"], row["tag"] = maker, reason, order["tag"]
    row["parent"], row["leg"] = order["parent"], order["leg"]


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
def rate_at(handle: int, way: int, ts: int) -> float:
    """Thousands of events a second at the venue just before `ts`, 0 where latency does not depend on them."""
    if rules_at(handle)[1][way]["load_us"] == 0.0:
        return 0.0
    events, _ = timeline_at(handle)
    return busy(events, ts)


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
    late = delay(latency, trips, REPLY, ts, order["id"], order["replies"], rate_at(handle, REPLY, ts))
    known = max(lane["reply_ts"], ts + late)
    lane["reply_ts"] = known
    note(handle, i, kind, ts, known, ticks, lots, maker, reason)
    # Written twice, not copied: copying a record costs twenty times as much.
    write(replies[lane["last_reply"]], order, kind, ts, known, ticks, lots, maker, reason)
    lane["last_reply"] += 1


@kernel
def refuse_unknown(handle: int, order_id: int, kind: int, ts: int) -> None:
    """Reply to a request about an order that the venue does not know."""
    tell_of_none(handle, order_id, 0, kind, ts, 0, 0, _UNKNOWN)


@kernel
def tell_of_none(
    handle: int, order_id: int, side: int, kind: int, ts: int, ticks: int, lots: int, reason: int, leg: int = 0
) -> None:
    """Report what is about no order that the venue has."""
    orders, _, _ = orders_at(handle)
    nobody = orders[len(orders) - 1]  # the last row is never used by an order
    nobody["id"], nobody["side"], nobody["tag"], nobody["leg"] = order_id, side, 0, leg
    tell(handle, len(orders) - 1, kind, ts, ticks, lots, 0, reason)
    nobody["id"] = 0


@kernel
def put_request(
    handle: int, ts: int, kind: int, order_id: int, ticks: int, lots: int, trigger: int = 0, trail: int = 0
) -> None:  # fmt: skip
    """Let something reach the venue at `ts`, after what reaches it at the same time already."""
    lane = lane_at(handle)[0]
    requests, _, _ = mail_at(handle)
    j = lane["last_request"]
    while j > lane["first_request"] and requests[j - 1]["ts"] > ts:
        requests[j] = requests[j - 1]
        j -= 1
    row = requests[j]
    row["ts"], row["kind"], row["order"], row["ticks"], row["lots"] = ts, kind, order_id, ticks, lots
    row["trigger"], row["trail"] = trigger, trail
    lane["last_request"] += 1


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
    if lane_at(handle)[0]["tied"] > 0:
        after_end(handle, i, ts, reason)


@kernel
def fill(handle: int, i: int, ticks: int, lots: int, maker: int, ts: int, reference: int) -> bool:
    """Execute `lots` of the order at `ticks`; False if the money does not fit 64 bits (the account is flagged)."""
    lane = lane_at(handle)[0]
    orders, _, _ = orders_at(handle)
    terms = margins_of(handle)[0]
    order = orders[i]
    rate = terms["maker"] if maker else terms["taker"]
    if not book_fill(
        handle, ts, lane["event"], order["id"], order["leg"], _TRADE, order["side"], maker, ticks, lots, reference,
        rate, order["tag"],
    ):  # fmt: skip
        return False
    order["filled"] += lots
    if order["filled"] == order["lots"]:
        change(handle, i, _FILL)
        tell(handle, i, _FILLED, ts, ticks, lots, maker, _NONE)
    else:
        change(handle, i, _PARTIAL_FILL)
        tell(handle, i, _PARTIALLY_FILLED, ts, ticks, lots, maker, _NONE)
    if lane["tied"] > 0:
        after_fill(handle, i, ts)
    return True


@kernel(inline=True)
def is_tied(order: Any) -> int:
    """1 if the order depends on what else fills: in a group, with a parent, or reduce-only; else 0."""
    return int(order["group"] != 0 or order["parent"] != 0 or order["reduce_only"] != 0)


@kernel
def after_fill(handle: int, i: int, ts: int) -> None:
    """Order `i` got a fill, or part of one: those that depend on it are told, and looked after as the next thing.

    One cancels the others; the rest of its parent is withdrawn; its children know what it has filled. What is doomed
    fills no more from here on.
    """
    lane = lane_at(handle)[0]
    orders, _, rows = orders_at(handle)
    order = orders[i]
    for j in range(lane["working"]):
        other = orders[rows[j]]
        if order["group"] != 0 and other["group"] == order["group"] and rows[j] != i:
            other["doom"] = _SIBLING_FILLED
        elif order["parent"] != 0 and other["id"] == order["parent"]:
            other["doom"] = _EXITED
        elif other["parent"] == order["id"]:
            other["fed"] = order["filled"]
            other["led"] = ALL_FILLED if order["filled"] == order["lots"] else 0
    ask_follow(handle, ts)


@kernel
def after_end(handle: int, i: int, ts: int, reason: int) -> None:
    """Order `i` has ended with something left: its children learn it. An exit without work takes its entry along."""
    lane = lane_at(handle)[0]
    orders, _, rows = orders_at(handle)
    order = orders[i]
    for j in range(lane["working"]):
        other = orders[rows[j]]
        if other["parent"] == order["id"]:
            other["led"] = NOT_ALL
        elif order["parent"] != 0 and other["id"] == order["parent"] and reason == _NOTHING_TO_REDUCE:
            other["doom"] = _EXITED
    ask_follow(handle, ts)


@kernel
def ask_follow(handle: int, ts: int) -> None:
    """Let the venue look after orders that depend on others, if it is not about to."""
    lane = lane_at(handle)[0]
    if lane["follows"] == 0:
        lane["follows"] = 1
        put_request(handle, ts, _FOLLOW, 0, 0, 0)
