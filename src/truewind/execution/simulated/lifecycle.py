"""Lives of orders: every step goes through `change_order`, which knows what may follow what and reports it."""

from typing import Any

from truewind.domain.order import TRANSITIONS, Event, OrderType, Reason, Status, TriggerSource
from truewind.execution.simulated.valuation import time_at
from truewind.numerics.exact import to_price, to_ticks
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import RATE_SCALE
from truewind.portfolio.state import (
    account_of,
    costs_of,
    events_of,
    indices_of,
    instruments_of,
    marks_of,
    orders_of,
    positions_of,
    prices_of,
)

FLUSH = -1  # the buffers are too full for what may happen: empty them and call again
_MARKET, _LIMIT, _STOP = int(OrderType.MARKET), int(OrderType.LIMIT), int(OrderType.STOP)
_TRAILING = int(OrderType.TRAILING_STOP)
_HELD, _SUBMITTED, _ACCEPTED = int(Status.HELD), int(Status.SUBMITTED), int(Status.ACCEPTED)
_TRIGGERED, _PARTIALLY_FILLED = int(Status.TRIGGERED), int(Status.PARTIALLY_FILLED)
_SUBMIT, _ACCEPT = int(Event.SUBMIT), int(Event.ACCEPT)
_CANCEL, _EXPIRE, _AMEND = int(Event.CANCEL), int(Event.EXPIRE), int(Event.AMEND)
_NONE = int(Reason.NONE)
_NOTHING_TO_REDUCE, _PARENT_ENDED = int(Reason.NOTHING_TO_REDUCE), int(Reason.PARENT_ENDED)
_BY_STRATEGY = int(Reason.BY_STRATEGY)
_SIBLING_FILLED, _EXITED = int(Reason.SIBLING_FILLED), int(Reason.EXITED)
_BY_MARK, _BY_INDEX = int(TriggerSource.MARK), int(TriggerSource.INDEX)


@kernel(inline=True)
def waits(order: Any) -> bool:
    """Whether an order at the venue still waits for its trigger."""
    return bool(order["status"] == _ACCEPTED and order["type"] >= _STOP)


@kernel(inline=True)
def rests(order: Any) -> bool:
    """Whether an order stands at the venue with a limit price."""
    begun = order["status"] in (_TRIGGERED, _PARTIALLY_FILLED)
    return bool((begun and order["price"] > 0) or (order["status"] == _ACCEPTED and order["type"] == _LIMIT))


@kernel(inline=True)
def takes(order: Any) -> bool:
    """Whether an order at the venue is to be executed at market, as soon as there is somebody to trade with."""
    begun = order["status"] in (_TRIGGERED, _PARTIALLY_FILLED)
    return bool((begun and order["price"] == 0) or (order["status"] == _ACCEPTED and order["type"] == _MARKET))


@kernel(inline=True)
def watched(state: int, source: int, k: int) -> tuple[float, float, float, float]:
    """Open, high, low and close of row `k` in the price that triggers of `source` wait for."""
    prices = prices_of(state)
    if source == _BY_MARK:
        prices = marks_of(state)
    elif source == _BY_INDEX:
        prices = indices_of(state)
    return prices[0][k], prices[1][k], prices[2][k], prices[3][k]


@kernel
def beside(ticks: int, low: float, high: float, side: int, instrument: Any) -> int:
    """The price in [low, high] that is nearest to `ticks`, in ticks; between two the worse one for `side`.

    At a moment inside a bar that only one of its prices (traded, mark, index) tells, the others are taken to be as near
    to it as their own range allows.
    """
    at = to_price(ticks, instrument["tick_num"], instrument["tick_den"])
    if low <= at <= high:
        return ticks
    return int(to_ticks(min(max(at, low), high), instrument["tick_num"], instrument["tick_den"], side))


