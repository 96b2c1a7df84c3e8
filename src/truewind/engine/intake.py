"""Intake: every new order passes here, through the venue's filters and the risk gate, into the working table."""

from typing import Any

from truewind.domain.order import Event, OrderType, Reason, Status
from truewind.execution.simulated.matching import FLUSH, change_order, settle
from truewind.numerics.exact import to_price
from truewind.numerics.jit import kernel
from truewind.portfolio.ledger import worth_per_lot
from truewind.risk.gate import judge

_MARKET, _STOP, _NEW = int(OrderType.MARKET), int(OrderType.STOP), int(Status.NEW)
_DENY, _SUBMIT, _HOLD = int(Event.DENY), int(Event.SUBMIT), int(Event.HOLD)
_NONE, _PARENT_ENDED = int(Reason.NONE), int(Reason.PARENT_ENDED)
_BELOW_MIN_QUANTITY, _BELOW_MIN_NOTIONAL = int(Reason.BELOW_MIN_QUANTITY), int(Reason.BELOW_MIN_NOTIONAL)
_ABOVE_MAX_QUANTITY, _BAD_PRICE, _NO_PRICE = int(Reason.ABOVE_MAX_QUANTITY), int(Reason.BAD_PRICE), int(Reason.NO_PRICE)


@kernel
def notional_ahead(symbol: int, instruments: Any, positions: Any, account: Any, orders: Any) -> float:
    """The largest notional that `symbol` may come to, whichever of its opening orders fill; reckoned at its close."""
    position = positions[symbol]
    price = position["close"]
    bought = sold = 0
    for i in range(account[0]["orders"]):
        order = orders[i]
        if order["symbol"] == symbol and not order["reduce_only"]:
            if order["side"] > 0:
                bought += order["lots"]
            else:
                sold += order["lots"]
            if price != price:  # before its first bar an order's own price must do
                price = to_price(order["price"], instruments[symbol]["tick_num"], instruments[symbol]["tick_den"])
    held = position["lots"]
    lots = max(abs(held), held + bought, sold - held)
    return float(lots * worth_per_lot(instruments[symbol]) * price) if lots > 0 else 0.0


@kernel
def lots_ahead(symbol: int, side: int, positions: Any, account: Any, orders: Any) -> int:
    """Lots held on `side` (negative: on the other) once the orders of that side that are on their way have filled.

    Of reduce-only orders only those at market count: stops and targets may never fill.
    """
    ahead = side * positions[symbol]["lots"]
    leaving = 0
    for i in range(account[0]["orders"]):
        order = orders[i]
        if order["symbol"] == symbol and order["side"] == side:
            if not order["reduce_only"]:
                ahead += order["lots"]
            elif order["type"] == _MARKET:
                leaving += order["lots"]
    return int(ahead + min(leaving, max(0, -ahead)))


@kernel
def leads(parent: int, symbol: int, account: Any, orders: Any) -> bool:
    """Whether `parent` is a working order of `symbol` that an order can wait for."""
    for i in range(account[0]["orders"]):
        if orders[i]["id"] == parent:
            return bool(orders[i]["symbol"] == symbol and orders[i]["parent"] == 0)
    return False


@kernel
def limit_order(
    symbol: int, side: int, lots: int, at: float, instruments: Any, positions: Any, account: Any, orders: Any,
    limits: Any,
) -> tuple[int, int]:  # fmt: skip
    """Lots of a new order that may be sent, and the reason if they are fewer than asked for.

    Orders on their way count as filled, so that two orders sent together cannot pass a cap that one could not.
    """
    money, instrument = account[0], instruments[symbol]
    lot_worth = at * worth_per_lot(instrument)
    others = 0.0
    for other in range(len(positions)):
        if other != symbol:
            others += notional_ahead(other, instruments, positions, account, orders)
    ahead = lots_ahead(symbol, side, positions, account, orders)
    reducing = min(lots, max(0, -ahead))
    opening, reason = judge(
        limits[0], money["equity"], money["halted"], lots - reducing, max(0, ahead) * lot_worth, others, lot_worth
    )
    allowed = reducing + opening
    if allowed < instrument["min_lots"]:
        return 0, (_BELOW_MIN_QUANTITY if reason == _NONE else reason)
    if allowed > instrument["max_lots"]:
        return 0, _ABOVE_MAX_QUANTITY
    if opening > 0 and allowed * lot_worth < instrument["min_notional"]:
        return 0, (_BELOW_MIN_NOTIONAL if reason == _NONE else reason)
    return allowed, reason


@kernel
def submit(
    k: int, symbol: int, side: int, kind: int, lots: int, price: int, reduce_only: int, parent: int, tag: int, now: int,
    times: Any, prices: Any, instruments: Any, positions: Any, account: Any, orders: Any, events: Any, equity: Any,
    costs: Any, limits: Any,
) -> int:  # fmt: skip
    """Judge a new order and send it. Returns its id, 0 if it was denied, or FLUSH (nothing was done).

    k: the last row that the strategy has seen. price: ticks of limit or trigger, 0 for a market order. With a parent
    the order is held until the parent fills. Reducing orders pass without a question.
    """
    money = account[0]
    j = money["orders"]
    if money["events"] + 4 > len(events) or j + 1 > len(orders):
        return FLUSH
    settle(k + 1, times, prices, instruments, positions, account, equity)
    instrument = instruments[symbol]
    money["next_order"] += 1
    order = orders[j]
    order["id"] = money["next_order"]
    order["symbol"] = symbol
    order["side"] = side
    order["type"] = kind
    order["status"] = _NEW
    order["reduce_only"] = reduce_only
    order["filled"] = 0
    order["price"] = price
    order["parent"] = parent
    order["ts_sent"] = now
    order["ts_arrive"] = now + costs[0]["latency_us"]
    order["accepted_row"] = -1
    order["tag"] = tag
    at = to_price(price, instrument["tick_num"], instrument["tick_den"])
    close = positions[symbol]["close"]
    if kind == _MARKET or ((side > 0) == (kind == _STOP) and close > at):
        at = close  # the least that a sale brings by its limit and a purchase costs by its trigger is the market
    allowed = lots
    reason = _NONE
    if not at > 0.0:
        allowed, reason = 0, (_NO_PRICE if kind == _MARKET else _BAD_PRICE)
    elif lots < 1:
        allowed, reason = 0, _BELOW_MIN_QUANTITY
    elif parent != 0 and not leads(parent, symbol, account, orders):
        allowed, reason = 0, _PARENT_ENDED
    elif not reduce_only:
        allowed, reason = limit_order(symbol, side, lots, at, instruments, positions, account, orders, limits)
    order["lots"] = allowed
    if allowed == 0:
        change_order(orders, j, events, account, now, k, _DENY, reason, lots)
        return 0
    money["orders"] = j + 1
    if parent != 0:
        change_order(orders, j, events, account, now, k, _HOLD, reason, allowed)
    else:
        change_order(orders, j, events, account, now, k, _SUBMIT, reason, allowed)
        positions[symbol]["wake"] = 1
    return int(order["id"])