@kernel
def change_order(state: int, j: int, ts: int, row: int, event: int, reason: int, lots: int) -> None:
    """Move order `j` along its life cycle and report it. An illegal step is a bug: it raises the account's flag."""
    orders = orders_of(state)
    events = events_of(state)
    order, money = orders[j], account_of(state)
    following = TRANSITIONS[order["status"], event]
    if following < 0:
        money["overflow"] = 2
        return
    order["status"] = following
    if money["unrecorded"]:
        return
    report = events[money["events"]]
    report["ts"] = ts
    report["row"] = row
    report["order"] = order["id"]
    report["symbol"] = order["symbol"]
    report["event"] = event
    report["status"] = following
    report["reason"] = reason
    report["side"] = order["side"]
    report["type"] = order["type"]
    report["lots"] = lots
    report["price"] = order["price"]
    report["trigger"] = order["trigger"]
    report["reduce_only"] = order["reduce_only"]
    report["parent"] = order["parent"]
    report["group"] = order["group"]
    report["tag"] = order["tag"]
    report["owner"] = order["owner"]
    money["events"] += 1


@kernel
def end_children(state: int, parent: int, ts: int, row: int) -> None:
    """Cancel the held children of an order that ended without a fill."""
    account = account_of(state)
    orders = orders_of(state)
    for j in range(account["orders"]):
        if orders[j]["parent"] == parent and orders[j]["status"] == _HELD:
            change_order(state, j, ts, row, _CANCEL, _PARENT_ENDED, orders[j]["lots"])


@kernel
def end_order(state: int, j: int, ts: int, row: int, event: int, reason: int) -> None:
    """End what is left of a working order, and with it the children that wait for it."""
    order = orders_of(state)[j]
    change_order(state, j, ts, row, event, reason, order["lots"] - order["filled"])
    end_children(state, order["id"], ts, row)


@kernel
def end_parent(state: int, parent: int, ts: int, row: int) -> None:
    """Withdraw what is left of an order whose exits have begun: its trade is on the way out."""
    orders = orders_of(state)
    for j in range(account_of(state)["orders"]):
        if orders[j]["id"] == parent and TRANSITIONS[orders[j]["status"], _CANCEL] >= 0:
            end_order(state, j, ts, row, _CANCEL, _EXITED)


@kernel
def cancel_siblings(state: int, j: int, ts: int, row: int) -> None:
    """One cancels the others: withdraw what still works of the group of order `j`, which got a fill, or part of one."""
    account = account_of(state)
    orders = orders_of(state)
    for i in range(account["orders"]):
        same = i != j and orders[i]["group"] == orders[j]["group"]
        if same and TRANSITIONS[orders[i]["status"], _CANCEL] >= 0:
            end_order(state, i, ts, row, _CANCEL, _SIBLING_FILLED)


@kernel
def trigger_behind(order: Any) -> int:
    """The trigger of a trailing stop, in ticks: its distance behind its best price."""
    distance = order["trail"]
    if order["trail_rate"]:
        distance = (order["best"] * distance + RATE_SCALE - 1) // RATE_SCALE
    return int(max(1, order["best"] + order["side"] * distance))


@kernel
def follow(order: Any, ticks: int) -> None:
    """Let a trailing stop follow the price `ticks`, if that is better than its best and it is active."""
    side = order["side"]
    if order["best"] == 0 and order["activation"] > 0 and (order["activation"] - ticks) * -side > 0:
        return
    if order["best"] == 0 or (order["best"] - ticks) * side > 0:
        order["best"] = ticks
        order["trigger"] = trigger_behind(order)


@kernel
def wake_children(state: int, j: int, at: int, ts: int, row: int) -> None:
    """Put the children of order `j` to work with its fill at `at` ticks, at which they reach the venue too.

    Stops and targets work for as many lots as have filled, those that work already grow. If only a part has filled, a
    child with nothing to reduce yet (the parent turns a position) and one that opens go on waiting. A stop that the
    market is beyond by then is triggered at once, there: at its own trigger it would gain what nobody could have had.
    A target that the market is beyond is executed at once, too.
    """
    account = account_of(state)
    touch = costs_of(state)["touch"]
    instruments, positions = instruments_of(state), positions_of(state)
    orders = orders_of(state)
    parent, filled, complete = orders[j]["id"], orders[j]["filled"], orders[j]["filled"] >= orders[j]["lots"]
    for i in range(account["orders"]):
        order = orders[i]
        if order["parent"] != parent:
            continue
        if order["status"] == _HELD:
            opens = order["reduce_only"] == 0
            if not complete and (opens or positions[order["leg"]]["lots"] * order["side"] >= 0):
                continue
            if not opens:
                order["lots"] = min(order["asked"], filled)
            order["ts_decided"] = ts
            order["ts_arrive"] = ts
            order["accepted_row"] = row
            seen = at
            if order["source"]:
                _, high, low, _ = watched(state, order["source"], row)
                seen = beside(at, low, high, order["side"], instruments[order["symbol"]])
            if order["type"] == _TRAILING:
                follow(order, seen)
            elif order["type"] == _LIMIT:
                beyond = (order["price"] - at) * order["side"]
                order["met"] = at if beyond > 0 or (beyond == 0 and touch) else 0
            elif (seen - order["trigger"]) * order["rising"] > 0:
                against = order["rising"] * order["side"] > 0
                order["trigger"] = seen
                order["met"] = 0 if against or order["price"] > 0 else at
            change_order(state, i, ts, row, _SUBMIT, _NONE, order["lots"])
            change_order(state, i, ts, row, _ACCEPT, _NONE, order["lots"])
        elif order["reduce_only"] and TRANSITIONS[order["status"], _AMEND] >= 0:
            grown = min(order["asked"], filled)
            if order["lots"] < grown:
                order["lots"] = grown
                change_order(state, i, ts, row, _AMEND, _NONE, grown)


@kernel(inline=True)
def drop_ended(state: int) -> None:
    """Take ended orders out of the working table; the rest keep their order, which is their priority."""
    account = account_of(state)
    orders = orders_of(state)
    kept = 0
    for j in range(account["orders"]):
        status = orders[j]["status"]
        if status in (_HELD, _SUBMITTED, _ACCEPTED, _TRIGGERED, _PARTIALLY_FILLED):
            if kept != j:
                orders[kept] = orders[j]
            kept += 1
    account["orders"] = kept


@kernel(inline=True)
def tidy(state: int, symbol: int, ts: int, row: int) -> None:
    """End the symbol's reduce-only orders if there is nothing left to reduce, then drop what has ended."""
    positions = positions_of(state)
    account = account_of(state)
    orders = orders_of(state)
    for j in range(account["orders"]):
        order = orders[j]
        working = order["status"] in (_ACCEPTED, _TRIGGERED, _PARTIALLY_FILLED)
        idle = order["symbol"] == symbol and order["reduce_only"] and working
        if idle and positions[order["leg"]]["lots"] * order["side"] >= 0:
            end_order(state, j, ts, row, _EXPIRE, _NOTHING_TO_REDUCE)
            if order["parent"] != 0:
                end_parent(state, order["parent"], ts, row)
    drop_ended(state)


@kernel
def cancel(state: int, order_id: int, k: int, reason: int, event: int) -> int:
    """End a working order (by CANCEL or EXPIRE). Returns 1, 0 if there is none to be ended by who asks, or FLUSH.

    A cancel takes effect before the next bar: bars cannot show what happened in the milliseconds of its flight.
    """
    account = account_of(state)
    orders = orders_of(state)
    events = events_of(state)
    if account["events"] + account["orders"] + 4 > len(events):
        return FLUSH
    now = time_at(state, k)
    for j in range(account["orders"]):
        if orders[j]["id"] == order_id:
            if orders[j]["house"] and reason == _BY_STRATEGY:
                return 0
            end_order(state, j, now, k, event, reason)
            drop_ended(state)
            return 1
    return 0
